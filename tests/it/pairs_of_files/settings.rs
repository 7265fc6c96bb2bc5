//! Settings that a model of a certain kind is not started with: preflight and the genuine llama-server.

use std::thread;

use crate::gguf_models::model::models;
use crate::gguf_oracle::server;
use crate::llama_files::words_until;
use crate::sandbox::Sandbox;

/// A tiny model, and what is written behind it.
const CASES: [(&str, &str); 37] = [
    ("deepseek2", ""),
    ("deepseek2", "-ctk bf16"),
    ("deepseek2", "-ctv f32 -fa off"),
    ("deepseek2", "-ctk f32 -ctv f32"),
    ("llama", "-ctk bf16"),
    ("grok", ""),
    ("grok", "-ctv q8_0"),
    ("grok", "-ctk bf16 -ctv f32"),
    ("bert", "-np 1"),
    ("bert", "-np 1 -c 256"),
    ("bert", "-np 1 --embedding"),
    ("bert", "-np 1 --reranking"),
    ("bert", "-np 1 --no-warmup"),
    ("bert", "-np 2"),
    ("bert", ""),
    ("modern-bert", "-np 1 -kvu"),
    ("nomic-bert", "-np 1 --warmup"),
    ("dream", "-np 1"),
    ("llada", "-np 1"),
    ("qwen2", "-np 1"),
    ("llama", "-np 4 -b 3"),
    ("llama", "-np 4 -b 4"),
    ("llama", "-np 4 -b 4 -ub 1"),
    ("llama", "-b 3"),
    ("llama", "-np -1 -b 3"),
    ("llama", "-np 2 -b 2"),
    ("llama", "-np 3 -b 2 --embedding"),
    ("bert", "-np 3 -b 2 --embedding"),
    ("llama", "-sm tensor -fa off"),
    ("llama", "-sm tensor -dev none"),
    ("llama", "-sm row -fa off"),
    ("llama", "-sm tensor"),
    ("llama", "-dev CUDA0"),
    ("llama", "-dev none"),
    ("llama", "-ot ffn=CUDA0"),
    ("llama", "-ot ffn=CPU,attn=CUDA_Host"),
    ("llama", "-ot ffn=CPU"),
];

#[test]
fn settings_are_refused_that_llama_server_does_not_start_a_model_with() {
    let mut sandbox = Sandbox::quickstart();
    for model in models().into_iter().filter(|it| CASES.iter().any(|(name, _)| *name == it.name)) {
        sandbox = sandbox.file(&format!("{}.gguf", model.name), model.document.bytes());
    }
    let folder = sandbox.path().display().to_string();
    let mut ready = Vec::new();
    for (name, words) in CASES {
        let compose = format!(
            "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:server-b11669\n    command: \
             -m {folder}/{name}.gguf {words}\n    volumes: ['{folder}:{folder}:ro']\n"
        );
        fs_err::write(sandbox.path().join("compose.yaml"), compose).unwrap();
        let run = sandbox.run(&["verify"]);
        let is_told = matches!(run.code, Some(0 | 11 | 17));
        assert!(is_told, "{name} {words}: {:?}\n{}", run.code, run.stdout);
        ready.push((run.code == Some(0), run.stdout));
    }
    assert_eq!(ready.iter().filter(|(ready, _)| !ready).count(), 20);
    let Some(server) = server() else { return };
    let both: Vec<_> = CASES.iter().zip(&ready).collect();
    thread::scope(|scope| {
        for share in both.chunks(both.len().div_ceil(4)) {
            let (server, folder, path) = (&server, &folder, sandbox.path());
            scope.spawn(move || {
                for ((name, words), (ready, stdout)) in share {
                    let all = format!("--port 0 -t 1 -m {folder}/{name}.gguf {words}");
                    let all: Vec<&str> = all.split_ascii_whitespace().collect();
                    let (loads, text) = words_until(server, &all, path, "model loaded");
                    assert_eq!(*ready, loads, "{name} {words}\n{stdout}\n{text}");
                }
            });
        }
    });
}

#[test]
fn what_a_build_refuses_of_settings_is_said_of_the_builds_that_do() {
    let model = models().into_iter().find(|model| model.name == "bert").unwrap();
    let sandbox = Sandbox::quickstart().file("bert.gguf", model.document.bytes());
    for (tag, code, weighs) in [
        ("server-b11669", 11, "error[files-do-not-fit]"),
        ("server-b9000", 0, ""),
        ("server", 0, "warning[files-do-not-fit]"),
    ] {
        let compose = format!(
            "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:{tag}\n    command: -m \
             /bert.gguf -np 1\n    volumes: ['./bert.gguf:/bert.gguf:ro']\n"
        );
        fs_err::write(sandbox.path().join("compose.yaml"), compose).unwrap();
        let run = sandbox.run(&["verify"]);
        assert_eq!(run.code, Some(code), "{tag}\n{}", run.stdout);
        let is_told = run.stdout.contains("[files-do-not-fit]");
        assert_eq!(is_told, !weighs.is_empty(), "{tag}\n{}", run.stdout);
        assert!(run.stdout.contains(weighs), "{tag}\n{}", run.stdout);
    }
}
