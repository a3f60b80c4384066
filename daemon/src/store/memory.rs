//! memory
/// An encrypted folder in memory, for tests.
#[derive(Default)]
pub struct MemoryStore {}
