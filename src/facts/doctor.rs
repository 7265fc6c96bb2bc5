//! What `preflight doctor` looks at: the machine that a stack is to run on, whatever its models are.

use std::path::{Path, PathBuf};

use rustix::fs::Access;

use crate::facts::hub::{Hub, HubError, Welcome};
use crate::options::{HubOptions, Options, Role};
use crate::path::HostPath;
use crate::plan::lanes::models_root;
use crate::project::compose::LoadError;
use crate::project::docker::{self, DockerError, DockerFacts, Observation, machine};
use crate::project::load;
use crate::project::mounts::Standpoint;
use crate::project::stack;
use crate::project::{Dialect, MountSource, Project};
use crate::source_map::SourceMap;

/// What was found.
#[derive(Debug)]
pub struct Checkup {
    /// The project.
    pub project: ProjectSeen,
    /// Docker, or why it cannot be asked.
    pub docker: Result<DockerSeen, DockerError>,
    /// Where the token comes from, whether it is sent or not; absent: there is none.
    pub token_from: Option<String>,
    /// The hub that is asked.
    pub endpoint: String,
    /// What the hub says.
    pub hub: Result<Welcome, HubError>,
    /// The folder of the models.
    pub models: ModelsRoot,
}

/// The project that would be judged.
#[derive(Debug)]
pub enum ProjectSeen {
    /// There is no Compose file here.
    None,
    /// It cannot be loaded.
    Refused(LoadError),
    /// It is loaded.
    Loaded {
        /// Its name.
        name: String,
        /// In which language it is written.
        dialect: Dialect,
        /// How many services it has.
        services: usize,
        /// The Compose files, from the working directory where they are below it.
        files: Vec<PathBuf>,
    },
}

/// Docker, as it tells of itself.
#[derive(Debug)]
pub struct DockerSeen {
    /// Its release.
    pub version: String,
    /// The API version that both sides speak.
    pub api: String,
    /// Runtimes and devices.
    pub facts: DockerFacts,
}

/// The folder of the models, on the host.
#[derive(Debug)]
pub struct ModelsRoot {
    /// Where it is.
    pub path: HostPath,
    /// How this process sees it; absent: not at all.
    pub seen: Option<FolderSeen>,
}

/// A folder.
#[derive(Debug, Clone, Copy)]
pub struct FolderSeen {
    /// Whether it is there. What follows is of the deepest folder above it otherwise.
    pub exists: bool,
    /// Whether this process may write there.
    pub writable: bool,
    /// Bytes that this process may still write; absent: not told.
    pub free: Option<u64>,
}

/// Looks at everything, and asks Docker and the hub.
pub async fn look(options: &Options, sources: &mut SourceMap) -> Checkup {
    let here = options.project.working_directory.as_path();
    let Surroundings { project, standpoint, docker, hub } =
        Box::pin(surroundings(options, sources)).await;
    let nowhere = Project { directory: HostPath::new(here), ..Project::empty() };
    let known = project.as_ref().unwrap_or(&nowhere);
    let root = models_root(known, &options.selection, &standpoint).value;
    Checkup {
        project: match project {
            Err(LoadError::NotFound { .. }) => ProjectSeen::None,
            Err(error) => ProjectSeen::Refused(error),
            Ok(project) => ProjectSeen::Loaded {
                files: project.files.iter().map(|file| below(here, file)).collect(),
                dialect: project.dialect,
                services: project.services.len(),
                name: project.name,
            },
        },
        docker: docker.map(|seen| DockerSeen {
            version: seen.docker_version,
            api: seen.api_version,
            facts: seen.docker,
        }),
        token_from: options.token_from.clone(),
        endpoint: hub.endpoint.clone(),
        hub: Hub::reach(&hub).await,
        models: ModelsRoot {
            seen: local(&root, &standpoint).as_deref().and_then(folder),
            path: root,
        },
    }
}

/// What a run starts from, of which nothing keeps the rest from being looked at.
struct Surroundings {
    project: Result<Project, LoadError>,
    standpoint: Standpoint,
    docker: Result<Observation, DockerError>,
    /// With the token only where it may be sent.
    hub: HubOptions,
}

/// By hand Docker is asked about itself alone; in a container it says where that is and what it sees.
async fn surroundings(options: &Options, sources: &mut SourceMap) -> Surroundings {
    let mut hub = options.hub.clone();
    if options.role == Role::Init {
        if let Ok(stack) = stack::gather(options, sources).await {
            let hub = stack.without_withheld_token(options).hub;
            let (standpoint, docker) = (stack.standpoint, stack.observation);
            return Surroundings { project: Ok(stack.project), standpoint, docker, hub };
        }
        // Who names the hub is not known without the project.
        hub.token = None;
    }
    let project = load::load(&options.project, sources);
    let docker = docker::observe(&options.docker, None).await;
    let elsewhere = match &project {
        Ok(project) => machine::elsewhere(&options.docker, &docker, &project.directory).await,
        Err(_) => None,
    };
    let standpoint = elsewhere.map_or(Standpoint::Host, Standpoint::Elsewhere);
    Surroundings { project, standpoint, docker, hub }
}

fn below(folder: &Path, file: &Path) -> PathBuf {
    file.strip_prefix(folder).unwrap_or(file).to_path_buf()
}

/// Where this process finds a folder of the host.
fn local(path: &HostPath, standpoint: &Standpoint) -> Option<PathBuf> {
    match standpoint {
        Standpoint::Host => Some(path.as_path().to_path_buf()),
        Standpoint::Elsewhere(_) | Standpoint::Inside(_) => None,
        Standpoint::Container(own) => own.iter().find_map(|mount| {
            let MountSource::Bind { path: source, .. } = &mount.source else { return None };
            Some(mount.target.as_path().join(path.below(source)?))
        }),
    }
}

fn folder(path: &Path) -> Option<FolderSeen> {
    let existing = path.ancestors().find(|folder| folder.is_dir())?;
    Some(FolderSeen {
        exists: existing == path,
        writable: rustix::fs::access(existing, Access::WRITE_OK | Access::EXEC_OK).is_ok(),
        free: rustix::fs::statvfs(existing)
            .ok()
            .map(|space| space.f_bavail.saturating_mul(space.f_frsize)),
    })
}
