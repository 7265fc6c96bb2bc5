//! Looks at everything of the host that the services of lanes, and those that they wait for, mount.

mod near;

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::facts::binds::{BindFacts, FileSign, Need};
use crate::facts::survey::way::Views;
use crate::file_name::one_file::is_named_as_file;
use crate::file_name::weights::names_gguf;
use crate::look::{FileKind, Look};
use crate::path::{HostPath, ServicePath};
use crate::plan::engine::{Part, started_files};
use crate::plan::lanes::{Artifact, Lane, Plan};
use crate::project::mounts::{Sight, Standpoint, locate};
use crate::project::view::View as _;
use crate::project::view::local::LocalView;
use crate::project::{Mount, MountSource, Project, Service};
use crate::source_map::Spanned;

/// The binds of every service that a lane which is judged needs, in the order of the project. Nobody
/// needs them yet. Blocking.
pub(super) fn look(plan: &Plan, views: &Views) -> Vec<BindFacts> {
    let lanes = || plan.lanes.iter().filter(|lane| lane.skipped.is_none());
    let needed = needs(&views.project, lanes().flat_map(|lane| &lane.services));
    let artifacts: Vec<&Artifact> = lanes().flat_map(|lane| &lane.artifacts).collect();
    let services = views.project.services.iter();
    let services = services.filter(|service| needed.contains_key(service.name.value.as_str()));
    services.flat_map(|service| of_service(service, &artifacts, views)).collect()
}

/// How many others are told of who mount the same: of more than a report shows nobody learns.
const MOST_OTHERS: usize = 20;

/// Those of `all` that a lane needs, and where something may be wrong with them, others of the same
/// sources.
pub(super) fn of_lane(lane: &Lane, project: &Project, all: &[BindFacts]) -> Vec<BindFacts> {
    let needed = needs(project, &lane.services);
    let need =
        |bind: &BindFacts| needed.get(bind.service.as_str()).copied().unwrap_or(Need::Nothing);
    let mine = all.iter().filter(|bind| need(bind) > Need::Nothing);
    let mut others: HashMap<&HostPath, usize> = mine
        .filter(|bind| !matches!(bind.found, Look::Seen(FileKind::File)))
        .filter(|bind| bind.file.is_some() || bind.found == Look::Absent)
        .map(|bind| (&bind.source, MOST_OTHERS))
        .collect();
    let mut is_kept = |bind: &&BindFacts| {
        need(bind) > Need::Nothing
            || others.get_mut(&bind.source).is_some_and(|left| {
                let is_left = *left > 0;
                *left = left.saturating_sub(1);
                is_left
            })
    };
    let kept = all.iter().filter(|bind| is_kept(bind));
    kept.map(|bind| BindFacts { need: need(bind), ..bind.clone() }).collect()
}

/// What has to become of every service so that those of `roots` succeed.
fn needs<'a>(
    project: &'a Project,
    roots: impl IntoIterator<Item = &'a String>,
) -> IndexMap<&'a str, Need> {
    let mut needs = IndexMap::new();
    let mut open: Vec<(&str, Need)> =
        roots.into_iter().map(|name| (name.as_str(), Need::Success)).collect();
    while let Some((name, need)) = open.pop() {
        let known = needs.entry(name).or_insert(Need::Nothing);
        if need <= *known {
            continue;
        }
        *known = need;
        let edges = project.service(name).map(|service| service.depends_on.as_slice());
        for edge in edges.unwrap_or_default().iter().filter(|edge| edge.required) {
            let is_awaited = edge.condition != "service_started";
            let next = if is_awaited { need } else { Need::Start };
            open.push((&edge.service, next));
        }
    }
    needs
}

