//! What the members of a folder may do to each other's files, and what the cloud may (`docs/threat-model.md`). Each attack
//! is first seen to work on [`read_naively`].

use super::*;
use crate::crypto::{EnvelopePrivateKey, FileSubkeys, Signature};
use crate::format::access::{Envelope, EnvelopeType, file_hint};
use crate::format::rewrite_info;
use crate::format::roster::{Role, RosterStatement, open_roster_object, seal_roster_object};
use crate::ids::Fingerprint;

/// Alice's folder, and Bob in it.
fn shared(role: Role) -> World {
    let mut world = World::new();
    let bob = bundle_of(&world.bob, "bob@example.com", 0xBB);
    world.roster.add(bob, role, &world.alice.identity).unwrap();
    world.envelopes = world.roster.member_envelopes(Some(&world.envelopes)).unwrap();
    world
}

/// What a naive reader takes from a file: it opens whatever opens, and believes what it finds.
struct Naive {
    name: String,
    owner: Fingerprint,
    content: Vec<u8>,
}

fn subkeys(world: &World, bytes: &[u8]) -> Option<FileSubkeys> {
    let prefix = Prefix::parse(bytes).ok()?;
    let access = Access::parse(&bytes[80..80 + prefix.access_len]).ok()?;
    let found = world.synced().file_key(&prefix, &access).ok()?;
    Some(found.key.derive(prefix.file_id, prefix.key_epoch))
}

fn read_naively(world: &World, bytes: &[u8]) -> Option<Naive> {
    read_with(&subkeys(world, bytes)?, bytes)
}

fn read_with(subkeys: &FileSubkeys, bytes: &[u8]) -> Option<Naive> {
    let prefix = Prefix::parse(bytes).ok()?;
    let info = &bytes[80 + prefix.access_len..prefix.header_len()];
    let plain = cobblestone::open(&subkeys.info, &prefix.binding(), info).ok()?;
    let said = Info::decode(&plain).ok()?.0.signed.statement;
    let payload = &bytes[prefix.header_len()..];
    let content = cobblestone::open(&subkeys.payload, &prefix.payload_binding(), payload).ok()?.to_vec();
    // Its fields are taken from where they are in every statement.
    let name = &said[3..3 + usize::from(said[2] & 0x1F)];
    let owner = said.windows(3).position(|head| head == [4, 0x58, 32])? + 3;
    let (name, owner) =
        (String::from_utf8(name.to_vec()).ok()?, Fingerprint::new(*said[owner..].first_chunk()?));
    Some(Naive { name, owner, content })
}

fn unauthentic(world: &World, bytes: &[u8]) {
    assert_eq!(refusal(bytes, &world.synced()), HeaderError::Unauthentic);
}

#[test]
fn row_12_a_file_is_injected() {
    for (role, is_accepted) in [(Role::Reader, false), (Role::Writer, true)] {
        let mut world = shared(role);
        let sealed = world.seal_file(b"pay eve").bytes;
        let unsigned = forge(&mut world, &sealed, |f, _| f.info.signed.signature = Signature::new([0; 64]));
        let in_her_name =
            forge(&mut world, &sealed, |f, w| f.sign(f.info.signed.statement.clone(), &w.bob.identity));
        for forged in [&unsigned, &in_her_name] {
            assert_eq!(read_naively(&world, forged).unwrap().content, b"pay eve");
            unauthentic(&world, forged);
        }
        // In his own name it is authentic, and his role says whether it counts.
        let in_his_own = forge(&mut world, &sealed, |f, w| {
            let statement = Statement { writer: w.bob.identity.public(), ..f.statement() };
            f.sign(statement.encode().unwrap(), &w.bob.identity);
        });
        let (header, _) = world.open(&in_his_own).unwrap();
        assert_eq!(header.statement.writer, world.bob.identity.public());
        assert_eq!(world.roster.state().accepts(&header), is_accepted, "{role:?}");
    }
}

