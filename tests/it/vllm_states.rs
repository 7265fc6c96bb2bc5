//! vLLM's own arithmetic is the judge of the caches of models some of whose layers keep a state, of random
//! sizes, in four releases: its classes say how large a state is, and it makes the blocks as large.
//!
//! `PREFLIGHT_TEST_VLLM_CACHE` names `tests/setup/vllm-cache`, which runs it out of the sources;
//! `PREFLIGHT_TEST_SEED` is a number to begin with instead of the usual one.

use preflight::plan::engine::memory::Shortage;
use serde_json::{Value, json};

use crate::vllm_cache::{judge, number, seed, shortage};
use crate::vllm_flags::{Dice, answers};

/// How many models each release is asked for.
const CASES: usize = 300;

/// A model, and what a command says.
#[derive(Clone)]
struct Case {
    config: Value,
    /// `a` attends, `s` has a state, `b` both, `-` neither.
    kinds: Vec<char>,
    tokens: u64,
    block: u64,
    bytes: u64,
    ranks: u64,
    prefixes: Option<bool>,
    carried: &'static str,
    cache: u64,
}

fn below(dice: &mut Dice, most: usize) -> u64 {
    u64::try_from(dice.below(most)).unwrap()
}

/// The kinds of some layers, of which every so many attends.
fn kinds(count: usize, each: usize, attending: char, other: char) -> Vec<char> {
    (1..=count).map(|at| if at.is_multiple_of(each) { attending } else { other }).collect()
}

/// What a configuration says of the kinds, in its own words.
fn listed(kinds: &[char], names: [(char, &str); 3]) -> Value {
    let name = |kind: &char| names.iter().find(|(letter, _)| letter == kind).unwrap().1;
    json!(kinds.iter().map(name).collect::<Vec<_>>())
}

/// Heads of a state in groups, in the words of Granite.
fn granite(dice: &mut Dice, config: &mut Value) {
    let heads = number(dice, &[32, 64]);
    let head = config["hidden_size"].as_u64().unwrap() * 2 / heads;
    for (key, value) in [
        ("mamba_expand", 2),
        ("mamba_n_groups", number(dice, &[1, 2, 8])),
        ("mamba_n_heads", heads),
        ("mamba_d_head", head),
        ("mamba_d_state", number(dice, &[64, 128])),
        ("mamba_d_conv", 4),
        ("mamba_chunk_size", number(dice, &[128, 256])),
    ] {
        config[key] = json!(value);
    }
}

