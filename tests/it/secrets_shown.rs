//! Secrets of every kind and names that lie, looked for in every format and in every stream.

use fake_hub::Builder;

use crate::hub_stack::{builder, stack};
use crate::sandbox::{Run, Sandbox};

/// What every secret below has in it.
const LEAK: &str = "leaked";

/// Parts of a command line, each with a secret.
const WORDS: [&str; 22] = [
    "--api_key leaked00",
    "--api-key first leaked01",
    "--api-keys first leaked02",
    "--password leaked03",
    "--db-password=leaked04",
    "--ssl-keyfile-password leaked05",
    "--auth-token leaked06",
    "--hf-token leaked07",
    "--admin-api-key=leaked08",
    "--api_key=leaked09",
    "--x DB_PASS=leaked10",
    "--x MYSQL_PWD=leaked11",
    "--x REDIS_AUTH=leaked12",
    "--x SALT=leaked13",
    "--x X-Api-Key:leaked14",
    "--x postgres://me:leaked15@db/x",
    "--x Server=db;Password=leaked16;Port=1",
    "--x api_key='leaked17'",
    "--x ghp_leaked00000000000000000000000000000018",
    "--x sk-leaked00000000000000000000000000000000000019",
    "--x xoxb-leaked-0000000020",
    "--x eyJhbGciOiJIUzI1NiJ9.eyJsub2xlYWtlZA000.leaked21",
];

/// Parts of an environment, each with a secret.
const VARIABLES: [&str; 8] = [
    "DB_PASS: leaked40",
    "MYSQL_PWD: leaked41",
    "REDIS_AUTH: leaked42",
    "SALT: leaked43",
    "OPENAI_API_KEY: leaked44",
    "PLAIN: 'Server=db;Password=leaked 45;Port=1'",
    "DATABASE_URL: 'redis://:leaked46@redis'",
    "apiKey: leaked47",
];

/// A service for each secret, in one line that every finding about it quotes.
fn attacked() -> Sandbox {
    let image = "image: 'vllm/vllm-openai:v0.12.0'";
    let mut text = String::from("name: attacked\nservices:\n");
    for (at, words) in WORDS.iter().enumerate() {
        let listed: Vec<String> = words.split(' ').map(|word| format!("{word:?}")).collect();
        text.push_str(&format!("  w{at}: {{{image}, command: \"--model /m/w{at} {words}\"}}\n"));
        let listed = listed.join(", ");
        text.push_str(&format!("  l{at}: {{{image}, command: [--model, /m/l{at}, {listed}]}}\n"));
        let items = words.replace(' ', "\"\n      - \"");
        text.push_str(&format!(
            "  i{at}:\n    {image}\n    command:\n      - --model\n      - /m/i{at}\n      - \"{items}\"\n"
        ));
    }
    for (at, variable) in VARIABLES.iter().enumerate() {
        text.push_str(&format!(
            "  v{at}: {{{image}, environment: {{{variable}}}, command: --model /m/v{at}}}\n"
        ));
    }
    // Names that are secrets by their form reach every table and every title.
    text.push_str(&format!(
        "  path: {{{image}, command: --model /m/ghp_leaked000000000000000000000000000060}}\n"
    ));
    Sandbox::new().file("compose.yaml", text)
}

fn silent(run: &Run) {
    for text in [&run.stdout, &run.stderr] {
        let shown = text.lines().find(|line| line.contains(LEAK));
        assert_eq!(shown, None);
    }
}

/// Runs preflight; what it says on standard output, in which a mask stands and no secret.
fn masked(arguments: &[&str]) -> String {
    let run = attacked().run(arguments);
    silent(&run);
    assert!(run.stdout.contains("***"), "{arguments:?}: {}{}", run.stdout, run.stderr);
    run.stdout
}

#[test]
fn no_secret_is_told_to_a_person() {
    let text = masked(&["verify"]);
    assert!(text.matches("***").count() >= WORDS.len(), "{text}");
    masked(&["plan"]);
}

#[test]
fn no_secret_is_in_the_json_report() {
    masked(&["verify", "--format", "json"]);
    masked(&["plan", "--format", "json"]);
}

#[test]
fn no_secret_is_in_sarif() {
    masked(&["verify", "--format", "sarif"]);
}

#[test]
fn no_secret_is_in_junit() {
    masked(&["verify", "--format", "junit"]);
}

#[test]
fn no_secret_is_in_annotations_of_github() {
    masked(&["verify", "--format", "github"]);
}

#[test]
fn no_secret_is_in_markdown() {
    masked(&["verify", "--format", "markdown"]);
}

#[test]
fn no_secret_is_in_html() {
    masked(&["verify", "--format", "html"]);
}

