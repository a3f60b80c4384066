//! The database: SQLite in one file, or PostgreSQL, through one set of queries.
//!
//! Every race between two replicas is decided by one conditional statement or one unique key, never by what was read
//! before: PostgreSQL runs at READ COMMITTED, and SQLite's writers take turns. Whoever locks rows of an account
//! in several tables takes the account's own row first, or two would wait for each other.

pub mod accounts;
mod admin;
pub mod changes;
mod claim;
pub mod devices;
pub mod groups;
pub mod invitations;
pub mod logins;
mod value;

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, Connection, Executor, Transaction};

#[cfg(test)]
pub(crate) use admin::PRUNE;
pub use admin::{Pruned, UserRow};
pub use value::{BadValue, from_hex, from_int, to_int};

/// What made the tables, step by step.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Connections that read an SQLite file at the same time.
const SQLITE_READERS: u32 = 4;
/// Connections to PostgreSQL, and those for [`Db::lightly`] beside them.
const POSTGRES_CONNECTIONS: u32 = 10;
const POSTGRES_LIGHT_CONNECTIONS: u32 = 6;
/// How long a request waits for a connection before it is answered with a 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection that rested is taken to be alive without being asked. It gave a sign of life when it was
/// returned; a database that was restarted meanwhile costs at most the requests of so long.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// The database.
#[derive(Debug, Clone)]
pub struct Db {
    reader: AnyPool,
    writer: AnyPool,
    /// See [`Db::lightly`].
    light: AnyPool,
    is_sqlite: bool,
}

/// The database cannot be opened or copied.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The URL names no database that the server knows.
    #[error("not a database's URL: it must begin with sqlite:// or postgres://")]
    Url,
    /// It does not answer.
    #[error("cannot open the database")]
    Open(#[source] sqlx::Error),
    /// There is no such file. None was made.
    #[error("there is no {}: name the directory that the server was started with", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A newer version of the server made its tables. Nothing was changed.
    #[error(
        "the database belongs to a newer version of the server: install that, or restore an older backup"
    )]
    Newer,
    /// An older version of the server made its tables, or none did yet. Nothing was changed.
    #[error(
        "the database's tables are older than this program, or not made yet: start the server, which brings them up to date"
    )]
    Older,
    /// Its tables are not what this or an older version of the server made, or changing them failed.
    #[error("cannot bring the database's tables up to date")]
    Migrate(#[source] MigrateError),
    /// The file cannot be made.
    #[error("cannot create {path}")]
    Create {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The copy failed.
    #[error("the backup failed")]
    Backup(#[source] sqlx::Error),
    /// The server does not copy this kind of database itself.
    #[error("PostgreSQL is backed up by its own tools: use pg_dump")]
    BackupByPgDump,
}

impl From<MigrateError> for DbError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(_) => Self::Newer,
            other => Self::Migrate(other),
        }
    }
}

impl Db {
    /// Opens the database at `sqlite://PATH` or `postgres://…` and brings its tables up to date. An SQLite file that is
    /// not there is made, readable by its owner alone.
    ///
    /// # Errors
    /// [`DbError`]
    pub async fn connect(url: &str) -> Result<Self, DbError> {
        let db = Self::connect_any(url).await?;
        db.migrate().await?;
        Ok(db)
    }

    /// Opens the database as it is, for the administrator: it must be there, and its tables those of this version of the
    /// server. Whoever mistypes a directory is not to get an empty one.
    ///
    /// # Errors
    /// [`DbError`]
    pub async fn open(url: &str) -> Result<Self, DbError> {
        let db = Self::open_unchecked(url).await?;
        db.check_tables().await?;
        Ok(db)
    }

    /// Opens the database as it is, which must be there, whatever version of the server made its tables.
    ///
    /// # Errors
    /// [`DbError`]
    pub async fn open_unchecked(url: &str) -> Result<Self, DbError> {
        if let Some(path) = url.strip_prefix("sqlite://").map(PathBuf::from).filter(|path| !path.exists()) {
            return Err(DbError::Missing { path });
        }
        Self::connect_any(url).await
    }

    async fn connect_any(url: &str) -> Result<Self, DbError> {
        sqlx::any::install_default_drivers();
        if let Some(path) = url.strip_prefix("sqlite://") {
            Self::connect_sqlite(Path::new(path)).await
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let strict = pool(POSTGRES_CONNECTIONS).connect(url).await.map_err(DbError::Open)?;
            let light = pool(POSTGRES_LIGHT_CONNECTIONS).after_connect(|connection, _| {
                Box::pin(async move { connection.execute("SET synchronous_commit TO off").await.map(drop) })
            });
            let light = light.connect(url).await.map_err(DbError::Open)?;
            Ok(Self { reader: strict.clone(), writer: strict, light, is_sqlite: false })
        } else {
            Err(DbError::Url)
        }
    }

