//! One file, three names: from a path inside a service to the host and to this process.
//!
//! Pure: translates by the longest mount prefix and never looks at the disk.

use std::path::{Path, PathBuf};

use crate::path::{HostPath, LocalPath, ServicePath};
use crate::project::{Copied, Mount, MountSource, Project, Service};

/// Where something is, in all three spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The service in whose space [`Located::service_path`] is; absent for a lane without one.
    pub service: Option<String>,
    /// As the engine opens it; absent for a lane without a service.
    pub service_path: Option<ServicePath>,
    /// On the Docker host; absent when no mount says.
    pub host_path: Option<HostPath>,
    /// As this process can open it.
    pub sight: Sight,
    /// The mount that the service reaches it through.
    pub mount: Option<Mount>,
}

impl Located {
    /// Whether it is a file that holds what a variable holds which is not set here.
    #[must_use]
    pub fn holds_variable(&self) -> bool {
        self.mount
            .as_ref()
            .is_some_and(|mount| matches!(mount.source, MountSource::Copied(Copied::Variable(_))))
    }
}

/// Whether this process can open a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Yes, here.
    Visible {
        /// The path itself.
        path: LocalPath,
        /// The root of the mount that it is below: where a fabricated folder would be.
        root: LocalPath,
        /// Where this process has it mounted, or what the mount of its service names: what is above
        /// belongs to whoever runs Docker, and what is below may belong to others.
        mounted_at: LocalPath,
        /// Whether this process may not write below it, because its own mount says so.
        read_only: bool,
    },
    /// What it holds stands in the project: Compose copies it into the container.
    Written,
    /// No mount of the service reaches it: it would be in the container's own file system.
    NotMounted,
    /// It is not there, because a tmpfs that is empty at every start lies over it.
    Covered,
    /// Preflight has not mounted it, so nothing can be said about it.
    Hidden(String),
}

/// How this process sees the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standpoint {
    /// On the host itself: every host path is a local path.
    Host,
    /// In a container, through its own mounts.
    Container(Vec<Mount>),
    /// On another machine, or on one that cannot be told from another: no path of the host is a
    /// local one. Where Docker is, as configured.
    Elsewhere(String),
    /// In the place of the one service that there is: what that calls a file, this process calls so too.
    /// Where something is mounted, the root among them.
    Inside(Vec<MountPoint>),
}

/// Where something is mounted in this process's own file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint {
    /// The folder or file.
    pub at: LocalPath,
    /// Whether it may not be written to.
    pub read_only: bool,
}

/// What a path leads to outside the container.
enum Outside {
    Host {
        path: HostPath,
        root: HostPath,
    },
    Volume {
        name: String,
        below: PathBuf,
    },
    /// In the project itself.
    Written,
    /// In memory that nothing is in yet.
    Memory,
    Nowhere(String),
}

/// Where `path` of `service` is.
#[must_use]
pub fn locate(
    project: &Project,
    service: &Service,
    standpoint: &Standpoint,
    path: &ServicePath,
) -> Located {
    let mut located = Located {
        service: Some(service.name.value.clone()),
        service_path: Some(path.clone()),
        host_path: None,
        sight: Sight::NotMounted,
        mount: None,
    };
    if let Standpoint::Inside(own) = standpoint {
        located.sight = own_sight(own, path);
        return located;
    }
    let Some((mount, below)) = longest(&service.mounts, path) else {
        if service.pod.as_ref().is_some_and(|pod| pod.is_open) {
            located.sight = Sight::Hidden("whoever makes the Pod may mount it".to_owned());
        }
        return located;
    };
    located.mount = Some(mount.clone());
    match outside(project, mount, below) {
        Outside::Host { path, root } => {
            located.sight = standpoint.see_host(project, &path, &root);
            located.host_path = Some(path);
        }
        Outside::Volume { name, below } => {
            located.sight = standpoint.see_volume(project, &name, &below);
        }
        Outside::Written => located.sight = Sight::Written,
        Outside::Memory => located.sight = Sight::Covered,
        Outside::Nowhere(what) => {
            located.sight = Sight::Hidden(format!("`{}` {what}", mount.target));
        }
    }
    located
}

