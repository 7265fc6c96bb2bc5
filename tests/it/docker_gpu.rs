//! Devices that are not there: what Docker does with them, and what preflight says before, by hand and
//! as init container.

use std::path::Path;

use crate::docker_stack::{MODEL, MODEL_PATH, Stack};

/// A stack that comes up, but for these lines of its engine.
fn asking(name: &str, lines: &str) -> Option<Stack> {
    let stack = Stack::new(name, None)?;
    stack.put(MODEL, MODEL_PATH);
    stack.edit("compose.yaml", |text| {
        let image = "    image: llama.cpp:local\n";
        text.replace(image, &format!("{image}    {lines}\n"))
    });
    Some(stack)
}

/// Preflight says `finding` before, Docker fails with `words` when nobody asks preflight, and the
/// engine is not started when somebody does.
fn keeps_down(stack: &Stack, finding: &str, words: &str) {
    says_before(stack, finding);
    let up = stack.compose(&["up", "-d", "--no-deps", "llama"]);
    assert_eq!(up.code, 1, "{}", up.stderr);
    assert!(up.stderr.contains(words), "{}", up.stderr);
    let down = stack.compose(&["down", "--timeout", "0"]);
    assert_eq!(down.code, 0, "{}", down.stderr);
    stack.refuses(20, finding);
}

fn says_before(stack: &Stack, finding: &str) {
    let said = stack.by_hand(&[]);
    assert_eq!(said.code, 20, "{}\n{}", said.stdout, said.stderr);
    assert!(said.stdout.starts_with(finding), "{}", said.stdout);
}

#[test]
fn a_device_file_that_the_host_does_not_have_is_missed_before_there_is_a_container() {
    let Some(stack) = asking("gpu-file", "devices: [/dev/preflight-none]") else { return };
    keeps_down(&stack, "error[gpu-device-missing]", "\"/dev/preflight-none\"");
}

#[test]
fn a_device_file_that_the_host_has_is_no_finding() {
    let Some(stack) = asking("gpu-null", "devices: ['/dev/null:/dev/other:rwm']") else { return };
    let said = stack.by_hand(&[]);
    assert_eq!(said.code, 0, "{}\n{}", said.stdout, said.stderr);
    assert!(!said.stdout.contains("[gpu-"), "{}", said.stdout);
    stack.up();
}

#[test]
fn a_cdi_device_that_docker_cannot_hand_out_is_missed_whether_or_not_it_knows_the_interface() {
    let Some(stack) = asking("gpu-cdi", "devices: [preflight.invalid/gpu=all]") else { return };
    // Docker 20.10 and 28.5 fail in other words.
    keeps_down(&stack, "error[gpu-runtime-missing]", "Error response from daemon: ");

    let driver = "deploy: {resources: {reservations: {devices: [{driver: cdi, capabilities: [gpu], \
                  device_ids: [preflight.invalid/gpu=all]}]}}}";
    let Some(stack) = asking("gpu-driver", driver) else { return };
    keeps_down(&stack, "error[gpu-runtime-missing]", "Error response from daemon: ");
}

#[test]
fn a_gpu_is_missed_where_there_is_neither_a_runtime_nor_a_driver() {
    if ["/dev/nvidiactl", "/dev/dxg"].iter().any(|file| Path::new(file).exists()) {
        return;
    }
    let Some(stack) = asking("gpu-all", "gpus: all") else { return };
    keeps_down(&stack, "error[gpu-runtime-missing]", "could not select device driver");
}

#[test]
fn a_runtime_that_docker_does_not_have_keeps_the_container_from_being_made() {
    let Some(stack) = asking("gpu-runtime", "runtime: preflight-none") else { return };
    says_before(&stack, "error[gpu-runtime-missing]");
    let up = stack.compose(&["up", "-d"]);
    assert_eq!(up.code, 1, "{}", up.stderr);
    assert!(up.stderr.contains("preflight-none"), "{}", up.stderr);
    stack.assert_started(&[]);
}
