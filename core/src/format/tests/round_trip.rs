//! What is sealed opens again, as it was.

use proptest::prelude::*;

use super::super::roster::Role;
use super::*;
use crate::crypto::cobblestone::CHUNK_BYTES;
use crate::format::{
    FileSeal, ObjectKind, OpenPayload, RUN_CHUNKS, RUN_LEN, SealError, SealedHeader, padme, rewrite_info,
};

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((i * 7 + i / 251) % 256).unwrap()).collect()
}

#[test]
fn every_length_around_the_seams() {
    let mut world = World::new();
    for len in [
        0,
        1,
        71,
        CHUNK_BYTES - 1,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        3 * CHUNK_BYTES,
        RUN_LEN - 1,
        RUN_LEN,
        RUN_LEN + 1,
    ] {
        let content = pattern(len);
        for padded in [false, true] {
            let statement = world.statement(file(&content));
            let sealed = world.seal(if padded { statement.padded() } else { statement }, &content);
            let (header, opened) = world.open(&sealed.bytes).unwrap();
            assert_eq!(opened, content, "{len}");
            assert_eq!(header.total_len, sealed.bytes.len() as u64);
            assert_eq!(header.statement, sealed.statement);
            assert_eq!(header.statement_hash, sealed.statement_hash);
            assert_eq!(header.statement.padded_len, if padded { padme(len as u64) } else { len as u64 });
            let unit = if header.statement.padded_len >= 1 << 20 { 4096 } else { 256 };
            assert_eq!(header.header_len % unit, 0, "{len}");
        }
    }
}

#[test]
fn every_kind_keeps_every_field() {
    let mut world = World::new();
    for content in empty_kinds() {
        let mut object = world.object(content);
        object.description = Some("Tells what it is.\n".into());
        let statement = Statement::from_object(&object, &world.authorship(&world.alice.identity));
        let sealed = world.seal(statement, b"");
        let (header, content) = world.open(&sealed.bytes).unwrap();
        assert!(content.is_empty());
        assert_eq!(header.statement.to_object(FILE, object.author.clone()), Some(object));
        assert!(world.roster.state().accepts(&header));
    }
}

#[test]
fn a_payload_is_streamed_and_read_at_random() {
    let mut world = World::new();
    let content = pattern(3 * RUN_LEN + 5);
    let statement = world.statement(file(&content)).padded();
    let folder = world.roster.folder_seal(&world.envelopes).unwrap();
    let mut seal = FileSeal::begin(&folder, FILE, 4, statement, &mut world.rng).unwrap();
    let (total, body) = (seal.total_len(), seal.body_offset());
    let (mut rest, mut sealed) = (&content[..], Vec::new());
    while !seal.is_complete() {
        let (next, after) = rest.split_at(seal.next_run_len());
        let mut run = next.to_vec();
        seal.seal_run(&mut run).unwrap();
        sealed.extend_from_slice(&run);
        rest = after;
    }
    assert_eq!(seal.seal_run(&mut Vec::new()), Err(SealError::SizeChanged));
    let SealedHeader { bytes, .. } = seal.finish(&world.alice.identity, &mut world.rng).unwrap();
    assert_eq!((bytes.len(), (bytes.len() + sealed.len()) as u64), (body, total));
    let whole = [bytes, sealed].concat();

    let header = open_header(&whole[..body], &world.synced()).unwrap();
    assert_eq!(header.total_len, total);
    let payload = OpenPayload::new(&header).unwrap();
    for run_number in [3, 0, 2, 1, 2] {
        let first = run_number * RUN_CHUNKS;
        let at = usize::try_from(payload.offset(first)).unwrap();
        let mut run = whole[at..at + payload.sealed_run_len(first)].to_vec();
        payload.open_run(first, &mut run).unwrap();
        let from = usize::try_from(run_number).unwrap() * RUN_LEN;
        assert_eq!(run, content[from..content.len().min(from + RUN_LEN)]);
    }
    assert!(payload.finish().is_err(), "not every run was read in order");
}

#[test]
fn a_seal_refuses_a_size_that_changed() {
    let mut world = World::new();
    let folder = world.roster.folder_seal(&world.envelopes).unwrap();
    let sealed = |content: &[u8], rng: &mut TestRandom| {
        let statement = world.statement(file(b"12345"));
        seal_bytes(&folder, FILE, 1, statement, content, &world.alice.identity, rng).map(drop)
    };
    let rng = &mut TestRandom::new(1);
    assert_eq!(sealed(b"12345", rng), Ok(()));
    assert_eq!(sealed(b"1234", rng), Err(SealError::SizeChanged));
    assert_eq!(sealed(b"123456", rng), Err(SealError::SizeChanged));
    let statement = world.statement(file(b""));
    let by_bob = seal_bytes(&folder, FILE, 1, statement, b"", &world.bob.identity, &mut world.rng);
    assert_eq!(by_bob.map(drop), Err(SealError::WrongSigner));
}

