//! Folders never wait for the key server, and the daemon tells what people should know of it.

use std::fs;

use ensafer_tests::device::typing;
use ensafer_tests::{Device, KeyServer, World, on_every_database, tree, wait};
use serde_json::Value;

const EMAIL: &str = "alice@example.com";

#[test]
fn a_daemon_syncs_while_the_server_is_down_and_says_nothing_of_it() {
    on_every_database(|world, server| {
        let (laptop, desktop) = two_devices_with_folders(world, server);
        let address = server.address().to_owned();
        server.stop().expect(0);
        for device in [&laptop, &desktop] {
            device.start_daemon();
        }
        laptop.write("plans/a.txt", "written while the server is down");
        desktop.wait_for_content("plans/a.txt", "written while the server is down");
        // It was asked in vain, and that is nobody's business.
        wait_for_log(&laptop, "asked in vain");
        let status = laptop.json(&["status"]);
        assert_eq!(status.get("account"), None, "{status}");

        // With the server, a daemon that starts gets new tokens, and other verbs work beside it.
        server.listen(&address);
        laptop.run(&["daemon", "--quit"]).expect(0);
        wait::until_true("the daemon is gone", || laptop.processes().is_empty());
        let before = session(&laptop);
        laptop.start_daemon();
        wait::until_true("the session is renewed", || session(&laptop) != before);
        assert_eq!(wait_for_notice(&laptop)["kind"], "new-device", "the other one, and nothing else");
        laptop.run(&["account", "devices"]).expect(0);
    });
}

#[test]
fn a_removed_computer_shows_it_and_syncs_on() {
    on_every_database(|world, server| {
        let (laptop, desktop) = two_devices_with_folders(world, server);
        let listed = laptop.json(&["account", "devices"]);
        let other = listed.as_array().unwrap().iter().find(|device| device["is_this"] == false).unwrap();
        laptop.run(&["account", "devices", "--revoke", other["id"].as_str().unwrap()]).expect(0);

        desktop.start_daemon();
        let notice = wait_for_notice(&desktop);
        assert_eq!(notice["kind"], "logged-out");
        let text = notice["text"].as_str().unwrap();
        assert!(text.contains("removed from the account") && text.contains("ensafer login"), "{text}");
        laptop.write("a", "still shared");
        laptop.settle();
        desktop.wait_for_content("a", "still shared");

        // A daemon that starts later does not ask again, and still tells.
        desktop.run(&["daemon", "--quit"]).expect(0);
        wait::until_true("the daemon is gone", || desktop.processes().is_empty());
        desktop.start_daemon();
        assert_eq!(wait_for_notice(&desktop)["kind"], "logged-out");

        // Whoever logs in again need not wait for the daemon's next look.
        desktop.run(&["login"]).expect(0);
        wait_for_silence(&desktop);
    });
}

#[test]
fn whoever_logs_out_or_deletes_has_nothing_told_of_the_account_any_more() {
    on_every_database(|world, server| {
        let (laptop, desktop) = two_devices_with_folders(world, server);
        laptop.start_daemon();
        assert_eq!(wait_for_notice(&laptop)["kind"], "new-device");
        laptop.run(&["logout"]).expect(0);
        wait_for_silence(&laptop);

        world.bare_device("third").log_in(EMAIL, &server.url).expect(0);
        desktop.start_daemon();
        assert_eq!(wait_for_notice(&desktop)["kind"], "new-device");
        desktop.run(&["account", "delete", "-y"]).expect(0);
        wait_for_silence(&desktop);
    });
}

#[test]
fn a_verb_tells_once_who_logged_in() {
    on_every_database(|world, server| {
        let (laptop, _desktop) = two_devices_with_folders(world, server);
        let said = "Another computer has logged in to the account";
        // The session is renewed by a login as by any verb whose token is too old.
        let told = laptop.run(&["login"]).expect(0).expect_says(said);
        assert!(!told.stdout.contains(said), "{told}");
        assert!(!laptop.run(&["account", "devices"]).expect(0).says(said));
    });
}

