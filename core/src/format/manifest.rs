//! Manifests: the statements that somebody had written before they were removed from a folder, or lost the right to
//! write. The roster's entry names the manifest, so that what they wrote by then stays theirs to have written, and nothing
//! that they sign later passes for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::HeaderError;
use super::header::{OpenedHeader, ensure};
use super::key_source::FileKeySource;
use super::payload::open_bytes;
use super::roster::ManifestName;
use super::seal::{FolderSeal, SealError, SealedObject, seal_bytes};
use super::statement::{Authorship, ObjectKind, Statement};
use crate::clock::{Clock, Dot};
use crate::crypto::{Random, SigningKey};
use crate::ids::{FileId, StatementHash};
use crate::time::Timestamp;
use crate::tree::Name;

/// Most bytes of a manifest's payload: a million statements.
pub const MAX_MANIFEST_LEN: u64 = 48 << 20;
/// Bytes of one line: the object's id, the statement's hash.
const LINE_LEN: usize = FileId::LEN + StatementHash::LEN;
/// What manifests are called in their statements.
const MANIFEST_NAME: &str = "manifest";

/// Which statements somebody had written: objects and statement hashes, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest(BTreeSet<(FileId, StatementHash)>);

impl Manifest {
    /// Whether it lists this version.
    #[must_use]
    pub fn lists(&self, header: &OpenedHeader) -> bool {
        self.0.contains(&(header.prefix.file_id, header.statement_hash))
    }

    /// Whether it lists nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(id, hash)| [&id.as_bytes()[..], hash.as_bytes()].concat()).collect()
    }

    /// Reads what [`encode`](Self::encode) wrote: whole lines, strictly ascending.
    fn decode(payload: &[u8]) -> Result<Self, HeaderError> {
        let (lines, rest) = payload.as_chunks::<LINE_LEN>();
        ensure(rest.is_empty() && lines.is_sorted_by(|a, b| a < b))?;
        let line = |line: &[u8; LINE_LEN]| {
            let (id, hash) = line.split_first_chunk().expect("a line begins with an id");
            let hash = hash.first_chunk().expect("a hash follows");
            (FileId::new(*id), StatementHash::new(*hash))
        };
        Ok(Self(lines.iter().map(line).collect()))
    }

    /// Seals it as the object `id` ([`Roster::manifest_id`](super::roster::Roster::manifest_id)), which is written once,
    /// at `now`, as the event `dot`.
    ///
    /// # Errors
    /// [`SealError::TooLarge`] for more than a million lines, and as [`seal_bytes`].
    pub fn seal(
        &self,
        folder: &FolderSeal<'_>,
        id: FileId,
        (authorship, dot, now): (&Authorship, Dot, Timestamp),
        signer: &SigningKey,
        rng: &mut dyn Random,
    ) -> Result<SealedObject, SealError> {
        let payload = self.encode();
        if payload.len() as u64 > MAX_MANIFEST_LEN {
            return Err(SealError::TooLarge);
        }
        let statement = statement(payload.len() as u64, authorship, dot, now)?;
        seal_bytes(folder, id, 1, statement, &payload, signer, rng)
    }

    /// Opens the manifest that a roster's entry names: exactly the version that was named, whoever wrote the file.
    ///
    /// # Errors
    /// [`HeaderError::Unauthentic`] for another one, or one that is malformed, and what [`open_bytes`] refuses.
    pub fn open(bytes: &[u8], name: &ManifestName, keys: &impl FileKeySource) -> Result<Self, HeaderError> {
        let (header, payload) = open_bytes(bytes, keys)?;
        ensure(header.statement.kind == ObjectKind::Manifest)?;
        ensure(header.prefix.file_id == name.id && header.statement_hash == name.statement)?;
        Self::decode(&payload)
    }
}

