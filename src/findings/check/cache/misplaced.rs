//! A repository that its service has, and not where its engine looks for it.

use super::{NOT_IN_CACHE, online_again};
use crate::facts::nearby::Misplaced;
use crate::facts::{CacheFacts, CacheState, LaneFacts};
use crate::findings::{Finding, Severity};
use crate::path::ServicePath;

/// Whether it is to be told: an engine that asks the hub may well mean what is not in its cache yet.
pub(super) fn matters(facts: &LaneFacts, cached: &CacheFacts) -> bool {
    match &cached.misplaced {
        Some(Misplaced::NearName(_)) => facts.engine_is_offline(),
        Some(Misplaced::Cache { .. } | Misplaced::Folder(_)) => true,
        None => false,
    }
}

/// The finding that an engine fails or downloads again what its service has elsewhere; absent: it has
/// it nowhere that was seen, or its image may have it where the engine looks.
pub(super) fn judge(facts: &LaneFacts, cached: &CacheFacts) -> Option<Finding> {
    let name = &cached.cached.repository;
    let home = cached.cached.home().unwrap_or_default();
    let misplaced = cached.misplaced.as_ref()?;
    let may_be_in_image = cached.state == CacheState::NotMounted && !facts.image_is_empty();
    if may_be_in_image && facts.engine_is_offline() {
        return None;
    }
    let (place, fix) = match misplaced {
        Misplaced::Cache { folder, source, .. } => {
            (folder, mount(source.as_deref(), folder, &home))
        }
        Misplaced::Folder(path) => (path, format!("write `{path}` instead of `{name}`")),
        Misplaced::NearName(other) => return Some(misnamed(facts, name, &home, other)),
    };
    let message = format!("`{name}` is not in the hub cache `{home}`, but in `{place}`");
    let finding = if facts.engine_is_offline() {
        let message = format!("{message}, and the engine may not ask the hub");
        Finding::new(&NOT_IN_CACHE, message, format!("{fix}, or {}", online_again(facts)))
    } else {
        let message = format!("{message}: the engine asks the hub for it, and downloads it");
        Finding::new(&NOT_IN_CACHE, message, fix).severity(Severity::Warning)
    };
    Some(match misplaced {
        Misplaced::Cache { mount, .. } => finding.also(mount, "mounted here"),
        Misplaced::Folder(_) | Misplaced::NearName(_) => finding,
    })
}

fn misnamed(facts: &LaneFacts, name: &str, home: &str, other: &str) -> Finding {
    let message = format!(
        "`{name}` is not in the hub cache `{home}`, but `{other}` is, and the engine may not ask the hub"
    );
    let fix = format!("write `{other}` instead, if that is meant, or {}", online_again(facts));
    Finding::new(&NOT_IN_CACHE, message, fix)
}

fn mount(source: Option<&str>, folder: &ServicePath, home: &str) -> String {
    match source {
        Some(source) => format!("mount the cache where the engine looks: `{source}:{home}`"),
        None => format!("mount what `{folder}` shows at `{home}`"),
    }
}
