//! What a service meets on the way to the files of a model: links, folders, rights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::facts::model::{self, Content, ModelFacts, ModelFile, Shape, router};
use crate::facts::survey::inside::{Inside, Insides};
use crate::facts::survey::nearby;
use crate::facts::{ArtifactFacts, Ground, RootFacts, Starter, Step, Through, Way};
use crate::look::FileKind;
use crate::path::HostPath;
use crate::path::ServicePath;
use crate::plan::engine::Part;
use crate::plan::lanes::{Artifact, Lane, Origin};
use crate::project::mounts::{self, Located, Sight, Standpoint};
use crate::project::stack::Stack;
use crate::project::view::local::LocalView;
use crate::project::view::service::{End, ServiceView};
use crate::project::view::{Space, View};
use crate::project::{Project, Service};

/// What the files of a project are looked at through.
#[derive(Debug, Clone)]
pub(super) struct Views {
    pub(super) project: Arc<Project>,
    pub(super) standpoint: Arc<Standpoint>,
    pub(super) insides: Insides,
}

/// What was seen, and how.
struct Seen {
    model: ModelFacts,
    way: Way,
    through: Option<Through>,
    root: Option<RootFacts>,
}

impl Seen {
    /// Whether the model is not where its engine opens it, as far as can be told.
    fn lacks_model(&self, located: &Located) -> bool {
        match &self.model {
            ModelFacts::Absent => self.way.similar.is_none() && self.way.leaving.is_empty(),
            ModelFacts::Unknown(_) => located.sight == Sight::NotMounted,
            ModelFacts::Denied(_) | ModelFacts::Seen(_) => false,
        }
    }
}

impl Views {
    /// Those of a stack. Called on its runtime.
    pub(super) fn of(stack: &Stack) -> Self {
        Self {
            project: Arc::new(stack.project.clone()),
            standpoint: Arc::new(stack.standpoint.clone()),
            insides: Insides::of(stack),
        }
    }

    /// A service of the project.
    pub(super) fn service(&self, name: &str) -> Option<&Service> {
        self.project.service(name)
    }

    /// Everything about one artifact, below the mount root `root`. Blocking.
    pub(super) fn look(&self, artifact: &Artifact, root: Option<RootFacts>) -> ArtifactFacts {
        let located = &artifact.located.value;
        let service = located.service.as_deref().and_then(|name| self.project.service(name));
        let mut seen = match (&located.sight, &located.service_path) {
            (Sight::Visible { path, .. }, service_path) => {
                let view = service.and_then(|service| {
                    ServiceView::new(&self.project, &service.name.value, &self.standpoint)
                });
                let (mut model, mut way) = match (view, service_path) {
                    (Some(view), Some(path)) => through(&view, path.as_path(), artifact.part),
                    _ => alone(path.as_path(), artifact.part),
                };
                if let Some(service) = service.filter(|_| is_mounted_alone(located)) {
                    let is_shown = |name: &Path| self.is_mounted(service, located, name);
                    way.unmounted = parts_beside(path.as_path(), &mut model, is_shown);
                }
                Seen { model, way, through: Some(Through::Mounts), root }
            }
            (Sight::Written | Sight::Covered, _) => self.of_project(artifact),
            (Sight::NotMounted, _) => {
                self.inside(service, artifact, "no mount of the service reaches it")
            }
            // Its container has it only once it has been started.
            (Sight::Hidden(why), _) if located.holds_variable() => Seen {
                model: ModelFacts::Unknown(why.clone()),
                way: Way::default(),
                through: None,
                root: None,
            },
            (Sight::Hidden(why), _) => self.inside(service, artifact, why),
        };
        if let (Some(service), Some(path)) = (service, &located.service_path)
            && seen.lacks_model(located)
        {
            seen.way.nearby = nearby::look(self, service, path, artifact.part);
        }
        ArtifactFacts {
            artifact: artifact.clone(),
            root: seen.root,
            model: seen.model,
            way: seen.way,
            starter: service.map(starter),
            through: seen.through,
        }
    }

    /// Whether a mount of the service reaches what is called `name` beside something located.
    fn is_mounted(&self, service: &Service, located: &Located, name: &Path) -> bool {
        let Some(path) = &located.service_path else { return false };
        let beside = ServicePath::new(path.as_path().with_file_name(name));
        let at = mounts::locate(&self.project, service, &self.standpoint, &beside);
        at.sight != Sight::NotMounted
    }

    /// Everything that a lane's engine opens by a path, each file once: a model of a router's folder may
    /// be the lane's own. Blocking.
    pub(super) fn opened(&self, lane: &Lane) -> Vec<Artifact> {
        let mut opened: Vec<Artifact> = Vec::new();
        for artifact in lane.artifacts.iter().flat_map(|artifact| self.served(artifact)) {
            let path = &artifact.located.value.service_path;
            let is_listed = matches!(artifact.located.from, Origin::Folder(_));
            if !is_listed || opened.iter().all(|known| known.located.value.service_path != *path) {
                opened.push(artifact);
            }
        }
        opened
    }

