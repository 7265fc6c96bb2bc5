//! Lanes whose engines name a repository: what their caches hold, and what the hub has of the rest.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::PathBuf;

use fake_hub::{FakeHub, Origin};
use serde_json::Value;

use crate::fetch_refusals::SmallDisk;
use crate::sandbox::{Sandbox, repository};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const GGUF: &str = "examples/quickstart/models/gguf/tiny-Q4_K_M.gguf";
const FOLDER: &str = "examples/quickstart/models/vllm/tiny/bf16";

pub(crate) const VLLM: &str = "services:\n  llm:\n    image: vllm/vllm-openai:v0.12.0\n    \
                    command: acme/tiny\n    volumes: ['./hf:/root/.cache/huggingface']\n    \
                    gpus: all\n";
const LLAMA: &str = "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:server\n    \
                     command: -hf acme/tiny-GGUF\n    \
                     volumes: ['./hf:/root/.cache/huggingface']\n";

/// Files of the repository as `huggingface_hub` lays them out: blobs, and relative links to them.
pub(crate) fn cached(sandbox: Sandbox, repository: &str, files: &[(&str, Vec<u8>)]) -> Sandbox {
    let folder = format!("hf/hub/models--{}", repository.replace('/', "--"));
    let mut sandbox = sandbox.file(&format!("{folder}/refs/main"), COMMIT);
    for (index, (name, content)) in files.iter().enumerate() {
        sandbox = sandbox.file(&format!("{folder}/blobs/{index}"), content);
        let link = sandbox.path().join(format!("{folder}/snapshots/{COMMIT}/{name}"));
        fs_err::create_dir_all(link.parent().unwrap()).unwrap();
        let up = "../".repeat(2 + name.matches('/').count());
        symlink(format!("{up}blobs/{index}"), link).unwrap();
    }
    sandbox
}

pub(crate) fn folder() -> Vec<(&'static str, Vec<u8>)> {
    let names = [
        "config.json",
        "chat_template.jinja",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors.index.json",
        "model-00001-of-00003.safetensors",
        "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors",
    ];
    let files = names
        .into_iter()
        .filter_map(|name| Some((name, fs_err::read(repository().join(FOLDER).join(name)).ok()?)));
    let files: Vec<_> = files.collect();
    assert!(files.len() > 5, "the quickstart has moved");
    files
}

fn gguf() -> Vec<u8> {
    fs_err::read(repository().join(GGUF)).unwrap()
}

/// `exit verdict [file ...]: findings`, notes included.
pub(crate) fn judged(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let run = sandbox.run(&[&["--format", "json"], arguments].concat());
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", run.stderr);
    });
    let lane = &report["lanes"][0];
    let files = lane["files"].as_array().unwrap().iter();
    let files: Vec<&str> = files.map(|file| file["path"].as_str().unwrap()).collect();
    let names: Vec<&str> = files.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings: Vec<&str> = findings.map(|finding| finding["id"].as_str().unwrap()).collect();
    let (code, verdict) = (run.code.unwrap(), lane["verdict"].as_str().unwrap());
    format!("{code} {verdict} [{}]: {}", names.join(" "), findings.join(" "))
}

fn check(sandbox: &Sandbox, arguments: &[&str], expected: &str) {
    assert_eq!(judged(sandbox, arguments), expected);
}

fn blob(sandbox: &Sandbox, repository: &str, index: usize) -> PathBuf {
    let folder = format!("hf/hub/models--{}/blobs/{index}", repository.replace('/', "--"));
    sandbox.path().join(folder)
}

fn hub() -> FakeHub {
    let builder = FakeHub::builder().file("acme/tiny-GGUF", "tiny-Q4_K_M.gguf", gguf());
    folder()
        .into_iter()
        .fold(builder, |builder, (name, content)| builder.file("acme/tiny", name, content))
        .start()
        .unwrap()
}

#[test]
fn a_repository_in_the_cache_is_judged_there() {
    let sandbox = cached(Sandbox::new().file("compose.yaml", VLLM), "acme/tiny", &folder());
    let run = judged(&sandbox, &[]);
    assert!(run.starts_with("0 ready [config.json "), "{run}");
    assert!(run.contains("model-00003-of-00003.safetensors"), "{run}");
    assert!(run.ends_with("]: "), "{run}");
}

