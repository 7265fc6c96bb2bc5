//! The words and variables that decide about memory (vLLM 0.6.6 to 0.33.0, engine/arg_utils.py,
//! config/cache.py, platforms/cpu.py).

use super::cache::{Copies, Sum};
use super::states::Family;
use crate::plan::engine::arguments::{Arguments, Setting, human_number};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::vllm::spread;
use crate::plan::engine::{Filled, Share};
use crate::source_map::Spanned;

/// Since when a request is held against groups of layers, first against the blocks of the first alone
/// (v1/core/kv_cache_utils.py, 0.14.1 and 0.13.0, 0.19.1 and 0.18.1).
const FIRST_GROUP_SINCE: [u32; 3] = [0, 14, 1];
const GROUPS_SINCE: [u32; 3] = [0, 19, 1];

/// Since when each stage of a pipeline is held against its own layers again, as it was before
/// [`FIRST_GROUP_SINCE`] (0.17.1 and 0.16.0).
const STAGES_SINCE: [u32; 3] = [0, 17, 1];

/// Since when the tokens of every batch that is under way count (0.26.0 and 0.25.1).
const COUNTS_BATCHES_SINCE: [u32; 3] = [0, 26, 0];

/// Since when the block that is never given out is left out of what there is (0.29.0 and 0.28.0).
const KEEPS_BLOCK_SINCE: [u32; 3] = [0, 29, 0];

/// Since when a number of blocks is what a request is held against (0.20.2 and 0.19.1).
const HOLDS_BLOCKS_SINCE: [u32; 3] = [0, 20, 2];

/// Since when the processor has blocks of 128 tokens (platforms/cpu.py, 0.11.1 and 0.11.0).
const LONG_BLOCKS_SINCE: [u32; 3] = [0, 11, 1];

/// Since when a block grows by as many tokens as it has, not by those of the kernels alone
/// (platforms/interface.py, 0.20.2 and 0.18.1).
const GROWS_BY_BLOCKS_SINCE: [u32; 3] = [0, 20, 2];

/// Since when prefixes are cached of models with states as well where nobody says so (config/model.py
/// `is_prefix_caching_supported`, 0.26.0 and 0.25.1).
const CACHES_PREFIXES_SINCE: [u32; 3] = [0, 26, 0];

/// Since when two states are kept where prefixes are cached: of the classes that could not do it before,
/// and of all (model_executor/models/config.py `MambaModelConfig`, 0.16.0 and 0.14.1, 0.28.0 and 0.27.1).
const KEEPS_TWO_SINCE: [u32; 3] = [0, 16, 0];
const ALL_KEEP_TWO_SINCE: [u32; 3] = [0, 28, 0];

/// Since when linear attention may keep a third (`num_prefill_checkpoint_blocks`, 0.33.0 and 0.28.0).
const MAY_KEEP_THREE_SINCE: [u32; 3] = [0, 28, 1];

/// Since when `--mamba-ssm-cache-dtype` counts for linear attention as well (mamba_utils.py, 0.18.1 and
/// 0.12.0).
const TOLD_OF_STATES_SINCE: [u32; 3] = [0, 18, 1];

/// Since when the type of a state is read from the configuration for all classes of Qwen3.5
/// (models/config.py, 0.28.0 and 0.18.1).
const READS_STATES_SINCE: [u32; 3] = [0, 28, 0];

/// Bytes of the one vector of a token in the layout of its own that attention to some of the tokens may have, and
/// since when a backend of attention decides whether it has it; before, it had it wherever numbers have 8 bits
/// (v1/kv_cache_interface.py `MLAAttentionSpec`, models/config.py `DeepseekV32ForCausalLM`, 0.16.0, and 0.18.1
/// layers/attention/mla_attention.py).
const PACKED_LATENT: u64 = 656;
const BACKEND_PACKS_SINCE: [u32; 3] = [0, 17, 0];

/// Tokens of which the kernels of attention want a multiple, one of these: of all heads but those of 256
/// numbers, and of those (v1/attention/backends, `get_supported_kernel_block_sizes`).
const KERNELS: [u64; 3] = [16, 32, 64];
const WIDE_KERNELS: [u64; 4] = [16, 32, 64, 128];

