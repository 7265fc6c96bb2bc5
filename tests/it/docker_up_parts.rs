//! What an `up` is about: services behind profiles, containers that an earlier one has left, projects
//! of one name; and a preflight that Docker starts again.

use std::process::Stdio;

use crate::docker_stack::{MODEL, MODEL_PATH, Stack, wait_for};

const WAITS: &str =
    "    depends_on:\n      preflight:\n        condition: service_completed_successfully\n";

/// A second engine, with a lane of its own, in `more` of the stack.
fn add_engine(stack: &Stack, name: &str, more: &str) {
    stack.edit("compose.yaml", |text| {
        let volumes = "    volumes:\n      - ${MODELS_PATH:-./models}:/models:ro\n";
        let command = format!("    command: [-m, /models/gguf/{name}.gguf, -c, \"256\"]\n");
        format!("{text}\n  {name}:\n    image: llama.cpp:local\n{command}{more}{WAITS}{volumes}")
    });
}

/// Puts the only engine behind the profile `gpu`, and a service beside it that is not.
fn behind_a_profile(stack: &Stack) {
    stack.edit("compose.yaml", |text| {
        let web = format!("\n  web:\n    image: fake-hub:test\n    command: [--help]\n{WAITS}");
        text.replace("  llama:\n", "  llama:\n    profiles: [gpu]\n") + &web
    });
}

#[test]
fn a_stack_whose_engines_are_all_behind_profiles_comes_up_without_them() {
    let Some(stack) = Stack::new("part-none", None) else { return };
    behind_a_profile(&stack);
    let up = stack.compose(&["up", "-d"]);
    let report = stack.logs("preflight");
    assert_eq!(up.code, 0, "{}\n{report}", up.stderr);
    assert!(report.contains("skipped: not part of this `up`"), "{report}");
    assert!(!report.contains("no-lane"), "{report}");
    assert_eq!(stack.started(), ["hub", "preflight", "web"]);
}

#[test]
fn an_engine_behind_a_profile_is_judged_however_it_was_switched_on() {
    let Some(stack) = Stack::new("part-profile", None) else { return };
    behind_a_profile(&stack);
    let from_shell = || {
        let mut command = stack.compose_command(&["up", "-d"]);
        let up = command.env("COMPOSE_PROFILES", "gpu").output().unwrap();
        (up.status.code(), String::from_utf8_lossy(&up.stderr).into_owned())
    };
    let by = |arguments: &[&str]| {
        let up = stack.compose(arguments);
        (Some(up.code), up.stderr)
    };
    let refused = |(code, said): (Option<i32>, String)| {
        let report = stack.logs("preflight");
        assert_eq!(code, Some(1), "{said}\n{report}");
        assert!(said.contains("exit 10"), "{said}\n{report}");
        assert!(!stack.started().contains(&"llama".to_owned()), "{report}");
        stack.compose(&["--profile", "*", "down", "--timeout", "0"]);
    };
    refused(by(&["--profile", "gpu", "up", "-d"]));
    refused(by(&["up", "-d", "llama"]));
    refused(from_shell());

    stack.put(MODEL, MODEL_PATH);
    assert_eq!(by(&["up", "-d", "llama"]).0, Some(0), "{}", stack.logs("preflight"));
    assert!(stack.logs("preflight").contains("preflight: ready: 1 of 1 lane"));
    stack.assert_llama_serves();
}

