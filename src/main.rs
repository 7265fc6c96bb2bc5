//! The `preflight` binary: parse, log, signals, run, exit code.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use preflight::cli::{Cli, Log, Request};
use preflight::error::Error;
use preflight::exit_code::ExitCode as Code;
use preflight::options::Options;
use preflight::plan::engine::known_flags;
use preflight::report::logging;
use preflight::report::redact::Redactor;
use preflight::report::{self, Failure, Voice};
use tokio::signal::unix::{SignalKind, signal};

/// How long work that cannot be interrupted (a write, an fsync) may take to end after a signal.
const GRACE: Duration = Duration::from_secs(4);

fn main() -> ExitCode {
    let cli = Cli::from_command_line();
    let log = cli.log();
    let mut redactor = Redactor::default().flags(known_flags());
    let outcome = cli.request().map_err(Error::from).and_then(|request| match request {
        Request::Run(options) => run(&options, &log, &mut redactor),
        Request::Explain(check) => say(&report::explain::explain(check.as_deref())?),
        Request::Print(text) => say(&text),
    });
    let code = outcome.unwrap_or_else(|error| {
        let text = report::failure_verdict(&Failure::from(&error), &redactor, log.charset);
        report::print(&mut io::stderr(), &text).ok();
        error.exit_code()
    });
    ExitCode::from(code.code())
}

fn say(text: &str) -> Result<Code, Error> {
    report::print(&mut io::stdout(), text)?;
    Ok(Code::Ready)
}

fn run(options: &Options, log: &Log, redactor: &mut Redactor) -> Result<Code, Error> {
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
    let runtime = tokio::runtime::Runtime::new().map_err(Error::Runtime)?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = preflight::run(options, &mut voice) => outcome,
            code = stopped() => Err(Error::Signal(code?)),
        }
    });
    runtime.shutdown_timeout(GRACE);
    *redactor = voice.redactor.clone();
    if let Err(error) = &outcome {
        voice.failure(&Failure::from(error))?;
    }
    outcome
}

/// Waits for a signal that ends the run. As process 1 there is no default for either.
async fn stopped() -> Result<Code, Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    tokio::select! {
        _ = terminate.recv() => Ok(Code::Terminated),
        _ = interrupt.recv() => Ok(Code::Interrupted),
    }
}
