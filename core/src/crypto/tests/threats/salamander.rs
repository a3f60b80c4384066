//! Row 10: one ciphertext, two keys. AES-GCM alone does not commit to its key: whoever knows two keys makes a ciphertext
//! that is authentic under both ("salamander", Dodis et al. 2018; "partitioning oracle", Len et al. 2021). Cobblestone's
//! commitment does.
//!
//! A tag is linear in the ciphertext (NIST SP 800-38D section 6.4): with blocks C₁ … Cₘ and hash key H,
//! T = E(J₀) ⊕ C₁·Hᵐ⁺¹ ⊕ … ⊕ Cₘ·H² ⊕ L·H. Two tags are equal for one choice of C₁, whatever the other blocks are.

use crate::crypto::backend::Backend;
use crate::crypto::cobblestone::{HEAD_BYTES, SALT_BYTES, StreamOn, TAG_BYTES};
use crate::crypto::keys::{AccountMasterKey, Key, PasswordKek, open_key, purpose};
use crate::crypto::tests::on_every_backend;

on_every_backend!(row_10_a_ciphertext_with_two_keys, row_10_a_message_with_two_keys);

const BLOCK_BYTES: usize = 16;

/// An element of GF(2¹²⁸) in the bit order of GCM: the coefficient of x⁰ is the first bit (section 6.3).
type Element = u128;
const ONE: Element = 1 << 127;
/// x¹²⁸ = 1 + x + x² + x⁷ (section 6.3).
const R: Element = 0xe1 << 120;

/// Section 6.3, algorithm 1.
fn multiply(x: Element, y: Element) -> Element {
    let (mut product, mut shifted) = (0, y);
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            product ^= shifted;
        }
        shifted = (shifted >> 1) ^ if shifted & 1 == 1 { R } else { 0 };
    }
    product
}

fn power(base: Element, exponent: u128) -> Element {
    (0..128).rev().fold(ONE, |power, bit| {
        let square = multiply(power, power);
        if exponent >> bit & 1 == 1 { multiply(square, base) } else { square }
    })
}

/// x⁻¹ = x^(2¹²⁸ − 2), as the group has 2¹²⁸ − 1 elements.
fn invert(x: Element) -> Element {
    power(x, u128::MAX - 1)
}

/// The block of lengths that a hash ends with: no associated data, then the ciphertext, in bits (section 7.1).
fn length_block(ciphertext: &[u8]) -> Element {
    ciphertext.len() as u128 * 8
}

/// GHASH without its last block, that of lengths: the sum of what each block adds.
fn hash_blocks(h: Element, ciphertext: &[u8]) -> Element {
    let blocks = ciphertext.chunks(BLOCK_BYTES).map(|block| {
        let mut padded = [0; BLOCK_BYTES];
        padded[..block.len()].copy_from_slice(block);
        u128::from_be_bytes(padded)
    });
    multiply(blocks.fold(0, |hash, block| multiply(hash ^ block, h)), h)
}

/// What a key and a nonce add to a tag.
#[derive(Clone, Copy)]
struct TagKey {
    h: Element,
    /// E(J₀), which hides the hash.
    mask: Element,
}

impl TagKey {
    /// Finds both with the sealing operation alone: it encrypts in place and returns the tag.
    fn of(seal: impl Fn(&mut [u8]) -> [u8; TAG_BYTES]) -> Self {
        let mask = u128::from_be_bytes(seal(&mut []));
        // Zeroes seal to the key stream, and the key stream to zeroes, of which only the lengths are left in the hash.
        let mut block = [0; BLOCK_BYTES];
        seal(&mut block);
        let tag = u128::from_be_bytes(seal(&mut block));
        assert_eq!(block, [0; BLOCK_BYTES]);
        Self { h: multiply(tag ^ mask, invert(length_block(&block))), mask }
    }

    fn tag(self, ciphertext: &[u8]) -> Element {
        self.mask ^ hash_blocks(self.h, ciphertext) ^ multiply(length_block(ciphertext), self.h)
    }
}

/// A ciphertext of `len` bytes and its tag, authentic under both. All but its first block could be chosen freely.
fn salamander(one: TagKey, other: TagKey, len: usize) -> Vec<u8> {
    let mut crafted: Vec<u8> = (0u8..=255).cycle().take(len).collect();
    crafted[..BLOCK_BYTES].fill(0);
    let exponent = len.div_ceil(BLOCK_BYTES) as u128 + 1;
    let slope = power(one.h, exponent) ^ power(other.h, exponent);
    let first = multiply(one.tag(&crafted) ^ other.tag(&crafted), invert(slope));
    crafted[..BLOCK_BYTES].copy_from_slice(&first.to_be_bytes());
    let tag = one.tag(&crafted);
    assert_eq!(tag, other.tag(&crafted));
    crafted.extend_from_slice(&tag.to_be_bytes());
    crafted
}

