//! Proves that every model of a Docker Compose inference stack will load, before any engine starts.
//!
//! `options -> project -> plan -> facts -> findings -> report -> exit code`; `ARCHITECTURE.md` is
//! the map.

pub mod options;

pub mod project;

pub mod plan;

pub mod facts;

pub mod findings;

pub mod report;

pub mod init;

mod amount;
pub mod beneath;
pub mod cards;
pub mod cli;
pub mod deadline;
pub mod error;
pub mod exit_code;
pub mod file_name;
pub mod install;
pub mod limits;
pub mod look;
pub mod path;
pub mod progress;
mod regular_file;
pub mod source;
pub mod source_map;
pub mod suggest;
pub mod timing;
pub mod whole_file;
pub mod yaml;

use std::path::Path;
use std::pin::Pin;

use error::Error;
use exit_code::ExitCode;
use facts::lockfile::{self, Lockfile, LockfileError};
use facts::memory::{Host, work_out};
use facts::{LaneFacts, ProjectFacts, doctor, survey};
use findings::{Finding, Findings, check, policy_sources};
use limits::LAST_WORD;
use options::{InitMode, Options, Target, Task};
use plan::lanes::Plan;
use project::load;
use project::stack::{self, Stack};
use report::init::Proposed;
use report::lock::{Checked, Pinned};
use report::progress::shown;
use report::redact::Redactor;
use report::{Report, RunOutcome, Voice};
use source_map::SourceMap;
use timing::Stopwatch;

/// Does what `options` ask for, and tells about it. Dropped before it ends, it stops where it is.
///
/// Boxed, because all that is awaited below is compiled where the future is made: here, and not
/// again in every program that calls this.
///
/// # Errors
/// When the work itself could not be done; whatever is wrong with the user's set-up is in the
/// report and in the exit code.
pub fn run<'run>(
    options: &'run Options,
    voice: &'run mut Voice<'_>,
) -> Pin<Box<dyn Future<Output = Result<ExitCode, Error>> + 'run>> {
    let deadline = options.deadline.map(|deadline| deadline.and(LAST_WORD));
    Box::pin(async move {
        let ended = deadline::before(deadline, Box::pin(steps(options, voice))).await;
        ended.unwrap_or_else(|over| Err(Error::TimedOut { after: over.allowed() }))
    })
}

async fn steps(options: &Options, voice: &mut Voice<'_>) -> Result<ExitCode, Error> {
    let mut watch = Stopwatch::start();
    let mut sources = SourceMap::default();
    if options.task == Task::Config {
        let project = load::load(&options.project, &mut sources)?;
        voice.hide(&project);
        return Ok(voice.config(&project, options.config)?);
    }
    if options.task == Task::Doctor {
        return Ok(voice.doctor(&doctor::look(options, &mut sources).await)?);
    }
    if options.task == Task::Init {
        return Box::pin(set_up(options, voice)).await;
    }
    let mut stack = stack::gather(options, &mut sources).await?;
    let options = &stack.without_withheld_token(options);
    voice.hide(&stack.project);
    let plan = plan::of(&stack, options, &mut sources)?;
    voice.hide_keys(&stack.project, &plan.wiring);
    if options.task == Task::Plan {
        return Ok(voice.plan(&plan, &sources)?);
    }
    let policy = policy_sources::of(options, &plan, &stack.project, &sources)?;
    let mut findings = Findings::new(policy);
    check::project(&ProjectFacts::of(&stack, &plan, options), &mut findings);
    watch.lap("project");

    let path = stack.lock_file(options);
    let lock = path.as_deref().map(lockfile::read).transpose()?.flatten();
    let mut lanes = survey::look(&plan, &stack, options, lock.as_ref()).await;
    let mut host = Host::default();
    if options.files.check_lock {
        let path = path.ok_or(LockfileError::Nowhere)?;
        let lanes = survey::locked(&lanes, lock.as_ref(), options);
        return Ok(voice.lock_check(&Checked {
            path: &path,
            is_there: lock.is_some(),
            lanes: &lanes,
        })?);
    }
    if options.task == Task::Lock {
        let path = path.ok_or(LockfileError::Nowhere)?;
        let before = lock.unwrap_or_default();
        let after = pin(&path, &before, &mut lanes, options).await?;
        findings = findings.alike();
        lanes.iter().for_each(|lane| check::answers(lane, &mut findings));
        if !findings.iter().any(Finding::stops) {
            return Ok(voice.lock(&Pinned { path: &path, before: &before, after: &after })?);
        }
        watch.lap("lock");
    } else if options.task == Task::Fit {
        host = foretold(&mut lanes, &stack, &plan, options).await;
        findings = findings.alike();
        let facts = ProjectFacts::of(&stack, &plan, options).on(&host);
        check::fit(&facts, &lanes, &mut findings);
        watch.lap("checks");
    } else {
        host = foretold(&mut lanes, &stack, &plan, options).await;
        let facts = ProjectFacts::of(&stack, &plan, options).on(&host);
        check::rivals(&facts, &lanes, &mut findings);
        let redactor = &voice.redactor;
        let whole = (&mut stack, &plan);
        Box::pin(prove(&mut lanes, whole, options, &mut findings, (&mut watch, redactor))).await;
        if let (Target::Deliveries(_), None, Some(path)) = (&options.target, &lock, &path) {
            pin_deliveries(path, &lanes, &findings)?;
        }
        let facts = ProjectFacts::of(&stack, &plan, options);
        host = work_out(&mut lanes, &facts, &stack.standpoint);
        let facts = facts.on(&host);
        check::together(&facts, &lanes, &mut findings);
        check::containers(&facts, &mut findings);
        watch.lap("checks");
    }
    let project = ProjectFacts::of(&stack, &plan, options).on(&host);
    let outcome = RunOutcome::of(&project, &lanes, findings, options, watch.stop());
    Ok(voice.report(&Report::new(outcome), &sources)?)
}

