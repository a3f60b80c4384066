//! An evil cloud and an evil member (`SECURITY.md`): nothing of theirs reaches the work folder, and nothing
//! of anybody's is deleted for it.

use std::fs;

use ensafer_core::crypto::{SigningKey, SystemRandom, TestRandom};
use ensafer_core::format::{Authorship, Statement, object_name, open_bytes, seal_bytes};
use ensafer_core::plan::ProblemClass;
use ensafer_core::tree::{Content, Name, Object};

use super::accounts::bob;
use super::world::{Device, EVIL, World, file};

/// Writes an object into the encrypted folder, signed by `signer`, as its file key's holder could.
pub fn inject(device: &Device, object: &Object, text: &str, signer: &SigningKey) -> String {
    let keys = device.keys();
    let by = Authorship { writer: signer.public(), ..keys.authorship.clone() };
    let statement = Statement::from_object(object, &by);
    let sealed =
        seal_bytes(&keys.seal(), object.id, 1, statement, text.as_bytes(), signer, &mut SystemRandom)
            .unwrap();
    let name = object_name(object.id);
    fs::write(device.entry.encrypted.join(&name), sealed.bytes).unwrap();
    name
}

#[test]
fn row_12_a_file_signed_by_a_stranger_is_never_applied() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    world.settle(&mut [&mut a, &mut b]);
    let stranger = SigningKey::generate(&mut TestRandom::new(66));
    let made = inject(&a, &a.object(1, "made", file("never")), "never", &stranger);
    // And one of an object that exists: newer by its clock, deleted by its kind.
    let mut object = (*a.base_of("f").object).clone();
    let dot = ensafer_core::clock::Dot { counter: 1_000_000, device: EVIL };
    object.clock.see(dot);
    object.content_dot = dot;
    object.content = Content::Tombstone { was: ensafer_core::tree::Kind::File, size: 4, digest: None };
    let good = fs::read(a.ciphertext("f")).unwrap();
    let deleted = inject(&a, &object, "", &stranger);
    let store = world.snapshot();
    for device in [&mut a, &mut b] {
        device.settle();
        world.clock.advance(super::world::TEN_MINUTES * 200);
        device.settle();
        assert_eq!(device.contents(), ["text"]);
        for name in [&made, &deleted] {
            assert_eq!(device.problems().get(name), Some(&ProblemClass::UnknownSigner));
        }
    }
    assert_eq!(world.snapshot(), store, "and it is left as it is");
    fs::write(a.ciphertext("f"), good).unwrap();
    a.settle();
    assert_eq!(a.problems().len(), 1);
}

#[test]
fn row_16_two_ciphertexts_that_exchange_their_names_are_both_reported() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("one", "1");
    a.write("two", "2");
    a.settle();
    let (one, two) = (a.ciphertext("one"), a.ciphertext("two"));
    let aside = world.cloud().join("aside");
    fs::rename(&one, &aside).unwrap();
    fs::rename(&two, &one).unwrap();
    fs::rename(&aside, &two).unwrap();
    // Whoever goes by names has the other content, authentic in all else.
    let (_, taken) = open_bytes(&fs::read(&one).unwrap(), &a.keys().source()).unwrap();
    assert_eq!(taken, b"2");
    let store = world.snapshot();
    for device in [&mut a, &mut b] {
        device.settle();
        world.clock.advance(super::world::TEN_MINUTES * 200);
        device.settle();
    }
    for name in [a.key_of("one"), a.key_of("two")] {
        assert_eq!(a.problems().get(&name), Some(&ProblemClass::Misnamed));
        assert_eq!(b.problems().get(&name), Some(&ProblemClass::Misnamed));
    }
    assert!(b.tree().is_empty());
    assert_eq!(a.contents(), ["1", "2"]);
    assert_eq!(world.snapshot(), store);
}

#[test]
fn row_14_versions_that_are_spliced_are_not_applied() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", &"old ".repeat(5000));
    a.settle();
    let old = fs::read(a.ciphertext("f")).unwrap();
    a.write("f", &"new ".repeat(5000));
    a.settle();
    let new = fs::read(a.ciphertext("f")).unwrap();
    assert_eq!(old.len(), new.len());
    for cut in [80, 200, new.len() / 2, new.len() - 20] {
        for (head, tail) in [(&old, &new), (&new, &old)] {
            fs::write(a.ciphertext("f"), [&head[..cut], &tail[cut..]].concat()).unwrap();
            b.settle();
            assert!(b.tree().is_empty(), "cut at {cut}");
            assert_eq!(b.problems().len(), 1);
        }
    }
    fs::write(a.ciphertext("f"), &new).unwrap();
    b.settle();
    assert_eq!((b.contents(), b.problems().len()), (vec!["new ".repeat(5000)], 0));
}

