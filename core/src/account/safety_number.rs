//! The number that two people compare to be sure of each other's keys.

use std::fmt;

use crate::crypto::sha256;
use crate::ids::Fingerprint;

/// Groups of five digits: 60 digits, some 199 bits.
const GROUPS: usize = 12;
/// Bytes behind each group; 2⁴⁰ is so far above 10⁵ that the remainder's bias does not matter.
const GROUP_BYTES: usize = 5;

/// The safety number of two identities: the same from both sides.
///
/// With `a` the lesser fingerprint and `b` the greater, the 64 bytes SHA-256(label ‖ 0 ‖ a ‖ b) ‖ SHA-256(label ‖ 1 ‖
/// a ‖ b) give twelve groups: five bytes each, big-endian, modulo 100,000. The label is `ensafer/v1/safety-number`
/// and a zero byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafetyNumber([u32; GROUPS]);

impl SafetyNumber {
    /// The number of these two identities, in either order.
    #[must_use]
    pub fn of(one: &Fingerprint, other: &Fingerprint) -> Self {
        let (a, b) = (one.min(other), one.max(other));
        let half =
            |number: u8| sha256(&[b"ensafer/v1/safety-number\0", &[number], a.as_bytes(), b.as_bytes()]);
        let bytes = [half(0), half(1)].concat();
        let mut groups = [0; GROUPS];
        for (group, bytes) in groups.iter_mut().zip(bytes.chunks(GROUP_BYTES)) {
            *group = bytes.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % 100_000);
        }
        Self(groups)
    }
}

impl fmt::Display for SafetyNumber {
    /// Twelve groups of five digits, separated by spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{group:05}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_frozen_symmetric_and_has_60_digits() {
        let (a, b) = (Fingerprint::new([1; 32]), Fingerprint::new([2; 32]));
        let number = SafetyNumber::of(&a, &b);
        assert_eq!(number, SafetyNumber::of(&b, &a));
        assert_ne!(number, SafetyNumber::of(&a, &a));
        assert_eq!(
            number.to_string(),
            "08098 28275 25105 75280 99669 00847 08159 71584 25575 84252 06646 27578"
        );
    }
}
