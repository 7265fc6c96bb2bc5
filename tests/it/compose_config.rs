//! What a loaded project says about itself: places, warnings, mounts, printing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, Instant};

use indexmap::IndexMap;
use preflight::options::ProjectOptions;
use preflight::path::{HostPath, ServicePath};
use preflight::project::compose::{self, ConfigFormat, LoadError};
use preflight::project::{MountSource, Project, Service};
use preflight::report::redact::Redactor;
use preflight::source_map::{Place, SourceMap, VariableSource};
use proptest::prelude::*;

struct Loaded {
    result: Result<Project, LoadError>,
    sources: SourceMap,
    folder: tempfile::TempDir,
}

fn load(files: &[(&str, &[u8])]) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("stack");
    for (name, text) in files {
        let path = root.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let options = ProjectOptions {
        environment: IndexMap::from([
            ("HOME".to_owned(), "/home/somebody".to_owned()),
            ("FROM_SHELL".to_owned(), "shell".to_owned()),
        ]),
        working_directory: root,
        ..ProjectOptions::default()
    };
    let mut sources = SourceMap::default();
    let result = compose::load(&options, &mut sources);
    Loaded { result, sources, folder }
}

fn project(files: &[(&str, &str)]) -> (Project, Loaded) {
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let loaded = load(&files);
    let project = loaded.result.as_ref().unwrap().clone();
    (project, loaded)
}

impl Loaded {
    fn at(&self, place: &Place) -> String {
        let span = place.span.unwrap();
        format!("{} `{}`", self.sources.location(span), self.sources.excerpt(span))
    }
}

const STACK: &str = "\
services:
  coder:
    image: vllm:${TAG}
    command: serve /models/coder --port 8000
    environment:
      - HF_TOKEN=hf_abc
      - WHO=${FROM_SHELL}
    volumes:
      - ${MODELS_PATH:-./models}:/models:ro
      - type: volume
        source: cache
        target: /cache
volumes:
  cache:
    driver: local
    driver_opts: {type: none, o: bind, device: ./cache}
x-preflight:
  lanes:
    coder:
      source: hf://o/${TAG}
";

#[test]
fn every_value_knows_its_place_and_its_variables() {
    let (project, loaded) = project(&[("compose.yaml", STACK), (".env", "# c\nTAG=v1\n")]);
    let service = project.service("coder").unwrap();
    let image = service.image.as_ref().unwrap();
    assert_eq!(image.value, "vllm:v1");
    assert_eq!(loaded.at(&image.place), "compose.yaml:3:12 `vllm:${TAG}`");
    let VariableSource::EnvFile(line) = &image.place.variables[0].set_by else {
        panic!("{:?}", image.place.variables)
    };
    assert_eq!(loaded.at(&Place::at(*line)), ".env:2:1 `TAG=v1`");
    let command = service.command.as_ref().unwrap();
    assert_eq!(loaded.at(&command[1].place), "compose.yaml:4:20 `/models/coder`");
    let who = &service.environment["WHO"];
    assert_eq!(who.place.variables[0].set_by, VariableSource::Environment);
    let mount = &service.mounts[0];
    assert_eq!(mount.place.variables[0].set_by, VariableSource::Default);
    assert_eq!(loaded.at(&mount.place), "compose.yaml:9:9 `${MODELS_PATH:-./models}:/models:ro`");
    assert_eq!(loaded.at(&service.mounts[1].place), "compose.yaml:11:17 `cache`");
    assert_eq!(
        loaded.at(&project.extension_places["/lanes/coder/source"]),
        "compose.yaml:20:15 `hf://o/${TAG}`"
    );
    assert_eq!(project.extension.as_ref().unwrap().value["lanes"]["coder"]["source"], "hf://o/v1");
}

