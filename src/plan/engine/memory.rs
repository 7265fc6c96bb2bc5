//! What a lane needs of the memory of its host and of its devices, in words that are the same for
//! all engines. The arithmetic is each engine's own: its settings implement [`Sizing`].

mod checkpoint;

use std::collections::HashMap;
use std::fmt;

pub use self::checkpoint::{Alike, Checkpoint, Gathering};
use crate::plan::engine::{Refusal, Share};
use crate::source_map::Spanned;

/// What a model is made of, as far as its memory depends on it: the numbers and the tensors of a GGUF
/// file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape {
    /// `general.architecture`.
    pub architecture: String,
    /// Whether this program's tables have that architecture.
    pub is_known: bool,
    /// Whether all of the model's files were read.
    pub is_whole: bool,
    /// Tokens of its vocabulary.
    pub vocabulary: u64,
    /// The integers below the architecture's own prefix, by their names without it. What differs
    /// between layers is one for each layer.
    pub numbers: HashMap<String, Numbers>,
    /// In the order in which they lie in the files.
    pub tensors: Vec<Tensor>,
}

/// An integer, or one for each layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Numbers {
    /// The same for all layers.
    One(u64),
    /// One for each layer.
    Each(Vec<u64>),
}

/// One tensor of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Elements in each dimension, the fastest first; 1 beyond those that it has.
    pub shape: [u64; 4],
    /// `Q4_K` and the like; absent: one that this program's tables do not have.
    pub kind: Option<&'static str>,
    /// Bytes of its data; 0 where the type is not known.
    pub bytes: u64,
}

/// What a lane's engine loads.
#[derive(Debug, Default)]
pub struct Loaded<'a> {
    /// The model, if it is one of GGUF files.
    pub model: Option<&'a Shape>,
    /// The model, if it is a folder with a configuration.
    pub checkpoint: Option<&'a Checkpoint>,
    /// Projectors of images or sound.
    pub projectors: Vec<&'a Shape>,
    /// The small model of speculative decoding.
    pub draft: Option<&'a Shape>,
    /// Adapters.
    pub adapters: Vec<&'a Shape>,
    /// Whether there is something beside these that could not be looked at.
    pub is_cut: bool,
}

/// What an engine runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// The processor; absent: not known.
    pub processor: Option<Processor>,
    /// The devices that it sees.
    pub devices: Devices,
    /// Bytes of the host's memory, whatever a container may have of it; absent: not known.
    pub memory: Option<u64>,
}

/// The devices that a lane sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    /// So many; 0: it runs on the processor.
    Count(u32),
    /// Some, and it is not known how many.
    Some,
    /// Not known whether there is any.
    Unknown,
}

/// What of a processor decides about the layout of weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Processor {
    /// AVX2.
    pub avx2: bool,
    /// The instructions of AVX-512 that ggml asks for.
    pub avx512: bool,
    /// AMX with 8-bit integers.
    pub amx: bool,
    /// Dot products of NEON.
    pub dot_products: bool,
    /// Products of 8-bit matrices of NEON.
    pub matrices: bool,
}

/// Something that takes memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// What it is for.
    pub use_for: Use,
    /// Where it lies.
    pub device: Device,
    /// It takes at least this, in bytes.
    pub low: u64,
    /// It takes at most this, in bytes; absent: not known.
    pub high: Option<u64>,
    /// Whether both are the very number that the engine asks for.
    pub exact: bool,
    /// Whether it lies in a mapped file, whose pages the system takes away when it needs them.
    pub mapped: bool,
}

/// What memory is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// The model's tensors.
    Weights,
    /// Keys and values of the tokens of all slots.
    Cache,
    /// The state of recurrent layers.
    State,
    /// What the model says of the last tokens.
    Output,
    /// What is computed in between.
    Compute,
    /// A projector of images or sound.
    Projector,
    /// The small model of speculative decoding, with its cache.
    Draft,
    /// Adapters.
    Adapter,
}

/// Where memory lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Device {
    /// In the memory of the container.
    Host,
    /// On this one of the lane's devices, counted from 0.
    Gpu(u32),
    /// On the lane's devices together: how it is spread is not known.
    Gpus,
}

/// How much a lane may take somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Where.
    pub device: Device,
    /// Bytes: what is there, without what other lanes take of it; of an engine that claims a share of
    /// each device, no more than that share.
    pub bytes: u64,
}

