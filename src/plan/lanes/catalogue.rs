//! Lanes that are known by name: the embedded catalogue and files of the same shape.

use std::path::Path;

use serde::Deserialize;

use super::ModelKind;
use crate::source::Source;
use crate::yaml::{self, YamlError};

/// The catalogue that is part of the binary.
const CORTEX: &str = include_str!("cortex.yaml");

/// A list of lanes whose paths and sources are known.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    entries: Vec<Entry>,
}

/// A lane as a catalogue knows it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The lane's name; the same for its alternates.
    pub lane: String,
    /// What sort of model it is.
    pub kind: ModelKind,
    /// Below the models root; absent for what lives in a hub cache.
    #[serde(default)]
    pub path: Option<String>,
    /// Where its files come from.
    #[serde(deserialize_with = "source")]
    pub source: Source,
    /// Another model for the same lane: taken only for a lane that names its path.
    #[serde(default)]
    pub alternate: bool,
    /// Small, for smoke tests: taken with `--minimal`, or for a lane that names its path.
    #[serde(default)]
    pub minimal: bool,
    /// Globs over the repository; empty: everything.
    #[serde(default)]
    pub include: Vec<String>,
    /// Globs over the repository that are left out.
    #[serde(default)]
    pub exclude: Vec<String>,
}

impl Catalogue {
    /// The catalogue that is part of the binary.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn cortex() -> Self {
        Self::parse(CORTEX).expect("the embedded catalogue is valid: a test reads it")
    }

    /// Reads a catalogue.
    ///
    /// # Errors
    /// When the text is not a list of [`Entry`].
    pub fn parse(text: &str) -> Result<Self, YamlError> {
        Ok(Self { entries: yaml::from_str(text)? })
    }

    /// The entry whose path is the tail of `path`, by whole components.
    #[must_use]
    pub fn by_path(&self, path: &Path) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.path.as_deref().is_some_and(|tail| path.ends_with(tail)))
    }

    /// The lane's own entry, not an alternate.
    #[must_use]
    pub fn by_lane(&self, lane: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| !entry.alternate && entry.lane == lane)
    }

    /// Every lane once: the small ones, or the real ones.
    pub fn lanes(&self, minimal: bool) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| !entry.alternate && entry.minimal == minimal)
    }
}

fn source<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_catalogue_has_the_guides_lanes() {
        let catalogue = Catalogue::parse(CORTEX).unwrap();
        let lanes: Vec<_> = catalogue.lanes(false).map(|entry| entry.lane.as_str()).collect();
        assert_eq!(
            lanes,
            [
                "orchestrator",
                "coder",
                "fast_rag",
                "super_reader",
                "governance",
                "embeddings_minilm",
                "embeddings_code",
                "embeddings_codebert"
            ]
        );
        assert_eq!(catalogue.lanes(true).count(), 2);
    }

    #[test]
    fn only_whole_components_of_the_tail_count() {
        let catalogue = Catalogue::cortex();
        let by_path = |path: &str| catalogue.by_path(Path::new(path)).map(|entry| &entry.lane);
        assert_eq!(by_path("/models/vllm/coder/bf16").map(String::as_str), Some("coder"));
        assert_eq!(by_path("/m/vllm/coder/fp8").map(String::as_str), Some("coder"));
        assert_eq!(by_path("/models/xvllm/coder/bf16"), None);
        assert_eq!(by_path("/models/coder"), None);
    }
}
