//! The resolved project: plain typed data, the same whether it was read from Compose files, from manifests,
//! or from the containers that Compose has created.

mod by_name;
pub mod compose;
mod dialect;
pub mod docker;
pub mod doors;
pub mod gpus;
mod hardware;
mod health_timing;
mod kubernetes;
pub mod load;
mod memory_limit;
pub mod mounts;
mod not_text;
mod order;
pub mod own_container;
mod pod;
pub mod probes;
mod remark;
pub mod rooms;
pub mod secrets;
mod shared_memory;
pub mod stack;
pub mod view;

use std::ops::Range;
use std::path::PathBuf;
use std::time::SystemTime;

use indexmap::IndexMap;
use serde_json::{Map, Value};

pub use self::by_name::ByName;
pub use self::dialect::{Dialect, Words};
pub use self::hardware::{DeviceRequest, Hardware};
pub use self::health_timing::HealthTiming;
pub use self::memory_limit::MemoryLimit;
pub use self::not_text::NotText;
pub use self::pod::{InPod, Stage};
pub use self::probes::Probes;
pub use self::remark::{Remark, RemarkKind};
pub use self::shared_memory::SharedMemory;

use self::doors::Door;
use self::own_container::OwnTask;
use crate::options::provider;
use crate::path::{HostPath, ServicePath};
use crate::source_map::{Place, SourceId, Span, Spanned};

/// The condition of an edge on what has to have ended well.
pub const COMPLETED: &str = "service_completed_successfully";

/// The condition of an edge on what has to be healthy.
pub const HEALTHY: &str = "service_healthy";

/// What the image of preflight is called, in whichever registry.
const OWN_IMAGES: [&str; 2] = ["preflight", "compose-preflight"];

/// A Compose project after interpolation, merging and normalisation.
#[derive(Debug, Clone)]
pub struct Project {
    /// In which language it is written.
    pub dialect: Dialect,
    /// The name that labels its containers and prefixes its volumes.
    pub name: String,
    /// The project directory, to which relative paths were resolved.
    pub directory: HostPath,
    /// The Compose files that were read, as they were opened; empty if there were none to read.
    pub files: Vec<PathBuf>,
    /// In the order of the files.
    pub services: Vec<Service>,
    /// Where they are.
    pub by_name: ByName,
    /// Those that the profiles leave out, as far as they can be read: Compose does not look at them
    /// any closer.
    pub disabled: Vec<Service>,
    /// What leads to services under names of its own.
    pub doors: Vec<Door>,
    /// The top-level `volumes`, by the key that services use.
    pub volumes: IndexMap<String, Volume>,
    /// The top-level `x-preflight` mapping, with its own place.
    pub extension: Option<Spanned<Value>>,
    /// Where each value below [`Project::extension`] is written, by its JSON pointer
    /// (`/lanes/coder/source`); the extension itself is the empty pointer.
    pub extension_places: IndexMap<String, Place>,
    /// What variables are set to for this project: the environment over the env files.
    pub variables: IndexMap<String, Spanned<String>>,
    /// What its files keep as secrets, and each line of that.
    pub secrets: Vec<String>,
    /// Everything that Compose would warn about, and unknown keys.
    pub warnings: Vec<Warning>,
    /// What is no text where one has to be; none where that is taken.
    pub not_texts: Vec<NotText>,
    /// What else is told of its files.
    pub remarks: Vec<Remark>,
    /// The canonical document that `preflight config` prints; null for a project that was only
    /// seen through the API.
    pub document: Value,
    /// The models that services use, as the document has them in YAML; Compose leaves them out of its
    /// JSON.
    pub models: Map<String, Value>,
}

/// Something that Compose would warn about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// The value that it is about.
    pub place: Place,
    /// The variable that nobody set, if it is about one.
    pub variable: Option<String>,
    /// The service in which it is written; absent: in none, or that is not known.
    pub service: Option<String>,
    /// What to do about a key that Compose, or an older one, does not know, if it is about one.
    pub unknown_key: Option<String>,
}

