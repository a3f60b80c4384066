//! Groups that the account is in, opened: which of two versions is kept, and how a changed one is sealed (`docs/format.md`,
//! "Groups").

use std::collections::HashSet;
use std::sync::Arc;

use ensafer_core::account::Account;
use ensafer_core::clock::{Clock, Dot};
use ensafer_core::crypto::{EnvelopePrivateKey, Random, SystemRandom};
use ensafer_core::format::roster::{Group, LogOrder, RosterStatement, open_group_object, seal_group_object};
use ensafer_core::format::{
    Access, EnvelopeType, HeaderError, MAX_ENVELOPES, PREFIX_LEN, Prefix, SealError, object_name,
};
use ensafer_core::ids::{DeviceId, GroupId};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::StoreKey;

use crate::account::{AccountError, FreshGroups, Groups};
use crate::engine::MemberChange;
use crate::exit;
use crate::folders::FolderEntry;
use crate::invitations::ChangeMembers;

/// A version of a group that the account can open: its file, and what is in it.
#[derive(Debug)]
pub struct HeldGroup {
    group: Group,
    envelopes: Access,
    object: Arc<[u8]>,
}

impl HeldGroup {
    /// Opens a group's file: one RSA operation. Nothing vouches for its owner.
    ///
    /// # Errors
    /// As [`open_group_object`].
    pub fn open(object: &[u8], account: &Account) -> Result<Self, HeaderError> {
        let opened = open_group_object(object, account.envelope(), &[])?;
        Ok(Self { group: opened.group, envelopes: opened.header.access, object: object.into() })
    }

    /// Seals `group`, grown from the version `before`, whose envelopes of the same epoch stay, as `account` at `now`.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(
        group: Group,
        before: Option<&Self>,
        account: &Account,
        now: Timestamp,
    ) -> Result<Self, SealError> {
        Self::seal_with(group, before.map(|before| &before.envelopes), account, now)
    }

    fn seal_with(
        group: Group,
        known: Option<&Access>,
        account: &Account,
        now: Timestamp,
    ) -> Result<Self, SealError> {
        let envelopes = group.member_envelopes(known)?;
        // The entries tell which version is newer, and who changed what; from which device is nobody's business.
        let device = DeviceId::new(SystemRandom.array());
        let dot = Dot { counter: 1, device };
        let clock = Clock::new().with(dot);
        let fields =
            RosterStatement { device, device_name: "".into(), clock, dot, modified: now, created: now };
        let sealed = seal_group_object(&group, &envelopes, fields, account.identity(), &mut SystemRandom)?;
        Ok(Self { group, envelopes, object: sealed.bytes.into() })
    }

    /// What the group is.
    #[must_use]
    pub const fn group(&self) -> &Group {
        &self.group
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> GroupId {
        self.group.id()
    }

    /// Its file.
    #[must_use]
    pub const fn object(&self) -> &Arc<[u8]> {
        &self.object
    }

    /// Whether every member can open it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.group.has_all_envelopes(&self.envelopes)
    }

    /// Whether something of `other` is missing here, or envelopes are.
    #[must_use]
    pub fn lacks(&self, other: &Self) -> bool {
        let order = self.group.compare(&other.group);
        !matches!(order, LogOrder::Same | LogOrder::Ahead) || !self.is_whole() || !has_pairs_of(self, other)
    }

    /// What is held from now on, when `account` meets `found` and has held this; `None` where that is this. Two that have
    /// grown apart are united, and what lacks envelopes or older pairs gets them.
    ///
    /// # Errors
    /// [`SealError`] where the union cannot be sealed, for one of two logs of one id which begin otherwise.
    pub fn join(&self, found: Self, account: &Account, now: Timestamp) -> Result<Option<Self>, SealError> {
        match found.group.compare(&self.group) {
            LogOrder::Behind | LogOrder::Same if self.is_whole() && has_pairs_of(self, &found) => Ok(None),
            LogOrder::Same | LogOrder::Ahead if !found.lacks(self) => Ok(Some(found)),
            _ => {
                let mut union = self.group.clone();
                union.merge(&found.group)?;
                let all = self.envelopes.envelopes().chain(found.envelopes.envelopes());
                let known = Access::build(all.take(MAX_ENVELOPES));
                Self::seal_with(union, known.ok().as_ref(), account, now).map(Some)
            }
        }
    }
}

