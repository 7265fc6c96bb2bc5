//! Compose texts in, one line for each lane out.

use std::borrow::Cow;

use super::*;
use crate::options::{ProjectOptions, Selection};
use crate::path::HostPath;
use crate::project::mounts::{Sight, Standpoint};
use crate::project::{Mount, MountSource};
use crate::source_map::SourceMap;

const LLAMA: &str = "ghcr.io/ggml-org/llama.cpp:server";

/// What a project is made of, and how it is asked about.
#[derive(Default)]
struct Case {
    compose: Cow<'static, str>,
    dotenv: &'static str,
    selection: Selection,
    init: bool,
}

impl Case {
    fn of(compose: &'static str) -> Self {
        Self { compose: compose.into(), ..Self::default() }
    }
}

/// Plans a project in a folder that is called `/p` in what comes out.
fn planned(case: &Case) -> Result<Plan, PlanError> {
    let folder = tempfile::tempdir().unwrap();
    let text = case.compose.replace("LLAMA", LLAMA).replace("VLLM", "vllm/vllm-openai:v0.10.2");
    fs_err::write(folder.path().join("compose.yaml"), text).unwrap();
    fs_err::write(folder.path().join(".env"), case.dotenv).unwrap();
    let options = ProjectOptions {
        name: Some("p".to_owned()),
        working_directory: folder.path().to_path_buf(),
        ..ProjectOptions::default()
    };
    let mut sources = SourceMap::default();
    let mut project = crate::project::compose::load(&options, &mut sources).unwrap();
    let root = HostPath::new(folder.path());
    for mount in project.services.iter_mut().flat_map(|service| &mut service.mounts) {
        if let MountSource::Bind { path, .. } = &mut mount.source
            && let Some(below) = path.below(&root)
        {
            *path = HostPath::new("/p").join(below);
        }
    }
    project.directory = HostPath::new("/p");
    let own = || -> Vec<Mount> { project.preflight_service().unwrap().mounts.clone() };
    let standpoint = if case.init { Standpoint::Container(own()) } else { Standpoint::Host };
    plan(&project, &standpoint, &case.selection, &sources)
}

fn line(lane: &Lane) -> String {
    let mut words = vec![lane.name.clone()];
    words.extend((!lane.required).then(|| "optional".to_owned()));
    words.extend((!lane.fetch).then(|| "not-fetched".to_owned()));
    words.extend((!lane.services.is_empty()).then(|| format!("[{}]", lane.services.join(" "))));
    for artifact in &lane.artifacts {
        let located = &artifact.located.value;
        let on_host = located.host_path.as_ref().map_or("?".to_owned(), ToString::to_string);
        let seen = match &located.sight {
            Sight::Visible { path, .. } if path.as_path() == Path::new(&on_host) => "",
            Sight::Visible { path, .. } => &format!(" seen at {path}"),
            Sight::Written => " written",
            Sight::Covered => " covered",
            Sight::NotMounted => " not mounted",
            Sight::Hidden(_) => " hidden",
        };
        words.push(format!("{on_host}{seen} <- {}", artifact.located.from));
    }
    words.extend(lane.source.as_ref().map(|it| format!("from {} <- {}", it.value, it.from)));
    words.extend(lane.url.as_ref().map(|url| format!("at {}", url.value)));
    words.extend(lane.skipped.as_ref().map(|why| format!("skipped: {why}")));
    words.extend(lane.problems.iter().map(|problem| {
        let shown = format!("{:?}", problem.kind);
        format!("problem: {}", shown.split([' ', '{']).next().unwrap_or_default())
    }));
    words.join(", ")
}

fn check(case: &Case, expected: &[&str]) {
    let plan = planned(case).unwrap();
    let lines: Vec<_> = plan.lanes.iter().map(line).collect();
    assert_eq!(lines, expected, "{}", case.compose);
}

