//! The `preflight` binary: parse, log, signals, run, exit code; or what `exec` becomes.

mod signals;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::thread::available_parallelism;

use preflight::cli::{self, Cli, Log, Request, Variables};
use preflight::error::Error;
use preflight::exit_code::ExitCode as Code;
use preflight::install;
use preflight::options::{Options, ReportOptions, Role, Start, Target};
use preflight::plan::engine::FLAG_TABLES;
use preflight::report::logging;
use preflight::report::redact::Redactor;
use preflight::report::{self, Failure, Voice};

use tokio::runtime::{Builder, Runtime};

use crate::signals::{GRACE, Signals};

/// On one processor as well. Each has memory of its own.
const FEWEST_THREADS: usize = 3;

fn main() -> ExitCode {
    // Before anything that it could wait for.
    let signals = Signals::watch(cli::kept_signals()).map_err(Error::Runtime);
    let cli = Cli::from_command_line();
    let (log, of_failure, variables) = (cli.log(), cli.of_failure(), cli.variables());
    let mut redactor = Redactor::default().flags(FLAG_TABLES);
    let request = cli.request().map_err(Error::from);
    if let Err(error) = &request {
        let (options, role) = of_failure;
        let failure = variables.blamed(Failure::from(error));
        tell_failure(&options, role, redactor.clone(), &failure);
    }
    let outcome = request.and_then(|request| match request {
        Request::Run(options) => {
            let signals = signals?;
            let code = run(&options, (&log, &variables), &mut redactor, signals.clone())?;
            if let (Target::CommandLine(start), Code::Ready) = (&options.target, code) {
                return Err(become_engine(start, &signals));
            }
            Ok(code)
        }
        Request::Explain { what, screen } => {
            say(&report::explain::explain(what.as_deref(), screen)?)
        }
        Request::Install(folder) => say(&install::into(&folder)?.to_string()),
        Request::Print(text) => say(&text),
    });
    let code = outcome.unwrap_or_else(|error| {
        let text = report::failure_verdict(
            &variables.blamed(Failure::from(&error)),
            &redactor,
            log.charset,
        );
        report::print(&mut io::stderr(), &text).ok();
        error.exit_code()
    });
    ExitCode::from(code.code())
}

/// Puts the engine in the place of this process: the same id, streams, folder and variables, no thread
/// (execve(2) ends them), no file of ours (all are closed on it), every signal as it was. Comes back only
/// where that cannot be.
fn become_engine(start: &Start, signals: &Signals) -> Error {
    if let Some(code) = signals.seen() {
        return Error::Signal(code);
    }
    let mut words = start.words.iter();
    let program = words.next().map(OsString::as_os_str).unwrap_or_default();
    let source = Command::new(program).args(words).exec();
    Error::Exec { program: program.to_string_lossy().into_owned(), source }
}

/// Tells a program why there is no run, where it would look for the report.
fn tell_failure(options: &ReportOptions, role: Role, redactor: Redactor, failure: &Failure) {
    let (mut stdout, mut stderr) = (io::stdout(), io::stderr());
    let mut voice = Voice { options, role, redactor, stdout: &mut stdout, stderr: &mut stderr };
    // Who cannot be told so is told by the exit code, and on standard error.
    voice.failure(failure).ok();
}

fn say(text: &str) -> Result<Code, Error> {
    report::print(&mut io::stdout(), text)?;
    Ok(Code::Ready)
}

fn run(
    options: &Options,
    (log, variables): (&Log, &Variables),
    redactor: &mut Redactor,
    signals: Signals,
) -> Result<Code, Error> {
    let tokens = options.hub.token.iter().map(|token| token.reveal());
    *redactor = redactor.knowing(tokens);
    logging::start(&log.filter, log.format, redactor.clone());
    let (mut stdout, mut stderr) = (io::stdout(), io::stderr());
    let mut voice = Voice {
        options: &options.report,
        role: options.role,
        redactor: redactor.clone(),
        stdout: &mut stdout,
        stderr: &mut stderr,
    };
    options.deadline.map_or(Ok(()), signals::end_after).map_err(Error::Runtime)?;
    let runtime = runtime().map_err(Error::Runtime)?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = preflight::run(options, &mut voice) => outcome,
            code = signals.came() => Err(Error::Signal(code)),
        }
    });
    runtime.shutdown_timeout(GRACE);
    *redactor = voice.redactor.clone();
    if let Err(error) = &outcome {
        voice.failure(&variables.blamed(Failure::from(error)))?;
    }
    outcome
}

/// Who answers faster than answers can be read keeps a thread busy: one is left to look at the clock.
fn runtime() -> io::Result<Runtime> {
    let threads =
        available_parallelism().map_or(FEWEST_THREADS, |cores| cores.get().max(FEWEST_THREADS));
    Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}
