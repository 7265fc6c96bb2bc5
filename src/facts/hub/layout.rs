//! How files lie in what they are brought into: a folder of their own, or a cache of the hub.
//!
//! A folder is left as `hf download --local-dir` leaves it, a cache as `hf download` does
//! (`huggingface_hub` 2.4 `_local_folder.py`, `file_download.py`), so that `hf` and the engines that
//! use its library find everything, wait for the same locks and fetch nothing again.

use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use fs_err as fs;

use super::lock::Latch;
use super::retries::random;
use super::{Download, HubError, ObjectId, RemoteFile, store};
use crate::file_name::hub_cache;

/// What marks a folder that need not be backed up (Cache Directory Tagging Specification).
pub(super) const CACHE_TAG: (&str, &str) =
    ("CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");

/// The folder of one repository in a cache of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedRepository {
    /// The cache itself: what `HF_HUB_CACHE` names.
    pub cache: PathBuf,
    /// `models--OWNER--NAME`.
    pub name: String,
}

/// A user in numbers, as Compose writes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// Number of the user.
    pub uid: u32,
    /// Number of the group; absent: the image decides.
    pub gid: Option<u32>,
}

impl User {
    /// Reads `UID[:GID]`; absent for names, whose numbers the image decides, except for root.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = |name: &str| if name == "root" { Some(0) } else { name.parse().ok() };
        match text.split_once(':') {
            Some((user, group)) => Some(Self { uid: number(user)?, gid: number(group) }),
            None => Some(Self { uid: number(text)?, gid: None }),
        }
    }
}

impl CachedRepository {
    /// Makes the cache if it is not there. What is made belongs to `user`, who will want to put more
    /// there, or to whom the folder above belongs. Blocking.
    ///
    /// # Errors
    /// [`HubError::NotWritable`], [`HubError::DiskFull`].
    pub fn make_cache(&self, user: Option<User>) -> Result<(), HubError> {
        let missing: Vec<_> =
            self.cache.ancestors().take_while(|folder| !folder.exists()).collect();
        store::make_folders(&self.cache)?;
        let Some(User { uid, gid }) = user else { return Ok(()) };
        for folder in missing {
            // Who is not root cannot give anything away.
            drop(std::os::unix::fs::chown(folder, Some(uid), gid));
        }
        Ok(())
    }

    fn folder(&self) -> PathBuf {
        self.cache.join(&self.name)
    }

    /// Where the files of `commit` are found by their names.
    #[must_use]
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        hub_cache::snapshots(&self.folder()).join(commit)
    }

    /// What brings `file` of `commit` here; absent for a file of which the hub does not say by what
    /// name a cache knows its content.
    #[must_use]
    pub fn download(&self, file: &RemoteFile, commit: &str) -> Option<Download> {
        let (ObjectId::Sha256(etag) | ObjectId::GitBlob(etag)) = &file.oid else { return None };
        Some(Download {
            file: file.clone(),
            destination: hub_cache::blobs(&self.folder()).join(etag),
            link: Some(self.snapshot(commit).join(&file.path)),
        })
    }

    /// Lets `revision` lead to `commit`: to be called when all of it is there, because an engine that
    /// is offline takes what a revision leads to for whole. Blocking.
    ///
    /// # Errors
    /// [`HubError::NotWritable`], [`HubError::DiskFull`].
    pub fn name_revision(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        let (name, text) = CACHE_TAG;
        if !self.cache.join(name).exists() {
            store::write_note(&self.cache.join(name), text)?;
        }
        let reference = hub_cache::reference(&self.folder(), revision);
        let Some(reference) = reference.filter(|_| revision != commit) else { return Ok(()) };
        if fs::read_to_string(&reference).is_ok_and(|known| known == commit) {
            return Ok(());
        }
        store::write_note(&reference, commit)
    }
}

impl Download {
    /// Brings `file` to where it is opened.
    #[must_use]
    pub fn plain(file: RemoteFile, destination: PathBuf) -> Self {
        Self { file, destination, link: None }
    }

    /// Where the file is found by whoever opens it.
    #[must_use]
    pub fn found_at(&self) -> &Path {
        self.link.as_deref().unwrap_or(&self.destination)
    }

    /// The folder that the path in the repository is relative to, if the file has that name there.
    pub(super) fn root(&self) -> Option<PathBuf> {
        root_of(&self.destination, &self.file.path)
    }

    /// The lock that whoever brings this file takes, `hf` included.
    pub(super) fn latch(&self) -> Latch {
        let name = |path: &Path| path.file_name().unwrap_or_default().display().to_string();
        let beside = self.destination.parent().unwrap_or(Path::new("/"));
        let own = (beside.to_path_buf(), format!(".{}.", name(&self.destination)));
        if let (Some(_), Some(repository)) = (&self.link, beside.parent()) {
            let etag = name(&self.destination);
            let file = hub_cache::lock(repository, &etag);
            return Latch { file, traces: vec![own, (beside.to_path_buf(), etag)] };
        }
        // A file with a name of its own is none that `hf` would look for.
        let (root, path) = match self.root() {
            Some(root) => (root, self.file.path.clone()),
            None => (beside.to_path_buf(), name(&self.destination)),
        };
        let file = root.join(hub_cache::DOWNLOADS).join(format!("{path}.lock"));
        let start = hub_cache::temporary_stem(&name(Path::new(&path)));
        let of_hf = (file.parent().unwrap_or(&root).to_path_buf(), start);
        Latch { file, traces: vec![own, of_hf] }
    }

