//! The project as it is known before its lanes are looked at: files, containers, standpoint.

mod command_line;
mod home;
mod image_defaults;
mod in_pod;
mod observed;
mod provider;
mod strangers;
mod trust;
mod up;

use std::collections::BTreeSet;
use std::mem;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tracing::warn;

use crate::options::{Options, ProjectOptions, Reach, Role, Start, Target};
use crate::path::{HostPath, LocalPath};
use crate::project::compose::LoadError;
use crate::project::docker::archive::Archives;
use crate::project::docker::machine;
use crate::project::docker::{self, Container, DockerError, Observation};
use crate::project::load;
use crate::project::mounts::{Sight, Standpoint, locate_on_host};
use crate::project::{Hardware, MountSource, Project, Service};
use crate::source_map::SourceMap;

pub use observed::Difference;
pub use trust::{Way, Withheld};

/// How much older than this process a folder may be that Docker made for it. Without the API
/// the moment at which the own container was created is not known; starting one takes less.
const START: Duration = Duration::from_secs(2);

/// Later than anything that this run sees.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// The name of the lock file, beside the Compose file.
pub const LOCK_FILE: &str = "preflight.lock";

/// A project, its containers, and how this process sees both.
#[derive(Debug)]
pub struct Stack {
    /// The project; in the init role, containers folded in.
    pub project: Project,
    /// What files and containers say differently.
    pub differences: Vec<Difference>,
    /// Why the Compose files could not be read, if they could not.
    pub unreadable: Option<String>,
    /// The containers, or why they could not be seen.
    pub observation: Result<Observation, DockerError>,
    /// The services that the `docker compose up` is about that waits for this process; absent: none
    /// does, as far as is known.
    pub up: Option<BTreeSet<String>>,
    /// How this process sees the host.
    pub standpoint: Standpoint,
    /// The containers as file systems; absent where there are none.
    pub archives: Option<Archives>,
    /// A folder of the models mount that is no older than this may have been made by Docker for
    /// this very run.
    pub born: SystemTime,
    /// Why the token that the environment has must not be sent; absent: it may.
    pub withheld: Option<Withheld>,
    /// The Pod that this process is in, as the project calls it; absent: it is in none, or that is not
    /// known.
    pub pod: Option<String>,
}

/// Reads the Compose files and asks Docker.
///
/// # Errors
/// By hand, when the files cannot be loaded. In the init role the containers speak for the files,
/// and it is an error only when neither can be read.
pub async fn gather(options: &Options, sources: &mut SourceMap) -> Result<Stack, LoadError> {
    match (&options.target, options.role) {
        (Target::Models(_) | Target::Deliveries(_), _) => Ok(Stack::without_project()),
        (Target::CommandLine(start), _) => Ok(Stack::of_command_line(start, sources)),
        (_, Role::Hand | Role::Exec) => Box::pin(by_hand(options, sources)).await,
        (_, Role::Init) => Box::pin(as_init_container(options, sources)).await,
    }
}

async fn by_hand(options: &Options, sources: &mut SourceMap) -> Result<Stack, LoadError> {
    let loaded = load::load(&options.project, sources);
    let project = loaded.map_err(|error| provider::told(error, options))?;
    provider::check(&project, options, sources)?;
    if let Some(place) = project.dialect.words().runs_at {
        let standpoint = Standpoint::Elsewhere(place.to_owned());
        return Ok(Stack { project, standpoint, ..Stack::without_project() });
    }
    let withheld = provider::withheld(&project, options, sources);
    let mut observation = docker::observe(&options.docker, Some(&project.name)).await;
    if let Ok(seen) = &mut observation {
        strangers::set_apart(seen, |label| strangers::is_same_folder(label, &project.directory));
        strangers::take_back(seen, &project);
    }
    let differences = match &observation {
        Ok(observation) => project.clone().observed(observation).1,
        Err(_) => Vec::new(),
    };
    let project = with_image_defaults(options, project, &mut observation).await;
    let project = with_volumes(options, project, &mut observation).await;
    look_for_devices(options, &project, &mut observation).await;
    let elsewhere = machine::elsewhere(&options.docker, &observation, &project.directory).await;
    let standpoint = elsewhere.map_or(Standpoint::Host, Standpoint::Elsewhere);
    let archives = archives(options, &observation, &project, &standpoint);
    Ok(Stack {
        project,
        differences,
        unreadable: None,
        observation,
        up: None,
        standpoint,
        archives,
        born: SystemTime::now(),
        withheld,
        pod: None,
    })
}

fn archives(
    options: &Options,
    observation: &Result<Observation, DockerError>,
    project: &Project,
    standpoint: &Standpoint,
) -> Option<Archives> {
    let observation = observation.as_ref().ok()?;
    Archives::open(&options.docker, observation, &project.name, standpoint)
}

