//! The folder that a models mount shows, and whether anything may be written there.

use std::path::Path;
use std::time::SystemTime;

use rustix::fs::Access;
use rustix::io::Errno;

use crate::facts::{RootFacts, Writable};
use crate::look::{FileKind, Look, Stat};
use crate::plan::lanes::Artifact;
use crate::project::mounts::Sight;
use crate::project::view::View as _;
use crate::project::view::local::LocalView;

/// Looks at the root of the mount that an artifact is below. `born` is given in a container: a
/// folder that is empty, owned by root and no older was made by Docker for this run.
pub(super) fn look(artifact: &Artifact, born: Option<SystemTime>) -> Option<RootFacts> {
    let Sight::Visible { path, root, read_only, .. } = &artifact.located.value.sight else {
        return None;
    };
    let stat = LocalView.stat(root.as_path());
    let empty = match stat.seen() {
        Some(Stat { kind: FileKind::Directory, .. }) => {
            LocalView.list(root.as_path()).map(|names| names.is_empty())
        }
        Some(_) | None => Look::Seen(false),
    };
    let fabricated = born.is_some_and(|born| {
        empty == Look::Seen(true) && stat.seen().is_some_and(|stat| fresh_of_root(stat, born))
    });
    let writable = if *read_only {
        Look::Seen(Writable::MountReadOnly)
    } else {
        writable(path.as_path(), root.as_path())
    };
    Some(RootFacts { stat, empty, fabricated, writable })
}

fn fresh_of_root(stat: &Stat, born: SystemTime) -> bool {
    stat.owner.is_some_and(|owner| owner.uid == 0)
        && stat.created.or(stat.modified).is_some_and(|made| made >= born)
}

/// Whether this process may make a file at `path`: asked of the deepest folder that exists.
fn writable(path: &Path, root: &Path) -> Look<Writable> {
    let folders = path.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
    let existing = folders.map(Path::to_path_buf).find(|folder| folder.is_dir());
    let Some(folder) = existing.or_else(|| path.is_dir().then(|| path.to_path_buf())) else {
        return Look::Absent;
    };
    match rustix::fs::access(&folder, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Look::Seen(Writable::Yes),
        Err(Errno::ROFS) => Look::Seen(Writable::DiskReadOnly),
        Err(Errno::ACCESS | Errno::PERM) => Look::Seen(Writable::NotAllowed),
        Err(error) => Look::Unknown(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::look::Owner;

    fn folder(uid: u32, age: u64) -> Stat {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        Stat {
            kind: FileKind::Directory,
            size: 0,
            allocated: None,
            mode: 0o755,
            owner: Some(Owner { uid, gid: uid }),
            modified: Some(now - Duration::from_secs(age)),
            created: None,
        }
    }

    #[test]
    fn only_a_young_folder_of_root_was_made_by_docker() {
        let born = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - 10);
        assert!(fresh_of_root(&folder(0, 5), born));
        assert!(!fresh_of_root(&folder(0, 3600), born));
        assert!(!fresh_of_root(&folder(1000, 5), born));
    }

    #[test]
    fn the_deepest_folder_that_exists_is_asked() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("vllm/coder/bf16/config.json");
        assert_eq!(writable(&path, root.path()), Look::Seen(Writable::Yes));
        assert_eq!(writable(Path::new("/nowhere/x"), Path::new("/nowhere")), Look::Absent);
    }
}
