//! What has to be a text in a manifest: preflight against the schemas of Kubernetes.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::judge;
use crate::sandbox::Sandbox;

/// A Pod whose engine has `words` in its arguments, and `value` in a variable.
fn pod(words: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers:\n    - name: v\n      image: \
         vllm/vllm-openai:v0.12.0\n      args: [--model, /m/a{words}]\n      env: [{{name: A, value: {value}}}]\n      \
         volumeMounts: [{{name: m, mountPath: /m}}]\n  volumes: [{{name: m, persistentVolumeClaim: {{claimName: m}}}}]\n"
    )
}

/// What is told of it, by severity and place.
fn told(sandbox: &Sandbox) -> Vec<(String, u64)> {
    let run = sandbox.run(&["-f", "a.yaml", "--allow-unknown", "--offline", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let own = findings.filter(|it| it["id"] == "value-not-text");
    own.map(|it| {
        let severity = it["severity"].as_str().unwrap().to_owned();
        (severity, it["place"]["column"].as_u64().unwrap())
    })
    .collect()
}

/// Whether the schemas of Kubernetes take a manifest; absent: they are not there.
fn is_taken(manifest: &Path) -> Option<bool> {
    let python = judge::named("PREFLIGHT_TEST_KUBERNETES_VALIDATE")?;
    let mut command = Command::new(python);
    command.args(["-m", "kubernetes_validate", "--strict"]).arg(manifest);
    Some(command.output().unwrap().status.success())
}

#[test]
fn what_is_no_text_is_told_exactly_where_kubernetes_refuses_it() {
    for (words, value, is_wrong) in [
        ("", "x", false),
        (", --port, '8000'", "\"1\"", false),
        (", --port=8000, -1x, 1.2.3", "1x", false),
        (", null, ~, ''", "null", false),
        (", --port, 8000", "x", true),
        (", --gpu-memory-utilization, 0.90", "x", true),
        (", --seed, -1", "x", true),
        (", 1.5e+3", "x", true),
        (", --trust, true", "x", true),
        (", {--port: 8000}", "x", true),
        (", [--port, '8000']", "x", true),
        ("", "1", true),
        ("", "false", true),
        ("", "{a: b}", true),
    ] {
        let sandbox = Sandbox::new().file("a.yaml", pod(words, value));
        let told = told(&sandbox);
        assert_eq!(!told.is_empty(), is_wrong, "{words} {value}: {told:?}");
        assert!(told.iter().all(|(severity, _)| severity == "error"), "{told:?}");
        if let Some(taken) = is_taken(&sandbox.path().join("a.yaml")) {
            assert_eq!(taken, !is_wrong, "{words} {value}");
        }
    }
}

#[test]
fn one_finding_for_a_pod_points_at_the_first_word() {
    let sandbox = Sandbox::new().file("a.yaml", pod(", --port, 8000, --seed, 1", "2"));
    assert_eq!(told(&sandbox), [("error".to_owned(), 37)]);
    let run = sandbox.run(&["-f", "a.yaml", "--allow-unknown", "--offline"]);
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    let shown = run.stdout.matches("and here").count();
    assert_eq!(shown, 2, "{}", run.stdout);
    let allowed = ["--allow", "value-not-text"];
    let run =
        sandbox.run(&[&["-f", "a.yaml", "--allow-unknown", "--offline"][..], &allowed].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

/// What becomes of kinds that are not Kubernetes' own, and of patches, their controllers know.
#[test]
fn nothing_is_told_of_kinds_that_are_not_known_and_of_values_of_charts() {
    let wrong = pod(", --port, 8000", "1");
    let deployment = wrong
        .replace("v1\nkind: Pod", "apps/v1\nkind: Deployment")
        .replace("spec:\n", "spec:\n  template:\n   spec:\n  ")
        .replace("\n    ", "\n      ");
    for manifest in [
        wrong.replace("v1\n", "x.example/v1\n"),
        wrong.replace("kind: Pod", "kind: Values"),
        deployment,
    ] {
        let run = Sandbox::new().file("a.yaml", &manifest).run(&["plan", "-f", "a.yaml"]);
        assert!(run.stdout.contains("/m/a"), "{}{manifest}", run.stderr);
        assert_eq!(told(&Sandbox::new().file("a.yaml", &manifest)), [], "{manifest}");
    }
}

/// Of Pods without an engine it is a warning: the engines come up.
#[test]
fn beside_the_lanes_it_is_a_warning() {
    let other = pod(", --port, 8000", "1").replace("vllm/vllm-openai:v0.12.0", "nginx:1");
    let sandbox = Sandbox::new().file("a.yaml", format!("{}---\n{other}", pod("", "x")));
    assert_eq!(told(&sandbox), [("warning".to_owned(), 37)]);
}
