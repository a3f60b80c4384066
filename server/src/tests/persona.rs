//! Somebody with an account, and all that their client computes.

use ensafer_core::account::login::{RefreshMessage, Transcript, sign_login};
use ensafer_core::account::{Account, Bundle, SealedAccount, SignedBundle};
use ensafer_core::api::hex::{HexArray, HexBytes, SecretHex};
use ensafer_core::api::server::{
    AccountDocument, Credential, CredentialKind, DeviceDocument, KeysRequest, LoginChallenge,
    LoginFinishRequest, LoginStarted, LoginVerifyRequest, PasswordRequest, RecoveryRequest, RefreshRequest,
    RegisterRequest, SealedKeysDocument, Session, StateDocument,
};
use ensafer_core::crypto::{
    ChallengeBinding, Login, PasswordKek, PasswordParameters, Random, RecoveryKey, SigningKey, SystemRandom,
    Token,
};
use ensafer_core::ids::{AccountId, DeviceId};

pub const REALM: &str = "https://keys.example.com";
pub const ITERATIONS: u32 = 600_000;

const ACCOUNT: &[u8] = include_bytes!("../../../daemon/testdata/accounts/test-only-alice.ensafer-account");
const RECOVERY_KEY: &str = include_str!("../../../daemon/testdata/accounts/test-only-alice.recovery-key");
const OTHER_ACCOUNT: &[u8] =
    include_bytes!("../../../daemon/testdata/accounts/test-only-bob.ensafer-account");
const OTHER_RECOVERY_KEY: &str = include_str!("../../../daemon/testdata/accounts/test-only-bob.recovery-key");

/// Somebody with an account. The keys are those of the accounts for tests, the id and everything else new.
pub struct Persona {
    pub account: Account,
    pub document: AccountDocument,
    pub id: AccountId,
    pub login: Login,
    pub password_auth: [u8; 32],
    pub recovery_auth: [u8; 32],
}

/// One of their devices.
pub struct Device {
    pub id: DeviceId,
    pub name: String,
    pub signer: SigningKey,
}

impl Device {
    pub fn new(name: &str) -> Self {
        Self::of(name, &mut SystemRandom)
    }

    /// The one that this randomness makes.
    pub fn of(name: &str, rng: &mut impl Random) -> Self {
        Self { id: DeviceId::new(rng.array()), name: name.to_owned(), signer: SigningKey::generate(rng) }
    }

    pub fn document(&self) -> DeviceDocument {
        let public_key = HexArray(*self.signer.public().as_bytes());
        DeviceDocument { device: self.id, name: self.name.clone(), public_key }
    }

    pub fn refresh(&self, persona: &Persona, session: &Session, counter: u64) -> RefreshRequest {
        let refresh: Token = hex::encode(session.refresh.0).parse().unwrap();
        let message = RefreshMessage { account: persona.id, device: self.id, counter, refresh: &refresh };
        let signature = HexArray(*message.sign(&self.signer).as_bytes());
        let refresh = session.refresh.clone();
        RefreshRequest { account: persona.id, device: self.id, counter, refresh, signature }
    }
}

impl Persona {
    pub fn new(login: &str) -> Self {
        Self::of(ACCOUNT, RECOVERY_KEY, login)
    }

    /// Somebody with another identity.
    pub fn other(login: &str) -> Self {
        Self::of(OTHER_ACCOUNT, OTHER_RECOVERY_KEY, login)
    }

    fn of(bytes: &[u8], recovery_key: &str, login: &str) -> Self {
        let mut sealed = SealedAccount::from_bytes(bytes).unwrap();
        let recovery_key: RecoveryKey = recovery_key.trim().parse().unwrap();
        let account = sealed.open_with_recovery(&recovery_key).unwrap();
        let parameters =
            PasswordParameters::generate(login.parse().unwrap(), REALM, ITERATIONS, &mut SystemRandom);
        let kek = PasswordKek::generate(&mut SystemRandom);
        let account = sealed.change_login(account, parameters, &kek, &mut SystemRandom).unwrap();
        let mut persona = Self {
            id: AccountId::new(SystemRandom.array()),
            login: login.parse().unwrap(),
            document: sealed.to_document(),
            password_auth: SystemRandom.array(),
            recovery_auth: SystemRandom.array(),
            account,
        };
        let bundle = persona.bundle(persona.id, login, 1);
        persona.document.bundle = (&bundle).into();
        persona
    }

    /// The account for tests as it is, id and all, so that its seals open. It has no password yet.
    pub fn frozen() -> (Self, SealedAccount) {
        let sealed = SealedAccount::from_bytes(ACCOUNT).unwrap();
        let recovery_key: RecoveryKey = RECOVERY_KEY.trim().parse().unwrap();
        let account = sealed.open_with_recovery(&recovery_key).unwrap();
        let persona = Self {
            id: account.id(),
            login: account.login().clone(),
            document: sealed.to_document(),
            password_auth: [0; 32],
            recovery_auth: *recovery_key.derive_auth().expose(),
            account,
        };
        (persona, sealed)
    }

