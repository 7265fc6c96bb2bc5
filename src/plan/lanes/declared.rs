//! Lanes that somebody declares: labels, `x-preflight` of a service, `x-preflight` of the project.

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::draft::{Draft, Drafts, Written, fill, lane_name};
use super::{Origin, PlanError, Problem, ProblemKind, Traced};
use crate::path::{ServicePath, clean};
use crate::plan::lanes::Level;
use crate::project::{Project, Service};
use crate::source::{Source, SourceError};
use crate::source_map::{Place, SourceMap, Spanned};
use crate::yaml;

/// The top-level `x-preflight` mapping.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extension {
    /// Whether missing files are fetched.
    #[serde(default)]
    pub fetch: FetchPolicy,
    /// Whether a models root that Docker has just fabricated may be filled.
    #[serde(default)]
    pub create_root: bool,
    /// `cortex`.
    #[serde(default)]
    pub catalogue: Option<String>,
    /// Read by [`super::cards`].
    #[serde(default, rename = "gpus")]
    _gpus: IgnoredAny,
    /// Read by [`crate::findings::policy_sources`].
    #[serde(default, rename = "checks")]
    _checks: IgnoredAny,
    /// By name.
    #[serde(default)]
    lanes: IndexMap<String, Option<LaneExtension>>,
}

/// When files are fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FetchPolicy {
    /// What is missing.
    #[default]
    Missing,
    /// Nothing.
    Never,
}

/// One lane of `x-preflight`. In a service's own `x-preflight`, `lane` names it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaneExtension {
    lane: Option<String>,
    service: Option<String>,
    source: Option<String>,
    path: Option<String>,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    required: Option<bool>,
    smoke: Option<SmokeExtension>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SmokeExtension {
    url: Option<String>,
    level: Option<Level>,
}

/// Reads the labels `preflight.lane`, `.source`, `.path` and `.required` of every service. Without
/// the first, the lane is called like the service.
pub(super) fn labels(
    project: &Project,
    sources: &SourceMap,
    drafts: &mut Drafts,
) -> Result<(), PlanError> {
    for service in &project.services {
        let lane = service.labels.get("preflight.lane").or_else(|| {
            let others = ["preflight.source", "preflight.path", "preflight.required"];
            others.iter().any(|label| service.labels.contains_key(*label)).then_some(&service.name)
        });
        let Some(lane) = lane else { continue };
        let draft = drafts.lane(&lane_name(&lane.value), &lane.place);
        draft.declared = true;
        draft.serve(&service.name.value);
        if let Some(source) = service.labels.get("preflight.source") {
            let said = parse_source(&source.value, &source.place, sources)?;
            fill(&mut draft.source, Some(traced(said, label("preflight.source"), &source.place)));
        }
        if let Some(path) = service.labels.get("preflight.path") {
            let written = in_service(service, &path.value);
            fill(&mut draft.path, Some(traced(written, label("preflight.path"), &path.place)));
        }
        if let Some(required) = service.labels.get("preflight.required") {
            let said = parse_bool(&required.value).ok_or_else(|| {
                refuse(
                    &required.place,
                    "label `preflight.required`",
                    format!("`{}` is neither `true` nor `false`", required.value),
                    sources,
                )
            })?;
            fill(&mut draft.required, Some(said));
        }
    }
    Ok(())
}

/// Reads `x-preflight` of every service.
pub(super) fn service_extensions(
    project: &Project,
    sources: &SourceMap,
    drafts: &mut Drafts,
) -> Result<(), PlanError> {
    for service in &project.services {
        let Some(extension) = &service.extension else { continue };
        let said: LaneExtension = read(extension, sources)?;
        let name = said.lane.as_deref().unwrap_or(&service.name.value);
        let draft = drafts.lane(&lane_name(name), &extension.place);
        draft.serve(&service.name.value);
        declare(draft, said, |_| &extension.place, (project, sources))?;
    }
    Ok(())
}