#[test]
fn row_14_a_member_splices_two_versions() {
    let mut world = shared(Role::Writer);
    let old = world.seal_file(b"old content").bytes;
    let new = world.seal_file(b"new content").bytes;
    // By the cloud, which has no key: the parts have different keys, and nothing opens.
    let header_len = Prefix::parse(&new).unwrap().header_len();
    for cut in [80, header_len, header_len + 56, header_len + 60] {
        unauthentic(&world, &[&new[..cut], &old[cut..]].concat());
    }
    // By Bob, who has both keys: Alice's newer statement, over what the older version held.
    let keys = subkeys(&world, &new).unwrap();
    let binding = Prefix::parse(&new).unwrap().payload_binding();
    let held = read_naively(&world, &old).unwrap().content;
    let payload = cobblestone::seal(&keys.payload, &mut world.rng, &binding, &held);
    let spliced = [&new[..header_len], &payload].concat();
    assert_eq!(read_naively(&world, &spliced).unwrap().content, b"old content", "it notices nothing");
    unauthentic(&world, &spliced);
}

#[test]
fn row_15_sections_are_transplanted() {
    let mut world = shared(Role::Writer);
    let one = world.seal_file(b"content 1").bytes;
    let renamed = Statement { name: Name::new("other.txt").unwrap(), ..world.statement(file(b"content 2")) };
    let other = world.seal_as(FileId::new([0xF2; 16]), 1, renamed, b"content 2").bytes;
    // What Alice said and signed of one file, on another: by Bob, who has both keys.
    let taken = open_header(&one, &world.synced()).unwrap().info;
    let mixed = forge(&mut world, &other, |f, _| f.info = taken.clone());
    let naive = read_naively(&world, &mixed).unwrap();
    assert_eq!((naive.name.as_str(), &*naive.content), ("Grüße 👋.txt", &b"content 2"[..]));
    unauthentic(&world, &mixed);
    // The same file in its next version, and in a later key epoch.
    let statement = world.statement(file(b"content 3"));
    let next = world.seal_as(FILE, 2, statement, b"content 3").bytes;
    let mixed = forge(&mut world, &next, |f, _| f.info = taken);
    assert_eq!(read_naively(&world, &mixed).unwrap().content, b"content 3");
    unauthentic(&world, &mixed);
    // Envelopes, by the cloud: they open another file's key, or none.
    let end = 80 + Prefix::parse(&one).unwrap().access_len;
    let mut mixed = one;
    mixed[80..end].copy_from_slice(&other[80..end]);
    unauthentic(&world, &mixed);
}

#[test]
fn row_17_what_a_file_says_is_edited_by_somebody_who_may_only_read() {
    let mut world = shared(Role::Reader);
    let sealed = world.seal_file(b"content").bytes;
    let renamed = |f: &Forgery| Statement { name: Name::new("other").unwrap(), ..f.statement() };
    let under_her_signature =
        forge(&mut world, &sealed, |f, _| f.info.signed.statement = renamed(f).encode().unwrap());
    assert_eq!(read_naively(&world, &under_her_signature).unwrap().name, "other");
    unauthentic(&world, &under_her_signature);
    let under_his = forge(&mut world, &sealed, |f, w| {
        let statement = Statement { writer: w.bob.identity.public(), ..renamed(f) };
        f.sign(statement.encode().unwrap(), &w.bob.identity);
    });
    assert_eq!(read_naively(&world, &under_his).unwrap().name, "other");
    let header = world.open(&under_his).unwrap().0;
    assert!(!world.roster.state().accepts(&header));
    // Bytes by the cloud.
    let prefix = Prefix::parse(&sealed).unwrap();
    let mut bytes = sealed;
    bytes[prefix.header_len() - 30] ^= 1;
    unauthentic(&world, &bytes);
}

