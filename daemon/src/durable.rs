//! Group durability (engine rule 16).
