//! Lanes that a service opens: the engine's own words.

use super::address;
use super::cache::source;
use super::catalogue::Catalogue;
use super::draft::{Draft, Drafts, Opened, Written, fill, lane_name};
use super::engines::Engines;
use super::variables;
use super::{ModelKind, Origin, Problem, ProblemKind, Traced};
use crate::file_name::weights::Weights;
use crate::path::ServicePath;
use crate::plan::engine::{Engine, Invocation, Layout, Named, Opens, Serves};
use crate::project::mounts::{Standpoint, locate};
use crate::project::{Project, Service};
use crate::source_map::Place;

/// Reads every service that starts an engine, and gives what it opens to the lane that it belongs
/// to, or to a lane of its own. Who serves a lane is said, in this order, by a declaration, by the
/// host of its URL, by the command that opens its path, by the kind of its files.
pub(super) fn engines(
    project: &Project,
    engines: &Engines<'_>,
    catalogue: &Catalogue,
    drafts: &mut Drafts,
) {
    serve_by_url(project, engines, drafts);
    for draft in &mut drafts.0 {
        draft.settled = !draft.services.is_empty();
    }
    for (service, invocation) in engines.iter() {
        let draft = lane_of(drafts, project, service, invocation, catalogue);
        open(draft, service, invocation.clone());
    }
    serve_by_kind(engines, drafts);
    serve_by_proxy(project, drafts);
    let started: Vec<(String, Invocation)> = drafts
        .0
        .iter()
        .filter_map(|draft| Some((draft.services.first()?.clone(), draft.invocation.clone()?)))
        .collect();
    for draft in drafts.0.iter_mut().filter(|draft| draft.invocation.is_none()) {
        let mut shared = started.iter().filter(|(service, _)| draft.services.contains(service));
        draft.standby = shared.next().map(|(_, invocation)| invocation.clone());
    }
}

/// Which lane a service's model is: one that says this very path, else the one that the catalogue
/// knows by it, else the only lane of that service, else, where the command names no model, the lane
/// that the lost variable is called after or the first of that service, else one named like the
/// service.
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
    let is_own = |draft: &&Draft| {
        let alone = draft.services.is_empty() && draft.spoken_in.as_slice() == [name.clone()];
        draft.services.contains(name) || alone && fits(draft, invocation.engine)
    };
    let mut own = drafts.0.iter().filter(is_own).map(|draft| draft.name.clone());
    let (first, second) = (own.next(), own.next());
    let mut unset = invocation.unset.iter().filter_map(|unset| variables::model_of(&unset.name));
    let of_variable = unset.find(|lane| drafts.has(lane));
    let unnamed = invocation.model().is_none() && invocation.models_dir.is_none();
    let nameless = || first.clone().filter(|_| unnamed);
    let only = || first.clone().filter(|_| second.is_none());
    let chosen =
        said.or(known).or_else(|| of_variable.filter(|_| unnamed)).or_else(only).or_else(nameless);
    let chosen = chosen.unwrap_or_else(|| lane_name(name));
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
    let mine = draft.may_be_served_by(&service.name.value);
    match draft.path.as_ref().map(|path| &path.value) {
        Some(Written::InService(written)) => mine && written == path,
        Some(Written::Somewhere(written)) if mine => {
            written == path.as_path()
                || locate(project, service, &Standpoint::Host, path)
                    .host_path
                    .is_some_and(|host| host.as_path() == written)
        }
        Some(Written::Somewhere(_) | Written::UnderModelsRoot(_)) | None => false,
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
            // A lane that has its path from one engine is that engine's alone.
            draft.settled |= draft.path.is_none();
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
            let why = match url.strip_prefix("modelscope://") {
                Some(id) => format!("the engine fetches `{id}` from ModelScope itself"),
                None => format!("`{url}` is loaded by the engine itself"),
            };
            fill(&mut draft.skipped, Some(why));
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

/// All of the command, where it is written as one text; else its first word.
fn command_place(service: &Service) -> Place {
    let key = if service.command.is_some() { "command" } else { "entrypoint" };
    if let Some(line) = service.lines.iter().find(|line| line.key == key) {
        return line.text.place.clone();
    }
    let words = service.command.as_ref().or(service.entrypoint.as_ref());
    let first = words.and_then(|words| words.first());
    first.map_or_else(|| service.name.place.clone(), |word| word.place.clone())
}

/// Gives a lane of which nobody says who serves it the engine that answers at its URL.
fn serve_by_url(project: &Project, engines: &Engines<'_>, drafts: &mut Drafts) {
    for draft in drafts.0.iter_mut().filter(|draft| draft.services.is_empty()) {
        let Some(url) = &draft.url else { continue };
        let Some(service) = address::service_at(project, engines, &url.value) else { continue };
        let name = &service.name.value;
        if engines.started_by(name).is_some() {
            draft.serve(name);
        }
    }
}

/// Gives a lane that no engine serves the service that its URL names, if that mounts the model, or if
/// nobody says where that is.
fn serve_by_proxy(project: &Project, drafts: &mut Drafts) {
    for draft in drafts.0.iter_mut().filter(|draft| draft.services.is_empty()) {
        let Some(url) = &draft.url else { continue };
        let Some((service, _)) = address::named_by(project, &url.value) else { continue };
        let is_mounted = draft.path.as_ref().is_none_or(|path| match &path.value {
            Written::InService(path) => mounts(service, path),
            Written::Somewhere(path) => mounts(service, &ServicePath::new(path.as_path())),
            Written::UnderModelsRoot(_) => false,
        });
        if is_mounted {
            draft.serve(&service.name.value);
        }
    }
}

fn mounts(service: &Service, path: &ServicePath) -> bool {
    service.mounts.iter().any(|mount| path.below(&mount.target).is_some())
}

/// Gives a lane that is only spoken of in the environment of engines to those of them that open
/// files of its kind.
fn serve_by_kind(engines: &Engines<'_>, drafts: &mut Drafts) {
    for draft in drafts.0.iter_mut().filter(|draft| draft.services.is_empty()) {
        for name in draft.spoken_in.clone() {
            let invocation = engines.started_by(&name);
            if invocation.is_some_and(|invocation| fits(draft, invocation.engine)) {
                draft.serve(&name);
            }
        }
    }
}

/// Whether `engine` opens files of the kind that the lane's path names.
fn fits(draft: &Draft, engine: Engine) -> bool {
    let Some(path) = &draft.path else { return true };
    let is_gguf = Weights::Gguf.are_in(&path.value.as_path().to_string_lossy());
    match engine.models().layout {
        Layout::GgufFile => is_gguf,
        Layout::HubFolder => !is_gguf,
        Layout::Store => false,
    }
}
