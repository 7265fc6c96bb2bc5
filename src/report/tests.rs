use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::facts::memory::{HostRoom, SizeSource};
use crate::findings::Policy;
use crate::findings::Rule;
use crate::options::Choices;
use crate::options::{self, Charset, OptionsError, ProgressStyle, ReportOptions};
use crate::plan::engine::Share;
use crate::plan::engine::memory::{Claim, Device, Largest, Part, Served, Use, Whole};
use crate::plan::lanes::{Origin, Traced};
use crate::report::redact::unseen::is_unprintable;
use crate::source::Source;
use crate::source_map::{Place, SourceId, Span, Variable, VariableSource};

static MOUNT: Rule = rule("mount-source-missing", Severity::Error, ExitCode::Mount);
static FILES: Rule = rule("files-missing", Severity::Error, ExitCode::Incomplete);
static SHARD: Rule = rule("shard-missing", Severity::Error, ExitCode::Corrupt);
static PROJECT: Rule = rule("models-path-differs", Severity::Error, ExitCode::Lane);
static HEALTH: Rule = rule("container-unhealthy", Severity::Error, ExitCode::Unhealthy);
static PIN: Rule = rule("revision-not-pinned", Severity::Note, ExitCode::Ready);

static UNSEEN: Rule = rule("not-looked-at", Severity::Note, ExitCode::Unjudged);

const fn rule(id: &'static str, severity: Severity, exit: ExitCode) -> Rule {
    Rule { id, severity, exit, docs: "" }
}

pub(super) fn lane(name: &str, required: bool) -> Lane {
    let (owner, repo) = ("Qwen".to_owned(), name.to_owned());
    let source = Source { owner, repo, revision: None, path: None };
    Lane {
        required,
        services: vec![format!("vllm-{name}")],
        engine: Some(Engine::Vllm),
        source: Some(Traced { value: source, from: Origin::Extension, place: Place::nowhere() }),
        ..Lane::named(name)
    }
}

/// The policy of a run that is not about containers.
fn advisory(optional: impl IntoIterator<Item = String>) -> Policy {
    let optional_lanes = optional.into_iter().collect();
    Policy { containers_advisory: true, optional_lanes, ..Policy::default() }
}

/// How [`rich`] and the like are told.
pub(super) fn telling<'a>(
    sources: &'a SourceMap,
    redactor: &'a Redactor,
    layout: human::Layout,
) -> Telling<'a> {
    static BASE: std::sync::LazyLock<Base> =
        std::sync::LazyLock::new(|| Base { here: "/work".into(), root: "/work".into() });
    Telling { sources, redactor, role: Role::Hand, layout, base: &BASE }
}

fn file(path: &str, size_bytes: Option<u64>, state: FileState) -> FileReport {
    let host_path = Some(format!("/srv{path}"));
    FileReport { path: path.to_owned(), host_path, size_bytes, state, hashed_by: None }
}

/// A run that has nothing to say but these findings.
pub(super) fn nothing_but<'a>(findings: Findings) -> RunOutcome<'a> {
    RunOutcome {
        subject: Subject::Lanes,
        role: Role::Hand,
        dialect: Dialect::Compose,
        project: None,
        lanes: Vec::new(),
        findings,
        containers: Vec::new(),
        devices: Vec::new(),
        planned: None,
        picture: Picture::default(),
        allow_unknown: false,
        timing: Timing::default(),
    }
}

/// What is found out of a lane of which nothing is.
pub(super) fn bare(lane: &Lane) -> LaneOutcome<'_> {
    LaneOutcome {
        lane,
        files: Vec::new(),
        summary: None,
        serves: false,
        unknown: None,
        skipped: None,
        planned: None,
        memory: None,
    }
}

fn outcome(lanes: &[Lane], unknown: &[(&str, &str)], found: Vec<Finding>) -> Report {
    let optional = lanes.iter().filter(|lane| !lane.required).map(|lane| lane.name.clone());
    let mut findings = Findings::new(advisory(optional));
    for finding in found {
        findings.push(finding);
    }
    let why = |lane: &Lane| {
        let found = unknown.iter().find(|(name, _)| *name == lane.name);
        found.map(|(_, reason)| (*reason).to_owned())
    };
    let lanes = lanes.iter().map(|lane| LaneOutcome {
        skipped: lane.skipped.clone(),
        unknown: why(lane),
        ..bare(lane)
    });
    Report::new(RunOutcome {
        project: Some("cortex".to_owned()),
        lanes: lanes.collect(),
        ..nothing_but(findings)
    })
}

