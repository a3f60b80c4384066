//! Rows 1 to 11 of the threat model (`docs/threat-model.md`): what a lying key server, or somebody who listened, tries
//! on the real client. Each attack is first seen to work on a naive one.

mod altered;
mod doors;
mod replay;
mod state;

use std::fs;
use std::path::PathBuf;

use ensafer_core::account::{SealedAccount, SignedBundle};
use ensafer_core::api::server::{AccountDocument, BundleDocument};
use ensafer_core::crypto::{EnvelopePublicKey, FileKey, Passphrase, SystemRandom};
use ensafer_core::ids::FileId;
use ensafer_tests::device::{PASSWORD, printed_keys};
use ensafer_tests::{Device, EvilServer, Finished, KeyServer, ServerOptions, Storage, World, naive, wait};
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
        let alice = world.bare_device("alice");
        let scene = Self { alice, evil, server, world };
        scene.register(&scene.alice, ALICE).expect(0);
        scene
    }

    fn device(&self, name: &str) -> Device {
        self.world.bare_device(name)
    }

    fn register(&self, device: &Device, login: &str) -> Finished {
        device.run(&["register", "--email", login, "--server", &self.evil.url])
    }

    fn log_in(&self, device: &Device, login: &str) -> Finished {
        device.run(&["login", "--email", login, "--server", &self.evil.url])
    }

    /// All that the server has now, in a directory of its own.
    fn copy_server_data(&mut self) -> PathBuf {
        self.server.stop().expect(0);
        let copy = self.world.directory("copy-of-server");
        for file in fs::read_dir(&self.server.data).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
        let address = self.server.address().to_owned();
        self.server.listen(&address);
        copy
    }

    /// Another server, on such a copy.
    fn start_server_on(&self, data: PathBuf) -> KeyServer {
        let storage = Storage::Directory(data);
        KeyServer::start_with(&self.world, ServerOptions { storage, ..ServerOptions::default() })
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

/// Starts the daemon, whose look at the server finds a lie.
fn daemon_distrusts_server(device: &Device) {
    device.run(&["start"]).expect(0);
    let notice = wait::until("the lie is noticed", || {
        let status = device.json(&["status"]);
        status["account"].as_array().and_then(|notices| notices.first().cloned())
    });
    assert_eq!(notice["kind"], "server-distrusted", "{notice}");
    device.run(&["daemon", "--quit"]).expect(0);
}

fn has_account(device: &Device) -> bool {
    device.home.join("data/account.ensafer-account").exists()
}

/// Somebody else's keys under Bob's address, from a server of the attacker's own.
fn impostor(world: &World) -> Value {
    let server = KeyServer::start(world);
    let ear = EvilServer::start(&server.url);
    let eve = world.bare_device("eve");
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
    bob.run(&["share", "verify", BOB]).expect(2);
    let note = scene.world.path("note");
    fs::write(&note, "to myself").unwrap();
    bob.run(&["encrypt", note.to_str().unwrap(), "--to", BOB]).expect(0);
    assert!(scene.evil.heard_at("/v1/users/bob@example.com").is_empty(), "the own key is never asked for");

    // The daemon looks what the server tells others.
    daemon_distrusts_server(&bob);
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
        let refused = scene.log_in(&scene.device("victim"), ALICE).expect(26);
        assert!(refused.says("not to be trusted"), "{refused}");
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
    let account_key = printed_keys(&registered)[0].parse().unwrap();
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
