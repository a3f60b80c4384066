//! Files of no folder: what they say, and rows 12, 15, 17, 18, 19 and 34 of the threat model as far as they concern
//! them. Each attack is first seen to work on a naive reader.

use super::*;
use crate::crypto::{EnvelopePrivateKey, EnvelopePublicKey, Signature};
use crate::format::access::{Envelope, EnvelopeType};
use crate::format::access_list::AccessList;
use crate::format::payload::OpenPayload;
use crate::format::seal::{FileSeal, SealError, seal_content};
use crate::format::{ObjectKind, RUN_LEN, Recipient};
use crate::ids::{Fingerprint, FolderId, StatementHash};

pub(super) const NAME: &str = "Grüße 👋.txt";

/// The statement of a file of `size` bytes that `writer` makes.
pub(super) fn statement(writer: &SigningKey, size: usize) -> Statement {
    let dot = Dot { counter: 1, device: DEVICE };
    let object = Object {
        id: FILE,
        parent: FolderId::NONE.root(),
        name: Name::new(NAME).unwrap(),
        content: Content::File { size: size as u64, digest: None, executable: false },
        modified: Timestamp::from_parts(1_700_000_000, 123_456_789),
        created: Timestamp::from_parts(-5, 0),
        description: None,
        clock: Clock::new().with(dot),
        content_dot: dot,
        place_dot: dot,
        author: "".into(),
    };
    Statement::from_object(&object, &Authorship::alone(writer.public(), DEVICE))
}

/// A file of Alice's for Alice, Bob and others.
pub(super) fn seal_for(
    others: &[EnvelopePublicKey],
    statement: Statement,
    content: &[u8],
    rng: &mut TestRandom,
) -> Vec<u8> {
    let (alice, bob) = (test_keys::alice(), test_keys::bob());
    let users = [&[bob.envelope.public(), alice.envelope.public()], others].concat();
    let seal = FileSeal::begin_alone(&users, FILE, statement, rng).unwrap();
    seal_content(seal, content, &alice.identity, rng).unwrap().bytes
}

fn sealed(content: &[u8], rng: &mut TestRandom) -> Vec<u8> {
    seal_for(&[], statement(&test_keys::alice().identity, content.len()), content, rng)
}

pub(super) fn open(bytes: &[u8], keys: &PrivateKeys) -> Result<(OpenedHeader, Vec<u8>), HeaderError> {
    open_bytes(bytes, &AccountAlone::new(&keys.envelope, Vec::new()))
}

/// Changes a file by Bob, who holds its key.
pub(super) fn forge_as_bob(bytes: &[u8], change: impl FnOnce(&mut Forgery)) -> Vec<u8> {
    let bob = test_keys::bob();
    let header = open_header(bytes, &AccountAlone::new(&bob.envelope, Vec::new())).unwrap();
    let mut forgery = Forgery::of(&header);
    change(&mut forgery);
    forgery.seal(&header, bytes, &mut TestRandom::new(11))
}

/// Replaces the first `from` in the statement and leaves the signature as it is.
pub(super) fn edit(forgery: &mut Forgery, from: &[u8], to: &[u8]) {
    let statement = &mut forgery.info.signed.statement;
    let at = statement.windows(from.len()).position(|window| window == from).unwrap();
    statement.splice(at..at + from.len(), to.iter().copied());
}

/// Puts a list of the same recipients in that `signer` has signed.
pub(super) fn sign_list(forgery: &mut Forgery, recipients: Vec<Recipient>, signer: &SigningKey) {
    let list = AccessList { access_seq: 1, recipients, signer: signer.public() };
    forgery.info.access = Some(list.sign(&forgery.prefix, signer).unwrap());
}

/// What a naive reader takes from a file: it opens whatever opens, and believes what it finds.
struct Naive {
    name: String,
    owner: Fingerprint,
    content: Vec<u8>,
}

