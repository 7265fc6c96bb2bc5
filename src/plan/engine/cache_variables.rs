//! Which variables say where a program keeps what it downloads from the hub, and how it reads them.

use std::path::{Path, PathBuf};

use crate::path::ServicePath;
use crate::path::expansion::{Known, expanded};
use crate::plan::engine::HubCache;
use crate::plan::engine::words::{Environment, Variable};
use crate::project::Service;
use crate::source_map::Spanned;

/// The variables of one program.
pub(crate) struct CacheVariables {
    /// In the order in which they are asked.
    pub(super) order: &'static [CacheVariable],
    /// Whether one that is set to nothing is taken for its word: the cache is then below the working
    /// directory. Otherwise the next one is asked.
    pub(super) nothing_counts: bool,
}

/// One of them.
pub(super) struct CacheVariable {
    /// Its name.
    pub(super) name: &'static str,
    /// Where the cache is below its value.
    pub(super) below: &'static str,
    /// Whether `~` and `$NAME` in it are replaced.
    pub(super) expands: bool,
}

/// Python's library (huggingface_hub 0.36.2 and 2.4.0 constants.py).
pub(crate) const PYTHON: CacheVariables = CacheVariables {
    order: &[
        CacheVariable { name: "HF_HUB_CACHE", below: "", expands: true },
        CacheVariable { name: "HUGGINGFACE_HUB_CACHE", below: "", expands: true },
        CacheVariable { name: "HF_HOME", below: "hub", expands: true },
        CacheVariable { name: "XDG_CACHE_HOME", below: "huggingface/hub", expands: true },
    ],
    nothing_counts: true,
};

/// Where the cache is below a home, of every program.
pub(crate) const BELOW_HOME: &str = ".cache/huggingface/hub";

/// What variables say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// The variable that says it.
    pub(crate) name: &'static str,
    /// The folder, relative to the working directory if it is not absolute; else what of the
    /// variable's value is not known.
    pub(crate) folder: Result<PathBuf, String>,
    /// Whether the variable is set to nothing.
    pub(crate) nothing: bool,
}

impl CacheVariables {
    /// What the first of the variables says that is set; absent: none is. `asked` tells of them, and
    /// `inside` of the variables that stand in their values.
    pub(crate) fn said(
        &self,
        asked: impl Fn(&str) -> Known,
        inside: impl Fn(&str) -> Known,
    ) -> Option<Said> {
        let counts = |text: &str| self.nothing_counts || !text.is_empty();
        let (variable, text) =
            self.order.iter().find_map(|variable| match asked(variable.name) {
                Known::Value(text) => counts(&text).then_some((variable, Some(text))),
                Known::Unknown => Some((variable, None)),
                Known::Unset => None,
            })?;
        let folder = match text {
            Some(text) if variable.expands => expanded(&text, inside),
            Some(text) => Ok(text),
            None => Err(format!("${}", variable.name)),
        };
        let nothing = folder.as_ref().is_ok_and(String::is_empty);
        let below = |text: String| match variable.below {
            "" => PathBuf::from(text),
            below => Path::new(&text).join(below),
        };
        Some(Said { name: variable.name, folder: folder.map(below), nothing })
    }
}

/// A service whose variables are asked.
pub(super) struct Asked<'a> {
    pub(super) service: &'a Service,
    pub(super) environment: &'a Environment<'a>,
    /// Absent: not known.
    pub(super) working_dir: Option<&'a ServicePath>,
}

impl Asked<'_> {
    /// Where the service keeps its downloads; absent: no variable says so.
    ///
    /// # Errors
    ///
    /// What cannot be known of what the variable says.
    pub(super) fn cache(
        &self,
        variables: &CacheVariables,
    ) -> Result<Option<HubCache>, Spanned<String>> {
        let Some(Said { name, folder, nothing }) =
            variables.said(|name| self.known(name), |name| self.inside(name))
        else {
            return Ok(None);
        };
        let Variable::Set(word) = self.environment.variable(name) else { return Ok(None) };
        let place = word.place;
        let unknown = |what: String| Err(Spanned::new(what, place.clone()));
        let folder = match (folder, word.unknown) {
            (_, Some(why)) => return unknown(format!("the value of `{name}` is not known: {why}")),
            (Err(part), None) => return unknown(format!("`{part}` in `{name}` is not known")),
            (Ok(folder), None) => folder,
        };
        match super::names::absolute(&folder.to_string_lossy(), self.working_dir) {
            Some(path) => Ok(Some(HubCache { path, by: Some(name.to_owned()), place, nothing })),
            None if nothing => unknown(format!(
                "`{name}` is set to nothing: what is downloaded is kept below the image's working \
                 directory, which is not known"
            )),
            None => unknown(format!(
                "`{}` is relative to the image's working directory, which is not known",
                folder.display()
            )),
        }
    }

    /// What is known of a variable that may name a cache; an image of one's own is taken for one that
    /// does not set it.
    fn known(&self, name: &str) -> Known {
        match self.environment.variable(name) {
            Variable::Set(word) if word.unknown.is_some() => Known::Unknown,
            Variable::Set(word) => Known::Value(word.text),
            Variable::Removed | Variable::Unmentioned => Known::Unset,
        }
    }

    /// What is known of a variable inside a value. Docker itself sets a `HOME` that is not set.
    fn inside(&self, name: &str) -> Known {
        let known = self.known(name);
        if name == "HOME" && matches!(&known, Known::Unset | Known::Value(_)) {
            let said = if let Known::Value(home) = known { home } else { String::new() };
            let of_user = || home_of_user(self.service).map(str::to_owned);
            let home = Some(said).filter(|home| !home.is_empty()).or_else(of_user);
            return home.map_or(Known::Unknown, Known::Value);
        }
        let is_unmentioned = self.environment.variable(name) == Variable::Unmentioned;
        if is_unmentioned && !self.service.observed { Known::Unknown } else { known }
    }
}

/// The home of a service's user, if it is root's.
pub(super) fn home_of_user(service: &Service) -> Option<&'static str> {
    let user = service.user.as_ref().map(|user| user.value.as_str());
    let is_root = user.is_none_or(|user| matches!(user.split(':').next(), Some("0" | "root" | "")));
    is_root.then_some("/root")
}

/// Where a service of which no engine is known keeps its downloads, if its variables say so to
/// Python's library.
pub(super) fn of_python(service: &Service) -> Option<ServicePath> {
    let environment = Environment::new(service, &[]);
    let working_dir = service.working_dir.as_ref();
    let asked = Asked { service, environment: &environment, working_dir };
    Some(asked.cache(&PYTHON).ok()??.path)
}
