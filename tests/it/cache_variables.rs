//! Where an engine keeps what it takes from the hub, by its variables: what preflight says of a
//! service, beside what the hub's own library (two releases of it) and llama-server make of the same
//! environment.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::sandbox::Sandbox;
use crate::{gguf_oracle, hf_interop, safetensors_oracle};

type Variables = &'static [(&'static str, &'static str)];

const ENVIRONMENTS: &[Variables] = &[
    &[],
    &[("HF_HUB_CACHE", "/c")],
    &[("HF_HUB_CACHE", "")],
    &[("HF_HUB_CACHE", "c")],
    &[("HF_HUB_CACHE", "./c/../d")],
    &[("HF_HUB_CACHE", "~")],
    &[("HF_HUB_CACHE", "~/c")],
    &[("HF_HUB_CACHE", "$HOME/c")],
    &[("HF_HUB_CACHE", "${HOME}c")],
    &[("HF_HUB_CACHE", "/c/~")],
    &[("HF_HUB_CACHE", "$EMPTY"), ("EMPTY", "")],
    &[("HF_HUB_CACHE", "/c/$"), ("HF_HOME", "/h")],
    &[("HUGGINGFACE_HUB_CACHE", "/c")],
    &[("HUGGINGFACE_HUB_CACHE", "")],
    &[("HUGGINGFACE_HUB_CACHE", "~/c")],
    &[("HUGGINGFACE_HUB_CACHE", "/c"), ("HF_HUB_CACHE", "")],
    &[("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "/h")],
    &[("HF_HOME", "/h")],
    &[("HF_HOME", "/h/")],
    &[("HF_HOME", "")],
    &[("HF_HOME", "~/h")],
    &[("HF_HOME", "$BASE/h"), ("BASE", "/b")],
    &[("HF_HOME", ""), ("HUGGINGFACE_HUB_CACHE", "/c")],
    &[("HF_HOME", ""), ("XDG_CACHE_HOME", "/x")],
    &[("XDG_CACHE_HOME", "/x")],
    &[("XDG_CACHE_HOME", "")],
    &[("XDG_CACHE_HOME", "~/x")],
    &[("HOME", "/home/u")],
    &[("HOME", "/home/u"), ("HF_HOME", "~/h")],
    &[("HOME", "/home/u"), ("XDG_CACHE_HOME", "")],
];

/// What preflight says of a service with each of the environments, in `/work` as root.
fn ours(image: &str, command: &str) -> Vec<String> {
    let service = |(index, variables): (usize, &Variables)| {
        let lines = variables.iter().map(|(name, value)| {
            format!("      {name}: {}\n", Value::from(value.replace('$', "$$")))
        });
        let head = format!("  s{index}:\n    image: {image}\n    command: {command}\n");
        let lines: String = lines.collect();
        let environment = if lines.is_empty() { "      A: b\n" } else { &lines };
        format!("{head}    working_dir: /work\n    environment:\n{environment}")
    };
    let services: String = ENVIRONMENTS.iter().enumerate().map(service).collect();
    let sandbox = Sandbox::new().file("compose.yaml", format!("services:\n{services}"));
    let run = sandbox.run(&["plan", "--format", "json"]);
    let plan: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", run.stderr);
    });
    let lanes = plan["lanes"].as_array().unwrap();
    let cache = |index: usize| {
        let name = format!("s{index}");
        let lane = lanes.iter().find(|lane| lane["name"] == name.as_str()).unwrap();
        lane["serving"]["hub_cache"].as_str().unwrap_or("unknown").to_owned()
    };
    (0..ENVIRONMENTS.len()).map(cache).collect()
}

