//! Makes the frozen vectors of `testdata/format-v1`. They were made once and are never made again: a reader of
//! version 1 must read these very bytes for ever. New ones go into a directory of their own.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::crypto::{ContentHasher, Signature};
use crate::format::access::{Envelope, EnvelopeType};
use crate::format::roster::{Role, RosterStatement, seal_roster_object};
use crate::format::seal::{FileSeal, FolderSeal, seal_content};
use crate::format::{ObjectKind, rewrite_info};
use crate::ids::{Digest, FolderId};

pub(super) const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/format-v1");

/// Content that everybody can make again.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((i * 7 + i / 251) % 256).unwrap()).collect()
}

/// A folder with two epochs: Alice's, Bob may write, a third was removed.
fn vector_world() -> World {
    let mut world = World::new();
    let carol = SigningKey::generate(&mut world.rng);
    let bundle = Bundle {
        account: AccountId::new([0xCC; 16]),
        login: "carol@example.com".parse().unwrap(),
        identity: carol.public(),
        ..bundle_of(&world.bob, "bob@example.com", 0xBB).bundle().clone()
    };
    let signer = &world.alice.identity;
    world.roster.add(bundle_of(&world.bob, "bob@example.com", 0xBB), Role::Writer, signer).unwrap();
    world.roster.add(SignedBundle::sign(bundle, &carol), Role::Reader, signer).unwrap();
    let key = FolderKey::generate(&mut world.rng);
    world.roster.remove(carol.public(), None, key, signer).unwrap();
    world.envelopes = world.roster.member_envelopes(None).unwrap();
    world
}

struct Output {
    good: Vec<Value>,
    bad: Vec<Value>,
}

impl Output {
    fn write(file: &str, bytes: &[u8]) {
        let path = Path::new(DIRECTORY).join(file);
        assert!(!path.exists(), "vectors are never overwritten: {file}");
        fs::write(path, bytes).unwrap();
    }

    fn good(&mut self, world: &World, what: &str, bytes: &[u8]) {
        let file = format!("good-{what}.ensafer");
        let (header, content) = world.open(bytes).unwrap();
        let s = &header.statement;
        let kind = match s.kind {
            ObjectKind::File => "file",
            ObjectKind::Directory => "directory",
            ObjectKind::Symlink => "symlink",
            ObjectKind::Tombstone(_) => "tombstone",
            ObjectKind::Roster => "roster",
            ObjectKind::Manifest => "manifest",
        };
        self.good.push(json!({
            "file": file,
            "file_id": header.prefix.file_id,
            "key_epoch": header.prefix.key_epoch,
            "kind": kind,
            "name": s.name,
            "target": s.target,
            "description": s.description,
            "size": s.size,
            "padded_len": s.padded_len,
            "modified": s.modified,
            "created": s.created,
            "executable": s.executable,
            "content_digest": s.content_digest,
            "content_blake3": ContentHasher::digest(&content),
            "statement_hash": header.statement_hash,
            "origin_writer": header.origin.as_ref().map(|o| o.statement.writer.fingerprint()),
            "recipients": header.access_list.as_ref().map_or(0, |list| list.recipients.len()),
            "unlisted": header.unlisted_envelopes().iter().map(|kind| kind.0).collect::<Vec<_>>(),
        }));
        Self::write(&file, bytes);
    }

    fn bad(&mut self, class: &str, what: &str, bytes: &[u8]) {
        let file = format!("bad-{what}.ensafer");
        self.bad.push(json!({ "file": file, "class": class }));
        Self::write(&file, bytes);
    }
}

