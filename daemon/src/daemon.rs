//! The daemon as a process: one per home, listening on its socket, ending cleanly.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use ensafer_client::exit::Exit;
use ensafer_client::home::HomeLock;
use tokio::sync::watch;

use crate::local_api::{Control, Desk, LocalServer};
use crate::platform::Terminations;
use crate::shell::Shell;
use crate::vault::ShellVault;

/// How long open connections are waited for at the end.
const GRACE: Duration = Duration::from_secs(2);

/// The wish that the process ends.
#[derive(Debug, Clone)]
pub struct QuitSignal(Arc<watch::Sender<bool>>);

impl Default for QuitSignal {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl QuitSignal {
    /// Asks for the end. Never blocks; more than once is the same as once.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Returns when the end was asked for.
    pub async fn requested(&self) {
        // An error would mean that the sender is gone, and this is one.
        let _ = self.0.subscribe().wait_for(|wanted| *wanted).await;
    }
}

/// A daemon's engine at work.
pub struct Running {
    /// What the local API drives.
    pub control: Arc<dyn Control>,
    /// The account's keys.
    pub vault: Arc<ShellVault>,
    /// Ends the work cleanly: whatever is being written is finished or undone. Blocks until then.
    pub finish: Box<dyn FnOnce() + Send>,
}

/// Runs until a signal or the local API asks for the end. `launch` starts the engine; it is called inside a tokio
/// runtime, with the home's lock held, and the control it returns must call [`QuitSignal::request`] for
/// [`Control::quit`]. `watch_over` runs beside it, for a terminal.
///
/// # Errors
/// The socket cannot be made, or `launch` fails.
pub fn run(
    shell: &Shell,
    mut lock: HomeLock,
    launch: impl FnOnce(QuitSignal) -> Result<Running>,
    watch_over: impl FnOnce(watch::Receiver<ensafer_core::status::Status>),
) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let socket = shell.home.create_socket_path()?;
    let quit = QuitSignal::default();
    runtime.block_on(async {
        let server = LocalServer::bind(&socket)?;
        quit_on_signals(&quit)?;
        let Running { control, vault, finish } = launch(quit.clone())?;
        lock.record(Some(&socket))?;
        tracing::info!(process = std::process::id(), "listening");
        watch_over(control.subscribe());
        let finished = {
            let quit = quit.clone();
            async move {
                quit.requested().await;
                tracing::info!("ending");
                if let Err(error) = tokio::task::spawn_blocking(finish).await {
                    tracing::error!(%error, "the engine did not end cleanly");
                }
            }
        };
        let desk = Desk { shell: shell.clone(), vault, control };
        server.serve(desk, quit.clone(), GRACE, finished).await?;
        lock.record(None)?;
        anyhow::Ok(())
    })?;
    // Nothing is left to run but threads that wait for files.
    runtime.shutdown_timeout(GRACE);
    Ok(Exit::Success)
}

/// The first Ctrl-C or termination asks for the end; a second one does not wait for it.
fn quit_on_signals(quit: &QuitSignal) -> Result<()> {
    let mut terminations = Terminations::new().context("Signals cannot be received")?;
    let quit = quit.clone();
    tokio::spawn(async move {
        loop {
            terminations.next().await;
            if *quit.0.borrow() {
                std::process::exit(Exit::Interrupted as i32);
            }
            quit.request();
        }
    });
    Ok(())
}

/// Makes Ctrl-C end this process with exit code 130, for commands that run once. What they were writing is undone by
/// the next run.
///
/// # Errors
/// No thread can be made.
pub fn exit_on_interrupt() -> Result<()> {
    std::thread::Builder::new().name("interrupt".to_owned()).spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            std::process::exit(Exit::Interrupted as i32);
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use ensafer_client::home::Home;
    use ensafer_client::local_api::Client;

    use super::*;
    use crate::config::Config;
    use crate::exit;
    use crate::local_api::tests::Fake;
    use crate::output::Output;

    fn connect(home: &Home) -> Client {
        loop {
            if let Some(client) = Client::connect_if_running(home).unwrap() {
                return client;
            }
            thread::yield_now();
        }
    }

    #[test]
    fn a_daemon_lives_once_in_a_home_however_long_its_path() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::under(&root.path().join("h".repeat(150)));
        home.create().unwrap();
        let shell = Shell::new(home.clone(), Config::default(), Output::new(true));
        let finished = Arc::new(AtomicBool::new(false));
        let lock = home.lock().unwrap();
        let daemon = thread::spawn({
            let (finished, shell) = (Arc::clone(&finished), shell.clone());
            move || {
                let launch = |quit: QuitSignal| {
                    let finish = Box::new(move || finished.store(true, Ordering::SeqCst));
                    let vault = Arc::new(ShellVault::new(&shell, false));
                    Ok(Running { control: Fake::new(quit, Arc::clone(&vault)), vault, finish })
                };
                run(&shell, lock, launch, |_| {})
            }
        });
        let client = connect(&home);
        client.status().unwrap();
        let second = home.lock().unwrap_err();
        assert_eq!(exit::of(&second.into()), Exit::AlreadyRunning);
        client.quit().unwrap();
        client.wait_for_end(&home).unwrap();
        assert_eq!(daemon.join().unwrap().unwrap(), Exit::Success);
        assert!(finished.load(Ordering::SeqCst), "the engine ended cleanly");
        assert!(Client::connect_if_running(&home).unwrap().is_none());
        home.lock().unwrap();
    }

    #[test]
    fn a_launch_that_fails_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::under(root.path());
        home.create().unwrap();
        let shell = Shell::new(home.clone(), Config::default(), Output::new(true));
        let error = run(&shell, home.lock().unwrap(), |_| anyhow::bail!("no state"), |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "no state");
        assert!(!root.path().join("runtime/ensafer.sock").exists());
        home.lock().unwrap();
    }
}
