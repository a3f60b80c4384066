//! Invitations of people who have no account yet.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use ensafer_client::exit::Exit;
use ensafer_core::account::OpenInvitation;
use ensafer_core::api::hex::SecretText;
use ensafer_core::api::local::{ListedInvitation, MembersChange, SentInvitation};
use ensafer_core::api::server::InvitationReport;
use ensafer_core::crypto::Login;
use ensafer_core::format::roster::Role;
use ensafer_core::ids::InvitationId;

use super::{Scene, already, guests, not_allowed, refuse_others, shown, time};
use crate::account::{self, Invitation};
use crate::exit::{self, Failure};
use crate::folders::{FolderEntry, Folders};
use crate::output::printable;

/// Invites somebody to a folder: the account and the server remember it, and the folder lets the guest read. Nothing is
/// sent yet.
///
/// # Errors
/// It is one's own address or none, somebody's who has an account, or who is invited already; or as [`Scene::change`].
/// Nothing is left then.
pub fn invite(scene: &Scene<'_>, folder: &FolderEntry, login: &Login, role: Role) -> Result<Invitation> {
    if !login.as_str().contains('@') {
        let failure = Failure::new(Exit::Usage, format!("{login} is no e-mail address"));
        let remedy = format!(
            "Type the address of whom you invite; for a group: ensafer share add {} NAME",
            shown(folder)
        );
        return Err(failure.with_remedy(remedy).into());
    }
    if scene.login() == login {
        let what = format!("{login} is your own address: you are a member already");
        return Err(not_allowed(Exit::Usage, what, "Name somebody else's".to_owned()));
    }
    refuse_open(scene, login, folder)?;
    refuse_account(scene, login, folder)?;
    let roster = scene.roster(folder)?;
    refuse_others(scene, &roster)?;
    let name = folder.work.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (home, config) = (&scene.shell.home, &scene.shell.config);
    let made = account::invite(home, config, &scene.unlocked, &roster, &name, (login, role))?;
    let invited = scene.change(folder, MembersChange::Invite { invitations: vec![made.id] });
    if invited.is_err() {
        // Nobody has seen its secrets: as if it had never been.
        account::end_invitation(home, config, &scene.unlocked, made.id)?;
        invited?;
    }
    Ok(made)
}

/// One invitation to a folder is enough for one address.
fn refuse_open(scene: &Scene<'_>, login: &Login, folder: &FolderEntry) -> Result<()> {
    let open = of_person(scene, login, folder)?;
    let Some(open) = open.values().find(|open| open.expires_at_s >= account::now_s()) else { return Ok(()) };
    let until = time(open.expires_at_s);
    let what = format!("{login} is invited to {} already, as {}, until {until}", shown(folder), open.role);
    let remedy = format!(
        "ensafer invite resend {login} shows link and password once more. For another role: ensafer invite revoke {login}, then this once more"
    );
    Err(already(what, remedy))
}

