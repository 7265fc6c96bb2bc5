//! Where a revision lies in a cache of the hub (huggingface_hub 0.36.2 and 2.4.0
//! `_snapshot_download.py`, `_tree_cache.py`).

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::super::json;
use crate::file_name::hub_cache;
use crate::look::{FileKind, Look};
use crate::project::view::View;

/// A ref holds 40 digits.
const LONGEST_REF: u64 = 128;

/// The most bytes of a listing that are read: it has some 200 for each file.
const LONGEST_LISTING: u64 = 4 << 20;

/// The only format of a listing that the library reads.
const FORMAT: u64 = 1;

/// The folder of one revision in a repository's folder of a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Where its files are.
    pub folder: PathBuf,
    /// Its name.
    pub commit: String,
    /// The text that names the commit, as it stands; absent: the revision is the commit.
    pub reference: Option<String>,
}

/// The snapshot of `revision`, a branch, a tag or a commit (absent: `main`), in the repository's
/// folder at `path` (`models--owner--name`). Needs no listing.
///
/// A reference may have white space around the commit, although not every engine finds its way then.
pub fn snapshot(view: &dyn View, path: &Path, revision: Option<&str>) -> Look<Snapshot> {
    let revision = revision.unwrap_or("main");
    let Some(place) = hub_cache::reference(path, revision) else { return Look::Absent };
    let (commit, reference) = match view.open(&place) {
        Look::Seen(reader) => {
            let mut text = String::new();
            if let Err(error) = reader.take(LONGEST_REF).read_to_string(&mut text) {
                return Look::Unknown(error.to_string());
            }
            (text.trim().to_owned(), Some(text))
        }
        // A commit has no ref: its folder is named like it.
        Look::Absent if hub_cache::is_commit(revision) => (revision.to_owned(), None),
        Look::Absent => return Look::Absent,
        Look::Denied(why) => return Look::Denied(why),
        Look::Unknown(_) if is_folder(view, &place) => return Look::Absent,
        Look::Unknown(why) => return Look::Unknown(why),
    };
    if commit.is_empty() || !commit.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Look::Absent;
    }
    let folder = hub_cache::snapshots(path).join(&commit);
    view.stat(&folder).map(|_| Snapshot { folder, commit, reference })
}

/// References can have folders: `refs/feature` is the folder of `feature/x`.
fn is_folder(view: &dyn View, path: &Path) -> bool {
    view.stat(path).seen().is_some_and(|it| it.kind == FileKind::Directory)
}

impl Snapshot {
    /// The files whose names end in `ending` that the listing beside the snapshot names, in the
    /// repository's folder at `path`, and that are not there. None where the library has no listing
    /// that it reads: it cannot tell then.
    #[must_use]
    pub fn lacks_of_listing(&self, view: &dyn View, path: &Path, ending: &str) -> Vec<PathBuf> {
        let listed = self.listed(view, path).unwrap_or_default().into_iter();
        let wanted = listed.map(|(name, _)| name).filter(|name| name.ends_with(ending));
        wanted.filter(|name| !self.has(view, name)).map(PathBuf::from).collect()
    }

    /// Every file of the listing beside the snapshot, in the repository's folder at `path`, with its
    /// bytes; absent where the library has no listing that it reads.
    #[must_use]
    pub fn listed(&self, view: &dyn View, path: &Path) -> Option<Vec<(String, u64)>> {
        let Look::Seen(reader) = view.open(&hub_cache::listing(path, &self.commit)) else {
            return None;
        };
        let listing = json::parse::<Map<String, Value>>(reader, LONGEST_LISTING).ok()?;
        let files = listing.get("files").and_then(Value::as_object);
        let is_read = listing.get("format_version").and_then(Value::as_u64) == Some(FORMAT);
        let files = files.filter(|files| is_read && files.values().all(is_entry))?;
        let size = |entry: &Value| entry.get("size").and_then(Value::as_u64).unwrap_or_default();
        Some(files.iter().map(|(name, entry)| (name.clone(), size(entry))).collect())
    }

