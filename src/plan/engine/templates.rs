//! How an engine makes a prompt of a conversation.

use crate::source_map::Spanned;

/// What a command says of the template that makes a prompt of a conversation, and who reads it.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    /// Who reads it; absent: not known.
    pub reader: Option<TemplateReader>,
    /// The text that the command gives itself, in place of the model's; absent: none.
    pub given: Option<Spanned<String>>,
}

/// Who reads a chat template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateReader {
    /// Jinja2, through transformers, with the first conversation.
    Jinja2,
    /// llama.cpp's own, before it serves.
    LlamaCpp,
}
