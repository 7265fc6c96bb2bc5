//! What the lane's engine makes of a model that is whole.

use super::{Subject, opens_gguf_alone, rules, severity};
use crate::facts::model::gguf::{Newer, architectures};
use crate::facts::model::huggingface::Weights;
use crate::facts::model::{Content, Model, Shape};
use crate::findings::{Finding, Findings};
use crate::plan::engine::{Engine, Layout, Onnx, Part};

pub(super) fn judge(subject: &Subject<'_>, model: &Model, findings: &mut Findings) {
    if let Some(finding) = wrong_kind(subject, model) {
        findings.push(finding);
    }
    if let Some(header) = model.gguf() {
        for newer in &header.newer {
            findings.push(unknown_to_llama_cpp(subject, newer));
        }
    }
}

/// A sound model that this engine does not open, or not for this.
fn wrong_kind(subject: &Subject<'_>, model: &Model) -> Option<Finding> {
    let shown = subject.shown();
    let finding = |what: String, fix: String| {
        Some(subject.finding(&rules::NOT_A_MODEL, format!("`{}` {what}", shown.display()), fix))
    };
    let engine = subject.facts.lane.engine;
    let name = engine.map_or("the engine", Engine::name);
    match (&model.shape, model.files.first().map(|file| &file.content)) {
        (Shape::Folder(folder), _) if folder.holds_only_ggufs() || opens_gguf_alone(engine) => {
            finding(
                "is a folder, and llama.cpp opens a file".to_owned(),
                match folder.ggufs.first() {
                    Some(file) => {
                        format!("name `{}` in the service's command", shown.join(file).display())
                    }
                    None => "name a GGUF file in the service's command".to_owned(),
                },
            )
        }
        (Shape::Folder(folder), _)
            if folder.weights == Some(Weights::Onnx)
                && subject.part() == Part::Model
                && opens_folders(engine)
                && engine.is_some_and(|engine| engine.models().onnx == Onnx::Never) =>
        {
            finding(
                format!("holds its weights as an ONNX graph alone, and {name} does not open one"),
                "fetch the `.safetensors` files of the model".to_owned(),
            )
        }
        (Shape::File, Some(Content::Safetensors(_)))
            if subject.part() == Part::Model && opens_folders(engine) =>
        {
            finding(
                format!("is a file, and {name} opens a folder with `config.json` in it"),
                "name the folder of the file in the service's command".to_owned(),
            )
        }
        (_, Some(Content::Safetensors(_) | Content::Archive | Content::Pickle))
            if opens_gguf_alone(engine) =>
        {
            finding(
                format!("is not a GGUF file, and {name} opens nothing else"),
                "name a GGUF file in the service's command".to_owned(),
            )
        }
        (_, Some(Content::Gguf(header))) => {
            let expected = match subject.part() {
                Part::Model | Part::Draft if !header.metadata.is_model() => "a model",
                Part::Mmproj if header.metadata.is_model() => "a multimodal projector",
                Part::Lora if header.metadata.kind.as_deref() != Some("adapter") => "an adapter",
                Part::Model
                | Part::Draft
                | Part::Mmproj
                | Part::Lora
                | Part::Tokenizer
                | Part::ControlVector
                | Part::ChatTemplate
                | Part::Text
                | Part::Folder
                | Part::Models => return None,
            };
            let kind = header.metadata.kind.as_deref().unwrap_or("model");
            let architecture = header.metadata.architecture.as_deref().unwrap_or_default();
            finding(
                format!(
                    "is of type `{kind}` and architecture `{architecture}`, and {expected} is needed"
                ),
                format!("name {expected} in the service's command"),
            )
        }
        (_, _) => None,
    }
}

fn opens_folders(engine: Option<Engine>) -> bool {
    engine.is_some_and(|engine| engine.models().layout == Layout::HubFolder)
}

fn unknown_to_llama_cpp(subject: &Subject<'_>, newer: &Newer) -> Finding {
    let what = match newer {
        Newer::Architecture(name) => format!("the architecture `{name}`"),
        Newer::TensorType { tensor, id } => format!("the tensor type {id} (`{tensor}`)"),
        Newer::Tokenizer(name) => format!("the tokenizer `{name}`"),
        Newer::PreTokenizer(name) => format!("the pre-tokenizer `{name}`"),
        Newer::Scaling(name) => format!("the scaling of positions `{name}`"),
        Newer::Tensor(name) => format!("the tensor `{name}` beside those of its architecture"),
    };
    let build = architectures::NEWEST_BUILD;
    let first = subject.facts.lane.engine.and_then(|engine| engine.releases().first_build);
    let number = || subject.version()?.first().copied();
    let is_covered = first.zip(number()).is_some_and(|(first, it)| (first..=build).contains(&it));
    let message = format!(
        "`{}` has {what}, which llama.cpp up to build {build} does not know",
        subject.shown().display()
    );
    subject
        .finding(
            &rules::ARCHITECTURE_UNSUPPORTED,
            message,
            "use a build of llama.cpp that has it, or another model",
        )
        .severity(severity(is_covered))
}
