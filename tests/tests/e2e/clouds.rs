//! Cloud clients' directories, and the encrypted folders that lie in them.

use std::fs;
use std::path::{Path, PathBuf};

use ensafer_tests::device::{PASSWORD, text};
use ensafer_tests::{Device, KeyServer, World, tree, wait};
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";

/// Alice's folder in a Nextcloud that carries it to Bob; he has a Syncthing, too.
struct Pair {
    alice: Device,
    bob: Device,
    nextcloud: PathBuf,
    syncthing: PathBuf,
    _server: KeyServer,
    /// Outlives the devices.
    world: World,
}

impl Pair {
    fn new() -> Self {
        let world = World::new();
        let server = KeyServer::start(&world);
        let device = |email: &str, name: &str| {
            let mut device = Device::bare(&world.path(&format!("{name}-home")));
            device.work = world.directory(&format!("{name}-work"));
            device.encrypted = world.directory("nextcloud/projects/Our team");
            device.register(email, &server.url).expect(0);
            device
        };
        let (alice, bob) = (device(ALICE, "alice"), device(BOB, "bob"));
        alice.add_folder().expect(0);
        alice.write("plan.txt", "by Alice");
        alice.settle();
        let [nextcloud, syncthing] = ["nextcloud", "sync"].map(|name| real(&world.directory(name)));
        set_up_clients(&bob, &nextcloud, &syncthing);
        Self { alice, bob, nextcloud, syncthing, _server: server, world }
    }

    #[track_caller]
    fn share(&self, work: &Path) {
        self.alice.run(&["share", "add", text(work), BOB]).expect(0);
    }

    /// Alice makes another folder in the same Nextcloud and shares it.
    #[track_caller]
    fn share_another(&self, name: &str) -> PathBuf {
        let (work, encrypted) = (self.world.directory(name), self.nextcloud.join(name));
        fs::create_dir(&encrypted).unwrap();
        self.alice.run(&["folder", "add", text(&work), text(&encrypted)]).expect(0);
        self.share(&work);
        encrypted
    }
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap()
}

