//! A project as its created containers have it: what Docker resolved wins over what a file
//! says, and where the two disagree that is a fact. Pure.

mod sources;

use std::mem;

use indexmap::IndexMap;
use indexmap::map::Entry;

use self::sources::Sources;
use crate::look::Look;
use crate::path::{HostPath, ServicePath, clean};
use crate::project::docker::{Container, Observation};
use crate::project::{Mount, MountSource, Project, Service, Volume, VolumeKind};
use crate::source_map::{Place, Spanned};

/// Something that a created container has otherwise than the Compose file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The service.
    pub service: String,
    /// What differs: `mount /models`, `command`, `image`, `user`, `variable HF_HOME`.
    pub what: String,
    /// As the file says; of a variable that it sets one, never which.
    pub file: String,
    /// As the container has it; of a variable whether it has one, never which.
    pub container: String,
    /// Where the file says so.
    pub place: Place,
}

impl Project {
    /// Folds the inspected containers in: of every service that has one, the mounts, command,
    /// entrypoint, environment, user, groups, image and working directory are the container's. A
    /// value keeps the place of the one in the file that it stands for. What the image adds is no
    /// difference.
    #[must_use]
    pub fn observed(mut self, observation: &Observation) -> (Self, Vec<Difference>) {
        let own = self.preflight_service().map(|service| service.name.value.clone());
        let mut services = mem::take(&mut self.services);
        let mut differences = Vec::new();
        let sources = Sources::new(&self, observation);
        for service in &mut services {
            let Some(container) = observation.container(&self.name, &service.name.value) else {
                continue;
            };
            // `up` makes it anew before it starts it: its own never matter.
            if own.as_ref() != Some(&service.name.value) {
                variables(service, container, &mut differences);
            }
            let before = differences.len();
            merge(service, container, &sources, &mut differences);
            if own.as_ref() == Some(&service.name.value) {
                let is_known =
                    |it: &Difference| it.what != "image" || it.place.variables.is_empty();
                let own = differences.split_off(before);
                // What a variable of the caller's shell named, a container cannot know.
                differences.extend(own.into_iter().filter(is_known));
            }
        }
        self.services = services;
        self.learn_devices(observation);
        (self, differences)
    }

    /// Whether a container has everything as the file says of its service. Never so for a service
    /// that the file does not have.
    #[must_use]
    pub fn is_as_written(&self, container: &Container, observation: &Observation) -> bool {
        let service = container.service.as_deref().and_then(|name| self.service(name));
        let Some(mut service) = service.cloned() else { return false };
        let mut differences = Vec::new();
        variables(&service, container, &mut differences);
        let sources = Sources::new(self, observation);
        merge(&mut service, container, &sources, &mut differences);
        differences.is_empty()
    }

    /// The project that is known through the API alone. Absent if there is no container of a
    /// Compose project.
    #[must_use]
    pub fn from_observation(observation: &Observation) -> Option<Self> {
        let known = observation.siblings.iter().chain(&observation.myself);
        let name = known
            .filter(|container| container.service.is_some())
            .find_map(|container| container.project.clone())?;
        let mut services: IndexMap<&str, Service> = IndexMap::new();
        let mut directory = None;
        for container in observation.containers(&name) {
            directory = directory.or(container.project_directory());
            if let Some(service) = container.service.as_deref() {
                services.entry(service).or_insert_with(|| from_container(service, container));
            }
        }
        services.sort_keys();
        let services = services.into_values().collect();
        let directory = directory.filter(|path| path.starts_with('/')).unwrap_or("/");
        let mut project =
            Self { name, directory: HostPath::new(directory), services, ..Self::empty() };
        project.learn_devices(observation);
        Some(project)
    }

    /// The same of volumes that no container need have: one that has no device is none of the host's
    /// folders, whatever a file says.
    pub(super) fn learn_volumes(&mut self, observation: &Observation) {
        for volume in self.volumes.values_mut() {
            let Some(Look::Seen(found)) = observation.volumes.get(&volume.name) else { continue };
            let place = volume.device.as_ref().map(|device| device.place.clone());
            let place = place.unwrap_or_default();
            volume.device = found.device.clone().map(|device| Spanned::new(device, place));
        }
    }

