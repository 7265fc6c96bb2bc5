//! Asks the running engines, waits for those that are still loading, and looks again at what does
//! not serve.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::docker::{self, Container};
use crate::engine::Engine;
use crate::facts::{LaneFacts, Look};
use crate::lanes::{Kind, Lane};
use crate::mounts::Standpoint;
use crate::options::{DockerOptions, Options, Token};
use crate::smoke::{Answer, Endpoint, Level, Smoke, Wanted, api_key};
use crate::stack::Stack;
use crate::survey::way::Eyes;

/// How long a running engine may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often one that is still loading is asked.
const POLL: Duration = Duration::from_millis(500);

/// One engine to ask.
struct Question<'a> {
    lane: &'a Lane,
    url: Option<String>,
    key: Option<Token>,
    /// The id of its container, if it has one.
    container: Option<&'a str>,
    docker: &'a DockerOptions,
    wait: Duration,
}

/// Asks the engine of every lane. Where one does not serve, its containers and its files are looked
/// at again, and the last lines of its log are kept.
pub async fn ask(lanes: &mut [LaneFacts], stack: &mut Stack, options: &Options) {
    let questions = lanes
        .iter()
        .map(|facts| facts.lane.skipped.is_none().then(|| question(&facts.lane, stack, options)));
    let answers = questions.map(async |question| match question {
        Some(question) => Some(question.ask().await),
        None => None,
    });
    let answers: Vec<Option<Smoke>> = join_all(answers).await;
    for (facts, answer) in lanes.iter_mut().zip(answers) {
        facts.smoke = answer;
    }
    mark_standby(lanes);
    if lanes.iter().any(fails) {
        look_again(lanes, stack, options).await;
    }
}

fn question<'a>(lane: &'a Lane, stack: &'a Stack, options: &'a Options) -> Question<'a> {
    let container = container(lane, stack);
    let service = lane.services.first().and_then(|name| stack.project.service(name));
    let url = lane.url.as_ref().map(|url| url.value.clone());
    Question {
        lane,
        url: url.or_else(|| from_container(lane, container?, &stack.standpoint)),
        key: service.and_then(api_key),
        container: container.map(|container| container.id.as_str()),
        docker: &options.docker,
        wait: options.wait,
    }
}

fn container<'a>(lane: &Lane, stack: &'a Stack) -> Option<&'a Container> {
    let observation = stack.observation.as_ref().ok()?;
    observation.container(&stack.project.name, lane.services.first()?)
}

/// Where a container answers: on the host at the port that the engine has chosen, else at its own
/// address.
fn from_container(lane: &Lane, container: &Container, standpoint: &Standpoint) -> Option<String> {
    let port = lane.invocation.as_ref()?.port;
    let published = container.published.get(&port).filter(|_| *standpoint == Standpoint::Host);
    let own = || container.address.as_ref().map(|address| format!("{address}:{port}"));
    published.cloned().or_else(own).map(|authority| format!("http://{authority}"))
}

impl Question<'_> {
    async fn ask(self) -> Smoke {
        let Some(url) = self.url.clone() else {
            return Smoke::answered(None, Answer::NoAddress);
        };
        let endpoint = Endpoint::open(self.lane.engine, &url, self.key.clone(), PATIENCE);
        let endpoint = match endpoint {
            Ok(endpoint) => endpoint,
            Err(reason) => return Smoke::answered(Some(url), Answer::None(reason)),
        };
        let (answer, over) = self.until_up(&endpoint).await;
        let mut smoke = Smoke { over, ..Smoke::answered(Some(url), answer) };
        if !smoke.answer.is_up() {
            return smoke;
        }
        if self.lane.level >= Level::Serves && lists_models(self.lane.engine) {
            smoke.models = Some(endpoint.models().await);
        }
        if self.lane.level >= Level::Generates {
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
    !matches!(engine, Some(Engine::Tei | Engine::Infinity) | None)
}

fn wanted(lane: &Lane) -> Wanted {
    let embeds = lane.kind == Some(Kind::Embedding)
        || matches!(lane.engine, Some(Engine::Tei | Engine::Infinity));
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
        .filter(|facts| has_its_model(facts) == Some(true))
        .filter_map(|facts| facts.smoke.as_ref()?.url.clone())
        .collect();
    for facts in lanes.iter_mut() {
        let lacks = has_its_model(facts) == Some(false);
        if let Some(smoke) = &mut facts.smoke {
            smoke.standby = lacks && smoke.url.as_ref().is_some_and(|url| served.contains(url));
        }
    }
}

/// Whether the lane's model is among those that its engine serves; absent: not known.
fn has_its_model(facts: &LaneFacts) -> Option<bool> {
    let models = facts.smoke.as_ref()?.models.as_ref()?.seen()?;
    let names = facts.lane.served_names();
    if names.is_empty() {
        return Some(!models.is_empty());
    }
    Some(names.iter().any(|name| models.contains(name)))
}

fn fails(facts: &LaneFacts) -> bool {
    let Some(smoke) = &facts.smoke else { return false };
    !smoke.answer.is_up() || (has_its_model(facts) == Some(false) && !smoke.standby)
}

/// Looks at the containers and at the files of what does not serve, as they are now.
async fn look_again(lanes: &mut [LaneFacts], stack: &mut Stack, options: &Options) {
    stack.observe_again(options).await;
    let eyes = Eyes::of(stack);
    for facts in lanes.iter_mut().filter(|facts| fails(facts)) {
        let (artifacts, eyes) = (facts.artifacts.clone(), eyes.clone());
        let look = move |artifacts: Vec<crate::facts::ArtifactFacts>| {
            artifacts.into_iter().map(|seen| eyes.look(&seen.artifact, seen.root)).collect()
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
