//! Whether the engines wait for preflight, and preflight comes to an end.

use serde_json::Value;

use super::rule::{Check, Run};
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::{Finding, Findings, Rule};
use crate::project::docker::Container;
use crate::project::own_container::{OwnTask, task};
use crate::project::{COMPLETED, Dependency, Project, Service};

/// Preflight is part of the stack, and Compose does not wait for it.
pub static CHECK: Check =
    Check { rules: &[&DOES_NOT_WAIT, &FAILS_WAIT, &RESTARTS], run: Run::Project(run) };

static DOES_NOT_WAIT: Rule = Rule::warning(
    "service-does-not-wait",
    ExitCode::Lane,
    include_str!("waiting/rules/service-does-not-wait.md"),
);

static FAILS_WAIT: Rule = Rule::warning(
    "preflight-fails-wait",
    ExitCode::Lane,
    include_str!("waiting/rules/preflight-fails-wait.md"),
);

static RESTARTS: Rule = Rule::warning(
    "preflight-restarts",
    ExitCode::Lane,
    include_str!("waiting/rules/preflight-restarts.md"),
);

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    let Some(preflight) = preflight(facts) else { return };
    if preflight.pod.is_some() {
        return;
    }
    // Of a provider there is no container; and a job that nobody waits for may well be started again.
    let nobody_waits = facts.project.dialect.words().nobody_waits;
    let is_awaited = !preflight.has_own_provider() && nobody_waits.is_none();
    if is_awaited {
        restarts(facts, preflight, findings);
    }
    // Several may share the work, each with lanes of its own.
    let gates: Vec<&str> = gates(facts, preflight).collect();
    let mut judged = gates.clone();
    let mut all_wait = true;
    for lane in facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none()) {
        for name in &lane.services {
            let Some(service) = facts.project.service(name) else { continue };
            let is_judged = judged.contains(&name.as_str())
                || has_hook(facts.project, name)
                || task(service) == Some(OwnTask::Becomes);
            let ended = || facts.project.ended_before(service);
            let waits = || ended().iter().any(|it| gates.contains(&it.name.value.as_str()));
            if !is_judged && tells_dependencies(facts, name) && (nobody_waits.is_some() || !waits())
            {
                all_wait = false;
                let finding = match nobody_waits {
                    Some(why) => never_waits(service, preflight, why),
                    None => does_not_wait(service, preflight),
                };
                findings.push(finding.lane(&lane.name));
            }
            judged.push(name);
        }
    }
    if all_wait && is_awaited {
        fails_wait(facts, preflight, findings);
    }
}

/// The service that this process is, else the one that says to be preflight.
fn preflight<'a>(facts: &ProjectFacts<'a>) -> Option<&'a Service> {
    let project = facts.project;
    let own = facts.observation.as_ref().ok().and_then(|observation| observation.myself.as_ref());
    let is_service = |container: &&Container| {
        container.project.as_deref() == Some(project.name.as_str()) && !container.is_hook()
    };
    let own = own.filter(is_service);
    own.and_then(|container| project.service(container.service.as_deref()?)).or_else(|| {
        let says = |text: &str| text.contains("preflight");
        let mut services = project.services.iter();
        services.find(|service| says(&service.name.value)).or_else(|| {
            let is_it = |service: &&Service| {
                let is_image = service.image.as_ref().is_some_and(|image| says(&image.value));
                is_image || service.has_own_provider()
            };
            project.services.iter().find(is_it)
        })
    })
}

/// Whatever is preflight: the service itself, and those of its image or that say so and serve nothing.
fn gates<'a>(facts: &'a ProjectFacts<'_>, preflight: &'a Service) -> impl Iterator<Item = &'a str> {
    let serves = |name: &str| facts.plan.lanes.iter().any(|lane| lane.is_served_by(name));
    let is_gate = move |service: &&Service| {
        let says = |text: &str| text.contains("preflight");
        let image = service.image.as_ref().map(|image| &image.value);
        let own = preflight.image.as_ref().map(|image| &image.value);
        let is_preflight = says(&service.name.value)
            || service.has_own_provider()
            || image.is_some_and(|image| says(image) || Some(image) == own);
        service.name.value == preflight.name.value || (is_preflight && !serves(&service.name.value))
    };
    facts.project.services.iter().filter(is_gate).map(|service| service.name.value.as_str())
}

/// Compose v1 writes no label about dependencies, so containers alone cannot tell them.
fn tells_dependencies(facts: &ProjectFacts<'_>, service: &str) -> bool {
    let observation = facts.observation.as_ref().ok();
    !facts.project.files.is_empty()
        || observation
            .and_then(|observation| observation.container(&facts.project.name, service))
            .is_some_and(Container::tells_dependencies)
}

