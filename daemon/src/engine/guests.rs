//! Guests, who read by an invitation until they are members: which of them read on when the folder's key changes.
//!
//! Only the inviter's devices know a guest's reading key. Those whom others' epochs have shut out are let in again by the
//! inviter's device that sees it; those whom the inviter has ended stay out, whatever this device knows of it by then.

use std::collections::HashSet;
use std::sync::Arc;

use ensafer_core::account::OpenInvitation;
use ensafer_core::crypto::{FolderKey, InviteKey, SystemRandom, VerifyingKey};
use ensafer_core::format::roster::{Operation, Roster, RosterState};
use ensafer_core::ids::InvitationId;

use super::{EngineError, Env, Folder, MembersError};
use crate::folder_keys::{Guests, OpenFolder};

/// Name under which the state keeps which invitations of this account are to be let in again.
const SHUT_OUT: &str = "guests-shut-out";

/// Invitations that this account made.
pub(super) type OwnGuests = Vec<(InvitationId, OpenInvitation)>;

impl Folder {
    /// Whom this account has invited to the folder.
    pub(super) fn own_guests(&self, env: &Env<'_>) -> Result<OwnGuests, EngineError> {
        Ok(env.vault.guests(self.entry.id)?)
    }

    /// The same where it must not stop the folder that an account's state cannot be read: another version may have written
    /// it.
    pub(super) fn own_guests_as_known(&self, env: &Env<'_>) -> OwnGuests {
        self.own_guests(env).unwrap_or_else(|error| {
            tracing::warn!(%error, "whom this account has invited is not known");
            Vec::new()
        })
    }

    /// Starts an epoch in `roster` where an admin who loses that role may have guests: those whom this account did not
    /// invite. Its own stay, unless the admin is this account.
    pub(super) fn without_guests_of(
        &self,
        admin: &VerifyingKey,
        keys: &OpenFolder,
        roster: &mut Roster,
        env: &Env<'_>,
    ) -> Result<Guests, MembersError> {
        let is_me = *admin == keys.authorship.writer;
        let own = if is_me { Vec::new() } else { self.own_guests(env)? };
        let known = own.iter().filter(|(id, _)| keys.has_invitation(*id)).count();
        if keys.invitation_count() == known {
            return Ok(Guests::default());
        }
        roster.start_epoch(FolderKey::generate(&mut SystemRandom), keys.signer())?;
        Ok(Guests { invited: staying(keys, roster, own), gone: Vec::new() })
    }

    /// Whom of this account's guests `found`, the roster that is about to be accepted, lacks because others have started
    /// epochs since the one that was accepted before. Remembered until they are let in again.
    pub(super) fn guests_shut_out(
        &mut self,
        found: &OpenFolder,
        env: &Env<'_>,
    ) -> Result<OwnGuests, EngineError> {
        let noted: HashSet<InvitationId> = self.state.get(SHUT_OUT)?.unwrap_or_default();
        let state = found.roster().state();
        let mut own = self.own_guests_as_known(env);
        let (is_new, is_by_me) = self.keys.as_deref().map_or((false, false), |before| epochs(before, found));
        let was_in = |id| self.keys.as_deref().is_some_and(|before| before.has_invitation(id));
        own.retain(|(id, guest)| {
            // What this account's own devices left out when they started an epoch, they meant to.
            let is_out = !is_by_me && (noted.contains(id) || is_new && was_in(*id));
            is_out && !found.has_invitation(*id) && may_read_on(state, guest)
        });
        if !state.may_administer(&found.authorship.writer) {
            own.clear();
        }
        let shut_out: HashSet<InvitationId> = own.iter().map(|(id, _)| *id).collect();
        if shut_out != noted {
            self.state.put(SHUT_OUT, &shut_out)?;
        }
        Ok(own)
    }
}

/// Whether epochs were started since `before`, and whether this account has started one of them.
fn epochs(before: &OpenFolder, found: &OpenFolder) -> (bool, bool) {
    let known: HashSet<_> = before.roster().log().entries().iter().map(|entry| entry.hash).collect();
    let entries = found.roster().log().entries().iter().filter(|entry| !known.contains(&entry.hash));
    let mut epochs =
        entries.filter(|entry| matches!(entry.entry.operation, Operation::Epoch { .. })).peekable();
    (epochs.peek().is_some(), epochs.any(|epoch| epoch.entry.signer == found.authorship.writer))
}

/// Those of `own` who can read as guests before a change that starts an epoch, and go on after it.
pub(super) fn staying(
    before: &OpenFolder,
    after: &Roster,
    mut own: OwnGuests,
) -> Vec<(InvitationId, Arc<InviteKey>)> {
    own.retain(|(id, guest)| before.has_invitation(*id) && may_read_on(after.state(), guest));
    reading_keys(own)
}

/// Whoever was removed does not read on by an invitation to the same address.
fn may_read_on(state: &RosterState, guest: &OpenInvitation) -> bool {
    state.former.iter().all(|former| former.bundle().login != guest.invited)
}

/// The keys by which guests read. Half a second or so for each.
pub(super) fn reading_keys(guests: OwnGuests) -> Vec<(InvitationId, Arc<InviteKey>)> {
    guests.into_iter().map(|(id, guest)| (id, Arc::new(guest.secrets.derive(id).reading))).collect()
}
