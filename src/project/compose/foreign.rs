//! YAML of other programs, read as Compose files are: every value with its place.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::Value;

use super::attribute::plain;
use super::parse;
use super::resolve;
use crate::limits::MOST_VALUES;
use crate::project::Text;
use crate::source_map::{Place, SourceMap, Spanned};

/// The first document of a file that another program reads.
#[derive(Debug, Clone)]
pub struct Foreign {
    value: Value,
    places: IndexMap<String, Place>,
}

impl Foreign {
    /// Reads YAML, or JSON; absent: it is neither, or more than a Compose file may have.
    #[must_use]
    pub fn read(text: &Text) -> Option<Self> {
        let source =
            text.source.unwrap_or_else(|| SourceMap::default().add(Path::new(""), String::new()));
        let mut room = MOST_VALUES;
        let document = parse::parse(source, &text.text, &mut room).ok()?.into_iter().next()?;
        let at = |place: Place| place.span.map_or(place, |span| text.place(span.start..span.end));
        let places = resolve::places(&document.root).into_iter();
        let places = places.map(|(pointer, place)| (pointer, at(place))).collect();
        Some(Self { value: plain(&document.root), places })
    }

    /// The value at a JSON pointer.
    #[must_use]
    pub fn value(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer)
    }

    /// The text at a JSON pointer, if it is one that says something.
    #[must_use]
    pub fn text(&self, pointer: &str) -> Option<Spanned<String>> {
        let text = self.value(pointer)?.as_str().filter(|text| !text.trim().is_empty())?;
        let place = self.places.get(pointer).cloned().unwrap_or_default();
        Some(Spanned::new(text.to_owned(), place))
    }

    /// The pointers of the items of a list, or of the values of a mapping.
    #[must_use]
    pub fn below(&self, pointer: &str) -> Vec<String> {
        let escaped = |key: &String| key.replace('~', "~0").replace('/', "~1");
        match self.value(pointer) {
            Some(Value::Array(items)) => {
                (0..items.len()).map(|index| format!("{pointer}/{index}")).collect()
            }
            Some(Value::Object(entries)) => {
                entries.keys().map(|key| format!("{pointer}/{}", escaped(key))).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands at `pointer` of a file, and its line and column.
    fn check(file: &str, pointer: &str, expected: Option<(&str, &str)>) {
        let mut sources = SourceMap::default();
        let source = sources.add(Path::new("x.yaml"), file.to_owned());
        let text = Text { source: Some(source), ..Text::from(file.to_owned()) };
        let found = Foreign::read(&text).and_then(|read| read.text(pointer));
        let found =
            found.map(|it| (it.value, sources.location(it.place.span.unwrap()).to_string()));
        let expected = expected.map(|(text, at)| (text.to_owned(), at.to_owned()));
        assert_eq!(found, expected, "{file}");
    }

    #[test]
    fn a_value_is_found_with_its_place() {
        check("a:\n  - b: c\n", "/a/0/b", Some(("c", "x.yaml:2:8")));
        check("{\"a\": {\"b/c\": \"d\"}}", "/a/b~1c", Some(("d", "x.yaml:1:15")));
        check("x: &x {b: c}\na: *x\n", "/a/b", Some(("c", "x.yaml:1:11")));
        check("a: 1", "/a", None);
        check("a: ' '", "/a", None);
        check("a: [", "/a", None);
        check("", "/a", None);
    }

    #[test]
    fn what_is_below_a_value_can_be_gone_through() {
        let read = Foreign::read(&Text::from("a: [x, y]\nb: {c/d: 1}".to_owned())).unwrap();
        assert_eq!(read.below("/a"), ["/a/0", "/a/1"]);
        assert_eq!(read.below("/b"), ["/b/c~1d"]);
        assert!(read.below("/a/0").is_empty() && read.below("/none").is_empty());
    }

    #[test]
    fn a_text_of_the_project_has_the_places_of_its_lines() {
        let mut sources = SourceMap::default();
        let source = sources.add(Path::new("compose.yaml"), "content: |\n  a: b\n".to_owned());
        let line = Place::at(crate::source_map::Span { source, start: 13, end: 17 });
        let text = Text { lines: vec![line.clone()], ..Text::from("a: b\n".to_owned()) };
        assert_eq!(Foreign::read(&text).unwrap().text("/a").unwrap().place, line);
    }
}