#[test]
fn the_file_of_the_quantisation_is_judged() {
    let more = [
        ("tiny-Q8_0.gguf", b"not this one".to_vec()),
        ("sub/tiny-q4_k_m.gguf", gguf()),
        ("mmproj-Q4_K_M.gguf", b"nor this".to_vec()),
    ];
    let sandbox = cached(Sandbox::new().file("compose.yaml", LLAMA), "acme/tiny-GGUF", &more);
    check(&sandbox, &[], "0 ready [tiny-q4_k_m.gguf]: ");
    let sandbox = sandbox.file("compose.yaml", LLAMA.replace("-GGUF", "-GGUF:q8_0"));
    check(&sandbox, &[], "11 not-ready [tiny-Q8_0.gguf]: not-a-model");
}

#[test]
fn older_builds_of_llama_cpp_keep_the_file_itself_in_the_cache() {
    let compose = LLAMA.replace("./hf:/root/.cache/huggingface", "./flat:/root/.cache/llama.cpp");
    let sandbox = Sandbox::new().file("compose.yaml", compose);
    let sandbox = sandbox.file("flat/acme_tiny-GGUF_tiny-Q4_K_M.gguf", gguf());
    check(&sandbox, &[], "0 ready [acme_tiny-GGUF_tiny-Q4_K_M.gguf]: ");
}

#[test]
fn a_damaged_blob_is_an_error_because_the_engine_will_not_fetch_it_again() {
    let sandbox = cached(Sandbox::new().file("compose.yaml", VLLM), "acme/tiny", &folder());
    let path = blob(&sandbox, "acme/tiny", folder().len() - 1);
    let cut = fs_err::metadata(&path).unwrap().len() - 1;
    fs_err::OpenOptions::new().write(true).open(path).unwrap().set_len(cut).unwrap();
    let run = judged(&sandbox, &[]);
    assert!(run.starts_with("11 not-ready "), "{run}");
    assert!(run.ends_with("]: file-truncated"), "{run}");
}

#[test]
fn what_is_missing_is_the_engines_to_fetch_where_nobody_else_can_write() {
    let hub = hub();
    let volume = format!("{VLLM}volumes: {{hf: }}\n").replace("./hf:", "hf:");
    let sandbox = Sandbox::new().file("compose.yaml", volume).variable("HF_ENDPOINT", hub.url());
    check(&sandbox, &[], "0 ready []: engine-will-fetch");
    assert_eq!(hub.requests().len(), 0, "a run by hand asks nobody");
    let ready = "0 ready []: engine-will-fetch";
    check(&sandbox, &["--fetch"], ready);
    check(&sandbox, &["fetch"], ready);
    assert!(hub.requests().iter().all(|request| request.origin == Origin::Hub), "no weights move");
    assert!(!sandbox.path().join("hf").exists(), "nothing is written");
    check(&sandbox, &["--fetch", "--offline"], "0 ready []: engine-will-fetch");
}

/// How often the content of a file was sent.
fn bodies(hub: &FakeHub) -> usize {
    let content = |path: &str| path.contains("/resolve-cache/");
    let sent = |origin, path: &str| origin == Origin::Cdn || content(path);
    hub.requests().iter().filter(|it| it.method == "GET" && sent(it.origin, &it.path)).count()
}

#[test]
fn what_is_missing_is_brought_into_the_cache_that_the_engine_reads() {
    let hub = hub();
    let sandbox = Sandbox::new().file("compose.yaml", VLLM).variable("HF_ENDPOINT", hub.url());
    check(&sandbox, &[], "0 ready []: engine-will-fetch");
    assert_eq!(hub.requests().len(), 0, "a run by hand asks nobody");
    let run = judged(&sandbox, &["fetch"]);
    assert!(run.starts_with("0 ready [config.json "), "{run}");
    assert!(run.ends_with("]: revision-not-pinned"), "{run}");
    assert_eq!(bodies(&hub), folder().len());
    let repository = sandbox.path().join("hf/hub/models--acme--tiny");
    let commit = fs_err::read_to_string(repository.join("refs/main")).unwrap();
    assert_eq!(commit, hub.commit("acme/tiny"));
    let link = repository.join("snapshots").join(commit).join("config.json");
    let target = fs_err::read_link(&link).unwrap();
    assert!(target.starts_with("../../blobs"), "{target:?}");
    assert!(judged(&sandbox, &["fetch", "--offline"]).starts_with("0 ready [config.json "));
    fs_err::remove_file(fs_err::canonicalize(link).unwrap()).unwrap();
    assert!(judged(&sandbox, &["fetch"]).starts_with("0 ready [config.json "));
    assert_eq!(bodies(&hub), folder().len() + 1);
}

