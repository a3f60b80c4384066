//! Row 5: one key for two purposes. What the types refuse does not compile (`one_key_one_use` has
//! those examples); here the bytes of one key are forced into every other use, and what is bound refuses them.

use super::{BINDING, FILE, FOLDER, FOLDER_EPOCH, KEY_EPOCH, alice_with_one_rsa_key};
use crate::crypto::backend::{Active, Backend};
use crate::crypto::keys::{
    AccountMasterKey, DeviceKey, FileKey, FolderKey, GroupKey, HeaderKey, InfoKey, InvitationRecordKey,
    InviteKey, Key, LoginSessionKey, PasswordKek, PayloadKey, RecoveryKek, open_key, purpose, seal_key,
};
use crate::crypto::{
    DeviceSession, Domain, OpenError, PasswordParameters, PrivateKeys, RecoveryKey, SigningKey, TestRandom,
    Token, cobblestone, test_keys,
};
use crate::ids::{FileId, InvitationId};

const DOMAINS: [Domain; 6] = [
    Domain::Content,
    Domain::Access,
    Domain::RosterEntry,
    Domain::Bundle,
    Domain::DeviceLogin,
    Domain::DeviceRefresh,
];

/// Does not compile when a domain is missing above.
const fn number(domain: Domain) -> usize {
    match domain {
        Domain::Content => 0,
        Domain::Access => 1,
        Domain::RosterEntry => 2,
        Domain::Bundle => 3,
        Domain::DeviceLogin => 4,
        Domain::DeviceRefresh => 5,
    }
}

#[test]
fn row_05_a_signature_is_of_one_domain() {
    let alice = test_keys::alice().identity;
    let public = alice.public();
    let naive = |_: Domain| Domain::Content;
    for (signed, asked) in [(Domain::Bundle, Domain::DeviceLogin), (Domain::DeviceLogin, Domain::RosterEntry)]
    {
        let signature = alice.sign(naive(signed), &[b"the same bytes"]);
        let verified = public.verify(naive(asked), &[b"the same bytes"], &signature);
        assert!(verified.is_ok(), "the attack works on who has one label for everything");
    }
    for (at, signed) in DOMAINS.into_iter().enumerate() {
        assert_eq!(number(signed), at);
        let signature = alice.sign(signed, &[b"the same bytes"]);
        for asked in DOMAINS {
            let verified = public.verify(asked, &[b"the same bytes"], &signature);
            assert_eq!(verified.is_ok(), signed == asked, "{signed:?} as {asked:?}");
            // Nor can a part of one label be passed off as the start of what another signs.
            if signed != asked {
                assert!(!asked.label().starts_with(signed.label()), "{signed:?} begins {asked:?}");
            }
        }
    }
}

/// All contexts of the format under which keys and secrets are sealed, made of the same ids wherever they have room.
fn contexts() -> Vec<Vec<u8>> {
    let id = [7u8; 16];
    let seal = |kind: u8| [b"ensafer/v1/account-seal\0".as_slice(), &[kind], &id, &id].concat();
    let named = |label: &[u8]| [label, &id, &[0; 8]].concat();
    let folder_name = Key::<purpose::Folder>::from_bytes(&[1; 32]).name(FOLDER, FOLDER_EPOCH).to_bytes();
    let file = [folder_name.as_slice(), FILE.as_bytes(), &KEY_EPOCH.to_be_bytes()].concat();
    let mut contexts: Vec<Vec<u8>> = (1..=4).map(seal).collect();
    contexts.extend([
        named(b"ensafer/v1/account-keys\0"),
        named(b"ensafer/v1/account-state\0"),
        named(b"ensafer/v1/device-session\0"),
        [b"ensafer/v1/sealed-invitation\0".as_slice(), &id].concat(),
        [b"ensafer/v1/old-key\0".as_slice(), &folder_name, &folder_name].concat(),
        [b"ensafer/v1/old-group-key\0".as_slice(), &folder_name, &folder_name].concat(),
        [b"ensafer/v1/group-pair\0".as_slice(), &folder_name, &[1; 32]].concat(),
        folder_name.to_vec(),
        file.clone(),
        // Nothing, a byte less, a byte more: where a context ends is bound as well.
        vec![],
        file[..file.len() - 1].to_vec(),
        [file.as_slice(), &[0]].concat(),
    ]);
    contexts
}

