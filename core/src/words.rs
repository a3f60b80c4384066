//! What people are told: of states and of problems, what it is and what to do.

use crate::plan::ProblemClass;
use crate::status::{State, Status};

impl State {
    /// Every state, in the order of [`State`].
    pub const ALL: [Self; 10] = [
        Self::Locked,
        Self::Braked,
        Self::Attention,
        Self::Offline,
        Self::Working,
        Self::Checking,
        Self::WaitingForCloud,
        Self::Paused,
        Self::Stopped,
        Self::UpToDate,
    ];

    /// The word that stands for it in JSON, and names its icon.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Braked => "braked",
            Self::Attention => "attention",
            Self::Offline => "offline",
            Self::Working => "working",
            Self::Checking => "checking",
            Self::WaitingForCloud => "waiting-for-cloud",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::UpToDate => "up-to-date",
        }
    }

    /// A few words for a status line.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Locked => "Locked: enter the password",
            Self::Braked => "Stopped by the brake: look, then go on or undo",
            Self::Attention => "Some files need attention",
            Self::Offline => "A folder cannot be reached",
            Self::Working => "Working",
            Self::Checking => "Checking both sides",
            Self::WaitingForCloud => "Waiting for the cloud to deliver",
            Self::Paused => "Paused",
            Self::Stopped => "Stopped",
            Self::UpToDate => "Up to date",
        }
    }
}

impl Status {
    /// One line for all. A folder that is closed to this account is no file that needs attention.
    #[must_use]
    pub fn headline(&self) -> &'static str {
        let mut urgent = self.folders.iter().filter(|folder| folder.state == self.state);
        if self.state == State::Attention && urgent.all(|folder| folder.shut.is_some()) {
            "A folder is not synced"
        } else {
            self.state.text()
        }
    }
}

impl ProblemClass {
    /// Every class.
    pub const ALL: [Self; 22] = [
        Self::StillArriving,
        Self::Damaged,
        Self::NewerVersion,
        Self::Foreign,
        Self::NotARecipient,
        Self::UnknownSigner,
        Self::FormerMember,
        Self::NotAMember,
        Self::Disputed,
        Self::Misnamed,
        Self::RolledBack,
        Self::Missing,
        Self::Inconsistent,
        Self::UnknownParent,
        Self::Unreadable,
        Self::BadName,
        Self::Unsupported,
        Self::NestedMount,
        Self::ReadOnly,
        Self::NotYetAMember,
        Self::DiskFull,
        Self::Failed,
    ];

    /// What is the matter, in a sentence.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::StillArriving => "The encrypted file has not arrived whole yet.",
            Self::Damaged => "The encrypted file is damaged.",
            Self::NewerVersion => "The file was written by a newer version of Ensafer.",
            Self::Foreign => "The encrypted file belongs to another folder.",
            Self::NotARecipient => "The encrypted file is not meant for this account.",
            Self::UnknownSigner => "The file was signed by nobody who may write in this folder.",
            Self::FormerMember => {
                "The file was written by somebody who may not write in this folder any more, after that or unseen before."
            }
            Self::NotAMember => "You are no longer a member of this folder; your copies stay here.",
            Self::Disputed => "Two admins of the folder have removed each other.",
            Self::Misnamed => "The encrypted file has the name of another.",
            Self::RolledBack => "The cloud has replaced the file by an older version.",
            Self::Missing => "The encrypted file has vanished without having been deleted.",
            Self::Inconsistent => "Two versions that cannot both be genuine say different things.",
            Self::UnknownParent => "The directory that the file lies in has not arrived yet.",
            Self::Unreadable => "The file or directory cannot be read.",
            Self::BadName => "The name cannot be used on every computer, or equals another's.",
            Self::Unsupported => "This is no file, directory or symbolic link.",
            Self::NestedMount => "Another disk is mounted here, and is not synced.",
            Self::ReadOnly => "It is only on this computer: you may read this folder, not change it.",
            Self::NotYetAMember => {
                "It is kept on this computer until a computer of whoever invited you has completed the invitation."
            }
            Self::DiskFull => "There was no space left.",
            Self::Failed => "Writing failed.",
        }
    }

    /// What to do about it, in a sentence.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::StillArriving => "Nothing: it is read as soon as the cloud client has delivered it.",
            Self::Damaged => {
                "Nothing, where the file is whole in a work folder: it is encrypted anew. Else restore an earlier version in your cloud."
            }
            Self::NewerVersion => "Install the current version of Ensafer on this computer.",
            Self::Foreign => "Move it back into the encrypted folder that it came from.",
            Self::NotARecipient => "Move it out of the folder if you do not expect it.",
            Self::UnknownSigner => "Ask the folder's owner who wrote it; it stays as it is until then.",
            Self::FormerMember => {
                "Ask a member who has the file in the work folder to save it once more; else it stays as it is."
            }
            Self::NotAMember => {
                "To take it off the list: ensafer folder remove WORK. To come back, ask an admin of the folder to add you."
            }
            Self::Disputed => {
                "The folder's owner decides: ensafer share add, share role or share remove on the owner's computer."
            }
            Self::Misnamed => "Give it the name of the object that it holds, or delete it.",
            Self::RolledBack => "Nothing, if you did not do it: the newer version is put back soon.",
            Self::Missing => "Nothing, if you did not do it: it is put back from the work folder soon.",
            Self::Inconsistent => {
                "Compare the file on your computers, and save the right one under a new name."
            }
            Self::UnknownParent => {
                "Nothing: it shows as soon as the cloud client has delivered the directory."
            }
            Self::Unreadable => "Give your user the right to read it.",
            Self::BadName => "Rename it.",
            Self::Unsupported => "Move it out of the work folder; everything else goes on.",
            Self::NestedMount => "Add that disk as a folder of its own, or unmount it.",
            Self::ReadOnly => {
                "Move it out of the work folder, or ask an admin of the folder for the right to write."
            }
            Self::NotYetAMember => {
                "Nothing: if you are to write in this folder, it is published then. If it takes long, ask them to start Ensafer there, or to type ensafer invite list."
            }
            Self::DiskFull => "Free some space; it goes on by itself.",
            Self::Failed => "Check the disk and the permissions; it is tried again by itself.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::FolderId;
    use crate::status::{Event, Facts, FolderStatus};
    use crate::time::Timestamp;

    #[test]
    fn every_state_has_its_token() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.token());
        }
        assert!(State::ALL.is_sorted() && State::ALL.len() == State::UpToDate as usize + 1);
    }

    #[test]
    fn a_closed_folder_is_no_file_that_needs_attention() {
        let now = Timestamp::from_parts(0, 0);
        let facts = Facts::new(FolderId::new([1; 16]), now);
        let shut = facts.fold(Event::Shut(Some(ProblemClass::NotAMember)), now).status();
        assert_eq!(Status::of(vec![shut.clone()]).headline(), "A folder is not synced");
        let damaged = FolderStatus { shut: None, ..shut.clone() };
        assert_eq!(Status::of(vec![shut, damaged]).headline(), "Some files need attention");
    }

    #[test]
    fn every_problem_says_what_it_is_and_what_to_do() {
        for class in ProblemClass::ALL {
            assert!(class.what().ends_with('.') && class.remedy().ends_with('.'), "{class:?}");
        }
    }
}
