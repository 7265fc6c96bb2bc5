//! What `config.json` holds, as far as transformers stops over it.

use serde_json::{Map, Value};

use super::About;
use super::fault::{Fault, RefusedBy};
use crate::facts::model::Role;
use crate::facts::model::huggingface::FolderKind;
use crate::findings::{Findings, Severity};
use crate::plan::engine::transformers::fields::{self, Written};

/// What a layer may be called (`ALLOWED_LAYER_TYPES` and what goes by another name, transformers 5.5.4 to
/// 5.23.0 configuration_utils.py: every word of any of them).
const LAYERS: [&str; 19] = [
    "attention",
    "chunked_attention",
    "compressed_sparse_attention",
    "conv",
    "deepseek_sparse_attention",
    "dense",
    "full_attention",
    "heavily_compressed_attention",
    "hybrid",
    "hybrid_sliding",
    "indexed_attention",
    "linear_attention",
    "mamba",
    "minimax_m3_sparse",
    "moe",
    "qwen_sparse_attention",
    "reference_sliding_attention",
    "sliding_attention",
    "sparse",
];

/// The model types that look at their layers in a way of their own (5.19.0 `validate_layer_type`).
const OWN_LAYERS: [&str; 3] = ["deepseek_v4", "nemotron_h", "neomme"];

/// What each kind of scaled positions needs (4.57.6 and 5.19.0 modeling_rope_utils.py).
const SCALINGS: [(&str, &[&str]); 5] = [
    ("linear", &["factor"]),
    ("dynamic", &["factor"]),
    ("yarn", &["factor"]),
    ("llama3", &["factor", "low_freq_factor", "high_freq_factor"]),
    ("longrope", &["short_factor", "long_factor"]),
];

impl About<'_> {
    /// The first thing that a release stops over. A class of the model's own or of the engine may read it
    /// otherwise, and a command may replace it.
    pub(super) fn config(&self, findings: &mut Findings) {
        let is_read =
            matches!(self.folder.kind, FolderKind::Model | FolderKind::SentenceTransformers)
                && !self.folder.params
                && !self.subject.overrides();
        let (Some(document), Some(config)) =
            (self.folder.documents.config.as_ref(), self.folder.config.as_ref())
        else {
            return;
        };
        let runs_code = self.invocation.trust_remote_code && config.has_config_code;
        if !is_read || runs_code || config.is_speculator {
            return;
        }
        let kind = config.model_type.as_deref().unwrap_or_default();
        let found = general(document).or_else(|| self.of_type(kind, document));
        let finding = found.and_then(|fault| {
            let finding = self.fault("config.json", &fault)?;
            // Where that was not looked at the engine may have a configuration of its own.
            let is_sure =
                self.rules.own_types.is_some() || matches!(fault.refused_by, RefusedBy::All);
            Some(if is_sure { finding } else { finding.severity(Severity::Warning) })
        });
        finding.into_iter().for_each(|finding| findings.push(finding));
    }

    fn of_type(&self, kind: &str, document: &Map<String, Value>) -> Option<Fault> {
        let is_left = self.rules.leaves_type(kind, self.version.as_deref());
        if self.rules.own_types.is_some() && !is_left {
            return None;
        }
        let config = self.model.files.iter().find(|file| file.role == Role::Config);
        let has_python_number = config.is_some_and(|file| file.python_number.is_some());
        let misheld = fields::misheld(kind, Written { document, has_python_number });
        misheld
            .map(|it| Fault {
                what: format!(
                    "has `{}` as its `{}`, where {} is taken",
                    it.value, it.path, it.takes
                ),
                refused_by: RefusedBy::Comparing,
            })
            .or_else(|| layers(kind, document))
            .or_else(|| positions(kind, document))
    }
}

