//! Sums of bytes by what they are for and where they are.

use std::collections::BTreeMap;

use crate::plan::engine::memory::{Device, Part, Use};

/// What is padded to `alignment` bytes.
pub(super) fn padded(bytes: u64, alignment: u64) -> u64 {
    bytes.checked_next_multiple_of(alignment).unwrap_or(u64::MAX)
}

/// How many bytes each tensor of a buffer begins behind a multiple of: CPU and CUDA (ggml
/// `TENSOR_ALIGNMENT`, `ggml_backend_cuda_buffer_type_get_alignment`).
pub(super) fn alignment(device: Device) -> u64 {
    match device {
        Device::Host => 32,
        Device::Gpu(_) | Device::Gpus => 128,
    }
}

/// Bytes on each device.
#[derive(Debug, Default)]
pub(super) struct Sums(BTreeMap<Device, u64>);

impl Sums {
    pub(super) fn add(&mut self, device: Device, bytes: u64) {
        let sum = self.0.entry(device).or_default();
        *sum = sum.saturating_add(bytes);
    }

    /// As parts that are exact.
    pub(super) fn parts(self, use_for: Use) -> impl Iterator<Item = Part> {
        let there = self.0.into_iter().filter(|(_, bytes)| *bytes > 0);
        there.map(move |(device, bytes)| Part::exact(use_for, device, bytes))
    }
}

/// What holds whichever of the ways is gone: for each part the least and the most.
pub(super) fn hull(ways: &[Vec<Part>]) -> Vec<Part> {
    let key = |part: &Part| (part.use_for, part.device, part.mapped);
    let mut keys: Vec<_> = ways.iter().flatten().map(key).collect();
    keys.sort_unstable();
    keys.dedup();
    let one = |wanted: (Use, Device, bool)| {
        let (use_for, device, mapped) = wanted;
        let none = Part { mapped, ..Part::exact(use_for, device, 0) };
        let found = ways
            .iter()
            .map(|way| way.iter().find(|part| key(part) == wanted).copied().unwrap_or(none));
        let found: Vec<Part> = found.collect();
        let low = found.iter().map(|part| part.low).min().unwrap_or_default();
        let high = found
            .iter()
            .map(|part| part.high)
            .try_fold(0, |most, high| Some(u64::max(most, high?)));
        let exact = found.iter().all(|part| part.exact) && high == Some(low);
        Part { use_for, device, low, high, exact, mapped }
    };
    keys.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hull_has_every_part_of_every_way() {
        let (host, gpu) = (Device::Host, Device::Gpu(0));
        let first = vec![Part::exact(Use::Weights, host, 7), Part::exact(Use::Cache, host, 2)];
        let second = vec![Part::exact(Use::Weights, gpu, 9), Part::exact(Use::Cache, host, 2)];
        let expected = vec![
            Part::between(Use::Weights, host, 0, Some(7)),
            Part::between(Use::Weights, gpu, 0, Some(9)),
            Part::exact(Use::Cache, host, 2),
        ];
        assert_eq!(hull(&[first, second]), expected);
        let open = vec![Part::between(Use::Draft, host, 3, None)];
        assert_eq!(hull(&[open.clone(), Vec::new()])[0].high, None);
        assert_eq!(hull(&[open.clone(), open])[0].low, 3);
    }
}
