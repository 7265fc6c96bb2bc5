//! The method that a model is quantised with, the one that the command asks for, and the numbers that the
//! two compute with, by the release of the engine.

use super::{Judge, QUANTIZATION_CONFLICT};
use crate::facts::model::huggingface::{Config, FolderKind};
use crate::findings::{Finding, Severity};
use crate::plan::engine::{Fit, Form, Invocation, Quantizations};
use crate::source_map::Spanned;

/// What is compared.
struct Pair<'a> {
    judge: &'a Judge<'a>,
    invocation: &'a Invocation,
    known: Quantizations,
    version: Option<Vec<u32>>,
    /// The model's own method; absent: it is not quantised.
    own: Option<&'a str>,
    /// The form of it, where the engine tells it from the usual one.
    form: Option<Form>,
    /// What the command asks for, as the engine compares it.
    asked: Option<String>,
}

/// A finding about how the model is quantised.
pub(super) fn judge(
    judge: &Judge<'_>,
    config: &Config,
    invocation: &Invocation,
) -> Option<Finding> {
    let known = invocation.engine.command_line().quantizations?;
    let asked = invocation.quantization.as_ref();
    if asked.is_some_and(|asked| is_refused_as_word(invocation, asked)) {
        return None;
    }
    let version = judge.subject.version().filter(|numbers| numbers.len() >= 2);
    let asked = asked.map(|asked| {
        asked.value.to_lowercase().replace("compressed_tensors", "compressed-tensors")
    });
    let own = config.quantization.as_deref();
    let form = config.gptq.and_then(|gptq| gptq.form()).filter(|form| known.knows(form.name));
    let pair = Pair { judge, invocation, known, version, own, form, asked };
    if own.is_none() && !(pair.asked.is_some() && is_plain(judge, config)) {
        return None;
    }
    match pair.fit(pair.asked.as_deref()) {
        Fit::Taken => pair.numbers(config),
        Fit::Deprecated if invocation.deprecated_quantization => None,
        Fit::Deprecated => Some(pair.deprecated()),
        fit @ (Fit::Refused | Fit::AlwaysRefused) => Some(pair.refused(fit)),
    }
}

/// Whether the word itself is complained of already.
fn is_refused_as_word(invocation: &Invocation, asked: &Spanned<String>) -> bool {
    invocation.complaints.iter().any(|complaint| complaint.place == asked.place)
}

/// Whether nothing in the folder says how its weights are quantised. Mistral's own layout does so in a
/// file of its own.
fn is_plain(judge: &Judge<'_>, config: &Config) -> bool {
    let folder = judge.folder;
    config.is_plain
        && folder.kind == FolderKind::Model
        && !folder.params
        && !folder.quantization_file
}

