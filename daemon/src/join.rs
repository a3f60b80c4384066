//! Adding a pair of directories: makes a folder where the encrypted directory has none, joins it where it has one.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use ensafer_client::exit::Exit;
use ensafer_core::account::OpenInvitation;
use ensafer_core::api::local::{Expected, RefusalClass};
use ensafer_core::clock::{Clock as VersionVector, Dot};
use ensafer_core::crypto::{FolderKey, InviteKey, Random, SystemRandom};
use ensafer_core::format::roster::{
    FolderLayout, MAX_GROUP_OBJECT_LEN, MAX_GROUPS, Roster, RosterStatement, seal_roster_object,
};
use ensafer_core::format::{HeaderError, PREFIX_LEN, Prefix, object_name};
use ensafer_core::ids::{DeviceId, Fingerprint, FolderId, GroupId, InvitationId};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::StoreKey;

use crate::account::Unlocked;
use crate::engine::current_identity;
use crate::envelopes::Envelopes;
use crate::exit::Failure;
use crate::folder_keys::{FolderKeysError, OpenFolder, Vault};
use crate::folders::{FolderEntry, Folders};
use crate::groups::{self, HeldGroup, Met, is_group_file};
use crate::membership::MAX_ROSTER_FILE_BYTES;
use crate::output::printable;
use crate::refusals::{self, Pair};
use crate::state::{Identity, State};
use crate::store::{DirectoryStore, EncryptedStore, Listed};
use crate::work_dir::{Marker, WorkDir};

/// Makes or joins the folder of `pair`, as is `expected` and `owner`'s where these are named, and puts it on the list.
/// Nothing is changed where that is refused.
///
/// # Errors
/// The encrypted directory holds something else than is expected, the encrypted folder belongs to another account, its
/// roster has not arrived, the work directory is already part of another folder, or the folder is synced in another place
/// of this computer.
pub fn add(
    pair: &Pair,
    folders: &mut Folders,
    vault: &dyn Vault,
    owner: Option<Fingerprint>,
    expected: Option<Expected>,
    device_name: &str,
    now: Timestamp,
) -> Result<FolderEntry> {
    let unlocked = vault.unlocked()?;
    let work = WorkDir::open(&pair.work)?;
    work.probe()?;
    let provisional = DeviceId::new(SystemRandom.array());
    let store = DirectoryStore::open(&pair.encrypted, provisional)?;
    store.probe()?;
    let joinable = look(pair, &store, work.read_marker()?.as_ref(), vault, owner, device_name)?;
    refuse_unexpected(joinable.as_ref(), expected, pair)?;
    // Looking may have taken minutes: what the list says is asked once more.
    folders.add(|folders| -> Result<FolderEntry> {
        refusals::check_apart_from(pair, folders.entries())?;
        let id = match &joinable {
            Some(Joinable { opened, vault }) => {
                refusals::check_unlisted(opened.id, folders.entries())?;
                vault.keep_those_of(opened, now)?;
                opened.id
            }
            None => create(&store, &unlocked, provisional, device_name, now)?,
        };
        let mut state = State::open(&folders.fresh_state_directory(id)?.join("state.redb"))?;
        let identity = current_identity(&mut state)?;
        work.write_marker(&Marker { folder_id: id, device_id: identity.device, made: now })?;
        Ok(FolderEntry { id, work: pair.work.clone(), encrypted: pair.encrypted.clone() })
    })
}

/// A folder that can be joined.
pub struct Joinable<'a> {
    /// The folder.
    pub opened: OpenFolder,
    /// The account's keys, with what is known of this folder only.
    pub vault: Beside<'a>,
}

