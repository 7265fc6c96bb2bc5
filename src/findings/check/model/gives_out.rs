//! Models for embeddings and for ranks, served by a server that was told to give out something else.

use super::{Subject, rules};
use crate::facts::model::Model;
use crate::facts::model::gguf::Metadata;
use crate::findings::{Finding, Findings};
use crate::plan::engine::{GivesOut, Invocation, Part};

/// Architectures that encode a text and cannot go on with it (llama.cpp build 11669 src/llama-arch.cpp,
/// those that `llama_model_has_decoder` is false for or that are causal for no model).
const ENCODERS: [&str; 11] = [
    "bert",
    "eurobert",
    "gemma-embedding",
    "jina-bert-v2",
    "jina-bert-v3",
    "llama-embed",
    "modern-bert",
    "neo-bert",
    "nomic-bert",
    "nomic-bert-moe",
    "t5encoder",
];

/// `LLAMA_POOLING_TYPE_NONE` and `LLAMA_POOLING_TYPE_RANK` (include/llama.h).
const POOLING_NONE: u64 = 0;
const POOLING_RANK: u64 = 4;

/// Says that nobody gets what the model is for.
pub(super) fn judge(subject: &Subject<'_>, model: &Model, findings: &mut Findings) {
    let is_told = subject.part() == Part::Model && !subject.overrides();
    let Some(header) = model.gguf().filter(|_| is_told) else { return };
    let Some(invocation) = &subject.facts.lane.invocation else { return };
    let Some(gives) = invocation.gives_out else { return };
    let finding = match (meant(&header.metadata), gives) {
        (Some(GivesOut::Ranks), GivesOut::Text | GivesOut::Embeddings) => {
            missing(subject, "a reranker", "/v1/rerank", "--reranking")
        }
        (Some(GivesOut::Embeddings), GivesOut::Text) => {
            missing(subject, "a model for embeddings", "/v1/embeddings", "--embeddings")
        }
        (_, GivesOut::Embeddings) if !is_pooled(invocation, &header.metadata) => unpooled(subject),
        (Some(_) | None, GivesOut::Text | GivesOut::Embeddings | GivesOut::Ranks) => return,
    };
    findings.push(finding);
}

/// Whether the command or the file says how one vector is made of those of the tokens.
fn is_pooled(invocation: &Invocation, metadata: &Metadata) -> bool {
    match &invocation.embeds.pooling {
        Some(told) => told.value != "none",
        None => {
            let says = metadata.says_of_architecture("pooling_type");
            says && metadata.of_architecture("pooling_type") != Some(POOLING_NONE)
        }
    }
}

/// What a model is for, as far as its header says it.
fn meant(metadata: &Metadata) -> Option<GivesOut> {
    let pooling = metadata.of_architecture("pooling_type");
    let is_encoder =
        || metadata.architecture.as_deref().is_some_and(|name| ENCODERS.contains(&name));
    match pooling {
        Some(POOLING_RANK) => Some(GivesOut::Ranks),
        Some(pooling) if pooling != POOLING_NONE => Some(GivesOut::Embeddings),
        Some(_) | None => is_encoder().then_some(GivesOut::Embeddings),
    }
}

fn missing(subject: &Subject<'_>, what: &str, route: &str, flag: &str) -> Finding {
    let shown = subject.shown();
    let message = format!(
        "`{}` is {what}, and llama-server is not told so: `{route}` will answer 501",
        shown.display()
    );
    subject.finding(&rules::ENDPOINT_NOT_SERVED, message, format!("add `{flag}` to the command"))
}

fn unpooled(subject: &Subject<'_>) -> Finding {
    let message = format!(
        "nothing says how one vector is made of those that `{}` makes of the tokens, neither the file \
         (`pooling_type`) nor a `--pooling`: `/v1/embeddings` will answer 400",
        subject.shown().display()
    );
    let fix = "add `--pooling mean`, or the kind that the model was trained with; or leave `--embeddings` \
               out, if it is to write texts";
    subject.finding(&rules::ENDPOINT_NOT_SERVED, message, fix)
}
