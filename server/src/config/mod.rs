//! Settings: `server.toml`, the environment, and flags, the later beating the earlier.

mod check;
mod load;
#[cfg(test)]
mod tests;
mod text;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ensafer_core::api::server::Registration;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use load::{CONFIG_VARIABLE, Override, VARIABLE_PREFIX};
pub use text::Codes;

/// Every key with its default: the documentation, and the text that tests compare with the code.
pub const EXAMPLE: &str = include_str!("../../../server.example.toml");

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// It.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
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
    /// A value that is wrong in itself or beside another. Says what to do.
    #[error("{key}: {reason}")]
    Refused {
        /// The key.
        key: &'static str,
        /// Why, and the remedy.
        reason: String,
    },
    /// A file with a secret that others can read.
    #[error("{} can be read by others than its owner: run chmod 600 on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
}

/// All settings. `server.example.toml` says what each does and its bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The origin under which clients reach the server, if it insists on one.
    #[serde(with = "text::optional")]
    pub public_url: Option<String>,
    /// What the server calls itself in mails.
    pub name: String,
    /// Where it listens and keeps what it has.
    pub server: ServerConfig,
    /// Who can make an account.
    pub registration: RegistrationConfig,
    /// How much is too much.
    pub limits: Limits,
    /// How long things hold.
    pub sessions: SessionTimes,
    /// How passwords are derived.
    pub kdf: KdfConfig,
    /// How mail is sent.
    pub mail: MailConfig,
    /// Who sees the metrics.
    pub metrics: MetricsConfig,
    /// What is logged.
    pub log: LogConfig,
}

/// Where the server listens and keeps what it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented in server.example.toml, which a test compares with this")]
pub struct ServerConfig {
    pub listen: SocketAddr,
    pub behind_proxy: bool,
    #[serde(with = "text::optional")]
    pub tls_cert: Option<PathBuf>,
    #[serde(with = "text::optional")]
    pub tls_key: Option<PathBuf>,
    #[serde(with = "text::optional")]
    pub data: Option<PathBuf>,
    #[serde(with = "text::optional")]
    pub database: Option<String>,
    #[serde(with = "text::optional")]
    pub secret_file: Option<PathBuf>,
    pub shutdown_s: u64,
}

/// Who can make an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationConfig {
    /// Anybody, those with a code, or nobody.
    pub mode: Registration,
    /// The file with the codes, one a line.
    #[serde(with = "text::optional")]
    pub code_file: Option<PathBuf>,
    /// The codes in it.
    #[serde(skip)]
    pub codes: Codes,
    /// Whether a new account's address must be confirmed; `None` is whenever the server sends mail.
    #[serde(with = "text::auto")]
    pub confirm_email: Option<bool>,
}

/// How much is too much. Failures are counted in the database, requests in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented in server.example.toml, which a test compares with this")]
pub struct Limits {
    pub failures_per_account: u32,
    pub failures_per_known_device: u32,
    pub failures_per_address: u32,
    pub failures_in_all: u32,
    pub failure_window_s: u64,
    pub requests_per_address_per_s: u32,
    pub lookups_per_account_per_minute: u32,
    pub availability_checks_per_address_per_hour: u32,
    pub key_changes_per_day: u32,
    pub devices: u32,
    pub invitations: u32,
    pub invitation_mails_per_account_per_day: u32,
    pub invitation_mails_per_address_per_day: u32,
    pub groups: u32,
    pub header_timeout_s: u64,
    pub request_timeout_s: u64,
    pub concurrent_requests: usize,
    pub connections: usize,
    pub connections_per_address: usize,
    #[serde(with = "text::networks")]
    pub trusted_proxies: Vec<IpNet>,
}

/// How long things hold, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented in server.example.toml, which a test compares with this")]
pub struct SessionTimes {
    pub challenge_s: u64,
    pub access_s: u64,
    pub refresh_s: u64,
    pub code_s: u64,
}

/// How passwords are derived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KdfConfig {
    /// The rounds that a login which does not exist is said to have.
    pub assumed_iterations: u32,
}

/// How mail is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented in server.example.toml, which a test compares with this")]
pub struct MailConfig {
    pub transport: MailTransport,
    pub from: String,
    pub directory: PathBuf,
    pub host: String,
    pub port: u16,
    pub security: MailSecurity,
    pub user: String,
    #[serde(with = "text::optional")]
    pub password_file: Option<PathBuf>,
    #[serde(with = "text::optional")]
    pub ca_file: Option<PathBuf>,
}

/// Where mails go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailTransport {
    /// Nowhere: no mail is sent.
    None,
    /// To a mail server.
    Smtp,
    /// Into a directory, one file each.
    File,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailSecurity {
    /// TLS after STARTTLS (RFC 3207), never without it.
    Starttls,
    /// TLS from the start (RFC 8314 section 3.3).
    Tls,
    /// Not at all: within this machine only.
    None,
}

/// Who sees the metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// Everybody, not just this machine.
    pub public: bool,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// How much.
    pub level: LogLevel,
    /// How.
    pub format: LogFormat,
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

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: None,
            name: "Ensafer".to_owned(),
            server: ServerConfig::default(),
            registration: RegistrationConfig::default(),
            limits: Limits::default(),
            sessions: SessionTimes::default(),
            kdf: KdfConfig::default(),
            mail: MailConfig::default(),
            metrics: MetricsConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8443)),
            behind_proxy: false,
            tls_cert: None,
            tls_key: None,
            data: None,
            database: None,
            secret_file: None,
            shutdown_s: 10,
        }
    }
}

impl Default for RegistrationConfig {
    fn default() -> Self {
        Self { mode: Registration::Open, code_file: None, codes: Codes::default(), confirm_email: None }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failures_per_account: 5,
            failures_per_known_device: 5,
            failures_per_address: 50,
            failures_in_all: 10_000,
            failure_window_s: 15 * 60,
            requests_per_address_per_s: 50,
            lookups_per_account_per_minute: 600,
            availability_checks_per_address_per_hour: 100,
            key_changes_per_day: 20,
            devices: 256,
            invitations: 100,
            invitation_mails_per_account_per_day: 50,
            invitation_mails_per_address_per_day: 10,
            groups: 64,
            header_timeout_s: 10,
            request_timeout_s: 30,
            concurrent_requests: 128,
            connections: 4096,
            connections_per_address: 64,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for SessionTimes {
    fn default() -> Self {
        Self { challenge_s: 120, access_s: 15 * 60, refresh_s: 90 * 24 * 60 * 60, code_s: 24 * 60 * 60 }
    }
}

impl Default for KdfConfig {
    fn default() -> Self {
        Self { assumed_iterations: 1_000_000 }
    }
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            transport: MailTransport::None,
            from: String::new(),
            directory: PathBuf::from("mail"),
            host: "localhost".to_owned(),
            port: 587,
            security: MailSecurity::Starttls,
            user: String::new(),
            password_file: None,
            ca_file: None,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}

impl Config {
    /// Whether a new account's address must be confirmed.
    #[must_use]
    pub fn confirms_email(&self) -> bool {
        self.registration.confirm_email.unwrap_or(self.mail.transport != MailTransport::None)
    }

    /// Whether the server itself speaks TLS.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.server.tls_cert.is_some()
    }

    /// All settings as a `server.toml`. There are no secrets in it.
    #[must_use]
    pub fn to_toml(&self) -> String {
        self.to_table().to_string()
    }

    fn to_table(&self) -> toml::Table {
        toml::Table::try_from(self).expect("structs of numbers and words are tables")
    }
}
