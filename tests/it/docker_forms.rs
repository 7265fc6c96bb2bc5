//! The ways in which people bring a stack up, and what each of them shows: the README's table.

use std::process::Stdio;

use crate::docker_stack::{MODEL, MODEL_PATH, Outcome, Stack, docker, outcome};

/// What Compose says when preflight has not let the stack start.
const REFUSED: &str = "service \"preflight\" didn't complete successfully: exit 10";

const RUN: [&str; 4] = ["run", "--rm", "llama", "--version"];

fn assert_fine(outcome: &Outcome) {
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stdout, outcome.stderr);
}

/// Compose has failed with its one line about preflight, and says it last.
fn assert_refused(outcome: &Outcome) {
    assert_eq!(outcome.code, 1, "{}\n{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.stderr.lines().last(), Some(REFUSED), "{}", outcome.stdout);
}

/// When the container of the engine was started, and what became of it.
fn life(stack: &Stack) -> [String; 3] {
    [".State.Status", ".State.StartedAt", ".Id"].map(|field| stack.inspect("llama", field))
}

#[test]
fn attached_up_shows_the_report_and_then_the_engine() {
    let Some(stack) = Stack::new("form-attached", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    let mut command = stack.compose_command(&["up", "preflight", "llama"]);
    let up = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    stack.wait_until_there("llama");
    stack.wait_until("llama", ".State.Status", "running");
    stack.assert_llama_serves();
    assert_fine(&stack.compose(&["stop", "--timeout", "0", "llama"]));
    let output = up.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let at = |words: &str| shown.find(words).unwrap_or_else(|| panic!("`{words}`: {shown}"));
    assert!(at("preflight-1  | preflight: ready: 1 of 1 lane") < at("llama-1      | "), "{shown}");
    assert!(at("preflight-1 exited with code 0") < at("llama-1 exited with code "), "{shown}");
}

#[test]
fn every_form_starts_a_stack_whose_model_is_there() {
    let Some(stack) = Stack::new("form-fine", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    for form in [&["up", "-d"][..], &["up", "--wait"], &["up", "-d"]] {
        let before = life_if_there(&stack);
        assert_fine(&stack.compose(form));
        assert_eq!(stack.inspect("preflight", ".State.ExitCode"), "0", "{form:?}");
        stack.assert_llama_serves();
        // The second time a running engine stays as it is.
        before.into_iter().for_each(|before| assert_eq!(life(&stack), before, "{form:?}"));
    }
    let [_, started, id] = life(&stack);
    assert_fine(&outcome(&mut docker(["kill", &id])));
    stack.wait_until("llama", ".State.Status", "exited");
    assert_fine(&stack.compose(&["up", "-d"]));
    stack.assert_llama_serves();
    let [_, again, same] = life(&stack);
    assert!(id == same && started < again, "the crashed container is started again");

    let run = stack.compose(&RUN);
    assert_fine(&run);
    assert!((run.stdout + &run.stderr).contains("version: "), "the engine has run");
    for form in [&["restart"][..], &["restart", "llama"], &["start", "llama"]] {
        assert_fine(&stack.compose(form));
        stack.assert_llama_serves();
    }
}

fn life_if_there(stack: &Stack) -> Option<[String; 3]> {
    let there = stack.compose(&["ps", "--all", "--quiet", "llama"]);
    (!there.stdout.is_empty()).then(|| life(stack))
}

#[test]
fn no_form_that_waits_starts_an_engine_without_its_model() {
    let Some(stack) = Stack::new("form-missing", None) else { return };
    let up = stack.compose(&["up", "preflight", "llama"]);
    assert_refused(&up);
    let shown = up.stdout + &up.stderr;
    assert!(shown.contains("preflight-1  | error[files-missing]"), "{shown}");
    assert!(shown.contains("preflight-1  | preflight: not ready: exit 10"), "{shown}");
    for form in [&["up", "-d"][..], &["up", "--wait"], &["start", "llama"], &RUN] {
        let refused = stack.compose(form);
        assert_refused(&refused);
        assert!(!refused.stdout.contains("version: "), "{form:?}: {}", refused.stdout);
        assert!(!refused.stderr.contains("not ready"), "{form:?}: {}", refused.stderr);
    }
    let [status, started, _] = life(&stack);
    assert_eq!((status.as_str(), started.as_str()), ("created", "0001-01-01T00:00:00Z"));

    // Compose restarts without waiting, and the engine fails by itself.
    assert_fine(&stack.compose(&["restart", "llama"]));
    stack.wait_until("llama", ".State.Status", "exited");
    assert_eq!(stack.inspect("llama", ".State.ExitCode"), "1");
}

#[test]
fn a_running_engine_is_left_running_when_its_model_has_gone() {
    let Some(stack) = Stack::new("form-gone", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    stack.up();
    stack.assert_llama_serves();
    let before = life(&stack);
    fs_err::remove_file(stack.path(MODEL_PATH)).unwrap();
    assert_refused(&stack.compose(&["up", "-d"]));
    assert_eq!(life(&stack), before);

    let [.., id] = before;
    assert_fine(&outcome(&mut docker(["kill", &id])));
    stack.wait_until("llama", ".State.Status", "exited");
    assert_refused(&stack.compose(&["up", "-d"]));
    assert_eq!(stack.inspect("llama", ".State.Status"), "exited");
}
