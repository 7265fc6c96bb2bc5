//! Whether everything of the host that a lane's services mount is there, and is what it has to be.

use std::path::Path;

use super::{SOURCE_MISSING, correct};
use crate::facts::binds::{BindFacts, FileSign, Near, Need};
use crate::facts::{ArtifactFacts, LaneFacts};
use crate::findings::{Finding, Findings, Severity};
use crate::look::{FileKind, Look};
use crate::options::Role;
use crate::path::{HostPath, ServicePath};
use crate::project::MountSource;
use crate::project::mounts::{Located, Sight};
use crate::source_map::Place;

/// Judges every source once, whoever mounts it; those about which something was said. One in which
/// a model is looked for is left to the caller, if it is there.
pub(super) fn judge(facts: &LaneFacts, findings: &mut Findings) -> Vec<HostPath> {
    let mut judged: Vec<&HostPath> = Vec::new();
    let mut told = Vec::new();
    for bind in &facts.binds {
        if judged.contains(&&bind.source) {
            continue;
        }
        judged.push(&bind.source);
        let group: Vec<_> =
            facts.binds.iter().filter(|other| other.source == bind.source).collect();
        if let Some(finding) = of_source(facts, &group) {
            findings.push(finding.lane(&facts.lane.name));
            told.push(bind.source.clone());
        }
    }
    told
}

/// Whether a folder lies where the file of a lane's model would have to be.
pub(in crate::findings::check) fn hides_model(facts: &LaneFacts) -> bool {
    let mut mine = facts.binds.iter().filter(|bind| holds_artifact(facts, bind));
    mine.any(|bind| is_in_place_of_file(bind) || behind_a_file(facts, bind).is_some())
}

fn of_source(facts: &LaneFacts, group: &[&BindFacts]) -> Option<Finding> {
    let seen = group.iter().find(|bind| !matches!(bind.found, Look::Unknown(_)))?;
    if seen.found == Look::Absent {
        return absent(facts, group);
    }
    if let Some(first) = group.iter().find(|bind| is_in_place_of_file(bind)) {
        return Some(with_others(in_place_of_file(first), first, group, need(group)));
    }
    let (first, path) = group.iter().find_map(|bind| Some((bind, behind_a_file(facts, bind)?)))?;
    Some(with_others(in_place_of_folder(first, path), first, group, need(group)))
}

/// What the lane's engine opens below a mount that is a file.
fn behind_a_file<'a>(facts: &'a LaneFacts, bind: &BindFacts) -> Option<&'a ServicePath> {
    let artifacts = || facts.artifacts.iter().map(|artifact| &artifact.artifact.located.value);
    let mine = artifacts().filter(|it| it.service.as_ref() == Some(&bind.service));
    let mut below = mine.filter(|located| located.mount.as_ref() == Some(&bind.mount));
    // What the service runs is in the mount, and not the mount itself.
    let is_mount = bind.inside == bind.mount.target;
    let is_file = is_mount && bind.found == Look::Seen(FileKind::File);
    let path = below.find_map(|it| it.service_path.as_ref().filter(|it| **it != bind.mount.target));
    path.filter(|_| is_file)
}

fn is_in_place_of_file(bind: &BindFacts) -> bool {
    bind.found == Look::Seen(FileKind::Directory)
        && match bind.file {
            Some(FileSign::Use) => true,
            Some(FileSign::Name) => bind.empty,
            None => false,
        }
}

/// The most that the lane needs of a service that mounts this.
fn need(group: &[&BindFacts]) -> Need {
    group.iter().map(|bind| bind.need).max().unwrap_or(Need::Nothing)
}

