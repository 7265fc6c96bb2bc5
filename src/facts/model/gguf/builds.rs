//! Which builds of llama.cpp know the names that a GGUF file has.

use super::architectures::{self, Tokenizer};
use super::types::{self, TensorType};
use super::{Header, Metadata, Newer, Value};
use crate::plan::engine::release_table::Standing;

/// The first build that the table describes: the first that knows architectures by their names.
pub const FIRST_BUILD: u32 = 1041;

/// Made by `tests/setup/llama-names` from llama.cpp's sources, build by build, and with a server of
/// [`architectures::NEWEST_BUILD`].
static TABLE: &str = include_str!("builds.txt");

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `general.architecture`.
    Architecture,
    /// The type of a tensor, by its number.
    TensorType,
    /// `tokenizer.ggml.model`.
    Tokenizer,
    /// `tokenizer.ggml.pre`, where the tokenizer has need of it.
    PreTokenizer,
    /// `rope.scaling.type` of the architecture.
    Scaling,
}

/// A name in a file that a build has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// What it names.
    pub kind: Kind,
    /// As it is written; the number of a tensor type.
    pub name: String,
}

/// Builds that follow one another and know a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first that may know it.
    pub earliest: u32,
    /// The first that is certain to know it.
    pub first: u32,
    /// The last; absent: none has forgotten it.
    pub last: Option<u32>,
}

impl Kind {
    /// As the table names it.
    fn word(self) -> &'static str {
        match self {
            Self::Architecture => "architecture",
            Self::TensorType => "tensor-type",
            Self::Tokenizer => "tokenizer",
            Self::PreTokenizer => "pre-tokenizer",
            Self::Scaling => "scaling",
        }
    }

    /// Whether that build ends over a name of this kind that it does not know. Others go on with
    /// something else in its place.
    #[must_use]
    pub fn is_refused_by(self, build: u32) -> bool {
        spans("refused", self.word()).iter().any(|span| span.first <= build)
    }
}

impl Name {
    /// The builds that know it, the oldest first; empty: none that is in the table.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        spans(self.kind.word(), &self.name)
    }

    /// How that build stands to it. Only what lies between [`FIRST_BUILD`] and
    /// [`architectures::NEWEST_BUILD`] is in the table.
    #[must_use]
    pub fn standing(&self, build: u32) -> Standing {
        let spans = self.spans();
        let knows = |span: &Span| span.last.is_none_or(|last| build <= last);
        if spans.iter().any(|span| span.first <= build && knows(span)) {
            Standing::Here
        } else if spans.iter().any(|span| span.earliest <= build && build < span.first) {
            Standing::Unknown
        } else {
            Standing::Missing
        }
    }

    /// The metadata key that says it, in a file of that architecture; absent: none does.
    #[must_use]
    pub fn key(&self, architecture: &str) -> Option<String> {
        self.clone().newer()?.key(architecture)
    }

    /// What it is, in words.
    #[must_use]
    pub fn shown(&self) -> String {
        let name = &self.name;
        match self.kind {
            Kind::Architecture => format!("the architecture `{name}`"),
            Kind::Tokenizer => format!("the tokenizer `{name}`"),
            Kind::PreTokenizer => format!("the pre-tokenizer `{name}`"),
            Kind::Scaling => format!("the scaling of positions `{name}`"),
            Kind::TensorType => match name.parse().map(types::tensor_type) {
                Ok(TensorType::Known(packing)) => format!("the tensor type {}", packing.name),
                Ok(TensorType::Removed | TensorType::Newer) | Err(_) => {
                    format!("the tensor type {name}")
                }
            },
        }
    }

    fn newer(self) -> Option<Newer> {
        let Self { kind, name } = self;
        match kind {
            Kind::Architecture => Some(Newer::Architecture(name)),
            Kind::Tokenizer => Some(Newer::Tokenizer(name)),
            Kind::PreTokenizer => Some(Newer::PreTokenizer(name)),
            Kind::Scaling => Some(Newer::Scaling(name)),
            Kind::TensorType => None,
        }
    }
}

/// What the newest build of the table does not know.
pub(super) fn newer(metadata: &Metadata) -> Vec<Newer> {
    let is_newer = |name: &Name| !is_known(name.kind, &name.name);
    names(metadata).into_iter().filter(is_newer).filter_map(Name::newer).collect()
}

/// Whether the newest build of the table knows it.
pub(super) fn is_known(kind: Kind, name: &str) -> bool {
    spans(kind.word(), name).iter().any(|span| span.last.is_none())
}

fn spans(kind: &str, name: &str) -> Vec<Span> {
    let row = TABLE.lines().find_map(|line| {
        let mut words = line.split(' ');
        (words.next() == Some(kind) && words.next() == Some(name)).then(|| words.next()).flatten()
    });
    row.into_iter().flat_map(|row| row.split(',')).filter_map(span).collect()
}

