//! Many accounts at once: rows written beside the server, copies of one account that it took by the protocol.

use anyhow::Context;
use ensafer_core::crypto::{Login, ServerKeys, ServerSecret, VerifierKind};
use ensafer_core::ids::AccountId;
use sqlx::{AnyConnection, Connection};

use crate::Options;
use crate::client::{Identity, Template};

/// Rows of one statement; SQLite takes 32,766 values.
const BATCH: usize = 1000;

/// Fills the database with copies of the template. Each has a verifier of its own, for which the server's secret is
/// needed, so that they log in as any other account does.
pub async fn fill(template: &Template, options: &Options) -> anyhow::Result<Vec<Identity>> {
    let secret = std::fs::read_to_string(&options.secret_file).context("the secret file")?;
    let secret = hex::decode(secret.trim()).ok().and_then(|bytes| ServerSecret::from_bytes(&bytes));
    let keys = ServerKeys::derive(&secret.context("the secret file does not hold a secret")?);
    let identities = (0..options.accounts).map(identity).collect::<anyhow::Result<Vec<_>>>()?;

    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(&options.database).await?;
    let mut tx = connection.begin().await?;
    sqlx::query("CREATE TABLE load_rows (account TEXT, login TEXT, verifier TEXT)").execute(&mut *tx).await?;
    for batch in identities.chunks(BATCH) {
        let rows: Vec<String> = batch.iter().map(|who| row(who, &keys, template)).collect();
        let sql = format!("INSERT INTO load_rows VALUES {}", rows.join(","));
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await?;
    }
    let original = template.own_identity().account.to_string();
    for sql in [COPY_ACCOUNTS, COPY_BUNDLES] {
        sqlx::query(sql).bind(&original).execute(&mut *tx).await?;
    }
    sqlx::query("DROP TABLE load_rows").execute(&mut *tx).await?;
    tx.commit().await?;
    // As the automatic vacuum does in time: without it PostgreSQL would plan for an empty table.
    sqlx::query("ANALYZE").execute(&mut connection).await?;
    Ok(identities)
}

const COPY_ACCOUNTS: &str = "\
INSERT INTO accounts (account, login, status, display_name, created_at, bundle, bundle_signature, bundle_sequence, \
    login_key, fingerprint, keys_version, keys_sealed, password_version, password_realm, password_nonce, \
    password_iterations, password_sealed, password_verifier, recovery_id, recovery_sealed, recovery_copy, \
    recovery_verifier, state_version, state_sealed) \
SELECT r.account, r.login, status, display_name, created_at, bundle, bundle_signature, bundle_sequence, \
    login_key, fingerprint, keys_version, keys_sealed, password_version, password_realm, password_nonce, \
    password_iterations, password_sealed, r.verifier, recovery_id, recovery_sealed, recovery_copy, \
    recovery_verifier, state_version, state_sealed \
FROM load_rows r CROSS JOIN accounts a WHERE a.account = $1";

const COPY_BUNDLES: &str = "\
INSERT INTO bundles (account, sequence, bundle, signature, published_at) \
SELECT r.account, sequence, bundle, signature, published_at \
FROM load_rows r CROSS JOIN bundles b WHERE b.account = $1";

/// The login and the id of number `index`: the ids lie as random ones do.
fn identity(index: usize) -> anyhow::Result<Identity> {
    let login: Login = format!("load-{index:06}@example.com").parse()?;
    let hash = blake3::hash(login.as_str().as_bytes());
    let account = AccountId::new(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"));
    Ok(Identity { login, account })
}

/// Nothing in it needs quoting: digits, and a login that was made here.
fn row(who: &Identity, keys: &ServerKeys, template: &Template) -> String {
    let verifier = keys.verifier(VerifierKind::Password, who.account, template.auth());
    format!("('{}','{}','{}')", who.account, who.login, hex::encode(verifier))
}
