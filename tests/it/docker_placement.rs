//! Models that come to a service in other ways than by the one mount that preflight has as well.

use std::os::unix::fs::PermissionsExt as _;

use crate::docker_stack::{MODEL, MODEL_PATH, Stack};

const MOUNT: &str = "      - ${MODELS_PATH:-./models}:/models:ro\n";

/// The lines by which a service waits for preflight.
const WAITS: &str =
    "    depends_on:\n      preflight:\n        condition: service_completed_successfully\n";

/// A named volume that is a folder of the host.
fn bound_volume(stack: &Stack, folder: &str) {
    let device = stack.path(folder);
    stack.edit("compose.yaml", |text| {
        let device = device.display();
        format!(
            "{text}\nvolumes:\n  models:\n    driver_opts: {{type: none, o: bind, device: {device}}}\n"
        )
    });
    stack.set_environment(&[("MODELS_PATH", "models")]);
}

/// The init container has not mounted the models.
fn blind(stack: &Stack) {
    stack.edit("preflight.yaml", |text| {
        let lines = text.lines().filter(|line| !line.ends_with(":/models"));
        lines.map(|line| format!("{line}\n")).collect()
    });
}

#[test]
fn a_volume_with_bind_options_is_the_folder_that_it_names() {
    let Some(stack) = Stack::new("volume", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    bound_volume(&stack, "models");
    stack.up();
    stack.assert_llama_serves();
    stack.compose(&["down", "--timeout", "0"]);
    fs_err::remove_file(stack.path(MODEL_PATH)).unwrap();
    let report = stack.refuses(10, "error[files-missing]");
    let path = stack.path(MODEL_PATH);
    assert!(report.contains(path.to_str().unwrap()), "the host's path is not in\n{report}");
}

#[test]
fn a_volume_whose_folder_is_not_there_is_named_and_the_folder_not_made() {
    let Some(stack) = Stack::new("volume-gone", None) else { return };
    bound_volume(&stack, "modles");
    blind(&stack);
    let report = stack.refuses(16, "error[mount-source-missing]");
    assert!(report.contains(stack.path("modles").to_str().unwrap()), "{report}");
    assert!(!stack.path("modles").exists(), "looking made the folder");
}

#[test]
fn the_mounts_of_another_service_are_followed() {
    let Some(stack) = Stack::new("volumes-from", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    stack.edit("compose.yaml", |text| {
        let own = format!("    volumes:\n{MOUNT}");
        let text = text.replace(&own, "    volumes_from: [hub]\n");
        text.replace("      - ./hub:/hub:ro\n", &format!("      - ./hub:/hub:ro\n{MOUNT}"))
    });
    stack.up();
    stack.assert_llama_serves();
    stack.compose(&["down", "--timeout", "0"]);
    fs_err::remove_file(stack.path(MODEL_PATH)).unwrap();
    stack.refuses(10, "error[files-missing]");
}

#[test]
fn a_model_that_the_service_s_user_cannot_read_stops_the_engine() {
    let Some(stack) = Stack::new("rights", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    let model = stack.path(MODEL_PATH);
    fs_err::set_permissions(&model, std::fs::Permissions::from_mode(0o600)).unwrap();
    stack
        .edit("compose.yaml", |text| text.replace("  llama:\n", "  llama:\n    user: 1234:1234\n"));
    stack.refuses(16, "error[unreadable-by-service-user]");
    fs_err::set_permissions(&model, std::fs::Permissions::from_mode(0o644)).unwrap();
    stack.up();
    stack.assert_llama_serves();
}

#[test]
fn an_engine_that_does_not_wait_is_named_by_preflight() {
    let Some(stack) = Stack::new("no-wait", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    stack.edit("compose.yaml", |text| text.replace(WAITS, ""));
    let up = stack.compose(&["up", "-d"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    stack.wait_until("preflight", ".State.Status", "exited");
    let report = stack.logs("preflight");
    assert!(report.contains("[service-does-not-wait]: `llama`"), "{report}");
    assert_eq!(stack.inspect("preflight", ".State.ExitCode"), "0", "{report}");
}

#[test]
fn a_container_made_with_another_mount_is_judged_as_it_is() {
    let Some(stack) = Stack::new("recreated", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    fs_err::create_dir(stack.path("other")).unwrap();
    stack.set_environment(&[("MODELS_PATH", "./other")]);
    let create = stack.compose(&["create", "llama"]);
    assert_eq!(create.code, 0, "{}", create.stderr);
    stack.set_environment(&[]);
    let up = stack.compose(&["up", "-d", "--no-deps", "preflight"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    stack.wait_until("preflight", ".State.Status", "exited");
    let report = stack.logs("preflight");
    assert_eq!(stack.inspect("preflight", ".State.ExitCode"), "10", "{report}");
    for finding in ["mount-differs-from-file", "error[files-missing]", "--force-recreate llama"] {
        assert!(report.contains(finding), "`{finding}` is not in\n{report}");
    }
    stack.assert_started(&["preflight"]);
    // Compose makes it again, as the files say.
    stack.up();
    stack.assert_llama_serves();
}

#[test]
fn an_env_file_that_was_changed_since_the_container_was_made_is_named_without_its_values() {
    let Some(stack) = Stack::new("env-changed", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    stack.edit("compose.yaml", |text| {
        text.replace("environment: {", "environment: {LLAMA_CACHE: \"${CACHE}\", ")
    });
    stack.set_environment(&[("CACHE", "/tmp/first-place")]);
    stack.up();
    let (before, started) = (stack.container("llama"), stack.inspect("llama", ".State.StartedAt"));
    stack.set_environment(&[("CACHE", "/tmp/second-place")]);
    let by_hand = stack.by_hand(&[]);
    assert_eq!(by_hand.code, 0, "{}\n{}", by_hand.stdout, by_hand.stderr);
    let up = stack.compose(&["up", "-d", "--no-deps", "preflight"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    stack.wait_until("preflight", ".State.Status", "exited");
    assert_eq!(stack.inspect("preflight", ".State.ExitCode"), "0", "{}", stack.logs("preflight"));
    let line = fs_err::read_to_string(stack.path("compose.yaml")).unwrap();
    let line = 1 + line.lines().position(|line| line.contains("LLAMA_CACHE")).unwrap();
    for report in [by_hand.stdout + &by_hand.stderr, stack.logs("preflight")] {
        let place = format!("compose.yaml:{line}:");
        let finding = "warning[container-differs-from-file]: `llama` has another value of \
                       `LLAMA_CACHE`";
        for expected in [finding, &place, "`CACHE` is set here", "--force-recreate llama"] {
            assert!(report.contains(expected), "`{expected}` is not in\n{report}");
        }
        assert!(!report.contains("-place"), "a value is shown:\n{report}");
    }
    assert_eq!(stack.container("llama"), before);
    assert_eq!(stack.inspect("llama", ".State.StartedAt"), started);
}
