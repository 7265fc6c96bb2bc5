//! What `preflight plan` prints: every lane, its paths in all three spaces, and who said so.

mod connections;

use annotate_snippets::renderer::Style;
use serde::Serialize;

use super::Telling;
use super::json::{SCHEMA_VERSION, Texts, Tool, WirePlace, document};
use super::text::Cleaner;
use crate::amount;
use crate::cards::{Card, Cards};
use crate::path::ServicePath;
use crate::plan::engine::{Engine, Invocation, Named, Part};
use crate::plan::lanes::{Artifact, Cached, Lane, Origin, Plan, Problem, ProblemKind, Traced};
use crate::project::Dialect;
use crate::project::mounts::{Located, Sight};
use crate::source_map::{Place, SourceMap, Span, Spanned};

/// Where the origin of a value begins, in characters, if the value leaves room.
const ORIGIN_COLUMN: usize = 70;

/// The plan for a person, with a line break at its end.
pub(super) fn human(plan: &Plan, telling: Telling<'_>) -> String {
    let Telling { sources, layout, .. } = telling;
    let printer =
        Printer { dialect: plan.dialect, sources, cleaner: telling.cleaner(), color: layout.color };
    let mut lanes: Vec<String> = plan.lanes.iter().map(|lane| printer.lane(lane)).collect();
    if !plan.settings.fetch {
        lanes.push("nothing is fetched: `fetch: never`\n".to_owned());
    }
    lanes.extend(plan.settings.gpus.as_ref().map(|gpus| printer.gpus(gpus)));
    lanes.extend(connections::human(&plan.wiring, printer));
    if plan.lanes.is_empty() {
        lanes
            .push("there is no lane; `preflight explain no-lane` says how to declare one\n".into());
    }
    lanes.join("\n")
}

/// Why nothing is seen where a tmpfs is.
const COVERED: &str = "a tmpfs lies over it";

/// What stands before words that could not be read.
const NOT_KNOWN: &str = "not known";

#[derive(Clone, Copy)]
struct Printer<'a> {
    dialect: Dialect,
    sources: &'a SourceMap,
    cleaner: Cleaner<'a>,
    color: bool,
}

