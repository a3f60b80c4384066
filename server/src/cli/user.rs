//! `user`: the accounts, as the server sees them.

use std::fmt::Write;
use std::io::{self, Write as _};

use anyhow::{Context, bail};
use ensafer_core::crypto::Login;
use ensafer_core::ids::AccountId;
use serde::Serialize;

use super::{UserVerb, print};
use crate::db::{Db, UserRow};

/// Lists, disables, enables or deletes.
pub async fn run(db: &Db, verb: UserVerb) -> anyhow::Result<()> {
    match verb {
        UserVerb::List { json } => list(db, json).await,
        UserVerb::Disable { email } => set_disabled(db, &email, true).await,
        UserVerb::Enable { email } => set_disabled(db, &email, false).await,
        UserVerb::Delete { email, yes } => delete(db, &email, yes).await,
    }
}

/// An account in `user list --json`. Fields are only ever added.
#[derive(Serialize)]
struct User<'a> {
    login: &'a str,
    account: &'a str,
    status: &'a str,
    display_name: Option<&'a str>,
    created_at_s: i64,
    device_count: i64,
    seen_at_s: Option<i64>,
}

async fn list(db: &Db, json: bool) -> anyhow::Result<()> {
    let users = db.users().await.context("cannot read the accounts")?;
    if json {
        let users: Vec<_> = users.iter().map(report).collect();
        return print(&(serde_json::to_string_pretty(&users)? + "\n"));
    }
    print(&table(&users))
}

fn report(user: &UserRow) -> User<'_> {
    User {
        login: &user.login,
        account: &user.account,
        status: &user.status,
        display_name: user.display_name.as_deref(),
        created_at_s: user.created_at_s,
        device_count: user.device_count,
        seen_at_s: user.seen_at_s,
    }
}

fn table(users: &[UserRow]) -> String {
    let width = users.iter().map(|user| user.login.chars().count()).max().unwrap_or(0).max(5);
    let mut text = String::new();
    let mut line = |login: &str, status: &str, devices: &str, made: &str, seen: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{login:width$}  {status:<11}  {devices:>7}  {made:<10}  {seen}");
    };
    line("LOGIN", "STATUS", "DEVICES", "MADE", "LAST SEEN");
    for user in users {
        let seen = user.seen_at_s.map_or_else(|| "never".to_owned(), day);
        line(&user.login, &user.status, &user.device_count.to_string(), &day(user.created_at_s), &seen);
    }
    text
}

fn day(at_s: i64) -> String {
    jiff::Timestamp::from_second(at_s)
        .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%d").to_string())
}

fn login(email: &str) -> anyhow::Result<Login> {
    email.parse().with_context(|| format!("{email:?} is no login"))
}

/// Deletes an account; unless `yes`, only after its login was typed.
async fn delete(db: &Db, email: &str, yes: bool) -> anyhow::Result<()> {
    let login = login(email)?;
    if !yes && !confirms(&login)? {
        bail!("nothing was deleted");
    }
    let Some(account) = db.delete_user(&login).await.context("cannot delete the account")? else {
        bail!("there is no account {login}");
    };
    audit(account, "account-deleted");
    print(&format!("{login} is deleted\n"))
}

/// Logs what the administrator did, as the server logs what accounts do.
fn audit(account: AccountId, event: &'static str) {
    tracing::info!(target: "audit", event, %account, by = "administrator");
}

fn confirms(login: &Login) -> anyhow::Result<bool> {
    let words =
        format!("This deletes the account {login} with its keys and its devices, for ever. Type its login: ");
    io::stderr().write_all(words.as_bytes()).context("cannot ask")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    Ok(answer.trim().parse::<Login>().is_ok_and(|typed| typed == *login))
}

async fn set_disabled(db: &Db, email: &str, disabled: bool) -> anyhow::Result<()> {
    let login = login(email)?;
    let Some(account) = db.set_disabled(&login, disabled).await.context("cannot change the account")? else {
        bail!("there is no account {login}, or it is not confirmed yet");
    };
    audit(account, if disabled { "account-disabled" } else { "account-enabled" });
    let done = if disabled { "disabled; its sessions are ended" } else { "enabled" };
    print(&format!("{login} is {done}\n"))
}
