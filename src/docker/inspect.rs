//! Containers as the engine resolved them.
