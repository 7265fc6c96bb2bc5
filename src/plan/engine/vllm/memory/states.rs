//! Layers that keep a state of one size, however long a request is: recurrent ones, linear attention and
//! short convolutions (vLLM 0.12.0 to 0.33.0, model_executor/layers/mamba/mamba_utils.py and
//! model_executor/models).

use serde_json::Value;

use crate::plan::engine::memory::Checkpoint;

/// The numbers of one state, over all ranks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Steps that its convolution looks back.
    steps: u64,
    /// Channels of its convolution beside those of the groups.
    channels: u64,
    /// Groups of heads, and channels of each.
    groups: u64,
    group: u64,
    /// Numbers of what is carried on from token to token.
    carried: u64,
}

impl State {
    /// On one of so many ranks, with so many bits of a number of the convolution and of what is carried on.
    pub(super) fn bytes(&self, ranks: u64, [steps, carried]: [u64; 2]) -> u64 {
        let ranks = ranks.max(1);
        // Groups that cannot be divided are repeated, one for each rank (`extra_groups_for_head_shards`).
        let groups = if self.groups.is_multiple_of(ranks) { self.groups } else { ranks };
        let channels = self.channels.saturating_add(groups.saturating_mul(self.group)) / ranks;
        let convolution = self.steps.saturating_mul(channels).saturating_mul(steps);
        convolution.saturating_add((self.carried / ranks).saturating_mul(carried)) / 8
    }
}

/// What one layer is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mix {
    /// Whether it keeps keys and values.
    pub(super) attends: bool,
    /// Whether it keeps a state.
    pub(super) carries: bool,
}

const ATTENDS: Mix = Mix { attends: true, carries: false };
const CARRIES: Mix = Mix { attends: false, carries: true };
const BOTH: Mix = Mix { attends: true, carries: true };
const NEITHER: Mix = Mix { attends: false, carries: false };

/// A class with such layers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    class: &'static str,
    recipe: Recipe,
    places: Places,
    /// Whether releases that keep one state for each block do so for it (`SupportsMambaPrefixCaching`).
    pub(super) each_block: bool,
    /// The type of what is carried on.
    pub(super) carried: Carried,
}

/// The type of what is carried on, where no flag says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// That of the convolution.
    Same,
    /// 32 bits.
    Full,
    /// What the configuration says under a key, else that of the convolution or 32 bits.
    Said(&'static str),
}

