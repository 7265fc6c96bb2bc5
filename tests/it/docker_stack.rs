//! A Compose project on a real engine: its folder, the commands that are run on it, and its end.
//!
//! Images: `preflight:test`, `fake-hub:test`, `fake-vllm:test` and `llama.cpp:local`, all made by
//! `tests/run`. Without `PREFLIGHT_TEST_DOCKER=1` every test that needs a [`Stack`] says that it was
//! skipped.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::sandbox::PLANTED;

/// The model that the hub serves and a genuine llama-server loads.
pub(crate) const MODEL: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/models/gguf/tiny-Q4_K_M.gguf");

/// Where the lane `tiny` finds it, below the project's folder.
pub(crate) const MODEL_PATH: &str = "models/gguf/tiny-Q4_K_M.gguf";

/// The source of the lane `tiny` at the hub.
pub(crate) const SOURCE: &str = "hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf";

/// When a container was started that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// -1 after a signal.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A project that is taken down when it goes out of scope.
pub(crate) struct Stack {
    project: String,
    folder: TempDir,
}

impl Stack {
    /// An engine (`llama`) with one lane (`tiny`), the shipped init container before it, a hub, and
    /// an empty folder `models`. `None` where the tests through Docker are not run.
    pub(crate) fn new(name: &str, source: Option<&str>) -> Option<Self> {
        if !docker_tests_run() {
            return None;
        }
        let folder = tempfile::Builder::new()
            .prefix("preflight-")
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary folder");
        let project = format!("preflight-{name}-{}", std::process::id());
        let stack = Self { project, folder };
        let fragment = concat!(env!("CARGO_MANIFEST_DIR"), "/compose/preflight.yaml");
        stack.write("preflight.yaml", &fs_err::read_to_string(fragment).expect("the fragment"));
        stack.write("compose.yaml", &compose_file(source));
        stack.set_environment(&[]);
        stack.put(MODEL, "hub/acme/tiny-GGUF/tiny-Q4_K_M.gguf");
        fs_err::create_dir(stack.path("models")).expect("the models folder");
        Some(stack)
    }

    /// The project's name.
    pub(crate) fn project(&self) -> &str {
        &self.project
    }

