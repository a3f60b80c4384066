//! Whose versions count: a member's who may write; a former one's only where something says that they wrote it before
//! (`docs/format.md`, "Manifests").

use std::sync::OnceLock;

use ensafer_core::crypto::VerifyingKey;
use ensafer_core::format::roster::{MAX_ROSTER_LEN, ManifestName};
use ensafer_core::format::{MAX_MANIFEST_LEN, Manifest, ObjectKind, OpenedHeader, object_name};
use ensafer_core::ids::StatementHash;
use ensafer_core::plan::ProblemClass;
use ensafer_core::tree::StoreKey;

use crate::folder_keys::OpenFolder;
use crate::store::EncryptedStore;

/// What lies in an object beside its content, at most: PREFIX, ACCESS and INFO are bounded.
const MOST_OVERHEAD: u64 = 2 << 20;

/// The longest file that may be a roster's.
pub const MAX_ROSTER_FILE_BYTES: u64 = MAX_ROSTER_LEN + MOST_OVERHEAD;

/// The longest file that may be a manifest's.
pub const MAX_MANIFEST_FILE_BYTES: u64 = MAX_MANIFEST_LEN + MOST_OVERHEAD;

/// Judges headers of one folder. Manifests are read when the first version needs one, and forgotten with this.
pub struct Membership<'a> {
    folder: &'a OpenFolder,
    store: &'a dyn EncryptedStore,
    manifests: OnceLock<Vec<(ManifestName, Manifest)>>,
}

impl<'a> Membership<'a> {
    /// Of `folder`, whose objects lie in `store`.
    pub fn new(folder: &'a OpenFolder, store: &'a dyn EncryptedStore) -> Self {
        Self { folder, store, manifests: OnceLock::new() }
    }

    /// The folder.
    pub const fn folder(&self) -> &'a OpenFolder {
        self.folder
    }

    /// Whether the version counts. `known` is the statement of the object's version that counted before.
    ///
    /// # Errors
    /// The class of the problem that it is.
    pub fn judge(&self, header: &OpenedHeader, known: Option<StatementHash>) -> Result<(), ProblemClass> {
        let (statement, state) = (&header.statement, self.folder.roster().state());
        let is_ours = statement.folder == state.folder && statement.owner == state.owner();
        let is_somebody = state.login_of(&statement.writer).is_some();
        if !is_ours || !is_somebody {
            return Err(ProblemClass::UnknownSigner);
        }
        let is_roster = statement.kind == ObjectKind::Roster;
        if is_roster || state.may_write(&statement.writer) || is_named_manifest(self.folder, header) {
            return Ok(());
        }
        if known == Some(header.statement_hash) || self.is_listed(header) {
            return Ok(());
        }
        // What they had written by then may be this: nobody has named it yet, or the manifest is not there.
        if state.has_unnamed(&statement.writer) || self.lacks_manifest_of(&statement.writer) {
            return Err(ProblemClass::UnknownSigner);
        }
        let was_writer = state.role_of(&statement.writer).is_none()
            || state.manifests.iter().any(|name| name.subject == statement.writer);
        Err(if was_writer { ProblemClass::FormerMember } else { ProblemClass::UnknownSigner })
    }

    fn is_listed(&self, header: &OpenedHeader) -> bool {
        let manifests = self.manifests.get_or_init(|| self.read_manifests());
        manifests
            .iter()
            .any(|(name, manifest)| name.subject == header.statement.writer && manifest.lists(header))
    }

    /// Whether a manifest of `writer` is named and not there. One file may have several names, of which it bears one.
    fn lacks_manifest_of(&self, writer: &VerifyingKey) -> bool {
        let there = self.manifests.get_or_init(|| self.read_manifests());
        let named = &self.folder.roster().state().manifests;
        let is_there = |name: &ManifestName| there.iter().any(|(found, _)| found.id == name.id);
        named.iter().filter(|name| name.subject == *writer).any(|name| !is_there(name))
    }

    /// The manifests that the roster names, as far as they are there.
    fn read_manifests(&self) -> Vec<(ManifestName, Manifest)> {
        let names = &self.folder.roster().state().manifests;
        names.iter().filter_map(|name| Some((*name, read_manifest(self.folder, self.store, name)?))).collect()
    }
}

/// The manifest that the roster of `folder` names, where it is whole.
pub fn read_manifest(
    folder: &OpenFolder,
    store: &dyn EncryptedStore,
    name: &ManifestName,
) -> Option<Manifest> {
    let bytes = read_bounded(store, &manifest_key(name), MAX_MANIFEST_FILE_BYTES)?;
    open_manifest(folder, &bytes, name)
}

/// The manifest in these bytes, if it is the one that the roster of `folder` names.
pub fn open_manifest(folder: &OpenFolder, bytes: &[u8], name: &ManifestName) -> Option<Manifest> {
    match Manifest::open(bytes, name, &folder.source()) {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            tracing::debug!(%error, "a manifest cannot be read");
            None
        }
    }
}

/// Whether it is a manifest that the roster names.
fn is_named_manifest(folder: &OpenFolder, header: &OpenedHeader) -> bool {
    header.statement.kind == ObjectKind::Manifest
        && folder
            .roster()
            .state()
            .manifests
            .iter()
            .any(|name| name.id == header.prefix.file_id && name.statement == header.statement_hash)
}

/// A manifest's file.
pub fn manifest_key(name: &ManifestName) -> StoreKey {
    StoreKey(object_name(name.id).into())
}

/// The bytes of a roster's file; `None` where they cannot be those of a roster, or cannot be read now.
pub fn read_roster(store: &dyn EncryptedStore, key: &StoreKey) -> Option<Vec<u8>> {
    read_bounded(store, key, MAX_ROSTER_FILE_BYTES)
}

/// The bytes of a file, as [`read_roster`]; `None` for more than `limit`.
pub fn read_bounded(store: &dyn EncryptedStore, key: &StoreKey, limit: u64) -> Option<Vec<u8>> {
    let read = || {
        let file = store.open(key)?;
        let length = file.stamp()?.length;
        if length > limit {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        file.read_exact_at(0, &mut bytes)?;
        Ok::<_, crate::store::StoreError>(Some(bytes))
    };
    read().unwrap_or_else(|error| {
        tracing::debug!(%error, "an object cannot be read");
        None
    })
}