/// Where the sizes of a state stand.
#[derive(Debug, Clone, Copy)]
enum Recipe {
    /// `intermediate_size` and the like, one state for each channel.
    Mamba,
    /// The same in the words of Jamba.
    Jamba,
    /// Heads in groups, by the names of their numbers.
    Mamba2(&'static Keys),
    /// Keys and values of linear attention with a gate.
    Delta,
    /// `linear_attn_config`.
    Kimi,
    /// As many heads as attention has.
    Lightning,
    /// A convolution alone.
    Short,
}

/// The names of the numbers of a state in heads and groups.
#[derive(Debug)]
struct Keys {
    groups: &'static str,
    heads: &'static str,
    head: &'static str,
    size: &'static str,
    kernel: &'static str,
    /// Whether all heads together are as wide as what `hidden_size` is expanded to.
    expands: bool,
    /// Whether attention is shared by layers: it reads twice the width, and is made before all others.
    shares: bool,
}

/// Which layers have what, where no list of kinds says so.
#[derive(Debug, Clone, Copy)]
enum Places {
    /// Every layer has a state.
    Alone,
    /// Every layer has both.
    Both,
    /// Only the list says it.
    Listed,
    /// One of `attn_layer_period` attends.
    Period,
    /// The layers that are listed under a key attend.
    Indices(&'static str),
    /// One of `full_attention_interval`, else of four, attends.
    Interval,
    /// A letter for each layer.
    Letters,
    /// A number for each layer, of which 1 is attention.
    Numbers,
    /// The numbers of the layers with a state, counted from 1.
    Kimi,
}

static GRANITE: Keys = Keys {
    groups: "mamba_n_groups",
    heads: "mamba_n_heads",
    head: "mamba_d_head",
    size: "mamba_d_state",
    kernel: "mamba_d_conv",
    expands: true,
    shares: false,
};
static NEMOTRON: Keys = Keys {
    groups: "n_groups",
    heads: "mamba_num_heads",
    head: "mamba_head_dim",
    size: "ssm_state_size",
    kernel: "conv_kernel",
    expands: false,
    shares: false,
};
static ZAMBA: Keys = Keys {
    groups: "mamba_ngroups",
    heads: "n_mamba_heads",
    head: "mamba_headdim",
    size: "mamba_d_state",
    kernel: "mamba_d_conv",
    expands: true,
    shares: true,
};
static MAMBA2: Keys = Keys {
    groups: "n_groups",
    heads: "num_heads",
    head: "head_dim",
    size: "state_size",
    kernel: "conv_kernel",
    expands: true,
    shares: false,
};

/// One that keeps a state for each block where a release does so.
const fn blockwise(class: &'static str, recipe: Recipe, places: Places) -> Family {
    Family { class, recipe, places, each_block: true, carried: Carried::Same }
}

const fn plain(class: &'static str, recipe: Recipe, places: Places, carried: Carried) -> Family {
    Family { class, recipe, places, each_block: false, carried }
}

/// What Qwen3.5 says of its states.
const OF_QWEN: Carried = Carried::Said("mamba_ssm_dtype");

/// The classes that were read.
static FAMILIES: [Family; 20] = [
    blockwise("BambaForCausalLM", Recipe::Mamba2(&GRANITE), Places::Indices("attn_layer_indices")),
    blockwise("FalconH1ForCausalLM", Recipe::Mamba2(&GRANITE), Places::Both),
    blockwise("FalconMambaForCausalLM", Recipe::Mamba, Places::Alone),
    blockwise("GraniteMoeHybridForCausalLM", Recipe::Mamba2(&GRANITE), Places::Listed),
    blockwise("JambaForCausalLM", Recipe::Jamba, Places::Period),
    plain("KimiLinearForCausalLM", Recipe::Kimi, Places::Kimi, Carried::Full),
    plain("Lfm2ForCausalLM", Recipe::Short, Places::Indices("full_attn_idxs"), Carried::Same),
    plain("Lfm2MoeForCausalLM", Recipe::Short, Places::Listed, Carried::Same),
    blockwise("Mamba2ForCausalLM", Recipe::Mamba2(&MAMBA2), Places::Alone),
    blockwise("MambaForCausalLM", Recipe::Mamba, Places::Alone),
    plain("MiniMaxM1ForCausalLM", Recipe::Lightning, Places::Numbers, Carried::Same),
    plain("MiniMaxText01ForCausalLM", Recipe::Lightning, Places::Numbers, Carried::Same),
    Family {
        carried: Carried::Said("mamba_ssm_cache_dtype"),
        ..blockwise("NemotronHForCausalLM", Recipe::Mamba2(&NEMOTRON), Places::Letters)
    },
    plain("Qwen3NextForCausalLM", Recipe::Delta, Places::Interval, Carried::Same),
    plain("Qwen3_5ForCausalLM", Recipe::Delta, Places::Interval, OF_QWEN),
    plain("Qwen3_5ForConditionalGeneration", Recipe::Delta, Places::Interval, OF_QWEN),
    plain("Qwen3_5MoeForCausalLM", Recipe::Delta, Places::Interval, OF_QWEN),
    plain("Qwen3_5MoeForConditionalGeneration", Recipe::Delta, Places::Interval, OF_QWEN),
    blockwise("Zamba2ForCausalLM", Recipe::Mamba2(&ZAMBA), Places::Listed),
    plain("Lfm2VlForConditionalGeneration", Recipe::Short, Places::Listed, Carried::Same),
];

impl Family {
    /// The one of a class; absent: it has no states, or is not known.
    pub(super) fn of(class: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| family.class == class)
    }

