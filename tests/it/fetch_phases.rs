//! Runs that are ended at each step of a fetch: what they leave is whole or has no final name, and the
//! next run makes of it what it should be.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::fetch_killed::{Trial, unfinished};
use crate::hub_stack::folder;
use crate::sandbox::Sandbox;

/// Every name below a folder, as far as nobody takes it away meanwhile.
fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).into_iter().flatten();
    entries.filter_map(|it| Some(it.path().strip_prefix(folder).ok()?.to_owned())).collect()
}

/// Whether something below `folder` is called like that: it ends with `wanted`.
fn is_there(folder: &Path, wanted: &str) -> bool {
    names(folder).iter().any(|name| name.to_string_lossy().ends_with(wanted))
}

/// Ends the process with `signal` as soon as `wanted` is there, which has to come to pass; unless the
/// process is faster.
fn end_at(mut child: Child, signal: Signal, folder: &Path, wanted: &str) {
    let started = Instant::now();
    while !is_there(folder, wanted) {
        assert!(started.elapsed() < Duration::from_secs(30), "`{wanted}` does not come");
        if child.try_wait().unwrap().is_some() {
            assert!(is_there(folder, wanted), "it ended without `{wanted}`");
        }
        std::thread::yield_now();
    }
    if child.try_wait().unwrap().is_none() {
        kill_process(Pid::from_child(&child), signal).unwrap();
    }
    let (signalled, status) = (Instant::now(), child.wait().unwrap());
    assert!(signalled.elapsed() < Duration::from_secs(5), "{wanted}: {:?}", signalled.elapsed());
    let expected = match signal {
        Signal::TERM => status.code() == Some(143),
        _ => status.signal() == Some(signal.as_raw()),
    };
    assert!(expected || status.code() == Some(0), "{wanted}: {status:?}");
}

fn start(sandbox: &Sandbox, arguments: &[&str]) -> Child {
    let mut command = sandbox.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

const SIGNALS: [Signal; 2] = [Signal::KILL, Signal::TERM];

#[test]
fn a_fetch_that_is_ended_at_any_step_is_finished_by_the_next() {
    let steps = [".lock", ".incomplete", ".journal", "config.json", ".metadata", ".stamp"];
    for signal in SIGNALS {
        for step in steps {
            let trial = Trial::new(&[1_200_000, 6_000_000], &["slow=40000000:all"]);
            end_at(trial.start(), signal, &trial.folder(), step);
            trial.assert_whole_so_far();
            trial.finish(0);
            trial.assert_whole();
        }
    }
}

#[test]
fn what_root_leaves_unfinished_belongs_to_whom_the_folder_belongs() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let trial = Trial::new(&[1_200_000, 6_000_000], &["slow=2000000:all"]);
    fs_err::create_dir_all(trial.folder()).unwrap();
    std::os::unix::fs::chown(trial.folder(), Some(1500), Some(1500)).unwrap();
    let mut child = trial.start();
    let started = Instant::now();
    let is_given = |ending: &str| {
        names(&trial.folder()).iter().filter(|name| name.to_string_lossy().ends_with(ending)).any(
            |name| {
                let there = fs_err::symlink_metadata(trial.folder().join(name));
                there.is_ok_and(|there| (there.uid(), there.gid()) == (1500, 1500))
            },
        )
    };
    while !(is_given(".incomplete") && is_given(".journal")) {
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", names(&trial.folder()));
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn so_is_one_into_a_cache() {
    let compose = "services:
  vllm:
    image: vllm/vllm-openai:v0.12.0
    command: acme/tiny
    environment: {HF_HOME: /cache}
    volumes: [./hf:/cache]
";
    for signal in SIGNALS {
        for step in [".incomplete", "snapshots", "config.json", "refs/main"] {
            let hub = crate::hub_stack::hub(&["slow=400000:acme/tiny"]);
            let sandbox = Sandbox::new()
                .file("compose.yaml", compose)
                .file("hf/.keep", "")
                .variable("HF_ENDPOINT", hub.url());
            let cache = sandbox.path().join("hf");
            end_at(start(&sandbox, &["fetch"]), signal, &cache, step);
            let commit = hub.commit("acme/tiny");
            let snapshot = cache.join("hub/models--acme--tiny/snapshots").join(commit);
            for (name, content) in folder() {
                if let Ok(here) = fs_err::read(snapshot.join(&name)) {
                    assert!(here == content, "{step}: {name}");
                }
            }
            let run = sandbox.run(&["fetch"]);
            assert_eq!(run.code, Some(0), "{step}: {}{}", run.stdout, run.stderr);
            for (name, content) in folder() {
                assert!(fs_err::read(snapshot.join(&name)).unwrap() == content, "{step}: {name}");
            }
            let reference = fs_err::read_to_string(snapshot.join("../../refs/main")).unwrap();
            assert_eq!((reference.as_str(), unfinished(&cache)), (commit, Vec::new()), "{step}");
        }
    }
}

#[test]
fn so_is_an_update_that_is_ended_before_or_while_its_files_take_their_places() {
    for signal in SIGNALS {
        for step in ["update", ".incomplete", "generation_config.json"] {
            let hub = crate::fetch_update::moved(&["slow=80000:acme/tiny"]);
            let sandbox = crate::fetch_update::behind(&hub);
            let lane = sandbox.path().join(crate::fetch_update::LANE);
            let update = lane.join(".cache/huggingface/preflight");
            let arguments = ["fetch", "--update", "--lane", "coder"];
            end_at(start(&sandbox, &arguments), signal, &update, step);
            let run = sandbox.run(&arguments);
            assert_eq!(run.code, Some(0), "{step}: {}{}", run.stdout, run.stderr);
            let newest = crate::fetch_update::behind(&hub);
            let fresh = newest.run(&arguments);
            assert_eq!(fresh.code, Some(0), "{}{}", fresh.stdout, fresh.stderr);
            let content = crate::fetch_update::content;
            assert!(content(&sandbox) == content(&newest), "{step}");
            assert!(!update.join("update").exists() && unfinished(&lane).is_empty(), "{step}");
        }
    }
}
