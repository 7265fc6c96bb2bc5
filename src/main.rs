//! The `preflight` binary: parse, log, signals, run, exit code; or what `exec` becomes, or what Docker
//! Compose wants of a provider.

mod signals;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::thread::available_parallelism;

use preflight::cli::provider::{self, Call, Refusal, Up};
use preflight::cli::{self, Cli, Log, Request, Variables};
use preflight::error::Error;
use preflight::exit_code::ExitCode as Code;
use preflight::install;
use preflight::options::{Options, ReportOptions, Role, Start, Target};
use preflight::plan::engine::FLAG_TABLES;
use preflight::report::logging;
use preflight::report::messages::{Kind, Messages, message};
use preflight::report::redact::Redactor;
use preflight::report::{self, Failure, Voice};

use tokio::runtime::{Builder, Runtime};

use crate::signals::{GRACE, Signals};

/// On one processor as well. Each has memory of its own.
const FEWEST_THREADS: usize = 3;

/// For what was asked, and for the verdict.
type Streams<'a> = (&'a mut dyn Write, &'a mut dyn Write);

fn main() -> ExitCode {
    // Before anything that it could wait for.
    let signals = Signals::watch(cli::kept_signals()).map_err(Error::Runtime);
    let code = match provider::called() {
        Some(call) => for_compose(call, signals),
        None => as_typed(signals),
    };
    ExitCode::from(code.code())
}

fn as_typed(signals: Result<Signals, Error>) -> Code {
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
            let streams =
                (&mut io::stdout() as &mut dyn Write, &mut io::stderr() as &mut dyn Write);
            let code =
                run(&options, (&log, &variables), &mut redactor, (signals.clone(), streams))?;
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
    outcome.unwrap_or_else(|error| {
        let failure = variables.blamed(Failure::from(&error));
        let text = report::failure_verdict(&failure, &redactor, log.charset);
        report::print(&mut io::stderr(), &text).ok();
        error.exit_code()
    })
}

/// Says what is to be said in messages, the verdict last: at an error Compose ends whoever says it.
fn for_compose(call: Call, signals: Result<Signals, Error>) -> Code {
    let tell = |kind: Kind, text: &str| {
        report::print(&mut io::stdout(), &message(kind, text)).ok();
    };
    match call {
        Call::Describe(options) => {
            report::print(&mut io::stdout(), &options).ok();
            Code::Ready
        }
        Call::Release => Code::Ready,
        Call::Refused(Refusal { why, token }) => {
            let tokens = token.iter().map(|token| token.reveal());
            let redactor = Redactor::default().flags(FLAG_TABLES).knowing(tokens);
            tell(Kind::Error, &format!("preflight: error: {}", redactor.redact(&why)));
            Code::Usage
        }
        Call::Up(up) => {
            tell(Kind::Info, "looking at the models");
            let (code, verdict) = proven(*up, signals);
            tell(if code == Code::Ready { Kind::Info } else { Kind::Error }, &verdict);
            code
        }
    }
}

/// What becomes of a service that waits for the models, and the verdict.
fn proven(up: Up, signals: Result<Signals, Error>) -> (Code, String) {
    let (log, variables) = (up.cli.log(), up.cli.variables());
    let knows_debug = up.knows_debug;
    let mut redactor = Redactor::default().flags(FLAG_TABLES);
    let mut verdict = Vec::new();
    let outcome = up.options().map_err(Error::from).and_then(|options| {
        let (mut told, mut untold) = (Messages::new(io::stdout(), Kind::Debug), io::sink());
        let report: &mut dyn Write = if knows_debug { &mut told } else { &mut untold };
        let streams = (report, &mut verdict as &mut dyn Write);
        run(&options, (&log, &variables), &mut redactor, (signals?, streams))
    });
    let code = outcome.unwrap_or_else(|error| {
        let failure = variables.blamed(Failure::from(&error));
        verdict = report::failure_verdict(&failure, &redactor, log.charset).into_bytes();
        error.exit_code()
    });
    (code, String::from_utf8_lossy(&verdict).into_owned())
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
    (signals, (stdout, stderr)): (Signals, Streams<'_>),
) -> Result<Code, Error> {
    let tokens = options.hub.token.iter().map(|token| token.reveal());
    *redactor = redactor.knowing(tokens);
    logging::start(&log.filter, log.format, redactor.clone());
    let mut voice = Voice {
        options: &options.report,
        role: options.role,
        redactor: redactor.clone(),
        stdout,
        stderr,
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
