//! `preflight init`: what it changes in Compose files of every form, and that it changes nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::compose_oracle;
use crate::sandbox::{Run, Sandbox, repository};

mod random;

/// What a service waits for.
const DONE: &str = "service_completed_successfully";

/// A project, and how preflight is called in it.
struct Case {
    name: String,
    sandbox: Sandbox,
    arguments: Vec<String>,
}

/// Files, by their paths below a folder.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Every file below a folder that is no folder.
fn files(folder: &Path) -> Files {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    let read = files.map(|entry| {
        let below = entry.path().strip_prefix(folder).unwrap().to_path_buf();
        (below, fs_err::read(entry.path()).unwrap())
    });
    read.collect()
}

/// The projects in `tests/data/init`, by their names; `arguments` says which flags of Compose are used.
fn cases() -> Vec<Case> {
    let root = repository().join("tests/data/init");
    let mut names: Vec<String> = fs_err::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let case = |name: String| {
        let mut sandbox = Sandbox::new();
        let mut arguments = Vec::new();
        for (path, content) in files(&root.join(&name)) {
            if path == Path::new("arguments") {
                let text = String::from_utf8(content).unwrap();
                arguments = text.split_whitespace().map(str::to_owned).collect();
            } else {
                sandbox = sandbox.file(path.to_str().unwrap(), content);
            }
        }
        Case { name, sandbox, arguments }
    };
    names.into_iter().map(case).collect()
}

impl Case {
    fn init(&self, flags: &[&str]) -> Run {
        let own = self.arguments.iter().map(String::as_str);
        let arguments: Vec<&str> =
            ["init"].into_iter().chain(own).chain(flags.iter().copied()).collect();
        self.sandbox.run(&arguments)
    }

    fn told(&self) -> Value {
        serde_json::from_str(&self.init(&["--format", "json"]).stdout).unwrap()
    }

    /// The project as the genuine Compose resolves it, with every profile.
    fn composed(&self) -> Result<Value, String> {
        let home = std::env::home_dir().unwrap_or_default();
        let plugin = home.join(".docker/cli-plugins/docker-compose");
        let mut command =
            if plugin.exists() { Command::new(&plugin) } else { Command::new("docker") };
        if !plugin.exists() {
            command.arg("compose");
        }
        command.args(&self.arguments).args(["--profile", "*", "config", "--format", "json"]);
        command.current_dir(self.sandbox.path()).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", "/home/somebody");
        let output = command.output().unwrap();
        match output.status.success() {
            true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }
}

/// The services that `init` says it has a state for.
fn in_state(told: &Value, state: &str) -> Vec<String> {
    let services = told["services"].as_array().unwrap().iter();
    let services = services.filter(|service| service["state"] == state);
    services.map(|service| service["name"].as_str().unwrap().to_owned()).collect()
}

/// Fails unless the genuine Compose finds, beside the edges of `waiting` and the service `gate`, what it
/// found before.
fn assert_same_project(
    name: &str,
    (before, after): (&Value, &Value),
    waiting: &[String],
    gate: &str,
) {
    let mut after = after.clone();
    for service in waiting {
        let edge = after["services"][service]["depends_on"][gate].clone();
        assert_eq!(edge, json!({"condition": DONE, "required": true}), "{name}: {service}");
        let earlier = &before["services"][service]["depends_on"];
        let edges = after["services"][service]["depends_on"].as_object_mut().unwrap();
        match earlier.get(gate) {
            Some(earlier) => edges[gate] = earlier.clone(),
            None => drop(edges.shift_remove(gate)),
        }
        if edges.is_empty() && earlier.is_null() {
            after["services"][service].as_object_mut().unwrap().shift_remove("depends_on");
        }
    }
    if before["services"].get(gate).is_none() {
        after["services"].as_object_mut().unwrap().shift_remove(gate);
        if before["networks"].get("default").is_none()
            && let Some(networks) = after["networks"].as_object_mut()
        {
            networks.shift_remove("default");
        }
        if before.get("networks").is_none() && after["networks"] == json!({}) {
            after.as_object_mut().unwrap().shift_remove("networks");
        }
    }
    let is_shared = |key: &String| {
        key.starts_with("x-") && after[key].to_string().contains(DONE) && before.get(key).is_some()
    };
    let shared: BTreeSet<String> =
        after.as_object().unwrap().keys().filter(|key| is_shared(key)).cloned().collect();
    let own = |document: &Value| {
        let mut document = document.as_object().unwrap().clone();
        document.retain(|key, _| !shared.contains(key));
        Value::Object(document)
    };
    assert_eq!(own(before), own(&after), "{name}");
}

/// The characters of a text that are neither blank nor punctuation of lists and mappings.
fn plain(text: &str) -> String {
    let marks = [' ', '\n', '\r', '-', '[', ']', '{', '}', ',', '"', '\''];
    text.chars().filter(|character| !marks.contains(character)).collect()
}

/// Fails unless `after` is `before` with nothing between but what is wanted.
fn assert_only_wanted(name: &str, (before, after): (&str, &str), gate: &str) {
    let (was, is) = (plain(before), plain(after));
    let gate = plain(gate);
    let edge = format!("{gate}:condition:{DONE}");
    let wanted = [
        format!("depends_on:{edge}"),
        edge,
        "include:preflight.yaml".to_owned(),
        "include:compose.preflight.yaml".to_owned(),
        "preflight.yaml".to_owned(),
        ":condition:service_started".to_owned(),
        format!(":condition:{DONE}"),
    ];
    let mut open = vec![(0, 0)];
    let mut tried = BTreeSet::new();
    while let Some((mut at, mut now)) = open.pop() {
        loop {
            let (old, new) = (&was[at..], &is[now..]);
            if (old, new) == ("", "") {
                return;
            }
            if !tried.insert((at, now)) {
                break;
            }
            let more = wanted.iter().filter(|wanted| new.starts_with(wanted.as_str()));
            open.extend(more.map(|wanted| (at, now + wanted.len())));
            if old.starts_with("service_started") && new.starts_with(DONE) {
                open.push((at + "service_started".len(), now + DONE.len()));
            }
            match (old.chars().next(), new.chars().next()) {
                (Some(one), Some(other)) if one == other => {
                    (at, now) = (at + one.len_utf8(), now + one.len_utf8());
                }
                _ => break,
            }
        }
    }
    panic!("{name}: more has changed than is wanted:\n{before}\n{after}");
}

fn comments(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.split_once('#'))
        .map(|(_, comment)| comment.trim_end())
        .collect()
}

