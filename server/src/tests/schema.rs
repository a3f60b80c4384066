//! Databases of older servers go on. `testdata/schema-N` has one of each schema that was ever released.

use std::path::{Path, PathBuf};
use std::process::Command;

use ensafer_core::account::SealedAccount;
use ensafer_core::api::hex::SecretHex;
use ensafer_core::api::server::{
    AccountDocument, AccountReport, Devices, KeyHistory, KeysRequest, Session, StateDocument,
};
use ensafer_core::crypto::{PasswordParameters, ServerSecret, SystemRandom, TestRandom};
use sqlx::Row;

use super::groups::NewGroup;
use super::invitations::{Invitation, make};
use super::persona::{Device, Persona, REALM};
use super::world::{ELSEWHERE, NOW_S, Server, World, new_database};
use crate::codes::Code;
use crate::config::Config;
use crate::db::{Db, DbError, PRUNE};
use crate::registration::{keep_code, use_code};
use crate::secret::check_value;

const OLD_LOGIN: &str = "test-only-alice@example.com";
const LOGIN: &str = "test-only-alice@example.org";
const PASSWORD: &str = "test only: correct horse battery staple";
const STATE: &[u8] = b"a state";
/// An address that waits for its code.
const NEXT_LOGIN: &str = "test-only-alice@example.net";
const CODE: &str = "TEST0N1Y";
/// Where `makes_a_sample` leaves it.
const MADE_IN: &str = "ENSAFER_MAKE_SCHEMA_SAMPLE";

/// The device that the samples know: the same id and key every time.
fn laptop() -> Device {
    Device::of("laptop", &mut TestRandom::new(1))
}

/// Makes the next sample's `server.db`, `server.secret` and `refresh-token`; `testdata/README.md` says how to go on.
#[tokio::test]
#[ignore = "makes a sample for later tests, in the directory that ENSAFER_MAKE_SCHEMA_SAMPLE names"]
async fn makes_a_sample() {
    let to = std::env::var_os(MADE_IN).expect("a directory is named");
    let to = Path::new(&to);
    let world = World::new().await;
    let server = world.start(Config::default()).await;
    let (alice, mut sealed) = Persona::frozen();
    let alice = alice.moved(&mut sealed, OLD_LOGIN, PASSWORD);
    server.register(&alice).await;
    let laptop = laptop();
    let session = server.login(&alice, &laptop).await;

    world.clock.advance(60);
    let old = alice.credential();
    let alice = alice.moved(&mut sealed, LOGIN, PASSWORD);
    sealed.set_state(&alice.account, STATE, &mut SystemRandom).unwrap();
    let AccountDocument { bundle, keys, password, .. } = alice.document.clone();
    let password_auth = SecretHex(alice.password_auth);
    let request = KeysRequest { current: old, bundle, keys, password, password_auth, code: None };
    server.put("/v1/account/keys", &session, &request).await.expect(204);
    let state = sealed.state_document().unwrap();
    server.put("/v1/account/state", &session, &state).await.expect(204);
    let refresh = laptop.refresh(&alice, &session, 1);
    let session: Session = server.post("/v1/session/refresh", &refresh).await.json();

    make(&server, &session, &Invitation::by(&alice).request).await.expect(201);
    let group = NewGroup::by(&alice);
    server.put(&group.path(), &session, &group.request(1, 1, &[&alice])).await.expect(204);
    server.guess(&alice, &Device::new("thief"), [9; 32], ELSEWHERE).await.expect(401);
    let mut tx = server.state.db.write().await.unwrap();
    let (next, code) = (NEXT_LOGIN.parse().unwrap(), Code::parse(CODE).unwrap());
    keep_code(&server.state, &mut tx, alice.id, &next, &code).await.unwrap();
    tx.commit().await.unwrap();
    assert!(server.state.db.claim(&check_value(&world.secret)).await.unwrap());

    server.state.db.backup(&to.join("server.db")).await.unwrap();
    let write = |name: &str, hex: String| std::fs::write(to.join(name), hex + "\n").unwrap();
    write("server.secret", hex::encode(world.secret.expose()));
    write("refresh-token", hex::encode(session.refresh.0));
}

fn sample(schema: u32, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/schema-{schema}/{name}"))
}

/// The bytes in a file of hex.
fn bytes_of(schema: u32, name: &str) -> [u8; 32] {
    let text = std::fs::read_to_string(sample(schema, name)).unwrap();
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim(), &mut bytes).unwrap();
    bytes
}

