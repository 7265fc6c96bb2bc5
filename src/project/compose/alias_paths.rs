//! Where aliases stand, and which of them Compose takes for a circle (compose-go v2.9.1
//! `loader/reset.go` `checkForCycle`): an anchor that is used both at a path and below it. So two
//! services `qwen2` and `qwen2.5` cannot merge one anchor, although nothing goes round.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::merge_keys;

/// Longer paths are not looked at; no real path comes near it.
const LENGTH_LIMIT: usize = 1024;

/// The path of the value that is being read, and the paths of the aliases before it.
#[derive(Default)]
pub(super) struct AliasPaths {
    keys: String,
    /// Where each key begins.
    starts: Vec<usize>,
    /// Anchors with the paths of their aliases.
    used: HashSet<(usize, u64)>,
    /// Anchors with every path above those.
    above: HashSet<(usize, u64)>,
}

impl AliasPaths {
    /// Goes down to the value below `key`.
    pub(super) fn enter(&mut self, key: &str) {
        self.starts.push(self.keys.len());
        self.keys.push_str(key);
    }

    /// Goes down to an item of a list.
    pub(super) fn enter_item(&mut self, index: usize) {
        self.starts.push(self.keys.len());
        // A string takes everything.
        write!(self.keys, "{index}").ok();
    }

    /// Comes back from it.
    pub(super) fn leave(&mut self) {
        self.keys.truncate(self.starts.pop().unwrap_or(0));
    }

    /// Notes an alias at the present path; false if Compose refuses it.
    pub(super) fn note(&mut self, anchor: usize) -> bool {
        if self.keys.len() + self.starts.len() > LENGTH_LIMIT {
            return true;
        }
        // Compose forgets the merge keys of a path, but for one at the top.
        let is_merge = |key: &str| key == merge_keys::MARKER || key == merge_keys::KEY;
        let ends = self.starts.iter().skip(1).copied().chain([self.keys.len()]);
        let spans = self.starts.iter().zip(ends);
        let keys = spans.map(|(start, end)| self.keys.get(*start..end).unwrap_or("")).enumerate();
        let kept = keys.filter(|(depth, key)| *depth == 0 || !is_merge(key));
        let path = kept.map(|(_, key)| key).collect::<Vec<_>>().join(".");
        if path.contains(merge_keys::KEY) {
            return true;
        }
        let hash = |path: &str| {
            let mut hasher = DefaultHasher::new();
            path.hash(&mut hasher);
            (anchor, hasher.finish())
        };
        let above: Vec<_> = path.match_indices('.').map(|(at, _)| hash(&path[..at])).collect();
        let whole = hash(&path);
        let is_circle =
            self.above.contains(&whole) || above.iter().any(|path| self.used.contains(path));
        self.used.insert(whole);
        self.above.extend(above);
        !is_circle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(paths: &[&[&str]], expected: bool) {
        let mut aliases = AliasPaths::default();
        let accepted = paths.iter().all(|path| {
            path.iter().for_each(|key| aliases.enter(key));
            let accepted = aliases.note(1);
            path.iter().for_each(|_| aliases.leave());
            accepted
        });
        assert_eq!(accepted, expected, "{paths:?}");
    }

    #[test]
    fn an_anchor_is_not_used_at_a_path_and_below_it() {
        check(&[&["services", "a", "<<"], &["services", "b", "<<"]], true);
        check(&[&["services", "a", "<<"], &["services", "a", "labels"]], false);
        check(&[&["services", "a", "labels"], &["services", "a", "\u{0}<<"]], false);
        check(&[&["services", "qwen2", "<<"], &["services", "qwen2.5", "<<"]], false);
        check(&[&["services", "a", "x"], &["services", "a", "x"]], true);
        check(&[&["<<"], &["<<", "a"]], true);
    }
}
