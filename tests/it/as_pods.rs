//! The stacks of `tests/data/checks` as Pods: whatever is told of them then is told in the words of
//! Kubernetes, by hand and in the Pod.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::{Map, Value, json};

use crate::sandbox::{Run, Sandbox, repository};

/// Words of Compose and of Docker that nobody needs to hear who writes manifests.
const WORDS: [&str; 20] = [
    "compose",
    "docker",
    "swarm",
    "device_ids",
    "depends_on",
    "deploy:",
    "`ports",
    "ports:",
    "shm_size",
    "mem_limit",
    "ulimits",
    "volumes` of the project",
    ":ro`",
    "`.env`",
    "extra_hosts",
    "network_mode",
    "profile",
    "healthcheck",
    "gpus: all",
    "group_add",
];

/// So many stacks are judged at once.
const RUNS_AT_ONCE: usize = 4;

/// The folders that need nothing but files.
fn folders() -> Vec<PathBuf> {
    let entries = fs_err::read_dir(repository().join("tests/data/checks")).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let needs = ["docker.json", "engine.json", "hub", "mirror", "pod.yaml"];
    folders.retain(|it| !needs.iter().any(|name| it.join(name).exists()));
    folders.retain(|it| it.join("compose.yaml").exists() || it.join("damage.sh").exists());
    folders.sort();
    folders
}

/// The sandbox of a folder, with its stack as the Pod `pod.json`; absent: Compose refuses the stack.
fn sandbox(folder: &Path) -> Option<Sandbox> {
    let read = |name: &str| fs_err::read_to_string(folder.join(name)).ok();
    let mut sandbox = Sandbox::quickstart();
    if let Some(compose) = read("compose.yaml") {
        sandbox = sandbox.file("compose.yaml", compose);
    }
    if let Some(script) = read("damage.sh") {
        assert!(sandbox.shell(&script).status().unwrap().success(), "{}", folder.display());
    }
    let output = sandbox.command(&["config", "--format", "json"]).output().unwrap();
    let config: Value = serde_json::from_slice(&output.stdout).ok()?;
    let pod = pod(&config)?;
    Some(sandbox.file("pod.json", pod.to_string()).file("termination-log", ""))
}

/// All services of a project as the containers of one Pod, which preflight is in as well; absent: it has none.
fn pod(config: &Value) -> Option<Value> {
    let (mut volumes, mut annotations) = (Map::new(), Map::new());
    let services = config["services"].as_object()?;
    let containers: Vec<Value> = services
        .iter()
        .filter(|(name, _)| *name != "preflight")
        .map(|(name, service)| container(name, service, &mut volumes, &mut annotations))
        .collect();
    let own = volumes.iter().filter_map(|(name, volume)| {
        let path = volume["hostPath"]["path"].as_str()?;
        Some(json!({"name": name, "mountPath": path}))
    });
    let own: Vec<Value> = own.collect();
    let volumes: Vec<Value> = volumes
        .into_iter()
        .map(|(name, volume)| {
            let mut volume = volume.as_object().unwrap().clone();
            volume.insert("name".to_owned(), json!(name));
            Value::Object(volume)
        })
        .collect();
    Some(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stack", "annotations": annotations},
        "spec": {
            "initContainers": [
                {"name": "preflight", "image": "registry.example/preflight:1", "volumeMounts": own},
            ],
            "containers": containers,
            "volumes": volumes,
        },
    }))
}

fn container(
    name: &str,
    service: &Value,
    volumes: &mut Map<String, Value>,
    annotations: &mut Map<String, Value>,
) -> Value {
    for (key, value) in service["labels"].as_object().into_iter().flatten() {
        if key.starts_with("preflight.") {
            annotations.insert(format!("{key}/{name}"), value.clone());
        }
    }
    let environment = service["environment"].as_object().into_iter().flatten();
    let environment: Vec<Value> = environment
        .map(|(name, value)| json!({"name": name, "value": value.as_str().unwrap_or("")}))
        .collect();
    let mounts = service["volumes"].as_array().into_iter().flatten();
    let mounts: Vec<Value> = mounts.map(|mount| mounted(mount, volumes)).collect();
    let ports = service["ports"].as_array().into_iter().flatten().map(|port| {
        let published = port["published"].as_str().and_then(|it| it.parse::<u16>().ok());
        json!({"containerPort": port["target"], "hostPort": published})
    });
    let ports: Vec<Value> = ports.collect();
    let gpu = service.get("gpus").is_some() || service["deploy"]["resources"].is_object();
    let user = service["user"].as_str().and_then(|it| it.split(':').next()?.parse::<u32>().ok());
    let mut limits = Map::new();
    if gpu {
        limits.insert("nvidia.com/gpu".to_owned(), json!("1"));
    }
    if let Some(memory) = service["mem_limit"].as_str() {
        limits.insert("memory".to_owned(), json!(memory));
    }
    json!({
        "name": name,
        "image": service["image"].as_str().unwrap_or("none:1"),
        "command": service["entrypoint"],
        "args": service["command"],
        "env": environment,
        "volumeMounts": mounts,
        "ports": ports,
        "securityContext": {"runAsUser": user},
        "resources": {"limits": limits},
    })
}

