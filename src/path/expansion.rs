//! `~` and `$NAME` in a path, as Python replaces them (`os.path.expanduser` and `os.path.expandvars`
//! of posixpath.py).

/// What is known about a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    /// It has this value.
    Value(String),
    /// It is not set.
    Unset,
    /// Whether it is set cannot be told from here.
    Unknown,
}

/// `text` with the home in place of a leading `~`, and then with values in place of `$NAME` and
/// `${NAME}`. A variable that is not set stays as it is written. The home is the variable `HOME`.
///
/// # Errors
///
/// The part of the text whose value is not known.
pub(crate) fn expanded(text: &str, value: impl Fn(&str) -> Known) -> Result<String, String> {
    let text = with_home(text, &value)?;
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once('$') {
        expanded.push_str(before);
        let Some((name, length)) = name(behind) else {
            expanded.push('$');
            rest = behind;
            continue;
        };
        let (written, after) = behind.split_at(length);
        match value(name) {
            Known::Value(value) => expanded.push_str(&value),
            Known::Unset => {
                expanded.push('$');
                expanded.push_str(written);
            }
            Known::Unknown => return Err(format!("${written}")),
        }
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn with_home(text: &str, value: &impl Fn(&str) -> Known) -> Result<String, String> {
    let Some(behind) = text.strip_prefix('~') else { return Ok(text.to_owned()) };
    let (user, below) = behind.split_at(behind.find('/').unwrap_or(behind.len()));
    match value("HOME") {
        Known::Value(home) if user.is_empty() => {
            let path = format!("{}{below}", home.trim_end_matches('/'));
            Ok(if path.is_empty() { "/".to_owned() } else { path })
        }
        Known::Value(_) | Known::Unset | Known::Unknown => Err(format!("~{user}")),
    }
}

/// The name at the beginning of what stands behind a `$`, and how long it is with its braces.
fn name(text: &str) -> Option<(&str, usize)> {
    if let Some(braced) = text.strip_prefix('{') {
        let name = braced.split_once('}').map(|(name, _)| name)?;
        return Some((name, name.len() + 2));
    }
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let end = text.find(|letter| !is_part(letter)).unwrap_or(text.len());
    text.get(..end).filter(|name| !name.is_empty()).map(|name| (name, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str) -> Known {
        match name {
            "HOME" => Known::Value("/home/u/".to_owned()),
            "A" => Known::Value("/a".to_owned()),
            "EMPTY" => Known::Value(String::new()),
            "DOLLAR" => Known::Value("$A".to_owned()),
            "HIDDEN" => Known::Unknown,
            _ => Known::Unset,
        }
    }

    #[test]
    fn a_home_and_variables_are_replaced_as_python_replaces_them() {
        for (text, expected) in [
            ("", ""),
            ("/x", "/x"),
            ("~", "/home/u"),
            ("~/x", "/home/u/x"),
            ("/x/~", "/x/~"),
            ("$A/x", "/a/x"),
            ("${A}x", "/ax"),
            ("$AB", "$AB"),
            ("${AB", "${AB"),
            ("${}", "${}"),
            ("$", "$"),
            ("$/x$A", "$/x/a"),
            ("$EMPTY", ""),
            ("$DOLLAR", "$A"),
            ("$HOME/x", "/home/u//x"),
        ] {
            assert_eq!(expanded(text, value).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (text, expected) in
            [("$HIDDEN/x", "$HIDDEN"), ("${HIDDEN}", "${HIDDEN}"), ("~u/x", "~u")]
        {
            assert_eq!(expanded(text, value), Err(expected.to_owned()), "{text}");
        }
        assert_eq!(expanded("~/x", |_| Known::Unset), Err("~".to_owned()));
        assert_eq!(expanded("~", |_| Known::Value(String::new())), Ok("/".to_owned()));
    }
}
