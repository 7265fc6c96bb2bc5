//! Drafts -> lanes: paths settled, defaults filled, selection applied.

use std::collections::BTreeSet;
use std::path::Path;

use super::address;
use super::cache::{self, Cached};
use super::cards;
use super::catalogue::{Catalogue, Entry};
use super::draft::{Draft, Drafts, Opened, Written, fill, lane_name};
use super::engines::Engines;
use super::hub;
use super::selection::{left_out, select};
use super::{
    Artifact, Lane, ModelKind, Origin, Plan, PlanError, Problem, ProblemKind, Settings, Traced,
    brought, declared, discovered, unread, variables,
};
use crate::file_name::weights::Weights;
use crate::options::Selection;
use crate::path::{HostPath, ServicePath};
use crate::plan::engine::{Engine, Invocation, Named, Part};
use crate::plan::wiring::{self, Wiring};
use crate::project::mounts::{Located, Sight, Standpoint, locate, locate_on_host, service_path};
use crate::project::{Project, Service};
use crate::source_map::{SourceMap, Spanned};

/// Works out the lanes of a project.
///
/// # Errors
/// A declaration that cannot be read, and a `--lane` that does not exist. What is merely wrong with
/// a lane is one of its [`Problem`]s.
pub fn plan(
    project: &Project,
    standpoint: &Standpoint,
    selection: &Selection,
    sources: &SourceMap,
) -> Result<Plan, PlanError> {
    let ground = Ground::of(project, standpoint, selection);
    let (engines, catalogue) = (&ground.engines, &ground.catalogue);
    let mut drafts = Drafts::default();
    declared::labels(project, sources, &mut drafts)?;
    declared::service_extensions(project, sources, &mut drafts)?;
    let extension = declared::extension(project, sources, &mut drafts)?;
    variables::lanes(project, engines, selection, &mut drafts);
    discovered::engines(project, engines, catalogue, &mut drafts);
    unread::lanes(project, engines, &mut drafts);

    let whole_catalogue = extension.catalogue.is_some() || selection.minimal;
    consult(catalogue, whole_catalogue, selection.minimal, &mut drafts);

    Ok(Plan {
        lanes: select(ground.settle_all(drafts), selection)?,
        settings: Settings {
            fetch: extension.fetch == declared::FetchPolicy::Missing,
            create_root: extension.create_root,
            gpus: cards::declared(project, selection, sources)?,
        },
        dialect: project.dialect,
        idle: BTreeSet::new(),
        wiring: wiring::of(project, engines.iter()),
    })
}

/// The lane of a project that is one command line: what that opens, and nothing else; none where it only
/// prints something. It is called as the
/// run says which lane it is about, else as the catalogue does, else after its engine.
///
/// # Errors
/// As [`plan`].
pub fn of_command_line(
    project: &Project,
    standpoint: &Standpoint,
    selection: &Selection,
    sources: &SourceMap,
) -> Result<Plan, PlanError> {
    let ground = Ground::of(project, standpoint, selection);
    let mut drafts = Drafts::default();
    discovered::engines(project, &ground.engines, &ground.catalogue, &mut drafts);
    consult(&ground.catalogue, false, false, &mut drafts);
    let mut lanes = ground.settle_all(drafts);
    lanes.retain(|lane| !lane.invocation.as_ref().is_some_and(|it| it.only_prints));
    for lane in &mut lanes {
        let is_of_program = lane.services.iter().any(|program| lane_name(program) == lane.name);
        let own = lane.engine.filter(|_| is_of_program).map(Engine::id);
        if let Some(name) = selection.lanes.first().map(String::as_str).or(own) {
            lane.name = lane_name(name);
        }
    }
    Ok(Plan {
        lanes,
        settings: Settings {
            fetch: true,
            create_root: false,
            gpus: cards::declared(project, selection, sources)?,
        },
        dialect: project.dialect,
        idle: BTreeSet::new(),
        wiring: Wiring::default(),
    })
}

