//! A folder to which nothing happens gives its memory back: base is in the database anyway, and the work folder's tree in
//! the work folder. Both are read again when there is something to do.

use std::collections::HashMap;

use ensafer_core::tree::BaseTree;

use super::{EngineError, Folder};
use crate::platform;

/// A folder without its trees. Whoever wants something of it wakes it.
#[derive(Debug)]
pub struct Asleep(Folder);

impl Folder {
    /// Forgets what the database and the work folder hold, and nothing else: neither keys nor what is not in order, nor since
    /// when.
    #[must_use]
    pub fn fall_asleep(mut self) -> Asleep {
        self.encrypted.forget_known(&self.base, &self.records);
        self.base = BaseTree::default();
        self.records = HashMap::new();
        self.scan = None;
        self.look_at_everything();
        platform::give_memory_back();
        Asleep(self)
    }
}

impl Asleep {
    /// Reads base again. The next step looks at both sides in full.
    ///
    /// # Errors
    /// [`EngineError::State`]: the folder has to be opened anew.
    pub fn wake(self) -> Result<Folder, EngineError> {
        let Self(mut folder) = self;
        (folder.base, folder.records) = folder.state.load_base()?;
        folder.encrypted.recall(&folder.base, &folder.records);
        Ok(folder)
    }

    /// As [`Folder::lock`].
    pub fn lock(&mut self) {
        self.0.lock();
    }
}
