//! Where each client says, on each system, which directories it carries.

use std::fs;
use std::path::{Path, PathBuf};

use super::{
    Client, MAX_DIRECTORIES, Places, System, dropbox, expand, nextcloud, onedrive, read_settings, syncthing,
};

/// Most entries of a directory that are looked at to find a client's.
const MAX_ENTRIES: usize = 1000;

/// What a path of the table begins with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Base {
    Home,
    Config,
    State,
    /// Nothing: it is absolute.
    Root,
}

/// How the directories are found.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    /// The path is that of a file that names them. Without the file, but with the directory that it belongs into, they
    /// are what the client takes then.
    Settings { parse: fn(&str) -> Vec<String>, default: Option<&'static str> },
    /// The path is the directory.
    Directory,
    /// They lie at the path, with names that begin so; in each of them it is `inner`, if that is there.
    Named { prefix: &'static str, inner: &'static str },
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub client: Client,
    pub system: System,
    base: Base,
    path: &'static str,
    how: How,
}

const fn source(client: Client, system: System, base: Base, path: &'static str, how: How) -> Source {
    Source { client, system, base, path, how }
}

const fn settings(parse: fn(&str) -> Vec<String>) -> How {
    How::Settings { parse, default: None }
}

const DROPBOX: How = settings(dropbox::parse);
const NEXTCLOUD: How = settings(nextcloud::parse);
const SYNCTHING: How = settings(syncthing::parse);
const ONEDRIVE: How = How::Settings { parse: onedrive::parse, default: Some("~/OneDrive") };
const ONEDRIVES: How = How::Named { prefix: "OneDrive", inner: "" };
const GOOGLE_DRIVES: How = How::Named { prefix: "GoogleDrive-", inner: "My Drive" };

/// From the clients' own manuals: Dropbox "How to locate the Dropbox folders programmatically", Nextcloud and ownCloud
/// "Configuration file", syncthing-config(5), OneDrive Client for Linux "Application configuration options", and where
/// macOS puts the directories of file providers.
#[rustfmt::skip]
pub(super) const SOURCES: &[Source] = &[
    source(Client::Dropbox, System::Linux, Base::Home, ".dropbox/info.json", DROPBOX),
    source(Client::Dropbox, System::MacOs, Base::Home, ".dropbox/info.json", DROPBOX),
    source(Client::Dropbox, System::Windows, Base::State, "Dropbox/info.json", DROPBOX),
    source(Client::Dropbox, System::Windows, Base::Config, "Dropbox/info.json", DROPBOX),
    source(Client::GoogleDrive, System::MacOs, Base::Home, "Library/CloudStorage", GOOGLE_DRIVES),
    source(Client::GoogleDrive, System::MacOs, Base::Root, "/Volumes/GoogleDrive/My Drive", How::Directory),
    source(Client::GoogleDrive, System::Windows, Base::Root, "G:/My Drive", How::Directory),
    source(Client::OneDrive, System::Linux, Base::Config, "onedrive/config", ONEDRIVE),
    source(Client::OneDrive, System::MacOs, Base::Home, "Library/CloudStorage", ONEDRIVES),
    source(Client::OneDrive, System::Windows, Base::Home, "", ONEDRIVES),
    source(Client::Nextcloud, System::Linux, Base::Config, "Nextcloud/nextcloud.cfg", NEXTCLOUD),
    source(Client::Nextcloud, System::Linux, Base::Home, ".var/app/com.nextcloud.desktopclient.nextcloud/config/Nextcloud/nextcloud.cfg", NEXTCLOUD),
    source(Client::Nextcloud, System::MacOs, Base::Home, "Library/Preferences/Nextcloud/nextcloud.cfg", NEXTCLOUD),
    source(Client::Nextcloud, System::Windows, Base::Config, "Nextcloud/nextcloud.cfg", NEXTCLOUD),
    source(Client::OwnCloud, System::Linux, Base::Config, "ownCloud/owncloud.cfg", NEXTCLOUD),
    source(Client::OwnCloud, System::MacOs, Base::Home, "Library/Preferences/ownCloud/owncloud.cfg", NEXTCLOUD),
    source(Client::OwnCloud, System::Windows, Base::Config, "ownCloud/owncloud.cfg", NEXTCLOUD),
    source(Client::ICloud, System::MacOs, Base::Home, "Library/Mobile Documents/com~apple~CloudDocs", How::Directory),
    source(Client::ICloud, System::Windows, Base::Home, "iCloudDrive", How::Directory),
    source(Client::Syncthing, System::Linux, Base::State, "syncthing/config.xml", SYNCTHING),
    // Until Syncthing 1.27, and for installations that are older than that.
    source(Client::Syncthing, System::Linux, Base::Config, "syncthing/config.xml", SYNCTHING),
    source(Client::Syncthing, System::MacOs, Base::Config, "Syncthing/config.xml", SYNCTHING),
    source(Client::Syncthing, System::Windows, Base::State, "Syncthing/config.xml", SYNCTHING),
];

impl Source {
    /// The directories that the line leads to, whether they are there or not.
    pub fn directories(&self, places: &Places) -> Vec<PathBuf> {
        let path = self.path_below(places);
        match self.how {
            How::Directory => vec![path],
            How::Named { prefix, inner } => named(&path, prefix, inner),
            How::Settings { parse, default } => {
                let mut named = read_settings(&path).map(|text| parse(&text)).unwrap_or_default();
                if let Some(default) = default
                    && named.is_empty()
                    && path.parent().is_some_and(Path::is_dir)
                {
                    named.push(default.to_owned());
                }
                named.iter().map(|path| expand(path, &places.home)).collect()
            }
        }
    }

    fn path_below(&self, places: &Places) -> PathBuf {
        match self.base {
            Base::Home => places.home.join(self.path),
            Base::Config => places.config.join(self.path),
            Base::State => places.state.join(self.path),
            Base::Root => self.path.into(),
        }
    }
}

fn named(directory: &Path, prefix: &str, inner: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().take(MAX_ENTRIES).flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    let paths = named.map(|entry| {
        let inside = entry.path().join(inner);
        if inside.is_dir() { inside } else { entry.path() }
    });
    paths.take(MAX_DIRECTORIES).collect()
}