/// Writes the settings that the clients would have.
fn set_up_clients(device: &Device, nextcloud: &Path, syncthing: &Path) {
    let write = |path: &str, text: String| {
        let path = device.user_home().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let (nextcloud, syncthing) = (nextcloud.display(), syncthing.display());
    write(
        ".config/Nextcloud/nextcloud.cfg",
        format!("[Accounts]\n0\\Folders\\1\\localPath={nextcloud}/\n0\\Folders\\2\\localPath=/gone/\n"),
    );
    write(
        ".local/state/syncthing/config.xml",
        format!(r#"<configuration version="37"><folder id="a" path="{syncthing}"/></configuration>"#),
    );
}

#[track_caller]
fn found(device: &Device) -> Vec<Value> {
    device.json(&["folder", "find"])["folders"].as_array().expect("a list").clone()
}

#[track_caller]
fn shared_in_status(device: &Device) -> Vec<Value> {
    device.json(&["status"])["shared-with-me"].as_array().cloned().unwrap_or_default()
}

#[test]
fn what_is_shared_is_found_in_the_clients_directories_and_joined() {
    let pair = Pair::new();
    let (alice, bob) = (&pair.alice, &pair.bob);
    let nothing = bob.json(&["folder", "find"]);
    let place = |directory: &PathBuf| directory.join("Ensafer");
    let clouds = json!([
        {"client": "Nextcloud", "directory": pair.nextcloud, "suggested": place(&pair.nextcloud)},
        {"client": "Syncthing", "directory": pair.syncthing, "suggested": place(&pair.syncthing)},
    ]);
    assert_eq!(nothing, json!({"clouds": clouds, "folders": []}), "what is not for him is left out");

    pair.share(&alice.work);
    let encrypted = real(&bob.encrypted);
    let shared = &found(bob)[..];
    let [shared] = shared else { panic!("{shared:?}") };
    let fingerprint = alice.json(&["account", "show"])["fingerprint"].clone();
    assert_eq!(
        [
            &shared["whose"],
            &shared["owner"],
            &shared["standing"],
            &shared["fingerprint"],
            &shared["encrypted"]
        ],
        [&json!("shared"), &json!(ALICE), &json!("unknown"), &fingerprint, &json!(encrypted)]
    );
    let said = bob.run(&["folder", "find"]).expect(0);
    let line = format!("  Do: ensafer folder add WORK '{}' --from {ALICE}", encrypted.display());
    assert!(said.stdout.lines().any(|found| found == line), "{line}\n{said}");

    bob.run(&["folder", "add", text(&bob.work), text(&encrypted), "--from", ALICE]).expect(0);
    bob.settle();
    tree::assert_same(&alice.work, &bob.work);
    let listed = found(bob);
    assert_eq!((&listed[0]["whose"], &listed[0]["work"]), (&json!("listed"), &json!(real(&bob.work))));

    // Now that he has met her, nothing more has to be said; and what he makes himself is his.
    let another = pair.share_another("another");
    let own = pair.syncthing.join("own");
    fs::create_dir(&own).unwrap();
    let work = pair.world.directory("own-work");
    bob.run(&["folder", "add", text(&work), text(&own)]).expect(0);
    bob.run(&["folder", "remove", text(&work)]).expect(0);
    let said = bob.run(&["folder", "find"]).expect(0).stdout;
    for path in [another, own] {
        let line = format!("  Do: ensafer folder add WORK {}\n", path.display());
        assert!(said.contains(&line), "{line}\n{said}");
    }
    let stranger = Device::bare(&pair.world.path("stranger-home"));
    set_up_clients(&stranger, &pair.nextcloud, &pair.syncthing);
    assert!(found(&stranger).iter().all(|folder| folder["whose"] == "unknown"), "there is no account");
}

#[test]
fn a_daemon_tells_what_is_shared_until_it_is_synced() {
    let pair = Pair::new();
    let bob = &pair.bob;
    pair.share(&pair.alice.work);
    bob.run(&["start"]).expect(0);
    wait::until_true("the daemon has looked", || shared_in_status(bob).len() == 1);
    let shared = &shared_in_status(bob)[0];
    assert_eq!(
        (&shared["owner"], &shared["standing"], &shared["encrypted"]),
        (&json!(ALICE), &json!("unknown"), &json!(real(&bob.encrypted)))
    );
    let said = bob.run(&["status"]).expect(0);
    said.expect_says("shared with you by alice@example.com").expect_says("--from alice@example.com");

    // It looks again when the account is unlocked.
    pair.share_another("another");
    bob.run(&["lock"]).expect(0);
    bob.run(&["unlock"]).expect(0);
    wait::until_true("the daemon has looked again", || shared_in_status(bob).len() == 2);
    bob.run(&["folder", "add", text(&bob.work), text(&bob.encrypted), "--from", ALICE]).expect(0);
    wait::until_true("what is synced is not told", || shared_in_status(bob).len() == 1);
    bob.wait_for_content("plan.txt", "by Alice");

    bob.run(&["lock"]).expect(0);
    bob.run(&["unlock"]).expect(0);
    bob.wait_for_state("up-to-date");
    let log = fs::read_to_string(bob.home.join("state/daemon.log")).unwrap();
    assert_eq!(log.matches("is shared with this account").count(), 2, "each once:\n{log}");
    assert!(!log.contains(ALICE) && !log.contains("Our team"), "names are not logged:\n{log}");
}

#[test]
fn somebody_at_a_terminal_chooses_from_what_was_found() {
    let pair = Pair::new();
    let bob = &pair.bob;
    pair.share(&pair.alice.work);
    let mut terminal = bob.at_terminal(&["folder", "add", text(&bob.work)]);
    terminal.expect("Password: ").type_hidden(PASSWORD).expect("Which encrypted folder?");
    terminal.expect("  1  ").expect("/Our team: shared with you by alice@example.com");
    terminal.expect("  2  ").expect("/nextcloud/Ensafer: a new one, in Nextcloud");
    terminal.expect("  3  ").expect("/sync/Ensafer: a new one, in Syncthing");
    terminal.expect("Number").type_line("4").expect("There is no 4").expect("Number").type_line("1");
    terminal.expect("The safety number with alice@example.com").finish(0);
    bob.settle();
    assert_eq!(bob.read("plan.txt").as_deref(), Some("by Alice"));

    let work = pair.world.directory("bob-own");
    let mut terminal = bob.at_terminal(&["folder", "add", text(&work)]);
    terminal.expect("  2  ").expect("Number").type_line("").expect("was chosen").finish(130);
    let ensafer = pair.syncthing.join("Ensafer");
    let missing = pair.world.path("missing");
    let mut terminal = bob.at_terminal(&["folder", "add", text(&missing)]);
    terminal.expect("Number").type_line("2").expect("does not exist").finish(2);
    assert!(!ensafer.exists(), "what was made for nothing is gone");
    let mut terminal = bob.at_terminal(&["folder", "add", text(&work)]);
    terminal.expect("Number").type_line("2").expect("Password: ").type_hidden(PASSWORD);
    terminal.expect("will be synced with").finish(0);
    assert_eq!(tree::names(&ensafer).len(), 1, "the roster");
}

#[test]
fn everything_in_one_command_with_a_directory_that_was_found() {
    let pair = Pair::new();
    let carol = Device::bare(&pair.world.path("carol-home"));
    set_up_clients(&carol, &pair.nextcloud, &pair.syncthing);
    let work = pair.world.directory("carol-work");
    let mut terminal = carol.at_terminal(&["up", "--work", text(&work)]);
    terminal.expect("  1  ").expect("/nextcloud/Ensafer").expect("Number").type_line("1");
    terminal.expect("New password").type_hidden(PASSWORD).expect("again: ").type_hidden(PASSWORD);
    terminal.expect("Syncing until Ctrl-C").expect("Up to date");
    carol.run(&["daemon", "--quit"]).expect(0);
    terminal.finish(0);
    assert!(pair.nextcloud.join("Ensafer").is_dir());
    // It is known from now on.
    let mut terminal = carol.at_terminal(&["up", "--work", text(&work)]);
    terminal.expect("Password: ").type_hidden(PASSWORD).expect("Syncing until Ctrl-C").expect("Up to date");
    carol.run(&["daemon", "--quit"]).expect(0);
    terminal.finish(0);
}

#[test]
fn without_a_terminal_the_encrypted_folder_is_named() {
    let (world, laptop) = World::with_one_device();
    let work = world.directory("more");
    laptop.run(&["folder", "add", text(&work)]).expect(2).expect_says("ensafer folder find");
    laptop.run(&["up", "--work", text(&work)]).expect(2).expect_says("ensafer folder find");
    let found = laptop.json(&["folder", "find"]);
    assert_eq!(found, json!({"clouds": [], "folders": []}), "no client is set up in this home");
    assert!(!laptop.user_home().exists());
}
