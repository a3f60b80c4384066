//! Which server's secret the database belongs to.

use super::Db;

impl Db {
    /// Whether anybody has an account, confirmed or not.
    ///
    /// # Errors
    /// The database failed, or its tables were not made yet.
    pub async fn has_accounts(&self) -> Result<bool, sqlx::Error> {
        let found: Option<String> =
            sqlx::query_scalar("SELECT account FROM accounts LIMIT 1").fetch_optional(self.reader()).await?;
        Ok(found.is_some())
    }

    /// Whether [`claim`](Self::claim) would be granted. Changes nothing.
    ///
    /// # Errors
    /// The database failed, or its tables are of an older server.
    pub async fn would_grant(&self, check_value: &str) -> Result<bool, sqlx::Error> {
        let kept: Option<String> =
            sqlx::query_scalar("SELECT check_value FROM secret_check").fetch_optional(self.reader()).await?;
        Ok(kept.is_none_or(|kept| kept == check_value) || (self.is_sqlite() && !self.has_accounts().await?))
    }

    /// Makes the database belong to the secret with this check value, if it belongs to none yet. Returns whether it
    /// belongs to it: of several servers that start at the same time, all must have the same.
    ///
    /// An SQLite file has one server, which may take another secret as long as nobody has an account.
    ///
    /// # Errors
    /// The database failed; nothing was changed.
    pub async fn claim(&self, check_value: &str) -> Result<bool, sqlx::Error> {
        let mut tx = self.write().await?;
        if self.is_sqlite() {
            let unused = "DELETE FROM secret_check WHERE NOT EXISTS (SELECT 1 FROM accounts)";
            sqlx::query(unused).execute(&mut *tx).await?;
        }
        sqlx::query("INSERT INTO secret_check (only_row, check_value) VALUES (1, $1) ON CONFLICT DO NOTHING")
            .bind(check_value)
            .execute(&mut *tx)
            .await?;
        let kept: String =
            sqlx::query_scalar("SELECT check_value FROM secret_check").fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(kept == check_value)
    }
}
