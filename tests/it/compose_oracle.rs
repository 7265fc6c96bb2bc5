//! The loader against the real `docker compose config --format json`, attribute by attribute.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "says what was compared, or why nothing was")]

mod read_back;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use indexmap::IndexMap;
use preflight::options::ProjectOptions;
use preflight::project::Project;
use preflight::project::compose::{self, LoadError};
use preflight::source_map::SourceMap;
use serde_json::Value;

/// The projects; the file explains its own form.
const CASES: &str = include_str!("../data/compose-cases.txt");

/// What is deliberately different, in the same form; the rule is `what: why`.
const DEVIATIONS: &str = include_str!("../data/compose-deviations.txt");

/// A project in a folder of its own.
#[derive(Debug, Default)]
struct Case {
    rule: String,
    /// Names below the folder, and texts.
    files: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    /// Flags of `docker compose`, each with a value.
    arguments: Vec<String>,
    /// The working directory, below the folder.
    from: String,
    /// No line can be named for the refusal.
    nowhere: bool,
    /// Compose answers by chance: it is asked until it says the same.
    undecided: bool,
}

/// The version whose rules are reproduced.
const VERSION: &str = "2.40.3";

/// How often Compose is asked about a project that it is undecided about; of its answers the rarer
/// one is one in five.
const ATTEMPTS: usize = 40;

/// What Compose made of a project.
type Theirs = Result<Value, String>;

/// What preflight made of it.
type Ours = Result<Value, LoadError>;

