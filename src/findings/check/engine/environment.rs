//! Variables of a service that look like its engine's own, and that the engine does not read.

use std::collections::{HashMap, HashSet};

use super::complaints::is_secret;
use super::rules;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Severity};
use crate::plan::engine::{self, Elsewhere, Engine, Invocation, Meant, UnreadVariable};
use crate::project::{Project, Service};
use crate::source_map::{Place, Spanned};

/// What the environment of an engine says in vain.
pub static CHECK: Check =
    Check { rules: &[&rules::VARIABLE_UNKNOWN_TO_ENGINE], run: Run::Project(run) };

/// A variable of a service that starts an engine.
struct Subject<'a> {
    service: &'a Service,
    invocation: &'a Invocation,
    name: &'a str,
    value: &'a str,
    place: &'a Place,
    unread: UnreadVariable,
}

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let served: HashSet<&str> =
        facts.plan.lanes.iter().flat_map(|lane| &lane.services).map(String::as_str).collect();
    let services = &facts.project.services;
    let started: Vec<Option<Invocation>> = services.iter().map(engine::invocation).collect();
    let uses = Uses::of(facts.project, &started);
    for (service, invocation) in services.iter().zip(&started) {
        let Some(invocation) = invocation else { continue };
        let is_served = served.contains(service.name.value.as_str());
        // A script that was not seen and starts the engine may read anything.
        let is_read = invocation.unread.is_empty() || engine::unseen_text(service).is_none();
        if is_served && is_read {
            judge(&uses, service, invocation, findings);
        }
    }
}

/// What the variables of a project are used for beside their own service's engine.
struct Uses<'a> {
    /// Which engines, or none, the services start that have a variable of that name.
    holders: HashMap<&'a str, HashSet<Option<Engine>>>,
    /// The variables that Compose expands in a value other than their own, and that a health check
    /// names.
    expanded: HashSet<&'a str>,
    /// What the health checks say.
    health: String,
}

fn judge(uses: &Uses<'_>, service: &Service, invocation: &Invocation, findings: &mut Findings) {
    for (name, Spanned { value, place }) in &service.environment {
        // What no file states is the image's own.
        let Some(value) = value.as_deref().filter(|value| !value.is_empty()) else { continue };
        if place.span.is_none() || engine::names_variable(service, name) {
            continue;
        }
        let version = invocation.version.as_deref();
        let Some(unread) = invocation.engine.unread_variable(name, version) else { continue };
        let subject = Subject { service, invocation, name, value, place, unread };
        let is_for_others = subject.is_shared(uses) && !subject.is_plain_setting();
        if !is_for_others && !uses.expand(name) {
            findings.push(subject.finding());
        }
    }
}

impl<'a> Uses<'a> {
    /// `started` has how each service starts its engine, in the order of the project.
    fn of(project: &'a Project, started: &[Option<Invocation>]) -> Self {
        let mut holders: HashMap<&str, HashSet<Option<Engine>>> = HashMap::new();
        let mut expanded = HashSet::new();
        let mut health = String::new();
        for (service, invocation) in project.services.iter().zip(started) {
            for (name, value) in &service.environment {
                let engine = invocation.as_ref().map(|invocation| invocation.engine);
                holders.entry(name.as_str()).or_default().insert(engine);
                let others = value.place.variables.iter().filter(|variable| variable.name != *name);
                expanded.extend(others.map(|variable| variable.name.as_str()));
            }
            let words = service.words();
            let places = words
                .map(|word| &word.place)
                .chain(service.image.iter().map(|image| &image.place))
                .chain(service.mounts.iter().map(|mount| &mount.place))
                .chain(service.labels.values().map(|label| &label.place));
            let variables = places.flat_map(|place| &place.variables);
            expanded.extend(variables.map(|variable| variable.name.as_str()));
            let test = &project.document["services"][&service.name.value]["healthcheck"]["test"];
            health.push_str(&test.to_string());
        }
        Self { holders, expanded, health }
    }

    /// Whether something but the engine expands the variable: Compose, or the shell of a health check.
    fn expand(&self, name: &str) -> bool {
        let in_health =
            || ["$", "${"].iter().any(|sign| self.health.contains(&format!("{sign}{name}")));
        self.expanded.contains(name) || in_health()
    }
}

