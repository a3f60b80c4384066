//! Who may come in, and until when. Pure: the time is an argument.

use std::time::{Duration, Instant};

use blake3::Hash;
use ensafer_core::crypto::{Random, SystemRandom};

/// How long things last.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A link that nobody has followed.
    pub link: Duration,
    /// A visit of which no request is under way. A page has one under way all the time: the stream of events.
    pub idle: Duration,
}

impl Default for Limits {
    /// Enough for a browser that has to start first, and for a page that is loaded again.
    fn default() -> Self {
        Self { link: Duration::from_secs(60), idle: Duration::from_secs(120) }
    }
}

/// What a browser gets for its token. It needs both.
#[derive(Debug)]
pub struct Secrets {
    /// Kept by the browser, which sends it to every port of this computer, and shows it to no page.
    pub cookie: String,
    /// Kept by the page, and seen by pages of the same port only.
    pub key: String,
}

/// A visit that a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitId(Hash);

/// When to look again.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// When something has changed.
    Change,
    /// Then, or when something has changed.
    At(Instant),
    /// Nobody may come in any more.
    Over,
}

/// The links that were given out, and the visits that came of them. Secrets are kept as their BLAKE3 hashes, which
/// compare in constant time.
#[derive(Debug)]
pub struct Visits {
    pub(super) limits: Limits,
    links: Vec<Link>,
    visits: Vec<Visit>,
}

#[derive(Debug)]
struct Link {
    token: Hash,
    until: Instant,
}

#[derive(Debug)]
struct Visit {
    cookie: Hash,
    key: Hash,
    requests: usize,
    until: Instant,
}

impl Visits {
    /// Nobody is in.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, links: Vec::new(), visits: Vec::new() }
    }

    /// A new token, for one browser, once.
    pub fn invite(&mut self, now: Instant) -> String {
        let token = secret();
        self.links.push(Link { token: hash(&token), until: now + self.limits.link });
        token
    }

    /// Takes a token. `None` where it is unknown, too old, or was taken before.
    pub fn claim(&mut self, token: &str, now: Instant) -> Option<Secrets> {
        self.sweep(now);
        let token = hash(token);
        let at = self.links.iter().position(|link| link.token == token)?;
        self.links.swap_remove(at);
        let secrets = Secrets { cookie: secret(), key: secret() };
        let (cookie, key) = (hash(&secrets.cookie), hash(&secrets.key));
        self.visits.push(Visit { cookie, key, requests: 0, until: now + self.limits.idle });
        Some(secrets)
    }

    /// Whether a cookie is that of a visit which has not ended.
    #[must_use]
    pub fn has(&self, cookie: &str) -> bool {
        let cookie = hash(cookie);
        self.visits.iter().any(|visit| visit.cookie == cookie)
    }

    /// A request begins, with `key` and any of `cookies`. Each is to be ended by [`leave`](Self::leave).
    pub fn enter<'a>(
        &mut self,
        key: &str,
        cookies: impl IntoIterator<Item = &'a str>,
        now: Instant,
    ) -> Option<VisitId> {
        self.sweep(now);
        let key = hash(key);
        let visit = self.visits.iter_mut().find(|visit| visit.key == key)?;
        cookies.into_iter().find(|cookie| hash(cookie) == visit.cookie)?;
        visit.requests += 1;
        Some(VisitId(key))
    }

    /// A request has ended, its answer has been sent or broken off.
    pub fn leave(&mut self, id: VisitId, now: Instant) {
        if let Some(visit) = self.visits.iter_mut().find(|visit| visit.key == id.0) {
            visit.requests -= 1;
            visit.until = now + self.limits.idle;
        }
    }

    /// Ends what is too old; when that is next.
    pub fn sweep(&mut self, now: Instant) -> Next {
        self.links.retain(|link| link.until > now);
        self.visits.retain(|visit| visit.requests > 0 || visit.until > now);
        let idle = self.visits.iter().filter(|visit| visit.requests == 0).map(|visit| visit.until);
        match self.links.iter().map(|link| link.until).chain(idle).min() {
            Some(then) => Next::At(then),
            None if self.visits.is_empty() => Next::Over,
            None => Next::Change,
        }
    }
}

/// 256 random bits in hex digits: nobody guesses it, and it needs no escaping anywhere.
fn secret() -> String {
    hex::encode(SystemRandom.array::<32>())
}

fn hash(secret: &str) -> Hash {
    blake3::hash(secret.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { link: Duration::from_secs(60), idle: Duration::from_secs(120) };

    fn after(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    #[test]
    fn a_token_is_taken_once_and_in_time() {
        let begin = Instant::now();
        let mut visits = Visits::new(LIMITS);
        let (first, second) = (visits.invite(begin), visits.invite(begin));
        assert_ne!(first, second);
        assert!(visits.claim("", begin).is_none());
        assert!(visits.claim(&first[..63], begin).is_none());
        assert!(visits.claim(&first, after(begin, 59)).is_some());
        assert!(visits.claim(&first, after(begin, 59)).is_none(), "replayed");
        assert!(visits.claim(&second, after(begin, 60)).is_none(), "too old");
    }

    #[test]
    fn cookie_and_key_are_needed_and_of_one_visit() {
        let begin = Instant::now();
        let mut visits = Visits::new(LIMITS);
        let mut claim = || {
            let token = visits.invite(begin);
            visits.claim(&token, begin).unwrap()
        };
        let (one, other) = (claim(), claim());
        let mut enter = |key: &str, cookies: &[&str]| {
            let id = visits.enter(key, cookies.iter().copied(), begin);
            id.map(|id| visits.leave(id, begin)).is_some()
        };
        assert!(enter(&one.key, &[&one.cookie]));
        assert!(enter(&one.key, &[&other.cookie, &one.cookie]), "two pages in one browser");
        assert!(!enter(&one.key, &[]), "the key alone");
        assert!(!enter(&one.key, &[&other.cookie]), "of two visits");
        assert!(!enter("", &[&one.cookie]), "the cookie alone");
        assert!(!enter(&one.cookie, &[&one.key]), "exchanged");
    }

    #[test]
    fn a_visit_ends_when_it_was_idle_for_long_enough() {
        let begin = Instant::now();
        let mut visits = Visits::new(LIMITS);
        assert_eq!(visits.sweep(begin), Next::Over);
        let token = visits.invite(begin);
        assert_eq!(visits.sweep(begin), Next::At(after(begin, 60)));
        let Secrets { cookie, key } = visits.claim(&token, begin).unwrap();
        assert_eq!(visits.sweep(begin), Next::At(after(begin, 120)));
        let stream = visits.enter(&key, [cookie.as_str()], after(begin, 119)).unwrap();
        assert_eq!(visits.sweep(after(begin, 100_000)), Next::Change, "somebody looks at it all the time");
        visits.leave(stream, after(begin, 100_000));
        assert_eq!(visits.sweep(after(begin, 100_001)), Next::At(after(begin, 100_120)));
        assert!(visits.enter(&key, [cookie.as_str()], after(begin, 100_120)).is_none(), "it has ended");
        assert_eq!(visits.sweep(after(begin, 100_120)), Next::Over);
    }
}
