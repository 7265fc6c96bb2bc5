//! Stacks that are right and have not run yet: their engines download their models themselves.

use crate::hub_stack;
use crate::sandbox::{Run, Sandbox};

const VLLM: &str = "services:
  vllm:
    image: vllm/vllm-openai:v0.12.0
    command: --model Qwen/Qwen2.5-0.5B-Instruct
    volumes: ['~/.cache/huggingface:/root/.cache/huggingface']
    gpus: all
";

/// The commit that an earlier download has stopped at.
const COMMIT: &str = "7ae557604adf67be50417f59c2c2f167def9a775";

fn whole(run: &Run) -> String {
    format!("{}---\n{}exit {:?}", run.stdout, run.stderr, run.code)
}

#[test]
fn a_cache_that_is_empty_or_not_there_yet_is_a_note() {
    let sandbox = Sandbox::new().file("compose.yaml", VLLM);
    let absent = whole(&sandbox.run(&[]));
    fs_err::create_dir_all(sandbox.path().join(".cache/huggingface")).unwrap();
    assert_eq!(whole(&sandbox.run(&[])), absent);
    assert_eq!(whole(&sandbox.run(&["verify"])), absent);
    insta::assert_snapshot!(absent, @r"
    note[engine-will-fetch]: the engine will download what it needs of `Qwen/Qwen2.5-0.5B-Instruct` itself: its cache `/root/.cache/huggingface/hub` has not got it
     --> compose.yaml:4:22
      |
    4 |     command: --model Qwen/Qwen2.5-0.5B-Instruct
      |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: lane `vllm`, service `vllm`
      = help: nothing has to be done; `preflight fetch --dry-run` asks the hub whether it is there and may be read, and how large it is

    LANE  SERVICE  ENGINE  MODEL  SIZE  VERDICT
    vllm  vllm     vLLM    -      -     ready
    ---
    preflight: ready: 1 of 1 lane
    exit Some(0)
    ");
}

#[test]
fn every_engine_that_downloads_by_itself_is_ready() {
    for (image, words, volume) in [
        ("vllm/vllm-openai:v0.12.0", "--model o/r", "./c:/root/.cache/huggingface"),
        ("vllm/vllm-openai:v0.12.0", "--model o/r", "huggingface:/root/.cache/huggingface"),
        ("ghcr.io/huggingface/text-generation-inference:3.3.4", "--model-id o/r", "./c:/data"),
        ("ghcr.io/huggingface/text-embeddings-inference:1.8", "--model-id o/r", "./c:/data"),
        (
            "ghcr.io/ggml-org/llama.cpp:server-cuda-b7000",
            "-hf o/r:Q4_K_M",
            "./c:/root/.cache/llama.cpp",
        ),
        (
            "lmsysorg/sglang:v0.5.5",
            "python3 -m sglang.launch_server --model-path o/r",
            "./c:/root/.cache/huggingface",
        ),
    ] {
        let compose = format!(
            "services:\n  llm:\n    image: {image}\n    command: {words}\n    volumes: ['{volume}']\n    \
             gpus: all\nvolumes: {{huggingface: }}\n"
        );
        let run = Sandbox::new().file("compose.yaml", compose).run(&[]);
        assert_eq!(run.code, Some(0), "{image}: {}", run.stdout);
        let titles: Vec<&str> = run.stdout.lines().filter(|it| it.contains("]: ")).collect();
        let [title] = titles.as_slice() else { panic!("{image}: {}", run.stdout) };
        assert!(title.starts_with("note[engine-will-fetch]: "), "{image}: {title}");
        assert!(run.stderr.starts_with("preflight: ready: 1 of 1 lane"), "{image}: {}", run.stderr);
    }
}

/// A stack whose cache has a reference, a folder for its snapshot, and what the library has listed.
fn half_loaded() -> Sandbox {
    let cache = ".cache/huggingface/hub/models--Qwen--Qwen2.5-0.5B-Instruct";
    let entry = |size: u64| {
        format!("{{\"size\": {size}, \"blob_id\": \"x\", \"lfs\": null, \"xet_hash\": null}}")
    };
    let tree = format!(
        "{{\"format_version\": 1, \"files\": {{\"config.json\": {}, \"model.safetensors\": {}, \
         \"pytorch_model.bin\": {}}}}}",
        entry(659),
        entry(988_097_824),
        entry(988_097_824)
    );
    Sandbox::new()
        .file("compose.yaml", VLLM)
        .file(&format!("{cache}/refs/main"), COMMIT)
        .file(&format!("{cache}/trees/{COMMIT}.json"), tree)
        .file(&format!("{cache}/snapshots/{COMMIT}/config.json"), "{\"model_type\": \"qwen2\"}")
}

#[test]
fn how_much_is_left_is_told_by_the_listing_that_an_earlier_download_has_left() {
    let run = half_loaded().run(&[]);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    for said in ["has `tokenizer", "model.safetensors"] {
        assert!(!run.stdout.contains(said), "{}", run.stdout);
    }
    for said in ["note[engine-will-fetch]", "files: 1\n", "size: 942.3 MiB\n", COMMIT] {
        assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
    }
}

#[test]
fn how_much_it_will_be_is_told_by_the_lock_file() {
    let file = format!("{{\"size\": 988097824, \"sha256\": \"{}\"}}", "0".repeat(64));
    let lock = format!(
        "{{\"version\": 1, \"lanes\": {{\"vllm\": {{\"source\": \"hf://Qwen/Qwen2.5-0.5B-Instruct\", \
         \"commit\": \"{COMMIT}\", \"files\": {{\"model.safetensors\": {file}}}}}}}}}"
    );
    let sandbox = Sandbox::new().file("compose.yaml", VLLM).file("preflight.lock", lock);
    let run = sandbox.run(&[]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("size: 942.3 MiB\n"), "{}", run.stdout);
}

#[test]
fn an_engine_that_cannot_download_is_an_error() {
    let read_only = VLLM.replace("huggingface']", "huggingface:ro']");
    let offline = format!("{VLLM}    environment: {{HF_HUB_OFFLINE: '1'}}\n");
    for (compose, code, id) in
        [(read_only, 16, "error[not-writable]"), (offline, 10, "error[not-in-cache]")]
    {
        let sandbox = Sandbox::new().file("compose.yaml", compose).file(".cache/huggingface/x", "");
        let run = sandbox.run(&[]);
        assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains(id), "{}", run.stdout);
    }
}

