//! Follows the daemon through its life, without asking again and again: its events while it runs, the record of the
//! home's lock while it does not.

use std::convert::Infallible;
use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use ensafer_client::home::Home;
use ensafer_client::local_api::{Client, ClientError};
use ensafer_core::api::local::{API_VERSION, FolderReport};
use ensafer_core::ids::FolderId;
use ensafer_core::status::Status;

use crate::action::chain;
use crate::platform::FileWatch;
use crate::scene::{Age, Link, Live};

/// A daemon that runs and does not answer waits for something, such as the keyring to be opened: nothing tells of the end
/// of that.
const UNREACHABLE_RETRY: Duration = Duration::from_secs(30);

/// Shows how the daemon of `home` is, and every change of that.
///
/// # Errors
/// The file system's events cannot be had.
pub fn follow(home: &Home, mut show: impl FnMut(Link)) -> io::Result<Infallible> {
    loop {
        // Watched before it is looked at: nothing is missed between the two.
        let record = FileWatch::new(&home.lock_file())?;
        let link = listen(home, &mut show).unwrap_or_else(|error| link_of(&error));
        let limit = matches!(link, Link::Unreachable(_)).then_some(UNREACHABLE_RETRY);
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
        // The list and the first status are two answers: a folder may have come in between.
        let mut known: Vec<FolderId> = folders.iter().map(|folder| folder.id).collect();
        client.watch(|status| {
            let ids = ids(&status);
            if ids != known && ids != asked_for {
                asked_for = ids;
                return ControlFlow::Break(());
            }
            known = ids;
            show(Link::Live(Box::new(Live { status, folders: folders.clone(), age: age.clone() })));
            ControlFlow::Continue(())
        })?;
    }
}

fn ids(status: &Status) -> Vec<FolderId> {
    status.folders.iter().map(|folder| folder.folder).collect()
}

fn link_of(error: &ClientError) -> Link {
    match error {
        ClientError::NotRunning | ClientError::Http(_) => Link::NotRunning,
        ClientError::OtherUser { .. } => Link::AnotherUsers,
        ClientError::Connect { source, .. } if is_of_the_end(source) => Link::NotRunning,
        error => Link::Unreachable(chain(error)),
    }
}

/// The socket went away between two requests.
fn is_of_the_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound};
    matches!(error.kind(), NotFound | ConnectionRefused | ConnectionReset | BrokenPipe)
}