/// Whether a service has a `pre_start` hook that is preflight: Compose starts it only after its hooks
/// have succeeded (Docker Compose 5.3).
fn has_hook(project: &Project, service: &str) -> bool {
    let hooks = project.document["services"][service]["pre_start"].as_array();
    let is_preflight = |hook: &Value| {
        let words = hook["command"].as_array().into_iter().flatten().chain([&hook["command"]]);
        let mut texts = words.chain([&hook["image"]]).filter_map(Value::as_str);
        texts.any(|text| text.contains("preflight"))
    };
    hooks.is_some_and(|hooks| hooks.iter().any(is_preflight))
}

/// `up --wait` takes a service that has ended for a failure, whatever its exit code, unless another
/// one depends on its success (docker/compose 2.40.3 pkg/compose/start.go `getDependencyCondition`).
fn fails_wait(facts: &ProjectFacts<'_>, preflight: &Service, findings: &mut Findings) {
    let name = &preflight.name.value;
    let awaits = |edge: &Dependency| edge.service == *name && edge.condition == COMPLETED;
    let mut services = facts.project.services.iter();
    if facts.project.files.is_empty() || services.any(|it| it.depends_on.iter().any(awaits)) {
        return;
    }
    let message = format!(
        "`docker compose up --wait` fails although `{name}` succeeds: nothing depends on its success"
    );
    let fix = format!("let a service depend on `{name}` with `condition: {COMPLETED}`");
    let place = &preflight.name.place;
    findings.push(Finding::new(&FAILS_WAIT, message, fix).service(name).at(place));
}

fn restarts(facts: &ProjectFacts<'_>, preflight: &Service, findings: &mut Findings) {
    let Some(restart) = &preflight.restart else { return };
    let name = &preflight.name.value;
    let (policy, attempts) = restart.value.split_once(':').unwrap_or((&restart.value, "0"));
    let message = match policy {
        "always" | "unless-stopped" => {
            format!("`{name}` is restarted whenever it ends, so whoever waits for it waits forever")
        }
        "on-failure" if attempts.parse() == Ok(0) => format!(
            "`{name}` is restarted whenever it fails, so `docker compose up` hangs instead of saying \
             what is missing"
        ),
        _ => return,
    };
    let deploy = &facts.project.document["services"][name]["deploy"]["restart_policy"];
    let fix = if deploy.is_null() {
        "write `restart: \"no\"`, or `restart: on-failure:3`"
    } else {
        "remove `deploy.restart_policy`, or write `{condition: on-failure, max_attempts: 3}`"
    };
    let finding = Finding::new(&RESTARTS, message, fix).service(name).at(&restart.place);
    findings.push(finding.with("restart", &restart.value));
}

fn does_not_wait(service: &Service, preflight: &Service) -> Finding {
    let (name, awaited) = (&service.name.value, &preflight.name.value);
    let edge = service.depends_on.iter().find(|edge| edge.service == *awaited);
    let fix = if preflight.has_own_provider() {
        format!("add `depends_on: [{awaited}]` to `{name}`")
    } else {
        format!("add `depends_on: {{{awaited}: {{condition: {COMPLETED}}}}}` to `{name}`")
    };
    let (message, place) = match edge {
        Some(edge) if edge.condition == COMPLETED => (
            format!("`{name}` starts even if `{awaited}` fails: its dependency is not required"),
            &edge.place,
        ),
        Some(edge) => (
            format!(
                "`{name}` does not wait until `{awaited}` has completed, only for `{}`",
                edge.condition
            ),
            &edge.place,
        ),
        None => (format!("`{name}` does not wait for `{awaited}`"), &service.name.place),
    };
    let place = if place.span.is_some() { place } else { &service.name.place };
    Finding::new(&DOES_NOT_WAIT, message, fix).service(name).at(place)
}

