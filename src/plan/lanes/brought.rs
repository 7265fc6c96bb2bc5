//! Who else may bring the files of a lane before its engine opens them: a program in front of the engine,
//! and a service that has to have ended before it starts.

use super::{Artifact, Traced};
use crate::path::ServicePath;
use crate::plan::engine::{self, Earlier, Invocation};
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
        let Traced { value: Located { service, service_path, .. }, .. } = &artifact.located;
        let (service, path) = (project.service(service.as_ref()?)?, service_path.as_ref()?);
        let own = invocation.and_then(|it| it.before.iter().find(|it| it.may_bring(path)));
        match own {
            Some(earlier) => Some(in_front(service, earlier, path)),
            None => ended_before(project, service, path),
        }
    });
    found.collect()
}

fn in_front(service: &Service, earlier: &Earlier, path: &ServicePath) -> Bringer {
    Bringer {
        path: path.clone(),
        who: format!(
            "`{}`, which `{}` runs before its engine,",
            earlier.program, service.name.value
        ),
        is_before_preflight: false,
        place: earlier.place.clone(),
    }
}

/// The service that may bring `path` and that `service` waits for the end of.
fn ended_before(project: &Project, service: &Service, path: &ServicePath) -> Option<Bringer> {
    let located = locate(project, service, &Standpoint::Host, path);
    let before = all_before(project, service);
    let writes = |other: &&Service| other.mounts.iter().any(|mount| reaches(mount, &located));
    let mut others = before.into_iter().filter(|other| !other.is_preflight()).filter(writes);
    others.find_map(|other| {
        let earlier = engine::programs(other).into_iter().next()?;
        let name = &other.name.value;
        let own = project.services.iter().filter(|it| it.is_preflight());
        let mut own = own.flat_map(|it| all_before(project, it));
        Some(Bringer {
            path: path.clone(),
            who: format!("`{name}`, which has ended when `{}` starts,", service.name.value),
            is_before_preflight: own.any(|it| it.name.value == *name),
            place: earlier.place,
        })
    })
}

/// The services that have to have ended well before `service` starts.
fn all_before<'a>(project: &'a Project, service: &'a Service) -> Vec<&'a Service> {
    let mut found: Vec<&Service> = Vec::new();
    let mut open = vec![service];
    while let Some(next) = open.pop() {
        let edges = next.depends_on.iter().filter(|edge| project.gates(edge));
        for other in edges.filter_map(|edge| project.service(&edge.service)) {
            if !found.iter().any(|known| known.name.value == other.name.value) {
                found.push(other);
                open.push(other);
            }
        }
    }
    found
}

/// Whether a service may write there by that mount.
fn reaches(mount: &Mount, located: &Located) -> bool {
    let path = located.host_path.as_ref();
    !mount.read_only
        && match &mount.source {
            MountSource::Bind { path: folder, .. } => {
                path.is_some_and(|path| path.as_path().starts_with(folder.as_path()))
            }
            MountSource::Volume { name, .. } => {
                let own = located.mount.as_ref().and_then(|mount| mount.source.volume());
                own == Some(name.as_str())
            }
            MountSource::Anonymous
            | MountSource::Tmpfs
            | MountSource::Copied(_)
            | MountSource::Other(_) => false,
        }
}
