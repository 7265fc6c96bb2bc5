//! How an engine makes a prompt of a conversation.

use crate::source_map::Spanned;

/// What a command says of the template that makes a prompt of a conversation, and who reads it.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    /// Who reads it; absent: not known.
    pub reader: Option<TemplateReader>,
    /// The text that the command gives itself, in place of the model's; absent: none.
    pub given: Option<Spanned<String>>,
    /// Whether it is read before the engine serves, which then ends over one that it cannot read.
    pub at_start: bool,
    /// Whether its reader has a dialect of its own: what every known reader refuses is certain, and
    /// nothing else.
    pub has_dialect: bool,
    /// The names by which the text may ask for one of the engine's own, and which are taken for the text
    /// itself as it is started; empty: they are not.
    pub taken_for_text: &'static [&'static str],
}

/// Who reads a chat template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateReader {
    /// Jinja2, through transformers, with the first conversation.
    Jinja2,
    /// llama.cpp's own, before it serves.
    LlamaCpp,
}
