//! RSA keys that everybody knows, because making them takes seconds: `testdata/keys`.

use super::{EnvelopePrivateKey, LoginPrivateKey, PrivateKeys, SigningKey};

/// Alice's envelope key, PKCS#8.
pub(super) const ALICE_ENVELOPE: &[u8] =
    include_bytes!("../../testdata/keys/test-only-alice-envelope.pkcs8.der");
const ALICE_LOGIN: &[u8] = include_bytes!("../../testdata/keys/test-only-alice-login.pkcs8.der");
/// Bob's envelope key, PKCS#8.
pub(super) const BOB_ENVELOPE: &[u8] = include_bytes!("../../testdata/keys/test-only-bob-envelope.pkcs8.der");
const BOB_LOGIN: &[u8] = include_bytes!("../../testdata/keys/test-only-bob-login.pkcs8.der");

fn person(seed: u8, envelope: &[u8], login: &[u8]) -> PrivateKeys {
    PrivateKeys {
        identity: SigningKey::from_seed(&[seed; 32]),
        envelope: EnvelopePrivateKey::from_pkcs8(envelope).unwrap(),
        login: LoginPrivateKey::from_pkcs8(login).unwrap(),
    }
}

/// The keys of one person in tests.
pub(crate) fn alice() -> PrivateKeys {
    person(0xA1, ALICE_ENVELOPE, ALICE_LOGIN)
}

/// The keys of another.
pub(crate) fn bob() -> PrivateKeys {
    person(0xB0, BOB_ENVELOPE, BOB_LOGIN)
}

/// Two key pairs for groups; the bytes serve other purposes elsewhere.
pub(crate) fn pairs() -> [EnvelopePrivateKey; 2] {
    [ALICE_LOGIN, BOB_LOGIN].map(|pkcs8| EnvelopePrivateKey::from_pkcs8(pkcs8).unwrap())
}
