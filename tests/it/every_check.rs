//! How every check is told: one folder of `tests/data/checks` for each, with the text in `told.txt`.
//!
//! Where the folder has a `compose.yaml`, the finding is a real one: the models of the quickstart lie
//! beside it, `damage.sh` is what happened to them, `arguments` what preflight is called with. The
//! others need an engine or a hub and are brought about elsewhere; here they are told with the words
//! of their documentation.
//!
//! `PREFLIGHT_TEST_WRITE_DOCS=1` writes the texts anew.

use std::path::Path;
use std::process::Command;

use preflight::check;
use preflight::finding::Policy;
use preflight::finding::{Finding, Findings, Rule};
use preflight::lanes::Lane;
use preflight::options::Base;
use preflight::options::Role;
use preflight::redact::Redactor;
use preflight::report::{LaneOutcome, Outcome, Report, Telling, explain, human};
use preflight::source_map::SourceMap;
use preflight::timing::Timing;

use crate::sandbox::{Sandbox, repository};

/// What is printed for `id`: its first finding, up to the empty line behind it.
fn block(id: &str, stdout: &str) -> Option<String> {
    let is_about = |block: &&str| {
        block.lines().next().is_some_and(|title| title.contains(&format!("[{id}]: ")))
    };
    stdout.split("\n\n").find(is_about).map(|block| format!("{}\n", block.trim_end()))
}

/// Told by the binary, about a real project.
fn brought_about(id: &str, folder: &Path) -> String {
    let compose = fs_err::read_to_string(folder.join("compose.yaml")).unwrap();
    let sandbox = Sandbox::quickstart().file("compose.yaml", compose);
    if folder.join("damage.sh").exists() {
        let script = fs_err::read_to_string(folder.join("damage.sh")).unwrap();
        let status = Command::new("sh").args(["-ec", &script]).current_dir(sandbox.path()).status();
        assert!(status.unwrap().success(), "{id}: {script}");
    }
    let arguments = fs_err::read_to_string(folder.join("arguments")).unwrap_or_default();
    let run = sandbox.run(&arguments.split_whitespace().collect::<Vec<_>>());
    block(id, &run.stdout).unwrap_or_else(|| panic!("{id}:\n{}{}", run.stdout, run.stderr))
}

/// Told with the words of the documentation.
fn from_documentation(rule: &'static Rule) -> String {
    let page = explain::explain(Some(rule.id)).unwrap();
    let (_, page) = page.split_once("\n\n").unwrap();
    let (meaning, _) = page.split_once("\n\n").unwrap();
    let (_, fix) = page.split_once("## Fix\n\n").unwrap();
    let lane = Lane::named("coder");
    let mut findings = Findings::new(Policy::default());
    let message = meaning.replace('\n', " ");
    findings.push(Finding::new(rule, message, fix).lane("coder").service("inference"));
    let report = Report::new(Outcome {
        role: Role::Hand,
        project: None,
        lanes: vec![LaneOutcome { lane: &lane, files: Vec::new(), summary: None, unknown: None }],
        findings,
        containers: Vec::new(),
        allow_unknown: false,
        timing: Timing::default(),
    });
    let telling = Telling {
        sources: &SourceMap::default(),
        redactor: &Redactor::default(),
        role: Role::Hand,
        layout: human::Layout::default(),
        base: &Base::default(),
    };
    let told = human::render(&report, telling);
    let (told, _table) = told.split_once("\nLANE ").unwrap();
    format!("{}\n", told.trim_end())
}

#[test]
fn every_check_is_told_as_its_snapshot_says() {
    #[expect(clippy::disallowed_methods, reason = "a test is told whether to write")]
    let write = std::env::var("PREFLIGHT_TEST_WRITE_DOCS").as_deref() == Ok("1");
    let mut wrong = Vec::new();
    for rule in check::rules() {
        let folder = repository().join("tests/data/checks").join(rule.id);
        let told = match folder.join("compose.yaml").exists() {
            true => brought_about(rule.id, &folder),
            false => from_documentation(rule),
        };
        let path = folder.join("told.txt");
        let expected = fs_err::read_to_string(&path).unwrap_or_default();
        if told != expected && write {
            fs_err::create_dir_all(&folder).unwrap();
            fs_err::write(path, &told).unwrap();
        } else if told != expected {
            wrong.push(format!("{}:\n{told}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "PREFLIGHT_TEST_WRITE_DOCS=1 writes what is told now:\n{wrong:#?}");
}

#[test]
fn every_snapshot_is_of_a_check_and_most_are_of_real_projects() {
    let (mut all, mut real) = (0, 0);
    for entry in fs_err::read_dir(repository().join("tests/data/checks")).unwrap() {
        let folder = entry.unwrap().path();
        let id = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(check::rule(&id).is_some(), "there is no check `{id}`");
        all += 1;
        real += usize::from(folder.join("compose.yaml").exists());
    }
    assert_eq!(all, check::rules().count());
    assert!(real >= 45, "{real} of {all}");
}
