//! The tensors of a folder against its own configuration: whether they are those of the class that it
//! names, in the sizes that it states.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::packed::{IN_PLACE, Packing};
use super::spelling::{self, Spelling};
use super::tensors::Tensors;
use super::{Examination, FolderKind, Weights};
use crate::facts::model::file::{Content, Role};
use crate::facts::model::layout::{self, Complaint, Entry, Kind, Subject, Table};
use crate::facts::model::safetensors::Dtype;

/// What a class needs.
static LAYOUTS: Table = Table::new(include_str!("layouts.txt"));

/// By which tensors of a text model it is known where it stands: those with the words first.
const ANCHORS: [&str; 13] = [
    "embed_tokens.weight",
    "embeddings.word_embeddings.weight",
    "embeddings.tok_embeddings.weight",
    "word_embeddings.weight",
    "wte.weight",
    "embed_in.weight",
    "decoder.embed_tokens.weight",
    "layers.0.input_layernorm.weight",
    "layers.0.mlp_norm.weight",
    "encoder.layer.0.output.dense.weight",
    "decoder.layers.0.fc1.weight",
    "h.0.mlp.c_proj.weight",
    "h.0.mlp.dense_h_to_4h.weight",
];

/// How many of them are as wide as the model.
const EMBEDDINGS: usize = 6;

/// What stands before the number of a layer.
const LAYERS: [&str; 4] = ["layers.", "encoder.layer.", "h.", "decoder.layers."];

/// Parts of the names of tensors that are computed anew or left alone, whatever they hold (vLLM 0.12.0 and
/// 0.33.0, model_executor/models/utils.py, and what BERT and GPT-2 have saved).
const LEFT_ALONE: [&str; 6] =
    ["rotary_emb.", "inv_freq", "masked_bias", "attn.bias", "position_ids", "scale"];

/// Nobody reads more.
const MOST_BESIDE: usize = 16;

/// What the tensors of a folder say to its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The class of the configuration that was held against them.
    pub class: String,
    /// Whether there is a table for the class, and its quantisation is one whose tensors are known.
    /// Without it nothing else is known.
    pub is_known: bool,
    /// What is missing or of another shape, in the order of the model; the first of many.
    pub misfits: Vec<Misfit>,
    /// Tensors that the class has no place for: how many, and the first by name.
    pub extra: Option<(u64, String)>,
    /// Layers: as the configuration states, and as the tensors have.
    pub layers: (Option<u64>, u64),
    /// Width of an embedding: as the configuration states, and as the tensors have.
    pub hidden_size: (Option<u64>, Option<u64>),
    /// Whether the names are those of the base of the class, without `model.` before them.
    pub is_base: bool,
    /// Whether the weights are quantised.
    pub is_packed: bool,
}

/// A tensor that is not as the configuration makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// It is not there.
    Missing {
        /// Its name.
        tensor: String,
    },
    /// It has another shape.
    Shape {
        /// Its name.
        tensor: String,
        /// The extents that it has.
        found: Vec<i64>,
        /// Those that it has to have; -1 for any.
        expected: Vec<i64>,
    },
}

impl Misfit {
    /// The name of the tensor.
    #[must_use]
    pub fn tensor(&self) -> &str {
        match self {
            Self::Missing { tensor } | Self::Shape { tensor, .. } => tensor,
        }
    }
}

/// Holds the tensors of a folder against its configuration; absent where the headers of its weights could
/// not be read, all of them, or the configuration names no class.
pub(super) fn examine(examination: &Examination<'_>) -> Option<Fit> {
    let folder = &examination.folder;
    let is_model = matches!(folder.kind, FolderKind::Model | FolderKind::SentenceTransformers);
    if !is_model || folder.weights != Some(Weights::Safetensors) {
        return None;
    }
    let files =
        examination.files.iter().filter(|file| matches!(file.role, Role::Weights | Role::Shard));
    let read: Vec<bool> =
        files.map(|file| matches!(file.content, Content::Safetensors(_))).collect();
    if read.is_empty() || read.contains(&false) {
        return None;
    }
    let config = folder.config.as_ref()?;
    let document = examination.document.as_ref()?;
    let quantization = config.quantization.as_deref();
    judge(&config.architectures, quantization, document, &examination.tensors)
}

