//! How an engine that gives out embeddings is told what a model does not say of itself.

use crate::plan::engine::positions::{Limits, Positions};
use crate::source_map::{Place, Spanned};

/// What its words say of how it embeds.
#[derive(Debug, Clone, Default)]
pub struct Embeds {
    /// How it makes one vector out of those of the tokens (`--pooling`); absent: as the model says.
    pub pooling: Option<Spanned<String>>,
    /// The prompt of the model that stands before every text, by its name
    /// (`--default-prompt-name`); absent: none.
    pub prompt: Option<Spanned<String>>,
    /// The folder of the step behind the pooling, in place of the model's own (`--dense-path`).
    pub dense: Option<Spanned<String>>,
    /// How long a text may be at most for it to start; absent: that is not asked.
    pub batch: Option<Batch>,
    /// Whether it is told to give out vectors or scores, whatever the model is made for (`--runner pooling`,
    /// `--convert embed`).
    pub pools: bool,
}

/// How many tokens a server computes at once that starts with no model of longer texts.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The flag that says the number.
    pub flag: &'static str,
    /// So many.
    pub tokens: u64,
    /// Where somebody says so; absent: it is the number of the server itself.
    pub place: Option<Place>,
    /// What makes it cut longer texts.
    pub cut: &'static str,
    /// How long the texts of a model are, at least.
    pub longest: LongestText,
    /// Whether the release was read.
    pub is_certain: bool,
}

/// The length of the texts of a model in tokens, by what its files say of it; absent: they do not.
pub type LongestText = fn(&Positions, &Limits) -> Option<u64>;

/// What a server gives out that gives out one thing alone, as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivesOut {
    /// Text.
    Text,
    /// Embeddings.
    Embeddings,
    /// The ranks of texts.
    Ranks,
}

/// How an engine learns how a model makes one vector out of those of the tokens.
#[derive(Debug)]
pub struct Pooling {
    /// The flag that says it, whatever the model says.
    pub flag: &'static str,
    /// The file of the model that says it, below its folder.
    pub file: &'static str,
    /// What the file may ask for; the first that it does ask for counts.
    pub modes: &'static [Mode],
    /// How the architectures end that need none of it.
    pub none_for: &'static str,
    /// The word of the flag that counts only for architectures with that end.
    pub masked: (&'static str, &'static str),
    /// What it takes where neither says it.
    pub guess: Guess,
    /// What it makes of the steps behind the pooling.
    pub dense: DenseSteps,
}

/// How an engine reads the steps that change the width of a vector (`sentence_transformers.models.Dense`).
#[derive(Debug)]
pub struct DenseSteps {
    /// The first release that reads those of a folder.
    pub since: [u32; 3],
    /// The newest one that was read.
    pub newest_read: [u32; 3],
    /// What it knows of `activation_function`.
    pub activations: &'static [&'static str],
}

/// One way to make a vector.
#[derive(Debug)]
pub struct Mode {
    /// The key of the file that asks for it.
    pub key: &'static str,
    /// The word of the flag.
    pub word: &'static str,
    /// The first release that has it.
    pub since: [u32; 3],
    /// Whether the file has to have the key.
    pub required: bool,
}

/// What an engine takes for models of a kind.
#[derive(Debug)]
pub struct Guess {
    /// A part of the types of these models, in lower case.
    pub of_type: &'static str,
    /// The word of the flag.
    pub word: &'static str,
    /// The first release that does so.
    pub since: [u32; 3],
}
