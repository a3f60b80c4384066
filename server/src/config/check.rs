//! Bounds, and what does not go together.

use std::ops::RangeInclusive;

use ensafer_core::api::server::Registration;
use ensafer_core::crypto::{MAX_ITERATIONS, MIN_ITERATIONS};

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::{Config, ConfigError, MailSecurity, MailTransport};
use crate::validate::is_canonical_origin;

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

impl Config {
    /// Checks everything that can be told without opening anything.
    ///
    /// # Errors
    /// [`ConfigError::OutOfBounds`] or [`ConfigError::Refused`].
    pub fn check(&self) -> Result<(), ConfigError> {
        for (key, value, bounds) in self.bounds() {
            if !bounds.contains(&value) {
                let (least, most) = (*bounds.start(), *bounds.end());
                return Err(ConfigError::OutOfBounds { key, value, least, most });
            }
        }
        self.check_identity()?;
        self.check_database()?;
        self.check_exposure()?;
        self.check_registration()?;
        self.check_mail()
    }

    /// Every number with its bounds, which `server.example.toml` states.
    pub(super) fn bounds(&self) -> Vec<(&'static str, u64, RangeInclusive<u64>)> {
        let Self { server, limits, sessions, kdf, .. } = self;
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        vec![
            ("server.shutdown_s", server.shutdown_s, 1..=600),
            ("limits.failures_per_account", limits.failures_per_account.into(), 1..=1000),
            ("limits.failures_per_known_device", limits.failures_per_known_device.into(), 1..=1000),
            ("limits.failures_per_address", limits.failures_per_address.into(), 1..=1_000_000),
            ("limits.failures_in_all", limits.failures_in_all.into(), 1..=100_000_000),
            ("limits.failure_window_s", limits.failure_window_s, 60..=DAY),
            ("limits.requests_per_address_per_s", limits.requests_per_address_per_s.into(), 1..=100_000),
            (
                "limits.lookups_per_account_per_minute",
                limits.lookups_per_account_per_minute.into(),
                1..=1_000_000,
            ),
            (
                "limits.availability_checks_per_address_per_hour",
                limits.availability_checks_per_address_per_hour.into(),
                1..=1_000_000,
            ),
            ("limits.key_changes_per_day", limits.key_changes_per_day.into(), 1..=10_000),
            ("limits.devices", limits.devices.into(), 1..=10_000),
            ("limits.invitations", limits.invitations.into(), 1..=256),
            (
                "limits.invitation_mails_per_account_per_day",
                limits.invitation_mails_per_account_per_day.into(),
                1..=10_000,
            ),
            (
                "limits.invitation_mails_per_address_per_day",
                limits.invitation_mails_per_address_per_day.into(),
                1..=10_000,
            ),
            ("limits.groups", limits.groups.into(), 1..=1024),
            ("limits.header_timeout_s", limits.header_timeout_s, 1..=60),
            ("limits.request_timeout_s", limits.request_timeout_s, 1..=600),
            ("limits.concurrent_requests", count(limits.concurrent_requests), 1..=100_000),
            ("limits.connections", count(limits.connections), 1..=1_000_000),
            ("limits.connections_per_address", count(limits.connections_per_address), 1..=1_000_000),
            ("sessions.challenge_s", sessions.challenge_s, 30..=600),
            ("sessions.access_s", sessions.access_s, 60..=DAY),
            ("sessions.refresh_s", sessions.refresh_s, HOUR..=400 * DAY),
            ("sessions.code_s", sessions.code_s, 10 * 60..=7 * DAY),
            (
                "kdf.assumed_iterations",
                kdf.assumed_iterations.into(),
                MIN_ITERATIONS.into()..=MAX_ITERATIONS.into(),
            ),
            ("mail.port", self.mail.port.into(), 1..=65_535),
        ]
    }

    fn check_identity(&self) -> Result<(), ConfigError> {
        if self.name.trim().is_empty() || self.name.len() > 64 || self.name.contains(char::is_control) {
            return refused("name", "it must be 1 to 64 bytes on one line");
        }
        match &self.public_url {
            Some(url) if !is_canonical_origin(url) => refused(
                "public_url",
                "it must be an origin as browsers write it, such as https://keys.example.org: lower case, ASCII, \
                 no path, no :443",
            ),
            _ => Ok(()),
        }
    }

