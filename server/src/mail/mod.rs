//! Mails: what they say, and how they leave.

mod message;
#[cfg(test)]
pub(crate) mod tests;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::time::Duration;

use ensafer_core::crypto::Login;
use lettre::message::Mailbox;
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncFileTransport, AsyncTransport, Message, Tokio1Executor};

use crate::config::{Config, ConfigError, MailConfig, MailSecurity, MailTransport};
use crate::secret;

/// How long a mail may take to be handed over.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is mailed.
#[derive(Debug, Clone, Copy)]
pub enum Mail<'a> {
    /// The code that confirms an address.
    ConfirmAddress {
        /// It.
        code: &'a str,
        /// For how long it is good.
        expires_in_s: u64,
    },
    /// A device logged in for the first time.
    NewDevice {
        /// What it calls itself.
        device_name: &'a str,
        /// When.
        at_s: u64,
    },
    /// The password was changed.
    PasswordChanged {
        /// When.
        at_s: u64,
    },
    /// The recovery key was changed.
    RecoveryChanged {
        /// When.
        at_s: u64,
    },
    /// Somebody logged in with the recovery key.
    RecoveryUsed {
        /// When.
        at_s: u64,
    },
    /// The account has another address now. Goes to the old one.
    AddressChanged {
        /// The new one.
        new: &'a Login,
    },
    /// The account was deleted.
    AccountDeleted,
    /// The link of an invitation, for somebody who may have no account.
    Invitation {
        /// Who invites.
        inviter: &'a Login,
        /// The link, written by this server.
        link: &'a str,
        /// When it ends.
        expires_at_s: u64,
    },
}

