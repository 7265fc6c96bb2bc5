use super::*;
use crate::findings::Policy;
use crate::plan::lanes::{Plan, Settings};
use crate::project::docker::{DockerError, Health};
use crate::project::stack::Difference;
use crate::project::{Project, Service};
use crate::source_map::Spanned;

/// A project `demo` and everything that is known about it.
pub(in crate::findings::check) struct Stack {
    pub(in crate::findings::check) role: Role,
    pub(in crate::findings::check) task: Task,
    pub(in crate::findings::check) project: Project,
    pub(in crate::findings::check) plan: Plan,
    pub(in crate::findings::check) differences: Vec<Difference>,
    pub(in crate::findings::check) unreadable: Option<String>,
    pub(in crate::findings::check) elsewhere: Option<String>,
    pub(in crate::findings::check) observation: Result<Observation, DockerError>,
}

impl Stack {
    pub(in crate::findings::check) fn new(role: Role) -> Self {
        Self {
            role,
            task: Task::Check,
            project: Project::of("demo", Vec::new()),
            plan: Plan {
                lanes: Vec::new(),
                settings: Settings { fetch: true, create_root: false, gpus: None },
                dialect: Default::default(),
                idle: Default::default(),
                wiring: Default::default(),
            },
            differences: Vec::new(),
            unreadable: None,
            elsewhere: None,
            observation: Ok(Observation::of(Vec::new())),
        }
    }

    /// One more service.
    pub(in crate::findings::check) fn service(&mut self, name: &str) -> &mut Service {
        self.project.services.push(Service::named(Spanned::nowhere(name.to_owned())));
        self.project.services.last_mut().unwrap()
    }

    /// One more lane.
    pub(in crate::findings::check) fn lane(
        &mut self,
        name: &str,
        services: &[&str],
        required: bool,
    ) {
        self.plan.lanes.push(lane(name, services, required));
    }

    /// What a check says, in a line for each finding.
    pub(in crate::findings::check) fn told(&self, check: &Check) -> Vec<String> {
        tell(self.found(check))
    }

    /// What a check says.
    pub(in crate::findings::check) fn found(&self, check: &Check) -> Findings {
        let facts = ProjectFacts {
            role: self.role,
            task: self.task,
            project: &self.project,
            plan: &self.plan,
            differences: &self.differences,
            unreadable: self.unreadable.as_deref(),
            elsewhere: self.elsewhere.as_deref(),
            observation: &self.observation,
            devices: &[],
            host: None,
        };
        let mut findings = Findings::new(Policy::default());
        match (check.run, &self.observation) {
            (Run::Project(run), _) => run(&facts, &mut findings),
            (Run::Container(run), Ok(observation)) => run(&facts, observation, &mut findings),
            (other, _) => panic!("{other:?} is not a check of projects"),
        }
        findings
    }
}

pub(in crate::findings::check) fn lane(name: &str, services: &[&str], required: bool) -> Lane {
    let services = services.iter().map(|service| (*service).to_owned()).collect();
    Lane { required, services, ..Lane::named(name) }
}

/// `severity id [lane]: message = fix` of every finding.
pub(in crate::findings::check) fn tell(findings: Findings) -> Vec<String> {
    findings
        .into_vec()
        .into_iter()
        .map(|finding| {
            let lane = finding.lane.map(|lane| format!(" [{lane}]")).unwrap_or_default();
            let Rule { id, .. } = finding.rule;
            format!("{} {id}{lane}: {} = {}", finding.severity, finding.message, finding.fix)
        })
        .collect()
}

/// A container of `vllm` that serves the lane `coder`, changed by `change`; severity and id of what
/// is said when `task` is done in `role`.
fn check(role: Role, task: Task, change: impl FnOnce(&mut Container), expected: &[&str]) {
    let mut container = Container::of_service("demo", "vllm");
    container.state.status = "running".to_owned();
    change(&mut container);
    let mut stack = Stack::new(role);
    stack.task = task;
    stack.service("vllm");
    stack.lane("coder", &["vllm"], true);
    stack.observation = Ok(Observation::of(vec![container]));
    assert_eq!(heads(&stack), expected);
}

/// Severity, id and lane of everything that is said.
fn heads(stack: &Stack) -> Vec<String> {
    let told = stack.told(&CHECK);
    told.iter().map(|told| told.split(": ").next().unwrap().to_owned()).collect()
}

fn inspected(change: impl FnOnce(&mut Container), expected: &[&str]) {
    check(Role::Hand, Task::Inspect, change, expected);
}

fn ended(code: i64) -> impl Fn(&mut Container) {
    move |container| {
        container.state.status = "exited".to_owned();
        container.state.exit_code = code;
    }
}

fn with_health(status: &str) -> Option<Health> {
    Some(Health { status: status.to_owned(), last_output: "curl: (7) refused".to_owned() })
}

#[test]
fn a_container_that_runs_is_fine() {
    inspected(|_| {}, &[]);
    inspected(|container| container.state.health = with_health("starting"), &[]);
}

