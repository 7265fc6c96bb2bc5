//! `config.json`: what a model says about itself.

use serde_json::{Map, Value};

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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// `architectures`.
    pub architectures: Vec<String>,
    /// `model_type`.
    pub model_type: Option<String>,
    /// `torch_dtype`, or `dtype` as it is called since transformers 4.56.
    pub dtype: Option<String>,
    /// `quantization_config.quant_method`, or what ModelOpt's own file says.
    pub quantization: Option<String>,
    /// Whether it has nothing about a quantisation, not even one without its method.
    pub is_plain: bool,
    /// The context that the model was trained for, in tokens, before any rope scaling.
    pub context_length: Option<u64>,
    /// The longest context that vLLM serves without being forced to: with rope scaling, in tokens.
    pub longest_context: Option<u64>,
    /// The values of `auto_map`: code that comes with the model, `repo--module.Class` when it comes
    /// with another.
    pub remote_code: Vec<String>,
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
        Self {
            architectures: strings(document.get("architectures")),
            model_type: string(document, "model_type"),
            dtype: ["dtype", "torch_dtype"]
                .iter()
                .find_map(|key| string(document, key).or_else(|| string(text, key))),
            quantization: quantization(document, text),
            is_plain: quantizations(document, text).next().is_none(),
            context_length: trained_context(text),
            longest_context: longest_context(text, document),
            remote_code: document
                .get("auto_map")
                .and_then(Value::as_object)
                .map(|map| map.values().flat_map(|value| strings(Some(value))).collect())
                .unwrap_or_default(),
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
        }
    }
}

fn trained_context(text: &Map<String, Value>) -> Option<u64> {
    CONTEXT_KEYS.iter().filter_map(|key| text.get(*key).and_then(Value::as_u64)).min()
}

/// What `--max-model-len` may be at most (vLLM 0.12.0 and 0.33.0, `config/model.py`,
/// `_get_and_verify_max_len`). Where the releases differ, the larger value.
fn longest_context(text: &Map<String, Value>, document: &Map<String, Value>) -> Option<u64> {
    let trained = trained_context(text)?;
    let model_type = text.get("model_type").or_else(|| document.get("model_type"));
    // The length that Gemma 3 states is scaled already.
    let is_scaled = model_type.and_then(Value::as_str).is_some_and(|kind| kind.contains("gemma3"));
    let scaled = ["rope_scaling", "rope_parameters"]
        .iter()
        .filter_map(|key| text.get(*key).and_then(Value::as_object))
        .flat_map(|rope| std::iter::once(rope).chain(rope.values().filter_map(Value::as_object)))
        .filter(|_| !is_scaled)
        .filter_map(|rope| scaled_context(trained, rope))
        .max();
    let stated = text.get("model_max_length").and_then(Value::as_u64);
    [Some(trained), scaled, stated].into_iter().flatten().max()
}

fn scaled_context(trained: u64, rope: &Map<String, Value>) -> Option<u64> {
    let kind = rope.get("rope_type").or_else(|| rope.get("type")).and_then(Value::as_str)?;
    // Their length is scaled already.
    if ["su", "longrope", "llama3"].contains(&kind) {
        return None;
    }
    let factor = rope.get("factor").and_then(Value::as_f64).unwrap_or(1.0);
    // The releases differ in whether the factor is already in the length that is stated.
    let original = rope.get("original_max_position_embeddings").and_then(Value::as_u64);
    times(original.filter(|_| kind.contains("yarn")).unwrap_or(trained), factor)
}

/// A length multiplied by a factor; absent for a factor that is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a length in tokens is far below 2^52, and a float becomes an integer by saturation"
)]
fn times(length: u64, factor: f64) -> Option<u64> {
    (factor.is_finite() && factor > 0.0).then_some((length as f64 * factor) as u64)
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
    fn a_context_is_scaled_as_its_rope_says() {
        let check = |rope: Value, expected: u64| {
            let document = serde_json::json!({
                "max_position_embeddings": 4096, "rope_scaling": rope
            });
            let config = Config::of(document.as_object().unwrap());
            assert_eq!(
                (config.context_length, config.longest_context),
                (Some(4096), Some(expected))
            );
        };
        let yarn = |original: u64| {
            serde_json::json!({"rope_type": "yarn", "factor": 4.0,
                "original_max_position_embeddings": original})
        };
        check(Value::Null, 4096);
        check(serde_json::json!({"type": "linear", "factor": 2.0}), 8192);
        check(yarn(1024), 4096);
        check(yarn(8192), 32768);
        check(serde_json::json!({"rope_type": "llama3", "factor": 8.0}), 4096);
        check(serde_json::json!({"rope_type": "linear", "factor": -1}), 4096);
        check(serde_json::json!({"rope_type": "default"}), 4096);
        check(serde_json::json!({"full_attention": {"rope_type": "dynamic", "factor": 2}}), 8192);
    }

    #[test]
    fn what_is_of_the_wrong_type_counts_as_absent() {
        let document = serde_json::json!({"architectures": 3, "max_position_embeddings": "long",
            "text_config": null, "auto_map": []});
        let nothing = Config { is_plain: true, ..Config::default() };
        assert_eq!(Config::of(document.as_object().unwrap()), nothing);
    }
}