#[test]
fn the_recovery_key_that_is_shown_is_the_newest_or_said_not_to_be() {
    on_every_database(|world, server| {
        let (laptop, desktop) = two_devices_with_folders(world, server);
        let old = desktop.json(&["recovery-key", "show"]);
        let new = laptop.run(&["recovery-key", "new"]).expect(0).stdout;
        let shown = desktop.json(&["recovery-key", "show"]);
        assert_ne!(shown, old);
        assert_eq!(shown["recovery_key"], new.trim());
        server.stop().expect(0);
        let shown = desktop.run(&["recovery-key", "show"]).expect(0);
        assert_eq!(shown.stdout, new);
        shown.expect_says("this computer last saw").expect_says("cannot be reached");
        let (variable, wrong) = typing("wrong horse battery");
        let refused = desktop.answer(&["recovery-key", "show"], &[(variable, &wrong)], &[]).expect(12);
        assert_eq!(refused.stdout, "");
    });
}

#[test]
fn a_recovery_key_that_opens_nothing_is_not_shown_for_one() {
    on_every_database(|world, server| {
        let (laptop, desktop) = two_devices_with_folders(world, server);
        let (variable, wrong) = typing("wrong horse battery");
        for new in [&["recovery-key", "new"][..], &["recovery-key", "new", "--question"]] {
            let refused = laptop.answer(new, &[(variable, &wrong)], &["the blue bicycle"]).expect(12);
            assert_eq!(refused.stdout, "", "nothing is shown for a password that was mistyped");
        }
        // The password of this computer is not the account's any more, which only the server knows.
        let new = typing("tr8vel-Kestrel-9").1;
        laptop.answer(&["account", "password"], &[("ENSAFER_NEW_PASSWORD_COMMAND", &new)], &[]).expect(0);
        let refused = desktop.run(&["recovery-key", "new"]).expect(12);
        refused.expect_says("The key that was just shown opens nothing");
    });
}

#[test]
fn a_computer_that_logs_in_is_told_to_the_others() {
    on_every_database(|world, server| {
        let (laptop, _desktop) = two_devices_with_folders(world, server);
        laptop.start_daemon();
        let notice = wait_for_notice(&laptop);
        assert_eq!(notice["kind"], "new-device");
        let text = notice["text"].as_str().unwrap();
        assert!(text.contains("account devices --revoke"), "{text}");
    });
}

#[test]
fn what_another_computer_changed_reaches_the_daemon() {
    on_every_database(|world, server| {
        let (laptop, desktop) = two_devices_with_folders(world, server);
        laptop.run(&["account", "profile", "--email", "alice@example.org"]).expect(0);
        let key = laptop.run(&["recovery-key", "new"]).expect(0).stdout;
        assert_eq!(desktop.json(&["account", "show"])["login"], EMAIL);
        desktop.start_daemon();
        wait::until_true("the account is taken over", || {
            desktop.json(&["account", "show"])["login"] == "alice@example.org"
        });
        assert_eq!(desktop.run(&["recovery-key", "show"]).expect(0).stdout, key);
        assert_eq!(desktop.json(&["account", "show"]), laptop.json(&["account", "show"]));
        laptop.write("a", "a");
        laptop.settle();
        desktop.wait_for_content("a", "a");

        // The next look of its own is a quarter of an hour away.
        laptop.run(&["account", "profile", "--email", EMAIL]).expect(0);
        desktop.run(&["unlock"]).expect(0);
        wait::until_true("whoever unlocks makes it look", || {
            desktop.json(&["account", "show"])["login"] == EMAIL
        });
    });
}

