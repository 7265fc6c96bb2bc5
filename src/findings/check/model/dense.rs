//! The steps behind the pooling that change the width of a vector (`2_Dense`), as an engine reads them.

use serde_json::{Map, Value};

use super::{Subject, rules, severity};
use crate::facts::model::Folder;
use crate::facts::model::sentence_transformers::Dense;
use crate::findings::{Finding, Findings, Severity};
use crate::plan::engine::{DenseSteps, Onnx, Part};

pub(super) fn judge(subject: &Subject<'_>, folder: &Folder, findings: &mut Findings) {
    let pooling = subject.models().and_then(|models| models.pooling.as_ref());
    let invocation = subject.facts.lane.invocation.as_ref();
    let (Some(pooling), Some(invocation), Part::Model) = (pooling, invocation, subject.part())
    else {
        return;
    };
    // A graph has all steps in it.
    let is_graph = folder.graph.is_some() && invocation.graphs == Onnx::Main;
    let is_read = invocation.is_since(pooling.dense.since);
    let is_other = invocation.embeds.dense.is_some();
    if !is_read || is_other || is_graph || invocation.graphs == Onnx::MainAlone {
        return;
    }
    let steps = folder.dense.iter();
    steps.filter_map(|step| unfit(subject, step, &pooling.dense)).for_each(|it| findings.push(it));
}

fn unfit(subject: &Subject<'_>, step: &Dense, steps: &DenseSteps) -> Option<Finding> {
    let engine = subject.engine();
    let folder = subject.shown().join(&step.path);
    if !step.has_weights {
        let message = format!(
            "`{}` has no weights, so {engine} leaves the step out and gives out other vectors than \
             the model was made for",
            folder.display()
        );
        let fix = subject.how_to_get(&subject.on_host().join(&step.path).join("model.safetensors"));
        let finding = subject.finding_of_absence(&rules::FILES_MISSING, message, fix);
        return Some(finding.severity(Severity::Warning));
    }
    let lacks = refused(step.config.says.as_ref()?, steps)?;
    let message = format!("`{}` {lacks}, and {engine} exits", folder.join("config.json").display());
    let fix = "take a model without such a step, or another engine";
    let version = subject.version().filter(|numbers| numbers.len() >= 2);
    let is_certain = version.is_some_and(|version| version.as_slice() <= &steps.newest_read[..]);
    let finding = subject.finding(&rules::CONFIG_INVALID, message, fix);
    Some(subject.by_release(finding).severity(severity(is_certain)))
}

/// What of a configuration is refused; absent: nothing.
fn refused(says: &Map<String, Value>, steps: &DenseSteps) -> Option<String> {
    let lacks = |key: &str| format!("does not say `{key}` as it has to");
    let is_count = |key: &&&str| !says.get(**key).is_some_and(Value::is_u64);
    if let Some(key) = ["in_features", "out_features"].iter().find(is_count) {
        return Some(lacks(key));
    }
    if !says.get("bias").is_some_and(Value::is_boolean) {
        return Some(lacks("bias"));
    }
    match says.get("activation_function") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) if steps.activations.contains(&name.as_str()) => None,
        Some(Value::String(name)) => Some(format!("asks for `{name}`, which is not known")),
        Some(_) => Some(lacks("activation_function")),
    }
}
