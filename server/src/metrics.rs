//! Counts what happens, in the text format of Prometheus. Labels have few values: nothing that a client chooses.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the latency's buckets, in seconds.
const LATENCIES_S: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BucketLabels {
    bucket: &'static str,
}

/// The server's counters since it started.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabels, Histogram>,
    logins: Family<OutcomeLabels, Counter>,
    registrations: Counter,
    invitations: Family<OutcomeLabels, Counter>,
    groups: Family<OutcomeLabels, Counter>,
    failures_limited: Family<BucketLabels, Counter>,
    mails: Family<OutcomeLabels, Counter>,
}

impl Metrics {
    /// Counters at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("ensafer_server"),
            requests: Family::default(),
            latency: Family::new_with_constructor(|| Histogram::new(LATENCIES_S)),
            logins: Family::default(),
            registrations: Counter::default(),
            invitations: Family::default(),
            groups: Family::default(),
            failures_limited: Family::default(),
            mails: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let Self {
            registry,
            requests,
            latency,
            logins,
            registrations,
            invitations,
            groups,
            failures_limited,
            mails,
        } = self;
        registry.register("requests", "Requests by method, route and status", requests.clone());
        let help = "Time to the answer's head";
        registry.register_with_unit("request_duration", help, Unit::Seconds, latency.clone());
        registry.register("logins", "Logins by outcome", logins.clone());
        registry.register("registrations", "Accounts made", registrations.clone());
        registry.register("invitations", "What happened to invitations", invitations.clone());
        registry.register("groups", "What happened to groups", groups.clone());
        let help = "Attempts refused because too many failed before, by what they were counted for";
        registry.register("failures_limited", help, failures_limited.clone());
        registry.register("mails", "Mails by outcome", mails.clone());
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
    }

    /// A login ended.
    pub fn login(&self, outcome: &'static str) {
        self.logins.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// An account was made.
    pub fn registered(&self) {
        self.registrations.inc();
    }

    /// An invitation was made, mailed, accepted or removed, or what was shown for one was wrong.
    pub fn invitation(&self, outcome: &'static str) {
        self.invitations.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// A group was made, changed or deleted.
    pub fn group(&self, outcome: &'static str) {
        self.groups.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// An attempt was refused because too many failed before.
    pub fn failure_limited(&self, bucket: &'static str) {
        self.failures_limited.get_or_create(&BucketLabels { bucket }).inc();
    }

    /// A mail was sent, or was not.
    pub fn mail(&self, outcome: &'static str) {
        self.mails.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// A request was answered. `route` is the pattern that it matched.
    pub fn request(&self, method: &'static str, route: &str, status: u16, latency: Duration) {
        let labels = RequestLabels { method, route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels { method, route: route.to_owned() };
        self.latency.get_or_create(&labels).observe(latency.as_secs_f64());
    }

    /// All of it, as `application/openmetrics-text; version=1.0.0`.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_counted_is_shown() {
        let metrics = Metrics::new();
        metrics.login("done");
        metrics.login("done");
        metrics.login("wrong");
        metrics.registered();
        metrics.invitation("accepted");
        metrics.group("changed");
        metrics.failure_limited("account");
        metrics.mail("failed");
        metrics.request("GET", "/v1/server", 200, Duration::from_millis(3));
        let text = metrics.render();
        for line in [
            "ensafer_server_logins_total{outcome=\"done\"} 2",
            "ensafer_server_logins_total{outcome=\"wrong\"} 1",
            "ensafer_server_registrations_total 1",
            "ensafer_server_invitations_total{outcome=\"accepted\"} 1",
            "ensafer_server_groups_total{outcome=\"changed\"} 1",
            "ensafer_server_failures_limited_total{bucket=\"account\"} 1",
            "ensafer_server_mails_total{outcome=\"failed\"} 1",
            "ensafer_server_requests_total{method=\"GET\",route=\"/v1/server\",status=\"200\"} 1",
            "ensafer_server_request_duration_seconds_bucket{le=\"0.0025\",method=\"GET\",route=\"/v1/server\"} 0",
            "ensafer_server_request_duration_seconds_bucket{le=\"0.005\",method=\"GET\",route=\"/v1/server\"} 1",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in {text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
