//! What is said about a user's set-up, and the sink that every check says it into.

pub mod causes;
pub mod check;
pub mod once;
pub mod policy;
pub mod policy_sources;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::exit_code::ExitCode;
use crate::limits::MOST_ALIKE;
use crate::project::Dialect;
use crate::source_map::Place;

pub use policy::{Policy, Ruling};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The lane will not come up, or must not.
    Error,
    /// It may come up, and something is wrong or cannot be relied on.
    Warning,
    /// Worth knowing.
    Note,
}

/// The identity of a kind of finding: declared once, beside the check that raises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Kebab-case; never changes its meaning.
    pub id: &'static str,
    /// Before policy.
    pub severity: Severity,
    /// What a run that fails because of it exits with.
    pub exit: ExitCode,
    /// Markdown, as `preflight explain` prints it: a paragraph on what it means, then the sections
    /// `## Why`, `## Example` and `## Fix`.
    pub docs: &'static str,
}

/// A statement about the user's set-up.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Which kind.
    pub rule: &'static Rule,
    /// After policy.
    pub severity: Severity,
    /// The lane it is about; absent for the project as a whole.
    pub lane: Option<String>,
    /// The lanes of which the same is to be said, beside [`Finding::lane`]. Checks speak of one lane
    /// at a time: see [`once`].
    pub other_lanes: Vec<String>,
    /// The service it is about.
    pub service: Option<String>,
    /// What its project calls that.
    pub service_word: &'static str,
    /// The value to edit.
    pub place: Place,
    /// Other values that led here, each with what to say about it.
    pub related: Vec<Label>,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// What to change, as something that can be done or pasted.
    pub fix: String,
    /// What was seen: path, size, header field, answer; `name: value` pairs in order.
    pub evidence: Vec<(&'static str, String)>,
    /// True when another finding of the same lane is its cause: reported, without a say in the
    /// exit code.
    pub consequence: bool,
    /// True when it is only a warning because its lane is not required: the lane is as unready as
    /// ever, and the run does not fail for it.
    pub lowered: bool,
    /// Who gave it another severity than its rule's; absent: nobody did.
    pub ruling: Option<Ruling>,
    /// Whether the values at its places are not to be shown.
    pub hides_values: bool,
    /// Whether its message is about a cause that is the same wherever it is written: the same of other
    /// lanes is one finding with all of the places.
    pub anywhere: bool,
}

/// A second place of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What to say there.
    pub text: String,
}

/// Collects findings and applies policy to them. There is none without a policy: what decides about
/// bytes follows the one of the run.
#[derive(Debug)]
pub struct Findings {
    policy: Policy,
    found: Vec<Finding>,
    counts: HashMap<Kind, usize>,
}