impl Subject<'_> {
    /// Whether a service that does not start this engine has the variable as well.
    fn is_shared(&self, uses: &Uses<'_>) -> bool {
        let engine = Some(self.invocation.engine);
        let holders = uses.holders.get(self.name);
        holders.is_some_and(|holders| holders.iter().any(|holder| *holder != engine))
    }

    /// Whether it can hardly be anything but a setting of the engine.
    fn is_plain_setting(&self) -> bool {
        match self.unread.meant {
            Meant::Flag { is_address, .. } => !is_address,
            Meant::Variable(_) => true,
            Meant::Any(_) => self.unread.elsewhere.is_some(),
        }
    }

    fn finding(&self) -> Finding {
        let finding = Finding::new(&rules::VARIABLE_UNKNOWN_TO_ENGINE, self.message(), self.fix())
            .service(self.service.name.value.as_str())
            .at(self.place);
        if self.is_strict() {
            finding.severity(Severity::Error)
        } else if self.may_be_the_image_s() {
            finding.severity(Severity::Note)
        } else {
            finding
        }
    }

    fn message(&self) -> String {
        let Self { name, unread, .. } = self;
        let engine = self.invocation.engine;
        let known = engine.command_line().known_variables.as_ref();
        let newest = known.map(|known| known.table.newest()).unwrap_or_default();
        let said = match (&unread.release, unread.elsewhere) {
            (None, _) => format!("no release of {} up to {newest} reads `{name}`", engine.name()),
            (Some(release), None) => format!("{} {release} does not read `{name}`", engine.name()),
            (Some(release), Some(Elsewhere::Earlier(last))) => {
                format!("{} {release} does not read `{name}` any more; {last} did", engine.name())
            }
            (Some(release), Some(Elsewhere::Later(first))) => {
                format!("{} {release} does not read `{name}`; {first} does", engine.name())
            }
        };
        if self.is_strict() {
            return format!("{said}, and it is told to end over that");
        }
        if self.may_be_the_image_s() {
            return format!("{said}, unless something in the image does");
        }
        said
    }

    fn fix(&self) -> String {
        let Self { name, service, .. } = self;
        let to = format!("to the `command` of service `{}`", service.name.value);
        match &self.unread.meant {
            Meant::Flag { flag, .. } if self.has_word(flag) => {
                format!("remove `{name}`: `{flag}` of the command is what counts")
            }
            Meant::Flag { flag, is_switch: true, .. } if is_off(self.value) => {
                format!("remove `{name}`: `{flag}` in the `command` would turn it on")
            }
            Meant::Flag { flag, is_switch: true, .. } => {
                format!("add `{flag}` {to}, and remove `{name}`")
            }
            Meant::Flag { flag, .. } => {
                format!("add `{flag} {}` {to}, and remove `{name}`", self.shown_value())
            }
            Meant::Variable(near) => format!("write `{near}` in place of `{name}`"),
            Meant::Any(likely) => match (self.unread.elsewhere, likely.as_slice()) {
                (Some(Elsewhere::Later(first)), _) => {
                    let engine = self.invocation.engine.name();
                    format!("take {engine} {first} or newer, or remove `{name}`")
                }
                (Some(Elsewhere::Earlier(_)), _) => format!("remove `{name}`"),
                (None, []) => format!("remove `{name}`, or correct its name"),
                (_, likely) => {
                    format!("remove `{name}`, or write what is meant: `{}`", likely.join("`, `"))
                }
            },
        }
    }

    /// Whether the engine is told to end over a variable that it does not know.
    fn is_strict(&self) -> bool {
        let known = self.invocation.engine.command_line().known_variables.as_ref();
        known.and_then(|known| known.strict).is_some_and(|flag| self.has_word(flag))
    }

    /// Whether something in somebody's own image may read it: a script that is its entrypoint, or a
    /// plugin.
    fn may_be_the_image_s(&self) -> bool {
        let own_entrypoint = self.service.entrypoint.as_ref().is_some_and(|it| !it.is_empty());
        let is_plain = own_entrypoint && self.is_plain_setting();
        !self.invocation.stock && !is_plain
    }

    fn has_word(&self, flag: &str) -> bool {
        let mut words = self.service.words();
        words.any(|word| word.value.split(['=', ' ']).any(|part| part == flag))
    }

    /// The value as a word of a command; `...` for a secret, and for what would have to be quoted.
    fn shown_value(&self) -> &str {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "._-/:,+@".contains(it);
        if is_secret(self.name) || !self.value.chars().all(is_plain) { "..." } else { self.value }
    }
}

/// Whether a value of a switch turns it off.
fn is_off(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "0" | "false" | "no" | "off")
}
