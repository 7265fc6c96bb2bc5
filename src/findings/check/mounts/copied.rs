//! Whether Compose can copy into a container what a config or a secret without a file holds
//! (docker/compose 2.40.3 pkg/compose/secrets.go).

use super::needed;
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::options::Role;
use crate::path::ServicePath;
use crate::plan::lanes::Lane;
use crate::project::{Copied, Mount, MountSource, Service};

/// The configs and secrets of the services that a lane needs.
pub(in crate::findings::check) static CHECK: Check =
    Check { rules: &[&FILE_NOT_COPIED], run: Run::Project(run) };

static FILE_NOT_COPIED: Rule =
    Rule::error("file-not-copied", ExitCode::Mount, include_str!("rules/file-not-copied.md"));

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for lane in facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none()) {
        // The files of a Pod come with their volume: nothing is copied into it.
        let needed = needed(facts.project, lane).into_iter();
        for service in needed.filter(|service| service.pod.is_none()) {
            for mount in &service.mounts {
                let MountSource::Copied(copied) = &mount.source else { continue };
                if let Some(finding) = judge(facts, lane, service, (mount, copied)) {
                    let finding = finding.lane(&lane.name).service(&service.name.value);
                    findings.push(finding);
                }
            }
        }
    }
}

fn judge(
    facts: &ProjectFacts<'_>,
    lane: &Lane,
    service: &Service,
    (mount, copied): (&Mount, &Copied),
) -> Option<Finding> {
    let (name, target) = (&service.name.value, &mount.target);
    let told = |message: String, fix: &str| {
        Some(Finding::new(&FILE_NOT_COPIED, message, fix).at(&mount.place))
    };
    if let Some(above) = mounted_read_only(service, target) {
        let message = format!(
            "Compose copies `{target}` into the container of `{name}`, and `{}` is mounted read-only \
             there: `{name}` does not start",
            above.target
        );
        return told(message, &format!("give it a target outside of `{}`", above.target))
            .map(|finding| finding.also(&above.place, "mounted read-only here"));
    }
    match copied {
        Copied::Variable(variable) if facts.role == Role::Hand => {
            let variable = &variable.value;
            let message = format!(
                "`{variable}` is not set, and Compose does not start `{name}` without it: it is what \
                 `{target}` holds"
            );
            told(message, &format!("set `{variable}` in `.env` or in the shell"))
        }
        Copied::Text(text) if text.value.is_empty() && is_opened(lane, target) => {
            let message =
                format!("`{target}` has no content, and of none Compose makes no file in `{name}`");
            let fix = match text.place.variables.first() {
                Some(variable) => format!("set `{}` to the text of the file", variable.name),
                None => "write the text of the file under `content`".to_owned(),
            };
            told(message, &fix)
        }
        Copied::Variable(_) | Copied::Text(_) => None,
    }
}

/// The mount that a file would be written below, if nothing can be written there.
fn mounted_read_only<'a>(service: &'a Service, target: &ServicePath) -> Option<&'a Mount> {
    let others = service.mounts.iter().filter(|mount| {
        !matches!(mount.source, MountSource::Copied(_)) && target.below(&mount.target).is_some()
    });
    let above = others.max_by_key(|mount| mount.target.as_path().components().count());
    above.filter(|mount| mount.read_only)
}

fn is_opened(lane: &Lane, target: &ServicePath) -> bool {
    let mut paths = lane.artifacts.iter().map(|artifact| &artifact.located.value.service_path);
    paths.any(|path| path.as_ref() == Some(target))
}

#[cfg(test)]
mod tests;