/// The largest value of a flag with which a lane fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Largest {
    /// `--max-model-len`, `-c`, `-ngl`.
    pub flag: String,
    /// As it is written behind the flag.
    pub value: String,
}

/// What an engine makes of a lane that would take more than there is, where it is left to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The flags that would say the same.
    pub values: Vec<Largest>,
    /// What there is without that.
    pub whole: Whole,
    /// Whether it is no less than that; otherwise about that.
    pub is_least: bool,
}

/// All of what only a part is served of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// Tokens that a model was made for.
    Tokens(u64),
    /// Layers of a model, with what follows the last one as one more.
    Layers(u64),
}

/// What an engine takes of each device that it uses, whatever its model needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Of all of the device's memory.
    pub share: Share,
}

/// A cache that is told to be smaller than what one request of the longest length takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// The flag that says how large it is to be.
    pub flag: String,
    /// What it says.
    pub said: Spanned<String>,
    /// Bytes that a request can take of it.
    pub there: u64,
    /// Bytes that the request takes at least.
    pub needed: u64,
    /// Tokens of the request.
    pub tokens: u64,
    /// Tokens of the longest request for which there is room; absent: not known, or for none.
    pub longest: Option<u64>,
    /// Whether the engine is known not to start so.
    pub is_certain: bool,
}

/// What an engine does with the memory of its container beside its parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beside {
    /// What it keeps of requests that are over; absent: nothing, or that is not known.
    pub kept: Option<Kept>,
    /// The flag by which it is told to lock what it maps; absent: it is not.
    pub locks: Option<&'static str>,
}

/// What an engine keeps of requests that are over: none at first, and more with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The flag that limits it.
    pub flag: &'static str,
    /// Bytes; absent: there is no limit.
    pub most: Option<u64>,
}

/// How an engine is set, as far as that decides about memory.
pub trait Sizing: fmt::Debug + Send + Sync {
    /// What takes memory; absent: that cannot be said.
    fn parts(&self, loaded: &Loaded<'_>, machine: &Machine) -> Option<Vec<Part>>;

    /// The largest value that fits into `room`, which has one entry for each place that is known;
    /// absent: none does, everything does, or that is not known.
    fn largest(&self, loaded: &Loaded<'_>, machine: &Machine, room: &[Room]) -> Option<Largest> {
        let _ = (loaded, machine, room);
        None
    }

    /// Whether the cache is told to be too small for this model; absent: it is not, or that is not known.
    fn shortage(&self, checkpoint: &Checkpoint) -> Option<Shortage> {
        let _ = checkpoint;
        None
    }

    /// Whether what lies on a device has to be there, together with what other lanes have there. It need
    /// not where what a device has no room for goes to the host's memory, or where it is given back while
    /// nobody asks.
    fn is_firm(&self) -> bool {
        true
    }

    /// Whether the context is made as long as there is room for, so that what is told as the largest is what
    /// is served at least.
    fn is_fitted(&self) -> bool {
        false
    }

    /// What it makes of itself where it would take more than `room`, which has one entry for each device that is
    /// known; absent: it takes no more, it is not left to it, or that is not known.
    fn served(&self, loaded: &Loaded<'_>, machine: &Machine, room: &[Room]) -> Option<Served> {
        let _ = (loaded, machine, room);
        None
    }

    /// What the engine refuses of its settings for a GGUF file of that shape; absent: nothing, or that is
    /// not known.
    fn refused(&self, shape: &Shape) -> Option<Refusal> {
        let _ = shape;
        None
    }

    /// What it does with the memory of its container beside its parts.
    fn beside(&self) -> Beside {
        Beside::default()
    }

    /// What is taken of each device, whatever is needed; absent: what is needed.
    fn claim(&self) -> Option<Claim> {
        None
    }
}

impl Shape {
    /// A number that is the same for all layers, or the first layer's.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.of_layer(name, 0)
    }

    /// A number of one layer.
    #[must_use]
    pub fn of_layer(&self, name: &str, layer: usize) -> Option<u64> {
        match self.numbers.get(name)? {
            Numbers::One(number) => Some(*number),
            Numbers::Each(numbers) => numbers.get(layer).copied(),
        }
    }

