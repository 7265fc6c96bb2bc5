//! What a process sees of the GPUs that its container has.

use super::{Gpu, Handed, HostGpus};

/// What a process is told about the GPUs that it may use.
#[derive(Debug, Clone, Copy, Default)]
pub struct VisibleBy<'a> {
    /// `CUDA_VISIBLE_DEVICES`, `HIP_VISIBLE_DEVICES`, `ROCR_VISIBLE_DEVICES`: those that are set.
    pub lists: [Option<&'a str>; 3],
    /// `CUDA_DEVICE_ORDER`.
    pub order: Option<&'a str>,
}

/// The GPUs that a process sees, in its own order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visible {
    /// What its container has.
    pub handed: Handed,
    /// How many it sees; absent: not known.
    pub count: Option<u64>,
    /// Those that it is told to use; absent: all that are handed in.
    chosen: Option<Vec<Chosen>>,
    /// Whether it numbers them in the order of the PCI bus.
    ordered: bool,
}

/// An entry of a list of GPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Chosen {
    Number(u64),
    Named(String),
}

impl Visible {
    /// What a process with these variables sees of what is `handed` to its container.
    pub(super) fn of(
        handed: Handed,
        by: &VisibleBy<'_>,
        host: HostGpus,
    ) -> Result<Self, &'static str> {
        let mut lists = by.lists.iter().flatten();
        let list = lists.next();
        if lists.any(|other| list != Some(other)) {
            return Err("several variables say which GPUs its process sees");
        }
        let handed_count = handed.count(host.count);
        let chosen = list.map(|list| chosen(list, handed_count)).transpose()?;
        let count = match &chosen {
            Some(chosen) => {
                let numbers = chosen.iter().all(|one| matches!(one, Chosen::Named(_)));
                let is_known = handed_count.is_some() || numbers || chosen.is_empty();
                u64::try_from(chosen.len()).ok().filter(|_| is_known)
            }
            None => handed_count,
        };
        let ordered = host.alike || by.order == Some("PCI_BUS_ID");
        Ok(Self { handed, count, chosen, ordered })
    }

    /// The most that it can be; absent: not known.
    #[must_use]
    pub fn most(&self) -> Option<u64> {
        let listed = self.chosen.as_ref().and_then(|chosen| u64::try_from(chosen.len()).ok());
        self.count.or(listed)
    }

    /// Those that a program takes which takes the first `number` from the one at `from` on, as far
    /// as they can be told.
    #[must_use]
    pub fn taken(&self, from: u64, number: u64) -> Vec<Gpu> {
        if from == 0 && self.chosen.is_none() && self.count == Some(number) {
            // All of them, whatever their order.
            if let Handed::These(gpus) = &self.handed {
                return gpus.clone();
            }
        }
        (from..from.saturating_add(number)).filter_map(|index| self.at(index)).collect()
    }

    fn at(&self, index: u64) -> Option<Gpu> {
        match &self.chosen {
            None => self.numbered(index),
            Some(chosen) => match chosen.get(usize::try_from(index).ok()?)? {
                Chosen::Number(number) => self.numbered(*number),
                Chosen::Named(name) => Some(Gpu::Named(name.clone())),
            },
        }
    }

    /// The one that a process numbers so which sees all of them.
    fn numbered(&self, number: u64) -> Option<Gpu> {
        match &self.handed {
            Handed::These(gpus) => {
                let gpu = gpus.get(usize::try_from(number).ok()?)?;
                let by_index = gpus.iter().all(|gpu| matches!(gpu, Gpu::Index(_)));
                if gpus.len() == 1 || (self.ordered && by_index) {
                    return Some(gpu.clone());
                }
            }
            Handed::All if self.ordered => return Some(Gpu::Index(number)),
            Handed::All => {}
        }
        Some(Gpu::Numbered { number, of: self.handed.clone() })
    }
}

/// The entries of a list. Those from the first on that is none count for nothing (CUDA C++
/// Programming Guide, "CUDA Environment Variables").
fn chosen(list: &str, handed: Option<u64>) -> Result<Vec<Chosen>, &'static str> {
    let mut chosen = Vec::new();
    let list = list.trim();
    for entry in list.split(',').map(str::trim).filter(|_| !list.is_empty()) {
        let one = match entry.parse::<i64>() {
            Ok(number) => match u64::try_from(number) {
                Ok(number) if handed.is_none_or(|handed| number < handed) => Chosen::Number(number),
                Ok(_) | Err(_) => break,
            },
            Err(_) if entry.starts_with("GPU-") || entry.starts_with("MIG-") => {
                Chosen::Named(entry.to_owned())
            }
            Err(_) => return Err("the list of the GPUs that its process sees cannot be read"),
        };
        if chosen.contains(&one) {
            return Err("the list of the GPUs that its process sees names one twice");
        }
        chosen.push(one);
    }
    Ok(chosen)
}