#[test]
fn objects_of_another_folder_and_of_newer_versions_are_reported_at_once() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    let elsewhere = world.path().join("another cloud");
    fs::create_dir(&elsewhere).unwrap();
    let mut other = world.device_of("other", &super::accounts::alice(), &elsewhere);
    let mut foreign = world.device_of("foreign", &bob(), &world.path().join("other").join("data"));
    for device in [&mut a, &mut other, &mut foreign] {
        device.write("f", "text");
        device.settle();
    }
    let brought = |from: &Device| {
        let name = from.key_of("f");
        fs::copy(from.ciphertext("f"), world.cloud().join(&name)).unwrap();
        name
    };
    let (of_other, of_bob) = (brought(&other), brought(&foreign));
    let mut bytes = fs::read(a.ciphertext("f")).unwrap();
    bytes[9] = 2;
    let newer = object_name(ensafer_core::ids::FileId::new([9; 16]));
    fs::write(world.cloud().join(&newer), &bytes).unwrap();
    let store = world.snapshot();
    b.settle();
    assert_eq!(b.contents(), ["text"]);
    let problems = b.problems();
    assert_eq!(problems.get(&of_other), Some(&ProblemClass::Foreign));
    assert!(matches!(problems.get(&of_bob), Some(ProblemClass::Foreign | ProblemClass::NotARecipient)));
    assert_eq!(problems.get(&newer), Some(&ProblemClass::NewerVersion));
    assert_eq!(problems.len(), 3);
    assert_eq!(world.snapshot(), store);
}

#[test]
fn row_25_nothing_is_written_outside_of_the_work_folder() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    b.settle();
    let outside = world.path().join("outside");
    fs::create_dir(&outside).unwrap();
    // A name is one plain component wherever names are read or made.
    for name in ["../x", "/x", "..", "a/b", "a\\b", "nul\0"] {
        Name::new(name).unwrap_err();
    }
    // A link that leads out, then a file in the "directory" of its name.
    a.link(outside.to_str().unwrap(), "away");
    a.write("d/f", "text");
    world.settle(&mut [&mut a, &mut b]);
    let link = a.id_of("away");
    let keys = a.keys();
    let mut object = a.object(1, "planted", file("never"));
    object.parent = link;
    inject(&a, &object, "never", keys.signer());
    b.settle();
    assert!(fs::read_dir(&outside).unwrap().next().is_none());
    // The directory is exchanged for a link after it was seen, on the receiving side.
    fs::rename(b.path("d"), world.path().join("moved away")).unwrap();
    std::os::unix::fs::symlink(&outside, b.path("d")).unwrap();
    a.write("d/g", "more");
    a.write("d/f", "edited");
    a.settle();
    b.settle();
    assert!(fs::read_dir(&outside).unwrap().next().is_none());
    let shown = format!(" -> {}", outside.display());
    assert_eq!(b.tree().keys().filter(|path| path.ends_with(&shown)).count(), 2, "{:?}", b.tree());
    assert_eq!((b.read("d/g").as_str(), b.read("d/f").as_str()), ("more", "edited"));
}

#[test]
fn row_18_every_flipped_bit_of_a_header_is_noticed() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    a.settle();
    let whole = fs::read(a.ciphertext("f")).unwrap();
    for at in (0..whole.len()).step_by(37) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(a.ciphertext("f"), bytes).unwrap();
        b.settle();
        assert!(b.tree().is_empty(), "byte {at}");
        assert_eq!(b.problems().len(), 1, "byte {at}");
    }
    fs::write(a.ciphertext("f"), whole).unwrap();
    b.settle();
    assert_eq!((b.contents(), b.problems().len()), (vec!["text".to_owned()], 0));
}

#[test]
fn contradictions_are_reported_and_settle_nothing() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    world.settle(&mut [&mut a, &mut b]);
    // One dot, two contents: what rule 18 forbids everybody who is honest.
    let keys = a.keys();
    let object = Object { content: file("lies"), ..(*a.base_of("f").object).clone() };
    let name = inject(&a, &object, "lies", keys.signer());
    b.settle();
    assert_eq!(b.contents(), ["text"]);
    assert_eq!(b.problems().get(&name), Some(&ProblemClass::Inconsistent));
}
