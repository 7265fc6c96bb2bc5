//! What a run makes of the severities that checks give: the one place where they are changed.
//!
//! Who may change them, the strongest first: `--deny`, `--allow`, a comment on the line that the
//! finding points at, `x-preflight.checks`. A lane that is not required only ever warns. Pure.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use super::{Finding, Severity};
use crate::exit_code::ExitCode;
use crate::options::Choices;
use crate::source_map::{SourceId, Span};

/// What a run makes of the severities that checks give. The default changes none.
///
/// Applied by [`crate::findings::Findings`] to every finding as it comes, and nowhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether the state of containers and the answers of engines are only advice: everywhere but
    /// in `inspect` and `smoke`. Their errors become warnings.
    pub containers_advisory: bool,
    /// `--allow` and `--deny`.
    pub flags: Choices,
    /// Comments in the files of the project.
    pub comments: Vec<Comment>,
    /// `x-preflight.checks`.
    pub extension: Choices,
    /// The lanes that are not required. Their errors become warnings that still stop the lane.
    pub optional_lanes: BTreeSet<String>,
    /// Services that nobody starts now. Their errors become warnings.
    pub idle_services: BTreeSet<String>,
}

/// A comment `# preflight: allow[ID, ID]`: the findings of these checks that point at its line
/// become notes. One that has a line of its own is about the next line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The text that it is in.
    pub source: SourceId,
    /// The bytes of the lines that it is about.
    pub lines: Range<usize>,
    /// The checks.
    pub allowed: BTreeSet<String>,
}

/// Who gave a finding another severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// `--allow` or `--deny`.
    Flag,
    /// A comment on its line.
    Comment,
    /// `x-preflight.checks`.
    Extension,
}

impl Policy {
    /// What becomes of a finding. Applying it twice changes nothing more.
    pub fn apply(&self, finding: &mut Finding) {
        let about_containers = matches!(finding.rule.exit, ExitCode::Unhealthy | ExitCode::Smoke);
        if self.containers_advisory && about_containers {
            finding.severity = finding.severity.max(Severity::Warning);
        }
        if let Some((severity, ruling)) = self.ruling(finding) {
            finding.severity = severity;
            finding.lowered &= severity == Severity::Error;
            finding.ruling = (severity != finding.rule.severity).then_some(ruling);
        }
        let is_optional =
            finding.lane.as_ref().is_some_and(|lane| self.optional_lanes.contains(lane));
        if is_optional && finding.severity == Severity::Error {
            finding.severity = Severity::Warning;
            finding.lowered = true;
        }
        let mut service = finding.service.iter().filter(|_| finding.lane.is_none());
        if service.any(|service| self.idle_services.contains(service)) {
            finding.severity = finding.severity.max(Severity::Warning);
        }
    }

    fn ruling(&self, finding: &Finding) -> Option<(Severity, Ruling)> {
        let id = finding.rule.id;
        let of = |choices: &Choices, ruling| Some((chosen(choices, id)?, ruling));
        of(&self.flags, Ruling::Flag)
            .or_else(|| {
                let span = finding.place.span?;
                let allows = |comment: &Comment| comment.allows(id, span);
                self.comments.iter().any(allows).then_some((Severity::Note, Ruling::Comment))
            })
            .or_else(|| of(&self.extension, Ruling::Extension))
    }
}

/// What the choices make of a check, if it is among them.
fn chosen(choices: &Choices, id: &str) -> Option<Severity> {
    if choices.denied.contains(id) {
        return Some(Severity::Error);
    }
    choices.allowed.contains(id).then_some(Severity::Note)
}

impl Comment {
    fn allows(&self, id: &str, span: Span) -> bool {
        self.source == span.source && self.lines.contains(&span.start) && self.allowed.contains(id)
    }
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "`--allow` or `--deny`",
            Self::Comment => "a comment on its line",
            Self::Extension => "`x-preflight.checks`",
        })
    }
}
