//! `config.json`: what a model says about itself.

use serde_json::{Map, Value};

use crate::plan::engine::{Gptq, Positions, Scaling};

/// The keys that can hold the context length; the smallest counts (vLLM 0.12.0,
/// `config/model.py`, `_get_and_verify_max_len`).
const CONTEXT_KEYS: [&str; 9] = [
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
];

/// What `config.json` says, as far as an engine depends on it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// `architectures`.
    pub architectures: Vec<String>,
    /// `model_type`.
    pub model_type: Option<String>,
    /// `torch_dtype`, or `dtype` as it is called since transformers 4.56.
    pub dtype: Option<String>,
    /// `quantization_config.quant_method`, or what ModelOpt's own file says.
    pub quantization: Option<String>,
    /// What it states of GPTQ; absent: its method is another, or what it states is not read.
    pub gptq: Option<Gptq>,
    /// Whether it has nothing about a quantisation, not even one without its method.
    pub is_plain: bool,
    /// The context that the model was trained for, in tokens, before any rope scaling.
    pub context_length: Option<u64>,
    /// What there is to tell by how long a context an engine takes.
    pub positions: Positions,
    /// The values of `auto_map`: code that comes with the model, `repo--module.Class` when it comes
    /// with another.
    pub remote_code: Vec<String>,
    /// Those of them that stand for its tokenizer.
    pub tokenizer_code: Vec<String>,
    /// Those of them that stand for its own class (`AutoModel`, `AutoModelForCausalLM` and the like).
    pub model_code: Vec<String>,
    /// Whether one of them stands for its configuration.
    pub has_config_code: bool,
    /// `tokenizer_class`, which older models have here.
    pub tokenizer_class: Option<String>,
    /// Whether it guesses ahead for another model, and says so in place of its type
    /// (`speculators_config`).
    pub is_speculator: bool,
    /// Whether it takes images.
    pub takes_images: bool,
    /// `tie_word_embeddings`.
    pub tied_embeddings: bool,
    /// Whether it takes images or sound too.
    pub multimodal: bool,
    /// Layers.
    pub layers: Option<u64>,
    /// Attention heads.
    pub heads: Option<u64>,
    /// Heads of keys and values.
    pub heads_kv: Option<u64>,
    /// Width of a head, where it is said.
    pub head_dim: Option<u64>,
    /// Width of an embedding.
    pub hidden_size: Option<u64>,
    /// Tokens of the vocabulary.
    pub vocab_size: Option<u64>,
    /// Width of the feed-forward part of a layer.
    pub intermediate_size: Option<u64>,
    /// Width of one expert, where that is another.
    pub expert_size: Option<u64>,
    /// In what pieces its quantised matrices have scales.
    pub pieces: Pieces,
}

/// In what pieces quantised matrices have scales of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pieces {
    /// Numbers of one output that share a scale (`group_size`); absent: all, or that is not said.
    pub group: Option<u64>,
    /// Outputs and inputs of a block that share one (`weight_block_size`, `block_structure`).
    pub block: Option<[u64; 2]>,
    /// Whether some of the matrices of a layer may be without (`modules_to_not_convert`), or are in
    /// another order (`desc_act`).
    pub irregular: bool,
}

