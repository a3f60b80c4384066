//! `locate PATH|HEX`.

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;

use super::engine::Engine;
use super::filestatus::answerer;
use super::{Format, named_entry};
use crate::exit::Failure;
use crate::output::printable;
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A file in a work folder, an encrypted file, or the hex digits of its name
    sought: String,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    let sought = match arguments.sought.parse::<ensafer_core::ids::FileId>() {
        Ok(id) => id.to_string(),
        Err(_) => named_entry(arguments.sought.as_ref())?.to_string_lossy().into_owned(),
    };
    let Some(found) = answerer(shell, engine)?.locate(&sought)? else {
        let what = format!("Nothing that is synced here is {}", printable(&arguments.sought));
        return Err(Failure::new(Exit::Error, what).with_remedy("ensafer ls").into());
    };
    if arguments.format.json {
        shell.output.document(&found)?;
    } else {
        shell.output.line(printable(&found.work))?;
        shell
            .output
            .line(found.encrypted.as_deref().map_or_else(|| "(not encrypted yet)".to_owned(), printable))?;
    }
    Ok(Exit::Success)
}
