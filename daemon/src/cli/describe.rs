//! `describe PATH TEXT`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;

use super::engine::Engine;
use super::filestatus::answerer;
use super::ls::outside;
use super::named_entry;
use crate::exit::Failure;
use crate::folders::Folders;
use crate::shell::Shell;

/// Longest description in bytes: it travels in the encrypted file's INFO.
const MAX_BYTES: usize = 4096;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A file or directory in a work folder
    path: PathBuf,
    /// The description; empty removes it
    text: String,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    let path = named_entry(&arguments.path)?;
    if Folders::load(shell.home.data_dir())?.containing(&path).is_none() {
        return Err(outside(&path).into());
    }
    if arguments.text.len() > MAX_BYTES {
        let what = format!("The description has {} bytes", arguments.text.len());
        return Err(Failure::new(Exit::Usage, what).with_remedy(format!("At most {MAX_BYTES} fit")).into());
    }
    answerer(shell, engine)?.describe(&path, &arguments.text)?;
    Ok(Exit::Success)
}
