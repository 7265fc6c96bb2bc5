//! The shipped workflow of GitHub Actions, step by step as it stands in its file.

use std::path::Path;
use std::process::Command;

use fake_hub::FakeHub;
use preflight::yaml;
use serde_json::Value;

use crate::docker_stack::{
    MODEL, Outcome, docker, docker_tests_run, free_port, image, outcome, socket,
};
use crate::sandbox::repository;

/// What the workflow leaves to actions of GitHub: the checkout is copied, a cache that holds nothing
/// and an archive of reports change no step.
const ACTIONS: [&str; 3] =
    ["actions/checkout@v7", "actions/cache@v6", "actions/upload-artifact@v7"];

/// Where the hub has the model of the only lane that a runner without a GPU starts.
const HOSTED: (&str, &str) =
    ("bartowski/TinyLlama-1.1B-Chat-v1.0-GGUF", "TinyLlama-1.1B-Chat-v1.0-Q4_K_M.gguf");

/// What the genuine images are replaced with: a port that is free, a health check without `curl`.
fn fitted(stack: &str, project: &str, port: u16) -> String {
    let changes = [
        ("name: cortex-minimal", format!("name: {project}")),
        ("127.0.0.1:8080:8080", format!("127.0.0.1:{port}:8080")),
        (
            r#"["CMD", "curl", "-fsS", "http://127.0.0.1:8080/health"]"#,
            r#"["CMD", "/usr/bin/llama-server", "--version"]"#.to_owned(),
        ),
    ];
    changes.iter().fold(stack.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "`{from}` is not in the stack any more");
        text.replace(from, to)
    })
}

/// The checkout: what the workflow names of it.
fn checkout(folder: &Path, project: &str) {
    fs_err::create_dir(folder.join("compose")).unwrap();
    for name in ["minimal.yaml", "preflight.yaml"] {
        let text = fs_err::read_to_string(repository().join("compose").join(name)).unwrap();
        let text = if name == "minimal.yaml" { fitted(&text, project, free_port()) } else { text };
        fs_err::write(folder.join("compose").join(name), text).unwrap();
    }
}

/// The address at which containers reach this machine.
fn gateway() -> String {
    let format = "{{(index .IPAM.Config 0).Gateway}}";
    let inspect = outcome(&mut docker(["network", "inspect", "bridge", "--format", format]));
    assert_eq!(inspect.code, 0, "{}", inspect.stderr);
    inspect.stdout.trim().to_owned()
}

struct Job {
    folder: tempfile::TempDir,
    project: String,
    environment: Vec<(String, String)>,
}

impl Job {
    /// Runs a step as a runner does: `bash -e` in the checkout.
    fn run(&self, script: &str) -> Outcome {
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
        command.current_dir(self.folder.path()).env_clear();
        for name in ["PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        outcome(&mut command)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        for name in ["preflight", "inference-llamacpp"] {
            let container = format!("{}-{name}-1", self.project);
            outcome(&mut docker(["rm", "--force", "--volumes", &container]));
        }
        outcome(&mut docker(["network", "rm", &format!("{}_default", self.project)]));
        outcome(&mut docker(["rm", "--force", "preflight-binary"]));
    }
}

/// The environment of the job, in the test's own places: its hub, its images.
fn environment(workflow: &Value, workspace: &Path, hub: &FakeHub) -> Vec<(String, String)> {
    let own = [
        ("HF_ENDPOINT", hub.url()),
        ("LLAMA_CPP_IMAGE", "llama.cpp:local".to_owned()),
        ("PREFLIGHT_IMAGE", image()),
        ("GITHUB_ACTIONS", "true".to_owned()),
    ];
    let said = workflow["jobs"]["stack"]["env"].as_object().unwrap().iter();
    let said = said.map(|(name, value)| {
        let workspace = workspace.display().to_string();
        (name.as_str(), value.as_str().unwrap().replace("${{ github.workspace }}", &workspace))
    });
    let socket = socket().map(|socket| ("DOCKER_SOCKET", socket));
    said.chain(own).chain(socket).map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn every_step_of_the_shipped_workflow_passes() {
    if !docker_tests_run() {
        return;
    }
    let text = fs_err::read_to_string(repository().join("examples/ci/workflow.yaml")).unwrap();
    let workflow: Value = yaml::from_str(&text).unwrap();
    let steps = workflow["jobs"]["stack"]["steps"].as_array().unwrap();
    let hub = FakeHub::builder()
        .file(HOSTED.0, HOSTED.1, fs_err::read(MODEL).unwrap())
        .listen(format!("{}:0", gateway()).parse().unwrap())
        .start()
        .unwrap();
    let folder = tempfile::Builder::new().prefix("preflight-ci-").tempdir().unwrap();
    let project = format!("preflight-ci-{}", std::process::id());
    checkout(folder.path(), &project);
    let environment = environment(&workflow, folder.path(), &hub);
    let job = Job { folder, project, environment };
    let mut actions = Vec::new();
    for step in steps {
        let Some(script) = step["run"].as_str() else {
            actions.push(step["uses"].as_str().unwrap());
            continue;
        };
        // The image is there already: the one that every test through Docker uses.
        let built = |line: &&str| line.trim() != "docker build -t \"$PREFLIGHT_IMAGE\" .";
        let script: String = script.lines().filter(built).map(|line| format!("{line}\n")).collect();
        let run = job.run(&script);
        assert_eq!(run.code, 0, "{}\n{}{}", step["name"], run.stdout, run.stderr);
    }
    assert_eq!(actions, ACTIONS);
    let label = format!("label=com.docker.compose.project={}", job.project);
    let left = outcome(&mut docker(["ps", "--all", "--quiet", "--filter", &label]));
    assert_eq!((left.code, left.stdout.as_str()), (0, ""), "the last step leaves containers");
    for name in ["fetch", "inspect", "smoke"] {
        let report = fs_err::read_to_string(job.folder.path().join(format!("reports/{name}.json")));
        let report: Value = serde_json::from_str(&report.unwrap()).unwrap();
        assert_eq!(report["exit_code"], 0, "{name}: {report}");
        assert_eq!(report["lanes"][0]["verdict"], "ready", "{name}: {report}");
    }
}
