//! What stands for a hub, a Docker Engine and an inference engine, as the files of a check describe
//! them.

use std::path::Path;

use fake_hub::{FakeHub, Made, SentOn};
use serde_json::{Map, Value};

use crate::engine_api::archive_answers;
use crate::engine_api::fake_engine::{FakeEngine, Running};
use crate::hub_stack;

/// What Docker Engine 20.10.24 answers about a container that Docker Compose 2.40.3 has started,
/// without what nobody reads here.
const CONTAINER: &str = include_str!("container.json");

/// The servers that a check needs.
pub(super) struct StandIns {
    hub: Option<FakeHub>,
    mirror: Option<FakeHub>,
    docker: Option<Running>,
    engine: Option<Running>,
}

impl StandIns {
    /// Those that `folder` describes, for the project in `project`.
    pub(super) fn of(folder: &Path, project: &Path) -> Self {
        let read = |name: &str| fs_err::read_to_string(folder.join(name)).ok();
        let engine = |text: String| {
            let answers = serde_json::from_str(&text).unwrap();
            answering(FakeEngine::default(), &answers).listen_on_port()
        };
        let hub = read("hub").map(|text| hub(&text));
        let mirrored = hub.as_ref().filter(|_| read("mirror").is_some());
        let mirror = mirrored
            .map(|hub| hub_stack::builder().sends_on(&hub.url(), SentOn::Files).start().unwrap());
        Self {
            hub,
            mirror,
            docker: read("docker.json").map(|text| docker(&text, project).listen_on_socket()),
            engine: read("engine.json").map(engine),
        }
    }

    /// Where they are, by the variable that says so.
    pub(super) fn addresses(&self) -> Vec<(&'static str, String)> {
        let mirror = self.mirror.as_ref().map(|mirror| ("HF_ENDPOINT", mirror.url()));
        let name = if mirror.is_some() { "HUB" } else { "HF_ENDPOINT" };
        let hub = self.hub.as_ref().map(|hub| (name, hub.url()));
        let docker = self.docker.as_ref().map(|it| ("DOCKER_HOST", it.host().to_owned()));
        let engine = self.engine.as_ref().map(|it| ("ENGINE", it.host().replace("tcp", "http")));
        hub.into_iter().chain(mirror).chain(docker).chain(engine).collect()
    }

    pub(super) fn stop(self) {
        for server in self.docker.into_iter().chain(self.engine) {
            server.stop();
        }
    }
}

/// A hub with the models of the quickstart, as `acme/tiny-GGUF` and `acme/tiny`. Each line of `text`
/// is something about it:
///
/// | line | meaning |
/// |---|---|
/// | `fault FAULT` | see [`fake_hub::Fault`] |
/// | `token TOKEN` | the only token that it knows |
/// | `name REPOSITORY NAME` | lists an empty file of that name, however unsafe |
/// | `file REPOSITORY NAME SIZE` | has one more file |
/// | `text REPOSITORY NAME WORD` | has one more file, with that in it |
/// | `commit REPOSITORY` | the texts that stand behind it came with a later commit |
fn hub(text: &str) -> FakeHub {
    let add =
        |hub: fake_hub::Builder, line: &str| match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["fault", fault] => hub.fault(fault.parse().unwrap()),
            ["token", token] => hub.token(token),
            ["name", repository, name] => hub.unsafe_name(repository, name),
            ["file", repository, name, size] => {
                hub.made(repository, name, Made::new(&[], size.parse().unwrap(), 1))
            }
            ["text", repository, name, word] => hub.file(repository, name, *word),
            ["commit", repository] => hub.commit(repository),
            _ => panic!("`{line}` says nothing about a hub"),
        };
    text.lines().fold(hub_stack::builder(), add).start().unwrap()
}

/// Answers by path, with the status before the path where it is not 200.
fn answering(engine: FakeEngine, answers: &Map<String, Value>) -> FakeEngine {
    answers.iter().fold(engine, |engine, (key, body)| {
        let (status, path) = key.split_once(' ').unwrap_or(("200", key));
        engine.answer(path, status.parse().unwrap(), body.to_string())
    })
}

/// A Docker Engine with the containers of the project `demo` in `folder`.
///
/// `containers` has what is otherwise about each than in `container.json`, by service (a merge patch,
/// RFC 7396), and what it wrote last as `Log`. `volume` is the folder of the project that they have
/// for a volume at `/models`. All else is answers, as [`answering`] reads them.
fn docker(text: &str, folder: &Path) -> FakeEngine {
    let folder = folder.display().to_string();
    let mut said: Map<String, Value> =
        serde_json::from_str(&text.replace("[DIR]", &folder)).unwrap();
    let containers = said.remove("containers").unwrap_or_default();
    let volume = said.remove("volume");
    let mut engine = FakeEngine::default()
        .answer("/version", 200, include_str!("../engine_api/version.json"))
        .answer("/info", 200, r#"{"Runtimes": {"runc": {}, "io.containerd.runc.v2": {}}}"#);
    let mut listed = Vec::new();
    for (index, (service, changes)) in containers.as_object().into_iter().flatten().enumerate() {
        let id = format!("39784f1b7d9c{index:052x}");
        let text = CONTAINER.replace("[ID]", &id).replace("[SERVICE]", service);
        let mut container = serde_json::from_str(&text.replace("[DIR]", &folder)).unwrap();
        merge(&mut container, changes);
        let log = container["Log"].as_str().unwrap_or_default();
        engine = engine.answer(&format!("/containers/{id}/logs"), 200, frame(log)).answer(
            &format!("/containers/{id}/json"),
            200,
            container.to_string(),
        );
        if let Some(volume) = &volume {
            let shown = Path::new(&folder).join(volume.as_str().unwrap());
            engine = archive_answers::showing(engine, &id, &shown, "/models");
        }
        listed.push(serde_json::json!({"Id": id, "Labels": container["Config"]["Labels"]}));
    }
    let engine = engine.answer("/containers/json", 200, Value::from(listed).to_string());
    answering(engine, &said)
}

/// A merge patch (RFC 7396).
fn merge(target: &mut Value, patch: &Value) {
    let Some(members) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (name, value) in members {
        if value.is_null() {
            target.as_object_mut().unwrap().shift_remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

/// What a container without a terminal wrote to its standard error, as the engine sends it: after a
/// head of eight bytes.
fn frame(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&[2, 0, 0, 0], &length[..], text.as_bytes()].concat()
}
