//! Accounts that everybody knows, because making them takes seconds: `testdata/accounts`.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ensafer_core::account::{Account, OpenInvitation, SealedAccount};
use ensafer_core::crypto::{DeviceKey, InvitationSecrets, InviteKey, PasswordParameters, TestRandom};
use ensafer_core::ids::{Fingerprint, FolderId, GroupId, InvitationId};
use ensafer_core::time::Timestamp;

use crate::account::Unlocked;
use crate::envelopes::Envelopes;
use crate::folder_keys::{FolderKeysError, Vault};
use crate::groups::{HeldGroup, Met, meet};

const ALICE: &[u8] = include_bytes!("../../../testdata/accounts/test-only-alice.ensafer-account");
const ALICE_RECOVERY: &str = include_str!("../../../testdata/accounts/test-only-alice.recovery-key");
const BOB: &[u8] = include_bytes!("../../../testdata/accounts/test-only-bob.ensafer-account");
const BOB_RECOVERY: &str = include_str!("../../../testdata/accounts/test-only-bob.recovery-key");

const CAROL: &[u8] = include_bytes!("../../../testdata/accounts/test-only-carol.ensafer-account");
const CAROL_RECOVERY: &str = include_str!("../../../testdata/accounts/test-only-carol.recovery-key");

/// The recovery key opens an account without the rounds that a password needs.
fn open(sealed: &[u8], recovery_key: &str) -> Arc<Account> {
    let sealed = SealedAccount::from_bytes(sealed).unwrap();
    Arc::new(sealed.open_with_recovery(&recovery_key.trim().parse().unwrap()).unwrap())
}

pub fn alice() -> Arc<Account> {
    open(ALICE, ALICE_RECOVERY)
}

pub fn bob() -> Arc<Account> {
    open(BOB, BOB_RECOVERY)
}

pub fn carol() -> Arc<Account> {
    open(CAROL, CAROL_RECOVERY)
}

/// An account that is at hand until it is locked.
pub struct TestVault {
    account: Arc<Account>,
    device: Arc<DeviceKey>,
    envelopes: Envelopes,
    pub is_locked: AtomicBool,
    /// Whom the account has met.
    pub met: Mutex<HashSet<Fingerprint>>,
    /// The invitation that the account has.
    pub invited: Mutex<Option<(FolderId, InvitationId, InvitationSecrets)>>,
    /// The groups that the account is in.
    pub groups: Mutex<Vec<Arc<HeldGroup>>>,
    /// The invitations that the account has made.
    pub guests: Mutex<Vec<(InvitationId, OpenInvitation)>>,
}

impl TestVault {
    pub fn new(account: Arc<Account>, seed: u64, cache: &std::path::Path) -> Self {
        let device = Arc::new(DeviceKey::generate(&mut TestRandom::new(seed)));
        let envelopes = Envelopes::new(cache.into());
        Self {
            account,
            device,
            envelopes,
            is_locked: AtomicBool::new(false),
            met: Mutex::default(),
            invited: Mutex::default(),
            groups: Mutex::default(),
            guests: Mutex::default(),
        }
    }
}

impl TestVault {
    pub fn meet(&self, account: &Account) {
        self.met.lock().unwrap().insert(account.fingerprint());
    }
}

impl Vault for TestVault {
    fn unlocked(&self) -> Result<Unlocked, FolderKeysError> {
        if self.is_locked.load(Ordering::Relaxed) {
            return Err(FolderKeysError::Locked);
        }
        Ok(Unlocked { account: self.account.clone(), device: self.device.clone() })
    }

    fn envelopes(&self) -> &Envelopes {
        &self.envelopes
    }

    fn invitation(&self, folder: FolderId) -> Result<Option<(InvitationId, InviteKey)>, FolderKeysError> {
        let invited = self.invited.lock().unwrap();
        let secrets = invited.as_ref().filter(|(to, ..)| *to == folder);
        Ok(secrets.map(|(_, id, secrets)| (*id, secrets.derive(*id).reading)))
    }

    fn groups(&self) -> Result<Vec<Arc<HeldGroup>>, FolderKeysError> {
        self.unlocked()?;
        Ok(self.groups.lock().unwrap().clone())
    }

    fn hold_group(&self, group: GroupId, object: &[u8], now: Timestamp) -> Result<Met, FolderKeysError> {
        let account = self.unlocked()?.account;
        Ok(meet(&mut self.groups.lock().unwrap(), group, object, &account, now))
    }

    fn guests(&self, folder: FolderId) -> Result<Vec<(InvitationId, OpenInvitation)>, FolderKeysError> {
        let guests = self.guests.lock().unwrap();
        Ok(guests.iter().filter(|(_, guest)| guest.folder == folder).cloned().collect())
    }

    fn knows(&self, identity: &Fingerprint) -> Result<bool, FolderKeysError> {
        Ok(self.met.lock().unwrap().contains(identity))
    }
}

/// Makes the files of `testdata/accounts`; they are frozen, so this is for a day on which the layout has changed.
#[test]
#[ignore = "writes into testdata"]
fn make_accounts() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/accounts");
    std::fs::create_dir_all(directory).unwrap();
    for (name, seed) in [("alice", 1), ("bob", 2), ("carol", 3)] {
        if std::fs::exists(format!("{directory}/test-only-{name}.ensafer-account")).unwrap() {
            continue;
        }
        let login = format!("{name}@example.com").parse().unwrap();
        let mut rng = TestRandom::new(seed);
        let iterations = ensafer_core::crypto::MIN_ITERATIONS;
        let parameters = PasswordParameters::generate(login, "local", iterations, &mut rng);
        let kek = parameters.derive("test only").unwrap().kek;
        let (sealed, _, recovery_key) = SealedAccount::create(parameters, &kek, &mut rng);
        std::fs::write(format!("{directory}/test-only-{name}.ensafer-account"), sealed.to_bytes()).unwrap();
        std::fs::write(format!("{directory}/test-only-{name}.recovery-key"), &*recovery_key.to_text())
            .unwrap();
    }
}
