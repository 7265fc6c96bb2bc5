//! Whether a release of the engine has the architecture of a folder.

use super::{Subject, rules, severity};
use crate::facts::model::Folder;
use crate::facts::model::huggingface::FolderKind;
use crate::findings::Finding;
use crate::plan::engine::release_table::{Entry, ReleaseTable, Standing, numbers};
use crate::plan::engine::{Architectures, Part};
use crate::source_map::Spanned;

/// What an architecture's name ends with. vLLM serves a model of one kind as another where it has
/// the rest of the name (0.12.0, `registry.py`, `_normalize_arch`).
const ENDINGS: [&str; 10] = [
    "ForConditionalGeneration",
    "ForSequenceClassification",
    "ForAudioClassification",
    "ForTextEncoding",
    "ForRewardModeling",
    "ForCausalLM",
    "LMHeadModel",
    "EmbeddingModel",
    "RewardModel",
    "Model",
];

/// The architectures of an engine, by release.
#[derive(Clone, Copy)]
struct Table<'a> {
    engine: &'a str,
    known: &'a Architectures,
    releases: ReleaseTable,
}

/// Whether the release has a class for the folder's architecture, which is then not the model's own.
pub(super) fn is_here(subject: &Subject<'_>, folder: &Folder) -> bool {
    let engine = subject.facts.lane.engine;
    let known = engine.and_then(|engine| Some((engine, engine.releases().architectures.as_ref()?)));
    let Some((engine, known)) = known.filter(|_| !subject.overrides()) else { return false };
    let table = Table { engine: engine.name(), known, releases: known.table };
    let version = subject.version().filter(|numbers| numbers.len() >= 2);
    let named = folder.config.iter().flat_map(|config| &config.architectures);
    named.into_iter().any(|name| table.standing(name, version.as_deref()) == Standing::Here)
}

/// A finding about the folder's architecture, where it is known what the releases of its engine have.
pub(super) fn judge(subject: &Subject<'_>, folder: &Folder) -> Option<Finding> {
    let engine = subject.facts.lane.engine?;
    let known = engine.releases().architectures.as_ref()?;
    let table = Table { engine: engine.name(), known, releases: known.table };
    if subject.part() != Part::Model || folder.kind != FolderKind::Model || subject.overrides() {
        return None;
    }
    let named = &folder.config.as_ref()?.architectures;
    let generates = subject.facts.lane.invocation.as_ref().and_then(|it| it.generates.as_ref());
    let encoder = named.iter().find(|name| known.encoders.contains(&name.as_str()));
    if let Some((asked, name)) = generates.zip(encoder) {
        return Some(table.generates_nothing(subject, name, asked));
    }
    let version = subject.version().filter(|numbers| numbers.len() >= 2);
    let standings = named.iter().map(|name| table.standing(name, version.as_deref()));
    let name = named.first()?;
    if standings.into_iter().any(|standing| standing != Standing::Missing) {
        return None;
    }
    let last = table.releases.entry(name).and_then(|entry| entry.last);
    if let Some(last) = last
        && version.as_ref().is_none_or(|version| *version > numbers(last))
    {
        return Some(subject.by_release(table.removed(subject, name, last, version.as_deref())));
    }
    Some(subject.by_release(table.not_there(subject, name, version.as_deref())))
}

impl Table<'_> {
    fn generates_nothing(
        self,
        subject: &Subject<'_>,
        name: &str,
        asked: &Spanned<String>,
    ) -> Finding {
        let message = format!(
            "`{}` has the architecture `{name}`, which generates no text, and the command says \
             `{}`: {} exits",
            subject.shown().display(),
            asked.value,
            self.engine
        );
        let fix = format!("remove `{}`: the engine sees what the model is for", asked.value);
        let finding = subject.finding(&rules::ARCHITECTURE_UNSUPPORTED, message, fix);
        finding.also(&asked.place, "asked for here".to_owned())
    }

    fn removed(
        self,
        subject: &Subject<'_>,
        name: &str,
        last: &str,
        version: Option<&[u32]>,
    ) -> Finding {
        let message = format!(
            "`{}` has the architecture `{name}`, which {} has removed after {last}",
            subject.shown().display(),
            self.engine
        );
        let fix = format!("pin `{}{last}`, or choose another model", self.known.image);
        subject
            .finding(&rules::ARCHITECTURE_UNSUPPORTED, message, fix)
            .severity(severity(version.is_some_and(|version| self.releases.covers(version))))
    }

    /// It may still be served in another way, so it is never more than a warning.
    fn not_there(self, subject: &Subject<'_>, name: &str, version: Option<&[u32]>) -> Finding {
        let Self { engine, known, releases } = self;
        let release = match version {
            Some(version) => version.iter().map(u32::to_string).collect::<Vec<_>>().join("."),
            None => format!("up to {}", releases.newest()),
        };
        let first = releases.entry(name).and_then(|entry| {
            let at = entry.marks.find('+')?;
            releases.releases().nth(at).filter(|release| {
                version.is_some_and(|version| numbers(release).as_slice() > version)
            })
        });
        let message = format!(
            "`{}` has the architecture `{name}`, which {engine} {release} does not have",
            subject.shown().display()
        );
        let fix = match first {
            Some(first) => format!("take {engine} {first} or newer, which has it"),
            None => format!(
                "take a release of {engine} that has it, or another engine; {}",
                known.otherwise
            ),
        };
        subject.finding(&rules::ARCHITECTURE_UNSUPPORTED, message, fix)
    }

    fn standing(self, name: &str, version: Option<&[u32]>) -> Standing {
        // A release that is not known is most likely one of the newest.
        let newest = numbers(self.releases.newest());
        let is_newer = |version: &&[u32]| self.releases.is_older_than(version);
        let version = version.filter(|version| !is_newer(version)).unwrap_or(&newest);
        let stem = stem(name);
        let is_meant = |entry: &Entry| {
            entry.name == name || stem.is_some_and(|stem| self::stem(entry.name) == Some(stem))
        };
        self.releases.standing(version, |release| {
            self.releases.entries().filter(is_meant).any(|entry| entry.is_in(release))
        })
    }
}

fn stem(name: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).filter(|stem| !stem.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::engine::Engine;

    #[test]
    fn a_release_between_two_that_differ_is_not_known() {
        use Standing::{Here, Missing, Unknown};
        let known = Engine::Vllm.releases().architectures.as_ref().unwrap();
        let table = Table { engine: "vLLM", known, releases: known.table };
        for (name, version, expected) in [
            ("LlamaForCausalLM", "0.12.0", Here),
            ("LlamaForSequenceClassification", "0.12.0", Here),
            ("MllamaForConditionalGeneration", "0.10.2", Here),
            ("MllamaForConditionalGeneration", "0.9.0", Here),
            ("MllamaForConditionalGeneration", "0.11.0", Unknown),
            ("MllamaForConditionalGeneration", "0.12.0", Missing),
            ("MllamaForConditionalGeneration", "0.12.1", Missing),
            ("MllamaForConditionalGeneration", "9.0.0", Missing),
            ("MllamaForConditionalGeneration", "0.1.0", Unknown),
            ("NoSuchModel", "0.12.0", Missing),
        ] {
            assert_eq!(
                table.standing(name, Some(&numbers(version))),
                expected,
                "{name} in {version}"
            );
        }
        // It came back.
        assert_eq!(table.standing("BartForConditionalGeneration", Some(&[0, 12, 0])), Missing);
        assert_eq!(table.standing("BartForConditionalGeneration", None), Here);
    }
}
