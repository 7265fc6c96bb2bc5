//! The report as JUnit XML: one suite for each lane and one for the project as a whole.
//!
//! A suite always has the case `ready`, so that a dashboard has something to follow from run to
//! run; every finding is a case of its own in the
//! suite of each lane that it is about. An error is a failure; a warning and a note pass and
//! say what they have to say in `system-out`.

use super::format::Format;
use super::text::Cleaner;
use super::{Failure, LaneReport, Report, Telling, Verdict, human};
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
    report: render,
    failure: Some(render_failure),
    plan: None,
    lock: None,
    summary: None,
};

/// The report as one XML document, with a line break at its end.
fn render(report: &Report, telling: Telling<'_>) -> String {
    let cleaner = telling.cleaner();
    let is_known = |name: &String| report.lanes.iter().any(|lane| lane.name == *name);
    let of_project = report.findings.iter().filter(|finding| !finding.lanes().any(is_known));
    let mut suites = vec![suite(PROJECT, project_case(report), of_project, telling)];
    for lane in &report.lanes {
        let own = report.findings.iter().filter(|found| found.is_about(&lane.name));
        suites.push(suite(&lane.name, lane_case(lane, cleaner), own, telling));
    }
    document(&suites, report.timing.total().as_secs_f64(), cleaner)
}

/// The document of a run that ended without a report.
fn render_failure(failure: &Failure, telling: Telling<'_>) -> String {
    let text = super::failure_verdict(failure, telling.redactor, Charset::Unicode);
    let outcome = CaseOutcome::Errored {
        kind: format!("exit {}", failure.exit.code()),
        message: failure.message.clone(),
        text,
    };
    let case = Case { name: "run".to_owned(), outcome };
    let suite = Suite { name: PROJECT.to_owned(), cases: vec![case] };
    document(&[suite], 0.0, Cleaner::new(telling.redactor))
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
        suite.cases.push(Case { name, outcome: outcome(finding, telling) });
    }
    suite
}

fn outcome(finding: &Finding, telling: Telling<'_>) -> CaseOutcome {
    let text = format!("{}\n\n{}", human::finding_alone(finding, telling), finding.rule.link());
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
    let outcome = if report.exit == ExitCode::Ready {
        CaseOutcome::Passed { said: None }
    } else {
        CaseOutcome::Failed {
            kind: format!("exit {}", report.exit.code()),
            message: report.exit.meaning().to_owned(),
            text: super::verdict::headline(report),
        }
    };
    Case { name: "ready".to_owned(), outcome }
}

fn lane_case(lane: &LaneReport, cleaner: Cleaner<'_>) -> Case {
    let reason = || cleaner.joined(lane.reason.as_deref().unwrap_or("no reason is known"));
    let outcome = match lane.verdict {
        Verdict::Ready => CaseOutcome::Passed { said: lane.summary.clone() },
        // A dry run fails nothing.
        Verdict::NotReady if lane.reason.is_some() => CaseOutcome::Skipped { message: reason() },
        Verdict::NotReady if lane.required => CaseOutcome::Failed {
            kind: "not ready".to_owned(),
            message: "the lane is not ready".to_owned(),
            text: "each of its findings is a case of its own".to_owned(),
        },
        Verdict::NotReady => {
            CaseOutcome::Skipped { message: "not ready, and not required".to_owned() }
        }
        Verdict::Unknown => CaseOutcome::Skipped { message: format!("unknown: {}", reason()) },
        Verdict::Skipped => CaseOutcome::Skipped { message: reason() },
    };
    Case { name: "ready".to_owned(), outcome }
}

fn document(suites: &[Suite], seconds: f64, cleaner: Cleaner<'_>) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all = || suites.iter().flat_map(|suite| &suite.cases);
    let counts = counts(all());
    out.push_str(&format!("<testsuites name=\"preflight\" {counts} time=\"{seconds:.3}\">\n"));
    for suite in suites {
        let name = attribute(&suite.name, cleaner);
        let counts = self::counts(suite.cases.iter());
        out.push_str(&format!("  <testsuite name=\"{name}\" {counts}>\n"));
        for case in &suite.cases {
            let case_name = attribute(&case.name, cleaner);
            out.push_str(&format!("    <testcase classname=\"{name}\" name=\"{case_name}\""));
            out.push_str(&body(&case.outcome, cleaner));
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        tests += 1;
        match case.outcome {
            CaseOutcome::Passed { .. } => {}
            CaseOutcome::Failed { .. } => failures += 1,
            CaseOutcome::Errored { .. } => errors += 1,
            CaseOutcome::Skipped { .. } => skipped += 1,
        }
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
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
