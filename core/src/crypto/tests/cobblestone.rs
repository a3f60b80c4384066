//! Cobblestone beyond the published vectors: boundaries, and every way to damage a message.

use proptest::prelude::*;

use super::on_every_backend;
use crate::crypto::OpenError;
use crate::crypto::backend::Backend;
use crate::crypto::cobblestone::{
    CHUNK_BYTES, HEAD_BYTES, SEALED_CHUNK_BYTES, StreamOn, TAG_BYTES, chunk_count, plain_len, sealed_len,
};
use crate::crypto::keys::{InfoKey, PayloadKey};
use crate::crypto::random::{Random, TestRandom};

on_every_backend!(
    messages_around_chunk_boundaries_round_trip,
    every_flipped_bit_is_noticed,
    every_truncation_and_extension_is_noticed,
    chunks_open_in_any_order_and_nowhere_else,
    a_head_opens_under_one_key_and_context_only,
);

fn message(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    TestRandom::new(len as u64).fill(&mut bytes);
    bytes
}

fn key() -> InfoKey {
    InfoKey::generate(&mut TestRandom::new(7))
}

fn messages_around_chunk_boundaries_round_trip<B: Backend>() {
    for boundary in [0, CHUNK_BYTES, 2 * CHUNK_BYTES, 5 * CHUNK_BYTES] {
        for len in boundary.saturating_sub(2)..=boundary + 2 {
            let plain = message(len);
            let sealed = StreamOn::<B>::seal(&key(), [9; 24], b"context", &plain);
            assert_eq!(sealed.len() as u64, sealed_len(len as u64));
            assert_eq!(plain_len(sealed.len() as u64), Some(len as u64));
            assert_eq!(*StreamOn::<B>::open(&key(), b"context", &sealed).unwrap(), plain);
        }
    }
}

fn every_flipped_bit_is_noticed<B: Backend>() {
    let sealed = StreamOn::<B>::seal(&key(), [9; 24], b"context", b"a short message");
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut altered = sealed.clone();
            altered[at] ^= 1 << bit;
            assert_eq!(
                StreamOn::<B>::open(&key(), b"context", &altered),
                Err(OpenError),
                "byte {at} bit {bit}"
            );
        }
    }
}

fn every_truncation_and_extension_is_noticed<B: Backend>() {
    let short = StreamOn::<B>::seal(&key(), [9; 24], b"", b"a short message");
    for len in 0..short.len() {
        assert_eq!(StreamOn::<B>::open(&key(), b"", &short[..len]), Err(OpenError), "cut to {len}");
    }
    let long = StreamOn::<B>::seal(&key(), [9; 24], b"", &message(2 * CHUNK_BYTES));
    let first_end = HEAD_BYTES + SEALED_CHUNK_BYTES;
    for len in [first_end, first_end + 1, first_end + TAG_BYTES, long.len() - TAG_BYTES, long.len() - 1] {
        assert_eq!(StreamOn::<B>::open(&key(), b"", &long[..len]), Err(OpenError), "cut to {len}");
    }
    for extra in [1, TAG_BYTES, SEALED_CHUNK_BYTES] {
        let extended = [long.as_slice(), &vec![0; extra]].concat();
        assert_eq!(StreamOn::<B>::open(&key(), b"", &extended), Err(OpenError), "{extra} more");
    }
}

fn chunks_open_in_any_order_and_nowhere_else<B: Backend>() {
    let plain = message(3 * CHUNK_BYTES + 5);
    let sealed = StreamOn::<B>::seal(&key(), [9; 24], b"", &plain);
    let (head, chunks) = sealed.split_first_chunk().unwrap();
    let stream = StreamOn::<B>::to_open(&key(), head, b"").unwrap();
    for index in [2, 0, 3, 1] {
        let chunk = chunks.chunks(SEALED_CHUNK_BYTES).nth(index).unwrap();
        let text = plain.chunks(CHUNK_BYTES).nth(index).unwrap();
        assert_eq!(stream.open_chunk(index as u64, &mut chunk.to_vec()).unwrap(), text);
        for elsewhere in [index as u64 + 1, index as u64 ^ 2, 1 << 37, 1 << 38, u64::MAX] {
            assert_eq!(stream.open_chunk(elsewhere, &mut chunk.to_vec()), Err(OpenError));
        }
    }
}

/// No ciphertext opens under two keys: the head commits to key and context.
fn a_head_opens_under_one_key_and_context_only<B: Backend>() {
    let (_, head) = StreamOn::<B>::to_seal(&key(), [9; 24], b"context");
    assert!(StreamOn::<B>::to_open(&key(), &head, b"context").is_ok());
    assert!(StreamOn::<B>::to_open(&key(), &head, b"context\0").is_err());
    assert!(StreamOn::<B>::to_open(&InfoKey::generate(&mut TestRandom::new(8)), &head, b"context").is_err());
}

#[test]
fn impossible_lengths_have_no_plaintext() {
    for len in [0, 55, 56, 71, 56 + SEALED_CHUNK_BYTES as u64, 56 + SEALED_CHUNK_BYTES as u64 + 15] {
        assert_eq!(plain_len(len), None, "{len}");
    }
    assert_eq!(plain_len(72), Some(0));
}

proptest! {
    #[test]
    fn lengths_agree(plain in 0u64..1 << 46) {
        prop_assert_eq!(plain_len(sealed_len(plain)), Some(plain));
        prop_assert!(chunk_count(plain) * CHUNK_BYTES as u64 > plain);
    }

    #[test]
    fn messages_round_trip(chunks in 0usize..3, near in 0usize..40, seed: u64, context: Vec<u8>) {
        let plain = message((chunks * CHUNK_BYTES + near).saturating_sub(20));
        let mut rng = TestRandom::new(seed);
        let key = PayloadKey::generate(&mut rng);
        let sealed = crate::crypto::cobblestone::seal(&key, &mut rng, &context, &plain);
        prop_assert_eq!(&*crate::crypto::cobblestone::open(&key, &context, &sealed).unwrap(), &plain);
    }
}