/// Has a project edited, and looks at everything that has to hold whatever it looks like; what was proposed.
fn check(case: &Case, is_composed: bool) -> Value {
    let name = &case.name;
    let before = files(case.sandbox.path());
    let composed = is_composed.then(|| case.composed());
    let told = case.told();
    assert_eq!(files(case.sandbox.path()), before, "{name}: `init` alone writes nothing");
    let written = case.init(&["--write"]);
    let code = written.code.map(Value::from);
    assert_eq!(code.as_ref(), told.get("exit_code"), "{name}: {}", written.stderr);
    let gate = told["service"].as_str().unwrap();
    let will_wait = in_state(&told, "will-wait");
    let after = files(case.sandbox.path());
    assert_edited(name, (&before, &after), gate);
    if let Some(composed) = composed {
        let composed = composed.unwrap_or_else(|error| panic!("{name}: {error}"));
        let now = case.composed().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_same_project(name, (&composed, &now), &will_wait, gate);
    }
    let again = case.told();
    assert_eq!(again["files"], json!([]), "{name}: a second run changes something");
    let waits = in_state(&again, "waits");
    assert!(will_wait.iter().all(|service| waits.contains(service)), "{name}: {again}");
    told
}

/// Fails unless nothing has changed in the files but what is wanted.
fn assert_edited(name: &str, (before, after): (&Files, &Files), gate: &str) {
    for (path, content) in before {
        let was = std::str::from_utf8(content).unwrap();
        let is = std::str::from_utf8(&after[path]).unwrap();
        assert_eq!(comments(was), comments(is), "{name}: comments of {}", path.display());
        assert_only_wanted(name, (was, is), gate);
        let ends =
            |text: &str| (text.contains('\r'), text.ends_with('\n'), text.starts_with('\u{feff}'));
        assert_eq!(ends(was), ends(is), "{name}");
        if was.contains("\r\n") {
            assert!(!is.replace("\r\n", "").contains('\n'), "{name}: mixed line ends");
        }
    }
    let new: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
    assert!(new.len() <= 1, "{name}: {new:?}");
    if let Some(fragment) = new.first() {
        let shipped = fs_err::read(repository().join("compose/preflight.yaml")).unwrap();
        assert_eq!(after[*fragment], shipped, "{name}");
    }
}

#[test]
fn files_of_every_form_are_edited_and_nothing_else_in_them_changes() {
    let is_composed = compose_oracle::is_installed();
    let cases = cases();
    assert!(cases.len() >= 30, "{}", cases.len());
    let mut told = String::new();
    for case in &cases {
        let Run { code, stdout, stderr } = case.init(&[]);
        check(case, is_composed);
        let name = &case.name;
        told.push_str(&format!("==== {name}: exit {}\n{stdout}{stderr}\n", code.unwrap()));
    }
    insta::assert_snapshot!("init-of-every-form", told);
}

