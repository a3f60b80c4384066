//! Settings: `config.toml`, the environment, and flags, the later beating the earlier.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, io};

use ensafer_client::private_file;
use ensafer_core::api::local::{SettingKind, SettingReport};
use serde::{Deserialize, Serialize};

use crate::authorities;

/// Every key with its default: the documentation, and the text that tests compare with the code.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read or written.
    #[error("cannot use {}", path.display())]
    Io {
        /// It.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not TOML, has an unknown key, or a value of the wrong type. The source names the line.
    #[error("{} is wrong", path.display())]
    Parse {
        /// It.
        path: PathBuf,
        /// Line, column and reason.
        source: Box<toml::de::Error>,
    },
    /// A value from the environment or a flag does not fit.
    #[error("{origin} is wrong: {reason}")]
    Override {
        /// The variable or flag.
        origin: String,
        /// Why.
        reason: String,
    },
    /// A value is out of bounds.
    #[error("{key} = {value} is not between {least} and {most}")]
    OutOfBounds {
        /// The key.
        key: &'static str,
        /// Its value.
        value: u64,
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
    },
    /// The file with further authorities cannot be used.
    #[error("ca_file = {} {reason}", path.display())]
    CaFile {
        /// It.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A key that does not exist.
    #[error("there is no setting named {key}")]
    UnknownKey {
        /// It.
        key: String,
    },
}

/// What the encrypted files' sizes show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// The exact length.
    None,
    /// The length rounded up by at most 12 % (Padmé).
    Padme,
}

/// Where this device's key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keyring {
    /// The system's keyring, and a sealed file where there is none.
    Auto,
    /// The sealed file.
    Off,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are those of tracing's levels")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How it is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// All settings. `config.example.toml` says what each does and its bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented in config.example.toml, which a test compares with this")]
pub struct Config {
    pub settle_ms: u64,
    pub full_scan_interval_s: u64,
    pub pause_on_battery: bool,
    pub pause_on_metered: bool,
    pub trash_days: u64,
    pub padding: Padding,
    pub threads: u64,
    pub pbkdf2_iterations: u32,
    pub keyring: Keyring,
    pub proxy: String,
    pub ca_file: PathBuf,
    pub log_level: LogLevel,
    pub log_format: LogFormat,
    pub server: EmbeddedServer,
}

/// The key server that the daemon runs itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented in config.example.toml, which a test compares with this")]
pub struct EmbeddedServer {
    pub embedded: bool,
    pub settings: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            settle_ms: 200,
            full_scan_interval_s: 3600,
            pause_on_battery: true,
            pause_on_metered: true,
            trash_days: 30,
            padding: Padding::Padme,
            threads: 0,
            pbkdf2_iterations: 1_000_000,
            keyring: Keyring::Auto,
            proxy: String::new(),
            ca_file: PathBuf::new(),
            log_level: LogLevel::Info,
            log_format: LogFormat::Text,
            server: EmbeddedServer::default(),
        }
    }
}

impl Config {
    /// Reads the file, if there is one, and lets the environment and then `flags` (`KEY=VALUE`) override it.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and line, the variable or the flag.
    pub fn load(file: &Path, flags: &[String]) -> Result<Self, ConfigError> {
        Self::load_with(file, |name| env::var_os(name), flags)
    }

    fn load_with(
        file: &Path,
        environment: impl Fn(&str) -> Option<OsString>,
        flags: &[String],
    ) -> Result<Self, ConfigError> {
        let bytes = private_file::read(file).map_err(|source| io_error(file, source))?.unwrap_or_default();
        let text = String::from_utf8(bytes)
            .map_err(|e| io_error(file, io::Error::new(io::ErrorKind::InvalidData, e)))?;
        let mut config = Self::parse(&text, file)?;
        for key in Self::keys() {
            let variable = variable_of(&key);
            if let Some(value) = environment(&variable) {
                config = config.with(&key, &value.to_string_lossy(), &variable)?;
            }
        }
        for flag in flags {
            let origin = format!("--set {flag}");
            let (key, value) = flag.split_once('=').ok_or_else(|| ConfigError::Override {
                origin: origin.clone(),
                reason: "expected KEY=VALUE".to_owned(),
            })?;
            config = config.with(key, value, &origin)?;
        }
        config.check()?;
        Ok(config)
    }

