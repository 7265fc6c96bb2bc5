//! The action for GitHub, step by step as a runner runs it, and the files that GitHub and pre-commit read.
//!
//! `PREFLIGHT_TEST_RELEASE_TOOLS` names the folder of their judges; `tests/setup/release-tools` makes it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use preflight::yaml;
use serde_json::Value;

use crate::judge::named;
use crate::sandbox::{Run, Sandbox, repository};
use crate::wire::{Server, tell};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One use of the action.
struct Use {
    sandbox: Sandbox,
    inputs: BTreeMap<String, String>,
    /// Where releases are downloaded from.
    server: String,
    outputs: BTreeMap<String, String>,
}

impl Use {
    /// In a checkout of the quickstart, with inputs beside the defaults.
    fn of(inputs: &[(&str, &str)]) -> Self {
        let action = action();
        let said = action["inputs"].as_object().unwrap();
        let default = |value: &Value| value["default"].as_str().unwrap().to_owned();
        let mut all: BTreeMap<String, String> =
            said.iter().map(|(name, value)| (name.clone(), default(value))).collect();
        for (name, value) in inputs {
            let known = all.insert((*name).to_owned(), (*value).to_owned());
            assert!(known.is_some(), "the action has no input {name}");
        }
        let server = String::from("http://127.0.0.1:1");
        Self { sandbox: Sandbox::quickstart(), inputs: all, server, outputs: BTreeMap::new() }
    }

    /// What stands between `${{` and `}}`.
    fn value(&self, expression: &str) -> String {
        if let Some(name) = expression.strip_prefix("inputs.") {
            return self.inputs[name].clone();
        }
        match expression {
            "github.action_path" => repository().display().to_string(),
            "github.action_repository" => String::from("owner/preflight"),
            step => self.outputs.get(step).cloned().unwrap_or_default(),
        }
    }

    fn filled(&self, text: &str) -> String {
        let mut pieces = text.split("${{");
        let mut filled = pieces.next().unwrap().to_owned();
        for piece in pieces {
            let (expression, rest) = piece.split_once("}}").unwrap();
            filled.push_str(&self.value(expression.trim()));
            filled.push_str(rest);
        }
        filled
    }

    /// Runs the steps as a runner does, until one fails.
    fn run(&mut self) -> Run {
        let mut all = Run { code: Some(0), stdout: String::new(), stderr: String::new() };
        for step in action()["runs"]["steps"].as_array().unwrap() {
            let run = self.step(step);
            all.stdout.push_str(&run.stdout);
            all.stderr.push_str(&run.stderr);
            all.code = run.code;
            if run.code != Some(0) {
                break;
            }
        }
        all
    }

    fn step(&mut self, step: &Value) -> Run {
        let temporary = self.sandbox.path().join("temporary");
        fs_err::create_dir_all(&temporary).unwrap();
        let output = temporary.join("output");
        fs_err::write(&output, "").unwrap();
        let script = step["run"].as_str().unwrap();
        assert!(!script.contains("${{"), "what others say is put into a script: {script}");
        let folder = step["working-directory"].as_str().map(|it| self.filled(it));
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
        command.current_dir(self.sandbox.path().join(folder.unwrap_or_default())).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.sandbox.path());
        command.env("PREFLIGHT_NO_DOCKER", "true").env("GITHUB_ACTIONS", "true");
        command.env("GITHUB_OUTPUT", &output).env("RUNNER_TEMP", &temporary);
        command.env("GITHUB_STEP_SUMMARY", temporary.join("summary.md"));
        command.env("GITHUB_WORKSPACE", self.sandbox.path());
        command.env("GITHUB_SERVER_URL", &self.server).env("GITHUB_REPOSITORY", "user/stack");
        for (name, value) in step["env"].as_object().unwrap() {
            command.env(name, self.filled(value.as_str().unwrap()));
        }
        let run = self.sandbox.told(&command.output().unwrap());
        let id = step["id"].as_str().unwrap();
        for line in fs_err::read_to_string(output).unwrap().lines() {
            let (name, value) = line.split_once('=').unwrap();
            self.outputs.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
        }
        run
    }

    /// What a workflow reads of the action.
    fn output(&self, name: &str) -> String {
        self.filled(action()["outputs"][name]["value"].as_str().unwrap())
    }

    fn file(&self, name: &str) -> String {
        fs_err::read_to_string(self.sandbox.path().join(name)).unwrap()
    }
}

