//! Logging in, in three steps: what to prove with, the proof and the challenge, the answer to that.
//!
//! Up to the right proof, a login that exists and one that does not take the same queries, the same computations and the
//! same answers.

use axum::Json;
use axum::extract::State;
use ensafer_core::account::login::{Transcript, verify_login};
use ensafer_core::api::hex::HexArray;
use ensafer_core::api::server::{
    ATTEMPT_BYTES, CredentialKind, DeviceDocument, LoginChallenge, LoginFinishRequest, LoginStartRequest,
    LoginStarted, LoginVerifyRequest, ProblemKind, Session,
};
use ensafer_core::crypto::{
    CHALLENGE_BYTES, ChallengeBinding, Login, LoginSessionKey, Random, ServerKeys, SystemRandom,
    proofs_match, sha256,
};
use ensafer_core::ids::{AccountId, DeviceId};
use sqlx::{Any, AnyConnection, Transaction};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answers::{AnyAnswers, BodyAnswers, LoginAnswers};
use crate::credentials;
use crate::db::accounts::{self, Status, Stored, Verifiers};
use crate::db::devices::{self, LoggedIn};
use crate::db::{from_hex, logins, to_int};
use crate::error::ApiError;
use crate::extract::{ApiJson, ClientAddress};
use crate::limits::{Failures, Guesser, Shared};
use crate::notices::{self, Notice};
use crate::sessions::NewTokens;
use crate::state::AppState;
use crate::validate;

/// The routes of this module.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(start)).routes(routes!(verify)).routes(routes!(finish))
}

/// Begins a login. Nothing is kept of it: the ticket that comes back speaks for itself.
#[utoipa::path(
    post, path = "/v1/login/start", tag = "login",
    request_body = LoginStartRequest,
    responses(
        (status = 200, description = "What to prove with, for any login", body = LoginStarted),
        BodyAnswers, AnyAnswers,
    )
)]
pub async fn start(
    State(state): State<AppState>,
    ApiJson(request): ApiJson<LoginStartRequest>,
) -> Result<Json<LoginStarted>, ApiError> {
    let login = validate::login(&request.login)?;
    let unknown = (state.keys.unknown_nonce(&login), state.config.kdf.assumed_iterations);
    let found = accounts::parameters(state.db.reader(), &login).await?;
    let (nonce, iterations) = found.unwrap_or(unknown);
    let expires_at_s = state.clock.now_s().saturating_add(state.config.sessions.challenge_s);
    let attempt = new_attempt(&state.keys, SystemRandom.array(), expires_at_s, &login);
    Ok(Json(LoginStarted { attempt, nonce: HexArray(nonce), iterations, expires_at_s }))
}

/// Takes a proof of the password or the recovery key, and only then serves the sealed account, and a challenge that only
/// the account's login key answers.
#[utoipa::path(
    post, path = "/v1/login/verify", tag = "login",
    request_body = LoginVerifyRequest,
    responses(
        (status = 200, description = "The sealed account, and the challenge", body = LoginChallenge),
        LoginAnswers, BodyAnswers, AnyAnswers,
    )
)]
pub async fn verify(
    State(state): State<AppState>,
    address: ClientAddress,
    ApiJson(request): ApiJson<LoginVerifyRequest>,
) -> Result<Json<LoginChallenge>, ApiError> {
    let login = validate::login(&request.login)?;
    validate::name(&request.device.name)?;
    let refused = || ApiError::from(ProblemKind::ChallengeRefused);
    if !is_attempt(&state.keys, &request.attempt, &login, state.clock.now_s()) {
        return Err(refused());
    }
    verify_login(&request, &login).map_err(|_| refused())?;
    let verifiers = check_proof(&state, address, &login, &request).await?;
    // Read and computed while nobody waits for it: SQLite has one connection that writes.
    let stored = accounts::stored(state.db.reader(), verifiers.account).await?.ok_or_else(refused)?;
    let refusal = match stored.status {
        Status::Active => None,
        Status::Disabled => Some(ProblemKind::AccountDisabled),
        Status::Unconfirmed => Some(ProblemKind::EmailUnconfirmed),
    };
    let (pending, challenge) = challenge(&state, &login, &request, stored, &verifiers);
    let is_new = refusal.is_none() && {
        let mut db = state.db.lightly().await?;
        pending.insert(&mut db, &request.attempt, state.db.is_sqlite()).await?
    };
    state.metrics.login(if is_new { "challenged" } else { "refused" });
    if is_new { Ok(Json(challenge)) } else { Err(refusal.unwrap_or(ProblemKind::ChallengeRefused).into()) }
}

