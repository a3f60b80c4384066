//! Invitations of people who have no account yet (`docs/protocol.md`, "Invitations"): the link that the guest gets, the
//! record that the server keeps sealed, and the proof that the guest accepts.

use std::str::FromStr;

use zeroize::Zeroizing;

use super::bundle::{BundleError, SignedBundle, canonical_login};
use crate::cbor::{Malformed, Reader, Writer, check};
use crate::crypto::{
    AcceptanceBinding, InvitationKeys, LinkFragment, Login, MAX_LOGIN_BYTES, OpenError, ParsePrintedError,
    Random, Signature,
};
use crate::format::roster::Role;
use crate::ids::{Fingerprint, FolderId, InvitationId, StatementHash};

/// How long an invitation lasts, in seconds: 7 days.
pub const INVITATION_LIFETIME_S: u64 = 7 * 86_400;
/// Longest name of a folder in a record, in bytes.
pub const MAX_FOLDER_NAME_BYTES: usize = 128;
/// Longest sealed record, in bytes: two bundles, two addresses and a name fit several times.
pub const MAX_RECORD_BYTES: usize = 16 * 1024;

/// Version of the record's encoding.
const VERSION: u64 = 1;
/// Longest bundle in a record, in bytes: two keys of 422, and an address.
const MAX_BUNDLE_BYTES: usize = 4096;
/// What a link has between the server and the id.
const LINK_PATH: &str = "/invite/";

/// The link of an invitation: where its record is, and one of its two secrets.
#[derive(Debug)]
pub struct InvitationLink {
    /// The server, as the link says it: `https://` or `http://`, a name and perhaps a port. Whether to use it, and in
    /// which spelling, is the caller's to say.
    pub origin: String,
    /// The invitation.
    pub id: InvitationId,
    /// The link's secret.
    pub fragment: LinkFragment,
}

/// The text is no link of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseLinkError {
    /// It does not begin with `https://` (or `http://`, to this computer).
    #[error("the link of an invitation begins with https://")]
    Scheme,
    /// It is something else, or the part before the `#` is not whole.
    #[error("this is not the link of an invitation, which looks like https://SERVER/invite/NUMBER#SECRET")]
    NotALink,
    /// Nothing stands behind the `#`.
    #[error("the link is not whole: what follows its # is missing")]
    NoFragment,
    /// What stands behind the `#` is mistyped or cut short.
    #[error("the link is not whole: {0}")]
    Fragment(#[source] ParsePrintedError),
}

impl InvitationLink {
    /// `<origin>/invite/<id>#<fragment>`: the one spelling of a link.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let fragment = self.fragment.to_text();
        let mut text = Zeroizing::new(String::with_capacity(self.origin.len() + 128));
        text.extend([&self.origin, LINK_PATH, &self.id.to_string(), "#", &fragment]);
        text
    }
}

impl FromStr for InvitationLink {
    type Err = ParseLinkError;

    /// Reads what [`to_text`](InvitationLink::to_text) wrote, white space around it aside.
    fn from_str(text: &str) -> Result<Self, ParseLinkError> {
        let text = text.trim();
        let after_scheme = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let rest = after_scheme.ok_or(ParseLinkError::Scheme)?;
        let (place, fragment) = match rest.split_once('#') {
            Some((place, fragment)) => (place, Some(fragment)),
            None => (rest, None),
        };
        let (host, id) = place.split_once(LINK_PATH).ok_or(ParseLinkError::NotALink)?;
        let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        if host.is_empty() || host.len() > MAX_LOGIN_BYTES || !host.bytes().all(of_host) {
            return Err(ParseLinkError::NotALink);
        }
        let id = id.parse().map_err(|_| ParseLinkError::NotALink)?;
        let fragment = fragment.filter(|text| !text.is_empty()).ok_or(ParseLinkError::NoFragment)?;
        let fragment = fragment.parse().map_err(ParseLinkError::Fragment)?;
        let origin = text[..text.len() - rest.len() + host.len()].to_owned();
        Ok(Self { origin, id, fragment })
    }
}

