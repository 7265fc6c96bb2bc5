//! Who calls whom in Pods: through a `Service`, and beside each other.

use crate::sandbox::Sandbox;
use crate::wiring::FAMILY;

/// An engine behind a `Service`, and Open WebUI in a Pod of its own. What stands between two `@` is replaced.
const STACK: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: llm @ENGINE_NS@}
spec:
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm @LABELS@}}
    spec:
      volumes: [{name: m, persistentVolumeClaim: {claimName: m}}]
      @ENGINE_POD@
      containers:
        - name: e
          image: @IMAGE@
          args: [@ARGS@]
          volumeMounts: [{name: m, mountPath: /m}]
          @ENGINE_MORE@
        @BESIDE@
---
apiVersion: v1
kind: Service
metadata: {name: llm @ENGINE_NS@}
spec: {selector: {app: llm}, ports: [@PORTS@] @SERVICE_MORE@}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ui @CLIENT_NS@}
spec:
  selector: {matchLabels: {app: ui}}
  template:
    metadata: {labels: {app: ui}}
    spec:
      @CLIENT_POD@
      containers:
        - name: web
          image: @CLIENT@
          env: [{name: @VARIABLE@, value: '@URL@'} @ENV@]
---
@MORE@
";

/// What stands there where nothing else is said.
const USUAL: [(&str, &str); 16] = [
    ("ENGINE_NS", ""),
    ("ENGINE_POD", ""),
    ("ENGINE_MORE", ""),
    ("LABELS", ""),
    ("IMAGE", "'vllm/vllm-openai:v0.12.0'"),
    ("ARGS", "--model, /m/a, --served-model-name, qwen"),
    ("BESIDE", ""),
    ("SERVICE_MORE", ""),
    ("PORTS", "{port: 80, targetPort: 8000}"),
    ("CLIENT_NS", ""),
    ("CLIENT_POD", ""),
    ("CLIENT", "'ghcr.io/open-webui/open-webui:v0.6.30'"),
    ("VARIABLE", "OPENAI_API_BASE_URL"),
    ("URL", "http://llm/v1"),
    ("ENV", ""),
    ("MORE", ""),
];

type Changes<'a> = &'a [(&'a str, &'a str)];

fn manifests(changes: Changes<'_>) -> String {
    let all = changes.iter().chain(&USUAL);
    all.fold(STACK.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}

/// The findings of this family: severity, id and message.
fn told(changes: Changes<'_>) -> Vec<String> {
    let manifests = manifests(changes);
    let arguments = ["-f", "a.yaml", "--offline", "--allow-unknown", "--color", "never"];
    let run = Sandbox::new().file("a.yaml", &manifests).run(&arguments);
    assert!(matches!(run.code, Some(0 | 17)), "{}\n{manifests}", run.stderr);
    let is_told = |line: &&str| FAMILY.iter().any(|id| line.contains(&format!("[{id}")));
    let lines: Vec<String> = run.stdout.lines().filter(is_told).map(str::to_owned).collect();
    let is_error = lines.iter().any(|line| line.starts_with("error"));
    assert_eq!(run.code == Some(17), is_error, "{}", run.stdout);
    lines
}

const BESIDE: &str = "- {name: web, image: 'ghcr.io/open-webui/open-webui:v0.6.30', \
                      env: [{name: OPENAI_API_BASE_URL, value: 'http://localhost:8000/v1'}]}";

const SECOND: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: b, labels: {app: llm}}\nspec: {containers: \
                      [{name: e, image: x}]}";

const OUTSIDE: (&str, &str) = ("URL", "http://llm:8000/v1");