/// A project with one lane, in which nothing waits.
fn project() -> Sandbox {
    let text = "services:\n  coder:\n    image: vllm/vllm-openai:v0.12.0\n    command: --model \
                /models/coder\n";
    Sandbox::new().file("compose.yaml", text)
}

#[test]
fn a_check_fails_until_the_changes_are_made_and_writes_nothing() {
    let sandbox = project();
    let before = files(sandbox.path());
    let run = sandbox.run(&["init", "--check"]);
    let verdict = "preflight: 2 files would change: `preflight init --write` does it: exit 17, lane \
                   configuration\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(17), verdict));
    assert_eq!(files(sandbox.path()), before);
    let run = sandbox.run(&["init", "--write"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), "preflight: 2 files written\n"));
    assert!(run.stdout.contains("coder (coder): waits for `preflight` now\n"), "{}", run.stdout);
    let after = files(sandbox.path());
    for flags in [&["init", "--check"][..], &["init", "--write"], &["init"]] {
        let run = sandbox.run(flags);
        let verdict =
            "preflight: nothing to change: every service of a lane waits for `preflight`\n";
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), verdict), "{flags:?}");
    }
    assert_eq!(files(sandbox.path()), after);
    assert_eq!(sandbox.run(&["init", "--check", "--write"]).code, Some(2));
    assert_eq!(sandbox.run(&["init", "--format", "junit"]).code, Some(2));
}

#[test]
fn a_link_stays_a_link_and_a_file_keeps_its_rights() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = project();
    let (link, target) =
        (sandbox.path().join("compose.yaml"), sandbox.path().join("real/stack.yaml"));
    fs_err::create_dir(sandbox.path().join("real")).unwrap();
    fs_err::rename(&link, &target).unwrap();
    fs_err::set_permissions(&target, std::fs::Permissions::from_mode(0o604)).unwrap();
    fs_err::os::unix::fs::symlink("real/stack.yaml", &link).unwrap();
    let run = sandbox.run(&["init", "--write"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
    let mode = fs_err::metadata(&target).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o604);
    assert!(fs_err::read_to_string(&target).unwrap().contains("depends_on:"));
    assert!(sandbox.path().join("preflight.yaml").is_file());
}

#[test]
fn what_is_no_project_or_no_file_is_not_edited() {
    let sandbox = project().file("models/gguf/x.gguf", "GGUF").file("stack.yaml", "services: [");
    let run = sandbox.run(&["init", "models"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("and no Compose project"), "{}", run.stderr);
    assert_eq!(sandbox.run(&["init", "stack.yaml", "--write"]).code, Some(2));
    let run = sandbox.shell("preflight init -f - --write < compose.yaml").output().unwrap();
    let run = sandbox.told(&run);
    assert_eq!(run.code, Some(17), "{}", run.stderr);
    assert!(run.stdout.contains("depends_on:"), "{}", run.stdout);
    assert!(!sandbox.path().join("preflight.yaml").exists());
}

#[test]
fn a_file_elsewhere_is_left_alone_unless_it_is_named() {
    let sandbox = project();
    let text = fs_err::read_to_string(sandbox.path().join("compose.yaml")).unwrap();
    let sandbox = sandbox.file("engines/stack.yaml", &text);
    let sandbox =
        sandbox.file("app/compose.yaml", "include: [../engines/stack.yaml]\nservices: {}\n");
    let run = sandbox.run(&["init", "app", "--write"]);
    assert_eq!(run.code, Some(17), "{}", run.stderr);
    let told = "engines/stack.yaml:2:3: it stands in `engines/stack.yaml`, which is not in the \
                project's folder; write\n    services:\n      coder:\n        depends_on:\n          \
                preflight: {condition: service_completed_successfully}\n";
    assert!(run.stdout.contains(told), "{}", run.stdout);
    assert_eq!(fs_err::read_to_string(sandbox.path().join("engines/stack.yaml")).unwrap(), text);
}

#[test]
fn a_secret_beside_a_change_is_not_shown() {
    let text = "services:\n  coder:\n    image: vllm/vllm-openai:v0.12.0\n    command: --model \
                /models/coder --api-key sk-not-to-be-shown\n    environment:\n      HF_TOKEN: \
                hf_notToBeShownEither0123456789\n";
    let sandbox = Sandbox::new().file("compose.yaml", text);
    for flags in [&["init"][..], &["init", "--format", "json"], &["init", "--write"]] {
        let run = sandbox.run(flags);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(run.stdout.contains("HF_TOKEN"), "{}", run.stdout);
        for secret in ["sk-not-to-be-shown", "hf_notToBeShownEither"] {
            assert!(!run.stdout.contains(secret), "{flags:?}: {}", run.stdout);
        }
    }
    let after = fs_err::read_to_string(sandbox.path().join("compose.yaml")).unwrap();
    assert!(after.contains("sk-not-to-be-shown"), "what is written is what was there");
}
