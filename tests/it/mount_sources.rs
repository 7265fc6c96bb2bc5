//! What the services of a stack mount of the host, and is not there: by hand, before anything is
//! started.

use crate::sandbox::{Run, Sandbox};

const MODEL: &str = "models/gguf/tiny-Q4_K_M.gguf";

/// The quickstart's files, and an engine that waits for a gate, which has `service` for its lines.
fn judged(service: &str, rest: &str) -> Run {
    ready(Sandbox::quickstart(), service, rest).run(&[])
}

fn ready(sandbox: Sandbox, service: &str, rest: &str) -> Sandbox {
    let compose = format!(
        "services:
  reader:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: [-m, /{MODEL}, -c, '256']
    volumes: ['./models:/models:ro']
    depends_on: {{gate: {{condition: service_completed_successfully}}}}
  gate:
    image: alpine:3.20
    {service}
{rest}"
    );
    sandbox.file("compose.yaml", compose)
}

fn check(run: &Run, said: &[&str]) {
    let expected = if said.is_empty() { 0 } else { 16 };
    assert_eq!(run.code, Some(expected), "{}{}", run.stdout, run.stderr);
    let count = run.stdout.matches("[mount-source-missing]").count();
    assert_eq!(count, usize::from(!said.is_empty()), "{}", run.stdout);
    for words in said {
        assert!(run.stdout.contains(words), "`{words}` is not in:\n{}", run.stdout);
    }
}

#[test]
fn a_script_that_a_gate_runs_is_looked_for_on_the_host() {
    let gate = "entrypoint: [/check/models, /models]
    volumes: ['./models:/models:ro', './gate:/check/models:ro']";
    let run = judged(gate, "");
    let file = "`./gate` does not exist on the host: Docker makes a folder of that name, and \
                `/check/models` is then a folder in `gate`";
    check(&run, &[file, "compose.yaml:10:38", "put the file there, or correct the path"]);
    assert!(!run.stdout.contains("mkdir"), "{}", run.stdout);

    let sandbox = ready(Sandbox::quickstart(), gate, "");
    fs_err::create_dir(sandbox.path().join("gate")).unwrap();
    check(&sandbox.run(&[]), &["`./gate` is an empty folder", "`rmdir [DIR]/gate`"]);

    check(&ready(Sandbox::quickstart().file("gate", "#!/bin/sh\n"), gate, "").run(&[]), &[]);
}

