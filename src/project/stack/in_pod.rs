//! How an init container sees the volumes of its Pod: as the manifest mounts them into it and into the
//! others.

use std::collections::BTreeSet;
use std::path::Path;

use crate::project::compose::LoadError;
use crate::project::{Mount, Project, Service};
use crate::regular_file;

/// What the kernel calls this machine, which in a Pod is the Pod's name.
const HOST_NAME: &str = "/etc/hostname";

/// What is mounted into this process's container (proc(5)).
const MOUNTS: &str = "/proc/self/mountinfo";

/// More of either is not read.
const LONGEST: u64 = 1 << 20;

/// How somebody says which Pod it is.
const SAY_IT: &str = "say which one it is: `env: [{name: PREFLIGHT_POD, valueFrom: {fieldRef: {fieldPath: \
                      metadata.name}}}]` of the container of preflight";

/// The Pod of `project` that this process is in, and what is mounted into its container; `told` is what
/// somebody says it is called. Blocking.
///
/// # Errors
/// When there are several that it may be, and what they run is not the same.
pub(super) fn look(
    project: &Project,
    told: Option<&str>,
) -> Result<(Option<String>, Vec<Mount>), LoadError> {
    let read = |path: &str| regular_file::text(Path::new(path), LONGEST).unwrap_or_default();
    let (host, mounted) = (read(HOST_NAME), read(MOUNTS));
    let search = Search { project, told, host: host.trim(), points: points(&mounted) };
    let pod = search.pod()?.map(str::to_owned);
    let own = pod.as_deref().map(|pod| search.own_mounts(pod));
    Ok((pod, own.unwrap_or_default()))
}

/// Where something is mounted into this process's container.
fn points(mounted: &str) -> BTreeSet<&Path> {
    mounted
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(Path::new)
        .filter(|point| *point != Path::new("/"))
        .collect()
}

/// What is known of this process's Pod.
struct Search<'a> {
    project: &'a Project,
    told: Option<&'a str>,
    host: &'a str,
    points: BTreeSet<&'a Path>,
}

impl<'a> Search<'a> {
    /// The Pod that is called so; that whose volumes are mounted here; of one alone, that.
    fn pod(&self) -> Result<Option<&'a str>, LoadError> {
        let services = || self.project.services.iter();
        let with_preflight = names(services().filter(|service| service.is_preflight()));
        let all = names(services());
        let candidates = if with_preflight.is_empty() { all } else { with_preflight };
        if let Some(told) = self.told {
            let called = called(&candidates, told, |pod| self.names(pod));
            return match called.as_slice() {
                [] => Err(self.none_called(told, &candidates)),
                [one] => Ok(Some(one)),
                several => self.only(several),
            };
        }
        if candidates.len() < 2 {
            return Ok(candidates.first().copied());
        }
        let called = called(&candidates, self.host, |pod| self.hosts(pod));
        let on_node = candidates.iter().copied().filter(|pod| self.hosts(pod).is_empty());
        let on_node: Vec<&str> = on_node.collect();
        match called.as_slice() {
            [one] if on_node.is_empty() || self.has_mounts(one) => Ok(Some(one)),
            [] if on_node.is_empty() => self.only(&candidates.iter().copied().collect::<Vec<_>>()),
            [] => self.only(&on_node),
            several => self.only(several),
        }
    }

    /// The one of these that has the most of what is mounted here, and nothing else; any, if they run the
    /// same.
    fn only(&self, pods: &[&'a str]) -> Result<Option<&'a str>, LoadError> {
        let mounted: Vec<&str> = pods.iter().copied().filter(|pod| self.has_mounts(pod)).collect();
        let pods = if mounted.is_empty() { pods } else { mounted.as_slice() };
        let most = pods.iter().map(|pod| self.targets(pod).len()).max().unwrap_or_default();
        let likely = pods.iter().copied().filter(|pod| self.targets(pod).len() == most);
        let likely: Vec<&str> = if mounted.is_empty() { pods.to_vec() } else { likely.collect() };
        let Some((first, others)) = likely.split_first() else { return Ok(None) };
        if others.iter().all(|other| self.runs(other) == self.runs(first)) {
            return Ok(Some(first));
        }
        Err(LoadError::Project {
            message: format!(
                "it is not known which of the Pods this is: {}; `{}` may be the machine of any of them",
                listed(&likely),
                self.host
            ),
            hint: Some(SAY_IT.to_owned()),
        })
    }

    fn none_called(&self, told: &str, candidates: &BTreeSet<&str>) -> LoadError {
        let candidates: Vec<&str> = candidates.iter().copied().collect();
        LoadError::Project {
            message: format!(
                "`PREFLIGHT_POD` is `{told}`, and no Pod is called so: there are {}",
                listed(&candidates)
            ),
            hint: Some(SAY_IT.to_owned()),
        }
    }

    fn members(&self, pod: &str) -> impl DoubleEndedIterator<Item = &'a Service> {
        let is_in = |service: &&Service| service.pod.as_ref().is_some_and(|it| it.pod == pod);
        self.project.services.iter().filter(is_in).collect::<Vec<_>>().into_iter()
    }

    fn hosts(&self, pod: &str) -> &'a [String] {
        let first = self.members(pod).find_map(|service| service.pod.as_ref());
        first.map(|pod| pod.hosts.as_slice()).unwrap_or_default()
    }

    fn names(&self, pod: &str) -> &'a [String] {
        let first = self.members(pod).find_map(|service| service.pod.as_ref());
        first.map(|pod| pod.names.as_slice()).unwrap_or_default()
    }

    /// Where the manifest mounts something into preflight's container of a Pod, else into any of it.
    fn targets(&self, pod: &str) -> BTreeSet<&'a Path> {
        let own = self.members(pod).filter(|service| service.is_preflight());
        let own: BTreeSet<&Path> = own.flat_map(targets).collect();
        if own.is_empty() { self.members(pod).flat_map(targets).collect() } else { own }
    }

    /// Whether something is mounted here wherever the manifest says so.
    fn has_mounts(&self, pod: &str) -> bool {
        let targets = self.targets(pod);
        !targets.is_empty() && targets.iter().all(|target| self.points.contains(target))
    }

    /// What a Pod runs beside preflight.
    fn runs(&self, pod: &str) -> Vec<String> {
        let others = self.members(pod).filter(|service| !service.is_preflight());
        let told = |service: &Service| {
            let words: Vec<&str> = service.words().map(|word| word.value.as_str()).collect();
            let variables = service.environment.iter().map(|(name, value)| (name, &value.value));
            let mounts = service.mounts.iter().map(|mount| (&mount.source, &mount.target));
            let image = service.image.as_ref().map(|image| &image.value);
            let variables: Vec<_> = variables.collect();
            format!("{image:?} {words:?} {variables:?} {:?}", mounts.collect::<Vec<_>>())
        };
        others.map(told).collect()
    }

    /// What the manifest mounts into preflight's own container; where it does not say, what is mounted at
    /// the same path here as in another container of the Pod.
    fn own_mounts(&self, pod: &str) -> Vec<Mount> {
        let is_here = |mount: &&Mount| self.points.contains(mount.target.as_path());
        // Of several that are preflight, this is the one that has the most of what is mounted here.
        let own = self.members(pod).filter(|service| service.is_preflight()).rev();
        if let Some(own) = own.max_by_key(|own| own.mounts.iter().filter(is_here).count()) {
            return own.mounts.clone();
        }
        let all = self.members(pod).flat_map(|service| &service.mounts);
        all.filter(is_here).cloned().collect()
    }
}

