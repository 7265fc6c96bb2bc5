//! Where a lane's files come from: `hf://owner/repo[@revision][/path/in/repo]`.
//!
//! It is read as the hub's own library reads it (huggingface_hub 2.4.0 utils/_hf_uris.py): a revision
//! ends at the first slash, but for `refs/pr/3` and `refs/convert/parquet`; a slash in any other is
//! written `%2F`. The path is taken as it is written.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest name of an owner or of a repository.
const LONGEST_NAME: usize = 96;

/// A repository of the hub, or one file of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `owner`.
    pub owner: String,
    /// `repo`.
    pub repo: String,
    /// Branch, tag or commit, which has small letters; absent: `main`.
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
        self.revision.as_deref().is_some_and(is_commit)
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason| SourceError { text: text.to_owned(), reason };
        let rest = text.strip_prefix("hf://").ok_or_else(|| {
            wrong("expected `hf://owner/repo`, with `@revision` and `/path/in/repo` if need be")
        })?;
        let (id, revision, path) = split(of_models(rest.trim_matches('/')).map_err(wrong)?);
        let (owner, repo) = id
            .split_once('/')
            .ok_or_else(|| wrong("the repository is missing: it is called `owner/repo`"))?;
        if repo.contains('/') || !is_repository(id) {
            return Err(wrong(
                "owner and repository are letters, digits, `-`, `_` and `.`, without `--` and `..`",
            ));
        }
        let revision = revision.map(decoded).map(|revision| match is_commit(&revision) {
            // As git reads it, and as everybody writes it down.
            true => revision.to_ascii_lowercase(),
            false => revision,
        });
        if revision.as_deref().is_some_and(|revision| !is_revision(revision)) {
            return Err(wrong("the revision is empty or has characters that no revision has"));
        }
        if path.is_some_and(|path| !is_inside(path)) {
            return Err(wrong("the path must stay inside the repository"));
        }
        Ok(Self {
            owner: owner.to_owned(),
            repo: repo.to_owned(),
            revision,
            path: path.map(str::to_owned),
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf://{}/{}", self.owner, self.repo)?;
        match &self.revision {
            Some(revision) if reference(revision) == Some(revision.len()) => {
                write!(f, "@{revision}")?;
            }
            Some(revision) => {
                write!(f, "@{}", revision.replace('%', "%25").replace('/', "%2F"))?;
            }
            None => {}
        }
        if let Some(path) = &self.path {
            write!(f, "/{path}")?;
        }
        Ok(())
    }
}

/// What is behind `models/`, which may be left out; of what holds no models, why it is none.
fn of_models(rest: &str) -> Result<&str, &'static str> {
    match rest.split_once('/').map_or((rest, ""), |parts| parts) {
        ("models", behind) => Ok(behind),
        ("datasets" | "spaces" | "kernels" | "buckets", _) => {
            Err("a data set, a space, a kernel and a bucket are no model")
        }
        ("model" | "dataset" | "space" | "kernel" | "bucket", _) => {
            Err("the kind of a repository is written in the plural: `models/`")
        }
        _ => Ok(rest),
    }
}

/// Repository, revision as written, path. An `@` further on belongs to the path.
fn split(rest: &str) -> (&str, Option<&str>, Option<&str>) {
    match rest.split_once('@') {
        Some((id, behind)) if id.matches('/').count() <= 1 => {
            let end = reference(behind).or_else(|| behind.find('/')).unwrap_or(behind.len());
            let (revision, path) = behind.split_at(end);
            (id, Some(revision), path.strip_prefix('/'))
        }
        Some(_) | None => {
            let end = rest.match_indices('/').nth(1).map_or(rest.len(), |(at, _)| at);
            let (id, path) = rest.split_at(end);
            (id, None, path.strip_prefix('/'))
        }
    }
}

/// How much of the beginning of `text` is one of the references that are written with their slashes:
/// `refs/pr/3`, `refs/convert/parquet`. What comes behind it is a path.
fn reference(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("refs/")?;
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let after = match (rest.strip_prefix("pr/"), rest.strip_prefix("convert/")) {
        (Some(number), _) => {
            Some((number, number.trim_start_matches(|it: char| it.is_ascii_digit())))
        }
        (None, Some(name)) => Some((name, name.trim_start_matches(is_name))),
        (None, None) => None,
    };
    let (whole, after) = after?;
    let is_whole = after.len() < whole.len() && (after.is_empty() || after.starts_with('/'));
    is_whole.then_some(text.len() - after.len())
}

