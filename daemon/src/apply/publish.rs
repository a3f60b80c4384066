//! A plan's part in the encrypted folder: versions sealed in parallel, made durable as a group, then given their names.

use std::sync::Arc;

use ensafer_core::format::object_name;
use ensafer_core::ids::StatementHash;
use ensafer_core::plan::{Change, Plan, Publish};
use ensafer_core::tree::{Content, Kind, Object, StoreKey};
use rayon::prelude::*;

use super::seal::{Sealed, seal};
use super::{Failure, Outcome, Scene, batches, finished_record};
use crate::engine::SeenVersion;
use crate::state::StoreRecord;
use crate::store::{CommitError, StagedObject, StoreError};
use crate::work_dir::Trash;

/// Publishes what `plan` wants. Adds to `outcome`, and has `commit` take from it what has become durable.
pub fn publish(plan: &Plan, scene: &Scene<'_>, outcome: &mut Outcome, commit: &mut dyn FnMut(&mut Outcome)) {
    let changes: Vec<&Change> = plan.changes.iter().filter(|change| change.publish.is_some()).collect();
    let trash = scene.work.open_trash(scene.now);
    for batch in batches(&changes) {
        if scene.is_cancelled() {
            return;
        }
        publish_batch(&batch, scene, &trash, outcome);
        commit(outcome);
    }
    remove_surplus(plan, scene, &trash, outcome);
    commit(outcome);
}

/// What is known of a sealed version besides its temporary file.
struct Ready<'c> {
    change: &'c Change,
    publish: &'c Publish,
    object: Arc<Object>,
    statement: StatementHash,
    key_epoch: u32,
}

fn publish_batch(batch: &[&Change], scene: &Scene<'_>, trash: &Trash, outcome: &mut Outcome) {
    let sealed: Vec<(&Change, Result<_, Failure>)> = batch
        .par_iter()
        .filter_map(|&change| Some((change, change.publish.as_ref()?)))
        .map(|(change, publish)| (change, prepare(change, publish, scene)))
        .collect();
    let (mut staged, mut ready) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
    for (change, result) in sealed {
        match result {
            Ok((file, meta)) => {
                staged.push(file);
                ready.push(meta);
            }
            Err(failure) => leave_out(change, failure, outcome),
        }
    }
    if let Err(error) = scene.store.barrier(&staged) {
        ready.iter().for_each(|ready| give_up(ready, Failure::store(&error, ""), scene, outcome));
        return;
    }
    let mut records = Vec::with_capacity(ready.len());
    for (file, ready) in staged.into_iter().zip(ready) {
        // A new object's parent may be new itself, and would have another id in the next plan.
        if outcome.left_out.contains(&ready.object.parent) {
            let path = subject_path(ready.change, scene);
            give_up(&ready, Failure::retry(&path), scene, outcome);
            continue;
        }
        match name(file, &ready, scene, trash) {
            Ok(record) => {
                remove_copies(&ready, &record.key, scene, trash, outcome);
                records.push((ready, record));
            }
            Err(failure) => give_up(&ready, failure, scene, outcome),
        }
    }
    // What went to the trash is durable before its name in the encrypted folder is another's for certain.
    let kept = scene.work.sync_directories().map_err(|error| Failure::work(&error, ""));
    let named =
        kept.and_then(|()| scene.store.sync_directories().map_err(|error| Failure::store(&error, "")));
    for (ready, record) in records {
        match &named {
            Ok(()) => finish(&ready, record, scene, outcome),
            Err(failure) => give_up(&ready, failure.clone(), scene, outcome),
        }
    }
}

fn prepare<'c>(
    change: &'c Change,
    publish: &'c Publish,
    scene: &Scene<'_>,
) -> Result<(Box<dyn StagedObject>, Ready<'c>), Failure> {
    let path = subject_path(change, scene);
    let sealed = seal(scene, &change.target, &publish.source, key_epoch(scene, publish), &path)?;
    let Sealed { staged, object, statement, key_epoch } = sealed;
    // A batch takes long where files are large: each counts when it is sealed.
    scene.progress.advance(1, 0);
    Ok((staged, Ready { change, publish, object, statement, key_epoch }))
}

fn leave_out(change: &Change, failure: Failure, outcome: &mut Outcome) {
    outcome.left_out.insert(change.target.id);
    outcome.failures.push(failure);
}

