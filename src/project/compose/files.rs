//! Which files a project is made of, where it lives and what it is called (compose-go v2.9.1
//! `cli/options.go`).

use std::path::{Path, PathBuf};

use super::dotenv::{self, Sink, Variables};
use super::environment::Environment;
use super::fault::Fault;
use super::loader::Loader;
use crate::options::ProjectOptions;
use crate::path::clean;
use crate::regular_file;
use crate::source_map::{Place, SourceId, Spanned, VariableSource};

/// In order of preference.
pub(super) const NAMES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The one file that is merged over a file that was found, in order of preference.
pub(super) const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// What was found before anything is parsed.
#[derive(Debug)]
pub(super) struct Found {
    /// Absolute, or `-`; in the order in which they are merged.
    pub(super) files: Vec<PathBuf>,
    /// Absolute.
    pub(super) directory: PathBuf,
    /// What variables are set to.
    pub(super) environment: Environment,
}

/// `path` seen from `base`, cleaned.
pub(in crate::project) fn absolute(base: &Path, path: &Path) -> PathBuf {
    clean(&base.join(path))
}

/// Finds the files and the directory, and reads the env files.
pub(super) fn find(options: &ProjectOptions, loader: &mut Loader<'_>) -> Result<Found, Fault> {
    let here = clean(&options.working_directory);
    let named = options.directory.as_ref().map(|directory| absolute(&here, directory));
    let mut environment = Environment::of_process(&options.environment);
    if environment.get("PWD").is_none() {
        environment.set("PWD", &here.to_string_lossy(), VariableSource::Compose);
    }
    let mut files: Vec<PathBuf> = options.files.iter().map(|file| local(&here, file)).collect();
    let directory = project_directory(named.as_deref(), &files, &here);
    read_env_files(options, &directory, &mut environment, loader)?;
    if files.is_empty()
        && let Some(listed) = environment.text("COMPOSE_FILE")
    {
        let separator = environment.text("COMPOSE_PATH_SEPARATOR").filter(|s| !s.is_empty());
        files = listed
            .split(separator.unwrap_or(":"))
            .map(|file| local(&here, Path::new(file)))
            .collect();
    }
    if files.is_empty() {
        files = discover(&directory, loader);
    }
    if files.is_empty() {
        return Err(Fault::NotFound { directory });
    }
    if let Some(remote) = files.iter().find(|file| is_remote(&file.to_string_lossy())) {
        let feature = format!("the remote Compose file `{}`", remote.display());
        return Err(Fault::unsupported(&Place::nowhere(), feature));
    }
    // The directory of a file that was found further up has its own `.env`, which counts too.
    let searched = directory;
    let directory = project_directory(named.as_deref(), &files, &here);
    if directory != searched {
        read_env_files(options, &directory, &mut environment, loader)?;
    }
    Ok(Found { files, directory, environment })
}

fn local(here: &Path, file: &Path) -> PathBuf {
    if file == Path::new("-") || is_remote(&file.to_string_lossy()) {
        file.to_path_buf()
    } else {
        absolute(here, file)
    }
}

/// Whether Compose would fetch the file: from a registry, a repository or a server.
pub(in crate::project) fn is_remote(file: &str) -> bool {
    ["oci://", "http://", "https://", "git://", "ssh://", "git@", "github.com/"]
        .iter()
        .any(|prefix| file.starts_with(prefix))
}

fn project_directory(named: Option<&Path>, files: &[PathBuf], here: &Path) -> PathBuf {
    if let Some(named) = named {
        return named.to_path_buf();
    }
    let first = files.iter().find(|file| file.as_path() != Path::new("-"));
    first.and_then(|file| file.parent()).unwrap_or(here).to_path_buf()
}

fn discover(directory: &Path, loader: &mut Loader<'_>) -> Vec<PathBuf> {
    for folder in directory.ancestors() {
        let candidates = present(loader, folder, &NAMES);
        let Some(winner) = candidates.first() else { continue };
        let mut files = vec![winner.clone()];
        loader.warn_of_several("Compose", &candidates);
        let overrides = present(loader, folder, &OVERRIDES);
        loader.warn_of_several("override", &overrides);
        files.extend(overrides.into_iter().next());
        return files;
    }
    Vec::new()
}

fn present(loader: &Loader<'_>, folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    let paths = names.iter().map(|name| folder.join(name));
    paths.filter(|path| loader.local(path).is_some_and(|path| path.exists())).collect()
}

fn read_env_files(
    options: &ProjectOptions,
    directory: &Path,
    environment: &mut Environment,
    loader: &mut Loader<'_>,
) -> Result<(), Fault> {
    let here = &options.working_directory;
    let listed = options.environment.get("COMPOSE_ENV_FILES").filter(|list| !list.is_empty());
    let explicit: Vec<PathBuf> = match (options.env_files.is_empty(), listed) {
        (false, _) => options.env_files.iter().map(|file| absolute(here, file)).collect(),
        (true, Some(listed)) => {
            listed.split(',').map(|file| absolute(here, Path::new(file))).collect()
        }
        (true, None) => Vec::new(),
    };
    let default = directory.join(".env");
    let files = if !explicit.is_empty() {
        explicit
    } else if !is_disabled(options)? && loader.has_text(&default) {
        vec![default]
    } else {
        Vec::new()
    };
    let variables = read_dotenv(&files, environment, loader)?;
    environment.add_missing(&variables);
    Ok(())
}