fn absent(facts: &LaneFacts, group: &[&BindFacts]) -> Option<Finding> {
    if will_be_made(facts, group) || group.iter().any(|bind| is_made_before(facts, bind)) {
        return None;
    }
    // Docker makes the folder, and somebody else fills it.
    if group.iter().all(|bind| !is_never_made(bind) && is_filled_before(facts, bind)) {
        return None;
    }
    let first =
        |is_first: &dyn Fn(&BindFacts) -> bool| group.iter().copied().find(|bind| is_first(bind));
    let holds_models = group.iter().any(|bind| bind.holds_model);
    if let Some(bind) = first(&is_never_made) {
        let finding = never_made(bind, holds_models);
        Some(with_others(finding, bind, group, Need::Success))
    } else if let Some(bind) = first(&|bind| bind.volume.is_some()) {
        Some(no_device(bind, group))
    } else if let Some(bind) = first(&|bind| bind.inside != bind.mount.target) {
        Some(with_others(not_to_run(bind), bind, group, need(group)))
    } else if let Some(bind) = first(&|bind| bind.file.is_some()) {
        Some(with_others(no_file(bind), bind, group, need(group)))
    } else {
        let holding: Vec<&BindFacts> =
            group.iter().copied().filter(|bind| bind.holds_model).collect();
        let bind = holding.first()?;
        let is_mine = holding.iter().any(|bind| holds_artifact(facts, bind));
        let finding = is_mine.then(|| match &bind.near {
            Some(near) => no_such_models(bind, near),
            None => no_folder(bind),
        })?;
        Some(with_others(finding, bind, &holding, Need::Success))
    }
}

/// Whether the lane's own files are fetched into it.
fn will_be_made(facts: &LaneFacts, group: &[&BindFacts]) -> bool {
    facts.artifacts.iter().map(|artifact| &artifact.artifact.located.value).any(|located| {
        group.iter().any(|bind| located.mount.as_ref() == Some(&bind.mount))
            && makes_root(facts, located)
    })
}

/// Whether a service that has to end before this one starts mounts a folder above it for writing: it
/// may well make it.
fn is_made_before(facts: &LaneFacts, bind: &BindFacts) -> bool {
    facts.binds.iter().any(|other| {
        let is_above = other.source != bind.source && bind.source.below(&other.source).is_some();
        let is_there = other.found == Look::Seen(FileKind::Directory);
        let writes = !other.mount.read_only && other.need == Need::Success;
        is_above && is_there && writes && other.service != bind.service
    })
}

/// Whether all that the lane opens below a mount may be brought there before its engine starts.
fn is_filled_before(facts: &LaneFacts, bind: &BindFacts) -> bool {
    let is_below = |artifact: &&ArtifactFacts| {
        artifact.artifact.located.value.mount.as_ref() == Some(&bind.mount)
    };
    let mut below = facts.artifacts.iter().filter(is_below).peekable();
    let is_of_lane = below.peek().is_some();
    let is_brought = facts.lane.brought.iter().any(|it| it.service.as_ref() == Some(&bind.service));
    below.all(|it| facts.still_brought(it).is_some()) && (is_of_lane || is_brought)
}

/// Whether a model of this very lane lies below a mount.
fn holds_artifact(facts: &LaneFacts, bind: &BindFacts) -> bool {
    facts.artifacts.iter().any(|artifact| {
        let located = &artifact.artifact.located.value;
        located.service.as_ref() == Some(&bind.service)
            && located.mount.as_ref() == Some(&bind.mount)
    })
}

/// Whether the folder is made when files are fetched into it, by an init container that has mounted
/// one above it.
pub(super) fn makes_root(facts: &LaneFacts, located: &Located) -> bool {
    let writes = matches!(located.sight, Sight::Visible { read_only: false, .. });
    facts.orders.role == Role::Init
        && writes
        && facts.orders.may_fetch
        && facts.lane.source.is_some()
}

fn is_never_made(bind: &BindFacts) -> bool {
    matches!(bind.mount.source, MountSource::Bind { create_host_path: false, .. })
}

/// Docker Engine 28 and Compose 2.40: `bind source path does not exist`, before anything starts.
fn never_made(bind: &BindFacts, holds_models: bool) -> Finding {
    let BindFacts { source, written, service, mount, .. } = bind;
    let message = format!(
        "`{written}` does not exist on the host, and Docker does not make it: the container of \
         `{service}` cannot be created"
    );
    let correct = correct(&mount.place);
    let fix = match (&bind.near, bind.file) {
        (Some(near), _) => instead(near, bind),
        (None, Some(_)) => format!("put the file there, or {correct}"),
        (None, None) => format!("{correct}, or make the folder: {}", make(source, holds_models)),
    };
    Finding::new(&SOURCE_MISSING, message, fix).at(&mount.place)
}