impl Printer<'_> {
    fn lane(self, lane: &Lane) -> String {
        let mut text = self.title(lane);
        if let Some(reason) = &lane.skipped {
            text.push_str(&row("skipped", &self.cleaner.joined(reason), ""));
        }
        if let Some(source) = &lane.source {
            text.push_str(&row("source", &self.text(&source.value), &self.origin(source)));
        }
        for (name, globs) in [("include", &lane.include), ("exclude", &lane.exclude)] {
            if !globs.is_empty() {
                text.push_str(&row(name, &self.text(&globs.join(" ")), ""));
            }
        }
        for artifact in &lane.artifacts {
            text.push_str(&self.artifact(artifact));
        }
        for cached in &lane.cached {
            let place = self.location(cached.place.span);
            let separator = if place.is_empty() { "" } else { ", " };
            let origin = format!("{}{separator}{place}", self.text(&cached.from));
            let value = format!("{:<10} {}", "repository", self.text(&cached.named()));
            text.push_str(&row(part(cached.part), &value, &origin));
            for (index, place) in cached.places.iter().enumerate() {
                let space = if index == 0 { "in cache" } else { "or in" };
                text.push_str(&row("", &format!("{space:<10} {}", self.cache(place)), ""));
            }
        }
        for fact in lane.invocation.iter().flat_map(said) {
            let place = self.location(fact.place.span);
            let value =
                if fact.name == NOT_KNOWN { self.dialect.told(&fact.value) } else { fact.value };
            text.push_str(&row(fact.name, &self.text(&value), &place));
        }
        if lane.standby.is_some() {
            text.push_str(&row(
                "standby",
                &self.dialect.told("its service starts another lane"),
                "",
            ));
        }
        if let Some(url) = lane.url.as_ref().filter(|_| lane.outside && lane.skipped.is_none()) {
            let who = format!("served outside this project, at {}", url.value);
            text.push_str(&row("outside", &self.text(&who), ""));
        }
        for (name, value) in [("url", &lane.url), ("serves as", &lane.model_name)] {
            if let Some(value) = value {
                text.push_str(&row(name, &self.text(&value.value), &self.origin(value)));
            }
        }
        for problem in &lane.problems {
            let place = self.location(problem.place.span);
            let problem = self.dialect.told(&explain(problem));
            text.push_str(&row("problem", &self.text(&problem), &place));
        }
        text
    }

    fn gpus(self, gpus: &Traced<Cards>) -> String {
        let mut text = "gpus\n".to_owned();
        for (index, (key, card)) in gpus.value.by_key().into_iter().enumerate() {
            let mut said = vec![amount::size(card.memory)];
            said.extend(card.name.as_ref().map(|name| self.text(name)));
            if card.reserved > 0 {
                said.push(format!("{} of it reserved", amount::size(card.reserved)));
            }
            let origin = if index == 0 { self.origin(gpus) } else { String::new() };
            text.push_str(&row(&self.text(&key), &said.join(", "), &origin));
        }
        text
    }

    fn title(self, lane: &Lane) -> String {
        let bold = if self.color { Style::new().bold() } else { Style::new() };
        let mut about = Vec::new();
        if !lane.required {
            about.push("optional".to_owned());
        }
        about.extend(lane.engine.map(|engine| engine.name().to_owned()));
        if !lane.services.is_empty() {
            let word = if lane.services.len() == 1 { "service" } else { "services" };
            about.push(format!(
                "{} {}",
                self.dialect.told(word),
                self.text(&lane.services.join(", "))
            ));
        }
        about.push(self.location(lane.place.span));
        about.retain(|word| !word.is_empty());
        let name = self.text(&lane.name);
        let colon = if about.is_empty() { "" } else { ": " };
        format!("{bold}{name}{bold:#}{colon}{}\n", about.join(", "))
    }

    /// A cache of the hub, by the name that its engine or else the host has for it.
    fn cache(self, located: &Located) -> String {
        let path = located.service_path.as_ref().map(ToString::to_string);
        let host = located.host_path.as_ref().map(ToString::to_string);
        let name = self.text(&path.or_else(|| host.clone()).unwrap_or_default());
        let (host, from) = (host.map(|host| self.text(&host)), located.service_path.is_some());
        match (&located.sight, host) {
            (Sight::Written, _) => format!("{name} (written in the project)"),
            (Sight::Covered, _) => format!("{name} ({COVERED})"),
            (Sight::NotMounted, _) => format!("{name} (not mounted)"),
            (Sight::Hidden(why), _) => format!("{name} ({})", self.cleaner.joined(why)),
            (Sight::Visible { .. }, Some(host)) if from => format!("{name} ({host} on the host)"),
            (Sight::Visible { .. }, _) => name,
        }
    }

    fn artifact(self, artifact: &Artifact) -> String {
        let located = &artifact.located.value;
        let inside = self.dialect.told("in service");
        let mut rows = Vec::new();
        if let Some(path) = &located.service_path {
            rows.push((inside.as_str(), self.text(path)));
        }
        if let Some(path) = &located.host_path {
            rows.push(("on host", self.text(path)));
        }
        rows.push(match &located.sight {
            Sight::Visible { path, read_only, .. } => {
                let rights = if *read_only { " (read-only)" } else { "" };
                ("seen at", format!("{}{rights}", self.text(path)))
            }
            Sight::Written => ("seen at", "the project's own files".to_owned()),
            Sight::Covered => ("seen at", format!("nowhere: {COVERED}")),
            Sight::NotMounted => {
                ("seen at", self.dialect.told("nowhere: no mount of the service reaches it"))
            }
            Sight::Hidden(reason) => {
                ("seen at", format!("nowhere: {}", self.cleaner.joined(reason)))
            }
        });
        let origin = self.origin(&artifact.located);
        let mut text = String::new();
        for (index, (space, path)) in rows.into_iter().enumerate() {
            let name = if index == 0 { part(artifact.part) } else { "" };
            let origin = if index == 0 { origin.as_str() } else { "" };
            let width = inside.len();
            text.push_str(&row(name, &format!("{space:<width$} {path}"), origin));
        }
        text
    }

    fn text(self, text: &impl ToString) -> String {
        self.cleaner.line(&text.to_string())
    }

    fn origin<T>(self, traced: &Traced<T>) -> String {
        let place = self.location(traced.place.span);
        let separator = if place.is_empty() { "" } else { ", " };
        format!("{}{separator}{place}", self.text(&traced.from))
    }

    fn location(self, span: Option<Span>) -> String {
        span.map_or_else(String::new, |span| self.text(&self.sources.location(span)))
    }
}

fn row(name: &str, value: &str, origin: &str) -> String {
    let start = format!("  {name:<13} {value}");
    if origin.is_empty() {
        return format!("{start}\n");
    }
    format!("{start:<ORIGIN_COLUMN$}  <- {origin}\n")
}

