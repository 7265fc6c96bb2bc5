//! Where Compose may have found the variables that it gives to a provider. It reads the `.env` of the folder
//! that it is called in and that of the project (compose-go 2.9.1 cli/options.go, `WithEnvFiles`), and which
//! project that is, nobody but a file of the repository tells.

use std::path::{Path, PathBuf};

use super::ENV_FILE;
use crate::limits::LONGEST_OF_KERNEL;
use crate::options::ProjectOptions;
use crate::path::clean;
use crate::regular_file;

/// The env files outside of the project's own folder; none unless this process is a provider.
pub(super) fn env_files(options: &ProjectOptions, directory: &Path) -> Vec<PathBuf> {
    if options.provider_of.is_none() {
        return Vec::new();
    }
    let here = clean(&options.working_directory);
    let listed = |name: &str, separator: &str| {
        let said = options.environment.get(name).map_or("", String::as_str);
        let names = said.split(separator).filter(|name| !name.is_empty());
        names.map(|name| clean(&here.join(name))).collect::<Vec<_>>()
    };
    let separator = options.environment.get("COMPOSE_PATH_SEPARATOR").filter(|it| !it.is_empty());
    let files = listed("COMPOSE_FILE", separator.map_or(":", String::as_str));
    let words = words_of_caller();
    let typed = |flags: &[&str]| -> Vec<PathBuf> {
        typed(&words, flags).into_iter().map(|path| clean(&here.join(path))).collect()
    };
    let files: Vec<PathBuf> = files.into_iter().chain(typed(&["--file", "-f"])).collect();
    let projects = typed(&["--project-directory", "--workdir"]);
    let mut folders: Vec<&Path> = files.iter().filter_map(|file| file.parent()).collect();
    folders.extend(projects.iter().map(PathBuf::as_path));
    // What the shell calls the folder may lead there through links.
    let shown = options.environment.get("PWD").map(|shown| clean(&here.join(shown)));
    folders.extend([here.as_path(), directory].into_iter().chain(shown.as_deref()));
    // Compose looks for its files in the folders above as well.
    let above = folders.into_iter().flat_map(Path::ancestors).map(|folder| folder.join(ENV_FILE));
    let named = listed("COMPOSE_ENV_FILES", ",");
    let mut found: Vec<PathBuf> =
        named.into_iter().chain(typed(&["--env-file"])).chain(above).collect();
    found.retain(|path| path.is_file());
    found.sort();
    found.dedup();
    found
}

/// The words of the process that has called this one; none: they cannot be seen. Blocking.
fn words_of_caller() -> Vec<String> {
    let Some(caller) = rustix::process::getppid() else { return Vec::new() };
    let path = format!("/proc/{}/cmdline", caller.as_raw_nonzero());
    let bytes = regular_file::bytes(Path::new(&path), LONGEST_OF_KERNEL).unwrap_or_default();
    String::from_utf8_lossy(&bytes).split_terminator('\0').map(str::to_owned).collect()
}

/// What stands behind these flags among the words of `docker compose`, each in the next word or joined to
/// it. Whatever stands behind its own words counts as well: at the worst a token stays here.
fn typed<'w>(words: &'w [String], flags: &[&str]) -> Vec<&'w str> {
    let behind = words.iter().skip(1).map(String::as_str).chain([""]);
    let value = |word: &'w str, next: &'w str, flag: &str| {
        let rest = word.strip_prefix(flag)?;
        let is_short = !flag.starts_with("--");
        match rest.strip_prefix('=') {
            Some(joined) => Some(joined),
            None if rest.is_empty() => Some(next),
            None => is_short.then_some(rest),
        }
    };
    let found = words
        .iter()
        .zip(behind)
        .filter_map(|(word, next)| flags.iter().find_map(|flag| value(word.as_str(), next, flag)));
    found.filter(|path| !path.is_empty()).collect()
}

/// The folder whose folders may each be that of the project: the one that a provider was called in, where
/// the project is below it.
pub(super) fn top(options: &ProjectOptions, directory: PathBuf) -> PathBuf {
    let here = clean(&options.working_directory);
    let is_below = options.provider_of.is_some() && directory.starts_with(&here);
    if is_below { here } else { directory }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compose_is_called_with_stands_behind_its_flags() {
        let check = |flags: &[&str], line: &str, expected: &[&str]| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(typed(&words, flags), expected, "{line}");
        };
        let env_file = ["--env-file"];
        check(&env_file, "compose --env-file a.env --env-file=../b up", &["a.env", "../b"]);
        check(&env_file, "compose --env-files a up --env-file", &[]);
        check(
            &["--file", "-f"],
            "compose -f a -fb --file=c --file d -f=e up",
            &["a", "b", "c", "d", "e"],
        );
    }

    #[test]
    fn every_folder_counts_in_which_compose_may_have_been_called() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        for name in ["repo/.env", "repo/sub/stack/.env", "other/.env", "own.env", "unasked/.env"] {
            fs_err::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs_err::write(at(name), "").unwrap();
        }
        let variables =
            [("COMPOSE_FILE", "../../other/compose.yaml"), ("COMPOSE_ENV_FILES", "../../own.env")];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let options = ProjectOptions {
            working_directory: at("repo/sub"),
            environment: variables.map(own).into_iter().collect(),
            provider_of: Some("models".to_owned()),
            ..ProjectOptions::default()
        };
        let directory = at("repo/sub/stack");
        let expected = ["other/.env", "own.env", "repo/.env", "repo/sub/stack/.env"].map(at);
        assert_eq!(env_files(&options, &directory), expected);
        assert_eq!(top(&options, directory.clone()), at("repo/sub"));
        assert_eq!(top(&options, at("other")), at("other"));

        let by_hand = ProjectOptions { provider_of: None, ..options };
        assert_eq!(env_files(&by_hand, &directory), Vec::<PathBuf>::new());
        assert_eq!(top(&by_hand, directory.clone()), directory);
    }
}
