//! Which connections are taken: so many in all and from one address.

use std::collections::HashMap;
use std::future::Ready;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Layer;

use crate::config::Limits;
use crate::extract::ClientAddress;

/// Closes connections that are more than so many, in all or from one address; proxies that are trusted have many users,
/// and count in all only. Each carries its permit with its service.
///
/// A peer that takes nothing of an answer for as long as a request may last is cut off by the system (`TCP_USER_TIMEOUT`,
/// tcp(7); on Linux only). One that takes a little now and then keeps its connection: the bound for its address is what
/// stands against that.
#[derive(Debug, Clone)]
pub struct ConnectionLimit(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    all: Arc<Semaphore>,
    per_address: Mutex<HashMap<String, usize>>,
    most_per_address: usize,
    trusted: Vec<IpNet>,
    stalled_ms: u32,
}

impl ConnectionLimit {
    /// The limits that the settings ask for.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self(Arc::new(Counts {
            all: Arc::new(Semaphore::new(limits.connections)),
            per_address: Mutex::default(),
            most_per_address: limits.connections_per_address,
            trusted: limits.trusted_proxies.clone(),
            stalled_ms: u32::try_from(limits.request_timeout_s.saturating_mul(1000)).unwrap_or(u32::MAX),
        }))
    }

    fn admit(&self, peer: IpAddr) -> Option<Permit> {
        let all = Arc::clone(&self.0.all).try_acquire_owned().ok()?;
        let is_trusted = self.0.trusted.iter().any(|network| network.contains(&peer));
        let address = (!is_trusted).then(|| ClientAddress(peer).bucket());
        if let Some(address) = &address {
            let mut counts = self.0.per_address.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(address.clone()).or_default();
            if *count >= self.0.most_per_address {
                return None;
            }
            *count += 1;
        }
        Some(Permit { _all: all, address, counts: Arc::clone(&self.0) })
    }
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    _all: OwnedSemaphorePermit,
    address: Option<String>,
    counts: Arc<Counts>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(address) = &self.address else { return };
        let mut counts = self.counts.per_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(address);
            }
        }
    }
}

impl<S> Accept<TcpStream, S> for ConnectionLimit {
    type Stream = TcpStream;
    type Service = AddExtension<S, Arc<Permit>>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let accepted = stream.peer_addr().and_then(|peer| {
            let permit = self.admit(peer.ip().to_canonical());
            let permit = permit.ok_or_else(|| io::Error::other("too many connections"))?;
            stream.set_nodelay(true)?;
            #[cfg(target_os = "linux")]
            rustix::net::sockopt::set_tcp_user_timeout(&stream, self.0.stalled_ms)?;
            Ok((stream, Extension(Arc::new(permit)).layer(service)))
        });
        std::future::ready(accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_takes_no_more_than_its_share() {
        let limits = Limits {
            connections: 6,
            connections_per_address: 2,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..Limits::default()
        };
        let limit = ConnectionLimit::new(&limits);
        let admit = |peer: &str| limit.admit(peer.parse().unwrap());
        let first = admit("2001:db8::1").unwrap();
        let _second = admit("2001:db8::2").unwrap();
        assert!(admit("2001:db8::3").is_none(), "one customer's network is one address");
        let _others = [admit("192.0.2.1"), admit("10.0.0.1"), admit("10.0.0.1")].map(Option::unwrap);
        let last = admit("10.0.0.1").unwrap();
        assert!(admit("192.0.2.2").is_none(), "six in all");
        drop(last);
        drop(first);
        let _again = admit("2001:db8::3").unwrap();
        assert!(admit("2001:db8::1").is_none());
        let counts = limit.0.per_address.lock().unwrap();
        assert_eq!((counts.len(), counts["2001:db8:0:0::/64"]), (2, 2), "a refusal leaves nothing");
    }
}