async fn as_init_container(options: &Options, sources: &mut SourceMap) -> Result<Stack, LoadError> {
    let started = SystemTime::now();
    let mut observation = docker::observe(&options.docker, options.project.name.as_deref()).await;
    let folder = own_folder(&observation);
    if let (Ok(seen), Some(folder)) = (&mut observation, &folder) {
        strangers::set_apart(seen, |label| label == folder);
    }
    let mut files = visible_files(&options.project, &observation);
    let mut loaded = load::load(&files, sources);
    if matches!(&loaded, Ok(project) if project.dialect.words().runs_at.is_some()) {
        return loaded.and_then(|project| Stack::in_pod(project, options.project.pod.as_deref()));
    }
    if let (Ok(project), Ok(seen)) = (&loaded, &observation)
        && let Some(home) = home::of_caller(project, seen)
    {
        files.environment.insert("HOME".to_owned(), home);
        *sources = SourceMap::default();
        loaded = load::load(&files, sources);
    }
    let withheld = trust::withheld(&options.hub, &files, (&loaded, &observation), sources);
    if let (Ok(seen), Ok(project)) = (&mut observation, &loaded) {
        strangers::take_back(seen, project);
    }
    let seen = observation.as_ref().ok();
    let (project, unreadable) = match (loaded, seen.and_then(Project::from_observation)) {
        (Ok(project), _) => (project, None),
        (Err(error), Some(project)) => (project, Some(error.to_string())),
        (Err(error), None) => return Err(with_reason(error, &observation)),
    };
    let (project, differences) = match seen {
        Some(observation) => project.observed(observation),
        None => (project, Vec::new()),
    };
    let project = with_image_defaults(options, project, &mut observation).await;
    look_for_devices(options, &project, &mut observation).await;
    let project = with_volumes(options, project, &mut observation).await;
    let seen = observation.as_ref().ok();
    let created = seen.and_then(|seen| seen.myself.as_ref()).and_then(|myself| myself.created);
    let standpoint = standpoint(&project, &observation);
    Ok(Stack {
        archives: archives(options, &observation, &project, &standpoint),
        up: seen.and_then(|seen| up::services(&project, seen)),
        standpoint,
        project,
        differences,
        unreadable,
        observation,
        born: created.unwrap_or(started - START),
        withheld,
        pod: None,
    })
}

/// A socket that is there and could not be asked is a part of why nothing is known.
fn with_reason(error: LoadError, observation: &Result<Observation, DockerError>) -> LoadError {
    match observation {
        Ok(_) | Err(DockerError::Disabled | DockerError::NoSocket { .. }) => error,
        Err(docker) => error.without_containers(docker.to_string()),
    }
}

/// The project directory that the own container was made from.
fn own_folder(observation: &Result<Observation, DockerError>) -> Option<String> {
    let myself = observation.as_ref().ok()?.myself.as_ref()?;
    myself.project_directory().map(str::to_owned)
}

/// What the volumes of services were made with, whatever a file says now.
async fn with_volumes(
    options: &Options,
    mut project: Project,
    observation: &mut Result<Observation, DockerError>,
) -> Project {
    let Ok(observation) = observation else { return project };
    let mounts = project.services.iter().flat_map(|service| &service.mounts);
    let names: BTreeSet<&str> = mounts
        .filter_map(|mount| mount.source.volume())
        .filter(|name| project.volume(name).is_some())
        .collect();
    if !names.is_empty() {
        observation.volumes = docker::volumes::volumes(&options.docker, names).await;
        project.learn_volumes(observation);
    }
    project
}

/// What services get from their images, but for those that are known as their containers have them.
async fn with_image_defaults(
    options: &Options,
    project: Project,
    observation: &mut Result<Observation, DockerError>,
) -> Project {
    let Ok(observation) = observation else { return project };
    let as_written = |service: &&Service| !service.observed;
    let services = project.services.iter().filter(as_written);
    let images: BTreeSet<String> =
        services.filter_map(|service| service.image_reference(&project.name)).collect();
    if images.is_empty() {
        return project;
    }
    observation.images = docker::images::images(&options.docker, &images).await;
    project.with_image_defaults(observation)
}

/// Asks for the devices of services without a container.
async fn look_for_devices(
    options: &Options,
    project: &Project,
    observation: &mut Result<Observation, DockerError>,
) {
    let Ok(observation) = observation else { return };
    let names = project.services.iter().map(|service| &service.name.value);
    let wanted: Vec<Hardware> = names
        .filter(|name| observation.container(&project.name, name).is_none())
        .map(|name| Hardware::of_document(&project.document, name))
        .filter(|hardware| *hardware != Hardware::default())
        .collect();
    if wanted.is_empty() {
        return;
    }
    let facts = &mut observation.docker;
    if let Err(error) = docker::devices::ask(&options.docker, wanted.iter(), facts).await {
        warn!(%error, "whether the host has the devices is not known");
    }
}

