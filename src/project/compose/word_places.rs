//! Where each word of a command stands that is written as one text: in the file, whatever its quotes,
//! its line breaks and its variables are.

use std::ops::Range;

use super::command::words_at;
use crate::project::{Project, Service};
use crate::source_map::{Place, SourceMap, Span, Spanned, Variable};

/// What stands for a variable in a text that was read without its value; YAML has no such character.
const VARIABLE: char = '\0';

/// Points every word of a command or an entrypoint at its own place, as far as it is known.
pub(super) fn find(project: &mut Project, sources: &SourceMap) {
    project.services.iter_mut().for_each(|service| find_in(service, sources));
}

fn find_in(service: &mut Service, sources: &SourceMap) {
    for line in &service.lines {
        let words =
            if line.key == "command" { &mut service.command } else { &mut service.entrypoint };
        if let (Some(words), Some(span)) = (words, line.text.place.span) {
            place(words, span, sources.excerpt(span));
        }
    }
}

/// Narrows the places of `words`, which are written as `written` at `span`. Where a variable has become
/// several words or none, nobody can say which is which, and all of them stay at the whole.
fn place(words: &mut [Spanned<String>], span: Span, written: &str) {
    let (characters, end) = characters(written);
    let found = words_at(&without_variables(&characters), end).unwrap_or_default();
    let is_same = |(word, (text, _)): (&Spanned<String>, &(String, Range<usize>))| {
        text.contains(VARIABLE) || text.split_whitespace().eq(word.value.split_whitespace())
    };
    if found.len() != words.len() || !words.iter().zip(&found).all(is_same) {
        return;
    }
    for (word, (_, range)) in words.iter_mut().zip(&found) {
        let part = Span { start: span.start + range.start, end: span.start + range.end, ..span };
        word.place.span = Some(part);
        own_variables(&mut word.place, written.get(range.clone()).unwrap_or(""));
    }
}

/// Leaves a word the variables that are written in it.
fn own_variables(place: &mut Place, written: &str) {
    let is_own = |variable: &Variable| {
        let mut uses = written.match_indices(variable.name.as_str());
        uses.any(|(at, _)| written.get(..at).is_some_and(|it| it.ends_with(['$', '{'])))
    };
    place.variables.retain(is_own);
}

/// The characters of a scalar as it is written, with their offsets, and where they end.
fn characters(written: &str) -> (Vec<(usize, char)>, usize) {
    let inner = |quote: char| written.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(text) = inner('"') {
        return (unescaped(text), written.len() - 1);
    }
    if let Some(text) = inner('\'') {
        let mut characters: Vec<(usize, char)> = Vec::with_capacity(text.len());
        let mut is_doubled = false;
        for (at, c) in text.char_indices() {
            is_doubled = c == '\'' && !is_doubled;
            if !is_doubled {
                characters.push((at + 1 - usize::from(c == '\''), c));
            }
        }
        return (characters, written.len() - 1);
    }
    let header = match written.starts_with(['|', '>']) {
        true => written.find('\n').unwrap_or(written.len()),
        false => 0,
    };
    let text = written.get(header..).unwrap_or("");
    (text.char_indices().map(|(at, c)| (header + at, c)).collect(), written.trim_end().len())
}

/// The characters between double quotes.
fn unescaped(text: &str) -> Vec<(usize, char)> {
    let mut characters = Vec::with_capacity(text.len());
    let mut rest = text.char_indices().map(|(at, c)| (at + 1, c)).peekable();
    while let Some((at, c)) = rest.next() {
        if c != '\\' {
            characters.push((at, c));
            continue;
        }
        let Some((_, escape)) = rest.next() else { break };
        let digits = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '\n' => {
                while rest.next_if(|(_, c)| c.is_whitespace()).is_some() {}
                continue;
            }
            _ => 0,
        };
        let code: String = rest.by_ref().take(digits).map(|(_, digit)| digit).collect();
        let coded = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
        let meant = match escape {
            'n' => '\n',
            't' => '\t',
            other => coded.unwrap_or(other),
        };
        characters.push((at, meant));
    }
    characters
}

