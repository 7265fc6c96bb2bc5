//! How to speak of what may be meant by a path at which nothing is.

use crate::facts::nearby::{Likeness, Nearby};

/// What else there is, as the end of a sentence; empty: nothing was seen.
pub(super) fn clause(nearby: &[Nearby]) -> String {
    match nearby {
        [] => String::new(),
        [Nearby { path, likeness: Likeness::OfHost }, ..] => {
            format!(": it is a path of the host, and `{path}` in the service")
        }
        [Nearby { path, likeness: Likeness::FolderOfHost }, ..] => {
            format!(": it is a path of the host, of which the service has `{path}`")
        }
        nearby => {
            let paths: Vec<String> = nearby.iter().map(|it| format!("`{}`", it.path)).collect();
            format!(", but there is {}", paths.join(" and "))
        }
    }
}

/// What to write instead; absent: nothing was seen. `otherwise` is what to do where only the name
/// speaks for it.
pub(super) fn fix(nearby: &[Nearby], otherwise: &str) -> Option<String> {
    let first = nearby.first()?;
    let path = &first.path;
    Some(match (first.likeness, nearby.len()) {
        (Likeness::OfHost, _) | (Likeness::SameName, 1) => format!("write `{path}` instead"),
        (Likeness::FolderOfHost, _) => {
            format!(
                "write the path as the service has it, below `{path}`, and see that it is there"
            )
        }
        (Likeness::SameName, _) => {
            format!("write the one that is meant instead, for example `{path}`")
        }
        (Likeness::NearName, _) => {
            format!("write `{path}` instead, if that is meant, or {otherwise}")
        }
    })
}