#[test]
#[ignore = "writes the vectors, which are frozen; it refuses to overwrite them"]
fn generate() {
    fs::create_dir_all(DIRECTORY).unwrap();
    let mut world = vector_world();
    let mut out = Output { good: Vec::new(), bad: Vec::new() };
    good_files(&mut world, &mut out);
    good_envelopes(&mut world, &mut out);
    good_roster(&mut world, &mut out);
    let base = world.seal_file(&pattern(300)).bytes;
    bad_prefixes(&base, &mut out);
    bad_lengths(&mut world, &base, &mut out);
    bad_access(&mut world, &base, &mut out);
    bad_info(&mut world, &base, &mut out);
    bad_statements(&mut world, &base, &mut out);
    bad_payloads(&mut world, &mut out);
    bad_lists(&mut world, &mut out);
    let state = world.roster.state();
    let manifest = json!({
        "about": "Vectors of the .ensafer format, version 1. Frozen: never edit them. docs/format.md explains the classes.",
        "keys": "Alice's and Bob's envelope keys are ../keys/*.pkcs8.der; their identity seeds are 32 times a1 and b0.",
        "folder": state.folder,
        "folder_epoch": state.epoch,
        "key_id": hex::encode(state.key_id),
        "owner": state.owner(),
        "roster_head": state.head,
        "good": out.good,
        "bad": out.bad,
    });
    Output::write("manifest.json", (serde_json::to_string_pretty(&manifest).unwrap() + "\n").as_bytes());
}

fn good_files(world: &mut World, out: &mut Output) {
    for (what, len) in [("empty", 0), ("one-byte", 1), ("one-chunk", 16_384), ("three-chunks", 40_000)] {
        let sealed = world.seal_file(&pattern(len));
        out.good(world, what, &sealed.bytes);
    }
    let content = pattern(1000);
    let statement = world.statement(file(&content)).padded();
    let sealed = world.seal(statement, &content);
    out.good(world, "padded", &sealed.bytes);
    for (what, content) in
        ["directory", "symlink", "tombstone-file", "tombstone-directory"].iter().zip(empty_kinds())
    {
        let mut statement = world.statement(content);
        statement.description = Some("A description.".into());
        let sealed = world.seal(statement, b"");
        out.good(world, what, &sealed.bytes);
    }
}

fn good_envelopes(world: &mut World, out: &mut Output) {
    let base = world.seal_file(&pattern(300)).bytes;
    let body = pattern(384);
    let unknown = forge(world, &base, |f, _| {
        let added =
            [(2, &body[..]), (3, &body[..120]), (7, &body[..156]), (0x7F, &body[..10]), (0x40, &[][..])];
        let added =
            added.map(|(kind, body)| Envelope { kind: EnvelopeType(kind), flags: 0, hint: [9; 8], body });
        f.access = Access::build(f.access.envelopes().chain(added)).unwrap();
    });
    out.good(world, "unknown-envelopes", &unknown);

    // Without Bob's member envelope, so that Bob reads it by the other one.
    let state = world.roster.state();
    let key = world.roster.current_key().unwrap();
    let owner = [world.alice.envelope.public()];
    let members = super::super::member_envelopes(state.folder, state.epoch, key, &owner).unwrap();
    let folder = world.roster.folder_seal(&members).unwrap();
    let users = [world.bob.envelope.public()];
    let statement = world.statement(file(&pattern(300)));
    let seal = FileSeal::begin_shared(&folder, &users, 1, FILE, 1, statement, &mut world.rng).unwrap();
    let shared = seal_content(seal, &pattern(300), &world.alice.identity, &mut world.rng).unwrap();
    out.good(world, "shared", &shared.bytes);

    let folder = world.roster.folder_seal(&world.envelopes).unwrap();
    let old = open_header(&base, &world.synced()).unwrap();
    let mut object = old.statement.to_object(FILE, "".into()).unwrap();
    object.name = Name::new("renamed by Bob").unwrap();
    object.place_dot = Dot { counter: 10, device: DEVICE };
    object.clock.see(object.place_dot);
    let statement = Statement::from_object(&object, &world.authorship(&world.bob.identity));
    let renamed = rewrite_info(&old, statement, &folder, &world.bob.identity, &mut world.rng).unwrap();
    let bytes = [&renamed.bytes, &base[old.header_len + 56..]].concat();
    out.good(world, "renamed-by-another", &bytes);
}

fn good_roster(world: &mut World, out: &mut Output) {
    let dot = Dot { counter: 12, device: DEVICE };
    let fields = RosterStatement {
        device: DEVICE,
        device_name: "laptop".into(),
        clock: Clock::new().with(dot),
        dot,
        modified: Timestamp::from_parts(1_700_000_001, 0),
        created: Timestamp::from_parts(1_700_000_000, 0),
    };
    let signer = &world.alice.identity;
    let sealed = seal_roster_object(&world.roster, &world.envelopes, fields, signer, &mut world.rng).unwrap();
    out.good(world, "roster", &sealed.bytes);
}

