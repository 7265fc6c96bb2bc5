//! Whom programs are told to call by the configuration files that they mount.

use crate::sandbox::Sandbox;

const VLLM: &str = "  vllm:
    image: vllm/vllm-openai:v0.12.0
    command: --model /models/vllm/tiny/bf16 --served-model-name qwen WORDS
    volumes: [\"./models:/models:ro\"]
    gpus: all
";

/// The exit code, and the findings of this family, each with where it points.
fn told(sandbox: Sandbox, compose: &str) -> (i32, String) {
    let run = sandbox.file("compose.yaml", compose).run(&["verify", "--color", "never"]);
    let ids = ["client-calls-", "client-key-", "model-served-by-nobody"];
    let lines: Vec<&str> = run.stdout.lines().collect();
    let mut found = Vec::new();
    for pair in lines.windows(2) {
        if ids.iter().any(|id| pair[0].contains(&format!("[{id}"))) {
            let place = pair[1].trim().strip_prefix("--> ").unwrap_or("nowhere");
            found.push(format!("{} @ {place}", pair[0]));
        }
    }
    (run.code.unwrap(), found.join("\n"))
}

/// vLLM with `words`, and `client` as the lines of another service, with the files that it mounts.
fn check(words: &str, client: &str, files: &[(&str, &str)], code: i32, expected: &[&str]) {
    let compose = format!("services:\n{}  client:\n{client}", VLLM.replace("WORDS", words));
    let sandbox = files.iter().fold(Sandbox::quickstart(), |it, (name, text)| it.file(name, text));
    let (found, text) = told(sandbox, &compose);
    assert_eq!(text, expected.join("\n"), "{compose}\n{files:?}");
    assert_eq!(found, code, "{compose}\n{files:?}");
}

const LITELLM: &str = "    image: ghcr.io/berriai/litellm:v1.80.5-stable
    command: [\"--config\", \"/app/config.yaml\", \"--port\", \"4000\"]
    volumes: [\"./litellm.yaml:/app/config.yaml:ro\"]
    depends_on: [vllm]
    environment: {BASE: \"http://vllm:8000/v1\", KEY: first}
";

fn litellm(words: &str, parameters: &str, code: i32, expected: &[&str]) {
    let config =
        format!("model_list:\n  - model_name: chat\n    litellm_params:\n      {parameters}\n");
    check(words, LITELLM, &[("litellm.yaml", &config)], code, expected);
}

#[test]
fn an_address_in_the_configuration_of_litellm_is_judged() {
    litellm("", "{model: openai/qwen, api_base: \"http://vllm:8000/v1\", api_key: none}", 0, &[]);
    litellm("", "{model: hosted_vllm/qwen, api_base: os.environ/BASE}", 0, &[]);
    litellm("", "{model: openai/gpt-5, api_key: os.environ/OPENAI_API_KEY}", 0, &[]);
    litellm("", "{model: azure/x, api_base: \"https://x.openai.azure.com/\"}", 0, &[]);
    litellm(
        "",
        "{model: hosted_vllm/qwen, api_base: \"http://vllm:8000\"}",
        17,
        &[
            "error[client-calls-otherwise]: LiteLLM looks for its routes below `http://vllm:8000`, and \
           vLLM has them below `/v1` @ litellm.yaml:4:43",
        ],
    );
    // It has that route at the root as well.
    litellm("", "{model: hosted_vllm/my-reranker, api_base: \"http://vllm:8000\"}", 0, &[]);
    litellm(
        "",
        "{model: openai/qwen, api_base: \"http://vllm:8001/v1\", api_key: none}",
        17,
        &[
            "error[client-calls-otherwise]: `api_base` in the configuration of service `client` calls \
           port 8001 of service `vllm`, and vLLM listens on 8000 @ litellm.yaml:4:38",
        ],
    );
    litellm(
        "",
        "{model: openai/qwen, api_base: \"http://vlm:8000/v1\", api_key: none}",
        17,
        &["error[client-calls-nobody]: `api_base` in the configuration of service `client` calls \
           `vlm`, and no service or container is called so @ litellm.yaml:4:38"],
    );
    litellm(
        "",
        "{model: openai/qwen, api_base: \"http://localhost:8000/v1\"}",
        17,
        &["error[client-calls-itself]: `api_base` in the configuration of service `client` calls \
           `localhost`, which is the container of `client` itself, and vLLM runs in that of `vllm` \
           @ litellm.yaml:4:38"],
    );
    litellm(
        "",
        "{model: ollama/qwen, api_base: \"http://vllm:8000\"}",
        17,
        &[
            "error[client-calls-otherwise]: `api_base` in the configuration of service `client` is the \
           address of an Ollama, and vLLM has no API of Ollama's @ litellm.yaml:4:38",
        ],
    );
}

#[test]
fn a_name_and_a_key_in_the_configuration_of_litellm_are_those_of_the_engine() {
    litellm(
        "",
        "{model: openai/qwen2.5, api_base: \"http://vllm:8000/v1\", api_key: none}",
        0,
        &[
            "warning[model-served-by-nobody]: `model` in the configuration of service `client` asks for \
           `qwen2.5`, which nobody serves: `qwen` is served @ litellm.yaml:4:15",
        ],
    );
    litellm("", "{model: openai/*, api_base: \"http://vllm:8000/v1\", api_key: none}", 0, &[]);
    let keyed = "--api-key first";
    let with =
        |key: &str| format!("{{model: openai/qwen, api_base: \"http://vllm:8000/v1\"{key}}}");
    litellm(keyed, &with(", api_key: first"), 0, &[]);
    litellm(keyed, &with(", api_key: os.environ/KEY"), 0, &[]);
    let differs = |what: &str, place: &str| {
        format!(
            "warning[client-key-differs]: vLLM of service `vllm` wants a key, and service `client` \
             {what} @ litellm.yaml:{place}"
        )
    };
    litellm(keyed, &with(", api_key: other"), 0, &[&differs("shows another", "4:70")]);
    litellm(
        keyed,
        "{model: hosted_vllm/qwen, api_base: \"http://vllm:8000/v1\"}",
        0,
        &[&differs("shows none", "4:43")],
    );
}

#[test]
fn litellm_asks_nobody_without_a_key_where_it_has_none_of_its_own() {
    let missing = "error[client-key-missing]: LiteLLM asks nobody without a key, and has none for vLLM of \
                   service `vllm` @ litellm.yaml:";
    let without = "{model: openai/qwen, api_base: \"http://vllm:8000/v1\"}";
    litellm("", without, 17, &[&format!("{missing}4:38")]);
    litellm("--api-key first", without, 17, &[&format!("{missing}4:38")]);
    let unset =
        "{model: openai/qwen, api_base: \"http://vllm:8000/v1\", api_key: os.environ/UNSET}";
    litellm("", unset, 17, &[&format!("{missing}4:38")]);
    // What becomes of a number is not known.
    litellm("", &without.replace('}', ", api_key: 7}"), 0, &[]);
    // Whoever asks for this route shows a key of his own, and this route is asked without one.
    litellm("", &without.replace('}', ", configurable_clientside_auth_params: [api_key]}"), 0, &[]);
    litellm("", &without.replace('}', "}\n    model_info: {mode: responses}"), 0, &[]);

    let config = format!("model_list: [{{model_name: chat, litellm_params: {without}}}]\n");
    let silent = |client: &str, config: &str| {
        check("", client, &[("litellm.yaml", config)], 0, &[]);
    };
    for more in [
        "litellm_settings: {api_key: none}",
        "general_settings: {store_model_in_db: true}",
        "general_settings: {key_management_system: hashicorp_vault}",
        "environment_variables: {OPENAI_API_KEY: none}",
    ] {
        silent(LITELLM, &format!("{config}{more}\n"));
    }
    for (one, other) in [
        ("KEY: first", "OPENAI_API_KEY: first"),
        ("KEY: first", "OPENAI_API_KEY: \"\""),
        ("KEY: first", "STORE_MODEL_IN_DB: \"True\""),
        ("ghcr.io/berriai/litellm:v1.80.5-stable", "registry.example.org/own/litellm:1"),
        ("    command:", "    entrypoint: [/start.sh]\n    command:"),
    ] {
        silent(&LITELLM.replace(one, other), &config);
    }
    let built = LITELLM.replace("    command:", "    build: .\n    command:");
    let dockerfile = "FROM ghcr.io/berriai/litellm:v1.80.5-stable\nENV OPENAI_API_KEY=none\n";
    let files = [("litellm.yaml", config.as_str()), ("Dockerfile", dockerfile)];
    check("", &built, &files, 0, &[]);
}

#[test]
fn a_name_that_any_answer_is_given_to_is_only_looked_for_in_a_list() {
    let compose = |client: &str| {
        format!(
            "services:\n  reader:\n    image: ghcr.io/ggml-org/llama.cpp:server\n    \
             command: -m /models/gguf/tiny-Q4_K_M.gguf -c 512 --host 0.0.0.0 --alias mine\n    \
             volumes: [\"./models:/models:ro\"]\n  client:\n{client}"
        )
    };
    let config = "model_list: [{litellm_params: {model: openai/any, api_key: none, \
                  api_base: \"http://reader:8080/v1\"}}]";
    let client = LITELLM.replace("vllm:8000", "reader:8080").replace("vllm", "reader");
    let litellm = compose(&client);
    let found = told(Sandbox::quickstart().file("litellm.yaml", config), &litellm);
    assert_eq!(found, (0, String::new()));
    let ui = "    image: ghcr.io/open-webui/open-webui:main\n    depends_on: [reader]\n    \
              environment: {OPENAI_API_BASE_URL: \"http://reader:8080/v1\", DEFAULT_MODELS: any}\n";
    let (code, text) = told(Sandbox::quickstart(), &compose(ui));
    assert_eq!(code, 0, "{text}");
    let message =
        "`DEFAULT_MODELS` of service `client` asks for `any`, which nobody serves: `mine`";
    assert!(text.contains(message), "{text}");
}

#[test]
fn each_model_of_litellm_is_asked_of_its_own_address() {
    let config = "model_list:
  - model_name: chat
    litellm_params: {model: openai/qwen, api_base: \"http://vllm:8000/v1\", api_key: none}
  - model_name: cloud
    litellm_params: {model: openai/gpt-5, api_base: \"https://api.openai.com/v1\"}
  - model_name: wrong
    litellm_params: {model: openai/gpt-5, api_base: \"http://vllm:8000/v1\", api_key: none}
";
    let wrong = "warning[model-served-by-nobody]: `model` in the configuration of service `client` \
                 asks for `gpt-5`, which nobody serves: `qwen` is served @ litellm.yaml:7:29";
    check("", LITELLM, &[("litellm.yaml", config)], 0, &[wrong]);
}

#[test]
fn a_configuration_that_stands_in_the_compose_file_is_read_there() {
    let client = "    image: ghcr.io/berriai/litellm:v1.80.5-stable
    command: --config /app/config.yaml
    depends_on: [vllm]
    configs: [{source: litellm, target: /app/config.yaml}]
configs:
  litellm:
    content: |
      model_list:
        - model_name: chat
          litellm_params:
            model: openai/qwen
            api_base: http://vllm:9000/v1
            api_key: none
";
    check(
        "",
        client,
        &[],
        17,
        &[
            "error[client-calls-otherwise]: `api_base` in the configuration of service `client` calls \
           port 9000 of service `vllm`, and vLLM listens on 8000 @ compose.yaml:19:13",
        ],
    );
}

#[test]
fn the_endpoints_of_librechat_are_judged() {
    let client = "    image: ghcr.io/danny-avila/librechat-dev:latest
    volumes: [\"./librechat.yaml:/app/librechat.yaml\"]
    depends_on: [vllm]
    environment: {VLLM_KEY: first, VLLM_URL: \"http://vllm:8000/v1\"}
";
    let endpoint = |said: &str| {
        format!("version: 1.2.8\nendpoints:\n  custom:\n    - name: vLLM\n      {said}\n")
    };
    let check = |said: &str, code: i32, expected: &[&str]| {
        let file = endpoint(&said.replace("; ", "\n      "));
        check("--api-key first", client, &[("librechat.yaml", &file)], code, expected);
    };
    check("baseURL: http://vllm:8000/v1; apiKey: first; models: {default: [qwen]}", 0, &[]);
    check("baseURL: ${VLLM_URL}; apiKey: ${VLLM_KEY}; models: {default: [{name: qwen}]}", 0, &[]);
    check("baseURL: http://vllm:8000/v1/chat/completions; apiKey: user_provided", 0, &[]);
    check(
        "baseURL: http://vllm:8000; apiKey: first; models: {default: [llama], fetch: true}",
        17,
        &[
            "error[client-calls-otherwise]: LibreChat looks for its routes below `http://vllm:8000`, \
           and vLLM has them below `/v1` @ librechat.yaml:5:16",
        ],
    );
    check(
        "baseURL: http://vllm:8000/v1; apiKey: second; models: {default: [llama], fetch: false}",
        0,
        &[
            "warning[client-key-differs]: vLLM of service `vllm` wants a key, and service `client` \
             shows another @ librechat.yaml:6:15",
            "warning[model-served-by-nobody]: `models.default` in the configuration of service \
             `client` asks for `llama`, which nobody serves: `qwen` is served @ librechat.yaml:7:26",
        ],
    );
}

#[test]
fn what_nginx_passes_on_is_judged() {
    let client = "    image: nginx:1.29
    volumes: [\"./default.conf:/etc/nginx/conf.d/default.conf:ro\"]
    depends_on: [vllm]
";
    let check = |conf: &str, code: i32, expected: &[&str]| {
        check("", client, &[("default.conf", conf)], code, expected);
    };
    let server = |pass: &str| format!("server {{\n  listen 80;\n  location / {{ {pass} }}\n}}\n");
    check(&server("proxy_pass http://vllm:8000;"), 0, &[]);
    check(&server("proxy_pass http://vllm:8000/v1/; # http://vllm:1"), 0, &[]);
    check(&server("set $up vllm; proxy_pass http://$up:8000;"), 0, &[]);
    check(&server("set $up $host; proxy_pass http://$up:9000;"), 0, &[]);
    check(&server("set $up a; set $up b; proxy_pass http://$up:9000;"), 0, &[]);
    check(
        &server("set $up http://vllm:9000; proxy_pass $up;"),
        17,
        &[
            "error[client-calls-otherwise]: `proxy_pass` in the configuration of service `client` calls \
           port 9000 of service `vllm`, and vLLM listens on 8000 @ default.conf:3:53",
        ],
    );
    check(&server("proxy_pass http://localhost:80/own;"), 0, &[]);
    check(
        &server("proxy_pass http://vllm:80;"),
        17,
        &[
            "error[client-calls-otherwise]: `proxy_pass` in the configuration of service `client` calls \
           port 80 of service `vllm`, and vLLM listens on 8000 @ default.conf:3:27",
        ],
    );
    let upstream = |server: &str| {
        format!("upstream llm {{ server {server} max_fails=3; }}\n")
            + "server { location / { proxy_pass http://llm; } }\n"
    };
    check(&upstream("vllm:8000"), 0, &[]);
    check(
        &upstream("vllm"),
        17,
        &[
            "error[client-calls-otherwise]: `server` in the configuration of service `client` calls \
           port 80 of service `vllm`, and vLLM listens on 8000 @ default.conf:1:23",
        ],
    );
    check(
        &upstream("127.0.0.1:8000"),
        17,
        &["error[client-calls-itself]: `server` in the configuration of service `client` calls \
           `127.0.0.1`, which is the container of `client` itself, and vLLM runs in that of `vllm` @ \
           default.conf:1:23"],
    );
    check(
        &server("proxy_pass http://vlm:8000;"),
        0,
        &[
            "warning[client-calls-nobody]: `proxy_pass` in the configuration of service `client` calls \
           `vlm`, and no service or container is called so @ default.conf:3:27",
        ],
    );
}

#[test]
fn a_template_of_nginx_has_the_variables_of_its_service() {
    let client = "    image: nginx:1.29
    volumes: [\"./templates:/etc/nginx/templates:ro\"]
    depends_on: [vllm]
    environment: {LLM: \"vllm:9000\"}
";
    let conf = "server { location / { proxy_pass http://${LLM}/; } }\n";
    check(
        "",
        client,
        &[("templates/default.conf.template", conf)],
        17,
        &[
            "error[client-calls-otherwise]: `proxy_pass` in the configuration of service `client` calls \
           port 9000 of service `vllm`, and vLLM listens on 8000 @ \
           templates/default.conf.template:1:34",
        ],
    );
}

#[test]
fn what_caddy_passes_on_is_judged() {
    let client = "    image: caddy:2.10
    volumes: [\"./Caddyfile:/etc/caddy/Caddyfile\"]
    depends_on: [vllm]
    environment: {LLM: \"vllm:8000\"}
";
    let check = |line: &str, code: i32, expected: &[&str]| {
        let file = format!("llm.example.org, :8080 {{\n\tencode gzip\n\t{line}\n}}\n");
        check("", client, &[("Caddyfile", &file)], code, expected);
    };
    check("reverse_proxy vllm:8000 # vllm:1", 0, &[]);
    check("reverse_proxy /v1/* http://vllm:8000", 0, &[]);
    check("reverse_proxy {$LLM} {$OTHER:vllm:8000} {env.SOMETHING}", 0, &[]);
    check("reverse_proxy localhost:8080", 0, &[]);
    let wrong = |place: &str| {
        format!(
            "error[client-calls-otherwise]: `reverse_proxy` in the configuration of service `client` \
             calls port 9000 of service `vllm`, and vLLM listens on 8000 @ Caddyfile:{place}"
        )
    };
    check("reverse_proxy @api vllm:9000", 17, &[&wrong("3:21")]);
    check("reverse_proxy {\n\t\tto vllm:9000\n\t}", 17, &[&wrong("4:6")]);
}

#[test]
fn what_traefik_passes_on_is_judged() {
    let client = "    image: traefik:v3.3
    command: [\"--providers.file.directory=/etc/traefik/dynamic\"]
    volumes: [\"./dynamic:/etc/traefik/dynamic:ro\"]
    depends_on: [vllm]
";
    let file = "http:\n  services:\n    llm:\n      loadBalancer:\n        servers:\n          \
                - url: http://vllm:9000\n";
    let message = "calls port 9000 of service `vllm`, and vLLM listens on 8000";
    check(
        "",
        client,
        &[("dynamic/llm.yml", file), ("dynamic/README.md", "- url: http://vllm:1")],
        17,
        &[&format!(
            "error[client-calls-otherwise]: `url` in the configuration of service `client` {message} \
             @ dynamic/llm.yml:6:18"
        )],
    );
    let labels = "    image: traefik:v3.3\n  vllm:\n    labels:\n      \
                  traefik.http.services.llm.loadbalancer.server.port: \"9000\"\n";
    let compose = format!("services:\n  client:\n{labels}{}", VLLM.replace("  vllm:\n", ""));
    let (code, text) = told(Sandbox::quickstart(), &compose.replace("WORDS", ""));
    assert_eq!(
        text,
        format!(
            "warning[client-calls-otherwise]: `traefik.http.services.llm.loadbalancer.server.port` of \
             service `vllm` {message} @ compose.yaml:6:59"
        )
    );
    assert_eq!(code, 0);
}

#[test]
fn the_models_of_continue_are_judged() {
    let client = "    image: codercom/code-server:4.100.0
    volumes: [\"./continue:/home/coder/.continue\"]
    depends_on: [vllm]
";
    let yaml = "name: x\nversion: 1.0.0\nmodels:\n  - name: chat\n    provider: vllm\n    \
                model: qwen\n    apiBase: http://localhost:8000/v1\n    \
                apiKey: ${{ secrets.KEY }}\n";
    let itself = "error[client-calls-itself]: `apiBase` in the configuration of service `client` calls \
                  `localhost`, which is the container of `client` itself, and vLLM runs in that of \
                  `vllm` @ continue/config.";
    let json = "{\"models\": [{\"provider\": \"openai\", \"model\": \"AUTODETECT\",\n  \
                \"apiBase\": \"http://localhost:8000/v1\"}]}";
    let both = [("continue/config.yaml", yaml), ("continue/config.json", json)];
    check("", client, &both, 17, &[&format!("{itself}yaml:7:14")]);
    check("", client, &both[1..], 17, &[&format!("{itself}json:2:14")]);
}

#[test]
fn a_file_that_makes_no_sense_says_nothing() {
    for (client, name) in [
        (LITELLM, "litellm.yaml"),
        ("    image: nginx\n    volumes: [\"./x:/etc/nginx/nginx.conf\"]\n", "x"),
        ("    image: caddy\n    volumes: [\"./x:/etc/caddy/Caddyfile\"]\n", "x"),
    ] {
        for text in [
            "",
            "[",
            "model_list: 7",
            "model_list: [1, {litellm_params: [x]}, {litellm_params: {model: 1, api_base: []}}]",
            "}}}} ; { { proxy_pass",
            "upstream { server } server ; proxy_pass \"",
            "reverse_proxy\n{\nto {$\n`",
            "\u{0}\u{ffff}é\"{$é:",
        ] {
            check("", client, &[(name, text)], 0, &[]);
        }
        // A folder in its place, and one that is too long.
        check("", client, &[(&format!("{name}/x"), "")], 0, &[]);
        check("", client, &[(name, &"# \n".repeat(1 << 17))], 0, &[]);
    }
}

#[test]
fn the_plan_shows_what_a_file_says() {
    let config = "model_list: [{litellm_params: {model: openai/qwen, \
                  api_base: \"http://vllm:8000/v1\", api_key: sk-a-secret-of-this-file}}]";
    let compose = format!("services:\n{}  client:\n{LITELLM}", VLLM.replace("WORDS", ""));
    let sandbox = Sandbox::quickstart().file("compose.yaml", &compose).file("litellm.yaml", config);
    let text = sandbox.run(&["plan", "--color", "never"]).stdout;
    let line = text.lines().find(|line| line.contains("litellm.yaml:1:")).expect(&text);
    assert!(line.contains("http://vllm:8000/v1 -> vLLM of `vllm`"), "{line}");
    assert!(line.contains("<- api_base, litellm.yaml:1:"), "{line}");
    let keyed = compose.replace("qwen \n", "qwen --api-key other\n");
    let told = sandbox.file("compose.yaml", &keyed).run(&["verify", "--color", "never"]);
    assert!(told.stdout.contains("client-key-differs"), "{}", told.stdout);
    assert!(!told.stdout.contains("sk-a-secret-of-this-file"), "{}", told.stdout);
}
