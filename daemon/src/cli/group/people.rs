//! `group add|remove`.

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_core::account::{Known as Acquaintance, SignedBundle};
use ensafer_core::crypto::{EnvelopePrivateKey, Login, SystemRandom};
use ensafer_core::format::roster::{Member, Role, RosterState};

use super::{AddArguments, Desk, Known, MemberArguments, in_group};
use crate::account::{self, AccountError};
use crate::exit::Failure;
use crate::output::printable;
use crate::prompt;

pub(super) fn add(arguments: &AddArguments, desk: &Desk<'_>) -> Result<Exit> {
    let (shell, unlocked) = (desk.shell, &desk.unlocked);
    let login = person(&arguments.email)?;
    let Known { name, held } = desk.find(&arguments.name)?;
    let (id, name) = (held.id(), printable(&name));
    if unlocked.account.login() == &login {
        let failure = Failure::new(Exit::Usage, format!("{login} is the address of this account"));
        return Err(failure.with_remedy("You are in the group. Name somebody else's").into());
    }
    let person = account::find_person(&shell.home, &shell.config, unlocked, &login);
    let person = person.map_err(|error| account_first(error, &login))?;
    let bundle = &person.bundle;
    refuse_other_keys(held.group().state(), bundle)?;
    let role = if arguments.admin { Role::Admin } else { Role::Reader };
    if let Some(member) = held.group().state().member(&bundle.bundle().identity) {
        let is_older = member.bundle.bundle().sequence >= bundle.bundle().sequence;
        if member.role >= role && is_older {
            shell.output.note(format_args!("{login} is in {name} already, as {}.", in_group(member.role)));
            return Ok(Exit::Success);
        }
    }
    let signer = unlocked.account.identity();
    desk.groups().change(id, |group| {
        // Newer keys, or one more addition, take nobody's role.
        let before = group.state().member(&bundle.bundle().identity).map(|member| member.role);
        group.add(bundle.clone(), before.map_or(role, |before| before.max(role)), signer)
    })?;
    desk.tell_folders_of(id)?;
    shell.output.note(format_args!(
        "{login} is in {name} from now on, as {}, and may open what its folders hold, older files too.",
        in_group(role)
    ));
    shell.output.note("Share the folders' encrypted directories with them in your cloud, too.");
    if person.known != Acquaintance::Verified {
        shell.output.note(format_args!(
            "Their keys are those that the server has; to be sure that nobody is in between, compare: ensafer share verify {login}"
        ));
    }
    Ok(Exit::Success)
}

pub(super) fn remove(arguments: &MemberArguments, desk: &Desk<'_>) -> Result<Exit> {
    let login = person(&arguments.email)?;
    let Known { name, held } = desk.find(&arguments.name)?;
    let (id, name) = (held.id(), printable(&name));
    let member = member(held.group().state(), &login, &name)?;
    let refused =
        |what: String, remedy: String| Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into());
    if desk.unlocked.account.login() == &login {
        let verb = if member.role == Role::Owner { "delete" } else { "leave" };
        let remedy = format!("ensafer group {verb} {}", super::short(id));
        return refused(format!("{login} is the address of this account"), remedy);
    }
    if member.role == Role::Owner {
        return refused(
            format!("{name} is the group of {login}"),
            "Nobody removes a group's owner".to_owned(),
        );
    }
    let question = format!("Remove {login} from {name}, and so from every folder that is shared with it?");
    if !prompt::confirm(&question, arguments.yes)? {
        return Err(Failure::new(Exit::Interrupted, "Nobody was removed").into());
    }
    let (subject, signer) = (member.key(), desk.unlocked.account.identity());
    desk.groups().change(id, |group| {
        if group.state().member(&subject).is_none() {
            return Ok(());
        }
        group.remove(subject, EnvelopePrivateKey::generate(), signer, &mut SystemRandom)
    })?;
    desk.tell_folders_of(id)?;
    tell_removed(desk, &login, &name);
    Ok(Exit::Success)
}

fn tell_removed(desk: &Desk<'_>, login: &Login, name: &str) {
    let output = &desk.shell.output;
    output.note(format_args!(
        "{login} is in {name} no more, and cannot open what is written from now on in the folders that are shared with it: in each as soon as a computer of an admin of that folder hears of it."
    ));
    output.note(
        "What this cannot undo: the files in their work folders and every copy that they have made stay with them, \
         and with the keys that they had they can open what was encrypted until now, where they still get at it. \
         Folders that are shared with them by other ways stay so.",
    );
    output.note("Take the encrypted folders away from them in your cloud, too.");
}

/// Groups have people in them, and no groups.
fn person(email: &str) -> Result<Login> {
    if email.contains('@') {
        return Ok(account::parse_login(email)?);
    }
    let what = format!("{} is no e-mail address, and a group cannot be in a group", printable(email));
    Err(Failure::new(Exit::Usage, what).with_remedy("Add its people one by one").into())
}

fn account_first(error: AccountError, login: &Login) -> anyhow::Error {
    if !error.is_unknown_user() {
        return error.into();
    }
    let remedy = format!(
        "{login} needs an account on this server first: ensafer register --email {login} --server URL, or an invitation to a folder (ensafer invite add)"
    );
    Failure::new(error.exit(), error.to_string()).with_remedy(remedy).into()
}

/// Two different keys under one address in one group: somebody pretends, or made a new account.
fn refuse_other_keys(group: &RosterState, bundle: &SignedBundle) -> Result<()> {
    let login = &bundle.bundle().login;
    let is_other = |member: &&Member| {
        let own = member.bundle.bundle();
        own.login == *login && own.identity != bundle.bundle().identity
    };
    let Some(other) = group.members.iter().find(is_other) else { return Ok(()) };
    let what = format!(
        "Somebody else is in the group under the address {login} (fingerprint {})",
        other.bundle.fingerprint()
    );
    let remedy =
        format!("Compare safety numbers (ensafer share verify {login}), and remove whoever is not {login}");
    Err(Failure::new(Exit::VerificationFailed, what).with_remedy(remedy).into())
}

fn member(group: &RosterState, login: &Login, name: &str) -> Result<Member> {
    let mut found = group.members.iter().filter(|member| member.bundle.bundle().login == *login);
    match (found.next(), found.next()) {
        (Some(member), None) => Ok(member.clone()),
        (None, _) => {
            let failure = Failure::new(Exit::Usage, format!("{login} is not in {name}"));
            Err(failure.with_remedy("ensafer group list").into())
        }
        (Some(_), Some(_)) => {
            let what = format!("Two are in {name} under the address {login}, with different keys");
            let remedy = "Somebody pretends. Make a new group, and add people after comparing safety numbers";
            Err(Failure::new(Exit::VerificationFailed, what).with_remedy(remedy).into())
        }
    }
}
