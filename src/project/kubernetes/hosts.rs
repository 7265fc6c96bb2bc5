//! What a Pod is called, which its controller names, and the machine that its containers find themselves on:
//! as the Pod, else as the node (kubernetes 1.34 pkg/kubelet/kubelet_pods.go,
//! `GeneratePodHostNameAndDomain`). In these names `*` stands for anything, and `#` for a number.

use super::manifest::Manifest;
use super::text;
use crate::project::compose::tree::Node;

/// So much of a name KubeRay keeps before it adds its own (KubeRay 1.7.0
/// ray-operator/controllers/ray/utils/util.go, `PodName`).
const KEPT_BY_RAY: usize = 50;

/// As long as a name may be (RFC 1123, as kubernetes has it).
const LONGEST_NAME: usize = 253;

/// Whether a text can be a part of a name: what stands for others here is none.
fn is_plain(text: &str) -> bool {
    text.len() <= LONGEST_NAME
        && text.chars().all(|it| it.is_ascii_alphanumeric() || "-._".contains(it))
}

/// The names that a Pod may have. `label` is which of the document's Pods it is.
pub(super) fn names(manifest: &Manifest, label: Option<&str>) -> Vec<String> {
    let name = manifest.name.as_str();
    match (manifest.group(), manifest.kind.as_str()) {
        _ if name.is_empty() || ![name, label.unwrap_or("")].into_iter().all(is_plain) => {
            Vec::new()
        }
        ("apps", "StatefulSet") => vec![format!("{name}-#")],
        ("leaderworkerset.x-k8s.io", _) => of_group(name, label),
        ("ray.io", kind) => of_ray(name, kind, label),
        _ => of_others(name, label),
    }
}

/// Whether a Pod has the addresses, and the name, of its node.
pub(super) fn is_on_host(spec: &Node) -> bool {
    spec.get("hostNetwork").and_then(Node::as_bool) == Some(true)
}

/// The names that its machine may have; none where it has that of its node.
pub(super) fn hosts(spec: &Node, names: &[String]) -> Vec<String> {
    if is_on_host(spec) {
        return Vec::new();
    }
    let own = text(spec, "hostname").map(|own| own.value).filter(|own| is_plain(own));
    own.into_iter().chain(names.iter().cloned()).collect()
}

/// The leaders are a StatefulSet, and the workers of each another one, whose numbers begin at 1 (lws 0.7
/// pkg/controllers/pod_controller.go, `constructWorkerStatefulSetApplyConfiguration`).
fn of_group(name: &str, label: Option<&str>) -> Vec<String> {
    let (leader, worker) = (format!("{name}-#"), format!("{name}-#-#"));
    match label {
        Some("leader") => vec![leader],
        Some("worker") => vec![worker],
        Some(_) | None => vec![leader, worker],
    }
}

/// `CLUSTER-head-x` and `CLUSTER-GROUP-worker-x`; the cluster of a RayService or RayJob is called as that is, and
/// something behind it.
fn of_ray(name: &str, kind: &str, label: Option<&str>) -> Vec<String> {
    let cluster = if kind == "RayCluster" { name.to_owned() } else { format!("{name}-*") };
    let group = label.and_then(|label| label.strip_prefix("worker-"));
    let cut = |text: String| match text.char_indices().nth(KEPT_BY_RAY) {
        Some((at, _)) => text.get(..at).unwrap_or_default().to_owned() + "*",
        None => text,
    };
    match (label, group) {
        (Some("head"), _) => vec![format!("{}-head*", cut(cluster))],
        (_, Some(group)) => vec![format!("{}-worker-*", cut(format!("{cluster}-{group}")))],
        (Some(_) | None, None) => vec![format!("{name}-*")],
    }
}

/// Most controllers put something behind the name; of several Pods, which one it is.
fn of_others(name: &str, label: Option<&str>) -> Vec<String> {
    let own = [name.to_owned(), format!("{name}-*")];
    let parts = label.into_iter().flat_map(|label| label.split('-'));
    own.into_iter().chain(parts.map(|part| format!("{name}-*{part}*"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: &[String], expected: &[&str]) {
        assert_eq!(found, expected);
    }

    #[test]
    fn a_name_that_stands_for_others_is_none() {
        assert!(is_plain("qwen-0.example") && !is_plain("***") && !is_plain("a#"));
        assert!(!is_plain(&"a".repeat(254)));
    }

    #[test]
    fn the_pods_of_groups_are_called_as_their_controllers_call_them() {
        check(&of_group("big", Some("leader")), &["big-#"]);
        check(&of_group("big", Some("worker")), &["big-#-#"]);
        check(&of_group("big", None), &["big-#", "big-#-#"]);
        check(&of_ray("big", "RayCluster", Some("head")), &["big-head*"]);
        check(&of_ray("big", "RayCluster", Some("worker-gpu")), &["big-gpu-worker-*"]);
        check(&of_ray("big", "RayService", Some("worker-gpu")), &["big-*-gpu-worker-*"]);
        check(&of_ray("big", "RayJob", None), &["big-*"]);
        let long = "a".repeat(60);
        let cut = format!("{}*-worker-*", "a".repeat(50));
        check(&of_ray(&long, "RayCluster", Some("worker-gpu")), &[&cut]);
        check(
            &of_others("a", Some("services-decode")),
            &["a", "a-*", "a-*services*", "a-*decode*"],
        );
    }
}
