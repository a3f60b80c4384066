//! A plan's part in the work folder: entries to the trash, directories made and moved, contents fetched.

use std::collections::HashMap;

use ensafer_core::plan::{Change, Place, Plan, ProblemClass, WorkChange};
use ensafer_core::tree::{Content, Kind, NodeId, Object, Stamp, WorkStamp};
use rayon::prelude::*;

use super::fetch::{Fetched, fetch};
use super::places::Places;
use super::{Failure, Outcome, Scene, batches, current_record, finished_record};
use crate::platform::is_open_for_writing;
use crate::scan::is_ignored;
use crate::state::StoreRecord;
use crate::work_dir::{PRIVATE, Trash, WorkError};

/// Carries out what `plan` wants in the work folder, for every change whose publication (if it had one) is in
/// `outcome`. Adds to `outcome`, and has `commit` take from it what has become durable.
pub fn change_work(
    plan: &Plan,
    scene: &Scene<'_>,
    outcome: &mut Outcome,
    commit: &mut dyn FnMut(&mut Outcome),
) {
    let ready: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|change| change.work.is_some())
        .filter(|change| change.publish.is_none() || outcome.published.contains_key(&change.target.id))
        .collect();
    if ready.is_empty() {
        return;
    }
    let mut pass = Pass {
        scene,
        places: Places::new(scene.tree, scene.folder.id.root(), &plan.directories),
        stamps: HashMap::new(),
        trash: scene.work.open_trash(scene.now),
        outcome,
    };
    let made = pass.rearrange(&ready);
    pass.fetch_contents(&ready, commit);
    pass.set_metadata(&ready);
    pass.set_directory_times(&made);
    if let Err(error) = scene.work.sync_directories() {
        pass.outcome.records.clear();
        pass.outcome.failures.push(Failure::work(&error, ""));
    }
    commit(pass.outcome);
}

/// One pass over a plan's changes of the work folder.
struct Pass<'a, 's> {
    scene: &'a Scene<'s>,
    places: Places<'a>,
    /// Stamps of the entries that this pass moved.
    stamps: HashMap<NodeId, Stamp>,
    trash: Trash,
    outcome: &'a mut Outcome,
}

impl Pass<'_, '_> {
    /// The path and stamp at which `node` is expected now.
    fn expected(&self, node: NodeId) -> Option<(String, Stamp)> {
        let stamp = self.stamps.get(&node).copied().unwrap_or(self.scene.tree.node(node).stamp);
        Some((self.places.node_path(node)?, stamp))
    }

