//! `<<`, `!reset` and `!override` inside one document: merged in, and collected (go-yaml v3
//! `decode.go` `merge`, compose-go v2.9.1 `loader/reset.go`).

use super::fault::Fault;
use super::tree::{Entry, Kind, Mapping, Mark, Node};

/// The merge key as it is written.
pub(super) const KEY: &str = "<<";

/// How the tree marks a merge key until [`resolve`] has seen it, so that `"<<"` stays a plain key.
pub(super) const MARKER: &str = "\u{0}<<";

/// Whether a file has anything for [`resolve`] to do; most have not.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// A `!reset` or an `!override`.
    pub(super) marks: bool,
    /// A `<<`.
    pub(super) keys: bool,
}

/// Applies and removes every merge key and every `!reset` below `root`; returns the paths of
/// `!reset` and `!override`, which an earlier file's values at those paths give way to.
pub(super) fn resolve(root: &mut Node, seen: Seen) -> Result<Vec<Vec<String>>, Fault> {
    let mut resets = Vec::new();
    if seen.marks {
        collect(root, &mut Vec::new(), &mut resets);
    }
    if seen.keys {
        merge(root)?;
    }
    Ok(resets)
}

/// Removes what is marked and notes its path; merge keys are no part of a path.
fn collect(node: &mut Node, path: &mut Vec<String>, resets: &mut Vec<Vec<String>>) {
    if node.mark.is_some() {
        resets.push(path.clone());
        if node.mark == Some(Mark::Override) {
            return;
        }
    }
    let dropped = |node: &Node| node.mark == Some(Mark::Reset);
    match &mut node.kind {
        Kind::Sequence(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push(index.to_string());
                collect(item, path, resets);
                path.pop();
            }
            items.retain(|item| !dropped(item));
        }
        Kind::Mapping(entries) => {
            for (key, entry) in entries.iter_mut() {
                let merged = key == MARKER;
                if !merged {
                    path.push(key.clone());
                }
                collect(&mut entry.value, path, resets);
                if !merged {
                    path.pop();
                }
            }
            entries.retain(|_, entry| !dropped(&entry.value));
        }
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::String(_)
        | Kind::Time(_) => {}
    }
}

/// Removes what is marked with `!reset` below a value that has an anchor: an alias brings the value
/// without it, and the earlier file's value stays.
pub(super) fn drop_resets(node: &mut Node) {
    let dropped = |node: &Node| node.mark == Some(Mark::Reset);
    if node.mark == Some(Mark::Override) {
        return;
    }
    match &mut node.kind {
        Kind::Sequence(items) => {
            items.retain(|item| !dropped(item));
            items.iter_mut().for_each(drop_resets);
        }
        Kind::Mapping(entries) => {
            entries.retain(|_, entry| !dropped(&entry.value));
            entries.values_mut().for_each(|entry| drop_resets(&mut entry.value));
        }
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::String(_)
        | Kind::Time(_) => {}
    }
}

fn merge(node: &mut Node) -> Result<(), Fault> {
    match &mut node.kind {
        Kind::Sequence(items) => items.iter_mut().try_for_each(merge),
        Kind::Mapping(entries) => {
            entries.values_mut().try_for_each(|entry| merge(&mut entry.value))?;
            match entries.shift_remove(MARKER) {
                Some(merged) => merge_into(entries, merged),
                None => Ok(()),
            }
        }
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::String(_)
        | Kind::Time(_) => Ok(()),
    }
}

/// Own keys win, then the first mapping of a list.
fn merge_into(entries: &mut Mapping, merged: Entry) -> Result<(), Fault> {
    let place = merged.key_place();
    let refusal = || Fault::at(&place, "`<<` needs a mapping or a list of mappings");
    let sources = match merged.value.kind {
        Kind::Mapping(source) => vec![source],
        Kind::Sequence(items) => {
            let mut sources = Vec::with_capacity(items.len());
            for item in items {
                let Kind::Mapping(source) = item.kind else { return Err(refusal()) };
                sources.push(source);
            }
            sources
        }
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::String(_)
        | Kind::Time(_) => {
            return Err(refusal());
        }
    };
    for source in sources {
        for (key, entry) in source {
            entries.entry(key).or_insert(entry);
        }
    }
    Ok(())
}
