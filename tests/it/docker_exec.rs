//! `preflight exec` in the engine's own container: what `docker compose restart` starts again is judged
//! again, and an engine that is ready runs as it does alone.

use std::time::{Duration, Instant};

use crate::docker_stack::{MODEL, MODEL_PATH, Stack, docker, image, outcome, wait_for};

/// How much longer stopping an engine may take for being looked at from outside.
const SLACK: Duration = Duration::from_secs(2);

/// An engine behind `preflight exec` (`llama`), which another service has put there, and one without
/// (`alone`); a sound model.
fn stack(name: &str) -> Option<Stack> {
    let stack = Stack::new(name, None)?;
    let image = image();
    let engine = "    image: llama.cpp:local
    command: [/usr/bin/llama-server, --host, 0.0.0.0, --port, \"8080\", -m, /models/gguf/tiny-Q4_K_M.gguf, -c, \"256\"]
    ports: [\"127.0.0.1::8080\"]
";
    stack.write(
        "compose.yaml",
        &format!(
            "services:
  installer:
    image: {image}
    user: \"0\"
    command: [install, /shared]
    volumes: [\"programs:/shared\"]
  llama:
{engine}    entrypoint: [/preflight/preflight, exec, --]
    environment: {{PREFLIGHT_TIMEOUT: 5m}}
    volumes: [\"./models:/models:ro\", \"programs:/preflight:ro\"]
    depends_on: {{installer: {{condition: service_completed_successfully}}}}
  alone:
{engine}    entrypoint: []
    environment: {{PREFLIGHT_TIMEOUT: 5m}}
    volumes: [\"./models:/models:ro\", \"programs:/preflight:ro\"]
volumes: {{programs: {{}}}}
"
        ),
    );
    stack.put(MODEL, MODEL_PATH);
    Some(stack)
}

/// Puts half of the model in its place, as a copy that broke off would.
fn halve(stack: &Stack) {
    let (model, half) = (stack.path(MODEL_PATH), stack.path("models/gguf/half"));
    let content = fs_err::read(&model).unwrap();
    fs_err::write(&half, &content[..content.len() / 2]).unwrap();
    fs_err::rename(half, model).unwrap();
}

/// What the kernel says of the first process of a service's container, seen from the host.
fn process(stack: &Stack, service: &str) -> Vec<String> {
    let folder = format!("/proc/{}", stack.inspect(service, ".State.Pid"));
    let status = fs_err::read_to_string(format!("{folder}/status")).unwrap();
    let wanted =
        ["Umask", "Uid", "Gid", "Threads", "SigBlk", "SigIgn", "SigCgt", "CapEff", "NoNewPrivs"];
    let is_wanted = |line: &&str| wanted.iter().any(|name| line.starts_with(&format!("{name}:")));
    let mut said: Vec<String> = status.lines().filter(is_wanted).map(str::to_owned).collect();
    let own = stack.container(service);
    for file in ["limits", "oom_score_adj", "cmdline", "environ", "comm"] {
        let text = fs_err::read_to_string(format!("{folder}/{file}")).unwrap();
        // Docker names every container after itself.
        said.push(text.replace(&own[..12], "[ID]"));
    }
    let mut files: Vec<String> = fs_err::read_dir(format!("{folder}/fd"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let target = fs_err::read_link(&path).unwrap().display().to_string();
            let kind = target.split(':').next().unwrap_or_default().to_owned();
            format!("{}: {kind}", path.file_name().unwrap().display())
        })
        .collect();
    files.sort();
    said.extend(files);
    said
}

/// How long `docker stop` takes, and what the engine ends with.
fn stopped(stack: &Stack, service: &str) -> (Duration, String) {
    let begin = Instant::now();
    let stop = outcome(docker(["stop", "--time", "20"]).arg(stack.container(service)));
    assert_eq!(stop.code, 0, "{}", stop.stderr);
    (begin.elapsed(), stack.inspect(service, ".State.ExitCode"))
}

#[test]
fn a_restart_after_the_model_was_damaged_does_not_bring_the_engine_back() {
    let Some(stack) = stack("exec-restart") else { return };
    let up = stack.compose(&["up", "-d", "llama"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    stack.assert_llama_serves();
    assert!(
        stack.logs("llama").contains("preflight: ready: 1 of 1 lane"),
        "{}",
        stack.logs("llama")
    );

    let restart = stack.compose(&["restart", "llama"]);
    assert_eq!(restart.code, 0, "{}", restart.stderr);
    stack.assert_llama_serves();

    halve(&stack);
    stack.compose(&["restart", "llama"]);
    stack.wait_until("llama", ".State.Status", "exited");
    let logs = stack.logs("llama");
    assert_eq!(stack.inspect("llama", ".State.ExitCode"), "11", "{logs}");
    assert!(logs.contains("error[file-truncated]"), "{logs}");

    // What restarts by itself is judged each time.
    stack.edit("compose.yaml", |text| {
        text.replacen("  alone:", "    restart: on-failure:2\n  alone:", 1)
    });
    stack.compose(&["up", "-d", "llama"]);
    stack.wait_until("llama", ".RestartCount", "2");
    stack.wait_until("llama", ".State.Status", "exited");
    assert_eq!(stack.inspect("llama", ".State.ExitCode"), "11");
    assert_eq!(stack.logs("llama").matches("preflight: not ready: exit 11").count(), 3);
}

#[test]
fn an_engine_that_is_ready_runs_and_stops_as_it_does_alone() {
    let Some(stack) = stack("exec-same") else { return };
    let up = stack.compose(&["up", "-d", "llama", "alone"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    for service in ["llama", "alone"] {
        wait_for(service, || stack.logs(service).contains(": listening on ").then_some(()));
    }
    assert_eq!(process(&stack, "llama"), process(&stack, "alone"));
    let ((with, code), (without, alone)) = (stopped(&stack, "llama"), stopped(&stack, "alone"));
    assert_eq!(code, alone);
    assert!(with < without + SLACK, "{with:?} with preflight, {without:?} without");
}