    /// Parses and checks the text of a `config.toml`; `file` is for messages.
    ///
    /// # Errors
    /// [`ConfigError::Parse`] with the line, or [`ConfigError::OutOfBounds`].
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let parse_error = |e| ConfigError::Parse { path: file.to_path_buf(), source: Box::new(e) };
        let config: Self = toml::from_str(text).map_err(parse_error)?;
        config.check()?;
        Ok(config)
    }

    /// The names of all keys; those of a table as `table.key`.
    #[must_use]
    pub fn keys() -> Vec<String> {
        let mut keys = Vec::new();
        for (name, value) in Self::default().to_table() {
            match value {
                toml::Value::Table(table) => keys.extend(table.keys().map(|key| format!("{name}.{key}"))),
                _ => keys.push(name),
            }
        }
        keys
    }

    /// The value of `key` as `config get` prints it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<String> {
        let table = self.to_table();
        let value = match key.split_once('.') {
            Some((name, key)) => table.get(name)?.as_table()?.get(key)?,
            None => table.get(key)?,
        };
        match value {
            toml::Value::Table(_) => None,
            toml::Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// All settings as a `config.toml`.
    #[must_use]
    pub fn to_toml(&self) -> String {
        self.to_table().to_string()
    }

    /// How long a file must have rested.
    #[must_use]
    pub fn settle(&self) -> Duration {
        Duration::from_millis(self.settle_ms)
    }

    /// How often both sides are looked at in full.
    #[must_use]
    pub fn full_scan_interval(&self) -> Duration {
        Duration::from_secs(self.full_scan_interval_s)
    }

    fn to_table(&self) -> toml::Table {
        toml::Table::try_from(self).expect("a flat struct of numbers and words is a table")
    }

    fn with(&self, key: &str, value: &str, origin: &str) -> Result<Self, ConfigError> {
        if self.get(key).is_none() {
            return Err(ConfigError::UnknownKey { key: key.to_owned() });
        }
        let mut table = self.to_table();
        match key.split_once('.') {
            Some((name, key)) => table[name][key] = parse_value(value),
            None => table[key] = parse_value(value),
        }
        table.try_into().map_err(|e: toml::de::Error| ConfigError::Override {
            origin: origin.to_owned(),
            reason: e.message().to_owned(),
        })
    }

    fn check(&self) -> Result<(), ConfigError> {
        let within = |key, value: u64, bounds: RangeInclusive<u64>| {
            if bounds.contains(&value) {
                return Ok(());
            }
            Err(ConfigError::OutOfBounds { key, value, least: *bounds.start(), most: *bounds.end() })
        };
        if !matches!(self.proxy.as_str(), "" | "none")
            && let Err(error) = reqwest::Proxy::all(&self.proxy)
        {
            let reason = format!("{} is no proxy's address: {error}", self.proxy);
            return Err(ConfigError::Override { origin: "proxy".to_owned(), reason });
        }
        if !self.ca_file.as_os_str().is_empty() && !self.ca_file.is_absolute() {
            let reason = "is no path from the root: the daemon runs in another directory".to_owned();
            return Err(ConfigError::CaFile { path: self.ca_file.clone(), reason });
        }
        let values = [
            self.settle_ms,
            self.full_scan_interval_s,
            self.trash_days,
            self.threads,
            self.pbkdf2_iterations.into(),
        ];
        BOUNDS.into_iter().zip(values).try_for_each(|((key, bounds), value)| within(key, value, bounds))
    }
}

/// The bounds of numbers, in the order of [`Config::check`].
const BOUNDS: [(&str, RangeInclusive<u64>); 5] = [
    ("settle_ms", 0..=60_000),
    ("full_scan_interval_s", 60..=604_800),
    ("trash_days", 0..=3650),
    ("threads", 0..=256),
    ("pbkdf2_iterations", 600_000..=10_000_000),
];

/// The settings that the window shows and changes; others are for whoever reads `config.example.toml`.
pub const SET_IN_WINDOW: &[&str] = &[
    "pause_on_battery",
    "pause_on_metered",
    "trash_days",
    "full_scan_interval_s",
    "padding",
    "keyring",
    "proxy",
    "ca_file",
    "log_level",
];

