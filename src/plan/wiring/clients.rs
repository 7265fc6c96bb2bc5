//! The clients that people run beside engines, and what they read.

use crate::plan::engine::is_called;
use crate::project::Service;

/// The file itself says how it is read.
const TABLE: &str = include_str!("clients.txt");

/// What a variable of a client is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The address of an API.
    Base(Api),
    /// The name of a model.
    Model,
    /// What is shown to an engine.
    Key,
    /// A URL that is called by somebody's browser.
    Browser,
}

/// What a client puts behind the address that it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `/chat/completions`, `/models`: the address has to have `/v1` already.
    OpenAi,
    /// `/v1/chat/completions`, `/v1/models`.
    OpenAiRoot,
    /// `/api/tags`, `/api/chat`.
    Ollama,
    /// `/embed`, `/rerank`.
    Tei,
    /// `/generate`.
    Tgi,
    /// Not known.
    Other,
}

/// A variable that a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reads {
    /// Who reads it: `Open WebUI`.
    pub client: &'static str,
    /// The variable.
    pub variable: &'static str,
    /// What it is for.
    pub purpose: Purpose,
    /// What stands between several values; absent: it has one.
    pub separator: Option<char>,
    /// The variable and its value where this is read so; absent: always.
    pub only_if: Option<(&'static str, &'static str)>,
}

impl Reads {
    fn is_so_for(self, service: &Service) -> bool {
        let Some((variable, expected)) = self.only_if else { return true };
        let said = service.environment.get(variable).and_then(|it| it.value.as_deref());
        said == Some(expected)
    }

    /// The values in `text`.
    pub(super) fn values(self, text: &str) -> impl Iterator<Item = &str> {
        let separator = self.separator;
        text.split(move |c| Some(c) == separator)
    }

    /// Whether this variable belongs to `base`: `OPENAI_API_KEYS` to `OPENAI_API_BASE_URLS`,
    /// `GENERIC_OPEN_AI_API_KEY` to `GENERIC_OPEN_AI_BASE_PATH`.
    pub(super) fn is_beside(self, base: Self) -> bool {
        let stem = |name: &'static str| {
            let stem = name.rsplit_once("_KEY").map(|(stem, _)| stem);
            stem.map(|stem| stem.strip_suffix("_API").unwrap_or(stem))
        };
        let is_of_it = stem(self.variable).is_some_and(|stem| base.variable.starts_with(stem));
        is_of_it && self.separator == base.separator
    }
}

/// Everything that the program of a service is known to read; nothing of one that is not known.
pub(super) fn reads(service: &Service) -> Vec<Reads> {
    let Some(block) = blocks().find(|block| block.is_of(service)) else { return Vec::new() };
    let all = block.lines.lines().filter_map(|line| read(block.name, line));
    all.filter(|reads| reads.is_so_for(service)).collect()
}

/// How variables begin, or end, whose URLs a browser gets, or that are this program's own address.
const OF_BROWSERS: ([&str; 8], [&str; 8]) = (
    [
        "NEXT_PUBLIC_",
        "NUXT_PUBLIC_",
        "VITE_",
        "REACT_APP_",
        "EXPO_PUBLIC_",
        "PUBLIC_",
        "CORS_",
        "NEXTAUTH_",
    ],
    [
        "_ORIGIN",
        "_ORIGINS",
        "_PUBLIC_URL",
        "_EXTERNAL_URL",
        "_CALLBACK_URL",
        "_REDIRECT_URI",
        "_SITE_URL",
        "_REFERER",
    ],
);

/// Whether the URLs of a variable are for browsers, by its name alone.
pub(super) fn is_of_browsers(variable: &str) -> bool {
    let (starts, ends) = OF_BROWSERS;
    starts.iter().any(|start| variable.starts_with(start))
        || ends.iter().any(|end| variable.ends_with(end) || variable == &end[1..])
}

/// A client and the lines of what it reads.
struct Block {
    name: &'static str,
    images: &'static str,
    lines: &'static str,
}

impl Block {
    fn is_of(&self, service: &Service) -> bool {
        let mut images = self.images.split(',').map(str::trim);
        images.any(|image| is_called(service, image))
    }
}

fn blocks() -> impl Iterator<Item = Block> {
    let mut parts = TABLE.split("\nclient ");
    parts.next();
    parts.filter_map(|part| {
        let (head, lines) = part.split_once('\n')?;
        let mut columns = head.split('|').map(str::trim);
        Some(Block { name: columns.next()?, images: columns.next()?, lines })
    })
}

