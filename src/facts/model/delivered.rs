//! What was brought without saying what for: a model where a folder is one, else each file by itself.

use std::path::Path;

use super::file::{self, Content, ModelFile, Role};
use super::{Model, ModelFacts, Shape, examine};
use crate::file_name::weights::Weights;
use crate::project::view::View;

/// Looks at what is at `path`, where a source has `names`; none: that is not known. Blocking.
#[must_use]
pub fn examine_delivered(view: &dyn View, path: &Path, names: &[String]) -> ModelFacts {
    let found = examine_file(view, path).unwrap_or_else(|| examine(view, path));
    let ModelFacts::Seen(model) = &found else { return found };
    if model.folder().is_none() || is_model(model, names) {
        return found;
    }
    let files = names.iter().map(|name| one(view, &path.join(name), name)).collect();
    let model = Model { shape: Shape::Directory, files, leftovers: model.leftovers.clone() };
    ModelFacts::Seen(Box::new(model))
}

/// A file that is none of weights, by its name; absent: it may be, or it is a folder.
fn examine_file(view: &dyn View, path: &Path) -> Option<ModelFacts> {
    let name = path.file_name()?.to_str()?;
    let file = one(view, path, name);
    let is_plain = file.role == Role::Plain && matches!(file.content, Content::Document);
    is_plain.then(|| {
        let (shape, leftovers) = (Shape::File, Vec::new());
        ModelFacts::Seen(Box::new(Model { shape, files: vec![file], leftovers }))
    })
}

/// A configuration, and weights that are there or come.
fn is_model(model: &Model, names: &[String]) -> bool {
    let Some(folder) = model.folder() else { return false };
    let is_config = |file: &ModelFile| file.role == Role::Config && !file.content.is_absent();
    let comes =
        |name: &String| !name.contains('/') && Weights::of(name).is_some_and(Weights::is_of_torch);
    model.files.iter().any(is_config) && (folder.weights.is_some() || names.iter().any(comes))
}

fn one(view: &dyn View, path: &Path, name: &str) -> ModelFile {
    if Weights::Gguf.are_in(name) || Weights::Safetensors.are_in(name) {
        return file::examine(view, path, Role::Weights, name);
    }
    file::with(view, path, Role::Plain, name, |_, _| Content::Document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::view::local::LocalView;

    fn check(files: &[(&str, &str)], names: &[&str], is_folder: bool, complete: bool) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let seen = examine_delivered(&LocalView, root.path(), &names);
        let model = seen.seen().unwrap();
        assert_eq!(
            (model.folder().is_some(), model.complete()),
            (is_folder, complete),
            "{names:?}"
        );
    }

    #[test]
    fn a_folder_is_a_model_where_it_has_a_configuration_and_weights() {
        check(&[("a.csv", "")], &["a.csv"], false, true);
        check(&[("a.csv", ""), ("b/c", "x")], &["a.csv", "b/c"], false, true);
        check(&[("a.csv", "")], &["a.csv", "b.csv"], false, false);
        check(&[("config.json", "{}"), ("tokenizer.json", "{}")], &["config.json"], false, true);
        check(&[("config.json", "{}")], &["config.json", "model.safetensors"], true, false);
        check(&[("q/a.gguf", "<html>")], &["q/a.gguf"], false, false);
        check(&[("config.json", "{}"), ("q/a.gguf", "x")], &["q/a.gguf"], false, false);
    }

    #[test]
    fn one_file_is_looked_at_by_its_name() {
        let root = tempfile::tempdir().unwrap();
        let complete = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs_err::write(&path, text).unwrap();
            examine_delivered(&LocalView, &path, &[]).complete()
        };
        assert!(complete("empty.json", "") && complete("a.csv", "1,2"));
        assert!(!complete("a.gguf", "<html>") && !complete("a.safetensors", ""));
    }
}
