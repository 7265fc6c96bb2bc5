//! One disk budget over all lanes, per file system, before the first byte.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::bring::Task;
use crate::facts::DiskFacts;
use crate::hub::Errand;

/// Tells every lane what it needs, what all lanes of its file system need, and what there is. A file
/// that two lanes share is needed once.
/// A lane whose file system cannot be asked is told nothing.
pub(super) fn budget(tasks: &mut [Task<'_>]) {
    let disks: Vec<Option<Disk>> = tasks.iter().map(|task| disk(&task.errands)).collect();
    let mut totals: BTreeMap<u64, u64> = BTreeMap::new();
    let mut counted: BTreeSet<&Path> = BTreeSet::new();
    for (task, disk) in tasks.iter().zip(&disks) {
        let Some(disk) = disk else { continue };
        let total = totals.entry(disk.file_system).or_default();
        for errand in task.errands.iter().filter(|errand| counted.insert(&errand.destination)) {
            *total = total.saturating_add(errand.file.size);
        }
    }
    for (task, disk) in tasks.iter_mut().zip(disks) {
        task.facts.disk = disk.map(|disk| DiskFacts {
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::facts::LaneFacts;
    use crate::hub::{ObjectId, RemoteFile};
    use crate::lanes::Lane;
    use crate::options::Role;

    /// What each lane needs and what all of them need, of lanes that bring `(file, size)`.
    fn check(folder: &Path, lanes: &[&[(&str, u64)]], expected: &[Option<(u64, u64)>]) {
        let errand = |(name, size): &(&str, u64)| {
            let oid = ObjectId::GitBlob(String::new());
            let file = RemoteFile { path: (*name).to_owned(), size: *size, oid };
            Errand::plain(file, folder.join(name))
        };
        let mut facts: Vec<_> =
            lanes.iter().map(|_| LaneFacts::of(Lane::named("x"), Role::Hand)).collect();
        let errands = lanes.iter().map(|files| files.iter().map(errand).collect());
        let tasks = facts.iter_mut().zip(errands);
        budget(&mut tasks.map(|(facts, errands)| Task::of(facts, errands)).collect::<Vec<_>>());
        let told = facts.iter().map(|facts| {
            let disk = facts.disk.as_ref()?;
            assert!(disk.available > 0);
            Some((disk.needed, disk.needed_by_all))
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
    fn sizes_that_no_disk_has_do_not_overflow() {
        let root = tempfile::tempdir().unwrap();
        let lane: &[_] = &[("a", u64::MAX), ("b", u64::MAX)];
        check(root.path(), &[lane], &[Some((u64::MAX, u64::MAX))]);
    }

    #[test]
    fn a_folder_that_cannot_be_asked_says_nothing() {
        check(&PathBuf::from("relative/nowhere"), &[&[("a", 1)]], &[None]);
    }
}
