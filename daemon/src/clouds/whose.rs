//! Whose the encrypted folders in clients' directories are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use ensafer_client::home::Home;
use ensafer_core::account::{Account, AccountState};
use ensafer_core::api::local::{FoundFolder, Whose};
use ensafer_core::format::HeaderError;
use ensafer_core::ids::FolderId;

use super::CloudDirectory;
use super::rosters::{self, FoundRoster};
use crate::account::{self, Unlocked};
use crate::folder_keys::{self, Vault};
use crate::folders::FolderEntry;
use crate::groups::HeldGroup;
use crate::members;

/// An encrypted folder in a client's directory.
#[derive(Debug, Clone)]
pub struct Encrypted {
    /// Where it lies.
    pub directory: PathBuf,
    /// Which one it is.
    pub folder: FolderId,
    /// Whose it is.
    pub whose: Whose,
}

impl Encrypted {
    /// The folder as reports have it.
    #[must_use]
    pub fn report(&self) -> FoundFolder {
        let encrypted = self.directory.to_string_lossy().into_owned();
        FoundFolder { encrypted, folder: self.folder, whose: self.whose.clone() }
    }
}

/// Looks at `clouds` and says whose the encrypted folders in them are: those on the list `folders`, then those of the
/// account, and those that are shared with it, or to which it has accepted an invitation. Others are left out. The account is opened when there is something to open,
/// and not before; without a `vault` it stays unknown whose they are.
///
/// # Errors
/// The account cannot be opened.
pub fn find(
    clouds: &[CloudDirectory],
    folders: &[FolderEntry],
    home: &Home,
    vault: Option<&dyn Vault>,
) -> Result<Vec<Encrypted>> {
    let mut found = listed(clouds, folders);
    let rosters = unlisted(clouds, folders, &home.directories());
    let (Some(vault), false) = (vault, rosters.is_empty()) else {
        found.extend(rosters.into_iter().map(|FoundRoster { directory, folder, .. }| Encrypted {
            directory,
            folder,
            whose: Whose::Unknown,
        }));
        return Ok(found);
    };
    let unlocked = vault.unlocked()?;
    let known = account::known_people(home, &unlocked.account)?;
    let groups = vault.groups()?;
    found.extend(rosters.into_iter().filter_map(|roster| {
        let whose = judge(&roster, &unlocked, &groups, vault, &known)?;
        Some(Encrypted { directory: roster.directory, folder: roster.folder, whose })
    }));
    Ok(found)
}

/// The folders of this computer that lie in `clouds`.
fn listed(clouds: &[CloudDirectory], folders: &[FolderEntry]) -> Vec<Encrypted> {
    let lies_in = |path: &Path| clouds.iter().any(|cloud| path.starts_with(&cloud.path));
    let entries = folders.iter().filter(|entry| lies_in(&entry.encrypted));
    let encrypted = entries.map(|entry| Encrypted {
        directory: entry.encrypted.clone(),
        folder: entry.id,
        whose: Whose::Listed { work: entry.work.to_string_lossy().into_owned() },
    });
    encrypted.collect()
}

/// The rosters in `clouds` of folders that are not on the list, each once.
fn unlisted(clouds: &[CloudDirectory], folders: &[FolderEntry], own: &[&Path]) -> Vec<FoundRoster> {
    let is_known = |path: &Path| {
        own.contains(&path) || folders.iter().any(|entry| path == entry.work || path == entry.encrypted)
    };
    let mut found: Vec<FoundRoster> = Vec::new();
    for cloud in clouds {
        for roster in rosters::below(&cloud.path, is_known) {
            let is_listed = folders.iter().any(|entry| entry.id == roster.folder);
            if !is_listed && found.iter().all(|other| other.directory != roster.directory) {
                found.push(roster);
            }
        }
    }
    found
}

