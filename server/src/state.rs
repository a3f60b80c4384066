//! What every handler works with.

use std::sync::Arc;

use ensafer_core::crypto::ServerKeys;

use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::mail::Mailer;
use crate::metrics::Metrics;
use crate::notices::Notices;

/// The server's parts. Nothing in it is state that another replica would need: that is all in the database.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// See [`AppState`].
pub struct Parts {
    /// The settings.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// Keys derived from the server's secret.
    pub keys: ServerKeys,
    /// Sends mail, if the server does.
    pub mailer: Option<Mailer>,
    /// Counts what happens.
    pub metrics: Metrics,
    /// Mails that no request waits for.
    pub notices: Notices,
    /// Tells the time.
    pub clock: Box<dyn Clock>,
}

impl AppState {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AppState")
    }
}
