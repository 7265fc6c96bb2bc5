//! The fragments in `compose/`: Compose accepts them, and they grant what they say and no more.

use serde_json::{Value, json};

use crate::docker_stack::{docker, docker_tests_run, outcome};

/// The file as Compose resolves it, without a word of complaint.
fn resolved(file: &str) -> Value {
    let path = format!("{}/compose/{file}", env!("CARGO_MANIFEST_DIR"));
    let mut config = docker(["compose", "-f", &path, "config", "--format", "json"]);
    let config = outcome(config.env("MODELS_PATH", "/data/models"));
    assert_eq!((config.code, config.stderr.as_str()), (0, ""), "{file}");
    serde_json::from_str(&config.stdout).unwrap()
}

#[test]
fn the_init_container_gets_two_capabilities_and_nothing_else() {
    if !docker_tests_run() {
        return;
    }
    let project = resolved("preflight.yaml");
    let service = &project["services"]["preflight"];
    for (field, expected) in [
        ("user", json!("0:0")),
        ("cap_drop", json!(["ALL"])),
        ("cap_add", json!(["DAC_OVERRIDE", "CHOWN"])),
        ("security_opt", json!(["no-new-privileges:true"])),
        ("read_only", json!(true)),
        ("restart", json!("no")),
        ("privileged", Value::Null),
        ("devices", Value::Null),
    ] {
        assert_eq!(service[field], expected, "{field}");
    }
    let mounts = service["volumes"].as_array().unwrap().iter();
    let mounts: Vec<_> = mounts
        .map(|mount| (mount["target"].as_str().unwrap(), mount["read_only"] == true))
        .collect();
    let expected = [
        ("/models", false),
        ("/run/ssl-cert-file.pem", true),
        ("/project", true),
        ("/var/run/docker.sock", true),
    ];
    assert_eq!(mounts, expected);
}

#[test]
fn a_file_of_certificates_is_mounted_where_the_variable_names_it_and_nothing_otherwise() {
    if !docker_tests_run() {
        return;
    }
    let path = format!("{}/compose/preflight.yaml", env!("CARGO_MANIFEST_DIR"));
    for (set, source, named) in
        [("", "/dev/null", ""), ("/etc/hub.pem", "/etc/hub.pem", "/run/ssl-cert-file.pem")]
    {
        let mut config = docker(["compose", "-f", &path, "config", "--format", "json"]);
        let config = outcome(config.env("SSL_CERT_FILE", set));
        let project: Value = serde_json::from_str(&config.stdout).unwrap();
        let service = &project["services"]["preflight"];
        assert_eq!(service["environment"]["SSL_CERT_FILE"], named);
        let mut mounts = service["volumes"].as_array().unwrap().iter();
        let mount = mounts.find(|mount| mount["target"] == "/run/ssl-cert-file.pem").unwrap();
        assert_eq!((&mount["source"], &mount["read_only"]), (&json!(source), &json!(true)));
    }
}

/// Every engine waits, sees the models read-only where preflight puts them, and every lane has one.
fn check_stack(file: &str, expected_lanes: &[&str]) {
    if !docker_tests_run() {
        return;
    }
    let project = resolved(file);
    let services = project["services"].as_object().unwrap();
    for (name, service) in services.iter().filter(|(name, _)| *name != "preflight") {
        let condition = &service["depends_on"]["preflight"]["condition"];
        assert_eq!(condition, "service_completed_successfully", "{file}: {name}");
        let mount = &service["volumes"][0];
        assert_eq!(mount["source"], "/data/models", "{file}: {name}");
        assert_eq!(mount["target"], "/models", "{file}: {name}");
        assert_eq!(mount["read_only"], true, "{file}: {name}");
    }
    let lanes = project["x-preflight"]["lanes"].as_object().unwrap();
    assert_eq!(lanes.keys().collect::<Vec<_>>(), expected_lanes, "{file}");
    for (lane, declared) in lanes {
        let service = declared["service"].as_str().unwrap();
        assert!(services.contains_key(service), "{file}: `{lane}` names `{service}`");
    }
}

#[test]
fn every_engine_of_the_five_lane_stack_waits_for_the_init_container() {
    let lanes = ["coder", "fast_rag", "governance", "orchestrator", "super_reader"];
    check_stack("cortex.yaml", &lanes);
}

#[test]
fn both_engines_of_the_minimal_stack_wait_for_the_init_container() {
    check_stack("minimal.yaml", &["minimal_gguf", "minimal_vllm"]);
}

#[test]
fn a_genuine_llama_server_understands_every_llama_cpp_command() {
    if !docker_tests_run() {
        return;
    }
    for (file, expected) in [("cortex.yaml", 2), ("minimal.yaml", 1)] {
        let project = resolved(file);
        let services = project["services"].as_object().unwrap().iter();
        let llama_cpp: Vec<_> = services
            .filter(|(_, service)| service["image"].to_string().contains("llama"))
            .collect();
        assert_eq!(llama_cpp.len(), expected, "{file}");
        for (name, service) in llama_cpp {
            let words = service["command"].as_array().unwrap().iter();
            let mut run = docker(["run", "--rm", "--network=none", "llama.cpp:local"]);
            let run = outcome(run.args(words.map(|word| word.as_str().unwrap())));
            let said = run.stdout + &run.stderr;
            // It gets as far as the model, which is not there.
            assert!(said.contains("failed to load model"), "{file}: {name}: {said}");
        }
    }
}
