//! A folder's keys and roster, opened: what reading and writing its objects needs.

use std::fmt;
use std::sync::Arc;

use ensafer_core::account::{Account, OpenInvitation};
use ensafer_core::clock::{Clock, Dot};
use ensafer_core::crypto::{FolderKey, FolderKeyName, InviteKey, SigningKey, SystemRandom, VerifyingKey};
use ensafer_core::format::roster::{
    LogOrder, OpenedRoster, Role, Roster, RosterError, RosterState, RosterStatement, open_roster_object,
    seal_roster_object,
};
use ensafer_core::format::{
    Access, AccessList, AccountAlone, Authorship, EnvelopeType, FolderSeal, HeaderError, Invited,
    MAX_ENVELOPES, OpenedFolderKey, OpenedHeader, Prefix, SealError, Statement, SyncedFolder,
};
use ensafer_core::ids::{DeviceId, FileId, Fingerprint, FolderId, GroupId, InvitationId};
use ensafer_core::time::Timestamp;

use crate::account::Unlocked;
use crate::envelopes::{EnvelopeName, Envelopes};
use crate::groups::{HeldGroup, Met};
use crate::state::Identity;

/// Opens the account when its keys are first needed, and not before.
pub trait Vault: Send + Sync {
    /// The account.
    ///
    /// # Errors
    /// [`FolderKeysError::Locked`] where nobody can be asked, and what opening says.
    fn unlocked(&self) -> Result<Unlocked, FolderKeysError>;

    /// The cache of opened envelopes.
    fn envelopes(&self) -> &Envelopes;

    /// Whether the account has seen the identity before, and remembers it: its owner's folders may be joined.
    ///
    /// # Errors
    /// As [`unlocked`](Self::unlocked).
    fn knows(&self, identity: &Fingerprint) -> Result<bool, FolderKeysError>;

    /// The invitation to a folder by which the account reads until it is a member.
    ///
    /// # Errors
    /// As [`unlocked`](Self::unlocked).
    fn invitation(&self, folder: FolderId) -> Result<Option<(InvitationId, InviteKey)>, FolderKeysError>;

    /// The groups that the account is in, as far as this computer has heard of them.
    ///
    /// # Errors
    /// As [`unlocked`](Self::unlocked).
    fn groups(&self) -> Result<Vec<Arc<HeldGroup>>, FolderKeysError>;

    /// Keeps what was met of `group` at `now`, unless what is held says more.
    ///
    /// # Errors
    /// As [`unlocked`](Self::unlocked).
    fn hold_group(&self, group: GroupId, object: &[u8], now: Timestamp) -> Result<Met, FolderKeysError>;

    /// The invitations to a folder that the account made, and that are open as far as this computer has heard.
    ///
    /// # Errors
    /// As [`unlocked`](Self::unlocked).
    fn guests(&self, folder: FolderId) -> Result<Vec<(InvitationId, OpenInvitation)>, FolderKeysError>;
}

/// A folder's keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FolderKeysError {
    /// The password is needed.
    #[error("the keys are locked")]
    Locked,
    /// The account cannot be opened.
    #[error("{0}")]
    Account(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The roster cannot be read with this account.
    #[error("the folder's roster cannot be opened")]
    Roster(#[from] HeaderError),
    /// The folder is somebody else's, and nothing vouches for it.
    #[error("the encrypted folder belongs to another account ({owner}), which this one has never met")]
    OtherOwner {
        /// Its owner.
        owner: Fingerprint,
        /// What the owner is called there; nothing vouches for that either.
        login: String,
    },
    /// The account was removed from the folder.
    #[error("you are no longer a member of the folder; your copies stay here")]
    NotAMember,
    /// The roster opens, and is of no use.
    #[error("the folder's roster cannot be used")]
    Unusable(#[from] RosterError),
}

/// Everything that is needed to read and write a folder's objects.
pub struct OpenFolder {
    /// The folder.
    pub id: FolderId,
    /// Who writes here, as statements say it.
    pub authorship: Authorship,
    /// Who writes here, as conflict copies say it.
    pub author: Arc<str>,
    roster: Roster,
    /// What the roster's own statement says of it.
    version: Version,
    /// Whether the account is neither a member nor a guest.
    pub is_outsider: bool,
    /// The roster's envelopes.
    envelopes: Access,
    file_envelopes: Access,
    seal_key: Arc<FolderKey>,
    account: Arc<Account>,
}

/// Whose invitations a roster gets or loses.
#[derive(Debug, Clone, Default)]
pub struct Guests {
    /// They read by these keys from now on.
    pub invited: Vec<(InvitationId, Arc<InviteKey>)>,
    /// They read no more by these.
    pub gone: Vec<InvitationId>,
}

/// What the roster's own statement says of it.
#[derive(Debug, Clone)]
struct Version {
    writer: VerifyingKey,
    device: DeviceId,
    created: Timestamp,
}

impl fmt::Debug for OpenFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFolder").field("id", &self.id).finish_non_exhaustive()
    }
}