#[test]
fn row_05_a_sealed_key_is_of_one_context() {
    let mut rng = TestRandom::new(5);
    let outer: DeviceKey = Key::from_bytes(&[5; 32]);
    let inner: FolderKey = Key::from_bytes(&[6; 32]);
    let naive = |_: &[u8]| Vec::new();
    let sealed = seal_key(&outer, &inner, &naive(&contexts()[0]), &mut rng);
    let opened = open_key::<_, purpose::Folder>(&outer, &naive(&contexts()[1]), &sealed);
    assert!(opened.is_ok(), "the attack works on who binds no context");
    for (sealed_as, context) in contexts().iter().enumerate() {
        let sealed = seal_key(&outer, &inner, context, &mut rng);
        for (asked_as, asked) in contexts().iter().enumerate() {
            let opened = open_key::<_, purpose::Folder>(&outer, asked, &sealed);
            assert_eq!(opened.is_ok(), sealed_as == asked_as, "context {sealed_as} as {asked_as}");
        }
    }
}

/// One key's bytes as folder key, invitation, account master key: what each sealed, no other opens.
#[test]
fn row_05_what_one_kind_of_key_sealed_no_other_opens() {
    let mut rng = TestRandom::new(6);
    let bytes = [5; 32];
    let folder: FolderKey = Key::from_bytes(&bytes);
    let invite: InviteKey = Key::from_bytes(&bytes);
    let master: AccountMasterKey = Key::from_bytes(&bytes);
    let name = folder.name(FOLDER, FOLDER_EPOCH);
    let context = name.to_bytes();
    let session = DeviceSession {
        signer: SigningKey::generate(&mut rng),
        refresh: Token::generate(&mut rng),
        access: Token::generate(&mut rng),
        counter: 1,
        access_expires_at_s: 2,
    };
    let sealed = [
        folder.seal_file_key(&name, FILE, KEY_EPOCH, &FileKey::generate(&mut rng), &mut rng).to_vec(),
        invite.seal_folder_key(&name, &folder, &mut rng).to_vec(),
        session.seal(&master, &context, &mut rng),
    ];
    for (at, sealed) in sealed.iter().enumerate() {
        let opened = [
            folder.open_file_key(&name, FILE, KEY_EPOCH, sealed).is_ok(),
            invite.open_folder_key(&name, sealed).is_ok(),
            DeviceSession::open(&master, &context, sealed).is_ok(),
        ];
        assert_eq!(opened, [0, 1, 2].map(|kind| kind == at), "kind {at}");
        assert!(PrivateKeys::open(&master, &context, sealed).is_err());
        assert!(RecoveryKey::open(&master, b"", sealed).is_err());
    }
}

/// An invitation's record key and reading key, of the same bytes: the record opens as no folder key, nor the other way.
#[test]
fn row_05_an_invitations_record_is_no_folder_key() {
    let mut rng = TestRandom::new(10);
    let (record, reading): (InvitationRecordKey, InviteKey) =
        (Key::from_bytes(&[5; 32]), Key::from_bytes(&[5; 32]));
    let folder = FolderKey::generate(&mut rng);
    let name = folder.name(FOLDER, FOLDER_EPOCH);
    let id = InvitationId::new([7; 16]);
    let sealed = record.seal_record(id, folder.bytes(), &mut rng);
    assert!(record.open_record(id, &sealed).is_ok());
    assert!(record.open_record(InvitationId::new([8; 16]), &sealed).is_err());
    assert!(reading.open_folder_key(&name, &sealed).is_err());
    let wrapped = reading.seal_folder_key(&name, &folder, &mut rng);
    assert!(reading.open_folder_key(&name, &wrapped).is_ok());
    assert!(record.open_record(id, &wrapped).is_err());
}

