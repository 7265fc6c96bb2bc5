//! What the files of a class call its tensors: one part of a model stands under several names, as
//! transformers has called it at one time or another, and loaders take them all.

/// What a checkpoint may have where a table says something else; the first is taken that is there.
pub(super) type Names = &'static [(&'static str, &'static [&'static str])];

/// What makes texts or vectors: nothing before the names of a base class, the name of an encoder.
const TEXT: Names = &[("model.", &["model.", "", "bert.", "roberta."])];

/// Models that were called transformers.
const TRANSFORMER: Names = &[("model.", &["transformer.", ""])];

const FALCON: Names = &[("model.", &["transformer."])];

const NEOX: Names = &[("model.", &["gpt_neox."])];

const OPT: Names = &[("model.", &["model.", ""])];

/// Those with an encoder of images, before transformers 4.52 and since (vLLM 0.12.0 and 0.33.0, the
/// `hf_to_vllm_mapper` of gemma3_mm.py, llava.py, llava_next.py, mistral3.py); `vision_model.` is left out
/// since transformers 5.
const IMAGES: Names = &[
    ("model.", &["language_model.model.", "model.language_model."]),
    ("lm_head.", &["language_model.lm_head.", "lm_head."]),
    (
        "vision_tower.",
        &[
            "vision_tower.vision_model.",
            "model.vision_tower.vision_model.",
            "vision_tower.",
            "model.vision_tower.",
        ],
    ),
    ("multi_modal_projector.", &["multi_modal_projector.", "model.multi_modal_projector."]),
    ("image_newline", &["image_newline", "model.image_newline"]),
];

/// The same of Qwen (qwen2_vl.py, qwen2_5_vl.py, qwen3_vl.py, qwen3_5.py).
const VISUAL: Names = &[
    ("model.", &["model.language_model.", "language_model.model.", "model."]),
    ("lm_head.", &["lm_head.", "language_model.lm_head."]),
    ("visual.", &["visual.", "model.visual."]),
];

/// Those of a class.
pub(super) fn names(class: &str) -> Names {
    match class {
        "FalconForCausalLM" => FALCON,
        "GPTNeoXForCausalLM" => NEOX,
        "OPTForCausalLM" => OPT,
        "BloomForCausalLM"
        | "GPT2ForSequenceClassification"
        | "GPT2LMHeadModel"
        | "GPTBigCodeForCausalLM" => TRANSFORMER,
        "Gemma3ForConditionalGeneration"
        | "LlavaForConditionalGeneration"
        | "LlavaNextForConditionalGeneration"
        | "Mistral3ForConditionalGeneration" => IMAGES,
        _ if class.starts_with("Qwen") && class.ends_with("ForConditionalGeneration") => VISUAL,
        "Qwen3_5ForCausalLM" | "Qwen3_5MoeForCausalLM" => VISUAL,
        _ => TEXT,
    }
}

/// Whether a class without a prefix is the base of another, whose names have one.
pub(super) fn has_base(class: &str) -> bool {
    names(class) == TEXT
}

/// The spellings of a checkpoint, from what the tables say to what it has.
#[derive(Debug, Clone)]
pub(super) struct Spelling {
    of: Vec<(&'static str, &'static str)>,
    names: Names,
}

impl Spelling {
    /// Finds them: `has` says whether there is a tensor under a prefix that is the one of a model.
    pub(super) fn find(class: &str, has: impl Fn(&str) -> bool, all: &[String]) -> Self {
        let names = names(class);
        let found = names.iter().map(|(stands, candidates)| {
            let is_here = |prefix: &&&str| match *stands {
                "model." => has(prefix),
                _ => all.iter().any(|name| name.starts_with(**prefix)),
            };
            let first = candidates.first().copied().unwrap_or(stands);
            (*stands, candidates.iter().find(is_here).copied().unwrap_or(first))
        });
        Self { of: found.collect(), names }
    }

    /// What stands before the names of the layers.
    pub(super) fn stem(&self) -> &'static str {
        self.of.first().map_or("", |(_, prefix)| prefix)
    }

    /// A name of the tables as the files have it.
    pub(super) fn of(&self, name: &str) -> String {
        let found = self.of.iter().find_map(|(stands, prefix)| {
            name.strip_prefix(stands).map(|rest| format!("{prefix}{rest}"))
        });
        found.unwrap_or_else(|| name.to_owned())
    }

    /// The other names that a loader takes for it: it looks at each of its own.
    pub(super) fn others(&self, name: &str) -> impl Iterator<Item = String> {
        let is_mixed = self.names.len() > 1;
        let of = self.names.iter().filter(move |_| is_mixed).find_map(|(stands, prefixes)| {
            name.strip_prefix(stands).map(|rest| (rest.to_owned(), *prefixes))
        });
        of.into_iter().flat_map(|(rest, prefixes)| {
            prefixes.iter().map(move |prefix| format!("{prefix}{rest}"))
        })
    }
}
