//! Clients and genuine engines: what preflight says before they are started, and what comes of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::docker_stack::{MODEL, Stack, docker, free_port, outcome, wait_for};
use crate::wiring::FAMILY;

/// The file itself says how it is read.
const TABLE: &str = include_str!("../data/wirings.txt");

/// llama-server with the words and the health check of its own image.
const IMAGE: &str = "ggml-org/llama.cpp:server-b11669";

/// What llama-server says when it has loaded its model and listens.
const LISTENS: &str = "listening on http://";

/// A line of the table.
pub(crate) struct Row {
    pub(crate) service: &'static str,
    pub(crate) client: &'static str,
    pub(crate) works: bool,
    said: &'static str,
    pub(crate) environment: &'static str,
    pub(crate) more: &'static str,
}

pub(crate) fn rows() -> Vec<Row> {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let row = |line: &'static str| {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [service, client, works, said, environment, more] = columns[..] else {
            panic!("{line}");
        };
        Row { service, client, works: works == "works", said, environment, more }
    };
    lines.map(row).collect()
}

/// The engines: service, words beside those that all have, and the rest of its service.
fn engines() -> Vec<(&'static str, &'static str, &'static str)> {
    vec![
        (
            "plain",
            "--host 0.0.0.0 --port 8080",
            "    container_name: \"{project}-brain\"\n    hostname: thinker\n    ports: [\"{plain}:8080\"]\n    \
             networks: {default: {aliases: [llm]}, back: {aliases: [hidden]}}\n",
        ),
        ("keyed", "--api-key sesame", ""),
        ("shy", "--host 127.0.0.1", ""),
        ("apart", "", "    networks: [back]\n"),
        ("prefixed", "--api-prefix /llm", ""),
        ("moved", "--port 9137", "    ports: [\"127.0.0.1:{moved}:9137\"]\n"),
        ("landlord", "", ""),
        ("lodger", "--port 8081 --api-key sesame", "    network_mode: service:landlord\n"),
        ("on-host", "--port {on-host}", "    network_mode: host\n"),
        ("host-shy", "--host 127.0.0.1 --port {host-shy}", "    network_mode: host\n"),
        ("late", "", "    profiles: [late]\n"),
    ]
}

fn engine(service: &str, words: &str, more: &str) -> String {
    format!(
        "  {service}:\n    image: {IMAGE}\n    volumes: [\"./models:/models:ro\"]\n    \
         command: -m /models/tiny.gguf -c 256 -np 1 --no-warmup --alias tiny {words}\n{more}"
    )
}

fn client(service: &str, image: &str, environment: &str, more: &str) -> String {
    let environment = match environment {
        "" => String::new(),
        all if all.starts_with('{') => format!("    environment: {all}\n"),
        one => format!("    environment: {{{one}}}\n"),
    };
    format!("  {service}:\n    image: {image}:local\n{environment}    {more}\n")
}

/// The project of the table, with ports of the host that nobody has.
fn project(stack: &Stack) -> String {
    let engines = engines().into_iter().map(|(service, words, more)| engine(service, words, more));
    let rows = rows();
    let clients = rows.iter().map(|row| client(row.service, row.client, row.environment, row.more));
    let mut text: String = engines.chain(clients).collect();
    for name in ["plain", "moved", "on-host", "host-shy"] {
        text = text.replace(&format!("{{{name}}}"), &free_port().to_string());
    }
    format!("services:\n{}networks: {{back: {{}}}}\n", text.replace("{project}", stack.project()))
}

/// What preflight says of each service: severity and id of what is worse than a note.
fn said(stack: &Stack) -> BTreeMap<String, BTreeSet<String>> {
    let outcome = stack.by_hand(&["verify", "--format", "json"]);
    let report: Value = serde_json::from_str(&outcome.stdout).expect(&outcome.stderr);
    let mut said: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for finding in report["findings"].as_array().unwrap() {
        let (id, severity) =
            (finding["id"].as_str().unwrap(), finding["severity"].as_str().unwrap());
        if severity != "note" && FAMILY.iter().any(|family| id.starts_with(family)) {
            let service = finding["service"].as_str().unwrap_or_default();
            said.entry(service.to_owned()).or_default().insert(format!("{severity} {id}"));
        }
    }
    said
}

/// The exit codes of the services' containers, when all but the `engines` have ended.
fn ended(stack: &Stack, engines: &[&str]) -> BTreeMap<String, i64> {
    let ids = stack.compose(&["ps", "--all", "--quiet"]).stdout;
    let inspect = || {
        let inspect = outcome(docker(["inspect"]).args(ids.split_whitespace()));
        serde_json::from_str::<Vec<Value>>(&inspect.stdout).expect(&inspect.stderr)
    };
    let service = |it: &Value| {
        it["Config"]["Labels"]["com.docker.compose.service"].as_str().unwrap().to_owned()
    };
    let containers = wait_for("the end of every client", || {
        let containers = inspect();
        let is_client = |it: &&Value| !engines.contains(&service(it).as_str());
        let mut clients = containers.iter().filter(is_client);
        clients.all(|it| it["State"]["Status"] == "exited").then_some(containers)
    });
    containers.iter().map(|it| (service(it), it["State"]["ExitCode"].as_i64().unwrap())).collect()
}

