//! What follows from one cause is not told as several.

use std::os::unix::fs::symlink;

use crate::sandbox::{Run, Sandbox, repository};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn whole(run: &Run) -> String {
    format!("{}---\n{}exit {:?}", run.stdout, run.stderr, run.code)
}

/// A cache of the hub in `hub`, with links into its blobs.
fn cache(compose: &str) -> Sandbox {
    let sandbox = Sandbox::new().file("compose.yaml", compose);
    let repository_folder = sandbox.path().join("hub/models--o--r");
    let (blobs, snapshot) =
        (repository_folder.join("blobs"), repository_folder.join("snapshots").join(COMMIT));
    fs_err::create_dir_all(&blobs).unwrap();
    fs_err::create_dir_all(&snapshot).unwrap();
    let model = repository().join("examples/quickstart/models/vllm/tiny/bf16");
    for entry in fs_err::read_dir(model).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        fs_err::copy(entry.path(), blobs.join(&name)).unwrap();
        symlink(std::path::Path::new("../../blobs").join(&name), snapshot.join(name)).unwrap();
    }
    sandbox
}

fn vllm(command: &str, volume: &str) -> String {
    format!(
        "services:\n  vllm:\n    image: vllm/vllm-openai:v0.12.0\n    command: {command}\n    \
         volumes: ['{volume}']\n    gpus: all\n"
    )
}

