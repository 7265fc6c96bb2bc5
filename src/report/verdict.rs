//! The closing verdict: the last that a run says, and all that Compose shows of it.
//!
//! Compose quotes at most the last 10 lines and 2048 bytes of a hook's standard error (v5.3.0,
//! `pre_start`), so this is complete within them.

use super::table::word;
use super::text::{Cleaner, cut_end, squeeze};
use super::{Failure, FileState, LaneReport, Report, Subject, Telling, Verdict};
use crate::amount::{count, size};
use crate::exit_code::ExitCode;
use crate::findings::{Finding, Severity};
use crate::options::Charset;
use crate::report::redact::Redactor;
use crate::source_map::SourceMap;

/// The most lines, the first and the last included.
const MOST_LINES: usize = 10;

/// The most bytes, line breaks included.
const MOST_BYTES: usize = 2048;

/// Bytes that are kept for `... and N more`.
const REST_BYTES: usize = 40;

/// The most lanes that a line names.
const MOST_NAMED: usize = 6;

/// Something that has to be put right, in all of the lanes that it keeps down.
struct Trouble<'a> {
    name: String,
    lanes: Vec<&'a LaneReport>,
    finding: Option<&'a Finding>,
}

/// How the closing verdict is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// With why, where and what to do: for who sees nothing else.
    Whole,
    /// With the checks and the places alone: the report stands right above it.
    Brief,
}

/// The verdict over all lanes, and for each lane that is not ready why, where, and what to do.
/// At most 10 lines and 2048 bytes, with a line break at its end.
#[must_use]
pub fn verdict(report: &Report, telling: Telling<'_>, length: Length) -> String {
    let (cleaner, sources) = (telling.cleaner(), telling.sources);
    let troubles = troubles(report);
    let mut text = headline(report);
    text.push('\n');
    let shown = if troubles.len() < MOST_LINES { troubles.len() } else { MOST_LINES - 2 };
    for (index, trouble) in troubles.iter().take(shown).enumerate() {
        let left = MOST_BYTES.saturating_sub(text.len() + REST_BYTES);
        let budget = (left / (shown - index)).saturating_sub(1);
        text.push_str(&match length {
            Length::Whole => line(trouble, sources, cleaner, budget),
            Length::Brief => brief_line(trouble, sources, cleaner, budget),
        });
        text.push('\n');
    }
    if troubles.len() > shown {
        text.push_str(&format!("  ... and {} more\n", troubles.len() - shown));
    }
    text
}

/// Why a run ended without a report, what led to it, and what to do; within the same limits.
#[must_use]
pub fn failure_verdict(failure: &Failure, redactor: &Redactor, charset: Charset) -> String {
    let cleaner = Cleaner::new(redactor).charset(charset);
    let mut lines = vec![format!("preflight: error: {}", cleaner.joined(&failure.message))];
    for cause in failure.causes.iter().take(MOST_LINES - 2) {
        lines.push(format!("  caused by: {}", cleaner.joined(cause)));
    }
    if let Some(hint) = &failure.hint {
        lines.push(format!("  hint: {}", cleaner.joined(hint)));
    }
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let budget = (MOST_BYTES - text.len()) / (lines.len() - index) - 1;
        text.push_str(&cut_end(line, budget));
        text.push('\n');
    }
    text
}

