//! Findings of the family, on real files that were spoiled in one way each.

use std::os::unix::fs::PermissionsExt as _;

use crate::exit_code::ExitCode;
use crate::facts::model;
use crate::facts::{Starter, Through, Way};
use crate::options::Role as RunRole;
use crate::path::{HostPath, LocalPath, ServicePath};
use crate::plan::engine::{Engine, Invocation};
use crate::plan::lanes::{Artifact, Lane, Origin, Traced};
use crate::project::mounts::Located;
use crate::project::view::local::LocalView;
use crate::source::Source;
use crate::source_map::Place;

use super::*;

mod configuration_tests;
mod context_tests;
mod documents_tests;
mod fit_tests;
mod reach_tests;
mod values_tests;

const GGUF: &str = "gguf/tiny-Q4_K_M.gguf";
const FOLDER: &str = "vllm/tiny/bf16";

/// A copy of the quickstart's models, with one lane that opens one of them.
struct Stack {
    root: tempfile::TempDir,
    path: String,
    part: Part,
    engine: Option<Engine>,
    version: Option<String>,
    source: Option<Source>,
    way: Way,
    starter: Option<Starter>,
    invocation: Option<Invocation>,
}

impl Stack {
    fn new(path: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart/models");
        for entry in walkdir::WalkDir::new(&models) {
            let entry = entry.unwrap();
            let target = root.path().join(entry.path().strip_prefix(&models).unwrap());
            if entry.file_type().is_dir() {
                fs_err::create_dir_all(target).unwrap();
            } else {
                fs_err::copy(entry.path(), target).unwrap();
            }
        }
        let (part, engine) = (Part::Model, None);
        let (version, source, way, starter) = (None, None, Way::default(), None);
        Self {
            root,
            path: path.to_owned(),
            part,
            engine,
            version,
            source,
            way,
            starter,
            invocation: None,
        }
    }

    fn served_by(mut self, engine: Engine, version: Option<&str>) -> Self {
        self.engine = Some(engine);
        self.version = version.map(str::to_owned);
        self
    }

    fn file(&self, below: &str) -> PathBuf {
        self.root.path().join(&self.path).join(below)
    }

    fn at(&self) -> PathBuf {
        self.root.path().join(&self.path)
    }

    fn cut(self, below: &str, bytes: u64) -> Self {
        let path = if below.is_empty() { self.at() } else { self.file(below) };
        let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
        self
    }

    fn write(self, below: &str, content: impl AsRef<[u8]>) -> Self {
        let path = if below.is_empty() { self.at() } else { self.file(below) };
        fs_err::write(path, content).unwrap();
        self
    }

    /// With the file that TEI wants of an embedding model.
    fn pooled(self) -> Self {
        fs_err::create_dir(self.file("1_Pooling")).unwrap();
        let modes = r#"{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false}"#;
        self.write("1_Pooling/config.json", modes)
    }

    fn remove(self, below: &str) -> Self {
        fs_err::remove_file(self.file(below)).unwrap();
        self
    }

    fn facts(&self, model: ModelFacts) -> LaneFacts {
        let local = LocalPath::new(self.at());
        let located = Located {
            service: Some("inference".to_owned()),
            service_path: Some(ServicePath::new(Path::new("/models").join(&self.path))),
            host_path: Some(HostPath::new(Path::new("/srv/models").join(&self.path))),
            sight: Sight::Visible {
                path: local.clone(),
                root: local.clone(),
                mounted_at: local,
                read_only: true,
            },
            mount: None,
        };
        let traced = |value| Traced { value, from: Origin::Extension, place: Place::nowhere() };
        let artifact = Artifact {
            part: self.part,
            located: Traced { value: located, from: Origin::Extension, place: Place::nowhere() },
        };
        let invocation = self
            .engine
            .map(|engine| Invocation { version: self.version.clone(), ..Invocation::bare(engine) });
        let invocation = self.invocation.clone().or(invocation);
        let lane = Lane {
            services: vec!["inference".to_owned()],
            engine: self.engine,
            invocation,
            artifacts: vec![artifact.clone()],
            source: self.source.clone().map(traced),
            ..Lane::named("reader")
        };
        let artifacts = vec![ArtifactFacts {
            artifact,
            root: None,
            model,
            way: self.way.clone(),
            starter: self.starter.clone(),
            through: Some(Through::Mounts),
        }];
        LaneFacts { artifacts, ..LaneFacts::of(lane, RunRole::Hand) }
    }

