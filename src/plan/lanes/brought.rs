//! Who else may bring the files of a lane before its engine opens them: a program in front of the engine,
//! and a service that it waits for until that has ended, or says that it is done.

use super::{Artifact, Cached, Traced};
use crate::path::ServicePath;
use crate::plan::engine::{self, Brings, Earlier, Invocation};
use crate::project::mounts::{Located, Standpoint, locate};
use crate::project::{Mount, MountSource, Project, Service};
use crate::source_map::Place;

/// Something that may bring what a lane opens, before its engine is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bringer {
    /// What the service of the lane calls the files; of a repository, its folder in the cache.
    pub path: ServicePath,
    /// Who it is, as the subject of a sentence.
    pub who: String,
    /// Whether its words say that it brings them.
    pub is_said: bool,
    /// The service that it is, if it is another one than the engine's.
    pub service: Option<String>,
    /// What a preflight would have to wait for then, to see the files.
    pub awaited: Option<String>,
    /// Whether preflight is started after that.
    pub is_before_preflight: bool,
    /// Where it is written.
    pub place: Place,
}

impl Bringer {
    /// What to do about something that it may bring.
    #[must_use]
    pub fn nothing_to_do(&self) -> String {
        let can_tell = self.awaited.as_ref();
        let can_tell = can_tell.map(|it| format!("; a preflight that waits {it} can tell"));
        format!("nothing has to be done if it does{}", can_tell.unwrap_or_default())
    }
}

/// What is to be brought.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    /// What the engine calls it.
    path: &'a ServicePath,
    /// The repository that it is the folder of in a cache of the hub; absent: it is in none.
    repository: Option<&'a str>,
}

/// When a service has done what it is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Ended,
    Healthy,
}

/// Those of the artifacts of a lane, and of what it takes from caches.
pub(super) fn of(
    project: &Project,
    invocation: Option<&Invocation>,
    (artifacts, cached): (&[Artifact], &[Cached]),
) -> Vec<Bringer> {
    let artifacts = artifacts.iter().filter_map(|artifact| {
        let Traced { value: located, .. } = &artifact.located;
        let path = located.service_path.as_ref()?;
        bringer(project, invocation, located, Wanted { path, repository: None })
    });
    let cached = cached.iter().filter_map(|cached| {
        let path = &cached.folder_in_service()?;
        let wanted = Wanted { path, repository: Some(&cached.repository) };
        bringer(project, invocation, cached.places.first()?, wanted)
    });
    artifacts.chain(cached).collect()
}

/// Who brings something that is at, or below, `located`.
fn bringer(
    project: &Project,
    invocation: Option<&Invocation>,
    located: &Located,
    wanted: Wanted<'_>,
) -> Option<Bringer> {
    let service = project.service(located.service.as_ref()?)?;
    let can_write = match &located.mount {
        Some(mount) => !mount.read_only,
        None => service.read_only_root.is_none(),
    };
    let own = invocation.filter(|_| can_write);
    let own = own.and_then(|invocation| in_front(service, invocation, wanted));
    match own {
        Some(own) if own.is_said => Some(own),
        own => by_another(project, service, wanted).or(own),
    }
}

/// Whether a program of `service` brings it, which that calls `theirs`.
fn asked(
    earlier: &Earlier,
    service: &Service,
    theirs: &ServicePath,
    wanted: Wanted<'_>,
) -> Option<Brings> {
    match wanted.repository {
        Some(repository) => earlier.fills(repository, theirs, engine::said_cache(service).as_ref()),
        None => earlier.brings(theirs),
    }
}

/// The program that the service runs before its engine.
fn in_front(service: &Service, invocation: &Invocation, wanted: Wanted<'_>) -> Option<Bringer> {
    let brings = |it: &Earlier| asked(it, service, wanted.path, wanted);
    let all = invocation.before.iter().filter_map(|it| Some((brings(it)?, it)));
    let (brings, earlier) = all.max_by_key(|(brings, _)| *brings)?;
    Some(Bringer {
        path: wanted.path.clone(),
        who: format!(
            "`{}`, which `{}` runs before its engine,",
            earlier.program, service.name.value
        ),
        is_said: brings == Brings::Said,
        service: None,
        awaited: None,
        is_before_preflight: false,
        place: earlier.place.clone(),
    })
}

