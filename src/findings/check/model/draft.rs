//! A draft model in the layout of the hub, against the model that it guesses for.

use super::{Subject, adapter, rules, severity};
use crate::facts::model::Folder;
use crate::findings::{Finding, Findings};
use crate::plan::engine::Part;

/// Parts of names by which an engine tells drafts of another kind.
const OTHER_KINDS: [&str; 7] = ["eagle", "medusa", "mtp", "dflash", "dspark", "speculator", "mlp"];

pub(super) fn judge(subject: &Subject<'_>, folder: &Folder, findings: &mut Findings) {
    if subject.part() == Part::Draft {
        unfit(subject, folder).into_iter().for_each(|finding| findings.push(finding));
    }
}

fn unfit(subject: &Subject<'_>, folder: &Folder) -> Option<Finding> {
    let rules = subject.models()?.draft_rules.as_ref()?;
    let said = subject.facts.lane.invocation.as_ref()?.speculation?;
    let (own, model) = (folder.config.as_ref()?, adapter::base(subject.facts)?.config.as_ref()?);
    let name = subject.shown().display().to_string().to_lowercase();
    let is_other_kind = OTHER_KINDS.iter().any(|kind| name.contains(kind));
    // A model of its own, as the one that it guesses for.
    if is_other_kind || own.architectures.is_empty() || own.architectures != model.architectures {
        return None;
    }
    let version = subject.version().filter(|numbers| numbers.len() >= 2);
    let of = |release: &[u32; 3]| version.as_ref().map(|version| version.as_slice() >= release);
    let is_read = version.as_ref().is_some_and(|it| it.as_slice() <= &rules.newest_read[..]);
    let shown = subject.shown();
    let shown = shown.display();
    let [first, last] = &rules.not_supported;
    let is_refused = of(first) == Some(true)
        && version.as_ref().is_some_and(|version| version.as_slice() <= &last[..]);
    let (message, fix, is_certain) = if is_refused {
        let message = format!(
            "`{shown}` is a draft model of its own, which this release of {} does not guess with",
            subject.engine()
        );
        let fix = "take a newer release, or another way to guess (`ngram`, an EAGLE head)";
        (message, fix.to_owned(), true)
    } else if !said.has_tokens {
        let message =
            format!("`{shown}` is a draft model, and nothing says how many tokens it guesses");
        let fix = "add `\"num_speculative_tokens\": 3` to the `--speculative-config`";
        (message, fix.to_owned(), version.is_none() || is_read)
    } else {
        let (words, of_model) = (own.vocab_size?, model.vocab_size?);
        let is_judged = of(&rules.same_vocabulary_since) != Some(false) && !said.any_vocabulary;
        if words == of_model || !is_judged {
            return None;
        }
        let message = format!(
            "the draft model `{shown}` has a vocabulary of {words} tokens, and the lane's model one of \
             {of_model}"
        );
        (message, "take a draft model of the same family".to_owned(), is_read)
    };
    Some(subject.finding(&rules::FILES_DO_NOT_FIT, message, fix).severity(severity(is_certain)))
}
