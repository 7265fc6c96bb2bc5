//! Changes, one after the other, each kept only if the project that has it differs from the one before
//! in what is wanted and in nothing else.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::Value;

use super::difference::{Wanted, unwanted};
use super::{ByHand, Change, SERVICE, State, read};
use crate::options::ProjectOptions;
use crate::project::compose::edit::{self, Way};
use crate::project::compose::{self, Drafts};
use crate::project::{COMPLETED, Project};
use crate::source_map::SourceMap;

/// A project and what has been changed so far.
pub(super) struct Trial<'a> {
    /// The service that is waited for.
    pub(super) gate: String,
    before: &'a Project,
    /// As the project is looked at, with every profile, and as the user has it.
    options: (&'a ProjectOptions, &'a ProjectOptions),
    /// Whether the project can be loaded as the user has it.
    loads: bool,
    /// The files that may be changed, in the order in which that is tried.
    files: Vec<PathBuf>,
    /// The files that the project consists of and that are no part of its folder.
    foreign: Vec<PathBuf>,
    wanted: Wanted,
    /// What is in those that may be changed: a change is made to this alone.
    originals: HashMap<PathBuf, String>,
    drafts: Drafts,
    /// The project as it is by now.
    current: Option<Project>,
}

impl<'a> Trial<'a> {
    pub(super) fn new(
        before: &'a Project,
        options: (&'a ProjectOptions, &'a ProjectOptions),
        main: Vec<PathBuf>,
        targets: BTreeSet<String>,
    ) -> Self {
        let others = before.files.iter().filter(|file| !main.contains(file));
        let (own, foreign): (Vec<PathBuf>, Vec<PathBuf>) =
            others.cloned().partition(|file| file.starts_with(before.directory.as_path()));
        let files: Vec<PathBuf> = main.into_iter().chain(own).collect();
        let originals = files.iter().filter_map(|file| Some((file.clone(), read(file)?)));
        let originals = originals.collect();
        let loads = compose::load(options.1, &mut SourceMap::default()).is_ok();
        Self {
            gate: SERVICE.to_owned(),
            before,
            options,
            loads,
            files,
            originals,
            foreign,
            wanted: Wanted { targets, ..Wanted::default() },
            drafts: Drafts::default(),
            current: None,
        }
    }

    fn current(&self) -> &Project {
        self.current.as_ref().unwrap_or(self.before)
    }

    /// The text of a file as it is by now.
    fn text(&self, path: &Path) -> Option<String> {
        let known = self.drafts.get(path).or_else(|| self.originals.get(path)).cloned();
        known.or_else(|| read(path))
    }

    fn shown(&self, path: &Path) -> PathBuf {
        compose::shown(self.options.0, path)
    }

    /// Includes the fragment, which is put beside the Compose file if it is not there.
    pub(super) fn include(&mut self, name: &str, fragment: &str) -> Result<(), ByHand> {
        let by_hand = |why: String| ByHand {
            why,
            place: None,
            lines: vec!["include:".to_owned(), format!("  - {name}")],
        };
        let path = self.before.directory.as_path().join(name);
        let is_there = path.symlink_metadata().is_ok();
        let main = self.files.first().cloned().unwrap_or_default();
        let Some(text) = self.text(&main) else {
            let shown = self.shown(&main);
            return Err(by_hand(format!("`{}` is no file of UTF-8 text", shown.display())));
        };
        let ways = edit::include(&text, name);
        let ways = ways.map_err(|obstacle| by_hand(format!("in its `include`, {obstacle}")))?;
        self.wanted.gate = Some(self.gate.clone());
        let mut why = String::new();
        for way in ways {
            let mut drafts = self.drafts.clone();
            if !is_there {
                drafts.insert(path.clone(), fragment.to_owned());
            }
            drafts.insert(main.clone(), edit::applied(&text, &way.edits));
            match self.keep(drafts, &way) {
                Ok(()) if self.current().service(&self.gate).is_some() => return Ok(()),
                Ok(()) => {
                    self.drafts.clear();
                    self.current = None;
                    why = format!("`{name}` is there already, and has no service `{}`", self.gate);
                }
                Err(found) => why = found,
            }
        }
        if is_there && self.text(&path).is_none_or(|text| text != fragment) {
            why = format!("`{name}` is there already, and is something else");
        }
        Err(by_hand(why))
    }

    /// Lets every target wait, if there is somebody to wait for, and says of each whether it does.
    pub(super) fn wait(&mut self, is_waited_for: bool, sources: &SourceMap) -> Vec<State> {
        let targets: Vec<String> = {
            let services = self.before.services.iter().map(|service| &service.name.value);
            services.filter(|name| self.wanted.targets.contains(*name)).cloned().collect()
        };
        let mut states: IndexMap<String, State> = IndexMap::new();
        let (extending, others): (Vec<_>, Vec<_>) =
            targets.iter().partition(|target| self.extends(target));
        for target in others.into_iter().chain(extending) {
            let state = if waits(self.before, target, &self.gate) {
                State::Waits
            } else if !is_waited_for {
                self.by_hand(target, "there is no service yet to wait for".to_owned(), sources)
            } else if waits(self.current(), target, &self.gate) {
                State::WillWait
            } else {
                match self.make_wait(target) {
                    Ok(()) => State::WillWait,
                    Err(why) => self.by_hand(target, why, sources),
                }
            };
            states.insert(target.clone(), state);
        }
        targets.iter().filter_map(|target| states.shift_remove(target)).collect()
    }