fn statement(size: u64, authorship: &Authorship, dot: Dot, now: Timestamp) -> Result<Statement, SealError> {
    Ok(Statement {
        name: Name::new(MANIFEST_NAME).map_err(|_| SealError::Statement)?,
        parent: authorship.folder.root(),
        folder: authorship.folder,
        owner: authorship.owner,
        writer: authorship.writer,
        device: authorship.device,
        device_name: Arc::clone(&authorship.device_name),
        clock: Clock::new().with(dot),
        roster_head: authorship.roster_head,
        kind: ObjectKind::Manifest,
        size,
        modified: now,
        created: now,
        executable: false,
        target: None,
        description: None,
        payload_head: [0; 56],
        content_digest: None,
        padded_len: size,
        content_dot: dot,
        place_dot: dot,
        origin: None,
    })
}

impl FromIterator<(FileId, StatementHash)> for Manifest {
    fn from_iter<I: IntoIterator<Item = (FileId, StatementHash)>>(statements: I) -> Self {
        Self(statements.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::test_keys;
    use crate::format::roster::Role;
    use crate::format::tests::{DEVICE, World, bundle_of};
    use crate::ids::DeviceId;

    fn lines(count: u8) -> Manifest {
        (0..count).map(|n| (FileId::new([n; 16]), StatementHash::new([n; 32]))).collect()
    }

    /// Seals it as Alice, who removes Bob.
    fn sealed(world: &mut World, manifest: &Manifest, device: DeviceId) -> SealedObject {
        let bob = world.bob.identity.public();
        let folder = world.roster.folder_seal(&world.envelopes).unwrap();
        let id = world.roster.manifest_id(&bob);
        let alice = &world.alice.identity;
        let authorship = Authorship { device, ..world.authorship(alice) };
        let said = (&authorship, Dot { counter: 1, device }, Timestamp::default());
        manifest.seal(&folder, id, said, alice, &mut world.rng).unwrap()
    }

    fn with_bob() -> World {
        let mut world = World::new();
        let bundle = bundle_of(&test_keys::bob(), "bob@example.com", 0xBB);
        world.roster.add(bundle, Role::Writer, &world.alice.identity).unwrap();
        world.envelopes = world.roster.member_envelopes(None).unwrap();
        world
    }

    #[test]
    fn whoever_has_the_entry_finds_the_manifest_and_no_other_passes() {
        let mut world = with_bob();
        let manifest = lines(3);
        let object = sealed(&mut world, &manifest, DEVICE);
        let other = sealed(&mut world, &lines(4), DeviceId::new([9; 16]));
        let bob = world.bob.identity.public();
        let id = world.roster.manifest_id(&bob);
        let key = crate::crypto::FolderKey::generate(&mut world.rng);
        world.roster.remove(bob, Some(object.statement_hash), key, &world.alice.identity).unwrap();
        let [name] = world.roster.state().manifests[..] else { panic!("one manifest is named") };
        assert_eq!((name.subject, name.id), (bob, id));
        assert_eq!(Manifest::open(&object.bytes, &name, &world.synced()).unwrap(), manifest);
        assert_eq!(
            Manifest::open(&other.bytes, &name, &world.synced()),
            Err(HeaderError::Unauthentic),
            "of the same object, by the same signer"
        );
        let mut altered = object.bytes.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert!(Manifest::open(&altered, &name, &world.synced()).is_err());
    }

    #[test]
    fn lines_are_whole_and_ascending() {
        let payload = lines(3).encode();
        assert_eq!(Manifest::decode(&payload), Ok(lines(3)));
        assert_eq!(Manifest::decode(&[]), Ok(Manifest::default()));
        assert!(Manifest::decode(&payload[1..]).is_err());
        let twice = [&payload[..LINE_LEN], &payload[..LINE_LEN]].concat();
        let turned = [&payload[LINE_LEN..2 * LINE_LEN], &payload[..LINE_LEN]].concat();
        assert!(Manifest::decode(&twice).is_err() && Manifest::decode(&turned).is_err());
    }
}
