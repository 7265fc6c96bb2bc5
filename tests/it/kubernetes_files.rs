//! The files of `kubernetes/`, as KServe and the chart of the vLLM production stack make Pods of them.
//!
//! `kubernetes-validate` knows neither a ClusterStorageContainer nor the values of a chart: their own keys
//! are held against the definitions that were read, and the Pods that come of them against Kubernetes'.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::hub_stack::{check, hub};
use crate::judge;
use crate::sandbox::{Sandbox, repository};

/// What a ClusterStorageContainer has in `spec` (kserve 0.20
/// config/crd/full/clusterstoragecontainer/serving.kserve.io_clusterstoragecontainers.yaml).
const OF_STORAGE_CONTAINER: [&str; 4] =
    ["container", "supportedUriFormats", "supportsMultiModelDownload", "workloadType"];

/// What the template reads of an init container (production-stack chart 0.1.12
/// helm/templates/deployment-vllm-multi.yaml).
const OF_INIT_CONTAINER: [&str; 8] = [
    "args",
    "command",
    "env",
    "extraVolumeMounts",
    "image",
    "mountPvcStorage",
    "name",
    "resources",
];

/// What it reads of a model, as far as the file has it.
const OF_MODEL: [&str; 13] = [
    "initContainer",
    "modelURL",
    "name",
    "pvcAccessMode",
    "pvcStorage",
    "replicaCount",
    "repository",
    "requestCPU",
    "requestGPU",
    "requestMemory",
    "tag",
    "vllmConfig",
    "hf_token",
];

fn shipped(name: &str) -> Value {
    let text = fs_err::read_to_string(repository().join("kubernetes").join(name)).unwrap();
    preflight::yaml::from_str(&text).unwrap()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

/// A container with what another says over it: maps are merged, and all else is replaced. So does a
/// strategic merge with what these containers have (kserve 0.20 pkg/utils/container_merge.go).
fn merged(base: &Value, over: &Value) -> Value {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            let mut all: Map<String, Value> = base.clone();
            for (key, value) in over {
                let before = all.get(key).cloned().unwrap_or(Value::Null);
                all.insert(key.clone(), merged(&before, value));
            }
            Value::Object(all)
        }
        (_, over) => over.clone(),
    }
}

/// What KServe's webhook makes of a ClusterStorageContainer for these pairs (kserve 0.20
/// pkg/utils/storage.go `CreateInitContainerWithConfig`, `AddDefaultHuggingFaceEnvVars`;
/// pkg/webhook/admission/pod/storage_initializer_injector.go `CommonStorageInitialization`).
pub(crate) fn storage_initializer(pairs: &[&str]) -> Value {
    let base = json!({
        "name": "storage-initializer",
        "image": "kserve/storage-initializer:latest",
        "args": pairs,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {
            "limits": {"cpu": "1", "memory": "1Gi"},
            "requests": {"cpu": "100m", "memory": "100Mi"},
        },
        "volumeMounts": [{"name": "kserve-provision-location", "mountPath": "/mnt/models"}],
    });
    let mut container =
        merged(&base, &shipped("clusterstoragecontainer.yaml")["spec"]["container"]);
    let more = [
        ("HF_HUB_ENABLE_HF_TRANSFER", "1"),
        ("HF_XET_HIGH_PERFORMANCE", "1"),
        ("HF_XET_NUM_CONCURRENT_RANGE_GETS", "8"),
    ];
    let env = container["env"].as_array_mut().unwrap();
    env.extend(more.map(|(name, value)| json!({"name": name, "value": value})));
    container
}

