//! Which files of a folder a way to load weights opens: `--load-format` of vLLM (0.12.0 and 0.33.0,
//! `default_loader.py`, `sharded_state_loader.py`, `runai_streamer_loader.py`) and of SGLang, which has
//! the same names.

/// What a format opens in the folder of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadFormat {
    /// What there is: safetensors, else pickles.
    Best,
    /// Nothing: the weights are made up.
    Nothing,
    /// Tensors in a format or at a place of its own, which preflight does not know.
    Elsewhere,
    /// Files with this beginning and this ending.
    Named(&'static str, &'static str),
    /// `model-rank-N-part-*.safetensors`, for every rank.
    Ranks,
}

const SAFETENSORS: LoadFormat = LoadFormat::Named("", ".safetensors");

/// The formats that vLLM and SGLang have.
pub(super) static OF_VLLM: &[(&str, LoadFormat)] = &[
    ("dummy", LoadFormat::Nothing),
    ("tensorizer", LoadFormat::Elsewhere),
    ("remote", LoadFormat::Elsewhere),
    ("remote_instance", LoadFormat::Elsewhere),
    ("instanttensor", LoadFormat::Elsewhere),
    ("safetensors", SAFETENSORS),
    ("fastsafetensors", SAFETENSORS),
    ("runai_streamer", SAFETENSORS),
    ("flash_rl", SAFETENSORS),
    ("mistral", LoadFormat::Named("consolidated", ".safetensors")),
    ("npcache", LoadFormat::Named("", ".bin")),
    ("pt", LoadFormat::Named("", ".pt")),
    ("sharded_state", LoadFormat::Ranks),
    ("runai_streamer_sharded", LoadFormat::Ranks),
];
