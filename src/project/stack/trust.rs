//! Whether the token may go where the environment says: it travels with an endpoint of the same place.
//!
//! An init container gets both as variables of its own service, and Compose does not tell which it took
//! from the user's shell and which from a file of the project; nor does it tell a provider, to which it gives
//! both in one. But what the project gives without any shell is the project's, and this is read here from its
//! files as Compose read them. A provider is not told which those are: every file counts that it may have read.

mod called;

use std::path::{Component, Path, PathBuf};

use indexmap::IndexMap;
use url::Url;

use crate::limits;
use crate::options::{DEFAULT_ENDPOINT, HubOptions, Options, ProjectOptions};
use crate::path::clean;
use crate::project::Project;
use crate::project::compose::{self, LoadError};
use crate::project::docker::{Container, DockerError, Observation};
use crate::project::load;
use crate::regular_file;
use crate::source_map::{Place, SourceMap, Spanned, Variable, VariableSource};

const ENDPOINT: &str = "HF_ENDPOINT";
const CERTIFICATES: &str = "SSL_CERT_FILE";
const ENV_FILE: &str = ".env";
const TOKENS: [&str; 2] = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"];

/// Why the user's token is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// The variable that would have it read by somebody of the project's choice.
    pub variable: String,
    /// Where the project sets it; nowhere: that cannot be seen.
    pub place: Place,
    /// By which way it would get there.
    pub way: Way,
}

/// By which way a token would get to somebody of the project's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// He is the hub.
    Endpoint,
    /// He is the proxy before a hub that is asked without encryption.
    Proxy,
    /// He is the proxy, and the certificates that are believed are his as well.
    Certificates,
    /// Whether he is of the project's choice cannot be told, and why.
    Unseen(String),
}

/// What a project says without any shell.
struct Said {
    /// The environment of the own service.
    own: IndexMap<String, Spanned<Option<String>>>,
    /// Every env file that may have been read, each on its own.
    env_files: Vec<IndexMap<String, Spanned<String>>>,
    /// Why this is not all.
    unseen: Option<String>,
}

/// Why the token must not be sent; absent: it may, or there is none. `files` is what an init container was
/// made from, as far as it sees that. Blocking.
pub(super) fn withheld(
    hub: &HubOptions,
    files: &ProjectOptions,
    (loaded, observation): (&Result<Project, LoadError>, &Result<Observation, DockerError>),
    sources: &mut SourceMap,
) -> Option<Withheld> {
    let token = hub.token.as_ref()?;
    let proxies = &hub.network.proxies;
    let elsewhere = origin(&hub.endpoint) != origin(DEFAULT_ENDPOINT);
    let certificates = &hub.network.certificates;
    let myself = observation.as_ref().ok().and_then(|seen| seen.myself.as_ref());
    // No project has started it: its environment is that of who called `docker run`.
    let alone = myself.is_some_and(|myself| myself.project.is_none());
    if alone || (!elsewhere && (proxies.is_empty() || certificates.is_none())) {
        return None;
    }
    let said = Said::of(files, loaded, myself, sources);
    let sources = &*sources;
    let token = token.reveal();
    let is_provider = files.provider_of.is_some();
    if !is_provider && said.knows(token) {
        return None;
    }
    let decides = |name: &str, way: Way, is_same: &dyn Fn(&str) -> bool| {
        if is_provider && said.gives_both(token, name, is_same) {
            return None;
        }
        let place = said.says(name, is_same, sources);
        let way = if place.is_some() { way } else { Way::Unseen(said.unseen.clone()?) };
        Some(Withheld { variable: name.to_owned(), place: place.unwrap_or_default(), way })
    };
    if elsewhere
        && let Some(withheld) =
            decides(ENDPOINT, Way::Endpoint, &|value| origin(value) == origin(&hub.endpoint))
    {
        return Some(withheld);
    }
    let way = match certificates {
        _ if hub.endpoint.to_ascii_lowercase().starts_with("http:") => Way::Proxy,
        Some(_) => decides(CERTIFICATES, Way::Certificates, &|_| true)?.way,
        None => return None,
    };
    proxies.iter().find_map(|(name, proxy)| decides(name, way.clone(), &|value| value == proxy))
}

/// Scheme, host and port; the text itself where that is no URL.
fn origin(endpoint: &str) -> String {
    let endpoint = endpoint.trim();
    Url::parse(endpoint)
        .map_or_else(|_| endpoint.to_owned(), |url| url.origin().ascii_serialization())
}

