//! What nginx passes on (its documentation of `proxy_pass` and `upstream`; the entrypoint of the official
//! image, docker-library nginx 1.29: 20-envsubst-on-templates.sh).

use std::ops::Range;

use super::{Entry, Program, flag, variable};
use crate::path::ServicePath;
use crate::plan::wiring::clients::Purpose;
use crate::plan::wiring::networks::is_itself;
use crate::plan::wiring::urls::Target;
use crate::project::{Service, Text};
use crate::source_map::Spanned;

pub(super) static PROGRAM: Program =
    Program { name: "nginx", images: &["nginx", "nginxinc/nginx-unprivileged"], files, read };

const MAIN: &str = "/etc/nginx/nginx.conf";

/// The folder that the main file of the image includes.
const INCLUDED: &str = "/etc/nginx/conf.d";

/// The folder whose files the image copies there, with the variables of the service in them.
const TEMPLATES: &str = "/etc/nginx/templates";

/// The port of an address that says none.
const DEFAULT_PORT: u16 = 80;

fn files(service: &Service) -> Vec<ServicePath> {
    let named = flag(service, &["-c"]).into_iter().next();
    if let Some(path) = named {
        return vec![ServicePath::new(path.value.clone())];
    }
    let main = ServicePath::new(MAIN);
    let is_mounted = service.mounts.iter().any(|mount| main.below(&mount.target).is_some());
    let text = service.settings.get(&main);
    let includes = |text: &Text| {
        let mut all = directives(&text.text).into_iter();
        all.any(|it| it.is("include") && it.words.iter().any(|word| word.text.contains("conf.d")))
    };
    let mut files = vec![main];
    if text.map_or(!is_mounted, includes) {
        files.push(ServicePath::new(INCLUDED).join("*.conf"));
        files.push(ServicePath::new(TEMPLATES).join("*.template"));
    }
    files
}

fn read(service: &Service, path: &ServicePath, text: &Text) -> Vec<Entry> {
    let upstreams = upstreams(service);
    let is_template = path.as_path().starts_with(TEMPLATES);
    let mut found = Vec::new();
    let all = directives(&text.text);
    let known = |name: &str| {
        let own = variable(service, name).filter(|_| is_template).map(|value| value.value);
        own.or_else(|| constant(&all, name))
    };
    for directive in &all {
        let is_server = directive.is("server") && directive.is_in("upstream");
        if !is_server && !directive.is("proxy_pass") {
            continue;
        }
        let key = if is_server { "server" } else { "proxy_pass" };
        let Some(word) = directive.words.get(1) else { continue };
        if directive.words.iter().any(|word| word.text == "down") {
            continue;
        }
        let Some(written) = expanded(&word.text, &known) else { continue };
        let Some((address, target)) = address(&written) else { continue };
        let is_upstream = upstreams.contains(&target.host);
        let is_own = is_itself(&target.host) && ports(service).contains(&target.port);
        if !is_upstream && !is_own {
            let address = Spanned::new(address, text.place(word.range.clone()));
            found.push(Entry::new(PROGRAM.name, key, Purpose::Upstream, address));
        }
    }
    found
}

/// The names that stand for several servers.
fn upstreams(service: &Service) -> Vec<String> {
    let mut names = Vec::new();
    for directive in all(service).filter(|it| it.is("upstream")) {
        names.extend(directive.words.get(1).map(|word| word.text.to_lowercase()));
    }
    names
}

/// The ports on which it listens itself.
fn ports(service: &Service) -> Vec<u16> {
    let listens = all(service).filter(|it| it.is("listen"));
    let port = |it: Directive| {
        let address = it.words.get(1)?.text.clone();
        address.rsplit(':').next()?.parse().ok()
    };
    listens.filter_map(port).collect()
}

fn all(service: &Service) -> impl Iterator<Item = Directive> {
    service.settings.values().flat_map(|text| directives(&text.text))
}

/// What a variable is set to, if that is said once and is always the same.
fn constant(all: &[Directive], name: &str) -> Option<String> {
    let is_its = |it: &&Directive| {
        let set = it.words.get(1).and_then(|word| word.text.strip_prefix('$'));
        it.is("set") && set == Some(name)
    };
    let mut sets = all.iter().filter(is_its);
    let (only, another) = (sets.next()?, sets.next());
    let value = &only.words.get(2).filter(|_| another.is_none())?.text;
    (!value.contains('$')).then(|| value.clone())
}

/// The variables that have the path of a request, from its slash on.
const PATHS: [&str; 3] = ["request_uri", "uri", "document_uri"];

/// A text with the values of its variables, up to a path that hangs on the request. Absent: something
/// before that is only known when one comes.
fn expanded(text: &str, known: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut written = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        let (name, behind) = match behind.strip_prefix('{') {
            Some(inner) => inner.split_once('}')?,
            None => {
                let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
                let end = behind.find(|c| !is_name(c)).unwrap_or(behind.len());
                behind.split_at_checked(end)?
            }
        };
        written.push_str(before);
        let Some(value) = known(name) else {
            let (_, address) = written.split_once("://").unwrap_or(("", &written));
            let is_path = address.contains('/') || (PATHS.contains(&name) && !address.is_empty());
            return is_path.then_some(written);
        };
        written.push_str(&value);
        rest = behind;
    }
    written.push_str(rest);
    (!written.contains('$')).then_some(written)
}

