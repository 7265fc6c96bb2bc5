//! The cards of the host, and which of them somebody's name for a GPU means.

mod names;

use std::path::Path;

use crate::cards::Cards;
use crate::facts::memory::{HostDevice, SizeSource};
use crate::project::Hardware;
use crate::project::gpus::{Gpu, HostGpus, number_in_pod};
use crate::regular_file;

/// More than a file of a driver takes that says one thing.
const LONGEST: u64 = 64 << 10;

/// More cards than any host has.
const MOST: usize = 64;

/// What AMD's driver says of memory that nobody has made for the card, but that is the host's.
const NO_VENDOR: [&str; 2] = ["", "unknown"];

/// The cards of the host, as far as anything tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct HostCards {
    /// What somebody declares; nothing else counts where there is something.
    declared: Vec<HostCard>,
    /// Whether that is by index.
    is_listed: bool,
    /// Those of NVIDIA, in the order of the bus.
    nvidia: Vec<HostCard>,
    /// Those of AMD, in the order of their device files.
    amd: Vec<HostCard>,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct HostCard {
    key: String,
    name: Option<String>,
    /// Bytes; absent: not known.
    memory: Option<u64>,
    reserved: u64,
    /// What else it is called: its UUID, its device file.
    also: Option<String>,
}

impl HostCards {
    /// What somebody declares, else what the drivers say below `root`, which is that of the host's
    /// files; absent: they are not to be seen.
    pub(super) fn gather(declared: Option<&Cards>, root: Option<&Path>) -> Self {
        if let Some(cards) = declared {
            let each = cards.by_key().into_iter().map(|(key, card)| HostCard {
                key,
                name: card.name.clone(),
                memory: Some(card.memory),
                reserved: card.reserved,
                also: None,
            });
            let is_listed = matches!(cards, Cards::Listed(_));
            let seen = root.map(of_nvidia).unwrap_or_default();
            return Self {
                declared: also(each.collect(), is_listed, &seen),
                is_listed,
                ..Self::default()
            };
        }
        let Some(root) = root else { return Self::default() };
        Self { nvidia: of_nvidia(root), amd: of_amd(root), ..Self::default() }
    }

    /// Those whose memory is known, with nobody on them.
    pub(super) fn devices(&self) -> Vec<HostDevice> {
        let all = [
            (&self.declared, SizeSource::Declared),
            (&self.nvidia, SizeSource::Name),
            (&self.amd, SizeSource::Sysfs),
        ];
        let each = all.into_iter().flat_map(|(cards, source)| {
            cards.iter().filter_map(move |card| {
                Some(HostDevice {
                    key: card.key.clone(),
                    name: card.name.clone(),
                    memory: card.memory?,
                    reserved: card.reserved,
                    source,
                    lanes: Vec::new(),
                })
            })
        });
        each.collect()
    }

    /// What a service is told of them that asks for `hardware`, where `known` is what is known without
    /// them.
    pub(super) fn seen_by(&self, hardware: &Hardware, known: HostGpus) -> HostGpus {
        let cards = self.of(hardware);
        let is_counted = !self.declared.is_empty() || known.count.is_some();
        if cards.is_empty() || (is_counted && !is_of_files(hardware)) {
            return known;
        }
        HostGpus { count: u64::try_from(cards.len()).ok(), alike: are_alike(cards) }
    }

    /// The key of the card that is meant; absent: that cannot be told.
    pub(super) fn key(&self, gpu: &Gpu, hardware: &Hardware) -> Option<&str> {
        let cards = self.of(hardware);
        let card = match gpu {
            Gpu::Index(index) if self.is_listed || self.declared.is_empty() => {
                cards.get(usize::try_from(*index).ok()?)?
            }
            Gpu::Index(index) => {
                let is_it = |card: &&HostCard| card.also.as_deref() == Some(&*index.to_string());
                let found = cards.iter().find(is_it);
                found.or_else(|| cards.first().filter(|_| cards.len() == 1))?
            }
            Gpu::Named(name) => {
                if let Some(number) = number_in_pod(name) {
                    // Where they are alike, it does not matter which of them its node gives.
                    return Some(&cards.get(number).filter(|_| are_alike(cards))?.key);
                }
                let is_it = |card: &&HostCard| {
                    // A UUID may be cut short.
                    card.key.starts_with(name)
                        || card.also.as_ref().is_some_and(|also| also.starts_with(name))
                };
                let mut found = cards.iter().filter(is_it);
                found.next().filter(|_| found.next().is_none())?
            }
            Gpu::Numbered { .. } => return None,
        };
        Some(&card.key)
    }

