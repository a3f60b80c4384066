//! Changes of a folder's members, made by this account's wish. They happen in the folder's own thread, because each is an
//! event of this device (engine rule 18).

use std::collections::HashMap;
use std::path::Path;

use ensafer_core::account::SignedBundle;
use ensafer_core::clock::Dot;
use ensafer_core::crypto::{FolderKey, SigningKey, SystemRandom, VerifyingKey};
use ensafer_core::format::roster::{ListedGroup, LogOrder, ManifestName, Role, Roster, RosterError};
use ensafer_core::format::{Manifest, object_name, open_header};
use ensafer_core::ids::{FileId, GroupId, InvitationId, StatementHash};
use ensafer_core::plan::ProblemClass;
use ensafer_core::time::Timestamp;
use ensafer_core::tree::StoreKey;
use rayon::prelude::*;

use super::groups::losing;
use super::guests::{reading_keys, staying};
use super::{EngineError, Env, Folder};
use crate::folder_keys::{Guests, OpenFolder};
use crate::membership::{MAX_MANIFEST_FILE_BYTES, Membership, manifest_key, read_bounded};
use crate::payload::read_head;
use crate::store::{CommitError, EncryptedStore, Listed, StoreError, StoreStamp};

/// How often a change is tried again when another device changes the roster at the same time.
const ATTEMPTS: usize = 3;

/// A change of a folder's members.
#[derive(Debug, Clone)]
pub enum MemberChange {
    /// Adds somebody, or gives a member new keys.
    Add {
        /// Whom.
        bundle: Box<SignedBundle>,
        /// What they may do.
        role: Role,
    },
    /// Changes what a member may do.
    SetRole {
        /// Whose.
        subject: VerifyingKey,
        /// From now on.
        role: Role,
    },
    /// Removes a member.
    Remove {
        /// Whom.
        subject: VerifyingKey,
    },
    /// Removes this account.
    Leave,
    /// Shares the folder with a group that this account is in, or changes what the group's members may do.
    ShareWith {
        /// The group.
        group: GroupId,
        /// What its members may do: reader or writer.
        role: Role,
    },
    /// Takes the folder away from a group.
    Unshare {
        /// The group.
        group: GroupId,
    },
    /// Takes in what is new about the folder's groups. Whoever may write does it.
    LearnGroups,
    /// Lets guests of this account's invitations read until they are members.
    Invite {
        /// The invitations.
        invitations: Vec<InvitationId>,
    },
    /// Takes that back, with a new epoch: whoever had the key knows it.
    Uninvite {
        /// The invitations.
        invitations: Vec<InvitationId>,
    },
    /// Adds the guest of an invitation that is still open.
    Complete {
        /// The invitation.
        invitation: InvitationId,
        /// Whom.
        bundle: Box<SignedBundle>,
        /// What they may do.
        role: Role,
    },
}

impl MemberChange {
    const fn may_start_epoch(&self) -> bool {
        matches!(
            self,
            Self::SetRole { .. } | Self::Remove { .. } | Self::Unshare { .. } | Self::Uninvite { .. }
        )
    }
}

/// Versions by who has written them.
pub(super) type VersionsBy = HashMap<VerifyingKey, Vec<(FileId, StatementHash)>>;

/// Which of somebody's versions are theirs to have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// Those that count by the roster.
    ByRoster,
    /// All that they signed: by now they may not write, and until now nobody has said when that began.
    BySignature,
}

/// Whose manifest, and where.
struct ManifestId {
    subject: VerifyingKey,
    id: FileId,
}