/// One service of a [`Project`].
#[derive(Debug, Clone)]
pub struct Service {
    /// The key under `services`.
    pub name: Spanned<String>,
    /// The image reference; absent for a service that is only built.
    pub image: Option<Spanned<String>>,
    /// Whether the image needs nobody to have published it: the service builds it, or Docker has it.
    pub has_image: bool,
    /// The image that its own is made from, where it is built and its Dockerfile was seen.
    pub base: Option<String>,
    /// The labels of its image, as far as Docker has told them.
    pub image_labels: IndexMap<String, String>,
    /// A time that its image is no younger than, as far as Docker has told it.
    pub image_made: Option<SystemTime>,
    /// The words of `entrypoint`; absent: the image's own; empty: cleared.
    pub entrypoint: Option<Vec<Spanned<String>>>,
    /// The words of `command`; absent: the image's own; empty: cleared.
    pub command: Option<Vec<Spanned<String>>>,
    /// Whether these two, and the environment, are those of its container: nothing in them hangs on
    /// who calls Compose.
    pub observed: bool,
    /// Entrypoint and command as they are written, where that is one text.
    pub lines: Vec<Line>,
    /// Environment, env files folded in. A `None` value is a variable that Compose removes from
    /// the image's environment.
    pub environment: IndexMap<String, Spanned<Option<String>>>,
    /// Labels.
    pub labels: IndexMap<String, Spanned<String>>,
    /// Whether it is given a device of its host: a GPU, or another that counts.
    pub has_device: bool,
    /// Where it is written that it may write nowhere but into mounts; absent: it may.
    pub read_only_root: Option<Place>,
    /// Everything that is mounted, in the order of the file.
    pub mounts: Vec<Mount>,
    /// `user`, as written: `uid[:gid]` or names.
    pub user: Option<Spanned<String>>,
    /// `group_add`, as written: ids or names.
    pub group_add: Vec<String>,
    /// Whether root may read every file in it, as it may unless `cap_drop` takes that away.
    pub root_reads_all: bool,
    /// What has to happen before it starts, implied edges included.
    pub depends_on: Vec<Dependency>,
    /// What Docker does when it has ended, as `restart` says it (`on-failure:3`), whoever says it.
    pub restart: Option<Spanned<String>>,
    /// The program that Compose calls in place of making containers of it, as `provider.type` says it.
    pub provider: Option<Spanned<String>>,
    /// What is known to be there of what its words may mean by a relative path.
    pub present: Vec<ServicePath>,
    /// `working_dir`.
    pub working_dir: Option<ServicePath>,
    /// Published ports.
    pub ports: Vec<Port>,
    /// The words of `healthcheck.test` (`CMD`, `curl`, ...), where it is written; absent: the image's
    /// own, if it has one.
    pub health_check: Option<Spanned<Vec<String>>>,
    /// The service's own `x-preflight` mapping.
    pub extension: Option<Spanned<Value>>,
    /// Where each value below [`Service::extension`] is written, by its JSON pointer.
    pub extension_places: IndexMap<String, Place>,
    /// The texts of the scripts that start its engine and of the files that its command line is
    /// continued in, as far as they were seen.
    pub texts: IndexMap<ServicePath, Text>,
    /// The texts of the configuration files in which its program may be told whom to call, as far as
    /// they were seen.
    pub settings: IndexMap<ServicePath, Text>,
    /// Variables whose values are not in the project's files, and who says them: a secret of the cluster.
    /// In its words they stand as `$(NAME)`.
    pub told_elsewhere: IndexMap<String, Spanned<String>>,
    /// What stands in its words for something that nobody has filled in.
    pub placeholders: Vec<Spanned<String>>,
    /// Who may say any variable that nobody else does; absent: nobody.
    pub may_tell: Option<Spanned<String>>,
    /// What it is in its Pod; absent: it is in none.
    pub pod: Option<InPod>,
}

