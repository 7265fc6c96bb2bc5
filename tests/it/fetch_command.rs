//! `preflight fetch`, by hand: a project, a local hub, and what is on the disk afterwards.

use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use fake_hub::{Builder, FakeHub, Origin};

use crate::sandbox::{Run, Sandbox, repository};

const FILE: &str = "tiny-Q4_K_M.gguf";

fn hub() -> Builder {
    let path = repository().join("examples/quickstart/models/gguf").join(FILE);
    FakeHub::builder().file("acme/reader", FILE, fs_err::read(path).unwrap())
}

/// A project with one llama.cpp service for each `(service, file, source)`.
fn project(hub: &FakeHub, services: &[(&str, &str, &str)]) -> Sandbox {
    let mut compose = "services:\n".to_owned();
    for (name, file, source) in services {
        compose.push_str(&format!(
            "  {name}:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: -m /models/{file}
    volumes: [./weights:/models]
    labels: {{preflight.source: {source}}}
"
        ));
    }
    Sandbox::new()
        .file("compose.yaml", compose)
        .file("weights/.keep", "")
        .file("models/.keep", "")
        .variable("HF_ENDPOINT", hub.url())
}

fn bodies(hub: &FakeHub) -> usize {
    hub.requests().iter().filter(|request| request.origin == Origin::Cdn).count()
}

/// What is below the models folder, without files that were there before and the locks that stay,
/// as those of `hf` do.
fn weights(sandbox: &Sandbox) -> Vec<String> {
    let root = sandbox.path().join("weights");
    let files = walkdir::WalkDir::new(&root).sort_by_file_name().into_iter().map(Result::unwrap);
    files
        .filter(|entry| entry.file_type().is_file() && entry.file_name() != ".keep")
        .map(|entry| entry.path().strip_prefix(&root).unwrap().display().to_string())
        .filter(|path| !path.ends_with(".lock"))
        .collect()
}

fn check(run: &Run, code: i32, word: &str) {
    assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(word), "`{word}` is not in: {}", run.stderr);
}

#[test]
fn a_file_that_two_lanes_share_is_fetched_once() {
    let hub = hub().start().unwrap();
    let source = "hf://acme/reader/tiny-Q4_K_M.gguf";
    let sandbox = project(&hub, &[("one", "a.gguf", source), ("two", "a.gguf", source)]);
    check(&sandbox.run(&["fetch"]), 0, "ready: 2 of 2 lanes");
    assert_eq!(bodies(&hub), 1);
    assert_eq!(weights(&sandbox), ["a.gguf"]);
}

#[test]
fn a_whole_repository_is_not_fetched_below_the_name_of_a_file() {
    let hub = hub().start().unwrap();
    let sandbox = project(&hub, &[("one", "a.gguf", "hf://acme/reader")]);
    check(&sandbox.run(&["fetch"]), 17, "source-names-no-file");
    assert!(hub.requests().is_empty());
    assert!(weights(&sandbox).is_empty());
}

#[test]
fn what_only_the_catalogue_knows_is_not_fetched_unless_it_is_named() {
    let hub = hub().start().unwrap();
    let source = "hf://acme/reader/tiny-Q4_K_M.gguf";
    let sandbox = project(&hub, &[("one", "a.gguf", source)]);
    let path = sandbox.path().join("compose.yaml");
    let compose = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, format!("x-preflight: {{catalogue: cortex}}\n{compose}")).unwrap();
    check(&sandbox.run(&["fetch"]), 0, "ready: 1 of 6 lanes");
    let asked = || hub.requests().iter().filter(|it| !it.path.contains("acme/reader")).count();
    assert_eq!(asked(), 0);
    sandbox.run(&["fetch", "--lane", "governance"]);
    assert!(asked() > 0);
}

#[test]
fn a_signal_ends_a_fetch_with_its_own_code_and_leaves_no_half_of_a_file() {
    for (signal, code) in
        [(rustix::process::Signal::TERM, 143), (rustix::process::Signal::INT, 130)]
    {
        let hub = hub().fault("stall=2000:acme/reader".parse().unwrap()).start().unwrap();
        let source = "hf://acme/reader/tiny-Q4_K_M.gguf";
        let sandbox = project(&hub, &[("one", "a.gguf", source)]);
        let mut child = sandbox
            .command(&["fetch"])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while bodies(&hub) == 0 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let process = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(process, signal).unwrap();
        let stopped = Instant::now();
        let status = child.wait().unwrap();
        assert!(stopped.elapsed() < Duration::from_secs(5));
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(status.code(), Some(code), "{said}");
        assert_eq!(weights(&sandbox), Vec::<String>::new());
    }
}