impl OpenFolder {
    /// Opens the roster in `object` for the device `identity`, called `device_name`. A folder is accepted that the
    /// account itself made, or somebody whom it has met. With the keys of an earlier version, `known`, those need not be
    /// opened again.
    ///
    /// # Errors
    /// [`FolderKeysError`].
    pub fn open(
        object: &[u8],
        vault: &dyn Vault,
        identity: &Identity,
        device_name: &str,
        known: Option<&Self>,
    ) -> Result<Self, FolderKeysError> {
        let open = Self::open_for_anybody(object, vault, identity, device_name, known)?;
        if open.is_outsider { Err(FolderKeysError::NotAMember) } else { Ok(open) }
    }

    /// The same, also where the account is no member: with keys that it has had it may still open what others wrote.
    ///
    /// # Errors
    /// [`FolderKeysError`], but for [`NotAMember`](FolderKeysError::NotAMember).
    pub fn open_for_anybody(
        object: &[u8],
        vault: &dyn Vault,
        identity: &Identity,
        device_name: &str,
        known: Option<&Self>,
    ) -> Result<Self, FolderKeysError> {
        let unlocked = vault.unlocked()?;
        let known = known.map(|known| &known.roster);
        let groups = vault.groups()?;
        let opened = match open_roster(object, &unlocked, &groups, vault.envelopes(), known) {
            Err(HeaderError::NotARecipient) => open_as_guest(object, vault, known)?,
            opened => opened?,
        };
        let account = unlocked.account;
        let state = opened.roster.state();
        let me = account.identity().public();
        if state.owner_key != me && !vault.knows(&state.owner())? {
            let login = state.login_of(&state.owner_key).unwrap_or_default().to_owned();
            return Err(FolderKeysError::OtherOwner { owner: state.owner(), login });
        }
        let is_guest = state.role_of(&me).is_none();
        let is_outsider = is_guest && !is_invited(&opened, vault)?;
        let device_name: Arc<str> = device_name.into();
        let login = account.login().as_str();
        let OpenedHeader { statement, access, .. } = opened.header;
        Ok(Self {
            id: state.folder,
            author: author(login, &device_name),
            authorship: Authorship {
                folder: state.folder,
                owner: state.owner(),
                writer: me,
                device: identity.device,
                device_name,
                roster_head: state.head,
            },
            version: Version {
                writer: statement.writer,
                device: statement.device,
                created: statement.created,
            },
            is_outsider,
            file_envelopes: Roster::file_envelopes(&access),
            envelopes: access,
            seal_key: opened.roster.current_key()?.clone(),
            roster: opened.roster,
            account,
        })
    }

    /// What the account may do here.
    #[must_use]
    pub fn role(&self) -> Role {
        self.roster.state().role_of(&self.authorship.writer).unwrap_or(Role::Reader)
    }

