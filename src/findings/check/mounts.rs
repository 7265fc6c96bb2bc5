//! Whether the files of a lane can be reached at all: wiring of paths, mounts, rights.

pub(in crate::findings::check) mod copied;
mod covered;
pub(in crate::findings::check) mod sources;
pub(in crate::findings::check) mod volumes;

use std::collections::BTreeSet;
use std::path::Path;

use super::hub::NOT_WRITABLE;
use super::nearby;
use super::rule::{Check, Run};
use crate::exit_code::ExitCode;
use crate::facts::model::ModelFacts;
use crate::facts::{ArtifactFacts, LaneFacts, ProjectFacts, RootFacts, Through, Writable};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::look::Look;
use crate::options::Role;
use crate::plan::lanes::{Bringer, Lane};
use crate::project::mounts::{Located, Sight};
use crate::project::{Mount, MountSource, Project, Service};
use crate::source_map::{Place, VariableSource};

/// The wiring of the project as a whole.
pub static WIRING: Check =
    Check { rules: &[&VARIABLE_UNSET, &MODELS_PATH_DIFFERS], run: Run::Project(wiring) };

/// The mounts of one lane.
pub static ROOT: Check = Check {
    rules: &[
        &PATH_NOT_MOUNTED,
        &covered::MOUNT_HIDES_FILES,
        &volumes::VOLUME_NOT_MOUNTED,
        &SOURCE_MISSING,
        &SOURCE_FABRICATED,
    ],
    run: Run::Mount(mount),
};

static VARIABLE_UNSET: Rule = Rule::error(
    "variable-unset-in-path",
    ExitCode::Mount,
    include_str!("mounts/rules/variable-unset-in-path.md"),
);

/// What the shipped fragment mounts where no folder is named.
const NOTHING: &str = "/dev/null";

static MODELS_PATH_DIFFERS: Rule = Rule::warning(
    "models-path-differs",
    ExitCode::Mount,
    include_str!("mounts/rules/models-path-differs.md"),
);

static PATH_NOT_MOUNTED: Rule = Rule::error(
    "model-path-not-mounted",
    ExitCode::Mount,
    include_str!("mounts/rules/model-path-not-mounted.md"),
);

pub(super) static SOURCE_MISSING: Rule = Rule::error(
    "mount-source-missing",
    ExitCode::Mount,
    include_str!("mounts/rules/mount-source-missing.md"),
);

static SOURCE_FABRICATED: Rule = Rule::error(
    "mount-source-fabricated",
    ExitCode::Mount,
    include_str!("mounts/rules/mount-source-fabricated.md"),
);

/// The services of a lane and those without which they do not start.
fn needed<'a>(project: &'a Project, lane: &'a Lane) -> Vec<&'a Service> {
    let mut open: Vec<&str> = lane.services.iter().map(String::as_str).collect();
    let mut seen = BTreeSet::new();
    let mut needed = Vec::new();
    while let Some(name) = open.pop() {
        let Some(service) = project.service(name).filter(|_| seen.insert(name)) else { continue };
        needed.push(service);
        let edges = service.depends_on.iter().filter(|edge| edge.required);
        open.extend(edges.map(|edge| edge.service.as_str()));
    }
    needed
}

fn wiring(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let mut judged: Vec<&Place> = Vec::new();
    for lane in facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none()) {
        for artifact in &lane.artifacts {
            let located = &artifact.located.value;
            let Some(mount) = &located.mount else { continue };
            let unset =
                mount.place.variables.iter().find(|var| var.set_by == VariableSource::Unset);
            if let Some(variable) = unset
                && !judged.contains(&&mount.place)
            {
                judged.push(&mount.place);
                findings.push(variable_unset(facts.role, located, mount, &variable.name));
            }
        }
    }
    models_path_differs(facts, findings);
}

fn variable_unset(role: Role, located: &Located, mount: &Mount, variable: &str) -> Finding {
    let message = format!(
        "`{variable}` is not set, so `{}` is mounted at `{}`",
        source_of(mount),
        mount.target
    );
    let fix = format!("set `{variable}` in `.env`, for example `{variable}=/data/models`");
    let finding = Finding::new(&VARIABLE_UNSET, message, fix).at(&mount.place);
    let finding = match &located.service {
        Some(service) => finding.service(service),
        None => finding,
    };
    match role {
        Role::Init => finding.severity(Severity::Warning),
        Role::Hand | Role::Exec => finding,
    }
}

