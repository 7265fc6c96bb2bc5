//! What llama.cpp loads beside a model, and how it keeps what the model computes: do they fit (build 11669:
//! `tools/mtmd/mtmd.cpp`, `clip_n_mmproj_embd` of `clip.cpp`, `src/llama-adapter.cpp`,
//! `llama_init_from_model` of `src/llama-context.cpp`)?

use std::collections::BTreeMap;

use super::{Subject, opens_gguf_alone, router, rules, severity};
use crate::facts::model::gguf::Header;
use crate::facts::model::{Content, Model};
use crate::findings::{Finding, Findings, Rule};
use crate::plan::engine::Part;
use crate::source_map::Spanned;

/// The shapes of tensors by their names.
type Shapes<'a> = BTreeMap<&'a str, [i64; 4]>;

/// The types of the cache whose blocks have 32 elements.
const BLOCKS_OF_32: [&str; 6] = ["q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"];

/// The build since which attention in one go, which asks for whole blocks, is the default.
const FLASH_BY_DEFAULT: u32 = 6500;

/// Which tensor of a projector says how wide its output is, and which extent of it, by the type of the
/// projector. The others compute it from several.
const OUTPUTS: [(&str, &str, usize); 25] = [
    ("mlp", "mm.2.weight", 1),
    ("phi4", "mm.2.weight", 1),
    ("pixtral", "mm.2.weight", 1),
    ("lightonocr", "mm.2.weight", 1),
    ("dots_ocr", "mm.2.weight", 1),
    ("lfm2", "mm.2.weight", 1),
    ("kimivl", "mm.2.weight", 1),
    ("kimik25", "mm.2.weight", 1),
    ("paddleocr", "mm.2.weight", 1),
    ("qwen2vl_merger", "mm.2.bias", 0),
    ("qwen2.5vl_merger", "mm.2.bias", 0),
    ("exaone4_5", "mm.2.bias", 0),
    ("ling3vl", "mm.2.bias", 0),
    ("janus_pro", "mm.1.bias", 0),
    ("gemma3", "mm.input_projection.weight", 0),
    ("gemma4v", "mm.input_projection.weight", 1),
    ("idefics3", "mm.model.fc.weight", 1),
    ("llama4", "mm.model.fc.weight", 1),
    ("deepseekocr", "mm.model.fc.weight", 1),
    ("internvl", "mm.model.mlp.3.weight", 1),
    ("nemotron_v2_vl", "mm.model.mlp.3.weight", 1),
    ("ultravox", "mm.a.mlp.2.weight", 1),
    ("voxtral", "mm.a.mlp.2.weight", 1),
    ("meralion", "mm.a.mlp.3.weight", 1),
    ("qwen2a", "mm.a.fc.weight", 1),
];

/// What says that a projector has something to encode with.
const ENCODERS: [&str; 3] =
    ["clip.has_vision_encoder", "clip.has_audio_encoder", "clip.has_gen_audio_encoder"];

pub(super) fn judge(subject: &Subject<'_>, model: &Model, findings: &mut Findings) {
    if !opens_gguf_alone(subject) || router::is_listed(subject.artifact) {
        return;
    }
    let Some(header) = model.gguf().filter(|header| is_sound(header)) else { return };
    let found = match subject.part() {
        Part::Model => cache(subject, header),
        Part::Mmproj if header.metadata.is_model() => None,
        Part::Mmproj => projector(subject, header),
        Part::Lora if header.metadata.kind.as_deref() == Some("adapter") => {
            adapter(subject, header)
        }
        Part::Lora
        | Part::Draft
        | Part::Tokenizer
        | Part::ControlVector
        | Part::ChatTemplate
        | Part::Text
        | Part::Folder
        | Part::Models => None,
    };
    found.into_iter().for_each(|finding| findings.push(finding));
}

/// Whether nothing worse is to be said of the file.
fn is_sound(header: &Header) -> bool {
    header.outside.is_none() && header.refused.is_none()
}

/// The one model of the lane, where it is whole: its header, and the tensors of all of its files.
fn base<'a>(subject: &'a Subject<'_>) -> Option<(&'a Header, Shapes<'a>)> {
    let mut models = subject.facts.artifacts.iter().filter(|it| it.artifact.part == Part::Model);
    let (artifact, None) = (models.next()?, models.next()) else { return None };
    let model = artifact.model.seen().filter(|model| model.complete())?;
    let mut shapes = Shapes::new();
    for file in &model.files {
        let Content::Gguf(header) = &file.content else { return None };
        shapes.extend(header.shapes.iter().map(|(name, shape)| (name.as_str(), *shape)));
    }
    let header = model.gguf().filter(|header| header.metadata.is_model())?;
    (!router::is_listed(artifact)).then_some((header, shapes))
}

fn misfit(subject: &Subject<'_>, what: &str, fix: &str) -> Finding {
    let message = format!("`{}` {what}", subject.shown().display());
    finding(subject, &rules::FILES_DO_NOT_FIT, message, fix)
}

/// A finding about a file that the command may have replaced parts of.
fn finding(
    subject: &Subject<'_>,
    rule: &'static Rule,
    message: String,
    fix: impl Into<String>,
) -> Finding {
    subject.finding(rule, message, fix).severity(severity(!subject.overrides()))
}

