//! Reads the policy of a run: from its flags, from comments in the files of the project, and from
//! `x-preflight.checks`. What becomes of it is in [`crate::findings::policy`]. Pure.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::findings::Policy;
use crate::findings::check::{self, UnknownCheck};
use crate::findings::policy::Comment;
use crate::options::Choices;
use crate::options::Options;
use crate::plan::lanes::Plan;
use crate::project::Project;
use crate::source_map::{Location, Place, SourceMap, Span};

/// What begins a comment that allows checks on its line; ids and `]` follow.
const COMMENT: &str = "preflight: allow[";

/// The key of `x-preflight`.
const KEY: &str = "checks";

/// Why the policy of a run cannot be followed.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// A check that does not exist.
    #[error("{said_by}: {check}")]
    Unknown {
        /// The flag, or the place in a file.
        said_by: String,
        /// The check.
        check: UnknownCheck,
    },
    /// A value of `x-preflight.checks` that is none.
    #[error("{said_by}: `{id}` is neither `allow` nor `deny`")]
    Choice {
        /// The place in the file.
        said_by: String,
        /// The check.
        id: String,
    },
    /// `x-preflight.checks` is no mapping.
    #[error("{said_by}: `x-preflight.checks` gives each check `allow` or `deny`")]
    Shape {
        /// The place in the file.
        said_by: String,
    },
    /// A comment whose list does not end on its line.
    #[error("{location}: the comment `# preflight: allow[...]` has no `]`")]
    Comment {
        /// The line.
        location: Location,
    },
}

impl PolicyError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { check, .. } => Some(check.hint()),
            Self::Choice { id, .. } => Some(format!("for example `{id}: allow`")),
            Self::Shape { .. } => Some("for example `checks: {revision-not-pinned: deny}`".into()),
            Self::Comment { .. } => {
                Some("for example `# preflight: allow[revision-not-pinned]`".into())
            }
        }
    }
}

/// The policy of a run.
///
/// # Errors
/// A check that is named and does not exist, or a policy that is written wrongly.
pub fn of(
    options: &Options,
    plan: &Plan,
    project: &Project,
    sources: &SourceMap,
) -> Result<Policy, PolicyError> {
    let flags = &options.checks;
    for (flag, ids) in [("--allow", &flags.allowed), ("--deny", &flags.denied)] {
        ids.iter().try_for_each(|id| known(id, || flag.to_owned()))?;
    }
    let optional = plan.lanes.iter().filter(|lane| !lane.required || plan.is_idle(lane));
    Ok(Policy {
        containers_advisory: !options.task.is_about_containers(),
        flags: flags.clone(),
        comments: comments(sources)?,
        extension: extension(project, sources)?,
        optional_lanes: optional.map(|lane| lane.name.clone()).collect(),
        idle_services: plan.idle.clone(),
    })
}

fn known(id: &str, said_by: impl FnOnce() -> String) -> Result<(), PolicyError> {
    match check::find(id) {
        Ok(_rule) => Ok(()),
        Err(check) => Err(PolicyError::Unknown { said_by: said_by(), check }),
    }
}

/// Reads `x-preflight.checks`.
fn extension(project: &Project, sources: &SourceMap) -> Result<Choices, PolicyError> {
    let mut choices = Choices::default();
    let Some(extension) = &project.extension else { return Ok(choices) };
    let Some(checks) = extension.value.get(KEY).filter(|checks| !checks.is_null()) else {
        return Ok(choices);
    };
    let said_by = |route: &[&str]| {
        let place = project.extension_place(route).unwrap_or(&extension.place);
        written(place, sources)
    };
    let checks =
        checks.as_object().ok_or_else(|| PolicyError::Shape { said_by: said_by(&[KEY]) })?;
    for (id, choice) in checks {
        let said_by = || said_by(&[KEY, id]);
        known(id, said_by)?;
        match choice.as_str() {
            Some("allow") => choices.allowed.insert(id.clone()),
            Some("deny") => choices.denied.insert(id.clone()),
            _ => return Err(PolicyError::Choice { said_by: said_by(), id: id.clone() }),
        };
    }
    Ok(choices)
}

fn written(place: &Place, sources: &SourceMap) -> String {
    match place.span {
        Some(span) => sources.location(span).to_string(),
        None => "x-preflight.checks".to_owned(),
    }
}

/// Every comment of every file that was read.
fn comments(sources: &SourceMap) -> Result<Vec<Comment>, PolicyError> {
    let mut comments = Vec::new();
    for source in sources.ids() {
        let text = sources.text(source);
        let mut line_start = 0;
        for line in text.split_inclusive('\n') {
            if let Some(comment) =
                comment(line, Span { source, start: line_start, end: text.len() }, sources)?
            {
                comments.push(comment);
            }
            line_start += line.len();
        }
    }
    Ok(comments)
}

/// The comment on `line`, which begins where `rest` does.
fn comment(line: &str, rest: Span, sources: &SourceMap) -> Result<Option<Comment>, PolicyError> {
    let Some((before, list)) = line.split_once(COMMENT) else { return Ok(None) };
    let Some(code) = before.trim_end().strip_suffix('#') else { return Ok(None) };
    if !code.is_empty() && !code.ends_with([' ', '\t']) {
        return Ok(None);
    }
    let at = Span { start: rest.start + before.len(), ..rest };
    let Some((list, _reason)) = list.split_once(']') else {
        return Err(PolicyError::Comment { location: sources.location(at) });
    };
    let allowed: BTreeSet<String> =
        list.split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect();
    allowed.iter().try_for_each(|id| known(id, || sources.location(at).to_string()))?;
    let after = rest.start + line.len();
    let next = sources.text(rest.source).get(after..).unwrap_or("");
    let meant = if code.trim().is_empty() {
        let line = next.split_inclusive('\n').next().unwrap_or("");
        line.len() + block_below(line, next.get(line.len()..).unwrap_or(""))
    } else {
        block_below(code, next)
    };
    Ok(Some(Comment { source: rest.source, lines: rest.start..after + meant, allowed }))
}

/// How many bytes of `rest` are the text that `line` begins with `>` or `|`: it is one value, and no
/// comment can stand in it.
fn block_below(line: &str, rest: &str) -> usize {
    let code = line.split(" #").next().unwrap_or("").trim_end();
    let header = code.trim_end_matches(|it: char| it.is_ascii_digit() || matches!(it, '+' | '-'));
    let Some(before) = header.strip_suffix(['>', '|']).filter(|it| it.ends_with([' ', '-'])) else {
        return 0;
    };
    let key = before.trim_start_matches([' ', '-']);
    let indent = if key.is_empty() { before.rfind('-') } else { Some(before.len() - key.len()) };
    let is_below = |line: &&str| {
        let own = line.trim_start_matches(' ');
        own.trim().is_empty() || indent.is_none_or(|indent| line.len() - own.len() > indent)
    };
    rest.split_inclusive('\n').take_while(is_below).map(str::len).sum()
}

#[cfg(test)]
mod tests;
