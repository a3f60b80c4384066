//! PAYLOAD: the content, in chunks that are sealed and opened in place, in runs, on all cores.

use rayon::prelude::*;

use super::HeaderError;
use super::header::{OpenedHeader, open_header};
use super::key_source::FileKeySource;
use crate::crypto::ContentHasher;
use crate::crypto::cobblestone::{
    CHUNK_BYTES, HEAD_BYTES, SEALED_CHUNK_BYTES, Stream, TAG_BYTES, chunk_count,
};

/// Chunks of a run: what is read, sealed and written at a time.
pub const RUN_CHUNKS: u64 = 64;
/// Bytes of plaintext of a run: 1 MiB.
#[expect(clippy::cast_possible_truncation, reason = "64")]
pub const RUN_LEN: usize = RUN_CHUNKS as usize * CHUNK_BYTES;
/// Up to so many chunks, handing them to other threads costs more than it saves.
const FEW_CHUNKS: usize = 4;
/// From so many bytes on, BLAKE3 is worth several threads.
const PARALLEL_HASH_LEN: usize = 128 << 10;

/// The payload is not the one that was signed, or not whole. At first it counts as still arriving, whatever its
/// length, as a cloud client may write a file's blocks in any order (engine rule 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the content is damaged, forged or not whole")]
pub struct PayloadError;

/// Where the chunks of a payload lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Bytes of content.
    pub size: u64,
    /// Bytes of content and padding.
    pub padded_len: u64,
}

impl Shape {
    pub const fn chunk_count(self) -> u64 {
        chunk_count(self.padded_len)
    }

    /// Bytes of plaintext, padding included, in the run that begins at `first_chunk`.
    pub fn run_len(self, first_chunk: u64) -> usize {
        Self::part(self.padded_len, first_chunk)
    }

    /// Bytes of content in the run that begins at `first_chunk`.
    pub fn data_len(self, first_chunk: u64) -> usize {
        Self::part(self.size, first_chunk)
    }

    /// Chunks of the run that begins at `first_chunk`.
    pub fn run_chunks(self, first_chunk: u64) -> u64 {
        self.chunk_count().saturating_sub(first_chunk).min(RUN_CHUNKS)
    }

    /// Bytes of ciphertext of the run that begins at `first_chunk`.
    pub fn sealed_run_len(self, first_chunk: u64) -> usize {
        let chunks = usize::try_from(self.run_chunks(first_chunk)).unwrap_or(0);
        self.run_len(first_chunk) + chunks * TAG_BYTES
    }

    fn part(len: u64, first_chunk: u64) -> usize {
        let start = first_chunk.saturating_mul(CHUNK_BYTES as u64);
        usize::try_from(len.saturating_sub(start)).unwrap_or(usize::MAX).min(RUN_LEN)
    }
}

/// Adds `bytes` to the digest, on all cores where that pays.
pub(crate) fn hash(hasher: &mut ContentHasher, bytes: &[u8]) {
    if bytes.len() >= PARALLEL_HASH_LEN { hasher.update_parallel(bytes) } else { hasher.update(bytes) }
}

/// Seals a run in place: `run` holds its plaintext and is lengthened by one tag for each of `chunks` chunks.
pub(crate) fn seal_run(stream: &Stream, first_chunk: u64, chunks: usize, run: &mut Vec<u8>) {
    let plain_len = run.len();
    run.resize(plain_len + chunks * TAG_BYTES, 0);
    // From the last chunk to the first, so that none is overwritten before it has moved.
    for index in (1..chunks).rev() {
        let from = index * CHUNK_BYTES;
        run.copy_within(from..plain_len.min(from + CHUNK_BYTES), index * SEALED_CHUNK_BYTES);
    }
    let seal = |(index, chunk): (usize, &mut [u8])| stream.seal_chunk(first_chunk + index as u64, chunk);
    if chunks > FEW_CHUNKS {
        run.par_chunks_mut(SEALED_CHUNK_BYTES).enumerate().for_each(seal);
    } else {
        run.chunks_mut(SEALED_CHUNK_BYTES).enumerate().for_each(seal);
    }
}

/// Opens a run in place and shortens it to its plaintext.
fn open_run(stream: &Stream, first_chunk: u64, run: &mut Vec<u8>) -> Result<(), PayloadError> {
    let chunks = run.len().div_ceil(SEALED_CHUNK_BYTES);
    let open = |(index, chunk): (usize, &mut [u8])| {
        stream.open_chunk(first_chunk + index as u64, chunk).map(drop).map_err(|_| PayloadError)
    };
    if chunks > FEW_CHUNKS {
        run.par_chunks_mut(SEALED_CHUNK_BYTES).enumerate().try_for_each(open)?;
    } else {
        run.chunks_mut(SEALED_CHUNK_BYTES).enumerate().try_for_each(open)?;
    }
    let plain_len = run.len() - chunks * TAG_BYTES;
    for index in 1..chunks {
        let (from, to) = (index * SEALED_CHUNK_BYTES, index * CHUNK_BYTES);
        run.copy_within(from..from + CHUNK_BYTES.min(plain_len - to), to);
    }
    run.truncate(plain_len);
    Ok(())
}

