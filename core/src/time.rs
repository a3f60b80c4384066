//! Points in time as the file system and the format have them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted; negative before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From whole seconds and nanoseconds, as `stat` gives them; saturates at the ends of the range.
    #[must_use]
    pub const fn from_parts(seconds: i64, nanos: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down, and the nanoseconds within that second.
    #[must_use]
    pub const fn to_parts(self) -> (i64, i64) {
        (self.0.div_euclid(1_000_000_000), self.0.rem_euclid(1_000_000_000))
    }

    /// The time from `earlier` to `self`; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This time and `duration` more; saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// As `2026-11-21 14.03.22` in UTC: fit for a file name on every system.
    #[must_use]
    pub fn to_name_part(self) -> String {
        self.civil().strftime("%Y-%m-%d %H.%M.%S").to_string()
    }

    fn civil(self) -> jiff::civil::DateTime {
        let (seconds, _) = self.to_parts();
        let instant = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        jiff::tz::Offset::UTC.to_datetime(instant)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, to the second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.civil().strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

/// A time as RFC 3339 text in UTC, to the second, for documents that people and scripts read:
/// `#[serde(with = "rfc3339")]`.
pub mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Timestamp;

    /// Writes the text.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }

    /// Reads the text.
    ///
    /// # Errors
    /// The text is no time.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }

    fn parse(text: &str) -> Result<Timestamp, jiff::Error> {
        Ok(Timestamp::from_parts(text.parse::<jiff::Timestamp>()?.as_second(), 0))
    }

    /// The same for a time that may be missing: `#[serde(with = "rfc3339::option")]`.
    pub mod option {
        use super::{Deserialize, Deserializer, Serializer, Timestamp, parse};

        /// Writes the text, or null.
        ///
        /// # Errors
        /// What the serializer says.
        pub fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => serializer.collect_str(at),
                None => serializer.serialize_none(),
            }
        }

        /// Reads the text, or null.
        ///
        /// # Errors
        /// The text is no time.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            let text = Option::<String>::deserialize(deserializer)?;
            text.map(|text| parse(&text)).transpose().map_err(serde::de::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_text() {
        let t = Timestamp::from_parts(-1, 999_999_999);
        assert_eq!(t.as_nanos(), -1);
        assert_eq!(t.to_parts(), (-1, 999_999_999));
        assert_eq!(Timestamp::from_parts(0, 0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_parts(1, 0).since(Timestamp::from_parts(2, 0)), Duration::ZERO);
        assert_eq!(Timestamp::from_parts(3, 0).since(Timestamp::from_parts(2, 0)), Duration::from_secs(1));
    }
}
