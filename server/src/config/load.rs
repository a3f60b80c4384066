//! Reads the file and lets the environment and flags override it.

use std::ffi::OsString;
use std::path::Path;
use std::{env, fs};

use super::{Codes, Config, ConfigError};
use crate::secret;

/// Before the name of a setting's variable. A key in a table is named after the table and two underscores, but for
/// `[server]`, whose keys are named alone: `ENSAFER_SERVER_LISTEN`, `ENSAFER_SERVER_MAIL__HOST`.
pub const VARIABLE_PREFIX: &str = "ENSAFER_SERVER_";

/// Names the file with the settings.
pub const CONFIG_VARIABLE: &str = "ENSAFER_SERVER_CONFIG";

/// The table whose keys stand alone in the environment and as flags.
const ALONE: &str = "server";

/// A value that beats the file's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The key, with its table and a dot before it if it has one.
    pub key: String,
    /// The value; of a list, separated by commas.
    pub value: String,
    /// Where it comes from, for messages.
    pub origin: String,
}

impl Config {
    /// Reads `file`, if one is named, and lets the environment and then `flags` override it; then reads the files that
    /// the settings name.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and line, the variable, the flag or the key.
    pub fn load(file: Option<&Path>, flags: &[Override]) -> Result<Self, ConfigError> {
        Self::load_with(file, env::vars_os(), flags)
    }

    /// The same without the files that the settings name. The administrator's verbs need none of them: where systemd hands
    /// them to the service, they are not there while it is stopped.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_settings(file: Option<&Path>, flags: &[Override]) -> Result<Self, ConfigError> {
        Self::settings(file, env::vars_os(), flags)
    }

    pub(super) fn load_with(
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
        flags: &[Override],
    ) -> Result<Self, ConfigError> {
        let mut config = Self::settings(file, environment, flags)?;
        config.read_codes()?;
        Ok(config)
    }

    fn settings(
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
        flags: &[Override],
    ) -> Result<Self, ConfigError> {
        let mut config = match file {
            Some(path) => Self::parse(&read(path)?, path)?,
            None => Self::default(),
        };
        for over in from_environment(environment)?.iter().chain(flags) {
            config = config.with(over)?;
        }
        config.check()?;
        Ok(config)
    }

    /// Parses the text of a `server.toml`; `file` is for messages.
    ///
    /// # Errors
    /// [`ConfigError::Parse`] with the line.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text)
            .map_err(|source| ConfigError::Parse { path: file.to_path_buf(), source: Box::new(source) })
    }

    fn with(&self, over: &Override) -> Result<Self, ConfigError> {
        let refused = |reason: String| ConfigError::Override { origin: over.origin.clone(), reason };
        let mut table = self.to_table();
        let place = match over.key.split_once('.') {
            Some((section, key)) => table.get_mut(section).and_then(|t| t.as_table_mut()?.get_mut(key)),
            None => table.get_mut(&over.key).filter(|value| !value.is_table()),
        };
        let place = place.ok_or_else(|| refused(format!("there is no setting named {}", over.key)))?;
        *place = value_like(place, &over.value).map_err(refused)?;
        table.try_into().map_err(|e: toml::de::Error| refused(e.message().to_owned()))
    }

    fn read_codes(&mut self) -> Result<(), ConfigError> {
        let Some(path) = &self.registration.code_file else { return Ok(()) };
        let text = secret::read_text(path)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        self.registration.codes = Codes::from(lines.map(str::to_owned).collect::<Vec<_>>());
        if self.registration.codes.is_empty() {
            let reason = format!("{} has no code in it: write one a line", path.display());
            return Err(ConfigError::Refused { key: "registration.code_file", reason });
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Io { path: path.to_path_buf(), source })
}

/// The value in the type that the key has.
fn value_like(known: &toml::Value, text: &str) -> Result<toml::Value, String> {
    let text = text.trim();
    Ok(match known {
        toml::Value::Integer(_) => {
            toml::Value::Integer(text.parse().map_err(|_| format!("{text:?} is not a number"))?)
        }
        toml::Value::Boolean(_) => {
            toml::Value::Boolean(text.parse().map_err(|_| format!("{text:?} is neither true nor false"))?)
        }
        toml::Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            toml::Value::Array(items.map(|item| toml::Value::String(item.to_owned())).collect())
        }
        _ => toml::Value::String(text.to_owned()),
    })
}

/// The settings among the variables. One without a table that is no setting is left alone, because orchestrators make
/// such names by themselves (`ENSAFER_SERVER_PORT` for a service `ensafer-server`); one with a table is a mistake.
fn from_environment(
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<Override>, ConfigError> {
    let known = keys();
    let mut found = Vec::new();
    for (name, value) in environment {
        let Some(origin) = name.to_str().filter(|name| name.starts_with(VARIABLE_PREFIX)) else { continue };
        let is_ours = known.iter().find(|key| variable(key) == origin);
        match is_ours {
            Some(key) => {
                let value = value.into_string().map_err(|_| ConfigError::Override {
                    origin: origin.to_owned(),
                    reason: "it is not UTF-8".to_owned(),
                })?;
                found.push(Override { key: key.clone(), value, origin: origin.to_owned() });
            }
            // The daemon has a table `[server]` of its own, whose keys begin with two underscores here.
            None if origin[VARIABLE_PREFIX.len()..].starts_with('_') => {}
            None if origin.contains("__") => {
                let reason = "there is no such setting".to_owned();
                return Err(ConfigError::Override { origin: origin.to_owned(), reason });
            }
            None => {}
        }
    }
    Ok(found)
}

/// All keys, those of tables with the table and a dot before them.
fn keys() -> Vec<String> {
    let mut keys = Vec::new();
    for (name, value) in Config::default().to_table() {
        match value.as_table() {
            Some(table) => keys.extend(table.keys().map(|key| format!("{name}.{key}"))),
            None => keys.push(name),
        }
    }
    keys
}

/// The variable of a key.
fn variable(key: &str) -> String {
    let name = match key.split_once('.') {
        Some((ALONE, key)) => key.to_owned(),
        Some((table, key)) => format!("{table}__{key}"),
        None => key.to_owned(),
    };
    format!("{VARIABLE_PREFIX}{}", name.to_uppercase())
}
