//! Preflight as the provider of a service, called as Docker Compose calls it: on standard output there are
//! its messages and nothing else, whatever the call.

use serde_json::Value;

use crate::hub_stack::hub;
use crate::sandbox::{Run, Sandbox};

const MODEL: &str = "models/gguf/tiny-Q4_K_M.gguf";

const COMPOSE: &str = "\
services:
  gate:
    provider:
      type: preflight
      options: {timeout: 5m}
  reader:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: -m /models/gguf/tiny-Q4_K_M.gguf -c 2048
    volumes: [\"./models:/models\"]
    depends_on: [gate]
";

const UP: [&str; 5] = ["compose", "--project-name=demo", "up", "--timeout=5m", "gate"];

fn sandbox() -> Sandbox {
    Sandbox::quickstart().file("compose.yaml", COMPOSE)
}

/// The messages of a run, by type.
fn messages(run: &Run) -> Vec<(String, String)> {
    let message = |line: &str| {
        let message: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        let field = |name: &str| message[name].as_str().unwrap().to_owned();
        assert_eq!(message.as_object().unwrap().len(), 2, "{line}");
        (field("type"), field("message"))
    };
    run.stdout.lines().map(message).collect()
}

/// The one error of a run, behind which nothing comes: Compose ends who says it.
fn error(run: &Run) -> String {
    let messages = messages(run);
    let errors = messages.iter().filter(|(kind, _)| kind == "error").count();
    let (kind, text) = messages.last().expect("a message");
    assert_eq!((errors, kind.as_str()), (1, "error"), "{messages:?}");
    text.clone()
}

#[test]
fn what_is_ready_says_so_and_the_report_is_for_whoever_asks_compose_for_more() {
    let run = sandbox().run(&UP);
    let messages = messages(&run);
    assert_eq!(run.code, Some(0), "{messages:?}");
    assert_eq!(messages[0], ("info".to_owned(), "looking at the models".to_owned()));
    let (kind, verdict) = messages.last().unwrap();
    assert_eq!((kind.as_str(), verdict.as_str()), ("info", "preflight: ready: 1 of 1 lane"));
    let report = messages.iter().filter(|(kind, _)| kind == "debug");
    assert!(report.into_iter().any(|(_, line)| line.starts_with("LANE ")), "{messages:?}");
}

#[test]
fn an_early_release_is_understood_and_told_nothing_that_the_first_does_not_know() {
    for name in ["demo", "down"] {
        let words = ["compose", "--project-name", name, "up", "--timeout=5m", "gate"];
        let run = sandbox().run(&words);
        assert_eq!(run.code, Some(0), "{}", run.stdout);
        let messages = messages(&run);
        assert!(messages.iter().all(|(kind, _)| kind == "info"), "{messages:?}");
        assert_eq!(messages.last().unwrap().1, "preflight: ready: 1 of 1 lane");
    }
}

#[test]
fn a_token_in_a_call_that_makes_no_sense_is_not_told() {
    for token in ["hf_of_the_user_who_calls_this", "a-token-of-another-look"] {
        for option in ["no-fetch", "limit-rate", "timeout", "lanes"] {
            let given = format!("--{option}={token}");
            let sandbox = sandbox().variable("HF_TOKEN", token);
            let run = sandbox.run(&["compose", "--project-name=demo", "up", &given, "gate"]);
            assert_eq!(run.code, Some(2), "{}", run.stdout);
            assert!(!error(&run).contains(token), "{}", run.stdout);
        }
    }
}

#[test]
fn what_is_not_ready_is_told_with_the_finding_and_the_fix() {
    let sandbox = sandbox();
    let model = sandbox.path().join(MODEL);
    fs_err::OpenOptions::new().write(true).open(&model).unwrap().set_len(400_000).unwrap();
    let run = sandbox.run(&UP);
    assert_eq!(run.code, Some(11));
    let told = error(&run);
    let mut lines = told.lines();
    assert_eq!(
        lines.next().unwrap(),
        "preflight: not ready: exit 11, files corrupt or not loadable; 0 of 1 lane ready"
    );
    let finding = lines.next().unwrap();
    assert!(finding.starts_with("  reader: file-truncated: `/models/gguf/"), "{finding}");
    assert!(finding.contains("compose.yaml:8:17") && finding.contains("; fix: "), "{finding}");
}

#[test]
fn what_is_missing_is_fetched_and_how_far_it_is_is_told() {
    let hub = hub(&[]);
    let labels = "    labels: {preflight.source: hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf}\n";
    let sandbox = sandbox().file("compose.yaml", format!("{COMPOSE}{labels}"));
    let sandbox = sandbox.variable("HF_ENDPOINT", hub.url());
    fs_err::remove_file(sandbox.path().join(MODEL)).unwrap();

    let kept = sandbox.run(&["compose", "--project-name=demo", "up", "--no-fetch=true", "gate"]);
    assert_eq!(kept.code, Some(10));
    assert!(error(&kept).contains("  reader: files-missing: "), "{}", kept.stdout);
    assert_eq!(hub.requests().len(), 0);

    let run = sandbox.run(&UP);
    let messages = messages(&run);
    assert_eq!(run.code, Some(0), "{messages:?}");
    let told =
        |text: &str| messages.iter().any(|(kind, it)| kind == "info" && it.starts_with(text));
    assert!(told("reader: fetching 1 file, "), "{messages:?}");
    assert!(told("reader: fetched and verified 1 file, "), "{messages:?}");
    assert!(sandbox.path().join(MODEL).is_file());
}

#[test]
fn a_call_that_makes_no_sense_is_answered_with_a_message() {
    for (words, expected) in [
        (
            &["up", "--lanes=a", "gate"][..],
            "preflight: error: there is no option `lanes`: did you mean `lane`?",
        ),
        (
            &["up", "--no-fetch=maybe", "gate"],
            "preflight: error: `no-fetch` is `maybe`: expected `true` or `false`",
        ),
        (
            &["up", "--timeout=soon", "gate"],
            "preflight: error: invalid value 'soon' for '--timeout ",
        ),
        (
            &["up", "--timeout=1m", "--timeout=2m", "gate"],
            "preflight: error: the argument '--timeout ",
        ),
        (&["up", "--lane=no\nwhere", "gate"], "preflight: error: there is no lane "),
        (&["up", "--file=gone.yaml", "gate"], "preflight: error: cannot read `"),
        (&["up", "other"], "preflight: error: `[DIR]/compose.yaml` has no service `other` with "),
        (&["up", "reader"], "preflight: error: `[DIR]/compose.yaml` has no service `reader` with "),
        (&["up", "--help"], "preflight: error: "),
    ] {
        let words = [&["compose", "--project-name=demo"], words].concat();
        let run = sandbox().run(&words);
        assert_eq!(run.code, Some(2), "{words:?}: {}", run.stdout);
        let told = error(&run);
        assert!(told.starts_with(expected), "{words:?}: {told}");
    }
}

#[test]
fn without_a_project_where_compose_was_called_it_is_said_how_to_name_one() {
    let run = Sandbox::new().run(&UP);
    assert_eq!(run.code, Some(2));
    let told = error(&run);
    assert!(told.starts_with("preflight: error: no Compose file was found in `[DIR]`"), "{told}");
    assert!(told.contains("\n  hint: name them in the service: `provider: {options: "), "{told}");
}

#[test]
fn an_option_that_compose_does_not_pass_on_is_refused_at_its_line() {
    let text = COMPOSE.replace("timeout: 5m", "no_fetch: true");
    let run = sandbox().file("compose.yaml", text).run(&["compose", "up", "gate"]);
    assert_eq!(run.code, Some(2));
    let expected = "preflight: error: [DIR]/compose.yaml:4:13: preflight has no option `no_fetch` for a \
                    provider\n  hint: did you mean `no-fetch`?";
    assert_eq!(error(&run).replace(": compose.yaml", ": [DIR]/compose.yaml"), expected);
}

#[test]
fn a_provider_of_a_profile_that_only_the_command_line_of_compose_switched_on_is_found() {
    let text = COMPOSE.replace("  gate:\n", "  gate:\n    profiles: [gpu]\n");
    let run = sandbox().file("compose.yaml", text).run(&UP);
    // What depends on it is refused by Compose without it, and so it is on.
    assert_eq!(run.code, Some(0), "{}", run.stdout);
}

#[test]
fn down_and_stop_have_nothing_to_do_and_say_nothing() {
    for verb in ["down", "stop"] {
        let run = Sandbox::new().run(&["compose", "--project-name=demo", verb, "--size=3", "gate"]);
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""));
    }
}