fn with(base: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = base.to_vec();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    changed
}

fn bad_prefixes(base: &[u8], out: &mut Output) {
    out.bad("NotEnsafer", "magic-line-ends", &with(base, 4, b"\n\x1a\n"));
    out.bad("NotEnsafer", "text", b"This is no ciphertext.\n");
    out.bad("NotEnsafer", "zeros", &[0; 4096]);
    out.bad("NewerVersion", "version-0", &with(base, 8, &[0, 0]));
    out.bad("NewerVersion", "version-2", &with(base, 8, &[0, 2]));
    out.bad("NewerVersion", "suite-2", &with(base, 10, &[0, 2]));
    out.bad("NewerVersion", "critical-flag", &with(base, 20, &[0, 0, 0, 2]));
    out.bad("NotEnsafer", "access-len-above-limit", &with(base, 12, &[0, 0x10, 0, 1]));
    out.bad("NotEnsafer", "info-len-above-limit", &with(base, 16, &[0, 2, 0, 1]));
    out.bad("NotEnsafer", "reserved-not-zero", &with(base, 47, &[1]));
    let mut flipped = base.to_vec();
    flipped[60] ^= 1;
    out.bad("Unauthentic", "header-mac", &flipped);
    out.bad("Unauthentic", "file-id", &with(base, 24, &[0; 16]));
    out.bad("Unauthentic", "key-epoch", &with(base, 40, &[0, 0, 0, 2]));
}

fn bad_lengths(world: &mut World, base: &[u8], out: &mut Output) {
    let header_len = open_header(base, &world.synced()).unwrap().header_len;
    out.bad("TooShort", "nothing", b"");
    out.bad("TooShort", "in-prefix", &base[..79]);
    out.bad("TooShort", "in-header", &base[..header_len - 1]);
    out.bad("TooShort", "in-payload-head", &base[..header_len + 55]);
    out.bad("TooShort", "in-payload", &base[..base.len() - 1]);
    out.bad("Unauthentic", "longer", &[base, &[0]].concat());
}

fn bad_access(world: &mut World, base: &[u8], out: &mut Output) {
    out.bad("NotEnsafer", "envelope-count-above-limit", &with(base, 80, &[4, 1]));
    out.bad("NotEnsafer", "envelope-count-too-small", &with(base, 80, &[0, 1]));
    out.bad("NotEnsafer", "envelope-past-the-end", &with(base, 84, &[0xFF, 0xFF]));
    out.bad("NotEnsafer", "envelope-of-wrong-size", &with(base, 82, &[1]));
    let mut flipped = base.to_vec();
    flipped[94 + 52 + 100] ^= 1;
    out.bad("Unauthentic", "folder-envelope", &flipped);
    out.bad("Foreign", "other-folder", &with(base, 94, &[0x11; 16]));
    let header = open_header(base, &world.synced()).unwrap();
    let bytes = forge(world, base, |f, _| f.access = Access::build([]).unwrap());
    out.bad("NotARecipient", "no-envelope", &bytes);
    let planted = FolderKey::generate(&mut world.rng);
    let state = world.roster.state();
    let users = [world.alice.envelope.public()];
    let members = super::super::member_envelopes(state.folder, state.epoch, &planted, &users).unwrap();
    let seal = FolderSeal::new(state.folder, state.epoch, &planted, &members);
    let statement = Statement { content_digest: None, ..header.statement };
    let signer = &world.alice.identity;
    let sealed = seal_bytes(&seal, FILE, 1, statement, &pattern(300), signer, &mut world.rng).unwrap();
    out.bad("NotARecipient", "planted-folder-key", &sealed.bytes);
}

