//! Where a run speaks: standard output for what was asked, standard error for the verdict.

use std::io::{self, Write};
use std::path::Path;

use super::doctor;
use super::human::Layout;
use super::init::Proposed;
use super::lock::{Checked, Pinned};
use super::{Failure, Format, Length, Report, ReportError, Telling, human, named, print, verdict};
use crate::exit_code::ExitCode;
use crate::facts::doctor::Checkup;
use crate::options::{self, ConfigPart, ReportOptions, Role, Token};
use crate::plan::lanes::Plan;
use crate::plan::wiring::Wiring;
use crate::project::compose::{self, ConfigFormat};
use crate::project::{Project, secrets};
use crate::report::redact::Redactor;
use crate::report::redact::unseen::escape;
use crate::source_map::SourceMap;
use crate::whole_file;

/// As much as Kubernetes shows of the last words of a container that it takes from its log (kubernetes
/// 1.34 pkg/kubelet/container/runtime.go, `MaxContainerTerminationMessageLogLength`).
const LONGEST_LAST_WORDS: usize = 2048;

/// The streams of one run, and how it speaks on them.
pub struct Voice<'a> {
    /// How.
    pub options: &'a ReportOptions,
    /// In which role.
    pub role: Role,
    /// What it never says.
    pub redactor: Redactor,
    /// For what was asked.
    pub stdout: &'a mut dyn Write,
    /// For the verdict.
    pub stderr: &'a mut dyn Write,
}

/// Where a report goes that goes into no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Output,
    Error,
}

