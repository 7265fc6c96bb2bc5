//! Several processes that bring the same file into the same folder.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};

use fake_hub::{FakeHub, Origin};

use crate::sandbox::{Sandbox, repository};

const FILE: &str = "tiny-Q4_K_M.gguf";

fn hub(fault: &str) -> FakeHub {
    let path = repository().join("examples/quickstart/models/gguf").join(FILE);
    let builder = FakeHub::builder().file("acme/reader", FILE, fs_err::read(path).unwrap());
    builder.fault(fault.parse().unwrap()).start().unwrap()
}

fn project(hub: &FakeHub) -> Sandbox {
    let compose = format!(
        "services:\n  reader:\n    image: ghcr.io/ggml-org/llama.cpp:server\n    \
         command: -m /models/{FILE}\n    volumes: ['./weights:/models']\n    \
         labels: {{preflight.source: 'hf://acme/reader/{FILE}'}}\n"
    );
    let sandbox = Sandbox::new().file("compose.yaml", compose).file("weights/.keep", "");
    sandbox.variable("HF_ENDPOINT", hub.url()).variable("PREFLIGHT_PROGRESS", "plain")
}

fn spawn(sandbox: &Sandbox, arguments: &[&str]) -> Child {
    let mut command = sandbox.command(&[&["fetch"], arguments].concat());
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The exit code, and what was said after what has been read.
fn end(child: &mut Child) -> (Option<i32>, String) {
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

fn bodies(hub: &FakeHub) -> usize {
    hub.requests().iter().filter(|request| request.origin == Origin::Cdn).count()
}

/// So many at once, of which one fetches.
fn check(count: usize, arguments: &[&str]) {
    let hub = hub("slow=800000:acme/reader");
    let sandbox = project(&hub);
    let mut children: Vec<Child> = (0..count).map(|_| spawn(&sandbox, arguments)).collect();
    for child in &mut children {
        let (code, said) = end(child);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("ready: 1 of 1 lane"), "{said}");
    }
    assert_eq!(bodies(&hub), 1, "{count} {arguments:?}");
}

#[test]
fn two_and_eight_at_once_fetch_a_file_once_and_all_succeed() {
    check(2, &[]);
    check(8, &[]);
}

#[test]
fn so_they_do_where_the_file_system_has_no_locks() {
    check(2, &["--locks", "lease"]);
    check(8, &["--locks", "lease"]);
}

#[test]
fn a_holder_that_was_killed_blocks_nobody() {
    for means in ["flock", "lease"] {
        let hub = hub("stall=1000:acme/reader");
        let sandbox = project(&hub);
        let mut first = spawn(&sandbox, &["--locks", means]);
        hub.wait_until_stalled(1);
        let mut second = spawn(&sandbox, &["--locks", means]);
        let mut said = BufReader::new(second.stderr.as_mut().unwrap());
        let mut line = String::new();
        while !line.contains("waiting for") {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "{means}: nothing is waited for");
        }
        let holder = format!("{FILE}: held by preflight (pid {} on ", first.id());
        assert!(line.contains(&holder), "{means}: {line}");
        drop(said);
        first.kill().unwrap();
        first.wait().unwrap();
        let (code, said) = end(&mut second);
        hub.release();
        assert_eq!(code, Some(0), "{means}: {said}");
        assert_eq!(bodies(&hub), 2, "{means}");
    }
}

#[test]
fn a_holder_that_stands_still_ends_the_wait_with_its_own_code_and_is_named() {
    let hub = hub("slow=800000:acme/reader");
    let sandbox = project(&hub);
    let lock = format!("weights/.cache/huggingface/download/{FILE}.lock");
    let sandbox = sandbox.file(&lock, "").variable("PREFLIGHT_LOCK_PATIENCE", "1");
    let held = fs_err::File::open(sandbox.path().join(&lock)).unwrap();
    held.file().lock().unwrap();
    let run = sandbox.run(&["fetch", "--format", "json"]);
    assert_eq!(run.code, Some(15), "{}{}", run.stdout, run.stderr);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let mut findings = report["findings"].as_array().unwrap().iter();
    let finding = findings.find(|finding| finding["id"] == "locked-by-other").unwrap();
    let message = finding["message"].as_str().unwrap();
    assert!(message.contains(&format!("pid {} (`", std::process::id())), "{message}");
    assert_eq!(bodies(&hub), 0);
    drop(held);
    assert_eq!(sandbox.run(&["fetch"]).code, Some(0));
    assert_eq!(bodies(&hub), 1);
}

#[test]
fn what_other_tools_left_is_neither_used_nor_removed() {
    let hub = hub("slow=80000000:acme/reader");
    let mut sandbox = project(&hub);
    let endings = ["incomplete", "downloadInProgress", "part", "aria2"];
    for ending in endings {
        sandbox = sandbox.file(&format!("weights/{FILE}.{ending}"), "wrong");
    }
    assert_eq!(sandbox.run(&["fetch"]).code, Some(0));
    assert_eq!(bodies(&hub), 1);
    for ending in endings {
        let left = sandbox.path().join(format!("weights/{FILE}.{ending}"));
        assert_eq!(fs_err::read(left).unwrap(), b"wrong");
    }
}
