//! `preflight init`: the changes that let every service that serves a lane wait for preflight.
//!
//! A change is tried before it is proposed: the project is loaded as it would be with it, and it is let
//! be where anything else of the project would be different.

mod difference;
mod trial;

use std::io;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use thiserror::Error;

use crate::exit_code::ExitCode;
use crate::limits::LONGEST_PROJECT_TEXT;
use crate::options::{InitMode, Options, Role, Target};
use crate::plan::lanes::{Lane, Plan};
use crate::project::compose::{self, LoadError};
use crate::project::{MountSource, Project, Service};
use crate::regular_file;
use crate::source_map::{Location, SourceMap};
use crate::whole_file;
use trial::Trial;

/// The service that preflight runs as in a stack.
const FRAGMENT: &str = include_str!("../compose/preflight.yaml");

/// What the fragment is called beside a Compose file.
const FRAGMENT_FILE: &str = "preflight.yaml";

/// The same where another file is called so.
const OTHER_FILE: &str = "compose.preflight.yaml";

/// What its service is called.
const SERVICE: &str = "preflight";

/// The variable that names its image.
const IMAGE_VARIABLE: &str = "PREFLIGHT_IMAGE";

/// The variable that names the folder of the models to the fragment.
const MODELS_VARIABLE: &str = "MODELS_PATH";

/// Switches every profile on.
const EVERY_PROFILE: &str = "*";

/// What has to change, and what cannot be changed by this program.
#[derive(Debug)]
pub struct Proposal {
    /// The service that is waited for.
    pub gate: String,
    /// The files that change, in the order in which they are written.
    pub files: Vec<Change>,
    /// Every service that serves a lane, in the order of the project.
    pub services: Vec<Waiting>,
    /// Services whose lanes are not judged, and why.
    pub left: Vec<(String, String)>,
    /// Lanes of which nobody says where their files come from: nothing is fetched for them.
    pub sourceless: Vec<String>,
    /// The folder of the models, as `MODELS_PATH` would name it; absent: it is said, or not known.
    pub models: Option<String>,
    /// Whether only what is switched on was looked at: with every profile the project does not load.
    pub is_narrow: bool,
    /// Why the service [`Proposal::gate`] is not there and cannot be put there.
    pub no_gate: Option<ByHand>,
}

/// A file that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where it is.
    pub path: PathBuf,
    /// As the user knows it.
    pub shown: PathBuf,
    /// What is in it; absent: it is not there.
    pub before: Option<String>,
    /// What will be in it.
    pub after: String,
}

/// A service that serves a lane.
#[derive(Debug)]
pub struct Waiting {
    /// Its name.
    pub service: String,
    /// The lanes.
    pub lanes: Vec<String>,
    /// Whether it waits.
    pub state: State,
}

/// Whether a service waits.
#[derive(Debug)]
pub enum State {
    /// It does.
    Waits,
    /// It will.
    WillWait,
    /// It has to be made to wait by a person.
    ByHand(ByHand),
}

/// What a person has to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByHand {
    /// Why it is not written here, as a sentence without its full stop.
    pub why: String,
    /// Where; absent: in the Compose file.
    pub place: Option<Location>,
    /// What.
    pub lines: Vec<String>,
}

/// Why nothing can be proposed or written.
#[derive(Debug, Error)]
pub enum InitError {
    /// What was named is no project.
    #[error("`{path}` is a model or a folder of models, and no Compose project")]
    NoProject {
        /// As typed.
        path: PathBuf,
    },
    /// The project is written in another language.
    #[error("what is read {what}, and `init` edits Compose files")]
    NotCompose {
        /// What it is.
        what: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// The files of the project cannot be found again.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A file has changed since it was read.
    #[error("`{path}` has changed since it was read")]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot write `{path}`")]
    Write {
        /// Which.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
}

impl InitError {
    /// What the process exits with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::NoProject { .. } | Self::NotCompose { .. } | Self::Load(_) => ExitCode::Usage,
            Self::Changed { .. } | Self::Write { .. } => ExitCode::Mount,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoProject { .. } => Some("name a Compose file or its folder".to_owned()),
            Self::NotCompose { instead, .. } => Some((*instead).to_owned()),
            Self::Changed { .. } => Some("run it again".to_owned()),
            Self::Load(error) => error.hint(),
            Self::Write { .. } => None,
        }
    }
}

