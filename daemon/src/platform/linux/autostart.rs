//! Whether the daemon starts when its user logs in: by a unit of systemd's user manager where that runs the session, else
//! by an entry in the directory from which desktops start programs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ensafer_client::private_file;
use ensafer_core::api::local::AutostartMeans;

use crate::autostart::{AutostartError, own_program};
use crate::platform::unix::own_file::{MARK, io_error, remove_own, write_own};

/// The unit that packages install. It runs [`PACKAGED_PROGRAM`].
const UNIT: &str = include_str!("../../../../packaging/linux/ensafer.service");
const UNIT_NAME: &str = "ensafer.service";
const PACKAGED_PROGRAM: &str = "/usr/bin/ensafer";

/// Where packages put units of users (systemd.unit(5), "User Unit Search Path").
const PACKAGED_UNITS: &str = "/usr/lib/systemd/user";

/// What decides how the daemon is started, and where that is written.
#[derive(Debug, Clone)]
pub struct Autostart {
    /// The user's `~/.config`.
    config: PathBuf,
    /// The absolute path of this program.
    program: String,
    /// Whether systemd's user manager runs this session.
    has_manager: bool,
    /// Whether the package's unit is installed.
    has_packaged_unit: bool,
}

impl Autostart {
    /// For this user, session and program.
    ///
    /// # Errors
    /// [`AutostartError::OtherHome`], [`AutostartError::NoHomeDirectory`] or [`AutostartError::Program`].
    pub fn from_environment() -> Result<Self, AutostartError> {
        let program = own_program(installed)?;
        let base = directories::BaseDirs::new().ok_or(AutostartError::NoHomeDirectory)?;
        Ok(Self {
            config: base.config_dir().to_path_buf(),
            program,
            // The manager's own socket, which systemctl uses where there is no bus.
            has_manager: base.runtime_dir().is_some_and(|runtime| runtime.join("systemd/private").exists()),
            has_packaged_unit: Path::new(PACKAGED_UNITS).join(UNIT_NAME).exists(),
        })
    }

    /// How the daemon is started at log-in; `None` if it is not.
    #[must_use]
    pub fn means(&self) -> Option<AutostartMeans> {
        if self.enabled_link().exists() {
            return Some(AutostartMeans::SystemdUnit);
        }
        let entry = fs::read_to_string(self.entry_file()).ok()?;
        starts(&entry).then_some(AutostartMeans::DesktopEntry)
    }

    /// Has the daemon started at log-in from now on. It is not started now. Once is the same as twice.
    ///
    /// # Errors
    /// [`AutostartError`]; then nothing may have changed, or the unit's file is there and is not enabled.
    pub fn switch_on(&self) -> Result<AutostartMeans, AutostartError> {
        if !self.has_manager {
            write_own(&self.entry_file(), &desktop_entry(&self.program))?;
            return Ok(AutostartMeans::DesktopEntry);
        }
        if self.needs_own_unit() {
            write_own(&self.unit_file(), &unit(&self.program))?;
        } else {
            // One that was written for a program that lay elsewhere would hide the package's.
            remove_own(&self.unit_file())?;
        }
        systemctl("daemon-reload", &[])?;
        systemctl("enable", &["--quiet", UNIT_NAME])?;
        // Two would be started otherwise.
        remove_own(&self.entry_file())?;
        Ok(AutostartMeans::SystemdUnit)
    }

    /// Has the daemon not started at log-in any more. One that runs goes on. Once is the same as twice.
    ///
    /// # Errors
    /// [`AutostartError`]; what was not reached is still on.
    pub fn switch_off(&self) -> Result<(), AutostartError> {
        let link = self.enabled_link();
        if self.has_manager && link.is_symlink() {
            systemctl("disable", &["--quiet", UNIT_NAME])?;
        } else {
            // What `disable` does, for a session that systemd does not run.
            private_file::remove(&link).map_err(io_error(&link))?;
        }
        if remove_own(&self.unit_file())? && self.has_manager {
            systemctl("daemon-reload", &[])?;
        }
        remove_own(&self.entry_file()).map(drop)
    }