fn judge(
    classes: &[String],
    quantization: Option<&str>,
    document: &Map<String, Value>,
    tensors: &Tensors,
) -> Option<Fit> {
    let class = classes.iter().find(|class| is_class(class)).or_else(|| classes.first())?;
    let says = document.get("quantization_config").or_else(|| document.get("compression_config"));
    let packing = quantization.and_then(|method| Packing::of(method, says));
    let numbers = Numbers::of(document);
    let is_known = is_class(class) && (quantization.is_none() || packing.is_some());
    let stored = Stored::new(class, tensors, numbers, packing);
    let mut fit = Fit {
        class: class.clone(),
        is_known,
        misfits: Vec::new(),
        extra: None,
        layers: (numbers.layers(), stored.layers()),
        hidden_size: (numbers.width(), stored.hidden_size()),
        is_base: stored.spelling.stem().is_empty() && spelling::has_base(class),
        is_packed: quantization.is_some(),
    };
    if is_known {
        let judgement = LAYOUTS.judge(class, &stored)?;
        fit.misfits = judgement.complaints.into_iter().filter_map(|it| stored.misfit(it)).collect();
        stored.lack_beside().for_each(|misfit| fit.misfits.push(misfit));
        fit.extra = stored.extra(&judgement.strangers.unwrap_or_default());
    }
    Some(fit)
}

/// Whether a table is that of a class, and no part of other tables.
fn is_class(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase()) && LAYOUTS.has(name)
}

/// The numbers of a configuration.
#[derive(Clone, Copy)]
struct Numbers<'a> {
    document: &'a Map<String, Value>,
    text: &'a Map<String, Value>,
}

impl<'a> Numbers<'a> {
    fn of(document: &'a Map<String, Value>) -> Self {
        let text = document.get("text_config").and_then(Value::as_object).unwrap_or(document);
        Self { document, text }
    }

    /// Of the model that makes the text, of the one that sees, or of what holds both.
    fn value(self, key: &str) -> Option<&'a Value> {
        let said =
            |map: &'a Map<String, Value>, key: &str| map.get(key).filter(|value| !value.is_null());
        if let Some(key) = key.strip_prefix("outer_") {
            return said(self.document, key);
        }
        let vision = self.document.get("vision_config").and_then(Value::as_object);
        let seen = key.strip_prefix("vision_").zip(vision);
        seen.and_then(|(key, vision)| said(vision, key))
            .or_else(|| said(self.text, key))
            .or_else(|| said(self.document, key))
    }

    fn number(self, key: &str) -> Option<i64> {
        if let Some(list) = key.strip_suffix("_entries") {
            return i64::try_from(self.value(list)?.as_array()?.len()).ok();
        }
        let value = self.value(key)?;
        value.as_i64().or_else(|| value.as_bool().map(i64::from))
    }

    /// What a layer is, by its number.
    fn of_layer(self, name: &str, layer: u64) -> Option<i64> {
        let list = |key: &str| self.value(key).and_then(Value::as_array);
        if name == "mlp_only" {
            let has = |list: &Vec<Value>| list.iter().any(|it| it.as_u64() == Some(layer));
            return Some(i64::from(list("mlp_only_layers").is_some_and(has)));
        }
        let kind = list("layer_types")?.get(usize::try_from(layer).ok()?)?.as_str()?;
        // transformers 5 calls all of their kind by one name.
        Some(i64::from(kind == name || name == "mamba" && kind == "linear_attention"))
    }

    fn count(self, key: &str) -> Option<u64> {
        self.value(key)?.as_u64()
    }

    fn width(self) -> Option<u64> {
        self.count("hidden_size").or_else(|| self.count("n_embd"))
    }

    fn layers(self) -> Option<u64> {
        self.count("num_hidden_layers").or_else(|| self.count("n_layer"))
    }

    /// What transformers makes of it (4.57.6 and 5.19.0, configuration_utils.py).
    fn labels(self) -> Option<i64> {
        let labels = self.value("id2label").and_then(Value::as_object).map(Map::len);
        let labels = labels.and_then(|labels| i64::try_from(labels).ok());
        labels.or_else(|| self.number("num_labels")).or(Some(2))
    }
}