fn refused(compose: &'static str, expected: &str) {
    let error = planned(&Case::of(compose)).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

fn variables(variables: &[(&str, &str)]) -> Selection {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Selection { variables: variables.iter().map(owned).collect(), ..Selection::default() }
}

const ONE: &str = "
services:
  a: {image: LLAMA, command: -m /models/x.gguf, volumes: ['./m:/models']}
";

#[test]
fn a_service_that_opens_a_model_is_a_lane_of_its_name() {
    check(&Case::of(ONE), &["a, [a], /p/m/x.gguf <- -m"]);
}

#[test]
fn a_label_is_stronger_than_the_extension_and_that_stronger_than_a_variable() {
    check(
        &Case::of(
            "
x-preflight:
  lanes:
    coder: {service: a, source: 'hf://o/from-extension', path: /models/extension.gguf}
services:
  a:
    image: own:1
    volumes: ['./m:/models']
    environment: {ARGOS_LANE_CODER_MODEL_PATH: /models/variable.gguf}
    labels:
      preflight.lane: Coder
      preflight.source: hf://o/from-label
      preflight.required: 'no'
",
        ),
        &[concat!(
            "coder, optional, not-fetched, [a], /p/m/extension.gguf <- x-preflight, ",
            "from hf://o/from-label <- label preflight.source"
        )],
    );
}

#[test]
fn labels_without_a_lane_are_about_the_lane_of_the_service() {
    check(
        &Case::of(
            "
services:
  a: {image: LLAMA, command: -m /m/x.gguf, volumes: ['/m:/m'], labels: {preflight.source: 'hf://o/r/x'}}
",
        ),
        &["a, [a], /m/x.gguf <- -m, from hf://o/r/x <- label preflight.source"],
    );
}

#[test]
fn a_relative_path_starts_at_the_working_directory_of_the_service() {
    check(
        &Case::of(
            "
services:
  a:
    image: own:1
    working_dir: /models
    volumes: ['./m:/models']
    labels: {preflight.lane: x, preflight.path: sub/x.gguf}
",
        ),
        &["x, [a], /p/m/sub/x.gguf <- label preflight.path"],
    );
}

#[test]
fn a_variable_of_an_engine_is_a_path_of_that_engine() {
    check(
        &Case::of(
            "
services:
  a:
    image: VLLM
    command: --model /models/coder
    environment: {CORTEX_LANE_CODER_MODEL_PATH: /models/coder}
    volumes: ['./m:/models']
",
        ),
        &["coder, [a], /p/m/coder <- CORTEX_LANE_CODER_MODEL_PATH"],
    );
}

#[test]
fn a_variable_elsewhere_is_a_host_path_below_the_models_root_else_a_path_of_the_mounting_service() {
    let compose = "
services:
  gateway: {image: nginx}
  a: {image: LLAMA, command: -m /models/x.gguf, volumes: ['${MODELS_PATH:-./m}:/models']}
";
    for dotenv in [
        "MODELS_PATH=/data\nARGOS_LANE_X_MODEL_PATH=/data/x.gguf",
        "MODELS_PATH=/data\nARGOS_LANE_X_MODEL_PATH=/models/x.gguf",
    ] {
        check(
            &Case { dotenv, ..Case::of(compose) },
            &["x, [a], /data/x.gguf <- ARGOS_LANE_X_MODEL_PATH"],
        );
    }
}

#[test]
fn a_path_that_means_one_file_on_the_host_and_another_in_the_service_is_ambiguous() {
    check(
        &Case {
            dotenv: "MODELS_PATH=/models\nARGOS_LANE_X_MODEL_PATH=/models/x.gguf",
            ..Case::of(
                "
services:
  a: {image: LLAMA, command: -m /models/x.gguf, volumes: ['/data:/models', '/models:/all']}
",
            )
        },
        &[concat!(
            "x, [a], /models/x.gguf <- ARGOS_LANE_X_MODEL_PATH, ",
            "problem: PathAmbiguous, problem: EngineOpensOther"
        )],
    );
}

#[test]
fn a_path_that_means_another_file_in_each_of_two_services_is_ambiguous() {
    let same = "
services:
  a: {image: LLAMA, command: -m /models/a.gguf, volumes: ['/one:/models']}
  b: {image: LLAMA, command: -m /models/b.gguf, volumes: ['/one:/models']}
";
    let other = "
services:
  a: {image: LLAMA, command: -m /models/a.gguf, volumes: ['/one:/models']}
  b: {image: LLAMA, command: -m /models/b.gguf, volumes: ['/two:/models']}
";
    let dotenv = "ARGOS_LANE_X_MODEL_PATH=/models/x.gguf";
    let a = "a, [a], /one/a.gguf <- -m";
    check(
        &Case { dotenv, ..Case::of(same) },
        &["x, /one/x.gguf <- ARGOS_LANE_X_MODEL_PATH", a, "b, [b], /one/b.gguf <- -m"],
    );
    check(
        &Case { dotenv, ..Case::of(other) },
        &[
            "x, /one/x.gguf <- ARGOS_LANE_X_MODEL_PATH, problem: PathAmbiguous",
            a,
            "b, [b], /two/b.gguf <- -m",
        ],
    );
}

#[test]
fn a_variable_that_names_another_file_than_the_engine_opens_is_a_contradiction() {
    let compose = "
services:
  coder: {image: LLAMA, command: -m /models/y.gguf, volumes: ['/data:/models']}
";
    check(
        &Case {
            dotenv: "MODELS_PATH=/data\nARGOS_LANE_CODER_MODEL_PATH=/data/x.gguf",
            ..Case::of(compose)
        },
        &[concat!(
            "coder, [coder], /data/x.gguf <- ARGOS_LANE_CODER_MODEL_PATH, ",
            "problem: EngineOpensOther"
        )],
    );
}

#[test]
fn a_lane_that_several_services_open_needs_the_file_in_each_of_them() {
    check(
        &Case::of(
            "
services:
  a: {image: LLAMA, command: -m /m/x.gguf, volumes: ['/1:/m'], labels: {preflight.lane: x}}
  b: {image: LLAMA, command: -m /m/x.gguf, volumes: ['/1:/m'], labels: {preflight.lane: x}}
  c: {image: LLAMA, command: -m /m/x.gguf, volumes: ['/2:/m'], labels: {preflight.lane: x}}
  d: {image: LLAMA, command: -m /m/x.gguf, labels: {preflight.lane: x}}
",
        ),
        &["x, [a b c d], /1/x.gguf <- -m, /2/x.gguf <- -m, ? not mounted <- -m"],
    );
}

#[test]
fn of_several_lanes_in_one_service_the_path_decides_which_one_it_opens() {
    check(
        &Case::of(
            "
x-preflight:
  lanes:
    one: {service: a, path: /models/1}
    two: {service: a, path: /models/2}
services:
  a: {image: VLLM, command: --model /models/2 --tokenizer /models/t, volumes: ['/m:/models']}
",
        ),
        &["one, [a], /m/1 <- x-preflight", "two, [a], /m/2 <- x-preflight, /m/t <- --tokenizer"],
    );
}

#[test]
fn a_lane_of_which_only_the_address_is_said_is_the_one_of_the_service_that_answers_there() {
    check(
        &Case::of(
            "
services:
  v: {image: VLLM, command: --model /models/x, volumes: ['/m:/models']}
  gateway: {image: nginx, environment: {ARGOS_LANE_READER_URL: 'http://v:8000/v1'}}
",
        ),
        &["reader, [v], /m/x <- --model, at http://v:8000/v1"],
    );
}

#[test]
fn a_declared_lane_without_a_path_is_a_problem_and_an_address_alone_is_not() {
    check(
        &Case::of(
            "
x-preflight:
  lanes:
    nowhere: {source: 'hf://o/r'}
    unserved: {service: gone, path: /models/x}
    far: {smoke: {url: 'http://elsewhere:1'}}
services:
  gateway: {image: nginx, environment: {ARGOS_LANE_FAR_TOO_URL: 'http://elsewhere:2'}}
",
        ),
        &[
            "nowhere, from hf://o/r <- x-preflight, problem: NoPath",
            "unserved, ? not mounted <- x-preflight, problem: ServiceUnknown",
            "far, at http://elsewhere:1, skipped: served outside this project, at http://elsewhere:1",
            "far_too, at http://elsewhere:2, skipped: served outside this project, at \
             http://elsewhere:2",
        ],
    );
}

#[test]
fn a_service_that_names_no_path_is_said_with_what_it_names_instead() {
    check(
        &Case::of(
            "
services:
  a: {image: VLLM, command: --port 8000}
  b: {image: VLLM, command: --model Qwen/Qwen2.5-7B-Instruct}
  c: {image: ollama/ollama}
",
        ),
        &[
            "a, [a], problem: NoModelNamed",
            "b, [b], from hf://Qwen/Qwen2.5-7B-Instruct <- --model",
            "c, [c], skipped: Ollama loads its models on request",
        ],
    );
}

const GRANITE: &str = "gguf/granite-3.0-8b-instruct-Q4_K_M.gguf";

#[test]
fn the_catalogue_knows_a_path_by_its_tail_and_no_lane_by_its_name_alone() {
    let plan = planned(&Case::of(
        "
services:
  a:
    image: LLAMA
    command: -m /models/gguf/granite-3.0-8b-instruct-Q4_K_M.gguf
    volumes: ['/m:/models']
  coder: {image: VLLM, command: --model /models/own, volumes: ['/m:/models']}
",
    ));
    let lines: Vec<_> = plan.unwrap().lanes.iter().map(line).collect();
    let source = format!("hf://bartowski/granite-3.0-8b-instruct-GGUF/{}", &GRANITE[5..]);
    assert_eq!(
        lines,
        [
            format!("governance, [a], /m/{GRANITE} <- -m, from {source} <- catalogue"),
            "coder, [coder], /m/own <- --model".to_owned(),
        ]
    );
}

#[test]
fn what_only_the_catalogue_knows_is_optional_and_fetched_when_it_is_asked_for_by_name() {
    let compose = "
x-preflight: {catalogue: cortex}
services:
  web: {image: nginx}
";
    let fetched = |selection: Selection| {
        let plan = planned(&Case { selection, ..Case::of(compose) }).unwrap();
        assert!(plan.lanes.iter().all(|lane| !lane.required));
        let fetched = plan.lanes.into_iter().filter(|lane| lane.fetch && lane.skipped.is_none());
        fetched.map(|lane| lane.name).collect::<Vec<_>>()
    };
    assert_eq!(fetched(Selection::default()), Vec::<String>::new());
    let lanes = vec!["super-reader".to_owned()];
    assert_eq!(fetched(Selection { lanes, ..Selection::default() }), ["super_reader"]);
    assert_eq!(
        fetched(variables(&[("ARGOS_DOWNLOAD_VLLM", "true"), ("ARGOS_DOWNLOAD_GOVERNANCE", "1")])),
        ["orchestrator", "coder", "fast_rag", "governance"]
    );
}

#[test]
fn the_small_lanes_are_below_the_models_root_and_required() {
    let selection = Selection {
        minimal: true,
        models_dir: Some("/data".into()),
        ..variables(&[("MODELS_PATH", "/weaker")])
    };
    let lines = planned(&Case { selection, ..Case::of(ONE) }).unwrap();
    let lines: Vec<_> = lines.lanes.iter().map(line).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("minimal_vllm, /data/minimal/vllm/TinyLlama"), "{lines:?}");
    assert!(lines[1].starts_with("minimal_gguf, /data/minimal/gguf/TinyLlama"), "{lines:?}");
}

