//! A hub with the repositories, and caches that are filled from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use fake_hub::{Builder, FakeHub};

use super::caches::Case;
use crate::sandbox::{Sandbox, repository};

pub(super) const MODEL: &str = "acme/tiny";
pub(super) const ADAPTER: &str = "acme/adapter";
pub(super) const DRAFT: &str = "acme/draft";
/// The folder of [`MODEL`] in a cache.
pub(super) const FOLDER: &str = "hub/models--acme--tiny";
pub(super) const SHARD: &str = "model-00003-of-00003.safetensors";
/// What vLLM needs of [`MODEL`], as patterns of `hf`.
pub(super) const NEEDED: [&str; 2] = ["*.json", "*.safetensors"];

/// Where caches come from.
pub(super) struct Stage {
    hf: [PathBuf; 2],
    /// The commit of [`MODEL`] before that of `main`, while `main` was there.
    older: FakeHub,
    hub: FakeHub,
    /// What was brought before, by the commands that brought it: `hf` takes long to start.
    brought: Mutex<BTreeMap<Vec<String>, tempfile::TempDir>>,
}

/// The folder that `HF_HOME` names, with a cache in it.
pub(super) struct Cache<'a> {
    pub(super) stage: &'a Stage,
    home: tempfile::TempDir,
    /// What has brought all that is there; absent: something else was done as well.
    commands: Mutex<Option<Vec<String>>>,
}

fn files(builder: Builder, name: &str) -> Builder {
    let folder = repository().join("examples/quickstart/models/vllm/tiny/bf16");
    let builder = fs_err::read_dir(folder).unwrap().fold(builder, |builder, entry| {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        builder.file(name, &file, fs_err::read(path).unwrap())
    });
    // A class of tokenizers that the transformers of both releases have.
    let class = r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#;
    builder.file(name, "tokenizer_config.json", class)
}

/// A header without tensors.
const NO_TENSORS: &[u8] = b"\x02\0\0\0\0\0\0\0{}";

impl Stage {
    pub(super) fn set(old: &Path, new: &Path) -> Self {
        let builder = || files(FakeHub::builder(), MODEL).file(MODEL, "README.md", "the first");
        let older = builder().start().unwrap();
        let rank = r#"{"peft_type": "LORA", "r": 8, "target_modules": ["q_proj"]}"#;
        let hub = files(builder().commit(MODEL), DRAFT)
            .file(MODEL, "README.md", "the second")
            .file(MODEL, "pytorch_model.bin", "not loaded beside the others")
            .tag(MODEL, "v1")
            .tag(MODEL, "refs/pr/1")
            .file(DRAFT, "README.md", "a draft")
            .file(DRAFT, "consolidated.safetensors", NO_TENSORS)
            .file(ADAPTER, "README.md", "an adapter")
            .file(ADAPTER, "adapter_config.json", rank)
            .file(ADAPTER, "trainer_state.json", "{}")
            .file(ADAPTER, "adapter_model.safetensors", NO_TENSORS)
            .start()
            .unwrap();
        Self { hf: [old.to_owned(), new.to_owned()], older, hub, brought: Mutex::default() }
    }

    /// A revision, where `COMMIT` stands for that of `main` and `OLDER` for the one before.
    pub(super) fn named(&self, revision: &str) -> String {
        revision.replace("COMMIT", self.commit()).replace("OLDER", self.older.commit(MODEL))
    }

    pub(super) fn commit(&self) -> &str {
        self.hub.commit(MODEL)
    }

    /// Everything through plain HTTP: there is no Xet here.
    fn command(&self, which: usize, hub: &FakeHub, home: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.hf[which]);
        command.args(arguments).env_clear().env("HOME", home).env("HF_HOME", home);
        command.env("HF_ENDPOINT", hub.url()).env("HF_HUB_DISABLE_XET", "1");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn hf(&self, which: usize, hub: &FakeHub, home: &Path, arguments: &[&str]) {
        let arguments: Vec<String> = arguments.iter().map(|it| self.named(it)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        succeeded(&self.command(which, hub, home, &arguments).output().unwrap());
    }
}

fn succeeded(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
}

impl<'a> Cache<'a> {
    pub(super) fn made(stage: &'a Stage, case: &Case) -> Self {
        let commands = Mutex::new(Some(Vec::new()));
        let cache = Self { stage, home: tempfile::tempdir().unwrap(), commands };
        (case.make)(&cache);
        cache
    }