impl Voice<'_> {
    /// Never says what is secret in `project`, wherever that would come up.
    pub fn hide(&mut self, project: &Project) {
        self.redactor = self.redactor.knowing(secrets::of(project, &self.redactor));
    }

    /// Never says the keys that clients of `project` are told to show, in whatever file that is.
    pub fn hide_keys(&mut self, project: &Project, wiring: &Wiring) {
        let shown = wiring.connections.iter().filter_map(|connection| connection.key.as_ref());
        let keys = shown.filter_map(|shown| shown.key.as_ref()).map(Token::reveal);
        let keys = keys.map(str::to_owned).collect();
        self.redactor = self.redactor.knowing(secrets::kept(project, keys));
    }

    /// Tells the report: on `stdout`, in the files of `-o`, and the closing verdict on `stderr`,
    /// which is the last that a run says. What the process exits with. Blocking.
    ///
    /// In the init role the report for a person goes to `stderr` as well: Docker keeps no order
    /// between two streams. In the place of an engine all does: `stdout` is the engine's.
    ///
    /// # Errors
    /// The first of the places that could not be written; the others have been. A reader of
    /// `stdout` that went away is not an error, nor is a `stderr` that takes nothing.
    pub fn report(
        &mut self,
        report: &Report,
        sources: &SourceMap,
    ) -> Result<ExitCode, ReportError> {
        let is_for_a_person = self.options.format == options::Format::HUMAN;
        let stream = match self.role {
            Role::Init if is_for_a_person => Stream::Error,
            Role::Init | Role::Hand => Stream::Output,
            Role::Exec => Stream::Error,
        };
        let told =
            self.tell_on(stream, sources, |format, telling| Some((format.report)(report, telling)));
        let is_above = self.options.is_seen_whole && !self.options.quiet && is_for_a_person;
        let length = if is_above { Length::Brief } else { Length::Whole };
        let verdict =
            verdict(report, on_streams(self.options, self.role, &self.redactor, sources), length);
        // Who cannot be told by words is told by the exit code, which is the same.
        drop(print(self.stderr, &verdict));
        // An engine that starts now leaves words of its own there.
        if self.role != Role::Exec || report.exit != ExitCode::Ready {
            leave(self.options.termination_log.as_deref(), &verdict);
        }
        told.map(|()| report.exit)
    }

    /// Tells the plan. Blocking.
    ///
    /// # Errors
    /// As [`Voice::report`].
    pub fn plan(&mut self, plan: &Plan, sources: &SourceMap) -> Result<ExitCode, ReportError> {
        self.tell(sources, |format, telling| Some(format.plan?(plan, telling)))?;
        Ok(ExitCode::Ready)
    }

    /// Tells what was pinned. Blocking.
    ///
    /// # Errors
    /// As [`Voice::report`].
    pub fn lock(&mut self, pinned: &Pinned<'_>) -> Result<ExitCode, ReportError> {
        let sources = SourceMap::default();
        self.tell(&sources, |format, telling| Some(format.lock?(pinned, telling)))?;
        Ok(ExitCode::Ready)
    }

    /// Tells whether a lock file is up to date, on both streams. Blocking.
    ///
    /// # Errors
    /// As [`Voice::report`].
    pub fn lock_check(&mut self, checked: &Checked<'_>) -> Result<ExitCode, ReportError> {
        let sources = SourceMap::default();
        let told = self.tell(&sources, |format, telling| {
            let is_json = format.name == options::Format::JSON.name();
            format.lock.map(|_| if is_json { checked.json() } else { checked.human(telling) })
        });
        drop(print(self.stderr, &checked.verdict()));
        told.map(|()| if checked.is_current() { ExitCode::Ready } else { ExitCode::Lane })
    }

    /// Tells what `init` has worked out, on both streams. Blocking.
    ///
    /// # Errors
    /// As [`Voice::report`].
    pub fn init(&mut self, proposed: &Proposed<'_>) -> Result<ExitCode, ReportError> {
        let sources = SourceMap::default();
        let told = self.tell(&sources, |format, telling| {
            let is_json = format.name == options::Format::JSON.name();
            Some(if is_json { proposed.json(telling.cleaner()) } else { proposed.human(telling) })
        });
        drop(print(self.stderr, &proposed.verdict()));
        told.map(|()| proposed.proposal.exit_code(proposed.mode))
    }

    /// Tells how the machine is, on both streams. Blocking.
    ///
    /// # Errors
    /// As [`Voice::report`].
    pub fn doctor(&mut self, checkup: &Checkup) -> Result<ExitCode, ReportError> {
        let rows = doctor::rows(checkup);
        let sources = SourceMap::default();
        let told = self.tell(&sources, |format, telling| {
            let is_json = format.name == options::Format::JSON.name();
            let cleaner = telling.cleaner();
            Some(if is_json { doctor::json(&rows, cleaner) } else { doctor::human(&rows, cleaner) })
        });
        drop(print(self.stderr, &doctor::verdict(&rows)));
        told.map(|()| doctor::exit(&rows))
    }

    /// Tells a program why there is no report, where the report would be; telling a person
    /// ([`super::failure_verdict`]) is left to the caller. Blocking.
    ///
    /// # Errors
    /// As [`Voice::report`].
    pub fn failure(&mut self, failure: &Failure) -> Result<(), ReportError> {
        let sources = SourceMap::default();
        let text = super::failure_verdict(failure, &self.redactor, self.options.charset);
        leave(self.options.termination_log.as_deref(), &text);
        self.tell(&sources, |format, telling| Some(format.failure?(failure, telling)))
    }

    /// Prints the resolved project, or the names that were asked for. Blocking.
    ///
    /// # Errors
    /// A stream that cannot be written.
    pub fn config(&mut self, project: &Project, part: ConfigPart) -> Result<ExitCode, ReportError> {
        let names = match part {
            ConfigPart::Whole => None,
            ConfigPart::Services => Some(compose::service_names(project)),
            ConfigPart::Volumes => Some(compose::volume_names(project)),
        };
        if let Some(names) = names {
            let lines: String = names.iter().map(|name| format!("{}\n", escape(name))).collect();
            print(self.stdout, &lines)?;
            return Ok(ExitCode::Ready);
        }
        let is_json = self.options.format == options::Format::JSON;
        let format = if is_json { ConfigFormat::Json } else { ConfigFormat::Yaml };
        let show = self.options.show_secrets;
        let redactor = Some(&self.redactor).filter(|_| !show);
        let text = compose::print(project, format, redactor);
        print(self.stdout, &text)?;
        Ok(ExitCode::Ready)
    }

    /// Writes the `text` of each format to where the options want it; all of them, even when one
    /// fails.
    fn tell(
        &mut self,
        sources: &SourceMap,
        text: impl Fn(&Format, Telling<'_>) -> Option<String>,
    ) -> Result<(), ReportError> {
        let stream = match self.role {
            Role::Init | Role::Hand => Stream::Output,
            Role::Exec => Stream::Error,
        };
        self.tell_on(stream, sources, text)
    }

    fn tell_on(
        &mut self,
        stream: Stream,
        sources: &SourceMap,
        text: impl Fn(&Format, Telling<'_>) -> Option<String>,
    ) -> Result<(), ReportError> {
        let on_stream = on_streams(self.options, self.role, &self.redactor, sources);
        let in_file = Telling { layout: Layout::default(), ..on_stream };
        let mut result = Ok(());
        let format = chosen(self.options.format);
        if !self.options.quiet
            && let Some(text) = text(format, on_stream)
        {
            result = match stream {
                Stream::Output => print(self.stdout, &text),
                Stream::Error => print(self.stderr, &text),
            };
        }
        if let (Some(path), Some(format)) = (&self.options.step_summary, format.summary)
            && let Some(text) = text(format, in_file)
        {
            result = result.and(written(path, whole_file::append(path, text.as_bytes())));
        }
        for (format, path) in &self.options.outputs {
            if let Some(text) = text(chosen(*format), in_file) {
                result = result.and(written(path, whole_file::write(path, text.as_bytes())));
            }
        }
        result
    }
}

/// How it is told on the standard streams.
fn on_streams<'t>(
    options: &'t ReportOptions,
    role: Role,
    redactor: &'t Redactor,
    sources: &'t SourceMap,
) -> Telling<'t> {
    let ReportOptions { color, width, charset, ref base, .. } = *options;
    Telling { sources, redactor, role, layout: Layout { color, width, charset }, base }
}

/// What a run was told to be told in.
fn chosen(format: options::Format) -> &'static Format {
    named(format.name()).unwrap_or(&human::FORMAT)
}

/// Leaves the last words of a run for who shows why a container has ended. Nobody is told that it cannot
/// be done: they are on standard error as well.
fn leave(path: Option<&Path>, text: &str) {
    let end = text.floor_char_boundary(text.len().min(LONGEST_LAST_WORDS));
    if let (Some(path), Some(text)) = (path, text.get(..end)) {
        drop(whole_file::write(path, text.as_bytes()));
    }
}

fn written(path: &Path, written: io::Result<()>) -> Result<(), ReportError> {
    written.map_err(|source| ReportError::File { path: path.to_path_buf(), source })
}
