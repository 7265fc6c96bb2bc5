//! The largest context that is told fits, as the genuine server logs it; and tensors lie where a pattern
//! puts them.

use serde_json::{Value, json};

use super::logged;
use crate::gguf_models::model::{Model, models};
use crate::gguf_oracle::server;
use crate::sandbox::Sandbox;

/// What a container may have, in mebibytes.
const LIMIT: f64 = 24.0;

fn named(name: &str) -> Model {
    models().into_iter().find(|model| model.name == name).unwrap()
}

/// The memory of the only lane of a project of one service.
fn memory(sandbox: &Sandbox, service: &Value, more: &[&str]) -> Value {
    let compose = json!({"services": {"llm": service}}).to_string();
    fs_err::write(sandbox.path().join("compose.yaml"), compose).unwrap();
    let words = ["verify", "--format", "json"];
    let run = sandbox.run(&[&words[..], more].concat());
    let report: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
    report["lanes"][0]["memory"].clone()
}

#[test]
fn the_largest_context_that_is_told_fits() {
    for name in ["llama", "gemma3", "deepseek2"] {
        let model = named(name);
        let sandbox = Sandbox::new().file("model.gguf", model.document.bytes());
        let told = |context: &str| {
            let words = ["-m", "/model.gguf", "-fit", "off", "-np", "1", "-c", context];
            let service = json!({
                "image": "ghcr.io/ggml-org/llama.cpp:server-b11669",
                "volumes": ["./model.gguf:/model.gguf:ro"],
                "command": words,
                "mem_limit": "24m",
                "memswap_limit": "24m",
            });
            memory(&sandbox, &service, &[])
        };
        let asked = told("1048576");
        assert_ne!(asked["fits"], "yes", "{name}: {asked}");
        assert_eq!(asked["largest"]["flag"], "-c", "{name}: {asked}");
        let largest = asked["largest"]["value"].as_str().unwrap();
        assert_eq!(told(largest)["fits"], "yes", "{name}: {largest}");
        let more = (largest.parse::<u64>().unwrap() + 256).to_string();
        assert_ne!(told(&more)["fits"], "yes", "{name}: {more}");
        let Some(server) = server() else { continue };
        let taken = |context: &str| {
            let flags = format!("-np 1 -c {context}");
            let log = logged(&server, &sandbox.path().join("model.gguf"), &flags).unwrap();
            let own = log.iter().filter(|((_, name), _)| name != "CPU_Mapped");
            own.flat_map(|(_, sizes)| sizes).sum::<f64>()
        };
        assert!(taken(largest) <= LIMIT, "{name}: {largest}");
        let twice = (largest.parse::<u64>().unwrap() * 2).to_string();
        assert!(taken(&twice) > LIMIT, "{name}: {twice}");
    }
}

#[test]
fn tensors_lie_where_a_pattern_puts_them() {
    let model = named("qwen3moe");
    let sandbox = Sandbox::new().file("model.gguf", model.document.bytes());
    let parts = |words: &str, gpus: &str| {
        // As a list, so that no shell reads it.
        let words = format!("-m /model.gguf -c 256 -ngl 99 {words}");
        let words: Vec<&str> = words.split_ascii_whitespace().collect();
        let service = json!({
            "image": "ghcr.io/ggml-org/llama.cpp:server-cuda-b11669",
            "volumes": ["./model.gguf:/model.gguf:ro"],
            "command": words,
            "gpus": "all",
        });
        memory(&sandbox, &service, &["--gpus", gpus])["parts"].clone()
    };
    let weights = |parts: &Value, device: &str| {
        let of = |part: &&Value| part["name"] == "weights" && part["device"] == device;
        let mut found = parts.as_array().unwrap().iter().filter(of);
        let part = found.next().unwrap_or_else(|| panic!("no weights on {device}: {parts}"));
        (part["bytes_low"].as_u64().unwrap(), part["exact"] == true)
    };
    let one = "1x24GB";
    let kept = parts("--cpu-moe", one);
    assert!(weights(&kept, "gpu:0").1, "{kept}");
    for words in ["-ot exps=CPU", r"-ot \.ffn_(up|down|gate)_exps\.=CPU", "-ot .ffn_.*_exps.=CPU"] {
        assert_eq!(parts(words, one), kept, "{words}");
    }
    let all = parts("", one);
    let (on_device, is_exact) = weights(&all, "gpu:0");
    assert!(is_exact && on_device > weights(&kept, "gpu:0").0, "{all}");
    let moved = parts(r"-sm none -ot exps=CPU,blk\.0\.=CUDA1", "2x24GB");
    let first = weights(&moved, "gpu:1");
    assert!(first.1 && first.0 < weights(&kept, "gpu:0").0, "{moved}");
    // What is not read here is a bound.
    assert!(!weights(&parts("-ot (?=ffn)=CPU", one), "gpus").1);
}
