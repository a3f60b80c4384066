//! A password on its way from whoever typed it.

use std::fmt;

use ensafer_core::crypto::{AccountKey, Passphrase};
use zeroize::Zeroizing;

/// What a person typed to prove who they are. Wiped when dropped, never printed.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes the text as it is.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text beside the account key, where the account has one.
    #[must_use]
    pub fn with<'a>(&'a self, account_key: Option<&'a AccountKey>) -> Passphrase<'a> {
        Passphrase { password: &self.0, account_key }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_printed() {
        assert_eq!(format!("{:?}", Password::new("hunter2".into())), "Password(…)");
    }
}
