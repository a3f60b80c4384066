//! `folder find`: where encrypted folders are, or could be.

use anyhow::Result;
use ensafer_core::api::local::{Standing, Whose};
use ensafer_core::status::SharedWithMe;

use super::super::Format;
use crate::account;
use crate::clouds::{self, CloudDirectory, Looked};
use crate::folder_keys::Vault;
use crate::folders::Folders;
use crate::output::{printable, shell_word};
use crate::shell::Shell;
use crate::vault::ShellVault;

/// Looks. A password that is not at hand is asked for where encrypted folders are found that may be the account's.
pub(super) fn look(shell: &Shell) -> Result<Looked> {
    let folders = Folders::load(shell.home.data_dir())?;
    let vault = account::exists(&shell.home).then(|| ShellVault::new(shell, true));
    let vault = vault.as_ref().map(|vault| vault as &dyn Vault);
    clouds::look(folders.entries(), &shell.home, vault)
}

pub(super) fn run(format: &Format, shell: &Shell) -> Result<()> {
    let seen = look(shell)?;
    if format.json {
        shell.output.document(&seen.report())?;
        return Ok(());
    }
    for CloudDirectory { client, path } in &seen.clouds {
        let name = client.name();
        shell.output.line(format_args!("{name:12}  {}", printable(&path.to_string_lossy())))?;
    }
    for found in &seen.encrypted {
        let directory = found.directory.to_string_lossy();
        shell.output.line(format_args!("{}: {}", printable(&directory), describe(&found.whose)))?;
        if let Some(command) = what_next(&directory, &found.whose) {
            shell.output.line(format_args!("  Do: {command}"))?;
        }
    }
    tell_what_else(shell, &seen);
    Ok(())
}

fn tell_what_else(shell: &Shell, seen: &Looked) {
    if seen.clouds.is_empty() {
        shell.output.note(
            "No directory of a cloud client that Ensafer knows was found. Any directory that something carries to \
             the other computers will do: ensafer folder add WORK ENCRYPTED",
        );
    } else if seen.encrypted.is_empty() {
        shell.output.note(
            "No encrypted folder for you was found in them. For a new one make an empty directory in one of them: \
             ensafer folder add WORK ENCRYPTED",
        );
    }
}

/// Whose a folder is, in words.
pub(super) fn describe(whose: &Whose) -> String {
    match whose {
        Whose::Listed { work } => format!("synced with {}", printable(work)),
        Whose::Own => "yours".to_owned(),
        Whose::Shared { owner, standing, .. } => shared_by(owner, *standing),
        Whose::Unknown => "whose it is shows once an account is set up here".to_owned(),
    }
}

fn shared_by(owner: &str, standing: Standing) -> String {
    let known = match standing {
        Standing::Own => "you",
        Standing::Verified => "verified",
        Standing::Pinned => "seen before, not compared",
        Standing::Unknown => "never met; the name is the folder's own word",
        Standing::Changed => "OTHER KEYS than were seen before under this address",
    };
    format!("shared with you by {} ({known})", printable(owner))
}

/// What to type for a folder that could be synced here.
fn what_next(directory: &str, whose: &Whose) -> Option<String> {
    match whose {
        Whose::Own => Some(format!("ensafer folder add WORK {}", word(directory))),
        Whose::Shared { owner, standing, .. } => Some(how_to_join(directory, owner, *standing)),
        Whose::Listed { .. } | Whose::Unknown => None,
    }
}

fn how_to_join(directory: &str, owner: &str, standing: Standing) -> String {
    match standing {
        Standing::Changed => format!("ensafer share verify {} --changed", word(owner)),
        Standing::Unknown => format!("ensafer folder add WORK {} --from {}", word(directory), word(owner)),
        _ => format!("ensafer folder add WORK {}", word(directory)),
    }
}

/// A folder that is shared and not synced here, as the status says it.
pub(in crate::cli) fn line_of(shared: &SharedWithMe) -> String {
    let SharedWithMe { encrypted, owner, standing, .. } = shared;
    let by = shared_by(owner, *standing);
    format!("{by}: {} — {}", printable(encrypted), how_to_join(encrypted, owner, *standing))
}

fn word(text: &str) -> String {
    shell_word(&printable(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(encrypted: &str, owner: &str, standing: Standing) -> String {
        let (encrypted, owner) = (encrypted.to_owned(), owner.to_owned());
        line_of(&SharedWithMe { encrypted, owner, fingerprint: String::new(), standing })
    }

    #[test]
    fn what_somebody_else_has_named_is_quoted() {
        assert_eq!(
            shared("/c/My team", "a@b.example; rm -r ~\n", Standing::Unknown),
            "shared with you by a@b.example; rm -r ~\u{FFFD} (never met; the name is the folder's own word): /c/My team — \
             ensafer folder add WORK '/c/My team' --from 'a@b.example; rm -r ~\u{FFFD}'"
        );
    }

    #[test]
    fn nobody_is_told_to_join_where_keys_have_changed() {
        let line = shared("/c/team", "a@b.example", Standing::Changed);
        assert!(line.ends_with("ensafer share verify a@b.example --changed"), "{line}");
        let line = shared("/c/team", "a@b.example", Standing::Pinned);
        assert!(line.ends_with("ensafer folder add WORK /c/team"), "{line}");
    }
}
