//! Guests of invitations: they read until they are members, whoever changes the folder's key meanwhile, and no longer than
//! they should.

use std::sync::Arc;

use ensafer_core::account::{Account, OpenInvitation};
use ensafer_core::crypto::{InvitationSecrets, TestRandom};
use ensafer_core::format::roster::Role;
use ensafer_core::ids::InvitationId;
use ensafer_core::plan::ProblemClass;

use super::accounts::{bob, carol};
use super::world::{Device, World};
use crate::engine::{MemberChange, MembersError};

/// The secrets of an invitation.
fn invitation(number: u8) -> (InvitationId, InvitationSecrets) {
    let secrets = InvitationSecrets::generate(&mut TestRandom::new(number.into()));
    (InvitationId::new([number; 16]), secrets)
}

/// What the inviter's account remembers of one; another account has the address.
fn remember(device: &Device, number: u8, invited: &str) {
    let (id, secrets) = invitation(number);
    let open = OpenInvitation {
        folder: device.entry.id,
        invited: invited.parse().unwrap(),
        role: Role::Writer,
        expires_at_s: u64::MAX,
        secrets: Arc::new(secrets),
    };
    device.vault.guests.lock().unwrap().push((id, open));
}

/// Invites somebody.
fn invite(device: &mut Device, number: u8, invited: &str) {
    remember(device, number, invited);
    device.change(&MemberChange::Invite { invitations: vec![invitation(number).0] }).unwrap();
}

/// Joins as the guest of an invitation.
fn come(world: &World, name: &str, account: &Arc<Account>, inviter: &Device, number: u8) -> Device {
    let (id, secrets) = invitation(number);
    world.invited(name, account, (inviter.entry.id, id, secrets)).unwrap()
}

fn epoch(device: &Device) -> u32 {
    device.keys().roster().state().epoch
}

fn member_count(device: &Device) -> usize {
    device.keys().roster().state().members.len()
}

/// By an admin who ends an invitation that nobody has.
fn start_epoch(device: &mut Device) {
    device.change(&MemberChange::Uninvite { invitations: vec![invitation(0xFF).0] }).unwrap();
}

/// Alice's folder with one file.
fn folder(world: &World) -> Device {
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    a
}

/// Alice's folder with Bob as an admin.
fn with_admin(world: &World) -> (Device, Device) {
    let mut a = folder(world);
    a.add(&bob(), Role::Admin).unwrap();
    let mut b = world.guest("b", &bob());
    world.settle(&mut [&mut a, &mut b]);
    (a, b)
}

#[test]
fn a_guest_reads_until_made_a_member_and_publishes_nothing_before() {
    let world = World::new();
    let mut a = folder(&world);
    invite(&mut a, 1, "carol@example.com");
    let id = invitation(1).0;
    let mut c = come(&world, "c", &carol(), &a, 1);
    let cloud = world.snapshot();
    c.write("by the guest", "not yet");
    c.settle();
    assert_eq!((c.read("f").as_str(), world.snapshot()), ("text", cloud));
    assert_eq!(c.problems().get("by the guest"), Some(&ProblemClass::NotYetAMember));
    c.start();
    c.settle();
    assert_eq!(c.read("f"), "text", "after a restart, too");

    let bundle = || Box::new(carol().bundle().clone());
    let complete = MemberChange::Complete { invitation: id, bundle: bundle(), role: Role::Writer };
    a.change(&complete).unwrap();
    world.settle(&mut [&mut a, &mut c]);
    assert_eq!(a.read("by the guest"), "not yet");
    assert!(c.problems().is_empty() && member_count(&a) == 2);
    assert!(matches!(a.change(&complete), Err(MembersError::NoInvitation)), "once");
    let (other, ..) = invitation(2);
    let unknown = MemberChange::Complete { invitation: other, bundle: bundle(), role: Role::Admin };
    assert!(matches!(a.change(&unknown), Err(MembersError::NoInvitation)));
}

#[test]
fn an_invitation_that_is_taken_back_ends_the_guests_reading_and_no_other_guests() {
    let world = World::new();
    let mut a = folder(&world);
    invite(&mut a, 1, "bob@example.com");
    invite(&mut a, 2, "carol@example.com");
    let mut b = come(&world, "b", &bob(), &a, 1);
    let mut c = come(&world, "c", &carol(), &a, 2);
    world.settle(&mut [&mut a, &mut b, &mut c]);
    let revoke = MemberChange::Uninvite { invitations: vec![invitation(1).0] };
    a.change(&revoke).unwrap();
    assert_eq!(epoch(&a), 2);
    a.write("g", "not for Bob");
    a.settle();
    assert!(!b.look().planned);
    c.settle();
    assert_eq!((c.read("g").as_str(), b.tree().contains_key("g")), ("not for Bob", false));
    // Also where no envelope is left: a guest may have put an older roster back.
    a.change(&revoke).unwrap();
    assert_eq!(epoch(&a), 3);
    c.settle();
    assert!(c.problems().is_empty());
}

