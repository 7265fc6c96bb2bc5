//! Looks for what may be meant by a path at which nothing is: below the mounts of the service, by its
//! own and by nearly its own name. Done only where something is missing.

pub(super) mod repository;

use std::collections::VecDeque;
use std::path::{Component, Path, PathBuf};

use crate::facts::nearby::{Likeness, Nearby};
use crate::facts::survey::inside::Inside;
use crate::facts::survey::way::Views;
use crate::file_name::hub_cache;
use crate::file_name::one_file::is_named_as_file;
use crate::file_name::weights::{is_called_as_many, is_projector, names_gguf};
use crate::limits::MOST_NEARBY;
use crate::look::FileKind;
use crate::path::{HostPath, ServicePath};
use crate::plan::engine::Part;
use crate::project::mounts::{self, Sight};
use crate::project::view::View;
use crate::project::view::service::ServiceView;
use crate::project::{MountSource, Service};
use crate::suggest;

/// How deep below a mount names are looked at: a snapshot in a cache of the hub lies so deep.
const DEEPEST: usize = 4;

/// So many mounts of a service are looked behind.
const MOST_MOUNTS: usize = 64;

/// What one of is in every folder of a model, of an adapter or of a tokenizer.
const MARKS: [&str; 7] = [
    "config.json",
    "params.json",
    "modules.json",
    "adapter_config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "model.safetensors",
];

/// How many are told.
const MOST_TOLD: usize = 3;

/// What may be meant by `path`, which `service` opens for `part`, the likeliest first. Blocking.
pub(super) fn look(
    views: &Views,
    service: &Service,
    path: &ServicePath,
    part: Part,
) -> Vec<Nearby> {
    let own = ServiceView::new(&views.project, &service.name.value, &views.standpoint);
    let of = |view: &dyn View| Search { views, service, view, path, part }.found();
    let found = own.map(|view| of(&view)).unwrap_or_default();
    if !found.is_empty() || !is_partly_hidden(views, service) {
        return found;
    }
    match views.insides.look_into(service) {
        Inside::Open(view) => of(&view),
        Inside::Closed | Inside::Doubtful(_) => Vec::new(),
    }
}

/// Whether a mount of the service may show something that this process does not see.
fn is_partly_hidden(views: &Views, service: &Service) -> bool {
    service.mounts.iter().any(|mount| {
        let at = mounts::locate(&views.project, service, &views.standpoint, &mount.target);
        matches!(at.sight, Sight::Hidden(_))
    })
}

/// A path that is looked for under other names.
struct Search<'a> {
    views: &'a Views,
    service: &'a Service,
    view: &'a dyn View,
    path: &'a ServicePath,
    part: Part,
}

