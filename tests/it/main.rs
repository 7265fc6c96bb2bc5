//! Behaviour, through the real binary; one module per behaviour that a user sees.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is amiss")]

/// What is fetched is what the hub has, or nothing is there.
mod fetch;
