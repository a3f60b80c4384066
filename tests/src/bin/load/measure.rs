//! Logins, as many at a time as asked, until the time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Options;
use crate::client::{Client, Identity, Template};

/// How long each login took.
pub struct Measured {
    /// Sorted.
    latencies: Vec<Duration>,
    elapsed: Duration,
}

/// Lets accounts log in, each in its turn. The first failure ends it: a fast wrong answer is worth nothing.
pub async fn run(
    client: &Client,
    template: &Template,
    identities: &[Identity],
    options: &Options,
) -> anyhow::Result<Measured> {
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let one_after_another = || async {
        let mut taken = Vec::new();
        while began.elapsed() < options.time {
            // Spread over all of them, as people are.
            let index = next.fetch_add(7919, Ordering::Relaxed) % identities.len();
            let start = Instant::now();
            template.login(client, &identities[index]).await?;
            taken.push(start.elapsed());
        }
        anyhow::Ok(taken)
    };
    let all = futures_util::future::try_join_all((0..options.concurrency).map(|_| one_after_another()));
    let mut latencies: Vec<_> = all.await?.into_iter().flatten().collect();
    latencies.sort();
    Ok(Measured { latencies, elapsed: began.elapsed() })
}

impl Measured {
    /// How many.
    pub fn count(&self) -> usize {
        self.latencies.len()
    }

    pub fn print(&self) {
        println!("logins\t{}", self.count());
        println!("logins_per_s\t{:.1}", self.count() as f64 / self.elapsed.as_secs_f64());
        for (name, hundredths) in [("p50_ms", 50), ("p99_ms", 99)] {
            println!("{name}\t{:.2}", self.percentile(hundredths).as_secs_f64() * 1e3);
        }
    }

    fn percentile(&self, hundredths: usize) -> Duration {
        let last = self.count().saturating_sub(1);
        self.latencies.get((self.count() * hundredths / 100).min(last)).copied().unwrap_or_default()
    }
}
