//! A folder's members, and what this account knows of each.

use ensafer_core::account::{Account, AccountState, SignedBundle};
use ensafer_core::api::hex::HexArray;
use ensafer_core::api::local::{MemberReport, Standing};
use ensafer_core::format::roster::{Member, RosterState};

/// The members, the owner first, then by name.
#[must_use]
pub fn report(roster: &RosterState, account: &Account, remembered: &AccountState) -> Vec<MemberReport> {
    let report = |member: &Member| {
        let bundle = member.bundle.bundle();
        MemberReport {
            login: bundle.login.to_string(),
            role: member.role,
            fingerprint: member.bundle.fingerprint().to_string(),
            identity: HexArray(*bundle.identity.as_bytes()),
            sequence: bundle.sequence,
            standing: standing(&member.bundle, account, remembered),
        }
    };
    let mut members: Vec<_> = roster.members.iter().map(report).collect();
    members.sort_by(|a, b| (b.role, &a.login, &a.fingerprint).cmp(&(a.role, &b.login, &b.fingerprint)));
    members
}

/// What `account` knows of the keys in `bundle`.
#[must_use]
pub fn standing(bundle: &SignedBundle, account: &Account, remembered: &AccountState) -> Standing {
    let fingerprint = bundle.fingerprint();
    if fingerprint == account.fingerprint() {
        return Standing::Own;
    }
    match remembered.with_identity(&fingerprint) {
        Some((_, pin)) if pin.verified => Standing::Verified,
        Some(_) => Standing::Pinned,
        None if remembered.pins().contains_key(&bundle.bundle().login) => Standing::Changed,
        None => Standing::Unknown,
    }
}
