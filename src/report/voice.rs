//! Where a run speaks: standard output for what was asked, standard error for the verdict.

use std::io::Write;

use crate::compose::{self, ConfigFormat};

use crate::exit_code::ExitCode;
use crate::lanes::Plan;
use crate::options::{ConfigPart, Format, Options};
use crate::project::Project;
use crate::redact::Redactor;
use crate::source_map::SourceMap;

use super::lock::Pinned;
use super::{Failure, Report, ReportError, tell, tell_failure, tell_lock, tell_plan};

/// The streams of one run, and how it speaks on them.
pub struct Voice<'a> {
    /// How.
    pub options: &'a Options,
    /// What it never says.
    pub redactor: &'a Redactor,
    /// For what was asked.
    pub stdout: &'a mut dyn Write,
    /// For the verdict.
    pub stderr: &'a mut dyn Write,
}

impl Voice<'_> {
    /// Tells the report, and what the process exits with.
    ///
    /// # Errors
    /// A stream or a report file that cannot be written.
    pub fn report(
        &mut self,
        report: &Report,
        sources: &SourceMap,
    ) -> Result<ExitCode, ReportError> {
        let options = &self.options.report;
        tell(report, sources, options, self.redactor, self.stdout, self.stderr)?;
        Ok(report.exit)
    }

    /// Tells the plan.
    ///
    /// # Errors
    /// A stream or a report file that cannot be written.
    pub fn plan(&mut self, plan: &Plan, sources: &SourceMap) -> Result<ExitCode, ReportError> {
        tell_plan(plan, sources, &self.options.report, self.redactor, self.stdout)?;
        Ok(ExitCode::Ready)
    }

    /// Tells what was pinned.
    ///
    /// # Errors
    /// A stream or a report file that cannot be written.
    pub fn lock(&mut self, pinned: &Pinned<'_>) -> Result<ExitCode, ReportError> {
        tell_lock(pinned, &self.options.report, self.redactor, self.stdout)?;
        Ok(ExitCode::Ready)
    }

    /// Prints the resolved project, or the names that were asked for.
    ///
    /// # Errors
    /// A stream that cannot be written.
    pub fn config(&mut self, project: &Project) -> Result<ExitCode, ReportError> {
        let names = match self.options.config {
            ConfigPart::Whole => None,
            ConfigPart::Services => Some(compose::service_names(project)),
            ConfigPart::Volumes => Some(compose::volume_names(project)),
        };
        if let Some(names) = names {
            let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
            super::print(self.stdout, &lines)?;
            return Ok(ExitCode::Ready);
        }
        let format = match self.options.report.format {
            Format::Json => ConfigFormat::Json,
            // The others are refused on the command line.
            Format::Human | Format::Junit | Format::Sarif | Format::Github | Format::Markdown => {
                ConfigFormat::Yaml
            }
        };
        let show = self.options.report.show_secrets;
        let text = compose::print(project, format, show);
        let text = if show { text.into() } else { self.redactor.redact(&text) };
        super::print(self.stdout, &text)?;
        Ok(ExitCode::Ready)
    }

    /// Tells a program why there is no report; telling a person is left to the caller.
    ///
    /// # Errors
    /// A stream or a report file that cannot be written.
    pub fn failure(&mut self, failure: &Failure) -> Result<(), ReportError> {
        let (role, options) = (self.options.role, &self.options.report);
        tell_failure(failure, role, options, self.redactor, self.stdout)
    }
}
