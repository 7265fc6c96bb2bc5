//! Whether something empty is mounted over the files of a lane.

use crate::exit_code::ExitCode;
use crate::facts::model::ModelFacts;
use crate::facts::{ArtifactFacts, LaneFacts};
use crate::findings::{Finding, Rule};
use crate::path::HostPath;
use crate::project::mounts::Sight;
use crate::project::{Mount, MountSource};

pub(super) static MOUNT_HIDES_FILES: Rule =
    Rule::error("mount-hides-files", ExitCode::Mount, include_str!("rules/mount-hides-files.md"));

/// The finding that an artifact is not there because a tmpfs, or a volume that only the image asks for,
/// lies over the place where it would be.
pub(super) fn judge(facts: &LaneFacts, artifact: &ArtifactFacts) -> Option<Finding> {
    let located = &artifact.artifact.located.value;
    let mount = located.mount.as_ref().filter(|_| matches!(artifact.model, ModelFacts::Absent))?;
    let (service, path) = (located.service.as_deref()?, located.service_path.as_ref()?);
    let target = &mount.target;
    let hidden = hidden(facts, service, mount);
    let (what, mend) = match (&mount.source, &located.sight) {
        (MountSource::Tmpfs, _) => (
            format!("`{target}` is a tmpfs in `{service}`, empty at every start"),
            "take the tmpfs away",
        ),
        (MountSource::Anonymous, Sight::Hidden(_)) if mount.place.span.is_none() => (
            format!(
                "the image of `{service}` has a volume at `{target}` (`VOLUME`), which holds only what the image has there"
            ),
            "move the models to where the image has no volume",
        ),
        (MountSource::Anonymous, Sight::Hidden(_)) => (
            format!(
                "`{target}` is a volume without a name in `{service}`, which holds only what the image has there"
            ),
            "take the volume away",
        ),
        _ => return None,
    };
    let message = match &hidden {
        Some(source) => format!("{what}, and hides `{source}`: `{path}` is not there"),
        None => format!("{what}: `{path}` is not there"),
    };
    let source = hidden.map_or_else(|| "${MODELS_PATH:-./models}".to_owned(), |it| it.to_string());
    let fix = format!("{mend}, or mount the files there as well: `{source}:{target}`");
    let finding = Finding::new(&MOUNT_HIDES_FILES, message, fix);
    let finding = match mount.place.span {
        Some(_) => finding.at(&mount.place),
        None => finding.at(&artifact.artifact.located.place),
    };
    Some(finding.with("opened by", &artifact.artifact.located.from))
}

/// The folder of the host that a mount lies over.
fn hidden(facts: &LaneFacts, service: &str, mount: &Mount) -> Option<HostPath> {
    let above = facts.binds.iter().filter(|bind| bind.service == service);
    let above = above.filter_map(|bind| Some((bind, mount.target.below(&bind.mount.target)?)));
    let (bind, below) =
        above.max_by_key(|(bind, _)| bind.mount.target.as_path().components().count())?;
    Some(bind.source.join(below))
}