/// Whoever has an account needs no invitation.
fn refuse_account(scene: &Scene<'_>, login: &Login, folder: &FolderEntry) -> Result<()> {
    match account::find_person(&scene.shell.home, &scene.shell.config, &scene.unlocked, login) {
        Ok(_) => Err(already(
            format!("{login} has an account"),
            format!("ensafer share add {} {login}", shown(folder)),
        )),
        Err(error) if error.is_unknown_user() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// This account's invitations of an address to a folder.
fn of_person(
    scene: &Scene<'_>,
    login: &Login,
    folder: &FolderEntry,
) -> Result<BTreeMap<InvitationId, OpenInvitation>> {
    let mut open = account::open_invitations(&scene.shell.home, &scene.unlocked.account)?;
    open.retain(|_, invitation| invitation.folder == folder.id && invitation.invited == *login);
    Ok(open)
}

/// Ends the invitations of somebody who has become a member without them. Says whether there were any.
///
/// # Errors
/// As [`Scene::change`], or what the server says.
pub fn end_for_member(scene: &Scene<'_>, folder: &FolderEntry, login: &Login) -> Result<bool> {
    let ids: Vec<_> = of_person(scene, login, folder)?.into_keys().collect();
    if ids.is_empty() {
        return Ok(false);
    }
    let ended = scene.change(folder, MembersChange::Uninvite { invitations: ids.clone() });
    ended.with_context(|| format!("{login} was added, but is still invited as well"))?;
    for id in ids {
        account::end_invitation(&scene.shell.home, &scene.shell.config, &scene.unlocked, id)?;
    }
    Ok(true)
}

/// Has the link mailed, where that is wished for and the server does it, and gives what is shown once.
///
/// # Errors
/// The account is on no server.
pub fn send(
    scene: &Scene<'_>,
    id: InvitationId,
    invitation: &OpenInvitation,
    mail: bool,
) -> Result<SentInvitation> {
    let (home, config) = (&scene.shell.home, &scene.shell.config);
    let mut unmailed = None;
    let is_mailed = mail
        && account::mail_link(home, config, &scene.unlocked, id, invitation).unwrap_or_else(|error| {
            unmailed = Some(exit::describe(&error.into()));
            false
        });
    let link = account::link(home, id, invitation)?;
    Ok(SentInvitation {
        id,
        invited: invitation.invited.to_string(),
        role: invitation.role,
        expires: time(invitation.expires_at_s),
        link: (!is_mailed).then(|| SecretText(link.to_string())),
        password: SecretText(invitation.secrets.password.to_text().to_string()),
        unmailed,
    })
}

/// This account's open invitations, as the server and this computer know them.
///
/// # Errors
/// What the server says.
pub fn list_invitations(scene: &Scene<'_>) -> Result<Vec<ListedInvitation>> {
    let Scene { shell, unlocked, .. } = scene;
    let served = account::served_invitations(&shell.home, &shell.config, unlocked)?;
    let open = account::open_invitations(&shell.home, &unlocked.account)?;
    open.iter().map(|(id, invitation)| listed(scene, *id, invitation, &served)).collect()
}

fn listed(
    scene: &Scene<'_>,
    id: InvitationId,
    invitation: &OpenInvitation,
    served: &[InvitationReport],
) -> Result<ListedInvitation> {
    let folder = invited_folder(scene, invitation)?;
    // Of a folder that is not here, or not open to this account any more, nobody can say it.
    let reading = folder.as_ref().and_then(|folder| scene.rosters.reading_guests(folder, &[id]).ok());
    let is_in = reading.is_none_or(|reading| !reading.own.is_empty());
    let guest = guests::report(scene, id, invitation, served, is_in);
    let accepted = served.iter().any(|report| report.id == id && report.acceptance.is_some());
    Ok(ListedInvitation { guest, folder: invitation.folder, work: folder.as_ref().map(shown), accepted })
}

/// Lets the guest of an invitation read again, whom a new epoch has shut out, and sends it once more.
///
/// # Errors
/// As [`Scene::change`] and [`send`].
pub fn resend(
    scene: &Scene<'_>,
    id: InvitationId,
    invitation: &OpenInvitation,
    mail: bool,
) -> Result<SentInvitation> {
    // A new epoch that another admin started has shut the guest out.
    if let Some(folder) = invited_folder(scene, invitation)? {
        scene.change(&folder, MembersChange::Invite { invitations: vec![id] })?;
    }
    send(scene, id, invitation, mail)
}

/// Takes an invitation back.
///
/// # Errors
/// Its folder is not on this computer, or as [`Scene::change`], or what the server says.
pub fn revoke(scene: &Scene<'_>, id: InvitationId, invitation: &OpenInvitation) -> Result<()> {
    let Some(folder) = invited_folder(scene, invitation)? else {
        let failure = Failure::new(Exit::NotSetUp, "The invitation's folder is not on this computer");
        return Err(failure.with_remedy("Revoke it on a computer that has the folder").into());
    };
    scene.change(&folder, MembersChange::Uninvite { invitations: vec![id] })?;
    let (home, config) = (&scene.shell.home, &scene.shell.config);
    account::end_invitation(home, config, &scene.unlocked, id).map_err(|error| {
        let what = format!(
            "{} is shut out of the folder already, but the invitation is still listed: {error}",
            invitation.invited
        );
        let remedy = "The same command once more, when the key server can be reached";
        Failure::new(error.exit(), what).with_remedy(remedy).into()
    })
}

/// The folder of an invitation, where it is on this computer.
///
/// # Errors
/// The list of folders cannot be read.
pub fn invited_folder(scene: &Scene<'_>, invitation: &OpenInvitation) -> Result<Option<FolderEntry>> {
    let folders = Folders::load(scene.shell.home.data_dir())?;
    Ok(folders.entries().iter().find(|folder| folder.id == invitation.folder).cloned())
}

/// The open invitation of this address, or with this id.
///
/// # Errors
/// There is none, or several.
pub fn find_invitation(scene: &Scene<'_>, whom: &str) -> Result<(InvitationId, OpenInvitation)> {
    let open = account::open_invitations(&scene.shell.home, &scene.unlocked.account)?;
    let login = account::parse_login(whom).ok();
    let is_meant = |(id, invitation): &(&InvitationId, &OpenInvitation)| {
        login.as_ref() == Some(&invitation.invited) || id.to_string() == whom
    };
    let mut found = open.iter().filter(is_meant);
    match (found.next(), found.next()) {
        (Some((id, invitation)), None) => Ok((*id, invitation.clone())),
        (None, _) => {
            let failure = Failure::new(Exit::Usage, format!("No open invitation is {}'s", printable(whom)));
            Err(failure.with_remedy("ensafer invite list").into())
        }
        _ => {
            let what = format!("Several open invitations are {}'s", printable(whom));
            Err(Failure::new(Exit::Usage, what)
                .with_remedy("Name one by its id: ensafer invite list --json")
                .into())
        }
    }
}
