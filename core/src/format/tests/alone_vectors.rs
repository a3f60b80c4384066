//! The frozen vectors of files of no folder, `testdata/format-v1-alone`: made once, as those of `format-v1` were, and
//! read for ever.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::alone::{edit, forge_as_bob, open, seal_for, sign_list, statement};
use super::*;
use crate::crypto::{EnvelopePublicKey, Signature};
use crate::format::access::{Envelope, EnvelopeType};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/format-v1-alone");

fn read(file: &str) -> Vec<u8> {
    fs::read(Path::new(DIRECTORY).join(file)).unwrap()
}

fn manifest() -> Value {
    serde_json::from_slice(&read("manifest.json")).unwrap()
}

/// What is known of a good file.
fn describe(file: &str, header: &OpenedHeader, content: &[u8]) -> Value {
    let s = &header.statement;
    let list = header.access_list.as_ref().unwrap();
    json!({
        "file": file,
        "file_id": header.prefix.file_id,
        "key_epoch": header.prefix.key_epoch,
        "name": s.name,
        "size": s.size,
        "padded_len": s.padded_len,
        "modified": s.modified,
        "created": s.created,
        "executable": s.executable,
        "content_blake3": crate::crypto::ContentHasher::digest(content),
        "statement_hash": header.statement_hash,
        "signer": s.writer.fingerprint(),
        "access_seq": list.access_seq,
        "recipients": list.recipients.iter().map(|r| hex::encode(r.id)).collect::<Vec<_>>(),
        "unlisted": header.unlisted_envelopes().iter().map(|kind| kind.0).collect::<Vec<_>>(),
        "missing": header.missing_recipients(),
    })
}

#[test]
#[ignore = "writes the vectors, which are frozen; it refuses to overwrite them"]
fn generate() {
    let (good, bad) = (good_files(), bad_files());
    let write = |file: &str, bytes: &[u8]| {
        let path = Path::new(DIRECTORY).join(file);
        assert!(!path.exists(), "vectors are never overwritten: {file}");
        fs::write(path, bytes).unwrap();
    };
    let bob = test_keys::bob();
    let described = good.iter().map(|(file, bytes)| {
        write(file, bytes);
        let (header, content) = open(bytes, &bob).unwrap();
        describe(file, &header, &content)
    });
    let good: Vec<Value> = described.collect();
    let bad = bad.iter().map(|(file, bytes)| {
        write(file, bytes);
        json!({ "file": file, "class": "Unauthentic" })
    });
    let manifest = json!({
        "about": "Vectors of .ensafer files of no folder. Frozen: never edit them. docs/format.md explains them.",
        "keys": "Alice writes, Bob reads; their envelope keys are ../keys/*.pkcs8.der, their identity seeds 32 times a1 and b0.",
        "good": good,
        "bad": bad.collect::<Vec<_>>(),
    });
    write("manifest.json", (serde_json::to_string_pretty(&manifest).unwrap() + "\n").as_bytes());
}

fn plain(len: usize, rng: &mut TestRandom) -> Vec<u8> {
    seal_for(&[], statement(&test_keys::alice().identity, len), &vec![b'x'; len], rng)
}

fn good_files() -> Vec<(&'static str, Vec<u8>)> {
    let mut rng = TestRandom::new(40);
    let alice = test_keys::alice();
    let base = plain(300, &mut rng);
    let padded = seal_for(&[], statement(&alice.identity, 1000).padded(), &[b'x'; 1000], &mut rng);
    let third = EnvelopePublicKey::from_spki(alice.login.public().spki()).unwrap();
    let three = seal_for(&[third], statement(&alice.identity, 300), &[b'x'; 300], &mut rng);
    let added = forge_as_bob(&base, |f| {
        let body = |len| vec![7; len];
        let (user, code, folder) = (body(384), body(120), body(156));
        let added = [(1, &user), (3, &code), (5, &folder), (0x7F, &code)];
        let added =
            added.map(|(kind, body)| Envelope { kind: EnvelopeType(kind), flags: 0, hint: [9; 8], body });
        f.access = Access::build(f.access.envelopes().chain(added)).unwrap();
    });
    let of_bob = open(&base, &test_keys::bob()).unwrap().0;
    let bobs = crate::format::access::file_hint(
        of_bob.prefix.file_id,
        1,
        &test_keys::bob().envelope.public().spki_hash(),
    );
    let dropped = forge_as_bob(&base, |f| f.access = f.access.retain(|e| e.hint == bobs));
    vec![
        ("good-empty.ensafer", plain(0, &mut rng)),
        ("good-one-chunk.ensafer", plain(16_384, &mut rng)),
        ("good-padded.ensafer", padded),
        ("good-three-recipients.ensafer", three),
        ("good-envelopes-added.ensafer", added),
        ("good-envelope-dropped.ensafer", dropped),
        ("good.ensafer", base),
    ]
}

