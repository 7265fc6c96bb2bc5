//! What Caddy passes on (its documentation of the Caddyfile, `reverse_proxy` and environment variables).

use std::ops::Range;

use super::{Entry, Program, paths, variable};
use crate::path::ServicePath;
use crate::plan::wiring::clients::Purpose;
use crate::plan::wiring::networks::is_itself;
use crate::plan::wiring::urls::Target;
use crate::project::compose::Foreign;
use crate::project::{Service, Text};
use crate::source_map::Spanned;

pub(super) static PROGRAM: Program = Program { name: "Caddy", images: &["caddy"], files, read };

const DIRECTIVE: &str = "reverse_proxy";

/// The same, over a connection that is not encrypted.
const PLAIN_HTTP_2: &str = "h2c://";

/// What stands at the end of a line that goes on in the next.
const CONTINUED: &str = "\\";

/// The port of an address that says none.
const DEFAULT_PORT: u16 = 80;

fn files(service: &Service) -> Vec<ServicePath> {
    let named = paths(service, &["--config", "-c"], "/srv");
    if named.is_empty() { vec![ServicePath::new("/etc/caddy/Caddyfile")] } else { named }
}

fn read(service: &Service, path: &ServicePath, text: &Text) -> Vec<Entry> {
    if path.as_path().extension().is_some_and(|end| end == "json") {
        return Foreign::read(text).map_or_else(Vec::new, |config| dialled(&config));
    }
    let lines = lines(&text.text);
    let sites: Vec<&Word> =
        lines.iter().filter(|it| it.within.is_empty()).flat_map(|it| &it.words).collect();
    let is_own = |target: &Target| {
        let port = format!(":{}", target.port);
        let mut sites = sites.iter();
        is_itself(&target.host) && sites.any(|site| site.text.ends_with(&port))
    };
    let mut found = Vec::new();
    for word in lines.iter().flat_map(upstreams) {
        let address = expanded(service, &word.text).and_then(|written| address(&written));
        let Some((address, target)) = address else { continue };
        if !is_own(&target) {
            let address = Spanned::new(address, text.place(word.range.clone()));
            found.push(Entry::new(PROGRAM.name, DIRECTIVE, Purpose::Upstream, address));
        }
    }
    found
}

/// What Caddy's own form of a configuration passes on to, wherever in it that stands.
fn dialled(config: &Foreign) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut left = vec!["/apps/http/servers".to_owned()];
    while let Some(at) = left.pop() {
        let is_proxy = config.text(&format!("{at}/handler"));
        if is_proxy.is_some_and(|handler| handler.value == DIRECTIVE) {
            let upstreams = config.below(&format!("{at}/upstreams")).into_iter();
            let dial = upstreams.filter_map(|it| config.text(&format!("{it}/dial")));
            let known = dial.filter(|it| address(&it.value).is_some());
            found.extend(known.map(|it| Entry::new(PROGRAM.name, "dial", Purpose::Upstream, it)));
        }
        left.extend(config.below(&at).into_iter().rev());
    }
    found
}

/// The addresses of a line: behind `reverse_proxy` and what it is for, or behind `to` in its block.
fn upstreams(line: &Line) -> &[Word] {
    let [first, rest @ ..] = line.words.as_slice() else { return &[] };
    let is_inside = line.within.last().is_some_and(|name| name == DIRECTIVE);
    match (first.text.as_str(), rest) {
        ("to", _) if is_inside => rest,
        (DIRECTIVE, [matcher, others @ ..]) if matcher.text.starts_with(['/', '*', '@']) => others,
        (DIRECTIVE, _) => rest,
        _ => &[],
    }
}

/// The variables of the service in a word; absent: something is left that is only known later.
fn expanded(service: &Service, text: &str) -> Option<String> {
    let mut written = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{$") {
        let (said, behind) = behind.split_once('}')?;
        let (name, default) = said.split_once(':').unzip();
        let value = variable(service, name.unwrap_or(said)).map(|value| value.value);
        written.push_str(before);
        written.push_str(&value.or_else(|| default.map(str::to_owned))?);
        rest = behind;
    }
    written.push_str(rest);
    (!written.contains(['{', '}'])).then_some(written)
}

