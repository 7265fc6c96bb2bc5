//! One memory, with a bar of the parts of every lane that lies in it.

use super::amounts::Range;
use super::bar::{Bar, Stretch};
use super::{Bank, Stay};
use crate::amount::size;
use crate::plan::engine::memory::Part;
use crate::report::human::Layout;
use crate::report::text::{Cleaner, columns, cut_columns};

/// Columns of the widest bar.
const WIDEST: usize = 60;

/// Columns of the narrowest.
const NARROWEST: usize = 8;

const INDENT: &str = "  ";

/// What a row says beside its bar.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) sum: String,
    pub(super) parts: Vec<String>,
}

/// The block, with a line break at its end.
pub(super) fn human(bank: &Bank<'_>, cleaner: Cleaner<'_>, layout: Layout) -> String {
    let rows: Vec<Row> = bank.stays.iter().map(|stay| row(stay, bank, cleaner)).collect();
    let bars = bars(bank);
    let most = bars.iter().map(Bar::bytes).max().unwrap_or(0);
    let scale = bank.bytes.map_or(most, |bytes| bytes.max(most));
    let widest = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
    let name = widest(&mut rows.iter().map(|row| columns(&row.name))).min(layout.width / 4);
    let name = name.max("left".len());
    let sum = widest(&mut rows.iter().map(|row| columns(&row.sum)));
    // Two spaces between each, the brackets of the bar and the mark in it.
    let beside = INDENT.len() * 3 + name + sum + 3;
    let cells = layout.width.saturating_sub(beside).clamp(NARROWEST, WIDEST);
    let is_over = bank.bytes.is_some_and(|bytes| bytes < scale);
    let mut out = format!("{}\n", cut_columns(&title(bank, cleaner), layout.width));
    for (row, bar) in rows.iter().zip(&bars) {
        let shown = cut_columns(&row.name, name);
        let fill = " ".repeat(name.saturating_sub(columns(&shown)));
        let drawn = bar.drawn(scale, cells - usize::from(is_over), bank.bytes, layout);
        out.push_str(&format!("{INDENT}{shown}{fill}  [{drawn}]  {}\n", row.sum));
        let start = format!("{INDENT}{}  ", " ".repeat(name));
        out.push_str(&listed(&row.parts, &start, layout.width));
    }
    if let Some(left) = left(bank) {
        out.push_str(&format!("{INDENT}left  {left}\n"));
    }
    out
}

/// What it is and how large.
pub(super) fn title(bank: &Bank<'_>, cleaner: Cleaner<'_>) -> String {
    let about: Vec<String> = bank.about.iter().map(|text| cleaner.line(text)).collect();
    let name = bank.place.name(cleaner);
    if about.is_empty() { name } else { format!("{name}: {}", about.join(", ")) }
}

/// What the lanes leave of it; absent: its size is not known.
pub(super) fn left(bank: &Bank<'_>) -> Option<String> {
    let bytes = bank.bytes?;
    let taken = bank.taken();
    Some(match taken.left_of(bytes) {
        Some(left) => left.shown(),
        None => format!("none: at least {} too much", size(taken.low - bytes)),
    })
}

pub(super) fn row(stay: &Stay<'_>, bank: &Bank<'_>, cleaner: Cleaner<'_>) -> Row {
    let (mapped, own): (Vec<&Part>, Vec<&Part>) = stay.parts.iter().partition(|part| part.mapped);
    let sum = stay.takes(bank.bytes).shown();
    let is_some = |range: Range| range.high != Some(0);
    let of_part = |part: &&Part| {
        let shown = Range { low: part.low, high: part.high }.shown();
        let about = if part.exact || part.high != Some(part.low) { "" } else { "about " };
        let mapped = if part.mapped { "mapped " } else { "" };
        format!("{mapped}{} {about}{shown}", part.use_for.id())
    };
    let parts = own.iter().chain(&mapped).filter(|part| is_some(Range::sum([**part])));
    let claim = stay
        .claim(bank.bytes)
        .map(|(share, bytes)| format!("claims {} ({})", share.shown(), size(bytes)));
    let parts = claim.into_iter().chain(parts.map(of_part)).collect();
    Row { name: cleaner.line(&stay.lane.name), sum, parts }
}

/// A bar for each lane, which begins where that of the one before it ends.
pub(super) fn bars(bank: &Bank<'_>) -> Vec<Bar> {
    let mut before = 0_u64;
    let bar = |stay: &Stay<'_>| {
        let mut stretches = vec![(Stretch::Free, before)];
        for part in stay.parts.iter().filter(|part| !part.mapped) {
            let more = part.high.unwrap_or(part.low).saturating_sub(part.low);
            stretches.push((Stretch::Taken(part.use_for), part.low));
            stretches.push((Stretch::Perhaps(part.use_for), more));
        }
        let drawn = Bar { stretches };
        let rest = stay
            .claim(bank.bytes)
            .map_or(0, |(_, claimed)| claimed.saturating_sub(drawn.bytes() - before));
        let mut stretches = drawn.stretches;
        stretches.push((Stretch::Claimed, rest));
        stretches.retain(|(_, bytes)| *bytes > 0);
        let bar = Bar { stretches };
        before = bar.bytes();
        bar
    };
    bank.stays.iter().map(bar).collect()
}

/// `items` with commas, in lines of at most `width` that begin with `start`.
fn listed(items: &[String], start: &str, width: usize) -> String {
    let mut out = String::new();
    let mut line = String::new();
    for (index, item) in items.iter().enumerate() {
        let comma = if index + 1 < items.len() { "," } else { "" };
        if !line.is_empty() && columns(start) + columns(&line) + item.len() + 2 > width {
            out.push_str(&format!("{start}{line}\n"));
            line.clear();
        }
        let space = if line.is_empty() { "" } else { " " };
        line.push_str(&format!("{space}{item}{comma}"));
    }
    if !line.is_empty() {
        out.push_str(&format!("{start}{line}\n"));
    }
    out
}
