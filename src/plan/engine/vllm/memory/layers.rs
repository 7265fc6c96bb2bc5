//! What the layers of a model keep of the tokens of a request (vLLM 0.10.2 to 0.33.0,
//! model_executor/models and transformers_utils/model_arch_config_convertor.py).

use serde_json::Value;

use super::states::{Family, State};
use crate::plan::engine::memory::Checkpoint;
use crate::plan::engine::vllm::ENCODERS;

/// More layers than any model has.
const MOST: u64 = 4096;

/// What one layer keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layer {
    /// Of which tokens.
    pub(super) kept: Kept,
    /// Heads of keys and values, over all ranks.
    pub(super) heads: u64,
    /// Numbers of a key and a value of one head together.
    pub(super) width: u64,
}

/// The tokens of which a layer keeps keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// All of them, divided among the ranks by heads.
    All,
    /// All of them, each as one vector that every rank keeps.
    Latent,
    /// All of them, each as so many bytes, by which is found what is attended to, on every rank.
    Index,
    /// The last so many.
    Window(u64),
    /// Those of the same piece of so many.
    Chunk(u64),
    /// A state in the place of all of them.
    State(State),
}

/// What a layer keeps, and which of the model's layers it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) at: u64,
    pub(super) layer: Layer,
}

/// All layers of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layers {
    /// What is kept of them, in the order in which they are made. A layer may be here more than once, and
    /// those that keep nothing, or of which it is not known, are not.
    pub(super) layers: Vec<Placed>,
    /// How many layers there are.
    pub(super) count: u64,
    /// Whether just this is kept; otherwise at least this.
    pub(super) is_certain: bool,
}

/// How the layers of a class differ from each other where the configuration does not list them, as
/// transformers fills it in (4.57.6 configuration_*.py).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pattern {
    /// They do not. A window is that of all of them.
    Alike,
    /// All but each n-th, counted from 1, have a window.
    AllBut(u64),
    /// Chunks, but in the layers that have no positions.
    Chunks,
    /// As [`Pattern::AllBut`], but the last layers keep nothing: they read what others keep.
    Shared(u64),
    /// The same as a list has it, and the layers without a window have heads of their own.
    SharedWide,
    /// One vector for each token, whatever the heads.
    Latent,
}

/// The classes that were read. Of every other nothing is known.
const CLASSES: &[(&str, Pattern)] = &[
    ("CohereForCausalLM", Pattern::Alike),
    ("Cohere2ForCausalLM", Pattern::AllBut(4)),
    ("DeepseekV2ForCausalLM", Pattern::Latent),
    ("DeepseekV3ForCausalLM", Pattern::Latent),
    ("DeepseekV32ForCausalLM", Pattern::Latent),
    ("Gemma2ForCausalLM", Pattern::AllBut(2)),
    ("Gemma3ForCausalLM", Pattern::AllBut(6)),
    ("Gemma3ForConditionalGeneration", Pattern::AllBut(6)),
    ("Gemma3nForCausalLM", Pattern::Shared(5)),
    ("Gemma3nForConditionalGeneration", Pattern::Shared(5)),
    ("Gemma4ForCausalLM", Pattern::SharedWide),
    ("Gemma4ForConditionalGeneration", Pattern::SharedWide),
    ("GemmaForCausalLM", Pattern::Alike),
    ("Glm4ForCausalLM", Pattern::Alike),
    ("Glm4MoeForCausalLM", Pattern::Alike),
    ("GptOssForCausalLM", Pattern::AllBut(2)),
    ("GraniteForCausalLM", Pattern::Alike),
    ("GraniteMoeForCausalLM", Pattern::Alike),
    ("Llama4ForConditionalGeneration", Pattern::Chunks),
    ("LlamaForCausalLM", Pattern::Alike),
    ("LlavaForConditionalGeneration", Pattern::Alike),
    ("LlavaNextForConditionalGeneration", Pattern::Alike),
    ("Mistral3ForConditionalGeneration", Pattern::Alike),
    ("MistralForCausalLM", Pattern::Alike),
    ("MixtralForCausalLM", Pattern::Alike),
    ("OlmoForCausalLM", Pattern::Alike),
    ("Olmo2ForCausalLM", Pattern::Alike),
    ("Olmo3ForCausalLM", Pattern::AllBut(4)),
    ("OlmoeForCausalLM", Pattern::Alike),
    ("Phi3ForCausalLM", Pattern::Alike),
    ("Qwen2ForCausalLM", Pattern::Alike),
    ("Qwen2MoeForCausalLM", Pattern::Alike),
    ("Qwen2VLForConditionalGeneration", Pattern::Alike),
    ("Qwen2_5_VLForConditionalGeneration", Pattern::Alike),
    ("Qwen3ForCausalLM", Pattern::Alike),
    ("Qwen3MoeForCausalLM", Pattern::Alike),
    ("Qwen3VLForConditionalGeneration", Pattern::Alike),
    ("Qwen3VLMoeForConditionalGeneration", Pattern::Alike),
    ("SmolLM3ForCausalLM", Pattern::Alike),
    ("Starcoder2ForCausalLM", Pattern::Alike),
];

