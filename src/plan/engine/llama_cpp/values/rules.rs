//! What values have to be of which the table of flags says only that they are text, or a number
//! (common/arg.cpp and src/llama-context.cpp, build by build; build 11669 was asked).

use crate::plan::engine::arguments::values::{integer_at_start, number_at_start};

/// What the value of a flag has to be.
pub(super) struct Rule {
    /// The flag, by the name of its table.
    pub(super) flag: &'static str,
    /// The variable that stands for it; empty: there is none.
    pub(super) variable: &'static str,
    /// The first build that refuses other values.
    pub(super) since: u32,
    /// The last one.
    pub(super) until: u32,
    /// What it takes, as it stands behind `takes`.
    pub(super) expected: &'static str,
    /// Whether it takes a value.
    pub(super) fits: fn(&str) -> bool,
}

/// Since the file with the flags is there, and as far as is known.
const ALWAYS: (u32, u32) = (0, u32::MAX);

/// The build that was asked; of older ones it is not known.
const ASKED: (u32, u32) = (11669, u32::MAX);

const LAYERS: &str = "a whole number, `auto` or `all`";
const MASK: &str = "a mask in hexadecimal";
const CPUS: &str = "a range of CPUs, as in `0-3`";
const SCALES: &str = "`FILE:SCALE`, with a number behind the colon";

