//! A machine that refuses: files that may not grow, disks without room for one more file or read-only,
//! streams that take nothing.

use std::process::{Output, Stdio};

use crate::fetch_killed::{Disk, Trial, skipped, unfinished};
use crate::hub_stack::{hub, stack};
use crate::sandbox::Sandbox;

fn shell(sandbox: &Sandbox, script: &str) -> Output {
    sandbox.shell(script).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_file_that_may_not_grow_is_an_error_that_says_so_and_no_signal() {
    let trial = Trial::new(&[1_200_000, 6_000_000], &[]);
    // Blocks of 512 bytes: nothing, some notes, a small shard, but not the large one.
    for blocks in [0, 1, 2, 200, 4000] {
        let script = format!("ulimit -f {blocks}; preflight fetch --progress none 2>&1 | cat");
        let said = text(&shell(&trial.sandbox, &script).stdout);
        assert!(said.contains("error[not-writable]"), "{blocks}: {said}");
        assert!(said.contains("may not become as large"), "{blocks}: {said}");
        trial.assert_whole_so_far();
    }
    trial.finish(0);
    trial.assert_whole();
}

#[test]
fn a_report_a_lock_file_and_a_help_that_may_not_grow_are_errors() {
    let sandbox = Sandbox::quickstart();
    for (command, code) in [
        ("preflight > out.txt", 1),
        ("preflight -o json=report.json > /dev/null", 1),
        ("preflight explain > out.txt", 1),
        ("preflight man > out.txt", 1),
    ] {
        let output = shell(&sandbox, &format!("ulimit -f 0; {command}"));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{command}: {said}");
        assert!(said.contains("File too large"), "{command}: {said}");
    }
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    let output = shell(&sandbox, "ulimit -f 0; preflight lock 2>&1 >/dev/null | cat");
    let said = text(&output.stdout);
    assert!(said.contains("preflight.lock") && said.contains("File too large"), "{said}");
    assert!(!sandbox.path().join("preflight.lock").exists());
}

#[test]
fn a_standard_error_that_takes_nothing_changes_no_verdict() {
    for (damage, code) in [("true", 0), ("rm models/gguf/*", 10)] {
        let sandbox = Sandbox::quickstart();
        for to in ["/dev/full", "&-"] {
            let output = shell(&sandbox, &format!("{damage}; preflight -vv 2>{to}"));
            assert_eq!(output.status.code(), Some(code), "{to}: {}", text(&output.stdout));
            assert!(text(&output.stdout).contains("LANE"), "{to}");
        }
    }
    for style in ["plain", "json", "tty"] {
        let hub = hub(&[]);
        let sandbox = stack(&hub);
        let script = format!("preflight fetch --progress {style} 2>/dev/full");
        let output = shell(&sandbox, &script);
        assert_eq!(output.status.code(), Some(0), "{style}: {}", text(&output.stdout));
        // Nobody reads it any more.
        let sandbox = stack(&hub);
        let mut child = sandbox.command(&["fetch", "--progress", style]);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{style}");
    }
}

#[test]
fn a_standard_output_that_takes_nothing_is_an_error_on_standard_error() {
    let sandbox = Sandbox::quickstart();
    for command in ["preflight", "preflight plan", "preflight config", "preflight explain"] {
        let output = shell(&sandbox, &format!("{command} >/dev/full"));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains("cannot write to the standard streams"), "{command}: {said}");
        let both = shell(&sandbox, &format!("{command} >/dev/full 2>&1"));
        assert_eq!(both.status.code(), Some(1), "{command}");
    }
}

#[test]
fn a_disk_without_room_for_one_more_file_ends_a_fetch_at_whatever_file_that_is() {
    let trial = Trial::new(&[1_200_000, 6_000_000], &[]);
    let weights = trial.sandbox.path().join("weights");
    let Some(disk) = Disk::mount(weights, "size=64m,nr_inodes=2") else {
        return skipped("no small file system can be mounted");
    };
    let mut codes = Vec::new();
    for inodes in 2..60 {
        disk.remount(&format!("nr_inodes={inodes}"));
        let code = trial.start().wait().unwrap().code();
        assert!(matches!(code, Some(0 | 14)), "{inodes}: {code:?}");
        trial.assert_whole_so_far();
        codes.push(code);
    }
    assert!(codes.contains(&Some(14)) && codes.last() == Some(&Some(0)), "{codes:?}");
    trial.finish(0);
    trial.assert_whole();
}

#[test]
fn a_disk_that_has_become_read_only_is_told_and_left_as_it_is() {
    let trial = Trial::new(&[1_200_000, 6_000_000], &["slow=1000000:all"]);
    let weights = trial.sandbox.path().join("weights");
    let Some(disk) = Disk::mount(weights, "size=64m") else {
        return skipped("no small file system can be mounted");
    };
    let script = "preflight fetch --timeout 3s --progress none";
    shell(&trial.sandbox, script);
    disk.remount("ro");
    let before = unfinished(&trial.folder());
    assert!(!before.is_empty());
    let output = shell(&trial.sandbox, "preflight fetch --progress none");
    assert_eq!(output.status.code(), Some(16), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("error[not-writable]"));
    assert_eq!(unfinished(&trial.folder()), before);
    disk.remount("rw");
    trial.finish(0);
    trial.assert_whole();
}