/// Works out which changes let every service of a lane wait for preflight, and makes them if that is
/// wanted.
async fn set_up(own: &Options, voice: &mut Voice<'_>) -> Result<ExitCode, Error> {
    let mut sources = SourceMap::default();
    let mut options = init::wide(own)?;
    let mut gathered = stack::gather(&options, &mut sources).await;
    if gathered.is_err() {
        // Services of several profiles may contradict each other.
        options.project.profiles.clone_from(&own.project.profiles);
        gathered = stack::gather(&options, &mut sources).await;
    }
    let stack = gathered?;
    voice.hide(&stack.project);
    let plan = plan::of(&stack, &options, &mut sources)?;
    let proposal = init::propose((&stack.project, &plan), &options, own, &sources)?;
    if own.init == InitMode::Write {
        init::write(&proposal)?;
    }
    Ok(voice.init(&Proposed { proposal: &proposal, mode: own.init })?)
}

/// What the lanes take, those as well whose models are not here, and what the host has;
/// nothing where nothing is fetched and nobody asks.
async fn foretold(lanes: &mut [LaneFacts], stack: &Stack, plan: &Plan, options: &Options) -> Host {
    let facts = ProjectFacts::of(stack, plan, options);
    let is_asked = options.task == Task::Fit;
    if !is_asked && !options.fetch {
        return Host::default();
    }
    if !is_asked {
        // Where no card is known, nothing is too large to be fetched.
        let host = work_out(lanes, &facts, &stack.standpoint);
        if host.devices.is_empty() {
            return host;
        }
    }
    survey::foresee(lanes, options).await;
    work_out(lanes, &facts, &stack.standpoint)
}

/// Looks deeper, fetches and asks, as far as the task goes, and judges the lanes.
async fn prove(
    lanes: &mut [LaneFacts],
    (stack, plan): (&mut Stack, &Plan),
    options: &Options,
    findings: &mut Findings,
    (watch, redactor): (&mut Stopwatch, &Redactor),
) {
    let style = options.report.progress;
    lanes.iter().for_each(|lane| check::mounts(lane, findings));
    if options.files.deep {
        shown(style, redactor, async |progress| {
            survey::prove(lanes, progress, options.deadline).await;
        })
        .await;
    }
    watch.lap("files");
    let fetch = async |progress| {
        Box::pin(survey::fetch(lanes, stack, options, findings, &progress)).await;
    };
    shown(style, redactor, fetch).await;
    watch.lap("fetch");
    if options.task == Task::Smoke {
        survey::ask(lanes, stack, plan, options).await;
    }
    lanes.iter().for_each(|lane| check::files(lane, findings));
    lanes.iter().for_each(|lane| check::smoke(lane, findings));
}

/// Writes the lock file that deliveries are to have and have not, once all of them are there.
fn pin_deliveries(
    path: &Path,
    lanes: &[LaneFacts],
    findings: &Findings,
) -> Result<(), LockfileError> {
    let is_whole = !findings.iter().any(Finding::stops);
    match survey::delivered(lanes).filter(|_| is_whole) {
        Some(lockfile) => lockfile::write(path, &lockfile),
        None => Ok(()),
    }
}

/// Pins every lane and writes the lock file; what kept one from being pinned is in its facts.
async fn pin(
    path: &Path,
    before: &Lockfile,
    lanes: &mut [LaneFacts],
    options: &Options,
) -> Result<Lockfile, LockfileError> {
    let after = survey::pin(lanes, before, options).await;
    lockfile::write(path, &after)?;
    Ok(after)
}