fn action() -> Value {
    yaml::from_str(&fs_err::read_to_string(repository().join("action.yml")).unwrap()).unwrap()
}

#[test]
fn a_good_stack_passes_and_its_reports_are_where_the_workflow_wants_them() {
    let binary = env!("CARGO_BIN_EXE_preflight");
    let inputs =
        [("binary", binary), ("command", "verify"), ("sarif", "it.sarif"), ("json", "it.json")];
    let mut used = Use::of(&inputs);
    let run = used.run();
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert_eq!(used.output("exit-code"), "0");
    assert_eq!(used.output("verdict"), "preflight: ready: 2 of 2 lanes");
    assert!(used.file("temporary/summary.md").contains("reader"));
    let report: Value = serde_json::from_str(&used.file("it.sarif")).unwrap();
    assert_eq!(report["version"], "2.1.0");
    let report: Value = serde_json::from_str(&used.file("it.json")).unwrap();
    assert_eq!(report["exit_code"], 0);
}

#[test]
fn a_broken_stack_fails_with_an_annotation_at_its_line() {
    let mut used = Use::of(&[("binary", env!("CARGO_BIN_EXE_preflight"))]);
    fs_err::remove_dir_all(used.sandbox.path().join("models")).unwrap();
    let run = used.run();
    assert_eq!(run.code, Some(16), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("::error file=compose.yaml,line=17"), "{}", run.stdout);
    assert_eq!(used.output("exit-code"), "16");
    assert!(used.output("verdict").starts_with("preflight: not ready: exit 16"));
    assert!(used.file("temporary/summary.md").contains("mount-source-missing"));
}

#[test]
fn a_step_that_may_not_fail_tells_the_exit_code_all_the_same() {
    let inputs = [
        ("binary", env!("CARGO_BIN_EXE_preflight")),
        ("fail", "false"),
        ("path", "stack/compose.yaml"),
        ("arguments", "--lane reader  --quiet"),
        ("working-directory", "below"),
    ];
    let mut used = Use::of(&inputs);
    let stack = used.sandbox.path().join("below/stack");
    fs_err::create_dir_all(&stack).unwrap();
    fs_err::rename(used.sandbox.path().join("compose.yaml"), stack.join("compose.yaml")).unwrap();
    let run = used.run();
    assert_eq!((run.code, used.output("exit-code").as_str()), (Some(0), "16"), "{}", run.stderr);
    assert!(!run.stderr.contains("coder"), "{}", run.stderr);
}

/// An archive as `packaging/release` names it, with a program that stands for the binary.
fn archive(folder: &Path, name: &str) -> Vec<u8> {
    fs_err::create_dir(folder.join(name)).unwrap();
    let program = folder.join(name).join("preflight");
    let script = format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_preflight"));
    fs_err::write(&program, script).unwrap();
    let mut mode = fs_err::metadata(&program).unwrap().permissions();
    mode.set_mode(0o755);
    fs_err::set_permissions(&program, mode).unwrap();
    let mut tar = Command::new("tar");
    let tar = tar.args(["-czf", "archive", name]).current_dir(folder).status().unwrap();
    assert!(tar.success());
    fs_err::read(folder.join("archive")).unwrap()
}

