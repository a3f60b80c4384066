//! Decrypts files, of an encrypted folder or of none, with an account's keys and nothing else: no configured folder, no
//! server.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ensafer_core::account::Account;
use ensafer_core::api::local::{Decrypted, Membership, RecipientNote, SignerReport};
use ensafer_core::format::roster::{MAX_GROUP_OBJECT_LEN, MAX_GROUPS};
use ensafer_core::format::{
    AccountAlone, HeaderError, ObjectKind, OpenedHeader, System, open_header, to_local_name,
};
use ensafer_core::ids::FileId;
use ensafer_core::layout::{Layout, layout};
use ensafer_core::plan::ProblemClass;
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{Content, Folding, Kind, Object, Stamp};

use crate::apply::describe;
use crate::folder_keys::author;
use crate::groups::{HeldGroup, is_group_file};
use crate::payload::{PayloadFailure, open_payload, read_head};
use crate::platform::{self, CWD, FileExt, Mode, OFlags, set_mode, symlinkat};
use crate::progress::Progress;
use crate::signers::{Rosters, Signers};
use crate::store::{StoreError, StoreStamp, StoredObject};
use crate::work_dir::{stamp_of, times};

/// A file given by its path, wherever it lies.
struct LoneFile {
    file: File,
    path: PathBuf,
}

impl LoneFile {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(|source| io_error(source, path))?;
        Ok(Self { file, path: path.into() })
    }
}

impl StoredObject for LoneFile {
    fn stamp(&self) -> Result<StoreStamp, StoreError> {
        let stamp = stamp_of(&self.file).map_err(|source| io_error(source, &self.path))?;
        let Stamp { size, modified, changed, inode, .. } = stamp;
        Ok(StoreStamp { length: size, modified, changed, inode })
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StoreError> {
        self.file.read_exact_at(buffer, offset).map_err(|source| io_error(source, &self.path))
    }
}

/// What the system says of a file that was given, or is made, by its path.
pub fn io_error(source: io::Error, path: &Path) -> StoreError {
    let what = path.to_string_lossy().into_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull { what, source },
        io::ErrorKind::PermissionDenied => StoreError::Denied { what, source },
        _ => StoreError::Io { what, source },
    }
}

/// One file whose header opened.
struct Opened {
    given: PathBuf,
    file: LoneFile,
    header: OpenedHeader,
    object: Object,
    signer: SignerReport,
    recipients: Vec<RecipientNote>,
}

/// A file that cannot be decrypted.
struct Refused {
    class: ProblemClass,
    what: String,
    signer: Option<SignerReport>,
}

impl From<(ProblemClass, String)> for Refused {
    fn from((class, what): (ProblemClass, String)) -> Self {
        Self { class, what, signer: None }
    }
}

/// Decrypts `files` into the directory `output`. Directories among them are made, and what belongs into them is put
/// there; everything else goes to the top. Nothing that is there is overwritten, and no file appears before its
/// signature and content were verified. Only what somebody has signed whose signature is taken. What is for one of
/// `groups`, or for a group whose file is given, too, opens by that.
pub fn decrypt(
    account: &Account,
    groups: &[Arc<HeldGroup>],
    signers: &Signers<'_>,
    files: &[PathBuf],
    output: &Path,
    progress: &Progress,
) -> Vec<Decrypted> {
    let given = given_groups(account, files);
    let pairs = groups.iter().chain(&given).flat_map(|held| held.group().pairs());
    let keys = AccountAlone::new(account.envelope(), Vec::new()).with_groups(pairs);
    let mut rosters = Rosters::default();
    let mut results = Vec::with_capacity(files.len());
    let mut opened = Vec::with_capacity(files.len());
    for path in files {
        match open(path, &keys, signers, &mut rosters) {
            Ok(Some(file)) => opened.push(file),
            Ok(None) => {}
            Err(refused) => results.push(failure(path, refused)),
        }
    }
    let given: HashSet<FileId> = opened.iter().map(|opened| opened.object.id).collect();
    let root = FileId::new([0; 16]);
    for opened in &mut opened {
        if !given.contains(&opened.object.parent) {
            opened.object.parent = root;
        }
    }
    let layout = layout(opened.iter().map(|opened| &opened.object), root, Folding::Exact);
    let mut by_id: HashMap<FileId, &Opened> = HashMap::new();
    for opened in &opened {
        match by_id.entry(opened.object.id) {
            Entry::Vacant(vacant) => _ = vacant.insert(opened),
            Entry::Occupied(_) => {
                let what = "another of these files is the same object; decrypt it by itself".to_owned();
                results.push(failed_later(opened, (ProblemClass::Inconsistent, what)));
            }
        }
    }
    progress.expect(opened.len() as u64, opened.iter().map(|opened| opened.header.statement.size).sum());
    for id in layout.shown() {
        if let Some(opened) = by_id.remove(&id) {
            results.push(match write(opened, &layout, output, progress) {
                Ok(path) => success(opened, &path),
                Err(why) => failed_later(opened, why),
            });
            progress.advance(1, 0);
        }
    }
    // What is left shows nowhere: files that were deleted.
    results.extend(by_id.into_values().map(|opened| Decrypted {
        what: format!("deleted; only its name is left, {}", opened.object.name),
        ..report(opened)
    }));
    set_directory_times(&opened, &layout, output);
    results
}

