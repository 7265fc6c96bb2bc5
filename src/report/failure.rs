//! Why there is no report, as far as it is told.

use crate::exit_code::ExitCode;

/// Why a run ended without a report. Inert; not yet redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What could not be done.
    pub message: String,
    /// What led to it, the nearest cause first.
    pub causes: Vec<String>,
    /// What to do about it, if that is known.
    pub hint: Option<String>,
    /// What the process exits with.
    pub exit: ExitCode,
}