/// Fills from the catalogue what nobody said; the whole of it when the project asks for that, else
/// only for lanes that name a path of it.
fn consult(catalogue: &Catalogue, whole: bool, minimal: bool, drafts: &mut Drafts) {
    for draft in &mut drafts.0 {
        let by_path = draft.path.as_ref().and_then(|path| catalogue.by_path(path.value.as_path()));
        let unsaid = draft.path.is_none() && !opens_repository(draft);
        let by_name = || catalogue.by_lane(&draft.name).filter(|_| whole && unsaid);
        if let Some(entry) = by_path.or_else(by_name) {
            apply(entry, draft);
        }
    }
    if whole {
        for entry in catalogue.lanes(minimal) {
            if !drafts.has(&entry.lane) {
                let draft = drafts.lane(&entry.lane, &Default::default());
                draft.required = Some(minimal);
                apply(entry, draft);
            }
        }
    }
}

/// Whether the engine opens the model by the name of a repository.
fn opens_repository(draft: &Draft) -> bool {
    let model = draft.invocation.as_ref().and_then(Invocation::model);
    model.is_some_and(|model| matches!(model.named, Named::Repository { .. }))
}

fn apply(entry: &Entry, draft: &mut Draft) {
    let traced = |value| Traced { value, from: Origin::Catalogue, place: Default::default() };
    let under_root = |path: &String| Written::UnderModelsRoot(path.into());
    let path = entry.path.as_ref().map(under_root);
    fill(&mut draft.kind, Some(entry.kind));
    fill(
        &mut draft.path,
        path.map(|value| Traced { value, from: Origin::Catalogue, place: Default::default() }),
    );
    if draft.source.is_none() {
        draft.source = Some(traced(entry.source.clone()));
        draft.include.clone_from(&entry.include);
        draft.exclude.clone_from(&entry.exclude);
    }
}

/// What paths are settled on.
struct Ground<'a> {
    project: &'a Project,
    engines: Engines<'a>,
    standpoint: &'a Standpoint,
    selection: &'a Selection,
    catalogue: Catalogue,
    root: Spanned<HostPath>,
}

impl<'a> Ground<'a> {
    fn of(project: &'a Project, standpoint: &'a Standpoint, selection: &'a Selection) -> Self {
        let root = variables::models_root(project, selection, standpoint);
        let (engines, catalogue) = (Engines::of(project), Catalogue::cortex());
        Self { project, engines, standpoint, selection, catalogue, root }
    }

    fn settle_all(&self, drafts: Drafts) -> Vec<Lane> {
        drafts.0.into_iter().map(|draft| self.settle(draft)).collect()
    }

    fn settle(&self, mut draft: Draft) -> Lane {
        let kind = draft.kind.or_else(|| kind_of(&draft));
        draft.kind = kind;
        let outside = self.is_outside(&draft);
        let model = draft.path.take().and_then(|path| self.locate(&mut draft, path));
        let mut artifacts: Vec<Artifact> =
            model.into_iter().map(|located| Artifact { part: Part::Model, located }).collect();
        let cached = self.cached(&draft, artifacts.is_empty());
        self.compare(&mut draft, &mut artifacts);
        artifacts.extend(self.companions(&draft));
        let nowhere = artifacts.is_empty() && cached.is_empty();
        if draft.declared && nowhere && !outside && knows_nothing(&draft) {
            let kind = ProblemKind::NoPath;
            draft.problems.push(Problem { kind, place: draft.place.clone() });
        }
        let skipped = draft.skipped.take().or_else(|| self.skipped(&draft, nowhere, outside));
        // Strangers have lanes of these names as well, but not variables that say so.
        let from = artifacts.first().map(|model| &model.located.from);
        let is_told = matches!(from, Some(Origin::LaneVariable(_))) && draft.source.is_none();
        let known_as = self.catalogue.by_lane(&draft.name).filter(|_| is_told);
        let url = self.url(&mut draft);
        Lane {
            hub: hub::named(self.project, &draft),
            brought: brought::of(self.project, draft.invocation.as_ref(), (&artifacts, &cached)),
            required: draft.required.unwrap_or(true),
            engine: draft.invocation.as_ref().or(draft.standby.as_ref()).map(|it| it.engine),
            outside,
            delivery: None,
            known_as: known_as.map(|entry| entry.source.clone()),
            fetch: variables::may_fetch(&draft, self.project, self.selection),
            name: draft.name,
            services: draft.services,
            kind,
            invocation: draft.invocation,
            standby: draft.standby,
            artifacts,
            cached,
            source: draft.source,
            include: draft.include,
            exclude: draft.exclude,
            url,
            model_name: draft.model_name,
            level: draft.level.unwrap_or_default(),
            skipped,
            place: draft.place,
            problems: draft.problems,
        }
    }

