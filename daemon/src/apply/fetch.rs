//! Opens one file of the encrypted folder into a temporary file of the work folder.

use ensafer_core::format::{OpenedHeader, open_header_again};
use ensafer_core::plan::ProblemClass;
use ensafer_core::tree::{Content, Object, StoreKey};

use super::{Failure, Scene, describe};
use crate::membership::Membership;
use crate::payload::{PayloadFailure, open_payload, read_head};
use crate::state::StoreRecord;
use crate::store::{StoreError, StoredObject};
use crate::work_dir::StagedFile;

/// A content, verified and ready to be placed.
pub struct Fetched {
    /// The temporary file, with its times and permissions.
    pub staged: StagedFile,
    /// The ciphertext that it came from.
    pub record: StoreRecord,
}

/// Opens the content of `target`: from the version that was just published (`published`), or from one that the plan
/// saw. `replaces` is the file whose permissions it takes over; `path` is where it will be.
pub fn fetch(
    scene: &Scene<'_>,
    target: &Object,
    published: Option<&StoreRecord>,
    replaces: Option<&str>,
    path: &str,
) -> Result<Fetched, Failure> {
    let record = match published {
        Some(record) => record,
        None => source_of(scene, target).ok_or_else(|| Failure::retry(path))?,
    };
    let (file, header) = open_version(scene, record, path)?;
    let mut staged = scene.work.stage().map_err(|error| Failure::work(&error, path))?;
    let written = open_payload(
        &*file,
        &header,
        || scene.is_cancelled(),
        |offset, bytes| {
            scene.progress.advance(0, bytes.len() as u64);
            staged.write_at(offset, bytes)
        },
    );
    written.map_err(|failure| match failure {
        PayloadFailure::Unauthentic(class) => {
            Failure::object(class, &record.key, "its content does not verify")
        }
        PayloadFailure::Store(error) => Failure::store(&error, path),
        PayloadFailure::Sink(error) => Failure::work(&error, path),
        PayloadFailure::Cancelled => Failure::retry(path),
    })?;
    let executable = matches!(target.content, Content::File { executable: true, .. });
    let like = replaces.and_then(|path| scene.work.look(path).ok().flatten()).map(|seen| seen.mode);
    staged.finish(target.modified, executable, like).map_err(|error| Failure::work(&error, path))?;
    Ok(Fetched { staged, record: record.clone() })
}

/// The version that the plan saw which holds `target`'s content.
fn source_of<'s>(scene: &'s Scene<'_>, target: &Object) -> Option<&'s StoreRecord> {
    let versions = scene.encrypted.versions.get(&target.id)?;
    let version = versions.iter().find(|version| version.object.content_dot == target.content_dot)?;
    scene.records.get(&version.key)
}

/// The version that the plan saw in the file `key`.
pub fn seen_version<'s>(
    scene: &'s Scene<'_>,
    key: &StoreKey,
    path: &str,
) -> Result<&'s StoreRecord, Failure> {
    scene.records.get(key).ok_or_else(|| Failure::retry(path))
}

/// Opens the version that `record` names and verifies its header once more. What lies there now may be another
/// file than the one that was observed: that is for the next plan.
pub fn open_version(
    scene: &Scene<'_>,
    record: &StoreRecord,
    path: &str,
) -> Result<(Box<dyn StoredObject>, OpenedHeader), Failure> {
    let key = &record.key;
    let refused = |error: StoreError| match error {
        StoreError::Missing { .. } => Failure::retry(path),
        error => Failure::store(&error, path),
    };
    let file = scene.store.open(key).map_err(refused)?;
    let stamp = file.stamp().map_err(refused)?;
    let head = read_head(&*file, stamp.length).map_err(refused)?;
    let mut header = open_header_again(&head, &scene.folder.source(), record.statement)
        .map_err(|error| Failure::object(ProblemClass::StillArriving, key, describe(&error)))?;
    if header.statement_hash != record.statement {
        return Err(Failure::retry(path));
    }
    if stamp.length != header.total_len {
        return Err(Failure::object(ProblemClass::StillArriving, key, ""));
    }
    let membership = Membership::new(scene.folder, scene.store);
    membership.judge(&header, Some(record.statement)).map_err(|class| Failure::object(class, key, ""))?;
    scene.folder.judge_access_list(&mut header);
    Ok((file, header))
}