/// Those that are called so, by the longest of their names that fits.
fn called<'p>(
    candidates: &BTreeSet<&'p str>,
    name: &str,
    names: impl Fn(&str) -> &'p [String],
) -> Vec<&'p str> {
    let length = |pod: &str| {
        let fitting = names(pod).iter().filter(|pattern| fits(pattern, name));
        let longest = fitting.map(|it| it.bytes().filter(|byte| *byte != b'*').count()).max();
        if pod == name { Some(usize::MAX) } else { longest }
    };
    let longest = candidates.iter().filter_map(|pod| length(pod)).max();
    let fitting = candidates.iter().filter(|pod| longest.is_some() && length(pod) == longest);
    fitting.copied().collect()
}

fn targets(service: &Service) -> impl Iterator<Item = &Path> {
    service.mounts.iter().map(|mount| mount.target.as_path())
}

fn names<'p>(services: impl Iterator<Item = &'p Service>) -> BTreeSet<&'p str> {
    services.filter_map(|service| Some(service.pod.as_ref()?.pod.as_str())).collect()
}

fn listed(pods: &[&str]) -> String {
    pods.iter().map(|pod| format!("`{pod}`")).collect::<Vec<_>>().join(", ")
}

/// Whether a name is one of those that `pattern` stands for: `*` is anything, `#` a number.
fn fits(pattern: &str, name: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return name.is_empty() };
    let rest = pattern.get(first.len_utf8()..).unwrap_or_default();
    let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
    let below = |at: usize| name.get(at..).is_some_and(|name| fits(rest, name));
    match first {
        '*' => ends.into_iter().any(below),
        '#' => {
            let length = name.find(|it: char| !it.is_ascii_digit()).unwrap_or(name.len());
            length > 0 && below(length)
        }
        _ => name.strip_prefix(first).is_some_and(|name| fits(rest, name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::ServicePath;
    use crate::project::{InPod, MountSource};
    use crate::source_map::{Place, Spanned};

    fn service(pod: &str, container: &str, targets: &[&str]) -> Service {
        let mut service = Service::named(Spanned::nowhere(format!("{pod}/{container}")));
        let name = pod.rsplit('/').next().unwrap_or_default();
        let names = vec![name.to_owned(), format!("{name}-*")];
        let (pod, container) = (pod.to_owned(), container.to_owned());
        service.pod =
            Some(InPod { pod, container, hosts: names.clone(), names, ..InPod::default() });
        service.image = Some(Spanned::nowhere(format!("image-of-{name}")));
        let mount = |target: &&str| Mount {
            source: MountSource::Volume { name: "models".to_owned(), subpath: None },
            target: ServicePath::new(*target),
            read_only: false,
            place: Place::nowhere(),
        };
        service.mounts = targets.iter().map(mount).collect();
        service
    }

    fn on_node(mut service: Service) -> Service {
        service.pod.iter_mut().for_each(|pod| pod.hosts.clear());
        service
    }

    const MOUNTED: &str =
        "1 0 0:1 / / rw - overlay\n2 1 8:1 /x /models rw,relatime - ext4 /dev/sda rw\n";

    /// Which Pod it is; `?`: that is not known.
    fn check(services: Vec<Service>, told: Option<&str>, host: &str, expected: Option<&str>) {
        let project = Project::of("p", services);
        let search = Search { project: &project, told, host, points: points(MOUNTED) };
        let found = search.pod().unwrap_or(Some("?"));
        assert_eq!(found, expected, "{host}");
    }

    #[test]
    fn a_pod_is_known_by_the_name_of_its_host_where_there_are_several() {
        let two = || vec![service("deployment/a", "v", &[]), service("deployment/a-b", "v", &[])];
        check(two(), None, "a-b-7c9f8-x2", Some("deployment/a-b"));
        check(two(), None, "a-7c9f8-x2", Some("deployment/a"));
        check(two(), None, "a", Some("deployment/a"));
        check(two(), None, "ab", Some("?"));
        check(two().into_iter().take(1).collect(), None, "laptop", Some("deployment/a"));
        let own = service("deployment/c", "preflight", &[]);
        check(two().into_iter().chain([own]).collect(), None, "laptop", Some("deployment/c"));
        check(Vec::new(), None, "a", None);
    }

    #[test]
    fn a_pod_on_the_network_of_its_node_is_known_by_what_is_mounted_or_by_what_it_is_told() {
        let one = |targets: &[&str]| on_node(service("deployment/a", "preflight", targets));
        let other = |targets: &[&str]| on_node(service("deployment/b", "preflight", targets));
        let engines = || {
            let mut all =
                vec![service("deployment/a", "v", &[]), service("deployment/b", "v", &[])];
            all.iter_mut().for_each(|it| it.pod.iter_mut().for_each(|pod| pod.hosts.clear()));
            all
        };
        let with = |two: [Service; 2]| two.into_iter().chain(engines()).collect::<Vec<_>>();
        let apart = || with([one(&["/models"]), other(&["/elsewhere"])]);
        check(apart(), None, "node-3", Some("deployment/a"));
        check(apart(), None, "b-1", Some("deployment/a"));
        let alike = || with([one(&["/models"]), other(&["/models"])]);
        check(alike(), None, "node-3", Some("?"));
        check(alike(), Some("deployment/b"), "node-3", Some("deployment/b"));
        check(alike(), Some("b-7c9f8-x2"), "node-3", Some("deployment/b"));
        check(alike(), Some("c"), "node-3", Some("?"));
        let mut same = alike();
        let image = same[2].image.clone();
        same[3].image = image;
        check(same, None, "node-3", Some("deployment/a"));
    }

    #[test]
    fn a_name_is_what_its_pattern_stands_for() {
        for (pattern, name, expected) in [
            ("big-#", "big-0", true),
            ("big-#", "big-12", true),
            ("big-#", "big-0-1", false),
            ("big-#-#", "big-0-1", true),
            ("big-head*", "big-head-x7k2p", true),
            ("big-*-head*", "big-abcde-head-x", true),
            ("big-*", "big", false),
            ("big", "bigger", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn the_mounts_of_preflight_are_those_of_its_container_or_those_at_the_same_path() {
        let engine = service("pod/a", "v", &["/models", "/cache"]);
        let targets = |services: Vec<Service>| {
            let project = Project::of("p", services);
            let search =
                Search { project: &project, told: None, host: "a", points: points(MOUNTED) };
            let mounts = search.own_mounts("pod/a");
            mounts.iter().map(|mount| mount.target.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(targets(vec![engine.clone()]), ["/models"]);
        let own = service("pod/a", "preflight", &["/m"]);
        assert_eq!(targets(vec![engine.clone(), own.clone()]), ["/m"]);
        let other = service("pod/a", "preflight", &["/models", "/more"]);
        assert_eq!(targets(vec![engine, own, other]), ["/models", "/more"]);
    }
}
