//! `$(VAR)` in the words and variables of a container (kubernetes 1.34
//! third_party/forked/golang/expansion/expand.go): `$$` is one `$`, and what nobody defines stays as it
//! is written.

/// `text` with its variables replaced.
pub(super) fn expand(text: &str, value: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(rest.get(..at).unwrap_or(""));
        let behind = rest.get(at + 1..).unwrap_or("");
        rest = match behind.chars().next() {
            Some('$') => {
                out.push('$');
                behind.get(1..).unwrap_or("")
            }
            Some('(') if behind.contains(')') => {
                let end = behind.find(')').unwrap_or(behind.len());
                let name = behind.get(1..end).unwrap_or("");
                match value(name) {
                    Some(value) => out.push_str(&value),
                    None => out.push_str(&format!("$({name})")),
                }
                behind.get(end + 1..).unwrap_or("")
            }
            Some(_) | None => {
                out.push('$');
                behind
            }
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_replaced_once_and_only_if_somebody_defines_it() {
        for (text, expected) in [
            ("--model=$(MODEL)", "--model=/models/a"),
            ("$(MODEL)$(MODEL)", "/models/a/models/a"),
            ("$(NONE)/x", "$(NONE)/x"),
            ("$$(MODEL)", "$(MODEL)"),
            ("$$$(MODEL)", "$/models/a"),
            ("$(MODEL", "$(MODEL"),
            ("a $ b", "a $ b"),
            ("$MODEL ${MODEL}", "$MODEL ${MODEL}"),
            ("$()", "$()"),
            ("cost: 5$", "cost: 5$"),
            ("$(SELF)", "$(SELF)"),
            ("ä$(MODEL)ß", "ä/models/aß"),
        ] {
            let mut value = |name: &str| match name {
                "MODEL" => Some("/models/a".to_owned()),
                "SELF" => Some("$(SELF)".to_owned()),
                _ => None,
            };
            assert_eq!(expand(text, &mut value), expected, "{text}");
        }
    }
}
