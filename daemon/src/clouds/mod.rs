//! The directories of known cloud clients on this computer, and the encrypted folders that lie in them.
//!
//! What a client's settings say is believed in one thing: that a directory of that name may be worth a look. Every read
//! is bounded, and whatever cannot be read is left out.

mod dropbox;
mod nextcloud;
mod onedrive;
mod rosters;
mod syncthing;
mod table;
mod watch;
mod whose;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Result;
use ensafer_client::home::Home;
use ensafer_core::api::local::{CloudReport, FoundReport};

use crate::folder_keys::Vault;
use crate::folders::FolderEntry;
use crate::platform::{self, Mode, OFlags};

pub use rosters::FoundRoster;
pub use watch::CloudWatch;
pub use whose::{Encrypted, find};

/// Most bytes that are read of a client's settings. Those of a busy Syncthing have some hundred kilobytes.
const MAX_SETTINGS_BYTES: u64 = 1 << 20;
/// What a new encrypted folder is called inside a client's directory.
const NEW_NAME: &str = "Ensafer";
/// Most directories that one client is believed to have.
const MAX_DIRECTORIES: usize = 64;

/// A program that carries a directory to other computers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// Dropbox.
    Dropbox,
    /// Google Drive for desktop, which there is for macOS and Windows.
    GoogleDrive,
    /// Microsoft's OneDrive; on Linux the client by A. Braunegg.
    OneDrive,
    /// Nextcloud.
    Nextcloud,
    /// ownCloud, from which Nextcloud has its settings' form.
    OwnCloud,
    /// Apple's iCloud Drive, which there is for macOS and Windows.
    ICloud,
    /// Syncthing, each of its folders by itself.
    Syncthing,
}

impl Client {
    /// What it calls itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dropbox => "Dropbox",
            Self::GoogleDrive => "Google Drive",
            Self::OneDrive => "OneDrive",
            Self::Nextcloud => "Nextcloud",
            Self::OwnCloud => "ownCloud",
            Self::ICloud => "iCloud Drive",
            Self::Syncthing => "Syncthing",
        }
    }
}

/// Whose rules say where clients keep their settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl System {
    /// The system that this was compiled for.
    pub const CURRENT: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::MacOs
    } else {
        Self::Linux
    };
}

/// A user's own directories, below which the clients' lie.
#[derive(Debug, Clone)]
pub struct Places {
    /// The rules.
    pub system: System,
    /// The home directory.
    pub home: PathBuf,
    /// Settings: `$XDG_CONFIG_HOME`, `~/Library/Application Support`, `%APPDATA%`.
    pub config: PathBuf,
    /// What programs keep for themselves: `$XDG_STATE_HOME`, `~/Library/Application Support`, `%LOCALAPPDATA%`.
    pub state: PathBuf,
}

impl Places {
    /// Those of this user, as the environment says; `None` for a user without a home directory.
    #[must_use]
    pub fn of_user() -> Option<Self> {
        let found = directories::BaseDirs::new()?;
        Some(Self {
            system: System::CURRENT,
            home: found.home_dir().into(),
            config: found.config_dir().into(),
            state: found.state_dir().unwrap_or_else(|| found.data_local_dir()).into(),
        })
    }
}

/// A directory that a client carries to other computers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudDirectory {
    /// The client.
    pub client: Client,
    /// The directory, absolute, without symbolic links.
    pub path: PathBuf,
}

impl CloudDirectory {
    /// The directory as reports have it, among the `encrypted` folders that were found.
    #[must_use]
    pub fn report(&self, encrypted: &[Encrypted]) -> CloudReport {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        CloudReport {
            client: self.client.name().to_owned(),
            directory: text(&self.path),
            suggested: self.place_for_new(encrypted).as_deref().map(text),
        }
    }

    /// A place for a new encrypted folder: nothing is there, or an empty directory, and none of the `encrypted` folders
    /// that were found is around it.
    #[must_use]
    pub fn place_for_new(&self, encrypted: &[Encrypted]) -> Option<PathBuf> {
        let directory = self.path.join(NEW_NAME);
        let is_taken = encrypted.iter().any(|found| directory.starts_with(&found.directory));
        (!is_taken && is_free(&directory)).then_some(directory)
    }
}

/// Whether nothing is there, or an empty directory.
fn is_free(directory: &Path) -> bool {
    match fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => fs::symlink_metadata(directory).is_err(),
    }
}