/// The ends of the names of classes that are asked for vectors, whose layers are those of the class that gives out
/// text (0.12.0 to 0.33.0 models/registry.py and adapters.py).
const OF_VECTORS: [&str; 5] = [
    "Model",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForProcessRewardModel",
    "ForRewardModel",
];

/// The classes whose attention looks both ways and keeps nothing, beside those that are no generator in any release
/// (0.12.0 to 0.33.0 models/bert.py, roberta.py, bert_with_rope.py, modernbert.py and siglip.py,
/// `EncoderOnlyAttention`).
const MORE_ENCODERS: [&str; 4] = [
    "HF_ColBERT",
    "ModernBertForTokenClassification",
    "SiglipModel",
    "XLMRobertaForTokenClassification",
];

/// The beginnings of the names of classes that do the same where the configuration says so (0.12.0 to 0.33.0
/// models/llama.py, qwen2.py and qwen3.py, `is_causal`, and of gemma3.py `use_bidirectional_attention`).
const BOTH_WAYS: [&str; 5] = ["Llama", "Mistral", "Qwen2", "Qwen3", "Gemma3Text"];

/// Those whose window is, without a list, that of every layer.
const WINDOWED: [&str; 2] = ["MistralForCausalLM", "MixtralForCausalLM"];

impl Layers {
    /// Those of a model; absent: its class, or what it says of itself, is not known.
    pub(super) fn of(checkpoint: &Checkpoint) -> Option<Self> {
        let class = checkpoint.architecture()?;
        if let Some(family) = Family::of(class) {
            return Self::with_states(checkpoint, family);
        }
        let (class, pattern) = pattern(class)?;
        let number = |key: &str| checkpoint.number(key);
        let count = number("num_hidden_layers").filter(|count| (1..=MOST).contains(count))?;
        let heads = number("num_attention_heads").filter(|heads| *heads > 0)?;
        if pattern == Pattern::Latent
            && let Some(layer) = latent(checkpoint)
        {
            return Some(Self::latents(checkpoint, layer, count));
        }
        let head = number("head_dim").filter(|head| *head > 0);
        let head = head.or_else(|| number("hidden_size")?.checked_div(heads))?;
        let plain = plain(checkpoint, head)?;
        let kinds = Kinds::of(checkpoint, pattern);
        let wide = kinds.wide(checkpoint, plain)?;
        let keeping = count.saturating_sub(kinds.shared(checkpoint)?);
        let kept: Vec<Option<Kept>> = (0..keeping).map(|it| kinds.kept(it)).collect();
        let is_certain = kinds.is_certain(class) && kept.iter().all(Option::is_some);
        let layer = |(at, kept): (u64, Option<Kept>)| {
            let kept = kept?;
            let own = if kept == Kept::All { wide } else { plain };
            Some(Placed { at, layer: Layer { kept, ..own } })
        };
        Some(Self { layers: (0..).zip(kept).filter_map(layer).collect(), count, is_certain })
    }

    /// Those of a model whose layers are all like `layer`, which keeps one vector of each token, and may keep an
    /// index beside it.
    fn latents(checkpoint: &Checkpoint, layer: Layer, count: u64) -> Self {
        if !is_sparse(checkpoint) {
            return Self { layers: alike(count, layer), count, is_certain: true };
        }
        // Not every layer has one of its own where one of these is said.
        let shares = ["index_topk_freq", "index_topk_pattern", "index_skip_topk_offset"];
        let is_shared = shares.iter().any(|key| checkpoint.value(key).is_some());
        let index = index(checkpoint).filter(|_| !is_shared);
        let each = [Some(layer), index];
        let layers = (0..count)
            .flat_map(|at| each.into_iter().flatten().map(move |layer| Placed { at, layer }));
        Self { layers: layers.collect(), count, is_certain: index.is_some() }
    }

