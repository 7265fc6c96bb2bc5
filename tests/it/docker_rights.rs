//! The init container with less than the shipped fragment grants, and users who may not read the files.

use std::os::unix::fs::PermissionsExt as _;

use crate::docker_stack::{MODEL, MODEL_PATH, Stack, docker, may_change_owners, outcome};

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

#[test]
fn the_user_of_an_image_of_ones_own_counts_before_and_after_its_container_is_there() {
    let Some(stack) = Stack::new("own-user", None) else { return };
    if !may_change_owners() {
        return;
    }
    stack.put(MODEL, MODEL_PATH);
    let mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        fs_err::set_permissions(stack.path(MODEL_PATH), mode).unwrap();
    };
    let image = stack.image_with_model("/model.gguf");
    let made = outcome(&mut docker(["create", &image]));
    let changed =
        outcome(&mut docker(["commit", "--change", "USER 1000", made.stdout.trim(), &image]));
    outcome(&mut docker(["rm", made.stdout.trim()]));
    assert_eq!(changed.code, 0, "{}", changed.stderr);
    stack.edit("compose.yaml", |text| text.replace("llama.cpp:local", &image));
    let refuses = |when: &str| {
        let said = stack.by_hand(&[]);
        assert_eq!(said.code, 16, "{when}: {}\n{}", said.stdout, said.stderr);
        assert!(said.stdout.contains("error[unreadable-by-service-user]"), "{}", said.stdout);
    };
    mode(0o600);
    refuses("before");
    let up = stack.compose(&["up", "-d", "--no-deps", "llama"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    refuses("after");
    stack.wait_until("llama", ".State.Status", "exited");
    refuses("after it has failed");
    assert_eq!(stack.compose(&["down", "--timeout", "0"]).code, 0);
    stack.refuses(16, "error[unreadable-by-service-user]");
    mode(0o644);
    assert_eq!(stack.by_hand(&[]).code, 0);
    stack.up();
}