/// The same as long as they were written down ([`GROWS_BY_BLOCKS_SINCE`]), and of one vector for each token.
const OLD_KERNELS: [u64; 1] = [16];
const OLD_WIDE_KERNELS: [u64; 2] = [16, 32];
const LATENT_KERNELS: [u64; 2] = [64, 128];

/// Numbers of a head that is wide.
const WIDE: u64 = 256;

/// Tokens that a state is computed of at once where the model does not say it (config/model.py
/// `get_mamba_chunk_size`).
const CHUNK: u64 = 2048;

/// Tokens of a block where nobody says how many, and the most that a backend of attention takes instead.
const BLOCK: u64 = 16;
const LONGEST_BLOCK: u64 = 128;

/// Tokens that are computed at once, at least, where nobody says how many.
const BATCH: u64 = 2048;

/// How a server of vLLM is set.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// The release, if the image is the project's own and the release was read.
    pub(super) release: Option<Vec<u32>>,
    /// Whether the image is the project's own, of a release that was read or of one that is not said.
    pub(super) is_stock: bool,
    /// Tokens of the longest request.
    pub(super) length: Length,
    /// `--block-size`.
    pub(super) said_block: Option<u64>,
    /// `--kv-cache-dtype`; absent: `auto`.
    pub(super) cache_type: Option<String>,
    /// `--dtype`; absent: `auto`.
    pub(super) dtype: Option<String>,
    /// `--quantization`.
    pub(super) quantization: Option<String>,
    /// Over how many ranks each layer is divided, and over how many stages the layers are.
    pub(super) tensor: u64,
    /// See [`Settings::tensor`].
    pub(super) stages: u64,
    /// How many copies of the model there are, which divide the experts among each other
    /// (`--data-parallel-size`).
    pub(super) copies: u64,
    /// Bytes of the cache of each rank, and the flag that says so (`--kv-cache-memory-bytes`).
    pub(super) cache: Option<Given>,
    /// Blocks of the cache (`--num-gpu-blocks-override`).
    pub(super) blocks: Option<Given>,
    /// Bytes of the weights of each rank that stay in the memory of the host (`--cpu-offload-gb`).
    pub(super) offloaded: u64,
    /// Whether prefixes are cached; absent: nobody says so.
    pub(super) prefixes: Option<bool>,
    /// Bits of a number of the convolution of a state, and of what it carries on; absent: nobody says so.
    pub(super) state_bits: [Option<u64>; 2],
    /// `--max-num-batched-tokens`.
    pub(super) batch: Option<u64>,
    /// Over how many ranks the tokens of a request are divided.
    pub(super) token_ranks: u64,
    /// Whether it runs on the processor.
    pub(super) is_on_processor: bool,
    /// How much of each device it takes; absent: that is not known, or it runs on the processor.
    pub(super) share: Option<Share>,
    /// Whether the model is asked for vectors.
    pub(super) is_of_vectors: bool,
    /// Whether the model is changed by words of the command.
    pub(super) overrides: bool,
    /// Whether something is said whose effect is not worked out here.
    pub(super) is_special: bool,
    /// Whether layers are put on the stages by hand (`VLLM_PP_LAYER_PARTITION`).
    pub(super) is_partitioned: bool,
    /// Whether only the language model of a model of images is loaded.
    pub(super) is_of_text: bool,
}

/// A number, and the flag that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) flag: String,
    pub(super) text: Spanned<String>,
    pub(super) number: u64,
}

/// Tokens of the longest request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Length {
    /// So many.
    Said(u64),
    /// As many as the model was made for.
    #[default]
    Own,
    /// As many of these as there is room for (`auto`, `-1`).
    Fitted,
}

/// The flags whose effect on the cache is not worked out: it can only grow by them, or come in other
/// groups.
const SPECIAL: [&str; 14] = [
    "--speculative-config",
    "--speculative-model",
    "--spec-model",
    "--spec-method",
    "--kv-transfer-config",
    "--disable-hybrid-kv-cache-manager",
    "--disable-sliding-window",
    "--kv-events-config",
    "--kv-cache-dtype-skip-layers",
    "--attention-config",
    "--mamba-block-size",
    "--mamba-cache-mode",
    "--mamba-config",
    "--use-replayssm",
];

