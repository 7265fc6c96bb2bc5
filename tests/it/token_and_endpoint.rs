//! What an init container sends its token to: the hub that comes from the same place.
//!
//! It is run as in a container that Compose made from the shipped fragment: with the variables that
//! Compose would have given it, and the project's files to read.

use fake_hub::FakeHub;

use crate::hub_stack::hub;
use crate::sandbox::{Run, Sandbox, repository};

const TOKEN: &str = "hf_of_the_user_alone";

const COMPOSE: &str = "\
include: [preflight.yaml]

services:
  reader:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: -m /models/tiny.gguf -c 2048
    volumes: [\"./models:/models\"]
    depends_on: {preflight: {condition: service_completed_successfully}}

x-preflight:
  create_root: true
  lanes:
    reader:
      service: reader
      source: hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf
      path: /models/tiny.gguf
";

/// A project that includes the shipped fragment; its models are where they are on the host.
fn project(hub: &FakeHub) -> Sandbox {
    let fragment = fs_err::read_to_string(repository().join("compose/preflight.yaml")).unwrap();
    let sandbox = Sandbox::new();
    let folder = sandbox.path().display().to_string();
    fs_err::create_dir(sandbox.path().join("models")).unwrap();
    let fragment = fragment
        .replace("${MODELS_PATH:-/dev/null}:/models\n", &format!("./models:{folder}/models\n"))
        .replace("/run/ssl-cert-file.pem", &format!("{folder}/mounted.pem"));
    sandbox
        .file("preflight.yaml", fragment)
        .file("mounted.pem", "")
        .file("compose.yaml", COMPOSE)
        .variable("PREFLIGHT_ROLE", "init")
        .variable("PREFLIGHT_PROJECT_DIRECTORY", folder)
        .variable("HF_ENDPOINT", hub.url())
}

/// The run, and every token that the hub was sent.
fn asked(hub: &FakeHub, sandbox: &Sandbox) -> (Run, Vec<Option<String>>) {
    let before = hub.requests().len();
    let run = sandbox.run(&["fetch"]);
    let requests = hub.requests().split_off(before);
    assert!(!requests.is_empty(), "the hub was not asked: {}{}", run.stdout, run.stderr);
    (run, requests.into_iter().map(|request| request.authorization).collect())
}

/// What is sent where the container has `variables`, and the project `files`; `[HUB]` and `[TOKEN]` stand
/// for the hub's address and the user's token.
fn check(files: &[(&str, &str)], variables: &[(&str, &str)], expected: Option<&str>) -> Run {
    let hub = hub(&[]);
    let fill = |text: &str| text.replace("[HUB]", &hub.url()).replace("[TOKEN]", TOKEN);
    let mut sandbox = project(&hub);
    for (name, text) in files {
        sandbox = sandbox.file(name, fill(text));
    }
    for (name, value) in variables {
        sandbox = sandbox.variable(name, fill(value));
    }
    let (run, sent) = asked(&hub, &sandbox);
    let expected = expected.map(|token| format!("Bearer {}", token.replace("[TOKEN]", TOKEN)));
    assert_sent(&sent, &expected, &format!("{files:?} {variables:?}"));
    run
}

/// The hub got this; the store of the files, which is elsewhere, gets nothing.
fn assert_sent(sent: &[Option<String>], expected: &Option<String>, case: &str) {
    let known = |sent: &Option<String>| sent.is_none() || sent == expected;
    assert!(sent.contains(expected) && sent.iter().all(known), "{case}: {sent:?}");
}

const USERS: &[(&str, &str)] = &[("HF_TOKEN", "[TOKEN]")];

#[test]
fn the_user_s_token_is_not_sent_to_a_hub_that_a_file_of_the_project_names() {
    let service = |value: &str| {
        format!("services: {{preflight: {{environment: {{HF_ENDPOINT: {value}}}}}}}\n")
    };
    let (literal, default) = (service("'[HUB]'"), service("\"${HF_ENDPOINT:-[HUB]}\""));
    let other = service("\"${MIRROR:-[HUB]}\"");
    for files in [
        [(".env", "HF_ENDPOINT=[HUB]\n")],
        [(".env", "HF_ENDPOINT='[HUB]/' # the mirror\n")],
        [(".env", "export HF_ENDPOINT=\"[HUB]/below\"\n")],
        [(".env", "HF_TOKEN=hf_another\nHF_ENDPOINT=[HUB]\n")],
        [(".env", "HF_TOKEN=${HF_TOKEN}\nHF_ENDPOINT=[HUB]\n")],
        [(".env", "HF_ENDPOINT=${HOME:+[HUB]}\n")],
        [(".env", "MIRROR=[HUB]\nHF_ENDPOINT=${MIRROR}\n")],
        // Of a folder that Compose may have been called in.
        [("deep/er/.env", "HF_ENDPOINT=[HUB]\n")],
        [("compose.override.yaml", literal.as_str())],
        [("compose.override.yaml", default.as_str())],
        [("compose.override.yaml", other.as_str())],
    ] {
        let run = check(&files, USERS, None);
        let told =
            run.stderr.contains("warning[token-withheld]: the project names the hub `http://");
        assert!(told, "{files:?}: {}", run.stderr);
        let place = format!("--> {}:", files[0].0);
        assert!(run.stderr.contains(&place), "{files:?}: {}", run.stderr);
    }
}

/// The same, where `links` lead, as seen from here.
fn check_linked(files: &[(&str, &str)], links: &[(&str, &str)], expected: Option<&str>) {
    let hub = hub(&[]);
    let mut sandbox = project(&hub).variable("HF_TOKEN", TOKEN);
    for (name, text) in files {
        sandbox = sandbox.file(name, text.replace("[HUB]", &hub.url()));
    }
    for (name, target) in links {
        let link = sandbox.path().join(name);
        fs_err::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, link).unwrap();
    }
    let (run, sent) = asked(&hub, &sandbox);
    let expected = expected.map(|token| format!("Bearer {token}"));
    assert_sent(&sent, &expected, &format!("{files:?} {links:?}"));
    assert_eq!(run.stderr.contains("token-withheld"), expected.is_none(), "{}", run.stderr);
}

