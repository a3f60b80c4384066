//! Somebody without an account is invited to a folder: a link by one way, a password by another.

use std::fs;

use ensafer_tests::device::{PASSWORD, text};
use ensafer_tests::exim::{self, Exim};
use ensafer_tests::{Device, Finished, KeyServer, World, wait};
use serde_json::Value;

const ALICE: &str = "alice@example.com";
const CAROL: &str = "carol@example.com";

/// Alice's folder on a key server.
pub fn host(world: &World, server: &KeyServer) -> Device {
    let alice = device(world, "alice");
    alice.register(ALICE, &server.url).expect(0);
    alice.add_folder().expect(0);
    alice.write("old.txt", "older than the guest");
    alice.settle();
    alice
}

fn device(world: &World, name: &str) -> Device {
    let mut device = world.bare_device(name);
    device.work = world.directory(&format!("{name}-work"));
    device.encrypted = world.encrypted();
    device
}

/// Link and password of a new invitation.
#[track_caller]
fn invite(alice: &Device, email: &str, role: &str) -> (String, String) {
    let work = text(&alice.work);
    let sent = alice.json(&["invite", "add", work, email, "--role", role, "--print-link"]);
    (secret(&sent, "link"), secret(&sent, "password"))
}

#[track_caller]
fn secret(sent: &Value, name: &str) -> String {
    sent[name].as_str().expect("a text").to_owned()
}

/// `accept LINK` by somebody who types `password`, and has the folder's directories at hand.
#[track_caller]
fn accept(guest: &Device, link: &str, password: &str) -> Finished {
    let directories = ["--work", text(&guest.work), "--encrypted", text(&guest.encrypted)];
    let verb: Vec<&str> = ["accept", link].into_iter().chain(directories).collect();
    guest.answer(&verb, &[], &[password])
}

#[track_caller]
fn roles(device: &Device) -> Vec<String> {
    let list = device.json(&["share", "list", text(&device.work)]);
    let of = |member: &Value| format!("{} {}", secret(member, "login"), secret(member, "role"));
    list.as_array().expect("a list").iter().filter(|entry| entry.get("login").is_some()).map(of).collect()
}

/// Those of `share list` who are no members yet.
#[track_caller]
fn guests(device: &Device) -> Vec<Value> {
    let list = device.json(&["share", "list", text(&device.work)]);
    list.as_array().expect("a list").iter().filter(|entry| entry.get("login").is_none()).cloned().collect()
}

/// A member of Alice's folder.
#[track_caller]
fn member(world: &World, server: &KeyServer, alice: &Device, name: &str, role: &str) -> Device {
    let (device, email) = (device(world, name), format!("{name}@example.com"));
    device.register(&email, &server.url).expect(0);
    alice.run(&["share", "add", text(&alice.work), &email, "--role", role]).expect(0);
    device.run(&["folder", "add", text(&device.work), text(&device.encrypted), "--from", ALICE]).expect(0);
    device.settle();
    device
}

#[test]
fn row_32_link_and_password_together_let_a_guest_in_and_neither_does_alone() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let alice = host(&world, &server);
    let (link, password) = invite(&alice, CAROL, "writer");
    let (other_link, other_password) = invite(&alice, "dave@example.com", "reader");

    let thief = device(&world, "thief");
    for (link, password) in [
        (link.as_str(), "0000-0000-0000-0000-0000"),
        (&link, &other_password),
        (&other_link, &password),
        (&link, PASSWORD),
    ] {
        let refused = accept(&thief, link, password);
        assert!([2, 12].contains(&refused.code), "{refused}");
        thief.run(&["account", "show"]).expect(10);
    }
    let without_secret = link.split('#').next().unwrap();
    accept(&thief, without_secret, &password).expect(2).expect_says("#");
    thief.add_folder().expect(10);

    // She reads while Alice's computer is off, and what she writes stays hers until then.
    let carol = device(&world, "carol");
    let said = accept(&carol, &link, &password).expect(0);
    said.expect_says("alice@example.com invites you to read and write").expect_says("safety number");
    carol.sync().expect(0);
    assert_eq!(carol.read("old.txt").as_deref(), Some("older than the guest"));
    carol.write("by carol.txt", "not a member yet");
    carol.sync().expect(3);
    assert_eq!(roles(&alice), ["alice@example.com owner"]);
    accept(&carol, &link, &password).expect_any(&[0, 1]);

    // Alice's next look makes a member of her.
    let open = alice.json(&["invite", "list"]);
    assert_eq!(open.as_array().unwrap().len(), 1, "Dave's is left: {open}");
    assert_eq!(roles(&alice), ["alice@example.com owner", "carol@example.com writer"]);
    carol.settle();
    alice.settle();
    assert_eq!(alice.read("by carol.txt").as_deref(), Some("not a member yet"));
    // Both have met: neither needs the other's address again.
    alice.run(&["share", "verify", CAROL]).expect(0);
    let guest_of_carol = carol.json(&["share", "list", text(&carol.work)]);
    assert_eq!(guest_of_carol[0]["standing"], "pinned");
    accept(&thief, &link, &password).expect_any(&[1, 12]);
}

