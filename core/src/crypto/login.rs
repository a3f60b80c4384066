//! A user's name, in the one spelling that keys are derived from.

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;

/// Longest login in bytes: the longest e-mail address (RFC 5321 section 4.5.3.1.3, without the angle brackets).
pub const MAX_LOGIN_BYTES: usize = 254;

/// An e-mail address, or a name that a server gave: trimmed, NFC, lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Login(String);

/// The text is no login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Nothing but white space.
    #[error("the login is empty")]
    Empty,
    /// Over 254 bytes.
    #[error("the login is longer than 254 bytes")]
    TooLong,
    /// White space or a control character inside.
    #[error("the login has a space or a control character in it")]
    Character,
    /// Nothing before the `@`, or more than one `@`.
    #[error("not an e-mail address: there must be one @ with something before it")]
    Address,
    /// The domain has other letters than ASCII's.
    #[error("the domain after the @ has letters outside of ASCII: write it in its xn-- form")]
    DomainNotAscii,
    /// The domain is not made of labels.
    #[error("the domain after the @ is not a domain")]
    Domain,
}

impl Login {
    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Login {
    type Err = LoginError;

    fn from_str(text: &str) -> Result<Self, LoginError> {
        let lower = text.trim().nfc().collect::<String>().to_lowercase();
        let canonical: String = lower.nfc().collect();
        if canonical.is_empty() {
            return Err(LoginError::Empty);
        }
        if canonical.len() > MAX_LOGIN_BYTES {
            return Err(LoginError::TooLong);
        }
        if canonical.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(LoginError::Character);
        }
        if let Some((local, domain)) = canonical.rsplit_once('@') {
            if local.is_empty() || local.contains('@') {
                return Err(LoginError::Address);
            }
            check_domain(domain)?;
        }
        Ok(Self(canonical))
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check_domain(domain: &str) -> Result<(), LoginError> {
    if !domain.is_ascii() {
        return Err(LoginError::DomainNotAscii);
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if domain.split('.').all(is_label) { Ok(()) } else { Err(LoginError::Domain) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_login_are_one() {
        let canonical: Login = "zoë@example.com".parse().unwrap();
        for spelling in ["  Zoë@Example.COM\n", "ZOE\u{308}@example.com"] {
            assert_eq!(spelling.parse(), Ok(canonical.clone()), "{spelling:?}");
        }
        assert_eq!("Alice".parse::<Login>().unwrap().as_str(), "alice");
    }

    #[test]
    fn what_is_no_login_is_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        for (text, error) in [
            (" \t", LoginError::Empty),
            (long.as_str(), LoginError::TooLong),
            ("a b@example.com", LoginError::Character),
            ("a\0b", LoginError::Character),
            ("@example.com", LoginError::Address),
            ("a@b@example.com", LoginError::Address),
            ("a@bücher.example", LoginError::DomainNotAscii),
            ("a@", LoginError::Domain),
            ("a@example..com", LoginError::Domain),
            ("a@-example.com", LoginError::Domain),
        ] {
            assert_eq!(text.parse::<Login>(), Err(error), "{text:?}");
        }
    }
}
