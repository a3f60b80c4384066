//! What server, database and this program used, from proc(5): they share the machine, so that time alone says little.

use std::fs;

use anyhow::Context;

use crate::Options;

/// Processor time so far, in clock ticks.
pub struct Snapshot {
    server: u64,
    database: Option<u64>,
    own: u64,
    server_pid: u32,
}

/// Of `_SC_CLK_TCK`, which Linux has had at 100 on every architecture for programs.
const TICKS_PER_S: f64 = 100.0;

impl Snapshot {
    pub fn take(options: &Options) -> anyhow::Result<Self> {
        Ok(Self {
            server: ticks_of(options.server_pid)?.own,
            database: options.database_pid.map(ticks_of_family).transpose()?,
            own: ticks_of(std::process::id())?.own,
            server_pid: options.server_pid,
        })
    }

    /// What was used since an earlier one.
    pub fn since(self, earlier: &Self) -> Self {
        let database = self.database.zip(earlier.database).map(|(now, then)| now - then);
        Self { server: self.server - earlier.server, database, own: self.own - earlier.own, ..self }
    }

    pub fn print(&self, logins: usize) {
        let each = |ticks: u64| ticks as f64 * 1e3 / TICKS_PER_S / logins.max(1) as f64;
        println!("server_cpu_ms_per_login\t{:.3}", each(self.server));
        if let Some(database) = self.database {
            println!("database_cpu_ms_per_login\t{:.3}", each(database));
        }
        println!("client_cpu_ms_per_login\t{:.3}", each(self.own));
        let memory = ensafer_tests::process::peak_memory_kib(self.server_pid).unwrap_or_default();
        println!("server_peak_kib\t{memory}");
    }
}

struct Ticks {
    parent: u32,
    own: u64,
    /// Its own, and those of its children that have ended.
    with_ended: u64,
}

fn ticks_of(id: u32) -> anyhow::Result<Ticks> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name before it may hold anything, parentheses too.
    let (_, rest) = stat.rsplit_once(") ").context("a stat line has a name")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    let own = number(11) + number(12);
    Ok(Ticks { parent: u32::try_from(number(1))?, own, with_ended: own + number(13) + number(14) })
}

/// PostgreSQL has a process for each connection.
fn ticks_of_family(id: u32) -> anyhow::Result<u64> {
    let mut sum = ticks_of(id)?.with_ended;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(other) = entry.file_name().to_string_lossy().parse() else { continue };
        // It may have ended meanwhile.
        let Ok(ticks) = ticks_of(other) else { continue };
        if ticks.parent == id {
            sum += ticks.own;
        }
    }
    Ok(sum)
}