/// Compares the proof, counting a failure before and taking it for none after.
async fn check_proof(
    state: &AppState,
    address: ClientAddress,
    login: &Login,
    request: &LoginVerifyRequest,
) -> Result<Verifiers, ApiError> {
    // One connection for all of it: passing them around is a good part of what a login costs.
    let mut db = state.db.lightly().await?;
    let unknown = state.keys.unknown_account(login);
    let shared = Shared::of(state, address);
    let known = logins::known(&mut db, login, &request.device, unknown, shared.keys()).await?;
    let is_there = known.verifiers.is_some();
    let verifiers =
        known.verifiers.unwrap_or(Verifiers { account: unknown, password: [0; 32], recovery: [0; 32] });
    let (account, device) = (verifiers.account, request.device.device);
    let guesser =
        if known.is_device { Guesser::Device(device) } else { Guesser::Stranger(known.empty_at_ms) };
    let failures = Failures::begin(state, &mut db, shared, account, guesser).await?;
    let is_right = credentials::is_right(&state.keys, &verifiers, request.kind, &request.auth);
    if is_right & is_there {
        failures.forgive(&mut db).await?;
        return Ok(verifiers);
    }
    failures.confirm(state, &mut db).await?;
    state.metrics.login("wrong");
    tracing::info!(target: "audit", event = "login-refused", %account, %device, address = %address.0);
    Err(ProblemKind::WrongCredentials.into())
}

/// Makes the challenge, and the hash of its one right answer.
fn challenge<'a>(
    state: &AppState,
    login: &Login,
    request: &'a LoginVerifyRequest,
    stored: Stored,
    compared: &'a Verifiers,
) -> (Pending<'a>, LoginChallenge) {
    let Stored { id, document, login_key, .. } = stored;
    let expires_at_s = state.clock.now_s().saturating_add(state.config.sessions.challenge_s);
    let realm = &document.password.realm;
    let key = LoginSessionKey::generate(&mut SystemRandom);
    let challenge = login_key.seal_challenge(&ChallengeBinding { realm, account: id, expires_at_s }, &key);
    let transcript = Transcript {
        realm,
        login,
        attempt: &request.attempt,
        nonce: &document.password.nonce,
        iterations: document.password.iterations,
        kind: request.kind,
        account: &document,
        challenge: &challenge,
        expires_at_s,
        device: &request.device,
    };
    let proof_hash = sha256(&[&key.prove(&transcript.hash())]);
    let pending = Pending {
        account: id,
        compared,
        device: &request.device,
        kind: request.kind,
        proof_hash,
        expires_at_s,
    };
    let challenge = HexArray::<CHALLENGE_BYTES>(challenge);
    (pending, LoginChallenge { account: document, challenge, expires_at_s })
}

/// Takes the answer to the challenge, once, and begins the device's session.
#[utoipa::path(
    post, path = "/v1/login/finish", tag = "login",
    request_body = LoginFinishRequest,
    responses((status = 200, description = "The session", body = Session), LoginAnswers, BodyAnswers, AnyAnswers)
)]
pub async fn finish(
    State(state): State<AppState>,
    ApiJson(request): ApiJson<LoginFinishRequest>,
) -> Result<Json<Session>, ApiError> {
    let mut tx = state.db.write().await?;
    // Not before: a device that waited here for another's renewal must not seem to be the older one.
    let now_s = state.clock.now_s();
    let claimed = Claimed::claim(&mut tx, &request.attempt, now_s, state.db.is_sqlite()).await?;
    let right = claimed.filter(|claimed| proofs_match(&claimed.proof_hash, &sha256(&[&request.proof.0])));
    let Some(login) = right else {
        // A wrong answer spends the attempt as well.
        tx.commit().await?;
        state.metrics.login("refused");
        return Err(ProblemKind::ChallengeRefused.into());
    };
    let tokens = NewTokens::generate(&state);
    let Claimed { account, device, .. } = login;
    let begun = LoggedIn {
        account,
        device,
        name: &login.name,
        public_key: login.public_key,
        hashes: &tokens.hashes,
        now_s,
        most: state.config.limits.devices,
    };
    let is_registrant = is_registrant(&state, &mut tx, account, now_s).await?;
    let told_at_s = devices::begin(&mut tx, &begun).await.map_err(|error| match &error {
        // The account was deleted meanwhile, and there was no session yet.
        sqlx::Error::Database(cause) if cause.is_foreign_key_violation() => {
            ProblemKind::ChallengeRefused.into()
        }
        _ => ApiError::from(error),
    })?;
    let new_devices = match told_at_s {
        Some(since_s) => devices::newer(&mut *tx, account, device, since_s).await?,
        None => Vec::new(),
    };
    tx.commit().await?;
    state.metrics.login("done");
    login.announce(&state, told_at_s.is_none(), is_registrant);
    Ok(Json(tokens.session(&state, new_devices)))
}

