//! How much memory this process and what takes its place can have, as the document of a project says it of
//! a service. Blocking.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::limits::LONGEST_OF_KERNEL;
use crate::path::clean;
use crate::regular_file;

/// Where the kernel shows the groups that limit processes.
const GROUPS: &str = "/sys/fs/cgroup";

/// What the first version of them says where there is no limit: more than any machine has.
const ENDLESS: u64 = 1 << 62;

/// The memory of a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Limit {
    /// Bytes; absent: as much as there is.
    memory: Option<u64>,
    /// Bytes of memory and swap together; absent: as much as there is.
    both: Option<u64>,
}

/// The document of a project whose only service is this process.
pub(super) fn document(service: &str) -> Value {
    let mut said = Map::new();
    let limit = Limit::of(Path::new(GROUPS), &text("/proc/self/cgroup"));
    if let Some(bytes) = limit.memory {
        said.insert("mem_limit".to_owned(), bytes.into());
        let both = limit.both.map_or_else(|| Value::from(-1), Value::from);
        said.insert("memswap_limit".to_owned(), both);
    }
    if may_lock(&text("/proc/self/limits")) {
        let lock = Map::from_iter([("memlock".to_owned(), Value::from(-1))]);
        said.insert("ulimits".to_owned(), lock.into());
    }
    if let Ok(shared) = rustix::fs::statvfs("/dev/shm") {
        let bytes = shared.f_blocks.saturating_mul(shared.f_frsize);
        said.insert("shm_size".to_owned(), bytes.into());
    }
    let services = Map::from_iter([(service.to_owned(), said.into())]);
    Map::from_iter([("services".to_owned(), services.into())]).into()
}

fn text(path: impl AsRef<Path>) -> String {
    regular_file::text(path.as_ref(), LONGEST_OF_KERNEL).unwrap_or_default()
}

/// Whether a process may lock as much as it likes of what it maps.
fn may_lock(limits: &str) -> bool {
    let said = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"));
    said.is_some_and(|said| said.split_whitespace().next() == Some("unlimited"))
}

impl Limit {
    /// Of the group that `/proc/self/cgroup` names, and of all that it is in (cgroups(7)).
    fn of(groups: &Path, named: &str) -> Self {
        let mut limit = Self::default();
        for line in named.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(kinds), Some(path)) = (fields.next(), fields.next()) else { continue };
            let below = |root: PathBuf| {
                let folder = clean(&root.join(path.trim_start_matches('/')));
                let folders: Vec<PathBuf> = folder.ancestors().map(Path::to_path_buf).collect();
                folders.into_iter().filter(move |folder| folder.starts_with(&root))
            };
            if kinds.is_empty() {
                below(groups.to_path_buf()).for_each(|folder| limit.narrow(Self::second(&folder)));
            } else if kinds.split(',').any(|kind| kind == "memory") {
                below(groups.join("memory")).for_each(|folder| limit.narrow(Self::first(&folder)));
            }
        }
        limit
    }

    fn narrow(&mut self, other: Self) {
        let least = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
        self.memory = least(self.memory, other.memory);
        self.both = least(self.both, other.both);
    }

    /// Of a group of the first version.
    fn first(folder: &Path) -> Self {
        let number = |name: &str| {
            let said = text(folder.join(name)).trim().parse().ok();
            said.filter(|bytes| *bytes < ENDLESS)
        };
        Self {
            memory: number("memory.limit_in_bytes"),
            both: number("memory.memsw.limit_in_bytes"),
        }
    }

    /// Of a group of the second version, which says `max` where there is no limit, and of swap alone.
    fn second(folder: &Path) -> Self {
        let number = |name: &str| text(folder.join(name)).trim().parse::<u64>().ok();
        let (memory, swap) = (number("memory.max"), number("memory.swap.max"));
        Self { memory, both: memory.zip(swap).map(|(memory, swap)| memory.saturating_add(swap)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{MemoryLimit, SharedMemory};

    fn limit(files: &[(&str, &str)], named: &str) -> Limit {
        let groups = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = groups.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, format!("{content}\n")).unwrap();
        }
        Limit::of(groups.path(), named)
    }

    #[test]
    fn the_least_of_all_groups_that_a_process_is_in_counts() {
        let files = [
            ("a/memory.max", "300"),
            ("a/b/memory.max", "max"),
            ("a/b/memory.swap.max", "max"),
            ("a/b/c/memory.max", "500"),
            ("a/b/c/memory.swap.max", "100"),
        ];
        let of = |memory, both| Limit { memory, both };
        assert_eq!(limit(&files, "0::/a/b/c\n"), of(Some(300), Some(600)));
        assert_eq!(limit(&files, "0::/a/b\n"), of(Some(300), None));
        assert_eq!(limit(&files, "0::/\n"), Limit::default());
        let files = [
            ("memory/memory.limit_in_bytes", "400"),
            ("memory/memory.memsw.limit_in_bytes", "9223372036854771712"),
            ("memory.max", "1"),
        ];
        // What a container has of its own is at the root, whatever it is called outside.
        let named = "5:cpu,cpuacct:/x\n4:memory:/docker/1f\n";
        assert_eq!(limit(&files, named), of(Some(400), None));
        assert_eq!(limit(&files, "nothing\n"), Limit::default());
    }

    #[test]
    fn the_kernel_says_who_may_lock() {
        let line = |soft| format!("Max locked memory         {soft}            8388608    bytes\n");
        assert!(may_lock(&line("unlimited")));
        assert!(!may_lock(&line("8388608")));
        assert!(!may_lock(""));
    }

    #[test]
    fn a_document_is_read_as_one_of_a_file() {
        let document = document("vllm");
        assert_ne!(SharedMemory::of_document(&document, "vllm"), SharedMemory::Unknown);
        let own = Limit::of(Path::new(GROUPS), &text("/proc/self/cgroup"));
        assert_eq!(MemoryLimit::of_document(&document, "vllm").bytes, own.memory);
    }
}
