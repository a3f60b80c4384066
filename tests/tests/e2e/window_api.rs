//! What the window does, from an empty home to a shared folder, over the daemon's socket with a real key server.

use std::fs;

use ensafer_tests::device::{PASSWORD, text};
use ensafer_tests::{Device, KeyServer, Window, World, wait};
use serde_json::{Value, json};

use crate::invitations::host;

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
const CAROL: &str = "carol@example.com";

fn device(world: &World, name: &str) -> Device {
    let mut device = Device::bare(&world.path(&format!("{name}-home")));
    device.work = world.directory(&format!("{name}-work"));
    device.encrypted = world.encrypted();
    device
}

fn pair(device: &Device) -> Value {
    json!({"work": text(&device.work), "encrypted": text(&device.encrypted)})
}

#[test]
fn from_an_empty_home_to_a_shared_folder() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let (alice, bob) = (device(&world, "alice"), device(&world, "bob"));
    let window = Window::open(&alice);
    assert_eq!(window.get("/v1/account")["state"], "none");
    wait::until_true("the status says that no account is set up", || {
        window.get("/v1/status")["account"][0]["kind"] == "not-set-up"
    });
    let nobody = json!({"email": ALICE, "password": PASSWORD, "server": server.url});
    assert_eq!(window.refused("/v1/account/login", &nobody)["class"], "wrong-password");
    assert_eq!(window.refused("/v1/folders/preview", &pair(&alice))["class"], "not-set-up");

    let made = window.post("/v1/account/register", &nobody);
    let recovery_key = made["recovery_key"].as_str().unwrap().to_owned();
    let account = &made["account"];
    assert_eq!(
        (&account["state"], &account["session"], &account["server"]),
        (&json!("open"), &json!("logged-in"), &json!(server.url)),
        "{account}"
    );

    let devices = window.get("/v1/account/devices");
    assert_eq!((devices.as_array().unwrap().len(), &devices[0]["is_this"]), (1, &json!(true)), "{devices}");
    let own = json!({"device": devices[0]["id"]});
    assert_eq!(window.refused("/v1/account/devices/revoke", &own)["class"], "bad-request", "it logs out");

    alice.write("plans/a.txt", "twelve bytes");
    alice.write("b.txt", "");
    let preview = window.post("/v1/folders/preview", &pair(&alice));
    assert_eq!((&preview["encrypt"], &preview["encrypt_bytes"]), (&json!(3), &json!(12)), "{preview}");
    assert_eq!(preview["is_join"], false);
    assert_eq!(fs::read_dir(&alice.encrypted).unwrap().count(), 0, "it is a dry run");
    let folder = window.post("/v1/folders/add", &pair(&alice))["id"].as_str().unwrap().to_owned();
    window.post("/v1/start", &Value::Null);
    wait_for_state(&window, "up-to-date");
    let listed = window.get("/v1/folders");
    assert_eq!((&listed[0]["name"], &listed[0]["role"]), (&json!("alice-work"), &json!("owner")));
    assert_eq!(listed[0]["status"]["problems"], 0);

    let emptied = json!({"folder": folder, "item": "2026-11-21/080000-000/b.txt"});
    assert_eq!(window.refused("/v1/trash/restore", &emptied)["class"], "bad-request");

    // Bob has an account.
    let of_bob = Window::open(&bob);
    let unknown = json!({"folder": folder, "email": BOB, "role": "writer"});
    assert_eq!(window.refused("/v1/people/add", &unknown)["class"], "unknown-person");
    let enrol = json!({"email": BOB, "password": PASSWORD, "server": server.url});
    let secret_of_bob = of_bob.post("/v1/account/register", &enrol)["recovery_key"].clone();
    let safety_number = find_compare_and_add_bob(&window, &folder);
    assert_eq!(join_from_alice(&of_bob, &bob), safety_number);
    let member = make_bob_a_writer(&window, &folder);
    let invitation = invite_carol_and_take_it_back(&window, &server, &folder);

    window.post("/v1/people/remove", &json!({"folder": folder, "member": member}));
    let people = window.get(&format!("/v1/people?folder={folder}"));
    assert_eq!(people["members"].as_array().unwrap().len(), 1);

    window.post("/v1/folders/remove", &json!({"folder": folder}));
    assert_eq!(alice.read("plans/a.txt").as_deref(), Some("twelve bytes"), "the files stay");
    let log = window.close() + &of_bob.close();
    for secret in
        [&*recovery_key, secret_of_bob.as_str().unwrap(), PASSWORD, &invitation.password, &invitation.key]
    {
        assert!(!log.contains(secret), "a secret is in the log");
    }
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log is loud");
}

