//! Which files of a repository an engine loads, told by their names alone.
//!
//! What is left out is named, never what is kept: a file of an unknown name may be needed. Read out
//! of vLLM 0.33.0 (model_loader/default_loader.py, weight_utils.py), transformers 4.57
//! (modeling_utils.py), sentence-transformers 5.1 (backend torch), TEI 1.8 (backends/src/lib.rs).

use std::collections::BTreeSet;

use super::{Engine, Layout, LoadFormat, Onnx};
use crate::file_name::weights::{self, Weights};

/// Who reads a repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reader<'a> {
    /// The program; absent: a Python library that reads what transformers reads.
    pub engine: Option<Engine>,
    /// How it is told to read weights: see [`super::Invocation::load_format`].
    pub load_format: Option<&'a str>,
    /// Which ONNX graphs it loads; absent: those of its engine.
    pub graphs: Option<Onnx>,
}

/// Folders that hold the model once more, for another program.
const FOREIGN_FOLDERS: [&str; 8] =
    ["original", "onnx", "openvino", "coreml", "metal", "tf", "flax", "gguf"];

impl Reader<'_> {
    /// Those of `paths` that the reader does not load. None, where nothing would be left to load,
    /// or where it reads in a way that is not known.
    #[must_use]
    pub fn surplus<'p>(&self, paths: &[&'p str]) -> BTreeSet<&'p str> {
        if self.makes_up_weights() {
            return paths.iter().copied().filter(|path| Weights::of(path).is_some()).collect();
        }
        if !self.is_known() {
            return BTreeSet::new();
        }
        let names: BTreeSet<&str> = paths.iter().copied().collect();
        let reading = Reading { reader: *self, names: &names };
        let surplus: BTreeSet<&str> =
            paths.iter().copied().filter(|path| reading.is_surplus(path)).collect();
        let is_loaded = |path: &str| Weights::of(path).is_some_and(|it| it != Weights::Foreign);
        let is_left = |path: &&str| !surplus.contains(path) && is_loaded(path);
        if names.iter().any(is_left) { surplus } else { BTreeSet::new() }
    }

    /// Whether the weights are random numbers: `--load-format dummy` (vLLM
    /// `model_executor/model_loader/dummy_loader.py`, whose `download_model` has nothing to do).
    pub(super) fn makes_up_weights(&self) -> bool {
        self.engine
            .is_some_and(|engine| engine.load_format(self.load_format) == LoadFormat::Nothing)
    }

    fn is_known(&self) -> bool {
        let is_hub = |engine: Engine| engine.models().layout == Layout::HubFolder;
        self.engine.is_none_or(is_hub)
            && matches!(self.load_format, None | Some("auto" | "safetensors" | "hf" | "mistral"))
    }
}

/// One repository under one reader.
struct Reading<'a> {
    reader: Reader<'a>,
    names: &'a BTreeSet<&'a str>,
}

impl Reading<'_> {
    fn is_surplus(&self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        is_training(path, name)
            || self.is_foreign(path, name)
            || self.is_pickled_twice(folder, name)
            || self.is_of_other_layout(folder, name)
    }

    /// For another program: only where the weights are there for this one.
    fn is_foreign(&self, path: &str, name: &str) -> bool {
        let top = path.split_once('/').map(|(top, _)| top);
        let is_onnx = top == Some("onnx") || name.contains(".onnx");
        if is_onnx && !self.leaves_onnx(path) {
            return false;
        }
        let foreign = top.is_some_and(|top| FOREIGN_FOLDERS.contains(&top))
            || path.contains(".mlpackage/")
            || Weights::of(name).is_some_and(|weights| !weights.is_of_torch())
            || name.starts_with("openvino_");
        foreign && self.names.iter().any(|name| is_torch(name))
    }

    /// TEI on a processor loads one ONNX model if there is one; Infinity may be told to take any.
    fn leaves_onnx(&self, path: &str) -> bool {
        let of_engine = || self.reader.engine.map_or(Onnx::Never, |engine| engine.models().onnx);
        let main = ["model.onnx", "model.onnx_data", "onnx/model.onnx", "onnx/model.onnx_data"];
        match self.reader.graphs.unwrap_or_else(of_engine) {
            Onnx::Any => false,
            Onnx::Main | Onnx::MainAlone => {
                let configuration = path.ends_with(".json");
                let has_main = self.names.contains(main[0]) || self.names.contains(main[2]);
                has_main && !configuration && !main.contains(&path)
            }
            Onnx::Never => true,
        }
    }

    /// Pickles beside the same weights as safetensors.
    fn is_pickled_twice(&self, folder: &str, name: &str) -> bool {
        let is_pickle = Weights::Pickles.are_in(name) || name.ends_with(".bin.index.json");
        let of = |start: &str| is_pickle && name.starts_with(start);
        let has = |start: &str| {
            self.names.iter().any(|path| {
                let (other, name) = path.rsplit_once('/').unwrap_or(("", path));
                other == folder && name.starts_with(start) && Weights::Safetensors.are_in(name)
            })
        };
        (of("pytorch_model") && has("model"))
            || (of("adapter_model") && has("adapter_model"))
            || (of(weights::CONSOLIDATED) && (has("model") || has(weights::CONSOLIDATED)))
    }

    /// Mistral's own layout where that of transformers is complete, or the other way round where
    /// the engine is told to.
    fn is_of_other_layout(&self, folder: &str, name: &str) -> bool {
        let top = |wanted: &dyn Fn(&str) -> bool| self.names.iter().any(|path| wanted(path));
        let mistral = |name: &str| weights::is_consolidated(name) && name.contains(".safetensors");
        let transformers = |name: &str| name.starts_with("model") && name.contains(".safetensors");
        let both = top(&mistral) && top(&transformers) && self.names.contains("config.json");
        if !both || !folder.is_empty() {
            return false;
        }
        if self.reader.load_format == Some("mistral") {
            transformers(name)
        } else {
            mistral(name) || name == "params.json"
        }
    }
}

