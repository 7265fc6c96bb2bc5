//! What was observed: the typed facts that cross from doing to judging.

mod asked;
pub mod binds;
pub mod doctor;
pub mod hub;
pub mod lockfile;
pub mod memory;
pub mod model;
pub mod nearby;
pub mod proof;
pub mod smoke;
pub mod survey;

use std::path::PathBuf;

use crate::facts::binds::BindFacts;
use crate::facts::hub::{Download, HubError, Listing, RemoteFile};
use crate::facts::lockfile::{LockDifference, Pin};
use crate::facts::memory::{Host, HostDevice, HostMemory, LaneMemory};
use crate::facts::model::{Lack, ModelFacts};
use crate::facts::nearby::{Misplaced, Nearby};
use crate::facts::proof::Proof;
use crate::facts::smoke::Smoke;
use crate::look::{FileKind, Link, Look, Owner, Stat};
use crate::options::{Options, Role, Task};
use crate::path::{HostPath, LocalPath, ServicePath};
use crate::plan::engine::Part;
use crate::plan::lanes::{Artifact, Bringer, Cached, Lane, Plan};
use crate::project::docker::{DockerError, Observation};
use crate::project::mounts::{Sight, Standpoint};
use crate::project::rooms::Room;
use crate::project::stack::{Difference, Stack, Withheld};
use crate::project::{Dialect, Mount, Project};
use crate::source::Source;
use crate::source_map::{Place, Spanned};

/// Everything that is known about a project before its lanes are looked at.
#[derive(Debug)]
pub struct ProjectFacts<'a> {
    /// In which role preflight runs.
    pub role: Role,
    /// What to do: only some subcommands judge the past of a container.
    pub task: Task,
    /// The project, inspected containers folded in.
    pub project: &'a Project,
    /// Its lanes.
    pub plan: &'a Plan,
    /// What the files say, where containers say otherwise: see [`Project::observed`].
    pub differences: &'a [Difference],
    /// Why the Compose files could not be read, if they could not.
    pub unreadable: Option<&'a str>,
    /// Where Docker is, as configured, if its host is another machine than this one or cannot be told
    /// from one.
    pub elsewhere: Option<&'a str>,
    /// The containers, or why they could not be seen.
    pub observation: &'a Result<Observation, DockerError>,
    /// The GPUs of the host whose memory is known; none before what lanes take is worked out.
    pub devices: &'a [HostDevice],
    /// The memory of the host; absent before what lanes take is worked out.
    pub host: Option<HostMemory>,
}

impl<'a> ProjectFacts<'a> {
    /// What the checks of the project may see.
    #[must_use]
    pub fn of(stack: &'a Stack, plan: &'a Plan, options: &Options) -> Self {
        Self {
            role: options.role,
            task: options.task,
            project: &stack.project,
            plan,
            differences: &stack.differences,
            unreadable: stack.unreadable.as_deref(),
            elsewhere: match &stack.standpoint {
                Standpoint::Elsewhere(docker) => Some(docker.as_str())
                    .filter(|_| stack.project.dialect.words().runs_at.is_none()),
                Standpoint::Host | Standpoint::Container(_) | Standpoint::Inside(_) => None,
            },
            observation: &stack.observation,
            devices: &[],
            host: None,
        }
    }

    /// With what the host has.
    #[must_use]
    pub fn on(self, host: &'a Host) -> Self {
        Self { devices: &host.devices, host: host.memory, ..self }
    }
}

/// Everything that is known about a lane. Later stages fill what earlier ones left empty.
#[derive(Debug, Clone)]
pub struct LaneFacts {
    /// The lane.
    pub lane: Lane,
    /// What this run is to do about it.
    pub orders: Orders,
    /// What was found in a cache of the hub, the model first if it is there; then one for each
    /// artifact of the lane, in its order.
    pub artifacts: Vec<ArtifactFacts>,
    /// One for each of the lane's repositories in a cache of the hub, in its order.
    pub cached: Vec<CacheFacts>,
    /// What its services, and those that they wait for, mount of the host; and whatever mounts the
    /// same.
    pub binds: Vec<BindFacts>,
    /// How much the volumes may hold that are empty when its Pod starts, as far as that is known.
    pub rooms: Vec<Room>,
    /// What its source holds, and what came of bringing it.
    pub source: SourceFacts,
    /// What is known about the content of its files: of all that `preflight.lock` pins, else of
    /// those that its engine loads.
    pub proofs: Vec<Proof>,
    /// What it takes of memory; absent: that is not known.
    pub memory: Option<LaneMemory>,
    /// What its engine answered; absent: it was not asked.
    pub smoke: Option<Smoke>,
}