/// What an invitation says to the guest, and to nobody else: the guest pins from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationRecord {
    /// The folder.
    pub folder: FolderId,
    /// Who invites.
    pub inviter: SignedBundle,
    /// Whose folder it is; the same where the owner invites.
    pub owner: SignedBundle,
    /// The head of the roster's log when the invitation was made: a roster that lacks it is older.
    pub roster_head: StatementHash,
    /// What the guest will be; never the owner.
    pub role: Role,
    /// Whom the inviter meant.
    pub invited: Login,
    /// What the inviter calls the folder, at most [`MAX_FOLDER_NAME_BYTES`]. Show it with care: the inviter chose it.
    pub folder_name: String,
    /// When the invitation ends, in seconds since 1970.
    pub expires_at_s: u64,
}

/// A record cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It does not open, or what it holds does not hold.
    #[error("the invitation cannot be opened: link and password do not belong together, or it was altered")]
    Refused,
    /// Written by a newer version of Ensafer.
    #[error("the invitation was made by a newer version of Ensafer: upgrade to read it")]
    NewerVersion,
}

impl From<OpenError> for RecordError {
    fn from(_: OpenError) -> Self {
        Self::Refused
    }
}

impl From<Malformed> for RecordError {
    fn from(_: Malformed) -> Self {
        Self::Refused
    }
}

impl From<BundleError> for RecordError {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::NewerVersion => Self::NewerVersion,
            BundleError::Malformed | BundleError::Signature => Self::Refused,
        }
    }
}

/// A record is outside of its limits: the folder's name is too long, or the role is the owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an invitation cannot say this: the folder's name is longer than 128 bytes, or the role is the owner's"
)]
pub struct RecordLimitError;

impl InvitationRecord {
    /// Seals the record as the server keeps it.
    ///
    /// # Errors
    /// [`RecordLimitError`]
    pub fn seal(
        &self,
        id: InvitationId,
        keys: &InvitationKeys,
        rng: &mut (impl Random + ?Sized),
    ) -> Result<Vec<u8>, RecordLimitError> {
        self.check_limits().map_err(|_| RecordLimitError)?;
        Ok(keys.record.seal_record(id, &self.encode(), rng))
    }

    /// Opens a record and verifies the bundles' signatures. Whether it has ended is the caller's to check, and so is
    /// whether the roster's owner is the one that it names.
    ///
    /// # Errors
    /// [`RecordError`]: the same for another key or id, and for anything that was altered.
    pub fn open(id: InvitationId, keys: &InvitationKeys, sealed: &[u8]) -> Result<Self, RecordError> {
        if sealed.len() > MAX_RECORD_BYTES {
            return Err(RecordError::Refused);
        }
        Self::decode(&keys.record.open_record(id, sealed)?)
    }

