//! Asks the running engines as their clients do: at the address that a client is given, with its key,
//! for the names that it wants. The container's own address stands for its name.

use futures_util::future::join_all;

use super::{PATIENCE, container};
use crate::deadline::{self, Deadline};
use crate::facts::LaneFacts;
use crate::facts::smoke::{Call, Heard, Route, call};
use crate::options::Token;
use crate::plan::lanes::{Lane, Plan};
use crate::plan::wiring::{self, Api, Connection, Leads, Purpose, Wiring};
use crate::project::mounts::Standpoint;
use crate::project::stack::Stack;

/// A call that is to be made.
struct Planned<'a> {
    /// The index of the lane.
    lane: usize,
    connection: &'a Connection,
    variable: &'a str,
    route: Route,
    /// The path of the address, as the client has it before its route.
    path: String,
    /// The address of the container in place of its name.
    url: String,
}

/// Makes the calls of the clients of every lane that serves. Nothing is asked on another machine: the
/// addresses of its containers lead nowhere here.
pub(super) async fn ask(
    lanes: &mut [LaneFacts],
    stack: &Stack,
    plan: &Plan,
    deadline: Option<Deadline>,
) {
    if matches!(stack.standpoint, Standpoint::Elsewhere(_)) {
        return;
    }
    let serving = lanes.iter().enumerate().filter(|(_, facts)| serves(facts));
    let planned: Vec<Planned<'_>> = serving
        .flat_map(|(index, facts)| planned(index, &facts.lane, stack, &plan.wiring))
        .collect();
    let calls = planned.into_iter().map(async |planned| {
        let heard = planned.make(deadline).await;
        (planned.lane, planned.told(heard, &plan.wiring))
    });
    for (lane, made) in join_all(calls).await {
        if let Some(smoke) = lanes.get_mut(lane).and_then(|facts| facts.smoke.as_mut()) {
            smoke.calls.push(made);
        }
    }
}

fn serves(facts: &LaneFacts) -> bool {
    facts.smoke.as_ref().is_some_and(|smoke| smoke.answer.is_up())
}

/// The calls that known clients make to the service of a lane.
fn planned<'a>(index: usize, lane: &Lane, stack: &Stack, wiring: &'a Wiring) -> Vec<Planned<'a>> {
    let Some(own) = lane.services.first() else { return Vec::new() };
    let address = container(lane, stack).and_then(|container| container.address.as_ref());
    let Some(address) = address else { return Vec::new() };
    let by = wiring::Route::Shared;
    let to_it = Leads::Service { name: own.clone(), by };
    let plan = |connection: &'a Connection| {
        let target = &connection.target;
        let host = if address.contains(':') { format!("[{address}]") } else { address.clone() };
        // The certificate of an engine is for its name.
        (!target.tls).then_some(())?;
        let path = path(connection);
        Some(Planned {
            lane: index,
            connection,
            variable: connection.variable.as_deref()?,
            route: route(connection)?,
            url: format!("http://{host}:{}{path}", target.port),
            path,
        })
    };
    wiring.connections.iter().filter(|it| it.leads == to_it).filter_map(plan).collect()
}

/// The path that the client puts its route behind: most take a slash off its end before.
fn path(connection: &Connection) -> String {
    let target = &connection.target;
    let purpose = connection.reads.map(|reads| reads.purpose);
    let is_kept = purpose == Some(Purpose::Base(Api::OpenAiAsIs)) && target.text.ends_with('/');
    format!("{}{}", target.path, if is_kept { "/" } else { "" })
}

/// What the client asks for first; absent: that is not known.
fn route(connection: &Connection) -> Option<Route> {
    let Purpose::Base(api) = connection.reads?.purpose else { return None };
    match api {
        Api::OpenAi | Api::OpenAiAsIs => Some(Route::Models),
        Api::OpenAiRoot => Some(Route::ModelsOfRoot),
        Api::Ollama => Some(Route::Tags),
        Api::Tei | Api::Tgi => Some(Route::Info),
        Api::Other => None,
    }
}

impl Planned<'_> {
    async fn make(&self, deadline: Option<Deadline>) -> Heard {
        let key: Option<&Token> = self.connection.key.as_ref().and_then(|shown| shown.key.as_ref());
        let heard = call(&self.url, self.route, key, PATIENCE);
        let over = |_| Heard::Unknown("no answer before the end of the run".to_owned());
        deadline::before(deadline, heard).await.unwrap_or_else(over)
    }

    fn told(&self, heard: Heard, wiring: &Wiring) -> Call {
        let client = &self.connection.client;
        let of_client = wiring.connections.iter().filter(|it| it.client == *client);
        let is_only = of_client.filter(|it| it.reads.is_some()).count() == 1;
        let engine = wiring.called(self.connection).map(|listener| listener.engine);
        let wanted = wiring.wanted.iter().filter(|wanted| {
            let matters = engine.is_none_or(|engine| wanted.matters_to(engine));
            is_only && wanted.client == *client && matters
        });
        Call {
            client: client.clone(),
            variable: self.variable.to_owned(),
            path: format!("{}{}", self.path, self.route.path()),
            wanted: wanted.map(|wanted| wanted.name.clone()).collect(),
            place: self.connection.place.clone(),
            heard,
        }
    }
}
