//! A normalised service as a typed [`Service`].

use std::path::PathBuf;

use super::attribute::{command_words, plain};
use super::command;
use super::fault::Fault;
use super::resolve;
use super::tree::{Entry, Kind, Node};
use super::validate::{entries, items};
use crate::path::{HostPath, ServicePath, clean};
use crate::project::{
    Copied, Dependency, Line, Mount, MountSource, Port, Service, Volume, VolumeKind,
};
use crate::source_map::{Place, Spanned};

/// The typed service; environment, labels and inherited mounts are added by the caller.
pub(super) fn service(name: &str, entry: &Entry, root: &Node) -> Result<Service, Fault> {
    let node = &entry.value;
    let mut service = Service::named(Spanned::new(name.to_owned(), entry.key_place()));
    service.image = text(node.get("image"));
    service.has_image = node.get("build").is_some_and(|build| !build.is_null());
    service.entrypoint = words(name, node, "entrypoint")?;
    service.command = words(name, node, "command")?;
    service.lines = ["entrypoint", "command"].iter().filter_map(|key| line(node, key)).collect();
    service.user = text(node.get("user"));
    service.group_add = items(node.get("group_add")).iter().filter_map(Node::printed).collect();
    service.root_reads_all = root_reads_all(node);
    service.restart = restart(node);
    service.provider = node.get("provider").and_then(|provider| text(provider.get("type")));
    service.working_dir = node
        .get("working_dir")
        .and_then(Node::as_str)
        .filter(|path| !path.is_empty())
        .map(|path| ServicePath::new(clean(path.as_ref())));
    service.depends_on = dependencies(node);
    service.ports = items(node.get("ports")).iter().filter_map(port).collect();
    service.health_check = health_check(node);
    service.has_device = has_device(node);
    service.read_only_root = true_at(node.get("read_only"));
    service.mounts = mounts(node, root)?;
    if let Some(extension) = node.get("x-preflight") {
        let value = plain(extension);
        service.extension = Some(Spanned::new(value, extension.place.clone()));
        service.extension_places = resolve::places(extension);
    }
    Ok(service)
}

/// `deploy.restart_policy` wins over `restart`, and has other words for the same. Without a condition
/// it means no restart at all (docker/compose 2.40.3 pkg/compose/create.go, `getRestartPolicy`).
fn restart(node: &Node) -> Option<Spanned<String>> {
    let policy = node.get("deploy").and_then(|deploy| deploy.get("restart_policy"));
    let Some(policy) = policy.filter(|policy| !policy.is_null()) else {
        return text(node.get("restart"));
    };
    let condition = policy.get("condition");
    let place = condition.map_or(&policy.place, |condition| &condition.place);
    let name = match condition.and_then(Node::as_str).unwrap_or_default() {
        "any" => "always",
        "none" | "" => "no",
        other => other,
    };
    let attempts = policy.get("max_attempts").and_then(Node::printed);
    let attempts = attempts.filter(|attempts| attempts != "0" && name == "on-failure");
    let attempts = attempts.map(|attempts| format!(":{attempts}")).unwrap_or_default();
    Some(Spanned::new(format!("{name}{attempts}"), place.clone()))
}

fn true_at(node: Option<&Node>) -> Option<Place> {
    node.filter(|node| node.as_bool() == Some(true)).map(|node| node.place.clone())
}

fn has_device(node: &Node) -> bool {
    let reserved = ["resources", "reservations", "devices"];
    let reserved = reserved.iter().try_fold(node.get("deploy"), |node, key| Some(node?.get(key)));
    let lists = [node.get("gpus"), node.get("devices"), reserved.flatten()];
    node.get("runtime").is_some() || lists.into_iter().any(|list| !items(list).is_empty())
}

/// Whether a service has a capability that lets root read what others own. With `ALL` in `cap_add` it
/// has what is not dropped, with `ALL` in `cap_drop` what is added, else Docker's own ones, of which
/// `DAC_OVERRIDE` is one (moby 28, `oci/caps/utils.go`, `TweakCapabilities`).
fn root_reads_all(node: &Node) -> bool {
    if node.get("privileged").and_then(Node::as_bool) == Some(true) {
        return true;
    }
    let names = |key: &str| -> Vec<String> {
        let printed = items(node.get(key)).iter().filter_map(Node::printed);
        printed.map(|name| name.to_uppercase().trim_start_matches("CAP_").to_owned()).collect()
    };
    let (added, dropped) = (names("cap_add"), names("cap_drop"));
    let has = |list: &[String], name: &str| list.iter().any(|other| other == name);
    if has(&added, "ALL") {
        return !(has(&dropped, "DAC_OVERRIDE") && has(&dropped, "DAC_READ_SEARCH"));
    }
    let added = has(&added, "DAC_OVERRIDE") || has(&added, "DAC_READ_SEARCH");
    added || !(has(&dropped, "ALL") || has(&dropped, "DAC_OVERRIDE"))
}

fn text(node: Option<&Node>) -> Option<Spanned<String>> {
    let node = node?;
    let text = node.printed().filter(|text| !text.is_empty())?;
    Some(Spanned::new(text, node.place.clone()))
}

