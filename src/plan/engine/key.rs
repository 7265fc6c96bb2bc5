//! The key that a service wants from its clients, from its own words. Pure.

use crate::options::Token;
use crate::plan::engine::Engine;
use crate::project::Service;

const FLAG: &str = "--api-key";

/// The first key that `service` accepts; absent: it wants none, or it is in a file.
#[must_use]
pub fn api_key(service: &Service) -> Option<Token> {
    let words = || service.words();
    let after = words().skip_while(|word| word.value != FLAG).nth(1);
    let joined = words().find_map(|word| word.value.strip_prefix(FLAG)?.strip_prefix('='));
    // Which engine a service starts is not always known.
    let mut variables = Engine::ALL.into_iter().filter_map(|engine| engine.http().key_variable);
    let variable = variables.find_map(|name| service.variable(name));
    let said = after.map(|word| word.value.as_str()).or(joined).or(variable)?;
    // llama.cpp takes several, separated by commas.
    let first = said.split(',').next().unwrap_or(said).trim();
    (!first.is_empty()).then(|| Token::new(first.to_owned()))
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
}
