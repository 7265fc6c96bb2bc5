//! The nodes of a cluster: every Pod may be on one of its own, and what GPUs it has nobody else has. Pure.

use std::collections::BTreeSet;

use super::HostDevice;
use super::used::Used;
use crate::facts::{LaneFacts, ProjectFacts};

/// The Pods whose GPUs are told apart; none where all lanes are in one, or in none.
pub(super) struct Nodes<'a>(BTreeSet<&'a str>);

impl<'a> Nodes<'a> {
    pub(super) fn of(lanes: &[LaneFacts], project: &ProjectFacts<'a>) -> Self {
        let active = lanes.iter().filter(|lane| lane.lane.skipped.is_none());
        let pods: BTreeSet<&str> = active.filter_map(|lane| pod(lane, project)).collect();
        Self(if pods.len() > 1 { pods } else { BTreeSet::new() })
    }

    /// The GPUs of every node, each of which has what is said of one.
    pub(super) fn devices(&self, devices: Vec<HostDevice>) -> Vec<HostDevice> {
        if self.0.is_empty() {
            return devices;
        }
        let of_pod = |pod: &str, device: &HostDevice| HostDevice {
            key: on_node(&device.key, pod),
            ..device.clone()
        };
        let each = self.0.iter().flat_map(|pod| devices.iter().map(|device| of_pod(pod, device)));
        each.collect()
    }

    /// What a lane uses, as that of its own node.
    pub(super) fn used(&self, used: Used, lane: &LaneFacts, project: &ProjectFacts<'_>) -> Used {
        let Some(pod) = pod(lane, project).filter(|pod| self.0.contains(pod)) else { return used };
        let told = |key: &String| on_node(key, pod);
        Used {
            keys: used.keys.iter().map(|key| key.as_ref().map(told)).collect(),
            among: used.among.iter().map(told).collect(),
            ..used
        }
    }
}

fn pod<'a>(lane: &LaneFacts, project: &ProjectFacts<'a>) -> Option<&'a str> {
    let service = project.project.service(lane.lane.services.first()?)?;
    Some(service.pod.as_ref()?.pod.as_str())
}

/// What a GPU of the node of a Pod is called.
fn on_node(key: &str, pod: &str) -> String {
    format!("{key} of {pod}")
}