    /// Whether the package's unit is not there, or runs another program than this one.
    fn needs_own_unit(&self) -> bool {
        !self.has_packaged_unit || self.program != PACKAGED_PROGRAM
    }

    fn unit_file(&self) -> PathBuf {
        self.config.join("systemd/user").join(UNIT_NAME)
    }

    /// What `systemctl enable` makes of `WantedBy=default.target`.
    fn enabled_link(&self) -> PathBuf {
        self.config.join("systemd/user/default.target.wants").join(UNIT_NAME)
    }

    fn entry_file(&self) -> PathBuf {
        self.config.join("autostart/ensafer.desktop")
    }
}

/// The program that lies at `running`'s path now: a daemon may run since before its package was upgraded, and Linux says
/// of its file that it is deleted then (proc(5), `/proc/pid/exe`).
fn installed(running: PathBuf) -> PathBuf {
    let replaced = running.as_os_str().as_bytes().strip_suffix(b" (deleted)").map(OsStr::from_bytes);
    replaced.filter(|_| !running.exists()).map(PathBuf::from).unwrap_or(running)
}

/// The package's unit for a program at another path.
fn unit(program: &str) -> String {
    let marked = UNIT.replacen("[Unit]\n", &format!("[Unit]\n{MARK}\n"), 1);
    marked.replacen(PACKAGED_PROGRAM, &unit_word(program), 1)
}

/// As a unit's command line has it (systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers").
fn unit_word(path: &str) -> String {
    let mut word = String::from("\"");
    for c in path.chars() {
        match c {
            '"' | '\\' => word.extend(['\\', c]),
            '%' => word.push_str("%%"),
            '\n' => word.push_str("\\n"),
            c => word.push(c),
        }
    }
    word + "\""
}

fn desktop_entry(program: &str) -> String {
    let command = desktop_word(program);
    format!(
        "[Desktop Entry]\nType=Application\nName=Ensafer\nComment=End-to-end encrypted folder sync\n\
         Exec={command} daemon\nTerminal=false\nNoDisplay=true\n{MARK}\n"
    )
}

/// As an entry's `Exec` has it (Desktop Entry Specification 1.5, "The Exec key"): quoted, and then escaped once more as
/// a value of type string.
fn desktop_word(path: &str) -> String {
    let mut word = String::from("\"");
    for c in path.chars() {
        match c {
            '"' | '`' | '$' => word.extend(['\\', '\\', c]),
            '\\' => word.push_str(r"\\\\"),
            '%' => word.push_str("%%"),
            '\n' => word.push_str("\\n"),
            c => word.push(c),
        }
    }
    word + "\""
}

/// Whether a desktop starts the entry: settings of desktops switch entries off by `Hidden`.
fn starts(entry: &str) -> bool {
    !entry.lines().any(|line| {
        let parts = line.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
        parts == Some(("Hidden", "true"))
    })
}

