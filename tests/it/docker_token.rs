//! The shipped fragment with a token: whether `docker compose up` sends it depends on who names the hub.

use crate::docker_stack::{SOURCE, Stack, docker_tests_run, image, socket};

const TOKEN: &str = "hf_of_the_shell_alone";
const HUB: &str = "http://hub:8080";

/// Where Compose is called in, and what `.env` files and shell say.
#[derive(Default)]
struct Case<'a> {
    name: &'a str,
    /// Of `.env`; absent: the variable is in none.
    dotenv: &'a [(&'a str, &'a str)],
    /// A file of the project, and its text.
    file: Option<(&'a str, &'a str)>,
    /// The folder that Compose is called in.
    folder: &'a str,
    shell: &'a [(&'a str, &'a str)],
    arguments: &'a [&'a str],
}

/// What preflight said, and whether a request at the hub came with a token; none may come without it
/// where one does.
fn sends(case: &Case<'_>) -> (String, bool) {
    let stack = Stack::new(case.name, Some(SOURCE)).expect("the tests through Docker run");
    // A label is seen as well where the files cannot be read.
    stack.edit("compose.yaml", |text| {
        let (declared, services) =
            (text.find("x-preflight:").unwrap(), text.find("services:").unwrap());
        let label = format!("    labels: {{preflight.source: \"{SOURCE}\"}}\n    depends_on:\n");
        format!("{}{}", &text[..declared], &text[services..]).replace("    depends_on:\n", &label)
    });
    stack.set_environment(case.dotenv);
    stack.edit(".env", |text| {
        let kept = |line: &&str| {
            case.dotenv.iter().any(|(name, value)| *line == format!("{name}={value}"))
                || !line.starts_with("HF_ENDPOINT=")
        };
        let lines = text.lines().filter(kept).map(|line| format!("{line}\n"));
        format!("# what the project says\n{}", lines.collect::<String>())
    });
    if let Some((name, text)) = case.file {
        fs_err::create_dir_all(stack.path(name).parent().unwrap()).unwrap();
        stack.write(name, text);
    }
    stack.start_hub();
    let up = ["up", "-d", "--wait"];
    let mut up = stack.compose_command(&[case.arguments, &up[..]].concat());
    up.current_dir(stack.path(case.folder)).envs(case.shell.iter().copied());
    let up = crate::docker_stack::outcome(&mut up);
    let said = stack.logs("preflight");
    assert_eq!(up.code, 0, "{}: {}\n{said}", case.name, up.stderr);
    assert!(!said.contains(TOKEN), "{}: the token is shown: {said}", case.name);
    let requests = stack.hub_requests();
    let of_hub: Vec<_> = requests.iter().filter(|line| line.starts_with("hub ")).collect();
    let with = of_hub.iter().filter(|line| line.ends_with("token=yes")).count();
    assert!(
        !of_hub.is_empty() && (with == 0 || with == of_hub.len()),
        "{}: {requests:?}",
        case.name
    );
    (said, with > 0)
}

/// An env file that names the hub, and what else the tests need of one.
fn instead_of_dotenv() -> String {
    let socket = socket().map(|socket| format!("DOCKER_SOCKET={socket}\n")).unwrap_or_default();
    format!("PREFLIGHT_IMAGE={}\nHF_ENDPOINT={HUB}\n{socket}", image())
}

const SHELL: &[(&str, &str)] = &[("HF_TOKEN", TOKEN)];
const BOTH: &[(&str, &str)] = &[("HF_TOKEN", TOKEN), ("HF_ENDPOINT", HUB)];

#[test]
fn no_request_carries_the_token_of_the_shell_to_a_hub_that_the_project_names() {
    if !docker_tests_run() {
        return;
    }
    let named = [("HF_ENDPOINT", HUB)];
    let literal = "services: {preflight: {environment: {HF_ENDPOINT: \"http://hub:8080/\"}}}\n";
    let text = instead_of_dotenv();
    let flag = ["--env-file", "deep/of.env"];
    for (name, dotenv, file, folder, arguments) in [
        ("named", &named[..], None, ".", &[][..]),
        ("deep", &[], Some(("deep/.env", "HF_ENDPOINT=http://hub:8080\n")), "deep", &[]),
        ("literal", &[], Some(("compose.override.yaml", literal)), ".", &[]),
        ("flag", &[], Some(("deep/of.env", text.as_str())), ".", &flag),
    ] {
        let case = Case { name, dotenv, file, folder, shell: SHELL, arguments };
        let (said, sent) = sends(&case);
        assert!(!sent, "{name}: {said}");
        let told = "warning[token-withheld]: the project names the hub `http://hub:8080";
        assert!(said.contains(told), "{name}: {said}");
    }
}

#[test]
fn a_token_and_a_hub_of_the_same_place_go_together_through_the_fragment() {
    if !docker_tests_run() {
        return;
    }
    let both = [("HF_ENDPOINT", HUB), ("HF_TOKEN", "hf_of_the_project")];
    let elsewhere = tempfile::tempdir().unwrap();
    let own = elsewhere.path().join("own.env");
    fs_err::write(&own, format!("{}HF_TOKEN={TOKEN}\n", instead_of_dotenv())).unwrap();
    let named = ["--env-file", own.to_str().unwrap()];
    for case in [
        Case { name: "shell", shell: BOTH, ..Case::default() },
        Case { name: "dotenv", dotenv: &both, ..Case::default() },
        Case { name: "env-file", arguments: &named, ..Case::default() },
    ] {
        let case = Case { folder: ".", ..case };
        let (said, sent) = sends(&case);
        assert!(sent, "{}: {said}", case.name);
        assert!(!said.contains("token-withheld"), "{}: {said}", case.name);
    }
}
