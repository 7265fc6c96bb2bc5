//! The user's own files stay beside what replaces them, as `NAME.before-COMMIT`.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::beneath::{Beneath, Use};
use crate::facts::OwnFile;
use crate::facts::hub::HubError;
use crate::limits::LONGEST_NAME;
use crate::path::clean;

/// Files that are about to be replaced.
#[derive(Debug, Default)]
pub(super) struct Replacement {
    files: Vec<Replaced>,
}

#[derive(Debug)]
struct Replaced {
    /// In the repository.
    name: String,
    file: Kept,
    /// Device and inode of what it holds.
    identity: (u64, u64),
    /// Its second name; absent: it is not to be kept.
    beside: Option<Beneath>,
}

/// A file of the user's own.
#[derive(Debug)]
struct Kept {
    /// Below which a link of a cache leads to its content.
    ground: Beneath,
    file: Beneath,
}

impl Replacement {
    /// Gives each of `own`, which are below `ground`, a second name before files of `commit` take the
    /// first one. What was done is undone where one cannot be kept. Blocking.
    ///
    /// # Errors
    /// [`HubError::NotWritable`]
    pub(super) fn prepare(
        own: &[OwnFile],
        ground: &Beneath,
        commit: &str,
        keep: bool,
    ) -> Result<Self, HubError> {
        let mut replacement = Self::default();
        for own in own {
            match Replaced::prepare(own, ground, commit, keep) {
                Ok(file) => replacement.files.push(file),
                Err(error) => {
                    drop(replacement.finish());
                    let (path, reason) = (own.path.clone(), error.to_string());
                    return Err(HubError::NotWritable { path, reason });
                }
            }
        }
        Ok(replacement)
    }

    /// The files that have been replaced. Second names of the others go. Blocking.
    pub(super) fn finish(self) -> Vec<OwnFile> {
        self.files.into_iter().filter_map(Replaced::finish).collect()
    }
}

impl Replaced {
    fn prepare(own: &OwnFile, ground: &Beneath, commit: &str, keep: bool) -> io::Result<Self> {
        let file = Kept::find(ground, &own.path)?;
        let identity = file.content().identity()?;
        let beside = keep.then(|| file.keep_beside(commit)).transpose()?;
        Ok(Self { name: own.name.clone(), file, identity, beside })
    }

    fn finish(self) -> Option<OwnFile> {
        let Self { name, file, identity, beside } = self;
        if file.content().identity().is_ok_and(|now| now == identity) {
            // It is still there, and needs no second name.
            if let Some(beside) = beside {
                drop(beside.remove());
            }
            return None;
        }
        let path = |it: &Beneath| it.path().to_path_buf();
        Some(OwnFile { name, path: path(&file.file), beside: beside.as_ref().map(path) })
    }
}

impl Kept {
    fn find(ground: &Beneath, path: &Path) -> io::Result<Self> {
        let below = path.strip_prefix(ground.path()).map_err(io::Error::other)?;
        let folder = below.parent().unwrap_or(Path::new(""));
        let folder = ground.with_links_followed(folder).map_err(io::Error::other)?;
        let file = folder.join(below.file_name().unwrap_or_default());
        Ok(Self { ground: ground.clone(), file })
    }

    /// What holds it: behind a link of a cache the blob that it leads to, else itself. A link to
    /// anything else is itself what is replaced.
    fn content(&self) -> Beneath {
        let Ok(target) = self.file.link_target() else { return self.file.clone() };
        let target = clean(&self.file.folder().path().join(target));
        let blob = target.strip_prefix(self.ground.path()).ok().map(|it| self.ground.join(it));
        blob.filter(|blob| blob.open(Use::Read).is_ok()).unwrap_or_else(|| self.file.clone())
    }

    /// It keeps its content under the new name whatever happens to the old one; where a file system
    /// has no second names, it is copied.
    fn keep_beside(&self, commit: &str) -> io::Result<Beneath> {
        let content = self.content();
        for number in 1.. {
            let beside = self.file.beside(name(self.file.path(), commit, number));
            match content.name_twice(&beside) {
                Ok(()) => return Ok(beside),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if beside.identity()? == content.identity()? {
                        return Ok(beside);
                    }
                }
                Err(_no_second_names) => return copy(&content, &beside).map(|()| beside),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}

fn copy(content: &Beneath, beside: &Beneath) -> io::Result<()> {
    if let Ok(target) = content.link_target() {
        return beside.link_to(&target);
    }
    let mut from = content.open(Use::Read)?;
    let mut to = beside.open(Use::New)?;
    io::copy(&mut from, &mut to)?;
    to.set_permissions(from.metadata()?.permissions())?;
    to.sync_all()
}

/// `NAME.before-COMMIT`, and `NAME.before-COMMIT.2` where that is taken.
fn name(path: &Path, commit: &str, number: u32) -> String {
    let own = path.file_name().unwrap_or_default().to_string_lossy();
    let mut ending = format!(".before-{commit}");
    if number > 1 {
        ending.push_str(&format!(".{number}"));
    }
    let fits = |at: &usize| at + ending.len() <= LONGEST_NAME && own.is_char_boundary(*at);
    let length = (0..=own.len()).rev().find(fits).unwrap_or(0);
    format!("{}{ending}", own.get(..length).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    #[test]
    fn a_file_that_is_replaced_is_kept_and_one_that_is_not_keeps_its_name_alone() {
        let folder = tempfile::tempdir().unwrap();
        let ground = Beneath::root(folder.path());
        let at = |name: &str| folder.path().join(name);
        let own = |name: &str| OwnFile { name: name.to_owned(), path: at(name), beside: None };
        let names = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        fs::write(at("a"), "mine").unwrap();
        fs::write(at("b"), "stays").unwrap();
        for number in 1..=2 {
            let replacement =
                Replacement::prepare(&[own("a"), own("b")], &ground, "c1", true).unwrap();
            fs::write(at("new"), "theirs").unwrap();
            fs::rename(at("new"), at("a")).unwrap();
            let files = replacement.finish();
            let beside = at(&name(&at("a"), "c1", number));
            let expected = OwnFile { name: "a".to_owned(), path: at("a"), beside: Some(beside) };
            assert_eq!(files, [expected]);
            assert_eq!(fs::read_to_string(at("a")).unwrap(), "theirs");
        }
        assert_eq!(names(), ["a", "a.before-c1", "a.before-c1.2", "b"]);
        assert_eq!(fs::read_to_string(at("a.before-c1")).unwrap(), "mine");

        let replacement = Replacement::prepare(&[own("b")], &ground, "c1", false).unwrap();
        fs::remove_file(at("b")).unwrap();
        assert_eq!(replacement.finish()[0].beside, None);
        assert!(Replacement::prepare(&[own("nowhere")], &ground, "c1", true).is_err());
    }

    #[test]
    fn a_name_has_room_for_what_is_added() {
        let long = "ü".repeat(120);
        let name = name(Path::new(&long), &"0".repeat(40), 12);
        assert!(name.len() <= LONGEST_NAME && name.ends_with(".12"), "{name}");
    }
}
