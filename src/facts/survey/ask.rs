//! Asks the running engines, waits for those that are still loading, and looks again at what does
//! not serve.

mod called;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use url::Url;

use crate::deadline::{self, Deadline};
use crate::facts::LaneFacts;
use crate::facts::smoke::{Answer, Endpoint, Smoke, Wanted, same_server};
use crate::facts::survey::way::Views;
use crate::look::Look;
use crate::options::{DockerOptions, Options, Token};
use crate::plan::engine::api_key;
use crate::plan::engine::{Engine, Serves};
use crate::plan::lanes::{Lane, Level, ModelKind, Plan, address};
use crate::project::docker::{self, Container};
use crate::project::mounts::Standpoint;
use crate::project::stack::Stack;

/// How long a running engine may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often one that is still loading is asked.
const POLL: Duration = Duration::from_millis(500);

/// One engine to ask.
struct SmokeTest<'a> {
    lane: &'a Lane,
    engine: Option<Engine>,
    url: Option<String>,
    key: Option<Token>,
    /// The id of its container, if it has one.
    container: Option<&'a str>,
    docker: &'a DockerOptions,
    wait: Duration,
}

/// Asks the engine of every lane, and where it serves, asks again as its clients do. Where one does not
/// serve, its containers and its files are looked at again, and the last lines of its log are kept.
pub async fn ask(lanes: &mut [LaneFacts], stack: &mut Stack, plan: &Plan, options: &Options) {
    let known: Vec<&Lane> = lanes.iter().map(|facts| &facts.lane).collect();
    let tests = known.iter().map(|lane| {
        (lane.skipped.is_none() || lane.outside).then(|| smoke_test(lane, &known, stack, options))
    });
    let answers = tests.map(async |test| match test {
        Some(test) => Some(test.before(options.deadline).await),
        None => None,
    });
    let answers: Vec<Option<Smoke>> = join_all(answers).await;
    for (facts, answer) in lanes.iter_mut().zip(answers) {
        facts.smoke = answer;
    }
    mark_standby(lanes);
    called::ask(lanes, stack, plan, options.deadline).await;
    if lanes.iter().any(fails) {
        look_again(lanes, stack, options).await;
    }
}

fn smoke_test<'a>(
    lane: &'a Lane,
    known: &[&'a Lane],
    stack: &'a Stack,
    options: &'a Options,
) -> SmokeTest<'a> {
    let server = served_like(lane, known, stack);
    let service = server.services.first().and_then(|name| stack.project.service(name));
    SmokeTest {
        lane,
        engine: server.engine,
        url: address(lane, stack).or_else(|| address(server, stack)),
        key: service.and_then(api_key),
        container: container(server, stack).map(|container| container.id.as_str()),
        docker: &options.docker,
        wait: options.wait,
    }
}

/// The lane itself; where nothing starts an engine for it, one with an engine at the same address or
/// in the same service: they are served one at a time.
fn served_like<'a>(lane: &'a Lane, known: &[&'a Lane], stack: &Stack) -> &'a Lane {
    if lane.invocation.is_some() {
        return lane;
    }
    let own = address(lane, stack);
    let shares = |other: &&&Lane| {
        let address = own.as_deref().zip(address(other, stack));
        address.is_some_and(|(own, other)| same_server(own, &other))
            || other.services.iter().any(|service| lane.services.contains(service))
    };
    known
        .iter()
        .filter(|other| other.invocation.is_some())
        .find(shares)
        .map_or(lane, |other| *other)
}

/// Where the engine of a lane answers: as somebody says, else as its container does.
fn address(lane: &Lane, stack: &Stack) -> Option<String> {
    let said = lane.url.as_ref().map(|url| match stack.standpoint {
        Standpoint::Host | Standpoint::Elsewhere(_) => from_host(&url.value, stack),
        Standpoint::Container(_) | Standpoint::Inside(_) => url.value.clone(),
    });
    let url = said.or_else(|| from_container(lane, container(lane, stack)?, &stack.standpoint))?;
    Some(match &stack.standpoint {
        Standpoint::Elsewhere(docker) => on_machine_of(docker, &url),
        Standpoint::Host | Standpoint::Container(_) | Standpoint::Inside(_) => url,
    })
}

/// A URL of the host where Docker is, from another machine.
fn on_machine_of(docker: &str, url: &str) -> String {
    let host = Url::parse(docker).ok().and_then(|docker| docker.host_str().map(str::to_owned));
    let Some(host) = host else { return url.to_owned() };
    let local = ["//127.0.0.1", "//localhost"].into_iter().find(|local| url.contains(*local));
    local.map_or_else(|| url.to_owned(), |local| url.replacen(local, &format!("//{host}"), 1))
}

/// A URL that is meant for containers, as the host reaches it: a service at the port that it
/// publishes, else at its container's own address; the host's name for containers as `localhost`.
fn from_host(url: &str, stack: &Stack) -> String {
    let Some((service, port)) = address::named_by(&stack.project, url) else {
        return url.replacen("//host.docker.internal", "//localhost", 1);
    };
    let container =
        stack.observation.as_ref().ok().and_then(|observation| {
            observation.container(&stack.project.name, &service.name.value)
        });
    let published = container.and_then(|container| container.published.get(&port).cloned());
    let in_file = || {
        let port = service.ports.iter().find(|it| it.target == port)?.published?;
        Some(format!("127.0.0.1:{port}"))
    };
    let own = || Some(format!("{}:{port}", container?.address.as_ref()?));
    let (Some(authority), Some((scheme, rest))) =
        (published.or_else(in_file).or_else(own), url.split_once("://"))
    else {
        return url.to_owned();
    };
    let path = rest.split_once('/').map(|(_, path)| format!("/{path}")).unwrap_or_default();
    format!("{scheme}://{authority}{path}")
}

fn container<'a>(lane: &Lane, stack: &'a Stack) -> Option<&'a Container> {
    let observation = stack.observation.as_ref().ok()?;
    observation.container(&stack.project.name, lane.services.first()?)
}