#[test]
fn of_pods_that_reach_their_engine_nothing_is_told() {
    let named = "ports: [{name: http, containerPort: 8000}]";
    let in_a = ("ENGINE_NS", ", namespace: a");
    let secret = ", {name: OPENAI_API_KEY, valueFrom: {secretKeyRef: {name: s, key: k}}}";
    let unknown = "env: [{name: K, valueFrom: {secretKeyRef: {name: s, key: k}}}]";
    let metrics = "{name: web, port: 80, targetPort: 8000}, {name: more, port: 9400}";
    let rows: &[Changes<'_>] = &[
        &[],
        &[("URL", "http://llm:80/v1/")],
        &[("PORTS", "{port: 80, targetPort: http}"), ("ENGINE_MORE", named)],
        &[("PORTS", "{port: 8000}"), OUTSIDE],
        &[in_a, ("URL", "http://llm.a.svc.cluster.local/v1")],
        &[in_a, ("CLIENT_NS", ", namespace: b"), ("URL", "http://llm.a/v1")],
        &[("URL", "http://llm.default.svc/v1")],
        &[("SERVICE_MORE", ", clusterIP: None"), OUTSIDE],
        &[("PORTS", metrics)],
        &[("URL", "https://api.openai.com/v1")],
        &[("BESIDE", BESIDE)],
        &[("ARGS", "--model, /m/a, --api-key, sesame"), ("ENV", secret)],
        &[("ARGS", "--model, /m/a, --api-key, $(K)"), ("ENGINE_MORE", unknown)],
        &[
            ("ARGS", "--model, /m/a, --api-key, sesame"),
            ("ENV", ", {name: OPENAI_API_KEY, value: sesame}"),
        ],
        &[("ENV", ", {name: DEFAULT_MODELS, value: qwen}")],
        &[("VARIABLE", "HEALTH"), ("URL", "http://llm/health")],
        &[
            ("ARGS", "--model, /m/a, --host, 127.0.0.1"),
            ("SERVICE_MORE", ", type: ExternalName"),
            ("BESIDE", BESIDE),
        ],
    ];
    for changes in rows {
        assert_eq!(told(changes), Vec::<String>::new(), "{changes:?}");
    }
}

#[test]
fn of_a_name_that_may_lead_elsewhere_nothing_is_told() {
    let in_a = ("ENGINE_NS", ", namespace: a");
    let again = "apiVersion: v1\nkind: Service\nmetadata: {name: llm}\nspec: {selector: {app: llm}, ports: [{port: 1}]}";
    let route = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: r}\nspec: {hosts: [llm]}";
    let patched = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nmetadata: {name: k}\npatches: [{path: p.yaml}]";
    let cloned = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: other}\nspec: {selector: {app: x}}";
    let rows: &[Changes<'_>] = &[
        &[("URL", "http://other:8000/v1")],
        &[("URL", "http://other:8000/v1"), ("MORE", cloned)],
        &[in_a, OUTSIDE],
        &[in_a, ("CLIENT_NS", ", namespace: b"), OUTSIDE],
        &[in_a, ("URL", "http://llm.b.svc:8000/v1")],
        &[("MORE", SECOND), OUTSIDE],
        &[("MORE", again), OUTSIDE],
        &[("MORE", route), OUTSIDE],
        &[("MORE", patched), OUTSIDE],
        &[("SERVICE_MORE", ", type: ExternalName"), OUTSIDE],
        &[("LABELS", ", sidecar.istio.io/inject: 'true'"), OUTSIDE],
        &[("ENGINE_POD", "hostNetwork: true"), OUTSIDE],
        &[("CLIENT_POD", "hostNetwork: true"), OUTSIDE],
        &[("CLIENT_POD", "hostAliases: [{ip: 10.0.0.7, hostnames: [llm]}]"), OUTSIDE],
        &[("CLIENT_POD", "dnsPolicy: Default"), OUTSIDE],
        // Somebody else of its Pod may listen there.
        &[("PORTS", "{port: 80, targetPort: 8080}"), ("BESIDE", "- {name: p, image: nginx}")],
        &[
            ("ARGS", "--model, /m/a, --port, $(P)"),
            ("ENGINE_MORE", "envFrom: [{configMapRef: {name: c}}]"),
            OUTSIDE,
            ("PORTS", "{port: 8000}"),
        ],
        // What says another address is not seen.
        &[
            ("ENV", ", {name: OPENAI_API_BASE_URLS, valueFrom: {secretKeyRef: {name: s, key: k}}}"),
            ("URL", "http://llm"),
        ],
    ];
    for changes in rows {
        assert_eq!(told(changes), Vec::<String>::new(), "{changes:?}");
    }
}

fn check(changes: Changes<'_>, expected: &str) {
    assert_eq!(told(changes), [expected], "{changes:?}");
}

const SAID: &str = "`OPENAI_API_BASE_URL` of container `deployment/ui/web`";

