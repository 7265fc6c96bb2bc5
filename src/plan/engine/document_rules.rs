//! What an engine makes of the small documents beside the weights of a model.

use crate::plan::engine::release_table::{ReleaseTable, Standing};
use crate::plan::engine::transformers::{self, Library, Span};

/// How an engine reads them.
#[derive(Debug)]
pub struct DocumentRules {
    /// What reads them.
    pub reader: Reader,
    /// The model types that its releases know beside those of transformers; absent: that was not looked
    /// at.
    pub own_types: Option<ReleaseTable>,
    /// Architectures by which releases tell the type of a model that does not say it.
    pub typed_by_architecture: &'static [&'static str],
    /// Since which release it does without the file that says how one vector is made of many; absent:
    /// it needs that file, or another rule says so.
    pub pools_without_file_since: Option<[u32; 3]>,
    /// Since which release it reads `generation_config.json` without being told to; absent: it does not,
    /// or it is not known.
    pub reads_generation_since: Option<[u32; 3]>,
    /// The last release that reads `preprocessor_config.json` of models that take no images as well;
    /// absent: none does, or it is not known.
    pub reads_processor_of_all_until: Option<[u32; 2]>,
    /// Architectures that it serves with the processor of images that transformers finds in the folder.
    pub processor_of: &'static [&'static str],
    /// Whether it reads what sentence-transformers says of every model.
    pub reads_sentence: bool,
}

/// What reads the documents of a model.
#[derive(Debug, Clone, Copy)]
pub enum Reader {
    /// transformers, of these releases where they are known.
    Transformers(Option<Library>),
    /// A program that is not written in Python, and knows no `NaN` and no `Infinity`.
    Strict,
    /// Nothing, or it is not known.
    Other,
}

impl DocumentRules {
    /// Those of an engine that reads none, or of which it is not known.
    pub(super) const NONE: Self = Self {
        reader: Reader::Other,
        own_types: None,
        typed_by_architecture: &[],
        pools_without_file_since: None,
        reads_generation_since: None,
        reads_processor_of_all_until: None,
        processor_of: &[],
        reads_sentence: false,
    };

    /// Those of an engine that reads them with a transformers of which the release is not known.
    pub(super) const TRANSFORMERS: Self = Self { reader: Reader::Transformers(None), ..Self::NONE };

    /// Whether it reads them with transformers.
    #[must_use]
    pub fn by_transformers(&self) -> bool {
        matches!(self.reader, Reader::Transformers(_))
    }

    /// The releases of transformers that an image of that release of the engine may have; absent: not
    /// known.
    #[must_use]
    pub fn span(&self, version: Option<&[u32]>) -> Option<Span> {
        match self.reader {
            Reader::Transformers(Some(library)) => library.span(version?),
            Reader::Transformers(None) | Reader::Strict | Reader::Other => None,
        }
    }

    /// Whether what a model of that type says of itself is read by transformers, as far as that is known:
    /// some engines have configurations of their own.
    #[must_use]
    pub fn leaves_type(&self, kind: &str, version: Option<&[u32]>) -> bool {
        self.own_types.is_some_and(|table| match (table.entry(kind), version) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(entry), Some(version)) => {
                table.standing(version, |release| entry.is_in(release)) == Standing::Missing
            }
        })
    }

    /// Whether a release of the engine knows that model type without the code of a model. One that is
    /// not known counts as all that were read.
    #[must_use]
    pub fn knows_type(&self, kind: &str, version: Option<&[u32]>) -> Standing {
        let of_library = transformers::model_type(kind, self.span(version).as_ref());
        let of_engine = self.own_types.map(|table| {
            let has = |release| table.entry(kind).is_some_and(|entry| entry.is_in(release));
            match version {
                Some(version) => table.standing(version, has),
                None if table.entry(kind).is_some() => Standing::Here,
                None => Standing::Missing,
            }
        });
        match (of_library, of_engine) {
            (Standing::Here, _) | (_, Some(Standing::Here)) => Standing::Here,
            (Standing::Missing, Some(Standing::Missing)) => Standing::Missing,
            // Somebody else may know it.
            (Standing::Missing, None) if version.is_none() => Standing::Missing,
            (Standing::Missing | Standing::Unknown, _) => Standing::Unknown,
        }
    }
}