fn bad_files() -> Vec<(&'static str, Vec<u8>)> {
    let mut rng = TestRandom::new(41);
    let base = plain(300, &mut rng);
    let (alice, bob) = (test_keys::alice().identity, test_keys::bob().identity);
    let recipients = open(&base, &test_keys::bob()).unwrap().0.access_list.unwrap().recipients;
    // Signed by Alice herself: what is wrong is what the statement says.
    let said = |from: &[u8], to: &[u8]| {
        forge_as_bob(&base, |f| {
            edit(f, from, to);
            f.sign(f.info.signed.statement.clone(), &alice);
        })
    };
    let with_parent = |id: u8| [&[2, 0x50][..], &[id; 16]].concat();
    let with_head = |byte: u8| [&[9, 0x58, 32][..], &[byte; 32]].concat();
    let named = |key: &SigningKey| *key.public().fingerprint().as_bytes();
    let in_her_name = forge_as_bob(&base, |f| {
        edit(f, alice.public().as_bytes(), bob.public().as_bytes());
        f.sign(f.info.signed.statement.clone(), &bob);
        sign_list(f, recipients.clone(), &bob);
    });
    vec![
        (
            "bad-signature-zero.ensafer",
            forge_as_bob(&base, |f| f.info.signed.signature = Signature::new([0; 64])),
        ),
        ("bad-name-edited.ensafer", forge_as_bob(&base, |f| edit(f, b".txt", b".exe"))),
        ("bad-list-missing.ensafer", forge_as_bob(&base, |f| f.info.access = None)),
        ("bad-list-of-another.ensafer", forge_as_bob(&base, |f| sign_list(f, recipients.clone(), &bob))),
        ("bad-in-anothers-name.ensafer", in_her_name),
        ("bad-owner-another.ensafer", said(&named(&alice), &named(&bob))),
        ("bad-parent.ensafer", said(&with_parent(0), &with_parent(5))),
        ("bad-roster-head.ensafer", said(&with_head(0), &with_head(5))),
    ]
}

#[test]
fn good_files_of_no_folder_are_read() {
    for expected in manifest()["good"].as_array().unwrap() {
        let file = expected["file"].as_str().unwrap();
        let (header, content) =
            open(&read(file), &test_keys::bob()).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(*expected, describe(file, &header, &content));
    }
}

#[test]
fn bad_files_of_no_folder_are_refused() {
    for expected in manifest()["bad"].as_array().unwrap() {
        let file = expected["file"].as_str().unwrap();
        let found = open(&read(file), &test_keys::bob()).map(drop);
        assert_eq!(
            (found, &expected["class"]),
            (Err(HeaderError::Unauthentic), &json!("Unauthentic")),
            "{file}"
        );
    }
}

#[test]
fn every_file_of_no_folder_is_listed() {
    let manifest = manifest();
    let of = |list: &str| manifest[list].as_array().unwrap().clone();
    let listed: BTreeSet<_> =
        [of("good"), of("bad")].concat().iter().map(|e| e["file"].as_str().unwrap().to_owned()).collect();
    let names =
        fs::read_dir(DIRECTORY).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(listed, names.filter(|name| name.ends_with(".ensafer")).collect());
}
