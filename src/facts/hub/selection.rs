//! Which files of a repository are wanted, and whether their names may be written.

use std::collections::BTreeMap;

use super::pattern::Pattern;
use super::{HubError, RemoteFile, store};
use crate::file_name::hub_cache;
use crate::file_name::split::SplitName;
use crate::limits::{LONGEST_NAME, LONGEST_PATH};
use crate::source::Source;

const MOST_SIMILAR: usize = 3;

/// Keeps what the source, `include` and `exclude` name, and refuses names that leave the folder.
pub(crate) fn select(
    source: &Source,
    files: Vec<RemoteFile>,
    include: &[String],
    exclude: &[String],
) -> Result<Vec<RemoteFile>, HubError> {
    let kept = match &source.path {
        Some(path) => split_set(single(source, path, &files)?, &files),
        None => {
            let (included, excluded) = (read(include), read(exclude));
            let is_any = |patterns: &[Pattern], file: &RemoteFile| {
                patterns.iter().any(|pattern| pattern.matches(&file.path))
            };
            let wanted = |file: &RemoteFile| {
                (included.is_empty() || is_any(&included, file)) && !is_any(&excluded, file)
            };
            files.into_iter().filter(wanted).collect()
        }
    };
    let unsafe_name = kept.iter().find(|file| !is_safe(&file.path)).map(|file| file.path.clone());
    match unsafe_name.or_else(|| clash(&kept)) {
        None => Ok(kept),
        Some(name) => Err(HubError::UnsafeName {
            repository: source.repository(),
            name: store::printable(&name),
        }),
    }
}

fn read(patterns: &[String]) -> Vec<Pattern> {
    patterns.iter().map(|pattern| Pattern::of(pattern)).collect()
}

/// The same, where patterns of `include` that leave nothing are an error: whoever writes them means
/// something that is there.
pub(super) fn select_some(
    source: &Source,
    files: Vec<RemoteFile>,
    include: &[String],
    exclude: &[String],
) -> Result<Vec<RemoteFile>, HubError> {
    let names: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
    let kept = select(source, files, include, exclude)?;
    if source.path.is_some() || include.is_empty() || !kept.is_empty() {
        return Ok(kept);
    }
    let any_of = |patterns: &[String]| store::printable(&patterns.join("` or `"));
    let path = match exclude {
        [] => any_of(include),
        _ => format!("{}` other than `{}", any_of(include), any_of(exclude)),
    };
    let is_alike = |name: &&String| include.iter().any(|it| ending(it) == ending(name));
    let alike: Vec<&String> = names.iter().filter(is_alike).collect();
    let shown = if alike.is_empty() { names.iter().collect() } else { alike };
    let similar = shown.into_iter().take(MOST_SIMILAR).map(|name| store::printable(name)).collect();
    Err(HubError::FileNotFound { repository: source.repository(), path, similar })
}

fn ending(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, ending)| ending)
}

/// Two names that cannot both be files: one is the other, or a folder of it.
fn clash(files: &[RemoteFile]) -> Option<String> {
    clash_as(files, str::to_owned)
}

/// Two names that are one to a file system that does not tell upper case from lower (macOS,
/// Windows, and what Docker Desktop mounts from them), or one of which is a folder of the other
/// there.
pub(super) fn clash_without_case(files: &[RemoteFile]) -> Option<String> {
    clash_as(files, str::to_lowercase)
}

/// Two of the names that cannot both be files where names are what `seen_as` makes of them.
fn clash_as(files: &[RemoteFile], seen_as: impl Fn(&str) -> String) -> Option<String> {
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    for file in files {
        if let Some(other) = taken.insert(seen_as(&file.path), &file.path) {
            return Some(format!("{}` and `{other}", file.path));
        }
    }
    files.iter().find_map(|file| {
        let folders = file.path.match_indices('/').map(|(at, _)| seen_as(&file.path[..at]));
        let other = folders.into_iter().find_map(|folder| taken.get(&folder))?;
        Some(format!("{}` and `{other}", file.path))
    })
}

/// With the first part of a GGUF model in several files come the others: llama.cpp opens them all.
fn split_set(first: RemoteFile, files: &[RemoteFile]) -> Vec<RemoteFile> {
    match SplitName::of_gguf(&first.path).filter(SplitName::is_first) {
        Some(name) => files.iter().filter(|file| name.has_part(&file.path)).cloned().collect(),
        None => vec![first],
    }
}