    /// Those of a model some of whose layers keep a state.
    fn with_states(checkpoint: &Checkpoint, family: &Family) -> Option<Self> {
        let count = family.count(checkpoint).filter(|count| (1..=MOST).contains(count))?;
        let mixes = family.mixes(checkpoint, count)?;
        let state = family.state(checkpoint);
        let attention = latent(checkpoint).or_else(|| plain(checkpoint, family.head(checkpoint)?));
        let attends = mixes.iter().any(|mix| mix.attends);
        let carries = mixes.iter().any(|mix| mix.carries);
        let is_certain = (!attends || attention.is_some()) && (!carries || state.is_some());
        let state = state.map(|state| Layer { kept: Kept::State(state), heads: 1, width: 0 });
        let layers = (0..).zip(&mixes).flat_map(|(at, mix)| {
            let kept = [attention.filter(|_| mix.attends), state.filter(|_| mix.carries)];
            kept.into_iter().flatten().map(move |layer| Placed { at, layer })
        });
        let mut layers: Vec<Placed> = layers.collect();
        if family.shares() {
            layers.sort_by_key(|placed| matches!(placed.layer.kept, Kept::State(_)));
        }
        Some(Self { layers, count, is_certain })
    }
}

/// Whether no layer keeps anything, because all look both ways.
pub(super) fn keep_nothing(checkpoint: &Checkpoint) -> bool {
    let Some(class) = checkpoint.architecture() else { return false };
    let says =
        |key: &str, wanted: bool| checkpoint.value(key).and_then(Value::as_bool) == Some(wanted);
    let looks = says("is_causal", false) || says("use_bidirectional_attention", true);
    let may = || BOTH_WAYS.iter().any(|start| class.starts_with(start));
    ENCODERS.contains(&class) || MORE_ENCODERS.contains(&class) || looks && may()
}

/// Whether a class gives out text, as far as it is known.
pub(super) fn gives_text(class: &str) -> bool {
    Family::of(class).is_some() || CLASSES.iter().any(|(known, _)| *known == class)
}

/// How the layers of a class differ, and its name, or that of the one that gives out text, whose they are.
fn pattern(class: &str) -> Option<(&'static str, Pattern)> {
    let of_text = OF_VECTORS.iter().filter_map(|end| class.strip_suffix(end));
    let mut names = of_text.map(|start| format!("{start}ForCausalLM")).collect::<Vec<_>>();
    names.insert(0, class.to_owned());
    names.iter().find_map(|name| CLASSES.iter().find(|(known, _)| known == name)).copied()
}

/// As many layers that are alike.
fn alike(count: u64, layer: Layer) -> Vec<Placed> {
    (0..count).map(|at| Placed { at, layer }).collect()
}

/// Whether attention is paid to some of the tokens alone, which an index finds (DeepSeek-V3.2).
pub(super) fn is_sparse(checkpoint: &Checkpoint) -> bool {
    checkpoint.number("index_topk").is_some()
}

/// What an index keeps: a number of 8 bits for each of a head, and 4 bytes for 128 of them (0.12.0 to 0.33.0
/// `DeepseekV32IndexerCache`); absent: its size is not said.
fn index(checkpoint: &Checkpoint) -> Option<Layer> {
    let head = checkpoint.number("index_head_dim")?;
    let width = head.checked_add((head / 128).checked_mul(4)?)?;
    Some(Layer { kept: Kept::Index, heads: 1, width })
}

/// A layer that keeps one vector of each token; absent: it keeps keys and values.
fn latent(checkpoint: &Checkpoint) -> Option<Layer> {
    let rank = checkpoint.number("kv_lora_rank")?;
    let width = rank.checked_add(checkpoint.number("qk_rope_head_dim")?)?;
    Some(Layer { kept: Kept::Latent, heads: 1, width })
}

/// A layer that keeps a key and a value, of so many numbers each, of each token.
fn plain(checkpoint: &Checkpoint, head: u64) -> Option<Layer> {
    let keys = checkpoint.number("num_key_value_heads");
    let heads = keys.or_else(|| checkpoint.number("num_attention_heads"))?;
    Some(Layer { kept: Kept::All, heads, width: head.checked_mul(2)? })
}

/// What a configuration says of its layers.
struct Kinds<'a> {
    pattern: Pattern,
    /// `layer_types`.
    listed: Option<&'a Vec<Value>>,
    window: Option<u64>,
    chunk: Option<u64>,
    /// The layers without positions, which keep everything (`no_rope_layers`: 0).
    everywhere: Option<&'a Vec<Value>>,
}

