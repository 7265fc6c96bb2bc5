//! Whether Docker can mount the volumes of a lane, and whether they are those that the file means.

use std::collections::BTreeMap;

use serde_json::Value;

use super::needed;
use crate::exit_code::ExitCode;
use crate::facts::{ArtifactFacts, LaneFacts, ProjectFacts};
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::look::Look;
use crate::options::Role;
use crate::project::docker::volumes::DockerVolume;
use crate::project::{Mount, MountSource, Project, Volume};
use crate::source_map::Place;

/// The volumes of the services that a lane needs.
pub(in crate::findings::check) static CHECK: Check =
    Check { rules: &[&VOLUME_NOT_MOUNTED, &VOLUME_DIFFERS], run: Run::Project(run) };

pub(super) static VOLUME_NOT_MOUNTED: Rule = Rule::error(
    "volume-not-mountable",
    ExitCode::Mount,
    include_str!("rules/volume-not-mountable.md"),
);

static VOLUME_DIFFERS: Rule = Rule::warning(
    "volume-differs-from-file",
    ExitCode::Mount,
    include_str!("rules/volume-differs-from-file.md"),
);

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for lane in facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none()) {
        let mut judged: Vec<&str> = Vec::new();
        for mount in needed(facts.project, lane).iter().flat_map(|service| &service.mounts) {
            let MountSource::Volume { name, .. } = &mount.source else { continue };
            let known = facts.project.volumes.iter().find(|(_, volume)| volume.name == *name);
            let Some((key, volume)) = known.filter(|_| !judged.contains(&name.as_str())) else {
                continue;
            };
            judged.push(name);
            if let Some(finding) = judge(facts, key, volume) {
                findings.push(finding.lane(&lane.name));
            }
        }
    }
}

fn judge(facts: &ProjectFacts<'_>, key: &str, volume: &Volume) -> Option<Finding> {
    let seen = facts.observation.as_ref().ok().and_then(|seen| seen.volumes.get(&volume.name));
    let written = written(facts.project, key);
    match seen {
        Some(Look::Absent) if volume.external => Some(not_there(key, volume)),
        Some(Look::Seen(found)) => relative(
            key,
            volume,
            found.options.get("device").filter(|_| is_bind(&found.options)),
            true,
        )
        .or_else(|| differs(facts.role, (key, volume), &written, found)),
        Some(Look::Absent | Look::Denied(_) | Look::Unknown(_)) | None => {
            relative(key, volume, written.get("device").filter(|_| is_bind(&written)), false)
        }
    }
}

/// The `driver_opts` that the file has.
fn written(project: &Project, key: &str) -> BTreeMap<String, String> {
    let options = project.document["volumes"][key]["driver_opts"].as_object();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    options.into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

fn is_bind(options: &BTreeMap<String, String>) -> bool {
    options
        .get("o")
        .is_some_and(|o| o.split(',').any(|word| matches!(word.trim(), "bind" | "rbind")))
}

fn not_there(key: &str, volume: &Volume) -> Finding {
    let name = &volume.name;
    let message =
        format!("the external volume `{name}` does not exist: Compose starts nothing without it");
    let fix = format!(
        "make it, `docker volume create {name}`, and put the models into it, or correct the `name` \
         of `{key}`"
    );
    Finding::new(&VOLUME_NOT_MOUNTED, message, fix).at(&volume.place)
}

/// Of a device that is a relative path, the kernel looks where the Docker daemon runs.
fn relative(key: &str, volume: &Volume, device: Option<&String>, exists: bool) -> Option<Finding> {
    let device = device.filter(|device| !device.starts_with('/'))?;
    let message = format!(
        "the device `{device}` of the volume `{key}` is relative, and neither Compose nor Docker makes \
         it a path of the project: Docker cannot mount it"
    );
    let below = device.trim_start_matches("./");
    let remove = if exists {
        format!(", and have Docker forget the old one: {}", remove(volume))
    } else {
        String::new()
    };
    let fix = format!("write `device: ${{PWD}}/{below}`{remove}");
    Some(Finding::new(&VOLUME_NOT_MOUNTED, message, fix).at(device_place(volume)))
}

/// What the file says is known only where Compose is called: an init container does not see the
/// caller's variables.
fn differs(
    role: Role,
    (key, volume): (&str, &Volume),
    written: &BTreeMap<String, String>,
    found: &DockerVolume,
) -> Option<Finding> {
    let is_known = role == Role::Hand
        && !volume.external
        && volume.place.span.is_some()
        && found.driver == "local";
    if !is_known || *written == found.options {
        return None;
    }
    let message = format!(
        "the volume `{}` was made with other options than the file has for `{key}` now, and keeps \
         those that it was made with",
        volume.name
    );
    let fix = format!(
        "if the file is right: {}, which deletes what is in it, or `docker compose up -y`; if the \
         volume is right, edit the file",
        remove(volume)
    );
    let finding = Finding::new(&VOLUME_DIFFERS, message, fix).at(device_place(volume));
    Some(finding.with("file", shown(written)).with("volume", shown(&found.options)))
}

fn remove(volume: &Volume) -> String {
    format!("`docker compose down` and `docker volume rm {}`", volume.name)
}

fn shown(options: &BTreeMap<String, String>) -> String {
    let pairs = options.iter().map(|(name, value)| format!("{name}={value}"));
    let shown = pairs.collect::<Vec<_>>().join(", ");
    if shown.is_empty() { "no options".to_owned() } else { shown }
}

fn device_place(volume: &Volume) -> &Place {
    let device = volume.device.as_ref().map(|device| &device.place);
    device.filter(|place| place.span.is_some()).unwrap_or(&volume.place)
}

/// The finding that Docker has refused to mount a volume of the service, in its own words.
pub(super) fn refused(facts: &LaneFacts, artifact: &ArtifactFacts) -> Option<Finding> {
    let sentence = artifact.refused_mount()?;
    let located = &artifact.artifact.located.value;
    let (service, mount) = (located.service.as_deref()?, located.mount.as_ref());
    let message =
        format!("Docker cannot mount a volume of `{service}`, which does not start: {sentence}");
    let fix = "see that the server or folder of the volume is there and that this host may mount it; \
               a volume whose options were wrong has to be removed before it is made anew";
    let finding = Finding::new(&VOLUME_NOT_MOUNTED, message, fix).lane(&facts.lane.name);
    let place = mount.filter(|mount| is_volume(mount)).map(|mount| &mount.place);
    Some(finding.at(place.unwrap_or(&artifact.artifact.located.place)))
}

fn is_volume(mount: &Mount) -> bool {
    matches!(mount.source, MountSource::Volume { .. })
}

#[cfg(test)]
mod tests;
