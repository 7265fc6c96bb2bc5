//! Settings with which a model of a certain kind is not started (`src/llama-context.cpp`
//! `llama_init_from_model`, `llama_context::output_reserve`; build 11669 was asked).

use crate::plan::engine::Refusal;
use crate::plan::engine::llama_cpp::memory::UNFUSED;
use crate::plan::engine::llama_cpp::memory::layers::Layers;
use crate::plan::engine::llama_cpp::memory::settings::{FEW_OUTPUTS_SINCE, Settings};
use crate::plan::engine::memory::Shape;

/// Since when keys and values that are one have to be of one type (#25871).
const ONE_TYPE_SINCE: u32 = 10_206;

/// The newest build that was asked.
const ASKED: u32 = 11_669;

/// Whose keys and values are one although its file does not have the numbers of compressed ones.
const SHARED: &str = "deepseek4";

/// The types of a cache that are not quantised.
const PLAIN: [&str; 3] = ["f32", "f16", "bf16"];

impl Settings {
    /// What is refused for a model of that shape; absent: nothing is known to be.
    pub(super) fn refused(&self, shape: &Shape) -> Option<Refusal> {
        let layers = Layers::of(shape);
        self.of_two_types(shape, &layers)
            .or_else(|| self.of_steps(shape))
            .or_else(|| self.of_one_output(shape, &layers))
    }

    /// Whether builds since `first` refuse something, as far as they were asked; absent: this one does
    /// not.
    fn is_certain_since(&self, first: u32) -> Option<bool> {
        match self.build {
            None => Some(false),
            Some(build) => (first <= build).then_some(build <= ASKED),
        }
    }

    fn of_two_types(&self, shape: &Shape, layers: &Layers) -> Option<Refusal> {
        let [of_keys, of_values] = &self.cache_types;
        let is_one = layers.is_latent || shape.architecture == SHARED;
        if !is_one || of_keys == of_values {
            return None;
        }
        Some(Refusal {
            why: format!(
                "keeps keys and values in one, and llama.cpp exits where `--cache-type-k` and \
                 `--cache-type-v` differ: `{of_keys}` and `{of_values}`"
            ),
            fix: format!("write `--cache-type-k {of_keys} --cache-type-v {of_keys}`"),
            is_certain: self.is_certain_since(ONE_TYPE_SINCE)?,
        })
    }

    fn of_steps(&self, shape: &Shape) -> Option<Refusal> {
        let of_values = self.cache_types[1].as_str();
        let is_refused = shape.architecture == UNFUSED && !PLAIN.contains(&of_values);
        is_refused.then(|| Refusal {
            why: format!(
                "is computed without flash attention whatever is said, and a quantised V cache \
                 (`{of_values}`) needs it: llama.cpp exits"
            ),
            fix: "take the type `f16` for the V cache".to_owned(),
            is_certain: self.build.is_none_or(|build| build <= ASKED),
        })
    }

    /// The server is warmed up with two tokens, of which each gives out something.
    fn of_one_output(&self, shape: &Shape, layers: &Layers) -> Option<Refusal> {
        let has_encoder = shape.architecture.starts_with("t5");
        let gives_all = shape.is_known && !has_encoder && layers.keep_nothing();
        if !gives_all || self.slots != 1 || self.embeds || !self.warms_up {
            return None;
        }
        Some(Refusal {
            why:
                "gives out something for each token, and with one slot and no `--embeddings` there \
                  is room for one: llama-server ends as it warms up"
                    .to_owned(),
            fix: "add `--embeddings`, or leave `--parallel 1` out".to_owned(),
            is_certain: self.is_certain_since(FEW_OUTPUTS_SINCE)?,
        })
    }
}
