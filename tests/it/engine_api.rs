//! What the Docker Engine's answers become, and what it is asked.
//!
//! The answers are those of Docker Engine 20.10.24 about a project that Docker Compose 2.40.3 made,
//! with its names and paths changed.

pub(crate) mod archive_answers;
mod crowd;
mod endless;
pub(crate) mod fake_engine;
mod hostile_archive;
mod image_defaults;
mod tls;

use preflight::options::DockerOptions;
use preflight::path::HostPath;
use preflight::project::docker::{Container, DockerError, Observation, observe};
use preflight::project::{MountSource, Project};

use self::fake_engine::FakeEngine;

const PREFLIGHT: &str = "3fb2148897d6";

/// An engine with the project `demo`: preflight, vllm, sick (exited), loop (crashing), gpu (cannot
/// start).
fn demo() -> FakeEngine {
    let list = include_str!("engine_api/list.json");
    let mut engine = FakeEngine::default()
        .answer("/version", 200, include_str!("engine_api/version.json"))
        .answer("/containers/json", 200, list)
        .answer("/volumes/demo_bound", 200, include_str!("engine_api/volume-bound.json"))
        .answer("/volumes/demo_cache", 200, include_str!("engine_api/volume-cache.json"));
    for container in [
        include_str!("engine_api/preflight.json"),
        include_str!("engine_api/vllm.json"),
        include_str!("engine_api/sick.json"),
        include_str!("engine_api/loop.json"),
        include_str!("engine_api/gpu.json"),
    ] {
        let json: serde_json::Value = serde_json::from_str(container).unwrap();
        let id = json["Id"].as_str().unwrap();
        engine = engine.answer(&format!("/containers/{id}/json"), 200, container);
        if id.starts_with(PREFLIGHT) {
            engine = engine.answer(&format!("/containers/{PREFLIGHT}/json"), 200, container);
        }
    }
    engine
}

fn options(host: &str, container: Option<&str>) -> DockerOptions {
    DockerOptions {
        host: Some(host.to_owned()),
        // An id that no engine knows keeps the machine that runs the test out of it.
        container: Some(container.unwrap_or("0000").to_owned()),
        ..DockerOptions::default_socket()
    }
}

/// What is seen from inside the container `container`, and every request.
async fn look(
    engine: FakeEngine,
    container: Option<&str>,
    project: Option<&str>,
) -> (Result<Observation, DockerError>, Vec<String>) {
    let running = engine.listen_on_socket();
    let observation = observe(&options(running.host(), container), project).await;
    (observation, running.stop())
}

fn services(observation: &Observation) -> Vec<&str> {
    let name = |container: &'_ Container| container.service.is_some();
    assert!(observation.siblings.iter().all(name));
    observation.siblings.iter().filter_map(|container| container.service.as_deref()).collect()
}

#[tokio::test]
async fn the_own_container_tells_the_project_and_its_siblings_are_seen() {
    let (observation, _) = look(demo(), Some(PREFLIGHT), None).await;
    let observation = observation.unwrap();
    assert_eq!(observation.docker_version, "20.10.24");
    assert_eq!(observation.api_version, "1.41");
    assert_eq!(services(&observation), ["gpu", "loop", "sick", "vllm"]);

    let myself = observation.myself.unwrap();
    assert_eq!(
        (myself.name.as_str(), myself.service.as_deref()),
        ("demo-preflight-1", Some("preflight"))
    );
    assert_eq!(myself.group_add, ["105"]);
    assert_eq!(
        observation.volume_devices.into_iter().collect::<Vec<_>>(),
        [("demo_bound".to_owned(), HostPath::new("/srv/bound"))]
    );
}