#[test]
fn whom_a_cache_is_for_is_said_to_be_unknown_where_the_user_of_its_service_is_a_name() {
    let hub = hub();
    for (user, expected) in [("1234:1234", false), ("vllm", true)] {
        let home = "environment: {HF_HOME: /root/.cache/huggingface}";
        let compose = format!("{VLLM}    user: '{user}'\n    {home}\n");
        let sandbox = Sandbox::new().file("compose.yaml", compose);
        let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
        let run = judged(&sandbox, &["fetch"]);
        assert!(run.starts_with("0 ready [config.json "), "{run}");
        assert_eq!(run.contains("cache-owner-unknown"), expected, "{run}");
        let run = judged(&sandbox, &["fetch"]);
        assert!(!run.contains("cache-owner-unknown"), "nothing is brought: {run}");
    }
}

/// The names below a folder of a cache that are links to a blob, sorted.
fn linked(sandbox: &Sandbox, cache: &str) -> Vec<String> {
    let entries = walkdir::WalkDir::new(sandbox.path().join(cache)).sort_by_file_name();
    let links = entries.into_iter().filter_map(Result::ok).filter(|it| it.path_is_symlink());
    links.map(|link| link.file_name().to_str().unwrap().to_owned()).collect()
}

#[test]
fn weights_that_the_engine_keeps_apart_are_brought_apart_and_the_rest_where_it_looks_for_that() {
    let hub = hub();
    // The last release that looks there when it may not ask the hub.
    let apart = VLLM
        .replace("v0.12.0", "v0.10.1")
        .replace("acme/tiny\n", "--model acme/tiny --download-dir /weights\n")
        .replace("['./hf:", "['./w:/weights', './hf:");
    let apart = format!("{apart}    environment: {{HF_HUB_OFFLINE: '1'}}\n");
    let sandbox = Sandbox::new().file("compose.yaml", &apart).variable("HF_ENDPOINT", hub.url());
    check(&sandbox, &[], "10 not-ready []: not-in-cache not-in-cache");
    let run = judged(&sandbox, &["fetch"]);
    assert!(run.starts_with("0 ready [config.json "), "{run}");
    let is_weights = |name: &String| name.ends_with(".safetensors");
    let (weights, rest) = (linked(&sandbox, "w"), linked(&sandbox, "hf"));
    assert_eq!(weights.iter().filter(|name| is_weights(name)).count(), 3, "{weights:?}");
    assert!(rest.contains(&"config.json".to_owned()) && !rest.iter().any(is_weights), "{rest:?}");
    // As the engine itself leaves it: nothing beside the weights but their index.
    for name in weights.iter().filter(|name| !name.starts_with("model")) {
        let snapshots = sandbox.path().join("w/models--acme--tiny/snapshots");
        fs_err::remove_file(snapshots.join(hub.commit("acme/tiny")).join(name)).unwrap();
    }
    let run = judged(&sandbox, &["verify", "--deep"]);
    assert!(run.starts_with("0 ready [config.json "), "{run}");
    let damaged = fs_err::read_dir(sandbox.path().join("w/models--acme--tiny/blobs")).unwrap();
    let damaged = damaged.map(|entry| entry.unwrap().path());
    let damaged = damaged.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    fs_err::write(damaged, "cut").unwrap();
    let run = judged(&sandbox, &[]);
    assert!(run.starts_with("11 not-ready"), "{run}");
}

#[test]
fn weights_that_are_made_up_are_neither_brought_nor_missed() {
    let hub = hub();
    let dummy = VLLM.replace("acme/tiny\n", "acme/tiny --load-format dummy\n");
    let dummy = format!("{dummy}    environment: {{HF_HUB_OFFLINE: '1'}}\n");
    let sandbox = Sandbox::new().file("compose.yaml", dummy).variable("HF_ENDPOINT", hub.url());
    check(&sandbox, &[], "10 not-ready []: not-in-cache");
    let run = judged(&sandbox, &["fetch"]);
    assert!(run.starts_with("0 ready [config.json "), "{run}");
    assert!(!linked(&sandbox, "hf").iter().any(|name| name.ends_with(".safetensors")));
    assert!(hub.requests().iter().all(|request| request.origin == Origin::Hub));
    assert!(judged(&sandbox, &[]).starts_with("0 ready "));
}

