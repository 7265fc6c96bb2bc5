//! The documents in files that are manifests.

use std::path::{Path, PathBuf};

use super::files::{self, File, LeftOut, TAKE_LESS, Texts, can_be, without_definitions};
use super::{at, templates, text};
use crate::limits::MOST_MANIFEST_VALUES;
use crate::options::ProjectOptions;
use crate::project::Remark;
use crate::project::compose::fault::Fault;
use crate::project::compose::loader::Loader;
use crate::project::compose::parse::{self, Rules};
use crate::project::compose::tree::Node;

/// Everything that was read.
#[derive(Default)]
pub(in crate::project) struct Manifests {
    /// The documents that say what they are, those of lists one by one.
    pub(super) documents: Vec<Manifest>,
    /// The `x-preflight` of a file beside them.
    pub(super) extension: Option<Node>,
    /// The files, as they were opened.
    pub(super) files: Vec<PathBuf>,
    /// What is told of files that are not among them.
    pub(super) remarks: Vec<Remark>,
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

/// The manifests that `options` name; absent: they name something else.
pub(in crate::project) fn manifests(
    options: &ProjectOptions,
    loader: &mut Loader<'_>,
) -> Result<Option<Manifests>, Fault> {
    let Some(mut texts) = files::read(options, loader)? else { return Ok(None) };
    let taken: u64 = texts.files.iter().map(|file| file.text.len() as u64).sum();
    if !texts.files.iter().any(|file| can_be(&file.text)) {
        let why = texts.left_out.take_first();
        return match &texts.folder {
            Some(folder) => Err(why.unwrap_or_else(|| nothing_in(folder))),
            None => files::leave(taken, loader).map(|()| None),
        };
    }
    let found = documents(loader, texts)?;
    if found.is_none() {
        files::leave(taken, loader)?;
    }
    Ok(found)
}

fn nothing_in(folder: &Path) -> Fault {
    let folder = folder.display();
    Fault::whole(format!("there is no manifest of Kubernetes in the folder `{folder}`"))
        .hint("a Compose project is named by its file, or with `--project-directory`")
}

/// Whether a text that cannot be read is meant as a Compose file, whatever is written in it.
fn is_of_compose(text: &str) -> bool {
    let begins = |key: &str| text.lines().any(|line| line.starts_with(key));
    begins("services:") && !begins("apiVersion:")
}

fn documents(loader: &mut Loader<'_>, texts: Texts) -> Result<Option<Manifests>, Fault> {
    let Texts { files, folder, mut left_out } = texts;
    let mut found = Manifests::default();
    let mut room = MOST_MANIFEST_VALUES;
    let mut other: Option<(PathBuf, Node)> = None;
    for file in files {
        if file.in_folder && !can_be(&file.text) {
            continue;
        }
        let text = without_definitions(&file.text);
        let parsed = match parse::parse_by(Rules::Json, file.source, &text, &mut room) {
            Ok(parsed) => parsed,
            // Whoever reads Compose files says what is wrong with one.
            Err(_) if folder.is_none() && is_of_compose(&text) => return Ok(None),
            Err(fault) if room == 0 => return Err(fault.hint(TAKE_LESS)),
            Err(fault) => {
                let place = templates::first(&text, file.source).filter(|_| can_be(&text));
                let fault = place.map_or(fault, |place| templates::refusal(&place));
                or_left_out(Err(fault), &file, (loader, &mut left_out))?;
                continue;
            }
        };
        let mut has_one = false;
        for document in parsed {
            let root = document.root;
            if is_manifest(&root) {
                has_one = true;
                let added = add(root, &mut found.documents);
                or_left_out(added, &file, (loader, &mut left_out))?;
            } else if let Some(extension) = root.get("x-preflight") {
                has_one = true;
                found.extension = Some(extension.clone());
            } else if root.as_mapping().is_some() && !file.in_folder {
                other.get_or_insert((file.path.clone(), root));
            }
        }
        if has_one {
            loader.files.push(file.path.clone());
            found.files.push(file.path);
        }
    }
    match (found.documents.is_empty(), other) {
        (true, _) => left_out.take_first().map_or(Ok(None), Err),
        (false, Some((path, root))) => Err(mixed(loader, &path, &root)),
        (false, None) => Ok(Some(Manifests { remarks: left_out.remarks(), ..found })),
    }
}

/// A fault of a file that somebody names, or that somebody is told of with the others.
fn or_left_out(
    result: Result<(), Fault>,
    file: &File,
    (loader, left_out): (&Loader<'_>, &mut LeftOut),
) -> Result<(), Fault> {
    match result {
        Err(fault) if file.in_folder => {
            left_out.add(&loader.shown(&file.path), fault);
            Ok(())
        }
        result => result,
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

/// Whether the kinds of a group are Kubernetes' own.
pub(super) fn is_own_group(group: &str) -> bool {
    matches!(group, "" | "apps" | "batch")
}

impl Manifest {
    /// The part of `apiVersion` before its version; empty for the core.
    pub(super) fn group(&self) -> &str {
        self.version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Whether Kubernetes itself makes Pods of it as they are written: to those of other kinds a
    /// controller may add.
    pub(super) fn is_plain(&self) -> bool {
        is_own_group(self.group())
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
