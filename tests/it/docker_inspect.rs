//! `preflight inspect` by hand, around a stack that does not do well.

use crate::docker_stack::{MODEL, MODEL_PATH, Outcome, Stack};

/// A stack with its model whose `llama` service has these lines more, and does not wait for
/// preflight, so that it is started whatever its files are like.
fn started(name: &str, lines: &str) -> Option<Stack> {
    let stack = Stack::new(name, None)?;
    stack.put(MODEL, MODEL_PATH);
    stack.edit("compose.yaml", |text| {
        let waits = "    depends_on:\n      preflight:\n        \
                     condition: service_completed_successfully\n";
        text.replace(waits, "").replace("  llama:\n", &format!("  llama:\n{lines}"))
    });
    let up = stack.compose(&["up", "-d", "llama"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    Some(stack)
}

fn assert_found(outcome: &Outcome, code: i32, findings: &[&str]) {
    assert_eq!(outcome.code, code, "{}\n{}", outcome.stdout, outcome.stderr);
    for finding in findings {
        assert!(outcome.stdout.contains(finding), "`{finding}` is not in\n{}", outcome.stdout);
    }
}

#[test]
fn an_engine_that_exits_at_once_is_explained_by_its_own_words() {
    let Some(stack) = started("exits", "") else { return };
    stack.edit("compose.yaml", |text| text.replace("\"256\"]", "\"256\", --bogus]"));
    stack.compose(&["up", "-d", "llama"]);
    stack.wait_until("llama", ".State.Status", "exited");
    let outcome = stack.by_hand(&["inspect"]);
    let reported = "error[engine-reported]: `llama` has said why it cannot serve";
    assert_found(&outcome, 30, &["error[container-exited]", reported, "error: invalid argument"]);
    // What only inspection may judge does not stop a check of the files.
    let outcome = stack.by_hand(&[]);
    assert_found(&outcome, 0, &["note[container-exited]"]);
}

#[test]
fn an_engine_that_the_kernel_killed_for_memory_is_told_from_one_that_crashed() {
    // Room to start in, and then a context of half a gigabyte.
    let limit = "    mem_limit: 64m\n    memswap_limit: 64m\n";
    let Some(stack) = started("memory", limit) else { return };
    stack.edit("compose.yaml", |text| text.replace("\"256\"", "\"262144\""));
    stack.compose(&["up", "-d", "llama"]);
    stack.wait_until("llama", ".State.Status", "exited");
    let outcome = stack.by_hand(&["inspect"]);
    let killed = "error[container-killed-for-memory]";
    assert_found(&outcome, 21, &["error[host-memory-short]", killed, "limits.memory"]);
}

#[test]
fn a_health_check_that_fails_is_said_with_its_last_output() {
    let health = "    healthcheck:\n      test: [CMD, /usr/bin/llama-server, --bogus]\n      \
                  interval: 1s\n      retries: 1\n";
    let Some(stack) = started("health", health) else { return };
    stack.wait_until("llama", ".State.Health.Status", "unhealthy");
    let outcome = stack.by_hand(&["inspect"]);
    assert_found(&outcome, 30, &["error[container-unhealthy]", "invalid argument: --bogus"]);
}

#[test]
fn an_engine_that_is_paused_is_told_from_one_that_serves() {
    let Some(stack) = started("paused", "") else { return };
    stack.wait_until("llama", ".State.Status", "running");
    let pause = stack.compose(&["pause", "llama"]);
    assert_eq!(pause.code, 0, "{}", pause.stderr);
    let outcome = stack.by_hand(&["inspect"]);
    assert_found(&outcome, 30, &["error[container-paused]", "docker compose unpause llama"]);
}

#[test]
fn a_container_that_is_not_what_the_files_say_any_more_is_named() {
    let Some(stack) = started("differs", "") else { return };
    stack.edit("compose.yaml", |text| text.replace(":/models:ro", ":/elsewhere:ro"));
    let outcome = stack.by_hand(&["inspect"]);
    let findings = ["mount-differs-from-file", "--force-recreate llama", "service-does-not-wait"];
    assert_found(&outcome, 0, &findings);
}

#[test]
fn a_gpu_that_the_engine_does_not_have_is_missed_before_anything_starts() {
    let Some(stack) = Stack::new("gpu", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    stack.edit("compose.yaml", |text| text.replace("  llama:\n", "  llama:\n    gpus: all\n"));
    stack.refuses(20, "error[gpu-runtime-missing]");
}
