//! `pause`, `resume`.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::local_api::Client;
use ensafer_core::status::State;

use super::engine::Engine;
use crate::exit::Failure;
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct PauseArguments {
    /// For how long, as in 30m, 1h or 2d; until `resume` if left out
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArguments {
    /// Release the brake that `status` shows under this token: the changes it lists are then carried out
    #[arg(long, value_name = "TOKEN")]
    go_on: Option<String>,
}

pub(super) fn pause(arguments: &PauseArguments, shell: &Shell) -> Result<Exit> {
    Client::connect(&shell.home)?.pause(arguments.duration)?;
    shell.output.note("Paused.");
    Ok(Exit::Success)
}

pub(super) fn resume(arguments: ResumeArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    match (arguments.go_on, Client::connect_if_running(&shell.home)?) {
        (Some(token), None) => {
            let _lock = shell.home.lock()?;
            if !engine.release_brake(shell, &token)? {
                let what =
                    format!("No brake has the token {token}; another set of changes may be waiting by now");
                return Err(Failure::new(Exit::Error, what).with_remedy("ensafer status").into());
            }
        }
        (go_on, _) => {
            let client = Client::connect(&shell.home)?;
            let is_for_a_pause = go_on.is_none();
            client.resume(go_on)?;
            if is_for_a_pause {
                shell.output.note(after_resuming(client.status()?.state));
                return Ok(Exit::Success);
            }
        }
    }
    shell.output.note("Going on.");
    Ok(Exit::Success)
}

/// Neither a stop nor a brake ends by `resume` alone.
const fn after_resuming(state: State) -> &'static str {
    match state {
        State::Stopped => "Syncing is stopped: ensafer start",
        State::Braked => "A brake holds: ensafer status",
        _ => "Going on.",
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    // Civil days vary; a pause's do not.
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err("expected a number and s, m, h or d, as in 1h".to_owned()),
    };
    let number: u32 =
        number.parse().map_err(|_| "expected a whole number before the unit, as in 90m".to_owned())?;
    if number == 0 {
        return Err("expected more than nothing".to_owned());
    }
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(parse_duration("2d"), Ok(Duration::from_secs(172_800)));
        for wrong in ["", "h", "1", "0m", "-1h", "1.5h", "1ü", "99999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
