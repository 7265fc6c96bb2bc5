//! A source of the hub, and the folder or file that it is brought to.

use std::path::PathBuf;

use crate::source::{Source, SourceError};

/// What the sources that are read begin with.
pub(crate) const SCHEME: &str = "hf://";

/// What is brought without a project, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// SRC and DEST, as typed.
    pub typed: (String, String),
    /// The repository, or one file of it.
    pub source: Source,
    /// Globs over the paths of the repository; empty: everything.
    pub include: Vec<String>,
    /// Globs over the paths of the repository that are left out.
    pub exclude: Vec<String>,
    /// The folder, or the one file. Absolute, links followed as far as it is there.
    pub to: PathBuf,
    /// The deepest folder on the way that is there: what is above it is the caller's affair.
    pub ground: PathBuf,
}

impl Delivery {
    /// Everything of a source, into a folder of the root.
    #[cfg(test)]
    pub(crate) fn plain(source: &str, to: &str) -> Self {
        Self {
            typed: (source.to_owned(), to.to_owned()),
            source: source.parse().unwrap(),
            include: Vec::new(),
            exclude: Vec::new(),
            to: to.into(),
            ground: "/".into(),
        }
    }

    /// What brings it, and nothing else.
    #[must_use]
    pub fn command(&self, flags: &str) -> String {
        let (source, to) = &self.typed;
        let is_plain =
            |letter: char| letter.is_ascii_alphanumeric() || "_@%+=:,./-".contains(letter);
        let quoted = |word: &String| match word.chars().all(is_plain) {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', r"'\''")),
        };
        format!("preflight fetch {flags}{} {}", quoted(source), quoted(to))
    }

    /// What is brought, in one line: two deliveries that say the same are of the same files, at the same
    /// commit.
    #[must_use]
    pub fn asked_for(&self) -> String {
        let mut text = self.source.to_string();
        let patterns = |sign: char, patterns: &[String]| -> String {
            patterns.iter().map(|pattern| format!(" {sign}{pattern:?}")).collect()
        };
        text.push_str(&patterns('+', &self.include));
        text.push_str(&patterns('-', &self.exclude));
        text
    }
}

/// What SRC names: a repository with the pattern for its files, if there is one, or one file. KServe
/// writes a revision behind a colon (kserve 0.20 kserve_storage.py, `_download_hf`).
///
/// # Errors
/// A text that is no source.
pub(crate) fn parse(text: &str) -> Result<(Source, Option<String>), SourceError> {
    let mut source: Source = with_revision(text).parse()?;
    let is_pattern = |path: &str| path.contains(['*', '?', '[']) || text.ends_with('/');
    let pattern = source.path.take_if(|path| is_pattern(path));
    let pattern = pattern.map(|path| if text.ends_with('/') { path + "/" } else { path });
    Ok((source, pattern))
}

/// The text with `@` before the revision.
fn with_revision(text: &str) -> String {
    let Some(rest) = text.strip_prefix(SCHEME) else { return text.to_owned() };
    let is_of_models = rest.starts_with("models/");
    let slashes = rest.match_indices('/').map(|(at, _)| at);
    let mut slashes = slashes.skip(usize::from(is_of_models));
    let Some(start) = slashes.next() else { return text.to_owned() };
    let end = slashes.next().unwrap_or(rest.len());
    let (Some(before), Some(name), Some(behind)) =
        (rest.get(..start), rest.get(start..end), rest.get(end..))
    else {
        return text.to_owned();
    };
    match name.contains('@') {
        true => text.to_owned(),
        false => format!("{SCHEME}{before}{}{behind}", name.replacen(':', "@", 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_names_a_repository_a_file_or_a_pattern() {
        for (text, source, pattern) in [
            ("hf://a/b", "hf://a/b", None),
            ("hf://a/b/", "hf://a/b", None),
            ("hf://a/b@v1", "hf://a/b@v1", None),
            ("hf://a/b:v1", "hf://a/b@v1", None),
            ("hf://models/a/b:v1", "hf://a/b@v1", None),
            ("hf://a/b:v1/x/y.gguf", "hf://a/b@v1/x/y.gguf", None),
            ("hf://a/b/x:y.gguf", "hf://a/b/x:y.gguf", None),
            ("hf://a/b@v1:2", "hf://a/b@v1:2", None),
            ("hf://a/b/*.gguf", "hf://a/b", Some("*.gguf")),
            ("hf://a/b:v1/q/*-Q4_?.gguf", "hf://a/b@v1", Some("q/*-Q4_?.gguf")),
            ("hf://a/b/q/", "hf://a/b", Some("q/")),
        ] {
            match (parse(text), source.parse::<Source>()) {
                (Ok((found, glob)), Ok(expected)) => {
                    assert_eq!((found, glob.as_deref()), (expected, pattern), "{text}");
                }
                (found, expected) => assert_eq!(found.is_err(), expected.is_err(), "{text}"),
            }
        }
    }

    #[test]
    fn what_is_no_source_is_refused() {
        for text in
            ["hf://a", "hf://a/b:", "hf://a/b:x y", "hf://a/b/../c", "hf://datasets/a/b", "a/b"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let (source, pattern) = parse("hf://a/b/*.gguf").unwrap();
        let delivery = Delivery {
            typed: ("hf://a/b/*.gguf".to_owned(), "/m/it's".to_owned()),
            source,
            include: pattern.into_iter().collect(),
            exclude: vec!["*.bin".to_owned()],
            to: "/m/it's".into(),
            ground: "/m".into(),
        };
        let command = delivery.command("--deep ");
        assert_eq!(command, r"preflight fetch --deep 'hf://a/b/*.gguf' '/m/it'\''s'");
        assert_eq!(delivery.asked_for(), r#"hf://a/b +"*.gguf" -"*.bin""#);
    }
}