/// What became of the run, in one line without a line break.
pub(super) fn headline(report: &Report) -> String {
    let judged = || report.lanes.iter().filter(|lane| lane.verdict != Verdict::Skipped);
    let ready = judged().filter(|lane| lane.verdict == Verdict::Ready).count();
    let total = judged().count();
    let lanes = if total == 1 { "lane" } else { "lanes" };
    let mut more = String::new();
    let skipped = report.lanes.len() - total;
    if skipped > 0 {
        more.push_str(&format!(", {skipped} skipped"));
    }
    let warnings =
        report.findings.iter().filter(|found| found.severity == Severity::Warning).count();
    if warnings > 0 {
        more.push_str(&format!(", {warnings} warning{}", if warnings == 1 { "" } else { "s" }));
    }
    let (code, meaning) = (report.exit.code(), report.exit.meaning());
    if let (ExitCode::Ready, Some(planned)) = (report.exit, report.planned) {
        let (files, bytes) = (count(planned.files, "file"), size(planned.bytes));
        let wanting = count(planned.lanes, "lane");
        return format!(
            "preflight: would fetch {files}, {bytes}, for {wanting}; {ready} of {total} {lanes} \
             ready{more}"
        );
    }
    if report.subject == Subject::Memory {
        let unknown = judged().filter(|lane| lane.verdict == Verdict::Unknown).count();
        let unknown = if unknown > 0 { format!(", {unknown} unknown") } else { String::new() };
        let fit = format!("{ready} of {total} {lanes} fit{unknown}{more}");
        return if report.exit == ExitCode::Ready {
            format!("preflight: {fit}")
        } else {
            format!("preflight: not ready: exit {code}, {meaning}; {fit}")
        };
    }
    if report.exit == ExitCode::Ready && total == 0 {
        return format!("preflight: nothing was judged{more}");
    }
    if report.exit == ExitCode::Ready {
        return format!("preflight: ready: {ready} of {total} {lanes}{more}");
    }
    let word = if report.exit == ExitCode::Unjudged { "unknown" } else { "not ready" };
    format!("preflight: {word}: exit {code}, {meaning}; {ready} of {total} {lanes} ready{more}")
}

/// The lane or the service that a finding is about, with `: ` behind it; nothing for the project.
pub(super) fn about(finding: &Finding, cleaner: Cleaner<'_>) -> String {
    let lanes: Vec<_> = finding.lanes().map(|lane| cleaner.line(lane)).collect();
    match (lanes.as_slice(), &finding.service) {
        ([], Some(service)) => format!("{} {}: ", finding.service_word, cleaner.line(service)),
        ([], None) => String::new(),
        ([lane], _) => format!("lane {lane}: "),
        (lanes, _) => format!("lanes {}: ", lanes.join(", ")),
    }
}

/// What set the exit code first, then the project, the required lanes, the others.
fn troubles(report: &Report) -> Vec<Trouble<'_>> {
    let mut troubles = Vec::new();
    let is_lane = |name: &String| report.lanes.iter().any(|lane| lane.name == *name);
    for finding in &report.findings {
        if finding.severity == Severity::Error && !finding.lanes().any(is_lane) {
            let name = finding.lane.clone().unwrap_or_else(|| "project".to_owned());
            troubles.push(Trouble { name, lanes: Vec::new(), finding: Some(finding) });
        }
    }
    for required in [true, false] {
        for lane in report.lanes.iter().filter(|lane| lane.required == required) {
            let finding = culprit(report, lane);
            let is_bad = match lane.verdict {
                Verdict::NotReady | Verdict::Unknown => true,
                Verdict::Ready | Verdict::Skipped => {
                    finding.is_some_and(|finding| finding.severity == Severity::Error)
                }
            };
            if is_bad {
                add(&mut troubles, lane, finding);
            }
        }
    }
    let sets_exit = |trouble: &Trouble<'_>| {
        trouble.finding.is_some_and(|finding| {
            finding.severity == Severity::Error && finding.rule.exit == report.exit
        })
    };
    troubles.sort_by_key(|trouble| !sets_exit(trouble));
    troubles
}

/// Names a lane in the trouble that it has with others, or in one of its own.
fn add<'a>(troubles: &mut Vec<Trouble<'a>>, lane: &'a LaneReport, finding: Option<&'a Finding>) {
    let is_shared = |trouble: &&mut Trouble<'_>| {
        let is_same = finding.zip(trouble.finding).is_some_and(|(one, it)| std::ptr::eq(one, it));
        is_same && trouble.lanes.iter().any(|known| known.required == lane.required)
    };
    match troubles.iter_mut().find(is_shared) {
        Some(trouble) => trouble.lanes.push(lane),
        None => {
            let name = lane.name.clone();
            troubles.push(Trouble { name, lanes: vec![lane], finding });
        }
    }
}

