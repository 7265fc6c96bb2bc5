//! Requests to running engines, after the stack is up.

use std::time::Duration;

use crate::engine::Engine;

/// What an engine answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP status.
    Status(u16),
    /// No connection, or none in time.
    None(String),
}

/// Asks the engine behind `url` whether it serves: vLLM `POST /v1/completions`, llama.cpp
/// `GET /health`.
pub async fn reach(_engine: Option<Engine>, _url: &str, _timeout: Duration) -> Answer {
    Answer::None(String::new())
}