/// Whether Kubernetes takes a document; true as well where its schemas are not here.
fn is_valid(document: &Value) -> bool {
    let Some(python) = judge::named("PREFLIGHT_TEST_KUBERNETES_VALIDATE") else { return true };
    let sandbox = Sandbox::new().file("pod.yaml", document.to_string());
    let output = Command::new(python)
        .args(["-m", "kubernetes_validate", "--strict"])
        .arg(sandbox.path().join("pod.yaml"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{document:#}\n{said}");
    output.status.success()
}

#[test]
fn kserve_makes_a_valid_pod_of_the_storage_container_that_brings_the_model() {
    let file = shipped("clusterstoragecontainer.yaml");
    assert_eq!(file["apiVersion"], "serving.kserve.io/v1alpha1");
    assert_eq!(keys(&file["spec"]), BTreeSet::from(OF_STORAGE_CONTAINER));
    assert_eq!(file["spec"]["supportedUriFormats"], json!([{"prefix": "hf://"}]));
    assert!(file["spec"]["container"]["args"].is_null(), "they would replace KServe's");

    let hub = hub(&[]);
    let sandbox = Sandbox::new().variable("HF_ENDPOINT", hub.url());
    let to = sandbox.path().join("mnt/models").display().to_string();
    let container = storage_initializer(&["hf://acme/tiny", &to]);
    assert!(is_valid(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "isvc"},
        "spec": {
            "initContainers": [container],
            "containers": [{"name": "kserve-container", "image": "vllm/vllm-openai:v0.12.0"}],
            "volumes": [{"name": "kserve-provision-location", "emptyDir": {}}],
        },
    })));
    assert_eq!(container["resources"]["limits"], json!({"cpu": "1", "memory": "256Mi"}));
    let (command, arguments) = (words(&container["command"]), words(&container["args"]));
    assert_eq!(command[0], "/preflight");
    let words = [&command[1..], &arguments].concat();
    let variables = container["env"].as_array().unwrap().iter().map(|it| {
        (it["name"].as_str().unwrap().to_owned(), it["value"].as_str().unwrap().to_owned())
    });
    let sandbox = variables.fold(sandbox, |sandbox, (name, value)| sandbox.variable(&name, value));
    check(&sandbox.run(&words), 0, &["ready: 1 of 1 lane"]);
    assert!(Path::new(&to).join("config.json").is_file());
}

/// The Deployment that the chart makes of a model, as far as the template is about it.
fn deployment(model: &Value) -> Value {
    let init = &model["initContainer"];
    let claim = json!([{"name": "vllm-storage", "mountPath": "/data"}]);
    let mut first = json!({
        "name": init["name"], "image": init["image"], "command": init["command"],
        "args": init["args"], "env": init["env"], "resources": init["resources"],
    });
    assert_eq!(init["mountPvcStorage"], true);
    first["volumeMounts"] = claim.clone();
    let image =
        format!("{}:{}", model["repository"].as_str().unwrap(), model["tag"].as_str().unwrap());
    let mut command = vec![json!("vllm"), json!("serve"), model["modelURL"].clone()];
    command.extend(["--host", "0.0.0.0", "--port", "8000"].map(Value::from));
    command.extend(model["vllmConfig"]["extraArgs"].as_array().unwrap().clone());
    let labels = json!({"model": model["name"]});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "vllm"},
        "spec": {
            "replicas": model["replicaCount"],
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "securityContext": {"fsGroup": 65532},
                    "initContainers": [first],
                    "containers": [{
                        "name": "vllm", "image": image, "command": command,
                        "env": [{"name": "HF_HOME", "value": "/data"}],
                        "volumeMounts": claim,
                    }],
                    "volumes": [{"name": "vllm-storage",
                        "persistentVolumeClaim": {"claimName": "vllm-storage-claim"}}],
                },
            },
        },
    })
}

#[test]
fn the_engine_of_the_production_stack_opens_the_very_folder_that_is_filled() {
    let file = shipped("vllm-production-stack-values.yaml");
    let engines = &file["servingEngineSpec"];
    assert_eq!(keys(engines), BTreeSet::from(["modelSpec", "securityContext"]));
    let model = &engines["modelSpec"][0];
    assert!(keys(model).is_subset(&BTreeSet::from(OF_MODEL)), "{:?}", keys(model));
    let init = keys(&model["initContainer"]);
    assert!(init.is_subset(&BTreeSet::from(OF_INIT_CONTAINER)), "{init:?}");
    let deployment = deployment(model);
    assert!(is_valid(&deployment));

    let arguments = words(&model["initContainer"]["args"]);
    assert_eq!(arguments[1], model["modelURL"]);
    let sandbox = Sandbox::new().file("deployment.yaml", deployment.to_string());
    let plan = sandbox.run(&["plan", "-f", "deployment.yaml", "--format", "json"]);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let lanes = plan["lanes"].as_array().unwrap();
    assert_eq!(lanes.len(), 1, "{plan:#}");
    assert_eq!(lanes[0]["artifacts"][0]["service_path"], arguments[1]);
    assert_eq!(lanes[0]["engine"], "vllm");
}
