//! Several people in one folder: added, joining, changing roles, removed, added again; rosters that meet.

use std::fs;
use std::sync::Arc;

use ensafer_client::exit::Exit;
use ensafer_core::clock::{Clock, Dot};
use ensafer_core::crypto::{SystemRandom, VerifyingKey};
use ensafer_core::format::roster::{Role, RosterStatement, seal_roster_object};
use ensafer_core::format::{Access, open_header};
use ensafer_core::plan::ProblemClass;
use ensafer_core::time::Timestamp;
use ensafer_core::tree::Object;

use super::accounts::{alice, bob, carol};
use super::faults::{Op, Watcher, watched};
use super::world::{Device, EVIL, TEN_MINUTES, World};
use crate::engine::{EngineError, MemberChange, MembersError};
use crate::exit::of;
use crate::folder_keys::OpenFolder;
use crate::store::StoreError;

/// Alice's folder with Bob as a writer, each on one device.
fn shared(world: &World) -> (Device, Device) {
    let mut a = world.device("a");
    a.write("plans/x", "in a directory");
    a.write("old", "older than Bob");
    a.settle();
    a.add(&bob(), Role::Writer).unwrap();
    (a, world.guest("b", &bob()))
}

fn epoch(device: &Device) -> u32 {
    device.keys().roster().state().epoch
}

fn logins(device: &Device) -> Vec<String> {
    let keys = device.keys();
    let members = &keys.roster().state().members;
    let mut logins: Vec<_> = members.iter().map(|m| m.bundle.bundle().login.to_string()).collect();
    logins.sort();
    logins
}

#[test]
fn whoever_is_added_reads_older_files_and_both_write() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("old", "older than Bob");
    a.settle();
    let before = world.snapshot();
    a.add(&bob(), Role::Writer).unwrap();
    let changed: Vec<_> =
        world.snapshot().into_iter().filter(|(name, bytes)| before.get(name) != Some(bytes)).collect();
    assert_eq!(changed.iter().map(|(name, _)| name).collect::<Vec<_>>(), [&a.roster_key()], "one object");
    let mut b = world.guest("b", &bob());
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(b.read("old"), "older than Bob");
    b.write("new", "by Bob");
    b.write("old", "edited by Bob");
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!((a.read("new").as_str(), a.read("old").as_str()), ("by Bob", "edited by Bob"));
    assert!(a.problems().is_empty() && b.problems().is_empty());
    assert_eq!(a.base_of("new").object.author, "bob, b".into());
}

#[test]
fn a_folder_is_joined_only_where_something_vouches_for_its_owner() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    let cloud = world.cloud();
    let stranger =
        world.join("stranger", &bob(), &cloud, |vault| vault.meet(&alice())).map(drop).unwrap_err();
    assert_eq!(of(&stranger), Exit::NotARecipient, "{stranger:#}");
    a.add(&bob(), Role::Writer).unwrap();
    let unmet = world.join("unmet", &bob(), &cloud, |vault| vault.meet(&carol())).map(drop).unwrap_err();
    assert_eq!(of(&unmet), Exit::NotARecipient, "{unmet:#}");
    let remedy = crate::exit::remedy(&unmet).unwrap();
    assert!(remedy.contains("--from alice@example.com"), "{remedy}");
    assert!(!world.path().join("unmet/work/.ensafer/folder").exists(), "nothing was joined");
    let mut b = world.guest("b", &bob());
    b.settle();
    assert_eq!(b.read("f"), "text");
}

