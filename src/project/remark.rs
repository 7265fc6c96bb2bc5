//! What is told of the files of a project beside what its services are.

use crate::source_map::Place;

/// Something about the files of a project that whoever wrote them wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// What sort of thing it is.
    pub kind: RemarkKind,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub fix: String,
    /// Where it is written, and wherever else it is the same.
    pub places: Vec<Place>,
    /// The service in which it is written; absent: in none.
    pub service: Option<String>,
}

/// The sorts of remarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemarkKind {
    /// A value stands for another one that nobody has filled in.
    Placeholder,
    /// A file of a folder is none that can be judged.
    LeftOut,
    /// Something that is said to preflight, and that it does not understand.
    Annotation,
}
