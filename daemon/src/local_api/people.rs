//! The people of a folder: members, and guests of invitations.

use anyhow::{Context, Result, anyhow};
use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{
    AddPersonRequest, AddedPerson, ChangedPerson, FindPersonRequest, FolderRequest, InvitationRequest,
    InviteRequest, ListedInvitation, MembersChange, PeopleReport, PersonReport, PersonRoleRequest,
    RemovePersonRequest, ResendRequest, SentInvitation, VerifyPersonRequest,
};
use ensafer_core::format::roster::{Role, RosterState};
use ensafer_core::ids::InvitationId;

use super::ControlError;
use super::body::Body;
use super::server::{Desk, Door};
use super::turns::blocking;
use crate::account::{self, AccountError};
use crate::exit::Failure;
use crate::folder_keys::Vault;
use crate::folders::FolderEntry;
use crate::people::{self, ReadingGuests, Rosters, Scene};
use crate::{last_roster, pairs};

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/v1/people", get(list))
        .route("/v1/people/find", post(find))
        .route("/v1/people/verify", post(verify))
        .route("/v1/people/add", post(add))
        .route("/v1/people/role", post(set_role))
        .route("/v1/people/remove", post(remove))
        .route("/v1/people/leave", post(leave))
        .route("/v1/invitations", get(invitations))
        .route("/v1/invitations/add", post(invite))
        .route("/v1/invitations/resend", post(resend))
        .route("/v1/invitations/revoke", post(revoke))
}

type Answer<T> = Result<Json<T>, ControlError>;

async fn list(State(desk): State<Desk>, Query(query): Query<FolderRequest>) -> Answer<PeopleReport> {
    blocking(move || {
        let folder = pairs::on_list(&desk.shell, query.folder)?;
        Ok(with_scene(&desk, |scene| people::people_of(scene, &folder))?)
    })
    .await
}

async fn find(State(door): State<Door>, Body(request): Body<FindPersonRequest>) -> Answer<PersonReport> {
    door.people
        .take(move || {
            let login = account::parse_login(&request.email)?;
            with_server(&door.desk, |scene| {
                let person = people::find(scene.shell, &scene.unlocked, &login, request.changed)?;
                people::report(&person, false)
            })
        })
        .await
}

async fn verify(State(door): State<Door>, Body(request): Body<VerifyPersonRequest>) -> Answer<PersonReport> {
    door.people
        .take(move || {
            let VerifyPersonRequest { email, safety_number, changed } = request;
            let login = account::parse_login(&email)?;
            with_server(&door.desk, |scene| {
                let person = people::verify(scene.shell, &scene.unlocked, &login, &safety_number, changed)?;
                people::report(&person, true)
            })
        })
        .await
}

async fn add(State(door): State<Door>, Body(request): Body<AddPersonRequest>) -> Answer<AddedPerson> {
    door.people
        .take(move || {
            let login = account::parse_login(&request.email)?;
            let role = given(request.role)?;
            let folder = pairs::on_list(&door.desk.shell, request.folder)?;
            with_server(&door.desk, |scene| {
                let added = people::add(scene, &folder, &login, role)?;
                Ok(AddedPerson {
                    person: people::report(&added.person, false)?,
                    was_member: added.was_member,
                    ended_invitation: added.ended_invitation,
                })
            })
        })
        .await
}

async fn set_role(State(door): State<Door>, Body(request): Body<PersonRoleRequest>) -> Answer<ChangedPerson> {
    door.people
        .take(move || {
            let role = given(request.role)?;
            let folder = pairs::on_list(&door.desk.shell, request.folder)?;
            with_scene(&door.desk, |scene| {
                let member = people::member_by_key(scene, &folder, request.member)?;
                let still_by_groups = people::set_role(scene, &folder, &member, role)?;
                Ok(ChangedPerson { still_by_groups })
            })
        })
        .await
}

