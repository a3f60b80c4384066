//! Every derivation and label of the format, against values that Python's `cryptography` made from the specification.
//! They never change: files depend on them.

use crate::clock::Dot;
use crate::crypto::cobblestone::StreamOn;
use crate::crypto::keys::{FileKey, FolderKey, GroupKey, GroupPairKey, InfoKey, Key};
use crate::crypto::{
    AcceptanceBinding, Domain, EnvelopePublicKey, FolderKeyName, InvitationSecrets, OpenError,
    PasswordParameters, RecoveryKey, Signature, TestRandom, VerifyingKey, backend::Active, cobblestone,
    test_keys,
};
use crate::ids::{DeviceId, FileId, Fingerprint, FolderId, InvitationId};

const FILE: FileId = FileId::new([0xF1; 16]);
const FOLDER: FolderId = FolderId::new([0xF0; 16]);
const KEY_EPOCH: u32 = 7;
const FOLDER_EPOCH: u32 = 3;

/// `first`, `first` + 1 and so on.
fn counting<const N: usize>(first: u8) -> [u8; N] {
    let mut next = first..;
    std::array::from_fn(|_| next.next().unwrap())
}

fn file_key() -> FileKey {
    Key::from_bytes(&counting(0))
}

fn folder_key() -> FolderKey {
    Key::from_bytes(&counting(100))
}

#[test]
fn cobblestone() {
    let key: InfoKey = Key::from_bytes(file_key().bytes());
    assert_eq!(
        hex::encode(StreamOn::<Active>::seal(&key, [0x5a; 24], b"context", b"plaintext")),
        "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a729e172677101afa4d26d0c2aede3b0e23612a0082cd24ad571af9dc\
         ddf1068f6b72a6dfe8126a77d47ff7f354e511aac1364e2e4c9aa1af2c"
    );
}

#[test]
fn file_subkeys() {
    let keys = file_key().derive(FILE, KEY_EPOCH);
    assert_eq!(
        hex::encode([*keys.header.bytes(), *keys.info.bytes(), *keys.payload.bytes()].concat()),
        "271e1a14b6744a9330b495de9fc501c87191c36a4a1072c6ca2795ac3ac1abfe94900df507e9b0e5e74280b7ace1c8c48c16cdde\
         7127602baf666929112ff17ca8fe650f5dcbb44548065e453c0a53faea2597502eb6219cf8f772a8e3c4b5ed"
    );
    let mac = keys.header.mac(&[b"pre", b"fix"]);
    assert!(keys.header.verify(&[b"prefix"], &mac));
    assert!(!keys.header.verify(&[b"prefiX"], &mac));
}

#[test]
fn folder_derivations() {
    let key = folder_key();
    assert_eq!(
        hex::encode(key.id(FOLDER, FOLDER_EPOCH)),
        "ec9d46da833987785bc8ee6845fa39f16a0c3217ce0f00d2fe3ebc6481f8026a"
    );
    assert_eq!(
        hex::encode(key.roster_file_key(FOLDER, FOLDER_EPOCH).bytes()),
        "167c062083815b637deb56afa8f1bcf7e10525a496a7a04930d18fe35502c780"
    );
    let losing = Dot { counter: 42, device: DeviceId::new([0xDE; 16]) };
    assert_eq!(key.conflict_copy_id(FILE, losing).to_string(), "e6c13ce67399f77b8351f63e6f229ad0");
    let name = key.name(FOLDER, FOLDER_EPOCH);
    assert_eq!(FolderKeyName::from_bytes(&name.to_bytes()), name);
}

#[test]
fn envelopes_made_by_openssl_open_where_they_belong() {
    let alice = test_keys::alice().envelope;
    let wrapped = include_bytes!("../../../testdata/crypto/wrapped-file-key.bin");
    assert_eq!(alice.unwrap_file_key(FILE, KEY_EPOCH, wrapped).unwrap().bytes(), file_key().bytes());
    assert_eq!(alice.unwrap_file_key(FILE, KEY_EPOCH + 1, wrapped).unwrap_err(), OpenError);
    assert_eq!(alice.unwrap_file_key(FileId::new([0; 16]), KEY_EPOCH, wrapped).unwrap_err(), OpenError);
    assert_eq!(test_keys::bob().envelope.unwrap_file_key(FILE, KEY_EPOCH, wrapped).unwrap_err(), OpenError);

    let name = folder_key().name(FOLDER, FOLDER_EPOCH);
    let wrapped_folder = include_bytes!("../../../testdata/crypto/wrapped-folder-key.bin");
    assert_eq!(alice.unwrap_folder_key(&name, wrapped_folder).unwrap().bytes(), folder_key().bytes());
    let other_epoch = FolderKeyName { epoch: FOLDER_EPOCH + 1, ..name };
    assert_eq!(alice.unwrap_folder_key(&other_epoch, wrapped_folder).unwrap_err(), OpenError);
    // One purpose's envelope does not open as the other's.
    assert_eq!(alice.unwrap_folder_key(&name, wrapped).unwrap_err(), OpenError);
    assert_eq!(alice.unwrap_file_key(FILE, KEY_EPOCH, wrapped_folder).unwrap_err(), OpenError);
}

