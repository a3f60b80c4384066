//! Making, opening and changing an account.

use zeroize::Zeroizing;

use super::bundle::{Bundle, SignedBundle};
use super::seals;
use crate::api::server::recovery_version;
use crate::crypto::{
    AccountMasterKey, DeviceKey, DeviceSession, EnvelopePrivateKey, InviteKey, Key, Login, LoginPrivateKey,
    OpenError, Passphrase, PasswordError, PasswordKek, PasswordParameters, PrivateKeys, Random, RecoveryKek,
    RecoveryKey, SEALED_KEY_BYTES, SigningKey, cobblestone, open_key, purpose, seal_key,
};
use crate::ids::{AccountId, DeviceId, Fingerprint, FolderId, InvitationId};

/// Version of the device seal's layout: version byte, seal id, sealed key.
const DEVICE_SEAL_VERSION: u8 = 1;

/// An unlocked account.
#[derive(Debug)]
pub struct Account {
    bundle: SignedBundle,
    keys: PrivateKeys,
    master: AccountMasterKey,
}

/// An account as it is stored, exported and served: everything secret in it is sealed.
///
/// `Clone` and `PartialEq` are harmless here. Bytes: [`to_bytes`](Self::to_bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedAccount {
    pub(super) bundle: SignedBundle,
    pub(super) blob: SealedKeys,
    pub(super) password: PasswordSeal,
    pub(super) recovery: RecoverySeal,
    pub(super) state: Option<SealedState>,
}

/// The private keys under the account master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SealedKeys {
    pub version: u32,
    pub sealed: Vec<u8>,
}

/// The account master key under the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PasswordSeal {
    pub version: u32,
    pub parameters: PasswordParameters,
    pub sealed: [u8; SEALED_KEY_BYTES],
}

/// The account master key under the recovery key, and the recovery key under the account master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecoverySeal {
    /// Version u64, then 8 random bytes. Accounts that were made before there was a version have 16 random bytes, whose
    /// first eight count on from there.
    pub id: [u8; 16],
    pub sealed: [u8; SEALED_KEY_BYTES],
    pub copy: Vec<u8>,
}

/// What else an account remembers, under the account master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SealedState {
    pub version: u64,
    pub sealed: Vec<u8>,
}

/// An account cannot be unlocked by its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// The stored parameters would derive weak keys, or there is no password. Nothing was derived.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The password is wrong, or the account was altered: it does not show which.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl Account {
    /// The public bundle.
    #[must_use]
    pub fn bundle(&self) -> &SignedBundle {
        &self.bundle
    }

    /// The account's id.
    #[must_use]
    pub fn id(&self) -> AccountId {
        self.bundle.bundle().account
    }

    /// E-mail address or name.
    #[must_use]
    pub fn login(&self) -> &Login {
        &self.bundle.bundle().login
    }

    /// The fingerprint of the identity key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.bundle.fingerprint()
    }

    /// Signs what the account writes.
    #[must_use]
    pub fn identity(&self) -> &SigningKey {
        &self.keys.identity
    }

    /// Answers the challenges of logins, and opens nothing else.
    #[must_use]
    pub fn login_key(&self) -> &LoginPrivateKey {
        &self.keys.login
    }

    /// Opens what was wrapped for the account.
    #[must_use]
    pub fn envelope(&self) -> &EnvelopePrivateKey {
        &self.keys.envelope
    }

    /// Seals the account for a device, which can then open it without the password. The seal stays on the device.
    #[must_use]
    pub fn seal_for_device(&self, device: &DeviceKey, rng: &mut (impl Random + ?Sized)) -> Vec<u8> {
        let id = random_id(rng);
        let sealed = seal_key(device, &self.master, &seals::device_context(self.id(), &id), rng);
        [[DEVICE_SEAL_VERSION].as_slice(), &id, &sealed].concat()
    }
}

/// A device's session belongs to one account on one device of one server.
impl Account {
    /// Seals a session, which stays on `device`.
    #[must_use]
    pub fn seal_session(
        &self,
        session: &DeviceSession,
        device: DeviceId,
        realm: &str,
        rng: &mut (impl Random + ?Sized),
    ) -> Vec<u8> {
        session.seal(&self.master, &seals::session_context(self.id(), device, realm), rng)
    }

