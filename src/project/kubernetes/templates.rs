//! Templates of Helm and of KServe, which are no manifests before somebody has filled them in.

use crate::project::compose::fault::Fault;
use crate::project::compose::tree::{Kind, Node};
use crate::source_map::{Place, SourceId, Span};

/// What stands behind `{{` in a template of Helm, and hardly in another text: its own objects and
/// functions. `{{.Name}}` is KServe's, and `{{ messages }}` a chat template's.
const HELM: [&str; 12] = [
    ".Values",
    ".Release",
    ".Chart",
    ".Capabilities",
    ".Template.",
    ".Files.",
    "include ",
    "template ",
    "toYaml ",
    "tpl ",
    "define ",
    "if .",
];

/// What KServe fills in for the Pods of an `LLMInferenceService`: templates of Go, as those of Helm are
/// (kserve 0.20 pkg/controller/v1alpha2/llmisvc/config_merge.go, `ReplaceVariables`).
const OF_KSERVE: &str = "LLMInferenceServiceConfig";

/// What is said of one.
const REFUSED: &str = "this is a template of Helm, not a manifest";

/// What to do about one.
pub(super) const RENDER: &str = "render it first: `helm template NAME CHART | preflight -f -`";

/// The first of them in a text that is no YAML.
pub(super) fn first(text: &str, source: SourceId) -> Option<Place> {
    let (start, _) = text.match_indices("{{").find(|(at, _)| is_helm(text, *at))?;
    let end =
        text.get(start..).and_then(|rest| rest.find("}}")).map_or(start + 2, |at| start + at + 2);
    Some(Place::at(Span { source, start, end }))
}

fn is_helm(text: &str, at: usize) -> bool {
    let behind = text.get(at + 2..).unwrap_or("").trim_start_matches('-').trim_start();
    HELM.iter().any(|word| behind.starts_with(word))
}

/// The first value of a document that holds one; what a `ConfigMap` holds is a text of its own.
pub(super) fn in_tree(root: &Node) -> Option<Place> {
    let kind = root.get("kind").and_then(Node::as_str);
    if matches!(kind, Some("ConfigMap" | "Secret")) {
        return None;
    }
    in_value(root)
}

fn in_value(node: &Node) -> Option<Place> {
    match &node.kind {
        Kind::String(text) => {
            let mut found = text.match_indices("{{").map(|(at, _)| at);
            found.any(|at| is_helm(text, at)).then(|| node.place.clone())
        }
        Kind::Sequence(items) => items.iter().find_map(in_value),
        Kind::Mapping(entries) => entries.values().find_map(|entry| in_value(&entry.value)),
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Time(_) => None,
    }
}

/// What is said of it where it stands in a document.
pub(super) fn refusal_in(root: &Node, place: &Place) -> Fault {
    if root.get("kind").and_then(Node::as_str) != Some(OF_KSERVE) {
        return refusal(place);
    }
    Fault::at(place, "this is a template that KServe fills in, not what it makes of it")
        .hint("judge what it has made: `kubectl get pod POD -o yaml | preflight -f -`")
}

/// What is said of it.
pub(super) fn refusal(place: &Place) -> Fault {
    Fault::at(place, REFUSED).hint(RENDER)
}

/// Whether a refusal is this one.
pub(super) fn is_refusal(fault: &Fault) -> bool {
    matches!(fault, Fault::Text { message, .. } if message == REFUSED)
}
