//! Which releases of transformers the images of an engine have, and what those know by name.

pub mod fields;

use crate::plan::engine::release_table::{ReleaseTable, Standing, numbers};

const MODEL_TYPES: ReleaseTable = ReleaseTable::new(include_str!("transformers/model-types.txt"));

const TOKENIZER_CLASSES: ReleaseTable =
    ReleaseTable::new(include_str!("transformers/tokenizer-classes.txt"));

const TOKENIZER_TYPES: ReleaseTable =
    ReleaseTable::new(include_str!("transformers/tokenizer-types.txt"));

/// The first release that takes a tokenizer of a class that it does not know for one of a general class
/// (5.0.0 models/auto/tokenization_auto.py).
const FALLS_BACK_SINCE: [u32; 2] = [5, 0];

/// The first release that compares the fields of a configuration with their types (5.4.0
/// configuration_utils.py, `strict`; 5.3.0 does not).
const COMPARES_FIELDS_SINCE: [u32; 2] = [5, 4];

/// The first release of those that were read for what only the fourth refuses.
const FOURTH_READ_SINCE: [u32; 2] = [4, 48];

/// The first release that was read in which the name of a folder does not stand for a model type (5.5.4
/// models/auto/configuration_auto.py; 5.0.0 has it).
const NO_TYPE_BY_PATH_SINCE: [u32; 2] = [5, 5];

/// The releases of transformers that an engine goes with: one line for each release of the engine, with
/// the oldest and the newest of transformers that its image may have.
#[derive(Debug, Clone, Copy)]
pub struct Library {
    text: &'static str,
}

/// From one release of transformers to another, both of them included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    oldest: Vec<u32>,
    newest: Vec<u32>,
}

impl Library {
    /// The table that is written so.
    pub(super) const fn new(text: &'static str) -> Self {
        Self { text }
    }

    /// What an image of that release may have; absent: the table does not speak of it.
    pub(super) fn span(self, version: &[u32]) -> Option<Span> {
        let rows: Vec<(Vec<u32>, Span)> = self.rows().collect();
        let releases: Vec<Vec<u32>> = rows.iter().map(|(release, _)| release.clone()).collect();
        let (below, above) = super::release_table::between(&releases, version)?;
        let (below, above) = (&rows.get(below)?.1, &rows.get(above)?.1);
        let newest = below.newest.clone().max(above.newest.clone());
        Some(Span { oldest: below.oldest.clone().min(above.oldest.clone()), newest })
    }

    /// The first release whose image has a transformers that takes a tokenizer of a class that it does
    /// not know for another, whichever of them it has.
    #[must_use]
    pub fn first_that_falls_back(self) -> Option<&'static str> {
        let mut rows = self.rows().zip(self.names());
        rows.find(|((_, span), _)| span.falls_back()).map(|(_, name)| name)
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        let lines = self.text.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split(' ').next())
    }

    fn rows(self) -> impl Iterator<Item = (Vec<u32>, Span)> {
        let lines = self.text.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| {
            let mut words = line.split(' ').map(numbers);
            Some((words.next()?, Span { oldest: words.next()?, newest: words.next()? }))
        })
    }
}

impl Span {
    /// Whether none of them takes a class that it does not know for another.
    #[must_use]
    pub fn never_falls_back(&self) -> bool {
        self.newest.as_slice() < FALLS_BACK_SINCE.as_slice()
    }

    /// Whether each of them does.
    #[must_use]
    pub fn falls_back(&self) -> bool {
        FALLS_BACK_SINCE.as_slice() <= self.oldest.as_slice()
    }

    /// Whether each of them compares the fields of a configuration with their types.
    #[must_use]
    pub fn compares_fields(&self) -> bool {
        COMPARES_FIELDS_SINCE.as_slice() <= self.oldest.as_slice()
    }

    /// Whether each of them is of the fourth, and none is older than what was read.
    #[must_use]
    pub fn is_fourth(&self) -> bool {
        self.never_falls_back() && FOURTH_READ_SINCE.as_slice() <= self.oldest.as_slice()
    }

    /// Whether the name of a folder stands for no model type in any of them.
    #[must_use]
    pub fn is_blind_to_path(&self) -> bool {
        NO_TYPE_BY_PATH_SINCE.as_slice() <= self.oldest.as_slice()
    }
}

/// Whether the releases of a span (absent: all that were read) know a model type: all of them, none of
/// them, or some.
#[must_use]
pub fn model_type(kind: &str, span: Option<&Span>) -> Standing {
    standing(MODEL_TYPES, &[kind.to_owned()], span)
}

/// Whether a model type of any release is part of a text.
#[must_use]
pub fn has_model_type(text: &str) -> bool {
    MODEL_TYPES.entries().any(|entry| text.contains(entry.name))
}

/// Whether they know a class of tokenizers, by its own name or that of its fast form.
#[must_use]
pub fn tokenizer_class(name: &str, span: Option<&Span>) -> Standing {
    let slow = name.strip_suffix("Fast").unwrap_or(name);
    standing(TOKENIZER_CLASSES, &[name.to_owned(), slow.to_owned(), format!("{slow}Fast")], span)
}

