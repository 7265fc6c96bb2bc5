//! The key that a service wants from its clients, from its own words. Pure.

use crate::options::Token;
use crate::plan::engine::Engine;
use crate::project::Service;

const FLAG: &str = "--api-key";

/// The first key that `service` accepts; absent: it wants none, or it is in a file.
#[must_use]
pub fn api_key(service: &Service) -> Option<Token> {
    let said = said(service).into_iter().next()?;
    // llama.cpp takes several, separated by commas.
    token(said.split(',').next().unwrap_or(said))
}

/// Every key that `service` may accept; empty: as [`api_key`] has none.
#[must_use]
pub fn api_keys(service: &Service) -> Vec<Token> {
    if api_key(service).is_none() {
        return Vec::new();
    }
    let said = said(service).into_iter();
    // A part of one may be said by somebody whom nobody sees.
    if said.clone().any(|key| key.contains("$(")) {
        return Vec::new();
    }
    // With vLLM a comma is a part of the key.
    said.flat_map(|said| said.split(',').chain([said])).filter_map(token).collect()
}

/// What is said of keys: all words behind the flag, of which vLLM takes several, else a variable.
fn said(service: &Service) -> Vec<&str> {
    let words: Vec<&str> = service.words().map(|word| word.value.as_str()).collect();
    let behind = words.iter().skip_while(|word| **word != FLAG).skip(1);
    let behind: Vec<&str> = behind.take_while(|word| !word.starts_with("--")).copied().collect();
    if !behind.is_empty() {
        return behind;
    }
    let joined = words.iter().find_map(|word| word.strip_prefix(FLAG)?.strip_prefix('='));
    // Which engine a service starts is not always known.
    let mut variables = Engine::ALL.into_iter().filter_map(|engine| engine.http().key_variable);
    let variable = || variables.find_map(|name| service.variable(name));
    joined.or_else(variable).into_iter().collect()
}

fn token(key: &str) -> Option<Token> {
    let key = key.trim();
    (!key.is_empty()).then(|| Token::new(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_map::Spanned;

    fn check(command: &[&str], variable: Option<(&str, &str)>, expected: Option<&str>) {
        let mut service = Service::named(Spanned::nowhere("vllm".to_owned()));
        let words = command.iter().map(|word| Spanned::nowhere((*word).to_owned()));
        service.command = Some(words.collect());
        if let Some((name, value)) = variable {
            let value = Spanned::nowhere(Some(value.to_owned()));
            service.environment.insert(name.to_owned(), value);
        }
        assert_eq!(api_key(&service).as_ref().map(Token::reveal), expected, "{command:?}");
    }

    #[test]
    fn the_key_is_read_as_the_engines_read_it() {
        check(&["--model", "/m", "--api-key", "abc"], None, Some("abc"));
        check(&["--api-key=abc"], None, Some("abc"));
        check(&["--api-key", "abc,def"], None, Some("abc"));
        check(&["--model", "/m"], Some(("VLLM_API_KEY", "abc")), Some("abc"));
        check(&["--api-key", "abc"], Some(("LLAMA_API_KEY", "def")), Some("abc"));
        check(&["--api-key"], None, None);
        check(&["--model", "/m"], Some(("VLLM_API_KEY", "")), None);
    }

    #[test]
    fn every_key_that_is_accepted_is_known() {
        let keys = |command: &[&str]| -> Vec<String> {
            let mut service = Service::named(Spanned::nowhere("vllm".to_owned()));
            let words = command.iter().map(|word| Spanned::nowhere((*word).to_owned()));
            service.command = Some(words.collect());
            api_keys(&service).iter().map(|key| key.reveal().to_owned()).collect()
        };
        assert_eq!(keys(&["--api-key", "a,b", "--port", "1"]), ["a", "b", "a,b"]);
        assert_eq!(keys(&["--api-key", "a", "b", "--port", "1"]), ["a", "a", "b", "b"]);
        assert!(keys(&["--port", "1"]).is_empty());
    }
}
