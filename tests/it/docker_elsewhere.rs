//! An engine on another machine mounts other files than those that are here.

mod tunnel;

use std::path::{Path, PathBuf};
use std::process::Command;

use self::tunnel::Tunnel;
use crate::docker_stack::{
    MODEL, MODEL_PATH, Outcome, Stack, docker_tests_run, outcome, skip, wait_for,
};

/// The engine of `tests/setup/engine-elsewhere`, and a stack that is brought up there.
struct Elsewhere {
    stack: Stack,
    socket: PathBuf,
    tunnel: Tunnel,
}

impl Elsewhere {
    fn new(name: &str) -> Option<Self> {
        let socket = other_engine()?;
        let stack = Stack::new(name, None)?;
        stack.write(
            "compose.yaml",
            "services:
  llama:
    image: llama.cpp:local
    network_mode: none
    command: [-m, /models/gguf/tiny-Q4_K_M.gguf, -c, \"256\"]
    volumes: [./models:/models]
",
        );
        let tunnel = Tunnel::to(&socket);
        Some(Self { stack, socket, tunnel })
    }

    /// By hand, asking the engine behind the tunnel.
    fn by_hand(&self, arguments: &[&str]) -> Outcome {
        let mut command = self.stack.by_hand_command(arguments);
        outcome(command.env("DOCKER_HOST", self.tunnel.host()))
    }

    fn compose(&self, arguments: &[&str]) -> Outcome {
        outcome(self.stack.compose_command(arguments).env("DOCKER_HOST", self.tunnel.host()))
    }

    /// Copies into the folder that the engine has mounted, through the container.
    fn put_there(&self, from: &Path) {
        let container = self.compose(&["ps", "--all", "--quiet", "llama"]).stdout;
        let to = format!("{}:/models/", container.trim());
        let copied = outcome(
            Command::new("docker")
                .args(["cp", from.to_str().unwrap(), &to])
                .env("DOCKER_HOST", self.tunnel.host()),
        );
        assert_eq!(copied.code, 0, "{}", copied.stderr);
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.compose(&["down", "--timeout", "0"]);
    }
}

/// The socket of the engine that is elsewhere; absent: the tests that need it are left out.
fn other_engine() -> Option<PathBuf> {
    if !docker_tests_run() {
        return None;
    }
    let socket = std::env::var_os("PREFLIGHT_TEST_ENGINE_ELSEWHERE");
    if socket.is_none() {
        skip("PREFLIGHT_TEST_ENGINE_ELSEWHERE is not set (`tests/run` sets it)");
    }
    socket.map(PathBuf::from)
}

/// The socket of the engine that is here.
fn own_socket() -> PathBuf {
    let host = std::env::var_os("DOCKER_HOST").unwrap_or_default();
    let host = host.to_string_lossy();
    host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock").into()
}

fn assert_says(said: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(said.code, code, "{}\n{}", said.stdout, said.stderr);
    for word in words {
        assert!(said.stdout.contains(word), "`{word}` is not in\n{}", said.stdout);
    }
}

#[test]
fn a_model_that_is_here_alone_is_not_ready_for_an_engine_elsewhere() {
    let Some(elsewhere) = Elsewhere::new("elsewhere-here") else { return };
    elsewhere.stack.put(MODEL, MODEL_PATH);
    let said = elsewhere.by_hand(&[]);
    assert_says(&said, 3, &["error[lane-unknown]", "note[docker-elsewhere]"]);
    assert_eq!(said.stdout.matches("[docker-elsewhere]").count(), 1, "{}", said.stdout);

    let created = elsewhere.compose(&["create"]);
    assert_eq!(created.code, 0, "{}", created.stderr);
    let said = elsewhere.by_hand(&[]);
    assert_says(&said, 16, &["error[mount-source-missing]", "note[docker-elsewhere]"]);

    let up = elsewhere.compose(&["up"]);
    let words = up.stdout + &up.stderr;
    assert!(words.contains("failed to load model, '/models/gguf/tiny-Q4_K_M.gguf'"), "{words}");
}

#[test]
fn a_model_that_is_there_alone_is_ready_for_the_engine_there() {
    let Some(elsewhere) = Elsewhere::new("elsewhere-there") else { return };
    elsewhere.stack.put(MODEL, "kept/gguf/tiny-Q4_K_M.gguf");
    assert_eq!(elsewhere.compose(&["create"]).code, 0);
    elsewhere.put_there(&elsewhere.stack.path("kept/gguf"));
    let said = elsewhere.by_hand(&[]);
    assert_says(&said, 0, &["note[seen-through-engine]", "llama, Q4_K_M, context 2048"]);
    assert!(elsewhere.stack.files("models").is_empty());

    let up = elsewhere.compose(&["up", "-d"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    wait_for("the engine elsewhere", || {
        let logs = elsewhere.compose(&["logs", "llama"]).stdout;
        logs.contains("llama_server: model loaded").then_some(())
    });
}

#[test]
fn nothing_is_fetched_to_this_disk_for_an_engine_elsewhere() {
    let Some(elsewhere) = Elsewhere::new("elsewhere-fetch") else { return };
    elsewhere.stack.edit("compose.yaml", |text| {
        let source = "    labels: {preflight.source: hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf}\n";
        text.replace("    network_mode", &format!("{source}    network_mode"))
    });
    let said = elsewhere.by_hand(&["fetch"]);
    assert_says(&said, 3, &["error[lane-unknown]"]);
    assert!(elsewhere.stack.files("models").is_empty());
}

#[test]
fn a_context_leads_to_the_engine_that_the_docker_cli_asks() {
    let Some(elsewhere) = Elsewhere::new("elsewhere-context") else { return };
    elsewhere.stack.put(MODEL, MODEL_PATH);
    let folder = elsewhere.stack.path("cli");
    let cli = |arguments: &[&str]| {
        let mut command = Command::new("docker");
        let said = outcome(
            command.args(arguments).env("DOCKER_CONFIG", &folder).env_remove("DOCKER_HOST"),
        );
        assert_eq!(said.code, 0, "{}", said.stderr);
    };
    let by_hand = |variables: &[(&str, &str)]| {
        let mut command = elsewhere.stack.by_hand_command(&[]);
        command.env_remove("DOCKER_HOST").env("DOCKER_CONFIG", &folder);
        outcome(command.envs(variables.iter().copied()))
    };
    let there = format!("host={}", elsewhere.tunnel.host());
    let here = format!("host=unix://{}", own_socket().display());
    cli(&["context", "create", "there", "--docker", &there]);
    cli(&["context", "create", "here", "--docker", &here]);
    let ready = |said: &Outcome| assert!(said.stderr.contains("ready: 1 of 1 lane"), "{said:?}");
    ready(&by_hand(&[("DOCKER_CONTEXT", "here")]));
    let seen = format!("the Docker Engine at `{}`", elsewhere.tunnel.host());
    assert_says(&by_hand(&[("DOCKER_CONTEXT", "there")]), 3, &[&seen]);
    cli(&["context", "use", "there"]);
    assert_says(&by_hand(&[]), 3, &[&seen]);
    ready(&by_hand(&[("DOCKER_HOST", here.trim_start_matches("host="))]));
    assert_says(&by_hand(&[("DOCKER_CONTEXT", "gone")]), 3, &["the Docker context `gone`"]);
    ready(&by_hand(&[("DOCKER_CONTEXT", "gone"), ("PREFLIGHT_NO_DOCKER", "1")]));
}

#[test]
fn a_socket_that_leads_elsewhere_is_known_by_what_is_not_there() {
    let Some(elsewhere) = Elsewhere::new("elsewhere-socket") else { return };
    elsewhere.stack.put(MODEL, MODEL_PATH);
    let mut command = elsewhere.stack.by_hand_command(&[]);
    let host = format!("unix://{}", elsewhere.socket.display());
    assert_says(&outcome(command.env("DOCKER_HOST", host)), 3, &["note[docker-elsewhere]"]);
}

#[test]
fn a_port_that_leads_to_the_engine_of_this_machine_is_no_other_machine() {
    let Some(stack) = Stack::new("elsewhere-port", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    let tunnel = Tunnel::to(&own_socket());
    let said = outcome(stack.by_hand_command(&[]).env("DOCKER_HOST", tunnel.host()));
    assert_says(&said, 0, &["llama, Q4_K_M, context 2048"]);
    assert!(!said.stdout.contains("elsewhere"), "{}", said.stdout);
}
