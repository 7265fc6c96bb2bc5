use std::path::PathBuf;

use std::time::Duration;

use super::*;
use crate::exit_code::ExitCode;
use crate::facts::SourceFacts;
use crate::facts::hub::{HubError, Listing};
use crate::findings::Policy;
use crate::findings::Severity;
use crate::findings::check::CHECKS;
use crate::options::Role;
use crate::plan::lanes::{Lane, Origin, Traced};
use crate::source::Source;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn source_at(revision: Option<&str>) -> Source {
    Source {
        owner: "o".to_owned(),
        repo: "r".to_owned(),
        revision: revision.map(str::to_owned),
        path: None,
    }
}

fn facts() -> LaneFacts {
    let source =
        Traced { value: source_at(None), from: Origin::Catalogue, place: Place::nowhere() };
    let lane = Lane { source: Some(source), ..Lane::named("coder") };
    let mut facts = LaneFacts::of(lane, Role::Hand);
    facts.orders.may_fetch = true;
    facts
}

/// The same, with what its source answered or what came of bringing it.
fn with(source: SourceFacts) -> LaneFacts {
    LaneFacts { source, ..facts() }
}

/// Everything that the family finds, by rules that it declares.
fn found(facts: &LaneFacts) -> Vec<Finding> {
    let mut all = Vec::new();
    for check in [&SOURCE, &DISK, &PIN] {
        let Run::Hub(run) = check.run else { panic!("a check of another stage") };
        let mut findings = Findings::new(Policy::default());
        run(facts, &mut findings);
        let found = findings.into_vec();
        assert!(found.iter().all(|finding| check.rules.contains(&finding.rule)), "undeclared rule");
        all.extend(found);
    }
    all
}

fn check(error: &HubError, id: &str, exit: ExitCode, fix: &str) {
    for (probe, fetch) in [(Some(Err(error.clone())), None), (None, Some(Err(error.clone())))] {
        let findings = found(&with(SourceFacts { probe, fetch, ..SourceFacts::default() }));
        let [finding] = findings.as_slice() else { panic!("{error}: {findings:?}") };
        assert_eq!((finding.rule.id, finding.rule.exit), (id, exit), "{error}");
        assert!(finding.fix.contains(fix), "{error}: {}", finding.fix);
        assert_eq!(finding.lane.as_deref(), Some("coder"));
        assert_eq!(finding.severity, Severity::Error);
        assert!(!finding.consequence);
    }
}

#[test]
fn every_failure_has_a_rule_an_exit_code_and_a_fix() {
    let (repository, path) = ("o/r".to_owned(), "m.gguf".to_owned());
    let page = "http://hub/o/r".to_owned();
    let endpoint = "http://hub".to_owned();
    let second = Duration::from_secs(1);
    let cases = [
        (HubError::Offline, "offline", ExitCode::Network, "--offline"),
        (
            HubError::TokenMissing {
                repository: repository.clone(),
                renamed: None,
                page: page.clone(),
                sent_on_to: None,
            },
            "token-missing",
            ExitCode::Access,
            "http://hub/o/r",
        ),
        (
            HubError::TokenNotSent {
                repository: repository.clone(),
                renamed: None,
                mirror: "http://mirror".to_owned(),
                sent_on_to: endpoint.clone(),
            },
            "token-not-sent",
            ExitCode::Access,
            "`HF_ENDPOINT=http://hub`",
        ),
        (
            HubError::TokenRejected { repository: repository.clone() },
            "token-rejected",
            ExitCode::Access,
            "HF_TOKEN",
        ),
        (
            HubError::Gated { repository: repository.clone(), renamed: None, page },
            "model-gated",
            ExitCode::Access,
            "http://hub/o/r",
        ),
        (
            HubError::Forbidden { repository: repository.clone(), reason: "disabled".to_owned() },
            "access-forbidden",
            ExitCode::Access,
            "right to read",
        ),
        (
            HubError::RepositoryNotFound { repository: repository.clone() },
            "model-not-found",
            ExitCode::Access,
            "correct `o/r`",
        ),
        (
            HubError::RevisionNotFound { repository: repository.clone(), revision: "x".to_owned() },
            "revision-not-found",
            ExitCode::Lane,
            "`main`",
        ),
        (
            HubError::FileNotFound {
                repository: repository.clone(),
                path: path.clone(),
                similar: vec!["M.gguf".to_owned(), "m2.gguf".to_owned()],
            },
            "file-not-in-repo",
            ExitCode::Lane,
            "`M.gguf`, `m2.gguf`",
        ),
        (
            HubError::FileGone {
                repository: repository.clone(),
                path: path.clone(),
                endpoint: endpoint.clone(),
            },
            "file-not-in-repo",
            ExitCode::Lane,
            "leave `m.gguf` out",
        ),
        (
            HubError::RateLimited { retry_after: Some(second) },
            "rate-limited",
            ExitCode::Network,
            "wait 1 s",
        ),
        (
            HubError::Unreachable { endpoint: endpoint.clone(), reason: "dns".to_owned() },
            "hub-unreachable",
            ExitCode::Network,
            "http://hub",
        ),
        (
            HubError::Untrusted {
                endpoint: endpoint.clone(),
                reason: "unknown".to_owned(),
                issuer_unknown: true,
            },
            "hub-unreachable",
            ExitCode::Network,
            "`SSL_CERT_FILE`",
        ),
        (
            HubError::Untrusted {
                endpoint: endpoint.clone(),
                reason: "expired".to_owned(),
                issuer_unknown: false,
            },
            "hub-unreachable",
            ExitCode::Network,
            "the clock is right",
        ),
        (
            HubError::Certificates { path: PathBuf::from("/ca.pem"), reason: "no".to_owned() },
            "hub-unreachable",
            ExitCode::Network,
            "mounted at `/ca.pem`",
        ),
        (
            HubError::Server { endpoint, status: 502 },
            "hub-unreachable",
            ExitCode::Network,
            "http://hub",
        ),
        (
            HubError::UnsafeName { repository, name: "../x".to_owned() },
            "unsafe-name",
            ExitCode::Corrupt,
            "`exclude`",
        ),
        (
            HubError::Corrupt {
                path: path.clone(),
                expected: "sha256 00".to_owned(),
                actual: "sha256 11".to_owned(),
            },
            "download-corrupt",
            ExitCode::Corrupt,
            "fetch again",
        ),
        (
            HubError::DiskFull { path: PathBuf::from("/m/x") },
            "disk-full",
            ExitCode::Disk,
            "free space",
        ),
        (
            HubError::FileTooLarge { path: PathBuf::from("/m/x") },
            "not-writable",
            ExitCode::Mount,
            "`ulimit -f`",
        ),
        (
            HubError::NotWritable { path: PathBuf::from("/m/x"), reason: "no".to_owned() },
            "not-writable",
            ExitCode::Mount,
            "`/m`",
        ),
        (
            HubError::TimedOut { after: second },
            "download-timed-out",
            ExitCode::Network,
            "`--timeout`",
        ),
        (
            HubError::Locked { path: PathBuf::from("/m/x.lock"), holder: "pid 1".to_owned() },
            "locked-by-other",
            ExitCode::Locked,
            "`/m/x.lock` is free",
        ),
        (
            HubError::Crawls { path: path.clone(), least: 1, time: second },
            "download-stalled",
            ExitCode::Network,
            "proxy",
        ),
        (
            HubError::Stalled { path, silence: second },
            "download-stalled",
            ExitCode::Network,
            "proxy",
        ),
    ];
    for (error, id, exit, fix) in cases {
        check(&error, id, exit, fix);
    }
}

