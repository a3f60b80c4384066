//! Launching a daemon that outlives whoever launches it.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use crate::exit::Exit;
use crate::home::{HOME_VARIABLE, Home};
use crate::local_api::{Client, ClientError};
use crate::platform;

/// A daemon that does not listen after this has failed.
const LIMIT: Duration = Duration::from_secs(30);
/// How often a launched daemon is looked for.
const INTERVAL: Duration = Duration::from_millis(20);

/// Why there is no daemon after launching one.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Its log cannot be written.
    #[error("{} cannot be written", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program is gone, or was never there.
    #[error("Ensafer's program is not installed any more: {} is not there", program.display())]
    Missing {
        /// It.
        program: PathBuf,
    },
    /// The program cannot be run.
    #[error("{} cannot be started", program.display())]
    Program {
        /// It.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ended before it listened.
    #[error("the daemon ended at once ({status})")]
    Ended {
        /// How.
        status: ExitStatus,
        /// What to do: where to look.
        remedy: String,
    },
    /// It runs and does not listen.
    #[error("the daemon did not come up within {} s", LIMIT.as_secs())]
    Timeout {
        /// What to do: where to look.
        remedy: String,
    },
    /// It listens and cannot be used.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl LaunchError {
    /// How a command that fails so ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Log { .. } | Self::Missing { .. } | Self::Program { .. } | Self::Ended { .. } => {
                Exit::Error
            }
            Self::Timeout { .. } => Exit::RetryLater,
            Self::Client(error) => error.exit(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::Ended { remedy, .. } | Self::Timeout { remedy } => Some(remedy),
            Self::Missing { .. } => Some("Install Ensafer (the package ensafer), then try again"),
            Self::Log { .. } | Self::Program { .. } => None,
            Self::Client(error) => error.remedy(),
        }
    }

    /// Whether the daemon ended with this exit code.
    #[must_use]
    pub fn ended_with(&self, exit: Exit) -> bool {
        matches!(self, Self::Ended { status, .. } if status.code() == Some(exit as i32))
    }
}

/// Another program of Ensafer's: the one that is installed beside this program, else the one on the `PATH`.
#[must_use]
pub fn installed(name: &str) -> PathBuf {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    let beside = env::current_exe().ok().map(|own| own.with_file_name(&name));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(name))
}

/// Starts `program`, which is `ensafer`, as the daemon of `home`, and waits until it listens. It inherits the
/// environment. Where another process won the race for the home, that one's daemon is taken.
///
/// # Errors
/// [`LaunchError`].
pub fn launch(home: &Home, program: &Path) -> Result<Client, LaunchError> {
    let log = home.log_file();
    let mut child = spawn(program, &log)?;
    let remedy = || format!("Look at the end of {}", log.display());
    let begun = Instant::now();
    while begun.elapsed() < LIMIT {
        if let Some(client) = Client::connect_if_running(home)? {
            return Ok(client);
        }
        let ended = child.try_wait().map_err(|source| program_error(program, source))?;
        if let Some(status) = ended {
            return match Client::connect_if_running(home)? {
                Some(client) => Ok(client),
                None => Err(LaunchError::Ended { status, remedy: remedy() }),
            };
        }
        thread::sleep(INTERVAL);
    }
    Err(LaunchError::Timeout { remedy: remedy() })
}

fn spawn(program: &Path, log: &Path) -> Result<Child, LaunchError> {
    let log_error = |source| LaunchError::Log { path: log.to_path_buf(), source };
    let mut options = OpenOptions::new();
    platform::keep_to_owner(options.create(true).append(true));
    let output = options.open(log).map_err(log_error)?;
    let errors = output.try_clone().map_err(log_error)?;
    let mut command = Command::new(program);
    if let Some(home) = env::var_os(HOME_VARIABLE).filter(|v| !v.is_empty()) {
        // It may be relative, and the daemon's current directory is another.
        let absolute = std::path::absolute(home).map_err(|source| program_error(program, source))?;
        command.env(HOME_VARIABLE, absolute);
    }
    command
        .args(["daemon", "--detached"])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors);
    platform::detach(&mut command);
    command.spawn().map_err(|source| program_error(program, source))
}

fn program_error(program: &Path, source: io::Error) -> LaunchError {
    if source.kind() == io::ErrorKind::NotFound {
        return LaunchError::Missing { program: program.to_path_buf() };
    }
    LaunchError::Program { program: program.to_path_buf(), source }
}
