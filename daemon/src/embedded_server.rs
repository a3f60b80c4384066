//! The key server that the daemon runs itself, where the settings ask for it (`[server] embedded = true`).

use anyhow::Result;

use crate::shell::Shell;

/// A key server in this process, or none.
#[derive(Debug)]
pub struct EmbeddedServer(Option<running::Running>);

impl EmbeddedServer {
    /// Starts it, if the settings ask for one, and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, or this program was built without it.
    pub fn start(shell: &Shell) -> Result<Self> {
        if !shell.config.server.embedded {
            return Ok(Self(None));
        }
        running::start(shell).map(Some).map(Self)
    }

    /// Ends it, after the requests that are on their way.
    pub fn finish(self) {
        if let Some(running) = self.0 {
            running.finish();
        }
    }
}

#[cfg(feature = "embedded-server")]
mod running {
    use std::fs;
    use std::path::Path;
    use std::sync::mpsc;
    use std::thread::{self, JoinHandle};

    use anyhow::{Context, Result};
    use ensafer_server::Server;
    use ensafer_server::clock::SystemClock;
    use ensafer_server::config::{Config, Override};
    use tokio::sync::oneshot;

    use crate::shell::Shell;

    /// Where the accounts are in the data directory.
    const DIRECTORY: &str = "server";

    /// The server's own thread, with a runtime of its own: the daemon's never waits for it.
    #[derive(Debug)]
    pub struct Running {
        quit: oneshot::Sender<()>,
        thread: JoinHandle<()>,
    }

    pub fn start(shell: &Shell) -> Result<Running> {
        let config = settings(&shell.config.server.settings, &shell.home.data_dir().join(DIRECTORY))?;
        let (quit, asked) = oneshot::channel();
        let (tell, listening) = mpsc::channel();
        let thread = thread::Builder::new().name("key-server".to_owned()).spawn(move || {
            let ran = run(config, asked, &tell);
            if let Err(error) = ran {
                // Whoever waits for the address learns it; later nobody does.
                if let Err(mpsc::SendError(unheard)) = tell.send(Err(error)) {
                    let error = unheard.err().map(|error| format!("{error:#}"));
                    tracing::error!(error, "the key server failed");
                }
            }
        })?;
        let url =
            listening.recv().context("the key server ended")?.context("The key server cannot be run")?;
        tracing::info!(url, "the key server listens");
        Ok(Running { quit, thread })
    }

    fn run(config: Config, asked: oneshot::Receiver<()>, tell: &mpsc::Sender<Result<String>>) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(async {
            let server = Server::bind(config, Box::new(SystemClock)).await?;
            // The daemon waits for this.
            let _ = tell.send(Ok(server.url()));
            server
                .run(async {
                    // A sender that is gone asks for the end as well.
                    let _ = asked.await;
                })
                .await
        })
    }

    /// The settings' file, or the defaults; with everything in `data`, unless the file names another place.
    fn settings(file: &Path, data: &Path) -> Result<Config> {
        let file = (!file.as_os_str().is_empty()).then_some(file);
        let named = match file {
            Some(file) => {
                let text =
                    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                Config::parse(&text, file)?.server
            }
            None => Config::default().server,
        };
        let has_place = named.data.is_some() || named.database.is_some();
        let here = Override {
            key: "server.data".to_owned(),
            value: data.display().to_string(),
            origin: "the data directory".to_owned(),
        };
        let flags = if has_place { Vec::new() } else { vec![here] };
        Ok(Config::load(file, &flags)?)
    }

    impl Running {
        pub fn finish(self) {
            // Gone already: then there is nothing to end.
            let _ = self.quit.send(());
            if self.thread.join().is_err() {
                tracing::error!("the key server panicked");
            }
        }
    }
}

#[cfg(not(feature = "embedded-server"))]
mod running {
    use anyhow::Result;
    use ensafer_client::exit::Exit;

    use crate::exit::Failure;
    use crate::shell::Shell;

    /// There is none in this build.
    #[derive(Debug)]
    pub enum Running {}

    pub fn start(_: &Shell) -> Result<Running> {
        Err(Failure::new(Exit::Usage, "This program was built without the key server")
            .with_remedy("ensafer config set server.embedded false, or build with --features embedded-server")
            .into())
    }

    impl Running {
        pub fn finish(self) {
            match self {}
        }
    }
}
