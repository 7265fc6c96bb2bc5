//! What a run has to say, and how it is said.
//!
//! [`Report::new`] puts it together, a [`Format`] makes a text of it, and [`Voice`] writes. Everything
//! that is printed has gone through the redactor.

pub mod doctor;
pub mod explain;
pub mod human;
pub mod init;
pub mod json;
pub mod lock;
pub mod logging;
pub mod messages;
pub mod picture;
pub mod plan;
pub mod progress;
pub mod redact;

mod address;
mod containers;
mod failure;
mod format;
mod github;
mod html;
mod junit;
mod markdown;
mod memory;
mod outcome;
mod sarif;
mod snippet;
mod table;
mod text;
mod verdict;
mod voice;

use std::io::{self, Write};
use std::path::PathBuf;

use crate::exit_code::ExitCode;
use crate::facts::memory::{Fits, HostDevice, LaneMemory};
use crate::facts::model::FileState;
use crate::facts::proof::stamp::Stamper;
use crate::findings::causes::{with_consequences, with_variables};
use crate::findings::check;
use crate::findings::once::once;
use crate::findings::{Finding, Findings, Severity};
use crate::options::{Base, Role};
use crate::plan::engine::Engine;
use crate::plan::lanes::Lane;
use crate::project::Dialect;
use crate::report::redact::Redactor;
use crate::source_map::SourceMap;
use crate::timing::Timing;
use picture::Picture;
use text::Cleaner;

pub use failure::Failure;
pub use format::Format;
pub use verdict::{Length, failure_verdict, verdict};
pub use voice::Voice;

/// Every format, in the order in which they are offered. The first is the default.
pub static FORMATS: &[&Format] = &[
    &human::FORMAT,
    &json::FORMAT,
    &junit::FORMAT,
    &sarif::FORMAT,
    &github::FORMAT,
    &markdown::FORMAT,
    &html::FORMAT,
];

/// The format that is called so, in any case.
#[must_use]
pub fn named(name: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|format| format.name.eq_ignore_ascii_case(name))
}

/// Everything that a run has to say. Inert; sorted.
#[derive(Debug)]
pub struct Report {
    /// What was asked.
    pub subject: Subject,
    /// In which role preflight ran.
    pub role: Role,
    /// In which language the project is written.
    pub dialect: Dialect,
    /// What the process exits with.
    pub exit: ExitCode,
    /// The project's name; absent when models were looked at without one.
    pub project: Option<String>,
    /// Every lane, in the plan's order.
    pub lanes: Vec<LaneReport>,
    /// Sorted by severity, lane, place; what is the same of several lanes is one.
    pub findings: Vec<Finding>,
    /// The containers of the project; empty when there are none or they could not be seen, which
    /// is a finding.
    pub containers: Vec<ContainerReport>,
    /// The GPUs of the host whose memory is known.
    pub devices: Vec<HostDevice>,
    /// What a fetch would bring; absent: this is no dry run, or nothing is missing.
    pub planned: Option<Planned>,
    /// The stack, with what is broken in it.
    pub picture: Picture,
    /// How long it took.
    pub timing: Timing,
}

/// What a fetch would bring, each file once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// Files.
    pub files: usize,
    /// Bytes of all of them.
    pub bytes: u64,
    /// For so many lanes.
    pub lanes: usize,
}

/// What a run was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Whether the lanes can come up.
    Lanes,
    /// Whether there is memory enough for them: a verdict is about that alone.
    Memory,
}

/// What a report needs to become a text.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// The texts that findings point at.
    pub sources: &'a SourceMap,
    /// What is never said.
    pub redactor: &'a Redactor,
    /// In which role preflight runs.
    pub role: Role,
    /// For the formats that a person reads.
    pub layout: human::Layout,
    /// For the formats that a program reads.
    pub base: &'a Base,
}

/// What is said about one lane.
#[derive(Debug, Clone)]
pub struct LaneReport {
    /// Its name.
    pub name: String,
    /// The services that serve it.
    pub services: Vec<String>,
    /// Whether it counts.
    pub required: bool,
    /// The program that serves it, if known.
    pub engine: Option<Engine>,
    /// `hf://...`, if known.
    pub source: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is skipped or unknown, or what a fetch would bring, in a few words.
    pub reason: Option<String>,
    /// What it is made of: architecture, quantisation, context; for the table.
    pub summary: Option<String>,
    /// Its files.
    pub files: Vec<FileReport>,
    /// What it takes of memory; absent: that is not known.
    pub memory: Option<LaneMemory>,
}

