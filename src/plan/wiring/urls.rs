//! URLs in the words and values of a project.

use url::Url;

/// An address that somebody is told to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As it is written.
    pub text: String,
    /// Whether it is called with TLS.
    pub tls: bool,
    /// A name or an address, one of IPv6 without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Without a slash at its end; empty: none.
    pub path: String,
}

impl Target {
    /// What `text` says, if it is an `http` or `https` URL.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        // What a shell or a template would fill in is not known.
        if text.contains(['$', '{', '<']) {
            return None;
        }
        let url = Url::parse(text).ok()?;
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self {
            text: text.to_owned(),
            tls,
            host,
            port: url.port_or_known_default()?,
            path: url.path().trim_end_matches('/').to_owned(),
        })
    }

    /// What a variable says that is known to be the address of an API: as [`Target::parse`], and without
    /// a scheme too.
    pub(super) fn parse_base(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| {
            let is_plain = !text.contains("://") && text.contains(':');
            let found = Self::parse(&format!("http://{}", text.trim()));
            found.filter(|_| is_plain).map(|found| Self { text: text.trim().to_owned(), ..found })
        })
    }

    /// A host and a port that are said apart.
    pub(super) fn of(host: &str, port: u16) -> Option<Self> {
        Self::parse_base(&format!("{}:{port}", host.trim()))
    }

    /// The same, at another port.
    #[must_use]
    pub fn at_port(&self, port: u16) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.text.contains("://"), self.tls) {
            (false, _) => format!("{host}:{port}{}", self.path),
            (true, false) => format!("http://{host}:{port}{}", self.path),
            (true, true) => format!("https://{host}:{port}{}", self.path),
        }
    }

    /// Those in a text of other things: words, settings.
    #[must_use]
    pub fn all_in(text: &str) -> Vec<Self> {
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | ')' | '`');
        let starts = text.match_indices("http").map(|(start, _)| start);
        let candidates = starts.filter_map(|start| text.get(start..)?.split(ends).next());
        candidates.filter_map(Self::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let check = |text: &str, expected: Option<&str>| {
            let shown = Target::parse(text).map(|it| {
                format!("{} {} {} {}", if it.tls { "s" } else { "-" }, it.host, it.port, it.path)
            });
            assert_eq!(shown.as_deref(), expected, "{text}");
        };
        check("http://vllm:8000/v1/", Some("- vllm 8000 /v1"));
        check("https://llm", Some("s llm 443 "));
        check(" http://[::1]:80 ", Some("- ::1 80 "));
        check("http://${HOST}:1", None);
        check("redis://cache:6379", None);
        check("vllm:8000", None);
    }

    #[test]
    fn an_address_may_lack_its_scheme_where_one_is_expected() {
        let host =
            |text: &str| Target::parse_base(text).map(|it| format!("{} {}", it.host, it.port));
        assert_eq!(host("ollama:11434").as_deref(), Some("ollama 11434"));
        assert_eq!(host("http://a:1").as_deref(), Some("a 1"));
        assert_eq!(host("ollama"), None);
        assert_eq!(host("redis://a:1"), None);
    }

    #[test]
    fn an_address_is_written_at_another_port_as_it_was() {
        let check = |target: Option<Target>, expected: &str| {
            assert_eq!(target.map(|it| it.at_port(9)).as_deref(), Some(expected));
        };
        check(Target::parse("https://a:1/v1/"), "https://a:9/v1");
        check(Target::parse("http://[::1]:1"), "http://[::1]:9");
        check(Target::of("tei", 80), "tei:9");
        assert_eq!(Target::of("a b", 80), None);
        assert_eq!(Target::of("http://a", 80), Target::parse("http://a:80"));
    }

    #[test]
    fn urls_are_found_between_other_words() {
        let found = Target::all_in("--base 'http://a:1/v1' x=http://b:2;https://c");
        let hosts: Vec<&str> = found.iter().map(|it| it.host.as_str()).collect();
        assert_eq!(hosts, ["a", "b", "c"]);
    }
}
