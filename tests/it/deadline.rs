//! `--timeout`, whatever a run waits for: it ends soon after, and tells what is not done.

use std::time::{Duration, Instant};

use crate::hub_stack::{check, hub, silent_engine, stack};
use crate::sandbox::{Run, Sandbox};
use crate::wire::{Server, say_nothing};

/// Runs with a second of time; fails when it takes much longer.
#[track_caller]
fn run(sandbox: &Sandbox, arguments: &[&str], docker: Option<&Server>) -> Run {
    let mut command = sandbox.command(arguments);
    command.args(["--timeout", "1s"]);
    if let Some(docker) = docker {
        command.env_remove("PREFLIGHT_NO_DOCKER").env("DOCKER_HOST", &docker.url);
    }
    let begin = Instant::now();
    let output = command.output().unwrap();
    let run = sandbox.told(&output);
    let took = begin.elapsed();
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!((1..9).contains(&took.as_secs()), "{arguments:?}: {took:?}\n{said}");
    run
}

#[test]
fn a_hub_that_is_silent_or_wants_to_be_left_alone() {
    let silent = Server::on_port(|_, line| say_nothing(line));
    let sandbox = stack(&hub(&[])).variable("HF_ENDPOINT", &silent.url);
    let told = ["error[download-timed-out]", "fetching did not end within 1s"];
    check(&run(&sandbox, &["fetch", "--lane", "coder"], None), 13, &told);
    for fault in ["rate-limit=250:all", "status=503*1000:all"] {
        let hub = hub(&[fault]);
        check(&run(&stack(&hub), &["fetch", "--lane", "coder"], None), 13, &told);
    }
}

#[test]
fn another_process_that_brings_the_same_file() {
    let hub = hub(&["slow=20000:acme/tiny-GGUF"]);
    let sandbox = stack(&hub);
    let mut holder = sandbox.command(&["fetch", "--lane", "reader", "--progress", "none"]);
    let mut holder = holder.stdout(std::process::Stdio::null()).spawn().unwrap();
    while crate::hub_stack::bodies(&hub) == 0 {
        std::thread::yield_now();
    }
    let run = run(&sandbox, &["fetch", "--lane", "reader"], None);
    check(&run, 13, &["error[download-timed-out]"]);
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn docker_and_an_engine_that_are_silent() {
    let server = Server::on_socket(|_, line| say_nothing(line));
    let run_without = run(&Sandbox::quickstart(), &["verify"], Some(&server));
    check(&run_without, 0, &["note[containers-not-seen]", "no answer to `GET /version` in 1 s"]);

    let (sandbox, _server) = silent_engine();
    let run = run(&sandbox, &["smoke", "--lane", "coder", "--wait", "10m"], None);
    check(&run, 31, &["error[endpoint-unreachable]", "no answer before the end of the run"]);
}

#[test]
fn a_file_that_takes_long_to_hash() {
    const SIZE: u64 = 1 << 40;
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    check(&sandbox.run(&["fetch", "--lane", "reader"]), 0, &[]);
    check(&sandbox.run(&["lock", "--lane", "reader"]), 0, &[]);
    let lock = sandbox.path().join("preflight.lock");
    let mut pins: serde_json::Value =
        serde_json::from_str(&fs_err::read_to_string(&lock).unwrap()).unwrap();
    pins["lanes"]["reader"]["files"]["Tiny.Q4-K-M.gguf"]["size"] = SIZE.into();
    fs_err::write(&lock, pins.to_string()).unwrap();
    let model = crate::hub_stack::brought(&sandbox).remove(0);
    let path = sandbox.path().join("models").join(model);
    fs_err::OpenOptions::new().write(true).open(path).unwrap().set_len(SIZE).unwrap();
    let run = run(&sandbox, &["verify", "--deep", "--lane", "reader"], None);
    assert!(run.stdout.contains("was not hashed within `--timeout`"), "{}", run.stdout);
}

#[test]
fn what_is_done_before_it_is_told_as_ever() {
    let sandbox = Sandbox::quickstart();
    let begin = Instant::now();
    let run = sandbox.run(&["verify", "--timeout", "1h"]);
    assert_eq!((run.code, run.stdout), (Some(0), sandbox.run(&["verify"]).stdout));
    assert!(begin.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_report_that_nobody_reads() {
    let sandbox = Sandbox::quickstart();
    let (_reader, writer) = std::io::pipe().unwrap();
    crate::signals::fill(&writer);
    let begin = Instant::now();
    let mut command = sandbox.command(&["verify", "--timeout", "1s"]);
    assert_eq!(command.stdout(writer).status().unwrap().code(), Some(3));
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
}
