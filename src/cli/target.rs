//! What PATH means: a model by its magic or its name, a project by its default file, else a Compose
//! file or a folder of models.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::facts::model;
use crate::options::{OptionsError, Target};
use crate::project::load;
use crate::project::view::local::LocalView;
use crate::regular_file;

/// The names that Docker Compose looks for, in its order.
pub(super) const COMPOSE_FILES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// Files of a folder as Hugging Face's libraries write it, beside its weights.
const BESIDE_MODELS: [&str; 10] = [
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "modules.json",
    "preprocessor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
];

/// What a run is about, as it is typed.
pub(super) enum About<'a> {
    /// PATH, or nothing.
    Path(Option<&'a Path>),
    /// The command line of an engine.
    Words(Vec<OsString>),
    /// Sources, each with the place that it is brought to.
    Pairs(&'a [PathBuf]),
}

/// What a run is about, from PATH and `-f`.
pub(super) fn of(path: Option<&Path>, files: &[PathBuf]) -> Result<Target, OptionsError> {
    let Some(path) = path else { return Ok(Target::Discover) };
    if !files.is_empty() {
        return Err(OptionsError::PathAndFile { path: path.to_path_buf() });
    }
    if path == Path::new("-") {
        return Ok(Target::ComposeFile(path.to_path_buf()));
    }
    let metadata = fs_err::metadata(path).map_err(|source| OptionsError::NoSuchPath {
        path: path.to_path_buf(),
        instead: instead_of(path),
        source,
    })?;
    let path = path.to_path_buf();
    Ok(match metadata.is_dir() {
        true if is_project(&path) => Target::ProjectDirectory(path),
        true if !has_model(&path) && load::has_manifests(&path) => Target::ComposeFile(path),
        true => Target::Models(path),
        false if is_model(&path) => Target::Models(path),
        false if is_beside_a_model(&path) => Target::Models(folder_of(&path)),
        false => Target::ComposeFile(path),
    })
}

/// What is there in place of a path that leads to nothing.
fn instead_of(path: &Path) -> Option<String> {
    if let Ok(target) = fs_err::read_link(path) {
        return Some(format!("it is a link to `{}`, where nothing is", target.display()));
    }
    let similar = model::similar_beside(&LocalView, &Path::new(".").join(path))?;
    Some(format!("did you mean `{}`?", path.with_file_name(similar).display()))
}

fn is_project(folder: &Path) -> bool {
    COMPOSE_FILES.iter().any(|name| folder.join(name).is_file())
}

fn has_model(folder: &Path) -> bool {
    folder.join("config.json").is_file()
}

/// A file of a model's folder that is no model by itself: the folder is judged.
fn is_beside_a_model(file: &Path) -> bool {
    let named = file.file_name().and_then(OsStr::to_str).is_some_and(|name| {
        BESIDE_MODELS.contains(&name) || name.ends_with(".safetensors.index.json")
    });
    let folder = folder_of(file);
    named && ["config.json", "modules.json"].iter().any(|name| folder.join(name).is_file())
}

fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_path_buf()
}

/// A file that is a model, or that is called one and so deserves to be judged as one.
fn is_model(file: &Path) -> bool {
    let named = file.extension().is_some_and(|extension| {
        ["gguf", "safetensors", "bin", "pt", "pth"].iter().any(|known| extension == *known)
    });
    named || starts_like_a_model(file)
}

fn starts_like_a_model(file: &Path) -> bool {
    let mut head = [0; 9];
    let read = regular_file::open(file).and_then(|mut file| file.read_exact(&mut head));
    // A safetensors file is the length of a JSON object (so its upper bytes are zero), then `{`.
    read.is_ok() && (head.starts_with(b"GGUF") || (head[5..8] == [0; 3] && head[8] == b'{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(make: impl Fn(&Path) -> PathBuf, expected: fn(PathBuf) -> Target) {
        let folder = tempfile::tempdir().unwrap();
        let path = make(folder.path());
        assert_eq!(of(Some(&path), &[]).unwrap(), expected(path.clone()));
    }

    fn file(name: &str, content: &[u8]) -> impl Fn(&Path) -> PathBuf {
        move |folder| {
            let path = folder.join(name);
            fs_err::write(&path, content).unwrap();
            path
        }
    }

    #[test]
    fn a_file_is_judged_by_its_magic_or_its_name_before_it_is_a_compose_file() {
        check(file("weights", b"GGUF\x03\0\0\0\0"), Target::Models);
        check(file("weights", b"\x10\0\0\0\0\0\0\0{"), Target::Models);
        check(file("broken.gguf", b"<html>"), Target::Models);
        check(file("stack.yaml", b"services: {}"), Target::ComposeFile);
    }

    #[test]
    fn a_folder_is_a_project_only_with_a_default_file_in_it() {
        let project = |folder: &Path| {
            fs_err::write(folder.join("compose.yml"), "").unwrap();
            folder.to_path_buf()
        };
        check(project, Target::ProjectDirectory);
        check(Path::to_path_buf, Target::Models);
    }

    #[test]
    fn a_folder_of_manifests_is_one_of_them_and_that_of_a_model_is_not() {
        let manifest = |more: &'static [&'static str]| {
            move |folder: &Path| {
                fs_err::write(folder.join("a.yaml"), "# a\napiVersion: v1\nkind: Pod\n").unwrap();
                more.iter().for_each(|name| fs_err::write(folder.join(name), "{}").unwrap());
                folder.to_path_buf()
            }
        };
        check(manifest(&[]), Target::ComposeFile);
        check(manifest(&["config.json"]), Target::Models);
        check(manifest(&["compose.yaml"]), Target::ProjectDirectory);
    }

    #[test]
    fn a_file_beside_the_weights_of_a_model_stands_for_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let below = |name: &str| folder.path().join(name);
        for name in ["tokenizer.json", "model.safetensors.index.json"] {
            fs_err::write(below(name), "{}").unwrap();
            assert_eq!(of(Some(&below(name)), &[]).unwrap(), Target::ComposeFile(below(name)));
        }
        fs_err::write(below("config.json"), "{}").unwrap();
        fs_err::write(below("project.json"), "{}").unwrap();
        for name in ["tokenizer.json", "model.safetensors.index.json", "config.json"] {
            let expected = Target::Models(folder.path().to_path_buf());
            assert_eq!(of(Some(&below(name)), &[]).unwrap(), expected, "{name}");
        }
        let other = below("project.json");
        assert_eq!(of(Some(&other), &[]).unwrap(), Target::ComposeFile(other));
    }

    #[test]
    fn a_path_and_a_file_contradict_each_other() {
        assert!(of(Some(Path::new("x")), &[PathBuf::from("y")]).is_err());
        assert!(of(Some(Path::new("/nowhere/at/all")), &[]).is_err());
    }
}
