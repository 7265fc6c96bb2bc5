//! vLLM's own arithmetic is the judge of caches of random sizes for random models, in four releases.
//!
//! `PREFLIGHT_TEST_VLLM_CACHE` names `tests/setup/vllm-cache`, which runs it out of the sources;
//! `PREFLIGHT_TEST_SEED` is a number to begin with instead of the usual one.

use preflight::plan::engine::invocation;
use preflight::plan::engine::memory::{Checkpoint, Shortage};
use preflight::project::Service;
use preflight::source_map::Spanned;
use serde_json::{Value, json};

use crate::judge::named;
use crate::vllm_flags::{Dice, answers};

/// How many models each release is asked for.
const CASES: usize = 400;

/// What is asked for, each followed by `ForCausalLM`.
const CLASSES: [&str; 8] =
    ["Llama", "Llama", "Mistral", "Gemma3", "GptOss", "Qwen3", "DeepseekV3", "DeepseekV32"];

/// A model, what a command says, and what a rank of it keeps.
struct Case {
    config: Value,
    tokens: u64,
    block: u64,
    batch: u64,
    bytes: u64,
    ranks: u64,
    stages: u64,
    cache: u64,
}

/// A size whose binary logarithm is between two numbers.
fn size(dice: &mut Dice, least: u32, most: u32) -> u64 {
    let bits = least + u32::try_from(dice.below(usize::try_from(most - least).unwrap())).unwrap();
    (1 << bits) + u64::try_from(dice.below(1 << bits)).unwrap()
}

/// One of some numbers.
pub(crate) fn number(dice: &mut Dice, choice: &[u64]) -> u64 {
    choice[dice.below(choice.len())]
}

/// One of the classes whose layers are known, in any size.
fn config(dice: &mut Dice) -> Value {
    let layers = 2 + dice.below(12);
    let heads = number(dice, &[8, 16, 32]);
    let mut config = json!({"num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": number(dice, &[1, 2, 4, 8]),
        "head_dim": number(dice, &[64, 128, 256]), "torch_dtype": "bfloat16"});
    let window = number(dice, &[128, 512, 1024, 4096]);
    let class = dice.of(&CLASSES);
    config["architectures"] = json!([format!("{class}ForCausalLM")]);
    match class {
        "Mistral" | "Gemma3" | "GptOss" => config["sliding_window"] = json!(window),
        "DeepseekV3" | "DeepseekV32" => {
            config["kv_lora_rank"] = json!(512);
            config["qk_rope_head_dim"] = json!(64);
            if class == "DeepseekV32" {
                config["index_topk"] = json!(2048);
                config["index_head_dim"] = json!(number(dice, &[64, 128, 256]));
            }
        }
        "Qwen3" => {
            let kinds = ["full_attention", "sliding_attention"];
            let kinds: Vec<&str> = (0..layers).map(|_| dice.of(&kinds)).collect();
            config["layer_types"] = json!(kinds);
            config["sliding_window"] = json!(window);
        }
        _ => {}
    }
    config
}

fn case(dice: &mut Dice) -> Case {
    Case {
        config: config(dice),
        tokens: size(dice, 6, 17),
        block: number(dice, &[32, 64, 128]),
        batch: number(dice, &[2048, 8192]),
        bytes: number(dice, &[1, 2]),
        ranks: number(dice, &[1, 1, 2, 4]),
        stages: number(dice, &[1, 1, 2]),
        cache: size(dice, 16, 33),
    }
}

impl Case {
    fn number(&self, key: &str) -> u64 {
        self.config[key].as_u64().unwrap()
    }

    /// The kind of a layer, as the class has it.
    fn kept(&self, layer: u64) -> &'static str {
        let class = self.config["architectures"][0].as_str().unwrap();
        let listed = &self.config["layer_types"][usize::try_from(layer).unwrap()];
        let is_windowed = match class {
            "MistralForCausalLM" => true,
            "Gemma3ForCausalLM" => layer % 6 != 5,
            "GptOssForCausalLM" => layer.is_multiple_of(2),
            _ => listed == "sliding_attention",
        };
        match class {
            "DeepseekV3ForCausalLM" | "DeepseekV32ForCausalLM" => "latent",
            _ if is_windowed => "window",
            _ => "all",
        }
    }

    /// The question to the judge, with so many batches under way.
    fn question(&self, batches: u64) -> Value {
        let layers = self.number("num_hidden_layers");
        let layer = |layer: u64| match self.kept(layer) {
            "latent" if self.is_sparse() => {
                // With numbers of 8 bits it has a layout of its own.
                let width = if self.bytes == 1 { 656 } else { 576 };
                let head = self.number("index_head_dim");
                json!([{"kept": "latent", "heads": 1, "width": width},
                    {"kept": "index", "heads": 1, "width": head + head / 128 * 4}])
            }
            "latent" => json!({"kept": "latent", "heads": 1, "width": 576}),
            kept => json!({"kept": kept, "number": self.config["sliding_window"],
                "heads": (self.number("num_key_value_heads") / self.ranks).max(1),
                "width": 2 * self.number("head_dim")}),
        };
        let stages = if self.stages == 2 {
            json!([layers / 2, layers - layers / 2])
        } else {
            json!([layers])
        };
        // What is over goes to the last stage but one.
        let stages = match stages.as_array().map(Vec::as_slice) {
            Some([first, last]) => json!([last, first]),
            Some(_) | None => stages,
        };
        json!({"layers": (0..layers).map(layer).collect::<Vec<_>>(), "stages": stages,
            "block": self.block, "tokens": self.tokens, "bytes": self.bytes, "batch": self.batch,
            "batches": batches, "cache": self.cache})
    }

    /// Whether an index is kept beside each vector.
    fn is_sparse(&self) -> bool {
        self.config["index_topk"].is_u64()
    }

    /// The same where the release does as the question says: in newer ones a backend decides what an index has
    /// beside it with numbers of 8 bits.
    fn of_release(self, release: &str) -> Self {
        let bytes = if self.is_sparse() && release != "0.12.0" { 2 } else { self.bytes };
        Self { bytes, ..self }
    }

    /// What is said of it.
    fn shortage(&self, release: &str) -> Option<Shortage> {
        let kind = match self.bytes {
            1 => "fp8",
            _ if self.is_sparse() => "bfloat16",
            _ => "auto",
        };
        let words = format!(
            "--max-model-len {} --block-size {} --max-num-batched-tokens {} \
             --kv-cache-dtype {kind} -tp {} -pp {} --kv-cache-memory-bytes {}",
            self.tokens, self.block, self.batch, self.ranks, self.stages, self.cache
        );
        shortage(&self.config, &words, release)
    }
}