#[tokio::test]
async fn a_created_container_is_known_as_the_engine_resolved_it() {
    let (observation, _) = look(demo(), Some(PREFLIGHT), None).await;
    let observation = observation.unwrap();
    let vllm = observation.container("demo", "vllm").unwrap();
    assert_eq!(vllm.command, ["/bin/engine", "sleep", "600"]);
    assert_eq!(vllm.entrypoint, Vec::<String>::new());
    assert_eq!(vllm.user, "1000:1000");
    assert_eq!(vllm.restart, "unless-stopped");
    assert_eq!(vllm.working_dir.as_ref().unwrap().to_string(), "/work");
    assert_eq!(vllm.environment["B"].as_deref(), Some("x=y"));
    assert_eq!(vllm.environment["FROM_IMAGE"], None);
    assert_eq!(vllm.labels["preflight.lane"], "coder");
    assert!(vllm.created.is_some());
    assert_eq!(vllm.state.status, "created");
    let edges: Vec<_> = vllm.depends_on.iter().map(|edge| edge.service.as_str()).collect();
    assert_eq!(edges, ["sick", "preflight"]);

    let told: Vec<_> = vllm
        .mounts
        .iter()
        .map(|mount| {
            let source = match &mount.source {
                MountSource::Bind { path, create_host_path: true } => format!("{path} (made)"),
                MountSource::Bind { path, create_host_path: false } => path.to_string(),
                MountSource::Volume { name, .. } => format!("volume {name}"),
                MountSource::Anonymous => "anonymous".to_owned(),
                MountSource::Tmpfs => "tmpfs".to_owned(),
                MountSource::Copied(_) => "copied".to_owned(),
                MountSource::Other(other) => other.clone(),
            };
            let mode = if mount.read_only { "ro" } else { "rw" };
            format!("{} <- {source} {mode}", mount.target)
        })
        .collect();
    assert_eq!(
        told,
        [
            "/bound <- volume demo_bound rw",
            "/cache <- volume demo_cache rw",
            "/etc/x.conf <- /srv/stack/x.conf ro",
            "/imgdata <- anonymous rw",
            "/models <- /srv/stack/models (made) ro",
            "/run/secrets/token <- /srv/stack/token ro",
            "/scratch <- tmpfs rw",
            "/strict <- /srv/bound rw",
            "/tm <- tmpfs rw",
        ]
    );
}

#[tokio::test]
async fn a_container_that_could_not_be_started_says_why() {
    let (observation, _) = look(demo(), None, Some("demo")).await;
    let observation = observation.unwrap();
    let state = |service: &str| &observation.container("demo", service).unwrap().state;
    assert_eq!(
        state("gpu").error,
        r#"could not select device driver "" with capabilities: [[gpu]]"#
    );
    assert_eq!((state("sick").status.as_str(), state("sick").exit_code), ("exited", 3));
    assert_eq!(state("loop").restart_count, 4);
}

#[tokio::test]
async fn nothing_but_the_project_is_asked_for_and_nothing_is_made() {
    let (observation, requests) = look(demo(), Some(PREFLIGHT), None).await;
    observation.unwrap();
    // Whether the host has a device is asked once, and not again after a refusal.
    let (probes, reads): (Vec<_>, Vec<_>) =
        requests.iter().partition(|request| *request == "POST /containers/create");
    assert_eq!(probes.len(), 1, "{requests:?}");
    assert!(reads.iter().all(|request| request.starts_with("GET ")), "{requests:?}");
    // One of the two has crashed, the other crashes again and again.
    assert_eq!(reads.iter().filter(|request| request.contains("/logs?")).count(), 2);
    let lists: Vec<_> =
        requests.iter().filter(|request| request.starts_with("GET /containers/json")).collect();
    assert_eq!(lists.len(), 1, "{requests:?}");
    for part in ["all=true", "label", "com.docker.compose.project%3Ddemo"] {
        assert!(lists[0].contains(part), "{}", lists[0]);
    }
}

#[tokio::test]
async fn on_a_host_there_is_no_own_container_and_the_project_is_named() {
    let (observation, _) = look(demo(), None, Some("demo")).await;
    let observation = observation.unwrap();
    assert_eq!(observation.myself, None);
    assert_eq!(services(&observation), ["gpu", "loop", "preflight", "sick", "vllm"]);
    let (observation, requests) = look(demo(), None, None).await;
    assert_eq!(services(&observation.unwrap()), Vec::<&str>::new());
    assert!(!requests.iter().any(|request| request.starts_with("GET /containers/json")));
}

#[tokio::test]
async fn a_container_of_another_id_is_not_the_own_one() {
    // A host that is called as some container is.
    let engine =
        demo().answer("/containers/workstation1/json", 200, include_str!("engine_api/vllm.json"));
    let (observation, _) = look(engine, Some("workstation1"), Some("demo")).await;
    assert_eq!(observation.unwrap().myself, None);
}

#[tokio::test]
async fn one_off_containers_and_hooks_are_left_out() {
    for (label, value) in
        [("com.docker.compose.oneoff", "True"), ("com.docker.compose.hook", "pre_start")]
    {
        let mut list: serde_json::Value =
            serde_json::from_str(include_str!("engine_api/list.json")).unwrap();
        for container in list.as_array_mut().unwrap() {
            if container["Labels"]["com.docker.compose.service"] != "sick" {
                container["Labels"][label] = value.into();
            }
        }
        let engine = demo().answer("/containers/json", 200, list.to_string());
        let (observation, _) = look(engine, None, Some("demo")).await;
        assert_eq!(services(&observation.unwrap()), ["sick"], "{label}");
    }
}

