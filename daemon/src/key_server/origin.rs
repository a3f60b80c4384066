//! Where a key server is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::output::printable;

/// A key server's origin (RFC 6454) in its canonical ASCII form: `https://keys.example.com`. It is the realm that
/// passwords are derived for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    text: String,
    is_loopback: bool,
}

/// The text is no key server's origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not a URL at all.
    #[error("\"{}\" is not the address of a server", printable(text))]
    Malformed {
        /// It.
        text: String,
    },
    /// It says more than where the server is.
    #[error("the address of a server has nothing behind its name and port: {origin}")]
    Extra {
        /// What is left of it.
        origin: String,
    },
    /// Plain HTTP to another computer.
    #[error("{origin} is not encrypted: only https is used between computers")]
    Unencrypted {
        /// It.
        origin: String,
    },
}

impl Origin {
    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the server is on this computer.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    /// Reads an address as people type it: without a scheme it is https.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        let text = text.trim();
        let malformed = || OriginError::Malformed { text: text.to_owned() };
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let url = Url::parse(&with_scheme).map_err(|_| malformed())?;
        let host = url.host().ok_or_else(malformed)?;
        // A scheme without its colon would pass for the name of a server.
        if matches!(host, Host::Domain("https" | "http")) {
            return Err(malformed());
        }
        let is_loopback = is_loopback(&host);
        let origin = url.origin().ascii_serialization();
        let has_more = !matches!(url.path(), "" | "/")
            || url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some();
        match url.scheme() {
            "https" | "http" if has_more => Err(OriginError::Extra { origin }),
            "https" => Ok(Self { text: origin, is_loopback }),
            "http" if is_loopback => Ok(Self { text: origin, is_loopback }),
            "http" => Err(OriginError::Unencrypted { origin }),
            _ => Err(malformed()),
        }
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        // Not the names below it (RFC 6761 section 6.3): some resolvers ask the DNS for those.
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.text
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_server_are_one() {
        for (text, origin) in [
            ("keys.example.com", "https://keys.example.com"),
            (" HTTPS://Keys.Example.com:443/ ", "https://keys.example.com"),
            ("https://keys.example.com:8443", "https://keys.example.com:8443"),
            ("bücher.example", "https://xn--bcher-kva.example"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://localhost", "http://localhost"),
            ("http://[::1]:9", "http://[::1]:9"),
        ] {
            assert_eq!(text.parse::<Origin>().map(String::from), Ok(origin.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in [
            "",
            "ftp://example.com",
            "https://",
            "file:///etc",
            "a b",
            "https//keys.example.com",
            "http:/a",
            "https",
        ] {
            assert!(matches!(text.parse::<Origin>(), Err(OriginError::Malformed { .. })), "{text}");
        }
        for text in ["https://a/b", "https://a?b", "https://a#b", "https://u@a", "https://u:p@a"] {
            assert!(matches!(text.parse::<Origin>(), Err(OriginError::Extra { .. })), "{text}");
        }
        for text in [
            "http://example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://keys.localhost",
            "http://localhost.",
        ] {
            assert!(matches!(text.parse::<Origin>(), Err(OriginError::Unencrypted { .. })), "{text}");
        }
    }
}
