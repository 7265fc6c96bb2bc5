//! How an engine is spread over GPUs, in words that are the same for all of them.

use crate::plan::engine::Invocation;
use crate::project::gpus::{Gpu, Gpus, HostGpus, VisibleBy};
use crate::project::{Hardware, Service};
use crate::source_map::Spanned;

/// How a command spreads a model over GPUs, and how much of each it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread {
    /// Into how many stages the layers are divided, each on GPUs of its own
    /// (`--pipeline-parallel-size`); absent: one.
    pub pipeline_parallel: Option<Spanned<u64>>,
    /// The number of the first GPU that it takes, of those that it sees (`--base-gpu-id`).
    pub first: u64,
    /// What becomes of more ranks than there are GPUs.
    pub surplus: Surplus,
    /// What becomes of it without a GPU, and of a GPU with it.
    pub gpu: GpuUse,
    /// Whether experts are put on ranks whole instead of being split (`--enable-expert-parallel`).
    pub whole_experts: bool,
    /// Whether attention is not split as the rest is (`--enable-dp-attention`).
    pub whole_attention: bool,
    /// Whether its layers are those of another library (`--model-impl transformers`).
    pub other_code: bool,
    /// How much of each GPU it takes for itself; absent: it goes by what it needs, or that is not
    /// known.
    pub share: Option<TakenShare>,
    /// What it needs of `/dev/shm`; absent: nothing, or that is not known.
    pub shared_memory: Option<SharedMemoryNeed>,
    /// The variables that say which GPUs its process sees.
    pub variables: GpuVariables,
}

/// What an engine makes of a GPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GpuUse {
    /// Not known.
    #[default]
    Unknown,
    /// It does not start without one.
    Needed,
    /// It computes on one, and without one on the processor.
    Taken,
    /// It is built without code for one.
    Unused {
        /// The images that have it, in words.
        instead: &'static str,
    },
}

/// What becomes of more ranks than there are GPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Surplus {
    /// They are, or may be, on other hosts; or it is not known.
    #[default]
    Elsewhere,
    /// It starts only if other hosts have GPUs for them, or only in some releases.
    Doubtful,
    /// It does not start.
    Refused,
}

/// A part of a GPU's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenShare {
    /// The flag that says it.
    pub flag: &'static str,
    /// How much: of a release that is not known, the least that it can be.
    pub share: Share,
    /// Where it is said; absent: it is the engine's own choice.
    pub said: Option<Spanned<Share>>,
    /// Whether it fills it.
    pub filled: Filled,
}

/// Whether an engine fills the part of a GPU's memory that it takes for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// As soon as it starts, where the model gives out text.
    ByText,
    /// It has to be free when it starts, and is not filled: the model is asked for vectors.
    Never,
    /// Not all of it.
    Partly,
}

/// A part of a whole, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u64);

/// What an engine needs of `/dev/shm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedMemoryNeed {
    /// Bytes that have to be free there.
    pub bytes: u64,
    /// Whether it looks, and does not start with less.
    pub is_certain: bool,
}

/// The variables that say which GPUs a process sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GpuVariables {
    /// `CUDA_VISIBLE_DEVICES`, `HIP_VISIBLE_DEVICES`, `ROCR_VISIBLE_DEVICES`.
    pub lists: [Option<Spanned<String>>; 3],
    /// `CUDA_DEVICE_ORDER`.
    pub order: Option<String>,
    /// Whether one of them has a value that is not known.
    pub unknown: bool,
}

impl GpuVariables {
    /// The names of those with lists.
    pub const LISTS: [&'static str; 3] =
        ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"];

    /// The first list that is set, with the name of its variable.
    #[must_use]
    pub fn list(&self) -> Option<(&'static str, &Spanned<String>)> {
        let lists = Self::LISTS.into_iter().zip(&self.lists);
        lists.filter_map(|(name, list)| Some((name, list.as_ref()?))).next()
    }
}

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self(1_000_000);

    /// What `part` is of `whole`, rounded down.
    #[must_use]
    pub fn part(part: u64, whole: u64) -> Self {
        let share = u128::from(part) * u128::from(Self::WHOLE.0) / u128::from(whole.max(1));
        Self(u64::try_from(share).unwrap_or(u64::MAX))
    }

    /// `0.92`; absent for what is no part of a whole.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number: f64 = text.trim().parse().ok()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and a million"
        )]
        (number > 0.0 && number <= 1.0).then(|| Self((number * 1e6).round() as u64))
    }

    /// As a part of 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        u32::try_from(self.0).map_or(1.0, |millionths| f64::from(millionths) / 1e6)
    }

    /// So much of `bytes`, rounded up.
    #[must_use]
    pub fn of(self, bytes: u64) -> u64 {
        let part = (u128::from(bytes) * u128::from(self.0)).div_ceil(u128::from(Self::WHOLE.0));
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// `0.92`: two digits behind the point, the rest left out.
    #[must_use]
    pub fn shown(self) -> String {
        format!("{}.{:02}", self.0 / 1_000_000, self.0 / 10_000 % 100)
    }
}

impl Invocation {
    /// Over how many GPUs one copy of the model is spread; absent: that is more than can be.
    #[must_use]
    pub fn ranks(&self) -> Option<u64> {
        let number =
            |it: &Option<Spanned<u64>>| it.as_ref().map_or(1, |number| number.value.max(1));
        number(&self.tensor_parallel).checked_mul(number(&self.spread.pipeline_parallel))
    }

    /// The GPUs that it sees in `service`, which has this `hardware`.
    #[must_use]
    pub fn gpus(&self, service: &Service, hardware: &Hardware, host: HostGpus) -> Gpus {
        let variables = &self.spread.variables;
        if variables.unknown {
            return Gpus::Unknown(
                "the variables that say which GPUs its process sees are not known",
            );
        }
        // The images of CUDA say so, from which those of the engines are made.
        let of_image = self.on_nvidia.then_some("all");
        let nvidia = match service.environment.get("NVIDIA_VISIBLE_DEVICES") {
            Some(value) => value.value.as_deref(),
            None => of_image,
        };
        let lists = variables.lists.each_ref().map(|list| Some(list.as_ref()?.value.as_str()));
        let by = VisibleBy { lists, order: variables.order.as_deref() };
        Gpus::of(hardware, nvidia, &by, host)
    }

    /// Those of the GPUs that it sees of which it takes a part, as far as they can be told.
    #[must_use]
    pub fn takes(&self, gpus: &Gpus) -> Vec<Gpu> {
        let seen = gpus.seen().zip(self.ranks());
        seen.map(|(seen, ranks)| seen.taken(self.spread.first, ranks)).unwrap_or_default()
    }
}
