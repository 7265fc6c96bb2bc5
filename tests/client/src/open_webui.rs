//! What Open WebUI asks.

use std::collections::BTreeMap;

use crate::{http, variable};

/// An address of `OpenAI`'s API, and the key that is shown there.
struct Server {
    base: String,
    key: Option<String>,
}

pub(crate) fn ask() -> Result<(), String> {
    for base in ollamas() {
        http::get(&format!("{base}/api/tags"), None)?;
    }
    let servers = servers();
    let mut models = BTreeMap::new();
    for server in &servers {
        let answer = http::get(&format!("{}/models", server.base), server.key.as_deref())?;
        let listed = answer["data"].as_array().ok_or("no list of models")?;
        let names = listed.iter().filter_map(|model| model["id"].as_str());
        models.extend(names.map(|name| (name.to_owned(), server)));
    }
    if servers.is_empty() {
        return Ok(());
    }
    let wanted = variable("DEFAULT_MODELS");
    let wanted = wanted.split(',').next().unwrap_or_default().trim();
    let (name, server) =
        if wanted.is_empty() { models.first_key_value() } else { models.get_key_value(wanted) }
            .ok_or(format!("Model not found: `{wanted}` of {:?}", models.keys()))?;
    http::chat(&format!("{}/chat/completions", server.base), server.key.as_deref(), name)
}

/// The addresses of Ollama that are set.
fn ollamas() -> Vec<String> {
    let single = variable("OLLAMA_BASE_URL");
    let single = single.strip_suffix('/').unwrap_or(&single).to_owned();
    listed(&variable("OLLAMA_BASE_URLS"), &single)
}

/// The addresses of `OpenAI`'s API that are set. Of the one, and of it alone, a slash is taken off.
fn servers() -> Vec<Server> {
    let single = variable("OPENAI_API_BASE_URL");
    let single = single.strip_suffix('/').unwrap_or(&single).to_owned();
    let keys = listed(&variable("OPENAI_API_KEYS"), &variable("OPENAI_API_KEY"));
    let bases = listed(&variable("OPENAI_API_BASE_URLS"), &single);
    let mut keys = keys.into_iter().filter(|_| !bases.is_empty());
    let paired = bases
        .iter()
        .map(|base| Server { base: base.clone(), key: keys.next().filter(|key| !key.is_empty()) });
    paired.collect()
}

/// The values of a variable for several, else that of the variable for one.
fn listed(several: &str, single: &str) -> Vec<String> {
    let text = if several.is_empty() { single } else { several };
    if text.is_empty() {
        return Vec::new();
    }
    text.split(';').map(|value| value.trim().to_owned()).collect()
}
