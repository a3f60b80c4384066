//! Whether a password is good enough, and why not.

use ensafer_client::password::Password;
use ensafer_core::crypto::Login;
use zxcvbn::{Score, feedback};

use super::AccountError;

/// Longest part of a password that is looked at: the rest only makes it stronger, and takes long to look at.
const CHARACTERS: usize = 100;

/// Refuses a password that a stolen database would soon give away: one below 3 of zxcvbn's 4, that is, of fewer than
/// 10⁸ guesses; what `login` says of its owner counts as known.
///
/// # Errors
/// [`AccountError::Weak`].
pub fn check_strength(password: &Password, login: &Login) -> Result<(), AccountError> {
    let known: Vec<&str> = login.as_str().split(['@', '.']).chain([login.as_str(), "ensafer"]).collect();
    let looked_at: zeroize::Zeroizing<String> =
        zeroize::Zeroizing::new(password.expose().chars().take(CHARACTERS).collect());
    let estimate = zxcvbn::zxcvbn(&looked_at, &known);
    if estimate.score() >= Score::Three {
        return Ok(());
    }
    Err(AccountError::Weak { why: reason(estimate.feedback()) })
}

fn reason(feedback: Option<&feedback::Feedback>) -> String {
    let Some(feedback) = feedback else { return "it is guessed quickly".to_owned() };
    if let Some(warning) = feedback.warning() {
        return without_full_stop(&warning.to_string());
    }
    let suggestion =
        feedback.suggestions().first().map(|suggestion| without_full_stop(&suggestion.to_string()));
    suggestion.unwrap_or_else(|| "it is guessed quickly".to_owned())
}

fn without_full_stop(text: &str) -> String {
    text.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str) -> Result<(), AccountError> {
        check_strength(&Password::new(password.to_owned()), &"alice@example.com".parse().unwrap())
    }

    #[test]
    fn guessable_passwords_are_refused_with_a_reason() {
        for weak in
            ["ab1", "password1", "qwertyuiop", "alice", "Ensafer2026", "aaaaaaaaaaaa", "19850312", "monkey12"]
        {
            let Err(AccountError::Weak { why }) = check(weak) else { panic!("{weak} passes") };
            assert!(!why.is_empty() && !why.contains(weak), "{why}");
        }
    }

    #[test]
    fn good_passwords_pass() {
        for good in [
            "correct horse battery",
            "tr8vel-Kestrel-9",
            "zuppa inglese per undici",
            &format!("kelp orbit saddle {}", "z".repeat(5000)),
        ] {
            check(good).unwrap_or_else(|e| panic!("{good:.30}: {e}"));
        }
    }
}
