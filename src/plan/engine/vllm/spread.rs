//! How vLLM is spread over GPUs, and how much of each it takes.

use crate::plan::engine::arguments::{Arguments, Setting};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::release_table::ReleaseTable;
use crate::plan::engine::{
    Family, Filled, GpuUse, Share, SharedMemoryNeed, SplitRules, Stages, Surplus, TakenShare,
};
use crate::source_map::Spanned;

/// Attention heads: config/model.py `verify_with_parallel_config`. Heads of keys and values, widths and
/// the vocabulary, padded to 64: `QKVParallelLinear`, `MergedColumnParallelLinear` and
/// `RowParallelLinear` of model_executor/layers/linear.py, `FusedMoE`, vocab_parallel_embedding.py. All of
/// that in 0.6.6, 0.8.5, 0.12.0, 0.19.1 and 0.33.0, where there is the model.
pub(super) const SPLIT: SplitRules = SplitRules {
    flag: "--tensor-parallel-size",
    families: &[
        Family {
            architectures: &[
                "CohereForCausalLM",
                "Gemma2ForCausalLM",
                "Gemma3ForCausalLM",
                "GemmaForCausalLM",
                "GraniteForCausalLM",
                "LlamaForCausalLM",
                "MistralForCausalLM",
                "Phi3ForCausalLM",
                "Qwen2ForCausalLM",
                "Qwen3ForCausalLM",
            ],
            ..Family::PLAIN
        },
        Family {
            architectures: &["MixtralForCausalLM", "Qwen2MoeForCausalLM", "Qwen3MoeForCausalLM"],
            experts: true,
            ..Family::PLAIN
        },
    ],
    // config/model.py `verify_with_parallel_config`.
    stages: Some(Stages {
        flag: "--pipeline-parallel-size",
        whole: ReleaseTable::new(include_str!("stages.txt")),
    }),
};

/// The newest release that was read.
const NEWEST: [u32; 3] = [0, 33, 0];

/// The first release that does not start with more ranks than GPUs; older ones turn to Ray
/// (config/parallel.py, 0.11.1 and 0.11.0).
const REFUSES_SURPLUS_SINCE: [u32; 3] = [0, 11, 1];

/// The first release of those that were read which takes 0.92 instead of 0.9 (config/cache.py, 0.20.2
/// and 0.19.1).
const TAKES_MORE_SINCE: [u32; 3] = [0, 20, 2];

/// What a worker's queue of answers takes: ten chunks of 24 MiB
/// (distributed/device_communicators/shm_broadcast.py, 0.11.1 to 0.33.0), or of 10 MiB (0.6.6 to 0.11.0).
const QUEUE: u64 = 240 << 20;
const OLD_QUEUE: u64 = 100 << 20;
const LONG_SINCE: [u32; 3] = [0, 11, 1];

/// The first release that asks whether there is room for it (0.27.1 `check_shm_free_space`; 0.26.0 does
/// not ask).
const ASKS_FOR_ROOM_SINCE: [u32; 3] = [0, 27, 1];

const SHARE: &str = "--gpu-memory-utilization";

/// Tasks and runners of models that are asked for vectors (config/model.py).
const OF_VECTORS: [&str; 7] =
    ["pooling", "embed", "embedding", "classify", "score", "reward", "mm_encoder_only"];

pub(super) fn read(arguments: &Arguments, is_for_cpu: bool, reading: &mut Reading<'_>) {
    let pipeline = reading.number(arguments.last("--pipeline-parallel-size"));
    reading.invocation.spread.pipeline_parallel = pipeline;
    reading.invocation.spread.whole_experts = arguments.is_on("--enable-expert-parallel");
    let own = |setting: &Setting| matches!(setting.text(), Some("auto" | "vllm"));
    let implementation = arguments.last("--model-impl");
    reading.invocation.spread.other_code = implementation.is_some_and(|setting| !own(&setting));
    let is_read = is_read(reading);
    let surplus = surplus(arguments, is_read, reading);
    reading.invocation.spread.gpu = gpu(arguments, is_for_cpu, reading);
    reading.invocation.spread.surplus = surplus;
    let is_split = reading.invocation.ranks().is_some_and(|ranks| 1 < ranks);
    if is_split && surplus != Surplus::Elsewhere {
        let asks = is_read && reading.invocation.is_since(ASKS_FOR_ROOM_SINCE);
        let is_long = reading.invocation.is_since(LONG_SINCE);
        let bytes = if is_long { QUEUE } else { OLD_QUEUE };
        let need = SharedMemoryNeed { bytes, is_certain: asks };
        reading.invocation.spread.shared_memory = Some(need);
    }
    if !is_for_cpu {
        reading.invocation.spread.share = share(arguments, reading);
    }
}