/// Reads the top-level `x-preflight`.
pub(super) fn extension(
    project: &Project,
    sources: &SourceMap,
    drafts: &mut Drafts,
) -> Result<Extension, PlanError> {
    let Some(extension) = &project.extension else { return Ok(Extension::default()) };
    let mut read: Extension = read(extension, sources)?;
    for (name, said) in std::mem::take(&mut read.lanes) {
        let lane = ["lanes", name.as_str()];
        let place = project.extension_place(&lane).unwrap_or(&extension.place);
        let of = |keys: &[&str]| project.extension_place(&[&lane, keys].concat()).unwrap_or(place);
        let draft = drafts.lane(&lane_name(&name), place);
        declare(draft, said.unwrap_or_default(), of, (project, sources))?;
    }
    if let Some(other) = read.catalogue.as_deref().filter(|name| *name != "cortex") {
        let place = project.extension_place(&["catalogue"]).unwrap_or(&extension.place);
        let message = format!("a catalogue from a file (`{other}`) is not supported yet");
        return Err(refuse(place, "x-preflight.catalogue", message, sources));
    }
    Ok(read)
}

/// Puts what an `x-preflight` mapping says into a draft; `of` tells where the value of a key is.
fn declare<'a>(
    draft: &mut Draft,
    said: LaneExtension,
    of: impl Fn(&[&str]) -> &'a Place,
    (project, sources): (&Project, &SourceMap),
) -> Result<(), PlanError> {
    let only_address = said.service.is_none() && said.source.is_none() && said.path.is_none();
    draft.declared |= !only_address || said.smoke.is_none();
    if let Some(service) = &said.service {
        if project.service(service).is_some() {
            draft.serve(service);
        } else {
            let kind = ProblemKind::ServiceUnknown { service: service.clone() };
            draft.problems.push(Problem { kind, place: of(&["service"]).clone() });
        }
    }
    if let Some(source) = &said.source {
        let place = of(&["source"]);
        let source = parse_source(source, place, sources)?;
        fill(&mut draft.source, Some(traced(source, Origin::Extension, place)));
    }
    if let Some(path) = &said.path {
        let service = draft.services.first().and_then(|service| project.service(service));
        let written = match service {
            Some(service) => in_service(service, path),
            None => Written::InService(ServicePath::new(clean(path.as_ref()))),
        };
        fill(&mut draft.path, Some(traced(written, Origin::Extension, of(&["path"]))));
    }
    fill(&mut draft.required, said.required);
    if draft.include.is_empty() {
        draft.include = said.include;
    }
    if draft.exclude.is_empty() {
        draft.exclude = said.exclude;
    }
    if let Some(smoke) = said.smoke {
        fill(&mut draft.level, smoke.level);
        let place = of(&["smoke", "url"]);
        fill(&mut draft.url, smoke.url.map(|url| traced(url, Origin::Extension, place)));
    }
    Ok(())
}

/// A path in the space of `service`; a relative one starts at its working directory.
fn in_service(service: &Service, path: &str) -> Written {
    let root = ServicePath::new("/");
    let base = service.working_dir.as_ref().unwrap_or(&root);
    Written::InService(ServicePath::new(clean(base.join(path).as_path())))
}

fn read<T: DeserializeOwned>(
    extension: &Spanned<Value>,
    sources: &SourceMap,
) -> Result<T, PlanError> {
    yaml::from_value(&extension.value)
        .map_err(|error| refuse(&extension.place, "x-preflight", error.to_string(), sources))
}

fn parse_source(text: &str, place: &Place, sources: &SourceMap) -> Result<Source, PlanError> {
    text.parse().map_err(|error: SourceError| refuse(place, "source", error.to_string(), sources))
}

/// `true` and `false` in the spellings that people use in labels and variables.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "y" => Some(true),
        "false" | "0" | "no" | "off" | "n" | "" => Some(false),
        _ => None,
    }
}

pub(super) fn refuse(place: &Place, what: &str, message: String, sources: &SourceMap) -> PlanError {
    match place.span {
        Some(span) => PlanError::Declaration { location: sources.location(span), message },
        None => PlanError::UnplacedDeclaration { what: what.to_owned(), message },
    }
}

fn traced<T>(value: T, from: Origin, place: &Place) -> Traced<T> {
    Traced { value, from, place: place.clone() }
}

fn label(name: &str) -> Origin {
    Origin::Label(name.to_owned())
}