#[test]
fn the_field_is_that_of_gcm() {
    // Test case 2 of the GCM specification (McGrew and Viega, appendix B): GHASH of one block under H.
    let h = 0x66e9_4bd4_ef8a_2c3b_884c_fa59_ca34_2b2e;
    let block = 0x0388_dace_60b6_a392_f328_c2b9_71b2_fe78_u128.to_be_bytes();
    let hash = hash_blocks(h, &block) ^ multiply(length_block(&block), h);
    assert_eq!(hash, 0xf38c_bb1a_d692_23dc_c345_7ae5_b6b0_f885);
    assert_eq!(multiply(h, ONE), h);
    assert_eq!(multiply(h, invert(h)), ONE);
}

fn row_10_a_ciphertext_with_two_keys<B: Backend>() {
    let nonce = [3; 12];
    let keys = [B::aead(&[1; 32]), B::aead(&[2; 32])];
    let [one, other] = keys.each_ref().map(|key| TagKey::of(|data| B::aead_seal(key, nonce, data)));
    for len in [16, 32, 100, 4096] {
        let crafted = salamander(one, other, len);
        let [opened_by_one, opened_by_other] =
            keys.each_ref().map(|key| B::aead_open(key, nonce, &mut crafted.clone()).unwrap().to_vec());
        assert_ne!(opened_by_one, opened_by_other, "two meanings of {len} bytes");
        let mut altered = crafted;
        altered[len] ^= 1;
        for key in &keys {
            assert!(B::aead_open(key, nonce, &mut altered.clone()).is_err());
        }
    }
}

/// A key and a context, either of which makes another stream.
struct Reader<'a> {
    key: PasswordKek,
    context: &'a [u8],
}

impl Reader<'_> {
    fn new(key: u8, context: &[u8]) -> Reader<'_> {
        Reader { key: Key::from_bytes(&[key; 32]), context }
    }

    /// The stream and the head that belong to a salt. Taking the stream without comparing heads is what a naive reader
    /// does.
    fn stream<B: Backend>(&self, salt: [u8; SALT_BYTES]) -> (StreamOn<B>, [u8; HEAD_BYTES]) {
        StreamOn::to_seal(&self.key, salt, self.context)
    }

    fn tag_key<B: Backend>(&self, salt: [u8; SALT_BYTES]) -> TagKey {
        let (stream, _) = self.stream::<B>(salt);
        TagKey::of(|data| {
            let mut chunk = [&*data, &[0; TAG_BYTES]].concat();
            stream.seal_chunk(0, &mut chunk);
            let (text, tag) = chunk.split_last_chunk().unwrap();
            data.copy_from_slice(text);
            *tag
        })
    }

    fn naively_opens<B: Backend>(&self, sealed: &[u8]) -> bool {
        let (salt, rest) = sealed.split_first_chunk().unwrap();
        let mut chunk = rest[HEAD_BYTES - SALT_BYTES..].to_vec();
        self.stream::<B>(*salt).0.open_chunk(0, &mut chunk).is_ok()
    }

    fn opens<B: Backend>(&self, sealed: &[u8]) -> bool {
        let opened = StreamOn::<B>::open(&self.key, self.context, sealed).is_ok();
        // A sealed key is opened by a function of its own; only a message of that size is one.
        let as_key = open_key::<_, purpose::AccountMaster>(&self.key, self.context, sealed)
            .is_ok_and(|_: AccountMasterKey| true);
        assert!(!as_key || opened);
        opened
    }
}

/// The writer knows both keys (two guesses of a password, say), and chooses salt, chunk and commitment.
fn row_10_a_message_with_two_keys<B: Backend>() {
    let pairs = [
        [Reader::new(1, b"context"), Reader::new(2, b"context")],
        // A key that is the right one opens nothing under a second context either.
        [Reader::new(1, b"context"), Reader::new(1, b"another")],
    ];
    for readers in pairs {
        // 32 bytes are a sealed key.
        for (salt, len) in [([4; SALT_BYTES], 32), ([5; SALT_BYTES], 16), ([6; SALT_BYTES], 1000)] {
            let [one, other] = readers.each_ref().map(|reader| reader.tag_key::<B>(salt));
            let chunk = salamander(one, other, len);
            let heads = readers.each_ref().map(|reader| reader.stream::<B>(salt).1);
            for (at, head) in heads.iter().enumerate() {
                let sealed = [head.as_slice(), &chunk].concat();
                assert!(readers.iter().all(|reader| reader.naively_opens::<B>(&sealed)), "the attack works");
                let opens = readers.each_ref().map(|reader| reader.opens::<B>(&sealed));
                assert_eq!(opens, [at == 0, at == 1], "{len} bytes under the commitment of {at}");
            }
            // Nor does a commitment made of both serve either.
            let halves = [&heads[0][..HEAD_BYTES - 16], &heads[1][HEAD_BYTES - 16..], &chunk].concat();
            assert_eq!(readers.each_ref().map(|reader| reader.opens::<B>(&halves)), [false; 2]);
        }
    }
}
