//! What Open WebUI, LiteLLM and curl ask an engine, by the variables and words that they are given. Which
//! of them it is says the name that it is called by. It ends with 0 when it was answered everywhere, and
//! says on standard error what it asked and what came.
//!
//! - `open-webui` (backend/open_webui/config.py and routers/openai.py, routers/ollama.py of 0.6.43 and
//!   0.12.4): the models of every base that it has, and a chat with the first of `DEFAULT_MODELS`, which
//!   has to be one of them.
//! - `litellm --model PROVIDER/NAME` (litellm/main.py of 1.108.7): a chat with the model, wherever it is.
//! - `curl [-f] URL`: that address, for health checks.

#![forbid(unsafe_code)]

mod http;
mod litellm;
mod open_webui;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args();
    let program = words.next().unwrap_or_default();
    let words: Vec<String> = words.collect();
    let asked = match Path::new(&program).file_name().and_then(|name| name.to_str()) {
        Some("open-webui") => open_webui::ask(),
        Some("litellm") => litellm::ask(&words),
        Some("curl") => curl(&words),
        _ => Err(format!("`{program}` is no client")),
    };
    match asked {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn curl(words: &[String]) -> Result<(), String> {
    let url = words.iter().find(|word| !word.starts_with('-')).ok_or("no URL")?;
    http::get(url, None).map(|_| ())
}

/// A variable of the environment; empty where it is not set.
fn variable(name: &str) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "it has no other way to be told, as the genuine ones"
    )]
    std::env::var(name).unwrap_or_default()
}