#[test]
fn no_secret_is_in_the_printed_project_unless_it_is_asked_for() {
    for format in ["yaml", "json"] {
        masked(&["config", "--format", format]);
        let shown = attacked().run(&["config", "--show-secrets", "--format", format]);
        let secrets = (0..22).chain(40..48).filter(|at| !matches!(at, 18..=20 | 45));
        for secret in secrets.map(|at| format!("leaked{at:02}")) {
            assert!(shown.stdout.contains(&secret), "{secret}: {}", shown.stdout);
        }
    }
}

#[test]
fn no_secret_is_in_the_log_or_in_an_error() {
    for format in ["text", "json"] {
        let sandbox = attacked().variable("PREFLIGHT_LOG", "trace");
        silent(&sandbox.run(&["verify", "--log-format", format]));
        silent(&sandbox.run(&["verify", "--lane", "--password=leaked70"]));
        silent(&sandbox.run(&["verify", "-f", "ghp_leaked00000000000000000000000000000071.yaml"]));
        let sandbox = sandbox
            .file("compose.yaml", "services: {a: {image: x, ports: [\"API_KEY=leaked72\"]}}");
        silent(&sandbox.run(&["verify"]));
    }
}

/// Characters that change how the text around them is read, or are not seen.
const UNSEEN: [char; 16] = [
    '\u{202a}',
    '\u{202e}',
    '\u{2066}',
    '\u{2069}',
    '\u{200b}',
    '\u{200f}',
    '\u{2060}',
    '\u{2064}',
    '\u{feff}',
    '\u{ad}',
    '\u{61c}',
    '\u{180e}',
    '\u{e0001}',
    '\u{e0041}',
    '\u{2028}',
    '\u{fe0f}',
];

/// All of them, as YAML has them between double quotes.
fn written() -> String {
    UNSEEN.iter().map(|unseen| format!("\\U{:08x}", u32::from(*unseen))).collect()
}

fn seen(text: &str) {
    let unseen = text.lines().find(|line| line.contains(UNSEEN));
    assert_eq!(unseen.map(|line| line.escape_unicode().to_string()), None);
}

#[test]
fn no_name_of_a_project_lies_in_any_format() {
    let names = written();
    let text = format!(
        "name: lies\nservices:\n  s:\n    image: 'vllm/vllm-openai:v0.12.0'\n    gpus: all\n    command: \
         [--model, \"/m/{names}x\"]\n    labels: {{preflight.lane: \"a{names}b\", \"k{names}\": \
         v}}\n"
    );
    let sandbox = Sandbox::new().file("compose.yaml", text).variable("PREFLIGHT_LOG", "trace");
    let formats = ["human", "json", "sarif", "junit", "github", "markdown", "html"];
    let checks = formats.map(|format| vec!["verify", "--format", format]);
    let others = [
        vec!["plan"],
        vec!["plan", "--format", "json"],
        vec!["config"],
        vec!["config", "--format", "json"],
        vec!["verify", "--log-format", "json"],
    ];
    for arguments in checks.iter().chain(&others) {
        let run = sandbox.run(arguments);
        seen(&run.stdout);
        seen(&run.stderr);
        assert!(run.stdout.to_lowercase().contains("202e"), "{arguments:?}: {}", run.stdout);
    }
}

#[test]
fn a_printed_project_with_names_that_lie_loads_again_as_itself() {
    let names = written();
    let text = format!(
        "name: lies\nservices:\n  s:\n    image: x\n    command: [\"{names}\", 'a\\uFEFF', \
         \"\\\\uFEFF{names}\", \"\\uFEFF\\u202E\"]\n    labels: {{\"k{names}\": \"v\\n{names}\"}}\n"
    );
    let sandbox = Sandbox::new().file("compose.yaml", &text);
    let json = |sandbox: &Sandbox| sandbox.run(&["config", "--format", "json"]).stdout;
    let (first, printed) = (json(&sandbox), sandbox.run(&["config"]).stdout);
    let parsed: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(parsed["services"]["s"]["command"][0], UNSEEN.iter().collect::<String>());
    seen(&printed);
    assert_eq!(json(&Sandbox::new().file("compose.yaml", printed)), first);
}

#[test]
fn no_name_of_a_hub_lies_while_it_is_fetched() {
    for progress in ["plain", "json"] {
        let named = |builder: Builder| builder.file("acme/tiny", "read\u{202e}me.json", "{}");
        let hub = named(builder()).start().unwrap();
        let sandbox = stack(&hub).variable("PREFLIGHT_LOG", "trace");
        let run =
            sandbox.run(&["fetch", "--progress", progress, "--log-format", progress_log(progress)]);
        seen(&run.stdout);
        seen(&run.stderr);
        // Lines for people name no file that is brought without trouble.
        assert!(progress == "plain" || run.stderr.contains("202e"), "{}", run.stderr);
    }
}

/// The form of the log that goes with a form of the progress.
fn progress_log(progress: &str) -> &str {
    if progress == "json" { "json" } else { "text" }
}