/// Whether whoever logs in is who registered, so that a mail about a new device would tell its owner nothing: the account
/// never had a device, and was made no longer ago than its address may take to be confirmed. Without confirmation the mail
/// is also how the address's owner learns that a stranger registered it.
async fn is_registrant(
    state: &AppState,
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    now_s: u64,
) -> Result<bool, sqlx::Error> {
    let made_since_s = now_s.saturating_sub(state.config.sessions.code_s);
    Ok(state.config.confirms_email() && devices::is_without(tx, account, made_since_s).await?)
}

/// A login between its second step and its third.
struct Pending<'a> {
    account: AccountId,
    /// What the proof was compared with.
    compared: &'a Verifiers,
    device: &'a DeviceDocument,
    kind: CredentialKind,
    proof_hash: [u8; 32],
    expires_at_s: u64,
}

impl Pending<'_> {
    /// Keeps it, unless there is one for this attempt, or password, recovery key or the account's status changed since the
    /// proof was compared: of several that try at the same time, one does.
    async fn insert(
        &self,
        db: &mut AnyConnection,
        attempt: &HexArray<ATTEMPT_BYTES>,
        is_sqlite: bool,
    ) -> Result<bool, sqlx::Error> {
        // On PostgreSQL a change that is under way is waited for; on SQLite writers take turns anyway.
        let lock = if is_sqlite { "" } else { "FOR SHARE" };
        let insert = format!(
            "INSERT INTO logins (attempt, account, device, device_name, device_key, kind, proof_hash, \
                expires_at, finished) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, 0 FROM accounts \
                WHERE account = $2 AND status = 'active' AND password_verifier = $9 AND recovery_verifier = $10 \
                {lock} \
             ON CONFLICT (attempt) DO NOTHING"
        );
        let inserted = sqlx::query(sqlx::AssertSqlSafe(insert))
            .bind(hex::encode(attempt.0))
            .bind(self.account.to_string())
            .bind(self.device.device.to_string())
            .bind(&self.device.name)
            .bind(hex::encode(self.device.public_key.0))
            .bind(match self.kind {
                CredentialKind::Password => "password",
                CredentialKind::Recovery => RECOVERY,
            })
            .bind(hex::encode(self.proof_hash))
            .bind(to_int(self.expires_at_s))
            .bind(hex::encode(self.compared.password))
            .bind(hex::encode(self.compared.recovery))
            .execute(db)
            .await?;
        Ok(inserted.rows_affected() == 1)
    }
}

const RECOVERY: &str = "recovery";

/// A login whose one answer has come.
struct Claimed {
    login: Login,
    account: AccountId,
    device: DeviceId,
    name: String,
    public_key: [u8; 32],
    by_recovery: bool,
    proof_hash: [u8; 32],
}

impl Claimed {
    /// Takes a login that waits for its answer: of several that try at the same time, one does.
    async fn claim(
        tx: &mut Transaction<'static, Any>,
        attempt: &HexArray<ATTEMPT_BYTES>,
        now_s: u64,
        is_sqlite: bool,
    ) -> Result<Option<Self>, sqlx::Error> {
        // On PostgreSQL the account first, like everybody: who disables or deletes it waits for the session, and then ends
        // it as well. On SQLite writers take turns anyway.
        let claim = if is_sqlite {
            "UPDATE logins SET finished = 1 WHERE attempt = $1 AND finished = 0 AND expires_at > $2 \
             RETURNING account, device, device_name, device_key, kind, proof_hash, \
                (SELECT login FROM accounts a WHERE a.account = logins.account AND a.status = 'active')"
        } else {
            "WITH owner AS MATERIALIZED (SELECT account, login FROM accounts \
                WHERE account = (SELECT account FROM logins WHERE attempt = $1) AND status = 'active' FOR SHARE) \
             UPDATE logins l SET finished = 1 FROM owner \
             WHERE l.attempt = $1 AND l.account = owner.account AND l.finished = 0 AND l.expires_at > $2 \
             RETURNING l.account, device, device_name, device_key, kind, proof_hash, owner.login"
        };
        type Row = (String, String, String, String, String, String, Option<String>);
        let row = sqlx::query_as(claim).bind(hex::encode(attempt.0)).bind(to_int(now_s));
        let row: Option<Row> = row.fetch_optional(&mut **tx).await?;
        let Some((account, device, name, public_key, kind, proof_hash, login)) = row else { return Ok(None) };
        let Some(Ok(login)) = login.map(|login| login.parse()) else { return Ok(None) };
        Ok(Some(Self {
            login,
            account: AccountId::new(from_hex(&account)?),
            device: DeviceId::new(from_hex(&device)?),
            name,
            public_key: from_hex(&public_key)?,
            by_recovery: kind == RECOVERY,
            proof_hash: from_hex(&proof_hash)?,
        }))
    }

