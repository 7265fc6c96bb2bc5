//! PATH is a model: no Compose project, no Docker, no network.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::gguf_oracle::document::{Document, string};

const GGUF: &str = "gguf/tiny-Q4_K_M.gguf";
const FOLDER: &str = "vllm/tiny/bf16";

/// A copy of the quickstart's models that everybody may read.
struct Models {
    root: tempfile::TempDir,
}

impl Models {
    fn new() -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart/models");
        let root = tempfile::tempdir().unwrap();
        fs_err::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        for entry in walkdir::WalkDir::new(&source) {
            let entry = entry.unwrap();
            let target = root.path().join(entry.path().strip_prefix(&source).unwrap());
            if entry.file_type().is_dir() {
                fs_err::create_dir_all(target).unwrap();
            } else {
                fs_err::copy(entry.path(), target).unwrap();
            }
        }
        Self { root }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn cut(self, path: &str, bytes: u64) -> Self {
        let file = fs_err::OpenOptions::new().write(true).open(self.at(path)).unwrap();
        file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
        self
    }

    fn write(self, path: &str, content: &str) -> Self {
        fs_err::write(self.at(path), content).unwrap();
        self
    }

    fn remove(self, path: &str) -> Self {
        fs_err::remove_file(self.at(path)).unwrap();
        self
    }

    /// What preflight exits with, the lane's verdict and the ids of the errors.
    fn judged(&self, path: &str) -> (i32, String, Vec<String>) {
        judged(Command::new(env!("CARGO_BIN_EXE_preflight")), &self.at(path))
    }
}

fn judged(mut preflight: Command, path: &Path) -> (i32, String, Vec<String>) {
    let output = preflight.env_clear().args(["--format", "json"]).arg(path).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let verdict = report["lanes"][0]["verdict"].as_str().unwrap_or_default().to_owned();
    let errors = report["findings"].as_array().unwrap().iter();
    let errors = errors.filter(|finding| finding["severity"] == "error");
    let ids = errors.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect();
    (output.status.code().unwrap(), verdict, ids)
}

fn check(models: &Models, path: &str, code: i32, verdict: &str, errors: &[&str]) {
    let errors = errors.iter().map(|id| (*id).to_owned()).collect();
    assert_eq!(models.judged(path), (code, verdict.to_owned(), errors), "{path}");
}

#[test]
fn sound_models_are_ready() {
    let models = Models::new();
    check(&models, GGUF, 0, "ready", &[]);
    check(&models, FOLDER, 0, "ready", &[]);
}

#[test]
fn a_gguf_file_without_its_last_byte_is_corrupt() {
    let models = Models::new().cut(GGUF, 1);
    check(&models, GGUF, 11, "not-ready", &["file-truncated"]);
}

#[test]
fn a_folder_without_one_of_its_shards_is_incomplete() {
    let models = Models::new().remove(&format!("{FOLDER}/model-00002-of-00003.safetensors"));
    check(&models, FOLDER, 10, "not-ready", &["shard-missing"]);
}

#[test]
fn what_is_no_model_is_said_to_be_none() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 812224\n";
    check(&Models::new().write(GGUF, pointer), GGUF, 10, "not-ready", &["lfs-pointer"]);
    check(&Models::new().write(GGUF, "<!doctype html>"), GGUF, 11, "not-ready", &["not-a-model"]);
}