#[test]
fn it_is_not_sent_where_what_compose_has_read_may_be_another_file_here() {
    let names = [("evil.env", "HF_ENDPOINT=[HUB]\n")];
    for link in [
        // By the name that the project's folder has outside.
        (".env", "../outside/evil.env"),
        (".env", "/proc/self/cwd/evil.env"),
        ("sub/.env", "../../outside/evil.env"),
        ("compose.override.yaml", "../outside/evil.yaml"),
        ("sub/docker-compose.yml", "../../outside/evil.yaml"),
    ] {
        check_linked(&names, &[link], None);
    }
    check_linked(&names, &[(".env", "d/evil.env"), ("d", "../outside")], None);
    for text in ["HF_ENDPOINT=[HUB]\nA=${ONLY_IN_THE_SHELL:?x}\n", "HF_ENDPOINT=[HUB]\n'\n"] {
        check_linked(&[("sub/.env", text)], &[], None);
    }
    // One that names none is of no concern, and neither is a link that is the same anywhere.
    check_linked(&[("sub/.env", "A=${ONLY_IN_THE_SHELL:?x}\n")], &[], Some(TOKEN));
    check_linked(&[("config/own.env", "A=b\n")], &[(".env", "config/own.env")], Some(TOKEN));
    check_linked(&[], &[("models/tiny", "/somewhere/else")], Some(TOKEN));
}

#[test]
fn it_is_not_sent_where_no_file_that_is_seen_gives_the_hub() {
    let hub = hub(&[]);
    let sandbox = project(&hub).variable("HF_TOKEN", TOKEN);
    let fragment = fs_err::read_to_string(sandbox.path().join("preflight.yaml")).unwrap();
    let without = fragment.replace("      HF_ENDPOINT:\n", "");
    assert_ne!(without, fragment);
    let optional =
        "    env_file: [{path: ../outside/evil.env, required: false}]\n    environment:\n";
    let without = without.replacen("    environment:\n", optional, 1);
    let (run, sent) = asked(&hub, &sandbox.file("preflight.yaml", without));
    assert_sent(&sent, &None, &run.stdout);
    assert!(run.stderr.contains("token-withheld"), "{}", run.stderr);
}