#[test]
fn only_admins_change_members_and_the_owner_stays() {
    let world = World::new();
    let (mut a, mut b) = shared(&world);
    assert!(matches!(b.add(&carol(), Role::Reader), Err(MembersError::NotAllowed)));
    assert!(matches!(b.expel(&alice()), Err(MembersError::NotAllowed)));
    assert!(matches!(a.expel(&carol()), Err(MembersError::NoMember)));
    assert!(matches!(a.add(&bob(), Role::Reader), Err(MembersError::AlreadyMember)));
    a.set_role(&bob(), Role::Admin).unwrap();
    assert!(matches!(b.expel(&alice()), Err(MembersError::Owner)));
    assert!(matches!(a.change(&MemberChange::Leave), Err(MembersError::Owner)));
    b.add(&carol(), Role::Writer).unwrap();
    let mut c = world.guest("c", &carol());
    c.write("by carol", "text");
    world.settle(&mut [&mut a, &mut b, &mut c]);
    assert_eq!(a.read("by carol"), "text");
    assert_eq!(logins(&a), ["alice@example.com", "bob@example.com", "carol@example.com"]);
}

#[test]
fn row_20_whoever_is_removed_opens_nothing_new_and_keeps_what_they_had() {
    let world = World::new();
    let (mut a, mut b) = shared(&world);
    b.write("by bob", "written in time");
    world.settle(&mut [&mut a, &mut b]);
    let before = world.snapshot();
    let (name, old_roster) = (a.roster_key(), before[&a.roster_key()].clone());
    a.expel(&bob()).unwrap();
    assert_eq!(epoch(&a), 2);
    let written =
        world.snapshot().into_iter().filter(|(name, bytes)| before.get(name) != Some(bytes)).count();
    assert_eq!(written, 2, "the roster and the manifest");
    a.write("secret", "not for Bob");
    a.settle();
    let published = fs::read(a.ciphertext("secret")).unwrap();

    let step = b.look();
    assert!(!step.planned);
    assert_eq!(b.problems().get(&name), Some(&ProblemClass::NotAMember));
    assert_eq!((b.read("by bob").as_str(), b.tree().contains_key("secret")), ("written in time", false));
    // With every key that Bob ever had, and the older roster in the newer one's place.
    fs::write(world.cloud().join(&name), &old_roster).unwrap();
    let keys = b.keys();
    assert!(open_header(&published, &keys.source()).is_err());
    let after = fs::read(world.cloud().join(&name)).unwrap();
    assert_eq!(after, old_roster);
    a.look();
    assert!(a.problems().get(&name) == Some(&ProblemClass::RolledBack), "and Alice's device puts it back");

    // What he wrote in time still counts, for a device too that never saw it before.
    let mut fresh = world.device("fresh");
    world.settle(&mut [&mut a, &mut fresh]);
    assert_eq!(
        (fresh.read("by bob").as_str(), fresh.read("secret").as_str()),
        ("written in time", "not for Bob")
    );
    assert!(a.problems().is_empty() && fresh.problems().is_empty(), "{:?}", fresh.problems());
    // And Bob is shut out for good, and may come back.
    assert!(!b.look().planned);
    a.add(&bob(), Role::Writer).unwrap();
    b.write("back", "by Bob again");
    world.settle(&mut [&mut a, &mut b, &mut fresh]);
    assert_eq!((b.read("secret").as_str(), fresh.read("back").as_str()), ("not for Bob", "by Bob again"));
    assert!(b.problems().is_empty());
}

#[test]
fn what_a_removed_member_signs_later_is_quarantined() {
    let world = World::new();
    let (mut a, mut b) = shared(&world);
    b.write("by bob", "written in time");
    world.settle(&mut [&mut a, &mut b]);
    let old_roster = fs::read(world.cloud().join(a.roster_key())).unwrap();
    a.expel(&bob()).unwrap();
    let new_roster = fs::read(world.cloud().join(a.roster_key())).unwrap();
    // Bob's device has not heard of it, and goes on under the old roster.
    fs::write(world.cloud().join(a.roster_key()), old_roster).unwrap();
    b.write("by bob", "written too late");
    b.write("late", "a new file");
    b.settle();
    fs::write(world.cloud().join(a.roster_key()), new_roster).unwrap();
    let mut fresh = world.device("fresh");
    for device in [&mut a, &mut fresh] {
        device.settle();
        let problems = device.problems();
        assert_eq!(problems.get(&b.key_of("late")), Some(&ProblemClass::FormerMember), "{problems:?}");
        assert_eq!(problems.get(&b.key_of("by bob")), Some(&ProblemClass::FormerMember), "{problems:?}");
        assert!(!device.tree().contains_key("late"));
    }
    assert_eq!(a.read("by bob"), "written in time", "what Alice had stays");
    assert!(!b.look().planned);
    // It keeps nobody from going on with the file.
    a.write("by bob", "edited by Alice");
    world.settle(&mut [&mut a, &mut fresh]);
    assert_eq!(fresh.read("by bob"), "edited by Alice");
    assert!(!a.problems().contains_key(&b.key_of("by bob")), "{:?}", a.problems());
}

