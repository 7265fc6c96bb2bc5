//! Secrets that are known by their shape: pure scanners, each linear in the text.

use std::ops::Range;

/// Flags whose next word is a secret (vLLM, llama-server, TEI, SGLang).
const FLAGS: [&str; 6] = [
    "--api-key",
    "--hf-token",
    "--hf-api-token",
    "--admin-api-key",
    "--ssl-keyfile-password",
    "-hft",
];

/// How the names of variables end whose values are secrets.
const VARIABLE_ENDINGS: [&str; 8] =
    ["TOKEN", "API_KEY", "PASSWORD", "PASSWD", "SECRET", "SECRET_KEY", "ACCESS_KEY", "PRIVATE_KEY"];

/// Query parameters that carry the right to read what a URL names, lower case.
const PARAMETERS: [&str; 6] =
    ["access_token=", "token=", "signature=", "x-amz-signature=", "x-amz-security-token=", "sig="];

/// Options of a mount whose values are secrets (mount.cifs(8), Linux fs/smb/client/fs_context.c), lower
/// case.
const MOUNT_OPTIONS: [&str; 4] = ["password=", "pass=", "password2=", "passwd="];

/// Options of a mount that may have a password behind the name of the user: `user=NAME%PASSWORD`.
const MOUNT_USERS: [&str; 2] = ["username=", "user="];

/// A user name without a password is a token when it is this long (`https://TOKEN@host`).
const LONG_USER: usize = 16;

/// What follows `bearer` outside of a header is a secret when it is this long.
const LONG_BEARER: usize = 16;

/// Adds the place of everything in `text` that looks like a secret.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    hub_tokens(text, found);
    flags(text, found);
    variables(text, found);
    passwords(text, found);
    // ASCII only, so that every offset stays where it is.
    let lower = text.to_ascii_lowercase();
    mount_options(text, &lower, found);
    authorizations(text, &lower, found);
    bearers(text, &lower, found);
    parameters(text, &lower, found);
}

/// `hf_` and 20 or more letters or digits.
fn hub_tokens(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, prefix) in text.match_indices("hf_") {
        let start = at + prefix.len();
        let length = run(text, start, |byte| byte.is_ascii_alphanumeric());
        if length >= 20 {
            found.push(start..start + length);
        }
    }
}

/// `--api-key VALUE`, `--api-key=VALUE`, `"--api-key", "VALUE"`, and the same over two list items.
fn flags(text: &str, found: &mut Vec<Range<usize>>) {
    for flag in FLAGS {
        for (at, flag) in text.match_indices(flag) {
            let end = at + flag.len();
            if before(text, at).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                continue;
            }
            let mut start = end + run(text, end, is_between_words);
            if start == end {
                continue;
            }
            if text.get(start..).is_some_and(|rest| rest.starts_with("- ")) {
                start += 1;
                start += run(text, start, is_between_words);
            }
            let value = word(text, start);
            if !text.get(value.clone()).is_some_and(|value| value.starts_with('-')) {
                push(text, value, found);
            }
        }
    }
}

/// `HF_TOKEN=VALUE`, `VLLM_API_KEY: VALUE`, `${HF_TOKEN:-VALUE}`. At the beginning of a line the value is all the rest
/// of it, as in an env file.
fn variables(text: &str, found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while at < text.len() {
        let length = run(text, at, is_variable_byte);
        if length == 0 {
            at += 1;
            continue;
        }
        let end = at + length;
        let is_secret = text
            .get(at..end)
            .is_some_and(|name| VARIABLE_ENDINGS.iter().any(|ending| name.ends_with(ending)))
            && !before(text, at).is_some_and(|byte| byte.is_ascii_alphanumeric());
        let is_expansion = text.get(..at).is_some_and(|before| before.ends_with("${"));
        if is_secret && is_expansion {
            default(text, end, found);
        } else if is_secret {
            assigned(text, at, end, found);
        }
        at = end;
    }
}

/// The default of `${NAME:-VALUE}`.
fn default(text: &str, name_end: usize, found: &mut Vec<Range<usize>>) {
    let sign = name_end + run(text, name_end, |byte| byte == b':');
    if text.as_bytes().get(sign) == Some(&b'-') {
        let length = run(text, sign + 1, |byte| !matches!(byte, b'}' | b'\n'));
        push(text, sign + 1..sign + 1 + length, found);
    }
}

fn assigned(text: &str, name: usize, name_end: usize, found: &mut Vec<Range<usize>>) {
    let sign = name_end + run(text, name_end, |byte| matches!(byte, b'"' | b'\'' | b'\\' | b' '));
    if !matches!(text.as_bytes().get(sign), Some(b'=' | b':')) {
        return;
    }
    let start = sign + 1;
    let start =
        start + run(text, start, |byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'\\'));
    let is_quoted = matches!(before(text, start), Some(b'"' | b'\''));
    let line = text.get(..name).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let lead = text.get(line..name).unwrap_or("").trim();
    let value = if !is_quoted && matches!(lead, "" | "-" | "export") {
        let end = start + run(text, start, |byte| byte != b'\n');
        start..end
    } else {
        word(text, start)
    };
    push(text, value, found);
}

/// `user:PASSWORD@` of a URL.
fn passwords(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, sign) in text.match_indices("://") {
        let start = at + sign.len();
        let length = run(text, start, |byte| {
            !byte.is_ascii_whitespace()
                && !matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\')
        });
        let Some(authority) = text.get(start..start + length) else { continue };
        let Some(user_end) = authority.rfind('@') else { continue };
        match authority.get(..user_end).and_then(|user| user.find(':')) {
            Some(colon) => push(text, start + colon + 1..start + user_end, found),
            None if user_end >= LONG_USER => push(text, start..start + user_end, found),
            None => {}
        }
    }
}

