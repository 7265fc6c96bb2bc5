//! `ARCHITECTURE.md` is true: the files that it names are there, and what it says has to be touched
//! to add something is all that has to be touched.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::sandbox::repository;

fn architecture() -> String {
    fs_err::read_to_string(repository().join("ARCHITECTURE.md")).unwrap()
}

/// The paths that a text names between backticks, with folders that hold Rust code.
fn named(text: &str) -> BTreeSet<String> {
    let is_path = |word: &str| {
        let is_below = ["src/", "tests/", "docs/"].iter().any(|folder| word.starts_with(folder));
        is_below && !word.contains([' ', '*', '<'])
    };
    text.split('`').skip(1).step_by(2).filter(|word| is_path(word)).map(str::to_owned).collect()
}

/// The differences that it shows, each with the files that it touches.
fn differences(text: &str) -> Vec<(String, Vec<String>)> {
    let blocks = text.split("```diff\n").skip(1);
    let mut found = Vec::new();
    for block in blocks {
        // What is added may have fences of its own.
        let lines = block.lines().take_while(|line| *line != "```");
        let difference: String = lines.map(|line| format!("{line}\n")).collect();
        let touched = difference.lines().filter_map(|line| line.strip_prefix("+++ b/"));
        let touched = touched.map(str::to_owned).collect();
        found.push((difference, touched));
    }
    found
}

#[test]
fn every_file_that_is_named_is_there() {
    let text = architecture();
    let named = named(&text);
    assert!(named.len() > 30, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|path| !repository().join(path).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn adding_something_touches_its_own_file_and_one_list_and_compiles() {
    let copy = tempfile::tempdir().unwrap();
    copy_sources(copy.path());
    let differences = differences(&architecture());
    assert_eq!(differences.len(), 3, "a check, an engine, a report format");
    for (difference, touched) in &differences {
        assert_eq!(touched.len(), 2, "{touched:?}");
        apply(difference, copy.path());
    }
    // The same folder as that of this test, so that nothing but the copy is compiled.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["check", "--locked", "--offline", "--lib", "--quiet"])
        .current_dir(copy.path())
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// Everything that cargo needs to read the workspace, as git has it.
fn copy_sources(to: &Path) {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "--"])
        .args(["*.rs", "*.toml", "Cargo.lock", "src", "schema", "compose"])
        .current_dir(repository())
        .output()
        .unwrap();
    for name in String::from_utf8(listed.stdout).unwrap().lines() {
        let (from, to) = (repository().join(name), to.join(name));
        if from.is_file() {
            fs_err::create_dir_all(to.parent().unwrap()).unwrap();
            fs_err::copy(from, to).unwrap();
        }
    }
}

fn apply(difference: &str, folder: &Path) {
    let mut git = Command::new("git")
        .args(["apply", "--unidiff-zero", "-"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut git.stdin.take().unwrap(), difference.as_bytes()).unwrap();
    let output = git.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{difference}");
}