#[test]
fn rule_19_a_manifest_that_is_lost_or_damaged_is_put_back() {
    let world = World::new();
    let (mut a, mut b) = shared(&world);
    b.write("by bob", "in time");
    world.settle(&mut [&mut a, &mut b]);
    let before = world.names();
    a.expel(&bob()).unwrap();
    a.settle();
    let is_new = |name: &&String| !before.contains(name);
    let name = world.names().iter().find(is_new).unwrap().clone();
    let path = world.cloud().join(&name);
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    let end = bad.len() - 1;
    bad[end] ^= 1;
    for (written, class) in [(None, ProblemClass::Missing), (Some(bad), ProblemClass::StillArriving)] {
        match &written {
            None => fs::remove_file(&path).unwrap(),
            Some(bad) => fs::write(&path, bad).unwrap(),
        }
        // After a start, too.
        a.start();
        a.settle();
        assert_eq!(a.problems().get(&name), Some(&class));
        assert_eq!(fs::read(&path).ok(), written, "it may still arrive");
        world.clock.advance(TEN_MINUTES);
        a.look();
        assert_eq!(fs::read(&path).unwrap(), good);
        a.settle();
        assert!(a.problems().is_empty(), "{:?}", a.problems());
    }
    let mut fresh = world.device("fresh");
    fresh.settle();
    assert_eq!(fresh.read("by bob"), "in time");
}

#[test]
fn a_manifest_that_comes_late_brings_what_it_lists() {
    let world = World::new();
    let (mut a, mut b) = shared(&world);
    b.write("by bob", "written in time");
    world.settle(&mut [&mut a, &mut b]);
    let before = world.names();
    a.expel(&bob()).unwrap();
    let manifest = world.names().into_iter().find(|name| !before.contains(name)).unwrap();
    let bytes = fs::read(world.cloud().join(&manifest)).unwrap();
    fs::remove_file(world.cloud().join(&manifest)).unwrap();
    let mut fresh = world.device("fresh");
    fresh.settle();
    assert_eq!(fresh.problems().get(&b.key_of("by bob")), Some(&ProblemClass::UnknownSigner));
    fs::write(world.cloud().join(&manifest), &bytes).unwrap();
    world.settle(&mut [&mut a, &mut fresh]);
    assert_eq!(fresh.read("by bob"), "written in time");
    assert!(fresh.problems().is_empty(), "{:?}", fresh.problems());
    fresh.start();
    fresh.settle();
    assert!(fresh.problems().is_empty(), "a manifest is no file of the folder, after a restart neither");
}

#[test]
fn whoever_leaves_is_gone_and_an_admins_device_starts_a_new_epoch() {
    let world = World::new();
    let (mut a, mut b) = shared(&world);
    b.write("by bob", "written in time");
    world.settle(&mut [&mut a, &mut b]);
    b.change(&MemberChange::Leave).unwrap();
    assert!(!b.look().planned);
    assert_eq!(b.read("by bob"), "written in time");
    assert_eq!(epoch(&a), 1);
    a.settle();
    assert_eq!((epoch(&a), logins(&a)), (2, vec!["alice@example.com".to_owned()]));
    let mut fresh = world.device("fresh");
    world.settle(&mut [&mut a, &mut fresh]);
    assert_eq!(fresh.read("by bob"), "written in time");
    assert!(a.problems().is_empty() && fresh.problems().is_empty());
}

