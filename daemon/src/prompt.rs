//! Questions: passwords and consent. Secrets come from a command, the terminal or standard input, never from arguments.

use std::env;
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use ensafer_client::exit::Exit;
use ensafer_client::password::Password;
use zeroize::{Zeroize, Zeroizing};

use crate::exit::{self, Failure};
use crate::output::{Output, sentence};

/// How often somebody at a terminal may mistype a password in one command, as with sudo(8). A server counts each of
/// them, so there is an end.
const TRIES: usize = 3;

/// Names the variable with a command that prints the password.
pub const PASSWORD_COMMAND_VARIABLE: &str = "ENSAFER_PASSWORD_COMMAND";
/// Names the variable with a command that prints the password that is to replace it.
pub const NEW_PASSWORD_COMMAND_VARIABLE: &str = "ENSAFER_NEW_PASSWORD_COMMAND";

/// Asks for a secret: the command of `ENSAFER_PASSWORD_COMMAND`, else the terminal with `question`, else the first line
/// of standard input.
///
/// # Errors
/// The command fails, there is no input, or the secret is empty.
pub fn password(question: &str) -> Result<Password> {
    match password_from_command()? {
        Some(password) => Ok(password),
        None => typed_password(question, PASSWORD_COMMAND_VARIABLE),
    }
}

/// Asks for a secret as [`password`] does and tries it. At a terminal it is asked for again where it is the wrong one, up
/// to three times in all; a command or standard input would only say the same again.
///
/// # Errors
/// As [`password`], or what `attempt` says.
pub fn tried_password<T>(
    output: Output,
    question: &str,
    mut attempt: impl FnMut(&Password) -> Result<T>,
) -> Result<(Password, T)> {
    tried(output, Some(PASSWORD_COMMAND_VARIABLE), exit::is_wrong_password, || {
        let password = password(question)?;
        let done = attempt(&password)?;
        Ok((password, done))
    })
}

/// A password to be set: asked twice on a terminal, and asked for anew there where `check` refuses it.
///
/// # Errors
/// As [`password`], or what `check` says, or the two differ.
pub fn new_password(
    output: Output,
    question: &str,
    check: impl Fn(&Password) -> Result<()>,
) -> Result<Password> {
    new_secret(output, question, Some(PASSWORD_COMMAND_VARIABLE), "The two passwords differ", check)
}

/// A password that replaces another one: the command of `ENSAFER_NEW_PASSWORD_COMMAND`, else as [`new_password`].
///
/// # Errors
/// As [`new_password`].
pub fn replacing_password(
    output: Output,
    question: &str,
    check: impl Fn(&Password) -> Result<()>,
) -> Result<Password> {
    new_secret(output, question, Some(NEW_PASSWORD_COMMAND_VARIABLE), "The two passwords differ", check)
}

/// An answer to be remembered: asked twice on a terminal, where nobody sees what is typed.
///
/// # Errors
/// As [`asked`], or what `check` says, or the two differ.
pub fn new_answer(
    output: Output,
    question: &str,
    check: impl Fn(&Password) -> Result<()>,
) -> Result<Password> {
    new_secret(output, question, None, "The two answers differ", check)
}

/// A secret that is asked twice on a terminal; `variable` names its command, where it can have one.
fn new_secret(
    output: Output,
    question: &str,
    variable: Option<&str>,
    differ: &str,
    check: impl Fn(&Password) -> Result<()>,
) -> Result<Password> {
    let is_slip = |error: &anyhow::Error| exit::of(error) == Exit::Usage;
    tried(output, variable, is_slip, || {
        let secret = match variable.map(|variable| (variable, secret_from_command(variable))) {
            Some((_, Err(error))) => return Err(error),
            Some((_, Ok(Some(secret)))) => {
                check(&secret)?;
                return Ok(secret);
            }
            Some((variable, Ok(None))) => typed_password(question, variable)?,
            None => asked(question)?,
        };
        check(&secret)?;
        if is_terminal() && typed("The same again: ")?.is_none_or(|again| again.expose() != secret.expose()) {
            return Err(Failure::new(Exit::Usage, differ).with_remedy("Try again").into());
        }
        Ok(secret)
    })
}

/// Makes an attempt: once, or where somebody types what it wants, again after each slip.
fn tried<T>(
    output: Output,
    variable: Option<&str>,
    is_slip: impl Fn(&anyhow::Error) -> bool,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let is_typed = is_terminal() && variable.and_then(command_of).is_none();
    for _ in 1..if is_typed { TRIES } else { 1 } {
        match attempt() {
            Err(error) if is_slip(&error) => {
                output.warn(format_args!("{}. Try again.", sentence(&exit::describe(&error))));
            }
            other => return other,
        }
    }
    attempt()
}

/// The password that `ENSAFER_PASSWORD_COMMAND` prints, if it is set: for processes that cannot ask.
///
/// # Errors
/// The command fails or prints nothing.
pub fn password_from_command() -> Result<Option<Password>> {
    secret_from_command(PASSWORD_COMMAND_VARIABLE)
}

fn secret_from_command(variable: &str) -> Result<Option<Password>> {
    command_of(variable).map(|command| run_command(variable, &command)).transpose()
}

fn command_of(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|command| !command.is_empty())
}

/// A secret that is not the password (a recovery key): the terminal, else the first line of standard input.
///
/// # Errors
/// There is no input, or it is empty.
pub fn asked(question: &str) -> Result<Password> {
    let missing = || {
        let what = question.trim_end().trim_end_matches(':');
        Failure::new(Exit::Usage, format!("Nothing was given for: {what}"))
            .with_remedy("Type it, or give it on standard input, one line for each question")
    };
    typed(question)?.ok_or_else(|| missing().into())
}