#[test]
fn places_survive_anchors_overrides_extends_and_include() {
    let main = "\
include: [inc/compose.yaml]
x-common: &common
  user: '7:7'
services:
  a:
    <<: *common
    extends: {file: base.yaml, service: b}
    environment:
      OWN: ${FROM_SHELL}
";
    let base = "\
services:
  b:
    image: base:${TAG}
    volumes: ['./m:/m']
    environment: [BASE=1]
";
    let over = "\
services:
  a:
    command: serve
    environment: {OWN: two}
";
    let (project, loaded) = project(&[
        ("compose.yaml", main),
        ("compose.override.yaml", over),
        ("base.yaml", base),
        (".env", "TAG=v1\n"),
        ("inc/compose.yaml", "services:\n  c: {image: 'inc:${INNER}'}\n"),
        ("inc/.env", "INNER=x\n"),
    ]);
    let service = project.service("a").unwrap();
    let set_by = |place: &Place| match place.variables[0].set_by {
        VariableSource::EnvFile(line) => loaded.at(&Place::at(line)),
        VariableSource::Environment
        | VariableSource::Default
        | VariableSource::Compose
        | VariableSource::Unset => panic!("{place:?}"),
    };
    let image = &service.image.as_ref().unwrap().place;
    let included = &project.service("c").unwrap().image.as_ref().unwrap().place;
    for (place, expected) in [
        (&service.user.as_ref().unwrap().place, "compose.yaml:3:9 `'7:7'`"),
        (image, "base.yaml:3:12 `base:${TAG}`"),
        (&service.mounts[0].place, "base.yaml:4:15 `'./m:/m'`"),
        (&service.environment["BASE"].place, "base.yaml:5:19 `BASE=1`"),
        (&service.environment["OWN"].place, "compose.override.yaml:4:24 `two`"),
        (&service.command.as_ref().unwrap()[0].place, "compose.override.yaml:3:14 `serve`"),
        (included, "inc/compose.yaml:2:14 `'inc:${INNER}'`"),
    ] {
        assert_eq!(loaded.at(place), expected);
    }
    assert_eq!(set_by(image), ".env:1:1 `TAG=v1`");
    assert_eq!(set_by(included), "inc/.env:1:1 `INNER=x`");
}

#[test]
fn mounts_are_paths_of_the_host_and_volumes_of_the_engine() {
    let (project, loaded) = project(&[("compose.yaml", STACK), (".env", "TAG=v1\n")]);
    let root = loaded.folder.path().join("stack");
    let service = project.service("coder").unwrap();
    assert_eq!(
        service.mounts[0].source,
        MountSource::Bind { path: HostPath::new(root.join("models")), create_host_path: true }
    );
    assert_eq!(service.mounts[0].target, ServicePath::new("/models"));
    assert!(service.mounts[0].read_only);
    assert_eq!(
        service.mounts[1].source,
        MountSource::Volume { name: "stack_cache".to_owned(), subpath: None }
    );
    let volume = project.volume("stack_cache").unwrap();
    assert_eq!(volume.device.as_ref().unwrap().value, HostPath::new(root.join("cache")));
}

#[test]
fn inherited_mounts_give_way_to_own_ones() {
    let text = "\
services:
  a: {image: i, volumes: [./own:/x], volumes_from: ['b:ro']}
  b: {image: i, volumes: [./x:/x, ./y:/y], volumes_from: [c]}
  c: {image: i, volumes: [./z:/z], secrets: [s]}
secrets: {s: {file: ./s.txt}}
";
    let (project, _) = project(&[("compose.yaml", text)]);
    let mut targets: Vec<_> = project.service("a").unwrap().mounts.iter().collect();
    targets.sort_by_key(|mount| mount.target.clone());
    let seen: Vec<_> =
        targets.iter().map(|mount| (mount.target.to_string(), mount.read_only)).collect();
    let expected = [("/run/secrets/s", true), ("/x", false), ("/y", true), ("/z", true)];
    assert_eq!(seen, expected.map(|(target, read_only)| (target.to_owned(), read_only)));
}

