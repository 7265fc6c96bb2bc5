//! What `preflight fetch` chooses to bring: lanes, files, and what it says before it does.

use fake_hub::{Builder, FakeHub};
use serde_json::Value;

use crate::hub_stack::{GGUF, bodies, brought, builder, check, edit, folder, hub, stack};
use crate::sandbox::{Sandbox, repository};

const MIB: usize = 1 << 20;

/// The finding of that id about the lane `coder` in a JSON report.
fn finding(report: &str, id: &str) -> Value {
    let report: Value = serde_json::from_str(report).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let wanted = |finding: &&Value| finding["id"] == id && finding["lane"] == "coder";
    findings.iter().find(wanted).cloned().unwrap_or_default()
}

/// What the hub would make a careless client fetch in addition.
fn with_duplicates() -> FakeHub {
    builder()
        .file("acme/tiny", "pytorch_model.bin", vec![1; MIB])
        .file("acme/tiny", "original/consolidated.00.pth", vec![2; 2 * MIB])
        .file("acme/tiny", "onnx/model.onnx", vec![3; MIB])
        .start()
        .unwrap()
}

#[test]
fn what_the_engine_does_not_load_is_left_out_and_counted() {
    let hub = with_duplicates();
    let sandbox = stack(&hub);
    let run = sandbox.run(&["fetch", "--lane", "coder"]);
    let said = "3 files of `acme/tiny`, 4.0 MiB, are left out: vLLM does not load them";
    check(&run, 0, &["note[files-left-out]", said]);
    let files = brought(&sandbox);
    assert_eq!(files.len(), 10, "{files:?}");
    assert!(files.iter().any(|file| file.ends_with("generation_config.json")), "{files:?}");
    assert!(!files.iter().any(|file| file.contains("pytorch_model.bin")), "{files:?}");
    let again = sandbox.run(&["fetch", "--lane", "coder"]);
    check(&again, 0, &[]);
    assert!(!again.stdout.contains("files-left-out"), "nobody was asked: {}", again.stdout);
}

