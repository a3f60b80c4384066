//! Places where the superuser's rights, or much room, would hide the trouble.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use ensafer_tests::account::Person;
use ensafer_tests::device::text;
use ensafer_tests::{Device, Finished, process};
use tempfile::TempDir;

/// `nobody` of Debian.
const NOBODY: u32 = 65534;

/// A device of a user who is not the superuser, whom permission bits stop. It lives outside of the build's directory,
/// which that user need not be able to enter.
pub struct Guest {
    pub work: PathBuf,
    pub encrypted: PathBuf,
    device: Device,
    program: PathBuf,
    root: TempDir,
}

impl Guest {
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("ensafer-test-").tempdir_in("/var/tmp").unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = root.path().join("ensafer");
        fs::copy(process::ensafer(), &program).unwrap();
        let keys = root.path().join("keys");
        fs::copy(Person::Alice.keys_file(), &keys).unwrap();
        give_away(&keys);
        let device = Device::bare(&root.path().join("home"));
        give_away(&device.home);
        let mut guest = Self { work: PathBuf::new(), encrypted: PathBuf::new(), device, program, root };
        guest.work = guest.directory("work");
        guest.encrypted = guest.directory("cloud");
        guest.run(&["keys", "import", text(&keys)]).expect(0);
        guest
    }

    /// Makes a directory of the guest's.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.root.path().join(name);
        fs::create_dir_all(&path).unwrap();
        give_away(&path);
        path
    }

    /// Writes a file of the guest's into the work folder.
    pub fn write(&self, relative: &str, content: &str) {
        let path = self.work.join(relative);
        let parent = path.parent().unwrap();
        fs::create_dir_all(parent).unwrap();
        fs::write(&path, content).unwrap();
        give_away(parent);
        give_away(&path);
    }

    /// Runs a verb as the guest.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let mut command = if process::is_root() {
            let mut command = Command::new("setpriv");
            let id = NOBODY.to_string();
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups", text(&self.program)]);
            command
        } else {
            Command::new(&self.program)
        };
        self.device.set_environment(&mut command);
        process::run(command.args(arguments))
    }
}

fn give_away(path: &Path) {
    if process::is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// Runs a shell script in which `place` is a disk of its own with room for `size`. The script finds `$ENSAFER`,
/// `$WORK` and `$ENCRYPTED`. `None`, with a word about it, where this machine allows no mounts; CI's must.
pub fn small_disk(device: &Device, place: &Path, size: &str, script: &str) -> Option<Finished> {
    let flags = if process::is_root() { "-m" } else { "-rm" };
    let allowed =
        process::run(Command::new("unshare").args([flags, "mount", "-t", "tmpfs", "tmpfs", text(place)]));
    if allowed.code != 0 {
        assert!(std::env::var_os("CI").is_none(), "CI must be able to mount: {allowed}");
        eprintln!("skipped: this machine allows no mounts");
        return None;
    }
    let mut command = Command::new("unshare");
    device.set_environment(&mut command);
    command
        .env("ENSAFER", process::ensafer())
        .env("WORK", &device.work)
        .env("ENCRYPTED", &device.encrypted)
        .args([flags, "sh", "-uc"])
        .arg(format!("mount -t tmpfs -o size={size} tmpfs '{}' || exit 99\n{script}", text(place)));
    Some(process::run(&mut command).expect(0))
}