#[test]
fn variables_choose_what_is_fetched_and_everything_is_validated() {
    for (name, value, expected) in [
        ("ARGOS_DOWNLOAD_GOVERNANCE", "true", "a, not-fetched, [a], /p/m/x.gguf <- -m"),
        ("ARGOS_DOWNLOAD_GOVERNANCE", "false", "a, not-fetched, [a], /p/m/x.gguf <- -m"),
        ("ARGOS_OTHER", "true", "a, [a], /p/m/x.gguf <- -m"),
    ] {
        check(&Case { selection: variables(&[(name, value)]), ..Case::of(ONE) }, &[expected]);
    }
}

#[test]
fn a_flag_leaves_out_the_lanes_of_its_kind() {
    let selection = Selection { skip_gguf: true, ..Selection::default() };
    check(
        &Case { selection, ..Case::of(ONE) },
        &["a, [a], /p/m/x.gguf <- -m, skipped: left out by --skip-gguf"],
    );
}

#[test]
fn a_lane_is_chosen_by_name_and_must_exist() {
    let lanes = |name: &str| Selection { lanes: vec![name.to_owned()], ..Selection::default() };
    check(&Case { selection: lanes("A"), ..Case::of(ONE) }, &["a, [a], /p/m/x.gguf <- -m"]);
    let error = planned(&Case { selection: lanes("b"), ..Case::of(ONE) }).unwrap_err();
    assert_eq!(error.to_string(), "there is no lane `b`");
    assert_eq!(error.hint().as_deref(), Some("the lanes are a"));
}

