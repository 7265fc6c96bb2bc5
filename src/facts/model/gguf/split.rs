//! Models that are split over several files: how the files are named, and what they must agree on.

use thiserror::Error;

use crate::file_name::split::SplitName;

/// What a split model says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// How many files there should be.
    pub count: u64,
    /// The first thing, beside missing or broken files, that llama.cpp would refuse.
    pub problem: Option<SplitProblem>,
}

/// What can be wrong with the files of a split model as a set (llama.cpp build 11669,
/// `llama_model_loader`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SplitProblem {
    /// The engine is given another file than the first.
    #[error("is part {} of {count}, and llama.cpp starts from the first", number + 1)]
    NotFirst {
        /// Counted from 0.
        number: u64,
        /// How many there are.
        count: u64,
    },
    /// The first file's name does not say that it is the first.
    #[error(
        "is the first of {count} parts and is not named `...-00001-of-{count:05}.gguf`, so its siblings cannot be found"
    )]
    Name {
        /// How many there are.
        count: u64,
    },
    /// A file does not carry its own place.
    #[error("holds part {} under the name `{file}`", found.map_or_else(|| "nothing".to_owned(), |number| (number + 1).to_string()))]
    Misplaced {
        /// The file.
        file: String,
        /// What it says, counted from 0.
        found: Option<u64>,
    },
    /// The parts have together not the tensors that the first announces.
    #[error("has {found} tensors in all its parts instead of {expected}")]
    Tensors {
        /// `split.tensors.count`.
        expected: u64,
        /// Counted.
        found: u64,
    },
    /// One tensor is in two parts.
    #[error("has the tensor `{tensor}` in two parts")]
    Duplicate {
        /// Its name.
        tensor: String,
    },
}

/// The names of all parts, given the name of the first; absent when that name does not fit the
/// pattern (llama.cpp, `llama_split_prefix`).
#[must_use]
pub fn names(first: &str, count: u64) -> Option<Vec<String>> {
    let first = SplitName::of_gguf(first).filter(|first| first.is_first())?;
    (u64::from(first.count) == count).then(|| first.parts().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_follow_from_the_first() {
        assert_eq!(
            names("m-00001-of-00002.gguf", 2),
            Some(vec!["m-00001-of-00002.gguf".to_owned(), "m-00002-of-00002.gguf".to_owned()])
        );
        for (first, count) in [
            ("m-00002-of-00002.gguf", 2),
            ("m-00001-of-00002.gguf", 3),
            ("m-1-of-2.gguf", 2),
            ("m.gguf", 2),
        ] {
            assert_eq!(names(first, count), None, "{first}");
        }
    }
}