    /// Makes the link that leads to the file, where it has one. Blocking; to be called when the file
    /// has its final name.
    ///
    /// # Errors
    /// [`HubError::NotWritable`], [`HubError::DiskFull`].
    pub fn make_link(&self) -> Result<(), HubError> {
        let Some(link) = &self.link else { return Ok(()) };
        let folder = link.parent().unwrap_or(Path::new("/"));
        store::make_folders(folder)?;
        let target = relative(folder, &self.destination);
        if fs::read_link(link).is_ok_and(|old| old == target) {
            return Ok(());
        }
        let scratch = link.with_file_name(format!(".{:016x}.link", random()));
        let made = symlink(&target, &scratch)
            .and_then(|()| store::hand_over_link(&scratch, folder))
            .and_then(|()| fs::rename(&scratch, link));
        made.map_err(|error| {
            drop(fs::remove_file(&scratch));
            store::failure(link, &error)
        })
    }
}

/// The folder that `path` is relative to, if `destination` ends in it.
fn root_of(destination: &Path, path: &str) -> Option<PathBuf> {
    let mut root = destination.to_path_buf();
    for component in path.rsplit('/') {
        if root.file_name()? != component {
            return None;
        }
        root.pop();
    }
    Some(root)
}

/// `to`, as seen from `folder`: a cache can be moved.
fn relative(folder: &Path, to: &Path) -> PathBuf {
    let common = folder.components().zip(to.components()).take_while(|(one, other)| one == other);
    let common = common.count();
    let up = folder.components().skip(common).map(|_| Component::ParentDir);
    up.chain(to.components().skip(common)).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn download(path: &str, destination: &str) -> Download {
        let oid = ObjectId::GitBlob("0a".to_owned());
        let file = RemoteFile { path: path.to_owned(), size: 1, oid };
        Download::plain(file, PathBuf::from(destination))
    }

    fn cached(path: &str) -> Download {
        let cache =
            CachedRepository { cache: PathBuf::from("/c"), name: "models--o--r".to_owned() };
        cache.download(&download(path, "").file, "1234").unwrap()
    }

    #[test]
    fn the_root_is_what_is_left_of_the_path() {
        for (destination, path, expected) in [
            ("/m/r/a/b.json", "a/b.json", Some("/m/r")),
            ("/m/renamed.gguf", "b.gguf", None),
            ("/b.json", "a/b.json", None),
            ("b.json", "b.json", Some("")),
        ] {
            let root = root_of(Path::new(destination), path);
            assert_eq!(root.as_deref(), expected.map(Path::new), "{destination}");
        }
    }

    #[test]
    fn locks_are_where_hf_takes_them() {
        for (download, expected) in [
            (
                download("a/b.json", "/m/r/a/b.json"),
                "/m/r/.cache/huggingface/download/a/b.json.lock",
            ),
            (download("b.gguf", "/m/own.gguf"), "/m/.cache/huggingface/download/own.gguf.lock"),
            (cached("a/b.json"), "/c/.locks/models--o--r/0a.lock"),
        ] {
            assert_eq!(download.latch().file, Path::new(expected));
        }
    }

    #[test]
    fn temporary_files_of_hf_show_that_it_moves() {
        let traces = download("a/b.json", "/m/r/a/b.json").latch().traces;
        assert_eq!(traces[0], (PathBuf::from("/m/r/a"), ".b.json.".to_owned()));
        assert_eq!(traces[1].0, Path::new("/m/r/.cache/huggingface/download/a"));
        assert_eq!(traces[1].1, "8Pd-2OK9wD3rIcHc18pDQqAmVn0=");
    }

    #[test]
    fn a_cache_has_blobs_and_relative_links_to_them() {
        let download = cached("a/b.json");
        assert_eq!(download.destination, Path::new("/c/models--o--r/blobs/0a"));
        let link = download.found_at();
        assert_eq!(link, Path::new("/c/models--o--r/snapshots/1234/a/b.json"));
        let target = relative(link.parent().unwrap(), &download.destination);
        assert_eq!(target, Path::new("../../../blobs/0a"));
    }

    #[test]
    fn a_user_is_known_by_numbers() {
        for (text, expected) in [
            ("1000", Some((1000, None))),
            ("1000:100", Some((1000, Some(100)))),
            ("root", Some((0, None))),
            ("1000:staff", Some((1000, None))),
            ("vllm", None),
            ("", None),
        ] {
            assert_eq!(User::parse(text).map(|it| (it.uid, it.gid)), expected, "{text}");
        }
    }

    #[test]
    fn a_new_cache_belongs_to_the_service_and_an_old_one_stays() -> io::Result<()> {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir()?;
        let name = "models--o--r".to_owned();
        let cache = CachedRepository { cache: folder.path().join("hf/hub"), name };
        let user = rustix::process::getuid().as_raw();
        let user = User { uid: if user == 0 { 1234 } else { user }, gid: None };
        for who in [Some(user), None, Some(User { uid: 4321, gid: None })] {
            cache.make_cache(who).unwrap();
            for folder in [folder.path().join("hf"), cache.cache.clone()] {
                assert_eq!(fs::metadata(folder)?.uid(), user.uid);
            }
        }
        Ok(())
    }

    #[test]
    fn a_link_is_made_once_and_replaces_what_is_in_its_place() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let cache =
            CachedRepository { cache: folder.path().to_owned(), name: "models--o--r".to_owned() };
        let download = cache.download(&download("a/b.json", "").file, "1234").unwrap();
        fs::create_dir_all(download.destination.parent().unwrap())?;
        fs::write(&download.destination, "x")?;
        fs::create_dir_all(download.found_at().parent().unwrap())?;
        fs::write(download.found_at(), "old")?;
        for _ in 0..2 {
            download.make_link().unwrap();
            assert_eq!(fs::read(download.found_at())?, b"x");
            assert_eq!(fs::read_dir(download.found_at().parent().unwrap())?.count(), 1);
        }
        Ok(())
    }
}
