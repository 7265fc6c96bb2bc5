//! `preflight smoke` by hand, of a genuine llama-server.

use crate::docker_stack::{MODEL, MODEL_PATH, Stack};

fn stack(name: &str, change: impl FnOnce(&str) -> String) -> Option<Stack> {
    let stack = Stack::new(name, None)?;
    stack.put(MODEL, MODEL_PATH);
    stack.edit("compose.yaml", change);
    stack.up();
    Some(stack)
}

#[test]
fn an_engine_that_serves_and_generates_passes() {
    let generates = |text: &str| {
        let key = "\"256\", --api-key, open-sesame]";
        text.replace(
            "      service: llama\n",
            "      service: llama\n      smoke: {level: generates}\n",
        )
        .replace("\"256\"]", key)
    };
    let Some(stack) = stack("smoke-good", generates) else { return };
    let outcome = stack.by_hand(&["smoke", "--wait", "60s"]);
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stdout, outcome.stderr);
    assert!(!(outcome.stdout + &outcome.stderr).contains("open-sesame"));
}

#[test]
fn a_model_that_is_served_under_another_name_is_not_the_lane_s() {
    let alias = |text: &str| text.replace("\"256\"]", "\"256\", --alias, small]");
    let Some(stack) = stack("smoke-name", alias) else { return };
    stack.set_environment(&[("ARGOS_LANE_TINY_MODEL", "tiny")]);
    let outcome = stack.by_hand(&["smoke", "--wait", "60s"]);
    assert_eq!(outcome.code, 31, "{}\n{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("error[model-not-served]"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("what is served is `small`"), "{}", outcome.stdout);
}

#[test]
fn a_router_without_a_model_serves_nothing_however_healthy_it_is() {
    let router = |text: &str| text.replace("-m, /models/gguf/tiny-Q4_K_M.gguf, ", "");
    let Some(stack) = Stack::new("smoke-router", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    stack.edit("compose.yaml", router);
    let up = stack.compose(&["up", "-d", "--no-deps", "llama"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    stack.assert_llama_is_healthy();
    let outcome = stack.by_hand(&["smoke", "--wait", "60s"]);
    // The first cause is in the command line.
    assert_eq!(outcome.code, 17, "{}\n{}", outcome.stdout, outcome.stderr);
    stack.assert_started(&["llama"]);
    assert!(outcome.stdout.contains("error[model-not-served]"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("serves no model"), "{}", outcome.stdout);
}

#[test]
fn a_url_that_names_a_service_is_asked_from_the_host() {
    let url = |text: &str| {
        let url = "      service: llama\n      smoke: {url: \"http://llama:8080/v1\"}\n";
        text.replace("      service: llama\n", url)
    };
    for (name, ports) in [("smoke-published", "127.0.0.1::8080"), ("smoke-unpublished", "")] {
        let published = |text: &str| {
            let ports = if ports.is_empty() { String::new() } else { format!("\"{ports}\"") };
            let is_port = |line: &str| ["ports:", "- 127.0.0.1::8080"].contains(&line.trim());
            let lines = text.lines().filter(|line| !is_port(line));
            let text: String = lines.map(|line| format!("{line}\n")).collect();
            url(&text).replace("  llama:\n", &format!("  llama:\n    ports: [{ports}]\n"))
        };
        let Some(stack) = stack(name, published) else { return };
        let is_bound = stack.inspect("llama", ".HostConfig.PortBindings") != "map[]";
        assert_eq!(is_bound, !ports.is_empty(), "{name}");
        let outcome = stack.by_hand(&["smoke", "--wait", "60s"]);
        assert_eq!(outcome.code, 0, "{}\n{}", outcome.stdout, outcome.stderr);
    }
}

#[test]
fn a_stack_that_is_down_has_nobody_to_ask() {
    let Some(stack) = Stack::new("smoke-down", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    let outcome = stack.by_hand(&["smoke"]);
    assert_ne!(outcome.code, 0, "{}\n{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("error[container-missing]"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("error[no-engine-asked]"), "{}", outcome.stdout);
    let allowed = stack.by_hand(&["smoke", "--allow", "container-missing"]);
    assert_eq!(allowed.code, 3, "{}\n{}", allowed.stdout, allowed.stderr);
}

#[test]
fn a_container_that_has_ended_is_not_waited_for() {
    let url = |text: &str| {
        let url = "      service: llama\n      smoke: {url: \"http://127.0.0.1:1\"}\n";
        text.replace("      service: llama\n", url)
    };
    let Some(stack) = stack("smoke-dead", url) else { return };
    stack.compose(&["kill", "llama"]);
    stack.wait_until("llama", ".State.Status", "exited");
    let start = std::time::Instant::now();
    let outcome = stack.by_hand(&["smoke", "--wait", "10m"]);
    assert!(start.elapsed().as_secs() < 120, "it was waited for");
    assert_eq!(outcome.code, 30, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("its container has ended"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("error[container-exited]"), "{}", outcome.stdout);
}
