//! `--deep`: every byte is proven once, by whoever says what it must hash to.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::hub_stack::{check, edit, hub, stack};
use crate::sandbox::{Run, Sandbox};

fn deep(sandbox: &Sandbox) -> Run {
    sandbox.run(&["verify", "--deep", "--progress", "plain"])
}

/// The stack with all of its files.
fn fetched() -> Sandbox {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    check(&sandbox.run(&["fetch"]), 0, &[]);
    sandbox
}

fn shard(sandbox: &Sandbox) -> PathBuf {
    sandbox.path().join("models/vllm/tiny/bf16/model-00001-of-00003.safetensors")
}

/// Changes one byte in the middle.
fn damage(path: &Path) {
    let mut bytes = fs_err::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(path, bytes).unwrap();
}

fn forget(sandbox: &Sandbox) {
    for folder in ["vllm/tiny/bf16", "gguf"] {
        let stamps =
            sandbox.path().join("models").join(folder).join(".cache/huggingface/preflight");
        fs_err::remove_dir_all(stamps).unwrap();
    }
}

#[test]
fn what_was_fetched_needs_no_hash_and_what_is_forgotten_is_hashed_once() {
    let sandbox = fetched();
    let run = deep(&sandbox);
    check(&run, 0, &["ready: 2 of 2 lanes"]);
    assert!(!run.stderr.contains("hashing"), "{}", run.stderr);
    forget(&sandbox);
    let run = deep(&sandbox);
    check(&run, 0, &["coder: hashing "]);
    assert!(!run.stderr.contains("reader: hashing"), "nobody says what it is: {}", run.stderr);
    assert!(!deep(&sandbox).stderr.contains("hashing"));
}

#[test]
fn a_byte_that_no_header_shows_is_found_by_the_note_of_the_download() {
    let sandbox = fetched();
    forget(&sandbox);
    damage(&shard(&sandbox));
    check(&sandbox.run(&["verify"]), 0, &["ready: 2 of 2 lanes"]);
    let run = sandbox.run(&["verify", "--deep", "--lane", "coder"]);
    let message = "is not what the note that its download left says: sha256 ";
    check(&run, 11, &["error[file-corrupt]", message, "preflight fetch --deep --lane coder"]);
}

#[test]
fn a_file_that_was_written_since_it_was_proven_is_said_without_hashing() {
    let sandbox = fetched();
    let gguf = sandbox.path().join("models/gguf/tiny-Q4_K_M.gguf");
    damage(&gguf);
    check(&sandbox.run(&["verify"]), 0, &["warning[file-changed]", "tiny-Q4_K_M.gguf"]);
    let run = deep(&sandbox);
    check(&run, 11, &["error[file-corrupt]", "is not what the stamp of an earlier run says"]);
}

#[test]
fn what_nobody_vouches_for_is_said_and_fails_nothing() {
    let sandbox = Sandbox::quickstart();
    let run = sandbox.run(&["verify", "--deep"]);
    check(&run, 0, &["warning[file-not-proven]", "preflight lock --lane coder"]);
    let plain = sandbox.run(&["verify"]);
    assert!(!plain.stdout.contains("file-not-proven"), "{}", plain.stdout);
}

#[test]
fn a_fetch_that_is_deep_asks_the_hub_and_repairs() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    check(&sandbox.run(&["fetch"]), 0, &[]);
    forget(&sandbox);
    fs_err::remove_dir_all(sandbox.path().join("models/vllm/tiny/bf16/.cache")).unwrap();
    damage(&shard(&sandbox));
    let before = crate::hub_stack::bodies(&hub);
    check(&sandbox.run(&["fetch", "--deep"]), 0, &["ready: 2 of 2 lanes"]);
    assert_eq!(crate::hub_stack::bodies(&hub), before + 1, "one file was damaged");
    let run = deep(&sandbox);
    check(&run, 0, &[]);
    assert!(!run.stdout.contains("file-not-proven"), "{}", run.stdout);
}

#[test]
fn a_folder_that_may_not_be_written_is_proven_and_left_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    let sandbox = fetched();
    forget(&sandbox);
    let models = sandbox.path().join("models");
    for entry in walkdir::WalkDir::new(sandbox.path()).contents_first(true) {
        let entry = entry.unwrap();
        let mode = if entry.file_type().is_dir() { 0o555 } else { 0o444 };
        fs_err::set_permissions(entry.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let state = |folder: &Path| -> Vec<(PathBuf, i64)> {
        let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
        entries
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.path().to_path_buf(), entry.metadata().unwrap().mtime_nsec()))
            .collect()
    };
    let before = state(&models);
    let mut command = sandbox.command(&["verify", "--deep", "--progress", "plain"]);
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let run = sandbox.told(&command.output().unwrap());
    check(&run, 0, &["coder: hashing "]);
    assert_eq!(state(&models), before);
    for entry in walkdir::WalkDir::new(sandbox.path()).into_iter().map(Result::unwrap) {
        if entry.file_type().is_dir() {
            let mode = std::fs::Permissions::from_mode(0o755);
            fs_err::set_permissions(entry.path(), mode).unwrap();
        }
    }
}

