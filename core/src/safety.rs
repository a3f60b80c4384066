//! Vetoes plans that look like a catastrophe rather than like work (engine rule 15).
