//! A local hub.
