//! Stacks as people have them, as they stand and as they break on an ordinary day: `tests/data/stacks`.
//!
//! Each folder is a stack with the shipped fragment included as the README says:
//!
//! - `compose.yaml`: the stack; the models of the quickstart lie beside it.
//! - `setup.sh`: what else there is.
//! - `cases.txt`: what happened to it. Each case is a line `== what happened: EXIT ID...` and the script
//!   that makes it happen; the ids are all that may be found, each once.
//! - `told.txt`: what preflight, called by hand, prints of each; `PREFLIGHT_TEST_WRITE_DOCS=1` writes it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::sandbox::{Run, Sandbox, repository};

/// Every run waits for the disk most of its time.
const RUNS_AT_ONCE: usize = 4;

/// What happens to a stack, and what has to be said of it.
struct Case<'a> {
    what: &'a str,
    code: i32,
    /// Ids of checks, sorted.
    found: Vec<&'a str>,
    script: &'a str,
}

impl<'a> Case<'a> {
    fn all(text: &'a str) -> Vec<Self> {
        text.split("\n== ").skip(1).map(Self::of).collect()
    }

    fn of(section: &'a str) -> Self {
        let (head, script) = section.split_once('\n').unwrap();
        let (what, expected) = head.rsplit_once(": ").unwrap();
        let mut words = expected.split_whitespace();
        let code = words.next().unwrap().parse().unwrap();
        let mut found: Vec<_> = words.collect();
        found.sort_unstable();
        Self { what, code, found, script }
    }

    fn run(&self, stack: &Path) -> Run {
        let read = |path: &Path| fs_err::read_to_string(path).unwrap();
        let sandbox = Sandbox::quickstart()
            .file("compose.yaml", read(&stack.join("compose.yaml")))
            .file("preflight.yaml", read(&repository().join("compose/preflight.yaml")));
        let setup = fs_err::read_to_string(stack.join("setup.sh")).unwrap_or_default();
        let happens = format!("set -eu\n{setup}\n{}", self.script);
        let happened = sandbox.shell(&happens).output().unwrap();
        let complaint = String::from_utf8_lossy(&happened.stderr);
        assert!(happened.status.success() && complaint.is_empty(), "{}: {complaint}", self.what);
        sandbox.told(&sandbox.shell("export PWD; exec preflight").output().unwrap())
    }

    /// What was printed, and what of it is not as it has to be.
    fn told(&self, stack: &Path) -> (String, Option<String>) {
        let run = self.run(stack);
        let told = format!("== {}\n{}{}\n", self.what, run.stdout, run.stderr);
        let found = found(&run.stdout);
        let is_right = run.code == Some(self.code) && found == self.found;
        let wrong = (!is_right)
            .then(|| format!("{}: exit {:?}, {found:?}\n{told}", stack.display(), run.code));
        (told, wrong)
    }
}

/// The ids of all that is told, sorted.
fn found(report: &str) -> Vec<&str> {
    let id = |line: &'_ str| -> Option<(usize, usize)> {
        let kinds = ["error[", "warning[", "note["];
        let kind = kinds.into_iter().find(|kind| line.starts_with(kind))?;
        Some((kind.len(), line.find("]: ")?))
    };
    let ids = report.lines().filter_map(|line| id(line).map(|(start, end)| &line[start..end]));
    let mut ids: Vec<_> = ids.collect();
    ids.sort_unstable();
    ids
}

/// All that is wrong about a stack.
fn wrong(stack: &Path, write: bool) -> Vec<String> {
    let text = fs_err::read_to_string(stack.join("cases.txt")).unwrap();
    let text = format!("\n{text}");
    let cases = Case::all(&text);
    assert_eq!(cases[0].script.trim(), "", "the first case is the stack as it stands");
    let (all, wrong): (String, Vec<_>) = cases.iter().map(|case| case.told(stack)).unzip();
    let mut wrong: Vec<_> = wrong.into_iter().flatten().collect();
    let snapshot = stack.join("told.txt");
    if write {
        fs_err::write(snapshot, all).unwrap();
    } else if fs_err::read_to_string(&snapshot).unwrap_or_default() != all {
        wrong.push(format!("{} is not what is told now:\n{all}", snapshot.display()));
    }
    wrong
}

#[test]
fn stacks_are_green_as_they_stand_and_what_breaks_is_told_once_and_where_it_is() {
    #[expect(clippy::disallowed_methods, reason = "a test is told whether to write")]
    let write = std::env::var("PREFLIGHT_TEST_WRITE_DOCS").as_deref() == Ok("1");
    let folder = repository().join("tests/data/stacks");
    let stacks = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut stacks: Vec<_> = stacks.collect();
    stacks.sort();
    assert_eq!(stacks.len(), 7);
    let stacks = Mutex::new(stacks.into_iter());
    let next = || stacks.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || std::iter::from_fn(next).flat_map(|stack| wrong(&stack, write)).collect();
    let wrong: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..RUNS_AT_ONCE).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| -> Vec<String> { thread.join().unwrap() }).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