/// Looks, without changing anything, at what adding `pair` would be: joining a folder, or, `None`, making one. Directories
/// that are not there count as empty. It must be as is `expected`, where that is named.
///
/// # Errors
/// As [`add`].
pub fn examine<'a>(
    pair: &Pair,
    folders: &Folders,
    vault: &'a dyn Vault,
    owner: Option<Fingerprint>,
    expected: Option<Expected>,
    device_name: &str,
) -> Result<Option<Joinable<'a>>> {
    let marker = if pair.work.exists() { WorkDir::open(&pair.work)?.read_marker()? } else { None };
    if !pair.encrypted.exists() {
        refuse_absent(owner, pair)?;
        refuse_marker(marker.as_ref(), pair)?;
        refuse_unexpected(None, expected, pair)?;
        return Ok(None);
    }
    let store = DirectoryStore::open(&pair.encrypted, DeviceId::new([0; 16]))?;
    let joinable = look(pair, &store, marker.as_ref(), vault, owner, device_name)?;
    refuse_unexpected(joinable.as_ref(), expected, pair)?;
    if let Some(Joinable { opened, .. }) = &joinable {
        refusals::check_unlisted(opened.id, folders.entries())?;
    }
    Ok(joinable)
}

/// What the encrypted directory of `pair` has to be joined; `None` where a new folder may be made in it.
fn look<'a>(
    pair: &Pair,
    store: &DirectoryStore,
    marker: Option<&Marker>,
    vault: &'a dyn Vault,
    owner: Option<Fingerprint>,
    device_name: &str,
) -> Result<Option<Joinable<'a>>> {
    let Found { roster, groups } = find_rosters(store)?;
    let Some(bytes) = roster else {
        refuse_absent(owner, pair)?;
        refuse_lost_roster(store, marker, pair)?;
        return Ok(None);
    };
    let vault = Beside::new(vault, owner, &groups, &vault.unlocked()?);
    let identity = Identity { device: DeviceId::new([0; 16]), machine: String::new() };
    let opened = OpenFolder::open(&bytes, &vault, &identity, device_name, None);
    let opened = check_joinable(opened, pair)?;
    refuse_other_owner(&opened, owner, pair)?;
    refuse_other_folder(marker, opened.id, pair)?;
    Ok(Some(Joinable { opened, vault }))
}

/// Refuses directories in which the folder `id` cannot be joined, or not yet: for whoever is about to do something for it
/// that cannot be done twice. Nothing is changed, and no key is needed.
///
/// # Errors
/// The folder's roster has not arrived, or either directory is another folder's.
pub fn check_before_joining(pair: &Pair, id: FolderId) -> Result<()> {
    let work = WorkDir::open(&pair.work)?;
    work.probe()?;
    refuse_other_folder(work.read_marker()?.as_ref(), id, pair)?;
    let store = DirectoryStore::open(&pair.encrypted, DeviceId::new([0; 16]))?;
    store.probe()?;
    let Some(bytes) = find_rosters(&store)?.roster else { return Err(not_arrived(pair).into()) };
    if Prefix::parse(&bytes)?.file_id == id.root() {
        return Ok(());
    }
    let what = format!("{} holds another folder than the one that is meant", pair.encrypted.display());
    let remedy = format!("Name the directory that holds {}: ensafer folder find", object_name(id.root()));
    Err(Failure::new(Exit::NotARecipient, what).with_remedy(remedy).into())
}

/// The bytes of the roster in `encrypted`.
///
/// # Errors
/// There is none.
pub fn read_roster(encrypted: &Path) -> Result<Vec<u8>> {
    let store = DirectoryStore::open(encrypted, DeviceId::new([0; 16]))?;
    find_rosters(&store)?.roster.with_context(|| format!("{} has no roster", encrypted.display()))
}

/// What of an encrypted directory says who may do what.
#[derive(Default)]
struct Found {
    /// The folder's roster.
    roster: Option<Vec<u8>>,
    /// The files of groups, no more than a folder may have.
    groups: Vec<Vec<u8>>,
}

