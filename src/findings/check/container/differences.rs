//! Containers that are not what the files say.

use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::options::Role;
use crate::plan::engine;
use crate::project::stack::Difference;
use crate::source_map::{Variable, VariableSource};

/// A created container has something otherwise than the file says.
pub static CHECK: Check = Check { rules: &[&MOUNT, &COMMAND, &OTHER], run: Run::Project(run) };

static MOUNT: Rule = Rule::warning(
    "mount-differs-from-file",
    ExitCode::Mount,
    include_str!("rules/mount-differs-from-file.md"),
);

static COMMAND: Rule = Rule::warning(
    "command-differs-from-file",
    ExitCode::Lane,
    include_str!("rules/command-differs-from-file.md"),
);

static OTHER: Rule = Rule::warning(
    "container-differs-from-file",
    ExitCode::Lane,
    include_str!("rules/container-differs-from-file.md"),
);

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for difference in facts.differences {
        findings.push(judge(facts, difference));
    }
}

fn judge(facts: &ProjectFacts<'_>, difference: &Difference) -> Finding {
    let Difference { service, what, file, container, place } = difference;
    let variable = what.strip_prefix("variable ");
    let (rule, message) = match what.split_once(' ') {
        Some(("mount", target)) => {
            (&MOUNT, format!("`{service}` has {container} at `{target}`, the file says {file}"))
        }
        Some(("variable", name)) => {
            (&OTHER, format!("`{service}` has {container} of `{name}`, which the file sets"))
        }
        Some(_) | None => {
            let rule =
                if matches!(what.as_str(), "command" | "entrypoint") { &COMMAND } else { &OTHER };
            (rule, format!("`{service}` has the {what} `{container}`, the file says `{file}`"))
        }
    };
    let finding = Finding::new(
        rule,
        message,
        format!(
            "if the file is right, `docker compose up -d --force-recreate {service}`; if the \
             container is right, edit the file"
        ),
    );
    let finding = finding.service(service).at(place);
    let finding = match variable {
        Some(name) if matters(facts, service, name) => finding.hiding_values(),
        Some(_) => finding.hiding_values().severity(Severity::Note),
        None => finding.with("file", file).with("container", container),
    };
    match foreign_variables(facts.role, &place.variables).as_slice() {
        [] => finding,
        variables => Finding {
            fix: format!(
                "write {} into `.env`, so that everyone reads the same value",
                variables.join(" and ")
            ),
            ..finding.severity(Severity::Note)
        },
    }
}

/// Whether a difference in the variable `name` can matter to what preflight looks at. Before the
/// start that is only what the engine of a lane reads.
fn matters(facts: &ProjectFacts<'_>, service: &str, name: &str) -> bool {
    let lanes = facts.plan.lanes.iter().filter(|lane| lane.is_served_by(service));
    let mut engines = lanes.filter_map(|lane| lane.engine);
    facts.role == Role::Hand
        || engines.any(|engine| engine.reads_variable(name))
        || facts
            .project
            .service(service)
            .is_some_and(|service| engine::names_variable(service, name))
}

/// The variables whose values only the caller of Compose knows: inside a container a difference
/// that goes back to one says nothing about the file.
fn foreign_variables(role: Role, variables: &[Variable]) -> Vec<String> {
    let is_foreign = |variable: &&Variable| match variable.set_by {
        VariableSource::Environment | VariableSource::Default | VariableSource::Unset => true,
        VariableSource::EnvFile(_) | VariableSource::Compose => false,
    };
    match role {
        Role::Init => {
            variables.iter().filter(is_foreign).map(|v| format!("`{}`", v.name)).collect()
        }
        Role::Hand | Role::Exec => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::check::container::tests::Stack;
    use crate::source_map::{Place, Spanned};

    fn check(role: Role, what: &str, variables: Vec<Variable>, expected: &str) {
        let mut stack = Stack::new(role);
        stack.differences = vec![Difference {
            service: "vllm".to_owned(),
            what: what.to_owned(),
            file: "/srv/models".to_owned(),
            container: "/old".to_owned(),
            place: Place { span: None, variables },
        }];
        assert_eq!(stack.told(&CHECK), [expected]);
    }

    /// The severity of a difference in a variable of the lane's service.
    fn check_variable(role: Role, name: &str, command: &str, severity: &str) {
        let mut stack = Stack::new(role);
        let service = stack.service("vllm");
        service.command = Some(vec![Spanned::nowhere(command.to_owned())]);
        stack.lane("coder", &["vllm"], true);
        stack.plan.lanes[0].engine = Some(engine::Engine::Vllm);
        stack.differences = vec![Difference {
            service: "vllm".to_owned(),
            what: format!("variable {name}"),
            file: "a value".to_owned(),
            container: "another value".to_owned(),
            place: Place::nowhere(),
        }];
        let expected = format!(
            "{severity} container-differs-from-file: `vllm` has another value of `{name}`, which \
             the file sets = if the file is right, `docker compose up -d --force-recreate vllm`; \
             if the container is right, edit the file"
        );
        assert_eq!(stack.told(&CHECK), [expected]);
    }

    #[test]
    fn before_the_start_only_variables_that_an_engine_reads_matter() {
        for (role, name, command, severity) in [
            (Role::Init, "HF_HOME", "serve", "warning"),
            (Role::Init, "VLLM_USE_V1", "serve", "warning"),
            (Role::Init, "LLAMA_ARG_MODEL", "serve", "note"),
            (Role::Init, "LOG_LEVEL", "serve", "note"),
            (Role::Init, "MODEL", "vllm serve ${MODEL}", "warning"),
            (Role::Init, "MODEL", "vllm serve $MODELS", "note"),
            (Role::Hand, "LOG_LEVEL", "serve", "warning"),
        ] {
            check_variable(role, name, command, severity);
        }
    }

    fn unset() -> Vec<Variable> {
        vec![Variable { name: "MODELS_PATH".to_owned(), set_by: VariableSource::Unset }]
    }

    #[test]
    fn both_values_and_both_ways_out_are_named() {
        check(
            Role::Init,
            "mount /models",
            Vec::new(),
            "warning mount-differs-from-file: `vllm` has /old at `/models`, the file says \
             /srv/models = if the file is right, `docker compose up -d --force-recreate vllm`; if \
             the container is right, edit the file",
        );
        for (what, id) in [
            ("command", "command-differs-from-file"),
            ("entrypoint", "command-differs-from-file"),
            ("user", "container-differs-from-file"),
        ] {
            check(
                Role::Hand,
                what,
                unset(),
                &format!(
                    "warning {id}: `vllm` has the {what} `/old`, the file says `/srv/models` = if \
                     the file is right, `docker compose up -d --force-recreate vllm`; if the \
                     container is right, edit the file"
                ),
            );
        }
    }

    #[test]
    fn a_variable_that_only_the_caller_knows_makes_it_a_note_in_a_container() {
        check(
            Role::Init,
            "mount /models",
            unset(),
            "note mount-differs-from-file: `vllm` has /old at `/models`, the file says /srv/models \
             = write `MODELS_PATH` into `.env`, so that everyone reads the same value",
        );
    }
}