/// Whether they have a tokenizer for a model type that stands in for one that comes with a model. A span
/// that is not known counts as the newest release that was read.
#[must_use]
pub fn tokenizer_of_type(kind: &str, span: Option<&Span>) -> Standing {
    let newest = numbers(TOKENIZER_TYPES.newest());
    let newest = Span { oldest: newest.clone(), newest };
    standing(TOKENIZER_TYPES, &[kind.to_owned()], Some(span.unwrap_or(&newest)))
}

/// The releases of a table from the last that is not newer than the span to the first that is not older:
/// what stands between two that were read is like one of them.
fn standing(table: ReleaseTable, names: &[String], span: Option<&Span>) -> Standing {
    let releases: Vec<Vec<u32>> = table.releases().map(numbers).collect();
    let last = releases.len().saturating_sub(1);
    let (from, to, is_open) = match span {
        None => (0, last, false),
        Some(span) => {
            let from = releases.partition_point(|it| *it <= span.oldest).saturating_sub(1);
            let to = releases.iter().position(|it| span.newest <= *it);
            (from, to.unwrap_or(last), to.is_none())
        }
    };
    let has = |release: usize| {
        names.iter().filter_map(|name| table.entry(name)).any(|entry| entry.is_in(release))
    };
    let count = (from..=to).filter(|release| has(*release)).count();
    match (count, is_open) {
        (0, false) => Standing::Missing,
        (count, _) if count == to + 1 - from => Standing::Here,
        // Of all that were read it is enough that one knows it.
        (_, false) if span.is_none() => Standing::Here,
        (_, _) => Standing::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::engine::{Engine, Reader};

    fn span(engine: Engine, version: &str) -> Option<Span> {
        engine.models().documents.span(Some(&numbers(version)))
    }

    #[test]
    fn a_name_is_known_where_every_release_that_may_be_there_knows_it() {
        use Standing::{Here, Missing, Unknown};
        for (version, name, expected) in [
            ("0.12.0", "TokenizersBackend", Missing),
            ("0.18.1", "TokenizersBackend", Missing),
            ("0.20.2", "TokenizersBackend", Unknown),
            ("0.24.0", "TokenizersBackend", Here),
            ("0.33.0", "TokenizersBackend", Here),
            ("0.12.0", "FooTokenizer", Missing),
            ("0.12.0", "Qwen2Tokenizer", Here),
            ("0.12.0", "Qwen2TokenizerFast", Here),
            ("0.12.0", "PreTrainedTokenizerFast", Here),
        ] {
            let span = span(Engine::Vllm, version).unwrap();
            assert_eq!(tokenizer_class(name, Some(&span)), expected, "{name} in {version}");
        }
        assert_eq!(tokenizer_class("TokenizersBackend", None), Here);
        assert_eq!(tokenizer_class("FooTokenizer", None), Missing);
        assert_eq!(span(Engine::Vllm, "99.0"), None);
        assert_eq!(span(Engine::Vllm, "0.1.0"), None);
    }

    #[test]
    fn a_tokenizer_of_a_class_that_is_not_known_is_taken_for_another_since_5() {
        for (version, never, always) in [
            ("0.12.0", true, false),
            ("0.18.1", true, false),
            ("0.20.2", false, false),
            ("0.24.0", false, true),
        ] {
            let span = span(Engine::Vllm, version).unwrap();
            assert_eq!((span.never_falls_back(), span.falls_back()), (never, always), "{version}");
        }
        assert!(span(Engine::Sglang, "0.5.7").unwrap().never_falls_back());
        assert!(span(Engine::Sglang, "0.5.10").unwrap().falls_back());
    }

    #[test]
    fn a_model_type_is_that_of_the_library_or_of_the_engine() {
        use Standing::{Here, Missing, Unknown};
        let rules = &Engine::Vllm.models().documents;
        for (kind, version, expected) in [
            ("llama", "0.12.0", Here),
            ("zzz", "0.12.0", Missing),
            ("zzz", "0.33.0", Missing),
            ("zzz", "99.0.0", Unknown),
            ("chatglm", "0.12.0", Here),
            ("qwen3_5", "0.12.0", Missing),
            ("qwen3_5", "0.33.0", Here),
        ] {
            assert_eq!(
                rules.knows_type(kind, Some(&numbers(version))),
                expected,
                "{kind} {version}"
            );
        }
        assert_eq!(rules.knows_type("zzz", None), Missing);
        assert_eq!(rules.knows_type("qwen3_5", None), Here);
    }

    #[test]
    fn every_table_is_well_formed() {
        for table in [MODEL_TYPES, TOKENIZER_CLASSES, TOKENIZER_TYPES] {
            let count = table.releases().count();
            assert!(table.entries().count() > 100 && count > 10);
            assert!(table.entries().all(|entry| entry.marks.len() == count));
        }
        for engine in [Engine::Vllm, Engine::Sglang, Engine::Tgi] {
            let Reader::Transformers(Some(library)) = engine.models().documents.reader else {
                unreachable!("{} reads with transformers", engine.name())
            };
            let rows: Vec<_> = library.rows().collect();
            assert!(rows.len() > 10 && rows.is_sorted_by_key(|(release, _)| release.clone()));
            assert!(
                rows.iter().all(|(_, span)| span.oldest <= span.newest && !span.oldest.is_empty())
            );
        }
    }
}
