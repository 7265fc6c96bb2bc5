//! Whether a release of the engine has the architecture of a folder.

use super::{Subject, rules, severity};
use crate::facts::model::Folder;
use crate::facts::model::huggingface::FolderKind;
use crate::findings::Finding;
use crate::plan::engine::{Architectures, Part};

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

/// What the table says of an architecture in one release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is there.
    Here,
    /// It is not there.
    Missing,
    /// The release is between two of the table that differ, or outside of it.
    Unknown,
}

/// One architecture.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    name: &'a str,
    /// `+` or `-` for each release.
    marks: &'a str,
    /// The last release that had it, if it was removed.
    last: Option<&'a str>,
}

/// The architectures of an engine, by release.
#[derive(Clone, Copy)]
struct Table<'a> {
    engine: &'a str,
    known: &'a Architectures,
}

/// A finding about the folder's architecture, where it is known what the releases of its engine have.
pub(super) fn judge(subject: &Subject<'_>, folder: &Folder) -> Option<Finding> {
    let engine = subject.facts.lane.engine?;
    let known = engine.releases().architectures.as_ref()?;
    let table = Table { engine: engine.name(), known };
    if subject.part() != Part::Model || folder.kind != FolderKind::Model || subject.overrides() {
        return None;
    }
    let named = &folder.config.as_ref()?.architectures;
    let version = subject.version().filter(|numbers| numbers.len() >= 2);
    let standings = named.iter().map(|name| table.standing(name, version.as_deref()));
    let name = named.first()?;
    if standings.into_iter().any(|standing| standing != Standing::Missing) {
        return None;
    }
    let last = table.entry(name).and_then(|entry| entry.last);
    if let Some(last) = last
        && version.as_ref().is_none_or(|version| *version > numbers(last))
    {
        return Some(table.removed(subject, name, last, version.as_deref()));
    }
    Some(table.not_there(subject, name, version.as_deref()))
}

impl<'a> Table<'a> {
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
            .severity(severity(version.is_some_and(|version| self.covers(version))))
    }

    /// It may still be served in another way, so it is never more than a warning.
    fn not_there(self, subject: &Subject<'_>, name: &str, version: Option<&[u32]>) -> Finding {
        let Self { engine, known } = self;
        let release = match version {
            Some(version) => version.iter().map(u32::to_string).collect::<Vec<_>>().join("."),
            None => format!("up to {}", self.releases().last().unwrap_or_default()),
        };
        let first = self.entry(name).and_then(|entry| {
            let at = entry.marks.find('+')?;
            self.releases().nth(at).filter(|release| {
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
        let Some(version) = version else {
            // A release that is not known is most likely one of the newest.
            return self.has(name, self.releases().count().saturating_sub(1));
        };
        if !self.covers(version) {
            let is_newer =
                self.releases().last().is_some_and(|last| version > numbers(last).as_slice());
            return if is_newer { self.standing(name, None) } else { Standing::Unknown };
        }
        let below = |release: &&str| numbers(release).as_slice() <= version;
        let below = self.releases().take_while(below).count();
        let exact = self.releases().any(|release| numbers(release).as_slice() == version);
        let low = self.has(name, below.saturating_sub(1));
        let high = if exact { low } else { self.has(name, below) };
        if low == high { low } else { Standing::Unknown }
    }

    /// Whether the release with that index has the architecture, or another of the same model.
    fn has(self, name: &str, release: usize) -> Standing {
        let stem = stem(name);
        let is_here = |entry: Entry<'_>| {
            (entry.name == name || stem.is_some_and(|stem| self::stem(entry.name) == Some(stem)))
                && entry.marks.as_bytes().get(release) == Some(&b'+')
        };
        if self.entries().any(is_here) { Standing::Here } else { Standing::Missing }
    }

    /// Whether the table speaks of that release.
    fn covers(self, version: &[u32]) -> bool {
        let within = |release: Option<&str>, order: std::cmp::Ordering| {
            release.is_some_and(|release| numbers(release).as_slice().cmp(version) != order)
        };
        within(self.releases().next(), std::cmp::Ordering::Greater)
            && within(self.releases().last(), std::cmp::Ordering::Less)
    }

    fn lines(self) -> impl Iterator<Item = &'a str> {
        self.known.table.lines().filter(|line| !line.starts_with('#'))
    }

    fn releases(self) -> impl Iterator<Item = &'a str> {
        let first = self.lines().next().unwrap_or_default();
        first.split(' ').skip(1)
    }

    fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        self.lines().skip(1).filter_map(|line| {
            let mut words = line.split(' ');
            Some(Entry { name: words.next()?, marks: words.next()?, last: words.next() })
        })
    }

    fn entry(self, name: &str) -> Option<Entry<'a>> {
        self.entries().find(|entry| entry.name == name)
    }
}

fn stem(name: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).filter(|stem| !stem.is_empty())
}

fn numbers(release: &str) -> Vec<u32> {
    release.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::engine::Engine;

    fn tables() -> impl Iterator<Item = Table<'static>> {
        Engine::ALL.into_iter().filter_map(|engine| {
            let known = engine.releases().architectures.as_ref()?;
            Some(Table { engine: engine.name(), known })
        })
    }

    #[test]
    fn every_table_is_well_formed() {
        assert_ne!(tables().count(), 0);
        for table in tables() {
            let count = table.releases().count();
            assert!(count >= 10, "{count}");
            for entry in table.entries() {
                assert_eq!(entry.marks.len(), count, "{}", entry.name);
                assert!(entry.marks.bytes().all(|mark| b"+-".contains(&mark)), "{}", entry.name);
                assert!(entry.last.is_none_or(|last| numbers(last).len() >= 2), "{}", entry.name);
            }
            let releases: Vec<_> = table.releases().map(numbers).collect();
            assert!(releases.is_sorted());
        }
    }

    #[test]
    fn a_release_between_two_that_differ_is_not_known() {
        use Standing::{Here, Missing, Unknown};
        let known = Engine::Vllm.releases().architectures.as_ref().unwrap();
        let table = Table { engine: "vLLM", known };
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
