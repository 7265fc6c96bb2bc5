//! The examples that gguf-parser publishes beside what is told of the same models with the same flags
//! (gguf-parser-go 0.25.0, `README.md`): sparse files with headers of the same layers, widths and types.
//! That they are those models, the sizes say that it publishes of them.

mod widths;

use serde_json::{Value, json};

use self::widths::{
    F16, LLAMA_8B, LLAMA_70B, Mixture, Q4_K, Q5_K, Q8_0, QWEN_7B, QWEN_72B, Widths,
};
use super::logged;
use crate::documentation::{keep, read, with_part};
use crate::gguf_models::asked;
use crate::gguf_oracle::server;
use crate::sandbox::Sandbox;

/// One example: attention in steps, one slot, batches of 512 of 2048.
struct Example {
    name: &'static str,
    widths: &'static Widths,
    mixture: Mixture,
    /// What it says of the size of the file, in GiB.
    size: f64,
    /// Tokens of the context, and the shares of the GPUs.
    context: u64,
    split: &'static str,
    /// What it says of each GPU, in GiB.
    theirs: &'static [f64],
    /// What llama-server (build 11669) logs of what is computed in between, in MiB, with two layers of the
    /// same widths: it is the same for any number of layers.
    compute: f64,
}

/// What it adds for the process, whatever the model is, in GiB (`--platform-footprint`): nothing that is
/// logged.
const PROCESS: f64 = 250.0 / 1024.0;

const MIB: f64 = 1_048_576.0;

const EXAMPLES: [Example; 8] = [
    Example {
        name: "DeepSeek-R1-Distill-Qwen-7B Q4_K_M",
        widths: &QWEN_7B,
        mixture: Mixture::Medium(Q4_K),
        size: 4.36,
        context: 131_072,
        split: "",
        theirs: &[18.89],
        compute: 7468.01,
    },
    Example {
        name: "Qwen2.5-7B-Instruct Q8_0",
        widths: &QWEN_7B,
        mixture: Mixture::Same(Q8_0),
        size: 7.54,
        context: 131_072,
        split: "",
        theirs: &[21.82],
        compute: 7468.01,
    },
    Example {
        name: "DeepSeek-R1-Distill-Qwen-7B F16",
        widths: &QWEN_7B,
        mixture: Mixture::Same(F16),
        size: 14.19,
        context: 131_072,
        split: "",
        theirs: &[27.99],
        compute: 7468.01,
    },
    Example {
        name: "Qwen2.5-72B-Instruct Q4_K_M",
        widths: &QWEN_72B,
        mixture: Mixture::Medium(Q4_K),
        size: 44.15,
        context: 32_768,
        split: "",
        theirs: &[58.18],
        compute: 4260.01,
    },
    Example {
        name: "Llama-3.3-70B (openbuddy) Q4_0",
        widths: &LLAMA_70B,
        mixture: Mixture::Legacy,
        size: 37.35,
        context: 131_072,
        split: "",
        theirs: &[93.62],
        compute: 16_740.01,
    },
    Example {
        name: "Llama-3.3-70B Q4_K_M",
        widths: &LLAMA_70B,
        mixture: Mixture::Medium(Q4_K),
        size: 39.59,
        context: 131_072,
        split: "",
        theirs: &[95.86],
        compute: 16_740.01,
    },
    Example {
        name: "Llama-3.1-70B-Instruct Q4_K_M",
        widths: &LLAMA_70B,
        mixture: Mixture::Medium(Q4_K),
        size: 39.59,
        context: 1024,
        split: "8,10",
        theirs: &[17.83, 22.83],
        compute: 254.01,
    },
    Example {
        name: "Meta-Llama-3-8B-Instruct Q5_K_M",
        widths: &LLAMA_8B,
        mixture: Mixture::Medium(Q5_K),
        size: 5.33,
        context: 8192,
        split: "",
        theirs: &[7.04],
        compute: 580.01,
    },
];

/// What is told of one GPU, in GiB: without what is computed in between, and the bounds of that.
struct Told {
    exact: f64,
    bounds: Option<[f64; 2]>,
}

impl Example {
    fn words(&self) -> String {
        let split = if self.split.is_empty() { "" } else { " -ts " };
        format!("-c {}{split}{}", self.context, self.split)
    }

    /// What is told of each GPU.
    fn told(&self) -> Vec<Told> {
        let sandbox = Sandbox::new();
        let bytes = self.widths.write(self.mixture, self.widths.layers, &model(&sandbox));
        let size = bytes as f64 / MIB / 1024.0;
        assert!((size - self.size).abs() < 0.005, "{}: {size} and {}", self.name, self.size);
        let words = format!("-m /model.gguf {ALIKE} -ngl 99 -fit off {}", self.words());
        let service = json!({
            "image": "ghcr.io/ggml-org/llama.cpp:server-cuda-b11669",
            "volumes": ["./model.gguf:/model.gguf:ro"],
            "command": words.split(' ').collect::<Vec<&str>>(),
            "gpus": "all",
        });
        let sandbox =
            sandbox.file("compose.yaml", json!({"services": {"llm": service}}).to_string());
        let gpus = format!("{}x1TB", self.theirs.len());
        let run = sandbox.run(&["fit", "--format", "json", "--gpus", &gpus]);
        let report: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
        let parts = report["lanes"][0]["memory"]["parts"].as_array().expect(&run.stdout);
        (0..self.theirs.len()).map(|gpu| of_gpu(parts, &format!("gpu:{gpu}"))).collect()
    }