    fn findings(&self) -> Vec<Finding> {
        self.findings_of(model::examine(&LocalView, &self.at()))
    }

    fn findings_of(&self, model: ModelFacts) -> Vec<Finding> {
        let mut findings = Findings::new(Policy::default());
        run(&self.facts(model), &mut findings);
        findings.into_vec()
    }

    /// Each finding on a line: severity, id, exit code, message.
    fn check(&self, expected: &str) {
        let lines: Vec<String> = self.findings().iter().map(line).collect();
        assert_eq!(lines.join("\n"), expected);
    }
}

fn line(finding: &Finding) -> String {
    assert!(!finding.fix.is_empty() && !finding.message.ends_with('.'));
    format!(
        "{}[{}] {}: {}",
        finding.severity,
        finding.rule.id,
        finding.rule.exit.code(),
        finding.message
    )
}

#[test]
fn sound_models_raise_nothing() {
    Stack::new(GGUF).check("");
    Stack::new(GGUF).served_by(Engine::LlamaCpp, None).check("");
    Stack::new(FOLDER).served_by(Engine::Vllm, Some("0.12.0")).check("");
}

#[test]
fn one_byte_too_few_is_corrupt() {
    Stack::new(GGUF).cut("", 1).check(
        "error[file-truncated] 11: `/models/gguf/tiny-Q4_K_M.gguf` has 812223 of at least 812224 \
         bytes: the data of tensor `blk.1.ffn_up.weight` ends at byte 812224",
    );
    Stack::new(GGUF).cut("", 812_000).check(
        "error[file-truncated] 11: `/models/gguf/tiny-Q4_K_M.gguf` ends inside the list of \
         tensors: 504 bytes are needed at byte 16, 208 are left",
    );
    Stack::new(FOLDER).cut("model-00003-of-00003.safetensors", 1).check(
        "error[file-truncated] 11: `/models/vllm/tiny/bf16/model-00003-of-00003.safetensors` has \
         99295 bytes, and its header describes 99296",
    );
}

#[test]
fn bytes_behind_the_end_are_an_error_only_where_the_engine_minds() {
    let longer = |stack: Stack, below: &str| {
        let path = if below.is_empty() { stack.at() } else { stack.file(below) };
        let mut bytes = fs_err::read(&path).unwrap();
        bytes.push(0);
        stack.write(below, bytes)
    };
    longer(Stack::new(GGUF), "").check(
        "warning[file-too-long] 11: `/models/gguf/tiny-Q4_K_M.gguf` has 1 bytes behind its end at \
         byte 812224",
    );
    longer(Stack::new(FOLDER), "model-00001-of-00003.safetensors").check(
        "error[file-too-long] 11: `/models/vllm/tiny/bf16/model-00001-of-00003.safetensors` has \
         90657 bytes, and its header describes 90656",
    );
}

#[test]
fn a_deleted_shard_is_missing_and_named() {
    Stack::new(FOLDER).remove("model-00002-of-00003.safetensors").check(
        "error[shard-missing] 10: 1 of the 3 files of weights in `/models/vllm/tiny/bf16` is \
         missing: `model-00002-of-00003.safetensors`",
    );
    Stack::new(FOLDER)
        .remove("model-00002-of-00003.safetensors")
        .remove("model-00003-of-00003.safetensors")
        .remove("model.safetensors.index.json")
        .check(
            "error[shard-missing] 10: 2 of the 3 files of weights in `/models/vllm/tiny/bf16` are \
             missing: `model-00002-of-00003.safetensors`, `model-00003-of-00003.safetensors`",
        );
}

