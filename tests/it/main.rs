//! Behaviour, through the real binary; one module per behaviour that a user sees.

mod compose_config;
mod compose_oracle;
