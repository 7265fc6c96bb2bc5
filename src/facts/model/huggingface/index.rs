//! `model.safetensors.index.json`: which shard holds which tensor.

use std::collections::HashMap;
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
    /// Tensors that are not in the shard that the index names: how many, and the first by name.
    pub astray: Option<Astray>,
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
    met: bool,
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
                Some(claim) => claim.met |= claim.shard == shard,
                None => self.weight_map.unlist(name, shard),
            }
        }
    }

    /// What the index says and how far the shards in `read` bear it out.
    pub(super) fn conclude(self, file: &str, read: &[bool], found_size: Option<u64>) -> Index {
        let WeightMap { shards, tensors, unlisted } = self.weight_map;
        let is_read = |claim: &Claim| read.get(claim.shard).copied().unwrap_or_default();
        let unmet = || tensors.iter().filter(|(_, claim)| !claim.met && is_read(claim));
        let astray = unmet().min_by_key(|(tensor, _)| *tensor).map(|(tensor, claim)| Astray {
            count: unmet().count() as u64,
            tensor: tensor.clone(),
            shard: shards.get(claim.shard).cloned().unwrap_or_default(),
        });
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
            unlisted,
        }
    }
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
                    found.tensors.insert(tensor, Claim { shard, met: false });
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Map)
    }
}
