//! Which lanes fit, one a line.

use crate::facts::memory::{Fits, LaneMemory};
use crate::report::human::Layout;
use crate::report::text::{Cleaner, columns, cut_columns, cut_columns_end};
use crate::report::{LaneReport, Verdict};

const HEADER: [&str; 3] = ["LANE", "ENGINE", "FITS"];

const GAP: &str = "  ";

/// The table, or nothing where there is no lane.
pub(super) fn human(lanes: &[LaneReport], cleaner: Cleaner<'_>, layout: Layout) -> String {
    if lanes.is_empty() {
        return String::new();
    }
    let mut rows = vec![HEADER.map(str::to_owned)];
    rows.extend(lanes.iter().map(|lane| row(lane, cleaner)));
    let widest = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| columns(cell)).max().unwrap_or(0)
    };
    let widths = [widest(0).min(layout.width / 4), widest(1)];
    let mut table = String::new();
    for [name, engine, fits] in &rows {
        let mut line = String::new();
        for (cell, width) in [name, engine].into_iter().zip(widths) {
            let cell = cut_columns(cell, width);
            let fill = " ".repeat(width.saturating_sub(columns(&cell)));
            line.push_str(&format!("{cell}{fill}{GAP}"));
        }
        let left = layout.width.saturating_sub(columns(&line));
        table.push_str(&format!("{line}{}\n", cut_columns_end(fits, left)));
    }
    table
}

fn row(lane: &LaneReport, cleaner: Cleaner<'_>) -> [String; 3] {
    [
        cleaner.line(&lane.name),
        lane.engine.map_or("-", |engine| engine.name()).to_owned(),
        cleaner.joined(&answer(lane)),
    ]
}

/// Whether it fits, the largest value with which it does, and why that is not known.
pub(super) fn answer(lane: &LaneReport) -> String {
    let largest = |memory: &LaneMemory| {
        let largest = memory.largest.as_ref()?;
        Some(format!("up to `{} {}`", largest.flag, largest.value))
    };
    let largest = lane.memory.as_ref().and_then(largest);
    let fits = lane.memory.as_ref().map_or(Fits::Unknown, |memory| memory.fits);
    let (word, why) = match (lane.verdict, fits) {
        (Verdict::Skipped, _) => ("skipped", lane.reason.clone()),
        (Verdict::NotReady, _) | (_, Fits::No) => ("no", largest),
        (_, Fits::Yes) => ("yes", largest),
        (_, Fits::Unknown) => ("unknown", largest.or_else(|| lane.reason.clone())),
    };
    why.map_or_else(|| word.to_owned(), |why| format!("{word}: {why}"))
}
