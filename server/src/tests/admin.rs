//! The administrator's side of the database.

use ensafer_core::api::server::AccountReport;

use super::persona::{Device, Persona, state};
use super::world::{Home, World};
use crate::config::Config;
use crate::db::{Db, DbError, Pruned};

#[tokio::test]
async fn users_are_listed_with_their_devices() {
    let home = Home::new().await;
    home.world.clock.advance(7);
    home.server.login(&home.alice, &Device::new("phone")).await;
    home.server.register(&Persona::other("bob@example.com")).await;
    let users = home.server.state.db.users().await.unwrap();
    let rows: Vec<_> = users.iter().map(|u| (u.login.as_str(), u.device_count, u.seen_at_s)).collect();
    assert_eq!(rows, [("alice@example.com", 2, Some(1_900_000_007)), ("bob@example.com", 0, None)]);
    assert_eq!((users[0].status.as_str(), users[0].display_name.as_deref()), ("active", Some("Alice")));
    assert_eq!(users[0].account, home.alice.id.to_string());
    let nobody = home.server.state.db.set_disabled(&"nobody".parse().unwrap(), true).await.unwrap();
    assert_eq!(nobody, None);
}

#[tokio::test]
async fn what_is_of_no_use_is_pruned_and_nothing_else() {
    let home = Home::new().await;
    let db = &home.server.state.db;
    home.server.guess(&home.alice, &Device::new("new"), [9; 32], super::world::HOME).await;
    let now_s = 1_900_000_000;
    assert_eq!(db.prune(now_s).await.unwrap(), Pruned::default());
    let pruned = db.prune(now_s + 86_400).await.unwrap();
    assert_eq!((pruned.logins, pruned.accounts, pruned.devices), (1, 0, 0));
    assert!(pruned.failures >= 3);
    home.server.get("/v1/account", &home.session).await.expect(200);
    assert_eq!(db.prune(now_s + 200 * 86_400).await.unwrap().devices, 1);
    assert_eq!(db.users().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_backup_is_a_whole_database_that_others_cannot_read() {
    let home = Home::new().await;
    home.server.put("/v1/account/state", &home.session, &state(1, 1)).await.expect(204);
    let copy = home.world.directory.path().join("copy of server.db");
    let db = &home.server.state.db;
    if !db.is_sqlite() {
        assert!(matches!(db.backup(&copy).await, Err(DbError::BackupByPgDump)));
        return;
    }
    db.backup(&copy).await.unwrap();
    assert!(matches!(db.backup(&copy).await, Err(DbError::Create { .. })));
    #[cfg(unix)]
    for file in [&copy, &home.world.directory.path().join("server.db")] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    home.server.put("/v1/account/state", &home.session, &state(2, 2)).await.expect(204);
    let restored = Db::connect(&format!("sqlite://{}", copy.display())).await.unwrap();
    let account = crate::db::accounts::stored(restored.reader(), home.alice.id).await.unwrap().unwrap();
    let report: AccountReport = account.report();
    assert_eq!(report.account.state.unwrap().version, 1);
}

#[tokio::test]
async fn only_urls_of_databases_are_opened() {
    for url in ["", "server.db", "mysql://localhost/x", "sqlite:server.db"] {
        assert!(matches!(Db::connect(url).await, Err(DbError::Url)), "{url}");
    }
    let missing = Db::connect("sqlite:///nonexistent/directory/server.db").await;
    assert!(matches!(missing, Err(DbError::Create { .. })));
}

#[tokio::test]
async fn opening_what_is_not_there_makes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("server.db");
    let error = Db::open(&format!("sqlite://{}", path.display())).await.unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_start_on_one_empty_database() {
    let world = World::new().await;
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let url = world.url.clone();
        starts.spawn(async move { Db::connect(&url).await });
    }
    for db in starts.join_all().await {
        db.unwrap().ping().await.unwrap();
    }
    world.start(Config::default()).await;
}