impl Config {
    /// Reads what is known out of a document; what is not of the expected type counts as absent.
    #[must_use]
    pub(super) fn of(document: &Map<String, Value>) -> Self {
        let text = document.get("text_config").and_then(Value::as_object).unwrap_or(document);
        let string = |map: &Map<String, Value>, key: &str| {
            map.get(key).and_then(Value::as_str).map(str::to_owned)
        };
        let number =
            |key: &str| text.get(key).or_else(|| document.get(key)).and_then(Value::as_u64);
        let auto_map = |key: &str| strings(document.get("auto_map").and_then(|map| map.get(key)));
        Self {
            architectures: strings(document.get("architectures")),
            model_type: string(document, "model_type"),
            dtype: ["dtype", "torch_dtype"]
                .iter()
                .find_map(|key| string(document, key).or_else(|| string(text, key))),
            quantization: quantization(document, text),
            gptq: quantizations(document, text).next().and_then(gptq),
            is_plain: quantizations(document, text).next().is_none(),
            context_length: positions(text, document).smallest(),
            positions: positions(text, document),
            remote_code: document
                .get("auto_map")
                .and_then(Value::as_object)
                .map(|map| map.values().flat_map(|value| strings(Some(value))).collect())
                .unwrap_or_default(),
            tokenizer_code: auto_map("AutoTokenizer"),
            model_code: document
                .get("auto_map")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .filter(|(key, _)| key.starts_with("AutoModel"))
                .flat_map(|(_, value)| strings(Some(value)))
                .collect(),
            has_config_code: !auto_map("AutoConfig").is_empty(),
            tokenizer_class: string(document, "tokenizer_class"),
            is_speculator: document.get("speculators_config").is_some_and(|it| !it.is_null()),
            takes_images: document.get("vision_config").is_some_and(Value::is_object),
            tied_embeddings: document
                .get("tie_word_embeddings")
                .and_then(Value::as_bool)
                .unwrap_or_default(),
            multimodal: ["vision_config", "audio_config"]
                .iter()
                .any(|key| document.get(*key).is_some_and(Value::is_object)),
            layers: number("num_hidden_layers"),
            heads: number("num_attention_heads"),
            heads_kv: number("num_key_value_heads"),
            head_dim: number("head_dim"),
            hidden_size: number("hidden_size"),
            vocab_size: number("vocab_size"),
            intermediate_size: number("intermediate_size"),
            expert_size: number("moe_intermediate_size"),
            pieces: quantizations(document, text).next().map(Pieces::of).unwrap_or_default(),
        }
    }
}

impl Pieces {
    /// What `quantization_config` says.
    fn of(quantization: &Value) -> Self {
        let left = ["modules_to_not_convert", "ignored_layers", "ignore", "dynamic"];
        let is_of_layer = |name: &Value| {
            let name = name.as_str().unwrap_or("proj");
            ["proj", "mlp", "attn", "layers."].iter().any(|part| name.contains(part))
        };
        let leaves_out = |key: &&str| match &quantization[*key] {
            Value::Array(names) => names.iter().any(is_of_layer),
            Value::Null => false,
            Value::Object(names) => !names.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        };
        let irregular =
            quantization["desc_act"].as_bool().unwrap_or(false) || left.iter().any(leaves_out);
        if let Some(groups) = quantization["config_groups"].as_object() {
            let scheme = Some(groups).filter(|groups| groups.len() == 1);
            let scheme = scheme.and_then(|groups| groups.values().next());
            return scheme
                .map(|it| Self { irregular, ..Self::of_scheme(quantization, it) })
                .unwrap_or_default();
        }
        Self {
            group: positive(&quantization["group_size"]),
            block: block(&quantization["weight_block_size"]),
            irregular,
        }
    }

    /// What the only group of matrices of a model of compressed-tensors says, if it is of all of them and in the
    /// order of the model (vLLM 0.12.0 quantization/compressed_tensors/compressed_tensors.py
    /// `_get_scheme_from_parts`).
    fn of_scheme(quantization: &Value, scheme: &Value) -> Self {
        let weights = &scheme["weights"];
        let format = scheme["format"].as_str().or_else(|| quantization["format"].as_str());
        let is_all = scheme["targets"].as_array().is_some_and(|it| it.iter().eq(["Linear"]));
        let is_dense = quantization["sparsity_config"].as_object().is_none_or(Map::is_empty);
        let is_plain = is_all && is_dense && matches!(&weights["actorder"], Value::Null);
        match (format, weights["strategy"].as_str()) {
            (Some("pack-quantized"), Some("group")) if is_plain => {
                let takes_all = scheme["input_activations"].is_null();
                let group = positive(&weights["group_size"]).filter(|_| takes_all);
                Self { group, ..Self::default() }
            }
            (Some("float-quantized"), Some("block")) if is_plain => {
                Self { block: block(&weights["block_structure"]), ..Self::default() }
            }
            _ => Self::default(),
        }
    }
}

fn positive(number: &Value) -> Option<u64> {
    number.as_u64().filter(|number| *number > 0)
}