    /// A path below the project's folder.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, relative: &str, text: &str) {
        fs_err::write(self.path(relative), text).expect("a file of the project");
    }

    /// Changes a file of the project; a test that changes nothing is wrong.
    pub(crate) fn edit(&self, relative: &str, change: impl FnOnce(&str) -> String) {
        let before = fs_err::read_to_string(self.path(relative)).expect("a file of the project");
        let after = change(&before);
        assert_ne!(before, after, "`{relative}` did not change");
        self.write(relative, &after);
    }

    /// Copies a file into the project, readable by all.
    pub(crate) fn put(&self, from: &str, relative: &str) {
        let to = self.path(relative);
        fs_err::create_dir_all(to.parent().expect("a file has a folder")).expect("its folder");
        fs_err::copy(from, &to).expect("the model is in the repository");
        fs_err::set_permissions(to, std::fs::Permissions::from_mode(0o644)).expect("its mode");
    }

    /// Writes `.env`: the test's image and hub, the models folder, and what the test adds.
    pub(crate) fn set_environment(&self, more: &[(&str, &str)]) {
        let image = image();
        let fixed = [
            ("PREFLIGHT_IMAGE", image.as_str()),
            ("HF_ENDPOINT", "http://hub:8080"),
            ("MODELS_PATH", "./models"),
        ];
        let socket = socket();
        let socket = socket.as_deref().map(|socket| ("DOCKER_SOCKET", socket));
        let fixed: Vec<_> = fixed.into_iter().chain(socket).collect();
        let kept = fixed.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
        let lines = kept.chain(more).map(|(name, value)| format!("{name}={value}\n"));
        self.write(".env", &lines.collect::<String>());
    }

    /// `docker compose` in the project's folder.
    pub(crate) fn compose(&self, arguments: &[&str]) -> Outcome {
        outcome(&mut self.compose_command(arguments))
    }

    /// The same, not yet run.
    pub(crate) fn compose_command(&self, arguments: &[&str]) -> Command {
        let mut command = docker(["compose", "--ansi", "never", "-p", &self.project]);
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    /// `docker compose up -d --wait`, which is expected to come up.
    pub(crate) fn up(&self) {
        let up = self.compose(&["up", "-d", "--wait"]);
        assert_eq!(up.code, 0, "{}\n{}", up.stderr, self.logs("preflight"));
    }

    /// `docker compose up -d --wait`, which is expected to fail; what it says on stderr.
    pub(crate) fn up_fails(&self) -> String {
        let up = self.compose(&["up", "-d", "--wait"]);
        assert_eq!(up.code, 1, "{}\n{}", up.stderr, self.logs("preflight"));
        up.stderr
    }

    /// The stack does not come up, for that cause and with that finding, and nothing but preflight
    /// and the hub has ever been started; what preflight said.
    pub(crate) fn refuses(&self, code: u8, finding: &str) -> String {
        let said = self.up_fails();
        let report = self.logs("preflight");
        assert!(said.contains(&format!("exit {code}")), "{said}\n{report}");
        assert!(report.contains(finding), "`{finding}` is not in\n{report}");
        self.assert_started(&["hub", "preflight"]);
        report
    }

    /// Fails when a container of another service than these has ever been started.
    pub(crate) fn assert_started(&self, allowed: &[&str]) {
        for life in self.lives() {
            let service = life.split(' ').next().unwrap_or_default();
            assert!(life.ends_with(NEVER) || allowed.contains(&service), "was started: {life}");
        }
    }

    /// The services whose containers have ever been started, one entry for each container.
    pub(crate) fn started(&self) -> Vec<String> {
        let lives = self.lives().into_iter().filter(|life| !life.ends_with(NEVER));
        lives.filter_map(|life| Some(life.split(' ').next()?.to_owned())).collect()
    }

    /// Service, id and last start of every container of the project, in order.
    fn lives(&self) -> Vec<String> {
        let listed = self.compose(&["ps", "--all", "--quiet"]).stdout;
        let ids: Vec<&str> = listed.split_whitespace().collect();
        if ids.is_empty() {
            return Vec::new();
        }
        let format = "{{index .Config.Labels \"com.docker.compose.service\"}} {{.Id}} \
                      {{.State.StartedAt}}";
        let inspect = outcome(docker(["inspect", "--format", format]).args(ids));
        assert_eq!(inspect.code, 0, "{}", inspect.stderr);
        let mut lives: Vec<String> = inspect.stdout.lines().map(str::to_owned).collect();
        lives.sort();
        lives
    }

    /// Preflight by hand, in the project's folder; it makes and starts no container.
    pub(crate) fn by_hand(&self, arguments: &[&str]) -> Outcome {
        self.starting_nothing(&mut self.by_hand_command(arguments))
    }

    /// The same with another way to the engine: the socket `socket`.
    pub(crate) fn by_hand_through(&self, socket: &Path, arguments: &[&str]) -> Outcome {
        let mut command = self.by_hand_command(arguments);
        let host = format!("unix://{}", socket.display());
        self.starting_nothing(command.env("DOCKER_HOST", host))
    }

    fn starting_nothing(&self, preflight: &mut Command) -> Outcome {
        let before = self.lives();
        let outcome = without_secret(outcome(preflight));
        assert_eq!(self.lives(), before, "preflight has made or started a container");
        outcome
    }

    /// The same, not yet run.
    pub(crate) fn by_hand_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_preflight"));
        command.args(arguments).args(["-p", &self.project]).current_dir(self.folder.path());
        command.env_clear().env("HOME", self.folder.path());
        if let Some(host) = std::env::var_os("DOCKER_HOST") {
            command.env("DOCKER_HOST", host);
        }
        command
    }

    /// Waits until a service has a container.
    pub(crate) fn wait_until_there(&self, service: &str) {
        wait_for(&format!("a container of {service}"), || {
            let id = self.compose(&["ps", "--all", "--quiet", service]).stdout;
            (!id.is_empty()).then_some(())
        });
    }

    /// Waits until `docker inspect` of a service's container says `value` for `field`.
    pub(crate) fn wait_until(&self, service: &str, field: &str, value: &str) {
        wait_for(&format!("{service}: {field} {value}"), || {
            (self.inspect(service, field) == value).then_some(())
        });
    }

    /// Everything that a service printed.
    pub(crate) fn logs(&self, service: &str) -> String {
        let logs = self.compose(&["logs", "--no-color", "--no-log-prefix", service]);
        let logs = without_secret(logs);
        logs.stdout + &logs.stderr
    }

    /// What preflight told as init container: a program on standard output, a person with the verdict
    /// behind it on standard error.
    pub(crate) fn report(&self) -> String {
        let logs = without_secret(outcome(&mut docker(["logs", &self.container("preflight")])));
        assert_eq!(logs.code, 0, "{}", logs.stderr);
        if logs.stdout.is_empty() { logs.stderr } else { logs.stdout }
    }

    /// The id of a service's container, which may have exited.
    pub(crate) fn container(&self, service: &str) -> String {
        let id = self.compose(&["ps", "--all", "--quiet", service]).stdout.trim().to_owned();
        assert!(!id.is_empty(), "there is no container of `{service}`");
        id
    }

    /// A field of `docker inspect`, as a Go template names it.
    pub(crate) fn inspect(&self, service: &str, field: &str) -> String {
        let format = format!("{{{{{field}}}}}");
        let container = self.container(service);
        let inspect = outcome(&mut docker(["inspect", "--format", &format, &container]));
        assert_eq!(inspect.code, 0, "{}", inspect.stderr);
        inspect.stdout.trim().to_owned()
    }

    /// Makes an image of llama-server with the model inside, at `path`; it goes when the stack does.
    pub(crate) fn image_with_model(&self, path: &str) -> String {
        let (image, keeper) =
            (format!("{}:model", self.project), format!("{}-model", self.project));
        let run = |arguments: &[&str]| {
            let outcome = outcome(&mut docker(arguments));
            assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        };
        let tree = self.path("image");
        let inside = tree.join(path.trim_start_matches('/'));
        fs_err::create_dir_all(inside.parent().expect("a folder")).expect("its folder");
        fs_err::copy(MODEL, inside).expect("the model is in the repository");
        run(&["create", "--name", &keeper, "llama.cpp:local"]);
        run(&["cp", &format!("{}/.", tree.display()), &format!("{keeper}:/")]);
        run(&["commit", &keeper, &image]);
        run(&["rm", &keeper]);
        image
    }

    /// Starts the hub and waits until it answers.
    pub(crate) fn start_hub(&self) {
        let up = self.compose(&["up", "-d", "hub"]);
        assert_eq!(up.code, 0, "{}", up.stderr);
        wait_for("the hub", || self.logs("hub").starts_with("http").then_some(()));
    }

    /// The requests that the hub has answered, one line for each.
    pub(crate) fn hub_requests(&self) -> Vec<String> {
        self.logs("hub").lines().skip(1).map(str::to_owned).collect()
    }

    /// Waits until the genuine llama-server says that it is healthy; where it answers.
    pub(crate) fn assert_llama_is_healthy(&self) -> String {
        let port = self.compose(&["port", "llama", "8080"]).stdout;
        let address = format!("http://{}", port.trim());
        assert_healthy(&address);
        address
    }

    /// Waits until the genuine llama-server is healthy, and has it complete a prompt.
    pub(crate) fn assert_llama_serves(&self) {
        assert_completes(&self.assert_llama_is_healthy());
    }

    /// The files below a folder of the project, as paths relative to it.
    pub(crate) fn files(&self, relative: &str) -> Vec<PathBuf> {
        files_below(&self.path(relative))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let state = self.compose(&["ps", "--all"]);
            let logs = self.compose(&["logs", "--no-color"]);
            say(&format!("{}\n{}{}", state.stdout, logs.stdout, logs.stderr));
        }
        let all = ["--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "0"];
        self.compose(&all);
        if self.path("image").exists() {
            outcome(&mut docker(["image", "rm", "--force", &format!("{}:model", self.project)]));
        }
    }
}

