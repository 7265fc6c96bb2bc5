//! Names of files of weights: what their endings say, and what only looks like weights.

use std::path::Path;

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// safetensors.
    Safetensors,
    /// Pickles: they can run code when they are loaded.
    Pickles,
    /// GGUF.
    Gguf,
    /// A graph for ONNX Runtime, or its data.
    Onnx,
    /// For TensorFlow, Flax, Rust or Core ML: no engine loads them.
    Foreign,
}

/// Endings of what programs on PyTorch load, in the order in which they look.
pub(crate) const TORCH: [&str; 4] = [".safetensors", ".bin", ".pt", ".pth"];

const ENDINGS: [(Weights, &[&str]); 5] = [
    (Weights::Safetensors, &[".safetensors"]),
    (Weights::Pickles, &[".bin", ".pt", ".pth"]),
    (Weights::Gguf, &[".gguf"]),
    (Weights::Onnx, &[".onnx", ".onnx_data", ".onnx.data"]),
    (Weights::Foreign, &[".h5", ".msgpack", ".ot", ".tflite", ".mlmodel"]),
];

impl Weights {
    /// What the ending of a name or path says; absent: it is not that of weights.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let is_called =
            |(_, endings): &&(Self, &[&str])| endings.iter().any(|it| name.ends_with(it));
        ENDINGS.iter().find(is_called).map(|(weights, _)| *weights)
    }

    /// Whether a file of that name holds them.
    pub(crate) fn are_in(self, name: &str) -> bool {
        Self::of(name) == Some(self)
    }

    /// Whether programs on PyTorch load them.
    pub(crate) fn is_of_torch(self) -> bool {
        matches!(self, Self::Safetensors | Self::Pickles)
    }
}

/// Whether somebody has written the name of a GGUF file, in whatever case.
pub(crate) fn names_gguf(text: &str) -> bool {
    Path::new(text).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
}

/// How the names of weights begin in Mistral's own layout; a configuration in that layout alone makes
/// vLLM 0.12 look for them.
pub(crate) const CONSOLIDATED: &str = "consolidated";

/// Whether a file is called as the weights of Mistral's own layout are.
pub(crate) fn is_consolidated(name: &str) -> bool {
    name.starts_with(CONSOLIDATED)
}

/// Whether a file is called as a projector of images is, which no engine opens as a model.
pub(crate) fn is_projector(name: &str) -> bool {
    name.to_ascii_lowercase().contains("mmproj")
}

/// Whether a file is called as those of thousands of models are, so that its name does not tell whose it
/// is.
pub(crate) fn is_called_as_many(name: &str) -> bool {
    let starts = [
        "model",
        "ggml-model",
        "pytorch_model",
        "adapter_model",
        CONSOLIDATED,
        "mmproj",
        "config",
        "adapter_config",
        "generation_config",
        "tokenizer",
        "chat_template",
        "template",
    ];
    let name = name.to_ascii_lowercase();
    let stem = name.split('.').next().unwrap_or_default();
    let is_end = |rest: &str| rest.is_empty() || rest.starts_with(['-', '_']);
    starts.iter().any(|start| stem.strip_prefix(start).is_some_and(is_end))
}

/// Whether a file is what a training run leaves beside weights, with a number where there are several
/// processes or optimizers (transformers 4.57.6 `trainer.py`, accelerate `checkpointing.py`): it holds
/// no weights. vLLM 0.33.0 `filter_files_not_needed_for_inference` leaves out those without a number.
pub(crate) fn is_of_training(name: &str) -> bool {
    let starts = ["training_args", "optimizer", "scheduler", "scaler", "rng_state"];
    Weights::of(name) == Some(Weights::Pickles) && starts.iter().any(|it| name.starts_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_say_how_weights_are_stored() {
        for (name, expected) in [
            ("model-00001-of-00002.safetensors", Some(Weights::Safetensors)),
            ("q/pytorch_model.bin", Some(Weights::Pickles)),
            ("original/consolidated.00.pth", Some(Weights::Pickles)),
            ("m.gguf", Some(Weights::Gguf)),
            ("onnx/model.onnx_data", Some(Weights::Onnx)),
            ("rust_model.ot", Some(Weights::Foreign)),
            ("m.GGUF", None),
            ("model.safetensors.index.json", None),
            ("model.safetensors.aria2", None),
            ("README.md", None),
        ] {
            assert_eq!(Weights::of(name), expected, "{name}");
        }
        let torch =
            |ending: &&str| Weights::of(&format!("m{ending}")).is_some_and(Weights::is_of_torch);
        assert!(TORCH.iter().all(torch));
        assert!(!Weights::Gguf.is_of_torch());
        assert!(names_gguf("m.GGUF") && !names_gguf("Q8_0"));
    }

    #[test]
    fn a_name_that_thousands_have_tells_nothing() {
        for name in ["model.safetensors", "mmproj-F16.gguf", "ggml-model-Q4_0.gguf", "config.json"]
        {
            assert!(is_called_as_many(name), "{name}");
        }
        for name in ["tiny.gguf", "modelica-7b.gguf", "Qwen3-8B-Q4_K_M.gguf"] {
            assert!(!is_called_as_many(name), "{name}");
        }
    }

    #[test]
    fn what_a_training_run_leaves_is_no_weights() {
        for name in ["training_args.bin", "optimizer_1.bin", "scaler.pt", "rng_state_0.pth"] {
            assert!(is_of_training(name), "{name}");
        }
        for name in ["pytorch_model.bin", "scaler.safetensors", "optimizer.md", "sparse_linear.pt"]
        {
            assert!(!is_of_training(name), "{name}");
        }
    }
}