/// A copy of the sample: the file, or the dump in a database of its own.
async fn open(schema: u32) -> World {
    let directory = tempfile::tempdir().unwrap();
    let url = match std::env::var("ENSAFER_TEST_POSTGRES") {
        Ok(cluster) => {
            let url = new_database(&cluster).await;
            let mut psql = Command::new("psql");
            psql.args(["--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1"]);
            let status = psql.arg("--file").arg(sample(schema, "server.sql")).arg(&url).status();
            assert!(status.expect("psql is installed").success());
            url
        }
        Err(_) => {
            let path = directory.path().join("server.db");
            std::fs::copy(sample(schema, "server.db"), &path).unwrap();
            format!("sqlite://{}", path.display())
        }
    };
    let secret = ServerSecret::from_bytes(&bytes_of(schema, "server.secret")).unwrap();
    World::of(directory, url, secret)
}

#[tokio::test]
async fn a_database_of_schema_1_is_brought_up_to_date_and_all_is_there() {
    all_of_the_account_is_there(1).await;
}

#[tokio::test]
async fn a_database_of_schema_3_is_brought_up_to_date_and_all_is_there() {
    drop(all_since_schema_3_is_there(3).await);
}

#[tokio::test]
async fn a_database_of_schema_4_is_brought_up_to_date_and_all_is_there() {
    drop(all_since_schema_3_is_there(4).await);
}

#[tokio::test]
async fn a_database_of_schema_5_is_brought_up_to_date_and_all_is_there() {
    let (_world, server) = all_since_schema_3_is_there(5).await;
    let invitations = "SELECT COUNT(*) FROM invitations WHERE guest IS NULL";
    let invitations: i64 = sqlx::query_scalar(invitations).fetch_one(server.state.db.reader()).await.unwrap();
    assert_eq!(invitations, 1);
}

async fn all_since_schema_3_is_there(schema: u32) -> (World, Server) {
    let (world, server) = all_of_the_account_is_there(schema).await;
    let (state, next) = (&server.state, NEXT_LOGIN.parse().unwrap());
    let failures = "SELECT COUNT(*) FROM failures WHERE bucket = 'address:198.51.100.7'";
    let failures: i64 = sqlx::query_scalar(failures).fetch_one(state.db.reader()).await.unwrap();
    assert_eq!(failures, 1);
    let mut tx = state.db.write().await.unwrap();
    assert!(use_code(state, &mut tx, Persona::frozen().0.id, &next, CODE).await.unwrap());
    tx.commit().await.unwrap();
    assert!(state.db.claim(&check_value(&world.secret)).await.unwrap());
    assert!(!state.db.claim("another's").await.unwrap());
    (world, server)
}

/// Brings a sample up to date and uses it.
async fn all_of_the_account_is_there(schema: u32) -> (World, Server) {
    let world = open(schema).await;
    let server = world.start(Config::default()).await;
    if schema < 4 {
        let untold = "SELECT COUNT(*) FROM devices WHERE told_at <> seen_at";
        let untold: i64 = sqlx::query_scalar(untold).fetch_one(server.state.db.reader()).await.unwrap();
        assert_eq!(untold, 0, "nobody is told of devices from before");
    }
    world.clock.advance(3600);
    let (mut alice, laptop) = (Persona::frozen().0, laptop());

    // The session goes on.
    let refresh = SecretHex(bytes_of(schema, "refresh-token"));
    let session = Session {
        access: SecretHex([0; 32]),
        access_expires_in_s: 0,
        refresh,
        refresh_expires_in_s: 0,
        new_devices: Vec::new(),
    };
    let refresh = laptop.refresh(&alice, &session, 2);
    let _: Session = server.post("/v1/session/refresh", &refresh).await.json();

    // The password logs in, and opens the account and its state.
    alice.login = LOGIN.parse().unwrap();
    let started = server.begin(&alice).await;
    let parameters = PasswordParameters {
        login: alice.login.clone(),
        realm: REALM.to_owned(),
        nonce: started.nonce.0,
        iterations: started.iterations,
    };
    let keys = parameters.derive(PASSWORD).unwrap();
    alice.password_auth = *keys.auth.expose();
    let session = server.login(&alice, &Device::new("phone")).await;
    let report: AccountReport = server.get("/v1/account", &session).await.json();
    assert_eq!((report.display_name.as_deref(), report.created_at_s), (Some("Alice"), NOW_S));
    let sealed = SealedAccount::from_document(&report.account).unwrap();
    let account = sealed.open_with_kek(&keys.kek).unwrap();
    let state: StateDocument = server.get("/v1/account/state", &session).await.json();
    assert_eq!(state.version, 1);
    assert_eq!(sealed.state(&account).unwrap().unwrap().as_slice(), STATE);

    let devices: Devices = server.get("/v1/devices", &session).await.json();
    let devices: Vec<_> =
        devices.devices.iter().map(|device| (device.name.as_str(), device.created_at_s)).collect();
    assert_eq!(devices, [("laptop", NOW_S), ("phone", NOW_S + 3600)]);
    let history: KeyHistory = server.get(&format!("/v1/users/{LOGIN}/history"), &session).await.json();
    let published: Vec<_> = history.bundles.iter().map(|bundle| bundle.published_at_s).collect();
    assert_eq!(published, [NOW_S, NOW_S + 60]);
    let newest = &history.bundles.last().unwrap().bundle;
    assert_eq!(newest.bundle, report.account.bundle.bundle);
    (world, server)
}

