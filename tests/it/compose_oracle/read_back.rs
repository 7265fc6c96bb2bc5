//! What `preflight config` prints, read back by the programs that people pipe it into: Docker Compose
//! and PyYAML. Every project of the corpus, masked and whole.
//!
//! `PREFLIGHT_TEST_PYTHON` names the Python; without it nothing is compared with PyYAML, unless
//! `PREFLIGHT_TEST_REQUIRE_ALL=1`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use preflight::plan::engine::FLAG_TABLES;
use preflight::project::compose::{self, ConfigFormat};
use preflight::project::secrets;
use preflight::report::redact::Redactor;
use serde_json::{Map, Value, json};

use super::{CASES, Case, Theirs, asked, cases, differences, is_installed, loaded, write_files};
use crate::judge::named;

/// Says of every document in which places PyYAML reads something else than the JSON says: another
/// value, or a value of another type.
const READER: &str = r"
import json, sys, yaml
def without_own(document):
    document.pop('models', None)
    for service in (document.get('services') or {}).values():
        for limit in (service.get('ulimits') or {}).values():
            if isinstance(limit, dict):
                for bound in [bound for bound, value in limit.items() if value == 0]:
                    del limit[bound]
    return document
def differences(read, expected, path):
    if type(read) is not type(expected):
        yield f'{path}: PyYAML {read!r}, the document {expected!r}'
    elif isinstance(read, dict):
        for key in {**read, **expected}:
            if key not in read or key not in expected:
                yield f'{path}/{key!r}: in one of the two'
            else:
                yield from differences(read[key], expected[key], f'{path}/{key}')
    elif isinstance(read, list) and len(read) == len(expected):
        for index, pair in enumerate(zip(read, expected)):
            yield from differences(*pair, f'{path}/{index}')
    elif read != expected:
        yield f'{path}: PyYAML {read!r}, the document {expected!r}'
read = 0
for line in sys.stdin:
    document = json.loads(line)
    try:
        found = list(differences(without_own(yaml.safe_load(document['yaml'])), document['json'], ''))
    except yaml.YAMLError as error:
        found = [str(error)]
    for difference in found:
        print(document['rule'], difference, sep=': ')
    read += 1
print(read)
";

/// One project as `preflight config` prints it.
struct Printed {
    yaml: String,
    /// The same as JSON, less what only one of the two has.
    json: Value,
}

#[test]
fn compose_reads_back_what_config_prints() {
    if !is_installed() {
        return;
    }
    let cases = cases(CASES);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let disagreements: Vec<String> = std::thread::scope(|scope| {
        let chunks = cases.chunks(cases.len().div_ceil(workers));
        let workers: Vec<_> = chunks
            .map(|chunk| scope.spawn(|| chunk.iter().flat_map(disagreements).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

#[test]
fn pyyaml_reads_back_what_config_prints() {
    let Some(python) = named("PREFLIGHT_TEST_PYTHON") else { return };
    let mut documents = Vec::new();
    for case in cases(CASES) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("proj");
        write_files(&root, &case);
        for Printed { yaml, json } in printed(&root, &case).into_iter().flatten() {
            documents.push(json!({ "rule": case.rule, "yaml": yaml, "json": json }));
        }
    }
    assert!(documents.len() > 500, "{} documents", documents.len());
    let mut reader = Command::new(python)
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = reader.stdin.take().unwrap();
    for document in &documents {
        writeln!(stdin, "{document}").unwrap();
    }
    drop(stdin);
    let told = String::from_utf8(reader.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(told, format!("{}\n", documents.len()));
}

/// Where Compose reads something else than was printed. There are projects that it cannot read back
/// from its own print either: there the two prints have to be read alike.
fn disagreements(case: &Case) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap().join("proj");
    write_files(&root, case);
    let Some([whole, masked]) = printed(&root, case) else { return Vec::new() };
    let read = read_by_compose(&root, case, &whole.yaml);
    if read.as_ref() != Ok(&whole.json) {
        let own = asked(&root, case, &case.arguments, "yaml").unwrap();
        let own = read_by_compose(&root, case, &String::from_utf8(own).unwrap());
        return described(case, &own, &read);
    }
    if masked.yaml == whole.yaml {
        return Vec::new();
    }
    described(case, &Ok(masked.json), &read_by_compose(&root, case, &masked.yaml))
}

fn described(case: &Case, expected: &Theirs, read: &Theirs) -> Vec<String> {
    let differences = match (expected, read) {
        (Ok(expected), Ok(read)) => differences(read, expected),
        (Err(_), Err(_)) => Vec::new(),
        (Ok(_), Err(refusal)) => vec![format!("Compose refuses what was printed: {refusal}")],
        (Err(refusal), Ok(_)) => vec![format!("Compose refuses its own print: {refusal}")],
    };
    differences.into_iter().map(|it| format!("{}: {it}", case.rule)).collect()
}

fn read_by_compose(root: &Path, case: &Case, yaml: &str) -> Theirs {
    let file = root.join("printed.yaml");
    fs_err::write(&file, yaml).unwrap();
    let mut arguments = vec!["-f".to_owned(), file.display().to_string()];
    let profiles = case.arguments.chunks(2).filter(|pair| pair[0] == "--profile");
    arguments.extend(profiles.flatten().cloned());
    let mut document = serde_json::from_slice(&asked(root, case, &arguments, "json")?).unwrap();
    without_own(&mut document);
    Ok(document)
}

/// A project as it is, and with its secrets masked; absent for one that is refused.
fn printed(root: &Path, case: &Case) -> Option<[Printed; 2]> {
    let project = loaded(root, case).ok()?;
    let redactor = Redactor::default().flags(FLAG_TABLES);
    let redactor = redactor.knowing(secrets::of(&project, &redactor));
    Some([None, Some(&redactor)].map(|redactor| {
        let print = |format| compose::print(&project, format, redactor);
        let mut json = serde_json::from_str(&print(ConfigFormat::Json)).unwrap();
        without_own(&mut json);
        Printed { yaml: print(ConfigFormat::Yaml), json }
    }))
}

/// Takes out what Compose prints in one of its formats alone: commands that are not there, models and
/// limits of zero.
fn without_own(document: &mut Value) {
    document.as_object_mut().unwrap().remove("models");
    let services = document.get_mut("services").and_then(Value::as_object_mut);
    for service in services.into_iter().flat_map(|services| services.values_mut()) {
        let attributes = service.as_object_mut().unwrap();
        for limit in attributes.get_mut("ulimits").into_iter().flat_map(limits) {
            limit.retain(|_, bound| *bound != 0);
        }
        attributes.retain(|key, value| {
            !(matches!(key.as_str(), "command" | "entrypoint") && value.is_null())
        });
    }
}

fn limits(limits: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    limits.as_object_mut().into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut)
}
