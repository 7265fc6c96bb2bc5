//! Facts about model files, from their names, sizes and headers alone.
//!
//! Everything below is pure over [`View`] and `Read + Seek`: nothing here judges, and nothing
//! reads a byte of a tensor.

use std::path::Path;

use crate::view::View;

/// What is at a path that a lane's engine will open as a model.
#[derive(Debug, Clone)]
pub enum ModelFacts {
    /// Nothing is there.
    Absent,
    /// It could not be looked at: no permission.
    Denied(String),
    /// It could not be looked at, and why.
    Unknown(String),
}

/// Looks at whatever is at `path`: a GGUF file (with its split set), a safetensors file, a Hugging
/// Face folder. Blocking.
#[must_use]
pub fn examine(_view: &dyn View, _path: &Path) -> ModelFacts {
    ModelFacts::Absent
}
