//! What a service that is built gets from its Dockerfile: the image that it is made from, and what the
//! last stage says over that.

mod dockerfile;

use std::path::Path;

use indexmap::IndexMap;
use serde_json::Value;

use self::dockerfile::Stage;
use crate::path::{HostPath, ServicePath};
use crate::project::mounts::{Sight, locate_on_host};
use crate::project::stack::Stack;
use crate::project::{Project, Service};
use crate::source_map::Spanned;

/// Fills in what the Dockerfile of a service says, where the service itself does not and where Docker has
/// not told what the image is. Blocking.
pub(super) fn fill_in(stack: &Stack, service: &mut Service) {
    let build = &stack.project.document["services"][&service.name.value]["build"];
    if build.is_null() || service.observed {
        return;
    }
    let Some(text) = text(stack, &stack.project, build) else { return };
    let Some(stage) = dockerfile::stage(&text, &arguments(build), build["target"].as_str()) else {
        return;
    };
    take(service, stage);
}

fn take(service: &mut Service, stage: Stage) {
    let words = |words: Vec<String>| words.into_iter().map(Spanned::nowhere).collect::<Vec<_>>();
    if service.entrypoint.is_none() {
        if service.command.as_ref().is_none_or(Vec::is_empty) {
            let reset = stage.entrypoint.is_some().then(Vec::new);
            service.command = stage.command.or(reset).map(words).or(service.command.take());
        }
        service.entrypoint = stage.entrypoint.map(words);
    }
    for (name, value) in stage.environment {
        service.environment.entry(name).or_insert_with(|| Spanned::nowhere(Some(value)));
    }
    service.working_dir = service.working_dir.take().or(stage.working_dir.map(ServicePath::new));
    service.base = Some(stage.base);
}

/// The arguments that Compose gives to the build.
fn arguments(build: &Value) -> IndexMap<String, String> {
    let given = build["args"].as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let given = given.filter(|(_, value)| !value.is_null());
    given.map(|(name, value)| (name.clone(), text(value))).collect()
}

fn text(stack: &Stack, project: &Project, build: &Value) -> Option<String> {
    if let Some(inline) = build["dockerfile_inline"].as_str() {
        return Some(inline.to_owned());
    }
    let context = Path::new(build["context"].as_str()?);
    let file = build["dockerfile"].as_str().unwrap_or("Dockerfile");
    let path = HostPath::new(crate::path::clean(&context.join(file)));
    let located = locate_on_host(project, &stack.standpoint, &path, &HostPath::new(context));
    match &located.sight {
        Sight::Visible { path, .. } => super::text(path.as_path()),
        Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_) => None,
    }
}
