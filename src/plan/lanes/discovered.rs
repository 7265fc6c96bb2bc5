//! Lanes that a service opens: the engine's own words.

use super::cache::source;
use super::catalogue::Catalogue;
use super::draft::{Draft, Drafts, Opened, Written, fill, lane_name};
use super::{ModelKind, Origin, Problem, ProblemKind, Traced};
use crate::path::ServicePath;
use crate::plan::engine::{self, Invocation, Layout, Named, Opens, Serves};
use crate::project::mounts::{Standpoint, locate};
use crate::project::{Project, Service};
use crate::source_map::Place;

/// Reads every service that starts an engine, and gives what it opens to the lane that it belongs
/// to, or to a lane of its own.
pub(super) fn engines(project: &Project, catalogue: &Catalogue, drafts: &mut Drafts) {
    serve_by_url(project, drafts);
    for service in &project.services {
        if let Some(invocation) = engine::invocation(service) {
            let draft = lane_of(drafts, project, service, &invocation, catalogue);
            open(draft, service, invocation);
        }
    }
}

/// Which lane a service's model is: one that says this very path, else the one that the catalogue
/// knows by it, else the only lane of that service, else one named like the service.
fn lane_of<'a>(
    drafts: &'a mut Drafts,
    project: &Project,
    service: &Service,
    invocation: &Invocation,
    catalogue: &Catalogue,
) -> &'a mut Draft {
    let name = &service.name.value;
    let opened = invocation.model().and_then(path_of);
    let says_path = |draft: &&Draft| opened.is_some_and(|path| says(draft, project, service, path));
    let said = drafts.0.iter().find(says_path).map(|draft| draft.name.clone());
    let known = opened.and_then(|path| catalogue.by_path(path.as_path()));
    let known = known.map(|entry| entry.lane.clone()).filter(|lane| free(drafts, lane, name));
    let mut own = drafts.0.iter().filter(|draft| draft.services.contains(name));
    let only = own.next().filter(|_| own.next().is_none()).map(|draft| draft.name.clone());
    let chosen = said.or(known).or(only).unwrap_or_else(|| lane_name(name));
    let draft = drafts.lane(&chosen, &service.name.place);
    draft.serve(name);
    draft
}

/// Whether a lane's model may be what `service` opens: nobody says where it is, and no other
/// service has it.
fn free(drafts: &Drafts, lane: &str, service: &str) -> bool {
    let mut same = drafts.0.iter().filter(|draft| draft.name == lane);
    same.all(|draft| {
        draft.path.is_none() && draft.services.iter().all(|serving| serving == service)
    })
}

/// Whether a draft's path is what `service` calls `path`.
fn says(draft: &Draft, project: &Project, service: &Service, path: &ServicePath) -> bool {
    let mine = draft.services.is_empty() || draft.services.contains(&service.name.value);
    match draft.path.as_ref().map(|path| &path.value) {
        Some(Written::InService(written)) => mine && written == path,
        Some(Written::Somewhere(written)) => {
            written == path.as_path()
                || locate(project, service, &Standpoint::Host, path)
                    .host_path
                    .is_some_and(|host| host.as_path() == written)
        }
        Some(Written::UnderModelsRoot(_)) | None => false,
    }
}

/// Puts what the engine opens into its lane.
fn open(draft: &mut Draft, service: &Service, invocation: Invocation) {
    fill(&mut draft.kind, kind_of(&invocation));
    match invocation.model() {
        None => {
            if let Some(instead) = invocation.without_model() {
                let kind = ProblemKind::NoModelNamed { instead };
                let place = command_place(service);
                draft.problems.push(Problem { kind, place });
            } else if invocation.served_folder().is_none()
                && (invocation.models_dir.is_some()
                    || invocation.engine.command_line().without_model.is_none())
            {
                let name = invocation.engine.name();
                fill(&mut draft.skipped, Some(format!("{name} loads its models on request")));
            }
        }
        Some(model) => name_model(draft, service, &invocation, model),
    }
    if draft.invocation.is_none() {
        draft.serve_first(&service.name.value);
        draft.invocation = Some(invocation);
    }
}

fn name_model(draft: &mut Draft, service: &Service, invocation: &Invocation, model: &Opens) {
    let place = &model.place;
    match &model.named {
        Named::Path(path) => {
            let from = Origin::Engine(model.by.clone());
            let path = Traced { value: path.clone(), from, place: place.clone() };
            let written = Written::InService(path.value.clone());
            let first =
                Traced { value: written, from: path.from.clone(), place: path.place.clone() };
            fill(&mut draft.path, Some(first));
            draft.opened.push(Opened { service: service.name.value.clone(), path });
        }
        Named::Repository { id, revision, file } => {
            if let Some(Traced { value: Written::InService(declared), .. }) = &draft.path
                && !is_cached(declared, invocation)
            {
                let kind = ProblemKind::EngineOpensOther {
                    declared: declared.to_string(),
                    opened: model.named.to_string(),
                };
                draft.problems.push(Problem { kind, place: place.clone() });
            }
            let source = source(id, revision.as_deref(), file.as_deref());
            let from = Origin::Engine(model.by.clone());
            fill(
                &mut draft.source,
                source.map(|value| Traced { value, from, place: place.clone() }),
            );
        }
        Named::Url(url) => {
            fill(&mut draft.skipped, Some(format!("`{url}` is loaded by the engine itself")));
        }
    }
}

/// Whether a path lies in the engine's own cache of the hub.
fn is_cached(path: &ServicePath, invocation: &Invocation) -> bool {
    invocation.hub_cache.as_ref().is_some_and(|cache| path.below(&cache.path).is_some())
}

fn kind_of(invocation: &Invocation) -> Option<ModelKind> {
    let models = invocation.engine.models();
    match (models.layout, models.serves) {
        (Layout::GgufFile, _) => Some(ModelKind::Gguf),
        (Layout::HubFolder, Serves::Embeddings) => Some(ModelKind::Embedding),
        (Layout::HubFolder, Serves::Text) => Some(ModelKind::Vllm),
        (Layout::Store, _) => None,
    }
}

fn path_of(opens: &Opens) -> Option<&ServicePath> {
    match &opens.named {
        Named::Path(path) => Some(path),
        Named::Repository { .. } | Named::Url(_) => None,
    }
}

fn command_place(service: &Service) -> Place {
    let words = service.command.as_ref().or(service.entrypoint.as_ref());
    let first = words.and_then(|words| words.first());
    first.map_or_else(|| service.name.place.clone(), |word| word.place.clone())
}

/// Gives a lane that only says a URL the service that answers there: `http://NAME:PORT`.
fn serve_by_url(project: &Project, drafts: &mut Drafts) {
    for draft in drafts.0.iter_mut().filter(|draft| draft.services.is_empty()) {
        let Some(url) = &draft.url else { continue };
        let host = url.value.split("//").nth(1).unwrap_or("").split([':', '/']).next();
        if let Some(service) = host.and_then(|host| project.service(host)) {
            draft.serve(&service.name.value);
        }
    }
}