fn systemctl(verb: &'static str, arguments: &[&str]) -> Result<(), AutostartError> {
    let mut command = Command::new("systemctl");
    command.args(["--user", verb]).args(arguments).stdin(Stdio::null());
    let failed = |said: String| AutostartError::Systemd { verb, said };
    let done = command.output().map_err(|error| failed(error.to_string()))?;
    if done.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&done.stderr).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::platform::unix::own_file::is_own;

    fn without_manager(config: &Path) -> Autostart {
        let program = "/opt/ensafer".to_owned();
        Autostart { config: config.to_path_buf(), program, has_manager: false, has_packaged_unit: false }
    }

    #[test]
    fn the_unit_runs_the_program_wherever_it_lies() {
        assert_eq!(UNIT.matches(PACKAGED_PROGRAM).count(), 1);
        let unit = unit("/home/a b/ensafer");
        assert!(unit.contains("\nExecStart=\"/home/a b/ensafer\" daemon\n"), "{unit}");
        assert!(unit.contains("\n[Unit]\nX-Ensafer=autostart\nDescription="), "{unit}");
        assert!(is_own(&unit) && !is_own(UNIT));
    }

    #[test]
    fn paths_are_spelt_as_each_format_wants() {
        let path = "/a b/\"c\"/$d`e/50%/\\f\n";
        assert_eq!(unit_word(path), r#""/a b/\"c\"/$d`e/50%%/\\f\n""#);
        assert_eq!(desktop_word(path), r#""/a b/\\"c\\"/\\$d\\`e/50%%/\\\\f\n""#);
    }

    #[test]
    fn a_daemon_from_before_an_upgrade_has_the_new_program_started() {
        let root = tempfile::tempdir().unwrap();
        let [program, named_so] = ["ensafer", "ensafer (deleted)"].map(|name| root.path().join(name));
        assert_eq!(installed(named_so.clone()), program);
        assert_eq!(installed(program.clone()), program);
        fs::write(&named_so, "").unwrap();
        assert_eq!(installed(named_so.clone()), named_so, "somebody's program may have that name");
    }

    #[test]
    fn the_packages_unit_is_used_by_the_packages_program_only() {
        let packaged = Autostart {
            config: "/c".into(),
            program: PACKAGED_PROGRAM.to_owned(),
            has_manager: true,
            has_packaged_unit: true,
        };
        assert!(!packaged.needs_own_unit());
        assert!(Autostart { has_packaged_unit: false, ..packaged.clone() }.needs_own_unit());
        assert!(Autostart { program: "/opt/ensafer".to_owned(), ..packaged }.needs_own_unit());
    }

    #[test]
    fn without_systemd_the_desktop_starts_it() {
        let root = tempfile::tempdir().unwrap();
        let autostart = without_manager(root.path());
        assert_eq!(autostart.means(), None);
        assert_eq!(autostart.switch_on().unwrap(), AutostartMeans::DesktopEntry);
        assert_eq!(autostart.switch_on().unwrap(), AutostartMeans::DesktopEntry);
        assert_eq!(autostart.means(), Some(AutostartMeans::DesktopEntry));
        let file = root.path().join("autostart/ensafer.desktop");
        let entry = fs::read_to_string(&file).unwrap();
        assert!(entry.contains("\nExec=\"/opt/ensafer\" daemon\n"), "{entry}");

        fs::write(&file, format!("{entry}Hidden=true\n")).unwrap();
        assert_eq!(autostart.means(), None, "switched off in the desktop's settings");
        autostart.switch_on().unwrap();
        assert_eq!(autostart.means(), Some(AutostartMeans::DesktopEntry));

        autostart.switch_off().unwrap();
        autostart.switch_off().unwrap();
        assert_eq!(autostart.means(), None);
        assert!(!file.exists());
    }

    #[test]
    fn what_somebody_else_wrote_stays() {
        let root = tempfile::tempdir().unwrap();
        let autostart = without_manager(root.path());
        let file = root.path().join("autostart/ensafer.desktop");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "[Desktop Entry]\nExec=mine\n").unwrap();
        for done in [autostart.switch_on().map(drop), autostart.switch_off()] {
            let error = done.unwrap_err();
            assert!(matches!(&error, AutostartError::Foreign { path } if *path == file), "{error}");
            assert!(error.remedy().contains("ensafer.desktop"));
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "[Desktop Entry]\nExec=mine\n");
    }

    #[test]
    fn a_unit_is_switched_off_also_where_systemd_does_not_run() {
        let root = tempfile::tempdir().unwrap();
        let autostart = without_manager(root.path());
        write_own(&autostart.unit_file(), &unit("/opt/ensafer")).unwrap();
        let link = autostart.enabled_link();
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(autostart.unit_file(), &link).unwrap();
        assert_eq!(autostart.means(), Some(AutostartMeans::SystemdUnit));
        autostart.switch_off().unwrap();
        assert_eq!(autostart.means(), None);
        assert!(!link.is_symlink() && !autostart.unit_file().exists());
    }
}