/// Asks for a secret as [`asked`] does and tries it: at a terminal again where it was mistyped or is the wrong one, up to
/// three times in all.
///
/// # Errors
/// As [`asked`], or what `attempt` says.
pub fn tried_answer<T>(
    output: Output,
    question: &str,
    mut attempt: impl FnMut(&Password) -> Result<T>,
) -> Result<T> {
    let is_slip = |error: &anyhow::Error| matches!(exit::of(error), Exit::Usage | Exit::WrongPassword);
    tried(output, None, is_slip, || attempt(&asked(question)?))
}

/// A password that is typed, where the command of `variable` does not give it.
fn typed_password(question: &str, variable: &str) -> Result<Password> {
    typed(question)?.ok_or_else(|| no_password(variable).into())
}

/// What is typed; `None` where that is nothing.
fn typed(question: &str) -> Result<Option<Password>> {
    let text = if io::stdin().is_terminal() {
        rpassword::prompt_password(question).context("The terminal cannot be read")?
    } else {
        first_line(&mut io::stdin().lock())?
    };
    Ok((!text.is_empty()).then(|| Password::new(text)))
}

fn first_line(input: &mut impl BufRead) -> Result<String> {
    let mut line = Zeroizing::new(String::new());
    input.read_line(&mut line).context("Standard input cannot be read")?;
    Ok(without_line_end(&line).to_owned())
}

/// Without the one line ending that a text may have, be it written on Windows.
fn without_line_end(text: &str) -> &str {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').unwrap_or(line)
}

fn run_command(variable: &str, command: &str) -> Result<Password> {
    let ran =
        Command::new("sh").arg("-c").arg(command).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let mut output = ran.with_context(|| format!("{variable} cannot be run"))?;
    if !output.status.success() {
        output.stdout.zeroize();
        let what = format!("{variable} failed ({})", output.status);
        return Err(Failure::new(Exit::Error, what)
            .with_remedy(format!("Try the command of {variable} in a terminal"))
            .into());
    }
    let mut text = String::from_utf8(output.stdout).map_err(|error| {
        error.into_bytes().zeroize();
        Failure::new(Exit::Error, format!("{variable} printed something that is not text"))
    })?;
    text.truncate(without_line_end(&text).len());
    if text.is_empty() { Err(no_password(variable).into()) } else { Ok(Password::new(text)) }
}

fn no_password(variable: &str) -> Failure {
    Failure::new(Exit::Usage, "No password was given")
        .with_remedy(format!("Type one, give it on standard input, or set {variable}"))
}

/// Whether somebody sits at a terminal and can answer.
#[must_use]
pub fn is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Whether a password can be had: from somebody at a terminal, or from a command. Standard input may be anybody's.
#[must_use]
pub fn can_ask() -> bool {
    is_terminal() || command_of(PASSWORD_COMMAND_VARIABLE).is_some()
}

/// Asks a question that `-y` answers. Without a terminal nothing is assumed.
///
/// # Errors
/// [`Exit::Usage`] where nobody can be asked.
pub fn confirm(question: &str, yes: bool) -> Result<bool> {
    Ok(yes || matches!(answer(question, "[y/N]")?.to_lowercase().as_str(), "y" | "yes"))
}

/// The same for what cannot be undone: `word` is to be typed, which nobody does by habit.
///
/// # Errors
/// As [`confirm`].
pub fn confirm_by_word(question: &str, word: &str, yes: bool) -> Result<bool> {
    Ok(yes || answer(question, &format!("Type {word} to agree:"))?.eq_ignore_ascii_case(word))
}

fn answer(question: &str, how: &str) -> Result<String> {
    if is_terminal() {
        return line(&format!("{question} {how} "));
    }
    let failure = Failure::new(Exit::Usage, format!("{question} There is no terminal to answer on"));
    Err(failure.with_remedy("Add -y to agree").into())
}

/// Asks for a line of text on the terminal, trimmed.
///
/// # Errors
/// The terminal cannot be read.
pub fn line(question: &str) -> Result<String> {
    let mut error = io::stderr().lock();
    write!(error, "{question}").and_then(|()| error.flush()).context("The terminal cannot be written")?;
    drop(error);
    Ok(first_line(&mut io::stdin().lock())?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_loses_one_line_ending_and_nothing_else() {
        for (command, expected) in [
            (r#"printf "correct horse battery""#, "correct horse battery"),
            ("echo x", "x"),
            (r"printf ' a\n\n'", " a\n"),
            (r"printf 'ä\r\n'", "ä"),
        ] {
            assert_eq!(run_command(PASSWORD_COMMAND_VARIABLE, command).unwrap().expose(), expected);
        }
    }

    #[test]
    fn a_command_that_fails_is_reported() {
        let error = run_command(PASSWORD_COMMAND_VARIABLE, "echo secret; exit 3").unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
        assert!(!format!("{error:?}").contains("echo"), "a command may hold the password itself: {error:?}");
        assert!(
            run_command(PASSWORD_COMMAND_VARIABLE, "true").unwrap_err().to_string().contains("No password")
        );
        assert!(
            run_command(PASSWORD_COMMAND_VARIABLE, r"printf '\377'")
                .unwrap_err()
                .to_string()
                .contains("not text")
        );
    }

    #[test]
    fn the_first_line_is_the_secret() {
        assert_eq!(first_line(&mut &b"one\ntwo\n"[..]).unwrap(), "one");
        assert_eq!(first_line(&mut &b"one"[..]).unwrap(), "one");
        assert_eq!(first_line(&mut &b""[..]).unwrap(), "");
    }
}