#[test]
fn an_engine_that_may_not_ask_the_hub_gets_its_cache_filled() {
    let hub = hub();
    let offline = format!("{VLLM}    environment: {{HF_HUB_OFFLINE: '1'}}\n");
    let sandbox = Sandbox::new().file("compose.yaml", offline).variable("HF_ENDPOINT", hub.url());
    check(&sandbox, &[], "10 not-ready []: not-in-cache");
    assert!(judged(&sandbox, &["fetch"]).starts_with("0 ready [config.json "));
    assert!(judged(&sandbox, &[]).starts_with("0 ready [config.json "));
}

#[test]
fn a_fetch_that_fails_is_the_reason_that_is_given() {
    let hub = hub();
    hub.add_fault("corrupt:acme/tiny-GGUF".parse().unwrap());
    let sandbox = Sandbox::new().file("compose.yaml", LLAMA).variable("HF_ENDPOINT", hub.url());
    check(&sandbox, &["fetch"], "11 not-ready []: download-corrupt");
    assert!(!sandbox.path().join("hf/hub/models--acme--tiny-GGUF/refs").exists());
}

#[test]
fn the_projector_comes_along_unless_llama_cpp_is_told_to_do_without() {
    let brought = |flag: &str| {
        let hub = FakeHub::builder()
            .file("acme/tiny-GGUF", "tiny-Q4_K_M.gguf", gguf())
            .file("acme/tiny-GGUF", "mmproj-F16.gguf", gguf())
            .start()
            .unwrap();
        let compose = LLAMA.replace("acme/tiny-GGUF", &format!("acme/tiny-GGUF {flag}"));
        let sandbox =
            Sandbox::new().file("compose.yaml", compose).variable("HF_ENDPOINT", hub.url());
        let run = judged(&sandbox, &["fetch"]);
        assert!(run.starts_with("0 ready "), "{flag}: {run}");
        let snapshot = format!(
            "hf/hub/models--acme--tiny-GGUF/snapshots/{}/mmproj-F16.gguf",
            hub.commit("acme/tiny-GGUF")
        );
        sandbox.path().join(snapshot).exists()
    };
    assert!(brought(""));
    assert!(!brought("--no-mmproj"));
    assert!(brought("--no-mmproj --mmproj-auto"));
}

/// Two lanes with folders of their own, and two whose engines name repositories.
const EVERYWHERE: &str = "services:
  reader:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: -m /models/reader.gguf
    volumes: ['./disk/models:/models']
    labels: {preflight.source: 'hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf'}
  coder:
    image: vllm/vllm-openai:v0.12.0
    command: acme/tiny
    volumes: ['./disk/hf:/root/.cache/huggingface']
    gpus: [{device_ids: ['0']}]
  second:
    image: vllm/vllm-openai:v0.12.0
    command: acme/tiny
    volumes: ['./disk/hf:/root/.cache/huggingface']
    gpus: [{device_ids: ['1']}]
";