/// The three subkeys of a file, and its source: each opens and authenticates its own only.
#[test]
fn row_05_a_files_subkeys_do_not_stand_in_for_each_other() {
    let mut rng = TestRandom::new(7);
    let source = FileKey::generate(&mut rng);
    let keys = source.derive(FILE, KEY_EPOCH);
    let bytes = [source.bytes(), keys.header.bytes(), keys.info.bytes(), keys.payload.bytes()];
    let sealed = cobblestone::seal(&keys.info, &mut rng, b"context", b"plaintext");
    let payload = cobblestone::seal(&keys.payload, &mut rng, b"context", b"plaintext");
    let mac = keys.header.mac(&[b"prefix"]);
    for (at, bytes) in bytes.into_iter().enumerate() {
        let info: InfoKey = Key::from_bytes(bytes);
        assert_eq!(cobblestone::open(&info, b"context", &sealed).is_ok(), at == 2, "key {at}");
        let as_payload: PayloadKey = Key::from_bytes(bytes);
        assert_eq!(cobblestone::open(&as_payload, b"context", &payload).is_ok(), at == 3, "key {at}");
        let header: HeaderKey = Key::from_bytes(bytes);
        assert_eq!(header.verify(&[b"prefix"], &mac), at == 1, "key {at}");
    }
    for other in [source.derive(FILE, KEY_EPOCH + 1), source.derive(FileId::new([0xF2; 16]), KEY_EPOCH)] {
        assert!(cobblestone::open(&other.info, b"context", &sealed).is_err());
        assert!(!other.header.verify(&[b"prefix"], &mac));
    }
}

/// The server sees the `auth` half of a password and of a recovery key. It must not open what the `kek` half sealed.
#[test]
fn row_05_what_a_server_sees_opens_no_seal() {
    let mut rng = TestRandom::new(8);
    let master = AccountMasterKey::generate(&mut rng);
    let password = PasswordParameters {
        login: "alice@example.com".parse().unwrap(),
        realm: BINDING.realm.into(),
        nonce: [9; 16],
        iterations: 600_000,
    }
    .derive("pässword")
    .unwrap();
    let sealed = seal_key(&password.kek, &master, b"context", &mut rng);
    let shown: PasswordKek = Key::from_bytes(password.auth.expose());
    assert!(open_key::<_, purpose::AccountMaster>(&password.kek, b"context", &sealed).is_ok());
    assert_eq!(open_key::<_, purpose::AccountMaster>(&shown, b"context", &sealed).unwrap_err(), OpenError);

    let recovery = RecoveryKey::generate(&mut rng);
    let sealed = seal_key(&recovery.derive_kek(), &master, b"context", &mut rng);
    let shown: RecoveryKek = Key::from_bytes(recovery.derive_auth().expose());
    assert!(open_key::<_, purpose::AccountMaster>(&recovery.derive_kek(), b"context", &sealed).is_ok());
    assert_eq!(open_key::<_, purpose::AccountMaster>(&shown, b"context", &sealed).unwrap_err(), OpenError);
}

/// File key, folder key and challenge, all sealed to one RSA key: each opens as what it is.
#[test]
fn row_05_an_rsa_ciphertext_is_of_one_label() {
    let keys = alice_with_one_rsa_key();
    let mut rng = TestRandom::new(9);
    let folder = FolderKey::generate(&mut rng);
    let name = folder.name(FOLDER, FOLDER_EPOCH);
    let envelope = keys.envelope.public();
    let group: GroupKey = Key::from_bytes(folder.bytes());
    let group_name = group.name(FOLDER, FOLDER_EPOCH);
    let sealed = [
        envelope.wrap_file_key(FILE, KEY_EPOCH, &FileKey::generate(&mut rng)),
        envelope.wrap_folder_key(&name, &folder),
        envelope.wrap_group_key(&group_name, &group),
        keys.login.public().seal_challenge(&BINDING, &LoginSessionKey::generate(&mut rng)),
    ];
    for (at, sealed) in sealed.iter().enumerate() {
        let opened = [
            keys.envelope.unwrap_file_key(FILE, KEY_EPOCH, sealed).is_ok(),
            keys.envelope.unwrap_folder_key(&name, sealed).is_ok(),
            keys.envelope.unwrap_group_key(&group_name, sealed).is_ok(),
            keys.login.open_challenge(&BINDING, sealed).is_ok(),
        ];
        assert_eq!(opened, [0, 1, 2, 3].map(|kind| kind == at), "kind {at}");
    }
}

