//! What a command prints: results on standard output, everything else on standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::exit;

/// How much a command says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    quiet: bool,
    colour: bool,
    terminal: bool,
}

impl Output {
    /// For this process: colour on a terminal only, and not where `NO_COLOR` is set (no-color.org).
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self { quiet, colour: terminal && !plain, terminal }
    }

    /// Whether progress bars make sense.
    #[must_use]
    pub fn shows_progress(&self) -> bool {
        self.terminal && !self.quiet
    }

    /// Whether only results and errors are to be printed.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// A line of the result.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn line(&self, text: impl Display) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{text}")
    }

    /// The result as JSON: one document.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn document(&self, value: &impl Serialize) -> io::Result<()> {
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, value)?;
        writeln!(out)
    }

    /// What a person may want to know beside the result; `-q` silences it.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            // Nobody is left to be told that standard error is closed.
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// A line of what somebody is asked about, which `-q` does not silence.
    pub fn plain(&self, text: impl Display) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// What must be read even with `-q`.
    pub fn warn(&self, text: impl Display) {
        let (on, off) = if self.colour { ("\u{1b}[33m", "\u{1b}[0m") } else { ("", "") };
        let _ = writeln!(io::stderr().lock(), "{on}Note:{off} {text}");
    }

    /// Why the command failed, and what to do, once.
    pub fn error(&self, error: &anyhow::Error) {
        let (on, off) = if self.colour { ("\u{1b}[31m", "\u{1b}[0m") } else { ("", "") };
        let mut err = io::stderr().lock();
        let _ = writeln!(err, "{on}Error:{off} {}", sentence(&exit::describe(error)));
        if let Some(remedy) = exit::remedy(error) {
            let _ = writeln!(err, "  Do: {remedy}");
        }
    }
}

/// How the words of errors begin. Whatever else stands at a start may be a name or a path, which is spelt as it is.
const BEGINNINGS: [&str; 26] = [
    "a",
    "an",
    "another",
    "belongs",
    "cannot",
    "damaged",
    "expected",
    "interrupted",
    "it",
    "malformed",
    "no",
    "nobody",
    "not",
    "of",
    "only",
    "shorter",
    "the",
    "there",
    "these",
    "they",
    "this",
    "too",
    "two",
    "what",
    "written",
    "you",
];

/// The text with a capital at its start, unless it starts with something that is spelt as it is.
#[must_use]
pub fn sentence(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or_default();
    if !BEGINNINGS.contains(&first) {
        return text.to_owned();
    }
    text[..1].to_uppercase() + &text[1..]
}

/// The text without what a name made by somebody else could use to show what is not there: control characters,
/// separators of lines and paragraphs, and what turns the direction of the text around it (UAX #9).
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || turns_text(c) { '\u{FFFD}' } else { c }).collect()
}

fn turns_text(c: char) -> bool {
    matches!(
        c,
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    )
}

/// The text as one word of a command line (POSIX shells, 2.2 "Quoting").
#[must_use]
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-@+,:=%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A length for people, in powers of 1024.
#[must_use]
pub fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one() {
        for plain in ["/home/alice/Nextcloud", "a-b_c@d.example", "/home/zoë"] {
            assert_eq!(shell_word(plain), plain);
        }
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("it's $(here)"), r"'it'\''s $(here)'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn text_is_fit_for_a_terminal() {
        assert_eq!(sentence("no daemon runs"), "No daemon runs");
        assert_eq!(sentence("settle_ms = 1"), "settle_ms = 1");
        assert_eq!(sentence("work does not exist. Make it?"), "work does not exist. Make it?");
        assert_eq!(printable("a\u{1b}[2Jb\nc é 😀"), "a\u{FFFD}[2Jb\u{FFFD}c é 😀");
        for turning in "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}".chars() {
            assert_eq!(printable(&format!("a{turning}b")), "a\u{FFFD}b", "{turning:?}");
        }
        // Joiners belong to scripts and to pictures.
        assert_eq!(printable("עברית 👩\u{200d}🚀"), "עברית 👩\u{200d}🚀");
    }
}