#[test]
fn the_options_are_told_with_their_types() {
    let run = Sandbox::new().run(&["compose", "metadata"]);
    assert_eq!(run.code, Some(0));
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    let parameters = told["up"]["parameters"].as_array().unwrap();
    let kind = |name: &str| {
        let parameter = parameters.iter().find(|it| it["name"] == name).unwrap();
        assert!(parameter["description"].as_str().unwrap().len() > 10, "{parameter}");
        parameter["type"].as_str().unwrap()
    };
    assert_eq!((kind("file"), kind("lane"), kind("no-fetch")), ("string", "string", "boolean"));
    assert_eq!(told["down"]["parameters"], serde_json::json!([]));
}

/// What a hub is sent where `project` has `file` besides, `$HUB` in it being the hub, and Compose, which calls
/// with `words`, has the shell and its `.env` files in one environment.
fn sent(project: Sandbox, file: (&str, &str), words: &[&str]) -> Vec<Option<String>> {
    sent_by(project, file, |sandbox| sandbox.run(words))
}

/// The same, of a run.
fn sent_by(
    project: Sandbox,
    (file, text): (&str, &str),
    run: impl Fn(&Sandbox) -> Run,
) -> Vec<Option<String>> {
    let hub = hub(&[]);
    let sandbox = project.file(file, text.replace("$HUB", &hub.url()));
    let sandbox = sandbox.variable("HF_ENDPOINT", hub.url()).variable("HF_TOKEN", TOKEN);
    fs_err::remove_file(sandbox.path().join(MODEL)).unwrap();
    let run = run(&sandbox);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    let sent = hub.requests().into_iter().map(|request| request.authorization).collect();
    assert!(sent != Vec::new(), "{}", run.stdout);
    sent
}

