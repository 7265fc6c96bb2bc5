//! What `preflight lock` prints: which commit every lane is pinned to, and where that moved.

use std::path::Path;

use super::Telling;
use crate::amount::size;
use crate::facts::lockfile::{Lockfile, Pin};

/// Digits of a commit that a person compares.
const SHORT: usize = 12;

/// A lock file before and after a run.
#[derive(Debug, Clone, Copy)]
pub struct Pinned<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// As it was; empty if there was none.
    pub before: &'a Lockfile,
    /// As it is.
    pub after: &'a Lockfile,
}

/// For a person, with a line break at its end.
pub(super) fn human(pinned: &Pinned<'_>, telling: Telling<'_>) -> String {
    let cleaner = telling.cleaner();
    let mut text = format!("{}\n", cleaner.joined(&pinned.path.display().to_string()));
    for (name, pin) in &pinned.after.lanes {
        let before = pinned.before.lanes.get(name);
        let count = pin.files.len();
        let files = if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
        let (name, source) = (cleaner.line(name), cleaner.line(&pin.source.to_string()));
        let (moved, bytes) = (moved(before, pin), size(pin.size()));
        text.push_str(&format!("  {name}: {source} {moved}, {files}, {bytes}\n"));
    }
    for name in pinned.before.lanes.keys().filter(|name| !pinned.after.lanes.contains_key(*name)) {
        text.push_str(&format!("  {}: dropped\n", cleaner.line(name)));
    }
    if pinned.after.lanes.is_empty() {
        text.push_str("  no lane has a source, so nothing is pinned\n");
    }
    text
}

fn moved(before: Option<&Pin>, after: &Pin) -> String {
    let to = short(&after.commit);
    match before {
        None => format!("pinned to {to}"),
        Some(before) if before == after => format!("stays at {to}"),
        Some(before) if before.commit == after.commit => format!("stays at {to}, other files"),
        Some(before) => format!("moved from {} to {to}", short(&before.commit)),
    }
}

fn short(commit: &str) -> &str {
    commit.get(..SHORT).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::human::Layout;
    use crate::report::redact::Redactor;
    use crate::report::tests::telling;
    use crate::source_map::SourceMap;

    fn pin(commit: &str) -> Pin {
        let source = "hf://o/r".parse().unwrap();
        Pin { source, commit: commit.repeat(40), files: BTreeMap::new() }
    }

    fn lockfile(lanes: &[(&str, Pin)]) -> Lockfile {
        let lanes = lanes.iter().map(|(name, pin)| ((*name).to_owned(), pin.clone()));
        Lockfile { lanes: lanes.collect() }
    }

    #[test]
    fn every_lane_says_where_it_is_and_where_it_was() {
        let before = lockfile(&[("a", pin("1")), ("b", pin("1")), ("gone", pin("1"))]);
        let after = lockfile(&[("a", pin("1")), ("b", pin("2")), ("new", pin("3"))]);
        let path = Path::new("preflight.lock");
        let pinned = Pinned { path, before: &before, after: &after };
        let (sources, redactor) = (SourceMap::default(), Redactor::default());
        let text = human(&pinned, telling(&sources, &redactor, Layout::default()));
        let expected = "preflight.lock\n  \
             a: hf://o/r stays at 111111111111, 0 files, 0 B\n  \
             b: hf://o/r moved from 111111111111 to 222222222222, 0 files, 0 B\n  \
             new: hf://o/r pinned to 333333333333, 0 files, 0 B\n  gone: dropped\n";
        assert_eq!(text, expected);
    }
}
