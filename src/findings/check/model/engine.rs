//! What the lane's engine makes of what the path names, if that is whole.

use super::build::{self, Told};
use super::{Subject, is_called_gguf, merged, opens_gguf_alone, rules, severity};
use crate::facts::model::gguf::{Newer, architectures};
use crate::facts::model::huggingface::{FolderKind, Weights};
use crate::facts::model::{Content, Defect, Folder, Model, Shape};
use crate::findings::{Finding, Findings};
use crate::plan::engine::{Adapters, Gguf, Layout, Models, Onnx, Part};

/// What opens a GGUF file, whatever else does.
const LLAMA_CPP: &str = "llama.cpp (`ghcr.io/ggml-org/llama.cpp:server`)";

pub(super) fn judge(subject: &Subject<'_>, model: &Model, findings: &mut Findings) {
    if let Some(finding) = wrong_kind(subject, model) {
        findings.push(finding);
    }
    if let Some(header) = model.gguf() {
        let architecture = header.metadata.architecture.as_deref().unwrap_or_default();
        let is_asked = |newer: &&Newer| match newer.key(architecture) {
            Some(key) => !subject.overrides_key(&key),
            None => !matches!(newer, Newer::Tensor(_)) || !subject.overrides_shape(),
        };
        for newer in header.newer.iter().filter(is_asked) {
            if let Some(finding) = unknown_to_llama_cpp(subject, newer) {
                findings.push(finding);
            }
        }
        build::judge(subject, header, findings);
    }
}

/// A file that is of no use to the engine however whole it is, so that nothing is to be said but that.
pub(super) fn foreign(subject: &Subject<'_>, model: &Model) -> Option<Finding> {
    let content = content(model)?;
    let is_gguf = matches!(content, Content::Gguf(_));
    let is_other = matches!(content, Content::Broken(Defect::Lookalike(it)) if it.is_other_kind());
    let is_foreign = (is_gguf && !opens_gguf(subject)) || is_other;
    (is_foreign && opens_folder(subject) && !is_meant_as_gguf(subject, model))
        .then(|| folder_instead(subject, content))
        .flatten()
}

/// What is in the file that the path names; absent: it names a folder.
fn content(model: &Model) -> Option<&Content> {
    match model.shape {
        Shape::File | Shape::Split(_) => model.files.first().map(|file| &file.content),
        Shape::Folder(_) | Shape::Text(_) | Shape::Directory => None,
    }
}

/// Whether the engine opens this as a folder in the layout of the hub.
fn opens_folder(subject: &Subject<'_>) -> bool {
    matches!(subject.part(), Part::Model | Part::Draft)
        && subject.models().is_some_and(|models| models.layout == Layout::HubFolder)
}

/// Whether the engine may open a GGUF file.
fn opens_gguf(subject: &Subject<'_>) -> bool {
    subject.models().is_none_or(|models| models.gguf != Gguf::Never)
}

/// Whether the engine takes the file for a GGUF file because of its name, whatever is in it.
fn is_meant_as_gguf(subject: &Subject<'_>, model: &Model) -> bool {
    opens_gguf(subject) && model.files.first().is_some_and(is_called_gguf)
}

/// Something that this engine does not open, or not for this.
fn wrong_kind(subject: &Subject<'_>, model: &Model) -> Option<Finding> {
    match (&model.shape, content(model)) {
        (Shape::Folder(folder), _) => wrong_folder(subject, folder),
        (_, Some(content)) if opens_folder(subject) && !is_meant_as_gguf(subject, model) => {
            folder_instead(subject, content).or_else(|| other_part(subject, content))
        }
        (_, Some(Content::Safetensors(_) | Content::Archive | Content::Pickle))
            if opens_gguf_alone(subject) =>
        {
            Some(subject.not_a_model(
                &format!("is not a GGUF file, and {} opens nothing else", subject.engine()),
                "name a GGUF file in the service's command",
            ))
        }
        // By its name it is one of llama.cpp's.
        (_, Some(Content::Safetensors(_)))
            if subject.facts.lane.engine.is_none()
                && model.files.first().is_some_and(is_called_gguf) =>
        {
            Some(subject.not_a_model(
                "is called a GGUF file and is none",
                "download it again, or give it the name of what it is",
            ))
        }
        (_, Some(content)) => other_part(subject, content),
        (_, None) => None,
    }
}

fn wrong_folder(subject: &Subject<'_>, folder: &Folder) -> Option<Finding> {
    match subject.models() {
        None if folder.holds_only_ggufs() => Some(file_instead(subject, folder)),
        None => None,
        Some(models) => match models.layout {
            Layout::GgufFile => Some(file_instead(subject, folder)),
            Layout::HubFolder => wrong_hub_folder(subject, models, folder),
            Layout::Store => None,
        },
    }
}