#[test]
fn a_running_daemon_completes_invitations_by_itself() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let alice = host(&world, &server);
    alice.start_daemon();
    let (link, password) = invite(&alice, CAROL, "admin");
    let carol = device(&world, "carol");
    accept(&carol, &link, &password).expect(0);
    carol.start_daemon();
    carol.wait_for_content("old.txt", "older than the guest");
    alice.run(&["invite", "list"]).expect(0);
    wait::until_true("Carol is an admin", || roles(&alice).contains(&"carol@example.com admin".to_owned()));
    carol.write("by carol.txt", "a member");
    alice.wait_for_content("by carol.txt", "a member");
    assert_eq!(alice.json(&["invite", "list"]).as_array().unwrap().len(), 0);
}

#[test]
fn row_33_an_invitation_is_accepted_once_and_may_be_taken_back() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let alice = host(&world, &server);
    let (link, password) = invite(&alice, CAROL, "writer");
    let (carol, eve) = (device(&world, "carol"), device(&world, "eve"));
    accept(&carol, &link, &password).expect(0);
    accept(&eve, &link, &password).expect(1).expect_says("accepted this invitation already");
    eve.run(&["account", "show"]).expect(10);
    // Whoever has an account already may have come second, too.
    eve.register("eve@example.com", &server.url).expect(0);
    accept(&eve, &link, &password).expect(1);
    eve.add_folder().expect(13);

    let (link, password) = invite(&alice, "dave@example.com", "reader");
    let dave = device(&world, "dave");
    accept(&dave, &link, &password).expect(0);
    dave.settle();
    alice.run(&["invite", "revoke", "dave@example.com", "-y"]).expect(0).expect_says("worth nothing");
    alice.write("secret.txt", "not for Dave");
    alice.settle();
    dave.sync().expect(3);
    assert_eq!((dave.read("old.txt").is_some(), dave.read("secret.txt")), (true, None));
    assert_eq!(roles(&alice).len(), 2, "Carol came in: {:?}", roles(&alice));
    alice.run(&["invite", "revoke", "dave@example.com", "-y"]).expect(2).expect_says("invite list");
    let late = device(&world, "late");
    accept(&late, &link, &password).expect_says("has ended, was revoked, or was never made");
}

#[test]
fn invitations_that_make_no_sense_are_refused() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let alice = host(&world, &server);
    let work = text(&alice.work);
    alice.run(&["share", "add", work, CAROL]).expect(1).expect_says("ensafer invite add");
    let bob = device(&world, "bob");
    bob.register("bob@example.com", &server.url).expect(0);
    alice.run(&["invite", "add", work, "bob@example.com"]).expect(2).expect_says("ensafer share add");
    alice.run(&["invite", "add", work, "no address"]).expect(2);
    alice.run(&["invite", "resend", CAROL]).expect(2).expect_says("invite list");
    alice.run(&["share", "add", work, "bob@example.com"]).expect(0);
    bob.run(&["folder", "add", text(&bob.work), text(&bob.encrypted), "--from", ALICE]).expect(0);
    bob.settle();
    bob.run(&["invite", "add", text(&bob.work), CAROL]).expect(1).expect_says("owner and its admins");
    assert_eq!(bob.json(&["invite", "list"]), Value::Array(Vec::new()));

    // Without mail the server sends nothing: the link is printed, and said to be.
    let sent = alice.run(&["invite", "add", work, CAROL]).expect(0);
    let sent = sent.expect_says("for you to send").expect_says("by another way");
    let [link, password] = <[&str; 2]>::try_from(sent.stdout.lines().collect::<Vec<_>>()).expect("two lines");
    let again = alice.json(&["invite", "resend", CAROL]);
    assert_eq!((secret(&again, "link").as_str(), secret(&again, "password").as_str()), (link, password));
    assert!(!server.log().contains(password) && !server.log().contains(link.split('#').nth(1).unwrap()));
    bob.run(&["accept", "https://example.com/elsewhere"]).expect(2);
    let (local_world, local) = World::with_one_device();
    local.run(&["invite", "add", text(&local.work), CAROL]).expect(10);
    accept(&local, link, password)
        .expect(2)
        .expect_says("as another folder than the one that you are invited to");
    drop(local);
    drop(local_world);
}

