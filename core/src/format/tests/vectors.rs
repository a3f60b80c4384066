//! Reads the frozen vectors: every version of Ensafer must take the good ones and refuse the others alike.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::generate::DIRECTORY;
use super::*;
use crate::crypto::ContentHasher;
use crate::format::roster::{Role, open_roster_object};

fn read(file: &str) -> Vec<u8> {
    fs::read(Path::new(DIRECTORY).join(file)).unwrap()
}

fn manifest() -> Value {
    serde_json::from_slice(&read("manifest.json")).unwrap()
}

/// What a reader says of a file: `Ok`, or the name of the class.
fn verdict(bytes: &[u8], roster: &Roster) -> Result<(OpenedHeader, Vec<u8>), &'static str> {
    let keys = SyncedFolder { folder: roster.state().folder, keys: roster };
    let (header, content) = open_bytes(bytes, &keys).map_err(|error| match error {
        HeaderError::TooShort { .. } => "TooShort",
        HeaderError::NotEnsafer => "NotEnsafer",
        HeaderError::NewerVersion => "NewerVersion",
        HeaderError::Foreign(_) => "Foreign",
        HeaderError::NotARecipient => "NotARecipient",
        HeaderError::Unauthentic => "Unauthentic",
    })?;
    if roster.state().accepts(&header) { Ok((header, content)) } else { Err("UnknownSigner") }
}

fn roster() -> Roster {
    let alice = test_keys::alice();
    let account = AccountAlone::new(&alice.envelope, Vec::new());
    open_roster_object(&read("good-roster.ensafer"), &account).unwrap().roster
}

#[test]
fn the_roster_says_who_is_who() {
    let manifest = manifest();
    let roster = roster();
    let state = roster.state();
    assert_eq!(manifest["folder"], state.folder.to_string());
    assert_eq!(manifest["owner"], state.owner().to_string());
    assert_eq!(manifest["roster_head"], state.head.to_string());
    assert_eq!(manifest["key_id"], hex::encode(state.key_id));
    assert_eq!((state.epoch, roster.keys().count()), (2, 2));
    let (alice, bob) = (test_keys::alice().identity.public(), test_keys::bob().identity.public());
    assert_eq!(state.owner_key, alice);
    assert_eq!(state.member(&bob).unwrap().role, Role::Writer);
    assert_eq!(
        (state.login_of(&alice), state.login_of(&bob)),
        (Some("alice@example.com"), Some("bob@example.com"))
    );
    assert_eq!((state.members.len(), state.former.len()), (2, 1));
    assert!(!state.needs_epoch && !state.disputed && state.void.is_empty());
    // Bob opens it too.
    let bob = test_keys::bob();
    let account = AccountAlone::new(&bob.envelope, Vec::new());
    assert!(open_roster_object(&read("good-roster.ensafer"), &account).is_ok());
}

#[test]
fn good_files_are_read() {
    let roster = roster();
    let alice = test_keys::alice();
    for expected in manifest()["good"].as_array().unwrap() {
        let file = expected["file"].as_str().unwrap();
        let bytes = read(file);
        let (header, content) = verdict(&bytes, &roster).unwrap_or_else(|class| panic!("{file}: {class}"));
        let s = &header.statement;
        assert_eq!(expected["file_id"], header.prefix.file_id.to_string(), "{file}");
        assert_eq!(expected["key_epoch"], header.prefix.key_epoch, "{file}");
        assert_eq!(expected["name"], s.name.as_str(), "{file}");
        assert_eq!(expected["target"].as_str(), s.target.as_deref(), "{file}");
        assert_eq!(expected["description"].as_str(), s.description.as_deref(), "{file}");
        assert_eq!(
            (&expected["size"], &expected["padded_len"]),
            (&s.size.into(), &s.padded_len.into()),
            "{file}"
        );
        assert_eq!(expected["modified"], s.modified.as_nanos(), "{file}");
        assert_eq!(expected["created"], s.created.as_nanos(), "{file}");
        assert_eq!(expected["executable"], s.executable, "{file}");
        assert_eq!(expected["statement_hash"], header.statement_hash.to_string(), "{file}");
        let digest = s.content_digest.map(|digest| digest.to_string());
        assert_eq!(expected["content_digest"].as_str(), digest.as_deref(), "{file}");
        assert_eq!(expected["content_blake3"], ContentHasher::digest(&content).to_string(), "{file}");
        let origin = header.origin.as_ref().map(|o| o.statement.writer.fingerprint().to_string());
        assert_eq!(expected["origin_writer"].as_str(), origin.as_deref(), "{file}");
        let unlisted: Vec<Value> = header.unlisted_envelopes().iter().map(|kind| kind.0.into()).collect();
        assert_eq!(expected["unlisted"], Value::from(unlisted), "{file}");
        // The account's key alone reads the same.
        let account = AccountAlone::new(&alice.envelope, Vec::new());
        assert_eq!(open_bytes(&bytes, &account).unwrap().1, content, "{file}");
    }
}

#[test]
fn a_shared_file_is_read_by_its_recipient() {
    let bob = test_keys::bob();
    let bytes = read("good-shared.ensafer");
    let (header, _) = open_bytes(&bytes, &AccountAlone::new(&bob.envelope, Vec::new())).unwrap();
    assert_eq!(header.folder_key, None, "by the envelope of type 1");
    let list = header.access_list.unwrap();
    assert_eq!(list.recipients[0].id, bob.envelope.public().spki_hash());
    assert!(roster().state().may_administer(&list.signer));
}

#[test]
fn bad_files_are_refused_each_with_its_class() {
    let roster = roster();
    for expected in manifest()["bad"].as_array().unwrap() {
        let file = expected["file"].as_str().unwrap();
        let found = verdict(&read(file), &roster).map(drop);
        assert_eq!(found, Err(expected["class"].as_str().unwrap()), "{file}");
    }
}

#[test]
fn every_file_is_listed() {
    let manifest = manifest();
    let listed: BTreeSet<_> = ["good", "bad"]
        .iter()
        .flat_map(|list| manifest[list].as_array().unwrap())
        .map(|expected| expected["file"].as_str().unwrap().to_owned())
        .collect();
    let present: BTreeSet<_> = fs::read_dir(DIRECTORY)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".ensafer"))
        .collect();
    assert_eq!(listed, present);
}