    /// Whether the account reads by an invitation, and is no member yet.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.roster.state().role_of(&self.authorship.writer).is_none()
    }

    /// Whether somebody can read by this invitation.
    #[must_use]
    pub fn has_invitation(&self, id: InvitationId) -> bool {
        Roster::has_invitation(&self.envelopes, id)
    }

    /// How many invitations there are by which somebody can read.
    #[must_use]
    pub fn invitation_count(&self) -> usize {
        self.envelopes.envelopes().filter(|envelope| envelope.kind == EnvelopeType::INVITE).count()
    }

    /// Whether the roster may follow on `before`: written by somebody who has, or had, a part in it, with an envelope for
    /// every member and for nobody else, those of the same epoch as they were, and with every key that was known.
    #[must_use]
    pub fn may_follow(&self, before: Option<&Self>) -> bool {
        let settled = before.filter(|before| !before.gives_way_to(self));
        self.roster.state().login_of(&self.version.writer).is_some()
            && self.roster.without_envelope(&self.envelopes).next().is_none()
            && !self.roster.has_strange_envelopes(&self.envelopes, settled.map(|before| &before.envelopes))
            && before.is_none_or(|before| self.roster.has_keys_of(&before.roster))
    }

    /// Whether this, which this device itself has written, gives way to `found`, which says the same: two devices may write at
    /// one moment, each with envelopes of its own, and neither would ever end. Nobody gives way to a lesser role.
    fn gives_way_to(&self, found: &Self) -> bool {
        let (me, other) = (self.authorship.writer, found.version.writer);
        let is_own = self.version.device == self.authorship.device && self.version.writer == me;
        let state = self.roster.state();
        let (i_administer, other_does) = (state.may_administer(&me), state.may_administer(&other));
        let is_first = !i_administer && state.may_write(&other) && other < me;
        is_own
            && self.roster.compare(&found.roster) == LogOrder::Same
            && (other == me || other_does || is_first)
    }

    /// Seals `roster`, which has grown from this one and perhaps from `others`, as the event `dot` at `now`. Envelopes of
    /// the same epoch stay as they are, but for those of `guests`.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal_roster(
        &self,
        roster: &Roster,
        others: &[&Self],
        guests: &Guests,
        dot: Dot,
        now: Timestamp,
    ) -> Result<Vec<u8>, SealError> {
        let all = others.iter().flat_map(|other| other.envelopes.envelopes());
        let known = Access::build(self.envelopes.envelopes().chain(all).take(MAX_ENVELOPES));
        let mut envelopes = roster.member_envelopes(known.ok().as_ref())?;
        for id in &guests.gone {
            envelopes = Roster::without_invitation(&envelopes, *id);
        }
        for (id, key) in &guests.invited {
            envelopes = roster.with_invitation(&envelopes, *id, key, &mut SystemRandom)?;
        }
        let fields = RosterStatement {
            device: self.authorship.device,
            device_name: self.authorship.device_name.clone(),
            // Of rosters the entries tell which is newer; a clock that others write into has no bounds.
            clock: Clock::new().with(dot),
            dot,
            modified: now,
            created: self.version.created,
        };
        Ok(seal_roster_object(roster, &envelopes, fields, self.signer(), &mut SystemRandom)?.bytes)
    }

    /// Opens this folder's objects, and no others.
    #[must_use]
    pub fn source(&self) -> SyncedFolder<'_, Roster> {
        SyncedFolder { folder: self.id, keys: &self.roster }
    }

    /// What this folder's objects are sealed with.
    #[must_use]
    pub fn seal(&self) -> FolderSeal<'_> {
        FolderSeal::new(self.id, self.roster.state().epoch, &self.seal_key, &self.file_envelopes)
    }

    /// Signs statements.
    #[must_use]
    pub fn signer(&self) -> &SigningKey {
        self.account.identity()
    }

    /// Takes from an opened header the access list that nobody signed who may.
    pub fn judge_access_list(&self, header: &mut OpenedHeader) {
        let may_sign = |list: &AccessList| self.roster.state().may_administer(&list.signer);
        if !header.access_list.as_ref().is_none_or(may_sign) {
            header.distrust_access_list();
        }
    }

    /// The folder's roster.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Who wrote a statement, as conflict copies say it.
    #[must_use]
    pub fn author_of(&self, statement: &Statement) -> Arc<str> {
        let login = self.roster.state().login_of(&statement.writer).unwrap_or_default();
        author(login, &statement.device_name)
    }

    /// The id of a conflict copy (engine rule 13): the same in every epoch, because the first epoch's key makes it.
    #[must_use]
    pub fn copy_id(&self, file: FileId, losing: Dot) -> FileId {
        let first = self.roster.keys().next().map_or(&self.seal_key, |(_, key)| key);
        first.conflict_copy_id(file, losing)
    }
}

/// `alice, laptop`: the part of an e-mail address before the `@`, and the device.
#[must_use]
pub fn author(login: &str, device_name: &str) -> Arc<str> {
    let person = login.split('@').next().unwrap_or_default();
    format!("{person}, {device_name}").into()
}

