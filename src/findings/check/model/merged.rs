//! An adapter that is served in the place of a model, by an engine that merges it into the model it was
//! made for.

use super::{Subject, rules, severity};
use crate::facts::model::Folder;
use crate::findings::{Finding, Severity};
use crate::plan::engine::Merging;

/// What the release makes of it.
pub(super) fn judge(
    subject: &Subject<'_>,
    folder: &Folder,
    merging: &'static Merging,
) -> Option<Finding> {
    let adapter = Merged { subject, folder, merging, base: folder.adapter.as_ref()?.base() };
    let version = subject.version().filter(|numbers| numbers.len() == 3);
    let is_read = |version: &Vec<u32>| {
        (&merging.since[..]..=&merging.newest_read[..]).contains(&version.as_slice())
    };
    let is_certain = version.as_ref().is_some_and(is_read);
    let is_since = |release: &[u32; 3]| version.as_ref().is_none_or(|it| it.as_slice() >= release);
    let taken = adapter.weights().filter(|_| is_since(&merging.counts_as_weights_since));
    let finding = match (taken, adapter.base) {
        (Some(file), _) => adapter.taken_for_model(file).severity(severity(is_certain)),
        (None, None) => adapter.of_nothing().severity(severity(is_certain)),
        (None, Some(base)) => adapter.merged_into(base),
    };
    Some(subject.by_release(finding))
}

struct Merged<'a> {
    subject: &'a Subject<'a>,
    folder: &'a Folder,
    merging: &'static Merging,
    /// The model that it was made for.
    base: Option<&'a str>,
}

impl Merged<'_> {
    /// A file that the engine takes for weights of a model.
    fn weights(&self) -> Option<&str> {
        let is_passed_over =
            |name: &str| self.merging.passes_over.iter().any(|it| name.contains(it));
        let mut names = self.folder.stored.iter().map(String::as_str);
        names.find(|name| name.ends_with(".safetensors") && !is_passed_over(name))
    }

    fn taken_for_model(&self, file: &str) -> Finding {
        let engine = self.subject.engine();
        let base = self.base.map(|base| format!(" (`{base}`)")).unwrap_or_default();
        self.subject.not_a_model(
            &format!(
                "is an adapter, and {engine} takes its `{file}` for the weights of a model, which has \
                 a `config.json`"
            ),
            format!(
                "name the model that it was made for{base}, and the adapter with `{} NAME=PATH`",
                self.merging.flag
            ),
        )
    }

    fn of_nothing(&self) -> Finding {
        let engine = self.subject.engine();
        self.subject.not_a_model(
            &format!(
                "is an adapter whose `adapter_config.json` does not say for which model it was made, \
                 and {engine} merges it into that"
            ),
            "name a model, or say `base_model_name_or_path` in `adapter_config.json`",
        )
    }

    fn merged_into(&self, base: &str) -> Finding {
        let (subject, engine) = (self.subject, self.subject.engine());
        let is_offline = subject.facts.lane.invocation.as_ref().is_some_and(|it| it.offline);
        let is_path = base.starts_with(['/', '.', '~']);
        let needs = match (is_path, is_offline) {
            (true, _) => "which has to be there in the service",
            (false, true) => "which has to be in the service's hub cache, for the hub is not asked",
            (false, false) => "which it downloads when it starts",
        };
        let message = format!(
            "`{}` is an adapter, and {engine} merges it at its start into `{base}`, {needs}, and \
             writes what comes of it into the folder",
            subject.shown().display()
        );
        let fix = if is_path {
            format!("see that the service has `{base}`, or serve a model that is merged already")
        } else {
            format!(
                "fetch `{base}` into the service's hub cache, or serve a model that is merged already"
            )
        };
        subject.finding(&rules::FILES_MISSING, message, fix).severity(Severity::Warning)
    }
}
