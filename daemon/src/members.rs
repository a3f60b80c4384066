//! A folder's members, and what this account knows of each.

use ensafer_core::account::{Account, AccountState, Pin, SignedBundle};
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

/// What `account` knows of the keys in `bundle` under the login in it. The keys alone vouch for no login: whoever signed
/// the bundle chose that.
#[must_use]
pub fn standing(bundle: &SignedBundle, account: &Account, remembered: &AccountState) -> Standing {
    let fingerprint = bundle.fingerprint();
    if fingerprint == account.fingerprint() {
        return Standing::Own;
    }
    match remembered.pins().get(&bundle.bundle().login) {
        Some(pin) if pin.fingerprint == fingerprint => of_pin(pin),
        Some(_) => Standing::Changed,
        None => Standing::Unknown,
    }
}

/// Whose the keys in `bundle` are: the login under which `account` has met them, and only where it has not, the one
/// that the bundle itself says; and what is known of the keys under that login.
#[must_use]
pub fn holder(bundle: &SignedBundle, account: &Account, remembered: &AccountState) -> (String, Standing) {
    let said = standing(bundle, account, remembered);
    let met = remembered.with_identity(&bundle.fingerprint());
    match met.filter(|_| matches!(said, Standing::Unknown | Standing::Changed)) {
        Some((login, pin)) => (login.to_string(), of_pin(pin)),
        None => (bundle.bundle().login.to_string(), said),
    }
}

const fn of_pin(pin: &Pin) -> Standing {
    if pin.verified { Standing::Verified } else { Standing::Pinned }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ensafer_core::account::Bundle;
    use ensafer_core::crypto::Login;

    use super::*;
    use crate::engine::tests::accounts::{alice, bob, carol};

    /// `account` by another login, signed by itself: as anybody can.
    fn as_if(account: &Account, login: &str) -> SignedBundle {
        let bundle = Bundle { login: login.parse().unwrap(), ..account.bundle().bundle().clone() };
        SignedBundle::sign(bundle, account.identity())
    }

    /// Alice, who has met Bob and compared safety numbers with him.
    fn alice_knows_bob() -> (Arc<Account>, Arc<Account>, AccountState) {
        let (alice, bob, mut state) = (alice(), bob(), AccountState::default());
        let login: Login = "bob@example.com".parse().unwrap();
        state.meet(&login, bob.bundle()).unwrap();
        assert!(state.set_verified(&login, &bob.fingerprint()));
        (alice, bob, state)
    }

    #[test]
    fn who_is_known_passes_as_nobody_else() {
        let (alice, bob, mut state) = alice_knows_bob();
        let as_carol = as_if(&bob, "carol@example.com");
        let really = ("bob@example.com".to_owned(), Standing::Verified);
        assert_eq!(standing(&as_carol, &alice, &state), Standing::Unknown);
        assert_eq!(holder(&as_carol, &alice, &state), really);
        state.meet(&"carol@example.com".parse().unwrap(), carol().bundle()).unwrap();
        assert_eq!(standing(&as_carol, &alice, &state), Standing::Changed);
        assert_eq!(holder(&as_carol, &alice, &state), really);
    }

    #[test]
    fn who_has_a_new_address_is_known_by_it_once_it_was_looked_up() {
        let (alice, bob, mut state) = alice_knows_bob();
        let renamed = as_if(&bob, "robert@example.com");
        assert_eq!(holder(&renamed, &alice, &state).0, "bob@example.com");
        state.meet(&renamed.bundle().login.clone(), &renamed).unwrap();
        assert_eq!(standing(&renamed, &alice, &state), Standing::Pinned);
        assert_eq!(holder(&renamed, &alice, &state), ("robert@example.com".into(), Standing::Pinned));
        assert_eq!(standing(bob.bundle(), &alice, &state), Standing::Verified);
    }

    #[test]
    fn the_word_of_a_stranger_is_told_as_one() {
        let (alice, _, state) = alice_knows_bob();
        let carol = carol();
        assert_eq!(holder(carol.bundle(), &alice, &state), ("carol@example.com".into(), Standing::Unknown));
        let as_bob = as_if(&carol, "bob@example.com");
        assert_eq!(holder(&as_bob, &alice, &state), ("bob@example.com".into(), Standing::Changed));
        assert_eq!(holder(alice.bundle(), &alice, &state).1, Standing::Own);
    }
}