fn told(python: &Path) -> Vec<String> {
    let script = "import importlib, json, os, sys\n\
                  from huggingface_hub import constants\n\
                  def cache(variables):\n\
                  \x20   os.environ.clear()\n\
                  \x20   os.environ.update({'HOME': '/root'} | dict(variables))\n\
                  \x20   found = importlib.reload(constants).HF_HUB_CACHE\n\
                  \x20   return os.path.normpath(os.path.join('/work', found))\n\
                  print(json.dumps([cache(it) for it in json.loads(sys.argv[1])]))";
    let environments = serde_json::to_string(ENVIRONMENTS).unwrap();
    let output = Command::new(python).args(["-c", script, &environments]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn compare(python: &Path) {
    let ours = ours("vllm/vllm-openai:v0.12.0", "o/r");
    for ((variables, ours), theirs) in ENVIRONMENTS.iter().zip(ours).zip(told(python)) {
        assert_eq!(ours, theirs, "{variables:?}");
    }
}

#[test]
fn a_python_engine_keeps_its_downloads_where_the_newest_library_says() {
    if let Some(python) = hf_interop::python() {
        compare(&python);
    }
}

#[test]
fn a_python_engine_keeps_its_downloads_where_the_library_of_vllm_0_12_says() {
    if let Some(python) = safetensors_oracle::python() {
        compare(Path::new(&python));
    }
}

/// In which of `folders` llama-server finds its cache, each with a repository of its own in it.
fn found_by_llama(server: &str, root: &Path, variables: Variables) -> String {
    let mut command = Command::new(server);
    command.arg("--cache-list").env_clear().env("HOME", root.join("root")).current_dir(root);
    for (name, value) in variables {
        let below = |path: &str| root.join(path.trim_start_matches('/')).display().to_string();
        let value = if value.starts_with('/') { below(value) } else { (*value).to_owned() };
        command.env(name, value);
    }
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let name = said.split("o/m").nth(1).and_then(|rest| rest.split(':').next());
    name.unwrap_or("nowhere").to_owned()
}

#[test]
fn llama_server_keeps_its_downloads_where_preflight_says() {
    let Some(server) = gguf_oracle::server() else { return };
    let ours = ours("ghcr.io/ggml-org/llama.cpp:server", "-hf o/r");
    let root = tempfile::tempdir().unwrap();
    // `/work` is the folder itself, and everything else lies below it.
    let local = |cache: &str| {
        let below = cache.strip_prefix("/work").unwrap_or(cache);
        root.path().join(below.trim_start_matches('/'))
    };
    let commit = "0123456789012345678901234567890123456789";
    let mut places: Vec<_> = ours.iter().map(|cache| local(cache)).collect();
    places.sort();
    places.dedup();
    for (index, place) in places.iter().enumerate() {
        let repository = place.join(format!("models--o--m{index}"));
        fs_err::create_dir_all(repository.join("refs")).unwrap();
        fs_err::write(repository.join("refs/main"), commit).unwrap();
        let snapshot = repository.join("snapshots").join(commit);
        fs_err::create_dir_all(&snapshot).unwrap();
        fs_err::write(snapshot.join("x-Q4_K_M.gguf"), "GGUF").unwrap();
    }
    for (variables, ours) in ENVIRONMENTS.iter().zip(&ours) {
        let index = places.iter().position(|place| *place == local(ours)).unwrap();
        let theirs = found_by_llama(&server, root.path(), variables);
        assert_eq!(theirs, index.to_string(), "{variables:?}: {ours}");
    }
}

/// A service with this line in its environment, and the usual folder mounted.
fn with(line: &str) -> Sandbox {
    let compose = format!(
        "services:\n  llm:\n    image: vllm/vllm-openai:v0.12.0\n    command: o/r\n    \
         environment:\n      - {line}\n    volumes: ['./hf:/root/.cache/huggingface']\n"
    );
    Sandbox::new().file("compose.yaml", compose).file("hf/.keep", "")
}

#[test]
fn a_variable_that_is_set_to_nothing_and_moves_the_cache_to_where_no_mount_is_is_named() {
    let run = with("HF_HOME=${CACHE_ROOT}").run(&[]);
    let finding = run.stdout.split("\n\n").find(|it| it.contains("[cache-not-mounted]"));
    assert_eq!(
        finding.unwrap_or_else(|| panic!("{}", run.stdout)),
        "warning[cache-not-mounted]: `HF_HOME` is set to nothing, so that `llm` keeps `o/r` in \
         `/vllm-workspace/hub`, which no mount reaches: every new container downloads it again\n \
         --> compose.yaml:4:14\n  |\n4 |     command: o/r\n  |              ^^^\n5 |     \
         environment:\n6 |       - HF_HOME=${CACHE_ROOT}\n  |         --------------------- set to \
         nothing\n  |\n  = note: `CACHE_ROOT` is not set\n  = note: lane `llm`, service `llm`\n  = \
         help: set `CACHE_ROOT`, or take `HF_HOME` out of the environment of service `llm`"
    );

    let run = with("HUGGINGFACE_HUB_CACHE=").run(&[]);
    let words = [
        "`HUGGINGFACE_HUB_CACHE` is set to nothing, so that `llm` keeps `o/r` in `/vllm-workspace`,",
        "help: give `HUGGINGFACE_HUB_CACHE` the folder that is mounted, or take \
         `HUGGINGFACE_HUB_CACHE` out of the environment of service `llm`",
    ];
    words.iter().for_each(|word| assert!(run.stdout.contains(word), "{}", run.stdout));

    let offline = with("HF_HOME=\n      - HF_HUB_OFFLINE=1").run(&[]);
    let word = "error[not-in-cache]: `o/r` is nowhere: `HF_HOME` is set to nothing, so that the hub \
                cache is `/vllm-workspace/hub`, which no mount reaches";
    assert!(offline.stdout.contains(word), "{}", offline.stdout);
    assert_eq!(offline.code, Some(10));
}

#[test]
fn a_variable_that_is_set_to_nothing_and_does_no_harm_is_not_told() {
    for line in [
        "HF_HOME=\n      - HF_HUB_CACHE=/root/.cache/huggingface/hub",
        "HF_HOME=~/.cache/huggingface",
        "HF_HUB_CACHE=$$HOME/.cache/huggingface/hub",
        "XDG_CACHE_HOME=\n    working_dir: /root/.cache",
    ] {
        let run = with(line).run(&[]);
        assert!(!run.stdout.contains("cache-not-mounted"), "{line}: {}", run.stdout);
        assert!(run.stdout.contains("engine-will-fetch"), "{line}: {}", run.stdout);
    }
}
