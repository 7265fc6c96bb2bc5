//! What a folder holds beside its weights, and what it lacks.

use super::super::{rules, some_of};
use super::{CHAT_TEMPLATE_MISSING, DUPLICATE_WEIGHTS, Judge, OTHER_LAYOUT};
use crate::facts::model::Model;
use crate::facts::model::huggingface::{FolderKind, Presence, Weights};
use crate::findings::{Finding, Severity};
use crate::plan::engine::{Engine, Part};

impl Judge<'_> {
    pub(super) fn surplus(&self) -> Option<Finding> {
        let surplus = &self.folder.surplus;
        if surplus.is_empty() {
            return None;
        }
        let bytes = surplus.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
        let names: Vec<String> = surplus.iter().map(|file| file.name.clone()).collect();
        let message = format!(
            "`{}` holds {bytes} bytes of weights that no engine loads beside those that it does: {}",
            self.shown(),
            some_of(&names)
        );
        let host = self.subject.on_host();
        let paths: Vec<String> =
            names.iter().map(|name| format!("'{}'", host.join(name).display())).collect();
        let finding = self.subject.finding(
            &DUPLICATE_WEIGHTS,
            message,
            format!("if nothing else needs them, run `rm {}`", paths.join(" ")),
        );
        Some(finding.with("bytes", bytes))
    }

    /// Names that make vLLM read another layout than the one that is meant.
    pub(super) fn mistral_layout(&self) -> Option<Finding> {
        let folder = self.folder;
        let engine = self.subject.facts.lane.engine?;
        let wants_both_since = engine.models().mistral_wants_both_since?;
        let says = |message: String, fix: &str, severity| {
            let finding = self.subject.finding(&OTHER_LAYOUT, message, fix);
            Some(finding.severity(severity))
        };
        if folder.weights != Some(Weights::Safetensors) {
            return None;
        }
        if let Some(below) = &folder.consolidated_below
            && !folder.consolidated
        {
            return says(
                format!(
                    "`{below}` in `{}` makes {} look for `consolidated*.safetensors` beside \
                     `config.json`, where there are none",
                    self.shown(),
                    engine.name()
                ),
                "delete that folder, or add `--load-format safetensors`",
                Severity::Warning,
            );
        }
        let has_config = folder.config.is_some() && folder.kind == FolderKind::Model;
        let wants_both = self
            .subject
            .version()
            .is_some_and(|version| version.as_slice() >= &wants_both_since[..]);
        if !folder.params || !has_config || folder.consolidated || wants_both {
            return None;
        }
        says(
            format!(
                "`params.json` in `{}` makes {} take the folder for one in Mistral's own layout",
                self.shown(),
                engine.name()
            ),
            "delete `params.json`, or add `--config-format hf`",
            Severity::Warning,
        )
    }

    /// The folder of a repository in the hub's cache is no model; its snapshots are.
    pub(super) fn snapshot(&self) -> Option<Finding> {
        let below = self.folder.snapshot.as_ref()?;
        let engine = self.subject.facts.lane.engine?;
        let path = self.subject.shown().join(below);
        Some(self.subject.finding(
            &rules::NOT_A_MODEL,
            format!(
                "`{}` is a repository's folder of the hub's cache, which {} does not open",
                self.shown(),
                engine.name()
            ),
            format!("name `{}` in the service's command, or the repository", path.display()),
        ))
    }

    pub(super) fn chat_template(&self) -> Option<Finding> {
        let lane = &self.subject.facts.lane;
        let chats = lane.engine.is_some_and(|engine| engine.models().chat_needs_template);
        let other = self
            .subject
            .facts
            .artifacts
            .iter()
            .any(|facts| facts.artifact.part == Part::ChatTemplate);
        let generates = self.folder.config.as_ref().is_some_and(|config| {
            let makes_text = ["ForCausalLM", "ForConditionalGeneration"];
            config.architectures.iter().any(|name| makes_text.iter().any(|end| name.ends_with(end)))
        });
        let missing = self.folder.chat_template == Presence::Missing;
        if !missing || !chats || other || !generates || self.folder.tokenizer != Presence::Here {
            return None;
        }
        Some(self.subject.finding(
            &CHAT_TEMPLATE_MISSING,
            format!(
                "`{}` has no chat template, so `/v1/chat/completions` will answer 400",
                self.shown()
            ),
            "fetch `tokenizer_config.json` or `chat_template.jinja` of the model, or give the \
             engine one with `--chat-template`; a base model is asked at `/v1/completions`",
        ))
    }

    /// Some engines have no other tokenizer than the fast one.
    pub(super) fn fast_tokenizer(&self, engine: Engine, model: &Model) -> Option<Finding> {
        let needs_fast = engine.models().fast_tokenizer_only;
        let fast = model.files.iter().any(|file| file.name.ends_with("tokenizer.json"));
        (needs_fast && !fast && self.folder.tokenizer == Presence::Here).then(|| {
            self.subject.finding_of_absence(
                &rules::TOKENIZER_MISSING,
                format!(
                    "`{}` has no `tokenizer.json`, and {} reads no other tokenizer",
                    self.shown(),
                    engine.name()
                ),
                "save the tokenizer again with transformers (`AutoTokenizer.from_pretrained(...)\
                 .save_pretrained(...)`), which writes `tokenizer.json`",
            )
        })
    }
}