impl<'a> Kinds<'a> {
    fn of(checkpoint: &'a Checkpoint, pattern: Pattern) -> Self {
        let list = |key: &str| checkpoint.value(key).and_then(Value::as_array);
        let list = |key: &str| list(key).filter(|list| !list.is_empty());
        let is_used = checkpoint.value("use_sliding_window").and_then(Value::as_bool);
        let window = checkpoint.number("sliding_window").filter(|window| *window > 0);
        Self {
            pattern,
            listed: list("layer_types"),
            window: window.filter(|_| is_used != Some(false)),
            chunk: checkpoint.number("attention_chunk_size").filter(|chunk| *chunk > 0),
            everywhere: list("no_rope_layers"),
        }
    }

    /// What a layer keeps of each token; absent: that is not known.
    fn kept(&self, layer: u64) -> Option<Kept> {
        if let Some(listed) = self.listed {
            let kind = usize::try_from(layer).ok().and_then(|layer| listed.get(layer)?.as_str());
            return match kind {
                Some("full_attention") => Some(Kept::All),
                Some("sliding_attention") => self.window.map(Kept::Window),
                Some("chunked_attention") => self.chunk.map(Kept::Chunk),
                Some(_) | None => None,
            };
        }
        match self.pattern {
            Pattern::AllBut(each) | Pattern::Shared(each) if (layer + 1).is_multiple_of(each) => {
                Some(Kept::All)
            }
            Pattern::Alike | Pattern::Latent | Pattern::AllBut(_) | Pattern::Shared(_) => {
                Some(self.window.map_or(Kept::All, Kept::Window))
            }
            Pattern::SharedWide => None,
            Pattern::Chunks => Some(self.chunked(layer)),
        }
    }

    /// How many of the last layers keep nothing (0.12.0 to 0.33.0 models/gemma3n.py and gemma4.py); absent:
    /// that is not said.
    fn shared(&self, checkpoint: &Checkpoint) -> Option<u64> {
        match self.pattern {
            Pattern::Shared(_) | Pattern::SharedWide => checkpoint.number("num_kv_shared_layers"),
            Pattern::Alike | Pattern::AllBut(_) | Pattern::Chunks | Pattern::Latent => Some(0),
        }
    }

    /// A layer without a window, where `plain` is one with a window (0.20.2 to 0.33.0 models/gemma4.py);
    /// absent: its numbers are not said.
    fn wide(&self, checkpoint: &Checkpoint, plain: Layer) -> Option<Layer> {
        if self.pattern != Pattern::SharedWide {
            return Some(plain);
        }
        let is_one = checkpoint.value("attention_k_eq_v").and_then(Value::as_bool) == Some(true);
        let heads = checkpoint.number("num_global_key_value_heads").filter(|_| is_one);
        let head = checkpoint.number("global_head_dim")?;
        Some(Layer { heads: heads.unwrap_or(plain.heads), width: head.checked_mul(2)?, ..plain })
    }

    fn chunked(&self, layer: u64) -> Kept {
        let said =
            self.everywhere.and_then(|list| list.get(usize::try_from(layer).ok()?)?.as_u64());
        let keeps_all = said.map_or_else(|| (layer + 1).is_multiple_of(4), |said| said == 0);
        if keeps_all { Kept::All } else { self.chunk.map_or(Kept::All, Kept::Chunk) }
    }

