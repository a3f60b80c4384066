//! A small world to test in: Alice's folder, with Bob as somebody else.

mod alone;
mod alone_vectors;
mod attacks;
mod generate;
mod round_trip;
mod several;
mod vectors;

use std::sync::Arc;

use super::access::Access;
use super::header::{OpenedHeader, content_scope, open_header};
use super::info::{Info, padded_info_len};
use super::prefix::MAC_OFFSET;
use super::roster::{FolderLayout, Roster};
use super::statement::SignedStatement;
use super::{
    AccountAlone, Authorship, FileKeySource, HeaderError, Prefix, SealedObject, Statement, SyncedFolder,
    open_bytes, seal_bytes,
};
use crate::account::{Bundle, SignedBundle};
use crate::clock::{Clock, Dot};
use crate::crypto::{Domain, FolderKey, PrivateKeys, SigningKey, TestRandom, cobblestone, test_keys};
use crate::ids::{AccountId, DeviceId, FileId};
use crate::time::Timestamp;
use crate::tree::{Content, Kind, Name, Object};

pub(super) const DEVICE: DeviceId = DeviceId::new([0xD1; 16]);
pub(super) const FILE: FileId = FileId::new([0xF1; 16]);

pub(crate) fn bundle_of(keys: &PrivateKeys, login: &str, account: u8) -> SignedBundle {
    let bundle = Bundle {
        account: AccountId::new([account; 16]),
        login: login.parse().unwrap(),
        identity: keys.identity.public(),
        envelope: keys.envelope.public(),
        login_key: keys.login.public(),
        sequence: 1,
    };
    SignedBundle::sign(bundle, &keys.identity)
}

pub(super) struct World {
    pub alice: PrivateKeys,
    pub bob: PrivateKeys,
    pub roster: Roster,
    pub envelopes: Access,
    pub rng: TestRandom,
}

impl World {
    pub fn new() -> Self {
        let mut rng = TestRandom::new(7);
        let (alice, bob) = (test_keys::alice(), test_keys::bob());
        let bundle = bundle_of(&alice, "alice@example.com", 0xAA);
        let key = FolderKey::generate(&mut rng);
        let roster = Roster::create(bundle, &alice.identity, [3; 16], FolderLayout::Flat, key).unwrap();
        let envelopes = roster.member_envelopes(None).unwrap();
        Self { alice, bob, roster, envelopes, rng }
    }

    pub fn synced(&self) -> SyncedFolder<'_, Roster> {
        SyncedFolder { folder: self.roster.state().folder, keys: &self.roster }
    }

    pub fn authorship(&self, signer: &SigningKey) -> Authorship {
        Authorship {
            folder: self.roster.state().folder,
            owner: self.roster.state().owner(),
            writer: signer.public(),
            device: DEVICE,
            device_name: "laptop".into(),
            roster_head: self.roster.state().head,
        }
    }

    pub fn statement(&self, content: Content) -> Statement {
        Statement::from_object(&self.object(content), &self.authorship(&self.alice.identity))
    }

    pub fn object(&self, content: Content) -> Object {
        let dot = |counter| Dot { counter, device: DEVICE };
        Object {
            id: FILE,
            parent: self.roster.state().folder.root(),
            name: Name::new("Grüße 👋.txt").unwrap(),
            content,
            modified: Timestamp::from_parts(1_700_000_000, 123_456_789),
            created: Timestamp::from_parts(-5, 0),
            description: None,
            clock: Clock::new().with(dot(9)).with(Dot { counter: 300, device: DeviceId::new([0x22; 16]) }),
            content_dot: dot(9),
            place_dot: dot(4),
            author: "alice, laptop".into(),
        }
    }

    pub fn seal(&mut self, statement: Statement, content: &[u8]) -> SealedObject {
        self.seal_as(FILE, 1, statement, content)
    }

    pub fn seal_as(
        &mut self,
        id: FileId,
        key_epoch: u32,
        statement: Statement,
        content: &[u8],
    ) -> SealedObject {
        let folder = self.roster.folder_seal(&self.envelopes).unwrap();
        seal_bytes(&folder, id, key_epoch, statement, content, &self.alice.identity, &mut self.rng).unwrap()
    }

    pub fn seal_file(&mut self, content: &[u8]) -> SealedObject {
        let statement = self.statement(file(content));
        self.seal(statement, content)
    }

    pub fn open(&self, bytes: &[u8]) -> Result<(OpenedHeader, Vec<u8>), HeaderError> {
        open_bytes(bytes, &self.synced())
    }

    pub fn alone<'a>(&self, keys: &'a PrivateKeys) -> AccountAlone<'a> {
        AccountAlone::new(&keys.envelope, Vec::new())
    }
}

