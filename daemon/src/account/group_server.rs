//! The account's groups on the key server (`docs/protocol.md`, "Groups") and in what the account remembers: made, changed,
//! looked after, left and deleted.

use std::collections::BTreeSet;
use std::sync::Arc;

use ensafer_client::home::Home;
use ensafer_core::account::{
    AccountState, KnownGroup, KnownGroupError, MAX_GROUP_NAME_BYTES, MAX_KNOWN_GROUPS,
};
use ensafer_core::api::hex::{HexArray, HexBytes};
use ensafer_core::api::server::{GroupReport, GroupRequest, MAX_GROUP_ADMINS, ProblemKind};
use ensafer_core::crypto::{EnvelopePrivateKey, Random, SystemRandom, Token};
use ensafer_core::format::roster::{Group, Operation, Role, RosterError};
use ensafer_core::format::{HeaderError, Prefix, SealError};
use ensafer_core::ids::GroupId;
use ensafer_core::time::Timestamp;

use super::directory::known_people;
use super::refresh::{change_state, take_over};
use super::session::{server_of, with_token};
use super::{AccountError, GroupFiles, Unlocked};
use crate::config::Config;
use crate::groups::{Held, HeldGroup, Met};
use crate::key_server::{KeyServer, ServerError};
use crate::output::printable;

/// How often a change is tried again when other admins change the group at the same time.
const ATTEMPTS: usize = 8;

/// Why a group is not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// It would be taken for an address, is empty, too long, or shows what is not there.
    #[error("\"{}\" cannot name a group", printable(name))]
    Name {
        /// It.
        name: String,
    },
    /// Another group has it.
    #[error("the account knows another group as {}", printable(name))]
    Taken {
        /// It.
        name: String,
    },
    /// The account remembers as many groups as it can.
    #[error(transparent)]
    Full(KnownGroupError),
    /// This computer has not heard of it, or the server has it no more.
    #[error("the group is neither on this computer nor on the server")]
    Missing,
    /// Its owner and its admins change it.
    #[error("only the group's owner and its admins may change it")]
    NotAllowed,
    /// There is no room in its file.
    #[error("the group is full")]
    TooLarge,
}

impl GroupError {
    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Name { .. } => Some(
                "A name has no @, at most 128 bytes, no line breaks and no blanks around it, and does not look like an id: \"Family\", say",
            ),
            Self::Taken { .. } => Some("Choose another name; ensafer group list shows them all"),
            Self::Missing => Some("ensafer group list"),
            Self::NotAllowed => Some("Ask one of them; ensafer group list shows who they are"),
            Self::TooLarge => Some("Make another group"),
            Self::Full(_) => None,
        }
    }
}

impl From<RosterError> for GroupError {
    fn from(error: RosterError) -> Self {
        match error {
            RosterError::NotAllowed => Self::NotAllowed,
            RosterError::Malformed => Self::TooLarge,
            RosterError::OtherFolder | RosterError::KeyMissing => Self::Missing,
        }
    }
}

/// What a look at the account's groups brought.
#[derive(Debug, Default)]
pub struct FreshGroups {
    /// Whether folders have to hear of something.
    pub is_news: bool,
    /// Groups whose files on the server are not for this account: it is in them no more, or the server lies.
    pub not_for_us: BTreeSet<GroupId>,
    /// Groups of others that the server does not have: their owners deleted them, or the server lies.
    pub gone: BTreeSet<GroupId>,
}

/// The account's groups: their files, the server, and the time.
#[derive(Debug, Clone, Copy)]
pub struct Groups<'a> {
    /// The installation.
    pub home: &'a Home,
    /// Its settings.
    pub config: &'a Config,
    /// The account.
    pub unlocked: &'a Unlocked,
    /// The groups' files.
    pub files: &'a GroupFiles,
    /// The time now.
    pub now: Timestamp,
}

