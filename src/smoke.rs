//! Requests to running engines, after the stack is up.
//!
//! Asks and says what came back; what that means is for the checks. Proxies are bypassed: an
//! engine of the own stack is asked, and Docker injects proxies into containers.

mod llama_cpp;
mod vllm;

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Url, redirect};

use crate::engine::Engine;

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

/// Asks the engine behind `url` whether it serves: vLLM `POST /v1/completions`, llama.cpp
/// `GET /health`, and so any other. `url` may end in `/v1`, as clients of the `OpenAI` API write
/// it. `timeout` is for all of it; the body of the answer is not read.
pub async fn reach(engine: Option<Engine>, url: &str, timeout: Duration) -> Answer {
    let base = match base(url) {
        Ok(base) => base,
        Err(reason) => return Answer::None(reason),
    };
    let client = match client(&base, timeout) {
        Ok(client) => client,
        Err(error) => return Answer::None(cause(&error)),
    };
    match request(engine, &client, &base).send().await {
        Ok(response) => Answer::Status(response.status().as_u16()),
        Err(error) if error.is_timeout() => {
            Answer::None(format!("no answer in {} s", timeout.as_secs_f32()))
        }
        Err(error) => Answer::None(cause(&error)),
    }
}

fn request(engine: Option<Engine>, client: &Client, base: &Url) -> RequestBuilder {
    match engine {
        Some(Engine::Vllm) => vllm::completion(client, base),
        Some(
            Engine::LlamaCpp
            | Engine::Tei
            | Engine::Tgi
            | Engine::Sglang
            | Engine::Ollama
            | Engine::LocalAi
            | Engine::Infinity,
        )
        | None => llama_cpp::health(client, base),
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
    let builder = if base.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
    builder.build()
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
