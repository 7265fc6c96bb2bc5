//! The formats that a run can be told in. Adding one is a new file and a line in [`FORMATS`].

use super::lock::Pinned;
use super::{Failure, Report, Telling, github, human, json, junit, markdown, sarif};
use crate::options;
use crate::plan::lanes::Plan;

/// What a format is called, and how each thing that a run tells becomes a text in it.
#[derive(Debug)]
pub struct Format {
    /// As `--format` and `-o` take it.
    pub name: &'static str,
    /// The report.
    pub report: fn(&Report, Telling<'_>) -> String,
    /// Why there is none; absent: whoever reads this format reads the verdict as well.
    pub failure: Option<fn(&Failure, Telling<'_>) -> String>,
    /// The plan; absent: it has no such format.
    pub plan: Option<fn(&Plan, Telling<'_>) -> String>,
    /// What was pinned; absent: it has no such format.
    pub lock: Option<fn(&Pinned<'_>, Telling<'_>) -> String>,
    /// The format of what is appended to the summary of a step, where there is one.
    pub summary: Option<&'static Format>,
}

/// Every format, in the order in which they are offered. The first is the default.
pub static FORMATS: &[&Format] = &[
    &human::FORMAT,
    &json::FORMAT,
    &junit::FORMAT,
    &sarif::FORMAT,
    &github::FORMAT,
    &markdown::FORMAT,
];

/// The format that is called so, in any case.
#[must_use]
pub fn named(name: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|format| format.name.eq_ignore_ascii_case(name))
}

/// What a run was told to be told in.
pub(super) fn chosen(format: options::Format) -> &'static Format {
    named(format.name()).unwrap_or(&human::FORMAT)
}
