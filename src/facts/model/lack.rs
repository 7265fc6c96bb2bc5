//! What a model does not have of what is needed of it.

use std::path::PathBuf;

use super::huggingface::{PROCESSOR, Presence};
use super::{FileState, Model, ModelFile, Role};

/// What of a model is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Its configuration, and what prepares pictures and sounds.
    pub configuration: bool,
    /// Its weights, and the index of them.
    pub weights: bool,
    /// Its tokenizer; what there is of one has to be whole in any case.
    pub tokenizer: bool,
}

/// Something that is needed and not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// This file, below the folder of the model.
    File(PathBuf),
    /// Any file of weights.
    Weights,
    /// Any tokenizer.
    Tokenizer,
    /// This file, only because the listing beside a snapshot in a cache of the hub names it: the
    /// library compares where it may not ask the hub.
    Listed(PathBuf),
    /// A reference in a cache of the hub that leads its engine to the snapshot.
    Reference {
        /// Below the cache. White space stands beside the commit in it.
        file: PathBuf,
        /// What it has to hold.
        commit: String,
    },
}

impl Model {
    /// What is needed of it and not there; empty as well where a file of it will not load, which is
    /// worse than one that is not there.
    #[must_use]
    pub fn lacks(&self, needs: Needs) -> Vec<Lack> {
        let matters = |file: &&ModelFile| match file.role {
            Role::Tokenizer => true,
            Role::Weights | Role::Shard | Role::Index => needs.weights,
            Role::Config | Role::Module | Role::Plain => needs.configuration,
        };
        let files = || self.files.iter().filter(matters);
        if files().any(|file| file.state() == FileState::Invalid) {
            return Vec::new();
        }
        let missing = files().filter(|file| file.state() == FileState::Missing);
        let mut lacks: Vec<Lack> = missing.map(|file| Lack::File(file.name.clone())).collect();
        if let Some(folder) = self.folder() {
            if needs.weights && folder.weights.is_none() {
                lacks.push(Lack::Weights);
            }
            if needs.tokenizer && folder.tokenizer == Presence::Missing {
                lacks.push(Lack::Tokenizer);
            }
            // What is inside of the other file of a processor is not a matter of what is there.
            let has_none = folder.documents.processor.is_none();
            if needs.configuration && has_none && folder.processor == Presence::Missing {
                lacks.push(Lack::File(PROCESSOR.into()));
            }
        }
        lacks
    }
}