/// The roster in an encrypted directory, and the files of groups. They have their own names: copies have not.
///
/// # Errors
/// Several rosters are there: somebody has put another folder's into it.
fn find_rosters(store: &DirectoryStore) -> Result<Found> {
    let listing = store.list()?;
    let mut found = Found::default();
    for Listed { key, stamp } in &listing.objects {
        let Ok(file) = store.open(key) else { continue };
        let mut start = [0; PREFIX_LEN];
        let is_long_enough = stamp.length >= PREFIX_LEN as u64;
        if !is_long_enough || file.read_exact_at(0, &mut start).is_err() {
            continue;
        }
        let is_roster = |prefix: &Prefix| {
            prefix.roster && key.is_own_of(prefix.file_id) && stamp.length <= MAX_ROSTER_FILE_BYTES
        };
        if !Prefix::parse(&start).is_ok_and(|prefix| is_roster(&prefix)) {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(stamp.length)?];
        file.read_exact_at(0, &mut bytes)?;
        if is_group_file(&bytes) {
            if bytes.len() <= MAX_GROUP_OBJECT_LEN && found.groups.len() < MAX_GROUPS {
                found.groups.push(bytes);
            }
            continue;
        }
        if found.roster.is_some() {
            let failure = Failure::new(
                Exit::VerificationFailed,
                "The encrypted folder holds two folders' member lists",
            );
            return Err(failure
                .with_remedy("Ask its owner which one is theirs, and remove the other")
                .into());
        }
        found.roster = Some(bytes);
    }
    Ok(found)
}

/// A vault with what is known of one folder only while it is looked at: the groups whose files lie beside the roster, and
/// open, until it shows which of them the roster names; what a dry run meets of them; and the owner who was named and
/// looked up, and need not be pinned.
pub struct Beside<'a> {
    vault: &'a dyn Vault,
    owner: Option<Fingerprint>,
    groups: Vec<Arc<HeldGroup>>,
    met: Mutex<Vec<Arc<HeldGroup>>>,
}

impl<'a> Beside<'a> {
    fn new(
        vault: &'a dyn Vault,
        owner: Option<Fingerprint>,
        objects: &[Vec<u8>],
        unlocked: &Unlocked,
    ) -> Self {
        let open = |object: &Vec<u8>| HeldGroup::open(object, &unlocked.account).ok().map(Arc::new);
        Self { vault, owner, groups: objects.iter().filter_map(open).collect(), met: Mutex::default() }
    }

    fn met(&self) -> MutexGuard<'_, Vec<Arc<HeldGroup>>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the groups that the folder is shared with.
    fn keep_those_of(&self, opened: &OpenFolder, now: Timestamp) -> Result<(), FolderKeysError> {
        let listed = &opened.roster().state().groups;
        for held in self.groups.iter().filter(|held| listed.iter().any(|group| group.id == held.id())) {
            self.vault.hold_group(held.id(), held.object(), now)?;
        }
        Ok(())
    }
}

impl Vault for Beside<'_> {
    fn unlocked(&self) -> Result<Unlocked, FolderKeysError> {
        self.vault.unlocked()
    }

    fn envelopes(&self) -> &Envelopes {
        self.vault.envelopes()
    }

    fn knows(&self, identity: &Fingerprint) -> Result<bool, FolderKeysError> {
        Ok(self.owner.as_ref() == Some(identity) || self.vault.knows(identity)?)
    }

    fn invitation(&self, folder: FolderId) -> Result<Option<(InvitationId, InviteKey)>, FolderKeysError> {
        self.vault.invitation(folder)
    }

    fn groups(&self) -> Result<Vec<Arc<HeldGroup>>, FolderKeysError> {
        let mut groups = self.vault.groups()?;
        groups.extend(self.groups.iter().cloned());
        groups.extend(self.met().iter().cloned());
        Ok(groups)
    }

    /// Nothing is kept of a folder that is only looked at.
    fn hold_group(&self, group: GroupId, object: &[u8], now: Timestamp) -> Result<Met, FolderKeysError> {
        let account = self.vault.unlocked()?.account;
        let mut met = self.met();
        if met.iter().all(|held| held.id() != group) {
            met.extend(self.vault.groups()?.into_iter().filter(|held| held.id() == group));
        }
        Ok(groups::meet(&mut met, group, object, &account, now))
    }

    fn guests(&self, folder: FolderId) -> Result<Vec<(InvitationId, OpenInvitation)>, FolderKeysError> {
        self.vault.guests(folder)
    }
}

