//! The words and variables that decide about memory (common/arg.cpp, tools/server/server.cpp).

use crate::plan::engine::arguments::{Arguments, Setting};
use crate::plan::engine::image::{Image, Trust};
use crate::plan::engine::llama_cpp::pattern::Pattern;
use crate::plan::engine::llama_cpp::values;
use crate::plan::engine::memory::{Beside, Device, Kept};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::words::Word;

/// Since when attention is computed in one go wherever that can be done (#15434).
const FUSES_SINCE: u32 = 6325;

/// Since when the server has four slots that share one cache where nobody says how many (#16736).
const FOUR_SLOTS_SINCE: u32 = 6925;

/// Since when `-np 1` is not taken for nothing said (#17997).
const ONE_SLOT_SINCE: u32 = 7433;

/// Since when what was not said is made to fit (#16653).
const FITS_SINCE: u32 = 7407;

/// The last build that is known to make the context of all slots that share no cache as long as the model was
/// made for, and the first that is known to make that of each as long (#27496).
const ONE_FOR_ALL_UNTIL: u32 = 10_541;
const ONE_FOR_EACH_SINCE: u32 = 11_669;

/// What is left free of each device where it is made to fit, in MiB, and the tokens of the shortest context that
/// it is made for, where nobody says so (common/common.h `fit_params_target`, `fit_params_min_ctx`).
const LEFT_FREE: u64 = 1024;
pub(super) const LEAST_CONTEXT: u64 = 4096;

/// Since when, and until what was not said was made to fit, the context was this where nobody said how
/// long it is to be (#10136).
const SHORT_SINCE: u32 = 4014;
const SHORT_CONTEXT: u64 = 4096;

/// Since when only one row of outputs is reserved for each slot (#23861).
pub(super) const FEW_OUTPUTS_SINCE: u32 = 9460;

/// Since when prompts that are over are kept on the host, and how much of them at most where nobody says
/// so, in MiB (#16391).
const KEEPS_SINCE: u32 = 6723;
const KEPT: u64 = 8192;

/// How llama-server is set.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    /// The build; absent: not known, and taken for the newest.
    pub(super) build: Option<u32>,
    /// Tokens of the context of all slots; absent: what the model was made for.
    pub(super) context: Option<u64>,
    /// Slots, and whether they share one cache.
    pub(super) slots: u64,
    /// See [`Settings::slots`].
    pub(super) is_unified: bool,
    /// Tokens that are taken at once.
    pub(super) batch: u64,
    /// Tokens that are computed at once.
    pub(super) micro_batch: u64,
    /// The types of keys and values.
    pub(super) cache_types: [String; 2],
    /// Whether attention is computed in steps that need all of their products at once (`-fa off`).
    pub(super) is_unfused: bool,
    /// Whether windowed layers keep all tokens.
    pub(super) keeps_all: bool,
    /// Whether the file is mapped.
    pub(super) is_mapped: bool,
    /// Whether weights may be laid out anew for the processor.
    pub(super) repacks: bool,
    /// What its image was built for.
    pub(super) backend: Backend,
    /// Whether embeddings are given out.
    pub(super) embeds: bool,
    /// Whether a first batch is computed before it serves.
    pub(super) warms_up: bool,
    /// Whether caches lie where their layers do.
    pub(super) offloads_cache: bool,
    /// Whether the projector lies on a device.
    pub(super) offloads_projector: bool,
    /// Whether what was not said is made to fit into what is free.
    pub(super) fits: bool,
    /// Bytes of each device that are left free by that.
    pub(super) left_free: u64,
    /// Tokens of the context of each stream that are left by that; absent: all of them, as `-c 0` asks for
    /// (#19070).
    pub(super) least_context: Option<u64>,
    /// How weights are placed.
    pub(super) placement: Placement,
    /// What it keeps and locks.
    pub(super) beside: Beside,
    /// Whether something was said whose effect is not worked out here.
    pub(super) is_cut: bool,
}

/// What a server was built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    /// The processor alone.
    Processor,
    /// Devices of NVIDIA.
    Cuda,
    /// Other devices, or that is not known.
    Other,
}

/// What the tags of official images for devices name (.devops of the repository).
const OF_DEVICES: [&str; 7] = ["rocm", "vulkan", "intel", "sycl", "musa", "openvino", "cann"];

