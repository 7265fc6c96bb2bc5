//! The report for a person: findings as a compiler would show them, then a table of the lanes.

use annotate_snippets::{AnnotationKind, Element, Group, Level, Renderer, Snippet};

use super::format::Format;
use super::snippet::{Excerpt, LineSecrets, Mark, excerpts};
use super::text::{Cleaner, listed};
use super::{Report, Subject, Telling, containers, lock, memory, plan, table};
use crate::findings::{Finding, Severity};
use crate::options::Charset;
use crate::source_map::{Place, Variable, VariableSource};

/// The most places and the most pieces of evidence that are shown of one finding.
const MOST_SHOWN: usize = 20;

/// What the output looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Whether there are colours.
    pub color: bool,
    /// Characters in a line; source lines and the table are cut to it, sentences are not.
    pub width: usize,
    /// Which characters can be shown.
    pub charset: Charset,
}

impl Default for Layout {
    fn default() -> Self {
        Self { color: false, width: 100, charset: Charset::Unicode }
    }
}

/// See [`super::format`].
pub(super) static FORMAT: Format = Format {
    name: "human",
    draws: false,
    report: render,
    failure: None,
    plan: Some(plan::human),
    lock: Some(lock::human),
    summary: None,
};

/// The report as text, with a line break at its end.
#[must_use]
pub fn render(report: &Report, telling: Telling<'_>) -> String {
    let (cleaner, layout) = (telling.cleaner(), telling.layout);
    let renderer = if layout.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(layout.width);
    let mut out = String::new();
    let secrets = LineSecrets::default();
    for found in &report.findings {
        out.push_str(&finding(found, telling, &renderer, &secrets));
        out.push_str("\n\n");
    }
    match report.subject {
        Subject::Memory => out.push_str(&memory::human(report, telling)),
        Subject::Lanes => {
            out.push_str(&table::render(report, cleaner, layout));
            out.push_str(&memory::brief(report, telling));
        }
    }
    if report.subject == Subject::Lanes && !report.containers.is_empty() {
        out.push('\n');
        out.push_str(&containers::render(&report.containers, cleaner, layout.width));
    }
    if let Some(worst) = report.findings.iter().find(|found| found.severity != Severity::Note) {
        out.push_str(&format!("\n`preflight explain {}` says more\n", worst.rule.id));
    }
    out
}

/// One finding, without colour and without a line break at its end.
pub(super) fn finding_alone(found: &Finding, telling: Telling<'_>) -> String {
    let renderer = Renderer::plain().term_width(telling.layout.width);
    finding(found, telling, &renderer, &LineSecrets::default())
}

/// The lines that a finding points at, with their carets, and what is said below them; the first is empty
/// where no file states it.
pub(super) fn excerpt_and_notes(found: &Finding, telling: Telling<'_>) -> (String, Vec<String>) {
    let cleaner = telling.cleaner();
    let (marks, mut notes) = pointers(found, cleaner);
    let width = source_width(telling.layout);
    let excerpts = excerpts(&marks, telling.sources, &LineSecrets::default(), cleaner, width);
    notes.extend(remarks(found, cleaner));
    let title = Level::NOTE.primary_title("");
    let group = Group::with_title(title).elements(excerpts.iter().map(cause));
    let renderer = Renderer::plain().term_width(telling.layout.width);
    let rendered = corrected(renderer.render(&[group]), &excerpts);
    let excerpt = rendered.split_once('\n').map_or("", |(_, below)| below);
    (excerpt.to_owned(), notes)
}

fn finding(
    finding: &Finding,
    telling: Telling<'_>,
    renderer: &Renderer,
    secrets: &LineSecrets,
) -> String {
    let Telling { sources, layout, .. } = telling;
    let cleaner = telling.cleaner();
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let (marks, mut notes) = pointers(finding, cleaner);
    let excerpts = excerpts(&marks, sources, secrets, cleaner, source_width(layout));
    notes.extend(remarks(finding, cleaner));
    let title = level.primary_title(cleaner.line(&finding.message)).id(finding.rule.id);
    let group = Group::with_title(title)
        .elements(excerpts.iter().map(cause))
        .elements(notes.into_iter().map(|note| Level::NOTE.message(note)))
        .element(Level::HELP.message(cleaner.lines(&finding.fix)));
    corrected(renderer.render(&[group]), &excerpts)
}

/// How much of a source line is shown: the gutter takes what is left of the width.
fn source_width(layout: Layout) -> usize {
    layout.width.saturating_sub(14).max(20)
}

