//! Lanes that variables speak of: `ARGOS_LANE_<LANE>_MODEL_PATH`, `_URL`, `_MODEL`, and the older
//! spelling `CORTEX_LANE_*`; `ARGOS_DOWNLOAD_*`; the models root.

use std::path::{Path, PathBuf};

use super::declared::parse_bool;
use super::draft::{Draft, Drafts, Written, fill, lane_name};
use super::engines::Engines;
use super::{ModelKind, Origin, Traced};
use crate::options::Selection;
use crate::path::{HostPath, ServicePath, clean};
use crate::project::mounts::Standpoint;
use crate::project::{MountSource, Project, unquoted};
use crate::source_map::{Place, Spanned};

const PREFIXES: [&str; 2] = ["ARGOS_LANE_", "CORTEX_LANE_"];

/// What a lane variable is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    ModelPath,
    Url,
    Model,
}

/// Reads every lane variable: of preflight's own environment, of the project's env files, of every
/// service's environment. `_MODEL` comes last: it names the model's path only where no `_MODEL_PATH`
/// does.
pub(super) fn lanes(
    project: &Project,
    engines: &Engines<'_>,
    selection: &Selection,
    drafts: &mut Drafts,
) {
    let mut said: Vec<Said<'_>> = Vec::new();
    for (name, value) in &selection.variables {
        said.extend(Said::of(name, &Spanned::nowhere(value.clone()), Speaker::Caller));
    }
    for (name, value) in &project.variables {
        said.extend(Said::of(name, value, Speaker::Caller));
    }
    for service in &project.services {
        let name = service.name.value.as_str();
        let speaker = match engines.started_by(name) {
            Some(_) => Speaker::Engine(name),
            None => Speaker::Service(name),
        };
        for (name, value) in &service.environment {
            if let Some(text) = &value.value {
                let value = Spanned::new(text.clone(), value.place.clone());
                said.extend(Said::of(name, &value, speaker));
            }
        }
    }
    // A name that an engine serves under is a name, whatever it looks like.
    let served: Vec<&String> = engines.iter().flat_map(|(_, it)| &it.served_names).collect();
    for said in &mut said {
        said.is_name = said.field == Field::Model && served.contains(&&said.value.value);
    }
    let (models, others): (Vec<_>, Vec<_>) =
        said.into_iter().partition(|said| said.field == Field::Model);
    others.into_iter().chain(models).for_each(|said| said.put(drafts));
}

/// The lane whose model a variable of that name is about.
pub(super) fn model_of(name: &str) -> Option<String> {
    let (lane, field) = parse(name)?;
    matches!(field, Field::ModelPath | Field::Model).then_some(lane)
}

/// Whether a variable of that name says something of a lane.
#[must_use]
pub fn is_lane_variable(name: &str) -> bool {
    parse(name).is_some()
}

/// One lane variable.
struct Said<'a> {
    lane: String,
    field: Field,
    name: String,
    value: Spanned<String>,
    speaker: Speaker<'a>,
    /// Whether an engine serves under the value.
    is_name: bool,
}

/// In whose environment a variable stands.
#[derive(Debug, Clone, Copy)]
enum Speaker<'a> {
    /// That of whoever calls preflight or Compose.
    Caller,
    /// That of a service which starts an engine.
    Engine(&'a str),
    /// That of another service.
    Service(&'a str),
}

impl<'a> Said<'a> {
    fn of(name: &str, value: &Spanned<String>, speaker: Speaker<'a>) -> Option<Self> {
        let (lane, field) = parse(name)?;
        let text = value.value.trim();
        let text = unquoted(text).unwrap_or(text);
        let value = Spanned::new(text.to_owned(), value.place.clone());
        (!text.is_empty()).then(|| Self {
            lane,
            field,
            name: name.to_owned(),
            value,
            speaker,
            is_name: false,
        })
    }

    fn put(self, drafts: &mut Drafts) {
        let Self { lane, field, name, value: Spanned { value, place }, speaker, is_name } = self;
        let draft = drafts.lane(&lane, &place);
        let from = Origin::LaneVariable(name);
        match field {
            Field::Url => fill(&mut draft.url, Some(Traced { value, from, place })),
            Field::Model if is_name || !value.starts_with('/') => {
                fill(&mut draft.model_name, Some(Traced { value, from, place }));
            }
            Field::ModelPath | Field::Model => {
                let path = clean(Path::new(&value));
                let written = match speaker {
                    Speaker::Engine(service) => {
                        draft.speak_in(service);
                        Written::InService(ServicePath::new(path))
                    }
                    Speaker::Service(service) => {
                        draft.told_in.push(service.to_owned());
                        Written::Somewhere(path)
                    }
                    Speaker::Caller => Written::Somewhere(path),
                };
                draft.declared = true;
                fill(&mut draft.path, Some(Traced { value: written, from, place }));
            }
        }
    }
}

/// `ARGOS_LANE_SUPER_READER_MODEL_PATH` -> (`super_reader`, `ModelPath`).
fn parse(name: &str) -> Option<(String, Field)> {
    let rest = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix))?;
    [("_MODEL_PATH", Field::ModelPath), ("_URL", Field::Url), ("_MODEL", Field::Model)]
        .into_iter()
        .find_map(|(suffix, field)| rest.strip_suffix(suffix).map(|lane| (lane, field)))
        .filter(|(lane, _)| !lane.is_empty())
        .map(|(lane, field)| (lane_name(lane), field))
}