const TOKEN: &str = "hf_of_the_user";

/// The project with a model that has to be fetched, its Compose file in `folder`.
fn to_fetch(folder: &str, up: &str) -> Sandbox {
    let labels = "    labels: {preflight.source: hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf}\n";
    let text = format!("{COMPOSE}{labels}").replace("./models", &format!("{up}models"));
    Sandbox::quickstart().file(&format!("{folder}compose.yaml"), text)
}

const NAMES_HUB: &str = "HF_ENDPOINT=$HUB\n";

#[test]
fn the_token_of_the_shell_goes_to_a_hub_of_the_shell_and_to_none_that_the_project_names() {
    let bearer = Some(format!("Bearer {TOKEN}"));
    let of_shell = sent(to_fetch("", "./"), (".env", "OTHER=1\n"), &UP);
    assert!(of_shell.contains(&bearer), "{of_shell:?}");
    let of_project = sent(to_fetch("", "./"), (".env", NAMES_HUB), &UP);
    assert!(of_project.iter().all(Option::is_none), "{of_project:?}");
    let both = format!("{NAMES_HUB}HF_TOKEN={TOKEN}\n");
    let of_one_file = sent(to_fetch("", "./"), (".env", &both), &UP);
    assert!(of_one_file.contains(&bearer), "{of_one_file:?}");
}

