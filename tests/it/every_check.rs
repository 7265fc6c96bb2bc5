//! How every check is told: one folder of `tests/data/checks` for each, with the text in `told.txt`.
//!
//! Every text is what the binary printed in a copy of the quickstart. The folder has what brings the
//! check about, each file only where it is needed:
//!
//! - `compose.yaml`: the project, in place of the quickstart's.
//! - `pod.yaml`: a manifest of Kubernetes, which `run.sh` names.
//! - `hub`, `docker.json`, `engine.json`: a hub, a Docker Engine and an inference engine, see
//!   [`stand_ins`]. Their addresses are in `HF_ENDPOINT`, `DOCKER_HOST` and `ENGINE`.
//! - `mirror`: an empty file. `HF_ENDPOINT` is then a mirror that redirects to the hub for files, and
//!   the hub's own address is in `HUB`.
//! - `damage.sh`: what has happened before.
//! - `run.sh`: how preflight is called, in place of `preflight` alone.
//!
//! `PREFLIGHT_TEST_WRITE_DOCS=1` writes the texts anew.

mod stand_ins;

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use preflight::findings::Rule;
use preflight::findings::check;

use self::stand_ins::StandIns;
use crate::sandbox::{Sandbox, repository};

/// Many of the runs wait: for a hub that is silent, for a lock.
const RUNS_AT_ONCE: usize = 8;

/// Checks that are about a disk of their own, which a process may not mount everywhere.
const OWN_DISK: [&str; 2] = ["disk-full", "disk-space-short"];

/// What is printed for `id`: its first finding, up to the empty line behind it.
fn block(id: &str, stdout: &str) -> Option<String> {
    let is_about = |block: &&str| {
        block.lines().next().is_some_and(|title| title.contains(&format!("[{id}]: ")))
    };
    stdout.split("\n\n").find(is_about).map(|block| format!("{}\n", block.trim_end()))
}

/// What the binary says of `id`, about what is in `folder`.
///
/// # Errors
/// Everything that it printed, if nothing of that is about `id`.
fn told(id: &str, folder: &Path) -> Result<String, String> {
    let read = |name: &str| fs_err::read_to_string(folder.join(name)).ok();
    let mut sandbox = Sandbox::quickstart();
    if let Some(compose) = read("compose.yaml") {
        sandbox = sandbox.file("compose.yaml", compose);
    }
    if let Some(pod) = read("pod.yaml") {
        sandbox = sandbox.file("pod.yaml", pod);
    }
    let stand_ins = StandIns::of(folder, sandbox.path());
    let addresses = stand_ins.addresses();
    let has_docker = addresses.iter().any(|(name, _)| *name == "DOCKER_HOST");
    sandbox = sandbox.variable("PREFLIGHT_NO_DOCKER", (!has_docker).to_string());
    for (name, address) in &addresses {
        sandbox = sandbox.variable(name, address);
    }
    let shell = |script: &str| sandbox.shell(&format!("set -eu\n{script}")).output().unwrap();
    if let Some(script) = read("damage.sh") {
        let damage = shell(&script);
        assert!(
            damage.status.success(),
            "{id}: {script}{}",
            String::from_utf8_lossy(&damage.stderr)
        );
    }
    let output = shell(&read("run.sh").unwrap_or_else(|| "preflight".to_owned()));
    stand_ins.stop();
    let run = sandbox.told(&output);
    // An init container tells a person on standard error.
    let told = block(id, &run.stdout).or_else(|| block(id, &run.stderr));
    let told = told.ok_or_else(|| format!("{id} is not told:\n{}{}", run.stdout, run.stderr))?;
    Ok(addresses.iter().fold(the_same_for_everyone(&told), |told, (name, address)| {
        told.replace(address, &format!("[{name}]"))
    }))
}

/// Numbers behind these words are those of a machine and a moment: processes, free space, blocks of a
/// file system, seconds.
const NUMBERED: [&str; 5] =
    ["pid ", "available_bytes: ", "allocated_bytes: ", "and only ", "has not moved for "];