fn cause(excerpt: &Excerpt) -> Element<'_> {
    let annotations = excerpt.marks.iter().map(|(span, label, is_primary)| {
        let kind = if *is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        kind.span(span.clone()).label(label.as_deref())
    });
    Snippet::source(&*excerpt.text)
        .path(&*excerpt.path)
        .line_start(excerpt.line)
        .annotations(annotations)
        .into()
}

/// The renderer counts columns in the line that it was given; this is the line of the file.
fn corrected(rendered: String, excerpts: &[Excerpt]) -> String {
    let corrections: Vec<_> = excerpts.iter().filter_map(|one| one.corrected.as_ref()).collect();
    let Some((title, body)) = rendered.split_once('\n').filter(|_| !corrections.is_empty()) else {
        return rendered;
    };
    let body = corrections
        .into_iter()
        .fold(body.to_owned(), |body, (shown, actual)| body.replacen(shown, actual, 1));
    format!("{title}\n{body}")
}

/// Every place of a finding: as a mark where a file states it, else as a note.
fn pointers(finding: &Finding, cleaner: Cleaner<'_>) -> (Vec<Mark>, Vec<String>) {
    let mut marks = Vec::new();
    let mut notes = Vec::new();
    let is_hidden = finding.hides_values;
    let mark = |span, label, is_primary| Mark { span, label, is_primary, is_hidden };
    if let Some(span) = finding.place.span {
        marks.push(mark(span, None, true));
    }
    for label in &finding.related {
        let text = cleaner.line(&label.text);
        match label.place.span {
            Some(span) => marks.push(mark(span, Some(text), false)),
            None => notes.push(text),
        }
    }
    let places = std::iter::once(&finding.place).chain(finding.related.iter().map(|it| &it.place));
    for variable in variables(places) {
        let name = cleaner.line(&variable.name);
        match origin(&variable.set_by) {
            Ok(span) => {
                let label = Some(format!("`{name}` is set here"));
                marks.push(mark(span, label, false));
            }
            Err(origin) => notes.push(format!("`{name}` {origin}")),
        }
    }
    marks.truncate(MOST_SHOWN);
    notes.truncate(MOST_SHOWN);
    (marks, notes)
}

/// Each variable once, in order of appearance.
fn variables<'a>(places: impl Iterator<Item = &'a Place>) -> Vec<&'a Variable> {
    let mut variables: Vec<&Variable> = Vec::new();
    for variable in places.flat_map(|place| &place.variables) {
        if !variables.contains(&variable) {
            variables.push(variable);
        }
    }
    variables
}

/// Where a variable is set: at a place, or in words.
fn origin(source: &VariableSource) -> Result<crate::source_map::Span, &'static str> {
    match source {
        VariableSource::EnvFile(span) => Ok(*span),
        VariableSource::Environment => Err("comes from the environment"),
        VariableSource::Default => Err("is not set: the default written here is used"),
        VariableSource::Compose => Err("is computed by Compose"),
        VariableSource::Unset => Err("is not set"),
    }
}

/// What is said about a finding below its places.
fn remarks(finding: &Finding, cleaner: Cleaner<'_>) -> Vec<String> {
    let mut remarks = Vec::new();
    for (name, value) in finding.evidence.iter().take(MOST_SHOWN) {
        remarks.push(format!("{name}: {}", cleaner.lines(value)));
    }
    if finding.evidence.len() > MOST_SHOWN {
        remarks.push(format!("... and {} more", finding.evidence.len() - MOST_SHOWN));
    }
    let lanes: Vec<_> = finding.lanes().map(|lane| format!("`{}`", cleaner.line(lane))).collect();
    let lane = (!lanes.is_empty()).then(|| {
        let word = if lanes.len() == 1 { "lane" } else { "lanes" };
        format!("{word} {}", listed(&lanes))
    });
    let service = finding
        .service
        .as_ref()
        .map(|service| format!("{} `{}`", finding.service_word, cleaner.line(service)));
    let mut about: Vec<_> = lane.into_iter().chain(service).collect();
    if finding.lowered {
        about.push("a warning because the lane is not required".to_owned());
    }
    if let Some(ruling) = finding.ruling {
        let severity = if finding.lowered { Severity::Error } else { finding.severity };
        let article = if severity == Severity::Error { "an" } else { "a" };
        about.push(format!("{article} {severity} because of {ruling}"));
    }
    if finding.consequence {
        about.push("follows from another finding".to_owned());
    }
    if !about.is_empty() {
        remarks.push(about.join(", "));
    }
    remarks
}