/// Leaves out a version that was sealed, and counted.
fn give_up(ready: &Ready<'_>, failure: Failure, scene: &Scene<'_>, outcome: &mut Outcome) {
    scene.progress.take_back(1);
    leave_out(ready.change, failure, outcome);
}

/// Gives a sealed version its name, in place of what the plan saw there and nothing else. What cannot be had again is
/// kept in the trash: the last ciphertext of a deleted file, and whatever a healed or rolled-back file held.
fn name(
    staged: Box<dyn StagedObject>,
    ready: &Ready<'_>,
    scene: &Scene<'_>,
    trash: &Trash,
) -> Result<StoreRecord, Failure> {
    let path = || subject_path(ready.change, scene);
    let id = ready.object.id;
    let own = ready.publish.replaces.iter().find(|key| key.is_own_of(id)).cloned();
    let key = own.unwrap_or_else(|| StoreKey(object_name(id).into()));
    let expected = scene.stamps.get(&key).copied();
    let keep = match expected {
        Some(_) if is_worth_keeping(ready, &key, scene) => {
            Some(trash.reserve(&key.0).map_err(|error| Failure::work(&error, &path()))?)
        }
        _ => None,
    };
    let stamp = scene
        .store
        .commit(staged, &key, expected, keep.as_deref())
        .map_err(|error| Failure::commit(&error, &path()))?;
    Ok(StoreRecord { key, stamp, key_epoch: ready.key_epoch, statement: ready.statement })
}

fn is_worth_keeping(ready: &Ready<'_>, key: &StoreKey, scene: &Scene<'_>) -> bool {
    let is_deletion = matches!(ready.object.content, Content::Tombstone { was: Kind::File, .. });
    let is_unreadable = !scene.records.contains_key(key);
    is_deletion || is_unreadable || scene.put_back.contains(&ready.object.id)
}

/// Moves the copies that a cloud client made, and that the new version has merged, to the trash.
fn remove_copies(ready: &Ready<'_>, own: &StoreKey, scene: &Scene<'_>, trash: &Trash, outcome: &mut Outcome) {
    for key in ready.publish.replaces.iter().filter(|key| *key != own) {
        remove(key, scene, trash, outcome);
    }
}

fn remove(key: &StoreKey, scene: &Scene<'_>, trash: &Trash, outcome: &mut Outcome) {
    let Some(&stamp) = scene.stamps.get(key) else { return };
    let keep = match trash.reserve(&key.0) {
        Ok(keep) => keep,
        Err(error) => return outcome.failures.push(Failure::work(&error, "")),
    };
    match scene.store.remove(key, stamp, Some(&keep)) {
        Ok(()) | Err(CommitError::Store(StoreError::Missing { .. })) => outcome.removed.push(key.clone()),
        Err(error) => outcome.failures.push(Failure::commit(&error, "")),
    }
}

fn finish(ready: &Ready<'_>, record: StoreRecord, scene: &Scene<'_>, outcome: &mut Outcome) {
    let change = ready.change;
    if change.work.is_none() {
        let work = change.node.map(|node| scene.work_stamp(scene.tree.node(node).stamp));
        outcome.records.extend(finished_record(change, ready.object.clone(), work, Some(record.clone())));
    }
    let version = SeenVersion { object: ready.object.clone(), record };
    outcome.news.push(version.clone());
    outcome.published.insert(change.target.id, version);
}

/// Moves files of the encrypted folder that say nothing new to the trash.
fn remove_surplus(plan: &Plan, scene: &Scene<'_>, trash: &Trash, outcome: &mut Outcome) {
    for key in &plan.surplus {
        remove(key, scene, trash, outcome);
    }
}

/// The epoch of the newest file key that the plan saw for the object.
fn key_epoch(scene: &Scene<'_>, publish: &Publish) -> u32 {
    publish
        .replaces
        .iter()
        .filter_map(|key| scene.records.get(key))
        .map(|record| record.key_epoch)
        .max()
        .unwrap_or(0)
}

/// What a failure of this change is about, for people: its path in the work folder where it has one.
fn subject_path(change: &Change, scene: &Scene<'_>) -> String {
    change.node.map_or_else(|| change.target.name.to_string(), |node| scene.tree.path(node))
}
