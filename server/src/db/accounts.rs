//! Accounts in the database.

use ensafer_core::account::SignedBundle;
use ensafer_core::api::hex::{HexArray, HexBytes, decode};
use ensafer_core::api::server::{
    AccountDocument, AccountReport, BundleDocument, PasswordSealDocument, PublishedBundle,
    RecoverySealDocument, SealedKeysDocument, StateDocument,
};
use ensafer_core::crypto::{Login, LoginPublicKey};
use ensafer_core::ids::AccountId;
use sqlx::{Any, AnyPool, Executor, Transaction};

use super::Db;
use super::value::{BadValue, from_hex, from_int, to_int};

/// Whether an account can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Its address was not confirmed yet.
    Unconfirmed,
    /// It can.
    Active,
    /// The administrator said no.
    Disabled,
}

impl Status {
    /// The status as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    /// Reads what [`as_str`](Self::as_str) wrote.
    ///
    /// # Errors
    /// [`BadValue`]
    pub fn parse(text: &str) -> Result<Self, BadValue> {
        let all = [Self::Unconfirmed, Self::Active, Self::Disabled];
        all.into_iter().find(|status| status.as_str() == text).ok_or(BadValue)
    }
}

/// What a proof is compared with.
#[derive(Debug)]
pub struct Verifiers {
    /// The account.
    pub account: AccountId,
    /// Of the password.
    pub password: [u8; 32],
    /// Of the recovery key.
    pub recovery: [u8; 32],
}

/// An account's row.
#[derive(Debug, sqlx::FromRow)]
pub struct AccountRow {
    account: String,
    login: String,
    status: String,
    display_name: Option<String>,
    created_at: i64,
    bundle: String,
    bundle_signature: String,
    login_key: String,
    fingerprint: String,
    bundle_sequence: i64,
    keys_version: i64,
    keys_sealed: String,
    password_version: i64,
    password_realm: String,
    password_nonce: String,
    password_iterations: i64,
    password_sealed: String,
    password_verifier: String,
    recovery_id: String,
    recovery_sealed: String,
    recovery_copy: String,
    recovery_verifier: String,
    state_version: i64,
    state_sealed: Option<String>,
}

/// An account as the server keeps it.
#[derive(Debug)]
pub struct Stored {
    /// Its id.
    pub id: AccountId,
    /// Its login.
    pub login: Login,
    /// Whether it can be used.
    pub status: Status,
    /// What is served of it.
    pub document: AccountDocument,
    /// What others read beside the address.
    pub display_name: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created_at_s: u64,
    /// Counts its bundles.
    pub sequence: u64,
    /// Seals its challenges.
    pub login_key: LoginPublicKey,
    /// Its identity key's fingerprint, in hex.
    pub fingerprint: String,
    /// What proofs are compared with.
    pub verifiers: Verifiers,
}

impl Stored {
    /// The account as its owner gets it.
    #[must_use]
    pub fn report(self) -> AccountReport {
        let Self { document, display_name, created_at_s, .. } = self;
        AccountReport { account: document, display_name, created_at_s }
    }
}

impl TryFrom<AccountRow> for Stored {
    type Error = BadValue;

    fn try_from(row: AccountRow) -> Result<Self, BadValue> {
        let id = AccountId::new(from_hex(&row.account)?);
        let status = Status::parse(&row.status)?;
        Ok(Self {
            id,
            login: row.login.parse().map_err(|_| BadValue)?,
            status,
            created_at_s: from_int(row.created_at)?,
            sequence: from_int(row.bundle_sequence)?,
            login_key: LoginPublicKey::from_spki(&bytes(&row.login_key)?.0).map_err(|_| BadValue)?,
            verifiers: Verifiers {
                account: id,
                password: from_hex(&row.password_verifier)?,
                recovery: from_hex(&row.recovery_verifier)?,
            },
            document: AccountDocument {
                bundle: BundleDocument {
                    bundle: bytes(&row.bundle)?,
                    signature: HexArray(from_hex(&row.bundle_signature)?),
                },
                keys: SealedKeysDocument {
                    version: from_int(row.keys_version)?,
                    sealed: bytes(&row.keys_sealed)?,
                },
                password: PasswordSealDocument {
                    version: from_int(row.password_version)?,
                    nonce: HexArray(from_hex(&row.password_nonce)?),
                    iterations: from_int(row.password_iterations)?,
                    sealed: bytes(&row.password_sealed)?,
                    realm: row.password_realm,
                },
                recovery: RecoverySealDocument {
                    id: HexArray(from_hex(&row.recovery_id)?),
                    sealed: bytes(&row.recovery_sealed)?,
                    copy: bytes(&row.recovery_copy)?,
                },
                state: state(row.state_version, row.state_sealed.as_deref())?,
            },
            display_name: row.display_name,
            fingerprint: row.fingerprint,
        })
    }
}

