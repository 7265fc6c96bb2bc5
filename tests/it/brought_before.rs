//! Models that something else of the stack brings before the engine opens them.

use crate::sandbox::{Run, Sandbox};

const LLAMA: &str = "ghcr.io/ggml-org/llama.cpp:server";

/// What is said of a project that has these services and an empty folder of models.
fn run(services: &str, arguments: &[&str]) -> Run {
    let sandbox = Sandbox::new().file("models/notes.txt", "").file("compose.yaml", services);
    sandbox.run(&[arguments, &["-f", "compose.yaml"]].concat())
}

/// An engine that a script starts behind `before`.
fn scripted(before: &str) -> String {
    format!(
        "services:\n  a:\n    image: {LLAMA}\n    entrypoint: [/bin/sh, -c]\n    command:\n      - |\n        \
         {before}\n        exec /app/llama-server -m /models/m.gguf\n    volumes: ['./models:/models']\n"
    )
}

/// An engine that waits for the end of `get`, which runs these words of this image.
fn after(image: &str, words: &str, rights: &str) -> String {
    format!(
        "services:\n  get:\n    image: {image}\n    command: {words}\n    volumes: \
         ['./models:/data{rights}']\n  a:\n    image: {LLAMA}\n    command: -m /models/m.gguf\n    volumes: \
         ['./models:/models:ro']\n    depends_on: {{get: {{condition: service_completed_successfully}}}}\n"
    )
}

#[track_caller]
fn check(services: &str, expected: Option<&str>) {
    let run = run(services, &[]);
    let told = format!("{}{}", run.stdout, run.stderr);
    match expected {
        Some(who) => {
            assert_eq!(run.code, Some(0), "{told}");
            let note =
                format!("note[files-missing]: the model `/models/m.gguf` is not there yet; {who}");
            assert!(told.contains(&note), "{told}");
        }
        None => assert_eq!(run.code, Some(10), "{told}"),
    }
}

#[test]
fn what_a_script_brings_in_front_of_its_engine_is_not_missing() {
    let by = |program: &str| format!("`{program}`, which `a` runs before its engine, may bring it");
    for (before, program) in [
        ("[ -f /models/m.gguf ] || curl -Lo /models/m.gguf https://example.invalid/m.gguf", "curl"),
        ("hf download o/r m.gguf --local-dir /models", "hf"),
        ("cd /models && wget -nc https://example.invalid/m.gguf", "wget"),
        ("curl -L https://example.invalid/m >/models/m.gguf", "curl"),
        ("aws s3 cp s3://bucket/m.gguf \"$$TARGET\"", "aws"),
    ] {
        check(&scripted(before), Some(&by(program)));
    }
    for before in
        ["ls -la /models", "curl -Lo /tmp/other.json https://example.invalid/x", "sleep 1"]
    {
        check(&scripted(before), None);
    }
}

#[test]
fn what_a_service_brings_that_ends_before_the_engine_is_not_missing() {
    let get = Some("`get`, which has ended when `a` starts, may bring it");
    check(&after("curlimages/curl", "[-Lo, /data/m.gguf, 'https://example.invalid/m']", ""), get);
    check(&after("python:3.12", "python3 /get.py", ""), get);
    check(&after("busybox", "chown -R 1000 /data", ""), None);
    check(
        &after("curlimages/curl", "[-Lo, /data/m.gguf, 'https://example.invalid/m']", ":ro"),
        None,
    );
    let started = after("python:3.12", "python3 /get.py", "");
    check(&started.replace("service_completed_successfully", "service_started"), None);
}

#[test]
fn what_a_script_would_bring_is_no_reason_for_exec_to_refuse_it() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path().display().to_string();
    let script = |bring: &str| format!("{bring} && exec llama-server -m {folder}/m.gguf");
    let run = |script: &str| sandbox.run(&["exec", "--", "/bin/sh", "-c", script]);
    let missing = run(&script("true"));
    assert_eq!(missing.code, Some(10), "{}", missing.stderr);
    let brought = run(&script(&format!("cp {folder}/no-such {folder}/m.gguf")));
    assert_eq!(brought.code, Some(1), "{}", brought.stderr);
    assert!(brought.stderr.contains("`cp`, which"), "{}", brought.stderr);
}