#[test]
fn a_password_that_was_changed_elsewhere_is_asked_for_when_it_is_needed() {
    on_every_database(|world, server| {
        let (laptop, desktop) = two_devices_with_folders(world, server);
        let (variable, new) = typing("tr8vel-Kestrel-9");
        laptop.answer(&["account", "password"], &[("ENSAFER_NEW_PASSWORD_COMMAND", &new)], &[]).expect(0);
        // Nothing here can open what the new password seals: folders go on with this computer's own key.
        desktop.start_daemon();
        laptop.write("a", "a");
        laptop.answer(&["sync", "--once"], &[(variable, &new)], &[]).expect(0);
        desktop.wait_for_content("a", "a");
        let show = desktop.answer(&["recovery-key", "show"], &[(variable, &new)], &[]).expect(12);
        show.expect_says("changed on another computer: ensafer login");
        desktop.answer(&["login"], &[(variable, &new)], &[]).expect(0);
        desktop.answer(&["recovery-key", "show"], &[(variable, &new)], &[]).expect(0);
        laptop.write("b", "b");
        laptop.answer(&["sync", "--once"], &[(variable, &new)], &[]).expect(0);
        desktop.wait_for_content("b", "b");
    });
}

fn two_devices_with_folders(world: &World, server: &KeyServer) -> (Device, Device) {
    let [laptop, desktop] = ["laptop", "desktop"].map(|name| {
        let mut device = world.bare_device(name);
        device.work = world.directory(&format!("{name}-work"));
        device.encrypted = world.encrypted();
        device
    });
    laptop.register(EMAIL, &server.url).expect(0);
    desktop.log_in(EMAIL, &server.url).expect(0);
    for device in [&laptop, &desktop] {
        device.add_folder().expect(0);
        device.settle();
    }
    (laptop, desktop)
}

fn wait_for_notice(device: &Device) -> Value {
    wait::until("something is told about the account", || {
        device.json(&["status"]).get("account").and_then(|notices| notices.get(0)).cloned()
    })
}

fn wait_for_silence(device: &Device) {
    wait::until_true("nothing is told about the account", || {
        device.json(&["status"]).get("account").is_none()
    });
}

fn wait_for_log(device: &Device, words: &str) {
    wait::until_true(&format!("{words:?} is logged"), || {
        let mut logs = tree::files_below(&device.home);
        logs.retain(|file| file.extension().is_some_and(|name| name == "log"));
        logs.iter().any(|log| fs::read_to_string(log).is_ok_and(|text| text.contains(words)))
    });
}

fn session(device: &Device) -> String {
    fs::read_to_string(device.home.join("data/session.json")).unwrap()
}

#[test]
fn an_account_outlives_its_server() {
    on_every_database(|world, server| {
        let laptop = world.bare_device("laptop");
        let key = laptop.register(EMAIL, &server.url).expect(0).stdout.trim().to_owned();
        let url = server.url.clone();
        server.stop().expect(0);
        let (variable, new) = typing("tr8vel-Kestrel-9");
        laptop.answer(&["account", "password"], &[("ENSAFER_NEW_PASSWORD_COMMAND", &new)], &[]).expect(14);
        // The password is lost as well.
        laptop.answer(&["recovery-key", "use"], &[(variable, &new)], &[&key]).expect(14);
        laptop.answer(&["recovery-key", "use", "--here"], &[(variable, &new)], &[&key]).expect(0);
        laptop.run(&["account", "server", "--none"]).expect(12);
        laptop.answer(&["account", "server", "--none"], &[(variable, &new)], &[]).expect(0);
        assert_eq!(laptop.json(&["account", "show"])["server"], Value::Null);
        let refused = laptop.run(&["account", "server", "--none"]).expect(10);
        assert!(refused.says("on this computer only"), "{refused}");
        // It can be published elsewhere.
        let second = KeyServer::start(world);
        assert_ne!(second.url, url);
        laptop.answer(&["register", "--server", &second.url], &[(variable, &new)], &[]).expect(0);
    });
}
