//! Accounts, made once in a test run: a registration costs three key pairs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{env, process};

use crate::device::Device;
use crate::process::target_directory;

/// Whose account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    /// `alice@example.com`
    Alice,
    /// `bob@example.com`
    Bob,
}

impl Person {
    /// Her or his e-mail address.
    #[must_use]
    pub const fn email(self) -> &'static str {
        match self {
            Self::Alice => "alice@example.com",
            Self::Bob => "bob@example.com",
        }
    }

    /// The exported keys of the account, which every device of a test run imports.
    ///
    /// cargo-nextest runs each test in a process of its own: the first that gets the lock registers, the others find
    /// the file.
    #[must_use]
    pub fn keys_file(self) -> PathBuf {
        let run = run_directory();
        fs::create_dir_all(&run).unwrap();
        let keys = run.join(format!("{}.ensafer-keys", self.email()));
        let lock = File::create(run.join("lock")).unwrap();
        lock.lock().unwrap();
        if !keys.exists() {
            sweep_old_runs();
            let home = run.join(format!("home-{}", self.email()));
            let device = Device::bare(&home);
            device.run(&["register", "--email", self.email()]).expect(0);
            device.run(&["keys", "export", "--output", keys.to_str().unwrap()]).expect(0);
        }
        keys
    }
}

/// Below the build's own directory, which is on a disk and big enough.
#[must_use]
pub fn scratch() -> PathBuf {
    let directory = target_directory().parent().unwrap().join("tmp/e2e");
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn run_directory() -> PathBuf {
    let run = env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| format!("pid-{}", process::id()));
    scratch().join(format!("account-{run}"))
}

/// No process knows that it is the last of its run, so the next run cleans up.
fn sweep_old_runs() {
    let old = SystemTime::now() - Duration::from_secs(60 * 60);
    for entry in fs::read_dir(scratch()).unwrap().flatten() {
        if modified_before(&entry.path(), old) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn modified_before(path: &Path, limit: SystemTime) -> bool {
    path.metadata().and_then(|m| m.modified()).is_ok_and(|modified| modified < limit)
}