fn read_naively(bytes: &[u8], key: &EnvelopePrivateKey) -> Option<Naive> {
    let prefix = Prefix::parse(bytes).ok()?;
    let (access, info) = bytes[80..prefix.header_len()].split_at(prefix.access_len);
    let access = Access::parse(access).ok()?;
    let unwrap = |e: Envelope<'_>| key.unwrap_file_key(prefix.file_id, prefix.key_epoch, e.body).ok();
    let subkeys = access.of(EnvelopeType::USER).find_map(unwrap)?.derive(prefix.file_id, prefix.key_epoch);
    let plain = cobblestone::open(&subkeys.info, &prefix.binding(), info).ok()?;
    let said = Info::decode(&plain).ok()?.0.signed.statement;
    let payload = &bytes[prefix.header_len()..];
    let content = cobblestone::open(&subkeys.payload, &prefix.payload_binding(), payload).ok()?.to_vec();
    // Its fields are taken from where they are in every statement.
    let name = &said[3..3 + usize::from(said[2] & 0x1F)];
    let owner = said.windows(3).position(|head| head == [4, 0x58, 32])? + 3;
    Some(Naive {
        name: String::from_utf8(name.to_vec()).ok()?,
        owner: Fingerprint::new(*said[owner..].first_chunk()?),
        content,
    })
}

#[test]
fn each_recipient_opens_it_and_nobody_else() {
    let mut rng = TestRandom::new(1);
    let (alice, bob, stranger) = (test_keys::alice(), test_keys::bob(), EnvelopePrivateKey::generate());
    for len in [0, 1, 16_384, RUN_LEN + 1] {
        let content = vec![7; len];
        let sealed = sealed(&content, &mut rng);
        for keys in [&alice, &bob] {
            let (header, opened) = open(&sealed, keys).unwrap();
            assert!(header.is_alone() && opened == content);
            assert_eq!(header.statement.writer, alice.identity.public());
            assert_eq!(header.statement.device_name.as_ref(), "", "no computer's name goes out");
            assert!(header.unlisted_envelopes().is_empty() && header.missing_recipients() == 0);
            let listed = header.access_list.unwrap().recipients;
            let recipients = [&alice, &bob].map(|keys| Recipient::user(&keys.envelope.public()));
            assert!(listed.len() == 2 && recipients.iter().all(|r| listed.contains(r)));
        }
        assert_eq!(refusal(&sealed, &AccountAlone::new(&stranger, Vec::new())), HeaderError::NotARecipient);
        assert_eq!(refusal(&sealed, &World::new().synced()), HeaderError::NotARecipient, "no folder's");
    }
}

#[test]
fn who_is_named_twice_gets_one_envelope_and_nobody_is_too_few() {
    let mut rng = TestRandom::new(1);
    let alice = test_keys::alice();
    let of = || statement(&alice.identity, 1);
    let bytes = seal_for(&[alice.envelope.public()], of(), b"x", &mut rng);
    assert_eq!(open(&bytes, &alice).unwrap().0.access.envelopes().count(), 2);
    let begin = |users: &[EnvelopePublicKey], id, statement| {
        FileSeal::begin_alone(users, id, statement, &mut TestRandom::new(1)).map(drop)
    };
    let users = [alice.envelope.public()];
    assert_eq!(begin(&[], FILE, of()), Err(SealError::Statement));
    assert_eq!(begin(&users, FolderId::NONE.root(), of()), Err(SealError::Statement));
    let of_a_folder = World::new().statement(file(b"x"));
    assert_eq!(begin(&users, FILE, of_a_folder), Err(SealError::Statement));
    let changes: [fn(&mut Statement); 5] = [
        |s| s.parent = FileId::new([5; 16]),
        |s| s.owner = Fingerprint::new([5; 32]),
        |s| s.roster_head = StatementHash::new([5; 32]),
        |s| (s.kind, s.size, s.padded_len) = (ObjectKind::Directory, 0, 0),
        |s| s.origin = Some(SignedStatement { statement: vec![], signature: Signature::new([0; 64]) }),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut statement = of();
        change(&mut statement);
        assert_eq!(begin(&users, FILE, statement), Err(SealError::Statement), "{at}");
    }
}

#[test]
fn row_12_a_file_in_somebodys_name_is_injected() {
    let (alice, bob) = (test_keys::alice(), test_keys::bob());
    // Bob's public key is enough to make something that opens for him.
    let mut rng = TestRandom::new(1);
    let sealed = sealed(b"pay eve", &mut rng);
    let unsigned = forge_as_bob(&sealed, |f| f.info.signed.signature = Signature::new([0; 64]));
    let naive = read_naively(&unsigned, &bob.envelope).unwrap();
    assert_eq!((naive.owner, &*naive.content), (alice.identity.public().fingerprint(), &b"pay eve"[..]));
    assert_eq!(open(&unsigned, &bob).map(drop), Err(HeaderError::Unauthentic));
    let by_another = forge_as_bob(&sealed, |f| f.sign(f.info.signed.statement.clone(), &bob.identity));
    assert_eq!(open(&by_another, &bob).map(drop), Err(HeaderError::Unauthentic));
}

