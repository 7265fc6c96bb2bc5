//! What `docker compose up` makes of a mount whose source is not there, and what preflight says
//! before. The stacks have no preflight of their own: nothing but Docker decides how they end.

use std::path::Path;

use crate::docker_stack::{MODEL, MODEL_PATH, Stack, docker, outcome};

/// An engine that waits for a gate, which has `gate` for its lines.
fn stack(name: &str, gate: &str) -> Option<Stack> {
    let stack = Stack::new(name, None)?;
    stack.put(MODEL, MODEL_PATH);
    stack.write("compose.yaml", &compose(gate));
    Some(stack)
}

fn compose(gate: &str) -> String {
    format!(
        r#"services:
  llama:
    image: llama.cpp:local
    command: [--host, 0.0.0.0, --port, "8080", -m, /{MODEL_PATH}, -c, "256"]
    ports: ["127.0.0.1::8080"]
    volumes: ["./models:/models:ro"]
    depends_on: {{gate: {{condition: service_completed_successfully}}}}
  gate:
    image: fake-hub:test
    {gate}
"#
    )
}

/// Preflight names the cause, and then the stack does not come up for it.
fn is_foreseen(stack: &Stack, said: &[&str], docker: &str) {
    let run = stack.by_hand(&[]);
    assert_eq!(run.code, 16, "{}{}", run.stdout, run.stderr);
    for words in said {
        assert!(run.stdout.contains(words), "`{words}` is not in:\n{}", run.stdout);
    }
    let up = stack.up_fails();
    assert!(up.contains(docker), "`{docker}` is not in:\n{up}");
    stack.assert_started(&[]);
}

#[test]
fn of_a_missing_script_docker_makes_a_folder_that_nothing_can_run() {
    let gate = r#"entrypoint: [/check/models.sh, --help]
    volumes: ["./models.sh:/check/models.sh:ro"]"#;
    let Some(stack) = stack("script", gate) else { return };
    let script = stack.path("models.sh");
    is_foreseen(&stack, &["Docker makes a folder of that name"], "permission denied");
    assert!(script.is_dir(), "Docker has made no folder");

    // What is left behind keeps the stack down, although something of that name is there now.
    let left = "`./models.sh` is an empty folder";
    let remove = format!("`rmdir {}`", script.display());
    is_foreseen(&stack, &[left, &remove], "permission denied");

    stack.compose(&["down"]);
    fs_err::remove_dir(&script).unwrap();
    take_program(&script);
    let run = stack.by_hand(&[]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    stack.up();
    stack.assert_llama_is_healthy();
}

/// The gate's image has no shell: its script is the program of the image.
fn take_program(to: &Path) {
    let created = outcome(&mut docker(["create", "fake-hub:test"]));
    let container = created.stdout.trim();
    let copied = outcome(docker(["cp", &format!("{container}:/fake-hub")]).arg(to.as_os_str()));
    assert_eq!(copied.code, 0, "{}{}", created.stderr, copied.stderr);
    outcome(&mut docker(["rm", container]));
}

#[test]
fn without_leave_to_make_a_folder_no_container_is_created() {
    let gate = "command: [--help]
    volumes:
      - {type: bind, source: ./cache, target: /cache, bind: {create_host_path: false}}";
    let Some(stack) = stack("strict", gate) else { return };
    let said = ["Docker does not make it", "the container of `gate` cannot be created"];
    is_foreseen(&stack, &said, "bind source path does not exist");
    fs_err::create_dir(stack.path("cache")).unwrap();
    assert_eq!(stack.by_hand(&[]).code, 0);
    stack.up();
}

#[test]
fn a_secret_without_its_file_is_no_secret() {
    let gate = "command: [--help]
    secrets: [token]
secrets:
  token: {file: ./hf}";
    let Some(stack) = stack("secret", gate) else { return };
    is_foreseen(&stack, &["put the file there"], "bind source path does not exist");
}

#[test]
fn a_volume_whose_device_is_missing_starts_nothing() {
    let gate = "command: [--help]
    volumes: ['state:/state']
volumes:
  state: {driver: local, driver_opts: {type: none, o: bind, device: \"${STATE}\"}}";
    let Some(stack) = stack("device", gate) else { return };
    let device = stack.path("state").display().to_string();
    stack.set_environment(&[("STATE", &device)]);
    let said = ["the device of the volume `state`", "correct `STATE`"];
    is_foreseen(&stack, &said, "no such file or directory");
    fs_err::create_dir(&device).unwrap();
    assert_eq!(stack.by_hand(&[]).code, 0);
    stack.up();
}

#[test]
fn an_init_container_names_the_script_that_is_missing_before_docker_makes_a_folder_of_it() {
    let Some(stack) = Stack::new("init", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    let outside = tempfile::tempdir().unwrap();
    for (name, source) in [
        ("in what preflight has mounted", "./models.sh".to_owned()),
        ("in a folder that it has not", outside.path().join("models.sh").display().to_string()),
    ] {
        stack.write("gate.yaml", &gate_before_the_engine(&source));
        stack.set_environment(&[("COMPOSE_FILE", "compose.yaml:gate.yaml")]);
        let report = stack.refuses(16, "mount-source-missing");
        assert!(report.contains("Docker makes a folder of that name"), "{name}\n{report}");
        let made = stack.path(&source);
        assert!(!made.exists(), "{name}: `{}` was made", made.display());
        stack.compose(&["down"]);
    }
}

fn gate_before_the_engine(source: &str) -> String {
    format!(
        "services:
  llama:
    depends_on: {{gate: {{condition: service_completed_successfully}}}}
  gate:
    image: fake-hub:test
    entrypoint: [/check/models.sh, --help]
    volumes: ['{source}:/check/models.sh:ro']
    depends_on: {{preflight: {{condition: service_completed_successfully}}}}
"
    )
}
