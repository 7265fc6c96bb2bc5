//! `preflight lock`: what is pinned, and what that means for `fetch` and `verify`.

use fake_hub::{Builder, FakeHub};
use serde_json::Value;

use crate::hub_stack::{bodies, brought, builder, check, edit, hub, stack};
use crate::sandbox::Sandbox;

fn lock(sandbox: &Sandbox) -> Value {
    let text = fs_err::read_to_string(sandbox.path().join("preflight.lock")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A hub on which `main` has moved since `stack` was pinned.
fn moved() -> FakeHub {
    let newer = |builder: Builder| {
        builder.commit("acme/tiny").file(
            "acme/tiny",
            "generation_config.json",
            "{\"max_length\": 7}",
        )
    };
    newer(builder()).start().unwrap()
}

#[test]
fn every_file_of_every_lane_is_pinned_on_a_line_of_its_own() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    let run = sandbox.run(&["lock"]);
    check(&run, 0, &["coder: hf://acme/tiny pinned to", ", 10 files, 2"]);
    let (lock, commit) = (lock(&sandbox), hub.commit("acme/tiny"));
    assert_eq!(lock["lanes"]["coder"]["commit"], commit);
    let files = lock["lanes"]["coder"]["files"].as_object().unwrap();
    assert_eq!(files.len(), 10);
    assert_eq!(files["model-00001-of-00003.safetensors"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(files["config.json"]["git"].as_str().unwrap().len(), 40);
    assert!(lock["lanes"]["reader"]["files"]["Tiny.Q4-K-M.gguf"]["sha256"].is_string());
    assert_eq!((bodies(&hub), brought(&sandbox).len()), (0, 0), "nothing is fetched");

    let text = fs_err::read_to_string(sandbox.path().join("preflight.lock")).unwrap();
    let asked = hub.requests().len();
    check(&sandbox.run(&["lock"]), 0, &["coder: hf://acme/tiny stays at"]);
    assert_eq!(fs_err::read_to_string(sandbox.path().join("preflight.lock")).unwrap(), text);
    assert_eq!(hub.requests().len(), asked, "what is pinned needs nobody to be asked");
    let told = sandbox.run(&["lock", "--format", "json"]);
    assert_eq!(told.stdout, text, "a program is told the lock file itself");
}

#[test]
fn a_check_says_which_lanes_are_not_pinned_and_neither_asks_nor_writes() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    let path = sandbox.path().join("preflight.lock");
    let run = sandbox.run(&["lock", "--check"]);
    let reader = "reader: `hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf` is not pinned: `preflight lock --lane \
                  reader`\n";
    let missing = format!(
        "[DIR]/preflight.lock: it is not there\n  {reader}  coder: `hf://acme/tiny` is not pinned: \
         `preflight lock --lane coder`\n"
    );
    let not_current = "preflight: the lock file is not up to date: exit 17, lane configuration; fix: \
                       run `preflight lock`, and commit what it writes\n";
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (Some(17), missing.as_str(), not_current)
    );
    assert!(!path.exists(), "it was written");
    check(&sandbox.run(&["lock"]), 0, &[]);
    let (text, asked) = (fs_err::read_to_string(&path).unwrap(), hub.requests().len());
    let run = sandbox.run(&["lock", "--check"]);
    check(&run, 0, &["coder: pinned at ", "reader: pinned at "]);
    assert_eq!(run.stderr, "preflight: the lock file is up to date\n");
    let json: Value =
        serde_json::from_str(&sandbox.run(&["lock", "--check", "--format", "json"]).stdout)
            .unwrap();
    assert_eq!((&json["current"], &json["lanes"][0]["state"]), (&true.into(), &"pinned".into()));

    // Another source, a lane that is gone, and one of two lanes alone.
    let other =
        text.replace("hf://acme/tiny\"", "hf://acme/other\"").replace("\"reader\"", "\"writer\"");
    fs_err::write(&path, &other).unwrap();
    let run = sandbox.run(&["lock", "--check"]);
    let outdated = format!(
        "[DIR]/preflight.lock\n  {reader}  coder: `hf://acme/other` is pinned, not `hf://acme/tiny`: \
         `preflight lock --lane coder`\n  writer: pinned, and no lane: `preflight lock` drops it\n"
    );
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (Some(17), outdated.as_str(), not_current)
    );
    let json = sandbox.run(&["lock", "--check", "--format", "json", "--lane", "coder"]);
    let told: Value = serde_json::from_str(&json.stdout).unwrap();
    let lane = serde_json::json!([{
        "name": "coder", "state": "outdated", "pinned": "hf://acme/other", "source": "hf://acme/tiny",
    }]);
    assert_eq!((json.code, &told["lanes"]), (Some(17), &lane));
    assert_eq!(hub.requests().len(), asked, "the hub was asked");
    assert_eq!(fs_err::read_to_string(&path).unwrap(), other, "it was written");
    let both = sandbox.run(&["lock", "--check", "--update"]);
    check(&both, 2, &["cannot be used with"]);
}

