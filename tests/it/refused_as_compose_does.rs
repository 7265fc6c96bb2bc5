//! What Docker Compose refuses is refused, with the word that was meant and the variable that is to blame.

use crate::sandbox::{Run, Sandbox};

/// What is said of a service with this line, and a `.env`.
fn said(line: &str, variables: &str) -> String {
    let text = format!("services:\n  engine:\n    image: x\n    {line}\n");
    let run = Sandbox::new().file("compose.yaml", text).file(".env", variables).run(&[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{line}: {}", run.stderr);
    run.stderr
}

fn whole(text: &str) -> Run {
    Sandbox::new().file("compose.yaml", text).run(&[])
}

#[test]
fn an_unknown_key_is_refused_with_the_key_that_was_meant() {
    for (line, expected) in [
        (
            "prots: [\"8000:8000\"]",
            "compose.yaml:4:5: Docker Compose knows no key `services.engine.prots`\n  \
             hint: did you mean `ports`?\n",
        ),
        (
            "healthcheck: {test: x, intervall: 3s}",
            "compose.yaml:4:28: Docker Compose knows no key `services.engine.healthcheck.intervall`\n  \
             hint: did you mean `interval`?\n",
        ),
        (
            "volumes: [{type: bind, source: /a, target: /b, readonly: true}]",
            "compose.yaml:4:52: Docker Compose knows no key `services.engine.volumes[0].readonly`\n  \
             hint: did you mean `read_only`?\n",
        ),
        (
            "banana: 1",
            "compose.yaml:4:5: Docker Compose knows no key `services.engine.banana`\n  \
             hint: remove it, or name it `x-banana`; with `--allow unknown-key` a Docker Compose newer \
             than 5.5 may know it\n",
        ),
        (
            "networks: {default: {}}\nports: [\"1:1\"]",
            "compose.yaml:5:1: Docker Compose knows no key `ports`\n  \
             hint: `ports` is a key of a service: indent it below the name of its service\n",
        ),
        (
            "hostname: a\nweb: {image: y}",
            "compose.yaml:5:1: Docker Compose knows no key `web`\n  \
             hint: services stand below `services:`; indent `web` there\n",
        ),
        (
            "include: [a.yaml]",
            "compose.yaml:4:5: Docker Compose knows no key `services.engine.include`\n  \
             hint: `include` is a key of the top level: begin its line without a space\n",
        ),
    ] {
        assert_eq!(said(line, ""), format!("preflight: error: {expected}"));
    }
}

#[test]
fn config_and_plan_refuse_it_as_well() {
    let sandbox = Sandbox::new().file("compose.yaml", "services: {a: {image: x, prots: []}}\n");
    for task in ["config", "plan", "verify"] {
        assert_eq!(sandbox.run(&[task]).code, Some(2), "{task}");
    }
}

#[test]
fn an_allowed_unknown_key_and_one_in_an_init_container_are_warnings() {
    let text = fs_err::read_to_string(Sandbox::quickstart().path().join("compose.yaml")).unwrap();
    let sandbox = Sandbox::quickstart().file("compose.yaml", format!("{text}\nbanana: 1\n"));
    assert_eq!(sandbox.run(&[]).code, Some(2));
    let init = ["--role", "init", "-f", "compose.yaml"];
    // There the models are not where they are by hand.
    for (arguments, code) in [(&["--allow", "unknown-key"][..], 0), (&init, 16)] {
        let run = sandbox.run(arguments);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, Some(code), "{said}");
        let told = "warning[unknown-key]: Docker Compose knows no key `banana`";
        assert!(said.contains(told), "{said}");
    }
    let denied = ["--allow", "unknown-key", "--deny", "unknown-key"];
    assert_eq!(sandbox.run(&denied).code, Some(2));
}

#[test]
fn a_key_of_a_newer_release_is_a_warning_that_names_the_release() {
    let text = fs_err::read_to_string(Sandbox::quickstart().path().join("compose.yaml")).unwrap();
    let text = text.replacen("    image:", "    pre_start: [{command: a}]\n    image:", 1);
    let run = Sandbox::quickstart().file("compose.yaml", text).run(&[]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("warning[unknown-key]: "), "{}", run.stdout);
    assert!(run.stdout.contains("pre_start` needs Docker Compose 5.3"), "{}", run.stdout);
}

#[test]
fn a_manifest_of_kubernetes_is_told_as_such() {
    let run = whole("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: $(A)}\n");
    let expected = "preflight: error: compose.yaml:2:7: this is a Kubernetes manifest (`kind: \
                    Deployment`), not a Compose file\n  hint: name it, and it is judged as one: \
                    `preflight -f FILE`, or `-f FOLDER` for all of a folder\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(2), expected));
}

#[test]
fn a_value_that_a_variable_makes_wrong_is_refused_with_the_variable() {
    let unset = |name: &str| {
        format!(
            "`{name}` is not set\n  hint: set `{name}` in `.env`, or give it a default: `${{{name}:-...}}`\n"
        )
    };
    let set = "`VALUE` is set at .env:1:1\n".to_owned();
    for (line, expected, blamed) in [
        (
            "volumes: [\"${MODEL_DIR}:/models\"]",
            "compose.yaml:4:15: invalid mount `:/models`: its source is empty",
            unset("MODEL_DIR"),
        ),
        (
            "ports: [\"${VALUE}:8000\"]",
            "compose.yaml:4:13: invalid port `many:8000`: `many` is not a port",
            set.clone(),
        ),
        (
            "ports: [\"8000:${PORT}\"]",
            "compose.yaml:4:13: invalid port `8000:`: no port of the container is named",
            unset("PORT"),
        ),
        (
            "healthcheck: {test: x, interval: \"${VALUE}\"}",
            "compose.yaml:4:38: `services.engine.healthcheck.interval` must be a duration like `90s`, \
             not a string",
            set.clone(),
        ),
        (
            "shm_size: ${VALUE}",
            "compose.yaml:4:15: `services.engine.shm_size` must be a size like `16g`, not a string",
            set.clone(),
        ),
        (
            "read_only: ${VALUE}",
            "compose.yaml:4:16: `services.engine.read_only` must be a boolean, not `many`",
            set,
        ),
        (
            "deploy: {replicas: \"${COUNT}\"}",
            "compose.yaml:4:24: `services.engine.deploy.replicas` must be an integer, not ``",
            unset("COUNT"),
        ),
    ] {
        let expected = format!("preflight: error: {expected}; {blamed}");
        assert_eq!(said(line, "VALUE=many\n"), expected);
    }
    let run = whole("services:\n  engine:\n    image: ${IMAGE}\n");
    let expected = "preflight: error: compose.yaml:3:12: service \"engine\" has neither an image nor a \
                    build context; `IMAGE` is not set\n  hint: set `IMAGE` in `.env`, or give it a \
                    default: `${IMAGE:-...}`\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(2), expected));
}

#[test]
fn who_set_the_variable_is_named_and_its_value_is_not() {
    let text = "services: {a: {image: x, shm_size: \"${HF_TOKEN}\"}}\n";
    let run = Sandbox::new()
        .file("compose.yaml", text)
        .variable("HF_TOKEN", "hf_abcdefghijklmnopqrstuvwxyz012345")
        .run(&[]);
    assert!(run.stderr.contains("`HF_TOKEN` is set in the environment"), "{}", run.stderr);
}

#[test]
fn a_name_that_nothing_has_is_told_with_the_one_that_is_meant() {
    let project = "services:
  engine:
    image: engine
    WRONG
  database: {image: database}
volumes: {weights: {}}
networks: {backend: {}}
secrets: {api_key: {file: ./key}}
configs: {caddyfile: {file: ./Caddyfile}}
";
    for (wrong, meant) in [
        ("depends_on: [databse]", "did you mean `database`?"),
        ("extends: {service: databse}", "did you mean `database`?"),
        ("volumes: [\"weight:/models\"]", "did you mean `weights`?"),
        ("volumes: [\"models:/models\"]", "declare it below `volumes:`, or write `./models`"),
        ("networks: [bakend]", "did you mean `backend`?"),
        ("networks: [edge]", "declare it below `networks:`"),
        ("secrets: [apikey]", "did you mean `api_key`?"),
        ("configs: [Caddyfile]", "did you mean `caddyfile`?"),
    ] {
        let sandbox = Sandbox::new().file("compose.yaml", project.replace("WRONG", wrong));
        let run = sandbox.run(&["verify"]);
        assert_eq!(run.code, Some(2), "{wrong}: {}", run.stderr);
        assert!(run.stderr.contains(meant), "{wrong}: {}", run.stderr);
    }
}
