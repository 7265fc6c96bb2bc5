//! What each layer of a model keeps of the tokens that it has seen (build 10585 and libllama 0.6.0:
//! `src/models/*.cpp` `load_arch_hparams`, `src/llama-hparams.cpp`, `llama_model::create_memory`).

use crate::plan::engine::memory::Shape;

/// The layers of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layers {
    /// One for each that is computed; not those that predict further tokens.
    pub(super) layers: Vec<Layer>,
    /// Tokens that a windowed layer looks back at.
    pub(super) window: u64,
    /// Whether keys hold values as well, in compressed form.
    pub(super) is_latent: bool,
    /// Elements of the state of a recurrent layer, for one sequence: of its convolution, and the rest.
    pub(super) state: [u64; 2],
    /// Whether what is said here is all that is kept.
    pub(super) is_certain: bool,
}

/// What one layer keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Layer {
    /// Elements of the keys of one token, and of the values; absent: none are kept.
    pub(super) cached: Option<[u64; 2]>,
    /// Whether it looks back only as far as its window.
    pub(super) is_windowed: bool,
    /// Whether it has a state.
    pub(super) is_recurrent: bool,
}

/// Models that look at all tokens at once and keep none.
const WITHOUT_CACHE: [&str; 15] = [
    "bert",
    "clef",
    "dream",
    "eurobert",
    "gemma-embedding",
    "jina-bert-v2",
    "jina-bert-v3",
    "llada",
    "llada-moe",
    "modern-bert",
    "neo-bert",
    "nomic-bert",
    "nomic-bert-moe",
    "rnd1",
    "wavtokenizer-dec",
];

/// Models that keep more than is worked out here: keys of an index, states of an encoder, layers that
/// are gone through several times, what belongs to another model.
const MORE_THAN_KNOWN: [&str; 18] = [
    "deepseek32",
    "deepseek4",
    "dflash",
    "dots3note",
    "eagle3",
    "gemma4-assistant",
    "glm-dsa",
    "glm5-next",
    "graniteswitch",
    "hrm_text",
    "hy_v4",
    "kimi-k3",
    "minimax-m3",
    "nanbeige",
    "qwen4exp",
    "t5",
    "t5encoder",
    "wavtokenizer-dec",
];

/// All of whose layers are recurrent.
const RECURRENT: [&str; 6] = ["mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"];

/// Some of whose layers are, those without heads of keys.
const RECURRENT_WITHOUT_HEADS: [&str; 8] = [
    "bailingmoe3",
    "granitehybrid",
    "jamba",
    "kimi-k3",
    "kimi-linear",
    "lfm2",
    "lfm2moe",
    "plamo2",
];

/// Some of whose layers are, all but every n-th, and how often that is where the file does not say.
const RECURRENT_BY_INTERVAL: [(&str, u64); 5] =
    [("minimax-01", 8), ("qwen35", 4), ("qwen35moe", 4), ("qwen3next", 4), ("qwen4exp", 4)];

/// Whose convolutions are over groups as well.
const GROUPED: [&str; 9] = [
    "falcon-h1",
    "granitehybrid",
    "mamba2",
    "nemotron_h",
    "nemotron_h_moe",
    "plamo2",
    "qwen35",
    "qwen35moe",
    "qwen3next",
];

/// How windowed layers alternate with others.
struct Windowed {
    architecture: &'static str,
    /// Which is the period where the file does not say; absent: it has to say it for each layer.
    period: Option<u64>,
    /// Whether the first of a period is the one that sees all, and not the last.
    dense_first: bool,
    /// The window where the file says none; 0: then no layer is windowed.
    unsaid: u64,
    /// The window, whatever the file says.
    fixed: Option<u64>,
}

const fn windowed(architecture: &'static str, period: u64, unsaid: u64) -> Windowed {
    Windowed { architecture, period: Some(period), dense_first: false, unsaid, fixed: None }
}

const fn dense_first(architecture: &'static str, period: u64) -> Windowed {
    Windowed { architecture, period: Some(period), dense_first: true, unsaid: 0, fixed: None }
}

const fn said(architecture: &'static str) -> Windowed {
    Windowed { architecture, period: None, dense_first: false, unsaid: 0, fixed: None }
}