/// A path of the service in whose place this process is.
fn own_sight(mounted: &[MountPoint], path: &ServicePath) -> Sight {
    let above = mounted.iter().filter(|point| path.as_path().starts_with(point.at.as_path()));
    let nearest = above.max_by_key(|point| point.at.as_path().components().count());
    let root = nearest.map_or_else(|| LocalPath::new("/"), |point| point.at.clone());
    Sight::Visible {
        path: LocalPath::new(path.as_path()),
        mounted_at: root.clone(),
        root,
        read_only: nearest.is_some_and(|point| point.read_only),
    }
}

/// Where a path of the host is, for a lane that no service opens yet.
#[must_use]
pub fn locate_on_host(
    project: &Project,
    standpoint: &Standpoint,
    path: &HostPath,
    root: &HostPath,
) -> Located {
    Located {
        service: None,
        service_path: None,
        host_path: Some(path.clone()),
        sight: standpoint.see_host(project, path, root),
        mount: None,
    }
}

/// What `service` calls a path of the host; absent when none of its mounts shows it.
#[must_use]
pub fn service_path(project: &Project, service: &Service, host: &HostPath) -> Option<ServicePath> {
    service.mounts.iter().rev().find_map(|mount| match outside(project, mount, Path::new("")) {
        Outside::Host { path, .. } => host
            .below(&path)
            .filter(|below| !is_hidden(&service.mounts, mount, below))
            .map(|below| mount.target.join(below)),
        Outside::Volume { .. } | Outside::Written | Outside::Memory | Outside::Nowhere(_) => None,
    })
}

/// Whether a volume without a name lies over another mount, where `path` would be: nothing is in it
/// but what the image has there.
#[must_use]
pub fn lies_over_another(service: &Service, path: &ServicePath) -> bool {
    longest(&service.mounts, path).is_some_and(|(mount, _)| {
        mount.source == MountSource::Anonymous && is_below_another(&service.mounts, &mount.target)
    })
}

/// Whether `target` is inside of what one of the mounts shows.
#[must_use]
pub fn is_below_another(mounts: &[Mount], target: &ServicePath) -> bool {
    mounts.iter().any(|mount| mount.target != *target && target.below(&mount.target).is_some())
}

/// The mount whose target is the longest prefix of `path`, and what is left behind it. Of equal
/// targets the last one hides the others. What is copied into a container lies below its memory,
/// which is mounted last.
fn longest<'a>(mounts: &'a [Mount], path: &'a ServicePath) -> Option<(&'a Mount, &'a Path)> {
    let depth = |mount: &Mount| mount.target.as_path().components().count();
    let reaching =
        || mounts.iter().filter_map(|mount| path.below(&mount.target).map(|below| (mount, below)));
    let longest = reaching().max_by_key(|(mount, _)| depth(mount))?;
    if !matches!(longest.0.source, MountSource::Copied(_)) {
        return Some(longest);
    }
    let others = reaching().filter(|(mount, _)| !matches!(mount.source, MountSource::Copied(_)));
    let above = others.max_by_key(|(mount, _)| depth(mount));
    Some(above.filter(|(mount, _)| mount.source == MountSource::Tmpfs).unwrap_or(longest))
}

fn outside(project: &Project, mount: &Mount, below: &Path) -> Outside {
    match &mount.source {
        MountSource::Bind { path, .. } => {
            Outside::Host { path: path.join(below), root: path.clone() }
        }
        MountSource::Volume { name, subpath } => {
            let below = subpath.as_deref().unwrap_or(Path::new("")).join(below);
            match project.volume(name).and_then(|volume| volume.device.as_ref()) {
                Some(device) if !device.value.as_path().is_absolute() => Outside::Nowhere(format!(
                    "has the relative device `{}`, which Docker cannot mount",
                    device.value
                )),
                Some(device) => {
                    Outside::Host { path: device.value.join(&below), root: device.value.clone() }
                }
                None => Outside::Volume { name: name.clone(), below },
            }
        }
        MountSource::Anonymous => {
            Outside::Nowhere("is an anonymous volume, empty at every start".to_owned())
        }
        MountSource::Tmpfs => Outside::Memory,
        MountSource::Copied(Copied::Text(text)) if text.value.is_empty() => {
            Outside::Nowhere("has no content, and of an empty one Compose makes no file".to_owned())
        }
        MountSource::Copied(Copied::Text(_)) => Outside::Written,
        MountSource::Copied(Copied::Variable(name)) => Outside::Nowhere(format!(
            "holds what the variable `{}` holds when Compose is called, which is not set here",
            name.value
        )),
        MountSource::Other(_) => {
            Outside::Nowhere("is a mount that cannot be looked into".to_owned())
        }
    }
}

