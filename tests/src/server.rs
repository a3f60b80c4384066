//! Key servers: real `ensafer-server` processes on loopback, on a port that the system chose.

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;

use crate::certificate::Certificate;
use crate::postgres::{self, Database};
use crate::process::{DEADLINE, Finished, Running, run, target_directory};
use crate::{World, wait};

/// The `ensafer-server` program under test: `ENSAFER_SERVER_BIN`, or the one of the same build.
#[must_use]
pub fn ensafer_server() -> PathBuf {
    if let Some(given) = env::var_os("ENSAFER_SERVER_BIN") {
        return given.into();
    }
    let built = target_directory().join("ensafer-server");
    assert!(built.exists(), "{} is not there: run `cargo build --workspace` first", built.display());
    built
}

/// Where a server keeps its accounts.
#[derive(Debug, Clone, Default)]
pub enum Storage {
    /// SQLite and the secret, in a data directory of the server's own.
    #[default]
    Own,
    /// SQLite and the secret, in this data directory.
    Directory(PathBuf),
    /// PostgreSQL, as replicas share it.
    Postgres {
        /// The database.
        url: String,
        /// The secret; [`Storage::shared`] makes one.
        secret_file: PathBuf,
    },
}

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// Where it keeps its accounts.
    pub storage: Storage,
    /// The text of its configuration file.
    pub config: String,
    /// Its certificate; it speaks plain HTTP without one.
    pub tls: Option<Certificate>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
}

/// Runs `test` against a server on SQLite, and again, in another world, against one on PostgreSQL where there is one.
#[track_caller]
pub fn on_every_database(test: impl FnMut(&World, &mut KeyServer)) {
    on_every_database_with("", test);
}

/// [`on_every_database`], the servers with these settings.
#[track_caller]
pub fn on_every_database_with(config: &str, mut test: impl FnMut(&World, &mut KeyServer)) {
    let world = World::new();
    let options = |storage| ServerOptions { storage, config: config.to_owned(), ..Default::default() };
    test(&world, &mut KeyServer::start_with(&world, options(Storage::Own)));
    let Some(cluster) = postgres::cluster() else { return };
    let world = World::new();
    let database = Database::create(&cluster);
    let storage = Storage::shared(&world, &database);
    test(&world, &mut KeyServer::start_with(&world, options(storage)));
}

impl Storage {
    /// This database, and a secret for the servers on it, made in this world.
    #[must_use]
    pub fn shared(world: &World, database: &Database) -> Self {
        let secret_file = world.path("server.secret");
        let made = run(Command::new("openssl").args(["rand", "-hex", "32"])).expect(0).stdout;
        let mut file = fs::OpenOptions::new();
        let opened = file.write(true).create_new(true).mode(0o600).open(&secret_file);
        opened.and_then(|mut file| file.write_all(made.as_bytes())).unwrap();
        Self::Postgres { url: database.url.clone(), secret_file }
    }
}

/// A running key server. It is killed when this is dropped.
#[derive(Debug)]
pub struct KeyServer {
    /// Its origin: `http://127.0.0.1:PORT`.
    pub url: String,
    /// Its data directory. It is made also where the accounts are elsewhere.
    pub data: PathBuf,
    options: ServerOptions,
    process: Option<Running>,
    earlier_log: String,
}

impl KeyServer {
    /// Starts a server with its own SQLite and no settings.
    #[track_caller]
    #[must_use]
    pub fn start(world: &World) -> Self {
        Self::start_with(world, ServerOptions::default())
    }

    /// Starts a server and waits until it listens.
    #[track_caller]
    #[must_use]
    pub fn start_with(world: &World, options: ServerOptions) -> Self {
        let mut server = Self::new(world, options);
        server.listen("127.0.0.1:0");
        server
    }

    /// A server that does not run yet: for one that must refuse to, or whose port has to be known before.
    #[must_use]
    pub fn new(world: &World, options: ServerOptions) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let data = match &options.storage {
            Storage::Directory(data) => data.clone(),
            _ => world.path(&format!("server-{}", COUNT.fetch_add(1, Ordering::Relaxed))),
        };
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("test-server.toml"), &options.config).unwrap();
        Self { url: String::new(), data, options, process: None, earlier_log: String::new() }
    }

    /// The command `ensafer-server VERB ARGUMENTS` with this server's settings and storage. Its environment is empty
    /// but for what the options have.
    #[must_use]
    pub fn command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(ensafer_server());
        command.args(verb).arg("--config").arg(self.data.join("test-server.toml"));
        match &self.options.storage {
            Storage::Own | Storage::Directory(_) => command.arg("--data").arg(&self.data),
            Storage::Postgres { url, secret_file } => {
                command.args(["--database", url]).arg("--secret-file").arg(secret_file)
            }
        };
        command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default()).env("LANG", "C.UTF-8");
        command.envs(self.options.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a verb of administration to its end: `user list`, `prune`, `backup FILE`.
    #[track_caller]
    pub fn run(&self, verb: &[&str]) -> Finished {
        run(&mut self.command(verb))
    }

    /// The command that serves at `address`.
    #[must_use]
    pub fn serve_command(&self, address: &str) -> Command {
        let mut command = self.command(&["serve", "--listen", address]);
        if let Some(Certificate { certificate, key }) = &self.options.tls {
            command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
        }
        command
    }

    /// Starts it at `address` and waits until it listens.
    #[track_caller]
    pub fn listen(&mut self, address: &str) {
        let mut process = Running::start(&mut self.serve_command(address));
        let line = wait::until("the key server listens", || {
            assert!(process.is_running(), "the key server ended: {}", process.stderr_so_far());
            process.stdout_so_far().split_once('\n').map(|(line, _)| line.to_owned())
        });
        let url = line.strip_prefix("listening on ");
        self.url = url.unwrap_or_else(|| panic!("{line:?} does not say where it listens")).to_owned();
        self.process = Some(process);
    }

    /// Its host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url.split_once("://").expect("it listens").1
    }

    /// Ends it as an administrator does, waits until it has, and starts it again at the same address.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop().expect(0);
        let address = self.address().to_owned();
        self.listen(&address);
    }

    /// Sends SIGTERM and waits until it has ended.
    #[track_caller]
    pub fn stop(&mut self) -> Finished {
        let process = self.process.take().expect("it runs");
        process.signal(Signal::TERM);
        let finished = process.finish_within(DEADLINE);
        self.earlier_log += &finished.stderr;
        finished
    }

    /// Ends it at once, as a crash does. [`listen`](Self::listen) starts it again.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            self.earlier_log += &process.stderr_so_far();
            process.kill();
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// All that it logged, before restarts too.
    #[must_use]
    pub fn log(&self) -> String {
        let current = self.process.as_ref().map(Running::stderr_so_far).unwrap_or_default();
        format!("{}{current}", self.earlier_log)
    }
}
