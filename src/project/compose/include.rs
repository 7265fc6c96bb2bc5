//! `include` (compose-go v2.9.1 `loader/include.go`): other projects, loaded on their own and then
//! taken into this one.

use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::files::{absolute, is_remote, read_dotenv};
use super::loader::{self, Loader, Scope};
use super::tree::{Kind, Mapping, Node};
use crate::source_map::Place;

/// How deep includes may be nested.
const DEPTH_LIMIT: usize = 50;

/// The sections that are taken.
const SECTIONS: [&str; 6] = ["services", "volumes", "networks", "secrets", "configs", "models"];

/// Loads what `root` includes and takes it in.
pub(super) fn apply(
    loader: &mut Loader<'_>,
    scope: &Scope,
    file: &Path,
    root: &mut Node,
) -> Result<(), Fault> {
    let Some(include) = root.as_mapping_mut().and_then(|entries| entries.shift_remove("include"))
    else {
        return Ok(());
    };
    let include = include.value;
    if include.is_null() {
        return Ok(());
    }
    let Some(items) = include.as_sequence() else {
        return Err(include.expected("include", "a list"));
    };
    let mut included = scope.included.clone();
    included.push(file.to_path_buf());
    if included.len() > DEPTH_LIMIT {
        return Err(include.refuse("files include each other too deeply"));
    }
    for item in items {
        let mut imported = one(loader, scope, &included, item)?;
        keep_extension(loader, &mut imported);
        for section in SECTIONS {
            let brought = imported.as_mapping_mut().and_then(|it| it.shift_remove(section));
            take(section, brought.map(|entry| entry.value), root, &item.place)?;
        }
    }
    Ok(())
}

/// The first included file that has an `x-preflight` wins.
fn keep_extension(loader: &mut Loader<'_>, imported: &mut Node) {
    let extension =
        imported.as_mapping_mut().and_then(|entries| entries.shift_remove("x-preflight"));
    if loader.included_extension.is_none() {
        loader.included_extension = extension.map(|entry| entry.value);
    }
}

fn one(
    loader: &mut Loader<'_>,
    scope: &Scope,
    included: &[PathBuf],
    item: &Node,
) -> Result<Node, Fault> {
    let listed = match item.as_str() {
        Some(path) => vec![path.to_owned()],
        None => strings("include.path", item.get("path"))?,
    };
    if listed.is_empty() {
        return Err(item.refuse("an entry of `include` needs `path`"));
    }
    let mut files = Vec::with_capacity(listed.len());
    for path in &listed {
        if is_remote(path) {
            let feature = format!("`include` of the remote file `{path}`");
            return Err(Fault::unsupported(&item.place, feature));
        }
        let file = absolute(&scope.directory, Path::new(path));
        if !loader.has_file(&file) {
            return Err(item.refuse(format!("there is no file `{}` to include", file.display())));
        }
        files.push(file);
    }
    if let Some(main) = files.first().filter(|main| included.contains(main)) {
        return Err(item.refuse(format!("`{}` includes itself", main.display())));
    }
    let directory = match item.get("project_directory").and_then(Node::as_str) {
        Some(directory) if !directory.is_empty() => {
            absolute(&scope.directory, Path::new(directory))
        }
        _ => files.first().and_then(|main| main.parent()).unwrap_or(&scope.directory).to_path_buf(),
    };
    let env_files = env_files(loader, scope, &directory, item)?;
    let variables = read_dotenv(&env_files, &scope.environment, loader)?;
    let mut environment = scope.environment.clone();
    environment.add_missing(&variables);
    let inner = Scope { directory, environment, included: included.to_vec() };
    let parsed = files.iter().map(|file| loader.parse(file)).collect::<Result<Vec<_>, _>>()?;
    loader::model(loader, &inner, parsed)
}

fn env_files(
    loader: &Loader<'_>,
    scope: &Scope,
    directory: &Path,
    item: &Node,
) -> Result<Vec<PathBuf>, Fault> {
    let listed = strings("include.env_file", item.get("env_file"))?;
    if listed.is_empty() {
        let default = directory.join(".env");
        return Ok(if loader.has_file(&default) { vec![default] } else { Vec::new() });
    }
    let mut files = Vec::with_capacity(listed.len());
    for path in listed {
        let file = absolute(&scope.directory, Path::new(&path));
        if !loader.has_text(&file) {
            return Err(item.refuse(format!("`{}` is not an env file", file.display())));
        }
        files.push(file);
    }
    Ok(files)
}

fn strings(path: &str, node: Option<&Node>) -> Result<Vec<String>, Fault> {
    let Some(node) = node.filter(|node| !node.is_null()) else { return Ok(Vec::new()) };
    if let Some(text) = node.as_str() {
        return Ok(vec![text.to_owned()]);
    }
    let Some(items) = node.as_sequence() else {
        return Err(node.expected(path, "a string or a list of strings"));
    };
    let text = |item: &Node| {
        item.as_str().map(str::to_owned).ok_or_else(|| item.expected(path, "a string"))
    };
    items.iter().map(text).collect()
}

/// Takes what is not there; what is there must be the same.
fn take(section: &str, from: Option<Node>, root: &mut Node, place: &Place) -> Result<(), Fault> {
    let Some(Kind::Mapping(from)) = from.map(|node| node.kind) else { return Ok(()) };
    if root.get(section).is_none_or(Node::is_null) {
        root.insert(section, Node::mapping([], place));
    }
    let Some(target) = root.get_mut(section) else { return Ok(()) };
    if target.as_mapping().is_none() {
        return Err(target.expected(section, "a mapping"));
    }
    let Some(target) = target.as_mapping_mut() else { return Ok(()) };
    for (name, entry) in from {
        match target.get(&name) {
            Some(present) if same(&present.value, &entry.value) => {}
            Some(present) => {
                return Err(Fault::at(
                    &present.key_place(),
                    format!("`{section}.{name}` conflicts with the one that `include` brings"),
                )
                .hint("change an included service in an override file instead"));
            }
            None => {
                target.insert(name, entry);
            }
        }
    }
    Ok(())
}

/// Whether two values are equal, wherever they are written.
fn same(left: &Node, right: &Node) -> bool {
    match (left.as_mapping(), right.as_mapping()) {
        (Some(left), Some(right)) => same_mapping(left, right),
        _ => match (left.as_sequence(), right.as_sequence()) {
            (Some(left), Some(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
            }
            _ => left.kind == right.kind,
        },
    }
}

fn same_mapping(left: &Mapping, right: &Mapping) -> bool {
    left.len() == right.len()
        && left.iter().all(|(key, entry)| {
            right.get(key).is_some_and(|other| same(&entry.value, &other.value))
        })
}
