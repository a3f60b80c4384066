//! `backup`: a copy of the SQLite database, consistent while the server writes.

use std::path::Path;

use anyhow::Context;

use super::print;
use crate::db::Db;

/// Copies the database into a new file. To restore it, stop the server and put it in the database's place.
pub async fn run(db: &Db, file: &Path) -> anyhow::Result<()> {
    db.backup(file).await.context("cannot make the backup")?;
    print(&format!(
        "{} holds the database; keep a copy of the server's secret as well, but not beside it\n",
        file.display()
    ))
}