    /// Whether the releases read it as it is read here. A window without a list of the layers is not
    /// every class's.
    fn is_certain(&self, class: &str) -> bool {
        match self.pattern {
            Pattern::Alike => {
                self.window.is_none() || self.listed.is_some() || WINDOWED.contains(&class)
            }
            // 0.33.0 and not 0.12.0 keeps one token more.
            Pattern::AllBut(4) => self.window.is_none(),
            Pattern::AllBut(_) | Pattern::Shared(_) => true,
            // Releases make blocks of several sizes alike in several ways, which only take more.
            Pattern::SharedWide | Pattern::Chunks | Pattern::Latent => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn layers(config: Value) -> Option<Layers> {
        let Value::Object(config) = config else { unreachable!() };
        Layers::of(&Checkpoint { config, ..Checkpoint::default() })
    }

    #[test]
    fn plain_layers_are_alike() {
        let plain = json!({"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64});
        let layer = Layer { kept: Kept::All, heads: 2, width: 32 };
        let expected = Layers { layers: alike(2, layer), count: 2, is_certain: true };
        assert_eq!(layers(plain.clone()), Some(expected));
        let mut mistral = plain.clone();
        mistral["architectures"] = json!(["MistralForCausalLM"]);
        mistral["sliding_window"] = json!(4096);
        let found = layers(mistral.clone()).unwrap();
        assert_eq!(found.layers[1].layer.kept, Kept::Window(4096));
        assert!(found.is_certain);
        mistral["architectures"] = json!(["Qwen2ForCausalLM"]);
        mistral["use_sliding_window"] = json!(false);
        assert_eq!(layers(mistral).unwrap().layers[0].layer.kept, Kept::All);
        let mut other = plain;
        other["architectures"] = json!(["NobodyKnowsForCausalLM"]);
        assert_eq!(layers(other), None);
    }

    #[test]
    fn one_vector_for_each_token_is_the_same_on_every_rank() {
        let found =
            layers(json!({"architectures": ["DeepseekV3ForCausalLM"], "num_hidden_layers": 61,
            "num_attention_heads": 128, "kv_lora_rank": 512, "qk_rope_head_dim": 64}));
        let layer = Layer { kept: Kept::Latent, heads: 1, width: 576 };
        assert_eq!(found, Some(Layers { layers: alike(61, layer), count: 61, is_certain: true }));
    }

    #[test]
    fn an_index_is_kept_beside_the_vectors_unless_layers_share_it() {
        let config = |more: Value| {
            let mut config = json!({"architectures": ["DeepseekV32ForCausalLM"],
                "num_hidden_layers": 2, "num_attention_heads": 128, "kv_lora_rank": 512,
                "qk_rope_head_dim": 64, "index_topk": 2048, "index_head_dim": 128});
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            layers(config).unwrap()
        };
        let latent = Layer { kept: Kept::Latent, heads: 1, width: 576 };
        let index = Layer { kept: Kept::Index, heads: 1, width: 132 };
        let own = |at| [latent, index].map(|layer| Placed { at, layer });
        let expected = [own(0), own(1)].concat();
        assert_eq!(config(json!({})), Layers { layers: expected, count: 2, is_certain: true });
        let expected = Layers { layers: alike(2, latent), count: 2, is_certain: false };
        assert_eq!(config(json!({"index_topk_freq": 4})), expected);
    }

    #[test]
    fn windows_come_by_turns() {
        let kept = |class: &str, list: Value| {
            let found = layers(json!({"architectures": [class], "text_config": {
                "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 4,
                "head_dim": 256, "hidden_size": 2560, "sliding_window": 1024, "layer_types": list,
                "attention_chunk_size": 8192}}));
            let letter = |placed: &Placed| match placed.layer.kept {
                Kept::All => 'a',
                Kept::Window(1024) => 'w',
                Kept::Chunk(8192) => 'c',
                Kept::Latent | Kept::Index | Kept::Window(_) | Kept::Chunk(_) | Kept::State(_) => {
                    '?'
                }
            };
            found.unwrap().layers.iter().map(letter).collect::<String>()
        };
        assert_eq!(kept("Gemma3ForConditionalGeneration", Value::Null), "wwwwwa");
        assert_eq!(kept("GptOssForCausalLM", Value::Null), "wawawa");
        assert_eq!(kept("Llama4ForConditionalGeneration", Value::Null), "cccacc");
        let (full, windowed) = ("full_attention", "sliding_attention");
        let list = json!([full, full, "unheard_of", full, full, windowed]);
        assert_eq!(kept("Qwen3ForCausalLM", list), "aaaaw");
    }

    #[test]
    fn layers_that_read_what_others_keep_keep_nothing() {
        let found = layers(json!({"architectures": ["Gemma3nForConditionalGeneration"],
            "text_config": {"num_hidden_layers": 30, "num_attention_heads": 8, "head_dim": 256,
                "num_key_value_heads": 2, "num_kv_shared_layers": 10, "sliding_window": 512}}));
        let found = found.unwrap();
        assert_eq!((found.layers.len(), found.count, found.is_certain), (20, 30, true));
        assert_eq!(found.layers[4].layer, Layer { kept: Kept::All, heads: 2, width: 512 });
        let config = |shared: Value| {
            json!({"architectures": ["Gemma4ForCausalLM"], "num_hidden_layers": 3,
                "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
                "global_head_dim": 512, "num_global_key_value_heads": 1, "attention_k_eq_v": true,
                "num_kv_shared_layers": shared, "sliding_window": 1024, "layer_types":
                ["sliding_attention", "full_attention", "full_attention"]})
        };
        let found = layers(config(json!(1))).unwrap();
        let windowed = Layer { kept: Kept::Window(1024), heads: 4, width: 512 };
        let wide = Layer { kept: Kept::All, heads: 1, width: 1024 };
        let expected = [Placed { at: 0, layer: windowed }, Placed { at: 1, layer: wide }];
        assert_eq!((found.layers.as_slice(), found.is_certain), (expected.as_slice(), false));
        assert_eq!(layers(config(Value::Null)), None);
    }
}