pub(super) fn file(content: &[u8]) -> Content {
    Content::File { size: content.len() as u64, digest: None, executable: true }
}

/// One of every kind that is not a file.
pub(super) fn empty_kinds() -> [Content; 4] {
    [
        Content::Directory,
        Content::Symlink { target: Arc::from("../elsewhere/ü") },
        Content::Tombstone { was: Kind::File, size: 77, digest: Some(crate::ids::Digest::new([6; 32])) },
        Content::Tombstone { was: Kind::Directory, size: 0, digest: None },
    ]
}

/// A header taken apart, to be put together otherwise by somebody who holds the file key.
pub(super) struct Forgery {
    pub prefix: Prefix,
    pub access: Access,
    pub info: Info,
    /// What follows INFO's array; `None` for what belongs there.
    pub padding: Option<Vec<u8>>,
}

impl Forgery {
    pub fn of(header: &OpenedHeader) -> Self {
        Self {
            prefix: header.prefix,
            access: header.access.clone(),
            info: header.info.clone(),
            padding: None,
        }
    }

    pub fn statement(&self) -> Statement {
        Statement::decode(&self.info.signed.statement).unwrap()
    }

    /// Puts another statement in, signed by `signer`.
    pub fn sign(&mut self, statement: Vec<u8>, signer: &SigningKey) {
        let scope = content_scope(&self.prefix, &statement);
        let signature = signer.sign(Domain::Content, &[&scope, &statement]);
        self.info.signed = SignedStatement { statement, signature };
    }

    /// The whole file: the forged header, then `original`'s payload.
    pub fn seal(mut self, header: &OpenedHeader, original: &[u8], rng: &mut TestRandom) -> Vec<u8> {
        let mut plain = self.info.encode();
        let padded_len = header.statement.padded_len;
        self.prefix.access_len = self.access.as_bytes().len();
        let len = padded_info_len(plain.len(), self.prefix.access_len, padded_len).unwrap();
        match self.padding.take() {
            Some(padding) => plain.extend_from_slice(&padding),
            None => plain.resize(len, 0),
        }
        let sealed = cobblestone::seal(&header.subkeys.info, rng, &self.prefix.binding(), &plain);
        self.prefix.info_len = sealed.len();
        let start = self.prefix.to_bytes();
        let macced = [&start[..MAC_OFFSET], self.access.as_bytes(), &sealed];
        self.prefix.header_mac = header.subkeys.header.mac(&macced);
        [&self.prefix.to_bytes()[..], self.access.as_bytes(), &sealed, &original[header.header_len..]]
            .concat()
    }
}

/// Changes a file by somebody who holds its key.
pub(super) fn forge(world: &mut World, bytes: &[u8], change: impl FnOnce(&mut Forgery, &World)) -> Vec<u8> {
    let header = open_header(bytes, &world.synced()).unwrap();
    let mut forgery = Forgery::of(&header);
    change(&mut forgery, world);
    forgery.seal(&header, bytes, &mut world.rng)
}

/// That every key source refuses, with the same error.
pub(super) fn refusal(bytes: &[u8], keys: &impl FileKeySource) -> HeaderError {
    open_bytes(bytes, keys).expect_err("must be refused")
}