/// The flags whose values are read here.
const DECIDING: [&str; 16] = [
    "--block-size",
    "--cpu-offload-gb",
    "--data-parallel-size",
    "--decode-context-parallel-size",
    "--dtype",
    "--gpu-memory-utilization",
    "--kv-cache-dtype",
    "--kv-cache-memory-bytes",
    "--mamba-cache-dtype",
    "--mamba-ssm-cache-dtype",
    "--max-model-len",
    "--max-num-batched-tokens",
    "--num-gpu-blocks-override",
    "--pipeline-parallel-size",
    "--quantization",
    "--tensor-parallel-size",
];

/// The switches that say whether prefixes are cached.
const PREFIXES: &str = "--enable-prefix-caching";
const NO_PREFIXES: &str = "--no-enable-prefix-caching";

/// What of a model with states decides about its blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stateful<'a> {
    pub(super) family: &'a Family,
    /// Numbers of a head; absent: it has no attention.
    pub(super) head: Option<u64>,
    /// Whether attention keeps one vector of each token.
    pub(super) is_latent: bool,
    /// Tokens that are computed at once; absent: it does not say so.
    pub(super) chunk: Option<u64>,
}

/// How blocks may be made for a model with states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    /// Tokens of a block, before it grows.
    pub(super) block: u64,
    /// Tokens by which it grows.
    pub(super) unit: u64,
    /// See [`Copies`].
    pub(super) copies: Copies,
}

impl Settings {
    /// What is said, where the rest of the command line has been read.
    /// Absent: a word of it is not known.
    pub(super) fn of(
        arguments: &Arguments,
        is_for_cpu: bool,
        reading: &Reading<'_>,
    ) -> Option<Self> {
        let settings = DECIDING.iter().filter_map(|flag| arguments.last(flag));
        if settings.into_iter().any(|setting| setting.text().is_none()) {
            return None;
        }
        let invocation = &reading.invocation;
        let is_read = spread::is_read(reading);
        let release = reading.release().filter(|_| is_read);
        let text = |flag| words(arguments.last(flag));
        let number = |flag| text(flag).and_then(|text| human_number(&text));
        let count = |flag| number(flag).filter(|count| *count > 0).unwrap_or(1);
        let share = invocation.spread.share.as_ref();
        let said = |it: &Option<Spanned<u64>>| it.as_ref().map_or(1, |it| it.value.max(1));
        Some(Self {
            is_stock: invocation.stock && (is_read || invocation.version.is_none()),
            release,
            length: length(arguments),
            said_block: number("--block-size").filter(|block| *block > 0),
            cache_type: text("--kv-cache-dtype").filter(|text| text != "auto"),
            dtype: invocation.dtype.as_ref().map(|it| it.value.clone()).filter(|it| it != "auto"),
            quantization: invocation.quantization.as_ref().map(|it| it.value.clone()),
            tensor: said(&invocation.tensor_parallel),
            stages: said(&invocation.spread.pipeline_parallel),
            copies: count("--data-parallel-size"),
            cache: given(arguments.last("--kv-cache-memory-bytes")),
            blocks: given(arguments.last("--num-gpu-blocks-override")),
            offloaded: match text("--cpu-offload-gb") {
                // Any of the layers may be on the host (0.17.1 config/offload.py).
                _ if arguments.any(&["--offload-group-size", "--offload-backend"]) => u64::MAX,
                Some(text) => gibibytes(&text),
                None => 0,
            },
            prefixes: match arguments.last_of(&[PREFIXES, NO_PREFIXES]) {
                Some(PREFIXES) => Some(arguments.is_on(PREFIXES)),
                Some(_) => Some(false),
                None => None,
            },
            state_bits: ["--mamba-cache-dtype", "--mamba-ssm-cache-dtype"]
                .map(|flag| text(flag).and_then(|text| bits(&text))),
            batch: number("--max-num-batched-tokens").filter(|batch| *batch > 0),
            token_ranks: count("--decode-context-parallel-size")
                .saturating_mul(count("--prefill-context-parallel-size")),
            is_on_processor: is_for_cpu,
            share: share.map(|share| share.share),
            is_of_vectors: share.is_some_and(|share| share.filled == Filled::Never),
            overrides: invocation.overrides,
            is_special: arguments.any(&SPECIAL) || invocation.spread.other_code,
            is_partitioned: reading.environment.get("VLLM_PP_LAYER_PARTITION").is_some(),
            is_of_text: invocation.limits_images,
        })
    }