#[test]
fn envelopes_round_trip_and_a_planted_folder_key_is_refused() {
    let alice = test_keys::alice().envelope;
    let public = alice.public();
    let wrapped = public.wrap_file_key(FILE, KEY_EPOCH, &file_key());
    assert_eq!(alice.unwrap_file_key(FILE, KEY_EPOCH, &wrapped).unwrap().bytes(), file_key().bytes());

    let name = folder_key().name(FOLDER, FOLDER_EPOCH);
    let wrapped = public.wrap_folder_key(&name, &folder_key());
    assert_eq!(alice.unwrap_folder_key(&name, &wrapped).unwrap().bytes(), folder_key().bytes());
    let planted: FolderKey = Key::from_bytes(&[0; 32]);
    let wrapped = public.wrap_folder_key(&name, &planted);
    assert_eq!(alice.unwrap_folder_key(&name, &wrapped).unwrap_err(), OpenError);
}

#[test]
fn public_keys_of_other_shapes_are_refused() {
    let spki = *test_keys::alice().envelope.spki();
    assert_eq!(
        hex::encode(test_keys::alice().envelope.public().spki_hash()),
        "c146c0ef3b3be70ebab1c8dd733851b50ae9e027c810f389fed03110b15d0e37"
    );
    assert!(EnvelopePublicKey::from_spki(&spki).is_ok());
    assert!(EnvelopePublicKey::from_spki(&spki[..421]).is_err());
    assert!(EnvelopePublicKey::from_spki(&[&spki[..], &[0]].concat()).is_err());
    let mut altered: Vec<(usize, u8)> = (0..33).map(|at| (at, 1)).collect();
    altered.extend([(33, 0x80), (416, 1), (418, 1), (419, 1), (420, 1), (421, 1), (421, 2)]);
    for (at, bits) in altered {
        let mut spki = spki;
        spki[at] ^= bits;
        assert!(EnvelopePublicKey::from_spki(&spki).is_err(), "byte {at}");
    }
}

#[test]
fn identity() {
    let key = test_keys::alice().identity;
    let public = key.public();
    assert_eq!(
        hex::encode(public.as_bytes()),
        "bc7cbcb5636375fa1d82434d466724d92377f53b980695dd49d26d0ce12205a5"
    );
    assert_eq!(
        public.fingerprint().to_string(),
        "4743501b74470422902f361f5c05a933c81bf88d1a43baceeafed6da1c3d43c1"
    );
    assert_eq!(public.folder_id(&[0x17; 16]).to_string(), "154b019540105059b22a47d3381c1d03");
    assert_eq!(VerifyingKey::new(*public.as_bytes()), Ok(public));

    let signature = key.sign(Domain::Content, &[b"prefix", b"statement"]);
    assert_eq!(
        hex::encode(signature.as_bytes()),
        "00d2cdc76e167a57a126a9c458de0b5479d18f255721dfd07b537bb69ae704687bb1c4555af93e9e68d3e7436243af2cd5d789c1\
         433343d4d591b60b12533906"
    );
    assert!(public.verify(Domain::Content, &[b"prefixstatement"], &signature).is_ok());
    for other in [Domain::Access, Domain::RosterEntry, Domain::Bundle] {
        assert!(public.verify(other, &[b"prefixstatement"], &signature).is_err());
    }
    assert!(
        test_keys::bob()
            .identity
            .public()
            .verify(Domain::Content, &[b"prefixstatement"], &signature)
            .is_err()
    );
    for at in 0..Signature::LEN {
        let mut altered = *signature.as_bytes();
        altered[at] ^= 1;
        assert!(public.verify(Domain::Content, &[b"prefixstatement"], &Signature::new(altered)).is_err());
    }
}

#[test]
fn password_keys() {
    let parameters = PasswordParameters {
        login: "alice@example.com".parse().unwrap(),
        realm: "local".into(),
        nonce: counting(0),
        iterations: 600_000,
    };
    let keys = parameters.derive("pässword").unwrap();
    assert_eq!(
        hex::encode(keys.kek.bytes()),
        "b703823af6f7399e4553b7c94f9c5e65d54298baabf5237a9cb02c2bd98a2d3d"
    );
    assert_eq!(
        hex::encode(keys.auth.expose()),
        "8ffe24a24adbc99fad6999a8bb5f511145b4d75f68bd03ff19589f5122af2a2b"
    );
}

