//! Where names and addresses lead: networks, shared addresses, the host, what stands before and behind.

use crate::wiring::check;

/// llama-server as `llm`, and whatever else its service has.
fn engine(service: &str, words: &str, more: &str) -> String {
    format!(
        "  {service}:\n    image: ghcr.io/ggml-org/llama.cpp:server-b11669\n    \
         command: -m /models/gguf/tiny-Q4_K_M.gguf -c 256 {words}\n    \
         volumes: [\"./models:/models:ro\"]\n{more}"
    )
}

/// Open WebUI with one variable, and whatever else its service has.
fn client(variable: &str, more: &str) -> String {
    format!(
        "  ui:\n    image: ghcr.io/open-webui/open-webui:main\n    depends_on: [llm]\n    \
         environment:\n      {variable}\n{more}"
    )
}

fn told(services: &[&str], code: i32, expected: &str) {
    let networks = "networks: {back: {}}\n";
    check(&format!("services:\n{}{networks}", services.concat()), code, expected);
}

#[test]
fn an_alias_counts_in_its_own_network_alone() {
    let networks = "    networks: {default: {}, back: {aliases: [brain]}}\n";
    let engine = engine("llm", "", networks);
    let calls = |more: &str| client("OPENAI_API_BASE_URL: http://brain:8080/v1", more);
    told(&[&engine, &calls("    networks: [back]\n")], 0, "");
    told(
        &[&engine, &calls("")],
        17,
        "error[client-calls-nobody]: `OPENAI_API_BASE_URL` of service `ui` calls `brain`, and service \
         `llm` is called so in another network alone",
    );
}

#[test]
fn what_shares_the_addresses_of_a_service_answers_by_its_name() {
    let more = "    network_mode: service:llm\n    healthcheck: {disable: true}\n";
    let lodger = engine("lodger", "--port 8081 --api-key sesame", more);
    let calls = |variables: &str| client(variables, "");
    let engine = engine("llm", "", "");
    let right = "OPENAI_API_BASE_URL: http://llm:8081/v1\n      OPENAI_API_KEY: sesame";
    told(&[&engine, &lodger, &calls(right)], 0, "");
    told(
        &[&engine, &lodger, &calls("OPENAI_API_BASE_URL: http://llm:8081/v1")],
        0,
        "warning[client-key-differs]: llama.cpp of service `lodger` wants a key, and service `ui` \
         shows none",
    );
    // Of what else listens there nothing is known.
    let proxy = "  proxy:\n    image: nginx\n    network_mode: service:llm\n";
    told(&[&engine, proxy, &calls("OPENAI_API_BASE_URL: http://llm:80/v1")], 0, "");
}

#[test]
fn what_is_reached_at_the_host_or_at_home_is_asked_as_elsewhere() {
    let otherwise = |url: &str| {
        format!(
            "error[client-calls-otherwise]: Open WebUI looks for its routes below `{url}`, and \
             llama.cpp has them below `/v1`"
        )
    };
    let url = "http://localhost:8080/v1/v1";
    let wrong = format!("OPENAI_API_BASE_URL: {url}");
    let on_host = "    network_mode: host\n";
    told(&[&engine("llm", "", on_host), &client(&wrong, on_host)], 17, &otherwise(url));
    let at_home = "    network_mode: service:llm\n";
    told(&[&engine("llm", "", ""), &client(&wrong, at_home)], 17, &otherwise(url));
    let published = engine("llm", "", "    ports: [\"8080:8080\"]\n");
    told(&[&published, &client(&wrong, on_host)], 17, &otherwise(url));
}

#[test]
fn an_engine_at_the_loopback_of_the_host_is_not_called_from_a_container() {
    let gateway = "    extra_hosts: [\"host.docker.internal:host-gateway\"]\n";
    let ui = client("OPENAI_API_BASE_URL: http://host.docker.internal:8080/v1", gateway);
    let engine = |words: &str| engine("llm", words, "    network_mode: host\n");
    told(&[&engine(""), &ui], 0, "");
    told(
        &[&engine("--host 127.0.0.1"), &ui],
        0,
        "warning[client-calls-otherwise]: `OPENAI_API_BASE_URL` of service `ui` calls the host, and \
         service `llm` listens for the host itself alone",
    );
}

#[test]
fn an_address_has_its_scheme_and_no_slash_too_many() {
    let calls = |variable: &str, expected: &str| {
        let code = if expected.is_empty() { 0 } else { 17 };
        told(&[&engine("llm", "", ""), &client(variable, "")], code, expected);
    };
    calls(
        "OPENAI_API_BASE_URL: llm:8080/v1",
        "error[client-calls-otherwise]: `OPENAI_API_BASE_URL` of service `ui` has no `http://`, and \
         Open WebUI takes it as it is",
    );
    calls("OPENAI_API_BASE_URL: http://llm:8080/v1/", "");
    calls(
        "OPENAI_API_BASE_URLS: http://llm:8080/v1/",
        "error[client-calls-otherwise]: `OPENAI_API_BASE_URLS` of service `ui` ends in a slash, \
         `/models` is put behind it, and llama.cpp knows no `//models`",
    );
}

#[test]
fn an_engine_has_the_routes_of_an_ollama_or_not_by_its_build() {
    let ui = client("OLLAMA_BASE_URL: http://llm:8080", "");
    told(
        &[&engine("llm", "", ""), &ui],
        17,
        "error[client-calls-otherwise]: `OLLAMA_BASE_URL` of service `ui` is the address of an \
         Ollama, and llama.cpp has no API of Ollama's",
    );
    for tag in ["server-b6000", "server"] {
        told(&[&engine("llm", "", "").replace("server-b11669", tag), &ui], 0, "");
    }
}

#[test]
fn an_address_without_a_scheme_counts_where_it_leads_to_an_engine() {
    let other = |variable: &str| {
        format!("  n8n:\n    image: n8nio/n8n:1.100.0\n    environment: {{{variable}}}\n")
    };
    let engine = engine("llm", "--port 11434", "    healthcheck: {disable: true}\n");
    for right in [
        "OLLAMA_HOST: \"llm:11434\"",
        "LLM_IMAGE: \"llm:8000\"",
        "OLLAMA_HOST: \"db:1\"",
        "FIGURES: \"http://llm:9000/metrics\"",
    ] {
        told(&[&engine, &other(right)], 0, "");
    }
    told(
        &[&engine, &other("OLLAMA_HOST: \"llm:8080\"")],
        0,
        "warning[client-calls-otherwise]: `OLLAMA_HOST` of service `n8n` calls port 8080 of service \
         `llm`, and llama.cpp listens on 11434",
    );
}