/// Whether `COMPOSE_DISABLE_ENV_FILE` is one of the words that Go takes for true.
fn is_disabled(options: &ProjectOptions) -> Result<bool, Fault> {
    let Some(value) = options.environment.get("COMPOSE_DISABLE_ENV_FILE") else { return Ok(false) };
    match value.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(Fault::whole(format!("`COMPOSE_DISABLE_ENV_FILE` cannot be `{value}`"))
            .hint("set it to `true` or `false`")),
    }
}

/// Reads env files in order; a later one wins. Their values are expanded with `environment` first.
pub(super) fn read_dotenv(
    files: &[PathBuf],
    environment: &Environment,
    loader: &mut Loader<'_>,
) -> Result<Variables, Fault> {
    let mut variables = Variables::new();
    for file in files {
        let (source, text) = loader.read(file)?;
        let mut sink = Sink { variables: &mut variables, warnings: &mut loader.warnings };
        dotenv::parse(source, &text, &|name| environment.get(name), &mut sink)?;
    }
    Ok(variables)
}

/// The project's name, and whether it was given from outside.
pub(super) fn name(
    options: &ProjectOptions,
    found: &Found,
    declared: Option<Spanned<String>>,
) -> Result<String, Fault> {
    let variable = found.environment.get("COMPOSE_PROJECT_NAME");
    let line = variable.as_ref().and_then(|variable| match variable.set_by {
        VariableSource::EnvFile(span) => Some(span),
        VariableSource::Environment
        | VariableSource::Default
        | VariableSource::Compose
        | VariableSource::Unset => None,
    });
    let outside = match (&options.name, &variable) {
        (Some(name), _) => Some((name, None)),
        (None, variable) => variable.as_ref().map(|variable| (&variable.value, line)),
    };
    if let Some((name, line)) = outside.filter(|(name, _)| !name.is_empty()) {
        if normalise(name) != *name {
            return Err(Fault::span(line, format!("invalid project name `{name}`")).hint(
                "use lower-case letters, digits, `-` and `_`, beginning with a letter or digit",
            ));
        }
        return Ok(name.clone());
    }
    let folder = || {
        found
            .directory
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let declared = declared.unwrap_or_else(|| Spanned::nowhere(folder()));
    let name = normalise(&declared.value);
    if name.is_empty() {
        return Err(Fault::at(&declared.place, "the project name must not be empty")
            .hint("name it with `-p NAME` or `name:`"));
    }
    Ok(name)
}

fn normalise(name: &str) -> String {
    let allowed = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-');
    let kept: String = name.to_lowercase().chars().filter(allowed).collect();
    kept.trim_start_matches(['_', '-']).to_owned()
}

/// Opens a text of at most `most` bytes and keeps it in the source map under the name that the user knows.
pub(super) fn open(
    path: &Path,
    most: u64,
    loader: &mut Loader<'_>,
) -> Result<(SourceId, String), Fault> {
    let refuse = |source| Fault::Read { path: path.to_path_buf(), source };
    let read = if path == Path::new("-") {
        regular_file::standard_input(most)
    } else {
        let unseen = || refuse(std::io::Error::other("it is not mounted into this container"));
        let local = loader.local(path).ok_or_else(unseen)?;
        regular_file::bytes_or_pipe(&local, most)
    };
    let bytes = read.map_err(refuse)?;
    let shown = loader.shown(path);
    match decode(bytes) {
        Ok(text) => Ok((loader.sources.add(&shown, text.clone()), text)),
        Err(valid) => {
            let end = valid.len();
            let source = loader.sources.add(&shown, valid);
            let span = crate::source_map::Span { source, start: end, end };
            Err(Fault::span(Some(span), "the text is not valid UTF-8 from here on"))
        }
    }
}

/// UTF-8, or UTF-16 with a byte order mark; the valid beginning if it is neither.
fn decode(bytes: Vec<u8>) -> Result<String, String> {
    let wide = |read: fn([u8; 2]) -> u16| {
        let units = bytes.get(2..).unwrap_or_default().chunks_exact(2);
        let units: Vec<u16> = units.map(|pair| read([pair[0], pair[1]])).collect();
        String::from_utf16(&units).map_err(|_error| String::new())
    };
    match bytes.as_slice() {
        [0xFF, 0xFE, ..] => wide(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => wide(u16::from_be_bytes),
        _ => String::from_utf8(bytes).map_err(|error| {
            let end = error.utf8_error().valid_up_to();
            String::from_utf8_lossy(error.as_bytes().get(..end).unwrap_or_default()).into_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_as_in_compose() {
        for (name, expected) in
            [("My.Proj", "myproj"), ("___", ""), ("-a_b", "a_b"), ("Ünix", "nix"), ("a b", "ab")]
        {
            assert_eq!(normalise(name), expected);
        }
    }

    #[test]
    fn texts_are_utf_8_or_marked_utf_16() {
        assert_eq!(decode(vec![0xFF, 0xFE, b'a', 0]), Ok("a".to_owned()));
        assert_eq!(decode(vec![b'a', 0xFF]), Err("a".to_owned()));
    }
}