/// A mount of Compose as one of Kubernetes, with its volume.
fn mounted(mount: &Value, volumes: &mut Map<String, Value>) -> Value {
    let source = mount["source"].as_str().unwrap_or("");
    let volume = match mount["type"].as_str() {
        Some("bind") => json!({"hostPath": {"path": source}}),
        Some("tmpfs") => json!({"emptyDir": {"medium": "Memory"}}),
        _ => json!({"persistentVolumeClaim": {"claimName": source}}),
    };
    let known = volumes.iter().position(|(_, known)| *known == volume);
    let number = known.unwrap_or(volumes.len());
    let name = format!("v{number}");
    volumes.insert(name.clone(), volume);
    json!({"name": name, "mountPath": mount["target"], "readOnly": mount["read_only"]})
}

/// What is told in JSON: the texts of the findings.
fn texts(report: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    for finding in report["findings"].as_array().unwrap() {
        let related = finding["related"].as_array().unwrap().iter().map(|it| &it["message"]);
        let all = [&finding["message"], &finding["fix"]].into_iter().chain(related);
        texts.extend(all.filter_map(Value::as_str).map(str::to_owned));
    }
    texts
}

/// A word in `told` that should not be there.
fn foreign(told: &str) -> Option<&'static str> {
    let told = told.to_lowercase();
    WORDS.iter().find(|word| told.contains(**word)).copied()
}

/// Lines of a report, without those that show a file, and the names of files.
fn shown(run: &Run) -> String {
    let is_of_file = |line: &&str| line.trim_start().starts_with(|it: char| it.is_ascii_digit());
    let both = format!("{}\n{}", run.stdout, run.stderr);
    both.lines().filter(|line| !is_of_file(line)).collect::<Vec<_>>().join("\n")
}

/// What is told of a folder's stack: the ids of its findings, and what is told in foreign words.
fn told_of(folder: &Path) -> (Vec<String>, Vec<String>) {
    let (mut ids, mut wrong) = (Vec::new(), Vec::new());
    let Some(sandbox) = sandbox(folder) else { return (ids, wrong) };
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let by_hand = ["-f", "pod.json", "--offline", "--allow-unknown", "--gpus", "24GiB,24GiB"];
    let run = |sandbox: &Sandbox, format: &str| {
        let run = sandbox.run(&[&by_hand[..], &["--format", format]].concat());
        assert!(matches!(run.code, Some(0..=31)), "{name}: {:?}\n{}", run.code, run.stderr);
        run
    };
    let mut told = vec![shown(&run(&sandbox, "human")), shown(&run(&sandbox, "markdown"))];
    let by_hand = run(&sandbox, "json");
    let log = sandbox.path().join("termination-log").display().to_string();
    let in_pod = sandbox
        .variable("PREFLIGHT_ROLE", "init")
        .variable("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        .variable("PREFLIGHT_TERMINATION_LOG", log);
    for run in [by_hand, run(&in_pod, "json")] {
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().iter();
        ids.extend(findings.map(|it| it["id"].as_str().unwrap().to_owned()));
        told.extend(texts(&report));
    }
    let foreign = |text: &String| Some(format!("{name}: {}: {text}", foreign(text)?));
    wrong.extend(told.iter().filter_map(foreign));
    (ids, wrong)
}

#[test]
fn whatever_is_told_of_pods_is_told_in_the_words_of_kubernetes() {
    let folders = Mutex::new(folders().into_iter());
    let next = || folders.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || std::iter::from_fn(next).map(|it| told_of(&it)).collect::<Vec<_>>();
    let told: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..RUNS_AT_ONCE).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let wrong: Vec<&String> = told.iter().flat_map(|(_, wrong)| wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let ids: BTreeSet<&String> = told.iter().flat_map(|(ids, _)| ids).collect();
    assert!(ids.len() >= 65, "{}: {ids:?}", ids.len());
}