/// Opens a payload, run by run. Nothing of it may be shown before [`finish`](Self::finish) has said that the content
/// is the one that was signed.
///
/// Run `n` begins at chunk `n ×` [`RUN_CHUNKS`] and lies at [`offset`](Self::offset) in the file.
pub struct OpenPayload<'a> {
    header: &'a OpenedHeader,
    stream: Stream,
    shape: Shape,
    hasher: ContentHasher,
    next_chunk: u64,
}

impl<'a> OpenPayload<'a> {
    /// Starts. The payload's head was checked with the header.
    ///
    /// # Errors
    /// [`PayloadError`] where it was not made with this file's key.
    pub fn new(header: &'a OpenedHeader) -> Result<Self, PayloadError> {
        let statement = &header.statement;
        let context = header.prefix.payload_binding();
        let stream = Stream::to_open(&header.subkeys.payload, &statement.payload_head, &context)
            .map_err(|_| PayloadError)?;
        // What a tombstone says of sizes is about the content that is gone.
        let size = if statement.kind.has_payload() { statement.size } else { 0 };
        let shape = Shape { size, padded_len: statement.padded_len };
        Ok(Self { header, stream, shape, hasher: ContentHasher::new(), next_chunk: 0 })
    }

    /// Number of chunks, at least one.
    #[must_use]
    pub const fn chunk_count(&self) -> u64 {
        self.shape.chunk_count()
    }

    /// Where chunk `chunk` lies in the file.
    #[must_use]
    pub const fn offset(&self, chunk: u64) -> u64 {
        (self.header.header_len + HEAD_BYTES) as u64 + chunk * SEALED_CHUNK_BYTES as u64
    }

    /// Bytes of ciphertext of the run that begins at `first_chunk`: so many to read at its offset.
    #[must_use]
    pub fn sealed_run_len(&self, first_chunk: u64) -> usize {
        self.shape.sealed_run_len(first_chunk)
    }

    /// Bytes of ciphertext of the run that comes next; 0 after the last.
    #[must_use]
    pub fn next_run_len(&self) -> usize {
        self.shape.sealed_run_len(self.next_chunk)
    }

    /// Opens the run that begins at `first_chunk`, in place: any run, any number of times, on any thread. It is not
    /// part of what [`finish`](Self::finish) checks.
    ///
    /// # Errors
    /// [`PayloadError`]; what `run` then holds must not be used.
    pub fn open_run(&self, first_chunk: u64, run: &mut Vec<u8>) -> Result<(), PayloadError> {
        if self.shape.run_chunks(first_chunk) == 0 || run.len() != self.sealed_run_len(first_chunk) {
            return Err(PayloadError);
        }
        open_run(&self.stream, first_chunk, run)?;
        let data_len = self.shape.data_len(first_chunk);
        if run[data_len..].iter().any(|byte| *byte != 0) {
            return Err(PayloadError);
        }
        run.truncate(data_len);
        Ok(())
    }

    /// Opens the next run in place, leaving its content without padding, and adds it to the digest.
    ///
    /// # Errors
    /// [`PayloadError`]; what `run` then holds must not be used.
    pub fn open_next(&mut self, run: &mut Vec<u8>) -> Result<(), PayloadError> {
        self.open_run(self.next_chunk, run)?;
        hash(&mut self.hasher, run);
        self.next_chunk += self.shape.run_chunks(self.next_chunk);
        Ok(())
    }

    /// Checks that every run was opened by [`open_next`](Self::open_next), and that together they are the content
    /// that was signed.
    ///
    /// # Errors
    /// [`PayloadError`]: nothing of the content may be used.
    pub fn finish(self) -> Result<(), PayloadError> {
        let statement = &self.header.statement;
        let digest_holds =
            !statement.kind.has_payload() || statement.content_digest == Some(self.hasher.finish());
        if self.next_chunk == self.chunk_count() && digest_holds { Ok(()) } else { Err(PayloadError) }
    }
}

/// Opens a whole file that lies in memory.
///
/// # Errors
/// [`HeaderError::TooShort`] with the length that the file should have, [`HeaderError::Unauthentic`] for one that is
/// longer or whose payload fails, and what [`open_header`] refuses.
pub fn open_bytes(bytes: &[u8], keys: &impl FileKeySource) -> Result<(OpenedHeader, Vec<u8>), HeaderError> {
    open_whole(open_header(bytes, keys)?, bytes)
}

/// Opens the payload of a whole file whose header was opened.
pub(crate) fn open_whole(header: OpenedHeader, bytes: &[u8]) -> Result<(OpenedHeader, Vec<u8>), HeaderError> {
    if (bytes.len() as u64) < header.total_len {
        return Err(HeaderError::TooShort { needed: header.total_len });
    }
    if bytes.len() as u64 > header.total_len {
        return Err(HeaderError::Unauthentic);
    }
    let content = open_content(&header, &bytes[header.header_len + HEAD_BYTES..])
        .map_err(|PayloadError| HeaderError::Unauthentic)?;
    Ok((header, content))
}

fn open_content(header: &OpenedHeader, mut sealed: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let mut payload = OpenPayload::new(header)?;
    let mut content = Vec::new();
    let mut run = Vec::new();
    while !sealed.is_empty() {
        let (next, rest) = sealed.split_at_checked(payload.next_run_len()).ok_or(PayloadError)?;
        run.clear();
        run.extend_from_slice(next);
        payload.open_next(&mut run)?;
        content.extend_from_slice(&run);
        sealed = rest;
    }
    payload.finish()?;
    Ok(content)
}