#[test]
fn an_init_container_sees_the_files_through_its_own_mounts() {
    check(
        &Case {
            init: true,
            ..Case::of(
                "
services:
  preflight: {image: 'preflight:local', volumes: ['./m:/weights']}
  a: {image: LLAMA, command: -m /models/x.gguf, volumes: ['./m/gguf:/models']}
  b: {image: LLAMA, command: -m /models/x.gguf, volumes: ['./other:/models']}
",
            )
        },
        &[
            "a, [a], /p/m/gguf/x.gguf seen at /weights/gguf/x.gguf <- -m, at http://a:8080",
            "b, [b], /p/other/x.gguf hidden <- -m, at http://b:8080",
        ],
    );
}

#[test]
fn a_declaration_that_cannot_be_read_is_refused_where_it_is_written() {
    refused(
        "
services:
  a: {image: x, labels: {preflight.lane: x, preflight.required: perhaps}}
",
        "compose.yaml:3:",
    );
    refused("x-preflight: {lanes: {a: {sauce: x}}}\nservices: {a: {image: x}}", "sauce");
    refused("x-preflight: {fetch: always}\nservices: {a: {image: x}}", "always");
    refused("x-preflight: {catalogue: own.yaml}\nservices: {a: {image: x}}", "not supported yet");
    refused("x-preflight: {lanes: {a: {source: o/r}}}\nservices: {a: {image: x}}", "hf://");
}

