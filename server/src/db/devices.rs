//! Devices and their sessions in the database.

use ensafer_core::api::hex::HexArray;
use ensafer_core::api::server::{DeviceReport, ExportedDevice};
use ensafer_core::ids::{AccountId, DeviceId};
use sqlx::{Any, AnyPool, Executor, Transaction};

use super::accounts::Status;
use super::value::{BadValue, from_hex, from_int, to_int};

/// What a session's tokens are kept as.
#[derive(Debug)]
pub struct Hashes {
    /// Of the access token.
    pub access: [u8; 32],
    /// When that expires, in seconds since 1970.
    pub access_expires_at_s: u64,
    /// Of the refresh token.
    pub refresh: [u8; 32],
    /// When that expires, in seconds since 1970.
    pub refresh_expires_at_s: u64,
}

/// Whose access token it is.
#[derive(Debug)]
pub struct Bearer {
    /// The account.
    pub account: AccountId,
    /// Whether that can be used.
    pub status: Status,
    /// The device.
    pub device: DeviceId,
    /// Whether its session was ended.
    pub is_revoked: bool,
    /// When the token expires, in seconds since 1970.
    pub expires_at_s: u64,
}

/// A device's session, as a request for new tokens is checked against it.
#[derive(Debug)]
pub struct SessionRow {
    /// Whether the account can be used.
    pub status: Status,
    /// The device's key.
    pub public_key: [u8; 32],
    /// Whether the session was ended.
    pub is_revoked: bool,
    /// The highest counter that was seen.
    pub counter: u64,
    /// Hashes of the refresh tokens that pass: the current one, and the one before.
    pub refresh: [[u8; 32]; 2],
    /// When they expire, in seconds since 1970.
    pub refresh_expires_at_s: u64,
}

/// Whose access token has this hash.
///
/// # Errors
/// The database failed.
pub async fn bearer(db: &AnyPool, access_hash: &[u8; 32]) -> Result<Option<Bearer>, sqlx::Error> {
    let row: Option<(String, String, String, Option<i64>, i64)> = sqlx::query_as(
        "SELECT d.account, a.status, d.device, d.revoked_at, d.access_expires_at \
         FROM devices d JOIN accounts a ON a.account = d.account WHERE d.access_hash = $1",
    )
    .bind(hex::encode(access_hash))
    .fetch_optional(db)
    .await?;
    row.map(|(account, status, device, revoked_at, expires_at)| {
        Ok(Bearer {
            account: AccountId::new(from_hex(&account)?),
            status: Status::parse(&status)?,
            device: DeviceId::new(from_hex(&device)?),
            is_revoked: revoked_at.is_some(),
            expires_at_s: from_int(expires_at)?,
        })
    })
    .transpose()
}

/// A device's session.
///
/// # Errors
/// The database failed.
pub async fn session(
    db: &AnyPool,
    account: AccountId,
    device: DeviceId,
) -> Result<Option<SessionRow>, sqlx::Error> {
    type Row = (String, String, Option<i64>, i64, String, String, i64);
    let row: Option<Row> = sqlx::query_as(
        "SELECT a.status, d.public_key, d.revoked_at, d.counter, d.refresh_hash, d.previous_refresh_hash, \
            d.refresh_expires_at \
         FROM devices d JOIN accounts a ON a.account = d.account WHERE d.account = $1 AND d.device = $2",
    )
    .bind(account.to_string())
    .bind(device.to_string())
    .fetch_optional(db)
    .await?;
    row.map(|(status, key, revoked_at, counter, refresh, previous, expires_at)| {
        Ok(SessionRow {
            status: Status::parse(&status)?,
            public_key: from_hex(&key)?,
            is_revoked: revoked_at.is_some(),
            counter: from_int(counter)?,
            refresh: [from_hex(&refresh)?, from_hex(&previous)?],
            refresh_expires_at_s: from_int(expires_at)?,
        })
    })
    .transpose()
}

/// Whether the account was made at `made_since_s` or later and no device of it is remembered. Devices are remembered for
/// 90 days at least, so a younger account never had one.
///
/// # Errors
/// The database failed.
pub async fn is_without(
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    made_since_s: u64,
) -> Result<bool, sqlx::Error> {
    let found: Option<String> = sqlx::query_scalar(
        "SELECT account FROM accounts a WHERE account = $1 AND created_at >= $2 \
            AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.account = a.account)",
    )
    .bind(account.to_string())
    .bind(to_int(made_since_s))
    .fetch_optional(&mut **tx)
    .await?;
    Ok(found.is_some())
}