fn part(part: Part) -> &'static str {
    match part {
        Part::Model => "model",
        Part::Tokenizer => "tokenizer",
        Part::Mmproj => "mmproj",
        Part::Lora => "lora",
        Part::Draft => "draft",
        Part::ControlVector => "cvector",
        Part::ChatTemplate => "chat-template",
        Part::Text => "text",
        Part::Folder => "folder",
        Part::Models => "models",
    }
}

/// Something that an engine's own words say, beside what it opens.
struct Said {
    name: &'static str,
    value: String,
    place: Place,
}

/// Everything that an invocation says about how it serves, and what about it is not known.
fn said(invocation: &Invocation) -> Vec<Said> {
    let nowhere = Place::nowhere;
    let mut said: Vec<Said> = Vec::new();
    let mut add = |name, value: Option<String>, place: Place| {
        said.extend(value.map(|value| Said { name, value, place }));
    };
    let text = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.value.clone());
    let number = |it: &Option<Spanned<u64>>| it.as_ref().map(|number| number.value.to_string());
    let folder = |it: &Option<Spanned<ServicePath>>| it.as_ref().map(|it| it.value.to_string());
    fn at<T>(it: &Option<Spanned<T>>) -> Place {
        it.as_ref().map_or_else(Place::nowhere, |it| it.place.clone())
    }
    add("release", invocation.version.clone(), nowhere());
    let names = invocation.served_names.join(", ");
    add("served names", Some(names).filter(|names| !names.is_empty()), nowhere());
    let host = text(&invocation.host).unwrap_or_default();
    let port = Some(&invocation.port_place).filter(|place| place.span.is_some());
    let said_at = port.cloned().unwrap_or_else(|| at(&invocation.host));
    add("listens on", Some(format!("{host}:{}", invocation.port)), said_at);
    add("api prefix", text(&invocation.api_prefix), at(&invocation.api_prefix));
    add("context", number(&invocation.context), at(&invocation.context));
    add("quantization", text(&invocation.quantization), at(&invocation.quantization));
    add("dtype", text(&invocation.dtype), at(&invocation.dtype));
    add("split over", number(&invocation.tensor_parallel), at(&invocation.tensor_parallel));
    let remote = invocation.trust_remote_code.then(|| "allowed".to_owned());
    add("remote code", remote, nowhere());
    add("downloads to", folder(&invocation.download_dir), at(&invocation.download_dir));
    if let Some(cache) = &invocation.hub_cache {
        let by = cache.by.as_ref().map(|by| format!(" ({by})")).unwrap_or_default();
        add("hub cache", Some(format!("{}{by}", cache.path)), cache.place.clone());
    }
    let offline = invocation.offline.then(|| "the hub is not asked".to_owned());
    add("offline", offline, nowhere());
    if let Some(models) = &invocation.models_dir {
        add("models folder", Some(models.path.to_string()), models.place.clone());
    }
    for opens in &invocation.opens {
        if let Named::Url(url) = &opens.named {
            add(part(opens.part), Some(url.clone()), opens.place.clone());
        }
    }
    for unread in &invocation.unread {
        add(NOT_KNOWN, Some(unread.value.clone()), unread.place.clone());
    }
    said
}

fn explain(problem: &Problem) -> String {
    match &problem.kind {
        ProblemKind::NoPath => "nothing says where its model is".to_owned(),
        ProblemKind::NoModelNamed { instead } => {
            format!("no model is named: {instead}")
        }
        ProblemKind::PathAmbiguous { path, readings } => {
            format!("`{path}` could be {}", readings.join(" or "))
        }
        ProblemKind::EngineOpensOther { declared, opened } => {
            format!("the lane says `{declared}`, and its engine opens `{opened}`")
        }
        ProblemKind::ServiceUnknown { service } => format!("there is no service `{service}`"),
    }
}

#[derive(Debug, Serialize)]
struct WirePlan {
    schema_version: u32,
    tool: Tool,
    fetch: bool,
    create_root: bool,
    gpus: Vec<WireGpu>,
    lanes: Vec<WireLane>,
    connections: Vec<connections::WireConnection>,
}

/// A GPU that somebody declares.
#[derive(Debug, Serialize)]
struct WireGpu {
    /// Its index, or its UUID.
    gpu: String,
    name: Option<String>,
    memory_bytes: u64,
    reserved_bytes: u64,
    from: String,
    place: Option<WirePlace>,
}

