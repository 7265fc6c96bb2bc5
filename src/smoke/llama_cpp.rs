//! The llama.cpp server: its health endpoint, which most other engines have as well.

use reqwest::{Client, RequestBuilder, Url};

/// 200 when it serves, 503 while the model is being loaded.
pub(super) fn health(client: &Client, base: &Url) -> RequestBuilder {
    client.get(super::below(base, "/health"))
}