impl Said {
    fn of(
        files: &ProjectOptions,
        loaded: &Result<Project, LoadError>,
        myself: Option<&Container>,
        sources: &mut SourceMap,
    ) -> Self {
        let found = EnvFiles::of(files);
        let most = limits::PROJECT_ENV_FILES.min(found.paths.len());
        let paths = &found.paths[..most];
        let read = compose::env_files(files, paths, sources);
        let unread = paths.iter().zip(&read).find(|(path, read)| {
            read.is_none() && files.reach.local(path).is_some_and(|path| may_name_a_hub(&path))
        });
        let unread = unread.map(|(path, _)| unreadable(path));
        let again = loaded.as_ref().err().and_then(|_| without_unseen_files(files, sources));
        let project = loaded.as_ref().ok().or(again.as_ref());
        let service =
            project.and_then(|project| match myself.and_then(|it| it.service.as_deref()) {
                Some(name) => project.service(name),
                None => project.preflight_service(),
            });
        let unseen = match loaded {
            Err(error) if again.is_none() => Some(error.to_string()),
            _ if myself.is_some_and(|myself| is_elsewhere(files, myself)) => {
                Some("the project's folder is not mounted into this container".to_owned())
            }
            _ if !found.complete => {
                Some("the project has too many folders or env files".to_owned())
            }
            // A provider has the environment of who calls Compose, and with it what `.env` adds.
            _ if service.is_some_and(|it| {
                !it.has_own_provider() && !it.environment.contains_key(ENDPOINT)
            }) =>
            {
                Some(format!("no file that can be seen gives `{ENDPOINT}` to this service"))
            }
            Ok(_) | Err(_) => found.strange.clone().or(unread).or_else(|| {
                let opened = project.into_iter().flat_map(|project| &project.files);
                let mut opened = opened.filter_map(|file| files.reach.local(file));
                opened.find(|file| found.leads_elsewhere(file)).map(|file| unreadable(&file))
            }),
        };
        // Compose gives a provider nothing of its service, in which the shell's token may stand by now.
        let own = service.filter(|_| files.provider_of.is_none());
        Self {
            own: own.map(|service| service.environment.clone()).unwrap_or_default(),
            env_files: read.into_iter().flatten().collect(),
            unseen,
        }
    }

    /// Whether the project has this token itself.
    fn knows(&self, token: &str) -> bool {
        let is_own = TOKENS.into_iter().any(|name| {
            let own = self.own.get(name).and_then(|value| value.value.as_deref());
            own.is_some_and(|value| value.trim() == token)
        });
        is_own || self.env_files.iter().any(|file| holds(file, token))
    }

    /// Whether one file gives the token and, beside it, a variable that `is_same`: the files of a provider
    /// may be of several hands.
    fn gives_both(&self, token: &str, name: &str, is_same: impl Fn(&str) -> bool) -> bool {
        let mut files = self.env_files.iter().filter(|file| holds(file, token));
        files.any(|file| file.get(name).is_some_and(|value| is_same(&value.value)))
    }

    /// Where the project sets a variable to what it is: to a value that `is_same`, or to one that other
    /// variables went into, which may be anything.
    fn says(
        &self,
        name: &str,
        is_same: impl Fn(&str) -> bool,
        sources: &SourceMap,
    ) -> Option<Place> {
        let decides = |value: Option<&str>, place: &Place| {
            let is_mixed = |variable: &Variable| match variable.set_by {
                VariableSource::EnvFile(line) => sources.excerpt(line).contains('$'),
                VariableSource::Environment
                | VariableSource::Default
                | VariableSource::Compose
                | VariableSource::Unset => false,
            };
            let mixed = |it: &Variable| it.name != name || is_mixed(it);
            place.variables.iter().any(mixed)
                || value.is_some_and(|value| !value.is_empty() && is_same(value))
        };
        let own = self.own.get(name).filter(|it| decides(it.value.as_deref(), &it.place));
        let mut in_files = self.env_files.iter().filter_map(|file| file.get(name));
        own.map(|value| line(&value.place)).or_else(|| {
            in_files.find(|it| decides(Some(&it.value), &it.place)).map(|it| it.place.clone())
        })
    }
}

/// Whether an env file has this token.
fn holds(file: &IndexMap<String, Spanned<String>>, token: &str) -> bool {
    let mut values = TOKENS.into_iter().filter_map(|name| file.get(name));
    values.any(|value| value.value.trim() == token)
}

/// The line of an env file that a value came from, else where it is written itself.
fn line(place: &Place) -> Place {
    let by_file = place.variables.iter().find_map(|variable| match variable.set_by {
        VariableSource::EnvFile(span) => Some(Place::at(span)),
        VariableSource::Environment
        | VariableSource::Default
        | VariableSource::Compose
        | VariableSource::Unset => None,
    });
    by_file.unwrap_or_else(|| place.clone())
}

/// The project without the env files that the user has named outside of what is mounted here: those are
/// his own. Absent: there are none, or it cannot be read all the same.
fn without_unseen_files(files: &ProjectOptions, sources: &mut SourceMap) -> Option<Project> {
    let is_seen = |file: &PathBuf| files.reach.local(file).is_some();
    let seen: Vec<PathBuf> = files.env_files.iter().filter(|it| is_seen(it)).cloned().collect();
    let fewer = seen.len() < files.env_files.len();
    let visible = ProjectOptions { env_files: seen, ..files.clone() };
    fewer.then(|| load::load(&visible, sources).ok()).flatten()
}