    pub(super) fn path(&self, below: &str) -> PathBuf {
        fs_err::canonicalize(self.home.path()).unwrap().join(self.stage.named(below))
    }

    /// What the newer `hf` brings.
    pub(super) fn hf(&self, arguments: &[&str]) {
        self.download(1, &self.stage.hub, arguments);
    }

    /// What the older `hf` brings.
    pub(super) fn old_hf(&self, arguments: &[&str]) {
        self.download(0, &self.stage.hub, arguments);
    }

    /// What the newer `hf` brought while `main` was at the older commit.
    pub(super) fn hf_before(&self, arguments: &[&str]) {
        self.download(1, &self.stage.older, arguments);
    }

    fn download(&self, which: usize, hub: &FakeHub, arguments: &[&str]) {
        let home = self.home.path();
        let command = format!("{which} {} {}", hub.url(), arguments.join(" "));
        let arguments = [&["download"], arguments].concat();
        self.bring(command, || self.stage.hf(which, hub, home, &arguments));
    }

    /// Brings something, or copies what the same commands have brought elsewhere.
    fn bring(&self, command: String, bring: impl FnOnce()) {
        let commands = self.commands.lock().unwrap().as_mut().map(|commands| {
            commands.push(command);
            commands.clone()
        });
        let copy = |from: &Path, to: &Path| {
            let copy = "rm -rf \"$1/hub\"; cp -a \"$0/hub\" \"$1\"";
            succeeded(&Command::new("sh").args(["-euc", copy]).args([from, to]).output().unwrap());
        };
        let home = self.home.path();
        if let Some(commands) = &commands
            && let Some(brought) = self.stage.brought.lock().unwrap().get(commands)
        {
            return copy(brought.path(), home);
        }
        bring();
        if let Some(commands) = commands {
            let brought = tempfile::tempdir().unwrap();
            copy(home, brought.path());
            self.stage.brought.lock().unwrap().insert(commands, brought);
        }
    }

    /// What the newer `hf` has brought when it is killed in the middle of a shard.
    pub(super) fn hf_killed(&self) {
        self.bring("killed".to_owned(), || self.kill());
    }

    fn kill(&self) {
        let hub = files(FakeHub::builder(), MODEL)
            .file(MODEL, "README.md", "the second")
            .file(MODEL, "pytorch_model.bin", "not loaded beside the others")
            .fault(format!("stall=1000:{MODEL}/{SHARD}").parse().unwrap())
            .start()
            .unwrap();
        assert_eq!(hub.commit(MODEL), self.stage.commit());
        let mut hf = self.stage.command(1, &hub, self.home.path(), &["download", MODEL]);
        let mut hf = hf.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        hub.wait_until_stalled(1);
        hf.kill().unwrap();
        hf.wait().unwrap();
    }

    /// What preflight brings for a service whose command line is `command`; whether that is ready.
    pub(super) fn preflight(&self, command: &str) {
        *self.commands.lock().unwrap() = None;
        let home = self.path("");
        let (home, command) = (home.display(), self.stage.named(command));
        let compose = format!(
            "services:\n  llm:\n    image: vllm/vllm-openai:v0.12.0\n    command: {command}\n    \
             volumes: ['{home}:{home}']\n    environment: {{HF_HOME: '{home}'}}\n"
        );
        let sandbox = Sandbox::new().file("compose.yaml", compose);
        let sandbox = sandbox.variable("HF_ENDPOINT", self.stage.hub.url());
        let run = sandbox.run(&["fetch"]);
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    }

    /// All of [`MODEL`], as the newer `hf` brings it.
    pub(super) fn whole(&self) {
        self.hf(&[MODEL]);
    }

    /// By hand: runs a shell in the folder.
    pub(super) fn shell(&self, script: &str) {
        *self.commands.lock().unwrap() = None;
        let script = self.stage.named(script);
        let mut command = Command::new("sh");
        command.args(["-euc", &script]).current_dir(self.home.path());
        succeeded(&command.output().unwrap());
    }

    /// By hand: all of [`MODEL`], then `script` in its folder of the cache.
    pub(super) fn by_hand(&self, script: &str) {
        self.whole();
        self.shell(&format!("cd {FOLDER}; S=snapshots/COMMIT; {script}"));
    }
}