/// What a finding does, and to which lane: rule, severity, lane, whether it follows from another and
/// whether its lane is not required.
type Kind = (&'static str, Severity, Option<String>, bool, bool);

impl Rule {
    /// A rule whose findings are errors.
    #[must_use]
    pub const fn error(id: &'static str, exit: ExitCode, docs: &'static str) -> Self {
        Self { id, severity: Severity::Error, exit, docs }
    }

    /// A rule whose findings are warnings.
    #[must_use]
    pub const fn warning(id: &'static str, exit: ExitCode, docs: &'static str) -> Self {
        Self { id, severity: Severity::Warning, exit, docs }
    }

    /// A rule whose findings are notes.
    #[must_use]
    pub const fn note(id: &'static str, exit: ExitCode, docs: &'static str) -> Self {
        Self { id, severity: Severity::Note, exit, docs }
    }

    /// The command that prints its documentation.
    #[must_use]
    pub fn explained_by(&self) -> String {
        format!("preflight explain {}", self.id)
    }
}

impl Finding {
    /// The same in the words of the language that its project is written in.
    #[must_use]
    pub fn told_in(mut self, dialect: Dialect) -> Self {
        self.message = dialect.told(&self.message);
        self.fix = dialect.told(&self.fix);
        for label in &mut self.related {
            label.text = dialect.told(&label.text);
        }
        self.service_word = dialect.words().service;
        self
    }

    /// A finding with the rule's own severity, about nothing in particular yet.
    #[must_use]
    pub fn new(rule: &'static Rule, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            rule,
            severity: rule.severity,
            lane: None,
            other_lanes: Vec::new(),
            service: None,
            service_word: Dialect::Compose.words().service,
            place: Place::nowhere(),
            related: Vec::new(),
            message: message.into(),
            fix: fix.into(),
            evidence: Vec::new(),
            consequence: false,
            lowered: false,
            ruling: None,
            hides_values: false,
            anywhere: false,
        }
    }

    /// About this lane.
    #[must_use]
    pub fn lane(mut self, lane: impl Into<String>) -> Self {
        self.lane = Some(lane.into());
        self
    }

    /// About this service.
    #[must_use]
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Pointing at this value.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.place = place.clone();
        self
    }

    /// Pointing at a second value as well.
    #[must_use]
    pub fn also(mut self, place: &Place, text: impl Into<String>) -> Self {
        self.related.push(Label { place: place.clone(), text: text.into() });
        self
    }

    /// Pointing at the first of these as its value, and at some of the others; of many, `name` is how many.
    #[must_use]
    pub fn at_each(self, places: &[&Place], name: &'static str) -> Self {
        const MOST_SHOWN: usize = 5;
        let Some((first, others)) = places.split_first() else { return self };
        let shown = others.iter().take(MOST_SHOWN - 1);
        let finding = shown.fold(self.at(first), |it, place| it.also(place, "and here"));
        match places.len() {
            count if count > MOST_SHOWN => finding.with(name, count),
            _ => finding,
        }
    }

    /// With something that was seen.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.evidence.push((name, value.to_string()));
        self
    }

    /// With another severity than the rule's.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Without showing the values that it points at.
    #[must_use]
    pub fn hiding_values(mut self) -> Self {
        self.hides_values = true;
        self
    }

    /// About a cause that is the same for every lane that has it, wherever that is written.
    #[must_use]
    pub fn anywhere(mut self) -> Self {
        self.anywhere = true;
        self
    }

    /// Caused by another finding of the lane.
    #[must_use]
    pub fn consequence(mut self) -> Self {
        self.consequence = true;
        self
    }

    /// The lanes it is about; none for the project as a whole.
    pub fn lanes(&self) -> impl Iterator<Item = &String> {
        self.lane.iter().chain(&self.other_lanes)
    }

    /// Whether it is about this lane.
    #[must_use]
    pub fn is_about(&self, lane: &str) -> bool {
        self.lanes().any(|known| known == lane)
    }

    /// The kind of which a lane has only so many.
    fn kind(&self) -> Kind {
        (self.rule.id, self.severity, self.lane.clone(), self.consequence, self.lowered)
    }

    /// In its place, that there are more.
    fn and_more(mut self) -> Self {
        self.message = format!("there are more than {MOST_ALIKE} findings like the ones above");
        "mend those, and run preflight again".clone_into(&mut self.fix);
        self.evidence.clear();
        self
    }

    /// Whether the lane that it is about will not come up because of it, required or not.
    #[must_use]
    pub fn stops(&self) -> bool {
        self.severity == Severity::Error || self.lowered
    }
}

impl Findings {
    /// An empty sink that applies `policy`.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, found: Vec::new(), counts: HashMap::new() }
    }

    /// An empty sink under the same policy.
    #[must_use]
    pub fn alike(&self) -> Self {
        Self::new(self.policy.clone())
    }

    /// Keeps a finding, with the severity that policy gives it; of a lane with more than [`MOST_ALIKE`]
    /// of its kind, that there are more.
    pub fn push(&mut self, mut finding: Finding) {
        self.policy.apply(&mut finding);
        let count = self.counts.entry(finding.kind()).or_default();
        *count += 1;
        match (*count).cmp(&(MOST_ALIKE + 1)) {
            Ordering::Less => self.found.push(finding),
            Ordering::Equal => self.found.push(finding.and_more()),
            Ordering::Greater => {}
        }
    }

    /// Keeps everything that another sink has found, under the policy of this one.
    pub fn append(&mut self, other: Self) {
        for finding in other.found {
            self.push(finding);
        }
    }

    /// What was found so far, in the order it was found.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.found.iter()
    }

    /// Whether a lane has a finding that stops its later stages.
    #[must_use]
    pub fn stops(&self, lane: &str) -> bool {
        self.found.iter().any(|finding| finding.stops() && finding.is_about(lane))
    }

    /// Everything that was found, in the order it was found.
    #[must_use]
    pub fn into_vec(self) -> Vec<Finding> {
        self.found
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static RULE: Rule = Rule::error("shard-missing", ExitCode::Incomplete, "");

    #[test]
    fn a_lane_has_only_so_many_findings_of_a_kind_and_the_last_says_that_there_are_more() {
        let mut findings = Findings::new(Policy::default());
        for number in 0..3 * MOST_ALIKE {
            for lane in ["coder", "reader"] {
                let finding = Finding::new(&RULE, number.to_string(), "get it").lane(lane);
                findings.push(finding);
            }
        }
        findings.push(Finding::new(&RULE, "another", "get it").lane("coder").consequence());
        let messages = |lane: &str| {
            let about = findings.iter().filter(|finding| finding.is_about(lane));
            about.map(|finding| finding.message.clone()).collect::<Vec<_>>()
        };
        let more = format!("there are more than {MOST_ALIKE} findings like the ones above");
        assert_eq!(messages("reader").len(), MOST_ALIKE + 1);
        assert_eq!(messages("reader")[MOST_ALIKE], more);
        assert_eq!(messages("coder").len(), MOST_ALIKE + 2);
    }
}