/// The safety number of Alice and Bob.
fn find_compare_and_add_bob(window: &Window, folder: &str) -> Value {
    let found = window.post("/v1/people/find", &json!({"email": BOB}));
    assert_eq!((&found["first_seen"], &found["verified"]), (&json!(true), &json!(false)), "{found}");
    assert!(found["qr"]["path"].as_str().unwrap().starts_with('M'));
    let wrong = json!({"email": BOB, "safety_number": "1".repeat(60)});
    assert_eq!(window.refused("/v1/people/verify", &wrong)["class"], "not-allowed");
    let right = json!({"email": BOB, "safety_number": found["safety_number"]});
    assert_eq!(window.post("/v1/people/verify", &right)["verified"], true);
    let added = window.post("/v1/people/add", &json!({"folder": folder, "email": BOB, "role": "reader"}));
    assert_eq!(
        (&added["was_member"], &added["person"]["verified"]),
        (&json!(false), &json!(true)),
        "{added}"
    );
    let other_role = json!({"folder": folder, "email": BOB, "role": "writer"});
    assert_eq!(window.refused("/v1/people/add", &other_role)["class"], "already");
    found["safety_number"].clone()
}

/// Bob has never met Alice: the folder says whose it is, and he names her. The safety number of both.
fn join_from_alice(of_bob: &Window, bob: &Device) -> Value {
    bob.write("b.txt", "another text");
    let refusal = of_bob.refused("/v1/folders/preview", &pair(bob));
    assert_eq!((&refusal["class"], &refusal["about"]), (&json!("unknown-owner"), &json!(ALICE)));
    let mut named = pair(bob);
    named["from"] = json!(ALICE);
    let preview = of_bob.post("/v1/folders/preview", &named);
    assert_eq!((&preview["is_join"], &preview["role"]), (&json!(true), &json!("reader")), "{preview}");
    assert_eq!((&preview["owner"]["login"], &preview["delete"]), (&json!(ALICE), &json!(0)));
    assert_eq!(preview["decrypt"], 3, "{preview}");
    assert_eq!(preview["owner"]["standing"], "unknown", "whom a dry run names is not remembered");
    assert_eq!(of_bob.refused("/v1/folders/preview", &pair(bob))["class"], "unknown-owner");
    assert!(!bob.at(".ensafer").exists() && bob.read("plans/a.txt").is_none(), "it is a dry run");
    named["expected"] = json!({"folder": preview["folder"]});
    let joined = of_bob.post("/v1/folders/add", &named);
    assert_eq!(joined["owner"]["first_seen"], true, "{joined}");
    of_bob.post("/v1/start", &Value::Null);
    bob.wait_for_content("plans/a.txt", "twelve bytes");
    joined["owner"]["safety_number"].clone()
}

/// Bob, as the folder's list of members has him.
fn make_bob_a_writer(window: &Window, folder: &str) -> Value {
    let people = window.get(&format!("/v1/people?folder={folder}"));
    let member = people["members"][1]["identity"].clone();
    assert_eq!(
        (&people["members"][1]["login"], &people["members"][1]["role"]),
        (&json!(BOB), &json!("reader"))
    );
    let role = json!({"folder": folder, "member": member, "role": "writer"});
    assert_eq!(window.post("/v1/people/role", &role)["still_by_groups"], json!([]));
    let people = window.get(&format!("/v1/people?folder={folder}"));
    assert_eq!(people["members"][1]["role"], "writer");
    member
}