/// What is said about one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// As the engine opens it; as this process sees it for a lane without a service.
    pub path: String,
    /// On the Docker host, if known.
    pub host_path: Option<String>,
    /// Bytes, if seen.
    pub size_bytes: Option<u64>,
    /// How it is.
    pub state: FileState,
    /// Who has hashed it, by a stamp that this run has believed or left; absent: there is none.
    pub hashed_by: Option<Stamper>,
}

/// What is said about one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerReport {
    /// As the engine calls it.
    pub name: String,
    /// The service that it belongs to.
    pub service: String,
    /// `created`, `running`, `exited`, ...
    pub state: String,
    /// Of its last run; absent when it has not ended.
    pub exit_code: Option<i64>,
    /// `healthy`, `unhealthy`, `starting`; absent without a health check.
    pub health: Option<String>,
    /// Whether its last run was ended for memory.
    pub killed_for_memory: bool,
    /// How often Docker started it again.
    pub restarts: i64,
}

/// What becomes of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its files will load.
    Ready,
    /// They will not, or it is wired wrongly.
    NotReady,
    /// It could not be judged.
    Unknown,
    /// It is not judged.
    Skipped,
}

/// What a run has found out, before it is sorted and judged as a whole.
#[derive(Debug)]
pub struct RunOutcome<'a> {
    /// What was asked.
    pub subject: Subject,
    /// In which role preflight ran.
    pub role: Role,
    /// In which language the project is written.
    pub dialect: Dialect,
    /// The project's name; absent when models were looked at without one.
    pub project: Option<String>,
    /// One for each lane, in the plan's order.
    pub lanes: Vec<LaneOutcome<'a>>,
    /// What the checks have found. Its policy has lowered what does not count.
    pub findings: Findings,
    /// The containers of the project, as far as they were seen.
    pub containers: Vec<ContainerReport>,
    /// The GPUs of the host whose memory is known.
    pub devices: Vec<HostDevice>,
    /// What a fetch would bring; absent: this is no dry run, or nothing is missing.
    pub planned: Option<Planned>,
    /// The stack.
    pub picture: Picture,
    /// `--allow-unknown`.
    pub allow_unknown: bool,
    /// How long it took.
    pub timing: Timing,
}

/// What a run has found out about one lane, beside its findings.
#[derive(Debug)]
pub struct LaneOutcome<'a> {
    /// The lane.
    pub lane: &'a Lane,
    /// Its files.
    pub files: Vec<FileReport>,
    /// What it is made of, for the table; absent if that was not seen.
    pub summary: Option<String>,
    /// Whether its engine runs and serves its model: its files need not be seen then.
    pub serves: bool,
    /// Why its files could not be looked at, if they could not.
    pub unknown: Option<String>,
    /// Why it is not judged, if it is not.
    pub skipped: Option<String>,
    /// What a fetch would bring, in a few words; absent: this is no dry run, or nothing is missing.
    pub planned: Option<String>,
    /// What it takes of memory; absent: that is not known.
    pub memory: Option<LaneMemory>,
}

