//! The secrets that a project hands to its services, as they are when Compose has read it.

use crate::project::{Project, Service};
use crate::report::redact::names::hides;
use crate::report::redact::{MOST_SECRETS, Redactor};

/// A shorter value could be a word that stands in other places by chance.
const SHORTEST: usize = 8;

/// What the project keeps as a secret, and the values of variables and flags that `redactor` takes for one. A value that is a part of a
/// name in the project is none: it would hide what the report is about.
#[must_use]
pub fn of(project: &Project, redactor: &Redactor) -> Vec<String> {
    let mut secrets: Vec<String> = project.secrets.clone();
    for service in &project.services {
        secrets.extend(variables(service, redactor));
        let words: Vec<&str> = service.words().map(|word| word.value.as_str()).collect();
        secrets.extend(redactor.secrets_of(&words).into_iter().map(str::to_owned));
    }
    kept(project, secrets)
}

/// Those of `secrets` that can be hidden wherever they stand.
#[must_use]
pub fn kept(project: &Project, mut secrets: Vec<String>) -> Vec<String> {
    secrets.retain(|secret| secret.len() >= SHORTEST);
    secrets.sort_unstable();
    secrets.dedup();
    secrets.truncate(MOST_SECRETS);
    let names: Vec<&str> = names(project).collect();
    let names = names.join("\n");
    secrets.retain(|secret| !names.contains(secret.as_str()));
    secrets
}

fn variables(service: &Service, redactor: &Redactor) -> Vec<String> {
    let mut secrets = Vec::new();
    for (name, value) in &service.environment {
        let Some(value) = value.value.as_deref() else { continue };
        if hides(name, value) {
            secrets.push(value.to_owned());
            continue;
        }
        let text = format!("{name}={value}");
        let found = redactor.secrets_in(&text).into_iter();
        secrets.extend(found.filter_map(|secret| text.get(secret).map(str::to_owned)));
    }
    secrets
}

fn names(project: &Project) -> impl Iterator<Item = &str> {
    let services = project.services.iter().flat_map(|service| {
        let image = service.image.as_ref().map(|image| image.value.as_str());
        [Some(service.name.value.as_str()), image].into_iter().flatten()
    });
    services.chain([project.name.as_str()])
}