/// Every place that a project knows.
fn places(project: &Project) -> impl Iterator<Item = &Place> {
    let services = project.services.iter().flat_map(|service| {
        let words = service.command.iter().chain(&service.entrypoint).flatten();
        [&service.name.place]
            .into_iter()
            .chain(service.image.iter().map(|image| &image.place))
            .chain(words.map(|word| &word.place))
            .chain(service.user.iter().map(|user| &user.place))
            .chain(service.mounts.iter().map(|mount| &mount.place))
            .chain(service.depends_on.iter().map(|edge| &edge.place))
            .chain(service.environment.values().map(|value| &value.place))
            .chain(service.labels.values().map(|value| &value.place))
    });
    let volumes = project.volumes.values().flat_map(|volume| {
        [&volume.place].into_iter().chain(volume.device.iter().map(|device| &device.place))
    });
    services
        .chain(volumes)
        .chain(project.variables.values().map(|variable| &variable.place))
        .chain(project.warnings.iter().map(|warning| &warning.place))
        .chain(project.extension_places.values())
}

fn refusal(text: &str) -> String {
    load(&[("compose.yaml", text.as_bytes())]).result.unwrap_err().to_string()
}

#[test]
fn refusals_name_the_line_and_the_column() {
    for (text, expected) in [
        (
            "services:\n  a:\n    image: i\n    volumes:\n      - models:/m\n",
            "compose.yaml:5:9: service \"a\" refers to undefined volume models",
        ),
        (
            "services:\n  a: {image: i, depends_on: [zz]}\n",
            "compose.yaml:2:30: service \"a\" depends on undefined service \"zz\"",
        ),
        (
            "services:\n  a:\n    image: i\n    image: j\n",
            "compose.yaml:4:5: mapping key `image` is already defined in line 3",
        ),
        (
            "services:\n  a: {image: i, user: '${U:?set it}'}\n",
            "compose.yaml:2:23: required variable `U` is missing a value: set it",
        ),
        (
            "services:\n  a:\n    command: x\n",
            "compose.yaml:2:3: service \"a\" has neither an image nor a build context",
        ),
        ("services:\n  a:\n    image: [\n", "compose.yaml:3:12: unclosed bracket '['"),
        (
            "services:\n  a: {image: i, command: [--port, 8000]}\n",
            "compose.yaml:2:35: `services.a.command[1]` must be a string, not a number",
        ),
    ] {
        assert_eq!(refusal(text), expected);
    }
}

#[test]
fn a_text_that_is_not_utf_8_is_refused_where_it_ends_to_be() {
    let loaded = load(&[("compose.yaml", b"services:\n  a: \xff\n")]);
    let error = loaded.result.unwrap_err().to_string();
    assert_eq!(error, "compose.yaml:2:6: the text is not valid UTF-8 from here on");
}

#[test]
fn unset_variables_and_keys_of_newer_releases_are_warnings() {
    let text = "services:\n  a: {image: 'i:${U}', pre_start: [{command: x}], command: a > b}\n";
    let (project, loaded) = project(&[("compose.yaml", text)]);
    let seen: Vec<_> = project
        .warnings
        .iter()
        .map(|warning| format!("{} {}", loaded.at(&warning.place), warning.message))
        .collect();
    assert_eq!(
        seen,
        [
            "compose.yaml:2:14 `'i:${U}'` variable `U` is not set: it expands to nothing",
            "compose.yaml:2:24 `pre_start` `services.a.pre_start` needs Docker Compose 5.3: an older one \
             refuses the file",
        ]
    );
    assert!(project.document["services"]["a"]["pre_start"].is_array());
}

#[test]
fn a_printed_project_hides_secrets_and_loads_again_as_itself() {
    let text = format!("{STACK}  note: a$$b\n");
    let (project, _) = project(&[("compose.yaml", &text), (".env", "TAG=v1\n")]);
    let masked = compose::print(&project, ConfigFormat::Yaml, Some(&Redactor::default()));
    assert!(masked.contains("'***'") && !masked.contains("hf_abc"), "{masked}");
    for (format, name) in
        [(ConfigFormat::Yaml, "compose.yaml"), (ConfigFormat::Json, "compose.yml")]
    {
        let printed = compose::print(&project, format, None);
        assert!(printed.contains("a$$b"), "{printed}");
        let (again, _) = self::project(&[(name, &printed)]);
        assert_eq!(again.document, project.document);
    }
}

