//! Which files are manifests, and the documents in them.

use std::path::{Path, PathBuf};

use super::{at, templates, text};
use crate::limits::{MOST_MANIFEST_VALUES, MOST_MANIFESTS};
use crate::options::ProjectOptions;
use crate::path::clean;
use crate::project::compose::fault::Fault;
use crate::project::compose::files;
use crate::project::compose::loader::Loader;
use crate::project::compose::parse::{self, Rules};
use crate::project::compose::tree::Node;
use crate::source_map::SourceId;

/// What files of manifests end in, in a folder of them.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Folders of manifests are looked into so deep.
const DEEPEST: usize = 8;

/// Everything that was read.
pub(in crate::project) struct Manifests {
    /// The documents that say what they are, those of lists one by one.
    pub(super) documents: Vec<Manifest>,
    /// The `x-preflight` of a file beside them.
    pub(super) extension: Option<Node>,
    /// The files, as they were opened.
    pub(super) files: Vec<PathBuf>,
}

/// One document.
pub(super) struct Manifest {
    /// `kind`.
    pub(super) kind: String,
    /// `apiVersion`.
    pub(super) version: String,
    /// `metadata.name`; empty: it has none.
    pub(super) name: String,
    /// `metadata.namespace`; empty: it has none.
    pub(super) namespace: String,
    /// All of it.
    pub(super) root: Node,
}

/// A text that was read, and whether it can be a manifest.
struct File {
    path: PathBuf,
    source: SourceId,
    text: String,
}

/// The manifests that `options` name; absent: they name something else.
pub(in crate::project) fn manifests(
    options: &ProjectOptions,
    loader: &mut Loader<'_>,
) -> Result<Option<Manifests>, Fault> {
    let here = clean(&options.working_directory);
    let (mut paths, mut folders) = (Vec::new(), false);
    for file in &options.files {
        let path = if is_named_otherwise(file) { file.clone() } else { clean(&here.join(file)) };
        let local = loader.local(&path).filter(|local| local.is_dir());
        match local {
            Some(local) => {
                folders = true;
                collect(&path, &local, DEEPEST, &mut paths)?;
            }
            None => paths.push(path),
        }
    }
    let mut read = Vec::new();
    for path in paths {
        // A file that cannot be read is told by whoever needs it; standard input is read once.
        let (source, text) = match loader.read(&path) {
            Ok(read) => read,
            Err(fault) if folders || path == Path::new("-") => return Err(fault),
            Err(_) => return Ok(None),
        };
        read.push(File { path, source, text });
    }
    let is_manifest: Vec<bool> = read.iter().map(|file| can_be(&file.text)).collect();
    if !is_manifest.contains(&true) {
        return match folders.then(|| options.files.first()).flatten() {
            Some(folder) => Err(nothing_in(folder)),
            None => Ok(None),
        };
    }
    documents(loader, read, folders)
}

/// Whether a file of the command line is no path: standard input, or what Compose would fetch.
fn is_named_otherwise(file: &Path) -> bool {
    file == Path::new("-") || files::is_remote(&file.to_string_lossy())
}

fn nothing_in(folder: &Path) -> Fault {
    let folder = folder.display();
    Fault::whole(format!("there is no manifest of Kubernetes in the folder `{folder}`"))
        .hint("a Compose project is named by its file, or with `--project-directory`")
}

/// Whether there can be a manifest in a text.
fn can_be(text: &str) -> bool {
    text.contains("apiVersion") && text.contains("kind")
}

/// Whether a text that cannot be read is meant as a Compose file, whatever is written in it.
fn is_of_compose(text: &str) -> bool {
    let begins = |key: &str| text.lines().any(|line| line.starts_with(key));
    begins("services:") && !begins("apiVersion:")
}

fn collect(
    folder: &Path,
    local: &Path,
    depth: usize,
    paths: &mut Vec<PathBuf>,
) -> Result<(), Fault> {
    let unread = |source| Fault::Read { path: folder.to_path_buf(), source };
    let mut names = Vec::new();
    for entry in fs_err::read_dir(local).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let kind = entry.file_type().map_err(unread)?;
        names.push((entry.file_name(), kind.is_dir()));
    }
    names.sort();
    for (name, is_folder) in names {
        let is_hidden = name.to_string_lossy().starts_with('.');
        let path = folder.join(&name);
        let is_file = path.extension().is_some_and(|it| ENDINGS.iter().any(|known| it == *known));
        if is_folder && depth > 0 && !is_hidden {
            collect(&path, &local.join(&name), depth - 1, paths)?;
        } else if !is_folder && is_file && !is_hidden {
            paths.push(path);
        }
        if paths.len() > MOST_MANIFESTS {
            let folder = folder.display();
            return Err(Fault::whole(format!(
                "there are more than {MOST_MANIFESTS} files of manifests in `{folder}`"
            )));
        }
    }
    Ok(())
}