#[test]
fn directories_that_do_not_fit_use_no_invitation_up() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let alice = host(&world, &server);
    let (link, password) = invite(&alice, CAROL, "writer");
    let carol = device(&world, "carol");
    let other = world.bare_device("other");
    let (others_work, others) = (world.directory("other-work"), world.directory("other-encrypted"));
    other.run(&["register", "--email", "other@example.com"]).expect(0);
    other.run(&["folder", "add", text(&others_work), text(&others)]).expect(0);
    let (empty, missing, inner) = (world.directory("empty"), world.path("missing"), carol.at("inner"));
    fs::create_dir(&inner).unwrap();
    let (work, encrypted) = (&carol.work, &carol.encrypted);
    for (work, encrypted, code, words) in [
        (work, work, 2, "are the same"),
        (work, &inner, 2, "inside each other"),
        (&missing, encrypted, 2, "does not exist"),
        (work, &missing, 2, "mkdir -p"),
        (&carol.home, encrypted, 2, "Ensafer's own"),
        (work, &empty, 5, "No encrypted folder is in"),
        (work, &others, 13, "another folder"),
        (&others_work, encrypted, 1, "part of another encrypted folder"),
    ] {
        let verb = ["accept", &link, "--work", text(work), "--encrypted", text(encrypted)];
        carol.answer(&verb, &[], &[&password]).expect(code).expect_says(words);
        carol.run(&["account", "show"]).expect(10);
    }
    assert_eq!(guests(&alice)[0]["standing"], "invited");
    fs::remove_dir(inner).unwrap();
    accept(&carol, &link, &password).expect(0);
    carol.settle();
    assert_eq!(carol.read("old.txt").as_deref(), Some("older than the guest"));
}

#[test]
fn a_mistyped_one_time_password_is_asked_for_again_and_the_account_s_only_once() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let alice = host(&world, &server);
    let (link, password) = invite(&alice, CAROL, "writer");
    let (_, other) = invite(&alice, "dave@example.com", "writer");
    let carol = device(&world, "carol");
    let verb = ["accept", &link, "--work", text(&carol.work), "--encrypted", text(&carol.encrypted)];
    let mut terminal = carol.at_terminal(&verb);
    for (typed, words) in [("0000-0000-0000-0000-0000", "mistyped"), (&other, "do not belong together")] {
        terminal.expect("One-time password: ").type_hidden(typed).expect(words).expect("Try again.");
    }
    terminal.expect("One-time password: ").type_hidden(&password).expect("invites you");
    terminal.expect("New password for carol@example.com: ").type_hidden(PASSWORD);
    terminal.expect("The same again: ").type_hidden(PASSWORD).expect("Recovery key").expect("Accepted.");
    let shown = terminal.finish(0);
    assert!(!shown.contains("Password: "), "{shown}");

    let thief = device(&world, "thief");
    let mut terminal = thief.at_terminal(&["accept", &link]);
    for _ in 0..3 {
        terminal.expect("One-time password: ").type_hidden(&other).expect("do not belong together");
    }
    terminal.finish(12);
}