    /// A CBOR map: 0 version, 1 folder, 2 inviter's bundle, 3 its signature, 4 the owner's and 5 its signature (both
    /// null where the inviter is the owner), 6 roster head, 7 role, 8 invited, 9 name, 10 end.
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.map(11).key(0).uint(VERSION).key(1).bytes(self.folder.as_bytes());
        out.key(2).bytes(self.inviter.bytes()).key(3).bytes(self.inviter.signature().as_bytes());
        if self.owner == self.inviter {
            out.key(4).null().key(5).null();
        } else {
            out.key(4).bytes(self.owner.bytes()).key(5).bytes(self.owner.signature().as_bytes());
        }
        out.key(6).bytes(self.roster_head.as_bytes()).key(7).uint(self.role.number());
        out.key(8).text(self.invited.as_str()).key(9).text(&self.folder_name).key(10).uint(self.expires_at_s);
        out.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        // A newer one may have more fields.
        let mut reader = Reader::new(bytes);
        reader.map(64)?;
        if reader.key(0)?.uint()? > VERSION {
            return Err(RecordError::NewerVersion);
        }
        let mut reader = Reader::new(bytes);
        reader.whole_map(11)?;
        check(reader.key(0)?.uint()? == VERSION)?;
        let folder = FolderId::new(reader.key(1)?.array_of()?);
        let bundle = reader.key(2)?.bytes(MAX_BUNDLE_BYTES)?;
        let inviter = SignedBundle::verify(bundle, Signature::new(reader.key(3)?.array_of()?))?;
        let bundle = reader.key(4)?.optional(|reader| reader.bytes(MAX_BUNDLE_BYTES))?;
        let signature = reader.key(5)?.optional(Reader::array_of)?;
        let owner = match (bundle, signature) {
            (None, None) => inviter.clone(),
            (Some(bundle), Some(signature)) => {
                let owner = SignedBundle::verify(bundle, Signature::new(signature))?;
                check(owner != inviter)?;
                owner
            }
            _ => return Err(RecordError::Refused),
        };
        let record = Self {
            folder,
            inviter,
            owner,
            roster_head: StatementHash::new(reader.key(6)?.array_of()?),
            role: Role::from_number(reader.key(7)?.uint()?)?,
            invited: canonical_login(reader.key(8)?.text(MAX_LOGIN_BYTES)?)?,
            folder_name: reader.key(9)?.text(MAX_FOLDER_NAME_BYTES)?.to_owned(),
            expires_at_s: reader.key(10)?.uint()?,
        };
        reader.end()?;
        record.check_limits()?;
        Ok(record)
    }

    fn check_limits(&self) -> Result<(), Malformed> {
        check(self.role != Role::Owner && self.folder_name.len() <= MAX_FOLDER_NAME_BYTES)
    }
}

/// What a guest accepts, and as whom.
#[derive(Debug, Clone, Copy)]
pub struct Acceptance<'a> {
    /// The invitation.
    pub invitation: InvitationId,
    /// The folder that it is to.
    pub folder: FolderId,
    /// The inviter's identity.
    pub inviter: Fingerprint,
    /// The guest's own account.
    pub guest: &'a SignedBundle,
}

