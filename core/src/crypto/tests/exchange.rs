//! Each backend opens what the other sealed, and both make the same bytes where bytes are determined.
#![cfg(all(feature = "aws-lc", feature = "rust-crypto"))]

use proptest::prelude::*;

use crate::crypto::backend::{AwsLc, Backend, RustCrypto};
use crate::crypto::cobblestone::{CHUNK_BYTES, StreamOn};
use crate::crypto::keys::{InfoKey, Key};
use crate::crypto::test_keys::{ALICE_ENVELOPE, BOB_ENVELOPE};
use crate::crypto::{rsa, signing};

/// Calls the generic function with (aws-lc, pure Rust) and with (pure Rust, aws-lc).
macro_rules! both_ways {
    ($($test:ident),* $(,)?) => {
        mod aws_lc_to_rust_crypto {
            $(#[test] fn $test() { super::$test::<super::AwsLc, super::RustCrypto>(); })*
        }
        mod rust_crypto_to_aws_lc {
            $(#[test] fn $test() { super::$test::<super::RustCrypto, super::AwsLc>(); })*
        }
    };
}

both_ways!(cobblestone, rsa_oaep, rsa_encodings, ed25519);

fn cobblestone<A: Backend, B: Backend>() {
    let key: InfoKey = Key::from_bytes(&[5; 32]);
    for len in [0, 1, 100, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 17] {
        let plain: Vec<u8> = (0u8..=255).cycle().take(len).collect();
        let sealed = StreamOn::<A>::seal(&key, [6; 24], b"context", &plain);
        assert_eq!(*StreamOn::<B>::open(&key, b"context", &sealed).unwrap(), plain);
    }
}

fn rsa_oaep<A: Backend, B: Backend>() {
    let private = B::rsa_private_from_pkcs8(ALICE_ENVELOPE).unwrap();
    let other = B::rsa_private_from_pkcs8(BOB_ENVELOPE).unwrap();
    let public = A::rsa_public_from_spki(&B::rsa_spki(&private)).unwrap();
    for label in ["", "ensafer/v1/envelope/00"] {
        let mut sealed = A::oaep_seal(&public, label, b"thirty-two bytes of a secret key");
        assert_eq!(*B::oaep_open(&private, label, &sealed).unwrap(), b"thirty-two bytes of a secret key");
        assert!(B::oaep_open(&private, "another", &sealed).is_err());
        assert!(B::oaep_open(&other, label, &sealed).is_err());
        assert!(B::oaep_open(&private, label, &sealed[1..]).is_err());
        sealed[200] ^= 1;
        assert!(B::oaep_open(&private, label, &sealed).is_err());
    }
}

fn rsa_encodings<A: Backend, B: Backend>() {
    for pkcs8 in [ALICE_ENVELOPE, BOB_ENVELOPE] {
        let a = A::rsa_private_from_pkcs8(pkcs8).unwrap();
        let b = B::rsa_private_from_pkcs8(&A::rsa_private_to_pkcs8(&a)).unwrap();
        assert_eq!(A::rsa_spki(&a), B::rsa_spki(&b));
        assert_eq!(B::rsa_private_to_pkcs8(&b).as_slice(), pkcs8);
    }
}

fn ed25519<A: Backend, B: Backend>() {
    for seed in 0u8..8 {
        let (a, b) = (A::signer(&[seed; 32]), B::signer(&[seed; 32]));
        let public = A::signer_public(&a);
        assert_eq!(public, B::signer_public(&b));
        let signature = A::sign(&a, b"message");
        assert_eq!(signature, B::sign(&b, b"message"));
        assert!(signing::verify_strict::<B>(&public, b"message", &signature));
        assert!(!signing::verify_strict::<B>(&public, b"massage", &signature));
    }
}

/// One key that each library made itself, opened by the other. The slow part is the pure-Rust generation.
#[test]
fn generated_rsa_keys_are_of_suite_1_and_open_elsewhere() {
    fn exchange<A: Backend, B: Backend>() {
        let private = A::rsa_generate();
        let elsewhere = B::rsa_private_from_pkcs8(&A::rsa_private_to_pkcs8(&private)).unwrap();
        let spki = A::rsa_spki(&private);
        rsa::PublicHalf::from_spki(&spki).unwrap();
        let sealed = A::oaep_seal(&A::rsa_public_from_spki(&spki).unwrap(), "label", b"secret");
        assert_eq!(*B::oaep_open(&elsewhere, "label", &sealed).unwrap(), b"secret");
    }
    exchange::<AwsLc, RustCrypto>();
    exchange::<RustCrypto, AwsLc>();
}

/// dalek, which knows the curve, agrees that each of these is of small order, with either sign of x.
#[test]
fn points_of_small_order_are_listed_right() {
    for y in signing::SMALL_ORDER_Y {
        for sign in [0, 0x80] {
            let mut point = y;
            point[31] |= sign;
            assert!(signing::is_small_order(&point));
            assert!(signing::VerifyingKey::new(point).is_err());
            if let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(&point) {
                assert!(key.is_weak(), "{point:x?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn derivations_agree(
        prk in prop::collection::vec(any::<u8>(), 0..=64),
        info in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..4),
        len in 1usize..300,
    ) {
        let info: Vec<&[u8]> = info.iter().map(Vec::as_slice).collect();
        let (mut a, mut b) = (vec![0; len], vec![0; len]);
        AwsLc::hkdf_expand_sha512(&prk, &info, &mut a);
        RustCrypto::hkdf_expand_sha512(&prk, &info, &mut b);
        prop_assert_eq!(a, b);
        prop_assert_eq!(AwsLc::hmac_sha256(&prk, &info), RustCrypto::hmac_sha256(&prk, &info));
    }

    #[test]
    fn weak_looking_signatures_get_the_same_verdict(mut signature: [u8; 64], public: [u8; 32], zeroes in 0usize..64) {
        signature[zeroes..].fill(0);
        prop_assert_eq!(
            signing::verify_strict::<AwsLc>(&public, b"message", &signature),
            signing::verify_strict::<RustCrypto>(&public, b"message", &signature)
        );
    }
}
