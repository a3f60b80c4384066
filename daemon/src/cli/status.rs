//! `status`.

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::local_api::Client;
use ensafer_core::plan::ProblemClass;
use ensafer_core::safety::{Brake, BrakeKind};
use ensafer_core::status::{AccountNoticeKind, FolderStatus, Status};

use super::Format;
use super::engine::Engine;
use super::folder::line_of;
use crate::account;
use crate::folders::Folders;
use crate::output::{printable, shell_word};
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let status = match Client::connect_if_running(&shell.home)? {
        Some(client) => client.status()?,
        None => engine.status(shell)?,
    };
    if arguments.format.json {
        shell.output.document(&status)?;
    } else {
        print(shell, &status)?;
    }
    Ok(Exit::Success)
}

/// Prints the status for people: one line for all, and some for each folder.
pub(super) fn print(shell: &Shell, status: &Status) -> Result<()> {
    let folders = Folders::load(shell.home.data_dir())?;
    let has_folders = !status.folders.is_empty() || !folders.entries().is_empty();
    if has_folders {
        shell.output.line(status.headline())?;
    } else {
        shell.output.line("No folder is set up")?;
    }
    for folder in &status.folders {
        let entry = folders.entries().iter().find(|entry| entry.id == folder.folder);
        let name = entry.map_or_else(|| folder.folder.to_string(), |entry| entry.work.display().to_string());
        shell.output.line(format_args!("{}: {}", printable(&name), describe(folder)))?;
        if folder.shut == Some(ProblemClass::NotAMember) {
            let work = shell_word(&printable(&name));
            shell.output.line(format_args!("  Do: ensafer folder remove {work}, to take it off the list"))?;
        } else if let Some(class) = folder.shut {
            shell.output.line(format_args!("  Do: {}", class.remedy()))?;
        }
        if let Some(brake) = &folder.brake {
            shell.output.line(format_args!("  {}", describe_brake(brake)))?;
            shell
                .output
                .line(format_args!("  Do: ensafer resume --go-on {}, if that is right", brake.token))?;
        }
    }
    // It is said below, with a daemon and without.
    for notice in status.account.iter().filter(|notice| notice.kind != AccountNoticeKind::NotSetUp) {
        shell.output.line(printable(&notice.text))?;
    }
    for shared in &status.shared_with_me {
        shell.output.line(line_of(shared))?;
    }
    if !account::exists(&shell.home) {
        shell.output.note("No account is set up: ensafer up, register or keys import");
    } else if !has_folders {
        shell.output.note(
            "To add one: ensafer folder add WORK ENCRYPTED (ensafer folder find says where there may be one)",
        );
    }
    Ok(())
}

fn describe(folder: &FolderStatus) -> String {
    if let Some(class) = folder.shut {
        return class.what().to_owned();
    }
    let mut text = folder.state.text().to_owned();
    if let Some(why) = &folder.why {
        text += &format!(" ({})", printable(why));
    }
    if let Some(progress) = &folder.progress {
        text += &format!(", {} of {}", progress.done_count, progress.total_count);
    }
    for (count, what) in [
        (folder.problems, "not in order (ensafer problems)"),
        (folder.still_arriving, "still arriving"),
        (folder.conflicts, "kept twice"),
    ] {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    text
}

fn describe_brake(brake: &Brake) -> String {
    let Brake { count, of, .. } = brake;
    match brake.kind {
        BrakeKind::RootGone if brake.objects.is_empty() => {
            "The work folder is another one, or its .ensafer/folder is gone".to_owned()
        }
        BrakeKind::RootGone => {
            format!("The work folder is empty or another one; {} files would be deleted", brake.objects.len())
        }
        BrakeKind::LocalDeletions => format!("{count} of {of} files were deleted here"),
        BrakeKind::RemoteDeletions => format!("{count} of {of} files were deleted on other devices"),
        BrakeKind::PutBack => format!("{count} of {of} encrypted files vanished and would be written back"),
        BrakeKind::Conflicts => format!("{count} of {of} files would be kept twice"),
        BrakeKind::Scrambled => format!("{count} of {of} files turned into noise, as ransomware does it"),
    }
}

#[cfg(test)]
mod tests {
    use ensafer_core::ids::FolderId;
    use ensafer_core::status::{Event, Facts};
    use ensafer_core::time::Timestamp;

    use super::*;

    #[test]
    fn a_folder_is_described_with_what_matters() {
        let now = Timestamp::from_parts(0, 0);
        let facts = Facts::new(FolderId::new([1; 16]), now);
        let paused = facts.clone().fold(Event::Paused(Some("for\u{1b} an hour".into())), now);
        assert_eq!(describe(&paused.status()), "Paused (for\u{FFFD} an hour)");
        let conflicts = facts.clone().fold(Event::Conflicts(2), now);
        assert_eq!(describe(&conflicts.status()), "Checking both sides, 2 kept twice");
        let shut = facts.fold(Event::Shut(Some(ProblemClass::NotAMember)), now).status();
        assert_eq!(describe(&shut), "You are no longer a member of this folder; your copies stay here.");
    }
}
