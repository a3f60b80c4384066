//! What somebody may do to a file, and what then comes of it (`threats.md`).

use proptest::prelude::*;

use super::*;
use crate::crypto::cobblestone::{CHUNK_BYTES, SEALED_CHUNK_BYTES};
use crate::crypto::{FileKey, Random, Signature};
use crate::format::access::{Envelope, EnvelopeType};
use crate::format::roster::open_roster_object;
use crate::format::seal::{FileSeal, seal_content};
use crate::format::{FolderSeal, OpenPayload, open_header_again};
use crate::ids::FolderId;
use crate::plan::ProblemClass;

#[test]
fn every_flipped_bit_of_a_header_is_refused() {
    let mut world = World::new();
    let sealed = world.seal_file(b"content");
    let header = open_header(&sealed.bytes, &world.synced()).unwrap();
    let end = header.header_len + 56;
    for at in 0..end {
        // The member envelope is not what a synced folder opens, but the MAC covers it.
        for bit in if at < 100 { 0..8 } else { 0..1 } {
            let mut bytes = sealed.bytes.clone();
            bytes[at] ^= 1 << bit;
            assert!(world.open(&bytes).is_err(), "byte {at} bit {bit}");
        }
    }
    for at in end..sealed.bytes.len() {
        let mut bytes = sealed.bytes.clone();
        bytes[at] ^= 1;
        assert_eq!(refusal(&bytes, &world.synced()), HeaderError::Unauthentic, "payload byte {at}");
    }
}

#[test]
fn every_truncation_is_still_arriving() {
    let mut world = World::new();
    let content = vec![7; CHUNK_BYTES + 300];
    let sealed = world.seal_file(&content).bytes;
    let header_len = open_header(&sealed, &world.synced()).unwrap().header_len;
    for len in (0..header_len + 100).chain((header_len + 100..sealed.len()).step_by(97)) {
        let error = refusal(&sealed[..len], &world.synced());
        let HeaderError::TooShort { needed } = error else { panic!("{len}: {error}") };
        assert!(needed > len as u64 && needed <= sealed.len() as u64, "{len}: {needed}");
        assert_eq!(error.class_when(false), ProblemClass::StillArriving);
    }
    let longer = [&sealed[..], &[0]].concat();
    assert_eq!(refusal(&longer, &world.synced()), HeaderError::Unauthentic);
    // Whole chunks cut off or moved: the payload's shape comes from the signed statement.
    let mut swapped = sealed.clone();
    let body = header_len + 56;
    swapped[body..body + SEALED_CHUNK_BYTES].rotate_left(316);
    assert_eq!(refusal(&swapped, &world.synced()), HeaderError::Unauthentic);
}

#[test]
fn sections_of_two_files_do_not_mix() {
    let mut world = World::new();
    let one = world.seal_file(b"content 1").bytes;
    let statement = world.statement(file(b"content 2"));
    let two = world.seal_as(FileId::new([0xF2; 16]), 1, statement, b"content 2").bytes;
    // Another version of the first: same id, same lengths.
    let newer = world.seal_file(b"content 3").bytes;
    let header = open_header(&one, &world.synced()).unwrap();
    let access_end = 80 + header.prefix.access_len;
    let cuts = [0, 80, access_end, header.header_len, header.header_len + 56, one.len()];
    for other in [&two, &newer] {
        assert_eq!(one.len(), other.len());
        for mix in 1..31u32 {
            let mut bytes = Vec::new();
            for (section, cut) in cuts.windows(2).enumerate() {
                let from = if mix >> section & 1 == 1 { other } else { &one };
                bytes.extend_from_slice(&from[cut[0]..cut[1]]);
            }
            assert_eq!(refusal(&bytes, &world.synced()), HeaderError::Unauthentic, "mix {mix:05b}");
        }
    }
}

