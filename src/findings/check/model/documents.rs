//! The small documents beside the weights: the engine stops over one that its loader cannot read, and
//! over a tokenizer of a class that it does not have.

mod config;
mod fault;
mod sampling;
mod tokens;

use super::configuration::REMOTE_CODE;
use super::{Subject, content, folder, rules, severity};
use crate::facts::model::huggingface::{FolderKind, TokenizerSettings};
use crate::facts::model::sentence_transformers::Sidecar;
use crate::facts::model::{FileState, Folder, Model};
use crate::findings::{Finding, Findings};
use crate::plan::engine::release_table::Standing;
use crate::plan::engine::transformers::{self, Span};
use crate::plan::engine::{DocumentRules, Invocation, Part, Reader};

pub(super) fn judge(
    subject: &Subject<'_>,
    model: &Model,
    folder: &Folder,
    findings: &mut Findings,
) {
    let (Some(models), Some(invocation)) = (subject.models(), &subject.facts.lane.invocation)
    else {
        return;
    };
    let version = subject.version().filter(|numbers| numbers.len() >= 2);
    let rules = &models.documents;
    let span = rules.span(version.as_deref());
    let about = About { subject, model, folder, rules, invocation, version, span };
    if rules.by_transformers() && folder::needs_tokenizer(subject) && !about.has_other_tokenizer() {
        about.tokens(findings);
        if !about.runs_code() {
            about.token_values(findings);
        }
        about.class(models.runs_code, findings);
    }
    if subject.part() == Part::Model {
        if rules.by_transformers() {
            about.config(findings);
        }
        about.processor(findings);
        about.sampling(findings);
        about.sentence(findings);
    }
}

struct About<'a> {
    subject: &'a Subject<'a>,
    model: &'a Model,
    folder: &'a Folder,
    rules: &'static DocumentRules,
    invocation: &'a Invocation,
    /// The release of the engine.
    version: Option<Vec<u32>>,
    /// What of transformers it may have.
    span: Option<Span>,
}

