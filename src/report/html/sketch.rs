//! Where each thing of the picture is drawn: a column for each kind, from who asks to what is read.

use std::collections::HashMap;

use crate::report::Telling;
use crate::report::picture::{Kind, Node, Picture, State};
use crate::report::text::columns;

/// The width of a box, in pixels.
const BOX: u32 = 208;

/// Between two columns.
const GAP: u32 = 40;

/// Between two boxes of a column.
const SPACE: u32 = 16;

/// Around the text of a box.
const PADDING: u32 = 10;

/// The height of a line.
const LINE: u32 = 16;

/// Characters of a fixed width that a line has room for: of a name, which is larger, and of the rest.
const NAME: usize = 22;
const REST: usize = 26;

/// The picture, placed.
pub(super) struct Sketch {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) headings: Vec<Heading>,
    pub(super) boxes: Vec<Box>,
    pub(super) lines: Vec<Line>,
}

/// What stands above a column.
pub(super) struct Heading {
    pub(super) x: u32,
    pub(super) text: &'static str,
}

/// A node.
pub(super) struct Box {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) kind: &'static str,
    pub(super) mood: &'static str,
    /// All of its text in one, for who cannot see it.
    pub(super) label: String,
    pub(super) texts: Vec<Text>,
}

/// A line of text in a box.
pub(super) struct Text {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) class: &'static str,
    pub(super) text: String,
}

/// An edge.
pub(super) struct Line {
    /// The `d` of a path.
    pub(super) path: String,
    /// The number of the finding that it is broken by, from 1; 0: it is not broken.
    pub(super) broken_by: usize,
    /// Its middle.
    pub(super) middle: (u32, u32),
}

/// A node, measured and placed.
struct Placed<'a> {
    node: &'a Node,
    label: String,
    texts: Vec<(&'static str, String)>,
    column: usize,
    y: u32,
    height: u32,
}

impl Sketch {
    pub(super) fn of(picture: &Picture, telling: Telling<'_>) -> Self {
        let used = columns_of(picture);
        let mut placed: Vec<Placed<'_>> =
            picture.nodes.iter().map(|node| measured(node, &used, telling)).collect();
        let ends: Vec<(usize, usize)> =
            picture.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        place(&mut placed, &ends, used.len());
        let x = |column: usize| u32::try_from(column).unwrap_or(0) * (BOX + GAP);
        let height = placed.iter().map(|it| it.y + it.height).max().unwrap_or(0);
        let line = |edge: &crate::report::picture::Edge| {
            let (from, to) = (placed.get(edge.from)?, placed.get(edge.to)?);
            let start = (x(from.column) + BOX, from.y + from.height / 2);
            let end = (x(to.column), to.y + to.height / 2);
            let broken_by = edge.broken_by.map_or(0, |index| index + 1);
            let middle = (start.0.midpoint(end.0), start.1.midpoint(end.1));
            Some(Line { path: curve(start, end), broken_by, middle })
        };
        let mut lines: Vec<Line> = picture.edges.iter().filter_map(line).collect();
        // What is broken lies above what is not.
        lines.sort_by_key(|line| line.broken_by > 0);
        let headings = used.iter().enumerate();
        let headings = headings.map(|(at, text)| Heading { x: x(at), text }).collect();
        let boxes = placed.iter().map(|it| drawn(it, x(it.column))).collect();
        let width = x(used.len()).saturating_sub(GAP);
        Self { width, height: height + 4, headings, boxes, lines }
    }
}

/// The headings of the columns that something stands in.
fn columns_of(picture: &Picture) -> Vec<&'static str> {
    let mut kinds: Vec<Kind> = picture.nodes.iter().map(|node| node.kind).collect();
    kinds.sort_unstable();
    let mut headings: Vec<&'static str> = kinds.into_iter().map(heading).collect();
    headings.dedup();
    headings
}

/// The column that a kind stands in.
fn heading(kind: Kind) -> &'static str {
    match kind {
        Kind::Client => "Clients",
        Kind::Service => "Services",
        Kind::Lane => "Lanes",
        Kind::Store | Kind::Gpu => "Mounts and GPUs",
        Kind::Files => "Files",
    }
}

fn measured<'a>(node: &'a Node, used: &[&'static str], telling: Telling<'_>) -> Placed<'a> {
    let cleaner = telling.cleaner();
    let mut texts: Vec<(&'static str, String)> = Vec::new();
    let mut add = |class, text: &str, room| {
        texts.extend(wrapped(text, room).into_iter().map(|line| (class, line)));
    };
    add("name", &cleaner.line(&node.name), NAME);
    for about in &node.about {
        add("rest", &cleaner.line(about), REST);
    }
    if let Some(span) = node.place.span {
        add("place", &cleaner.line(&telling.sources.location(span).to_string()), REST);
    }
    if node.kind == Kind::Lane {
        add("verdict", verdict(node.state), REST);
    }
    let lines = u32::try_from(texts.len()).unwrap_or(0);
    let column = used.iter().position(|it| *it == heading(node.kind)).unwrap_or(0);
    let label = format!("{} {}: {}", class(node.kind), node.name, node.about.join(", "));
    let label = cleaner.line(label.trim_end_matches([':', ' ']));
    Placed { node, label, texts, column, y: 0, height: lines * LINE + PADDING * 2 - 4 }
}

fn verdict(state: State) -> &'static str {
    match state {
        State::Sound => "ready",
        State::Broken => "not ready",
        State::Unknown => "unknown",
        State::Skipped => "skipped",
    }
}