#[test]
fn the_small_files_of_a_folder_are_needed_too() {
    Stack::new(FOLDER)
        .remove("config.json")
        .check("error[config-missing] 10: `/models/vllm/tiny/bf16/config.json` is not there");
    Stack::new(FOLDER).write("config.json", "{").check(
        "error[config-invalid] 11: `/models/vllm/tiny/bf16/config.json` cannot be read: EOF while \
         parsing an object at line 1 column 1",
    );
    Stack::new(FOLDER).write("config.json", "{}").check(
        "warning[config-invalid] 11: `/models/vllm/tiny/bf16/config.json` does not say \
         `model_type`, `architectures`",
    );
    Stack::new(FOLDER).remove("tokenizer.json").check(
        "error[tokenizer-missing] 10: the folder `/models/vllm/tiny/bf16` holds no tokenizer",
    );
    Stack::new(FOLDER)
        .write("tokenizer.json", "<html>")
        .check("error[file-corrupt] 11: `/models/vllm/tiny/bf16/tokenizer.json` is a web page");
    Stack::new(FOLDER).write("tokenizer.json", "{}").check(
        "error[file-corrupt] 11: `/models/vllm/tiny/bf16/tokenizer.json` cannot be read: it has no \
         `model`, which makes tokens of a text at line 1 column 2",
    );
    Stack::new(FOLDER).write("model.safetensors.index.json", "{}").check(
        "error[index-mismatch] 11: `/models/vllm/tiny/bf16/model.safetensors.index.json` cannot be \
         read: missing field `weight_map` at line 1 column 2",
    );
}

#[test]
fn an_index_of_another_revision_does_not_agree() {
    let stack = Stack::new(FOLDER);
    let other = fs_err::read(stack.file("model-00001-of-00003.safetensors")).unwrap();
    stack.write("model-00002-of-00003.safetensors", other).check(
        "error[index-mismatch] 11: `model.safetensors.index.json` in `/models/vllm/tiny/bf16` puts \
         the tensor `model.layers.0.input_layernorm.weight` into \
         `model-00002-of-00003.safetensors`, and no file of it has that (7 more like it)",
    );
    let stack = Stack::new(FOLDER);
    let shard = |n: u32| stack.file(&format!("model-0000{n}-of-00003.safetensors"));
    fs_err::rename(shard(2), shard(4)).unwrap();
    fs_err::rename(shard(3), shard(2)).unwrap();
    fs_err::rename(shard(4), shard(3)).unwrap();
    stack.check(
        "note[index-mismatch] 11: `model.safetensors.index.json` in `/models/vllm/tiny/bf16` puts \
         the tensor `lm_head.weight` into `model-00003-of-00003.safetensors`, and another file has \
         it (15 more like it)",
    );
    let stack = Stack::new(FOLDER);
    let index = fs_err::read_to_string(stack.file("model.safetensors.index.json")).unwrap();
    stack.write("model.safetensors.index.json", index.replace("279168", "279169")).check(
        "warning[index-mismatch] 11: `model.safetensors.index.json` in `/models/vllm/tiny/bf16` \
         promises 279169 bytes of tensors, and its files have 279168",
    );
}