/// The text of a file that a program reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// All of it.
    pub text: String,
    /// Where each of its lines is written in the project's files; empty for a file of its own.
    pub lines: Vec<Place>,
    /// Which of the texts it is that can be pointed into; absent: none.
    pub source: Option<SourceId>,
}

/// A command line that is written as one text. Compose runs no shell for it: it splits the text into
/// words, and takes those before the first operator outside quotes (docker/compose 2.40.3,
/// `mattn/go-shellwords`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `command` or `entrypoint`.
    pub key: &'static str,
    /// All of the text, variables expanded.
    pub text: Spanned<String>,
    /// The operator that it is cut off at: `&&`, `;`, `|`, `>`. Absent: all of it is taken.
    pub cut_at: Option<String>,
}

/// One mount of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Where the service sees it.
    pub target: ServicePath,
    /// Whether the service may not write to it.
    pub read_only: bool,
    /// The mount as it is written; for long syntax, of the `source`.
    pub place: Place,
}

/// What a [`Mount`] makes visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountSource {
    /// A path of the host.
    Bind {
        /// Absolute, as far as the loader could make it so.
        path: HostPath,
        /// Whether the engine makes the directory when it is missing.
        create_host_path: bool,
    },
    /// A volume of the engine, by its full name (`project_key`).
    Volume {
        /// The engine's name for it.
        name: String,
        /// A folder inside the volume; absent: its root.
        subpath: Option<PathBuf>,
    },
    /// A volume without a name.
    Anonymous,
    /// Memory.
    Tmpfs,
    /// A file that Compose copies into the container when it starts it: a config or a secret without
    /// a `file`.
    Copied(Copied),
    /// Something else that hides what lies below the target (`image`, `npipe`, `cluster`).
    Other(String),
}

impl MountSource {
    /// The engine's name for the named volume; absent: it is another kind of source.
    #[must_use]
    pub fn volume(&self) -> Option<&str> {
        match self {
            Self::Volume { name, .. } => Some(name),
            Self::Bind { .. }
            | Self::Anonymous
            | Self::Tmpfs
            | Self::Copied(_)
            | Self::Other(_) => None,
        }
    }
}

/// What a file holds that Compose copies into a container (docker/compose 2.40.3
/// pkg/compose/secrets.go).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copied {
    /// This text, at the place where it is written or its variable is named. Of an empty one no file
    /// is made.
    Text(Spanned<String>),
    /// What a variable holds that is not set for preflight, by its name, where that is written.
    Variable(Spanned<String>),
}

/// A top-level volume.
#[derive(Debug, Clone)]
pub struct Volume {
    /// The engine's name for it.
    pub name: String,
    /// Whether Compose expects it to exist already.
    pub external: bool,
    /// The host folder behind it, from `driver_opts` of a local bind volume (`type: none`,
    /// `o: bind`); absent for a plain volume.
    pub device: Option<Spanned<HostPath>>,
    /// What sort of volume it is.
    pub kind: VolumeKind,
    /// Where it was declared.
    pub place: Place,
}

/// What sort of volume something is, as far as that says what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum VolumeKind {
    /// One of the engine that runs the containers.
    #[default]
    Engine,
    /// What is in it outlives the Pods that mount it.
    Claim,
    /// It is made for its Pod and gone with it; who makes it may put something in it.
    Ephemeral,
    /// It is empty when its Pod starts, and gone with it.
    Empty {
        /// The most bytes that may be in it.
        most: Option<Spanned<u64>>,
        /// Whether they are in memory.
        in_memory: bool,
    },
}

impl VolumeKind {
    /// Whether nothing is in it when its Pod starts.
    #[must_use]
    pub fn is_new(&self) -> bool {
        matches!(self, Self::Empty { .. })
    }

    /// Whether what is in it is gone with its Pod.
    #[must_use]
    pub fn ends_with_pod(&self) -> bool {
        self.is_new() || *self == Self::Ephemeral
    }
}