fn projector(subject: &Subject<'_>, header: &Header) -> Option<Finding> {
    if !ENCODERS.iter().any(|key| header.metadata.is_true(key)) {
        let what =
            "has no encoder, neither for images nor for sound, and llama.cpp does not load it";
        return Some(misfit(subject, what, "take the projector of the model's own repository"));
    }
    let (model, _) = base(subject)?;
    // Some models take several embeddings at once.
    if model.metadata.says_of_architecture("n_deepstack_layers") {
        return None;
    }
    let (own, width) = (output(header)?, model.metadata.embedding_length?);
    (own != width).then(|| {
        let what = format!(
            "is a projector for a model of width {own}, and the lane's model has the width {width}"
        );
        let fix = "take the projector and the model from the same repository";
        misfit(subject, &what, fix).with("width", own).with("expected", width)
    })
}

/// The width of what a projector gives out.
fn output(header: &Header) -> Option<u64> {
    let keys = ["clip.projector_type", "clip.vision.projector_type", "clip.audio.projector_type"];
    let kind = keys.into_iter().find_map(|key| header.metadata.text(key))?;
    let extent = |name: &str, at: usize| u64::try_from(*header.shapes.get(name)?.get(at)?).ok();
    // With a norm behind it, a projector of that type ends in another tensor.
    if kind == "mlp" && header.shapes.contains_key("mm.3.weight") {
        return extent("mm.3.bias", 0);
    }
    let (_, name, at) = OUTPUTS.into_iter().find(|(known, ..)| *known == kind)?;
    extent(name, at)
}

fn adapter(subject: &Subject<'_>, header: &Header) -> Option<Finding> {
    let metadata = &header.metadata;
    let kind = metadata.text("adapter.type")?;
    if kind != "lora" {
        let what = format!("is an adapter of the type `{kind}`, and llama.cpp loads `lora` alone");
        return Some(misfit(subject, &what, "convert it to a LoRA, or leave it out"));
    }
    let (model, tensors) = base(subject)?;
    let fix = "name the model that the adapter was made for, or an adapter of this model";
    let (own, of_model) = (&metadata.architecture, &model.metadata.architecture);
    if own != of_model {
        let name = |architecture: &Option<String>| architecture.clone().unwrap_or_default();
        let what = format!(
            "is an adapter for the architecture `{}`, and the lane's model is `{}`",
            name(own),
            name(of_model)
        );
        return Some(misfit(subject, &what, fix));
    }
    let problem = header.shapes.keys().find_map(|name| problem(name, header, &tensors))?;
    Some(misfit(subject, &problem, fix))
}

/// What is wrong with a tensor of an adapter, as it is said of the file.
fn problem(name: &str, header: &Header, model: &Shapes<'_>) -> Option<String> {
    let Some((of, side)) = name.rsplit_once(".lora_").filter(|(_, side)| ["a", "b"].contains(side))
    else {
        let is_norm = name.ends_with("_norm.weight");
        return (!is_norm).then(|| format!("has the tensor `{name}`, which is no LoRA's"));
    };
    let half = |side: &str| header.shapes.get(&format!("{of}.lora_{side}")).copied();
    let (Some(a), Some(b)) = (half("a"), half("b")) else {
        return Some(format!("has one half of a pair alone: `{name}`"));
    };
    if side == "b" {
        return None;
    }
    let Some(base) = model.get(of) else {
        return Some(format!(
            "was made for another model: it changes `{of}`, which the lane's model does not have"
        ));
    };
    // The two sides of an embedding are exchanged.
    let fits = if of.ends_with("token_embd.weight") {
        base[0] == b[1] && base[1] == a[1]
    } else {
        base[0] == a[0] && base[1] == b[1] && a[1] == b[0]
    };
    (!fits).then(|| {
        format!(
            "was made for another model: its `{of}` is {} by {} (rank {}), and that of the lane's \
             model {} by {}",
            a[0], b[1], a[1], base[0], base[1]
        )
    })
}

/// Keys and values in blocks, of which a head has to be made up.
fn cache(subject: &Subject<'_>, header: &Header) -> Option<Finding> {
    let invocation = subject.facts.lane.invocation.as_ref()?;
    let metadata = &header.metadata;
    let heads = metadata.head_count.filter(|heads| *heads > 0)?;
    let whole = || metadata.embedding_length.map(|width| width / heads);
    let widths = ["attention.key_length", "attention.value_length"];
    let mut pairs = invocation.cache_types.iter().zip(widths);
    let (asked, width) = pairs.find_map(|(asked, key)| {
        let asked = asked.as_ref().filter(|asked| BLOCKS_OF_32.contains(&asked.value.as_str()))?;
        let width = metadata.of_architecture(key).or_else(whole)?;
        (!width.is_multiple_of(32)).then_some((asked, width))
    })?;
    Some(in_blocks(subject, asked, width))
}

fn in_blocks(subject: &Subject<'_>, asked: &Spanned<String>, width: u64) -> Finding {
    let message = format!(
        "`{}` has heads of {width} elements, which the blocks of 32 of a cache in `{}` do not divide",
        subject.shown().display(),
        asked.value
    );
    let build = subject.version().and_then(|numbers| numbers.first().copied());
    let is_certain = build.is_some_and(|build| FLASH_BY_DEFAULT <= build) && !subject.overrides();
    let fix = "keep the cache in `f16`: leave `--cache-type-k` and `--cache-type-v` out";
    let finding = subject.finding(&rules::FILES_DO_NOT_FIT, message, fix);
    finding.also(&asked.place, "asked for here").severity(severity(is_certain))
}