#[test]
fn the_inviter_is_told_who_accepted_and_guests_that_they_wait() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let alice = host(&world, &server);
    let (link, password) = invite(&alice, CAROL, "writer");
    let open = guests(&alice).remove(0);
    assert_eq!(
        (&open["invited"], &open["standing"], &open["role"]),
        (&CAROL.into(), &"invited".into(), &"writer".into())
    );
    assert!(
        open["expires"].as_str().is_some_and(|end| end.ends_with('Z')) && open.get("accepted_by").is_none()
    );
    alice
        .run(&["share", "list", text(&alice.work)])
        .expect(0)
        .expect_says("invited, not accepted yet, until");

    let carol = device(&world, "carol");
    let verb = ["accept", &link, "--email", "c@example.org", "--work", text(&carol.work), "--encrypted"];
    let verb: Vec<&str> = verb.into_iter().chain([text(&carol.encrypted)]).collect();
    carol.answer(&verb, &[], &[&password]).expect(0).expect_says("is kept on this computer until");
    carol.run(&["account", "profile", "--name", "Carol C."]).expect(0);
    carol.write("new.txt", "by a guest");
    carol.sync().expect(3);
    assert_eq!(carol.problems(), [("not-yet-a-member".to_owned(), "new.txt".to_owned())]);
    let by = guests(&alice).remove(0);
    assert_eq!(by["standing"], "accepted");
    let expected =
        serde_json::json!({ "login": "c@example.org", "name": "Carol C.", "is_invited_address": false });
    assert_eq!(by["accepted_by"], expected);
    let said = alice.run(&["share", "list", text(&alice.work)]).expect(0);
    said.expect_says("accepted by c@example.org (Carol C.)").expect_says("NOT the address that was invited");

    // A computer without the folder completes nothing, and tells it as well.
    let mut second = world.bare_device("second");
    second.log_in(ALICE, &server.url).expect(0);
    let listed = second.json(&["invite", "list"]).as_array().unwrap().clone();
    assert_eq!((&listed[0]["accepted"], &listed[0]["accepted_by"]), (&true.into(), &expected));
    (second.work, second.encrypted) = (world.directory("second-work"), world.encrypted());
    second.add_folder().expect(0);

    // A new session brings a new device key; the guest reads on.
    carol.run(&["logout"]).expect(0);
    carol.log_in("c@example.org", &server.url).expect(0);
    alice.write("meanwhile.txt", "by Alice");
    carol.sync().expect(3);
    alice.settle();
    carol.settle();
    assert_eq!(carol.read("meanwhile.txt").as_deref(), Some("by Alice"));
    assert_eq!(roles(&alice), ["alice@example.com owner", "c@example.org writer"]);
    assert!(guests(&alice).is_empty());
}

#[test]
fn accepting_again_leads_to_where_one_is() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let alice = host(&world, &server);
    let (link, password) = invite(&alice, CAROL, "writer");
    let carol = device(&world, "carol");
    accept(&carol, &link, &password).expect(0);
    carol.settle();
    accept(&carol, &link, &password).expect(0).expect_says("Accepted.");
    alice.run(&["invite", "list"]).expect(0);
    accept(&carol, &link, &password).expect(5).expect_says("sync --once");
    carol.settle();
    accept(&carol, &link, &password).expect(0).expect_says("are a member of");
    carol.run(&["folder", "remove", text(&carol.work)]).expect(0);
    accept(&carol, &link, &password).expect(0).expect_says("will be synced with");
    carol.settle();

    let (link, password) = invite(&alice, "dave@example.com", "reader");
    let dave = device(&world, "dave");
    accept(&dave, &link, &password).expect(0);
    dave.settle();
    alice.run(&["invite", "revoke", "dave@example.com", "-y"]).expect(0);
    accept(&dave, &link, &password).expect(5).expect_says("was taken back");
}

#[test]
fn one_address_has_one_invitation_to_a_folder_and_none_as_a_member() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let alice = host(&world, &server);
    let (link, password) = invite(&alice, "dave@example.com", "reader");
    let again = ["invite", "add", text(&alice.work), "Dave@example.com", "--role", "writer"];
    let refused = alice.run(&again).expect(2);
    refused.expect_says("invite resend dave@example.com").expect_says("invite revoke dave@example.com");
    assert_eq!(guests(&alice).len(), 1);

    let dave = device(&world, "dave");
    dave.register("dave@example.com", &server.url).expect(0);
    let added = alice.run(&["share", "add", text(&alice.work), "dave@example.com"]).expect(0);
    added.expect_says("The invitation of dave@example.com is over");
    assert!(guests(&alice).is_empty() && alice.json(&["invite", "list"]).as_array().unwrap().is_empty());
    let thief = device(&world, "thief");
    accept(&thief, &link, &password).expect_says("has ended, was revoked, or was never made");
    dave.run(&["folder", "add", text(&dave.work), text(&dave.encrypted), "--from", ALICE]).expect(0);
    dave.settle();
    assert_eq!(dave.read("old.txt").as_deref(), Some("older than the guest"));
}