/// Waits until the genuine llama-server at an address says that it is healthy.
pub(crate) fn assert_healthy(address: &str) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    wait_for("llama-server's /health", || {
        let answer = runtime.block_on(client.get(format!("{address}/health")).send()).ok()?;
        (answer.status() == 200).then_some(())
    });
}

/// Has the genuine llama-server at an address complete a prompt.
pub(crate) fn assert_completes(address: &str) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let completion = runtime.block_on(async {
        let request = client.post(format!("{address}/v1/completions"));
        let body = r#"{"prompt": "once upon a time", "max_tokens": 4}"#;
        let answer = request.header("content-type", "application/json").body(body).send();
        answer.await?.error_for_status()?.text().await
    });
    let completion = completion.expect("llama-server completes");
    let completion: serde_json::Value = serde_json::from_str(&completion).expect("JSON");
    assert!(completion["choices"][0]["text"].is_string(), "{completion}");
}

/// The files below a folder, as paths relative to it; none if there is no such folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().flatten();
    let files = entries.filter(|entry| entry.file_type().is_file());
    files.filter_map(|file| Some(file.path().strip_prefix(folder).ok()?.to_owned())).collect()
}

/// The image of preflight; another build, where several are tested on one engine.
pub(crate) fn image() -> String {
    let image = std::env::var_os("PREFLIGHT_TEST_IMAGE");
    image.map_or_else(|| "preflight:test".to_owned(), |image| image.to_string_lossy().into_owned())
}

