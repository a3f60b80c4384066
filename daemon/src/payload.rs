//! Streams payloads between files and the format, in runs of 1 MiB: constant memory at any size.

use std::cell::RefCell;

use ensafer_core::format::{OpenPayload, OpenedHeader, PREFIX_LEN, header_len};
use ensafer_core::plan::ProblemClass;

use crate::store::{StoreError, StoredObject};

thread_local! {
    /// One run and its tags, kept for the next file of the same thread.
    static RUN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the thread's buffer to `work`. Nested calls get a buffer of their own.
pub fn with_run<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut run = RUN.take();
    let result = work(&mut run);
    RUN.set(run);
    result
}

/// Bytes of a file's beginning that are read at once: nearly every header fits.
const FIRST_READ_BYTES: u64 = 4096;

/// Bytes of salt and commitment behind a header.
const HEAD_BYTES: usize = ensafer_core::crypto::cobblestone::HEAD_BYTES;

/// Reads the beginning of `file`, of `length` bytes: header and payload head, or as much as there is.
///
/// # Errors
/// What the store says. A file that ends early, or is no `.ensafer` file, is no error: the format says so when the
/// bytes are opened.
pub fn read_head(file: &dyn StoredObject, length: u64) -> Result<Vec<u8>, StoreError> {
    let mut bytes = read_to(file, Vec::new(), length.min(FIRST_READ_BYTES))?;
    let Some(prefix) = bytes.get(..PREFIX_LEN) else { return Ok(bytes) };
    if let Ok(header) = header_len(prefix) {
        let wanted = ((header + HEAD_BYTES) as u64).min(length);
        bytes = read_to(file, bytes, wanted)?;
    }
    Ok(bytes)
}

/// Lengthens `bytes`, the beginning of `file`, to `end` bytes, if it has fewer.
fn read_to(file: &dyn StoredObject, mut bytes: Vec<u8>, end: u64) -> Result<Vec<u8>, StoreError> {
    let start = bytes.len();
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    if end > start {
        bytes.resize(end, 0);
        file.read_exact_at(start as u64, &mut bytes[start..])?;
    }
    Ok(bytes)
}

/// A payload could not be handed on.
#[derive(Debug, thiserror::Error)]
pub enum PayloadFailure<E> {
    /// It is not the one that was signed, or not whole.
    #[error("the content is damaged, forged or not whole")]
    Unauthentic(ProblemClass),
    /// The encrypted folder refused.
    #[error(transparent)]
    Store(StoreError),
    /// Whoever takes the content refused.
    #[error("the content could not be taken")]
    Sink(E),
    /// It was given up.
    #[error("interrupted")]
    Cancelled,
}

/// Opens the payload of `file`, gives it to `sink` run by run (offset and bytes), and checks that it is the content
/// that was signed. Until this returns `Ok`, what `sink` was given must not be used.
pub fn open_payload<E>(
    file: &dyn StoredObject,
    header: &OpenedHeader,
    cancelled: impl Fn() -> bool,
    mut sink: impl FnMut(u64, &[u8]) -> Result<(), E>,
) -> Result<(), PayloadFailure<E>> {
    let unauthentic = |_| PayloadFailure::Unauthentic(ProblemClass::StillArriving);
    let mut payload = OpenPayload::new(header).map_err(unauthentic)?;
    let mut chunk = 0;
    let mut written = 0;
    with_run(|run| {
        while payload.next_run_len() > 0 {
            if cancelled() {
                return Err(PayloadFailure::Cancelled);
            }
            run.clear();
            run.resize(payload.next_run_len(), 0);
            file.read_exact_at(payload.offset(chunk), run).map_err(store_failure)?;
            payload.open_next(run).map_err(unauthentic)?;
            if !run.is_empty() {
                sink(written, run).map_err(PayloadFailure::Sink)?;
            }
            written += run.len() as u64;
            chunk += ensafer_core::format::RUN_CHUNKS;
        }
        payload.finish().map_err(unauthentic)
    })
}

/// A file that ends early is still arriving; anything else is the store's trouble.
fn store_failure<E>(error: StoreError) -> PayloadFailure<E> {
    match &error {
        StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::UnexpectedEof => {
            PayloadFailure::Unauthentic(ProblemClass::StillArriving)
        }
        _ => PayloadFailure::Store(error),
    }
}
