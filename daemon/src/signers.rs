//! Whose signature is taken on a file that lies alone: one's own, that of people whom the account has seen, that of
//! members whom a known person's roster names, and that of whoever is accepted by fingerprint.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use ensafer_core::account::{Account, AccountState};
use ensafer_core::api::local::{Membership, RecipientNote, SignerReport, SignerStanding};
use ensafer_core::format::roster::{RosterState, open_roster_object};
use ensafer_core::format::{
    AccessList, AccountAlone, EXTENSION, OpenedHeader, Recipient, Statement, fan_out_directory,
};
use ensafer_core::ids::{Fingerprint, FolderId};

use crate::membership::MAX_ROSTER_FILE_BYTES;

/// Whose signatures an account takes.
#[derive(Debug)]
pub struct Signers<'a> {
    account: &'a Account,
    known: AccountState,
    accepted: &'a [Fingerprint],
}

impl<'a> Signers<'a> {
    /// With the people whom the account knows, and the fingerprints that somebody accepted just now.
    #[must_use]
    pub const fn new(account: &'a Account, known: AccountState, accepted: &'a [Fingerprint]) -> Self {
        Self { account, known, accepted }
    }

    /// Says who signed `header`. Without a roster nobody can tell who may write in a folder.
    #[must_use]
    pub fn judge(&self, header: &OpenedHeader, roster: Option<&RosterState>) -> SignerReport {
        let fingerprint = header.statement.writer.fingerprint();
        let membership = match roster {
            _ if header.is_alone() => Membership::None,
            None => Membership::NotChecked,
            Some(roster) if roster.accepts(header) => Membership::Checked,
            Some(_) => Membership::Refused,
        };
        let (login, standing) = self.standing(&fingerprint).unwrap_or_else(|| {
            let vouching = roster.filter(|_| membership == Membership::Checked);
            let login = vouching.and_then(|roster| self.member(roster, &header.statement));
            let standing = if login.is_some() { SignerStanding::Member } else { SignerStanding::Unknown };
            (login, standing)
        });
        SignerReport { login, fingerprint, standing, membership }
    }

    /// Whether what `signer` signed is taken.
    #[must_use]
    pub fn take(&self, signer: &SignerReport) -> bool {
        let is_known = signer.standing != SignerStanding::Unknown;
        (is_known && signer.membership != Membership::Refused) || self.accepted.contains(&signer.fingerprint)
    }

    /// Who it is whom the account itself knows.
    fn standing(&self, fingerprint: &Fingerprint) -> Option<(Option<String>, SignerStanding)> {
        if *fingerprint == self.account.fingerprint() {
            return Some((Some(self.account.login().to_string()), SignerStanding::Own));
        }
        let (login, pin) = self.known.with_identity(fingerprint)?;
        let standing = if pin.verified { SignerStanding::Verified } else { SignerStanding::Pinned };
        Some((Some(login.to_string()), standing))
    }

    /// The writer's address, by a roster whose owner is known. The owner of a folder vouches for its members.
    fn member(&self, roster: &RosterState, statement: &Statement) -> Option<String> {
        let owner = roster.owner();
        let is_known = self.standing(&owner).is_some() || self.accepted.contains(&owner);
        roster.login_of(&statement.writer).filter(|_| is_known).map(str::to_owned)
    }

    /// What is wrong with the list of a file's readers; a list that nobody signed who may is taken from the header.
    pub fn judge_recipients(
        &self,
        header: &mut OpenedHeader,
        roster: Option<&RosterState>,
    ) -> Vec<RecipientNote> {
        if header.access_list.as_ref().is_some_and(|list| !may_list(list, &header.statement, roster)) {
            header.distrust_access_list();
        }
        let own = Recipient::user(&self.account.envelope().public());
        let is_listed = header.access_list.as_ref().is_some_and(|list| list.recipients.contains(&own));
        // Without a folder's key it was opened by an envelope of the account's own.
        let is_passed_on = header.folder_key.is_none() && !is_listed;
        let unlisted_count = header.unlisted_envelopes().len();
        let notes = [
            (is_passed_on, RecipientNote::PassedOn),
            (unlisted_count > usize::from(is_passed_on), RecipientNote::EnvelopeAdded),
            (header.missing_recipients() > 0, RecipientNote::EnvelopeDropped),
        ];
        notes.into_iter().filter_map(|(holds, note)| holds.then_some(note)).collect()
    }
}

/// Whether the list is by somebody who may say who reads the file. Without a roster that is its owner or its writer.
fn may_list(list: &AccessList, statement: &Statement, roster: Option<&RosterState>) -> bool {
    match roster {
        Some(roster) => roster.may_administer(&list.signer),
        None => list.signer == statement.writer || list.signer.fingerprint() == statement.owner,
    }
}

/// The rosters that lie beside the files.
#[derive(Debug, Default)]
pub struct Rosters {
    by_path: HashMap<PathBuf, Option<RosterState>>,
}

impl Rosters {
    /// What the roster of `folder` says that lies beside `file`, in the same directory or, in a folder with fan-out, in
    /// the one that it belongs into; `None` where none does, or none that opens.
    pub fn beside(&mut self, file: &Path, folder: FolderId, keys: &AccountAlone<'_>) -> Option<&RosterState> {
        let directory = file.parent()?;
        let name = format!("{folder}{EXTENSION}");
        let fanned_out = directory.join("..").join(fan_out_directory(folder.root())).join(&name);
        let path = [directory.join(&name), fanned_out].into_iter().find(|path| path.is_file())?;
        let opened = self.by_path.entry(path).or_insert_with_key(|path| open(path, folder, keys));
        opened.as_ref()
    }
}

fn open(path: &Path, folder: FolderId, keys: &AccountAlone<'_>) -> Option<RosterState> {
    if fs::metadata(path).ok()?.len() > MAX_ROSTER_FILE_BYTES {
        return None;
    }
    let opened = open_roster_object(&fs::read(path).ok()?, keys).ok()?;
    let state = opened.roster.state();
    // While admins dispute, nobody knows who is a member.
    (state.folder == folder && !state.disputed).then(|| state.clone())
}
