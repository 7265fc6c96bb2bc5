//! preflight and the genuine `hf` on the same folders: what one has brought the other does not bring
//! again, and while one brings it the other waits.
//!
//! The `hf` is named by `PREFLIGHT_TEST_HF`; `tests/setup/hf` makes one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fake_hub::{FakeHub, Origin};

use crate::judge::named;
use crate::sandbox::{Sandbox, repository};

const GGUF: &str = "tiny-Q4_K_M.gguf";
const PART: &str = "model-00002-of-00003.safetensors";

/// Three lanes on one hub: a folder, a cache, a single file.
const COMPOSE: &str = "services:
  folder:
    image: vllm/vllm-openai:v0.12.0
    command: /models/tiny
    volumes: ['./models:/models']
    labels: {preflight.source: 'hf://acme/tiny'}
    gpus: [{device_ids: ['0']}]
  cache:
    image: vllm/vllm-openai:v0.12.0
    command: acme/tiny
    environment: {HF_HOME: /cache}
    volumes: ['./cache:/cache']
    gpus: [{device_ids: ['1']}]
  file:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: -m /gguf/tiny-Q4_K_M.gguf
    volumes: ['./gguf:/gguf']
    labels: {preflight.source: 'hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf'}
";

/// The program.
pub(crate) fn hf() -> Option<String> {
    named("PREFLIGHT_TEST_HF")
}

/// The Python that the program runs in.
pub(crate) fn python() -> Option<PathBuf> {
    hf().map(|hf| Path::new(&hf).with_file_name("python"))
}

struct Stage {
    hf: String,
    hub: FakeHub,
    sandbox: Sandbox,
}

impl Stage {
    fn set(faults: &[&str]) -> Option<Self> {
        let hf = hf()?;
        let models = repository().join("examples/quickstart/models");
        let gguf = fs_err::read(models.join("gguf").join(GGUF)).unwrap();
        let mut builder = FakeHub::builder().file("acme/tiny-GGUF", GGUF, gguf);
        for entry in fs_err::read_dir(models.join("vllm/tiny/bf16")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            builder = builder.file("acme/tiny", &name, fs_err::read(path).unwrap());
        }
        let faults = faults.iter().map(|fault| fault.parse().unwrap());
        let hub = faults.fold(builder, fake_hub::Builder::fault).start().unwrap();
        let sandbox = Sandbox::new().file("compose.yaml", COMPOSE);
        let sandbox = ["models", "cache", "gguf"]
            .iter()
            .fold(sandbox, |sandbox, folder| sandbox.file(&format!("{folder}/.keep"), ""));
        let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
        Some(Self { hf, hub, sandbox })
    }

    /// Everything through plain HTTP: there is no Xet here.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.hf);
        command.args(arguments).current_dir(self.sandbox.path()).env_clear();
        command.env("HOME", self.sandbox.path()).env("HF_HOME", self.sandbox.path().join("cache"));
        command.env("HF_ENDPOINT", self.hub.url()).env("HF_HUB_DISABLE_XET", "1");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn hf(&self, arguments: &[&str]) {
        let output = self.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    fn preflight(&self) {
        let run = self.sandbox.run(&["fetch"]);
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("ready: 3 of 3 lanes"), "{}{}", run.stdout, run.stderr);
    }

    /// How often the content of a file was sent.
    fn bodies(&self) -> usize {
        let sends = |request: &fake_hub::Request| {
            let content = request.origin == Origin::Cdn || request.path.contains("/resolve-cache/");
            request.method == "GET" && content
        };
        self.hub.requests().iter().filter(|request| sends(request)).count()
    }

    fn wait_for_a_body(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.bodies() == 0 {
            assert!(Instant::now() < deadline, "nobody asks for the file");
            std::thread::yield_now();
        }
    }

    fn remove(&self, path: &str) {
        let path = self.sandbox.path().join(path);
        let blob = fs_err::canonicalize(&path).unwrap();
        fs_err::remove_file(&path).unwrap();
        if blob.exists() {
            fs_err::remove_file(blob).unwrap();
        }
    }
}

const DOWNLOADS: [&[&str]; 3] = [
    &["download", "acme/tiny", "--local-dir", "models/tiny"],
    &["download", "acme/tiny"],
    &["download", "acme/tiny-GGUF", GGUF, "--local-dir", "gguf"],
];

#[test]
fn hf_fetches_nothing_of_what_preflight_has_brought_and_finds_it_sound() {
    let Some(stage) = Stage::set(&[]) else { return };
    stage.preflight();
    let brought = stage.bodies();
    DOWNLOADS.iter().for_each(|arguments| stage.hf(arguments));
    assert_eq!(stage.bodies(), brought);
    stage.hf(&["cache", "verify", "acme/tiny", "--fail-on-missing-files"]);
    let folder = ["cache", "verify", "acme/tiny", "--local-dir", "models/tiny"];
    stage.hf(&[&folder[..], &["--fail-on-missing-files", "--fail-on-extra-files"]].concat());
    stage.hf(&["cache", "verify", "acme/tiny-GGUF", "--local-dir", "gguf"]);
    assert_eq!(stage.bodies(), brought);
}

#[test]
fn preflight_fetches_nothing_but_what_is_missing_of_what_hf_has_brought() {
    let Some(stage) = Stage::set(&[]) else { return };
    DOWNLOADS.iter().for_each(|arguments| stage.hf(arguments));
    let brought = stage.bodies();
    stage.preflight();
    assert_eq!(stage.bodies(), brought);
    let commit = stage.hub.commit("acme/tiny").to_owned();
    stage.remove(&format!("models/tiny/{PART}"));
    stage.remove(&format!("cache/hub/models--acme--tiny/snapshots/{commit}/{PART}"));
    stage.preflight();
    assert_eq!(stage.bodies(), brought + 2);
}

#[test]
fn preflight_waits_for_hf_and_finds_the_file_done() {
    let Some(stage) = Stage::set(&["slow=300000:acme/tiny-GGUF"]) else { return };
    let mut hf = stage.command(DOWNLOADS[2]).spawn().unwrap();
    stage.wait_for_a_body();
    let run = stage.sandbox.run(&["fetch", "--lane", "file", "--progress", "plain"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let said = format!("waiting for {GGUF}: held by pid {} (`", hf.id());
    assert!(run.stderr.contains(&said), "{}", run.stderr);
    assert!(hf.wait().unwrap().success());
    assert_eq!(stage.bodies(), 1);
}

#[test]
fn hf_waits_for_preflight_and_finds_the_file_done() {
    let Some(stage) = Stage::set(&["slow=300000:acme/tiny-GGUF"]) else { return };
    let mut preflight = stage.sandbox.command(&["fetch", "--lane", "file"]);
    let mut preflight = preflight.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    stage.wait_for_a_body();
    stage.hf(DOWNLOADS[2]);
    assert!(preflight.wait().unwrap().success());
    assert_eq!(stage.bodies(), 1);
}
