//! Passwords that `curl` gets behind a name (curl(1)): `-u USER:PASSWORD`, which tells nothing of a
//! secret by itself.

use std::ops::Range;

use super::scan::{before, push, run, word};

const PROGRAM: &str = "curl";
const FLAGS: [&str; 4] = ["--proxy-user", "--user", "-u", "-U"];

/// How far behind `curl` its flags are looked for.
const REACH: usize = 4096;

/// The password of every `curl`. Linear: what stands behind one is looked at up to the next.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let mut programs = text.match_indices(PROGRAM).map(|(at, _)| at).peekable();
    while let Some(at) = programs.next() {
        let next = programs.peek().copied().unwrap_or(text.len());
        let end = text.floor_char_boundary(next.min(at + REACH));
        let mut from = at + PROGRAM.len();
        while let Some((flag, value)) = next_flag(text, from..end) {
            if let Some(password) = password(text, word(text, value, None)) {
                push(text, password, found);
            }
            from = flag;
        }
    }
}

/// The end of the next flag that takes a name and a password, and where they begin.
fn next_flag(text: &str, within: Range<usize>) -> Option<(usize, usize)> {
    let mut at = within.start;
    while let Some(dash) = text.get(at..within.end)?.find('-') {
        let start = at + dash;
        let rest = text.get(start..within.end)?;
        let flag = FLAGS.into_iter().find(|flag| rest.starts_with(flag));
        let is_word =
            before(text, start).is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'-');
        if let Some(flag) = flag.filter(|_| is_word) {
            let end = start + flag.len();
            return Some((end, end + run(text, end, is_between)));
        }
        at = start + 1;
    }
    None
}

/// What may stand between a flag and its value: on one line, in a list, in a list of YAML.
fn is_between(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b',' | b'=' | b'-')
}

/// What is behind the name; numbers are a user and a group.
fn password(text: &str, value: Range<usize>) -> Option<Range<usize>> {
    let (name, password) = text.get(value.clone())?.split_once(':')?;
    let is_number = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit());
    let is_named = !name.is_empty() && !password.is_empty();
    (is_named && !(is_number(name) && is_number(password)))
        .then_some(value.end - password.len()..value.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_curl_is_found_however_its_words_are_written() {
        for (text, expected) in [
            ("curl -u me:sekrit http://h", "sekrit"),
            ("curl -fsS --user me:sekrit", "sekrit"),
            ("curl --user=me:sekrit x", "sekrit"),
            ("curl -ume:sekrit x", "sekrit"),
            ("[\"CMD\", \"curl\", \"-u\", \"me:sekrit\", \"x\"]", "sekrit"),
            ("- curl\n  - --proxy-user\n  - me:sekrit\n", "sekrit"),
            ("curl -U 'me:se krit' x", "se krit"),
            ("curl -u $USER:$PASS x", ""),
            ("docker run --user 1000:1000 curl", ""),
            ("curl -u 1000:1000 x", ""),
            ("curl -u me x", ""),
            ("curl http://host:8080/-u", ""),
            ("run --user me:group", ""),
        ] {
            let mut found = Vec::new();
            find(text, &mut found);
            let found: Vec<&str> = found.into_iter().map(|it| &text[it]).collect();
            assert_eq!(found.join("|"), expected, "{text}");
        }
    }
}
