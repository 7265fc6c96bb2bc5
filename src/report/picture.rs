//! The stack as a picture: who calls whom, who serves which lane, where its files and its memory are.
//! Inert.

mod drawn;
mod marked;

use crate::source_map::Place;

/// What there is in a stack, and what leads where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// Of each kind in the order of the plan.
    pub nodes: Vec<Node>,
    /// Between them.
    pub edges: Vec<Edge>,
}

/// A thing in the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
    /// What else is known about it, a line each.
    pub about: Vec<String>,
    /// Where it is written.
    pub place: Place,
    /// How it is.
    pub state: State,
}

/// What a node is, from who asks to what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A service that calls an engine.
    Client,
    /// A service that runs an engine, or what a client takes for one.
    Service,
    /// A lane.
    Lane,
    /// A mount, a volume, a cache, an image.
    Store,
    /// A GPU of the host.
    Gpu,
    /// A file, or all that belong together.
    Files,
}

/// How a thing in the picture is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing is said against it.
    #[default]
    Sound,
    /// It is not as it has to be.
    Broken,
    /// It could not be looked at.
    Unknown,
    /// It is not judged.
    Skipped,
}

/// From a node to what it calls, serves, or reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// An index of [`Picture::nodes`].
    pub from: usize,
    /// An index of [`Picture::nodes`].
    pub to: usize,
    /// The address that is called; absent: nothing is called.
    pub address: Option<String>,
    /// The lanes that need it.
    pub lanes: Vec<String>,
    /// Where it is written.
    pub place: Place,
    /// The finding that it is broken by, as an index of the report's; absent: it is not broken.
    pub broken_by: Option<usize>,
}

impl Picture {
    /// What both ends of an edge are.
    fn kinds(&self, edge: &Edge) -> Option<(Kind, Kind)> {
        Some((self.nodes.get(edge.from)?.kind, self.nodes.get(edge.to)?.kind))
    }
}