#[test]
fn recovery_key() {
    let key: RecoveryKey = "000G-40R4-0M30-E209-185G-R38E-1W81-24GK-W3T5".parse().unwrap();
    assert_eq!(*key.to_text(), "000G-40R4-0M30-E209-185G-R38E-1W81-24GK-W3T5");
    assert_eq!(
        hex::encode(key.derive_kek().bytes()),
        "42c7835e3d536d4c79dfeb8068ba74d2f2511ccd152cfd46b186755499b73a35"
    );
}

#[test]
fn invitation_keys() {
    let secrets = InvitationSecrets {
        password: "000G-40R4-0M30-E209-ZFZD".parse().unwrap(),
        fragment: "CHJPCSV8D5N6PV3DDSQQ0WBJECRZ".parse().unwrap(),
    };
    assert_eq!(*secrets.password.to_text(), "000G-40R4-0M30-E209-ZFZD");
    assert_eq!(*secrets.fragment.to_text(), "CHJPCSV8D5N6PV3DDSQQ0WBJECRZ");
    let id = InvitationId::new([0x1D; 16]);
    let keys = secrets.derive(id);
    let derived = [keys.record.bytes(), keys.claim.expose(), keys.acceptance.bytes(), keys.reading.bytes()];
    let expected = [
        "84af1879be2bcad3ac8fe2f19e798d4b85b3e0dbddb5c47d777d56129f1147c2",
        "c18ff22c75e5e05fdfdf37d58ad5aad7c846c9b764c11f3aa287a7edb2aaaba9",
        "d3ff595495ff339e1546da13288d91c97b71ec80f0045f46debb7a68f3aca99b",
        "70581e3e6b1e26ba22569745f3a52ff2686a4c32b2017fc60a69a142b223c19a",
    ];
    assert_eq!(derived.map(hex::encode), expected);
    assert_eq!(
        hex::encode(keys.claim.hash()),
        "7772fa85a7ba4eed6fbe5aa99a946441ba06faa26fe0f583fc7a66eb3297a81d"
    );
    let binding = AcceptanceBinding {
        invitation: id,
        folder: FOLDER,
        inviter: Fingerprint::new([0xA1; 32]),
        guest_hash: [0xB0; 32],
    };
    let proof = keys.acceptance.prove(&binding);
    assert_eq!(hex::encode(proof), "34d286a2f085b9ae3e454512cf09a7d09af093d5fbdc4bcf3fe3d04517fd5647");
    assert!(keys.acceptance.verify(&binding, &proof));
    for other in [
        AcceptanceBinding { invitation: InvitationId::new([0; 16]), ..binding },
        AcceptanceBinding { folder: FolderId::new([0; 16]), ..binding },
        AcceptanceBinding { inviter: Fingerprint::new([0; 32]), ..binding },
        AcceptanceBinding { guest_hash: [0; 32], ..binding },
    ] {
        assert!(!keys.acceptance.verify(&other, &proof), "{other:?}");
    }
}

#[test]
fn group_keys() {
    let id = test_keys::alice().identity.public().group_id(&counting(0));
    assert_eq!(id.to_string(), "cf601ede438f7d126c412667f80114da");
    let key: GroupKey = Key::from_bytes(&counting(100));
    assert_eq!(
        hex::encode(key.id(FOLDER, FOLDER_EPOCH)),
        "5c68c19a9a928e1ad3657a22fcc5fbb58f7bc7719c99973a0626cd834802c036"
    );
    assert_eq!(
        hex::encode(key.roster_file_key(FOLDER, FOLDER_EPOCH).bytes()),
        "92b6abeb665488373373aff8d878616c48ece612342e460cc2392d5599e6de6e"
    );
    // What a pair is sealed under, HKDF-Expand of the label and nothing else.
    let name = key.name(FOLDER, FOLDER_EPOCH);
    let pair = test_keys::pairs().into_iter().next().unwrap();
    let sealed = key.seal_pair(&name, &pair, &mut TestRandom::new(1));
    let context = [b"ensafer/v1/group-pair\0", &name.to_bytes()[..], &pair.public().spki_hash()].concat();
    let bytes = hex::decode("5b9f9ae1865bebe0c35c35750f3ded6b628b7aa919c91f976d488d5ecc847627").unwrap();
    let pair_key: GroupPairKey = Key::from_bytes(&bytes.try_into().unwrap());
    assert_eq!(*cobblestone::open(&pair_key, &context, &sealed).unwrap(), *pair.to_pkcs8());
}