/// Words that settings take which are no numbers and no free texts.
const CHOICES: [(&str, &[&str]); 5] = [
    ("pause_on_battery", &["true", "false"]),
    ("pause_on_metered", &["true", "false"]),
    ("padding", &["none", "padme"]),
    ("keyring", &["auto", "off"]),
    ("log_level", &["error", "warn", "info", "debug", "trace"]),
];

/// The settings of [`SET_IN_WINDOW`] as `file` has them, or by default.
///
/// # Errors
/// [`ConfigError`].
pub fn in_window(file: &Path) -> Result<Vec<SettingReport>, ConfigError> {
    let (set, default) = (Config::load_with(file, |_| None, &[])?, Config::default());
    let report = |key: &str| SettingReport {
        key: key.to_owned(),
        about: about(key),
        value: set.get(key).unwrap_or_default(),
        default: default.get(key).unwrap_or_default(),
        kind: kind_of(key),
        fixed_by: Some(variable_of(key)).filter(|name| env::var_os(name).is_some()),
    };
    Ok(SET_IN_WINDOW.iter().map(|key| report(key)).collect())
}

fn kind_of(key: &str) -> SettingKind {
    if let Some((_, bounds)) = BOUNDS.iter().find(|(name, _)| *name == key) {
        return SettingKind::Number { least: *bounds.start(), most: *bounds.end() };
    }
    match CHOICES.iter().find(|(name, _)| *name == key) {
        Some((_, words)) => {
            SettingKind::Choice { choices: words.iter().map(|word| (*word).to_owned()).collect() }
        }
        None => SettingKind::Text,
    }
}

/// What the comment above a key in the example says.
fn about(key: &str) -> String {
    let is_key = |line: &&str| line.split(" = ").next() == Some(key);
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    let at = lines.iter().position(is_key).unwrap_or_default();
    let comment = lines[..at].iter().rev().map_while(|line| line.strip_prefix('#'));
    let mut words: Vec<&str> = comment.map(str::trim).collect();
    words.reverse();
    words.join(" ")
}

/// The environment variable that beats the file.
fn variable_of(key: &str) -> String {
    format!("ENSAFER_{}", key.replace('.', "__").to_uppercase())
}

/// Sets one key in the file, keeping its comments; makes the file if there is none. Nothing is written unless the
/// whole file is right afterwards.
///
/// # Errors
/// [`ConfigError`].
pub fn set(file: &Path, key: &str, value: &str) -> Result<(), ConfigError> {
    let bytes = private_file::read(file).map_err(|source| io_error(file, source))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    Config::parse(&text, file)?;
    let alone = Config::default().with(key, value, key)?;
    alone.check()?;
    authorities::read(&alone)?;
    let mut document: toml_edit::DocumentMut =
        text.parse().map_err(|e: toml_edit::TomlError| io_error(file, io::Error::other(e)))?;
    let item = match parse_value(value) {
        toml::Value::Integer(number) => toml_edit::value(number),
        toml::Value::Boolean(truth) => toml_edit::value(truth),
        _ => toml_edit::value(value),
    };
    match key.split_once('.') {
        Some((name, key)) => document.entry(name).or_insert_with(toml_edit::table)[key] = item,
        None => document[key] = item,
    }
    let changed = document.to_string();
    Config::parse(&changed, file)?;
    private_file::replace(file, changed.as_bytes()).map_err(|source| io_error(file, source))
}

/// A number or a truth value where the text is one, else the text.
fn parse_value(text: &str) -> toml::Value {
    if let Ok(number) = text.parse() {
        return toml::Value::Integer(number);
    }
    text.parse().map_or_else(|_| toml::Value::String(text.to_owned()), toml::Value::Boolean)
}

