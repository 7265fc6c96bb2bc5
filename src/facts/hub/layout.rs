//! How files lie in what they are brought into: a folder of their own, or a cache of the hub.
//!
//! A folder is left as `hf download --local-dir` leaves it, a cache as `hf download` does
//! (`huggingface_hub` 2.4 `_local_folder.py`, `file_download.py`), so that `hf` and the engines that
//! use its library find everything, wait for the same locks and fetch nothing again.

use std::path::{Component, Path, PathBuf};

use super::lock::Latch;
use super::{Download, HubError, ObjectId, RemoteFile, store};
use crate::beneath::Beneath;
use crate::file_name::hub_cache;

/// What marks a folder that need not be backed up (Cache Directory Tagging Specification).
pub(super) const CACHE_TAG: (&str, &str) =
    ("CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");

/// A commit has 40.
const LONGEST_REFERENCE: u64 = 128;

/// The folder of one repository in a cache of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedRepository {
    /// The cache itself: what `HF_HUB_CACHE` names.
    pub cache: Beneath,
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
    /// [`HubError::NotWritable`], [`HubError::DiskFull`], [`HubError::LinkLeaves`].
    pub fn make_cache(&self, user: Option<User>) -> Result<(), HubError> {
        let missing: Vec<_> = self.cache.ancestors().take_while(|it| !it.exists()).collect();
        store::make_folders(&self.cache)?;
        let Some(User { uid, gid }) = user else { return Ok(()) };
        for folder in missing {
            // Who is not root cannot give anything away.
            drop(folder.give_to(uid, gid));
        }
        Ok(())
    }

    fn folder(&self) -> Beneath {
        self.cache.join(&self.name)
    }

    /// Where the files of `commit` are found by their names.
    #[must_use]
    pub fn snapshot(&self, commit: &str) -> Beneath {
        self.folder().join(hub_cache::snapshots(Path::new(""))).join(commit)
    }

    /// What brings `file` of `commit` here; absent for a file of which the hub does not say by what
    /// name a cache knows its content.
    #[must_use]
    pub fn download(&self, file: &RemoteFile, commit: &str) -> Option<Download> {
        let (ObjectId::Sha256(etag) | ObjectId::GitBlob(etag)) = &file.oid else { return None };
        Some(Download {
            file: file.clone(),
            destination: self.folder().join(hub_cache::blobs(Path::new(""))).join(etag),
            link: Some(self.snapshot(commit).join(&file.path)),
        })
    }

    /// Lets `revision` lead to `commit`: to be called when all of it is there, because an engine that
    /// is offline takes what a revision leads to for whole. Blocking.
    ///
    /// # Errors
    /// [`HubError::NotWritable`], [`HubError::DiskFull`], [`HubError::LinkLeaves`].
    pub fn name_revision(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        let (name, text) = CACHE_TAG;
        if !self.cache.join(name).exists() {
            store::write_note(&self.cache.join(name), text)?;
        }
        let reference = hub_cache::reference(Path::new(""), revision);
        let Some(reference) = reference.filter(|_| revision != commit) else { return Ok(()) };
        let reference = self.folder().join(reference);
        let known = reference.read(LONGEST_REFERENCE).ok().flatten();
        if known.is_some_and(|known| known == commit) {
            return Ok(());
        }
        store::write_note(&reference, commit)
    }
}

impl Download {
    /// Brings `file` to where it is opened.
    #[must_use]
    pub fn plain(file: RemoteFile, destination: Beneath) -> Self {
        Self { file, destination, link: None }
    }

    /// Where the file is found by whoever opens it.
    #[must_use]
    pub fn found_at(&self) -> &Beneath {
        self.link.as_ref().unwrap_or(&self.destination)
    }

    /// The folder that the path in the repository is relative to, if the file has that name there.
    pub(super) fn root(&self) -> Option<Beneath> {
        root_of(&self.destination, &self.file.path)
    }

    /// The lock that whoever brings this file takes, `hf` included.
    pub(super) fn latch(&self) -> Latch {
        let own_name = self.destination.name().display().to_string();
        let beside = self.destination.folder();
        let own = (beside.clone(), format!(".{own_name}."));
        if self.link.is_some() {
            let repository = beside.folder();
            let lock = hub_cache::lock(Path::new(repository.name()), &own_name);
            let file = repository.folder().join(lock);
            return Latch { file, traces: vec![own, (beside, own_name)] };
        }
        // A file with a name of its own is none that `hf` would look for.
        let (root, path) = match self.root() {
            Some(root) => (root, self.file.path.clone()),
            None => (beside, own_name),
        };
        let file = root.join(hub_cache::DOWNLOADS).join(format!("{path}.lock"));
        let name = Path::new(&path).file_name().unwrap_or_default().display().to_string();
        let of_hf = (file.folder(), hub_cache::temporary_stem(&name));
        Latch { file, traces: vec![own, of_hf] }
    }