/// One key's bytes as a folder's and as a group's: neither has the other's name, roster or pairs.
#[test]
fn row_05_a_groups_key_derives_nothing_of_a_folders() {
    let mut rng = TestRandom::new(11);
    let (folder, group): (FolderKey, GroupKey) = (Key::from_bytes(&[5; 32]), Key::from_bytes(&[5; 32]));
    assert_ne!(folder.id(FOLDER, FOLDER_EPOCH), group.id(FOLDER, FOLDER_EPOCH));
    let files = [folder.roster_file_key(FOLDER, FOLDER_EPOCH), group.roster_file_key(FOLDER, FOLDER_EPOCH)];
    assert_ne!(files[0].bytes(), files[1].bytes());
    let name = group.name(FOLDER, FOLDER_EPOCH);
    let [pair, other] = test_keys::pairs();
    let sealed = group.seal_pair(&name, &pair, &mut rng);
    assert_eq!(group.open_pair(&name, &pair.public(), &sealed).unwrap().spki(), pair.spki());
    assert!(group.open_pair(&name, &other.public(), &sealed).is_err());
    assert!(group.open_pair(&folder.name(FOLDER, FOLDER_EPOCH), &pair.public(), &sealed).is_err());
    let another: GroupKey = Key::from_bytes(&[6; 32]);
    assert!(another.open_pair(&name, &pair.public(), &sealed).is_err());
    // Not even under the group's own key, as it is: the pairs have one derived from it.
    let context =
        [b"ensafer/v1/group-pair\0".as_slice(), &name.to_bytes(), &pair.public().spki_hash()].concat();
    assert!(cobblestone::open(&group, &context, &sealed).is_err());
}

/// A login's proof and a header's MAC are both HMAC-SHA-256; the proof's label keeps them apart under one key.
#[test]
fn row_05_a_header_mac_is_no_proof_of_login() {
    let (header, session): (HeaderKey, LoginSessionKey) =
        (Key::from_bytes(&[5; 32]), Key::from_bytes(&[5; 32]));
    let naive_proof = Active::hmac_sha256(session.bytes(), &[&[1; 32]]);
    assert!(header.verify(&[&[1; 32]], &naive_proof), "the attack works on a login without a label");
    assert!(!header.verify(&[&[1; 32]], &session.prove(&[1; 32])));
}

/// Whether a purpose's keys may seal, found out at compile time: the inherent constant exists for those that may, and
/// hides the trait's, which exists for all.
struct MaySeal<P>(std::marker::PhantomData<P>);

trait MayNot {
    const ANSWER: bool = false;
}

impl<P> MayNot for MaySeal<P> {}

impl<P: purpose::Seals> MaySeal<P> {
    const ANSWER: bool = true;
}

/// Keys that authenticate, prove or are derived from do not seal as well.
#[test]
fn row_05_only_sealing_keys_seal() {
    macro_rules! answers {
        ($($purpose:ident),* $(,)?) => { [$((stringify!($purpose), MaySeal::<purpose::$purpose>::ANSWER)),*] };
    }
    for (purpose, may) in answers![
        Folder,
        Group,
        GroupPair,
        Info,
        Payload,
        AccountMaster,
        PasswordKek,
        RecoveryKek,
        Device,
        InvitationRecord,
        Invite,
        Code,
    ] {
        assert!(may, "{purpose}");
    }
    for (purpose, may) in answers![
        File,
        Header,
        PasswordAuth,
        RecoveryAuth,
        Invitation,
        InvitationClaim,
        InvitationAcceptance,
        LoginSession,
        Pepper,
        UnknownLogin,
        LoginAttempt,
    ] {
        assert!(!may, "{purpose}");
    }
}