#[test]
fn folders_and_caches_share_one_budget_and_one_report_before_the_first_byte() {
    let hub = hub();
    let sandbox = Sandbox::new()
        .file("compose.yaml", EVERYWHERE)
        .file("disk/.keep", "")
        .variable("HF_ENDPOINT", hub.url());
    let Some(_disk) = SmallDisk::mount(&sandbox.path().join("disk"), "64k") else { return };
    fs_err::create_dir(sandbox.path().join("disk/models")).unwrap();
    let run = sandbox.run(&["fetch", "--format", "json"]);
    assert_eq!(run.code, Some(14), "{}{}", run.stdout, run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let short: Vec<&Value> = findings.iter().filter(|it| it["id"] == "disk-space-short").collect();
    let lanes: Vec<&str> = short.iter().map(|it| it["lane"].as_str().unwrap()).collect();
    assert_eq!(lanes, ["reader", "coder", "second"], "{findings:?}");
    let evidence = |finding: &Value, name: &str| -> u64 {
        let facts = finding["evidence"].as_array().unwrap();
        let fact = facts.iter().find(|fact| fact["name"] == name).unwrap();
        fact["value"].as_str().unwrap().parse().unwrap()
    };
    let needed = |lane: usize| evidence(short[lane], "needed_bytes");
    // The two share their cache, and what it needs.
    let all = needed(0) + needed(1);
    for finding in &short {
        assert_eq!(evidence(finding, "needed_by_all_lanes_bytes"), all, "{finding}");
    }
    assert_eq!(bodies(&hub), 0);
    let named = hub.requests().iter().filter(|it| it.path.contains("/revision/")).count();
    assert_eq!(named, 2, "each source is asked once: {:?}", hub.requests());
}

#[test]
fn refusals_of_folders_and_of_caches_are_told_together_before_the_first_byte() {
    let hub = hub();
    hub.add_fault("gated:acme/tiny".parse().unwrap());
    hub.add_fault("status=404*9:acme/tiny-GGUF".parse().unwrap());
    let sandbox =
        Sandbox::new().file("compose.yaml", EVERYWHERE).variable("HF_ENDPOINT", hub.url());
    fs_err::create_dir_all(sandbox.path().join("disk/models")).unwrap();
    fs_err::write(sandbox.path().join("disk/models/.keep"), "").unwrap();
    let run = sandbox.run(&["fetch"]);
    assert_eq!(run.code, Some(12), "{}{}", run.stdout, run.stderr);
    for word in ["error[token-missing]", "error[model-not-found]"] {
        assert!(run.stdout.contains(word), "{}", run.stdout);
    }
    assert_eq!(bodies(&hub), 0);
}

#[test]
fn a_configuration_that_cannot_be_read_costs_no_weights() {
    let hub = FakeHub::builder()
        .file("acme/tiny", "config.json", "{")
        .file("acme/tiny", "model.safetensors", vec![0; 1000])
        .start()
        .unwrap();
    let sandbox = Sandbox::new().file("compose.yaml", VLLM).variable("HF_ENDPOINT", hub.url());
    let run = judged(&sandbox, &["fetch"]);
    assert!(run.starts_with("11 not-ready [") && run.contains("config-invalid"), "{run}");
    assert!(hub.requests().iter().all(|request| request.origin == Origin::Hub), "{run}");
}

#[test]
fn what_is_brought_belongs_to_the_user_of_the_service() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let hub = hub();
    let compose = format!("{VLLM}    user: '1234:2345'\n    environment: {{HF_HOME: /hf}}\n");
    let compose = compose.replace("/root/.cache/huggingface", "/hf");
    let sandbox = Sandbox::new().file("compose.yaml", compose).variable("HF_ENDPOINT", hub.url());
    assert!(judged(&sandbox, &["fetch"]).starts_with("0 ready [config.json "));
    for entry in walkdir::WalkDir::new(sandbox.path().join("hf")) {
        let entry = entry.unwrap();
        let metadata = entry.path().symlink_metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (1234, 2345), "{entry:?}");
    }
}

#[test]
fn an_engine_that_may_write_into_mounts_alone_needs_one_for_what_it_downloads() {
    let sealed = format!("{VLLM}    read_only: true\n");
    let unmounted = sealed.replace("./hf:/root/.cache/huggingface", "./hf:/elsewhere");
    let told = |compose: &str| {
        let sandbox = Sandbox::new().file("compose.yaml", compose);
        judged(&sandbox, &["--offline", "--allow-unknown"])
    };
    assert_eq!(told(&unmounted), "16 not-ready []: not-writable");
    let elsewhere = unmounted.replace("gpus: all", "environment: {HF_HOME: /hf}\n    gpus: all");
    assert_eq!(told(&elsewhere), "16 not-ready []: not-writable");
    let memory = unmounted.replace("gpus: all", "tmpfs: [/root/.cache]\n    gpus: all");
    let own = unmounted.replace("vllm/vllm-openai:v0.12.0", "acme/vllm-with-model");
    let shared = elsewhere.replace("/hf}", "/dev/shm/hf}");
    let below = unmounted
        .replace("./hf:/elsewhere", "./hf:/root/.cache/huggingface/hub/models--acme--tiny");
    let read_in = unmounted.replace(
        "command: acme/tiny",
        "entrypoint: [sh, -c]\n    command: ['. /etc/env.sh; exec vllm serve acme/tiny']",
    );
    assert_ne!(read_in, unmounted);
    let mounted = &elsewhere.replace("/hf}", "/elsewhere}");
    for compose in [&sealed, mounted, &memory, &own, &shared, &below, &read_in] {
        assert!(told(compose).starts_with("0 "), "{compose}: {}", told(compose));
    }
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: llm\n    \
               image: vllm/vllm-openai:v0.12.0\n    args: [--model, acme/tiny]\n    \
               securityContext: {readOnlyRootFilesystem: true}\n    resources: {limits: {nvidia.com/gpu: 1}}\n";
    let run = Sandbox::new().file("pod.yaml", pod).run(&["-f", "pod.yaml", "--offline"]);
    assert_eq!(run.code, Some(16), "{}", run.stdout);
    assert!(run.stdout.contains("its own file system is read-only"), "{}", run.stdout);
    // A map that nobody has seen may say where the cache is.
    let told = pod.to_owned() + "    envFrom: [{configMapRef: {name: settings}}]\n";
    let run = Sandbox::new().file("pod.yaml", told).run(&["-f", "pod.yaml", "--offline"]);
    assert!(!run.stdout.contains("not-writable"), "{}", run.stdout);
}

