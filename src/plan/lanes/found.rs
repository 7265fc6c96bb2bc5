//! Lanes of models that were found on the disk, without a project.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::catalogue::Catalogue;
use super::selection::{left_out, select};
use super::{Artifact, Lane, ModelKind, Origin, Plan, PlanError, Settings, Traced};
use crate::file_name::weights::Weights;
use crate::options::Selection;
use crate::path::{HostPath, LocalPath};
use crate::plan::engine::Part;
use crate::project::Dialect;
use crate::project::mounts::{Located, Sight};
use crate::source_map::Place;

/// A plan with one lane for each model. A lane that the catalogue knows by the tail of its path has
/// the catalogue's name; any other is named by what is left of its path below `root`.
///
/// # Errors
/// A lane of `selection` that was not found.
pub fn of_models(
    root: &Path,
    models: &[PathBuf],
    selection: &Selection,
) -> Result<Plan, PlanError> {
    let catalogue = Catalogue::cortex();
    let lane = |path: &PathBuf| {
        let entry = catalogue.by_path(path);
        let name = entry.map_or_else(|| name(root, path), |entry| entry.lane.clone());
        let kind = entry.map(|entry| entry.kind).or_else(|| kind_of(path));
        Lane {
            kind,
            skipped: left_out(kind, selection),
            fetch: false,
            artifacts: vec![artifact(root, path)],
            ..Lane::named(name)
        }
    };
    Ok(Plan {
        lanes: select(models.iter().map(lane).collect(), selection)?,
        settings: Settings { fetch: false, create_root: false, gpus: None },
        dialect: Dialect::Compose,
        idle: BTreeSet::new(),
        wiring: Default::default(),
    })
}

fn artifact(root: &Path, path: &Path) -> Artifact {
    let root = LocalPath::new(root);
    let mounted_at = root.clone();
    let sight = Sight::Visible { path: LocalPath::new(path), root, mounted_at, read_only: true };
    let located = Located {
        service: None,
        service_path: None,
        host_path: Some(HostPath::new(path)),
        sight,
        mount: None,
    };
    Artifact {
        part: Part::Model,
        located: Traced { value: located, from: Origin::CommandLine, place: Place::nowhere() },
    }
}

fn kind_of(path: &Path) -> Option<ModelKind> {
    Weights::Gguf.are_in(&path.to_string_lossy()).then_some(ModelKind::Gguf)
}

fn name(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).ok().filter(|below| !below.as_os_str().is_empty());
    below.or_else(|| path.file_name().map(Path::new)).unwrap_or(path).display().to_string()
}
