//! Content digests.

use std::cell::Cell;
use std::fs::File;

use ensafer_core::ids::Digest;
use ensafer_core::tree::Stamp;

use crate::platform::FileExt;
use crate::work_dir::{WorkDir, WorkError, stamp_of};

/// Bytes read at once.
const RUN_BYTES: usize = 1024 * 1024;
/// Files from this size on are hashed on all cores.
const LARGE_BYTES: u64 = 8 * 1024 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// BLAKE3 of a file, read in runs of 1 MiB; [`WorkError::Changed`] unless it is `expected` before and after.
pub fn hash_file(dir: &WorkDir, path: &str, expected: &Stamp) -> Result<Digest, WorkError> {
    let file = dir.open_file(path)?;
    // Taken, not borrowed: while the cores share this file, this thread may begin with another.
    let mut buffer = BUFFER.take();
    buffer.resize(RUN_BYTES, 0);
    let digest = if_unchanged(&file, path, expected, |file| hash(file, expected.size, &mut buffer));
    BUFFER.set(buffer);
    digest
}

/// What `read` finds in the file, if that is the expected one before and after.
fn if_unchanged(
    file: &File,
    path: &str,
    expected: &Stamp,
    read: impl FnOnce(&File) -> std::io::Result<Option<Digest>>,
) -> Result<Digest, WorkError> {
    let io = |source| WorkError::io(path, source);
    let is_expected = || stamp_of(file).map(|stamp| stamp == *expected).map_err(io);
    let changed = || WorkError::Changed { path: path.to_owned() };
    if !is_expected()? {
        return Err(changed());
    }
    match read(file).map_err(io)? {
        Some(digest) if is_expected()? => Ok(digest),
        _ => Err(changed()),
    }
}

/// `None` where the file is shorter or longer than expected.
fn hash(file: &File, size: u64, buffer: &mut [u8]) -> std::io::Result<Option<Digest>> {
    let mut hasher = blake3::Hasher::new();
    let mut offset = 0;
    loop {
        let read = match file.read_at(buffer, offset) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if read == 0 {
            let digest = Digest::new(*hasher.finalize().as_bytes());
            return Ok((offset == size).then_some(digest));
        }
        if size < LARGE_BYTES {
            hasher.update(&buffer[..read]);
        } else {
            hasher.update_rayon(&buffer[..read]);
        }
        offset += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_while_it_is_read_has_no_digest() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("f");
        std::fs::write(&path, b"one").unwrap();
        let file = File::open(&path).unwrap();
        let expected = stamp_of(&file).unwrap();
        let read = |file: &File| hash(file, 3, &mut [0; 8]);
        if_unchanged(&file, "f", &expected, read).unwrap();
        let changed = if_unchanged(&file, "f", &expected, |file| {
            let digest = read(file);
            std::fs::write(&path, b"two, and longer")?;
            digest
        });
        assert!(matches!(changed, Err(WorkError::Changed { .. })), "{changed:?}");
    }
}
