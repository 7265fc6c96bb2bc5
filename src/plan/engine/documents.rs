//! What an engine makes of the small documents beside the weights of a model.

/// How an engine reads them.
#[derive(Debug)]
pub struct Documents {
    /// Whether its parser ends at the numbers that Python's `json` reads and JSON does not have (`NaN`,
    /// `Infinity`).
    pub strict: bool,
}

impl Documents {
    /// As Python's `json` does, or it is not known how.
    pub(super) const AS_PYTHON: Self = Self { strict: false };
}