#[test]
fn row_15_sections_are_transplanted() {
    let (alice, bob) = (test_keys::alice(), test_keys::bob());
    let mut rng = TestRandom::new(1);
    let one = sealed(b"content 1", &mut rng);
    let mut renamed = statement(&alice.identity, 9);
    renamed.name = Name::new("other.txt").unwrap();
    let other = seal_for(&[], renamed, b"content 2", &mut rng);
    let taken = open(&one, &bob).unwrap().0.info;
    // The statement of one, with all that is signed, before the payload of the other: both are Alice's.
    let mixed = forge_as_bob(&other, |f| f.info = taken.clone());
    let naive = read_naively(&mixed, &bob.envelope).unwrap();
    assert_eq!((&*naive.name, &*naive.content), (NAME, &b"content 2"[..]), "it reads what Alice never said");
    assert_eq!(open(&mixed, &bob).map(drop), Err(HeaderError::Unauthentic));
    // Into the place of another file: name of one, id of the other.
    let users = [bob.envelope.public()];
    let id = FileId::new([0xF2; 16]);
    let seal = FileSeal::begin_alone(&users, id, statement(&alice.identity, 9), &mut rng).unwrap();
    let elsewhere = seal_content(seal, b"content 1", &alice.identity, &mut rng).unwrap().bytes;
    let mixed = forge_as_bob(&elsewhere, |f| f.info = taken.clone());
    assert_eq!(open(&mixed, &bob).map(drop), Err(HeaderError::Unauthentic));
    // A list that Alice signed for another file says nothing of this one.
    let mixed = forge_as_bob(&elsewhere, |f| f.info.access = taken.access.clone());
    assert!(read_naively(&mixed, &bob.envelope).is_some());
    assert_eq!(open(&mixed, &bob).map(drop), Err(HeaderError::Unauthentic));
    // Envelopes without the key: they open another file's key, or none.
    let (at, end) = (80, 80 + Prefix::parse(&one).unwrap().access_len);
    let mut mixed = one.clone();
    mixed[at..end].copy_from_slice(&other[at..end]);
    assert_eq!(open(&mixed, &bob).map(drop), Err(HeaderError::Unauthentic));
}

#[test]
fn row_17_a_recipient_changes_what_it_says() {
    let (alice, bob) = (test_keys::alice(), test_keys::bob());
    let sealed = sealed(b"content", &mut TestRandom::new(1));
    let renamed = forge_as_bob(&sealed, |f| edit(f, "Grüße".as_bytes(), b"Gruesse"));
    let naive = read_naively(&renamed, &bob.envelope).unwrap();
    assert_eq!(naive.name, "Gruesse 👋.txt");
    assert_eq!(open(&renamed, &alice).map(drop), Err(HeaderError::Unauthentic));
}

#[test]
fn row_18_an_envelope_is_dropped() {
    let (alice, bob) = (test_keys::alice(), test_keys::bob());
    let sealed = sealed(b"content", &mut TestRandom::new(1));
    let header = open(&sealed, &bob).unwrap().0;
    let bobs = Recipient::user(&bob.envelope.public());
    let only_bob = AccessList { recipients: vec![bobs], access_seq: 1, signer: alice.identity.public() };
    let kept = header.access.retain(|e| only_bob.lists(&header.prefix, e));
    // By the cloud, which has no key: the MAC shows it.
    let mut prefix = header.prefix;
    prefix.access_len = kept.as_bytes().len();
    let rest = &sealed[80 + header.prefix.access_len..];
    let dropped = [&prefix.to_bytes()[..], kept.as_bytes(), rest].concat();
    assert_eq!(open(&dropped, &bob).map(drop), Err(HeaderError::Unauthentic));
    // By Bob: the list, which is Alice's, still has her.
    let dropped = forge_as_bob(&sealed, |f| f.access = kept);
    assert!(read_naively(&dropped, &bob.envelope).is_some(), "it notices nothing");
    let header = open(&dropped, &bob).unwrap().0;
    assert_eq!((header.missing_recipients(), header.unlisted_envelopes()), (1, vec![]));
    assert_eq!(open(&dropped, &alice).map(drop), Err(HeaderError::NotARecipient));
}