pub(super) static RULES: &[Rule] = &[
    rule(
        "--parallel",
        "LLAMA_ARG_N_PARALLEL",
        (7433, u32::MAX),
        "a number above 0, or -1",
        |text| integer(text) != Some(0),
    ),
    rule("--parallel", "LLAMA_ARG_N_PARALLEL", (6507, u32::MAX), "at most 256", |text| {
        at_most(text, 256)
    }),
    rule("--parallel", "LLAMA_ARG_N_PARALLEL", (5667, 6506), "at most 64", |text| {
        at_most(text, 64)
    }),
    rule("--ctx-size", "LLAMA_ARG_CTX_SIZE", (6925, u32::MAX), "0 or more", |text| {
        at_least(text, 0)
    }),
    // It begins with more than one token.
    rule("--ctx-size", "LLAMA_ARG_CTX_SIZE", ASKED, "0, or more than 1", |text| {
        integer(text) != Some(1)
    }),
    // It ends as soon as it decodes.
    rule("--batch-size", "LLAMA_ARG_BATCH", ASKED, "2 or more", |text| {
        !integer(text).is_some_and(|number| (0..2).contains(&number))
    }),
    rule("--tools", "LLAMA_ARG_TOOLS", ASKED, "`all`, or names of its tools with commas", |text| {
        text == "all" || text.split(',').all(|name| TOOLS.contains(&name))
    }),
    rule("--port", "LLAMA_ARG_PORT", ALWAYS, "a port", |text| at_least(text, 0)),
    rule("--prio", "", (5576, u32::MAX), "a number from -1 to 3", |text| is_within(text, -1, 3)),
    rule("--prio", "", (0, 5575), "a number from 0 to 3", |text| is_within(text, 0, 3)),
    rule("--prio-batch", "", ALWAYS, "a number from 0 to 3", |text| is_within(text, 0, 3)),
    rule("--reasoning-budget", "LLAMA_ARG_THINK_BUDGET", (8287, u32::MAX), "-1 or more", |text| {
        at_least(text, -1)
    }),
    rule("--reasoning-budget", "LLAMA_ARG_THINK_BUDGET", (0, 8286), "0 or -1", |text| {
        is_within(text, -1, 0)
    }),
    rule("--sleep-idle-seconds", "", ALWAYS, "a number above 0, or -1", |text| {
        at_least(text, -1) && integer(text) != Some(0)
    }),
    rule("--n-cpu-moe", "LLAMA_ARG_N_CPU_MOE", ALWAYS, "0 or more", |text| at_least(text, 0)),
    rule("--n-cpu-ffn", "LLAMA_ARG_N_CPU_FFN", ALWAYS, "0 or more", |text| at_least(text, 0)),
    rule("--moe-cache-mib", "LLAMA_ARG_MOE_CACHE_MIB", ALWAYS, "0 or more", |text| {
        at_least(text, 0)
    }),
    rule("--repeat-last-n", "", (10328, u32::MAX), "0 or more", |text| at_least(text, 0)),
    rule("--repeat-last-n", "", (4335, 10327), "-1 or more", |text| at_least(text, -1)),
    rule("--dry-penalty-last-n", "", (10328, u32::MAX), "0 or more", |text| at_least(text, 0)),
    rule("--dry-penalty-last-n", "", (4335, 10327), "-1 or more", |text| at_least(text, -1)),
    rule("--mirostat", "", ASKED, "0, 1 or 2", |text| is_within(text, 0, 2)),
    rule("--gpu-layers", "LLAMA_ARG_N_GPU_LAYERS", ALWAYS, LAYERS, is_layers),
    rule("--gpu-layers-draft", "LLAMA_ARG_N_GPU_LAYERS_DRAFT", ALWAYS, LAYERS, is_layers),
    rule("--logit-bias", "", ALWAYS, "`TOKEN+BIAS` or `TOKEN-BIAS`", is_bias),
    rule(
        "--override-kv",
        "",
        ALWAYS,
        "a key, `=`, one of `int`, `float`, `bool`, `str`, `:` and a value",
        |text| is_override(text) || text.split(',').all(is_override),
    ),
    rule("--cpu-mask", "", ALWAYS, MASK, is_mask),
    rule("--cpu-mask-batch", "", ALWAYS, MASK, is_mask),
    rule("--cpu-range", "", ALWAYS, CPUS, is_range),
    rule("--cpu-range-batch", "", ALWAYS, CPUS, is_range),
    rule("--tensor-split", "LLAMA_ARG_TENSOR_SPLIT", ALWAYS, "numbers with commas", is_numbers),
    rule(
        "--fit-target",
        "LLAMA_ARG_FIT_TARGET",
        (7691, u32::MAX),
        "whole numbers with commas",
        |text| text.split([',', '/']).all(|part| integer_at_start(part).is_some()),
    ),
    rule(
        "--override-tensor",
        "LLAMA_ARG_OVERRIDE_TENSOR",
        ALWAYS,
        "`TENSOR=BUFFER`, with commas between several",
        |text| text.split(',').all(|part| part.contains('=')),
    ),
    rule("--lora-scaled", "", (7448, u32::MAX), SCALES, is_scaled),
    rule("--control-vector-scaled", "", (7448, u32::MAX), SCALES, is_scaled),
    rule(
        "--spec-type",
        "LLAMA_ARG_SPEC_TYPE",
        (9109, u32::MAX),
        "one or more of `none`, `draft-simple`, `draft-eagle3`, `draft-mtp`, `draft-dflash`, \
         `draft-dspark`, `ngram-simple`, `ngram-map-k`, `ngram-map-k4v`, `ngram-mod`, \
         `ngram-cache`",
        |text| text.trim_end_matches(',').split(',').all(|word| SPECULATIVE.contains(&word)),
    ),
    rule(
        "--repeat-penalty",
        "LLAMA_ARG_REPEAT_PENALTY",
        (10242, u32::MAX),
        "a number above 0",
        |text| number(text).is_none_or(|number| number.is_finite() && number > 0.0),
    ),
    rule("--spec-synth-len", "LLAMA_ARG_SPEC_SYNTH_LEN", ASKED, "a number of 0 or more", |text| {
        number(text).is_none() || text.trim().parse::<f64>().is_ok_and(|number| number >= 0.0)
    }),
    rule("--json-schema", "", ASKED, "a schema, which is an object", |text| {
        !is_json(text) || !text.trim_start().starts_with(|first: char| first != '{')
    }),
    rule("--grammar", "", ASKED, "a grammar, with rules like `root ::= ...`", |text| {
        text.trim().is_empty() || text.contains("::=")
    }),
    rule("--webui-config", "LLAMA_ARG_WEBUI_CONFIG", ALWAYS, "JSON", is_json),
    rule("--ui-config", "LLAMA_ARG_UI_CONFIG", ALWAYS, "JSON", is_json),
    rule("--mcp-servers-json", "LLAMA_ARG_MCP_SERVERS_JSON", ALWAYS, "JSON", is_json),
    rule("--host", "LLAMA_ARG_HOST", ASKED, "an address", |text| !text.is_empty()),
    rule("--device", "LLAMA_ARG_DEVICE", ASKED, "names of devices, or `none`", |text| {
        !text.is_empty()
    }),
];