impl Pair<'_> {
    fn fit(&self, asked: Option<&str>) -> Fit {
        self.known.fit(self.method(), asked, self.version.as_deref())
    }

    /// The model's own method as the engine's table calls it.
    fn method(&self) -> Option<&str> {
        self.form.as_ref().map(|form| form.name).or(self.own)
    }

    /// What the model is quantised with, as it is told.
    fn quantised_with(&self, own: &str) -> String {
        let mark = self.form.as_ref().map(|form| format!(" ({})", form.mark)).unwrap_or_default();
        format!("`{own}`{mark}")
    }

    /// The engine with its release, as far as it is known.
    fn engine(&self) -> String {
        let name = self.invocation.engine.name();
        match (&self.version, &self.invocation.version) {
            (Some(_), Some(version)) => format!("{name} {version}"),
            _ => format!("{name} up to {}", self.known.table().newest()),
        }
    }

    /// How sure the refusal is: the functions of the engine were asked for devices of NVIDIA alone.
    fn severity(&self, is_of_every_release: bool) -> Severity {
        let is_certain = match &self.version {
            Some(version) => !self.known.table().is_older_than(version),
            None => is_of_every_release,
        };
        let is_judged = self.invocation.on_nvidia && !self.judge.subject.overrides();
        super::super::severity(is_certain && is_judged)
    }

    fn finding(&self, message: String, fix: String) -> Finding {
        let finding = self.judge.subject.finding(&QUANTIZATION_CONFLICT, message, fix);
        let finding = self.judge.subject.by_release(finding);
        match &self.invocation.quantization {
            Some(asked) => self.judge.at(finding, asked, "asked for here"),
            None => finding,
        }
    }

    fn refused(&self, fit: Fit) -> Finding {
        let (shown, engine) = (self.judge.shown(), self.engine());
        let asked = self.asked.as_deref();
        // Without the flag it would be refused too.
        let own = self.own.filter(|_| self.fit(None) != Fit::Taken);
        if let Some(own) = own {
            let with = self.quantised_with(own);
            let message = match self.form {
                Some(_) => format!("{engine} does not compute `{shown}`, quantised with {with}"),
                None => format!("`{shown}` is quantised with {with}, which {engine} does not have"),
            };
            let is_of_every_release = asked.is_some() && fit == Fit::AlwaysRefused;
            let severity = self.severity(is_of_every_release && self.form.is_some());
            return self.finding(message, self.other_release(own)).severity(severity);
        }
        let severity = self.severity(fit == Fit::AlwaysRefused);
        let asked = asked.unwrap_or_default();
        let (message, fix) = match self.own {
            Some(own) => (
                format!(
                    "`{shown}` is quantised with {}, and the command says `--quantization {asked}`",
                    self.quantised_with(own)
                ),
                format!("leave `--quantization {asked}` out: the engine reads it from the model"),
            ),
            None if self.is_missing(asked) => (
                format!("{engine} does not have `--quantization {asked}`"),
                format!("leave `--quantization {asked}` out; {}", self.other_release(asked)),
            ),
            None => (
                format!(
                    "`{shown}` is not quantised, and `--quantization {asked}` is for a model that \
                     was quantised so"
                ),
                format!("leave `--quantization {asked}` out, or serve a model that was quantised"),
            ),
        };
        self.finding(message, fix).severity(severity)
    }

    /// Whether the release does not have the word at all.
    fn is_missing(&self, asked: &str) -> bool {
        !self.known.has_word(asked) || !self.known.has_method(asked, self.version.as_deref())
    }

    /// Which release has a method.
    fn other_release(&self, method: &str) -> String {
        let name = self.invocation.engine.name();
        let release = match &self.form {
            Some(form) => self.known.last_that_computes(form),
            None => self.known.last_with(method),
        };
        match release {
            Some(release) if self.form.is_some() => {
                format!("take {name} {release}, which does, or another model")
            }
            Some(release) => format!("take {name} {release}, which has it, or another model"),
            None => "take a model that was quantised in another way, or another engine".to_owned(),
        }
    }

    fn deprecated(&self) -> Finding {
        let method = self.asked.as_deref().or(self.own).unwrap_or_default();
        let message = format!(
            "{} refuses the quantisation `{method}` of `{}` as deprecated",
            self.engine(),
            self.judge.shown()
        );
        let fix = "add `--allow-deprecated-quantization`, or take a model that was quantised in \
                   another way";
        self.finding(message, fix.to_owned()).severity(self.severity(false))
    }

    /// Numbers that the method does not compute with: those that are asked for, else those that the model
    /// states, which give way on devices that do not have them.
    fn numbers(&self, config: &Config) -> Option<Finding> {
        let asked = self.invocation.dtype.as_ref().filter(|dtype| dtype.value != "auto");
        let dtype = asked.map(|dtype| dtype.value.as_str()).or(config.dtype.as_deref())?;
        let refuses = |method: Option<&str>| {
            let version = self.version.as_deref();
            self.known.refuses_numbers(self.method(), method, dtype, version)
        };
        if !refuses(self.asked.as_deref()) {
            return None;
        }
        let method = self.asked.as_deref().or(self.own).unwrap_or_default();
        let (said, by) = match asked {
            Some(_) => ("the command says", format!("--dtype {dtype}")),
            None => ("the model states", dtype.to_owned()),
        };
        let message = format!(
            "{} does not compute `{method}` with {dtype}, and {said} `{by}`",
            self.engine()
        );
        let other = if dtype == "bfloat16" { "half" } else { "bfloat16" };
        let fix = match &self.asked {
            Some(method) if !refuses(None) => {
                format!("leave `--quantization {method}` out, or say `--dtype {other}`")
            }
            Some(_) | None => format!("say `--dtype {other}`"),
        };
        let severity = if asked.is_some() { self.severity(false) } else { Severity::Warning };
        Some(self.finding(message, fix).severity(severity))
    }
}
