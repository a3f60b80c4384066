//! PADMÉ (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", 2019): hides a size for at most 12 % more.

/// The length that a payload of `len` bytes is padded to: `len` with so many low bits rounded up that only
/// ⌊log₂ ⌊log₂ len⌋⌋ + 1 significant bits follow the first. `len` must be at most 2⁶³.
#[must_use]
pub const fn padme(len: u64) -> u64 {
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let significant = exponent.ilog2() + 1;
    let mask = (1u64 << (exponent.saturating_sub(significant))) - 1;
    (len + mask) & !mask
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values() {
        for (len, padded) in
            [(0, 0), (1, 1), (2, 2), (8, 8), (9, 10), (100, 104), (1000, 1024), (1 << 46, 1 << 46)]
        {
            assert_eq!(padme(len), padded, "{len}");
        }
    }

    proptest! {
        #[test]
        fn grows_by_at_most_twelve_percent_and_is_stable(len in 0u64..1 << 46) {
            let padded = padme(len);
            prop_assert!(padded >= len && (padded - len) * 100 <= len * 12);
            prop_assert_eq!(padme(padded), padded);
        }
    }
}
