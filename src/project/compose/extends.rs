//! `extends` (compose-go v2.9.1 `loader/extends.go`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::canonical;
use super::fault::Fault;
use super::files::{absolute, is_remote};
use super::loader::{Loader, Scope, interpolated};
use super::merge;
use super::paths;
use super::tree::{Entry, Kind, Mapping, Node};
use super::unique;
use crate::source_map::Place;
use crate::suggest;

/// How long a chain of services may be.
const CHAIN_LIMIT: usize = 100;

/// Replaces every service that extends another one by the merge of both.
pub(super) fn apply(
    loader: &mut Loader<'_>,
    scope: &Scope,
    file: &Path,
    root: &mut Node,
    resets: &[Vec<String>],
) -> Result<(), Fault> {
    let Some(services) = root.get_mut("services") else { return Ok(()) };
    if services.as_mapping().is_none() {
        return Err(services.expected("services", "a mapping"));
    }
    let Some(entries) = services.as_mapping_mut() else { return Ok(()) };
    let names: Vec<String> = entries.keys().cloned().collect();
    let mut services = std::mem::take(entries);
    let mut bases = Bases::new();
    for name in names {
        if services.get(&name).is_some_and(stands_alone) {
            continue;
        }
        let mut chain = Chain { loader, scope, top: file, seen: Vec::new(), bases: &mut bases };
        chain.service(file, &name, &mut services, resets)?;
    }
    root.insert_services(services);
    Ok(())
}

/// Whether a service extends no other.
fn stands_alone(service: &Entry) -> bool {
    service.value.as_mapping().is_some_and(|entries| !entries.contains_key("extends"))
}

impl Node {
    fn insert_services(&mut self, services: Mapping) {
        if let Some(node) = self.get_mut("services") {
            node.kind = Kind::Mapping(services);
        }
    }
}

/// The files that services of one file extend from, each read once.
type Bases = HashMap<PathBuf, Base>;

/// A file that services are extended from.
#[derive(Clone)]
struct Base {
    services: Mapping,
    resets: Vec<Vec<String>>,
}

struct Chain<'a, 'b> {
    loader: &'a mut Loader<'b>,
    scope: &'a Scope,
    /// The file that is being loaded.
    top: &'a Path,
    /// Files as they are named, and the services that extend one of theirs.
    seen: Vec<(PathBuf, String)>,
    bases: &'a mut Bases,
}

/// What a service extends.
struct Reference {
    service: String,
    file: Option<String>,
    place: Place,
}

impl Reference {
    /// The refusal of this, with the name that may be meant.
    fn meant<'a>(&self, fault: Fault, known: impl Iterator<Item = &'a String>) -> Fault {
        let likely = suggest::likely(&self.service, known.map(String::as_str));
        suggest::question(&likely).into_iter().fold(fault, Fault::hint)
    }
}

impl Chain<'_, '_> {
    /// The service with what it extends merged in, which is put into `services` too; `None` if it
    /// is null.
    fn service(
        &mut self,
        file: &Path,
        name: &str,
        services: &mut Mapping,
        resets: &[Vec<String>],
    ) -> Result<Option<Node>, Fault> {
        let Some(node) = services.get(name).map(|entry| entry.value.clone()) else {
            return Ok(None);
        };
        if node.is_null() {
            return Ok(None);
        }
        let Some(entries) = node.as_mapping() else {
            return Err(node.expected(&format!("services.{name}"), "a mapping"));
        };
        let Some(extends) = entries.get("extends") else { return Ok(Some(node)) };
        let reference = reference(name, &extends.value)?;
        let base = match &reference.file {
            Some(other) => self.base_of_file(file, name, &reference, other)?,
            None => {
                if !services.contains_key(&reference.service) {
                    let fault = Fault::at(
                        &reference.place,
                        format!(
                            "service `{name}` extends `{}`, which is not in this file",
                            reference.service
                        ),
                    );
                    let others = services.keys().filter(|other| *other != name);
                    return Err(reference.meant(fault, others));
                }
                // Even in another file Compose takes the service for one of the first.
                self.enter(self.top, name, &reference.place)?;
                self.service(file, &reference.service, services, &[])?
            }
        };
        let Some(base) = base else { return Ok(Some(node)) };
        self.loader.repeat(base.values(), &reference.place)?;
        let mut merged = self.merged(name, base, node, resets)?;
        if let Some(entries) = merged.as_mapping_mut() {
            entries.shift_remove("extends");
        }
        if let Some(entry) = services.get_mut(name) {
            entry.value = merged.clone();
        }
        Ok(Some(merged))
    }