    /// Opens what [`seal_session`](Self::seal_session) sealed.
    ///
    /// # Errors
    /// [`OpenError`] if it belongs to another account, device or server, or was altered.
    pub fn open_session(
        &self,
        device: DeviceId,
        realm: &str,
        sealed: &[u8],
    ) -> Result<DeviceSession, OpenError> {
        DeviceSession::open(&self.master, &seals::session_context(self.id(), device, realm), sealed)
    }

    /// Seals the reading key of an invitation to `folder` that the account has accepted. It stays on this computer.
    #[must_use]
    pub fn seal_reading_key(
        &self,
        folder: FolderId,
        invitation: InvitationId,
        key: &InviteKey,
        rng: &mut (impl Random + ?Sized),
    ) -> Vec<u8> {
        seal_key(&self.master, key, &seals::reading_context(self.id(), folder, invitation), rng).to_vec()
    }

    /// Opens what [`seal_reading_key`](Self::seal_reading_key) sealed.
    ///
    /// # Errors
    /// [`OpenError`] if it belongs to another account, folder or invitation, or was altered.
    pub fn open_reading_key(
        &self,
        folder: FolderId,
        invitation: InvitationId,
        sealed: &[u8],
    ) -> Result<InviteKey, OpenError> {
        open_key(&self.master, &seals::reading_context(self.id(), folder, invitation), sealed)
    }
}

impl SealedAccount {
    /// Makes an account: an id, three key pairs (some seconds), a recovery key, and the seals. `kek` is what
    /// `parameters` derive from the password.
    #[must_use]
    pub fn create(
        parameters: PasswordParameters,
        kek: &PasswordKek,
        rng: &mut (impl Random + ?Sized),
    ) -> (Self, Account, RecoveryKey) {
        Self::from_keys(PrivateKeys::generate(rng), parameters, kek, rng)
    }

    /// Makes an account of existing keys, which belong to no other.
    pub(super) fn from_keys(
        keys: PrivateKeys,
        parameters: PasswordParameters,
        kek: &PasswordKek,
        rng: &mut (impl Random + ?Sized),
    ) -> (Self, Account, RecoveryKey) {
        let bundle = Bundle {
            account: AccountId::new(random_id(rng)),
            login: parameters.login.clone(),
            identity: keys.identity.public(),
            envelope: keys.envelope.public(),
            login_key: keys.login.public(),
            sequence: 1,
        };
        let bundle = SignedBundle::sign(bundle, &keys.identity);
        let account = Account { bundle, keys, master: Key::generate(rng) };
        let recovery_key = RecoveryKey::generate(rng);
        let sealed = Self {
            blob: SealedKeys::seal(&account, 1, rng),
            password: PasswordSeal::seal(&account, 1, parameters, kek, rng),
            recovery: RecoverySeal::seal(&account, 1, &recovery_key, rng),
            state: None,
            bundle: account.bundle.clone(),
        };
        (sealed, account, recovery_key)
    }

    /// The public bundle.
    #[must_use]
    pub fn bundle(&self) -> &SignedBundle {
        &self.bundle
    }

    /// The account's id.
    #[must_use]
    pub fn id(&self) -> AccountId {
        self.bundle.bundle().account
    }

    /// E-mail address or name.
    #[must_use]
    pub fn login(&self) -> &Login {
        &self.bundle.bundle().login
    }

    /// What the password's keys depend on.
    #[must_use]
    pub fn password_parameters(&self) -> &PasswordParameters {
        &self.password.parameters
    }