/// What a run is to do about a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orders {
    /// In which role preflight runs.
    pub role: Role,
    /// In which language its project is written.
    pub dialect: Dialect,
    /// Whether something may be written for it in this run.
    pub may_fetch: bool,
    /// Whether a models root that Docker has just fabricated may be filled.
    pub create_root: bool,
    /// Whether what is not pinned is to move to the newest commit.
    pub update: bool,
    /// Whether every byte is to be hashed.
    pub deep: bool,
    /// Whether stamps are neither believed nor left.
    pub no_stamps: bool,
}

/// What the source of a lane holds, and what came of bringing it.
#[derive(Debug, Clone, Default)]
pub struct SourceFacts {
    /// The hub that this run asks, without a trailing slash.
    pub endpoint: String,
    /// Why it is asked without the token that the environment has; absent: it gets that, or there is
    /// none.
    pub withheld: Option<Withheld>,
    /// What it holds; absent: the hub was not asked, because nothing is missing or nothing may be
    /// fetched.
    pub probe: Option<Result<Listing, HubError>>,
    /// What `preflight.lock` says about it.
    pub pinning: Pinning,
    /// What the hub has otherwise than `preflight.lock` at the pinned commit; empty as well where
    /// the hub was not asked.
    pub lock_differences: Vec<LockDifference>,
    /// The commit that its revision leads to now, where the files are of another one; absent: that is not
    /// so, or nobody was asked.
    pub newer: Option<String>,
    /// Two deliveries of which one has a file where the other is brought to, if this is one of them.
    pub collision: Option<Collision>,
    /// Files that are not brought, because the lane's engine does not load them.
    pub left_out: Vec<RemoteFile>,
    /// What its sources have of models that are not here; empty as well where they were not asked.
    pub foreseen: Vec<Foreseen>,
    /// What a fetch would bring; absent: this is no dry run, or nothing is missing.
    pub planned: Option<Vec<Download>>,
    /// The disk below the lane's folder, where something has to be fetched.
    pub disk: Option<DiskFacts>,
    /// Files of the user's own that stand where files of the source belong, and stay.
    pub kept: Vec<OwnFile>,
    /// Files of the user's own that this run has replaced.
    pub replaced: Vec<OwnFile>,
    /// How the fetch ended; absent: nothing was fetched.
    pub fetch: Option<Result<(), HubError>>,
    /// What this run brought, as this process sees it; verified and under its final name.
    pub fetched: Vec<PathBuf>,
}

/// A delivery into the folder of another, which has a file of its own there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// SRC of the one that has the file, as typed.
    pub outer: String,
    /// The file, in its repository.
    pub file: String,
    /// SRC and DEST of the one that is brought there, as typed.
    pub inner: (String, String),
}

/// A model that is not here, by its headers and its configuration.
#[derive(Debug, Clone)]
pub struct Foreseen {
    /// What it is for.
    pub part: Part,
    /// What its source has, or why that is not known.
    pub model: Result<ModelFacts, HubError>,
}

/// A file that has been changed since its download, or that no download brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFile {
    /// In the repository.
    pub name: String,
    /// As this process sees it.
    pub path: PathBuf,
    /// Where it is kept after another has taken its place; absent: it is not.
    pub beside: Option<PathBuf>,
}

impl LaneFacts {
    /// Who may still bring what an artifact is, where nothing is there of it.
    #[must_use]
    pub fn still_brought(&self, artifact: &ArtifactFacts) -> Option<&Bringer> {
        let path = artifact.artifact.located.value.service_path.as_ref()?;
        let is_there = match &artifact.model {
            ModelFacts::Absent => false,
            ModelFacts::Seen(model) => !model.is_empty(),
            // In an image that was not looked into there is nothing of it, as far as anybody says.
            ModelFacts::Unknown(_) => {
                artifact.artifact.located.value.sight != Sight::NotMounted
                    || artifact.through.is_some()
            }
            ModelFacts::Denied(_) => true,
        };
        self.brought_to(path).filter(|_| !is_there)
    }

    /// Who may still bring a repository into its cache, where that has not all of it.
    #[must_use]
    pub fn cache_still_brought(&self, cached: &CacheFacts) -> Option<&Bringer> {
        let is_broken = |lack: &Lack| matches!(lack, Lack::Reference { .. });
        let is_lacking = match &cached.state {
            CacheState::Lacking(lacks) => !lacks.iter().any(is_broken),
            CacheState::NotMounted => true,
            CacheState::Held | CacheState::Unseen(_) => false,
        };
        self.brought_to(&cached.cached.folder_in_service()?).filter(|_| is_lacking)
    }

