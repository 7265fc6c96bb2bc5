//! What llama.cpp can run: names, and nothing else.

use super::builds::{self, Kind};

/// The newest build of llama.cpp that the tables of names, and those of the tensor types, describe.
pub const NEWEST_BUILD: u32 = 11_669;

/// What a tokenizer needs beside its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokenizer {
    /// Nothing: the model has no vocabulary.
    None,
    /// Tokens.
    Plain,
    /// Tokens and merges.
    Merging,
}

/// Whether the newest build has that architecture. `clip` stands for multimodal projectors.
#[must_use]
pub fn is_known(architecture: &str) -> bool {
    builds::is_known(Kind::Architecture, architecture)
}

/// What the tokenizer of that name needs (`src/llama-vocab.cpp`); absent when it is not known.
#[must_use]
pub fn tokenizer(name: &str) -> Option<Tokenizer> {
    Some(match name {
        "no_vocab" | "none" => Tokenizer::None,
        "llama" | "bert" | "t5" | "rwkv" | "plamo2" => Tokenizer::Plain,
        "gpt2" | "hybriddna" | "whitespace" | "gemma4" => Tokenizer::Merging,
        _ => return None,
    })
}
