//! How an engine that gives out embeddings makes one vector of many, and which prompt it puts in front.

use serde_json::{Map, Value};

use super::{Subject, content, rules, some_of};
use crate::facts::model::huggingface::Config;
use crate::facts::model::{Content, FileState, Folder, Model, ModelFile, Role};
use crate::findings::{Finding, Findings, Severity};
use crate::plan::engine::{Invocation, Mode, Part, Pooling};

/// Whether a file of the folder is one that [`judge`] speaks of, or that nobody reads.
pub(super) fn is_judged_here(subject: &Subject<'_>, file: &ModelFile) -> bool {
    let pooling = subject.models().and_then(|models| models.pooling.as_ref());
    file.role == Role::Module
        && pooling.is_some_and(|pooling| file.name.as_os_str() == pooling.file)
}

/// The file of the pooling of a pipeline that is not there, where the engine does without it; with a
/// finding that says so.
pub(super) fn is_done_without(
    subject: &Subject<'_>,
    model: &Model,
    file: &ModelFile,
) -> Option<Finding> {
    let is_pooling = file.role == Role::Module
        && file.state() == FileState::Missing
        && file.name.to_string_lossy().ends_with("Pooling/config.json");
    let since = subject.models()?.documents.pools_without_file_since.filter(|_| is_pooling)?;
    let invocation = subject.facts.lane.invocation.as_ref()?;
    let starts = invocation.is_since(since) || invocation.may_be(since);
    let message = format!(
        "`{}` is not there, so {} makes one vector of many as the class of the model does, which may \
         not be how it was made",
        subject.file_shown(model, file).display(),
        subject.engine()
    );
    let fix = subject.how_to_get(&subject.file_on_host(model, file));
    let finding = subject.finding_of_absence(&rules::FILES_MISSING, message, fix);
    starts.then(|| finding.severity(Severity::Warning))
}

pub(super) fn judge(
    subject: &Subject<'_>,
    model: &Model,
    folder: &Folder,
    findings: &mut Findings,
) {
    let pooling = subject.models().and_then(|models| models.pooling.as_ref());
    let invocation = subject.facts.lane.invocation.as_ref();
    let (Some(pooling), Some(invocation), Some(config), Part::Model) =
        (pooling, invocation, &folder.config, subject.part())
    else {
        return;
    };
    let about = About { subject, model, folder, pooling, invocation, config };
    about.vector(findings);
    about.prompt(findings);
}

struct About<'a> {
    subject: &'a Subject<'a>,
    model: &'a Model,
    folder: &'a Folder,
    pooling: &'static Pooling,
    invocation: &'a Invocation,
    config: &'a Config,
}

