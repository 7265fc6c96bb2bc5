//! Facts -> the picture.

use std::collections::HashMap;

use super::{Edge, Kind, Node, Picture, State};
use crate::amount::{count, size};
use crate::facts::model::FileState;
use crate::facts::{ArtifactFacts, CacheFacts, CacheState, LaneFacts, ProjectFacts};
use crate::path::HostPath;
use crate::plan::lanes::Lane;
use crate::plan::wiring::{Connection, Leads, Purpose, Wiring};
use crate::project::mounts::{Located, Sight};
use crate::project::{Mount, MountSource, Project};
use crate::report::FileReport;
use crate::source_map::{Place, Span};

/// The most addresses of clients that are drawn.
const MOST_CALLS: usize = 200;

/// What is known of a stack, and what of it is drawn.
struct Drawing<'a> {
    project: &'a ProjectFacts<'a>,
    picture: Picture,
    /// Where each node is, by what tells it from others.
    nodes: HashMap<(Kind, String, Option<Span>), usize>,
    /// Where each edge is, by its ends.
    edges: HashMap<(usize, usize), usize>,
}

impl Picture {
    /// Of everything that was seen. `files` are those of each artifact of a lane.
    pub(in crate::report) fn of(
        project: &ProjectFacts<'_>,
        lanes: &[LaneFacts],
        files: impl Fn(&ArtifactFacts, &LaneFacts) -> Vec<FileReport>,
    ) -> Self {
        let (nodes, edges) = (HashMap::new(), HashMap::new());
        let mut drawing = Drawing { project, picture: Self::default(), nodes, edges };
        drawing.calls(&project.plan.wiring);
        for facts in lanes {
            let lane = drawing.lane(facts);
            drawing.gpus(lane, facts);
            for artifact in &facts.artifacts {
                drawing.artifact((lane, &facts.lane.name), (artifact, &files(artifact, facts)));
            }
            for cached in facts.cached.iter().filter(|it| it.state != CacheState::Held) {
                drawing.cached((lane, &facts.lane.name), cached);
            }
        }
        drawing.picture
    }
}