#[test]
fn what_the_user_includes_is_fetched_whatever_it_is() {
    let hub = with_duplicates();
    let sandbox = stack(&hub);
    edit(
        &sandbox,
        "source: hf://acme/tiny\n",
        "source: hf://acme/tiny\n      include: ['*']\n      exclude: ['onnx/*']\n",
    );
    let run = sandbox.run(&["fetch", "--lane", "coder"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let files = brought(&sandbox);
    assert!(files.iter().any(|file| file.ends_with("original/consolidated.00.pth")), "{files:?}");
    assert!(!files.iter().any(|file| file.contains("onnx")), "{files:?}");
}

#[test]
fn a_dry_run_says_everything_and_brings_nothing() {
    let hub = with_duplicates();
    let sandbox = stack(&hub);
    let run = sandbox.run(&["fetch", "--dry-run", "--format", "json"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert_eq!((bodies(&hub), brought(&sandbox).len()), (0, 0));
    assert!(!sandbox.path().join("models/vllm").exists());
    let planned = finding(&run.stdout, "would-fetch");
    let said = planned["message"].as_str().unwrap();
    assert!(said.starts_with("a fetch would bring 10 files of `hf://acme/tiny`, "), "{said}");
    let evidence = planned["evidence"].to_string();
    for word in
        [hub.commit("acme/tiny"), "models/vllm/tiny/bf16\"", "\"config.json (", "available_bytes"]
    {
        assert!(evidence.contains(word), "{word}: {evidence}");
    }
    let saved = finding(&run.stdout, "files-left-out")["evidence"].to_string();
    assert!(saved.contains(&(4 * MIB).to_string()), "{saved}");
    check(&sandbox.run(&["fetch"]), 0, &["ready: 2 of 2 lanes"]);
    let run = sandbox.run(&["fetch", "--dry-run", "--format", "json"]);
    assert_eq!(finding(&run.stdout, "would-fetch"), Value::Null, "nothing is missing");
}

#[test]
fn a_dry_run_fails_where_a_fetch_would() {
    let hub = hub(&["gated:acme/tiny"]);
    let sandbox = stack(&hub);
    check(
        &sandbox.run(&["fetch", "--dry-run"]),
        12,
        &["error[token-missing]", "note[would-fetch]"],
    );
    assert_eq!(brought(&sandbox), [""; 0]);
}

#[test]
fn every_part_of_a_split_model_is_brought_by_the_name_that_the_engine_derives() {
    let gguf = fs_err::read(repository().join(GGUF)).unwrap();
    let hub = FakeHub::builder()
        .file("acme/big-GGUF", "q4/Big-00001-of-00002.gguf", gguf.clone())
        .file("acme/big-GGUF", "q4/Big-00002-of-00002.gguf", gguf.clone())
        .file("acme/big-GGUF", "q8/Big-00001-of-00002.gguf", gguf)
        .start()
        .unwrap();
    let sandbox = stack(&hub);
    edit(
        &sandbox,
        "hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf",
        "hf://acme/big-GGUF/q4/Big-00001-of-00002.gguf",
    );
    edit(&sandbox, "tiny-Q4_K_M.gguf", "own-00001-of-00002.gguf");
    sandbox.run(&["fetch", "--lane", "reader"]);
    assert_eq!(brought(&sandbox), ["gguf/own-00001-of-00002.gguf", "gguf/own-00002-of-00002.gguf"]);
}

#[test]
fn flags_and_variables_choose_the_lanes_that_are_fetched() {
    let hub = hub(&[]);
    let fetched = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut sandbox = stack(&hub);
        for (name, value) in variables {
            sandbox = sandbox.variable(name, *value);
        }
        sandbox.run(&[&["fetch"], arguments].concat());
        let files = brought(&sandbox);
        let has = |word: &str| files.iter().any(|file| file.starts_with(word));
        (has("vllm"), has("gguf"))
    };
    assert_eq!(fetched(&[], &[]), (true, true));
    assert_eq!(fetched(&["--lane", "reader"], &[]), (false, true));
    assert_eq!(fetched(&["--skip-gguf"], &[]), (true, false));
    assert_eq!(fetched(&["--skip-vllm"], &[]), (false, true));
    assert_eq!(fetched(&[], &[("ARGOS_DOWNLOAD_VLLM", "true")]), (true, false));
    assert_eq!(fetched(&[], &[("ARGOS_DOWNLOAD_VLLM", "0")]), (false, false));
    assert_eq!(fetched(&["--no-fetch"], &[]), (false, false));
}

#[test]
fn what_is_not_chosen_for_fetching_is_validated_all_the_same() {
    let hub = hub(&[]);
    let sandbox = stack(&hub).variable("ARGOS_DOWNLOAD_VLLM", "true");
    check(&sandbox.run(&["fetch"]), 10, &["error[files-missing]", "1 of 2 lanes ready"]);
}

#[test]
fn what_only_the_catalogue_knows_is_not_fetched_unless_it_is_named() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    edit(&sandbox, "x-preflight:\n", "x-preflight:\n  catalogue: cortex\n");
    let asked = || hub.requests().iter().filter(|it| !it.path.contains("acme/")).count();
    sandbox.run(&["fetch"]);
    assert_eq!(asked(), 0);
    sandbox.run(&["fetch", "--lane", "governance"]);
    assert!(asked() > 0);
}

#[test]
fn the_minimal_models_of_the_catalogue_are_fetched_and_nothing_else() {
    let name = "TinyLlama/TinyLlama-1.1B-Chat-v1.0";
    let gguf = fs_err::read(repository().join(GGUF)).unwrap();
    let file = "TinyLlama-1.1B-Chat-v1.0-Q4_K_M.gguf";
    let with_folder =
        |builder: Builder, (path, content): (String, Vec<u8>)| builder.file(name, &path, content);
    let builder = folder().into_iter().fold(builder(), with_folder);
    let builder = builder.file("bartowski/TinyLlama-1.1B-Chat-v1.0-GGUF", file, gguf);
    let hub = builder.start().unwrap();
    let sandbox = stack(&hub);
    edit(&sandbox, "x-preflight:\n", "x-preflight:\n  catalogue: cortex\n");
    let models = sandbox.path().join("models").display().to_string();
    let run = sandbox.run(&["fetch", "--minimal", "--models-dir", &models]);
    check(&run, 0, &["TinyLlama-1.1B"]);
    let files = brought(&sandbox);
    assert!(files.iter().all(|file| file.starts_with("minimal/")), "{files:?}");
    let gguf = "minimal/gguf/TinyLlama-1.1B-Chat-v1.0.Q4_K_M.gguf".to_owned();
    assert!(files.contains(&gguf), "{files:?}");
    assert_eq!(files.len(), folder().len() + 1, "{files:?}");
}

#[test]
fn flags_and_variables_choose_the_embeddings_as_well() {
    let service = "  embedder:\n    image: ghcr.io/huggingface/text-embeddings-inference:cpu-1.8\n    \
                   command: --model-id acme/tiny\n    volumes: ['./models/hub:/data']\n";
    let hub = hub(&[]);
    let fetched = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut sandbox = stack(&hub);
        edit(&sandbox, "services:\n", &format!("services:\n{service}"));
        for (name, value) in variables {
            sandbox = sandbox.variable(name, *value);
        }
        sandbox.run(&[&["fetch"], arguments].concat());
        let files = brought(&sandbox);
        let has = |word: &str| files.iter().any(|file| file.starts_with(word));
        (has("hub"), has("vllm"), has("gguf"))
    };
    assert_eq!(fetched(&[], &[]), (true, true, true));
    assert_eq!(fetched(&["--skip-embeddings"], &[]), (false, true, true));
    let only = [("ARGOS_DOWNLOAD_EMBEDDINGS", "true")];
    assert_eq!(fetched(&[], &only), (true, false, false));
    let none = [("ARGOS_DOWNLOAD_EMBEDDINGS", "false"), ("ARGOS_DOWNLOAD_VLLM", "true")];
    assert_eq!(fetched(&[], &none), (false, true, false));
}

#[test]
fn an_environment_file_of_the_project_names_no_hub_and_gets_no_token() {
    let (own, evil) = (hub(&[]), hub(&[]));
    let sandbox: Sandbox = stack(&own)
        .file(".env", format!("HF_ENDPOINT={}\nHF_TOKEN=hf_of_the_project\n", evil.url()))
        .variable("HF_TOKEN", "hf_abcdefghijklmnopqrstuvwxyz");
    check(&sandbox.run(&["fetch"]), 0, &[]);
    assert!(evil.requests().is_empty());
    let sent: Vec<_> = own.requests().into_iter().filter_map(|it| it.authorization).collect();
    assert!(!sent.is_empty());
    assert!(sent.iter().all(|it| it == "Bearer hf_abcdefghijklmnopqrstuvwxyz"), "{sent:?}");
}

#[test]
fn a_file_has_one_size_in_every_line() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    // 812 224 bytes: 793.1875 KiB.
    let size = "793.2 KiB";
    let planned = sandbox.run(&["fetch", "--lane", "reader", "--dry-run"]);
    check(&planned, 0, &[&format!("hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf`, {size}")]);
    let moved = sandbox.run(&["fetch", "--lane", "reader", "--progress", "plain"]);
    check(&moved, 0, &[&format!("reader: fetching 1 file, {size}")]);
    assert!(moved.stdout.lines().any(|line| line.starts_with("reader") && line.contains(size)));
    check(&sandbox.run(&["lock", "--lane", "reader"]), 0, &[&format!("1 file, {size}")]);
}
