//! Relative paths become absolute, each to the directory of the file that states it (compose-go
//! v2.9.1 `paths/resolve.go`).

use std::path::Path;

use super::fault::Fault;
use super::files::is_remote;
use super::loader::Loader;
use super::tree::{Kind, Node};
use crate::path::clean;
use crate::source_map::Place;

/// Resolves every path in a model whose relative paths mean `directory`.
pub(super) fn resolve(
    root: &mut Node,
    directory: &Path,
    loader: &mut Loader<'_>,
) -> Result<(), Fault> {
    let mut resolver = Resolver { directory, loader };
    for service in values(root.get_mut("services")) {
        resolver.service(service)?;
    }
    for section in ["configs", "secrets"] {
        for resource in values(root.get_mut(section)) {
            resolver.replace(resource.get_mut("file"), Resolver::host_path);
        }
    }
    for volume in values(root.get_mut("volumes")) {
        resolver.driver_options(volume);
    }
    Ok(())
}

fn values(node: Option<&mut Node>) -> impl Iterator<Item = &mut Node> {
    let entries = node.and_then(Node::as_mapping_mut);
    entries.into_iter().flat_map(|entries| entries.values_mut().map(|entry| &mut entry.value))
}

fn items(node: Option<&mut Node>) -> &mut [Node] {
    match node.map(|node| &mut node.kind) {
        Some(Kind::Sequence(items)) => items,
        _ => &mut [],
    }
}

struct Resolver<'a, 'b> {
    directory: &'a Path,
    loader: &'a mut Loader<'b>,
}

impl Resolver<'_, '_> {
    fn service(&mut self, service: &mut Node) -> Result<(), Fault> {
        for file in items(service.get_mut("env_file")) {
            self.replace(file.get_mut("path"), Self::local_path);
        }
        for file in items(service.get_mut("label_file")) {
            self.replace(Some(file), Self::local_path);
        }
        if let Some(extends) = service.get_mut("extends") {
            self.replace(extends.get_mut("file"), Self::local_path);
        }
        if let Some(build) = service.get_mut("build") {
            self.replace(build.get_mut("context"), Self::build_context);
            for context in values(build.get_mut("additional_contexts")) {
                self.replace(Some(context), Self::build_context);
            }
            for key in values(build.get_mut("ssh")) {
                self.replace(Some(key), Self::host_path);
            }
        }
        let develop = service.get_mut("develop");
        for watch in items(develop.and_then(|develop| develop.get_mut("watch"))) {
            self.replace(watch.get_mut("path"), Self::local_path);
        }
        for mount in items(service.get_mut("volumes")) {
            if mount.get("type").and_then(Node::as_str) != Some("bind") {
                continue;
            }
            if mount.get("source").is_none() {
                return Err(mount.refuse("a mount of type `bind` needs a `source`"));
            }
            self.replace(mount.get_mut("source"), Self::host_path);
        }
        Ok(())
    }

    fn driver_options(&mut self, volume: &mut Node) {
        if volume.get("driver").and_then(Node::as_str) != Some("local") {
            return;
        }
        let Some(options) = volume.get_mut("driver_opts") else { return };
        if options.get("o").and_then(Node::as_str) == Some("bind") {
            self.replace(options.get_mut("device"), Self::host_path);
        }
    }

    fn replace(&mut self, node: Option<&mut Node>, resolve: fn(&mut Self, &str, &Place) -> String) {
        if let Some(node) = node
            && let Kind::String(text) = &mut node.kind
        {
            *text = resolve(self, text, &node.place);
        }
    }

    fn join(&self, path: &str) -> String {
        clean(&self.directory.join(path)).to_string_lossy().into_owned()
    }

    /// A path of the host: one that is absolute on Windows is left alone everywhere.
    fn host_path(&mut self, path: &str, place: &Place) -> String {
        let path = self.expand_home(path, place);
        if path.starts_with('/') || is_windows_absolute(&path) { path } else { self.join(&path) }
    }

    /// A path that Compose itself opens.
    fn local_path(&mut self, path: &str, place: &Place) -> String {
        let path = self.expand_home(path, place);
        if path.is_empty() || path.starts_with('/') { path } else { self.join(&path) }
    }

    fn build_context(&mut self, path: &str, place: &Place) -> String {
        if path.contains("://") || path.starts_with("service:") || is_remote(path) {
            return path.to_owned();
        }
        self.local_path(path, place)
    }

    fn expand_home(&mut self, path: &str, place: &Place) -> String {
        let Some(below) = path.strip_prefix('~') else { return path.to_owned() };
        let Some(home) = &self.loader.home else {
            self.loader.warn("`~` cannot be expanded: `HOME` is not set", place);
            return path.to_owned();
        };
        let below = below.trim_start_matches('/');
        clean(&Path::new(home).join(below)).to_string_lossy().into_owned()
    }
}

/// `C:\x`, `C:/x`, `\\server\share`.
fn is_windows_absolute(path: &str) -> bool {
    let separator = |byte: Option<&u8>| matches!(byte, Some(b'/' | b'\\'));
    let bytes = path.as_bytes();
    match bytes.get(1) {
        Some(b':') => separator(bytes.get(2)),
        second => separator(bytes.first()) && separator(second),
    }
}
