//! `man DIRECTORY`: one page for the program, and one for each verb.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use ensafer_client::exit::Exit;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// An existing directory; pages of the same names are replaced
    directory: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let written = clap_mangen::generate_to(super::Cli::command(), &arguments.directory);
    written.with_context(|| format!("{} cannot be written to", arguments.directory.display()))?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_verb_that_is_shown_has_a_page() {
        let root = tempfile::tempdir().unwrap();
        run(&Arguments { directory: root.path().to_owned() }).unwrap();
        let page = |name: &str| fs::read_to_string(root.path().join(name)).unwrap();
        assert!(page("ensafer.1").contains("ensafer\\-folder(1)"), "{}", page("ensafer.1"));
        assert!(page("ensafer-folder-add.1").contains("\\-\\-from"));
        for verb in super::super::Cli::command().get_subcommands() {
            let path = root.path().join(format!("ensafer-{}.1", verb.get_name()));
            assert_eq!(path.exists(), !verb.is_hide_set(), "{}", verb.get_name());
        }
        let absent = Arguments { directory: root.path().join("absent") };
        assert!(run(&absent).unwrap_err().to_string().contains("absent"));
    }
}
