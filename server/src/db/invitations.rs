//! Invitations in the database. One that has ended is as good as gone, before it is removed.

use ensafer_core::api::hex::{HexArray, HexBytes, decode};
use ensafer_core::api::server::{
    AcceptanceReport, AcceptedInvitation, BundleDocument, ExportedInvitation, InvitationRecordReport,
    InvitationReport, InvitationRequest,
};
use ensafer_core::ids::{AccountId, InvitationId};
use sqlx::{Any, AnyPool, Transaction};

use super::value::{BadValue, from_hex, from_int, to_int};

/// What became of a new invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is kept.
    Kept,
    /// The account has too many.
    Full,
    /// The id is another's.
    Taken,
}

/// Keeps an invitation, unless its account has `most` open ones. The account's row must be locked.
///
/// # Errors
/// The database failed.
pub async fn insert(
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    new: &InvitationRequest,
    now_s: u64,
    most: u32,
) -> Result<Inserted, sqlx::Error> {
    let open: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM invitations WHERE account = $1 AND expires_at > $2")
            .bind(account.to_string())
            .bind(to_int(now_s))
            .fetch_one(&mut **tx)
            .await?;
    if open >= i64::from(most) {
        return Ok(Inserted::Full);
    }
    let done = sqlx::query(
        "INSERT INTO invitations (invitation, account, record, claim_hash, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(new.id.to_string())
    .bind(account.to_string())
    .bind(hex::encode(&new.record.0))
    .bind(hex::encode(new.claim_hash.0))
    .bind(to_int(now_s))
    .bind(to_int(new.expires_at_s))
    .execute(&mut **tx)
    .await?;
    Ok(if done.rows_affected() == 1 { Inserted::Kept } else { Inserted::Taken })
}

/// What whoever has the link may see.
///
/// # Errors
/// The database failed.
pub async fn record(
    db: &AnyPool,
    id: InvitationId,
    now_s: u64,
) -> Result<Option<InvitationRecordReport>, sqlx::Error> {
    let row: Option<(String, i64, Option<String>)> = sqlx::query_as(
        "SELECT record, expires_at, guest FROM invitations WHERE invitation = $1 AND expires_at > $2",
    )
    .bind(id.to_string())
    .bind(to_int(now_s))
    .fetch_optional(db)
    .await?;
    row.map(|(record, expires_at, guest)| {
        let (record, expires_at_s) = (bytes(&record)?, from_int(expires_at)?);
        Ok(InvitationRecordReport { record, expires_at_s, accepted: guest.is_some() })
    })
    .transpose()
}

/// A guest's acceptance, as it is kept.
#[derive(Debug)]
pub struct Acceptance<'a> {
    /// The invitation.
    pub invitation: InvitationId,
    /// The guest.
    pub guest: AccountId,
    /// Hash of what the guest shows.
    pub claim_hash: [u8; 32],
    /// The guest's bundle.
    pub bundle: &'a BundleDocument,
    /// The guest's proof, for the inviter.
    pub proof: [u8; 32],
    /// When, in seconds since 1970.
    pub now_s: u64,
}

/// What became of an acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is kept.
    Now,
    /// The same was kept before.
    Before,
    /// Another was.
    ByAnother,
    /// There is no such invitation, or the claim is not its.
    Unknown,
}

/// Keeps an acceptance: the first one of several that come at the same time.
///
/// # Errors
/// The database failed.
pub async fn accept(
    tx: &mut Transaction<'static, Any>,
    new: &Acceptance<'_>,
) -> Result<Accepted, sqlx::Error> {
    let (id, claim_hash) = (new.invitation.to_string(), hex::encode(new.claim_hash));
    let kept = [
        new.guest.to_string(),
        hex::encode(&new.bundle.bundle.0),
        hex::encode(new.bundle.signature.0),
        hex::encode(new.proof),
    ];
    let [guest, bundle, signature, proof] = &kept;
    let done = sqlx::query(
        "UPDATE invitations SET guest = $4, guest_bundle = $5, guest_signature = $6, proof = $7, accepted_at = $3 \
         WHERE invitation = $1 AND claim_hash = $2 AND expires_at > $3 AND guest IS NULL",
    )
    .bind(&id)
    .bind(&claim_hash)
    .bind(to_int(new.now_s))
    .bind(guest)
    .bind(bundle)
    .bind(signature)
    .bind(proof)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 {
        return Ok(Accepted::Now);
    }
    let found: Option<[String; 4]> = sqlx::query_as(
        "SELECT guest, guest_bundle, guest_signature, proof FROM invitations \
         WHERE invitation = $1 AND claim_hash = $2 AND expires_at > $3 AND guest IS NOT NULL",
    )
    .bind(&id)
    .bind(&claim_hash)
    .bind(to_int(new.now_s))
    .fetch_optional(&mut **tx)
    .await?
    .map(|(guest, bundle, signature, proof)| [guest, bundle, signature, proof]);
    Ok(match found {
        None => Accepted::Unknown,
        Some(found) if found == kept => Accepted::Before,
        Some(_) => Accepted::ByAnother,
    })
}