impl Standpoint {
    /// How this process sees a path of the host, which is below the mount source `root`.
    fn see_host(&self, project: &Project, path: &HostPath, root: &HostPath) -> Sight {
        let own = match self {
            Self::Host => {
                return Sight::Visible {
                    path: LocalPath::new(path.as_path()),
                    root: LocalPath::new(root.as_path()),
                    mounted_at: LocalPath::new(root.as_path()),
                    read_only: false,
                };
            }
            Self::Container(own) => own,
            Self::Elsewhere(_) => {
                return Sight::Hidden(project.dialect.words().host_is_elsewhere.to_owned());
            }
            Self::Inside(_) => {
                return Sight::Hidden(
                    "the host is not seen from the engine's own place".to_owned(),
                );
            }
        };
        own.iter()
            .filter_map(|mount| match outside(project, mount, Path::new("")) {
                Outside::Host { path: source, .. } => {
                    let below = path.below(&source)?.to_path_buf();
                    Some((source.as_path().components().count(), mount, below))
                }
                Outside::Volume { .. }
                | Outside::Written
                | Outside::Memory
                | Outside::Nowhere(_) => None,
            })
            .filter(|(_, mount, below)| !is_hidden(own, mount, below))
            .max_by_key(|(depth, ..)| *depth)
            .map_or_else(
                || Sight::Hidden(format!("preflight has not mounted `{path}`")),
                |(_, mount, below)| {
                    // Of preflight's mount and the service's, the root of the smaller one.
                    let inside = path.below(root).map_or(0, |below| below.components().count());
                    let local = mount.target.join(&below);
                    let depth = below.components().count().saturating_sub(inside);
                    let above: PathBuf = below.components().take(depth).collect();
                    Sight::Visible {
                        path: LocalPath::new(local.as_path()),
                        root: LocalPath::new(mount.target.as_path()).join(above),
                        mounted_at: LocalPath::new(mount.target.as_path()),
                        read_only: mount.read_only,
                    }
                },
            )
    }

    fn see_volume(&self, project: &Project, name: &str, below: &Path) -> Sight {
        let own = match self {
            Self::Host | Self::Elsewhere(_) | Self::Inside(_) => {
                let why = project.dialect.words().volume_is_elsewhere;
                return Sight::Hidden(format!("volume `{name}` {why}"));
            }
            Self::Container(own) => own,
        };
        own.iter()
            .filter_map(|mount| match &mount.source {
                MountSource::Volume { name: own, subpath } if own == name => {
                    let below = below.strip_prefix(subpath.as_deref().unwrap_or(Path::new("")));
                    below.ok().map(|below| (mount, below))
                }
                MountSource::Volume { .. }
                | MountSource::Bind { .. }
                | MountSource::Anonymous
                | MountSource::Tmpfs
                | MountSource::Copied(_)
                | MountSource::Other(_) => None,
            })
            .find(|(mount, below)| !is_hidden(own, mount, below))
            .map_or_else(
                || Sight::Hidden(format!("preflight has not mounted volume `{name}`")),
                |(mount, below)| visible(mount, below),
            )
    }
}

/// Whether another mount lies over what `mount` shows at `below`.
fn is_hidden(mounts: &[Mount], mount: &Mount, below: &Path) -> bool {
    let shown = mount.target.join(below);
    longest(mounts, &shown).is_some_and(|(shows, _)| shows.target != mount.target)
}