#[test]
fn what_is_no_model_is_called_what_it_is() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 4912898048\n";
    Stack::new(GGUF).write("", pointer).check(
        "error[lfs-pointer] 10: `/models/gguf/tiny-Q4_K_M.gguf` is a git-lfs pointer that stands \
         for a file of 4912898048 bytes",
    );
    Stack::new(GGUF).write("", "<!doctype html>").check(
        "error[not-a-model] 11: `/models/gguf/tiny-Q4_K_M.gguf` is a web page and not a model",
    );
    Stack::new(GGUF)
        .write("", "")
        .check("error[file-truncated] 11: `/models/gguf/tiny-Q4_K_M.gguf` is empty");
    Stack::new(GGUF).write("", [0; 100]).check(
        "error[file-corrupt] 11: `/models/gguf/tiny-Q4_K_M.gguf` is a file that begins with zeros \
         alone",
    );
    Stack::new(GGUF).write("", b"GGUF\x01\0\0\0").check(
        "error[gguf-invalid] 11: `/models/gguf/tiny-Q4_K_M.gguf` has format version 1, and \
         llama.cpp reads 2 and 3",
    );
    Stack::new(FOLDER)
        .write("model-00001-of-00003.safetensors", b"\x04\0\0\0\0\0\0\0{\"a\"")
        .check(
            "error[safetensors-invalid] 11: \
         `/models/vllm/tiny/bf16/model-00001-of-00003.safetensors` has a header that cannot be \
         read: EOF while parsing an object at line 1 column 4",
        );
}

#[test]
fn an_engine_is_given_what_it_opens() {
    Stack::new(FOLDER).served_by(Engine::LlamaCpp, None).check(
        "error[not-a-model] 11: `/models/vllm/tiny/bf16` is a folder, and llama.cpp opens a file",
    );
    Stack::new("gguf")
        .check("error[not-a-model] 11: `/models/gguf` is a folder, and llama.cpp opens a file");
    assert!(Stack::new("gguf").findings()[0].fix.contains("`/models/gguf/tiny-Q4_K_M.gguf`"));
    let shard = format!("{FOLDER}/model-00001-of-00003.safetensors");
    Stack::new(&shard).served_by(Engine::Vllm, None).check(
        "error[not-a-model] 11: \
         `/models/vllm/tiny/bf16/model-00001-of-00003.safetensors` is a file, and vLLM opens a \
         folder with `config.json` in it",
    );
    let mut stack = Stack::new(GGUF);
    stack.part = Part::Mmproj;
    stack.check(
        "error[not-a-model] 11: `/models/gguf/tiny-Q4_K_M.gguf` is of type `model` and \
         architecture `llama`, and a multimodal projector is needed",
    );
}

#[test]
fn an_architecture_is_judged_by_the_release_that_is_known() {
    let mllama = r#"{"architectures":["MllamaForConditionalGeneration"],"model_type":"mllama"}"#;
    let message = "architecture-unsupported] 11: `/models/vllm/tiny/bf16` has the architecture \
                   `MllamaForConditionalGeneration`, which vLLM has removed after 0.10.2";
    let trusted = "note[taken-on-trust] 0: whether the weights of `/models/vllm/tiny/bf16` are those of its \
                   `config.json` was not looked at: the tensors of `MllamaForConditionalGeneration` are not \
                   known";
    for (version, severity) in [
        (Some("v0.12.0"), "error["),
        (Some("0.33.0"), "error["),
        (Some("0.99.0"), "warning["),
        (None, "warning["),
        (Some("v0.10.2"), ""),
        (Some("v0.9.2"), ""),
    ] {
        let expected =
            if severity.is_empty() { trusted.to_owned() } else { format!("{severity}{message}") };
        let stack = Stack::new(FOLDER).write("config.json", mllama);
        stack.served_by(Engine::Vllm, version).check(&expected);
    }
    for (version, severity) in [
        (Some("b4000"), "error"),
        (Some("server-b9000"), "error"),
        (Some("b99999"), "warning"),
        (None, "warning"),
    ] {
        let stack = Stack::new(GGUF).served_by(Engine::LlamaCpp, version);
        let bytes = fs_err::read(stack.at()).unwrap();
        let at = bytes.windows(5).position(|window| window == b"llama").unwrap();
        let mut changed = bytes;
        changed[at..at + 5].copy_from_slice(b"lla9a");
        stack.write("", changed).check(&format!(
            "{severity}[architecture-unsupported] 11: `/models/gguf/tiny-Q4_K_M.gguf` has the \
             architecture `lla9a`, which llama.cpp up to build 11669 does not know"
        ));
    }
}