/// What is printed about `path`, run in the models folder, and the exit code.
fn told(models: &Models, path: &str) -> (i32, String) {
    let mut preflight = Command::new(env!("CARGO_BIN_EXE_preflight"));
    let output = preflight.env_clear().current_dir(models.root.path()).arg(path).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn a_pointer_says_what_it_stands_for_and_how_to_get_it() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4920734272\n";
    let (code, text) = told(&Models::new().write("p.gguf", pointer), "p.gguf");
    assert_eq!(code, 10, "{text}");
    for words in ["4920734272 bytes", "oid: sha256:4d7a", "`git -C '.' lfs pull`"] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn what_only_is_called_a_model_is_called_what_it_is() {
    let zip = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".as_slice();
    let cases: [(&[u8], &str); 8] = [
        (b"{\"error\":\"Invalid username or password.\"}", "not-a-model"),
        (b"<!DOCTYPE html><html>", "not-a-model"),
        (b"  <html>", "not-a-model"),
        (zip, "not-a-model"),
        (b"PK\x03\x04 a part of an archive, and no more", "not-a-model"),
        (b"\x1f\x8b\x08\0 compressed", "not-a-model"),
        (b"", "file-truncated"),
        (&[0; 4096], "file-corrupt"),
    ];
    for (content, id) in cases {
        let models = Models::new();
        fs_err::write(models.at(GGUF), content).unwrap();
        check(&models, GGUF, 11, "not-ready", &[id]);
    }
}

#[test]
fn what_is_called_a_gguf_file_is_judged_as_llama_cpp_opens_it() {
    let shard = format!("{FOLDER}/model-00001-of-00003.safetensors");
    let models = Models::new();
    fs_err::copy(models.at(&shard), models.at(GGUF)).unwrap();
    check(&models, GGUF, 11, "not-ready", &["not-a-model"]);
    let models = Models::new();
    fs_err::write(models.at(GGUF), b"\x80\x04}q\0.").unwrap();
    check(&models, GGUF, 11, "not-ready", &["not-a-model"]);
    let models = Models::new();
    let mut document = Document::parse(&fs_err::read(models.at(GGUF)).unwrap());
    document.add_key("tokenizer.chat_template", 8, &string("{% for it in messages %}"));
    fs_err::write(models.at(GGUF), document.bytes()).unwrap();
    check(&models, GGUF, 11, "not-ready", &["chat-template-broken"]);
    for kind in ["mmproj", "adapter", "imatrix"] {
        let models = Models::new();
        let mut document = Document::parse(&fs_err::read(models.at(GGUF)).unwrap());
        document.add_key("general.type", 8, &string(kind));
        document.add_key("adapter.type", 8, &string("lora"));
        fs_err::write(models.at(GGUF), document.bytes()).unwrap();
        check(&models, GGUF, 11, "not-ready", &["not-a-model"]);
    }
}

#[test]
fn a_hole_and_zeros_in_a_model_are_only_suspicious() {
    let models = Models::new();
    let sound = fs_err::read(models.at(GGUF)).unwrap();
    let mut zeros = sound.clone();
    zeros[sound.len() / 3..].fill(0);
    fs_err::write(models.at(GGUF), zeros).unwrap();
    let (code, text) = told(&models, GGUF);
    assert_eq!((code, text.contains("warning[zeros-in-data]")), (0, true), "{text}");
    let file = fs_err::File::create(models.at("sparse.safetensors")).unwrap();
    let header = br#"{"a":{"dtype":"F32","shape":[1048576],"data_offsets":[0,4194304]}}"#;
    let length = u64::try_from(header.len()).unwrap();
    fs_err::write(models.at("sparse.safetensors"), [&length.to_le_bytes()[..], header].concat())
        .unwrap();
    file.set_len(8 + length + 4_194_304).unwrap();
    let (code, text) = told(&models, "sparse.safetensors");
    assert_eq!((code, text.contains("warning[sparse-file]")), (0, true), "{text}");
}

#[test]
fn what_an_interrupted_download_leaves_is_seen_whichever_tool_it_was() {
    for leftover in [
        "tiny-Q4_K_M.gguf.incomplete",
        "tiny-Q4_K_M.gguf.aria2",
        "tiny-Q4_K_M.gguf.part",
        "tiny-Q4_K_M.gguf.crdownload",
        "tiny-Q4_K_M.gguf.downloadInProgress",
        "tiny-Q4_K_M.gguf-partial",
        "tiny-Q4_K_M.gguf.opdownload",
        "tiny-Q4_K_M.gguf.lftp-pget-status",
        ".tiny-Q4_K_M.gguf.a1B2c3",
    ] {
        let models = Models::new().write(&format!("gguf/{leftover}"), "x");
        let (code, text) = told(&models, GGUF);
        let is_said = text.contains("warning[partial-download]") && text.contains(leftover);
        assert_eq!((code, is_said), (0, true), "{leftover}\n{text}");
    }
}

#[test]
fn a_path_that_leads_nowhere_is_answered_with_what_is_there() {
    let models = Models::new();
    std::os::unix::fs::symlink("nowhere.gguf", models.at("link.gguf")).unwrap();
    let (code, text) = told(&models, "link.gguf");
    assert_eq!(code, 2);
    assert!(text.contains("it is a link to `nowhere.gguf`, where nothing is"), "{text}");
    let (code, text) = told(&models, "gguf/Tiny-q4_k_m.gguf");
    assert_eq!(code, 2);
    assert!(text.contains("did you mean `gguf/tiny-Q4_K_M.gguf`?"), "{text}");
}

#[test]
fn links_are_followed_and_one_safetensors_file_is_a_model() {
    let models = Models::new();
    std::os::unix::fs::symlink(models.at(GGUF), models.at("link.gguf")).unwrap();
    check(&models, "link.gguf", 0, "ready", &[]);
    check(&models, &format!("{FOLDER}/model-00001-of-00003.safetensors"), 0, "ready", &[]);
    let cut = models.cut(&format!("{FOLDER}/model-00001-of-00003.safetensors"), 1);
    let path = format!("{FOLDER}/model-00001-of-00003.safetensors");
    check(&cut, &path, 11, "not-ready", &["file-truncated"]);
}

#[test]
fn a_folder_of_models_has_the_lanes_of_the_catalogue_by_name_and_the_others_by_path() {
    let models = Models::new();
    let coder = models.at("vllm/coder");
    fs_err::create_dir_all(&coder).unwrap();
    fs_err::rename(models.at(FOLDER), coder.join("bf16")).unwrap();
    let (code, text) = told(&models, ".");
    assert_eq!(code, 0, "{text}");
    let is_lane = |name: &str| text.lines().any(|line| line.starts_with(&format!("{name} ")));
    assert!(is_lane("coder") && is_lane(GGUF), "{text}");
}

/// What a user without any right of its own is told about `path`.
fn judged_by_another_user(models: &Models, path: &str) -> (i32, String, Vec<String>) {
    // The folder that cargo builds into may be closed to other users.
    let program = models.at(".preflight");
    fs_err::copy(env!("CARGO_BIN_EXE_preflight"), &program).unwrap();
    let mut preflight = Command::new(program);
    if rustix::process::geteuid().is_root() {
        preflight.uid(65_534).gid(65_534);
    }
    judged(preflight, &models.at(path))
}

fn close(models: &Models, path: &str, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    fs_err::set_permissions(models.at(path), permissions).unwrap();
}

#[test]
fn a_file_that_another_user_may_not_read_is_a_matter_of_the_mount() {
    let models = Models::new();
    close(&models, GGUF, 0o000);
    let (code, verdict, errors) = judged_by_another_user(&models, GGUF);
    assert_eq!((code, verdict.as_str()), (16, "not-ready"));
    assert_eq!(errors, ["unreadable"]);
}

#[test]
fn a_folder_of_models_that_may_not_be_entered_is_not_passed_over() {
    for closed in ["vllm/tiny", "vllm"] {
        let models = Models::new();
        close(&models, closed, 0o000);
        let (code, _, errors) = judged_by_another_user(&models, "");
        close(&models, closed, 0o755);
        assert_eq!((code, errors), (16, vec!["unreadable".to_owned()]), "{closed}");
    }
}

#[test]
fn the_lanes_of_a_folder_can_be_chosen() {
    let models = Models::new();
    let run = |arguments: &[&str]| {
        let mut preflight = Command::new(env!("CARGO_BIN_EXE_preflight"));
        let preflight = preflight.env_clear().env("COLUMNS", "120");
        let output = preflight.args(arguments).arg(models.root.path()).output();
        let output = output.unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(run(&["--lane", "nope"]).0, 2);
    let (code, report) = run(&["--lane", FOLDER]);
    assert_eq!((code, report.contains(FOLDER), report.contains(GGUF)), (0, true, false));
    assert!(run(&["--skip-gguf"]).1.contains("left out by --skip-gguf"));
}
