//! Row 9: the doors of the API, knocked at with everything that a client would send, but for a proof that is right.

use std::collections::BTreeSet;

use ensafer_core::account::{SealedAccount, SignedBundle};
use ensafer_core::api::hex::SecretHex;
use ensafer_core::api::server::{
    AccountDocument, BundleDocument, ConfirmRequest, Credential, CredentialKind, DeleteRequest, KeysRequest,
    LoginFinishRequest, PasswordRequest, RecoveryRequest, RegisterRequest,
};
use ensafer_core::crypto::{Login, MIN_ITERATIONS, PasswordParameters, Random, SystemRandom, Token};
use ensafer_core::ids::{AccountId, DeviceId};
use ensafer_tests::device::PASSWORD;
use ensafer_tests::{Thief, naive};
use serde_json::{Value, json};

use super::{ALICE, BOB, FINISH, START, Scene, VERIFY, safety_number};

/// A request that is what it must be, and how it is refused.
struct Knock {
    method: &'static str,
    /// As in the API's document.
    path: &'static str,
    body: Value,
    /// The problem's word; `None` where it is let in, and must say nothing.
    refusal: Option<&'static str>,
}

impl Knock {
    fn new(method: &'static str, path: &'static str, body: Value, refusal: &'static str) -> Self {
        Self { method, path, body, refusal: Some(refusal).filter(|word| !word.is_empty()) }
    }

    fn door(&self) -> (String, String) {
        (self.method.to_owned(), self.path.to_owned())
    }
}

/// A thief, all that anybody can know of Alice, and what takes the place of her secrets.
struct Attack {
    thief: Thief,
    login: Login,
    id: AccountId,
    device: DeviceId,
    bundle: BundleDocument,
    /// An account that the thief made for Alice's address.
    made: AccountDocument,
    password_auth: [u8; 32],
    recovery_auth: [u8; 32],
    /// What must not come out.
    sealed: Vec<String>,
}

impl Attack {
    /// On Alice, who has just logged in from a laptop.
    fn prepare(scene: &Scene) -> Self {
        let verified = scene.evil.heard_at(VERIFY).pop().unwrap();
        let account = &verified.answer["account"];
        let bundle: BundleDocument = naive::parse(&account["bundle"]);
        let login: Login = ALICE.parse().unwrap();
        let rng = &mut SystemRandom;
        let parameters = PasswordParameters::generate(login.clone(), &scene.evil.url, MIN_ITERATIONS, rng);
        let keys = parameters.derive("a password of the thief's").unwrap();
        let (made, _, recovery_key) = SealedAccount::create(parameters, &keys.kek, rng);
        let sealed =
            ["/keys/sealed", "/password/sealed", "/recovery/sealed", "/recovery/copy", "/state/sealed"];
        Self {
            thief: Thief::at(&scene.evil.url),
            login,
            id: SignedBundle::try_from(&bundle).unwrap().bundle().account,
            device: naive::parse(&verified.request["device"]["device"]),
            bundle,
            made: made.to_document(),
            password_auth: *keys.auth.expose(),
            recovery_auth: *recovery_key.derive_auth().expose(),
            sealed: sealed.map(|field| account.pointer(field).unwrap().as_str().unwrap().to_owned()).into(),
        }
    }

    /// At the doors that are open to everybody.
    fn on_public_doors(&self) -> Vec<Knock> {
        let login = json!({ "login": ALICE });
        let verify = |kind, auth| json!(self.thief.verify(&self.login, kind, auth));
        let finish = LoginFinishRequest {
            attempt: self.thief.ticket(&self.login),
            proof: SecretHex(SystemRandom.array()),
        };
        let token = Token::generate(&mut SystemRandom);
        let by_password = verify(CredentialKind::Password, self.password_auth);
        let by_recovery = verify(CredentialKind::Recovery, self.recovery_auth);
        vec![
            Knock::new("GET", "/v1/server", Value::Null, ""),
            Knock::new("GET", "/v1/invitations/{id}", Value::Null, "invitation-unknown"),
            Knock::new("POST", "/v1/register/available", login.clone(), ""),
            Knock::new("POST", "/v1/register", json!(self.register()), "login-taken"),
            Knock::new("POST", "/v1/register/confirm", json!(self.confirm()), "confirmation-refused"),
            Knock::new("POST", START, login, ""),
            Knock::new("POST", VERIFY, by_password, "wrong-credentials"),
            Knock::new("POST", VERIFY, by_recovery, "wrong-credentials"),
            Knock::new("POST", FINISH, json!(finish), "challenge-refused"),
            Knock::new(
                "POST",
                "/v1/session/refresh",
                json!(self.thief.refresh(self.id, self.device, 99, &token)),
                "session-refused",
            ),
        ]
    }

