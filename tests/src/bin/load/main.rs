//! Load for a key server, with the real protocol: the generator of `scripts/bench server`, and a session for whatever
//! else needs one.
//!
//! ```text
//! ensafer-load session URL
//! ensafer-load logins URL --database URL --secret-file FILE --server-pid N [--database-pid N]
//!                         [--accounts N] [--concurrency N] [--seconds N]
//! ```
//!
//! The first registers an account, logs in, and prints an access token and the account's login. The second fills the
//! server's database with accounts and lets them log in; it prints names and values with tabs between them.
#![allow(clippy::print_stdout, reason = "it prints its results")]

mod client;
mod measure;
mod prepare;
mod usage;

use std::time::Duration;

use anyhow::{Context, bail};
use ensafer_core::crypto::SystemRandom;

use client::{Client, Template};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    match words.as_slice() {
        ["session", url] => runtime.block_on(session(url)),
        ["logins", url, options @ ..] => runtime.block_on(logins(url, &Options::parse(options)?)),
        _ => bail!("usage: ensafer-load session URL | logins URL --database URL --secret-file FILE …"),
    }
}

async fn session(url: &str) -> anyhow::Result<()> {
    let client = Client::new(url)?;
    let template = Template::register(&client, &mut SystemRandom).await?;
    let session = template.login(&client, &template.own_identity()).await?;
    println!("{}\t{}", *session.expose(), template.own_identity().login);
    Ok(())
}

async fn logins(url: &str, options: &Options) -> anyhow::Result<()> {
    let client = Client::new(url)?;
    let template = Template::register(&client, &mut SystemRandom).await?;
    let identities = prepare::fill(&template, options).await?;
    let before = usage::Snapshot::take(options)?;
    let measured = measure::run(&client, &template, &identities, options).await?;
    let used = usage::Snapshot::take(options)?.since(&before);
    measured.print();
    used.print(measured.count());
    println!("accounts\t{}", options.accounts);
    println!("concurrency\t{}", options.concurrency);
    // For the look-ups that another program measures.
    let session = template.login(&client, &template.own_identity()).await?;
    println!("token\t{}", *session.expose());
    Ok(())
}

/// What a measurement is told.
struct Options {
    database: String,
    secret_file: String,
    server_pid: u32,
    database_pid: Option<u32>,
    accounts: usize,
    concurrency: usize,
    time: Duration,
}

impl Options {
    fn parse(words: &[&str]) -> anyhow::Result<Self> {
        let value = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1).copied()
        };
        let number = |name: &str, otherwise: u32| match value(name) {
            Some(text) => text.parse().with_context(|| format!("{name} takes a number")),
            None => Ok(otherwise),
        };
        let needed = |name: &str| value(name).with_context(|| format!("{name} is missing"));
        Ok(Self {
            database: needed("--database")?.to_owned(),
            secret_file: needed("--secret-file")?.to_owned(),
            server_pid: needed("--server-pid")?.parse()?,
            database_pid: value("--database-pid").map(str::parse).transpose()?,
            accounts: number("--accounts", 100_000)?.try_into()?,
            concurrency: number("--concurrency", 16)?.try_into()?,
            time: Duration::from_secs(number("--seconds", 20)?.into()),
        })
    }
}
