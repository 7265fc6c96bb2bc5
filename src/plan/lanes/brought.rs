//! Who else may bring the files of a lane before its engine opens them: a program in front of the engine,
//! and a service that has to have ended before it starts.

use super::{Artifact, Traced};
use crate::path::ServicePath;
use crate::plan::engine::{self, Brings, Invocation};
use crate::project::mounts::{Located, Standpoint, locate};
use crate::project::{Mount, MountSource, Project, Service};
use crate::source_map::Place;

/// Something that may bring what a lane opens, before its engine is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bringer {
    /// What the service of the lane calls the files.
    pub path: ServicePath,
    /// Who it is, as the subject of a sentence.
    pub who: String,
    /// Whether its words say that it brings them.
    pub is_said: bool,
    /// The service that it is, if it is another one than the engine's.
    pub service: Option<String>,
    /// Whether preflight is started after its end.
    pub is_before_preflight: bool,
    /// Where it is written.
    pub place: Place,
}

/// Those of the artifacts of a lane.
pub(super) fn of(
    project: &Project,
    invocation: Option<&Invocation>,
    artifacts: &[Artifact],
) -> Vec<Bringer> {
    let found = artifacts.iter().filter_map(|artifact| {
        let Traced { value: located, .. } = &artifact.located;
        let service = project.service(located.service.as_ref()?)?;
        let path = located.service_path.as_ref()?;
        let own = invocation.filter(|_| !located.mount.as_ref().is_some_and(|it| it.read_only));
        let own = own.and_then(|invocation| in_front(service, invocation, path));
        match own {
            Some(own) if own.is_said => Some(own),
            own => ended_before(project, service, path).or(own),
        }
    });
    found.collect()
}

/// The program that the service runs before its engine.
fn in_front(service: &Service, invocation: &Invocation, path: &ServicePath) -> Option<Bringer> {
    let all = invocation.before.iter().filter_map(|it| Some((it.brings(path)?, it)));
    let (brings, earlier) = all.max_by_key(|(brings, _)| *brings)?;
    Some(Bringer {
        path: path.clone(),
        who: format!(
            "`{}`, which `{}` runs before its engine,",
            earlier.program, service.name.value
        ),
        is_said: brings == Brings::Said,
        service: None,
        is_before_preflight: false,
        place: earlier.place.clone(),
    })
}

/// The service that may bring `path` and that `service` waits for the end of.
fn ended_before(project: &Project, service: &Service, path: &ServicePath) -> Option<Bringer> {
    let located = locate(project, service, &Standpoint::Host, path);
    // A preflight that judges brings what it has a source of, and has said what is missing.
    let others = project.ended_before(service).into_iter().filter(|other| !other.is_preflight());
    let found = others.filter_map(|other| {
        let theirs = other.mounts.iter().find_map(|mount| reached(mount, &located))?;
        let all = engine::programs(other);
        let brings = all.iter().filter_map(|it| Some((it.brings(&theirs)?, it)));
        let (brings, earlier) = brings.max_by_key(|(brings, _)| *brings)?;
        Some((brings, other, earlier.place.clone()))
    });
    let (brings, other, place) = found.max_by_key(|(brings, _, _)| *brings)?;
    let name = &other.name.value;
    let mut own = project.services.iter().filter(|it| it.is_preflight());
    let is_ours = |own: &Service| project.ended_before(own).iter().any(|it| it.name.value == *name);
    Some(Bringer {
        path: path.clone(),
        who: format!("`{name}`, which has ended when `{}` starts,", service.name.value),
        is_said: brings == Brings::Said,
        service: Some(name.clone()),
        is_before_preflight: own.any(is_ours),
        place,
    })
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
