//! What llama.cpp's router serves out of a folder (seen with build 11669).

use std::path::{Path, PathBuf};

use crate::file_name::split::{self, SplitName};
use crate::file_name::weights::Weights;
use crate::look::FileKind;
use crate::plan::engine::Part;
use crate::project::view::View;

/// More models than that are not looked at.
const MOST: usize = 256;

/// The models in the folder at `path`, by what they are opened for, below `path`: each GGUF file in
/// it, and of each folder in it the first file of a split model, else its GGUF files, with the
/// projector beside them. What lies deeper is not found. Of several models in one such folder the
/// server takes the one that the file system lists last, which cannot be told from here: all of
/// them are named. Later parts of a split model in the folder itself are left out where its first
/// part is there: the server lists them, and nobody has a use for them. Empty as well where the folder
/// cannot be listed. Blocking.
#[must_use]
pub fn models(view: &dyn View, path: &Path) -> Vec<(Part, PathBuf)> {
    let names = |folder: &Path| view.list(folder).seen().cloned().unwrap_or_default();
    let is_folder =
        |path: &Path| view.stat(path).seen().is_some_and(|stat| stat.kind == FileKind::Directory);
    let here = names(path);
    let mut found = Vec::new();
    for name in &here {
        if MOST <= found.len() {
            break;
        }
        if is_folder(&path.join(name)) {
            let inside = names(&path.join(name));
            let inside = of_folder(&inside).into_iter();
            found.extend(inside.map(|(part, file)| (part, Path::new(name).join(file))));
        } else if is_gguf(name) && !is_projector(name) && !belongs_to_another(name, &here) {
            found.push((Part::Model, PathBuf::from(name)));
        }
    }
    found
}

/// What of the files of one folder is loaded together.
fn of_folder(names: &[String]) -> Vec<(Part, &str)> {
    let ggufs = || names.iter().map(String::as_str).filter(|name| is_gguf(name));
    let models = || ggufs().filter(|name| !is_projector(name));
    let first = models().find(|name| split::says_first(name));
    let models: Vec<&str> = match first {
        Some(first) => vec![first],
        None => models().collect(),
    };
    if models.is_empty() {
        return Vec::new();
    }
    let projectors = ggufs().filter(|name| is_projector(name)).map(|name| (Part::Mmproj, name));
    models.into_iter().map(|name| (Part::Model, name)).chain(projectors).collect()
}

fn is_gguf(name: &str) -> bool {
    Weights::Gguf.are_in(name)
}

fn is_projector(name: &str) -> bool {
    name.contains("mmproj")
}

/// Whether a name is that of a later part of a split model whose first part is among `names`.
fn belongs_to_another(name: &str, names: &[String]) -> bool {
    let later = SplitName::parse(name).filter(|part| !part.is_first());
    later.is_some_and(|part| names.contains(&part.part(1).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::view::local::LocalView;

    #[test]
    fn what_the_router_lists_is_found() {
        let root = tempfile::tempdir().unwrap();
        for name in [
            "tiny.gguf",
            "mmproj-top.gguf",
            "UPPER.GGUF",
            "top-00001-of-00002.gguf",
            "top-00002-of-00002.gguf",
            "alone-00002-of-00002.gguf",
            "vision/x.gguf",
            "vision/mmproj-x.gguf",
            "split/s-00001-of-00002.gguf",
            "split/s-00002-of-00002.gguf",
            "several/a.gguf",
            "several/b.gguf",
            "late/z-00002-of-00003.gguf",
            "projector/mmproj-z.gguf",
            "deep/er/y.gguf",
            "other/readme.md",
        ] {
            let path = root.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        let found = models(&LocalView, root.path());
        let expected = [
            (Part::Model, "alone-00002-of-00002.gguf"),
            (Part::Model, "late/z-00002-of-00003.gguf"),
            (Part::Model, "several/a.gguf"),
            (Part::Model, "several/b.gguf"),
            (Part::Model, "split/s-00001-of-00002.gguf"),
            (Part::Model, "tiny.gguf"),
            (Part::Model, "top-00001-of-00002.gguf"),
            (Part::Model, "vision/x.gguf"),
            (Part::Mmproj, "vision/mmproj-x.gguf"),
        ];
        assert_eq!(found, expected.map(|(part, path)| (part, PathBuf::from(path))));
    }
}