/// The same, with [`VARIABLE`] for every variable and one `$` for two.
fn without_variables(characters: &[(usize, char)]) -> Vec<(usize, char)> {
    let mut out = Vec::with_capacity(characters.len());
    let mut rest = characters;
    while let Some((&(at, c), behind)) = rest.split_first() {
        rest = behind;
        if c != '$' {
            out.push((at, c));
            continue;
        }
        let length = match behind.first().map(|(_, next)| *next) {
            Some('$') => 1,
            Some('{') => braced(behind),
            Some(first) if first == '_' || first.is_ascii_alphabetic() => {
                behind.iter().take_while(|(_, c)| *c == '_' || c.is_ascii_alphanumeric()).count()
            }
            Some(_) | None => 0,
        };
        let is_variable = length > 0 && behind.first().is_some_and(|(_, next)| *next != '$');
        out.push((at, if is_variable { VARIABLE } else { c }));
        rest = behind.get(length..).unwrap_or(&[]);
    }
    out
}

/// How many characters there are to the brace that closes the first.
fn braced(characters: &[(usize, char)]) -> usize {
    let mut open = 0_usize;
    for (index, (_, c)) in characters.iter().enumerate() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return index + 1;
        }
    }
    characters.len()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::options::ProjectOptions;
    use crate::project::compose;

    /// The words of the command of a service, each as it is and as it is marked.
    fn check(command: &str, expected: &[(&str, &str)]) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("compose.yaml");
        let text = format!("services:\n  a:\n    image: i\n    command: {command}\n");
        fs_err::write(&file, text).unwrap();
        let mut options = ProjectOptions {
            working_directory: folder.path().to_owned(),
            ..ProjectOptions::default()
        };
        options.environment.insert("TWO".to_owned(), "b c".to_owned());
        options.environment.insert("ONE".to_owned(), "x".to_owned());
        let mut sources = SourceMap::default();
        let project = compose::load(&options, &mut sources).unwrap();
        let words = project.services[0].command.as_deref().unwrap();
        let marked: Vec<_> = words
            .iter()
            .map(|word| (word.value.as_str(), sources.excerpt(word.place.span.unwrap())))
            .collect();
        assert_eq!(marked, expected, "{command}");
        assert!(sources.ids().all(|id| sources.name(id) != Path::new("")));
    }

    #[test]
    fn a_word_is_marked_whatever_the_text_around_it_is_written_in() {
        check(
            "serve m --port 80",
            &[("serve", "serve"), ("m", "m"), ("--port", "--port"), ("80", "80")],
        );
        check(
            "\"serve \\\"m n\\\" \\\n      --x\"",
            &[("serve", "serve"), ("m n", "\\\"m n\\\""), ("--x", "--x")],
        );
        check("'serve ''m n'' --x'", &[("serve", "serve"), ("m n", "''m n''"), ("--x", "--x")]);
        check(
            ">\n      serve m\n      --port 80",
            &[("serve", "serve"), ("m", "m"), ("--port", "--port"), ("80", "80")],
        );
        check(
            "|-\n      serve m\n      --port 80\n",
            &[("serve", "serve"), ("m", "m"), ("--port", "--port"), ("80", "80")],
        );
        check("[serve, \"m n\"]", &[("serve", "serve"), ("m n", "\"m n\"")]);
    }

    #[test]
    fn a_variable_is_one_word_as_long_as_it_becomes_one() {
        check(
            "a ${ONE:-y z}/m $$HOME b",
            &[("a", "a"), ("x/m", "${ONE:-y z}/m"), ("$HOME", "$$HOME"), ("b", "b")],
        );
        let whole = "a --x $TWO --y 1";
        check(whole, &["a", "--x", "b", "c", "--y", "1"].map(|word| (word, whole)));
        let whole = "a --x $NONE --y 1";
        check(whole, &["a", "--x", "--y", "1"].map(|word| (word, whole)));
    }
}
