//! Manifests as they are found: in folders, as a cluster tells them, with what nobody has filled in; what
//! annotations say, and which Pod of several preflight is in.

use std::fmt::Write as _;

use crate::kubernetes::{deployment, told};
use crate::sandbox::{Run, Sandbox};

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n    - {name: v, \
                   image: 'vllm/vllm-openai:v0.10.2', args: [--model, /m/a]}\n";

fn plan(sandbox: &Sandbox, arguments: &[&str]) -> Run {
    sandbox.run(&[&["plan"], arguments].concat())
}

#[test]
fn a_file_of_a_folder_that_is_no_manifest_is_told_and_the_others_are_judged() {
    let template = POD.replace("/m/a", "{{ .Values.model }}");
    for (text, said) in [
        (template.as_str(), "`kube/b.yaml` is a template of Helm, which is not judged"),
        ("apiVersion: v1\nkind: Pod\n a: [\n", "`kube/b.yaml` is not judged: "),
        ("replicas: 1\n", ""),
    ] {
        let sandbox = Sandbox::new().file("kube/a.yaml", POD).file("kube/b.yaml", text);
        let run = sandbox.run(&["-f", "kube", "--offline", "--allow-unknown"]);
        assert!(run.stdout.contains("pod/a/v"), "{text}: {}{}", run.stdout, run.stderr);
        let count = run.stdout.matches("warning[manifest-left-out]").count();
        assert_eq!(count, usize::from(!said.is_empty()), "{text}: {}", run.stdout);
        assert!(run.stdout.contains(said), "{text}: {}", run.stdout);
        // Somebody who names it wants it judged.
        let run = plan(&sandbox, &["-f", "kube/b.yaml"]);
        assert_eq!(run.code, Some(2), "{text}: {}", run.stdout);
        // Nothing else is there.
        let alone = Sandbox::new().file("kube/b.yaml", text);
        assert_eq!(plan(&alone, &["-f", "kube"]).code, Some(2), "{text}");
    }
}

