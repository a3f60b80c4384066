//! Cobblestone-256: C2SP chunked encryption v1 (c2sp.org/chunked-encryption) with AES-256-GCM and
//! HKDF-Expand-SHA-512.
//!
//! A sealed message is `salt 24 ‖ commitment 32 ‖ chunks`: 16 KiB of plaintext each, 16 bytes longer sealed, the last
//! one always short and possibly empty. Chunks are sealed and opened in place, in any order and on any thread.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::OpenError;
use super::backend::{Active, Backend, KEY_BYTES, NONCE_BYTES};
use super::keys::{Key, purpose::Seals};
use super::random::{Random, random_array};

/// Plaintext bytes of every chunk but the last.
pub const CHUNK_BYTES: usize = 16_384;
/// Bytes that sealing adds to a chunk.
pub const TAG_BYTES: usize = super::backend::TAG_BYTES;
/// Bytes of a full sealed chunk.
pub const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
/// Bytes of the salt, which must never repeat under one key.
pub const SALT_BYTES: usize = 24;
/// Bytes before the first chunk: salt and commitment.
pub const HEAD_BYTES: usize = SALT_BYTES + COMMITMENT_BYTES;
/// The message has fewer chunks than this (section "Message chunking").
pub const MAX_CHUNKS: u64 = 1 << 38;

const COMMITMENT_BYTES: usize = 32;
/// Start of the derivation's info (section "Key derivation"), with the AEAD's IANA name.
const INFO_PREFIX: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// Bytes that a message of `plain` bytes has when sealed.
#[must_use]
pub const fn sealed_len(plain: u64) -> u64 {
    HEAD_BYTES as u64 + plain + TAG_BYTES as u64 * chunk_count(plain)
}

/// Bytes of plaintext in a sealed message of `sealed` bytes; `None` if no message has that length.
#[must_use]
pub const fn plain_len(sealed: u64) -> Option<u64> {
    let Some(chunks) = sealed.checked_sub(HEAD_BYTES as u64) else { return None };
    match (chunks % SEALED_CHUNK_BYTES as u64).checked_sub(TAG_BYTES as u64) {
        Some(last) => Some(chunks / SEALED_CHUNK_BYTES as u64 * CHUNK_BYTES as u64 + last),
        None => None,
    }
}

/// Number of chunks of a message of `plain` bytes: at least one, the last one short.
#[must_use]
pub const fn chunk_count(plain: u64) -> u64 {
    plain / CHUNK_BYTES as u64 + 1
}

/// One message's derived key: seals or opens its chunks.
///
/// Whoever seals must use each index once; whoever opens must check the message's length ([`plain_len`]) and that
/// the last chunk is short, as [`open`] does.
pub type Stream = StreamOn<Active>;

/// A [`Stream`] on a given cipher library.
pub struct StreamOn<B: Backend> {
    aead: B::Aead,
    base_nonce: [u8; NONCE_BYTES],
}

impl<B: Backend> StreamOn<B> {
    /// Starts a message, returning its first [`HEAD_BYTES`] bytes. `salt` must never repeat under one key.
    #[must_use]
    pub fn to_seal<P: Seals>(
        key: &Key<P>,
        salt: [u8; SALT_BYTES],
        context: &[u8],
    ) -> (Self, [u8; HEAD_BYTES]) {
        let (stream, commitment) = Self::derive(key, &salt, context);
        let mut head = [0; HEAD_BYTES];
        head[..SALT_BYTES].copy_from_slice(&salt);
        head[SALT_BYTES..].copy_from_slice(&commitment);
        (stream, head)
    }

    /// Starts opening a message from its first bytes. The commitment is compared in constant time, so that a head
    /// opens under one key and context only.
    ///
    /// # Errors
    /// [`OpenError`] if `head` was made with another key or context, or altered.
    pub fn to_open<P: Seals>(
        key: &Key<P>,
        head: &[u8; HEAD_BYTES],
        context: &[u8],
    ) -> Result<Self, OpenError> {
        let (salt, commitment) = head.split_first_chunk().expect("a head is longer than a salt");
        let (stream, expected) = Self::derive(key, salt, context);
        if bool::from(expected.ct_eq(commitment)) { Ok(stream) } else { Err(OpenError) }
    }

    /// Seals chunk `index` in place. `chunk` is the plaintext followed by [`TAG_BYTES`] bytes of room: full for every
    /// chunk but the last, shorter for the last.
    ///
    /// # Panics
    /// If `chunk` is not between [`TAG_BYTES`] and [`SEALED_CHUNK_BYTES`] long or `index` is not below [`MAX_CHUNKS`].
    pub fn seal_chunk(&self, index: u64, chunk: &mut [u8]) {
        assert!(
            chunk.len() <= SEALED_CHUNK_BYTES && index < MAX_CHUNKS,
            "chunk outside of a message's bounds"
        );
        let (text, room) = chunk.split_last_chunk_mut::<TAG_BYTES>().expect("a chunk has room for its tag");
        *room = B::aead_seal(&self.aead, self.nonce(index), text);
    }