    /// An existing volume keeps the options that it was made with, whatever a file says now.
    fn learn_devices(&mut self, observation: &Observation) {
        for (name, device) in &observation.volume_devices {
            let key = self.volumes.iter().find(|(_, volume)| volume.name == *name);
            let key = key.map_or_else(|| name.clone(), |(key, _)| key.clone());
            match self.volumes.entry(key) {
                Entry::Occupied(mut entry) => {
                    let volume = entry.get_mut();
                    let place = volume.device.as_ref().unwrap_or(&nowhere(device)).place.clone();
                    volume.device = Some(Spanned::new(device.clone(), place));
                }
                Entry::Vacant(entry) => {
                    entry.insert(Volume {
                        name: name.clone(),
                        external: false,
                        device: Some(nowhere(device)),
                        kind: VolumeKind::Engine,
                        place: Place::nowhere(),
                    });
                }
            }
        }
    }
}

fn nowhere(device: &HostPath) -> Spanned<HostPath> {
    Spanned::nowhere(device.clone())
}

fn from_container(name: &str, container: &Container) -> Service {
    let mut service = Service::named(Spanned::nowhere(name.to_owned()));
    service.labels = container
        .labels
        .iter()
        .map(|(name, value)| (name.clone(), Spanned::nowhere(value.clone())))
        .collect();
    service.depends_on.clone_from(&container.depends_on);
    service.restart = Some(Spanned::nowhere(container.restart.clone()));
    service.mounts.clone_from(&container.mounts);
    service.image = some_text(&container.image).map(Spanned::nowhere);
    service.command = Some(container.command.iter().cloned().map(Spanned::nowhere).collect());
    service.entrypoint = Some(container.entrypoint.iter().cloned().map(Spanned::nowhere).collect());
    service.environment = environment(&IndexMap::new(), container);
    service.user = some_text(&container.user).map(Spanned::nowhere);
    service.group_add.clone_from(&container.group_add);
    service.working_dir.clone_from(&container.working_dir);
    service.observed = true;
    service.has_image = true;
    service.image_labels.clone_from(&container.labels);
    service.image_made = container.created;
    service
}

fn merge(
    service: &mut Service,
    container: &Container,
    sources: &Sources<'_>,
    differences: &mut Vec<Difference>,
) {
    let mut report = Report { service: service.name.clone(), differences };
    service.mounts = mounts(&service.mounts, container, sources, &mut report);
    service.command = words("command", service.command.take(), &container.command, &mut report);
    service.entrypoint =
        words("entrypoint", service.entrypoint.take(), &container.entrypoint, &mut report);
    service.environment = environment(&service.environment, container);
    service.user = text("user", service.user.take(), &container.user, str::to_owned, &mut report);
    service.image = text("image", service.image.take(), &container.image, familiar, &mut report);
    service.group_add.clone_from(&container.group_add);
    service.working_dir = container.working_dir.clone().or(service.working_dir.take());
    service.observed = true;
    service.has_image = true;
    service.image_labels.clone_from(&container.labels);
    service.image_made = container.created;
}

/// Collects what differs in one service.
struct Report<'a> {
    service: Spanned<String>,
    differences: &'a mut Vec<Difference>,
}

impl Report<'_> {
    fn differs(&mut self, what: String, file: String, container: String, place: Option<&Place>) {
        self.differences.push(Difference {
            service: self.service.value.clone(),
            what,
            file,
            container,
            place: place.unwrap_or(&self.service.place).clone(),
        });
    }
}