#[test]
fn an_account_alone_opens_it_and_pays_rsa_once() {
    let mut world = World::new();
    let sealed = world.seal_file(b"mailed");
    let alone = world.alone(&world.alice);
    assert_eq!(open_bytes(&sealed.bytes, &alone).unwrap().1, b"mailed");
    let known = alone.opened();
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].name, world.roster.state().key_name());
    // With the key remembered, the member envelope is not needed.
    let again = AccountAlone::new(&world.bob.envelope, known);
    assert_eq!(open_bytes(&sealed.bytes, &again).unwrap().1, b"mailed");
    assert_eq!(refusal(&sealed.bytes, &world.alone(&world.bob)), HeaderError::NotARecipient);
}

#[test]
fn a_shared_file_opens_for_its_recipient_only() {
    let mut world = World::new();
    let folder = world.roster.folder_seal(&world.envelopes).unwrap();
    let statement = world.statement(file(b"for Bob"));
    let users = [world.bob.envelope.public()];
    let seal = FileSeal::begin_shared(&folder, &users, 1, FILE, 1, statement, &mut world.rng).unwrap();
    let sealed =
        super::super::seal::seal_content(seal, b"for Bob", &world.alice.identity, &mut world.rng).unwrap();
    let (mut header, content) = open_bytes(&sealed.bytes, &world.alone(&world.bob)).unwrap();
    assert_eq!(content, b"for Bob");
    assert_eq!(header.folder_key, None);
    let list = header.access_list.as_ref().unwrap();
    assert!(world.roster.state().may_administer(&list.signer));
    assert_eq!(list.recipients[0].id, users[0].spki_hash());
    assert!(header.unlisted_envelopes().is_empty());
    header.distrust_access_list();
    assert_eq!(header.unlisted_envelopes(), [super::super::EnvelopeType::USER]);
    // A rename keeps the recipient; nothing of the list has to be signed again.
    let header = open_header(&sealed.bytes, &world.synced()).unwrap();
    let mut statement = header.statement.clone();
    statement.name = Name::new("renamed").unwrap();
    let renamed = rewrite_info(&header, statement, &folder, &world.alice.identity, &mut world.rng).unwrap();
    let whole = [&renamed.bytes, &sealed.bytes[header.header_len + 56..]].concat();
    let (header, content) = open_bytes(&whole, &world.alone(&world.bob)).unwrap();
    assert_eq!((header.statement.name.as_str(), &content[..]), ("renamed", &b"for Bob"[..]));
}

#[test]
fn a_rename_keeps_the_payload_and_names_its_origin() {
    let mut world = World::new();
    let content = pattern(CHUNK_BYTES + 9);
    let sealed = world.seal_file(&content);
    let bundle = bundle_of(&world.bob, "bob@example.com", 0xBB);
    world.roster.add(bundle, Role::Writer, &world.alice.identity).unwrap();
    let old = open_header(&sealed.bytes, &world.synced()).unwrap();
    let mut object = old.statement.to_object(FILE, "".into()).unwrap();
    object.name = Name::new("a much longer name than before, so that the header grows.txt").unwrap();
    object.place_dot = Dot { counter: 10, device: DEVICE };
    object.clock.see(object.place_dot);
    let statement = Statement::from_object(&object, &world.authorship(&world.bob.identity));
    let envelopes = world.envelopes.clone();
    let folder = world.roster.folder_seal(&envelopes).unwrap();
    let renamed = rewrite_info(&old, statement, &folder, &world.bob.identity, &mut world.rng).unwrap();
    let whole = [&renamed.bytes, &sealed.bytes[old.header_len + 56..]].concat();
    let (header, opened) = world.open(&whole).unwrap();
    assert_eq!(opened, content);
    assert_eq!(header.statement.to_object(FILE, "".into()), Some(object.clone()));
    let origin = header.origin.as_ref().unwrap();
    assert_eq!(
        (origin.statement.writer, origin.statement_hash),
        (world.alice.identity.public(), sealed.statement_hash)
    );
    assert!(world.roster.state().accepts(&header));

    // Alice renames again: she made the content herself, so no origin is left.
    let statement = Statement::from_object(&object, &world.authorship(&world.alice.identity));
    let again =
        rewrite_info(&header, statement.clone(), &folder, &world.alice.identity, &mut world.rng).unwrap();
    assert_eq!(again.statement.origin, None);

    // Another content, or another epoch, is not the same payload.
    let mut other = statement.clone();
    other.size += 1;
    let refused = rewrite_info(&header, other, &folder, &world.alice.identity, &mut world.rng);
    assert_eq!(refused.map(drop), Err(SealError::OtherContent));
    let mut roster = world.roster.clone();
    roster.start_epoch(FolderKey::generate(&mut world.rng), &world.alice.identity).unwrap();
    let folder = roster.folder_seal(&envelopes).unwrap();
    let refused = rewrite_info(&header, statement, &folder, &world.alice.identity, &mut world.rng);
    assert_eq!(refused.map(drop), Err(SealError::OldEpoch));
}

