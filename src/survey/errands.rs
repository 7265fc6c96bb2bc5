//! Which files of a listing have to be brought, and where to.

use std::path::{Path, PathBuf};

use crate::hub::{Errand, Listing, RemoteFile};
use crate::lanes::Lane;
use crate::mounts::Sight;

/// Files that are larger are weights, and come last.
const SMALL: u64 = 64 * 1024 * 1024;

/// What has to be brought for a lane: every file of the listing that is not there with its size.
/// Blocking.
pub(super) fn of(lane: &Lane, listing: &Listing) -> Vec<Errand> {
    let Some(Sight::Visible { path, .. }) = lane.model().map(|model| &model.located.value.sight)
    else {
        return Vec::new();
    };
    let one_file = lane.source.as_ref().is_some_and(|source| source.value.path.is_some());
    let errand = |file: &RemoteFile| {
        Errand::plain(file.clone(), destination(path.as_path(), &file.path, one_file))
    };
    still_missing(listing.files.iter().map(errand).collect())
}

/// Those that are not there with their size. Blocking.
pub(super) fn still_missing(mut errands: Vec<Errand>) -> Vec<Errand> {
    errands.retain(|errand| !is_there(errand.found_at(), errand.file.size));
    errands
}

/// A whole repository goes below the lane's folder; a single file takes the name that the engine
/// opens, whatever it is called in the repository.
fn destination(model: &Path, in_repository: &str, one_file: bool) -> PathBuf {
    if one_file { model.to_path_buf() } else { model.join(in_repository) }
}

fn is_there(path: &Path, size: u64) -> bool {
    fs_err::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
}

/// The small files first: a lane whose configuration shows that it cannot work costs no weights.
pub(super) fn in_stages(errands: Vec<Errand>) -> Vec<Vec<Errand>> {
    let (small, weights): (Vec<_>, Vec<_>) = errands
        .into_iter()
        .partition(|errand| errand.file.size <= SMALL && !is_weights(&errand.file.path));
    [small, weights].into_iter().filter(|stage| !stage.is_empty()).collect()
}

fn is_weights(path: &str) -> bool {
    let weights = ["safetensors", "gguf", "bin", "pt", "pth"];
    Path::new(path)
        .extension()
        .is_some_and(|extension| weights.iter().any(|known| extension == *known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::ObjectId;

    fn errand(path: &str, size: u64) -> Errand {
        let oid = ObjectId::GitBlob(String::new());
        Errand::plain(RemoteFile { path: path.to_owned(), size, oid }, PathBuf::from(path))
    }

    #[test]
    fn the_configuration_comes_before_the_weights() {
        let stages = in_stages(vec![errand("a.safetensors", 10), errand("config.json", 10)]);
        let paths: Vec<Vec<_>> = stages
            .iter()
            .map(|stage| stage.iter().map(|errand| errand.file.path.as_str()).collect())
            .collect();
        assert_eq!(paths, [["config.json"], ["a.safetensors"]]);
        assert!(in_stages(Vec::new()).is_empty());
    }

    #[test]
    fn a_single_file_takes_the_name_that_the_engine_opens() {
        let gguf = Path::new("/models/gguf/a.gguf");
        assert_eq!(destination(gguf, "A-Q4.gguf", true), gguf);
        assert_eq!(destination(Path::new("/m"), "x/y", false), Path::new("/m/x/y"));
    }

    #[test]
    fn a_file_of_another_size_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs_err::write(&file, "12").unwrap();
        assert!(is_there(&file, 2));
        assert!(!is_there(&file, 3));
        assert!(!is_there(folder.path(), 0));
    }
}
