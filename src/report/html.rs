//! The report as one page that needs nothing beside it: no script, no font, no picture of elsewhere.
//!
//! What is on it is put together here; how it looks stands in `html/page.html` and `html/style.css`.

mod outline;
mod sentence;
mod sketch;

use askama::Template;

use self::outline::Outline;
use self::sentence::{Piece, pieces};
use self::sketch::Sketch;
use super::format::Format;
use super::memory::{Drawn, drawn};
use super::picture::Picture;
use super::table::{total_size, word};
use super::text::Cleaner;
use super::{Failure, FileReport, LaneReport, Report, Telling, Verdict, address};
use super::{containers, human, json, memory, verdict};
use crate::amount::{count, size};
use crate::exit_code::ExitCode;
use crate::facts::model::FileState;
use crate::findings::{Finding, Severity};
use crate::options::Charset;

/// The most findings that are told whole.
const MOST_FINDINGS: usize = 500;

/// The most files of a lane that are listed.
const MOST_FILES: usize = 200;

/// Characters of a source line that are shown: the page lets it be moved.
const WIDTH: usize = 400;

/// See [`super::format`].
pub(super) static FORMAT: Format = Format {
    name: "html",
    draws: true,
    report: render,
    failure: Some(render_failure),
    plan: None,
    lock: None,
    summary: None,
};

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    title: String,
    mood: &'static str,
    headline: String,
    about: Vec<String>,
    failure: Option<String>,
    sketch: Option<Sketch>,
    outlines: Vec<Outline>,
    lanes: Vec<Lane>,
    findings: Vec<Told>,
    left_off: usize,
    banks: Vec<Drawn>,
    uses: Vec<&'static str>,
    containers: Vec<[String; 3]>,
}

/// A lane of the table.
struct Lane {
    name: String,
    services: String,
    engine: &'static str,
    model: String,
    size: String,
    mood: &'static str,
    verdict: String,
    reason: Vec<Piece>,
    source: Option<String>,
    files: Vec<File>,
    left_off: usize,
}

struct File {
    path: String,
    size: String,
    state: &'static str,
    mood: &'static str,
}

/// A finding.
struct Told {
    severity: Severity,
    id: &'static str,
    docs: String,
    about: String,
    place: String,
    message: Vec<Piece>,
    fix: Vec<Vec<Piece>>,
    excerpt: String,
    notes: Vec<Vec<Piece>>,
}

impl Page {
    const STYLE: &'static str = include_str!("html/style.css");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
}

/// The report, with a line break at its end.
fn render(report: &Report, telling: Telling<'_>) -> String {
    let telling = for_pages(telling);
    let cleaner = telling.cleaner();
    let headline = verdict::headline(report);
    let headline = headline.strip_prefix("preflight: ").unwrap_or(&headline);
    let banks = drawn(report, cleaner);
    let (sketch, outlines) = pictured(&report.picture, telling);
    let page = Page {
        title: cleaner.line(report.project.as_deref().unwrap_or("models")),
        mood: mood_of(report.exit),
        headline: cleaner.line(headline),
        about: about(report),
        failure: None,
        sketch,
        outlines,
        lanes: report.lanes.iter().map(|lane| lane_told(lane, cleaner)).collect(),
        findings: report.findings.iter().take(MOST_FINDINGS).map(|it| told(it, telling)).collect(),
        left_off: report.findings.len().saturating_sub(MOST_FINDINGS),
        uses: memory::uses(&banks),
        banks,
        containers: containers::rows(&report.containers, cleaner),
    };
    text_of(&page)
}

/// Why a run ended without a report.
fn render_failure(failure: &Failure, telling: Telling<'_>) -> String {
    let told = super::failure_verdict(failure, telling.redactor, Charset::Unicode);
    text_of(&Page {
        title: "no report".to_owned(),
        mood: "broken",
        headline: format!("error: exit {}, {}", failure.exit.code(), failure.exit.meaning()),
        about: Vec::new(),
        failure: Some(told.trim_end().to_owned()),
        sketch: None,
        outlines: Vec::new(),
        lanes: Vec::new(),
        findings: Vec::new(),
        left_off: 0,
        banks: Vec::new(),
        uses: Vec::new(),
        containers: Vec::new(),
    })
}

