//! Changes of accounts in the database, each decided by one conditional statement.

use ensafer_core::account::SignedBundle;
use ensafer_core::api::server::{
    PasswordSealDocument, RecoverySealDocument, SealedKeysDocument, StateDocument,
};
use ensafer_core::ids::AccountId;
use sqlx::{Any, Transaction};

use super::accounts::{Stored, publish};
use super::value::{from_int, to_int};

/// What decides whether a change of the account's seals is still about the account that was read.
fn versions(expected: &Stored) -> (String, i64, String) {
    let document = &expected.document;
    (expected.id.to_string(), i64::from(document.password.version), hex::encode(document.recovery.id.0))
}

/// Replaces the password's seal, unless password or recovery key changed since. Returns whether it did.
///
/// # Errors
/// The database failed.
pub async fn replace_password(
    tx: &mut Transaction<'static, Any>,
    expected: &Stored,
    password: &PasswordSealDocument,
    verifier: &[u8; 32],
) -> Result<bool, sqlx::Error> {
    let (account, password_version, recovery_id) = versions(expected);
    let done = sqlx::query(
        "UPDATE accounts SET password_version = $4, password_realm = $5, password_nonce = $6, \
            password_iterations = $7, password_sealed = $8, password_verifier = $9 \
         WHERE account = $1 AND password_version = $2 AND recovery_id = $3",
    )
    .bind(&account)
    .bind(password_version)
    .bind(recovery_id)
    .bind(i64::from(password.version))
    .bind(&password.realm)
    .bind(hex::encode(password.nonce.0))
    .bind(i64::from(password.iterations))
    .bind(hex::encode(&password.sealed.0))
    .bind(hex::encode(verifier))
    .execute(&mut **tx)
    .await?;
    finish_logins(tx, &account).await?;
    Ok(done.rows_affected() == 1)
}

/// Replaces the recovery key's seals, unless password or recovery key changed since. Returns whether it did.
///
/// # Errors
/// The database failed.
pub async fn replace_recovery(
    tx: &mut Transaction<'static, Any>,
    expected: &Stored,
    recovery: &RecoverySealDocument,
    verifier: &[u8; 32],
) -> Result<bool, sqlx::Error> {
    let (account, password_version, recovery_id) = versions(expected);
    let done = sqlx::query(
        "UPDATE accounts SET recovery_id = $4, recovery_sealed = $5, recovery_copy = $6, recovery_verifier = $7 \
         WHERE account = $1 AND password_version = $2 AND recovery_id = $3",
    )
    .bind(&account)
    .bind(password_version)
    .bind(recovery_id)
    .bind(hex::encode(recovery.id.0))
    .bind(hex::encode(&recovery.sealed.0))
    .bind(hex::encode(&recovery.copy.0))
    .bind(hex::encode(verifier))
    .execute(&mut **tx)
    .await?;
    finish_logins(tx, &account).await?;
    Ok(done.rows_affected() == 1)
}

/// Replaces bundle, keys and the password's seal, unless any of them changed since. Returns whether it did.
///
/// # Errors
/// The database failed; a unique violation if the bundle's login is somebody else's.
pub async fn replace_keys(
    tx: &mut Transaction<'static, Any>,
    expected: &Stored,
    bundle: &SignedBundle,
    keys: &SealedKeysDocument,
    now_s: u64,
) -> Result<bool, sqlx::Error> {
    let new = bundle.bundle();
    let done = sqlx::query(
        "UPDATE accounts SET login = $4, bundle = $5, bundle_signature = $6, bundle_sequence = $7, \
            login_key = $8, keys_version = $9, keys_sealed = $10 \
         WHERE account = $1 AND bundle_sequence = $2 AND keys_version = $3",
    )
    .bind(expected.id.to_string())
    .bind(to_int(expected.sequence))
    .bind(i64::from(expected.document.keys.version))
    .bind(new.login.as_str())
    .bind(hex::encode(bundle.bytes()))
    .bind(hex::encode(bundle.signature().as_bytes()))
    .bind(to_int(new.sequence))
    .bind(hex::encode(new.login_key.spki()))
    .bind(i64::from(keys.version))
    .bind(hex::encode(&keys.sealed.0))
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    publish(tx, bundle, now_s).await?;
    Ok(true)
}

/// Ends the logins that are under way: they were begun with what is no longer true.
async fn finish_logins(tx: &mut Transaction<'static, Any>, account: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE logins SET finished = 1 WHERE account = $1")
        .bind(account)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Deletes an account with everything that belongs to it, unless password or recovery key changed since. Returns
/// whether it did.
///
/// # Errors
/// The database failed.
pub async fn delete(tx: &mut Transaction<'static, Any>, expected: &Stored) -> Result<bool, sqlx::Error> {
    let (account, password_version, recovery_id) = versions(expected);
    let done =
        sqlx::query("DELETE FROM accounts WHERE account = $1 AND password_version = $2 AND recovery_id = $3")
            .bind(account)
            .bind(password_version)
            .bind(recovery_id)
            .execute(&mut **tx)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Replaces the account's state, if the new version is the old one's and one more. Returns the version that is there if
/// not.
///
/// # Errors
/// The database failed.
pub async fn write_state(
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    new: &StateDocument,
) -> Result<Option<u64>, sqlx::Error> {
    let previous = new.version.checked_sub(1).and_then(|version| i64::try_from(version).ok());
    let account = account.to_string();
    let done = sqlx::query(
        "UPDATE accounts SET state_version = $2 + 1, state_sealed = $3 WHERE account = $1 AND state_version = $2",
    )
    .bind(&account)
    .bind(previous.unwrap_or(-1))
    .bind(hex::encode(&new.sealed.0))
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 {
        return Ok(None);
    }
    let current: Option<i64> = sqlx::query_scalar("SELECT state_version FROM accounts WHERE account = $1")
        .bind(&account)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(Some(from_int(current.unwrap_or(0))?))
}

/// Changes what others read beside the address.
///
/// # Errors
/// The database failed.
pub async fn rename(
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    display_name: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE accounts SET display_name = $2 WHERE account = $1")
        .bind(account.to_string())
        .bind(display_name)
        .execute(&mut **tx)
        .await
        .map(drop)
}