/// Whether the project directory that Docker knows of the own container is another one than was read.
fn is_elsewhere(files: &ProjectOptions, myself: &Container) -> bool {
    let known = myself.project_directory().map(Path::new);
    let read = directory(files).and_then(|read| files.reach.local(&read));
    known.is_some_and(|known| super::own_reach(myself).local(known) != read)
}

/// The project directory that is read.
fn directory(files: &ProjectOptions) -> Option<PathBuf> {
    let of_file = || Some(files.files.first()?.parent()?.to_path_buf());
    files.directory.clone().or_else(of_file)
}

/// The env files that Compose may have read.
struct EnvFiles {
    /// As they are named.
    paths: Vec<PathBuf>,
    /// Whether these are all.
    complete: bool,
    /// Why one of the files that Compose looks for may be another one to it.
    strange: Option<String>,
    /// The project's folder, without links.
    root: PathBuf,
}

impl EnvFiles {
    /// The `.env` of every folder of the project, and the files that were named. Compose reads the one of
    /// the folder that it is called in as well, which is not known in an init container.
    fn of(options: &ProjectOptions) -> Self {
        let paths = options.env_files.clone();
        let mut found = Self { paths, complete: true, strange: None, root: PathBuf::new() };
        let Some(directory) = directory(options) else { return found };
        found.paths.extend(called::env_files(options, &directory));
        let directory = called::top(options, directory);
        let Some(local) = options.reach.local(&directory) else {
            return Self { complete: false, ..found };
        };
        found.root = fs_err::canonicalize(&local).unwrap_or_else(|_| local.clone());
        let folders = walkdir::WalkDir::new(&local).into_iter();
        // A folder that may not be looked into is no part of what was checked out.
        let mut folders = folders.filter_entry(|entry| entry.file_type().is_dir()).flatten();
        for folder in folders.by_ref().take(limits::PROJECT_FOLDERS) {
            let Ok(below) = folder.path().strip_prefix(&local) else { continue };
            let mut looked_for = compose::looked_for().chain([ENV_FILE]);
            let strange = looked_for.find(|name| found.leads_elsewhere(&folder.path().join(name)));
            found.strange = found.strange.or_else(|| Some(unreadable(&below.join(strange?))));
            let path = directory.join(below).join(ENV_FILE);
            if folder.path().join(ENV_FILE).is_file() && !found.paths.contains(&path) {
                found.paths.push(path);
            }
        }
        let is_rest = folders.next().is_none();
        found.complete = is_rest && found.paths.len() <= limits::PROJECT_ENV_FILES;
        found
    }

    /// Whether something stands at `path` that may be another file to Compose, outside of the container:
    /// a link out of the project or through another link, which may lead by the name that its folder has
    /// there, and whatever is no file.
    fn leads_elsewhere(&self, path: &Path) -> bool {
        let Ok(metadata) = fs_err::symlink_metadata(path) else { return false };
        let folder = path.parent().and_then(|folder| fs_err::canonicalize(folder).ok());
        let Some(folder) = folder.filter(|folder| folder.starts_with(&self.root)) else {
            return false;
        };
        let Ok(target) = fs_err::read_link(path) else { return !metadata.is_file() };
        let stays = !target.is_absolute()
            && climbs(&target) <= folder.strip_prefix(&self.root).map_or(0, |it| it.iter().count());
        let expected = clean(&folder.join(&target));
        let real = fs_err::canonicalize(path).ok().filter(|real| real.is_file());
        !(stays && real == Some(expected))
    }
}

/// How many folders up a path leads at its beginning.
fn climbs(path: &Path) -> usize {
    path.components().take_while(|part| *part == Component::ParentDir).count()
}

/// Whether an env file that cannot be read as one may name a hub, or a proxy before it.
fn may_name_a_hub(path: &Path) -> bool {
    let Ok(bytes) = regular_file::bytes(path, limits::LONGEST_PROJECT_TEXT) else { return true };
    let text = String::from_utf8_lossy(&bytes).to_ascii_uppercase();
    [ENDPOINT, CERTIFICATES, "PROXY"].into_iter().any(|name| text.contains(name))
}

fn unreadable(path: &Path) -> String {
    format!("`{}` cannot be read here as Compose may have read it", path.display())
}

impl super::Stack {
    /// `options` with the token only where it may be sent.
    #[must_use]
    pub fn without_withheld_token(&self, options: &Options) -> Options {
        let mut options = options.clone();
        if self.withheld.is_some() {
            options.hub.token = None;
        }
        options
    }
}
