//! What LiteLLM asks.

use crate::{http, variable};

pub(crate) fn ask(words: &[String]) -> Result<(), String> {
    let at = words.iter().position(|word| word == "--model").ok_or("no --model")?;
    let model = words.get(at + 1).ok_or("no model")?;
    let (provider, name) = model.split_once('/').ok_or("no provider")?;
    let first =
        |names: &[&str]| names.iter().map(|name| variable(name)).find(|value| !value.is_empty());
    let (base, key) = match provider {
        "openai" => (
            first(&["OPENAI_BASE_URL", "OPENAI_API_BASE"])
                .unwrap_or_else(|| "https://api.openai.com/v1".to_owned()),
            Some(first(&["OPENAI_API_KEY"]).ok_or("The api_key client option must be set")?),
        ),
        "hosted_vllm" => (
            first(&["HOSTED_VLLM_API_BASE"]).ok_or("api_base is required")?,
            Some(first(&["HOSTED_VLLM_API_KEY"]).unwrap_or_else(|| "fake-api-key".to_owned())),
        ),
        _ => return Err(format!("`{provider}` is not known here")),
    };
    let url = format!("{}/chat/completions", base.trim_end_matches('/'));
    http::chat(&url, key.as_deref(), name)
}