fn wrong_hub_folder(subject: &Subject<'_>, models: &Models, folder: &Folder) -> Option<Finding> {
    if folder.holds_only_ggufs() {
        return Some(ggufs_instead(subject, models, folder));
    }
    if opens_folder(subject) && folder.kind == FolderKind::Adapter {
        return adapter_instead(subject, models, folder);
    }
    if subject.part() != Part::Model {
        return None;
    }
    let graphs = subject.facts.lane.invocation.as_ref().map_or(models.onnx, |it| it.graphs);
    if graphs == Onnx::MainAlone && folder.graph.is_none() {
        let engine = subject.engine();
        return Some(subject.not_a_model(
            &format!("has no `onnx/model.onnx`, and this image of {engine} loads nothing else"),
            "export the model as an ONNX graph, or take a newer image",
        ));
    }
    let is_graph = folder.weights == Some(Weights::Onnx) && graphs == Onnx::Never;
    is_graph.then(|| {
        let engine = subject.engine();
        subject.not_a_model(
            &format!("holds its weights as an ONNX graph alone, and {engine} does not open one"),
            "fetch the `.safetensors` files of the model",
        )
    })
}

/// A folder where the engine opens a file.
fn file_instead(subject: &Subject<'_>, folder: &Folder) -> Finding {
    let fix = match folder.ggufs.first() {
        Some(file) => {
            format!("name `{}` in the service's command", subject.shown().join(file).display())
        }
        None => "name a GGUF file in the service's command".to_owned(),
    };
    subject.not_a_model("is a folder, and llama.cpp opens a file", fix)
}

/// A folder of GGUF files where the engine opens one in the layout of the hub.
fn ggufs_instead(subject: &Subject<'_>, models: &Models, folder: &Folder) -> Finding {
    let first = folder.ggufs.first().map(String::as_str).unwrap_or_default();
    let first = subject.shown().join(first);
    let first = first.display();
    let fix = match models.gguf {
        Gguf::Any | Gguf::One => {
            format!("name `{first}` in the service's command, or a folder with safetensors")
        }
        Gguf::Plugin | Gguf::Never | Gguf::NotKnown => {
            format!("serve `{first}` with {LLAMA_CPP}, or name a folder with safetensors")
        }
    };
    let message = format!(
        "is a folder of GGUF files, and {} opens one with {} in it",
        subject.engine(),
        match subject.part() {
            Part::Lora => "`adapter_config.json`",
            Part::Tokenizer => "a tokenizer",
            Part::Model
            | Part::Draft
            | Part::Mmproj
            | Part::ControlVector
            | Part::ChatTemplate
            | Part::Text
            | Part::Folder
            | Part::Models => "`config.json`",
        }
    );
    subject.not_a_model(&message, fix)
}

/// An adapter in the place of the model that it was made for.
fn adapter_instead(subject: &Subject<'_>, models: &Models, folder: &Folder) -> Option<Finding> {
    let fix = match models.adapters {
        Adapters::OwnModel(merging) => return merged::judge(subject, folder, merging),
        Adapters::Flag(flag) => format!(
            "name the folder of the model that it was made for, and the adapter with `{flag}`"
        ),
        Adapters::Never => {
            "name the folder of a model, with the adapter merged into it, in the service's command"
                .to_owned()
        }
    };
    let message =
        format!("is an adapter, and {} opens a model, which has a `config.json`", subject.engine());
    Some(subject.not_a_model(&message, fix))
}

/// A file where the engine opens a folder.
fn folder_instead(subject: &Subject<'_>, content: &Content) -> Option<Finding> {
    let engine = subject.engine();
    let (what, fix) = match content {
        Content::Gguf(_) if opens_gguf(subject) => return None,
        Content::Gguf(_) => {
            ("a GGUF file", format!("serve it with {LLAMA_CPP}, or name a folder with safetensors"))
        }
        Content::Safetensors(_) | Content::Archive | Content::Pickle => {
            ("a file", "name the folder of the file in the service's command".to_owned())
        }
        Content::Broken(_) | Content::Document => {
            ("a file", "name the folder of a model in the service's command".to_owned())
        }
        Content::Absent | Content::Denied(_) | Content::Unknown(_) => return None,
    };
    let message = format!("is {what}, and {engine} opens a folder with `config.json` in it");
    Some(subject.not_a_model(&message, fix))
}

/// A GGUF file that is for something else.
fn other_part(subject: &Subject<'_>, content: &Content) -> Option<Finding> {
    let Content::Gguf(header) = content else { return None };
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
    Some(subject.not_a_model(
        &format!("is of type `{kind}` and architecture `{architecture}`, and {expected} is needed"),
        format!("name {expected} in the service's command"),
    ))
}

fn unknown_to_llama_cpp(subject: &Subject<'_>, newer: &Newer) -> Option<Finding> {
    let is_certain = match build::told(subject, newer) {
        Told::Already => return None,
        Told::Certain => true,
        Told::Likely => false,
    };
    let what = match newer {
        Newer::Architecture(name) => format!("the architecture `{name}`"),
        Newer::TensorType { tensor, id } => format!("the tensor type {id} (`{tensor}`)"),
        Newer::Tokenizer(name) => format!("the tokenizer `{name}`"),
        Newer::PreTokenizer(name) => format!("the pre-tokenizer `{name}`"),
        Newer::Scaling(name) => format!("the scaling of positions `{name}`"),
        Newer::Tensor(name) => format!("the tensor `{name}` beside those of its architecture"),
    };
    let message = format!(
        "`{}` has {what}, which llama.cpp up to build {} does not know",
        subject.shown().display(),
        architectures::NEWEST_BUILD
    );
    let fix = "use a build of llama.cpp that has it, or another model";
    let finding = subject.finding(&rules::ARCHITECTURE_UNSUPPORTED, message, fix);
    Some(finding.severity(severity(is_certain)))
}