/// The service that may bring it and that `service` waits for.
fn by_another(project: &Project, service: &Service, wanted: Wanted<'_>) -> Option<Bringer> {
    let located = locate(project, service, &Standpoint::Host, wanted.path);
    let found = before(project, service).into_iter().filter_map(|(other, until)| {
        let theirs = other.mounts.iter().find_map(|mount| reached(mount, &located))?;
        let all = engine::programs(other);
        let brings = all.iter().filter_map(|it| Some((asked(it, other, &theirs, wanted)?, it)));
        let (brings, earlier) = brings.max_by_key(|(brings, _)| *brings)?;
        let brings = if until == Until::Ended || tells_of(other, &theirs) {
            brings
        } else {
            Brings::Perhaps
        };
        Some((brings, other, until, earlier.place.clone()))
    });
    let (brings, other, until, place) = found.max_by_key(|(brings, ..)| *brings)?;
    let name = &other.name.value;
    let (state, awaited) = match until {
        Until::Ended => ("has ended", format!("for the end of `{name}`")),
        Until::Healthy => ("is healthy", format!("until `{name}` is healthy")),
    };
    // Compose calls a provider before any container is started, whatever that depends on.
    let mut own = project.services.iter().filter(|it| it.is_preflight() && !it.has_own_provider());
    let is_ours = |own: &Service| before(project, own).iter().any(|(it, _)| it.name.value == *name);
    Some(Bringer {
        path: wanted.path.clone(),
        who: format!("`{name}`, which {state} when `{}` starts,", service.name.value),
        is_said: brings == Brings::Said,
        service: Some(name.clone()),
        awaited: Some(awaited),
        is_before_preflight: own.any(is_ours),
        place,
    })
}

/// Those that have done what `service` waits for when it starts. A preflight that judges brings what it has
/// a source of, and has said what is missing; an engine brings nothing to others.
fn before<'a>(project: &'a Project, service: &'a Service) -> Vec<(&'a Service, Until)> {
    let ended = project.ended_before(service).into_iter().map(|it| (it, Until::Ended));
    let healthy = project.healthy_before(service).into_iter();
    let healthy = healthy.filter(|it| engine::invocation(it).is_none());
    let all = ended.chain(healthy.map(|it| (it, Until::Healthy)));
    all.filter(|(it, _)| !it.is_preflight()).collect()
}

/// Whether the health check of a service asks for a file by its name, or for something in its folder: what
/// is healthy then has brought it.
fn tells_of(service: &Service, path: &ServicePath) -> bool {
    let folder = path.as_path().parent().filter(|folder| folder.parent().is_some());
    let asked = [Some(path.as_path()), folder].into_iter().flatten().filter_map(|it| it.to_str());
    let asked: Vec<&str> = asked.collect();
    let words = service.health_check.iter().flat_map(|check| &check.value);
    words.into_iter().any(|word| asked.iter().any(|path| word.contains(path)))
}

/// What a service calls the files by that mount, if it may write there.
fn reached(mount: &Mount, located: &Located) -> Option<ServicePath> {
    if mount.read_only {
        return None;
    }
    match &mount.source {
        MountSource::Bind { path: folder, .. } => {
            let below =
                located.host_path.as_ref()?.as_path().strip_prefix(folder.as_path()).ok()?;
            Some(mount.target.join(below))
        }
        MountSource::Volume { name, subpath } => {
            let own = located.mount.as_ref()?;
            let MountSource::Volume { name: own_name, subpath: own_subpath } = &own.source else {
                return None;
            };
            let behind = located.service_path.as_ref()?.below(&own.target)?;
            let within = own_subpath.as_deref().unwrap_or("".as_ref()).join(behind);
            let below = within.strip_prefix(subpath.as_deref().unwrap_or("".as_ref())).ok()?;
            (own_name == name).then(|| mount.target.join(below))
        }
        MountSource::Anonymous
        | MountSource::Tmpfs
        | MountSource::Copied(_)
        | MountSource::Other(_) => None,
    }
}
