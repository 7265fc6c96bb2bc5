//! Which lanes a project has: declared + discovered + catalogue -> [`Plan`].
//!
//! Pure. Field by field, the first that says it wins; every field knows who said it.

pub mod address;
mod assemble;
mod brought;
mod cache;
mod cards;
pub mod catalogue;
mod declared;
mod delivered;
mod discovered;
mod draft;
mod engines;
mod found;
mod hub;
#[cfg(test)]
pub(crate) mod schema;
mod selection;
mod unread;
mod variables;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cards::Cards;
use crate::limits::{MOST_MODELS, MOST_WALKED};
use crate::options::Delivery;
use crate::plan::engine::{Engine, Invocation, Part};
use crate::plan::wiring::Wiring;
use crate::project::mounts::{Located, Sight};
use crate::project::{Dialect, MountSource, Project};
use crate::source::Source;
use crate::source_map::{Location, Place};
use crate::suggest;

pub use assemble::{of_command_line, plan};
pub use brought::Bringer;
pub use cache::{Cached, Choice};
pub use delivered::of_deliveries;
pub use found::of_models;
pub use hub::NamedHub;
pub use variables::{is_lane_variable, models_root};

/// The lanes of a project, with every path and source resolved. Inert.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The language of the project, whose words it is told in.
    pub dialect: Dialect,
    /// In the order: declared, discovered, catalogue.
    pub lanes: Vec<Lane>,
    /// What the settings of the project say about preflight itself.
    pub settings: Settings,
    /// Services that are not part of the `docker compose up` that waits for this process. Empty
    /// where none does.
    pub idle: BTreeSet<String>,
    /// Who talks to whom.
    pub wiring: Wiring,
}

/// What `x-preflight` says beside its lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// False: `fetch: never`.
    pub fetch: bool,
    /// Whether a models root that Docker has just fabricated may be filled.
    pub create_root: bool,
    /// The GPUs of the host, as they are declared; absent: nobody does.
    pub gpus: Option<Traced<Cards>>,
}

/// One model role of the stack that must be servable.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Lower case, `_` between words.
    pub name: String,
    /// Whether its problems are errors.
    pub required: bool,
    /// The services that open it; empty for a lane that only a catalogue or a variable knows.
    pub services: Vec<String>,
    /// The program that will serve it, if known.
    pub engine: Option<Engine>,
    /// What sort of model it is, if known.
    pub kind: Option<ModelKind>,
    /// False: it is validated, and not fetched (`ARGOS_DOWNLOAD_*`, or it is not required).
    pub fetch: bool,
    /// How the engine is started, if a service was found.
    pub invocation: Option<Invocation>,
    /// How its service starts its engine for another lane: they are served one at a time. Absent where
    /// [`Lane::invocation`] is there.
    pub standby: Option<Invocation>,
    /// What has to be there, the model first. Empty when no path is known.
    pub artifacts: Vec<Artifact>,
    /// Who else may bring them before the engine opens them.
    pub brought: Vec<Bringer>,
    /// What its engine opens by the name of a repository, and so in a cache of the hub; the model
    /// first, if it is one of these.
    pub cached: Vec<Cached>,
    /// Where its files come from.
    pub source: Option<Traced<Source>>,
    /// The hub that the project names for it; absent: it names none.
    pub hub: Option<NamedHub>,
    /// Globs over the paths of a repository; empty: everything.
    pub include: Vec<String>,
    /// Globs over the paths of a repository that are left out.
    pub exclude: Vec<String>,
    /// Where a running engine answers, if said.
    pub url: Option<Traced<String>>,
    /// The model name that clients ask for, if said.
    pub model_name: Option<Traced<String>>,
    /// How much of a running engine is asked for.
    pub level: Level,
    /// Whether its URL leads to nobody in this project.
    pub outside: bool,
    /// The source that the catalogue has for a lane of its name, where a lane variable says its path
    /// and nobody where it comes from.
    pub known_as: Option<Source>,
    /// What it is, where it is nothing but a source that is brought to a place; absent: it is a lane of a
    /// stack.
    pub delivery: Option<Box<Delivery>>,
    /// Why it is not judged at all; absent: it is.
    pub skipped: Option<String>,
    /// Where it is declared, for findings about the lane as a whole.
    pub place: Place,
    /// What is contradictory or cannot be worked out.
    pub problems: Vec<Problem>,
}

