//! Where the tensors of a model go (libllama 0.6.0: `src/llama-model-loader.cpp` `create_tensor`,
//! `ggml/src/ggml-cpu/repack.cpp`, `ggml-cuda.cu`).

use crate::plan::engine::llama_cpp::memory::placement::Places;
use crate::plan::engine::llama_cpp::memory::settings::{Backend, Settings};
use crate::plan::engine::llama_cpp::memory::sums::{Sums, alignment, padded};
use crate::plan::engine::memory::{Device, Machine, Part, Processor, Shape, Tensor, Use};

/// Models that give out no words, so that what embeds words is not used a second time.
const WITHOUT_WORDS: [&str; 9] = [
    "bert",
    "clef",
    "eurobert",
    "jina-bert-v2",
    "jina-bert-v3",
    "modern-bert",
    "neo-bert",
    "nomic-bert",
    "nomic-bert-moe",
];

/// The architecture that makes what says the next word before what embeds words, so that both are there
/// (`src/models/gemma4.cpp`); where the file is mapped, they are the same bytes.
const OUTPUT_FIRST: &str = "gemma4";

/// Tensors out of which rows are taken, and which are multiplied with nothing.
const LOOKED_UP: [&str; 4] =
    ["token_embd.weight", "position_embd.weight", "token_types.weight", "per_layer_token_embd."];

/// What embeds words.
const EMBEDDING: &str = "token_embd.weight";

/// Columns that a matrix on a device of NVIDIA is padded to (`MATRIX_ROW_PADDING`).
const COLUMNS: u64 = 512;

/// The sums of the weights.
#[derive(Debug, Default)]
struct Weights {
    /// On the host, as they are in the file.
    plain: u64,
    /// The same, each padded.
    plain_padded: u64,
    /// On the host, laid out anew.
    repacked: u64,
    /// Of what is as it is in the file, what a server with code for AMX lays out anew as well.
    open: u64,
    /// What such a server may take beside that: for a copy, and because what it lays out is larger than in the
    /// file (`ggml-cpu/amx/mmq.cpp` `get_row_size`: by at most 4 bytes for each block).
    swollen: u64,
    on_devices: Sums,
    /// Without what devices of NVIDIA pad.
    bare_on_devices: Sums,
}

/// What the weights take. `layers` are those that are used.
pub(super) fn parts(
    shape: &Shape,
    layers: u64,
    settings: &Settings,
    machine: &Machine,
    places: &Places<'_>,
) -> Vec<Part> {
    let mut weights = Weights::default();
    let repacks = settings.repacks && !places.has_devices();
    let processor = machine.processor.filter(|_| repacks);
    let is_used = |tensor: &&Tensor| tensor.layer().is_none_or(|layer| layer < layers);
    for tensor in shape.tensors.iter().filter(is_used) {
        for device in places.tensor(tensor) {
            weights.add(tensor, device, processor);
        }
    }
    if let Some(embedding) = tied(shape) {
        let is_twice = shape.architecture == OUTPUT_FIRST && !settings.is_mapped;
        if is_twice && places.output() == Device::Host && !is_repacked(embedding, processor) {
            weights.add(embedding, Device::Host, None);
        }
        weights.add_output(embedding, places.output(), processor);
    }
    let is_certain = shape.is_measured() && (machine.processor.is_some() || !repacks);
    let mut parts =
        weights.into_parts(settings, is_certain, repacks && machine.processor.is_none());
    if !shape.is_measured() {
        parts.iter_mut().for_each(|part| part.high = None);
    }
    parts
}

/// What embeds words, where it also says which word comes next. What does that may be in a file that is not here.
fn tied(shape: &Shape) -> Option<&Tensor> {
    let has_output =
        !shape.is_whole || shape.tensors.iter().any(|tensor| tensor.name == "output.weight");
    if has_output || WITHOUT_WORDS.contains(&shape.architecture.as_str()) {
        return None;
    }
    shape.tensors.iter().find(|tensor| tensor.name == EMBEDDING)
}

impl Weights {
    fn add(&mut self, tensor: &Tensor, device: Device, processor: Option<Processor>) {
        let is_looked_up = LOOKED_UP.iter().any(|name| tensor.name.starts_with(name));
        match device {
            Device::Host if !is_looked_up && is_repacked(tensor, processor) => {
                self.repack(tensor, processor);
            }
            Device::Host => {
                self.plain += tensor.bytes;
                self.plain_padded += padded(tensor.bytes, alignment(device));
                if !is_looked_up && processor.is_some_and(|it| it.amx) && tensor.dimensions() > 1 {
                    self.open += padded(tensor.bytes, alignment(device));
                }
            }
            Device::Gpu(_) | Device::Gpus => self.add_to_device(tensor, device),
        }
    }