/// A model as its files have it.
struct Stored<'a> {
    tensors: &'a Tensors,
    numbers: Numbers<'a>,
    packing: Option<Packing<'a>>,
    places: HashMap<&'a str, usize>,
    /// Of packed weights, the shape of the plain ones.
    plain: HashMap<usize, [i64; 2]>,
    spelling: Spelling,
}

impl<'a> Stored<'a> {
    fn new(
        class: &str,
        tensors: &'a Tensors,
        numbers: Numbers<'a>,
        packing: Option<Packing<'a>>,
    ) -> Self {
        let places: HashMap<&str, usize> =
            tensors.all().iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let has = |stem: &str| {
            ANCHORS.iter().any(|anchor| places.contains_key(format!("{stem}{anchor}").as_str()))
        };
        let spelling = Spelling::find(class, has, tensors.all());
        let plain = packing.map(|packing| plain(packing, tensors)).unwrap_or_default();
        Self { tensors, numbers, packing, places, plain, spelling }
    }

    /// Where the tensor is, or what stands for it.
    fn place(&self, name: &str) -> Option<usize> {
        let others = || self.spelling.others(name).find_map(|name| self.place_of(&name));
        self.place_of(&self.spelling.of(name)).or_else(others)
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        let place = |name: &str| self.places.get(name).copied();
        place(name).or_else(|| {
            let (module, last) = name.rsplit_once('.')?;
            let packed = || IN_PLACE.iter().find_map(|word| place(&format!("{module}.{word}")));
            match last {
                // As TensorFlow called them.
                "weight" if module.ends_with("LayerNorm") => place(&format!("{module}.gamma")),
                "bias" if module.ends_with("LayerNorm") => place(&format!("{module}.beta")),
                "weight" if self.packing.is_some() => packed(),
                _ => None,
            }
        })
    }

    /// The shape of what stands in the place of a plain tensor; absent where it says nothing.
    fn shape(&self, place: usize) -> Option<&[i64]> {
        if let Some(plain) = self.plain.get(&place) {
            return Some(plain);
        }
        let name = self.tensors.all().get(place)?;
        let is_block = name.ends_with("_blocks") || name.ends_with("_scales");
        let packs = matches!(self.tensors.dtype(place)?, Dtype::U8 | Dtype::I32 | Dtype::F4);
        let is_plain = !packs || self.packing.is_none() || is_block;
        self.tensors.shape(place).filter(|_| is_plain)
    }

    fn misfit(&self, complaint: Complaint) -> Option<Misfit> {
        match complaint {
            Complaint::TensorMissing { tensor } => {
                Some(Misfit::Missing { tensor: self.spelling.of(&tensor) })
            }
            Complaint::Shape { tensor, found, expected } => {
                Some(Misfit::Shape { tensor: self.spelling.of(&tensor), found, expected })
            }
            Complaint::KeyMissing { .. }
            | Complaint::KeyType { .. }
            | Complaint::Entries { .. }
            | Complaint::Numbers { .. } => None,
        }
    }

