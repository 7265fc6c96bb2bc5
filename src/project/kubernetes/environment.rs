//! What variables a container is given (kubernetes 1.34 pkg/kubelet/kubelet_pods.go,
//! `makeEnvironmentVariables`): those of `envFrom`, and over them those of `env`, in order.

use indexmap::IndexMap;

use super::contents::Contents;
use super::expansion::expand;
use super::placeholders::Readers;
use super::pods::Pod;
use super::{items, text};
use crate::project::compose::tree::Node;
use crate::source_map::{Place, Spanned};

/// A value of a variable, where it is written.
type Value = Spanned<Option<String>>;

/// The variables of a container.
#[derive(Default)]
pub(super) struct Variables {
    /// Those whose values are known.
    pub(super) known: IndexMap<String, Value>,
    /// Who says the others.
    pub(super) elsewhere: IndexMap<String, Spanned<String>>,
    /// What may say any other.
    pub(super) open: Option<Spanned<String>>,
    /// What nobody has filled in, in words.
    pub(super) placeholders: Vec<Spanned<String>>,
    /// The same as whole values of variables.
    pub(super) unfilled: Vec<Spanned<String>>,
    readers: Readers,
}

impl Variables {
    pub(super) fn of(container: &Node, contents: &Contents<'_>, pod: &Pod<'_>) -> Self {
        let namespace = pod.namespace;
        let readers = Readers::of(pod, container);
        let mut variables = Self { readers, ..Self::default() };
        for item in items(container, "envFrom") {
            variables.take_all(item, contents, namespace);
        }
        for item in items(container, "env") {
            let Some(name) = text(item, "name") else { continue };
            variables.take(&name, item, contents, namespace);
        }
        variables
    }

    /// Whether a variable of that name is there, whoever says its value.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.known.contains_key(name) || self.elsewhere.contains_key(name)
    }

    /// A word of the container with its variables replaced. Those that are said elsewhere stay as they
    /// are written.
    pub(super) fn word(&mut self, node: &Node) -> Option<Spanned<String>> {
        let text = node.printed()?;
        if let Some(found) = self.readers.first(&text) {
            self.placeholders.push(Spanned::new(found.to_owned(), node.place.clone()));
        }
        Some(Spanned::new(self.expanded(&text).0, node.place.clone()))
    }

    /// The value of a variable, or who says it where a placeholder stands in it.
    fn filled_in(&mut self, text: String, place: &Place) -> Result<Value, Spanned<String>> {
        let Some(found) = self.readers.without_shell().first(&text) else {
            return Ok(Spanned::new(Some(text), place.clone()));
        };
        if found == text.trim() {
            self.unfilled.push(Spanned::new(found.to_owned(), place.clone()));
        }
        Err(Spanned::new(format!("whoever fills in `{found}`"), place.clone()))
    }

    fn put(&mut self, name: String, value: Result<Value, Spanned<String>>) {
        match value {
            Ok(value) => {
                self.elsewhere.shift_remove(&name);
                self.known.insert(name, value);
            }
            Err(says) => {
                self.known.shift_remove(&name);
                self.elsewhere.insert(name, says);
            }
        }
    }

    /// A text with its variables replaced, and who says what is missing in it.
    pub(super) fn expanded(&mut self, text: &str) -> (String, Option<Spanned<String>>) {
        let mut missing: Option<Spanned<String>> = None;
        let is_script = text.contains(char::is_whitespace);
        let expanded = expand(text, &mut |name| {
            if let Some(value) = self.known.get(name) {
                return value.value.clone();
            }
            let open = self.open.as_ref().filter(|_| is_key(name));
            let elsewhere = self.elsewhere.get(name).or(open).cloned();
            // In a script it is a command of the shell, which only hides what it stands for.
            let elsewhere = elsewhere.or_else(|| from_cluster(name).filter(|_| !is_script));
            if let Some(says) = elsewhere {
                self.elsewhere.insert(name.to_owned(), says.clone());
                missing.get_or_insert(says);
            }
            None
        });
        (expanded, missing)
    }

    fn take_all(&mut self, item: &Node, contents: &Contents<'_>, namespace: &str) {
        let prefix = text(item, "prefix").map(|prefix| prefix.value).unwrap_or_default();
        for (key, kind) in [("configMapRef", "ConfigMap"), ("secretRef", "Secret")] {
            let Some(name) = item.get(key).and_then(|node| text(node, "name")) else { continue };
            let Some(held) = contents.get(kind, &name.value, namespace) else {
                let says = Spanned::new(format!("the {kind} `{}`", name.value), name.place);
                if kind == "ConfigMap" {
                    self.may_be_replaced(&prefix, &says);
                }
                self.open = Some(says);
                continue;
            };
            for (key, value) in &held.texts {
                let name = format!("{prefix}{key}");
                let value = self.filled_in(value.value.clone(), &value.place);
                self.put(name, value);
            }
        }
    }

    /// A source that is not known may say anew what those before it said: as defaults and what differs
    /// from them do. Secrets hold what no other source has.
    fn may_be_replaced(&mut self, prefix: &str, says: &Spanned<String>) {
        let (replaced, kept) = std::mem::take(&mut self.known)
            .into_iter()
            .partition(|(name, _)| name.starts_with(prefix));
        self.known = kept;
        let replaced: IndexMap<_, _> = replaced;
        self.elsewhere.extend(replaced.into_keys().map(|name| (name, says.clone())));
    }

    fn take(
        &mut self,
        name: &Spanned<String>,
        item: &Node,
        contents: &Contents<'_>,
        namespace: &str,
    ) {
        let said = item.get("value").filter(|node| !node.is_null());
        let written = said.and_then(|node| Some((node.printed()?, &node.place)));
        let written = written.filter(|(text, _)| !text.is_empty());
        let from = item.get("valueFrom").filter(|node| !node.is_null());
        let value = match (written, from) {
            (Some((text, place)), _) => match self.expanded(&text) {
                (_, Some(says)) => Err(says),
                (text, None) => self.filled_in(text, place),
            },
            (None, Some(from)) => match from_elsewhere(from, contents, namespace) {
                Ok(Spanned { value: Some(text), place }) => self.filled_in(text, &place),
                said => said,
            },
            (None, None) => {
                let place = said.map_or(&name.place, |node| &node.place);
                Ok(Spanned::new(Some(String::new()), place.clone()))
            }
        };
        self.put(name.value.clone(), value);
    }
}

