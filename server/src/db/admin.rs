//! What the administrator does.

use std::path::Path;

use ensafer_core::crypto::Login;
use ensafer_core::ids::AccountId;
use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use crate::clock::{Clock, SystemClock};

use super::{Db, DbError, create_private, from_hex, to_int};

/// A user as the administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct UserRow {
    /// E-mail address or name.
    pub login: String,
    /// The account's id, in hex.
    pub account: String,
    /// `unconfirmed`, `active` or `disabled`.
    pub status: String,
    /// What others read beside the address.
    pub display_name: Option<String>,
    /// When the account was made, in seconds since 1970.
    pub created_at_s: i64,
    /// How many devices have a session.
    pub device_count: i64,
    /// When any of its devices was last here, in seconds since 1970.
    pub seen_at_s: Option<i64>,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Accounts that were never confirmed.
    pub accounts: u64,
    /// Devices whose session ended long ago.
    pub devices: u64,
    /// Login attempts that expired.
    pub logins: u64,
    /// Codes that expired.
    pub codes: u64,
    /// Invitations that ended.
    pub invitations: u64,
    /// Counts of failures that are zero again.
    pub failures: u64,
}

/// For how long accounts that nobody confirms are kept, in seconds.
const UNCONFIRMED_S: u64 = 24 * 3600;
/// For how long devices whose session ended are remembered, in seconds.
const ENDED_SESSIONS_S: u64 = 90 * 24 * 3600;
/// How far the clocks of two replicas may be apart, in seconds: what one still accepts, the other must not forget.
const CLOCK_MARGIN_S: u64 = 3600;

/// What is removed every hour: accounts, logins, devices, codes, invitations, failures. `$1` is the time before which a thing has no
/// use; in the first, `$2` is now: where codes hold for longer than that, so do the accounts that wait for them.
pub(crate) const PRUNE: [&str; 6] = [
    "DELETE FROM accounts WHERE status = 'unconfirmed' AND created_at < $1 AND NOT EXISTS \
        (SELECT 1 FROM codes WHERE codes.account = accounts.account AND codes.expires_at > $2)",
    "DELETE FROM logins WHERE expires_at < $1",
    "DELETE FROM devices WHERE COALESCE(revoked_at, refresh_expires_at) < $1",
    "DELETE FROM codes WHERE expires_at < $1",
    "DELETE FROM invitations WHERE expires_at < $1",
    "DELETE FROM failures WHERE empty_at_ms < $1",
];

fn account(id: Option<String>) -> Result<Option<AccountId>, sqlx::Error> {
    Ok(id.map(|id| from_hex(&id)).transpose()?.map(AccountId::new))
}

impl Db {
    /// All users, by login.
    ///
    /// # Errors
    /// The database failed.
    pub async fn users(&self) -> Result<Vec<UserRow>, sqlx::Error> {
        sqlx::query_as(
            "SELECT a.login, a.account, a.status, a.display_name, a.created_at AS created_at_s, \
                COUNT(CASE WHEN d.revoked_at IS NULL THEN d.device END) AS device_count, \
                MAX(d.seen_at) AS seen_at_s \
             FROM accounts a LEFT JOIN devices d ON d.account = a.account \
             GROUP BY a.login, a.account, a.status, a.display_name, a.created_at ORDER BY a.login",
        )
        .fetch_all(self.reader())
        .await
    }

    /// Deletes an account with everything that belongs to it. Returns which; `None` if there was none.
    ///
    /// # Errors
    /// The database failed; nothing was changed.
    pub async fn delete_user(&self, login: &Login) -> Result<Option<AccountId>, sqlx::Error> {
        let mut tx = self.write().await?;
        let deleted = sqlx::query_scalar("DELETE FROM accounts WHERE login = $1 RETURNING account");
        let deleted = deleted.bind(login.as_str()).fetch_optional(&mut *tx).await?;
        tx.commit().await?;
        account(deleted)
    }

    /// Disables an account, which ends its sessions, or lets it in again. Returns which; `None` if there is none. One that
    /// was never confirmed stays as it is, and counts as none.
    ///
    /// # Errors
    /// The database failed; nothing was changed.
    pub async fn set_disabled(
        &self,
        login: &Login,
        disabled: bool,
    ) -> Result<Option<AccountId>, sqlx::Error> {
        let mut tx = self.write().await?;
        let status = if disabled { "disabled" } else { "active" };
        let changed: Option<String> = sqlx::query_scalar(
            "UPDATE accounts SET status = $1 WHERE login = $2 AND status <> 'unconfirmed' RETURNING account",
        )
        .bind(status)
        .bind(login.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        if let (Some(account), true) = (&changed, disabled) {
            sqlx::query("UPDATE logins SET finished = 1 WHERE account = $1")
                .bind(account)
                .execute(&mut *tx)
                .await?;
            sqlx::query("UPDATE devices SET revoked_at = $2 WHERE account = $1 AND revoked_at IS NULL")
                .bind(account)
                .bind(to_int(SystemClock.now_s()))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        account(changed)
    }

    /// Removes what has no use any more.
    ///
    /// # Errors
    /// The database failed; nothing was removed.
    pub async fn prune(&self, now_s: u64) -> Result<Pruned, sqlx::Error> {
        let ago = |seconds: u64| to_int(now_s.saturating_sub(seconds));
        // Each by itself: what goes with an account is locked here without it.
        let remove = async |query: Query<'static, Any, AnyArguments>| {
            let mut tx = self.write().await?;
            let removed = query.execute(&mut *tx).await?.rows_affected();
            tx.commit().await?;
            Ok::<_, sqlx::Error>(removed)
        };
        let [accounts, rest @ ..] = PRUNE;
        let accounts = remove(sqlx::query(accounts).bind(ago(UNCONFIRMED_S)).bind(to_int(now_s))).await?;
        let margin = ago(CLOCK_MARGIN_S);
        let before = [margin, ago(ENDED_SESSIONS_S), margin, margin, margin.saturating_mul(1000)];
        let mut removed = [0; 5];
        for (count, (sql, before)) in removed.iter_mut().zip(rest.into_iter().zip(before)) {
            *count = remove(sqlx::query(sql).bind(before)).await?;
        }
        let [logins, devices, codes, invitations, failures] = removed;
        Ok(Pruned { accounts, devices, logins, codes, invitations, failures })
    }

    /// Copies an SQLite database, while it is in use, to a new file that only its owner reads.
    ///
    /// # Errors
    /// [`DbError::Create`] if the file is there already or cannot be made, [`DbError::Backup`] if copying fails,
    /// [`DbError::BackupByPgDump`] for PostgreSQL.
    pub async fn backup(&self, to: &Path) -> Result<(), DbError> {
        if !self.is_sqlite() {
            return Err(DbError::BackupByPgDump);
        }
        let failed = |source| DbError::Create { path: to.to_owned(), source };
        let path = to.to_str().ok_or_else(|| failed(std::io::ErrorKind::InvalidFilename.into()))?;
        // VACUUM INTO takes an empty file, so that nobody else reads the copy while it is written.
        create_private(to, true).map_err(failed)?;
        let copied = sqlx::query("VACUUM INTO $1").bind(path).execute(self.reader()).await;
        if let Err(error) = copied {
            let _ = std::fs::remove_file(to);
            return Err(DbError::Backup(error));
        }
        std::fs::File::open(to).and_then(|file| file.sync_all()).map_err(failed)
    }
}