/// What became of a group's file that was met.
#[derive(Debug)]
pub enum Met {
    /// It is the group.
    Held(Held),
    /// It may be the group, but not one that this account can judge: it is not in it (any more), a newer version of Ensafer
    /// wrote it, or the account has seen a newer one.
    NotForUs,
    /// It is no such group.
    Damaged,
}

impl Met {
    /// What a file is that does not open.
    #[must_use]
    pub fn unopened(error: &HeaderError) -> Self {
        match error {
            HeaderError::NotARecipient | HeaderError::NewerVersion => Self::NotForUs,
            _ => Self::Damaged,
        }
    }
}

/// A group's file that opened.
#[derive(Debug)]
pub struct Held {
    /// What is held from now on.
    pub group: Arc<HeldGroup>,
    /// Whether that is more than before.
    pub is_news: bool,
    /// Whether the file that was met lacks some of it.
    pub is_behind: bool,
}

/// What becomes of `object`, met as the file of `group`, beside what is `held` of it: that takes over what is new.
pub fn meet(
    held: &mut Vec<Arc<HeldGroup>>,
    group: GroupId,
    object: &[u8],
    account: &Account,
    now: Timestamp,
) -> Met {
    if !is_of_group(object, group) {
        return Met::Damaged;
    }
    let found = match HeldGroup::open(object, account) {
        Ok(found) => found,
        Err(error) => return Met::unopened(&error),
    };
    let Some(before) = held.iter_mut().find(|held| held.id() == group) else {
        let group = Arc::new(found);
        held.push(Arc::clone(&group));
        return Met::Held(Held { group, is_news: true, is_behind: false });
    };
    let is_behind = found.lacks(before);
    // Two logs of one id that begin otherwise cannot be united: only the group's owner can make them.
    let Ok(joined) = before.join(found, account, now) else { return Met::NotForUs };
    let is_news = joined.is_some();
    if let Some(joined) = joined {
        *before = Arc::new(joined);
    }
    Met::Held(Held { group: Arc::clone(before), is_news, is_behind })
}

/// Whether `found` opens all that `held` opens: somebody in the group may have dropped an older pair.
fn has_pairs_of(found: &HeldGroup, held: &HeldGroup) -> bool {
    let hash = |pair: &Arc<EnvelopePrivateKey>| pair.public().spki_hash();
    let pairs: HashSet<_> = found.group.pairs().map(hash).collect();
    held.group.pairs().map(hash).all(|pair| pairs.contains(&pair))
}

/// Whether a file is one of `group`, by its first bytes.
#[must_use]
pub fn is_of_group(object: &[u8], group: GroupId) -> bool {
    Prefix::parse(object).is_ok_and(|prefix| prefix.file_id == group.as_folder().root())
}

/// Whether a file that begins with `start`, PREFIX and ACCESS, is a group's: whoever is in a group has an envelope of a kind
/// of its own.
#[must_use]
pub fn is_group_file(start: &[u8]) -> bool {
    let access = Prefix::parse(start)
        .ok()
        .filter(|prefix| prefix.roster)
        .and_then(|prefix| Access::parse(start.get(PREFIX_LEN..PREFIX_LEN + prefix.access_len)?).ok());
    let has = |kind| access.iter().flat_map(Access::envelopes).any(|envelope| envelope.kind == kind);
    has(EnvelopeType::GROUP_MEMBER) && !has(EnvelopeType::MEMBER)
}

/// The name of a group's file in an encrypted folder.
#[must_use]
pub fn group_key(group: GroupId) -> StoreKey {
    StoreKey(object_name(group.as_folder().root()).into())
}

/// Looks at the account's groups, and has `folders` hear of what is new.
///
/// # Errors
/// The server cannot be reached. What becomes of one group, or in one folder, is logged.
pub fn tend(
    groups: &Groups<'_>,
    folders: &[FolderEntry],
    change: ChangeMembers<'_>,
) -> Result<FreshGroups, AccountError> {
    let fresh = groups.refresh()?;
    for folder in folders.iter().filter(|_| fresh.is_news) {
        if let Err(error) = change(folder.id, MemberChange::LearnGroups) {
            // It learns them when it next looks.
            tracing::debug!(folder = %folder.id, error = exit::describe(&error), "news of groups did not arrive");
        }
    }
    Ok(fresh)
}