/// A file that was opened, before anything became of it.
fn report(opened: &Opened) -> Decrypted {
    Decrypted {
        object: opened.given.to_string_lossy().into_owned(),
        output: None,
        class: None,
        what: String::new(),
        signer: Some(opened.signer.clone()),
        recipients: opened.recipients.clone(),
    }
}

fn success(opened: &Opened, output: &Path) -> Decrypted {
    Decrypted { output: Some(output.to_string_lossy().into_owned()), ..report(opened) }
}

/// A file that was opened and cannot be written.
fn failed_later(opened: &Opened, (class, what): (ProblemClass, String)) -> Decrypted {
    Decrypted { class: Some(class), what, ..report(opened) }
}

fn failure(given: &Path, refused: Refused) -> Decrypted {
    let Refused { class, what, signer } = refused;
    let object = given.to_string_lossy().into_owned();
    Decrypted { object, output: None, class: Some(class), what, signer, recipients: Vec::new() }
}

/// The groups whose files are among `files`, and that the account is in.
fn given_groups(account: &Account, files: &[PathBuf]) -> Vec<Arc<HeldGroup>> {
    let open = |path: &PathBuf| {
        let file = LoneFile::open(path).ok()?;
        let length = file.stamp().ok()?.length;
        let is_group =
            length <= MAX_GROUP_OBJECT_LEN as u64 && is_group_file(&read_head(&file, length).ok()?);
        let bytes = is_group.then(|| fs::read(path).ok()).flatten()?;
        HeldGroup::open(&bytes, account).ok().map(Arc::new)
    };
    files.iter().filter_map(open).take(MAX_GROUPS).collect()
}

/// Opens one file's header. Rosters, groups and manifests hold nothing to decrypt: `None`.
fn open(
    path: &Path,
    keys: &AccountAlone<'_>,
    signers: &Signers<'_>,
    rosters: &mut Rosters,
) -> Result<Option<Opened>, Refused> {
    let store = |error: StoreError| (error.class(), describe(&error));
    if let Err(error) = fs::metadata(path)
        && error.kind() == io::ErrorKind::NotFound
    {
        return Err((ProblemClass::Missing, "there is no such file".to_owned()).into());
    }
    let file = LoneFile::open(path).map_err(store)?;
    let length = file.stamp().map_err(store)?.length;
    let head = read_head(&file, length).map_err(store)?;
    if is_group_file(&head) {
        return Ok(None);
    }
    let mut header = open_header(&head, keys).map_err(|error| (lone_class(&error), error.to_string()))?;
    if length != header.total_len {
        let class =
            if length < header.total_len { ProblemClass::StillArriving } else { ProblemClass::Damaged };
        return Err((class, format!("{length} bytes instead of {}", header.total_len)).into());
    }
    if matches!(header.statement.kind, ObjectKind::Roster | ObjectKind::Manifest) {
        return Ok(None);
    }
    let folder = header.statement.folder;
    let roster = if header.is_alone() { None } else { rosters.beside(path, folder, keys) };
    let signer = signers.judge(&header, roster);
    if !signers.take(&signer) {
        let (class, what) = (ProblemClass::UnknownSigner, why_not_taken(&signer));
        return Err(Refused { class, what, signer: Some(signer) });
    }
    let recipients = signers.judge_recipients(&mut header, roster);
    let author = author_of(&signer, &header.statement.device_name);
    let Some(object) = header.statement.to_object(header.prefix.file_id, author) else {
        return Err((ProblemClass::NewerVersion, "an unknown kind of object".into()).into());
    };
    Ok(Some(Opened { given: path.into(), file, header, object, signer, recipients }))
}

/// Who wrote it, as the second of two files of one name says it. Files of no folder do not say on which computer.
fn author_of(signer: &SignerReport, device_name: &str) -> Arc<str> {
    let by = signer.login.clone().unwrap_or_else(|| signer.fingerprint.to_string());
    let person = by.split('@').next().unwrap_or_default();
    if device_name.is_empty() { person.into() } else { author(person, device_name) }
}