    /// Compares where the lane's model is with what the command lines of its services open: another
    /// path is a contradiction, the same path through another mount another copy, which has to be
    /// there as well.
    fn compare(&self, draft: &mut Draft, artifacts: &mut Vec<Artifact>) {
        let Some(model) = artifacts.first().map(|model| model.located.value.clone()) else {
            return;
        };
        for Opened { service, path } in &draft.opened {
            let Some(service) = self.project.service(service) else { continue };
            let value = locate(self.project, service, self.standpoint, &path.value);
            if artifacts.iter().any(|known| is_same(&known.located.value, &value)) {
                continue;
            }
            if model.service_path == value.service_path {
                let located = Traced { value, from: path.from.clone(), place: path.place.clone() };
                artifacts.push(Artifact { part: Part::Model, located });
            } else if service.pod.as_ref().is_none_or(|pod| !pod.is_open) {
                let kind = ProblemKind::EngineOpensOther {
                    declared: declared_as(&model),
                    opened: path.value.to_string(),
                };
                draft.problems.push(Problem { kind, place: path.place.clone() });
            }
        }
    }

    /// Everything but the model that the engine opens by a path.
    fn companions(&self, draft: &Draft) -> Vec<Artifact> {
        let service = draft.services.first().and_then(|name| self.project.service(name));
        let (Some(service), Some(invocation)) = (service, &draft.invocation) else {
            return Vec::new();
        };
        // The model comes first, if one is named; Infinity opens several.
        let model = usize::from(invocation.model().is_some());
        let opens = invocation.opens.iter().skip(model);
        let folder = invocation.served_folder().map(|folder| Artifact {
            part: Part::Models,
            located: Traced {
                value: locate(self.project, service, self.standpoint, &folder.path),
                from: Origin::Engine(folder.by.clone().unwrap_or_default()),
                place: folder.place.clone(),
            },
        });
        opens
            .filter_map(|opens| match &opens.named {
                Named::Path(path) => Some(Artifact {
                    part: opens.part,
                    located: Traced {
                        value: locate(self.project, service, self.standpoint, path),
                        from: Origin::Engine(opens.by.clone()),
                        place: opens.place.clone(),
                    },
                }),
                Named::Repository { .. } | Named::Url(_) => None,
            })
            .chain(folder)
            .collect()
    }