    fn merged(
        &self,
        name: &str,
        base: Node,
        service: Node,
        resets: &[Vec<String>],
    ) -> Result<Node, Fault> {
        let nowhere = Place::nowhere();
        let mut services = Node::mapping([], &nowhere);
        services.insert(name, base);
        let mut model = Node::mapping([("services", services)], &nowhere);
        merge::reset(&mut model, resets);
        let base = model.get("services").and_then(|services| services.get(name)).cloned();
        merge::merge_service(base.unwrap_or_else(|| Node::mapping([], &nowhere)), service)
    }

    fn enter(&mut self, file: &Path, name: &str, place: &Place) -> Result<(), Fault> {
        let step = (file.to_path_buf(), name.to_owned());
        if self.seen.contains(&step) || self.seen.len() >= CHAIN_LIMIT {
            let names: Vec<&str> = self.seen.iter().map(|(_, name)| name.as_str()).collect();
            return Err(Fault::at(
                place,
                format!(
                    "services extend each other in a circle: `{}`, `{name}`",
                    names.join("`, `")
                ),
            ));
        }
        self.seen.push(step);
        Ok(())
    }

    /// The base from another file: neither includes nor env files of its own, its paths resolved.
    fn base_of_file(
        &mut self,
        from: &Path,
        name: &str,
        reference: &Reference,
        other: &str,
    ) -> Result<Option<Node>, Fault> {
        if is_remote(other) {
            let feature = format!("`extends` from the remote file `{other}`");
            return Err(Fault::unsupported(&reference.place, feature));
        }
        let path = absolute(&self.scope.directory, Path::new(other));
        let named = Path::new(other);
        self.enter(
            named.strip_prefix(&self.scope.directory).unwrap_or(named),
            name,
            &reference.place,
        )?;
        let missing = |what: &str| {
            let shown = from.display();
            Fault::at(
                &reference.place,
                format!(
                    "service `{name}` of `{shown}` extends `{}`, but {what}",
                    reference.service
                ),
            )
        };
        if !self.loader.has_file(&path) {
            return Err(missing(&format!("there is no file `{}`", path.display())));
        }
        if !self.bases.contains_key(&path) {
            let base = self.read_base(&path)?;
            self.bases.insert(path.clone(), base);
        }
        let base = self.bases.get(&path);
        let Some((base, service)) =
            base.and_then(|base| Some((base, base.services.get(&reference.service)?)))
        else {
            let fault = missing(&format!("it is not in `{}`", path.display()));
            let known = base.iter().flat_map(|base| base.services.keys());
            return Err(reference.meant(fault, known));
        };
        if stands_alone(service) {
            return Ok(Some(service.value.clone()));
        }
        let Base { mut services, resets } = base.clone();
        self.service(&path, &reference.service, &mut services, &resets)
    }

    /// The services of another file, without what they extend in turn.
    fn read_base(&mut self, path: &Path) -> Result<Base, Fault> {
        let mut model = Node::mapping([], &Place::nowhere());
        let mut resets = Vec::new();
        for document in self.loader.parse(path)?.documents {
            let known = self.loader.warnings.len();
            let root = interpolated(self.loader, self.scope, document.root)?;
            // Whose they become is not known here.
            let warnings = self.loader.warnings.iter_mut().skip(known);
            warnings.for_each(|warning| warning.service = None);
            merge::reset(&mut model, &document.resets);
            model = merge::merge(model, root)?;
            unique::enforce(&mut model)?;
            canonical::transform(&mut model, &mut self.loader.warnings, self.loader.unknown)?;
            unique::enforce(&mut model)?;
            resets = document.resets;
        }
        let directory = path.parent().unwrap_or(&self.scope.directory).to_path_buf();
        paths::resolve(&mut model, &directory, self.loader)?;
        let services = model.as_mapping_mut().and_then(|entries| entries.shift_remove("services"));
        let services = match services.map(|entry| entry.value.kind) {
            Some(Kind::Mapping(services)) => services,
            _ => Mapping::default(),
        };
        Ok(Base { services, resets })
    }
}

fn reference(name: &str, node: &Node) -> Result<Reference, Fault> {
    let place = node.place.clone();
    if let Some(service) = node.as_str() {
        return Ok(Reference { service: service.to_owned(), file: None, place });
    }
    let Some(service) = node.get("service") else {
        return Err(node.refuse(format!("`extends` of `{name}` needs `service`")));
    };
    let place = service.place.clone();
    let Some(service) = service.as_str() else {
        return Err(service.expected("extends.service", "a string"));
    };
    let file = match node.get("file") {
        Some(file) if !file.is_null() => {
            Some(file.as_str().ok_or_else(|| file.expected("extends.file", "a string"))?.to_owned())
        }
        _ => None,
    };
    Ok(Reference { service: service.to_owned(), file, place })
}
