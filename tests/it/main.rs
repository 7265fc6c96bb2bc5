//! Behaviour, through the real binary; one module per behaviour that a user sees.

mod sandbox;
/// The project's own rules.
mod tidy;
