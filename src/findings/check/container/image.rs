//! Whether the images are there that containers have yet to be made from.

use super::{judges_containers, say, wants_containers};
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::look::Look;
use crate::project::Service;
use crate::project::docker::Observation;

/// A lane's service has no container, and no image to make one from.
pub static CHECK: Check = Check { rules: &[&MISSING], run: Run::Container(run) };

static MISSING: Rule =
    Rule::error("image-missing", ExitCode::Unhealthy, include_str!("rules/image-missing.md"));

fn run(facts: &ProjectFacts<'_>, observation: &Observation, findings: &mut Findings) {
    let mut judged = Vec::new();
    for lane in facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none()) {
        for name in &lane.services {
            let Some(service) = facts.project.service(name) else { continue };
            if observation.container(&facts.project.name, name).is_some() {
                continue;
            }
            if is_missing(observation, service) && !judged.contains(&name) {
                judge(facts, service, findings);
                judged.push(name);
            }
        }
    }
}

/// Whether Docker says that it does not have the image of a service.
pub(super) fn is_missing(observation: &Observation, service: &Service) -> bool {
    let image = service.image.as_ref().and_then(|image| observation.images.get(&image.value));
    matches!(image, Some(Look::Absent))
}

fn judge(facts: &ProjectFacts<'_>, service: &Service, findings: &mut Findings) {
    let (Some(image), name) = (&service.image, &service.name.value) else { return };
    let written = &facts.project.document["services"][name];
    let may_pull = written["pull_policy"] != "never";
    let message = format!("the image `{}` of `{name}` is not there", image.value);
    let finding = if !written["build"].is_null() {
        Finding::new(&MISSING, message, format!("build it: `docker compose build {name}`"))
    } else if may_pull {
        Finding::new(&MISSING, message, format!("pull it: `docker compose pull {name}`"))
    } else {
        Finding::new(
            &MISSING,
            format!("{message}, and `pull_policy: never` forbids to pull it"),
            format!("`docker pull {}`, or take `pull_policy` out", image.value),
        )
    };
    if !may_pull && !judges_containers(facts) {
        findings.push(finding.severity(Severity::Warning).service(name).at(&image.place));
    } else if wants_containers(facts) {
        say(facts, name, &finding, findings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::check::container::tests::Stack;
    use crate::options::{Role, Task};
    use crate::project::docker::Container;
    use crate::project::docker::images::Image;
    use crate::source_map::Spanned;

    /// A lane whose service is written so and has no container, and a Docker that has that image.
    fn check(
        role: Role,
        task: Task,
        written: &serde_json::Value,
        image: Look<Image>,
    ) -> Vec<String> {
        let mut stack = Stack::new(role);
        stack.task = task;
        stack.service("vllm").image = Some(Spanned::nowhere("vllm:1".to_owned()));
        stack.project.document = serde_json::json!({"services": {"vllm": written.clone()}});
        stack.lane("coder", &["vllm"], true);
        let mut observation = Observation::of(Vec::<Container>::new());
        observation.images.insert("vllm:1".to_owned(), image);
        stack.observation = Ok(observation);
        stack.told(&CHECK)
    }

    fn plain() -> serde_json::Value {
        serde_json::json!({})
    }

    #[test]
    fn an_image_that_is_not_there_is_an_error_only_when_asked_for() {
        assert_eq!(
            check(Role::Hand, Task::Inspect, &plain(), Look::Absent),
            ["error image-missing [coder]: the image `vllm:1` of `vllm` is not there = pull it: \
              `docker compose pull vllm`"]
        );
        assert_eq!(
            check(Role::Init, Task::Check, &plain(), Look::Absent),
            ["note image-missing: the image `vllm:1` of `vllm` is not there = pull it: \
              `docker compose pull vllm`"]
        );
        for (task, image) in [
            (Task::Check, Look::Absent),
            (Task::Inspect, Look::Seen(Image::default())),
            (Task::Inspect, Look::Unknown("403".to_owned())),
        ] {
            assert_eq!(check(Role::Hand, task, &plain(), image), Vec::<String>::new());
        }
    }

    #[test]
    fn one_that_may_not_be_pulled_is_told_before_the_stack_is_up() {
        let never = serde_json::json!({"pull_policy": "never"});
        assert_eq!(
            check(Role::Hand, Task::Check, &never, Look::Absent),
            ["warning image-missing: the image `vllm:1` of `vllm` is not there, and \
              `pull_policy: never` forbids to pull it = `docker pull vllm:1`, or take \
              `pull_policy` out"]
        );
        let built = serde_json::json!({"build": {"context": "."}});
        let told = check(Role::Hand, Task::Inspect, &built, Look::Absent);
        assert!(told[0].ends_with("build it: `docker compose build vllm`"), "{told:?}");
    }
}
