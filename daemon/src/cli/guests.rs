//! What lists say of people who are invited, and are no members yet.

use ensafer_core::api::local::{AcceptedBy, GuestStanding, InvitedReport};

use crate::output::printable;

/// How far an invitation is, for people.
pub(super) fn words(standing: GuestStanding, invitation: &InvitedReport) -> String {
    let InvitedReport { invited, expires, accepted_by, .. } = invitation;
    let who = accepted_by.as_ref().map_or_else(
        || "invited, not accepted yet".to_owned(),
        |AcceptedBy { login, name, is_invited_address }| {
            let name = name.as_deref().map_or_else(String::new, |name| format!(" ({})", printable(name)));
            let other = if *is_invited_address { "" } else { ", which is NOT the address that was invited" };
            format!("accepted by {}{name}{other}, waits to be completed", printable(login))
        },
    );
    match standing {
        GuestStanding::ShutOut => {
            format!(
                "{who}; shut out by a new key of the folder: ensafer invite resend {}",
                printable(invited)
            )
        }
        _ => format!("{who}, until {expires}"),
    }
}