#[test]
fn an_architecture_of_llama_cpp_is_judged_by_the_build_that_is_known() {
    let of = |name: &str, version: Option<&str>| {
        let stack = Stack::new(GGUF).served_by(Engine::LlamaCpp, version);
        let bytes = fs_err::read(stack.at()).unwrap();
        let end = bytes.windows(5).position(|window| window == b"llama").unwrap();
        let length = (name.len() as u64).to_le_bytes();
        let parts = [&bytes[..end - 8], &length, name.as_bytes(), &bytes[end + 5..]];
        let told = stack.write("", parts.concat()).findings();
        let own = told.iter().filter(|it| it.rule.id == "architecture-unsupported");
        own.map(|it| format!("{}: {}; {}", it.severity, it.message, it.fix)).collect::<Vec<_>>()
    };
    let file = "`/models/gguf/tiny-Q4_K_M.gguf` has the architecture";
    for (name, version, expected) in [
        (
            "qwen3",
            Some("b4719"),
            "error: FILE `qwen3`, which llama.cpp knows since build b5092, and the image has build \
             b4719; use an image of build b5092 or newer, or another model",
        ),
        (
            "persimmon",
            Some("b4719"),
            "error: FILE `persimmon`, which llama.cpp no longer knows after build b2951, and the \
             image has build b4719; use an image of build b2951, or another model",
        ),
        (
            "maple",
            Some("b11000"),
            "warning: FILE `maple`, which llama.cpp knows since a build from b10588 to b11669, and \
             the image has build b11000; use an image of build b11669 or newer, or another model",
        ),
    ] {
        assert_eq!(of(name, version), [expected.replace("FILE", file)], "{name} {version:?}");
    }
    for (name, version) in [
        ("llama", Some("b4719")),
        ("persimmon", Some("b2000")),
        ("qwen3", Some("b5092")),
        ("maple", Some("b11669")),
        ("qwen3", None),
    ] {
        assert_eq!(of(name, version), [""; 0], "{name} {version:?}");
    }
    assert!(of("persimmon", None)[0].starts_with("warning: "));
}

#[test]
fn a_tensor_type_that_was_removed_is_judged_by_the_build_that_is_known() {
    let of = |version: Option<&str>| {
        let stack = Stack::new(GGUF).served_by(Engine::LlamaCpp, version);
        let mut bytes = fs_err::read(stack.at()).unwrap();
        let name = b"blk.1.attn_q.weight";
        let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
        // As many bytes as Q4_K has.
        bytes[at + name.len() + 20] = 31;
        let told = stack.write("", bytes).findings();
        told.iter().map(|it| format!("{}: {}", it.rule.id, it.message)).collect::<Vec<_>>()
    };
    let file = "`/models/gguf/tiny-Q4_K_M.gguf` has the tensor type Q4_0_4_4, which";
    let removed = format!("gguf-invalid: {file} ggml has removed");
    let later = format!(
        "architecture-unsupported: {file} llama.cpp no longer knows after build b4281, and the image has \
         build b4719"
    );
    assert_eq!(of(None), [removed]);
    assert_eq!(of(Some("b4719")), [later]);
    assert_eq!(of(Some("b4000")), [""; 0]);
}