impl Drawing<'_> {
    /// The node that is alike, which is added if there is none.
    fn node(&mut self, node: Node) -> usize {
        let key = (node.kind, node.name.clone(), node.place.span);
        let new = self.picture.nodes.len();
        let at = *self.nodes.entry(key).or_insert(new);
        if at == new {
            self.picture.nodes.push(node);
        }
        at
    }

    /// Leads from one to the other, for `lane` where it is one's.
    fn lead(&mut self, (from, to): (usize, usize), lane: Option<&str>, place: &Place) -> usize {
        let new = self.picture.edges.len();
        let at = *self.edges.entry((from, to)).or_insert(new);
        if at == new {
            let (place, lanes) = (place.clone(), Vec::new());
            let edge = Edge { from, to, address: None, lanes, place, broken_by: None };
            self.picture.edges.push(edge);
        }
        if let Some(edge) = self.picture.edges.get_mut(at) {
            let is_known = edge.lanes.last().map(String::as_str) == lane;
            edge.lanes.extend(lane.filter(|_| !is_known).map(str::to_owned));
        }
        at
    }

    /// Where a node is written.
    fn place(&self, node: usize) -> Place {
        self.picture.nodes.get(node).map_or_else(Place::nowhere, |node| node.place.clone())
    }

    fn calls(&mut self, wiring: &Wiring) {
        for connection in wiring.connections.iter().filter(|it| is_drawn(it)).take(MOST_CALLS) {
            let Some(to) = self.called(wiring, connection) else { continue };
            let program = connection.reads.map(|reads| reads.client.to_owned());
            let from = self.service(Kind::Client, &connection.client, program);
            let call = self.lead((from, to), None, &connection.place);
            if let Some(edge) = self.picture.edges.get_mut(call) {
                edge.address.get_or_insert_with(|| connection.target.text.clone());
            }
        }
    }

    /// What a connection leads to; absent: to nothing that would be in the picture.
    fn called(&mut self, wiring: &Wiring, connection: &Connection) -> Option<usize> {
        let address = connection.target.text.clone();
        let nobody = |about: &str| Node {
            kind: Kind::Service,
            name: address.clone(),
            about: vec![about.to_owned()],
            place: Place::nowhere(),
            state: State::Broken,
        };
        match &connection.leads {
            Leads::Service { name, .. } => {
                wiring.listener(name)?;
                Some(self.engine(name))
            }
            Leads::Door(_) => {
                let name = wiring.called(connection)?.service.clone();
                Some(self.engine(&name))
            }
            Leads::Nobody => connection.reads.map(|_| self.node(nobody("nobody"))),
            Leads::LeftOut(name) => {
                let about = format!("`{name}` is in no active profile");
                Some(self.node(nobody(&about)))
            }
            Leads::Itself(_) | Leads::Host { .. } | Leads::Outside => None,
        }
    }

    fn lane(&mut self, facts: &LaneFacts) -> usize {
        let lane = &facts.lane;
        let mut about = Vec::new();
        about.extend((!lane.required).then(|| "optional".to_owned()));
        about.extend(lane.source.as_ref().map(|source| source.value.to_string()));
        about.extend(facts.source.planned.as_ref().map(|downloads| {
            let bytes = downloads.iter().map(|download| download.file.size);
            format!("{} to fetch", size(bytes.fold(0, u64::saturating_add)))
        }));
        let node = self.node(Node {
            kind: Kind::Lane,
            name: lane.name.clone(),
            about,
            place: lane.place.clone(),
            state: State::Sound,
        });
        for service in &lane.services {
            let from = self.engine(service);
            let place = self.place(from);
            self.lead((from, node), Some(&lane.name), &place);
        }
        node
    }

    /// The node of a service that runs an engine.
    fn engine(&mut self, name: &str) -> usize {
        let is_of = |lane: &&Lane| lane.services.iter().any(|service| service == name);
        let engine = self.project.plan.lanes.iter().find(is_of).and_then(|lane| lane.engine);
        self.service(Kind::Service, name, engine.map(|engine| engine.name().to_owned()))
    }

    fn service(&mut self, kind: Kind, name: &str, program: Option<String>) -> usize {
        let service = self.project.project.service(name);
        let image = service.and_then(|service| service.image.as_ref());
        self.node(Node {
            kind,
            name: name.to_owned(),
            about: program.into_iter().chain(image.map(|image| image.value.clone())).collect(),
            place: service.map_or_else(Place::nowhere, |service| service.name.place.clone()),
            state: State::Sound,
        })
    }

    fn gpus(&mut self, lane: usize, facts: &LaneFacts) {
        let Some(memory) = &facts.memory else { return };
        for key in memory.devices.iter().flatten() {
            let device = self.project.devices.iter().find(|device| device.key == *key);
            let name = if key.starts_with("GPU") { key.clone() } else { format!("GPU {key}") };
            let about = device.map(|device| size(device.memory));
            let gpu = self.node(Node {
                kind: Kind::Gpu,
                name,
                about: device.and_then(|it| it.name.clone()).into_iter().chain(about).collect(),
                place: Place::nowhere(),
                state: State::Sound,
            });
            self.lead((lane, gpu), Some(&facts.lane.name), &Place::nowhere());
        }
    }

    fn artifact(&mut self, (lane, name): (usize, &str), seen: (&ArtifactFacts, &[FileReport])) {
        let (artifact, files) = seen;
        let located = &artifact.artifact.located.value;
        let store = self.store(located);
        let node = self.node(Node {
            kind: Kind::Files,
            name: path_of(located),
            about: told(files),
            place: artifact.artifact.located.place.clone(),
            state: worst(files),
        });
        let mount = located.mount.as_ref().map_or_else(Place::nowhere, |it| it.place.clone());
        self.lead((lane, store), Some(name), &mount);
        self.lead((store, node), Some(name), &artifact.artifact.located.place);
    }

    /// A repository that is not in its cache.
    fn cached(&mut self, (lane, name): (usize, &str), facts: &CacheFacts) {
        let cached = &facts.cached;
        let store = cached.places.first().map(|located| self.store(located));
        let node = self.node(Node {
            kind: Kind::Files,
            name: cached.named(),
            about: vec!["not in the cache".to_owned()],
            place: cached.place.clone(),
            state: State::Unknown,
        });
        match store {
            Some(store) => {
                self.lead((lane, store), Some(name), &Place::nowhere());
                self.lead((store, node), Some(name), &cached.place);
            }
            None => {
                self.lead((lane, node), Some(name), &cached.place);
            }
        }
    }

    /// What a path lies in.
    fn store(&mut self, located: &Located) -> usize {
        let project = self.project.project;
        let (name, about, state) = match (&located.mount, &located.sight) {
            (_, Sight::Written) => ("the project".to_owned(), None, State::Sound),
            (Some(mount), Sight::Covered) => {
                (source(project, mount), Some("covered by a tmpfs".to_owned()), State::Broken)
            }
            (Some(mount), _) => {
                (source(project, mount), Some(format!("at {}", mount.target)), State::Sound)
            }
            (None, Sight::NotMounted) => {
                ("the container itself".to_owned(), Some("no mount".to_owned()), State::Sound)
            }
            (None, _) => (folder(located), None, State::Sound),
        };
        let place = located.mount.as_ref().map_or_else(Place::nowhere, |it| it.place.clone());
        let about = about.into_iter().collect();
        self.node(Node { kind: Kind::Store, name, about, place, state })
    }
}

