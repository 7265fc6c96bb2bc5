//! The files of a service as its engine meets them: through its mounts, links followed inside the
//! container.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::local::LocalView;
use super::{ReadSeek, Space, View};
use crate::look::{FileKind, Link, Look, Owner, Stat};
use crate::path::{MOST_LINKS, ServicePath, names};
use crate::project::mounts::{self, Sight, Standpoint};
use crate::project::{Copied, Mount, MountSource, Project, Service};

/// The file system of one service, as far as this process sees its mounts. Every call blocks.
#[derive(Debug, Clone)]
pub struct ServiceView {
    project: Arc<Project>,
    service: String,
    standpoint: Arc<Standpoint>,
}

/// Where a path of a service leads.
#[derive(Debug)]
pub struct Resolved {
    /// Every file and folder on the way that is below a mount, links followed: as the service and as
    /// the view calls it.
    pub steps: Vec<(PathBuf, PathBuf)>,
    /// What is at its end.
    pub end: End,
}

/// What is at the end of a path.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// Something that the view calls so.
    Here(PathBuf),
    /// A file with this text, which Compose copies in.
    Written(String),
    /// The folder of a tmpfs, in which nothing is.
    Memory,
    /// Nothing; the last link on the way, if there was one.
    Absent(Option<Link>),
    /// A place that no mount of the service reaches, by way of a link.
    Outside(Link),
    /// This process may not know.
    Denied(String),
    /// It cannot be told, and why.
    Unknown(String),
}

impl End {
    /// Whether something is there.
    #[must_use]
    pub fn is_here(&self) -> bool {
        matches!(self, Self::Here(_) | Self::Written(_) | Self::Memory)
    }
}

/// What is at one component of a path.
enum Next {
    /// A link, and where it leads.
    Link(PathBuf),
    /// Something else, as this process calls it.
    Here(PathBuf),
    /// A file that Compose copies in.
    Written(String),
    /// The folder that a tmpfs is.
    Memory,
    /// Not below a mount that can be looked into; what to say if it is the last component.
    Elsewhere(Sight),
    End(End),
}

impl ServiceView {
    /// The view of `service`; absent when the project does not have it.
    #[must_use]
    pub fn new(
        project: &Arc<Project>,
        service: &str,
        standpoint: &Arc<Standpoint>,
    ) -> Option<Self> {
        project.service(service)?;
        Some(Self {
            project: Arc::clone(project),
            service: service.to_owned(),
            standpoint: Arc::clone(standpoint),
        })
    }

    fn follow(&self, path: &Path) -> Resolved {
        let mut resolved =
            Resolved { steps: Vec::new(), end: End::Unknown("the service is gone".to_owned()) };
        let Some(service) = self.project.service(&self.service) else { return resolved };
        let mut left: VecDeque<OsString> = names(path);
        let mut current = PathBuf::from("/");
        let mut last: Option<Link> = None;
        let mut links = 0;
        resolved.end = End::Absent(None);
        while let Some(name) = left.pop_front() {
            if name == ".." {
                current.pop();
                continue;
            }
            let next = current.join(&name);
            match self.next(service, &next) {
                Next::Link(_) if links == MOST_LINKS => {
                    resolved.end = End::Absent(last);
                    return resolved;
                }
                Next::Link(target) => {
                    links += 1;
                    if target.is_absolute() {
                        current = PathBuf::from("/");
                    }
                    for name in names(&target).into_iter().rev() {
                        left.push_front(name);
                    }
                    last = Some(Link { path: next, target });
                    continue;
                }
                Next::Here(local) => {
                    resolved.steps.push((next.clone(), local.clone()));
                    resolved.end = End::Here(local);
                }
                Next::Written(text) => resolved.end = End::Written(text),
                Next::Memory => resolved.end = End::Memory,
                Next::Elsewhere(sight) => {
                    resolved.end = match (sight, &last) {
                        (Sight::Hidden(why), _) => End::Unknown(why),
                        (_, Some(link)) => End::Outside(link.clone()),
                        (_, None) => End::Unknown("no mount of the service reaches it".to_owned()),
                    };
                }
                Next::End(End::Absent(_)) => {
                    resolved.end = End::Absent(last);
                    return resolved;
                }
                Next::End(end) => {
                    resolved.end = end;
                    return resolved;
                }
            }
            current = next;
        }
        resolved
    }

