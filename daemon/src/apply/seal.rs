//! Seals one version into a temporary file of the encrypted folder.

use std::sync::Arc;

use ensafer_core::crypto::SystemRandom;
use ensafer_core::format::{FileSeal, SealError, SealedHeader, Statement, rewrite_info, seal_bytes};
use ensafer_core::ids::StatementHash;
use ensafer_core::plan::{ProblemClass, Source};
use ensafer_core::tree::{Content, NodeId, Object, StoreKey};

use super::fetch::{open_version, seen_version};
use super::{Failure, RUN_BYTES, Scene, describe};
use crate::payload::with_run;
use crate::platform::{FileExt, is_open_for_writing};
use crate::store::StagedObject;
use crate::work_dir::{WorkError, stamp_of};

/// A version in a temporary file.
pub struct Sealed {
    /// The temporary file.
    pub staged: Box<dyn StagedObject>,
    /// What the version says, its digest known.
    pub object: Arc<Object>,
    /// Its statement.
    pub statement: StatementHash,
    /// The epoch of its file key.
    pub key_epoch: u32,
}

/// Seals `object` with the payload that `source` names. `key_epoch` is that of the version that it replaces, 0 if
/// there is none; `path` names it in failures.
pub fn seal(
    scene: &Scene<'_>,
    object: &Arc<Object>,
    source: &Source,
    key_epoch: u32,
    path: &str,
) -> Result<Sealed, Failure> {
    let statement = Statement::from_object(object, &scene.folder.authorship);
    // As whoever reads it will take it: its author is who signs it.
    let object = &signed(object, &scene.folder.author);
    let statement = if scene.padding { statement.padded() } else { statement };
    match source {
        Source::Empty => seal_empty(scene, object, statement, next_epoch(key_epoch, path)?, path),
        Source::Work(node) => seal_work(scene, object, statement, *node, next_epoch(key_epoch, path)?, path),
        Source::Keep(key) => seal_kept(scene, object, statement, key, key_epoch, path),
        Source::Reseal(key) => reseal(scene, object, statement, key, next_epoch(key_epoch, path)?, path),
    }
}

fn signed(object: &Arc<Object>, author: &Arc<str>) -> Arc<Object> {
    if object.author == *author {
        return Arc::clone(object);
    }
    Arc::new(Object { author: Arc::clone(author), ..Object::clone(object) })
}

/// The key epoch of the next version of an object.
fn next_epoch(epoch: u32, path: &str) -> Result<u32, Failure> {
    epoch.checked_add(1).ok_or_else(|| Failure {
        class: Some(ProblemClass::Failed),
        detail: "it was written too often for version 1 of the format".into(),
        ..Failure::retry(path)
    })
}

fn seal_empty(
    scene: &Scene<'_>,
    object: &Arc<Object>,
    statement: Statement,
    key_epoch: u32,
    path: &str,
) -> Result<Sealed, Failure> {
    let folder = scene.folder.seal();
    let sealed =
        seal_bytes(&folder, object.id, key_epoch, statement, &[], scene.folder.signer(), &mut SystemRandom)
            .map_err(|error| seal_failure(&error, path))?;
    let staged = scene.store.stage().map_err(|error| Failure::store(&error, path))?;
    staged.write_at(0, &sealed.bytes).map_err(|error| Failure::store(&error, path))?;
    Ok(Sealed { staged, object: object.clone(), statement: sealed.statement_hash, key_epoch })
}

/// Reads, hashes and seals a file of the work folder in one pass. It must be the one that the plan saw before and
/// after, and nobody may be writing it (engine rule 4).
fn seal_work(
    scene: &Scene<'_>,
    object: &Arc<Object>,
    statement: Statement,
    node: NodeId,
    key_epoch: u32,
    path: &str,
) -> Result<Sealed, Failure> {
    let expected = scene.tree.node(node).stamp;
    let at = scene.tree.path(node);
    let file = scene.work.open_file(&at).map_err(|error| Failure::work(&error, &at))?;
    if is_open_for_writing(&file) == Some(true) && !(scene.read_busy)(&at) {
        return Err(Failure { busy: true, ..Failure::retry(&at) });
    }
    let unchanged = || stamp_of(&file).is_ok_and(|stamp| stamp == expected);
    if !unchanged() {
        return Err(Failure::retry(&at));
    }
    let read = |offset: u64, run: &mut [u8]| {
        file.read_exact_at(run, offset).map_err(|error| match error.kind() {
            // It is shorter than it was.
            std::io::ErrorKind::UnexpectedEof => Failure::retry(&at),
            _ => Failure::work(&WorkError::io(&at, error), &at),
        })
    };
    let sealed = seal_stream(scene, object, statement, key_epoch, path, read);
    if unchanged() { sealed } else { Err(Failure::retry(&at)) }
}

/// Seals what `read` gives (offset, buffer to be filled) into a temporary file.
fn seal_stream(
    scene: &Scene<'_>,
    object: &Arc<Object>,
    statement: Statement,
    key_epoch: u32,
    path: &str,
    mut read: impl FnMut(u64, &mut [u8]) -> Result<(), Failure>,
) -> Result<Sealed, Failure> {
    let refused = |error: SealError| seal_failure(&error, path);
    let store_refused = |error| Failure::store(&error, path);
    let folder = scene.folder.seal();
    let mut seal =
        FileSeal::begin(&folder, object.id, key_epoch, statement, &mut SystemRandom).map_err(refused)?;
    let staged = scene.store.stage().map_err(store_refused)?;
    let body = seal.body_offset();
    let small = seal.total_len() <= RUN_BYTES as u64;
    with_run(|run| {
        let (mut taken, mut at) = (0, body as u64);
        loop {
            if scene.is_cancelled() {
                return Err(Failure::retry(path));
            }
            run.clear();
            run.resize(seal.next_run_len(), 0);
            read(taken, run)?;
            taken += run.len() as u64;
            scene.progress.advance(0, run.len() as u64);
            seal.seal_run(run).map_err(refused)?;
            if small || seal.is_complete() {
                break;
            }
            staged.write_at(at, run).map_err(store_refused)?;
            at += run.len() as u64;
        }
        let header = seal.finish(scene.folder.signer(), &mut SystemRandom).map_err(refused)?;
        check_digest(object, &header, path)?;
        if small {
            let whole = [header.bytes.as_slice(), run].concat();
            staged.write_at(0, &whole).map_err(store_refused)?;
        } else {
            staged.write_at(at, run).map_err(store_refused)?;
            staged.write_at(0, &header.bytes).map_err(store_refused)?;
        }
        let object = with_digest(object, &header);
        Ok(Sealed { staged, object, statement: header.statement_hash, key_epoch })
    })
}

