//! The report as Markdown: for the step summary of GitHub Actions, a comment, or a wiki.

use super::format::Format;
use super::table::{total_size, word};
use super::{Failure, Report, Subject, Telling, address, human, memory, verdict};
use crate::findings::{Finding, Severity};
use crate::options::Charset;

/// The most findings that are told whole. A step summary may have 1 MiB.
const MOST_FINDINGS: usize = 100;

/// See [`super::format`].
pub(super) static FORMAT: Format = Format {
    name: "markdown",
    draws: false,
    report: render,
    failure: Some(render_failure),
    plan: None,
    lock: None,
    summary: None,
};

/// The report, with a line break at its end.
fn render(report: &Report, telling: Telling<'_>) -> String {
    let cleaner = telling.cleaner();
    let mut out = format!("## {}\n", text(&verdict::headline(report)));
    if !report.lanes.is_empty() {
        out.push_str("\n| lane | service | engine | model | size | verdict |\n");
        out.push_str("|---|---|---|---|---:|---|\n");
    }
    for lane in &report.lanes {
        let mut verdict = word(lane.verdict).to_owned();
        if !lane.required {
            verdict.push_str(" (optional)");
        }
        if let Some(reason) = &lane.reason {
            verdict.push_str(&format!(": {reason}"));
        }
        let cells = [
            lane.name.as_str(),
            &lane.services.join(", "),
            lane.engine.map_or("", |engine| engine.name()),
            lane.summary.as_deref().unwrap_or(""),
            &total_size(lane),
            &verdict,
        ];
        let cells = cells.map(|cell| text(&cleaner.joined(cell)));
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out.push_str(&memory(report, telling));
    for finding in report.findings.iter().take(MOST_FINDINGS) {
        out.push_str(&section(finding, telling));
    }
    if report.findings.len() > MOST_FINDINGS {
        out.push_str(&format!("\n... and {} more\n", report.findings.len() - MOST_FINDINGS));
    }
    out
}

/// What is in each memory: a row for each lane in it, and the bars where they were asked for.
fn memory(report: &Report, telling: Telling<'_>) -> String {
    let rows = memory::rows(report, telling.cleaner());
    if rows.is_empty() || (report.subject == Subject::Lanes && report.devices.is_empty()) {
        return String::new();
    }
    let mut out =
        "\n| memory | lane | parts | takes | left |\n|---|---|---|---:|---:|\n".to_owned();
    for row in rows {
        let cells = row.map(|cell| text(&cell));
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    if report.subject == Subject::Memory {
        let plain = human::Layout { color: false, ..telling.layout };
        let bars = memory::bars(report, Telling { layout: plain, ..telling });
        out.push_str(&format!("\n{}", fenced("text", bars.trim_end())));
    }
    out
}

/// Why a run ended without a report.
fn render_failure(failure: &Failure, telling: Telling<'_>) -> String {
    let told = super::failure_verdict(failure, telling.redactor, Charset::Unicode);
    format!("## preflight: error\n\n{}", fenced("text", told.trim_end()))
}

fn section(finding: &Finding, telling: Telling<'_>) -> String {
    let cleaner = telling.cleaner();
    let mark = match finding.severity {
        Severity::Error => "❌",
        Severity::Warning => "⚠️",
        Severity::Note => "ℹ️",
    };
    let message = text(&cleaner.joined(&finding.message));
    let mut out = format!("\n### {mark} `{}`: {message}\n\n", finding.rule.id);
    let mut about = verdict::about(finding, cleaner).trim_end_matches([' ', ':']).to_owned();
    if let Some(span) = finding.place.span {
        let start = telling.sources.location(span);
        let file = address::path(&start.file, telling.base).display().to_string();
        let separator = if about.is_empty() { "" } else { ", " };
        about.push_str(&format!("{separator}{}:{}", cleaner.line(&file), start.line));
    }
    if !about.is_empty() {
        out.push_str(&format!("{}\n\n", text(&about)));
    }
    out.push_str(&fenced("text", &human::finding_alone(finding, telling)));
    out
}

/// `text` as a block that nothing in it can end.
fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

/// `text` as a sentence in which nothing is Markdown but code between backticks.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_code = false;
    let is_paired = text.matches('`').count().is_multiple_of(2);
    for character in text.chars() {
        match character {
            '`' if is_paired => in_code = !in_code,
            '|' => out.push('\\'),
            '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '~' | '`' | '&' if !in_code => {
                out.push('\\');
            }
            _ => {}
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_are_no_markup() {
        assert_eq!(text("a `b_c` d_e | <i>"), "a `b_c` d\\_e \\| \\<i\\>");
        assert_eq!(text("a ` b"), "a \\` b");
        assert_eq!(fenced("text", "a ``` b"), "````text\na ``` b\n````\n");
    }
}
