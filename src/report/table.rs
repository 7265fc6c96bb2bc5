//! The lanes, one a line.

use annotate_snippets::renderer::{AnsiColor, Style};

use super::human::Layout;
use super::text::{Cleaner, columns, cut_columns};
use super::{LaneReport, Verdict};
use crate::amount::size;

const HEADER: [&str; 6] = ["LANE", "SERVICE", "ENGINE", "MODEL", "SIZE", "VERDICT"];

/// The columns that give way when a line is too long.
const ELASTIC: [usize; 3] = [0, 1, 3];

/// No column gets narrower.
const NARROWEST: usize = 8;

const GAP: &str = "  ";

/// The table, or nothing when there is no lane.
pub(super) fn render(lanes: &[LaneReport], cleaner: Cleaner<'_>, layout: Layout) -> String {
    if lanes.is_empty() {
        return String::new();
    }
    let rows: Vec<[String; 6]> = lanes.iter().map(|lane| row(lane, cleaner)).collect();
    let widths = widths(&rows, layout.width);
    let mut table = line(&HEADER.map(str::to_owned), &widths, Style::new(), layout.color);
    for (lane, row) in lanes.iter().zip(&rows) {
        table.push_str(&line(row, &widths, style(lane), layout.color));
    }
    table
}

fn row(lane: &LaneReport, cleaner: Cleaner<'_>) -> [String; 6] {
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let mut verdict = word(lane.verdict).to_owned();
    if !lane.required {
        verdict.push_str(" (optional)");
    }
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

/// As wide as the longest cell, unless the line gets longer than `most`: the widest column that may
/// gives way first. The verdict is last and may run over.
fn widths(rows: &[[String; 6]], most: usize) -> [usize; 6] {
    let mut widths = HEADER.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row).take(5) {
            *width = (*width).max(columns(cell));
        }
    }
    let mut excess = (widths.iter().sum::<usize>() + 5 * GAP.len()).saturating_sub(most);
    while excess > 0 {
        let widest = ELASTIC
            .into_iter()
            .filter(|column| widths[*column] > NARROWEST)
            .max_by_key(|column| widths[*column]);
        let Some(widest) = widest else { break };
        widths[widest] -= 1;
        excess -= 1;
    }
    widths
}

fn line(cells: &[String; 6], widths: &[usize; 6], style: Style, color: bool) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths).take(5) {
        let cell = cut_columns(cell, *width);
        let fill = width.saturating_sub(columns(&cell));
        line.push_str(&format!("{cell}{}{GAP}", " ".repeat(fill)));
    }
    let [.., verdict] = cells;
    if color {
        line.push_str(&format!("{style}{verdict}{style:#}\n"));
    } else {
        line.push_str(&format!("{verdict}\n"));
    }
    line
}