impl Proposal {
    /// What a run exits with.
    #[must_use]
    pub fn exit_code(&self, mode: InitMode) -> ExitCode {
        let is_left = self.no_gate.is_some() || self.by_hand().next().is_some();
        let is_refused = mode == InitMode::Check && !self.files.is_empty();
        if self.services.is_empty() {
            ExitCode::Unjudged
        } else if is_left || is_refused {
            ExitCode::Lane
        } else {
            ExitCode::Ready
        }
    }

    /// The services that a person has to see to.
    pub fn by_hand(&self) -> impl Iterator<Item = (&Waiting, &ByHand)> {
        self.services.iter().filter_map(|waiting| match &waiting.state {
            State::ByHand(by_hand) => Some((waiting, by_hand)),
            State::Waits | State::WillWait => None,
        })
    }
}

/// The same options, for a look at all services: no container, every profile.
///
/// # Errors
/// PATH is no project.
pub fn wide(options: &Options) -> Result<Options, InitError> {
    if let Target::Models(path) = &options.target {
        return Err(InitError::NoProject { path: path.clone() });
    }
    let mut wide = options.clone();
    wide.role = Role::Hand;
    wide.docker.enabled = false;
    wide.project.profiles = vec![EVERY_PROFILE.to_owned()];
    Ok(wide)
}

/// Works out what has to change. `options` are those that `project` and `plan` were made with. Blocking.
///
/// # Errors
/// The files of the project cannot be found again.
pub fn propose(
    (project, plan): (&Project, &Plan),
    options: &Options,
    own: &Options,
    sources: &SourceMap,
) -> Result<Proposal, InitError> {
    if let Some((what, instead)) = project.dialect.words().not_edited {
        return Err(InitError::NotCompose { what, instead });
    }
    let lanes = lanes_of(project, plan);
    let is_narrow = !options.project.profiles.iter().any(|profile| profile == EVERY_PROFILE);
    let mut left = left(project, plan, &lanes);
    if is_narrow {
        let off = project.disabled.iter().map(|service| service.name.value.clone());
        let why = "its profile is off, and the project does not load with every profile at once";
        left.extend(off.map(|name| (name, why.to_owned())));
    }
    let mut proposal = Proposal {
        gate: SERVICE.to_owned(),
        files: Vec::new(),
        services: Vec::new(),
        left,
        is_narrow,
        sourceless: sourceless(plan),
        models: models(project, plan),
        no_gate: None,
    };
    if lanes.is_empty() {
        return Ok(proposal);
    }
    let main = compose::files(&options.project)?;
    let targets = lanes.keys().cloned().collect();
    let mut trial = Trial::new(project, (&options.project, &own.project), main, targets);
    match gate(project, sources) {
        Ok(Some(gate)) => trial.gate = gate,
        Ok(None) => {
            let tried = trial.include(FRAGMENT_FILE, FRAGMENT);
            let other = |why| trial.include(OTHER_FILE, FRAGMENT).map_err(|_other| why);
            proposal.no_gate = tried.or_else(other).err();
        }
        Err(by_hand) => proposal.no_gate = Some(by_hand),
    }
    proposal.gate.clone_from(&trial.gate);
    let states = trial.wait(proposal.no_gate.is_none(), sources);
    let waiting = lanes.into_iter().zip(states);
    let waiting = waiting.map(|((service, lanes), state)| Waiting { service, lanes, state });
    proposal.services = waiting.collect();
    proposal.files = trial.changes();
    Ok(proposal)
}

/// The lanes that are judged, by the services that serve them.
fn lanes_of(project: &Project, plan: &Plan) -> IndexMap<String, Vec<String>> {
    let own = project.preflight_service().map(|service| &service.name.value);
    let names = project.services.iter().map(|service| &service.name.value);
    let lanes = names.filter(|name| Some(*name) != own).map(|name| {
        let judged = plan.lanes.iter().filter(|lane| lane.skipped.is_none());
        let served = judged.filter(|lane| lane.is_served_by(name));
        (name.clone(), served.map(|lane| lane.name.clone()).collect::<Vec<_>>())
    });
    lanes.filter(|(_, lanes)| !lanes.is_empty()).collect()
}

