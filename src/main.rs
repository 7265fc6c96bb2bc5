//! The `preflight` binary: parse, log, signals, run, exit code.

mod signals;

use std::io;
use std::process::ExitCode;
use std::thread::available_parallelism;

use preflight::cli::{Cli, Log, Request, Variables};
use preflight::error::Error;
use preflight::exit_code::ExitCode as Code;
use preflight::options::{Options, ReportOptions, Role};
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
    let signals = Signals::watch().map_err(Error::Runtime);
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
        Request::Run(options) => run(&options, (&log, &variables), &mut redactor, signals?),
        Request::Explain { what, screen } => {
            say(&report::explain::explain(what.as_deref(), screen)?)
        }
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