/// A page has its own width, colours and characters.
fn for_pages(telling: Telling<'_>) -> Telling<'_> {
    Telling { layout: human::Layout { width: WIDTH, ..human::Layout::default() }, ..telling }
}

fn text_of(page: &Page) -> String {
    // Only a writer can fail, and a text is one that does not.
    let mut text = page.render().unwrap_or_default();
    text.push('\n');
    text
}

fn pictured(picture: &Picture, telling: Telling<'_>) -> (Option<Sketch>, Vec<Outline>) {
    let sketch = (!picture.nodes.is_empty()).then(|| Sketch::of(picture, telling));
    (sketch, outline::of(picture, telling))
}

fn mood_of(exit: ExitCode) -> &'static str {
    match exit {
        ExitCode::Ready => "sound",
        ExitCode::Unjudged => "unknown",
        ExitCode::Internal
        | ExitCode::Usage
        | ExitCode::Incomplete
        | ExitCode::Corrupt
        | ExitCode::Access
        | ExitCode::Network
        | ExitCode::Disk
        | ExitCode::Locked
        | ExitCode::Mount
        | ExitCode::Lane
        | ExitCode::Gpu
        | ExitCode::Memory
        | ExitCode::Unhealthy
        | ExitCode::Smoke
        | ExitCode::NotRunnable
        | ExitCode::NoProgram
        | ExitCode::Interrupted
        | ExitCode::Terminated => "broken",
    }
}

/// When it was made, for how long, and in which role.
fn about(report: &Report) -> Vec<String> {
    let role = match json::role(report.role) {
        "init" => "as init container",
        "exec" => "in the place of the engine",
        _ => "by hand or in CI",
    };
    let took = report.timing.total().as_millis();
    let mut about = vec![report.timing.started(), format!("in {took} ms"), role.to_owned()];
    about.extend(report.planned.map(|planned| {
        format!("{} to fetch, {}", count(planned.files, "file"), size(planned.bytes))
    }));
    about
}

fn lane_told(lane: &LaneReport, cleaner: Cleaner<'_>) -> Lane {
    let mut verdict = word(lane.verdict).to_owned();
    if !lane.required {
        verdict.push_str(" (optional)");
    }
    let reason = lane.reason.as_deref().map(|reason| cleaner.joined(reason)).unwrap_or_default();
    Lane {
        name: cleaner.line(&lane.name),
        services: cleaner.line(&lane.services.join(", ")),
        engine: lane.engine.map_or("", |engine| engine.name()),
        model: cleaner.joined(lane.summary.as_deref().unwrap_or("")),
        size: total_size(lane),
        mood: match lane.verdict {
            Verdict::Ready => "sound",
            Verdict::NotReady => "broken",
            Verdict::Unknown => "unknown",
            Verdict::Skipped => "skipped",
        },
        verdict,
        reason: pieces(&reason),
        source: lane.source.as_deref().map(|source| cleaner.line(source)),
        files: lane.files.iter().take(MOST_FILES).map(|file| file_told(file, cleaner)).collect(),
        left_off: lane.files.len().saturating_sub(MOST_FILES),
    }
}

fn file_told(file: &FileReport, cleaner: Cleaner<'_>) -> File {
    let (state, mood) = match file.state {
        FileState::Present => ("present", "sound"),
        FileState::Fetched => ("fetched", "sound"),
        FileState::Missing => ("missing", "broken"),
        FileState::Invalid => ("not loadable", "broken"),
        FileState::Unknown => ("not looked at", "unknown"),
    };
    let path = cleaner.line(file.host_path.as_deref().unwrap_or(&file.path));
    File { path, size: file.size_bytes.map(size).unwrap_or_default(), state, mood }
}

fn told(finding: &Finding, telling: Telling<'_>) -> Told {
    let cleaner = telling.cleaner();
    let place = finding.place.span.map(|span| {
        let start = telling.sources.location(span);
        let file = address::path(&start.file, telling.base).display().to_string();
        format!("{}:{}:{}", cleaner.line(&file), start.line, start.column)
    });
    let (excerpt, notes) = human::excerpt_and_notes(finding, telling);
    Told {
        severity: finding.severity,
        id: finding.rule.id,
        docs: finding.rule.explained_by(),
        about: verdict::about(finding, cleaner).trim_end_matches([' ', ':']).to_owned(),
        place: place.unwrap_or_default(),
        message: pieces(&cleaner.joined(&finding.message)),
        fix: cleaner.lines(&finding.fix).lines().map(pieces).collect(),
        excerpt,
        notes: notes.iter().map(|note| pieces(note)).collect(),
    }
}