#[derive(Debug)]
struct Fields {
    content: Content,
    name: String,
    times: (i64, i64),
    description: Option<String>,
    clock: Vec<(u8, u64)>,
}

fn fields() -> impl Strategy<Value = Fields> {
    let content = prop_oneof![
        (0u64..1 << 46, any::<[u8; 32]>(), any::<bool>()).prop_map(|(size, digest, executable)| {
            Content::File { size, digest: Some(crate::ids::Digest::new(digest)), executable }
        }),
        Just(Content::Directory),
        "[^\\x00]{1,300}".prop_map(|target| Content::Symlink { target: target.into() }),
        Just(Content::Tombstone { was: Kind::Symlink, size: 0, digest: None }),
    ];
    let clock = prop::collection::vec((any::<u8>(), 1u64..u64::MAX), 0..40);
    let texts = ("[^/\\\\\\x00.]{1,60}", prop::option::of("\\PC{0,200}"));
    (content, texts, any::<(i64, i64)>(), clock).prop_map(|(content, (name, description), times, clock)| {
        Fields { content, name, times, description, clock }
    })
}

proptest! {
    #[test]
    fn statements_encode_to_what_they_decode_from(fields in fields()) {
        let world = World::new();
        let mut object = world.object(fields.content);
        object.name = Name::new(&fields.name).unwrap();
        object.modified = Timestamp::from_nanos(fields.times.0);
        object.created = Timestamp::from_nanos(fields.times.1);
        object.description = fields.description.map(Into::into);
        for (device, counter) in fields.clock {
            object.clock.see(Dot { counter, device: DeviceId::new([device; 16]) });
        }
        let statement = Statement::from_object(&object, &world.authorship(&world.alice.identity));
        let bytes = statement.encode().unwrap();
        let decoded = Statement::decode(&bytes).unwrap();
        prop_assert_eq!(&decoded, &statement);
        prop_assert_eq!(decoded.encode().unwrap(), bytes);
        prop_assert_eq!(decoded.to_object(object.id, object.author.clone()), Some(object));
    }
}

#[test]
fn the_largest_statement_fits() {
    let mut world = World::new();
    let mut statement = world.statement(file(b"x"));
    statement.name = Name::new(&"n".repeat(255)).unwrap();
    statement.device_name = "d".repeat(64).into();
    statement.description = Some("t".repeat(4096).into());
    for i in 0..1022u16 {
        let mut device = [0; 16];
        device[..2].copy_from_slice(&i.to_be_bytes());
        statement.clock.see(Dot { counter: u64::MAX, device: DeviceId::new(device) });
    }
    assert_eq!(statement.clock.len(), 1024);
    let sealed = world.seal(statement.clone(), b"x");
    let (old, _) = world.open(&sealed.bytes).unwrap();
    // And again as the origin of a rename by somebody else.
    statement.writer = world.bob.identity.public();
    let folder = world.roster.folder_seal(&world.envelopes).unwrap();
    let renamed =
        rewrite_info(&old, statement.clone(), &folder, &world.bob.identity, &mut world.rng).unwrap();
    assert!(open_header(&renamed.bytes, &world.synced()).unwrap().origin.is_some());
    statement.clock.see(Dot { counter: 1, device: DeviceId::new([0xEE; 16]) });
    let refused = seal_bytes(&folder, FILE, 1, statement, b"x", &world.bob.identity, &mut world.rng);
    assert_eq!(refused.map(drop), Err(SealError::Statement));
    assert_eq!(old.statement.kind, ObjectKind::File);
}
