//! One run, told to every program that reads reports. The judges are programs from packages: the
//! validator `jsonschema` with the official schema of SARIF, and the reader `junitparser`.
//!
//! `PREFLIGHT_TEST_PYTHON` and `PREFLIGHT_TEST_SARIF_SCHEMA` name them; without them the reports
//! are only written, unless `PREFLIGHT_TEST_REQUIRE_ALL=1`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::judge::named;
use crate::sandbox::{Sandbox, repository};

const GGUF: &str = "models/gguf/tiny-Q4_K_M.gguf";

/// Names that try to break out of every format.
const HOSTILE: &str = r#"
services:
  inference-llamacpp:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: ["-m", "/models/gguf/\u202Efugg\u202C \x1b[31m]]>&<\"'|`%0A::error::x,\n::error::模型.gguf"]
    volumes: ["./models:/models:ro"]
  wide:
    image: vllm/vllm-openai:v0.12.0
    command: ["--model", "/models/LONG"]
    labels: {preflight.lane: "模型-lane\u202E\x1b[0m"}
    volumes: ["./models:/models:ro"]
    gpus: all
"#;

const JUDGE: &str = r"
import json, sys
import jsonschema, junitparser
folder, schema, sarif_schema = sys.argv[1:4]
def check(document, schema, cls):
    cls.check_schema(schema)
    errors = [f'{list(e.absolute_path)}: {e.message}' for e in cls(schema, format_checker=cls.FORMAT_CHECKER).iter_errors(document)]
    assert not errors, errors[:5]
load = lambda path: json.load(open(path, encoding='utf-8'))
check(load(f'{folder}/report.sarif'), load(sarif_schema), jsonschema.Draft7Validator)
check(load(f'{folder}/report.json'), load(schema), jsonschema.Draft202012Validator)
def later(document):
    if isinstance(document, dict):
        return {**{key: later(value) for key, value in document.items()}, 'added': [{}]}
    return [later(value) for value in document] if isinstance(document, list) else document
check(later(load(f'{folder}/report.json')), load(schema), jsonschema.Draft202012Validator)
xml = junitparser.JUnitXml.fromfile(f'{folder}/report.xml')
suites = [{'name': s.name, 'tests': s.tests, 'failures': s.failures, 'errors': s.errors, 'skipped': s.skipped,
  'cases': [[c.name, [type(r).__name__ for r in c.result]] for c in s]} for s in xml]
for suite in suites:
    kinds = [kind for _, results in suite['cases'] for kind in results]
    assert suite['tests'] == len(suite['cases']), suite
    for key, kind in (('failures', 'Failure'), ('errors', 'Error'), ('skipped', 'Skipped')):
        assert suite[key] == kinds.count(kind), suite
print(json.dumps(suites))
";

const OUTPUTS: [&str; 8] = [
    "-o",
    "json=report.json",
    "-o",
    "sarif=report.sarif",
    "-o",
    "junit=report.xml",
    "-o",
    "markdown=report.md",
];

fn broken() -> Sandbox {
    let sandbox = Sandbox::quickstart();
    let path = sandbox.path().join(GGUF);
    let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(fs_err::metadata(&path).unwrap().len() - 1).unwrap();
    sandbox
}

fn hostile() -> Sandbox {
    let long = "x".repeat(3000);
    Sandbox::quickstart().file("compose.yaml", HOSTILE.replace("LONG", &long))
}

