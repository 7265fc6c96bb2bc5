use std::path::Path;

use serde_json::json;

use super::*;
use crate::exit_code::ExitCode;
use crate::findings::check;
use crate::findings::{Finding, Findings, Rule, Ruling, Severity};
use crate::plan::lanes::schema;

static HEALTH: Rule =
    Rule { id: "unhealthy", severity: Severity::Error, exit: ExitCode::Unhealthy, docs: "" };

fn files_missing() -> &'static Rule {
    check::rule("files-missing").unwrap()
}

fn pin() -> &'static Rule {
    check::rule("revision-not-pinned").unwrap()
}

fn choices(allowed: &[&str], denied: &[&str]) -> Choices {
    let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    Choices { allowed: set(allowed), denied: set(denied) }
}

fn policy() -> Policy {
    Policy { optional_lanes: ["spare".to_owned()].into(), ..Policy::default() }
}

fn check(policy: &Policy, finding: Finding, expected: (Severity, bool, Option<Ruling>)) {
    let lane = finding.lane.clone().unwrap();
    let mut findings = Findings::new(policy.clone());
    findings.push(finding);
    assert_eq!(findings.stops(&lane), expected.1);
    // Lanes are judged in sinks of their own, which are then put together.
    let mut all = Findings::new(policy.clone());
    all.append(findings);
    assert_eq!(all.stops(&lane), expected.1);
    let finding = all.into_vec().remove(0);
    assert_eq!((finding.severity, finding.ruling), (expected.0, expected.2));
}

fn found(rule: &'static Rule, lane: &str) -> Finding {
    Finding::new(rule, "m", "f").lane(lane)
}

#[test]
fn an_error_of_an_optional_lane_is_a_warning_that_stops_the_lane() {
    check(&policy(), found(files_missing(), "coder"), (Severity::Error, true, None));
    check(&policy(), found(files_missing(), "spare"), (Severity::Warning, true, None));
    check(&policy(), found(pin(), "spare"), (Severity::Note, false, None));
}

#[test]
fn an_allowed_check_is_a_note_and_a_denied_one_an_error() {
    let flag = Some(Ruling::Flag);
    let allow = Policy { flags: choices(&["files-missing"], &[]), ..policy() };
    check(&allow, found(files_missing(), "coder"), (Severity::Note, false, flag));
    let both = Policy { flags: choices(&["files-missing"], &["files-missing"]), ..policy() };
    check(&both, found(files_missing(), "coder"), (Severity::Error, true, None));
    let deny = Policy { flags: choices(&[], &["revision-not-pinned"]), ..policy() };
    check(&deny, found(pin(), "coder"), (Severity::Error, true, flag));
    check(&deny, found(pin(), "spare"), (Severity::Warning, true, flag));
}

#[test]
fn a_flag_is_stronger_than_the_project() {
    let extension = choices(&["files-missing"], &["revision-not-pinned"]);
    let project = Policy { extension, ..policy() };
    let by_project = Some(Ruling::Extension);
    check(&project, found(files_missing(), "coder"), (Severity::Note, false, by_project));
    check(&project, found(pin(), "coder"), (Severity::Error, true, by_project));
    let denied = Policy { flags: choices(&["revision-not-pinned"], &["files-missing"]), ..project };
    check(&denied, found(files_missing(), "coder"), (Severity::Error, true, None));
    check(&denied, found(pin(), "coder"), (Severity::Note, false, None));
}

#[test]
fn containers_fail_only_the_runs_that_are_about_them() {
    check(&policy(), found(&HEALTH, "coder"), (Severity::Error, true, None));
    let advisory = Policy { containers_advisory: true, ..policy() };
    check(&advisory, found(&HEALTH, "coder"), (Severity::Warning, false, None));
    check(&advisory, found(files_missing(), "coder"), (Severity::Error, true, None));
    let denied = Policy { flags: choices(&[], &["unhealthy"]), ..advisory };
    check(&denied, found(&HEALTH, "coder"), (Severity::Error, true, None));
}

/// The comments of `text`: the lines that each is about, and what it allows.
fn read(text: &str) -> Result<Vec<(String, Vec<String>)>, String> {
    let mut sources = SourceMap::default();
    sources.add(Path::new("compose.yaml"), text.to_owned());
    let found = comments(&sources).map_err(|error| error.to_string())?;
    let told =
        |comment: Comment| (text[comment.lines].to_owned(), comment.allowed.into_iter().collect());
    Ok(found.into_iter().map(told).collect())
}

