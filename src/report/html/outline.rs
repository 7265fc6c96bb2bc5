//! The picture as a list, for narrow screens: what is behind each lane, and what of it is broken.

use super::sketch::mood;
use crate::report::Telling;
use crate::report::picture::{Edge, Kind, Node, Picture};

/// A lane with all that belongs to it.
pub(super) struct Outline {
    pub(super) lane: String,
    pub(super) mood: &'static str,
    pub(super) rows: Vec<Row>,
}

/// One thing that belongs to a lane.
pub(super) struct Row {
    /// What it is to the lane.
    pub(super) role: &'static str,
    pub(super) name: String,
    pub(super) about: String,
    pub(super) place: String,
    /// The number of the finding that it is broken by, from 1; 0: it is not broken.
    pub(super) broken_by: usize,
}

/// A list for each lane.
pub(super) fn of(picture: &Picture, telling: Telling<'_>) -> Vec<Outline> {
    let lanes = picture.nodes.iter().enumerate().filter(|(_, node)| node.kind == Kind::Lane);
    lanes.map(|(index, node)| outline(picture, (index, node), telling)).collect()
}

fn outline(picture: &Picture, (index, lane): (usize, &Node), telling: Telling<'_>) -> Outline {
    let row = |role, end: usize, edge: &Edge| {
        let node = picture.nodes.get(end)?;
        let cleaner = telling.cleaner();
        let place = node.place.span.map(|span| telling.sources.location(span).to_string());
        Some(Row {
            role,
            name: cleaner.line(&node.name),
            about: cleaner.line(&node.about.join(", ")),
            place: cleaner.line(&place.unwrap_or_default()),
            broken_by: edge.broken_by.map_or(0, |index| index + 1),
        })
    };
    let into = |end: usize| picture.edges.iter().filter(move |edge| edge.to == end);
    let out_of = |end: usize| picture.edges.iter().filter(move |edge| edge.from == end);
    let mut rows: Vec<Option<Row>> = Vec::new();
    for serving in into(index) {
        rows.extend(into(serving.from).map(|call| row("called by", call.from, call)));
        rows.push(row("served by", serving.from, serving));
    }
    for edge in out_of(index) {
        let role = match picture.nodes.get(edge.to).map(|node| node.kind) {
            Some(Kind::Gpu) => "on",
            _ => "reads from",
        };
        rows.push(row(role, edge.to, edge));
        let its = out_of(edge.to).filter(|file| file.lanes.contains(&lane.name));
        rows.extend(its.map(|file| row("opens", file.to, file)));
    }
    let name = telling.cleaner().line(&lane.name);
    Outline { lane: name, mood: mood(lane.state), rows: rows.into_iter().flatten().collect() }
}
