//! What annotations of Pods say to preflight, and what of it nobody understands.

use super::pods::{Member, Pod};
use crate::project::compose::tree::Node;
use crate::project::{Remark, RemarkKind, Stage};
use crate::suggest;

/// What they say of a container, with its name behind a slash.
pub(super) const KNOWN: [&str; 4] =
    ["preflight.lane", "preflight.source", "preflight.path", "preflight.required"];

/// What they begin with.
const OWN: &str = "preflight.";

/// What is told of the annotations of a document's Pods.
pub(super) fn remarks(pods: &[Pod<'_>]) -> Vec<Remark> {
    let mut found: Vec<Remark> = Vec::new();
    for pod in pods {
        for (key, node) in &pod.annotations {
            let Some((message, fix)) = doubt(key, pod, pods) else { continue };
            let places = vec![node.place.clone()];
            // What stands above several Pods is said of each.
            if !found.iter().any(|known| known.places == places) {
                let kind = RemarkKind::Annotation;
                found.push(Remark { kind, message, fix, places, service: None });
            }
        }
    }
    found
}

/// What is wrong with an annotation, and what to do about it; absent: nothing, or it is somebody else's.
fn doubt(key: &str, pod: &Pod<'_>, pods: &[Pod<'_>]) -> Option<(String, String)> {
    let (name, container) = match key.split_once('/') {
        Some((name, container)) => (name, Some(container)),
        None => (key, None),
    };
    let own = name.strip_prefix(OWN).filter(|own| !own.contains('.'))?;
    if !KNOWN.contains(&name) {
        let likely = suggest::likely(own, KNOWN.iter().filter_map(|it| it.strip_prefix(OWN)));
        let behind = container.map(|it| format!("/{it}")).unwrap_or_default();
        let fix = match likely.first() {
            Some(likely) => format!("write `{OWN}{likely}{behind}`"),
            None => format!("write one of `{}`", KNOWN.join("`, `")),
        };
        return Some((format!("preflight knows no annotation `{name}`"), fix));
    }
    if pod.is_open {
        return None;
    }
    match container {
        Some(container) => {
            let all: Vec<Member<'_>> = pods.iter().flat_map(Pod::members).collect();
            let names: Vec<&str> = all.iter().map(|member| &*member.name).collect();
            if names.contains(&container) {
                return None;
            }
            let likely = suggest::likely(container, names.iter().copied());
            let meant = if likely.is_empty() { names } else { likely };
            let message = format!(
                "the annotation `{key}` is for a container that `{}` does not have",
                pod.name
            );
            Some((
                message,
                format!("write one of these behind the slash: `{}`", meant.join("`, `")),
            ))
        }
        None => {
            let all = pod.members();
            let mains = all.iter().filter(|member| member.stage == Stage::Main);
            let names: Vec<&str> = mains.map(|member| &*member.name).collect();
            let message = format!(
                "the annotation `{key}` does not say which container of `{}` it is for",
                pod.name
            );
            let fix = format!("write one of these behind it: `/{}`", names.join("`, `/"));
            (names.len() > 1).then_some((message, fix))
        }
    }
}

/// What is said of one container.
pub(super) fn of<'m>(
    pod: &Pod<'m>,
    member: &Member<'_>,
) -> impl Iterator<Item = (&'static str, &'m Node)> {
    // A Pod may have thousands, each of which would count the others.
    let is_alone = || {
        let members = pod.members();
        let mains = members.iter().filter(|other| other.stage == Stage::Main).count();
        mains == 1 && member.stage == Stage::Main
    };
    let find = |wanted: &str| pod.annotations.iter().find(|(key, _)| *key == wanted);
    let said = KNOWN.into_iter().filter_map(|name| {
        let own = find(&format!("{name}/{}", member.name));
        let found = own.or_else(|| find(name).filter(|_| is_alone()));
        found.map(|(_, node)| (name, *node))
    });
    said.collect::<Vec<_>>().into_iter()
}
