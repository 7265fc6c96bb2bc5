//! What a folder's configuration says, against the words that its engine is started with.

mod layout;
mod quantization;
mod rules;

use super::{Subject, architecture};
use crate::facts::model::huggingface::{Config, FolderKind, Presence, RemoteCode};
use crate::facts::model::safetensors::Dtype;
use crate::facts::model::{Folder, Model};
use crate::findings::{Finding, Findings, Severity};
use crate::plan::engine::release_table::Standing;
use crate::plan::engine::{Beyond, Engine, Invocation, Part};
use crate::source_map::Spanned;

pub(super) use self::rules::{
    CHAT_TEMPLATE_MISSING, CONTEXT_NOT_LIMITED, CONTEXT_TOO_LONG, DTYPE_DIFFERS, DUPLICATE_WEIGHTS,
    GGUF_IN_VLLM, OTHER_LAYOUT, QUANTIZATION_CONFLICT, REMOTE_CODE,
};

/// What FP8 weights are kept as.
const F8: [Dtype; 4] = [Dtype::F8_E4M3, Dtype::F8_E5M2, Dtype::F8_E4M3FNUZ, Dtype::F8_E5M2FNUZ];

pub(super) fn judge(
    subject: &Subject<'_>,
    model: &Model,
    folder: &Folder,
    findings: &mut Findings,
) {
    if subject.part() != Part::Model || folder.kind == FolderKind::Adapter {
        return;
    }
    let judge = Judge { subject, folder };
    let engine = subject.facts.lane.engine;
    let found = [
        judge.tensor_types(),
        judge.folder_name(),
        judge.surplus(),
        judge.mistral_layout(),
        judge.snapshot(),
        judge.chat_template(),
        engine.and_then(|engine| judge.fast_tokenizer(engine, model)),
        architecture::judge(subject, folder),
    ];
    found.into_iter().flatten().for_each(|finding| findings.push(finding));
    let (Some(config), Some(invocation)) = (&folder.config, &subject.facts.lane.invocation) else {
        return;
    };
    let found = [
        quantization::judge(&judge, config, invocation),
        judge.dtype(config, invocation),
        judge.context(config, invocation),
        judge.model_type(config, invocation),
    ];
    found.into_iter().flatten().for_each(|finding| findings.push(finding));
    judge.code(invocation, findings);
}

/// A folder, and how to speak of it.
struct Judge<'a> {
    subject: &'a Subject<'a>,
    folder: &'a Folder,
}

