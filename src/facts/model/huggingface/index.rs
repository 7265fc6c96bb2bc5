//! `model.safetensors.index.json`: which shard holds which tensor.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Component, Path};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::limits::{LONGEST_TENSOR_NAMES, MOST_INDEXED, MOST_SHARDS};

/// What an index says, and whether the shards agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The file.
    pub file: String,
    /// The shards that it names, sorted.
    pub shards: Vec<String>,
    /// How many tensors it names.
    pub tensors: u64,
    /// `metadata.total_size`: bytes of tensor data in all shards, if said.
    pub total_size: Option<u64>,
    /// Bytes of tensor data that the headers of the shards add up to; absent when not all of them
    /// could be read.
    pub found_size: Option<u64>,
    /// Tensors that are not in the shard that the index names, but in another that it names: how
    /// many, and the first by name.
    pub astray: Option<Astray>,
    /// Tensors that are in none of the shards that the index names, where all of those were read: how
    /// many, and the first by name.
    pub lost: Option<Astray>,
    /// Those of them that belong to a layer of which the rest is there, and that other layers have or
    /// whose module is there.
    pub torn: Option<Astray>,
    /// Tensors of its shards that it does not name: how many, and the first by name.
    pub unlisted: Option<Astray>,
}

/// Tensors that are not where an index says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Astray {
    /// How many.
    pub count: u64,
    /// One of them.
    pub tensor: String,
    /// Where it should be.
    pub shard: String,
}

/// The document itself.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    #[serde(default)]
    metadata: Option<Totals>,
    weight_map: WeightMap,
}

#[derive(Debug, Deserialize)]
struct Totals {
    #[serde(default)]
    total_size: Option<serde_json::Number>,
}

#[derive(Debug)]
struct WeightMap {
    shards: Vec<String>,
    tensors: HashMap<String, Claim>,
    unlisted: Option<Astray>,
}

/// That a shard holds a tensor.
#[derive(Debug)]
struct Claim {
    shard: usize,
    found: Found,
}

/// Where a tensor was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nowhere,
    /// In another shard than the index names.
    Elsewhere,
    Here,
}

impl Document {
    /// The shards, in the order in which they are first named.
    pub(super) fn shards(&self) -> &[String] {
        &self.weight_map.shards
    }

    /// A shard that is not below the folder of the index.
    pub(super) fn escaping_shard(&self) -> Option<&str> {
        let stays = |shard: &str| {
            !shard.is_empty()
                && Path::new(shard).components().all(|part| matches!(part, Component::Normal(_)))
        };
        self.shards().iter().map(String::as_str).find(|shard| !stays(shard))
    }

    /// Notes that the shard with that index holds `names`.
    pub(super) fn meet(&mut self, shard: usize, names: &[String]) {
        for name in names {
            match self.weight_map.tensors.get_mut(name) {
                Some(claim) if claim.shard == shard => claim.found = Found::Here,
                Some(claim) if claim.found == Found::Nowhere => claim.found = Found::Elsewhere,
                Some(_) => {}
                None => self.weight_map.unlist(name, shard),
            }
        }
    }

    /// What the index says and how far the shards in `read` bear it out.
    pub(super) fn conclude(self, file: &str, read: &[bool], found_size: Option<u64>) -> Index {
        let WeightMap { shards, tensors, unlisted } = self.weight_map;
        let are_read = read.len() == shards.len() && read.iter().all(|read| *read);
        let parts = Parts::of(&tensors);
        let first = |is_meant: &dyn Fn(&str, &Claim) -> bool| {
            let meant = || tensors.iter().filter(|(tensor, claim)| is_meant(tensor, claim));
            let (tensor, claim) = meant().min_by_key(|(tensor, _)| *tensor)?;
            Some(Astray {
                count: meant().count() as u64,
                tensor: tensor.clone(),
                shard: shards.get(claim.shard).cloned().unwrap_or_default(),
            })
        };
        let is_lost = |claim: &Claim| are_read && claim.found == Found::Nowhere;
        let astray = first(&|_, claim| claim.found == Found::Elsewhere);
        let lost = first(&|_, claim| is_lost(claim));
        let torn = first(&|tensor, claim| is_lost(claim) && parts.lack(tensor));
        let total_size = self.metadata.and_then(|metadata| metadata.total_size);
        let n_tensors = tensors.len() as u64;
        let mut shards = shards;
        shards.sort_unstable();
        Index {
            file: file.to_owned(),
            shards,
            tensors: n_tensors,
            // Some tools write it as a floating point number.
            total_size: total_size.and_then(|size| size.as_u64().or_else(|| whole(&size))),
            found_size,
            astray,
            lost,
            torn,
            unlisted,
        }
    }
}