#[test]
fn guests_of_another_admin_are_counted_and_go_with_the_admins_role() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let alice = host(&world, &server);
    let bob = member(&world, &server, &alice, "bob", "admin");
    let (link, password) = invite(&bob, CAROL, "writer");
    let carol = device(&world, "carol");
    accept(&carol, &link, &password).expect(0);
    carol.settle();
    alice.settle();
    assert_eq!(guests(&alice), [serde_json::json!({ "standing": "of-another" })]);
    let listed = alice.run(&["share", "list", text(&alice.work)]).expect(0);
    listed.expect_says("1 may read by invitations that other admins have made").expect_says("share role");
    alice.run(&["share", "role", text(&alice.work), "bob@example.com", "writer"]).expect(0);
    alice.write("secret.txt", "not for Carol");
    alice.settle();
    bob.settle();
    carol.sync().expect(3);
    assert_eq!((carol.read("secret.txt"), guests(&alice).len()), (None, 0));
    assert!(roles(&alice).contains(&"bob@example.com writer".to_owned()));
}

#[test]
fn whoever_was_removed_does_not_come_back_by_an_invitation_that_was_left_over() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let alice = host(&world, &server);
    let bob = member(&world, &server, &alice, "bob", "admin");
    let (link, password) = invite(&alice, CAROL, "writer");
    let carol = device(&world, "carol");
    accept(&carol, &link, &password).expect(0);
    carol.settle();
    // While Alice's computers are off, Bob adds her himself, and thinks better of it.
    let work = text(&bob.work);
    bob.run(&["share", "add", work, CAROL]).expect(0);
    bob.run(&["share", "remove", work, CAROL, "-y"]).expect(0);
    bob.write("secret.txt", "not for Carol");
    bob.settle();
    alice.settle();
    assert!(alice.json(&["invite", "list"]).as_array().unwrap().is_empty(), "it is over");
    assert_eq!(roles(&alice), ["alice@example.com owner", "bob@example.com admin"]);
    assert!(guests(&alice).is_empty());
    carol.sync().expect(3);
    assert_eq!(carol.read("secret.txt"), None);
}

#[test]
fn the_link_comes_by_a_real_mail() {
    let Some(exim) = Exim::start() else { return };
    let world = World::new();
    let mut server = KeyServer::start(&world);
    let (password_file, ca) = (text(&exim.password_file), text(&exim.ca_file));
    let config = format!(
        "public_url = {:?}\n[mail]\ntransport = \"smtp\"\nfrom = \"Ensafer <keys@example.org>\"\nhost = \"localhost\"\n\
         port = {}\nsecurity = \"starttls\"\nuser = {:?}\npassword_file = {password_file:?}\nca_file = {ca:?}\n\
         [registration]\nconfirm_email = \"no\"\n",
        server.url,
        exim.port,
        exim::USER
    );
    fs::write(server.data.join("test-server.toml"), config).unwrap();
    server.restart();
    let alice = host(&world, &server);
    let sent = alice.json(&["invite", "add", text(&alice.work), CAROL]);
    assert!(sent.get("link").is_none(), "the server has mailed it: {sent}");
    let password = secret(&sent, "password");
    let mail = exim.wait_for_mail(CAROL, "invite");
    assert!(!mail.text.contains(&password) && !mail.html.contains(&password));
    let is_link = |word: &&str| word.starts_with(&server.url) && word.contains("/invite/");
    let link = mail.text.split_whitespace().map(|word| word.trim_matches(['\'', '"'])).find(is_link);
    let link = link.unwrap_or_else(|| panic!("no link in {mail:?}"));
    let carol = device(&world, "carol");
    accept(&carol, link, "0000-0000-0000-0000-0000").expect(2).expect_says("mistyped");
    accept(&carol, link, &password).expect(0);
    carol.settle();
    assert_eq!(carol.read("old.txt").as_deref(), Some("older than the guest"));
    alice.run(&["invite", "list"]).expect(0);
    carol.write("by carol.txt", "a member");
    carol.settle();
    alice.settle();
    assert_eq!(alice.read("by carol.txt").as_deref(), Some("a member"));
}