fn bytes(text: &str) -> Result<HexBytes, BadValue> {
    decode(text).map(HexBytes).ok_or(BadValue)
}

fn state(version: i64, sealed: Option<&str>) -> Result<Option<StateDocument>, BadValue> {
    let Some(sealed) = sealed else { return Ok(None) };
    Ok(Some(StateDocument { version: from_int(version)?, sealed: bytes(sealed)? }))
}

/// What a proof for this login is made with: nonce and rounds. There is one row either way, so that reading it takes as
/// long.
///
/// # Errors
/// The database failed.
pub async fn parameters(db: &AnyPool, login: &Login) -> Result<Option<([u8; 16], u32)>, sqlx::Error> {
    let (nonce, iterations): (Option<String>, Option<i64>) = sqlx::query_as(
        "SELECT a.password_nonce, a.password_iterations \
         FROM (SELECT 1 AS one) u LEFT JOIN accounts a ON a.login = $1",
    )
    .bind(login.as_str())
    .fetch_one(db)
    .await?;
    let parameters = nonce
        .zip(iterations)
        .map(|(nonce, iterations)| Ok::<_, BadValue>((from_hex(&nonce)?, from_int(iterations)?)));
    Ok(parameters.transpose()?)
}

/// The account. `None` if it was deleted.
///
/// # Errors
/// The database failed.
pub async fn stored<'e>(
    db: impl Executor<'e, Database = Any>,
    account: AccountId,
) -> Result<Option<Stored>, sqlx::Error> {
    let row: Option<AccountRow> = sqlx::query_as("SELECT * FROM accounts WHERE account = $1")
        .bind(account.to_string())
        .fetch_optional(db)
        .await?;
    Ok(row.map(Stored::try_from).transpose()?)
}

/// A new account.
#[derive(Debug)]
pub struct NewAccount<'a> {
    /// It, verified.
    pub bundle: &'a SignedBundle,
    /// Its seals.
    pub document: &'a AccountDocument,
    /// Whether it can be used at once.
    pub status: Status,
    /// What others read beside the address.
    pub display_name: Option<&'a str>,
    /// What proofs are compared with: of the password, of the recovery key.
    pub verifiers: [[u8; 32]; 2],
    /// When, in seconds since 1970.
    pub now_s: u64,
}

/// Puts an account in the place of one with the same login that was never confirmed, or where there is none; also in its
/// own place, if it was registered before with an address that was mistyped and so never confirmed. Returns whether it
/// did: of several that try at the same time, one does.
///
/// # Errors
/// The database failed.
pub async fn insert(tx: &mut Transaction<'static, Any>, new: &NewAccount<'_>) -> Result<bool, sqlx::Error> {
    let bundle = new.bundle.bundle();
    remove_unconfirmed(tx, &bundle.login).await?;
    let AccountDocument { keys, password, recovery, .. } = new.document;
    let account = bundle.account.to_string();
    // Its own identity signed both; nobody else removes it.
    sqlx::query("DELETE FROM accounts WHERE account = $1 AND fingerprint = $2 AND status = 'unconfirmed'")
        .bind(&account)
        .bind(new.bundle.fingerprint().to_string())
        .execute(&mut **tx)
        .await?;
    let inserted = sqlx::query(
        "INSERT INTO accounts (account, login, status, display_name, created_at, bundle, bundle_signature, \
            bundle_sequence, login_key, fingerprint, keys_version, keys_sealed, password_version, password_realm, \
            password_nonce, password_iterations, password_sealed, password_verifier, recovery_id, \
            recovery_sealed, recovery_copy, recovery_verifier, state_version, state_sealed) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
            $22, $23, $24) ON CONFLICT DO NOTHING",
    )
    .bind(&account)
    .bind(bundle.login.as_str())
    .bind(new.status.as_str())
    .bind(new.display_name)
    .bind(to_int(new.now_s))
    .bind(hex::encode(new.bundle.bytes()))
    .bind(hex::encode(new.bundle.signature().as_bytes()))
    .bind(to_int(bundle.sequence))
    .bind(hex::encode(bundle.login_key.spki()))
    .bind(new.bundle.fingerprint().to_string())
    .bind(i64::from(keys.version))
    .bind(hex::encode(&keys.sealed.0))
    .bind(i64::from(password.version))
    .bind(&password.realm)
    .bind(hex::encode(password.nonce.0))
    .bind(i64::from(password.iterations))
    .bind(hex::encode(&password.sealed.0))
    .bind(hex::encode(new.verifiers[0]))
    .bind(hex::encode(recovery.id.0))
    .bind(hex::encode(&recovery.sealed.0))
    .bind(hex::encode(&recovery.copy.0))
    .bind(hex::encode(new.verifiers[1]))
    // An account that was on another server has a state already.
    .bind(new.document.state.as_ref().map_or(0, |state| to_int(state.version)))
    .bind(new.document.state.as_ref().map(|state| hex::encode(&state.sealed.0)))
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    publish(tx, new.bundle, new.now_s).await?;
    Ok(true)
}

