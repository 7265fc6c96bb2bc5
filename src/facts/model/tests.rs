//! Whole models, as they lie on a disk.

use std::path::{Path, PathBuf};

use super::*;
use crate::project::view::local::LocalView;

fn quickstart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart/models")
}

/// A copy of the example folder that a test may spoil.
fn folder() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    for entry in fs_err::read_dir(quickstart().join("vllm/tiny/bf16")).unwrap() {
        let entry = entry.unwrap();
        fs_err::copy(entry.path(), scratch.path().join(entry.file_name())).unwrap();
    }
    scratch
}

/// What is not as it should be, one line for each file and for each fact beside the files.
fn faults(path: &Path) -> String {
    let facts = examine(&LocalView, path);
    let Some(model) = facts.seen() else { return format!("{facts:?}") };
    let mut lines: Vec<String> = model
        .files
        .iter()
        .filter(|file| file.state() != FileState::Present)
        .map(|file| format!("{} {:?}", file.name.display(), file.state()).to_lowercase())
        .collect();
    lines.extend(model.leftovers.iter().map(|name| format!("leftover {name}")));
    if let Some(folder) = model.folder() {
        let torn = folder.index.as_ref().and_then(|index| index.torn.as_ref());
        lines.extend(torn.map(|torn| format!("{} torn out of {}", torn.tensor, torn.shard)));
        lines.extend(folder.weights.is_none().then(|| "no weights".to_owned()));
        let mute = folder.tokenizer == huggingface::Presence::Missing;
        lines.extend(mute.then(|| "no tokenizer".to_owned()));
    }
    // A leftover is untidy, nothing more.
    let whole = lines.iter().all(|line| line.starts_with("leftover"));
    assert_eq!(facts.complete(), whole, "{lines:?}");
    lines.join("; ")
}

#[test]
fn the_examples_are_complete_and_say_what_they_are() {
    for (path, summary) in [
        ("gguf/tiny-Q4_K_M.gguf", "llama, Q4_K_M, context 2048"),
        ("vllm/tiny/bf16", "LlamaForCausalLM, bfloat16, context 256"),
        ("vllm/tiny/bf16/model-00001-of-00003.safetensors", "safetensors, BF16"),
    ] {
        let path = quickstart().join(path);
        assert_eq!(faults(&path), "");
        assert_eq!(examine(&LocalView, &path).summary().as_deref(), Some(summary));
    }
}

#[test]
fn what_a_folder_lacks_is_named() {
    let check = |spoil: &dyn Fn(&Path), expected: &str| {
        let folder = folder();
        spoil(folder.path());
        assert_eq!(faults(folder.path()), expected);
    };
    let remove =
        |name: &'static str| move |folder: &Path| fs_err::remove_file(folder.join(name)).unwrap();
    let write = |name: &'static str, text: &'static str| {
        move |folder: &Path| fs_err::write(folder.join(name), text).unwrap()
    };
    let cut = |name: &'static str| {
        move |folder: &Path| {
            let file = fs_err::OpenOptions::new().write(true).open(folder.join(name)).unwrap();
            file.set_len(file.metadata().unwrap().len() - 3).unwrap();
        }
    };
    check(&remove("config.json"), "config.json missing");
    check(&write("config.json", ""), "config.json invalid");
    check(&write("config.json", "[]"), "config.json invalid");
    check(&cut("config.json"), "config.json invalid");
    check(&remove("tokenizer.json"), "no tokenizer");
    check(&write("tokenizer.json", "<html>"), "tokenizer.json invalid");
    check(&cut("tokenizer.json"), "tokenizer.json invalid");
    check(&remove("model-00002-of-00003.safetensors"), "model-00002-of-00003.safetensors missing");
    check(&cut("model-00002-of-00003.safetensors"), "model-00002-of-00003.safetensors invalid");
    check(&cut("model.safetensors.index.json"), "model.safetensors.index.json invalid");
    check(&write("model-00004.safetensors.part", ""), "leftover model-00004.safetensors.part");
    check(
        &|folder| {
            let shard = |n: u32| folder.join(format!("model-0000{n}-of-00003.safetensors"));
            fs_err::copy(shard(1), shard(2)).unwrap();
        },
        "model.layers.0.input_layernorm.weight torn out of model-00002-of-00003.safetensors",
    );
    check(
        &|folder| {
            remove("model.safetensors.index.json")(folder);
            remove("model-00003-of-00003.safetensors")(folder);
        },
        "model-00003-of-00003.safetensors missing",
    );
    check(
        &|folder| {
            for n in 1..=3 {
                fs_err::remove_file(folder.join(format!("model-0000{n}-of-00003.safetensors")))
                    .unwrap();
            }
            remove("model.safetensors.index.json")(folder);
        },
        "no weights",
    );
    check(
        &|folder| {
            let index = r#"{"weight_map":{"a":"../../secret.safetensors"}}"#;
            fs_err::write(folder.join("model.safetensors.index.json"), index).unwrap();
        },
        "model.safetensors.index.json invalid",
    );
}