/// What nobody else may know of an invitation.
struct Invitation {
    password: String,
    key: String,
}

/// Carol has no account: she is invited, once more, and not any more.
fn invite_carol_and_take_it_back(window: &Window, server: &KeyServer, folder: &str) -> Invitation {
    let invite = json!({"folder": folder, "email": CAROL, "role": "reader"});
    let sent = window.post("/v1/invitations/add", &invite);
    let (link, secret) = (sent["link"].as_str().unwrap(), sent["password"].as_str().unwrap());
    assert!(link.starts_with(&server.url), "{sent}");
    assert_eq!(window.refused("/v1/invitations/add", &invite)["class"], "already");
    let listed = window.get("/v1/invitations");
    assert_eq!((&listed[0]["invited"], &listed[0]["accepted"]), (&json!(CAROL), &json!(false)), "{listed}");
    assert!(!listed.to_string().contains(secret), "a list shows no password");
    let one = json!({"invitation": sent["id"]});
    assert_eq!(window.post("/v1/invitations/resend", &one)["password"], secret);
    window.post("/v1/invitations/revoke", &one);
    assert_eq!(window.get("/v1/invitations"), json!([]));
    let key = link.split('#').nth(1).unwrap();
    Invitation { password: secret.to_owned(), key: key.to_owned() }
}

#[test]
fn a_session_ends_and_the_recovery_key_brings_it_back() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let laptop = device(&world, "laptop");
    let window = Window::open(&laptop);
    let new = json!({"email": ALICE, "password": PASSWORD, "server": server.url});
    let made = window.post("/v1/account/register", &new);

    let out = window.post("/v1/account/logout", &json!({}));
    assert_eq!((&out["is_server_told"], &out["account"]["state"]), (&json!(true), &json!("locked")), "{out}");
    let wrong = json!({"password": "not this one at all"});
    assert_eq!(window.refused("/v1/account/login", &wrong)["class"], "wrong-password");
    let again = window.post("/v1/account/login", &json!({"password": PASSWORD}));
    assert_eq!((&again["state"], &again["session"]), (&json!("open"), &json!("logged-in")), "{again}");

    assert_eq!(window.get("/v1/account/profile"), json!({"login": ALICE, "name": null}));
    for (name, shown) in [("  Alice A. ", json!("Alice A.")), (" ", Value::Null)] {
        let named = window.post("/v1/account/profile", &json!({"name": name}));
        assert_eq!(named, json!({"login": ALICE, "name": shown}), "{name:?}");
        assert_eq!(window.get("/v1/account/profile"), named);
    }
    for wrong in ["x".repeat(10_000), "Alice\u{202e}".to_owned()] {
        assert_eq!(window.refused("/v1/account/profile", &json!({"name": wrong}))["class"], "bad-request");
    }

    // Another computer, the password forgotten.
    let desktop = device(&world, "desktop");
    let other = Window::open(&desktop);
    let forgotten = json!({
        "recovery_key": made["recovery_key"], "password": "zuppa inglese per undici",
        "email": ALICE, "server": server.url
    });
    let recovered = other.post("/v1/account/recover", &forgotten);
    assert_eq!((&recovered["state"], &recovered["email"]), (&json!("open"), &json!(ALICE)), "{recovered}");
    let _ = (window.close(), other.close());
}

/// What a guest is sent, and told.
#[track_caller]
fn invited(alice: &Device, email: &str) -> Value {
    let sent = alice.json(&["invite", "add", text(&alice.work), email, "--print-link"]);
    json!({"link": sent["link"], "password": sent["password"]})
}

const LOOK: &str = "/v1/invitations/look";
const ACCEPT: &str = "/v1/invitations/accept";