/// The words of `--spec-type` in build 11669.
const SPECULATIVE: [&str; 11] = [
    "none",
    "draft-simple",
    "draft-eagle3",
    "draft-mtp",
    "draft-dflash",
    "draft-dspark",
    "ngram-simple",
    "ngram-map-k",
    "ngram-map-k4v",
    "ngram-mod",
    "ngram-cache",
];

/// The tools of build 11669.
const TOOLS: [&str; 7] = [
    "read_file",
    "file_glob_search",
    "grep_search",
    "exec_shell_command",
    "write_file",
    "edit_file",
    "get_info",
];

/// The most bytes of the key and of a text of `--override-kv` (common/common.cpp
/// `string_parse_kv_override`).
const MOST_OF_OVERRIDE: usize = 127;

const fn rule(
    flag: &'static str,
    variable: &'static str,
    (since, until): (u32, u32),
    expected: &'static str,
    fits: fn(&str) -> bool,
) -> Rule {
    Rule { flag, variable, since, until, expected, fits }
}

fn integer(text: &str) -> Option<i64> {
    integer_at_start(text)?.trim_start_matches('+').parse().ok()
}

fn number(text: &str) -> Option<f64> {
    number_at_start(text)?.parse().ok()
}

/// What is no number is refused as such already.
fn at_least(text: &str, least: i64) -> bool {
    integer(text).is_none_or(|number| number >= least)
}

fn at_most(text: &str, most: i64) -> bool {
    integer(text).is_none_or(|number| number <= most)
}

fn is_within(text: &str, least: i64, most: i64) -> bool {
    at_least(text, least) && at_most(text, most)
}

fn is_layers(text: &str) -> bool {
    matches!(text, "auto" | "all") || integer(text).is_some()
}

fn is_bias(text: &str) -> bool {
    let Some(token) = integer_at_start(text) else { return false };
    let rest = text.trim_start().strip_prefix(token).unwrap_or_default().trim_start();
    let bias = rest.strip_prefix(['+', '-']);
    bias.is_some_and(|bias| number_at_start(bias).is_some())
}

fn is_override(text: &str) -> bool {
    let Some((key, rest)) = text.split_once('=') else { return false };
    let Some((kind, value)) = rest.split_once(':') else { return false };
    let fits = match kind {
        "int" | "float" => true,
        "bool" => matches!(value, "true" | "false"),
        "str" => value.len() <= MOST_OF_OVERRIDE,
        _ => false,
    };
    fits && key.len() <= MOST_OF_OVERRIDE
}

fn is_mask(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn is_range(text: &str) -> bool {
    let is_end = |end: &str| end.is_empty() || integer_at_start(end).is_some();
    text.split_once('-').is_some_and(|(first, last)| is_end(first) && is_end(last))
}

fn is_numbers(text: &str) -> bool {
    let mut parts = text.split([',', '/']);
    let is_first = parts.next().is_some_and(|first| number_at_start(first).is_some());
    is_first && parts.all(|part| part.is_empty() || number_at_start(part).is_some())
}

/// Whether each part is a file and a number behind the one colon.
fn is_scaled(text: &str) -> bool {
    text.split(',').all(|part| {
        let scale = part.split_once(':').map(|(_, scale)| scale);
        scale.is_some_and(|scale| !scale.contains(':') && number_at_start(scale).is_some())
    })
}

fn is_json(text: &str) -> bool {
    text.is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
