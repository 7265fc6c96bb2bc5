//! The report as JUnit XML: one suite for each lane and one for the project as a whole.
//!
//! A suite always has the case `ready`, so that a dashboard has something to follow from run to
//! run. Every finding is one case: in the suite of its lane, or in that of the project if it is about
//! several or none. An error is a failure; a warning and a note pass and say what they have to say in
//! `system-out`. What a failure of its own stands for is not counted again: then `ready` is skipped,
//! and names it.

use super::format::Format;
use super::text::Cleaner;
use super::{Failure, LaneReport, Report, Telling, Verdict, address, human};
use crate::exit_code::ExitCode;
use crate::findings::{Finding, Severity};
use crate::options::Charset;
use crate::report::redact::unseen::escape;

/// The suite of what is about no lane.
const PROJECT: &str = "project";

#[derive(Default)]
struct Suite {
    name: String,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    /// The file and the line that it points at.
    place: Option<(String, usize)>,
    seconds: f64,
    outcome: CaseOutcome,
}

enum CaseOutcome {
    Passed { said: Option<String> },
    Failed { kind: String, message: String, text: String },
    Errored { kind: String, message: String, text: String },
    Skipped { message: String },
}

/// See [`super::format`].
pub(super) static FORMAT: Format = Format {
    name: "junit",
    draws: false,
    report: render,
    failure: Some(render_failure),
    plan: None,
    lock: None,
    summary: None,
};

/// The report as one XML document, with a line break at its end.
fn render(report: &Report, telling: Telling<'_>) -> String {
    let cleaner = telling.cleaner();
    let of_project = report.findings.iter().filter(|finding| lane_of(finding, report).is_none());
    let mut suites = vec![suite(PROJECT, project_case(report), of_project, telling)];
    for lane in &report.lanes {
        let is_own = |finding: &&Finding| lane_of(finding, report) == Some(&lane.name);
        let own = report.findings.iter().filter(is_own);
        suites.push(suite(&lane.name, lane_case(lane, report, cleaner), own, telling));
    }
    document(&suites, cleaner)
}

/// The document of a run that ended without a report.
fn render_failure(failure: &Failure, telling: Telling<'_>) -> String {
    let text = super::failure_verdict(failure, telling.redactor, Charset::Unicode);
    let outcome = CaseOutcome::Errored {
        kind: format!("exit {}", failure.exit.code()),
        message: failure.message.clone(),
        text,
    };
    let suite = Suite { name: PROJECT.to_owned(), cases: vec![Case::new("run", outcome)] };
    document(&[suite], Cleaner::new(telling.redactor))
}

impl Case {
    fn new(name: impl Into<String>, outcome: CaseOutcome) -> Self {
        Self { name: name.into(), place: None, seconds: 0.0, outcome }
    }
}

/// The only lane of the report that a finding is about.
fn lane_of<'a>(finding: &'a Finding, report: &Report) -> Option<&'a String> {
    let is_known = |name: &&String| report.lanes.iter().any(|lane| lane.name == **name);
    let mut lanes = finding.lanes().filter(is_known);
    lanes.next().filter(|_| lanes.next().is_none())
}

fn suite<'a>(
    name: &str,
    first: Case,
    findings: impl Iterator<Item = &'a Finding>,
    telling: Telling<'_>,
) -> Suite {
    let mut suite = Suite { name: name.to_owned(), cases: vec![first] };
    for finding in findings {
        let id = finding.rule.id;
        let is_same = |case: &&Case| case.name == id || case.name.starts_with(&format!("{id} ("));
        let count = suite.cases.iter().filter(is_same).count();
        let name = if count == 0 { id.to_owned() } else { format!("{id} ({})", count + 1) };
        let place = finding.place.span.map(|span| {
            let start = telling.sources.location(span);
            (address::path(&start.file, telling.base).display().to_string(), start.line)
        });
        suite.cases.push(Case { place, ..Case::new(name, outcome(finding, telling)) });
    }
    suite
}

fn outcome(finding: &Finding, telling: Telling<'_>) -> CaseOutcome {
    let told = human::finding_alone(finding, telling);
    let text = format!("{told}\n\n`{}` says more", finding.rule.explained_by());
    match finding.severity {
        Severity::Error => CaseOutcome::Failed {
            kind: finding.rule.id.to_owned(),
            message: finding.message.clone(),
            text,
        },
        Severity::Warning | Severity::Note => CaseOutcome::Passed { said: Some(text) },
    }
}

fn project_case(report: &Report) -> Case {
    let is_counted = report.findings.iter().any(|finding| finding.severity == Severity::Error);
    let (code, meaning) = (report.exit.code(), report.exit.meaning());
    let outcome = if report.exit == ExitCode::Ready {
        CaseOutcome::Passed { said: None }
    } else if is_counted {
        CaseOutcome::Skipped { message: format!("not ready: exit {code}, {meaning}") }
    } else {
        CaseOutcome::Failed {
            kind: format!("exit {code}"),
            message: meaning.to_owned(),
            text: super::verdict::headline(report),
        }
    };
    let seconds = report.timing.total().as_secs_f64();
    Case { seconds, ..Case::new("ready", outcome) }
}

