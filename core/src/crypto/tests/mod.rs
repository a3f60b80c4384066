//! Every backend against the published vectors, and against the other.

mod cobblestone;
mod exchange;
mod frozen;
mod threats;
mod wycheproof;

/// Makes a test of each generic function for each backend that is compiled in.
macro_rules! on_every_backend {
    ($($test:ident),* $(,)?) => {
        #[cfg(feature = "aws-lc")]
        mod aws_lc {
            $(#[test] fn $test() { super::$test::<crate::crypto::backend::AwsLc>(); })*
        }
        #[cfg(feature = "rust-crypto")]
        mod rust_crypto {
            $(#[test] fn $test() { super::$test::<crate::crypto::backend::RustCrypto>(); })*
        }
    };
}
use on_every_backend;