    /// Gives the account a login and a password.
    pub fn moved(self, sealed: &mut SealedAccount, login: &str, password: &str) -> Self {
        let parameters =
            PasswordParameters::generate(login.parse().unwrap(), REALM, ITERATIONS, &mut SystemRandom);
        let keys = parameters.derive(password).unwrap();
        let account = sealed.change_login(self.account, parameters, &keys.kek, &mut SystemRandom).unwrap();
        let (login, document) = (account.login().clone(), sealed.to_document());
        Self { account, document, login, password_auth: *keys.auth.expose(), ..self }
    }

    /// A bundle by this identity.
    pub fn bundle(&self, account: AccountId, login: &str, sequence: u64) -> SignedBundle {
        let bundle = self.account.bundle().bundle().clone();
        let bundle = Bundle { account, login: login.parse().unwrap(), sequence, ..bundle };
        SignedBundle::sign(bundle, self.account.identity())
    }

    pub fn register(&self) -> RegisterRequest {
        RegisterRequest {
            account: self.document.clone(),
            password_auth: SecretHex(self.password_auth),
            recovery_auth: SecretHex(self.recovery_auth),
            code: None,
            display_name: Some("Alice".to_owned()),
        }
    }

    pub fn auth(&self, kind: CredentialKind) -> [u8; 32] {
        match kind {
            CredentialKind::Password => self.password_auth,
            CredentialKind::Recovery => self.recovery_auth,
        }
    }

    pub fn credential(&self) -> Credential {
        Credential { kind: CredentialKind::Password, auth: SecretHex(self.password_auth) }
    }

    pub fn verify(
        &self,
        device: &Device,
        started: &LoginStarted,
        kind: CredentialKind,
        auth: [u8; 32],
    ) -> LoginVerifyRequest {
        let mut request = LoginVerifyRequest {
            login: self.login.as_str().to_owned(),
            attempt: started.attempt,
            kind,
            auth: SecretHex(auth),
            device: device.document(),
            signature: HexArray([0; 64]),
        };
        request.signature = HexArray(*sign_login(&request, &self.login, &device.signer).as_bytes());
        request
    }

    pub fn answer(
        &self,
        device: &Device,
        started: &LoginStarted,
        kind: CredentialKind,
        challenge: &LoginChallenge,
    ) -> LoginFinishRequest {
        let realm = &challenge.account.password.realm;
        let expires_at_s = challenge.expires_at_s;
        let binding = ChallengeBinding { realm, account: self.id, expires_at_s };
        let key = self.account.login_key().open_challenge(&binding, &challenge.challenge.0).unwrap();
        let transcript = Transcript {
            realm,
            login: &self.login,
            attempt: &started.attempt,
            nonce: &started.nonce,
            iterations: started.iterations,
            kind,
            account: &challenge.account,
            challenge: &challenge.challenge.0,
            expires_at_s,
            device: &device.document(),
        };
        LoginFinishRequest { attempt: started.attempt, proof: SecretHex(key.prove(&transcript.hash())) }
    }

    /// The next password, with its proof.
    pub fn next_password(&self, auth: [u8; 32]) -> PasswordRequest {
        let mut password = self.document.password.clone();
        password.version += 1;
        password.nonce = HexArray(SystemRandom.array());
        PasswordRequest { current: self.credential(), password, password_auth: SecretHex(auth) }
    }

    /// Another recovery key, in its place.
    pub fn next_recovery(&self, auth: [u8; 32]) -> RecoveryRequest {
        let mut recovery = self.document.recovery.clone();
        let next = recovery.version() + 1;
        recovery.id.0[..8].copy_from_slice(&next.to_be_bytes());
        RecoveryRequest { current: self.credential(), recovery, recovery_auth: SecretHex(auth) }
    }

    /// The next keys, under this login.
    pub fn next_keys(&self, login: &str, code: Option<&str>) -> KeysRequest {
        let sequence = SignedBundle::try_from(&self.document.bundle).unwrap().bundle().sequence + 1;
        let PasswordRequest { current, password, password_auth } = self.next_password(self.password_auth);
        let keys = &self.document.keys;
        KeysRequest {
            current,
            bundle: (&self.bundle(self.id, login, sequence)).into(),
            keys: SealedKeysDocument { version: keys.version + 1, sealed: keys.sealed.clone() },
            password,
            password_auth,
            code: code.map(str::to_owned),
        }
    }
}

/// A state that could be sealed.
pub fn state(version: u64, filling: u8) -> StateDocument {
    StateDocument { version, sealed: HexBytes(vec![filling; 72]) }
}
