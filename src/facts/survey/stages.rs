//! In which order the files of a lane are brought.

use crate::facts::hub::Download;
use crate::file_name::weights::Weights;

/// Files that are larger are weights, and come last.
const SMALL: u64 = 64 * 1024 * 1024;

/// The small files first: a lane whose configuration shows that it cannot work costs no weights.
pub(super) fn of(downloads: Vec<Download>) -> Vec<Vec<Download>> {
    let (small, weights): (Vec<_>, Vec<_>) = downloads.into_iter().partition(is_small);
    [small, weights].into_iter().filter(|stage| !stage.is_empty()).collect()
}

/// Whether there is no small file in a stage.
pub(super) fn is_of_weights(stage: &[Download]) -> bool {
    !stage.iter().any(is_small)
}

fn is_small(download: &Download) -> bool {
    download.file.size <= SMALL && Weights::of(&download.file.path).is_none()
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::beneath::Beneath;
    use crate::facts::hub::{ObjectId, RemoteFile};

    fn download(path: &str, size: u64) -> Download {
        let oid = ObjectId::GitBlob(String::new());
        let destination = Beneath::root("/").join(path);
        Download::plain(RemoteFile { path: path.to_owned(), size, oid }, destination)
    }

    #[test]
    fn the_configuration_comes_before_the_weights() {
        let stages = of(vec![download("a.safetensors", 10), download("config.json", 10)]);
        let paths: Vec<Vec<_>> = stages
            .iter()
            .map(|stage| stage.iter().map(|download| download.file.path.as_str()).collect())
            .collect();
        assert_eq!(paths, [["config.json"], ["a.safetensors"]]);
        assert!(!is_of_weights(&stages[0]) && is_of_weights(&stages[1]));
        assert!(of(Vec::new()).is_empty());
    }
}
