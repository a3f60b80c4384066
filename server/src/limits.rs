//! Limits that every replica knows of and that survive a restart: buckets in the database.
//!
//! A bucket is one number, the time at which it is empty again (the generic cell rate algorithm, ITU-T I.371): it takes
//! as many at once as its limit, and forgets evenly over its window. One statement charges it, so that two replicas
//! never let one too many through where it is charged before the deed; see [`Failures`] for those that are not.

use ensafer_core::api::server::ProblemKind;
use ensafer_core::crypto::Login;
use ensafer_core::ids::{AccountId, DeviceId};
use sqlx::{Any, Transaction};

use crate::db::to_int;
use crate::error::ApiError;
use crate::extract::ClientAddress;
use crate::state::AppState;

/// How many times as many mails go to one address in all as are asked for from one network address.
const MAILS_IN_ALL: u32 = 10;

/// How often something may happen.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// What is counted, for metrics.
    kind: &'static str,
    /// Whose it is.
    key: String,
    /// How often; at least once.
    limit: u32,
    /// In how many milliseconds.
    window_ms: u64,
}

impl Bucket {
    fn new(kind: &'static str, whose: &str, limit: u32, window_s: u64) -> Self {
        Self { kind, key: format!("{kind}:{whose}"), limit, window_ms: window_s.saturating_mul(1000) }
    }

    /// What one charge adds, in milliseconds.
    fn step_ms(&self) -> u64 {
        (self.window_ms / u64::from(self.limit.max(1))).max(1)
    }

    /// How much may be in it before a charge, in milliseconds.
    fn room_ms(&self) -> u64 {
        self.window_ms.saturating_sub(self.step_ms())
    }

    /// Charges it once. If it is full, nothing is charged, and it returns after how many milliseconds there is room.
    ///
    /// # Errors
    /// The database failed.
    pub async fn charge(
        &self,
        tx: &mut Transaction<'static, Any>,
        now_ms: u64,
    ) -> Result<Option<u64>, sqlx::Error> {
        let charged: Option<i64> = sqlx::query_scalar(
            "INSERT INTO failures (bucket, empty_at_ms) VALUES ($1, $2 + $3) ON CONFLICT (bucket) DO UPDATE SET \
                empty_at_ms = CASE WHEN failures.empty_at_ms > $2 THEN failures.empty_at_ms ELSE $2 END + $3 \
             WHERE failures.empty_at_ms <= $2 + $4 RETURNING empty_at_ms",
        )
        .bind(&self.key)
        .bind(to_int(now_ms))
        .bind(to_int(self.step_ms()))
        .bind(to_int(self.room_ms()))
        .fetch_optional(&mut **tx)
        .await?;
        if charged.is_some() {
            return Ok(None);
        }
        let empty_at_ms: Option<i64> =
            sqlx::query_scalar("SELECT empty_at_ms FROM failures WHERE bucket = $1")
                .bind(&self.key)
                .fetch_optional(&mut **tx)
                .await?;
        Ok(Some(self.wait_from(empty_at_ms, now_ms)))
    }

    /// Takes one charge back.
    async fn refund(&self, tx: &mut Transaction<'static, Any>) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE failures SET empty_at_ms = empty_at_ms - $2 WHERE bucket = $1")
            .bind(&self.key)
            .bind(to_int(self.step_ms()))
            .execute(&mut **tx)
            .await
            .map(drop)
    }

    /// After how many milliseconds there is room for a charge: 0 if now.
    fn wait_from(&self, empty_at_ms: Option<i64>, now_ms: u64) -> u64 {
        let empty_at_ms = u64::try_from(empty_at_ms.unwrap_or(0)).unwrap_or(0);
        empty_at_ms.saturating_sub(now_ms.saturating_add(self.room_ms()))
    }
}

