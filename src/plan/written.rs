//! Where the lines of a text that stands in the project's files are written.

use crate::source_map::{Place, SourceMap, Span};

/// The place of every line of `text`, which `place` says where it is written. Empty where its lines
/// are not those of the file: folded, quoted, or broken by the value of a variable.
pub(super) fn lines(text: &str, place: &Place, sources: &SourceMap) -> Vec<Place> {
    let Some(span) = place.span else { return Vec::new() };
    let whole = sources.text(span.source);
    let from = whole.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let header = whole.get(from..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    // The value begins behind its `|`, or at it.
    let is_header = header.split_whitespace().next_back().is_some_and(|word| word.starts_with('|'));
    let mut start = if is_header { from + header.len() + 1 } else { from };
    let mut places = Vec::new();
    for line in text.lines() {
        let Some(written) = whole.get(start..).and_then(|rest| rest.split('\n').next()) else {
            return Vec::new();
        };
        let shown = written.trim();
        if shown != line.trim() && !shown.contains('$') {
            return Vec::new();
        }
        let indent = written.len() - written.trim_start().len();
        let begin = start + indent;
        let variables = place.variables.iter().filter(|it| shown.contains(&it.name)).cloned();
        places.push(Place {
            span: Some(Span { source: span.source, start: begin, end: begin + shown.len() }),
            variables: variables.collect(),
        });
        start += written.len() + 1;
    }
    places
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The lines of `text`, written behind `content: ` in `file`, as the file has them.
    fn check(file: &str, text: &str, expected: &[&str]) {
        let mut sources = SourceMap::default();
        let source = sources.add(Path::new("compose.yaml"), file.to_owned());
        for start in [file.find('|').unwrap_or(0), file.find('[').unwrap_or(0)] {
            let place = Place::at(Span { source, start, end: file.len() });
            let found = lines(text, &place, &sources);
            let found: Vec<_> = found.iter().map(|it| sources.excerpt(it.span.unwrap())).collect();
            assert_eq!(found, expected, "{file}");
        }
    }

    #[test]
    fn the_lines_of_a_block_are_those_of_the_file() {
        let file = "c:\n  content: |\n    [a]\n\n    m = ${M}\n  other: x\n";
        check(file, "[a]\n\nm = /m\n", &["[a]", "", "m = ${M}"]);
    }

    #[test]
    fn a_text_that_the_file_has_in_other_lines_has_no_places() {
        check("c:\n  content: '[a] b\n\n    c'\n", "[a] b\nc", &[]);
        check("c:\n  content: |\n    [a]\n    ${M}\n    b\n", "[a]\n1\n2\nb\n", &[]);
    }
}
