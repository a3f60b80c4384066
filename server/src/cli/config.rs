//! `config check`: tries what the settings name, one line and a remedy each.

use std::process::ExitCode;

use anyhow::{Context, ensure};

use super::{open, print};
use crate::config::{Config, MailTransport};
use crate::db::{Db, DbError};
use crate::mail::Mailer;
use crate::secret;
use crate::serve::{DATABASE_NAME, database_url};
use crate::tls::Tls;

/// Prints a line for each part and fails if one of them does.
pub async fn check(config: anyhow::Result<Config>) -> anyhow::Result<ExitCode> {
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            report("settings", Err(error))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut all_good = report("settings", Ok(format!("for {}", config.server.listen)))?;
    all_good &= report("secret", check_secret(&config).await)?;
    all_good &= report("certificate", check_certificate(&config))?;
    all_good &= report("database", check_database(&config).await)?;
    all_good &= report("mail", check_mail(&config).await)?;
    Ok(if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(part: &str, result: anyhow::Result<String>) -> anyhow::Result<bool> {
    match result {
        Ok(words) => print(&format!("ok    {part}: {words}\n")).map(|()| true),
        Err(error) => {
            // One line, also where the cause has several.
            let words = format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ");
            print(&format!("FAIL  {part}: {words}\n")).map(|()| false)
        }
    }
}

async fn check_secret(config: &Config) -> anyhow::Result<String> {
    // Why it cannot be opened is said in its own line; what cannot be told of its tables is not held against the secret.
    let db =
        if has_no_database(config) { None } else { Db::open_unchecked(&database_url(config)?).await.ok() };
    let has_accounts = match &db {
        Some(db) => db.has_accounts().await.unwrap_or(false),
        None => false,
    };
    if config.server.secret_file.is_none() && !secret::is_made(config) && !has_accounts {
        return Ok("will be made at the first start".to_owned());
    }
    let secret = secret::load(config, false)?;
    if let Some(db) = db {
        let is_foreign = matches!(db.would_grant(&secret::check_value(&secret)).await, Ok(false));
        db.close().await;
        ensure!(!is_foreign, secret::FOREIGN);
    }
    Ok("32 bytes, its owner's only".to_owned())
}

/// Whether there is no SQLite file yet.
fn has_no_database(config: &Config) -> bool {
    match (&config.server.database, &config.server.data) {
        (None, Some(directory)) => !directory.join(DATABASE_NAME).exists(),
        _ => false,
    }
}

fn check_certificate(config: &Config) -> anyhow::Result<String> {
    Ok(match Tls::new(config)? {
        Some(_) => "certificate and key fit".to_owned(),
        None => "none: TLS is done by a proxy, or this machine alone is served".to_owned(),
    })
}

async fn check_database(config: &Config) -> anyhow::Result<String> {
    if has_no_database(config) {
        return Ok("will be made at the first start".to_owned());
    }
    let db = match open(config).await {
        Err(error) if matches!(error.downcast_ref(), Some(DbError::Older)) => {
            return Ok("answers; its tables are made or brought up to date when the server starts".to_owned());
        }
        opened => opened.context("check server.data or server.database")?,
    };
    let answer = db.ping().await.context("it does not answer");
    db.close().await;
    answer.map(|()| "opened".to_owned())
}

async fn check_mail(config: &Config) -> anyhow::Result<String> {
    let Some(mailer) = Mailer::new(config)? else { return Ok("none is sent".to_owned()) };
    mailer.check().await?;
    Ok(match config.mail.transport {
        MailTransport::File => format!("goes into {}", config.mail.directory.display()),
        _ if config.mail.user.is_empty() => "the mail server answers".to_owned(),
        _ => "logged in to the mail server".to_owned(),
    })
}
