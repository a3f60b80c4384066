//! What lists say of people who are invited, and are no members yet.

use anyhow::Result;
use ensafer_core::account::OpenInvitation;
use ensafer_core::api::local::{AcceptedBy, GuestReport, GuestStanding, InvitedReport};
use ensafer_core::api::server::InvitationReport;
use ensafer_core::ids::InvitationId;
use ensafer_core::time::Timestamp;

use super::engine::Engine;
use crate::account::{self, Unlocked};
use crate::folders::FolderEntry;
use crate::output::printable;
use crate::shell::Shell;

/// Everybody who reads a folder by an invitation, as far as this computer knows: those whom this account has invited, then
/// one entry for each invitation of somebody else.
pub(super) fn of_folder(
    shell: &Shell,
    engine: &dyn Engine,
    folder: &FolderEntry,
) -> Result<Vec<GuestReport>> {
    let unlocked = shell.open_account()?;
    let mut own = account::open_invitations(&shell.home, &unlocked.account)?;
    own.retain(|_, invitation| invitation.folder == folder.id);
    let served = if own.is_empty() { Vec::new() } else { served(shell, &unlocked) };
    let ids: Vec<_> = own.keys().copied().collect();
    let reading = engine.reading_guests(shell, folder, &ids)?;
    let mut guests = Vec::new();
    for (id, invitation) in &own {
        guests.push(report(shell, &unlocked, *id, invitation, &served, reading.own.contains(id)));
    }
    let of_another = GuestReport { standing: GuestStanding::OfAnother, invitation: None };
    guests.resize(guests.len() + reading.of_others, of_another);
    Ok(guests)
}

/// A list is shown without the server as well.
fn served(shell: &Shell, unlocked: &Unlocked) -> Vec<InvitationReport> {
    account::served_invitations(&shell.home, &shell.config, unlocked).unwrap_or_else(|error| {
        shell.output.warn(format_args!("Who has accepted an invitation is not known: {error}"));
        Vec::new()
    })
}

/// An invitation of this account; `is_in` says whether the folder has a key for its guest.
pub(super) fn report(
    shell: &Shell,
    unlocked: &Unlocked,
    id: InvitationId,
    invitation: &OpenInvitation,
    served: &[InvitationReport],
    is_in: bool,
) -> GuestReport {
    let accepted_by = served
        .iter()
        .find(|report| report.id == id)
        .and_then(|report| account::proven_guest(id, invitation, report, &unlocked.account))
        .map(|guest| AcceptedBy {
            login: guest.bundle().login.to_string(),
            name: account::name_of(&shell.home, &shell.config, unlocked, &guest),
            is_invited_address: guest.bundle().login == invitation.invited,
        });
    let standing = match (&accepted_by, is_in) {
        (_, false) => GuestStanding::ShutOut,
        (Some(_), true) => GuestStanding::Accepted,
        (None, true) => GuestStanding::Invited,
    };
    let invitation = InvitedReport {
        id,
        invited: invitation.invited.to_string(),
        role: invitation.role,
        expires: at(invitation.expires_at_s),
        accepted_by,
    };
    GuestReport { standing, invitation: Some(invitation) }
}

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

/// A time of the protocol, for people.
pub(super) fn at(seconds: u64) -> String {
    Timestamp::from_parts(i64::try_from(seconds).unwrap_or(i64::MAX), 0).to_string()
}