#[test]
fn what_is_said_of_a_wiring_is_what_comes_of_it() {
    let Some(stack) = Stack::new("wirings", None) else { return };
    stack.put(MODEL, "models/tiny.gguf");
    stack.write("compose.yaml", &project(&stack));
    let mut said = said(&stack);
    // Its only client is what makes it an error.
    let shut = said.remove("shy").unwrap_or_default();
    said.insert("shut".to_owned(), shut);

    let mut engines: Vec<&str> = engines().iter().map(|(service, ..)| *service).collect();
    engines.retain(|service| *service != "late");
    let up = stack.compose(&[&["up", "-d"], engines.as_slice()].concat());
    assert_eq!(up.code, 0, "{}", up.stderr);
    for service in &engines {
        wait_for(service, || stack.logs(service).contains(LISTENS).then_some(()));
    }
    let up = stack.compose(&["up", "-d"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    let codes = ended(&stack, &engines);

    let mut wrong = Vec::new();
    for row in rows() {
        let works = codes[row.service] == 0;
        let findings = said.remove(row.service).unwrap_or_default();
        let findings: Vec<&str> = findings.iter().map(String::as_str).collect();
        let told = if findings.is_empty() { "-".to_owned() } else { findings.join(", ") };
        if works != row.works || told != row.said || works != (row.said == "-") {
            let asked = stack.logs(row.service);
            wrong.push(format!("{}: works: {works}; said: {told}\n{asked}", row.service));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_heard(&stack);
}

/// Clients that are not answered, and of which `smoke` does not say so: they do not come to the container
/// of an engine that serves, or by TLS alone, or without a scheme.
const UNHEARD: [&str; 22] = [
    "alias-elsewhere",
    "no-link",
    "misspelt",
    "left-out",
    "other-network",
    "itself",
    "itself-by-number",
    "housemate-path",
    "housemate-key",
    "lodger-by-name",
    "of-nobody-s-network",
    "host-to-name",
    "host-to-inner",
    "host-path",
    "unsaid",
    "said-to-inner",
    "said-to-shy",
    "closed",
    "shut",
    "tls",
    "no-scheme",
    "lite-no-scheme",
];

/// What `smoke` hears in place of the clients is what they have heard.
fn assert_heard(stack: &Stack) {
    let outcome = stack.by_hand(&["smoke", "--format", "json"]);
    let report: Value = serde_json::from_str(&outcome.stdout).expect(&outcome.stderr);
    let findings = report["findings"].as_array().unwrap().iter();
    let of_clients = findings.filter(|finding| finding["id"] == "client-not-answered");
    let heard: BTreeSet<&str> =
        of_clients.map(|finding| finding["service"].as_str().unwrap()).collect();
    let rows = rows();
    let failed = rows.iter().filter(|row| !row.works).map(|row| row.service);
    let expected: BTreeSet<&str> = failed.filter(|name| !UNHEARD.contains(name)).collect();
    assert_eq!(heard, expected, "{}", outcome.stderr);
}

/// A project of an engine and of a client that starts with it, by what is behind its name; what the
/// services have, whether all of it comes up and the client is answered, and what is said before.
type Start = (&'static str, String, bool, &'static str);

fn starts() -> Vec<Start> {
    let waits = "depends_on: {llama: {condition: service_healthy}}";
    let calls = |port: u16, more: &str| {
        let url = format!("OPENAI_API_BASE_URL: \"http://llama:{port}/v1\"");
        client("ui", "open-webui", &url, more)
    };
    let check = |test: &str| format!("    healthcheck: {{{test}interval: 1s, retries: 3}}\n");
    let asks =
        |port: u16| check(&format!("test: [CMD, curl, -f, \"http://localhost:{port}/health\"], "));
    let published = |service: &str, address: &str| {
        engine(service, "", &format!("    ports: [\"{address}:{{port}}:8080\"]\n"))
    };
    let nobody = "error health-check-asks-nobody";
    vec![
        ("of-image", engine("llama", "", &check("")) + &calls(8080, waits), true, "-"),
        (
            "of-image-moved",
            engine("llama", "--port 81", &check("")) + &calls(81, waits),
            false,
            nobody,
        ),
        ("own", engine("llama", "--port 81", &asks(81)) + &calls(81, waits), true, "-"),
        ("own-elsewhere", engine("llama", "", &asks(8000)) + &calls(8080, waits), false, nobody),
        (
            "none",
            engine("llama", "", "    healthcheck: {disable: true}\n") + &calls(8080, waits),
            false,
            "error health-check-missing",
        ),
        (
            "port-twice",
            published("llama", "127.0.0.1") + &published("other", "127.0.0.1"),
            false,
            "error port-taken-twice",
        ),
        (
            "port-of-addresses",
            published("llama", "127.0.0.1") + &published("other", "127.0.0.2"),
            true,
            "-",
        ),
    ]
}

#[test]
fn what_is_said_of_a_start_is_what_comes_of_it() {
    let judge = |(name, services, works, expected): Start| -> Option<String> {
        let stack = Stack::new(&format!("start-{name}"), None)?;
        stack.put(MODEL, "models/tiny.gguf");
        let services = services.replace("{port}", &free_port().to_string());
        stack.write("compose.yaml", &format!("services:\n{services}"));
        let said: BTreeSet<String> = said(&stack).into_values().flatten().collect();
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        let told = if said.is_empty() { "-".to_owned() } else { said.join(", ") };
        let up = stack.compose(&["up", "-d"]);
        let came = up.code == 0 && {
            let codes = ended(&stack, &["llama", "other"]);
            codes.get("ui").is_none_or(|code| *code == 0)
        };
        let is_right = came == works && told == expected;
        (!is_right).then(|| format!("{name}: came up: {came}; said: {told}\n{}", up.stderr))
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let judges: Vec<_> =
            starts().into_iter().map(|start| scope.spawn(move || judge(start))).collect();
        judges.into_iter().filter_map(|judge| judge.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