    /// What there is already of a folder that its service is to write in; absent: no mount that can be
    /// looked into has any of it. Blocking.
    pub(super) fn ground(&self, located: &Located) -> Option<Ground> {
        let service = self.service(located.service.as_deref()?)?;
        let (mount, folder) = (located.mount.as_ref()?, located.service_path.as_ref()?);
        if !matches!(located.sight, Sight::Visible { .. }) {
            return None;
        }
        let view = ServiceView::new(&self.project, &service.name.value, &self.standpoint)?;
        let (path, seen) = view.resolve(folder.as_path()).steps.pop()?;
        let missing = folder.as_path().strip_prefix(&path).ok()?.components().count();
        let host = located.host_path.as_ref();
        let host = host.and_then(|host| host.as_path().ancestors().nth(missing));
        Some(Ground {
            folder: step(&view, path, &seen, None)?,
            starter: starter(service),
            mount: mount.clone(),
            host: host.map(HostPath::new),
        })
    }

    /// The models that a router finds in its folder; the artifact itself where it is no such folder,
    /// or none is found. Blocking.
    fn served(&self, artifact: &Artifact) -> Vec<Artifact> {
        let found = if artifact.part == Part::Models { self.router(artifact) } else { Vec::new() };
        if found.is_empty() {
            return vec![artifact.clone()];
        }
        found.into_iter().map(|(part, below)| artifact.listed(part, &below)).collect()
    }

    fn router(&self, artifact: &Artifact) -> Vec<(Part, PathBuf)> {
        let located = &artifact.located.value;
        let service = located.service.as_deref().and_then(|name| self.project.service(name));
        let (Some(service), Some(path)) = (service, &located.service_path) else {
            return Vec::new();
        };
        if matches!(located.sight, Sight::Visible { .. }) {
            let view = ServiceView::new(&self.project, &service.name.value, &self.standpoint);
            return view.map(|view| router::models(&view, path.as_path())).unwrap_or_default();
        }
        match self.insides.look_into(service) {
            Inside::Open(view) => router::models(&view, path.as_path()),
            Inside::Closed | Inside::Doubtful(_) => Vec::new(),
        }
    }

    /// An artifact of which the project's files say whether it is there.
    fn of_project(&self, artifact: &Artifact) -> Seen {
        let located = &artifact.located.value;
        let view = located
            .service
            .as_deref()
            .and_then(|name| ServiceView::new(&self.project, name, &self.standpoint));
        let (model, way) = match (view, &located.service_path) {
            (Some(view), Some(path)) => through(&view, path.as_path(), artifact.part),
            (None, _) | (_, None) => (ModelFacts::Absent, Way::default()),
        };
        Seen { model, way, through: None, root: None }
    }

    /// An artifact that this process has not mounted, looked at inside its container.
    fn inside(&self, service: Option<&Service>, artifact: &Artifact, why: &str) -> Seen {
        let located = &artifact.located.value;
        let unseen = |why: &str| Seen {
            model: ModelFacts::Unknown(why.to_owned()),
            way: Way::default(),
            through: None,
            root: None,
        };
        let (Some(service), Some(path)) = (service, &located.service_path) else {
            return unseen(why);
        };
        match self.insides.look_into(service) {
            Inside::Closed if mounts::lies_over_another(service, path) => {
                Seen { model: ModelFacts::Absent, ..unseen(why) }
            }
            Inside::Closed
                if located.sight == Sight::NotMounted && !artifact.part.may_be_in_image() =>
            {
                unseen("only the image can hold it, and that was not looked into")
            }
            Inside::Closed => unseen(why),
            Inside::Doubtful(missing) => match missing.root_of(&self.project, located) {
                Some(root) => Seen {
                    model: ModelFacts::Absent,
                    root: Some(root),
                    through: Some(missing.through(why)),
                    way: Way::default(),
                },
                None => unseen(&format!("{why}, and {}", missing.why())),
            },
            Inside::Open(view) => {
                let (model, mut way) = through(&view, path.as_path(), artifact.part);
                way.unseen = undecided(&way, service);
                let root = self.insides.root(&view, located, &model);
                let name = view.container().to_owned();
                let through = Some(Through::Container { name, why: why.to_owned() });
                Seen { model, way, through, root }
            }
        }
    }
}

fn through(view: &dyn Space, path: &Path, part: Part) -> (ModelFacts, Way) {
    let model = model::examine_as(view, path, part);
    let way = follow(view, path, &model);
    (model, way)
}