/// What sort of model a lane has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// A folder that vLLM or one of its like opens.
    Vllm,
    /// A GGUF file.
    Gguf,
    /// An embedding model.
    Embedding,
}

/// How much of a running engine is asked for; each asks for what is before it as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It answers.
    Reachable,
    /// It has the lane's model.
    #[default]
    Serves,
    /// It completes a prompt, or embeds a text.
    Generates,
}

/// A file or folder that a lane's engine opens.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// What it is for.
    pub part: Part,
    /// Where it is, in all three spaces.
    pub located: Traced<Located>,
}

impl Artifact {
    /// Whether it is a folder that Docker makes where it is missing, which is all that is wanted.
    #[must_use]
    pub fn is_made_by_docker(&self) -> bool {
        let located = &self.located.value;
        let is_made = located.mount.as_ref().is_some_and(|mount| {
            let makes = matches!(mount.source, MountSource::Bind { create_host_path: true, .. });
            makes && located.service_path.as_ref() == Some(&mount.target)
        });
        self.part == Part::Folder && is_made
    }

    /// What lies at `below` in this folder, for `part`.
    #[must_use]
    pub fn listed(&self, part: Part, below: &Path) -> Self {
        let mut listed = self.clone();
        listed.part = part;
        listed.located.from = Origin::Folder(self.located.from.to_string());
        let located = &mut listed.located.value;
        located.service_path = located.service_path.as_ref().map(|path| path.join(below));
        located.host_path = located.host_path.as_ref().map(|path| path.join(below));
        if let Sight::Visible { path, .. } = &mut located.sight {
            *path = path.join(below);
        }
        listed
    }
}

/// Something wrong with the way that a lane is wired.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Which.
    pub kind: ProblemKind,
    /// Where it is written.
    pub place: Place,
}

/// The ways in which a lane can be wired wrongly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemKind {
    /// The engine was recognised, and no model is named.
    NoModelNamed {
        /// What the engine does instead, as a sentence without its full stop.
        instead: &'static str,
    },
    /// The path could be a host path or a path of several services.
    PathAmbiguous {
        /// As written.
        path: String,
        /// What it could be.
        readings: Vec<String>,
    },
    /// The lane says one path, and the command line of its service opens another.
    EngineOpensOther {
        /// What the lane says.
        declared: String,
        /// What the engine opens.
        opened: String,
    },
    /// The lane is declared, and nobody says where its model is.
    NoPath,
    /// A service is named that the project does not have.
    ServiceUnknown {
        /// As written.
        service: String,
    },
}

/// A value and who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced<T> {
    /// The value.
    pub value: T,
    /// Who said it.
    pub from: Origin,
    /// Where it is written.
    pub place: Place,
}

/// Who said something about a lane, strongest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A label of the service, or an annotation of its Pod, and which of them it is.
    Label(String),
    /// `x-preflight`, of the service or of the project.
    Extension,
    /// A lane variable (`ARGOS_LANE_CODER_MODEL_PATH`).
    LaneVariable(String),
    /// The engine's own words: the flag, or the variable that stands for it.
    Engine(String),
    /// The folder that a flag or variable of the engine names: it lies there.
    Folder(String),
    /// The catalogue.
    Catalogue,
    /// Preflight's own command line.
    CommandLine,
}

