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
fn the_context_that_nobody_says_is_as_long_as_the_server_makes_it() {
    let sandbox = Sandbox::quickstart();
    let path = sandbox.path().join("models/gguf/tiny-Q4_K_M.gguf");
    let told = |words: &str, tag: &str| {
        let words = format!("-m /models/gguf/tiny-Q4_K_M.gguf {words}");
        let service = json!({
            "image": format!("ghcr.io/ggml-org/llama.cpp:server{tag}"),
            "volumes": ["./models:/models:ro"],
            "command": words.split_ascii_whitespace().collect::<Vec<_>>(),
        });
        let memory = memory(&sandbox, &service, &[]);
        let parts = memory["parts"].as_array().unwrap();
        let cache = parts.iter().find(|part| part["name"] == "kv-cache").unwrap();
        ["bytes_low", "bytes_high"].map(|bound| cache[bound].as_f64().unwrap() / 1_048_576.0)
    };
    // A token takes 1 KiB, and the model was made for 2048.
    for (words, expected) in [("", 2.0), ("-np 2", 4.0), ("-np 3 -c 0", 6.0), ("-np 2 -kvu", 2.0)] {
        assert_eq!(told(words, "-b11669"), [expected; 2], "{words}");
        let Some(server) = server() else { continue };
        let log = logged(&server, &path, &format!("-fit on {words}")).unwrap();
        let cache = log.iter().filter(|((kind, _), _)| kind == "KV").flat_map(|(_, sizes)| sizes);
        assert_eq!(cache.sum::<f64>(), expected, "{words}");
    }
    assert_eq!(told("-np 2", "-b10541"), [2.0, 2.0]);
    assert_eq!(told("-np 2", "-b10600"), [2.0, 4.0]);
    assert_eq!(told("-np 2", ""), [2.0, 4.0]);
    assert_eq!(told("-np 2 -fit off", "-b11669"), [2.0, 2.0]);
}

#[test]
fn a_context_that_is_made_to_fit_is_about_as_long_as_is_told() {
    // A server without a device is held against all of the host's memory: all of it but this is to be left.
    const ROOM: u64 = 96;
    let host = fs_err::read_to_string("/proc/meminfo").unwrap();
    let total = host.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap();
    let total: u64 = total.trim().strip_suffix("kB").unwrap().trim().parse().unwrap();
    let left = (total / 1024 - ROOM).to_string();
    for name in ["llama", "gemma3", "qwen3moe", "deepseek2"] {
        let mut model = named(name);
        let key = format!("{name}.context_length");
        model.document.key(&key).value = [4_u32, 4_000_000].map(u32::to_le_bytes).concat();
        let sandbox = Sandbox::new().file("model.gguf", model.document.bytes());
        for words in ["-np 1", "-np 3", "-np 2 -kvu", ""] {
            let words = format!("{words} -fit on -fitt {left}");
            let command = format!("-m /model.gguf {words}");
            let service = json!({
                "image": "ghcr.io/ggml-org/llama.cpp:server-b11669",
                "volumes": ["./model.gguf:/model.gguf:ro"],
                "command": command.split_ascii_whitespace().collect::<Vec<_>>(),
            });
            let told = memory(&sandbox, &service, &[])["served"].clone();
            assert_eq!(told[0]["flag"], "-c", "{name} {words}: {told}");
            let told = told[0]["value"].as_str().unwrap();
            let Some(server) = server() else { continue };
            let cache = |words: &str| {
                let log = logged(&server, &sandbox.path().join("model.gguf"), words).unwrap();
                let sizes = log.iter().filter(|((kind, _), _)| kind == "KV");
                sizes.flat_map(|(_, sizes)| sizes).sum::<f64>()
            };
            let (made, said) = (cache(&words), cache(&format!("{words} -fit off -c {told}")));
            assert!((0.8..1.02).contains(&(said / made)), "{name} {words}: {said} of {made}");
        }
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
    let named = parts("-dev CUDA1", "2x24GB");
    assert_eq!(weights(&named, "gpu:1"), weights(&all, "gpu:0"), "{named}");
    // What is not read here is a bound.
    assert!(!weights(&parts("-ot (?!ffn)exps=CPU", one), "gpus").1);
}
