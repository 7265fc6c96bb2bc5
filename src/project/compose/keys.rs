//! Keys that Docker Compose does not know where they are written
//! (`additionalProperties: false` in compose-go v2.9.1 `schema/compose-spec.json`).

use super::fault::Fault;
use super::shape::SERVICE;
use super::tree::{Entry, Node};
use crate::project::Warning;
use crate::suggest;

/// The newest release of Docker Compose whose keys are known.
const NEWEST: &str = "5.5";

/// The keys of the top level that mean something.
pub(super) const TOP_LEVEL: [&str; 9] = [
    "name", "services", "networks", "volumes", "secrets", "configs", "models", "include", "version",
];

/// Whether what Compose does not know is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It is, as Compose does it.
    Refused,
    /// It is only told.
    Told,
}

/// A key that is none of `known` at `path`, which is empty at the top level.
pub(super) struct UnknownKey<'a> {
    pub(super) path: &'a str,
    pub(super) key: &'a str,
    pub(super) entry: &'a Entry,
}

impl UnknownKey<'_> {
    /// The refusal of it.
    pub(super) fn fault(&self, known: impl Iterator<Item = &'static str>) -> Fault {
        let fault = Fault::at(&self.entry.key_place(), self.message());
        fault.hint(self.hint(known))
    }

    /// The warning of it.
    pub(super) fn warning(&self, known: impl Iterator<Item = &'static str>) -> Warning {
        Warning {
            unknown_key: Some(self.hint(known)),
            ..Warning::new(self.message(), self.entry.key_place())
        }
    }

    fn message(&self) -> String {
        let dot = if self.path.is_empty() { "" } else { "." };
        format!("Docker Compose knows no key `{}{dot}{}`", self.path, self.key)
    }

    fn hint(&self, known: impl Iterator<Item = &'static str>) -> String {
        let Self { path, key, entry } = self;
        let is_service =
            ["image", "build", "command"].iter().any(|it| entry.value.get(it).is_some());
        if path.is_empty() && SERVICE.iter().any(|(name, _)| name == key) {
            return format!(
                "`{key}` is a key of a service: indent it below the name of its service"
            );
        }
        if path.is_empty() && is_service {
            return format!("services stand below `services:`; indent `{key}` there");
        }
        if !path.is_empty() && TOP_LEVEL.contains(key) {
            return format!("`{key}` is a key of the top level: begin its line without a space");
        }
        let likely = suggest::likely(key, known);
        likely.first().and_then(|name| suggest::question(&[name])).unwrap_or_else(|| {
            format!(
                "remove it, or name it `x-{key}`; with `--allow unknown-key` a Docker Compose newer \
                 than {NEWEST} may know it"
            )
        })
    }
}

/// The refusal of a manifest of Kubernetes.
pub(super) fn kubernetes(root: &Node) -> Option<Fault> {
    root.get("apiVersion")?;
    let kind = root.get("kind")?;
    let what = kind.printed().unwrap_or_default();
    let message = format!("this is a Kubernetes manifest (`kind: {what}`), not a Compose file");
    Some(kind.refuse(message).hint(
        "name it, and it is judged as one: `preflight -f FILE`, or `-f FOLDER` for all of a folder",
    ))
}

/// The warning of a key that Compose knows from `release` on.
pub(super) fn newer(path: &str, key: &str, entry: &Entry, release: &str) -> Warning {
    let message =
        format!("`{path}.{key}` needs Docker Compose {release}: an older one refuses the file");
    Warning {
        unknown_key: Some("`docker compose version` says which one starts the stack".to_owned()),
        ..Warning::new(message, entry.key_place())
    }
}