#[test]
fn row_19_an_envelope_is_added() {
    let bob = test_keys::bob();
    let dave = EnvelopePrivateKey::generate();
    let sealed = sealed(b"content", &mut TestRandom::new(1));
    let prefix = Prefix::parse(&sealed).unwrap();
    let key = {
        let header = open(&sealed, &bob).unwrap().0;
        let own = header.access.of(EnvelopeType::USER);
        own.filter_map(|e| bob.envelope.unwrap_file_key(FILE, 1, e.body).ok()).next().unwrap()
    };
    let body = dave.public().wrap_file_key(FILE, 1, &key);
    let hint = crate::format::access::file_hint(prefix.file_id, 1, &dave.public().spki_hash());
    let added = Envelope { kind: EnvelopeType::USER, flags: 0, hint, body: &body };
    let with_dave = |f: &mut Forgery| f.access = Access::build(f.access.envelopes().chain([added])).unwrap();
    let for_dave = forge_as_bob(&sealed, with_dave);
    assert!(read_naively(&for_dave, &dave).is_some(), "it takes it for a letter to Dave");
    let as_dave = AccountAlone::new(&dave, Vec::new());
    for header in [open_bytes(&for_dave, &as_dave).unwrap().0, open(&for_dave, &bob).unwrap().0] {
        assert_eq!(header.unlisted_envelopes(), [EnvelopeType::USER]);
        let listed = header.access_list.unwrap().recipients;
        assert!(!listed.contains(&Recipient::user(&dave.public())), "Alice never meant Dave");
    }
    // A folder's envelopes have no business here either.
    let body = [1; 156];
    let of_folder = Envelope { kind: EnvelopeType::FOLDER, flags: 0, hint: [0; 8], body: &body };
    let bytes = forge_as_bob(&sealed, |f| {
        f.access = Access::build(f.access.envelopes().chain([of_folder])).unwrap();
    });
    assert_eq!(open(&bytes, &bob).unwrap().0.unlisted_envelopes(), [EnvelopeType::FOLDER]);
    // A list of Bob's own, or none, is no list of Alice's.
    let recipients = open(&sealed, &bob).unwrap().0.access_list.unwrap().recipients;
    let by_bob = forge_as_bob(&sealed, |f| {
        with_dave(f);
        let mut recipients = [&recipients[..], &[Recipient::user(&dave.public())]].concat();
        recipients.sort_unstable();
        sign_list(f, recipients, &bob.identity);
    });
    let without = forge_as_bob(&sealed, |f| f.info.access = None);
    for forged in [by_bob, without] {
        assert!(read_naively(&forged, &bob.envelope).is_some());
        assert_eq!(open(&forged, &bob).map(drop), Err(HeaderError::Unauthentic));
    }
}

#[test]
fn row_34_a_file_is_passed_off_as_somebody_elses() {
    let (alice, bob) = (test_keys::alice(), test_keys::bob());
    let sealed = sealed(b"content", &mut TestRandom::new(1));
    let recipients = open(&sealed, &bob).unwrap().0.access_list.unwrap().recipients;
    let [alices, bobs] = [&alice, &bob].map(|keys| keys.identity.public());
    // Bob signs, and leaves Alice's name in.
    let resign = |f: &mut Forgery| {
        edit(f, alices.as_bytes(), bobs.as_bytes());
        f.sign(f.info.signed.statement.clone(), &bob.identity);
        sign_list(f, recipients.clone(), &bob.identity);
    };
    let in_her_name = forge_as_bob(&sealed, resign);
    let naive = read_naively(&in_her_name, &bob.envelope).unwrap();
    assert_eq!(naive.owner, alices.fingerprint(), "it shows whoever is named");
    assert_eq!(open(&in_her_name, &alice).map(drop), Err(HeaderError::Unauthentic));
    // In his own name he may say what he likes: it is his then.
    let in_his_own = forge_as_bob(&sealed, |f| {
        edit(f, alices.fingerprint().as_bytes(), bobs.fingerprint().as_bytes());
        resign(f);
    });
    let (header, content) = open(&in_his_own, &alice).unwrap();
    assert_eq!((header.statement.writer, header.statement.owner), (bobs, bobs.fingerprint()));
    assert_eq!(content, b"content");
    assert!(OpenPayload::new(&header).is_ok());
}
