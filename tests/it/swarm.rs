//! The shipped stack on a Swarm of two nodes: a job brings the model to each of them, and in front of
//! the engine stands `preflight exec`, as Swarm itself waits for nobody.
//!
//! The nodes are two engines of `tests/setup/swarm`, whose sockets are in `PREFLIGHT_TEST_SWARM`.

use std::path::{Path, PathBuf};

use crate::docker_stack::{MODEL, Outcome, docker, image, outcome, say, skip, wait_for};
use crate::sandbox::{Sandbox, repository};

/// The first node, as both see it; the hub is there.
const ADDRESS: &str = "10.213.0.1";

/// A stack, which is removed when it goes out of scope.
struct Swarm {
    /// Of the manager, then of the other node.
    sockets: [String; 2],
    name: String,
    /// Of the hub, and of its store the next.
    port: u16,
    folder: tempfile::TempDir,
}

/// A task, as `docker stack ps` lists it.
#[derive(Debug)]
struct Task {
    service: String,
    node: String,
    state: String,
    error: String,
}

impl Swarm {
    /// The shipped stack with an engine that is here; the hub is not started.
    fn new(name: &str, port: u16) -> Option<Self> {
        let Some(sockets) = std::env::var_os("PREFLIGHT_TEST_SWARM") else {
            skip("PREFLIGHT_TEST_SWARM is not set (`tests/run` sets it)");
            return None;
        };
        let sockets = sockets.to_string_lossy();
        let (manager, other) = sockets.split_once(' ').expect("two sockets");
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/compose/swarm.yaml");
        let mut text = fs_err::read_to_string(shipped).unwrap();
        let name = format!("{name}-{}", std::process::id());
        for (from, to) in [
            ("ghcr.io/ggml-org/llama.cpp:server", "llama.cpp:local"),
            ("/app/llama-server", "/usr/bin/llama-server"),
            ("model-Q4_K_M.gguf", "tiny-Q4_K_M.gguf"),
            ("hf://OWNER/NAME@COMMIT/", "hf://acme/tiny-GGUF/"),
            ("delay: 30s", "delay: 1s"),
            ("delay: 10s", "delay: 1s"),
            ("    ports: [\"8080:8080\"]\n", ""),
            ("name: llm-project-", &format!("name: {name}-")),
        ] {
            assert!(text.contains(from), "`{from}` is not in the stack");
            text = text.replace(from, to);
        }
        let swarm = Self {
            sockets: [manager.to_owned(), other.to_owned()],
            name,
            port,
            folder: tempfile::tempdir().unwrap(),
        };
        fs_err::write(swarm.path("swarm.yaml"), text).unwrap();
        fs_err::create_dir_all(swarm.path("hub/acme/tiny-GGUF")).unwrap();
        fs_err::copy(MODEL, swarm.path("hub/acme/tiny-GGUF/tiny-Q4_K_M.gguf")).unwrap();
        Some(swarm)
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// `docker ARGUMENTS` on a node, which has to succeed.
    fn on(&self, node: usize, arguments: &[&str]) -> String {
        let outcome = self.tried(node, arguments);
        assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.stderr);
        outcome.stdout
    }

    fn tried(&self, node: usize, arguments: &[&str]) -> Outcome {
        let mut command = docker(arguments);
        command.current_dir(self.folder.path()).env_remove("DOCKER_CONTEXT");
        outcome(command.env("DOCKER_HOST", format!("unix://{}", self.sockets[node])))
    }

    fn hub(&self) -> String {
        format!("{ADDRESS}:{}", self.port)
    }

    fn deploy(&self, version: &str) {
        let mut command =
            docker(["stack", "deploy", "--detach=true", "-c", "swarm.yaml", &self.name]);
        command.current_dir(self.folder.path()).env_remove("DOCKER_CONTEXT");
        command.env("DOCKER_HOST", format!("unix://{}", self.sockets[0]));
        command.env("PREFLIGHT_IMAGE", image()).env("STACK_VERSION", version);
        let deploy = outcome(command.env("HF_ENDPOINT", format!("http://{}", self.hub())));
        assert_eq!(deploy.code, 0, "{}", deploy.stderr);
    }

