//! Requests to running engines, after the stack is up.
//!
//! Asks and says what came back; what that means is for the checks. Proxies are bypassed: an
//! engine of the own stack is asked, and Docker injects proxies into containers.

mod calls;
mod generate;
mod openai;
mod probe;

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, Url, redirect};

pub use self::calls::{Call, Heard, Route, call};
pub use self::generate::{Generation, Wanted};

use crate::look::Look;
use crate::options::Token;
use crate::plan::engine::{Engine, Probe};
use crate::plan::lanes::Lane;

/// The most bytes of an answer that are read.
const LONGEST_ANSWER: usize = 1 << 20;

/// How long an engine may take to generate: a processor that others use as well is slow.
const GENERATION: Duration = Duration::from_secs(120);

/// What was learned about the engine of a lane.
#[derive(Debug, Clone, PartialEq)]
pub struct Smoke {
    /// Where it was asked; absent: nobody says where it is.
    pub url: Option<String>,
    /// Whether it answers.
    pub answer: Answer,
    /// The names of the models that it serves; absent: it was not asked for them.
    pub models: Option<Look<Vec<String>>>,
    /// Whether it generates; absent: it was not asked to.
    pub generation: Option<Generation>,
    /// Whether another lane is served at the same address.
    pub standby: bool,
    /// Whether its container has ended, so that nothing was waited for.
    pub over: bool,
    /// The last lines of its container, where it does not serve.
    pub log: Vec<String>,
    /// What its clients are answered; none where it does not serve.
    pub calls: Vec<Call>,
}

/// What an engine answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP status.
    Status(u16),
    /// No connection, or none in time.
    None(String),
    /// It was not asked: nobody says where it is.
    NoAddress,
}

/// A running engine.
#[derive(Debug, Clone)]
pub struct Endpoint {
    base: Url,
    client: Client,
    engine: Option<Engine>,
    key: Option<Token>,
}

impl Smoke {
    /// Nothing but an answer.
    #[must_use]
    pub fn answered(url: Option<String>, answer: Answer) -> Self {
        Self {
            url,
            answer,
            models: None,
            generation: None,
            standby: false,
            over: false,
            log: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Whether the model of `lane` is among those that are served; absent: not known.
    #[must_use]
    pub fn has_model_of(&self, lane: &Lane) -> Option<bool> {
        let models = self.models.as_ref()?.seen()?;
        let names = lane.served_names();
        if names.is_empty() {
            return Some(!models.is_empty());
        }
        Some(names.iter().any(|name| models.contains(name)))
    }
}

impl Answer {
    /// Whether the engine is up: the guide's rule, any status below 500.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Status(status) if *status < 500)
    }
}

impl Endpoint {
    /// The engine behind `url`, which may end in `/v1`, as clients of the `OpenAI` API write it.
    /// `timeout` is for each request; `key` goes with those below `/v1`.
    ///
    /// # Errors
    /// What is wrong with the URL, in words.
    pub fn open(
        engine: Option<Engine>,
        url: &str,
        key: Option<Token>,
        timeout: Duration,
    ) -> Result<Self, String> {
        let base = base(url)?;
        let client = client(&base, timeout).map_err(|error| cause(&error))?;
        Ok(Self { base, client, engine, key })
    }

    /// Asks whether it serves: vLLM `POST /v1/completions`, llama.cpp `GET /health`, and so any
    /// other. The body of the answer is not read.
    pub async fn reach(&self) -> Answer {
        match self.with_key(request(self.engine, &self.client, &self.base)).send().await {
            Ok(response) => Answer::Status(response.status().as_u16()),
            Err(error) => Answer::None(reason(&error)),
        }
    }

    /// The names of the models that it serves.
    pub async fn models(&self) -> Look<Vec<String>> {
        let answer = self.with_key(openai::models(&self.client, &self.base)).send().await;
        let response = match answer {
            Ok(response) if response.status().is_success() => response,
            Ok(response) => return Look::Unknown(format!("status {}", response.status().as_u16())),
            Err(error) => return Look::Unknown(reason(&error)),
        };
        match body(response).await.and_then(|body| openai::names(&body)) {
            Ok(names) => Look::Seen(names),
            Err(why) => Look::Unknown(why),
        }
    }

    /// Has it generate twice, and compares.
    pub async fn generate(&self, wanted: Wanted, model: Option<&str>) -> Generation {
        let mut results = Vec::new();
        for _ in 0..2 {
            let request = openai::generation(&self.client, &self.base, wanted, model);
            let request = self.with_key(request).timeout(GENERATION);
            let response = match request.send().await {
                Ok(response) if response.status().is_success() => response,
                Ok(response) => return Generation::Refused(response.status().as_u16()),
                Err(error) => return Generation::None(reason(&error)),
            };
            match body(response).await {
                Ok(body) => results.push(body),
                Err(why) => return Generation::None(why),
            }
        }
        generate::compare(wanted, &results)
    }

    fn with_key(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => request.bearer_auth(key.reveal()),
            None => request,
        }
    }
}

/// Asks the engine behind `url` whether it serves, as [`Endpoint::reach`] does.
pub async fn reach(engine: Option<Engine>, url: &str, timeout: Duration) -> Answer {
    match Endpoint::open(engine, url, None, timeout) {
        Ok(endpoint) => endpoint.reach().await,
        Err(reason) => Answer::None(reason),
    }
}

/// The body of an answer, if it is not endless.
async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        body.extend_from_slice(&chunk);
        if LONGEST_ANSWER < body.len() {
            return Err("the answer does not end".to_owned());
        }
    }
    Ok(body)
}

fn request(engine: Option<Engine>, client: &Client, base: &Url) -> RequestBuilder {
    match engine.map_or(Probe::Health, |engine| engine.http().probe) {
        Probe::Completion => probe::completion(client, base),
        Probe::Health => probe::health(client, base),
        Probe::Models => probe::models(client, base),
    }
}

/// The root of the server that `url` points into, without a trailing slash or `/v1`.
fn base(url: &str) -> Result<Url, String> {
    let url = url.trim();
    let parsed =
        if url.contains("://") { Url::parse(url) } else { Url::parse(&format!("http://{url}")) };
    let mut parsed = parsed.map_err(|error| format!("not a URL: {error}"))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(format!("`{}` is not a scheme that can be asked", parsed.scheme()));
    }
    let path = parsed.path().trim_end_matches('/');
    let path = path.strip_suffix("/v1").unwrap_or(path).trim_end_matches('/').to_owned();
    parsed.set_path(&path);
    parsed.set_query(None);
    parsed.set_fragment(None);
    Ok(parsed)
}

/// Whether both URLs lead to the same server, whether or not they say `/v1`.
#[must_use]
pub fn same_server(one: &str, other: &str) -> bool {
    one == other || base(one).is_ok_and(|one| base(other).is_ok_and(|other| one == other))
}

/// `path` below the root of the server.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

fn client(base: &Url, timeout: Duration) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(timeout)
        .connect_timeout(timeout);
    // A client that trusts the system's authorities cannot be built in an image that has none, and
    // plain HTTP needs none.
    builder.tls_built_in_root_certs(base.scheme() != "http").build()
}

fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() { "no answer in time".to_owned() } else { cause(error) }
}

/// The innermost cause: the outer ones repeat the URL, which may carry a password.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost = error.source();
    while let Some(next) = innermost.and_then(std::error::Error::source) {
        innermost = Some(next);
    }
    innermost.map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests;