    /// Makes the link that leads to the file, where it has one. Blocking; to be called when the file
    /// has its final name.
    ///
    /// # Errors
    /// [`HubError::NotWritable`], [`HubError::DiskFull`], [`HubError::LinkLeaves`].
    pub fn make_link(&self) -> Result<(), HubError> {
        let Some(link) = &self.link else { return Ok(()) };
        let folder = link.folder();
        store::make_folders(&folder)?;
        let target = relative(folder.path(), self.destination.path());
        if link.link_target().is_ok_and(|old| old == target) {
            return Ok(());
        }
        link.link_to(&target).map_err(|error| store::failure(link.path(), &error))
    }
}

/// The folder that `path` is relative to, if `destination` ends in it.
fn root_of(destination: &Beneath, path: &str) -> Option<Beneath> {
    let mut root = destination.clone();
    for component in path.rsplit('/') {
        if root.is_root() || root.name() != component {
            return None;
        }
        root = root.folder();
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
        Download::plain(file, at(destination))
    }

    fn at(path: &str) -> Beneath {
        Beneath::root("/").join(path)
    }

    fn cached(path: &str) -> Download {
        let cache = CachedRepository { cache: at("/c"), name: "models--o--r".to_owned() };
        cache.download(&download(path, "").file, "1234").unwrap()
    }

    #[test]
    fn the_root_is_what_is_left_of_the_path() {
        for (destination, path, expected) in [
            ("/m/r/a/b.json", "a/b.json", Some("/m/r")),
            ("/m/renamed.gguf", "b.gguf", None),
            ("/b.json", "a/b.json", None),
            ("/b.json", "b.json", Some("/")),
        ] {
            assert_eq!(root_of(&at(destination), path), expected.map(at), "{destination}");
        }
        let mounted = Beneath::root("/m").join("b.json");
        assert_eq!(root_of(&mounted, "m/b.json"), None, "the mount begins there");
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
            assert_eq!(download.latch().file, at(expected));
        }
    }

    #[test]
    fn temporary_files_of_hf_show_that_it_moves() {
        let traces = download("a/b.json", "/m/r/a/b.json").latch().traces;
        assert_eq!(traces[0], (at("/m/r/a"), ".b.json.".to_owned()));
        assert_eq!(traces[1].0, at("/m/r/.cache/huggingface/download/a"));
        assert_eq!(traces[1].1, "8Pd-2OK9wD3rIcHc18pDQqAmVn0=");
    }

    #[test]
    fn a_cache_has_blobs_and_relative_links_to_them() {
        let download = cached("a/b.json");
        assert_eq!(download.destination, at("/c/models--o--r/blobs/0a"));
        let link = download.found_at();
        assert_eq!(*link, at("/c/models--o--r/snapshots/1234/a/b.json"));
        let target = relative(link.folder().path(), download.destination.path());
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
        let cache = Beneath::root(folder.path()).join("hf/hub");
        let cache = CachedRepository { cache, name };
        let user = rustix::process::getuid().as_raw();
        let user = User { uid: if user == 0 { 1234 } else { user }, gid: None };
        for who in [Some(user), None, Some(User { uid: 4321, gid: None })] {
            cache.make_cache(who).unwrap();
            for folder in ["hf", "hf/hub"].map(|name| folder.path().join(name)) {
                assert_eq!(fs_err::metadata(folder)?.uid(), user.uid);
            }
        }
        Ok(())
    }

    #[test]
    fn a_link_is_made_once_and_replaces_what_is_in_its_place() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let cache = Beneath::root(folder.path());
        let cache = CachedRepository { cache, name: "models--o--r".to_owned() };
        let download = cache.download(&download("a/b.json", "").file, "1234").unwrap();
        let (blob, link) = (download.destination.path(), download.found_at().path());
        for (path, text) in [(blob, "x"), (link, "old")] {
            fs_err::create_dir_all(path.parent().unwrap())?;
            fs_err::write(path, text)?;
        }
        for _ in 0..2 {
            download.make_link().unwrap();
            assert_eq!(fs_err::read(link)?, b"x");
            assert_eq!(fs_err::read_dir(link.parent().unwrap())?.count(), 1);
        }
        Ok(())
    }
}