/// Why the lanes could not be worked out.
#[derive(Debug, Error)]
pub enum PlanError {
    /// `--lane` names one that the project does not have.
    #[error("there is no lane `{name}`")]
    UnknownLane {
        /// As typed.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A folder of models has more than is judged.
    #[error("there are more than {MOST_MODELS} models or {MOST_WALKED} names below `{}`", root.display())]
    TooManyModels {
        /// The folder.
        root: PathBuf,
    },
    /// A folder has neither a project nor a model.
    #[error("`{}` has neither a Compose project nor a model", root.display())]
    NothingThere {
        /// The folder.
        root: PathBuf,
    },
    /// `x-preflight` or a label says something that cannot be read.
    #[error("{location}: {message}")]
    Declaration {
        /// Where.
        location: Location,
        /// What is wrong.
        message: String,
    },
    /// The same, in a value that no file states.
    #[error("{what}: {message}")]
    UnplacedDeclaration {
        /// The label or variable.
        what: String,
        /// What is wrong.
        message: String,
    },
}

impl Plan {
    /// Leaves every lane unjudged that is not served by `service`, of which this process is a hook.
    pub fn leave_out_all_but(&mut self, service: &str) {
        for lane in self.lanes.iter_mut().filter(|lane| !lane.is_served_by(service)) {
            let reason = || format!("preflight runs as a hook of `{service}`");
            lane.skipped.get_or_insert_with(reason);
        }
    }

    /// Leaves every lane unjudged whose engine runs in another Pod than this process.
    pub fn leave_out_other_pods(&mut self, project: &Project, pod: &str) {
        let is_elsewhere = |lane: &Lane| {
            let mut services = lane.services.iter().filter_map(|name| project.service(name));
            !lane.services.is_empty()
                && services.all(|service| service.pod.as_ref().is_some_and(|it| it.pod != pod))
        };
        for lane in self.lanes.iter_mut().filter(|lane| is_elsewhere(lane)) {
            lane.skipped.get_or_insert_with(|| "its engine is in another Pod".to_owned());
        }
    }

    /// Leaves every lane unjudged of which no Pod is started.
    pub fn leave_out_unstarted(&mut self, project: &Project) {
        let is_idle = |name: &String| {
            let pod = project.service(name).and_then(|service| service.pod.as_ref());
            pod.is_some_and(|pod| pod.is_idle)
        };
        for lane in &mut self.lanes {
            if !lane.services.is_empty() && lane.services.iter().all(is_idle) {
                let reason = || "no Pod of it is started: `replicas: 0`".to_owned();
                lane.skipped.get_or_insert_with(reason);
            }
        }
    }

    /// Leaves every lane unjudged that only `idle` services serve or speak of. `started` is the plan
    /// of the others alone.
    #[must_use]
    pub fn narrowed(mut self, started: Self, idle: BTreeSet<String>) -> Self {
        self.idle = idle;
        let mut started = started.lanes;
        for index in 0..self.lanes.len() {
            let lane = &self.lanes[index];
            let is_judged = |other: &Lane| other.name == lane.name && !self.is_idle(lane);
            match started.iter().position(is_judged).map(|index| started.swap_remove(index)) {
                Some(mut judged) => {
                    judged.problems.retain(|problem| !self.is_about_idle(problem));
                    judged.fetch = lane.fetch;
                    self.lanes[index] = judged;
                }
                None => {
                    let reason = || "not part of this `up`".to_owned();
                    self.lanes[index].skipped.get_or_insert_with(reason);
                }
            }
        }
        self
    }

    /// A service that is not started looks, in the plan of those that are, as if there were none.
    fn is_about_idle(&self, problem: &Problem) -> bool {
        match &problem.kind {
            ProblemKind::ServiceUnknown { service } => self.idle.contains(service),
            ProblemKind::NoModelNamed { .. }
            | ProblemKind::PathAmbiguous { .. }
            | ProblemKind::EngineOpensOther { .. }
            | ProblemKind::NoPath => false,
        }
    }

