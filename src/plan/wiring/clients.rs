//! The clients that people run beside engines, and what they read.

use super::urls::Target;
use crate::plan::engine::is_called;
use crate::project::Service;

/// The file itself says how it is read.
const TABLE: &str = include_str!("clients.txt");

/// What a value that a client reads is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The address of an API.
    Base(Api),
    /// An address to which requests are passed on.
    Upstream,
    /// The name of a model, which is sent as it is.
    Model,
    /// The same, which is looked for in the list of the server.
    Listed,
    /// A URL that is called by somebody's browser.
    Browser,
}

/// What a client puts behind the address that it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `/chat/completions`, `/models`: the address has to have `/v1` already.
    OpenAi,
    /// The same, and they are put behind a slash at its end too.
    OpenAiAsIs,
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

/// Something that a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reads {
    /// Who reads it: `Open WebUI`.
    pub client: &'static str,
    /// The variable, or the key in a file.
    pub variable: &'static str,
    /// What it is for.
    pub purpose: Purpose,
    /// What stands between several values; absent: it has one.
    pub separator: Option<char>,
    /// The port of a host that stands alone, or the variable that has it; absent: the value has it.
    host: Option<&'static str>,
    /// The variables that have the key, the first of them that is set; empty: none is known.
    keys: &'static str,
    /// The variables with the addresses that are asked for a model; empty: any.
    at: &'static str,
    /// When it is read so, as in the table.
    conditions: &'static str,
}

impl Reads {
    /// What a key of a file is for, of which there is nothing more to know.
    pub(super) fn in_file(client: &'static str, key: &'static str, purpose: Purpose) -> Self {
        let (separator, host) = (None, None);
        Self { client, variable: key, purpose, separator, host, keys: "", at: "", conditions: "" }
    }

    /// `if` or `unless`, and what has to hold or must not.
    fn conditions(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let mut words = self.conditions.split_whitespace();
        std::iter::from_fn(move || words.next().zip(words.next()))
    }

    /// Whether one of the `unless` is met.
    fn is_ruled_out_for(self, service: &Service) -> bool {
        self.conditions().any(|(word, condition)| word == "unless" && holds(condition, service))
    }

    /// Whether somebody whom nobody sees may say what it hangs on.
    fn is_open_for(self, service: &Service) -> bool {
        let name =
            |condition: &'static str| condition.split(['=', '~']).next().unwrap_or(condition);
        self.conditions().any(|(_, condition)| may_be_told(service, name(condition)))
    }

    fn is_so_for(self, service: &Service) -> bool {
        self.conditions().all(|(word, condition)| (word == "if") == holds(condition, service))
    }

    /// The values in `text`.
    pub(super) fn values(self, text: &str) -> impl Iterator<Item = &str> {
        let separator = self.separator;
        text.split(move |c| Some(c) == separator)
    }

    /// The addresses in `text`, which a variable of `service` has.
    pub(super) fn targets(self, text: &str, service: &Service) -> Vec<Target> {
        if matches!(self.purpose, Purpose::Model | Purpose::Listed | Purpose::Browser) {
            return Vec::new();
        }
        let Some(port) = self.host else {
            return self.values(text).filter_map(Target::parse_base).collect();
        };
        let port = service.variable(port).unwrap_or(port);
        self.values(text).filter_map(|host| Target::of(host, port.parse().ok()?)).collect()
    }

    /// The variables that have the key to show.
    pub(super) fn keys(self) -> impl Iterator<Item = &'static str> {
        self.keys.split(',').filter(|name| !name.is_empty())
    }

    /// Whether it is the address in `variable` that is asked for this model.
    #[must_use]
    pub fn is_asked_of(self, variable: Option<&str>) -> bool {
        self.at.is_empty() || self.at.split(',').any(|name| Some(name) == variable)
    }
}

/// Whether a variable that the project does not set may be set by somebody whom nobody sees: a secret of
/// the cluster.
pub(super) fn may_be_told(service: &Service, name: &str) -> bool {
    let is_elsewhere = service.told_elsewhere.contains_key(name) || service.may_tell.is_some();
    is_elsewhere && !service.environment.contains_key(name)
}