#[test]
fn what_is_named_beside_a_folder_is_not_left_out() {
    let compose = "services: {a: {image: nginx}}\n";
    let sandbox = Sandbox::new().file("kube/a.yaml", POD).file("c.yaml", compose);
    let run = plan(&sandbox, &["-f", "kube", "-f", "c.yaml"]);
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    assert!(run.stderr.contains("stands beside manifests"), "{}", run.stderr);
    let lanes = "x-preflight: {lanes: {'pod/a/v': {source: 'hf://acme/a'}}}\n";
    let run = plan(&sandbox.file("c.yaml", lanes), &["-f", "kube", "-f", "c.yaml"]);
    assert!(run.stdout.contains("hf://acme/a"), "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_folder_of_which_nothing_can_be_read_says_so() {
    let sandbox = Sandbox::new().file("kube/notes.txt", "");
    std::os::unix::fs::symlink("gone.yaml", sandbox.path().join("kube/a.yaml")).unwrap();
    let run = plan(&sandbox, &["-f", "kube"]);
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    assert!(run.stderr.contains("kube/a.yaml"), "{}", run.stderr);
}

#[test]
fn owners_that_own_each_other_and_names_of_stars_come_to_an_end() {
    let owner = "ownerReferences: [{kind: Pod, name: a, apiVersion: v1, controller: true}]";
    let owned =
        format!("---\napiVersion: v1\nkind: Pod\nmetadata: {{name: a, {owner}}}\n").repeat(12);
    let stars = POD.replace("name: a}", &format!("name: '{}'}}", "*".repeat(300_000)));
    let sandbox = Sandbox::new().file("a.yaml", owned).file("b.yaml", stars);
    let run = sandbox.run(&["-f", "a.yaml", "-f", "b.yaml", "--role", "init", "--offline"]);
    assert!(run.code.is_some_and(|code| code != 134), "{}", run.stderr);
}

#[test]
fn many_templates_of_a_folder_are_told_once() {
    let mut sandbox = Sandbox::new().file("kube/a.yaml", POD);
    for number in 0..7 {
        let text = POD.replace("/m/a", "{{ .Values.model }}");
        sandbox = sandbox.file(&format!("kube/templates/{number}.yaml"), text);
    }
    let run = sandbox.run(&["-f", "kube", "--offline", "--allow-unknown"]);
    assert_eq!(run.stdout.matches("[manifest-left-out]").count(), 1, "{}", run.stdout);
    let said = "`kube/templates/0.yaml` and 6 other files are templates of Helm";
    assert!(run.stdout.contains(said), "{}", run.stdout);
}

/// A definition of a custom resource with this many keys.
fn definition(keys: usize, length: usize) -> String {
    let mut text =
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n".to_owned();
    let description = "d".repeat(length);
    for number in 0..keys {
        writeln!(text, "  k{number}: {description}").unwrap();
    }
    text
}

#[test]
fn definitions_of_custom_resources_do_not_count_and_what_does_is_told_with_a_way_out() {
    let files = |text: String| Sandbox::new().file("kube/a.yaml", POD).file("kube/b.yaml", text);
    let way = "name the files of the engines alone, with `-f FILE`";
    for (text, said) in [
        (definition(250_000, 1), None),
        (definition(6, 1 << 20), None),
        (
            definition(250_000, 1).replace("CustomResourceDefinition", "ConfigMap"),
            Some("the manifests have more than 200000 values"),
        ),
        (definition(25, 1 << 20), Some("the manifests have more than 24 MiB")),
    ] {
        let run = plan(&files(text.clone()), &["-f", "kube"]);
        match said {
            None => assert!(run.stdout.contains("pod/a/v: vLLM"), "{}{}", run.stdout, run.stderr),
            Some(said) => {
                assert_eq!(run.code, Some(2), "{}", run.stdout);
                assert!(run.stderr.contains(said) && run.stderr.contains(way), "{}", run.stderr);
            }
        }
    }
    let alone = plan(&Sandbox::new().file("a.yaml", definition(9, 9)), &["-f", "a.yaml"]);
    assert_eq!(alone.code, Some(0), "{}", alone.stderr);
    let one = format!("{}---\n{POD}", definition(6, 1 << 20));
    let run = plan(&Sandbox::new().file("a.yaml", one), &["-f", "a.yaml"]);
    assert!(run.stdout.contains("pod/a/v: vLLM"), "{}{}", run.stdout, run.stderr);
    // What it points at is still where it was.
    assert!(run.stdout.contains("a.yaml:16:"), "{}", run.stdout);
}

#[test]
fn an_annotation_that_nobody_understands_is_told_with_what_is_meant() {
    let two = POD.to_owned() + "    - {name: web, image: nginx}\n";
    for (annotation, pod, said) in [
        ("preflight.sorce/v", POD, Some("write `preflight.source/v`")),
        ("preflight.model", POD, Some("preflight knows no annotation `preflight.model`")),
        ("preflight.path/w", POD, Some("is for a container that `pod/a` does not have")),
        ("preflight.path", &two, Some("write one of these behind it: `/v`, `/web`")),
        ("preflight.path", POD, None),
        ("preflight.path/v", &two, None),
        ("preflight.example.com/path", POD, None),
        ("example.com/preflight.path", POD, None),
    ] {
        let named = format!("name: a, annotations: {{{annotation}: /m/a}}}}");
        let sandbox = Sandbox::new().file("a.yaml", pod.replace("name: a}", &named));
        let run = sandbox.run(&["-f", "a.yaml", "--offline", "--allow-unknown"]);
        let is_told = run.stdout.contains("warning[annotation-unknown]");
        assert_eq!(is_told, said.is_some(), "{annotation}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains(said.unwrap_or_default()), "{annotation}: {}", run.stdout);
    }
}

/// A Pod of this kind, with preflight before an engine that opens `model`.
fn template(key: &str, model: &str, folder: &str) -> String {
    format!(
        "    {key}:\n      spec:\n        hostNetwork: true\n        initContainers: [{{name: preflight, image: \
         'registry.example/preflight:1', volumeMounts: [{{name: m, mountPath: '{folder}'}}]}}]\n        \
         containers: [{{name: e, image: 'ghcr.io/ggml-org/llama.cpp:server', args: [-m, '/models/{model}'], \
         volumeMounts: [{{name: m, mountPath: /models}}]}}]\n        volumes: [{{name: m, \
         persistentVolumeClaim: {{claimName: m}}}}]\n"
    )
}

#[test]
fn of_several_pods_that_it_may_be_in_preflight_is_told_which() {
    let group = |worker: &str, name: &str| {
        let sandbox = Sandbox::quickstart();
        let folder = sandbox.path().join("models").display().to_string();
        let text = format!(
            "apiVersion: leaderworkerset.x-k8s.io/v1\nkind: LeaderWorkerSet\nmetadata: {{name: big}}\nspec:\n  \
             leaderWorkerTemplate:\n    size: 2\n{}{}",
            template("leaderTemplate", "gguf/tiny-Q4_K_M.gguf", &folder),
            template("workerTemplate", worker, &folder)
        );
        let sandbox = sandbox
            .file("pods.yaml", text)
            .variable("PREFLIGHT_ROLE", "init")
            .variable("PREFLIGHT_NO_FETCH", "true")
            .variable("PREFLIGHT_POD", name);
        sandbox.run(&["-f", "pods.yaml"])
    };
    let run = group("gone.gguf", "big-0");
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let run = group("gone.gguf", "big-0-1");
    assert_eq!(run.code, Some(10), "{}{}", run.stdout, run.stderr);
    let run = group("gone.gguf", "leaderworkerset/big/worker");
    assert_eq!(run.code, Some(10), "{}{}", run.stdout, run.stderr);
    let run = group("gone.gguf", "other-0");
    assert_eq!(run.code, Some(2), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("no Pod is called so"), "{}", run.stderr);
    // Nothing says which one it is, and they do not run the same.
    let run = group("gone.gguf", "");
    assert_eq!(run.code, Some(2), "{}{}", run.stdout, run.stderr);
    let said =
        "which of the Pods this is: `leaderworkerset/big/leader`, `leaderworkerset/big/worker`";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert!(run.stderr.contains("fieldPath: metadata.name"), "{}", run.stderr);
    assert!(!run.stderr.contains("has not mounted"), "{}", run.stderr);
    let run = group("gguf/tiny-Q4_K_M.gguf", "");
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
}

#[test]
fn what_is_scaled_to_nothing_is_not_judged_unless_something_scales_it() {
    let container = "          args: [--model, /gone]\n";
    let off = |kind: &str| {
        let text = deployment("a", container, "")
            .replace("spec:\n  selector", "spec:\n  replicas: 0\n  selector");
        text.replace("Deployment", kind)
    };
    let scaler = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: s}\nspec: {scaleTargetRef: \
                  {name: a}}\n";
    let kustomization = "---\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nreplicas: \
                         [{name: a, count: 2}]\n";
    for (manifests, is_judged) in [
        (off("Deployment"), false),
        (off("StatefulSet"), false),
        (off("Deployment").replace("replicas: 0", "replicas: 1"), true),
        (off("Deployment") + scaler, true),
        (off("Deployment") + &scaler.replace("name: a}", "name: other}"), false),
        (off("Deployment") + kustomization, true),
    ] {
        let said = told(manifests.clone(), &[]);
        assert_eq!(said.contains("error[model-path-not-mounted]"), is_judged, "{manifests}{said}");
        assert_eq!(said.contains("skipped: no Pod of it is"), !is_judged, "{manifests}{said}");
    }
}

#[test]
fn what_a_controller_has_made_is_judged_by_what_its_owner_says() {
    let owner = |controller: &str, uid: &str| {
        format!(
            "ownerReferences: [{{apiVersion: apps/v1, kind: Deployment, name: a, uid: {uid}{controller}}}]"
        )
    };
    let above = deployment("a", "          args: [--model, /m/x]\n", "");
    let above = above.replace("name: a}\nspec", "name: a, uid: one}\nspec");
    for (owners, is_made) in [
        (owner(", controller: true", "one"), true),
        (owner(", controller: true", "two"), false),
        (owner("", "one"), false),
        (owner(", controller: true", "one").replace("name: a", "name: gone"), false),
        (owner(", controller: true", "one").replace("apps/v1", "x.example/v1"), false),
    ] {
        let pod = POD.replace("name: a}", &format!("name: a-1, {owners}}}"));
        let run =
            Sandbox::new().file("a.yaml", above.clone() + &pod).run(&["plan", "-f", "a.yaml"]);
        assert!(run.stdout.contains("deployment/a/e"), "{}{}", run.stdout, run.stderr);
        assert_eq!(!run.stdout.contains("pod/a_1/v"), is_made, "{owners}: {}", run.stdout);
    }
    let revision = "apiVersion: apps/v1\nkind: ControllerRevision\nmetadata: {name: r}\nrevision: 1\ndata: {spec: \
                    {template: {spec: {containers: [{name: v, image: 'vllm/vllm-openai:v0.10.2', args: [--model, \
                    /gone]}]}}}}\n";
    let run = Sandbox::new().file("a.yaml", above + revision).run(&["plan", "-f", "a.yaml"]);
    assert!(!run.stdout.contains("/gone"), "{}", run.stdout);
}

#[test]
fn what_nobody_has_filled_in_is_told_once_and_never_taken_for_a_value() {
    for (args, env, said) in [
        ("'${MODEL}'", "A", "envsubst < FILE | preflight -f -"),
        ("'${MODEL}'", "MODEL", "write `$(MODEL)`"),
        ("'${MODEL:-a/b}'", "A", "judge the result: `... | preflight -f -`"),
        ("$MODEL", "A", "`$MODEL` of container"),
        (
            "'/m/{{ model }}', --tensor-parallel-size, '{{ ranks }}'",
            "A",
            "render the template first",
        ),
        ("'<your-model>'", "A", "`<your-model>` of container"),
        ("$(MODEL)", "'MODEL'", ""),
        ("/m/a, --served-model-name, $$A", "A", ""),
    ] {
        let container = format!(
            "          args: [--model, {args}]\n          env: [{{name: {env}, value: /m/x}}]\n"
        );
        let told = told(deployment("a", &container, ""), &[]);
        assert!(!told.contains("error["), "{args}: {told}");
        let count = told.matches("warning[placeholder]").count();
        assert_eq!(
            (count, told.contains(said)),
            (usize::from(!said.is_empty()), true),
            "{args}: {told}"
        );
    }
    let of_ray = "apiVersion: ray.io/v1\nkind: RayCluster\nmetadata: {name: r}\nspec: {headGroupSpec: {template: \
                  {spec: {containers: [{name: h, image: 'vllm/vllm-openai:v0.10.2', command: ['vllm serve \
                  ${MODEL}'], env: [{name: MODEL, value: /m/x}]}]}}}}\n";
    let said = told(of_ray.to_owned(), &[]);
    assert!(!said.contains("placeholder"), "{said}");
    // No lane needs what nobody has filled in there, and a shell fills in its own.
    let beside = "        - {name: web, image: nginx, args: ['${HOST}']}\n";
    let script = "          command: [sh, -c, 'vllm serve ${MODEL}']\n          env: [{name: MODEL, value: /m/x}]\n";
    let told = told(deployment("a", &(script.to_owned() + beside), ""), &[]);
    assert!(!told.contains("placeholder") && told.contains("/m/x"), "{told}");
}