impl Groups<'_> {
    /// What the account remembers of its groups.
    ///
    /// # Errors
    /// The account's file cannot be read.
    pub fn remembered(&self) -> Result<AccountState, AccountError> {
        known_people(self.home, &self.unlocked.account)
    }

    /// Makes a group of this account alone, and has the account remember it as `name`.
    ///
    /// # Errors
    /// [`GroupError::Name`], [`GroupError::Taken`], or what the server says; nothing is left then. Where it cannot be asked,
    /// or its answers were lost, the group may be here, and the next look has it made or forgotten.
    pub fn create(&self, name: &str) -> Result<GroupId, AccountError> {
        check_name(name)?;
        refuse_taken(&self.remembered()?, name)?;
        let account = &self.unlocked.account;
        let (pair, nonce) = (EnvelopePrivateKey::generate(), SystemRandom.array());
        let group =
            Group::create(account.bundle().clone(), account.identity(), nonce, pair, &mut SystemRandom);
        let group = group.map_err(GroupError::from)?;
        let made = HeldGroup::seal(group, None, account, self.now).map_err(seal_error)?;
        let id = made.id();
        let known = KnownGroup::new(name, made.group().log()).map_err(GroupError::Full)?;
        if !matches!(self.files.hold(id, made.object(), account, self.now)?, Met::Held(_)) {
            return Err(GroupError::Full(KnownGroupError::Full).into());
        }
        let remembered = self.change_state(|state| {
            if state.groups().contains_key(&id) {
                return Ok(());
            }
            refuse_taken(state, name)?;
            remember(state, id, known.clone())
        });
        // The daemon's look may have taken the file for one of a group that was deleted, and may have been faster to put it.
        let held = remembered.and_then(|()| self.files.hold(id, made.object(), account, self.now));
        let put = held.and_then(|_| self.put(&made, 1).map(drop));
        if let Err(error) = put {
            if !leaves_open(&error) && self.forget(id).is_ok() {
                self.files.forget(id)?;
            }
            return Err(error);
        }
        Ok(id)
    }

    /// Changes a group, on the server and then here. Where somebody else changes it at the same time, `change` is asked
    /// again, with what that made of it.
    ///
    /// # Errors
    /// [`GroupError`], what `change` says, or what the server says; the group is unchanged then.
    pub fn change(
        &self,
        id: GroupId,
        change: impl Fn(&mut Group) -> Result<(), RosterError>,
    ) -> Result<Arc<HeldGroup>, AccountError> {
        for _ in 0..ATTEMPTS {
            let (version, before) = self.newest(id)?;
            let mut group = before.group().clone();
            change(&mut group).map_err(GroupError::from)?;
            if group.log() == before.group().log() {
                return Ok(before);
            }
            let changed = HeldGroup::seal(group, Some(&before), &self.unlocked.account, self.now)
                .map_err(seal_error)?;
            if self.put(&changed, version + 1)? {
                self.remember_as_is(&changed)?;
                self.files.hold(id, changed.object(), &self.unlocked.account, self.now)?;
                return Ok(Arc::new(changed));
            }
        }
        Err(conflict())
    }

    /// Looks at every group that is held or remembered: takes what is newer on the server, puts there what is newer here,
    /// and starts a group's new epoch where somebody has left it, as far as this account may.
    ///
    /// # Errors
    /// The server cannot be reached. One group's trouble does not stop the others.
    pub fn refresh(&self) -> Result<FreshGroups, AccountError> {
        let held = self.files.all(&self.unlocked.account)?;
        // Another computer may have made, left or deleted one.
        take_over(self.home, self.config, &self.unlocked.account)?;
        let remembered = self.remembered()?;
        let ids: BTreeSet<GroupId> =
            held.iter().map(|held| held.id()).chain(remembered.groups().keys().copied()).collect();
        let mut fresh = FreshGroups::default();
        for id in ids {
            match self.refresh_one(id, &mut fresh) {
                Err(error @ AccountError::Server(ServerError::Unreachable { .. })) => return Err(error),
                Err(error) => tracing::warn!(group = %id, %error, "a group could not be looked at"),
                Ok(()) => {}
            }
        }
        Ok(fresh)
    }

    fn refresh_one(&self, id: GroupId, fresh: &mut FreshGroups) -> Result<(), AccountError> {
        let Some(report) = self.served(id)? else { return self.restore(id, fresh) };
        match self.take_in(id, &report)? {
            // The deletion's answer was lost, or it never arrived.
            Some(Held { group, .. }) if self.is_deleted(&group)? => return self.delete_there(id),
            Some(Held { group, is_news, is_behind }) => {
                fresh.is_news |= is_news;
                if is_behind && self.administers(&group) {
                    // Whoever was faster has what this has, or is met at the next look.
                    self.put(&group, report.version + 1)?;
                }
            }
            None => {
                fresh.not_for_us.insert(id);
            }
        }
        let Some(group) = self.held(id)? else { return Ok(()) };
        if !fresh.not_for_us.contains(&id) {
            self.remember_as_is(&group)?;
        }
        if group.group().state().needs_epoch && self.administers(&group) {
            let signer = self.unlocked.account.identity();
            self.change(id, |group| {
                if group.state().needs_epoch {
                    group.start_epoch(EnvelopePrivateKey::generate(), signer, &mut SystemRandom)?;
                }
                Ok(())
            })?;
            fresh.is_news = true;
        }
        Ok(())
    }

    /// What becomes of a group that the server does not have: the account's own goes there, after a move to that server; one
    /// that was deleted on another computer is forgotten; of others' it is for their owners to say.
    fn restore(&self, id: GroupId, fresh: &mut FreshGroups) -> Result<(), AccountError> {
        let Some(held) = self.held(id)?.filter(|held| self.owns(held)) else {
            fresh.gone.insert(id);
            return Ok(());
        };
        match self.remembered()?.groups().get(&id) {
            // Others' folders may still be shared with it.
            Some(known) if was_left(id, known) => Ok(()),
            Some(_) => self.put(&held, 1).map(drop),
            None => self.files.forget(id),
        }
    }

    /// Leaves a group that others made, as an admin of it, or one that this account is in no more. The account remembers
    /// how far it had come, so that no older one brings it back.
    ///
    /// # Errors
    /// [`GroupError::NotAllowed`] for who is no admin: the server takes changes from admins only.
    pub fn leave(&self, id: GroupId) -> Result<(), AccountError> {
        let is_in = match self.served(id)? {
            Some(report) => self.take_in(id, &report)?.is_some(),
            None => false,
        };
        let last = if is_in {
            Some(self.change(id, |group| group.leave(self.unlocked.account.identity()))?)
        } else {
            self.held(id)?
        };
        self.remember_as_left(id, last.as_deref())?;
        self.files.forget(id)
    }

    /// Deletes a group of this account: what lies in folders stays there. The account remembers that, so that no other
    /// computer of it brings the group back.
    ///
    /// # Errors
    /// What the server says, except that it has none such. Once the account remembers it, the next look goes on.
    pub fn delete(&self, id: GroupId) -> Result<(), AccountError> {
        self.remember_as_left(id, self.held(id)?.as_deref())?;
        self.delete_there(id)?;
        self.files.forget(id)
    }

    /// Takes a group for left, or deleted, of which this account has only the memory: neither this computer nor the server
    /// has a file of it that is for this account.
    ///
    /// # Errors
    /// There is such a file, or the server cannot be asked.
    pub fn give_up(&self, id: GroupId) -> Result<(), AccountError> {
        if let Some(report) = self.served(id)?
            && self.take_in(id, &report)?.is_some()
        {
            return Err(conflict());
        }
        if self.held(id)?.is_some() {
            return Err(self.lie("a group is older than what the account has seen")?);
        }
        self.remember_as_left(id, None)
    }

    fn forget(&self, id: GroupId) -> Result<(), AccountError> {
        self.change_state(|state| {
            state.forget_group(id);
            Ok(())
        })
    }

    fn delete_there(&self, id: GroupId) -> Result<(), AccountError> {
        match self.tell(|server, token| server.delete_group(token, id)) {
            Err(error) if is_unknown(&error) => Ok(()),
            other => other,
        }
    }

    /// Remembers a group as one that was left, or deleted, and how far it had come.
    fn remember_as_left(&self, id: GroupId, last: Option<&HeldGroup>) -> Result<(), AccountError> {
        let name = id.to_string();
        let last = last.map(|last| KnownGroup::new(&name, last.group().log()));
        let last = last.transpose().map_err(GroupError::Full)?;
        self.change_state(|state| {
            let as_known = || state.groups().get(&id)?.renamed(&name).ok();
            last.clone().or_else(as_known).map_or(Ok(()), |left| remember(state, id, left))
        })
    }

    /// The version that the server has, and all that is known of the group together. Older ones, and such as are not for
    /// this account, count for nothing where a newer one is held.
    fn newest(&self, id: GroupId) -> Result<(u64, Arc<HeldGroup>), AccountError> {
        let Some(report) = self.served(id)? else {
            let held = self.held(id)?.filter(|held| self.owns(held)).ok_or(GroupError::Missing)?;
            return if self.is_deleted(&held)? { Err(GroupError::Missing.into()) } else { Ok((0, held)) };
        };
        if let Some(held) = self.take_in(id, &report)? {
            return Ok((report.version, held.group));
        }
        match self.held(id)? {
            Some(held) => Ok((report.version, held)),
            None => Err(self.lie("a group is older than what the account has seen, or not for it")?),
        }
    }

    fn take_in(&self, id: GroupId, report: &GroupReport) -> Result<Option<Held>, AccountError> {
        let (object, account) = (&report.object.0, &self.unlocked.account);
        match Prefix::parse(object) {
            Ok(prefix) if prefix.roster && prefix.file_id == id.as_folder().root() => {}
            Err(HeaderError::NewerVersion) => return Err(AccountError::NewerVersion),
            _ => return Err(self.lie("a group is another than was asked for")?),
        }
        Ok(match self.files.hold(id, object, account, self.now)? {
            Met::Held(held) => Some(held),
            Met::NotForUs => None,
            Met::Damaged => return Err(self.lie("a group's file does not hold")?),
        })
    }

    fn served(&self, id: GroupId) -> Result<Option<GroupReport>, AccountError> {
        match self.tell(|server, token| server.group(token, id)) {
            Err(error) if is_unknown(&error) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Puts a version on the server. `false` where another one is there than the one before. Where the answer is lost, the
    /// server is asked what it has.
    fn put(&self, held: &HeldGroup, version: u64) -> Result<bool, AccountError> {
        let state = held.group().state();
        let admins = state.members.iter().filter(|member| member.role == Role::Admin);
        let admins = admins.map(|member| member.bundle.bundle().account).take(MAX_GROUP_ADMINS).collect();
        let nonce = (version == 1).then(|| nonce_of(held.group())).flatten().map(HexArray);
        let body = GroupRequest { version, object: HexBytes(held.object().to_vec()), admins, nonce };
        match self.tell(|server, token| server.set_group(token, held.id(), &body)) {
            Err(AccountError::Server(error)) if error.kind() == Some(ProblemKind::VersionConflict) => {
                Ok(false)
            }
            Err(error) if is_unknown(&error) => Err(GroupError::NotAllowed.into()),
            Err(error) if leaves_open(&error) => match self.served(held.id()) {
                Ok(Some(report)) if *report.object.0 == **held.object() => Ok(true),
                _ => Err(error),
            },
            other => other.map(|()| true),
        }
    }

    /// Remembers how far a group has come, under the name that it has, or one that is made for it.
    fn remember_as_is(&self, held: &HeldGroup) -> Result<(), AccountError> {
        let (id, log) = (held.id(), held.group().log());
        let (is_member, is_own) = (self.role(held).is_some(), self.owns(held));
        let next = |state: &AccountState| {
            let known = state.groups().get(&id);
            if is_own && known.is_some_and(|known| was_left(id, known)) {
                return None;
            }
            // Another computer has seen more.
            let has_all = known.is_none_or(|known| known.is_in(log));
            let name = known.map(KnownGroup::name).filter(|name| *name != id.to_string());
            let name = name.map_or_else(|| name_for(held, state), str::to_owned);
            let next = KnownGroup::new(&name, log).ok()?;
            (is_member && has_all && known != Some(&next)).then_some(next)
        };
        if next(&self.remembered()?).is_none() {
            return Ok(());
        }
        self.change_state(|state| next(state).map_or(Ok(()), |next| remember(state, id, next)))
    }

    fn held(&self, id: GroupId) -> Result<Option<Arc<HeldGroup>>, AccountError> {
        Ok(self.files.all(&self.unlocked.account)?.into_iter().find(|held| held.id() == id))
    }

    fn role(&self, held: &HeldGroup) -> Option<Role> {
        held.group().state().role_of(&self.unlocked.account.identity().public())
    }

    fn administers(&self, held: &HeldGroup) -> bool {
        self.role(held) >= Some(Role::Admin)
    }

    fn owns(&self, held: &HeldGroup) -> bool {
        self.role(held) == Some(Role::Owner)
    }

    /// Whether the account has deleted this group of its own.
    fn is_deleted(&self, held: &HeldGroup) -> Result<bool, AccountError> {
        let remembered = self.remembered()?;
        let known = remembered.groups().get(&held.id());
        Ok(self.owns(held) && known.is_some_and(|known| was_left(held.id(), known)))
    }

    fn tell<T>(
        &self,
        call: impl Fn(&KeyServer, &Token) -> Result<T, ServerError>,
    ) -> Result<T, AccountError> {
        with_token(self.home, self.config, &self.unlocked.account, call)
    }

    fn change_state(
        &self,
        change: impl FnMut(&mut AccountState) -> Result<(), AccountError>,
    ) -> Result<(), AccountError> {
        change_state(self.home, self.config, self.unlocked, change)
    }

    fn lie(&self, what: &'static str) -> Result<AccountError, AccountError> {
        let origin = server_of(self.home)?.ok_or(AccountError::NotLoggedIn)?;
        Ok(AccountError::ServerLies { origin, what })
    }
}

/// Remembers a group; one that was left gives way where there is no room.
fn remember(state: &mut AccountState, id: GroupId, known: KnownGroup) -> Result<(), AccountError> {
    let left = || state.groups().iter().find(|(id, known)| was_left(**id, known)).map(|(id, _)| *id);
    if state.groups().len() >= MAX_KNOWN_GROUPS
        && let Some(left) = left()
    {
        state.forget_group(left);
    }
    Ok(state.remember_group(id, known).map_err(GroupError::Full)?)
}

/// Whether the account has left the group, or deleted its own: what it calls it is free for others.
#[must_use]
pub fn was_left(id: GroupId, known: &KnownGroup) -> bool {
    known.name() == id.to_string()
}

/// A name for a group of somebody else: the part of its owner's address before the `@`, and its id's beginning where that
/// is taken.
fn name_for(held: &HeldGroup, state: &AccountState) -> String {
    let group = held.group().state();
    let owner =
        group.login_of(&group.owner_key).and_then(|login| login.split('@').next()).unwrap_or_default();
    let owner: String = printable(owner).chars().take(24).collect();
    let name = format!("{owner}'s group");
    let is_taken = |name: &str| state.groups().values().any(|known| known.name() == name);
    if !is_taken(&name) {
        return name;
    }
    format!("{name} {}", &held.id().to_string()[..8])
}

fn check_name(name: &str) -> Result<(), GroupError> {
    let has_bounds = !name.is_empty() && name.len() <= MAX_GROUP_NAME_BYTES;
    let is_plain = name.trim() == name && printable(name) == name && !name.contains('@');
    // It would be taken for the beginning of an id.
    let is_id = name.len() >= 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_fit = has_bounds && is_plain && !is_id && !name.starts_with('-');
    if is_fit { Ok(()) } else { Err(GroupError::Name { name: name.to_owned() }) }
}

fn refuse_taken(state: &AccountState, name: &str) -> Result<(), AccountError> {
    if state.groups().values().any(|known| known.name() == name) {
        return Err(GroupError::Taken { name: name.to_owned() }.into());
    }
    Ok(())
}

/// The random bytes that the group's id was made with.
fn nonce_of(group: &Group) -> Option<[u8; 16]> {
    group.log().entries().iter().find_map(|entry| match &entry.entry.operation {
        Operation::Create { nonce, .. } => Some(*nonce),
        _ => None,
    })
}

fn seal_error(error: SealError) -> AccountError {
    match error {
        SealError::TooLarge | SealError::Statement => GroupError::TooLarge.into(),
        _ => AccountError::Inconsistent,
    }
}

fn is_unknown(error: &AccountError) -> bool {
    matches!(error, AccountError::Server(error) if error.kind() == Some(ProblemKind::GroupUnknown))
}

fn leaves_open(error: &AccountError) -> bool {
    matches!(error, AccountError::Server(error) if error.leaves_open())
}

fn conflict() -> AccountError {
    let kind = ProblemKind::VersionConflict;
    ServerError::Refused { kind, problem: Box::new(kind.problem()) }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_groups_name_is_no_address_and_hides_nothing() {
        for name in ["Family", "alice's group", "Büro 2", &"n".repeat(128)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in [
            "",
            " a",
            "a ",
            "a@b",
            "bob@example.com",
            "a\nb",
            "a\u{202e}b",
            "--admin",
            "deadbeef",
            &"n".repeat(129),
        ] {
            assert!(matches!(check_name(name), Err(GroupError::Name { .. })), "{name:?}");
        }
    }
}