fn words(service: &str, node: &Node, key: &str) -> Result<Option<Vec<Spanned<String>>>, Fault> {
    let Some(node) = node.get(key).filter(|node| !node.is_null()) else { return Ok(None) };
    let words = command_words(&format!("services.{service}.{key}"), node)?;
    let items = node.as_sequence().unwrap_or_default();
    let spanned = words.into_iter().enumerate().map(|(index, word)| {
        let place = items.get(index).map_or(&node.place, |item| &item.place);
        Spanned::new(word, place.clone())
    });
    Ok(Some(spanned.collect()))
}

fn line(service: &Node, key: &'static str) -> Option<Line> {
    let node = service.get(key)?;
    let text = node.as_str()?;
    let cut_at = command::cut_at(text).map(str::to_owned);
    Some(Line { key, text: Spanned::new(text.to_owned(), node.place.clone()), cut_at })
}

fn dependencies(node: &Node) -> Vec<Dependency> {
    let edges = node.get("depends_on").and_then(Node::as_mapping);
    edges
        .into_iter()
        .flatten()
        .map(|(service, entry)| {
            let condition = entry.value.get("condition").and_then(Node::as_str);
            Dependency {
                service: service.clone(),
                condition: condition.unwrap_or("service_started").to_owned(),
                required: entry.value.get("required").and_then(Node::as_bool) != Some(false),
                place: entry.key_place(),
            }
        })
        .collect()
}

fn port(node: &Node) -> Option<Port> {
    let number = |key: &str| {
        let text = node.get(key)?.printed()?;
        text.split('-').next()?.parse::<u16>().ok()
    };
    Some(Port {
        target: number("target")?,
        published: number("published"),
        is_fixed: is_fixed(node),
        host_ip: node.get("host_ip").and_then(Node::as_str).map(str::to_owned),
        place: node.place.clone(),
    })
}

fn is_fixed(port: &Node) -> bool {
    let text = |key: &str| port.get(key).and_then(Node::printed);
    let is_one = text("published").is_some_and(|published| !published.contains('-'));
    is_one && text("protocol").is_none_or(|protocol| protocol == "tcp")
}

fn health_check(service: &Node) -> Option<Spanned<Vec<String>>> {
    let test = service.get("healthcheck")?.get("test")?;
    let words = match test.as_str() {
        Some(line) => vec!["CMD-SHELL".to_owned(), line.to_owned()],
        None => items(Some(test)).iter().filter_map(Node::printed).collect(),
    };
    Some(Spanned::new(words, test.place.clone()))
}

fn mounts(node: &Node, root: &Node) -> Result<Vec<Mount>, Fault> {
    let mut mounts = Vec::new();
    for mount in items(node.get("volumes")) {
        mounts.push(volume_mount(mount, root)?);
    }
    let single = node.get("tmpfs").filter(|tmpfs| tmpfs.as_str().is_some());
    let tmpfs = single.map_or_else(|| items(node.get("tmpfs")), std::slice::from_ref);
    for item in tmpfs {
        let target = item.as_str().and_then(|text| text.split(':').next()).unwrap_or_default();
        mounts.push(Mount {
            source: MountSource::Tmpfs,
            target: service_path(target),
            read_only: false,
            place: item.place.clone(),
        });
    }
    for (section, folder) in [("configs", "/"), ("secrets", "/run/secrets/")] {
        for mount in items(node.get(section)) {
            mounts.push(file_mount(mount, root.get(section), section, folder));
        }
    }
    if node.get("use_api_socket").and_then(Node::as_bool) == Some(true) {
        let socket = "/var/run/docker.sock";
        mounts.push(Mount {
            source: MountSource::Bind { path: HostPath::new(socket), create_host_path: false },
            target: ServicePath::new(socket),
            read_only: false,
            place: Place::nowhere(),
        });
    }
    Ok(mounts)
}

fn service_path(path: &str) -> ServicePath {
    ServicePath::new(clean(path.as_ref()))
}

fn volume_mount(mount: &Node, root: &Node) -> Result<Mount, Fault> {
    let string = |key: &str| mount.get(key).and_then(Node::as_str).filter(|text| !text.is_empty());
    let option = |section: &str, key: &str| mount.get(section).and_then(|s| s.get(key)).cloned();
    let Some(target) = string("target") else {
        return Err(mount.refuse("the mount has no `target`"));
    };
    let Some(kind) = string("type") else {
        return Err(mount
            .refuse("the mount has no `type`")
            .hint("write `type: bind` or `type: volume`"));
    };
    let source = match (kind, string("source")) {
        ("bind", Some(path)) => {
            let create = option("bind", "create_host_path").and_then(|node| node.as_bool());
            // Without `bind:` Docker is asked in a way that makes missing folders.
            let create_host_path = create.unwrap_or_else(|| mount.get("bind").is_none());
            MountSource::Bind { path: HostPath::new(path), create_host_path }
        }
        ("volume", Some(key)) => {
            let name = root
                .get("volumes")
                .and_then(|volumes| volumes.get(key))
                .and_then(|volume| volume.get("name"))
                .and_then(Node::printed);
            let subpath = option("volume", "subpath");
            let subpath = subpath.as_ref().and_then(Node::as_str).filter(|path| !path.is_empty());
            MountSource::Volume {
                name: name.unwrap_or_else(|| key.to_owned()),
                subpath: subpath.map(PathBuf::from),
            }
        }
        ("volume", None) => MountSource::Anonymous,
        ("tmpfs", _) => MountSource::Tmpfs,
        (other, _) => MountSource::Other(other.to_owned()),
    };
    Ok(Mount {
        source,
        target: service_path(target),
        read_only: mount.get("read_only").and_then(Node::as_bool) == Some(true),
        place: mount.get("source").map_or(&mount.place, |source| &source.place).clone(),
    })
}

