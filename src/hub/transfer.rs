//! Bytes from the resolved URL.
