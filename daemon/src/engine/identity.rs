//! Which device this state database is (engine rule 18).

use std::fs;

use ensafer_core::crypto::{Random, SystemRandom};
use ensafer_core::ids::DeviceId;

use crate::state::{Identity, State, StateError};

/// The device id of `state`: a new one for a new database, and for one that was copied to another machine.
pub fn current(state: &mut State) -> Result<Identity, StateError> {
    let machine = machine_id();
    match state.identity()? {
        Some(identity) if identity.machine == machine => Ok(identity),
        _ => renew(state, machine),
    }
}

/// Gives `state` a new device id: its counters were seen elsewhere.
pub fn renew(state: &mut State, machine: String) -> Result<Identity, StateError> {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    let identity = Identity { device: DeviceId::new(bytes), machine };
    state.set_identity(&identity)?;
    Ok(identity)
}

/// The machine's own id (`machine-id(5)`), empty where it has none.
pub fn machine_id() -> String {
    let read =
        fs::read_to_string("/etc/machine-id").or_else(|_| fs::read_to_string("/var/lib/dbus/machine-id"));
    read.map(|text| text.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_18_a_copied_database_gets_a_new_device() {
        let directory = tempfile::tempdir().unwrap();
        let mut state = State::open(&directory.path().join("state.redb")).unwrap();
        let first = current(&mut state).unwrap();
        assert_eq!(current(&mut state).unwrap(), first);
        state.set_identity(&Identity { machine: "another".into(), ..first.clone() }).unwrap();
        assert_ne!(current(&mut state).unwrap().device, first.device);
    }
}