/// Whose a folder is, `None` where it is not for the account, or does not open.
fn judge(
    roster: &FoundRoster,
    unlocked: &Unlocked,
    groups: &[Arc<HeldGroup>],
    vault: &dyn Vault,
    known: &AccountState,
) -> Option<Whose> {
    let object = roster.read()?;
    let look =
        |groups: &[Arc<HeldGroup>]| folder_keys::look_at_roster(&object, unlocked, groups, vault.envelopes());
    let by_group = || {
        // The group by which it opens may never have been met: then its file lies beside the roster.
        let open = |object: &Vec<u8>| HeldGroup::open(object, &unlocked.account).ok().map(Arc::new);
        let beside: Vec<_> = roster.read_groups().iter().filter_map(open).collect();
        if beside.is_empty() { None } else { look(&beside).ok() }
    };
    let account: &Account = &unlocked.account;
    let me = account.identity().public();
    let as_member = match look(groups) {
        Err(HeaderError::NotARecipient) => by_group(),
        state => Some(state.ok()?),
    };
    let as_member = as_member.filter(|state| state.role_of(&me).is_some());
    let state = as_member.or_else(|| folder_keys::look_at_roster_as_guest(&object, vault).ok())?;
    if state.folder != roster.folder {
        return None;
    }
    if state.owner_key == me {
        return Some(Whose::Own);
    }
    let owner = &state.member(&state.owner_key)?.bundle;
    let (login, standing) = members::holder(owner, account, known);
    Some(Whose::Shared { owner: login, fingerprint: owner.fingerprint().to_string(), standing })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ensafer_core::account::{Bundle, SignedBundle};
    use ensafer_core::api::local::Standing;
    use ensafer_core::clock::{Clock as VersionVector, Dot};
    use ensafer_core::crypto::{FolderKey, InvitationSecrets, TestRandom};
    use ensafer_core::format::object_name;
    use ensafer_core::format::roster::{FolderLayout, Role, Roster, RosterStatement, seal_roster_object};
    use ensafer_core::ids::{DeviceId, InvitationId};
    use ensafer_core::time::Timestamp;

    use super::*;
    use crate::engine::tests::accounts::{TestVault, alice, bob};

    /// Lays the roster of a folder of `owner` into `directory`, with `bundle` for the owner's keys, shared with `member` and
    /// with whoever has the secrets of `invitation`.
    fn lay_roster(
        owner: &Account,
        bundle: SignedBundle,
        member: Option<&Account>,
        invitation: Option<(InvitationId, &InvitationSecrets)>,
        directory: &Path,
    ) {
        let (mut rng, device) = (TestRandom::new(7), DeviceId::new([7; 16]));
        let key = FolderKey::generate(&mut rng);
        let mut roster = Roster::create(bundle, owner.identity(), [7; 16], FolderLayout::Flat, key).unwrap();
        if let Some(member) = member {
            roster.add(member.bundle().clone(), Role::Writer, owner.identity()).unwrap();
        }
        let dot = Dot { counter: 1, device };
        let fields = RosterStatement {
            device,
            device_name: "laptop".into(),
            clock: VersionVector::new().with(dot),
            dot,
            modified: Timestamp::default(),
            created: Timestamp::default(),
        };
        let mut envelopes = roster.member_envelopes(None).unwrap();
        if let Some((id, secrets)) = invitation {
            let reading = secrets.derive(id).reading;
            envelopes = roster.with_invitation(&envelopes, id, &reading, &mut rng).unwrap();
        }
        let object = seal_roster_object(&roster, &envelopes, fields, owner.identity(), &mut rng).unwrap();
        fs::write(directory.join(object_name(roster.state().folder.root())), object.bytes).unwrap();
    }

    #[test]
    fn a_guest_finds_the_folder_of_an_invitation_and_of_no_other() {
        let (dir, cloud) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (alice, bob, mut known) = (alice(), bob(), AccountState::default());
        known.meet(&"bob@example.com".parse().unwrap(), bob.bundle()).unwrap();
        let (id, other) = (InvitationId::new([1; 16]), InvitationId::new([2; 16]));
        let secrets = || InvitationSecrets::generate(&mut TestRandom::new(3));
        lay_roster(&bob, bob.bundle().clone(), None, Some((id, &secrets())), cloud.path());
        let roster = rosters::below(cloud.path(), |_| false).remove(0);
        let vault = TestVault::new(alice, 1, dir.path());
        let unlocked = vault.unlocked().unwrap();
        let judged = || judge(&roster, &unlocked, &[], &vault, &known);
        assert_eq!(judged(), None, "whoever has accepted nothing");
        for (accepted, finds) in [(other, false), (id, true)] {
            *vault.invited.lock().unwrap() = Some((roster.folder, accepted, secrets()));
            let owner = judged().map(|whose| match whose {
                Whose::Shared { owner, standing: Standing::Pinned, .. } => owner,
                other => panic!("{other:?}"),
            });
            assert_eq!(owner.as_deref(), finds.then_some("bob@example.com"));
        }
    }

    #[test]
    fn a_known_person_lays_no_folder_in_anothers_name() {
        let (dir, cloud) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (alice, bob, mut known) = (alice(), bob(), AccountState::default());
        known.meet(&"bob@example.com".parse().unwrap(), bob.bundle()).unwrap();
        let as_carol =
            Bundle { login: "carol@example.com".parse().unwrap(), ..bob.bundle().bundle().clone() };
        let bundle = SignedBundle::sign(as_carol, bob.identity());
        lay_roster(&bob, bundle, Some(&alice), None, cloud.path());

        let vault = TestVault::new(alice, 1, dir.path());
        let roster = rosters::below(cloud.path(), |_| false).remove(0);
        let whose = judge(&roster, &vault.unlocked().unwrap(), &[], &vault, &known);
        let (owner, fingerprint) = ("bob@example.com".into(), bob.fingerprint().to_string());
        assert_eq!(whose, Some(Whose::Shared { owner, fingerprint, standing: Standing::Pinned }));
    }
}