#[test]
fn lowered_or_raised_versions_and_unknown_kinds_are_newer() {
    let mut world = World::new();
    let sealed = world.seal_file(b"").bytes;
    for at in [9, 11, 20, 23] {
        for value in [0, 2, 0x80] {
            let mut bytes = sealed.clone();
            bytes[at] = value;
            if bytes == sealed {
                continue;
            }
            assert_eq!(refusal(&bytes, &world.synced()), HeaderError::NewerVersion, "byte {at}");
        }
    }
    // The roster's flag on an ordinary file: the key would be another.
    let mut bytes = sealed.clone();
    bytes[23] = 1;
    assert_eq!(refusal(&bytes, &world.synced()), HeaderError::Foreign(FolderId::new(*FILE.as_bytes())));
    // Kind 6, reserved, properly signed.
    let mut forged_kind = world.statement(Content::Directory).encode().unwrap();
    let at = kind_offset(&forged_kind, 1);
    forged_kind[at] = 6;
    let directory = world.statement(Content::Directory);
    let sealed = world.seal(directory, b"").bytes;
    let bytes = forge(&mut world, &sealed, |f, w| {
        let mut statement = f.info.signed.statement.clone();
        let at = kind_offset(&statement, 1);
        statement[at] = 6;
        f.sign(statement, &w.alice.identity);
    });
    assert_eq!(refusal(&bytes, &world.synced()), HeaderError::NewerVersion);
}

/// Where the kind's number stands: after the roster head and key 10.
fn kind_offset(statement: &[u8], kind: u8) -> usize {
    statement.windows(3).position(|w| w == [10, kind, 11]).unwrap() + 1
}

#[test]
fn who_holds_the_key_but_may_not_write_is_noticed() {
    let mut world = World::new();
    let sealed = world.seal_file(b"content").bytes;
    let forged = |world: &mut World, change: &dyn Fn(&mut Forgery, &World)| {
        let bytes = forge(world, &sealed, change);
        world.open(&bytes)
    };
    // Unchanged, the forger's tool makes a good file.
    assert!(forged(&mut world, &|_, _| {}).is_ok());
    // Another name under the old signature.
    let renamed = forged(&mut world, &|f, _| {
        let mut statement = f.statement();
        statement.name = Name::new("other").unwrap();
        f.info.signed.statement = statement.encode().unwrap();
    });
    assert_eq!(renamed.map(drop), Err(HeaderError::Unauthentic));
    // Signed by Bob in Alice's name.
    let in_her_name = forged(&mut world, &|f, w| f.sign(f.info.signed.statement.clone(), &w.bob.identity));
    assert_eq!(in_her_name.map(drop), Err(HeaderError::Unauthentic));
    // Signed by Bob in his own name: authentic, and refused by the roster.
    let (header, _) = forged(&mut world, &|f, w| {
        let mut statement = f.statement();
        statement.writer = w.bob.identity.public();
        f.sign(statement.encode().unwrap(), &w.bob.identity);
    })
    .unwrap();
    assert!(!world.roster.state().accepts(&header));
    // Another digest or size than the payload's, signed: the content is not handed out.
    for change in [0, 1, 2] {
        let wrong = forged(&mut world, &|f, w| {
            let mut statement = f.statement();
            match change {
                0 => statement.content_digest = Some(crate::ids::Digest::new([1; 32])),
                1 => (statement.size, statement.padded_len) = (6, 6),
                _ => statement.payload_head[55] ^= 1,
            }
            f.sign(statement.encode().unwrap(), &w.alice.identity);
        });
        assert!(matches!(wrong, Err(HeaderError::Unauthentic)), "change {change}");
    }
    // INFO's padding.
    for padding in [vec![], vec![0; 3], vec![1; 400]] {
        let bytes = forge(&mut world, &sealed, |f, _| f.padding = Some(padding));
        assert!(matches!(world.open(&bytes), Err(HeaderError::Unauthentic)));
    }
}

#[test]
fn statements_with_anything_unexpected_are_refused() {
    let world = World::new();
    let mut statement = world.statement(file(b"x"));
    statement.content_digest = Some(crate::ids::Digest::new([1; 32]));
    let bytes = statement.encode().unwrap();
    for len in 0..bytes.len() {
        assert!(Statement::decode(&bytes[..len]).is_err(), "{len}");
    }
    assert!(Statement::decode(&[&bytes[..], &[0]].concat()).is_err(), "left over");
    assert_eq!(bytes[0], 0xB3, "a map of 19");
    let unknown = [&[0xB4], &bytes[1..], &[24, 99, 0]].concat();
    assert!(Statement::decode(&unknown).is_err(), "unknown key");
    let broken: [fn(&mut Statement); 9] = [
        |s| s.padded_len = 0,
        |s| s.padded_len = 2,
        |s| s.size = crate::format::MAX_SIZE + 1,
        |s| s.content_digest = None,
        |s| s.target = Some("t".into()),
        |s| s.clock = Clock::new(),
        |s| s.content_dot.counter = 0,
        |s| s.kind = crate::format::ObjectKind::Directory,
        |s| s.device_name = "d".repeat(65).into(),
    ];
    for (i, change) in broken.into_iter().enumerate() {
        let mut statement = statement.clone();
        change(&mut statement);
        assert!(statement.encode().is_err(), "{i}");
    }
}