/// Two numbers.
fn block(value: &Value) -> Option<[u64; 2]> {
    match value.as_array()?.as_slice() {
        [outputs, inputs] => Some([positive(outputs)?, positive(inputs)?]),
        _ => None,
    }
}

impl Config {
    /// Whether it is of a kind that answers in text.
    #[must_use]
    pub fn makes_text(&self) -> bool {
        let endings = ["ForCausalLM", "ForConditionalGeneration", "LMHeadModel"];
        self.architectures.iter().any(|name| endings.iter().any(|end| name.ends_with(end)))
    }
}

fn positions(text: &Map<String, Value>, document: &Map<String, Value>) -> Positions {
    let length = |key: &'static str| Some((key, text.get(key)?.as_u64()?));
    let string = |key: &str| text.get(key).or_else(|| document.get(key)).and_then(Value::as_str);
    let scalings = [("rope_scaling", false), ("rope_parameters", true)].into_iter();
    let scalings = scalings.flat_map(|(key, is_new)| {
        let rope = text.get(key).and_then(Value::as_object);
        let kinds = rope.into_iter().flat_map(|rope| {
            // One for all layers, or one for each kind of them.
            std::iter::once(rope).chain(rope.values().filter_map(Value::as_object))
        });
        kinds.filter_map(move |rope| scaling(rope, is_new))
    });
    Positions {
        lengths: CONTEXT_KEYS.into_iter().filter_map(length).collect(),
        scalings: scalings.collect(),
        model_type: string("model_type").map(str::to_owned),
        is_absolute: string("position_embedding_type").map(|kind| kind == "absolute"),
    }
}

fn scaling(rope: &Map<String, Value>, is_new: bool) -> Option<Scaling> {
    let kind = rope.get("rope_type").or_else(|| rope.get("type")).and_then(Value::as_str)?;
    Some(Scaling {
        kind: kind.to_owned(),
        factor: rope.get("factor").and_then(Value::as_f64),
        original: rope.get("original_max_position_embeddings").and_then(Value::as_u64),
        is_new,
    })
}

fn quantizations<'a>(
    document: &'a Map<String, Value>,
    text: &'a Map<String, Value>,
) -> impl Iterator<Item = &'a Value> {
    [
        document.get("quantization_config"),
        document.get("compression_config"),
        text.get("quantization_config"),
    ]
    .into_iter()
    .flatten()
    .filter(|config| !config.is_null())
}

/// The method; `modelopt` where the tool of that name wrote none, by its other marks (vLLM 0.12.0
/// `config/model.py`, `_parse_quant_hf_config`).
fn quantization(document: &Map<String, Value>, text: &Map<String, Value>) -> Option<String> {
    let is_modelopt = |config: &Value| {
        config.get("producer").and_then(|it| it.get("name")).and_then(Value::as_str)
            == Some("modelopt")
    };
    if quantizations(document, text).any(is_modelopt) {
        return Some("modelopt".to_owned());
    }
    quantizations(document, text)
        .find_map(|config| config.get("quant_method"))
        .and_then(Value::as_str)
        .map(|method| method.to_lowercase().replace("compressed_tensors", "compressed-tensors"))
}

/// What a model of GPTQ states; nothing where a value is of another type, or where it is laid out for
/// Marlin already.
fn gptq(config: &Value) -> Option<Gptq> {
    let is = |key: &str, word: &str| config[key].as_str() == Some(word);
    let is_laid_out = config["is_marlin_format"].as_bool() == Some(true);
    if !is("quant_method", "gptq") || is_laid_out || is("checkpoint_format", "marlin") {
        return None;
    }
    let number = |key: &str| match config.get(key) {
        None => Some(None),
        Some(value) => value.as_i64().map(Some),
    };
    let truth = |key: &str| match config.get(key) {
        None => Some(None),
        Some(value) => value.as_bool().map(Some),
    };
    Some(Gptq {
        bits: number("bits")?,
        group_size: number("group_size")?,
        symmetric: truth("sym")?,
        reordered: truth("desc_act")?,
    })
}