    /// What the server logs of what is computed in between, in MiB.
    fn logged(&self, server: &str) -> f64 {
        let sandbox = Sandbox::new();
        self.widths.write(self.mixture, 2, &model(&sandbox));
        let flags = format!("{ALIKE} -c {}", self.context);
        let logged = logged(server, &model(&sandbox), &flags).expect(self.name);
        let computed = logged.iter().filter(|((kind, _), _)| kind == "compute");
        computed.flat_map(|(_, sizes)| sizes).sum()
    }

    fn rows(&self) -> String {
        let told = self.told();
        let rows = self.theirs.iter().zip(&told).enumerate().map(|(gpu, (theirs, told))| {
            let ours = match told.bounds {
                Some([low, high]) => format!("{:.2} to {:.2}", told.exact + low, told.exact + high),
                None => format!("{:.2} or more", told.exact),
            };
            let genuine = match told.bounds {
                Some(_) => format!("{:.2}", told.exact + self.compute / 1024.0),
                None => "-".to_owned(),
            };
            format!(
                "| {} | `{}` | {gpu} | {:.2} | {ours} | {genuine} |\n",
                self.name,
                self.words(),
                theirs - PROCESS
            )
        });
        rows.collect()
    }
}

/// The flags of all examples.
const ALIKE: &str = "-fa off -np 1";

fn model(sandbox: &Sandbox) -> std::path::PathBuf {
    sandbox.path().join("model.gguf")
}

fn of_gpu(parts: &[Value], name: &str) -> Told {
    let own = || parts.iter().filter(|part| part["device"] == *name);
    let gib = |bytes: &Value| Some(bytes.as_f64()? / MIB / 1024.0);
    let (computed, exact): (Vec<&Value>, Vec<&Value>) =
        own().partition(|part| part["name"] == "compute");
    assert!(exact.iter().all(|part| part["exact"] == true), "{parts:?}");
    let bounds =
        computed.first().and_then(|it| Some([gib(&it["bytes_low"])?, gib(&it["bytes_high"])?]));
    Told { exact: exact.iter().filter_map(|part| gib(&part["bytes_low"])).sum(), bounds }
}

const HEAD: &str = "| model | flags | GPU | gguf-parser | preflight | llama-server |\n\
                    |---|---|---:|---:|---:|---:|\n";

#[test]
fn published_examples_stand_beside_what_is_told_of_them() {
    let rows: String = EXAMPLES.iter().map(Example::rows).collect();
    let path = "docs/fit.md";
    keep(path, &with_part(&read(path), "gguf-parser", &format!("{HEAD}{rows}")));
}

#[test]
fn weights_on_a_gpu_are_those_that_a_server_with_one_has_logged() {
    // Llama-3-8B of Q4_K_M with all 33 layers on a GPU: `CUDA0 buffer size = 4403.49 MiB` and
    // `CPU buffer size = 281.81 MiB` (reports of llama.cpp).
    let sandbox = Sandbox::new();
    LLAMA_8B.write(Mixture::Medium(Q4_K), LLAMA_8B.layers, &model(&sandbox));
    let service = json!({
        "image": "ghcr.io/ggml-org/llama.cpp:server-cuda-b11669",
        "volumes": ["./model.gguf:/model.gguf:ro"],
        "command": ["-m", "/model.gguf", "-ngl", "33", "-c", "512", "-fit", "off"],
        "gpus": "all",
    });
    let sandbox = sandbox.file("compose.yaml", json!({"services": {"llm": service}}).to_string());
    let run = sandbox.run(&["fit", "--format", "json", "--gpus", "24GB"]);
    let report: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
    let parts = report["lanes"][0]["memory"]["parts"].as_array().expect(&run.stdout);
    let weights = |device: &str| {
        let mut own = parts.iter().filter(|it| it["name"] == "weights" && it["device"] == device);
        let part = own.next().unwrap();
        assert_eq!((part["exact"].as_bool(), own.next()), (Some(true), None), "{parts:?}");
        part["bytes_low"].as_u64().unwrap()
    };
    assert_eq!(weights("gpu:0"), 4_617_396_224);
    assert_eq!(weights("host"), 295_501_824);
}

/// The most that a buffer takes whose example is tried each time, in MiB: the others need as much address
/// space as few machines have memory.
const SMALL: f64 = 1024.0;

#[test]
fn what_the_examples_compute_in_between_is_what_the_server_logs() {
    let Some(server) = server() else { return };
    let is_all = asked("PREFLIGHT_TEST_LLAMA_MEMORY", 10).is_none();
    let tried = EXAMPLES.iter().filter(|example| is_all || example.compute < SMALL);
    let logged = tried.map(|example| (example, example.logged(&server)));
    let wrong = logged.filter(|(example, logged)| (logged - example.compute).abs() > 0.01);
    let wrong: Vec<_> = wrong.map(|(example, logged)| (example.name, logged)).collect();
    assert_eq!(wrong, []);
}