#[derive(Debug, Serialize)]
struct WireLane {
    name: String,
    required: bool,
    services: Vec<String>,
    engine: Option<&'static str>,
    skipped: Option<String>,
    standby: bool,
    outside: bool,
    place: Option<WirePlace>,
    source: Option<WireTraced>,
    include: Vec<String>,
    exclude: Vec<String>,
    artifacts: Vec<WireArtifact>,
    cached: Vec<WireCached>,
    serving: Option<WireServing>,
    url: Option<WireTraced>,
    model_name: Option<WireTraced>,
    problems: Vec<WireProblem>,
}

#[derive(Debug, Serialize)]
struct WireTraced {
    value: String,
    from: String,
    place: Option<WirePlace>,
}

#[derive(Debug, Serialize)]
struct WireArtifact {
    part: &'static str,
    service: Option<String>,
    service_path: Option<String>,
    host_path: Option<String>,
    local_path: Option<String>,
    read_only: Option<bool>,
    hidden: Option<String>,
    from: String,
    place: Option<WirePlace>,
}

#[derive(Debug, Serialize)]
struct WireCached {
    part: &'static str,
    repository: String,
    /// The file or the quantisation inside it.
    file: Option<String>,
    revision: Option<String>,
    places: Vec<WireCache>,
    from: String,
    place: Option<WirePlace>,
}

#[derive(Debug, Serialize)]
struct WireCache {
    service_path: Option<String>,
    host_path: Option<String>,
    local_path: Option<String>,
    hidden: Option<String>,
}

#[derive(Debug, Serialize)]
struct WireServing {
    release: Option<String>,
    served_names: Vec<String>,
    host: Option<String>,
    port: u16,
    api_prefix: Option<String>,
    context: Option<u64>,
    quantization: Option<String>,
    dtype: Option<String>,
    tensor_parallel: Option<u64>,
    trust_remote_code: bool,
    download_dir: Option<String>,
    hub_cache: Option<String>,
    offline: bool,
    models_dir: Option<String>,
    urls: Vec<WireUrl>,
    unknown: Vec<WireProblem>,
}

#[derive(Debug, Serialize)]
struct WireUrl {
    part: &'static str,
    url: String,
}

#[derive(Debug, Serialize)]
struct WireProblem {
    message: String,
    place: Option<WirePlace>,
}

/// The plan for a program, with a line break at its end.
pub(super) fn json(plan: &Plan, telling: Telling<'_>) -> String {
    let texts = telling.texts();
    document(&WirePlan {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        fetch: plan.settings.fetch,
        create_root: plan.settings.create_root,
        gpus: plan.settings.gpus.iter().flat_map(|gpus| wire_gpus(gpus, texts)).collect(),
        lanes: plan.lanes.iter().map(|lane| wire_lane(lane, texts)).collect(),
        connections: connections::wire(&plan.wiring, texts),
    })
}

fn wire_gpus(gpus: &Traced<Cards>, texts: Texts<'_>) -> Vec<WireGpu> {
    let wire = |(key, card): (String, &Card)| WireGpu {
        gpu: texts.text(&key),
        name: texts.option(card.name.as_deref()),
        memory_bytes: card.memory,
        reserved_bytes: card.reserved,
        from: wire_origin(&gpus.from, texts),
        place: texts.place(gpus.place.span),
    };
    gpus.value.by_key().into_iter().map(wire).collect()
}

fn wire_lane(lane: &Lane, texts: Texts<'_>) -> WireLane {
    let all = |values: &[String]| values.iter().map(|value| texts.text(value)).collect();
    WireLane {
        name: texts.text(&lane.name),
        required: lane.required,
        services: all(&lane.services),
        engine: lane.engine.map(Engine::id),
        skipped: texts.option(lane.skipped.as_deref()),
        standby: lane.standby.is_some(),
        outside: lane.outside,
        place: texts.place(lane.place.span),
        source: lane.source.as_ref().map(|source| wire_traced(source, texts)),
        include: all(&lane.include),
        exclude: all(&lane.exclude),
        artifacts: lane.artifacts.iter().map(|it| wire_artifact(it, texts)).collect(),
        cached: lane.cached.iter().map(|it| wire_cached(it, texts)).collect(),
        serving: lane.invocation.as_ref().map(|it| wire_serving(it, texts)),
        url: lane.url.as_ref().map(|url| wire_traced(url, texts)),
        model_name: lane.model_name.as_ref().map(|name| wire_traced(name, texts)),
        problems: lane
            .problems
            .iter()
            .map(|problem| WireProblem {
                message: texts.text(&explain(problem)),
                place: texts.place(problem.place.span),
            })
            .collect(),
    }
}