    /// Whether it is this release or a newer one; absent: the release is not known.
    fn is_since(&self, first: [u32; 3]) -> Option<bool> {
        self.release.as_ref().map(|release| {
            let mut numbers = release.iter().copied();
            first <= [(); 3].map(|()| numbers.next().unwrap_or(0))
        })
    }

    /// How layers of several kinds are put together; absent: the release is not known.
    pub(super) fn sum(&self) -> Option<Sum> {
        let is_since = |first| self.is_since(first);
        Some(match (is_since(FIRST_GROUP_SINCE)?, is_since(GROUPS_SINCE)?) {
            (_, true) => Sum::Groups,
            (true, false) => Sum::FirstGroup,
            (false, false) => Sum::Layers,
        })
    }

    /// Whether every stage of a pipeline is held against the layers of all of them.
    pub(super) fn holds_all_stages(&self) -> bool {
        self.is_since(FIRST_GROUP_SINCE) == Some(true) && self.is_since(STAGES_SINCE) == Some(false)
    }

    /// See [`KEEPS_BLOCK_SINCE`].
    pub(super) fn keeps_block(&self) -> Option<bool> {
        self.is_since(KEEPS_BLOCK_SINCE)
    }

    /// See [`HOLDS_BLOCKS_SINCE`].
    pub(super) fn holds_blocks(&self) -> bool {
        self.is_since(HOLDS_BLOCKS_SINCE) == Some(true)
    }

    /// Whether `--mamba-ssm-cache-dtype` is what every class takes ([`TOLD_OF_STATES_SINCE`]).
    pub(super) fn is_told_of_states(&self) -> bool {
        self.is_since(TOLD_OF_STATES_SINCE) == Some(true)
    }

    /// Whether every class takes what its configuration says of its states ([`READS_STATES_SINCE`]).
    pub(super) fn reads_states(&self) -> bool {
        self.is_since(READS_STATES_SINCE) == Some(true)
    }

    /// What the one vector of a token may take, in bytes: absent where it follows from its numbers. `is_sparse` is
    /// whether attention is paid to some of the tokens alone.
    pub(super) fn latents(&self, is_sparse: bool) -> Vec<Option<u64>> {
        let is_old = self.is_since(BACKEND_PACKS_SINCE) == Some(false);
        let said = self.cache_type.as_deref();
        match said {
            _ if !is_sparse => vec![None],
            Some("bfloat16" | "float16") => vec![None],
            Some(said) if is_old && said.starts_with("fp8") => vec![Some(PACKED_LATENT)],
            None if is_old => vec![None],
            Some(_) | None => vec![None, Some(PACKED_LATENT)],
        }
    }

    /// The least and the most tokens of a block.
    pub(super) fn block(&self) -> [u64; 2] {
        if let Some(block) = self.said_block {
            return [block, block];
        }
        let is_long = self.is_since(LONG_BLOCKS_SINCE);
        match self.is_on_processor {
            true if is_long == Some(true) => [LONGEST_BLOCK; 2],
            true | false => [BLOCK, LONGEST_BLOCK],
        }
    }