#[test]
fn foreign_folders_and_planted_keys_open_nothing() {
    let mut world = World::new();
    let sealed = world.seal_file(b"content").bytes;
    let other = SyncedFolder { folder: FolderId::new([9; 16]), keys: &world.roster };
    assert_eq!(refusal(&sealed, &other), HeaderError::Foreign(world.roster.state().folder));
    // A key of somebody else's under our folder's name and epoch, in envelopes of both types.
    let (folder, epoch) = (world.roster.state().folder, world.roster.state().epoch);
    let planted = FolderKey::generate(&mut world.rng);
    let users = [world.alice.envelope.public()];
    let members = super::super::member_envelopes(folder, epoch, &planted, &users).unwrap();
    let seal = FolderSeal::new(folder, epoch, &planted, &members);
    let statement = world.statement(file(b"planted"));
    let bytes =
        seal_bytes(&seal, FILE, 1, statement, b"planted", &world.alice.identity, &mut world.rng).unwrap();
    assert_eq!(refusal(&bytes.bytes, &world.synced()), HeaderError::NotARecipient);
    // No envelope at all.
    let statement = world.statement(file(b""));
    let key = FileKey::generate(&mut world.rng);
    let none = Access::build([]).unwrap();
    let seal = FileSeal::begin_with(&key, none, None, FILE, 1, statement, &mut world.rng).unwrap();
    let bytes = seal_content(seal, b"", &world.alice.identity, &mut world.rng).unwrap().bytes;
    assert_eq!(refusal(&bytes, &world.synced()), HeaderError::NotARecipient);
    assert_eq!(refusal(&bytes, &world.alone(&world.alice)), HeaderError::NotARecipient);
}

#[test]
fn added_envelopes_are_reported_and_dropped() {
    let mut world = World::new();
    let sealed = world.seal_file(b"content").bytes;
    let body = vec![5; 384];
    let bytes = forge(&mut world, &sealed, |f, _| {
        let added = [(1, &body[..]), (3, &body[..90]), (0x7F, &[][..]), (99, &[1][..])];
        let added =
            added.map(|(kind, body)| Envelope { kind: EnvelopeType(kind), flags: 0, hint: [8; 8], body });
        f.access = Access::build(f.access.envelopes().chain(added)).unwrap();
    });
    let (header, content) = world.open(&bytes).unwrap();
    assert_eq!(content, b"content");
    assert_eq!(header.unlisted_envelopes().iter().map(|kind| kind.0).collect::<Vec<_>>(), [1, 3, 0x7F, 99]);
    let folder = world.roster.folder_seal(&world.envelopes).unwrap();
    let statement = header.statement.clone();
    let saved =
        super::super::rewrite_info(&header, statement, &folder, &world.alice.identity, &mut world.rng)
            .unwrap();
    assert!(open_header(&saved.bytes, &world.synced()).unwrap().unlisted_envelopes().is_empty());
    // Taken out by somebody without the key: the MAC shows it.
    let header = open_header(&sealed, &world.synced()).unwrap();
    let mut dropped = header.prefix;
    let access = header.access.retain(|e| e.kind == EnvelopeType::FOLDER);
    dropped.access_len = access.as_bytes().len();
    let rest = &sealed[80 + header.prefix.access_len..];
    let bytes = [&dropped.to_bytes()[..], access.as_bytes(), rest].concat();
    assert_eq!(refusal(&bytes, &world.synced()), HeaderError::Unauthentic);
}

#[test]
fn an_access_list_holds_for_its_file_and_epoch_only() {
    let mut world = World::new();
    let users = [world.bob.envelope.public()];
    let share = |id: FileId, epoch: u32, world: &World, rng: &mut TestRandom| {
        let folder = world.roster.folder_seal(&world.envelopes).unwrap();
        let statement = world.statement(file(b"x"));
        let seal = FileSeal::begin_shared(&folder, &users, 1, id, epoch, statement, rng).unwrap();
        seal_content(seal, b"x", &world.alice.identity, rng).unwrap().bytes
    };
    let mut rng = TestRandom::new(3);
    let one = share(FILE, 1, &world, &mut rng);
    let list = open_header(&one, &world.synced()).unwrap().info.access;
    for other in [share(FILE, 2, &world, &mut rng), share(FileId::new([1; 16]), 1, &world, &mut rng)] {
        assert!(world.open(&other).is_ok());
        let bytes = forge(&mut world, &other, |f, _| f.info.access = list.clone());
        assert!(matches!(world.open(&bytes), Err(HeaderError::Unauthentic)));
    }
    let bytes = forge(&mut world, &one, |f, _| {
        f.info.access = Some((list.clone().unwrap().0, Signature::new([0; 64])));
    });
    assert!(matches!(world.open(&bytes), Err(HeaderError::Unauthentic)));
}

