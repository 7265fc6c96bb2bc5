//! Behaviour, through the real binary; one module per behaviour that a user sees.

// What the Docker Engine's answers become, and what it is asked.
mod engine_api;