    /// All ways in which blocks may be made for a model.
    pub(super) fn ways(&self, model: Stateful<'_>) -> Vec<Way> {
        let is_old = self.is_since(GROWS_BY_BLOCKS_SINCE) == Some(false);
        let kernels: &[u64] = match (is_old, model.head == Some(WIDE)) {
            _ if model.is_latent => &LATENT_KERNELS,
            (true, false) => &OLD_KERNELS,
            (true, true) => &OLD_WIDE_KERNELS,
            (false, false) => &KERNELS,
            (false, true) => &WIDE_KERNELS,
        };
        let blocks: Vec<u64> = match self.block() {
            [block, most] if block == most => vec![block],
            [block, _] if is_old => vec![block],
            [..] => WIDE_KERNELS.to_vec(),
        };
        let chunk = model.chunk.unwrap_or(CHUNK).max(1);
        let mut ways = Vec::new();
        for copies in self.copies(model.family, model.head.is_some()) {
            for (kernel, block) in kernels.iter().flat_map(|it| blocks.iter().map(|of| (*it, *of)))
            {
                let unit = if is_old { kernel } else { multiple(block, kernel) };
                let unit = match copies {
                    Copies::Some(_) => unit,
                    Copies::EachBlock => multiple(unit, chunk),
                };
                let way = Way { block, unit, copies };
                if !ways.contains(&way) {
                    ways.push(way);
                }
            }
        }
        ways
    }

    /// How many states a layer may keep of a request.
    fn copies(&self, family: &Family, attends: bool) -> Vec<Copies> {
        let of_models = if attends { self.is_since(CACHES_PREFIXES_SINCE) } else { Some(false) };
        let all = || {
            let blocks = family.each_block.then_some(Copies::EachBlock);
            (1..=3).map(Copies::Some).chain(blocks).collect()
        };
        if self.is_special || self.release.is_none() {
            return all();
        }
        match self.prefixes.or(of_models) {
            Some(false) => vec![Copies::Some(1)],
            None => all(),
            Some(true) if !attends => all(),
            Some(true) if self.is_since(ALL_KEEP_TWO_SINCE) == Some(true) => {
                let third = self.is_since(MAY_KEEP_THREE_SINCE) == Some(true) && !family.each_block;
                if third { vec![Copies::Some(2), Copies::Some(3)] } else { vec![Copies::Some(2)] }
            }
            Some(true) if family.each_block => vec![Copies::EachBlock],
            Some(true) if self.is_since(KEEPS_TWO_SINCE) == Some(true) => vec![Copies::Some(2)],
            Some(true) => vec![Copies::Some(1)],
        }
    }

    /// The least and the most tokens that are computed and whose blocks are not given back yet.
    pub(super) fn in_flight(&self) -> [u64; 2] {
        let least = self.batch.unwrap_or(BATCH);
        match self.is_since(COUNTS_BATCHES_SINCE) {
            Some(false) => [least, self.batch.unwrap_or(u64::MAX)],
            Some(true) | None => [least, u64::MAX],
        }
    }
}

/// The smallest number that both divide.
fn multiple(one: u64, other: u64) -> u64 {
    let (mut divisor, mut rest) = (one.max(1), other.max(1));
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (one / divisor).saturating_mul(other)
}

/// Bits of a number of a type; absent: that follows from something else.
pub(super) fn bits(name: &str) -> Option<u64> {
    match name.trim_start_matches("torch.") {
        "float32" | "float" => Some(32),
        "half" | "float16" | "bfloat16" => Some(16),
        _ => None,
    }
}

fn words(setting: Option<Setting>) -> Option<String> {
    setting?.text().map(str::to_owned)
}

/// `--max-model-len`, which is `auto` as well where it is nothing (0.33.0 engine/arg_utils.py).
fn length(arguments: &Arguments) -> Length {
    match words(arguments.last("--max-model-len")).as_deref() {
        None | Some("None") => Length::Own,
        Some("auto" | "-1") => Length::Fitted,
        Some(text) => human_number(text).map_or(Length::Own, Length::Said),
    }
}

fn given(setting: Option<Setting>) -> Option<Given> {
    let setting = setting?;
    let number = human_number(setting.text()?)?;
    let text = Spanned::new(setting.word.text.clone(), setting.word.place.clone());
    Some(Given { flag: setting.by, text, number })
}

/// Bytes of a number of GiB.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes an integer by saturation"
)]
fn gibibytes(text: &str) -> u64 {
    text.trim().parse::<f64>().map_or(0, |number| (number * f64::from(1_u32 << 30)) as u64)
}
