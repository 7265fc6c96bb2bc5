//! How an init container sees the volumes of its Pod: as the manifest mounts them into it and into the
//! others.

use std::collections::BTreeSet;
use std::path::Path;

use crate::project::{Mount, Project, Service};
use crate::regular_file;

/// What the kernel calls this machine, which in a Pod is the Pod's name.
const HOST_NAME: &str = "/etc/hostname";

/// What is mounted into this process's container (proc(5)).
const MOUNTS: &str = "/proc/self/mountinfo";

/// More of either is not read.
const LONGEST: u64 = 1 << 20;

/// The Pod of `project` that this process is in, and what is mounted into its container. Blocking.
pub(super) fn look(project: &Project) -> (Option<String>, Vec<Mount>) {
    let read = |path: &str| regular_file::text(Path::new(path), LONGEST).unwrap_or_default();
    let pod = pod(project, read(HOST_NAME).trim()).map(str::to_owned);
    let own = pod.as_deref().map(|pod| own_mounts(project, pod, &read(MOUNTS)));
    (pod, own.unwrap_or_default())
}

/// The Pod that is called as this process's host is; of one alone, that.
fn pod<'p>(project: &'p Project, host: &str) -> Option<&'p str> {
    let with_preflight = names(project.services.iter().filter(|service| service.is_preflight()));
    let all = names(project.services.iter());
    let candidates = if with_preflight.is_empty() { all } else { with_preflight };
    if let (Some(only), 1) = (candidates.first(), candidates.len()) {
        return Some(only);
    }
    let length = |pod: &&str| {
        let parts = pod.split('/').filter(|part| {
            let behind = host.strip_prefix(part);
            behind.is_some_and(|behind| behind.is_empty() || behind.starts_with('-'))
        });
        parts.map(str::len).max().unwrap_or(0)
    };
    let longest = candidates.iter().map(length).max().filter(|length| *length > 0)?;
    let mut fitting = candidates.into_iter().filter(|pod| length(pod) == longest);
    let first = fitting.next()?;
    fitting.next().is_none().then_some(first)
}

fn names<'p>(services: impl Iterator<Item = &'p Service>) -> BTreeSet<&'p str> {
    services.filter_map(|service| Some(service.pod.as_ref()?.pod.as_str())).collect()
}

/// What the manifest mounts into preflight's own container; where it does not say, what is mounted at
/// the same path here as in another container of the Pod.
fn own_mounts(project: &Project, pod: &str, mounted: &str) -> Vec<Mount> {
    let is_in = |service: &&Service| service.pod.as_ref().is_some_and(|it| it.pod == pod);
    let members = || project.services.iter().filter(is_in);
    let points: BTreeSet<&Path> = mounted
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(Path::new)
        .filter(|point| *point != Path::new("/"))
        .collect();
    let is_here = |mount: &&Mount| points.contains(mount.target.as_path());
    // Of several that are preflight, this is the one that has the most of what is mounted here.
    let own = members().filter(|service| service.is_preflight()).rev();
    if let Some(own) = own.max_by_key(|own| own.mounts.iter().filter(is_here).count()) {
        return own.mounts.clone();
    }
    let all = members().flat_map(|service| &service.mounts);
    all.filter(is_here).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::ServicePath;
    use crate::project::{InPod, MountSource, Probes, Stage};
    use crate::source_map::{Place, Spanned};

    fn service(pod: &str, container: &str, targets: &[&str]) -> Service {
        let mut service = Service::named(Spanned::nowhere(format!("{pod}/{container}")));
        let (pod, container) = (pod.to_owned(), container.to_owned());
        let probes = Probes::default();
        service.pod = Some(InPod {
            pod,
            container,
            stage: Stage::Main,
            is_open: false,
            looks_in: None,
            told_of: Vec::new(),
            probes,
        });
        let mount = |target: &&str| Mount {
            source: MountSource::Volume { name: "models".to_owned(), subpath: None },
            target: ServicePath::new(*target),
            read_only: false,
            place: Place::nowhere(),
        };
        service.mounts = targets.iter().map(mount).collect();
        service
    }

    fn check(services: Vec<Service>, host: &str, expected: Option<&str>) {
        assert_eq!(pod(&Project::of("p", services), host), expected, "{host}");
    }

    #[test]
    fn a_pod_is_known_by_the_name_of_its_host_where_there_are_several() {
        let two = || vec![service("deployment/a", "v", &[]), service("deployment/a-b", "v", &[])];
        check(two(), "a-b-7c9f8-x2", Some("deployment/a-b"));
        check(two(), "a-7c9f8-x2", Some("deployment/a"));
        check(two(), "a", Some("deployment/a"));
        check(two(), "ab", None);
        check(two().into_iter().take(1).collect(), "laptop", Some("deployment/a"));
        let own = service("deployment/c", "preflight", &[]);
        check(two().into_iter().chain([own]).collect(), "laptop", Some("deployment/c"));
        check(Vec::new(), "a", None);
    }

    #[test]
    fn the_mounts_of_preflight_are_those_of_its_container_or_those_at_the_same_path() {
        let mountinfo =
            "1 0 0:1 / / rw - overlay\n2 1 8:1 /x /models rw,relatime - ext4 /dev/sda rw\n";
        let engine = service("pod/a", "v", &["/models", "/cache"]);
        let targets = |services: Vec<Service>| {
            let mounts = own_mounts(&Project::of("p", services), "pod/a", mountinfo);
            mounts.iter().map(|mount| mount.target.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(targets(vec![engine.clone()]), ["/models"]);
        let own = service("pod/a", "preflight", &["/m"]);
        assert_eq!(targets(vec![engine.clone(), own.clone()]), ["/m"]);
        let other = service("pod/a", "preflight", &["/models", "/more"]);
        assert_eq!(targets(vec![engine, own, other]), ["/models", "/more"]);
    }
}
