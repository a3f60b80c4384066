//! The words of a mail, in plain text and HTML.
//!
//! A template's first line is the subject. In the HTML, values are escaped; nothing is loaded from elsewhere.

use ensafer_core::crypto::{Login, Random, SystemRandom};
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};

use super::{Mail, MailError};

/// Around every HTML part.
const LAYOUT: &str = include_str!("../../templates/layout.html");

/// A mail's two parts, before values are put in.
struct Template {
    text: &'static str,
    html: &'static str,
}

macro_rules! template {
    ($name:literal) => {
        Template {
            text: include_str!(concat!("../../templates/", $name, ".txt")),
            html: include_str!(concat!("../../templates/", $name, ".html")),
        }
    };
}

/// Marks mail that no person wrote (RFC 3834 section 5), so that nobody's holiday notice answers it.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Writes the mail. `name` is the server's.
///
/// # Errors
/// [`MailError::NotAnAddress`], [`MailError::Message`].
pub fn compose(name: &str, from: &Mailbox, to: &Login, mail: Mail<'_>) -> Result<Message, MailError> {
    let address: Address = to.as_str().parse().map_err(|_| MailError::NotAnAddress)?;
    let Template { text, html } = template(mail);
    let values = values(name, to, mail);
    let (subject, text) = text.split_once("\n\n").unwrap_or((text, ""));
    let text = fill(text, &values, str::to_owned);
    let html = fill(&LAYOUT.replace("{{content}}", html.trim_end()), &values, escape);
    let message = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, address))
        .subject(fill(subject, &values, one_line))
        .message_id(Some(message_id(from)))
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(text, html))?;
    Ok(message)
}

fn template(mail: Mail<'_>) -> Template {
    match mail {
        Mail::ConfirmAddress { .. } => template!("confirm-address"),
        Mail::NewDevice { .. } => template!("new-device"),
        Mail::PasswordChanged { .. } => template!("password-changed"),
        Mail::RecoveryChanged { .. } => template!("recovery-changed"),
        Mail::RecoveryUsed { .. } => template!("recovery-used"),
        Mail::AddressChanged { .. } => template!("address-changed"),
        Mail::AccountDeleted => template!("account-deleted"),
        Mail::Invitation { .. } => template!("invitation"),
    }
}

/// What stands for `{{…}}`.
fn values(name: &str, to: &Login, mail: Mail<'_>) -> Vec<(&'static str, String)> {
    let mut values = vec![("name", name.to_owned()), ("login", to.to_string())];
    match mail {
        Mail::ConfirmAddress { code, expires_in_s } => {
            values.push(("code", code.to_owned()));
            values.push(("expires", duration(expires_in_s)));
        }
        Mail::NewDevice { device_name, at_s } => {
            values.push(("device", one_line(device_name)));
            values.push(("at", date(at_s)));
        }
        Mail::PasswordChanged { at_s } | Mail::RecoveryChanged { at_s } | Mail::RecoveryUsed { at_s } => {
            values.push(("at", date(at_s)));
        }
        Mail::AddressChanged { new } => values.push(("new", new.to_string())),
        Mail::AccountDeleted => {}
        Mail::Invitation { inviter, link, expires_at_s } => {
            values.push(("inviter", one_line(inviter.as_str())));
            values.push(("link", link.to_owned()));
            values.push(("until", date(expires_at_s)));
        }
    }
    values
}

/// Puts the values in, in one pass: what looks like a place in a value stays as it is.
fn fill(template: &str, values: &[(&'static str, String)], write: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (key, after) = after.split_once("}}").unwrap_or((after, ""));
        filled.push_str(before);
        filled.extend(values.iter().find(|(name, _)| *name == key).map(|(_, value)| write(value)));
        rest = after;
    }
    filled + rest
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A name that somebody else chose, without line breaks to pretend a header or a paragraph with.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn date(at_s: u64) -> String {
    let time = i64::try_from(at_s).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    time.map_or_else(String::new, |time| time.strftime("%-d %B %Y, %H:%M UTC").to_string())
}

fn duration(seconds: u64) -> String {
    let (count, unit) = match seconds {
        s if s >= 2 * 3600 => (s / 3600, "hours"),
        s => (s / 60, "minutes"),
    };
    format!("{count} {unit}")
}

/// Random, at the sender's domain: the machine's own name is nobody's business.
fn message_id(from: &Mailbox) -> String {
    let mut random = [0; 16];
    SystemRandom.fill(&mut random);
    format!("<{}@{}>", hex::encode(random), from.email.domain())
}