#[test]
fn one_payload_opens_for_one_file_only() {
    // A ciphertext that opens under two keys would need two commitments.
    let mut world = World::new();
    let sealed = world.seal_file(b"content").bytes;
    let header = open_header(&sealed, &world.synced()).unwrap();
    let mut other = open_header(&world.seal_file(b"content").bytes, &world.synced()).unwrap();
    assert!(OpenPayload::new(&other).is_ok());
    other.statement.payload_head = header.statement.payload_head;
    assert!(OpenPayload::new(&other).is_err());
}

proptest! {
    #[test]
    fn random_bytes_never_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..3000),
        lengths: (u16, u16),
        magic: bool,
        roster: bool,
    ) {
        let world = WORLD.with(std::rc::Rc::clone);
        if magic && bytes.len() >= 80 {
            let prefix = Prefix {
                access_len: usize::from(lengths.0 % 2000),
                info_len: usize::from(lengths.1 % 2000),
                roster,
                file_id: world.roster.state().folder.root(),
                key_epoch: 1,
                header_mac: [0; 32],
            };
            bytes[..48].copy_from_slice(&prefix.to_bytes()[..48]);
        }
        prop_assert!(open_bytes(&bytes, &world.synced()).is_err());
        prop_assert!(open_bytes(&bytes, &world.alone(&world.alice)).is_err());
        prop_assert!(open_roster_object(&bytes, &world.synced()).is_err());
        let _ = Statement::decode(&bytes);
        let _ = Info::decode(&bytes);
        let _ = Access::parse(&bytes);
    }

    #[test]
    fn damaged_statements_never_panic(at in 0usize..300, value: u8, cut in 0usize..400) {
        let world = WORLD.with(std::rc::Rc::clone);
        let mut bytes = world.statement(Content::Directory).encode().unwrap();
        let at = at % bytes.len();
        bytes[at] = value;
        bytes.truncate(cut.max(1));
        if let Ok(statement) = Statement::decode(&bytes) {
            prop_assert_eq!(statement.encode().unwrap(), bytes);
        }
    }
}

thread_local! {
    static WORLD: std::rc::Rc<World> = std::rc::Rc::new(World::new());
}

#[test]
fn hostile_counts_cost_no_memory() {
    // Each claims far more items than there are bytes; were anything allocated by the claim, this would not end.
    let claims: [&[u8]; 4] = [
        &[0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x7B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    ];
    let world = World::new();
    let statement = world.statement(Content::Directory).encode().unwrap();
    for claim in claims {
        assert!(Statement::decode(claim).is_err());
        assert!(Info::decode(claim).is_err());
        for at in 0..statement.len() {
            assert!(Statement::decode(&[&statement[..at], claim].concat()).is_err());
        }
    }
    let mut rng = TestRandom::new(1);
    let mut access = vec![0; 1 << 20];
    rng.fill(&mut access);
    access[..2].copy_from_slice(&1024u16.to_be_bytes());
    assert!(Access::parse(&access).is_err());
}

#[test]
fn only_the_very_statement_that_was_verified_needs_no_second_look_at_its_signature() {
    let mut world = World::new();
    let sealed = world.seal_file(b"content").bytes;
    let seen = open_header(&sealed, &world.synced()).unwrap().statement_hash;
    let unsigned = Signature::new([0; 64]);
    let same = forge(&mut world, &sealed, |f, _| f.info.signed.signature = unsigned);
    let again = open_header_again(&same, &world.synced(), seen).unwrap();
    assert_eq!(again.statement_hash, seen, "the name covers all that is signed");
    let other = forge(&mut world, &sealed, |f, _| {
        let renamed = Statement { name: Name::new("other").unwrap(), ..f.statement() };
        f.info.signed =
            SignedStatement { statement: renamed.encode().unwrap(), signature: Signature::new([0; 64]) };
    });
    let refused = open_header_again(&other, &world.synced(), seen).map(|header| header.statement_hash);
    assert_eq!(refused, Err(HeaderError::Unauthentic));
}