/// Docker mounts the device when the first container with the volume is made or started.
fn no_device(bind: &BindFacts, group: &[&BindFacts]) -> Finding {
    let source = &bind.source;
    let volume = bind.volume.as_ref().map_or("", |volume| &volume.value);
    let message = format!(
        "`{source}`, the device of the volume `{volume}`, does not exist on the host: Docker \
         cannot mount it, and no service that has the volume starts"
    );
    let place = device_place(bind);
    let fix = match &bind.near {
        Some(Near { path, whole: true, .. }) => {
            format!("give the volume `{volume}` the device `{path}`, if that is meant")
        }
        Some(Near { written, whole: false, .. }) => {
            format!("{}: there is `{written}`", correct(place))
        }
        None => format!(
            "{}, so that the device of the volume `{volume}` is a folder that is there",
            correct(place)
        ),
    };
    let mut services: Vec<String> =
        group.iter().map(|bind| format!("`{}`", bind.service)).collect();
    services.dedup();
    let finding = Finding::new(&SOURCE_MISSING, message, fix).at(place);
    finding.with("mounted by", services.join(", "))
}

fn make(source: &HostPath, holds_models: bool) -> String {
    let fill = if holds_models { ", and put the models into it" } else { "" };
    format!("`mkdir -p {source}`{fill}")
}

/// What to write where something of nearly that name is there.
fn instead(near: &Near, bind: &BindFacts) -> String {
    let Near { written, whole, .. } = near;
    let what = if bind.file.is_some() { "the file" } else { "the folder" };
    let place = &bind.mount.place;
    match whole {
        true if place.variables.is_empty() => {
            format!("write `{written}` instead, if that is meant, or put {what} there")
        }
        true => format!(
            "{}, so that the source is `{written}`, if that is meant, or put {what} there",
            correct(place)
        ),
        false => format!("{}: there is `{written}`", correct(place)),
    }
}

fn put_there(bind: &BindFacts) -> String {
    match &bind.near {
        Some(near) => instead(near, bind),
        None => format!("put the file there, or {}", correct(&bind.mount.place)),
    }
}

fn no_file(bind: &BindFacts) -> Finding {
    let BindFacts { written, service, mount, .. } = bind;
    let target = &mount.target;
    let message = format!(
        "`{written}` does not exist on the host: Docker makes a folder of that name, and `{target}` \
         is then a folder in `{service}`"
    );
    Finding::new(&SOURCE_MISSING, message, put_there(bind)).at(&mount.place)
}

/// Docker: `exec: "/scripts/start.sh": stat /scripts/start.sh: no such file or directory`.
fn not_to_run(bind: &BindFacts) -> Finding {
    let BindFacts { written, service, inside, mount, .. } = bind;
    let message =
        format!("`{written}` does not exist on the host, and `{service}` runs it as `{inside}`");
    Finding::new(&SOURCE_MISSING, message, put_there(bind)).at(&mount.place)
}

fn in_place_of_file(bind: &BindFacts) -> Finding {
    let BindFacts { source, written, service, mount, .. } = bind;
    let target = &mount.target;
    let (message, fix) = if bind.empty {
        (
            format!(
                "`{written}` is an empty folder, as Docker makes one for a file that is missing: \
                 `{target}` is no file in `{service}`"
            ),
            format!("remove the folder, `rmdir {source}`, and put the file there"),
        )
    } else {
        let fix = match &bind.near {
            Some(near) => format!("mount the file that is in it: `{}:{target}`", near.written),
            None => {
                format!("{}, or put the file there in place of the folder", correct(&mount.place))
            }
        };
        (format!("`{written}` is a folder, and `{service}` needs a file at `{target}`"), fix)
    };
    Finding::new(&SOURCE_MISSING, message, fix).at(&mount.place)
}

