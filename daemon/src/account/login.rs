//! Logging in: three steps, in which nothing that the server says is taken before it was checked
//! (`docs/protocol.md`, "Login").

use ensafer_client::password::Password;
use ensafer_core::account::login::{Transcript, is_timely, sign_login};
use ensafer_core::account::{Account, SealedAccount, SucceedError};
use ensafer_core::api::hex::{HexArray, SecretHex};
use ensafer_core::api::server::{
    Credential, CredentialKind, DeviceDocument, DeviceReport, LoginChallenge, LoginFinishRequest,
    LoginStarted, LoginVerifyRequest,
};
use ensafer_core::crypto::{
    AccountKey, ChallengeBinding, DeviceSession, Login, OpenError, PasswordError, PasswordKek,
    PasswordParameters, RecoveryKey, SigningKey, SystemRandom,
};
use ensafer_core::ids::DeviceId;

use super::AccountError;
use super::refresh::parse_served;
use super::session::{from_answer, now_s};
use crate::host::host_name;
use crate::key_server::KeyServer;
use crate::output::printable;

/// What somebody has to show that the account is theirs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Proof<'a> {
    /// The password, and the account key where the account has one.
    Password(&'a Password, Option<&'a AccountKey>),
    /// The recovery key.
    Recovery(&'a RecoveryKey),
}

/// Who logs in, where, and from which device.
pub(super) struct LoginRequest<'a> {
    pub server: &'a KeyServer,
    pub login: &'a Login,
    /// The origin that the password's keys are derived for.
    pub realm: &'a str,
    pub proof: Proof<'a>,
    /// The account as this computer knows it, if it does.
    pub known: Option<&'a SealedAccount>,
    /// Whether what the server has must be that, or follow on it.
    pub follows: bool,
    pub device: DeviceId,
    /// The key by which the server knows this device, if it does: it counts this device's failures apart from those of
    /// strangers, and tells nobody that it is new.
    pub signer: Option<SigningKey>,
}

/// An account that was served, opened and found to be what it must be.
pub(super) struct LoggedIn {
    pub sealed: SealedAccount,
    pub account: Account,
    pub session: DeviceSession,
    /// What was shown, for requests that want it again.
    pub credential: Credential,
    /// Devices that logged in since this one was last told.
    pub new_devices: Vec<DeviceReport>,
    /// Whether it is, or follows on, what this computer knew.
    pub follows: bool,
}

/// What opens the served account.
enum Opener<'a> {
    Password(PasswordParameters, PasswordKek),
    Recovery(&'a RecoveryKey),
}

