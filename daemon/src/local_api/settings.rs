//! The settings that the window shows.

use anyhow::Result;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{SettingRequest, SettingsReport};

use super::ControlError;
use super::body::Body;
use super::server::{Desk, Door};
use super::turns::blocking;
use crate::config::{self, Config};
use crate::exit::Failure;

pub(super) fn routes() -> Router<Door> {
    Router::new().route("/v1/settings", get(show).post(set))
}

async fn show(State(desk): State<Desk>) -> Result<Json<SettingsReport>, ControlError> {
    blocking(move || Ok(report(&desk)?)).await
}

async fn set(
    State(door): State<Door>,
    Body(request): Body<SettingRequest>,
) -> Result<Json<SettingsReport>, ControlError> {
    door.settings.take(move || change(&door.desk, &request)).await
}

fn report(desk: &Desk) -> Result<SettingsReport> {
    let file = desk.shell.home.config_file();
    let settings = config::in_window(&file)?;
    // Flags and the environment are as they were when the daemon started.
    let needs_restart = settings.iter().any(|setting| {
        setting.fixed_by.is_none() && desk.shell.config.get(&setting.key).as_ref() != Some(&setting.value)
    });
    Ok(SettingsReport { file: file.to_string_lossy().into_owned(), settings, needs_restart })
}

fn change(desk: &Desk, request: &SettingRequest) -> Result<SettingsReport> {
    let SettingRequest { key, value } = request;
    if !config::SET_IN_WINDOW.contains(&key.as_str()) {
        let exists = Config::keys().contains(key);
        let why = if exists { "is not changed here" } else { "does not exist" };
        let failure = Failure::new(Exit::Usage, format!("The setting {key} {why}"));
        return Err(failure.with_remedy(format!("ensafer config set {key} VALUE")).into());
    }
    config::set(&desk.shell.home.config_file(), key, value)?;
    report(desk)
}