/// Adds a bundle to its account's history.
pub(super) async fn publish(
    tx: &mut Transaction<'static, Any>,
    bundle: &SignedBundle,
    now_s: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO bundles (account, sequence, bundle, signature, published_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(bundle.bundle().account.to_string())
    .bind(to_int(bundle.bundle().sequence))
    .bind(hex::encode(bundle.bytes()))
    .bind(hex::encode(bundle.signature().as_bytes()))
    .bind(to_int(now_s))
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Removes an account that was never confirmed. Nobody loses anything by it: it never could log in.
///
/// # Errors
/// The database failed.
pub async fn remove_unconfirmed(
    tx: &mut Transaction<'static, Any>,
    login: &Login,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM accounts WHERE login = $1 AND status = 'unconfirmed'")
        .bind(login.as_str())
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Whether somebody has this login, confirmed.
///
/// # Errors
/// The database failed.
pub async fn is_taken(db: &AnyPool, login: &Login) -> Result<bool, sqlx::Error> {
    let found: Option<String> =
        sqlx::query_scalar("SELECT account FROM accounts WHERE login = $1 AND status <> 'unconfirmed'")
            .bind(login.as_str())
            .fetch_optional(db)
            .await?;
    Ok(found.is_some())
}

/// Takes the account's own row, like everybody who changes what belongs to the account in several tables: whoever deletes
/// it takes the rest after it. On SQLite, writers take turns anyway.
///
/// # Errors
/// The database failed.
pub async fn lock(
    db: &Db,
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
) -> Result<(), sqlx::Error> {
    if db.is_sqlite() {
        return Ok(());
    }
    let lock = sqlx::query("SELECT account FROM accounts WHERE account = $1 FOR UPDATE");
    lock.bind(account.to_string()).execute(&mut **tx).await.map(drop)
}

/// Whether somebody has this login, confirmed or not.
///
/// # Errors
/// The database failed.
pub async fn has_login(tx: &mut Transaction<'static, Any>, login: &Login) -> Result<bool, sqlx::Error> {
    let found: Option<String> = sqlx::query_scalar("SELECT account FROM accounts WHERE login = $1")
        .bind(login.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    Ok(found.is_some())
}

/// The account's state, if it has one.
///
/// # Errors
/// The database failed.
pub async fn read_state(db: &AnyPool, account: AccountId) -> Result<Option<StateDocument>, sqlx::Error> {
    let row: Option<(i64, Option<String>)> =
        sqlx::query_as("SELECT state_version, state_sealed FROM accounts WHERE account = $1")
            .bind(account.to_string())
            .fetch_optional(db)
            .await?;
    let Some((version, sealed)) = row else { return Ok(None) };
    Ok(state(version, sealed.as_deref())?)
}

/// What everybody may know of this login: the account, its newest bundle and display name. `None` if nobody has it, or
/// not yet, or the administrator disabled the account.
///
/// # Errors
/// The database failed.
pub async fn published(
    db: &AnyPool,
    login: &Login,
) -> Result<Option<(AccountId, BundleDocument, Option<String>)>, sqlx::Error> {
    let row: Option<(String, String, String, Option<String>)> = sqlx::query_as(
        "SELECT account, bundle, bundle_signature, display_name FROM accounts \
         WHERE login = $1 AND status = 'active'",
    )
    .bind(login.as_str())
    .fetch_optional(db)
    .await?;
    row.map(|(account, bundle, signature, display_name)| {
        let bundle = BundleDocument { bundle: bytes(&bundle)?, signature: HexArray(from_hex(&signature)?) };
        Ok((AccountId::new(from_hex(&account)?), bundle, display_name))
    })
    .transpose()
}

/// The bundles that an account published after the one with the sequence `after`, the oldest first, `most` of them.
///
/// # Errors
/// The database failed.
pub async fn history(
    db: &AnyPool,
    account: AccountId,
    after: u64,
    most: u32,
) -> Result<Vec<PublishedBundle>, sqlx::Error> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT bundle, signature, published_at FROM bundles \
         WHERE account = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
    )
    .bind(account.to_string())
    .bind(to_int(after))
    .bind(i64::from(most))
    .fetch_all(db)
    .await?;
    let bundle = |(bundle, signature, at): (String, String, i64)| {
        Ok(PublishedBundle {
            bundle: BundleDocument { bundle: bytes(&bundle)?, signature: HexArray(from_hex(&signature)?) },
            published_at_s: from_int(at)?,
        })
    };
    rows.into_iter().map(bundle).collect::<Result<_, BadValue>>().map_err(Into::into)
}