    fn next(&self, service: &Service, path: &Path) -> Next {
        let located =
            mounts::locate(&self.project, service, &self.standpoint, &ServicePath::new(path));
        let is_target = located.mount.as_ref().is_some_and(|it| it.target.as_path() == path);
        let local = match located.sight {
            Sight::Visible { path, .. } => path.as_path().to_path_buf(),
            Sight::Written if is_target => return Next::Written(written(located.mount.as_ref())),
            // Below a file there is nothing.
            Sight::Written => return Next::End(End::Absent(None)),
            Sight::Covered if is_target => return Next::Memory,
            Sight::Covered => return Next::End(End::Absent(None)),
            sight @ (Sight::NotMounted | Sight::Hidden(_)) => return Next::Elsewhere(sight),
        };
        // Where a mount begins, Docker has followed the links of the host already.
        if !is_target && let Ok(target) = fs_err::read_link(&local) {
            return Next::Link(target);
        }
        match LocalView.stat(&local) {
            Look::Seen(_) => Next::Here(local),
            Look::Absent => Next::End(End::Absent(None)),
            Look::Denied(why) => Next::End(End::Denied(why)),
            Look::Unknown(why) => Next::End(End::Unknown(why)),
        }
    }

    /// The names of what is mounted or copied into the folder at `path`.
    fn mounted_in<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = String> + 'a {
        let service = self.project.service(&self.service);
        let mounts = service.into_iter().flat_map(|service| &service.mounts);
        let targets = mounts.map(|mount| mount.target.as_path());
        let inside = targets.filter(move |target| target.parent() == Some(path));
        inside.filter_map(|target| Some(target.file_name()?.to_string_lossy().into_owned()))
    }
}

impl Space for ServiceView {
    fn resolve(&self, path: &Path) -> Resolved {
        self.follow(path)
    }

    fn met(&self, step: &Path) -> Option<(Stat, bool)> {
        let stat = LocalView.stat(step).seen()?.clone();
        // Read only where it can change anything.
        let listed_rights = stat.mode & 0o007 != 0o007 && has_list_of_rights(step);
        Some((stat, listed_rights))
    }
}

/// The text of a file that Compose copies in.
fn written(mount: Option<&Mount>) -> String {
    match mount.map(|mount| &mount.source) {
        Some(MountSource::Copied(Copied::Text(text))) => text.value.clone(),
        Some(_) | None => String::new(),
    }
}

/// What Docker and Compose make belongs to root.
fn stat_of(kind: FileKind, size: usize, mode: u32) -> Stat {
    Stat {
        kind,
        size: size as u64,
        allocated: None,
        mode,
        owner: Some(Owner { uid: 0, gid: 0 }),
        modified: None,
        created: None,
    }
}

fn has_list_of_rights(local: &Path) -> bool {
    rustix::fs::getxattr(local, "system.posix_acl_access", &mut [0_u8; 0][..])
        .is_ok_and(|length| length > 0)
}

impl View for ServiceView {
    fn stat(&self, path: &Path) -> Look<Stat> {
        match self.follow(path).end {
            End::Here(local) => LocalView.stat(&local),
            End::Written(text) => Look::Seen(stat_of(FileKind::File, text.len(), 0o444)),
            End::Memory => Look::Seen(stat_of(FileKind::Directory, 0, 0o1777)),
            End::Absent(_) | End::Outside(_) => Look::Absent,
            End::Denied(why) => Look::Denied(why),
            End::Unknown(why) => Look::Unknown(why),
        }
    }

    fn list(&self, path: &Path) -> Look<Vec<String>> {
        match self.follow(path).end {
            End::Here(local) => LocalView.list(&local).map(|names| {
                let names: BTreeSet<String> =
                    names.into_iter().chain(self.mounted_in(path)).collect();
                names.into_iter().collect()
            }),
            End::Memory => Look::Seen(self.mounted_in(path).collect()),
            End::Written(_) | End::Absent(_) | End::Outside(_) => Look::Absent,
            End::Denied(why) => Look::Denied(why),
            End::Unknown(why) => Look::Unknown(why),
        }
    }