fn visible(mount: &Mount, below: &Path) -> Sight {
    let root = LocalPath::new(mount.target.as_path());
    let (path, mounted_at) = (root.join(below), root.clone());
    Sight::Visible { path, root, mounted_at, read_only: mount.read_only }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::project::{Dialect, Volume, VolumeKind};
    use crate::source_map::{Place, Spanned};

    fn bind(source: &str, target: &str) -> Mount {
        Mount {
            source: MountSource::Bind { path: HostPath::new(source), create_host_path: true },
            target: ServicePath::new(target),
            read_only: false,
            place: Place::nowhere(),
        }
    }

    fn volume(name: &str, target: &str) -> Mount {
        let source = MountSource::Volume { name: name.to_owned(), subpath: None };
        Mount { source, ..bind("", target) }
    }

    fn project() -> Project {
        let weights = Volume {
            name: "p_weights".to_owned(),
            external: false,
            device: Some(Spanned::nowhere(HostPath::new("/data/weights"))),
            kind: VolumeKind::Engine,
            place: Place::nowhere(),
        };
        Project {
            directory: HostPath::new("/p"),
            volumes: IndexMap::from([("weights".to_owned(), weights)]),
            ..Project::empty()
        }
    }

    fn check(mounts: &[Mount], standpoint: &Standpoint, path: &str, host: &str, local: &str) {
        let service = Service {
            mounts: mounts.to_vec(),
            ..Service::named(Spanned::nowhere("engine".to_owned()))
        };
        let located = locate(&project(), &service, standpoint, &ServicePath::new(path));
        let host_path = located.host_path.map(|path| path.to_string()).unwrap_or_default();
        let sight = match located.sight {
            Sight::Visible { path, .. } => path.to_string(),
            Sight::Written => "written".to_owned(),
            Sight::NotMounted => "not mounted".to_owned(),
            Sight::Covered => "covered".to_owned(),
            Sight::Hidden(why) => why,
        };
        assert_eq!((host_path.as_str(), sight.as_str()), (host, local), "{path}");
    }

    #[test]
    fn the_longest_target_wins_and_a_sibling_with_the_same_prefix_does_not() {
        let mounts = [bind("/data", "/models"), bind("/fast", "/models/gguf")];
        let host = &Standpoint::Host;
        check(&mounts, host, "/models/vllm/a", "/data/vllm/a", "/data/vllm/a");
        check(&mounts, host, "/models/gguf/a", "/fast/a", "/fast/a");
        check(&mounts, host, "/models/gguf", "/fast", "/fast");
        check(&mounts, host, "/models-2/a", "", "not mounted");
    }

    #[test]
    fn a_container_sees_the_host_through_its_own_mounts() {
        let own = Standpoint::Container(vec![bind("/data", "/m"), volume("p_cache", "/c")]);
        let mounts =
            [bind("/data/gguf", "/models"), bind("/other", "/other"), volume("p_cache", "/cache")];
        check(&mounts, &own, "/models/a.gguf", "/data/gguf/a.gguf", "/m/gguf/a.gguf");
        check(&mounts, &own, "/other/a", "/other/a", "preflight has not mounted `/other/a`");
        check(&mounts, &own, "/cache/a", "", "/c/a");
    }

    #[test]
    fn in_the_place_of_a_service_its_paths_are_the_own_ones() {
        let point = |at: &str| MountPoint { at: LocalPath::new(at), read_only: at == "/models" };
        let inside = Standpoint::Inside(vec![point("/"), point("/models")]);
        check(&[], &inside, "/models/a", "", "/models/a");
        check(&[bind("/data", "/models")], &inside, "/models/a", "", "/models/a");
        let sight = |path: &str| match own_sight(
            &[point("/"), point("/models")],
            &ServicePath::new(path),
        ) {
            Sight::Visible { root, read_only, .. } => Some((root.to_string(), read_only)),
            Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_) => None,
        };
        assert_eq!(sight("/models/a"), Some(("/models".to_owned(), true)));
        assert_eq!(sight("/models-2/a"), Some(("/".to_owned(), false)));
    }

    #[test]
    fn from_another_machine_than_docker_s_nothing_is_seen() {
        let away = Standpoint::Elsewhere("tcp://box:2375".to_owned());
        let why = Dialect::Compose.words().host_is_elsewhere;
        check(&[bind("/data", "/models")], &away, "/models/a", "/data/a", why);
        check(&[volume("p_plain", "/p")], &away, "/p/a", "", "volume `p_plain` belongs to Docker");
        check(&[], &away, "/models/a", "", "not mounted");
    }

    #[test]
    fn below_a_tmpfs_only_a_deeper_mount_shows_anything() {
        let memory = |target: &str| Mount { source: MountSource::Tmpfs, ..bind("", target) };
        let copied = |target: &str| {
            let text = Copied::Text(Spanned::nowhere("x".to_owned()));
            Mount { source: MountSource::Copied(text), ..bind("", target) }
        };
        let mounts = [
            bind("/data", "/models"),
            memory("/models/gguf"),
            bind("/fast", "/models/gguf/fast"),
            copied("/models/gguf/x.ini"),
            copied("/models/x.ini"),
        ];
        let host = &Standpoint::Host;
        check(&mounts, host, "/models/a", "/data/a", "/data/a");
        check(&mounts, host, "/models/gguf/a", "", "covered");
        check(&mounts, host, "/models/gguf/fast/a", "/fast/a", "/fast/a");
        check(&mounts, host, "/models/x.ini", "", "written");
        // The memory is mounted when the container starts, over what was copied before.
        check(&mounts, host, "/models/gguf/x.ini", "", "covered");
    }

    #[test]
    fn a_volume_with_a_device_is_a_folder_of_the_host() {
        let mounts = [volume("p_weights", "/w"), volume("p_plain", "/p")];
        check(&mounts, &Standpoint::Host, "/w/a", "/data/weights/a", "/data/weights/a");
        check(&mounts, &Standpoint::Host, "/p/a", "", "volume `p_plain` belongs to Docker");
    }

    #[test]
    fn a_container_that_mounts_the_volume_of_a_device_sees_the_folder_of_the_host() {
        let own = Standpoint::Container(vec![volume("p_weights", "/models")]);
        check(&[volume("p_weights", "/w")], &own, "/w/a", "/data/weights/a", "/models/a");
        check(&[bind("/data/weights/x", "/x")], &own, "/x/a", "/data/weights/x/a", "/models/x/a");
    }

    #[test]
    fn what_another_mount_of_preflight_lies_over_is_not_looked_at_there() {
        let own = Standpoint::Container(vec![bind("/data", "/m"), bind("/fast", "/m/gguf")]);
        let mounts = [bind("/data", "/models")];
        let unseen = "preflight has not mounted `/data/gguf/a`";
        check(&mounts, &own, "/models/gguf/a", "/data/gguf/a", unseen);
        check(&mounts, &own, "/models/vllm/a", "/data/vllm/a", "/m/vllm/a");
    }

    #[test]
    fn a_folder_of_a_volume_is_seen_through_the_same_folder_alone() {
        let part = |target: &str, folder: &str| {
            let source = MountSource::Volume {
                name: "p_plain".to_owned(),
                subpath: Some(PathBuf::from(folder)),
            };
            Mount { source, ..bind("", target) }
        };
        let own = Standpoint::Container(vec![part("/m", "gguf")]);
        check(&[part("/models", "gguf/x")], &own, "/models/a", "", "/m/x/a");
        let unseen = "preflight has not mounted volume `p_plain`";
        check(&[part("/models", "vllm")], &own, "/models/a", "", unseen);
    }

    #[test]
    fn a_host_path_is_translated_back_into_the_service() {
        let service = Service {
            mounts: vec![bind("/data", "/models"), volume("p_weights", "/w")],
            ..Service::named(Spanned::nowhere("engine".to_owned()))
        };
        let back = |host: &str| service_path(&project(), &service, &HostPath::new(host));
        assert_eq!(back("/data/gguf/a"), Some(ServicePath::new("/models/gguf/a")));
        assert_eq!(back("/data/weights/a"), Some(ServicePath::new("/w/a")));
        assert_eq!(back("/elsewhere"), None);
    }
}