/// What the tensors that were found are parts of.
struct Parts<'a> {
    /// `model.layers.0.`
    layers: HashSet<&'a str>,
    /// `self_attn.q_proj.weight`
    suffixes: HashSet<&'a str>,
    /// `model.layers.0.self_attn.q_proj`
    modules: HashSet<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(tensors: &'a HashMap<String, Claim>) -> Self {
        let mut parts =
            Self { layers: HashSet::new(), suffixes: HashSet::new(), modules: HashSet::new() };
        let found = tensors.iter().filter(|(_, claim)| claim.found != Found::Nowhere);
        // Where everything was found nobody asks.
        let is_asked = tensors.values().any(|claim| claim.found == Found::Nowhere);
        for (tensor, _) in found.filter(|_| is_asked) {
            if let Some((layer, suffix)) = layer_of(tensor) {
                parts.layers.insert(layer);
                parts.suffixes.insert(suffix);
                parts.modules.extend(tensor.rsplit_once('.').map(|(module, _)| module));
            }
        }
        parts
    }

    /// Whether a tensor that was not found is one of theirs.
    fn lack(&self, tensor: &str) -> bool {
        let Some((layer, suffix)) = layer_of(tensor) else { return false };
        let (module, own) = tensor.rsplit_once('.').unwrap_or_default();
        let is_of_module = ["weight", "bias"].contains(&own) && self.modules.contains(module);
        // Computed where it is needed; nobody loads it.
        let is_computed = own == "inv_freq";
        self.layers.contains(layer)
            && !is_computed
            && (is_of_module || self.suffixes.contains(suffix))
    }
}

/// The layer that a tensor is of, and what it is in it; absent: it is of none. The layer is the first
/// part of the name that is a number.
fn layer_of(tensor: &str) -> Option<(&str, &str)> {
    let mut end = 0;
    for part in tensor.split('.') {
        end += part.len() + 1;
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            return tensor.get(..end).zip(tensor.get(end..));
        }
    }
    None
}

impl WeightMap {
    fn unlist(&mut self, tensor: &str, shard: usize) {
        let shard = self.shards.get(shard).cloned().unwrap_or_default();
        let found = Astray { count: 1, tensor: tensor.to_owned(), shard };
        self.unlisted = Some(match self.unlisted.take() {
            None => found,
            Some(known) if known.tensor.as_str() <= tensor => {
                Astray { count: known.count + 1, ..known }
            }
            Some(known) => Astray { count: known.count + 1, ..found },
        });
    }
}

fn whole(number: &serde_json::Number) -> Option<u64> {
    let text = number.to_string();
    text.strip_suffix(".0")?.parse().ok()
}

impl<'de> Deserialize<'de> for WeightMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = WeightMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from tensors to files")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WeightMap, A::Error> {
                let mut found =
                    WeightMap { shards: Vec::new(), tensors: HashMap::new(), unlisted: None };
                let mut numbers: HashMap<String, usize> = HashMap::new();
                let mut names = 0;
                while let Some((tensor, shard)) = map.next_entry::<String, String>()? {
                    names += tensor.len();
                    if found.tensors.len() == MOST_INDEXED || names > LONGEST_TENSOR_NAMES {
                        return Err(A::Error::custom("more tensors than any model has"));
                    }
                    if found.shards.len() > MOST_SHARDS {
                        return Err(A::Error::custom("more files than any model has"));
                    }
                    let next = numbers.len();
                    let shard = *numbers.entry(shard).or_insert_with_key(|name| {
                        found.shards.push(name.clone());
                        next
                    });
                    found.tensors.insert(tensor, Claim { shard, found: Found::Nowhere });
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conclude(weight_map: &[(&str, &str)], held: &[&[&str]]) -> Index {
        let map: serde_json::Map<String, serde_json::Value> = weight_map
            .iter()
            .map(|(tensor, shard)| ((*tensor).to_owned(), (*shard).into()))
            .collect();
        let mut document: Document =
            serde_json::from_value(serde_json::json!({"weight_map": map})).unwrap();
        for (number, names) in held.iter().enumerate() {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            document.meet(number, &names);
        }
        document.conclude("index", &vec![true; held.len()], None)
    }

    #[test]
    fn a_tensor_of_another_shard_is_not_lost() {
        let index = conclude(&[("a", "1"), ("b", "2")], &[&["b"], &["a"]]);
        assert_eq!(index.astray.unwrap().count, 2);
        assert_eq!((index.lost, index.torn, index.unlisted), (None, None, None));
    }

    #[test]
    fn what_is_torn_out_of_a_layer_is_told_from_what_nobody_loads() {
        let check = |lost: &str, is_torn: bool| {
            let held =
                ["l.0.q.weight", "l.0.k.weight", "l.1.q.weight", "l.1.k.weight", "l.1.q.bias"];
            let mut map = held.map(|name| (name, "1")).to_vec();
            map.push((lost, "1"));
            let held: Vec<&str> = held.into_iter().collect();
            let index = conclude(&map, &[held.as_slice()]);
            assert_eq!(index.lost.map(|it| it.tensor).as_deref(), Some(lost));
            assert_eq!(index.torn.is_some(), is_torn, "{lost}");
        };
        check("l.0.q.bias", true);
        check("l.1.k.bias", true);
        check("l.0.mystery.weight", false);
        check("l.0.q.inv_freq", false);
        check("lm_head.weight", false);
        // A layer behind the last: it was made for guessing ahead, and left out.
        check("l.2.q.weight", false);
        check("1.q.weight", false);
    }

    #[test]
    fn nothing_is_lost_while_a_shard_is_unread() {
        let mut document: Document =
            serde_json::from_value(serde_json::json!({"weight_map": {"a": "1", "b": "2"}}))
                .unwrap();
        document.meet(0, &["c".to_owned()]);
        assert_eq!(document.conclude("index", &[true, false], None).lost, None);
    }
}