    /// At the doors that want a session, with one of another account's: what is asked about Alice, what the thief would
    /// have changed in her account, and what the session's own account is asked for.
    fn on_doors_with_a_session(&self) -> Vec<Knock> {
        let none = || Value::Null;
        let wrong = "wrong-credentials";
        vec![
            Knock::new("GET", "/v1/account", none(), ""),
            Knock::new("GET", "/v1/account/export", none(), ""),
            Knock::new("GET", "/v1/account/state", none(), "not-found"),
            Knock::new(
                "PUT",
                "/v1/account/state",
                json!({ "version": 1, "sealed": self.made.keys.sealed }),
                "",
            ),
            Knock::new("PUT", "/v1/account/profile", json!({ "display_name": ALICE }), ""),
            Knock::new("PUT", "/v1/account/password", json!(self.password()), wrong),
            Knock::new("PUT", "/v1/account/recovery", json!(self.recovery()), wrong),
            Knock::new("PUT", "/v1/account/keys", json!(self.keys()), "blob-refused"),
            Knock::new("POST", "/v1/account/address", json!({ "login": ALICE }), "login-taken"),
            Knock::new("POST", "/v1/account/delete", json!(DeleteRequest { current: self.current() }), wrong),
            Knock::new("GET", "/v1/devices", none(), ""),
            Knock::new("DELETE", "/v1/devices/{device}", none(), "device-unknown"),
            Knock::new("GET", "/v1/users/{login}", none(), ""),
            Knock::new("GET", "/v1/users/{login}/history", none(), ""),
            Knock::new("GET", "/v1/groups", none(), ""),
            Knock::new("GET", "/v1/groups/{id}", none(), "group-unknown"),
            Knock::new(
                "PUT",
                "/v1/groups/{id}",
                json!({ "version": 2, "object": "00", "admins": [] }),
                "blob-refused",
            ),
            Knock::new("DELETE", "/v1/groups/{id}", none(), "group-unknown"),
            Knock::new("GET", "/v1/invitations", none(), ""),
            Knock::new("POST", "/v1/invitations", self.invitation(), "blob-refused"),
            Knock::new("DELETE", "/v1/invitations/{id}", none(), "invitation-unknown"),
            Knock::new(
                "POST",
                "/v1/invitations/{id}/mail",
                json!({ "to": ALICE, "link": "https://example.com/" }),
                "invitation-unknown",
            ),
            // With Alice's keys.
            Knock::new("POST", "/v1/invitations/{id}/acceptance", self.acceptance(), "blob-refused"),
            // Last, because it is the end of the session.
            Knock::new("DELETE", "/v1/session", none(), ""),
        ]
    }

    /// Without a record.
    fn invitation(&self) -> Value {
        let (id, claim_hash) = (self.device.to_string(), "00".repeat(32));
        json!({ "id": id, "record": "00", "claim_hash": claim_hash, "expires_at_s": u32::MAX })
    }

    fn acceptance(&self) -> Value {
        json!({ "claim": "00".repeat(32), "bundle": self.bundle, "proof": "00".repeat(32) })
    }

    fn register(&self) -> RegisterRequest {
        RegisterRequest {
            account: self.made.clone(),
            password_auth: SecretHex(self.password_auth),
            recovery_auth: SecretHex(self.recovery_auth),
            code: None,
            display_name: None,
        }
    }

