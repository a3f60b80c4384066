//! Limits that every replica knows of and that survive a restart: buckets in the database.
//!
//! A bucket is one number, the time at which it is empty again (the generic cell rate algorithm, ITU-T I.371): it takes
//! as many at once as its limit, and forgets evenly over its window. One statement charges it, so that two replicas
//! never let one too many through where it is charged before the deed; see [`Failures`] for those that are not.

use ensafer_core::api::server::ProblemKind;
use ensafer_core::crypto::Login;
use ensafer_core::ids::{AccountId, DeviceId, InvitationId};
use sqlx::AnyConnection;

use crate::db::to_int;
use crate::error::ApiError;
use crate::extract::ClientAddress;
use crate::state::AppState;

/// How many times as many mails go to one address in all as are asked for from one network address.
const MAILS_IN_ALL: u32 = 10;

const DAY_S: u64 = 24 * 3600;

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
    pub async fn charge(&self, db: &mut AnyConnection, now_ms: u64) -> Result<Option<u64>, sqlx::Error> {
        // Read to its end: there SQLite says whether what it returned was kept.
        let charged: Vec<i64> = sqlx::query_scalar(
            "INSERT INTO failures (bucket, empty_at_ms) VALUES ($1, $2 + $3) ON CONFLICT (bucket) DO UPDATE SET \
                empty_at_ms = CASE WHEN failures.empty_at_ms > $2 THEN failures.empty_at_ms ELSE $2 END + $3 \
             WHERE failures.empty_at_ms <= $2 + $4 RETURNING empty_at_ms",
        )
        .bind(&self.key)
        .bind(to_int(now_ms))
        .bind(to_int(self.step_ms()))
        .bind(to_int(self.room_ms()))
        .fetch_all(&mut *db)
        .await?;
        if !charged.is_empty() {
            return Ok(None);
        }
        let empty_at_ms: Option<i64> =
            sqlx::query_scalar("SELECT empty_at_ms FROM failures WHERE bucket = $1")
                .bind(&self.key)
                .fetch_optional(db)
                .await?;
        Ok(Some(self.wait_from(empty_at_ms, now_ms)))
    }

    /// Takes one charge back.
    async fn refund(&self, db: &mut AnyConnection) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE failures SET empty_at_ms = empty_at_ms - $2 WHERE bucket = $1")
            .bind(&self.key)
            .bind(to_int(self.step_ms()))
            .execute(db)
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

/// The counts that failures share with others: the address's, and that of all together.
#[derive(Debug)]
pub struct Shared([Bucket; 2]);

impl Shared {
    /// Those of whoever asks from `address`.
    #[must_use]
    pub fn of(state: &AppState, address: ClientAddress) -> Self {
        let limits = &state.config.limits;
        let window = limits.failure_window_s;
        Self([
            Bucket::new("address", &address.bucket(), limits.failures_per_address, window),
            Bucket::new("all", "", limits.failures_in_all, window),
        ])
    }

    /// What they are called in the database.
    #[must_use]
    pub fn keys(&self) -> [&str; 2] {
        [&self.0[0].key, &self.0[1].key]
    }

    /// Refuses if either is full.
    fn check(&self, state: &AppState, empty_at_ms: [Option<i64>; 2]) -> Result<(), ApiError> {
        let now_ms = state.clock.now_ms();
        for (bucket, empty_at_ms) in self.0.iter().zip(empty_at_ms) {
            match bucket.wait_from(empty_at_ms, now_ms) {
                0 => {}
                wait_ms => return Err(limited(state, bucket.kind, wait_ms)),
            }
        }
        Ok(())
    }

    async fn read_and_check(&self, state: &AppState, db: &mut AnyConnection) -> Result<(), ApiError> {
        let [address, all] = self.keys();
        let (address, all): (Option<i64>, Option<i64>) = sqlx::query_as(
            "SELECT f.empty_at_ms, g.empty_at_ms FROM (SELECT 1 AS one) u \
                LEFT JOIN failures f ON f.bucket = $1 LEFT JOIN failures g ON g.bucket = $2",
        )
        .bind(address)
        .bind(all)
        .fetch_one(db)
        .await?;
        self.check(state, [address, all])
    }
}

/// Who guesses at an account's password or recovery key.
#[derive(Debug, Clone, Copy)]
pub enum Guesser {
    /// A device that showed that it is the account's.
    Device(DeviceId),
    /// Somebody else, and when the [`Shared`] counts are empty again, in milliseconds since 1970.
    Stranger([Option<i64>; 2]),
}

impl Failures {
    /// Counts a failure before anything is compared, so that no number of replicas lets more guesses at one account
    /// through. Whoever succeeds takes it back by [`forgive`](Self::forgive); whoever fails adds the rest by
    /// [`confirm`](Self::confirm).
    ///
    /// # Errors
    /// [`ProblemKind::TooManyFailures`], and nothing more was counted; or the database failed.
    pub async fn begin(
        state: &AppState,
        db: &mut AnyConnection,
        shared: Shared,
        account: AccountId,
        guesser: Guesser,
    ) -> Result<Self, ApiError> {
        let limits = &state.config.limits;
        let window = limits.failure_window_s;
        let own = match guesser {
            Guesser::Device(device) => {
                let whose = format!("{account}:{device}");
                Bucket::new("device", &whose, limits.failures_per_known_device, window)
            }
            Guesser::Stranger(empty_at_ms) => {
                shared.check(state, empty_at_ms)?;
                Bucket::new("account", &account.to_string(), limits.failures_per_account, window)
            }
        };
        Self { own, shared: shared.0.into() }.count(state, db).await
    }

