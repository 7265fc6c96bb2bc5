//! What a container is in its Pod, and when it runs there.

use super::Probes;
use crate::source_map::Spanned;

/// What a container is in its Pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InPod {
    /// The Pod that it is in.
    pub pod: String,
    /// What it is called there.
    pub container: String,
    /// When it runs.
    pub stage: Stage,
    /// Whether a controller may add to it what is not written.
    pub is_open: bool,
    /// The namespace in which it looks for bare names; absent: that is not known.
    pub looks_in: Option<String>,
    /// The `Service`s of which it is told by variables.
    pub told_of: Vec<Spanned<String>>,
    /// What such a Pod may be called, where `*` stands for anything and `#` for a number.
    pub names: Vec<String>,
    /// The same of the machine that its containers find themselves on; none: as its node is.
    pub hosts: Vec<String>,
    /// Whether no such Pod is started as it is written (`replicas: 0`).
    pub is_idle: bool,
    /// What the kubelet asks it.
    pub probes: Probes,
}

/// When a container of a Pod runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// Before the others, to its end.
    Init,
    /// Beside the others, from before them on.
    Sidecar,
    /// After all init containers have succeeded.
    #[default]
    Main,
}