    /// Tells the owner of what they may not have done themselves.
    fn announce(self, state: &AppState, is_new_device: bool, is_registrant: bool) {
        let Self { account, device, by_recovery, .. } = self;
        tracing::info!(target: "audit", event = "logged-in", %account, %device, new = is_new_device, by_recovery);
        if by_recovery {
            notices::send(state, self.login.clone(), Notice::RecoveryUsed);
        }
        if is_new_device && !is_registrant {
            notices::send(state, self.login, Notice::NewDevice { name: self.name });
        }
    }
}

/// A ticket: id ‖ expiry ‖ MAC over both and the login.
fn new_attempt(keys: &ServerKeys, id: [u8; 16], expires_at_s: u64, login: &Login) -> HexArray<ATTEMPT_BYTES> {
    let expiry = expires_at_s.to_be_bytes();
    let mac = keys.attempt_mac(&[&id, &expiry, login.as_str().as_bytes()]);
    let mut attempt = [0; ATTEMPT_BYTES];
    attempt[..16].copy_from_slice(&id);
    attempt[16..24].copy_from_slice(&expiry);
    attempt[24..].copy_from_slice(&mac);
    HexArray(attempt)
}

/// Whether this server gave out the ticket, for this login, and it did not expire.
fn is_attempt(keys: &ServerKeys, attempt: &HexArray<ATTEMPT_BYTES>, login: &Login, now_s: u64) -> bool {
    let (id, rest) = attempt.0.split_first_chunk::<16>().expect("a ticket begins with 16 bytes of id");
    let expiry = rest.first_chunk::<8>().expect("8 bytes of expiry follow");
    let mac = rest.last_chunk::<32>().expect("it ends with 32 bytes of MAC");
    let expected = keys.attempt_mac(&[id, expiry, login.as_str().as_bytes()]);
    proofs_match(mac, &expected) && u64::from_be_bytes(*expiry) > now_s
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::persona::Device;
    use crate::tests::world::Home;

    #[tokio::test]
    async fn what_changed_since_the_proof_was_compared_ends_the_login() {
        let home = Home::new().await;
        let (state, device) = (&home.server.state, Device::new("thief").document());
        let stored = accounts::stored(state.db.reader(), home.alice.id).await.unwrap().unwrap();
        let compared = stored.verifiers;
        let pending = |n: u8| {
            (
                HexArray([n; ATTEMPT_BYTES]),
                Pending {
                    account: home.alice.id,
                    compared: &compared,
                    device: &device,
                    kind: CredentialKind::Password,
                    proof_hash: [0; 32],
                    expires_at_s: state.clock.now_s() + 120,
                },
            )
        };
        let insert = async |n: u8| {
            let (attempt, pending) = pending(n);
            let mut tx = state.db.write().await.unwrap();
            let is_new = pending.insert(&mut tx, &attempt, state.db.is_sqlite()).await.unwrap();
            tx.commit().await.unwrap();
            is_new
        };
        assert!(insert(1).await && !insert(1).await);
        state.db.set_disabled(&home.alice.login, true).await.unwrap();
        assert!(!insert(2).await);
        state.db.set_disabled(&home.alice.login, false).await.unwrap();
        assert!(insert(3).await);
        let session = home.server.login(&home.alice, &home.laptop).await;
        let request = home.alice.next_password([5; 32]);
        home.server.put("/v1/account/password", &session, &request).await.expect(204);
        assert!(!insert(4).await);
    }
}
