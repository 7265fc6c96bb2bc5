//! Why preflight could not do its work.
//!
//! A finding is about the user's set-up and lives in the report. An [`enum@Error`] ends the run.

use std::time::Duration;

use thiserror::Error;

use crate::exit_code::ExitCode;
use crate::facts::lockfile::LockfileError;
use crate::findings::check::UnknownCheck;
use crate::findings::policy_sources::PolicyError;
use crate::init::InitError;
use crate::install::InstallError;
use crate::options::OptionsError;
use crate::plan::lanes::PlanError;
use crate::project::compose::LoadError;
use crate::report::{Failure, ReportError};

/// Why a run ended without a report.
#[derive(Debug, Error)]
pub enum Error {
    /// The command line or the environment does not make sense.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The Compose project could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The lanes could not be worked out.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// What `init` would change cannot be worked out or written.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The lock file cannot be used.
    #[error(transparent)]
    Lockfile(#[from] LockfileError),
    /// What the severities are changed with is written wrongly.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// `explain` names a check that does not exist.
    #[error(transparent)]
    Check(#[from] UnknownCheck),
    /// There is no copy of the program.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The report could not be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The system does not let the process have threads or signals.
    #[error("cannot start")]
    Runtime(#[source] std::io::Error),
    /// Something other than fetching took longer than the whole run may.
    #[error("not done within {after:?}")]
    TimedOut {
        /// What was allowed.
        after: Duration,
    },
    /// What was to be started after all was found well cannot be.
    #[error("`{}` cannot be started", program.escape_debug())]
    Exec {
        /// The program, as it was named.
        program: String,
        /// The system's word.
        #[source]
        source: std::io::Error,
    },
    /// The run was told to stop.
    #[error("stopped by {}", signal_name(*.0))]
    Signal(ExitCode),
}

fn signal_name(code: ExitCode) -> &'static str {
    if code == ExitCode::Terminated { "SIGTERM" } else { "SIGINT" }
}

impl Error {
    /// What the process exits with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Options(_) | Self::Load(_) | Self::Plan(_) | Self::Policy(_) | Self::Check(_) => {
                ExitCode::Usage
            }
            Self::Init(error) => error.exit_code(),
            Self::Lockfile(LockfileError::Write { .. }) | Self::Install(_) => ExitCode::Mount,
            Self::Lockfile(_) => ExitCode::Usage,
            Self::Report(_) | Self::Runtime(_) => ExitCode::Internal,
            Self::TimedOut { .. } => ExitCode::Unjudged,
            // As a shell and Docker say it.
            Self::Exec { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                ExitCode::NoProgram
            }
            Self::Exec { .. } => ExitCode::NotRunnable,
            Self::Signal(code) => *code,
        }
    }

    /// What to do about it, if the error knows.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Options(error) => error.hint(),
            Self::Load(error) => error.hint(),
            Self::Plan(error) => error.hint(),
            Self::Policy(error) => error.hint(),
            Self::Check(error) => Some(error.hint()),
            Self::Init(error) => error.hint(),
            Self::Lockfile(error) => error.hint(),
            Self::TimedOut { .. } => Some(
                "run it again: what has come is kept; or allow more with `--timeout`".to_owned(),
            ),
            Self::Install(_)
            | Self::Report(_)
            | Self::Runtime(_)
            | Self::Exec { .. }
            | Self::Signal(_) => None,
        }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let mut causes = Vec::new();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        Self { message: error.to_string(), causes, hint: error.hint(), exit: error.exit_code() }
    }
}