/// What leads to an engine, or is known to be meant to.
fn is_drawn(connection: &Connection) -> bool {
    connection.reads.is_none_or(|reads| matches!(reads.purpose, Purpose::Base(_)))
}

/// What is mounted, as the project writes it.
fn source(project: &Project, mount: &Mount) -> String {
    match &mount.source {
        MountSource::Bind { path, .. } => project.written(path),
        MountSource::Volume { name, .. } => format!("volume {name}"),
        MountSource::Anonymous => "a volume without a name".to_owned(),
        MountSource::Tmpfs => "memory (tmpfs)".to_owned(),
        MountSource::Copied(_) => "the project".to_owned(),
        MountSource::Other(kind) => kind.clone(),
    }
}

/// The folder of what no service mounts.
fn folder(located: &Located) -> String {
    let parent = |path: &HostPath| path.as_path().parent().map(|path| path.display().to_string());
    located.host_path.as_ref().and_then(parent).unwrap_or_else(|| "not known".to_owned())
}

fn path_of(located: &Located) -> String {
    let path = located.service_path.as_ref().map(ToString::to_string);
    path.or_else(|| located.host_path.as_ref().map(ToString::to_string)).unwrap_or_default()
}

/// How many files there are, how large, and how many are not as they have to be.
fn told(files: &[FileReport]) -> Vec<String> {
    let bytes = files.iter().filter_map(|file| file.size_bytes).fold(0_u64, u64::saturating_add);
    let of = |state| files.iter().filter(|file| file.state == state).count();
    let mut told = Vec::new();
    if files.len() > 1 {
        told.push(format!("{}, {}", count(files.len(), "file"), size(bytes)));
    } else if bytes > 0 {
        told.push(size(bytes));
    }
    for (state, word) in [(FileState::Missing, "missing"), (FileState::Invalid, "not loadable")] {
        match of(state) {
            0 => {}
            _ if files.len() == 1 => told.push(word.to_owned()),
            number => told.push(format!("{number} {word}")),
        }
    }
    told
}

fn worst(files: &[FileReport]) -> State {
    let is = |states: &[FileState]| files.iter().any(|file| states.contains(&file.state));
    if is(&[FileState::Missing, FileState::Invalid]) {
        State::Broken
    } else if files.is_empty() || is(&[FileState::Unknown]) {
        State::Unknown
    } else {
        State::Sound
    }
}