#[test]
fn a_dangling_link_in_a_folder_is_a_missing_file() {
    let folder = folder();
    let shard = folder.path().join("model-00001-of-00003.safetensors");
    fs_err::remove_file(&shard).unwrap();
    std::os::unix::fs::symlink("../../blobs/0123", &shard).unwrap();
    assert_eq!(faults(folder.path()), "model-00001-of-00003.safetensors missing");
}

#[test]
fn a_folder_that_cannot_be_listed_is_looked_at_by_its_fixed_names() {
    struct Unlisted;
    impl View for Unlisted {
        fn stat(&self, path: &Path) -> Look<crate::look::Stat> {
            LocalView.stat(path)
        }
        fn list(&self, _path: &Path) -> Look<Vec<String>> {
            Look::Unknown("cannot list".to_owned())
        }
        fn open(&self, path: &Path) -> Look<Box<dyn crate::project::view::ReadSeek + '_>> {
            LocalView.open(path)
        }
    }
    let folder = folder();
    assert!(examine(&Unlisted, folder.path()).complete());
    fs_err::remove_file(folder.path().join("model-00002-of-00003.safetensors")).unwrap();
    assert!(!examine(&Unlisted, folder.path()).complete());
}

#[test]
fn what_stands_under_a_models_name_is_recognised() {
    let scratch = tempfile::tempdir().unwrap();
    for (content, summary) in [
        (&b""[..], "an empty file"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 7\n",
            "a git-lfs pointer",
        ),
        (b"<!doctype html>", "a web page"),
        (b"{\"error\":\"Repository not found\"}", "a JSON document"),
        (b"tjgg\x01\0\0\0", "a model in a format of llama.cpp before GGUF"),
        (&[0; 5000], "a file that begins with zeros alone"),
    ] {
        let path = scratch.path().join("model.gguf");
        fs_err::write(&path, content).unwrap();
        let facts = examine(&LocalView, &path);
        assert_eq!(facts.summary().as_deref(), Some(summary));
        assert!(!facts.complete());
    }
}

#[test]
fn an_unfinished_download_is_seen_beside_its_file() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("m.gguf");
    fs_err::copy(quickstart().join("gguf/tiny-Q4_K_M.gguf"), &path).unwrap();
    fs_err::write(scratch.path().join("m.gguf.aria2"), "").unwrap();
    assert_eq!(faults(&path), "leftover m.gguf.aria2");
}

#[test]
fn nothing_is_absent_and_listed_as_missing() {
    let facts = examine(&LocalView, Path::new("/nowhere/at/all"));
    assert!(matches!(facts, ModelFacts::Absent));
    let listed = facts.list(Path::new("/models/x.gguf"));
    assert_eq!(listed[0].state, FileState::Missing);
    assert_eq!(listed[0].path, Path::new("/models/x.gguf"));
}