    /// The same for guesses at a code that was mailed. They are counted by account, whichever device asks, and apart from
    /// the account's passwords: whoever has its id must not keep its owner from logging in. `kind` is what the code is
    /// for, each counted apart: who guesses in public must not keep an owner from moving to another address.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn begin_code(
        state: &AppState,
        db: &mut AnyConnection,
        shared: Shared,
        kind: &'static str,
        account: AccountId,
    ) -> Result<Self, ApiError> {
        let limits = &state.config.limits;
        let own =
            Bucket::new(kind, &account.to_string(), limits.failures_per_account, limits.failure_window_s);
        shared.read_and_check(state, db).await?;
        Self { own, shared: shared.0.into() }.count(state, db).await
    }

    /// The same for guesses at an invitation's secrets, by whoever has its link. They are counted by invitation and account:
    /// who has the link alone must not keep the guest from accepting.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn begin_claim(
        state: &AppState,
        db: &mut AnyConnection,
        shared: Shared,
        invitation: InvitationId,
        account: AccountId,
    ) -> Result<Self, ApiError> {
        let limits = &state.config.limits;
        let whose = format!("{invitation}:{account}");
        let own = Bucket::new("invitation", &whose, limits.failures_per_account, limits.failure_window_s);
        shared.read_and_check(state, db).await?;
        Self { own, shared: shared.0.into() }.count(state, db).await
    }

    /// The same for guesses at an authorisation code, which belong to no account: the address's count is their own.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn begin_registration(
        state: &AppState,
        db: &mut AnyConnection,
        shared: Shared,
    ) -> Result<Self, ApiError> {
        shared.read_and_check(state, db).await?;
        let Shared([own, all]) = shared;
        Self { own, shared: vec![all] }.count(state, db).await
    }

    async fn count(self, state: &AppState, db: &mut AnyConnection) -> Result<Self, ApiError> {
        match self.own.charge(db, state.clock.now_ms()).await? {
            Some(wait_ms) => Err(limited(state, self.own.kind, wait_ms)),
            None => Ok(self),
        }
    }

    /// It was no failure.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forgive(&self, db: &mut AnyConnection) -> Result<(), sqlx::Error> {
        self.own.refund(db).await
    }

    /// It was one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn confirm(&self, state: &AppState, db: &mut AnyConnection) -> Result<(), sqlx::Error> {
        for bucket in &self.shared {
            bucket.charge(db, state.clock.now_ms()).await?;
        }
        Ok(())
    }
}

/// Counts a question that tells whether a login is taken.
///
/// # Errors
/// [`ProblemKind::TooManyRequests`], or the database failed.
pub async fn count_availability(state: &AppState, address: ClientAddress) -> Result<(), ApiError> {
    let limit = state.config.limits.availability_checks_per_address_per_hour;
    charge_lightly(state, &Bucket::new("availability", &address.bucket(), limit, 3600)).await
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
    charge_lightly(state, &Bucket::new("mail-from", &from, limit, window)).await?;
    charge_lightly(state, &Bucket::new("mail", &whose, limit.saturating_mul(MAILS_IN_ALL), window)).await
}

/// Counts a notice of one kind to an address: whoever has an account must not have this server send mails without end. As
/// many as failures may happen, so that the first of a kind always leaves.
///
/// # Errors
/// [`ProblemKind::TooManyRequests`], or the database failed.
pub async fn count_notice(state: &AppState, login: &Login, kind: &str) -> Result<(), ApiError> {
    let limits = &state.config.limits;
    let whose = format!("{kind}:{}", state.keys.unknown_account(login));
    let bucket = Bucket::new("notice", &whose, limits.failures_per_account, limits.failure_window_s);
    charge_lightly(state, &bucket).await
}

/// Counts a mail with an invitation's link: for the account, so that nobody has this server mail strangers without end, and
/// for the address's hash, so that no number of accounts floods one mailbox.
///
/// # Errors
/// [`ProblemKind::TooManyRequests`], or the database failed.
pub async fn count_invitation_mail(state: &AppState, account: AccountId, to: &Login) -> Result<(), ApiError> {
    let limits = &state.config.limits;
    let whose = state.keys.unknown_account(to).to_string();
    let per_account = limits.invitation_mails_per_account_per_day;
    let by_account = Bucket::new("invitation-mail-by", &account.to_string(), per_account, DAY_S);
    let per_address = limits.invitation_mails_per_address_per_day;
    charge_lightly(state, &by_account).await?;
    charge_lightly(state, &Bucket::new("invitation-mail-to", &whose, per_address, DAY_S)).await
}

/// Counts a change of an account's keys, which stays in its history for ever and goes to whoever reads that.
///
/// # Errors
/// [`ProblemKind::TooManyRequests`], or the database failed.
pub async fn count_keys(
    state: &AppState,
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<(), ApiError> {
    let limit = state.config.limits.key_changes_per_day;
    let bucket = Bucket::new("keys", &account.to_string(), limit, DAY_S);
    charge(state, db, &bucket).await
}

async fn charge_lightly(state: &AppState, bucket: &Bucket) -> Result<(), ApiError> {
    charge(state, &mut *state.db.lightly().await?, bucket).await
}

async fn charge(state: &AppState, db: &mut AnyConnection, bucket: &Bucket) -> Result<(), ApiError> {
    match bucket.charge(db, state.clock.now_ms()).await? {
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
