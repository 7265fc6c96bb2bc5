//! Lanes of models that nobody here looks at: they are named, with what is known of them.

use serde_json::Value;

use super::draft::{Draft, Drafts, fill, lane_name};
use super::engines::Engines;
use crate::plan::engine;
use crate::project::Project;
use crate::source_map::Place;

/// One lane for each service that looks like one that serves models, and for each model that Compose
/// has served by itself, where nobody has spoken of it.
pub(super) fn lanes(project: &Project, engines: &Engines<'_>, drafts: &mut Drafts) {
    for service in &project.services {
        let name = &service.name.value;
        let has_lane = drafts.0.iter().any(|draft| draft.services.contains(name));
        if has_lane || engines.started_by(name).is_some() {
            continue;
        }
        let provided = || provided(&project.document["services"][name]["provider"]);
        if let Some(reason) = engine::lookalike(service).or_else(provided) {
            skip(drafts, name, &service.name.place, reason).serve(name);
        }
    }
    for (name, model) in &project.models {
        if let Some(model) = model["model"].as_str() {
            skip(drafts, name, &Place::nowhere(), runner(model));
        }
    }
}

fn skip<'a>(drafts: &'a mut Drafts, name: &str, place: &Place, reason: String) -> &'a mut Draft {
    let draft = drafts.lane(&lane_name(name), place);
    // What somebody has said of it is judged.
    if draft.invocation.is_none() && draft.path.is_none() && draft.source.is_none() {
        fill(&mut draft.skipped, Some(reason));
    }
    draft
}

/// What `provider: {type: model}` brings (docker/compose 2.40.3 pkg/compose/model.go).
fn provided(provider: &Value) -> Option<String> {
    let options = &provider["options"]["model"];
    let model = options.as_str().or_else(|| options[0].as_str());
    (provider["type"] == "model").then(|| runner(model.unwrap_or("its model")))
}

fn runner(model: &str) -> String {
    format!("Docker Model Runner loads `{model}` by itself")
}
