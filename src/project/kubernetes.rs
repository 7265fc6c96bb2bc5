//! Manifests of Kubernetes as a [`Project`]: each container of a Pod is a service.
//!
//! Nothing is asked of a cluster. A Pod is any mapping with a list of containers, whatever the kind of
//! its document is called: so those of custom resources are found as well.

mod annotations;
mod container;
mod contents;
mod doors;
mod environment;
mod expansion;
mod files;
mod hosts;
mod kserve;
mod kuberay;
mod manifest;
mod mounts;
mod owners;
mod placeholders;
mod pods;
mod probes;
mod quantity;
mod shape;
mod templates;

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::options::ProjectOptions;
use crate::path::{HostPath, clean};
use crate::project::compose::attribute::plain;
use crate::project::compose::fault::Fault;
use crate::project::compose::loader::Loader;
use crate::project::compose::resolve;
use crate::project::compose::tree::Node;
use crate::project::{Dialect, Project, Remark, Service};
use crate::source_map::Spanned;

use self::container::Before;
use self::contents::Contents;
use self::doors::Labelled;
use self::kserve::merged::{Merged, merged};
use self::manifest::Manifest;
use self::mounts::Volumes;
use self::pods::Pod;

pub(in crate::project) use self::manifest::{Manifests, manifests};

/// What a project is called that nobody gives a name.
const NAME: &str = "manifests";

/// The project of these manifests.
pub(in crate::project) fn project(
    options: &ProjectOptions,
    loader: &mut Loader<'_>,
    manifests: &Manifests,
) -> Result<Project, Fault> {
    let contents = Contents::of(&manifests.documents);
    let mut volumes = Volumes::default();
    let (mut services, mut not_texts) = (Vec::new(), Vec::new());
    let mut remarks = manifests.remarks.clone();
    let mut document = Map::new();
    let mut labelled = Vec::new();
    let mut names = HashMap::new();
    let all = &manifests.documents;
    let merged: Vec<Option<Merged<'_>>> = all.iter().map(|it| merged(it, all)).collect();
    let is_used = |manifest: &Manifest| merged.iter().flatten().any(|it| it.is_of(manifest));
    let told = doors::told(all);
    // A runtime that a document uses runs as that says; what a controller makes as its owner says.
    let is_own = |manifest: &Manifest| !is_used(manifest) && !owners::is_made(manifest, all);
    for (manifest, merged) in all.iter().zip(&merged).filter(|(it, _)| is_own(it)) {
        let mut pods = pods::of(manifest);
        kserve::add(manifest, merged.as_ref(), &mut pods);
        for pod in &mut pods {
            if manifest.is_plain() {
                shape::check(pod)?;
            }
            pod.told_of = doors::told_of(pod, &told);
            pod.is_idle = owners::is_idle(manifest, all);
            pod.name = unused(&pod.name, &manifest.namespace, &mut names);
            if manifest.is_core() && !pod.is_patch {
                not_texts.extend(shape::not_texts(pod));
            }
        }
        remarks.extend(annotations::remarks(&pods));
        for pod in &pods {
            add(pod, &contents, &mut volumes, (&mut services, &mut remarks, &mut document));
            labelled.push(Labelled::of(pod));
        }
    }
    let directory = directory(options, manifests);
    if directory.to_str().is_none() {
        return Err(Fault::whole("the folder of the manifests has a name that is not UTF-8"));
    }
    let extension = manifests.extension.as_ref();
    Ok(Project {
        dialect: Dialect::Kubernetes,
        name: options.name.clone().unwrap_or_else(|| NAME.to_owned()),
        directory: HostPath::new(directory),
        files: manifests.files.clone(),
        services,
        doors: doors::of(all, &labelled),
        volumes: volumes.known,
        extension: extension.map(|node| Spanned::new(plain(node), node.place.clone())),
        extension_places: extension.map(resolve::places).unwrap_or_default(),
        secrets: contents.secrets(),
        warnings: std::mem::take(&mut loader.warnings),
        not_texts,
        remarks,
        document: json!({
            "name": options.name.as_deref().unwrap_or(NAME),
            "services": Value::Object(document),
            // Whoever is called by another name than that of a Pod can be anywhere in the cluster.
            "networks": {"default": {"external": true}},
        }),
        ..Project::empty()
    })
}

/// Whether two namespaces may be the same one: what names none goes wherever it is applied.
fn meets(one: &str, other: &str) -> bool {
    one.is_empty() || other.is_empty() || one == other
}

/// A name that no Pod before it has: that of its namespace tells two apart, else their number.
fn unused(name: &str, namespace: &str, names: &mut HashMap<String, usize>) -> String {
    let spaced = (!namespace.is_empty()).then(|| format!("{namespace}/{name}"));
    // So many of that name were numbered before.
    let first = names.get(name).copied().unwrap_or_default() + 2;
    let numbered = (first..).map(|number| format!("{name}-{number}"));
    let mut candidates = std::iter::once(name.to_owned()).chain(spaced).chain(numbered);
    let free = candidates.find(|name| !names.contains_key(name)).unwrap_or_default();
    if let Some(number) =
        free.strip_prefix(name).and_then(|it| it.strip_prefix('-')?.parse::<usize>().ok())
    {
        names.insert(name.to_owned(), number - 1);
    }
    names.insert(free.clone(), 0);
    free
}

/// Where what is found of a container goes.
type Told<'a> = (&'a mut Vec<Service>, &'a mut Vec<Remark>, &'a mut Map<String, Value>);

fn add(
    pod: &Pod<'_>,
    contents: &Contents<'_>,
    volumes: &mut Volumes,
    (services, remarks, document): Told<'_>,
) {
    let members = pod.members();
    let first = members.first().map(|member| member.service_name(pod));
    let mut before = Before::default();
    for member in &members {
        let (service, remark) = container::service(pod, member, &before, (contents, volumes));
        let said = container::document(pod, member, (first.as_deref(), &service, &before));
        remarks.extend(remark);
        before.add(pod, member);
        document.insert(service.name.value.clone(), said);
        services.push(service);
    }
}

/// The folder of the first manifest; of standard input, where preflight was called.
fn directory(options: &ProjectOptions, manifests: &Manifests) -> std::path::PathBuf {
    let here = clean(&options.working_directory);
    if let Some(directory) = &options.directory {
        return clean(&here.join(directory));
    }
    let first = manifests.files.iter().find(|file| file.as_path() != std::path::Path::new("-"));
    first.and_then(|file| file.parent()).map_or(here, std::path::Path::to_path_buf)
}

/// The text of a scalar below `key`.
fn text(node: &Node, key: &str) -> Option<Spanned<String>> {
    let node = node.get(key)?;
    let text = node.printed().filter(|text| !text.is_empty())?;
    Some(Spanned::new(text, node.place.clone()))
}

/// What is at the end of a path of keys.
fn at<'n>(node: &'n Node, keys: &[&str]) -> Option<&'n Node> {
    keys.iter().try_fold(node, |node, key| node.get(key))
}

/// The items of a list below `key`.
fn items<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    node.get(key).and_then(Node::as_sequence).unwrap_or_default()
}

/// The item of a list that has this name.
fn named<'n>(list: &'n [Node], name: &str) -> Option<&'n Node> {
    list.iter().find(|item| item.get("name").and_then(Node::as_str) == Some(name))
}