const WINDOWED: [Windowed; 24] = [
    windowed("afmoe", 4, 0),
    windowed("cohere2", 4, 0),
    dense_first("cohere2moe", 4),
    windowed("exaone4", 4, 4096),
    windowed("exaone-moe", 4, 128),
    windowed("gemma2", 2, 4096),
    windowed("gemma3", 6, 0),
    windowed("gemma3n", 5, 0),
    said("gemma4"),
    windowed("gpt-oss", 2, 0),
    said("granite_swa"),
    dense_first("laguna", 4),
    Windowed { fixed: Some(8192), ..windowed("llama4", 4, 8192) },
    said("maion-coder"),
    said("maple"),
    windowed("mellum", 4, 0),
    said("mimo2"),
    windowed("muse-glimmer", 4, 0),
    windowed("olmo2", 4, 0),
    windowed("plamo3", 8, 0),
    Windowed { fixed: Some(4096), ..dense_first("smallthinker", 4) },
    said("spark2_5"),
    said("step35"),
    // All that have keys.
    windowed("lfm2", 0, 0),
];

impl Layers {
    /// What the layers of a model keep.
    pub(super) fn of(shape: &Shape) -> Self {
        let name = shape.architecture.as_str();
        let all = usize::try_from(shape.number("block_count").unwrap_or_default().min(512));
        let all = all.unwrap_or_default();
        let beyond = shape.number("nextn_predict_layers").unwrap_or_default();
        let count = all.saturating_sub(usize::try_from(beyond).unwrap_or(all));
        let window = Window::of(shape, all);
        let is_latent = ["attention.key_length_mla", "attention.value_length_mla"]
            .iter()
            .all(|key| shape.number(key).is_some_and(|width| width > 0));
        let layers = (0..count).map(|index| layer(shape, index, &window)).collect();
        Self {
            layers,
            window: window.tokens,
            is_latent,
            state: state(shape),
            is_certain: shape.is_known && shape.is_whole && !MORE_THAN_KNOWN.contains(&name),
        }
    }

    /// Whether it looks at all tokens at once and keeps none.
    pub(super) fn keep_nothing(&self) -> bool {
        !self.layers.iter().any(|layer| layer.cached.is_some() || layer.is_recurrent)
    }

    /// The widest values of any layer.
    pub(super) fn widest_values(&self) -> u64 {
        self.layers.iter().filter_map(|layer| Some(layer.cached?[1])).max().unwrap_or_default()
    }
}

fn layer(shape: &Shape, index: usize, window: &Window) -> Layer {
    let name = shape.architecture.as_str();
    if WITHOUT_CACHE.contains(&name) {
        return Layer::default();
    }
    let heads = heads_of_keys(shape, index);
    let has_feed_forward = shape.of_layer("feed_forward_length", index).unwrap_or_default() > 0;
    let is_nemotron = name.starts_with("nemotron_h");
    let is_recurrent = if RECURRENT.contains(&name) || name == "falcon-h1" {
        true
    } else if is_nemotron {
        heads == 0 && !has_feed_forward
    } else if RECURRENT_WITHOUT_HEADS.contains(&name) {
        heads == 0
    } else if let Some((_, usual)) = RECURRENT_BY_INTERVAL.iter().find(|(known, _)| *known == name)
    {
        is_between(shape, index, *usual)
    } else {
        false
    };
    let keeps_tokens = match name {
        "falcon-h1" => true,
        _ if is_nemotron => !is_recurrent && !has_feed_forward,
        "gemma3n" => index < 20,
        "gemma4" => (index as u64) < first_shared(shape),
        _ => !is_recurrent,
    };
    let is_windowed = window.is_over(index);
    let widths = [
        heads * head_width(shape, "attention.key_length", is_windowed),
        heads * head_width(shape, "attention.value_length", is_windowed),
    ];
    Layer { cached: keeps_tokens.then_some(widths), is_windowed, is_recurrent }
}

/// The first layer that uses the keys of another.
fn first_shared(shape: &Shape) -> u64 {
    let all = shape.number("block_count").unwrap_or_default();
    all.saturating_sub(shape.number("attention.shared_kv_layers").unwrap_or_default())
}

