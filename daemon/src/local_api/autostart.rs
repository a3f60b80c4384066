//! Whether the daemon starts when its user logs in.

use anyhow::Result;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use ensafer_core::api::local::{AutostartReport, AutostartRequest};

use super::ControlError;
use super::body::Body;
use super::server::{Desk, Door};
use super::turns::blocking;
use crate::autostart::Autostart;
use crate::exit::Failure;

pub(super) fn routes() -> Router<Door> {
    Router::new().route("/v1/autostart", get(show).post(switch))
}

async fn show() -> Result<Json<AutostartReport>, ControlError> {
    blocking(|| Ok(AutostartReport { autostart: of_this_user()?.means() })).await
}

async fn switch(
    State(door): State<Door>,
    Body(request): Body<AutostartRequest>,
) -> Result<Json<AutostartReport>, ControlError> {
    door.settings.take(move || change(&door.desk, request)).await
}

fn change(desk: &Desk, request: AutostartRequest) -> Result<AutostartReport> {
    let autostart = of_this_user()?;
    if request.on {
        desk.shell.require_account()?;
        autostart.switch_on().map_err(Failure::from)?;
    } else {
        autostart.switch_off().map_err(Failure::from)?;
    }
    Ok(AutostartReport { autostart: autostart.means() })
}

fn of_this_user() -> Result<Autostart> {
    Ok(Autostart::from_environment().map_err(Failure::from)?)
}