    /// Everything that the engine opens in a cache of the hub; for a lane of the catalogue that no
    /// engine opens, the model in whatever cache there is.
    fn cached(&self, draft: &Draft, model_too: bool) -> Vec<Cached> {
        let service = draft.services.first().and_then(|name| self.project.service(name));
        match (service, &draft.invocation, &draft.source) {
            (Some(service), Some(invocation), _) => {
                let locate =
                    |path: &ServicePath| locate(self.project, service, self.standpoint, path);
                cache::of_engine(service, invocation, model_too, locate)
            }
            (_, None, Some(source)) if draft.kind == Some(ModelKind::Embedding) && model_too => {
                let found =
                    cache::of_project(self.project, self.standpoint, source, &draft.services);
                found.into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether somebody serves the lane, and nobody in this project does.
    fn is_outside(&self, draft: &Draft) -> bool {
        let url = draft.url.as_ref();
        draft.services.is_empty()
            && url.is_some_and(|url| {
                address::service_at(self.project, &self.engines, &url.value).is_none()
            })
    }

    /// Where the engine answers: as somebody says, but for a name of the host where that means the
    /// container that preflight is in; else as its service does.
    fn url(&self, draft: &mut Draft) -> Option<Traced<String>> {
        let in_container = matches!(self.standpoint, Standpoint::Container(_));
        let said = draft.url.take();
        let is_usable = |url: &Traced<String>| !in_container || !address::is_on_host(&url.value);
        match said {
            Some(url) if is_usable(&url) => Some(url),
            said => self.url_of_service(draft).or(said),
        }
    }

    /// Where the service answers: by its name inside the stack, by a published port from the host.
    fn url_of_service(&self, draft: &Draft) -> Option<Traced<String>> {
        let service = draft.services.first().and_then(|name| self.project.service(name))?;
        let invocation = draft.invocation.as_ref()?;
        let own = Some(&invocation.port_place).filter(|place| place.span.is_some());
        let (authority, place) = match self.standpoint {
            Standpoint::Container(_) => {
                let authority = format!("{}:{}", service.name.value, invocation.port);
                (authority, own.unwrap_or(&service.name.place))
            }
            Standpoint::Host | Standpoint::Elsewhere(_) | Standpoint::Inside(_) => {
                let port = service.ports.iter().find(|port| port.target == invocation.port)?;
                let address = port.host_ip.as_deref().filter(|ip| !is_any(ip));
                let address = bracketed(address.unwrap_or("127.0.0.1"));
                (format!("{address}:{}", port.published?), &port.place)
            }
        };
        let prefix = invocation.api_prefix.as_ref().map_or("", |prefix| prefix.value.as_str());
        let prefix = prefix.trim_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        Some(Traced {
            value: format!("http://{authority}{slash}{prefix}"),
            from: Origin::Engine("port".to_owned()),
            place: place.clone(),
        })
    }

    /// Where the lane's model is; absent for one that is served where nobody here can look.
    fn locate(&self, draft: &mut Draft, path: Traced<Written>) -> Option<Traced<Located>> {
        let is_variable = matches!(path.from, Origin::LaneVariable(_));
        let value = match &path.value {
            written if is_variable && self.is_outside(draft) => {
                self.outside(draft, written.as_path())?
            }
            Written::InService(written) => self.in_service(draft, written),
            Written::UnderModelsRoot(tail) => self.on_host(draft, &self.root.value.join(tail)),
            Written::Somewhere(text) => self.somewhere(draft, text, &path),
        };
        Some(Traced { value, from: path.from, place: path.place })
    }

    /// Where the path is in each of the lane's services; where those are not known, of the engines.
    fn in_services(&self, draft: &Draft, path: &ServicePath) -> Vec<Located> {
        let own = draft.services.iter().filter_map(|name| self.project.service(name));
        let located = |service: &Service| locate(self.project, service, self.standpoint, path);
        let candidates: Vec<Located> = own.map(located).collect();
        if candidates.is_empty() { self.engines().map(located).collect() } else { candidates }
    }

    fn in_service(&self, draft: &Draft, path: &ServicePath) -> Located {
        let candidates = self.in_services(draft, path);
        let mounted = candidates.iter().position(|located| located.mount.is_some()).unwrap_or(0);
        candidates.into_iter().nth(mounted).unwrap_or_else(|| Located {
            service: None,
            service_path: Some(path.clone()),
            host_path: None,
            sight: Sight::NotMounted,
            mount: None,
        })
    }

    /// A path of the host, in the space of the lane's service if that mounts it.
    fn on_host(&self, draft: &Draft, path: &HostPath) -> Located {
        let own: Vec<&Service> =
            draft.services.iter().filter_map(|name| self.project.service(name)).collect();
        let services = if own.is_empty() { self.engines().collect() } else { own };
        let opened = services.into_iter().find_map(|service| {
            service_path(self.project, service, path).map(|inside| (service, inside))
        });
        match opened {
            Some((service, inside)) => locate(self.project, service, self.standpoint, &inside),
            None => locate_on_host(self.project, self.standpoint, path, &self.root.value),
        }
    }

    /// A lane variable's path: of the host if it lies under the models root, else of the services
    /// that mount it; if more than one reading holds and they differ, the lane says so. Services that
    /// the lane has are each judged for themselves.
    fn somewhere(&self, draft: &mut Draft, text: &Path, path: &Traced<Written>) -> Located {
        let host = HostPath::new(text);
        let on_host = host.below(&self.root.value).is_some().then(|| self.on_host(draft, &host));
        let inside = self.in_services(draft, &ServicePath::new(text));
        let inside = inside.into_iter().filter(|located| located.mount.is_some());
        let inside = inside.take(if draft.services.is_empty() { usize::MAX } else { 1 });
        let mut readings: Vec<Located> = Vec::new();
        for located in on_host.into_iter().chain(inside) {
            if readings.iter().all(|other| other.host_path != located.host_path) {
                readings.push(located);
            }
        }
        if readings.len() > 1 {
            let shown = readings.iter().map(|located| {
                let host = located.host_path.as_ref();
                host.map_or_else(|| "inside the service".to_owned(), ToString::to_string)
            });
            let kind = ProblemKind::PathAmbiguous {
                path: text.display().to_string(),
                readings: shown.collect(),
            };
            draft.problems.push(Problem { kind, place: path.place.clone() });
        }
        let told = || self.told(draft, text).and_then(|located| located.host_path);
        let first = readings.into_iter().next();
        first.unwrap_or_else(|| self.on_host(draft, &told().unwrap_or(host)))
    }

    /// The path of a lane that is served outside the project: that of a service which is told it and
    /// mounts it, else the host's own, if it is the host that serves it.
    fn outside(&self, draft: &Draft, path: &Path) -> Option<Located> {
        let here = draft.url.as_ref().is_some_and(|url| address::is_on_host(&url.value));
        let path = HostPath::new(path);
        let is_below_root = path.below(&self.root.value).is_some();
        let root = if is_below_root { &self.root.value } else { &HostPath::new("/") };
        let on_host = || locate_on_host(self.project, self.standpoint, &path, root);
        self.told(draft, path.as_path()).or_else(|| here.then(on_host))
    }

    /// A path as a service sees it that is told it and mounts it.
    fn told(&self, draft: &Draft, path: &Path) -> Option<Located> {
        let inside = ServicePath::new(path);
        let told = draft.told_in.iter().chain(&draft.spoken_in);
        told.filter_map(|name| self.project.service(name))
            .map(|service| locate(self.project, service, self.standpoint, &inside))
            .find(|located| located.mount.is_some())
    }

    fn engines(&self) -> impl Iterator<Item = &Service> {
        self.engines.iter().map(|(service, _)| service)
    }

    fn skipped(&self, draft: &Draft, nowhere: bool, outside: bool) -> Option<String> {
        if let Some(left_out) = left_out(draft.kind, self.selection) {
            return Some(left_out);
        }
        if let Some(url) = draft.url.as_ref().filter(|_| nowhere && knows_nothing(draft)) {
            let who = draft.services.first().map(|service| format!(" by `{service}`"));
            let who = who.unwrap_or_default();
            return Some(if outside {
                format!("served outside this project, at {}", url.value)
            } else {
                format!("served{who} at {}, and nothing says where its model is", url.value)
            });
        }
        let silent = nowhere && knows_nothing(draft);
        silent.then(|| match draft.kind {
            Some(ModelKind::Embedding) => "no hub cache is mounted".to_owned(),
            Some(ModelKind::Vllm | ModelKind::Gguf) | None => {
                "nothing says where its model is".to_owned()
            }
        })
    }
}

fn knows_nothing(draft: &Draft) -> bool {
    draft.skipped.is_none() && draft.invocation.is_none() && draft.problems.is_empty()
}

/// Whether a port is published at every address.
fn is_any(address: &str) -> bool {
    matches!(address, "" | "0.0.0.0" | "::" | "[::]")
}

/// An address as a URL has it.
fn bracketed(address: &str) -> String {
    let bare = address.contains(':') && !address.starts_with('[');
    if bare { format!("[{address}]") } else { address.to_owned() }
}

/// Whether two places are one file: on the host if both are there, else in the same mount.
fn is_same(one: &Located, other: &Located) -> bool {
    match (&one.host_path, &other.host_path) {
        (Some(one), Some(other)) => one == other,
        (Some(_), None) | (None, Some(_)) => false,
        (None, None) => {
            let source = |located: &Located| located.mount.as_ref().map(|it| it.source.clone());
            one.service_path == other.service_path && source(one) == source(other)
        }
    }
}

fn declared_as(model: &Located) -> String {
    let in_service = model.service_path.as_ref().map(ToString::to_string);
    let on_host = || model.host_path.as_ref().map(ToString::to_string);
    in_service.or_else(on_host).unwrap_or_default()
}

/// What sort of model a path looks like.
fn kind_of(draft: &Draft) -> Option<ModelKind> {
    let path = draft.path.as_ref()?.value.as_path();
    Weights::Gguf.are_in(&path.to_string_lossy()).then_some(ModelKind::Gguf)
}