fn documents(
    loader: &mut Loader<'_>,
    read: Vec<File>,
    folders: bool,
) -> Result<Option<Manifests>, Fault> {
    let mut found = Manifests { documents: Vec::new(), extension: None, files: Vec::new() };
    let mut room = MOST_MANIFEST_VALUES;
    let mut other: Option<(PathBuf, Node)> = None;
    for file in read {
        if folders && !can_be(&file.text) {
            continue;
        }
        let parsed = match parse::parse_by(Rules::Json, file.source, &file.text, &mut room) {
            Ok(parsed) => parsed,
            // Whoever reads Compose files says what is wrong with one.
            Err(_) if !folders && is_of_compose(&file.text) => return Ok(None),
            Err(fault) => {
                let place = templates::first(&file.text, file.source);
                let place = place.filter(|_| can_be(&file.text));
                return Err(place.map_or(fault, |place| templates::refusal(&place)));
            }
        };
        let mut has_one = false;
        for document in parsed {
            let root = document.root;
            if is_manifest(&root) {
                has_one = true;
                add(root, &mut found.documents)?;
            } else if let Some(extension) = root.get("x-preflight") {
                has_one = true;
                found.extension = Some(extension.clone());
            } else if root.as_mapping().is_some() && !folders {
                other.get_or_insert((file.path.clone(), root));
            }
        }
        if has_one {
            loader.files.push(file.path.clone());
            found.files.push(file.path);
        }
    }
    match (found.documents.is_empty(), other) {
        (true, _) => Ok(None),
        (false, Some((path, root))) => Err(mixed(loader, &path, &root)),
        (false, None) => Ok(Some(found)),
    }
}

fn mixed(loader: &Loader<'_>, path: &Path, root: &Node) -> Fault {
    let what = if root.get("services").is_some() {
        "a Compose file"
    } else {
        "no manifest: it has no `apiVersion` and `kind`"
    };
    let shown = loader.shown(path);
    root.refuse(format!(
        "`{}` is {what}, and stands beside manifests of Kubernetes",
        shown.display()
    ))
    .hint("name one or the other: each is judged in a run of its own")
}

fn is_manifest(root: &Node) -> bool {
    root.get("apiVersion").is_some() && root.get("kind").and_then(Node::as_str).is_some()
}

/// Adds a document, or those that a list has.
fn add(root: Node, documents: &mut Vec<Manifest>) -> Result<(), Fault> {
    let kind = text(&root, "kind").map(|kind| kind.value).unwrap_or_default();
    let is_list = kind.ends_with("List") && root.get("items").and_then(Node::as_sequence).is_some();
    if is_list {
        let items = root.get("items").and_then(Node::as_sequence).unwrap_or_default();
        for item in items.iter().filter(|item| is_manifest(item)) {
            add(item.clone(), documents)?;
        }
        return Ok(());
    }
    if let Some(place) = templates::in_tree(&root) {
        return Err(templates::refusal_in(&root, &place));
    }
    let of = |key: &str| {
        let found = at(&root, &["metadata"]).and_then(|metadata| text(metadata, key));
        found.map(|text| text.value).unwrap_or_default()
    };
    let name = [of("name"), of("generateName")].into_iter().find(|name| !name.is_empty());
    documents.push(Manifest {
        version: text(&root, "apiVersion").map(|version| version.value).unwrap_or_default(),
        name: name.map(|name| name.trim_end_matches('-').to_owned()).unwrap_or_default(),
        namespace: of("namespace"),
        kind,
        root,
    });
    Ok(())
}

impl Manifest {
    /// The part of `apiVersion` before its version; empty for the core.
    pub(super) fn group(&self) -> &str {
        self.version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Whether Kubernetes itself makes Pods of it as they are written: to those of other kinds a
    /// controller may add.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.group(), "" | "apps" | "batch")
    }

    /// Whether its kind is one of Kubernetes' own that have Pods.
    pub(super) fn is_core(&self) -> bool {
        let known = match self.version.as_str() {
            "v1" => ["Pod", "PodTemplate", "ReplicationController"].as_slice(),
            "apps/v1" => &["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"],
            "batch/v1" => &["Job", "CronJob"],
            _ => &[],
        };
        known.contains(&self.kind.as_str())
    }

    /// Whether it lacks what the API requires of its kind, so that it is laid over another document as
    /// Kustomize does (kubernetes 1.34 pkg/apis/apps/validation/validation.go: `spec.selector`).
    pub(super) fn is_partial(&self) -> bool {
        let selects = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"];
        let is_one = self.version == "apps/v1" && selects.contains(&self.kind.as_str());
        is_one && at(&self.root, &["spec", "selector"]).is_none_or(Node::is_null)
    }
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}