#[test]
fn an_image_without_a_build_is_judged_by_the_day_on_which_it_was_made() {
    let of = |name: &str, newest: Option<&'static str>| {
        let mut stack = Stack::new(GGUF).served_by(Engine::LlamaCpp, None);
        let bare = Invocation::bare(Engine::LlamaCpp);
        stack.invocation = Some(Invocation { newest_possible: newest, ..bare });
        let bytes = fs_err::read(stack.at()).unwrap();
        let at = bytes.windows(5).position(|window| window == b"llama").unwrap();
        let length = (name.len() as u64).to_le_bytes();
        let parts = [&bytes[..at - 8], &length, name.as_bytes(), &bytes[at + 5..]];
        let told = stack.write("", parts.concat()).findings();
        let own = told.iter().filter(|it| it.rule.id == "architecture-unsupported");
        own.map(|it| format!("{}: {}", it.severity, it.message)).collect::<Vec<_>>()
    };
    let told = of("qwen3", Some("b4743"));
    assert_eq!(
        told,
        [
            "error: `/models/gguf/tiny-Q4_K_M.gguf` has the architecture `qwen3`, which llama.cpp knows \
          since build b5092, and the image has build b4743 or an older one"
        ]
    );
    for (name, newest) in [("qwen3", Some("b5177")), ("llama", Some("b4743")), ("qwen3", None)] {
        assert_eq!(of(name, newest), [""; 0], "{name} {newest:?}");
    }
    // It may be one of those that knew it.
    assert!(of("persimmon", Some("b4743"))[0].starts_with("warning: "));
    assert!(of("lla9a", Some("b4743"))[0].starts_with("error: "));
}

#[test]
fn what_is_not_there_says_how_to_get_it() {
    let mut stack = Stack::new("gguf/other.gguf");
    stack.check("error[files-missing] 10: the model `/models/gguf/other.gguf` is not there");
    assert!(stack.findings()[0].fix.contains("`/srv/models/gguf/other.gguf`"));
    stack.source =
        Some(Source { owner: "o".to_owned(), repo: "r".to_owned(), revision: None, path: None });
    let fix = &stack.findings()[0].fix;
    assert!(fix.contains("`preflight fetch --lane reader`") && fix.contains("hf://o/r"), "{fix}");
}

#[test]
fn an_empty_folder_is_said_once() {
    let stack = Stack::new("vllm/none");
    fs_err::create_dir(stack.at()).unwrap();
    stack.check("error[files-missing] 10: the folder `/models/vllm/none` is empty");
}

#[test]
fn what_may_not_be_read_is_a_matter_of_the_mount() {
    let stack = Stack::new(GGUF);
    fs_err::set_permissions(stack.at(), std::fs::Permissions::from_mode(0o000)).unwrap();
    let why = "`/srv/models/gguf/tiny-Q4_K_M.gguf` has mode 0000 and belongs to 0:0, preflight \
               runs as 65534:65534";
    let findings = stack.findings_of(ModelFacts::Denied(why.to_owned()));
    assert_eq!(
        line(&findings[0]),
        format!(
            "error[unreadable] 16: preflight may not read `/models/gguf/tiny-Q4_K_M.gguf`: {why}"
        )
    );
    assert_eq!(findings[0].rule.exit, ExitCode::Mount);
    assert!(findings[0].fix.contains("chmod -R a+rX '/srv/models/gguf/tiny-Q4_K_M.gguf'"));
}

#[test]
fn what_could_not_be_looked_at_is_never_silent() {
    let findings = Stack::new(GGUF).findings_of(ModelFacts::Unknown("not mounted".to_owned()));
    assert_eq!(
        line(&findings[0]),
        "note[not-looked-at] 3: `/models/gguf/tiny-Q4_K_M.gguf` could not be looked at: not mounted"
    );
}

#[test]
fn holes_and_leftovers_are_warnings() {
    let stack = Stack::new(GGUF);
    let bytes = fs_err::read(stack.at()).unwrap();
    let file = fs_err::OpenOptions::new().write(true).open(stack.at()).unwrap();
    file.set_len(bytes.len() as u64 + (8 << 20)).unwrap();
    fs_err::write(stack.at().with_extension("gguf.aria2"), "").unwrap();
    let ids: Vec<_> =
        stack.findings().iter().map(|found| (found.severity, found.rule.id)).collect();
    assert_eq!(
        ids,
        [
            (Severity::Warning, "file-too-long"),
            (Severity::Warning, "sparse-file"),
            (Severity::Warning, "partial-download"),
        ]
    );
}