#[test]
fn a_port_that_a_service_does_not_have_or_that_leads_to_nobody_is_told() {
    let error = |what: &str| format!("error[client-calls-otherwise]: {SAID} {what}");
    let shut = "calls port 8000 of the Service `llm`, which has no such port";
    check(&[OUTSIDE], &error(shut));
    let elsewhere = [
        ("ENGINE_NS", ", namespace: a"),
        ("CLIENT_NS", ", namespace: b"),
        ("URL", "http://llm.a.svc.cluster.local:8000/v1"),
    ];
    check(&elsewhere, &error(shut));
    // That namespace is likely the one in which everything is.
    let likely = ("URL", "http://llm.default:8000/v1");
    check(&[likely], &format!("warning[client-calls-otherwise]: {SAID} {shut}"));
    let listens = "vLLM of container `deployment/llm/e` listens on 8000";
    let past = format!("calls port 80 of the Service `llm`, which leads to 8080, and {listens}");
    check(&[("PORTS", "{port: 80, targetPort: 8080}")], &error(&past));
    let past = format!("calls port 80 of the Service `llm`, and {listens}");
    check(&[("PORTS", "{port: 80}")], &error(&past));
    check(&[("SERVICE_MORE", ", clusterIP: None")], &error(&past));
    check(
        &[("PORTS", "{port: 80, targetPort: http}")],
        &format!(
            "error[client-calls-nobody]: {SAID} calls port 80 of the Service `llm`, which leads to \
             `http`, and no container of its Pod has a port of that name"
        ),
    );
    // What the program makes of it is not known.
    check(
        &[("VARIABLE", "SOME_URL"), OUTSIDE],
        &format!(
            "warning[client-calls-otherwise]: `SOME_URL` of container `deployment/ui/web` {shut}"
        ),
    );
}

#[test]
fn a_service_that_leads_to_nobody_is_told_where_nobody_calls_it() {
    let nobody = ("URL", "https://api.openai.com/v1");
    let warning = |what: &str| {
        format!(
            "warning[published-port-unused]: the Service `llm` leads to {what}: vLLM listens on 8000"
        )
    };
    check(
        &[nobody, ("PORTS", "{port: 80, targetPort: 8080}")],
        &warning("port 8080 of container `deployment/llm/e`, on which nobody listens"),
    );
    check(
        &[nobody, ("PORTS", "{port: 80, targetPort: http}")],
        &warning("`http`, and no container of its Pod has a port of that name"),
    );
    // A word says that something listens there.
    let named = ("ENGINE_MORE", "env: [{name: VLLM_NIXL_SIDE_CHANNEL_PORT, value: '5557'}]");
    assert_eq!(told(&[nobody, named, ("PORTS", "{port: 5557}")]), Vec::<String>::new());
}

#[test]
fn an_engine_that_only_its_own_pod_reaches_is_told() {
    let own = ("ARGS", "--model, /m/a, --host, 127.0.0.1");
    check(
        &[own],
        "error[engine-listens-to-itself]: vLLM listens on 127.0.0.1 alone, inside its own container, and \
         container `deployment/llm/e` is behind the Service `llm`",
    );
    let proxied =
        [own, ("PORTS", "{port: 80, targetPort: 8443}"), ("BESIDE", "- {name: p, image: proxy}")];
    assert_eq!(told(&proxied), Vec::<String>::new());
}

#[test]
fn a_pod_that_calls_itself_is_told_where_nobody_listens_in_it() {
    let local = ("URL", "http://localhost:8000/v1");
    check(
        &[local],
        &format!(
            "error[client-calls-itself]: {SAID} calls `localhost`, which is its own Pod, and vLLM runs in \
             that of `deployment/llm/e`"
        ),
    );
    let beside = |port: &str| BESIDE.replace("8000", port);
    check(
        &[("BESIDE", &beside("8001"))],
        "error[client-calls-otherwise]: `OPENAI_API_BASE_URL` of container `deployment/llm/web` calls port \
         8001 of its own Pod, and vLLM of container `deployment/llm/e` listens on 8000",
    );
    check(
        &[("BESIDE", &beside("8000").replace("/v1", ""))],
        "error[client-calls-otherwise]: Open WebUI looks for its routes below `http://localhost:8000`, and \
         vLLM has them below `/v1`",
    );
    // It is said that it listens there itself, or nobody knows what it does.
    let listens = (
        "CLIENT",
        "'ghcr.io/open-webui/open-webui:v0.6.30'\n          ports: [{containerPort: 8000}]",
    );
    assert_eq!(told(&[local, listens]), Vec::<String>::new());
    assert_eq!(told(&[local, ("CLIENT", "'x/y:1'")]), Vec::<String>::new());
    assert_eq!(
        told(&[("BESIDE", &beside("8001").replace("}]}", "}]}\n        - {name: p, image: x}"))]),
        Vec::<String>::new()
    );
}