fn of_service(service: &Service, artifacts: &[&Artifact], views: &Views) -> Vec<BindFacts> {
    let name = &service.name.value;
    let opened =
        || artifacts.iter().filter(|it| it.located.value.service.as_ref() == Some(name)).copied();
    let mut used = started_files(service, &health(&views.project, name));
    let texts = opened().filter(|artifact| is_file(artifact.part));
    used.extend(texts.filter_map(|artifact| artifact.located.value.service_path.clone()));
    let binds = service.mounts.iter().filter_map(|mount| {
        let (source, volume) = source(&views.project, mount)?;
        let holds_model = opened().any(|artifact| {
            let is_here = artifact.located.value.mount.as_ref() == Some(mount);
            is_here && artifact.part != Part::Folder
        });
        let file = file_sign(&views.project, mount, source, &used);
        let is_one_model = names_gguf(&mount.target.to_string())
            && opened().any(|it| it.located.value.service_path.as_ref() == Some(&mount.target));
        let file = file.or_else(|| {
            let is_weights = holds_model && is_named_as_file(source.as_path());
            let sign = if is_one_model { Some(FileSign::Use) } else { None };
            sign.or(is_weights.then_some(FileSign::Name))
        });
        let is_asked_for = file.is_some() || holds_model;
        let (found, empty) = found(service, mount, source, is_asked_for, views);
        let near = near::of(views, source, &mount.target, file.is_some(), &found);
        Some(BindFacts {
            service: name.clone(),
            need: Need::Nothing,
            mount: mount.clone(),
            source: source.clone(),
            written: views.project.written(source),
            inside: mount.target.clone(),
            volume,
            file,
            holds_model,
            missing_above: missing_above(source, &found, &views.standpoint),
            found,
            near,
            empty,
        })
    });
    // A health check that fails keeps no engine from starting.
    let run = started_files(service, &[]);
    let below = run.iter().filter_map(|path| run_below(service, path, views));
    binds.chain(below).collect()
}

/// A file that a service runs, in a folder of the host that it mounts and that is there.
fn run_below(service: &Service, path: &ServicePath, views: &Views) -> Option<BindFacts> {
    let located = locate(&views.project, service, &views.standpoint, path);
    let mount = located.mount.filter(|mount| mount.target != *path)?;
    let (Sight::Visible { path: local, root, .. }, Some(source)) =
        (located.sight, located.host_path)
    else {
        return None;
    };
    let folder = LocalView.stat(root.as_path());
    folder.seen().filter(|stat| stat.kind == FileKind::Directory)?;
    let found = LocalView.stat(local.as_path()).map(|stat| stat.kind);
    Some(BindFacts {
        service: service.name.value.clone(),
        need: Need::Nothing,
        mount,
        near: near::of(views, &source, path, true, &found),
        written: views.project.written(&source),
        source,
        inside: path.clone(),
        volume: None,
        file: Some(FileSign::Use),
        holds_model: false,
        found,
        missing_above: None,
        empty: false,
    })
}

/// The uppermost folder that is missing, above what is not there.
fn missing_above(
    source: &HostPath,
    found: &Look<FileKind>,
    standpoint: &Standpoint,
) -> Option<HostPath> {
    if *found != Look::Absent || *standpoint != Standpoint::Host {
        return None;
    }
    let above = source.as_path().ancestors().skip(1);
    let missing = above.take_while(|folder| LocalView.stat(folder) == Look::Absent);
    missing.last().map(HostPath::new)
}

/// Whether what is opened for `part` is one file, whoever opens it.
fn is_file(part: Part) -> bool {
    match part {
        Part::Mmproj | Part::ControlVector | Part::ChatTemplate | Part::Text => true,
        Part::Model | Part::Tokenizer | Part::Lora | Part::Draft | Part::Folder | Part::Models => {
            false
        }
    }
}

/// The words of `healthcheck.test`; none where only containers were seen.
fn health(project: &Project, service: &str) -> Vec<String> {
    let words = project.document["services"][service]["healthcheck"]["test"].as_array();
    let words = words.into_iter().flatten().filter_map(|word| word.as_str());
    words.map(str::to_owned).collect()
}

/// The path of the host that a mount shows, if it shows one, and the volume that says so.
fn source<'a>(
    project: &'a Project,
    mount: &'a Mount,
) -> Option<(&'a HostPath, Option<Spanned<String>>)> {
    let (path, volume) = match &mount.source {
        MountSource::Bind { path, .. } => (path, None),
        MountSource::Volume { name, .. } => {
            let (key, volume) = project.volumes.iter().find(|(_, volume)| volume.name == *name)?;
            let device = volume.device.as_ref()?;
            (&device.value, Some(Spanned::new(key.clone(), device.place.clone())))
        }
        MountSource::Anonymous
        | MountSource::Tmpfs
        | MountSource::Copied(_)
        | MountSource::Other(_) => return None,
    };
    path.as_path().is_absolute().then_some((path, volume))
}

fn file_sign(
    project: &Project,
    mount: &Mount,
    source: &HostPath,
    used: &[ServicePath],
) -> Option<FileSign> {
    if matches!(mount.source, MountSource::Volume { .. }) {
        return None;
    }
    let is_named = is_named_as_file(mount.target.as_path()) && is_named_as_file(source.as_path());
    if used.contains(&mount.target) {
        Some(FileSign::Use)
    } else {
        (is_named || is_resource(project, source)).then_some(FileSign::Name)
    }
}