/// An edge of `depends_on`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The service that has to get there first.
    pub service: String,
    /// `service_started`, `service_healthy` or `service_completed_successfully`.
    pub condition: String,
    /// Whether its failure stops the dependant.
    pub required: bool,
    /// Where the edge is written; nowhere for implied ones.
    pub place: Place,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The port inside the container.
    pub target: u16,
    /// The host's port; absent: chosen by the engine. The first of a range.
    pub published: Option<u16>,
    /// The host's address; absent: all of them.
    pub host_ip: Option<String>,
    /// Whether it is this very port of the host that is wanted, for TCP: not one out of a range.
    pub is_fixed: bool,
    /// Where it is written.
    pub place: Place,
}

impl Project {
    /// A project of nothing, for models that are looked at on their own.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            dialect: Dialect::Compose,
            name: String::new(),
            directory: HostPath::new("/"),
            files: Vec::new(),
            services: Vec::new(),
            by_name: ByName::default(),
            disabled: Vec::new(),
            doors: Vec::new(),
            volumes: IndexMap::new(),
            extension: None,
            extension_places: IndexMap::new(),
            variables: IndexMap::new(),
            secrets: Vec::new(),
            warnings: Vec::new(),
            not_texts: Vec::new(),
            remarks: Vec::new(),
            document: Value::Null,
            models: Map::new(),
        }
    }

    /// The service of that name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.by_name.find(&self.services, name)
    }

    /// The service that preflight itself runs as, by its name or image.
    #[must_use]
    pub fn preflight_service(&self) -> Option<&Service> {
        let own = || self.services.iter().find(|service| service.is_preflight());
        self.service("preflight").or_else(own)
    }

    /// Where the value at `route` of `x-preflight` is written.
    #[must_use]
    pub fn extension_place(&self, route: &[&str]) -> Option<&Place> {
        let escaped = route.iter().map(|key| key.replace('~', "~0").replace('/', "~1"));
        let pointer: String = escaped.flat_map(|key| ["/".to_owned(), key]).collect();
        self.extension_places.get(&pointer)
    }

    /// A path of the host as a Compose file of the project writes it: relative to the project's folder
    /// where it is in that.
    #[must_use]
    pub fn written(&self, path: &HostPath) -> String {
        match path.below(&self.directory) {
            Some(below) if below.as_os_str().is_empty() => ".".to_owned(),
            Some(below) if self.directory.as_path().parent().is_some() => {
                format!("./{}", below.display())
            }
            Some(_) | None => path.to_string(),
        }
    }

    /// The volume that the engine calls `name`.
    #[must_use]
    pub fn volume(&self, name: &str) -> Option<&Volume> {
        self.volumes.values().find(|volume| volume.name == name)
    }
}

impl Warning {
    /// A warning about a value, whatever that belongs to.
    #[must_use]
    pub fn new(message: impl Into<String>, place: Place) -> Self {
        Self { message: message.into(), place, variable: None, service: None, unknown_key: None }
    }
}

impl Text {
    /// The place of a line, counted from 0; absent: the project's files do not have it.
    #[must_use]
    pub fn line(&self, index: usize) -> Option<&Place> {
        self.lines.get(index)
    }

    /// The place of a part of it.
    #[must_use]
    pub fn place(&self, part: Range<usize>) -> Place {
        let Range { start, end } = part;
        if let Some(source) = self.source {
            return Place::at(Span { source, start, end });
        }
        let above = self.text.get(..start).map_or(0, |before| before.matches('\n').count());
        self.line(above).cloned().unwrap_or_default()
    }
}

impl From<String> for Text {
    /// The text of a file of its own.
    fn from(text: String) -> Self {
        Self { text, lines: Vec::new(), source: None }
    }
}

