//! A folder of safetensors, as far as its memory depends on it: what it says of itself, and the tensors
//! that the headers of its files name.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::plan::engine::positions::{Limits, Longest, Positions};

/// The parts of a configuration that are the language model of a model of several kinds of input
/// (vLLM 0.12.0 transformers_utils/config.py, `get_hf_text_config`, and what transformers 4.57.6 and
/// 5.19.0 call it, `get_text_config`).
const OF_TEXT: [&str; 4] = ["text_config", "llm_config", "language_config", "decoder"];

/// A model as its configuration and the headers of its safetensors files tell it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checkpoint {
    /// `config.json`, as it is written.
    pub config: Map<String, Value>,
    /// What it says of how long a context it was made for.
    pub positions: Positions,
    /// Whether it is quantised, by its configuration or by a file beside it.
    pub is_packed: bool,
    /// Whether it has safetensors, and the headers of all of their files were read.
    pub is_whole: bool,
    /// Its tensors, those of one layer that are alike as one.
    pub tensors: Vec<Alike>,
}

/// Tensors of one layer whose names are the same but for their numbers, and which have the same type
/// and the same extents: the experts, above all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alike {
    /// The name, with a `*` in the place of each number: `model.layers.*.mlp.experts.*.up_proj.weight`.
    pub name: String,
    /// The first of those numbers; absent: there is none.
    pub layer: Option<u64>,
    /// The type, as the header writes it: `BF16`.
    pub dtype: String,
    /// The extents of each, as the header lists them; none where they are too many to be kept.
    pub extents: Vec<u64>,
    /// Bytes of each.
    pub bytes: u64,
    /// How many there are.
    pub count: u64,
}

impl Alike {
    /// Bytes of all of them.
    #[must_use]
    pub fn all_bytes(&self) -> u64 {
        self.bytes.saturating_mul(self.count)
    }

    /// The name up to the first number (`model.layers.`); absent: it has none.
    #[must_use]
    pub fn stem(&self) -> Option<&str> {
        self.name.split_once('*').map(|(stem, _)| stem)
    }
}

/// Gathers tensors that are alike.
#[derive(Debug, Default)]
pub struct Gathering(BTreeMap<Alike, u64>);

impl Gathering {
    /// Takes one tensor, by its name, its type, its extents and its bytes.
    pub fn add(&mut self, name: &str, dtype: &str, extents: &[u64], bytes: u64) {
        let is_number = |word: &str| {
            !word.is_empty() && word.len() < 10 && word.bytes().all(|byte| byte.is_ascii_digit())
        };
        let words: Vec<&str> = name.split('.').collect();
        let layer = words.iter().find(|word| is_number(word)).and_then(|word| word.parse().ok());
        let starred: Vec<&str> =
            words.iter().map(|word| if is_number(word) { "*" } else { *word }).collect();
        let one = Alike {
            name: starred.join("."),
            layer,
            dtype: dtype.to_owned(),
            extents: extents.to_vec(),
            bytes,
            count: 0,
        };
        *self.0.entry(one).or_default() += 1;
    }

    /// All of them, in the order of their names.
    #[must_use]
    pub fn finish(self) -> Vec<Alike> {
        self.0.into_iter().map(|(one, count)| Alike { count, ..one }).collect()
    }
}

impl Checkpoint {
    /// What `architectures` names first.
    #[must_use]
    pub fn architecture(&self) -> Option<&str> {
        self.config.get("architectures")?.as_array()?.first()?.as_str()
    }

    /// What the configuration says of its language model, where that is a part of it.
    #[must_use]
    pub fn text(&self) -> &Map<String, Value> {
        let part = OF_TEXT.iter().find_map(|key| self.config.get(*key)?.as_object());
        part.unwrap_or(&self.config)
    }

    /// What the language model says under a key, else the model; absent: nothing, or `null`.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        let said = |map: &&Map<String, Value>| map.get(key).is_some_and(|value| !value.is_null());
        let map = [self.text(), &self.config].into_iter().find(said)?;
        map.get(key)
    }

    /// A number of the language model, else of the model.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.value(key)?.as_u64()
    }

    /// The shortest of the contexts that an engine may take for the longest, in tokens; absent: not known.
    #[must_use]
    pub fn longest(
        &self,
        rule: fn(&Positions, &Limits, Option<&[u32]>) -> Option<Longest>,
        release: Option<&[u32]>,
    ) -> Option<u64> {
        rule(&self.positions, &Limits::default(), release).map(|longest| longest.least)
    }

    /// Bytes of all tensors.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.tensors.iter().fold(0, |sum: u64, alike| sum.saturating_add(alike.all_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_of_one_layer_that_are_alike_are_one() {
        let mut gathering = Gathering::default();
        for expert in 0..3 {
            let name = format!("model.layers.7.mlp.experts.{expert}.up_proj.weight");
            gathering.add(&name, "BF16", &[8, 4], 64);
        }
        gathering.add("model.layers.8.mlp.experts.0.up_proj.weight", "BF16", &[8, 4], 64);
        gathering.add("model.norm.weight", "F32", &[4], 16);
        let tensors = gathering.finish();
        let seen: Vec<(&str, Option<u64>, u64)> =
            tensors.iter().map(|it| (it.name.as_str(), it.layer, it.count)).collect();
        let experts = "model.layers.*.mlp.experts.*.up_proj.weight";
        assert_eq!(
            seen,
            [(experts, Some(7), 3), (experts, Some(8), 1), ("model.norm.weight", None, 1)]
        );
        assert_eq!(tensors[0].stem(), Some("model.layers."));
        let checkpoint = Checkpoint { tensors, ..Checkpoint::default() };
        assert_eq!(checkpoint.bytes(), 4 * 64 + 16);
    }

    #[test]
    fn the_language_model_of_a_model_of_images_says_its_numbers() {
        let config = serde_json::json!({"architectures": ["A"], "hidden_size": 1,
            "text_config": {"hidden_size": 2, "head_dim": null}, "head_dim": 3});
        let Value::Object(config) = config else { unreachable!() };
        let checkpoint = Checkpoint { config, ..Checkpoint::default() };
        assert_eq!(checkpoint.architecture(), Some("A"));
        assert_eq!(checkpoint.number("hidden_size"), Some(2));
        assert_eq!(checkpoint.number("head_dim"), Some(3));
        assert_eq!(checkpoint.number("absent"), None);
    }
}