/// `Authorization: Bearer VALUE`, with any scheme or none.
fn authorizations(text: &str, lower: &str, found: &mut Vec<Range<usize>>) {
    for (at, header) in lower.match_indices("authorization") {
        let end = at + header.len();
        let sign = end + run(lower, end, is_between_words_but_not_equals);
        if !matches!(lower.as_bytes().get(sign), Some(b':' | b'=')) {
            continue;
        }
        let mut start = sign + 1 + run(lower, sign + 1, is_between_words);
        for scheme in ["bearer ", "basic ", "token "] {
            if lower.get(start..).is_some_and(|rest| rest.starts_with(scheme)) {
                start += scheme.len();
                break;
            }
        }
        push(text, word(text, start), found);
    }
}

/// `bearer VALUE` where the value is too long for a word of a sentence.
fn bearers(text: &str, lower: &str, found: &mut Vec<Range<usize>>) {
    for (at, scheme) in lower.match_indices("bearer ") {
        let value = word(text, at + scheme.len());
        if value.len() >= LONG_BEARER {
            push(text, value, found);
        }
    }
}

/// `o: username=NAME,password=VALUE,vers=3.0`, and `username=NAME%VALUE`.
fn mount_options(text: &str, lower: &str, found: &mut Vec<Range<usize>>) {
    for option in MOUNT_OPTIONS {
        for value in mount_values(text, lower, option) {
            push(text, value, found);
        }
    }
    for option in MOUNT_USERS {
        for value in mount_values(text, lower, option) {
            let sign = text.get(value.clone()).and_then(|value| value.find('%'));
            if let Some(sign) = sign {
                push(text, value.start + sign + 1..value.end, found);
            }
        }
    }
}

/// The values of an option among others, each up to a comma, white space, or the quote that the
/// options are in.
fn mount_values(text: &str, lower: &str, option: &'static str) -> Vec<Range<usize>> {
    let is_quote = |byte: u8| matches!(byte, b'"' | b'\'' | b'`');
    let ends = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'\\');
    let begins = |at: usize| {
        before(lower, at).is_none_or(|byte| ends(byte) || is_quote(byte) || byte == b'=')
    };
    let found = lower.match_indices(option).filter(|(at, _)| begins(*at));
    found
        .map(|(at, option)| {
            let start = at + option.len();
            let line = text.get(..at).and_then(|before| before.rsplit('\n').next()).unwrap_or("");
            let quote = line.bytes().rev().find(|byte| is_quote(*byte));
            let is_end = |byte: u8| match quote {
                Some(quote) => byte == quote,
                None => is_quote(byte),
            };
            start..start + run(text, start, |byte| !ends(byte) && !is_end(byte))
        })
        .collect()
}

/// `?X-Amz-Signature=VALUE` and its like.
fn parameters(text: &str, lower: &str, found: &mut Vec<Range<usize>>) {
    for parameter in PARAMETERS {
        for (at, parameter) in lower.match_indices(parameter) {
            if !matches!(before(lower, at), Some(b'?' | b'&')) {
                continue;
            }
            let start = at + parameter.len();
            let length = run(lower, start, |byte| {
                !byte.is_ascii_whitespace()
                    && !matches!(byte, b'&' | b'#' | b'"' | b'\'' | b'`' | b')' | b'>' | b'\\')
            });
            push(text, start..start + length, found);
        }
    }
}

/// Keeps a value, unless it only names a variable: that is no secret, and the thing to look at.
fn push(text: &str, value: Range<usize>, found: &mut Vec<Range<usize>>) {
    if !text.get(value.clone()).is_some_and(is_reference) {
        found.push(value);
    }
}

/// `$NAME`, `${NAME}`, and the forms of it that bring no value of their own: `${NAME:-}`,
/// `${NAME:?message}`.
fn is_reference(value: &str) -> bool {
    let Some(name) = value.trim_end().strip_prefix('$') else { return false };
    let name = name.trim_start_matches('$');
    let (name, braced) = match name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
        Some(name) => (name, true),
        None => (name, false),
    };
    let length = run(name, 0, is_name_byte);
    let rest = name.get(length..).unwrap_or("");
    let brings_nothing =
        matches!(rest, ":-" | "-") || rest.trim_start_matches(':').starts_with('?');
    length > 0 && (rest.is_empty() || braced && brings_nothing && !rest.contains('}'))
}

/// The word that begins at `start`: up to its closing quote, or up to white space.
fn word(text: &str, start: usize) -> Range<usize> {
    let quote = before(text, start).filter(|byte| matches!(byte, b'"' | b'\''));
    let length = run(text, start, |byte| match quote {
        Some(quote) => byte != quote && byte != b'\n' && byte != b'\\',
        None => !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b'\\'),
    });
    let end = start + length;
    let word = text.get(start..end).unwrap_or("");
    if quote.is_some() {
        return start..end;
    }
    let word = word.trim_end_matches([',', ']', '`']);
    let word = if word.contains('{') { word } else { word.trim_end_matches('}') };
    start..start + word.len()
}

/// How many bytes from `start` on satisfy `belongs`.
fn run(text: &str, start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    text.bytes().skip(start).take_while(|byte| belongs(*byte)).count()
}

fn before(text: &str, at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|at| text.as_bytes().get(at)).copied()
}

fn is_between_words(byte: u8) -> bool {
    byte == b'=' || is_between_words_but_not_equals(byte)
}

fn is_between_words_but_not_equals(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b',' | b'\\')
}

fn is_variable_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