/// Two engines that get every lane variable through one shared block.
const SHARED: &str = "
x-paths: &paths
  ARGOS_LANE_CODER_MODEL_PATH: /models/coder
  ARGOS_LANE_RAG_MODEL_PATH: /models/rag
  ARGOS_LANE_READER_MODEL_PATH: /models/reader.gguf
services:
  v: {image: VLLM, command: COMMAND, environment: *paths, volumes: ['/m:/models']}
  l: {image: LLAMA, command: -m /models/reader.gguf, environment: *paths, volumes: ['/m:/models']}
";

/// What is said of each lane, of its engine, and of whether that is started for another lane.
fn served(compose: &str) -> Vec<String> {
    let compose: &'static str = Box::leak(compose.to_owned().into_boxed_str());
    let plan = planned(&Case::of(compose)).unwrap();
    let served = plan.lanes.iter().map(|lane| {
        let engine = lane.engine.map_or("-", Engine::id);
        let standby = if lane.standby.is_some() { ", standby" } else { "" };
        format!("{}: {} {engine}{standby}", lane.name, lane.services.join(" "))
    });
    served.collect()
}

#[test]
fn a_lane_in_a_shared_block_is_served_by_the_engine_that_its_url_its_path_or_its_kind_names() {
    let paths = SHARED.replace("COMMAND", "--model /models/coder");
    let by_path = ["coder: v vllm", "rag: v vllm, standby", "reader: l llama-cpp"];
    assert_eq!(served(&paths), by_path);

    let gateway = "
  gateway:
    image: nginx
    environment: {ARGOS_LANE_RAG_URL: 'http://second:8000/v1', ARGOS_LANE_READER_URL: 'http://v/v1'}
  w:
    {image: VLLM, container_name: second, command: --model /models/x, volumes: ['/n:/models']}
";
    let by_url = ["coder: v vllm", "rag: w vllm", "reader: v vllm, standby", "l: l llama-cpp"];
    assert_eq!(served(&format!("{paths}{gateway}")), by_url);
}

#[test]
fn a_command_that_has_lost_its_model_starts_the_lane_that_the_lost_variable_is_called_after() {
    let lost = SHARED.replace("COMMAND", "'--model ${ARGOS_LANE_RAG_MODEL_PATH}'");
    let expected = ["coder: v vllm, standby", "rag: v vllm", "reader: l llama-cpp"];
    assert_eq!(
        served(&format!(
            "{lost}
  gateway:
    image: nginx
    environment: {{ARGOS_LANE_RAG_URL: 'http://v:8000', ARGOS_LANE_CODER_URL: 'http://v:8000'}}
"
        )),
        expected
    );
}