#[test]
fn a_guest_without_an_account_accepts_and_reads() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let alice = host(&world, &server);
    let secrets = invited(&alice, CAROL);
    let carol = device(&world, "carol");
    let window = Window::open(&carol);

    let shown = window.post(LOOK, &secrets);
    assert_eq!(
        (&shown["from"], &shown["name"], &shown["role"], &shown["invited"], &shown["server"]),
        (&json!(ALICE), &json!("alice-work"), &json!("writer"), &json!(CAROL), &json!(server.url)),
        "{shown}"
    );
    assert!(shown.get("inviter").is_none() && window.get("/v1/account")["state"] == "none", "{shown}");
    assert_eq!(window.refused(ACCEPT, &secrets)["class"], "not-set-up");
    window.post("/v1/account/register", &json!({"email": CAROL, "password": PASSWORD, "server": server.url}));
    let accepted = window.post(ACCEPT, &secrets);
    assert_eq!((&accepted["folder"], &accepted["from"]), (&shown["folder"], &shown["from"]));
    let inviter = &accepted["inviter"];
    assert_eq!((&inviter["login"], &inviter["verified"]), (&json!(ALICE), &json!(false)), "{inviter}");
    assert_eq!(window.post(ACCEPT, &secrets), accepted, "once more does no harm");

    // A number that both see, and no server can have made.
    let told = alice.run(&["share", "verify", CAROL]).expect(0);
    let groups: Vec<_> = told.stdout.split_whitespace().collect();
    let number: Vec<_> = inviter["safety_number"].as_str().unwrap().split_whitespace().collect();
    assert!(groups.windows(number.len()).any(|shown| shown == number), "{told}");
    let compared = json!({"email": ALICE, "safety_number": inviter["safety_number"]});
    assert_eq!(window.post("/v1/people/verify", &compared)["verified"], true);
    assert_eq!(window.post(ACCEPT, &secrets)["inviter"]["verified"], true);

    let preview = window.post("/v1/folders/preview", &pair(&carol));
    assert_eq!((&preview["folder"], &preview["decrypt"]), (&shown["folder"], &json!(1)), "{preview}");
    assert_eq!(preview["owner"]["standing"], "verified", "{preview}");
    let mut wanted = pair(&carol);
    wanted["expected"] = json!({"folder": shown["folder"]});
    window.post("/v1/folders/add", &wanted);
    window.post("/v1/start", &Value::Null);
    carol.wait_for_content("old.txt", "older than the guest");

    // A computer of Alice's makes a member of her; the server forgets the invitation then, and this computer does not.
    assert_eq!(alice.json(&["invite", "list"]), json!([]));
    for again in [LOOK, ACCEPT] {
        let over = json!({"server": server.url, "folder": shown["folder"]});
        assert_eq!(window.post(again, &secrets), over);
    }
    let log = window.close();
    let key = secrets["link"].as_str().unwrap().split('#').nth(1).unwrap();
    for secret in [secrets["password"].as_str().unwrap(), key, PASSWORD] {
        assert!(!log.contains(secret) && !server.log().contains(secret), "a secret is in a log");
    }
}