    /// Whether a file of the repository is there.
    #[must_use]
    pub fn has(&self, view: &dyn View, name: &str) -> bool {
        let stat = view.stat(&self.folder.join(name));
        stat.seen().is_some_and(|stat| stat.kind != FileKind::Directory)
    }
}

/// Whether the library takes that for what is known of a file; if not, it drops the whole listing.
fn is_entry(value: &Value) -> bool {
    let is_hash = |hash: &Value| {
        let digits = hash.as_str().unwrap_or_default();
        digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    value.get("size").is_some()
        && value.get("blob_id").is_some()
        && value.get("xet_hash").is_none_or(|hash| hash.is_null() || is_hash(hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::view::local::LocalView;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_revision_is_found_by_its_reference_and_a_commit_by_its_name() {
        let cache = tempfile::tempdir().unwrap();
        let at = |below: &str| cache.path().join(below);
        let folder = at("snapshots").join(COMMIT);
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::create_dir_all(at("snapshots/0123abcd")).unwrap();
        fs_err::create_dir_all(at("refs/feature")).unwrap();
        for (name, text) in [
            ("main", COMMIT),
            ("feature/x", &format!("{COMMIT}\n")),
            ("short", "0123abcd"),
            ("gone", "ffff"),
            ("bad", "../../.."),
        ] {
            fs_err::write(at("refs").join(name), text).unwrap();
        }
        let snapshot = |revision| snapshot(&LocalView, cache.path(), revision);
        let found = |revision| snapshot(revision).seen().cloned();
        let (commit, reference) = (COMMIT.to_owned(), Some(COMMIT.to_owned()));
        let main = Some(Snapshot { folder: folder.clone(), commit, reference });
        assert_eq!(found(None), main);
        assert_eq!(found(Some("main")), main);
        assert_eq!(found(Some(COMMIT)).unwrap().reference, None);
        assert_eq!(found(Some("short")).unwrap().folder, at("snapshots/0123abcd"));
        let broken = found(Some("feature/x")).unwrap();
        assert_eq!((broken.folder, broken.reference), (folder, Some(format!("{COMMIT}\n"))));
        for revision in
            ["gone", "bad", "feature", "none", "0123abcd", "", "..", "../refs/main", "/refs"]
        {
            assert_eq!(snapshot(Some(revision)), Look::Absent, "{revision}");
        }
    }

    #[test]
    fn a_listing_tells_what_is_missing_unless_the_library_would_not_read_it() {
        let cache = tempfile::tempdir().unwrap();
        let folder = hub_cache::snapshots(cache.path()).join(COMMIT);
        fs_err::create_dir_all(folder.join("a")).unwrap();
        fs_err::write(folder.join("config.json"), "{}").unwrap();
        let snapshot = Snapshot { folder, commit: COMMIT.to_owned(), reference: None };
        let path = hub_cache::listing(cache.path(), COMMIT);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        let lacks = |version: u8, more: &str, ending: &str| {
            let listing = format!(
                r#"{{"format_version": {version}, "files": {{
                    "README.md": {{"size": 1, "blob_id": "x"{more}}},
                    "a": {{"size": 1, "blob_id": "x"}},
                    "config.json": {{"size": 1, "blob_id": "x", "xet_hash": null}},
                    "d/b.json": {{"size": 1, "blob_id": "x", "xet_hash": "{}"}}
                }}}}"#,
                "0a".repeat(32)
            );
            fs_err::write(&path, listing).unwrap();
            let lacks = snapshot.lacks_of_listing(&LocalView, cache.path(), ending);
            lacks.iter().map(|name| name.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(lacks(1, "", ""), "README.md a d/b.json");
        assert_eq!(lacks(1, "", ".json"), "d/b.json");
        assert_eq!(lacks(2, "", ""), "");
        assert_eq!(lacks(1, r#", "xet_hash": "0a""#, ""), "");
        fs_err::write(&path, "{").unwrap();
        assert!(snapshot.lacks_of_listing(&LocalView, cache.path(), "").is_empty());
    }
}