impl Search<'_> {
    fn found(&self) -> Vec<Nearby> {
        let host = HostPath::new(self.path.as_path());
        let of_host = mounts::service_path(&self.views.project, self.service, &host);
        let of_host = of_host.filter(|path| path != self.path);
        let is_there = |path: &&ServicePath| self.is_fit(path.as_path());
        if let Some(path) = of_host.as_ref().filter(is_there) {
            return vec![Nearby { path: path.clone(), likeness: Likeness::OfHost }];
        }
        let same = self.of_same_name();
        let (likeness, paths) = match same.is_empty() {
            false => (Likeness::SameName, same),
            true => (Likeness::NearName, self.of_near_name()),
        };
        let told = |path| Nearby { path: ServicePath::new(path), likeness };
        let found: Vec<Nearby> = paths.into_iter().take(MOST_TOLD).map(told).collect();
        match of_host.and_then(|path| self.folder_above(path.as_path()).map(Path::to_path_buf)) {
            Some(folder) if found.is_empty() => {
                let (path, likeness) = (ServicePath::new(folder), Likeness::FolderOfHost);
                vec![Nearby { path, likeness }]
            }
            Some(_) | None => found,
        }
    }

    /// The deepest folder above a path that is there.
    fn folder_above<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        path.ancestors().skip(1).find(|folder| {
            let stat = self.view.stat(folder);
            stat.seen().is_some_and(|stat| stat.kind == FileKind::Directory)
        })
    }

    /// Whether what is at a path can be what is opened.
    fn is_fit(&self, path: &Path) -> bool {
        let kind = self.view.stat(path).seen().map(|stat| stat.kind);
        match (kind, self.part) {
            (Some(FileKind::Directory), Part::Folder | Part::Models) => true,
            (Some(FileKind::File), Part::Folder | Part::Models) => false,
            (Some(FileKind::File), _) => self.is_of_kind(path),
            (
                Some(FileKind::Directory),
                Part::Model | Part::Tokenizer | Part::Lora | Part::Draft,
            ) => !is_named_as_file(self.path.as_path()) && self.is_of_model(path),
            (Some(FileKind::Directory | FileKind::Other) | None, _) => false,
        }
    }

    /// Whether a folder holds a model, by what every one has. Needs no listing.
    fn is_of_model(&self, folder: &Path) -> bool {
        let is_there = |name: &&str| self.view.stat(&folder.join(name)).seen().is_some();
        MARKS.iter().any(is_there)
    }

    /// Whether a file is called as one of the kind that is opened: a projector is no model.
    fn is_of_kind(&self, path: &Path) -> bool {
        let name =
            |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (sought, other) = (name(self.path.as_path()), name(path));
        let ending = |path: &Path| path.extension().map(|ending| ending.to_ascii_lowercase());
        let is_alike = if is_named_as_file(self.path.as_path()) {
            ending(path) == ending(self.path.as_path())
        } else {
            names_gguf(&other) || self.is_text()
        };
        let is_projected = self.part == Part::Mmproj || is_projector(&sought);
        is_alike && (is_projected || !is_projector(&other))
    }

    fn is_text(&self) -> bool {
        matches!(self.part, Part::ChatTemplate | Part::Text)
    }

    /// Whatever has the name, wherever it lies.
    fn of_same_name(&self) -> Vec<PathBuf> {
        let mut found = self.behind_mounts();
        found.extend(self.walked());
        found.retain(|path| path != self.path.as_path() && self.is_fit(path));
        let common = |path: &PathBuf| common_tail(path, self.path.as_path());
        found.sort_by_key(|path| (std::cmp::Reverse(common(path)), path.components().count()));
        let mut told: Vec<PathBuf> = Vec::new();
        found.retain(|path| {
            let is_new = !told.contains(path);
            told.push(path.clone());
            is_new
        });
        found
    }

    /// What the end of the path leads to below each mount, by the mount's name inside and on the host.
    /// Needs no listing.
    fn behind_mounts(&self) -> Vec<PathBuf> {
        let names: Vec<&Path> = normal(self.path.as_path()).map(Path::new).collect();
        let end = |from: usize| names.iter().skip(from).collect::<PathBuf>();
        let mut found = Vec::new();
        for mount in self.service.mounts.iter().take(MOST_MOUNTS) {
            let target = mount.target.as_path();
            let source = match &mount.source {
                MountSource::Bind { path, .. } => path.as_path().file_name(),
                MountSource::Volume { .. }
                | MountSource::Anonymous
                | MountSource::Tmpfs
                | MountSource::Copied(_)
                | MountSource::Other(_) => None,
            };
            for (at, name) in names.iter().enumerate() {
                let is_called = [target.file_name(), source].contains(&Some(name.as_os_str()));
                if is_called {
                    found.push(joined(target, &end(at + 1)));
                }
                let below = target.join(end(at));
                if self.is_told_by_name(&below) {
                    found.push(below);
                }
            }
        }
        found
    }

    /// Everything of that name below the mounts, as far as they can be listed.
    fn walked(&self) -> Vec<PathBuf> {
        let Some(name) = self.path.as_path().file_name() else { return Vec::new() };
        let mut left = MOST_NEARBY;
        let mut found = Vec::new();
        let roots = self.service.mounts.iter().map(|mount| mount.target.as_path());
        let mut open: VecDeque<(PathBuf, usize)> =
            roots.map(|root| (root.to_path_buf(), 0)).collect();
        while let Some((folder, depth)) = open.pop_front() {
            let names = self.view.list(&folder).seen().cloned().unwrap_or_default();
            for other in names.iter().filter(|other| !is_beside_the_point(other)) {
                left = left.saturating_sub(1);
                if left == 0 {
                    return found;
                }
                let path = folder.join(other);
                if Path::new(other) == Path::new(name) && self.is_told_by_name(&path) {
                    found.push(path.clone());
                }
                if depth + 1 < DEEPEST && !is_named_as_file(&path) {
                    open.push_back((path, depth + 1));
                }
            }
        }
        found
    }

    /// Whether the name alone says that it is the same: the folders on the one way are among those on
    /// the other, or the last two names are the same, or nothing else is called so.
    fn is_told_by_name(&self, other: &Path) -> bool {
        let path = self.path.as_path();
        common_tail(other, path) >= 2
            || is_on_the_way(path, other)
            || is_on_the_way(other, path)
            || is_telling(path)
    }

    /// What is nearly called so: of the first name on the way that is not there, those beside it.
    fn of_near_name(&self) -> Vec<PathBuf> {
        let path = self.path.as_path();
        let Some(folder) = self.folder_above(path) else { return Vec::new() };
        let Ok(below) = path.strip_prefix(folder) else { return Vec::new() };
        let mut names = below.components();
        let Some(Component::Normal(first)) = names.next() else { return Vec::new() };
        let (first, rest) = (first.to_string_lossy(), names.as_path());
        let listed = self.view.list(folder).seen().cloned().unwrap_or_default();
        let shown = listed.iter().map(String::as_str).filter(|name| !name.starts_with('.'));
        let near = suggest::near_files(&first, shown);
        let near = near.into_iter().map(|name| joined(&folder.join(name), rest));
        near.filter(|path| self.is_fit(path)).collect()
    }
}

/// The user's own, or what a cache of the hub keeps beside its snapshots.
fn is_beside_the_point(name: &str) -> bool {
    name.starts_with('.') || hub_cache::is_beside_snapshots(name)
}

/// Whether a name is hardly anything else's: it is that of one model, and not one that thousands have.
fn is_telling(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if is_named_as_file(path) {
        return !is_called_as_many(&name);
    }
    name.len() >= 6
        && name.contains(|it: char| it.is_ascii_digit())
        && name.contains(['-', '_', '.'])
}

/// Whether all names of `path` stand in `other`, in their order, and the last one at its end.
fn is_on_the_way(path: &Path, other: &Path) -> bool {
    let mut others = normal(other);
    path.file_name() == other.file_name()
        && normal(path).all(|name| others.any(|other| other == name))
}

/// How many names at their ends two paths share.
fn common_tail(one: &Path, other: &Path) -> usize {
    let ends = |path| normal(path).collect::<Vec<_>>().into_iter().rev();
    ends(one).zip(ends(other)).take_while(|(one, other)| one == other).count()
}

fn normal(path: &Path) -> impl Iterator<Item = &std::ffi::OsStr> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => {
            None
        }
    })
}

fn joined(folder: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { folder.to_path_buf() } else { folder.join(below) }
}
