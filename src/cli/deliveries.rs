//! What `preflight fetch SRC DEST [SRC DEST...]` names.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::environment::Environment;
use crate::file_name::hub_cache;
use crate::options::{Delivery, OptionsError, SCHEME, source_of};
use crate::path::clean;
use crate::source::Source;

/// Whether a word is a source, whoever reads it: a name before `://`.
pub(super) fn is_source(word: &Path) -> bool {
    scheme(&word.to_string_lossy()).is_some()
}

/// Whether the words of `fetch` are pairs, and no PATH.
pub(super) fn are_meant(words: &[PathBuf]) -> bool {
    words.iter().any(|word| is_source(word))
}

/// The one PATH that words without a source are.
pub(super) fn only_path(words: Vec<PathBuf>) -> Result<Option<PathBuf>, OptionsError> {
    let mut words = words.into_iter();
    match (words.next(), words.next()) {
        (Some(path), Some(other)) => Err(wrong(
            format!("`{}` and `{}` are two paths", path.display(), other.display()),
            "`preflight fetch` takes one PATH, or pairs: `hf://owner/repo FOLDER`",
        )),
        (path, _) => Ok(path),
    }
}

/// The pairs of sources and places.
pub(super) fn of(
    words: &[PathBuf],
    environment: &Environment,
) -> Result<Vec<Delivery>, OptionsError> {
    if environment.is_true("CONFIDENTIAL_ENABLED") {
        let what = "`CONFIDENTIAL_ENABLED` says that the files are encrypted";
        return Err(wrong(
            what,
            "leave it to KServe's own storage initializer, which decrypts them",
        ));
    }
    let mut deliveries = Vec::new();
    for pair in words.chunks(2) {
        let [source, to] = pair else {
            let last = words.last().map(|word| word.display().to_string()).unwrap_or_default();
            let what = format!("`{}` has no DEST", shown(&last));
            return Err(wrong(
                what,
                "each source is followed by its folder: `hf://owner/repo FOLDER`",
            ));
        };
        deliveries.push(delivery(source, to, environment)?);
    }
    for (index, one) in deliveries.iter().enumerate() {
        for other in deliveries.iter().skip(index + 1) {
            apart(one, other)?;
        }
    }
    Ok(deliveries)
}

fn delivery(source: &Path, to: &Path, environment: &Environment) -> Result<Delivery, OptionsError> {
    let (typed, folder) = (text(source)?, text(to)?);
    let Some(scheme) = scheme(typed) else {
        let what = format!("`{typed}` is no source");
        return Err(wrong(what, "the order is SRC DEST: `hf://owner/repo FOLDER`"));
    };
    if is_source(to) {
        let what =
            format!("`{}` is a source, where the folder of the one before belongs", shown(folder));
        return Err(wrong(what, "each source is followed by its folder: `hf://owner/repo FOLDER`"));
    }
    if format!("{scheme}://") != SCHEME {
        let what = format!("a source of the kind `{scheme}://` cannot be fetched");
        return Err(wrong(what, format!("sources that are read begin with `{SCHEME}`")));
    }
    let (source, pattern) = source_of(typed)
        .map_err(|error| OptionsError::Delivery { what: error.to_string(), instead: None })?;
    let (to, ground) = place(&source, folder, &environment.working_directory)?;
    // Who names one file, or a pattern, has chosen.
    let chosen = source.path.is_some();
    let include = match &pattern {
        Some(pattern) => vec![pattern.clone()],
        None if chosen => Vec::new(),
        None => environment.patterns("STORAGE_ALLOW_PATTERNS"),
    };
    let exclude = if chosen { Vec::new() } else { environment.patterns("STORAGE_IGNORE_PATTERNS") };
    let typed = (typed.to_owned(), folder.to_owned());
    Ok(Delivery { typed, source, include, exclude, to, ground })
}

/// Where the files of a source go, and the deepest folder on the way that is there.
fn place(source: &Source, typed: &str, here: &Path) -> Result<(PathBuf, PathBuf), OptionsError> {
    let up = Path::new(typed).components().any(|part| part == Component::ParentDir);
    if up || typed.is_empty() {
        let why = if up { "leads upwards" } else { "is no name" };
        return Err(wrong(format!("`{typed}` {why}"), "write the folder without `..`"));
    }
    let path = clean(&here.join(typed));
    let found = fs_err::metadata(&path);
    if found.is_err()
        && let Ok(target) = fs_err::read_link(&path)
    {
        let what = format!("`{typed}` is a link to `{}`, where nothing is", target.display());
        return Err(wrong(what, "make the folder that it leads to"));
    }
    let is_folder = found.as_ref().is_ok_and(std::fs::Metadata::is_dir) || typed.ends_with('/');
    let is_file = found.is_ok_and(|it| !it.is_dir());
    let name = source.path.as_deref().and_then(|file| Path::new(file).file_name());
    let (folder, file) = match name {
        Some(name) if !is_folder && is_called_as_file(&path, name) => {
            let folder = path.parent().unwrap_or(Path::new("/"));
            (folder.to_path_buf(), path.file_name().map(OsStr::to_os_string))
        }
        Some(name) => (path, Some(name.to_os_string())),
        None => (path, None),
    };
    if is_file && (file.is_none() || folder.is_file()) {
        return Err(wrong(format!("`{typed}` is a file, and a folder is needed"), "name a folder"));
    }
    let (folder, ground) = settled(&folder, typed)?;
    let Some(file) = file else { return Ok((folder, ground)) };
    let file = folder.join(file);
    if file.is_dir() {
        let what = format!("`{}` is a folder, and a file is to be put there", file.display());
        return Err(wrong(what, "name another folder, or remove this one"));
    }
    Ok((file, ground))
}

