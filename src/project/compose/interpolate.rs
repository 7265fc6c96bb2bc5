//! `$V`, `${V}`, `${V:-d}` and its five relatives, with the exact grammar of compose-go v2.9.1
//! `template/template.go`: a regular expression whose `.` does not match a line feed, then a count
//! of braces that takes the character after every `{` for granted.

use thiserror::Error;

use crate::source_map::{Variable, VariableSource};

/// How deep defaults may be nested.
const DEPTH_LIMIT: usize = 64;

/// The longest text that one value may expand to; no real value comes near it.
const LENGTH_LIMIT: usize = 1 << 20;

/// What a variable is set to, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) value: String,
    pub(super) set_by: VariableSource,
}

/// A text with its variables replaced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expansion {
    pub(super) text: String,
    /// In order of appearance; those of a default that was not needed are left out.
    pub(super) variables: Vec<Variable>,
}

/// Why a text cannot be expanded.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum TemplateError {
    #[error("invalid interpolation format `{0}`")]
    Invalid(String),
    #[error("required variable `{name}` is missing a value{}", because(.reason))]
    Required { name: String, reason: String },
    #[error("defaults are nested too deeply")]
    Deep,
    #[error("the value expands to more than {LENGTH_LIMIT} bytes")]
    Long,
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

impl TemplateError {
    /// What to do about it.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Invalid(_) => Some("write `$$` for a `$` that is meant literally".to_owned()),
            Self::Required { name, .. } => {
                Some(format!("set `{name}` in the environment or in `.env`"))
            }
            Self::Deep | Self::Long => None,
        }
    }
}

/// Looks a variable up.
pub(super) type Lookup<'a> = dyn Fn(&str) -> Option<Known> + 'a;

/// Replaces the variables in `template`.
pub(super) fn expand(template: &str, lookup: &Lookup<'_>) -> Result<Expansion, TemplateError> {
    let mut expansion = Expansion::default();
    substitute(template, lookup, &mut expansion, 0)?;
    Ok(expansion)
}

fn substitute(
    template: &str,
    lookup: &Lookup<'_>,
    out: &mut Expansion,
    depth: usize,
) -> Result<(), TemplateError> {
    if depth > DEPTH_LIMIT {
        return Err(TemplateError::Deep);
    }
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        push(out, before)?;
        let after = from.get(1..).unwrap_or("");
        if let Some(next) = after.strip_prefix('$') {
            push(out, "$")?;
            rest = next;
        } else if let Some(inside) = after.strip_prefix('{') {
            let (name, tail) = split_name(inside);
            if name.is_empty() {
                return Err(TemplateError::Invalid(template.to_owned()));
            }
            rest = match tail.strip_prefix('}') {
                Some(next) => {
                    plain(name, lookup, out)?;
                    next
                }
                None => {
                    let invalid = || TemplateError::Invalid(template.to_owned());
                    let (operator, argument) = Operator::split(tail).ok_or_else(invalid)?;
                    let (argument, next) = split_argument(from, argument).ok_or_else(invalid)?;
                    apply(name, operator, argument, lookup, out, depth)?;
                    next
                }
            };
        } else {
            let (name, next) = split_name(after);
            if name.is_empty() {
                push(out, "$")?;
            } else {
                plain(name, lookup, out)?;
            }
            rest = next;
        }
    }
    push(out, rest)
}

fn push(out: &mut Expansion, text: &str) -> Result<(), TemplateError> {
    if out.text.len() + text.len() > LENGTH_LIMIT {
        return Err(TemplateError::Long);
    }
    out.text.push_str(text);
    Ok(())
}

/// `[_a-z][_a-z0-9]*`, case-insensitive as Go understands it.
fn split_name(text: &str) -> (&str, &str) {
    // Go folds the long s and the Kelvin sign to `s` and `k`.
    let letter =
        |c: char| c == '_' || c.is_ascii_alphabetic() || matches!(c, '\u{17f}' | '\u{212a}');
    if !text.starts_with(letter) {
        return ("", text);
    }
    let end = text.find(|c: char| !letter(c) && !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Default { if_empty: bool },
    Alternative { if_empty: bool },
    Required { if_empty: bool },
}

impl Operator {
    fn split(text: &str) -> Option<(Self, &str)> {
        let (if_empty, text) = text.strip_prefix(':').map_or((false, text), |text| (true, text));
        let operator = match text.chars().next()? {
            '-' => Self::Default { if_empty },
            '+' => Self::Alternative { if_empty },
            '?' => Self::Required { if_empty },
            _ => return None,
        };
        Some((operator, text.get(1..)?))
    }
}

/// What lies between the operator and the closing brace, and what follows the brace. `from` begins
/// at the `$`, `argument` behind the operator.
fn split_argument<'a>(from: &'a str, argument: &'a str) -> Option<(&'a str, &'a str)> {
    let line_end = argument.find('\n').unwrap_or(argument.len());
    let last = argument.get(..line_end)?.rfind('}')?;
    let offset = from.len() - argument.len();
    let matched = from.get(..=offset + last)?;
    let close = first_closing_brace(matched).map_or(last, |close| close.saturating_sub(offset));
    Some((argument.get(..close)?, argument.get(close + 1..)?))
}