/// What lies in the cloud clients' directories.
#[derive(Debug)]
pub struct Looked {
    /// The directories.
    pub clouds: Vec<CloudDirectory>,
    /// The encrypted folders in them.
    pub encrypted: Vec<Encrypted>,
}

impl Looked {
    /// As reports have it.
    #[must_use]
    pub fn report(&self) -> FoundReport {
        let clouds = self.clouds.iter().map(|cloud| cloud.report(&self.encrypted)).collect();
        FoundReport { clouds, folders: self.encrypted.iter().map(Encrypted::report).collect() }
    }
}

/// Looks at the directories of this user's clients, as [`find`] does.
///
/// # Errors
/// As [`find`].
pub fn look(folders: &[FolderEntry], home: &Home, vault: Option<&dyn Vault>) -> Result<Looked> {
    let clouds = Places::of_user().map(|places| directories(&places)).unwrap_or_default();
    let encrypted = find(&clouds, folders, home, vault)?;
    Ok(Looked { clouds, encrypted })
}

/// The directories of the clients below `places` that are there, each once.
#[must_use]
pub fn directories(places: &Places) -> Vec<CloudDirectory> {
    let mut seen = HashSet::new();
    let named = table::SOURCES.iter().filter(|source| source.system == places.system);
    let named = named.flat_map(|source| {
        source.directories(places).into_iter().take(MAX_DIRECTORIES).map(|path| (source.client, path))
    });
    named
        .filter(|(_, path)| path.is_absolute())
        .filter_map(|(client, path)| {
            Some(CloudDirectory { client, path: platform::canonicalize(path).ok()? })
        })
        .filter(|found| found.path.is_dir() && seen.insert(found.path.clone()))
        .collect()
}

/// A path as a client's settings have it: `~/` is the home directory.
fn expand(path: &str, home: &Path) -> PathBuf {
    match path.strip_prefix('~') {
        Some("") => home.into(),
        Some(rest) if rest.starts_with(['/', '\\']) => home.join(&rest[1..]),
        _ => path.into(),
    }
}

