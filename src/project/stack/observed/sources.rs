//! Whether a file and a container mean the same thing by the source of a mount.

use std::path::{Component, Path, PathBuf};

use crate::path::{HostPath, clean};
use crate::project::docker::Observation;
use crate::project::{MountSource, Project};

/// Where Docker Desktop shows the files of a macOS host (docker/for-mac issue 7647).
const DESKTOP_MACOS: &str = "/host_mnt";

/// Where Docker Desktop shows the drives of a Windows host (docker/for-win issue 12449).
const DESKTOP_WINDOWS: &str = "/run/desktop/mnt/host";

/// What is needed to compare sources.
pub(super) struct Sources<'a> {
    project: &'a Project,
    observation: &'a Observation,
    /// The project directory where Compose was called. In a container the files lie elsewhere, and
    /// relative paths were resolved to there.
    called_in: Option<&'a str>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(project: &'a Project, observation: &'a Observation) -> Self {
        let called_in = observation
            .containers(&project.name)
            .find_map(|container| container.project_directory());
        Self { project, observation, called_in }
    }

    /// Whether both are the same thing, as far as can be told.
    pub(super) fn same(&self, file: &MountSource, container: &MountSource) -> bool {
        use MountSource::{Anonymous, Bind, Copied, Other, Tmpfs, Volume};
        match (file, container) {
            (Anonymous, Anonymous) | (Tmpfs, Tmpfs) => true,
            (Other(file), Other(container)) => file == container,
            (
                Volume { name: file_name, subpath: file_subpath },
                Volume { name: container_name, subpath: container_subpath },
            ) if file_name == container_name => {
                file_subpath == container_subpath
                    && match (self.file_folder(file), self.container_folder(container)) {
                        (Some(file), Some(container)) => self.same_folder(&file, &container),
                        (None, _) | (_, None) => true,
                    }
            }
            (Bind { .. } | Volume { .. }, Bind { .. } | Volume { .. }) => {
                match (self.file_folder(file), self.container_folder(container)) {
                    (Some(file), Some(container)) => self.same_folder(&file, &container),
                    (None, _) | (_, None) => false,
                }
            }
            (Anonymous | Tmpfs | Copied(_) | Other(_) | Bind { .. } | Volume { .. }, _) => false,
        }
    }

    /// A source of the file, for a person.
    pub(super) fn of_file(&self, source: &MountSource) -> String {
        describe(source, self.file_folder(source).as_ref())
    }

    /// A source of a container, for a person.
    pub(super) fn of_container(&self, source: &MountSource) -> String {
        describe(source, self.container_folder(source).as_ref())
    }

    fn file_folder(&self, source: &MountSource) -> Option<HostPath> {
        folder(source, |name| Some(&self.project.volume(name)?.device.as_ref()?.value))
    }

    fn container_folder(&self, source: &MountSource) -> Option<HostPath> {
        folder(source, |name| self.observation.volume_devices.get(name))
    }

    fn same_folder(&self, file: &HostPath, container: &HostPath) -> bool {
        let file = clean(file.as_path());
        let container = clean(container.as_path());
        file == container
            || is_desktop_form(&file, &container)
            || self.called_in.is_some_and(|directory| {
                self.as_called_in(directory, &file)
                    .is_none_or(|file| file == container || is_desktop_form(&file, &container))
            })
    }

    /// `file` as it would be if the project were read in `directory`; absent if that is a Windows
    /// path, below which nothing can be compared here.
    fn as_called_in(&self, directory: &str, file: &Path) -> Option<PathBuf> {
        let relative = relative(&clean(self.project.directory.as_path()), file);
        if directory.starts_with('/') {
            return Some(clean(&Path::new(directory).join(relative)));
        }
        let is_inside = !relative.starts_with("..");
        (!is_inside).then(|| file.to_path_buf())
    }
}

/// The host folder that a source stands for, if it is known.
fn folder<'a>(
    source: &MountSource,
    device: impl Fn(&str) -> Option<&'a HostPath>,
) -> Option<HostPath> {
    match source {
        MountSource::Bind { path, .. } => Some(path.clone()),
        MountSource::Volume { name, subpath } => {
            Some(device(name)?.join(subpath.as_deref().unwrap_or(Path::new(""))))
        }
        MountSource::Anonymous
        | MountSource::Tmpfs
        | MountSource::Copied(_)
        | MountSource::Other(_) => None,
    }
}

fn describe(source: &MountSource, folder: Option<&HostPath>) -> String {
    match source {
        MountSource::Bind { path, .. } => path.to_string(),
        MountSource::Volume { name, subpath } => {
            let below = subpath.as_ref().map(|path| format!("/{}", path.display()));
            let on = folder.map(|folder| format!(" on {folder}"));
            format!("volume {name}{}{}", below.unwrap_or_default(), on.unwrap_or_default())
        }
        MountSource::Anonymous => "an anonymous volume".to_owned(),
        MountSource::Tmpfs => "a tmpfs".to_owned(),
        MountSource::Copied(_) => "a file that Compose copies in".to_owned(),
        MountSource::Other(kind) => format!("a mount of type {kind}"),
    }
}

/// The way from `directory` to `path`, both absolute and clean, with `..` where it leads upwards.
fn relative(directory: &Path, path: &Path) -> PathBuf {
    let shared = directory
        .components()
        .zip(path.components())
        .take_while(|(one, other)| one == other)
        .count();
    let up = directory.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(path.components().skip(shared)).collect()
}

/// `/Users/a` is `/host_mnt/Users/a`, `C:\a` is `/run/desktop/mnt/host/c/a`.
fn is_desktop_form(file: &Path, container: &Path) -> bool {
    if let Ok(below) = container.strip_prefix(DESKTOP_MACOS) {
        return file.strip_prefix("/").is_ok_and(|file| file == below);
    }
    let Ok(below) = container.strip_prefix(DESKTOP_WINDOWS) else { return false };
    let file = file.to_string_lossy().replace('\\', "/");
    file.split_once(":/")
        .is_some_and(|(drive, rest)| Path::new(&drive.to_lowercase()).join(rest) == below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_between_two_paths_is_found() {
        for (directory, path, expected) in [
            ("/project", "/project/models", "models"),
            ("/project", "/models", "../models"),
            ("/a/b", "/a/c/d", "../c/d"),
            ("/a", "/a", ""),
        ] {
            assert_eq!(relative(Path::new(directory), Path::new(path)), Path::new(expected));
        }
    }

    #[test]
    fn docker_desktop_shows_the_host_s_files_elsewhere() {
        for (file, container, expected) in [
            ("/Users/a/m", "/host_mnt/Users/a/m", true),
            ("/Users/a/m", "/host_mnt/Users/b/m", false),
            ("C:\\stack\\m", "/run/desktop/mnt/host/c/stack/m", true),
            ("C:/stack/m", "/run/desktop/mnt/host/c/stack/m", true),
            ("D:\\stack\\m", "/run/desktop/mnt/host/c/stack/m", false),
            ("/stack/m", "/run/desktop/mnt/host/c/stack/m", false),
            ("/m", "/n", false),
        ] {
            assert_eq!(is_desktop_form(Path::new(file), Path::new(container)), expected, "{file}");
        }
    }
}