/// Compares the mounts of preflight's own service with those of the services that have lanes.
fn models_path_differs(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let Some(own) = facts.project.preflight_service() else { return };
    let pod = |service: &Service| service.pod.as_ref().map(|it| it.pod.clone());
    let serving = |name: &str| facts.plan.lanes.iter().any(|lane| lane.is_served_by(name));
    for service in
        facts.project.services.iter().filter(|it| serving(&it.name.value) && pod(it) == pod(own))
    {
        for mount in &service.mounts {
            let same_target = own.mounts.iter().find(|own| own.target == mount.target);
            let Some(ours) = same_target.filter(|ours| ours.source != mount.source) else {
                continue;
            };
            if let (MountSource::Bind { path, .. }, MountSource::Bind { path: our_path, .. }) =
                (&mount.source, &ours.source)
                && path.below(our_path).is_none()
                && our_path.as_path() != Path::new(NOTHING)
            {
                let (name, own) = (&service.name.value, &own.name.value);
                let message = format!(
                    "`{name}` mounts `{path}` at `{}`, and `{own}` mounts `{our_path}` there",
                    mount.target
                );
                let fix = format!("mount the same folder in both: `{path}:{}`", mount.target);
                let finding = Finding::new(&MODELS_PATH_DIFFERS, message, fix);
                findings
                    .push(finding.at(&mount.place).service(name).also(&ours.place, "mounted here"));
            }
        }
    }
}

fn mount(facts: &LaneFacts, findings: &mut Findings) {
    let told = sources::judge(facts, findings);
    let is_told = |located: &Located| {
        let mut binds = facts.binds.iter().filter(|bind| told.contains(&bind.source));
        binds.any(|bind| located.mount.as_ref() == Some(&bind.mount))
    };
    for artifact in facts.artifacts.iter().filter(|it| !it.artifact.is_made_by_docker()) {
        let located = &artifact.artifact.located.value;
        let finding = match &located.sight {
            _ if let Some(finding) = volumes::refused(facts, artifact) => Some(finding),
            _ if let Some(finding) = covered::judge(facts, artifact) => Some(finding),
            Sight::NotMounted if is_in_image(artifact) => None,
            Sight::NotMounted if let Some(bringer) = facts.still_brought(artifact) => {
                brought_inside(facts, artifact, bringer)
            }
            Sight::NotMounted if may_be_in_image(facts, artifact) => None,
            Sight::NotMounted => Some(not_mounted(facts, located, artifact)),
            Sight::Written | Sight::Covered => None,
            Sight::Hidden(_) | Sight::Visible { .. } if is_told(located) => None,
            Sight::Hidden(_) | Sight::Visible { .. } if facts.still_brought(artifact).is_some() => {
                None
            }
            Sight::Hidden(_) | Sight::Visible { .. } => {
                artifact.root.as_ref().and_then(|root| judge_root(facts, artifact, root))
            }
        };
        if let Some(finding) = finding {
            let finding = finding.lane(&facts.lane.name);
            findings.push(match &located.service {
                Some(service) => finding.service(service),
                None => finding,
            });
        }
    }
}

/// Whether something is there in the container's own root, or may be.
fn is_in_image(artifact: &ArtifactFacts) -> bool {
    matches!(artifact.through, Some(Through::Container { .. }))
        && !matches!(artifact.model, ModelFacts::Absent)
}

/// Whether an image that was not looked into may hold it: the things that images bring along, and
/// in an image of somebody's own a model as well, unless a mount has it under another name.
fn may_be_in_image(facts: &LaneFacts, artifact: &ArtifactFacts) -> bool {
    let is_own = facts.lane.invocation.is_some() && !facts.image_is_empty();
    let is_elsewhere = !artifact.way.nearby.is_empty();
    artifact.through.is_none()
        && (artifact.artifact.part.may_be_in_image() || is_own && !is_elsewhere)
}

fn not_mounted(facts: &LaneFacts, located: &Located, artifact: &ArtifactFacts) -> Finding {
    let path = located.service_path.as_ref().map(ToString::to_string).unwrap_or_default();
    let service = located.service.as_deref().unwrap_or("the engine");
    let folder = folder_of(&path);
    let nearby = &artifact.way.nearby;
    let message = format!("no mount of `{service}` reaches `{path}`{}", nearby::clause(nearby));
    let mount = (facts.orders.dialect.words().mount_models)(&folder);
    let fix = nearby::fix(nearby, &mount).unwrap_or(mount);
    Finding::new(&PATH_NOT_MOUNTED, message, fix)
        .at(&artifact.artifact.located.place)
        .with("opened by", &artifact.artifact.located.from)
}

/// What its own container brings to where no mount is, where its words say so: it is gone with that.
fn brought_inside(
    facts: &LaneFacts,
    artifact: &ArtifactFacts,
    bringer: &Bringer,
) -> Option<Finding> {
    bringer.is_said.then_some(())?;
    let Bringer { path, who, .. } = bringer;
    let message = format!(
        "no mount reaches `{path}`: {who} brings it again at every start of a new container"
    );
    let folder = folder_of(&path.to_string());
    let mount = (facts.orders.dialect.words().mount_models)(&folder);
    let finding = Finding::new(&PATH_NOT_MOUNTED, message, format!("to keep it, {mount}"));
    let finding = finding.severity(Severity::Note).at(&artifact.artifact.located.place);
    Some(finding.also(&bringer.place, "written here"))
}