type Row =
    (String, String, i64, i64, Option<String>, Option<String>, Option<String>, Option<String>, Option<i64>);

/// The account's invitations that have not ended at `now_s`, the oldest first.
///
/// # Errors
/// The database failed.
pub async fn export(
    db: &AnyPool,
    account: AccountId,
    now_s: u64,
) -> Result<Vec<ExportedInvitation>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT i.invitation, i.record, i.created_at, i.expires_at, g.login, i.guest_bundle, i.guest_signature, \
            i.proof, i.accepted_at \
         FROM invitations i LEFT JOIN accounts g ON g.account = i.guest \
         WHERE i.account = $1 AND i.expires_at > $2 ORDER BY i.created_at, i.invitation",
    )
    .bind(account.to_string())
    .bind(to_int(now_s))
    .fetch_all(db)
    .await?;
    rows.into_iter().map(report).collect::<Result<_, BadValue>>().map_err(Into::into)
}

fn report(row: Row) -> Result<ExportedInvitation, BadValue> {
    let (id, record, created_at, expires_at, login, bundle, signature, proof, accepted_at) = row;
    let acceptance = match (login, bundle, signature, proof, accepted_at) {
        (Some(login), Some(bundle), Some(signature), Some(proof), Some(accepted_at)) => {
            let signature = HexArray(from_hex(&signature)?);
            Some(AcceptanceReport {
                login,
                bundle: BundleDocument { bundle: bytes(&bundle)?, signature },
                proof: HexArray(from_hex(&proof)?),
                accepted_at_s: from_int(accepted_at)?,
            })
        }
        _ => None,
    };
    let invitation = InvitationReport {
        id: InvitationId::new(from_hex(&id)?),
        created_at_s: from_int(created_at)?,
        expires_at_s: from_int(expires_at)?,
        acceptance,
    };
    Ok(ExportedInvitation { invitation, record: bytes(&record)? })
}

/// The invitations that the account accepted and that have not ended at `now_s`, the oldest first.
///
/// # Errors
/// The database failed.
pub async fn accepted(
    db: &AnyPool,
    guest: AccountId,
    now_s: u64,
) -> Result<Vec<AcceptedInvitation>, sqlx::Error> {
    let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
        "SELECT i.invitation, a.login, i.accepted_at, i.expires_at \
         FROM invitations i JOIN accounts a ON a.account = i.account \
         WHERE i.guest = $1 AND i.expires_at > $2 ORDER BY i.accepted_at, i.invitation",
    )
    .bind(guest.to_string())
    .bind(to_int(now_s))
    .fetch_all(db)
    .await?;
    let report = |(id, inviter, accepted_at, expires_at): (String, String, i64, i64)| {
        Ok(AcceptedInvitation {
            id: InvitationId::new(from_hex(&id)?),
            inviter,
            accepted_at_s: from_int(accepted_at)?,
            expires_at_s: from_int(expires_at)?,
        })
    };
    rows.into_iter().map(report).collect::<Result<_, BadValue>>().map_err(Into::into)
}

/// When an invitation of this account ends, if it is one.
///
/// # Errors
/// The database failed.
pub async fn expiry(
    db: &AnyPool,
    account: AccountId,
    id: InvitationId,
    now_s: u64,
) -> Result<Option<u64>, sqlx::Error> {
    let expires_at: Option<i64> = sqlx::query_scalar(
        "SELECT expires_at FROM invitations WHERE invitation = $1 AND account = $2 AND expires_at > $3",
    )
    .bind(id.to_string())
    .bind(account.to_string())
    .bind(to_int(now_s))
    .fetch_optional(db)
    .await?;
    Ok(expires_at.map(from_int).transpose()?)
}

/// Removes an invitation of this account. Returns whether there was one that had not ended.
///
/// # Errors
/// The database failed.
pub async fn delete(
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    id: InvitationId,
    now_s: u64,
) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query("DELETE FROM invitations WHERE invitation = $1 AND account = $2 AND expires_at > $3")
            .bind(id.to_string())
            .bind(account.to_string())
            .bind(to_int(now_s))
            .execute(&mut **tx)
            .await?;
    Ok(done.rows_affected() == 1)
}

fn bytes(text: &str) -> Result<HexBytes, BadValue> {
    decode(text).map(HexBytes).ok_or(BadValue)
}