/// Why a mail did not leave.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The login is a name, not an address.
    #[error("the login is not an e-mail address")]
    NotAnAddress,
    /// The message cannot be put together.
    #[error("the mail cannot be written")]
    Message(#[from] lettre::error::Error),
    /// The mail server refused the user or the password.
    #[error("the mail server refused the user name or the password: check mail.user and mail.password_file")]
    WrongPassword(#[source] lettre::transport::smtp::Error),
    /// Its certificate is not trusted.
    #[error(
        "the mail server's certificate is not trusted: check mail.host, or name its root in mail.ca_file"
    )]
    Certificate(#[source] lettre::transport::smtp::Error),
    /// It refused the mail.
    #[error("the mail server refused the mail")]
    Refused(#[source] lettre::transport::smtp::Error),
    /// It cannot be reached, or the talk with it broke off.
    #[error("the mail server cannot be reached: check mail.host, mail.port and mail.security")]
    Unreachable(#[source] lettre::transport::smtp::Error),
    /// It ended the talk by itself.
    #[error("the mail server hung up")]
    HungUp,
    /// The file cannot be written.
    #[error("the mail cannot be written into mail.directory")]
    File(#[from] lettre::transport::file::Error),
    /// It took longer than ten seconds.
    #[error("the mail server did not answer within 10 s")]
    Timeout,
}

impl MailError {
    /// The mail server's reply code (RFC 5321 section 4.2), if it gave one.
    fn status(&self) -> Option<u16> {
        match self {
            Self::WrongPassword(error)
            | Self::Certificate(error)
            | Self::Refused(error)
            | Self::Unreachable(error) => error.status().map(u16::from),
            Self::NotAnAddress | Self::Message(_) | Self::HungUp | Self::File(_) | Self::Timeout => None,
        }
    }
}

/// Sends mails.
#[derive(Debug, Clone)]
pub struct Mailer {
    transport: Transport,
    from: Mailbox,
    /// What the server calls itself.
    name: String,
}

#[derive(Debug, Clone)]
enum Transport {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    File(AsyncFileTransport<Tokio1Executor>),
}

impl Mailer {
    /// Makes the mailer that the settings ask for. Connects to nothing.
    ///
    /// # Errors
    /// [`ConfigError`]: a password that others can read, a root certificate that is none, a directory that cannot be
    /// made.
    pub fn new(config: &Config) -> Result<Option<Self>, ConfigError> {
        let mail = &config.mail;
        let transport = match mail.transport {
            MailTransport::None => return Ok(None),
            MailTransport::File => Transport::File(file_transport(mail)?),
            MailTransport::Smtp => Transport::Smtp(smtp_transport(mail)?),
        };
        let from = mail.from.parse().map_err(|_| ConfigError::Refused {
            key: "mail.from",
            reason: "it must be an address, such as Ensafer <keys@example.org>".to_owned(),
        })?;
        Ok(Some(Self { transport, from, name: config.name.clone() }))
    }

    /// Hands a mail over. Gives up after ten seconds.
    ///
    /// # Errors
    /// [`MailError`].
    pub async fn send(&self, to: &Login, mail: Mail<'_>) -> Result<(), MailError> {
        let message = message::compose(&self.name, &self.from, to, mail)?;
        let sent = tokio::time::timeout(TIMEOUT, self.hand_over(message)).await;
        let result = sent.unwrap_or(Err(MailError::Timeout));
        if let Err(error) = &result {
            // Not its source: what the mail server says may repeat the address.
            tracing::warn!(%error, status = error.status(), "mail not sent");
        }
        result
    }

    /// Logs in to the mail server, or looks whether the directory is there, without sending anything.
    ///
    /// # Errors
    /// [`MailError`].
    pub async fn check(&self) -> Result<(), MailError> {
        let Transport::Smtp(transport) = &self.transport else { return Ok(()) };
        match tokio::time::timeout(TIMEOUT, transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(MailError::HungUp),
            Ok(Err(error)) => Err(classify(error)),
            Err(_) => Err(MailError::Timeout),
        }
    }

    async fn hand_over(&self, message: Message) -> Result<(), MailError> {
        match &self.transport {
            Transport::Smtp(transport) => transport.send(message).await.map(drop).map_err(classify),
            Transport::File(transport) => transport.send(message).await.map(drop).map_err(MailError::File),
        }
    }
}

fn file_transport(mail: &MailConfig) -> Result<AsyncFileTransport<Tokio1Executor>, ConfigError> {
    let directory = &mail.directory;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|source| ConfigError::Io { path: directory.clone(), source })?;
    Ok(AsyncFileTransport::new(directory))
}

fn smtp_transport(mail: &MailConfig) -> Result<AsyncSmtpTransport<Tokio1Executor>, ConfigError> {
    let tls = match mail.security {
        MailSecurity::None => Tls::None,
        MailSecurity::Starttls => Tls::Required(tls_parameters(mail)?),
        MailSecurity::Tls => Tls::Wrapper(tls_parameters(mail)?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.host)
        .port(mail.port)
        .timeout(Some(TIMEOUT))
        .tls(tls);
    if let Some(path) = &mail.password_file {
        let password = secret::read_text(path)?;
        let password = password.strip_suffix('\n').unwrap_or(&password).to_owned();
        builder = builder.credentials(Credentials::new(mail.user.clone(), password));
    }
    Ok(builder.build())
}

fn tls_parameters(mail: &MailConfig) -> Result<TlsParameters, ConfigError> {
    let mut builder = TlsParameters::builder(mail.host.clone());
    if let Some(path) = &mail.ca_file {
        let pem = std::fs::read(path).map_err(|source| ConfigError::Io { path: path.clone(), source })?;
        let reason = |e: &dyn std::fmt::Display| format!("{} is no certificate in PEM: {e}", path.display());
        let certificate = Certificate::from_pem(&pem)
            .map_err(|e| ConfigError::Refused { key: "mail.ca_file", reason: reason(&e) })?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(|e| ConfigError::Refused { key: "mail.host", reason: e.to_string() })
}

/// Says what went wrong in words that lead to the setting. 530, 534, 535 and 538 are about the login (RFC 4954
/// section 6).
fn classify(error: lettre::transport::smtp::Error) -> MailError {
    match error.status().map(u16::from) {
        Some(530 | 534 | 535 | 538) => MailError::WrongPassword(error),
        Some(_) => MailError::Refused(error),
        None if error.is_client() || error.is_response() => MailError::Refused(error),
        None if is_about_certificate(&error) => MailError::Certificate(error),
        None => MailError::Unreachable(error),
    }
}

fn is_about_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An I/O error hides what it wraps from `source`.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inner = inner.and_then(|e| e.downcast_ref::<rustls::Error>());
        let tls = error.downcast_ref::<rustls::Error>().or(inner);
        if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        cause = error.source();
    }
    false
}
