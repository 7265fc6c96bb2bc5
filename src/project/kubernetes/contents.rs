//! What the `ConfigMap`s and `Secret`s of the manifests hold.

use indexmap::IndexMap;

use super::manifest::Manifest;
use super::meets;
use crate::project::compose::parse::decode_base64;
use crate::project::compose::tree::Node;
use crate::source_map::{Place, Spanned};

/// All of them.
pub(super) struct Contents<'m>(Vec<Held<'m>>);

/// One of them.
pub(super) struct Held<'m> {
    kind: &'m str,
    name: &'m str,
    namespace: &'m str,
    /// Its texts by their keys.
    pub(super) texts: IndexMap<&'m str, Spanned<String>>,
    /// Keys whose content is no text.
    pub(super) others: Vec<&'m str>,
}

impl<'m> Contents<'m> {
    pub(super) fn of(manifests: &'m [Manifest]) -> Self {
        let holds = |manifest: &&Manifest| {
            manifest.group().is_empty() && matches!(manifest.kind.as_str(), "ConfigMap" | "Secret")
        };
        Self(manifests.iter().filter(holds).map(held).collect())
    }

    /// What Secrets hold, and each line of it: the text of a script is told line by line.
    pub(super) fn secrets(&self) -> Vec<String> {
        let secrets = self.0.iter().filter(|held| held.kind == "Secret");
        let texts = secrets.flat_map(|held| held.texts.values());
        let parts = texts.flat_map(|text| {
            let lines = text.value.lines().map(str::trim);
            std::iter::once(text.value.trim()).chain(lines)
        });
        parts.map(str::to_owned).collect()
    }

    /// What is called so, where something in `namespace` asks for it.
    pub(super) fn get(&self, kind: &str, name: &str, namespace: &str) -> Option<&Held<'m>> {
        self.0
            .iter()
            .find(|held| held.kind == kind && held.name == name && meets(held.namespace, namespace))
    }
}

fn held(manifest: &Manifest) -> Held<'_> {
    let mut held = Held {
        kind: &manifest.kind,
        name: &manifest.name,
        namespace: &manifest.namespace,
        texts: IndexMap::new(),
        others: Vec::new(),
    };
    let is_secret = manifest.kind == "Secret";
    for section in ["data", "stringData", "binaryData"] {
        let is_encoded = section == "binaryData" || is_secret && section == "data";
        let entries = manifest.root.get(section).and_then(Node::as_mapping);
        for (key, entry) in entries.into_iter().flatten() {
            let printed = entry.value.printed();
            let text = if is_encoded { printed.and_then(|it| decode_base64(&it)) } else { printed };
            match text {
                Some(text) => {
                    // No excerpt of a Secret is ever shown.
                    let place =
                        if is_secret { Place::nowhere() } else { entry.value.place.clone() };
                    held.texts.insert(key, Spanned::new(text, place));
                }
                None => held.others.push(key),
            }
        }
    }
    held
}
