//! Encrypts single files for people with an account: no folder, one file out for each file in.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use ensafer_core::account::Account;
use ensafer_core::api::local::Encrypted;
use ensafer_core::clock::{Clock, Dot};
use ensafer_core::crypto::{EnvelopePublicKey, Random, SystemRandom};
use ensafer_core::format::{
    Authorship, FileSeal, SealError, Statement, System, from_local_name, object_name,
};
use ensafer_core::ids::{DeviceId, FileId, FolderId};
use ensafer_core::plan::ProblemClass;
use ensafer_core::tree::{Content, Name, Object, Stamp};

use crate::apply::describe;
use crate::decrypt::io_error;
use crate::payload::with_run;
use crate::platform::{self, FileExt, Mode, OFlags, facts_of, flush, rename_new, write_out};
use crate::progress::Progress;
use crate::work_dir::stamp_of;

/// What files are encrypted with.
#[derive(Debug)]
pub struct Job<'a> {
    /// Whose they are, and who signs them. Reads them, too.
    pub account: &'a Account,
    /// Who else reads them.
    pub recipients: Vec<EnvelopePublicKey>,
    /// Whether their sizes are hidden.
    pub padding: bool,
    /// Told of every byte.
    pub progress: &'a Progress,
}

/// A file to be encrypted, and where.
#[derive(Debug)]
pub struct Item {
    /// The file.
    pub source: PathBuf,
    /// The directory for the encrypted one.
    pub directory: PathBuf,
    /// What the encrypted one is called; its random id without.
    pub name: Option<String>,
}

/// Why a file was not encrypted.
type Failure = (ProblemClass, String);

/// Encrypts `items`, each into a file of its own, which appears whole and durable, or not at all. Nothing that is there is
/// overwritten. One file's trouble does not stop the others.
#[must_use]
pub fn encrypt(job: &Job<'_>, items: &[Item]) -> Vec<Encrypted> {
    let bytes = items.iter().filter_map(|item| Some(fs::metadata(&item.source).ok()?.len())).sum();
    job.progress.expect(items.len() as u64, bytes);
    let done = items.iter().map(|item| {
        let result = encrypt_one(job, item);
        job.progress.advance(1, 0);
        let source = item.source.to_string_lossy().into_owned();
        match result {
            Ok(path) => {
                let output = Some(path.to_string_lossy().into_owned());
                Encrypted { source, output, class: None, what: String::new() }
            }
            Err((class, what)) => Encrypted { source, output: None, class: Some(class), what },
        }
    });
    done.collect()
}

fn encrypt_one(job: &Job<'_>, item: &Item) -> Result<PathBuf, Failure> {
    let source = &item.source;
    let file = File::open(source).map_err(|error| failure(error, source))?;
    let stamp = stamp_of(&file).map_err(|error| failure(error, source))?;
    let (id, device) = (FileId::new(random()), DeviceId::new(random()));
    let statement = statement(job, source, &file, &stamp, id, device)?;
    let name = item.name.clone().unwrap_or_else(|| object_name(id));
    let temporary = format!(".~ensafer-{id}.tmp");
    let path = item.directory.join(&temporary);
    let sealed = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|error| failure(error, &path))
        .and_then(|output| {
            seal(job, &file, source, &output, &path, id, statement)?;
            if stamp_of(&file).map_err(|error| failure(error, source))? != stamp {
                return Err(changed());
            }
            output.sync_all().map_err(|error| failure(error, &path))
        })
        .and_then(|()| publish(&item.directory, &temporary, &name));
    if sealed.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&path);
    }
    sealed
}

/// What is said of a file that lies alone. Where it came from is nobody's business: it has no directory, and a device
/// that was made up for it.
fn statement(
    job: &Job<'_>,
    source: &Path,
    file: &File,
    stamp: &Stamp,
    id: FileId,
    device: DeviceId,
) -> Result<Statement, Failure> {
    let shown = source.file_name().unwrap_or_default();
    let bad_name = |what: String| (ProblemClass::BadName, what);
    let name = shown.to_str().ok_or_else(|| bad_name("the name is not UTF-8".to_owned()))?;
    let name = Name::new(name).map_err(|error| bad_name(error.to_string()))?;
    let mode = facts_of(file).map_err(|error| failure(error.into(), source))?.mode;
    let dot = Dot { counter: 1, device };
    let object = Object {
        id,
        parent: FolderId::NONE.root(),
        name: from_local_name(&name, System::CURRENT),
        content: Content::File { size: stamp.size, digest: None, executable: mode & 0o100 != 0 },
        modified: stamp.modified,
        created: stamp.born.unwrap_or(stamp.modified),
        description: None,
        clock: Clock::new().with(dot),
        content_dot: dot,
        place_dot: dot,
        author: "".into(),
    };
    let statement =
        Statement::from_object(&object, &Authorship::alone(job.account.identity().public(), device));
    Ok(if job.padding { statement.padded() } else { statement })
}

/// Seals `file` into `output` (at `path`), run by run: constant memory at any size.
fn seal(
    job: &Job<'_>,
    file: &File,
    source: &Path,
    output: &File,
    path: &Path,
    id: FileId,
    statement: Statement,
) -> Result<(), Failure> {
    let users = [&job.recipients[..], &[job.account.envelope().public()]].concat();
    let mut seal =
        FileSeal::begin_alone(&users, id, statement, &mut SystemRandom).map_err(|e| refused(&e))?;
    let (mut taken, mut at) = (0, seal.body_offset() as u64);
    with_run(|run| {
        while !seal.is_complete() {
            run.clear();
            run.resize(seal.next_run_len(), 0);
            file.read_exact_at(run, taken).map_err(|error| match error.kind() {
                // It is shorter than it was.
                io::ErrorKind::UnexpectedEof => changed(),
                _ => failure(error, source),
            })?;
            taken += run.len() as u64;
            job.progress.advance(0, run.len() as u64);
            seal.seal_run(run).map_err(|error| refused(&error))?;
            output.write_all_at(run, at).map_err(|error| failure(error, path))?;
            at += run.len() as u64;
        }
        Ok(())
    })?;
    let header = seal.finish(job.account.identity(), &mut SystemRandom).map_err(|e| refused(&e))?;
    output.write_all_at(&header.bytes, 0).map_err(|error| failure(error, path))
}

/// Gives the temporary file its name, which must be free, and makes that durable.
fn publish(directory: &Path, temporary: &str, name: &str) -> Result<PathBuf, Failure> {
    let path = directory.join(name);
    // A relative path's directory may be empty, which means the current one.
    let opened = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened =
        platform::open(opened, flags, Mode::empty()).map_err(|error| failure(error.into(), directory))?;
    rename_new(&opened, temporary, &opened, name).map_err(|error| failure(error.into(), &path))?;
    write_out(&opened).and_then(|()| flush(&opened)).map_err(|error| failure(error.into(), directory))?;
    Ok(path)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom.fill(&mut bytes);
    bytes
}

fn failure(source: io::Error, path: &Path) -> Failure {
    let error = io_error(source, path);
    (error.class(), describe(&error))
}

fn changed() -> Failure {
    (ProblemClass::Failed, "it changed while it was read: try again".to_owned())
}

fn refused(error: &SealError) -> Failure {
    (ProblemClass::Failed, error.to_string())
}