/// The folder to mount for a path.
fn folder_of(path: &str) -> String {
    let folder = Path::new(path).parent().map(|folder| folder.display().to_string());
    folder.filter(|folder| folder != "/").unwrap_or_else(|| "/models".to_owned())
}

fn judge_root(facts: &LaneFacts, artifact: &ArtifactFacts, root: &RootFacts) -> Option<Finding> {
    let located = &artifact.artifact.located.value;
    let place =
        located.mount.as_ref().map_or(&artifact.artifact.located.place, |mount| &mount.place);
    let bind = facts.binds.iter().find(|bind| located.mount.as_ref() == Some(&bind.mount));
    let host = bind.map_or_else(|| host_root(located), |bind| bind.source.to_string());
    let source = located.mount.as_ref().map(|mount| &mount.source);
    if let Some(MountSource::Volume { name, subpath }) = source
        && bind.is_none()
        && root.stat == Look::Absent
    {
        let below = subpath.as_deref().unwrap_or(Path::new("/"));
        return Some(sources::not_in_volume(name, below, place));
    }
    if root.stat == Look::Absent && !sources::makes_root(facts, located) {
        let written = bind.map_or(host.as_str(), |bind| &bind.written);
        return Some(sources::no_models(written, &host, place));
    }
    if root.fabricated && !facts.orders.create_root {
        let message = format!("Docker has just made the models folder `{host}`: it did not exist");
        let fix = format!(
            "{}; if the folder is right, say so with `x-preflight: {{create_root: true}}`",
            correct(place)
        );
        let finding = Finding::new(&SOURCE_FABRICATED, message, fix).at(place);
        return Some(finding.with("host path", host));
    }
    let wanted =
        facts.orders.may_fetch && facts.lane.source.is_some() && !artifact.model.complete();
    if let Some(&writable) = root.writable.seen().filter(|_| wanted)
        && let Some((why, fix)) = unwritable(writable, facts, &host)
    {
        let message =
            format!("files are missing in `{host}`, and nothing can be written there: {why}");
        return Some(Finding::new(&NOT_WRITABLE, message, fix).at(place));
    }
    None
}

/// Why nothing can be written, and what to do; absent when it can.
fn unwritable(writable: Writable, facts: &LaneFacts, host: &str) -> Option<(&'static str, String)> {
    let words = facts.orders.dialect.words();
    let is_delivery = facts.lane.delivery.is_some();
    let is_in_pod = is_delivery && facts.orders.role == Role::Init;
    let role = if is_delivery { Role::Hand } else { facts.orders.role };
    Some(match (writable, role) {
        (Writable::Yes, _) => return None,
        (Writable::MountReadOnly, _) => (
            "preflight mounts it read-only",
            (words.preflight_writable)(host),
        ),
        (Writable::DiskReadOnly, _) => (
            "its file system is read-only",
            format!("mount the file system of `{host}` for writing, or copy the files there"),
        ),
        (Writable::NotAllowed, Role::Init) => (
            "its owner is another user",
            words.preflight_rights.to_owned(),
        ),
        (Writable::NotAllowed, Role::Hand) if is_in_pod => (
            "its owner is another user",
            "let a `securityContext` of the Pod say `fsGroup: 65532`, or run preflight as the owner"
                .to_owned(),
        ),
        (Writable::NotAllowed, Role::Hand | Role::Exec) => (
            "its owner is another user",
            format!("run preflight as the owner of `{host}`, or change the owner"),
        ),
    })
}

/// The host folder of the mount that a path is below, as a user knows it.
fn host_root(located: &Located) -> String {
    match located.mount.as_ref().map(|mount| &mount.source) {
        Some(MountSource::Bind { path, .. }) => path.to_string(),
        Some(MountSource::Volume { name, .. }) => format!("volume {name}"),
        Some(
            MountSource::Anonymous
            | MountSource::Tmpfs
            | MountSource::Copied(_)
            | MountSource::Other(_),
        )
        | None => above(located).map(|path| path.display().to_string()).unwrap_or_default(),
    }
}

/// The host folder that is as far above the path as the root of what preflight sees.
fn above(located: &Located) -> Option<&Path> {
    let host = located.host_path.as_ref()?.as_path();
    let depth = match &located.sight {
        Sight::Visible { path, root, .. } => path.below(root)?.components().count(),
        Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_) => 0,
    };
    host.ancestors().nth(depth)
}

fn source_of(mount: &Mount) -> String {
    match &mount.source {
        MountSource::Bind { path, .. } => path.to_string(),
        MountSource::Volume { name, .. } => name.clone(),
        MountSource::Anonymous
        | MountSource::Tmpfs
        | MountSource::Copied(_)
        | MountSource::Other(_) => "nothing".to_owned(),
    }
}

/// What to correct: the variable that the path was made of, else the path.
fn correct(place: &Place) -> String {
    match place.variables.first() {
        Some(variable) => format!("correct `{}`", variable.name),
        None => "correct the path".to_owned(),
    }
}

#[cfg(test)]
mod tests;