/// The container's mounts: first those that the file has too, in its order.
fn mounts(
    file: &[Mount],
    container: &Container,
    sources: &Sources<'_>,
    report: &mut Report<'_>,
) -> Vec<Mount> {
    let target = |mount: &Mount| ServicePath::new(clean(mount.target.as_path()));
    let mut extra: Vec<&Mount> = container.mounts.iter().collect();
    let mut missing = Vec::new();
    let mut merged = Vec::new();
    for written in file {
        let Some(index) = extra.iter().position(|mount| target(mount) == target(written)) else {
            missing.push(written);
            continue;
        };
        let actual = extra.remove(index);
        merged.push(Mount { place: written.place.clone(), ..actual.clone() });
        if !sources.same(&written.source, &actual.source) {
            report.differs(
                format!("mount {}", target(written)),
                sources.of_file(&written.source),
                sources.of_container(&actual.source),
                Some(&written.place),
            );
        }
    }
    // Compose copies it in when it starts the container, which then still has no mount there.
    let is_copied = |mount: &&&Mount| matches!(mount.source, MountSource::Copied(_));
    merged.extend(missing.iter().filter(is_copied).map(|mount| (*mount).clone()));
    for written in missing.into_iter().filter(|mount| is_deliberate(mount)) {
        let what = format!("mount {}", target(written));
        let source = sources.of_file(&written.source);
        // The same source at another target is one difference, not two.
        let moved = extra.iter().position(|mount| sources.same(&written.source, &mount.source));
        if let Some(moved) = moved.map(|index| extra.remove(index)) {
            let place = written.place.clone();
            let actual = format!("{source} at {}", target(moved));
            report.differs(what, format!("{source} at {}", target(written)), actual, Some(&place));
            merged.push(Mount { place, ..moved.clone() });
        } else {
            report.differs(what, source, "nothing".to_owned(), Some(&written.place));
        }
    }
    // Which of its mounts a container has taken over from another one, it does not say.
    let inherits = !container.volumes_from.is_empty();
    for actual in extra {
        if is_deliberate(actual) && !is_api_socket(actual) && !inherits {
            let what = format!("mount {}", target(actual));
            report.differs(what, "nothing".to_owned(), sources.of_container(&actual.source), None);
        }
        merged.push(actual.clone());
    }
    merged
}

/// Anonymous volumes come from the image, and Compose keeps some kinds of mount elsewhere: their
/// absence on one side says nothing.
fn is_deliberate(mount: &Mount) -> bool {
    match mount.source {
        MountSource::Bind { .. } | MountSource::Volume { .. } => true,
        MountSource::Anonymous
        | MountSource::Tmpfs
        | MountSource::Copied(_)
        | MountSource::Other(_) => false,
    }
}

/// `use_api_socket` mounts it without a line under `volumes`.
fn is_api_socket(mount: &Mount) -> bool {
    mount.target.as_path().file_name().is_some_and(|name| name == "docker.sock")
}

/// The container's words. A service that says nothing, or clears them, has the image's own.
fn words(
    what: &str,
    file: Option<Vec<Spanned<String>>>,
    container: &[String],
    report: &mut Report<'_>,
) -> Option<Vec<Spanned<String>>> {
    let written = file.unwrap_or_default();
    let same = written.iter().map(|word| &word.value).eq(container);
    if same || written.is_empty() {
        let words = container.iter().cloned().map(Spanned::nowhere).collect();
        return Some(if same { written } else { words });
    }
    let texts: Vec<&str> = written.iter().map(|word| word.value.as_str()).collect();
    let actual: Vec<&str> = container.iter().map(String::as_str).collect();
    let from = texts.iter().zip(&actual).take_while(|(one, other)| one == other).count();
    let rest = |words: &[&str]| words.len().saturating_sub(from);
    let behind =
        texts.iter().rev().zip(actual.iter().rev()).take_while(|(one, other)| one == other);
    let behind = behind.count().min(rest(&texts)).min(rest(&actual));
    let place = written.get(from).or(written.last()).map(|word| &word.place);
    report.differs(
        what.to_owned(),
        differing(&texts, from, behind),
        differing(&actual, from, behind),
        place,
    );
    // Words before and behind the difference keep their places, those in it are at its beginning.
    let placed = container.iter().enumerate().map(|(index, word)| {
        let from_end = container.len() - index;
        let twin = if index < from {
            written.get(index)
        } else if from_end <= behind {
            written.len().checked_sub(from_end).and_then(|index| written.get(index))
        } else {
            written.get(from).or(written.last())
        };
        Spanned::new(word.clone(), twin.map(|word| word.place.clone()).unwrap_or_default())
    });
    Some(placed.collect())
}