/// Swarm reads `depends_on` and does nothing with it (docker/cli 28.5 cli/compose/convert/service.go).
fn never_waits(service: &Service, preflight: &Service, why: &str) -> Finding {
    let (name, awaited) = (&service.name.value, &preflight.name.value);
    let message = format!("`{name}` does not wait for `{awaited}`: {why}");
    let fix = format!("put `preflight exec --` in front of the command line of `{name}`");
    Finding::new(&DOES_NOT_WAIT, message, fix).service(name).at(&service.name.place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::check::container::tests::Stack;
    use crate::options::Role;
    use crate::project::Dialect;
    use crate::project::docker::Observation;
    use crate::source_map::{Place, Spanned};

    fn edge(service: &str, condition: &str, required: bool) -> Dependency {
        Dependency {
            service: service.to_owned(),
            condition: condition.to_owned(),
            required,
            place: Place::nowhere(),
        }
    }

    /// `vllm` (lane `coder`) with `edges`, `proxy` that waits for preflight, and preflight.
    fn check(edges: Vec<Dependency>, expected: &[&str]) {
        let mut stack = Stack::new(Role::Hand);
        stack.service("preflight");
        stack.service("proxy").depends_on = vec![edge("preflight", COMPLETED, true)];
        stack.service("vllm").depends_on = edges;
        stack.lane("coder", &["vllm"], true);
        let told = stack.told(&CHECK);
        let messages: Vec<_> = told.iter().map(|told| told.split(" = ").next().unwrap()).collect();
        assert_eq!(messages, expected);
    }

    #[test]
    fn of_two_that_are_preflight_either_is_waited_for() {
        let mut stack = Stack::new(Role::Hand);
        for (gate, engine) in [("preflight-gpu", "vllm"), ("preflight-cpu", "llama")] {
            stack.service(gate);
            stack.service(engine).depends_on = vec![edge(gate, COMPLETED, true)];
            stack.lane(engine, &[engine], true);
        }
        assert_eq!(stack.told(&CHECK), Vec::<String>::new());
        stack.service("tei").depends_on = vec![edge("preflight-cpu", "service_started", true)];
        stack.lane("tei", &["tei"], true);
        assert_eq!(stack.told(&CHECK).len(), 1);
    }

    #[test]
    fn a_lane_s_service_has_to_wait_for_preflight_s_success() {
        check(vec![edge("preflight", COMPLETED, true)], &[]);
        check(
            vec![],
            &["warning service-does-not-wait [coder]: `vllm` does not wait for `preflight`"],
        );
        check(
            vec![edge("preflight", "service_started", true)],
            &["warning service-does-not-wait [coder]: `vllm` does not wait until `preflight` has \
               completed, only for `service_started`"],
        );
        check(
            vec![edge("preflight", COMPLETED, false)],
            &[
                "warning service-does-not-wait [coder]: `vllm` starts even if `preflight` fails: its \
               dependency is not required",
            ],
        );
    }

    #[test]
    fn whatever_depends_on_preflight_as_a_provider_waits_for_its_success() {
        for (edges, expected) in [
            (vec![edge("models", "service_started", true)], 0),
            (vec![edge("models", "service_healthy", false)], 0),
            (vec![edge("proxy", "service_started", true)], 0),
            (vec![], 1),
        ] {
            let mut stack = Stack::new(Role::Hand);
            stack.service("models").provider = Some(Spanned::nowhere("preflight".to_owned()));
            stack.service("proxy").depends_on = vec![edge("models", "service_started", true)];
            stack.service("vllm").depends_on = edges;
            stack.lane("coder", &["vllm"], true);
            assert_eq!(stack.told(&CHECK).len(), expected, "{:?}", stack.told(&CHECK));
        }
    }

    #[test]
    fn in_a_swarm_only_what_is_behind_exec_waits() {
        let mut stack = Stack::new(Role::Hand);
        stack.service("preflight").restart = Some(Spanned::nowhere("on-failure".to_owned()));
        stack.service("vllm").depends_on = vec![edge("preflight", "service_started", true)];
        stack.lane("coder", &["vllm"], true);
        stack.project.dialect = Dialect::Swarm;
        assert_eq!(
            stack.told(&CHECK),
            [
                "warning service-does-not-wait [coder]: `vllm` does not wait for `preflight`: Docker Swarm \
                 waits for nobody = put `preflight exec --` in front of the command line of `vllm`"
            ]
        );
        let words = ["/preflight/preflight", "exec", "--", "vllm"];
        let words = words.map(|word| Spanned::nowhere(word.to_owned()));
        stack.project.services[1].entrypoint = Some(words.to_vec());
        assert_eq!(stack.told(&CHECK), Vec::<String>::new());
    }

    #[test]
    fn waiting_for_something_that_waits_is_enough() {
        check(vec![edge("proxy", "service_started", true)], &[]);
        check(
            vec![edge("proxy", "service_started", false)],
            &["warning service-does-not-wait [coder]: `vllm` does not wait for `preflight`"],
        );
    }

    #[test]
    fn a_circle_of_dependencies_is_walked_once() {
        let mut stack = Stack::new(Role::Hand);
        stack.service("preflight");
        stack.service("a").depends_on = vec![edge("b", COMPLETED, true)];
        stack.service("b").depends_on = vec![edge("a", COMPLETED, true)];
        stack.lane("coder", &["a"], true);
        assert_eq!(stack.told(&CHECK).len(), 1);
    }

    #[test]
    fn without_a_preflight_in_the_stack_nothing_waits_for_it() {
        let mut stack = Stack::new(Role::Hand);
        stack.service("vllm");
        stack.lane("coder", &["vllm"], true);
        assert_eq!(stack.told(&CHECK), Vec::<String>::new());
    }

    #[test]
    fn a_service_with_preflight_as_its_hook_need_not_wait() {
        for (hook, expected) in [
            (serde_json::json!({"image": "ghcr.io/x/preflight:1", "command": []}), 0),
            (serde_json::json!({"command": ["/bin/preflight", "/models"]}), 0),
            (serde_json::json!({"command": "chown -R 1000 /cache"}), 1),
        ] {
            let mut stack = Stack::new(Role::Hand);
            stack.service("preflight");
            stack.service("proxy").depends_on = vec![edge("preflight", COMPLETED, true)];
            stack.service("vllm");
            let services = serde_json::json!({"vllm": {"pre_start": [hook.clone()]}});
            stack.project.document = serde_json::json!({"services": services});
            stack.lane("coder", &["vllm"], true);
            assert_eq!(stack.told(&CHECK).len(), expected, "{hook}");
        }
    }

    #[test]
    fn a_hook_is_not_the_service_that_others_wait_for() {
        let mut stack = Stack::new(Role::Init);
        stack.service("vllm");
        stack.service("other");
        stack.lane("coder", &["vllm"], true);
        stack.lane("chat", &["other"], true);
        let mut own = Container::of_service("demo", "vllm");
        let label = "com.docker.compose.hook".to_owned();
        own.labels.insert(label, "pre_start".to_owned());
        let mut observation = Observation::of(Vec::new());
        observation.myself = Some(own);
        stack.observation = Ok(observation);
        assert_eq!(stack.told(&CHECK), Vec::<String>::new());
    }

    #[test]
    fn up_wait_fails_when_nothing_depends_on_preflight() {
        let mut stack = Stack::new(Role::Hand);
        stack.service("preflight");
        stack.service("proxy").depends_on = vec![edge("preflight", "service_started", true)];
        assert_eq!(
            stack.told(&CHECK),
            [
                "warning preflight-fails-wait: `docker compose up --wait` fails although `preflight` \
              succeeds: nothing depends on its success = let a service depend on `preflight` with \
              `condition: service_completed_successfully`"
            ]
        );
        stack.service("web").depends_on = vec![edge("preflight", COMPLETED, false)];
        assert_eq!(stack.told(&CHECK), Vec::<String>::new());
    }

    #[test]
    fn preflight_is_known_by_its_own_container_by_its_name_or_by_its_image() {
        let image = |service: &mut Service| {
            service.image = Some(Spanned::nowhere("ghcr.io/x/preflight:1".to_owned()));
        };
        for (name, by_image, by_container) in
            [("models", false, true), ("models-preflight", false, false), ("models", true, false)]
        {
            let mut stack = Stack::new(Role::Init);
            stack.service("vllm");
            let service = stack.service(name);
            if by_image {
                image(service);
            }
            stack.lane("coder", &["vllm"], true);
            let mut observation = Observation::of(Vec::new());
            if by_container {
                observation.myself = Some(Container::of_service("demo", name));
            }
            stack.observation = Ok(observation);
            assert_eq!(stack.told(&CHECK).len(), 1, "{name}");
        }
    }

    #[test]
    fn containers_of_compose_v1_do_not_tell_what_they_wait_for() {
        for (label, expected) in [(false, 0), (true, 1)] {
            let mut container = Container::of_service("demo", "vllm");
            if label {
                let name = "com.docker.compose.depends_on".to_owned();
                container.labels.insert(name, String::new());
            }
            let mut stack = Stack::new(Role::Init);
            stack.service("preflight");
            stack.service("vllm");
            stack.project.files.clear();
            stack.lane("coder", &["vllm"], true);
            stack.observation = Ok(Observation::of(vec![container]));
            assert_eq!(stack.told(&CHECK).len(), expected);
        }
    }

    #[test]
    fn a_preflight_that_never_stays_ended_is_a_warning() {
        for (restart, expected) in [
            ("always", 1),
            ("unless-stopped", 1),
            ("on-failure", 1),
            ("on-failure:0", 1),
            ("on-failure:3", 0),
            ("no", 0),
        ] {
            let mut stack = Stack::new(Role::Hand);
            stack.service("preflight").restart = Some(Spanned::nowhere(restart.to_owned()));
            stack.service("proxy").depends_on = vec![edge("preflight", COMPLETED, true)];
            assert_eq!(stack.told(&CHECK).len(), expected, "{restart}");
        }
    }
}
