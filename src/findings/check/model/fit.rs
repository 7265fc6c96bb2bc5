//! The tensors of a folder against what its own configuration says that they are.

use super::{Subject, architecture, load_format, rules, severity};
use crate::facts::model::Folder;
use crate::facts::model::huggingface::fit::Misfit;
use crate::facts::model::huggingface::{Fit, FolderKind};
use crate::findings::{Finding, Findings, Severity};
use crate::plan::engine::{Engine, Layout, LoadFormat, Part, TensorRules};

/// The matrix that turns a state into words. Who gives out vectors has no use for it.
const OUTPUT: &str = "lm_head.weight";

/// How the classes end that write texts.
const WRITERS: [&str; 3] = ["ForCausalLM", "ForConditionalGeneration", "LMHeadModel"];

/// What sees images, and what hands on what it has seen.
const EYES: [&str; 4] = ["vision_tower.", "visual.", "multi_modal_projector.", "image_newline"];

pub(super) fn judge(subject: &Subject<'_>, folder: &Folder, findings: &mut Findings) {
    let Some((fit, engine)) = folder.fit.as_ref().zip(subject.facts.lane.engine) else { return };
    let reads_all = matches!(load_format::of(subject), LoadFormat::Best | LoadFormat::Named("", _));
    let opens_folder = engine.models().layout == Layout::HubFolder;
    if subject.part() != Part::Model || subject.overrides() || !reads_all || !opens_folder {
        return;
    }
    let judge = Judge { subject, folder, fit, engine };
    judge.finding().into_iter().for_each(|finding| findings.push(finding));
}

/// The tensors of a folder, and who loads them.
struct Judge<'a> {
    subject: &'a Subject<'a>,
    folder: &'a Folder,
    fit: &'a Fit,
    engine: Engine,
}