#[test]
fn a_container_that_is_paused_answers_nobody() {
    let paused = |container: &mut Container| container.state.status = "paused".to_owned();
    inspected(paused, &["error container-paused [coder]"]);
    check(Role::Init, Task::Check, paused, &["note container-paused"]);
}

#[test]
fn a_container_that_ended_is_an_error_only_when_asked_for() {
    inspected(ended(1), &["error container-exited [coder]"]);
    inspected(ended(0), &["error container-exited [coder]"]);
    check(Role::Hand, Task::Smoke, ended(1), &["error container-exited [coder]"]);
    check(Role::Hand, Task::Check, ended(1), &["note container-exited"]);
    check(Role::Hand, Task::Check, ended(0), &[]);
    for task in [Task::Check, Task::Inspect] {
        check(Role::Init, task, ended(1), &["note container-exited"]);
        check(Role::Init, task, ended(0), &[]);
    }
}

#[test]
fn one_cause_is_one_finding() {
    inspected(
        |container| {
            ended(137)(container);
            container.state.oom_killed = true;
            container.state.restart_count = 9;
            container.state.health = with_health("unhealthy");
        },
        &["error container-killed-for-memory [coder]"],
    );
}

#[test]
fn a_crash_loop_is_seen_between_the_crashes() {
    let restarting = |container: &mut Container| container.state.restart_count = 3;
    inspected(restarting, &["error container-restarting [coder]"]);
    inspected(
        |container| {
            container.state.status = "restarting".to_owned();
            container.state.exit_code = 1;
        },
        &["error container-restarting [coder]"],
    );
    inspected(
        |container| {
            restarting(container);
            container.state.health = with_health("healthy");
        },
        &[],
    );
}

#[test]
fn a_created_container_is_as_it_should_be_while_preflight_runs() {
    let created = |container: &mut Container| container.state.status = "created".to_owned();
    check(Role::Init, Task::Check, created, &[]);
    inspected(created, &["error container-not-started [coder]"]);
    check(
        Role::Init,
        Task::Check,
        |container| {
            created(container);
            container.state.error = "could not select device driver".to_owned();
        },
        &["note container-not-started"],
    );
}

#[test]
fn a_failing_health_check_is_an_error_of_a_running_container() {
    inspected(
        |container| container.state.health = with_health("unhealthy"),
        &["error container-unhealthy [coder]"],
    );
    inspected(
        |container| {
            ended(2)(container);
            container.state.health = with_health("unhealthy");
        },
        &["error container-exited [coder]"],
    );
}

#[test]
fn a_service_without_a_container_is_missed_where_there_should_be_one() {
    for (role, task, expected) in [
        (Role::Init, Task::Check, vec!["note container-missing"]),
        (Role::Hand, Task::Check, vec![]),
        (
            Role::Hand,
            Task::Inspect,
            vec!["error container-missing [coder]", "warning container-missing [chat]"],
        ),
    ] {
        let mut stack = Stack::new(role);
        stack.task = task;
        stack.lane("coder", &["vllm"], true);
        stack.lane("chat", &["vllm"], false);
        assert_eq!(heads(&stack), expected, "{task:?}");
    }
}

#[test]
fn the_own_container_is_not_missed() {
    let mut stack = Stack::new(Role::Init);
    stack.lane("coder", &["vllm"], true);
    let mut observation = Observation::of(Vec::new());
    observation.myself = Some(Container::of_service("demo", "vllm"));
    stack.observation = Ok(observation);
    assert_eq!(heads(&stack), Vec::<String>::new());
}

#[test]
fn services_of_no_lane_are_warnings_and_may_end_well() {
    for (code, expected) in [(0, vec![]), (1, vec!["warning container-exited"])] {
        let mut container = Container::of_service("demo", "migrate");
        ended(code)(&mut container);
        let mut stack = Stack::new(Role::Hand);
        stack.task = Task::Inspect;
        stack.observation = Ok(Observation::of(vec![container]));
        assert_eq!(heads(&stack), expected);
    }
}

#[test]
fn a_skipped_lane_does_not_count() {
    let mut stack = Stack::new(Role::Hand);
    stack.task = Task::Inspect;
    stack.lane("coder", &["vllm"], true);
    stack.plan.lanes[0].skipped = Some("not selected".to_owned());
    assert_eq!(heads(&stack), Vec::<String>::new());
}

#[test]
fn the_message_says_what_the_exit_code_means() {
    let mut container = Container::of_service("demo", "vllm");
    ended(132)(&mut container);
    let mut stack = Stack::new(Role::Hand);
    stack.observation = Ok(Observation::of(vec![container]));
    assert_eq!(
        stack.told(&CHECK),
        [
            "note container-exited: `vllm` has ended with exit code 132 (SIGILL: the processor lacks \
          an instruction that the program needs) = read why with `docker compose logs --tail 50 \
          vllm`"
        ]
    );
}
