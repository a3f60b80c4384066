//! Rows 1 to 11 of the threat model (`docs/threat-model.md`): what a lying key server, or somebody who listened, tries
//! on the real client. Each attack is first seen to work on a naive one.

use std::fs;

use ensafer_core::account::{SealedAccount, SignedBundle};
use ensafer_core::api::server::{AccountDocument, BundleDocument};
use ensafer_core::crypto::{EnvelopePublicKey, FileKey, Passphrase, SystemRandom};
use ensafer_core::ids::FileId;
use ensafer_tests::device::PASSWORD;
use ensafer_tests::evil_server::Exchange;
use ensafer_tests::{
    Device, EvilServer, Finished, KeyServer, ServerOptions, Storage, World, naive, process, wait,
};
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
const START: &str = "/v1/login/start";
const VERIFY: &str = "/v1/login/verify";
const FINISH: &str = "/v1/login/finish";

/// A real server behind a liar, and Alice, who trusts it.
struct Scene {
    alice: Device,
    evil: EvilServer,
    server: KeyServer,
    // Last, because the others live in it.
    world: World,
}

impl Scene {
    fn new() -> Self {
        let world = World::new();
        let server = KeyServer::start(&world);
        let evil = EvilServer::start(&server.url);
        let alice = Device::bare(&world.path("alice"));
        let scene = Self { alice, evil, server, world };
        scene.register(&scene.alice, ALICE).expect(0);
        scene
    }

    fn device(&self, name: &str) -> Device {
        Device::bare(&self.world.path(name))
    }

    fn register(&self, device: &Device, login: &str) -> Finished {
        device.run(&["register", "--email", login, "--server", &self.evil.url])
    }

    fn log_in(&self, device: &Device, login: &str) -> Finished {
        device.run(&["login", "--email", login, "--server", &self.evil.url])
    }

    /// The account as it was served at the last login.
    fn served(&self) -> Value {
        self.evil.heard_at(VERIFY).last().expect("somebody logged in").answer["account"].clone()
    }
}

/// The 60 digits with somebody.
fn safety_number(device: &Device, login: &str) -> String {
    device.json(&["share", "verify", login])["safety_number"].as_str().unwrap().to_owned()
}

fn has_account(device: &Device) -> bool {
    device.home.join("data/account.ensafer-account").exists()
}

/// Somebody else's keys under Bob's address, from a server of the attacker's own.
fn impostor(world: &World) -> Value {
    let server = KeyServer::start(world);
    let ear = EvilServer::start(&server.url);
    let eve = Device::bare(&world.path("eve"));
    eve.run(&["register", "--email", BOB, "--server", &ear.url]).expect(0);
    ear.heard_at("/v1/register")[0].request["account"]["bundle"].clone()
}

fn serve_to_all(evil: &EvilServer, login: &'static str, bundle: Value) {
    evil.play(move |exchange| {
        if exchange.path.starts_with(&format!("/v1/users/{login}")) {
            exchange.answer["bundle"] = bundle.clone();
        }
    });
}

#[test]
fn row_01_a_recipients_key_is_substituted() {
    let scene = Scene::new();
    let bob = scene.device("bob");
    scene.register(&bob, BOB).expect(0);
    let fake = impostor(&scene.world);
    assert!(naive::takes_keys_without_a_pin(&fake, BOB), "the attack works on who remembers nothing");

    // On a later look-up: a red stop, on every device of the account.
    let number = safety_number(&scene.alice, BOB);
    let laptop = scene.device("laptop");
    scene.log_in(&laptop, ALICE).expect(0);
    serve_to_all(&scene.evil, BOB, fake.clone());
    for device in [&scene.alice, &laptop] {
        let stopped = device.run(&["share", "verify", BOB]).expect(26);
        assert!(stopped.says("identity key has changed"), "{stopped}");
        let stopped = device.run(&["share", "verify", BOB, "--matches", &number]).expect(26);
        assert!(stopped.says("compare the safety numbers"), "{stopped}");
        // The number that Bob shows is not that of these keys.
        device.run(&["share", "verify", BOB, "--changed", "--matches", &number]).expect(26);
    }
    scene.evil.be_honest();
    assert_eq!(safety_number(&scene.alice, BOB), number, "nothing of it was kept");

    // On the first look-up nothing can be known, but the two numbers differ.
    let carol = scene.device("carol");
    scene.register(&carol, "carol@example.com").expect(0);
    let fake_again = fake.clone();
    serve_to_all(&scene.evil, BOB, fake);
    let seen_by_carol = safety_number(&carol, BOB);
    scene.evil.be_honest();
    assert_ne!(seen_by_carol, safety_number(&bob, "carol@example.com"));
    assert_eq!(number, safety_number(&bob, ALICE));

    // For Carol it now looks as if Bob had changed his keys. She compares the number, which is right, and goes on.
    carol.run(&["share", "verify", BOB]).expect(26);
    let with_bob = safety_number(&bob, "carol@example.com");
    let looked = carol.json(&["share", "verify", BOB, "--changed"]);
    assert_eq!((&looked["safety_number"], &looked["verified"]), (&json!(with_bob), &json!(false)));
    carol.run(&["share", "verify", BOB]).expect(26);
    // Keys that are served only after the comparison are not those that were compared.
    serve_to_all(&scene.evil, BOB, fake_again);
    carol.run(&["share", "verify", BOB, "--changed", "--matches", &with_bob]).expect(26);
    scene.evil.be_honest();
    carol.run(&["share", "verify", BOB, "--changed", "--matches", &with_bob]).expect(0);
    assert_eq!(safety_number(&carol, BOB), with_bob);
}