/// Whether a condition of the table is met.
fn holds(condition: &str, service: &Service) -> bool {
    let said = |variable: &str| service.variable(variable).filter(|value| !value.is_empty());
    if let Some((variable, part)) = condition.split_once('~') {
        return said(variable).is_some_and(|value| value.contains(part));
    }
    let Some((variable, expected)) = condition.split_once('=') else {
        return said(condition).is_some();
    };
    match (said(variable), expected.strip_suffix('?')) {
        (None, Some(_)) => true,
        (Some(value), default) => value.eq_ignore_ascii_case(default.unwrap_or(expected)),
        (None, None) => false,
    }
}

/// What is known of the variables that the program of a service may read; nothing of one that is not known.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// What it reads.
    pub(super) reads: Vec<Reads>,
    /// Those that it does not read: another takes their place, or what they are for is switched off.
    pub(super) left_out: Vec<&'static str>,
}

impl Variables {
    pub(super) fn of(service: &Service) -> Self {
        let Some(block) = blocks().find(|block| block.is_of(service)) else {
            return Self::default();
        };
        let all = block.lines.lines().filter_map(|line| read(block.name, line));
        let (ruled_out, mut reads): (Vec<Reads>, Vec<Reads>) =
            all.partition(|reads| reads.is_ruled_out_for(service));
        let names = ruled_out.iter().map(|reads| reads.variable);
        let left_out = names.filter(|name| reads.iter().all(|other| other.variable != *name));
        let left_out = left_out.collect();
        reads.retain(|reads| reads.is_so_for(service) && !reads.is_open_for(service));
        Self { reads, left_out }
    }
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
    let (variable, what) = line.split_once('|')?;
    let (kind, mut rest) = first_word(what);
    let mut reads = Reads::in_file(client, variable.trim(), purpose(kind)?);
    let (word, behind) = first_word(rest);
    if let Ok(separator) = word.parse() {
        (reads.separator, rest) = (Some(separator), behind);
    }
    loop {
        let (keyword, behind) = first_word(rest);
        let (argument, behind) = first_word(behind);
        match keyword {
            "host" => reads.host = Some(argument),
            "key" => reads.keys = argument,
            "at" => reads.at = argument,
            "if" | "unless" => {
                reads.conditions = rest;
                return Some(reads);
            }
            "" => return Some(reads),
            _ => return None,
        }
        rest = behind;
    }
}

/// The first word of a text, and what stands behind it.
fn first_word(text: &'static str) -> (&'static str, &'static str) {
    let text = text.trim();
    text.split_once(' ').unwrap_or((text, ""))
}

