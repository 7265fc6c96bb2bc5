//! What `preflight lock` prints: which commit every lane is pinned to, and where that moved; with
//! `--check`, what is not pinned.

use std::path::Path;

use serde_json::json;

use super::Telling;
use crate::amount::size;
use crate::exit_code::ExitCode;
use crate::facts::lockfile::{LockState, LockedLane, Lockfile, Pin};

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

/// A lock file, held against the lanes.
#[derive(Debug, Clone, Copy)]
pub struct Checked<'a> {
    /// Where it is, or would be.
    pub path: &'a Path,
    /// Whether it is there.
    pub is_there: bool,
    /// Every lane that it has to have, and what it has besides.
    pub lanes: &'a [LockedLane],
}

impl Checked<'_> {
    /// Whether it pins every lane that has a source, as it is, and nothing else.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.lanes.iter().all(|lane| matches!(lane.state, LockState::Pinned(_)))
    }

    /// What a run ends with on standard error.
    pub(super) fn verdict(&self) -> String {
        let exit = ExitCode::Lane;
        if self.is_current() {
            return "preflight: the lock file is up to date\n".to_owned();
        }
        let (code, meaning) = (exit.code(), exit.meaning());
        format!(
            "preflight: the lock file is not up to date: exit {code}, {meaning}; fix: run `preflight \
             lock`, and commit what it writes\n"
        )
    }

    /// For a person, with a line break at its end.
    pub(super) fn human(&self, telling: Telling<'_>) -> String {
        let cleaner = telling.cleaner();
        let is_there = if self.is_there { "" } else { ": it is not there" };
        let mut text = format!("{}{is_there}\n", cleaner.joined(&self.path.display().to_string()));
        for LockedLane { name, state } in self.lanes {
            let said = match state {
                LockState::Pinned(commit) => format!("pinned at {}", short(commit)),
                LockState::Missing(source) => {
                    format!("`{source}` is not pinned: `preflight lock --lane {name}`")
                }
                LockState::Outdated { pinned, now } if pinned == now => {
                    format!("other files of `{now}` are pinned: `preflight lock --lane {name}`")
                }
                LockState::Outdated { pinned, now } => {
                    format!("`{pinned}` is pinned, not `{now}`: `preflight lock --lane {name}`")
                }
                LockState::Surplus => "pinned, and no lane: `preflight lock` drops it".to_owned(),
            };
            text.push_str(&format!("  {}: {}\n", cleaner.line(name), cleaner.line(&said)));
        }
        if self.lanes.is_empty() {
            text.push_str("  no lane has a source, so nothing has to be pinned\n");
        }
        text
    }

    /// For a program, with a line break at its end.
    pub(super) fn json(&self) -> String {
        let lane = |LockedLane { name, state }: &LockedLane| match state {
            LockState::Pinned(commit) => json!({"name": name, "state": "pinned", "commit": commit}),
            LockState::Missing(source) => {
                json!({"name": name, "state": "missing", "source": source.to_string()})
            }
            LockState::Outdated { pinned, now } => json!({
                "name": name, "state": "outdated",
                "pinned": pinned.to_string(), "source": now.to_string(),
            }),
            LockState::Surplus => json!({"name": name, "state": "surplus"}),
        };
        let checked = json!({
            "path": self.path.display().to_string(),
            "exists": self.is_there,
            "current": self.is_current(),
            "lanes": self.lanes.iter().map(lane).collect::<Vec<_>>(),
        });
        format!("{checked:#}\n")
    }
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
