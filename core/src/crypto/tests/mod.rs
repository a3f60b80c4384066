//! Every backend against the published vectors and against the other.