    fn brought_to(&self, path: &ServicePath) -> Option<&Bringer> {
        let is_past = |it: &Bringer| self.orders.role == Role::Init && it.is_before_preflight;
        self.lane.brought.iter().find(|it| it.path == *path && !is_past(it))
    }

    /// A lane of which nothing was seen yet, and for which nothing may be written.
    #[must_use]
    pub fn of(lane: Lane, role: Role) -> Self {
        Self {
            lane,
            orders: Orders {
                role,
                dialect: Dialect::Compose,
                may_fetch: false,
                create_root: false,
                update: false,
                deep: false,
                no_stamps: false,
            },
            artifacts: Vec::new(),
            cached: Vec::new(),
            binds: Vec::new(),
            rooms: Vec::new(),
            source: SourceFacts::default(),
            proofs: Vec::new(),
            memory: None,
            smoke: None,
        }
    }

    /// Those of its artifacts that are opened by a path, and not found in a cache of the hub.
    #[must_use]
    pub fn own_artifacts(&self) -> &[ArtifactFacts] {
        let is_held = |cached: &&CacheFacts| cached.state == CacheState::Held;
        let found = self.cached.iter().filter(is_held).count();
        self.artifacts.get(found..).unwrap_or_default()
    }

    /// What was found of the repository at `index` of [`LaneFacts::cached`]; absent: nothing was, or
    /// not all of it.
    #[must_use]
    pub fn found_in_cache(&self, index: usize) -> Option<&ArtifactFacts> {
        let is_held = |cached: &&CacheFacts| cached.state == CacheState::Held;
        self.cached.get(index).filter(is_held)?;
        self.artifacts.get(self.cached.iter().take(index).filter(is_held).count())
    }

    /// Whether something was brought for it in this run.
    #[must_use]
    pub fn has_new_files(&self) -> bool {
        self.source.fetch.is_some() || !self.source.fetched.is_empty()
    }

    /// Whether this run brings what is missing of the lane, if nothing speaks against it.
    #[must_use]
    pub fn is_brought(&self) -> bool {
        self.orders.may_fetch && (self.lane.source.is_some() || !self.cached.is_empty())
    }

    /// Whether the lane's engine may not ask the hub.
    #[must_use]
    pub fn engine_is_offline(&self) -> bool {
        self.lane.invocation.as_ref().is_some_and(|invocation| invocation.offline)
    }

    /// Whether the image of the lane's engine is known to hold no model.
    #[must_use]
    pub fn image_is_empty(&self) -> bool {
        self.lane.invocation.as_ref().is_some_and(|invocation| invocation.stock)
    }
}

/// What `preflight.lock` says about a lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Pinning {
    /// Nothing: there is no lock file, or the lane has no source.
    #[default]
    NoLock,
    /// There is a lock file, and the lane is not in it.
    Unlisted,
    /// It pins the files of another source.
    Outdated(Source),
    /// It pins these files.
    Pinned(Pin),
    /// Nothing; a delivery has brought these files, or has begun to.
    Delivered(Pin),
}

impl Pinning {
    /// The files that are to be there, if they are written down.
    #[must_use]
    pub fn pin(&self) -> Option<&Pin> {
        match self {
            Self::Pinned(pin) | Self::Delivered(pin) => Some(pin),
            Self::NoLock | Self::Unlisted | Self::Outdated(_) => None,
        }
    }
}

/// What was seen of a repository that an engine opens in a cache of the hub.
#[derive(Debug, Clone)]
pub struct CacheFacts {
    /// The repository.
    pub cached: Cached,
    /// What its cache has of it.
    pub state: CacheState,
    /// Where else its service has it; looked for only where its cache has nothing of it.
    pub misplaced: Option<Misplaced>,
    /// The cache that it can be brought into, as this process sees it; absent: it is the engine's to
    /// bring.
    pub fill: Option<LocalPath>,
    /// The name of the user that its service runs as, where it is not written as a number: whom new
    /// files are for is not known.
    pub named_user: Option<String>,
    /// What the hub has of it; absent: the hub was not asked.
    pub probe: Option<Result<Listing, HubError>>,
    /// What its engine will bring, as far as the lock file or a listing in the cache tells without the
    /// hub; absent: neither does.
    pub foretold: Option<Listing>,
    /// The deepest folder on the way to its cache that is there; absent: no mount that can be looked
    /// into has one.
    pub ground: Option<Ground>,
    /// Where it is written that its service may write nowhere but into mounts, where none reaches the
    /// cache.
    pub read_only_root: Option<Place>,
}

