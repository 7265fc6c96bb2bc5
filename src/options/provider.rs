//! What a service of `provider: {type: preflight}` may say under `options`: flags, by their names.

use crate::suggest;

/// What `provider.type` is called, which is the name of the program.
pub const TYPE: &str = "preflight";

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A text, or several where the flag may be repeated.
    Text,
    /// `true` or `false`.
    Switch,
}

/// Every option, in the order in which they are told.
pub const OPTIONS: [(&str, Takes); 14] = [
    ("file", Takes::Text),
    ("project-directory", Takes::Text),
    ("env-file", Takes::Text),
    ("profile", Takes::Text),
    ("lane", Takes::Text),
    ("no-fetch", Takes::Switch),
    ("offline", Takes::Switch),
    ("deep", Takes::Switch),
    ("allow-unknown", Takes::Switch),
    ("allow", Takes::Text),
    ("deny", Takes::Text),
    ("limit-rate", Takes::Text),
    ("timeout", Takes::Text),
    ("lock-file", Takes::Text),
];

/// What the option of that name takes; absent: there is none.
#[must_use]
pub fn takes(name: &str) -> Option<Takes> {
    OPTIONS.iter().find(|(known, _)| *known == name).map(|(_, takes)| *takes)
}

/// What somebody may have meant by a name that is no option, else which there are.
#[must_use]
pub fn meant(name: &str) -> String {
    let names = || OPTIONS.iter().map(|(name, _)| *name);
    let likely = suggest::likely(name, names());
    let all = || format!("there are {}", names().collect::<Vec<_>>().join(", "));
    suggest::question(&likely).unwrap_or_else(all)
}