/// Where a container answers: on the host at the port that the engine has chosen, else at its own
/// address.
fn from_container(lane: &Lane, container: &Container, standpoint: &Standpoint) -> Option<String> {
    let port = lane.invocation.as_ref()?.port;
    let published =
        container.published.get(&port).filter(|_| !matches!(standpoint, Standpoint::Container(_)));
    let own = || container.address.as_ref().map(|address| format!("{address}:{port}"));
    published.cloned().or_else(own).map(|authority| format!("http://{authority}"))
}

impl SmokeTest<'_> {
    /// As far as it comes until then.
    async fn before(self, deadline: Option<Deadline>) -> Smoke {
        let url = self.url.clone();
        deadline::before(deadline, self.run()).await.unwrap_or_else(|over| {
            let why = format!("no answer before the end of the run, after {:?}", over.allowed());
            Smoke::answered(url, Answer::None(why))
        })
    }

    async fn run(self) -> Smoke {
        let Some(url) = self.url.clone() else {
            return Smoke::answered(None, Answer::NoAddress);
        };
        let endpoint = Endpoint::open(self.engine, &url, self.key.clone(), PATIENCE);
        let endpoint = match endpoint {
            Ok(endpoint) => endpoint,
            Err(reason) => return Smoke::answered(Some(url), Answer::None(reason)),
        };
        let (answer, over) = self.until_up(&endpoint).await;
        let mut smoke = Smoke { over, ..Smoke::answered(Some(url), answer) };
        if !smoke.answer.is_up() {
            return smoke;
        }
        if self.lane.level >= Level::Serves && lists_models(self.engine) {
            smoke.models = Some(endpoint.models().await);
        }
        // What does not serve the lane's model cannot generate with it.
        let lacks = smoke.has_model_of(self.lane) == Some(false);
        if self.lane.level >= Level::Generates && !lacks {
            let name = model_to_ask(self.lane, smoke.models.as_ref());
            smoke.generation = Some(endpoint.generate(wanted(self.lane), name.as_deref()).await);
        }
        smoke
    }

    /// Asks until it is up, its container is over, or the time is.
    async fn until_up(&self, endpoint: &Endpoint) -> (Answer, bool) {
        let end = Instant::now() + self.wait;
        loop {
            let answer = endpoint.reach().await;
            if answer.is_up() {
                return (answer, false);
            }
            if self.is_over().await {
                return (answer, true);
            }
            if end <= Instant::now() {
                return (answer, false);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn is_over(&self) -> bool {
        let Some(id) = self.container else { return false };
        docker::state(self.docker, id).await.is_ok_and(|state| state.is_over())
    }
}

/// Whether an engine has the list of its models where `OpenAI` has it.
fn lists_models(engine: Option<Engine>) -> bool {
    engine.is_some_and(|engine| engine.http().lists_models)
}

fn wanted(lane: &Lane) -> Wanted {
    let embeds = lane.kind == Some(ModelKind::Embedding)
        || lane.engine.is_some_and(|engine| engine.models().serves == Serves::Embeddings);
    if embeds { Wanted::Embedding } else { Wanted::Text }
}

/// The name to ask for: the lane's own, else the first that is served.
fn model_to_ask(lane: &Lane, models: Option<&Look<Vec<String>>>) -> Option<String> {
    let served = models.and_then(Look::seen).and_then(|models| models.first().cloned());
    lane.served_names().into_iter().next().or(served)
}

/// Of lanes that share one address, one is served and the others wait for their turn.
fn mark_standby(lanes: &mut [LaneFacts]) {
    let served: Vec<String> = lanes
        .iter()
        .filter(|facts| serves(facts) == Some(true))
        .filter_map(|facts| facts.smoke.as_ref()?.url.clone())
        .collect();
    for facts in lanes.iter_mut() {
        let lacks = serves(facts) == Some(false);
        if let Some(smoke) = &mut facts.smoke {
            smoke.standby = lacks
                && smoke
                    .url
                    .as_ref()
                    .is_some_and(|url| served.iter().any(|it| same_server(it, url)));
        }
    }
}

/// Whether the lane's model is among those that its engine serves; absent: not known.
fn serves(facts: &LaneFacts) -> Option<bool> {
    facts.smoke.as_ref()?.has_model_of(&facts.lane)
}

fn fails(facts: &LaneFacts) -> bool {
    let Some(smoke) = &facts.smoke else { return false };
    !smoke.answer.is_up() || (serves(facts) == Some(false) && !smoke.standby)
}

/// Looks at the containers and at the files of what does not serve, as they are now.
async fn look_again(lanes: &mut [LaneFacts], stack: &mut Stack, options: &Options) {
    stack.observe_again(options).await;
    let views = Views::of(stack);
    for facts in lanes.iter_mut().filter(|facts| fails(facts)) {
        let (artifacts, views) = (facts.artifacts.clone(), views.clone());
        let look = move |artifacts: Vec<crate::facts::ArtifactFacts>| {
            artifacts.into_iter().map(|seen| views.look(&seen.artifact, seen.root)).collect()
        };
        facts.artifacts = super::blocking(artifacts, look).await;
        if let Some(container) = container(&facts.lane, stack) {
            let lines = docker::last_lines(&options.docker, container).await.unwrap_or_default();
            if let Some(smoke) = &mut facts.smoke {
                smoke.log = lines;
            }
        }
    }
}