/// The socket of the engine that runs the stack; absent: the default one.
pub(crate) fn socket() -> Option<String> {
    let host = std::env::var_os("DOCKER_HOST")?;
    host.to_string_lossy().strip_prefix("unix://").map(str::to_owned)
}

/// A port of this machine that nobody has, and that nobody will be given who asks for any: those are from
/// 32768 on (`net.ipv4.ip_local_port_range`).
pub(crate) fn free_port() -> u16 {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let mut ports = std::iter::repeat_with(|| {
        let number =
            std::process::id().wrapping_mul(16).wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed));
        u16::try_from(20_000 + number % 12_000).expect("below 32000")
    });
    let is_free = |port: &u16| TcpListener::bind(("0.0.0.0", *port)).is_ok();
    ports.find(is_free).expect("a free port")
}

/// Whether the tests through Docker run; a test that needs them asks first.
pub(crate) fn docker_tests_run() -> bool {
    let run = is_set("PREFLIGHT_TEST_DOCKER");
    run || skip("PREFLIGHT_TEST_DOCKER is not set (`tests/run` sets it)")
}

/// Whether this process may give files to other users; a test that does asks first.
pub(crate) fn may_change_owners() -> bool {
    rustix::process::geteuid().is_root() || skip("only root may change the owner of a folder")
}

/// Says that a test is left out; panics where nothing may be. Always false.
pub(crate) fn skip(reason: &str) -> bool {
    assert!(!is_set("PREFLIGHT_TEST_REQUIRE_ALL"), "must not be skipped: {reason}");
    say(&format!("skipped: {reason}"));
    false
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value == "1")
}

/// `docker ARGUMENTS` with nothing of the caller's environment but the way to the engine.
pub(crate) fn docker<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments).env_clear();
    for name in ["PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Runs a command to its end, for at most five minutes.
pub(crate) fn outcome(command: &mut Command) -> Outcome {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // With the programs that `docker` starts, which have its standard output as well.
    command.process_group(0);
    let child = command.spawn().expect("the docker command is installed");
    let process = Pid::from_child(&child);
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let is_stuck = end.recv_timeout(Duration::from_secs(300)) == Err(RecvTimeoutError::Timeout);
        is_stuck && rustix::process::kill_process_group(process, Signal::KILL).is_ok()
    });
    let output = child.wait_with_output().expect("what it printed");
    drop(ended);
    let is_stuck = watch.join().expect("the watch ends");
    if is_stuck {
        say(&format!("{command:?} did not end: {output:?}"));
    }
    // A second panic would end the process before the first one is told.
    assert!(!is_stuck || std::thread::panicking(), "{command:?} did not end");
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Fails when what was printed shows the secret in the environment of the engine's container.
fn without_secret(outcome: Outcome) -> Outcome {
    let (variable, secret) = PLANTED;
    let is_shown = [&outcome.stdout, &outcome.stderr].into_iter().any(|it| it.contains(secret));
    assert!(!is_shown, "the value of {variable} is shown:\n{}{}", outcome.stdout, outcome.stderr);
    outcome
}

/// Asks again until there is an answer, for at most a minute.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come within a minute");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a test says why it was skipped, how it failed, its figures"
)]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

fn compose_file(source: Option<&str>) -> String {
    let source = source.map(|source| format!("\n      source: {source}")).unwrap_or_default();
    let (variable, secret) = PLANTED;
    format!(
        r#"include:
  - preflight.yaml

x-preflight:
  lanes:
    tiny:
      service: llama{source}
      path: /models/gguf/tiny-Q4_K_M.gguf

services:
  hub:
    image: fake-hub:test
    command:
      - --root=/hub
      - --listen=0.0.0.0:8080
      - --cdn-listen=0.0.0.0:8081
      - --public-url=http://hub:8080
    volumes:
      - ./hub:/hub:ro

  llama:
    image: llama.cpp:local
    command: [--host, 0.0.0.0, --port, "8080", -m, /models/gguf/tiny-Q4_K_M.gguf, -c, "256"]
    environment: {{{variable}: {secret}}}
    depends_on:
      preflight:
        condition: service_completed_successfully
    ports:
      - 127.0.0.1::8080
    volumes:
      - ${{MODELS_PATH:-./models}}:/models:ro
"#
    )
}