/// What lies between the words that are the same, with one word before it to know where.
fn differing(words: &[&str], from: usize, behind: usize) -> String {
    let start = from.saturating_sub(1);
    let end = words.len().saturating_sub(behind);
    let quoted = words.get(start..end).unwrap_or_default().iter().map(|word| {
        if word.is_empty() || word.contains(char::is_whitespace) {
            format!("'{word}'")
        } else {
            (*word).to_owned()
        }
    });
    let before = (start > 0).then(|| "...".to_owned());
    let after = (behind > 0).then(|| "...".to_owned());
    before.into_iter().chain(quoted).chain(after).collect::<Vec<_>>().join(" ")
}

/// The variables that the file sets and that the container has otherwise or not at all; no value is
/// kept. What is taken from the caller's environment, and the folder that he called Compose in, is
/// not in the file; what only the container has is the image's.
fn variables(service: &Service, container: &Container, differences: &mut Vec<Difference>) {
    for (name, written) in &service.environment {
        let says_where_he_was = written.place.variables.iter().any(|it| it.name == "PWD");
        let Some(value) = written.value.as_ref().filter(|_| !says_where_he_was) else { continue };
        let actual = container.environment.get(name).and_then(Option::as_ref);
        if actual == Some(value) {
            continue;
        }
        let place = if written.place.span.is_some() { &written.place } else { &service.name.place };
        differences.push(Difference {
            service: service.name.value.clone(),
            what: format!("variable {name}"),
            file: "a value".to_owned(),
            container: if actual.is_some() { "another value" } else { "no value" }.to_owned(),
            place: place.clone(),
        });
    }
}

/// The container's variables, the image's included.
fn environment(
    file: &IndexMap<String, Spanned<Option<String>>>,
    container: &Container,
) -> IndexMap<String, Spanned<Option<String>>> {
    let written = file.iter().filter_map(|(name, value)| {
        let seen = container.environment.get(name)?;
        Some((name.clone(), Spanned::new(seen.clone(), value.place.clone())))
    });
    // Compose gives Docker the variables in another order each time.
    let mut others: Vec<_> =
        container.environment.iter().filter(|(name, _)| !file.contains_key(*name)).collect();
    others.sort();
    let others = others.into_iter();
    let others = others.map(|(name, value)| (name.clone(), Spanned::nowhere(value.clone())));
    written.chain(others).collect()
}

/// The container's value of a scalar; compared in the form that `normal` gives both.
fn text(
    what: &str,
    file: Option<Spanned<String>>,
    container: &str,
    normal: impl Fn(&str) -> String,
    report: &mut Report<'_>,
) -> Option<Spanned<String>> {
    let Some(written) = file else {
        return some_text(container).map(Spanned::nowhere);
    };
    if normal(&written.value) == normal(container) {
        return Some(written);
    }
    let actual = if container.is_empty() { "nothing" } else { container };
    let place = written.place;
    report.differs(what.to_owned(), written.value, actual.to_owned(), Some(&place));
    some_text(container).map(|value| Spanned::new(value, place))
}

fn some_text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// An image reference without what is understood anyway: Podman writes it out.
fn familiar(image: &str) -> String {
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    let image = image.strip_prefix("localhost/").unwrap_or(image);
    let image = image.strip_prefix("library/").unwrap_or(image);
    image.strip_suffix(":latest").unwrap_or(image).to_owned()
}

#[cfg(test)]
mod tests;
