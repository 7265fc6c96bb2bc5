//! The lanes, one a line.

use annotate_snippets::renderer::{AnsiColor, Style};

use super::human::Layout;
use super::text::{Cleaner, columns, cut_columns, cut_columns_end};
use super::{LaneReport, Report, Verdict};
use crate::amount::size;

const HEADER: [&str; 6] = ["LANE", "", "ENGINE", "MODEL", "SIZE", "VERDICT"];

/// The column of the services, as their project calls them.
const SERVICE: usize = 1;

/// The column of what a lane's files say of themselves.
const MODEL: usize = 3;

/// The column of the verdicts.
const LAST: usize = 5;

/// The columns that give way at last, the widest first.
const ELASTIC: [usize; 3] = [0, 1, MODEL];

/// In a line that is too long a model gives way first, down to this.
const SHORT_MODEL: usize = 20;

/// No column gets narrower.
const NARROWEST: usize = 7;

const GAP: &str = "  ";

/// The table, or nothing when there is no lane.
pub(super) fn render(report: &Report, cleaner: Cleaner<'_>, layout: Layout) -> String {
    let lanes = &report.lanes;
    if lanes.is_empty() {
        return String::new();
    }
    let rows: Vec<[String; 6]> = lanes.iter().map(|lane| row(lane, cleaner)).collect();
    let words: Vec<usize> = lanes.iter().map(|lane| columns(&verdict_word(lane))).collect();
    let mut header = HEADER.map(str::to_owned);
    header[SERVICE] = report.dialect.words().service.to_uppercase();
    let widths = widths(&header, &rows, &words, layout.width);
    let mut table = line(&header, &widths, Style::new(), layout.color);
    for (lane, row) in lanes.iter().zip(&rows) {
        table.push_str(&line(row, &widths, style(lane), layout.color));
    }
    table
}

fn row(lane: &LaneReport, cleaner: Cleaner<'_>) -> [String; 6] {
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let mut verdict = verdict_word(lane);
    if let Some(reason) = &lane.reason {
        verdict.push_str(": ");
        verdict.push_str(&cleaner.joined(reason));
    }
    [
        cleaner.line(&lane.name),
        or_dash(cleaner.line(&lane.services.join(", "))),
        lane.engine.map_or("-", |engine| engine.name()).to_owned(),
        or_dash(cleaner.joined(lane.summary.as_deref().unwrap_or(""))),
        or_dash(total_size(lane)),
        verdict,
    ]
}

/// The bytes of a lane's files that were seen; empty if none was.
pub(super) fn total_size(lane: &LaneReport) -> String {
    let sizes = lane.files.iter().filter_map(|file| file.size_bytes);
    sizes.reduce(u64::saturating_add).map(size).unwrap_or_default()
}

/// What of a verdict is never cut.
fn verdict_word(lane: &LaneReport) -> String {
    let optional = if lane.required { "" } else { " (optional)" };
    format!("{}{optional}", word(lane.verdict))
}

/// How a person reads a verdict.
pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "ready",
        Verdict::NotReady => "not ready",
        Verdict::Unknown => "unknown",
        Verdict::Skipped => "skipped",
    }
}

fn style(lane: &LaneReport) -> Style {
    match lane.verdict {
        Verdict::Ready => AnsiColor::Green.on_default(),
        Verdict::NotReady if lane.required => AnsiColor::Red.on_default(),
        Verdict::NotReady | Verdict::Unknown => AnsiColor::Yellow.on_default(),
        Verdict::Skipped => Style::new().dimmed(),
    }
}

/// As wide as the longest cell, unless the line gets longer than `most`: then first the models give way,
/// then what a verdict says beside its word, of which a third of the line is shown at first, and at last
/// whichever column is the widest. What is left over is the last column's; a word of a verdict is never cut.
fn widths(header: &[String; 6], rows: &[[String; 6]], words: &[usize], most: usize) -> [usize; 6] {
    let mut widths = header.each_ref().map(String::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let word = words.iter().copied().fold(header[LAST].len(), usize::max);
    let gaps = LAST * GAP.len();
    let whole = widths[LAST];
    widths[LAST] = whole.min(word.max(most / 3));
    let excess = |widths: &[usize; 6]| (widths.iter().sum::<usize>() + gaps).saturating_sub(most);
    for (column, narrowest) in [(MODEL, SHORT_MODEL), (LAST, word)] {
        widths[column] -= widths[column].saturating_sub(narrowest).min(excess(&widths));
    }
    for _ in 0..excess(&widths) {
        let elastic = ELASTIC.into_iter().filter(|column| widths[*column] > NARROWEST);
        let Some(widest) = elastic.max_by_key(|column| widths[*column]) else { break };
        widths[widest] -= 1;
    }
    let others = widths[..LAST].iter().sum::<usize>() + gaps;
    widths[LAST] = whole.min(word.max(most.saturating_sub(others)));
    widths
}

fn line(cells: &[String; 6], widths: &[usize; 6], style: Style, color: bool) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths).take(LAST) {
        let cell = cut_columns(cell, *width);
        let fill = width.saturating_sub(columns(&cell));
        line.push_str(&format!("{cell}{}{GAP}", " ".repeat(fill)));
    }
    let word = cells[LAST].split(": ").next().unwrap_or("");
    let verdict = cut_columns_end(&cells[LAST], widths[LAST]);
    let verdict = if verdict.starts_with(word) { &verdict } else { word };
    if color {
        line.push_str(&format!("{style}{verdict}{style:#}\n"));
    } else {
        line.push_str(&format!("{verdict}\n"));
    }
    line
}