/// The file of that name; else the only one whose name differs in case, `-`, `.` and `_` alone:
/// guides and catalogues are careless about them.
fn single(source: &Source, path: &str, files: &[RemoteFile]) -> Result<RemoteFile, HubError> {
    if let Some(file) = files.iter().find(|file| file.path == path) {
        return Ok(file.clone());
    }
    let wanted = loose(path);
    let mut candidates = files.iter().filter(|file| loose(&file.path) == wanted);
    if let (Some(file), None) = (candidates.next(), candidates.next()) {
        return Ok(file.clone());
    }
    Err(HubError::FileNotFound {
        repository: source.repository(),
        path: path.to_owned(),
        similar: similar(path, files),
    })
}

/// The files whose names share most with `path`.
fn similar(path: &str, files: &[RemoteFile]) -> Vec<String> {
    let (stem, extension) = path.rsplit_once('.').unwrap_or((path, ""));
    let wanted = loose(stem);
    let mut ranked: Vec<_> = files
        .iter()
        .map(|file| (file, file.path.rsplit_once('.').unwrap_or((&file.path, ""))))
        .filter(|(_, (_, other))| other.eq_ignore_ascii_case(extension))
        .map(|(file, (stem, _))| {
            let name = loose(stem);
            let same = |(one, other): &(char, char)| one == other;
            let prefix = wanted.chars().zip(name.chars()).take_while(same).count();
            let ends = wanted.chars().rev().zip(name.chars().rev());
            (prefix + ends.take_while(same).count(), file)
        })
        .filter(|(shared, _)| shared * 2 >= wanted.chars().count())
        .collect();
    ranked.sort_by(|(one, _), (other, _)| other.cmp(one));
    ranked.iter().take(MOST_SIMILAR).map(|(_, file)| store::printable(&file.path)).collect()
}

fn loose(path: &str) -> String {
    let unify = |character: char| match character {
        '.' | '_' => '-',
        other => other.to_ascii_lowercase(),
    };
    path.chars().map(unify).collect()
}

