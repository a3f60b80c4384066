//! Databases on the PostgreSQL that `scripts/with-postgres` runs beside the tests.

use std::env;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process::run;

/// The URL of the cluster, from `ENSAFER_TEST_POSTGRES`. Without one the test that asked may be skipped, which is said;
/// with `CI` set it must not be.
#[must_use]
pub fn cluster() -> Option<String> {
    let url = env::var("ENSAFER_TEST_POSTGRES").ok();
    if url.is_none() {
        crate::skipped("no PostgreSQL: run the tests by scripts/test or scripts/with-postgres");
    }
    url
}

/// An empty database. It is dropped with this, whoever is still connected to it.
#[derive(Debug)]
pub struct Database {
    /// Its URL.
    pub url: String,
    name: String,
    cluster_url: String,
}

impl Database {
    /// Makes a database on the cluster.
    #[track_caller]
    #[must_use]
    pub fn create(cluster_url: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // One that an earlier process of this number left when it was killed.
        psql(cluster_url, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).expect(0);
        psql(cluster_url, &format!("CREATE DATABASE {name}")).expect(0);
        Self { url: with_database(cluster_url, &name), name, cluster_url: cluster_url.into() }
    }

    /// What a query answers: columns separated by `|`, a row a line.
    #[track_caller]
    #[must_use]
    pub fn query(&self, sql: &str) -> String {
        psql(&self.url, sql).expect(0).stdout
    }

    /// A text dump of schema and content, as pg_dump(1) makes it.
    #[track_caller]
    #[must_use]
    pub fn dump(&self) -> String {
        run(Command::new("pg_dump").arg("--dbname").arg(&self.url)).expect(0).stdout
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The whole cluster is soon gone; a test that already failed must not fail twice.
        let _ = psql(&self.cluster_url, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

fn psql(url: &str, sql: &str) -> crate::Finished {
    let mut command = Command::new("psql");
    command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
    run(command.args(["--dbname", url, "--command", sql]).env("PGOPTIONS", "-c client_min_messages=warning"))
}

/// The same URL with another database.
fn with_database(url: &str, name: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL has a scheme");
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let host = place.split('/').next().unwrap_or_default();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{host}/{name}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_url_is_replaced() {
        assert_eq!(with_database("postgres:///a?host=/b&user=c", "x"), "postgres:///x?host=/b&user=c");
        assert_eq!(with_database("postgres://me:word@host:1/a", "x"), "postgres://me:word@host:1/x");
        assert_eq!(with_database("postgres://host", "x"), "postgres://host/x");
    }
}