/// It ends where it finds no device (config/device.py `DeviceConfig.__post_init__`, 0.12.0 to 0.33.0). One
/// that only hands requests on to other hosts may do without.
fn gpu(arguments: &Arguments, is_for_cpu: bool, reading: &Reading<'_>) -> GpuUse {
    if is_for_cpu {
        return GpuUse::Unused { instead: "`vllm/vllm-openai`" };
    }
    let device = arguments.last("--device");
    let is_other = device.as_ref().is_some_and(|it| !matches!(it.text(), Some("auto" | "cuda")));
    let local = arguments.last("--data-parallel-size-local");
    let is_front = local.as_ref().and_then(Setting::text) == Some("0");
    let is_needed = reading.invocation.on_nvidia && !is_other && !is_front;
    if is_needed { GpuUse::Needed } else { GpuUse::Unknown }
}

/// Whether it is the project's own image of a release that was read.
pub(super) fn is_read(reading: &Reading<'_>) -> bool {
    let known = reading.invocation.stock.then(|| reading.release()).flatten();
    known.is_some_and(|release| release.len() >= 2 && release.as_slice() <= NEWEST.as_slice())
}

/// Who places more ranks than there are GPUs: Ray and launchers do it on other hosts, and so do
/// several nodes (config/parallel.py `__post_init__`).
fn surplus(arguments: &Arguments, is_read: bool, reading: &Reading<'_>) -> Surplus {
    let has_nodes = ["--nnodes", "--node-rank", "--master-addr", "--data-parallel-backend"];
    if arguments.any(&has_nodes) || reading.names_program("ray") || has_cluster(reading) {
        return Surplus::Elsewhere;
    }
    let backend = arguments.last("--distributed-executor-backend");
    let is_certain = is_read && reading.invocation.on_nvidia;
    match backend.as_ref().map(Setting::text) {
        // One process for each GPU, each of which takes its own (worker/gpu_worker.py).
        Some(Some("mp")) if is_certain => Surplus::Refused,
        None if is_certain && reading.invocation.is_since(REFUSES_SURPLUS_SINCE) => {
            Surplus::Refused
        }
        Some(Some("mp")) | None => Surplus::Doubtful,
        Some(_) => Surplus::Elsewhere,
    }
}

/// Whether its variables name a cluster.
fn has_cluster(reading: &Reading<'_>) -> bool {
    ["RAY_ADDRESS", "VLLM_HOST_IP"].iter().any(|name| reading.environment.get(name).is_some())
}

fn share(arguments: &Arguments, reading: &mut Reading<'_>) -> Option<TakenShare> {
    let said = match arguments.last(SHARE) {
        Some(setting) => {
            let text = reading.text(Some(setting))?;
            Some(Spanned::new(Share::parse(&text.value)?, text.place))
        }
        None => None,
    };
    let takes_more =
        reading.invocation.version.is_some() && reading.invocation.is_since(TAKES_MORE_SINCE);
    let own = if takes_more { Share(920_000) } else { Share(900_000) };
    let share = said.as_ref().map_or(own, |said| said.value);
    Some(TakenShare { flag: SHARE, share, said, filled: filled(arguments) })
}

fn filled(arguments: &Arguments) -> Filled {
    let limits = ["--kv-cache-memory-bytes", "--num-gpu-blocks-override"];
    let names_vectors = |flag: &str| {
        let word = arguments.last(flag);
        word.as_ref().and_then(Setting::text).is_some_and(|word| OF_VECTORS.contains(&word))
    };
    if arguments.any(&limits) || arguments.is_on("--enable-sleep-mode") {
        Filled::Partly
    } else if ["--runner", "--task", "--convert"].iter().any(|flag| names_vectors(flag)) {
        Filled::Never
    } else {
        Filled::ByText
    }
}