/// A server that is newer made the tables: this one says so and leaves them alone.
#[tokio::test]
async fn a_newer_servers_database_is_refused_with_words() {
    let world = World::new().await;
    let db = Db::connect(&world.url).await.unwrap();
    let mut tx = db.write().await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 9999, description, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1",
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let refused = Db::connect(&world.url).await.unwrap_err();
    assert!(matches!(refused, DbError::Newer), "{refused:?}");
    assert!(refused.to_string().contains("newer version of the server"), "{refused}");
    let refused = Db::open(&world.url).await.unwrap_err();
    assert!(matches!(refused, DbError::Newer), "{refused:?}");
}

/// Only a server that starts changes tables: whoever looks with a newer program leaves the running one in peace.
#[tokio::test]
async fn the_administrators_verbs_change_no_tables() {
    let world = open(1).await;
    for _ in 0..2 {
        let refused = Db::open(&world.url).await.unwrap_err();
        assert!(matches!(refused, DbError::Older), "{refused:?}");
    }
    Db::connect(&world.url).await.unwrap().close().await;
    Db::open(&world.url).await.unwrap().close().await;
    let empty = World::new().await;
    if let Some(path) = empty.url.strip_prefix("sqlite://") {
        std::fs::File::create(path).unwrap();
    }
    assert!(matches!(Db::open(&empty.url).await, Err(DbError::Older)));
}

/// What happens every hour, and what goes with an account, must not read everything while others wait to write.
#[tokio::test]
async fn no_whole_table_is_read_but_for_the_administrator() {
    let world = World::new().await;
    let db = Db::connect(&world.url).await.unwrap();
    let mut tx = db.write().await.unwrap();
    let explain = if db.is_sqlite() {
        "EXPLAIN QUERY PLAN"
    } else {
        // Where there is nothing to read, reading all of it is cheapest.
        sqlx::query("SET LOCAL enable_seqscan = off").execute(&mut *tx).await.unwrap();
        "EXPLAIN"
    };
    let by_account =
        ["UPDATE logins SET finished = 1 WHERE account = 'a'", "DELETE FROM accounts WHERE login = 'a'"];
    let invitations = [
        "SELECT COUNT(*) FROM invitations WHERE account = 'a'",
        "SELECT invitation FROM invitations WHERE guest = 'a'",
    ];
    let groups = [
        "SELECT COUNT(*) FROM user_groups WHERE account = 'a'",
        "SELECT group_id FROM group_admins WHERE account = 'a'",
        "DELETE FROM group_admins WHERE group_id = 'a'",
    ];
    let by_token = ["SELECT account FROM devices WHERE access_hash = 'a'"];
    for sql in PRUNE.into_iter().chain(by_account).chain(invitations).chain(groups).chain(by_token) {
        let sql = format!("{explain} {}", sql.replace("$1", "1").replace("$2", "1"));
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).fetch_all(&mut *tx).await.unwrap();
        let column = if db.is_sqlite() { 3 } else { 0 };
        let plan: Vec<String> = rows.iter().map(|row| row.get(column)).collect();
        let is_scan = |line: &String| line.starts_with("SCAN ") || line.contains("Seq Scan");
        assert!(!plan.iter().any(is_scan) && !plan.is_empty(), "{sql}: {plan:#?}");
    }
}

/// A database from before there were check values belongs to whichever secret it is first served with.
#[tokio::test]
async fn a_database_belongs_to_one_secret() {
    let world = open(1).await;
    let db = Db::connect(&world.url).await.unwrap();
    assert!(db.has_accounts().await.unwrap());
    for _ in 0..2 {
        assert!(db.would_grant("one").await.unwrap() && db.claim("one").await.unwrap());
        assert!(!db.would_grant("other").await.unwrap() && !db.claim("other").await.unwrap());
    }
    // Servers that share PostgreSQL start one after the other: nobody may have registered yet.
    let fresh = World::new().await;
    let db = Db::connect(&fresh.url).await.unwrap();
    assert!(db.claim("one").await.unwrap());
    assert_eq!(db.would_grant("other").await.unwrap(), db.is_sqlite());
    assert_eq!(db.claim("other").await.unwrap(), db.is_sqlite());
}
