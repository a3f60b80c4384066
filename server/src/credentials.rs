//! Proofs of the password or the recovery key.

use ensafer_core::api::hex::SecretHex;
use ensafer_core::api::server::{Credential, CredentialKind, ProblemKind};
use ensafer_core::crypto::{ServerKeys, VerifierKind};

use crate::db::accounts::{Stored, Verifiers};
use crate::error::ApiError;
use crate::extract::{Authenticated, ClientAddress};
use crate::limits::{Failures, Guesser, Shared};
use crate::state::AppState;

/// Whether a proof is the right one, in constant time.
#[must_use]
pub fn is_right(
    keys: &ServerKeys,
    verifiers: &Verifiers,
    kind: CredentialKind,
    auth: &SecretHex<32>,
) -> bool {
    let (kind, verifier) = match kind {
        CredentialKind::Password => (VerifierKind::Password, &verifiers.password),
        CredentialKind::Recovery => (VerifierKind::Recovery, &verifiers.recovery),
    };
    keys.verify(kind, verifiers.account, &auth.0, verifier)
}

/// Refuses a session that does not also know the password or the recovery key. Failures are counted like those of
/// logins, for the session's device.
///
/// # Errors
/// [`ProblemKind::WrongCredentials`], [`ProblemKind::TooManyFailures`], or the database failed.
pub async fn check(
    state: &AppState,
    address: ClientAddress,
    session: Authenticated,
    stored: &Stored,
    shown: &Credential,
) -> Result<(), ApiError> {
    let mut db = state.db.lightly().await?;
    let shared = Shared::of(state, address);
    let guesser = Guesser::Device(session.device);
    let failures = Failures::begin(state, &mut db, shared, session.account, guesser).await?;
    if is_right(&state.keys, &stored.verifiers, shown.kind, &shown.auth) {
        return Ok(failures.forgive(&mut db).await?);
    }
    failures.confirm(state, &mut db).await?;
    let Authenticated { account, device } = session;
    tracing::info!(target: "audit", event = "credential-refused", %account, %device, address = %address.0);
    Err(ProblemKind::WrongCredentials.into())
}
