//! Credentials in URLs.

use std::ops::Range;

use super::scan::{push, run};

/// A user name without a password is a token when it is this long (`https://TOKEN@host`).
const LONG_USER: usize = 16;

/// `user:PASSWORD@` of every URL. Linear: one URL is looked at once.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let mut seen = 0;
    for (at, sign) in text.match_indices("://") {
        if at < seen {
            continue;
        }
        let start = at + sign.len();
        let authority = start..start + run(text, start, is_of_authority);
        if let Some(value) = credential(text, authority.clone()) {
            push(text, value, found);
        } else if let Some((value, end)) = unescaped(text, &authority) {
            seen = end;
            found.extend(value);
        }
    }
}

fn credential(text: &str, authority: Range<usize>) -> Option<Range<usize>> {
    let start = authority.start;
    let authority = text.get(authority)?;
    let user_end = authority.rfind('@')?;
    match authority.get(..user_end)?.find(':') {
        Some(colon) => Some(start + colon + 1..start + user_end),
        None => (user_end >= LONG_USER).then_some(start..start + user_end),
    }
}

/// A password in which `/`, `?` or `#` was left as it is; and up to where was looked for it.
fn unescaped(text: &str, authority: &Range<usize>) -> Option<(Option<Range<usize>>, usize)> {
    let colon = authority.start + text.get(authority.clone())?.find(':')?;
    let port = text.get(colon + 1..authority.end)?;
    if port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) || port.contains(']') {
        return None;
    }
    let end = colon + run(text, colon, is_of_url);
    let sign = text.get(colon..end)?.rfind('@');
    Some((sign.map(|sign| colon + 1..colon + sign), end))
}

fn is_of_authority(byte: u8) -> bool {
    is_of_url(byte) && !matches!(byte, b'/' | b'?' | b'#')
}

fn is_of_url(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\')
}