    fn extends(&self, service: &str) -> bool {
        let mut texts = self.files.iter().filter_map(|file| self.text(file));
        texts.any(|text| edit::extends(&text, service))
    }

    fn make_wait(&mut self, service: &str) -> Result<(), String> {
        let edges = self.before.service(service).into_iter().flat_map(|it| &it.depends_on);
        if edges.into_iter().any(|edge| edge.service == self.gate && !edge.required) {
            return Err("it starts without waiting: its edge says `required: false`".to_owned());
        }
        let mut why = None;
        for file in self.files.clone() {
            let Some(text) = self.text(&file) else { continue };
            let ways = match edit::wait(&text, service, &self.gate) {
                Ok(ways) => ways,
                Err(obstacle) => {
                    why.get_or_insert_with(|| format!("it is not edited: {obstacle}"));
                    continue;
                }
            };
            for way in ways {
                let mut drafts = self.drafts.clone();
                drafts.insert(file.clone(), edit::applied(&text, &way.edits));
                match self.keep_if(drafts, &way, service) {
                    Ok(()) => return Ok(()),
                    Err(found) => {
                        why.get_or_insert(found);
                    }
                }
            }
        }
        let foreign = || match self.foreign.first() {
            Some(file) => {
                let shown = self.shown(file);
                format!("it stands in `{}`, which is not in the project's folder", shown.display())
            }
            None => "no file says it in a form that is edited".to_owned(),
        };
        Err(why.unwrap_or_else(foreign))
    }

    /// Takes `drafts` if `service` waits then and nothing else is different.
    fn keep_if(&mut self, drafts: Drafts, way: &Way, service: &str) -> Result<(), String> {
        let (before, current) = (self.drafts.clone(), self.current.take());
        let extensions = self.wanted.extensions.clone();
        let kept = match self.keep(drafts, way) {
            Ok(()) if waits(self.current(), service, &self.gate) => return Ok(()),
            Ok(()) => Err("a later file takes what is written for it away".to_owned()),
            Err(why) => Err(why),
        };
        self.drafts = before;
        self.current = current;
        self.wanted.extensions = extensions;
        kept
    }

    /// Takes `drafts` if nothing is different that should not be.
    fn keep(&mut self, drafts: Drafts, way: &Way) -> Result<(), String> {
        let load = |options| {
            let loaded = compose::load_drafts(options, drafts.clone(), &mut SourceMap::default());
            loaded.map_err(|error| format!("the project would not load any more: {error}"))
        };
        let after = load(self.options.0)?;
        if self.loads {
            load(self.options.1)?;
        }
        let mut wanted = self.wanted.clone();
        wanted.extensions.extend(way.extensions.iter().cloned());
        if let Some(place) = unwanted(self.before, &after, &wanted, &self.gate) {
            return Err(format!("`{place}` would change as well"));
        }
        self.wanted = wanted;
        self.drafts = drafts;
        self.current = Some(after);
        Ok(())
    }

    /// What a person has to write for a service: all of its edges, those as well that are there.
    fn by_hand(&self, service: &str, why: String, sources: &SourceMap) -> State {
        let written = self.before.service(service).and_then(|service| service.name.place.span);
        let mut lines =
            vec!["services:".to_owned(), format!("  {service}:"), "    depends_on:".into()];
        lines.extend(edges(self.before, service, &self.gate));
        lines.push(format!("      {}: {{condition: {COMPLETED}}}", self.gate));
        State::ByHand(ByHand { why, place: written.map(|span| sources.location(span)), lines })
    }

    /// Every file that is different by now; a new one first.
    pub(super) fn changes(&self) -> Vec<Change> {
        let changes = self.drafts.iter().map(|(path, after)| Change {
            path: path.clone(),
            shown: self.shown(path),
            before: self.originals.get(path).cloned(),
            after: after.clone(),
        });
        let mut changes: Vec<Change> =
            changes.filter(|change| change.before.as_ref() != Some(&change.after)).collect();
        changes.sort_by_key(|change| change.before.is_some());
        changes
    }
}

/// Whether a service waits until `gate` is done.
fn waits(project: &Project, service: &str, gate: &str) -> bool {
    let mut edges = project.service(service).into_iter().flat_map(|service| &service.depends_on);
    edges.any(|edge| edge.service == gate && project.gates(edge))
}

/// The edges that a service has, other than the one to `gate`, a line each.
fn edges(project: &Project, service: &str, gate: &str) -> Vec<String> {
    let is_written = |name: &String| {
        let edges = project.service(service).into_iter().flat_map(|service| &service.depends_on);
        edges.filter(|edge| edge.place.span.is_some()).any(|edge| edge.service == *name)
    };
    let written = &project.document["services"][service]["depends_on"];
    let edges = written.as_object().into_iter().flatten();
    let edges = edges.filter(|(name, _)| *name != gate && is_written(name));
    edges.map(|(name, edge)| format!("      {name}: {{{}}}", attributes(edge))).collect()
}

fn attributes(edge: &Value) -> String {
    let is_said =
        |(key, value): &(&String, &Value)| *key != "required" || value.as_bool() != Some(true);
    let attribute = |(key, value): (&String, &Value)| match value.as_str() {
        Some(text) => format!("{key}: {text}"),
        None => format!("{key}: {value}"),
    };
    let attributes = edge.as_object().into_iter().flatten().filter(is_said).map(attribute);
    attributes.collect::<Vec<_>>().join(", ")
}
