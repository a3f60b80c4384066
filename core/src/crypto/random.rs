//! Randomness, which is always an argument.

/// A source of random bytes.
pub trait Random {
    /// Fills `dest`.
    fn fill(&mut self, dest: &mut [u8]);

    /// `N` random bytes.
    fn array<const N: usize>(&mut self) -> [u8; N]
    where
        Self: Sized,
    {
        random_array(self)
    }
}

impl<R: Random + ?Sized> Random for &mut R {
    fn fill(&mut self, dest: &mut [u8]) {
        (**self).fill(dest);
    }
}

/// `N` random bytes, also from a source of unknown size.
pub(super) fn random_array<const N: usize>(rng: &mut (impl Random + ?Sized)) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill(&mut bytes);
    bytes
}

/// The operating system's generator.
///
/// # Panics
/// If the operating system has no randomness: there is nothing safe to go on with.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&mut self, dest: &mut [u8]) {
        getrandom::fill(dest).expect("the operating system has randomness");
    }
}

/// A repeatable sequence for tests, frozen vectors and simulations (BLAKE3 in its extendable mode). Whoever knows the
/// seed knows every "secret" made from it.
#[doc(hidden)]
pub struct TestRandom(blake3::OutputReader);

impl TestRandom {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("ensafer test randomness v1");
        hasher.update(&seed.to_be_bytes());
        Self(hasher.finalize_xof())
    }
}

impl Random for TestRandom {
    fn fill(&mut self, dest: &mut [u8]) {
        self.0.fill(dest);
    }
}