#[test]
fn a_blob_of_a_cache_is_proven_by_its_own_name() {
    let hash = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    let sandbox = fetched();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let compose = "services:\n  llm:\n    image: vllm/vllm-openai:v0.12.0\n    \
                   command: acme/tiny\n    volumes: ['./hf:/root/.cache/huggingface']\n    \
                   gpus: all\n";
    fs_err::write(sandbox.path().join("compose.yaml"), compose).unwrap();
    let folder = sandbox.path().join("hf/hub/models--acme--tiny");
    for name in ["refs", "blobs", &format!("snapshots/{commit}")] {
        fs_err::create_dir_all(folder.join(name)).unwrap();
    }
    fs_err::write(folder.join("refs/main"), commit).unwrap();
    for (name, content) in crate::hub_stack::folder() {
        let blob = match name.as_str() {
            "config.json" => hash.replace('5', "6"),
            "model-00001-of-00003.safetensors" => hash.to_owned(),
            _ => format!("not-a-hash-{name}"),
        };
        fs_err::write(folder.join("blobs").join(&blob), content).unwrap();
        let link = folder.join("snapshots").join(commit).join(&name);
        std::os::unix::fs::symlink(format!("../../blobs/{blob}"), link).unwrap();
    }
    let run = deep(&sandbox);
    check(
        &run,
        11,
        &[
            "error[file-corrupt]",
            "model-00001-of-00003.safetensors` is not what its name in the cache says",
            "warning[file-changed]",
            "config.json` has been changed since its download",
        ],
    );
    assert!(!folder.join("snapshots").join(commit).join(".cache").exists(), "nothing is written");
}

#[test]
fn deep_without_a_source_judges_every_lane() {
    let sandbox = fetched();
    edit(&sandbox, "      source: hf://acme/tiny\n", "");
    forget(&sandbox);
    damage(&shard(&sandbox));
    check(&deep(&sandbox), 11, &["error[file-corrupt]", "bring `/models/vllm/tiny/bf16/"]);
}

/// Writes the stamp that the file `name` in `folder` would have if it were what it was before.
fn forge(folder: &Path, name: &str) {
    let metadata = fs_err::metadata(folder.join(name)).unwrap();
    let stamp = folder.join(".cache/huggingface/preflight").join(format!("{name}.stamp"));
    let text = fs_err::read_to_string(&stamp).unwrap();
    let said: Vec<&str> = text.trim_end().split(' ').collect();
    assert_eq!((said[0], said.len()), ("2", 12), "{text}");
    let numbers = [
        metadata.size().to_string(),
        metadata.ino().to_string(),
        metadata.mtime().to_string(),
        metadata.mtime_nsec().to_string(),
        metadata.ctime().to_string(),
        metadata.ctime_nsec().to_string(),
    ];
    let forged = format!("2 {} {} 1000 nowhere 0.0.1 1764331200\n", numbers.join(" "), said[7]);
    fs_err::write(stamp, forged).unwrap();
}

#[test]
fn a_stamp_that_somebody_else_has_written_is_believed_and_named_until_stamps_are_not() {
    let sandbox = fetched();
    let shard = shard(&sandbox);
    damage(&shard);
    forge(shard.parent().unwrap(), "model-00001-of-00003.safetensors");
    let run = sandbox.run(&["verify", "--deep", "--format", "json"]);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let files = report["lanes"].as_array().unwrap().iter();
    let mut files = files.flat_map(|lane| lane["files"].as_array().unwrap());
    let file = files.find(|file| file["path"].as_str().unwrap().contains("00001-of")).unwrap();
    let said = serde_json::json!({
        "uid": 1000, "host": "nowhere", "version": "0.0.1", "at": "2025-11-28T12:00:00.000Z"
    });
    assert_eq!(file["hashed_by"], said, "{file}");

    let run = sandbox.run(&["verify", "--deep", "--no-stamps", "--lane", "coder"]);
    let message = "is not what the note that its download left says: sha256 ";
    check(&run, 11, &["error[file-corrupt]", message]);
    let run = sandbox.run(&["verify", "--deep", "--no-stamps", "--format", "json"]);
    assert!(!run.stdout.contains("hashed_by"), "{}", run.stdout);
}

#[test]
fn without_stamps_every_byte_is_hashed_every_time_and_none_is_left() {
    let sandbox = fetched().variable("PREFLIGHT_NO_STAMPS", "1");
    forget(&sandbox);
    for _ in 0..2 {
        check(&deep(&sandbox), 0, &["coder: hashing "]);
    }
    let stamps = shard(&sandbox).parent().unwrap().join(".cache/huggingface/preflight");
    assert!(!stamps.exists());
}
