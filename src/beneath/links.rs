//! Where the links in a path lead, one after the other.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::LinkInTheWay;
use crate::path::{MOST_LINKS, names};

/// What a path is called when its links have been followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Followed {
    /// Relative to the root.
    pub(super) inside: PathBuf,
    /// The last folder to which a link of somebody else's has led; absent: none has.
    pub(super) led: Option<Led>,
}

/// A folder to which a link has led that is neither root's nor this process's user's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Led {
    /// Relative to the root, without links.
    pub(super) below: PathBuf,
    /// Whose the link is, and the folder has to be, whenever it is opened.
    pub(super) owner: u32,
}

/// What `below` is called below `root`, which is no link, when its links have been followed; what is
/// not there keeps its name.
pub(super) fn follow(root: &Path, below: &Path) -> Result<Followed, LinkInTheWay> {
    let mut walk = Walk { at: root.to_path_buf(), left: names(below), open: Vec::new(), led: None };
    let mut last = None;
    for _ in 0..=MOST_LINKS {
        let Some(link) = walk.next_link()? else { break };
        last = Some(link);
    }
    let Walk { at, left, led, .. } = walk;
    let inside = |path: &Path| path.strip_prefix(root).ok().map(Path::to_path_buf);
    let led = led.and_then(|led| Some(Led { below: inside(&led.below)?, ..led }));
    match (inside(&at), left.is_empty(), last) {
        (Some(inside), true, _) => Ok(Followed { inside, led }),
        (_, _, Some(link)) => Err(link),
        // Without a link nothing leads out, and no name is left over.
        (inside, _, None) => Ok(Followed { inside: inside.unwrap_or(below.to_path_buf()), led }),
    }
}

struct Walk {
    at: PathBuf,
    left: VecDeque<OsString>,
    /// The links whose target is not reached yet, the innermost last.
    open: Vec<Open>,
    led: Option<Led>,
}

struct Open {
    link: LinkInTheWay,
    /// Absent: root's, or this process's user's.
    stranger: Option<u32>,
    /// How many names are left where its target is reached.
    left: usize,
}

impl Walk {
    /// Goes on to the next link, and on to the first name of what it leads to; absent: there is none.
    fn next_link(&mut self) -> Result<Option<LinkInTheWay>, LinkInTheWay> {
        loop {
            self.close()?;
            let Some(name) = self.left.pop_front() else { return Ok(None) };
            if name == ".." {
                self.at.pop();
                continue;
            }
            let next = self.at.join(&name);
            let metadata = fs_err::symlink_metadata(&next).ok();
            match metadata.filter(Metadata::is_symlink) {
                Some(metadata) => return Ok(Some(self.enter(next, metadata.uid()))),
                None => self.at = next,
            }
        }
    }

    fn enter(&mut self, path: PathBuf, owner: u32) -> LinkInTheWay {
        let target = fs_err::read_link(&path).unwrap_or_default();
        let link = LinkInTheWay { path, target };
        let own = rustix::process::geteuid().as_raw();
        let stranger = (owner != 0 && owner != own).then_some(owner);
        self.open.push(Open { link: link.clone(), stranger, left: self.left.len() });
        if link.target.is_absolute() {
            self.at = PathBuf::from("/");
        }
        let mut names = names(&link.target);
        names.append(&mut self.left);
        self.left = names;
        link
    }

    /// A link of root's or of this process's user is as good as its target, one of anybody else's leads
    /// only to what is his already. That is looked at where it has led: what has its name may be another
    /// link by now.
    fn close(&mut self) -> Result<(), LinkInTheWay> {
        while let Some(open) = self.open.pop_if(|it| self.left.len() <= it.left) {
            let Ok(led_to) = fs_err::symlink_metadata(&self.at) else { return Err(open.link) };
            let Some(owner) = open.stranger else { continue };
            if led_to.uid() != owner {
                return Err(open.link);
            }
            self.led = Some(Led { below: self.at.clone(), owner });
        }
        Ok(())
    }
}