    /// Opens chunk `index` in place, returning its plaintext at the start of `chunk`. After an error the content of
    /// `chunk` is unspecified.
    ///
    /// # Errors
    /// [`OpenError`] if this is not that chunk of this message, unaltered.
    pub fn open_chunk<'a>(&self, index: u64, chunk: &'a mut [u8]) -> Result<&'a mut [u8], OpenError> {
        if chunk.len() > SEALED_CHUNK_BYTES || chunk.len() < TAG_BYTES || index >= MAX_CHUNKS {
            return Err(OpenError);
        }
        B::aead_open(&self.aead, self.nonce(index), chunk)
    }

    fn derive<P: Seals>(
        key: &Key<P>,
        salt: &[u8; SALT_BYTES],
        context: &[u8],
    ) -> (Self, [u8; COMMITMENT_BYTES]) {
        let mut derived = Zeroizing::new([0u8; KEY_BYTES + NONCE_BYTES + COMMITMENT_BYTES]);
        B::hkdf_expand_sha512(key.bytes(), &[INFO_PREFIX, salt, context], &mut *derived);
        let (key, rest) = derived.split_first_chunk().expect("the key comes first");
        let (base_nonce, commitment) = rest.split_first_chunk().expect("then the base nonce");
        let stream = Self { aead: B::aead(key), base_nonce: *base_nonce };
        (stream, commitment.try_into().expect("then the commitment"))
    }

    /// The base nonce XOR the chunk's number as a big-endian integer (section "AEAD usage").
    fn nonce(&self, index: u64) -> [u8; NONCE_BYTES] {
        let mut nonce = self.base_nonce;
        for (byte, number) in nonce[NONCE_BYTES - 8..].iter_mut().zip(index.to_be_bytes()) {
            *byte ^= number;
        }
        nonce
    }

    /// Seals a whole message.
    pub(super) fn seal<P: Seals>(
        key: &Key<P>,
        salt: [u8; SALT_BYTES],
        context: &[u8],
        plaintext: &[u8],
    ) -> Vec<u8> {
        let (stream, head) = Self::to_seal(key, salt, context);
        let chunk_count = plaintext.len() / CHUNK_BYTES + 1;
        let mut sealed = Vec::with_capacity(HEAD_BYTES + plaintext.len() + chunk_count * TAG_BYTES);
        sealed.extend_from_slice(&head);
        for index in 0..chunk_count {
            let start = sealed.len();
            let text = &plaintext[index * CHUNK_BYTES..];
            sealed.extend_from_slice(&text[..text.len().min(CHUNK_BYTES)]);
            sealed.extend_from_slice(&[0; TAG_BYTES]);
            stream.seal_chunk(index as u64, &mut sealed[start..]);
        }
        sealed
    }

    /// Opens a whole message.
    pub(super) fn open<P: Seals>(
        key: &Key<P>,
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        // Truncation at a chunk's end and extension show in the length alone: the last chunk is short.
        plain_len(sealed.len() as u64).ok_or(OpenError)?;
        let (head, chunks) = sealed.split_first_chunk().ok_or(OpenError)?;
        let stream = Self::to_open(key, head, context)?;
        let mut opened = Zeroizing::new(chunks.to_vec());
        let mut length = 0;
        let mut start = 0;
        for index in 0.. {
            let end = chunks.len().min(start + SEALED_CHUNK_BYTES);
            let text = stream.open_chunk(index, &mut opened[start..end])?.len();
            opened.copy_within(start..start + text, length);
            length += text;
            start = end;
            if text < CHUNK_BYTES {
                break;
            }
        }
        opened.truncate(length);
        Ok(opened)
    }
}

/// Seals a whole small message with a random salt.
#[must_use]
pub fn seal<P: Seals>(
    key: &Key<P>,
    rng: &mut (impl Random + ?Sized),
    context: &[u8],
    plaintext: &[u8],
) -> Vec<u8> {
    Stream::seal(key, random_array(rng), context, plaintext)
}

/// Opens a whole small message, refusing one that was cut short or extended.
///
/// # Errors
/// [`OpenError`] if the key or context is another, or anything was altered. No plaintext is returned before every
/// chunk has been checked.
pub fn open<P: Seals>(key: &Key<P>, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    Stream::open(key, context, sealed)
}
