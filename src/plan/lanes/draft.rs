//! A lane while it is still being put together, field by field; the first to say a field wins.

use std::path::PathBuf;

use super::{ModelKind, Problem, Traced};
use crate::path::ServicePath;
use crate::plan::engine::Invocation;
use crate::plan::lanes::Level;
use crate::source::Source;
use crate::source_map::Place;

/// What has been said about a lane so far.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub name: String,
    pub place: Place,
    /// Whether somebody says that there are files to it: not so for a lane that only a catalogue
    /// knows, or of which only the address is said.
    pub declared: bool,
    pub services: Vec<String>,
    /// Whether a declaration or the URL says that these are all that serve it.
    pub settled: bool,
    /// The engines in whose environment a variable says where its model is: those that may be meant
    /// to serve it, where nobody says which does.
    pub spoken_in: Vec<String>,
    /// The other services in whose environment it does: its path may be one of theirs.
    pub told_in: Vec<String>,
    pub required: Option<bool>,
    pub kind: Option<ModelKind>,
    pub path: Option<Traced<Written>>,
    pub source: Option<Traced<Source>>,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub url: Option<Traced<String>>,
    pub model_name: Option<Traced<String>>,
    pub level: Option<Level>,
    pub invocation: Option<Invocation>,
    /// How its service starts its engine for another lane.
    pub standby: Option<Invocation>,
    /// What the command lines of its services open as their model.
    pub opened: Vec<Opened>,
    pub skipped: Option<String>,
    pub problems: Vec<Problem>,
}

/// A path that the command line of a service names as the model.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    pub service: String,
    pub path: Traced<ServicePath>,
}

/// A path as it was written: whose space it belongs to is settled last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// In the space of the lane's service, or of whichever service mounts it.
    InService(ServicePath),
    /// In a lane variable outside any engine: a host path or a service path.
    Somewhere(PathBuf),
    /// Below the models root of the host.
    UnderModelsRoot(PathBuf),
}

/// Every draft, in the order in which they were first spoken of.
#[derive(Debug, Default)]
pub(super) struct Drafts(pub Vec<Draft>);

impl Draft {
    pub(super) fn new(name: &str, place: Place) -> Self {
        Self {
            name: name.to_owned(),
            place,
            declared: false,
            services: Vec::new(),
            settled: false,
            spoken_in: Vec::new(),
            told_in: Vec::new(),
            required: None,
            kind: None,
            path: None,
            source: None,
            include: Vec::new(),
            exclude: Vec::new(),
            url: None,
            model_name: None,
            level: None,
            invocation: None,
            standby: None,
            opened: Vec::new(),
            skipped: None,
            problems: Vec::new(),
        }
    }

    /// Adds a service that opens the lane.
    pub(super) fn serve(&mut self, service: &str) {
        if !self.services.iter().any(|known| known == service) {
            self.services.push(service.to_owned());
        }
    }

    /// Notes an engine in whose environment its model is spoken of.
    pub(super) fn speak_in(&mut self, service: &str) {
        if !self.spoken_in.iter().any(|known| known == service) {
            self.spoken_in.push(service.to_owned());
        }
    }

    /// Whether `service` serves it, or may be meant to.
    pub(super) fn may_be_served_by(&self, service: &str) -> bool {
        let is_in = |services: &[String]| services.iter().any(|known| known == service);
        if self.settled {
            is_in(&self.services)
        } else {
            self.spoken_in.is_empty() || is_in(&self.spoken_in)
        }
    }

    /// Adds the service whose command line opens the lane: its space is the one that counts.
    pub(super) fn serve_first(&mut self, service: &str) {
        self.services.retain(|known| known != service);
        self.services.insert(0, service.to_owned());
    }
}

impl Drafts {
    /// The lane of that name, made at `place` if nobody has spoken of it yet.
    pub(super) fn lane(&mut self, name: &str, place: &Place) -> &mut Draft {
        let index = self.0.iter().position(|draft| draft.name == name).unwrap_or_else(|| {
            self.0.push(Draft::new(name, place.clone()));
            self.0.len() - 1
        });
        &mut self.0[index]
    }

    /// Whether a lane has that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|draft| draft.name == name)
    }
}

/// Takes what is said unless somebody stronger has said it.
pub(super) fn fill<T>(field: &mut Option<T>, said: Option<T>) {
    if field.is_none() {
        *field = said;
    }
}

/// A lane's name in the one spelling that is compared: lower case, `_` between words.
pub(super) fn lane_name(text: &str) -> String {
    text.trim().to_lowercase().replace(['-', ' '], "_")
}

impl Written {
    /// The path itself, in whatever space.
    pub(super) fn as_path(&self) -> &std::path::Path {
        match self {
            Self::InService(path) => path.as_path(),
            Self::Somewhere(path) | Self::UnderModelsRoot(path) => path,
        }
    }
}
