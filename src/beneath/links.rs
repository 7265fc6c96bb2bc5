//! Where the links in a path lead, one after the other.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::LinkInTheWay;
use crate::path::{MOST_LINKS, names};

/// What `below` is called below `root`, which is no link, when its links have been followed; what is
/// not there keeps its name.
pub(super) fn follow(root: &Path, below: &Path) -> Result<PathBuf, LinkInTheWay> {
    let mut left = names(below);
    let mut at = root.to_path_buf();
    let mut last = None;
    for _ in 0..=MOST_LINKS {
        let Some(link) = next_link(&mut at, &mut left) else { break };
        let link = link?;
        if link.target.is_absolute() {
            at = PathBuf::from("/");
        }
        let mut names = names(&link.target);
        names.append(&mut left);
        left = names;
        last = Some(link);
    }
    match (at.strip_prefix(root), left.is_empty(), last) {
        (Ok(inside), true, _) => Ok(inside.to_path_buf()),
        (_, _, Some(link)) => Err(link),
        // Without a link nothing leads out, and no name is left over.
        (inside, _, None) => Ok(inside.unwrap_or(below).to_path_buf()),
    }
}

/// Goes on to the next link that may be followed; absent: there is none.
fn next_link(
    at: &mut PathBuf,
    left: &mut VecDeque<OsString>,
) -> Option<Result<LinkInTheWay, LinkInTheWay>> {
    while let Some(name) = left.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let metadata = fs_err::symlink_metadata(&next).ok();
        let Some(metadata) = metadata.filter(Metadata::is_symlink) else {
            *at = next;
            continue;
        };
        let target = fs_err::read_link(&next).unwrap_or_default();
        let link = LinkInTheWay { path: next, target };
        return Some(if is_trusted(&link, &metadata) { Ok(link) } else { Err(link) });
    }
    None
}

/// A link of root's or of this process's user is as good as its target; one of anybody else's leads
/// only to what is his already.
fn is_trusted(link: &LinkInTheWay, metadata: &Metadata) -> bool {
    let own = rustix::process::geteuid().as_raw();
    let owner = metadata.uid();
    let Ok(led_to) = fs_err::metadata(&link.path) else { return false };
    owner == 0 || owner == own || owner == led_to.uid()
}
