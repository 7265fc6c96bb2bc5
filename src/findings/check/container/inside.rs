//! Files that were only seen through Docker.

use crate::exit_code::ExitCode;
use crate::facts::{LaneFacts, Through};
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::options::Role;

/// A lane's files were looked at inside its container.
pub static CHECK: Check = Check { rules: &[&SEEN_THROUGH_ENGINE], run: Run::Model(run) };

static SEEN_THROUGH_ENGINE: Rule = Rule::note(
    "seen-through-engine",
    ExitCode::Unjudged,
    include_str!("rules/seen-through-engine.md"),
);

fn run(facts: &LaneFacts, findings: &mut Findings) {
    let through = facts.artifacts.iter().find_map(|artifact| match &artifact.through {
        Some(Through::Container { name, why }) if artifact.model.seen().is_some() => {
            Some((name, why))
        }
        Some(Through::Container { .. } | Through::Mounts) | None => None,
    });
    let Some((name, why)) = through else { return };
    let finding = Finding::new(
        &SEEN_THROUGH_ENGINE,
        format!(
            "{why}, so names, sizes, rights and the beginnings of files were looked at through the \
             Docker Engine, in `{name}`; what else is in the folders, and holes in files, was not"
        ),
        match facts.orders.role {
            Role::Init => {
                "to have everything looked at, mount the models into preflight as the service has them"
            }
            Role::Hand | Role::Exec => {
                "to have everything looked at, run preflight as a service of the stack, with the \
                 models mounted as the service has them"
            }
        },
    );
    let finding = finding.lane(&facts.lane.name).at(&facts.lane.place);
    findings.push(match facts.lane.services.first() {
        Some(service) => finding.service(service),
        None => finding,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::model::{Model, ModelFacts, Shape};
    use crate::facts::{ArtifactFacts, Way};
    use crate::findings::Policy;
    use crate::findings::check::container::tests::{lane, tell};
    use crate::plan::engine::Part;
    use crate::plan::lanes::{Artifact, Origin, Traced};
    use crate::project::mounts::{Located, Sight};
    use crate::source_map::Place;

    fn told(model: ModelFacts, through: Option<Through>) -> Vec<String> {
        let located = Located {
            service: Some("vllm".to_owned()),
            service_path: None,
            host_path: None,
            sight: Sight::Hidden("preflight has not mounted `/srv`".to_owned()),
            mount: None,
        };
        let located = Traced { value: located, from: Origin::Extension, place: Place::nowhere() };
        let artifacts = vec![ArtifactFacts {
            artifact: Artifact { part: Part::Model, located },
            root: None,
            model,
            way: Way::default(),
            starter: None,
            through,
        }];
        let lane = lane("coder", &["vllm"], true);
        let mut findings = Findings::new(Policy::default());
        run(&LaneFacts { artifacts, ..LaneFacts::of(lane, Role::Init) }, &mut findings);
        tell(findings)
    }

    fn seen() -> ModelFacts {
        let model = Model { shape: Shape::File, files: Vec::new(), leftovers: Vec::new() };
        ModelFacts::Seen(Box::new(model))
    }

    #[test]
    fn what_was_not_looked_at_is_said_where_files_were_seen_from_outside() {
        let container = || {
            let why = "preflight has not mounted `/srv`".to_owned();
            Some(Through::Container { name: "demo-vllm-1".to_owned(), why })
        };
        assert_eq!(
            told(seen(), container()),
            [
                "note seen-through-engine [coder]: preflight has not mounted `/srv`, so names, sizes, \
              rights and the beginnings of files were looked at through the Docker Engine, in \
              `demo-vllm-1`; what else is in the folders, and holes in files, was not = to have \
              everything looked at, mount the models into preflight as the service has them"
            ]
        );
        assert_eq!(told(seen(), Some(Through::Mounts)), [""; 0]);
        assert_eq!(told(ModelFacts::Absent, container()), [""; 0]);
    }
}
