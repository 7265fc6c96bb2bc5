//! What llama.cpp's router serves out of a folder (seen with build 11669).

use std::path::{Path, PathBuf};

use crate::engine::Part;
use crate::facts::{FileKind, Look};
use crate::view::View;

/// More models than that are not looked at.
const MOST: usize = 256;

/// The models in the folder at `path`, by what they are opened for, below `path`: each GGUF file in
/// it, and of each folder in it the first file of a split model, else its GGUF files, with the
/// projector beside them. What lies deeper is not found. Empty as well where the folder cannot be
/// listed. Blocking.
#[must_use]
pub fn models(view: &dyn View, path: &Path) -> Vec<(Part, PathBuf)> {
    let names = |folder: &Path| view.list(folder).seen().cloned().unwrap_or_default();
    let is_folder = |path: &Path| matches!(view.stat(path), Look::Seen(stat) if stat.kind == FileKind::Directory);
    let mut found = Vec::new();
    for name in names(path) {
        if MOST <= found.len() {
            break;
        }
        if is_folder(&path.join(&name)) {
            let inside = names(&path.join(&name));
            let inside = of_folder(&inside).into_iter();
            found.extend(inside.map(|(part, file)| (part, Path::new(&name).join(file))));
        } else if is_gguf(&name) && !is_projector(&name) && !is_later_part(&name) {
            found.push((Part::Model, PathBuf::from(name)));
        }
    }
    found
}

/// What of the files of one folder is loaded together.
fn of_folder(names: &[String]) -> Vec<(Part, &str)> {
    let ggufs = || names.iter().map(String::as_str).filter(|name| is_gguf(name));
    let first = ggufs().find(|name| name.contains("-00001-of-"));
    let models: Vec<&str> = match first {
        Some(first) => vec![first],
        None => ggufs().filter(|name| !is_projector(name) && !is_later_part(name)).collect(),
    };
    if models.is_empty() {
        return Vec::new();
    }
    let projectors = ggufs().filter(|name| is_projector(name)).map(|name| (Part::Mmproj, name));
    models.into_iter().map(|name| (Part::Model, name)).chain(projectors).collect()
}

fn is_gguf(name: &str) -> bool {
    name.ends_with(".gguf")
}

fn is_projector(name: &str) -> bool {
    name.contains("mmproj")
}

/// Whether a name is that of a part of a split model that is not its first.
fn is_later_part(name: &str) -> bool {
    let Some((start, _)) = name.rsplit_once("-of-") else { return false };
    let number = start.rsplit_once('-').map_or("", |(_, number)| number);
    number.len() == 5 && number != "00001" && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::local::LocalView;

    #[test]
    fn what_the_router_lists_is_found() {
        let root = tempfile::tempdir().unwrap();
        for name in [
            "tiny.gguf",
            "mmproj-top.gguf",
            "UPPER.GGUF",
            "top-00001-of-00002.gguf",
            "top-00002-of-00002.gguf",
            "vision/x.gguf",
            "vision/mmproj-x.gguf",
            "split/s-00001-of-00002.gguf",
            "split/s-00002-of-00002.gguf",
            "deep/er/y.gguf",
            "other/readme.md",
        ] {
            let path = root.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        let found = models(&LocalView, root.path());
        let expected = [
            (Part::Model, "split/s-00001-of-00002.gguf"),
            (Part::Model, "tiny.gguf"),
            (Part::Model, "top-00001-of-00002.gguf"),
            (Part::Model, "vision/x.gguf"),
            (Part::Mmproj, "vision/mmproj-x.gguf"),
        ];
        assert_eq!(found, expected.map(|(part, path)| (part, PathBuf::from(path))));
    }
}