/// A device that logs in.
#[derive(Debug)]
pub struct LoggedIn<'a> {
    /// Its account.
    pub account: AccountId,
    /// Its id.
    pub device: DeviceId,
    /// Its name.
    pub name: &'a str,
    /// Its key.
    pub public_key: [u8; 32],
    /// Its tokens.
    pub hashes: &'a Hashes,
    /// When, in seconds since 1970.
    pub now_s: u64,
    /// How many devices of one account are remembered.
    pub most: u32,
}

/// Begins a device's session, in the place of any that it had. Returns since when the device is to be told of newer ones;
/// `None` if it is new: by id or key, or because its session was ended.
///
/// A device that logged out by itself is new as well when it comes back: its key went with its session, and the id alone
/// shows nothing. Whoever has the password and saw the list of devices knows that, too, and would come unannounced.
///
/// # Errors
/// The database failed.
pub async fn begin(
    tx: &mut Transaction<'static, Any>,
    new: &LoggedIn<'_>,
) -> Result<Option<u64>, sqlx::Error> {
    let (account, device) = (new.account.to_string(), new.device.to_string());
    let key = hex::encode(new.public_key);
    let told_at: Option<i64> = sqlx::query_scalar(
        "SELECT told_at FROM devices WHERE account = $1 AND device = $2 AND public_key = $3 AND revoked_at IS NULL",
    )
    .bind(&account)
    .bind(&device)
    .bind(&key)
    .fetch_optional(&mut **tx)
    .await?;
    // There is no token before the first: the previous hash is the current one.
    sqlx::query(
        "INSERT INTO devices (account, device, name, public_key, created_at, seen_at, counter, access_hash, \
            access_expires_at, refresh_hash, previous_refresh_hash, refresh_expires_at, told_at) \
         VALUES ($1, $2, $3, $4, $5, $5, 0, $6, $7, $8, $8, $9, $5) \
         ON CONFLICT (account, device) DO UPDATE SET \
            created_at = CASE WHEN devices.public_key = excluded.public_key AND devices.revoked_at IS NULL \
                THEN devices.created_at ELSE excluded.created_at END, \
            told_at = CASE WHEN devices.public_key = excluded.public_key AND devices.revoked_at IS NULL \
                THEN devices.told_at ELSE excluded.told_at END, \
            name = excluded.name, public_key = excluded.public_key, seen_at = excluded.seen_at, \
            revoked_at = NULL, counter = 0, access_hash = excluded.access_hash, \
            access_expires_at = excluded.access_expires_at, refresh_hash = excluded.refresh_hash, \
            previous_refresh_hash = excluded.previous_refresh_hash, \
            refresh_expires_at = excluded.refresh_expires_at",
    )
    .bind(account)
    .bind(device)
    .bind(new.name)
    .bind(key)
    .bind(to_int(new.now_s))
    .bind(hex::encode(new.hashes.access))
    .bind(to_int(new.hashes.access_expires_at_s))
    .bind(hex::encode(new.hashes.refresh))
    .bind(to_int(new.hashes.refresh_expires_at_s))
    .execute(&mut **tx)
    .await?;
    if told_at.is_none() {
        forget_surplus(tx, new).await?;
    }
    Ok(told_at.map(from_int).transpose()?)
}

/// Keeps an account's devices from growing without end: those that have no session go first, then those that were not
/// here for longest.
async fn forget_surplus(tx: &mut Transaction<'static, Any>, new: &LoggedIn<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM devices WHERE account = $1 AND device IN (SELECT device FROM devices \
            WHERE account = $1 AND device <> $2 \
            ORDER BY CASE WHEN revoked_at IS NULL THEN 0 ELSE 1 END, seen_at DESC, device \
            LIMIT 1000000 OFFSET $3)",
    )
    .bind(new.account.to_string())
    .bind(new.device.to_string())
    .bind(i64::from(new.most.saturating_sub(1)))
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// A request for new tokens that was checked.
#[derive(Debug)]
pub struct Rotation<'a> {
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// The request's counter.
    pub counter: u64,
    /// Hash of the refresh token that was shown.
    pub shown: [u8; 32],
    /// The new tokens.
    pub hashes: &'a Hashes,
    /// When, in seconds since 1970.
    pub now_s: u64,
}

