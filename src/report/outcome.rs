//! Facts -> what the report is made of.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::amount::{count, size};
use crate::facts::memory::Fits;
use crate::facts::model::{Listed, ModelFacts};
use crate::facts::smoke::Answer;
use crate::facts::{ArtifactFacts, LaneFacts, ProjectFacts};
use crate::findings::Findings;
use crate::findings::check;
use crate::options::{Options, Task};
use crate::path::{HostPath, ServicePath};
use crate::project::docker::Container;
use crate::project::mounts::Sight;
use crate::timing::Timing;

use super::picture::Picture;
use super::{
    ContainerReport, FileReport, FileState, LaneOutcome, Planned, RunOutcome, Subject, named,
};

impl<'a> RunOutcome<'a> {
    /// Puts together what was seen and what was found.
    #[must_use]
    pub fn of(
        project: &ProjectFacts<'_>,
        lanes: &'a [LaneFacts],
        mut findings: Findings,
        options: &Options,
        timing: Timing,
    ) -> Self {
        if options.task == Task::Smoke && !lanes.is_empty() && !lanes.iter().any(was_asked) {
            findings.push(check::verdict::no_engine_asked(project.project.dialect));
        }
        let name = &project.project.name;
        let is_of_memory = options.task == Task::Fit;
        let lane = |facts: &'a LaneFacts| match LaneOutcome::of(facts) {
            outcome if is_of_memory => LaneOutcome { unknown: unsized_for(facts), ..outcome },
            outcome => outcome,
        };
        Self {
            subject: match options.task {
                Task::Fit => Subject::Memory,
                Task::Check
                | Task::Plan
                | Task::Config
                | Task::Fetch
                | Task::Verify
                | Task::Inspect
                | Task::Smoke
                | Task::Lock
                | Task::Init
                | Task::Doctor
                | Task::Exec => Subject::Lanes,
            },
            role: options.role,
            dialect: project.project.dialect,
            project: (!name.is_empty()).then(|| name.clone()),
            lanes: lanes.iter().map(lane).collect(),
            findings,
            containers: containers(project),
            devices: project.devices.to_vec(),
            planned: planned(lanes),
            picture: if is_drawn(options) {
                Picture::of(project, lanes, files)
            } else {
                Picture::default()
            },
            allow_unknown: options.allow_unknown,
            timing,
        }
    }
}

/// Whether anybody is shown the picture.
fn is_drawn(options: &Options) -> bool {
    let report = &options.report;
    let mut chosen = report.outputs.iter().map(|(format, _)| *format).chain([report.format]);
    chosen.any(|format| named(format.name()).is_some_and(|format| format.draws))
}

/// What a dry run would bring, for all lanes.
fn planned(lanes: &[LaneFacts]) -> Option<Planned> {
    let planned = || lanes.iter().filter_map(|facts| facts.source.planned.as_ref());
    let files = planned().flatten().map(|it| (it.destination.path(), it.file.size));
    let files: BTreeMap<&Path, u64> = files.collect();
    let bytes = files.values().fold(0, |sum: u64, size| sum.saturating_add(*size));
    (!files.is_empty()).then(|| Planned { files: files.len(), bytes, lanes: planned().count() })
}

fn containers(project: &ProjectFacts<'_>) -> Vec<ContainerReport> {
    let Ok(observation) = project.observation else { return Vec::new() };
    let report = |container: &Container| ContainerReport {
        name: container.name.clone(),
        service: container.service.clone().unwrap_or_default(),
        state: container.state.status.clone(),
        exit_code: matches!(container.state.status.as_str(), "exited" | "dead")
            .then_some(container.state.exit_code),
        health: container.state.health.as_ref().map(|health| health.status.clone()),
        killed_for_memory: container.state.oom_killed,
        restarts: container.state.restart_count,
    };
    observation.siblings.iter().map(report).collect()
}

impl<'a> LaneOutcome<'a> {
    fn of(facts: &'a LaneFacts) -> Self {
        let model = facts.artifacts.first();
        Self {
            lane: &facts.lane,
            // One that is served elsewhere is judged by what it answers.
            skipped: facts.lane.skipped.clone().filter(|_| facts.smoke.is_none()),
            planned: facts.source.planned.as_ref().map(|downloads| {
                let bytes =
                    downloads.iter().fold(0, |sum: u64, it| sum.saturating_add(it.file.size));
                format!("would fetch {}, {}", count(downloads.len(), "file"), size(bytes))
            }),
            files: facts.artifacts.iter().flat_map(|artifact| files(artifact, facts)).collect(),
            summary: model.and_then(|artifact| artifact.model.summary()),
            memory: facts.memory.clone(),
            serves: serves(facts),
            unknown: unread(facts)
                .or_else(|| facts.artifacts.iter().find_map(|seen| unknown(facts, seen)))
                .or_else(|| facts.artifacts.iter().find_map(|seen| seen.way.unseen.clone()))
                .or_else(|| facts.artifacts.iter().find_map(|seen| perhaps_brought(facts, seen)))
                .or_else(|| check::cache::unjudged(facts)),
        }
    }
}