/// The verdicts of the lanes, and the exit code.
fn check(
    lanes: &[Lane],
    unknown: &[(&str, &str)],
    found: Vec<Finding>,
    expected: (&[Verdict], ExitCode),
) {
    let report = outcome(lanes, unknown, found);
    let verdicts: Vec<_> = report.lanes.iter().map(|lane| lane.verdict).collect();
    assert_eq!((verdicts.as_slice(), report.exit), expected);
}

fn found(rule: &'static Rule, lane: &str) -> Finding {
    let finding = Finding::new(rule, "something is wrong", "put it right");
    if lane.is_empty() { finding } else { finding.lane(lane) }
}

#[test]
fn a_lane_without_an_error_is_ready() {
    let lanes = [lane("coder", true), lane("spare", false)];
    let notes = vec![found(&PIN, "coder"), found(&HEALTH, "coder")];
    check(&lanes, &[], notes, (&[Verdict::Ready, Verdict::Ready], ExitCode::Ready));
}

#[test]
fn the_worst_cause_sets_the_exit_code() {
    let lanes = [lane("coder", true), lane("reader", true)];
    let errors = vec![found(&FILES, "coder"), found(&MOUNT, "reader")];
    check(&lanes, &[], errors, (&[Verdict::NotReady, Verdict::NotReady], ExitCode::Mount));
}

#[test]
fn a_consequence_makes_a_lane_not_ready_and_sets_the_exit_code_only_alone() {
    let lanes = [lane("coder", true)];
    let follows = || found(&SHARD, "coder").consequence();
    let errors = vec![follows(), found(&FILES, "coder")];
    check(&lanes, &[], errors, (&[Verdict::NotReady], ExitCode::Incomplete));
    check(&lanes, &[], vec![follows()], (&[Verdict::NotReady], ExitCode::Corrupt));
}

#[test]
fn a_lane_that_is_not_required_never_fails_the_run() {
    let lanes = [lane("coder", true), lane("spare", false)];
    let errors = vec![found(&FILES, "spare")];
    check(&lanes, &[], errors, (&[Verdict::Ready, Verdict::NotReady], ExitCode::Ready));
    let unknown = [("spare", "not mounted")];
    check(&lanes, &unknown, vec![], (&[Verdict::Ready, Verdict::Unknown], ExitCode::Ready));
}

#[test]
fn a_required_lane_that_could_not_be_looked_at_is_unknown() {
    let lanes = [lane("coder", true)];
    let unknown = [("coder", "not mounted")];
    check(&lanes, &unknown, vec![], (&[Verdict::Unknown], ExitCode::Unjudged));
    let errors = vec![found(&MOUNT, "coder")];
    check(&lanes, &unknown, errors, (&[Verdict::NotReady], ExitCode::Mount));
}

#[test]
fn a_part_that_was_not_looked_at_leaves_its_lane_unknown() {
    let lanes = [lane("coder", true), lane("spare", true)];
    let unseen = || found(&UNSEEN, "coder").with("reason", "it cannot be listed");
    let verdicts = [Verdict::Unknown, Verdict::Ready];
    check(&lanes, &[], vec![unseen()], (&verdicts, ExitCode::Unjudged));
    let report = outcome(&lanes, &[], vec![unseen()]);
    assert_eq!(report.lanes[0].reason.as_deref(), Some("it cannot be listed"));
    let errors = vec![unseen(), found(&MOUNT, "coder")];
    check(&lanes, &[], errors, (&[Verdict::NotReady, Verdict::Ready], ExitCode::Mount));
}

#[test]
fn a_lane_that_serves_needs_no_files_to_be_seen() {
    let coder = lane("coder", true);
    let judged = |serves: bool| {
        let unknown = Some("not mounted".to_owned());
        let lanes = vec![LaneOutcome { serves, unknown, ..bare(&coder) }];
        let outcome = RunOutcome { lanes, ..nothing_but(Findings::new(Policy::default())) };
        let report = Report::new(outcome);
        (report.lanes[0].verdict, report.exit)
    };
    assert_eq!(judged(true), (Verdict::Ready, ExitCode::Ready));
    assert_eq!(judged(false), (Verdict::Unknown, ExitCode::Unjudged));
}

