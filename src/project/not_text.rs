//! Values that are written as something else than the text that they have to be.

use crate::source_map::Place;

/// A word or a variable of a container that is a number, say, where the API of Kubernetes takes a text alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotText {
    /// The container.
    pub service: String,
    /// `args`, `command`, or the name of the variable.
    pub key: String,
    /// Whether it is a variable.
    pub is_variable: bool,
    /// What it is instead: `a number`.
    pub is: &'static str,
    /// Whether quotes make a text of it.
    pub can_be_quoted: bool,
    /// Where it is written.
    pub place: Place,
}
