//! What the layers of a model keep of the tokens of a request (vLLM 0.10.2 to 0.33.0,
//! model_executor/models and transformers_utils/model_arch_config_convertor.py).

use serde_json::Value;

use crate::plan::engine::memory::Checkpoint;

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
    /// The last so many.
    Window(u64),
    /// Those of the same piece of so many.
    Chunk(u64),
}

/// All layers of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layers {
    /// One for each; absent: it keeps nothing of each token, or that is not known.
    pub(super) layers: Vec<Option<Layer>>,
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
    /// Only what the list says is certain, which these classes have to have.
    Listed,
    /// Chunks, but in the layers that have no positions.
    Chunks,
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
    ("Qwen3NextForCausalLM", Pattern::Listed),
    ("Qwen3VLForConditionalGeneration", Pattern::Alike),
    ("Qwen3VLMoeForConditionalGeneration", Pattern::Alike),
    ("SmolLM3ForCausalLM", Pattern::Alike),
    ("Starcoder2ForCausalLM", Pattern::Alike),
];

/// Those whose window is, without a list, that of every layer.
const WINDOWED: [&str; 2] = ["MistralForCausalLM", "MixtralForCausalLM"];

impl Layers {
    /// Those of a model; absent: its class, or what it says of itself, is not known.
    pub(super) fn of(checkpoint: &Checkpoint) -> Option<Self> {
        let class = checkpoint.architecture()?;
        let (_, pattern) = CLASSES.iter().find(|(known, _)| *known == class)?;
        let number = |key: &str| checkpoint.number(key);
        let count = number("num_hidden_layers").filter(|count| (1..=MOST).contains(count))?;
        let heads = number("num_attention_heads").filter(|heads| *heads > 0)?;
        if *pattern == Pattern::Latent
            && let Some(rank) = number("kv_lora_rank")
        {
            let width = rank.checked_add(number("qk_rope_head_dim")?)?;
            let layer = Layer { kept: Kept::Latent, heads: 1, width };
            // An index of what is attended to is kept beside it.
            let is_certain = number("index_topk").is_none();
            return Some(Self {
                layers: vec![Some(layer); usize::try_from(count).ok()?],
                is_certain,
            });
        }
        let keys = number("num_key_value_heads").unwrap_or(heads);
        let head = number("head_dim").filter(|head| *head > 0);
        let head = head.or_else(|| number("hidden_size")?.checked_div(heads))?;
        let plain = Layer { kept: Kept::All, heads: keys, width: head.checked_mul(2)? };
        let kinds = Kinds::of(checkpoint, *pattern);
        let kept: Vec<Result<Option<Kept>, ()>> = (0..count).map(|it| kinds.kept(it)).collect();
        let is_certain = kinds.is_certain(class) && kept.iter().all(Result::is_ok);
        let layer = |kept: Result<Option<Kept>, ()>| {
            kept.unwrap_or_default().map(|kept| Layer { kept, ..plain })
        };
        Some(Self { layers: kept.into_iter().map(layer).collect(), is_certain })
    }
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

    /// What a layer keeps of each token; nothing, where it has a state instead. An error where that is
    /// not known.
    fn kept(&self, layer: u64) -> Result<Option<Kept>, ()> {
        let window = || self.window.map(Kept::Window).ok_or(());
        if let Some(listed) = self.listed {
            let kind = usize::try_from(layer).ok().and_then(|layer| listed.get(layer)?.as_str());
            return match kind {
                Some("full_attention") => Ok(Some(Kept::All)),
                Some("sliding_attention") => window().map(Some),
                Some("chunked_attention") => self.chunk.map(Kept::Chunk).ok_or(()).map(Some),
                Some("linear_attention") => Ok(None),
                Some(_) | None => Err(()),
            };
        }
        match self.pattern {
            Pattern::Alike | Pattern::Latent => {
                Ok(Some(self.window.map_or(Kept::All, Kept::Window)))
            }
            Pattern::AllBut(each) if (layer + 1).is_multiple_of(each) => Ok(Some(Kept::All)),
            Pattern::AllBut(_) => Ok(Some(self.window.map_or(Kept::All, Kept::Window))),
            Pattern::Chunks => Ok(Some(self.chunked(layer))),
            Pattern::Listed => Err(()),
        }
    }

    fn chunked(&self, layer: u64) -> Kept {
        let said =
            self.everywhere.and_then(|list| list.get(usize::try_from(layer).ok()?)?.as_u64());
        let keeps_all = said.map_or_else(|| (layer + 1).is_multiple_of(4), |said| said == 0);
        if keeps_all { Kept::All } else { self.chunk.map_or(Kept::All, Kept::Chunk) }
    }

    /// Whether the releases read it as it is read here. A window without a list of the layers is not
    /// every class's, and a state beside keys and values makes their blocks larger.
    fn is_certain(&self, class: &str) -> bool {
        match self.pattern {
            Pattern::Alike => {
                self.window.is_none() || self.listed.is_some() || WINDOWED.contains(&class)
            }
            // 0.33.0 and not 0.12.0 keeps one token more.
            Pattern::AllBut(4) => self.window.is_none(),
            Pattern::AllBut(_) => true,
            Pattern::Listed | Pattern::Chunks | Pattern::Latent => false,
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
        let expected = Layers { layers: vec![Some(layer); 2], is_certain: true };
        assert_eq!(layers(plain.clone()), Some(expected));
        let mut mistral = plain.clone();
        mistral["architectures"] = json!(["MistralForCausalLM"]);
        mistral["sliding_window"] = json!(4096);
        let found = layers(mistral.clone()).unwrap();
        assert_eq!(found.layers[1].unwrap().kept, Kept::Window(4096));
        assert!(found.is_certain);
        mistral["architectures"] = json!(["Qwen2ForCausalLM"]);
        mistral["use_sliding_window"] = json!(false);
        assert_eq!(layers(mistral).unwrap().layers[0].unwrap().kept, Kept::All);
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
        assert_eq!(found, Some(Layers { layers: vec![Some(layer); 61], is_certain: true }));
    }

    #[test]
    fn windows_come_by_turns() {
        let kept = |class: &str, list: Value| {
            let found = layers(json!({"architectures": [class], "text_config": {
                "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 4,
                "head_dim": 256, "hidden_size": 2560, "sliding_window": 1024, "layer_types": list,
                "attention_chunk_size": 8192}}));
            let letter = |layer: &Option<Layer>| match layer.map(|layer| layer.kept) {
                Some(Kept::All) => 'a',
                Some(Kept::Window(1024)) => 'w',
                Some(Kept::Chunk(8192)) => 'c',
                Some(Kept::Latent | Kept::Window(_) | Kept::Chunk(_)) => '?',
                None => '-',
            };
            found.unwrap().layers.iter().map(letter).collect::<String>()
        };
        assert_eq!(kept("Gemma3ForConditionalGeneration", Value::Null), "wwwwwa");
        assert_eq!(kept("GptOssForCausalLM", Value::Null), "wawawa");
        assert_eq!(kept("Llama4ForConditionalGeneration", Value::Null), "cccacc");
        let (linear, full) = ("linear_attention", "full_attention");
        let list = json!([linear, linear, linear, full, linear, "sliding_attention"]);
        assert_eq!(kept("Qwen3NextForCausalLM", list), "---a-w");
        assert_eq!(kept("Qwen3NextForCausalLM", Value::Null), "------");
    }
}
