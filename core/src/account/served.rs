//! A sealed account as the server keeps and serves it.

use super::blob::{Account, PasswordSeal, RecoverySeal, SealedAccount, SealedKeys, SealedState};
use super::bundle::SignedBundle;
use super::file::ParseAccountError;
use super::state::{AccountState, ParseStateError};
use crate::api::hex::{HexArray, HexBytes};
use crate::api::server::{
    AccountDocument, BundleDocument, PasswordSealDocument, RecoverySealDocument, SealedKeysDocument,
    StateDocument,
};
use crate::crypto::{OpenError, PasswordParameters, Signature};

/// What is served cannot stand where this account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SucceedError {
    /// A newer version of Ensafer wrote it, and this one cannot tell.
    #[error("the account was changed by a newer version of Ensafer: upgrade to read it")]
    NewerVersion,
    /// It is older, forgets something, or does not open.
    #[error("it is older, or does not open")]
    Refused,
}

impl From<OpenError> for SucceedError {
    fn from(_: OpenError) -> Self {
        Self::Refused
    }
}

impl From<ParseStateError> for SucceedError {
    fn from(error: ParseStateError) -> Self {
        match error {
            ParseStateError::NewerVersion => Self::NewerVersion,
            ParseStateError::Damaged => Self::Refused,
        }
    }
}

impl From<&SignedBundle> for BundleDocument {
    fn from(bundle: &SignedBundle) -> Self {
        Self {
            bundle: HexBytes(bundle.bytes().to_vec()),
            signature: HexArray(*bundle.signature().as_bytes()),
        }
    }
}

impl TryFrom<&BundleDocument> for SignedBundle {
    type Error = super::BundleError;

    /// Verifies the signature.
    fn try_from(document: &BundleDocument) -> Result<Self, Self::Error> {
        Self::verify(&document.bundle.0, Signature::new(document.signature.0))
    }
}

impl SealedAccount {
    /// The account as it is served.
    #[must_use]
    pub fn to_document(&self) -> AccountDocument {
        AccountDocument {
            bundle: (&self.bundle).into(),
            keys: SealedKeysDocument {
                version: self.blob.version,
                sealed: HexBytes(self.blob.sealed.clone()),
            },
            password: self.password_document(),
            recovery: self.recovery_document(),
            state: self.state_document(),
        }
    }

    /// The password's seal as it is served.
    #[must_use]
    pub fn password_document(&self) -> PasswordSealDocument {
        let PasswordSeal { version, parameters, sealed } = &self.password;
        PasswordSealDocument {
            version: *version,
            realm: parameters.realm.clone(),
            nonce: HexArray(parameters.nonce),
            iterations: parameters.iterations,
            sealed: HexBytes(sealed.to_vec()),
        }
    }

    /// The recovery key's seals as they are served.
    #[must_use]
    pub fn recovery_document(&self) -> RecoverySealDocument {
        let RecoverySeal { id, sealed, copy } = &self.recovery;
        RecoverySealDocument {
            id: HexArray(*id),
            sealed: HexBytes(sealed.to_vec()),
            copy: HexBytes(copy.clone()),
        }
    }

    /// The state as it is served, if there is one.
    #[must_use]
    pub fn state_document(&self) -> Option<StateDocument> {
        let state = self.state.as_ref()?;
        Some(StateDocument { version: state.version, sealed: HexBytes(state.sealed.clone()) })
    }

    /// Takes an account that was served, verifying the bundle's signature. Nothing sealed is opened yet.
    ///
    /// # Errors
    /// [`ParseAccountError`]
    pub fn from_document(document: &AccountDocument) -> Result<Self, ParseAccountError> {
        let bundle = SignedBundle::try_from(&document.bundle)?;
        let AccountDocument { keys, password, recovery, .. } = document;
        let seal = |sealed: &HexBytes| sealed.0.as_slice().try_into().map_err(|_| ParseAccountError::Damaged);
        let account = Self {
            blob: SealedKeys { version: keys.version, sealed: keys.sealed.0.clone() },
            password: PasswordSeal {
                version: password.version,
                parameters: PasswordParameters {
                    login: bundle.bundle().login.clone(),
                    realm: password.realm.clone(),
                    nonce: password.nonce.0,
                    iterations: password.iterations,
                },
                sealed: seal(&password.sealed)?,
            },
            recovery: RecoverySeal {
                id: recovery.id.0,
                sealed: seal(&recovery.sealed)?,
                copy: recovery.copy.0.clone(),
            },
            state: None,
            bundle,
        };
        account.with_state_document(document.state.as_ref())
    }

