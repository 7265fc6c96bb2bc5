//! Looks for what may be meant by a path of the host that is not what it has to be.

use std::path::{Path, PathBuf};

use crate::facts::binds::Near;
use crate::facts::survey::way::Views;
use crate::file_name::one_file::is_named_as_file;
use crate::look::{FileKind, Look};
use crate::path::{HostPath, ServicePath};
use crate::project::mounts::{Sight, locate_on_host};
use crate::project::view::View as _;
use crate::project::view::local::LocalView;
use crate::suggest;

/// What may be meant by `source`, which is mounted at `target`, and at which `found` was seen. `is_file`
/// says that a file has to be there. Blocking.
pub(super) fn of(
    views: &Views,
    source: &HostPath,
    target: &ServicePath,
    is_file: bool,
    found: &Look<FileKind>,
) -> Option<Near> {
    match found {
        Look::Absent => beside(views, source, is_file),
        Look::Seen(FileKind::Directory) if is_file => {
            let file = source.join(target.as_path().file_name()?);
            let is_there = kind(views, &file) == Some(FileKind::File);
            is_there.then(|| near(views, file, true))
        }
        Look::Seen(_) | Look::Denied(_) | Look::Unknown(_) => None,
    }
}

/// Of the first name on the way that is not there, what is nearly called so.
fn beside(views: &Views, source: &HostPath, is_file: bool) -> Option<Near> {
    let wanted = match is_file || is_named_as_file(source.as_path()) {
        true => FileKind::File,
        false => FileKind::Directory,
    };
    let folders = source.as_path().ancestors().skip(1);
    let mut folders = folders.map(HostPath::new);
    let folder = folders.find(|it| kind(views, it) == Some(FileKind::Directory))?;
    let below = source.below(&folder)?;
    let (first, rest) = split(below)?;
    let names = local(views, &folder).map(|folder| LocalView.list(&folder))?.seen().cloned()?;
    let is_hidden = |name: &&str| name.starts_with('.') && !first.starts_with('.');
    let names = names.iter().map(String::as_str).filter(|name| !is_hidden(name));
    let likely = suggest::near_files(&first, names);
    let likely = || likely.iter().map(|name| folder.join(name));
    let is_wanted = |path: &HostPath| kind(views, path) == Some(wanted);
    let whole = likely().map(|it| it.join(&rest)).find(is_wanted);
    let is_folder = |path: &HostPath| kind(views, path) == Some(FileKind::Directory);
    let is_on_the_way = !rest.as_os_str().is_empty();
    let part = || likely().filter(|_| is_on_the_way).find(is_folder);
    whole.map(|path| near(views, path, true)).or_else(|| part().map(|it| near(views, it, false)))
}

fn near(views: &Views, path: HostPath, whole: bool) -> Near {
    Near { written: views.project.written(&path), path, whole }
}

/// The first name of a path, and the others.
fn split(path: &Path) -> Option<(String, PathBuf)> {
    let mut names = path.components();
    let first = names.next()?.as_os_str().to_str()?.to_owned();
    Some((first, names.as_path().to_path_buf()))
}

/// A path of the host as this process has it; absent: it does not see it.
fn local(views: &Views, path: &HostPath) -> Option<PathBuf> {
    match locate_on_host(&views.project, &views.standpoint, path, path).sight {
        Sight::Visible { path, .. } => Some(path.as_path().to_path_buf()),
        Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_) => None,
    }
}

fn kind(views: &Views, path: &HostPath) -> Option<FileKind> {
    LocalView.stat(&local(views, path)?).seen().map(|stat| stat.kind)
}