#[test]
fn an_invitation_that_cannot_be_accepted_says_why() {
    let world = World::new();
    let (server, other_server) = (KeyServer::start(&world), KeyServer::start(&world));
    let alice = host(&world, &server);
    let (secrets, others) = (invited(&alice, CAROL), invited(&alice, "dave@example.com"));
    let [carol, dave, eve] = ["carol", "dave", "eve"].map(|name| device(&world, name));
    let window = Window::open(&carol);
    let with = |name: &str, text: &str| {
        let mut changed = secrets.clone();
        changed[name] = json!(text);
        changed
    };
    let link = secrets["link"].as_str().unwrap();
    let elsewhere = link.replace(&server.url, "http://127.0.0.1:1");
    for (wrong, class) in [
        (with("password", "0000-0000-0000-0000-0000"), "mistyped"),
        (with("password", PASSWORD), "mistyped"),
        (with("password", others["password"].as_str().unwrap()), "wrong-password"),
        (with("link", link.split('#').next().unwrap()), "bad-request"),
        (with("link", "https://example.com/elsewhere"), "bad-request"),
        (with("link", &elsewhere), "server-unreachable"),
        // A slip is told without any server.
        (json!({"link": elsewhere, "password": "0000-0000-0000-0000-0000"}), "mistyped"),
        (with("link", &link.replace(&server.url, &other_server.url)), "invitation-over"),
    ] {
        let refusal = window.refused(LOOK, &wrong);
        assert_eq!(refusal["class"], class, "{refusal}");
    }

    // Somebody else comes first.
    let of_dave = Window::open(&dave);
    of_dave.post("/v1/account/register", &json!({"email": "dave@example.com", "password": PASSWORD}));
    // Whoever made up a password gets no further than a link: nobody is told to put the account onto its server.
    let made_up = with("password", others["password"].as_str().unwrap());
    assert_eq!(of_dave.refused(LOOK, &made_up)["class"], "wrong-password");
    assert_eq!(of_dave.refused(LOOK, &with("link", &elsewhere))["class"], "server-unreachable");
    assert_eq!(of_dave.post(LOOK, &secrets)["from"], ALICE, "a look needs no server of one's own");
    assert_eq!(of_dave.refused(ACCEPT, &secrets)["class"], "not-on-server");
    of_dave.post("/v1/account/publish", &json!({"password": PASSWORD, "server": server.url}));
    of_dave.post("/v1/lock", &Value::Null);
    assert_eq!(of_dave.post(LOOK, &secrets)["from"], ALICE, "a look needs no key");
    assert_eq!(of_dave.refused(ACCEPT, &secrets)["class"], "locked");
    of_dave.post("/v1/account/login", &json!({"password": PASSWORD}));
    of_dave.post(ACCEPT, &secrets);
    of_dave.post("/v1/account/logout", &json!({}));
    assert_eq!(of_dave.refused(ACCEPT, &secrets)["class"], "not-logged-in");
    assert_eq!(window.refused(LOOK, &secrets)["class"], "already");
    let account = json!({"email": CAROL, "password": PASSWORD, "server": server.url});
    window.post("/v1/account/register", &account);
    assert_eq!(window.refused(ACCEPT, &secrets)["class"], "already");

    alice.run(&["invite", "revoke", "dave@example.com", "-y"]).expect(0);
    assert_eq!(window.refused(LOOK, &others)["class"], "invitation-over");
    let of_eve = Window::open(&eve);
    let account = json!({"email": "eve@example.com", "password": PASSWORD, "server": other_server.url});
    of_eve.post("/v1/account/register", &account);
    assert_eq!(of_eve.refused(LOOK, &secrets)["class"], "other-server");
    let _ = (window.close(), of_dave.close(), of_eve.close());
}

#[test]
fn an_invitation_in_the_name_of_somebody_known_is_not_accepted() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let [mallory, alice, carol] = ["mallory", "alice", "carol"].map(|name| device(&world, name));
    // What Mallory signed while the address was hers says so for good.
    mallory.register(ALICE, &server.url).expect(0);
    mallory.add_folder().expect(0);
    mallory.settle();
    let secrets = invited(&mallory, CAROL);
    mallory.run(&["account", "profile", "--email", "mallory@example.com"]).expect(0);
    alice.register(ALICE, &server.url).expect(0);
    let window = Window::open(&carol);
    window.post("/v1/account/register", &json!({"email": CAROL, "password": PASSWORD, "server": server.url}));
    let met = window.post("/v1/people/find", &json!({"email": ALICE}));
    window.post("/v1/people/verify", &json!({"email": ALICE, "safety_number": met["safety_number"]}));

    assert_eq!(window.post(LOOK, &secrets)["from"], ALICE, "that is what it says");
    let refusal = window.refused(ACCEPT, &secrets);
    assert_eq!((&refusal["class"], &refusal["about"]), (&json!("keys-changed"), &json!(ALICE)), "{refusal}");
    let served = window.post("/v1/people/find", &json!({"email": ALICE, "changed": true}));
    assert_eq!((&served["has_changed"], &served["verified"]), (&json!(false), &json!(true)), "{served}");
    let _ = window.close();
}

#[track_caller]
fn wait_for_state(window: &Window, state: &str) {
    wait::until_true(&format!("the state is {state}"), || window.get("/v1/status")["state"] == state);
}
