//! The init container with less than the shipped fragment grants: the files are judged all the same.

use crate::docker_stack::{MODEL, MODEL_PATH, Stack};

#[test]
fn without_a_docker_socket_the_files_are_still_judged() {
    let Some(stack) = Stack::new("no-socket", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    stack.edit("preflight.yaml", |text| {
        let lines = text.lines().filter(|line| !line.contains("docker.sock"));
        lines.map(|line| format!("{line}\n")).collect()
    });
    stack.up();

    let report = stack.logs("preflight");
    assert!(report.contains("ready: 1 of 1 lane"), "{report}");
    stack.assert_llama_serves();
}

#[test]
fn a_docker_socket_that_refuses_is_said_and_the_files_are_still_judged() {
    let Some(stack) = Stack::new("refused", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    stack.set_environment(&[("PREFLIGHT_UID", "65532"), ("PREFLIGHT_GID", "65532")]);
    stack.up();

    let report = stack.logs("preflight");
    assert!(report.contains("ready: 1 of 1 lane"), "{report}");
    assert!(report.contains("note[containers-not-seen]"), "{report}");
    assert!(report.contains("refuses this user"), "{report}");
    assert_eq!(stack.inspect("preflight", ".State.ExitCode"), "0");
    stack.assert_llama_serves();
}