/// Whether a path that is no folder is one of a file: by its own name, or by the ending that files of its
/// kind have.
fn is_called_as_file(path: &Path, name: &OsStr) -> bool {
    let ending = Path::new(name).extension();
    path.file_name() == Some(name) || ending.is_some() && path.extension() == ending
}

/// A folder with the links followed of what is there of it, and that.
fn settled(folder: &Path, typed: &str) -> Result<(PathBuf, PathBuf), OptionsError> {
    let is_there = |path: &&Path| fs_err::symlink_metadata(path).is_ok();
    let there = folder.ancestors().find(is_there).unwrap_or(Path::new("/"));
    let ground = fs_err::canonicalize(there).unwrap_or_else(|_| there.to_path_buf());
    if !ground.is_dir() {
        let what = format!("`{typed}` cannot be a folder: `{}` is none", there.display());
        return Err(wrong(what, "name a folder"));
    }
    let below = folder.strip_prefix(there).unwrap_or(Path::new(""));
    let whole = if below.as_os_str().is_empty() { ground.clone() } else { ground.join(below) };
    Ok((whole, ground))
}

/// Whether two sources keep out of each other's way, as far as can be told before the hub is asked. One may
/// go into the folder of the other, which keeps its notes there.
fn apart(one: &Delivery, other: &Delivery) -> Result<(), OptionsError> {
    let what = if one.to == other.to {
        let (first, second) = (&one.typed.0, &other.typed.0);
        format!("`{first}` and `{second}` both go to `{}`", other.to.display())
    } else {
        match [(one, other), (other, one)]
            .into_iter()
            .find_map(|(inner, outer)| taken(inner, outer))
        {
            Some(what) => what,
            None => return Ok(()),
        }
    };
    Err(wrong(what, "give each source a folder of its own"))
}

/// Why a source may not go to a place below that of another.
fn taken(inner: &Delivery, outer: &Delivery) -> Option<String> {
    let below = inner.to.strip_prefix(&outer.to).ok()?;
    let why = match &outer.source.path {
        Some(_) => format!("is inside `{}`, the file that", outer.to.display()),
        None if below.starts_with(hub_cache::NOTES) => {
            format!("is where notes are kept about what `{}` brings:", outer.to.display())
        }
        None => return None,
    };
    Some(format!("`{}` {why} `{}`", inner.to.display(), outer.typed.0))
}

fn text(word: &Path) -> Result<&str, OptionsError> {
    let what = || format!("`{}` is not valid Unicode", word.display());
    word.to_str().ok_or_else(|| OptionsError::Delivery { what: what(), instead: None })
}

/// What stands before `://`.
fn scheme(word: &str) -> Option<&str> {
    let (scheme, _) = word.split_once("://")?;
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter);
    (!scheme.is_empty() && scheme.chars().all(is_letter)).then_some(scheme)
}

/// A word as it may be shown: an address of another kind may hold a password.
fn shown(word: &str) -> String {
    match scheme(word) {
        Some(scheme) if format!("{scheme}://") != SCHEME => format!("{scheme}://..."),
        Some(_) | None => word.to_owned(),
    }
}

fn wrong(what: impl Into<String>, instead: impl Into<String>) -> OptionsError {
    OptionsError::Delivery { what: what.into(), instead: Some(instead.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a source goes below a folder that has `there/`, `file` and `link`, a link to `there`.
    fn check(source: &str, typed: &str, expected: Result<(&str, &str), &str>) {
        let folder = tempfile::tempdir().unwrap();
        let root = fs_err::canonicalize(folder.path()).unwrap();
        fs_err::create_dir(root.join("there")).unwrap();
        fs_err::write(root.join("file"), "").unwrap();
        fs_err::write(root.join("x.gguf"), "").unwrap();
        std::os::unix::fs::symlink("there", root.join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("dangling")).unwrap();
        let (source, _) = source_of(source).unwrap();
        match (place(&source, typed, &root), expected) {
            (Ok(found), Ok((to, ground))) => {
                let below = |name: &str| clean(&root.join(name));
                assert_eq!(found, (below(to), below(ground)), "{typed}");
            }
            (Err(error), Err(word)) => {
                assert!(error.to_string().contains(word), "{typed}: {error}");
                assert!(error.hint().is_some());
            }
            (found, expected) => panic!("{typed}: {found:?} and not {expected:?}"),
        }
    }

    #[test]
    fn a_repository_goes_into_a_folder_and_links_on_the_way_are_followed() {
        for (typed, expected) in [
            ("there", Ok(("there", "there"))),
            ("there/", Ok(("there", "there"))),
            ("./there/a/b", Ok(("there/a/b", "there"))),
            ("new/a", Ok(("new/a", "."))),
            ("link", Ok(("there", "there"))),
            ("link/a", Ok(("there/a", "there"))),
            ("file", Err("is a file")),
            ("file/a", Err("is none")),
            ("dangling", Err("is a link to `nowhere`")),
            ("dangling/a", Err("is none")),
            ("there/../new", Err("leads upwards")),
            ("", Err("is no name")),
        ] {
            check("hf://o/r", typed, expected);
        }
    }

    #[test]
    fn one_file_goes_into_a_folder_or_where_a_file_of_its_kind_is_named() {
        for (typed, expected) in [
            ("there", Ok(("there/a.gguf", "there"))),
            ("there/a.gguf", Ok(("there/a.gguf", "there"))),
            ("there/own.gguf", Ok(("there/own.gguf", "there"))),
            ("there/own.gguf/", Ok(("there/own.gguf/a.gguf", "there"))),
            ("new", Ok(("new/a.gguf", "."))),
            ("x.gguf", Ok(("x.gguf", "."))),
            ("file", Err("is a file")),
        ] {
            check("hf://o/r/q/a.gguf", typed, expected);
        }
    }
}
