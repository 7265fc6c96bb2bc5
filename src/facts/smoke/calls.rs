//! What a client of an engine is answered, at the address that it is given.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use reqwest::{StatusCode, Url};
use serde_json::Value;

use super::{body, client, openai, reason};
use crate::options::Token;
use crate::source_map::Place;

/// A call as a client makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The service of the client.
    pub client: String,
    /// The variable that has the address.
    pub variable: String,
    /// The path that is asked for, behind the address as the client has it.
    pub path: String,
    /// The names that the client asks for there, and that have to be served; empty: they are not known,
    /// some of them are for another server, or the engine answers whatever it is asked for.
    pub wanted: Vec<String>,
    /// Where the address is written.
    pub place: Place,
    /// What came back.
    pub heard: Heard,
}

/// What a client asks for first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `/models`.
    Models,
    /// `/v1/models`.
    ModelsOfRoot,
    /// `/api/tags`.
    Tags,
    /// `/info`.
    Info,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// An answer, with the names that are served; absent: it has no list of them.
    Answer(Option<Vec<String>>),
    /// A status that is no success.
    Status(u16),
    /// Nobody listens at that port.
    Refused,
    /// Nothing that tells anything: the way there may be another than the client's.
    Unknown(String),
}

impl Route {
    /// What stands behind the address.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Models => "/models",
            Self::ModelsOfRoot => "/v1/models",
            Self::Tags => "/api/tags",
            Self::Info => "/info",
        }
    }
}

/// Asks for `route` right behind `url`, with the `key` that the client has.
pub async fn call(url: &str, route: Route, key: Option<&Token>, timeout: Duration) -> Heard {
    let address = format!("{url}{}", route.path());
    let address = match Url::parse(&address) {
        Ok(address) => address,
        Err(error) => return Heard::Unknown(error.to_string()),
    };
    let client = match client(&address, timeout) {
        Ok(client) => client,
        Err(error) => return Heard::Unknown(reason(&error)),
    };
    let request = client.get(address);
    let request = match key {
        Some(key) => request.bearer_auth(key.reveal()),
        None => request,
    };
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) if is_refused(&error) => return Heard::Refused,
        Err(error) => return Heard::Unknown(reason(&error)),
    };
    if response.status() != StatusCode::OK {
        return Heard::Status(response.status().as_u16());
    }
    match body(response).await {
        Ok(body) => Heard::Answer(names(route, &body)),
        Err(why) => Heard::Unknown(why),
    }
}

fn names(route: Route, body: &[u8]) -> Option<Vec<String>> {
    match route {
        Route::Models | Route::ModelsOfRoot => openai::names(body).ok(),
        Route::Tags => {
            let body: Value = serde_json::from_slice(body).ok()?;
            let models = body["models"].as_array()?;
            Some(models.iter().filter_map(|it| it["name"].as_str().map(str::to_owned)).collect())
        }
        Route::Info => None,
    }
}

/// Whether the other side says that nobody listens there.
fn is_refused(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_of_system = cause.downcast_ref::<io::Error>();
        if cause_of_system.is_some_and(|it| it.kind() == io::ErrorKind::ConnectionRefused) {
            return true;
        }
        source = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::smoke::tests::serve_once;

    async fn check(route: Route, answer: &'static str, request: &str, expected: Heard) {
        let (url, server) = serve_once(answer);
        let heard = call(&format!("{url}/v1"), route, None, Duration::from_secs(5)).await;
        assert_eq!(heard, expected, "{answer}");
        assert_eq!(server.join().unwrap().trim(), request);
    }

    #[tokio::test]
    async fn what_is_below_the_address_is_asked_for() {
        check(
            Route::Models,
            "HTTP/1.1 200 OK\r\ncontent-length: 23\r\n\r\n{\"data\": [{\"id\": \"a\"}]}",
            "GET /v1/models HTTP/1.1",
            Heard::Answer(Some(vec!["a".to_owned()])),
        )
        .await;
        check(
            Route::Tags,
            "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n{\"models\": [{\"name\": \"a:1b\"}]}",
            "GET /v1/api/tags HTTP/1.1",
            Heard::Answer(Some(vec!["a:1b".to_owned()])),
        )
        .await;
        check(
            Route::ModelsOfRoot,
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "GET /v1/v1/models HTTP/1.1",
            Heard::Status(404),
        )
        .await;
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        check(Route::Info, answer, "GET /v1/info HTTP/1.1", Heard::Answer(None)).await;
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_refuses() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let heard = call(&url, Route::Models, None, Duration::from_secs(5)).await;
        assert_eq!(heard, Heard::Refused);
    }
}