#[test]
fn an_unknown_lane_can_be_accepted() {
    let coder = lane("coder", true);
    let unknown = Some("not mounted".to_owned());
    let outcome = RunOutcome {
        role: Role::Init,
        lanes: vec![LaneOutcome { unknown, ..bare(&coder) }],
        allow_unknown: true,
        ..nothing_but(Findings::new(Policy::default()))
    };
    let report = Report::new(outcome);
    assert_eq!((report.lanes[0].verdict, report.exit), (Verdict::Unknown, ExitCode::Ready));
    assert_eq!(report.findings[0].severity, Severity::Warning);
}

#[test]
fn a_project_without_a_lane_could_not_be_judged() {
    check(&[], &[], vec![], (&[], ExitCode::Unjudged));
    let no_lane = check::verdict::no_lane(Role::Hand, Dialect::Compose);
    let report = outcome(&[], &[], vec![no_lane]);
    assert_eq!(report.findings.len(), 1, "it is said once");
}

#[test]
fn a_skipped_lane_is_not_judged() {
    let skipped = Lane { skipped: Some("Ollama".to_owned()), ..lane("chat", true) };
    check(&[skipped], &[("chat", "x")], vec![], (&[Verdict::Skipped], ExitCode::Ready));
}

#[test]
fn an_error_of_the_project_fails_a_run_whose_lanes_are_ready() {
    let lanes = [lane("coder", true)];
    check(&lanes, &[], vec![found(&PROJECT, "")], (&[Verdict::Ready], ExitCode::Lane));
}

#[test]
fn a_denied_note_fails_the_run() {
    let denied = ["revision-not-pinned".to_owned()].into();
    let flags = Choices { denied, ..Choices::default() };
    let mut findings = Findings::new(Policy { flags, ..advisory([]) });
    findings.push(found(&PIN, "coder"));
    assert_eq!(exit_code(&findings.into_vec()), ExitCode::Lane);
}

#[test]
fn findings_are_sorted_by_severity_lane_worst_cause_place_and_id() {
    let mut sources = SourceMap::default();
    let source = sources.add(Path::new("c.yaml"), "abcdef".to_owned());
    let at = |start| Place::at(Span { source, start, end: start + 1 });
    let lanes = [lane("one", true), lane("two", true)];
    let named = |rule, lane: &str, message: &str| Finding {
        message: message.to_owned(),
        ..found(rule, lane)
    };
    let report = outcome(
        &lanes,
        &[],
        vec![
            named(&PIN, "one", "8"),
            named(&FILES, "two", "7"),
            named(&MOUNT, "one", "3"),
            named(&FILES, "one", "5"),
            named(&MOUNT, "one", "6").consequence(),
            named(&FILES, "one", "4").at(&at(4)),
            named(&MOUNT, "one", "2").at(&at(1)),
            named(&PROJECT, "", "1"),
        ],
    );
    let order: String = report.findings.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(order, "12345678");
}