/// The folder's roster with these envelopes, sealed by Bob, who has its key; the entries are as they were.
fn roster_by_bob(world: &mut World, access: &Access) -> Vec<u8> {
    let dot = Dot { counter: 1, device: DEVICE };
    let (modified, created) = (Timestamp::default(), Timestamp::default());
    let clock = Clock::new().with(dot);
    let fields =
        RosterStatement { device: DEVICE, device_name: "evil".into(), clock, dot, modified, created };
    seal_roster_object(&world.roster, access, fields, &world.bob.identity, &mut world.rng).unwrap().bytes
}

#[test]
fn row_18_an_envelope_is_dropped() {
    let mut world = shared(Role::Reader);
    let sealed = world.seal_file(b"content").bytes;
    let header = open_header(&sealed, &world.synced()).unwrap();
    // By the cloud, from a file: the MAC shows it, whichever it is.
    for dropped in 0..header.access.envelopes().count() {
        let kept = header.access.envelopes().enumerate().filter(|(at, _)| *at != dropped).map(|(_, e)| e);
        let kept = Access::build(kept).unwrap();
        let mut prefix = header.prefix;
        prefix.access_len = kept.as_bytes().len();
        let rest = &sealed[80 + header.prefix.access_len..];
        assert!(world.open(&[&prefix.to_bytes()[..], kept.as_bytes(), rest].concat()).is_err(), "{dropped}");
    }
    // By Bob, from the roster, so that Alice's next computer cannot join: whoever has the key reads on and notices
    // nothing, unless the envelopes are compared with the members.
    let without_alice =
        world.envelopes.envelopes().enumerate().filter(|(at, _)| *at != 0).map(|(_, envelope)| envelope);
    let without_alice = Access::build(without_alice).unwrap();
    let bytes = roster_by_bob(&mut world, &without_alice);
    let opened = open_roster_object(&bytes, &world.synced()).unwrap();
    assert_eq!(opened.roster.log(), world.roster.log(), "it opens");
    let missed: Vec<_> = opened.roster.without_envelope(&opened.header.access).collect();
    assert_eq!(missed, [&world.alice.envelope.public()]);
    let refused = open_roster_object(&bytes, &world.alone(&world.alice)).map(drop);
    assert_eq!(refused, Err(HeaderError::NotARecipient));
    let mended = world.roster.member_envelopes(Some(&opened.header.access)).unwrap();
    assert!(world.roster.without_envelope(&mended).next().is_none());
}

#[test]
fn row_19_an_envelope_is_added() {
    let mut world = shared(Role::Reader);
    let dave = EnvelopePrivateKey::generate();
    let sealed = world.seal_file(b"content").bytes;
    let prefix = Prefix::parse(&sealed).unwrap();
    // By Bob, to a file, for Dave alone.
    let access = open_header(&sealed, &world.synced()).unwrap().access;
    let key = world.synced().file_key(&prefix, &access).unwrap().key;
    let body = dave.public().wrap_file_key(FILE, prefix.key_epoch, &key);
    let hint = file_hint(FILE, prefix.key_epoch, &dave.public().spki_hash());
    let added = Envelope { kind: EnvelopeType::USER, flags: 0, hint, body: &body };
    let for_dave = forge(&mut world, &sealed, |f, _| {
        f.access = Access::build(f.access.envelopes().chain([added])).unwrap();
    });
    let as_dave = AccountAlone::new(&dave, Vec::new());
    let key = dave.unwrap_file_key(FILE, prefix.key_epoch, &body).unwrap();
    let naive = read_with(&key.derive(FILE, prefix.key_epoch), &for_dave).unwrap();
    assert_eq!(naive.content, b"content", "he takes it for Alice's word to him");
    for header in
        [open_header(&for_dave, &as_dave).unwrap(), open_header(&for_dave, &world.synced()).unwrap()]
    {
        assert_eq!(header.unlisted_envelopes(), [EnvelopeType::USER], "reported to him and to all");
    }
    // Gone at the next save.
    let header = open_header(&for_dave, &world.synced()).unwrap();
    let folder = world.roster.folder_seal(&world.envelopes).unwrap();
    let saved =
        rewrite_info(&header, header.statement.clone(), &folder, &world.alice.identity, &mut world.rng)
            .unwrap();
    let saved = open_header(&saved.bytes, &world.synced()).unwrap();
    assert!(saved.unlisted_envelopes().is_empty());
    assert!(saved.access.envelopes().all(|envelope| envelope.kind != EnvelopeType::USER));

    // By Bob, to the roster, for all of the folder: Dave is no member for it, and the next roster drops him.
    let (folder, epoch) = (world.roster.state().folder, world.roster.state().epoch);
    let of_dave =
        super::super::member_envelopes(folder, epoch, world.roster.current_key().unwrap(), &[dave.public()]);
    let of_dave = of_dave.unwrap();
    let both = Access::build(world.envelopes.envelopes().chain(of_dave.envelopes())).unwrap();
    let bytes = roster_by_bob(&mut world, &both);
    let opened = open_roster_object(&bytes, &as_dave).unwrap();
    assert_eq!(opened.roster.state().members.len(), 2, "he reads what Bob could have read to him");
    assert!(!opened.roster.state().may_write(&world.bob.identity.public()));
    let next = world.roster.member_envelopes(Some(&opened.header.access)).unwrap();
    assert_eq!(next, world.envelopes);
}

