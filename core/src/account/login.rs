//! What both sides of a login compute (`docs/protocol.md`, "Login"): what a device signs, and the transcript that the
//! answer to the challenge is bound to.

use crate::api::hex::HexArray;
use crate::api::server::{
    ATTEMPT_BYTES, AccountDocument, CredentialKind, DeviceDocument, LoginVerifyRequest,
};
use crate::crypto::{Domain, Login, Signature, SignatureError, SigningKey, Token, VerifyingKey, sha256};
use crate::ids::{AccountId, DeviceId};

const TRANSCRIPT_LABEL: &[u8] = b"ensafer/v1/login-transcript\0";
const ACCOUNT_LABEL: &[u8] = b"ensafer/v1/served-account\0";

/// How far a client's clock may be from the server's before a challenge's expiry makes no sense to it, in seconds.
pub const CLOCK_TOLERANCE_S: u64 = 300;

/// Everything that both sides saw of one login.
#[derive(Debug, Clone, Copy)]
pub struct Transcript<'a> {
    /// The origin that the account's keys are derived for.
    pub realm: &'a str,
    /// The canonical login.
    pub login: &'a Login,
    /// The first step's answer.
    pub attempt: &'a HexArray<ATTEMPT_BYTES>,
    /// As in the password's seal.
    pub nonce: &'a HexArray<16>,
    /// As in the password's seal.
    pub iterations: u32,
    /// Which secret was shown.
    pub kind: CredentialKind,
    /// The sealed account that was served.
    pub account: &'a AccountDocument,
    /// The challenge.
    pub challenge: &'a [u8],
    /// When it expires.
    pub expires_at_s: u64,
    /// The device.
    pub device: &'a DeviceDocument,
}

impl Transcript<'_> {
    /// SHA-256 over every field, each preceded by its length in four bytes.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut fields = Fields::new(TRANSCRIPT_LABEL);
        fields.add(self.realm.as_bytes());
        fields.add(self.login.as_str().as_bytes());
        fields.add(&self.attempt.0);
        fields.add(&self.nonce.0);
        fields.add(&self.iterations.to_be_bytes());
        fields.add(&[credential_byte(self.kind)]);
        fields.add(&account_hash(self.account));
        fields.add(&sha256(&[&self.account.bundle.bundle.0]));
        fields.add(self.challenge);
        fields.add(&self.expires_at_s.to_be_bytes());
        fields.add(self.device.device.as_bytes());
        fields.add(self.device.name.as_bytes());
        fields.add(&self.device.public_key.0);
        fields.hash()
    }
}

/// SHA-256 over every field of a served account but its state, which changes on its own.
#[must_use]
pub fn account_hash(account: &AccountDocument) -> [u8; 32] {
    let mut fields = Fields::new(ACCOUNT_LABEL);
    fields.add(&account.bundle.bundle.0);
    fields.add(&account.bundle.signature.0);
    fields.add(&account.keys.version.to_be_bytes());
    fields.add(&account.keys.sealed.0);
    let password = &account.password;
    fields.add(&password.version.to_be_bytes());
    fields.add(password.realm.as_bytes());
    fields.add(&password.nonce.0);
    fields.add(&password.iterations.to_be_bytes());
    fields.add(&password.sealed.0);
    fields.add(&account.recovery.id.0);
    fields.add(&account.recovery.sealed.0);
    fields.add(&account.recovery.copy.0);
    fields.hash()
}

/// What a device signs to log in, and a server verifies: the request's fields, with only a hash of the proof.
struct LoginMessage(Vec<u8>);

impl LoginMessage {
    fn of(request: &LoginVerifyRequest, login: &Login) -> Self {
        let mut fields = Fields::new(b"");
        fields.add(login.as_str().as_bytes());
        fields.add(&request.attempt.0);
        fields.add(&[credential_byte(request.kind)]);
        fields.add(&sha256(&[&request.auth.0]));
        fields.add(request.device.device.as_bytes());
        fields.add(request.device.name.as_bytes());
        fields.add(&request.device.public_key.0);
        Self(fields.0)
    }
}

/// Signs a login's second step, whose `signature` is not looked at.
#[must_use]
pub fn sign_login(request: &LoginVerifyRequest, login: &Login, device: &SigningKey) -> Signature {
    device.sign(Domain::DeviceLogin, &[&LoginMessage::of(request, login).0])
}

/// Verifies a login's second step against the device key in it: whoever sent it has that key.
///
/// # Errors
/// [`SignatureError`]
pub fn verify_login(request: &LoginVerifyRequest, login: &Login) -> Result<(), SignatureError> {
    let key = VerifyingKey::new(request.device.public_key.0).map_err(|_| SignatureError)?;
    let signature = Signature::new(request.signature.0);
    key.verify(Domain::DeviceLogin, &[&LoginMessage::of(request, login).0], &signature)
}

/// A request for new tokens, as it is signed.
#[derive(Debug, Clone, Copy)]
pub struct RefreshMessage<'a> {
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// Higher than in any request before.
    pub counter: u64,
    /// The token that is spent: it is this server's, and so the message is for no other.
    pub refresh: &'a Token,
}

impl RefreshMessage<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut fields = Fields::new(b"");
        fields.add(self.account.as_bytes());
        fields.add(self.device.as_bytes());
        fields.add(&self.counter.to_be_bytes());
        fields.add(&self.refresh.hash());
        fields.0
    }

    /// Signs it with the device's key.
    #[must_use]
    pub fn sign(&self, device: &SigningKey) -> Signature {
        device.sign(Domain::DeviceRefresh, &[&self.bytes()])
    }

    /// Verifies it.
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn verify(&self, device: &VerifyingKey, signature: &Signature) -> Result<(), SignatureError> {
        device.verify(Domain::DeviceRefresh, &[&self.bytes()], signature)
    }
}

/// Whether an expiry makes sense to a client whose clock shows `now_s`: if not, one of the two clocks is wrong, or the
/// message is an old one.
#[must_use]
pub fn is_timely(expires_at_s: u64, now_s: u64) -> bool {
    expires_at_s.saturating_add(CLOCK_TOLERANCE_S) >= now_s
        && expires_at_s <= now_s.saturating_add(2 * CLOCK_TOLERANCE_S)
}

fn credential_byte(kind: CredentialKind) -> u8 {
    match kind {
        CredentialKind::Password => 1,
        CredentialKind::Recovery => 2,
    }
}

/// A label, then fields, each preceded by its length.
struct Fields(Vec<u8>);

impl Fields {
    fn new(label: &[u8]) -> Self {
        Self(label.to_vec())
    }

    fn add(&mut self, field: &[u8]) {
        let length = u32::try_from(field.len()).expect("no field of a request has 4 GiB");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(field);
    }

    fn hash(&self) -> [u8; 32] {
        sha256(&[&self.0])
    }
}