fn bad_info(world: &mut World, base: &[u8], out: &mut Output) {
    let header = open_header(base, &world.synced()).unwrap();
    let mut flipped = base.to_vec();
    flipped[header.header_len - 1] ^= 1;
    out.bad("Unauthentic", "info", &flipped);
    let padding = header.info.encode().len();
    let padding = padded_info_len(padding, header.prefix.access_len, 300).unwrap() - padding;
    let mut not_zero = vec![0; padding];
    not_zero[padding / 2] = 1;
    out.bad("Unauthentic", "info-padding-not-zero", &forge(world, base, |f, _| f.padding = Some(not_zero)));
    out.bad("Unauthentic", "info-padding-missing", &forge(world, base, |f, _| f.padding = Some(vec![])));
    let long = vec![0; padding + 256];
    out.bad("Unauthentic", "info-padding-too-long", &forge(world, base, |f, _| f.padding = Some(long)));
    let bytes = forge(world, base, |f, w| f.sign(f.info.signed.statement.clone(), &w.bob.identity));
    out.bad("Unauthentic", "signed-by-another", &bytes);
    let bytes = forge(world, base, |f, _| f.info.signed.signature = Signature::new([0; 64]));
    out.bad("Unauthentic", "signature-zero", &bytes);
    let stranger = SigningKey::generate(&mut world.rng);
    let bytes = forge(world, base, |f, _| {
        let statement = Statement { writer: stranger.public(), ..f.statement() };
        f.sign(statement.encode().unwrap(), &stranger);
    });
    out.bad("UnknownSigner", "writer-not-a-member", &bytes);
}

/// Replaces the first `from` in the statement, and signs it again.
fn edit(world: &mut World, base: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    forge(world, base, |f, w| {
        let statement = &f.info.signed.statement;
        let at = statement.windows(from.len()).position(|window| window == from).unwrap();
        let edited = [&statement[..at], to, &statement[at + from.len()..]].concat();
        f.sign(edited, &w.alice.identity);
    })
}

fn bad_statements(world: &mut World, base: &[u8], out: &mut Output) {
    let name = "Grüße 👋.txt".as_bytes();
    let slash = [&b"a/"[..], &name[2..]].concat();
    let nul = [&b"a\0"[..], &name[2..]].concat();
    let no_text = [&[0xFF][..], &name[1..]].concat();
    for (what, replaced) in [("name-slash", &slash), ("name-nul", &nul), ("name-not-utf8", &no_text)] {
        let bytes = edit(world, base, name, replaced);
        out.bad("Unauthentic", what, &bytes);
    }
    // 1 → "ab", then "..": two bytes long.
    let mut statement = world.statement(file(b""));
    statement.name = Name::new("ab").unwrap();
    let short = world.seal(statement, b"").bytes;
    let bytes = edit(world, &short, b"\x01\x62ab", b"\x01\x62..");
    out.bad("Unauthentic", "name-dot-dot", &bytes);
    // kind 0 is followed by key 11, the size 300.
    let size = [11, 0x19, 1, 44];
    let kind = |kind: u8| [&[10, kind][..], &size].concat();
    let reserved = edit(world, base, &kind(0), &kind(6));
    out.bad("NewerVersion", "kind-reserved", &reserved);
    let directory = edit(world, base, &kind(0), &kind(1));
    out.bad("Unauthentic", "kind-with-fields-of-another", &directory);
    let long_head = edit(world, base, &size, &[11, 0x1A, 0, 0, 1, 44]);
    out.bad("Unauthentic", "number-not-shortest", &long_head);
    let repeated = forge(world, base, |f, w| {
        let mut statement = f.info.signed.statement.clone();
        statement[0] += 1;
        statement.extend_from_slice(&[22, 0x82]);
        statement.extend_from_slice(&[&[0x50][..], DEVICE.as_bytes(), &[4]].concat());
        f.sign(statement, &w.alice.identity);
    });
    out.bad("Unauthentic", "key-repeated", &repeated);
    let unknown = forge(world, base, |f, w| {
        let mut statement = f.info.signed.statement.clone();
        statement[0] += 1;
        statement.extend_from_slice(&[24, 99, 0]);
        f.sign(statement, &w.alice.identity);
    });
    out.bad("Unauthentic", "key-unknown", &unknown);
    let clock = [&[0x50][..], DEVICE.as_bytes(), &[9]].concat();
    let older_clock = [&[0x50][..], DEVICE.as_bytes(), &[8]].concat();
    let uncovered = edit(world, base, &clock, &older_clock);
    out.bad("Unauthentic", "dot-not-in-clock", &uncovered);
    let other = [&[0x50][..], &[0x22; 16], &[0x19, 1, 44]].concat();
    let swapped = edit(world, base, &[&other[..], &clock].concat(), &[&clock[..], &other].concat());
    out.bad("Unauthentic", "clock-not-sorted", &swapped);
    let other_folder = forge(world, base, |f, w| {
        let statement = Statement { folder: FolderId::new([0x11; 16]), ..f.statement() };
        f.sign(statement.encode().unwrap(), &w.alice.identity);
    });
    out.bad("Unauthentic", "statement-of-another-folder", &other_folder);
    let old = open_header(base, &world.synced()).unwrap();
    let origin = forge(world, base, |f, w| {
        let mut earlier = old.statement.clone();
        earlier.content_digest = Some(Digest::new([1; 32]));
        f.sign(earlier.encode().unwrap(), &w.alice.identity);
        let mut statement = old.statement.clone();
        statement.origin = Some(f.info.signed.clone());
        statement.writer = w.bob.identity.public();
        f.sign(statement.encode().unwrap(), &w.bob.identity);
    });
    out.bad("Unauthentic", "origin-of-another-content", &origin);
}

