//! Removes what has expired, every hour.

use std::time::Duration;

use crate::state::AppState;

/// How often. Nothing depends on it but the database's size: what has expired is refused all the same.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Prunes at once and every hour from then on. Ends when it is dropped.
pub async fn run(state: AppState) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match state.db.prune(state.clock.now_s()).await {
            Ok(pruned) => tracing::debug!(?pruned, "pruned"),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "not pruned"),
        }
    }
}
