//! What a repository holds, and how its contents are named.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use fs_err as fs;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::made::Made;

/// Files by path, at one commit.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    pub(crate) files: BTreeMap<String, File>,
    pub(crate) commit: String,
    pub(crate) tags: Vec<String>,
    /// The commits before this one.
    pub(crate) older: Vec<Repository>,
}

/// A file and its ids.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) content: Content,
    pub(crate) size: u64,
    /// Git blob id: of the content, or of the pointer that stands for it.
    pub(crate) blob: String,
    /// sha256 of the content, for a large file.
    pub(crate) sha256: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Memory(Vec<u8>),
    Disk(PathBuf),
    Made(Made),
}

const LARGE: u64 = 1024 * 1024;
const LARGE_SUFFIXES: [&str; 3] = [".gguf", ".safetensors", ".bin"];

impl Repository {
    pub(crate) fn add_bytes(&mut self, path: &str, content: Vec<u8>) {
        let size = content.len() as u64;
        let file = if is_large(path, size) {
            File::large(hex(&Sha256::digest(&content)), size, Content::Memory(content))
        } else {
            File { blob: git_blob(&content), content: Content::Memory(content), size, sha256: None }
        };
        self.files.insert(path.to_owned(), file);
    }

    pub(crate) fn add_made(&mut self, path: &str, made: Made) -> io::Result<()> {
        let (size, content) = (made.size(), Content::Made(made));
        let sha256 = sha256(&mut *content.open(0)?)?;
        self.files.insert(path.to_owned(), File::large(sha256, size, content));
        Ok(())
    }

    pub(crate) fn add_folder(&mut self, folder: &Path) -> io::Result<()> {
        let mut pending = vec![folder.to_path_buf()];
        while let Some(next) = pending.pop() {
            for entry in fs::read_dir(&next)? {
                let path = entry?.path();
                if path.is_dir() {
                    pending.push(path);
                } else {
                    let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy();
                    self.files.insert(name.to_string(), File::on_disk(&name, &path)?);
                }
            }
        }
        Ok(())
    }

    /// Computes the commit, after the last file.
    pub(crate) fn seal(&mut self) {
        let mut hasher = Sha1::new();
        for (path, file) in &self.files {
            hasher.update(format!("{path}\0{}\n", file.blob));
        }
        self.commit = hex(&hasher.finalize());
    }

    /// Keeps what is there as an older commit; later files change `main` alone.
    pub(crate) fn commit(&mut self) {
        let mut older = Self { files: self.files.clone(), ..Self::default() };
        older.seal();
        self.older.push(older);
    }

    /// The repository at a branch, a tag or a commit.
    pub(crate) fn at(&self, revision: &str) -> Option<&Self> {
        let is_newest = revision == "main"
            || revision == self.commit
            || self.tags.iter().any(|tag| tag == revision);
        let older = || self.older.iter().find(|older| older.commit == revision);
        if is_newest { Some(self) } else { older() }
    }
}

impl File {
    fn large(sha256: String, size: u64, content: Content) -> Self {
        let blob = git_blob(pointer(&sha256, size).as_bytes());
        Self { content, size, blob, sha256: Some(sha256) }
    }

    fn on_disk(name: &str, path: &Path) -> io::Result<Self> {
        let size = fs::metadata(path)?.len();
        if !is_large(name, size) {
            let blob = git_blob(&fs::read(path)?);
            return Ok(Self { content: Content::Disk(path.to_owned()), size, blob, sha256: None });
        }
        let sha256 = sha256(&mut fs::File::open(path)?)?;
        Ok(Self::large(sha256, size, Content::Disk(path.to_owned())))
    }

    /// What `ETag` and `X-Linked-ETag` name the content by.
    pub(crate) fn etag(&self) -> &str {
        self.sha256.as_deref().unwrap_or(&self.blob)
    }

    /// A stand-in for the chunk hash: stable, and not the sha256.
    pub(crate) fn chunk_hash(&self) -> String {
        hex(&Sha256::digest(self.etag()))
    }
}

impl Content {
    pub(crate) fn open(&self, start: u64) -> io::Result<Box<dyn Read + '_>> {
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX).min(bytes.len());
                Ok(Box::new(&bytes[start..]))
            }
            Self::Disk(path) => {
                let mut file = fs::File::open(path)?;
                file.seek(SeekFrom::Start(start))?;
                Ok(Box::new(file))
            }
            Self::Made(made) => Ok(Box::new(made.reader(start))),
        }
    }
}

fn sha256(content: &mut dyn Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = content.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}

/// The text that git holds in place of a large file.
pub(crate) fn pointer(sha256: &str, size: u64) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n")
}

pub(crate) fn subfolders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn git_blob(content: &[u8]) -> String {
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", content.len()));
    hasher.update(content);
    hex(&hasher.finalize())
}

fn is_large(path: &str, size: u64) -> bool {
    size >= LARGE || LARGE_SUFFIXES.iter().any(|suffix| path.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_are_named_as_git_names_them() {
        // `printf 'hello\n' | git hash-object --stdin`
        assert_eq!(git_blob(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    #[test]
    fn the_commit_follows_the_content() {
        let commit = |content: &[u8]| {
            let mut repository = Repository::default();
            repository.add_bytes("a", content.to_vec());
            repository.seal();
            repository.commit
        };
        assert_eq!(commit(b"1"), commit(b"1"));
        assert_ne!(commit(b"1"), commit(b"2"));
    }
}