/// A client's settings, `None` where there are none, or more than a client would write.
fn read_settings(path: &Path) -> Option<String> {
    let bytes = read_start(&open_file(path, OFlags::empty())?, MAX_SETTINGS_BYTES + 1)?;
    (bytes.len() as u64 <= MAX_SETTINGS_BYTES).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// Opens an ordinary file. A pipe that somebody left in its place does not keep anybody waiting.
fn open_file(path: &Path, flags: OFlags) -> Option<File> {
    let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(platform::open(path, flags, Mode::empty()).ok()?);
    file.metadata().is_ok_and(|found| found.is_file()).then_some(file)
}

/// At most the first `limit` bytes of what is left of a file.
fn read_start(file: &File, limit: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(root: &Path, system: System) -> Places {
        let home = fs::canonicalize(root).unwrap();
        let (config, state) = match system {
            System::Linux => (".config", ".local/state"),
            System::MacOs => ("Library/Application Support", "Library/Application Support"),
            System::Windows => ("AppData/Roaming", "AppData/Local"),
        };
        Places { system, config: home.join(config), state: home.join(state), home }
    }

    fn write(places: &Places, path: &str, text: &str) {
        let path = places.home.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("HOME", places.home.to_str().unwrap())).unwrap();
    }

    fn make(places: &Places, directories: &[&str]) {
        for directory in directories {
            fs::create_dir_all(places.home.join(directory)).unwrap();
        }
    }

    fn found(places: &Places) -> Vec<(Client, String)> {
        let below = |path: &Path| path.strip_prefix(&places.home).unwrap().to_str().unwrap().to_owned();
        let mut found: Vec<_> =
            directories(places).iter().map(|found| (found.client, below(&found.path))).collect();
        found.sort_by(|a, b| a.1.cmp(&b.1));
        found
    }

    const NEXTCLOUD: &str = "[Accounts]\n0\\Folders\\1\\localPath=HOME/Next/\n";
    const SYNCTHING: &str = r#"<configuration version="37"><folder id="a" path="~/Sync"/><folder id="b" path="/gone"/></configuration>"#;

    #[test]
    fn each_system_has_its_places() {
        for system in [System::Linux, System::MacOs, System::Windows] {
            let root = tempfile::tempdir().unwrap();
            let places = places(root.path(), system);
            let [dropbox, nextcloud, syncthing] = match system {
                System::Linux => [
                    ".dropbox/info.json",
                    ".config/Nextcloud/nextcloud.cfg",
                    ".local/state/syncthing/config.xml",
                ],
                System::MacOs => [
                    ".dropbox/info.json",
                    "Library/Preferences/Nextcloud/nextcloud.cfg",
                    "Library/Application Support/Syncthing/config.xml",
                ],
                System::Windows => [
                    "AppData/Local/Dropbox/info.json",
                    "AppData/Roaming/Nextcloud/nextcloud.cfg",
                    "AppData/Local/Syncthing/config.xml",
                ],
            };
            write(&places, dropbox, r#"{"personal": {"path": "HOME/Drop", "host": 1}}"#);
            write(&places, nextcloud, NEXTCLOUD);
            write(&places, syncthing, SYNCTHING);
            assert_eq!(found(&places), [], "{system:?}: directories that do not exist are left out");
            make(&places, &["Drop", "Next", "Sync"]);
            let all = [(Client::Dropbox, "Drop"), (Client::Nextcloud, "Next"), (Client::Syncthing, "Sync")];
            assert_eq!(found(&places), all.map(|(client, path)| (client, path.to_owned())), "{system:?}");
        }
    }

    #[test]
    fn some_clients_have_no_settings_to_read() {
        let root = tempfile::tempdir().unwrap();
        let mac = places(root.path(), System::MacOs);
        let drive = "Library/CloudStorage/GoogleDrive-alice@example.com/My Drive";
        let icloud = "Library/Mobile Documents/com~apple~CloudDocs";
        make(
            &mac,
            &[drive, icloud, "Library/CloudStorage/OneDrive-Personal", "Library/CloudStorage/Box-Box"],
        );
        let own = |client, path: &str| (client, path.to_owned());
        let expected = [
            own(Client::GoogleDrive, drive),
            own(Client::OneDrive, "Library/CloudStorage/OneDrive-Personal"),
            own(Client::ICloud, icloud),
        ];
        assert_eq!(found(&mac), expected);

        let root = tempfile::tempdir().unwrap();
        let windows = places(root.path(), System::Windows);
        make(&windows, &["OneDrive", "OneDrive - Example Ltd", "iCloudDrive"]);
        let expected = [
            own(Client::OneDrive, "OneDrive"),
            own(Client::OneDrive, "OneDrive - Example Ltd"),
            own(Client::ICloud, "iCloudDrive"),
        ];
        assert_eq!(found(&windows), expected);
    }

    #[test]
    fn onedrive_on_linux_has_a_default_once_it_is_set_up() {
        let root = tempfile::tempdir().unwrap();
        let places = places(root.path(), System::Linux);
        make(&places, &["OneDrive", "Elsewhere"]);
        assert_eq!(found(&places), []);
        write(&places, ".config/onedrive/refresh_token", "");
        assert_eq!(found(&places), [(Client::OneDrive, "OneDrive".to_owned())]);
        write(
            &places,
            ".config/onedrive/config",
            "# sync_dir = \"~/OneDrive\"\nsync_dir = \"~/Elsewhere\"\n",
        );
        assert_eq!(found(&places), [(Client::OneDrive, "Elsewhere".to_owned())]);
    }

    #[test]
    fn hostile_settings_harm_nothing() {
        let root = tempfile::tempdir().unwrap();
        let places = places(root.path(), System::Linux);
        make(&places, &["Sync", ".config/Nextcloud", ".config/syncthing", ".config/onedrive"]);
        // Nobody ever writes into the pipe.
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            places.home.join(".config/Nextcloud/nextcloud.cfg"),
            Mode::RWXU,
        )
        .unwrap();
        let endless = File::create(places.home.join(".config/syncthing/config.xml")).unwrap();
        endless.set_len(1 << 40).unwrap();
        make(&places, &[".config/onedrive/config"]);
        write(&places, ".dropbox/info.json", &"[".repeat(100_000));
        let folders = r#"<folder path="~/Sync"/>"#.repeat(20_000);
        write(&places, ".local/state/syncthing/config.xml", &format!("<c>{folders}</c>"));
        assert_eq!(found(&places), [(Client::Syncthing, "Sync".to_owned())]);
        for relative in [".", "", "Sync", "/", "/nowhere", "\0"] {
            let settings = format!("[Accounts]\n0\\Folders\\1\\localPath={relative}\n");
            write(&places, ".config/ownCloud/owncloud.cfg", &settings);
            let clients = directories(&places);
            let is_root = |found: &&CloudDirectory| found.client == Client::OwnCloud;
            assert_eq!(clients.iter().filter(is_root).count(), usize::from(relative == "/"), "{relative:?}");
        }
    }
}
