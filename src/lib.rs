//! Proves that every model of a Docker Compose inference stack will load, before any engine starts.
//!
//! `options -> project -> plan -> facts -> findings -> report -> exit code`; `ARCHITECTURE.md` is
//! the map.

pub mod check;
pub mod cli;
pub mod compose;
pub mod docker;
pub mod engine;
pub mod error;
pub mod facts;
pub mod finding;
pub mod hub;
pub mod lanes;
pub mod model;
pub mod mounts;
pub mod options;
pub mod path;
pub mod progress;
pub mod project;
pub mod redact;
pub mod report;
pub mod smoke;
pub mod source_map;
pub mod stack;
pub mod survey;
pub mod view;
pub mod yaml;

use error::{Error, ExitCode};
use finding::Findings;
use options::{Options, Task};
use report::{Outcome, Report, Voice};
use source_map::SourceMap;

/// Does what `options` ask for, and tells about it.
///
/// # Errors
/// When the work itself could not be done; whatever is wrong with the user's set-up is in the
/// report and in the exit code.
pub async fn run(options: &Options, voice: &mut Voice<'_>) -> Result<ExitCode, Error> {
    let mut sources = SourceMap::default();
    if options.task == Task::Config {
        return voice.config(&compose::load(&options.project, &mut sources)?);
    }
    let stack = stack::gather(options, &mut sources).await?;
    let plan = stack.plan(options, &sources)?;
    if options.task == Task::Plan {
        return voice.plan(&plan, &sources);
    }
    let project = stack.facts(&plan, options);
    let mut findings = Findings::new(check::policy(&plan, options.task));
    check::project(&project, &mut findings);

    let mut lanes = survey::look(&plan, &stack, options).await;
    lanes.iter().for_each(|lane| check::mounts(lane, &mut findings));
    survey::fetch(&mut lanes, &stack, options, &findings).await;
    if options.task == Task::Smoke {
        survey::ask(&mut lanes).await;
    }
    lanes.iter().for_each(|lane| check::files(lane, &mut findings));
    lanes.iter().for_each(|lane| check::smoke(lane, &mut findings));
    check::containers(&project, &mut findings);

    let outcome = Outcome::of(&project, &lanes, findings, options);
    voice.report(&Report::new(outcome), &sources)
}
