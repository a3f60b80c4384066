//! Groups in the database. Their files are sealed; who may change them, the accounts that change them say.

use std::collections::BTreeMap;

use ensafer_core::api::hex::{HexBytes, decode};
use ensafer_core::api::server::{GroupEntry, GroupReport, GroupRequest};
use ensafer_core::ids::{AccountId, GroupId};
use sqlx::{Any, AnyPool, Transaction};

use super::value::{BadValue, from_hex, from_int, to_int};

/// What became of a new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is there.
    Kept,
    /// The account has too many groups.
    Full,
    /// This version is there, which is not the one before.
    Conflict(u64),
    /// There is no such group that the account may change.
    Unknown,
}

/// Keeps a new group, unless its account has `most`. The account's row must be locked.
///
/// # Errors
/// The database failed.
pub async fn create(
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    id: GroupId,
    new: &GroupRequest,
    now_s: u64,
    most: u32,
) -> Result<Written, sqlx::Error> {
    let made: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM user_groups WHERE account = $1")
        .bind(account.to_string())
        .fetch_one(&mut **tx)
        .await?;
    let current = current(tx, account, id).await?;
    if current == Written::Unknown && made >= i64::from(most) {
        return Ok(Written::Full);
    }
    let done = sqlx::query(
        "INSERT INTO user_groups (group_id, account, version, object, created_at, changed_at) \
         VALUES ($1, $2, 1, $3, $4, $4) ON CONFLICT DO NOTHING",
    )
    .bind(id.to_string())
    .bind(account.to_string())
    .bind(hex::encode(&new.object.0))
    .bind(to_int(now_s))
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return self::current(tx, account, id).await;
    }
    set_admins(tx, id, &new.admins).await?;
    Ok(Written::Kept)
}

/// Puts a new version in the place of the one before, if it is that which is there.
///
/// # Errors
/// The database failed.
pub async fn replace(
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    id: GroupId,
    new: &GroupRequest,
    now_s: u64,
) -> Result<Written, sqlx::Error> {
    let previous = new.version.checked_sub(1).and_then(|version| i64::try_from(version).ok());
    let done = sqlx::query(
        "UPDATE user_groups SET version = $3 + 1, object = $4, changed_at = $5 \
         WHERE group_id = $1 AND version = $3 AND (account = $2 OR EXISTS \
            (SELECT 1 FROM group_admins a WHERE a.group_id = $1 AND a.account = $2))",
    )
    .bind(id.to_string())
    .bind(account.to_string())
    .bind(previous.unwrap_or(-1))
    .bind(hex::encode(&new.object.0))
    .bind(to_int(now_s))
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return current(tx, account, id).await;
    }
    set_admins(tx, id, &new.admins).await?;
    Ok(Written::Kept)
}

/// The version that is there, as an answer to who cannot write theirs.
async fn current(
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    id: GroupId,
) -> Result<Written, sqlx::Error> {
    let version: Option<i64> = sqlx::query_scalar(
        "SELECT version FROM user_groups WHERE group_id = $1 AND (account = $2 OR EXISTS \
            (SELECT 1 FROM group_admins a WHERE a.group_id = $1 AND a.account = $2))",
    )
    .bind(id.to_string())
    .bind(account.to_string())
    .fetch_optional(&mut **tx)
    .await?;
    Ok(match version {
        Some(version) => Written::Conflict(from_int(version)?),
        None => Written::Unknown,
    })
}

/// Accounts that do not exist, or not any more, are left out.
async fn set_admins(
    tx: &mut Transaction<'static, Any>,
    id: GroupId,
    admins: &[AccountId],
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM group_admins WHERE group_id = $1")
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    for admin in admins {
        sqlx::query(
            "INSERT INTO group_admins (group_id, account) SELECT $1, account FROM accounts WHERE account = $2 \
             ON CONFLICT DO NOTHING",
        )
        .bind(id.to_string())
        .bind(admin.to_string())
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// The newest version.
///
/// # Errors
/// The database failed.
pub async fn read(db: &AnyPool, id: GroupId) -> Result<Option<GroupReport>, sqlx::Error> {
    let row: Option<(i64, String)> =
        sqlx::query_as("SELECT version, object FROM user_groups WHERE group_id = $1")
            .bind(id.to_string())
            .fetch_optional(db)
            .await?;
    row.map(|(version, object)| {
        let object = decode(&object).map(HexBytes).ok_or(BadValue)?;
        Ok(GroupReport { version: from_int(version)?, object })
    })
    .transpose()
}

/// The groups that the account made, by id.
///
/// # Errors
/// The database failed.
pub async fn made_by(db: &AnyPool, account: AccountId) -> Result<Vec<GroupEntry>, sqlx::Error> {
    let rows: Vec<(String, i64, i64, i64, Option<String>)> = sqlx::query_as(
        "SELECT g.group_id, g.version, g.created_at, g.changed_at, a.account \
         FROM user_groups g LEFT JOIN group_admins a ON a.group_id = g.group_id \
         WHERE g.account = $1 ORDER BY g.group_id, a.account",
    )
    .bind(account.to_string())
    .fetch_all(db)
    .await?;
    let mut entries: BTreeMap<GroupId, GroupEntry> = BTreeMap::new();
    for (id, version, created_at, changed_at, admin) in rows {
        let id = GroupId::new(from_hex(&id)?);
        let (version, created_at_s, changed_at_s) =
            (from_int(version)?, from_int(created_at)?, from_int(changed_at)?);
        let new = GroupEntry { id, version, created_at_s, changed_at_s, admins: Vec::new() };
        let entry = entries.entry(id).or_insert(new);
        if let Some(admin) = admin {
            entry.admins.push(AccountId::new(from_hex(&admin)?));
        }
    }
    Ok(entries.into_values().collect())
}

/// The groups whose admins named the account as one of them, by id.
///
/// # Errors
/// The database failed.
pub async fn administered_by(db: &AnyPool, account: AccountId) -> Result<Vec<GroupId>, sqlx::Error> {
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT group_id FROM group_admins WHERE account = $1 ORDER BY group_id")
            .bind(account.to_string())
            .fetch_all(db)
            .await?;
    let id = |id: String| Ok(GroupId::new(from_hex(&id)?));
    rows.into_iter().map(id).collect::<Result<_, BadValue>>().map_err(Into::into)
}

/// Removes a group that the account made. Returns whether there was one.
///
/// # Errors
/// The database failed.
pub async fn delete(
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    id: GroupId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM user_groups WHERE group_id = $1 AND account = $2")
        .bind(id.to_string())
        .bind(account.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}