/// Where the first `{` is closed; the byte after every `{` is not looked at.
fn first_closing_brace(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut open, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'}' => {
                open = open.checked_sub(1)?;
                if open == 0 {
                    return Some(at);
                }
            }
            b'{' => {
                open += 1;
                at += 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn plain(name: &str, lookup: &Lookup<'_>, out: &mut Expansion) -> Result<(), TemplateError> {
    let known = lookup(name);
    let set_by = known.as_ref().map_or(VariableSource::Unset, |known| known.set_by.clone());
    out.variables.push(Variable { name: name.to_owned(), set_by });
    push(out, known.as_ref().map_or("", |known| &known.value))
}

/// The argument is expanded whether it is needed or not, so its errors always count (compose-go
/// before v2.10.1).
fn apply(
    name: &str,
    operator: Operator,
    argument: &str,
    lookup: &Lookup<'_>,
    out: &mut Expansion,
    depth: usize,
) -> Result<(), TemplateError> {
    let mut expanded = Expansion::default();
    substitute(argument, lookup, &mut expanded, depth + 1)?;
    let known = lookup(name);
    let usable =
        |if_empty: bool| known.clone().filter(|known| !if_empty || !known.value.is_empty());
    let mut note = |set_by| out.variables.push(Variable { name: name.to_owned(), set_by });
    match operator {
        Operator::Default { if_empty } => match usable(if_empty) {
            Some(known) => {
                note(known.set_by);
                push(out, &known.value)
            }
            None => {
                note(VariableSource::Default);
                out.variables.extend(expanded.variables);
                push(out, &expanded.text)
            }
        },
        Operator::Alternative { if_empty } => match usable(if_empty) {
            Some(known) => {
                note(known.set_by);
                out.variables.extend(expanded.variables);
                push(out, &expanded.text)
            }
            None => {
                note(VariableSource::Default);
                Ok(())
            }
        },
        Operator::Required { if_empty } => match usable(if_empty) {
            Some(known) => {
                note(known.set_by);
                push(out, &known.value)
            }
            None => Err(TemplateError::Required { name: name.to_owned(), reason: expanded.text }),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lookup(name: &str) -> Option<Known> {
        let value = match name {
            "A" => "a",
            "E" => "",
            "D" => "$A",
            _ => return None,
        };
        Some(Known { value: value.to_owned(), set_by: VariableSource::Environment })
    }

    fn check(template: &str, expected: &str) {
        assert_eq!(
            expand(template, &lookup).map(|expansion| expansion.text),
            Ok(expected.to_owned()),
            "{template}"
        );
    }

    fn invalid(template: &str) {
        let result = expand(template, &lookup);
        assert!(matches!(result, Err(TemplateError::Invalid(_))), "{template}: {result:?}");
    }

    #[test]
    fn every_form_expands_as_in_compose() {
        for (template, expected) in [
            ("$A-${A}", "a-a"),
            ("$U${U}", ""),
            ("$$A$$", "$A$"),
            ("${E:-d}${E-d}${U:-d}${U-d}", "ddd"),
            ("${A:+x}${E:+x}${E+y}${U+z}", "xy"),
            ("${A:?m}${E?m}", "a"),
            ("${U:-${A}b}c", "abc"),
            ("${U:-{\"k\":1}}", "{\"k\":1}"),
            ("${U:-{}}", "{}"),
            ("${U:-a}${U:-b}", "ab"),
            ("${U:-a}/x}", "a/x}"),
            ("$1 $( $", "$1 $( $"),
            ("$a1_", ""),
            ("$D", "$A"),
            ("${A}\n${U:-x}", "a\nx"),
            ("${U:--}", "-"),
            ("${U:-:-}", ":-"),
        ] {
            check(template, expected);
        }
    }

    #[test]
    fn what_compose_refuses_is_refused() {
        for template in ["${", "${}", "${1}", "${A.b}", "${A:x}", "${U:-a\nb}", "${A", "${U:-${}}"]
        {
            invalid(template);
        }
        assert_eq!(
            expand("${U:?set $A}", &lookup),
            Err(TemplateError::Required { name: "U".to_owned(), reason: "set a".to_owned() })
        );
        // A default is expanded although nobody needs it.
        assert!(expand("${A:-${U:?x}}", &lookup).is_err());
    }

    #[test]
    fn each_variable_says_who_set_it() {
        let names: Vec<_> = expand("${U:-$A}$E${A:-$U}$U", &lookup)
            .unwrap()
            .variables
            .into_iter()
            .map(|variable| (variable.name, variable.set_by))
            .collect();
        assert_eq!(
            names,
            [
                ("U".to_owned(), VariableSource::Default),
                ("A".to_owned(), VariableSource::Environment),
                ("E".to_owned(), VariableSource::Environment),
                ("A".to_owned(), VariableSource::Environment),
                ("U".to_owned(), VariableSource::Unset),
            ]
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let template = format!("{}{}", "${U:-".repeat(5000), "}".repeat(5000));
        assert_eq!(expand(&template, &lookup), Err(TemplateError::Deep));
    }

    proptest! {
        #[test]
        fn any_text_expands_or_is_refused(template in "[A-D${}:?+-]{0,40}|.*") {
            let _ = expand(&template, &lookup);
        }

        #[test]
        fn a_text_without_dollar_is_left_alone(template in "[^$]*") {
            prop_assert_eq!(expand(&template, &lookup).unwrap().text, template);
        }
    }
}