/// Whether a layer stands between two that look at all tokens.
fn is_between(shape: &Shape, index: usize, usual: u64) -> bool {
    if let Some(said) = shape.of_layer("attention.recurrent_layers", index) {
        return said != 0;
    }
    let interval = shape.number("full_attention_interval").unwrap_or(usual).max(1);
    !(index as u64 + 1).is_multiple_of(interval)
}

/// Heads of keys of a layer: those that it has for questions, where the file does not say.
pub(super) fn heads_of_keys(shape: &Shape, index: usize) -> u64 {
    let of_layer = |name| shape.of_layer(name, index);
    of_layer("attention.head_count_kv").or_else(|| of_layer("attention.head_count")).unwrap_or(0)
}

/// Elements of one head (`attention.key_length`, `attention.value_length`).
pub(super) fn head_width(shape: &Shape, key: &str, is_windowed: bool) -> u64 {
    let heads = shape.number("attention.head_count").unwrap_or_default();
    let width = shape.number("embedding_length").unwrap_or_default();
    let of_all = shape.number(key).unwrap_or_else(|| width.checked_div(heads).unwrap_or_default());
    let of_all = if heads == 0 { 0 } else { of_all };
    if is_windowed { shape.number(&format!("{key}_swa")).unwrap_or(of_all) } else { of_all }
}

/// Elements of the state of a recurrent layer (`llama_hparams::n_embd_r`, `n_embd_s`).
fn state(shape: &Shape) -> [u64; 2] {
    let name = shape.architecture.as_str();
    let number = |key: &str| shape.number(key).unwrap_or_default();
    let width = number("embedding_length");
    let heads = number("attention.head_count");
    let kernel = number("ssm.conv_kernel");
    if number("wkv.head_size") > 0 {
        let shifts = shape.number("token_shift_count").unwrap_or(2);
        return [shifts * width, width * number("wkv.head_size")];
    }
    if number("shortconv.l_cache") > 0 {
        return [width * (number("shortconv.l_cache") - 1), 0];
    }
    let delta = number("kda.head_dim");
    if delta > 0 {
        let kernel = if kernel > 0 { kernel - 1 } else { 3 };
        return [3 * kernel * heads * delta, delta * delta * heads];
    }
    if name == "minimax-01" {
        let head = head_width(shape, "attention.key_length", false);
        return [0, head * head * heads];
    }
    let groups = if GROUPED.contains(&name) { number("ssm.group_count") } else { 0 };
    let (inner, states) = (number("ssm.inner_size"), number("ssm.state_size"));
    [kernel.saturating_sub(1) * (inner + 2 * groups * states), states * inner]
}

/// Which layers look back only so far.
struct Window {
    tokens: u64,
    /// For each layer.
    over: Vec<bool>,
}

impl Window {
    fn of(shape: &Shape, layers: usize) -> Self {
        let none = Self { tokens: 0, over: Vec::new() };
        let name = shape.architecture.as_str();
        let Some(known) = WINDOWED.iter().find(|known| known.architecture == name) else {
            return none;
        };
        let said = shape.number("attention.sliding_window");
        // EXAONE 4 has windows only as the model of 64 layers.
        let is_off = said.is_none() && known.unsaid == 0
            || said == Some(0)
            || name == "exaone4" && layers != 64;
        if is_off {
            return none;
        }
        let tokens = known.fixed.or(said).unwrap_or(known.unsaid);
        const PATTERN: &str = "attention.sliding_window_pattern";
        let period = shape.number(PATTERN).or(known.period);
        let by_period = |index: u64| match period {
            None | Some(0) => true,
            Some(period) if known.dense_first => !index.is_multiple_of(period),
            Some(period) => index % period < period - 1,
        };
        let over = match shape.each(PATTERN) {
            Some(each) => each.iter().map(|over| *over != 0).collect(),
            None => (0..layers as u64).map(by_period).collect(),
        };
        Self { tokens, over }
    }

    fn is_over(&self, layer: usize) -> bool {
        self.over.get(layer).copied().unwrap_or(false)
    }
}