/// Replaces a session's tokens, unless the counter was seen, the token was spent or the session ended since it was
/// checked: of several equal requests, one passes. Returns since when the device is to be told of newer ones; `None` if
/// nothing was replaced.
///
/// Whoever shows the current token got the answer that carried it, with the devices of which that told. Whoever shows the
/// one before did not.
///
/// # Errors
/// The database failed.
pub async fn rotate(
    tx: &mut Transaction<'static, Any>,
    rotation: &Rotation<'_>,
) -> Result<Option<u64>, sqlx::Error> {
    let told_at: Option<i64> = sqlx::query_scalar(
        "UPDATE devices SET counter = $3, seen_at = $4, access_hash = $5, access_expires_at = $6, \
            told_at = CASE WHEN refresh_hash = $8 THEN seen_at ELSE told_at END, \
            refresh_hash = $7, previous_refresh_hash = $8, refresh_expires_at = $9 \
         WHERE account = $1 AND device = $2 AND counter < $3 AND revoked_at IS NULL \
            AND (refresh_hash = $8 OR previous_refresh_hash = $8) \
         RETURNING told_at",
    )
    .bind(rotation.account.to_string())
    .bind(rotation.device.to_string())
    .bind(to_int(rotation.counter))
    .bind(to_int(rotation.now_s))
    .bind(hex::encode(rotation.hashes.access))
    .bind(to_int(rotation.hashes.access_expires_at_s))
    .bind(hex::encode(rotation.hashes.refresh))
    .bind(hex::encode(rotation.shown))
    .bind(to_int(rotation.hashes.refresh_expires_at_s))
    .fetch_optional(&mut **tx)
    .await?;
    Ok(told_at.map(from_int).transpose()?)
}

/// Ends a device's session. Returns whether it had one.
///
/// # Errors
/// The database failed.
pub async fn revoke(
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    device: DeviceId,
    now_s: u64,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE devices SET revoked_at = $3 WHERE account = $1 AND device = $2 AND revoked_at IS NULL",
    )
    .bind(account.to_string())
    .bind(device.to_string())
    .bind(to_int(now_s))
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The account's devices that have a session, the oldest first. `asking` is the one that asks.
///
/// # Errors
/// The database failed.
pub async fn list<'e>(
    db: impl Executor<'e, Database = Any>,
    account: AccountId,
    asking: DeviceId,
) -> Result<Vec<DeviceReport>, sqlx::Error> {
    let rows = sqlx::query_as(
        "SELECT device, name, created_at, seen_at FROM devices \
         WHERE account = $1 AND revoked_at IS NULL ORDER BY created_at, device",
    );
    report(rows.bind(account.to_string()).fetch_all(db).await?, asking)
}

/// The account's other devices that first logged in at `since_s` or later, the oldest first: also those that logged out
/// again, or a stranger would come and go unseen.
///
/// # Errors
/// The database failed.
pub async fn newer<'e>(
    db: impl Executor<'e, Database = Any>,
    account: AccountId,
    asking: DeviceId,
    since_s: u64,
) -> Result<Vec<DeviceReport>, sqlx::Error> {
    let rows = sqlx::query_as(
        "SELECT device, name, created_at, seen_at FROM devices \
         WHERE account = $1 AND device <> $2 AND created_at >= $3 ORDER BY created_at, device",
    );
    let rows = rows.bind(account.to_string()).bind(asking.to_string()).bind(to_int(since_s));
    report(rows.fetch_all(db).await?, asking)
}

fn report(rows: Vec<(String, String, i64, i64)>, asking: DeviceId) -> Result<Vec<DeviceReport>, sqlx::Error> {
    let report = |(device, name, created_at, seen_at): (String, String, i64, i64)| {
        let device = DeviceId::new(from_hex(&device)?);
        Ok(DeviceReport {
            device,
            name,
            created_at_s: from_int(created_at)?,
            seen_at_s: from_int(seen_at)?,
            is_this: device == asking,
        })
    };
    rows.into_iter().map(report).collect::<Result<_, BadValue>>().map_err(Into::into)
}

/// All devices of the account that are remembered, the oldest first.
///
/// # Errors
/// The database failed.
pub async fn export(
    db: &AnyPool,
    account: AccountId,
    asking: DeviceId,
) -> Result<Vec<ExportedDevice>, sqlx::Error> {
    type Row = (String, String, String, i64, i64, i64, i64, i64, Option<i64>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT device, name, public_key, created_at, seen_at, told_at, counter, refresh_expires_at, revoked_at \
         FROM devices WHERE account = $1 ORDER BY created_at, device",
    )
    .bind(account.to_string())
    .fetch_all(db)
    .await?;
    let report = |(device, name, key, created_at, seen_at, told_at, counter, expires_at, revoked_at): Row| {
        let device = DeviceId::new(from_hex(&device)?);
        Ok(ExportedDevice {
            device,
            name,
            public_key: HexArray(from_hex(&key)?),
            created_at_s: from_int(created_at)?,
            seen_at_s: from_int(seen_at)?,
            told_at_s: from_int(told_at)?,
            counter: from_int(counter)?,
            session_expires_at_s: from_int(expires_at)?,
            ended_at_s: revoked_at.map(from_int).transpose()?,
            is_this: device == asking,
        })
    };
    rows.into_iter().map(report).collect::<Result<_, BadValue>>().map_err(Into::into)
}
