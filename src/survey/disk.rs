//! One disk budget over all lanes, per file system, before the first byte.

use std::collections::BTreeMap;
use std::path::Path;

use crate::facts::{DiskFacts, LaneFacts};
use crate::hub::Errand;

/// Tells every lane what it needs, what all lanes of its file system need, and what there is.
/// A lane whose file system cannot be asked is told nothing.
pub(super) fn budget(planned: &mut [(&mut LaneFacts, Vec<Errand>)]) {
    let disks: Vec<Option<Disk>> = planned.iter().map(|(_, errands)| disk(errands)).collect();
    let mut totals: BTreeMap<u64, u64> = BTreeMap::new();
    for disk in disks.iter().flatten() {
        let total = totals.entry(disk.file_system).or_default();
        *total = total.saturating_add(disk.needed);
    }
    for ((facts, _), disk) in planned.iter_mut().zip(disks) {
        facts.disk = disk.map(|disk| DiskFacts {
            needed: disk.needed,
            needed_by_all: totals.get(&disk.file_system).copied().unwrap_or(disk.needed),
            available: disk.available,
        });
    }
}

struct Disk {
    file_system: u64,
    needed: u64,
    available: u64,
}

/// The file system below the files of a lane. A file that replaces another needs its whole size:
/// the old one stays until the new one is whole.
fn disk(errands: &[Errand]) -> Option<Disk> {
    let folder = errands.first()?.destination.ancestors().skip(1).find(|folder| folder.is_dir())?;
    let needed = errands.iter().fold(0u64, |sum, errand| sum.saturating_add(errand.file.size));
    let (file_system, available) = free(folder)?;
    Some(Disk { file_system, needed, available })
}

fn free(folder: &Path) -> Option<(u64, u64)> {
    let stat = rustix::fs::stat(folder).ok()?;
    let space = rustix::fs::statvfs(folder).ok()?;
    Some((stat.st_dev, space.f_bavail.saturating_mul(space.f_frsize)))
}