#[test]
fn an_alias_bomb_is_refused_at_once() {
    let mut text = "x-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let inner = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("x-{level}: &a{level} [{inner}]\n"));
    }
    let start = Instant::now();
    assert!(refusal(&text).contains("the project has more than 50000 values"));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_value_that_contains_itself_is_refused() {
    let error = refusal("x-a: &a\n  b: *a\nservices: {a: {image: i}}\n");
    assert!(error.contains("compose.yaml:2:6"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_are_a_project_or_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = load(&[("compose.yaml", &bytes)]).result;
    }

    #[test]
    fn any_mutation_of_a_stack_is_a_project_or_a_refusal(
        at in 0..STACK.len(),
        length in 0..12_usize,
        inserted in "[-a-z:{}\\[\\]&*!|> \n'\"$#?,0-9<~%@]{0,6}",
    ) {
        let end = (at + length).min(STACK.len());
        let text = format!("{}{inserted}{}", &STACK[..at], &STACK[end..]);
        let loaded = load(&[("compose.yaml", text.as_bytes())]);
        let with_empty = load(&[
            ("compose.yaml", text.as_bytes()),
            ("compose.override.yaml", b"{}"),
        ]);
        prop_assert_eq!(loaded.result.is_ok(), with_empty.result.is_ok());
        if let (Ok(project), Ok(merged)) = (&loaded.result, &with_empty.result) {
            let folder = |loaded: &Loaded| loaded.folder.path().display().to_string();
            let document = merged.document.to_string().replace(&folder(&with_empty), &folder(&loaded));
            prop_assert_eq!(document, project.document.to_string());
            for span in places(project).filter_map(|place| place.span) {
                let text = loaded.sources.text(span.source);
                prop_assert!(text.get(span.start..span.end).is_some(), "{span:?}");
            }
        }
    }
}

#[test]
fn the_restart_policy_is_the_one_that_compose_gives_to_docker() {
    for (written, expected) in [
        ("restart: on-failure:0", "on-failure:0"),
        ("deploy: {restart_policy: {}}", "no"),
        ("deploy: {restart_policy: {condition: any}}", "always"),
        ("deploy: {restart_policy: {condition: on-failure}}", "on-failure"),
        ("deploy: {restart_policy: {condition: on-failure, max_attempts: 3}}", "on-failure:3"),
        (
            "deploy: {restart_policy: {condition: unless-stopped, max_attempts: 0}}",
            "unless-stopped",
        ),
        ("restart: always\n    deploy: {restart_policy: {condition: none}}", "no"),
        ("restart: always\n    deploy: {restart_policy: {max_attempts: 2}}", "no"),
        ("restart: always\n    deploy: {replicas: 1}", "always"),
    ] {
        let text = format!("services:\n  a:\n    image: x\n    {written}\n");
        let (project, _) = project(&[("compose.yaml", &text)]);
        let restart = project.service("a").unwrap().restart.as_ref().unwrap();
        assert_eq!(restart.value, expected, "{written}");
    }
}

#[test]
fn what_profiles_leave_out_is_known_and_can_be_switched_on() {
    let text = "\
services:
  web:
    image: web
  gpu:
    image: vllm
    profiles: [gpu]
    depends_on: [db]
  cpu:
    image: llama
    profiles: [cpu]
    env_file: gone.env
  db:
    image: db
    profiles: [gpu]
";
    let names = |services: &[Service]| -> Vec<String> {
        services.iter().map(|service| service.name.value.clone()).collect()
    };
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("compose.yaml"), text).unwrap();
    for (switched_on, services, disabled) in [
        // What cannot be read whole is not known; Compose does not look at it.
        (&[][..], &["web"][..], &["gpu", "db"][..]),
        (&["gpu", "db"], &["web", "gpu", "db"], &[]),
        (&["db"], &["web", "db"], &["gpu"]),
    ] {
        let options = ProjectOptions {
            switched_on: switched_on.iter().map(|name| (*name).to_owned()).collect(),
            working_directory: folder.path().to_path_buf(),
            ..ProjectOptions::default()
        };
        let project = compose::load(&options, &mut SourceMap::default()).unwrap();
        assert_eq!(names(&project.services), services, "{switched_on:?}");
        assert_eq!(names(&project.disabled), disabled, "{switched_on:?}");
        assert!(project.warnings.is_empty(), "{:?}", project.warnings);
    }
}