#[test]
fn row_02_ones_own_key_is_replaced() {
    let scene = Scene::new();
    let bob = scene.device("bob");
    scene.register(&bob, BOB).expect(0);
    let fake = impostor(&scene.world);
    assert!(naive::takes_keys_without_a_pin(&fake, BOB), "the attack works on who asks for the own key");
    serve_to_all(&scene.evil, BOB, fake);

    scene.evil.forget();
    let own = safety_number(&bob, BOB);
    assert!(scene.evil.heard_at("/v1/users/bob@example.com").is_empty(), "the own key is never asked for");
    assert_eq!(own, safety_number(&bob, BOB));

    // The daemon looks what the server tells others.
    bob.run(&["start"]).expect(0);
    let notice = wait::until("the lie is noticed", || {
        let status = bob.json(&["status"]);
        status["account"].as_array().and_then(|notices| notices.first().cloned())
    });
    assert_eq!(notice["kind"], "server-distrusted", "{notice}");
}

/// Every field of what is served, altered at its beginning, in its middle and at its end.
#[test]
fn row_03_the_sealed_account_is_altered() {
    let scene = Scene::new();
    let first = scene.device("first");
    scene.log_in(&first, ALICE).expect(0);
    let before = scene.served();
    let fields = [
        "/keys/sealed",
        "/password/sealed",
        "/password/nonce",
        "/recovery/id",
        "/recovery/sealed",
        "/recovery/copy",
        "/bundle/bundle",
        "/bundle/signature",
    ];
    let victim = scene.device("victim");
    let refused = |what: &str, alter: &dyn Fn(&mut Value)| {
        let mut altered = before.clone();
        alter(&mut altered);
        assert_ne!(altered, before, "{what}");
        scene.evil.forget();
        scene.evil.play(answer_account(altered));
        let refused = scene.log_in(&victim, ALICE).expect(26);
        assert!(refused.says("not to be trusted"), "{what}: {refused}");
        assert!(scene.evil.heard_at(FINISH).is_empty(), "{what}: nothing is answered");
        assert!(!has_account(&victim), "{what}: nothing is kept");
    };
    for field in fields {
        for part in [0, 1, 2] {
            refused(field, &|account| flip_digit(account.pointer_mut(field).unwrap(), part));
        }
    }
    for version in ["/keys/version", "/password/version"] {
        refused(version, &|account| *account.pointer_mut(version).unwrap() = json!(77));
    }
    refused("iterations", &|account| account["password"]["iterations"] = json!(600_001));
    refused("realm", &|account| account["password"]["realm"] = json!("https://elsewhere.example"));
    refused("swapped", &|account| account["password"]["sealed"] = account["recovery"]["sealed"].clone());
}

/// A server that was set back to yesterday has an account that was good then.
#[test]
fn row_03_the_whole_account_is_rolled_back() {
    let mut scene = Scene::new();
    scene.server.stop().expect(0);
    let yesterday = scene.world.path("yesterday");
    fs::create_dir(&yesterday).unwrap();
    for file in fs::read_dir(&scene.server.data).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), yesterday.join(file.file_name())).unwrap();
    }
    let address = scene.server.address().to_owned();
    scene.server.listen(&address);
    let change = |from: &str, to: &str| {
        let device = scene.alice.with_password_command(&format!("printf '{from}'"));
        let mut command = device.command(&["account", "password"]);
        process::run(command.env("ENSAFER_NEW_PASSWORD_COMMAND", format!("printf '{to}'"))).expect(0);
    };
    change(PASSWORD, "tr8vel-Kestrel-9");
    change("tr8vel-Kestrel-9", PASSWORD);

    let storage = Storage::Directory(yesterday);
    let old = KeyServer::start_with(&scene.world, ServerOptions { storage, ..ServerOptions::default() });
    scene.evil.stand_before(&old.url);
    scene.evil.forget();
    let newcomer = scene.device("newcomer");
    scene.log_in(&newcomer, ALICE).expect(0);
    assert!(
        naive::opens_without_looking_back(&scene.served(), PASSWORD),
        "the attack works on who compares nothing, and on who has never been here"
    );
    let refused = scene.log_in(&scene.alice, ALICE).expect(26);
    assert!(refused.says("older than what this computer has seen"), "{refused}");
}

