//! `preflight fetch` through the binary, against a local hub: what is brought, and what is left
//! behind.

use std::fs::Permissions;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::hub_stack::{GGUF, bodies, brought, check, edit, hub, same, stack};
use crate::sandbox::Sandbox;

/// A user who owns nothing here.
const NOBODY: u32 = 65_534;

#[test]
fn a_whole_repository_and_one_file_of_another_are_brought_and_are_ready() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    let run = sandbox.run(&["fetch"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.ends_with("preflight: ready: 2 of 2 lanes\n"), "{}", run.stderr);
    assert!(same(&sandbox, "gguf/tiny-Q4_K_M.gguf", GGUF), "the file has the engine's name for it");
    assert_eq!(brought(&sandbox).len(), 11, "{:?}", brought(&sandbox));

    let asked = hub.requests().len();
    let again = sandbox.run(&["fetch"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(hub.requests().len(), asked, "nothing is missing, so nobody is asked");
}

#[test]
fn only_what_is_missing_or_cut_short_is_brought_again() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    check(&sandbox.run(&["fetch"]), 0, &[]);
    let models = sandbox.path().join("models");
    fs_err::remove_file(models.join("vllm/tiny/bf16/config.json")).unwrap();
    let gguf = models.join("gguf/tiny-Q4_K_M.gguf");
    fs_err::OpenOptions::new().write(true).open(&gguf).unwrap().set_len(1000).unwrap();
    let before = hub.requests().len();

    check(&sandbox.run(&["fetch"]), 0, &[]);
    assert!(same(&sandbox, "gguf/tiny-Q4_K_M.gguf", GGUF));
    let asked = hub.requests().split_off(before).into_iter().filter(|it| it.method == "GET");
    let asked: Vec<_> = asked.map(|it| it.path).collect();
    let bodies = |word: &str| asked.iter().any(|path| path.contains(word));
    assert!(bodies("config.json") && !bodies("model-00001"), "{asked:?}");
}

#[test]
fn a_broken_file_that_comes_anew_ends_no_fetch_before_it_has_come() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    check(&sandbox.run(&["fetch", "--lane", "coder"]), 0, &[]);
    let folder = sandbox.path().join("models/vllm/tiny/bf16");
    fs_err::remove_file(folder.join("tokenizer_config.json")).unwrap();
    let shard = folder.join("model-00001-of-00003.safetensors");
    fs_err::OpenOptions::new().write(true).open(shard).unwrap().set_len(100).unwrap();
    check(&sandbox.run(&["fetch", "--lane", "coder"]), 0, &["ready"]);
    assert!(same(
        &sandbox,
        "vllm/tiny/bf16/model-00001-of-00003.safetensors",
        "examples/quickstart/models/vllm/tiny/bf16/model-00001-of-00003.safetensors"
    ));
}

#[test]
fn a_file_that_two_lanes_share_is_fetched_once() {
    let hub = hub(&[]);
    let service = |name: &str| {
        format!(
            "  {name}:\n    image: ghcr.io/ggml-org/llama.cpp:server\n    command: -m /models/a.gguf\n\
             \x20   volumes: [./models:/models]\n\
             \x20   labels: {{preflight.source: hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf}}\n"
        )
    };
    let sandbox = Sandbox::new()
        .file("compose.yaml", format!("services:\n{}{}", service("one"), service("two")))
        .file("models/.keep", "")
        .variable("HF_ENDPOINT", hub.url());
    check(&sandbox.run(&["fetch"]), 0, &["ready: 2 of 2 lanes"]);
    assert_eq!(bodies(&hub), 1);
    assert_eq!(brought(&sandbox), [".keep", "a.gguf"]);
    let listings = hub.requests().iter().filter(|it| it.path.contains("/tree/")).count();
    assert_eq!(listings, 1, "one source is asked once");
}

#[test]
fn a_whole_repository_is_not_fetched_below_the_name_of_a_file() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    edit(&sandbox, "hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf", "hf://acme/tiny-GGUF");
    check(&sandbox.run(&["fetch", "--lane", "reader"]), 17, &["source-names-no-file"]);
    assert!(hub.requests().is_empty());
    assert_eq!(brought(&sandbox), [""; 0]);
}

#[test]
fn without_fetch_nobody_is_asked_and_the_lanes_are_incomplete() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    check(&sandbox.run(&[]), 10, &["preflight fetch --lane reader"]);
    assert!(hub.requests().is_empty());
}

