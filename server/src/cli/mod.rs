//! The command line.

mod backup;
mod config;
mod serve;
mod user;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::clock::{Clock, SystemClock};
use crate::config::{CONFIG_VARIABLE, Config, Override};
use crate::db::{Db, Pruned};
use crate::{logging, router};

/// Ensafer's key server: public keys and sealed private keys, and nothing that opens them.
#[derive(Debug, Parser)]
#[command(name = "ensafer-server", version, arg_required_else_help = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    settings: Settings,
}

/// What beats the settings' file.
#[derive(Debug, Args)]
struct Settings {
    /// The file with the settings (see server.example.toml).
    #[arg(long, global = true, value_name = "FILE", env = CONFIG_VARIABLE)]
    config: Option<PathBuf>,
    /// Directory of the SQLite database and of the server's secret.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A PostgreSQL database instead: postgres://USER@HOST/NAME?sslmode=verify-full (the password comes from PGPASSFILE).
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    /// The server's secret, which servers that share a database share.
    #[arg(long, global = true, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Any other setting, such as mail.port=25.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the server in the foreground; it ends on SIGTERM or Ctrl-C.
    Serve(ServeArgs),
    /// The settings.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// The accounts.
    #[command(subcommand)]
    User(UserVerb),
    /// Copy the SQLite database, while the server runs, into a new file.
    Backup {
        /// The new file.
        file: PathBuf,
    },
    /// Remove what has expired, as the server does every hour.
    Prune,
    /// Print the OpenAPI document.
    Openapi,
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, for packages.
    #[command(hide = true)]
    Man {
        /// An existing directory; pages of the same names are replaced.
        directory: PathBuf,
    },
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Address and port; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Certificate chain for TLS, in PEM.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key for TLS, in PEM.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// The origin under which clients reach the server.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Print all settings as they are in force.
    Show,
    /// Try everything that the settings name: files, database, mail server.
    Check,
}

#[derive(Debug, Subcommand)]
enum UserVerb {
    /// List the accounts.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let an account log in no more, and end its sessions.
    Disable {
        /// Its login.
        email: String,
    },
    /// Let a disabled account log in again.
    Enable {
        /// Its login.
        email: String,
    },
    /// Delete an account and everything that belongs to it, for ever.
    Delete {
        /// Its login.
        email: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
}

/// Runs the command line of this process. Exit codes: 0 done, 1 failed, 2 used wrongly.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            // Nothing can be done where standard error is gone.
            let _ = writeln!(io::stderr(), "ensafer-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let overrides = overrides(&cli)?;
    let file = cli.settings.config.as_deref();
    let load = || Config::load(file, &overrides).map_err(anyhow::Error::from);
    let load_settings = || Config::load_settings(file, &overrides).map_err(anyhow::Error::from);
    match cli.verb {
        Verb::Openapi => print(&router::document())?,
        Verb::Completions { shell } => print(&completions(shell)?)?,
        Verb::Man { directory } => clap_mangen::generate_to(Cli::command(), &directory)
            .with_context(|| format!("cannot write to {}", directory.display()))?,
        Verb::Config(ConfigVerb::Show) => print(&load_settings()?.to_toml())?,
        Verb::Config(ConfigVerb::Check) => return runtime()?.block_on(config::check(load())),
        Verb::Serve(_) => {
            let config = load()?;
            logging::start(&config.log);
            runtime()?.block_on(serve::serve(config))?;
        }
        verb => {
            let config = load_settings()?;
            logging::start(&config.log);
            runtime()?.block_on(administer(&config, verb))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ensafer-server", &mut script);
    String::from_utf8(script).context("the completions are no text")
}

/// The verbs that need the database only.
async fn administer(config: &Config, verb: Verb) -> anyhow::Result<()> {
    let db = open(config).await?;
    let done = match verb {
        Verb::User(verb) => user::run(&db, verb).await,
        Verb::Backup { file } => backup::run(&db, &file).await,
        _ => prune(&db).await,
    };
    db.close().await;
    done
}

/// Removes what has expired, and says how much that was.
async fn prune(db: &Db) -> anyhow::Result<()> {
    let Pruned { accounts, devices, logins, codes, invitations, failures } =
        db.prune(SystemClock.now_s()).await.context("cannot prune")?;
    print(&format!(
        "removed: unconfirmed accounts {accounts}, devices {devices}, logins {logins}, codes {codes}, \
         invitations {invitations}, counts of failures {failures}\n"
    ))
}

/// Opens the database, which must be there already.
async fn open(config: &Config) -> anyhow::Result<Db> {
    let url = crate::serve::database_url(config)?;
    Db::open(&url).await.context("cannot open the database")
}

fn overrides(cli: &Cli) -> anyhow::Result<Vec<Override>> {
    let Settings { data, database, secret_file, set, .. } = &cli.settings;
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
    let mut flags =
        vec![("data", path(data)), ("database", database.clone()), ("secret-file", path(secret_file))];
    if let Verb::Serve(ServeArgs { listen, tls_cert, tls_key, public_url }) = &cli.verb {
        flags.push(("listen", listen.map(|address| address.to_string())));
        flags.extend([("tls-cert", path(tls_cert)), ("tls-key", path(tls_key))]);
        flags.push(("public-url", public_url.clone()));
    }
    let mut overrides = Vec::new();
    for (flag, value) in flags {
        let Some(value) = value else { continue };
        let name = flag.replace('-', "_");
        let key = if flag == "public-url" { name } else { format!("server.{name}") };
        overrides.push(Override { key, value, origin: format!("--{flag}") });
    }
    for text in set {
        let origin = format!("--set {text}");
        let (key, value) = text.split_once('=').with_context(|| format!("{origin}: expected KEY=VALUE"))?;
        overrides.push(Override { key: key.to_owned(), value: value.to_owned(), origin });
    }
    Ok(overrides)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the runtime")
}

/// Writes to standard output at once, also where that is a pipe. Who closed that, like `head`, has read enough.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}
