//! What is not where its engine opens it, and is elsewhere: what is said, and what is to be written.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::sandbox::Sandbox;

const LLAMA: &str = "ghcr.io/ggml-org/llama.cpp:server";
const TEI: &str = "ghcr.io/huggingface/text-embeddings-inference:cpu-1.8";
const VLLM: &str = "vllm/vllm-openai:v0.12.0";

/// A service of `image` that mounts `volumes`, with these files beside it, each empty.
fn stack(image: &str, volumes: &str, command: &str, files: &[&str]) -> Sandbox {
    let gpus = if image == VLLM { "    gpus: all\n" } else { "" };
    let compose = format!(
        "services:
  engine:
    image: {image}
    volumes: [{volumes}]
    command: {command}
{gpus}"
    );
    let sandbox = Sandbox::new().file("compose.yaml", compose);
    files.iter().fold(sandbox, |sandbox, name| sandbox.file(name, ""))
}

/// What is said of a stack: the exit code, and of everything that is no consequence the rule, what is
/// wrong and what to do.
fn said(sandbox: &Sandbox) -> String {
    let run = sandbox.run(&["--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let mut said = format!("exit {}\n", run.code.unwrap());
    for finding in report["findings"].as_array().unwrap() {
        if finding["consequence"] != true {
            let text = |key: &str| finding[key].as_str().unwrap();
            let (id, message, fix) = (text("id"), text("message"), text("fix"));
            write!(said, "{id}: {message}\n  {fix}\n").unwrap();
        }
    }
    said
}

#[test]
fn a_file_one_folder_deeper_or_higher_is_named() {
    let deeper =
        stack(LLAMA, "./models:/models", "-m /models/tiny.gguf", &["models/gguf/tiny.gguf"]);
    insta::assert_snapshot!(said(&deeper), @r#"
    exit 10
    files-missing: the model `/models/tiny.gguf` is not there, but there is `/models/gguf/tiny.gguf`
      write `/models/gguf/tiny.gguf` instead
    "#);
    let higher =
        stack(LLAMA, "./models:/models", "-m /models/gguf/tiny.gguf", &["models/tiny.gguf"]);
    insta::assert_snapshot!(said(&higher), @r#"
    exit 10
    files-missing: the model `/models/gguf/tiny.gguf` is not there, but there is `/models/tiny.gguf`
      write `/models/tiny.gguf` instead
    "#);
    let other = "'./a:/a', './models:/srv/models'";
    let other = stack(LLAMA, other, "-m /models/tiny.gguf", &["models/tiny.gguf", "a/x"]);
    insta::assert_snapshot!(said(&other), @r#"
    exit 16
    model-path-not-mounted: no mount of `engine` reaches `/models/tiny.gguf`, but there is `/srv/models/tiny.gguf`
      write `/srv/models/tiny.gguf` instead
    "#);
}

#[test]
fn the_whole_report_says_where_the_file_is_and_what_to_write() {
    let sandbox = stack(LLAMA, "./m:/m", "-m /m/tiny.gguf -c 256", &["m/gguf/tiny.gguf"]);
    let run = sandbox.run(&[]);
    insta::assert_snapshot!(run.stdout, @r#"
    error[files-missing]: the model `/m/tiny.gguf` is not there, but there is `/m/gguf/tiny.gguf`
     --> compose.yaml:5:17
      |
    5 |     command: -m /m/tiny.gguf -c 256
      |                 ^^^^^^^^^^^^
      |
      = note: path: /m/tiny.gguf
      = note: lane `engine`, service `engine`
      = help: write `/m/gguf/tiny.gguf` instead

    LANE    SERVICE  ENGINE     MODEL  SIZE  VERDICT
    engine  engine   llama.cpp  -      -     not ready

    `preflight explain files-missing` says more
    "#);
    insta::assert_snapshot!(run.stderr, @r#"
    preflight: not ready: exit 10, files missing or incomplete; 0 of 1 lane ready
      engine: files-missing: the model `/m/tiny.gguf` is not there, but there is `/m/gguf/tiny.gguf` (compose.yaml:5:17, [DIR]/m/tiny.gguf); fix: write `/m/gguf/tiny.gguf` instead
    "#);
}

#[test]
fn a_name_that_is_nearly_the_same_is_named_if_that_is_meant() {
    let of =
        |command: &str, files: &[&str]| said(&stack(LLAMA, "./models:/models", command, files));
    let files = ["models/tiny-Q4_K_M.gguf", "models/other.gguf", "models/mmproj-tiny.gguf"];
    insta::assert_snapshot!(of("-m /models/tiny-q4km.gguf", &files), @r#"
    exit 10
    files-missing: the model `/models/tiny-q4km.gguf` is not there, but there is `/models/tiny-Q4_K_M.gguf`
      write `/models/tiny-Q4_K_M.gguf` instead, if that is meant, or put it at `[DIR]/models/tiny-q4km.gguf`, or correct the path that the service is given
    "#);
    insta::assert_snapshot!(of("-m /models/tiny", &files), @r#"
    exit 10
    files-missing: the model `/models/tiny` is not there, but there is `/models/tiny-Q4_K_M.gguf`
      write `/models/tiny-Q4_K_M.gguf` instead, if that is meant, or put it at `[DIR]/models/tiny`, or correct the path that the service is given
    "#);
    insta::assert_snapshot!(of("-m /model/tiny-Q4_K_M.gguf", &files), @r#"
    exit 16
    model-path-not-mounted: no mount of `engine` reaches `/model/tiny-Q4_K_M.gguf`, but there is `/models/tiny-Q4_K_M.gguf`
      write `/models/tiny-Q4_K_M.gguf` instead
    "#);
    let files = ["models/llama/tiny.gguf", "models/qwen/big.gguf"];
    insta::assert_snapshot!(of("-m /models/lama/tiny.gguf", &files), @r#"
    exit 10
    files-missing: the model `/models/lama/tiny.gguf` is not there, but there is `/models/llama/tiny.gguf`
      write `/models/llama/tiny.gguf` instead
    "#);
}

#[test]
fn a_folder_of_a_model_is_named_by_what_is_in_it() {
    let of = |command: &str, files: &[&str]| said(&stack(TEI, ".:/data", command, files));
    let files = ["nomic-embed-text-v1/config.json", "nomic-embed-text-2/notes.md"];
    insta::assert_snapshot!(of("--model-id /data/nomic-embed-text-1", &files), @r#"
    exit 10
    files-missing: the model `/data/nomic-embed-text-1` is not there, but there is `/data/nomic-embed-text-v1`
      write `/data/nomic-embed-text-v1` instead, if that is meant, or put it at `[DIR]/nomic-embed-text-1`, or correct the path that the service is given
    "#);
    insta::assert_snapshot!(of("--model-id /data/nomic-embed-text-2x", &["nomic-embed-text-2/x"]), @r#"
    exit 10
    files-missing: the model `/data/nomic-embed-text-2x` is not there
      put it at `[DIR]/nomic-embed-text-2x`, or correct the path that the service is given
    "#);
}

#[test]
fn nothing_is_named_that_is_not_like_it() {
    let of =
        |command: &str, files: &[&str]| said(&stack(LLAMA, "./models:/models", command, files));
    // What every model has, in a folder of another one.
    let many = ["models/qwen/model.gguf", "models/qwen/mmproj-F16.gguf"];
    insta::assert_snapshot!(of("-m /models/llama/model.gguf", &many), @r#"
    exit 10
    files-missing: the model `/models/llama/model.gguf` is not there
      put it at `[DIR]/models/llama/model.gguf`, or correct the path that the service is given
    "#);
    insta::assert_snapshot!(of("-m /models/tiny.gguf", &["models/falcon.gguf", "models/tiny/x"]), @r#"
    exit 10
    files-missing: the model `/models/tiny.gguf` is not there
      put it at `[DIR]/models/tiny.gguf`, or correct the path that the service is given
    "#);
    let bf16 = ["models/vllm/reader/bf16/config.json"];
    let vllm = stack(VLLM, "./models:/models", "--model /models/vllm/coder/bf16", &bf16);
    insta::assert_snapshot!(said(&vllm), @r#"
    exit 10
    files-missing: the model `/models/vllm/coder/bf16` is not there
      run `preflight fetch --lane coder`, which downloads it from `hf://Qwen/Qwen2.5-Coder-32B-Instruct`
    "#);
}

#[test]
fn a_path_of_the_host_is_told_as_the_service_calls_it() {
    let of = |volumes: &str, command: &str, files: &[&str]| {
        let sandbox = stack(TEI, volumes, command, files);
        let folder = sandbox.path().to_str().unwrap().to_owned();
        said(&sandbox.variable("HERE", folder))
    };
    let files = ["models/ft/config.json"];
    insta::assert_snapshot!(of("./models:/data", "--model-id ${HERE}/models/ft", &files), @r#"
    exit 16
    model-path-not-mounted: no mount of `engine` reaches `[DIR]/models/ft`: it is a path of the host, and `/data/ft` in the service
      write `/data/ft` instead
    "#);
    insta::assert_snapshot!(of("./models:/data", "--model-id /srv/models/ft", &files), @r#"
    exit 16
    model-path-not-mounted: no mount of `engine` reaches `/srv/models/ft`, but there is `/data/ft`
      write `/data/ft` instead
    "#);
    insta::assert_snapshot!(of("./models/ft:/data", "--model-id /srv/models/ft", &files), @r#"
    exit 16
    model-path-not-mounted: no mount of `engine` reaches `/srv/models/ft`, but there is `/data`
      write `/data` instead
    "#);
    insta::assert_snapshot!(of("./models:/data", "--model-id ${HERE}/models/other", &files), @r#"
    exit 16
    model-path-not-mounted: no mount of `engine` reaches `[DIR]/models/other`: it is a path of the host, of which the service has `/data`
      write the path as the service has it, below `/data`, and see that it is there
    "#);
}

#[test]
fn whatever_is_opened_is_looked_for() {
    let files = ["m/tiny.gguf", "m/vision/mmproj-F16.gguf", "m/lora/style.gguf", "t/chat.jinja"];
    let command = "-m /m/tiny.gguf --mmproj /m/mmproj-F16.gguf --lora /m/style.gguf -md /m/d/tiny.gguf \
                   --chat-template-file /t/tiny/chat.jinja";
    insta::assert_snapshot!(said(&stack(LLAMA, "'./m:/m', './t:/t'", command, &files)), @r#"
    exit 11
    file-truncated: `/m/tiny.gguf` is empty
      download `[DIR]/m/tiny.gguf` again
    files-missing: the multimodal projector `/m/mmproj-F16.gguf` is not there, but there is `/m/vision/mmproj-F16.gguf`
      write `/m/vision/mmproj-F16.gguf` instead
    files-missing: the adapter `/m/style.gguf` is not there, but there is `/m/lora/style.gguf`
      write `/m/lora/style.gguf` instead
    files-missing: the draft model `/m/d/tiny.gguf` is not there, but there is `/m/tiny.gguf`
      write `/m/tiny.gguf` instead
    files-missing: the chat template `/t/tiny/chat.jinja` is not there, but there is `/t/chat.jinja`
      write `/t/chat.jinja` instead
    "#);
    let files = ["m/base/config.json", "m/lora/xyz/adapter_config.json", "m/tok/tokenizer.json"];
    let command = "--model /m/base --enable-lora --lora-modules xyz=/m/xyz --tokenizer /m/base/tok";
    insta::assert_snapshot!(said(&stack(VLLM, "./m:/m", command, &files)), @r#"
    exit 11
    file-truncated: `/m/base/config.json` is empty
      download `[DIR]/m/base/config.json` again
    files-missing: the folder `/m/base` holds no weights
      put it at `[DIR]/m/base`, or correct the path that the service is given
    files-missing: the adapter `/m/xyz` is not there, but there is `/m/lora/xyz`
      write `/m/lora/xyz` instead
    files-missing: the tokenizer `/m/base/tok` is not there, but there is `/m/tok`
      write `/m/tok` instead
    "#);
}

const REF: &str = "models--tiny--llama/refs/main";
const CONFIG: &str =
    "models--tiny--llama/snapshots/0123456789abcdef0123456789abcdef01234567/config.json";

/// A vLLM that opens `tiny/llama`, with a cache of the hub at `cache` that has it.
fn cached(volumes: &str, environment: &str, cache: &str) -> Sandbox {
    let command = format!("--model tiny/llama\n    environment: {environment}");
    stack(VLLM, volumes, &command, &[&format!("{cache}/{CONFIG}")])
        .file(&format!("{cache}/{REF}"), "0123456789abcdef0123456789abcdef01234567")
}

#[test]
fn a_cache_that_is_mounted_one_level_off_is_to_be_mounted_where_the_engine_looks() {
    let offline = |volumes: &str, cache: &str| said(&cached(volumes, "[HF_HUB_OFFLINE=1]", cache));
    // The cache itself where `HF_HOME` is.
    insta::assert_snapshot!(offline("'./hf/hub:/root/.cache/huggingface'", "hf/hub"), @r#"
    exit 10
    not-in-cache: `tiny/llama` is not in the hub cache `/root/.cache/huggingface/hub`, but in `/root/.cache/huggingface`, and the engine may not ask the hub
      mount the cache where the engine looks: `./hf/hub:/root/.cache/huggingface/hub`, or remove `HF_HUB_OFFLINE` from the service's environment
    "#);
    // `HF_HOME` where the cache is.
    insta::assert_snapshot!(offline("'./hf:/root/.cache/huggingface/hub'", "hf/hub"), @r#"
    exit 10
    not-in-cache: `tiny/llama` is not in the hub cache `/root/.cache/huggingface/hub`, but in `/root/.cache/huggingface/hub/hub`, and the engine may not ask the hub
      mount the cache where the engine looks: `./hf/hub:/root/.cache/huggingface/hub`, or remove `HF_HUB_OFFLINE` from the service's environment
    "#);
    insta::assert_snapshot!(offline("'./c:/root/.cache/huggingface'", "c/huggingface/hub"), @r#"
    exit 10
    not-in-cache: `tiny/llama` is not in the hub cache `/root/.cache/huggingface/hub`, but in `/root/.cache/huggingface/huggingface/hub`, and the engine may not ask the hub
      mount the cache where the engine looks: `./c/huggingface/hub:/root/.cache/huggingface/hub`, or remove `HF_HUB_OFFLINE` from the service's environment
    "#);
    insta::assert_snapshot!(offline("'./hf:/data'", "hf/hub"), @r#"
    exit 10
    not-in-cache: `tiny/llama` is not in the hub cache `/root/.cache/huggingface/hub`, but in `/data/hub`, and the engine may not ask the hub
      mount the cache where the engine looks: `./hf/hub:/root/.cache/huggingface/hub`, or remove `HF_HUB_OFFLINE` from the service's environment
    "#);
    insta::assert_snapshot!(offline("'./hf:/root/.cache/huggingface'", "hf/other"), @r#"
    exit 10
    not-in-cache: `tiny/llama` is not in the hub cache `/root/.cache/huggingface/hub`, and the engine may not ask the hub
      run `HF_HUB_CACHE='[DIR]/hf/hub' hf download tiny/llama`, or remove `HF_HUB_OFFLINE` from the service's environment
    "#);
}

#[test]
fn an_engine_that_asks_the_hub_downloads_what_is_mounted_one_level_off() {
    let of = |environment| cached("'./hf/hub:/root/.cache/huggingface'", environment, "hf/hub");
    insta::assert_snapshot!(said(&of("{}")), @r#"
    exit 0
    not-in-cache: `tiny/llama` is not in the hub cache `/root/.cache/huggingface/hub`, but in `/root/.cache/huggingface`: the engine asks the hub for it, and downloads it
      mount the cache where the engine looks: `./hf/hub:/root/.cache/huggingface/hub`
    "#);
    insta::assert_snapshot!(said(&of("{HF_HUB_CACHE: /root/.cache/huggingface}")), @r#"
    exit 11
    file-truncated: `/root/.cache/huggingface/models--tiny--llama/snapshots/0123456789abcdef0123456789abcdef01234567/config.json` is empty
      run `rm '[DIR]/hf/hub/models--tiny--llama/snapshots/0123456789abcdef0123456789abcdef01234567/config.json'` and `preflight fetch --lane engine`
    files-missing: the folder `/root/.cache/huggingface/models--tiny--llama/snapshots/0123456789abcdef0123456789abcdef01234567` holds no weights
      run `preflight fetch --lane engine`, which downloads it from `hf://tiny/llama`
    "#);
}

#[test]
fn a_folder_that_is_called_as_the_repository_is_named_by_its_path() {
    let of = |command: &str, files: &[&str]| {
        said(&stack(VLLM, "./models:/root/.cache/huggingface", command, files))
    };
    insta::assert_snapshot!(of("--model Tiny-AWQ", &["models/Tiny-AWQ/config.json"]), @r#"
    exit 3
    lane-unknown: the files of lane `engine` could not be looked at: the engine will download `Tiny-AWQ` itself; the hub is only asked for `owner/name`
      mount the engine's cache into preflight, or accept it with `--allow-unknown`
    not-in-cache: `Tiny-AWQ` is not in the hub cache `/root/.cache/huggingface/hub`, but in `/root/.cache/huggingface/Tiny-AWQ`: the engine asks the hub for it, and downloads it
      write `/root/.cache/huggingface/Tiny-AWQ` instead of `Tiny-AWQ`
    "#);
    insta::assert_snapshot!(of("--model acme/Tiny-AWQ", &["models/Tiny-AWQ/config.json"]), @r#"
    exit 0
    not-in-cache: `acme/Tiny-AWQ` is not in the hub cache `/root/.cache/huggingface/hub`, but in `/root/.cache/huggingface/Tiny-AWQ`: the engine asks the hub for it, and downloads it
      write `/root/.cache/huggingface/Tiny-AWQ` instead of `acme/Tiny-AWQ`
    "#);
    insta::assert_snapshot!(of("--model acme/llama", &["models/llama/config.json"]), @r#"
    exit 0
    engine-will-fetch: the engine will download what it needs of `acme/llama` itself: its cache `/root/.cache/huggingface/hub` has not got it
      nothing has to be done; `preflight fetch --dry-run` asks the hub whether it is there and may be read, and how large it is
    "#);
    insta::assert_snapshot!(of("--model Tiny-AWQ", &["models/Tiny-AWQ/notes.md"]), @r#"
    exit 3
    lane-unknown: the files of lane `engine` could not be looked at: the engine will download `Tiny-AWQ` itself; the hub is only asked for `owner/name`
      mount the engine's cache into preflight, or accept it with `--allow-unknown`
    "#);
}

#[test]
fn a_file_that_is_mounted_where_a_folder_is_meant_is_told_as_one() {
    let of = |volumes: &str, command: &str| {
        said(&stack(LLAMA, volumes, command, &["models/llama/tiny.gguf"]))
    };
    let file = "'./models/llama/tiny.gguf:/models'";
    insta::assert_snapshot!(of(file, "-m /models/tiny.gguf"), @r#"
    exit 16
    mount-source-missing: `./models/llama/tiny.gguf` is a file, and mounted at `/models`: `/models/tiny.gguf` is not in it
      mount it under its name, `./models/llama/tiny.gguf:/models/tiny.gguf`, or its folder, `./models/llama:/models`
    "#);
    insta::assert_snapshot!(of(file, "-m /models/llama/tiny.gguf"), @r#"
    exit 16
    mount-source-missing: `./models/llama/tiny.gguf` is a file, and mounted at `/models`: `/models/llama/tiny.gguf` is not in it
      mount it under its name: `./models/llama/tiny.gguf:/models/llama/tiny.gguf`
    "#);
    insta::assert_snapshot!(of(file, "-m /models/other.gguf"), @r#"
    exit 16
    mount-source-missing: `./models/llama/tiny.gguf` is a file, and mounted at `/models`: `/models/other.gguf` is not in it
      mount a folder that has the file, or this file as `./models/llama/tiny.gguf:/models/other.gguf`
    "#);
    // As one mounts a file alone.
    insta::assert_snapshot!(of("'./models/llama/tiny.gguf:/tiny.gguf'", "-m /tiny.gguf"), @r#"
    exit 11
    file-truncated: `/tiny.gguf` is empty
      download `[DIR]/models/llama/tiny.gguf` again
    "#);
}

#[test]
fn a_folder_that_is_mounted_where_a_file_is_meant_is_told_as_one() {
    let of = |files: &[&str]| said(&stack(LLAMA, "./m:/m/tiny.gguf", "-m /m/tiny.gguf", files));
    insta::assert_snapshot!(of(&["m/tiny.gguf"]), @r#"
    exit 16
    mount-source-missing: `./m` is a folder, and `engine` needs a file at `/m/tiny.gguf`
      mount the file that is in it: `./m/tiny.gguf:/m/tiny.gguf`
    "#);
    insta::assert_snapshot!(of(&["m/other.gguf"]), @r#"
    exit 16
    mount-source-missing: `./m` is a folder, and `engine` needs a file at `/m/tiny.gguf`
      correct the path, or put the file there in place of the folder
    "#);
}

#[test]
fn a_mistyped_source_is_answered_with_what_is_beside_it_and_never_made() {
    let of = |volumes: &str, command: &str, files: &[&str]| {
        let said = said(&stack(LLAMA, volumes, command, files));
        assert!(!said.contains("mkdir"), "{said}");
        said
    };
    let files = ["models/llama/tiny.gguf"];
    insta::assert_snapshot!(of("./modles:/m", "-m /m/llama/tiny.gguf", &files), @r#"
    exit 16
    mount-source-missing: the models folder `./modles` does not exist on the host
      write `./models` instead, if that is meant, or put the folder there
    "#);
    insta::assert_snapshot!(of("./modles/llama:/m", "-m /m/tiny.gguf", &files), @r#"
    exit 16
    mount-source-missing: the models folder `./modles/llama` does not exist on the host
      write `./models/llama` instead, if that is meant, or put the folder there
    "#);
    insta::assert_snapshot!(of("./modles/qwen:/m", "-m /m/tiny.gguf", &files), @r#"
    exit 16
    mount-source-missing: the models folder `./modles/qwen` does not exist on the host
      correct the path: there is `./models`
    "#);
    let file = "./models/llama/tinny.gguf:/m/tiny.gguf";
    insta::assert_snapshot!(of(file, "-m /m/tiny.gguf", &files), @r#"
    exit 16
    mount-source-missing: `./models/llama/tinny.gguf` does not exist on the host: Docker makes a folder of that name, and `/m/tiny.gguf` is then a folder in `engine`
      write `./models/llama/tiny.gguf` instead, if that is meant, or put the file there
    "#);
    insta::assert_snapshot!(of("./m/x.gguf:/m/x.gguf:ro", "-m /m/x.gguf", &files), @r#"
    exit 16
    mount-source-missing: `./m/x.gguf` does not exist on the host: Docker makes a folder of that name, and `/m/x.gguf` is then a folder in `engine`
      put the file there, or correct the path
    "#);
    let strict = "{type: bind, source: ./modles, target: /m, bind: {create_host_path: false}}";
    insta::assert_snapshot!(of(strict, "-m /m/llama/tiny.gguf", &files), @r#"
    exit 16
    mount-source-missing: `./modles` does not exist on the host, and Docker does not make it: the container of `engine` cannot be created
      write `./models` instead, if that is meant, or put the folder there
    "#);
}

#[test]
fn a_missing_folder_that_is_like_no_other_may_be_made() {
    let of = said(&stack(LLAMA, "./models:/m", "-m /m/tiny.gguf", &["notes/x", "data/x"]));
    insta::assert_snapshot!(of, @r#"
    exit 16
    mount-source-missing: the models folder `./models` does not exist on the host
      correct the path, or make the folder: `mkdir -p [DIR]/models`
    "#);
}

#[test]
fn a_volume_whose_device_is_missing_is_told_as_a_volume() {
    let of = |device: &str, files: &[&str]| {
        let command = format!(
            "-m /m/tiny.gguf
volumes:
  vol: {{driver_opts: {{type: none, o: bind, device: '{device}'}}}}"
        );
        let sandbox = stack(LLAMA, "vol:/m", &command, files);
        let folder = sandbox.path().to_str().unwrap().to_owned();
        let said = said(&sandbox.variable("HERE", folder));
        assert!(!said.contains("mkdir"), "{said}");
        said
    };
    insta::assert_snapshot!(of("${HERE}/modles", &["models/tiny.gguf"]), @r#"
    exit 16
    mount-source-missing: `[DIR]/modles`, the device of the volume `vol`, does not exist on the host: Docker cannot mount it, and no service that has the volume starts
      give the volume `vol` the device `[DIR]/models`, if that is meant
    "#);
    insta::assert_snapshot!(of("/nowhere/at/all", &[]), @r#"
    exit 16
    mount-source-missing: `/nowhere/at/all`, the device of the volume `vol`, does not exist on the host: Docker cannot mount it, and no service that has the volume starts
      correct the path, so that the device of the volume `vol` is a folder that is there
    "#);
}

#[test]
fn of_a_snapshot_that_is_mounted_alone_the_whole_repository_is_to_be_mounted() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let snapshot = format!("hub/models--tiny--llama/snapshots/{commit}");
    let of = |volumes: &str, command: &str| {
        let files = ["hub/models--tiny--llama/blobs/aa", &format!("{snapshot}/README.md")];
        let sandbox = stack(VLLM, volumes, command, &files);
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            let link = sandbox.path().join(&snapshot).join(name);
            std::os::unix::fs::symlink("../../blobs/aa", link).unwrap();
        }
        said(&sandbox)
    };
    insta::assert_snapshot!(of(&format!("'./{snapshot}:/model'"), "--model /model"), @r#"
    exit 16
    symlink-leaves-mount: `/model/config.json` is a link to `../../blobs/aa`, which no mount of the service reaches (1 more like it)
      mount the whole repository, `./hub/models--tiny--llama:/model`, and write `/model/snapshots/0123456789abcdef0123456789abcdef01234567` instead
    "#);
    let snapshots = "'./hub/models--tiny--llama/snapshots:/m'";
    insta::assert_snapshot!(of(snapshots, &format!("--model /m/{commit}")), @r#"
    exit 16
    symlink-leaves-mount: `/m/0123456789abcdef0123456789abcdef01234567/config.json` is a link to `../../blobs/aa`, which no mount of the service reaches (1 more like it)
      mount the whole repository, `./hub/models--tiny--llama:/m`, and write `/m/snapshots/0123456789abcdef0123456789abcdef01234567` instead
    "#);
}

/// The header of the first of two parts of a model.
fn first_of_two() -> Vec<u8> {
    let key = |name: &str, kind: u32| {
        let length = (name.len() as u64).to_le_bytes();
        [&length[..], name.as_bytes(), &kind.to_le_bytes()].concat()
    };
    let (two_bytes, four_bytes) = (2, 5);
    let mut header = [&b"GGUF"[..], &3_u32.to_le_bytes(), &[0; 8], &3_u64.to_le_bytes()].concat();
    header.extend([key("split.no", two_bytes), vec![0, 0]].concat());
    header.extend([key("split.count", two_bytes), vec![2, 0]].concat());
    header.extend([key("split.tensors.count", four_bytes), vec![0; 4]].concat());
    header
}

#[test]
fn of_a_part_that_is_mounted_alone_the_folder_with_the_others_is_to_be_mounted() {
    let of = |volumes: &str, files: &[&str]| {
        let (part, other) = ("t-00001-of-00002.gguf", "t-00002-of-00002.gguf");
        let volumes = volumes.replace("PART", part).replace("OTHER", other);
        let files: Vec<String> = files.iter().map(|name| name.replace("OTHER", other)).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let sandbox = stack(LLAMA, &volumes, &format!("-m /m/{part}"), &files);
        let all = said(&sandbox.file(&format!("models/{part}"), first_of_two()));
        let (_, split) = all.split_once("gguf-split-incomplete: ").unwrap_or(("", "nothing"));
        split.lines().take(2).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(of("'./models/PART:/m/PART'", &["models/OTHER"]), @r#"
    1 of the 2 parts of `/m/t-00001-of-00002.gguf` is missing: `t-00002-of-00002.gguf`
      mount the folder, in which they lie, instead of the one file: `./models:/m`
    "#);
    insta::assert_snapshot!(of("'./models/PART:/m/PART'", &[]), @r#"
    1 of the 2 parts of `/m/t-00001-of-00002.gguf` is missing: `t-00002-of-00002.gguf`
      put it at `[DIR]/models/t-00002-of-00002.gguf`, or correct the path that the service is given
    "#);
    let both = "'./models/PART:/m/PART', './models/OTHER:/m/OTHER'";
    insta::assert_snapshot!(of(both, &["models/OTHER"]), @r#"
    nothing
    "#);
}

#[test]
fn a_folder_that_the_user_of_the_service_cannot_enter_is_to_be_opened_first() {
    let command = "-m /m/gguf/tiny.gguf\n    user: '54321:54321'";
    let sandbox = stack(LLAMA, "./m:/m", command, &["m/gguf/tiny.gguf"]);
    let closed = std::fs::Permissions::from_mode(0o700);
    fs_err::set_permissions(sandbox.path().join("m/gguf"), closed).unwrap();
    let said = said(&sandbox);
    let first =
        "as its owner, run `chmod a+rx '[DIR]/m/gguf'` first, then `chmod -R a+rX '[DIR]/m'`";
    assert!(said.contains(first), "{said}");
}

#[test]
fn adapters_that_a_second_list_replaces_are_told_as_they_are_mounted() {
    let compose = |lists: &str| {
        format!(
            "services:
  vllm:
    image: vllm/vllm-openai:v0.12.0
    command: --model /models/vllm/tiny/bf16 --enable-lora {lists}
    volumes: ['./models:/models:ro', './lora/xyz:/app/lora/xyz', './lora/abc:/app/lora/abc']
    gpus: all
"
        )
    };
    let told = |lists: &str| {
        let sandbox = Sandbox::quickstart().file("compose.yaml", compose(lists));
        sandbox.run(&["compose.yaml"]).stdout
    };
    let twice = "--lora-modules x=/data/lora/xyz --lora-modules a=/app/lora/abc";
    let report = told(twice);
    assert!(report.contains("the last `--lora-modules` replaces the one before it"), "{report}");
    assert!(report.contains("this one too: `x=/app/lora/xyz`"), "{report}");
    let once = told("--lora-modules x=/app/lora/xyz a=/app/lora/abc");
    assert!(!once.contains("replaces"), "{once}");
}