    /// Whether `--mamba-ssm-cache-dtype` counts for it in all releases.
    pub(super) fn is_told(&self) -> bool {
        !matches!(self.recipe, Recipe::Delta)
    }

    /// How many layers a model of it has.
    pub(super) fn count(&self, checkpoint: &Checkpoint) -> Option<u64> {
        let letters = || checkpoint.value("hybrid_override_pattern")?.as_str();
        let letters = letters().and_then(|letters| u64::try_from(letters.len()).ok());
        letters.or_else(|| checkpoint.number("num_hidden_layers"))
    }

    /// What each of so many layers is made of; absent: that is not said, or not in words that are known.
    pub(super) fn mixes(&self, checkpoint: &Checkpoint, count: u64) -> Option<Vec<Mix>> {
        if let Some(listed) = listed(checkpoint) {
            let mixes: Option<Vec<Mix>> = listed.iter().map(|kind| mix(kind.as_str()?)).collect();
            return mixes.filter(|mixes| u64::try_from(mixes.len()) == Ok(count));
        }
        let one = |attends: bool| if attends { ATTENDS } else { CARRIES };
        let number = |key: &str| checkpoint.number(key);
        match self.places {
            Places::Alone => Some((0..count).map(|_| CARRIES).collect()),
            Places::Both => Some((0..count).map(|_| BOTH).collect()),
            Places::Listed => None,
            Places::Period => {
                let each = number("attn_layer_period").filter(|each| *each > 0)?;
                let first = number("attn_layer_offset")?;
                Some((0..count).map(|layer| one(layer % each == first)).collect())
            }
            Places::Interval => {
                let each = number("full_attention_interval").filter(|each| *each > 0).unwrap_or(4);
                Some((1..=count).map(|layer| one(layer.is_multiple_of(each))).collect())
            }
            Places::Indices(key) => {
                let attending = numbers(checkpoint.value(key)?)?;
                Some((0..count).map(|layer| one(attending.contains(&layer))).collect())
            }
            Places::Numbers => {
                let kinds = numbers(checkpoint.value("attn_type_list")?)?;
                let mixes = || kinds.iter().map(|kind| one(*kind == 1)).collect();
                (u64::try_from(kinds.len()) == Ok(count)).then(mixes)
            }
            Places::Letters => {
                let letters = checkpoint.value("hybrid_override_pattern")?.as_str()?;
                letters.chars().map(letter).collect()
            }
            Places::Kimi => {
                let carrying = numbers(checkpoint.value("linear_attn_config")?.get("kda_layers")?)?;
                Some((1..=count).map(|layer| one(!carrying.contains(&layer))).collect())
            }
        }
    }

    /// The state of a layer; absent: a size of it is not said.
    pub(super) fn state(&self, checkpoint: &Checkpoint) -> Option<State> {
        let number = |key: &str| checkpoint.number(key);
        match self.recipe {
            Recipe::Mamba => {
                let inner = number("intermediate_size")?;
                channelwise(inner, number("state_size")?, number("conv_kernel")?)
            }
            Recipe::Jamba => {
                let inner = number("mamba_expand")?.checked_mul(number("hidden_size")?)?;
                channelwise(inner, number("mamba_d_state")?, number("mamba_d_conv")?)
            }
            Recipe::Mamba2(keys) => grouped(checkpoint, keys),
            Recipe::Delta => {
                let keys = number("linear_num_key_heads")?
                    .checked_mul(number("linear_key_head_dim")?)?
                    .checked_mul(2)?;
                let values = number("linear_num_value_heads")?
                    .checked_mul(number("linear_value_head_dim")?)?;
                Some(State {
                    steps: number("linear_conv_kernel_dim")?.checked_sub(1)?,
                    channels: keys.checked_add(values)?,
                    carried: values.checked_mul(number("linear_key_head_dim")?)?,
                    ..State::default()
                })
            }
            Recipe::Kimi => {
                let number = |key| checkpoint.value("linear_attn_config")?.get(key)?.as_u64();
                let width = number("num_heads")?.checked_mul(number("head_dim")?)?;
                Some(State {
                    steps: number("short_conv_kernel_size")?.checked_sub(1)?,
                    channels: width.checked_mul(3)?,
                    carried: width.checked_mul(number("head_dim")?)?,
                    ..State::default()
                })
            }
            Recipe::Lightning => {
                let head = number("head_dim")?;
                let carried =
                    number("num_attention_heads")?.checked_mul(head)?.checked_mul(head)?;
                Some(State { carried, ..State::default() })
            }
            Recipe::Short => Some(State {
                steps: number("conv_L_cache")?.checked_sub(1)?,
                channels: number("conv_dim")?,
                ..State::default()
            }),
        }
    }