#[test]
fn whoever_is_no_member_hears_so_at_once_and_each_time() {
    let world = World::new();
    let (mut a, mut b) = shared(&world);
    world.settle(&mut [&mut a, &mut b]);
    b.change(&MemberChange::Leave).unwrap();
    for _ in 0..2 {
        // Nobody has looked since.
        assert_eq!(b.problems().get(&b.roster_key()), Some(&ProblemClass::NotAMember));
        assert!(matches!(b.change(&MemberChange::Leave), Err(MembersError::NotAMember)));
        b.start();
    }
    // Under a new key, which he cannot open, it is the same.
    a.settle();
    assert!(matches!(b.change(&MemberChange::Leave), Err(MembersError::NotAMember)));
    a.add(&bob(), Role::Writer).unwrap();
    b.settle();
    assert!(b.problems().is_empty(), "{:?}", b.problems());
}

#[test]
fn the_wish_to_encrypt_anew_ends_with_the_right_to_write() {
    let world = World::new();
    let (mut a, mut b) = shared(&world);
    world.settle(&mut [&mut a, &mut b]);
    b.reencrypt().unwrap();
    a.expel(&bob()).unwrap();
    assert_eq!(b.folder().reencryption_left(), Some(0));
    b.look();
    assert_eq!(b.folder().reencryption_left(), None);
    a.add(&bob(), Role::Writer).unwrap();
    b.settle();
    b.reencrypt().unwrap();
    // Also where something else holds the folder up.
    fs::remove_dir_all(b.path(".ensafer")).unwrap();
    a.set_role(&bob(), Role::Reader).unwrap();
    assert!(b.look().brake.is_some());
    assert_eq!(b.folder().reencryption_left(), None);
}

/// A disk on which nothing has room.
struct Full;

impl Watcher for Full {
    fn before(&self, _: &Op) {}
    fn is_full(&self) -> bool {
        true
    }
}

#[test]
fn a_full_disk_is_not_somebody_else_who_changes_members() {
    let world = World::new();
    let mut a = world.device("a");
    a.settle();
    a.start_with(watched(Arc::new(Full)));
    let refused = a.add(&bob(), Role::Writer).unwrap_err();
    let is_full = matches!(&refused, MembersError::Engine(EngineError::Store(StoreError::DiskFull { .. })));
    assert!(is_full, "{refused:?}");
}

#[test]
fn a_new_members_files_that_come_before_the_roster_count_when_it_comes() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    let mut other = world.device("other");
    other.settle();
    let old = fs::read(world.cloud().join(a.roster_key())).unwrap();
    a.add(&bob(), Role::Writer).unwrap();
    let mut b = world.guest("b", &bob());
    b.write("by bob", "text");
    b.settle();
    let new = fs::read(world.cloud().join(a.roster_key())).unwrap();
    fs::write(world.cloud().join(a.roster_key()), old).unwrap();
    other.settle();
    assert_eq!(other.problems().get(&b.key_of("by bob")), Some(&ProblemClass::UnknownSigner));
    fs::write(world.cloud().join(a.roster_key()), new).unwrap();
    other.settle();
    assert_eq!(other.read("by bob"), "text");
    assert!(other.problems().is_empty());
}

/// Two of Alice's devices that add one person each, without knowing of each other. The cloud has the first one's
/// roster then; returned is the second's.
fn forked(world: &World, a: &mut Device, other: &mut Device) -> Vec<u8> {
    let path = world.cloud().join(a.roster_key());
    let base = fs::read(&path).unwrap();
    other.add(&carol(), Role::Reader).unwrap();
    let theirs = fs::read(&path).unwrap();
    fs::write(&path, &base).unwrap();
    a.add(&bob(), Role::Writer).unwrap();
    theirs
}

