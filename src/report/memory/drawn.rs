//! The memories for a page: what lies where, in parts of a thousand.

use super::bar::{Bar, Stretch};
use super::{Bank, banks, block};
use crate::report::Report;
use crate::report::text::Cleaner;

/// What all of a bar is.
const WHOLE: u64 = 10_000;

/// One memory and the lanes in it.
pub(in crate::report) struct Drawn {
    /// What it is and how large.
    pub(in crate::report) title: String,
    /// What the lanes leave of it; absent: its size is not known.
    pub(in crate::report) left: Option<String>,
    /// Whether more is taken than there is.
    pub(in crate::report) is_over: bool,
    /// Where it ends, in parts of [`WHOLE`]; absent: at the end of the bar, or that is not known.
    pub(in crate::report) end: Option<u64>,
    /// In the plan's order.
    pub(in crate::report) rows: Vec<DrawnLane>,
}

/// A lane in a memory.
pub(in crate::report) struct DrawnLane {
    pub(in crate::report) name: String,
    /// What it takes.
    pub(in crate::report) sum: String,
    /// Of what.
    pub(in crate::report) parts: String,
    /// From left to right.
    pub(in crate::report) stretches: Vec<DrawnStretch>,
}

/// A stretch of a bar.
pub(in crate::report) struct DrawnStretch {
    /// What takes it; `claimed`: an engine that takes more than it needs.
    pub(in crate::report) what: &'static str,
    /// Whether it is taken at most, and not in any case.
    pub(in crate::report) is_perhaps: bool,
    /// Where it begins and how wide it is, in parts of [`WHOLE`].
    pub(in crate::report) start: u64,
    pub(in crate::report) width: u64,
}

/// Every memory in which a lane takes something.
pub(in crate::report) fn drawn(report: &Report, cleaner: Cleaner<'_>) -> Vec<Drawn> {
    let banks = banks(report);
    banks.iter().filter(|bank| !bank.stays.is_empty()).map(|bank| bank_of(bank, cleaner)).collect()
}

/// What stands in the bars, each once.
pub(in crate::report) fn uses(banks: &[Drawn]) -> Vec<&'static str> {
    let rows = banks.iter().flat_map(|bank| &bank.rows);
    let mut uses: Vec<&'static str> = Vec::new();
    for stretch in rows.flat_map(|row| &row.stretches) {
        if !uses.contains(&stretch.what) {
            uses.push(stretch.what);
        }
    }
    uses
}

fn bank_of(bank: &Bank<'_>, cleaner: Cleaner<'_>) -> Drawn {
    let bars = block::bars(bank);
    let most = bars.iter().map(Bar::bytes).max().unwrap_or(0);
    let scale = bank.bytes.map_or(most, |bytes| bytes.max(most)).max(1);
    let row = |(stay, bar): (&super::Stay<'_>, &Bar)| {
        let row = block::row(stay, bank, cleaner);
        let stretches = stretches(bar, scale);
        DrawnLane { name: row.name, sum: row.sum, parts: row.parts.join(", "), stretches }
    };
    Drawn {
        title: block::title(bank, cleaner),
        left: block::left(bank),
        is_over: bank.bytes.is_some_and(|bytes| bank.taken().left_of(bytes).is_none()),
        end: bank.bytes.filter(|bytes| *bytes < scale).map(|bytes| of_whole(bytes, scale)),
        rows: bank.stays.iter().zip(&bars).map(row).collect(),
    }
}

fn stretches(bar: &Bar, scale: u64) -> Vec<DrawnStretch> {
    let mut bytes = 0_u64;
    let mut drawn = Vec::new();
    for (stretch, more) in &bar.stretches {
        let start = of_whole(bytes, scale);
        bytes = bytes.saturating_add(*more);
        let width = of_whole(bytes, scale).saturating_sub(start);
        let (what, is_perhaps) = match stretch {
            Stretch::Free => continue,
            Stretch::Taken(use_for) => (use_for.id(), false),
            Stretch::Perhaps(use_for) => (use_for.id(), true),
            Stretch::Claimed => ("claimed", false),
        };
        if width > 0 {
            drawn.push(DrawnStretch { what, is_perhaps, start, width });
        }
    }
    drawn
}

fn of_whole(bytes: u64, scale: u64) -> u64 {
    let part = u128::from(bytes) * u128::from(WHOLE) / u128::from(scale.max(1));
    u64::try_from(part).unwrap_or(WHOLE).min(WHOLE)
}