/// Whether a path is the file of a config or a secret.
fn is_resource(project: &Project, source: &HostPath) -> bool {
    let sections = ["configs", "secrets"].map(|section| project.document[section].as_object());
    let mut files = sections.into_iter().flatten().flat_map(|section| section.values());
    files.any(|resource| resource["file"].as_str() == source.as_path().to_str())
}

/// What is at the source of a mount, and whether that is an empty folder. Where this process does
/// not see it, Docker is asked only if it is `asked_for`.
fn found(
    service: &Service,
    mount: &Mount,
    source: &HostPath,
    asked_for: bool,
    views: &Views,
) -> (Look<FileKind>, bool) {
    let located = locate(&views.project, service, &views.standpoint, &mount.target);
    let is_shown = located.mount.as_ref() == Some(mount);
    match located.sight {
        _ if !is_shown => {
            (Look::Unknown(format!("another mount lies over `{}`", mount.target)), false)
        }
        Sight::Visible { root, .. } => {
            let found = LocalView.stat(root.as_path()).map(|stat| stat.kind);
            let is_empty = || LocalView.list(root.as_path()) == Look::Seen(Vec::new());
            let empty = found == Look::Seen(FileKind::Directory) && is_empty();
            (found, empty)
        }
        Sight::Hidden(_) if asked_for => views.insides.behind(service, mount, source),
        Sight::Hidden(why) => (Look::Unknown(why), false),
        Sight::Written | Sight::NotMounted | Sight::Covered => {
            (Look::Unknown("nothing is mounted there".to_owned()), false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Dependency;
    use crate::source_map::Place;

    fn service(name: &str, waits_for: &[(&str, &str, bool)]) -> Service {
        let edge = |(service, condition, required): &(&str, &str, bool)| Dependency {
            service: (*service).to_owned(),
            condition: (*condition).to_owned(),
            required: *required,
            place: Place::nowhere(),
        };
        Service {
            depends_on: waits_for.iter().map(edge).collect(),
            ..Service::named(Spanned::nowhere(name.to_owned()))
        }
    }

    #[test]
    fn what_is_waited_for_is_needed_as_far_as_the_waiting_goes() {
        let (ended, healthy, started) =
            ("service_completed_successfully", "service_healthy", "service_started");
        let project = Project::of(
            "p",
            vec![
                service("engine", &[("gate", ended, true), ("log", started, true)]),
                service("gate", &[("db", healthy, true), ("engine", started, true)]),
                service("log", &[("disk", healthy, true), ("db", started, true)]),
                service("db", &[("nice", healthy, false)]),
                service("disk", &[]),
                service("nice", &[]),
                service("other", &[("gate", ended, true)]),
            ],
        );
        let engine = "engine".to_owned();
        let mut needed: Vec<_> = needs(&project, [&engine]).into_iter().collect();
        needed.sort_unstable();
        assert_eq!(
            needed,
            [
                ("db", Need::Success),
                ("disk", Need::Start),
                ("engine", Need::Success),
                ("gate", Need::Success),
                ("log", Need::Start),
            ]
        );
    }

    #[test]
    fn a_lane_is_told_of_everyone_who_mounts_what_it_needs() {
        let bind = |service: &str, source: &str| BindFacts {
            service: service.to_owned(),
            need: Need::Nothing,
            mount: Mount {
                source: MountSource::Tmpfs,
                target: ServicePath::new("/x"),
                read_only: false,
                place: Place::nowhere(),
            },
            source: HostPath::new(source),
            written: source.to_owned(),
            inside: ServicePath::new("/x"),
            volume: None,
            file: None,
            holds_model: false,
            found: Look::Absent,
            near: None,
            missing_above: None,
            empty: false,
        };
        let project = Project::of("p", vec![service("one", &[]), service("other", &[])]);
        let all = [bind("one", "/a"), bind("other", "/a"), bind("other", "/b")];
        let lane = Lane { services: vec!["one".to_owned()], ..Lane::named("reader") };
        let of_lane: Vec<_> =
            of_lane(&lane, &project, &all).into_iter().map(|it| (it.service, it.need)).collect();
        let expected = [("one", Need::Success), ("other", Need::Nothing)];
        assert_eq!(of_lane, expected.map(|(service, need)| (service.to_owned(), need)));
    }
}
