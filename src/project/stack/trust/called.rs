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
    let mut folders: Vec<&Path> = files.iter().filter_map(|file| file.parent()).collect();
    // What the shell calls the folder may lead there through links.
    let shown = options.environment.get("PWD").map(|shown| clean(&here.join(shown)));
    folders.extend([here.as_path(), directory].into_iter().chain(shown.as_deref()));
    // Compose looks for its files in the folders above as well.
    let above = folders.into_iter().flat_map(Path::ancestors).map(|folder| folder.join(ENV_FILE));
    let named = listed("COMPOSE_ENV_FILES", ",");
    let words = words_of_caller();
    let typed = typed(&words).into_iter().map(|file| clean(&here.join(file)));
    let mut found: Vec<PathBuf> = named.into_iter().chain(typed).chain(above).collect();
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

/// The files of every `--env-file` among the words of `docker compose`. Whatever stands behind its own words
/// counts as well: at the worst a token stays here.
fn typed(words: &[String]) -> Vec<&str> {
    const FLAG: &str = "--env-file";
    let behind = words.iter().skip(1).map(String::as_str).chain([""]);
    let files = words.iter().zip(behind).filter_map(|(word, next)| {
        let rest = word.strip_prefix(FLAG)?;
        if rest.is_empty() { Some(next) } else { rest.strip_prefix('=') }
    });
    files.filter(|file| !file.is_empty()).collect()
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
    fn the_env_files_that_compose_is_called_with_are_those_behind_its_flag() {
        let check = |line: &str, expected: &[&str]| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(typed(&words), expected, "{line}");
        };
        check("docker-compose compose --env-file a.env --env-file=../b up", &["a.env", "../b"]);
        check("docker-compose compose --env-files a up --env-file", &[]);
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