/// Why a folder's members are not changed.
#[derive(Debug, thiserror::Error)]
pub enum MembersError {
    /// The roster is not there, or something is not in order with it.
    #[error("the folder's member list is not there, or not in order")]
    NoRoster,
    /// This account is no member.
    #[error("you are no longer a member of the folder; your copies stay here")]
    NotAMember,
    /// Some of the encrypted folder cannot be listed: what somebody has written cannot be told.
    #[error("the encrypted folder cannot be read whole: {0}")]
    Unlisted(String),
    /// Others changed it at the same moment, again and again.
    #[error("the folder's member list is being changed by somebody else")]
    Busy,
    /// Only admins and the owner may.
    #[error("only the folder's owner and its admins may change its members")]
    NotAllowed,
    /// There is no such member.
    #[error("nobody of that address is a member of the folder")]
    NoMember,
    /// The account is in no such group, or the folder is not shared with it.
    #[error("this account knows no such group, or the folder is not shared with it")]
    NoGroup,
    /// Somebody has left the group, and its next keys are not made yet.
    #[error("somebody has left the group, and still has its keys")]
    GroupUnsettled,
    /// There is no room for what is new about a group.
    #[error("the folder's member list has no room for what is new about one of its groups")]
    GroupFull,
    /// They are a member already.
    #[error("they are a member of the folder already")]
    AlreadyMember,
    /// The owner stays.
    #[error("a folder's owner can neither be removed nor leave, nor get another role")]
    Owner,
    /// The folder does not know the invitation (any more).
    #[error("the folder has no such open invitation")]
    NoInvitation,
    /// They were removed, and an invitation that was left over lets nobody in again.
    #[error("they were removed from the folder, and no invitation lets them in again")]
    Former,
    /// There is no room for more.
    #[error("the folder's member list is full")]
    Full,
    /// The folder cannot go on.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl MembersError {
    /// Whether it may go well when it is tried again later.
    #[must_use]
    pub const fn is_for_later(&self) -> bool {
        matches!(self, Self::NoRoster | Self::Busy | Self::Unlisted(_) | Self::GroupUnsettled)
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NoRoster => Some("ensafer problems"),
            Self::NotAMember | Self::NotAllowed => {
                Some("Ask the folder's owner or an admin; ensafer share list shows who they are")
            }
            Self::Unlisted(_) | Self::Busy => Some("Try again in a moment"),
            Self::NoMember => Some("ensafer share list"),
            Self::NoGroup => Some("ensafer group list"),
            Self::GroupUnsettled => {
                Some("Try again when a computer of the group's owner, or of an admin, has been online")
            }
            Self::NoInvitation => Some("ensafer invite list"),
            Self::Former => Some("ensafer share add"),
            Self::GroupFull => Some(
                "Whoever left the group is still in the folder: take the folder from the group, and share it with a new one",
            ),
            Self::Full => Some("Remove somebody, or share with a group: ensafer group create"),
            Self::AlreadyMember | Self::Owner | Self::Engine(_) => None,
        }
    }
}

impl From<RosterError> for MembersError {
    fn from(error: RosterError) -> Self {
        match error {
            RosterError::NotAllowed => Self::NotAllowed,
            RosterError::Malformed => Self::Full,
            RosterError::OtherFolder | RosterError::KeyMissing => Self::NoRoster,
        }
    }
}

impl From<StoreError> for MembersError {
    fn from(error: StoreError) -> Self {
        Self::Engine(error.into())
    }
}

impl Folder {
    /// Changes the members: one object is rewritten, the roster. Removing a writer, or taking the right to write,
    /// writes one more, the manifest of what they had written. Durable when this returns.
    ///
    /// # Errors
    /// [`MembersError`]; the members are unchanged then.
    pub fn change_members(&mut self, change: &MemberChange, env: &Env<'_>) -> Result<(), MembersError> {
        let changed = self.try_to_change_members(change, env);
        // Nobody may look at the folder again before somebody asks how it stands.
        self.remember_shut(env.clock.now())?;
        changed
    }

    fn try_to_change_members(&mut self, change: &MemberChange, env: &Env<'_>) -> Result<(), MembersError> {
        for _ in 0..ATTEMPTS {
            let now = env.clock.now();
            self.last_look = now;
            self.roster.refusal = None;
            let stamp = self.look_at_roster_now(env, now)?;
            let keys = self.keys(env)?;
            let Some((roster, guests)) = self.changed(&keys, change, env, now)? else { return Ok(()) };
            if self.publish_roster(&roster, &[], &guests, stamp, env, now)? {
                if matches!(change, MemberChange::ShareWith { .. } | MemberChange::LearnGroups) {
                    self.put_news_of_groups(env, now)?;
                }
                return Ok(());
            }
        }
        Err(self.roster.refusal.take().map_or(MembersError::Busy, MembersError::from))
    }

    /// The stamp of the roster's file, which is the accepted one.
    fn look_at_roster_now(&mut self, env: &Env<'_>, now: Timestamp) -> Result<StoreStamp, MembersError> {
        let look = |folder: &Self| folder.store.look(folder.roster.key());
        let stamp = look(self)?.ok_or(MembersError::NoRoster)?;
        self.roster.problem = None;
        let can_sync = self.look_at_roster(stamp, env, now)?;
        if self.shut() == Some(ProblemClass::NotAMember) {
            return Err(MembersError::NotAMember);
        }
        let is_disputed = self.shut() == Some(ProblemClass::Disputed);
        // A look may have merged it with another one.
        let stamp = look(self)?.ok_or(MembersError::NoRoster)?;
        let is_in_order = (can_sync || is_disputed) && self.is_accepted(stamp)?;
        if is_in_order { Ok(stamp) } else { Err(MembersError::NoRoster) }
    }

