//! What LiteLLM gets of llama-server, as the table of wirings has it of the client that stands for it.
//!
//! `PREFLIGHT_TEST_LITELLM` names a Python with LiteLLM; without it, or without llama-server, nothing is
//! asked, unless all tests are required.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::docker_wirings::{Row, rows};
use crate::gguf_oracle::server;
use crate::judge::named;
use crate::llama_answers::Running;
use crate::sandbox::repository;

/// Asks every model with the variables that its service has: whether an answer came, and what else did.
const JUDGE: &str = r#"
import json, os, sys
import litellm, yaml
litellm.num_retries = 0
for model, text in json.load(sys.stdin):
    variables = yaml.safe_load(text)
    os.environ.update(variables)
    try:
        litellm.completion(model=model, messages=[{"role": "user", "content": "hello"}],
                           max_tokens=2, timeout=60, max_retries=0)
        answer = [True, ""]
    except Exception as error:
        answer = [False, f"{type(error).__name__}: {error}"]
    for name in variables:
        del os.environ[name]
    print(json.dumps(answer))
"#;

/// The model of a service of LiteLLM, and its variables where the engines are on this machine.
fn question(row: &Row, plain: &Running, keyed: &Running) -> Value {
    let model = row.more.rsplit(' ').next().unwrap();
    let moved = row.environment.replace("plain:8080", plain.address());
    let moved = moved.replace("keyed:8080", keyed.address());
    // Port 1 is nobody's.
    json!([model, moved.replace("plain:8000", "127.0.0.1:1")])
}

#[test]
fn the_genuine_litellm_is_answered_where_the_table_says_so() {
    let Some((server, python)) = server().zip(named("PREFLIGHT_TEST_LITELLM")) else { return };
    let model = repository().join("examples/quickstart/models/gguf/tiny-Q4_K_M.gguf");
    let words = ["-m", model.to_str().unwrap(), "--alias", "tiny"];
    let plain = Running::start(&server, &words).unwrap();
    let keyed = Running::start(&server, &[&words[..], &["--api-key", "sesame"]].concat()).unwrap();
    let rows: Vec<Row> = rows().into_iter().filter(|row| row.client == "litellm").collect();
    let questions: Vec<Value> = rows.iter().map(|row| question(row, &plain, &keyed)).collect();
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("questions.json");
    fs_err::write(&input, json!(questions).to_string()).unwrap();
    let output = Command::new(python)
        .args(["-c", JUDGE])
        .env_clear()
        .env("HOME", folder.path())
        // What models cost is not asked of the network.
        .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        .stdin(fs_err::File::open(&input).unwrap().into_parts().0)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<(bool, String)> =
        said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(answers.len(), rows.len(), "{said}");
    let pairs = rows.iter().zip(&answers).filter(|(row, (came, _))| *came != row.works);
    let wrong: Vec<String> =
        pairs.map(|(row, (came, error))| format!("{}: {came} {error}", row.service)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