impl LoginRequest<'_> {
    /// Logs in. Takes a second or two.
    ///
    /// # Errors
    /// What the server says; [`AccountError::ServerLies`] where what it serves cannot be true.
    pub fn run(mut self) -> Result<LoggedIn, AccountError> {
        let signer = self.signer.take().unwrap_or_else(|| SigningKey::generate(&mut SystemRandom));
        let started = self.server.login_start(self.login)?;
        self.check_time(started.expires_at_s)?;
        let (opener, credential) = self.derive(&started)?;
        let request = self.verify_request(&started, &credential, &signer);
        let challenge = self.server.login_verify(&request)?;
        self.check_time(challenge.expires_at_s)?;
        let (sealed, account) = self.open(&challenge, &opener)?;
        let proof = self.answer(&started, &challenge, &request.device, &account, credential.kind)?;
        let answer = self.server.login_finish(&LoginFinishRequest { attempt: started.attempt, proof })?;
        let session = from_answer(signer, &answer, 0);
        Ok(LoggedIn {
            sealed,
            account,
            session,
            credential,
            new_devices: answer.new_devices,
            follows: self.follows,
        })
    }

    fn check_time(&self, expires_at_s: u64) -> Result<(), AccountError> {
        if is_timely(expires_at_s, now_s()) {
            return Ok(());
        }
        Err(AccountError::Clock { origin: self.server.origin().clone() })
    }

    /// What the server gets to see, and what opens its answer. Parameters out of bounds are refused before anything is
    /// derived.
    fn derive(&self, started: &LoginStarted) -> Result<(Opener<'_>, Credential), AccountError> {
        match self.proof {
            Proof::Password(password, account_key) => {
                let parameters = PasswordParameters {
                    login: self.login.clone(),
                    realm: self.realm.to_owned(),
                    nonce: started.nonce.0,
                    iterations: started.iterations,
                };
                let keys = parameters.derive(password.with(account_key)).map_err(|error| match error {
                    PasswordError::Iterations(_) => {
                        self.lie("the password's parameters are outside of what is safe")
                    }
                    PasswordError::Realm | PasswordError::Empty => error.into(),
                })?;
                let auth = SecretHex(*keys.auth.expose());
                let credential = Credential { kind: CredentialKind::Password, auth };
                Ok((Opener::Password(parameters, keys.kek), credential))
            }
            Proof::Recovery(key) => Ok((Opener::Recovery(key), recovery_credential(key))),
        }
    }

    fn verify_request(
        &self,
        started: &LoginStarted,
        credential: &Credential,
        signer: &SigningKey,
    ) -> LoginVerifyRequest {
        let mut request = LoginVerifyRequest {
            login: self.login.to_string(),
            attempt: started.attempt,
            kind: credential.kind,
            auth: credential.auth.clone(),
            device: DeviceDocument {
                device: self.device,
                name: device_name(),
                public_key: HexArray(*signer.public().as_bytes()),
            },
            signature: HexArray([0; 64]),
        };
        request.signature = HexArray(*sign_login(&request, self.login, signer).as_bytes());
        request
    }

    /// Opens the served account and compares it with what this computer knows.
    fn open(
        &self,
        challenge: &LoginChallenge,
        opener: &Opener<'_>,
    ) -> Result<(SealedAccount, Account), AccountError> {
        let sealed = parse_served(&challenge.account, self.server.origin())?;
        if sealed.login() != self.login {
            return Err(self.lie("it is somebody else's account"));
        }
        self.compare(&sealed)?;
        let account = match opener {
            Opener::Password(parameters, kek) => {
                if sealed.password_parameters() != parameters {
                    return Err(self.lie("the password's parameters are others than those it asked for"));
                }
                sealed.open_with_kek(kek)
            }
            Opener::Recovery(key) => sealed.open_with_recovery(key),
        };
        let account = account.map_err(|OpenError| self.lie("the account does not open"))?;
        if let Some(known) = self.known.filter(|_| self.follows) {
            known.check_state_of(&sealed, &account).map_err(|error| match error {
                SucceedError::NewerVersion => AccountError::NewerVersion,
                SucceedError::Refused => self.lie("it has forgotten what this computer remembers of others"),
            })?;
        }
        sealed.check(&account).map_err(|OpenError| self.lie("a part of the account does not open"))?;
        Ok((sealed, account))
    }

    /// Compares the served account with what this computer knows, before anything of it is opened.
    fn compare(&self, sealed: &SealedAccount) -> Result<(), AccountError> {
        if let Some(known) = self.known {
            if known.id() != sealed.id() && known.login() != self.login {
                let (login, asked) = (known.login().clone(), self.login.clone());
                return Err(AccountError::OtherAccount { login, asked });
            }
            if !known.is_same_account(sealed) && !self.follows {
                let (origin, login) = (self.server.origin().clone(), self.login.clone());
                return Err(AccountError::OtherAccountThere { origin, login });
            }
            if !known.is_same_account(sealed) {
                return Err(self.lie("it is another account than this computer's"));
            }
            if self.follows && !known.is_succeeded_by(sealed) {
                return Err(self.lie("the account is older than what this computer has seen"));
            }
        }
        let realm = &sealed.password_parameters().realm;
        if matches!(self.proof, Proof::Recovery(_)) && realm != self.realm {
            let (origin, realm) = (self.server.origin().clone(), printable(realm));
            return Err(AccountError::OtherRealm { origin, realm });
        }
        Ok(())
    }

    /// Answers the challenge, which is bound to this realm, account and time, and to everything that was said.
    fn answer(
        &self,
        started: &LoginStarted,
        challenge: &LoginChallenge,
        device: &DeviceDocument,
        account: &Account,
        kind: CredentialKind,
    ) -> Result<SecretHex<32>, AccountError> {
        let binding = ChallengeBinding {
            realm: self.realm,
            account: account.id(),
            expires_at_s: challenge.expires_at_s,
        };
        let key = account
            .login_key()
            .open_challenge(&binding, &challenge.challenge.0)
            .map_err(|OpenError| self.lie("the challenge is not one for this login"))?;
        let transcript = Transcript {
            realm: self.realm,
            login: self.login,
            attempt: &started.attempt,
            nonce: &started.nonce,
            iterations: started.iterations,
            kind,
            account: &challenge.account,
            challenge: &challenge.challenge.0,
            expires_at_s: challenge.expires_at_s,
            device,
        };
        Ok(SecretHex(key.prove(&transcript.hash())))
    }

    fn lie(&self, what: &'static str) -> AccountError {
        AccountError::ServerLies { origin: self.server.origin().clone(), what }
    }
}

/// What the server gets to see of a recovery key.
pub(super) fn recovery_credential(key: &RecoveryKey) -> Credential {
    Credential { kind: CredentialKind::Recovery, auth: SecretHex(*key.derive_auth().expose()) }
}

/// The computer's name, as its owner will read it in a list.
fn device_name() -> String {
    let mut name = host_name();
    let most = ensafer_core::api::server::MAX_NAME_BYTES;
    name.truncate((0..=most.min(name.len())).rev().find(|&at| name.is_char_boundary(at)).unwrap_or(0));
    name
}