/// What the roster in `object` says, of whatever folder and whoever's it is. Nothing vouches for it.
///
/// # Errors
/// It is not for the account, or no whole roster.
pub fn look_at_roster(
    object: &[u8],
    unlocked: &Unlocked,
    groups: &[Arc<HeldGroup>],
    cache: &Envelopes,
) -> Result<RosterState, HeaderError> {
    Ok(open_roster(object, unlocked, groups, cache, None)?.roster.state().clone())
}

/// The same, for whoever reads by an invitation that this computer has accepted.
///
/// # Errors
/// It is not for the account, or its invitation is over; it is no whole roster, or the account cannot be opened.
pub fn look_at_roster_as_guest(object: &[u8], vault: &dyn Vault) -> Result<RosterState, FolderKeysError> {
    let opened = open_as_guest(object, vault, None)?;
    if !is_invited(&opened, vault)? {
        return Err(FolderKeysError::NotAMember);
    }
    Ok(opened.roster.state().clone())
}

/// Opens a roster object with an account and the groups that it is in. The folder key is one of `known`, or comes from the envelope cache where it was
/// opened before, and is put there otherwise.
fn open_roster(
    object: &[u8],
    unlocked: &Unlocked,
    groups: &[Arc<HeldGroup>],
    cache: &Envelopes,
    known: Option<&Roster>,
) -> Result<OpenedRoster, HeaderError> {
    let envelopes = member_envelopes(object)?;
    let from_cache = envelopes.iter().filter_map(|(folder_key, name)| {
        let key = cache.get(&unlocked.device, *name)?;
        let is_named_so = key.name(folder_key.folder, folder_key.epoch) == *folder_key;
        is_named_so.then(|| OpenedFolderKey { name: *folder_key, key: Arc::new(key) })
    });
    let cached: Vec<_> = from_cache.collect();
    let keys = known.into_iter().flat_map(Roster::keys);
    let known = keys.map(|(name, key)| OpenedFolderKey { name, key: key.clone() });
    let keys = AccountAlone::new(unlocked.account.envelope(), known.chain(cached.iter().cloned()).collect())
        .with_groups(groups.iter().flat_map(|held| held.group().pairs()));
    let opened = open_roster_object(object, &keys)?;
    let is_new = |key: &OpenedFolderKey| cached.iter().all(|cached| cached.name != key.name);
    for key in keys.opened().into_iter().filter(is_new) {
        if let Some((_, name)) = envelopes.iter().find(|(folder_key, _)| *folder_key == key.name) {
            cache.put(&unlocked.device, *name, &key.key, &mut SystemRandom);
        }
    }
    Ok(opened)
}

/// Opens a roster by an invitation.
fn open_as_guest(
    object: &[u8],
    vault: &dyn Vault,
    known: Option<&Roster>,
) -> Result<OpenedRoster, FolderKeysError> {
    let folder = FolderId::new(*Prefix::parse(object)?.file_id.as_bytes());
    let invitation = vault.invitation(folder)?;
    let (id, key) = invitation.ok_or(FolderKeysError::Roster(HeaderError::NotARecipient))?;
    let keys = known.into_iter().flat_map(Roster::keys);
    let known = keys.map(|(name, key)| OpenedFolderKey { name, key: key.clone() });
    Ok(open_roster_object(object, &Invited::new(id, &key, known.collect()))?)
}

/// Whether the account has an invitation that still opens the roster, perhaps beside keys from earlier.
fn is_invited(opened: &OpenedRoster, vault: &dyn Vault) -> Result<bool, FolderKeysError> {
    let invitation = vault.invitation(opened.roster.state().folder)?;
    Ok(invitation.is_some_and(|(id, _)| Roster::has_invitation(&opened.header.access, id)))
}

/// A roster's member envelopes: the key that each holds, and its name in the cache.
fn member_envelopes(object: &[u8]) -> Result<Vec<(FolderKeyName, EnvelopeName)>, HeaderError> {
    let prefix = Prefix::parse(object)?;
    let start = ensafer_core::format::PREFIX_LEN;
    let needed = (start + prefix.access_len) as u64;
    let bytes = object.get(start..start + prefix.access_len).ok_or(HeaderError::TooShort { needed })?;
    let access = Access::parse(bytes)?;
    let members = access.envelopes().filter(|envelope| envelope.kind == EnvelopeType::MEMBER);
    let named = members.filter_map(|envelope| {
        let (name, sealed) = envelope.folder_key()?;
        Some((name, EnvelopeName::new(&name.to_bytes(), sealed)))
    });
    Ok(named.collect())
}