    /// Unlocks by the password, which takes a second or so.
    ///
    /// # Errors
    /// [`UnlockError`]
    pub fn open_with_password<'a>(
        &self,
        passphrase: impl Into<Passphrase<'a>>,
    ) -> Result<Account, UnlockError> {
        Ok(self.open_with_kek(&self.password.parameters.derive(passphrase)?.kek)?)
    }

    /// Unlocks by a key that was derived from the password before.
    ///
    /// # Errors
    /// [`OpenError`] if it is another key, or the account was altered.
    pub fn open_with_kek(&self, kek: &PasswordKek) -> Result<Account, OpenError> {
        let seal = &self.password;
        let context = seals::password_context(self.id(), seal.version, &seal.parameters);
        self.open(open_key(kek, &context, &seal.sealed)?)
    }

    /// Unlocks by the recovery key.
    ///
    /// # Errors
    /// [`OpenError`] if it is another account's key, or an older one, or the account was altered.
    pub fn open_with_recovery(&self, key: &RecoveryKey) -> Result<Account, OpenError> {
        let kek: RecoveryKek = key.derive_kek();
        self.open(open_key(
            &kek,
            &seals::recovery_context(self.id(), &self.recovery.id),
            &self.recovery.sealed,
        )?)
    }

    /// Unlocks by a device's seal, without deriving anything from a password.
    ///
    /// # Errors
    /// [`OpenError`] if the seal belongs to another account or device, or anything was altered.
    pub fn open_with_device(&self, seal: &[u8], device: &DeviceKey) -> Result<Account, OpenError> {
        let (&[DEVICE_SEAL_VERSION], rest) = seal.split_first_chunk().ok_or(OpenError)? else {
            return Err(OpenError);
        };
        let (id, sealed) = rest.split_first_chunk().ok_or(OpenError)?;
        self.open(open_key(device, &seals::device_context(self.id(), id), sealed)?)
    }

    /// Opens the private keys and checks that they are the bundle's, before any of them is used.
    fn open(&self, master: AccountMasterKey) -> Result<Account, OpenError> {
        let context = seals::blob_context(self.id(), self.blob.version, &self.bundle.hash());
        let keys = PrivateKeys::open(&master, &context, &self.blob.sealed)?;
        let bundle = self.bundle.bundle();
        let same = keys.identity.public() == bundle.identity
            && keys.envelope.spki() == bundle.envelope.spki()
            && keys.login.spki() == bundle.login_key.spki();
        if same { Ok(Account { bundle: self.bundle.clone(), keys, master }) } else { Err(OpenError) }
    }

    /// Parameters for a new password of this account: the same login, a new nonce.
    #[must_use]
    pub fn new_password_parameters(
        &self,
        realm: impl Into<String>,
        iterations: u32,
        rng: &mut (impl Random + ?Sized),
    ) -> PasswordParameters {
        PasswordParameters::generate(self.login().clone(), realm, iterations, rng)
    }

    /// Seals the account under a new password; `kek` is what `parameters` derive from it. Devices and the recovery key
    /// open it as before.
    ///
    /// # Errors
    /// [`OpenError`] if `account` is another.
    pub fn change_password(
        &mut self,
        account: &Account,
        parameters: PasswordParameters,
        kek: &PasswordKek,
        rng: &mut (impl Random + ?Sized),
    ) -> Result<(), OpenError> {
        self.check_is(account)?;
        let version = self.password.version.saturating_add(1);
        self.password = PasswordSeal::seal(account, version, parameters, kek, rng);
        Ok(())
    }

    /// Signs a new bundle with another login, seals the keys for it, and seals the account under the password that was
    /// derived anew for that login. The account opened from it is the result.
    ///
    /// # Errors
    /// [`OpenError`] if `account` is another, or `parameters` are.
    pub fn change_login(
        &mut self,
        account: Account,
        parameters: PasswordParameters,
        kek: &PasswordKek,
        rng: &mut (impl Random + ?Sized),
    ) -> Result<Account, OpenError> {
        self.check_is(&account)?;
        let old = account.bundle.bundle();
        let bundle = Bundle {
            login: parameters.login.clone(),
            sequence: old.sequence.saturating_add(1),
            ..old.clone()
        };
        let account = Account { bundle: SignedBundle::sign(bundle, &account.keys.identity), ..account };
        self.bundle = account.bundle.clone();
        self.blob = SealedKeys::seal(&account, self.blob.version.saturating_add(1), rng);
        self.change_password(&account, parameters, kek, rng)?;
        Ok(account)
    }

    /// The recovery key, to be shown again.
    ///
    /// # Errors
    /// [`OpenError`] if `account` is another, or its copy was altered.
    pub fn recovery_key(&self, account: &Account) -> Result<RecoveryKey, OpenError> {
        let context = seals::recovery_copy_context(self.id(), &self.recovery.id);
        RecoveryKey::open(&account.master, &context, &self.recovery.copy)
    }

    /// Takes a new recovery key; the old one opens this account no longer.
    ///
    /// # Errors
    /// [`OpenError`] if `account` is another.
    pub fn change_recovery_key(
        &mut self,
        account: &Account,
        key: &RecoveryKey,
        rng: &mut (impl Random + ?Sized),
    ) -> Result<(), OpenError> {
        self.check_is(account)?;
        let version = self.recovery.version().saturating_add(1);
        self.recovery = RecoverySeal::seal(account, version, key, rng);
        Ok(())
    }

    /// Version of the account's state; 0 while there is none.
    #[must_use]
    pub fn state_version(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.version)
    }

    /// The account's state: pins, folders. `None` while there is none.
    ///
    /// # Errors
    /// [`OpenError`] if `account` is another, or the state was altered.
    pub fn state(&self, account: &Account) -> Result<Option<Zeroizing<Vec<u8>>>, OpenError> {
        let Some(state) = &self.state else { return Ok(None) };
        let context = seals::state_context(self.id(), state.version);
        cobblestone::open(&account.master, &context, &state.sealed).map(Some)
    }

    /// Replaces the account's state by a newer one.
    ///
    /// # Errors
    /// [`OpenError`] if `account` is another.
    pub fn set_state(
        &mut self,
        account: &Account,
        state: &[u8],
        rng: &mut (impl Random + ?Sized),
    ) -> Result<(), OpenError> {
        self.check_is(account)?;
        let version = self.state_version().saturating_add(1);
        let sealed =
            cobblestone::seal(&account.master, rng, &seals::state_context(self.id(), version), state);
        self.state = Some(SealedState { version, sealed });
        Ok(())
    }

    fn check_is(&self, account: &Account) -> Result<(), OpenError> {
        if self.bundle == account.bundle { Ok(()) } else { Err(OpenError) }
    }
}