fn wire_traced<T: ToString>(traced: &Traced<T>, texts: Texts<'_>) -> WireTraced {
    WireTraced {
        value: texts.text(&traced.value.to_string()),
        from: wire_origin(&traced.from, texts),
        place: texts.place(traced.place.span),
    }
}

fn wire_artifact(artifact: &Artifact, texts: Texts<'_>) -> WireArtifact {
    let located = &artifact.located.value;
    let (local_path, read_only, hidden) = match &located.sight {
        Sight::Visible { path, read_only, .. } => {
            (Some(texts.text(&path.to_string())), Some(*read_only), None)
        }
        Sight::Written => (None, None, None),
        Sight::Covered => (None, None, Some(COVERED.to_owned())),
        Sight::NotMounted => (None, None, Some("not mounted".to_owned())),
        Sight::Hidden(reason) => (None, None, Some(texts.text(reason))),
    };
    WireArtifact {
        part: part(artifact.part),
        service: texts.option(located.service.as_deref()),
        service_path: located.service_path.as_ref().map(|path| texts.text(&path.to_string())),
        host_path: located.host_path.as_ref().map(|path| texts.text(&path.to_string())),
        local_path,
        read_only,
        hidden,
        from: wire_origin(&artifact.located.from, texts),
        place: texts.place(artifact.located.place.span),
    }
}

fn wire_cached(cached: &Cached, texts: Texts<'_>) -> WireCached {
    let place = |located: &Located| {
        let (local_path, hidden) = match &located.sight {
            Sight::Visible { path, .. } => (Some(texts.text(&path.to_string())), None),
            Sight::Written => (None, None),
            Sight::Covered => (None, Some(COVERED.to_owned())),
            Sight::NotMounted => (None, Some("not mounted".to_owned())),
            Sight::Hidden(why) => (None, Some(texts.text(why))),
        };
        WireCache {
            service_path: located.service_path.as_ref().map(|it| texts.text(&it.to_string())),
            host_path: located.host_path.as_ref().map(|it| texts.text(&it.to_string())),
            local_path,
            hidden,
        }
    };
    WireCached {
        part: part(cached.part),
        repository: texts.text(&cached.repository),
        file: cached.file().map(|file| texts.text(file)),
        revision: texts.option(cached.revision.as_deref()),
        places: cached.places.iter().map(place).collect(),
        from: wire_origin(&cached.from, texts),
        place: texts.place(cached.place.span),
    }
}

fn wire_serving(invocation: &Invocation, texts: Texts<'_>) -> WireServing {
    let text = |it: &Option<Spanned<String>>| it.as_ref().map(|it| texts.text(&it.value));
    let folder = |it: &ServicePath| texts.text(&it.to_string());
    let url = |opens: &crate::plan::engine::Opens| match &opens.named {
        Named::Url(url) => Some(WireUrl { part: part(opens.part), url: texts.text(url) }),
        Named::Path(_) | Named::Repository { .. } => None,
    };
    let unknown = |unread: &Spanned<String>| WireProblem {
        message: texts.text(&unread.value),
        place: texts.place(unread.place.span),
    };
    WireServing {
        release: texts.option(invocation.version.as_deref()),
        served_names: invocation.served_names.iter().map(|name| texts.text(name)).collect(),
        host: text(&invocation.host),
        port: invocation.port,
        api_prefix: text(&invocation.api_prefix),
        context: invocation.context.as_ref().map(|it| it.value),
        quantization: text(&invocation.quantization),
        dtype: text(&invocation.dtype),
        tensor_parallel: invocation.tensor_parallel.as_ref().map(|it| it.value),
        trust_remote_code: invocation.trust_remote_code,
        download_dir: invocation.download_dir.as_ref().map(|it| folder(&it.value)),
        hub_cache: invocation.hub_cache.as_ref().map(|cache| folder(&cache.path)),
        offline: invocation.offline,
        models_dir: invocation.models_dir.as_ref().map(|it| folder(&it.path)),
        urls: invocation.opens.iter().filter_map(url).collect(),
        unknown: invocation.unread.iter().map(unknown).collect(),
    }
}

fn wire_origin(origin: &Origin, texts: Texts<'_>) -> String {
    texts.text(&origin.to_string())
}

#[cfg(test)]
mod tests;
