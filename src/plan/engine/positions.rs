//! How long a context a model was made for, as its files say it. How an engine reads that is in its own
//! file.

/// What `config.json` says of its positions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Positions {
    /// The keys that can hold a length, and what they say, in tokens.
    pub lengths: Vec<(&'static str, u64)>,
    /// How the lengths are stretched: one for each kind of layers that is said to be.
    pub scalings: Vec<Scaling>,
    /// `model_type` of what makes the text.
    pub model_type: Option<String>,
    /// Whether a position is a place in a table (`position_embedding_type`); absent: not said.
    pub is_absolute: Option<bool>,
}

/// How positions are stretched.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// `rope_type`, or `type` as it was called.
    pub kind: String,
    /// `factor`.
    pub factor: Option<f64>,
    /// `original_max_position_embeddings`, in tokens.
    pub original: Option<u64>,
    /// Whether it stands in `rope_parameters`, where transformers 5 writes it.
    pub is_new: bool,
}

/// What other files of a model say of its length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// `max_seq_length` of `sentence_bert_config.json` and the like, in tokens; absent: there is none.
    pub sentence: Option<u64>,
    /// Whether that file says `do_lower_case` as well.
    pub says_case: bool,
    /// `model_max_length` of the tokenizer of a model that makes no text, in tokens.
    pub tokenizer: Option<u64>,
}

/// How long a context the releases that it may be allow, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Longest {
    /// What every one of them allows.
    pub least: u64,
    /// What some of them allow; absent: not known.
    pub most: Option<u64>,
}

impl Positions {
    /// The smallest of the lengths.
    #[must_use]
    pub fn smallest(&self) -> Option<u64> {
        self.lengths.iter().map(|(_, length)| *length).min()
    }

    /// What that key says.
    #[must_use]
    pub fn length(&self, key: &str) -> Option<u64> {
        self.lengths.iter().find(|(known, _)| *known == key).map(|(_, length)| *length)
    }

    /// What the class of the model takes for a length that nobody states (transformers 4.57.6 and 5.19.0,
    /// `configuration_*.py`); absent: it has none, or was not looked at.
    pub(super) fn length_of_class(&self) -> Option<u64> {
        let kind = self.model_type.as_deref()?;
        CLASS_LENGTHS.iter().find(|(known, _)| *known == kind).map(|(_, length)| *length)
    }
}

/// A length multiplied by a factor; the length itself where the factor is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a length in tokens is far below 2^52, and a float becomes an integer by saturation"
)]
pub(super) fn times(length: u64, factor: f64) -> u64 {
    if factor.is_finite() && factor > 0.0 { (length as f64 * factor) as u64 } else { length }
}

const CLASS_LENGTHS: [(&str, u64); 28] = [
    ("llama", 2048),
    ("mistral", 131_072),
    ("mixtral", 131_072),
    ("qwen2", 32_768),
    ("qwen2_moe", 32_768),
    ("qwen3", 32_768),
    ("qwen3_moe", 32_768),
    ("gemma", 8192),
    ("gemma2", 8192),
    ("phi", 2048),
    ("phi3", 4096),
    ("bert", 512),
    ("roberta", 512),
    ("xlm-roberta", 512),
    ("distilbert", 512),
    ("gpt_neox", 2048),
    ("opt", 2048),
    ("falcon", 2048),
    ("starcoder2", 4096),
    ("granite", 2048),
    ("cohere", 8192),
    ("olmo", 2048),
    ("olmo2", 2048),
    ("stablelm", 4096),
    ("deepseek_v3", 4096),
    ("nemotron", 4096),
    ("modernbert", 8192),
    ("mpnet", 512),
];
