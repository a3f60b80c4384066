//! Invitations that somebody else made: looked at, and accepted.

use anyhow::Result;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use ensafer_core::api::local::{AcceptRequest, InvitationWords, ReceivedInvitation};
use ensafer_core::ids::FolderId;

use super::ControlError;
use super::body::{Body, password};
use super::server::{Desk, Door};
use crate::accept::{self, Link, Looked};
use crate::account::Received;
use crate::folder_keys::Vault;
use crate::output::printable;
use crate::people;

pub(super) fn routes() -> Router<Door> {
    Router::new().route("/v1/invitations/look", post(look)).route("/v1/invitations/accept", post(take))
}

type Answer<T> = Result<Json<T>, ControlError>;

async fn look(State(door): State<Door>, Body(request): Body<AcceptRequest>) -> Answer<ReceivedInvitation> {
    door.people
        .take(move || {
            let link = Link::read(&door.desk.shell, password(request.link).expose())?;
            let secret = accept::one_time_password(password(request.password).expose())?;
            match link.look(&door.desk.shell)? {
                Looked::Over(folder) => Ok(over(&link, folder)),
                Looked::Open(sealed) => Ok(report(&link, &link.open(&door.desk.shell, secret, &sealed)?)),
            }
        })
        .await
}

async fn take(State(door): State<Door>, Body(request): Body<AcceptRequest>) -> Answer<ReceivedInvitation> {
    door.people.take(move || accepted(&door.desk, request)).await
}

/// What stands in the way on this computer is said before the server is asked.
fn accepted(desk: &Desk, request: AcceptRequest) -> Result<ReceivedInvitation> {
    let shell = &desk.shell;
    shell.require_account()?;
    let link = Link::read(shell, password(request.link).expose())?;
    let secret = accept::one_time_password(password(request.password).expose())?;
    accept::refuse_unready(shell, link.origin())?;
    let unlocked = desk.vault.unlocked()?;
    let sealed = match link.look(shell)? {
        Looked::Open(sealed) => sealed,
        Looked::Over(folder) => return Ok(over(&link, folder)),
    };
    let received = link.open(shell, secret, &sealed)?;
    let inviter = accept::accept(shell, &unlocked, &received)?;
    Ok(ReceivedInvitation { inviter: Some(people::report(&inviter, false)?), ..report(&link, &received) })
}

fn report(link: &Link, received: &Received) -> ReceivedInvitation {
    let record = &received.record;
    let words = InvitationWords {
        from: printable(record.inviter.bundle().login.as_str()),
        name: printable(&record.folder_name),
        role: record.role,
        invited: record.invited.to_string(),
        expires: people::time(record.expires_at_s),
    };
    ReceivedInvitation { words: Some(words), ..over(link, record.folder) }
}

/// All that is known where the server has forgotten an invitation.
fn over(link: &Link, folder: FolderId) -> ReceivedInvitation {
    ReceivedInvitation { server: link.origin().to_string(), folder, words: None, inviter: None }
}
