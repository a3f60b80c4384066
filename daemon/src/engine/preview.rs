//! A plan in numbers: before it is carried out, and for those who watch it being carried out.

use ensafer_core::plan::{Change, Plan, Source, WorkChange};
use ensafer_core::tree::Content;

use super::{EngineError, Env, Folder, Found};
use crate::progress::Progress;

/// What a plan would do, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Preview {
    /// Files, directories and links to be written into the encrypted folder.
    pub encrypt: u64,
    /// Files, directories and links whose content is to be written into the work folder. One that only gets another name is
    /// not among them.
    pub decrypt: u64,
    /// Entries that are the same on both sides.
    pub same: u64,
    /// Entries that would show beside another of the same name.
    pub twice: u64,
    /// Entries to be moved to the trash.
    pub delete: u64,
    /// Plaintext of the files to be encrypted.
    pub encrypt_bytes: u64,
    /// Plaintext of the files to be decrypted.
    pub decrypt_bytes: u64,
}

impl Preview {
    fn of(plan: &Plan) -> Self {
        let bytes = |wanted: &dyn Fn(&Change) -> bool| {
            plan.changes.iter().filter(|change| wanted(change)).map(size_of).sum()
        };
        let is_fetched = |change: &Change| {
            matches!(change.work, Some(WorkChange::Create { .. } | WorkChange::Update { content: true, .. }))
        };
        let count = |wanted: &dyn Fn(&Change) -> bool| {
            plan.changes.iter().filter(|change| wanted(change)).count() as u64
        };
        let is_beside = |change: &Change| match &change.work {
            Some(WorkChange::Create { at } | WorkChange::Update { to: Some(at), .. }) => {
                at.name != change.target.name
            }
            _ => false,
        };
        Self {
            encrypt: count(&|change| change.publish.is_some()),
            decrypt: count(&is_fetched),
            same: count(&|change| change.publish.is_none() && change.work.is_none() && change.node.is_some()),
            twice: count(&is_beside),
            delete: count(&|change| matches!(change.work, Some(WorkChange::Trash { .. }))),
            encrypt_bytes: bytes(&|change| change.publish.is_some()),
            decrypt_bytes: bytes(&is_fetched),
        }
    }
}

impl Folder {
    /// What the next step would do, without doing it. `None` where it was cancelled.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn preview(&mut self, env: &Env<'_>) -> Result<Option<Preview>, EngineError> {
        let now = env.clock.now();
        let mut found = Found::default();
        self.observe_work(now, &mut found);
        if !self.observe_encrypted(now, env, &mut found)? {
            return Ok(Some(Preview::default()));
        }
        let plan = self.plan_unless(now, env, &mut found, env.cancel)?;
        self.look_at_everything();
        Ok(plan.as_ref().map(Preview::of))
    }
}

/// Plaintext of the file that a change is about.
fn size_of(change: &Change) -> u64 {
    match change.target.content {
        Content::File { size, .. } => size,
        _ => 0,
    }
}

/// Says how much a plan has to do: each object counts once for every side that it is written on.
pub fn expect(plan: &Plan, progress: &Progress) {
    let (mut files, mut bytes) = (0, 0);
    for change in &plan.changes {
        let size = size_of(change);
        if let Some(publish) = &change.publish {
            files += 1;
            bytes += if matches!(publish.source, Source::Work(_) | Source::Reseal(_)) { size } else { 0 };
        }
        if let Some(work) = &change.work {
            files += 1;
            let is_fetched =
                matches!(work, WorkChange::Create { .. } | WorkChange::Update { content: true, .. });
            bytes += if is_fetched { size } else { 0 };
        }
    }
    if files > 0 {
        progress.expect(files, bytes);
    }
}
