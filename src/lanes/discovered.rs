//! Lanes that are discovered.
