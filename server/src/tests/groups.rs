//! Groups: who makes, reads, changes and deletes them, and what the server refuses.

use axum::http::Method;
use ensafer_core::api::hex::{HexArray, HexBytes};
use ensafer_core::api::server::{
    AccountExport, DeleteRequest, GroupReport, GroupRequest, Groups, MAX_GROUP_ADMINS, ProblemKind, Session,
};
use ensafer_core::crypto::{Random, SystemRandom};
use ensafer_core::format::roster::MAX_GROUP_OBJECT_LEN;
use ensafer_core::format::{MAGIC, PREFIX_LEN};
use ensafer_core::ids::{AccountId, GroupId};

use super::persona::{Device, Persona};
use super::world::{Answer, Home, NOW_S, Server};
use crate::config::Config;

/// A group as its owner's client makes it, but for what the server cannot see.
pub struct NewGroup {
    pub id: GroupId,
    nonce: [u8; 16],
}

impl NewGroup {
    pub fn by(owner: &Persona) -> Self {
        Self::of(owner, SystemRandom.array())
    }

    pub fn of(owner: &Persona, nonce: [u8; 16]) -> Self {
        Self { id: owner.account.identity().public().group_id(&nonce), nonce }
    }

    pub fn request(&self, version: u64, filling: u8, admins: &[&Persona]) -> GroupRequest {
        GroupRequest {
            version,
            object: HexBytes(self.object(4096, filling)),
            admins: admins.iter().map(|admin| admin.id).collect(),
            nonce: (version == 1).then_some(HexArray(self.nonce)),
        }
    }

    /// A file of the group, as it looks from outside.
    fn object(&self, len: usize, filling: u8) -> Vec<u8> {
        let mut object = vec![filling; len];
        object[..PREFIX_LEN].fill(0);
        object[..8].copy_from_slice(&MAGIC);
        object[8..12].copy_from_slice(&[0, 1, 0, 1]);
        (object[15], object[18], object[23]) = (2, 1, 1);
        object[24..40].copy_from_slice(self.id.as_bytes());
        object
    }

    pub fn path(&self) -> String {
        format!("/v1/groups/{}", self.id)
    }
}

async fn put(server: &Server, session: &Session, group: &NewGroup, request: &GroupRequest) -> Answer {
    server.put(&group.path(), session, request).await
}

async fn read(server: &Server, session: &Session, group: &NewGroup) -> Answer {
    server.get(&group.path(), session).await
}

async fn delete(server: &Server, session: &Session, group: &NewGroup) -> Answer {
    server.call(Method::DELETE, &group.path()).session(session).send().await
}

async fn list(server: &Server, session: &Session) -> Groups {
    server.get("/v1/groups", session).await.json()
}

/// Somebody else, with a session.
async fn other(server: &Server, login: &str) -> (Persona, Session) {
    let other = Persona::other(login);
    server.register(&other).await;
    let session = server.login(&other, &Device::new("phone")).await;
    (other, session)
}

#[tokio::test]
async fn a_group_is_made_read_changed_and_deleted() {
    let home = Home::new().await;
    let (server, group) = (&home.server, NewGroup::by(&home.alice));
    read(server, &home.session, &group).await.refuses(ProblemKind::GroupUnknown);
    put(server, &home.session, &group, &group.request(1, 1, &[])).await.expect(204);
    let (bob, session) = other(server, "bob@example.com").await;
    let report: GroupReport = read(server, &session, &group).await.json();
    assert_eq!((report.version, report.object), (1, group.request(1, 1, &[]).object));

    home.world.clock.advance(60);
    put(server, &home.session, &group, &group.request(2, 2, &[&bob])).await.expect(204);
    let report: GroupReport = read(server, &home.session, &group).await.json();
    assert_eq!((report.version, report.object), (2, group.request(2, 2, &[]).object));
    let found = list(server, &home.session).await.groups.remove(0);
    assert_eq!((found.id, found.version, found.admins), (group.id, 2, vec![bob.id]));
    assert_eq!((found.created_at_s, found.changed_at_s), (NOW_S, NOW_S + 60));
    assert!(list(server, &session).await.groups.is_empty(), "it is not Bob's");

    let export: AccountExport = server.get("/v1/account/export", &home.session).await.json();
    assert_eq!((export.groups[0].id, export.administered_groups.len()), (group.id, 0));
    let export: AccountExport = server.get("/v1/account/export", &session).await.json();
    assert_eq!((export.groups.len(), export.administered_groups), (0, vec![group.id]));

    delete(server, &session, &group).await.refuses(ProblemKind::GroupUnknown);
    delete(server, &home.session, &group).await.expect(204);
    delete(server, &home.session, &group).await.refuses(ProblemKind::GroupUnknown);
    read(server, &home.session, &group).await.refuses(ProblemKind::GroupUnknown);
}

#[tokio::test]
async fn only_its_maker_and_its_admins_change_a_group_one_after_the_other() {
    let home = Home::new().await;
    let (server, group) = (&home.server, NewGroup::by(&home.alice));
    let (bob, of_bob) = other(server, "bob@example.com").await;
    let (carol, of_carol) = other(server, "carol@example.com").await;
    put(server, &home.session, &group, &group.request(1, 1, &[&bob])).await.expect(204);
    put(server, &of_carol, &group, &group.request(2, 2, &[&carol])).await.refuses(ProblemKind::GroupUnknown);
    put(server, &of_bob, &group, &group.request(2, 2, &[&bob])).await.expect(204);
    for (session, version) in [(&home.session, 1), (&home.session, 2), (&of_bob, 2), (&of_bob, 4)] {
        let answer = put(server, session, &group, &group.request(version, 3, &[])).await;
        answer.refuses(ProblemKind::VersionConflict);
        assert_eq!(answer.problem().current_version, Some(2));
    }
    // Who is not named any more is an admin no more; the maker always may.
    put(server, &home.session, &group, &group.request(3, 3, &[])).await.expect(204);
    put(server, &of_bob, &group, &group.request(4, 4, &[&bob])).await.refuses(ProblemKind::GroupUnknown);
    let report: GroupReport = read(server, &of_bob, &group).await.json();
    assert_eq!(report.version, 3);
}

