//! Lanes that variables speak of: `ARGOS_LANE_<LANE>_MODEL_PATH`, `_URL`, `_MODEL`, and the older
//! spelling `CORTEX_LANE_*`; `ARGOS_DOWNLOAD_*`; the models root.

use std::path::{Path, PathBuf};

use super::declared::parse_bool;
use super::draft::{Draft, Drafts, Written, fill, lane_name};
use super::{ModelKind, Origin, Traced};
use crate::options::Selection;
use crate::path::{HostPath, ServicePath, clean};
use crate::plan::engine;
use crate::project::mounts::Standpoint;
use crate::project::{MountSource, Project};
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
/// service's environment.
pub(super) fn lanes(project: &Project, selection: &Selection, drafts: &mut Drafts) {
    for (name, value) in &selection.variables {
        lane_variable(drafts, name, &Spanned::nowhere(value.clone()), None);
    }
    for (name, value) in &project.variables {
        lane_variable(drafts, name, value, None);
    }
    for service in &project.services {
        let in_engine = engine::invocation(service).map(|_| service.name.value.as_str());
        for (name, value) in &service.environment {
            if let Some(text) = &value.value {
                let value = Spanned::new(text.clone(), value.place.clone());
                lane_variable(drafts, name, &value, in_engine);
            }
        }
    }
}

fn lane_variable(drafts: &mut Drafts, name: &str, value: &Spanned<String>, engine: Option<&str>) {
    let Some((lane, field)) = parse(name) else { return };
    if value.value.trim().is_empty() {
        return;
    }
    let draft = drafts.lane(&lane, &value.place);
    let from = Origin::LaneVariable(name.to_owned());
    let place = value.place.clone();
    match field {
        Field::ModelPath => {
            let path = clean(Path::new(value.value.trim()));
            let written = match engine {
                Some(service) => {
                    draft.serve(service);
                    Written::InService(ServicePath::new(path))
                }
                None => Written::Somewhere(path),
            };
            draft.declared = true;
            fill(&mut draft.path, Some(Traced { value: written, from, place }));
        }
        Field::Url => {
            fill(&mut draft.url, Some(Traced { value: value.value.clone(), from, place }));
        }
        Field::Model => {
            fill(&mut draft.model_name, Some(Traced { value: value.value.clone(), from, place }));
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
pub(super) fn models_root(
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