#[test]
fn a_dry_run_names_files_counts_them_and_says_what_it_leaves_out_of_a_cache() {
    let hub = hub_stack::builder().file("acme/tiny", "pytorch_model.bin", vec![1; 1 << 20]).start();
    let hub = hub.unwrap();
    let compose = VLLM.replace("Qwen/Qwen2.5-0.5B-Instruct", "acme/tiny");
    let sandbox = Sandbox::new().file("compose.yaml", compose).file(".cache/huggingface/x", "");
    let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
    let told = whole(&sandbox.run(&["fetch", "--dry-run"]));
    let free = told.split_once("available_bytes: ").unwrap().1.split('\n').next().unwrap();
    let told = told.replace(free, "[N]");
    insta::assert_snapshot!(told, @r"
    note[files-left-out]: 1 file of `acme/tiny`, 1.0 MiB, is left out: vLLM does not load it
     --> compose.yaml:4:22
      |
    4 |     command: --model acme/tiny
      |                      ^^^^^^^^^
      |
      = note: saved_bytes: 1048576
      = note: file: pytorch_model.bin (1.0 MiB)
      = note: source: hf://acme/tiny
      = note: lane `vllm`
      = help: to have them all the same, name what you want with `include` under the lane

    note[revision-not-pinned]: `hf://acme/tiny` follows `main`, so that another day can bring other files
     --> compose.yaml:4:22
      |
    4 |     command: --model acme/tiny
      |                      ^^^^^^^^^
      |
      = note: source: hf://acme/tiny
      = note: lane `vllm`
      = help: add `--revision 113f1d2df4194689b3a2a343fcd24597e97ed30a` to the command, which is what it is today

    note[would-fetch]: a fetch would bring 10 files of `hf://acme/tiny`, 285.2 KiB
     --> compose.yaml:4:22
      |
    4 |     command: --model acme/tiny
      |                      ^^^^^^^^^
      |
      = note: commit: 113f1d2df4194689b3a2a343fcd24597e97ed30a
      = note: bytes: 292012
      = note: available_bytes: [N]
      = note: to: [DIR]/.cache/huggingface/hub/models--acme--tiny/snapshots/113f1d2df4194689b3a2a343fcd24597e97ed30a
      = note: file: chat_template.jinja (51 B)
      = note: file: config.json (718 B)
      = note: file: generation_config.json (195 B)
      = note: file: model-00001-of-00003.safetensors (88.5 KiB)
      = note: file: model-00002-of-00003.safetensors (89.3 KiB)
      = note: file: model-00003-of-00003.safetensors (97.0 KiB)
      = note: file: model.safetensors.index.json (1.7 KiB)
      = note: file: special_tokens_map.json (64 B)
      = note: file: tokenizer.json (7.5 KiB)
      = note: file: tokenizer_config.json (202 B)
      = note: source: hf://acme/tiny
      = note: lane `vllm`
      = help: run `preflight fetch --lane vllm` to bring them

    LANE  SERVICE  ENGINE  MODEL  SIZE  VERDICT
    vllm  vllm     vLLM    -      -     not ready: would fetch 10 files, 285.2 KiB
    ---
    preflight: would fetch 10 files, 285.2 KiB, for 1 lane; 0 of 1 lane ready
      vllm: not ready: would fetch 10 files, 285.2 KiB
    exit Some(0)
    ");
    let junit = sandbox.run(&["fetch", "--dry-run", "--format", "junit"]).stdout;
    assert!(junit.contains("failures=\"0\"") && junit.contains("would fetch 10 files"), "{junit}");
}

#[test]
fn a_dry_run_finds_what_the_engine_may_not_have() {
    for (fault, name, code, id) in [
        (None, "acme/tyni", 12, "error[model-not-found]"),
        (Some("gated:acme/tiny"), "acme/tiny", 12, "error[token-missing]"),
    ] {
        let hub = hub_stack::hub(fault.as_slice());
        let compose = VLLM.replace("Qwen/Qwen2.5-0.5B-Instruct", name);
        let sandbox = Sandbox::new().file("compose.yaml", compose);
        let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
        assert_eq!(sandbox.run(&[]).code, Some(0), "by hand nobody is asked");
        let run = sandbox.run(&["fetch", "--dry-run"]);
        assert_eq!(run.code, Some(code), "{}", run.stdout);
        assert!(run.stdout.contains(id), "{}", run.stdout);
        assert!(!run.stdout.contains("engine-will-fetch"), "{}", run.stdout);
    }
}
