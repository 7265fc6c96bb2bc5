//! What LiteLLM gets of llama-server, as the table of wirings has it of the client that stands for it, and
//! with configurations of its proxy.
//!
//! `PREFLIGHT_TEST_LITELLM` names a Python with LiteLLM's proxy; without it, or without llama-server, nothing
//! is asked, unless all tests are required.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::docker_wirings::{Row, rows};
use crate::gguf_oracle::server;
use crate::judge::{answers, named};
use crate::llama_answers::Running;
use crate::sandbox::{Sandbox, repository};
use crate::wiring::FAMILY;

/// Asks every model with the variables that its service has: whether an answer came, and what else did.
const JUDGE: &str = r#"
import json, os, sys
# It writes there itself.
out, sys.stdout = sys.stdout, sys.stderr
import litellm, yaml
litellm.num_retries = 0
for line in sys.stdin:
    model, text = json.loads(line)
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
    print(json.dumps(answer), file=out)
"#;

/// Starts the router of each configuration as the proxy does, and asks it for every model. What one of them
/// sets for all of the program is not there for the next.
const ROUTER: &str = r#"
import asyncio, json, os, sys
# It writes there itself.
out, sys.stdout = sys.stdout, sys.stderr
from litellm.proxy.proxy_server import ProxyConfig

async def ask(path):
    router, _, _ = await ProxyConfig().load_config(router=None, config_file_path=path)
    answers = {}
    for model in router.model_names:
        try:
            await router.acompletion(model=model, messages=[{"role": "user", "content": "hello"}],
                                     max_tokens=2, timeout=60, num_retries=0)
            answers[model] = [True, ""]
        except Exception as error:
            answers[model] = [False, f"{type(error).__name__}: {error}"]
    print(json.dumps(answers), file=out, flush=True)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        asyncio.run(ask(json.loads(line)))
        os._exit(0)
    os.waitpid(child, 0)
"#;

/// The variables of the service of the configurations.
const VARIABLES: [(&str, &str); 2] = [("SESAME", "sesame"), ("BASE", "http://plain:8080/v1")];

/// The engines, on this machine.
struct Engines {
    plain: Running,
    keyed: Running,
}

impl Engines {
    fn start(server: &str) -> Self {
        let model = repository().join("examples/quickstart/models/gguf/tiny-Q4_K_M.gguf");
        let words = ["-m", model.to_str().unwrap(), "--alias", "tiny"];
        let keyed = [&words[..], &["--api-key", "sesame"]].concat();
        Self {
            plain: Running::start(server, &words).unwrap(),
            keyed: Running::start(server, &keyed).unwrap(),
        }
    }

    /// The same text, with the addresses of this machine.
    fn moved(&self, text: &str) -> String {
        let text = text.replace("plain:8080", self.plain.address());
        let text = text.replace("keyed:8080", self.keyed.address());
        // Port 1 is nobody's.
        text.replace("plain:8000", "127.0.0.1:1")
    }
}

fn judge(python: &str, script: &str, home: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-c", script]).env_clear().env("HOME", home);
    // What models cost is not asked of the network.
    command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
    command
}

/// The model of a service of LiteLLM, and its variables where the engines are on this machine.
fn question(row: &Row, engines: &Engines) -> Value {
    let model = row.more.rsplit(' ').next().unwrap();
    json!([model, engines.moved(row.environment)])
}

