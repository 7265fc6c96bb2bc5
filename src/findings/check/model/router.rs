//! The models that llama.cpp's router finds in its folder.

use std::collections::BTreeMap;
use std::path::Path;

use super::some_of;
use crate::exit_code::ExitCode;
use crate::facts::{ArtifactFacts, LaneFacts};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::engine::Part;
use crate::plan::lanes::Origin;

pub(super) static MODELS_SHARE_FOLDER: Rule = Rule::warning(
    "models-share-folder",
    ExitCode::Lane,
    include_str!("rules/models-share-folder.md"),
);

/// Whether an artifact was found in a router's folder.
pub(super) fn is_listed(artifact: &ArtifactFacts) -> bool {
    matches!(artifact.artifact.located.from, Origin::Folder(_))
}

fn models(facts: &LaneFacts) -> impl Iterator<Item = &ArtifactFacts> {
    let listed = facts.artifacts.iter().filter(|artifact| is_listed(artifact));
    listed.filter(|artifact| artifact.artifact.part == Part::Model)
}

/// Whether one of the models that a router has found can be served, given what is wrong with each.
pub(super) fn serves_one(judged: &[(&ArtifactFacts, Vec<Finding>)]) -> bool {
    judged.iter().any(|(artifact, findings)| {
        let is_model = is_listed(artifact) && artifact.artifact.part == Part::Model;
        let is_sound = findings.iter().all(|finding| finding.severity != Severity::Error);
        is_model && is_sound && artifact.model.complete()
    })
}

/// Folders that hold more than the one model that is served out of them.
pub(super) fn judge(facts: &LaneFacts, findings: &mut Findings) {
    let Some(top) = facts.lane.invocation.as_ref().and_then(|it| it.served_folder()) else {
        return;
    };
    let mut folders: BTreeMap<&Path, Vec<(&ArtifactFacts, String)>> = BTreeMap::new();
    for artifact in models(facts) {
        let Some(path) = &artifact.artifact.located.value.service_path else { continue };
        let (folder, name) = (path.as_path().parent(), path.as_path().file_name());
        let (Some(folder), Some(name)) = (folder, name) else { continue };
        if folder != top.path.as_path() {
            let name = name.to_string_lossy().into_owned();
            folders.entry(folder).or_default().push((artifact, name));
        }
    }
    for (folder, models) in folders.into_iter().filter(|(_, models)| 1 < models.len()) {
        let names: Vec<String> = models.iter().map(|(_, name)| name.clone()).collect();
        let message = format!(
            "`{}` holds {} models ({}), and llama-server serves the one that the file system lists \
             last",
            folder.display(),
            names.len(),
            some_of(&names)
        );
        let fix = format!(
            "give each of them a folder of its own, or put them directly into `{}`",
            top.path
        );
        let finding = Finding::new(&MODELS_SHARE_FOLDER, message, fix)
            .lane(&facts.lane.name)
            .at(&top.place)
            .with("path", folder.display());
        let service = facts.lane.services.first();
        findings.push(match service {
            Some(service) => finding.service(service),
            None => finding,
        });
    }
}
