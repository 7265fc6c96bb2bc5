//! What vLLM, llama.cpp and their like share: the routes of the `OpenAI` API.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, Url};
use serde_json::{Value, json};

use super::{Wanted, below};

/// Few enough to be quick on a processor, enough not to be nothing by chance.
const TOKENS: u32 = 8;

pub(super) fn models(client: &Client, base: &Url) -> RequestBuilder {
    client.get(below(base, "/v1/models"))
}

/// The ids of `{"data": [{"id": ...}]}`.
pub(super) fn names(body: &[u8]) -> Result<Vec<String>, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let listed = body["data"].as_array().ok_or("the answer has no list of models")?;
    Ok(listed.iter().filter_map(|model| model["id"].as_str().map(str::to_owned)).collect())
}

/// A request that has the same answer every time.
pub(super) fn generation(
    client: &Client,
    base: &Url,
    wanted: Wanted,
    model: Option<&str>,
) -> RequestBuilder {
    let (path, mut body) = match wanted {
        Wanted::Text => (
            "/v1/completions",
            json!({"prompt": "Once upon a time", "max_tokens": TOKENS, "temperature": 0, "seed": 1}),
        ),
        Wanted::Embedding => ("/v1/embeddings", json!({"input": "Once upon a time"})),
    };
    if let Some(model) = model {
        body["model"] = model.into();
    }
    client.post(below(base, path)).header(CONTENT_TYPE, "application/json").body(body.to_string())
}
