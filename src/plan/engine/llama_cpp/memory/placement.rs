//! Which layer lies on which device (libllama 0.6.0: `src/llama-model.cpp` `load_tensors`).

use crate::plan::engine::llama_cpp::memory::settings::Placement;
use crate::plan::engine::memory::{Device, Devices, Tensor};

/// Tensors that are looked up by the host, wherever the layers are.
const INPUT: [&str; 5] =
    ["token_embd.", "position_embd.", "token_types.", "token_embd_norm.", "per_layer_token_embd."];

/// Tensors that every layer uses, so that each device that has layers gets a copy.
const OF_EVERY_LAYER: [&str; 3] = ["rope_freqs.", "rope_factors_long.", "rope_factors_short."];

/// The experts of a layer (common/common.h `LLM_FFN_EXPS_REGEX`).
const EXPERTS: [&str; 8] = [
    ".ffn_up_exps",
    ".ffn_down_exps",
    ".ffn_gate_exps",
    ".ffn_gate_up_exps",
    ".ffn_up_chexps",
    ".ffn_down_chexps",
    ".ffn_gate_chexps",
    ".ffn_gate_up_chexps",
];

/// Where the layers of a model are.
#[derive(Debug)]
pub(super) struct Places<'a> {
    placement: &'a Placement,
    devices: Devices,
    /// Those of the lane's devices that layers are put on, in the order in which they are filled; absent: not
    /// known.
    used: Option<Vec<u32>>,
    /// All of the file's layers, those that predict further tokens as well.
    all: u64,
}

impl<'a> Places<'a> {
    /// Where `all` layers are put.
    pub(super) fn of(placement: &'a Placement, devices: Devices, all: u64) -> Self {
        Self { placement, devices, used: used(placement, devices), all }
    }

    /// Whether there is a device.
    pub(super) fn has_devices(&self) -> bool {
        self.devices != Devices::Count(0)
    }

    /// Whether all layers, and what follows them, are on devices.
    pub(super) fn is_all_on_devices(&self) -> bool {
        self.has_devices() && self.on_devices() > self.all
    }

    /// The device that takes all that is not on the host, where it is one.
    pub(super) fn only_device(&self) -> Option<Device> {
        match self.output() {
            Device::Gpu(_) if self.used.as_ref().is_none_or(|used| used.len() != 1) => None,
            Device::Gpu(device) => Some(Device::Gpu(device)),
            Device::Host | Device::Gpus => None,
        }
    }

    fn on_devices(&self) -> u64 {
        self.placement.layers.unwrap_or(u64::MAX).min(self.all + 1)
    }

    /// Where a layer is; what follows the last one has its number plus one.
    pub(super) fn layer(&self, layer: u64) -> Device {
        let on_devices = self.on_devices();
        let first = (self.all + 1).saturating_sub(on_devices);
        if !self.has_devices() || layer < first {
            return Device::Host;
        }
        let used = match &self.used {
            Some(used) if !self.placement.is_special => used,
            Some(_) | None => return Device::Gpus,
        };
        if let [only] = used.as_slice() {
            return Device::Gpu(*only);
        }
        let given = &self.placement.shares;
        let shares: Vec<f32> =
            (0..used.len()).map(|at| given.get(at).copied().unwrap_or_default()).collect();
        let sum: f32 = shares.iter().sum();
        if sum <= 0.0 {
            return Device::Gpus;
        }
        let at = ratio(layer - first, on_devices);
        let mut passed = 0.0;
        let device = shares.iter().position(|share| {
            passed += share;
            passed / sum > at
        });
        device.and_then(|at| used.get(at)).map_or(Device::Gpus, |device| Device::Gpu(*device))
    }

    /// Where what follows the last layer is.
    pub(super) fn output(&self) -> Device {
        self.layer(self.all)
    }

    /// Where a tensor is; more than one where there are copies.
    pub(super) fn tensor(&self, tensor: &Tensor) -> Vec<Device> {
        let name = tensor.name.as_str();
        let mut patterns = self.placement.patterns.iter().filter(|_| self.has_devices());
        if let Some((_, device)) = patterns.find(|(pattern, _)| pattern.is_in(name)) {
            return vec![*device];
        }
        let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
        if begins(&INPUT) {
            return vec![Device::Host];
        }
        if begins(&OF_EVERY_LAYER) {
            let mut devices: Vec<Device> = (0..self.all).map(|layer| self.layer(layer)).collect();
            devices.sort_unstable();
            devices.dedup();
            return devices;
        }
        let Some(layer) = tensor.layer() else { return vec![self.output()] };
        let is_kept = layer < self.placement.experts_on_host
            && EXPERTS.iter().any(|expert| name.contains(expert));
        vec![if is_kept { Device::Host } else { self.layer(layer) }]
    }
}

/// The devices of which a model's layers may take some (`src/llama.cpp` `llama_prepare_model_devices`).
fn used(placement: &Placement, devices: Devices) -> Option<Vec<u32>> {
    let used = match (placement.devices.as_slice(), devices) {
        ([], Devices::Count(count)) => (0..count).collect(),
        ([], Devices::Some | Devices::Unknown) => return None,
        (named, Devices::Count(count)) if named.iter().any(|device| *device >= count) => {
            return None;
        }
        (named, _) => named.to_vec(),
    };
    if !placement.is_one {
        return Some(used);
    }
    let main = usize::try_from(placement.main).ok()?;
    used.get(main).map(|device| vec![*device])
}

/// A share as the engine computes it, in single precision.
#[expect(clippy::cast_precision_loss, reason = "layers are few")]
fn ratio(part: u64, of: u64) -> f32 {
    part as f32 / of as f32
}