fn purpose(kind: &str) -> Option<Purpose> {
    Some(match kind {
        "openai" => Purpose::Base(Api::OpenAi),
        "openai-as-is" => Purpose::Base(Api::OpenAiAsIs),
        "openai-root" => Purpose::Base(Api::OpenAiRoot),
        "ollama" => Purpose::Base(Api::Ollama),
        "tei" => Purpose::Base(Api::Tei),
        "tgi" => Purpose::Base(Api::Tgi),
        "base" => Purpose::Base(Api::Other),
        "model" => Purpose::Model,
        "listed" => Purpose::Listed,
        "browser" => Purpose::Browser,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_map::Spanned;

    fn of(image: &str) -> Vec<Reads> {
        told(image, &[])
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

    fn service(image: &str, environment: &[(&str, &str)]) -> Service {
        let mut service = Service::named(Spanned::nowhere("ui".to_owned()));
        service.image = Some(Spanned::nowhere(image.to_owned()));
        for (name, value) in environment {
            let value = Spanned::nowhere(Some((*value).to_owned()));
            service.environment.insert((*name).to_owned(), value);
        }
        service
    }

    fn told(image: &str, environment: &[(&str, &str)]) -> Vec<Reads> {
        Variables::of(&service(image, environment)).reads
    }

    fn all() -> Vec<Reads> {
        let lines = |block: Block| block.lines.lines().filter_map(move |it| read(block.name, it));
        blocks().flat_map(lines).collect()
    }

    /// The conditions of a line: whether they have to hold, the variable, and a value that meets it.
    fn conditions(reads: Reads) -> Vec<(bool, &'static str, &'static str)> {
        let one = |(word, condition): (&str, &'static str)| {
            let (variable, value) = condition.split_once(['=', '~']).unwrap_or((condition, "x"));
            (word == "if", variable, value.trim_end_matches('?'))
        };
        reads.conditions().map(one).collect()
    }

    #[test]
    fn every_variable_of_every_client_is_read_for_what_it_is() {
        let all = all();
        assert_eq!(all.len(), 77);
        for block in blocks() {
            for image in block.images.split(',').map(str::trim) {
                let name = if image.ends_with('/') { "retriever" } else { "" };
                let image = format!("ghcr.io/{image}{name}:1");
                for wanted in all.iter().filter(|reads| reads.client == block.name) {
                    let conditions = conditions(*wanted);
                    let met = conditions.iter().filter(|it| it.0).map(|it| (it.1, it.2));
                    let met: Vec<_> = met.collect();
                    assert!(told(&image, &met).contains(wanted), "{image}: {wanted:?}");
                    for (has_to, variable, value) in conditions {
                        let mut not = met.clone();
                        not.retain(|(name, _)| *name != variable);
                        not.push((variable, if has_to { "another" } else { value }));
                        let is_any = has_to && !wanted.conditions.contains(['=', '~']);
                        assert!(is_any || !told(&image, &not).contains(wanted), "{wanted:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_condition_is_met_by_a_value_or_by_none() {
        let check = |condition: &str, environment: &[(&str, &str)], expected: bool| {
            assert_eq!(holds(condition, &service("x", environment)), expected, "{condition}");
        };
        check("A", &[("A", "1")], true);
        check("A", &[("A", "")], false);
        check("A=true", &[("A", "True")], true);
        check("A=true", &[], false);
        check("A=true?", &[], true);
        check("A=true?", &[("A", "false")], false);
        check("A~tei-", &[("A", "cpu,tei-cpu")], true);
        check("A~tei-", &[("A", "cpu")], false);
    }

    #[test]
    fn an_address_names_its_keys_and_a_model_the_addresses_that_are_asked() {
        let reads = told(
            "mintplexlabs/anythingllm",
            &[("LLM_PROVIDER", "generic-openai"), ("EMBEDDING_ENGINE", "ollama")],
        );
        let of = |variable: &str| *reads.iter().find(|it| it.variable == variable).unwrap();
        let keys: Vec<_> = of("GENERIC_OPEN_AI_BASE_PATH").keys().collect();
        assert_eq!(keys, ["GENERIC_OPEN_AI_API_KEY"]);
        assert_eq!(of("EMBEDDING_BASE_PATH").purpose, Purpose::Base(Api::Ollama));
        let model = of("GENERIC_OPEN_AI_MODEL_PREF");
        assert!(model.is_asked_of(Some("GENERIC_OPEN_AI_BASE_PATH")));
        assert!(!model.is_asked_of(Some("EMBEDDING_BASE_PATH")));
        assert!(!model.is_asked_of(None));
        // Whatever a line names is a line of the same client, or a key.
        for reads in all() {
            let is_known = |name: &str| {
                all().iter().any(|other| other.client == reads.client && other.variable == name)
            };
            assert!(reads.at.split(',').all(|name| name.is_empty() || is_known(name)), "{reads:?}");
            assert!(reads.keys().all(|name| name.to_lowercase().contains("key")), "{reads:?}");
        }
    }

    #[test]
    fn a_host_may_have_its_port_elsewhere() {
        let check = |variable: &str, environment: &[(&str, &str)], expected: Option<u16>| {
            let service = service("x", environment);
            let reads = all().into_iter().find(|it| it.variable == variable).unwrap();
            let ports: Vec<u16> =
                reads.targets("tei", &service).iter().map(|target| target.port).collect();
            assert_eq!(ports, Vec::from_iter(expected), "{variable}");
        };
        check("TEI_HOST", &[], Some(80));
        check("LLM_SERVER_HOST_IP", &[("LLM_SERVER_PORT", "8000")], Some(8000));
        check("LLM_SERVER_HOST_IP", &[], None);
        check("LLM_SERVER_HOST_IP", &[("LLM_SERVER_PORT", "many")], None);
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
        assert_eq!((urls.purpose, urls.separator), (Purpose::Base(Api::OpenAiAsIs), Some(';')));
        assert_eq!(urls.client, "Open WebUI");
        assert!(of("postgres:16").is_empty());
    }
}
