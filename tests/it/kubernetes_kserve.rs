//! What KServe makes of its documents.

use serde_json::Value;

use crate::kubernetes::{folder, refused, run, told};
use crate::sandbox::Sandbox;

#[test]
fn a_template_that_kserve_fills_in_is_none_of_helm() {
    let text = "apiVersion: serving.kserve.io/v1alpha2\nkind: LLMInferenceServiceConfig\nmetadata: {name: a}\n\
                spec:\n  template:\n    containers:\n      - name: main\n        image: x/llm-d-cuda:v0.9.0\n        \
                args: ['{{- if .Spec.Model.LoRA }}--enable-lora{{- end }}']\n";
    let sandbox = Sandbox::new().file("a.yaml", text);
    let expected = "preflight: error: a.yaml:9:16: this is a template that KServe fills in, not what it \
                    makes of it\n  hint: judge what it has made: `kubectl get pod POD -o yaml | preflight \
                    -f -`\n";
    refused(&sandbox, &["plan", "-f", "a.yaml"], expected);
}

#[test]
fn kserve_brings_models_to_engines_and_not_to_servers_of_other_kinds() {
    let service = |format: &str, uri: &str| {
        format!(
            "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {{name: s}}\nspec: \
             {{predictor: {{model: {{modelFormat: {{name: {format}}}, storageUri: '{uri}'}}}}}}\n"
        )
    };
    let plan = |manifests: String| {
        Sandbox::new().file("a.yaml", manifests).run(&["plan", "-f", "a.yaml"]).stdout
    };
    let known = plan(service("huggingface", "hf://o/r"));
    assert!(known.contains("/mnt/models") && known.contains("hf://o/r"), "{known}");
    let other = plan(service("sklearn", "gs://b/m"));
    assert!(!other.contains("/mnt/models"), "{other}");
    let evaluated = "apiVersion: serving.kserve.io/v1alpha1\nkind: LLMInferenceService\nmetadata: {name: l}\nspec:\n  \
                     model: {uri: 'hf://o/r', name: r}\n  template:\n    containers:\n      - name: main\n        \
                     image: ghcr.io/x/y:1\n        command: [bash, -c]\n        \
                     args: ['eval \"exec vllm serve /mnt/models --port 8000\"']\n";
    let said = told(evaluated.to_owned(), &[]);
    assert!(!said.contains("error["), "{said}");
}

/// A lane of a manifest.
fn lane_of(manifest: &str, name: &str) -> Value {
    let plan = run(&folder().join(format!("{manifest}.yaml")), &["plan", "--format", "json"]);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let mut lanes = plan["lanes"].as_array().unwrap().iter();
    lanes.find(|lane| lane["name"] == name).unwrap().clone()
}

/// A runtime is a template: where a document uses it, it is run as that says and is no lane of its own.
#[test]
fn a_runtime_is_a_lane_of_its_own_only_where_no_document_uses_it() {
    let runtime = "inferenceservice/qwen/kserve_container: vLLM";
    let text = fs_err::read_to_string(folder().join("kserve-runtime-and-service.yaml")).unwrap();
    let annotated = text.replace("name: own}", "name: own, annotations: {preflight.lane: tuned}}");
    for (text, expected) in [
        (text.clone(), &[runtime][..]),
        (text.replace("runtime: own", "runtime: other"), &["servingruntime/own", "/qwen/model"]),
        // One of another namespace is another one.
        (
            text.replace("name: own}", "name: own, namespace: a}")
                .replace("name: qwen}", "name: qwen, namespace: b}"),
            &["servingruntime/own", "/qwen/model"],
        ),
        (annotated, &["tuned: vLLM, container inferenceservice/qwen"]),
    ] {
        let run = Sandbox::new().file("a.yaml", &text).run(&["plan", "-f", "a.yaml"]);
        let lanes = run.stdout.matches("\n\n").count() + 1;
        assert_eq!(lanes, expected.len(), "{}{text}", run.stdout);
        assert!(expected.iter().all(|it| run.stdout.contains(it)), "{}{text}", run.stdout);
    }
}

#[test]
fn what_an_inference_service_says_goes_over_what_its_runtime_says() {
    let path = folder().join("kserve-merged.yaml");
    let merged = lane_of("kserve-merged", "inferenceservice/coder/kserve_container");
    let serving = &merged["serving"];
    let said = ["release", "served_names", "tensor_parallel", "context", "hub_cache"];
    let said: Vec<&Value> = said.iter().map(|key| &serving[*key]).collect();
    let expected = serde_json::json!(["0.12.0", ["coder"], 2, 8192, "/tmp/other/hub"]);
    assert_eq!(serde_json::json!(said), expected, "{merged}");
    assert_eq!(merged["artifacts"][0]["service_path"], "/mnt/models", "{merged}");
    let spread = lane_of("kserve-workers", "inferenceservice/large/kserve_container");
    assert_eq!(spread["serving"]["tensor_parallel"], 4, "{spread}");
    let two = fs_err::read_to_string(&path).unwrap().replace("nvidia.com/gpu: \"2\"", "cpu: 2");
    assert!(!told(two.clone(), &[]).contains("error["), "{}", told(two, &[]));
    let wrong = fs_err::read_to_string(&path).unwrap().replace("--max-model-len=8192", "--modl=x");
    let said = told(wrong, &[]);
    assert!(said.contains("--modl") && said.contains("inferenceservice/coder"), "{said}");
}

#[test]
fn beside_a_model_the_containers_of_a_predictor_are_in_its_pod() {
    for (name, service, expected) in [
        ("kserve-sidecar", "logged", &["fluent-bit", "model"][..]),
        ("kserve-sidecar", "trees", &["fluent-bit"]),
        ("kserve-workers", "large", &["kserve-container", "worker/worker-container"]),
        ("kserve-workers", "elsewhere", &["worker/worker-container", "model"]),
        (
            "kserve-merged-sidecar",
            "qwen",
            &["kserve-container", "metrics", "transformer-container", "fluent-bit"],
        ),
    ] {
        let path = folder().join(format!("{name}.yaml"));
        let run = Sandbox::new().run(&["config", "--services", "-f", path.to_str().unwrap()]);
        let pod = format!("inferenceservice/{service}/");
        let found: Vec<&str> =
            run.stdout.lines().filter_map(|line| line.strip_prefix(&pod)).collect();
        assert_eq!(found, expected, "{}{}", run.stdout, run.stderr);
    }
}
