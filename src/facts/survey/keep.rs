//! The user's own files stay beside what replaces them, as `NAME.before-COMMIT`.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::facts::OwnFile;
use crate::facts::hub::HubError;
use crate::limits::LONGEST_NAME;

/// Files that are about to be replaced.
#[derive(Debug, Default)]
pub(super) struct Replacement {
    files: Vec<Replaced>,
}

#[derive(Debug)]
struct Replaced {
    /// In the repository.
    name: String,
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
    /// Its second name; absent: it is not to be kept.
    beside: Option<PathBuf>,
}

impl Replacement {
    /// Gives each of `own` a second name before files of `commit` take the first one. What was done
    /// is undone where one cannot be kept. Blocking.
    ///
    /// # Errors
    /// [`HubError::NotWritable`]
    pub(super) fn prepare(own: &[OwnFile], commit: &str, keep: bool) -> Result<Self, HubError> {
        let mut replacement = Self::default();
        for own in own {
            match replaced(own, commit, keep) {
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
    fn finish(self) -> Option<OwnFile> {
        let Self { name, path, identity, beside } = self;
        if identity_of(&path).is_ok_and(|now| now == identity) {
            // It is still there, and needs no second name.
            if let Some(beside) = beside {
                drop(fs::remove_file(beside));
            }
            return None;
        }
        Some(OwnFile { name, path, beside })
    }
}

fn replaced(own: &OwnFile, commit: &str, keep: bool) -> std::io::Result<Replaced> {
    let OwnFile { name, path, .. } = own.clone();
    let identity = identity_of(&path)?;
    let beside = keep.then(|| keep_beside(&path, commit)).transpose()?;
    Ok(Replaced { name, path, identity, beside })
}

fn identity_of(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// A file keeps its content under the new name whatever happens to the old one; where a file system
/// has no second names, it is copied.
fn keep_beside(path: &Path, commit: &str) -> std::io::Result<PathBuf> {
    let content = fs::canonicalize(path)?;
    for number in 1.. {
        let beside = path.with_file_name(name(path, commit, number));
        match std::fs::hard_link(&content, &beside) {
            Ok(()) => return Ok(beside),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                if identity_of(&beside)? == identity_of(&content)? {
                    return Ok(beside);
                }
            }
            Err(_no_second_names) => {
                let mut from = fs::File::open(&content)?;
                let mut to = fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
                std::io::copy(&mut from, &mut to)?;
                to.set_permissions(from.metadata()?.permissions())?;
                to.sync_all()?;
                return Ok(beside);
            }
        }
    }
    Err(std::io::ErrorKind::AlreadyExists.into())
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
    use super::*;

    #[test]
    fn a_file_that_is_replaced_is_kept_and_one_that_is_not_keeps_its_name_alone() {
        let folder = tempfile::tempdir().unwrap();
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
            let replacement = Replacement::prepare(&[own("a"), own("b")], "c1", true).unwrap();
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

        let replacement = Replacement::prepare(&[own("b")], "c1", false).unwrap();
        fs::remove_file(at("b")).unwrap();
        assert_eq!(replacement.finish()[0].beside, None);
        assert!(Replacement::prepare(&[own("nowhere")], "c1", true).is_err());
    }

    #[test]
    fn a_name_has_room_for_what_is_added() {
        let long = "ü".repeat(120);
        let name = name(Path::new(&long), &"0".repeat(40), 12);
        assert!(name.len() <= LONGEST_NAME && name.ends_with(".12"), "{name}");
    }
}