    /// The largest of the numbers of all layers.
    #[must_use]
    pub fn largest(&self, name: &str) -> Option<u64> {
        match self.numbers.get(name)? {
            Numbers::One(number) => Some(*number),
            Numbers::Each(numbers) => numbers.iter().max().copied(),
        }
    }

    /// What there is for each layer; absent where it is not said for each.
    #[must_use]
    pub fn each(&self, name: &str) -> Option<&[u64]> {
        match self.numbers.get(name)? {
            Numbers::One(_) => None,
            Numbers::Each(numbers) => Some(numbers),
        }
    }

    /// Bytes of all tensors.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.tensors.iter().fold(0, |sum, tensor| tensor.bytes.saturating_add(sum))
    }

    /// Whether the size of every tensor is known.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.is_whole && self.tensors.iter().all(|tensor| tensor.kind.is_some())
    }
}

impl Tensor {
    /// The number of its layer (`blk.7.attn_q.weight`); absent: it belongs to none.
    #[must_use]
    pub fn layer(&self) -> Option<u64> {
        let rest = self.name.strip_prefix("blk.")?;
        rest.split('.').next()?.parse().ok()
    }

    /// How many dimensions it has beyond those of extent 1 at its end.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.shape.iter().rposition(|extent| *extent > 1).map_or(1, |last| last + 1)
    }
}

impl Processor {
    /// What `/proc/cpuinfo` says of the first of its processors.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let is_list = |name: &str| matches!(name.trim(), "flags" | "Features");
        let lists = text.lines().filter_map(|line| line.split_once(':'));
        let flags = lists.into_iter().find(|(name, _)| is_list(name)).map_or("", |(_, it)| it);
        let has = |all: &[&str]| {
            all.iter().all(|wanted| flags.split_ascii_whitespace().any(|flag| flag == *wanted))
        };
        Self {
            avx2: has(&["avx2", "fma", "f16c", "bmi2"]),
            avx512: has(&["avx512f", "avx512cd", "avx512vl", "avx512dq", "avx512bw"]),
            amx: has(&["amx_tile", "amx_int8"]),
            dot_products: has(&["asimddp"]),
            matrices: has(&["i8mm"]),
        }
    }
}

impl Part {
    /// A part of exactly so many bytes.
    #[must_use]
    pub fn exact(use_for: Use, device: Device, bytes: u64) -> Self {
        Self { use_for, device, low: bytes, high: Some(bytes), exact: true, mapped: false }
    }

    /// A part between two bounds.
    #[must_use]
    pub fn between(use_for: Use, device: Device, low: u64, high: Option<u64>) -> Self {
        Self { use_for, device, low, high, exact: false, mapped: false }
    }
}

impl Use {
    /// What programs call it: in the JSON report.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Cache => "kv-cache",
            Self::State => "recurrent-state",
            Self::Output => "output",
            Self::Compute => "compute",
            Self::Projector => "projector",
            Self::Draft => "draft",
            Self::Adapter => "adapter",
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Gpu(index) => write!(f, "gpu:{index}"),
            Self::Gpus => f.write_str("gpus"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_knows_its_layer_and_its_dimensions() {
        let check = |name: &str, shape, layer, dimensions| {
            let tensor = Tensor { name: name.to_owned(), shape, kind: Some("F32"), bytes: 0 };
            assert_eq!((tensor.layer(), tensor.dimensions()), (layer, dimensions), "{name}");
        };
        check("blk.12.attn_q.weight", [8, 4, 1, 1], Some(12), 2);
        check("blk.3.ffn_up_exps.weight", [8, 1, 2, 1], Some(3), 3);
        check("output.weight", [8, 4, 1, 1], None, 2);
        check("output_norm.weight", [8, 1, 1, 1], None, 1);
        check("blk.x", [1, 1, 1, 1], None, 1);
    }

    #[test]
    fn the_flags_of_a_processor_are_read() {
        let text = "processor\t: 0\nflags\t\t: fpu fma avx2 f16c bmi2 avx512f\n\nprocessor\t: 1\n";
        let plain = Processor { avx2: true, ..Processor::default() };
        assert_eq!(Processor::of_text(text), plain);
        let text = "Features\t: fp asimd asimddp i8mm\n";
        let arm = Processor { dot_products: true, matrices: true, ..Processor::default() };
        assert_eq!(Processor::of_text(text), arm);
        assert_eq!(Processor::of_text(""), Processor::default());
    }
}
