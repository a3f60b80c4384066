//! Whether this computer is fit for Ensafer: nothing is changed, nothing is decided.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use ensafer_client::home::Home;
use ensafer_core::ids::DeviceId;
use serde::Serialize;

use crate::account;
use crate::config::{Config, Keyring};
use crate::folders::{FolderEntry, Folders};
use crate::output::size;
use crate::platform::{self, Privacy};
use crate::secrets::KeyringStore;

/// Less free space than this is worth a note.
const LOW_SPACE_BYTES: u64 = 1024 * 1024 * 1024;

/// Fewer inotify watches than this are worth a note: one is needed for each directory (inotify(7)).
const FEW_WATCHES: u64 = 65_536;

/// 2025-01-01T00:00:00Z: a clock that shows less was never set.
const OLDEST_CREDIBLE_S: u64 = 1_735_689_600;

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Ensafer works, with less comfort or speed.
    Doubtful,
    /// Something will not work.
    Failed,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    pub subject: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    fn good(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self { subject: subject.into(), verdict: Verdict::Good, what: what.into(), remedy: None }
    }

    fn doubtful(subject: impl Into<String>, what: impl Into<String>, remedy: &str) -> Self {
        Self { verdict: Verdict::Doubtful, remedy: Some(remedy.to_owned()), ..Self::good(subject, what) }
    }

    fn failed(subject: impl Into<String>, what: impl Into<String>, remedy: &str) -> Self {
        Self { verdict: Verdict::Failed, remedy: Some(remedy.to_owned()), ..Self::good(subject, what) }
    }
}

/// Runs every check.
#[must_use]
pub fn all(home: &Home, flags: &[String]) -> Vec<Finding> {
    let config = Config::load(&home.config_file(), flags);
    let mut findings =
        vec![kernel(), clock(SystemTime::now()), settings(home, &config), home_is_private(home)];
    findings.push(account_is_there(home));
    findings.push(keyring(&config.unwrap_or_default()));
    findings.extend(watches());
    match Folders::load(home.data_dir()) {
        Ok(folders) => findings.extend(folders.entries().iter().flat_map(folder)),
        Err(error) => {
            let what = crate::exit::describe(&error.into());
            findings.push(Finding::failed(
                "folders",
                what,
                "Restore the list, or remove it and add the folders again",
            ));
        }
    }
    findings
}

fn kernel() -> Finding {
    let (name, release) = platform::kernel();
    let what = format!("{name} {release}");
    // syncfs reports errors from here on (syncfs(2)).
    if name == "Linux" && version(&release) < (5, 8) {
        return Finding::doubtful("kernel", what, "Linux 5.8 or newer makes writing many files faster");
    }
    Finding::good("kernel", what)
}

fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn clock(now: SystemTime) -> Finding {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if seconds < OLDEST_CREDIBLE_S {
        return Finding::failed("clock", "shows a time long past", "Set this computer's clock");
    }
    Finding::good("clock", "is set")
}

fn settings(home: &Home, config: &Result<Config, crate::config::ConfigError>) -> Finding {
    let file = home.config_file();
    match config {
        Ok(_) if file.exists() => Finding::good("settings", format!("{} is right", file.display())),
        Ok(_) => Finding::good("settings", format!("the defaults; {} does not exist", file.display())),
        Err(error) => {
            let mut what = error.to_string();
            if let Some(source) = std::error::Error::source(error) {
                what = format!("{what}: {source}");
            }
            Finding::failed("settings", what.trim(), "Mend the line, or remove it")
        }
    }
}

fn home_is_private(home: &Home) -> Finding {
    let data = home.data_dir();
    match platform::privacy(data) {
        Err(_) => Finding::good("home", format!("{} will be made", data.display())),
        Ok(Privacy::OfAnother) => {
            let what = format!("{} belongs to another user", data.display());
            Finding::failed(
                "home",
                what,
                "Run Ensafer as that user, or choose another home with ENSAFER_HOME",
            )
        }
        Ok(Privacy::Open { remedy }) => {
            Finding::failed("home", format!("{} is open to other users", data.display()), &remedy)
        }
        Ok(Privacy::Own) => Finding::good("home", format!("{} is closed to others", data.display())),
    }
}

fn account_is_there(home: &Home) -> Finding {
    if account::exists(home) {
        return Finding::good("account", "is set up");
    }
    Finding::doubtful(
        "account",
        "is not set up",
        "ensafer register --email YOU@EXAMPLE.COM, or ensafer keys import FILE",
    )
}