/// A string, or a list in which only strings count.
fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vision_model_keeps_its_context_in_the_text_part() {
        let document = serde_json::json!({
            "architectures": ["MllamaForConditionalGeneration"],
            "model_type": "mllama",
            "torch_dtype": "bfloat16",
            "vision_config": {"max_position_embeddings": 7},
            "text_config": {"max_position_embeddings": 131_072, "num_hidden_layers": 40,
                "quantization_config": {"quant_method": "fp8"}},
            "auto_map": {"AutoModel": "owner/repo--modeling.Model", "AutoTokenizer": ["t.T", null]},
        });
        let config = Config::of(document.as_object().unwrap());
        assert_eq!(config.context_length, Some(131_072));
        assert_eq!(config.layers, Some(40));
        assert_eq!((config.quantization.as_deref(), config.is_plain), (Some("fp8"), false));
        assert_eq!(config.remote_code, ["owner/repo--modeling.Model", "t.T"]);
        assert!(config.multimodal);
    }

    #[test]
    fn the_pieces_of_compressed_tensors_are_those_of_its_only_group() {
        let pieces = |format: &str, weights: Value, more: Value| {
            let mut config = serde_json::json!({"quant_method": "compressed-tensors",
                "format": format, "ignore": ["lm_head"], "config_groups": {"group_0": {
                    "targets": ["Linear"], "input_activations": null, "weights": weights}}});
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let document = serde_json::json!({"quantization_config": config});
            let pieces = Config::of(document.as_object().unwrap()).pieces;
            (pieces.group, pieces.block, pieces.irregular)
        };
        let nothing = || serde_json::json!({});
        let group = |order: Value| {
            serde_json::json!({"num_bits": 4, "strategy": "group", "group_size": 128,
                "actorder": order})
        };
        let packed = "pack-quantized";
        assert_eq!(pieces(packed, group(Value::Null), nothing()), (Some(128), None, false));
        // The rows are in another order, or the format is one of its own.
        assert_eq!(pieces(packed, group("group".into()), nothing()), (None, None, false));
        assert_eq!(pieces("marlin-24", group(Value::Null), nothing()), (None, None, false));
        let left = serde_json::json!({"ignore": ["model.layers.0.self_attn.q_proj"]});
        assert_eq!(pieces(packed, group(Value::Null), left), (Some(128), None, true));
        let block = serde_json::json!({"strategy": "block", "block_structure": [128, 64]});
        let blocks = pieces("float-quantized", block, nothing());
        assert_eq!(blocks, (None, Some([128, 64]), false));
    }

    #[test]
    fn a_scaling_is_found_for_all_layers_and_for_each_kind_of_them() {
        let found = |rope: Value| {
            let document = serde_json::json!({"max_position_embeddings": 4096, "n_positions": 2048,
                "rope_scaling": null, "rope_parameters": rope});
            let config = Config::of(document.as_object().unwrap());
            assert_eq!(config.context_length, Some(2048));
            let kinds = config.positions.scalings.into_iter();
            kinds.map(|it| (it.kind, it.factor, it.original, it.is_new)).collect::<Vec<_>>()
        };
        assert_eq!(found(Value::Null), []);
        let yarn = serde_json::json!({"type": "yarn", "factor": 4,
            "original_max_position_embeddings": 1024});
        assert_eq!(found(yarn), [("yarn".to_owned(), Some(4.0), Some(1024), true)]);
        let kinds = serde_json::json!({"full_attention": {"rope_type": "dynamic", "factor": 2.5},
            "sliding_attention": {"rope_type": "default"}, "rope_theta": 1});
        assert_eq!(
            found(kinds),
            [
                ("dynamic".to_owned(), Some(2.5), None, true),
                ("default".to_owned(), None, None, true)
            ]
        );
    }

    #[test]
    fn what_is_of_the_wrong_type_counts_as_absent() {
        let document = serde_json::json!({"architectures": 3, "max_position_embeddings": "long",
            "text_config": null, "auto_map": []});
        let nothing = Config { is_plain: true, ..Config::default() };
        assert_eq!(Config::of(document.as_object().unwrap()), nothing);
    }
}