/// What the judges say about the reports in `folder`; absent without judges.
fn judged(folder: &Path) -> Option<Value> {
    let (python, sarif_schema) =
        named("PREFLIGHT_TEST_PYTHON").zip(named("PREFLIGHT_TEST_SARIF_SCHEMA"))?;
    let output = Command::new(python)
        .args(["-c", JUDGE])
        .arg(folder)
        .arg(repository().join("schema/report.json"))
        .arg(sarif_schema)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn read(sandbox: &Sandbox, name: &str) -> String {
    let text = fs_err::read_to_string(sandbox.path().join(name)).unwrap();
    sandbox.assert_silent(text.as_bytes());
    text
}

#[test]
fn independent_readers_accept_every_report_of_one_run() {
    let sandbox = broken();
    let run = sandbox.run(&OUTPUTS);
    assert_eq!(run.code, Some(11), "{}", run.stderr);
    assert!(read(&sandbox, "report.md").starts_with("## preflight: not ready: exit 11"));
    let sarif: Value = serde_json::from_str(&read(&sandbox, "report.sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "compose.yaml");
    assert_eq!(place["region"]["startLine"], 14);
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(rules[index]["id"], result["ruleId"]);
    let Some(suites) = judged(sandbox.path()) else { return };
    let expected = serde_json::json!([["ready", ["Skipped"]], ["file-truncated", ["Failure"]]]);
    let reader = suites.as_array().unwrap().iter().find(|suite| suite["name"] == "reader");
    assert_eq!(reader.unwrap()["cases"], expected);
}

#[test]
fn names_of_others_break_no_format() {
    let sandbox = hostile();
    let run = sandbox.run(&OUTPUTS);
    assert_eq!(run.code, Some(10), "{}", run.stderr);
    let unseen = |text: &str| {
        text.chars()
            .find(|it| it.is_control() && *it != '\n' || ('\u{202a}'..='\u{202e}').contains(it))
    };
    let names = ["report.json", "report.sarif", "report.xml", "report.md"];
    let texts = names.map(|name| read(&sandbox, name));
    for text in texts.iter().chain([&run.stdout, &run.stderr]) {
        assert_eq!(unseen(text), None, "{text}");
        assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
    }
    judged(sandbox.path());
}

#[test]
fn a_run_that_could_not_be_done_is_told_in_every_format() {
    let sandbox = Sandbox::new().file("compose.yaml", "services: [\n");
    let run = sandbox.run(&OUTPUTS);
    assert_eq!(run.code, Some(2));
    let Some(suites) = judged(sandbox.path()) else { return };
    assert_eq!(suites[0]["cases"], serde_json::json!([["run", ["Error"]]]));
    assert!(read(&sandbox, "report.md").contains("compose.yaml:"));
}

#[test]
fn a_command_line_that_makes_no_sense_is_told_in_the_format_that_was_asked_for() {
    let sandbox = Sandbox::quickstart();
    let told = |format: &str| {
        let run = sandbox.run(&["--format", format, "nofile.yaml"]);
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.starts_with("preflight: error: there is no `nofile.yaml`\n"));
        run.stdout
    };
    let json: Value = serde_json::from_str(&told("json")).unwrap();
    assert_eq!(json["exit_code"], 2);
    assert_eq!(json["errors"][0]["message"], "there is no `nofile.yaml`");
    let sarif: Value = serde_json::from_str(&told("sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);
    assert!(
        told("junit").contains("<error type=\"exit 2\" message=\"there is no `nofile.yaml`\">")
    );
    assert!(told("github").starts_with("::error title=preflight::"));
    assert!(told("markdown").starts_with("## preflight: error\n"));
    assert_eq!(told("human"), "");
    sandbox.run(&["-o", "report.xml", "-o", "report.sarif", "nofile.yaml"]);
    assert!(read(&sandbox, "report.xml").contains("failures=\"0\" errors=\"1\""));
    assert!(read(&sandbox, "report.sarif").contains("\"exitCode\": 2"));
}

#[test]
fn a_finding_is_counted_once_and_has_its_file_its_line_and_a_time() {
    let sandbox = broken();
    sandbox.run(&["-o", "report.xml"]);
    let report = read(&sandbox, "report.xml");
    assert!(report.contains(" failures=\"1\" errors=\"0\" skipped=\"2\" time=\""), "{report}");
    let case = "<testcase classname=\"reader\" name=\"file-truncated\" file=\"compose.yaml\" \
                line=\"14\" time=\"0.000\">";
    assert!(report.contains(case), "{report}");
    assert!(report.contains("<skipped message=\"not ready: file-truncated\"/>"), "{report}");
    assert!(!report.contains("docs/checks.md"), "{report}");
}

#[test]
fn code_scanning_takes_a_finding_for_the_same_on_another_machine() {
    let told = || {
        let sandbox = broken();
        sandbox.run(&["-o", "report.sarif"]);
        let sarif: Value = serde_json::from_str(&read(&sandbox, "report.sarif")).unwrap();
        let run = &sarif["runs"][0];
        let rules: Vec<Value> = run["tool"]["driver"]["rules"].as_array().unwrap().clone();
        assert_eq!(rules.len(), 1, "only what was found is described");
        run["results"][0]["partialFingerprints"].clone()
    };
    let first = told();
    assert_eq!(first, told());
    assert!(first["finding/v2"].as_str().unwrap().starts_with("file-truncated/reader/"));
}

#[test]
fn github_gets_annotations_and_a_summary_behind_those_before() {
    let sandbox = broken().file("summary.md", "before\n");
    let sandbox = sandbox.variable("GITHUB_STEP_SUMMARY", "summary.md");
    let run = sandbox.run(&["--format", "github"]);
    let first = run.stdout.lines().next().unwrap();
    assert!(
        first.starts_with(
            "::error file=compose.yaml,line=14,col=17,title=preflight%3A file-truncated::"
        ),
        "{first}"
    );
    let summary = read(&sandbox, "summary.md");
    assert!(summary.starts_with("before\n## preflight: not ready"), "{summary}");
    sandbox.run(&["--format", "json"]);
    assert_eq!(read(&sandbox, "summary.md"), summary, "only the GitHub report has a summary");
}

#[test]
fn files_are_named_from_the_root_of_the_checkout() {
    let sandbox =
        Sandbox::new().file("ops/compose.yaml", "services: {a: {image: x, command: [}}\n");
    let text =
        "services:\n  a:\n    image: ghcr.io/ggml-org/llama.cpp:server\n    command: -m /x.gguf\n";
    fs_err::write(sandbox.path().join("ops/compose.yaml"), text).unwrap();
    let mut command = sandbox.command(&["--format", "github"]);
    command.current_dir(sandbox.path().join("ops")).env("GITHUB_WORKSPACE", sandbox.path());
    let run = sandbox.told(&command.output().unwrap());
    assert!(run.stdout.contains("file=ops/compose.yaml,line="), "{}", run.stdout);
}

#[test]
fn a_report_into_a_folder_that_is_not_there_is_refused_before_the_work() {
    let run = Sandbox::quickstart().run(&["-o", "junit=no/where/report.xml"]);
    insta::assert_snapshot!(run.stderr, @r"
    preflight: error: the report `no/where/report.xml` cannot be written: there is no folder `no/where`
      hint: `mkdir -p no/where`
    ");
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
}

#[test]
fn a_reader_of_ascii_is_shown_ascii() {
    let sandbox = hostile();
    let seen = sandbox.run(&[]);
    assert!(seen.stdout.contains("模型_lane"), "{}", seen.stdout);
    let sandbox = sandbox.variable("LC_ALL", "C");
    let run = sandbox.run(&[]);
    assert!(run.stdout.is_ascii() && run.stderr.is_ascii(), "{}", run.stdout);
    assert!(run.stdout.contains("\\u{6a21}\\u{578b}_lane"), "{}", run.stdout);
    let run = sandbox.run(&["模型"]);
    assert!(run.stderr.is_ascii() && run.stderr.contains("\\u{6a21}"), "{}", run.stderr);
}

#[test]
fn colours_are_where_somebody_looks() {
    let colored =
        |sandbox: &Sandbox, arguments: &[&str]| sandbox.run(arguments).stdout.contains('\u{1b}');
    let sandbox = broken();
    assert!(!colored(&sandbox, &[]));
    assert!(colored(&sandbox, &["--color", "always"]));
    assert!(!colored(&sandbox, &["--color", "never"]));
    let sandbox = sandbox.variable("NO_COLOR", "1");
    assert!(colored(&sandbox, &["--color", "always"]), "what is asked for by name wins");
}

#[test]
fn the_log_can_be_read_by_a_program_and_keeps_its_mouth_shut() {
    let sandbox = broken().variable("HF_TOKEN", "hf_abcdefghijklmnopqrstuvwxyz012345");
    let sandbox = sandbox.variable("PREFLIGHT_LOG", "trace");
    let run = sandbox.run(&["-q", "--log-format", "json", "--progress", "json"]);
    for line in
        run.stderr.lines().filter(|line| !line.contains("preflight: ") && !line.starts_with("  "))
    {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(event["level"].is_string(), "{line}");
    }
    assert_eq!(run.stdout, "");
}