/// A server that has a release, with these sums for its archive.
fn release(sum: impl Fn(&[u8]) -> String) -> (String, Server) {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let name = format!("preflight-{VERSION}-linux-{architecture}");
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(folder.path(), &name);
    let other = "0".repeat(64);
    let sums = format!("{other}  another.whl\n{}  {name}.tar.gz\n", sum(&archive));
    let path = format!("GET /owner/preflight/releases/download/v{VERSION}/");
    let server = Server::on_port(move |request, line| match request.strip_prefix(&path) {
        Some("SHA256SUMS") => tell(line, 200, "", sums.as_bytes()),
        Some(file) if file == format!("{name}.tar.gz") => tell(line, 200, "", &archive),
        _ => tell(line, 404, "", b""),
    });
    (server.url.clone(), server)
}

/// By the program that everybody has.
fn sha256(bytes: &[u8]) -> String {
    let mut child =
        Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    said.split(' ').next().unwrap().to_owned()
}

#[test]
fn the_binary_of_the_actions_own_version_is_downloaded_and_held_against_its_sum() {
    let (url, _server) = release(sha256);
    let mut used = Use::of(&[("command", "verify")]);
    used.server = url;
    let run = used.run();
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert_eq!(used.output("verdict"), "preflight: ready: 2 of 2 lanes");
}

#[test]
fn an_archive_that_is_not_what_the_release_says_is_not_run() {
    let (url, _server) = release(|_| "1".repeat(64));
    let mut used = Use::of(&[]);
    used.server = url;
    let run = used.run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stdout.contains("is not what the release says"), "{}", run.stdout);
    assert_eq!(used.output("exit-code"), "");
}

#[test]
fn a_release_that_is_not_there_is_said_to_be_missing() {
    let server = Server::on_port(|_, line| tell(line, 404, "", b""));
    let mut used = Use::of(&[]);
    used.server.clone_from(&server.url);
    let run = used.run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let said = format!("::error::SHA256SUMS of release v{VERSION} could not be downloaded");
    assert!(run.stdout.contains(&said), "{}", run.stdout);
}

/// The judges, each with what it judges.
#[test]
fn the_workflow_the_action_the_forms_and_the_hooks_are_what_their_readers_take() {
    let Some(tools) = named("PREFLIGHT_TEST_RELEASE_TOOLS") else { return };
    let schema = |name: &'static str, file: &'static str| {
        ["check-jsonschema", "--builtin-schema", name, file].to_vec()
    };
    let judged = [
        schema("vendor.github-workflows", ".github/workflows/release.yml"),
        schema("custom.github-workflows-require-timeout", ".github/workflows/release.yml"),
        schema("vendor.github-workflows", "examples/ci/workflow.yaml"),
        schema("vendor.github-actions", "action.yml"),
        schema("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/other.yml"),
        schema("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/wrong-verdict.yml"),
        vec!["pre-commit", "validate-manifest", ".pre-commit-hooks.yaml"],
        vec!["zizmor", "--offline", "--no-progress", "--persona=pedantic", "action.yml", ".github"],
    ];
    for line in judged {
        let mut command = Command::new(Path::new(&tools).join(line[0]));
        let output = command.args(&line[1..]).current_dir(repository()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{line:?}\n{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn every_action_of_the_workflow_is_named_by_its_commit() {
    let text = repository().join(".github/workflows/release.yml");
    let text = fs_err::read_to_string(text).unwrap();
    let used: Vec<&str> =
        text.lines().filter_map(|line| line.split_once("uses: ")).map(|(_, it)| it).collect();
    assert!(used.len() >= 4, "{used:?}");
    for action in used {
        let (name, release) = action.split_once(" # v").unwrap_or_else(|| panic!("{action}"));
        let (_, commit) = name.split_once('@').unwrap();
        let is_commit = commit.len() == 40 && commit.bytes().all(|it| it.is_ascii_hexdigit());
        assert!(is_commit && release.contains('.'), "{action}");
    }
}

#[test]
fn the_documentation_names_the_tag_of_this_version() {
    let page = fs_err::read_to_string(repository().join("docs/reports.md")).unwrap();
    for line in [format!("uses: OWNER/NAME@v{VERSION}\n"), format!("rev: v{VERSION}\n")] {
        assert!(page.contains(&line), "{line}");
    }
}