/// A class, in any size.
fn model(dice: &mut Dice) -> (Value, Vec<char>) {
    let count = 4 + dice.below(9);
    let each = 2 + dice.below(3);
    let heads = number(dice, &[8, 16]);
    let mut config = json!({"num_hidden_layers": count, "num_attention_heads": heads,
        "num_key_value_heads": number(dice, &[2, 4]), "hidden_size": heads * 128,
        "torch_dtype": "bfloat16"});
    let class = dice.of(&[
        "FalconH1",
        "GraniteMoeHybrid",
        "Jamba",
        "Lfm2",
        "Mamba2",
        "NemotronH",
        "Qwen3Next",
        "Zamba2",
    ]);
    config["architectures"] = json!([format!("{class}ForCausalLM")]);
    let mut kinds = kinds(count, each, 'a', 's');
    match class {
        "FalconH1" => {
            granite(dice, &mut config);
            config["mamba_d_ssm"] = Value::Null;
            config["head_dim"] = json!(number(dice, &[64, 128]));
            kinds = vec!['b'; count];
        }
        "GraniteMoeHybrid" => {
            granite(dice, &mut config);
            config["layer_types"] = listed(&kinds, [('a', "attention"), ('s', "mamba"), ('-', "")]);
        }
        "Jamba" => {
            for (key, value) in [
                ("mamba_expand", 2),
                ("mamba_d_state", 16),
                ("mamba_d_conv", 4),
                ("attn_layer_period", u64::try_from(each).unwrap()),
                ("attn_layer_offset", u64::try_from(each - 1).unwrap()),
            ] {
                config[key] = json!(value);
            }
        }
        "Lfm2" => {
            config["conv_dim"] = config["hidden_size"].clone();
            config["conv_L_cache"] = json!(3);
            let names = [('a', "full_attention"), ('s', "conv"), ('-', "")];
            config["layer_types"] = listed(&kinds, names);
        }
        "Mamba2" => {
            let hidden = config["hidden_size"].as_u64().unwrap();
            config["num_key_value_heads"] = Value::Null;
            for (key, value) in [
                ("expand", 2),
                ("n_groups", number(dice, &[1, 8])),
                ("num_heads", hidden / 32),
                ("head_dim", 64),
                ("state_size", 128),
                ("conv_kernel", 4),
            ] {
                config[key] = json!(value);
            }
            kinds = vec!['s'; count];
        }
        "NemotronH" => {
            for (key, value) in [
                ("n_groups", number(dice, &[2, 8])),
                ("mamba_num_heads", number(dice, &[32, 64])),
                ("mamba_head_dim", 64),
                ("ssm_state_size", 128),
                ("conv_kernel", 4),
                ("chunk_size", 128),
                ("head_dim", 128),
            ] {
                config[key] = json!(value);
            }
            for kind in &mut kinds {
                *kind = if dice.below(3) == 0 { '-' } else { *kind };
            }
            kinds[1] = 's';
            kinds[2] = 'a';
            let letter = |kind: &char| match kind {
                'a' => '*',
                's' => 'M',
                _ => '-',
            };
            config["hybrid_override_pattern"] = json!(kinds.iter().map(letter).collect::<String>());
        }
        "Qwen3Next" => {
            config["full_attention_interval"] = json!(each);
            config["head_dim"] = json!(number(dice, &[128, 256]));
            let keys = number(dice, &[8, 16]);
            for (key, value) in [
                ("linear_num_key_heads", keys),
                ("linear_num_value_heads", keys * 2),
                ("linear_key_head_dim", 128),
                ("linear_value_head_dim", 128),
                ("linear_conv_kernel_dim", 4),
            ] {
                config[key] = json!(value);
            }
        }
        _ => {
            kinds = self::kinds(count, each, 'b', 's');
            let names = [('b', "hybrid"), ('s', "mamba"), ('-', "")];
            config["layers_block_type"] = listed(&kinds, names);
            config["attention_head_dim"] = json!(256);
            for (key, value) in [
                ("mamba_expand", 2),
                ("mamba_ngroups", number(dice, &[1, 2])),
                ("n_mamba_heads", 32),
                ("mamba_headdim", heads * 8),
                ("mamba_d_state", 64),
                ("mamba_d_conv", 4),
                ("chunk_size", 256),
            ] {
                config[key] = json!(value);
            }
        }
    }
    (config, kinds)
}

fn case(dice: &mut Dice) -> Case {
    let (config, kinds) = model(dice);
    // Without attention nobody caches prefixes.
    let choice = if kinds.contains(&'a') || kinds.contains(&'b') { 3 } else { 1 };
    Case {
        config,
        kinds,
        tokens: number(dice, &[1000, 8192, 30_000, 131_072]) - below(dice, 700),
        block: number(dice, &[64, 128]),
        bytes: number(dice, &[1, 2]),
        ranks: number(dice, &[1, 1, 2]),
        prefixes: [None, Some(false), Some(true)][dice.below(choice)],
        carried: dice.of(&["auto", "float32"]),
        cache: 1,
    }
}

impl Case {
    fn class(&self) -> &str {
        self.config["architectures"][0].as_str().unwrap()
    }

    /// Numbers of a key of one head.
    fn head(&self) -> u64 {
        let own = self.config["attention_head_dim"].as_u64();
        own.or_else(|| self.config["head_dim"].as_u64()).unwrap_or(128)
    }

