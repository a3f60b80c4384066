//! What a login reads before its proof is compared.

use ensafer_core::api::server::DeviceDocument;
use ensafer_core::crypto::Login;
use ensafer_core::ids::AccountId;
use sqlx::AnyConnection;

use super::accounts::Verifiers;
use super::value::{BadValue, from_hex};

/// What is known of whoever logs in.
#[derive(Debug)]
pub struct Known {
    /// What the proof is compared with. `None` if nobody has the login.
    pub verifiers: Option<Verifiers>,
    /// Whether the account has this device, with this key and a session that was not ended.
    pub is_device: bool,
    /// When two buckets of failures are empty again, in milliseconds since 1970.
    pub empty_at_ms: [Option<i64>; 2],
}

/// Reads what is known of a login and a device, and the two buckets of failures with these keys. `unknown` is the account
/// that stands for one that is not there: the queries and their rows are the same either way, and take as long.
///
/// # Errors
/// The database failed.
pub async fn known(
    db: &mut AnyConnection,
    login: &Login,
    device: &DeviceDocument,
    unknown: AccountId,
    buckets: [&str; 2],
) -> Result<Known, sqlx::Error> {
    type Row = (Option<String>, Option<String>, Option<String>, Option<String>, Option<i64>, Option<i64>);
    let row: Row = sqlx::query_as(
        "SELECT a.account, a.password_verifier, a.recovery_verifier, d.device, f.empty_at_ms, g.empty_at_ms \
         FROM (SELECT 1 AS one) u \
            LEFT JOIN accounts a ON a.login = $1 \
            LEFT JOIN devices d ON d.account = COALESCE(a.account, $2) AND d.device = $3 AND d.public_key = $4 \
                AND d.revoked_at IS NULL \
            LEFT JOIN failures f ON f.bucket = $5 \
            LEFT JOIN failures g ON g.bucket = $6",
    )
    .bind(login.as_str())
    .bind(unknown.to_string())
    .bind(device.device.to_string())
    .bind(hex::encode(device.public_key.0))
    .bind(buckets[0])
    .bind(buckets[1])
    .fetch_one(db)
    .await?;
    let (account, password, recovery, device, first, second) = row;
    let verifiers = match (account, password, recovery) {
        (Some(account), Some(password), Some(recovery)) => Some(Verifiers {
            account: AccountId::new(from_hex(&account)?),
            password: from_hex(&password)?,
            recovery: from_hex(&recovery)?,
        }),
        (None, None, None) => None,
        _ => return Err(BadValue.into()),
    };
    Ok(Known { verifiers, is_device: device.is_some(), empty_at_ms: [first, second] })
}
