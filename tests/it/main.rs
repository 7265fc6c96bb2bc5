//! Behaviour, through the real binary; one module per behaviour that a user sees.

/// GGUF files, judged by preflight and by the genuine llama-server.
mod gguf_oracle;