#[test]
fn a_comment_is_about_its_line_or_if_it_is_alone_about_the_next() {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let behind = "a: b # preflight: allow[files-missing, lfs-pointer] for now\n";
    let expected = (behind.to_owned(), ids(&["files-missing", "lfs-pointer"]));
    assert_eq!(read(&format!("x: y\n{behind}c: d\n")).unwrap(), [expected]);
    let alone = "  # preflight: allow[files-missing]\n  a: b\n";
    assert_eq!(
        read(&format!("{alone}  c: d\n")).unwrap(),
        [(alone.to_owned(), ids(&["files-missing"]))]
    );
    let last = "# preflight: allow[files-missing]";
    assert_eq!(read(last).unwrap(), [(last.to_owned(), ids(&["files-missing"]))]);
}

#[test]
fn what_is_no_comment_allows_nothing_and_what_is_no_check_is_refused() {
    assert_eq!(read("a: preflight: allow[files-missing]\n").unwrap(), []);
    assert_eq!(read("a: b# preflight: allow[files-missing]\n").unwrap(), []);
    assert_eq!(
        read("a: b\nb: c # preflight: allow[file-missing]\n").unwrap_err(),
        "compose.yaml:2:8: there is no check `file-missing`"
    );
    assert!(read("a: b # preflight: allow[files-missing\n").unwrap_err().contains("no `]`"));
}

#[test]
fn a_finding_is_allowed_on_the_line_that_it_points_at_and_nowhere_else() {
    let mut sources = SourceMap::default();
    let text = "a: b # preflight: allow[files-missing]\nc: d\n";
    let source = sources.add(Path::new("compose.yaml"), text.to_owned());
    let policy = Policy { comments: comments(&sources).unwrap(), ..policy() };
    let at = |word: &str| {
        let start = text.find(word).unwrap();
        let span = Span { source, start, end: start + word.len() };
        found(files_missing(), "coder").at(&Place::at(span))
    };
    check(&policy, at("b #"), (Severity::Note, false, Some(Ruling::Comment)));
    check(&policy, at("d\n"), (Severity::Error, true, None));
}

#[test]
fn a_comment_at_the_head_of_a_text_of_several_lines_is_for_all_of_them() {
    for (text, is_meant) in [
        ("a:\n  b: > # preflight: allow[files-missing]\n    x\n\n    word\n", true),
        ("a:\n  # preflight: allow[files-missing]\n  b: |-\n    x\n    word\n", true),
        ("a:\n  - >- # preflight: allow[files-missing]\n    x\n    word\n", true),
        ("a:\n  - b: > # preflight: allow[files-missing]\n      x\n    c: word\n", false),
        ("a:\n  b: x # preflight: allow[files-missing]\n  c: word\n", false),
    ] {
        let mut sources = SourceMap::default();
        let source = sources.add(Path::new("compose.yaml"), text.to_owned());
        let start = text.find("word").unwrap();
        let meant = comments(&sources).unwrap()[0].lines.contains(&start);
        assert_eq!(meant, is_meant, "{}:{text}", sources.name(source).display());
    }
}

#[test]
fn an_error_about_a_service_that_nobody_starts_now_is_a_warning() {
    let policy = Policy { idle_services: ["vllm".to_owned()].into(), ..Policy::default() };
    for (service, lane, expected) in [
        ("vllm", None, Severity::Warning),
        ("llama", None, Severity::Error),
        // A lane that is judged is, whatever else serves it.
        ("vllm", Some("coder"), Severity::Error),
    ] {
        let mut finding = Finding::new(files_missing(), "m", "f").service(service);
        finding.lane = lane.map(str::to_owned);
        policy.apply(&mut finding);
        assert_eq!(finding.severity, expected, "{service} {lane:?}");
    }
}

/// `PREFLIGHT_TEST_WRITE_DOCS=1` writes it.
#[test]
fn the_schema_for_editors_is_that_of_the_types_that_read_what_is_declared() {
    let mut schema = schema::compose();
    let ids: Vec<&str> = check::rules().map(|rule| rule.id).collect();
    schema["$defs"]["Extension"]["properties"]["checks"]["propertyNames"] = json!({ "enum": ids });
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/compose.json");
    #[expect(clippy::disallowed_methods, reason = "a test is told whether to write")]
    if std::env::var("PREFLIGHT_TEST_WRITE_DOCS").as_deref() == Ok("1") {
        fs_err::write(&path, &text).unwrap();
    }
    let kept = fs_err::read_to_string(path).unwrap_or_default();
    assert!(kept == text, "PREFLIGHT_TEST_WRITE_DOCS=1 writes schema/compose.json");
}