    /// Whether attention is made before all layers that have it.
    pub(super) fn shares(&self) -> bool {
        matches!(self.recipe, Recipe::Mamba2(keys) if keys.shares)
    }

    /// Numbers of a key of one head.
    pub(super) fn head(&self, checkpoint: &Checkpoint) -> Option<u64> {
        let number = |key: &str| checkpoint.number(key);
        let of_hidden = |times: u64| {
            number("hidden_size")?.checked_mul(times)?.checked_div(number("num_attention_heads")?)
        };
        if self.shares() {
            return number("attention_head_dim").or_else(|| of_hidden(2));
        }
        number("head_dim").filter(|head| *head > 0).or_else(|| of_hidden(1))
    }
}

/// The kinds of all layers, where the configuration lists them.
fn listed(checkpoint: &Checkpoint) -> Option<&Vec<Value>> {
    let keys = ["layer_types", "layers_block_type"];
    let mut lists = keys.iter().filter_map(|key| checkpoint.value(key)?.as_array());
    lists.find(|list| !list.is_empty())
}

/// What a layer of a kind is made of, by the names of all of the configurations.
fn mix(kind: &str) -> Option<Mix> {
    match kind {
        "full_attention" | "attention" => Some(ATTENDS),
        "linear_attention" | "mamba" | "conv" => Some(CARRIES),
        "hybrid" => Some(BOTH),
        "moe" | "mlp" => Some(NEITHER),
        _ => None,
    }
}

/// What a letter of Nemotron-H stands for.
fn letter(letter: char) -> Option<Mix> {
    match letter {
        'M' => Some(CARRIES),
        '*' => Some(ATTENDS),
        '-' | 'E' => Some(NEITHER),
        _ => None,
    }
}

fn numbers(value: &Value) -> Option<Vec<u64>> {
    value.as_array()?.iter().map(Value::as_u64).collect()
}

/// A state of so many numbers for each channel.
fn channelwise(channels: u64, size: u64, kernel: u64) -> Option<State> {
    let carried = channels.checked_mul(size)?;
    Some(State { steps: kernel.checked_sub(1)?, channels, carried, ..State::default() })
}

/// A state of heads that share their groups.
fn grouped(checkpoint: &Checkpoint, keys: &Keys) -> Option<State> {
    let number = |key: &str| checkpoint.number(key);
    let heads = number(keys.heads).filter(|heads| *heads > 0)?;
    let said = number("mamba_d_ssm").or_else(|| {
        let times = number("mamba_expand").or_else(|| number("expand"))?;
        times.checked_mul(number("hidden_size")?)
    });
    // `mamba_d_head` may be `auto`.
    let head = number(keys.head).or_else(|| said?.checked_div(heads))?;
    let inner = heads.checked_mul(head)?;
    let size = number(keys.size)?;
    Some(State {
        steps: number(keys.kernel)?.checked_sub(1)?,
        channels: said.filter(|_| keys.expands).unwrap_or(inner),
        groups: number(keys.groups)?,
        group: size.checked_mul(2)?,
        carried: inner.checked_mul(size)?,
    })
}

#[cfg(test)]
mod tests;
