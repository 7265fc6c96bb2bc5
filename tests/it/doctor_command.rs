//! `preflight doctor`: the machine in one screen.

use fake_hub::FakeHub;
use serde_json::Value;

use crate::docker_stack::{Stack, docker, outcome};
use crate::engine_api::fake_engine::FakeEngine;
use crate::sandbox::{Run, Sandbox};

const TOKEN: &str = "hf_abcdefghijklmnopqrstuvwxyz012345";

/// What is said without what is another machine's: the release, its target, free space.
fn the_same_for_everyone(run: &Run) -> String {
    let line = |line: &str| {
        let line = match line.rsplit_once(", ") {
            Some((before, free)) if free.ends_with(" free") => format!("{before}, [FREE] free"),
            _ => line.to_owned(),
        };
        let version = line.starts_with("preflight  ok");
        if version { "preflight  ok     [VERSION]\n".to_owned() } else { format!("{line}\n") }
    };
    run.stdout.lines().map(line).collect()
}

fn hub() -> FakeHub {
    FakeHub::builder().token(TOKEN).start().unwrap()
}

#[test]
fn a_machine_on_which_all_is_well_is_told_in_one_screen() {
    let info = r#"{"Runtimes": {"runc": {}, "nvidia": {}}}"#;
    let version = include_str!("engine_api/version.json");
    let engine = FakeEngine::default()
        .answer("/version", 200, version)
        .answer("/info", 200, info)
        .answer("/containers/json", 200, "[]")
        .listen_on_socket();
    let hub = hub();
    let sandbox = Sandbox::quickstart()
        .variable("PREFLIGHT_NO_DOCKER", "false")
        .variable("DOCKER_HOST", engine.host())
        .variable("HF_ENDPOINT", hub.url())
        .variable("HF_TOKEN", TOKEN);
    let run = sandbox.run(&["doctor", "-p", "demo"]);
    let asked = engine.stop();
    assert_eq!(asked, ["GET /version", "GET /info"]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (Some(0), "preflight: all is well\n"),
        "{}",
        run.stdout
    );
    let expected = format!(
        "preflight  ok     [VERSION]\n\
         project    ok     `demo`, 3 services: compose.yaml\n\
         docker     ok     Docker Engine 20.10.24, API 1.41\n\
         gpu        ok     Docker has the runtime `nvidia`\n\
         token      ok     from `HF_TOKEN`, and {0} takes it\n\
         hub        ok     {0} answers\n\
         models     ok     [DIR]/models, writable, [FREE] free\n",
        hub.url()
    );
    assert_eq!(the_same_for_everyone(&run), expected);
    let asked: Vec<_> = hub.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(asked, ["/api/whoami-v2"], "nothing else is asked");
}

#[test]
fn what_is_not_well_names_its_fix_and_the_worst_cause_is_the_exit_code() {
    let hub = hub();
    let sandbox = Sandbox::new()
        .file("compose.yaml", "services: {a: {image: i, prots: []}}\n")
        .file("token", "hf_of_somebody_else")
        .variable("HF_ENDPOINT", hub.url())
        .variable("HF_TOKEN_PATH", "token")
        .variable("PREFLIGHT_NO_DOCKER", "false")
        .variable("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let run = sandbox.run(&["doctor"]);
    let verdict = "preflight: not all is well: exit 2, usage, or the project cannot be loaded\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(2), verdict), "{}", run.stdout);
    for line in [
        "project    error  compose.yaml:1:26: Docker Compose knows no key `services.a.prots`\n"
            .to_owned(),
        "                  fix: did you mean `ports`?\n".to_owned(),
        "docker     error  ".to_owned(),
        format!("token      error  that of `token` is not taken by {}\n", hub.url()),
        format!("hub        ok     {} answers\n", hub.url()),
        "models     note   [DIR]/models is not there, ".to_owned(),
    ] {
        assert!(run.stdout.contains(&line), "`{line}` is not in\n{}", run.stdout);
    }
    let json = sandbox.run(&["doctor", "--format", "json"]);
    let told: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &told["exit_code"]), (Some(2), &2.into()));
    let codes: Vec<_> =
        told["subjects"].as_array().unwrap().iter().map(|it| &it["exit_code"]).collect();
    assert_eq!(codes, [&Value::Null, &2.into(), &3.into(), &12.into(), &Value::Null, &Value::Null]);
}

#[test]
fn a_hub_that_is_not_there_is_a_matter_of_the_network_unless_nobody_asks_it() {
    let gone = hub().url();
    let sandbox = Sandbox::new().variable("HF_ENDPOINT", &gone);
    let run = sandbox.run(&["doctor"]);
    assert_eq!(run.code, Some(13), "{}", run.stdout);
    assert!(
        run.stdout.contains(&format!("hub        error  `{gone}` cannot be reached: ")),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("project    note   there is no Compose file here or above\n"));
    let run = sandbox.run(&["doctor", "--offline"]);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    assert!(run.stdout.contains("is not asked: preflight is offline\n"), "{}", run.stdout);
}

#[test]
fn the_real_docker_engine_is_told_by_its_own_words() {
    let Some(stack) = Stack::new("doctor", None) else { return };
    let run = outcome(stack.by_hand_command(&["doctor", "--offline"]).arg("--no-fetch"));
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let format = "{{.Server.Version}}";
    let version = outcome(&mut docker(["version", "--format", format])).stdout;
    let line = format!("docker     ok     Docker Engine {}, API ", version.trim());
    assert!(run.stdout.contains(&line), "`{line}` is not in\n{}", run.stdout);
    let inside = stack.compose(&["run", "--rm", "preflight", "doctor", "--offline"]);
    assert_eq!(inside.code, 0, "{}{}", inside.stdout, inside.stderr);
    assert!(inside.stdout.contains(&line), "`{line}` is not in\n{}", inside.stdout);
    let models = format!("models     ok     {}, writable", stack.path("models").display());
    assert!(inside.stdout.contains(&models), "`{models}` is not in\n{}", inside.stdout);
}