    fn start_hub(&self) {
        let hub = format!("{}:/hub:ro", self.path("hub").display());
        let listen = format!("--listen={}", self.hub());
        let cdn = format!("--cdn-listen={ADDRESS}:{}", self.port + 1);
        let url = format!("--public-url=http://{}", self.hub());
        let name = format!("{}-hub", self.name);
        let own = ["run", "--detach", "--name", &name, "--network", "host", "--volume", &hub];
        self.on(0, &[&own[..], &["fake-hub:test", "--root=/hub", &listen, &cdn, &url]].concat());
    }

    /// Every task of the stack, those that have ended as well; the newest of each node first.
    fn tasks(&self) -> Vec<Task> {
        let format = "{{.Name}}\t{{.Node}}\t{{.CurrentState}}\t{{.Error}}";
        let told = self.on(0, &["stack", "ps", "--no-trunc", "--format", format, &self.name]);
        let task = |line: &str| {
            let mut fields = line.split('\t').map(str::to_owned);
            let mut field = || fields.next().unwrap_or_default();
            let (name, node, state, error) = (field(), field(), field(), field());
            let service = name.trim_start_matches(&format!("{}_", self.name));
            Task { service: service.split('.').next().unwrap().to_owned(), node, state, error }
        };
        told.lines().map(task).collect()
    }

    /// Waits until tasks of `service` on `node` that are in `state`, with `error`, are at least `count`.
    fn wait(&self, (service, node): (&str, &str), (state, error): (&str, &str), count: usize) {
        let is_it = |task: &Task| {
            task.service == service
                && task.node == node
                && task.state.starts_with(state)
                && task.error.contains(error)
        };
        wait_for(&format!("{service} on {node}: {state} {error}"), || {
            let found = self.tasks().iter().filter(|task| is_it(task)).count();
            (found >= count).then_some(())
        });
    }

    fn wait_on_both(&self, service: &str, state: (&str, &str)) {
        ["node1", "node2"].into_iter().for_each(|node| self.wait((service, node), state, 1));
    }

    /// A file in a volume of a node.
    fn in_volume(&self, node: usize, volume: &str, path: &str) -> PathBuf {
        let volume = format!("{}_{volume}", self.name);
        let at = self.on(node, &["volume", "inspect", "--format", "{{.Mountpoint}}", &volume]);
        Path::new(at.trim()).join(path)
    }

    /// Waits until the engine of a node serves: a task that is judged runs as well. Its container.
    fn serving(&self, node: usize) -> String {
        wait_for(&format!("the engine of node {}", node + 1), || {
            let [engine] = self.listed(node, &[]).try_into().ok()?;
            let logs = self.tried(node, &["logs", &engine]);
            logs.stderr.contains(": listening on ").then_some(engine)
        })
    }

    /// The containers of the engine on a node, as `docker ps` is told to list them.
    fn listed(&self, node: usize, which: &[&str]) -> Vec<String> {
        let label = format!("label=com.docker.swarm.service.name={}_engine", self.name);
        let ids = self.on(node, &[&["ps", "--quiet", "--filter", &label], which].concat());
        ids.lines().map(str::to_owned).collect()
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("{:#?}", self.tried(0, &["stack", "ps", "--no-trunc", &self.name])));
        }
        self.tried(0, &["stack", "rm", &self.name]);
        self.tried(0, &["rm", "--force", &format!("{}-hub", self.name)]);
    }
}

/// Whether a file is the model that the hub has.
fn is_whole(file: &Path) -> bool {
    fs_err::read(file).unwrap() == fs_err::read(MODEL).unwrap()
}

#[test]
fn a_job_brings_the_model_to_every_node_and_no_engine_starts_before_or_behind_a_damage() {
    let Some(swarm) = Swarm::new("fill", 9080) else { return };
    swarm.deploy("1");
    // There is no hub yet: the jobs fail, and Swarm has long started the engines.
    swarm.wait_on_both("preflight", ("Failed", "non-zero exit (13)"));
    swarm.wait_on_both("program", ("Complete", ""));
    swarm.wait_on_both("engine", ("Failed", "non-zero exit (10)"));
    swarm.start_hub();
    swarm.wait_on_both("preflight", ("Complete", ""));
    let other = swarm.serving(0);

    let model = swarm.in_volume(1, "models", "gguf/tiny-Q4_K_M.gguf");
    assert!(is_whole(&model), "the model differs from the hub's");
    let engine = swarm.serving(1);
    fs_err::OpenOptions::new().write(true).open(&model).unwrap().set_len(400_000).unwrap();
    swarm.on(1, &["kill", &engine]);
    swarm.wait(("engine", "node2"), ("Failed", "non-zero exit (11)"), 2);
    assert_eq!(swarm.serving(0), other);
    let damaged = swarm.listed(1, &["--all", "--filter", "exited=11"]);
    let logs = swarm.tried(1, &["logs", &damaged[0]]);
    assert!(logs.stderr.contains("error[file-truncated]"), "{logs:?}");

    // Another version is another job, which brings what is broken once more.
    swarm.deploy("2");
    swarm.serving(1);
    assert!(is_whole(&model), "the model differs from the hub's");
}