#[test]
fn a_token_and_a_hub_of_the_same_place_belong_together() {
    let same = "HF_ENDPOINT=[HUB]\nHF_TOKEN=hf_of_the_project\n";
    for (files, variables, expected) in [
        // Both of the shell; a hub of the project that the shell's has taken the place of.
        (&[][..], USERS, "[TOKEN]"),
        (&[(".env", "HF_ENDPOINT=http://elsewhere.invalid\n")][..], USERS, "[TOKEN]"),
        (&[(".env", "HF_ENDPOINT=\n")][..], USERS, "[TOKEN]"),
        // Both of the project.
        (&[(".env", same)][..], &[("HF_TOKEN", "hf_of_the_project")][..], "hf_of_the_project"),
        // The project's token, and a hub of the shell.
        (
            &[(".env", "HF_TOKEN=hf_of_the_project\n")][..],
            &[("HF_TOKEN", "hf_of_the_project")][..],
            "hf_of_the_project",
        ),
    ] {
        let run = check(files, variables, Some(expected));
        assert!(!run.stderr.contains("token-withheld"), "{files:?}: {}", run.stderr);
    }
}

#[test]
fn a_token_is_not_sent_where_nobody_can_see_who_names_the_hub() {
    let broken = [("compose.override.yaml", "services: {reader: {image: \"${TAG:?}\"}}\n")];
    let hub = hub(&[]);
    let sandbox = project(&hub).file(broken[0].0, broken[0].1).variable("HF_TOKEN", TOKEN);
    // Nothing is known of the project in here, so nothing is asked for it either.
    let run = sandbox.run(&["fetch"]);
    assert_eq!(run.code, Some(2), "{}{}", run.stdout, run.stderr);
    assert_eq!(hub.requests(), []);
}

#[test]
fn the_user_s_token_does_not_pass_a_proxy_of_the_project_in_the_clear() {
    let proxy = hub(&[]);
    let fill = |text: &str| text.replace("[PROXY]", &proxy.url());
    for (dotenv, expected) in
        [("HTTP_PROXY=[PROXY]\n", None), ("", Some(format!("Bearer {TOKEN}")))]
    {
        let sandbox = project(&proxy)
            .file(".env", fill(dotenv))
            .variable("HF_ENDPOINT", "http://hub.invalid")
            .variable("HTTP_PROXY", fill("[PROXY]"))
            .variable("HF_TOKEN", TOKEN);
        let (run, sent) = asked(&proxy, &sandbox);
        assert_sent(&sent, &expected, dotenv);
        let told =
            run.stderr.contains("the project names the proxy that reads what `http://hub.invalid`");
        assert_eq!(told, expected.is_none(), "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn nor_does_the_doctor_show_it_to_a_hub_of_the_project() {
    for (file, expected) in [("HF_ENDPOINT=[HUB]\n", None), ("OTHER=1\n", Some("Bearer "))] {
        let hub = hub(&[]);
        let sandbox = project(&hub)
            .file(".env", file.replace("[HUB]", &hub.url()))
            .variable("HF_TOKEN", TOKEN);
        let run = sandbox.run(&["doctor"]);
        let sent: Vec<_> = hub.requests().into_iter().map(|it| it.authorization).collect();
        let expected = expected.map(|scheme| format!("{scheme}{TOKEN}"));
        assert_eq!(sent, std::slice::from_ref(&expected), "{file}: {}{}", run.stdout, run.stderr);
        let told = run.stdout.contains("is not sent to");
        assert_eq!(told, expected.is_none(), "{file}: {}{}", run.stdout, run.stderr);
    }
    let hub = hub(&[]);
    let refused = project(&hub).file("compose.yaml", "services: [").variable("HF_TOKEN", TOKEN);
    let run = refused.run(&["doctor"]);
    assert!(hub.requests().iter().all(|it| it.authorization.is_none()), "{}", run.stdout);
}