/// Whoever agreed to what a dry run showed agreed to nothing else.
fn refuse_unexpected(joinable: Option<&Joinable<'_>>, expected: Option<Expected>, pair: &Pair) -> Result<()> {
    let found = Expected::from(joinable.map(|joinable| joinable.opened.id));
    if expected.is_none_or(|expected| expected == found) {
        return Ok(());
    }
    let what = format!("What is in {} has changed since it was looked at", pair.encrypted.display());
    let remedy = "Look again at what would happen, and add the folder then if that is what you want";
    Err(Failure::new(Exit::RetryLater, what).with_remedy(remedy).into())
}

/// Whoever names an owner wants no folder of their own.
fn refuse_absent(owner: Option<Fingerprint>, pair: &Pair) -> Result<()> {
    if owner.is_none() { Ok(()) } else { Err(not_arrived(pair).into()) }
}

fn not_arrived(pair: &Pair) -> Failure {
    let what = format!("No encrypted folder is in {} yet", pair.encrypted.display());
    Failure::new(Exit::RetryLater, what).with_remedy(
        "Wait until the cloud client has fetched it, then the same once more; ensafer folder find looks where your clients keep theirs",
    )
}

/// Whoever names the owner wants that person's folder and no other.
fn refuse_other_owner(opened: &OpenFolder, owner: Option<Fingerprint>, pair: &Pair) -> Result<()> {
    let found = opened.roster().state().owner();
    if owner.is_none_or(|owner| owner == found) {
        return Ok(());
    }
    let what = format!(
        "The encrypted folder {} belongs to somebody else than was named (to {found})",
        pair.encrypted.display()
    );
    Err(Failure::new(Exit::NotARecipient, what).with_remedy("Name its owner, or another directory").into())
}

/// Says in words why a folder cannot be joined.
fn check_joinable(opened: Result<OpenFolder, FolderKeysError>, pair: &Pair) -> Result<OpenFolder> {
    let (work, encrypted) = (pair.work.display(), pair.encrypted.display());
    match opened {
        Err(FolderKeysError::OtherOwner { owner, login }) => {
            let login = printable(&login);
            let what = format!(
                "The encrypted folder {encrypted} belongs to another account, by its own words that of {login} ({owner}), whom this account has never met"
            );
            let remedy = format!(
                "Where it is {login} who shares it with you: ensafer folder add {work} {encrypted} --from {login}. For a folder of your own use an empty directory"
            );
            let failure = Failure::new(Exit::NotARecipient, what).with_remedy(remedy);
            Err(failure.with_class(RefusalClass::UnknownOwner).about(login).into())
        }
        Err(FolderKeysError::Roster(HeaderError::NotARecipient) | FolderKeysError::NotAMember) => {
            let what = format!("The encrypted folder {encrypted} is not shared with this account");
            let remedy = format!(
                "Ask its owner to add you (ensafer share add WORK EMAIL), and wait until the cloud client has fetched everything; then ensafer folder add {work} {encrypted} --from EMAIL, with the owner's address. For a folder of your own use an empty directory"
            );
            Err(Failure::new(Exit::NotARecipient, what).with_remedy(remedy).into())
        }
        other => other.with_context(|| format!("The folder in {encrypted} cannot be joined")),
    }
}

