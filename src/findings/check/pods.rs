//! What is true of Pods alone: who runs before whom, what is in a volume that is new with every Pod, what
//! the kubelet asks.

pub mod gate;
pub mod links;
pub mod probe_paths;
pub mod probes;
pub mod room;
pub mod shared;
pub mod texts;