fn lane_case(lane: &LaneReport, report: &Report, cleaner: Cleaner<'_>) -> Case {
    let reason = || cleaner.joined(lane.reason.as_deref().unwrap_or("no reason is known"));
    let outcome = match lane.verdict {
        Verdict::Ready => CaseOutcome::Passed { said: lane.summary.clone() },
        // A dry run fails nothing.
        Verdict::NotReady if lane.reason.is_some() => CaseOutcome::Skipped { message: reason() },
        Verdict::NotReady if lane.required => match failures(lane, report) {
            None => CaseOutcome::Failed {
                kind: "not ready".to_owned(),
                message: "the lane is not ready".to_owned(),
                text: super::verdict::headline(report),
            },
            Some(failures) => CaseOutcome::Skipped { message: format!("not ready: {failures}") },
        },
        Verdict::NotReady => {
            CaseOutcome::Skipped { message: "not ready, and not required".to_owned() }
        }
        Verdict::Unknown => CaseOutcome::Skipped { message: format!("unknown: {}", reason()) },
        Verdict::Skipped => CaseOutcome::Skipped { message: reason() },
    };
    Case::new("ready", outcome)
}

/// The failures that a lane is not ready for, by name; those that it shares stand in another suite.
fn failures(lane: &LaneReport, report: &Report) -> Option<String> {
    let mut named: Vec<String> = Vec::new();
    let own = report.findings.iter().filter(|finding| finding.is_about(&lane.name));
    for finding in own.filter(|finding| finding.severity == Severity::Error) {
        let elsewhere = match lane_of(finding, report) {
            Some(_) => "",
            None => " (in `project`)",
        };
        let name = format!("{}{elsewhere}", finding.rule.id);
        if !named.contains(&name) {
            named.push(name);
        }
    }
    (!named.is_empty()).then(|| named.join(", "))
}

fn document(suites: &[Suite], cleaner: Cleaner<'_>) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all = || suites.iter().flat_map(|suite| &suite.cases);
    let counts = counts(all());
    out.push_str(&format!("<testsuites name=\"preflight\" {counts}>\n"));
    for suite in suites {
        let name = attribute(&suite.name, cleaner);
        let counts = self::counts(suite.cases.iter());
        out.push_str(&format!("  <testsuite name=\"{name}\" {counts}>\n"));
        for case in &suite.cases {
            let (case_name, seconds) = (attribute(&case.name, cleaner), case.seconds);
            out.push_str(&format!("    <testcase classname=\"{name}\" name=\"{case_name}\""));
            if let Some((file, line)) = &case.place {
                let file = attribute(file, cleaner);
                out.push_str(&format!(" file=\"{file}\" line=\"{line}\""));
            }
            out.push_str(&format!(" time=\"{seconds:.3}\""));
            out.push_str(&body(&case.outcome, cleaner));
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    let mut seconds = 0.0;
    for case in cases {
        tests += 1;
        seconds += case.seconds;
        match case.outcome {
            CaseOutcome::Passed { .. } => {}
            CaseOutcome::Failed { .. } => failures += 1,
            CaseOutcome::Errored { .. } => errors += 1,
            CaseOutcome::Skipped { .. } => skipped += 1,
        }
    }
    format!(
        "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" \
         time=\"{seconds:.3}\""
    )
}

/// What stands behind the attributes of a `testcase`.
fn body(outcome: &CaseOutcome, cleaner: Cleaner<'_>) -> String {
    let failure = |tag: &str, kind: &str, message: &str, text: &str| {
        let (kind, message) = (attribute(kind, cleaner), attribute(message, cleaner));
        let text = content(text, cleaner);
        format!(
            ">\n      <{tag} type=\"{kind}\" message=\"{message}\">{text}</{tag}>\n    </testcase>\n"
        )
    };
    match outcome {
        CaseOutcome::Passed { said: None } => "/>\n".to_owned(),
        CaseOutcome::Passed { said: Some(text) } => {
            let text = content(text, cleaner);
            format!(">\n      <system-out>{text}</system-out>\n    </testcase>\n")
        }
        CaseOutcome::Failed { kind, message, text } => failure("failure", kind, message, text),
        CaseOutcome::Errored { kind, message, text } => failure("error", kind, message, text),
        CaseOutcome::Skipped { message } => {
            let message = attribute(message, cleaner);
            format!(">\n      <skipped message=\"{message}\"/>\n    </testcase>\n")
        }
    }
}

fn attribute(text: &str, cleaner: Cleaner<'_>) -> String {
    markup(&cleaner.joined(text))
}

/// Every line of `text`, clean.
fn content(text: &str, cleaner: Cleaner<'_>) -> String {
    let text = cleaner.redactor().redact(text);
    let lines: Vec<_> = text.trim_end().lines().map(escape).collect();
    markup(&lines.join("\n"))
}

/// XML has no way to write some characters, not even as references: they are escaped as elsewhere.
fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.extend(character.escape_unicode()),
            character => out.push(character),
        }
    }
    out
}