#[test]
fn a_model_that_begins_with_a_slash_is_its_path() {
    check(
        &Case::of(
            "
services:
  v:
    image: VLLM
    command: --model /models/coder
    volumes: ['/m:/models']
    environment:
      CORTEX_LANE_CODER_MODEL: /models/coder
      CORTEX_LANE_RAG_MODEL: /models/rag
      CORTEX_LANE_RAG_MODEL_PATH: /models/other
",
        ),
        &[
            "rag, [v], /m/other <- CORTEX_LANE_RAG_MODEL_PATH",
            "coder, [v], /m/coder <- CORTEX_LANE_CODER_MODEL",
        ],
    );
}

#[test]
fn a_port_that_an_engine_publishes_is_that_engine_on_the_host() {
    check(
        &Case {
            dotenv: "ARGOS_LANE_READER_URL=http://localhost:9000/v1\n\
                     ARGOS_LANE_FAR_URL=http://localhost:9001/v1",
            ..Case::of(
                "
services:
  v: {image: VLLM, command: --model /models/x, volumes: ['/m:/models'], ports: ['9000:8000']}
",
            )
        },
        &[
            "reader, [v], /m/x <- --model, at http://localhost:9000/v1",
            "far, at http://localhost:9001/v1, skipped: served outside this project, at \
             http://localhost:9001/v1",
        ],
    );
}

#[test]
fn the_files_of_a_lane_that_is_served_on_the_host_are_where_whoever_says_so_sees_them() {
    check(
        &Case::of(
            "
services:
  backend:
    image: acme/backend
    volumes: ['/data:/models']
    environment:
      ARGOS_LANE_READER_URL: http://host.docker.internal:8080/v1
      ARGOS_LANE_READER_MODEL_PATH: /models/reader.gguf
      ARGOS_LANE_CODER_URL: http://host.docker.internal:8000/v1
      ARGOS_LANE_CODER_MODEL_PATH: /srv/coder
  v:
    image: VLLM
    command: --model /models/x
    volumes: ['/elsewhere:/models']
    environment:
      ARGOS_LANE_FAR_URL: http://host.docker.internal:8081/v1
      ARGOS_LANE_FAR_MODEL_PATH: /srv/far.gguf
      ARGOS_LANE_AWAY_URL: http://gpu.example:8081/v1
      ARGOS_LANE_AWAY_MODEL_PATH: /srv/away.gguf
",
        ),
        &[
            "reader, /data/reader.gguf <- ARGOS_LANE_READER_MODEL_PATH, at \
             http://host.docker.internal:8080/v1",
            "coder, /srv/coder <- ARGOS_LANE_CODER_MODEL_PATH, at \
             http://host.docker.internal:8000/v1",
            "far, /srv/far.gguf <- ARGOS_LANE_FAR_MODEL_PATH, at http://host.docker.internal:8081/v1",
            "away, at http://gpu.example:8081/v1, skipped: served outside this project, at \
             http://gpu.example:8081/v1",
            "v, [v], /elsewhere/x <- --model",
        ],
    );
}

#[test]
fn a_lane_of_the_catalogue_with_another_path_is_known_by_name_alone() {
    let plan = planned(&Case {
        dotenv: "ARGOS_LANE_GOVERNANCE_MODEL_PATH=/models/granite-3.0.Q4_K_M.gguf",
        ..Case::of(ONE)
    });
    let lane = plan.unwrap().lanes.remove(0);
    assert!(lane.source.is_none());
    let known = lane.known_as.map(|source| source.to_string()).unwrap_or_default();
    assert!(known.ends_with("/granite-3.0-8b-instruct-Q4_K_M.gguf"), "{known}");
}

#[test]
fn a_url_says_who_serves_a_path_that_others_open_as_well() {
    let replicas = "
services:
  one: {image: LLAMA, command: -m /models/a.gguf, volumes: ['/m:/models']}
  two: {image: LLAMA, command: -m /models/a.gguf -c 9, volumes: ['/m:/models']}
  proxy: {image: nginx, volumes: ['/m:/models']}
";
    let dotenv = "ARGOS_LANE_READER_URL=http://two:8080/v1\n\
                  ARGOS_LANE_READER_MODEL_PATH=/models/a.gguf";
    check(
        &Case { dotenv, ..Case::of(replicas) },
        &[
            "reader, [two], /m/a.gguf <- ARGOS_LANE_READER_MODEL_PATH, at http://two:8080/v1",
            "one, [one], /m/a.gguf <- -m",
        ],
    );
    let dotenv = "ARGOS_LANE_READER_URL=http://proxy/v1\n\
                  ARGOS_LANE_READER_MODEL_PATH=/models/a.gguf";
    check(
        &Case { dotenv, ..Case::of(replicas) },
        &["reader, [one two], /m/a.gguf <- ARGOS_LANE_READER_MODEL_PATH, at http://proxy/v1"],
    );
}

