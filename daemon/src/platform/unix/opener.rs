//! Programs that open things, on Linux and macOS alike.

use std::io;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// An opener that has not failed by then is on its way: some end only with what they have opened.
const LIMIT: Duration = Duration::from_secs(5);

/// Starts what opens something, and waits only for its failure.
pub(in crate::platform) fn run(mut command: Command) -> io::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let spawned = command.spawn();
    let mut child =
        spawned.map_err(|error| io::Error::new(error.kind(), format!("{name} cannot be run: {error}")))?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait()));
    match receiver.recv_timeout(LIMIT) {
        Ok(Ok(status)) if !status.success() => Err(io::Error::other(format!("{name} ended with {status}"))),
        _ => Ok(()),
    }
}