#[test]
fn row_34_a_file_is_passed_off_as_somebody_elses() {
    let mut world = shared(Role::Writer);
    let sealed = world.seal_file(b"content").bytes;
    let (alices, bobs) = (world.alice.identity.public(), world.bob.identity.public());
    // Bob's word in Alice's name.
    let in_her_name = forge(&mut world, &sealed, |f, w| {
        let statement = Statement { name: Name::new("will.txt").unwrap(), ..f.statement() };
        f.sign(statement.encode().unwrap(), &w.bob.identity);
    });
    assert_eq!(read_naively(&world, &in_her_name).unwrap().owner, alices.fingerprint());
    unauthentic(&world, &in_her_name);
    // Alice's folder in Bob's name: he is no owner of it.
    let as_owner = forge(&mut world, &sealed, |f, w| {
        let statement = Statement { writer: bobs, owner: bobs.fingerprint(), ..f.statement() };
        f.sign(statement.encode().unwrap(), &w.bob.identity);
    });
    assert_eq!(
        read_naively(&world, &as_owner).unwrap().owner,
        bobs.fingerprint(),
        "it shows whoever is named"
    );
    let header = open_header(&as_owner, &world.synced()).unwrap();
    assert!(!world.roster.state().accepts(&header));
    // Alice's content, renamed by Bob: both are shown, each by their key, and Bob cannot give her other words.
    let header = open_header(&sealed, &world.synced()).unwrap();
    let folder = world.roster.folder_seal(&world.envelopes).unwrap();
    let renamed =
        Statement { writer: bobs, name: Name::new("will.txt").unwrap(), ..header.statement.clone() };
    let renamed = rewrite_info(&header, renamed, &folder, &world.bob.identity, &mut world.rng).unwrap().bytes;
    let renamed = [&renamed[..], &sealed[header.header_len + 56..]].concat();
    let (shown, _) = world.open(&renamed).unwrap();
    assert_eq!((shown.statement.writer, shown.origin.unwrap().statement.writer), (bobs, alices));
    let misquoted = forge(&mut world, &renamed, |f, w| {
        let mut statement = f.statement();
        let mut origin = statement.origin.clone().unwrap();
        origin.statement[4] ^= 1;
        statement.origin = Some(origin);
        f.sign(statement.encode().unwrap(), &w.bob.identity);
    });
    assert!(read_naively(&world, &misquoted).is_some());
    unauthentic(&world, &misquoted);
}
