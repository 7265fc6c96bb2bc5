//! One disk budget over all lanes, per file system, before the first byte.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::bring::LaneDownloads;
use crate::facts::DiskFacts;
use crate::facts::hub::{Download, Hub};

/// Tells every lane what it needs, what all lanes of its file system need, and what there is; of a
/// lane with files on several, the fullest. A file that two lanes share is needed once.
/// A lane whose file system cannot be asked is told nothing.
pub(super) fn budget(lanes: &mut [LaneDownloads<'_>]) {
    let uses: Vec<Vec<DiskUse<'_>>> = lanes.iter().map(uses).collect();
    let mut totals: BTreeMap<u64, u64> = BTreeMap::new();
    let mut counted: BTreeSet<&Path> = BTreeSet::new();
    for used in uses.iter().flatten() {
        if counted.insert(used.download.destination.path()) {
            let total = totals.entry(used.disk.file_system).or_default();
            *total = total.saturating_add(used.room);
        }
    }
    let told: Vec<Option<DiskFacts>> = uses.iter().map(|uses| fullest(uses, &totals)).collect();
    for (lane, disk) in lanes.iter_mut().zip(told) {
        lane.facts.source.disk = disk;
    }
}

/// Of the file systems of a lane, the one that has the least room to spare.
fn fullest(uses: &[DiskUse<'_>], totals: &BTreeMap<u64, u64>) -> Option<DiskFacts> {
    let mut needed: BTreeMap<u64, (u64, &Disk)> = BTreeMap::new();
    for used in uses {
        let (sum, _) = needed.entry(used.disk.file_system).or_insert((0, &used.disk));
        *sum = sum.saturating_add(used.room);
    }
    let disks = needed.into_iter().map(|(file_system, (needed, disk))| DiskFacts {
        needed,
        needed_by_all: totals.get(&file_system).copied().unwrap_or(needed),
        available: disk.available,
    });
    disks.min_by_key(|disk| i128::from(disk.available) - i128::from(disk.needed_by_all))
}

/// A file that is brought, and what it is written to.
struct DiskUse<'a> {
    download: &'a Download,
    disk: Disk,
    /// Bytes that it still takes there.
    room: u64,
}

#[derive(Clone, Copy)]
struct Disk {
    file_system: u64,
    /// The bytes in which it gives space away.
    block: u64,
    available: u64,
}

/// The files of a lane whose file systems can be asked.
fn uses<'a>(lane: &'a LaneDownloads<'_>) -> Vec<DiskUse<'a>> {
    let mut known: BTreeMap<&Path, Option<Disk>> = BTreeMap::new();
    let uses = lane.downloads().filter_map(|download| {
        let folder =
            download.destination.path().ancestors().skip(1).find(|folder| folder.is_dir())?;
        let disk = (*known.entry(folder).or_insert_with(|| disk(folder)))?;
        Some(DiskUse { download, disk, room: room(download, disk.block) })
    });
    uses.collect()
}

fn disk(folder: &Path) -> Option<Disk> {
    let stat = rustix::fs::stat(folder).ok()?;
    let space = rustix::fs::statvfs(folder).ok()?;
    let block = space.f_frsize.max(1);
    let available = space.f_bavail.saturating_mul(block);
    Some(Disk { file_system: stat.st_dev, block, available })
}

/// What a file still takes: whole blocks, less what an earlier run holds for it. One that replaces
/// another takes its whole size: the old one stays until the new one is whole.
fn room(download: &Download, block: u64) -> u64 {
    let whole = download.file.size.div_ceil(block).saturating_mul(block);
    whole.saturating_sub(Hub::held(download).div_ceil(block).saturating_mul(block))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::beneath::Beneath;
    use crate::facts::LaneFacts;
    use crate::facts::hub::{ObjectId, RemoteFile};
    use crate::options::Role;
    use crate::plan::lanes::Lane;

    /// What each lane needs and what all of them need, in blocks, of lanes that bring
    /// `(file, blocks)`.
    fn check(folder: &Path, lanes: &[&[(&str, u64)]], expected: &[Option<(u64, u64)>]) {
        let block = rustix::fs::statvfs(folder).map_or(1, |space| space.f_frsize);
        let download = |(name, blocks): &(&str, u64)| {
            let oid = ObjectId::GitBlob(String::new());
            // A byte into the last block.
            let size = blocks.saturating_mul(block).saturating_sub(block - 1);
            let file = RemoteFile { path: (*name).to_owned(), size, oid };
            Download::plain(file, Beneath::root(folder).join(name))
        };
        let mut facts: Vec<_> =
            lanes.iter().map(|_| LaneFacts::of(Lane::named("x"), Role::Hand)).collect();
        let downloads = lanes.iter().map(|files| files.iter().map(download).collect());
        let lanes = facts.iter_mut().zip(downloads);
        budget(
            &mut lanes
                .map(|(facts, downloads)| LaneDownloads::of(facts, downloads))
                .collect::<Vec<_>>(),
        );
        let told = facts.iter().map(|facts| {
            let disk = facts.source.disk.as_ref()?;
            assert!(disk.available > 0);
            Some((disk.needed / block, disk.needed_by_all / block))
        });
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn lanes_of_one_file_system_are_added_up_and_a_shared_file_counts_once() {
        let root = tempfile::tempdir().unwrap();
        let one: &[_] = &[("a", 1), ("new/folder/b", 2)];
        let two: &[_] = &[("a", 1), ("c", 4)];
        check(root.path(), &[one, two, &[]], &[Some((3, 7)), Some((5, 7)), None]);
    }

    #[test]
    fn what_an_earlier_run_holds_is_not_needed_again() {
        let root = tempfile::tempdir().unwrap();
        let block = rustix::fs::statvfs(root.path()).unwrap().f_frsize;
        let oid = ObjectId::GitBlob("0".repeat(40));
        let file = RemoteFile { path: "a".to_owned(), size: 3 * block, oid };
        let download = Download::plain(file, Beneath::root(root.path()).join("a"));
        assert_eq!(room(&download, block), 3 * block);
        let held = vec![7; usize::try_from(2 * block).unwrap()];
        fs_err::write(root.path().join(".a.00000000.incomplete"), held).unwrap();
        assert_eq!(room(&download, block), block);
    }

    #[test]
    fn sizes_that_no_disk_has_do_not_overflow() {
        let root = tempfile::tempdir().unwrap();
        let lane: &[_] = &[("a", u64::MAX), ("b", u64::MAX)];
        let block = rustix::fs::statvfs(root.path()).unwrap().f_frsize;
        let most = u64::MAX / block;
        check(root.path(), &[lane], &[Some((most, most))]);
    }

    #[test]
    fn a_folder_that_cannot_be_asked_says_nothing() {
        check(&PathBuf::from("relative/nowhere"), &[&[("a", 1)]], &[None]);
    }
}