impl Backend {
    /// That of an image; absent: it is none of the project's own.
    pub(super) fn of(image: Option<&Image>) -> Self {
        match image {
            Some(image) if image.mentions("cuda") => Self::Cuda,
            Some(image)
                if is_official(image) && !OF_DEVICES.iter().any(|it| image.mentions(it)) =>
            {
                Self::Processor
            }
            Some(_) | None => Self::Other,
        }
    }
}

fn is_official(image: &Image) -> bool {
    matches!(image.profile(), Some((_, Trust::Official)))
}

/// How weights are placed on devices.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Placement {
    /// Layers on devices, from the last one on; absent: as many as fit.
    pub(super) layers: Option<u64>,
    /// The devices by their numbers, in the order in which they are named; empty: all that there are.
    pub(super) devices: Vec<u32>,
    /// Shares of the devices; empty: by what is free.
    pub(super) shares: Vec<f32>,
    /// Whether one device takes it all.
    pub(super) is_one: bool,
    /// Which one.
    pub(super) main: u32,
    /// Of how many layers the experts stay on the host.
    pub(super) experts_on_host: u64,
    /// Where tensors go that a pattern is found in the names of; the first that is counts.
    pub(super) patterns: Vec<(Pattern, Device)>,
    /// Whether tensors are placed by patterns that are not read, or cut into parts.
    pub(super) is_special: bool,
    /// Whether they are cut into parts, so that what is not cut may be on every device.
    pub(super) is_sliced: bool,
}

impl Settings {
    /// What is said for the model, or, with `draft`, for the small model beside it.
    pub(super) fn of(arguments: &Arguments, reading: &Reading<'_>, backend: Backend) -> Self {
        let words = Words { arguments, reading };
        let build = reading.invocation.build();
        let is_since = |first: u32| build.is_none_or(|build| build >= first);
        let (slots, is_unified) = slots(&words, is_since);
        let context = context(&words, slots, is_since);
        let batch = words.number("--batch-size", "LLAMA_ARG_BATCH").unwrap_or(2048);
        let micro_batch = words.number("--ubatch-size", "LLAMA_ARG_UBATCH").unwrap_or(512);
        let kind = |flag, variable| words.text(flag, variable).unwrap_or_else(|| "f16".to_owned());
        let offloads = |flag, off, variable| words.is_on(flag, off, variable).unwrap_or(true);
        Self {
            build,
            context,
            slots,
            is_unified,
            batch,
            micro_batch: if micro_batch == 0 { batch } else { micro_batch },
            cache_types: [
                kind("--cache-type-k", "LLAMA_ARG_CACHE_TYPE_K"),
                kind("--cache-type-v", "LLAMA_ARG_CACHE_TYPE_V"),
            ],
            is_unfused: is_unfused(&words, is_since),
            keeps_all: words.is_on("--swa-full", "", "LLAMA_ARG_SWA_FULL").unwrap_or(false),
            is_mapped: is_mapped(&words),
            repacks: offloads("--repack", "--no-repack", "LLAMA_ARG_REPACK"),
            backend,
            embeds: embeds(&words),
            warms_up: words.is_on("--warmup", "--no-warmup", "LLAMA_ARG_WARMUP").unwrap_or(true),
            offloads_cache: offloads("--kv-offload", "--no-kv-offload", "LLAMA_ARG_KV_OFFLOAD"),
            offloads_projector: offloads(
                "--mmproj-offload",
                "--no-mmproj-offload",
                "LLAMA_ARG_MMPROJ_OFFLOAD",
            ),
            fits: is_since(FITS_SINCE)
                && !words.text("--fit", "LLAMA_ARG_FIT").is_some_and(|text| is_off(&text)),
            left_free: left_free(&words),
            least_context: least_context(&words),
            placement: Placement::of(&words),
            beside: Beside {
                kept: kept(&words).filter(|_| is_since(KEEPS_SINCE) && !embeds(&words)),
                locks: locks(&words).then_some("--mlock"),
            },
            is_cut: is_cut(&words),
        }
    }

    /// The same for the small model beside it, which has flags of its own.
    pub(super) fn of_draft(&self, arguments: &Arguments, reading: &Reading<'_>) -> Self {
        let words = Words { arguments, reading };
        let kind = |flag| words.text(flag, "").unwrap_or_else(|| "f16".to_owned());
        let mut placement = Placement::of_layers(words.text("--gpu-layers-draft", ""));
        let Placement { is_special, shares, devices, .. } = &self.placement;
        placement.is_special = *is_special || !shares.is_empty() || !devices.is_empty();
        Self {
            cache_types: [kind("--cache-type-k-draft"), kind("--cache-type-v-draft")],
            placement,
            ..self.clone()
        }
    }

