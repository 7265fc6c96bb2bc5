//! Tokens that are known by their form, whatever stands around them.

use std::ops::Range;

use super::scan::{before, run};

/// How a token of one kind is written.
struct Form {
    prefix: &'static str,
    /// The fewest bytes behind the prefix.
    least: usize,
    /// The fewest letters and digits of it that stand together.
    together: usize,
    /// Whether the prefix says nothing of the secret, and is shown.
    shows_prefix: bool,
}

const fn form(prefix: &'static str, least: usize) -> Form {
    Form { prefix, least, together: 0, shows_prefix: false }
}

/// Prefixes as their issuers document them. A name in words is longer than that as well, so behind
/// the short ones a piece without a separator has to be long.
static FORMS: [Form; 26] = [
    Form { prefix: "hf_", least: 20, together: 20, shows_prefix: true },
    Form { prefix: "api_org_", least: 20, together: 20, shows_prefix: true },
    form("ghp_", 20),
    form("gho_", 20),
    form("ghu_", 20),
    form("ghs_", 20),
    form("ghr_", 20),
    form("github_pat_", 20),
    form("glpat-", 16),
    Form { prefix: "sk-", least: 16, together: 16, shows_prefix: false },
    Form { prefix: "gsk_", least: 20, together: 20, shows_prefix: false },
    Form { prefix: "xai-", least: 20, together: 20, shows_prefix: false },
    Form { prefix: "pplx-", least: 20, together: 20, shows_prefix: false },
    Form { prefix: "nvapi-", least: 20, together: 16, shows_prefix: false },
    Form { prefix: "r8_", least: 20, together: 20, shows_prefix: false },
    form("dckr_pat_", 16),
    form("npm_", 36),
    form("AIza", 30),
    form("xoxa-", 10),
    form("xoxb-", 10),
    form("xoxe-", 10),
    form("xoxp-", 10),
    form("xoxr-", 10),
    form("xoxs-", 10),
    form("xapp-", 10),
    form("ya29.", 20),
];

/// Adds the place of every token. Linear: what was looked at behind a prefix is not looked at again.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    for form in &FORMS {
        let mut seen = 0;
        for (at, prefix) in text.match_indices(form.prefix) {
            if at < seen || is_inside_word(text, at) && form.prefix != "hf_" {
                continue;
            }
            let start = at + prefix.len();
            let body = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            let hub = |byte: u8| byte.is_ascii_alphanumeric();
            let length =
                if form.shows_prefix { run(text, start, hub) } else { run(text, start, body) };
            seen = start + length;
            if length >= form.least && longest_piece(text, start..seen) >= form.together {
                found.push(if form.shows_prefix { start..seen } else { at..seen });
            }
        }
    }
    access_keys(text, found);
    web_tokens(text, found);
    private_keys(text, found);
}

/// `AKIA` or `ASIA` and 16 capitals and digits.
fn access_keys(text: &str, found: &mut Vec<Range<usize>>) {
    for prefix in ["AKIA", "ASIA"] {
        for (at, _) in text.match_indices(prefix).filter(|(at, _)| !is_inside_word(text, *at)) {
            let end = at + text.len().saturating_sub(at).min(20);
            let key = text.as_bytes().get(at..end).unwrap_or(&[]);
            let is_key = key.iter().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit());
            let goes_on = text.as_bytes().get(end).is_some_and(u8::is_ascii_alphanumeric);
            if key.len() == 20 && is_key && !goes_on {
                found.push(at..end);
            }
        }
    }
}

/// JSON Web Tokens: `eyJ`, and two or more parts in base64url.
fn web_tokens(text: &str, found: &mut Vec<Range<usize>>) {
    let mut seen = 0;
    for (at, _) in text.match_indices("eyJ") {
        if at < seen || is_inside_word(text, at) {
            continue;
        }
        let belongs =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'=');
        seen = at + run(text, at, belongs);
        let mut parts = text.get(at..seen).unwrap_or("").split('.');
        if parts.next().is_some_and(|head| head.len() > 10)
            && parts.next().is_some_and(|claims| claims.len() > 10)
        {
            found.push(at..seen);
        }
    }
}

/// What stands between `-----BEGIN PRIVATE KEY-----` and the end of the block.
fn private_keys(text: &str, found: &mut Vec<Range<usize>>) {
    const HEAD: &str = "PRIVATE KEY-----";
    let mut seen = 0;
    for (at, _) in text.match_indices(HEAD).filter(|(at, _)| text[..*at].ends_with(' ')) {
        let start = at + HEAD.len();
        if at < seen {
            continue;
        }
        let end = text.get(start..).and_then(|rest| rest.find("-----END"));
        seen = end.map_or(text.len(), |end| start + end);
        found.push(start..seen);
    }
}

fn is_inside_word(text: &str, at: usize) -> bool {
    before(text, at).is_some_and(|byte| byte.is_ascii_alphanumeric())
}

fn longest_piece(text: &str, body: Range<usize>) -> usize {
    let pieces = text.get(body).unwrap_or("").split(['-', '_']);
    pieces.map(str::len).max().unwrap_or(0)
}
