//! The volumes of a Pod as mounts of its containers.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::contents::{Contents, Held};
use super::environment::Variables;
use super::placeholders::is_unfilled;
use super::pods::{Member, Pod};
use super::{at, items, kserve, named, quantity, text};
use crate::path::{HostPath, ServicePath, clean};
use crate::project::compose::tree::Node;
use crate::project::{Copied, Mount, MountSource, Volume, VolumeKind};
use crate::source_map::{Place, Spanned};

/// Every volume that Pods have under a name.
#[derive(Default)]
pub(super) struct Volumes {
    /// By the name that mounts use.
    pub(super) known: IndexMap<String, Volume>,
}

/// What a mount says of itself.
struct Said {
    target: ServicePath,
    subpath: Option<PathBuf>,
    read_only: bool,
    place: Place,
}

/// Everything that a container mounts.
pub(super) fn of(
    pod: &Pod<'_>,
    member: &Member<'_>,
    variables: &mut Variables,
    (contents, volumes): (&Contents<'_>, &mut Volumes),
) -> Vec<Mount> {
    let mut mounts = kserve::implied(pod, member, volumes);
    for node in items(member.node, "volumeMounts") {
        let Some(target) = text(node, "mountPath").filter(|it| !is_unfilled(&it.value)) else {
            continue;
        };
        let Some(name) = text(node, "name") else { continue };
        let (subpath, is_known) = subpath(node, variables);
        let said = Said {
            target: ServicePath::new(clean(Path::new(&target.value))),
            subpath,
            read_only: node.get("readOnly").and_then(Node::as_bool) == Some(true),
            place: target.place,
        };
        if !is_known {
            mounts.push(said.of(MountSource::Other("subPathExpr".to_owned())));
            continue;
        }
        mounted(pod, &name.value, &said, (contents, volumes), &mut mounts);
    }
    mounts
}

/// The folder inside a volume, and whether it is known.
fn subpath(node: &Node, variables: &mut Variables) -> (Option<PathBuf>, bool) {
    if let Some(path) = text(node, "subPath") {
        return (Some(clean(Path::new(&path.value))), !is_unfilled(&path.value));
    }
    let Some(written) = text(node, "subPathExpr") else { return (None, true) };
    let (path, missing) = variables.expanded(&written.value);
    (Some(clean(Path::new(&path))), missing.is_none())
}

impl Said {
    fn of(&self, source: MountSource) -> Mount {
        Mount {
            source,
            target: self.target.clone(),
            read_only: self.read_only,
            place: self.place.clone(),
        }
    }

    fn volume(&self, name: &str) -> Mount {
        self.of(MountSource::Volume { name: name.to_owned(), subpath: self.subpath.clone() })
    }
}

fn mounted(
    pod: &Pod<'_>,
    name: &str,
    said: &Said,
    (contents, volumes): (&Contents<'_>, &mut Volumes),
    mounts: &mut Vec<Mount>,
) {
    let Some(volume) = named(items(pod.spec, "volumes"), name) else {
        let claim = pod.claims.iter().find(|claim| {
            at(claim, &["metadata"])
                .and_then(|it| text(it, "name"))
                .is_some_and(|it| it.value == name)
        });
        if let Some(claim) = claim {
            let name = format!("{}:{name}", pod.name);
            volumes.add(&name, VolumeKind::Claim, &claim.place);
            mounts.push(said.volume(&name));
        } else {
            mounts.push(said.of(MountSource::Other("volume".to_owned())));
        }
        return;
    };
    if let Some(claim) = at(volume, &["persistentVolumeClaim"]) {
        let own = text(claim, "claimName").map(|claim| claim.value).unwrap_or_default();
        volumes.add(&own, VolumeKind::Claim, &claim.place);
        let mut mount = said.volume(&own);
        mount.read_only |= claim.get("readOnly").and_then(Node::as_bool) == Some(true);
        mounts.push(mount);
    } else if let Some(host) = at(volume, &["hostPath"]) {
        mounts.push(said.of(host_path(host, said)));
    } else if let Some(empty) = volume.get("emptyDir") {
        let name = format!("{}:{name}", pod.name);
        let most = text(empty, "sizeLimit");
        let most = most.and_then(|it| Some(Spanned::new(quantity::amount(&it.value)?, it.place)));
        let in_memory = empty.get("medium").and_then(Node::as_str) == Some("Memory");
        volumes.add(&name, VolumeKind::Empty { most, in_memory }, &volume.place);
        mounts.push(said.volume(&name));
    } else if volume.get("ephemeral").is_some() {
        let name = format!("{}:{name}", pod.name);
        volumes.add(&name, VolumeKind::Ephemeral, &volume.place);
        mounts.push(said.volume(&name));
    } else if let Some(texts) = texts(pod, volume, contents) {
        copied(&texts, said, mounts);
    } else if let Some(share) = volume.get("nfs") {
        let of = |key: &str| text(share, key).map(|it| it.value).unwrap_or_default();
        let name = format!("{}:{}", of("server"), of("path"));
        volumes.add(&name, VolumeKind::Claim, &volume.place);
        mounts.push(said.volume(&name));
    } else if volume.get("csi").is_some() {
        let name = format!("{}:{name}", pod.name);
        volumes.add(&name, VolumeKind::Claim, &volume.place);
        mounts.push(said.volume(&name));
    } else {
        let kind = volume.as_mapping().into_iter().flatten().map(|(key, _)| key.as_str());
        let mut kinds = kind.filter(|key| *key != "name");
        let kind = kinds.next_back().unwrap_or("emptyDir");
        if kind == "emptyDir" {
            let name = format!("{}:{name}", pod.name);
            volumes.add(&name, VolumeKind::Empty { most: None, in_memory: false }, &volume.place);
            mounts.push(said.volume(&name));
        } else {
            mounts.push(said.of(MountSource::Other(kind.to_owned())));
        }
    }
}

fn host_path(host: &Node, said: &Said) -> MountSource {
    let path = text(host, "path").map(|path| path.value).unwrap_or_default();
    let path = HostPath::new(clean(Path::new(&path)));
    let kind = host.get("type").and_then(Node::as_str).unwrap_or_default();
    MountSource::Bind {
        path: said.subpath.as_ref().map_or_else(|| path.clone(), |below| path.join(below)),
        create_host_path: matches!(kind, "" | "DirectoryOrCreate" | "FileOrCreate"),
    }
}

/// What a volume of texts holds, by the names of its files, and whether that is all; absent: it is
/// another kind of volume.
struct Texts {
    files: IndexMap<String, Spanned<String>>,
    kind: &'static str,
}

fn texts(pod: &Pod<'_>, volume: &Node, contents: &Contents<'_>) -> Option<Texts> {
    let single = [("configMap", "name", "ConfigMap"), ("secret", "secretName", "Secret")];
    for (key, name, kind) in single {
        if let Some(node) = volume.get(key) {
            let mut texts = Texts { files: IndexMap::new(), kind: key };
            add_texts(node, text(node, name), kind, (pod, contents), &mut texts);
            return Some(texts);
        }
    }
    let projected = volume.get("projected")?;
    let mut texts = Texts { files: IndexMap::new(), kind: "projected" };
    for source in items(projected, "sources") {
        for (key, kind) in [("configMap", "ConfigMap"), ("secret", "Secret")] {
            if let Some(node) = source.get(key) {
                add_texts(node, text(node, "name"), kind, (pod, contents), &mut texts);
            }
        }
    }
    Some(texts)
}

fn add_texts(
    node: &Node,
    name: Option<Spanned<String>>,
    kind: &str,
    (pod, contents): (&Pod<'_>, &Contents<'_>),
    texts: &mut Texts,
) {
    let name = name.map(|name| name.value).unwrap_or_default();
    let Some(held) = contents.get(kind, &name, pod.namespace) else { return };
    let chosen = items(node, "items");
    if chosen.is_empty() {
        let all = held.texts.iter().map(|(key, text)| ((*key).to_owned(), text.clone()));
        texts.files.extend(all);
    }
    let one = |item: &Node, held: &Held<'_>| {
        let key = text(item, "key")?.value;
        let path = text(item, "path").map_or_else(|| key.clone(), |path| path.value);
        Some((path, held.texts.get(key.as_str())?.clone()))
    };
    texts.files.extend(chosen.iter().filter_map(|item| one(item, held)));
}

/// A folder of texts, or one of its files.
fn copied(texts: &Texts, said: &Said, mounts: &mut Vec<Mount>) {
    let file = |text: &Spanned<String>, target: ServicePath| Mount {
        source: MountSource::Copied(Copied::Text(text.clone())),
        target,
        read_only: true,
        place: said.place.clone(),
    };
    let Some(subpath) = &said.subpath else {
        mounts.push(said.of(MountSource::Other(texts.kind.to_owned())));
        let files = texts.files.iter().filter(|(_, text)| !text.value.is_empty());
        mounts.extend(files.map(|(name, text)| file(text, said.target.join(name))));
        return;
    };
    let one = texts.files.get(subpath.to_string_lossy().as_ref());
    mounts.push(match one.filter(|text| !text.value.is_empty()) {
        Some(text) => file(text, said.target.clone()),
        None => said.of(MountSource::Other(texts.kind.to_owned())),
    });
}

impl Volumes {
    /// Notes a volume that is mounted under this name.
    pub(super) fn add(&mut self, name: &str, kind: VolumeKind, place: &Place) {
        self.known.entry(name.to_owned()).or_insert_with(|| Volume {
            name: name.to_owned(),
            external: false,
            device: None,
            kind,
            place: place.clone(),
        });
    }
}