/// Answers every login with this account.
fn answer_account(account: Value) -> impl FnMut(&mut Exchange) + Send + 'static {
    move |exchange| {
        if exchange.path == VERIFY && exchange.status == 200 {
            exchange.answer["account"] = account.clone();
        }
    }
}

/// Changes one hex digit: the first, the middle or the last.
fn flip_digit(field: &mut Value, part: usize) {
    let mut text = field.as_str().unwrap().to_owned();
    let at = (text.len() - 1) * part / 2;
    let other = if &text[at..=at] == "0" { "1" } else { "0" };
    text.replace_range(at..=at, other);
    *field = json!(text);
}

#[test]
fn row_04_a_login_is_used_to_open_an_envelope() {
    let scene = Scene::new();
    let heard = scene.evil.heard_at("/v1/register")[0].request["account"]["bundle"].clone();
    let bundle = SignedBundle::try_from(&naive::parse::<BundleDocument>(&heard)).unwrap();
    let bundle = bundle.bundle();
    let key = FileKey::generate(&mut SystemRandom);
    // As an envelope to Alice, and as one that somebody was brought to make for her login key.
    let to_login_key = EnvelopePublicKey::from_spki(bundle.login_key.spki()).unwrap();
    for envelope_key in [&bundle.envelope, &to_login_key] {
        let envelope = hex::encode(envelope_key.wrap_file_key(FileId::new([5; 16]), 1, &key));
        scene.evil.forget();
        scene.evil.play(move |exchange| {
            if exchange.path == VERIFY {
                exchange.answer["challenge"] = json!(envelope);
            }
        });
        let refused = scene.log_in(&scene.device("victim"), ALICE).expect(26);
        assert!(refused.says("challenge"), "{refused}");
        assert!(scene.evil.heard_at(FINISH).is_empty(), "no answer goes out");
    }
}

#[test]
fn row_07_the_derivation_is_weakened() {
    let scene = Scene::new();
    // With one round the server tries a dictionary in no time.
    let nonce = [9; 16];
    let sent = naive::derive_auth(PASSWORD, ALICE, &scene.evil.url, &nonce, 1);
    let guess = ["password", "letmein", PASSWORD]
        .into_iter()
        .find(|guess| naive::derive_auth(guess, ALICE, &scene.evil.url, &nonce, 1) == sent);
    assert_eq!(guess, Some(PASSWORD), "the attack works on who derives as it is told");

    for iterations in [0_u32, 1, 599_999, 10_000_001, 1_000_000_000] {
        scene.evil.forget();
        scene.evil.play(move |exchange| {
            if exchange.path == START {
                exchange.answer["iterations"] = json!(iterations);
            }
        });
        let refused = scene.log_in(&scene.device("victim"), ALICE).expect(1);
        assert!(refused.says("outside of what is safe"), "{refused}");
        assert!(scene.evil.heard_at(VERIFY).is_empty(), "nothing was derived and sent");
    }
}

#[test]
fn row_07_a_salt_for_another_server_is_harvested() {
    let scene = Scene::new();
    // Another server asks for a proof with the nonce of Alice's account here.
    let other = KeyServer::start(&scene.world);
    let harvester = EvilServer::start(&other.url);
    let laptop = scene.device("laptop");
    scene.log_in(&laptop, ALICE).expect(0);
    let started = scene.evil.heard_at(START).pop().unwrap().answer;
    let real = scene.evil.heard_at(VERIFY).pop().unwrap().request["auth"].clone();
    let nonce = started["nonce"].clone();
    let nonce_bytes = hex::decode(nonce.as_str().unwrap()).unwrap();
    let harvested = naive::derive_auth(PASSWORD, ALICE, &scene.evil.url, &nonce_bytes, 600_000);
    assert_eq!(
        json!(hex::encode(harvested)),
        real,
        "without the realm in the salt the proof would be the real one"
    );
    harvester.play(move |exchange| {
        if exchange.path == START {
            exchange.answer["nonce"] = nonce.clone();
        }
    });
    let victim = scene.device("victim");
    victim.run(&["login", "--email", ALICE, "--server", &harvester.url]).expect(12);
    assert_ne!(harvester.heard_at(VERIFY)[0].request["auth"], real);
}