/// Whether a name is relative, below the folder on every system, and neither `hf` nor preflight
/// keeps it for itself.
pub(crate) fn is_safe(path: &str) -> bool {
    let harmless =
        |component: &str| !matches!(component, "" | "." | "..") && component.len() <= LONGEST_NAME;
    // A file of a repository among the notes could forge them.
    let lower = path.to_ascii_lowercase();
    let below = lower.strip_prefix(hub_cache::NOTES);
    let is_reserved = below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path.len() <= LONGEST_PATH
        && path.split('/').all(harmless)
        && !path.contains('\\')
        && !path.chars().any(char::is_control)
        && !is_reserved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::hub::ObjectId;

    fn files(paths: &[&str]) -> Vec<RemoteFile> {
        let oid = ObjectId::GitBlob("0".repeat(40));
        let file = |path: &&str| RemoteFile { path: (*path).to_owned(), size: 1, oid: oid.clone() };
        paths.iter().map(file).collect()
    }

    fn source(path: Option<&str>) -> Source {
        Source {
            owner: "o".to_owned(),
            repo: "r".to_owned(),
            revision: None,
            path: path.map(str::to_owned),
        }
    }

    fn check(include: &[&str], exclude: &[&str], expected: &[&str]) {
        let all = ["config.json", "model.safetensors", "original/a.pth", "x/{a}.json"];
        let owned = |patterns: &[&str]| -> Vec<String> {
            patterns.iter().map(|pattern| (*pattern).to_owned()).collect()
        };
        let kept = select(&source(None), files(&all), &owned(include), &owned(exclude)).unwrap();
        let kept: Vec<_> = kept.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(kept, expected, "{include:?} {exclude:?}");
    }

    #[test]
    fn patterns_mean_what_they_mean_to_hf() {
        check(&["*.json"], &[], &["config.json", "x/{a}.json"]);
        check(&[], &["original/*"], &["config.json", "model.safetensors", "x/{a}.json"]);
        check(&["original/"], &[], &["original/a.pth"]);
        check(&["**.pth"], &[], &["original/a.pth"]);
        check(&["**/config.json"], &[], &[]);
        check(&["x/{a}.json"], &[], &["x/{a}.json"]);
        check(&["config.jso[n"], &[], &[]);
        check(&["[!c]*.json"], &[], &["x/{a}.json"]);
    }

    #[test]
    fn patterns_that_leave_nothing_are_named_and_so_is_what_is_there() {
        let all = || files(&["README.md", "b-Q4.gguf", "c-Q8.gguf"]);
        let owned = |pattern: &str| -> Vec<String> {
            pattern.split_whitespace().map(str::to_owned).collect()
        };
        for (include, exclude, expected, shown) in [
            ("*Q5*.gguf", "", "`o/r` has no file `*Q5*.gguf`", &["b-Q4.gguf", "c-Q8.gguf"][..]),
            ("x/ y.bin", "", "`o/r` has no file `x/` or `y.bin`", &["README.md"][..]),
            ("*.md", "R*", "`o/r` has no file `*.md` other than `R*`", &["README.md"][..]),
        ] {
            let found = select_some(&source(None), all(), &owned(include), &owned(exclude));
            let error = found.unwrap_err();
            assert_eq!(error.to_string(), expected);
            let HubError::FileNotFound { similar, .. } = error else { panic!("{error}") };
            assert_eq!(similar[..shown.len()], *shown);
        }
        for (include, exclude) in [("", "*"), ("*.md x/", ""), ("", "")] {
            assert!(select_some(&source(None), all(), &owned(include), &owned(exclude)).is_ok());
        }
    }

    #[test]
    fn a_single_file_may_differ_in_case_dash_dot_and_underscore() {
        let all = files(&["a/Model-1.0-Q4_K_M.gguf", "Model-1.0-Q4_K_M.gguf", "x.gguf"]);
        let found = select(&source(Some("model.1.0.q4-k-m.GGUF")), all, &[], &[]).unwrap();
        assert_eq!(found[0].path, "Model-1.0-Q4_K_M.gguf");
    }

    #[test]
    fn a_name_that_could_be_two_files_is_none_and_names_them() {
        let all = files(&["m-a.gguf", "m_a.gguf", "README.md", "zzzzzzzz.gguf"]);
        let error = select(&source(Some("m.a.gguf")), all, &[], &[]).unwrap_err();
        let HubError::FileNotFound { similar, .. } = error else { panic!("{error}") };
        assert_eq!(similar, ["m-a.gguf", "m_a.gguf"]);
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in [
            "../evil",
            "a/../../evil",
            "/etc/passwd",
            "a//b",
            "",
            "./a",
            "a/.",
            "a\\..\\b",
            "a\nb",
            ".cache/huggingface/x",
            ".Cache/HuggingFace/x",
            "a/\u{7f}",
            &"a".repeat(256),
        ] {
            let error = select(&source(None), files(&[name]), &[], &[]).unwrap_err();
            assert!(matches!(error, HubError::UnsafeName { .. }), "{name:?}: {error}");
            assert!(!error.to_string().contains('\n'), "{name:?}");
        }
        for name in ["a..b", "...", ".cache/x", "ü/ß.json"] {
            assert!(select(&source(None), files(&[name]), &[], &[]).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn names_that_cannot_both_be_files_are_refused() {
        for (one, other) in [("a", "a"), ("a", "a/b"), ("A", "A/b/c")] {
            let error = select(&source(None), files(&[one, other]), &[], &[]).unwrap_err();
            let expected = format!("`{other}` and `{one}`");
            assert!(error.to_string().ends_with(&expected), "{error}");
        }
        let all = files(&["a", "a/b"]);
        assert_eq!(select(&source(None), all, &[], &["a/b".to_owned()]).unwrap().len(), 1);
        assert!(select(&source(None), files(&["a-b", "a/b", "a.b"]), &[], &[]).is_ok());
    }

    #[test]
    fn names_that_differ_in_case_alone_are_told_apart_where_the_file_system_does() {
        for (one, other) in [("Config.json", "config.json"), ("A", "a/b/c")] {
            let both = files(&[one, other]);
            assert!(select(&source(None), both.clone(), &[], &[]).is_ok());
            assert_eq!(clash_without_case(&both), Some(format!("{other}` and `{one}")));
        }
        assert_eq!(clash_without_case(&files(&["a-b", "a/b", "a.b"])), None);
    }

    #[test]
    fn the_first_part_of_a_split_model_brings_the_others() {
        let all = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "m-00001-of-00003.gguf"];
        let kept = |path| -> Vec<String> {
            let kept = select(&source(Some(path)), files(&all), &[], &[]).unwrap();
            kept.into_iter().map(|file| file.path).collect()
        };
        assert_eq!(kept(all[0]), all[..2]);
        assert_eq!(kept(all[1]), [all[1]]);
    }
}
