//! Random choices that are the same in every run: each test has its seed.

use std::fs::File;
use std::io::Write;
use std::path::Path;

/// A stream of choices made from a seed.
#[derive(Debug)]
pub struct Random(blake3::OutputReader);

impl Random {
    /// The stream of `seed`. Print the seed where it varies.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof())
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number below `limit`, which is not zero. The bias is of no matter here.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.bits() % u64::try_from(limit).unwrap()).unwrap()
    }

    /// True once in `n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// `count` bytes that no program can compress.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill(&mut bytes);
        bytes
    }

    /// Writes `count` incompressible bytes to a new file, without holes, a megabyte at a time.
    pub fn write_file(&mut self, path: &Path, count: u64) {
        let mut file = File::create_new(path).unwrap();
        let mut buffer = vec![0; 1 << 20];
        let mut left = count;
        while left > 0 {
            let part = usize::try_from(left.min(1 << 20)).unwrap();
            self.0.fill(&mut buffer[..part]);
            file.write_all(&buffer[..part]).unwrap();
            left -= part as u64;
        }
    }
}
