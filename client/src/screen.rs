//! The screens of the window, for those who open it.

use std::fmt;
use std::str::FromStr;

/// A screen of the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Screen {
    /// The folders: where the window begins.
    #[default]
    Folders,
    /// A folder is added.
    Add,
    /// Members, roles, invitations.
    People,
    /// What is not in order.
    Problems,
    /// What was kept twice.
    Conflicts,
    /// The account and the settings.
    Settings,
}

/// There is no such screen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such screen; the screens are {}", names())]
pub struct UnknownScreen;

impl Screen {
    /// Every screen.
    pub const ALL: [Self; 6] =
        [Self::Folders, Self::Add, Self::People, Self::Problems, Self::Conflicts, Self::Settings];

    /// Its name, as the page has it (`daemon/ui/app.js`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Folders => "folders",
            Self::Add => "add",
            Self::People => "people",
            Self::Problems => "problems",
            Self::Conflicts => "conflicts",
            Self::Settings => "settings",
        }
    }
}

fn names() -> String {
    Screen::ALL.map(Screen::name).join(", ")
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Screen {
    type Err = UnknownScreen;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|screen| screen.name() == name).ok_or(UnknownScreen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn screens_have_names() {
        for screen in Screen::ALL {
            assert_eq!(screen.name().parse(), Ok(screen));
        }
        let error = "desktop".parse::<Screen>().unwrap_err();
        assert!(
            error.to_string().ends_with("folders, add, people, problems, conflicts, settings"),
            "{error}"
        );
    }
}
