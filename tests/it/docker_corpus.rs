//! Every file of the two corpora, judged through a mount and through the eyes of the engine: the
//! verdicts are the same, or through the engine it is unknown and said why.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::docker_stack::{Outcome, Stack};
use crate::{gguf_oracle, safetensors_oracle};

/// One file or folder, and the lane that opens it.
struct Case {
    lane: String,
    service: &'static str,
    name: String,
    path: PathBuf,
}

/// A folder of cases as a service mounts it.
fn cases(service: &'static str, folder: &Path, named: Vec<(String, PathBuf)>) -> Vec<Case> {
    let case = |(number, (name, path)): (usize, (String, PathBuf))| Case {
        lane: format!("{service}_{number:03}"),
        service,
        name,
        path: Path::new("/corpus").join(path.strip_prefix(folder).unwrap()),
    };
    named.into_iter().enumerate().map(case).collect()
}

/// A lane for each case, and a service for each kind of file. None of them starts an engine: which
/// files one opens is not asked here.
fn compose_file(cases: &[Case], folders: &[(&str, &Path)]) -> String {
    let lanes: BTreeMap<&str, Value> = cases
        .iter()
        .map(|case| (case.lane.as_str(), json!({"service": case.service, "path": case.path})))
        .collect();
    let services: BTreeMap<&str, Value> = folders
        .iter()
        .map(|(service, folder)| {
            let service_file = json!({
                "image": "llama.cpp:local",
                "entrypoint": ["/bin/true"],
                "depends_on": {"preflight": {"condition": "service_completed_successfully"}},
                "volumes": [format!("{}:/corpus:ro", folder.display())],
            });
            (*service, service_file)
        })
        .collect();
    // JSON is YAML.
    let file = json!({
        "include": ["preflight.yaml"],
        "x-preflight": {"lanes": lanes},
        "services": services,
    });
    file.to_string()
}

/// What a run says of a lane.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    verdict: String,
    reason: String,
}

fn verdicts(report: &str) -> BTreeMap<String, Verdict> {
    let report: Value = serde_json::from_str(report).expect(report);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lanes = report["lanes"].as_array().unwrap().iter();
    lanes
        .map(|lane| {
            let verdict =
                Verdict { verdict: text(&lane["verdict"]), reason: text(&lane["reason"]) };
            (text(&lane["name"]), verdict)
        })
        .collect()
}

/// The file that keeps which cases are which; `PREFLIGHT_TEST_WRITE=1` writes it.
const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/corpus-through-eyes.txt");

const HEAD: &str =
    "# Service, case, verdict; and where the engine's archives do not show enough, why.\n";

#[test]
fn no_file_is_judged_otherwise_through_the_engine_than_through_a_mount() {
    let Some(stack) = Stack::new("corpus", None) else { return };
    let (gguf, named) = gguf_oracle::named();
    let mut all = cases("llama", gguf.path(), named);
    let (safetensors, named) = safetensors_oracle::named();
    all.extend(cases("vllm", safetensors.path(), named));
    let folders = [("llama", gguf.path()), ("vllm", safetensors.path())];
    stack.write("compose.yaml", &compose_file(&all, &folders));
    stack.edit("preflight.yaml", |text| {
        let lines = text.lines().filter(|line| !line.ends_with(":/models"));
        lines.map(|line| format!("{line}\n")).collect()
    });
    stack.set_environment(&[("PREFLIGHT_FORMAT", "json")]);

    let Outcome { stdout, stderr, .. } = stack.by_hand(&["verify", "--format", "json"]);
    let mounted = verdicts(&stdout);
    assert!(all.iter().all(|case| mounted.contains_key(&case.lane)), "{stderr}");
    stack.up_fails();
    let said = stack.report();
    assert!(said.contains("seen-through-engine"), "{said}");
    let through_engine = verdicts(&said);

    let mut wrong = Vec::new();
    let mut list = String::from(HEAD);
    for case in &all {
        let (expected, found) = (&mounted[&case.lane], &through_engine[&case.lane]);
        let Case { service, name, .. } = case;
        if found.verdict == expected.verdict {
            list.push_str(&format!("{service}: {name}: {}\n", found.verdict));
        } else if found.verdict == "unknown" && !found.reason.is_empty() {
            let Verdict { verdict, .. } = expected;
            let line = format!("{service}: {name}: {verdict}, unknown through the engine: ");
            list.push_str(&format!("{line}{}\n", found.reason));
        } else {
            wrong.push(format!("{service}: {name}: {expected:?}, through the engine {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if std::env::var_os("PREFLIGHT_TEST_WRITE").is_some() {
        fs_err::write(LIST, &list).unwrap();
    }
    assert_eq!(list, fs_err::read_to_string(LIST).unwrap());
}