fn read(client: &'static str, line: &'static str) -> Option<Reads> {
    let (variable, kind) = line.split_once('|')?;
    let mut words = kind.split_whitespace();
    let purpose = match words.next()? {
        "openai" => Purpose::Base(Api::OpenAi),
        "openai-root" => Purpose::Base(Api::OpenAiRoot),
        "ollama" => Purpose::Base(Api::Ollama),
        "tei" => Purpose::Base(Api::Tei),
        "tgi" => Purpose::Base(Api::Tgi),
        "base" => Purpose::Base(Api::Other),
        "model" => Purpose::Model,
        "key" => Purpose::Key,
        "browser" => Purpose::Browser,
        _ => return None,
    };
    let rest: Vec<&str> = words.collect();
    let is_separator = |word: &&&str| word.chars().count() == 1;
    let separator = rest.first().filter(is_separator).and_then(|word| word.chars().next());
    let condition = rest.iter().position(|word| *word == "if").and_then(|at| rest.get(at + 1));
    let only_if = condition.and_then(|condition| condition.split_once('='));
    Some(Reads { client, variable: variable.trim(), purpose, separator, only_if })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_map::Spanned;

    fn of(image: &str) -> Vec<Reads> {
        let mut service = Service::named(Spanned::nowhere("ui".to_owned()));
        service.image = Some(Spanned::nowhere(image.to_owned()));
        reads(&service)
    }

    #[test]
    fn every_line_is_read() {
        let is_of_variable = |line: &&str| !line.starts_with(['#']) && !line.starts_with("client ");
        let lines = TABLE.lines().filter(is_of_variable).filter(|line| !line.is_empty());
        let read: usize = blocks()
            .map(|block| block.lines.lines().filter_map(|line| read(block.name, line)).count())
            .sum();
        assert_eq!(read, lines.count());
        let heads = TABLE.lines().filter(|line| line.starts_with("client "));
        assert!(heads.clone().all(|head| head.matches('|').count() == 2));
        assert_eq!(heads.count(), blocks().count());
    }

    fn told(image: &str, environment: &[(&str, &str)]) -> Vec<Reads> {
        let mut service = Service::named(Spanned::nowhere("ui".to_owned()));
        service.image = Some(Spanned::nowhere(image.to_owned()));
        for (name, value) in environment {
            let value = Spanned::nowhere(Some((*value).to_owned()));
            service.environment.insert((*name).to_owned(), value);
        }
        reads(&service)
    }

    #[test]
    fn every_variable_of_every_client_is_read_for_what_it_is() {
        let all: Vec<Reads> = blocks()
            .flat_map(|block| block.lines.lines().filter_map(move |line| read(block.name, line)))
            .collect();
        assert_eq!(all.len(), 66);
        for block in blocks() {
            for image in block.images.split(',').map(str::trim) {
                let image = if image.ends_with('/') {
                    format!("{image}retriever")
                } else {
                    image.to_owned()
                };
                for wanted in all.iter().filter(|reads| reads.client == block.name) {
                    let environment: Vec<_> = wanted.only_if.into_iter().collect();
                    let found = told(&format!("ghcr.io/{image}:1"), &environment);
                    assert!(found.contains(wanted), "{image}: {wanted:?}");
                    let others = told(&format!("ghcr.io/{image}:1"), &[]);
                    assert_eq!(others.contains(wanted), wanted.only_if.is_none(), "{wanted:?}");
                }
            }
        }
    }

    #[test]
    fn a_key_belongs_to_the_address_with_its_name() {
        let reads = told(
            "mintplexlabs/anythingllm",
            &[("LLM_PROVIDER", "generic-openai"), ("EMBEDDING_ENGINE", "ollama")],
        );
        let of = |variable: &str| *reads.iter().find(|it| it.variable == variable).unwrap();
        let key = of("GENERIC_OPEN_AI_API_KEY");
        assert!(key.is_beside(of("GENERIC_OPEN_AI_BASE_PATH")));
        assert!(!key.is_beside(of("EMBEDDING_BASE_PATH")));
        assert_eq!(of("EMBEDDING_BASE_PATH").purpose, Purpose::Base(Api::Ollama));
    }

    #[test]
    fn what_a_browser_calls_is_known_by_its_name() {
        for name in
            ["NEXT_PUBLIC_API_URL", "VITE_OLLAMA", "CORS_ORIGINS", "ORIGIN", "ALLOWED_ORIGINS"]
        {
            assert!(is_of_browsers(name), "{name}");
        }
        for name in ["OPENAI_BASE_URL", "LLM_URL", "ORIGINAL"] {
            assert!(!is_of_browsers(name), "{name}");
        }
    }

    #[test]
    fn a_client_is_known_by_its_image() {
        let urls = of("ghcr.io/open-webui/open-webui:main");
        let urls = urls.iter().find(|it| it.variable == "OPENAI_API_BASE_URLS").unwrap();
        assert_eq!((urls.purpose, urls.separator), (Purpose::Base(Api::OpenAi), Some(';')));
        assert_eq!(urls.client, "Open WebUI");
        assert!(of("postgres:16").is_empty());
    }
}
