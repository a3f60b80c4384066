//! The rows of the threat model (`docs/threat-model.md`) that the cryptography alone must answer. Each attack is first
//! seen to work on a naive client; the rows about servers and clouds are tested end to end.

mod misuse;
mod salamander;
#[cfg(all(unix, feature = "aws-lc"))]
mod timing;

use crate::crypto::hash::{length_prefix, sha256_hex};
use crate::crypto::keys::{FileKey, FolderKey, Key, LoginSessionKey};
use crate::crypto::{
    ChallengeBinding, EnvelopePublicKey, LoginPrivateKey, OpenError, PrivateKeys, TestRandom, test_keys,
};
use crate::ids::{AccountId, FileId, FolderId};

const FILE: FileId = FileId::new([0xF1; 16]);
const FOLDER: FolderId = FolderId::new([0xF0; 16]);
const KEY_EPOCH: u32 = 7;
const FOLDER_EPOCH: u32 = 3;
const BINDING: ChallengeBinding<'static> = ChallengeBinding {
    realm: "https://keys.example.com",
    account: AccountId::new([0xA1; 16]),
    expires_at_s: 1_900_000_000,
};

/// Alice, whose one RSA key serves for envelopes and for logging in: the labels alone must keep them apart.
fn alice_with_one_rsa_key() -> PrivateKeys {
    let keys = test_keys::alice();
    let login = LoginPrivateKey::from_pkcs8(&keys.envelope.to_pkcs8()).unwrap();
    PrivateKeys { login, ..keys }
}

/// What a lying server sends as a challenge: a ciphertext that it wants opened, and the label that goes with it. It can
/// compute the label, as everything in it is public.
struct Bait {
    label: String,
    sealed: [u8; 384],
}

fn file_bait(envelope: &EnvelopePublicKey, key: &FileKey) -> Bait {
    let spki = envelope.spki();
    let suite = 1u16.to_be_bytes();
    let bound = sha256_hex(&[&suite, FILE.as_bytes(), &KEY_EPOCH.to_be_bytes(), &length_prefix(spki), spki]);
    Bait {
        label: format!("ensafer/v1/envelope/{bound}"),
        sealed: envelope.wrap_file_key(FILE, KEY_EPOCH, key),
    }
}

fn folder_bait(envelope: &EnvelopePublicKey, key: &FolderKey) -> Bait {
    let spki = envelope.spki();
    let name = key.name(FOLDER, FOLDER_EPOCH);
    let bound = sha256_hex(&[&1u16.to_be_bytes(), &name.to_bytes(), &length_prefix(spki), spki]);
    Bait { label: format!("ensafer/v1/member/{bound}"), sealed: envelope.wrap_folder_key(&name, key) }
}

/// Opens whatever it is sent, under whatever label, and shows what it found as proof of its key.
fn naive_login(key: &LoginPrivateKey, bait: &Bait) -> Result<[u8; 32], OpenError> {
    let opened: LoginSessionKey = key.half().unwrap(&bait.label, &bait.sealed)?;
    Ok(*opened.bytes())
}

#[test]
fn row_04_an_envelope_is_sent_as_a_challenge() {
    let mut rng = TestRandom::new(4);
    let file_key = FileKey::generate(&mut rng);
    let folder_key = FolderKey::generate(&mut rng);
    let one_key = alice_with_one_rsa_key();
    let apart = test_keys::alice();
    // Somebody may also be brought to wrap to the login key of an account, which is as public as the other.
    let login_as_envelope = EnvelopePublicKey::from_spki(apart.login.spki()).unwrap();
    for (victim, envelope) in [(&one_key, one_key.envelope.public()), (&apart, login_as_envelope)] {
        let baits = [
            (file_bait(&envelope, &file_key), file_key.bytes()),
            (folder_bait(&envelope, &folder_key), folder_key.bytes()),
        ];
        for (bait, secret) in baits {
            assert_eq!(&naive_login(&victim.login, &bait).unwrap(), secret, "the attack works");
            // A realm is the one text in the binding that somebody else may have chosen.
            for realm in [BINDING.realm, bait.label.as_str(), ""] {
                let binding = ChallengeBinding { realm, ..BINDING };
                let opened = victim.login.open_challenge(&binding, &bait.sealed);
                assert_eq!(opened.unwrap_err(), OpenError, "{realm:?}");
            }
        }
    }
    // With a key for each use, the server has nothing that opens even on the naive client.
    let bait = file_bait(&apart.envelope.public(), &file_key);
    assert_eq!(naive_login(&apart.login, &bait), Err(OpenError));
}

/// The answer to a true challenge is no help to open anything: it is a MAC under the session key, not the key.
#[test]
fn row_04_an_answer_does_not_show_what_was_opened() {
    let keys = test_keys::alice();
    let session: LoginSessionKey = Key::from_bytes(&[0x5e; 32]);
    let challenge = keys.login.public().seal_challenge(&BINDING, &session);
    let opened = keys.login.open_challenge(&BINDING, &challenge).unwrap();
    let transcript = [0x17; 32];
    let answer = opened.prove(&transcript);
    assert_eq!(answer, session.prove(&transcript));
    assert_ne!(&answer, session.bytes());
    assert_ne!(answer, opened.prove(&[0x18; 32]), "an answer is of one transcript");
}
