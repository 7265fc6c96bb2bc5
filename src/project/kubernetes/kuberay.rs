//! What KubeRay makes of the words of a container (KubeRay 1.7.0
//! ray-operator/controllers/ray/common/pod.go `BuildPod`): the first of each Pod starts Ray, and what is
//! written for it runs before that.

use super::items;
use super::pods::{Member, Pod};
use crate::project::{Service, Stage};
use crate::source_map::Spanned;

/// The group of its kinds.
pub(super) const GROUP: &str = "ray.io";

/// What Ray is started by. A command that has it already is left alone.
const START: &str = "ray start";

/// The variable that holds how it would be started, for words that stay as they are written.
const START_VARIABLE: &str = "KUBERAY_GEN_RAY_START_CMD";

/// The annotation by which the words stay as they are written.
const AS_WRITTEN: &str = "ray.io/overwrite-container-cmd";

/// Puts in what the container of `service` runs.
pub(super) fn fill_in(pod: &Pod<'_>, member: &Member<'_>, service: &mut Service) {
    let first = items(pod.spec, "containers").first();
    let is_first = first.is_some_and(|node| std::ptr::eq(node, member.node));
    // Whatever kind the clusters are made of that are KubeRay's in the end.
    if service.words().any(|word| word.value.contains(START_VARIABLE)) {
        let start = Spanned::new(Some(START.to_owned()), service.name.place.clone());
        service.environment.entry(START_VARIABLE.to_owned()).or_insert(start);
    }
    if pod.group != GROUP || member.stage != Stage::Main || !is_first || stays(pod) {
        return;
    }
    let words: Vec<_> = service.words().cloned().collect();
    let own = words.iter().map(|word| word.value.as_str()).collect::<Vec<_>>().join(" ");
    if own.contains(START) {
        return;
    }
    let place = words.first().map_or_else(|| service.name.place.clone(), |word| word.place.clone());
    let script = if own.is_empty() { START.to_owned() } else { format!("{own} && {START}") };
    let word = |text: &str| Spanned::new(text.to_owned(), place.clone());
    service.entrypoint = Some(vec![word("/bin/bash"), word("-c")]);
    service.command = Some(vec![word(&script)]);
}

fn stays(pod: &Pod<'_>) -> bool {
    let said = pod.annotations.iter().find(|(key, _)| *key == AS_WRITTEN);
    said.and_then(|(_, node)| node.printed()).is_some_and(|it| it.eq_ignore_ascii_case("true"))
}