const COMPOSE: &str = "\
services:
  coder:
    image: vllm/vllm-openai:v0.8.5
    command: [\"--model\", \"/models/vllm/coder/bf16\", \"--api-key\", \"abcdefgh\"]
    volumes:
      - ${MODELS_PATH}:/models:ro
  reader:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: -m /models/gguf/reader\u{202e}.gguf
    volumes: [\"./models:/models\"]
";

fn place(sources: &SourceMap, source: SourceId, text: &str) -> Place {
    let start = sources.text(source).find(text).unwrap();
    Place::at(Span { source, start, end: start + text.len() })
}

fn memory() -> LaneMemory {
    let mapped = Part { mapped: true, ..Part::exact(Use::Weights, Device::Host, 1234) };
    let parts = vec![mapped, Part::between(Use::Compute, Device::Gpu(0), 7, None)];
    LaneMemory {
        parts,
        devices: vec![Some("0".to_owned()), None],
        claim: Some(Claim { share: Share(920_000) }),
        largest: Some(Largest { flag: "-c".to_owned(), value: "4096".to_owned() }),
        served: Some(Served {
            values: vec![Largest { flag: "-c".to_owned(), value: "8192".to_owned() }],
            whole: Whole::Tokens(131_072),
            is_least: false,
        }),
        host: Some(HostRoom { memory: 1 << 30, swap: None, is_limit: true, may_lock: false }),
        fits: Fits::No,
        ..LaneMemory::default()
    }
}

/// A run in which everything that can be said is said.
pub(super) fn rich() -> (Report, SourceMap) {
    let mut sources = SourceMap::default();
    let compose = sources.add(Path::new("stack/compose.yaml"), COMPOSE.to_owned());
    let env = sources.add(
        Path::new("stack/.env"),
        "# where the models are\nMODELS_PATH=/srv/modles\nHF_TOKEN=abcdefghijkl\n".to_owned(),
    );
    let Some(set) = place(&sources, env, "MODELS_PATH").span else { panic!() };
    let mut mount = place(&sources, compose, "${MODELS_PATH}");
    let variable = |name: &str, set_by| Variable { name: name.to_owned(), set_by };
    mount.variables.push(variable("MODELS_PATH", VariableSource::EnvFile(set)));
    let mut shell = place(&sources, compose, "./models");
    shell.variables.push(variable("SHELL_ONE", VariableSource::Environment));
    shell.variables.push(variable("NONE", VariableSource::Unset));
    let model = place(&sources, compose, "/models/vllm/coder/bf16");
    let lanes = [
        lane("coder", true),
        Lane { engine: Some(Engine::LlamaCpp), ..lane("reader", true) },
        lane("spare", false),
        lane("hidden", true),
        Lane { skipped: Some("Ollama keeps its own models".to_owned()), ..lane("chat", true) },
    ];
    let mut findings = Findings::new(advisory(["spare".to_owned()]));
    findings.push(found(&SHARD, "spare").with("shard", "model-00002-of-00003.safetensors"));
    findings.push(
        Finding::new(
            &FILES,
            "`/models/vllm/coder/bf16` is not there",
            "fetch it:\n  preflight fetch --lane coder",
        )
        .lane("coder")
        .service("coder")
        .at(&model)
        .consequence(),
    );
    findings.push(
        Finding::new(&MOUNT, "`/srv/modles` does not exist on the host", "set `MODELS_PATH`")
            .lane("coder")
            .service("coder")
            .at(&mount)
            .also(&model, "needed for this")
            .with("nearest", "/srv/models")
            .with("seen", "\u{1b}[31mred\u{1b}[0m\nand a second line"),
    );
    let reader = place(&sources, compose, ".gguf");
    findings.push(
        Finding::new(&SHARD, "`reader\u{202e}.gguf` ends early", "fetch it again")
            .lane("reader")
            .at(&reader)
            .also(&shell, "through this mount"),
    );
    findings.push(found(&PIN, "coder"));
    let (shards, gguf) = (file("/models/a", Some(5 << 30), FileState::Missing), "/models/r.gguf");
    let files = [vec![shards], vec![file(gguf, Some(1234), FileState::Invalid)]];
    let mut files = files.into_iter();
    let report = Report::new(RunOutcome {
        project: Some("stack".to_owned()),
        lanes: lanes
            .iter()
            .map(|lane| LaneOutcome {
                skipped: lane.skipped.clone(),
                memory: (lane.name == "reader").then(memory),
                files: files.next().unwrap_or_default(),
                summary: (lane.name == "coder").then(|| "Qwen2 32B bf16, 32k".to_owned()),
                unknown: (lane.name == "hidden").then(|| "preflight has not mounted it".to_owned()),
                ..bare(lane)
            })
            .collect(),
        devices: vec![HostDevice {
            key: "0".to_owned(),
            name: None,
            memory: 24 << 30,
            reserved: 0,
            source: SizeSource::Declared,
            lanes: vec!["reader".to_owned()],
        }],
        ..nothing_but(findings)
    });
    (report, sources)
}

pub(super) fn assert_same(name: &str, text: &str) {
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/snapshots")}, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn the_human_report_shows_every_finding_at_its_place_and_every_lane() {
    let (report, sources) = rich();
    let redactor = Redactor::default();
    let plain = human::render(&report, telling(&sources, &redactor, human::Layout::default()));
    assert_same("human", &plain);
    let layout = human::Layout { color: true, ..human::Layout::default() };
    let colored = human::render(&report, telling(&sources, &redactor, layout));
    assert_same("human-color", &colored.replace('\u{1b}', "␛"));
    let layout = human::Layout { width: 60, ..human::Layout::default() };
    assert_same("human-narrow", &human::render(&report, telling(&sources, &redactor, layout)));
}

#[test]
fn the_closing_verdict_says_everything_in_a_few_lines() {
    let (report, sources) = rich();
    assert_same("verdict", &verdict_of(&report, &sources, &Redactor::default()));
    let ready = outcome(&[lane("a", true), lane("b", true)], &[], vec![]);
    let ready = verdict_of(&ready, &SourceMap::default(), &Redactor::default());
    assert_eq!(ready, "preflight: ready: 2 of 2 lanes\n");
    let skipped = Lane { skipped: Some("Ollama".to_owned()), ..lane("chat", true) };
    let skipped = outcome(&[skipped], &[("chat", "x")], vec![]);
    let skipped = verdict_of(&skipped, &SourceMap::default(), &Redactor::default());
    assert_eq!(skipped, "preflight: nothing was judged, 1 skipped\n");
    let none = verdict_of(&outcome(&[], &[], vec![]), &SourceMap::default(), &Redactor::default());
    assert!(none.starts_with("preflight: unknown: exit 3, could not judge; 0 of 0 lanes ready\n"));
    assert!(none.contains("\n  project: no-lane: there is no lane to judge"), "{none}");
}

fn verdict_of(report: &Report, sources: &SourceMap, redactor: &Redactor) -> String {
    verdict(report, telling(sources, redactor, human::Layout::default()), Length::Whole)
}

#[test]
fn the_verdict_below_a_report_only_leads_to_its_findings() {
    let (report, sources) = rich();
    let redactor = Redactor::default();
    let layout = human::Layout::default();
    let brief = verdict(&report, telling(&sources, &redactor, layout), Length::Brief);
    insta::assert_snapshot!(brief, @r"
        preflight: not ready: exit 16, mount or permission; 0 of 4 lanes ready, 1 skipped, 1 warning
          coder: mount-source-missing, stack/compose.yaml:6:9
          reader: shard-missing, stack/compose.yaml:9:37
          hidden: lane-unknown
          spare (optional): shard-missing
        ");
    let options = ReportOptions { is_seen_whole: true, ..options(false, vec![]) };
    let (_, stderr) = heard(&options, &redactor, |voice| voice.report(&report, &sources));
    assert_eq!(stderr, brief);
    let quiet = ReportOptions { quiet: true, ..options };
    let (_, stderr) = heard(&quiet, &redactor, |voice| voice.report(&report, &sources));
    assert_eq!(stderr, verdict_of(&report, &sources, &redactor));
}

/// Without the version, and without what a new check would change.
fn of_this_run(sarif: &str) -> String {
    let mut document: serde_json::Value = serde_json::from_str(sarif).unwrap();
    let driver = &mut document["runs"][0]["tool"]["driver"];
    driver["rules"] = serde_json::json!("[RULES]");
    driver["version"] = serde_json::json!("[VERSION]");
    driver["semanticVersion"] = serde_json::json!("[VERSION]");
    for result in document["runs"][0]["results"].as_array_mut().unwrap() {
        result.as_object_mut().unwrap().remove("ruleIndex").unwrap();
    }
    serde_json::to_string_pretty(&document).unwrap()
}

#[test]
fn the_same_run_is_told_to_every_program() {
    let (report, sources) = rich();
    let redactor = Redactor::default();
    let telling = telling(&sources, &redactor, human::Layout::default());
    let told = |name| (named(name).unwrap().report)(&report, telling);
    assert_same("junit", &told("junit"));
    assert_same("github", &told("github"));
    assert_same("markdown", &told("markdown"));
    assert_same("sarif", &of_this_run(&told("sarif")));
}

#[test]
fn what_keeps_several_lanes_down_is_told_once_and_counts_in_each() {
    let lanes = ["coder", "reader", "rag", "spare"].map(|name| lane(name, name != "spare"));
    let of = |lane: &Lane| found(&MOUNT, &lane.name);
    let report = outcome(&lanes, &[], lanes.iter().map(of).collect());
    assert!(report.lanes.iter().all(|lane| lane.verdict == Verdict::NotReady));
    let told: Vec<Vec<&String>> = report.findings.iter().map(|it| it.lanes().collect()).collect();
    // That of the lane which is not required weighs less, so it is not the same.
    assert_eq!(told, [vec!["coder", "reader", "rag"], vec!["spare"]]);

    let (sources, redactor) = (SourceMap::default(), Redactor::default());
    let telling = telling(&sources, &redactor, human::Layout::default());
    let text = |name: &str| (named(name).unwrap().report)(&report, telling);
    for (format, words, count) in [
        ("human", "= note: lanes `coder`, `reader` and `rag`\n", 1),
        (
            "json",
            "\"lanes\": [\n        \"coder\",\n        \"reader\",\n        \"rag\"\n      ]",
            1,
        ),
        ("github", "::lanes coder, reader, rag: something is wrong", 1),
        ("markdown", "\nlanes coder, reader, rag\n", 1),
        ("sarif", "\"ruleId\": \"mount-source-missing\"", 2),
        ("junit", "name=\"mount-source-missing\"", 2),
    ] {
        let text = text(format);
        assert_eq!(text.matches(words).count(), count, "{format}: {text}");
    }
    let verdict = verdict_of(&report, &sources, &redactor);
    let lines: Vec<&str> = verdict.lines().skip(1).collect();
    let line = "mount-source-missing: something is wrong; fix: put it right";
    assert_eq!(
        lines,
        [format!("  coder, reader, rag: {line}"), format!("  spare (optional): {line}")]
    );
}

#[test]
fn no_verdict_names_more_lanes_than_can_be_read() {
    let lanes: Vec<Lane> = (1..=9).map(|index| lane(&format!("l{index}"), true)).collect();
    let found = lanes.iter().map(|lane| found(&MOUNT, &lane.name)).collect();
    let report = outcome(&lanes, &[], found);
    let verdict = verdict_of(&report, &SourceMap::default(), &Redactor::default());
    let named = "\n  l1, l2, l3, l4, l5, l6 and 3 more: mount-source-missing: ";
    assert!(verdict.contains(named), "{verdict}");
}

#[test]
fn no_secret_is_in_any_format() {
    let (report, sources) = rich();
    let redactor = Redactor::new(["modles"]);
    for format in FORMATS {
        let text = (format.report)(&report, telling(&sources, &redactor, human::Layout::default()));
        for secret in ["abcdefgh", "modles"] {
            assert!(!text.contains(secret), "{} shows {secret}:\n{text}", format.name);
        }
    }
    assert!(!verdict_of(&report, &sources, &redactor).contains("modles"));
}

/// What a run says with `voice`, on standard output and on standard error.
fn heard<T>(
    options: &ReportOptions,
    redactor: &Redactor,
    speak: impl FnOnce(&mut Voice<'_>) -> Result<T, ReportError>,
) -> (String, String) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (role, out, err) = (Role::Hand, &mut stdout, &mut stderr);
    let redactor = redactor.clone();
    speak(&mut Voice { options, role, redactor, stdout: out, stderr: err }).unwrap();
    (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn options(quiet: bool, outputs: Vec<(options::Format, PathBuf)>) -> ReportOptions {
    ReportOptions {
        format: options::Format::HUMAN,
        outputs,
        step_summary: None,
        termination_log: None,
        color: false,
        width: 100,
        charset: Charset::Unicode,
        base: Base::default(),
        progress: ProgressStyle::None,
        quiet,
        is_seen_whole: false,
        show_secrets: false,
    }
}

#[test]
fn the_report_goes_to_stdout_and_to_files_and_the_verdict_to_stderr() {
    let (report, sources) = rich();
    let redactor = Redactor::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let to_file = options(false, vec![(options::Format::JSON, path.clone())]);
    let (stdout, stderr) = heard(&to_file, &redactor, |voice| voice.report(&report, &sources));
    let telling = telling(&sources, &redactor, human::Layout::default());
    assert_eq!(stdout, human::render(&report, telling));
    assert_eq!(stderr, verdict_of(&report, &sources, &redactor));
    let written = fs_err::read_to_string(path).unwrap();
    assert_eq!(written, json::render(&report, telling));
    let quiet = options(true, vec![]);
    let (stdout, stderr) = heard(&quiet, &redactor, |voice| voice.report(&report, &sources));
    assert!(stdout.is_empty() && !stderr.is_empty());
}

/// A stream whose reader does not read.
struct Broken(io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_verdict_is_told_even_when_the_report_cannot_be() {
    let (report, sources) = rich();
    let redactor = Redactor::default();
    let told = |kind, outputs| {
        let mut stderr = Vec::new();
        let options = options(false, outputs);
        let (stdout, redactor) = (&mut Broken(kind), redactor.clone());
        let stderr_of = &mut stderr;
        let mut voice =
            Voice { options: &options, role: Role::Hand, redactor, stdout, stderr: stderr_of };
        let result = voice.report(&report, &sources);
        assert!(!stderr.is_empty());
        result
    };
    assert!(told(io::ErrorKind::BrokenPipe, vec![]).is_ok());
    assert!(matches!(told(io::ErrorKind::StorageFull, vec![]), Err(ReportError::Stream(_))));
    let nowhere = vec![(options::Format::JSON, PathBuf::from("/nowhere/at/all.json"))];
    let result = told(io::ErrorKind::BrokenPipe, nowhere);
    assert!(matches!(result, Err(ReportError::File { .. })));
}

#[test]
fn a_fatal_error_is_told_to_a_person_and_to_a_program() {
    let error = Error::Options(OptionsError::PathAndFile { path: PathBuf::from("x\u{7}") });
    let failure = Failure::from(&error);
    let redactor = Redactor::default();
    let told =
        |options: &ReportOptions| heard(options, &redactor, |voice| voice.failure(&failure)).0;
    let human = options(false, vec![]);
    assert_eq!(told(&human), "");
    let json = ReportOptions { format: options::Format::JSON, ..human };
    let sources = SourceMap::default();
    let telling = telling(&sources, &redactor, human::Layout::default());
    assert_eq!(told(&json), json::render_failure(&failure, telling));
    assert_eq!(
        failure_verdict(&failure, &redactor, Charset::Unicode),
        "preflight: error: PATH `x\\u{7}` and `-f` cannot be used together\n  \
         hint: write `-f x\\u{7}` instead\n"
    );
}

#[test]
fn a_fatal_error_of_any_length_fits_into_what_compose_shows() {
    let path = PathBuf::from("ü\n".repeat(3000));
    let source = io::Error::other("why ".repeat(3000));
    let error = Error::Options(OptionsError::NoSuchPath { path, instead: None, source });
    let text = failure_verdict(&Failure::from(&error), &Redactor::default(), Charset::Unicode);
    assert!(text.len() <= 2048 && text.lines().count() == 2, "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_verdict_never_exceeds_what_compose_shows(
        texts in prop::collection::vec("(?s).{0,200}", 1..40), repeat in 1..60_usize
    ) {
        let lanes: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| lane(&format!("{index}{text}"), index % 3 != 0))
            .collect();
        let findings = lanes
            .iter()
            .zip(&texts)
            .enumerate()
            .map(|(index, (lane, text))| {
                let text = text.repeat(repeat);
                let finding = Finding::new(&FILES, text.clone(), text);
                if index % 4 == 1 { finding } else { finding.lane(&lane.name) }
            })
            .collect();
        let mut report = outcome(&lanes, &[(&lanes[0].name, &texts[0])], findings);
        for (lane, text) in report.lanes.iter_mut().zip(&texts) {
            lane.files.push(file(&text.repeat(repeat), None, FileState::Missing));
        }
        let text = verdict_of(&report, &SourceMap::default(), &Redactor::default());
        prop_assert!(text.len() <= 2048, "{} bytes", text.len());
        prop_assert!(text.lines().count() <= 10 && text.ends_with('\n'));
        prop_assert!(!text.contains(|c| c != '\n' && is_unprintable(c)));
    }

    #[test]
    fn no_text_of_others_breaks_the_human_report(
        source in "(?s).{0,80}", text in "(?s).{0,80}",
        start in 0..100_usize, other in 0..100_usize, width in 0..120_usize
    ) {
        let mut sources = SourceMap::default();
        let id = sources.add(Path::new(&text), source);
        let at = |start| Place::at(Span { source: id, start, end: start + 5 });
        let finding = Finding::new(&FILES, text.clone(), text.clone())
            .lane(text.clone())
            .at(&at(start))
            .also(&at(other), text.clone())
            .with("value", &text);
        let report = outcome(&[lane(&text, true)], &[], vec![finding]);
        let layout = human::Layout { width, ..human::Layout::default() };
        let shown = human::render(&report, telling(&sources, &Redactor::default(), layout));
        prop_assert!(!shown.contains(|c| c != '\n' && is_unprintable(c)), "{shown}");
    }
}