/// Whether the mount shows the one file that is opened.
fn is_mounted_alone(located: &Located) -> bool {
    located.mount.as_ref().is_some_and(|it| Some(&it.target) == located.service_path.as_ref())
}

/// The parts of a model that no mount shows, of which the one at `local` is mounted alone: they are not
/// there. Those of them that lie beside it.
fn parts_beside(
    local: &Path,
    facts: &mut ModelFacts,
    is_shown: impl Fn(&Path) -> bool,
) -> Vec<String> {
    let ModelFacts::Seen(model) = facts else { return Vec::new() };
    if !matches!(model.shape, Shape::Split(_)) {
        return Vec::new();
    }
    let is_unseen = |file: &&mut ModelFile| {
        matches!(file.content, Content::Unknown(_)) && !is_shown(&file.name)
    };
    let mut beside = Vec::new();
    for file in model.files.iter_mut().skip(1).filter(is_unseen) {
        file.content = Content::Absent;
        let at = local.with_file_name(&file.name);
        let kind = LocalView.stat(&at).seen().map(|stat| stat.kind);
        beside
            .extend(file.name.to_str().filter(|_| kind == Some(FileKind::File)).map(str::to_owned));
    }
    beside
}

/// A model that no service opens has no way of its own.
fn alone(path: &Path, part: Part) -> (ModelFacts, Way) {
    let model = model::examine_as(&LocalView, path, part);
    let mut way = Way::default();
    beside(&LocalView, path, &model, &mut way);
    (model, way)
}

/// Follows the way to everything that was found at `path`.
fn follow(view: &dyn Space, path: &Path, facts: &ModelFacts) -> Way {
    let mut way = Way::default();
    let mut steps = BTreeMap::new();
    let own = view.resolve(path);
    let listed = own.steps.last().map(|(path, _)| path.clone()).filter(|_| own.end.is_here());
    let files = facts
        .seen()
        .map(|model| model.files.iter().map(|file| model.path_of(path, file)).collect::<Vec<_>>());
    match &own.end {
        End::Absent(link) => way.dangling.clone_from(link),
        End::Outside(link) => way.leaving.push(link.clone()),
        End::Here(_) | End::Written(_) | End::Memory | End::Denied(_) | End::Unknown(_) => {}
    }
    steps.extend(own.steps);
    for file in files.into_iter().flatten() {
        let resolved = view.resolve(&file);
        steps.extend(resolved.steps);
        match resolved.end {
            End::Outside(link) if !way.leaving.contains(&link) => way.leaving.push(link),
            // A link on the way may well lead to a folder that the file is not in.
            End::Absent(Some(link)) if !view.resolve(&link.path).end.is_here() => {
                if !way.broken.contains(&link) {
                    way.broken.push(link);
                }
            }
            End::Absent(_)
            | End::Outside(_)
            | End::Here(_)
            | End::Written(_)
            | End::Memory
            | End::Denied(_)
            | End::Unknown(_) => {}
        }
    }
    way.steps = steps
        .into_iter()
        .filter_map(|(path, seen)| step(view, path, &seen, listed.as_deref()))
        .collect();
    beside(view, path, facts, &mut way);
    way
}

fn beside(view: &dyn View, path: &Path, facts: &ModelFacts, way: &mut Way) {
    if matches!(facts, ModelFacts::Absent) {
        way.similar = model::similar_beside(view, path);
        way.leftovers = model::leftovers_beside(view, path);
    }
}

fn step(view: &dyn Space, path: PathBuf, seen: &Path, listed: Option<&Path>) -> Option<Step> {
    let (stat, listed_rights) = view.met(seen)?;
    let is_listed = stat.kind == FileKind::Directory && listed == Some(path.as_path());
    Some(Step {
        path,
        kind: stat.kind,
        listed: is_listed,
        mode: stat.mode,
        owner: stat.owner,
        listed_rights,
    })
}

/// A folder on the way whose owner decides, and is not known.
fn undecided(way: &Way, service: &Service) -> Option<String> {
    let user = service.user.as_ref().map_or("", |user| user.value.as_str());
    if matches!(user.split(':').next(), Some("" | "0" | "root")) {
        return None;
    }
    let folder = way.steps.iter().find(|step| {
        let needed = if step.listed { 0o5 } else { 0o1 };
        let (for_all, for_some) = (step.mode & needed == needed, step.mode & 0o111 != 0);
        step.kind == FileKind::Directory && step.owner.is_none() && !for_all && for_some
    })?;
    let (path, mode) = (folder.path.display(), folder.mode);
    Some(format!("`{path}` has mode {mode:04o}, and whose it is cannot be seen from outside"))
}

/// What decides about files in the way that a service is started.
fn starter(service: &Service) -> Starter {
    Starter {
        user: service.user.clone(),
        groups: service.group_add.clone(),
        root_reads_all: service.root_reads_all,
    }
}