impl Judge<'_> {
    /// The one thing that is wrong: of a folder in which much does not fit, what explains it.
    fn finding(&self) -> Option<Finding> {
        if !self.fit.is_known {
            let is_missing = architecture::judge(self.subject, self.folder).is_some();
            return self.rules().filter(|_| !is_missing).map(|_| self.trusted());
        }
        let misfits: Vec<&Misfit> =
            self.fit.misfits.iter().filter(|it| self.is_loaded(it.tensor())).collect();
        if let Some(finding) = self.without_prefix() {
            return Some(finding);
        }
        let Some(first) = misfits.first() else { return self.extra() };
        let finding = self.of_another_size().or_else(|| self.of_other_layers());
        let finding = finding.unwrap_or_else(|| self.misfit(first, misfits.len()));
        let finding = finding.with("tensor", first.tensor()).severity(self.severity(&misfits));
        // The index promises it, which is said already.
        let is_said = self.folder.index.as_ref().is_some_and(|index| index.torn.is_some());
        Some(if is_said { finding.consequence() } else { finding })
    }

    fn rules(&self) -> Option<&'static TensorRules> {
        self.engine.releases().tensors.as_ref()
    }

    /// Whether the engine has a place for a tensor. One that was told how many images it takes may have
    /// been told that it takes none.
    fn is_loaded(&self, tensor: &str) -> bool {
        let name = tensor.strip_prefix("model.").unwrap_or(tensor);
        let invocation = self.subject.facts.lane.invocation.as_ref();
        let may_be_blind = invocation.is_some_and(|invocation| invocation.limits_images);
        let is_of_eyes = may_be_blind && EYES.iter().any(|eyes| name.starts_with(eyes));
        !(is_of_eyes || self.pools() && tensor.ends_with(OUTPUT))
    }

    /// Whether vectors or scores are given out, for which a model of any kind is cut short.
    fn pools(&self) -> bool {
        let invocation = self.subject.facts.lane.invocation.as_ref();
        self.folder.kind == FolderKind::SentenceTransformers
            || !WRITERS.iter().any(|end| self.fit.class.ends_with(end))
            || invocation.is_some_and(|invocation| invocation.embeds.pools)
    }

    fn of_another_size(&self) -> Option<Finding> {
        let (stated, found) = self.fit.hidden_size;
        let (stated, found) = stated.zip(found).filter(|(stated, found)| stated != found)?;
        let layers = self.fit.layers.0.map(|layers| format!(" with {layers} layers"));
        Some(self.says(format!(
            "the `config.json` in `{}` is that of a model of width {stated}{}, and the weights are those \
             of one of width {found} with {} layers",
            self.shown(),
            layers.unwrap_or_default(),
            self.fit.layers.1
        )))
    }

    fn of_other_layers(&self) -> Option<Finding> {
        let (stated, found) = self.fit.layers;
        let stated = stated.filter(|stated| *stated > found)?;
        Some(self.says(format!(
            "the `config.json` in `{}` states {stated} layers, and the weights have {found}",
            self.shown()
        )))
    }

    fn misfit(&self, misfit: &Misfit, count: usize) -> Finding {
        let more = match count {
            1 => String::new(),
            count => format!(" ({} more like it)", count - 1),
        };
        let (shown, class) = (self.shown(), &self.fit.class);
        self.says(match misfit {
            Misfit::Missing { tensor } if tensor.ends_with(OUTPUT) && count == 1 => format!(
                "`{tensor}` is not among the tensors of `{shown}`, whose `config.json` does not say \
                 `tie_word_embeddings`, with which a `{class}` does without"
            ),
            Misfit::Missing { tensor } => format!(
                "`{tensor}` is not among the tensors of `{shown}`, and a `{class}` as its `config.json` \
                 describes it has one{more}"
            ),
            Misfit::Shape { tensor, found, expected } => format!(
                "`{tensor}` in `{shown}` is {}, and the numbers of its `config.json` make it {}{more}",
                extents(found),
                extents(expected)
            ),
        })
    }

    /// The names of a base model, for a class that puts `model.` before them.
    fn without_prefix(&self) -> Option<Finding> {
        if !self.fit.is_base || self.pools() {
            return None;
        }
        let rules = self.rules()?;
        let is_certain = rules.strict.contains(&self.fit.class.as_str());
        let finding = self.says(format!(
            "the tensors of `{}` are named as those of a base model, and a `{}` has `model.` before their \
             names",
            self.shown(),
            self.fit.class
        ));
        let certainty = self.certainty();
        Some(finding.severity(if is_certain { certainty } else { Severity::Warning }))
    }

    /// A tensor too many.
    fn extra(&self) -> Option<Finding> {
        let (count, tensor) = self.fit.extra.as_ref()?;
        let rules = self.rules()?;
        if !rules.strict.contains(&self.fit.class.as_str()) {
            return None;
        }
        let (shown, class) = (self.shown(), &self.fit.class);
        let (stated, found) = self.fit.layers;
        let beyond = stated.filter(|stated| *stated < found);
        let message = match beyond {
            Some(stated) => format!(
                "the `config.json` in `{shown}` states {stated} layers, and the weights have {found}"
            ),
            None => {
                let more = match count {
                    1 => String::new(),
                    count => format!(" ({} more like it)", count - 1),
                };
                format!("`{shown}` has the tensor `{tensor}`, which no `{class}` has{more}")
            }
        };
        let is_certain = beyond.is_some() || self.subject.version().is_some();
        let certainty = self.certainty();
        let finding = self.says(message).with("tensor", tensor);
        Some(finding.severity(if is_certain { certainty } else { Severity::Warning }))
    }

    /// What does not load, or loads and talks nonsense, in every release that was read.
    fn severity(&self, misfits: &[&Misfit]) -> Severity {
        let Some(rules) = self.rules() else { return Severity::Warning };
        let is_headless = misfits
            .iter()
            .all(|misfit| matches!(misfit, Misfit::Missing { tensor } if tensor.ends_with(OUTPUT)));
        let version = self.subject.version().filter(|numbers| numbers.len() >= 2);
        let minds = !self.fit.is_packed
            && version.is_some_and(|version| version.as_slice() < &rules.headless_since[..]);
        if is_headless && !minds { Severity::Warning } else { self.certainty() }
    }

    /// An error up to the newest release that was read.
    fn certainty(&self) -> Severity {
        let version = self.subject.version().filter(|numbers| numbers.len() >= 2);
        let newest = self.engine.releases().newest_read;
        severity(
            newest.is_some_and(|newest| {
                version.is_none_or(|version| version.as_slice() <= &newest[..])
            }),
        )
    }

    fn trusted(&self) -> Finding {
        let what = if self.fit.is_packed { " and its quantisation" } else { "" };
        self.subject.finding(
            &rules::TAKEN_ON_TRUST,
            format!(
                "whether the weights of `{}` are those of its `config.json` was not looked at: the \
                 tensors of `{}`{what} are not known",
                self.shown(),
                self.fit.class
            ),
            "nothing, if the folder was downloaded whole from one repository",
        )
    }

    fn says(&self, message: String) -> Finding {
        self.subject.finding(
            &rules::WEIGHTS_DO_NOT_FIT_CONFIG,
            message,
            "fetch `config.json` and the weights again, from one revision of one repository",
        )
    }

    fn shown(&self) -> String {
        self.subject.shown().display().to_string()
    }
}

/// `64x128`.
fn extents(shape: &[i64]) -> String {
    let extents = shape.iter().map(|extent| match extent {
        -1 => "any".to_owned(),
        extent => extent.to_string(),
    });
    extents.collect::<Vec<_>>().join("x")
}