impl SealedKeys {
    fn seal(account: &Account, version: u32, rng: &mut (impl Random + ?Sized)) -> Self {
        let context = seals::blob_context(account.id(), version, &account.bundle.hash());
        Self { version, sealed: account.keys.seal(&account.master, &context, rng) }
    }
}

impl PasswordSeal {
    fn seal(
        account: &Account,
        version: u32,
        parameters: PasswordParameters,
        kek: &PasswordKek,
        rng: &mut (impl Random + ?Sized),
    ) -> Self {
        let context = seals::password_context(account.id(), version, &parameters);
        Self {
            version,
            sealed: seal_key::<_, purpose::AccountMaster>(kek, &account.master, &context, rng),
            parameters,
        }
    }
}

impl RecoverySeal {
    fn seal(account: &Account, version: u64, key: &RecoveryKey, rng: &mut (impl Random + ?Sized)) -> Self {
        let mut id = random_id(rng);
        id[..8].copy_from_slice(&version.to_be_bytes());
        let sealed =
            seal_key(&key.derive_kek(), &account.master, &seals::recovery_context(account.id(), &id), rng);
        let copy = key.seal(&account.master, &seals::recovery_copy_context(account.id(), &id), rng);
        Self { id, sealed, copy }
    }

    /// How often the recovery key was changed: it tells an old seal from a new one.
    pub fn version(&self) -> u64 {
        recovery_version(&self.id)
    }
}

fn random_id(rng: &mut (impl Random + ?Sized)) -> [u8; 16] {
    let mut id = [0; 16];
    rng.fill(&mut id);
    id
}

#[cfg(test)]
impl Account {
    /// Puts other keys behind the bundle, as no honest program does.
    pub(super) fn replace_keys(&mut self, keys: PrivateKeys) {
        self.keys = keys;
    }
}

#[cfg(test)]
impl SealedAccount {
    /// Seals the account's keys again.
    pub(super) fn reseal_keys(&mut self, account: &Account, rng: &mut impl Random) {
        self.blob = SealedKeys::seal(account, self.blob.version, rng);
    }
}