fn address(written: &str) -> Option<(String, Target)> {
    let plain = written.strip_prefix(PLAIN_HTTP_2).map(|rest| format!("http://{rest}"));
    let written = plain.unwrap_or_else(|| written.to_owned());
    let address = match written.strip_prefix(':') {
        Some(port) => format!("localhost:{port}"),
        None if written.contains(':') => written,
        None if written.contains('/') => return None,
        None => format!("{written}:{DEFAULT_PORT}"),
    };
    let target = Target::parse_base(&address)?;
    Some((address, target))
}

/// A line of a Caddyfile.
#[derive(Debug)]
struct Line {
    words: Vec<Word>,
    /// The first words of what it stands in, outermost first.
    within: Vec<String>,
}

#[derive(Debug, Clone)]
struct Word {
    text: String,
    range: Range<usize>,
}

fn lines(text: &str) -> Vec<Line> {
    let (mut found, mut within) = (Vec::new(), Vec::<String>::new());
    let mut start = 0;
    let mut before = Vec::new();
    for line in text.split_inclusive('\n') {
        let mut words = [std::mem::take(&mut before), words(line, start)].concat();
        start += line.len();
        if words.last().is_some_and(|word| word.text == CONTINUED) {
            words.pop();
            before = words;
            continue;
        }
        if words.first().is_some_and(|word| word.text == "}") {
            within.pop();
            continue;
        }
        let opens = words.last().is_some_and(|word| word.text == "{");
        if opens {
            words.pop();
        }
        let name = words.first().map(|word| word.text.clone()).unwrap_or_default();
        if !words.is_empty() {
            found.push(Line { words, within: within.clone() });
        }
        // Nobody writes so many into one another.
        if opens && within.len() < 64 {
            within.push(name);
        }
    }
    found
}

/// The words of a line that begins at `start` of its text, without a comment behind them.
fn words(line: &str, start: usize) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let at = start + line.len() - rest.len();
        let length = match first {
            '#' => return words,
            '"' | '`' => {
                let inner = rest.get(1..).unwrap_or_default();
                let end = inner.find(first).unwrap_or(inner.len());
                let text = inner.get(..end).unwrap_or_default().to_owned();
                words.push(Word { text, range: at + 1..at + 1 + end });
                (end + 2).min(rest.len())
            }
            c if c.is_whitespace() => c.len_utf8(),
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let text = rest.get(..end).unwrap_or_default().to_owned();
                words.push(Word { text, range: at..at + end });
                end
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addresses that a Caddyfile passes on to; every one is where it is said to be.
    fn check(text: &str, expected: &[&str]) {
        let lines = lines(text);
        let found: Vec<&Word> = lines.iter().flat_map(upstreams).collect();
        for word in &found {
            assert_eq!(text.get(word.range.clone()), Some(word.text.as_str()), "{text}");
        }
        let found: Vec<&str> = found.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn the_addresses_of_a_proxy_are_found() {
        check("reverse_proxy a:1 b:2 # c", &["a:1", "b:2"]);
        check(
            ":80 {\n  reverse_proxy /x/* \"a:1\" {\n    to b:2\n    header_up to\n  }\n  to c\n}",
            &["a:1", "b:2"],
        );
        check("reverse_proxy @m {\n\tto `a:1`\n}\nto b", &["a:1"]);
        check("}\n}\nreverse_proxy", &[]);
        check("reverse_proxy a:1 \\\n  b:2\nreverse_proxy c:3 \\", &["a:1", "b:2"]);
        check("é \"é", &[]);
    }

    #[test]
    fn an_address_may_lack_its_host_or_port() {
        let check = |written: &str, expected: Option<&str>| {
            let found = address(written).map(|(_, it)| format!("{}:{}", it.host, it.port));
            assert_eq!(found.as_deref(), expected, "{written}");
        };
        check("vllm", Some("vllm:80"));
        check(":8000", Some("localhost:8000"));
        check("h2c://vllm:8000", Some("vllm:8000"));
        check("https://vllm", Some("vllm:443"));
        check("unix//run/x", None);
        check("vllm:8000-8005", None);
    }
}