/// Whether a lane may be fetched: if any of the variables that choose downloads is set, only those
/// that are true, else what is required or was asked for by name. A lane that only the catalogue
/// knows costs no bytes unless somebody wants it.
pub(super) fn may_fetch(draft: &Draft, project: &Project, selection: &Selection) -> bool {
    let set = |name: &str| lookup(&format!("ARGOS_DOWNLOAD_{name}"), project, selection);
    let choices = ["SUPER_READER", "GOVERNANCE", "VLLM", "EMBEDDINGS"];
    if choices.iter().all(|name| set(name).is_none()) {
        let named = |lane: &String| lane_name(lane) == draft.name;
        return draft.required.unwrap_or(true) || selection.lanes.iter().any(named);
    }
    let name = match (draft.name.as_str(), draft.kind) {
        ("super_reader", _) => "SUPER_READER",
        ("governance", _) => "GOVERNANCE",
        (_, Some(ModelKind::Vllm)) => "VLLM",
        (_, Some(ModelKind::Embedding)) => "EMBEDDINGS",
        (_, Some(ModelKind::Gguf) | None) => return false,
    };
    set(name).is_some_and(|value| parse_bool(&value.value) == Some(true))
}

/// The models root on the host: `--models-dir`, else `MODELS_PATH`, else `ARGOS_MODELS_DIR`, else
/// what preflight has mounted at `/models`, else `./models`.
#[must_use]
pub fn models_root(
    project: &Project,
    selection: &Selection,
    standpoint: &Standpoint,
) -> Spanned<HostPath> {
    let absolute = |path: &Path| HostPath::new(clean(project.directory.join(path).as_path()));
    if let Some(given) = &selection.models_dir {
        return Spanned::nowhere(absolute(given));
    }
    for name in ["MODELS_PATH", "ARGOS_MODELS_DIR"] {
        if let Some(value) = lookup(name, project, selection).filter(|set| !set.value.is_empty()) {
            return Spanned::new(absolute(Path::new(&value.value)), value.place);
        }
    }
    if let Standpoint::Container(own) = standpoint {
        let models = own.iter().find(|mount| mount.target.as_path() == Path::new("/models"));
        if let Some(MountSource::Bind { path, .. }) = models.map(|mount| &mount.source) {
            return Spanned::nowhere(path.clone());
        }
    }
    Spanned::nowhere(absolute(&PathBuf::from("models")))
}

fn lookup(name: &str, project: &Project, selection: &Selection) -> Option<Spanned<String>> {
    let own = selection
        .variables
        .get(name)
        .map(|value| Spanned { value: value.clone(), place: Place::nowhere() });
    own.or_else(|| project.variables.get(name).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_variable_names_a_lane_and_a_field() {
        for (name, expected) in [
            ("ARGOS_LANE_SUPER_READER_MODEL_PATH", Some(("super_reader", Field::ModelPath))),
            ("CORTEX_LANE_CODER_URL", Some(("coder", Field::Url))),
            ("ARGOS_LANE_FAST_RAG_MODEL", Some(("fast_rag", Field::Model))),
            ("ARGOS_LANE__URL", None),
            ("ARGOS_LANE_X", None),
            ("ARGOS_MODELS_DIR", None),
        ] {
            let expected = expected.map(|(lane, field)| (lane.to_owned(), field));
            assert_eq!(parse(name), expected, "{name}");
        }
    }
}