/// A config or secret: a read-only bind of its file, or what is copied into the container.
fn file_mount(mount: &Node, resources: Option<&Node>, section: &str, folder: &str) -> Mount {
    let key = mount.get("source").and_then(Node::as_str).unwrap_or_default();
    let resource = resources.and_then(|resources| resources.get(key));
    let file = resource.and_then(|resource| resource.get("file")).and_then(Node::as_str);
    let target = mount.get("target").and_then(Node::as_str).filter(|text| !text.is_empty());
    let target = target.unwrap_or(key);
    let target =
        if target.starts_with('/') { target.to_owned() } else { format!("{folder}{target}") };
    let source = match (file, resource.and_then(copied)) {
        (Some(file), _) => MountSource::Bind { path: HostPath::new(file), create_host_path: false },
        (None, Some(copied)) => MountSource::Copied(copied),
        (None, None) => MountSource::Other(section.trim_end_matches('s').to_owned()),
    };
    Mount { source, target: service_path(&target), read_only: true, place: mount.place.clone() }
}

/// What Compose copies of a config or secret without a file.
fn copied(resource: &Node) -> Option<Copied> {
    let spanned = |node: &Node| Some(Spanned::new(node.as_str()?.to_owned(), node.place.clone()));
    match resource.get("content").and_then(spanned) {
        Some(text) => Some(Copied::Text(text)),
        None => resource.get("environment").and_then(spanned).map(Copied::Variable),
    }
}

/// A top-level volume.
pub(super) fn volume(entry: &Entry) -> Volume {
    let node = &entry.value;
    let options = node.get("driver_opts");
    let option = |key: &str| options.and_then(|options| options.get(key));
    let local = node.get("driver").and_then(Node::as_str).is_none_or(|d| matches!(d, "" | "local"));
    let binds = option("o")
        .and_then(Node::as_str)
        .is_some_and(|options| options.split(',').any(|word| matches!(word, "bind" | "rbind")));
    let device = option("device").filter(|_| local && binds);
    Volume {
        name: node.get("name").and_then(Node::printed).unwrap_or_default(),
        external: node.get("external").and_then(Node::as_bool) == Some(true),
        device: device.and_then(|device| {
            let path = HostPath::new(device.as_str()?);
            Some(Spanned::new(path, device.place.clone()))
        }),
        kind: VolumeKind::Engine,
        place: entry.key_place(),
    }
}

/// The services whose mounts a service inherits, and whether they are read-only for it.
pub(super) fn volumes_from(node: &Node) -> Vec<(String, bool, Place)> {
    items(node.get("volumes_from"))
        .iter()
        .filter_map(|item| {
            let text = item.as_str()?;
            let (name, mode) = text.split_once(':').unwrap_or((text, ""));
            (name != "container").then(|| (name.to_owned(), mode == "ro", item.place.clone()))
        })
        .collect()
}

/// Whether a profile of the list enables the service; one without profiles always is.
pub(super) fn is_enabled(service: &Node, profiles: &[String]) -> bool {
    let own = items(service.get("profiles"));
    own.is_empty()
        || profiles
            .iter()
            .any(|profile| profile == "*" || own.iter().any(|own| own.as_str() == Some(profile)))
}

/// The names of the top-level resources that services use; others are not printed.
pub(super) fn used(section: &str, service: &Node) -> Vec<String> {
    let sources = |mounts: Option<&Node>| -> Vec<String> {
        let names = items(mounts).iter().filter_map(|mount| mount.get("source")?.as_str());
        names.map(str::to_owned).collect()
    };
    match section {
        "networks" => entries(service.get("networks")).map(|(name, _)| name.to_owned()).collect(),
        "volumes" => items(service.get("volumes"))
            .iter()
            .filter(|mount| mount.get("type").and_then(Node::as_str) == Some("volume"))
            .filter_map(|mount| mount.get("source")?.as_str())
            .map(str::to_owned)
            .collect(),
        "secrets" => {
            let mut names = sources(service.get("secrets"));
            names.extend(sources(service.get("build").and_then(|build| build.get("secrets"))));
            names
        }
        _ => sources(service.get(section)),
    }
}

/// Whether a node is a mapping with nothing in it.
pub(super) fn is_empty_document(node: &Node) -> bool {
    matches!(&node.kind, Kind::Mapping(entries) if entries.is_empty())
}