    /// Compares the newest change of the tables with the newest that this program knows.
    async fn check_tables(&self) -> Result<(), DbError> {
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        let found = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(&self.reader);
        let newest: Option<i64> = match found.await {
            Ok(newest) => newest,
            // There is no such table.
            Err(sqlx::Error::Database(_)) => None,
            Err(error) => return Err(DbError::Open(error)),
        };
        match newest.unwrap_or(0).cmp(&known) {
            Ordering::Less => Err(DbError::Older),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(DbError::Newer),
        }
    }

    /// Brings the tables up to date. Of several servers that start at the same time, one does it while the others wait:
    /// sqlx takes a lock on PostgreSQL, and on SQLite it is one transaction.
    async fn migrate(&self) -> Result<(), DbError> {
        if !self.is_sqlite {
            return Ok(MIGRATIONS.run(&self.writer).await?);
        }
        let mut tx = self.write().await.map_err(DbError::Open)?;
        // As `run` does it, whose future is not `Send` with a borrowed connection.
        MIGRATIONS.run_direct(None, &mut *tx, false).await?;
        tx.commit().await.map_err(DbError::Open)
    }

    async fn connect_sqlite(path: &Path) -> Result<Self, DbError> {
        let failed = |source| DbError::Create { path: path.to_owned(), source };
        let absolute = std::path::absolute(path).map_err(failed)?;
        create_private(&absolute, false).map_err(failed)?;
        let url = sqlite_url(&absolute);
        let open = |connections| {
            let options = pool(connections).after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute(SQLITE_SETTINGS).await?;
                    Ok(())
                })
            });
            let url = url.clone();
            async move { options.connect(&url).await.map_err(DbError::Open) }
        };
        // The writer first: it turns on the WAL.
        let writer = open(1).await?;
        let reader = open(SQLITE_READERS).await?;
        Ok(Self { reader, light: writer.clone(), writer, is_sqlite: true })
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// It gives none.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT 1").execute(&self.reader).await.map(drop)
    }

    /// Connections for what only reads.
    #[must_use]
    pub fn reader(&self) -> &AnyPool {
        &self.reader
    }

    /// Begins to write what survives a power cut once it is committed. On SQLite, writers wait for each other here and
    /// nowhere else.
    ///
    /// # Errors
    /// There is no connection in time.
    pub async fn write(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        let sqlite = "PRAGMA synchronous = FULL; BEGIN IMMEDIATE";
        // A pooler may hand over a connection that was one of `lightly`'s.
        let postgres = "BEGIN; SET LOCAL synchronous_commit TO DEFAULT";
        self.writer.begin_with(if self.is_sqlite { sqlite } else { postgres }).await
    }

    /// A connection for single statements whose effects a power cut, and only that, may take back: counts of failures,
    /// logins between two steps. It spares waiting for the disk, which is most of what a login costs.
    ///
    /// On SQLite nobody else writes while it is held, nor does its holder otherwise: let it go before [`write`](Self::write).
    ///
    /// # Errors
    /// There is no connection in time.
    pub async fn lightly(&self) -> Result<PoolConnection<Any>, sqlx::Error> {
        let mut connection = self.light.acquire().await?;
        if self.is_sqlite {
            // The connection is the one that `write` has: each says what it wants.
            connection.execute("PRAGMA synchronous = NORMAL").await?;
        }
        Ok(connection)
    }

    /// Whether it is an SQLite file.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.is_sqlite
    }

    /// Closes all connections, after what they are doing.
    pub async fn close(&self) {
        self.reader.close().await;
        self.light.close().await;
        self.writer.close().await;
    }
}

/// WAL: readers do not wait for the writer. FULL: what was answered survives a power cut, but see
/// [`Db::lightly`].
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;";

fn pool(connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // Asked before every use, a sign of life is a good part of what a login costs.
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            Box::pin(async move {
                let is_alive = about.idle_for < TRUSTED_FOR || connection.ping().await.is_ok();
                Ok(is_alive)
            })
        })
}

/// Makes an empty file that only its owner reads. One that is there already is left as it is, or refused.
fn create_private(path: &Path, refuse_existing: bool) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true).create_new(refuse_existing);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// The URL of a file: every byte that has a meaning in URLs is escaped.
fn sqlite_url(path: &Path) -> String {
    use std::fmt::Write;
    let mut url = "sqlite://".to_owned();
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}