async fn remove(State(door): State<Door>, Body(request): Body<RemovePersonRequest>) -> Answer<ChangedPerson> {
    door.people
        .take(move || {
            let folder = pairs::on_list(&door.desk.shell, request.folder)?;
            with_scene(&door.desk, |scene| {
                let member = people::member_by_key(scene, &folder, request.member)?;
                let still_by_groups = people::remove(scene, &folder, &member)?;
                Ok(ChangedPerson { still_by_groups })
            })
        })
        .await
}

async fn leave(State(door): State<Door>, Body(request): Body<FolderRequest>) -> Answer<ChangedPerson> {
    door.people
        .take(move || {
            let folder = pairs::on_list(&door.desk.shell, request.folder)?;
            with_scene(&door.desk, |scene| {
                Ok(ChangedPerson { still_by_groups: people::leave(scene, &folder)? })
            })
        })
        .await
}

async fn invitations(State(door): State<Door>) -> Answer<Vec<ListedInvitation>> {
    door.people
        .take(move || {
            // What guests have accepted meanwhile is completed soon, and shows then.
            door.desk.control.look_at_account();
            with_server(&door.desk, people::list_invitations)
        })
        .await
}

async fn invite(State(door): State<Door>, Body(request): Body<InviteRequest>) -> Answer<SentInvitation> {
    door.people
        .take(move || {
            let login = account::parse_login(&request.email)?;
            let role = given(request.role)?;
            let folder = pairs::on_list(&door.desk.shell, request.folder)?;
            with_server(&door.desk, |scene| {
                let made = people::invite(scene, &folder, &login, role)?;
                people::send(scene, made.id, &made.open, request.mail)
            })
        })
        .await
}

async fn resend(State(door): State<Door>, Body(request): Body<ResendRequest>) -> Answer<SentInvitation> {
    door.people
        .take(move || {
            with_server(&door.desk, |scene| {
                let (id, invitation) = people::find_invitation(scene, &request.invitation.to_string())?;
                people::resend(scene, id, &invitation, request.mail)
            })
        })
        .await
}

async fn revoke(State(door): State<Door>, Body(request): Body<InvitationRequest>) -> Answer<()> {
    door.people
        .take(move || {
            with_server(&door.desk, |scene| {
                let (id, invitation) = people::find_invitation(scene, &request.invitation.to_string())?;
                people::revoke(scene, id, &invitation)
            })
        })
        .await
}

/// Nobody is made an owner.
fn given(role: Role) -> Result<Role> {
    if role < Role::Owner {
        return Ok(role);
    }
    let failure = Failure::new(Exit::Usage, "Nobody else can become the owner of a folder");
    Err(failure.with_remedy("Make them an admin").into())
}

/// Does `act` with the account's keys.
fn with_scene<T>(desk: &Desk, act: impl FnOnce(&Scene<'_>) -> Result<T>) -> Result<T> {
    desk.shell.require_account()?;
    let unlocked = desk.vault.unlocked()?;
    act(&Scene { shell: &desk.shell, unlocked, rosters: &AtDesk(desk) })
}

/// Does `act` with the account's keys, where the account is on a server.
fn with_server<T>(desk: &Desk, act: impl FnOnce(&Scene<'_>) -> Result<T>) -> Result<T> {
    desk.shell.require_account()?;
    if account::server_of(&desk.shell.home)?.is_none() {
        return Err(AccountError::NotOnServer { login: account::login_of(&desk.shell.home)? }.into());
    }
    with_scene(desk, act)
}

/// The rosters of this daemon's folders.
struct AtDesk<'a>(&'a Desk);

impl Rosters for AtDesk<'_> {
    fn roster(&self, folder: &FolderEntry) -> Result<RosterState> {
        last_roster::roster(&self.0.shell, &*self.0.vault, folder)
    }

    fn reading_guests(&self, folder: &FolderEntry, own: &[InvitationId]) -> Result<ReadingGuests> {
        last_roster::reading_guests(&self.0.shell, &*self.0.vault, folder, own)
    }

    fn change(&self, folder: &FolderEntry, change: MembersChange) -> Result<()> {
        let outcome = self.0.control.change_members(folder.id, change)?;
        let outcome = outcome.blocking_recv().map_err(|_| anyhow!("the folder's work has ended"))?;
        outcome.context("The folder's members were not changed")
    }
}
