//! What a service meets on the way to the files of a model: links, folders, rights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::facts::{ArtifactFacts, FileKind, Look, RootFacts, Starter, Step, Way};
use crate::lanes::Artifact;
use crate::model::{self, ModelFacts};
use crate::mounts::{Sight, Standpoint};
use crate::project::{Project, Service};
use crate::stack::Stack;
use crate::view::View;
use crate::view::local::LocalView;
use crate::view::service::{End, ServiceView};

/// What the files of a project are looked at through.
#[derive(Debug, Clone)]
pub(super) struct Eyes {
    project: Arc<Project>,
    standpoint: Arc<Standpoint>,
}

impl Eyes {
    /// Those of a stack.
    pub(super) fn of(stack: &Stack) -> Self {
        Self {
            project: Arc::new(stack.project.clone()),
            standpoint: Arc::new(stack.standpoint.clone()),
        }
    }

    /// Everything about one artifact, below the mount root `root`. Blocking.
    pub(super) fn look(&self, artifact: &Artifact, root: Option<RootFacts>) -> ArtifactFacts {
        let located = &artifact.located.value;
        let service = located.service.as_deref();
        let starter = service.and_then(|name| self.project.service(name)).map(starter);
        let (model, way) = match &located.sight {
            Sight::Visible { path, .. } => {
                let view = service
                    .and_then(|name| ServiceView::new(&self.project, name, &self.standpoint));
                match (view, &located.service_path) {
                    (Some(view), Some(path)) => through(&view, path.as_path()),
                    _ => alone(path.as_path()),
                }
            }
            Sight::NotMounted => unseen("no mount of the service reaches it"),
            Sight::Hidden(why) => unseen(why),
        };
        ArtifactFacts { artifact: artifact.clone(), root, model, way, starter }
    }
}

fn through(view: &ServiceView, path: &Path) -> (ModelFacts, Way) {
    let model = model::examine(view, path);
    let way = follow(view, path, &model);
    (model, way)
}

/// A model that no service opens has no way of its own.
fn alone(path: &Path) -> (ModelFacts, Way) {
    let model = model::examine(&LocalView, path);
    let mut way = Way::default();
    beside(&LocalView, path, &model, &mut way);
    (model, way)
}

fn unseen(why: &str) -> (ModelFacts, Way) {
    (ModelFacts::Unknown(why.to_owned()), Way::default())
}

/// Follows the way to everything that was found at `path`.
fn follow(view: &ServiceView, path: &Path, facts: &ModelFacts) -> Way {
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
        End::Here(_) | End::Denied(_) | End::Unknown(_) => {}
    }
    steps.extend(own.steps);
    for file in files.into_iter().flatten() {
        let resolved = view.resolve(&file);
        steps.extend(resolved.steps);
        if let End::Outside(link) = resolved.end
            && !way.leaving.contains(&link)
        {
            way.leaving.push(link);
        }
    }
    way.steps = steps
        .into_iter()
        .filter_map(|(path, local)| step(path, &local, listed.as_deref()))
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

fn step(path: PathBuf, local: &Path, listed: Option<&Path>) -> Option<Step> {
    let Look::Seen(stat) = LocalView.stat(local) else { return None };
    let is_listed = stat.kind == FileKind::Directory && listed == Some(path.as_path());
    // Read only where it can change anything.
    let listed_rights = stat.mode & 0o007 != 0o007 && has_list_of_rights(local);
    Some(Step {
        path,
        kind: stat.kind,
        listed: is_listed,
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        listed_rights,
    })
}

fn has_list_of_rights(local: &Path) -> bool {
    rustix::fs::getxattr(local, "system.posix_acl_access", &mut [0_u8; 0][..])
        .is_ok_and(|length| length > 0)
}

/// What decides about files in the way that a service is started.
fn starter(service: &Service) -> Starter {
    let allowed = service.variable("VLLM_ALLOW_LONG_MAX_MODEL_LEN");
    Starter {
        user: service.user.clone(),
        groups: service.group_add.clone(),
        long_context: allowed
            .is_some_and(|value| ["1", "true"].contains(&value.trim().to_lowercase().as_str())),
    }
}
