//! Where requests are carried out: on threads that may block, and long work one at a time.

use std::sync::Arc;

use axum::Json;
use tokio::sync::Semaphore;

use super::ControlError;

/// Whose turn it is: one act of a kind at a time, however many wait. Whoever goes away while waiting has not begun; whoever
/// goes away later leaves an act that is carried out.
#[derive(Debug, Clone)]
pub(super) struct Turn(Arc<Semaphore>);

impl Default for Turn {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Turn {
    /// Waits for the turn, then does `work` on a thread that may block.
    pub async fn take<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> Result<Json<T>, ControlError> {
        let turn = Arc::clone(&self.0).acquire_owned().await;
        let turn = turn.map_err(|error| ControlError::Failed(error.into()))?;
        blocking(move || {
            let _turn = turn;
            Ok(work()?)
        })
        .await
    }
}

/// Does `work` on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ControlError> + Send + 'static,
) -> Result<Json<T>, ControlError> {
    blocking_raw(work).await.map(Json)
}

/// As [`blocking`], for what is not answered as it is.
pub(super) async fn blocking_raw<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ControlError> + Send + 'static,
) -> Result<T, ControlError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ControlError::Failed(error.into())),
    }
}