fn why_not_taken(signer: &SignerReport) -> String {
    let fingerprint = signer.fingerprint;
    match (signer.membership, &signer.login) {
        (Membership::Refused, Some(login)) => {
            format!("signed by {login} ({fingerprint}), who may not write in its folder")
        }
        (Membership::Refused, None) => {
            format!("signed by the unknown identity {fingerprint}, which may not write in its folder")
        }
        _ => format!("signed by the unknown identity {fingerprint}"),
    }
}

/// Nobody waits for a lone file: one that is not whole, or does not verify, is damaged.
fn lone_class(error: &HeaderError) -> ProblemClass {
    match error {
        HeaderError::Unauthentic => ProblemClass::Damaged,
        _ => error.class_when(true),
    }
}

/// Writes one object and says where.
fn write(
    opened: &Opened,
    layout: &Layout,
    output: &Path,
    progress: &Progress,
) -> Result<PathBuf, (ProblemClass, String)> {
    let refused = |what: String| (ProblemClass::BadName, what);
    let shown = layout.path(opened.object.id).ok_or_else(|| refused("shows nowhere".into()))?;
    let mut path = output.to_path_buf();
    for component in shown.split('/') {
        let name = ensafer_core::tree::Name::new(component).map_err(|error| refused(error.to_string()))?;
        let local = to_local_name(&name, System::CURRENT).map_err(|error| refused(error.to_string()))?;
        path.push(local.as_str());
    }
    let failed = |source: io::Error| not_written(source, &path);
    match &opened.object.content {
        Content::Directory | Content::Tombstone { was: Kind::Directory, .. } => {
            fs::create_dir(&path).map_err(failed)?;
        }
        Content::Symlink { target } => {
            symlinkat(&**target, CWD, &path).map_err(|error| failed(error.into()))?;
        }
        Content::File { executable, .. } => write_file(opened, &path, *executable, progress)?,
        Content::Tombstone { .. } => {
            return Err((ProblemClass::Missing, "was deleted; only its name is left".into()));
        }
    }
    Ok(path)
}

/// Why nothing was written at `path`.
fn not_written(source: io::Error, path: &Path) -> (ProblemClass, String) {
    if source.kind() == io::ErrorKind::AlreadyExists {
        return (ProblemClass::Failed, format!("{} exists already", path.display()));
    }
    let error = io_error(source, path);
    (error.class(), describe(&error))
}

/// Writes beside `path` first: the file appears whole and verified, or not at all.
fn write_file(
    opened: &Opened,
    path: &Path,
    executable: bool,
    progress: &Progress,
) -> Result<(), (ProblemClass, String)> {
    let failed = |source: io::Error| not_written(source, path);
    let temporary = path.with_file_name(format!(".~ensafer-{}.tmp", opened.object.id));
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = platform::open(&temporary, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|error| not_written(error.into(), &temporary))?;
    let file = File::from(file);
    let written = open_payload(
        &opened.file,
        &opened.header,
        || false,
        |offset, bytes| {
            progress.advance(0, bytes.len() as u64);
            file.write_all_at(bytes, offset)
        },
    );
    let result = match written {
        Ok(()) => finish_file(&file, &temporary, path, opened.object.modified, executable).map_err(failed),
        Err(PayloadFailure::Sink(source)) => Err(failed(source)),
        Err(PayloadFailure::Store(error)) => Err((error.class(), describe(&error))),
        Err(failure) => Err((ProblemClass::Damaged, failure.to_string())),
    };
    // On success the temporary name is one of two for the same file.
    let _ = fs::remove_file(&temporary);
    result
}

fn finish_file(
    file: &File,
    temporary: &Path,
    path: &Path,
    modified: Timestamp,
    executable: bool,
) -> io::Result<()> {
    let mode = if executable { 0o755 } else { 0o644 };
    set_mode(file, mode)?;
    platform::futimens(file, &times(modified))?;
    file.sync_all()?;
    // Unlike a rename, a link never replaces what is there.
    fs::hard_link(temporary, path)
}

fn set_directory_times(opened: &[Opened], layout: &Layout, output: &Path) {
    for opened in opened.iter().filter(|opened| opened.object.content == Content::Directory) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        if let Some(shown) = layout.path(opened.object.id)
            && let Err(error) = platform::open(output.join(shown), flags, Mode::empty())
                .and_then(|directory| platform::futimens(directory, &times(opened.object.modified)))
        {
            tracing::debug!(%error, "the time of a directory could not be set");
        }
    }
}