/// The counts that a failed proof goes into: its own, which is the account's, or that of a device that the account knows,
/// so that no stranger uses that up; and those that it shares with others, the address's and that of all together, which
/// only strangers are refused by.
///
/// Its own is charged before anything is compared, so it is exact. The shared ones are read before and charged after a
/// failure: what is compared at the same moment may go over them.
#[derive(Debug)]
pub struct Failures {
    own: Bucket,
    shared: Vec<Bucket>,
}

impl Failures {
    /// Counts a failure before anything is compared, so that no number of replicas lets more guesses at one account
    /// through. Whoever succeeds takes it back by [`forgive`](Self::forgive); whoever fails adds the rest by
    /// [`confirm`](Self::confirm).
    ///
    /// `known` is a device that showed that it is the account's.
    ///
    /// # Errors
    /// [`ProblemKind::TooManyFailures`], and nothing more was counted; or the database failed.
    pub async fn begin(
        state: &AppState,
        address: ClientAddress,
        account: AccountId,
        known: Option<DeviceId>,
    ) -> Result<Self, ApiError> {
        let limits = &state.config.limits;
        let window = limits.failure_window_s;
        let own = match known {
            Some(device) => {
                let whose = format!("{account}:{device}");
                Bucket::new("device", &whose, limits.failures_per_known_device, window)
            }
            None => Bucket::new("account", &account.to_string(), limits.failures_per_account, window),
        };
        let shared = shared(state, address);
        if known.is_none() {
            check(state, &shared).await?;
        }
        Self { own, shared: shared.into() }.count(state).await
    }

    /// The same for guesses at a code that was mailed. They are counted by account, whichever device asks, and apart from
    /// the account's passwords: whoever has its id must not keep its owner from logging in. `kind` is what the code is
    /// for, each counted apart: who guesses in public must not keep an owner from moving to another address.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn begin_code(
        state: &AppState,
        address: ClientAddress,
        kind: &'static str,
        account: AccountId,
    ) -> Result<Self, ApiError> {
        let limits = &state.config.limits;
        let own =
            Bucket::new(kind, &account.to_string(), limits.failures_per_account, limits.failure_window_s);
        let shared = shared(state, address);
        check(state, &shared).await?;
        Self { own, shared: shared.into() }.count(state).await
    }

    /// The same for guesses at an authorisation code, which belong to no account: the address's count is their own.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn begin_registration(state: &AppState, address: ClientAddress) -> Result<Self, ApiError> {
        let shared = shared(state, address);
        check(state, &shared).await?;
        let [own, all] = shared;
        Self { own, shared: vec![all] }.count(state).await
    }

    async fn count(self, state: &AppState) -> Result<Self, ApiError> {
        let mut tx = state.db.write_lightly().await?;
        let wait = self.own.charge(&mut tx, state.clock.now_ms()).await?;
        tx.commit().await?;
        match wait {
            Some(wait_ms) => Err(limited(state, self.own.kind, wait_ms)),
            None => Ok(self),
        }
    }

    /// It was no failure.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forgive(&self, tx: &mut Transaction<'static, Any>) -> Result<(), sqlx::Error> {
        self.own.refund(tx).await
    }

    /// It was one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn confirm(&self, state: &AppState) -> Result<(), sqlx::Error> {
        count(state, &self.shared).await
    }
}

fn shared(state: &AppState, address: ClientAddress) -> [Bucket; 2] {
    let limits = &state.config.limits;
    let window = limits.failure_window_s;
    [
        Bucket::new("address", &address.bucket(), limits.failures_per_address, window),
        Bucket::new("all", "", limits.failures_in_all, window),
    ]
}

/// Refuses if either is full. Both are read at once: this is on the way of every login.
async fn check(state: &AppState, buckets: &[Bucket; 2]) -> Result<(), ApiError> {
    let now_ms = state.clock.now_ms();
    let full: Vec<(String, i64)> =
        sqlx::query_as("SELECT bucket, empty_at_ms FROM failures WHERE bucket = $1 OR bucket = $2")
            .bind(&buckets[0].key)
            .bind(&buckets[1].key)
            .fetch_all(state.db.reader())
            .await?;
    for bucket in buckets {
        let found = full.iter().find(|(key, _)| *key == bucket.key);
        match bucket.wait_from(found.map(|(_, empty_at_ms)| *empty_at_ms), now_ms) {
            0 => {}
            wait_ms => return Err(limited(state, bucket.kind, wait_ms)),
        }
    }
    Ok(())
}

