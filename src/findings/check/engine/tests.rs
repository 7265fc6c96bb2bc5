//! Lanes and services in, findings out.

use super::*;
use crate::findings::Policy;
use crate::options::Role;
use crate::plan::engine::invocation;
use crate::plan::lanes::Settings;
use crate::source_map::{Place, Spanned, Variable};

fn service(image: &str, command: &[&str]) -> Service {
    let mut service = Service::named(Spanned::nowhere("llm".to_owned()));
    service.image = Some(Spanned::nowhere(image.to_owned()));
    let words = command.iter().map(|word| Spanned::nowhere((*word).to_owned()));
    service.command = Some(words.collect());
    service
}

fn facts(service: &Service, problems: &[ProblemKind]) -> LaneFacts {
    let invocation = invocation(service);
    let problem = |kind: &ProblemKind| Problem { kind: kind.clone(), place: Place::nowhere() };
    let lane = Lane {
        services: vec![service.name.value.clone()],
        engine: invocation.as_ref().map(|invocation| invocation.engine),
        invocation,
        problems: problems.iter().map(problem).collect(),
        ..Lane::named("coder")
    };
    LaneFacts::of(lane, Role::Hand)
}

/// `severity[id]: message / fix`, one line each.
fn shown(findings: Findings) -> String {
    let lines = findings.into_vec().into_iter().map(|finding| {
        assert_eq!(finding.service.as_deref(), Some("llm"));
        let Finding { severity, rule, message, fix, .. } = finding;
        format!("{severity}[{}]: {message} / {fix}", rule.id)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn check_problem(kind: ProblemKind, expected: &str) {
    let mut findings = Findings::new(Policy::default());
    let service = service("ghcr.io/ggml-org/llama.cpp:server", &["-c", "1"]);
    wiring(&facts(&service, &[kind]), &mut findings);
    assert_eq!(shown(findings), expected);
}

fn check_command(image: &str, command: &[&str], expected: &str) {
    let mut findings = Findings::new(Policy::default());
    command_line(&facts(&service(image, command), &[]), &mut findings);
    assert_eq!(shown(findings), expected, "{command:?}");
}

#[test]
fn every_problem_of_a_lane_is_a_finding() {
    check_problem(
        ProblemKind::NoModelNamed { instead: "it starts empty" },
        "error[no-model-named]: the command of service `llm` names no model: it starts empty / \
         add `-m /models/NAME.gguf` to the `command` of service `llm`, with the path as the \
         container sees it",
    );
    check_problem(
        ProblemKind::PathAmbiguous {
            path: "/m/x".to_owned(),
            readings: vec!["host `/m/x`".to_owned(), "`/m/x` of `a`".to_owned()],
        },
        "error[lane-path-ambiguous]: the path `/m/x` can mean more than one file: host `/m/x`, \
         `/m/x` of `a` / say which in `x-preflight`: under `lanes`, `coder`, set `service` to the \
         service that opens it and `path` to the path as that service sees it",
    );
    check_problem(
        ProblemKind::ServiceUnknown { service: "vlm".to_owned() },
        "error[lane-service-unknown]: the lane names the service `vlm`, which the project does \
         not have / name a service of the project, or enable the profile that the service belongs \
         to with `--profile`",
    );
}

#[test]
fn what_the_engine_refuses_is_a_finding() {
    let llama = "ghcr.io/ggml-org/llama.cpp:server";
    check_command(
        llama,
        &["--model=/m.gguf"],
        "error[flag-unknown-to-engine]: llama.cpp does not know the flag `--model=/m.gguf` and \
         exits / write the flag and its value as two words: `--model /m.gguf`",
    );
    check_command(
        llama,
        &["--api-key=hush"],
        "error[flag-unknown-to-engine]: llama.cpp does not know the flag `--api-key=...` and exits \
         / write the flag and its value as two words: `--api-key ...`",
    );
    check_command(llama, &["-m", "/m.gguf"], "");
    check_command(
        llama,
        &["-m", "/m", "-c", "8k"],
        "warning[command-line-refused]: llama.cpp takes `8` for the number in `-c 8k` / write the \
         whole number of `-c` in digits",
    );
    check_command(
        "vllm/vllm-openai:v0.33.0",
        &["/m", "--swap-space", "4"],
        "error[flag-unknown-to-engine]: vLLM 0.33.0 has no flag `--swap-space` any more; 0.17.1 \
         had it / remove `--swap-space` from the command of service `llm`, or pin the image to \
         0.17.1 or older",
    );
    let vllm = "vllm/vllm-openai:v0.12.0";
    check_command(vllm, &["/m", "--swap-space", "4"], "");
    check_command(vllm, &["--model=/m"], "");
    check_command(
        vllm,
        &["--model", "--port", "80"],
        "error[command-line-refused]: `--model` needs a value and none follows it, so vLLM exits \
         / write the value behind `--model`, or set the variable that was to hold it",
    );
    check_command(
        vllm,
        &["vllm", "serve", "/m"],
        "error[command-line-refused]: the command of service `llm` starts vLLM again: the \
         entrypoint is `vllm serve` already, so the name of the program is taken for an argument \
         / remove the program's name from `command` and leave only what stands behind it, or set \
         `entrypoint: []`",
    );
    check_command(
        vllm,
        &["--model", ""],
        "error[command-line-refused]: vLLM gets an empty `--model` and exits / write the value of \
         `--model`, or set the variable that was to hold it",
    );
    check_command(
        vllm,
        &["/m", "--port", "http"],
        "error[command-line-refused]: `--port` takes a number in its range, and `http` is none / \
         write a number that `--port` takes",
    );
    check_command(
        vllm,
        &["/m", "/n"],
        "error[command-line-refused]: vLLM does not take the word `/n` where it stands, and exits \
         / remove `/n`, or write the flag in front that it is a value of",
    );
    check_command(
        vllm,
        &["/m", "--model", "/n"],
        "error[command-line-refused]: the command names the model twice, `/n` by `--model` and \
         `/m` by its place: vLLM takes one of them, and exits because of the other / remove \
         `--model /n` or `/m` from the command",
    );
}

#[test]
fn the_address_of_a_repository_is_told_from_its_name() {
    let told = |by: &str, name: &str| {
        format!(
            "error[command-line-refused]: `https://hub.example/o/r` is an address, and `{by}` of {name} \
             takes `owner/name` or a path / write `{by} o/r`"
        )
    };
    let address = "https://hub.example/o/r";
    let vllm = "vllm/vllm-openai:v0.12.0";
    check_command(vllm, &["--model", address], &told("--model", "vLLM"));
    let llama = "ghcr.io/ggml-org/llama.cpp:server";
    check_command(llama, &["-hf", address], &told("-hf", "llama.cpp"));
    check_command(vllm, &["--model", "s3://bucket/o/r"], "");
}

#[test]
fn a_variable_of_the_service_that_compose_expands_to_nothing_is_a_warning() {
    let check = |set_by: VariableSource, value: Option<&str>, expected: &str| {
        let mut service = service("acme/x", &["sh", "-c", "vllm serve ", "x"]);
        let variable = Variable { name: "MODEL".to_owned(), set_by };
        let place = Place { span: None, variables: vec![variable.clone(), variable] };
        for word in service.command.iter_mut().flatten() {
            word.place = place.clone();
        }
        let value = Spanned::nowhere(value.map(str::to_owned));
        service.environment.insert("MODEL".to_owned(), value);
        let mut findings = Findings::new(Policy::default());
        let settings = Settings { fetch: true, create_root: false, gpus: None };
        consumed(
            &Plan {
                lanes: Vec::new(),
                settings,
                dialect: Default::default(),
                idle: Default::default(),
                wiring: Default::default(),
            },
            &service,
            &mut findings,
        );
        assert_eq!(shown(findings), expected);
    };
    check(
        VariableSource::Unset,
        Some("/m"),
        "warning[variable-consumed-by-compose]: Compose expands `${MODEL}` in the command of \
         service `llm` to nothing, before the service's own environment exists / write `$${MODEL}` if a shell in the container is to expand it, or set `MODEL` in `.env` \
         so that Compose can",
    );
    check(VariableSource::Unset, None, "");
    check(VariableSource::Unset, Some(""), "");
    check(
        VariableSource::Default,
        Some("/m"),
        "warning[variable-consumed-by-compose]: Compose expands `${MODEL}` in the command of \
         service `llm` to its default, before the service's own environment exists / write `$${MODEL}` if a shell in the container is to expand it, or set `MODEL` in `.env` \
         so that Compose can",
    );
    check(VariableSource::Default, Some("serve"), "");
    check(VariableSource::Environment, Some("/m"), "");
}

#[test]
fn a_value_that_compose_expands_to_nothing_is_an_error_by_hand() {
    let check = |role: Role, set: bool, expected: &str| {
        let mut service = service("ghcr.io/ggml-org/llama.cpp:server", &["--model", "-c", "9"]);
        let variable = Variable { name: "READER".to_owned(), set_by: VariableSource::Unset };
        for word in service.command.iter_mut().flatten() {
            word.place.variables.push(variable.clone());
        }
        let value = Spanned::nowhere(set.then(|| "/m.gguf".to_owned()));
        service.environment.insert("READER".to_owned(), value);
        let mut facts = facts(&service, &[]);
        facts.orders.role = role;
        let mut findings = Findings::new(Policy::default());
        command_line(&facts, &mut findings);
        assert_eq!(shown(findings), expected);
    };
    let consumed = "[variable-consumed-by-compose]: Compose expands `READER` in the command of \
                    service `llm` to nothing, before the service's own environment exists: \
                    llama.cpp takes `-c` for the value of `--model` / set `READER` in `.env`, where \
                    Compose looks, or write the value into the command";
    check(Role::Hand, true, &format!("error{consumed}"));
    check(Role::Init, true, &format!("warning{consumed}"));
    check(
        Role::Hand,
        false,
        "error[command-line-refused]: `READER` is not set, so llama.cpp takes `-c` for the value of \
         `--model` / set `READER` in `.env`",
    );
}