/// What is so in the configuration of every type.
fn general(document: &Map<String, Value>) -> Option<Fault> {
    use RefusedBy::{All, Fourth};
    let stated = |key: &str| document.get(key);
    let unless = |key: &'static str, is_taken: fn(&Value) -> bool, takes: &str, by| {
        let value = stated(key).filter(|value| !is_taken(value))?;
        Some(Fault::of(key, value, takes, by))
    };
    let is_code = |it: &Value| match it {
        Value::Object(map) => map
            .get("AutoConfig")
            .is_none_or(|it| !it.is_null() && !it.is_boolean() && !it.is_number()),
        Value::String(_) | Value::Array(_) => true,
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    };
    let is_object = |it: &Value| it.is_object() || it.is_null();
    unless("auto_map", is_code, "an object with names of classes", All)
        .or_else(|| unless("id2label", is_labels, "an object with numbers as its keys", All))
        .or_else(|| unless("num_labels", is_count, "a whole number", All))
        .or_else(|| unless("quantization_config", is_object, "an object", All))
        .or_else(|| unless("quantization_config", Value::is_object, "an object", Fourth))
        .or_else(|| unless("label2id", is_object, "an object", Fourth))
        .or_else(|| unless("problem_type", is_problem, "the name of a known one", Fourth))
}

/// In 5 nothing stands for the two labels that a model has by itself; before that it is refused elsewhere.
fn is_count(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.is_boolean() || value.is_null()
}

fn is_labels(value: &Value) -> bool {
    // Python takes lines between the digits too.
    let is_number = |key: &String| key.trim().replace('_', "").parse::<i64>().is_ok();
    value.is_null() || value.as_object().is_some_and(|labels| labels.keys().all(is_number))
}

fn is_problem(value: &Value) -> bool {
    let known = ["regression", "single_label_classification", "multi_label_classification"];
    value.is_null() || value.as_str().is_some_and(|word| known.contains(&word))
}

/// One known word for each layer.
fn layers(kind: &str, document: &Map<String, Value>) -> Option<Fault> {
    let stated = document.get("layer_types")?;
    let count = document.get("num_hidden_layers").and_then(Value::as_u64);
    if !fields::has_field(kind, "layer_types") || OWN_LAYERS.contains(&kind) {
        return None;
    }
    let layers = stated.as_array()?;
    let is_known = |it: &&Value| it.as_str().is_some_and(|word| LAYERS.contains(&word));
    if let Some(layer) = layers.iter().find(|layer| !is_known(layer)) {
        let what = format!("has `{layer}` in its `layer_types`, which is no kind of layer");
        return Some(Fault { what, refused_by: RefusedBy::Comparing });
    }
    let length = u64::try_from(layers.len()).ok()?;
    count.filter(|count| *count != length).map(|count| Fault {
        what: format!("has {length} `layer_types` for {count} `num_hidden_layers`"),
        refused_by: RefusedBy::Comparing,
    })
}

/// How positions are scaled, in the configuration of a type whose positions may be.
fn positions(kind: &str, document: &Map<String, Value>) -> Option<Fault> {
    if !fields::has_field(kind, "rope_parameters") {
        return None;
    }
    let stated = |key: &'static str| Some((key, document.get(key)?));
    let (key, scaling) =
        stated("rope_scaling").into_iter().chain(stated("rope_parameters")).next()?;
    let Value::Object(scaling) = scaling else {
        // What counts as nothing in Python is passed over since 5.
        return counts(scaling).then(|| Fault::of(key, scaling, "an object", RefusedBy::All));
    };
    // One for each kind of layer has objects inside.
    if scaling.values().any(Value::is_object) {
        return None;
    }
    let kind = scaling.get("rope_type").or_else(|| scaling.get("type"))?.as_str()?;
    let (_, needed) = SCALINGS.iter().find(|(known, _)| *known == kind)?;
    let lacking = needed.iter().find(|name| !scaling.contains_key(**name))?;
    Some(Fault {
        what: format!("scales positions as `{kind}` in `{key}` and has no `{lacking}` there"),
        refused_by: RefusedBy::Comparing,
    })
}

/// Whether Python takes a value for true.
fn counts(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(it) => *it,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}