#[test]
fn an_engine_that_may_not_ask_the_hub_needs_a_whole_cache() {
    let offline = format!("{VLLM}    environment: {{HF_HUB_OFFLINE: '1'}}\n");
    let sandbox = Sandbox::new().file("compose.yaml", &offline);
    check(&sandbox, &[], "10 not-ready []: not-in-cache");
    check(&sandbox, &["--fetch", "--offline"], "10 not-ready []: not-in-cache");
    let sandbox = cached(sandbox, "acme/tiny", &folder());
    assert!(judged(&sandbox, &[]).starts_with("0 ready "));
    let unmounted = offline.replace("./hf:/root/.cache/huggingface", "./hf:/elsewhere");
    let sandbox = sandbox.file("compose.yaml", &unmounted);
    check(&sandbox, &[], "10 not-ready []: not-in-cache");
    let own = unmounted.replace("vllm/vllm-openai:v0.12.0", "acme/vllm-with-model");
    let sandbox = sandbox.file("compose.yaml", own);
    check(&sandbox, &[], "3 unknown []: lane-unknown");
}

#[test]
fn a_cache_that_is_not_mounted_is_a_warning_with_the_line_to_paste() {
    let hub = hub();
    let compose = VLLM.replace("./hf:/root/.cache/huggingface", "./hf:/elsewhere");
    let sandbox = Sandbox::new().file("compose.yaml", compose);
    let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
    check(&sandbox, &["--fetch"], "0 ready []: cache-not-mounted engine-will-fetch");
    let run = sandbox.run(&["--fetch"]);
    assert!(
        run.stdout.contains("add `- huggingface:/root/.cache/huggingface` to"),
        "{}",
        run.stdout
    );
}

#[test]
fn the_hub_says_no_before_the_engine_has_to() {
    let hub = hub();
    let ask = |compose: String| {
        let sandbox = Sandbox::new().file("compose.yaml", compose);
        judged(&sandbox.variable("HF_ENDPOINT", hub.url()), &["--fetch"])
    };
    assert_eq!(ask(VLLM.replace("acme/tiny", "acme/gone")), "12 not-ready []: model-not-found");
    let quantisation = LLAMA.replace("-GGUF", "-GGUF:Q6_K");
    assert_eq!(ask(quantisation), "17 not-ready []: file-not-in-repo");
    let lora = VLLM.replace("acme/tiny", "acme/tiny --enable-lora --lora-modules a=acme/gone");
    assert!(ask(lora).starts_with("12 not-ready []: model-not-found"));
    assert_eq!(ask(LLAMA.to_owned()), "0 ready [tiny-Q4_K_M.gguf]: ");
}

#[test]
fn a_bare_name_is_judged_in_the_cache_and_nowhere_else() {
    let compose = VLLM.replace("acme/tiny", "tiny");
    let sandbox = Sandbox::new().file("compose.yaml", compose);
    check(&sandbox, &["--fetch"], "3 unknown []: lane-unknown");
    let sandbox = cached(sandbox, "tiny", &folder());
    assert!(judged(&sandbox, &[]).starts_with("0 ready "));
}

#[test]
fn the_file_that_a_command_line_is_continued_in_is_read_through_the_mounts() {
    let compose = VLLM.replace("acme/tiny", "--config /etc/llm/vllm.yaml");
    let compose = compose.replace("['./hf", "['./etc:/etc/llm', './hf");
    let sandbox = Sandbox::new().file("compose.yaml", compose);
    check(&sandbox, &[], "3 unknown []: lane-unknown");
    let sandbox = sandbox.file("etc/vllm.yaml", "model: acme/tiny\nport: 81\n");
    let sandbox = cached(sandbox, "acme/tiny", &folder());
    assert!(judged(&sandbox, &[]).starts_with("0 ready [config.json "));
    let plan = sandbox.run(&["plan"]).stdout;
    assert!(plan.contains("listens on    :81"), "{plan}");
}
