//! Preflight as the provider of a service, called by the genuine Docker Compose.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use fake_hub::FakeHub;

use crate::docker_stack::{MODEL, MODEL_PATH, Outcome, SOURCE, Stack, outcome};
use crate::hub_stack::hub;

/// An engine behind the provider `gate`, which reads slowly enough to be watched.
fn stack(name: &str, hub: &FakeHub) -> Option<Stack> {
    let stack = Stack::new(name, None)?;
    stack.write(
        "compose.yaml",
        &format!(
            "services:
  gate:
    provider: {{type: preflight, options: {{lane: [llama], limit-rate: 200k}}}}
  llama:
    image: llama.cpp:local
    command: [--host, 0.0.0.0, --port, \"8080\", -m, /models/gguf/tiny-Q4_K_M.gguf, -c, \"256\"]
    labels: {{preflight.source: \"{SOURCE}\"}}
    ports: [\"127.0.0.1::8080\"]
    volumes: [\"./models:/models:ro\"]
    depends_on: [gate]
"
        ),
    );
    stack.set_environment(&[("HF_ENDPOINT", &hub.url())]);
    Some(stack)
}

/// Compose, which finds preflight where a person has installed it.
fn compose(stack: &Stack, arguments: &[&str]) -> Command {
    let mut command = stack.compose_command(&["--progress", "plain"]);
    let binary = Path::new(env!("CARGO_BIN_EXE_preflight")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [binary.to_owned()].into_iter().chain(std::env::split_paths(&path));
    command.args(arguments).env("PATH", std::env::join_paths(path).unwrap());
    command
}

fn run(stack: &Stack, arguments: &[&str]) -> Outcome {
    outcome(&mut compose(stack, arguments))
}

/// The containers of the project, whatever their state.
fn containers(stack: &Stack) -> String {
    stack.compose(&["ps", "--all", "--quiet"]).stdout
}

#[test]
fn compose_shows_a_fetch_while_it_goes_on_and_starts_the_engine_behind_it() {
    let hub = hub(&[]);
    let Some(stack) = stack("provider", &hub) else { return };
    let mut up = compose(&stack, &["up", "-d"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut shown = Vec::new();
    for line in BufReader::new(up.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains(" % (") && !line.contains("100 %") {
            assert!(!stack.path(MODEL_PATH).exists(), "told when it was over: {line}");
            assert_eq!(containers(&stack), "", "{line}");
        }
        shown.push(line);
    }
    assert!(up.wait().unwrap().success(), "{shown:#?}");
    let percents =
        shown.iter().filter(|line| line.starts_with(" gate  llama: ") && line.contains(" % ("));
    assert!(percents.count() >= 2, "{shown:#?}");
    let place = |text: &str| shown.iter().position(|line| line.contains(text));
    let (ready, engine) =
        (place(" gate  preflight: ready: 1 of 1 lane"), place("llama-1  Creating"));
    assert!(ready.is_some() && ready < engine, "{shown:#?}");
    stack.assert_llama_serves();

    let again = run(&stack, &["up", "-d", "--wait"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(!again.stderr.contains("fetching"), "{}", again.stderr);
    // With the name of a project alone Compose reads no file, and calls nobody.
    let down = run(&stack, &["-f", "compose.yaml", "down", "--timeout", "0"]);
    assert_eq!((down.code, containers(&stack).as_str()), (0, ""), "{}", down.stderr);
    assert!(down.stderr.contains(" gate  Removed"), "{}", down.stderr);
}

#[test]
fn what_keeps_the_engine_down_is_said_by_compose_itself_and_no_container_is_made() {
    let hub = hub(&[]);
    let Some(stack) = stack("provider-no", &hub) else { return };
    stack.put(MODEL, MODEL_PATH);
    let half = fs_err::read(stack.path(MODEL_PATH)).unwrap().split_off(400_000);
    fs_err::write(stack.path(MODEL_PATH), half).unwrap();
    stack.edit("compose.yaml", |text| text.replace("limit-rate: 200k", "no-fetch: true"));
    for arguments in [&["up", "-d"][..], &["create"], &["run", "--rm", "llama", "--version"]] {
        let up = run(&stack, arguments);
        assert_eq!(up.code, 1, "{}", up.stderr);
        let told = up.stderr.rsplit(" gate  preflight: ").next().unwrap();
        assert!(told.starts_with("not ready: exit 11, "), "{}", up.stderr);
        assert!(told.contains("  llama: "), "{}", up.stderr);
        assert!(told.contains("compose.yaml:6:") && told.contains("; fix: "), "{}", up.stderr);
        assert_eq!(containers(&stack), "", "{arguments:?}");
    }
}

#[test]
fn an_edge_that_is_not_required_gates_as_well() {
    let hub = hub(&[]);
    let Some(stack) = stack("provider-edge", &hub) else { return };
    stack.edit("compose.yaml", |text| {
        let text = text.replace("limit-rate: 200k", "no-fetch: true");
        text.replace("[gate]", "{gate: {condition: service_healthy, required: false}}")
    });
    let up = run(&stack, &["up", "-d", "llama"]);
    assert_eq!((up.code, containers(&stack).as_str()), (1, ""), "{}", up.stderr);
    assert!(up.stderr.contains("  llama: files-missing: "), "{}", up.stderr);
}

#[test]
fn another_project_than_compose_has_read_is_not_judged() {
    let hub = hub(&[]);
    let Some(stack) = stack("provider-else", &hub) else { return };
    stack.put(MODEL, MODEL_PATH);
    let elsewhere = tempfile::tempdir().unwrap();
    fs_err::write(elsewhere.path().join("compose.yaml"), "services: {a: {image: a}}\n").unwrap();
    let file = stack.path("compose.yaml");
    let mut command = compose(&stack, &["-f", file.to_str().unwrap(), "create"]);
    let refused = outcome(command.current_dir(elsewhere.path()));
    assert_eq!((refused.code, containers(&stack).as_str()), (1, ""), "{}", refused.stderr);
    assert!(refused.stderr.contains("has no service `gate` with"), "{}", refused.stderr);

    stack.edit("compose.yaml", |text| {
        text.replace("limit-rate: 200k", &format!("file: \"{}\"", file.display()))
    });
    let mut command = compose(&stack, &["-f", file.to_str().unwrap(), "create"]);
    let made = outcome(command.current_dir(elsewhere.path()));
    assert_eq!(made.code, 0, "{}", made.stderr);
}