impl Judge<'_> {
    fn shown(&self) -> String {
        self.subject.shown().display().to_string()
    }

    /// A finding that points at a word of the command line too.
    fn at<T>(&self, finding: Finding, word: &Spanned<T>, text: &str) -> Finding {
        finding.also(&word.place, text)
    }

    /// An error of all releases that were looked at; newer ones may do otherwise.
    fn severity(&self, engine: Engine) -> Severity {
        let known = self.subject.version().filter(|numbers| numbers.len() >= 2);
        let is_read = engine
            .releases()
            .newest_read
            .is_some_and(|newest| known.is_none_or(|version| version.as_slice() <= &newest[..]));
        if is_read && !self.subject.overrides() { Severity::Error } else { Severity::Warning }
    }

    fn dtype(&self, config: &Config, invocation: &Invocation) -> Option<Finding> {
        let asked = invocation.dtype.as_ref()?;
        let half = ["half", "float16"].contains(&asked.value.as_str());
        if !half || config.dtype.as_deref() != Some("bfloat16") || config.quantization.is_some() {
            return None;
        }
        let finding = self.subject.finding(
            &DTYPE_DIFFERS,
            format!(
                "`{}` was trained in bfloat16, and the command says `--dtype {}`, whose numbers end \
                 at 65504",
                self.shown(),
                asked.value
            ),
            "leave `--dtype` out, unless the device has no bfloat16",
        );
        Some(self.at(finding, asked, "asked for here"))
    }

    /// FP8 tensors and a quantisation that says so belong together; so do the type that the
    /// configuration states and the type that most of the data has.
    fn tensor_types(&self) -> Option<Finding> {
        let config = self.folder.config.as_ref()?;
        let (main, _) = self.folder.dtypes.iter().max_by_key(|(_, bytes)| **bytes)?;
        let has_f8 = F8.iter().any(|dtype| self.folder.dtypes.contains_key(dtype));
        let wants_f8 = matches!(config.quantization.as_deref(), Some("fp8" | "fbgemm_fp8"));
        let says = |what: String| {
            let message = format!("`{}` {what}", self.shown());
            let fix = "fetch weights and `config.json` again from one revision of one repository";
            Some(self.subject.finding(&DTYPE_DIFFERS, message, fix))
        };
        if has_f8 && config.quantization.is_none() {
            return says("has FP8 tensors, and its `config.json` has no quantisation".to_owned());
        }
        if wants_f8 && !has_f8 {
            let method = config.quantization.as_deref().unwrap_or_default();
            return says(format!("is quantised with `{method}` and has no FP8 tensors"));
        }
        let stated = config.dtype.as_deref()?;
        let expected = dtype_of(stated)?;
        let is_float = matches!(main, Dtype::BF16 | Dtype::F16 | Dtype::F32);
        if config.quantization.is_some() || !is_float || *main == expected {
            return None;
        }
        says(format!("states `{stated}` in its `config.json`, and its tensors are {main}"))
    }

    /// `.../bf16` and `.../fp8` are promises.
    fn folder_name(&self) -> Option<Finding> {
        let shown = self.subject.shown();
        let name = shown.file_name()?.to_str()?.to_lowercase();
        let config = self.folder.config.as_ref()?;
        let has_f8 = F8.iter().any(|dtype| self.folder.dtypes.contains_key(dtype));
        let is_other = match name.as_str() {
            "bf16" | "fp16" => config.quantization.is_some() || has_f8,
            "fp8" => config.quantization.is_none() && !has_f8 && !self.folder.dtypes.is_empty(),
            _ => return None,
        };
        let is = match (&config.quantization, self.folder.dtypes.iter().max_by_key(|(_, n)| **n)) {
            (Some(method), _) => format!("quantised with `{method}`"),
            (None, Some((main, _))) => format!("stored as {main}"),
            (None, None) => return None,
        };
        is_other.then(|| {
            self.subject.finding(
                &DTYPE_DIFFERS,
                format!(
                    "the model in `{}` is {is}, and its folder is called `{name}`",
                    self.shown()
                ),
                format!("put the {name} model there, or name the folder after what it holds"),
            )
        })
    }

    fn context(&self, config: &Config, invocation: &Invocation) -> Option<Finding> {
        let asked = invocation.context.as_ref()?;
        let context = invocation.engine.command_line().context;
        let context = context.filter(|context| context.beyond == Beyond::Refused)?;
        let limits = self.folder.documents.limits(config.makes_text());
        let version = self.subject.version().filter(|numbers| numbers.len() >= 2);
        let longest = (context.longest?)(&config.positions, &limits, version.as_deref())?;
        if asked.value <= longest.least || invocation.overrides {
            return None;
        }
        let (flag, shown) = (context.flag, self.shown());
        let (asked_for, least) = (asked.value, longest.least);
        let (what, is_certain) = match longest.most {
            Some(most) if most < asked_for => {
                (format!("is more than the {most} that `{shown}` allows"), true)
            }
            Some(most) => (
                format!(
                    "is more than the {least} that `{shown}` allows in some releases of {}; \
                         others allow {most}",
                    invocation.engine.name()
                ),
                false,
            ),
            None => (
                format!(
                    "is more than the {least} that a model of the type of `{shown}` has where \
                         its `config.json` says nothing"
                ),
                false,
            ),
        };
        let severity = match (invocation.exceeds_context, is_certain) {
            (true, _) => Severity::Note,
            (false, true) => self.severity(invocation.engine),
            (false, false) => Severity::Warning,
        };
        let finding = self.subject.finding(
            &CONTEXT_TOO_LONG,
            format!("`{flag} {asked_for}` {what}"),
            format!("say `{flag} {least}` or less, or leave it out"),
        );
        let finding = finding.with("asked", asked_for).with("allowed", least);
        Some(self.at(finding, asked, "asked for here").severity(severity))
    }

    /// A type that nobody but the model's own code knows, or nobody at all.
    fn model_type(&self, config: &Config, invocation: &Invocation) -> Option<Finding> {
        let kind = config.model_type.as_deref()?;
        let models = invocation.engine.models();
        let rules = &models.documents;
        let runs_code = invocation.trust_remote_code && config.has_config_code;
        if !rules.by_transformers() || runs_code || !self.is_read_by_type() {
            return None;
        }
        let version = self.subject.version().filter(|numbers| numbers.len() >= 2);
        let is_certain = match rules.knows_type(kind, version.as_deref()) {
            Standing::Here => return None,
            Standing::Missing => version.is_some() && !self.subject.overrides(),
            // Of a release that is not known it is told only where none that was read knows it.
            Standing::Unknown if rules.knows_type(kind, None) == Standing::Here => return None,
            Standing::Unknown => false,
        };
        let (engine, shown) = (self.engine(invocation), self.shown());
        let finding = if models.runs_code && config.has_config_code {
            self.subject.finding(
                &REMOTE_CODE,
                format!(
                    "`{shown}` is of the type `{kind}`, whose code comes with the model, and \
                     `--trust-remote-code` is not given"
                ),
                "read the `.py` files of the model, then add `--trust-remote-code`",
            )
        } else if rules.own_types.is_none() {
            return None;
        } else {
            self.subject.finding(
                &super::rules::ARCHITECTURE_UNSUPPORTED,
                format!("`{shown}` is of the type `{kind}`, which {engine} does not know"),
                "take a newer release of the engine, or another model",
            )
        };
        Some(finding.severity(super::severity(is_certain)))
    }

    /// The engine, with its release where that is known.
    fn engine(&self, invocation: &Invocation) -> String {
        let name = invocation.engine.name();
        match &invocation.version {
            Some(version) => format!("{name} {version}"),
            None => name.to_owned(),
        }
    }

    /// Whether the type says what the model is: in Mistral's own layout something else does.
    fn is_read_by_type(&self) -> bool {
        matches!(self.folder.kind, FolderKind::Model | FolderKind::SentenceTransformers)
            && !self.folder.params
    }

    /// Code that will be run, and has to be there.
    fn code(&self, invocation: &Invocation, findings: &mut Findings) {
        if !invocation.trust_remote_code {
            return;
        }
        for code in &self.folder.code {
            let Some(finding) = self.code_file(code, invocation) else { continue };
            findings.push(match code.of_processor {
                true => finding.severity(Severity::Warning),
                false => finding,
            });
        }
    }

    fn code_file(&self, code: &RemoteCode, invocation: &Invocation) -> Option<Finding> {
        let file = &code.file;
        let subject = self.subject;
        match (&code.repository, code.here) {
            (_, Presence::Here | Presence::NotNeeded) => None,
            // The engine's own class stands before that of the model.
            (None, _) if code.of_model && architecture::is_here(subject, self.folder) => None,
            (None, _) => Some(subject.finding_of_absence(
                &REMOTE_CODE,
                format!(
                    "`{}` in `{}` names code in `{file}`, which is not there",
                    code.named_by,
                    self.shown()
                ),
                subject.how_to_get(&subject.on_host().join(file)),
            )),
            (Some(repository), here) => {
                let is_error = invocation.offline && here == Presence::Missing;
                let finding = subject.finding(
                    &REMOTE_CODE,
                    format!(
                        "`{}` runs `{file}` of another repository, `{repository}`, which the \
                         engine downloads when it starts",
                        self.shown()
                    ),
                    format!(
                        "download `{repository}` into the service's hub cache, or copy its `.py` \
                         files beside the weights and take `{repository}--` out of `{}`",
                        code.named_by
                    ),
                );
                Some(finding.severity(super::severity(is_error)))
            }
        }
    }
}

fn dtype_of(name: &str) -> Option<Dtype> {
    match name.trim_start_matches("torch.") {
        "bfloat16" => Some(Dtype::BF16),
        "float16" | "half" => Some(Dtype::F16),
        "float32" | "float" => Some(Dtype::F32),
        _ => None,
    }
}