#[test]
fn a_lane_that_a_stopped_up_has_left_behind_is_told_with_what_leaves_it_out() {
    let Some(stack) = Stack::new("part-left", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    add_engine(&stack, "other", "");
    for up in [&["up", "-d"][..], &["up", "-d", "llama"]] {
        assert_eq!(stack.compose(up).code, 1, "{}", stack.logs("preflight"));
    }
    let report = stack.logs("preflight");
    let (first, second) = report.split_once("preflight: not ready").unwrap();
    assert!(!first.contains("container-left-over"), "{report}");
    let told = "note[container-left-over]: `other` has a container from before this `up`";
    assert!(second.contains(told), "{report}");
    assert!(second.contains("`docker compose rm --force other`"), "{report}");

    assert_eq!(stack.compose(&["rm", "--force", "other"]).code, 0);
    assert_eq!(stack.compose(&["up", "-d", "llama"]).code, 0, "{}", stack.logs("preflight"));
    stack.assert_llama_serves();
}

#[test]
fn up_of_preflight_alone_judges_every_lane() {
    let Some(stack) = Stack::new("part-alone", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    add_engine(&stack, "other", "");
    let up = stack.compose(&["up", "--exit-code-from", "preflight", "preflight"]);
    let report = stack.logs("preflight");
    assert_eq!(up.code, 10, "{}\n{report}", up.stderr);
    assert!(report.contains("1 of 2 lanes ready"), "{report}");
}

#[test]
fn a_preflight_that_docker_starts_again_is_told_while_up_hangs() {
    for (restart, fix) in [
        ("    restart: on-failure\n", "write `restart: \"no\"`, or `restart: on-failure:3`"),
        (
            "    restart: \"no\"\n    deploy: {restart_policy: {condition: on-failure}}\n",
            "remove `deploy.restart_policy`, or write",
        ),
    ] {
        let Some(stack) = Stack::new("part-restart", None) else { return };
        stack.edit("preflight.yaml", |text| text.replace("    restart: \"no\"\n", restart));
        let mut up = stack.compose_command(&["up", "-d"]);
        let mut up = up.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        stack.wait_until_there("preflight");
        wait_for("a third start of preflight", || {
            let restarts: u32 = stack.inspect("preflight", ".RestartCount").parse().ok()?;
            (restarts >= 2).then_some(())
        });
        let ended = up.try_wait().unwrap();
        up.kill().unwrap();
        up.wait().unwrap();
        assert_eq!(ended, None, "`up` has ended: {}", stack.logs("preflight"));
        let report = stack.logs("preflight");
        assert!(report.contains("warning[preflight-restarts]"), "{report}");
        assert!(report.contains(fix), "{report}");
        stack.assert_started(&["hub", "preflight"]);
    }
    let Some(stack) = Stack::new("part-attempts", None) else { return };
    let attempts = "    restart: on-failure:2\n";
    stack.edit("preflight.yaml", |text| text.replace("    restart: \"no\"\n", attempts));
    let report = stack.refuses(10, "error[files-missing]");
    assert!(!report.contains("preflight-restarts"), "{report}");
}

#[test]
fn two_projects_of_one_name_are_told_and_neither_is_replaced() {
    let Some(one) = Stack::new("part-name", None) else { return };
    one.put(MODEL, MODEL_PATH);
    one.up();
    let before = (one.container("llama"), one.inspect("llama", ".State.StartedAt"));
    let Some(two) = Stack::new("part-name", None) else { return };
    two.put(MODEL, "models/gguf/other.gguf");
    add_engine(&two, "other", "");
    let folder = one.path("").display().to_string();
    let told = format!("belong to `{}`", folder.trim_end_matches('/'));

    let by_hand = two.by_hand(&[]);
    let by_hand = by_hand.stdout + &by_hand.stderr;
    let up = two.compose(&["up", "-d", "other"]);
    assert_eq!(up.code, 0, "{}\n{}", up.stderr, two.logs("preflight"));
    for report in [by_hand, two.logs("preflight")] {
        assert!(report.contains("warning[project-name-shared]"), "{report}");
        assert!(report.contains(&told), "`{told}` is not in\n{report}");
        assert!(!report.contains("--force-recreate"), "{report}");
        assert!(!report.contains("differs-from-file"), "{report}");
    }
    let after = (one.container("llama"), one.inspect("llama", ".State.StartedAt"));
    assert_eq!(after, before);
    one.assert_llama_serves();
}