#[test]
fn every_project_is_resolved_as_docker_compose_resolves_it() {
    if !is_installed() {
        return;
    }
    let cases = cases(CASES);
    let disagreements: Vec<String> = differences_of(&cases).into_iter().flatten().collect();
    eprintln!("agree {} of {}", cases.len() - disagreements.len(), cases.len());
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

#[test]
fn every_deviation_is_still_one() {
    if !is_installed() {
        return;
    }
    let cases = cases(DEVIATIONS);
    for (case, difference) in cases.iter().zip(differences_of(&cases)) {
        let (what, why) = case.rule.split_once(": ").unwrap();
        eprintln!("deviation: {what} | {why}");
        assert!(difference.is_some(), "no longer one: {what}");
    }
}

#[test]
fn every_rule_has_one_case() {
    let cases = cases(CASES);
    let mut rules: Vec<&str> = cases.iter().map(|case| case.rule.as_str()).collect();
    rules.sort_unstable();
    let twice: Vec<_> = rules.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

/// What is different, in the order of the cases.
fn differences_of(cases: &[Case]) -> Vec<Option<String>> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = cases
            .chunks(cases.len().div_ceil(workers))
            .map(|chunk| scope.spawn(|| chunk.iter().map(disagreement).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

fn disagreement(case: &Case) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap().join("proj");
    write_files(&root, case);
    let ours = ours(&root, case);
    let attempts = if case.undecided { ATTEMPTS } else { 1 };
    let mut answers = (0..attempts).map(|_| compare(&oracle(&root, case), &ours));
    let last = answers.try_fold(None, |_, difference| Some(Some(difference?))).flatten();
    let difference = last.or_else(|| unplaced(case, &ours))?;
    Some(format!("{}: {difference}", case.rule))
}

/// A refusal that points at no line although there is one.
fn unplaced(case: &Case, ours: &Ours) -> Option<String> {
    match ours {
        Err(LoadError::Invalid { .. } | LoadError::NotSupportedYet { .. }) if case.nowhere => {
            Some("the refusal has a place after all".to_owned())
        }
        Err(
            error @ (LoadError::NotFound { .. }
            | LoadError::Read { .. }
            | LoadError::Project { .. }),
        ) if !case.nowhere => Some(format!("the refusal has no line: {error}")),
        Ok(_) | Err(_) => None,
    }
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut escaped = false;
    for line in text.lines() {
        if let Some(rule) = line.strip_prefix("## ") {
            cases.push(Case { rule: rule.to_owned(), ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if let Some(name) = line.strip_prefix("-- ").and_then(|name| name.strip_suffix(" --")) {
            let (name, is_escaped) = match name.strip_suffix(" (escaped)") {
                Some(name) => (name, true),
                None => (name, false),
            };
            escaped = is_escaped;
            case.files.push((name.to_owned(), String::new()));
        } else if let Some((_, text)) = case.files.last_mut() {
            if escaped {
                text.push_str(&unescape(line));
            } else {
                text.push_str(line);
                text.push('\n');
            }
        } else if let Some(variable) = line.strip_prefix("env ") {
            let (name, value) = variable.split_once('=').unwrap();
            case.environment.push((name.to_owned(), value.to_owned()));
        } else if let Some(arguments) = line.strip_prefix("args ") {
            case.arguments = arguments.split(' ').map(str::to_owned).collect();
        } else if let Some(from) = line.strip_prefix("from ") {
            from.clone_into(&mut case.from);
        } else if line == "undecided" {
            case.undecided = true;
        } else if line == "nowhere" {
            case.nowhere = true;
        } else {
            panic!("`{line}` is not understood");
        }
    }
    cases
}

fn unescape(line: &str) -> String {
    let line = line
        .replace("\\u{feff}", "\u{feff}")
        .replace("\\u{2028}", "\u{2028}")
        .replace("\\u{85}", "\u{85}");
    let mut text = String::new();
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        text.push(match c {
            '\\' => match characters.next().unwrap() {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                c => c,
            },
            c => c,
        });
    }
    text
}

/// Whether the real program can be asked; says why not.
pub(crate) fn is_installed() -> bool {
    let output = Command::new("docker").args(["compose", "version", "--short"]).output();
    let reason = match output {
        Err(error) => format!("docker cannot be run: {error}"),
        Ok(output) => {
            let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if version.starts_with(VERSION) {
                return true;
            }
            format!("docker compose is {version:?}, not {VERSION}")
        }
    };
    assert!(
        std::env::var_os("PREFLIGHT_TEST_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "docker compose {VERSION} is required: {reason}"
    );
    eprintln!("skipped: {reason}");
    false
}

fn write_files(root: &Path, case: &Case) {
    for (name, text) in &case.files {
        let path = root.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    fs_err::create_dir_all(root.join(&case.from)).unwrap();
}

fn environment(case: &Case) -> IndexMap<String, String> {
    let mut environment = IndexMap::from([
        ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("HOME".to_owned(), "/home/somebody".to_owned()),
    ]);
    environment.extend(case.environment.iter().cloned());
    environment
}

fn oracle(root: &Path, case: &Case) -> Theirs {
    let output = asked(root, case, &case.arguments, "json")?;
    let mut document = serde_json::from_slice(&output).unwrap();
    single_dollars(&mut document);
    Ok(document)
}

/// What `docker compose config` prints of the project in `root` that `arguments` name, or why it
/// does not.
fn asked(root: &Path, case: &Case, arguments: &[String], format: &str) -> Result<Vec<u8>, String> {
    let home = std::env::home_dir().unwrap_or_default();
    let plugin = home.join(".docker/cli-plugins/docker-compose");
    let mut command = if plugin.exists() {
        Command::new(plugin)
    } else {
        let mut command = Command::new("docker");
        command.arg("compose");
        command
    };
    command
        .args(arguments)
        .args(["config", "--format", format])
        .current_dir(root.join(&case.from))
        .env_clear()
        .envs(&environment(case))
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

fn ours(root: &Path, case: &Case) -> Ours {
    loaded(root, case).map(|project| project.document)
}

fn loaded(root: &Path, case: &Case) -> Result<Project, LoadError> {
    let mut options = ProjectOptions {
        environment: environment(case),
        working_directory: root.join(&case.from),
        ..ProjectOptions::default()
    };
    let mut arguments = case.arguments.iter();
    while let (Some(flag), Some(value)) = (arguments.next(), arguments.next()) {
        match flag.as_str() {
            "-f" => options.files.push(PathBuf::from(value)),
            "-p" => options.name = Some(value.clone()),
            "--project-directory" => options.directory = Some(PathBuf::from(value)),
            "--env-file" => options.env_files.push(PathBuf::from(value)),
            "--profile" => options.profiles.push(value.clone()),
            other => panic!("{other} is not known"),
        }
    }
    let mut sources = SourceMap::default();
    compose::load(&options, &mut sources)
}

/// `config` doubles every dollar.
fn single_dollars(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace("$$", "$"),
        Value::Array(items) => items.iter_mut().for_each(single_dollars),
        Value::Object(entries) => {
            for (key, mut value) in std::mem::take(entries) {
                single_dollars(&mut value);
                entries.insert(key.replace("$$", "$"), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn compare(expected: &Theirs, actual: &Ours) -> Option<String> {
    match (expected, actual) {
        (Ok(expected), Ok(actual)) => {
            let differences = differences(expected, actual);
            (!differences.is_empty()).then(|| differences.join("; "))
        }
        (Err(_), Err(_)) => None,
        (Ok(_), Err(error)) => Some(format!("compose accepts it, we refuse: {error}")),
        (Err(error), Ok(_)) => Some(format!("compose refuses ({error}), we accept")),
    }
}

fn differences(expected: &Value, actual: &Value) -> Vec<String> {
    let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
    flatten(expected, String::new(), &mut left);
    flatten(actual, String::new(), &mut right);
    let paths: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let shown = |value: Option<&String>| value.map_or("nothing", String::as_str).to_owned();
    paths
        .into_iter()
        .filter(|path| left.get(*path) != right.get(*path))
        .map(|path| {
            format!("{path}: compose {}, we {}", shown(left.get(path)), shown(right.get(path)))
        })
        .collect()
}

fn flatten(value: &Value, path: String, leaves: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                flatten(value, format!("{path}/{key}"), leaves);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                flatten(value, format!("{path}/{index}"), leaves);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            leaves.insert(path, value.to_string());
        }
    }
}