impl About<'_> {
    fn vector(&self, findings: &mut Findings) {
        let ends = |end: &str| self.config.architectures.iter().any(|name| name.ends_with(end));
        if ends(self.pooling.none_for) {
            return;
        }
        let (word, wanted) = self.pooling.masked;
        match &self.invocation.embeds.pooling {
            Some(told) if told.value == word && !ends(wanted) => {
                let flag = self.pooling.flag;
                let what = format!("is no `...{wanted}`, and `{flag} {word}` takes nothing else");
                let fix = format!("write another word behind `{flag}`, or name such a model");
                findings.push(self.subject.not_a_model(&what, fix));
            }
            Some(_) => {}
            None => self.said_by_file(findings),
        }
    }

    fn said_by_file(&self, findings: &mut Findings) {
        let Some(found) = &self.folder.pooling else { return };
        let finding = match (&found.file.content, &found.says) {
            (Content::Absent, _) => self.unsaid(),
            (_, Some(says)) => self.unfit(says),
            (_, None) => {
                return content::judge(self.subject, self.model, &found.file, findings);
            }
        };
        finding.into_iter().for_each(|finding| findings.push(finding));
    }

    fn file(&self) -> String {
        self.subject.shown().join(self.pooling.file).display().to_string()
    }

    /// That nothing says it; absent: the engine will ask the hub for the file.
    fn unsaid(&self) -> Option<Finding> {
        let own = self.subject.facts.own_artifacts();
        if !own.iter().any(|it| std::ptr::eq(it, self.subject.artifact)) {
            return None;
        }
        let (engine, guess, flag) = (self.subject.engine(), &self.pooling.guess, self.pooling.flag);
        let kind = self.config.model_type.as_ref()?.to_lowercase();
        let is_of_kind = kind.contains(guess.of_type);
        let guesses = is_of_kind && self.invocation.is_since(guess.since);
        let may_guess = is_of_kind && self.invocation.may_be(guess.since);
        let nothing = format!(
            "`{}` is not there, and no `{flag}` says how {engine} makes one vector of many",
            self.file()
        );
        let message = if guesses {
            format!("{nothing}: it takes `{}`, which may not be how the model was made", guess.word)
        } else if may_guess {
            let [major, minor, patch] = guess.since;
            format!("{nothing}: it exits, if it is older than {major}.{minor}.{patch}")
        } else {
            format!("{nothing}, so it exits")
        };
        let finding = self.subject.finding(&rules::FILES_MISSING, message, self.how_to_say());
        let starts = guesses || may_guess;
        Some(if starts { finding.severity(Severity::Warning) } else { finding })
    }

    fn how_to_say(&self) -> String {
        let modes = self.pooling.modes.iter().filter(|mode| self.has(mode));
        let words: Vec<String> = modes.map(|mode| mode.word.to_owned()).collect();
        let flag = self.pooling.flag;
        format!(
            "write `{flag}` with what the model was made with into the command: {}",
            some_of(&words)
        )
    }

    fn has(&self, mode: &Mode) -> bool {
        self.invocation.is_since(mode.since)
    }

    /// That the file asks for nothing that the engine has; absent: it does.
    fn unfit(&self, says: &Map<String, Value>) -> Option<Finding> {
        let (file, engine) = (self.file(), self.subject.engine());
        let is_on = |name: &str| says.get(name).and_then(Value::as_bool) == Some(true);
        let is_unsaid =
            |mode: &&Mode| mode.required && !says.get(mode.key).is_some_and(Value::is_boolean);
        let mut modes = self.pooling.modes.iter();
        let message = if let Some(mode) = modes.clone().find(is_unsaid) {
            format!("`{file}` does not say `{}`, without which {engine} exits", mode.key)
        } else if modes.any(|mode| self.has(mode) && is_on(mode.key)) {
            return None;
        } else {
            let asked: Vec<String> = says.keys().filter(|name| is_on(name)).cloned().collect();
            let asked = if asked.is_empty() { "no pooling".to_owned() } else { some_of(&asked) };
            format!("`{file}` asks for {asked}, and {engine} exits: it has no such pooling")
        };
        Some(self.subject.finding(&rules::CONFIG_INVALID, message, self.how_to_say()))
    }

    /// That the prompt that is to stand in front is none of the model's.
    fn prompt(&self, findings: &mut Findings) {
        let (Some(named), Some(found)) = (&self.invocation.embeds.prompt, &self.folder.sentences)
        else {
            return;
        };
        let name = &named.value;
        let own = self.subject.facts.own_artifacts();
        let is_own = own.iter().any(|it| std::ptr::eq(it, self.subject.artifact));
        let prompts = found.says.as_ref().and_then(|says| says.get("prompts")?.as_object());
        let is_absent = matches!(found.file.content, Content::Absent);
        if prompts.is_some_and(|prompts| prompts.contains_key(name))
            || found.says.is_none() && !(is_absent && is_own)
        {
            return;
        }
        let file = self.subject.shown().join(&found.file.name);
        let (file, engine) = (file.display(), self.subject.engine());
        let message = format!("`{file}` has no prompt `{name}`, so {engine} exits");
        let names: Vec<String> =
            prompts.into_iter().flatten().map(|(name, _)| name.clone()).collect();
        let fix = match names.as_slice() {
            [] => format!("remove `{name}`, or take a model that has prompts"),
            names => format!("name one that it has: {}", some_of(names)),
        };
        findings.push(self.subject.finding(&rules::CONFIG_INVALID, message, fix));
    }
}