    /// The same account with the state that was served.
    ///
    /// # Errors
    /// [`ParseAccountError::Damaged`] if its version is 0, which no state has.
    pub fn with_state_document(self, state: Option<&StateDocument>) -> Result<Self, ParseAccountError> {
        let state = match state {
            Some(StateDocument { version: 0, .. }) => return Err(ParseAccountError::Damaged),
            Some(state) => Some(SealedState { version: state.version, sealed: state.sealed.0.clone() }),
            None => None,
        };
        Ok(Self { state, ..self })
    }

    /// Whether `other` is the same account, whichever version of it: same id, same identity.
    #[must_use]
    pub fn is_same_account(&self, other: &Self) -> bool {
        self.id() == other.id() && self.bundle.fingerprint() == other.bundle.fingerprint()
    }

    /// Whether `served` is this account, or a later version of it, with nothing in it older. A server that serves anything
    /// else has lost something, or lies. Passwords for different realms, of two servers or of none, are not versions of
    /// each other.
    #[must_use]
    pub fn is_succeeded_by(&self, served: &Self) -> bool {
        self.is_same_account(served)
            && self.bundle.bundle().sequence <= served.bundle.bundle().sequence
            && self.blob.version <= served.blob.version
            && (self.password.parameters.realm != served.password.parameters.realm
                || self.password.version <= served.password.version)
            && self.recovery.version() <= served.recovery.version()
            && (self.recovery.version() < served.recovery.version() || self.recovery == served.recovery)
            && self.state_version() <= served.state_version()
            && (self.state_version() < served.state_version() || self.state == served.state)
            && (self.bundle.bundle().sequence < served.bundle.bundle().sequence
                || self.bundle == served.bundle)
    }

    /// Whether `served`'s state forgets nothing that this one's remembers; `account` opens both.
    ///
    /// # Errors
    /// [`SucceedError`] if it does, or one of them does not open or cannot be read.
    pub fn check_state_of(&self, served: &Self, account: &Account) -> Result<(), SucceedError> {
        let (before, after) = (self.read_state(account)?, served.read_state(account)?);
        if before.is_succeeded_by(&after) { Ok(()) } else { Err(SucceedError::Refused) }
    }

    /// What the account remembers; nothing while it has no state.
    ///
    /// # Errors
    /// [`SucceedError`] if the state does not open or cannot be read.
    pub fn read_state(&self, account: &Account) -> Result<AccountState, SucceedError> {
        let Some(bytes) = self.state(account)? else { return Ok(AccountState::default()) };
        Ok(AccountState::from_bytes(&bytes)?)
    }

    /// Takes each part from `other`, the same account as another process left it, unless it is older there.
    pub fn catch_up(&mut self, other: &Self) {
        if self.bundle.bundle().sequence <= other.bundle.bundle().sequence
            && self.blob.version <= other.blob.version
        {
            self.bundle = other.bundle.clone();
            self.blob = other.blob.clone();
        }
        if self.password.version <= other.password.version {
            self.password = other.password.clone();
        }
        if self.recovery.version() <= other.recovery.version() {
            self.recovery = other.recovery.clone();
        }
        if self.state_version() <= other.state_version() {
            self.state = other.state.clone();
        }
    }

    /// The same with an account that was just logged in to: its password takes the place of one for another realm,
    /// whichever was set later.
    pub fn catch_up_by_login(&mut self, served: &Self) {
        self.catch_up(served);
        if self.password.parameters.realm != served.password.parameters.realm {
            self.password = served.password.clone();
        }
    }

    /// Opens everything that `account`, which was opened from this, can open: the recovery key's seals and the state.
    /// What was altered in them would show only on the day on which it is needed.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn check(&self, account: &Account) -> Result<(), OpenError> {
        let key = self.recovery_key(account)?;
        let again = self.open_with_recovery(&key)?;
        self.state(&again).map(drop)
    }

    /// Takes over what another device changed: bundle and private keys, recovery key, state. Everything is opened
    /// first. The password's seal stays what it is, because nothing here can open the served one.
    ///
    /// # Errors
    /// [`SucceedError`] if something in `served` does not open with this account's master key, or is older; nothing is
    /// changed then.
    pub fn adopt(&mut self, account: &Account, served: &Self) -> Result<Account, SucceedError> {
        if !self.is_succeeded_by(served) {
            return Err(SucceedError::Refused);
        }
        // The recovery key is sealed under this master key, so what it opens was sealed by this account.
        let key = served.recovery_key(account)?;
        let opened = served.open_with_recovery(&key)?;
        self.check_state_of(served, &opened)?;
        *self = Self { password: self.password.clone(), ..served.clone() };
        Ok(opened)
    }
}