#[test]
fn a_client_may_say_a_path_as_it_sees_the_file_itself() {
    check(
        &Case::of(
            "
services:
  api:
    image: acme/api
    volumes: ['/data:/models']
    environment:
      ARGOS_LANE_READER_URL: http://llama:8080/v1
      ARGOS_LANE_READER_MODEL_PATH: /models/a.gguf
  llama: {image: LLAMA, command: -m /m/a.gguf, volumes: ['/data:/m']}
",
        ),
        &["reader, [llama], /data/a.gguf <- ARGOS_LANE_READER_MODEL_PATH, at \
             http://llama:8080/v1"],
    );
}

#[test]
fn a_name_that_an_engine_serves_under_is_no_path() {
    check(
        &Case::of(
            "
services:
  v:
    image: VLLM
    command: --model /m/enc --served-model-name /models/coder
    volumes: ['/d:/m']
    environment: {ARGOS_LANE_CODER_MODEL: /models/coder, ARGOS_LANE_CODER_URL: 'http://v:8000'}
",
        ),
        &["coder, [v], /d/enc <- --model, at http://v:8000"],
    );
}

/// A lane that two services share, one that a service has alone, and one that only a service that
/// serves nothing speaks of.
const PAIR: &str = "\
services:
  cpu:
    image: LLAMA
    command: -m /models/small.gguf
    volumes: ['/data:/models']
    labels: {preflight.lane: chat}
  gpu:
    image: LLAMA
    command: -m /models/big.gguf
    volumes: ['/data:/models']
    labels: {preflight.lane: chat}
  reader:
    image: LLAMA
    command: -m /models/reader.gguf
    volumes: ['/data:/models']
  web:
    image: web
    environment: {ARGOS_LANE_FAR_MODEL_PATH: /data/far.gguf}
x-preflight: {lanes: {chat: {required: true}, documents: {service: reader}}}
";

/// The lanes of [`PAIR`] when an `up` starts none of `idle`.
fn check_without(idle: &[&str], expected: &[&str]) {
    let (head, lanes) = PAIR.split_once("x-preflight").unwrap();
    let (first, services) = head.split_once('\n').unwrap();
    let mut started = format!("{first}\n");
    let mut is_idle = false;
    for line in services.lines() {
        if line.starts_with("  ") && !line.starts_with("    ") {
            is_idle = idle.contains(&line.trim().trim_end_matches(':'));
        }
        if !is_idle {
            started.push_str(&format!("{line}\n"));
        }
    }
    let started = format!("{started}x-preflight{lanes}");
    let of = |compose: &str| {
        planned(&Case { compose: compose.to_owned().into(), ..Case::default() }).unwrap()
    };
    let idle = idle.iter().map(|name| (*name).to_owned()).collect();
    let plan = of(PAIR).narrowed(of(&started), idle);
    assert_eq!(plan.lanes.iter().map(line).collect::<Vec<_>>(), expected, "{started}");
}

#[test]
fn what_an_up_does_not_start_is_skipped_and_has_no_say_in_what_it_starts() {
    let far = "far, /data/far.gguf <- ARGOS_LANE_FAR_MODEL_PATH";
    check_without(
        &[],
        &[
            "chat, [cpu gpu], /data/small.gguf <- -m, problem: EngineOpensOther",
            "documents, [reader], /data/reader.gguf <- -m",
            far,
        ],
    );
    check_without(
        &["cpu"],
        &["chat, [gpu], /data/big.gguf <- -m", "documents, [reader], /data/reader.gguf <- -m", far],
    );
    check_without(
        &["reader", "gpu", "web"],
        &[
            "chat, [cpu], /data/small.gguf <- -m",
            "documents, [reader], /data/reader.gguf <- -m, skipped: not part of this `up`",
            "far, /data/far.gguf <- ARGOS_LANE_FAR_MODEL_PATH, skipped: not part of this `up`",
        ],
    );
}