#[test]
fn a_file_that_only_a_health_check_runs_is_one_as_well() {
    let gate = "volumes: ['./health:/check/health:ro']
    healthcheck: {test: /check/health && wget -q -O- http://localhost}";
    check(&judged(gate, ""), &["`/check/health` is then a folder in `gate`"]);
}

#[test]
fn a_folder_that_docker_makes_may_be_missing() {
    let volumes = "volumes:
      - ./cache:/cache
      - {type: bind, source: ./logs, target: /logs}
      - {type: bind, source: ./state, target: /state, bind: {create_host_path: true}}
      - ./conf.d:/etc/conf.d";
    check(&judged(volumes, ""), &[]);
}

#[test]
fn what_docker_does_not_make_is_missed_whatever_it_is() {
    let cannot = "Docker does not make it: the container of `gate` cannot be created";
    let folder = "volumes:
      - {type: bind, source: ./cache, target: /cache, bind: {create_host_path: false}}";
    check(&judged(folder, ""), &[cannot, "make the folder: `mkdir -p [DIR]/cache`"]);

    let secret = "secrets: [token]";
    let run = judged(secret, "secrets: {token: {file: ./hf}}\n");
    check(&run, &["`./hf` does not exist", cannot, "put the file there"]);
    assert!(!run.stdout.contains("mkdir"), "{}", run.stdout);
}

#[test]
fn the_folder_of_a_volume_is_named_by_its_path_and_its_variable() {
    let sandbox = Sandbox::quickstart().file(".env", "STATE=/nowhere/state\n");
    let volume = "volumes:
  state: {driver: local, driver_opts: {type: none, o: bind, device: \"${STATE}\"}}
";
    let run = ready(sandbox, "volumes: ['state:/state']", volume).run(&[]);
    check(
        &run,
        &[
            "`/nowhere/state`, the device of the volume `state`, does not exist on the host",
            "compose.yaml:11:69",
            "`STATE` is set here",
            "correct `STATE`, so that the device of the volume `state` is a folder that is there",
        ],
    );
}

#[test]
fn a_service_that_nothing_waits_for_may_miss_what_it_likes() {
    let other = "  other:
    image: nginx
    volumes: ['./nginx.conf:/etc/nginx/nginx.conf:ro']
";
    check(&judged("command: ['true']", other), &[]);
    let started = "depends_on: [other]";
    let run = judged(started, other);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    let warning = "warning[mount-source-missing]: `./nginx.conf` does not exist";
    assert!(run.stdout.contains(warning), "{}", run.stdout);
}

#[test]
fn a_model_that_is_mounted_alone_is_a_file_to_be_put_there() {
    let compose = "services:
  reader:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: [-m, /models/tiny.gguf, -c, '256']
    volumes: ['./tiny.gguf:/models/tiny.gguf:ro']
";
    let sandbox = Sandbox::new().file("compose.yaml", compose);
    let missing = sandbox.run(&[]);
    check(&missing, &["`/models/tiny.gguf` is then a folder in `reader`", "put the file there"]);
    assert!(!missing.stdout.contains("mkdir"), "{}", missing.stdout);
    fs_err::create_dir(sandbox.path().join("tiny.gguf")).unwrap();
    let left = sandbox.run(&[]);
    check(&left, &["`rmdir [DIR]/tiny.gguf`"]);
    assert_eq!(left.stdout.matches("error[").count(), 1, "{}", left.stdout);
}

#[test]
fn a_script_is_looked_for_in_the_folder_that_it_is_run_out_of() {
    let gate = "entrypoint: [timeout, '9', /scripts/gate.sh]
    volumes: ['./scripts:/scripts:ro']";
    let sandbox = ready(Sandbox::quickstart().file("scripts/other.sh", "#!/bin/sh\n"), gate, "");
    let runs = "`./scripts/gate.sh` does not exist on the host, and `gate` runs it as \
                `/scripts/gate.sh`";
    check(&sandbox.run(&[]), &[runs, "compose.yaml:10:15"]);
    fs_err::write(sandbox.path().join("scripts/gate.sh"), "#!/bin/sh\n").unwrap();
    check(&sandbox.run(&[]), &[]);
}

#[test]
fn a_file_that_another_service_makes_before_may_be_missing() {
    let gate = "volumes: ['./shared/key.pem:/key.pem:ro']
    depends_on: {maker: {condition: service_completed_successfully}}";
    let maker = "  maker: {image: 'alpine:3.20', volumes: ['./shared:/out']}\n";
    let sandbox = || Sandbox::quickstart().file("shared/readme.txt", "");
    check(&ready(sandbox(), gate, maker).run(&[]), &[]);
    let reader = maker.replace(":/out", ":/out:ro");
    check(&ready(sandbox(), gate, &reader).run(&[]), &["`./shared/key.pem` does not exist"]);
}

#[test]
fn a_folder_for_saved_states_is_no_folder_of_models() {
    let sandbox = ready(Sandbox::quickstart(), "command: 'true'", "");
    let text = fs_err::read_to_string(sandbox.path().join("compose.yaml")).unwrap();
    let text = text.replace("-c, '256']", "-c, '256', --slot-save-path, /slots]");
    let text = text.replace("'./models:/models:ro']", "'./models:/models:ro', './slots:/slots']");
    check(&sandbox.file("compose.yaml", text).run(&[]), &[]);
}

#[test]
fn a_model_that_a_mount_gives_another_name_is_where_the_mount_says() {
    let compose = format!(
        "services:
  reader:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: [-m, /models/model.gguf, -c, '256']
    volumes: ['./{MODEL}:/models/model.gguf:ro']
"
    );
    let run = Sandbox::quickstart().file("compose.yaml", compose).run(&[]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
}