/// What `%2F` and the like stand for; what is no such sequence stays, as with Python's `unquote`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digit = |at: usize| char::from(*behind.get(at)?).to_digit(16);
        let code =
            digit(0).zip(digit(1)).and_then(|(high, low)| u8::try_from(16 * high + low).ok());
        match code.filter(|_| *first == b'%') {
            Some(code) => {
                bytes.push(code);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `owner/name` or `name`, as the hub allows them (huggingface_hub 2.4.0 utils/_validators.py).
pub(crate) fn is_repository(text: &str) -> bool {
    let part = |part: &str| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        (1..=LONGEST_NAME).contains(&part.len())
            && part.bytes().all(inside)
            && !part.starts_with(['-', '.'])
            && !part.ends_with(['-', '.'])
    };
    let mut parts = text.split('/');
    parts.by_ref().take(2).all(part)
        && parts.next().is_none()
        && !text.contains("--")
        && !text.contains("..")
        && !text.ends_with(".git")
}

fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What git takes for a name (`git check-ref-format`), and no shell for anything else.
fn is_revision(revision: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.ends_with(".lock")
    };
    let inside = |letter: char| letter.is_alphanumeric() || "-_.+/@#=,%".contains(letter);
    revision.split('/').all(part) && !revision.contains("..") && revision.chars().all(inside)
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
        for text in [
            "hf://a/b",
            "hf://a/b@v1.0",
            "hf://a/b@main/x/y.gguf",
            "hf://a/b/x.gguf",
            "hf://a/b@refs/pr/3",
            "hf://a/b@refs/convert/gguf-v2.1/x.gguf",
            "hf://a/b@feature%2Fx",
            "hf://a/b@feature%2Fx/y.gguf",
            "hf://a/b@refs%2Fpr%2F3x",
            "hf://a/b@refs%2Fheads%2Fmain",
            "hf://a/b@50%25",
            "hf://a/b/x@1%20y.gguf",
        ] {
            assert_eq!(
                text.parse::<Source>().map(|source| source.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn another_spelling_is_the_same_source() {
        for (text, expected) in [
            ("hf://models/a/b", "hf://a/b"),
            ("hf://a/b/", "hf://a/b"),
            ("hf://a/b@refs%2Fpr%2F3/x", "hf://a/b@refs/pr/3/x"),
            ("hf://a/b@feature%2fx", "hf://a/b@feature%2Fx"),
            ("hf://a/b@v1%2E0", "hf://a/b@v1.0"),
            (
                "hf://a/b@0123456789ABCDEF0123456789abcdef01234567/x",
                "hf://a/b@0123456789abcdef0123456789abcdef01234567/x",
            ),
            ("hf://a/b@ABCDEF", "hf://a/b@ABCDEF"),
        ] {
            let source = text.parse::<Source>().unwrap();
            assert_eq!(source, expected.parse().unwrap(), "{text}");
            assert_eq!(source.to_string(), expected);
        }
    }

    #[test]
    fn a_slash_ends_a_revision_that_is_not_one_of_the_hubs_own_references() {
        for (text, revision, path) in [
            ("hf://a/b@feature/x", "feature", Some("x")),
            ("hf://a/b@feature%2Fx/y", "feature/x", Some("y")),
            ("hf://a/b@refs/pr/3/x", "refs/pr/3", Some("x")),
            ("hf://a/b@refs/pr/3", "refs/pr/3", None),
            ("hf://a/b@refs/pr/x", "refs", Some("pr/x")),
            ("hf://a/b@refs/pr/3x", "refs", Some("pr/3x")),
            ("hf://a/b@refs/heads/x", "refs", Some("heads/x")),
        ] {
            let source = text.parse::<Source>().unwrap();
            assert_eq!((source.revision(), source.path.as_deref()), (revision, path), "{text}");
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
            "hf://a/b@/c",
            "hf://a/b//c",
            "hf://a/b c",
            "hf://a/b@x y",
            "hf://a/b@x%20y",
            "hf://a/b@..%2Fx",
            "hf://a/b@%2Fx",
            "hf://a/b@x%2F",
            "hf://a/b@x%2F%2Fy",
            "hf://a/b@x.lock",
            "hf://a/b@x%00",
            "hf://a@v1/b",
            "hf://a--b/c",
            "hf://a/-b",
            "hf://models/a",
            "hf://model/a/b",
            "hf://datasets/a/b",
            "hf://spaces/a",
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
