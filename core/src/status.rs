//! One value that says how things are, everywhere.