fn bad_payloads(world: &mut World, out: &mut Output) {
    let content = pattern(40_000);
    let base = world.seal_file(&content).bytes;
    let header_len = open_header(&base, &world.synced()).unwrap().header_len;
    let body = header_len + 56;
    let mut flipped = base.clone();
    flipped[body + 20_000] ^= 1;
    out.bad("Unauthentic", "payload", &flipped);
    let mut head = base.clone();
    head[header_len + 30] ^= 1;
    out.bad("Unauthentic", "payload-head", &head);
    let (first, second) = (&base[body..body + 16_400], &base[body + 16_400..body + 32_800]);
    let swapped = [&base[..body], second, first, &base[body + 32_800..]].concat();
    out.bad("Unauthentic", "payload-chunks-swapped", &swapped);
    let digest = forge(world, &base, |f, w| {
        let statement = Statement { content_digest: Some(Digest::new([1; 32])), ..f.statement() };
        f.sign(statement.encode().unwrap(), &w.alice.identity);
    });
    out.bad("Unauthentic", "digest-of-another-content", &digest);
    let content = [pattern(1000), vec![1; 24]].concat();
    let base = world.seal_file(&content).bytes;
    let padding = forge(world, &base, |f, w| {
        let digest = Some(ContentHasher::digest(&content[..1000]));
        let statement = Statement { size: 1000, content_digest: digest, ..f.statement() };
        f.sign(statement.encode().unwrap(), &w.alice.identity);
    });
    out.bad("Unauthentic", "payload-padding-not-zero", &padding);
    let excess = forge(world, &base, |f, w| {
        let mut statement = f.info.signed.statement.clone();
        // Size 1024 becomes 300; at most 304 bytes of payload belong to it.
        let at = statement.windows(4).position(|window| window == [11, 0x19, 4, 0]).unwrap();
        statement[at + 2..at + 4].copy_from_slice(&[1, 44]);
        f.sign(statement, &w.alice.identity);
    });
    out.bad("Unauthentic", "padding-above-padme", &excess);
}

fn bad_lists(world: &mut World, out: &mut Output) {
    let folder = world.roster.folder_seal(&world.envelopes).unwrap();
    let users = [world.bob.envelope.public()];
    let statement = world.statement(file(b""));
    let seal = FileSeal::begin_shared(&folder, &users, 1, FILE, 1, statement, &mut world.rng).unwrap();
    let shared = seal_content(seal, b"", &world.alice.identity, &mut world.rng).unwrap().bytes;
    let bytes = forge(world, &shared, |f, _| {
        let (list, _) = f.info.access.take().unwrap();
        f.info.access = Some((list, Signature::new([7; 64])));
    });
    out.bad("Unauthentic", "access-list-signature", &bytes);
    // The list says that it changed once more than was signed: map, key 1, number.
    let bytes = forge(world, &shared, |f, _| {
        let (mut list, signature) = f.info.access.take().unwrap();
        assert_eq!(list[..3], [0xA3, 1, 1]);
        list[2] = 2;
        f.info.access = Some((list, signature));
    });
    out.bad("Unauthentic", "access-list", &bytes);
}
