//! Which architectures a release of vLLM has.

use super::{Subject, rules, severity};
use crate::engine::{Engine, Part};
use crate::finding::Finding;
use crate::model::Folder;
use crate::model::huggingface::FolderKind;

/// One line for each architecture, with a mark for each release; the file says how it is made.
const TABLE: &str = include_str!("vllm-architectures.txt");

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

/// A finding about the folder's architecture, where vLLM is its engine.
pub(super) fn architecture(subject: &Subject<'_>, folder: &Folder) -> Option<Finding> {
    let lane = &subject.facts.lane;
    if lane.engine != Some(Engine::Vllm)
        || subject.part() != Part::Model
        || folder.kind != FolderKind::Model
        || subject.overrides()
    {
        return None;
    }
    let named = &folder.config.as_ref()?.architectures;
    let version = subject.version().filter(|numbers| numbers.len() >= 2);
    let standings = named.iter().map(|name| standing(name, version.as_deref()));
    let name = named.first()?;
    if standings.into_iter().any(|standing| standing != Standing::Missing) {
        return None;
    }
    let last = entry(name).and_then(|entry| entry.last);
    if let Some(last) = last
        && version.as_ref().is_none_or(|version| *version > numbers(last))
    {
        return Some(removed(subject, name, last, version.as_deref()));
    }
    Some(not_there(subject, name, version.as_deref()))
}

fn removed(subject: &Subject<'_>, name: &str, last: &str, version: Option<&[u32]>) -> Finding {
    let message = format!(
        "`{}` has the architecture `{name}`, which vLLM has removed after {last}",
        subject.shown().display()
    );
    let fix = format!("pin `vllm/vllm-openai:v{last}`, or choose another model");
    subject
        .finding(&rules::ARCHITECTURE_UNSUPPORTED, message, fix)
        .severity(severity(version.is_some_and(is_covered)))
}

/// vLLM may still serve it with the code of transformers, so it is never more than a warning.
fn not_there(subject: &Subject<'_>, name: &str, version: Option<&[u32]>) -> Finding {
    let release = match version {
        Some(version) => version.iter().map(u32::to_string).collect::<Vec<_>>().join("."),
        None => format!("up to {}", releases().last().unwrap_or_default()),
    };
    let first = entry(name).and_then(|entry| {
        let at = entry.marks.find('+')?;
        releases()
            .nth(at)
            .filter(|release| version.is_some_and(|version| numbers(release).as_slice() > version))
    });
    let message = format!(
        "`{}` has the architecture `{name}`, which vLLM {release} does not have",
        subject.shown().display()
    );
    let fix = match first {
        Some(first) => format!("take vLLM {first} or newer, which has it"),
        None => "take a release of vLLM that has it, or another engine; vLLM tries it with the \
                 code of transformers, which works for some models"
            .to_owned(),
    };
    subject.finding(&rules::ARCHITECTURE_UNSUPPORTED, message, fix)
}

fn standing(name: &str, version: Option<&[u32]>) -> Standing {
    let Some(version) = version else {
        // A release that is not known is most likely one of the newest.
        return has(name, releases().count().saturating_sub(1));
    };
    if !is_covered(version) {
        let is_newer = releases().last().is_some_and(|last| version > numbers(last).as_slice());
        return if is_newer { standing(name, None) } else { Standing::Unknown };
    }
    let below = releases().take_while(|release| numbers(release).as_slice() <= version).count();
    let exact = releases().any(|release| numbers(release).as_slice() == version);
    let low = has(name, below.saturating_sub(1));
    let high = if exact { low } else { has(name, below) };
    if low == high { low } else { Standing::Unknown }
}

/// Whether the release with that index has the architecture, or another of the same model.
fn has(name: &str, release: usize) -> Standing {
    let stem = stem(name);
    let is_here = |entry: Entry<'_>| {
        (entry.name == name || stem.is_some_and(|stem| self::stem(entry.name) == Some(stem)))
            && entry.marks.as_bytes().get(release) == Some(&b'+')
    };
    if entries().any(is_here) { Standing::Here } else { Standing::Missing }
}

fn stem(name: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).filter(|stem| !stem.is_empty())
}

/// Whether the table speaks of that release.
pub(super) fn is_covered(version: &[u32]) -> bool {
    let within = |release: Option<&str>, order: std::cmp::Ordering| {
        release.is_some_and(|release| numbers(release).as_slice().cmp(version) != order)
    };
    within(releases().next(), std::cmp::Ordering::Greater)
        && within(releases().last(), std::cmp::Ordering::Less)
}

fn lines() -> impl Iterator<Item = &'static str> {
    TABLE.lines().filter(|line| !line.starts_with('#'))
}

fn releases() -> impl Iterator<Item = &'static str> {
    let first = lines().next().unwrap_or_default();
    first.split(' ').skip(1)
}

fn entries() -> impl Iterator<Item = Entry<'static>> {
    lines().skip(1).filter_map(|line| {
        let mut words = line.split(' ');
        Some(Entry { name: words.next()?, marks: words.next()?, last: words.next() })
    })
}

fn entry(name: &str) -> Option<Entry<'static>> {
    entries().find(|entry| entry.name == name)
}

fn numbers(release: &str) -> Vec<u32> {
    release.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        let count = releases().count();
        assert!(count >= 10, "{count}");
        for entry in entries() {
            assert_eq!(entry.marks.len(), count, "{}", entry.name);
            assert!(entry.marks.bytes().all(|mark| b"+-".contains(&mark)), "{}", entry.name);
            assert!(entry.last.is_none_or(|last| numbers(last).len() >= 2), "{}", entry.name);
        }
        let releases: Vec<_> = releases().map(numbers).collect();
        assert!(releases.is_sorted());
    }

    #[test]
    fn a_release_between_two_that_differ_is_not_known() {
        use Standing::{Here, Missing, Unknown};
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
            assert_eq!(standing(name, Some(&numbers(version))), expected, "{name} in {version}");
        }
        // It came back.
        assert_eq!(standing("BartForConditionalGeneration", Some(&[0, 12, 0])), Missing);
        assert_eq!(standing("BartForConditionalGeneration", None), Here);
    }
}