    /// The same without a layer on a device.
    pub(super) fn on_host(&self) -> Self {
        let placement = Placement { layers: Some(0), ..self.placement.clone() };
        Self { placement, ..self.clone() }
    }

    /// How long the context of all slots may be made where it need not be made to fit, the shortest first, for a
    /// model that was made for so many tokens; absent: that is not known.
    pub(super) fn contexts(&self, trained: Option<u64>) -> Option<Vec<u64>> {
        let most = |context: u64| context.min(u64::from(u32::MAX));
        if let Some(context) = self.context {
            return Some(vec![most(context)]);
        }
        let trained = trained?;
        let each = trained.saturating_mul(self.slots);
        let contexts = match self.build {
            _ if !self.fits || self.is_unified => vec![trained],
            Some(build) if build <= ONE_FOR_ALL_UNTIL => vec![trained],
            Some(build) if build >= ONE_FOR_EACH_SINCE => vec![each],
            Some(_) | None => vec![trained, each],
        };
        Some(contexts.into_iter().map(most).collect())
    }

    /// How many caches the slots share, or have of their own.
    pub(super) fn streams(&self) -> u64 {
        if self.is_unified { 1 } else { self.slots.max(1) }
    }

    /// Whether only as many outputs are reserved as there are slots.
    pub(super) fn has_few_outputs(&self) -> bool {
        self.build.is_none_or(|build| build >= FEW_OUTPUTS_SINCE)
    }

    /// Whether the rules of this folder were read in the sources of the build or in newer ones.
    pub(super) fn is_read(&self) -> bool {
        self.build.is_none_or(|build| build >= FOUR_SLOTS_SINCE)
    }
}

/// Slots, and whether they share one cache.
fn slots(words: &Words<'_>, is_since: impl Fn(u32) -> bool) -> (u64, bool) {
    let said = words.number("--parallel", "LLAMA_ARG_N_PARALLEL").filter(|slots| *slots > 0);
    let shares = words.is_on("--kv-unified", "--no-kv-unified", "LLAMA_ARG_KV_UNIFIED");
    match said {
        Some(slots) if slots > 1 || is_since(ONE_SLOT_SINCE) => (slots, shares.unwrap_or(false)),
        Some(_) | None if is_since(ONE_SLOT_SINCE) => (4, true),
        Some(_) | None if is_since(FOUR_SLOTS_SINCE) && shares != Some(true) => (4, true),
        Some(_) | None => (1, shares.unwrap_or(false)),
    }
}

/// Whether attention is computed in steps: as a switch the flag was off where it was not given.
fn is_unfused(words: &Words<'_>, is_since: impl Fn(u32) -> bool) -> bool {
    if !is_since(FUSES_SINCE) {
        let is_set = words.is_on("--flash-attn", "", "LLAMA_ARG_FLASH_ATTN");
        return !is_set.unwrap_or(false);
    }
    let said = words.text("--flash-attn", "LLAMA_ARG_FLASH_ATTN");
    said.is_some_and(|text| is_off(&text))
}

/// Tokens of the context of all slots; absent: what the model was made for.
fn context(words: &Words<'_>, slots: u64, is_since: impl Fn(u32) -> bool) -> Option<u64> {
    let each = words.number("--kv-unified-per-slot", "LLAMA_ARG_KV_UNIFIED_PER_SLOT");
    let is_short = is_since(SHORT_SINCE) && !is_since(FITS_SINCE);
    let unsaid = if is_short { Some(SHORT_CONTEXT) } else { None };
    match words.number("--ctx-size", "LLAMA_ARG_CTX_SIZE") {
        None => each.map(|each| each.saturating_mul(slots)).or(unsaid),
        Some(said) => Some(said).filter(|context| *context > 0),
    }
}

/// The most that is left free of a device (`--fit-target`).
fn left_free(words: &Words<'_>) -> u64 {
    let said = words.text("--fit-target", "LLAMA_ARG_FIT_TARGET").unwrap_or_default();
    let each = said.split([',', '/']).filter_map(|part| part.trim().parse::<u64>().ok());
    each.max().unwrap_or(LEFT_FREE).saturating_mul(1 << 20)
}