#[test]
fn an_epoch_that_another_admin_starts_shuts_no_guest_out_for_long() {
    let world = World::new();
    let (mut a, mut b) = with_admin(&world);
    invite(&mut a, 1, "carol@example.com");
    world.settle(&mut [&mut a, &mut b]);
    let mut c = come(&world, "c", &carol(), &a, 1);
    c.settle();
    start_epoch(&mut b);
    b.write("g", "under the new key");
    b.settle();
    assert!(!c.look().planned, "Bob does not know her reading key");
    a.settle();
    c.settle();
    assert_eq!((epoch(&a), c.read("g").as_str()), (2, "under the new key"));
    // Once: nobody writes the roster in turns.
    let cloud = world.snapshot();
    for device in [&mut a, &mut b, &mut c] {
        device.start();
        device.settle();
    }
    assert_eq!(world.snapshot(), cloud);

    // Also where a device of her inviter starts the epoch by itself.
    b.change(&MemberChange::Leave).unwrap();
    a.write("h", "under the next");
    a.settle();
    c.settle();
    assert_eq!((epoch(&a), c.read("h").as_str()), (3, "under the next"));
}

#[test]
fn whom_the_inviter_has_ended_no_device_lets_in_again() {
    for is_removed in [false, true] {
        let world = World::new();
        let (mut a, mut b) = with_admin(&world);
        let mut other = world.device("other");
        invite(&mut a, 1, "carol@example.com");
        remember(&other, 1, "carol@example.com");
        world.settle(&mut [&mut a, &mut b, &mut other]);
        let mut c = come(&world, "c", &carol(), &a, 1);
        c.settle();
        if is_removed {
            // Bob knows of no invitation, and Alice's account not of its end.
            b.add(&carol(), Role::Writer).unwrap();
            b.expel(&carol()).unwrap();
        } else {
            a.change(&MemberChange::Uninvite { invitations: vec![invitation(1).0] }).unwrap();
            a.vault.guests.lock().unwrap().clear();
            // Alice's other device has not heard of it when Bob starts one more epoch.
            b.settle();
            start_epoch(&mut b);
        }
        world.settle(&mut [&mut other, &mut a, &mut b]);
        a.write("secret", "not for Carol");
        world.settle(&mut [&mut a, &mut other, &mut b]);
        assert!(!c.look().planned, "removed: {is_removed}");
        assert!(!c.tree().contains_key("secret"));
    }
}

#[test]
fn a_removed_person_does_not_come_back_by_an_invitation_that_was_left_over() {
    let world = World::new();
    let mut a = folder(&world);
    a.add(&carol(), Role::Writer).unwrap();
    invite(&mut a, 1, "carol@example.com");
    a.expel(&carol()).unwrap();
    let (id, secrets) = invitation(1);
    world.invited("c", &carol(), (a.entry.id, id, secrets)).map(drop).unwrap_err();
    // Not even where somebody has let the invitation in again, under whatever address it was.
    a.vault.guests.lock().unwrap().clear();
    invite(&mut a, 2, "c@example.org");
    let bundle = Box::new(carol().bundle().clone());
    let complete = MemberChange::Complete { invitation: invitation(2).0, bundle, role: Role::Writer };
    assert!(matches!(a.change(&complete), Err(MembersError::Former)));
    assert_eq!(member_count(&a), 1);
}

#[test]
fn an_admin_who_loses_the_role_takes_the_guests_along() {
    let world = World::new();
    let (mut a, mut b) = with_admin(&world);
    a.set_role(&bob(), Role::Writer).unwrap();
    assert_eq!(epoch(&a), 1, "nobody is invited");
    a.set_role(&bob(), Role::Admin).unwrap();
    b.settle();
    invite(&mut b, 1, "carol@example.com");
    a.settle();
    invite(&mut a, 2, "dave@example.com");
    let mut of_bob = come(&world, "of bob", &carol(), &b, 1);
    let mut of_alice = come(&world, "of alice", &carol(), &a, 2);
    world.settle(&mut [&mut a, &mut b, &mut of_bob, &mut of_alice]);
    a.set_role(&bob(), Role::Writer).unwrap();
    assert_eq!(epoch(&a), 2);
    a.write("g", "not for Bob's guest");
    world.settle(&mut [&mut a, &mut b, &mut of_alice]);
    assert!(!of_bob.look().planned, "nor does Bob's device let her in again");
    assert_eq!(
        (of_alice.read("g").as_str(), b.read("g").as_str()),
        ("not for Bob's guest", "not for Bob's guest")
    );

    // Whoever gives the role up takes them along as well.
    a.set_role(&bob(), Role::Admin).unwrap();
    b.settle();
    b.change(&MemberChange::Invite { invitations: vec![invitation(1).0] }).unwrap();
    of_bob.settle();
    b.set_role(&bob(), Role::Reader).unwrap();
    assert_eq!(epoch(&b), 3);
    assert!(!of_bob.look().planned);
    a.settle();
    of_alice.settle();
    assert!(of_alice.problems().is_empty(), "{:?}", of_alice.problems());
}
