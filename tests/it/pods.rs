//! Pods on real runtimes, podman 4 and 5: the genuine llama-server runs where preflight says that it can,
//! and is never started where it says that it cannot.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use fake_hub::FakeHub;
use tempfile::TempDir;

use crate::docker_stack::{
    MODEL, Outcome, assert_completes, assert_healthy, free_port, outcome, say, wait_for,
};
use crate::judge;

/// The model as its Pods have it.
pub(crate) const FILE: &str = "tiny-Q4_K_M.gguf";

/// The repository that it comes from, and what that is called.
pub(crate) const HOSTED: (&str, &str) = ("acme/tiny-GGUF", "hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf");

/// A container that has read what Kubernetes allows it to say last.
const LONGEST_LAST_WORDS: usize = 2048;

/// The variables that name podman, and the releases.
const PODMEN: [(&str, u8); 2] = [("PREFLIGHT_TEST_PODMAN", 4), ("PREFLIGHT_TEST_PODMAN_5", 5)];

/// Manifests in a folder of their own, on one podman; what they make goes with them.
pub(crate) struct Pods {
    podman: String,
    release: u8,
    pub(crate) name: String,
    pub(crate) port: u16,
    folder: TempDir,
}

impl Pods {
    /// One for every podman that is there; they share no name and no port.
    pub(crate) fn on_each(name: &str) -> Vec<Self> {
        let there = |(variable, release)| Some((judge::named(variable)?, release));
        PODMEN.into_iter().filter_map(there).map(|it| Self::on(it, name)).collect()
    }

    /// The one for podman 5, if that is there.
    fn on_5(name: &str) -> Option<Self> {
        let (variable, release) = PODMEN[1];
        Some(Self::on((judge::named(variable)?, release), name))
    }