fn keyring(config: &Config) -> Finding {
    if config.keyring == Keyring::Off {
        return Finding::good("keyring", "is not used, by the settings");
    }
    match KeyringStore::connect(DeviceId::new([0; DeviceId::LEN])) {
        Ok(_) => Finding::good("keyring", "answers"),
        Err(error) => Finding::doubtful(
            "keyring",
            error.to_string(),
            "Nothing: a sealed file is used, which needs `ensafer unlock` or ENSAFER_PASSWORD_COMMAND after each start",
        ),
    }
}

/// The limit of inotify, where there is one.
fn watches() -> Option<Finding> {
    let limit: u64 = fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").ok()?.trim().parse().ok()?;
    let what = format!("{limit} directories can be watched");
    Some(if limit < FEW_WATCHES {
        Finding::doubtful(
            "watches",
            what,
            "sudo sysctl fs.inotify.max_user_watches=524288; scans do the rest until then",
        )
    } else {
        Finding::good("watches", what)
    })
}

fn folder(folder: &FolderEntry) -> Vec<Finding> {
    [("work folder", &folder.work), ("encrypted folder", &folder.encrypted)]
        .into_iter()
        .flat_map(|(which, path)| directory(&format!("{which} {}", path.display()), path))
        .collect()
}

fn directory(subject: &str, path: &Path) -> Vec<Finding> {
    if let Err(error) = fs::read_dir(path) {
        let remedy = "Mount it, or give yourself the right to read it; nothing is deleted meanwhile";
        return vec![Finding::failed(subject, format!("cannot be read: {error}"), remedy)];
    }
    let mut findings = vec![file_system(subject, path)];
    if let Ok(free) = platform::free_bytes(path) {
        let what = format!("{} free", size(free));
        findings.push(if free < LOW_SPACE_BYTES {
            Finding::doubtful(subject, what, "Free some space")
        } else {
            Finding::good(subject, what)
        });
    }
    findings
}

/// Whether files can be replaced without a moment in which neither is there, and new ones never overwrite (renameat2).
fn file_system(subject: &str, path: &Path) -> Finding {
    let names = ["a", "b"].map(|end| path.join(format!(".~ensafer-{:08x}-{end}.tmp", std::process::id())));
    let renamed = fs::write(&names[0], []).and_then(|()| platform::rename_by_promise(&names[0], &names[1]));
    for name in &names {
        // One of the two is there, or neither.
        let _ = fs::remove_file(name);
    }
    match renamed {
        Ok(true) => Finding::good(subject, "is writable and can rename without overwriting"),
        Ok(false) => {
            let remedy =
                "Nothing: names are checked before each rename instead; a local file system is safer";
            Finding::doubtful(subject, "cannot rename without overwriting", remedy)
        }
        Err(error) => Finding::failed(
            subject,
            format!("is not writable: {error}"),
            "Give yourself the right to write there",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;

    #[test]
    fn kernel_versions_compare_by_number() {
        assert_eq!(version("6.1.0-18-amd64"), (6, 1));
        assert!(version("5.10.0") > version("5.8.1"));
        assert_eq!(version("odd"), (0, 0));
    }

    #[test]
    fn every_finding_that_is_not_good_has_a_remedy() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::under(root.path());
        home.create().unwrap();
        fs::write(home.config_file(), "nonsense = 1\n").unwrap();
        fs::set_permissions(home.data_dir(), fs::Permissions::from_mode(0o755)).unwrap();
        let findings = all(&home, &[]);
        let verdict = |subject: &str| findings.iter().find(|f| f.subject == subject).unwrap().verdict;
        assert_eq!(verdict("settings"), Verdict::Failed);
        assert_eq!(verdict("home"), Verdict::Failed);
        assert_eq!(verdict("account"), Verdict::Doubtful);
        assert!(findings.iter().all(|f| (f.verdict == Verdict::Good) == f.remedy.is_none()));
        let settings = findings.iter().find(|f| f.subject == "settings").unwrap();
        assert!(settings.what.contains("line 1"), "{}", settings.what);
    }

    #[test]
    fn a_clock_that_was_never_set_is_noticed() {
        assert_eq!(clock(SystemTime::UNIX_EPOCH + Duration::from_secs(60)).verdict, Verdict::Failed);
        assert_eq!(clock(SystemTime::now()).verdict, Verdict::Good);
    }

    #[test]
    fn a_directory_is_looked_at_without_leaving_anything() {
        let root = tempfile::tempdir().unwrap();
        let findings = directory("x", root.path());
        assert_eq!(findings[0].verdict, Verdict::Good, "{findings:?}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert_eq!(directory("x", &root.path().join("absent"))[0].verdict, Verdict::Failed);
    }
}