/// Writes a new header before the payload of a version that the plan saw. Where its file key may not be kept, the
/// payload is sealed anew.
fn seal_kept(
    scene: &Scene<'_>,
    object: &Arc<Object>,
    statement: Statement,
    key: &StoreKey,
    key_epoch: u32,
    path: &str,
) -> Result<Sealed, Failure> {
    let (file, old) = open_version(scene, seen_version(scene, key, path)?, path)?;
    let folder = scene.folder.seal();
    let header =
        match rewrite_info(&old, statement.clone(), &folder, scene.folder.signer(), &mut SystemRandom) {
            Ok(header) => header,
            Err(SealError::OldEpoch) => {
                return reseal(
                    scene,
                    object,
                    statement,
                    key,
                    next_epoch(key_epoch.max(old.prefix.key_epoch), path)?,
                    path,
                );
            }
            Err(error) => return Err(seal_failure(&error, path)),
        };
    let staged = scene.store.stage().map_err(|error| Failure::store(&error, path))?;
    let from = (old.header_len + ensafer_core::crypto::cobblestone::HEAD_BYTES) as u64;
    let mut at = header.bytes.len() as u64;
    staged.write_at(0, &header.bytes).map_err(|error| Failure::store(&error, path))?;
    with_run(|run| {
        let mut offset = from;
        while offset < old.total_len {
            if scene.is_cancelled() {
                return Err(Failure::retry(path));
            }
            let length = usize::try_from(old.total_len - offset).unwrap_or(usize::MAX).min(RUN_BYTES);
            run.clear();
            run.resize(length, 0);
            file.read_exact_at(offset, run).map_err(|error| Failure::store(&error, path))?;
            staged.write_at(at, run).map_err(|error| Failure::store(&error, path))?;
            offset += length as u64;
            at += length as u64;
        }
        Ok(())
    })?;
    let object = with_digest(object, &header);
    Ok(Sealed { staged, object, statement: header.statement_hash, key_epoch: old.prefix.key_epoch })
}

/// Opens the payload of one version and seals it for `object`, through memory only.
fn reseal(
    scene: &Scene<'_>,
    object: &Arc<Object>,
    statement: Statement,
    key: &StoreKey,
    key_epoch: u32,
    path: &str,
) -> Result<Sealed, Failure> {
    let (file, old) = open_version(scene, seen_version(scene, key, path)?, path)?;
    let mut statement = statement;
    statement.size = old.statement.size;
    statement.padded_len = old.statement.padded_len;
    let mut payload = ensafer_core::format::OpenPayload::new(&old)
        .map_err(|_| Failure::object(ProblemClass::StillArriving, key, ""))?;
    let mut chunk = 0;
    let mut sealed_run = Vec::new();
    let unauthentic = || Failure::object(ProblemClass::StillArriving, key, "its content does not verify");
    let sealed = seal_stream(scene, object, statement, key_epoch, path, |_, run| {
        sealed_run.clear();
        sealed_run.resize(payload.next_run_len(), 0);
        file.read_exact_at(payload.offset(chunk), &mut sealed_run)
            .map_err(|error| Failure::store(&error, path))?;
        payload.open_next(&mut sealed_run).map_err(|_| unauthentic())?;
        chunk += ensafer_core::format::RUN_CHUNKS;
        if sealed_run.len() != run.len() {
            return Err(unauthentic());
        }
        run.copy_from_slice(&sealed_run);
        Ok(())
    })?;
    payload.finish().map_err(|_| unauthentic())?;
    Ok(sealed)
}

/// Where the plan knows the digest, no other content may get the version's dot (engine rule 18): a file that was
/// altered behind the back of its times is not published again as what it was.
fn check_digest(object: &Object, header: &SealedHeader, path: &str) -> Result<(), Failure> {
    match &object.content {
        Content::File { digest: Some(known), .. } if Some(*known) != header.statement.content_digest => {
            let detail = "it does not hold what it held, though it looks unchanged".into();
            Err(Failure { class: Some(ProblemClass::Failed), detail, ..Failure::retry(path) })
        }
        _ => Ok(()),
    }
}

/// The object with the digest that was found while its content was sealed.
fn with_digest(object: &Arc<Object>, header: &SealedHeader) -> Arc<Object> {
    match &object.content {
        Content::File { size, executable, digest } if *digest != header.statement.content_digest => {
            let content = Content::File {
                size: *size,
                executable: *executable,
                digest: header.statement.content_digest,
            };
            Arc::new(Object { content, ..(**object).clone() })
        }
        _ => object.clone(),
    }
}

fn seal_failure(error: &SealError, path: &str) -> Failure {
    match error {
        SealError::SizeChanged => Failure::retry(path),
        _ => Failure { class: Some(ProblemClass::Failed), detail: describe(error), ..Failure::retry(path) },
    }
}