#[test]
fn files_are_listed_in_the_space_of_the_caller() {
    let facts = examine(&LocalView, &quickstart().join("vllm/tiny/bf16"));
    let listed = facts.list(Path::new("/models/x"));
    assert!(listed.iter().any(|file| file.path == Path::new("/models/x/tokenizer.json")));
    assert!(listed.iter().all(|file| file.state == FileState::Present));
}

#[test]
fn a_pipeline_needs_its_pooling() {
    let folder = folder();
    let modules = r#"[{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},
        {"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"},
        {"idx":2,"name":"2","path":"2_Normalize","type":"sentence_transformers.models.Normalize"}]"#;
    fs_err::write(folder.path().join("modules.json"), modules).unwrap();
    assert_eq!(faults(folder.path()), "1_pooling/config.json missing");
    fs_err::create_dir(folder.path().join("1_Pooling")).unwrap();
    fs_err::write(folder.path().join("1_Pooling/config.json"), "{}").unwrap();
    assert_eq!(faults(folder.path()), "");
}

#[test]
fn an_old_pipeline_keeps_its_transformer_in_a_folder() {
    let root = tempfile::tempdir().unwrap();
    fs_err::rename(folder().keep(), root.path().join("0_Transformer")).unwrap();
    let modules = r#"[{"path":"0_Transformer","type":"sentence_transformers.models.Transformer"}]"#;
    fs_err::write(root.path().join("modules.json"), modules).unwrap();
    assert_eq!(faults(root.path()), "");
    fs_err::remove_file(root.path().join("0_Transformer/config.json")).unwrap();
    assert_eq!(faults(root.path()), "0_transformer/config.json missing");
}

#[test]
fn an_adapter_needs_no_tokenizer() {
    let scratch = tempfile::tempdir().unwrap();
    fs_err::write(scratch.path().join("adapter_config.json"), r#"{"r": 8}"#).unwrap();
    assert_eq!(faults(scratch.path()), "no weights");
    fs_err::copy(
        quickstart().join("vllm/tiny/bf16/model-00001-of-00003.safetensors"),
        scratch.path().join("adapter_model.safetensors"),
    )
    .unwrap();
    assert_eq!(faults(scratch.path()), "");
}

#[test]
fn pickles_are_judged_by_their_end_and_never_opened() {
    let folder = folder();
    for n in 1..=3 {
        fs_err::remove_file(folder.path().join(format!("model-0000{n}-of-00003.safetensors")))
            .unwrap();
    }
    fs_err::remove_file(folder.path().join("model.safetensors.index.json")).unwrap();
    let mut archive = archive::ZIP.to_vec();
    archive.resize(100, 0);
    archive.extend_from_slice(b"PK\x05\x06");
    archive.resize(archive.len() + 18, 0);
    let path = folder.path().join("pytorch_model.bin");
    fs_err::write(&path, &archive).unwrap();
    assert_eq!(faults(folder.path()), "");
    let facts = examine(&LocalView, folder.path());
    assert_eq!(
        facts.seen().unwrap().folder().unwrap().weights,
        Some(huggingface::Weights::Pickles)
    );
    fs_err::write(&path, &archive[..110]).unwrap();
    assert_eq!(faults(folder.path()), "pytorch_model.bin invalid");
}

#[test]
fn what_a_training_run_leaves_is_not_taken_for_the_model() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("config.json"), "{}").unwrap();
    for name in ["optimizer_1.bin", "rng_state_0.pth", "scaler.pt", "training_args.bin"] {
        fs_err::write(folder.path().join(name), archive::ZIP).unwrap();
    }
    let facts = examine(&LocalView, folder.path());
    let found = facts.seen().unwrap().folder().unwrap();
    assert_eq!((found.weights, found.stored.len()), (None, 0));
}