#[test]
fn a_renamed_repository_is_told_by_both_names() {
    let gated = HubError::Gated {
        repository: "o/old".to_owned(),
        renamed: Some("o/new".to_owned()),
        page: "http://hub/o/new".to_owned(),
    };
    check(&gated, "model-gated", ExitCode::Access, "http://hub/o/new");
    assert_eq!(gated.to_string(), "access to `o/new` (asked for as `o/old`) is gated");
}

#[test]
fn a_token_that_is_missing_behind_a_mirror_is_set_together_with_the_endpoint_that_wants_it() {
    let missing = HubError::TokenMissing {
        repository: "o/r".to_owned(),
        renamed: None,
        page: "http://hub/o/r".to_owned(),
        sent_on_to: Some("http://hub".to_owned()),
    };
    check(&missing, "token-missing", ExitCode::Access, "and `HF_ENDPOINT=http://hub`");
}

#[test]
fn a_missing_repository_may_be_a_private_one_and_says_so() {
    let error = HubError::RepositoryNotFound { repository: "o/r".to_owned() };
    let findings = found(&with(SourceFacts { probe: Some(Err(error)), ..SourceFacts::default() }));
    assert!(findings[0].message.contains("private"), "{}", findings[0].message);
}

#[test]
fn the_shortfall_is_exact_and_counts_every_lane_of_the_disk() {
    let disk = |needed, needed_by_all, available| {
        let disk = Some(DiskFacts { needed, needed_by_all, available });
        found(&with(SourceFacts { disk, ..SourceFacts::default() }))
    };
    assert!(disk(10, 30, 30).is_empty());
    assert!(disk(0, 30, 10).is_empty(), "a lane that needs nothing is not short");
    let short = disk(10, 31, 30);
    assert_eq!(short[0].rule.id, "disk-space-short");
    assert_eq!(short[0].evidence.last(), Some(&("source", "hf://o/r".to_owned())));
    assert!(short[0].evidence.contains(&("short_bytes", "1".to_owned())));
    assert!(short[0].fix.contains("(1 bytes)"), "{}", short[0].fix);
}

#[test]
fn a_fetch_that_fails_on_a_disk_known_to_be_short_is_a_consequence() {
    let disk = Some(DiskFacts { needed: 2, needed_by_all: 2, available: 1 });
    let fetch = Some(Err(HubError::DiskFull { path: PathBuf::from("/m/x") }));
    let findings = found(&with(SourceFacts { disk, fetch, ..SourceFacts::default() }));
    let flags: Vec<_> =
        findings.iter().map(|finding| (finding.rule.id, finding.consequence)).collect();
    assert_eq!(flags, [("disk-full", true), ("disk-space-short", false)]);
}

#[test]
fn only_a_commit_is_a_pin() {
    let probe = |revision: Option<&str>| {
        let listing =
            Listing { source: source_at(revision), commit: COMMIT.to_owned(), files: Vec::new() };
        found(&with(SourceFacts { probe: Some(Ok(listing)), ..SourceFacts::default() }))
    };
    assert!(probe(Some(COMMIT)).is_empty());
    for revision in [None, Some("main"), Some("0123456")] {
        let findings = probe(revision);
        assert_eq!(findings[0].rule.id, "revision-not-pinned");
        assert_eq!(findings[0].severity, Severity::Note);
        assert!(findings[0].fix.contains(&format!("hf://o/r@{COMMIT}")), "{}", findings[0].fix);
    }
}

#[test]
fn nothing_asked_is_nothing_found() {
    assert!(found(&facts()).is_empty());
}

#[test]
fn the_family_is_listed() {
    for check in [&SOURCE, &DISK, &PIN] {
        assert!(CHECKS.iter().any(|listed| std::ptr::eq(*listed, check)));
    }
}