    /// Whether none of the services that serve `lane` is part of the `up` that waits.
    #[must_use]
    pub fn is_idle(&self, lane: &Lane) -> bool {
        !lane.services.is_empty() && lane.services.iter().all(|service| self.idle.contains(service))
    }
}

impl PlanError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownLane { known, .. } if known.is_empty() => {
                Some("the project has no lanes; `preflight plan` lists them".to_owned())
            }
            Self::UnknownLane { name, known } => {
                let likely = suggest::likely(name, known.iter().map(String::as_str));
                let question = suggest::question(&likely).map(|question| question + " ");
                let question = question.unwrap_or_default();
                Some(format!("{question}the lanes are {}", known.join(", ")))
            }
            Self::TooManyModels { .. } => Some("name a folder further down".to_owned()),
            Self::NothingThere { .. } => Some(
                "looked for in it: `compose.yaml`, `compose.yml`, `docker-compose.yml`, \
                 `docker-compose.yaml`; below it: `config.json`, `modules.json`, files of weights \
                 (GGUF, safetensors, PyTorch)"
                    .to_owned(),
            ),
            Self::Declaration { .. } | Self::UnplacedDeclaration { .. } => None,
        }
    }
}

impl Lane {
    /// Whether `service` is one of those that serve it.
    #[must_use]
    pub fn is_served_by(&self, service: &str) -> bool {
        self.services.iter().any(|name| name == service)
    }

    /// How the engine is started that serves it now or when its turn comes.
    #[must_use]
    pub fn start(&self) -> Option<&Invocation> {
        self.invocation.as_ref().or(self.standby.as_ref())
    }

    /// A required lane of which nothing but the name is known.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            required: true,
            services: Vec::new(),
            engine: None,
            kind: None,
            fetch: true,
            invocation: None,
            standby: None,
            artifacts: Vec::new(),
            brought: Vec::new(),
            cached: Vec::new(),
            source: None,
            hub: None,
            include: Vec::new(),
            exclude: Vec::new(),
            url: None,
            model_name: None,
            level: Level::default(),
            outside: false,
            known_as: None,
            delivery: None,
            skipped: None,
            place: Place::nowhere(),
            problems: Vec::new(),
        }
    }

    /// What brings what it lacks, as it is typed; `flags` with a blank behind them.
    #[must_use]
    pub fn fetch_command(&self, flags: &str) -> String {
        match &self.delivery {
            Some(delivery) => delivery.command(flags),
            None => format!("preflight fetch {flags}--lane {}", self.name),
        }
    }

    /// What hashes all that it has, as it is typed.
    #[must_use]
    pub fn verify_command(&self) -> String {
        match &self.delivery {
            Some(delivery) => delivery.command("--deep "),
            None => format!("preflight verify --deep --lane {}", self.name),
        }
    }

    /// The artifact that holds the weights.
    #[must_use]
    pub fn model(&self) -> Option<&Artifact> {
        self.artifacts.iter().find(|artifact| artifact.part == Part::Model)
    }

    /// The names under which a running engine serves it: one of them has to be in its list. Empty:
    /// the engine's own choice. A lane that no engine is started for would be served under its own
    /// name or that of its model.
    #[must_use]
    pub fn served_names(&self) -> Vec<String> {
        if let Some(name) = &self.model_name {
            return vec![name.value.clone()];
        }
        let Some(invocation) = &self.invocation else { return self.likely_names() };
        invocation.names()
    }

    fn likely_names(&self) -> Vec<String> {
        let model = self.artifacts.iter().find(|artifact| artifact.part == Part::Model);
        let path = model.and_then(|model| model.located.value.service_path.as_ref());
        let file = path.and_then(|path| path.as_path().file_name());
        let file = file.map(|file| file.to_string_lossy().into_owned());
        let mut names = vec![self.name.clone()];
        names.extend(path.map(ToString::to_string).into_iter().chain(file));
        names
    }

    /// Whether the weights are in a cache of the hub, in its layout: what is missing there is the
    /// engine's to bring.
    #[must_use]
    pub fn in_cache(&self) -> bool {
        self.cached.iter().any(|cached| cached.part == Part::Model)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => f.write_str(label),
            Self::Extension => f.write_str("x-preflight"),
            Self::LaneVariable(name) | Self::Engine(name) => f.write_str(name),
            Self::Folder(name) => write!(f, "folder of {name}"),
            Self::Catalogue => f.write_str("catalogue"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

#[cfg(test)]
mod tests;