#[test]
fn the_genuine_litellm_is_answered_where_the_table_says_so() {
    let Some((server, python)) = server().zip(named("PREFLIGHT_TEST_LITELLM")) else { return };
    let engines = Engines::start(&server);
    let rows: Vec<Row> = rows().into_iter().filter(|row| row.client == "litellm").collect();
    let questions: Vec<Value> = rows.iter().map(|row| question(row, &engines)).collect();
    let folder = tempfile::tempdir().unwrap();
    let answers = answers(&mut judge(&python, JUDGE, folder.path()), &questions);
    assert_eq!(answers.len(), rows.len());
    let pairs = rows.iter().zip(&answers).filter(|(row, answer)| answer[0] != row.works);
    let wrong: Vec<String> =
        pairs.map(|(row, answer)| format!("{}: {answer}", row.service)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A model of a configuration, and what is written behind it.
struct Model {
    name: String,
    works: bool,
    /// What is said of its line before.
    said: BTreeSet<String>,
}

/// The models of a file, by their lines.
fn models(text: &str) -> BTreeMap<u64, Model> {
    let model = |(number, line): (u64, &str)| {
        let (_, name) = line.split_once("{model_name: ")?;
        let (_, comment) = line.rsplit_once("}} # ").expect(line);
        let (comes, said) = comment.split_once(' ').unwrap_or((comment, ""));
        assert!(["works", "fails"].contains(&comes), "{line}");
        let said = said.split(", ").filter(|said| !said.is_empty()).map(str::to_owned).collect();
        let name = name.split(',').next()?.to_owned();
        Some((number, Model { name, works: comes == "works", said }))
    };
    (1..).zip(text.lines()).filter_map(model).collect()
}

/// The files of a configuration.
fn texts(folder: &Path) -> BTreeMap<PathBuf, String> {
    let files = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file());
    let text = |entry: walkdir::DirEntry| {
        let name = entry.path().strip_prefix(folder).unwrap().to_owned();
        (name, fs_err::read_to_string(entry.path()).unwrap())
    };
    files.map(text).collect()
}

/// What preflight says of each line of the files: severity and id.
fn said(texts: &BTreeMap<PathBuf, String>) -> BTreeMap<(PathBuf, u64), BTreeSet<String>> {
    let engine = |service: &str, words: &str| {
        format!(
            "  {service}:\n    image: ghcr.io/ggml-org/llama.cpp:server-b11669\n    \
             command: -m /models/gguf/tiny-Q4_K_M.gguf -c 512 --alias tiny {words}\n    \
             volumes: [\"./models:/models:ro\"]\n"
        )
    };
    let variables = VARIABLES.map(|(name, value)| format!("{name}: \"{value}\"")).join(", ");
    let client = format!(
        "  client:\n    image: ghcr.io/berriai/litellm:main-stable\n    \
         command: --config /etc/litellm/config.yaml\n    depends_on: [plain, keyed]\n    \
         volumes: [\"./litellm:/etc/litellm:ro\"]\n    environment: {{{variables}}}\n"
    );
    let services = engine("plain", "") + &engine("keyed", "--api-key sesame") + &client;
    let mut sandbox = Sandbox::quickstart().file("compose.yaml", format!("services:\n{services}"));
    for (name, text) in texts {
        sandbox = sandbox.file(&format!("litellm/{}", name.display()), text);
    }
    let run = sandbox.run(&["verify", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
    let mut said: BTreeMap<(PathBuf, u64), BTreeSet<String>> = BTreeMap::new();
    for finding in report["findings"].as_array().unwrap() {
        let (id, severity) = (finding["id"].as_str().unwrap(), &finding["severity"]);
        let is_ours = FAMILY.iter().any(|family| id.starts_with(family)) && severity != "note";
        let place = &finding["place"];
        let file = place["file"].as_str().and_then(|file| file.strip_prefix("litellm/"));
        let Some(file) = file.filter(|_| is_ours) else { continue };
        let line = (PathBuf::from(file), place["line"].as_u64().unwrap());
        let text = format!("{} {id}", severity.as_str().unwrap());
        said.entry(line).or_default().insert(text);
    }
    said
}

#[test]
fn what_is_said_of_a_configuration_of_litellm_is_what_comes_of_it() {
    let Some((server, python)) = server().zip(named("PREFLIGHT_TEST_LITELLM")) else { return };
    let engines = Engines::start(&server);
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<BTreeMap<PathBuf, String>> = ["providers", "included", "keyed-for-all"]
        .map(|name| texts(&repository().join("tests/data/litellm").join(name)))
        .into();
    let mut questions = Vec::new();
    for (index, texts) in all.iter().enumerate() {
        for (name, text) in texts {
            let path = folder.path().join(index.to_string()).join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, engines.moved(text)).unwrap();
        }
        questions.push(json!(folder.path().join(index.to_string()).join("config.yaml")));
    }
    let mut judge = judge(&python, ROUTER, folder.path());
    judge.envs(VARIABLES.map(|(name, value)| (name, engines.moved(value))));
    let answers = answers(&mut judge, &questions);
    assert_eq!(answers.len(), all.len());

    let mut wrong = Vec::new();
    let mut seen = 0;
    for (texts, answers) in all.iter().zip(&answers) {
        let said = said(texts);
        for (file, text) in texts {
            for (line, model) in models(text) {
                let none = BTreeSet::new();
                let told = said.get(&(file.clone(), line)).unwrap_or(&none);
                let answer = &answers[&model.name];
                seen += 1;
                if answer[0] != model.works || *told != model.said {
                    wrong.push(format!("{}: {answer}; said: {told:?}", model.name));
                }
                assert!(!model.works || told.is_empty(), "{}: {told:?}", model.name);
            }
        }
        let asked: usize = texts.values().map(|text| models(text).len()).sum();
        assert_eq!(answers.as_object().unwrap().len(), asked);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(seen, 56);
}