#[test]
fn a_node_on_which_there_is_no_room_is_seen_by_its_exit_code_and_has_no_engine() {
    let Some(swarm) = Swarm::new("short", 9082) else { return };
    let volume = format!("{}_models", swarm.name);
    let small = ["--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=300k"];
    swarm.on(1, &[&["volume", "create"], &small[..], &[volume.as_str()]].concat());
    swarm.start_hub();
    swarm.deploy("1");
    swarm.wait(("preflight", "node1"), ("Complete", ""), 1);
    swarm.wait(("preflight", "node2"), ("Failed", "non-zero exit (14)"), 2);
    swarm.serving(0);
    swarm.wait(("engine", "node2"), ("Failed", "non-zero exit (10)"), 2);
}

#[test]
fn by_hand_the_shipped_stack_is_a_stack_and_no_project_of_compose_that_waits_wrongly() {
    let shipped = repository().join("compose/swarm.yaml");
    let sandbox = Sandbox::new().file("swarm.yaml", fs_err::read(shipped).unwrap());
    let plan = sandbox.run(&["plan", "-f", "swarm.yaml"]);
    assert!(plan.stdout.starts_with("engine: llama.cpp, service engine, "), "{}", plan.stdout);
    let run = sandbox.run(&["-f", "swarm.yaml"]);
    // What is in a volume of Docker cannot be seen from here.
    assert_eq!(run.code, Some(3), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("_models` belongs to a node of the Swarm"), "{}", run.stdout);
    assert!(!run.stdout.contains("docker compose"), "{}", run.stdout);
    let init = sandbox.run(&["init", "-f", "swarm.yaml"]);
    let refused = "what is read is a stack for Docker Swarm, and `init` edits Compose files";
    assert!(init.code == Some(2) && init.stderr.contains(refused), "{}", init.stderr);
    for rule in ["service-does-not-wait", "preflight-restarts", "preflight-fails-wait"] {
        assert!(!run.stdout.contains(rule), "{}", run.stdout);
    }
}

#[test]
fn a_project_with_an_edge_that_swarm_refuses_is_one_of_compose() {
    let text = "\
services:
  preflight: {image: preflight, deploy: {mode: global-job}}
  engine:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: -m /models/gguf/tiny-Q4_K_M.gguf -c 2048
    volumes: [\"./models:/models:ro\"]
    depends_on: {preflight: {condition: service_completed_successfully}}
";
    let sandbox = Sandbox::quickstart().file("compose.yaml", text);
    let run = sandbox.run(&[]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains("service-does-not-wait"), "{}", run.stdout);
    let listed =
        text.replace("{preflight: {condition: service_completed_successfully}}", "[preflight]");
    let told = "`engine` does not wait for `preflight`: Docker Swarm waits for nobody";
    let on_every_node = listed.replace("global-job", "global");
    let sandbox = sandbox.file("compose.yaml", listed);
    let run = sandbox.run(&[]);
    assert!(run.stdout.contains(told), "{}", run.stdout);
    // Compose takes that for what it is: one container.
    let sandbox = sandbox.file("compose.yaml", &on_every_node);
    let run = sandbox.run(&[]);
    assert!(!run.stdout.contains(told), "{}", run.stdout);
    // Swarm reads which version it is, and Compose does not.
    let ignored = "the attribute `version` is obsolete and ignored";
    for (text, is_told) in
        [(&on_every_node, true), (&on_every_node.replace("global", "global-job"), false)]
    {
        let run =
            Sandbox::quickstart().file("compose.yaml", format!("version: '3.8'\n{text}")).run(&[]);
        assert_eq!(run.stdout.contains(ignored), is_told, "{}", run.stdout);
    }
}