/// What is said of a model of that configuration, with these words behind `--model`.
pub(crate) fn shortage(config: &Value, words: &str, release: &str) -> Option<Shortage> {
    let mut service = Service::named(Spanned::nowhere("llm".to_owned()));
    service.image = Some(Spanned::nowhere(format!("vllm/vllm-openai:v{release}")));
    let words = ["--model", "/m"].into_iter().chain(words.split_whitespace());
    service.command = Some(words.map(|word| Spanned::nowhere(word.to_owned())).collect());
    let Value::Object(config) = config.clone() else { unreachable!() };
    let checkpoint = Checkpoint { config, ..Checkpoint::default() };
    invocation(&service).unwrap().sizing.unwrap().shortage(&checkpoint)
}

/// What vLLM makes of each question: whether it refuses, and the longest request that it estimates.
fn judged(judge: &str, release: &str, questions: &[Value]) -> Vec<(bool, Option<u64>)> {
    let answer = |answer: Value| (answer["refused"].as_bool().unwrap(), answer["longest"].as_u64());
    answers(judge, release, questions).into_iter().map(answer).collect()
}

/// What differs between what is said and what vLLM does with one batch under way and with two.
fn difference(case: &Case, release: &str, judged: [(bool, Option<u64>); 2]) -> Option<String> {
    let said = case.shortage(release);
    let [(is_refused, longest), (is_refused_with_two, longest_with_two)] = judged;
    let wrong = |what: &str| {
        Some(format!(
            "{what}: {} with {}, said {said:?}, judged {judged:?}",
            case.config,
            case.question(1)
        ))
    };
    match &said {
        Some(_) if !is_refused || !is_refused_with_two => wrong("a false alarm"),
        None if is_refused => wrong("not seen"),
        Some(said) => {
            let least = longest.min(longest_with_two).unwrap_or_default() / case.block * case.block;
            let found = said.longest.unwrap_or_default();
            let has_windows =
                (0..case.number("num_hidden_layers")).any(|it| case.kept(it) == "window");
            let is_close = if has_windows { found <= least } else { found == least };
            if is_close { None } else { wrong(&format!("{found} tokens instead of {least}")) }
        }
        None => None,
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is told where its parts are")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The script that judges.
pub(crate) fn judge() -> Option<String> {
    named("PREFLIGHT_TEST_VLLM_CACHE")
}

/// The number to begin with: the usual one, if nobody says another.
pub(crate) fn seed(usual: u64) -> u64 {
    variable("PREFLIGHT_TEST_SEED").map_or(usual, |seed| seed.parse().unwrap())
}

fn hold(release: &str, seed_of_release: u64) {
    let Some(judge) = judge() else { return };
    let mut dice = Dice(seed(seed_of_release));
    let cases: Vec<Case> = (0..CASES).map(|_| case(&mut dice).of_release(release)).collect();
    let questions: Vec<Value> =
        cases.iter().flat_map(|case| [case.question(1), case.question(2)]).collect();
    let answers = judged(&judge, release, &questions);
    assert_eq!(answers.len(), questions.len());
    let (pairs, _) = answers.as_chunks::<2>();
    let refused = pairs.iter().filter(|[(is_refused, _), _]| *is_refused).count();
    assert!((CASES / 5..CASES * 4 / 5).contains(&refused), "{refused} are refused");
    let wrong: Vec<String> = cases
        .iter()
        .zip(pairs)
        .filter_map(|(case, judged)| difference(case, release, *judged))
        .collect();
    assert!(wrong.is_empty(), "{} of {CASES}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_cache_is_refused_as_vllm_0_12_does() {
    hold("0.12.0", 0x0C);
}

#[test]
fn a_cache_is_refused_as_vllm_0_18_does() {
    hold("0.18.1", 0x12);
}

#[test]
fn a_cache_is_refused_as_vllm_0_28_does() {
    hold("0.28.0", 0x1C);
}

#[test]
fn a_cache_is_refused_as_vllm_0_33_does() {
    hold("0.33.0", 0x21);
}