#[test]
fn a_fetch_brings_what_is_pinned_although_the_branch_has_moved() {
    let first = hub(&[]);
    let sandbox = stack(&first);
    check(&sandbox.run(&["lock"]), 0, &[]);
    let moved = moved();
    let sandbox = sandbox.variable("HF_ENDPOINT", moved.url());
    let run = sandbox.run(&["fetch"]);
    check(&run, 0, &["ready: 2 of 2 lanes"]);
    assert!(!run.stdout.contains("revision-not-pinned"), "{}", run.stdout);
    let config = sandbox.path().join("models/vllm/tiny/bf16/generation_config.json");
    assert!(!fs_err::read_to_string(&config).unwrap().contains("max_length\": 7"));

    check(
        &sandbox.run(&["lock", "--update", "--lane", "coder"]),
        0,
        &["coder: hf://acme/tiny moved"],
    );
    assert_eq!(lock(&sandbox)["lanes"]["coder"]["commit"], moved.commit("acme/tiny"));
    check(&sandbox.run(&["verify"]), 11, &["error[file-corrupt]", "generation_config.json"]);
    check(&sandbox.run(&["fetch"]), 0, &["ready: 2 of 2 lanes"]);
    assert!(fs_err::read_to_string(&config).unwrap().contains("max_length\": 7"));
}

#[test]
fn a_locked_stack_is_proven_to_the_last_byte_without_a_network() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    check(&sandbox.run(&["lock"]), 0, &[]);
    check(&sandbox.run(&["fetch"]), 0, &[]);
    let asked = hub.requests().len();
    check(&sandbox.run(&["verify", "--deep", "--offline"]), 0, &["ready: 2 of 2 lanes"]);

    // One byte in the middle, behind every header; the time is put back.
    let shard = sandbox.path().join("models/vllm/tiny/bf16/model-00002-of-00003.safetensors");
    let mut bytes = fs_err::read(&shard).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let modified = fs_err::metadata(&shard).unwrap().modified().unwrap();
    fs_err::write(&shard, bytes).unwrap();
    std::fs::OpenOptions::new().write(true).open(&shard).unwrap().set_modified(modified).unwrap();
    check(&sandbox.run(&["verify", "--offline"]), 0, &["ready: 2 of 2 lanes"]);
    let run = sandbox.run(&["verify", "--deep", "--offline"]);
    let path = "`/models/vllm/tiny/bf16/model-00002-of-00003.safetensors`";
    check(&run, 11, &["error[file-corrupt]", path, "is not what `preflight.lock` says"]);
    assert_eq!(hub.requests().len(), asked);
    check(&sandbox.run(&["fetch", "--deep"]), 0, &["ready: 2 of 2 lanes"]);
    check(&sandbox.run(&["verify", "--deep", "--offline"]), 0, &[]);
}

#[test]
fn what_is_pinned_and_not_there_is_missing_even_if_no_engine_needs_it() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    check(&sandbox.run(&["lock"]), 0, &[]);
    check(&sandbox.run(&["fetch"]), 0, &[]);
    let file = sandbox.path().join("models/vllm/tiny/bf16/generation_config.json");
    fs_err::remove_file(&file).unwrap();
    check(&sandbox.run(&["verify"]), 10, &["error[files-missing]", "that `preflight.lock` pins"]);
    check(&sandbox.run(&["fetch"]), 0, &[]);
    assert!(file.exists());
}