    /// Moves entries to the trash and to their places, and makes directories and symbolic links: in the plan's order,
    /// in which each finds its place free. Returns the directories made.
    fn rearrange<'c>(&mut self, changes: &[&'c Change]) -> Vec<&'c Change> {
        let mut made = Vec::new();
        for &change in changes {
            match &change.work {
                Some(WorkChange::Trash { node }) => self.trash_entry(change, *node),
                Some(WorkChange::Create { at }) if !is_file(&change.target) => {
                    let is_made = self.make(change, at);
                    made.extend(
                        (is_made && change.target.content.kind() == Kind::Directory).then_some(change),
                    );
                }
                Some(WorkChange::Update { node, to: Some(to), .. } | WorkChange::Park { node, to }) => {
                    self.rename(change, *node, to);
                }
                _ => {}
            }
            self.relink(change);
        }
        made
    }

    fn trash_entry(&mut self, change: &Change, node: NodeId) {
        let Some((path, stamp)) = self.expected(node) else { return };
        if change.target.content.kind() == Kind::File && self.waits_for_writer(&path) {
            return;
        }
        match self.scene.work.trash(&path, &stamp, &self.trash) {
            Ok(_) => self.finish(change, None),
            Err(error) => self.fail(&error, &path),
        }
    }

    /// Whether somebody has the file at `path` open for writing: what is still to be written would follow the old content
    /// into the trash, so it is waited for (engine rule 4).
    fn waits_for_writer(&mut self, path: &str) -> bool {
        let file = self.scene.work.open_file(path).ok();
        let is_busy = file.is_some_and(|file| is_open_for_writing(&file) == Some(true));
        let waits = is_busy && !(self.scene.read_busy)(path);
        if waits {
            self.outcome.failures.push(Failure { busy: true, ..Failure::retry(path) });
        }
        waits
    }

    /// Whether a scan would pass over the object at this place, so that it would be taken for deleted. Then it is not
    /// placed, and listed.
    fn refuses_name(&mut self, change: &Change, at: &Place) -> bool {
        let at_root = at.parent == self.scene.folder.id.root();
        let is_directory = change.target.content.kind() == Kind::Directory;
        let is_private = at_root && at.name.as_str().eq_ignore_ascii_case(PRIVATE);
        if !is_ignored(at_root, at.name.as_str()) || (is_directory && !is_private) {
            return false;
        }
        let detail = "such names are never synced";
        let published = self.outcome.published.get(&change.target.id);
        let record = published
            .map(|version| version.record.clone())
            .or_else(|| current_record(self.scene, &change.target));
        self.outcome.failures.push(match record {
            Some(record) => Failure::object(ProblemClass::BadName, &record.key, detail),
            None => Failure {
                class: Some(ProblemClass::BadName),
                detail: detail.into(),
                ..Failure::retry(&self.places.path(at).unwrap_or_else(|| at.name.to_string()))
            },
        });
        true
    }

    fn make(&mut self, change: &Change, at: &Place) -> bool {
        if self.refuses_name(change, at) {
            return false;
        }
        let Some(path) = self.places.path(at) else { return false };
        let made = match &change.target.content {
            Content::Symlink { target } => self.scene.work.make_symlink(target, &path),
            _ => self.scene.work.make_directory(&path),
        };
        match made {
            Ok(stamp) => {
                if change.target.content.kind() == Kind::Directory {
                    self.places.made(change.target.id, at.clone());
                }
                self.finish(change, Some(stamp));
                true
            }
            Err(error) => {
                self.fail(&error, &path);
                false
            }
        }
    }

    /// Points a symbolic link elsewhere.
    fn relink(&mut self, change: &Change) {
        let Some(WorkChange::Update { node, to, content: true, .. }) = &change.work else { return };
        let Content::Symlink { target } = &change.target.content else { return };
        if to.is_some() && !self.stamps.contains_key(node) {
            return;
        }
        let Some((path, stamp)) = self.expected(*node) else { return };
        match self.scene.work.replace_with_symlink(target, &path, &stamp, &self.trash) {
            Ok(stamp) => self.finish(change, Some(stamp)),
            Err(error) => self.fail(&error, &path),
        }
    }

    /// Moves an entry. Where nothing else is to be done to it, the change is finished.
    fn rename(&mut self, change: &Change, node: NodeId, to: &Place) {
        if self.refuses_name(change, to) {
            return;
        }
        let (Some((from, stamp)), Some(path)) = (self.expected(node), self.places.path(to)) else { return };
        match self.scene.work.rename(&from, &path, &stamp) {
            Ok(stamp) => {
                self.places.moved(node, to.clone());
                self.stamps.insert(node, stamp);
                if let Some(WorkChange::Update { content: false, metadata: false, .. }) = change.work {
                    self.finish(change, Some(stamp));
                }
            }
            Err(error) => self.fail(&error, &from),
        }
    }

    /// Fetches the contents of new and changed files, in batches that become durable together.
    fn fetch_contents(&mut self, changes: &[&Change], commit: &mut dyn FnMut(&mut Outcome)) {
        let wanted: Vec<&Change> = changes.iter().copied().filter(|change| wants_content(change)).collect();
        for batch in batches(&wanted) {
            if self.scene.is_cancelled() {
                return;
            }
            self.fetch_batch(&batch);
            match self.scene.work.sync_directories() {
                Ok(()) => commit(self.outcome),
                Err(error) => {
                    self.outcome.records.clear();
                    return self.fail(&error, "");
                }
            }
        }
    }

    fn fetch_batch(&mut self, batch: &[&Change]) {
        let mut jobs: Vec<Job<'_>> = Vec::with_capacity(batch.len());
        for change in batch {
            let is_refused = match &change.work {
                Some(WorkChange::Create { at }) => self.refuses_name(change, at),
                _ => false,
            };
            let Some(job) = self.job(change).filter(|_| !is_refused) else { continue };
            if job.replaces.is_none() || !self.waits_for_writer(&job.path) {
                jobs.push(job);
            }
        }
        let scene = self.scene;
        let published = &self.outcome.published;
        let fetched: Vec<Result<Fetched, Failure>> = jobs
            .par_iter()
            .map(|job| {
                let record = published.get(&job.change.target.id).map(|version| &version.record);
                fetch(
                    scene,
                    &job.change.target,
                    record,
                    job.replaces.as_ref().map(|(path, _)| path.as_str()),
                    &job.path,
                )
                // A batch takes long where files are large: each counts when it is opened.
                .inspect(|_| scene.progress.advance(1, 0))
            })
            .collect();
        let mut ready = Vec::with_capacity(jobs.len());
        let mut staged = Vec::with_capacity(jobs.len());
        for (job, result) in jobs.into_iter().zip(fetched) {
            match result {
                Ok(fetched) => {
                    ready.push((job, fetched.record));
                    staged.push(fetched.staged);
                }
                Err(failure) => self.outcome.failures.push(failure),
            }
        }
        if let Err(error) = scene.work.barrier(&staged) {
            scene.progress.take_back(ready.len() as u64);
            return self.fail(&error, "");
        }
        for ((job, record), staged) in ready.into_iter().zip(staged) {
            let placed = match &job.replaces {
                None => scene.work.place_new(staged, &job.path),
                Some((path, stamp)) => scene.work.replace(staged, path, stamp, &self.trash),
            };
            match placed {
                Ok(stamp) => self.finish_with(job.change, Some(stamp), Some(record)),
                Err(error) => {
                    scene.progress.take_back(1);
                    self.fail(&error, &job.path);
                }
            }
        }
    }

    fn job<'c>(&self, change: &'c Change) -> Option<Job<'c>> {
        match change.work.as_ref()? {
            WorkChange::Create { at } => Some(Job { change, path: self.places.path(at)?, replaces: None }),
            WorkChange::Update { node, to, .. } => {
                if to.is_some() && !self.stamps.contains_key(node) {
                    return None;
                }
                let (path, stamp) = self.expected(*node)?;
                Some(Job { change, path: path.clone(), replaces: Some((path, stamp)) })
            }
            WorkChange::Trash { .. } | WorkChange::Park { .. } => None,
        }
    }

    /// Sets times and executable bits of entries whose content stays.
    fn set_metadata(&mut self, changes: &[&Change]) {
        for change in changes {
            let Some(WorkChange::Update { node, to, content: false, metadata: true }) = &change.work else {
                continue;
            };
            if to.is_some() && !self.stamps.contains_key(node) {
                continue;
            }
            let Some((path, stamp)) = self.expected(*node) else { continue };
            let executable = match change.target.content {
                Content::File { executable, .. } => Some(executable),
                _ => None,
            };
            match self.scene.work.set_metadata(&path, &stamp, Some(change.target.modified), executable) {
                Ok(stamp) => {
                    self.finish(change, Some(stamp));
                    // A change of the content just before would have got the time that was set.
                    let work = self.outcome.records.last_mut().and_then(|record| record.work.as_mut());
                    work.into_iter().for_each(|work| work.racy = true);
                }
                Err(error) => self.fail(&error, &path),
            }
        }
    }

    /// Gives new directories the time of their statement, after they were filled.
    fn set_directory_times(&mut self, made: &[&Change]) {
        for change in made.iter().rev() {
            if let Some(path) = self.places.directory_path(change.target.id)
                && let Err(error) = self.scene.work.set_directory_time(&path, change.target.modified)
            {
                tracing::debug!(%error, "the time of a directory could not be set");
            }
        }
    }

    fn finish(&mut self, change: &Change, stamp: Option<Stamp>) {
        self.finish_with(change, stamp, None);
        self.scene.progress.advance(1, 0);
    }

    fn finish_with(&mut self, change: &Change, stamp: Option<Stamp>, fetched: Option<StoreRecord>) {
        let (object, store) = match self.outcome.published.get(&change.target.id) {
            Some(version) => (version.object.clone(), Some(version.record.clone())),
            None => (change.target.clone(), fetched.or_else(|| current_record(self.scene, &change.target))),
        };
        let work: Option<WorkStamp> = stamp.map(|stamp| self.scene.work_stamp(stamp));
        self.outcome.records.extend(finished_record(change, object, work, store));
        self.outcome.applied += 1;
    }

    fn fail(&mut self, error: &WorkError, path: &str) {
        self.outcome.failures.push(Failure::work(error, path));
    }
}

/// One content to be fetched.
struct Job<'c> {
    change: &'c Change,
    path: String,
    /// What it replaces, and the stamp expected there.
    replaces: Option<(String, Stamp)>,
}

fn is_file(object: &Object) -> bool {
    matches!(object.content, Content::File { .. })
}

fn wants_content(change: &Change) -> bool {
    match change.work {
        Some(WorkChange::Create { .. }) => is_file(&change.target),
        Some(WorkChange::Update { content, .. }) => content && is_file(&change.target),
        _ => false,
    }
}
