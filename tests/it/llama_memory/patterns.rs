//! Patterns of the names of tensors: what is told of each is what the genuine server does with it.

use serde_json::{Value, json};

use super::logged;
use crate::gguf_oracle::server;
use crate::hub_stack::GGUF;
use crate::sandbox::{Sandbox, repository};

/// Values of `-ot`, and whether the server ends over them.
const VALUES: [(&str, bool); 24] = [
    ("(=CPU", true),
    ("a)=CPU", true),
    ("*a=CPU", true),
    ("a|*=CPU", true),
    ("^*=CPU", true),
    ("(?!a)+=CPU", true),
    ("a{=CPU", true),
    ("{1}=CPU", true),
    (r"\p{L}=CPU", true),
    ("(?i)a=CPU", true),
    (r"(a)\2=CPU", true),
    ("[z-a]=CPU", true),
    ("[a=CPU", true),
    ("[[:foo:]]=CPU", true),
    (r"a\=CPU", true),
    ("exps=CPU,(=CPU", true),
    // The first is found in every name, and nobody reads the second.
    (".=CPU,(=CPU", false),
    ("]=CPU", false),
    ("a++=CPU", false),
    (r"(a)\1=CPU", false),
    ("[]=CPU", false),
    ("[[:alpha:]]=CPU", false),
    ("a{1}{2}=CPU", false),
    (r"blk\.(1[0-9]|2\d)\.ffn_.*_exps=CPU", false),
];

/// Whether a pattern is said to end the server.
fn is_refused(value: &str) -> bool {
    let service = json!({
        "image": "ghcr.io/ggml-org/llama.cpp:server-b11669",
        "volumes": ["./models:/models:ro"],
        "command": ["-m", "/models/gguf/tiny-Q4_K_M.gguf", "-c", "256", "-ot", value],
    });
    let compose = json!({"services": {"llm": service}}).to_string();
    let run =
        Sandbox::quickstart().file("compose.yaml", compose).run(&["verify", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
    let findings = report["findings"].as_array().unwrap();
    let is_it = |finding: &&Value| finding["message"].to_string().contains("has the pattern");
    let severities: Vec<&Value> =
        findings.iter().filter(is_it).map(|finding| &finding["severity"]).collect();
    severities.contains(&&json!("error"))
}

#[test]
fn a_pattern_is_refused_if_the_server_ends_over_it() {
    let server = server();
    for (value, expected) in VALUES {
        assert_eq!(is_refused(value), expected, "{value}");
        let Some(server) = &server else { continue };
        let log = logged(server, &repository().join(GGUF), &format!("-c 256 -ot {value}"));
        assert_eq!(log.is_none(), expected, "{value}");
    }
}