impl Service {
    /// A service of which nothing but the name is known.
    #[must_use]
    pub fn named(name: Spanned<String>) -> Self {
        Self {
            name,
            image: None,
            has_image: false,
            base: None,
            image_labels: IndexMap::new(),
            image_made: None,
            entrypoint: None,
            command: None,
            observed: false,
            lines: Vec::new(),
            environment: IndexMap::new(),
            labels: IndexMap::new(),
            has_device: false,
            read_only_root: None,
            mounts: Vec::new(),
            user: None,
            group_add: Vec::new(),
            root_reads_all: true,
            depends_on: Vec::new(),
            restart: None,
            provider: None,
            present: Vec::new(),
            working_dir: None,
            ports: Vec::new(),
            health_check: None,
            extension: None,
            extension_places: IndexMap::new(),
            texts: IndexMap::new(),
            settings: IndexMap::new(),
            told_elsewhere: IndexMap::new(),
            placeholders: Vec::new(),
            may_tell: None,
            pod: None,
        }
    }

    /// Whether its image is called as that of preflight is.
    #[must_use]
    pub fn has_own_image(&self) -> bool {
        let image = self.image.as_ref().map_or("", |image| image.value.as_str());
        let repository = image.split('@').next().unwrap_or("");
        let name = repository.rsplit('/').next().unwrap_or("").split(':').next();
        name.is_some_and(|name| OWN_IMAGES.contains(&name))
    }

    /// Whether preflight runs as it, by its name in its Pod, by its image or as its provider, and judges.
    #[must_use]
    pub fn is_preflight(&self) -> bool {
        let is_named = self.pod.as_ref().is_some_and(|pod| pod.container == "preflight");
        let only_brings = || {
            let task = own_container::task(self);
            matches!(task, Some(OwnTask::Brings | OwnTask::Installs))
        };
        (is_named || self.has_own_image() || self.has_own_provider()) && !only_brings()
    }

    /// Whether Compose calls preflight for it, on the machine that Compose runs on.
    #[must_use]
    pub fn has_own_provider(&self) -> bool {
        self.provider.as_ref().is_some_and(|provider| provider.value == provider::TYPE)
    }

    /// What makes it wait until `other` has ended well; absent: nothing does.
    #[must_use]
    pub fn edge_to_end_of(&self, other: &str) -> Option<&Dependency> {
        let mut edges = self.depends_on.iter();
        edges.find(|edge| edge.service == other && edge.condition == COMPLETED)
    }

    /// Whether it runs on the machine of the other for certain: Pods may be on nodes of their own.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        let [own, others] = [self, other].map(|it| it.pod.as_ref().map(|pod| &pod.pod));
        own == others
    }

    /// The words of `entrypoint` and `command`, in that order, as far as the project says them.
    pub fn words(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.entrypoint.iter().chain(&self.command).flatten()
    }

    /// What Docker knows its image as: the name that the service says, else, where it is built, the one
    /// that Compose gives it (docker/compose 2.40.3 pkg/api/api.go, `GetImageNameOrDefault`).
    #[must_use]
    pub fn image_reference(&self, project: &str) -> Option<String> {
        let said = self.image.as_ref().map(|image| image.value.clone());
        said.or_else(|| self.has_image.then(|| format!("{project}-{}", self.name.value)))
    }

    /// The value of a variable in the service's environment.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).and_then(|value| value.value.as_deref())
    }
}

/// What stands between the quotes that a value begins and ends with: in the list form of `environment`
/// they belong to the value, and are never meant to. Absent: there are none.
#[must_use]
pub fn unquoted(value: &str) -> Option<&str> {
    let within = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    ['"', '\''].into_iter().find_map(|quote| within(quote).filter(|text| !text.contains(quote)))
}

#[cfg(test)]
impl Project {
    /// A project in `/stack` with these services.
    pub(crate) fn of(name: &str, services: Vec<Service>) -> Self {
        Self {
            name: name.to_owned(),
            directory: HostPath::new("/stack"),
            files: vec![PathBuf::from("compose.yaml")],
            services,
            ..Self::empty()
        }
    }
}
