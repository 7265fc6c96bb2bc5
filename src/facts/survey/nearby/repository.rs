//! Looks for a repository that is not in the cache of its engine: in a cache that is mounted a folder
//! higher or deeper, and as a folder of its own.

use std::path::Path;

use super::Search;
use crate::facts::nearby::Misplaced;
use crate::facts::survey::way::Views;
use crate::file_name::hub_cache;
use crate::limits::MOST_NEARBY;
use crate::path::ServicePath;
use crate::plan::lanes::{Cached, Choice};
use crate::project::view::View as _;
use crate::project::view::service::ServiceView;
use crate::project::{MountSource, Project, Service};
use crate::suggest;

/// Where a cache is below what people mount: the cache itself, `HF_HOME`, a folder with one of them, a
/// home.
const BELOW: [&str; 6] =
    ["", "hub", "hub/hub", "huggingface", "huggingface/hub", ".cache/huggingface/hub"];

/// Where else its service has a repository; absent: nowhere that was seen. Blocking.
pub(in crate::facts::survey) fn look(views: &Views, cached: &Cached) -> Option<Misplaced> {
    let name = cached.places.first()?.service.as_deref()?;
    let service = views.service(name)?;
    let view = ServiceView::new(&views.project, name, &views.standpoint)?;
    in_another_cache(views, service, &view, cached)
        .or_else(|| as_a_folder(views, service, &view, cached))
        .or_else(|| of_near_name(&view, cached))
}

fn of_near_name(view: &ServiceView, cached: &Cached) -> Option<Misplaced> {
    cached.places.iter().find_map(|place| {
        let listed = view.list(place.service_path.as_ref()?.as_path());
        let folders = listed.seen()?.iter().take(MOST_NEARBY);
        let names: Vec<String> =
            folders.filter_map(|folder| hub_cache::repository_in(folder)).collect();
        let others = names.iter().map(String::as_str).filter(|name| *name != cached.repository);
        let near = suggest::nearest(&cached.repository, others)?;
        Some(Misplaced::NearName(near.to_owned()))
    })
}

fn in_another_cache(
    views: &Views,
    service: &Service,
    view: &ServiceView,
    cached: &Cached,
) -> Option<Misplaced> {
    let is_known = |folder: &ServicePath| {
        cached.places.iter().any(|place| place.service_path.as_ref() == Some(folder))
    };
    service.mounts.iter().find_map(|mount| {
        let (below, folder) = BELOW.iter().find_map(|below| {
            let folder = mount.target.join(below);
            let snapshots = hub_cache::snapshots(&folder.as_path().join(cached.folder_name()));
            let is_there = !is_known(&folder) && view.stat(&snapshots).seen().is_some();
            is_there.then_some((below, folder))
        })?;
        let source = written(&views.project, &mount.source, Path::new(below));
        Some(Misplaced::Cache { folder, source, mount: mount.place.clone() })
    })
}

/// What of a mount's source is at `below`, as a Compose file of the project writes it.
fn written(project: &Project, source: &MountSource, below: &Path) -> Option<String> {
    match source {
        MountSource::Bind { path, .. } => Some(project.written(&path.join(below))),
        MountSource::Volume { name, subpath: None } if below == Path::new("") => {
            let volume = project.volumes.iter().find(|(_, volume)| volume.name == *name);
            volume.map(|(key, _)| key.clone())
        }
        MountSource::Volume { .. }
        | MountSource::Anonymous
        | MountSource::Tmpfs
        | MountSource::Copied(_)
        | MountSource::Other(_) => None,
    }
}

/// A folder that is called as the repository is, with or without its owner.
fn as_a_folder(
    views: &Views,
    service: &Service,
    view: &ServiceView,
    cached: &Cached,
) -> Option<Misplaced> {
    if !matches!(cached.choice, Choice::Folder) {
        return None;
    }
    let name = cached.repository.rsplit('/').next().unwrap_or_default();
    // A name such as `llama` is that of many.
    let is_telling = name.contains(|it: char| it.is_ascii_digit() || it == '-');
    let called = if is_telling { name } else { &cached.repository };
    let path = ServicePath::new(Path::new("/").join(called));
    let search = Search { views, service, view, path: &path, part: cached.part };
    search.of_same_name().into_iter().next().map(|path| Misplaced::Folder(ServicePath::new(path)))
}