impl Acceptance<'_> {
    /// The guest's proof: only who has both secrets can make it, and for this account only.
    #[must_use]
    pub fn prove(&self, keys: &InvitationKeys) -> [u8; 32] {
        keys.acceptance.prove(&self.binding())
    }

    /// Whether `proof` is that of this acceptance, in constant time. The inviter asks this before the guest's key is
    /// taken into the roster.
    #[must_use]
    pub fn is_proven_by(&self, keys: &InvitationKeys, proof: &[u8; 32]) -> bool {
        keys.acceptance.verify(&self.binding(), proof)
    }

    fn binding(&self) -> AcceptanceBinding {
        AcceptanceBinding {
            invitation: self.invitation,
            folder: self.folder,
            inviter: self.inviter,
            guest_hash: self.guest.hash(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Bundle;
    use crate::crypto::{InvitationSecrets, PrivateKeys, TestRandom, test_keys};
    use crate::ids::AccountId;

    const ID: InvitationId = InvitationId::new([0x1D; 16]);

    fn bundle(keys: &PrivateKeys, login: &str) -> SignedBundle {
        let bundle = Bundle {
            account: AccountId::new([7; 16]),
            login: login.parse().unwrap(),
            identity: keys.identity.public(),
            envelope: keys.envelope.public(),
            login_key: keys.login.public(),
            sequence: 1,
        };
        SignedBundle::sign(bundle, &keys.identity)
    }

    fn record() -> InvitationRecord {
        let inviter = bundle(&test_keys::alice(), "alice@example.com");
        InvitationRecord {
            folder: FolderId::new([0xF0; 16]),
            owner: inviter.clone(),
            inviter,
            roster_head: StatementHash::new([3; 32]),
            role: Role::Writer,
            invited: "carol@example.com".parse().unwrap(),
            folder_name: "Bücher 👋".to_owned(),
            expires_at_s: 1_900_000_000,
        }
    }

    fn keys(seed: u64) -> InvitationKeys {
        InvitationSecrets::generate(&mut TestRandom::new(seed)).derive(ID)
    }

    #[test]
    fn a_link_round_trips() {
        for origin in ["https://keys.example.com", "https://keys.example.com:8443", "http://[::1]:9"] {
            let fragment = InvitationSecrets::generate(&mut TestRandom::new(1)).fragment;
            let link = InvitationLink { origin: origin.to_owned(), id: ID, fragment };
            let text = link.to_text();
            let again: InvitationLink = format!(" {} \n", *text).parse().unwrap();
            assert_eq!((again.origin.as_str(), again.id), (origin, ID));
            assert_eq!(*again.to_text(), *text);
            assert!(!format!("{again:?}").contains(&text[text.len() - 8..]), "{again:?}");
        }
    }

    #[test]
    fn what_is_no_link_says_why() {
        let fragment = "CHJPCSV8D5N6PV3DDSQQ0WBJECRZ";
        let id = ID.to_string();
        let parse = |text: &str| text.parse::<InvitationLink>().unwrap_err();
        for text in ["", "keys.example.com", "ftp://keys.example.com/invite/", "ensafer accept", &id] {
            assert_eq!(parse(text), ParseLinkError::Scheme, "{text}");
        }
        for place in [
            "https://keys.example.com".to_owned(),
            "https://keys.example.com/".to_owned(),
            format!("https:///invite/{id}"),
            format!("https://keys.example.com/x/invite/{id}"),
            format!("https://keys.example.com?/invite/{id}"),
            format!("https://u:p@keys.example.com/invite/{id}"),
            format!("https://b\u{fc}cher.example/invite/{id}"),
            format!("https://keys.example.com/invite/{}", &id[1..]),
            format!("https://keys.example.com/invite/{}", id.to_uppercase()),
            format!("https://keys.example.com/invite/{id}/x"),
            format!("https://keys.example.com/invite/{id}?x"),
        ] {
            assert_eq!(parse(&format!("{place}#{fragment}")), ParseLinkError::NotALink, "{place}");
        }
        let place = format!("https://keys.example.com/invite/{id}");
        assert_eq!(parse(&place), ParseLinkError::NoFragment);
        assert_eq!(parse(&format!("{place}#")), ParseLinkError::NoFragment);
        for fragment in [&fragment[1..], "x#y", "7HJPCSV8D5N6PV3DDSQQ0WBJECRZ"] {
            let error = parse(&format!("{place}#{fragment}"));
            assert!(matches!(error, ParseLinkError::Fragment(_)), "{fragment}: {error}");
        }
    }

    #[test]
    fn a_record_opens_with_its_keys_and_id_only() {
        let mut rng = TestRandom::new(1);
        let keys_of_it = keys(1);
        for owner in [record().inviter, bundle(&test_keys::bob(), "bob@example.com")] {
            let record = InvitationRecord { owner, ..record() };
            let sealed = record.seal(ID, &keys_of_it, &mut rng).unwrap();
            assert!(sealed.len() <= MAX_RECORD_BYTES / 2, "{}", sealed.len());
            assert_eq!(InvitationRecord::open(ID, &keys_of_it, &sealed), Ok(record));
            let refused = Err(RecordError::Refused);
            assert_eq!(InvitationRecord::open(ID, &keys(2), &sealed), refused);
            assert_eq!(InvitationRecord::open(InvitationId::new([2; 16]), &keys_of_it, &sealed), refused);
            assert_eq!(InvitationRecord::open(ID, &keys_of_it, &vec![0; MAX_RECORD_BYTES + 1]), refused);
            for at in 0..sealed.len() {
                let mut sealed = sealed.clone();
                sealed[at] ^= 1;
                assert_eq!(InvitationRecord::open(ID, &keys_of_it, &sealed), refused, "byte {at}");
            }
        }
    }

    /// What only somebody with both secrets could make.
    #[test]
    fn a_record_that_does_not_hold_is_refused() {
        let bytes = record().encode();
        assert!(InvitationRecord::decode(&bytes).is_ok());
        for at in 0..bytes.len() {
            assert!(InvitationRecord::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(InvitationRecord::decode(&[&bytes[..], &[0]].concat()), Err(RecordError::Refused));
        assert_eq!(bytes[..3], [0xab, 0, 1]);
        let newer = [&[0xac, 0, 2], &bytes[3..], &[11, 0]].concat();
        assert_eq!(InvitationRecord::decode(&newer), Err(RecordError::NewerVersion));
        let zero = [&[0xab, 0, 0], &bytes[3..]].concat();
        assert_eq!(InvitationRecord::decode(&zero), Err(RecordError::Refused));
        // Signed by somebody else; an owner spelled out who is the inviter.
        let inviter = record().inviter;
        let mut at = bytes.windows(64).position(|bytes| bytes == inviter.signature().as_bytes()).unwrap();
        let mut forged = bytes.clone();
        forged[at] ^= 1;
        assert_eq!(InvitationRecord::decode(&forged), Err(RecordError::Refused));
        at += 64;
        assert_eq!(bytes[at..at + 4], [4, 0xf6, 5, 0xf6]);
        let bundle = &bytes[at - 70 - inviter.bytes().len()..at - 67];
        let again: [&[u8]; 4] = [&[4], bundle, &[5], &bytes[at - 66..at]];
        let doubled = [&bytes[..at], &again.concat(), &bytes[at + 4..]].concat();
        assert_eq!(InvitationRecord::decode(&doubled), Err(RecordError::Refused));
        let half = [&bytes[..at], &again[..2].concat(), &bytes[at + 2..]].concat();
        assert_eq!(InvitationRecord::decode(&half), Err(RecordError::Refused));

        let owner = InvitationRecord { role: Role::Owner, ..record() };
        let long = InvitationRecord { folder_name: "x".repeat(MAX_FOLDER_NAME_BYTES + 1), ..record() };
        for outside in [owner, long] {
            assert_eq!(outside.seal(ID, &keys(1), &mut TestRandom::new(1)), Err(RecordLimitError));
            assert_eq!(InvitationRecord::decode(&outside.encode()), Err(RecordError::Refused));
        }
    }

    #[test]
    fn an_acceptance_is_the_guests_who_has_both_secrets() {
        let guest = bundle(&test_keys::bob(), "carol@example.com");
        let impostor = bundle(&test_keys::alice(), "carol@example.com");
        let accept = |invitation, folder, guest| {
            let inviter = record().inviter.fingerprint();
            Acceptance { invitation, folder, inviter, guest }
        };
        let (keys_of_it, folder) = (keys(1), record().folder);
        let acceptance = accept(ID, folder, &guest);
        let proof = acceptance.prove(&keys_of_it);
        assert!(acceptance.is_proven_by(&keys_of_it, &proof));
        assert!(!acceptance.is_proven_by(&keys(2), &proof));
        assert!(
            !acceptance.is_proven_by(&keys_of_it, keys_of_it.claim.expose()),
            "the server knows the claim"
        );
        assert!(!accept(ID, folder, &impostor).is_proven_by(&keys_of_it, &proof));
        assert!(!accept(InvitationId::new([2; 16]), folder, &guest).is_proven_by(&keys_of_it, &proof));
        assert!(!accept(ID, FolderId::new([2; 16]), &guest).is_proven_by(&keys_of_it, &proof));
    }
}
