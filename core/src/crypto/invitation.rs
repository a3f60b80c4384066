//! The two secrets of an invitation, and the keys that both together make (`docs/protocol.md`, "Invitations"). One
//! travels in the link, the other by another way; either alone is worth nothing.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::backend::{Active, Backend};
use super::hash::sha256;
use super::keys::{AcceptanceKey, ClaimKey, InvitationRecordKey, InviteKey, Key, purpose};
use super::printed::{ParsePrintedError, Print};
use super::random::{Random, random_array};
use super::{OpenError, cobblestone};
use crate::ids::{Fingerprint, FolderId, InvitationId};

/// Bytes of the one-time password: 80 bits.
const PASSWORD_BYTES: usize = 10;
/// Bytes of the link's part: 128 bits.
const FRAGMENT_BYTES: usize = 16;
/// Rounds of PBKDF2 over the password, fixed by the protocol. It is random, so that they only add to what its 80 bits
/// cost to guess.
const ITERATIONS: u32 = 600_000;

/// Five groups of four: 16 characters for 80 bits, and four of checksum.
const PASSWORD_PRINT: Print<PASSWORD_BYTES> = Print {
    what: "an invitation's password",
    label: b"ensafer/v1/invitation-password-check\0",
    check_characters: 4,
};
/// 26 characters for 128 bits, and two of checksum.
const FRAGMENT_PRINT: Print<FRAGMENT_BYTES> = Print {
    what: "the secret part of an invitation's link",
    label: b"ensafer/v1/invitation-link-check\0",
    check_characters: 2,
};

const SALT_LABEL: &[u8] = b"ensafer/v1/invitation-salt\0";
const SOURCE_LABEL: &[u8] = b"ensafer/v1/invitation\0";
const RECORD_LABEL: &[u8] = b"ensafer/v1/invitation-record\0";
const CLAIM_LABEL: &[u8] = b"ensafer/v1/invitation-claim\0";
const ACCEPT_LABEL: &[u8] = b"ensafer/v1/invitation-accept\0";
const READING_LABEL: &[u8] = b"ensafer/v1/invitation-reading\0";
const CLAIM_HASH_LABEL: &[u8] = b"ensafer/v1/invitation-claim-hash\0";
const CONTEXT_LABEL: &[u8] = b"ensafer/v1/sealed-invitation\0";
const PROOF_LABEL: &[u8] = b"ensafer/v1/invitation-proof\0";

/// What the guest is told by another way than the link: 80 random bits, used once.
#[derive(ZeroizeOnDrop)]
pub struct InvitationPassword([u8; PASSWORD_BYTES]);

impl InvitationPassword {
    /// The password as it is read out: five groups of four characters.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        PASSWORD_PRINT.to_text(&self.0)
    }
}

impl FromStr for InvitationPassword {
    type Err = ParsePrintedError;

    /// Reads what [`to_text`](InvitationPassword::to_text) wrote, as people type it.
    fn from_str(text: &str) -> Result<Self, ParsePrintedError> {
        PASSWORD_PRINT.parse(text).map(|secret| Self(*secret))
    }
}

impl fmt::Debug for InvitationPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvitationPassword(…)")
    }
}

/// What a link carries behind its `#`, where browsers send it to nobody: 128 random bits.
#[derive(ZeroizeOnDrop)]
pub struct LinkFragment([u8; FRAGMENT_BYTES]);

impl LinkFragment {
    /// The fragment as it stands in a link: 28 characters, without hyphens, at which some programs break lines.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let grouped = FRAGMENT_PRINT.to_text(&self.0);
        let mut text = Zeroizing::new(String::with_capacity(grouped.len()));
        text.extend(grouped.chars().filter(|&character| character != '-'));
        text
    }
}

impl FromStr for LinkFragment {
    type Err = ParsePrintedError;

    /// Reads what [`to_text`](LinkFragment::to_text) wrote, as people type it.
    fn from_str(text: &str) -> Result<Self, ParsePrintedError> {
        FRAGMENT_PRINT.parse(text).map(|secret| Self(*secret))
    }
}

impl fmt::Debug for LinkFragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkFragment(…)")
    }
}

/// Both secrets of one invitation.
#[derive(Debug)]
pub struct InvitationSecrets {
    /// Told by another way.
    pub password: InvitationPassword,
    /// In the link.
    pub fragment: LinkFragment,
}

/// What both secrets make, each key for one use.
#[derive(Debug)]
pub struct InvitationKeys {
    /// Seals the invitation's record.
    pub record: InvitationRecordKey,
    /// Shows the server that the guest has both secrets.
    pub claim: ClaimKey,
    /// Shows the inviter that the guest has both secrets.
    pub acceptance: AcceptanceKey,
    /// Opens the folder's key in the roster.
    pub reading: InviteKey,
}

impl InvitationSecrets {
    /// Makes random secrets.
    #[must_use]
    pub fn generate(rng: &mut (impl Random + ?Sized)) -> Self {
        Self { password: InvitationPassword(random_array(rng)), fragment: LinkFragment(random_array(rng)) }
    }

    /// Derives the keys of the invitation `id`. It takes half a second or so: keep it off threads that others wait for.
    #[must_use]
    pub fn derive(&self, id: InvitationId) -> InvitationKeys {
        let salt = sha256(&[SALT_LABEL, id.as_bytes()]);
        let mut master = Zeroizing::new([0; 32 + FRAGMENT_BYTES]);
        Active::pbkdf2_hmac_sha256(&self.password.0, &salt, ITERATIONS, &mut master[..32]);
        master[32..].copy_from_slice(&self.fragment.0);
        let source: Key<purpose::Invitation> = Key::expand(&*master, &[SOURCE_LABEL]);
        InvitationKeys {
            record: Key::expand(source.bytes(), &[RECORD_LABEL]),
            claim: Key::expand(source.bytes(), &[CLAIM_LABEL]),
            acceptance: Key::expand(source.bytes(), &[ACCEPT_LABEL]),
            reading: Key::expand(source.bytes(), &[READING_LABEL]),
        }
    }
}

