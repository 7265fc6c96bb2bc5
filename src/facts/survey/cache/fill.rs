//! Where this process may put what an engine opens in its cache by the name of a repository.

use std::path::Path;

use rustix::fs::Access;

use super::super::way::Views;
use crate::beneath::Beneath;
use crate::facts::LaneFacts;
use crate::facts::hub::User;
use crate::path::LocalPath;
use crate::plan::lanes::Cached;
use crate::project::mounts::{Located, Sight};

/// Where this process may put a repository so that its engine finds it: the folder of the cache;
/// absent: nowhere. Blocking.
pub(in crate::facts::survey) fn place(cached: &Cached) -> Option<&Located> {
    let mut places = cached.places.iter().take(cached.fillable);
    places.find(|place| match &place.sight {
        Sight::Visible { path, read_only: false, .. } => is_writable(path.as_path()),
        Sight::Visible { .. }
        | Sight::Written
        | Sight::NotMounted
        | Sight::Covered
        | Sight::Hidden(_) => false,
    })
}

/// Asked of the deepest folder that exists.
fn is_writable(folder: &Path) -> bool {
    let existing = folder.ancestors().find(|folder| folder.is_dir());
    existing.is_some_and(|it| rustix::fs::access(it, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

/// As whom the service runs, where that is known in numbers.
pub(in crate::facts::survey) fn user_of(
    facts: &LaneFacts,
    views: &Views,
    index: usize,
) -> Option<User> {
    User::parse(user_as_written(&facts.cached.get(index)?.cached, views)?)
}

/// As whom the service runs, where that is only known by name.
pub(super) fn named_user(cached: &Cached, views: &Views) -> Option<String> {
    let user = user_as_written(cached, views)?;
    User::parse(user).is_none().then(|| user.to_owned())
}

fn user_as_written<'a>(cached: &Cached, views: &'a Views) -> Option<&'a str> {
    let service = place(cached)?.service.as_deref()?;
    Some(&views.service(service)?.user.as_ref()?.value)
}

/// The folder of a cache, to be filled. A link that leads it out of its mount is left in it, for whoever
/// writes to refuse. Blocking.
pub(in crate::facts::survey) fn ground(place: &Located) -> Option<Beneath> {
    let Sight::Visible { path, mounted_at, .. } = &place.sight else { return None };
    let (root, path) = (mounted_at.as_path(), path.as_path());
    match Beneath::find(root, path) {
        Ok(found) => found,
        Err(_leaves) => Some(Beneath::root(root).join(path.strip_prefix(root).ok()?)),
    }
}

/// The folder of a cache as this process sees it.
pub(in crate::facts::survey) fn folder(place: &Located) -> Option<LocalPath> {
    match &place.sight {
        Sight::Visible { path, .. } => Some(path.clone()),
        Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::cached;
    use super::*;
    use crate::plan::lanes::Choice;

    #[test]
    fn a_cache_that_is_not_there_yet_can_be_filled_unless_its_mount_is_read_only() {
        let root = tempfile::tempdir().unwrap();
        let path = LocalPath::new(root.path().join("hf/hub"));
        let at = |read_only| Located {
            service: None,
            service_path: None,
            host_path: None,
            sight: Sight::Visible {
                path: path.clone(),
                root: path.clone(),
                mounted_at: path.clone(),
                read_only,
            },
            mount: None,
        };
        let cached = |read_only| cached(Choice::Folder, vec![at(read_only)]);
        assert_eq!(place(&cached(false)), Some(&at(false)));
        assert_eq!(place(&cached(true)), None);
        assert_eq!(place(&Cached { fillable: 0, ..cached(false) }), None, "it is not read there");
    }
}
