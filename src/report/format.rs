//! What a format is: its name, and how each thing that a run can tell becomes a text in it.

use super::lock::Pinned;
use super::{Failure, Report, Telling};
use crate::plan::lanes::Plan;

/// What a format is called, and how each thing that a run tells becomes a text in it.
#[derive(Debug)]
pub struct Format {
    /// As `--format` and `-o` take it.
    pub name: &'static str,
    /// Whether it shows the stack as a picture.
    pub draws: bool,
    /// The report.
    pub report: fn(&Report, Telling<'_>) -> String,
    /// Why there is none; absent: whoever reads this format reads the verdict as well.
    pub failure: Option<fn(&Failure, Telling<'_>) -> String>,
    /// The plan; absent: it has no such format.
    pub plan: Option<fn(&Plan, Telling<'_>) -> String>,
    /// What was pinned; absent: it has no such format.
    pub lock: Option<fn(&Pinned<'_>, Telling<'_>) -> String>,
    /// The format of what is appended to the summary of a step, where there is one.
    pub summary: Option<&'static Self>,
}