#[test]
fn a_project_in_another_folder_does_not_hide_the_env_file_where_compose_was_called() {
    let below = ["compose", "--project-name=demo", "up", "--file=sub/compose.yaml", "gate"];
    let named = sent(to_fetch("sub/", "../"), (".env", NAMES_HUB), &below);
    assert!(named.iter().all(Option::is_none), "{named:?}");
    let listed = to_fetch("sub/", "../").variable("COMPOSE_FILE", "sub/compose.yaml");
    let listed = sent(listed, (".env", NAMES_HUB), &UP);
    assert!(listed.iter().all(Option::is_none), "{listed:?}");
    let beside = sent(to_fetch("sub/", "../"), ("other/.env", NAMES_HUB), &below);
    assert!(beside.iter().all(Option::is_none), "{beside:?}");
    let of_shell = sent(to_fetch("sub/", "../"), (".env", "OTHER=1\n"), &below);
    assert!(of_shell.contains(&Some(format!("Bearer {TOKEN}"))), "{of_shell:?}");
}

/// Compose gives what it has read of `--env-file` to a provider, and not which file that was.
#[test]
fn an_env_file_that_compose_is_called_with_is_one_of_the_project() {
    let called_with = |flag: &'static str, file: &'static str| {
        move |sandbox: &Sandbox| {
            let mut compose = sandbox.shell(&format!("preflight {}; exit $?", UP.join(" ")));
            compose.args(["compose", flag, file, "up"]);
            sandbox.told(&compose.output().unwrap())
        }
    };
    let own = ("other/hub.env", NAMES_HUB);
    let named = sent_by(to_fetch("", "./"), own, called_with("--env-file", "other/hub.env"));
    assert!(named.iter().all(Option::is_none), "{named:?}");
    for (flag, value) in [("--project-directory", "other"), ("-f", "other/compose.yaml")] {
        let own = ("other/.env", NAMES_HUB);
        let named = sent_by(to_fetch("", "./"), own, called_with(flag, value));
        assert!(named.iter().all(Option::is_none), "{flag}: {named:?}");
    }
    let not_named = sent_by(to_fetch("", "./"), own, called_with("--env-file", "other/no.env"));
    assert!(not_named.contains(&Some(format!("Bearer {TOKEN}"))), "{not_named:?}");
}

#[test]
fn a_token_that_the_project_takes_out_of_the_shell_does_not_become_its_own() {
    let own = "  gate:\n    environment: {HF_TOKEN: \"${HF_TOKEN}\"}\n";
    let project = to_fetch("", "./");
    let text = fs_err::read_to_string(project.path().join("compose.yaml")).unwrap();
    let project = project.file("compose.yaml", text.replace("  gate:\n", own));
    let sent = sent(project, (".env", NAMES_HUB), &UP);
    assert!(sent.iter().all(Option::is_none), "{sent:?}");
}

#[test]
fn a_service_of_the_provider_gates_by_hand_as_well() {
    let run = sandbox().run(&[]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains("service-does-not-wait"), "{}", run.stdout);
    assert!(run.stderr.ends_with("preflight: ready: 1 of 1 lane\n"), "{}", run.stderr);

    let alone = COMPOSE.replace("    depends_on: [gate]\n", "");
    let run = sandbox().file("compose.yaml", alone).run(&[]);
    assert!(run.stdout.contains("add `depends_on: [gate]` to `reader`"), "{}", run.stdout);
    let init = sandbox().run(&["init"]);
    let nothing = "preflight: nothing to change: every service of a lane waits for `gate`\n";
    assert_eq!((init.code, init.stderr.as_str()), (Some(0), nothing), "{}", init.stdout);
    assert!(!init.stdout.contains("MODELS_PATH"), "{}", init.stdout);
}
