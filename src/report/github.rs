//! Workflow commands of GitHub Actions: one annotation for each finding.
//!
//! GitHub shows at most ten errors, ten warnings and ten notices of a step, so the order of the
//! report, worst first, is kept.

use super::format::Format;
use super::text::Cleaner;
use super::{Failure, Report, Telling, address, markdown, verdict};
use crate::findings::{Finding, Severity};
use crate::options::Charset;

/// See [`super::format`].
pub(super) static FORMAT: Format = Format {
    name: "github",
    draws: false,
    report: render,
    failure: Some(render_failure),
    plan: None,
    lock: None,
    summary: Some(&markdown::FORMAT),
};

/// One command a line.
fn render(report: &Report, telling: Telling<'_>) -> String {
    report.findings.iter().map(|finding| annotation(finding, telling)).collect()
}

/// The command of a run that ended without a report.
fn render_failure(failure: &Failure, telling: Telling<'_>) -> String {
    let text = super::failure_verdict(failure, telling.redactor, Charset::Unicode);
    format!("::error title=preflight::{}\n", data(text.trim_end()))
}

fn annotation(finding: &Finding, telling: Telling<'_>) -> String {
    let cleaner = telling.cleaner();
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = String::new();
    if let Some(span) = finding.place.span {
        let start = telling.sources.location(span);
        let file = address::path(&start.file, telling.base).display().to_string();
        let (file, line, column) = (property(&cleaner.line(&file)), start.line, start.column);
        properties.push_str(&format!("file={file},line={line},col={column},"));
    }
    let title = format!("preflight: {}", finding.rule.id);
    properties.push_str(&format!("title={}", property(&title)));
    let message = message(finding, cleaner);
    format!("::{command} {properties}::{}\n", data(&message))
}

fn message(finding: &Finding, cleaner: Cleaner<'_>) -> String {
    let mut message = verdict::about(finding, cleaner);
    message.push_str(&cleaner.joined(&finding.message));
    message.push_str(&format!("\nfix: {}", cleaner.lines(&finding.fix)));
    message.push_str(&format!("\n`{}` says more", finding.rule.explained_by()));
    message
}

/// The text of a command. A line break inside it would end the command and could begin another.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(data("100%\n::error::x"), "100%25%0A::error::x");
        assert_eq!(property("a,b:c\r"), "a%2Cb%3Ac%0D");
    }
}