async fn count(state: &AppState, buckets: &[Bucket]) -> Result<(), sqlx::Error> {
    let now_ms = state.clock.now_ms();
    let mut tx = state.db.write_lightly().await?;
    for bucket in buckets {
        bucket.charge(&mut tx, now_ms).await?;
    }
    tx.commit().await
}

/// Counts a question that tells whether a login is taken.
///
/// # Errors
/// [`ProblemKind::TooManyRequests`], or the database failed.
pub async fn count_availability(state: &AppState, address: ClientAddress) -> Result<(), ApiError> {
    let limit = state.config.limits.availability_checks_per_address_per_hour;
    charge(state, &Bucket::new("availability", &address.bucket(), limit, 3600)).await
}

/// Counts a mail to somebody who may not have asked for it, by the address's hash: as often as failures may happen for who
/// asks from one network address, so that nobody keeps a mailbox's owner from registering, and ten times as often in all.
///
/// # Errors
/// [`ProblemKind::TooManyRequests`], or the database failed.
pub async fn count_mail(state: &AppState, address: ClientAddress, login: &Login) -> Result<(), ApiError> {
    let limits = &state.config.limits;
    let (limit, window) = (limits.failures_per_account, limits.failure_window_s);
    let whose = state.keys.unknown_account(login).to_string();
    let from = format!("{whose}:{}", address.bucket());
    charge(state, &Bucket::new("mail-from", &from, limit, window)).await?;
    charge(state, &Bucket::new("mail", &whose, limit.saturating_mul(MAILS_IN_ALL), window)).await
}

/// Counts a notice of one kind to an address: whoever has an account must not have this server send mails without end. As
/// many as failures may happen, so that the first of a kind always leaves.
///
/// # Errors
/// [`ProblemKind::TooManyRequests`], or the database failed.
pub async fn count_notice(state: &AppState, login: &Login, kind: &str) -> Result<(), ApiError> {
    let limits = &state.config.limits;
    let whose = format!("{kind}:{}", state.keys.unknown_account(login));
    charge(state, &Bucket::new("notice", &whose, limits.failures_per_account, limits.failure_window_s)).await
}

/// Counts a change of an account's keys, which stays in its history for ever and goes to whoever reads that.
///
/// # Errors
/// [`ProblemKind::TooManyRequests`], or the database failed.
pub async fn count_keys(
    state: &AppState,
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
) -> Result<(), ApiError> {
    let limit = state.config.limits.key_changes_per_day;
    let bucket = Bucket::new("keys", &account.to_string(), limit, 24 * 3600);
    match bucket.charge(tx, state.clock.now_ms()).await? {
        Some(wait_ms) => Err(ApiError::retry_after(ProblemKind::TooManyRequests, seconds(wait_ms))),
        None => Ok(()),
    }
}

async fn charge(state: &AppState, bucket: &Bucket) -> Result<(), ApiError> {
    let mut tx = state.db.write_lightly().await?;
    let wait = bucket.charge(&mut tx, state.clock.now_ms()).await?;
    tx.commit().await?;
    match wait {
        Some(wait_ms) => Err(ApiError::retry_after(ProblemKind::TooManyRequests, seconds(wait_ms))),
        None => Ok(()),
    }
}

fn limited(state: &AppState, bucket: &'static str, wait_ms: u64) -> ApiError {
    state.metrics.failure_limited(bucket);
    ApiError::retry_after(ProblemKind::TooManyFailures, seconds(wait_ms))
}

/// Whole seconds, at least one: an answer that says "in 0 seconds" says nothing.
fn seconds(milliseconds: u64) -> u64 {
    milliseconds.div_ceil(1000).max(1)
}
