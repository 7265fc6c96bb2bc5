//! What is found when there was nothing to judge, or when it could not be looked at.

use crate::exit_code::ExitCode;
use crate::findings::{Finding, Rule, Severity};
use crate::options::Role;
use crate::plan::lanes::Lane;
use crate::project::{Dialect, MountSource};

/// Every rule of this file.
pub static RULES: [&Rule; 3] = [&NO_LANE, &LANE_UNKNOWN, &NO_ENGINE_ASKED];

/// Nothing in the project serves a model, as far as preflight can tell.
pub static NO_LANE: Rule =
    Rule::error("no-lane", ExitCode::Unjudged, include_str!("verdict/rules/no-lane.md"));

/// The files of a lane could not be looked at.
pub static LANE_UNKNOWN: Rule =
    Rule::error("lane-unknown", ExitCode::Unjudged, include_str!("verdict/rules/lane-unknown.md"));

/// A smoke test that asked nobody.
pub static NO_ENGINE_ASKED: Rule = Rule::error(
    "no-engine-asked",
    ExitCode::Unjudged,
    include_str!("verdict/rules/no-engine-asked.md"),
);

/// The finding for a project without any lane. A command line that starts no engine is nobody's to judge.
#[must_use]
pub fn no_lane(role: Role, dialect: Dialect) -> Finding {
    if role == Role::Exec {
        return Finding::new(
            &NO_LANE,
            "there is no lane to judge: the command line starts no engine that preflight knows",
            "what it starts is started as it is; write the engine's own command line behind `--`",
        )
        .severity(Severity::Note);
    }
    Finding::new(
        &NO_LANE,
        "there is no lane to judge: no service is known to open a model",
        dialect.words().declare_lane,
    )
}

/// The finding for a smoke test of which nobody says where its engines answer.
#[must_use]
pub fn no_engine_asked(dialect: Dialect) -> Finding {
    Finding::new(
        &NO_ENGINE_ASKED,
        "no engine was asked: of none of the lanes it is known where it answers",
        dialect.words().say_address,
    )
}

/// The finding for a lane whose files could not be looked at, and why.
#[must_use]
pub fn lane_unknown(
    lane: &Lane,
    reason: &str,
    (role, dialect): (Role, Dialect),
    allow_unknown: bool,
) -> Finding {
    let words = dialect.words();
    let cached = lane.cached.first().filter(|_| lane.in_cache());
    let volume = lane.model().and_then(|model| model.located.value.mount.as_ref());
    let is_volume = volume.is_some_and(|it| matches!(it.source, MountSource::Volume { .. }));
    let what = if cached.is_some() && role != Role::Exec {
        "mount the engine's cache into preflight"
    } else if lane.invocation.is_some() && lane.model().is_none() && role == Role::Exec {
        "name the model in the command line"
    } else if lane.invocation.is_some() && lane.model().is_none() {
        words.say_path
    } else if is_volume && role == Role::Hand {
        words.see_volume
    } else {
        match role {
            Role::Init => words.see_inside,
            Role::Hand => words.see_files,
            Role::Exec => "let the user that the engine runs as read them",
        }
    };
    let word = cached.map_or(&lane.place, |cached| &cached.place);
    let finding = Finding::new(
        &LANE_UNKNOWN,
        format!("the files of lane `{}` could not be looked at: {reason}", lane.name),
        format!("{what}, or accept it with `--allow-unknown`"),
    )
    .lane(&lane.name)
    .at(lane.model().map_or(word, |model| &model.located.place));
    let finding = match lane.services.first() {
        Some(service) => finding.service(service),
        None => finding,
    };
    if allow_unknown { finding.severity(Severity::Warning) } else { finding }
}