/// Where an init container finds the project's files: those that its own labels name, through its
/// own mounts, else `/project`.
fn visible_files(
    options: &ProjectOptions,
    observation: &Result<Observation, DockerError>,
) -> ProjectOptions {
    let mut visible = options.clone();
    let seen = observation.as_ref().ok();
    let own = seen.and_then(|seen| Some((seen, seen.myself.as_ref()?.project.as_deref()?)));
    visible.switched_on = own.map(|(seen, project)| up::created(seen, project)).unwrap_or_default();
    if !options.files.is_empty() || options.directory.is_some() {
        return visible;
    }
    visible.directory = Some("/project".into());
    let Some(myself) = observation.as_ref().ok().and_then(|seen| seen.myself.as_ref()) else {
        return visible;
    };
    let reach = own_reach(myself);
    let label = |name: &str| myself.labels.get(&format!("com.docker.compose.project.{name}"));
    let listed = |name: &str| label(name).map(|paths| paths.split(',').map(Into::into).collect());
    if let Some(directory) = label("working_dir") {
        let directory = HostPath::new(directory.as_str());
        if reach.local(directory.as_path()).is_some() {
            visible.reach = reach;
            visible.directory = Some(directory.as_path().to_path_buf());
            visible.files = listed("config_files").unwrap_or_default();
            visible.env_files = listed("environment_file").unwrap_or_default();
        }
    }
    visible.name = visible.name.or_else(|| myself.project.clone());
    visible
}

/// Where an init container finds what is bound from the host.
fn own_reach(myself: &Container) -> Reach {
    let binds = myself.mounts.iter().filter_map(|mount| match &mount.source {
        MountSource::Bind { path, .. } => {
            Some((path.clone(), LocalPath::new(mount.target.as_path())))
        }
        MountSource::Volume { .. }
        | MountSource::Anonymous
        | MountSource::Tmpfs
        | MountSource::Copied(_)
        | MountSource::Other(_) => None,
    });
    Reach::Through(binds.collect())
}

/// How an init container sees the host: through its own mounts, as Docker tells, else as its own
/// service in the Compose file has them.
fn standpoint(project: &Project, observation: &Result<Observation, DockerError>) -> Standpoint {
    let myself = observation.as_ref().ok().and_then(|seen| seen.myself.as_ref());
    let own = match myself {
        Some(myself) => Some(myself.mounts.clone()),
        None => project.preflight_service().map(|service| service.mounts.clone()),
    };
    Standpoint::Container(own.unwrap_or_default())
}

impl Stack {
    /// What there is to know when models are looked at on their own.
    fn without_project() -> Self {
        Self {
            project: Project::empty(),
            differences: Vec::new(),
            unreadable: None,
            observation: Err(DockerError::Disabled),
            up: None,
            standpoint: Standpoint::Host,
            archives: None,
            born: SystemTime::now(),
            withheld: None,
            pod: None,
        }
    }

    /// What is known of an engine in whose place this process is.
    fn of_command_line(start: &Start, sources: &mut SourceMap) -> Self {
        Self {
            project: command_line::project(start, sources),
            standpoint: Standpoint::Inside(command_line::mount_points()),
            ..Self::without_project()
        }
    }

    /// What an init container knows of its Pod. No runtime of Pods makes a folder of models that is
    /// missing in a volume, so none is too young to be believed.
    fn in_pod(project: Project, told: Option<&str>) -> Result<Self, LoadError> {
        let (pod, own) = in_pod::look(&project, told)?;
        let standpoint = Standpoint::Container(own);
        let born = SystemTime::now() + NEVER;
        Ok(Self { project, standpoint, pod, born, ..Self::without_project() })
    }

    /// Where the lock file of a run is: where `--lock-file` says, else beside the Compose file, as far as
    /// this process sees that. Absent: there is no Compose file.
    #[must_use]
    pub fn lock_file(&self, options: &Options) -> Option<PathBuf> {
        if let Some(path) = &options.files.lock_file {
            return Some(path.clone());
        }
        if matches!(
            options.target,
            Target::Models(_) | Target::CommandLine(_) | Target::Deliveries(_)
        ) {
            return None;
        }
        let directory = &self.project.directory;
        let located = locate_on_host(&self.project, &self.standpoint, directory, directory);
        let folder = match &located.sight {
            Sight::Visible { path, .. } => path.as_path(),
            // In a container whose project was read from `/project`, that is its own path.
            Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_) => {
                directory.as_path()
            }
        };
        Some(folder.join(LOCK_FILE))
    }

    /// Looks at the containers once more; what could not be seen now stays as it was.
    pub async fn observe_again(&mut self, options: &Options) {
        let name = Some(self.project.name.as_str()).filter(|name| !name.is_empty());
        if let Ok(mut observation) = docker::observe(&options.docker, name).await {
            if let Ok(before) = &mut self.observation {
                observation.images = mem::take(&mut before.images);
                let files = mem::take(&mut before.docker.host_files);
                observation.docker.host_files =
                    files.into_iter().chain(observation.docker.host_files).collect();
                let strangers = mem::take(&mut before.strangers);
                let is_stranger = |it: &Container| strangers.iter().any(|known| known.id == it.id);
                observation.tell_apart(|container| !is_stranger(container));
                observation.volumes = mem::take(&mut before.volumes);
            }
            self.observation = Ok(observation);
        }
    }
}