#[test]
fn one_lane_that_fails_does_not_keep_another_from_being_brought() {
    let hub = hub(&["status=404*9:acme/tiny-GGUF"]);
    let sandbox = stack(&hub);
    let run = sandbox.run(&["fetch"]);
    check(&run, 12, &[]);
    assert_eq!(brought(&sandbox).len(), 10, "{:?}", brought(&sandbox));
    assert!(run.stdout.contains("coder") && run.stdout.contains("ready"), "{}", run.stdout);
}

#[test]
fn the_lanes_are_brought_side_by_side() {
    let hub = hub(&[
        "stall=1000:acme/tiny-GGUF",
        "stall=1000:acme/tiny/model-00001-of-00003.safetensors",
    ]);
    let sandbox = stack(&hub);
    let mut child = sandbox.command(&["fetch"]).stdout(Stdio::null()).spawn().unwrap();
    // Both are silent at the same time, so neither has waited for the other.
    hub.wait_until_stalled(2);
    hub.release();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_folder_that_cannot_be_written_is_a_matter_of_rights() {
    use std::os::unix::process::CommandExt as _;
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    fs_err::set_permissions(sandbox.path(), Permissions::from_mode(0o755)).unwrap();
    let models = sandbox.path().join("models");
    fs_err::set_permissions(&models, Permissions::from_mode(0o555)).unwrap();
    let mut command = sandbox.command(&["fetch", "--lane", "reader"]);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let run = sandbox.told(&command.output().unwrap());
    fs_err::set_permissions(&models, Permissions::from_mode(0o755)).unwrap();
    check(&run, 16, &["error[not-writable]"]);
    assert!(hub.requests().is_empty(), "nothing is asked for that cannot be kept");
}

#[test]
fn no_file_is_written_through_a_link_that_leaves_the_lanes_folder() {
    let hub = crate::hub_stack::builder().file("acme/tiny", "1_Pooling/config.json", "{}");
    let hub = hub.start().unwrap();
    let sandbox = stack(&hub);
    let lane = sandbox.path().join("models/vllm/tiny/bf16");
    fs_err::create_dir_all(&lane).unwrap();
    let elsewhere = sandbox.path().join("elsewhere");
    fs_err::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, lane.join("1_Pooling")).unwrap();
    check(&sandbox.run(&["fetch", "--lane", "coder"]), 16, &["error[symlink-leaves-folder]"]);
    assert_eq!(fs_err::read_dir(&elsewhere).unwrap().count(), 0);
    assert_eq!(bodies(&hub), 0);
}

#[test]
fn a_signal_ends_a_fetch_with_its_own_code_and_leaves_no_file_of_that_name() {
    for (signal, code) in
        [(rustix::process::Signal::TERM, 143), (rustix::process::Signal::INT, 130)]
    {
        let hub = hub(&["stall=1000:acme/tiny-GGUF/Tiny.Q4-K-M.gguf"]);
        let sandbox = stack(&hub);
        let mut command = sandbox.command(&["fetch", "--lane", "reader"]);
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        hub.wait_until_stalled(1);
        let process = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(process, signal).unwrap();
        let stopped = Instant::now();
        let status = child.wait().unwrap();
        assert!(stopped.elapsed() < Duration::from_secs(5));
        hub.release();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(status.code(), Some(code), "{said}");
        assert!(!sandbox.path().join("models/gguf/tiny-Q4_K_M.gguf").exists());
    }
}

#[test]
fn progress_for_programs_is_one_object_a_line_and_ends_at_the_last_byte() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    let run = sandbox.run(&["fetch", "--lane", "reader", "--progress", "json"]);
    check(&run, 0, &[]);
    let lines = run.stderr.lines().filter(|line| line.starts_with('{'));
    let events: Vec<serde_json::Value> =
        lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let named = |name: &str| -> Vec<&serde_json::Value> {
        events.iter().filter(|event| event["event"] == name).collect()
    };
    let size = fs_err::metadata(sandbox.path().join("models/gguf/tiny-Q4_K_M.gguf")).unwrap().len();
    assert_eq!(named("started")[0]["bytes"], size);
    let last = *named("received").last().unwrap();
    assert_eq!((last["bytes"].as_u64(), last["of_bytes"].as_u64()), (Some(size), Some(size)));
    assert_eq!(named("finished")[0]["path"], "Tiny.Q4-K-M.gguf");
    assert!(events.iter().all(|event| event["lane"] == "reader"), "{events:?}");
}
