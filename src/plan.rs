//! The lanes of a run: what the project, its start scripts and the command line say.

mod built;
pub mod engine;
pub mod lanes;
mod settings;
pub mod wiring;
mod written;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use crate::limits::LONGEST_START_TEXT;
use crate::look::Look;
use crate::options::{Options, Selection, Target};
use crate::plan::lanes::{Plan, PlanError};
use crate::project::mounts::{Located, Sight, locate};
use crate::project::stack::Stack;
use crate::project::view::View as _;
use crate::project::view::local::LocalView;
use crate::project::view::walk;
use crate::project::{Copied, MountSource, Project, Text};
use crate::source_map::SourceMap;

/// How many files the start of one engine is followed through: a script that starts a script, and a
/// configuration file.
const MOST_TEXTS: usize = 8;

/// The lanes: those of the project, or one for each model that is found on the disk.
///
/// # Errors
/// A declaration that cannot be read, a lane that does not exist.
pub fn of(stack: &Stack, options: &Options, sources: &mut SourceMap) -> Result<Plan, PlanError> {
    match &options.target {
        Target::Models(root) => {
            let models = walk::models(root);
            let models = models.ok_or_else(|| PlanError::TooManyModels { root: root.clone() })?;
            if models.is_empty() {
                return Err(PlanError::NothingThere { root: root.clone() });
            }
            lanes::of_models(root, &models, &options.selection)
        }
        Target::Deliveries(deliveries) => Ok(lanes::of_deliveries(deliveries)),
        Target::CommandLine(_) => {
            let project = with_texts(stack, sources);
            lanes::of_command_line(&project, &stack.standpoint, &options.selection, sources)
        }
        Target::Discover | Target::ComposeFile(_) | Target::ProjectDirectory(_) => {
            let mut project = with_texts(stack, sources);
            settings::fill_in(&mut project, stack, &options.project, sources);
            let sources = &*sources;
            let plan_of = |project: &Project, selection: &Selection| {
                lanes::plan(project, &stack.standpoint, selection, sources)
            };
            let mut plan = plan_of(&project, &options.selection)?;
            let idle = idle(stack, &project);
            if !idle.is_empty() {
                let selection = Selection { lanes: Vec::new(), ..options.selection.clone() };
                plan = plan.narrowed(plan_of(&without(project, &idle), &selection)?, idle);
            }
            if let Some(service) = hooked(stack) {
                plan.leave_out_all_but(service);
            }
            match &stack.pod {
                // Its own Pod has been started, whatever is written.
                Some(pod) => plan.leave_out_other_pods(&stack.project, pod),
                None => plan.leave_out_unstarted(&stack.project),
            }
            Ok(plan)
        }
    }
}

/// The services that are not part of the `docker compose up` that waits for this process.
fn idle(stack: &Stack, project: &Project) -> BTreeSet<String> {
    let Some(up) = &stack.up else { return BTreeSet::new() };
    let names = project.services.iter().map(|service| service.name.value.clone());
    names.filter(|name| !up.contains(name)).collect()
}

fn without(mut project: Project, services: &BTreeSet<String>) -> Project {
    project.services.retain(|service| !services.contains(&service.name.value));
    project
}

/// The service that this process is a hook of: it is before the others as well, but sees
/// nothing of them.
fn hooked(stack: &Stack) -> Option<&str> {
    let own = stack.observation.as_ref().ok()?.myself.as_ref()?;
    own.service.as_deref().filter(|_| own.is_hook())
}

/// The project, with the scripts that start engines and the files that command lines are continued
/// in; and where it is known what an `up` starts, with the services that profiles leave out. Blocking.
fn with_texts(stack: &Stack, sources: &SourceMap) -> Project {
    let mut project = stack.project.clone();
    if stack.up.is_some() {
        project.services.append(&mut project.disabled);
    }
    for service in &mut project.services {
        built::fill_in(stack, service);
        for _ in 0..MOST_TEXTS {
            let Some(path) = engine::unseen_text(service) else { break };
            let located = locate(&stack.project, service, &stack.standpoint, &path);
            let Some(text) = text_of(&located, sources) else { break };
            service.texts.insert(path, text);
        }
    }
    project
}

fn text_of(located: &Located, sources: &SourceMap) -> Option<Text> {
    match (&located.sight, located.mount.as_ref().map(|mount| &mount.source)) {
        (Sight::Visible { path, .. }, _) => text(path.as_path()).map(Text::from),
        (Sight::Written, Some(MountSource::Copied(Copied::Text(text)))) => {
            let lines = written::lines(&text.value, &text.place, sources);
            Some(Text { lines, ..Text::from(text.value.clone()) })
        }
        _ => None,
    }
}

/// A file as text, if it is a small one.
fn text(path: &Path) -> Option<String> {
    let Look::Seen(file) = LocalView.open(path) else { return None };
    let mut text = String::new();
    let size = file.take(LONGEST_START_TEXT + 1).read_to_string(&mut text).ok()?;
    u64::try_from(size).is_ok_and(|size| size <= LONGEST_START_TEXT).then_some(text)
}