/// Whoever knows a group's id, from a folder, cannot keep its owner from using it.
#[tokio::test]
async fn nobody_makes_a_group_under_anothers_id() {
    let home = Home::new().await;
    let (server, group) = (&home.server, NewGroup::by(&home.alice));
    let (_, session) = other(server, "bob@example.com").await;
    put(server, &session, &group, &group.request(1, 1, &[])).await.refuses(ProblemKind::ValueRefused);
    put(server, &session, &group, &group.request(2, 1, &[])).await.refuses(ProblemKind::GroupUnknown);
    put(server, &home.session, &group, &group.request(1, 1, &[])).await.expect(204);
    let answer = put(server, &home.session, &group, &group.request(1, 2, &[])).await;
    answer.refuses(ProblemKind::VersionConflict);
}

#[tokio::test]
async fn what_is_no_file_of_the_group_is_refused() {
    let home = Home::new().await;
    let (server, group) = (&home.server, NewGroup::by(&home.alice));
    let right = group.request(1, 1, &[]);
    let with = |object: Vec<u8>| GroupRequest { object: HexBytes(object), ..right.clone() };
    let mut no_roster = group.object(4096, 1);
    no_roster[23] = 0;
    let of_another = NewGroup::by(&home.alice).object(4096, 1);
    for wrong in [Vec::new(), vec![1; 4096], no_roster, of_another, group.object(MAX_GROUP_OBJECT_LEN + 1, 1)]
    {
        put(server, &home.session, &group, &with(wrong)).await.refuses(ProblemKind::BlobRefused);
    }
    let admins = vec![AccountId::new([7; 16]); MAX_GROUP_ADMINS + 1];
    for wrong in [
        GroupRequest { admins, ..right.clone() },
        GroupRequest { version: 0, ..right.clone() },
        GroupRequest { version: u64::MAX, nonce: None, ..right.clone() },
        GroupRequest { version: 2, ..right.clone() },
        GroupRequest { nonce: None, ..right.clone() },
        GroupRequest { nonce: Some(HexArray([0; 16])), ..right.clone() },
    ] {
        put(server, &home.session, &group, &wrong).await.refuses(ProblemKind::ValueRefused);
    }
    // The largest fits; admins whom the server does not know, and doubles, are left out.
    let admins = vec![AccountId::new([7; 16]), home.alice.id, home.alice.id];
    let largest = GroupRequest { admins, ..with(group.object(MAX_GROUP_OBJECT_LEN, 1)) };
    put(server, &home.session, &group, &largest).await.expect(204);
    assert_eq!(list(server, &home.session).await.groups[0].admins, [home.alice.id]);
}

#[tokio::test]
async fn groups_have_their_number_and_their_makers_lifetime() {
    let mut config = Config::default();
    config.limits.groups = 2;
    let home = Home::with(config).await;
    let server = &home.server;
    let groups: Vec<_> = (0..3).map(|n| NewGroup::of(&home.alice, [n; 16])).collect();
    for group in &groups[..2] {
        put(server, &home.session, group, &group.request(1, 1, &[])).await.expect(204);
    }
    put(server, &home.session, &groups[2], &groups[2].request(1, 1, &[]))
        .await
        .refuses(ProblemKind::GroupsFull);
    // One that is there is told as such, and changed, all the same.
    put(server, &home.session, &groups[0], &groups[0].request(1, 1, &[]))
        .await
        .refuses(ProblemKind::VersionConflict);
    let (bob, session) = other(server, "bob@example.com").await;
    put(server, &home.session, &groups[0], &groups[0].request(2, 1, &[&bob])).await.expect(204);
    delete(server, &home.session, &groups[1]).await.expect(204);
    put(server, &home.session, &groups[2], &groups[2].request(1, 1, &[])).await.expect(204);

    // An admin whose account is gone takes nothing along; the maker's groups go with the maker.
    let gone = DeleteRequest { current: bob.credential() };
    server.call(Method::POST, "/v1/account/delete").session(&session).json(&gone).send().await.expect(204);
    assert!(list(server, &home.session).await.groups.iter().all(|group| group.admins.is_empty()));
    let (_, carol) = other(server, "carol@example.com").await;
    read(server, &carol, &groups[0]).await.expect(200);
    let gone = DeleteRequest { current: home.alice.credential() };
    server
        .call(Method::POST, "/v1/account/delete")
        .session(&home.session)
        .json(&gone)
        .send()
        .await
        .expect(204);
    read(server, &carol, &groups[0]).await.refuses(ProblemKind::GroupUnknown);
}

#[tokio::test]
async fn looking_groups_up_is_limited() {
    let mut config = Config::default();
    config.limits.lookups_per_account_per_minute = 3;
    let home = Home::with(config).await;
    let (server, group) = (&home.server, NewGroup::by(&home.alice));
    for _ in 0..3 {
        read(server, &home.session, &group).await.refuses(ProblemKind::GroupUnknown);
    }
    read(server, &home.session, &group).await.refuses(ProblemKind::TooManyRequests);
}
