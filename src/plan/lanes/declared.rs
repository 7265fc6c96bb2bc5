//! Lanes that somebody declares: labels, `x-preflight` of a service, `x-preflight` of the project.

use indexmap::IndexMap;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::draft::{Draft, Drafts, Written, fill, lane_name};
use super::{Origin, PlanError, Problem, ProblemKind, Traced};
use crate::path::{ServicePath, clean};
use crate::plan::lanes::Level;
use crate::project::{Project, Service};
use crate::source::{Source, SourceError};
use crate::source_map::{Place, SourceMap, Spanned};
use crate::yaml;

/// What a Compose project says to preflight.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Extension {
    /// Whether files that are missing are fetched.
    #[serde(default)]
    pub fetch: FetchPolicy,
    /// Whether a models root that Docker has just made up may be filled.
    #[serde(default, deserialize_with = "flag")]
    pub create_root: bool,
    /// Lanes that are known by name: `cortex`.
    #[serde(default)]
    pub catalogue: Option<String>,
    /// Read by [`super::cards`].
    #[serde(default, rename = "gpus")]
    #[cfg_attr(
        test,
        schemars(
            schema_with = "super::schema::gpus",
            description = "The GPUs of the host: a list by index, or a map of them by UUID."
        )
    )]
    _gpus: IgnoredAny,
    /// Read by [`crate::findings::policy_sources`].
    #[serde(default, rename = "checks")]
    #[cfg_attr(
        test,
        schemars(
            schema_with = "super::schema::checks",
            description = "What findings weigh: `allow` makes a check a note, `deny` an error."
        )
    )]
    _checks: IgnoredAny,
    /// The lanes, by name.
    #[serde(default)]
    lanes: IndexMap<String, Option<LaneExtension>>,
}

/// When files are fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum FetchPolicy {
    /// What is missing.
    #[default]
    Missing,
    /// Nothing.
    Never,
}

/// One lane: one model that the stack has to serve.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct LaneExtension {
    /// Its name, in the `x-preflight` of a service; absent: it is called like the service.
    lane: Option<String>,
    /// The service that serves it; absent: the one that opens its path.
    service: Option<String>,
    /// Where its files come from: `hf://owner/repo[@revision][/path]`; absent: they are not fetched.
    #[cfg_attr(test, schemars(regex(pattern = r"^hf://|\$")))]
    source: Option<String>,
    /// Where the service sees it; absent: what the service's command opens.
    path: Option<String>,
    /// Globs over the paths of a repository: what is fetched; absent: what the engine loads.
    #[serde(default)]
    include: Vec<String>,
    /// Globs over the paths of a repository: what is left out.
    #[serde(default)]
    exclude: Vec<String>,
    /// Whether the run fails when it is not ready; `false`: its problems are warnings.
    #[serde(default, deserialize_with = "optional_flag")]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    required: Option<bool>,
    /// How it is asked by `preflight smoke`.
    smoke: Option<SmokeExtension>,
}

/// How the running engine is asked.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct SmokeExtension {
    /// Where it answers; absent: at its published port.
    url: Option<String>,
    /// How much is asked of it; absent: `serves`.
    level: Option<Level>,
}

/// A yes or no, which is text where it comes from a variable: Compose gives the values of `x-` keys no type.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    optional_flag(deserializer).map(Option::unwrap_or_default)
}

/// The same; null: not said.
fn optional_flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let said = Value::deserialize(deserializer)?;
    if said.is_null() {
        return Ok(None);
    }
    let wrong = || D::Error::custom(format!("{said} is neither `true` nor `false`"));
    said.as_bool().or_else(|| parse_bool(said.as_str()?)).map(Some).ok_or_else(wrong)
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
            fill(
                &mut draft.source,
                Some(traced(said, label(project, "preflight.source"), &source.place)),
            );
        }
        if let Some(path) = service.labels.get("preflight.path") {
            let written = in_service(service, &path.value);
            fill(
                &mut draft.path,
                Some(traced(written, label(project, "preflight.path"), &path.place)),
            );
        }
        if let Some(required) = service.labels.get("preflight.required") {
            let said = parse_bool(&required.value).ok_or_else(|| {
                refuse(
                    &required.place,
                    &format!("{} `preflight.required`", project.dialect.words().label),
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

fn label(project: &Project, name: &str) -> Origin {
    Origin::Label(format!("{} {name}", project.dialect.words().label))
}