/// `2761-`, `1340-2951`, `10588~11669`.
fn span(text: &str) -> Option<Span> {
    if let Some((earliest, first)) = text.split_once('~') {
        return Some(Span {
            earliest: earliest.parse().ok()?,
            first: first.parse().ok()?,
            last: None,
        });
    }
    let (first, last) = text.split_once('-')?;
    let first = first.parse().ok()?;
    Some(Span { earliest: first, first, last: last.parse().ok() })
}

/// What the metadata names.
pub(super) fn names(metadata: &Metadata) -> Vec<Name> {
    let text = |key: &str| match metadata.get(key) {
        Some(Value::Text(text)) if !text.is_empty() => Some(text.clone()),
        Some(_) | None => None,
    };
    let named = |kind, name: Option<String>| name.map(|name| Name { kind, name });
    let scaling = metadata
        .architecture
        .as_ref()
        .and_then(|architecture| text(&format!("{architecture}.rope.scaling.type")));
    let tokenizer = metadata.tokenizer.as_deref().and_then(architectures::tokenizer);
    // The tokenizer of `gemma4` stands for the pre-tokenizer too.
    let splits =
        tokenizer == Some(Tokenizer::Merging) && metadata.tokenizer.as_deref() != Some("gemma4");
    let pre = if splits { text("tokenizer.ggml.pre") } else { None };
    [
        named(Kind::Architecture, metadata.architecture.clone()),
        named(Kind::Scaling, scaling),
        named(Kind::Tokenizer, metadata.tokenizer.clone()),
        named(Kind::PreTokenizer, pre),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Header {
    /// Every name of the file that a build has to know.
    #[must_use]
    pub fn names(&self) -> Vec<Name> {
        let types =
            self.census.keys().map(|id| Name { kind: Kind::TensorType, name: id.to_string() });
        names(&self.metadata).into_iter().chain(types).collect()
    }

    /// A tensor type of the file that builds have had and the newest of the table has not.
    #[must_use]
    pub fn forgotten(&self) -> Option<Name> {
        let is_forgotten = |name: &Name| {
            name.kind == Kind::TensorType
                && !name.spans().is_empty()
                && !is_known(name.kind, &name.name)
        };
        self.names().into_iter().find(is_forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Here, Missing, Unknown};

    #[test]
    fn a_name_is_known_from_the_build_that_learned_it_to_the_one_that_forgot_it() {
        for (kind, name, build, expected) in [
            (Kind::Architecture, "llama", FIRST_BUILD, Here),
            (Kind::Architecture, "qwen3", 5000, Missing),
            (Kind::Architecture, "qwen3", 6000, Here),
            (Kind::Architecture, "persimmon", 2000, Here),
            (Kind::Architecture, "persimmon", 3000, Missing),
            (Kind::Architecture, "maple", 10_587, Missing),
            (Kind::Architecture, "maple", 11_000, Unknown),
            (Kind::Architecture, "maple", architectures::NEWEST_BUILD, Here),
            (Kind::Architecture, "zz9", 6000, Missing),
            (Kind::TensorType, "39", 6095, Missing),
            (Kind::TensorType, "39", 6096, Here),
            (Kind::PreTokenizer, "falcon3", 4350, Here),
            (Kind::PreTokenizer, "falcon3", 4360, Missing),
            (Kind::PreTokenizer, "falcon3", 4376, Here),
        ] {
            let asked = Name { kind, name: name.to_owned() };
            assert_eq!(asked.standing(build), expected, "{kind:?} {name} by b{build}");
        }
    }

    #[test]
    fn a_name_that_is_not_known_ends_a_build_only_since_it_looks() {
        assert!(Kind::Architecture.is_refused_by(FIRST_BUILD));
        assert!(!Kind::PreTokenizer.is_refused_by(2700) && Kind::PreTokenizer.is_refused_by(2761));
        assert!(!Kind::Tokenizer.is_refused_by(3000) && Kind::Tokenizer.is_refused_by(3051));
    }

    #[test]
    fn every_row_of_the_table_is_read() {
        let rows: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(rows.len() > 300, "{}", rows.len());
        for row in rows {
            let [kind, name, builds] = row.split(' ').collect::<Vec<_>>().try_into().unwrap();
            assert_eq!(spans(kind, name).len(), builds.split(',').count(), "{row}");
        }
        assert!(is_known(Kind::Scaling, "longrope") && !is_known(Kind::Scaling, "zz9"));
        assert!(is_known(Kind::PreTokenizer, "llama-bpe") && is_known(Kind::Tokenizer, "t5"));
    }
}