/// A work directory belongs to one folder.
fn refuse_other_folder(marker: Option<&Marker>, id: FolderId, pair: &Pair) -> Result<()> {
    match marker {
        Some(marker) if marker.folder_id != id => {
            let what = format!("The work folder {} is part of another encrypted folder", pair.work.display());
            let remedy = format!(
                "Use another directory, or remove {}/.ensafer/folder if it is not",
                pair.work.display()
            );
            let failure = Failure::new(Exit::Error, what).with_remedy(remedy);
            Err(failure.with_class(RefusalClass::NotAllowed).into())
        }
        _ => Ok(()),
    }
}

/// Encrypted files without a roster, or a work directory that was synced before, are no place for a new folder.
fn refuse_lost_roster(store: &DirectoryStore, marker: Option<&Marker>, pair: &Pair) -> Result<()> {
    let directory = pair.encrypted.display();
    if !store.list()?.objects.is_empty() {
        let what =
            format!("{directory} holds encrypted files, but the roster that belongs to them is not there");
        let remedy = "Wait until the cloud client has fetched everything, or use an empty directory";
        return Err(Failure::new(Exit::RetryLater, what).with_remedy(remedy).into());
    }
    refuse_marker(marker, pair)
}

/// A work directory that was synced before waits for its encrypted folder.
fn refuse_marker(marker: Option<&Marker>, pair: &Pair) -> Result<()> {
    if marker.is_none() {
        return Ok(());
    }
    let (work, directory) = (pair.work.display(), pair.encrypted.display());
    let what = format!("{work} was synced with another encrypted folder before, and {directory} is empty");
    let remedy = format!(
        "Wait until the cloud client has fetched everything, or remove {work}/.ensafer/folder to begin anew"
    );
    Err(Failure::new(Exit::RetryLater, what).with_remedy(remedy).into())
}

/// Makes a folder of the account: a roster with one member, durable when this returns.
fn create(
    store: &DirectoryStore,
    unlocked: &Unlocked,
    device: DeviceId,
    device_name: &str,
    now: Timestamp,
) -> Result<FolderId> {
    let account = &unlocked.account;
    let mut rng = SystemRandom;
    let key = FolderKey::generate(&mut rng);
    let bundle = account.bundle().clone();
    let roster = Roster::create(bundle, account.identity(), rng.array(), FolderLayout::Flat, key)?;
    let dot = Dot { counter: 1, device };
    let fields = RosterStatement {
        device,
        device_name: device_name.into(),
        clock: VersionVector::new().with(dot),
        dot,
        modified: now,
        created: now,
    };
    let object =
        seal_roster_object(&roster, &roster.member_envelopes(None)?, fields, account.identity(), &mut rng)?;
    let id = roster.state().folder;
    let staged = store.stage()?;
    staged.write_at(0, &object.bytes)?;
    let batch = [staged];
    store.barrier(&batch)?;
    let [staged] = batch;
    store.commit(staged, &StoreKey(object_name(id.root()).into()), None, None)?;
    store.sync_directories()?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use ensafer_core::crypto::EnvelopePrivateKey;
    use ensafer_core::format::roster::Group;

    use super::*;
    use crate::engine::tests::accounts::{TestVault, alice};

    #[test]
    fn a_group_that_a_dry_run_meets_is_kept_by_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let (account, now) = (alice(), Timestamp::default());
        let vault = TestVault::new(Arc::clone(&account), 1, directory.path());
        let pair = EnvelopePrivateKey::generate();
        let group =
            Group::create(account.bundle().clone(), account.identity(), [7; 16], pair, &mut SystemRandom);
        let held = HeldGroup::seal(group.unwrap(), None, &account, now).unwrap();
        let beside = Beside::new(&vault, None, &[], &vault.unlocked().unwrap());
        let met = beside.hold_group(held.id(), held.object(), now).unwrap();
        assert!(matches!(met, Met::Held(_)), "{met:?}");
        assert_eq!(beside.groups().unwrap()[0].id(), held.id());
        assert!(vault.groups().unwrap().is_empty());
    }
}