/// Whether a `ConfigMap` or a `Secret` may have a text of that name (kubernetes 1.34
/// apimachinery/pkg/util/validation/validation.go, `IsConfigMapKey`).
fn is_key(name: &str) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    !name.is_empty() && name.chars().all(is_part)
}

/// Who may say a variable that the manifest does not: the kubelet those of services, controllers those of
/// their own (`VLLM_SERVICE_PORT`, `LWS_GROUP_SIZE`, `JOB_COMPLETION_INDEX`). What is called as no such
/// variable is, is a command of a shell: `$(nproc)`.
fn from_cluster(name: &str) -> Option<Spanned<String>> {
    let is_part = |it: char| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_';
    let is_name = name.starts_with(|it: char| it.is_ascii_uppercase() || it == '_');
    (is_name && name.chars().all(is_part)).then(|| Spanned::nowhere("the cluster".to_owned()))
}

/// The value that `valueFrom` names, or who says it.
fn from_elsewhere(
    from: &Node,
    contents: &Contents<'_>,
    namespace: &str,
) -> Result<Value, Spanned<String>> {
    for (key, kind) in [("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")] {
        let Some(node) = from.get(key) else { continue };
        let name = text(node, "name").map(|name| name.value).unwrap_or_default();
        let asked = text(node, "key").map(|key| key.value).unwrap_or_default();
        let held = contents.get(kind, &name, namespace);
        let value = held.and_then(|held| held.texts.get(asked.as_str()));
        return match value {
            Some(value) => {
                let place = Some(&value.place).filter(|place| place.span.is_some());
                let place = place.unwrap_or(&node.place).clone();
                Ok(Spanned::new(Some(value.value.clone()), place))
            }
            None => Err(Spanned::new(format!("the {kind} `{name}`"), node.place.clone())),
        };
    }
    Err(Spanned::new("the Pod itself".to_owned(), from.place.clone()))
}
