//! Whether the lane's build of llama.cpp knows the names that a GGUF file has.

use super::{Subject, rules, severity};
use crate::facts::model::gguf::builds::{FIRST_BUILD, Kind, Name, Span};
use crate::facts::model::gguf::{Header, Newer, architectures};
use crate::findings::{Finding, Findings};
use crate::plan::engine::release_table::Standing;

/// The build of the lane's llama.cpp, where the tables describe it.
pub(super) fn covered(subject: &Subject<'_>) -> Option<u32> {
    subject.facts.lane.engine?.releases().first_build?;
    let build = *subject.version()?.first()?;
    (FIRST_BUILD..=architectures::NEWEST_BUILD).contains(&build).then_some(build)
}

/// Every name that other builds know and the lane's does not; what no build knows is
/// [`Header::newer`].
pub(super) fn judge(subject: &Subject<'_>, header: &Header, findings: &mut Findings) {
    let Some(build) = covered(subject) else { return };
    if !header.metadata.is_model() {
        return;
    }
    let architecture = header.metadata.architecture.as_deref().unwrap_or_default();
    for name in header.names() {
        let spans = name.spans();
        if spans.is_empty() || name.standing(build) == Standing::Here {
            continue;
        }
        if !name.key(architecture).is_some_and(|key| subject.overrides_key(&key)) {
            findings.push(not_in_build(subject, &name, &spans, build));
        }
    }
}

/// Whether there is nothing to be said of a name that the newest build does not know: the lane's build
/// does, or [`judge`] has said which one does.
pub(super) fn is_told(subject: &Subject<'_>, newer: &Newer) -> bool {
    let named = |kind, name: &str| Name { kind, name: name.to_owned() };
    let name = match newer {
        Newer::Architecture(name) => named(Kind::Architecture, name),
        Newer::Tokenizer(name) => named(Kind::Tokenizer, name),
        Newer::PreTokenizer(name) => named(Kind::PreTokenizer, name),
        Newer::Scaling(name) => named(Kind::Scaling, name),
        Newer::TensorType { .. } | Newer::Tensor(_) => return false,
    };
    covered(subject).is_some() && !name.spans().is_empty()
}

fn not_in_build(subject: &Subject<'_>, name: &Name, spans: &[Span], build: u32) -> Finding {
    let (since, fix) = match spans.iter().find(|span| build < span.first) {
        Some(Span { earliest, first, .. }) if earliest < first => (
            format!("knows since a build from b{earliest} to b{first}"),
            format!("use an image of build b{first} or newer, or another model"),
        ),
        Some(Span { first, .. }) => (
            format!("knows since build b{first}"),
            format!("use an image of build b{first} or newer, or another model"),
        ),
        None => {
            let last = spans.last().and_then(|span| span.last).unwrap_or(build);
            (
                format!("no longer knows after build b{last}"),
                format!("use an image of build b{last}, or another model"),
            )
        }
    };
    let message = format!(
        "`{}` has {}, which llama.cpp {since}, and the image has build b{build}",
        subject.shown().display(),
        name.shown()
    );
    let is_certain = name.standing(build) == Standing::Missing && name.kind.is_refused_by(build);
    subject.finding(&rules::ARCHITECTURE_UNSUPPORTED, message, fix).severity(severity(is_certain))
}
