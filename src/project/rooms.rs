//! How much may be in the volumes of a Pod that are empty when it starts. Pure.

use super::{MemoryLimit, Project, Service, Stage, VolumeKind};
use crate::source_map::Spanned;

/// A volume that may hold only so much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its full name.
    pub volume: String,
    /// The most bytes that may be in it, where that is written, or where the volume is.
    pub most: Spanned<u64>,
    /// Whether what is in it is in memory.
    pub in_memory: bool,
    /// Whether it is the memory of the Pod's containers that says so, and not the volume.
    pub is_memory: bool,
}

/// The volumes that a service mounts and of which it is known how much they may hold. One in memory is as
/// large as the containers of its Pod may have together, where each of them is limited (kubernetes
/// fbba6b47ad98 pkg/volume/emptydir/empty_dir.go, `calculateEmptyDirMemorySize`).
#[must_use]
pub fn of(project: &Project, service: &Service) -> Vec<Room> {
    let volumes = service.mounts.iter().filter_map(|mount| project.volume(mount.source.volume()?));
    let rooms = volumes.filter_map(|volume| {
        let VolumeKind::Empty { most, in_memory } = &volume.kind else { return None };
        let said = most.clone().filter(|most| most.value > 0);
        let limit = in_memory.then(|| memory(project, service)).flatten();
        let limit = limit.filter(|limit| said.as_ref().is_none_or(|said| *limit < said.value));
        let is_memory = limit.is_some();
        let most = limit.map(|limit| Spanned::new(limit, volume.place.clone())).or(said)?;
        Some(Room { volume: volume.name.clone(), most, in_memory: *in_memory, is_memory })
    });
    rooms.collect()
}

/// The memory that the containers of a Pod may have together; absent: one of them has no limit, or not all
/// of them are written.
fn memory(project: &Project, service: &Service) -> Option<u64> {
    let pod = service.pod.as_ref().filter(|pod| !pod.is_open)?;
    let (mut running, mut before) = (0_u64, 0_u64);
    for container in &project.services {
        let Some(own) = container.pod.as_ref().filter(|own| own.pod == pod.pod) else { continue };
        let limit = MemoryLimit::of_document(&project.document, &container.name.value).bytes?;
        match own.stage {
            Stage::Init => before = before.max(limit),
            Stage::Sidecar | Stage::Main => running = running.saturating_add(limit),
        }
    }
    Some(running.saturating_add(before))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::ServicePath;
    use crate::project::{InPod, Mount, MountSource, Volume};
    use crate::source_map::Place;

    /// The room of a volume in a Pod whose containers have these limits.
    fn check(kind: VolumeKind, limits: &[(Stage, Option<u64>)], expected: Option<(u64, bool)>) {
        let source = || MountSource::Volume { name: "v".to_owned(), subpath: None };
        let services = limits.iter().enumerate().map(|(index, (stage, _))| {
            let mut service = Service::named(Spanned::nowhere(index.to_string()));
            service.pod = Some(InPod {
                pod: "pod/a".to_owned(),
                container: index.to_string(),
                stage: *stage,
                ..InPod::default()
            });
            service.mounts.push(Mount {
                source: source(),
                target: ServicePath::new("/m"),
                read_only: false,
                place: Place::nowhere(),
            });
            service
        });
        let mut project = Project::of("p", services.collect());
        let place = Place::nowhere();
        let volume = Volume { name: "v".to_owned(), external: false, device: None, kind, place };
        project.volumes.insert("v".to_owned(), volume);
        for (index, (_, limit)) in limits.iter().enumerate() {
            project.document["services"][index.to_string()]["deploy"]["resources"]["limits"] =
                serde_json::json!({"memory": limit});
        }
        let rooms = of(&project, &project.services[0]);
        let found = rooms.first().map(|room| (room.most.value, room.is_memory));
        assert_eq!(found, expected, "{limits:?}");
    }

    fn empty(most: Option<u64>, in_memory: bool) -> VolumeKind {
        VolumeKind::Empty { most: most.map(Spanned::nowhere), in_memory }
    }

    #[test]
    fn a_volume_holds_what_is_written_and_one_in_memory_what_the_containers_may_have() {
        let (init, main) = (Stage::Init, Stage::Main);
        let two = [(main, Some(5)), (init, Some(3)), (main, Some(4)), (init, Some(2))];
        check(empty(Some(10), false), &two, Some((10, false)));
        check(empty(None, false), &two, None);
        check(empty(Some(0), false), &two, None);
        check(empty(None, true), &two, Some((12, true)));
        check(empty(Some(11), true), &two, Some((11, false)));
        check(empty(None, true), &[(main, Some(5)), (main, None)], None);
        check(VolumeKind::Claim, &two, None);
    }
}