#[test]
fn two_rosters_that_grew_apart_are_merged() {
    let everybody = ["alice@example.com", "bob@example.com", "carol@example.com"];
    // A client that carries both to a third computer makes a copy there as well, a second later.
    for made in [&[][..], &["101010-ABCDEFG"], &["101010-ABCDEFG", "101011-ABCDEFG"]] {
        let world = World::new();
        let (mut a, mut other) = (world.device("a"), world.device("other"));
        world.settle(&mut [&mut a, &mut other]);
        let theirs = forked(&world, &mut a, &mut other);
        let name = a.roster_key();
        let copies: Vec<_> = made
            .iter()
            .map(|made| name.replace(".ensafer", &format!(".sync-conflict-20261122-{made}.ensafer")))
            .map(|copy| world.cloud().join(copy))
            .collect();
        let written = if copies.is_empty() { &[world.cloud().join(name)][..] } else { &copies };
        written.iter().for_each(|path| fs::write(path, &theirs).unwrap());
        world.settle(&mut [&mut a, &mut other]);
        assert_eq!(logins(&a), everybody);
        assert!(!copies.iter().any(|copy| copy.exists()));
        let (mut b, mut c) = (world.guest("b", &bob()), world.guest("c", &carol()));
        a.write("f", "text");
        world.settle(&mut [&mut a, &mut other, &mut b, &mut c]);
        assert_eq!((b.read("f").as_str(), c.read("f").as_str()), ("text", "text"));
        for device in [&a, &other, &b, &c] {
            assert!(device.problems().is_empty(), "{:?}", device.problems());
        }
    }
}

/// Two devices mend it at the same moment, each with an envelope of its own, and the cloud keeps one of the files.
#[test]
fn two_devices_that_write_the_same_roster_do_not_go_on_for_ever() {
    let world = World::new();
    let (mut a, mut b) = shared(&world);
    let mut other = world.device("other");
    world.settle(&mut [&mut a, &mut b, &mut other]);
    let path = world.cloud().join(a.roster_key());
    let robbed = robbed(&b.keys(), &alice().identity().public());
    fs::write(&path, &robbed).unwrap();
    a.look();
    let by_a = fs::read(&path).unwrap();
    fs::write(&path, &robbed).unwrap();
    other.look();
    assert_ne!(fs::read(&path).unwrap(), by_a);
    fs::write(&path, &by_a).unwrap();
    for _ in 0..3 {
        for device in [&mut other, &mut a, &mut b] {
            device.look();
            assert_eq!(fs::read(&path).unwrap(), by_a);
        }
    }
    assert!([&a, &b, &other].iter().all(|device| device.problems().is_empty()), "{:?}", other.problems());
}

#[test]
fn row_18_a_roster_without_a_members_envelope_is_mended() {
    let world = World::new();
    let (mut a, mut b) = shared(&world);
    world.settle(&mut [&mut a, &mut b]);
    let path = world.cloud().join(a.roster_key());
    // By a member, who has the key; the entries are as they were.
    fs::write(&path, robbed(&b.keys(), &alice().identity().public())).unwrap();
    a.look();
    assert_eq!(a.problems().get(&a.roster_key()), Some(&ProblemClass::Inconsistent));
    world.settle(&mut [&mut a, &mut b]);
    assert!(a.problems().is_empty());
    let mut fresh = world.device("fresh");
    fresh.settle();
    assert_eq!(fresh.read("old"), "older than Bob");
}

/// The roster with the entries that it has, and no envelope for `member`.
fn robbed(keys: &OpenFolder, member: &VerifyingKey) -> Vec<u8> {
    let roster = keys.roster();
    let whole = roster.member_envelopes(None).unwrap();
    let without = |dropped: usize| {
        let kept = whole.envelopes().enumerate().filter(|(at, _)| *at != dropped).map(|(_, e)| e);
        Access::build(kept).unwrap()
    };
    let envelope = &roster.state().member(member).unwrap().bundle.bundle().envelope;
    let is_robbed = |access: &Access| roster.without_envelope(access).any(|found| found == envelope);
    let access = (0..whole.envelopes().count()).map(without).find(is_robbed).unwrap();
    let dot = Dot { counter: 1_000_000, device: EVIL };
    let now = Timestamp::from_parts(1_700_000_000, 0);
    let clock = Clock::new().with(dot);
    let device_name = "evil".into();
    let fields = RosterStatement { device: EVIL, device_name, clock, dot, modified: now, created: now };
    seal_roster_object(roster, &access, fields, keys.signer(), &mut SystemRandom).unwrap().bytes
}

