//! Reads the configuration files of the programs that call engines, as far as they can be seen.

use crate::limits::MOST_SETTINGS;
use crate::look::Look;
use crate::options::ProjectOptions;
use crate::path::ServicePath;
use crate::plan::wiring;
use crate::project::mounts::{Located, Sight, locate};
use crate::project::stack::Stack;
use crate::project::view::View as _;
use crate::project::view::local::LocalView;
use crate::project::{Copied, MountSource, Project, Service, Text, compose};
use crate::source_map::SourceMap;

/// A file may name others, which may name some again.
const ROUNDS: usize = 3;

/// Fills in the texts of the files in which every service may be told whom to call. Blocking.
pub(super) fn fill_in(
    project: &mut Project,
    stack: &Stack,
    options: &ProjectOptions,
    sources: &mut SourceMap,
) {
    let mut services = std::mem::take(&mut project.services);
    for service in &mut services {
        let mut reader = Reader { stack, options, sources: &mut *sources };
        for _ in 0..ROUNDS {
            for pattern in wiring::told_in(service) {
                reader.take(service, &pattern);
            }
        }
    }
    project.services = services;
}

struct Reader<'a> {
    stack: &'a Stack,
    options: &'a ProjectOptions,
    sources: &'a mut SourceMap,
}

impl Reader<'_> {
    fn take(&mut self, service: &mut Service, pattern: &ServicePath) {
        for path in self.paths(service, pattern) {
            if service.settings.len() >= MOST_SETTINGS || service.settings.contains_key(&path) {
                continue;
            }
            let located = self.locate(service, &path);
            if let Some(text) = self.text(&located) {
                service.settings.insert(path, text);
            }
        }
    }

    fn locate(&self, service: &Service, path: &ServicePath) -> Located {
        locate(&self.stack.project, service, &self.stack.standpoint, path)
    }

    /// The files that a pattern stands for: those that are mounted by themselves, and those of a folder.
    fn paths(&self, service: &Service, pattern: &ServicePath) -> Vec<ServicePath> {
        let name = pattern.as_path().file_name().and_then(|name| name.to_str());
        let Some((start, end)) = name.and_then(|name| name.split_once('*')) else {
            return vec![pattern.clone()];
        };
        let Some(folder) = pattern.as_path().parent() else { return Vec::new() };
        let is_one = |name: &str| {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        };
        let mounted = service.mounts.iter().map(|mount| mount.target.as_path());
        let mounted = mounted.filter(|path| path.parent() == Some(folder));
        let names = mounted.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
        let mut names: Vec<String> = names.collect();
        let located = self.locate(service, &ServicePath::new(folder));
        if let Sight::Visible { path, .. } = &located.sight
            && let Look::Seen(listed) = LocalView.list(path.as_path())
        {
            names.extend(listed);
        }
        names.retain(|name| is_one(name));
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| ServicePath::new(folder.join(name))).collect()
    }

    fn text(&mut self, located: &Located) -> Option<Text> {
        match (&located.sight, located.mount.as_ref().map(|mount| &mount.source)) {
            (Sight::Visible { path, .. }, _) => {
                let text = super::text(path.as_path())?;
                let own = located.host_path.as_ref().map_or(path.as_path(), |it| it.as_path());
                let name = compose::shown(self.options, own);
                let source = self.sources.add(&name, text.clone());
                Some(Text { source: Some(source), ..Text::from(text) })
            }
            (Sight::Written, Some(MountSource::Copied(Copied::Text(text)))) => {
                let mut lines = super::written::lines(&text.value, &text.place, self.sources);
                // Where its lines are not those of the Compose file, they are somewhere in this value.
                lines.resize(text.value.lines().count(), text.place.clone());
                Some(Text { lines, ..Text::from(text.value.clone()) })
            }
            _ => None,
        }
    }
}