/// Puts what belongs together below what was put before, every box as near to its neighbours as there is
/// room.
fn place(placed: &mut [Placed<'_>], ends: &[(usize, usize)], used: usize) {
    let mut before: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut behind: HashMap<usize, Vec<usize>> = HashMap::new();
    for (from, to) in ends {
        before.entry(*to).or_default().push(*from);
        behind.entry(*from).or_default().push(*to);
    }
    let mut free = 0;
    for group in groups(placed.len(), ends) {
        let mut settled = |column: usize, neighbours: &HashMap<usize, Vec<usize>>| {
            settle(placed, &group, (column, neighbours));
        };
        (0..used).for_each(|column| settled(column, &before));
        (0..used).rev().for_each(|column| settled(column, &behind));
        (0..used).for_each(|column| settled(column, &before));
        let its = |at: &usize| placed.get(*at).map(|it| (it.y, it.y + it.height));
        let top = group.iter().filter_map(its).map(|(y, _)| y).min().unwrap_or(0);
        let end = group.iter().filter_map(its).map(|(_, end)| end).max().unwrap_or(0);
        for at in &group {
            if let Some(it) = placed.get_mut(*at) {
                it.y = it.y - top + free;
            }
        }
        free += end - top + SPACE;
    }
}

/// The nodes that something leads between, in the order of the first of each.
fn groups(nodes: usize, ends: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut beside: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for (from, to) in ends {
        for (one, other) in [(*from, *to), (*to, *from)] {
            if let Some(list) = beside.get_mut(one) {
                list.push(other);
            }
        }
    }
    let mut seen = vec![false; nodes];
    let mut groups = Vec::new();
    for first in 0..nodes {
        let (mut group, mut next) = (Vec::new(), vec![first]);
        while let Some(at) = next.pop() {
            if seen.get_mut(at).is_some_and(|seen| !std::mem::replace(seen, true)) {
                group.push(at);
                next.extend(beside.get(at).into_iter().flatten());
            }
        }
        group.sort_unstable();
        groups.extend(Some(group).filter(|group| !group.is_empty()));
    }
    groups
}

/// Orders what of a group stands in one column by its neighbours, and lets it begin where they are.
fn settle(
    placed: &mut [Placed<'_>],
    group: &[usize],
    (column, neighbours): (usize, &HashMap<usize, Vec<usize>>),
) {
    let centre = |it: &Placed<'_>| it.y + it.height / 2;
    let wish = |index: usize| -> Option<u32> {
        let near: Vec<u32> =
            neighbours.get(&index)?.iter().filter_map(|it| placed.get(*it)).map(centre).collect();
        let count = u32::try_from(near.len()).ok().filter(|count| *count > 0)?;
        Some(near.iter().sum::<u32>() / count)
    };
    let its = group.iter().filter_map(|at| Some((*at, placed.get(*at)?)));
    let its = its.filter(|(_, it)| it.column == column);
    let mut order: Vec<(usize, u32)> =
        its.map(|(at, it)| (at, wish(at).unwrap_or_else(|| centre(it)))).collect();
    order.sort_by_key(|(_, wish)| *wish);
    let mut free = 0;
    for (index, wish) in order {
        if let Some(it) = placed.get_mut(index) {
            it.y = wish.saturating_sub(it.height / 2).max(free);
            free = it.y + it.height + SPACE;
        }
    }
}

/// From the right of one box to the left of another; downwards where both are in one column.
fn curve((x, y): (u32, u32), (to_x, to_y): (u32, u32)) -> String {
    let bend = to_x.abs_diff(x) / 2;
    format!("M{x} {y}C{} {y} {} {to_y} {to_x} {to_y}", x + bend, to_x.saturating_sub(bend))
}

fn drawn(placed: &Placed<'_>, x: u32) -> Box {
    let mut y = placed.y + PADDING + 2;
    let mut texts = Vec::new();
    for (class, text) in &placed.texts {
        texts.push(Text { x: x + PADDING, y: y + 8, class, text: text.clone() });
        y += LINE;
    }
    Box {
        x,
        y: placed.y,
        width: BOX,
        height: placed.height,
        kind: class(placed.node.kind),
        mood: mood(placed.node.state),
        label: placed.label.clone(),
        texts,
    }
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Client => "client",
        Kind::Service => "service",
        Kind::Lane => "lane",
        Kind::Store => "store",
        Kind::Gpu => "gpu",
        Kind::Files => "files",
    }
}

pub(super) fn mood(state: State) -> &'static str {
    match state {
        State::Sound => "sound",
        State::Broken => "broken",
        State::Unknown => "unknown",
        State::Skipped => "skipped",
    }
}

/// `text` in lines of at most `room` columns, broken behind what parts names where that is near enough.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for character in text.chars() {
        line.push(character);
        if columns(&line) <= room {
            continue;
        }
        let last = line.pop();
        let at = line.rfind([' ', '/', '-', '_', '.', ':', '@', ',']).map_or(0, |at| at + 1);
        let rest = if at * 2 >= line.len() { line.split_off(at) } else { String::new() };
        lines.push(std::mem::replace(&mut line, rest));
        line.extend(last);
    }
    lines.push(line);
    lines.into_iter().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_leads_between_stands_apart() {
        assert_eq!(groups(5, &[(0, 3), (4, 1)]), [vec![0, 3], vec![1, 4], vec![2]]);
    }

    #[test]
    fn long_names_are_broken_and_nothing_of_them_is_cut_off() {
        let check = |text: &str, room, expected: &[&str]| {
            assert_eq!(wrapped(text, room), expected, "{text}");
        };
        check("short", 10, &["short"]);
        check("models/vllm/coder", 12, &["models/vllm/", "coder"]);
        check("abcdefghijkl", 5, &["abcde", "fghij", "kl"]);
        check("a bcdefghij", 5, &["a bcd", "efghi", "j"]);
        check("", 5, &[]);
    }
}