#[test]
fn a_source_that_is_not_the_one_that_is_pinned_is_refused_and_a_lane_that_is_not_pinned_is_said() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    check(&sandbox.run(&["lock", "--lane", "coder"]), 0, &[]);
    assert_eq!(lock(&sandbox)["lanes"].as_object().unwrap().len(), 1);
    edit(&sandbox, "hf://acme/tiny\n", "hf://acme/tiny@main\n");
    let run = sandbox.run(&["fetch"]);
    check(&run, 17, &["error[lock-outdated]", "warning[lock-incomplete]"]);
    assert!(!brought(&sandbox).iter().any(|file| file.starts_with("vllm")));
    check(&sandbox.run(&["lock"]), 0, &["coder: hf://acme/tiny@main", "reader: "]);
    check(&sandbox.run(&["fetch"]), 0, &["ready: 2 of 2 lanes\n"]);
}

#[test]
fn a_hub_that_has_other_files_under_the_pinned_commit_is_not_believed() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    check(&sandbox.run(&["lock"]), 0, &[]);
    let path = sandbox.path().join("preflight.lock");
    let text = fs_err::read_to_string(&path).unwrap();
    let pinned = lock(&sandbox)["lanes"]["coder"]["files"]["config.json"]["git"].clone();
    let pinned = pinned.as_str().unwrap();
    fs_err::write(&path, text.replace(pinned, &"0".repeat(40))).unwrap();
    let run = sandbox.run(&["fetch", "--lane", "coder"]);
    check(&run, 11, &["error[lock-differs-from-hub]", "`config.json` has another content"]);
    assert_eq!(brought(&sandbox), [""; 0]);
}

#[test]
fn what_is_here_already_is_pinned_as_it_is_with_a_sha256_for_every_file() {
    let first = hub(&[]);
    let sandbox = stack(&first);
    check(&sandbox.run(&["fetch"]), 0, &[]);
    let moved = moved();
    let sandbox = sandbox.variable("HF_ENDPOINT", moved.url());
    check(&sandbox.run(&["lock"]), 0, &[]);
    let lock = lock(&sandbox);
    assert_eq!(lock["lanes"]["coder"]["commit"], first.commit("acme/tiny"));
    let files = lock["lanes"]["coder"]["files"].as_object().unwrap();
    assert!(files.values().all(|file| file["sha256"].is_string()), "{files:?}");
    check(&sandbox.run(&["verify", "--deep", "--offline"]), 0, &[]);
}

#[test]
fn a_lane_that_cannot_be_asked_keeps_its_pin_and_fails_the_run() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    check(&sandbox.run(&["lock"]), 0, &[]);
    let before = lock(&sandbox);
    let broken = crate::hub_stack::hub(&["gated:acme/tiny-GGUF"]);
    let sandbox = sandbox.variable("HF_ENDPOINT", broken.url());
    check(&sandbox.run(&["lock", "--update"]), 12, &["error[token-missing]"]);
    assert_eq!(lock(&sandbox)["lanes"]["reader"], before["lanes"]["reader"]);
}

#[test]
fn a_lock_file_may_lie_elsewhere_and_one_that_is_none_ends_the_run() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    check(&sandbox.run(&["lock", "--lock-file", "pins.json"]), 0, &["pins.json"]);
    assert!(!sandbox.path().join("preflight.lock").exists());
    let sandbox = sandbox.variable("PREFLIGHT_LOCK_FILE", "pins.json");
    let run = sandbox.run(&["fetch"]);
    check(&run, 0, &[]);
    assert!(!run.stdout.contains("revision-not-pinned"), "{}", run.stdout);
    fs_err::write(sandbox.path().join("pins.json"), "{}").unwrap();
    check(
        &sandbox.run(&["verify"]),
        2,
        &["`pins.json` is not a lock file: missing field `version`"],
    );
}
