//! What a run has to say, and how it is said.

pub mod human;
pub mod json;

use std::io;
use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;

use crate::error::ExitCode;
use crate::finding::Finding;
use crate::options::Role;

/// Everything that a run has to say. Inert; sorted.
#[derive(Debug)]
pub struct Report {
    /// In which role preflight ran.
    pub role: Role,
    /// What the process exits with.
    pub exit: ExitCode,
    /// The project's name; absent when models were looked at without one.
    pub project: Option<String>,
    /// Every lane, in the plan's order.
    pub lanes: Vec<LaneReport>,
    /// Sorted by severity, lane, place.
    pub findings: Vec<Finding>,
    /// Why the containers could not be seen, if they could not.
    pub containers_unknown: Option<String>,
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
    /// The engine's name, if known.
    pub engine: Option<String>,
    /// `hf://...`, if known.
    pub source: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is skipped or unknown, in a few words.
    pub reason: Option<String>,
    /// What it is made of: architecture, quantisation, context; for the table.
    pub summary: Option<String>,
    /// Its files.
    pub files: Vec<FileReport>,
}

/// What is said about one file.
#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    /// As the engine opens it; as this process sees it for a lane without a service.
    pub path: String,
    /// On the Docker host, if known.
    pub host_path: Option<String>,
    /// Bytes, if seen.
    pub size_bytes: Option<u64>,
    /// `present`, `fetched`, `missing`, `invalid`, `unknown`.
    pub state: FileState,
}

/// How a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    /// There and valid, as far as its header tells.
    Present,
    /// Brought by this run, hash verified.
    Fetched,
    /// Not there.
    Missing,
    /// There and not loadable.
    Invalid,
    /// Not looked at.
    Unknown,
}

/// What becomes of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
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

/// Why the report could not be written.
#[derive(Debug, Error)]
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