    fn on((podman, release): (String, u8), name: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("preflight-pods-")
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        let pods = Self {
            podman,
            release,
            name: format!("preflight-{name}-{}", std::process::id()),
            port: free_port(),
            folder,
        };
        fs_err::create_dir(pods.path("models")).unwrap();
        // A kubelet makes the file for every container; podman does not.
        pods.write("last-words", b"", 0o666);
        pods.write(&format!("models/{FILE}"), &model(), 0o644);
        pods
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, content: &[u8], mode: u32) {
        let path = self.path(relative);
        fs_err::write(&path, content).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A Pod with preflight before a genuine llama-server, as docs/kubernetes.md has it.
    fn manifest(&self) -> String {
        let (name, port, folder) = (&self.name, self.port, self.folder.path().display());
        format!(
            "apiVersion: v1
kind: Pod
metadata:
  name: {name}
  annotations: {{io.podman.annotations.init.container.type: always}}
spec:
  hostNetwork: true
  restartPolicy: Never
  initContainers:
    - name: preflight
      image: localhost/preflight:test
      imagePullPolicy: Never
      env: [{{name: PREFLIGHT_TIMEOUT, value: 5m}}]
      volumeMounts:
        - {{name: models, mountPath: /models}}
        - {{name: project, mountPath: /project, readOnly: true}}
        - {{name: last-words, mountPath: /dev/termination-log}}
  containers:
    - name: engine
      image: ghcr.io/ggml-org/llama.cpp:server
      imagePullPolicy: Never
      args: [-m, /models/{FILE}, --host, 127.0.0.1, --port, \"{port}\", -c, \"256\"]
      volumeMounts: [{{name: models, mountPath: /models, readOnly: true}}]
  volumes:
    - {{name: models, hostPath: {{path: {folder}/models, type: Directory}}}}
    - {{name: last-words, hostPath: {{path: {folder}/last-words, type: File}}}}
    - {{name: project, configMap: {{name: {name}}}}}
"
        )
    }

    /// Plays a manifest, beside itself in the ConfigMap that its Pod mounts.
    fn play(&self, manifest: &str) -> Outcome {
        let lines: String = manifest.lines().map(|line| format!("    {line}\n")).collect();
        let head = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n", self.name);
        let text = format!("{head}data:\n  pod.yaml: |\n{lines}---\n{manifest}");
        self.play_alone(&text)
    }

    /// Plays a manifest.
    pub(crate) fn play_alone(&self, manifest: &str) -> Outcome {
        outcome(&mut self.playing(manifest))
    }

    /// What plays a manifest.
    pub(crate) fn playing(&self, manifest: &str) -> Command {
        self.write("played.yaml", manifest.as_bytes(), 0o644);
        let mut command = Command::new(&self.podman);
        command.args(["kube", "play"]).arg(self.path("played.yaml"));
        command
    }

    /// Plays it, and its engine serves.
    fn play_and_serve(&self, manifest: &str) {
        let play = self.play(manifest);
        assert_eq!(play.code, 0, "{}\n{}", play.stderr, self.logs("preflight"));
        self.assert_serves();
    }

    /// Plays it; preflight ends with `code`, has said so to Kubernetes as well, and no engine was started.
    /// What it said.
    fn play_and_be_refused(&self, manifest: &str, code: u8) -> String {
        self.refused(&self.play(manifest), "preflight", code)
    }

    /// What preflight said in its container, where that has kept what was played from starting.
    pub(crate) fn refused(&self, play: &Outcome, container: &str, code: u8) -> String {
        let said = self.logs(container);
        let ended = format!("exited with code {code}\n");
        assert!(play.code == 125 && play.stderr.ends_with(&ended), "{}\n{said}", play.stderr);
        assert_eq!(self.inspect(container, ".State.ExitCode"), code.to_string(), "{said}");
        let last_words = self.last_words();
        let verdict = format!("preflight: not ready: exit {code}");
        assert!(last_words.starts_with(&verdict), "{last_words}\n{said}");
        assert!(last_words.len() <= LONGEST_LAST_WORDS, "{last_words}");
        assert!(said.ends_with(&last_words), "{last_words}\n{said}");
        assert!(!said.to_lowercase().contains("docker"), "{said}");
        said
    }

    fn kube(&self, arguments: &[&str]) -> Outcome {
        self.run(&[&["kube"], arguments, &[self.path("played.yaml").to_str().unwrap()]].concat())
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        outcome(Command::new(&self.podman).args(arguments))
    }

    /// The name of a container of the Pod.
    pub(crate) fn container(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    pub(crate) fn logs(&self, container: &str) -> String {
        let logs = self.run(&["logs", &self.container(container)]);
        logs.stdout + &logs.stderr
    }

    pub(crate) fn inspect(&self, container: &str, field: &str) -> String {
        let format = format!("{{{{{field}}}}}");
        let inspect = self.run(&["inspect", "--format", &format, &self.container(container)]);
        assert_eq!(inspect.code, 0, "{}", inspect.stderr);
        inspect.stdout.trim().to_owned()
    }

    pub(crate) fn was_never_started(&self, container: &str) {
        assert_eq!(self.inspect(container, ".State.Status"), "created");
        assert_eq!(self.inspect(container, ".State.StartedAt"), "0001-01-01 00:00:00 +0000 UTC");
    }

    /// What `kubectl describe pod` would show of preflight.
    pub(crate) fn last_words(&self) -> String {
        fs_err::read_to_string(self.path("last-words")).unwrap()
    }

    /// Waits until llama-server is healthy, and has it complete a prompt.
    pub(crate) fn assert_serves(&self) {
        let address = format!("http://127.0.0.1:{}", self.port);
        assert_healthy(&address);
        assert_completes(&address);
    }

    /// Takes away what was played, but for volumes that are claimed.
    pub(crate) fn down(&self) {
        let down = self.kube(&["down"]);
        assert_eq!(down.code, 0, "{}", down.stderr);
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let state = self.run(&["ps", "--all", "--format", "{{.Names}}: {{.Status}}"]);
            say(&format!("podman {}\n{}", self.release, state.stdout));
        }
        self.kube(&["down"]);
        let filter = format!("name={}", self.name);
        let volumes = self.run(&["volume", "ls", "--quiet", "--filter", &filter]);
        for volume in volumes.stdout.lines() {
            self.run(&["volume", "rm", "--force", volume]);
        }
    }
}

pub(crate) fn model() -> Vec<u8> {
    fs_err::read(Path::new(MODEL)).unwrap()
}

/// A text with one part of it replaced; a change that changes nothing is wrong.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "`{from}` is not in\n{text}");
    text.replace(from, to)
}

#[test]
fn a_sound_model_is_served_and_kubernetes_is_told_one_line() {
    for pods in Pods::on_each("sound") {
        pods.play_and_serve(&pods.manifest());
        assert_eq!(pods.last_words(), "preflight: ready: 1 of 1 lane\n");
        let said = pods.logs("preflight");
        assert!(said.ends_with("preflight: ready: 1 of 1 lane\n"), "{said}");
        assert!(!said.to_lowercase().contains("docker"), "{said}");
        assert_eq!(pods.inspect("preflight", ".State.ExitCode"), "0");
    }
}

#[test]
fn a_truncated_model_a_missing_one_and_one_of_somebody_else_keep_the_engine_from_starting() {
    for pods in Pods::on_each("broken") {
        let path = format!("models/{FILE}");
        let whole = model();
        for (content, mode, manifest, code, finding) in [
            (Some(&whole[..400_000]), 0o644, pods.manifest(), 11, "error[file-truncated]"),
            (None, 0, pods.manifest(), 10, "error[files-missing]"),
            (
                Some(&whole[..]),
                0o600,
                of_another_user(&pods),
                16,
                "error[unreadable-by-service-user]",
            ),
        ] {
            fs_err::remove_file(pods.path(&path)).unwrap();
            if let Some(content) = content {
                pods.write(&path, content, mode);
            }
            let said = pods.play_and_be_refused(&manifest, code);
            assert!(said.contains(finding), "{said}");
            assert!(said.contains("--> pod.yaml:"), "{said}");
            pods.was_never_started("engine");
            pods.down();
            pods.write(&path, &whole, 0o644);
        }
        pods.play_and_serve(&pods.manifest());
    }
}

/// The engine as a user to whom the model does not belong; preflight as root.
fn of_another_user(pods: &Pods) -> String {
    let text = changed(
        &pods.manifest(),
        "      env: [",
        "      securityContext: {runAsUser: 0}\n      env: [",
    );
    changed(&text, "      args: [", "      securityContext: {runAsUser: 1000}\n      args: [")
}

/// A second engine, with a model of its own.
fn with_second(manifest: &str) -> String {
    let second = format!(
        "    - name: second
      image: ghcr.io/ggml-org/llama.cpp:server
      imagePullPolicy: Never
      args: [-m, /models/second.gguf, --port, \"{}\", -c, \"256\"]
      volumeMounts: [{{name: models, mountPath: /models, readOnly: true}}]
  volumes:
",
        free_port()
    );
    changed(manifest, "  volumes:\n", &second)
}

#[test]
fn of_two_lanes_in_one_pod_the_broken_one_is_named() {
    for pods in Pods::on_each("two-lanes") {
        let manifest = with_second(&pods.manifest());
        pods.write("models/second.gguf", &model()[..400_000], 0o644);
        let said = pods.play_and_be_refused(&manifest, 11);
        assert!(said.contains("; 1 of 2 lanes ready\n"), "{said}");
        assert!(pods.last_words().contains("/second: file-truncated"), "{}", pods.last_words());
        pods.was_never_started("engine");
        pods.was_never_started("second");
    }
}

#[test]
fn a_file_of_the_manifest_that_is_named_is_read_wherever_it_is() {
    for pods in Pods::on_each("named") {
        let manifest = changed(&pods.manifest(), "/project,", "/etc/manifests,");
        let manifest = changed(
            &manifest,
            "      env: [{name: PREFLIGHT_TIMEOUT",
            "      args: [-f, /etc/manifests/pod.yaml]\n      env: [{name: PREFLIGHT_TIMEOUT",
        );
        pods.play_and_serve(&manifest);
        assert_eq!(pods.last_words(), "preflight: ready: 1 of 1 lane\n");
    }
}

#[test]
fn a_claimed_volume_is_filled_once() {
    for pods in Pods::on_each("claim") {
        let hub = FakeHub::builder().file(HOSTED.0, FILE, model()).start().unwrap();
        let host_path =
            format!("hostPath: {{path: {}, type: Directory}}", pods.path("models").display());
        // Podman 4 has a volume for the ConfigMap as well, by its name.
        let claimed = format!("{}-models", pods.name);
        let claim = format!("persistentVolumeClaim: {{claimName: {claimed}}}");
        let manifest = changed(&pods.manifest(), &host_path, &claim);
        let manifest = changed(
            &manifest,
            "annotations: {",
            &format!("annotations: {{preflight.source/engine: '{}', ", HOSTED.1),
        );
        let manifest = changed(
            &manifest,
            "      env: [",
            &format!(
                "      securityContext: {{runAsUser: 0}}\n      env: [{{name: HF_ENDPOINT, value: '{}'}}, ",
                hub.url()
            ),
        );
        let with_claim = format!(
            "{manifest}---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {claimed}}}\nspec:\n  \
             accessModes: [ReadWriteOnce]\n  resources: {{requests: {{storage: 1Gi}}}}\n"
        );
        pods.play_and_serve(&with_claim);
        assert_eq!(pods.last_words(), "preflight: ready: 1 of 1 lane\n");
        pods.down();
        let asked = hub.requests().len();
        assert!(asked > 0);
        // Podman 4 refuses to make a volume that is there.
        pods.play_and_serve(&manifest);
        assert_eq!(hub.requests().len(), asked, "{}", pods.logs("preflight"));
    }
}

#[test]
fn pods_that_are_always_restarted_are_gated_once() {
    let Some(pods) = Pods::on_5("always") else { return };
    let manifest = changed(&pods.manifest(), "restartPolicy: Never", "restartPolicy: Always");
    pods.play_and_serve(&manifest);
    pods.down();
    pods.write(&format!("models/{FILE}"), &model()[..400_000], 0o644);
    pods.play_and_be_refused(&manifest, 11);
    pods.was_never_started("engine");
}

#[test]
fn a_deployment_is_gated_as_its_pod_is() {
    let Some(mut pods) = Pods::on_5("deployment") else { return };
    let pod = changed(&pods.manifest(), "  restartPolicy: Never\n", "");
    let (_, pod) = pod.split_once("metadata:\n").unwrap();
    let pod: String = pod.lines().map(|line| format!("    {line}\n")).collect();
    let name = pods.name.clone();
    let pod = changed(&pod, &format!("name: {name}\n"), &format!("labels: {{app: {name}}}\n"));
    let manifest = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  selector: {{matchLabels: \
         {{app: {name}}}}}\n  template:\n    metadata:\n{pod}"
    );
    pods.play_and_serve(&manifest);
    assert_eq!(pods.last_words(), "preflight: ready: 1 of 1 lane\n");
    pods.down();
    pods.write(&format!("models/{FILE}"), &model()[..400_000], 0o644);
    // Podman calls the containers of a Deployment after its Pod.
    pods.name = format!("{name}-pod");
    let play = pods.kube(&["play"]);
    assert!(play.stderr.ends_with("exited with code 11\n"), "{}", play.stderr);
    assert!(pods.last_words().contains("pod.yaml:"), "{}", pods.last_words());
    pods.was_never_started("engine");
    pods.down();
    pods.name = name;
}

#[test]
fn exec_in_a_pod_gates_every_start_of_its_container() {
    for pods in Pods::on_each("exec") {
        let manifest = changed(
            &pods.manifest(),
            "  initContainers:\n",
            "  initContainers:
    - name: install
      image: localhost/preflight:test
      imagePullPolicy: Never
      args: [install, /programs]
      securityContext: {runAsUser: 0}
      volumeMounts: [{name: programs, mountPath: /programs}]
",
        );
        let manifest = changed(
            &manifest,
            "      args: [-m,",
            "      command: [/preflight/preflight, exec, --, /usr/bin/llama-server]\n      args: [-m,",
        );
        let manifest = changed(
            &manifest,
            "mountPath: /models, readOnly: true}]",
            "mountPath: /models, readOnly: true}, {name: programs, mountPath: /preflight}]",
        );
        let manifest = changed(
            &manifest,
            "  volumes:\n",
            "  volumes:\n    - {name: programs, emptyDir: {}}\n",
        );
        // Podman ends a Pod when its last container does.
        let manifest = with_second(&manifest);
        pods.write("models/second.gguf", &model(), 0o644);
        pods.play_and_serve(&manifest);
        let restart = || pods.run(&["restart", "--time", "5", &pods.container("engine")]);
        assert_eq!(restart().code, 0);
        pods.assert_serves();
        pods.write(&format!("models/{FILE}"), &model()[..400_000], 0o644);
        restart();
        wait_for("the end of the engine", || {
            (pods.inspect("engine", ".State.Status") == "exited").then_some(())
        });
        let said = pods.logs("engine");
        assert_eq!(pods.inspect("engine", ".State.ExitCode"), "11", "{said}");
        assert!(said.contains("error[file-truncated]"), "{said}");
    }
}
