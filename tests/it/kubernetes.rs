//! Manifests of Kubernetes: `tests/data/kubernetes/NAME.yaml`, and in `lanes.txt` the lanes that each of
//! them has: name, engine, what it opens, where that comes from.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::Value;

use crate::judge;
use crate::sandbox::{Run, Sandbox, repository};

/// The manifests whose kinds are Kubernetes' own, which its schemas describe.
const OF_OTHERS: [&str; 4] = ["kserve", "leaderworkerset", "raycluster", "kaito"];

/// Manifests that are odd on purpose: Kubernetes itself refuses them.
const REFUSED: [&str; 5] =
    ["lookalikes", "odd-keys", "undeclared-volume", "kustomize-patch", "placeholders"];

pub(crate) fn folder() -> PathBuf {
    repository().join("tests/data/kubernetes")
}

/// Every manifest with its name.
fn manifests() -> Vec<(String, PathBuf)> {
    let entries = fs_err::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<(String, PathBuf)> = entries
        .filter(|path| path.extension().is_some_and(|it| it == "yaml"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    found.sort();
    found
}

pub(crate) fn run(path: &Path, arguments: &[&str]) -> Run {
    let path = path.to_string_lossy();
    Sandbox::new().run(&[&["-f", &path], arguments].concat())
}

/// The lanes of a manifest, a line for each.
fn lanes(path: &Path) -> String {
    let plan = run(path, &["plan", "--format", "json"]);
    assert_eq!(plan.code, Some(0), "{}: {}", path.display(), plan.stderr);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let lines = plan["lanes"].as_array().unwrap().iter().map(|lane| {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let opened = match (&lane["artifacts"][0], &lane["cached"][0]) {
            (Value::Null, Value::Null) => "-".to_owned(),
            (Value::Null, cached) => format!("repository {}", text(&cached["repository"])),
            (artifact, _) => text(&artifact["service_path"]),
        };
        let mut line = format!(
            "{} | {} | {opened} | {}",
            text(&lane["name"]),
            text(&lane["engine"]),
            text(&lane["source"]["value"])
        );
        if lane["required"] == false {
            line.push_str(" | optional");
        }
        if let Some(reason) = lane["skipped"].as_str() {
            line.push_str(&format!(" | skipped: {reason}"));
        }
        line
    });
    lines.map(|line| line + "\n").collect()
}

#[test]
fn every_manifest_has_the_lanes_that_it_has() {
    let found = manifests();
    assert!(found.len() >= 79, "{}", found.len());
    let table: String =
        found.iter().map(|(name, path)| format!("## {name}\n{}", lanes(path))).collect();
    let path = folder().join("lanes.txt");
    if std::env::var_os("PREFLIGHT_TEST_WRITE_DOCS").is_some() {
        fs_err::write(&path, &table).unwrap();
    }
    let expected = fs_err::read_to_string(&path).unwrap();
    assert_eq!(expected, table);
}

#[test]
fn what_is_told_of_a_manifest_is_told_in_the_words_of_kubernetes() {
    let words = [
        "docker",
        "compose",
        "`volumes` of the project",
        "label",
        "mem_limit",
        "shm_size",
        "service `",
        "the service",
        "  service  ",
    ];
    for (name, path) in manifests() {
        let run = run(&path, &["--offline"]);
        assert!(matches!(run.code, Some(0..=30)), "{name}: {:?}\n{}", run.code, run.stderr);
        // What Kubernetes itself calls so is written large.
        let said = format!("{}{}", run.stdout, run.stderr).replace("the Service `", "the door `");
        let said = said.to_lowercase();
        let told = words.iter().find(|word| said.contains(**word));
        assert_eq!(told, None, "{name}:\n{said}");
    }
}

/// An error about a manifest that a cluster would run is a false alarm, but for what is truly wrong.
#[test]
fn no_manifest_is_told_an_error_but_that_its_files_cannot_be_seen() {
    for (name, path) in manifests() {
        let run = run(&path, &["--offline", "--format", "json", "--allow-unknown"]);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().iter();
        let errors = findings.filter(|finding| finding["severity"] == "error");
        let ids: Vec<&str> = errors.map(|finding| finding["id"].as_str().unwrap()).collect();
        let expected: &[&str] = match name.as_str() {
            "not-mounted" => &["model-path-not-mounted"],
            "no-engine" | "lookalikes" | "script-sums" => &["no-lane"],
            "volume-not-shared" => &["volume-not-shared"],
            "probe-elsewhere" => &["health-check-asks-nobody"],
            _ => &[],
        };
        assert_eq!(ids, expected, "{name}");
    }
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n    - {name: v, \
                   image: 'vllm/vllm-openai:v0.10.2', args: [--model, /m/a]}\n";

#[test]
fn a_container_that_is_given_a_device_may_have_a_gpu_by_another_name() {
    for (resources, is_told) in [
        ("{limits: {memory: 8Gi}}", true),
        ("{limits: {volcano.sh/vgpu-number: 4}}", false),
        ("{claims: [{name: gpu}]}", false),
    ] {
        let pod = POD.replace("args:", &format!("resources: {resources}, args:"));
        let run = Sandbox::new().file("a.yaml", pod).run(&["-f", "a.yaml", "--offline"]);
        let told = run.stdout.contains("gpu-not-asked-for");
        assert_eq!(told, is_told, "{resources}: {}", run.stdout);
    }
}

#[test]
fn manifests_come_from_standard_input_and_out_of_folders() {
    let sandbox = Sandbox::new().file("kube/a.yaml", POD).file("kube/more/b.yml", POD);
    let sandbox = sandbox.file("kube/values.yaml", "image: x\n").file("kube/.hidden.yaml", ":::");
    for arguments in [&["plan", "-f", "kube"][..], &["plan", "kube"]] {
        let run = sandbox.run(arguments);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(run.stdout.contains("pod/a/v: vLLM"), "{}", run.stdout);
        assert!(run.stdout.contains("pod/a_2/v: vLLM"), "{}", run.stdout);
        assert!(run.stdout.contains("kube/more/b.yml:6:"), "{}", run.stdout);
    }
    let mut command = sandbox.command(&["plan", "-f", "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(POD.as_bytes()).unwrap();
    let run = sandbox.told(&child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("<stdin>:6:"), "{}", run.stdout);
}

#[test]
fn manifests_stand_in_the_place_of_a_compose_file_that_is_not_there() {
    let sandbox = Sandbox::new().file("a.yaml", POD).file("values.yaml", "image: x\n");
    let run = sandbox.run(&["plan"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("pod/a/v: vLLM"), "{}", run.stdout);
    let run = sandbox.file("compose.yaml", "services: {a: {image: i}}\n").run(&["plan"]);
    assert!(!run.stdout.contains("pod/a/v"), "{}", run.stdout);
    refused(
        &Sandbox::new().file("values.yaml", "kind: x\n"),
        &["plan", "--project-directory", "."],
        "preflight: error: no Compose file was found in `[DIR]` or above\n  hint: name one, or \
         manifests of Kubernetes, with `-f FILE`\n",
    );
}

#[test]
fn line_ends_and_marks_of_other_systems_are_taken() {
    let text = format!("\u{feff}{}", POD.replace('\n', "\r\n"));
    let run = Sandbox::new().file("a.yaml", text).run(&["plan", "-f", "a.yaml"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("/m/a"), "{}", run.stdout);
}

pub(crate) fn refused(sandbox: &Sandbox, arguments: &[&str], expected: &str) {
    let run = sandbox.run(arguments);
    assert_eq!((run.code, run.stderr.as_str()), (Some(2), expected), "{}", run.stdout);
}

#[test]
fn manifests_beside_a_compose_file_are_refused() {
    let sandbox = Sandbox::new().file("a.yaml", POD).file("c.yaml", "services: {a: {image: i}}\n");
    refused(
        &sandbox,
        &["plan", "-f", "a.yaml", "-f", "c.yaml"],
        "preflight: error: c.yaml:1:1: `c.yaml` is a Compose file, and stands beside manifests of \
         Kubernetes\n  hint: name one or the other: each is judged in a run of its own\n",
    );
    refused(
        &sandbox.file("empty/x.txt", ""),
        &["plan", "-f", "empty"],
        "preflight: error: there is no manifest of Kubernetes in the folder `empty`\n  hint: a \
         Compose project is named by its file, or with `--project-directory`\n",
    );
}

#[test]
fn a_template_of_helm_is_told_as_such_and_never_read() {
    let hint = "\n  hint: render it first: `helm template NAME CHART | preflight -f -`\n";
    for (text, place) in [
        (POD.replace("/m/a", "{{ .Values.model }}"), "6:68"),
        (POD.replace("name: a}", "name: {{ include \"x.name\" . }}}"), "3:18"),
        (POD.replace("spec:", "spec:\n{{- if .Values.on }}\n  a: b\n{{- end }}"), "5:1"),
        (POD.replace("v0.10.2", "{{ .Values.tag }}"), "6:24"),
    ] {
        let sandbox = Sandbox::new().file("a.yaml", &text);
        let what = "this is a template of Helm, not a manifest";
        let expected = format!("preflight: error: a.yaml:{place}: {what}{hint}");
        refused(&sandbox, &["plan", "-f", "a.yaml"], &expected);
    }
}

#[test]
fn a_compose_file_that_cannot_be_read_is_no_template_of_helm() {
    let text = "# apiVersion: v1, kind: List\nservices:\n  a: {image: 'x:{{ .Values.tag }}'\n";
    let run = Sandbox::new().file("compose.yaml", text).run(&["plan"]);
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    assert!(!run.stderr.contains("Helm"), "{}", run.stderr);
    assert!(run.stderr.contains("compose.yaml:"), "{}", run.stderr);
}

#[test]
fn words_that_are_no_list_are_refused_as_by_whoever_runs_pods() {
    for (words, said) in [
        (
            "args: --model /m/a",
            "a string: no cluster takes the manifest\n  hint: write `args: [--model, /m/a]`\n",
        ),
        ("command: 8", "a number: no cluster takes the manifest\n  hint: write `command: [8]`\n"),
    ] {
        let key = words.split(':').next().unwrap();
        let manifest = POD.replace("args: [--model, /m/a]", words);
        refused(
            &Sandbox::new().file("a.yaml", manifest),
            &["plan", "-f", "a.yaml"],
            &format!(
                "preflight: error: a.yaml:6:{}: `{key}` of a container must be a list of words, not {said}",
                54 + key.len()
            ),
        );
    }
    // What a kind of somebody else's means, its controller knows.
    let other = POD
        .replace("apiVersion: v1", "apiVersion: x.example/v1")
        .replace("[--model, /m/a]", "none");
    let run = Sandbox::new().file("a.yaml", other).run(&["plan", "-f", "a.yaml"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn what_a_source_of_variables_that_is_not_known_may_say_anew_is_unknown() {
    let known =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: known}\ndata: {MODEL: /m/known}\n---\n";
    let from = |sources: &str| {
        let container = format!("args: [--model, $(MODEL)], envFrom: [{sources}]}}");
        let manifest = known.to_owned() + &POD.replace("args: [--model, /m/a]}", &container);
        Sandbox::new().file("a.yaml", manifest).run(&["plan", "-f", "a.yaml"]).stdout
    };
    let (defaults, secret) = ("{configMapRef: {name: known}}", "{secretRef: {name: s}}");
    let other = "{configMapRef: {name: site, optional: true}}";
    for (sources, is_known) in [
        (format!("{defaults}, {secret}"), true),
        (format!("{other}, {defaults}"), true),
        (format!("{defaults}, {other}"), false),
        (format!("{defaults}, {{configMapRef: {{name: site}}, prefix: SITE_}}"), true),
    ] {
        let plan = from(&sources);
        assert_eq!(plan.contains("/m/known"), is_known, "{sources}: {plan}");
    }
}

#[test]
fn the_lanes_of_a_file_beside_manifests_count() {
    let lanes = "x-preflight: {lanes: {reader: {service: pod/a/v, source: hf://Qwen/Qwen3-8B}}}\n";
    let sandbox = Sandbox::new().file("a.yaml", POD).file("lanes.yaml", lanes);
    let run = sandbox.run(&["plan", "-f", "a.yaml", "-f", "lanes.yaml"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.starts_with("reader: vLLM"), "{}", run.stdout);
    assert!(run.stdout.contains("hf://Qwen/Qwen3-8B"), "{}", run.stdout);
}

#[test]
fn an_annotation_that_cannot_be_read_is_told_with_its_place() {
    let text = POD.replace("name: a}", "name: a, annotations: {preflight.source/v: nowhere}}");
    let run = Sandbox::new().file("a.yaml", text).run(&["plan", "-f", "a.yaml"]);
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    assert!(run.stderr.contains("a.yaml:3:55: `nowhere` is not a source"), "{}", run.stderr);
}

#[test]
fn a_secret_of_a_manifest_is_never_shown() {
    let path = folder().join("env-from-known.yaml");
    for arguments in
        [&["--offline"][..], &["plan"], &["config"], &["--format", "json", "--offline"]]
    {
        let run = run(&path, arguments);
        let said = format!("{}{}", run.stdout, run.stderr);
        for secret in ["hf_abcdefghijklmnop", "aGZfYWJjZGVmZ2hpamtsbW5vcA"] {
            assert!(!said.contains(secret), "{arguments:?}:\n{said}");
        }
    }
}

/// A Deployment of vLLM with these keys of its container, and of its Pod.
pub(crate) fn deployment(name: &str, container: &str, pod: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    \
         spec:\n      volumes: [{{name: m, persistentVolumeClaim: {{claimName: m}}}}]\n{pod}      containers:\n        \
         - name: e\n          image: vllm/vllm-openai:v0.12.0\n          volumeMounts: [{{name: m, mountPath: /m}}]\n\
         {container}---\n"
    )
}

/// What is told of manifests by hand, whatever cannot be seen from here.
pub(crate) fn told(manifests: String, arguments: &[&str]) -> String {
    let whole = [&["-f", "a.yaml", "--offline", "--allow-unknown"], arguments].concat();
    let run = Sandbox::new().file("a.yaml", manifests).run(&whole);
    run.stdout + &run.stderr
}

#[test]
fn a_secret_is_hidden_whatever_it_looks_like() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {NAME: hunter2secretpw}\n---\n";
    let container = "          envFrom: [{secretRef: {name: s}}]\n          \
                     args: [--model, /m/x, --served-model-name, $(NAME), --tensor-parallel-size, $(NAME)]\n";
    let manifests = secret.to_owned() + &deployment("a", container, "");
    for arguments in [&["--format", "json"][..], &["--format", "markdown"], &[]] {
        let said = told(manifests.clone(), arguments);
        assert!(said.contains("***") && !said.contains("hunter2secretpw"), "{said}");
    }
    let plan = Sandbox::new().file("a.yaml", manifests).run(&["plan", "-f", "a.yaml"]).stdout;
    assert!(plan.contains("/m/x") && !plan.contains("hunter2secretpw"), "{plan}");
}

#[test]
fn what_the_cluster_says_is_unknown_and_never_wrong() {
    let container = "          args: [--model, /m/x, --port, $(VLLM_SERVICE_PORT), --pipeline-parallel-size, \
                     $(LWS_GROUP_SIZE), --seed, $(JOB_COMPLETION_INDEX)]\n";
    let said = told(deployment("a", container, ""), &[]);
    assert!(!said.contains("error["), "{said}");
}

#[test]
fn pods_may_be_on_nodes_of_their_own_with_gpus_of_their_own() {
    let container = "          args: [--model, /m/x]\n          ports: [{containerPort: 8000, hostPort: 8000}]\n          \
                     resources: {limits: {nvidia.com/gpu: 1}}\n";
    let pod = "      hostNetwork: true\n";
    let two = deployment("a", container, pod) + &deployment("b", container, pod);
    let said = told(two, &["--gpus", "24GiB,24GiB"]);
    assert!(!said.contains("error["), "{said}");
    // One container has as many GPUs as it is limited to.
    let ranks = container.replace("/m/x]", "/m/x, --tensor-parallel-size, '2']");
    let said = told(deployment("a", &ranks, ""), &[]);
    assert!(said.contains("ranks-exceed-gpus"), "{said}");
}

#[test]
fn other_commands_speak_of_manifests_as_such() {
    let mounted = "[--model, /m/a], volumeMounts: [{name: m, mountPath: /m}]";
    let manifest = POD.replace("[--model, /m/a]", mounted)
        + "  volumes: [{name: m, persistentVolumeClaim: {claimName: m}}]\n";
    let sandbox = || Sandbox::new().file("a.yaml", &manifest);
    for (command, code, said) in [
        ("smoke", 3, "behind `kubectl port-forward`"),
        ("init", 2, "docs/kubernetes.md shows one"),
        ("doctor", 13, "`manifests`, 1 container: a.yaml"),
        ("fit", 0, "1 unknown"),
        ("lock", 0, "no lane has a source"),
        ("plan", 0, "container pod/a/v, a.yaml"),
    ] {
        let sandbox = sandbox().variable("HF_ENDPOINT", "http://127.0.0.1:1");
        let run = sandbox.run(&[command, "-f", "a.yaml"]);
        let told = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, Some(code), "{command}: {told}");
        assert!(told.contains(said), "{command}: {told}");
        let is_about_docker = command == "doctor" || command == "init";
        assert!(is_about_docker || !told.to_lowercase().contains("docker"), "{command}: {told}");
        assert!(!told.contains("service"), "{command}: {told}");
    }
}

/// Checks that are told of Pods alone, or of their probes.
const OF_PODS: [&str; 6] = [
    "init-does-not-gate",
    "volume-not-shared",
    "emptydir-too-small",
    "probe-kills-download",
    "health-check-asks-nobody",
    "health-check-impatient",
];

#[test]
fn what_is_true_of_pods_alone_is_told_of_those_that_have_it_and_of_no_other() {
    let told = manifests().into_iter().flat_map(|(name, path)| {
        let run = run(&path, &["--offline", "--format", "json", "--allow-unknown"]);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().iter();
        let ids = findings.filter_map(|it| it["id"].as_str()).filter(|id| OF_PODS.contains(id));
        ids.map(|id| format!("{name}: {id}")).collect::<Vec<_>>()
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "preflight-beside: init-does-not-gate",
            "preflight-blind: volume-not-shared",
            "preflight-sidecar: init-does-not-gate",
            "probe-elsewhere: health-check-asks-nobody",
            "probe-impatient: probe-kills-download",
            "volume-not-shared: volume-not-shared",
        ]
    );
}

#[test]
fn a_cache_that_is_gone_with_its_pod_is_a_note_and_one_in_the_container_a_warning() {
    let pod = |volume: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers:\n    - {{name: v, image: \
             'vllm/vllm-openai:v0.12.0', args: [Qwen/Qwen3-8B], volumeMounts: [{{name: c, mountPath: \
             /root/.cache/huggingface}}]}}\n  volumes: [{{name: c, {volume}}}]\n"
        )
    };
    let said = told(pod("emptyDir: {}"), &[]);
    assert!(said.contains("note[cache-not-mounted]"), "{said}");
    assert!(said.contains("in the volume `c` that is gone with its Pod"), "{said}");
    for volume in ["persistentVolumeClaim: {claimName: c}", "hostPath: {path: /c}"] {
        let said = told(pod(volume), &[]);
        assert!(!said.contains("cache-not-mounted"), "{said}");
    }
    let other = pod("emptyDir: {}").replace("/root/.cache/huggingface", "/elsewhere");
    assert!(told(other, &[]).contains("warning[cache-not-mounted]"));
}

#[test]
fn kubernetes_takes_the_manifests() {
    let Some(python) = judge::named("PREFLIGHT_TEST_KUBERNETES_VALIDATE") else { return };
    let is_own = |name: &str| {
        !OF_OTHERS.iter().any(|other| name.starts_with(other)) && !REFUSED.contains(&name)
    };
    let own: Vec<PathBuf> =
        manifests().into_iter().filter(|(name, _)| is_own(name)).map(|(_, path)| path).collect();
    assert!(own.len() > 40, "{}", own.len());
    let output = Command::new(python)
        .args(["-m", "kubernetes_validate", "--strict"])
        .args(&own)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Lines taken away, doubled and cut: an error, or lanes, and never a crash.
    #[test]
    fn whatever_becomes_of_a_manifest_it_is_judged_or_refused(
        name in 0..79_usize,
        kept in subsequence((0..60_usize).collect::<Vec<_>>(), 30..60),
        doubled in 0..60_usize,
        cut in 0..200_usize,
    ) {
        let (_, path) = manifests().swap_remove(name);
        let text = fs_err::read_to_string(path).unwrap();
        let lines = text.lines().enumerate();
        let mut mutated: String = lines
            .filter(|(index, _)| kept.contains(index))
            .map(|(index, line)| line.to_owned() + "\n" + if index == doubled { line } else { "" })
            .collect();
        mutated.truncate(mutated.floor_char_boundary(mutated.len().saturating_sub(cut)));
        let run = Sandbox::new().file("a.yaml", &mutated).run(&["-f", "a.yaml", "--offline"]);
        prop_assert!(matches!(run.code, Some(0..=30)), "{:?}\n{}\n{}", run.code, run.stderr, mutated);
    }
}

/// The quickstart as a Pod whose init container is preflight: what is mounted into it is found in the
/// folder of the sandbox.
fn pod_with_preflight(sandbox: Sandbox, more: &str) -> Sandbox {
    let models = sandbox.path().join("models");
    let text = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: reader}}\nspec:\n  initContainers:\n    - {{name: \
         preflight, image: 'registry.example/preflight:1', volumeMounts: [{{name: m, mountPath: '{}'}}]}}\n  \
         containers:\n    - {{name: engine, image: 'ghcr.io/ggml-org/llama.cpp:server', args: [-m, \
         /models/gguf/tiny-Q4_K_M.gguf], volumeMounts: [{{name: m, mountPath: /models}}]}}\n  volumes: \
         [{{name: m, emptyDir: {{}}}}]\n{more}",
        models.display()
    );
    let log = sandbox.path().join("termination-log").display().to_string();
    sandbox
        .file("pod.yaml", text)
        .file("termination-log", "")
        .variable("PREFLIGHT_ROLE", "init")
        .variable("PREFLIGHT_NO_FETCH", "true")
        .variable("PREFLIGHT_NO_DOCKER", "false")
        .variable("DOCKER_HOST", "tcp://127.0.0.1:1")
        .variable("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        .variable("PREFLIGHT_TERMINATION_LOG", log)
}

fn last_words(sandbox: &Sandbox) -> String {
    let text = fs_err::read_to_string(sandbox.path().join("termination-log")).unwrap();
    text.replace(&sandbox.path().display().to_string(), "[DIR]")
}

#[test]
fn in_a_pod_the_volume_is_seen_through_the_own_container() {
    let sandbox = pod_with_preflight(Sandbox::quickstart(), "");
    let run = sandbox.run(&["-f", "pod.yaml"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.ends_with("preflight: ready: 1 of 1 lane\n"), "{}", run.stderr);
    assert!(!run.stderr.to_lowercase().contains("docker"), "{}", run.stderr);
    assert_eq!(last_words(&sandbox), "preflight: ready: 1 of 1 lane\n");
}

#[test]
fn in_a_pod_a_broken_model_is_told_where_kubernetes_shows_it() {
    let sandbox = pod_with_preflight(Sandbox::quickstart(), "");
    let model = sandbox.path().join("models/gguf/tiny-Q4_K_M.gguf");
    let whole = fs_err::read(&model).unwrap();
    fs_err::write(&model, &whole[..whole.len() / 2]).unwrap();
    let run = sandbox.run(&["-f", "pod.yaml"]);
    assert_eq!(run.code, Some(11), "{}{}", run.stdout, run.stderr);
    let told = last_words(&sandbox);
    assert!(told.starts_with("preflight: not ready: exit 11"), "{told}");
    assert!(told.contains("file-truncated") && told.len() <= 2048, "{told}");
    assert!(run.stderr.ends_with(&told), "{}", run.stderr);

    fs_err::remove_file(&model).unwrap();
    let run = sandbox.run(&["-f", "pod.yaml"]);
    assert_eq!(run.code, Some(10), "{}{}", run.stdout, run.stderr);
    assert!(last_words(&sandbox).contains("files-missing"), "{}", last_words(&sandbox));
    let run = sandbox.run(&["-f", "nowhere.yaml"]);
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    assert!(last_words(&sandbox).contains("cannot read `"), "{}", last_words(&sandbox));
}

#[test]
fn in_a_pod_the_engines_of_other_pods_are_left_to_their_own() {
    let other = format!("---\n{}", POD.replace("name: a}", "name: other}"));
    let sandbox = pod_with_preflight(Sandbox::quickstart(), &other);
    let run = sandbox.run(&["-f", "pod.yaml"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.ends_with("1 of 1 lane, 1 skipped\n"), "{}", run.stderr);
}

#[test]
fn in_a_pod_a_volume_that_is_too_small_for_its_model_is_told() {
    let limits = "resources: {limits: {memory: 100Ki}}, volumeMounts";
    for (volume, mounts, expected) in [
        ("emptyDir: {sizeLimit: 100Ki}", "volumeMounts", "the kubelet evicts a Pod that has more"),
        ("emptyDir: {medium: Memory, sizeLimit: 100Ki}", "volumeMounts", "no more can be written"),
        ("emptyDir: {medium: Memory}", limits, "its Pod may have 200.0 KiB of that in all"),
    ] {
        let sandbox = pod_with_preflight(Sandbox::quickstart(), "");
        let text = fs_err::read_to_string(sandbox.path().join("pod.yaml")).unwrap();
        let text = text.replace("emptyDir: {}", volume).replace("volumeMounts", mounts);
        let run = sandbox.file("pod.yaml", text).run(&["-f", "pod.yaml"]);
        assert!(run.stderr.contains("emptydir-too-small"), "{}", run.stderr);
        assert!(run.stderr.contains(expected), "{volume}: {}", run.stderr);
    }
    let sandbox = pod_with_preflight(Sandbox::quickstart(), "");
    let text = fs_err::read_to_string(sandbox.path().join("pod.yaml")).unwrap();
    for volume in ["emptyDir: {sizeLimit: 1Mi}", "emptyDir: {medium: Memory}"] {
        let sandbox = pod_with_preflight(Sandbox::quickstart(), "");
        let text = text.replace("emptyDir: {}", volume);
        let run = sandbox.file("pod.yaml", text).run(&["-f", "pod.yaml"]);
        assert_eq!(run.code, Some(0), "{volume}: {}", run.stderr);
    }
}