/// The services that serve only lanes that are not judged.
fn left(
    project: &Project,
    plan: &Plan,
    judged: &IndexMap<String, Vec<String>>,
) -> Vec<(String, String)> {
    let names = project.services.iter().map(|service| &service.name.value);
    let reason = |name: &String| {
        let mut lanes = plan.lanes.iter().filter(|lane| lane.is_served_by(name));
        lanes.find_map(|lane: &Lane| lane.skipped.clone())
    };
    let left = names.filter(|name| !judged.contains_key(*name));
    left.filter_map(|name| Some((name.clone(), reason(name)?))).collect()
}

fn sourceless(plan: &Plan) -> Vec<String> {
    let judged = plan.lanes.iter().filter(|lane| lane.skipped.is_none());
    let served = judged.filter(|lane| lane.source.is_none() && !lane.services.is_empty());
    served.map(|lane| lane.name.clone()).collect()
}

/// The folder of the host that the models are mounted from, where nobody names it to preflight.
fn models(project: &Project, plan: &Plan) -> Option<String> {
    // A provider sees the folders of the host as they are.
    let is_provider = project.preflight_service().is_some_and(Service::has_own_provider);
    if is_provider || project.variables.contains_key(MODELS_VARIABLE) {
        return None;
    }
    let models = plan.lanes.iter().filter_map(Lane::model);
    let mut mounts = models.filter_map(|model| model.located.value.mount.as_ref());
    mounts.find_map(|mount| match &mount.source {
        MountSource::Bind { path, .. } => Some(project.written(path)),
        MountSource::Volume { .. }
        | MountSource::Anonymous
        | MountSource::Tmpfs
        | MountSource::Copied(_)
        | MountSource::Other(_) => None,
    })
}

/// The service that preflight runs as; absent: there is none.
fn gate(project: &Project, sources: &SourceMap) -> Result<Option<String>, ByHand> {
    let Some(service) = project.preflight_service() else { return Ok(None) };
    let is_named = |service: &Service| {
        let image = service.image.as_ref();
        let mut variables = image.into_iter().flat_map(|image| &image.place.variables);
        variables.any(|variable| variable.name == IMAGE_VARIABLE)
    };
    let name = service.name.value.clone();
    if service.has_own_image() || service.has_own_provider() || is_named(service) {
        return Ok(Some(name));
    }
    let place = service.name.place.span.map(|span| sources.location(span));
    let lines = ["include:".to_owned(), format!("  - {FRAGMENT_FILE}")];
    Err(ByHand {
        why: format!(
            "there is a service `{name}` already, and its image does not say that it is this program: \
             give it another name"
        ),
        place,
        lines: lines.into(),
    })
}

/// Writes what is proposed. Blocking.
///
/// # Errors
/// A file has changed since it was read, or cannot be written; those before it have been.
pub fn write(proposal: &Proposal) -> Result<(), InitError> {
    for change in &proposal.files {
        if read(&change.path) != change.before {
            return Err(InitError::Changed { path: change.shown.clone() });
        }
    }
    for Change { path, shown, before, after } in &proposal.files {
        let written = match before {
            Some(_) => whole_file::replace_kept(path, after.as_bytes()),
            None => whole_file::create(path, after.as_bytes()),
        };
        written.map_err(|source| InitError::Write { path: shown.clone(), source })?;
    }
    Ok(())
}

/// The text of a file, if it is one, and UTF-8.
fn read(path: &Path) -> Option<String> {
    regular_file::text(path, LONGEST_PROJECT_TEXT).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_changed_meanwhile_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("compose.yaml");
        fs_err::write(&path, "services: {}\n# somebody else's\n").unwrap();
        let change = Change {
            path: path.clone(),
            shown: PathBuf::from("compose.yaml"),
            before: Some("services: {}\n".to_owned()),
            after: "services: {a: {}}\n".to_owned(),
        };
        let proposal = Proposal {
            gate: SERVICE.to_owned(),
            files: vec![change],
            services: Vec::new(),
            left: Vec::new(),
            sourceless: Vec::new(),
            models: None,
            is_narrow: false,
            no_gate: None,
        };
        assert!(matches!(write(&proposal), Err(InitError::Changed { .. })));
        let kept = fs_err::read_to_string(path).unwrap();
        assert_eq!(kept, "services: {}\n# somebody else's\n");
    }
}
