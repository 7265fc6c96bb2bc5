//! What is found when there was nothing to judge, or when it could not be looked at.

use crate::exit_code::ExitCode;
use crate::finding::{Finding, Rule, Severity};
use crate::lanes::Lane;

/// Every rule of this file.
pub static RULES: [&Rule; 2] = [&NO_LANE, &LANE_UNKNOWN];

/// Nothing in the project serves a model, as far as preflight can tell.
pub static NO_LANE: Rule = Rule {
    id: "no-lane",
    severity: Severity::Error,
    exit: ExitCode::Unjudged,
    docs: "\
No service of the project was recognised as an engine that opens a model, and no lane is declared,
so there was nothing to judge. A run that judges nothing must not look like a run that found
nothing wrong.

Common causes: the engine's image has a name of your own, the service is behind a profile that is
not active, or `--minimal` leaves nothing.

Example: a service with `image: registry.local/our-engine` and no label.

Fix: say what the lane is, at the service:

    services:
      my-engine:
        labels:
          preflight.lane: coder
          preflight.path: /models/coder.gguf    # as the service sees it

or in the Compose file:

    x-preflight:
      lanes:
        coder:
          service: my-engine
          path: /models/coder.gguf
",
};

/// The files of a lane could not be looked at.
pub static LANE_UNKNOWN: Rule = Rule {
    id: "lane-unknown",
    severity: Severity::Error,
    exit: ExitCode::Unjudged,
    docs: "\
The lane is wired correctly as far as can be seen, but its files could not be looked at, so nobody
knows whether its engine will start. A path that preflight cannot see is unknown, never \"missing\".

Common causes: preflight runs in a container that does not mount the models, the Docker socket is
not mounted, or a folder on the way may not be entered by the user that preflight runs as.

Example: `docker run --rm preflight:local` without a volume, for a stack whose models are on the host.

Fix: give preflight the mount that the service has, read-only if nothing is to be fetched:

    services:
      preflight:
        volumes:
          - ${MODELS_PATH:-./models}:/models:ro

or accept it with `--allow-unknown`: then it is a warning.
",
};

/// The finding for a project without any lane.
#[must_use]
pub fn no_lane() -> Finding {
    Finding::new(
        &NO_LANE,
        "there is no lane to judge: no service is known to open a model",
        "declare one with the labels `preflight.lane` and `preflight.path` of its service, or \
         under `x-preflight: {lanes: ...}`; `preflight explain no-lane` shows both",
    )
}

/// The finding for a lane whose files could not be looked at, and why.
#[must_use]
pub fn lane_unknown(lane: &Lane, reason: &str, allow_unknown: bool) -> Finding {
    let cached = lane.cached.first().filter(|_| lane.in_cache());
    let what = if cached.is_some() {
        "run with `--fetch` to ask the hub, mount the engine's cache into preflight"
    } else {
        "mount the models into preflight as the service has them"
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