    /// The keys of all that a service can mean.
    pub(super) fn keys(&self, hardware: &Hardware) -> impl Iterator<Item = &str> {
        self.of(hardware).iter().map(|card| card.key.as_str())
    }

    fn of(&self, hardware: &Hardware) -> &[HostCard] {
        match () {
            () if !self.declared.is_empty() => &self.declared,
            () if is_of_files(hardware) => &self.amd,
            () => &self.nvidia,
        }
    }
}

/// Whether it does not matter which of them one is given, as far as is known.
fn are_alike(cards: &[HostCard]) -> bool {
    cards.windows(2).all(|pair| pair[0].memory == pair[1].memory && pair[0].name == pair[1].name)
}

/// Cards that somebody declares with what the driver calls them beside that: their UUIDs, or their indices
/// where they are declared by UUID. Nothing is taken from it unless it is about these cards.
fn also(declared: Vec<HostCard>, is_listed: bool, seen: &[HostCard]) -> Vec<HostCard> {
    let is_same = declared.len() == seen.len();
    let each = declared.into_iter().enumerate().map(|(index, card)| {
        let also = if is_listed {
            seen.get(index).filter(|_| is_same).and_then(|seen| seen.also.clone())
        } else {
            let is_it = |seen: &&HostCard| seen.also.as_deref() == Some(&*card.key);
            seen.iter().find(is_it).map(|seen| seen.key.clone())
        };
        HostCard { also, ..card }
    });
    each.collect()
}

/// Whether GPUs are handed in as files, as those of AMD are.
fn is_of_files(hardware: &Hardware) -> bool {
    hardware.device_files().any(|file| file.starts_with("/dev/dri") || file == "/dev/kfd")
}

/// What NVIDIA's driver says of its cards (`/proc/driver/nvidia/gpus/BUS/information`): everything but
/// how much memory they have.
fn of_nvidia(root: &Path) -> Vec<HostCard> {
    let folder = root.join("proc/driver/nvidia/gpus");
    let texts = names_in(&folder).into_iter().filter_map(|name| {
        regular_file::text(&folder.join(name).join("information"), LONGEST).ok()
    });
    let cards = texts.enumerate().map(|(index, text)| {
        let said = |wanted: &str| {
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            let mut values = lines.filter(|(key, _)| key.trim() == wanted);
            values.next().map(|(_, value)| value.trim().to_owned())
        };
        let name = said("Model");
        let memory = name.as_deref().and_then(names::memory);
        HostCard { key: index.to_string(), name, memory, reserved: 0, also: said("GPU UUID") }
    });
    cards.collect()
}

/// What AMD's driver says of its cards (Linux, `Documentation/gpu/amdgpu/driver-misc.rst`).
fn of_amd(root: &Path) -> Vec<HostCard> {
    let folder = root.join("sys/class/drm");
    let nodes = names_in(&folder).into_iter().filter(|name| name.starts_with("renderD"));
    let cards = nodes.filter_map(|node| {
        let device = folder.join(&node).join("device");
        let said = |name: &str| {
            let text = regular_file::text(&device.join(name), LONGEST).ok()?;
            Some(text.trim().to_owned())
        };
        let number = |name: &str| said(name)?.parse::<u64>().ok();
        let own = number("mem_info_vram_total")?;
        let vendor = said("mem_info_vram_vendor").unwrap_or_default();
        // Beside its own, a GPU in a processor takes what is the host's.
        let is_apart = !NO_VENDOR.contains(&vendor.as_str());
        let shared = if is_apart { 0 } else { number("mem_info_gtt_total")? };
        Some(HostCard {
            also: Some(format!("/dev/dri/{node}")),
            key: node,
            name: said("product_name").filter(|name| !name.is_empty()),
            memory: Some(own.saturating_add(shared)),
            reserved: 0,
        })
    });
    cards.collect()
}

/// The names in a folder, in order; none where it cannot be read.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).take(MOST * 4).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests;