/// What a training run leaves behind, and the folders that its trainers make.
fn is_training(path: &str, name: &str) -> bool {
    let top = path.split('/').next().unwrap_or_default();
    weights::is_of_training(name)
        || (path.contains('/') && (top == "runs" || top.starts_with("checkpoint-")))
        || top.starts_with("global_step")
        || name.starts_with("events.out.tfevents")
}

/// Weights that PyTorch programs load, at the top.
fn is_torch(path: &str) -> bool {
    let is_of_torch = Weights::of(path).is_some_and(Weights::is_of_torch);
    !path.contains('/') && is_of_torch && !is_training(path, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `reader` leaves out of a repository that has these files.
    fn check(reader: Reader<'_>, paths: &str, expected: &str) {
        let paths: Vec<&str> = paths.split(' ').collect();
        let left_out: Vec<&str> = reader.surplus(&paths).into_iter().collect();
        assert_eq!(left_out.join(" "), expected, "{reader:?} {paths:?}");
    }

    fn vllm() -> Reader<'static> {
        Reader { engine: Some(Engine::Vllm), ..Reader::default() }
    }

    #[test]
    fn the_same_weights_for_another_program_are_left_out() {
        let llama = "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors \
                     model.safetensors.index.json original/consolidated.00.pth original/params.json \
                     original/tokenizer.model tokenizer.json README.md";
        let original = "original/consolidated.00.pth original/params.json original/tokenizer.model";
        check(vllm(), llama, original);
        check(Reader::default(), llama, original);
        let many = "config.json flax_model.msgpack model.safetensors onnx/model.onnx \
                    openvino_model.bin openvino_model.xml pytorch_model.bin rust_model.ot tf_model.h5";
        let foreign = "flax_model.msgpack onnx/model.onnx openvino_model.bin openvino_model.xml \
                       pytorch_model.bin rust_model.ot tf_model.h5";
        check(vllm(), many, foreign);
    }

    #[test]
    fn pickles_are_left_out_only_beside_the_same_weights_as_safetensors() {
        let training = "optimizer_1.bin rng_state_0.pth training_args.bin";
        check(vllm(), &format!("config.json pytorch_model.bin {training}"), training);
        check(
            vllm(),
            "model.safetensors pytorch_model.bin.index.json pytorch_model-00001-of-00002.bin \
             2_Dense/pytorch_model.bin",
            "pytorch_model-00001-of-00002.bin pytorch_model.bin.index.json",
        );
        // Second weights of a retrieval model, which have no other copy.
        check(vllm(), "model.safetensors sparse_linear.pt colbert_linear.pt", "");
        check(
            vllm(),
            "adapter_model.bin adapter_model.safetensors adapter_config.json",
            "adapter_model.bin",
        );
    }

    #[test]
    fn of_two_layouts_the_one_that_is_read_stays() {
        let both = "config.json consolidated.safetensors model-00001-of-00001.safetensors \
                    model.safetensors.index.json params.json tekken.json";
        check(vllm(), both, "consolidated.safetensors params.json");
        let told = Reader { load_format: Some("mistral"), ..vllm() };
        check(told, both, "model-00001-of-00001.safetensors model.safetensors.index.json");
        check(vllm(), "consolidated.safetensors params.json tekken.json", "");
    }

    #[test]
    fn weights_that_are_made_up_are_all_left_out() {
        let paths = "config.json model-00001-of-00001.safetensors model.safetensors.index.json \
                     tokenizer.json";
        let told = Reader { load_format: Some("dummy"), ..vllm() };
        check(told, paths, "model-00001-of-00001.safetensors");
    }

    #[test]
    fn tei_on_a_processor_keeps_the_onnx_model_that_it_would_choose_and_infinity_all() {
        let paths = "config.json model.safetensors onnx/config.json onnx/model.onnx \
                     onnx/model_O2.onnx";
        let reader = |engine| Reader { engine: Some(engine), ..Reader::default() };
        check(reader(Engine::Tei), paths, "onnx/model_O2.onnx");
        let on_gpu = Reader { graphs: Some(Onnx::Never), ..reader(Engine::Tei) };
        check(on_gpu, paths, "onnx/config.json onnx/model.onnx onnx/model_O2.onnx");
        check(reader(Engine::Infinity), paths, "");
        check(Reader::default(), paths, "onnx/config.json onnx/model.onnx onnx/model_O2.onnx");
    }

    #[test]
    fn nothing_is_left_out_where_nothing_else_would_be_loaded_or_the_way_is_not_known() {
        check(vllm(), "config.json model-Q4.gguf", "");
        check(vllm(), "config.json onnx/model.onnx", "");
        check(vllm(), "checkpoint-500/model.safetensors config.json", "");
        let told = Reader { load_format: Some("gguf"), ..vllm() };
        check(told, "config.json model.safetensors model-Q4.gguf", "");
        let llama = Reader { engine: Some(Engine::LlamaCpp), ..Reader::default() };
        check(llama, "model.safetensors model-Q4.gguf", "");
    }
}
