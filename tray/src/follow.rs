//! Follows the daemon through its life, without asking again and again: its events while it runs, the record of the
//! home's lock while it does not.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ensafer_client::file_watch::FileWatch;
use ensafer_client::home::Home;
use ensafer_client::local_api::{Client, ClientError};
use ensafer_core::api::local::{API_VERSION, ActivityReport, Deed, FolderReport};
use ensafer_core::ids::FolderId;
use ensafer_core::status::{State, Status};

use crate::action::chain;
use crate::scene::{Age, Link, Live};

/// How many files the menu shows, and among how many deeds they are looked for: some are of the same file.
const RECENT_FILES: usize = 10;
const RECENT_DEEDS: usize = 50;

/// A daemon that runs and does not answer waits for something, such as the keyring to be opened: nothing tells of the end
/// of that.
const UNREACHABLE_RETRY: Duration = Duration::from_secs(30);

/// One that ends says so in its record; one that is killed while it does, does not.
const ENDING_RETRY: Duration = Duration::from_secs(1);

/// Shows how the daemon of `home` is, and every change of that.
///
/// # Errors
/// The file system's events cannot be had.
pub fn follow(home: &Home, mut show: impl FnMut(Link)) -> io::Result<Infallible> {
    loop {
        // Watched before it is looked at: nothing is missed between the two.
        let record = FileWatch::new(&home.lock_file())?;
        let link = listen(home, &mut show).unwrap_or_else(|error| link_of(&error, home));
        let limit = match link {
            Link::Unreachable(_) => Some(UNREACHABLE_RETRY),
            Link::Ending => Some(ENDING_RETRY),
            _ => None,
        };
        show(link);
        record.wait(limit)?;
    }
}

/// Shows what the daemon says until it ends, or cannot be understood.
fn listen(home: &Home, show: &mut impl FnMut(Link)) -> Result<Link, ClientError> {
    let client = Client::connect(home)?;
    let age = match client.version() {
        Ok(version) if version.api == API_VERSION => Age::of(&version),
        Ok(version) => return Ok(Link::Foreign(Age::of(&version))),
        // It is from before the question was thought of.
        Err(ClientError::Refused(_)) => return Ok(Link::Foreign(Age::Older(None))),
        Err(error) => return Err(error),
    };
    match show_events(&client, &age, show) {
        Ok(never) => match never {},
        Err(ClientError::Answer(_)) => Ok(Link::Foreign(age)),
        Err(error) => Err(error),
    }
}

fn show_events(client: &Client, age: &Age, show: &mut impl FnMut(Link)) -> Result<Infallible, ClientError> {
    // The folders of the status that the list was last asked for.
    let mut asked_for = Vec::new();
    loop {
        let folders: Vec<FolderReport> = client.folders()?.into_iter().map(|listed| listed.folder).collect();
        // Where it has none to tell, the menu has none to show; where it is gone, its events say so.
        let recent = recent(client.activity(RECENT_DEEDS).unwrap_or_default(), &folders);
        let listed: Vec<FolderId> = folders.iter().map(|folder| folder.id).collect();
        let mut known: Option<Vec<_>> = None;
        client.watch(|status| {
            // The list and the first status are two answers: a folder may have come in between.
            let ids: Vec<FolderId> = status.folders.iter().map(|folder| folder.folder).collect();
            if known.is_none() && ids != listed && ids != asked_for {
                asked_for = ids;
                return ControlFlow::Break(());
            }
            let outline = outline(&status);
            if *known.get_or_insert_with(|| outline.clone()) != outline {
                // Folders came or went, or work began or ended: what the events do not tell is asked for again.
                return ControlFlow::Break(());
            }
            let (folders, recent, age) = (folders.clone(), recent.clone(), age.clone());
            show(Link::Live(Box::new(Live { status, folders, recent, age })));
            ControlFlow::Continue(())
        })?;
    }
}

fn outline(status: &Status) -> Vec<(FolderId, State)> {
    status.folders.iter().map(|folder| (folder.folder, folder.state)).collect()
}

/// The files that were new or changed, each once, as many as the menu shows. One that was removed since is not among them.
fn recent(deeds: Vec<ActivityReport>, folders: &[FolderReport]) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let newest = deeds.into_iter().filter(|deed| seen.insert((deed.folder, deed.path.clone())));
    let there = newest.filter(|deed| deed.deed != Deed::Removed);
    let path = |deed: ActivityReport| {
        let folder = folders.iter().find(|folder| folder.id == deed.folder)?;
        Some(Path::new(&folder.work).join(deed.path))
    };
    there.filter_map(path).take(RECENT_FILES).collect()
}

fn link_of(error: &ClientError, home: &Home) -> Link {
    match error {
        ClientError::NotRunning | ClientError::Http(_) => gone(home),
        ClientError::OtherUser { .. } => Link::AnotherUsers,
        ClientError::Connect { source, .. } if is_of_the_end(source) => gone(home),
        error => Link::Unreachable(chain(error)),
    }
}

/// Nobody answers.
fn gone(home: &Home) -> Link {
    if home.is_held() { Link::Ending } else { Link::NotRunning }
}

/// The socket went away between two requests.
fn is_of_the_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound};
    matches!(error.kind(), NotFound | ConnectionRefused | ConnectionReset | BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_says_no_more_is_not_gone_before_it_has_left_its_home() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::under(root.path());
        home.create().unwrap();
        let mut lock = home.lock().unwrap();
        lock.record(Some(Path::new("/run/x.sock"))).unwrap();
        assert_eq!(link_of(&ClientError::NotRunning, &home), Link::Ending);
        drop(lock);
        assert_eq!(link_of(&ClientError::NotRunning, &home), Link::NotRunning);
    }

    #[test]
    fn recent_files_are_those_that_are_there() {
        let id = FolderId::new([7; 16]);
        let folders = [FolderReport { id, work: "/w".into(), encrypted: "/e".into() }];
        let done = |deed, path: &str| ActivityReport {
            folder: id,
            at: String::new(),
            deed,
            path: path.to_owned(),
            from: None,
            here: true,
            author: String::new(),
        };
        let mut deeds = vec![
            done(Deed::Removed, "gone"),
            done(Deed::Changed, "a/b"),
            done(Deed::Added, "a/b"),
            done(Deed::Added, "gone"),
            ActivityReport { folder: FolderId::new([8; 16]), ..done(Deed::Added, "of another folder") },
        ];
        assert_eq!(recent(deeds.clone(), &folders), [Path::new("/w/a/b")]);
        deeds.extend((0..RECENT_DEEDS).map(|n| done(Deed::Added, &n.to_string())));
        assert_eq!(recent(deeds, &folders).len(), RECENT_FILES);
    }
}