    fn question(&self) -> Value {
        let keys = self.config["num_key_value_heads"].as_u64().unwrap_or_default();
        let all =
            json!({"kept": "all", "heads": (keys / self.ranks).max(1), "width": 2 * self.head()});
        let layer = |kind: &char| match kind {
            'a' => all.clone(),
            's' => json!({"kept": "state"}),
            'b' => json!([all, {"kept": "state"}]),
            _ => json!([]),
        };
        json!({"class": self.class(), "config": self.config, "stages": [self.kinds.len()],
            "layers": self.kinds.iter().map(layer).collect::<Vec<_>>(), "block": self.block,
            "tokens": self.tokens, "bytes": self.bytes, "batch": 2048, "batches": 1,
            "cache": self.cache, "ranks": self.ranks, "prefixes": self.prefixes,
            "carried": self.carried})
    }

    /// What is said of it.
    fn shortage(&self, release: &str) -> Option<Shortage> {
        let kind = if self.bytes == 1 { "fp8" } else { "auto" };
        let prefixes = match self.prefixes {
            Some(true) => "--enable-prefix-caching",
            Some(false) => "--no-enable-prefix-caching",
            None => "",
        };
        let words = format!(
            "--max-model-len {} --block-size {} --kv-cache-dtype {kind} -tp {} {prefixes} \
             --mamba-ssm-cache-dtype {} --kv-cache-memory-bytes {}",
            self.tokens, self.block, self.ranks, self.carried, self.cache
        );
        shortage(&self.config, &words, release)
    }

    /// Whether it is known to the byte: whether it may be 32 tokens that the kernels want of a wide head, and
    /// whether there may be a third state, is not.
    fn is_exact(&self, release: &str) -> bool {
        let is_linear = self.class() == "Qwen3NextForCausalLM";
        let is_told = release != "0.12.0" || self.carried == "auto";
        let is_stated = self.class() != "NemotronHForCausalLM" || self.carried != "auto";
        self.head() != 256 && is_stated && (!is_linear || release != "0.33.0" && is_told)
    }
}

/// The case with a cache that is not far from what is needed.
fn near(mut case: Case, release: &str, dice: &mut Dice) -> Case {
    let needed = case.shortage(release).map_or(1, |it| it.needed);
    case.cache = needed / 100 * (90 + below(dice, 30));
    case
}

fn hold(release: &str, seed_of_release: u64) {
    let Some(judge) = judge() else { return };
    let mut dice = Dice(seed(seed_of_release));
    let cases: Vec<Case> = (0..CASES)
        .map(|_| {
            let case = case(&mut dice);
            near(case, release, &mut dice)
        })
        .collect();
    let questions: Vec<Value> = cases.iter().map(Case::question).collect();
    let answers = answers(&judge, release, &questions);
    assert_eq!(answers.len(), questions.len());
    let is_refused = |answer: &Value| answer["refused"].as_bool().unwrap();
    let refused = answers.iter().filter(|answer| is_refused(answer)).count();
    assert!((CASES / 5..CASES * 9 / 10).contains(&refused), "{refused} are refused");
    let exact = cases.iter().filter(|case| case.is_exact(release)).count();
    assert!(CASES / 2 < exact, "{exact} are exact");
    let wrong = cases.iter().zip(&answers).filter_map(|(case, answer)| {
        let said = case.shortage(release);
        let is_wrong = match said.is_some() {
            true => !is_refused(answer),
            false => is_refused(answer) && case.is_exact(release),
        };
        is_wrong.then(|| format!("{}\n  {answer}, said {said:?}", case.question()))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{} of {CASES}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_cache_with_states_is_refused_as_vllm_0_12_does() {
    hold("0.12.0", 0x0C);
}

#[test]
fn a_cache_with_states_is_refused_as_vllm_0_18_does() {
    hold("0.18.1", 0x12);
}

#[test]
fn a_cache_with_states_is_refused_as_vllm_0_28_does() {
    hold("0.28.0", 0x1C);
}

#[test]
fn a_cache_with_states_is_refused_as_vllm_0_33_does() {
    hold("0.33.0", 0x21);
}
