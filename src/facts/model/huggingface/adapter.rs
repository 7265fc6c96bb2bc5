//! What an adapter says about the model that it was made for: `adapter_config.json` of peft, and the
//! shapes of its tensors.

use serde_json::{Map, Value};

/// An adapter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Adapter {
    /// `adapter_config.json`.
    says: Map<String, Value>,
    /// The widths of an embedding that its tensors were made for, each once.
    widths: Vec<u64>,
}

/// What a setting of an adapter is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Absent, null, false, zero or empty.
    Nothing,
    /// These words: one, or a list of them.
    Words(Vec<String>),
    /// Anything else.
    Something,
}

/// What takes an embedding in, by the last part of its name, in the layers of a model for text.
const TAKES: [&str; 5] = ["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"];

/// What gives one out.
const GIVES: [&str; 2] = ["o_proj", "down_proj"];

/// Parts of names that stand for layers of another width than those for text.
const OTHERS: [&str; 6] = ["vision", "visual", "audio", "encoder", "expert", "tower"];

impl Adapter {
    pub(super) fn of(says: Map<String, Value>) -> Self {
        Self { says, widths: Vec::new() }
    }

    /// Takes note of a tensor with its first two extents.
    pub(super) fn meet(&mut self, name: &str, [rows, columns]: [u64; 2]) {
        let Some((module, side)) = module(name) else { return };
        let width = match side {
            'A' if TAKES.contains(&module) => columns,
            'B' if GIVES.contains(&module) => rows,
            _ => return,
        };
        if !self.widths.contains(&width) {
            self.widths.push(width);
        }
    }

    /// The width of an embedding of the model that it was made for; absent: not known.
    #[must_use]
    pub fn width(&self) -> Option<u64> {
        match self.widths.as_slice() {
            [width] => Some(*width),
            _ => None,
        }
    }

    /// `r`, and where the engine reads `rank_pattern`, the highest that is there.
    #[must_use]
    pub fn rank(&self, with_pattern: bool) -> Option<u64> {
        let pattern = self.says.get("rank_pattern").and_then(Value::as_object);
        let more = pattern.filter(|_| with_pattern).into_iter().flat_map(Map::values);
        self.says.get("r").into_iter().chain(more).filter_map(Value::as_u64).max()
    }

    /// The model that it was made for (`base_model_name_or_path`).
    #[must_use]
    pub fn base(&self) -> Option<&str> {
        self.says.get("base_model_name_or_path")?.as_str().filter(|name| !name.is_empty())
    }

    /// What a setting is.
    #[must_use]
    pub fn said(&self, key: &str) -> Said {
        match self.says.get(key) {
            None | Some(Value::Null | Value::Bool(false)) => Said::Nothing,
            Some(Value::Number(number)) if number.as_f64() == Some(0.0) => Said::Nothing,
            Some(Value::Object(map)) if map.is_empty() => Said::Nothing,
            Some(Value::String(text)) if text.is_empty() => Said::Nothing,
            Some(Value::String(text)) => Said::Words(vec![text.clone()]),
            Some(Value::Array(items)) if items.is_empty() => Said::Nothing,
            Some(Value::Array(items)) => {
                let words = items.iter().map(|item| item.as_str().map(str::to_owned));
                words.collect::<Option<_>>().map_or(Said::Something, Said::Words)
            }
            Some(Value::Bool(true) | Value::Number(_) | Value::Object(_)) => Said::Something,
        }
    }
}

/// The module of a layer for text, and the side of it, that a tensor of an adapter belongs to:
/// `...layers.0.self_attn.q_proj.lora_A.weight`.
fn module(name: &str) -> Option<(&str, char)> {
    let (path, end) = name.split_once(".lora_")?;
    let side = end.chars().next().filter(|side| matches!(side, 'A' | 'B'))?;
    let is_of_text = path.contains("layers.") && !OTHERS.iter().any(|other| path.contains(other));
    is_of_text.then(|| path.rsplit('.').next()).flatten().map(|module| (module, side))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(says: &Value, tensors: &[(&str, [u64; 2])]) -> Adapter {
        let mut adapter = Adapter::of(says.as_object().unwrap().clone());
        tensors.iter().for_each(|(name, shape)| adapter.meet(name, *shape));
        adapter
    }

    #[test]
    fn a_width_is_told_by_tensors_that_agree() {
        let of = |tensors: &[(&str, [u64; 2])]| adapter(&serde_json::json!({}), tensors).width();
        let at = "base_model.model.model.layers.0";
        let name = |rest: &str| format!("{at}.{rest}.weight");
        let q = name("self_attn.q_proj.lora_A");
        assert_eq!(of(&[(&q, [8, 64])]), Some(64));
        assert_eq!(of(&[(&q, [8, 64]), (&name("mlp.down_proj.lora_B"), [64, 8])]), Some(64));
        assert_eq!(of(&[(&q, [8, 64]), (&name("mlp.down_proj.lora_B"), [32, 8])]), None);
        assert_eq!(of(&[(&name("mlp.down_proj.lora_A"), [8, 128])]), None);
        assert_eq!(of(&[("m.vision_tower.layers.0.q_proj.lora_A.weight", [8, 96])]), None);
        assert_eq!(of(&[(&name("mlp.experts.0.up_proj.lora_A"), [8, 96])]), None);
        assert_eq!(of(&[("lm_head.lora_A.weight", [8, 96])]), None);
        assert_eq!(of(&[(&q.replace("lora_A", "lora_A.default"), [8, 64])]), Some(64));
    }

    #[test]
    fn a_setting_is_nothing_words_or_something() {
        let words = |words: &[&str]| Said::Words(words.iter().map(|&it| it.to_owned()).collect());
        let says = serde_json::json!({"r": 8, "rank_pattern": {"q_proj": 32}, "use_dora": true,
            "bias": "none", "modules_to_save": ["lm_head"], "off": false, "none": null,
            "empty": [], "mixed": [1], "base_model_name_or_path": "o/r"});
        let adapter = adapter(&says, &[]);
        assert_eq!((adapter.rank(false), adapter.rank(true)), (Some(8), Some(32)));
        assert_eq!(adapter.base(), Some("o/r"));
        for key in ["off", "none", "empty", "absent"] {
            assert_eq!(adapter.said(key), Said::Nothing, "{key}");
        }
        assert_eq!(adapter.said("use_dora"), Said::Something);
        assert_eq!(adapter.said("mixed"), Said::Something);
        assert_eq!(adapter.said("bias"), words(&["none"]));
        assert_eq!(adapter.said("modules_to_save"), words(&["lm_head"]));
    }
}