/// Why the report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A report file.
    #[error("cannot write the report `{path}`")]
    File {
        /// As given with `-o`.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// Standard output or standard error.
    #[error("cannot write to the standard streams")]
    Stream(#[source] io::Error),
}

impl Report {
    /// Gives every lane its verdict and the run its exit code.
    ///
    /// A project without a lane and a lane that could not be looked at become findings here
    /// ([`check::verdict`]), unless they were raised before, so that the exit code follows from the
    /// findings alone.
    #[must_use]
    pub fn new(outcome: RunOutcome<'_>) -> Self {
        let RunOutcome {
            subject,
            role,
            dialect,
            project,
            lanes,
            mut findings,
            containers,
            devices,
            planned,
            picture,
            allow_unknown,
            timing,
        } = outcome;
        if lanes.is_empty() && !findings.iter().any(|found| found.rule.id == "no-lane") {
            findings.push(check::verdict::no_lane(role, dialect));
        }
        let mut reports = Vec::with_capacity(lanes.len());
        for LaneOutcome { lane, files, summary, serves, unknown, skipped, planned, memory } in lanes
        {
            let unknown = match subject {
                Subject::Lanes if serves => None,
                Subject::Lanes => unknown.or_else(|| not_looked_at(lane, &findings)),
                Subject::Memory => unknown,
            };
            let (verdict, reason) = judge(&lane.name, skipped, unknown, &findings);
            let is_short = memory.as_ref().is_some_and(|memory| memory.fits == Fits::No);
            let (verdict, reason) = match (verdict, planned) {
                (Verdict::Ready, Some(planned)) => (Verdict::NotReady, Some(planned)),
                (Verdict::Ready, _) if subject == Subject::Memory && is_short => {
                    (Verdict::NotReady, None)
                }
                (_, _) => (verdict, reason),
            };
            if let (Subject::Lanes, Verdict::Unknown, Some(reason)) = (subject, verdict, &reason) {
                findings.push(check::verdict::lane_unknown(
                    lane,
                    reason,
                    (role, dialect),
                    allow_unknown,
                ));
            }
            reports.push(LaneReport {
                name: lane.name.clone(),
                services: lane.services.clone(),
                required: lane.required,
                engine: lane.engine,
                source: lane.source.as_ref().map(|source| source.value.to_string()),
                verdict,
                reason,
                summary,
                files,
                memory,
            });
        }
        let findings = with_variables(sorted(findings.into_vec(), &reports));
        let findings = once(with_consequences(findings)).into_iter();
        let findings: Vec<Finding> = findings.map(|found| found.told_in(dialect)).collect();
        let exit = exit_code(&findings);
        let picture = picture.marked(&findings, &reports);
        Self {
            subject,
            role,
            dialect,
            exit,
            project,
            lanes: reports,
            findings,
            containers,
            devices,
            planned,
            picture,
            timing,
        }
    }
}

fn judge(
    lane: &str,
    skipped: Option<String>,
    unknown: Option<String>,
    findings: &Findings,
) -> (Verdict, Option<String>) {
    if skipped.is_some() {
        (Verdict::Skipped, skipped)
    } else if findings.stops(lane) {
        (Verdict::NotReady, None)
    } else if unknown.is_some() {
        (Verdict::Unknown, unknown)
    } else {
        (Verdict::Ready, None)
    }
}

/// Why a part of a lane that matters was not looked at: what matters, only the checks know.
fn not_looked_at(lane: &Lane, findings: &Findings) -> Option<String> {
    let of_lane =
        |finding: &&Finding| finding.rule.id == "not-looked-at" && finding.is_about(&lane.name);
    let finding = findings.iter().find(of_lane)?;
    let reason = finding.evidence.iter().find(|(name, _)| *name == "reason");
    Some(reason.map_or(&finding.message, |(_, why)| why).clone())
}

/// By severity, lane, cause before consequence, worst cause first, place, id; what is equal keeps its
/// order.
fn sorted(mut findings: Vec<Finding>, lanes: &[LaneReport]) -> Vec<Finding> {
    let position = |lane: &Option<String>| {
        let lane = lane.as_ref()?;
        Some(lanes.iter().position(|known| known.name == *lane).unwrap_or(lanes.len()))
    };
    findings.sort_by_cached_key(|finding| {
        let span = finding.place.span;
        let lane = position(&finding.lane);
        let cause = (finding.consequence, finding.rule.exit.rank());
        (finding.severity, lane, cause, span.is_none(), span, finding.rule.id)
    });
    findings
}

/// The worst cause among the errors. Consequences have no say as long as there is a cause.
fn exit_code(findings: &[Finding]) -> ExitCode {
    let errors = || findings.iter().filter(|finding| finding.severity == Severity::Error);
    let mut causes: Vec<_> =
        errors().filter(|error| !error.consequence).map(|error| error.rule.exit).collect();
    if causes.is_empty() {
        causes = errors().map(|error| error.rule.exit).collect();
    }
    let worst = ExitCode::worst(&causes);
    // A note that `--deny` made an error fails the run like any other setting that is refused.
    if worst == ExitCode::Ready && !causes.is_empty() { ExitCode::Lane } else { worst }
}

impl<'a> Telling<'a> {
    fn cleaner(self) -> Cleaner<'a> {
        Cleaner::new(self.redactor).charset(self.layout.charset)
    }

    fn texts(self) -> json::Texts<'a> {
        json::Texts { sources: self.sources, redactor: self.redactor }
    }
}

/// Writes a text. A reader that went away is not an error.
///
/// # Errors
/// What the system says about the stream.
pub fn print(stream: &mut dyn Write, text: &str) -> Result<(), ReportError> {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(ReportError::Stream),
    }
}

#[cfg(test)]
mod tests;