/// A file is mounted where a folder has to be, for `path` to be in it.
fn in_place_of_folder(bind: &BindFacts, path: &ServicePath) -> Finding {
    let BindFacts { source, written, mount, .. } = bind;
    let target = &mount.target;
    let message =
        format!("`{written}` is a file, and mounted at `{target}`: `{path}` is not in it");
    let is_it = path.below(target).map(Path::file_name) == Some(source.as_path().file_name());
    let is_direct = path.as_path().parent() == Some(target.as_path());
    let folder = Path::new(written).parent().filter(|_| is_it && is_direct);
    let fix = match folder {
        Some(folder) => format!(
            "mount it under its name, `{written}:{path}`, or its folder, `{}:{target}`",
            folder.display()
        ),
        None if is_it => format!("mount it under its name: `{written}:{path}`"),
        None if path.as_path().extension() == source.as_path().extension() => {
            format!("mount a folder that has the file, or this file as `{written}:{path}`")
        }
        None => format!("mount the folder that has `{path}` in it at `{target}`"),
    };
    Finding::new(&SOURCE_MISSING, message, fix).at(&mount.place)
}

/// The folder of a lane's models is not there; where one above it is missing, that is what is wrong, for
/// every lane below it.
fn no_folder(bind: &BindFacts) -> Finding {
    let (source, place) = (bind.source.to_string(), &bind.mount.place);
    let Some(above) = &bind.missing_above else {
        return no_models(&bind.written, &source, place);
    };
    let message = format!("`{above}` does not exist on the host, nor what is mounted below it");
    let fix = format!("{}, or make the folders that are named here", correct(place));
    let finding = Finding::new(&SOURCE_MISSING, message, fix).at(place);
    finding.with("models folder", source).anywhere()
}

/// The folder of a lane's models is not there.
pub(super) fn no_models(written: &str, host: &str, place: &Place) -> Finding {
    let message = format!("the models folder `{written}` does not exist on the host");
    let fix = format!("{}, or make the folder: `mkdir -p {host}`", correct(place));
    Finding::new(&SOURCE_MISSING, message, fix).at(place)
}

/// The same, where a folder of nearly that name is.
fn no_such_models(bind: &BindFacts, near: &Near) -> Finding {
    let message = format!("the models folder `{}` does not exist on the host", bind.written);
    let place = &bind.mount.place;
    Finding::new(&SOURCE_MISSING, message, instead(near, bind)).at(place)
}

/// A volume has no folder of the name that is mounted out of it.
pub(super) fn not_in_volume(name: &str, below: &Path, place: &Place) -> Finding {
    let below = below.display();
    let message =
        format!("the volume `{name}` has no folder `{below}`, which is mounted out of it");
    let fix = format!("correct the `subpath`, or put the models into `{below}` of the volume");
    Finding::new(&SOURCE_MISSING, message, fix).at(place)
}

/// Where the device of a volume is written; of a volume that only Docker knows, where it is mounted.
fn device_place(bind: &BindFacts) -> &Place {
    let device = bind.volume.as_ref().map(|volume| &volume.place);
    device.filter(|place| place.span.is_some()).unwrap_or(&bind.mount.place)
}

/// With the service, if it is the only one, else with everyone who mounts the same. A service that
/// only has to be started lets the lane come up without it.
fn with_others(finding: Finding, first: &BindFacts, group: &[&BindFacts], need: Need) -> Finding {
    let finding = if need < Need::Success { finding.severity(Severity::Warning) } else { finding };
    let mut finding = match group.iter().any(|bind| bind.service != first.service) {
        true => finding,
        false => finding.service(&first.service),
    };
    let mut places = vec![finding.place.span];
    for BindFacts { service, mount, .. } in group.iter().copied() {
        if mount.place.span.is_some() && !places.contains(&mount.place.span) {
            places.push(mount.place.span);
            finding = finding.also(&mount.place, format!("`{service}` mounts it here as well"));
        }
    }
    finding
}

#[cfg(test)]
mod tests;