/// The finding that a lane is not ready for: its worst cause.
fn culprit<'a>(report: &'a Report, lane: &LaneReport) -> Option<&'a Finding> {
    let of_lane = || report.findings.iter().filter(|it| it.is_about(&lane.name));
    let mut stopping: Vec<_> = of_lane().filter(|it| it.stops()).collect();
    if stopping.iter().any(|finding| !finding.consequence) {
        stopping.retain(|finding| !finding.consequence);
    }
    let exits: Vec<_> = stopping.iter().map(|finding| finding.rule.exit).collect();
    let worst = ExitCode::worst(&exits);
    stopping
        .iter()
        .find(|finding| finding.rule.exit == worst)
        .or(stopping.first())
        .copied()
        .or_else(|| of_lane().find(|finding| finding.rule.id == "lane-unknown"))
}

/// Only what leads to the finding above.
fn brief_line(
    trouble: &Trouble<'_>,
    sources: &SourceMap,
    cleaner: Cleaner<'_>,
    budget: usize,
) -> String {
    let Some(finding) = trouble.finding else { return line(trouble, sources, cleaner, budget) };
    let is_optional = trouble.lanes.first().is_some_and(|lane| !lane.required);
    let optional = if is_optional { " (optional)" } else { "" };
    let mut line = format!("  {}{optional}: {}", names(trouble, cleaner), finding.rule.id);
    if let Some(span) = finding.place.span {
        line.push_str(&format!(", {}", cleaner.joined(&sources.location(span).to_string())));
    }
    cut_end(&line, budget).into_owned()
}

fn line(trouble: &Trouble<'_>, sources: &SourceMap, cleaner: Cleaner<'_>, budget: usize) -> String {
    let name = names(trouble, cleaner);
    let lane = trouble.lanes.first();
    let optional = if lane.is_some_and(|lane| !lane.required) { " (optional)" } else { "" };
    let Some(finding) = trouble.finding else {
        let verdict = lane.map_or("", |lane| word(lane.verdict));
        let reason = lane.and_then(|lane| lane.reason.as_deref()).unwrap_or("");
        let line = format!("  {name}{optional}: {verdict}: {}", cleaner.joined(reason));
        return cut_end(&line, budget).into_owned();
    };
    let head = format!("  {name}{optional}: {}: ", finding.rule.id);
    let message = cleaner.joined(&finding.message);
    let place = place(trouble, finding, sources, cleaner);
    let fix = cleaner.joined(&finding.fix);
    let full = match place.as_str() {
        "" => format!("{head}{message}; fix: {fix}"),
        place => format!("{head}{message} ({place}); fix: {fix}"),
    };
    if full.len() <= budget {
        return full;
    }
    let separator = if place.is_empty() { "" } else { "; " };
    let place = squeeze(&place, budget / 3);
    cut_end(&format!("{head}{place}{separator}fix: {fix}"), budget).into_owned()
}

/// The lanes that a trouble keeps down, else what it is in.
fn names(trouble: &Trouble<'_>, cleaner: Cleaner<'_>) -> String {
    let short = |name: &str| squeeze(&cleaner.line(name), 48).into_owned();
    if trouble.lanes.is_empty() {
        return short(&trouble.name);
    }
    let shown = trouble.lanes.iter().take(MOST_NAMED).map(|lane| short(&lane.name));
    let names = shown.collect::<Vec<String>>().join(", ");
    match trouble.lanes.len().saturating_sub(MOST_NAMED) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// The line to edit, and the file that is bad where only one lane is meant.
fn place(
    trouble: &Trouble<'_>,
    finding: &Finding,
    sources: &SourceMap,
    cleaner: Cleaner<'_>,
) -> String {
    let span = finding.place.span.map(|span| sources.location(span).to_string());
    let files = match trouble.lanes.as_slice() {
        [lane] => lane.files.as_slice(),
        _ => &[],
    };
    // What cannot be reached is not where its mount would have it.
    let is_reached = finding.rule.exit != ExitCode::Mount;
    let file = files
        .iter()
        .filter(|_| is_reached)
        .find(|file| matches!(file.state, FileState::Missing | FileState::Invalid))
        .map(|file| file.host_path.clone().unwrap_or_else(|| file.path.clone()));
    let places: Vec<_> = span.into_iter().chain(file).map(|it| cleaner.joined(&it)).collect();
    places.join(", ")
}