fn address(written: &str) -> Option<(String, Target)> {
    if written.contains("unix:") {
        return None;
    }
    let is_bare = !written.contains("://") && !written.trim_end_matches(']').contains(':');
    let address = if is_bare { format!("{written}:{DEFAULT_PORT}") } else { written.to_owned() };
    let target = Target::parse_base(&address)?;
    Some((address, target))
}

/// A line of a configuration, up to its `;` or the `{` of what is in it.
#[derive(Debug)]
struct Directive {
    words: Vec<Word>,
    /// The first word of what it stands in; absent: in nothing.
    block: Option<String>,
}

#[derive(Debug)]
struct Word {
    text: String,
    range: Range<usize>,
}

/// What a configuration is made of.
enum Token {
    Word(Word),
    /// `;`, `{` or `}`.
    Mark(char),
}

impl Directive {
    fn is(&self, name: &str) -> bool {
        self.words.first().is_some_and(|word| word.text == name)
    }

    fn is_in(&self, name: &str) -> bool {
        self.block.as_deref() == Some(name)
    }
}

fn directives(text: &str) -> Vec<Directive> {
    let (mut found, mut words, mut blocks) = (Vec::new(), Vec::<Word>::new(), Vec::new());
    for token in tokens(text) {
        match token {
            Token::Word(word) => words.push(word),
            Token::Mark('}') => {
                words.clear();
                blocks.pop();
            }
            Token::Mark(mark) => {
                let words = std::mem::take(&mut words);
                let name = words.first().map(|word| word.text.clone());
                found.push(Directive { words, block: blocks.last().cloned().flatten() });
                if mark == '{' {
                    blocks.push(name);
                }
            }
        }
    }
    found
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let start = text.len() - rest.len();
        let length = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            ';' | '{' | '}' => {
                tokens.push(Token::Mark(first));
                1
            }
            '"' | '\'' => {
                let inner = rest.get(1..).unwrap_or_default();
                let end = inner.find(first).unwrap_or(inner.len());
                let range = start + 1..start + 1 + end;
                let text = inner.get(..end).unwrap_or_default().to_owned();
                tokens.push(Token::Word(Word { text, range }));
                (end + 2).min(rest.len())
            }
            c if c.is_whitespace() => c.len_utf8(),
            _ => {
                let end = word_end(rest);
                let text = rest.get(..end).unwrap_or_default().to_owned();
                tokens.push(Token::Word(Word { text, range: start..start + end }));
                end
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    tokens
}

/// Where a word ends: the braces of a variable are a part of it.
fn word_end(text: &str) -> usize {
    let mut is_name = false;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let ends = matches!(c, ';' | '{' | '}') || c.is_whitespace();
        if c == '{' && before == '$' {
            is_name = true;
        } else if is_name {
            is_name = c != '}';
        } else if ends {
            return at;
        }
        before = c;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a configuration, with what they stand in; every word is where it is said to be.
    fn check(text: &str, expected: &[&str]) {
        let found = directives(text);
        for word in found.iter().flat_map(|it| &it.words) {
            assert_eq!(text.get(word.range.clone()), Some(word.text.as_str()), "{text}");
        }
        let shown = |it: &Directive| {
            let words: Vec<&str> = it.words.iter().map(|word| word.text.as_str()).collect();
            format!("{}:{}", it.block.as_deref().unwrap_or("-"), words.join(" "))
        };
        assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn lines_and_blocks_are_told_apart() {
        check("a b;c 'd;e' {f \"g{\";}h;", &["-:a b", "-:c d;e", "c:f g{", "-:h"]);
        check("# a;\na#b; # c;\n", &["-:a#b"]);
        check("a http://${B}/c;", &["-:a http://${B}/c"]);
        check("}a;}{b;", &["-:a", "-:", "-:b"]);
        check("a 'b", &[]);
        check("é \u{a0} 'é'; ${", &["-:é é"]);
    }

    #[test]
    fn an_address_without_a_port_is_called_at_80() {
        let check = |written: &str, expected: Option<&str>| {
            let found = address(written).map(|(_, it)| format!("{}:{}", it.host, it.port));
            assert_eq!(found.as_deref(), expected, "{written}");
        };
        check("vllm", Some("vllm:80"));
        check("vllm:8000", Some("vllm:8000"));
        check("http://vllm/v1", Some("vllm:80"));
        check("https://vllm", Some("vllm:443"));
        check("[::1]", Some("::1:80"));
        check("[::1]:8000", Some("::1:8000"));
        check("unix:/run/x", None);
        check("http://unix:/run/x:/", None);
    }
}
