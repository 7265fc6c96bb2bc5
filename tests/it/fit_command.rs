//! `preflight fit`: what the lanes take of memory, in every format.

use serde_json::Value;

use crate::sandbox::{Run, Sandbox};

/// The last line of standard error that is no lane's.
fn headline(run: &Run) -> &str {
    run.stderr.lines().find(|line| line.starts_with("preflight: ")).unwrap()
}

fn json(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let run = sandbox.run(&[&["fit", "--format", "json"], arguments].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn every_lane_is_told_with_its_parts() {
    let told = json(&Sandbox::quickstart(), &[]);
    let reader = &told["lanes"][0];
    assert_eq!(reader["name"], "reader");
    let parts = reader["memory"]["parts"].as_array().unwrap();
    let names: Vec<&str> = parts.iter().map(|part| part["name"].as_str().unwrap()).collect();
    for name in ["weights", "kv-cache", "output", "compute"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let cache = parts.iter().find(|part| part["name"] == "kv-cache").unwrap();
    assert_eq!(cache["exact"], true);
    assert_eq!(cache["bytes_low"], cache["bytes_high"]);
}

#[test]
fn files_that_are_broken_or_missing_are_not_what_it_is_about() {
    let sandbox = Sandbox::quickstart();
    fs_err::remove_dir_all(sandbox.path().join("models/vllm")).unwrap();
    let run = sandbox.run(&["fit", "--offline"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.lines().any(|line| line.starts_with("coder ")), "{}", run.stdout);
    assert!(!run.stdout.contains("files-missing"), "{}", run.stdout);
    let all = sandbox.run(&["verify"]);
    assert_eq!(all.code, Some(10), "{}", all.stdout);
}

#[test]
fn what_does_not_fit_ends_with_21_and_nothing_else_is_judged() {
    let words = "    image: vllm/vllm-openai:v0.12.0\n    gpus: [{count: 1}]\n    \
                 volumes: ['./models:/models:ro']\n    \
                 command: --model /models/vllm/tiny/bf16 --nonsense\n";
    let compose = format!("services:\n  a:\n{words}  b:\n{words}");
    let sandbox = Sandbox::quickstart().file("compose.yaml", compose);
    let run = sandbox.run(&["fit", "--color", "never"]);
    assert_eq!(run.code, Some(21), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("error[gpu-overcommitted]"), "{}", run.stdout);
    assert!(!run.stdout.contains("nonsense"), "{}", run.stdout);
    assert_eq!(
        headline(&run),
        "preflight: not ready: exit 21, memory or context does not fit; 0 of 2 lanes fit"
    );
}

#[test]
fn the_value_that_helps_is_told_with_its_flag() {
    let service = |name: &str, words: &str| {
        format!(
            "  {name}:\n    image: vllm/vllm-openai:v0.12.0\n    gpus: [{{device_ids: ['0']}}]\n    \
             volumes: ['./models:/models:ro']\n    \
             command: --model /models/vllm/tiny/bf16 {words}\n"
        )
    };
    let largest = |services: &[String], gpus: &str| {
        let compose = format!("services:\n{}", services.concat());
        let sandbox = Sandbox::quickstart().file("compose.yaml", compose);
        let run = sandbox.run(&["fit", "--format", "json", "--gpus", gpus]);
        let told: Value = serde_json::from_str(&run.stdout).unwrap();
        let memory = &told["lanes"][0]["memory"];
        (memory["fits"].clone(), memory["largest"].clone())
    };
    let helps = |flag: &str, value: &str| serde_json::json!({"flag": flag, "value": value});
    // The other lane is no engine of text, and leaves less than this one takes.
    let reader = "  b:\n    image: ghcr.io/ggml-org/llama.cpp:server-cuda\n    \
                  gpus: [{device_ids: ['0']}]\n    volumes: ['./models:/models:ro']\n    \
                  command: -m /models/gguf/tiny-Q4_K_M.gguf -ngl 99 -c 11000000 -ub 1\n";
    let shared = [service("a", "--gpu-memory-utilization 0.6"), reader.to_owned()];
    let (fits, value) = largest(&shared, "24GB");
    assert_eq!((fits, value), (Value::from("no"), helps("--gpu-memory-utilization", "0.51")));
    // A context that is made to fit is told although it does.
    let (fits, value) = largest(&[service("a", "--max-model-len auto")], "24GB");
    assert_eq!((fits, value), (Value::from("yes"), helps("--max-model-len", "256")));
}

#[test]
fn it_is_told_in_every_format() {
    let sandbox = Sandbox::quickstart();
    for (format, words) in [
        ("human", "\nw weights  k kv-cache"),
        ("markdown", "| memory | lane | parts | takes | left |"),
        ("junit", "<testsuites "),
        ("sarif", "\"version\": \"2.1.0\""),
        ("github", ""),
    ] {
        let run = sandbox.run(&["fit", "--format", format]);
        assert_eq!(run.code, Some(0), "{format}: {}", run.stderr);
        assert!(run.stdout.contains(words), "{format}: {}", run.stdout);
    }
    let out = sandbox.run(&["fit", "-q", "-o", "fit.md"]);
    assert_eq!(out.stdout, "");
    let page = fs_err::read_to_string(sandbox.path().join("fit.md")).unwrap();
    assert!(page.contains("kv-cache") && page.contains("\nw weights "), "{page}");
}

#[test]
fn it_fits_the_width_and_has_no_colours_where_none_are_wanted() {
    for width in ["60", "80", "120"] {
        let sandbox = Sandbox::quickstart().variable("COLUMNS", width);
        let run = sandbox.run(&["fit", "--color", "never"]);
        let width: usize = width.parse().unwrap();
        let too_long = run.stdout.lines().find(|line| line.chars().count() > width);
        assert_eq!(too_long, None, "{}", run.stdout);
        assert!(run.stdout.contains("\nw weights  k kv-cache"), "{}", run.stdout);
        let colored = sandbox.run(&["fit", "--color", "always"]).stdout;
        assert!(colored.contains("\u{1b}[34m█") && !colored.contains("w weights"), "{colored}");
    }
}