#[tokio::test]
async fn what_cannot_be_inspected_is_left_out_and_the_rest_is_seen() {
    let vllm: serde_json::Value =
        serde_json::from_str(include_str!("engine_api/vllm.json")).unwrap();
    let path = format!("/containers/{}/json", vllm["Id"].as_str().unwrap());
    let mut configured = vllm.clone();
    configured["State"]["Status"] = "configured".into();
    for (status, body) in [
        (404, r#"{"message":"No such container"}"#.to_owned()),
        (500, String::new()),
        (200, "{}".to_owned()),
        (200, configured.to_string()),
    ] {
        let (observation, _) = look(demo().answer(&path, status, &body), None, Some("demo")).await;
        let observation = observation.unwrap();
        assert_eq!(services(&observation), ["gpu", "loop", "preflight", "sick"], "{status} {body}");
        assert_eq!(observation.volume_devices.len(), 0);
    }
}

#[tokio::test]
async fn a_volume_that_may_not_be_asked_about_is_only_not_known() {
    let engine = demo().answer("/volumes/demo_bound", 403, "Forbidden");
    let (observation, _) = look(engine, None, Some("demo")).await;
    let observation = observation.unwrap();
    assert_eq!(observation.volume_devices.len(), 0);
    assert_eq!(observation.siblings.len(), 5);
}

#[tokio::test]
async fn a_list_with_a_state_that_is_not_known_is_an_error() {
    let list = include_str!("engine_api/list.json").replace("\"restarting\"", "\"configured\"");
    let (observation, _) =
        look(demo().answer("/containers/json", 200, &list), None, Some("demo")).await;
    let error = observation.unwrap_err();
    assert!(matches!(error, DockerError::Unreadable { .. }), "{error}");
    assert!(error.to_string().contains("configured"), "{error}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told_with_the_request() {
    let page = "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.";
    let engine = demo().answer("/containers/json", 403, page);
    let (observation, _) = look(engine, None, Some("demo")).await;
    let error = observation.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the Docker Engine refuses `GET /containers/json`: status 403: <html><body><h1>403 Forbidden</h1>"
    );
    assert_eq!(
        error.hint().as_deref(),
        Some("let the proxy before the socket pass `GET /containers/json`")
    );
}

#[tokio::test]
async fn something_else_behind_the_socket_is_not_an_engine() {
    for body in ["", "hello", "[]", "{\"Version\": 3}"] {
        let engine = FakeEngine::default().answer("/version", 200, body);
        let (observation, _) = look(engine, None, Some("demo")).await;
        let error = observation.unwrap_err();
        let told =
            matches!(error, DockerError::Unreadable { .. } | DockerError::Unreachable { .. });
        assert!(told, "{body}: {error}");
    }
}

#[tokio::test]
async fn an_engine_that_hangs_up_is_unreachable() {
    let (observation, _) = look(FakeEngine::hanging_up(), None, Some("demo")).await;
    let error = observation.unwrap_err();
    assert!(matches!(error, DockerError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let host = format!("unix://{}", path.display());
    let error = observe(&options(&host, None), Some("demo")).await.unwrap_err();
    assert!(matches!(error, DockerError::Unreachable { .. }), "{error}");
    assert!(error.to_string().to_lowercase().contains("connection refused"), "{error}");
}

#[tokio::test]
async fn without_a_socket_or_when_told_not_to_nothing_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let host = format!("unix://{}/docker.sock", folder.path().display());
    let mut options = options(&host, None);
    let error = observe(&options, None).await.unwrap_err();
    assert!(matches!(error, DockerError::NoSocket { .. }), "{error}");
    options.enabled = false;
    let error = observe(&options, None).await.unwrap_err();
    assert!(matches!(error, DockerError::Disabled), "{error}");
}

#[tokio::test]
async fn an_engine_can_be_asked_over_tcp() {
    let running = demo().listen_on_port();
    let observation = observe(&options(running.host(), None), Some("demo")).await.unwrap();
    assert_eq!(observation.siblings.len(), 5);
    assert!(running.host().starts_with("tcp://"));
    assert!(!running.stop().is_empty());
}

#[tokio::test]
async fn the_api_alone_makes_a_project() {
    let (observation, _) = look(demo(), Some(PREFLIGHT), None).await;
    let project = Project::from_observation(&observation.unwrap()).unwrap();
    assert_eq!(project.name, "demo");
    assert_eq!(project.directory, HostPath::new("/srv/stack"));
    let names: Vec<_> = project.services.iter().map(|service| &*service.name.value).collect();
    assert_eq!(names, ["gpu", "loop", "preflight", "sick", "vllm"]);
    let vllm = project.service("vllm").unwrap();
    assert_eq!(vllm.variable("A"), Some("1"));
    assert_eq!(vllm.variable("FROM_IMAGE"), None);
}
