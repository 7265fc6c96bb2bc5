//! The requests that tell whether an engine serves.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, Url};

/// A completion of a model that is not there: an engine that serves answers 404 for it at once and
/// computes nothing.
pub(super) fn completion(client: &Client, base: &Url) -> RequestBuilder {
    client
        .post(super::below(base, "/v1/completions"))
        .header(CONTENT_TYPE, "application/json")
        .body(r#"{"model":"smoke-test","prompt":"ping"}"#)
}

/// 200 when it serves, 503 while the model is being loaded.
pub(super) fn health(client: &Client, base: &Url) -> RequestBuilder {
    client.get(super::below(base, "/health"))
}

/// 200 when it serves: nobody answers before the model is loaded.
pub(super) fn models(client: &Client, base: &Url) -> RequestBuilder {
    client.get(super::below(base, "/v1/models"))
}