#[test]
fn what_a_client_asks_for_in_another_pod_is_told() {
    let otherwise = |what: &str| format!("error[client-calls-otherwise]: {what}");
    check(
        &[("URL", "http://llm")],
        &otherwise(
            "Open WebUI looks for its routes below `http://llm`, and vLLM has them below `/v1`",
        ),
    );
    check(
        &[("VARIABLE", "OLLAMA_BASE_URL"), ("URL", "http://llm")],
        &otherwise(
            "`OLLAMA_BASE_URL` of container `deployment/ui/web` is the address of an Ollama, and vLLM has \
             no API of Ollama's",
        ),
    );
    check(
        &[("URL", "https://llm:80/v1")],
        &otherwise(&format!("{SAID} calls vLLM with TLS, which it does not speak")),
    );
    check(
        &[("ENV", ", {name: DEFAULT_MODELS, value: other}")],
        "warning[model-served-by-nobody]: `DEFAULT_MODELS` of container `deployment/ui/web` asks for \
         `other`, which nobody serves: `qwen` is served",
    );
    let key = ("ARGS", "--model, /m/a, --api-key, sesame");
    let differs = "warning[client-key-differs]: vLLM of container `deployment/llm/e` wants a key, and \
                   container `deployment/ui/web` shows";
    check(&[key], &format!("{differs} none"));
    check(
        &[key, ("ENV", ", {name: OPENAI_API_KEY, value: barley}")],
        &format!("{differs} another"),
    );
}

/// A probe of an engine with these words.
fn probed(image: &str, words: &str, probe: &str) -> Vec<String> {
    let probe = format!("livenessProbe: {{httpGet: {{{probe}}}, initialDelaySeconds: 600}}");
    told(&[
        ("IMAGE", image),
        ("ARGS", words),
        ("ENGINE_MORE", &probe),
        ("URL", "http://x/v1"),
        ("PORTS", "{port: 1, targetPort: 1}"),
        ("SERVICE_MORE", ", type: ExternalName"),
    ])
}

#[test]
fn a_probe_that_an_engine_answers_with_an_error_is_told() {
    let vllm = ("'vllm/vllm-openai:v0.12.0'", "--model, /m/a");
    let keyed = (vllm.0, "--model, /m/a, --api-key, sesame");
    let llama = ("'ghcr.io/ggml-org/llama.cpp:server-b6500'", "-m, /m/a.gguf");
    let ollama = ("'ollama/ollama:0.12.3'", "serve");
    let missing = |name: &str, path: &str| format!("{name} for `{path}`, which it does not have");
    for ((image, words), probe, expected) in [
        (vllm, "path: /healthz, port: 8000", missing("vLLM", "/healthz")),
        (llama, "path: /readyz, port: 8080", missing("llama.cpp", "/readyz")),
        (
            keyed,
            "path: /v1/models, port: 8000",
            "vLLM for `/v1/models` without the key that it wants there".to_owned(),
        ),
        (
            vllm,
            "path: /health, port: 8000, scheme: HTTPS",
            "vLLM with TLS, which it does not speak".to_owned(),
        ),
    ] {
        let expected = format!(
            "error[health-check-asks-nobody]: the `livenessProbe` of `deployment/llm/e` asks {expected}, so the \
             kubelet ends it again and again"
        );
        assert_eq!(probed(image, words, probe), [expected], "{probe}");
    }
    let ssl = "--model, /m/a, --ssl-keyfile, /m/k, --ssl-certfile, /m/c";
    for ((image, words), probe) in [
        (vllm, "path: /health, port: 8000"),
        (vllm, "path: '/health?x=1', port: 8000"),
        (vllm, "path: /v1/models, port: 8000"),
        (vllm, "path: /some/other, port: 8000"),
        (vllm, "path: /healthz, port: 8000, host: 10.0.0.7"),
        (keyed, "path: /health, port: 8000"),
        (
            keyed,
            "path: /v1/models, port: 8000, httpHeaders: [{name: Authorization, value: Bearer sesame}]",
        ),
        ((vllm.0, "--model, /m/a, --middleware, a.b"), "path: /healthz, port: 8000"),
        ((vllm.0, ssl), "path: /health, port: 8000, scheme: HTTPS"),
        (llama, "path: /health, port: 8080"),
        ((llama.0, "-m, /m/a.gguf, --path, /m/www"), "path: /healthz, port: 8080"),
        (ollama, "path: /, port: 11434"),
    ] {
        assert_eq!(probed(image, words, probe), Vec::<String>::new(), "{words} {probe}");
    }
}

