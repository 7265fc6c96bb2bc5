//! How an engine is told to guess ahead with a smaller model.

/// What is said about a draft model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speculation {
    /// Whether it says how many tokens are guessed.
    pub has_tokens: bool,
    /// Whether the draft may have another vocabulary than the model.
    pub any_vocabulary: bool,
}

/// What releases refuse about a draft that is a model of its own.
#[derive(Debug)]
pub struct DraftRules {
    /// The first and the last release that were read and do not take one at all.
    pub not_supported: [[u32; 3]; 2],
    /// Since which release its vocabulary has to be as large as the model's.
    pub same_vocabulary_since: [u32; 3],
    /// The newest release that was read.
    pub newest_read: [u32; 3],
}