fn least_context(words: &Words<'_>) -> Option<u64> {
    let asks_for_all = words.number("--ctx-size", "LLAMA_ARG_CTX_SIZE") == Some(0);
    let said = words.number("--fit-ctx", "LLAMA_ARG_FIT_CTX").unwrap_or(LEAST_CONTEXT);
    (!asks_for_all).then_some(said)
}

/// Whether weights are read where the file is mapped.
fn is_mapped(words: &Words<'_>) -> bool {
    match words.text("--load-mode", "LLAMA_ARG_LOAD_MODE").as_deref() {
        Some("none" | "dio") => return false,
        Some("mmap" | "mlock" | "mmap+mlock" | "auto") => return true,
        Some(_) | None => {}
    }
    let direct = words.is_on("--direct-io", "--no-direct-io", "LLAMA_ARG_DIO").unwrap_or(false);
    !direct && words.is_on("--mmap", "--no-mmap", "LLAMA_ARG_MMAP").unwrap_or(true)
}

fn embeds(words: &Words<'_>) -> bool {
    let is_on = |flag, variable| words.is_on(flag, "", variable).unwrap_or(false);
    is_on("--embedding", "LLAMA_ARG_EMBEDDINGS") || is_on("--reranking", "LLAMA_ARG_RERANKING")
}

/// What is kept of prompts that are over.
fn kept(words: &Words<'_>) -> Option<Kept> {
    let said = words.number("--cache-ram", "LLAMA_ARG_CACHE_RAM");
    let is_endless = words
        .text("--cache-ram", "LLAMA_ARG_CACHE_RAM")
        .is_some_and(|text| text.trim().parse::<i64>().is_ok_and(|mebibytes| mebibytes < 0));
    let mebibytes = said.unwrap_or(KEPT);
    let most = (!is_endless).then(|| mebibytes.saturating_mul(1 << 20));
    (most != Some(0)).then_some(Kept { flag: "--cache-ram", most })
}

fn locks(words: &Words<'_>) -> bool {
    let mode = words.text("--load-mode", "LLAMA_ARG_LOAD_MODE");
    let is_on = words.is_on("--mlock", "", "LLAMA_ARG_MLOCK").unwrap_or(false);
    mode.map_or(is_on, |mode| mode.contains("mlock"))
}

/// What takes memory, or places it, otherwise than is worked out here.
fn is_cut(words: &Words<'_>) -> bool {
    let types = words.text("--spec-type", "LLAMA_ARG_SPEC_TYPE").unwrap_or_default();
    let has = |name: &str| types.split(',').any(|kind| kind.trim().starts_with(name));
    let own = has("draft") || has("mtp") || has("eagle") || has("dflash");
    let asks = |flag: &str| words.arguments.last(flag).is_some() || words.arguments.is_on(flag);
    own || asks("--moe-cache-mib") || asks("--n-cpu-ffn") || asks("--lazy-mode")
}

impl Placement {
    fn of(words: &Words<'_>) -> Self {
        let plain = Self::of_layers(words.text("--gpu-layers", "LLAMA_ARG_N_GPU_LAYERS"));
        let shares = words.text("--tensor-split", "LLAMA_ARG_TENSOR_SPLIT").unwrap_or_default();
        let shares = shares.split([',', '/']).filter_map(|share| share.trim().parse().ok());
        let mode = words.text("--split-mode", "LLAMA_ARG_SPLIT_MODE");
        let main = words.number("--main-gpu", "LLAMA_ARG_MAIN_GPU").unwrap_or_default();
        let all_experts = words.is_on("--cpu-moe", "", "LLAMA_ARG_CPU_MOE").unwrap_or(false);
        let experts = words.number("--n-cpu-moe", "LLAMA_ARG_N_CPU_MOE").unwrap_or_default();
        let patterns = patterns(words);
        let is_read = patterns.is_some();
        let patterns = patterns.unwrap_or_default();
        let experts_on_host = if all_experts { u64::MAX } else { experts };
        // Which of the two was said first decides, if they speak of the same tensors.
        let are_at_odds = experts_on_host > 0 && patterns.iter().any(|(_, it)| *it != Device::Host);
        let named = words.text("--device", "LLAMA_ARG_DEVICE");
        let is_none = named.as_deref() == Some("none");
        let is_sliced = matches!(mode.as_deref(), Some("row" | "tensor"));
        let devices = named.filter(|_| !is_none).map(|named| devices(&named));
        Self {
            layers: if is_none { Some(0) } else { plain.layers },
            devices: devices.clone().flatten().unwrap_or_default(),
            shares: shares.collect(),
            is_one: mode.as_deref() == Some("none"),
            main: u32::try_from(main).unwrap_or_default(),
            experts_on_host,
            patterns,
            is_special: !is_read
                || are_at_odds
                || devices.is_some_and(|devices| devices.is_none())
                || is_sliced,
            is_sliced,
        }
    }
}

