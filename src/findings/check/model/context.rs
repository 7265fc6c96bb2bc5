//! How long a context a GGUF model is asked for, and what that takes.

use super::configuration::{CONTEXT_NOT_LIMITED, CONTEXT_TOO_LONG, GGUF_IN_VLLM};
use super::{Subject, severity};
use crate::facts::model::gguf::{Header, Metadata};
use crate::facts::model::{Model, Shape};
use crate::findings::{Finding, Findings, Severity};
use crate::plan::engine::{Beyond, Fit, Gguf, Part};

/// A cache of this size surprises; a model with 8B parameters takes it for 131072 tokens.
const SURPRISING: u64 = 16 << 30;

const GIB: u64 = 1 << 30;

pub(super) fn judge(subject: &Subject<'_>, model: &Model, findings: &mut Findings) {
    let is_told = subject.part() == Part::Model && !subject.overrides();
    let Some(header) = model.gguf().filter(|_| is_told) else { return };
    let Some(engine) = subject.facts.lane.engine else { return };
    let context = engine.command_line().context;
    let found = match context.filter(|context| context.beyond == Beyond::Capped) {
        Some(context) => length(subject, header, context.flag),
        None if engine.models().gguf == Gguf::Plugin => in_vllm(subject, model),
        None => None,
    };
    found.into_iter().for_each(|finding| findings.push(finding));
}

fn length(subject: &Subject<'_>, header: &Header, flag: &str) -> Option<Finding> {
    let trained = header.metadata.context_length?;
    let invocation = subject.facts.lane.invocation.as_ref()?;
    // 0 stands for the model's own.
    let asked = invocation.context.as_ref().filter(|asked| asked.value > 0);
    let shown = subject.shown();
    match asked {
        Some(asked) if asked.value > padded(trained) => {
            let finding = subject.finding(
                &CONTEXT_TOO_LONG,
                format!(
                    "`{flag} {}` is more than the {trained} tokens that `{}` was trained for; \
                     llama-server caps it",
                    asked.value,
                    shown.display()
                ),
                format!("say `{flag} {trained}` or less"),
            );
            let finding = finding.with("asked", asked.value).with("allowed", trained);
            Some(finding.also(&asked.place, "asked for here").severity(Severity::Warning))
        }
        Some(_) => None,
        None => {
            let bytes = cache_bytes(&header.metadata)?.checked_mul(trained)?;
            (bytes >= SURPRISING).then(|| {
                subject
                    .finding(
                        &CONTEXT_NOT_LIMITED,
                        format!(
                            "no context length is given for `{}`, which was trained for {trained} \
                             tokens: keys and values of that many take {} GiB",
                            shown.display(),
                            bytes / GIB
                        ),
                        format!(
                            "add `{flag} 32768` (or what is needed) to the command of the service"
                        ),
                    )
                    .with("context_length", trained)
                    .with("kv_bytes", bytes)
            })
        }
    }
}

/// llama-server rounds a context up to the next multiple of 256.
fn padded(length: u64) -> u64 {
    length.div_ceil(256).saturating_mul(256)
}

/// Bytes of keys and values for one token, 16 bits each. Absent where the header does not tell:
/// layers that differ, layers that look at a window or keep a state.
fn cache_bytes(metadata: &Metadata) -> Option<u64> {
    let of = |field: &str| metadata.of_architecture(field);
    let has_state = ["ssm.state_size", "ssm.inner_size", "wkv.head_size"]
        .iter()
        .any(|field| of(field).is_some());
    if has_state || of("attention.sliding_window").is_some_and(|window| window > 0) {
        return None;
    }
    let heads = metadata.head_count?;
    let heads_kv = match of("attention.head_count_kv") {
        Some(heads) => heads,
        None if metadata.says_of_architecture("attention.head_count_kv") => return None,
        None => heads,
    };
    let width = || metadata.embedding_length?.checked_div(heads);
    let key = of("attention.key_length").or_else(width)?;
    // With latent attention the values are a part of the keys.
    let value = match of("attention.kv_lora_rank") {
        Some(_) => 0,
        None => of("attention.value_length").or_else(width)?,
    };
    let row = heads_kv.checked_mul(key.checked_add(value)?)?;
    metadata.block_count?.checked_mul(row)?.checked_mul(2)
}

fn in_vllm(subject: &Subject<'_>, model: &Model) -> Option<Finding> {
    let what = match model.shape {
        Shape::Split(_) => "is one of several GGUF files, and vLLM reads none that is split",
        Shape::File | Shape::Text(_) | Shape::Directory => {
            "is a GGUF file, which newer releases of vLLM read only with a plugin"
        }
        Shape::Folder(_) => return None,
    };
    let known = subject.facts.lane.engine.and_then(|engine| engine.command_line().quantizations);
    let version = subject.version().filter(|numbers| numbers.len() >= 2);
    let is_gone = known.zip(version).is_some_and(|(known, version)| {
        known.table().covers(&version)
            && known.fit(None, Some("gguf"), Some(&version)) != Fit::Taken
    });
    let what = match is_gone {
        true => "is a GGUF file, which this release of vLLM reads only with a plugin",
        false => what,
    };
    let message = format!("`{}` {what}", subject.shown().display());
    let fix = "serve it with llama.cpp (`ghcr.io/ggml-org/llama.cpp:server`), or name a folder \
               with safetensors";
    Some(subject.finding(&GGUF_IN_VLLM, message, fix).severity(severity(is_gone)))
}