    /// The copy of what embeds words, if there has to be one.
    fn add_output(&mut self, tensor: &Tensor, device: Device, processor: Option<Processor>) {
        match device {
            Device::Host if is_repacked(tensor, processor) => self.repack(tensor, processor),
            Device::Host if processor.is_some_and(|it| it.amx) => {
                self.swollen += tensor.bytes.saturating_add(tensor.bytes / 4);
            }
            Device::Host => {}
            Device::Gpu(_) | Device::Gpus => self.add_to_device(tensor, device),
        }
    }

    /// Where the processor has AMX, it does not matter for what it is laid out: it is no longer of the file.
    fn repack(&mut self, tensor: &Tensor, processor: Option<Processor>) {
        self.repacked += padded(tensor.bytes, alignment(Device::Host));
        if processor.is_some_and(|it| it.amx) {
            self.swollen += tensor.bytes / 4;
        }
    }

    fn add_to_device(&mut self, tensor: &Tensor, device: Device) {
        self.bare_on_devices.add(device, tensor.bytes);
        let bytes = tensor.bytes.saturating_add(row_padding(tensor));
        self.on_devices.add(device, padded(bytes, alignment(device)));
    }

    fn into_parts(self, settings: &Settings, is_certain: bool, may_repack: bool) -> Vec<Part> {
        let whole = if settings.is_mapped { self.plain } else { self.plain_padded };
        let mut plain = Part::exact(Use::Weights, Device::Host, whole);
        plain.mapped = settings.is_mapped;
        let is_open = self.open > 0 || self.swollen > 0;
        plain.exact = is_certain && self.open == 0;
        plain.low = whole.saturating_sub(self.open);
        let mut repacked = Part::exact(Use::Weights, Device::Host, self.repacked);
        let more = self.open.saturating_add(self.open / 4).saturating_add(self.swollen);
        repacked.exact = is_certain && !is_open;
        repacked.high = Some(self.repacked.saturating_add(more));
        if may_repack {
            (plain.low, repacked.high) = (0, Some(self.plain_padded));
        }
        let mut parts = vec![plain, repacked];
        if !settings.is_mapped {
            // However it is laid out, it is no longer of the file.
            let sum = self.plain_padded.saturating_add(self.repacked);
            let more = if may_repack { self.plain_padded } else { more };
            let mut all = Part::exact(Use::Weights, Device::Host, sum);
            (all.high, all.exact) = (Some(sum.saturating_add(more)), is_certain && more == 0);
            parts = vec![all];
        }
        let bare: Vec<Part> = self.bare_on_devices.parts(Use::Weights).collect();
        for (mut part, bare) in self.on_devices.parts(Use::Weights).zip(bare) {
            part.exact = is_certain && settings.backend == Backend::Cuda;
            part.low = if part.exact { part.low } else { bare.low };
            parts.push(part);
        }
        parts.retain(|part| part.high != Some(0));
        parts
    }
}

/// Whether the processor's own code wants a matrix laid out anew
/// (`ggml_repack_get_optimal_repack_type`).
fn is_repacked(tensor: &Tensor, processor: Option<Processor>) -> bool {
    let (Some(processor), Some(kind)) = (processor, tensor.kind) else { return false };
    let is_of_experts = tensor.name.contains("exps.");
    if tensor.dimensions() != if is_of_experts { 3 } else { 2 } {
        return false;
    }
    let rows_by = |rows: u64| tensor.shape[1].is_multiple_of(rows);
    let Processor { avx2, avx512, dot_products: dots, matrices, .. } = processor;
    match kind {
        "Q4_0" | "Q4_K" if avx2 => rows_by(8),
        "IQ4_NL" | "MXFP4" if avx2 => rows_by(8),
        "Q2_K" if avx512 => rows_by(8),
        "Q4_K" | "Q5_K" | "Q6_K" => (dots || matrices) && rows_by(8),
        "Q4_0" | "Q8_0" => (dots || matrices) && rows_by(4),
        "IQ4_NL" | "MXFP4" => dots && rows_by(4),
        _ => false,
    }
}

/// What a device of NVIDIA adds to a quantised matrix whose rows are not whole
/// (`ggml_backend_cuda_buffer_type_get_alloc_size`).
fn row_padding(tensor: &Tensor) -> u64 {
    let is_plain = matches!(
        tensor.kind,
        None | Some("F32" | "F16" | "BF16" | "F64" | "I8" | "I16" | "I32" | "I64")
    );
    let columns = tensor.shape[0];
    let rest = columns % COLUMNS;
    if is_plain || rest == 0 || columns == 0 {
        return 0;
    }
    let rows = tensor.shape[1..].iter().product::<u64>().max(1);
    let of_row = tensor.bytes / rows;
    of_row * (COLUMNS - rest) / columns
}