impl About<'_> {
    /// Whether the tokenizer is one of Mistral's own, which none of these files is about.
    fn has_other_tokenizer(&self) -> bool {
        let is_tekken = |name: &str| name == "tekken.json";
        self.folder.kind == FolderKind::Mistral
            || self.folder.params
            || self.model.files.iter().any(|file| file.name.to_str().is_some_and(is_tekken))
    }

    /// Whether the class of the tokenizer comes with the model and is run.
    fn runs_code(&self) -> bool {
        let settings = self.folder.documents.tokenizer.as_ref();
        let is_own = settings.and_then(TokenizerSettings::code).is_some();
        self.invocation.trust_remote_code && is_own
    }

    /// Says what is wrong with a document that is there and is no object.
    fn is_read(&self, document: Option<&Sidecar>, findings: &mut Findings) {
        let invalid = document.filter(|found| found.file.state() == FileState::Invalid);
        if let Some(found) = invalid {
            content::judge(self.subject, self.model, &found.file, findings);
        }
    }

    /// The files of added tokens, which are asked only where the settings do not list those (transformers
    /// 4.57.6 and 5.19.0 tokenization_utils_base.py, `_from_pretrained`).
    fn tokens(&self, findings: &mut Findings) {
        let documents = &self.folder.documents;
        if documents.tokenizer.as_ref().is_some_and(|says| says.listed.is_some()) {
            return;
        }
        self.is_read(documents.special_tokens.as_ref(), findings);
        self.is_read(documents.added_tokens.as_ref(), findings);
    }

    /// The class of the tokenizer, which is one of transformers, comes with the model, or is not known.
    fn class(&self, runs_code: bool, findings: &mut Findings) {
        let settings = self.folder.documents.tokenizer.as_ref();
        let of_model = self.folder.config.as_ref().and_then(|it| it.tokenizer_class.as_deref());
        let of_tokenizer = settings.and_then(TokenizerSettings::class);
        let (file, class) = match (of_tokenizer, of_model) {
            (Some(class), _) => ("tokenizer_config.json", class),
            (None, Some(class)) => ("config.json", class),
            (None, None) => return,
        };
        let code = settings.and_then(TokenizerSettings::code);
        let found = match code {
            Some(_) if self.invocation.trust_remote_code => None,
            Some(_) if runs_code && of_tokenizer.is_some() => self.code_not_run(class),
            Some(_) => None,
            None => self.unknown_class(file, class),
        };
        found.into_iter().for_each(|finding| findings.push(finding));
    }

    /// That the class comes with the model, and its code may not be run. A class or a model type that
    /// transformers knows stands in for it.
    fn code_not_run(&self, class: &str) -> Option<Finding> {
        let span = self.span.as_ref();
        let of_class = transformers::tokenizer_class(class, span);
        let kind = self.folder.config.as_ref().and_then(|config| config.model_type.as_deref());
        // Before 5 the type of the model does not count where a class is said.
        let counts = !span.is_some_and(Span::never_falls_back);
        let of_type = match kind.filter(|_| counts) {
            Some(kind) => transformers::tokenizer_of_type(kind, span),
            None => Standing::Missing,
        };
        let is_missing = |standing| standing == Standing::Missing;
        if of_class == Standing::Here || counts && of_type == Standing::Here {
            return None;
        }
        let is_certain = span.is_some() && is_missing(of_class) && is_missing(of_type);
        let message = format!(
            "the tokenizer of `{}` is a `{class}`, whose code comes with the model, and \
             `--trust-remote-code` is not given",
            self.subject.shown().display()
        );
        let fix = "read the `.py` files of the model, then add `--trust-remote-code`";
        let finding = self.subject.finding(&REMOTE_CODE, message, fix);
        Some(finding.severity(severity(is_certain && !self.subject.overrides())))
    }

    /// A class that no release of transformers knows that may be there. Those since 5 take another, and
    /// so may a release of the engine that is not known. What a newer one has written is only a warning:
    /// that one may have been put into the image, and no tag says so.
    fn unknown_class(&self, file: &str, class: &str) -> Option<Finding> {
        let span = self.span.as_ref().filter(|span| !span.falls_back())?;
        let standing = transformers::tokenizer_class(class, Some(span));
        if standing == Standing::Here {
            return None;
        }
        let is_missing = standing == Standing::Missing && span.never_falls_back();
        let is_newer = transformers::tokenizer_class(class, None) != Standing::Missing;
        let (engine, shown) = (self.invocation.engine.name(), self.subject.shown());
        let release =
            self.invocation.version.as_deref().unwrap_or_default().trim_start_matches('v');
        let may = if is_missing { "does not have" } else { "may not have" };
        let message = format!(
            "`{}` says the tokenizer class `{class}`, which the transformers of {engine} {release} {may}",
            shown.join(file).display()
        );
        let newer = self.first_that_falls_back();
        let newer =
            newer.map(|first| format!("take {engine} {first} or newer, which reads it, or "));
        let fix = format!(
            "{}write `PreTrainedTokenizerFast`, which reads `tokenizer.json`, as the `tokenizer_class`",
            newer.unwrap_or_default()
        );
        let finding = self.subject.finding(&rules::TOKENIZER_UNSUPPORTED, message, fix);
        Some(finding.severity(severity(is_missing && !is_newer)))
    }

    fn first_that_falls_back(&self) -> Option<&'static str> {
        match self.rules.reader {
            Reader::Transformers(Some(library)) => library.first_that_falls_back(),
            Reader::Transformers(None) | Reader::Strict | Reader::Other => None,
        }
    }

    /// What prepares images and sound: of models that take them, and in older releases of all.
    fn processor(&self, findings: &mut Findings) {
        let documents = &self.folder.documents;
        let takes_them = self.folder.config.as_ref().is_some_and(|config| config.multimodal);
        let last = self.rules.reads_processor_of_all_until;
        let reads_of_all = self.version.as_ref().zip(last).is_some_and(|(version, last)| {
            version.get(..2).is_some_and(|release| release <= &last[..])
        });
        let is_read = self.rules.by_transformers();
        // A list is passed over until something is prepared with it.
        let image = documents.image.as_ref().filter(|image| takes_them || !image.is_other_json);
        if is_read && (takes_them || reads_of_all) {
            self.is_read(image, findings);
        }
        if is_read && takes_them {
            self.is_read(documents.processor.as_ref(), findings);
        }
    }

    /// What it samples with: a text that is no JSON is passed over, one that is JSON and no object is not
    /// (vLLM 0.12.0 and 0.32.0 transformers_utils/config.py, `try_get_generation_config`).
    fn sampling(&self, findings: &mut Findings) {
        let since = self.rules.reads_generation_since;
        let is_read = since.is_some_and(|since| self.invocation.is_since(since));
        let other = self.folder.documents.generation.as_ref().filter(|found| found.is_other_json);
        if !is_read || self.invocation.own_sampling {
            return;
        }
        self.is_read(other, findings);
        let plain = self.folder.documents.generation.as_ref();
        let plain = plain.filter(|found| found.file.python_number.is_none());
        let says = plain.and_then(|found| found.says.as_ref());
        let fault = says.and_then(sampling::fault);
        let finding = fault.and_then(|fault| self.fault("generation_config.json", &fault));
        finding.into_iter().for_each(|finding| findings.push(finding));
    }

    /// What sentence-transformers says: vLLM takes an empty list for nothing, others take no list.
    fn sentence(&self, findings: &mut Findings) {
        let is_strict = matches!(self.rules.reader, Reader::Strict);
        let found = self.folder.documents.sentence.as_ref();
        if self.rules.reads_sentence {
            self.is_read(found.filter(|found| is_strict || !found.is_other_json), findings);
        }
    }
}