    fn confirm(&self) -> ConfirmRequest {
        ConfirmRequest { account: self.id, login: ALICE.to_owned(), code: "7K3M-9QXD".to_owned() }
    }

    fn current(&self) -> Credential {
        Credential { kind: CredentialKind::Password, auth: SecretHex(self.password_auth) }
    }

    fn password(&self) -> PasswordRequest {
        let password_auth = SecretHex(self.password_auth);
        PasswordRequest { current: self.current(), password: self.made.password.clone(), password_auth }
    }

    fn recovery(&self) -> RecoveryRequest {
        let current = Credential { kind: CredentialKind::Recovery, auth: SecretHex(self.recovery_auth) };
        let recovery_auth = SecretHex(self.recovery_auth);
        RecoveryRequest { current, recovery: self.made.recovery.clone(), recovery_auth }
    }

    fn keys(&self) -> KeysRequest {
        KeysRequest {
            current: self.current(),
            bundle: self.bundle.clone(),
            keys: self.made.keys.clone(),
            password: self.made.password.clone(),
            password_auth: SecretHex(self.password_auth),
            code: None,
        }
    }

    /// Knocks, and returns the doors at which something sealed came out.
    fn leaks(&self, knocks: &[Knock], token: Option<&str>, refusal: Option<&str>) -> Vec<&'static str> {
        let mut leaks = Vec::new();
        for knock in knocks {
            let path = knock.path.replace("{login}", ALICE).replace("{device}", &self.device.to_string());
            let path = path.replace("{id}", &self.device.to_string());
            let answer = self.thief.send(knock.method, &path, token, &knock.body);
            let (method, expected) = (knock.method, refusal.or(knock.refusal));
            assert_eq!(answer.refusal().as_deref(), expected, "{method} {path}: {answer:?}");
            if self.sealed.iter().any(|sealed| answer.text.contains(sealed)) {
                leaks.push(knock.path);
            }
        }
        leaks
    }
}

/// The doors that the API's document has.
fn documented(attack: &Attack) -> BTreeSet<(String, String)> {
    let api = attack.thief.send("GET", "/v1/openapi.json", None, &Value::Null).json();
    let paths = api["paths"].as_object().unwrap().iter();
    let doors = paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone()))
    });
    doors.collect()
}

#[test]
fn row_09_sealed_keys_are_asked_for_without_a_proof() {
    let scene = Scene::new();
    let bob = scene.device("bob");
    scene.register(&bob, BOB).expect(0);
    let of_bob = scene.evil.heard_at(FINISH).pop().unwrap().answer["access"].clone();
    let _ = safety_number(&scene.alice, BOB);
    scene.log_in(&scene.device("laptop"), ALICE).expect(0);
    let served = scene.served();
    let attack = Attack::prepare(&scene);
    let (public, with_session) = (attack.on_public_doors(), attack.on_doors_with_a_session());
    let knocked: BTreeSet<_> = public.iter().chain(&with_session).map(Knock::door).collect();
    assert_eq!(knocked, documented(&attack), "a door was forgotten");

    scene.evil.play(naive::serves_before_the_proof(served.clone()));
    assert_eq!(attack.leaks(&public, None, None), [START], "the attack works on a naive server");
    let guess = ["password", "letmein", PASSWORD]
        .into_iter()
        .find(|guess| naive::opens_without_looking_back(&served, guess));
    assert_eq!(guess, Some(PASSWORD), "and the password is then guessed at home");

    scene.evil.be_honest();
    let nothing: [&str; 0] = [];
    assert_eq!(attack.leaks(&attack.on_public_doors(), None, None), nothing);
    let made_up = "ab".repeat(32);
    for token in [None, Some(made_up.as_str())] {
        assert_eq!(attack.leaks(&with_session, token, Some("session-refused")), nothing);
    }
    assert_eq!(attack.leaks(&with_session, of_bob.as_str(), None), nothing);

    scene.evil.forget();
    let stranger = scene.device("stranger").with_password_command("printf 'wrong password'");
    scene.log_in(&stranger, ALICE).expect(12);
    assert!(!scene.evil.heard_at(VERIFY)[0].answer.to_string().contains("sealed"));
}