#[test]
fn what_is_behind_links_out_of_a_mount_is_said_below_the_links() {
    let volume = format!("./hub/models--o--r/snapshots/{COMMIT}:/model");
    let run = cache(&vllm("--model /model", &volume)).run(&[]);
    insta::assert_snapshot!(whole(&run), @r"
    error[symlink-leaves-mount]: `/model/config.json` is a link to `../../blobs/config.json`, which no mount of the service reaches (3 more like it)
     --> compose.yaml:4:22
      |
    4 |     command: --model /model
      |                      ^^^^^^
      |
      = note: path: /model
      = note: link: /model/config.json
      = note: target: ../../blobs/config.json
      = note: so: config-missing: `/model/config.json` is not there
      = note: so: shard-missing: 3 of the 3 files of weights in `/model` are missing: `model-00001-of-00003.safetensors`, `model-00002-of-00003.safetensors`, `model-00003-of-00003.safetensors`
      = note: so: tokenizer-missing: the folder `/model` holds no tokenizer
      = note: lane `vllm`, service `vllm`
      = help: mount the whole repository, `./hub/models--o--r:/model`, and write `/model/snapshots/0123456789abcdef0123456789abcdef01234567` instead

    LANE  SERVICE  ENGINE  MODEL  SIZE  VERDICT
    vllm  vllm     vLLM    -      -     not ready

    `preflight explain symlink-leaves-mount` says more
    ---
    preflight: not ready: exit 16, mount or permission; 0 of 1 lane ready
      vllm: symlink-leaves-mount: `/model/config.json` is a link to `../../blobs/config.json`, which no mount of the service reaches (3 more like it) (compose.yaml:4:22); fix: mount the whole repository, `./hub/models--o--r:/model`, and write `/model/snapshots/0123456789abcdef0123456789abcdef01234567` instead
    exit Some(16)
    ");
}

#[test]
fn what_is_behind_links_to_nothing_is_said_below_the_links() {
    let folder = format!("/c/models--o--r/snapshots/{COMMIT}");
    let sandbox = cache(&vllm(&format!("--model {folder}"), "./hub:/c"));
    assert_eq!(sandbox.run(&[]).code, Some(0));
    fs_err::remove_dir_all(sandbox.path().join("hub/models--o--r/blobs")).unwrap();
    let run = sandbox.run(&[]);
    insta::assert_snapshot!(whole(&run), @r"
    error[files-missing]: `/c/models--o--r/snapshots/0123456789abcdef0123456789abcdef01234567/config.json` is a link to `../../blobs/config.json`, where nothing is (3 more like it)
     --> compose.yaml:4:22
      |
    4 |     command: --model /c/models--o--r/snapshots/0123456789abcdef0123456789abcdef0123456...
      |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: path: /c/models--o--r/snapshots/0123456789abcdef0123456789abcdef01234567
      = note: link: /c/models--o--r/snapshots/0123456789abcdef0123456789abcdef01234567/config.json
      = note: target: ../../blobs/config.json
      = note: so: config-missing: `/c/models--o--r/snapshots/0123456789abcdef0123456789abcdef01234567/config.json` is not there
      = note: so: shard-missing: 3 of the 3 files of weights in `/c/models--o--r/snapshots/0123456789abcdef0123456789abcdef01234567` are missing: `model-00001-of-00003.safetensors`, `model-00002-of-00003.safetensors`, `model-00003-of-00003.safetensors`
      = note: so: tokenizer-missing: the folder `/c/models--o--r/snapshots/0123456789abcdef0123456789abcdef01234567` holds no tokenizer
      = note: lane `vllm`, service `vllm`
      = help: put it at `[DIR]/hub/models--o--r/snapshots/0123456789abcdef0123456789abcdef01234567`, or correct the path that the service is given

    LANE  SERVICE  ENGINE  MODEL  SIZE  VERDICT
    vllm  vllm     vLLM    -      -     not ready

    `preflight explain files-missing` says more
    ---
    preflight: not ready: exit 10, files missing or incomplete; 0 of 1 lane ready
      vllm: files-missing: `/c/models--o--r/snapshots/0123456789abcdef0123456789abcdef01234567/config.json` is a link to `../../blobs/config.json`, where nothing is (3 more like it) (compose.yaml:4:22, [DIR]/hub/models--o--r/snapshots/0123456789abcdef0123456789abcdef01234567/config.json); fix: put it at `[DIR]/hub/models--o--r/snapshots/0123456789abcdef0123456789abcdef01234567`, or correct the path that the service is given
    exit Some(10)
    ");
    let report: serde_json::Value =
        serde_json::from_str(&sandbox.run(&["--format", "json"]).stdout).unwrap();
    assert_eq!(report["findings"].as_array().unwrap().len(), 1, "{report}");
}

#[test]
fn a_link_that_leads_to_a_folder_is_not_to_blame_for_what_the_folder_has_not() {
    let sandbox = Sandbox::quickstart();
    let sandbox = sandbox.file("compose.yaml", vllm("--model /models/current", "./models:/models"));
    symlink("vllm/tiny/bf16", sandbox.path().join("models/current")).unwrap();
    assert_eq!(sandbox.run(&[]).code, Some(0));
    let shard = "models/vllm/tiny/bf16/model-00002-of-00003.safetensors";
    fs_err::remove_file(sandbox.path().join(shard)).unwrap();
    let run = sandbox.run(&[]);
    let titles: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(
        titles,
        ["error[shard-missing]: 1 of the 3 files of weights in `/models/current` is missing: \
          `model-00002-of-00003.safetensors`"]
    );
}

#[test]
fn a_variable_that_is_not_set_is_told_once_with_its_first_places_and_their_number() {
    let uses: String = (0..38).map(|index| format!("      V{index}: ${{UNSET}}\n")).collect();
    let web = "  web:\n    image: nginx:${OTHER}\n    environment: {A: '${OTHER}'}\n";
    let sandbox = Sandbox::quickstart();
    let compose = vllm("--model /models/vllm/tiny/bf16", "./models:/models");
    let sandbox = sandbox.file("compose.yaml", format!("{compose}    environment:\n{uses}{web}"));
    insta::assert_snapshot!(whole(&sandbox.run(&[])), @r"
    warning[compose-warning]: variable `UNSET` is not set: it expands to nothing
      --> compose.yaml:8:11
       |
     8 |       V0: ${UNSET}
       |           ^^^^^^^^
     9 |       V1: ${UNSET}
       |           -------- and here
    10 |       V2: ${UNSET}
       |           -------- and here
    11 |       V3: ${UNSET}
       |           -------- and here
    12 |       V4: ${UNSET}
       |           -------- and here
       |
       = note: `UNSET` is not set
       = note: uses: 38
       = help: set `UNSET` in `.env`, or give it a default: `${UNSET:-...}`

    LANE  SERVICE  ENGINE  MODEL                                    SIZE       VERDICT
    vllm  vllm     vLLM    LlamaForCausalLM, bfloat16, context 256  284.7 KiB  ready

    `preflight explain compose-warning` says more
    ---
    preflight: ready: 1 of 1 lane, 1 warning
    exit Some(0)
    ");
}

#[test]
fn a_folder_that_is_missing_is_one_finding_for_all_lanes_below_it() {
    let service = |name: &str| {
        format!(
            "  {name}:\n    image: vllm/vllm-openai:v0.12.0\n    command: --model /models/m\n    \
             volumes: ['./models/{name}:/models']\n    gpus: [{{device_ids: [gpu-{name}]}}]\n"
        )
    };
    let services: String = ["a", "b", "c", "d", "e"].map(service).concat();
    let sandbox = Sandbox::new().file("compose.yaml", format!("services:\n{services}"));
    insta::assert_snapshot!(whole(&sandbox.run(&[])), @r"
    error[mount-source-missing]: `[DIR]/models` does not exist on the host, nor what is mounted below it
      --> compose.yaml:5:15
       |
     5 |     volumes: ['./models/a:/models']
       |               ^^^^^^^^^^^^^^^^^^^^
    ...
    10 |     volumes: ['./models/b:/models']
       |               -------------------- `b` here
    ...
    15 |     volumes: ['./models/c:/models']
       |               -------------------- `c` here
    ...
    20 |     volumes: ['./models/d:/models']
       |               -------------------- `d` here
    ...
    25 |     volumes: ['./models/e:/models']
       |               -------------------- `e` here
       |
       = note: models folder: [DIR]/models/a
       = note: models folder: [DIR]/models/b
       = note: models folder: [DIR]/models/c
       = note: models folder: [DIR]/models/d
       = note: models folder: [DIR]/models/e
       = note: lanes `a`, `b`, `c`, `d` and `e`
       = help: correct the path, or make the folders that are named here

    LANE  SERVICE  ENGINE  MODEL  SIZE  VERDICT
    a     a        vLLM    -      -     not ready
    b     b        vLLM    -      -     not ready
    c     c        vLLM    -      -     not ready
    d     d        vLLM    -      -     not ready
    e     e        vLLM    -      -     not ready

    `preflight explain mount-source-missing` says more
    ---
    preflight: not ready: exit 16, mount or permission; 0 of 5 lanes ready
      a, b, c, d, e: mount-source-missing: `[DIR]/models` does not exist on the host, nor what is mounted below it (compose.yaml:5:15); fix: correct the path, or make the folders that are named here
    exit Some(16)
    ");
}

#[test]
fn a_port_that_two_engines_want_is_no_reason_for_what_is_wrong_with_a_file() {
    let engine = |name: &str| {
        format!(
            "  {name}:\n    image: ghcr.io/ggml-org/llama.cpp:server\n    network_mode: host\n    \
             command: -m /models/{name}.gguf\n    volumes: ['./models:/models:ro']\n"
        )
    };
    let model = repository().join("examples/quickstart/models/gguf/tiny-Q4_K_M.gguf");
    let model = fs_err::read(model).unwrap();
    let compose = format!("services:\n{}{}", engine("good"), engine("cut"));
    let sandbox = Sandbox::new()
        .file("compose.yaml", compose)
        .file("models/good.gguf", &model)
        .file("models/cut.gguf", &model[..model.len() / 2]);
    let run = sandbox.run(&[]);
    let told = whole(&run);
    assert!(told.contains("error[port-listened-twice]"), "{told}");
    assert!(told.contains("error[file-truncated]"), "{told}");
    assert!(!told.contains("follows from another finding"), "{told}");
}
