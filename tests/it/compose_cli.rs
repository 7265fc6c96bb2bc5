//! Compose projects through the binary: what `config` prints, what a report says about places, and
//! a project that comes through a pipe.

use std::io::Write as _;
use std::process::Stdio;

use crate::compose_oracle;
use crate::sandbox::Sandbox;

const STACK: &str = "\
services:
  web:
    image: web:${TAG}
    command: serve --price $$5
    depends_on: [engine]
    environment:
      HF_TOKEN: hf_abc
      PLAIN: text
    volumes:
      - data:/data
      - ./models:/models:ro
  engine:
    image: engine
  debugger:
    image: debugger
    profiles: [debug]
    depends_on: [web]
volumes:
  data:
  unused:
secrets:
  key: {file: ./key.txt}
";

fn stack() -> Sandbox {
    Sandbox::new().file("compose.yaml", format!("name: stack\n{STACK}")).file(".env", "TAG=v1\n")
}

fn stdout(arguments: &[&str]) -> String {
    let run = stack().run(arguments);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.stdout
}

#[test]
fn config_prints_the_resolved_project_as_yaml() {
    insta::assert_snapshot!(stdout(&["config"]), @r#"
    name: stack
    services:
      web:
        image: web:v1
        command:
        - serve
        - --price
        - $$5
        depends_on:
          engine:
            condition: service_started
            required: true
        environment:
          HF_TOKEN: '***'
          PLAIN: text
        volumes:
        - type: volume
          source: data
          target: /data
          volume: {}
        - type: bind
          source: [DIR]/models
          target: /models
          read_only: true
          bind:
            create_host_path: true
        networks:
          default: null
      engine:
        image: engine
        networks:
          default: null
    networks:
      default:
        name: stack_default
        ipam: {}
    volumes:
      data:
        name: stack_data
    "#);
}

#[test]
fn config_prints_the_resolved_project_as_json() {
    insta::assert_snapshot!(stdout(&["config", "--format", "json"]), @r#"
    {
      "name": "stack",
      "services": {
        "web": {
          "image": "web:v1",
          "command": [
            "serve",
            "--price",
            "$$5"
          ],
          "depends_on": {
            "engine": {
              "condition": "service_started",
              "required": true
            }
          },
          "environment": {
            "HF_TOKEN": "***",
            "PLAIN": "text"
          },
          "volumes": [
            {
              "type": "volume",
              "source": "data",
              "target": "/data",
              "volume": {}
            },
            {
              "type": "bind",
              "source": "[DIR]/models",
              "target": "/models",
              "read_only": true,
              "bind": {
                "create_host_path": true
              }
            }
          ],
          "networks": {
            "default": null
          },
          "entrypoint": null
        },
        "engine": {
          "image": "engine",
          "networks": {
            "default": null
          },
          "command": null,
          "entrypoint": null
        }
      },
      "networks": {
        "default": {
          "name": "stack_default",
          "ipam": {}
        }
      },
      "volumes": {
        "data": {
          "name": "stack_data"
        }
      }
    }
    "#);
    assert_eq!(stdout(&["config", "--format", "yaml"]), stdout(&["config"]));
}

#[test]
fn config_shows_secrets_only_when_asked_to() {
    let (masked, shown) = (stdout(&["config"]), stdout(&["config", "--show-secrets"]));
    assert!(!masked.contains("hf_abc"), "{masked}");
    assert_eq!(masked.replace("'***'", "hf_abc"), shown);
}

#[test]
fn the_password_of_a_mount_is_in_nothing_that_is_printed() {
    let sandbox = stack().file(
        "compose.yaml",
        r#"services:
  llama:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: -m /models/gguf/tiny.gguf
    volumes: ["nas:/models"]
volumes:
  nas:
    driver_opts:
      type: cifs
      device: //nas/models
      o: 'addr=nas,username=me,password=p"q${NAS}x,vers=3.0'
"#,
    );
    let sandbox = sandbox.variable("NAS", "o'p").variable("RUST_LOG", "trace");
    for arguments in [
        &["config"][..],
        &["config", "--format", "json"],
        &["verify"],
        &["verify", "--format", "json"],
        &["verify", "--format", "sarif"],
        &["plan"],
    ] {
        let run = sandbox.run(arguments);
        for secret in ["p\"q", "o'p", "'px", "qo"] {
            let printed = run.stdout.contains(secret) || run.stderr.contains(secret);
            assert!(!printed, "{secret} {arguments:?}: {}{}", run.stdout, run.stderr);
        }
    }
    let shown = sandbox.run(&["config", "--show-secrets"]);
    assert!(shown.stdout.contains("o'p"), "{}", shown.stdout);
}

#[test]
fn config_prints_the_names_of_services_and_volumes() {
    insta::assert_snapshot!(stdout(&["config", "--services"]), @r#"
    engine
    web
    "#);
    insta::assert_snapshot!(stdout(&["config", "--profile", "debug", "--services"]), @r#"
    engine
    web
    debugger
    "#);
    insta::assert_snapshot!(stdout(&["config", "--volumes"]), @r#"
    data
    "#);
    let run = stack().run(&["config", "--volumes", "--services"]);
    assert_eq!(run.code, Some(2), "{}", run.stdout);
}

#[test]
fn docker_compose_reads_what_config_prints_as_the_same_project() {
    if !compose_oracle::is_installed() {
        return;
    }
    let sandbox = stack();
    let theirs = |arguments: &[&str]| {
        let mut command = std::process::Command::new("docker");
        command.arg("compose").args(arguments).args(["config", "--format", "json"]);
        let output = command.current_dir(sandbox.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let expected = theirs(&[]);
    assert!(expected.contains("$$5"), "{expected}");
    for format in ["yaml", "json"] {
        let mut command = sandbox.command(&["config", "--show-secrets", "--format", format]);
        let printed = command.output().unwrap();
        fs_err::write(sandbox.path().join("printed"), printed.stdout).unwrap();
        assert_eq!(theirs(&["-f", "printed"]), expected, "{format}");
    }
}

#[test]
fn the_names_are_those_that_docker_compose_prints() {
    if !compose_oracle::is_installed() {
        return;
    }
    let sandbox = stack();
    for arguments in [&["--services"][..], &["--volumes"]] {
        let mut command = std::process::Command::new("docker");
        command.args(["compose", "config"]).args(arguments).current_dir(sandbox.path());
        let theirs = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert_eq!(stdout(&[&["config"], arguments].concat()), theirs);
    }
}

#[test]
fn a_mistyped_path_is_shown_where_it_is_used_and_where_it_is_set() {
    let sandbox = Sandbox::quickstart().file(".env", "# where they are\nMODELS=./modles\n");
    let text = fs_err::read_to_string(sandbox.path().join("compose.yaml")).unwrap();
    let text = text.replace("./models", "${MODELS}");
    assert!(text.contains("${MODELS}"), "{text}");
    let run = sandbox.file("compose.yaml", text).run(&[]);
    insta::assert_snapshot!(run.stdout, @r#"
    error[mount-source-missing]: the models folder `./modles` does not exist on the host
      --> compose.yaml:17:9
       |
    17 |       - ${MODELS}:/models:ro
       |         ^^^^^^^^^^^^^^^^^^^^
    ...
    27 |       - ${MODELS}:/models:ro
       |         -------------------- `inference-vllm` mounts it here as well
       |
      ::: .env:2:1
       |
     2 | MODELS=./modles
       | --------------- `MODELS` is set here
       |
       = note: lanes `reader` and `coder`
       = help: correct `MODELS`, so that the source is `./models`, if that is meant, or put the folder there

    LANE    SERVICE             ENGINE     MODEL  SIZE  VERDICT
    reader  inference-llamacpp  llama.cpp  -      -     not ready
    coder   inference-vllm      vLLM       -      -     not ready

    `preflight explain mount-source-missing` says more
    "#);
    insta::assert_snapshot!(run.stderr, @r#"
    preflight: not ready: exit 16, mount or permission; 0 of 2 lanes ready
      reader, coder: mount-source-missing: the models folder `./modles` does not exist on the host (compose.yaml:17:9); fix: correct `MODELS`, so that the source is `./models`, if that is meant, or put the folder there
    "#);
}

#[test]
fn a_variable_that_is_not_set_is_told_once_and_only_where_a_lane_may_miss_it() {
    let compose = "x-shared: &shared
  SHARED: ${SHARED}
x-other: &other
  OTHER: ${OTHER}
services:
  reader:
    image: ghcr.io/ggml-org/llama.cpp:${TAG}
    command: [-m, /models/gguf/tiny-Q4_K_M.gguf, -c, '256']
    volumes: ['./models:/models:ro']
    environment: {<<: *shared, MORE: '${TAG}'}
    depends_on: [gate]
  gate:
    extends: {file: base.yaml, service: base}
    labels: {tag: '${TAG}', own: '${GATE}'}
  web:
    image: nginx:${TAG}
    environment: {<<: [*shared, *other], WEB: '${WEB}'}
";
    let base = "services: {base: {image: 'alpine:${BASE}'}}\n";
    let sandbox = Sandbox::quickstart().file("compose.yaml", compose).file("base.yaml", base);
    let run = sandbox.run(&["--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let line = |value: &serde_json::Value| value["place"]["line"].as_u64().unwrap();
    let mut told: Vec<(String, Vec<u64>)> = Vec::new();
    for finding in report["findings"].as_array().unwrap() {
        if finding["id"] == "compose-warning" {
            let also = finding["related"].as_array().unwrap().iter().map(line);
            let lines = std::iter::once(line(finding)).chain(also).collect();
            told.push((finding["message"].as_str().unwrap().to_owned(), lines));
        }
    }
    told.sort();
    let of = |name: &str, lines: &[u64]| {
        (format!("variable `{name}` is not set: it expands to nothing"), lines.to_vec())
    };
    let expected = [of("BASE", &[1]), of("SHARED", &[2]), of("TAG", &[7, 10])];
    assert_eq!(told, expected);
}

#[test]
fn what_lies_on_another_machine_is_refused_at_its_line() {
    let check = |text: &str, arguments: &[&str], expected: &str| {
        let run = Sandbox::new().file("compose.yaml", text).run(arguments);
        assert_eq!(run.code, Some(2), "{}", run.stdout);
        assert!(run.stderr.contains(expected), "{}\n{expected}", run.stderr);
        assert!(run.stderr.contains("download it and name the copy"), "{}", run.stderr);
    };
    for url in [
        "https://example.com/compose.yaml",
        "http://example.com/compose.yaml",
        "https://example.com/a/b.git#main:sub",
        "git@example.com:a/b.git",
        "ssh://git@example.com/a/b.git",
        "git://example.com/a/b.git",
        "github.com/a/b",
        "oci://registry.example.com/a:latest",
    ] {
        let said = format!("the remote Compose file `{url}` is not supported yet");
        check("services: {}\n", &["-f", url, "config"], &said);
        let said = format!("compose.yaml:2:5: `include` of the remote file `{url}` is not");
        check(&format!("include:\n  - '{url}'\n"), &["config"], &said);
        let said = format!("compose.yaml:3:24: `extends` from the remote file `{url}` is not");
        let text = format!("services:\n  a:\n    extends: {{service: b, file: '{url}'}}\n");
        check(&text, &["config"], &said);
    }
    let url = "oci://registry.example.com/a:latest";
    let sandbox = Sandbox::new().file("compose.yaml", "services: {}\n");
    let mut command = sandbox.command(&["config"]);
    command.envs([("COMPOSE_FILE", url), ("COMPOSE_PATH_SEPARATOR", ";")]);
    let run = sandbox.told(&command.output().unwrap());
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    let said = format!("the remote Compose file `{url}` is not supported yet");
    assert!(run.stderr.contains(&said), "{}", run.stderr);
}

#[test]
fn a_project_through_a_pipe_has_the_same_plan() {
    if !compose_oracle::is_installed() {
        return;
    }
    for declared in [LABELS, TOP_LEVEL] {
        let sandbox = Sandbox::quickstart()
            .file(".env", "MODELS=./models\nNAME=coder\n")
            .file("compose.yaml", declared);
        let mut docker = std::process::Command::new("docker");
        docker.args(["compose", "config", "--format", "json"]).current_dir(sandbox.path());
        let canonical = docker.output().unwrap();
        assert!(canonical.status.success(), "{}", String::from_utf8_lossy(&canonical.stderr));

        let plan = ["plan", "--format", "json"];
        let mut command = sandbox.command(&[&plan[..], &["-f", "-"]].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&canonical.stdout).unwrap();
        let piped = sandbox.told(&child.wait_with_output().unwrap());
        let loaded = sandbox.run(&plan);
        assert_eq!(
            (piped.code, loaded.code),
            (Some(0), Some(0)),
            "{}{}",
            piped.stderr,
            loaded.stderr
        );
        let (piped, loaded) = (without_places(&piped.stdout), without_places(&loaded.stdout));
        assert!(loaded.to_string().contains("$5"), "{loaded}");
        assert_eq!(piped, loaded);
    }
}

/// A plan that does not say where its lanes are written.
fn without_places(plan: &str) -> serde_json::Value {
    fn strip(value: &mut serde_json::Value) {
        if let Some(entries) = value.as_object_mut() {
            entries.retain(|key, _| key != "place");
            entries.values_mut().for_each(strip);
        }
        value.as_array_mut().into_iter().flatten().for_each(strip);
    }
    let mut plan = plan.parse().unwrap();
    strip(&mut plan);
    plan
}

/// More than enough for what is refused.
const MEMORY_KIB: usize = 1 << 20;

#[test]
fn three_megabytes_of_nesting_are_refused_in_bounded_time_and_memory() {
    let size = 3 << 20;
    let of = |unit: &str| unit.repeat(size / unit.len());
    let deeper: String = (0..2400).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    for (what, text) in [
        ("[", of("[")),
        ("{a: ", of("{a: ")),
        ("- ", of("- ")),
        ("? ", of("? ")),
        ("steps", deeper),
        ("quotes", format!("a: \"{}", of("\\n"))),
        ("values", format!("a: [{}", of("a,"))),
        ("variables", format!("services: {{a: {{image: '{}'}}}}", of("${A:-"))),
        ("anchors", format!("a: [{}", of("&a x, *a, "))),
        ("documents", of("---\n")),
        ("aliases", format!("a: &a [{}]\nb: [{}]", of("x,"), "*a,".repeat(1000))),
    ] {
        let sandbox = Sandbox::new().file("compose.yaml", &text);
        let preflight = sandbox.command(&[]);
        let mut command = std::process::Command::new("sh");
        let script = format!("ulimit -v {MEMORY_KIB} && exec \"$0\" config");
        command.arg("-c").arg(script).arg(preflight.get_program()).current_dir(sandbox.path());
        let start = std::time::Instant::now();
        let run = sandbox.told(&command.output().unwrap());
        assert!(start.elapsed().as_secs() < 60, "{what}: {:?}", start.elapsed());
        assert_eq!(run.code, Some(2), "{what}: {}", run.stderr);
        assert!(
            run.stderr.contains("compose.yaml:") || what == "documents",
            "{what}: {}",
            run.stderr
        );
    }
}

const LABELS: &str = "\
services:
  engine:
    image: vllm/vllm-openai:v0.11.0
    command: --model /models/vllm/$$5
    volumes: ['${MODELS}:/models:ro']
    labels:
      preflight.lane: ${NAME}
";

const TOP_LEVEL: &str = "\
services:
  engine:
    image: vllm/vllm-openai:v0.11.0
    command: --model /models/x
    volumes: ['${MODELS}:/models:ro']
x-preflight:
  lanes:
    coder:
      service: engine
      path: /models/${NAME}/$$5
";