    /// Packed weights without what they are unpacked with.
    fn lack_beside(&self) -> impl Iterator<Item = Misfit> {
        let lacking = self.tensors.all().iter().enumerate().filter_map(|(place, name)| {
            let (module, last) = name.rsplit_once('.')?;
            let dtype = self.tensors.dtype(place)?;
            let has = |name: &str| self.places.contains_key(format!("{module}.{name}").as_str());
            let missing = self.packing?.lacks(last, dtype, has)?;
            Some(Misfit::Missing { tensor: format!("{module}.{missing}") })
        });
        lacking.take(MOST_BESIDE)
    }

    /// How many layers there are, by the highest number.
    fn layers(&self) -> u64 {
        let numbers = self.tensors.all().iter().filter_map(|name| self.layer(name));
        numbers.max().map_or(0, |last| last + 1)
    }

    /// The layer that a tensor belongs to.
    fn layer(&self, name: &str) -> Option<u64> {
        let rest = name.strip_prefix(self.spelling.stem())?;
        let rest = LAYERS.iter().find_map(|before| rest.strip_prefix(before))?;
        rest.split('.').next()?.parse().ok()
    }

    fn hidden_size(&self) -> Option<u64> {
        let embeddings = ANCHORS.iter().take(EMBEDDINGS);
        let place =
            embeddings.filter_map(|anchor| self.place(&format!("model.{anchor}"))).next()?;
        let [_, width] = *self.shape(place)? else { return None };
        u64::try_from(width).ok()
    }

    /// Of the tensors that no row names, those that nothing explains.
    fn extra(&self, strangers: &[usize]) -> Option<(u64, String)> {
        let layers = self.numbers.layers();
        // Heads that guess ahead (0.12.0 deepseek_v2.py, `get_spec_layer_idx_from_weight_name`).
        let ahead = self.numbers.count("num_nextn_predict_layers").unwrap_or_default();
        let is_ahead = |name: &str| {
            let layer = self.layer(name).zip(layers);
            layer.is_some_and(|(layer, layers)| (layers..layers + ahead).contains(&layer))
        };
        let names = strangers.iter().filter_map(|place| self.tensors.all().get(*place));
        let extra = names.map(String::as_str).filter(|name| {
            let is_weight = self.packing.is_none() || name.ends_with(".weight");
            let is_left_alone = LEFT_ALONE.iter().any(|part| name.contains(part));
            is_weight && !is_left_alone && !name.ends_with(".bias") && !is_ahead(name)
        });
        let extra: Vec<&str> = extra.collect();
        let first = extra.iter().min()?;
        Some((extra.len() as u64, (*first).to_owned()))
    }
}

/// The plain shapes of the weights that are packed.
fn plain(packing: Packing<'_>, tensors: &Tensors) -> HashMap<usize, [i64; 2]> {
    let packed = tensors.all().iter().enumerate().filter_map(|(place, name)| {
        let shape = tensors.shape(place)?;
        Some((place, packing.plain(name, tensors.dtype(place)?, shape)?))
    });
    packed.collect()
}

impl Subject for Stored<'_> {
    fn number(&self, name: &str, index: Option<u64>) -> Option<i64> {
        match (name, index) {
            ("num_labels", None) => self.numbers.labels(),
            (_, None) => self.numbers.number(name),
            (_, Some(layer)) => self.numbers.of_layer(name, layer),
        }
    }

    fn entry(&self, key: &str, _: Kind) -> Entry {
        match self.numbers.value(key) {
            None => Entry::Absent,
            Some(Value::Array(_)) => Entry::Said,
            Some(_) => self.numbers.number(key).map_or(Entry::Unknown, Entry::Number),
        }
    }

    fn is(&self, key: &str, word: &str) -> Option<bool> {
        self.numbers.value(key)?.as_str().map(|text| text == word)
    }

    fn tensor(&self, name: &str) -> Option<layout::Tensor<'_>> {
        let index = self.place(name)?;
        Some(layout::Tensor { index, shape: self.shape(index) })
    }

    fn tensors(&self) -> usize {
        self.tensors.all().len()
    }
}
