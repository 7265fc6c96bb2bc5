//! Looking into the containers of services, where nothing else shows their files.

use std::time::SystemTime;

use tokio::runtime::Handle;

use crate::facts::model::ModelFacts;
use crate::facts::{RootFacts, Through};
use crate::look::{FileKind, Look, Stat};
use crate::path::HostPath;
use crate::project::docker::archive::{Archive, Archives, Entry, EntryKind};
use crate::project::mounts::{Located, Standpoint};
use crate::project::stack::Stack;
use crate::project::view::View as _;
use crate::project::view::container::ContainerView;
use crate::project::{Mount, MountSource, Project, Service};

/// The mode of a folder that Docker makes.
const MADE: u32 = 0o755;

/// The containers of a stack, and how to ask about them.
#[derive(Debug, Clone)]
pub(super) struct Insides {
    archives: Option<Archives>,
    runtime: Handle,
    /// Whether paths of the host are paths of this process.
    on_host: bool,
    born: SystemTime,
}

/// What there is to see of a service.
pub(super) enum Inside {
    /// It has no container.
    Closed,
    /// Looking into it would make folders of the host that are not there.
    Doubtful(Missing),
    /// Its files.
    Open(ContainerView),
}

/// Folders of the host that a container mounts and that are not there.
pub(super) struct Missing {
    container: String,
    folders: Vec<HostPath>,
}

impl Insides {
    /// Those of a stack. Called on its runtime.
    pub(super) fn of(stack: &Stack) -> Self {
        Self {
            archives: stack.archives.clone(),
            runtime: Handle::current(),
            on_host: matches!(stack.standpoint, Standpoint::Host),
            born: stack.born,
        }
    }

    /// The files of a service, if looking at them changes nothing. Blocking.
    pub(super) fn look_into(&self, service: &Service) -> Inside {
        let archive = self.archives.as_ref().and_then(|it| it.of(&service.name.value));
        let Some(archive) = archive else { return Inside::Closed };
        let folders = self.missing(&archive);
        if !folders.is_empty() {
            let container = archive.container().to_owned();
            return Inside::Doubtful(Missing { container, folders });
        }
        let mounts = service.mounts.iter().map(|mount| mount.target.clone()).collect();
        Inside::Open(ContainerView::new(archive, self.runtime.clone(), mounts))
    }

    fn missing(&self, archive: &Archive) -> Vec<HostPath> {
        if self.on_host {
            let is_absent = |path: &&HostPath| matches!(path.as_path().try_exists(), Ok(false));
            return archive.doubtful().iter().filter(is_absent).cloned().collect();
        }
        self.runtime.block_on(archive.missing()).iter().cloned().collect()
    }

    /// The root of the mount that something is below, as its container shows it. Where Docker
    /// may have made it just now, that it holds no model and is no older than this run is all that
    /// there is to tell. Blocking.
    pub(super) fn root(
        &self,
        view: &ContainerView,
        located: &Located,
        model: &ModelFacts,
    ) -> Option<RootFacts> {
        let mount = located.mount.as_ref()?;
        let stat = view.stat(mount.target.as_path());
        let fabricated = matches!(model, ModelFacts::Absent)
            && may_be_made(mount)
            && stat.seen().is_some_and(|stat| self.is_fresh(stat));
        Some(RootFacts {
            stat,
            empty: Look::Unknown("it cannot be listed".to_owned()),
            fabricated,
            writable: Look::Unknown("it was only looked at through the Docker Engine".to_owned()),
        })
    }

    /// What the container of a service shows at the target of a mount, and whether that is a folder
    /// as Docker makes one. One question, which makes nothing on the host. Blocking.
    pub(super) fn behind(
        &self,
        service: &Service,
        mount: &Mount,
        source: &HostPath,
    ) -> (Look<FileKind>, bool) {
        let unseen = || (Look::Unknown(format!("preflight has not mounted `{source}`")), false);
        let archive = self.archives.as_ref().and_then(|it| it.of(&service.name.value));
        let Some(archive) = archive else { return unseen() };
        let missing = self.missing(&archive);
        if missing.contains(source) {
            return (Look::Absent, false);
        }
        if !missing.is_empty() {
            return unseen();
        }
        match self.runtime.block_on(archive.entry(mount.target.as_path())) {
            Ok(Some(Entry { kind: EntryKind::Directory, mode, .. })) => {
                (Look::Seen(FileKind::Directory), mode == MADE)
            }
            Ok(Some(Entry { kind: EntryKind::File(_), .. })) => (Look::Seen(FileKind::File), false),
            Ok(Some(_) | None) | Err(_) => unseen(),
        }
    }

    fn is_fresh(&self, stat: &Stat) -> bool {
        !self.on_host
            && stat.kind == FileKind::Directory
            && stat.mode == MADE
            && stat.modified.is_some_and(|made| made >= self.born)
    }
}

fn may_be_made(mount: &Mount) -> bool {
    matches!(mount.source, MountSource::Bind { create_host_path: true, .. })
}

impl Missing {
    /// The root of the mount that something is below, if it is one of these.
    pub(super) fn root_of(&self, project: &Project, located: &Located) -> Option<RootFacts> {
        let source = match &located.mount.as_ref()?.source {
            MountSource::Bind { path, .. } => path,
            MountSource::Volume { name, .. } => &project.volume(name)?.device.as_ref()?.value,
            MountSource::Anonymous
            | MountSource::Tmpfs
            | MountSource::Copied(_)
            | MountSource::Other(_) => return None,
        };
        self.folders.contains(source).then_some(RootFacts {
            stat: Look::Absent,
            empty: Look::Absent,
            fabricated: false,
            writable: Look::Absent,
        })
    }

    /// How that is known.
    pub(super) fn through(&self, why: &str) -> Through {
        Through::Container { name: self.container.clone(), why: why.to_owned() }
    }

    /// Why the container is not looked into.
    pub(super) fn why(&self) -> String {
        let folders: Vec<String> =
            self.folders.iter().map(|folder| format!("`{folder}`")).collect();
        format!(
            "looking into `{}` would make Docker create {}, which the host does not have",
            self.container,
            folders.join(" and ")
        )
    }
}