impl PartialEq for InvitationSecrets {
    /// Compares in constant time.
    fn eq(&self, other: &Self) -> bool {
        let same = self.password.0.ct_eq(&other.password.0) & self.fragment.0.ct_eq(&other.fragment.0);
        same.into()
    }
}

impl Eq for InvitationSecrets {}

impl InvitationRecordKey {
    /// Seals the record of the invitation `id`.
    #[must_use]
    pub fn seal_record(&self, id: InvitationId, record: &[u8], rng: &mut (impl Random + ?Sized)) -> Vec<u8> {
        cobblestone::seal(self, rng, &record_context(id), record)
    }

    /// Opens what [`seal_record`](Self::seal_record) sealed.
    ///
    /// # Errors
    /// [`OpenError`] if it is another invitation's, or was altered.
    pub fn open_record(&self, id: InvitationId, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        cobblestone::open(self, &record_context(id), sealed)
    }
}

fn record_context(id: InvitationId) -> Vec<u8> {
    [CONTEXT_LABEL, id.as_bytes()].concat()
}

impl ClaimKey {
    /// The bytes that are sent to the server, once, as proof of both secrets.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.bytes()
    }

    /// What the server keeps of it: [`hash_of`](Self::hash_of) its bytes.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Self::hash_of(self.bytes())
    }

    /// SHA-256 under a label. No slow derivation is needed for 256 bits.
    #[must_use]
    pub fn hash_of(claim: &[u8; 32]) -> [u8; 32] {
        sha256(&[CLAIM_HASH_LABEL, claim])
    }
}

/// What an acceptance is bound to: it counts for no other invitation, folder, inviter or guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptanceBinding {
    /// The invitation.
    pub invitation: InvitationId,
    /// The folder that it is to.
    pub folder: FolderId,
    /// Who invites.
    pub inviter: Fingerprint,
    /// SHA-256 of the guest's bundle.
    pub guest_hash: [u8; 32],
}

impl AcceptanceKey {
    /// The guest's proof: HMAC-SHA-256 (RFC 2104) over a label and the binding.
    #[must_use]
    pub fn prove(&self, binding: &AcceptanceBinding) -> [u8; 32] {
        let AcceptanceBinding { invitation, folder, inviter, guest_hash } = binding;
        let parts: [&[u8]; 5] =
            [PROOF_LABEL, invitation.as_bytes(), folder.as_bytes(), inviter.as_bytes(), guest_hash];
        Active::hmac_sha256(self.bytes(), &parts)
    }

    /// Whether `proof` was made with this key for this binding, in constant time.
    #[must_use]
    pub fn verify(&self, binding: &AcceptanceBinding, proof: &[u8; 32]) -> bool {
        self.prove(binding).ct_eq(proof).into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::TestRandom;
    use super::*;

    #[test]
    fn secrets_round_trip_are_not_printed_and_not_mixed_up() {
        let secrets = InvitationSecrets::generate(&mut TestRandom::new(1));
        let (password, fragment) = (secrets.password.to_text(), secrets.fragment.to_text());
        assert_eq!((password.len(), fragment.len()), (24, 28));
        assert!(password.split('-').all(|group| group.len() == 4), "{}", *password);
        assert!(fragment.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{}", *fragment);
        let typed = format!(" {} ", password.to_lowercase().replace('-', " "));
        let again =
            InvitationSecrets { password: typed.parse().unwrap(), fragment: fragment.parse().unwrap() };
        assert_eq!(again, secrets);
        assert_ne!(InvitationSecrets::generate(&mut TestRandom::new(2)), secrets);
        let debug = format!("{secrets:?}");
        assert!(!debug.contains(&password[..4]) && !debug.contains(&fragment[..4]), "{debug}");
        assert!(password.parse::<LinkFragment>().is_err() && fragment.parse::<InvitationPassword>().is_err());
        assert!(matches!(fragment[..20].parse::<LinkFragment>(), Err(ParsePrintedError::Length { .. })));
        let other = if fragment.starts_with('7') { "8" } else { "7" };
        let mistyped = format!("{other}{}", &fragment[1..]);
        assert!(matches!(mistyped.parse::<LinkFragment>(), Err(ParsePrintedError::Checksum { .. })));
    }

    /// Row 32: every key needs password, link and id.
    #[test]
    fn every_key_comes_from_both_secrets_and_the_id() {
        let mut rng = TestRandom::new(3);
        let (one, other) = (InvitationSecrets::generate(&mut rng), InvitationSecrets::generate(&mut rng));
        let id = InvitationId::new([7; 16]);
        let bytes = |secrets: &InvitationSecrets, id| {
            let InvitationKeys { record, claim, acceptance, reading } = secrets.derive(id);
            [*record.bytes(), *claim.bytes(), *acceptance.bytes(), *reading.bytes()]
        };
        let of_link = InvitationSecrets { password: other.password, fragment: LinkFragment(one.fragment.0) };
        let of_password =
            InvitationSecrets { password: InvitationPassword(one.password.0), fragment: other.fragment };
        let all = [
            bytes(&one, id),
            bytes(&of_link, id),
            bytes(&of_password, id),
            bytes(&one, InvitationId::new([8; 16])),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().flatten().collect();
        assert_eq!(distinct.len(), 16);
    }
}