#[test]
fn a_service_whose_variable_vllm_takes_for_its_own_is_told() {
    let stack = manifests(&[("URL", "http://x/v1")]).replace("{name: llm ", "{name: vllm ");
    let is_told = |manifests: String| {
        let arguments = ["-f", "a.yaml", "--offline", "--allow-unknown", "--color", "never"];
        let run = Sandbox::new().file("a.yaml", manifests).run(&arguments);
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
        run.stdout.contains(
            "warning[service-sets-variable]: the kubelet tells `deployment/vllm/e` of the Service `vllm` by \
             `VLLM_PORT=tcp://...`",
        )
    };
    assert!(is_told(stack.clone()));
    let set = "ports: [{containerPort: 8000}]\n          env: [{name: VLLM_PORT, value: '9000'}]\n          volumeMounts:";
    for (from, to) in [
        ("selector: {app: llm}, ports:", "selector: {app: llm}, clusterIP: None, ports:"),
        ("      volumes:", "      enableServiceLinks: false\n      volumes:"),
        (
            "kind: Service\nmetadata: {name: vllm ",
            "kind: Service\nmetadata: {name: vllm, namespace: other",
        ),
        ("kind: Service\nmetadata: {name: vllm ", "kind: Service\nmetadata: {name: vllm-server "),
        ("volumeMounts:", set),
    ] {
        assert!(stack.contains(from), "{from}");
        assert!(!is_told(stack.replacen(from, to, 1)), "{to}");
    }
}

/// LiteLLM with its configuration in a `ConfigMap`.
fn proxy(parameters: &str, env: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  config.yaml: |\n    model_list:\n      \
         - model_name: chat\n        litellm_params: {{{parameters}}}\n---\napiVersion: v1\nkind: Pod\nmetadata: \
         {{name: proxy}}\nspec:\n  containers:\n    - name: p\n      image: ghcr.io/berriai/litellm:v1.80.5-stable\n      \
         args: [--config, /app/config.yaml]\n      env: [{env}]\n      \
         volumeMounts: [{{name: c, mountPath: /app/config.yaml, subPath: config.yaml}}]\n  \
         volumes: [{{name: c, configMap: {{name: c}}}}]"
    )
}

#[test]
fn what_stands_in_a_config_map_is_read_for_a_client() {
    let own = "api_base: 'http://llm:80/v1', api_key: none";
    let right = proxy(&format!("model: openai/qwen, {own}"), "");
    assert_eq!(told(&[("MORE", &right)]), Vec::<String>::new());
    let other = proxy(&format!("model: openai/other, {own}"), "");
    check(
        &[("MORE", &other)],
        "warning[model-served-by-nobody]: `model` in the configuration of container `pod/proxy/p` asks for \
         `other`, which nobody serves: `qwen` is served",
    );
    let port = proxy("model: openai/qwen, api_base: 'http://llm:8000/v1', api_key: none", "");
    check(
        &[("MORE", &port)],
        "error[client-calls-otherwise]: `api_base` in the configuration of container `pod/proxy/p` calls port \
         8000 of the Service `llm`, which has no such port",
    );
    let without = "model: openai/qwen, api_base: 'http://llm/v1'";
    check(
        &[("MORE", &proxy(without, ""))],
        "error[client-key-missing]: LiteLLM asks nobody without a key, and has none for vLLM of container \
         `deployment/llm/e`",
    );
    let secret = "{name: OPENAI_API_KEY, valueFrom: {secretKeyRef: {name: s, key: k}}}";
    assert_eq!(told(&[("MORE", &proxy(without, secret))]), Vec::<String>::new());
}

#[test]
fn the_plan_says_which_engine_a_service_leads_to() {
    let sandbox = Sandbox::new().file("a.yaml", manifests(&[]));
    let plan = sandbox.run(&["plan", "-f", "a.yaml"]).stdout;
    assert!(plan.contains("http://llm/v1 -> vLLM of `deployment/llm/e`"), "{plan}");
    let plan = sandbox.run(&["plan", "-f", "a.yaml", "--format", "json"]).stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let call = &plan["connections"][0];
    assert_eq!((&call["leads"], &call["to"]), (&"service".into(), &"deployment/llm/e".into()));
}
