//! Offers the encrypted folders that were found, and places for new ones, to somebody at a terminal.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{Standing, Whose};

use super::find::{describe, look};
use crate::clouds::Looked;
use crate::exit::Failure;
use crate::output::printable;
use crate::prompt;
use crate::refusals;
use crate::shell::Shell;

/// The encrypted directory that somebody named or chose. One that was made for it goes with this where it is empty still.
pub(in crate::cli) struct Chosen {
    pub encrypted: PathBuf,
    /// Whose folder it is, where that is somebody who was never met.
    pub from: Option<String>,
    is_new: bool,
}

impl Chosen {
    pub fn named(encrypted: &Path) -> Self {
        Self { encrypted: encrypted.into(), from: None, is_new: false }
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        if self.is_new {
            // Refused where the folder was added: then its roster is in it.
            let _ = fs::remove_dir(&self.encrypted);
        }
    }
}

/// One line of the choice.
struct Offer {
    directory: PathBuf,
    words: String,
    from: Option<String>,
    is_new: bool,
}

/// Asks which encrypted directory is to be synced with `work`. A new one is made.
pub(in crate::cli) fn encrypted(shell: &Shell, work: &Path) -> Result<Chosen> {
    if !prompt::is_terminal() {
        return Err(not_named("No encrypted folder was named").into());
    }
    let offers = offers(&look(shell)?, &refusals::resolve(work)?);
    if offers.is_empty() {
        return Err(not_named("No encrypted folder was named, and no place for one was found").into());
    }
    shell.output.plain("Which encrypted folder?");
    for (number, Offer { directory, words, .. }) in (1..).zip(&offers) {
        shell.output.plain(format_args!("{number:3}  {}: {words}", printable(&directory.to_string_lossy())));
    }
    let Offer { directory, from, is_new, .. } = pick(shell, offers)?;
    if is_new && !directory.is_dir() {
        fs::create_dir(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    }
    Ok(Chosen { encrypted: directory, from, is_new })
}

fn pick(shell: &Shell, mut offers: Vec<Offer>) -> Result<Offer> {
    loop {
        let answer = prompt::line("Number, or nothing to end: ")?;
        if answer.is_empty() {
            let failure = Failure::new(Exit::Interrupted, "No encrypted folder was chosen");
            return Err(failure.with_remedy("To name another: ensafer folder add WORK ENCRYPTED").into());
        }
        match answer.parse::<usize>() {
            Ok(number) if (1..=offers.len()).contains(&number) => return Ok(offers.swap_remove(number - 1)),
            _ => shell.output.warn(format_args!("There is no {} in the list.", printable(&answer))),
        }
    }
}

/// Folders that can be joined, then places for new ones.
fn offers(seen: &Looked, work: &Path) -> Vec<Offer> {
    let joined = seen.encrypted.iter().filter_map(|found| {
        let from = match &found.whose {
            Whose::Own => None,
            Whose::Shared { owner, standing: Standing::Unknown, .. } => Some(owner.clone()),
            Whose::Shared { standing: Standing::Pinned | Standing::Verified, .. } => None,
            _ => return None,
        };
        let words = describe(&found.whose);
        Some(Offer { directory: found.directory.clone(), words, from, is_new: false })
    });
    let new = seen.clouds.iter().filter_map(|cloud| {
        let directory = cloud.place_for_new(&seen.encrypted).filter(|place| !place.starts_with(work))?;
        let words = format!("a new one, in {}", cloud.client.name());
        Some(Offer { directory, words, from: None, is_new: true })
    });
    joined.chain(new).collect()
}

fn not_named(what: &str) -> Failure {
    let remedy = "ensafer folder find lists what there is; then name it: ensafer folder add WORK ENCRYPTED, or ensafer up --work WORK --encrypted ENCRYPTED";
    Failure::new(Exit::Usage, what).with_remedy(remedy)
}