    fn check_database(&self) -> Result<(), ConfigError> {
        let Some(url) = &self.server.database else {
            return match &self.server.data {
                Some(_) => Ok(()),
                None => refused(
                    "server.data",
                    "there is no place for the database: name a directory with --data, or a PostgreSQL database \
                     with --database",
                ),
            };
        };
        let Some((_, rest)) =
            url.split_once("://").filter(|(scheme, _)| matches!(*scheme, "postgres" | "postgresql"))
        else {
            return refused(
                "server.database",
                "it must begin with postgres:// (for SQLite, name a directory with --data)",
            );
        };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let names_password = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
        if names_password || rest.contains("password=") {
            return refused(
                "server.database",
                "it has a password in it, which others could see: put that into a file and name it in PGPASSFILE",
            );
        }
        if !is_private_way(url) {
            return refused(
                "server.database",
                "without TLS others could read on the way to another machine: add ?sslmode=verify-full, or \
                 sslmode=require where the server's certificate cannot be checked",
            );
        }
        if self.server.secret_file.is_none() {
            return refused(
                "server.secret_file",
                "servers that share a database must share their secret: make one with `openssl rand -hex 32`, save it \
                 with mode 0600 and name it with --secret-file",
            );
        }
        Ok(())
    }

    fn check_exposure(&self) -> Result<(), ConfigError> {
        let server = &self.server;
        if server.tls_cert.is_some() != server.tls_key.is_some() {
            return refused(
                "server.tls_cert",
                "certificate and key are needed both: name --tls-cert and --tls-key",
            );
        }
        if server.behind_proxy && self.limits.trusted_proxies.is_empty() {
            return refused(
                "limits.trusted_proxies",
                "name the proxy's address, or all its users would count as one and lock each other out",
            );
        }
        if !self.has_tls() && !server.listen.ip().is_loopback() && !server.behind_proxy {
            return refused(
                "server.listen",
                "without TLS the server listens on this machine only, or passwords' proofs could be read on the way: \
                 name --tls-cert and --tls-key, or set server.behind_proxy if a proxy does TLS and nobody else \
                 reaches this address",
            );
        }
        Ok(())
    }

    fn check_registration(&self) -> Result<(), ConfigError> {
        let registration = &self.registration;
        if registration.mode == Registration::Code && registration.code_file.is_none() {
            return refused("registration.code_file", "mode \"code\" needs a file with the codes");
        }
        if registration.confirm_email == Some(true) && self.mail.transport == MailTransport::None {
            return refused(
                "registration.confirm_email",
                "addresses cannot be confirmed without mail: set [mail]",
            );
        }
        Ok(())
    }

    fn check_mail(&self) -> Result<(), ConfigError> {
        let mail = &self.mail;
        if mail.transport == MailTransport::None {
            return Ok(());
        }
        if mail.from.parse::<lettre::message::Mailbox>().is_err() {
            return refused("mail.from", "it must be an address, such as Ensafer <keys@example.org>");
        }
        if mail.transport == MailTransport::File {
            return Ok(());
        }
        if mail.host.is_empty() {
            return refused("mail.host", "name the mail server");
        }
        if mail.security == MailSecurity::None && !is_this_machine(&mail.host) {
            return refused(
                "mail.security",
                "\"none\" is for a mail server on this machine only: use starttls or tls",
            );
        }
        if mail.user.is_empty() != mail.password_file.is_none() {
            return refused("mail.user", "user and password_file are needed both, or neither");
        }
        Ok(())
    }
}

fn refused(key: &'static str, reason: &str) -> Result<(), ConfigError> {
    Err(ConfigError::Refused { key, reason: reason.to_owned() })
}

/// Whether nobody reads what goes to this PostgreSQL: it is on this machine, or TLS is insisted on. Asks sqlx, which also
/// looks at PGHOST and PGSSLMODE. What it cannot read it will not connect to.
fn is_private_way(url: &str) -> bool {
    let Ok(options) = url.parse::<PgConnectOptions>() else { return true };
    let has_tls =
        matches!(options.get_ssl_mode(), PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    let host = options.get_host().trim_matches(['[', ']']);
    has_tls || options.get_socket().is_some() || host.starts_with('/') || is_this_machine(host)
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