impl Placement {
    /// With so many layers on devices, and nothing else said.
    fn of_layers(text: Option<String>) -> Self {
        let layers = text.and_then(|text| match text.trim() {
            "all" => Some(u64::MAX),
            // One below zero is as many as fit, and what is further below all of them.
            text => match text.parse::<i64>().ok()? {
                -1 => None,
                number => Some(u64::try_from(number).unwrap_or(u64::MAX)),
            },
        });
        Self { layers, ..Self::default() }
    }

    /// Whether nothing is said about it, so that it is chosen to fit.
    pub(super) fn is_free(&self) -> bool {
        self.layers.is_none()
            && self.shares.is_empty()
            && self.experts_on_host == 0
            && self.patterns.is_empty()
            && !self.is_special
    }
}

/// Where tensors are put by patterns of their names (common/arg.cpp `parse_tensor_buffer_overrides`);
/// absent: one is not read here, or names a place that is not known.
fn patterns(words: &Words<'_>) -> Option<Vec<(Pattern, Device)>> {
    let given = words.arguments.all("--override-tensor").flat_map(|given| &given.values);
    let given: Vec<Word> = match given.cloned().collect::<Vec<_>>() {
        given if given.is_empty() => {
            let variable = words.reading.environment.get("LLAMA_ARG_OVERRIDE_TENSOR");
            variable.into_iter().collect()
        }
        given => given,
    };
    let mut patterns = Vec::new();
    for word in given {
        if word.unknown.is_some() {
            return None;
        }
        for entry in word.text.split(',') {
            let (pattern, place) = entry.split_once('=')?;
            patterns.push((Pattern::parse(pattern)?, place_of(place)?));
        }
    }
    Some(patterns)
}

/// The numbers of the devices in a list of their names; absent: one is of a kind that is not numbered as the
/// lane's devices are, or is there twice.
fn devices(list: &str) -> Option<Vec<u32>> {
    const KINDS: [&str; 2] = ["CUDA", "ROCm"];
    let mut numbers = Vec::new();
    for name in list.split(',') {
        let number = KINDS.iter().find_map(|kind| name.strip_prefix(kind))?.parse().ok()?;
        if numbers.contains(&number) {
            return None;
        }
        numbers.push(number);
    }
    Some(numbers)
}

/// The device of a buffer.
fn place_of(buffer: &str) -> Option<Device> {
    const KINDS: [&str; 3] = ["CUDA", "ROCm", "Vulkan"];
    if buffer == "CPU" {
        return Some(Device::Host);
    }
    let number = KINDS.iter().find_map(|kind| buffer.strip_prefix(kind))?;
    number.parse().ok().map(Device::Gpu)
}

/// A command line and the variables that stand for its flags.
struct Words<'a> {
    arguments: &'a Arguments,
    reading: &'a Reading<'a>,
}

impl Words<'_> {
    fn setting(&self, flag: &str, variable: &str) -> Option<Setting> {
        self.reading.setting(self.arguments, &[flag], &[variable])
    }

    fn text(&self, flag: &str, variable: &str) -> Option<String> {
        let setting = self.setting(flag, variable)?;
        setting.text().map(str::to_owned)
    }

    fn number(&self, flag: &str, variable: &str) -> Option<u64> {
        let setting = values::number(self.setting(flag, variable))?;
        setting.text()?.trim().parse().ok()
    }

    /// What the last of two opposite switches says, else the variable, which is also read as the
    /// opposite where `NO_` stands before its name.
    fn is_on(&self, on: &str, off: &str, variable: &str) -> Option<bool> {
        if let Some(given) = self.arguments.last_of(&[on, off]) {
            return Some(given == on);
        }
        let environment = &self.reading.environment;
        let opposite = variable.replacen("LLAMA_ARG_", "LLAMA_ARG_NO_", 1);
        if environment.get(&opposite).is_some() {
            return Some(false);
        }
        environment.get(variable).map(|word| !is_off(&word.text))
    }
}

fn is_off(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "0" | "off" | "false" | "disabled")
}