/// A folder below which an engine is to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// The folder.
    pub folder: Step,
    /// What its engine's service is started with.
    pub starter: Starter,
    /// The mount that it is below.
    pub mount: Mount,
    /// On the Docker host, if known.
    pub host: Option<HostPath>,
}

/// What a cache of the hub has of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheState {
    /// All that its engine needs, sound or not: one of [`LaneFacts::artifacts`].
    Held,
    /// Not all of it: what is missing; empty where nothing is there.
    Lacking(Vec<Lack>),
    /// No mount of the service reaches the cache.
    NotMounted,
    /// The cache could not be looked at, and why.
    Unseen(String),
}

/// What was seen of one artifact.
#[derive(Debug, Clone)]
pub struct ArtifactFacts {
    /// The artifact.
    pub artifact: Artifact,
    /// The root of the mount that it is below, as this process sees it; absent where nothing is
    /// mounted there or preflight cannot see it.
    pub root: Option<RootFacts>,
    /// The files themselves.
    pub model: ModelFacts,
    /// What its service meets on the way to them.
    pub way: Way,
    /// What its service is started with; absent for a lane without one.
    pub starter: Option<Starter>,
    /// What it was looked at through; absent: it could not be looked at.
    pub through: Option<Through>,
}

impl ArtifactFacts {
    /// Why Docker cannot mount a volume of its service, in Docker's words; absent: it can, or was not
    /// asked to.
    #[must_use]
    pub fn refused_mount(&self) -> Option<&str> {
        let ModelFacts::Unknown(why) = &self.model else { return None };
        why.find("error while mounting volume").and_then(|at| why.get(at..))
    }
}

/// What an artifact was looked at through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Through {
    /// The mounts of this process.
    Mounts,
    /// Docker, inside a container of the service.
    Container {
        /// Its name.
        name: String,
        /// Why not through mounts.
        why: String,
    },
}

/// What is met on the way from the root of a service to the files of a model. Empty for a lane
/// without a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Every folder and file below a mount, links followed, each once.
    pub steps: Vec<Step>,
    /// Links that lead to where no mount of the service reaches.
    pub leaving: Vec<Link>,
    /// The link that leads to nothing, where the model itself is not there.
    pub dangling: Option<Link>,
    /// Links of files of the model that lead to nothing.
    pub broken: Vec<Link>,
    /// Where the model itself is not there: a name beside it that differs only in letter case or
    /// in `-`, `_` and `.`.
    pub similar: Option<String>,
    /// Where the model itself is not there and nothing similar is: what may be meant instead, the
    /// likeliest first.
    pub nearby: Vec<Nearby>,
    /// Where the model itself is not there: names of unfinished downloads of it.
    pub leftovers: Vec<String>,
    /// Names of further parts of the model that lie beside it where its one file is mounted from, and
    /// which no mount shows.
    pub unmounted: Vec<String>,
    /// What decides about the way and could not be seen.
    pub unseen: Option<String>,
}

/// One folder or file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// As the service calls it.
    pub path: PathBuf,
    /// What it is.
    pub kind: FileKind,
    /// Whether a folder has to be listed, not only passed through.
    pub listed: bool,
    /// Permission bits, without the file type.
    pub mode: u32,
    /// Whom it belongs to; absent where that is not known.
    pub owner: Option<Owner>,
    /// Whether an access control list says more than the bits.
    pub listed_rights: bool,
}

/// What a service is started with, as far as it decides about files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starter {
    /// `user`; of a created container, the image's where the service has none. Absent: the
    /// image's, which is not known.
    pub user: Option<Spanned<String>>,
    /// `group_add`.
    pub groups: Vec<String>,
    /// Whether root may read what others own: no `cap_drop` takes that away.
    pub root_reads_all: bool,
}

/// The root of a models mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFacts {
    /// The folder.
    pub stat: Look<Stat>,
    /// Whether nothing is in it.
    pub empty: Look<bool>,
    /// Whether it was made by Docker for this very run: empty, owned by root, and no older
    /// than preflight's own container.
    pub fabricated: bool,
    /// Whether this process may make a file where the artifact is to be.
    pub writable: Look<Writable>,
}

/// Whether a file can be made somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writable {
    /// Yes.
    Yes,
    /// Preflight's own mount is read-only.
    MountReadOnly,
    /// The file system itself is read-only.
    DiskReadOnly,
    /// The folder belongs to somebody else, and its mode lets nobody else in.
    NotAllowed,
}

/// The disk budget of a lane's file system, over all lanes that share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskFacts {
    /// Bytes that this lane still needs.
    pub needed: u64,
    /// Bytes that all lanes on the same file system need.
    pub needed_by_all: u64,
    /// Bytes that this process may still use there.
    pub available: u64,
}