/// Why it is not known whether something will be there; absent: it is there, or known to come, or missing.
fn perhaps_brought(facts: &LaneFacts, artifact: &ArtifactFacts) -> Option<String> {
    let bringer = facts.still_brought(artifact).filter(|bringer| !bringer.is_said)?;
    Some(format!("`{}` is not there, and {} may bring it", bringer.path, bringer.who))
}

/// Whether somebody said where its engine answers, so that it was asked.
fn was_asked(facts: &LaneFacts) -> bool {
    facts.smoke.as_ref().is_some_and(|smoke| smoke.answer != Answer::NoAddress)
}

/// Whether its engine has shown that it has the lane's model, wherever that is.
fn serves(facts: &LaneFacts) -> bool {
    let answered = facts.smoke.as_ref().filter(|smoke| smoke.answer.is_up());
    answered.and_then(|smoke| smoke.has_model_of(&facts.lane)) == Some(true)
}

/// Why it cannot be said whether a lane fits; absent: it can.
fn unsized_for(facts: &LaneFacts) -> Option<String> {
    let Some(memory) = &facts.memory else { return Some(unsized_because(facts)) };
    match memory.fits {
        Fits::Yes | Fits::No => None,
        Fits::Unknown if memory.has_known_devices() => {
            Some("it may need more than there is, or less".to_owned())
        }
        Fits::Unknown => Some("the memory that it has is not known".to_owned()),
    }
}

/// Why it is not known what a lane takes.
fn unsized_because(facts: &LaneFacts) -> String {
    if let Some(error) = facts.source.foreseen.iter().find_map(|it| it.model.as_ref().err()) {
        return format!("its model is not here, and {error}");
    }
    if let Some(unread) = unread(facts) {
        return unread;
    }
    let invocation = facts.lane.invocation.as_ref();
    let is_here = facts.artifacts.iter().any(|seen| seen.model.complete());
    match invocation.filter(|invocation| invocation.sizing.is_some()) {
        Some(_) if !is_here => "its model is not here".to_owned(),
        Some(_) => "what it takes cannot be worked out".to_owned(),
        None => "what its engine takes is not worked out".to_owned(),
    }
}

/// What keeps the model's name from being known: a command line that could not be read whole.
fn unread(facts: &LaneFacts) -> Option<String> {
    let is_known = !facts.artifacts.is_empty() || facts.lane.in_cache();
    let invocation = facts.lane.invocation.as_ref().filter(|_| !is_known)?;
    let unread: Vec<&str> = invocation.unread.iter().map(|said| said.value.as_str()).collect();
    if unread.is_empty() && invocation.lost_model() {
        return Some("the command line names no model".to_owned());
    }
    (!unread.is_empty()).then(|| format!("its model is not known: {}", unread.join("; ")))
}

/// Why an artifact could not be looked at; a refusal of the system is a finding of its own, and a thing
/// that the image may have brought along keeps no lane from being judged.
fn unknown(facts: &LaneFacts, artifact: &ArtifactFacts) -> Option<String> {
    let is_outside = matches!(artifact.artifact.located.value.sight, Sight::NotMounted);
    match &artifact.model {
        ModelFacts::Unknown(_) if artifact.refused_mount().is_some() => None,
        ModelFacts::Unknown(_) if artifact.artifact.located.value.holds_variable() => None,
        ModelFacts::Unknown(_) if is_outside && artifact.artifact.part.may_be_in_image() => None,
        ModelFacts::Unknown(_) if facts.still_brought(artifact).is_some() => None,
        ModelFacts::Unknown(why) => Some(why.clone()),
        ModelFacts::Absent | ModelFacts::Denied(_) | ModelFacts::Seen(_) => None,
    }
}

/// Every file of an artifact, by all of its names.
fn files(artifact: &ArtifactFacts, facts: &LaneFacts) -> Vec<FileReport> {
    let located = &artifact.artifact.located.value;
    let visible = match &located.sight {
        Sight::Visible { path, .. } => Some(path.as_path()),
        Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_) => None,
    };
    let host = located.host_path.as_ref().map(HostPath::as_path);
    let opened = located.service_path.as_ref().map(ServicePath::as_path).or(visible).or(host);
    let list = |path: Option<&Path>| path.map(|path| artifact.model.list(path)).unwrap_or_default();
    let (on_host, here) = (list(host), list(visible));
    let hashed = facts.proofs.iter().rev().map(|proof| (proof.path.as_path(), &proof.hashed_by));
    let hashed: HashMap<&Path, _> = hashed.collect();
    let hashed_by = |path: &Path| (*hashed.get(path)?).clone();
    let brought: HashSet<&Path> = facts.source.fetched.iter().map(PathBuf::as_path).collect();
    let report = |(index, file): (usize, Listed)| {
        let fetched = here.get(index).is_some_and(|file| brought.contains(file.path.as_path()));
        FileReport {
            path: file.path.display().to_string(),
            host_path: on_host.get(index).map(|file| file.path.display().to_string()),
            size_bytes: file.size,
            state: if fetched { FileState::Fetched } else { file.state },
            hashed_by: here.get(index).and_then(|file| hashed_by(&file.path)),
        }
    };
    list(opened).into_iter().enumerate().map(report).collect()
}