#[test]
fn row_08_the_database_is_stolen_and_the_password_guessed() {
    let scene = Scene::new();
    let bob = scene.device("bob");
    let registered =
        bob.run(&["register", "--email", BOB, "--server", &scene.evil.url, "--account-key"]).expect(0);
    let account_key = registered.stdout.lines().next().unwrap().parse().unwrap();
    let stolen = |login: &str| -> AccountDocument {
        let all = scene.evil.heard_at("/v1/login/verify");
        let of = all.iter().find(|exchange| exchange.request["login"] == login).unwrap();
        naive::parse(&of.answer["account"])
    };
    let opens = |login: &str, passphrase: Passphrase<'_>| {
        SealedAccount::from_document(&stolen(login)).unwrap().open_with_password(passphrase).is_ok()
    };
    let password = |account_key| Passphrase { password: PASSWORD, account_key };
    assert!(opens(ALICE, password(None)), "the attack works on an account without the key");
    assert!(!opens(BOB, password(None)));
    assert!(opens(BOB, password(Some(&account_key))));
}

/// Every door of the API, knocked at without a session, with a made-up one, and with a wrong password.
#[test]
fn row_09_sealed_keys_are_asked_for_without_a_proof() {
    let scene = Scene::new();
    let laptop = scene.device("laptop");
    scene.log_in(&laptop, ALICE).expect(0);
    assert!(scene.served().to_string().contains("sealed"), "whoever has the password gets them");

    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let get = |path: &str| client.get(format!("{}{path}", scene.evil.url)).send().unwrap().text().unwrap();
    let api: Value = serde_json::from_str(&get("/v1/openapi.json")).unwrap();
    let mut doors = 0;
    for (path, methods) in api["paths"].as_object().unwrap() {
        let path = path.replace("{login}", ALICE).replace("{device}", &"00".repeat(16));
        for method in methods.as_object().unwrap().keys() {
            for token in [None, Some("ab".repeat(32))] {
                let method = method.to_uppercase().parse().unwrap();
                let mut request = client.request(method, format!("{}{path}", scene.evil.url));
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let answer = request.json(&json!({ "login": ALICE })).send().unwrap().text().unwrap();
                assert!(!answer.contains("sealed\":"), "{path} gives sealed keys away: {answer}");
                doors += 1;
            }
        }
    }
    assert!(doors > 40, "only {doors} doors");

    scene.evil.forget();
    let stranger = scene.device("stranger").with_password_command("printf 'wrong password'");
    scene.log_in(&stranger, ALICE).expect(12);
    assert!(!scene.evil.heard_at(VERIFY)[0].answer.to_string().contains("sealed"));
}

#[test]
fn row_11_messages_are_sent_again() {
    let scene = Scene::new();
    let laptop = scene.device("laptop");
    scene.log_in(&laptop, ALICE).expect(0);
    // Refreshes, too: the daemon makes one when it starts.
    laptop.run(&["start"]).expect(0);
    wait::until_true("the daemon has bought new tokens", || {
        !scene.evil.heard_at("/v1/session/refresh").is_empty()
            && !scene.evil.heard_at("/v1/users/alice@example.com").is_empty()
    });
    laptop.run(&["daemon", "--quit"]).expect(0);
    let heard = scene.evil.heard();
    let token = heard.iter().rev().find_map(|exchange| exchange.token.clone()).unwrap();
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let send = |exchange: &Exchange| {
        let method = exchange.method.parse().unwrap();
        let mut request = client.request(method, format!("{}{}", scene.evil.url, exchange.path));
        if let Some(token) = &exchange.token {
            request = request.bearer_auth(token);
        }
        request.json(&exchange.request).send().unwrap().status().as_u16()
    };
    let mut replayed = 0;
    for exchange in &heard {
        if [VERIFY, FINISH, "/v1/session/refresh"].contains(&exchange.path.as_str()) {
            assert_eq!(send(exchange), 401, "{} passes twice", exchange.path);
            replayed += 1;
        }
    }
    assert!(replayed >= 5, "only {replayed} messages");

    // The token that was heard is worth something until the device logs out, and nothing after.
    let look = Exchange {
        method: "GET".into(),
        path: "/v1/account".into(),
        token: Some(token),
        request: Value::Null,
        status: 0,
        upstream: String::new(),
        answer: Value::Null,
    };
    assert_eq!(send(&look), 200, "who hears a token may use it: the reason for TLS");
    laptop.run(&["logout"]).expect(0);
    assert_eq!(send(&look), 401);
    let sealed = fs::read_to_string(laptop.home.join("data/session.json")).unwrap();
    assert!(sealed.contains("\"sealed\": null"), "{sealed}");
}
