use std::path::{Path, PathBuf};

use super::*;
use crate::path::{HostPath, LocalPath, ServicePath};
use crate::plan::lanes::Settings;
use crate::project::mounts::Located;
use crate::report::human::Layout;
use crate::report::redact::Redactor;
use crate::report::tests::telling;
use crate::report::tests::{assert_same, lane};
use crate::source_map::Place;

fn located(sight: Sight) -> Located {
    Located {
        service: Some("vllm-coder".to_owned()),
        service_path: Some(ServicePath::new("/models/vllm/coder/bf16")),
        host_path: Some(HostPath::new("/srv/models/vllm/coder/bf16")),
        sight,
        mount: None,
    }
}

fn artifact(part: Part, from: Origin, place: &Place, located: Located) -> Artifact {
    Artifact { part, located: Traced { value: located, from, place: place.clone() } }
}

/// A plan in which everything that can be said is said.
fn rich() -> (Plan, SourceMap) {
    let mut sources = SourceMap::default();
    let text = "services:\n  coder: {command: --model /models --api-key abcdefgh}\n";
    let source = sources.add(Path::new("compose.yaml"), text.to_owned());
    let start = text.find("/models").unwrap();
    let place = Place::at(Span { source, start, end: start + 7 });
    let seen = Sight::Visible {
        path: LocalPath::new("/models/vllm/coder/bf16"),
        root: LocalPath::new("/models"),
        mounted_at: LocalPath::new("/models"),
        read_only: true,
    };
    let by_flag = || Origin::Engine("--model".to_owned());
    let coder = Lane {
        artifacts: vec![
            artifact(Part::Model, by_flag(), &place, located(seen)),
            artifact(Part::Lora, Origin::Extension, &place, located(Sight::NotMounted)),
        ],
        include: vec!["*.safetensors".to_owned(), "*.json".to_owned()],
        url: Some(Traced {
            value: "http://me:secret@coder:8000".to_owned(),
            from: Origin::LaneVariable("ARGOS_LANE_CODER_URL".to_owned()),
            place: Place::nowhere(),
        }),
        place: place.clone(),
        ..lane("coder", true)
    };
    let hidden = Sight::Hidden("preflight has not mounted `/srv/\u{202e}models`".to_owned());
    let reader = Lane {
        artifacts: vec![artifact(Part::Model, Origin::Catalogue, &place, located(hidden))],
        engine: None,
        services: Vec::new(),
        outside: true,
        source: None,
        problems: vec![Problem {
            kind: ProblemKind::PathAmbiguous {
                path: "/models/x".to_owned(),
                readings: vec!["a host path".to_owned(), "a path of `coder`".to_owned()],
            },
            place,
        }],
        ..lane("reader", false)
    };
    let chat = Lane { skipped: Some("Ollama keeps its models".to_owned()), ..lane("chat", true) };
    let settings = Settings { fetch: false, create_root: false, gpus: None };
    (
        Plan {
            lanes: vec![coder, reader, chat],
            settings,
            dialect: Default::default(),
            idle: Default::default(),
            wiring: Default::default(),
        },
        sources,
    )
}

#[test]
fn every_lane_is_shown_with_its_paths_and_who_said_so() {
    let (plan, sources) = rich();
    let redactor = Redactor::default();
    assert_same("plan", &human(&plan, telling(&sources, &redactor, Layout::default())));
    let layout = Layout { color: true, ..Layout::default() };
    let colored = human(&plan, telling(&sources, &redactor, layout));
    assert!(colored.starts_with("\u{1b}[1mcoder\u{1b}[0m: vLLM"), "{colored}");
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let wire = json(&plan, telling(&sources, &redactor, Layout::default()));
    assert_same("plan-json", &wire.replace(&version, "\"version\": \"[VERSION]\""));
}

#[test]
fn a_plan_without_lanes_says_how_to_declare_one() {
    let plan = Plan {
        lanes: vec![],
        settings: Settings { fetch: true, create_root: false, gpus: None },
        dialect: Default::default(),
        idle: Default::default(),
        wiring: Default::default(),
    };
    let (sources, redactor) = (SourceMap::default(), Redactor::default());
    let text = human(&plan, telling(&sources, &redactor, Layout::default()));
    assert_eq!(text, "there is no lane; `preflight explain no-lane` says how to declare one\n");
}

#[test]
fn an_artifact_without_a_service_has_its_local_path_alone() {
    let path = PathBuf::from("/home/me/x.gguf");
    let sight = Sight::Visible {
        path: LocalPath::new(&path),
        root: LocalPath::new(&path),
        mounted_at: LocalPath::new(&path),
        read_only: false,
    };
    let located =
        Located { service: None, service_path: None, host_path: None, sight, mount: None };
    let model = artifact(Part::Model, Origin::CommandLine, &Place::nowhere(), located);
    let lane = Lane {
        artifacts: vec![model],
        source: None,
        services: vec![],
        engine: None,
        ..lane("x", true)
    };
    let plan = Plan {
        lanes: vec![lane],
        settings: Settings { fetch: true, create_root: false, gpus: None },
        dialect: Default::default(),
        idle: Default::default(),
        wiring: Default::default(),
    };
    let (sources, redactor) = (SourceMap::default(), Redactor::default());
    let text = human(&plan, telling(&sources, &redactor, Layout::default()));
    let expected = format!("{:<70}  <- command line", "  model         seen at    /home/me/x.gguf");
    assert_eq!(text, format!("x\n{expected}\n"));
}