    /// The roster with the change; `None` where nothing is to be changed.
    fn changed(
        &mut self,
        keys: &OpenFolder,
        change: &MemberChange,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<Option<(Roster, Guests)>, MembersError> {
        let mut roster = keys.roster().clone();
        let mut guests = Guests::default();
        let (me, signer) = (keys.authorship.writer, keys.signer());
        let is_for_all = matches!(change, MemberChange::Leave | MemberChange::LearnGroups);
        if !is_for_all && !roster.state().may_administer(&me) {
            return Err(MembersError::NotAllowed);
        }
        // A new epoch names the groups' newest entries: what those had written who left them is named first.
        if !is_for_all && change.may_start_epoch() {
            self.name_written(keys, &mut roster, now)?;
        }
        match change {
            MemberChange::Add { bundle, role } => {
                refuse_known(&roster, bundle)?;
                // Newer keys are no other role.
                let known = roster.state().member(&bundle.bundle().identity).map(|member| member.role);
                roster.add((**bundle).clone(), known.unwrap_or(*role), signer)?;
            }
            MemberChange::SetRole { subject, role } => {
                let before = role_of(&roster, subject)?;
                if before == *role {
                    return Err(MembersError::AlreadyMember);
                }
                if before == Role::Admin {
                    guests = self.without_guests_of(subject, keys, &mut roster, env)?;
                }
                let loses = before >= Role::Writer && *role < Role::Writer;
                if loses {
                    name_groups_left_by(subject, &mut roster, signer)?;
                }
                let manifest =
                    if loses { self.write_manifest_of(keys, &roster, subject, now)? } else { None };
                roster.set_role(*subject, *role, manifest, signer)?;
            }
            MemberChange::Remove { subject } => {
                role_of(&roster, subject)?;
                name_groups_left_by(subject, &mut roster, signer)?;
                let manifest = self.write_manifest_of(keys, &roster, subject, now)?;
                roster.remove(*subject, manifest, FolderKey::generate(&mut SystemRandom), signer)?;
                guests.invited = staying(keys, &roster, self.own_guests(env)?);
            }
            MemberChange::Leave => {
                role_of(&roster, &me)?;
                let manifest = self.write_manifest_of(keys, &roster, &me, now)?;
                roster.leave(manifest, signer)?;
            }
            MemberChange::ShareWith { group, role } => {
                self.share_with(keys, &mut roster, *group, *role, env, now)?;
            }
            MemberChange::Unshare { group } => {
                self.unshare(keys, &mut roster, *group, now)?;
                guests.invited = staying(keys, &roster, self.own_guests(env)?);
            }
            MemberChange::LearnGroups => {
                let Some(grown) = self.with_news_of_groups(&roster, env, now)? else { return Ok(None) };
                roster = grown;
            }
            MemberChange::Invite { invitations } => {
                let mut own = self.own_guests(env)?;
                own.retain(|(id, _)| invitations.contains(id) && !keys.has_invitation(*id));
                guests.invited = reading_keys(own);
            }
            MemberChange::Uninvite { invitations } => {
                // Also where there is no envelope: a guest who had one may have put an older roster back.
                roster.start_epoch(FolderKey::generate(&mut SystemRandom), signer)?;
                guests.gone.clone_from(invitations);
                let mut own = self.own_guests(env)?;
                own.retain(|(id, _)| !invitations.contains(id));
                guests.invited = staying(keys, &roster, own);
            }
            MemberChange::Complete { invitation, bundle, role } => {
                complete(keys, &mut roster, *invitation, bundle, *role)?;
                guests.gone.push(*invitation);
            }
        }
        let is_change = roster.compare(keys.roster()) != LogOrder::Same;
        let has_guests = !guests.invited.is_empty() || !guests.gone.is_empty();
        Ok((is_change || has_guests).then_some((roster, guests)))
    }

    fn share_with(
        &mut self,
        keys: &OpenFolder,
        roster: &mut Roster,
        group: GroupId,
        role: Role,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<(), MembersError> {
        let held = env.vault.groups().map_err(EngineError::from)?;
        let held = held.iter().find(|held| held.id() == group).ok_or(MembersError::NoGroup)?;
        let log = held.group().log();
        let is_listed = roster.state().groups.iter().any(|known| (known.id, known.role) == (group, role));
        if is_listed && !roster.clone().learn(log) {
            return Err(MembersError::AlreadyMember);
        }
        // Whoever has just left it has its newest key pair.
        let is_new = roster.state().groups.iter().all(|known| known.id != group);
        if is_new && held.group().state().needs_epoch {
            return Err(MembersError::GroupUnsettled);
        }
        let mut after = roster.clone();
        after.share_with(log, role, Vec::new(), keys.signer())?;
        let lost = losing(roster.state(), after.state());
        let versions = self.versions_by(keys, &lost, Judged::ByRoster)?;
        let written = self.write_manifests(keys, roster, &lost, &versions, now)?;
        Ok(roster.share_with(log, role, written, keys.signer())?)
    }

    fn unshare(
        &mut self,
        keys: &OpenFolder,
        roster: &mut Roster,
        group: GroupId,
        now: Timestamp,
    ) -> Result<(), MembersError> {
        if roster.state().groups.iter().all(|known| known.id != group) {
            return Err(MembersError::NoGroup);
        }
        let key = || FolderKey::generate(&mut SystemRandom);
        let mut after = roster.clone();
        after.unshare_with(group, Vec::new(), key(), keys.signer())?;
        let lost = losing(roster.state(), after.state());
        let versions = self.versions_by(keys, &lost, Judged::ByRoster)?;
        let written = self.write_manifests(keys, roster, &lost, &versions, now)?;
        Ok(roster.unshare_with(group, written, key(), keys.signer())?)
    }

    /// Writes the manifest of what `subject` has written that counts, as the next entry of `roster` will name it; nothing, where
    /// that is nothing.
    fn write_manifest_of(
        &mut self,
        keys: &OpenFolder,
        roster: &Roster,
        subject: &VerifyingKey,
        now: Timestamp,
    ) -> Result<Option<StatementHash>, MembersError> {
        let versions = self.versions_by(keys, &[*subject], Judged::ByRoster)?;
        self.write_manifest(keys, roster, subject, &versions, now)
    }

    /// The same of what is known to be theirs.
    pub(super) fn write_manifest(
        &mut self,
        keys: &OpenFolder,
        roster: &Roster,
        subject: &VerifyingKey,
        versions: &VersionsBy,
        now: Timestamp,
    ) -> Result<Option<StatementHash>, MembersError> {
        let manifest: Manifest = versions.get(subject).into_iter().flatten().copied().collect();
        if manifest.is_empty() {
            return Ok(None);
        }
        let id = roster.manifest_id(subject);
        let key = StoreKey(object_name(id).into());
        if let Some(statement) = self.written_manifest(keys, &ManifestId { subject: *subject, id }, &manifest)
        {
            return Ok(Some(statement));
        }
        let dot = Dot { counter: self.state.next_counter(), device: self.identity.device };
        self.state.take_counters(1).map_err(EngineError::from)?;
        let said = (&keys.authorship, dot, now);
        let sealed = manifest
            .seal(&keys.seal(), id, said, keys.signer(), &mut SystemRandom)
            .map_err(EngineError::from)?;
        let before = self.store.look(&key)?;
        let keep = match before {
            Some(_) => self.place_in_trash(&key)?,
            None => None,
        };
        match write_object(&*self.store, &key, &sealed.bytes, before, keep.as_deref()) {
            Ok(_) => Ok(Some(sealed.statement_hash)),
            Err(CommitError::Changed { .. }) => Err(MembersError::Busy),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// The statement of the manifest that lies there already and says the same as `manifest`: of an attempt that was
    /// interrupted before anything named it, or of another admin's device, which says the same at the same moment.
    fn written_manifest(
        &self,
        keys: &OpenFolder,
        of: &ManifestId,
        manifest: &Manifest,
    ) -> Option<StatementHash> {
        let name = |statement| ManifestName { subject: of.subject, id: of.id, statement };
        let key = manifest_key(&name(StatementHash::new([0; 32])));
        let bytes = read_bounded(&*self.store, &key, MAX_MANIFEST_FILE_BYTES)?;
        let header = open_header(&bytes, &keys.source()).ok()?;
        let found = Manifest::open(&bytes, &name(header.statement_hash), &keys.source()).ok()?;
        // Exactly: whom it is about may have put it there, with what they will show later.
        (found == *manifest).then_some(header.statement_hash)
    }

    /// The objects in the encrypted folder whose versions are by each of `people`.
    pub(super) fn versions_by(
        &self,
        keys: &OpenFolder,
        people: &[VerifyingKey],
        judged: Judged,
    ) -> Result<VersionsBy, MembersError> {
        let listing = self.store.list()?;
        if !listing.complete {
            let why: Vec<_> = listing.problems.iter().map(|problem| &*problem.detail).collect();
            return Err(MembersError::Unlisted(why.join("; ")));
        }
        let membership = Membership::new(keys, &*self.store);
        let version = |listed: &Listed| {
            let file = self.store.open(&listed.key).ok()?;
            let head = read_head(&*file, listed.stamp.length).ok()?;
            let header = open_header(&head, &keys.source()).ok()?;
            let (id, writer) = (header.prefix.file_id, header.statement.writer);
            let known = self.records.get(&id).map(|record| record.statement);
            let is_theirs = people.contains(&writer)
                && !header.prefix.roster
                && (judged == Judged::BySignature || membership.judge(&header, known).is_ok());
            is_theirs.then_some((writer, (id, header.statement_hash)))
        };
        let mut by_writer = VersionsBy::new();
        for (writer, version) in listing.objects.par_iter().filter_map(version).collect::<Vec<_>>() {
            by_writer.entry(writer).or_default().push(version);
        }
        Ok(by_writer)
    }
}

/// Names the newest entries of the groups that `subject` has left: what they wrote until now, the entry says that takes their
/// own right to write, and nothing that they write later becomes theirs by the group.
fn name_groups_left_by(
    subject: &VerifyingKey,
    roster: &mut Roster,
    signer: &SigningKey,
) -> Result<(), MembersError> {
    let has_left = |group: &&ListedGroup| group.role >= Role::Writer && group.left.contains(subject);
    let groups: Vec<_> =
        roster.state().groups.iter().filter(has_left).map(|group| (group.id, group.role)).collect();
    for (group, role) in groups {
        let log = roster.group_log(group).cloned().ok_or(MembersError::NoGroup)?;
        roster.share_with(&log, role, Vec::new(), signer)?;
    }
    Ok(())
}

/// Makes a member of the guest of an open invitation.
fn complete(
    keys: &OpenFolder,
    roster: &mut Roster,
    invitation: InvitationId,
    guest: &SignedBundle,
    role: Role,
) -> Result<(), MembersError> {
    let identity = guest.bundle().identity;
    // Nobody who was removed comes back by an invitation that was left over.
    if roster.state().former.iter().any(|former| former.bundle().identity == identity) {
        return Err(MembersError::Former);
    }
    if !keys.has_invitation(invitation) {
        return Err(MembersError::NoInvitation);
    }
    if roster.state().member(&identity).is_none() {
        roster.add(guest.clone(), role, keys.signer())?;
    }
    Ok(())
}

/// Refuses who is a member with these keys already. A member's newer keys are a change.
fn refuse_known(roster: &Roster, bundle: &SignedBundle) -> Result<(), MembersError> {
    let member = roster.state().member(&bundle.bundle().identity);
    match member {
        Some(member) if member.role == Role::Owner => Err(MembersError::Owner),
        Some(member) if member.bundle.bundle().sequence >= bundle.bundle().sequence => {
            Err(MembersError::AlreadyMember)
        }
        _ => Ok(()),
    }
}

/// What a member who can be changed may do.
fn role_of(roster: &Roster, subject: &VerifyingKey) -> Result<Role, MembersError> {
    match roster.state().member(subject).map(|member| member.role) {
        None => Err(MembersError::NoMember),
        Some(Role::Owner) => Err(MembersError::Owner),
        Some(role) => Ok(role),
    }
}

/// Writes an object in place of the one that has the stamp `expected`, durably.
pub(super) fn write_object(
    store: &dyn EncryptedStore,
    key: &StoreKey,
    bytes: &[u8],
    expected: Option<StoreStamp>,
    keep: Option<&Path>,
) -> Result<StoreStamp, CommitError> {
    let staged = store.stage()?;
    staged.write_at(0, bytes)?;
    let batch = [staged];
    store.barrier(&batch)?;
    let [staged] = batch;
    let stamp = store.commit(staged, key, expected, keep)?;
    store.sync_directories()?;
    Ok(stamp)
}
