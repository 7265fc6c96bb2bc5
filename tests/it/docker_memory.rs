//! Genuine servers in containers with a limit of memory: which of them serve is said before any is
//! started.

mod large;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread;

use serde_json::{Value, json};

use self::large::Large;
use crate::docker_stack::{Stack, docker, say};

/// What does not listen after so many seconds does not serve.
const LONGEST: &str = "60";

/// 830 MB, of which 550 MB are laid out anew for the processor; 8 KiB for each token.
const LARGE: Large = Large { layers: 15, tokens: 36_384, heads: 1, trained: 131_072 };

/// 390 MB, of which 310 MB are laid out anew; 9 KiB for each token.
const SMALL: Large = Large { layers: 9, tokens: 9_088, heads: 2, trained: 131_072 };

/// A container: its limit, its model, its words, and whether it serves. Those that do not are killed, or
/// stay at their limit without an end.
const STARTS: [(&str, &str, &str, bool); 14] = [
    ("400m", "large", "-c 4096 -fit off -nr", true),
    ("400m", "large", "-c 4096 -fit off -nr -lm none", false),
    ("400m", "large", "-c 4096 -fit off -nr -lm mmap+mlock", true),
    ("1200m", "large", "-c 4096", true),
    ("400m", "large", "-c 65536 -nr -fit off", false),
    ("400m", "large", "-c 65536 -nr", false),
    ("400m", "large", "-c 16384 -nr", true),
    ("400m", "small", "-nr", false),
    ("400m", "small", "-c 16384 -nr", true),
    ("600m", "small", "-c 2048 -fit off", true),
    ("200m", "small", "-c 2048 -fit off -nr -ctk q8_0 -ctv q8_0", true),
    ("400m", "large", "-c 4096", false),
    ("400m", "large", "-c 4096 -fit off", false),
    ("250m", "small", "-c 2048 -fit off", false),
];

/// The project of these containers.
fn compose(starts: &[(&str, &str, &str, bool)]) -> String {
    let service = |(index, (limit, model, words, _)): (usize, &(&str, &str, &str, bool))| {
        let path = format!("/models/{model}.gguf");
        let own = ["--host", "0.0.0.0", "--port", "8080", "-t", "1", "-cram", "0", "-m", &path];
        let words: Vec<&str> = own.into_iter().chain(words.split(' ')).collect();
        let service = json!({
            "image": "llama.cpp:local",
            "command": words,
            "volumes": ["./models:/models:ro"],
            "mem_limit": limit,
            "memswap_limit": limit,
        });
        (format!("s{index:02}"), service)
    };
    let services: serde_json::Map<String, Value> = starts.iter().enumerate().map(service).collect();
    json!({"services": services}).to_string()
}

/// Whether a container comes as far as to serve.
fn serves(container: &str) -> bool {
    let mut logs = std::process::Command::new("timeout")
        .args([LONGEST, "docker", "logs", "--follow", container])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(logs.stderr.take().unwrap()).split(b'\n');
    let is_there = |line: Vec<u8>| String::from_utf8_lossy(&line).contains("model loaded");
    let serves = lines.map_while(Result::ok).any(is_there);
    logs.kill().unwrap();
    logs.wait().unwrap();
    serves
}

#[test]
fn a_container_that_serves_is_ready_and_one_that_is_killed_or_never_serves_is_not() {
    let Some(stack) = Stack::new("memory", None) else { return };
    LARGE.write(&stack.path("models/large.gguf"));
    SMALL.write(&stack.path("models/small.gguf"));
    stack.write("compose.yaml", &compose(&STARTS));
    let report = stack.by_hand(&["verify", "--format", "json"]).stdout;
    let report: Value = serde_json::from_str(&report).expect(&report);
    let lanes = report["lanes"].as_array().unwrap();
    let up = stack.compose(&["up", "-d"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    let services: Vec<String> = (0..STARTS.len()).map(|index| format!("s{index:02}")).collect();
    let containers: Vec<String> = services.iter().map(|it| stack.container(it)).collect();
    let served: Vec<bool> = thread::scope(|scope| {
        let each: Vec<_> =
            containers.iter().map(|container| scope.spawn(move || serves(container))).collect();
        each.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut wrong = Vec::new();
    for ((start, service), serves) in STARTS.iter().zip(&services).zip(served) {
        let (limit, model, words, expected) = start;
        let lane = lanes.iter().find(|lane| lane["name"] == **service).unwrap();
        let state = outcome(&stack.container(service));
        let told =
            format!("{limit} {model} {words}: serves {serves}, {}, {state}", lane["verdict"]);
        say(&told);
        if (lane["verdict"] == "ready") != serves || serves != *expected {
            wrong.push(told);
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// How a container is.
fn outcome(container: &str) -> String {
    let format = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}";
    let said = docker(["inspect", "--format", format, container]).output().unwrap();
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}
