//! Where a lane's files come from: `hf://owner/repo[@revision][/path/in/repo]`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A repository of the hub, or one file of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `owner`.
    pub owner: String,
    /// `repo`.
    pub repo: String,
    /// Branch, tag or commit; absent: `main`.
    pub revision: Option<String>,
    /// One file of the repository; absent: all of it.
    pub path: Option<String>,
}

/// Why a text is not a source.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a source: {reason}")]
pub struct SourceError {
    /// As written.
    pub text: String,
    /// What is wrong.
    pub reason: &'static str,
}

impl Source {
    /// `owner/repo`.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.repo)
    }

    /// The revision to ask for.
    #[must_use]
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// Whether the revision is a commit, so that it always means the same bytes.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.revision.as_deref().is_some_and(|revision| {
            revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason| SourceError { text: text.to_owned(), reason };
        let rest = text.strip_prefix("hf://").ok_or_else(|| {
            wrong("expected `hf://owner/repo`, with `@revision` and `/path/in/repo` if need be")
        })?;
        let (owner, rest) =
            rest.split_once('/').ok_or_else(|| wrong("the repository is missing"))?;
        let (repo, path) = match rest.split_once('/') {
            Some((repo, path)) => (repo, Some(path)),
            None => (rest, None),
        };
        let (repo, revision) = match repo.split_once('@') {
            Some((repo, revision)) => (repo, Some(revision)),
            None => (repo, None),
        };
        if !is_name(owner) || !is_name(repo) {
            return Err(wrong("owner and repository are letters, digits, `-`, `_` and `.`"));
        }
        if revision.is_some_and(|revision| !is_revision(revision)) {
            return Err(wrong("the revision is empty or has characters that no revision has"));
        }
        if path.is_some_and(|path| !is_inside(path)) {
            return Err(wrong("the path must stay inside the repository"));
        }
        Ok(Self {
            owner: owner.to_owned(),
            repo: repo.to_owned(),
            revision: revision.map(str::to_owned),
            path: path.map(str::to_owned),
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf://{}/{}", self.owner, self.repo)?;
        if let Some(revision) = &self.revision {
            write!(f, "@{revision}")?;
        }
        if let Some(path) = &self.path {
            write!(f, "/{path}")?;
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.bytes().all(|byte| byte == b'.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_revision(revision: &str) -> bool {
    !revision.is_empty()
        && revision.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
}

fn is_inside(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !path.chars().any(|character| character.is_control() || character == '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_prints_as_it_was_written() {
        for text in ["hf://a/b", "hf://a/b@v1.0", "hf://a/b@main/x/y.gguf", "hf://a/b/x.gguf"] {
            assert_eq!(
                text.parse::<Source>().map(|source| source.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn what_leaves_the_repository_or_is_no_repository_is_refused() {
        for text in [
            "a/b",
            "hf://a",
            "hf:///b",
            "hf://a/",
            "hf://../b",
            "hf://a/b/../c",
            "hf://a/b@",
            "hf://a/b//c",
            "hf://a/b c",
            "hf://a/b@x y",
        ] {
            assert!(text.parse::<Source>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_commit_pins() {
        let pinned = |text: &str| text.parse::<Source>().unwrap().is_pinned();
        assert!(pinned("hf://a/b@0123456789012345678901234567890123456789"));
        assert!(!pinned("hf://a/b@main"));
        assert!(!pinned("hf://a/b"));
    }
}