#[test]
fn admins_who_remove_each_other_stop_the_folder_until_its_owner_decides() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    a.add(&bob(), Role::Admin).unwrap();
    a.add(&carol(), Role::Admin).unwrap();
    let (mut b, mut c) = (world.guest("b", &bob()), world.guest("c", &carol()));
    // What each has written is listed by the other's removal.
    b.write("by bob", "text");
    c.write("by carol", "text");
    world.settle(&mut [&mut a, &mut b, &mut c]);
    let path = world.cloud().join(a.roster_key());
    let base = fs::read(&path).unwrap();
    b.expel(&carol()).unwrap();
    let of_bob = fs::read(&path).unwrap();
    fs::write(&path, &base).unwrap();
    c.expel(&bob()).unwrap();
    // Alice, whom neither removed, sees both.
    a.look();
    fs::write(&path, &of_bob).unwrap();
    let step = a.look();
    assert!(!step.planned);
    let step = a.look();
    assert!(!step.planned);
    assert_eq!(a.problems().get(&a.roster_key()), Some(&ProblemClass::Disputed));
    a.write("g", "written in the meantime");
    assert!(!a.look().planned, "nothing is published");
    a.expel(&carol()).unwrap();
    a.settle();
    assert!(a.problems().is_empty(), "{:?}", a.problems());
    assert_eq!(logins(&a), ["alice@example.com", "bob@example.com"]);
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(b.read("g"), "written in the meantime");
    assert!(!c.look().planned);
}

#[test]
fn everything_is_encrypted_anew_by_a_wish_that_outlives_a_restart() {
    let world = World::new();
    let (mut a, mut b) = shared(&world);
    b.write("by bob", "written in time");
    b.write("empty/deleted", "soon gone");
    world.settle(&mut [&mut a, &mut b]);
    b.remove("empty/deleted");
    world.settle(&mut [&mut a, &mut b]);
    world.clock.advance(TEN_MINUTES);
    world.settle(&mut [&mut a, &mut b]);
    let bobs = b.keys();
    let opens = |keys: &OpenFolder| {
        let opens = |bytes: &Vec<u8>| open_header(bytes, &keys.source()).is_ok_and(|h| !h.prefix.roster);
        world.snapshot().values().filter(|bytes| opens(bytes)).count()
    };
    let mut fresh = world.device("fresh");
    fresh.settle();
    a.expel(&bob()).unwrap();
    world.settle(&mut [&mut a, &mut fresh]);
    assert_eq!(
        opens(&bobs),
        7,
        "what was encrypted until now: plans, x, old, by bob, empty, deleted, and the manifest"
    );
    let before = (a.tree(), fresh.tree(), a.base().clone());
    a.reencrypt().unwrap();
    a.start();
    assert_eq!(a.settle().published, 6);
    assert_eq!(opens(&bobs), 1, "the manifest, of what he wrote himself");
    assert_eq!(fresh.settle().applied, 0);
    assert_eq!((a.tree(), fresh.tree()), (before.0, before.1));
    assert_eq!(a.base().entries.len(), before.2.entries.len());
    for (id, entry) in &a.base().entries {
        let was = &before.2.entries[id];
        let by_alice = Object { author: "alice, a".into(), ..Object::clone(&was.object) };
        assert_eq!((&*entry.object, entry.work), (&by_alice, was.work), "as whoever reads it takes it");
    }
    assert_eq!(a.settle().published, 0, "once");
    for device in [&mut a, &mut fresh] {
        device.start();
        assert_eq!(device.step().committed + device.look().published, 0);
        assert!(device.problems().is_empty());
    }
}