/// `[USER]` for the user who runs the tests, `[N]` for a number behind one of [`NUMBERED`], `[STAMP]` for
/// who has hashed a file.
fn the_same_for_everyone(told: &str) -> String {
    let stamped = |line: &str| match line.split_once("hashed by: ") {
        Some((before, _)) => format!("{before}hashed by: [STAMP]\n"),
        None => line.to_owned(),
    };
    let told: String = told.split_inclusive('\n').map(stamped).collect();
    let user = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let told = told.replace(&format!(" {}:{}", user.0, user.1), " [USER]");
    NUMBERED.iter().fold(told, |told, words| {
        let mut parts = told.split(words);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |told, part| {
            let behind = part.trim_start_matches(|it: char| it.is_ascii_digit());
            let number = if behind.len() < part.len() { "[N]" } else { "" };
            format!("{told}{words}{number}{behind}")
        })
    })
}

/// What is told of `rule` and differs from its snapshot; with `write` it becomes the snapshot.
fn difference(rule: &'static Rule, write: bool) -> Option<String> {
    let folder = repository().join("tests/data/checks").join(rule.id);
    let told = match told(rule.id, &folder) {
        Ok(told) => told,
        Err(all) => return Some(all),
    };
    let path = folder.join("told.txt");
    if told == fs_err::read_to_string(&path).unwrap_or_default() {
        return None;
    }
    if write {
        fs_err::write(path, &told).unwrap();
        return None;
    }
    Some(format!("{}:\n{told}", path.display()))
}

#[test]
fn every_check_is_told_as_its_snapshot_says() {
    #[expect(clippy::disallowed_methods, reason = "a test is told whether to write")]
    let write = std::env::var("PREFLIGHT_TEST_WRITE_DOCS").as_deref() == Ok("1");
    let without = if may_mount() { &[][..] } else { left_out(&OWN_DISK) };
    let rules = Mutex::new(check::rules().filter(|rule| !without.contains(&rule.id)));
    let next = || rules.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || std::iter::from_fn(next).filter_map(|rule| difference(rule, write)).collect();
    let wrong: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..RUNS_AT_ONCE).map(|_| scope.spawn(work)).collect();
        let wrong =
            threads.into_iter().flat_map(|thread| -> Vec<String> { thread.join().unwrap() });
        wrong.collect()
    });
    assert!(
        wrong.is_empty(),
        "PREFLIGHT_TEST_WRITE_DOCS=1 writes what is told now:\n{}",
        wrong.join("\n")
    );
}

/// Whether this process may mount a file system for itself alone, as those checks' scripts do.
fn may_mount() -> bool {
    let mount = "mount -t tmpfs tmpfs /mnt";
    let mut command = Command::new("unshare");
    let output = command.args(["--map-root-user", "--mount", "sh", "-c", mount]).output();
    output.is_ok_and(|output| output.status.success())
}

/// Says what was not told; for root, where everything has to be, that is a failure.
#[expect(clippy::print_stderr, reason = "who reads the log of the tests has to see it")]
fn left_out(checks: &'static [&'static str]) -> &'static [&'static str] {
    let required = std::env::var_os("PREFLIGHT_TEST_REQUIRE_ALL").is_some_and(|value| value == "1");
    let is_root = rustix::process::geteuid().is_root();
    assert!(!(required && is_root), "not told: {checks:?}, no file system can be mounted");
    eprintln!("skipped: {checks:?}, no file system can be mounted");
    checks
}

#[test]
fn every_snapshot_is_of_a_check_and_nothing_lies_beside_it_that_is_not_read() {
    let known = [
        "compose.yaml",
        "damage.sh",
        "docker.json",
        "engine.json",
        "hub",
        "mirror",
        "pod.yaml",
        "run.sh",
        "told.txt",
    ];
    let mut mounting = Vec::new();
    for entry in walkdir::WalkDir::new(repository().join("tests/data/checks")).sort_by_file_name() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_str().unwrap();
        match entry.depth() {
            0 => {}
            1 => assert!(check::rule(name).is_some(), "there is no check `{name}`"),
            _ => assert!(known.contains(&name), "{:?} is not read", entry.path()),
        }
        if name == "run.sh" && fs_err::read_to_string(entry.path()).unwrap().contains("mount -t") {
            let folder = entry.path().parent().unwrap().file_name().unwrap();
            mounting.push(folder.to_str().unwrap().to_owned());
        }
    }
    assert_eq!(mounting, OWN_DISK);
}