    fn open(&self, path: &Path) -> Look<Box<dyn ReadSeek + '_>> {
        // The file outlives the path that it was found by.
        match self.follow(path).end {
            End::Here(local) => super::local::open(&local),
            End::Written(text) => Look::Seen(Box::new(Cursor::new(text.into_bytes()))),
            End::Memory | End::Absent(_) | End::Outside(_) => Look::Absent,
            End::Denied(why) => Look::Denied(why),
            End::Unknown(why) => Look::Unknown(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::path::HostPath;
    use crate::source_map::{Place, Spanned};

    fn view(mounts: &[(&Path, &str)]) -> ServiceView {
        let mount = |(source, target): &(&Path, &str)| Mount {
            source: MountSource::Bind { path: HostPath::new(*source), create_host_path: true },
            target: ServicePath::new(*target),
            read_only: true,
            place: Place::nowhere(),
        };
        of(mounts.iter().map(mount).collect())
    }

    fn of(mounts: Vec<Mount>) -> ServiceView {
        let service = Service { mounts, ..Service::named(Spanned::nowhere("engine".to_owned())) };
        let mut project = Project::empty();
        project.services.push(service);
        ServiceView::new(&Arc::new(project), "engine", &Arc::new(Standpoint::Host)).unwrap()
    }

    #[test]
    fn below_a_text_that_is_copied_in_there_is_nothing() {
        let text = Spanned::nowhere("x".to_owned());
        let view = of(vec![Mount {
            source: MountSource::Copied(Copied::Text(text)),
            target: ServicePath::new("/templates/run.sh"),
            read_only: true,
            place: Place::nowhere(),
        }]);
        assert_eq!(view.stat(Path::new("/templates/run.sh")).seen().unwrap().size, 1);
        for below in ["hub/models--o--r/snapshots", "x"] {
            let path = Path::new("/templates/run.sh").join(below);
            assert_eq!(view.resolve(&path).end, End::Absent(None), "{below}");
        }
    }

    fn link(path: &str, target: &str) -> Link {
        Link { path: path.into(), target: target.into() }
    }

    #[test]
    fn links_are_followed_inside_the_container() {
        let host = tempfile::tempdir().unwrap();
        let at = |name: &str| host.path().join(name);
        fs_err::create_dir_all(at("models/real")).unwrap();
        fs_err::create_dir_all(at("store")).unwrap();
        fs_err::write(at("models/real/x"), "x").unwrap();
        fs_err::write(at("store/y"), "y").unwrap();
        for (name, target) in [
            ("relative", "real/x"),
            ("absolute", "/models/real/x"),
            ("up", "../../../models/real/x"),
            ("folder", "/models/real"),
            ("store", "/store/y"),
            ("of host", at("store/y").to_str().unwrap()),
            ("dangling", "real/none"),
            ("circle", "circle"),
        ] {
            symlink(target, at("models").join(name)).unwrap();
        }
        symlink(at("models"), at("alias")).unwrap();
        let (alias, store) = (at("alias"), at("store"));
        let view = view(&[(&alias, "/models"), (&store, "/store")]);
        let check =
            |path: &str, expected: End| assert_eq!(view.resolve(Path::new(path)).end, expected);
        let x = || End::Here(at("alias/real/x"));
        for path in ["real/x", "relative", "absolute", "up", "folder/x", "real/../real/x"] {
            check(&format!("/models/{path}"), x());
        }
        check("/models/store", End::Here(at("store/y")));
        let host_target = at("store/y");
        let outside = link("/models/of host", host_target.to_str().unwrap());
        check("/models/of host", End::Outside(outside));
        check("/models/dangling", End::Absent(Some(link("/models/dangling", "real/none"))));
        check("/models/circle", End::Absent(Some(link("/models/circle", "circle"))));
        check("/models/none", End::Absent(None));
        check("/other/x", End::Unknown("no mount of the service reaches it".to_owned()));
        let steps: Vec<_> = view.resolve(Path::new("/models/folder/x")).steps;
        let steps: Vec<_> = steps.iter().map(|(path, _)| path.to_str().unwrap()).collect();
        assert_eq!(steps, ["/models", "/models", "/models/real", "/models/real/x"]);
        assert_eq!(view.stat(Path::new("/models/absolute")).seen().unwrap().size, 1);
        assert!(matches!(view.open(Path::new("/models/store")), Look::Seen(_)));
        assert!(matches!(view.open(Path::new("/models/of host")), Look::Absent));
        assert_eq!(view.list(Path::new("/models/folder")), Look::Seen(vec!["x".to_owned()]));
    }
}