fn io_error(path: &Path, source: io::Error) -> ConfigError {
    ConfigError::Io { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)], flags: &[&str]) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        let lookup = |name: &str| environment.iter().find(|e| e.0 == name).map(|e| OsString::from(e.1));
        let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        Config::load_with(&file, lookup, &flags)
    }

    #[test]
    fn the_example_documents_every_key_with_its_default() {
        let example: toml::Table = EXAMPLE.parse().unwrap();
        assert_eq!(example, Config::default().to_table());
        let mut documented = false;
        for line in EXAMPLE.lines() {
            let is_key = line.contains(" = ") && !line.starts_with('#');
            assert!(!is_key || documented, "a comment stands above: {line}");
            documented = line.starts_with('#');
        }
    }

    #[test]
    fn the_stated_bounds_are_the_codes() {
        for (key, least, most) in
            [("settle_ms", 0, 60_000), ("full_scan_interval_s", 60, 604_800), ("trash_days", 0, 3650)]
        {
            for good in [least, most] {
                load(&format!("{key} = {good}"), &[], &[]).unwrap();
            }
            load(&format!("{key} = {}", most + 1), &[], &[]).unwrap_err();
        }
        load("pbkdf2_iterations = 599999", &[], &[]).unwrap_err();
        load("pbkdf2_iterations = 10000001", &[], &[]).unwrap_err();
        load("threads = 257", &[], &[]).unwrap_err();
    }

    #[test]
    fn flags_beat_environment_beats_file() {
        let environment =
            [("ENSAFER_SETTLE_MS", "20"), ("ENSAFER_KEYRING", "off"), ("ENSAFER_SERVER__EMBEDDED", "true")];
        let config = load("settle_ms = 10\ntrash_days = 7", &environment, &["settle_ms=30"]).unwrap();
        assert_eq!((config.settle_ms, config.trash_days, config.keyring), (30, 7, Keyring::Off));
        assert!(config.server.embedded);
        assert_eq!(load("settle_ms = 10", &environment, &[]).unwrap().settle_ms, 20);
        assert_eq!(load("settle_ms = 10", &[], &[]).unwrap().settle_ms, 10);
        assert_eq!(load("", &[], &[]).unwrap(), Config::default());
    }

    #[test]
    fn errors_say_where() {
        let unknown = load("settle_ms = 10\n\nsetle_ms = 5", &[], &[]).unwrap_err();
        let chain = crate::exit::describe(&unknown.into());
        assert!(chain.contains("line 3") && chain.contains("setle_ms"), "{chain}");
        let variable = load("", &[("ENSAFER_THREADS", "many")], &[]).unwrap_err().to_string();
        assert!(variable.contains("ENSAFER_THREADS"), "{variable}");
        assert!(matches!(load("", &[], &["nope=1"]), Err(ConfigError::UnknownKey { .. })));
        assert!(matches!(load("", &[], &["settle_ms"]), Err(ConfigError::Override { .. })));
    }

    #[test]
    fn set_keeps_comments_and_refuses_nonsense() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        set(&file, "settle_ms", "50").unwrap();
        std::fs::write(&file, "# mine\nsettle_ms = 50 # why\n").unwrap();
        set(&file, "padding", "none").unwrap();
        let before = std::fs::read_to_string(&file).unwrap();
        assert!(
            before.contains("# mine\nsettle_ms = 50 # why") && before.contains("padding = \"none\""),
            "{before}"
        );
        for (key, value) in [
            ("proxy", "not a url"),
            ("padding", "some"),
            ("settle_ms", "-1"),
            ("nope", "1"),
            ("threads", "9999"),
        ] {
            set(&file, key, value).unwrap_err();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
        }
        assert_eq!(Config::load_with(&file, |_| None, &[]).unwrap().get("padding").unwrap(), "none");
        set(&file, "server.embedded", "true").unwrap();
        let config = Config::load_with(&file, |_| None, &[]).unwrap();
        assert!(config.server.embedded && config.get("server").is_none());
        set(&file, "server.nope", "true").unwrap_err();
    }

    #[test]
    fn what_the_window_shows_is_what_may_be_set() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        set(&file, "trash_days", "7").unwrap();
        let shown = in_window(&file).unwrap();
        assert_eq!(shown.len(), SET_IN_WINDOW.len());
        for setting in &shown {
            let SettingReport { key, about, value, default, kind, .. } = setting;
            assert!(Config::keys().contains(key) && !about.is_empty(), "{setting:?}");
            assert_eq!(value == default, key != "trash_days", "{setting:?}");
            match kind {
                SettingKind::Number { least, most } => {
                    for bound in [least, most] {
                        set(&file, key, &bound.to_string()).unwrap();
                    }
                    set(&file, key, &(most + 1).to_string()).unwrap_err();
                }
                SettingKind::Choice { choices } => {
                    assert!(choices.contains(default), "{setting:?}");
                    choices.iter().for_each(|word| set(&file, key, word).unwrap());
                    set(&file, key, "no such word").unwrap_err();
                }
                SettingKind::Text => set(&file, key, "").unwrap(),
            }
        }
    }
}
