//! Whether the lane's build of llama.cpp knows the names that a GGUF file has.

use super::{Subject, rules, severity};
use crate::facts::model::gguf::builds::{FIRST_BUILD, Kind, Name, Span};
use crate::facts::model::gguf::{Header, Newer, architectures};
use crate::findings::{Finding, Findings};
use crate::plan::engine::release_table::Standing;

/// Which build the lane's llama.cpp is, where the tables describe it.
#[derive(Clone, Copy)]
enum Build {
    /// That one.
    Is(u32),
    /// That one or an older one, by the day on which the image was made.
    UpTo(u32),
}

impl Build {
    fn of(subject: &Subject<'_>) -> Option<Self> {
        let invocation = subject.facts.lane.invocation.as_ref()?;
        subject.facts.lane.engine?.releases().first_build?;
        let is_covered = |build: &u32| (FIRST_BUILD..=architectures::NEWEST_BUILD).contains(build);
        if let Some(version) = subject.version() {
            return version.first().copied().filter(is_covered).map(Self::Is);
        }
        let newest = invocation.newest_possible?.strip_prefix('b')?.parse().ok()?;
        is_covered(&newest).then_some(Self::UpTo(newest))
    }

    /// How it stands to a name; every build that it may be.
    fn standing(self, name: &Name) -> Standing {
        match self {
            Self::Is(build) => name.standing(build),
            Self::UpTo(build) if name.spans().iter().all(|span| build < span.earliest) => {
                Standing::Missing
            }
            Self::UpTo(_) => Standing::Unknown,
        }
    }

    fn newest(self) -> u32 {
        match self {
            Self::Is(build) | Self::UpTo(build) => build,
        }
    }
}

/// Every name that other builds know and the lane's does not; what no build knows is
/// [`Header::newer`].
pub(super) fn judge(subject: &Subject<'_>, header: &Header, findings: &mut Findings) {
    let Some(build) = Build::of(subject) else { return };
    if !header.metadata.is_model() {
        return;
    }
    let architecture = header.metadata.architecture.as_deref().unwrap_or_default();
    for name in header.names().iter().filter(|name| is_lacked(build, name)) {
        if !name.key(architecture).is_some_and(|key| subject.overrides_key(&key)) {
            findings.push(not_in_build(subject, name, build));
        }
    }
}

/// Whether the lane's build is known to have a name that newer ones have not, or [`judge`] says that
/// it has not either.
pub(super) fn answers(subject: &Subject<'_>, name: &Name) -> bool {
    match Build::of(subject) {
        None => false,
        Some(Build::Is(_)) => true,
        Some(Build::UpTo(newest)) => name.standing(newest) == Standing::Here,
    }
}

/// Whether the table says that the build does not have that name, or perhaps not.
fn is_lacked(build: Build, name: &Name) -> bool {
    match build.standing(name) {
        Standing::Here => false,
        Standing::Missing => !name.spans().is_empty(),
        Standing::Unknown => matches!(build, Build::Is(_)),
    }
}

/// What there is to say of a name that the newest build does not know.
pub(super) enum Told {
    /// Nothing: the lane's build does, or [`judge`] has said which one does.
    Already,
    /// The lane's build is known, and does not either.
    Certain,
    /// The lane's build is not known.
    Likely,
}

/// What there is to say of it.
pub(super) fn told(subject: &Subject<'_>, newer: &Newer) -> Told {
    let named = |kind, name: &str| Some(Name { kind, name: name.to_owned() });
    let name = match newer {
        Newer::Architecture(name) => named(Kind::Architecture, name),
        Newer::Tokenizer(name) => named(Kind::Tokenizer, name),
        Newer::PreTokenizer(name) => named(Kind::PreTokenizer, name),
        Newer::Scaling(name) => named(Kind::Scaling, name),
        Newer::TensorType { .. } | Newer::Tensor(_) => None,
    };
    let Some(build) = Build::of(subject) else { return Told::Likely };
    match name.filter(|name| !name.spans().is_empty()) {
        None => Told::Certain,
        Some(name) if is_lacked(build, &name) || matches!(build, Build::Is(_)) => Told::Already,
        Some(_) => Told::Likely,
    }
}

fn not_in_build(subject: &Subject<'_>, name: &Name, build: Build) -> Finding {
    let (spans, newest) = (name.spans(), build.newest());
    let (since, fix) = match spans.iter().find(|span| newest < span.first) {
        Some(Span { earliest, first, .. }) if earliest < first => (
            format!("knows since a build from b{earliest} to b{first}"),
            format!("use an image of build b{first} or newer, or another model"),
        ),
        Some(Span { first, .. }) => (
            format!("knows since build b{first}"),
            format!("use an image of build b{first} or newer, or another model"),
        ),
        None => {
            let last = spans.last().and_then(|span| span.last).unwrap_or(newest);
            (
                format!("no longer knows after build b{last}"),
                format!("use an image of build b{last}, or another model"),
            )
        }
    };
    let message = format!(
        "`{}` has {}, which llama.cpp {since}, and the image has build b{newest}{}",
        subject.shown().display(),
        name.shown(),
        if matches!(build, Build::UpTo(_)) { " or an older one" } else { "" }
    );
    let is_certain = build.standing(name) == Standing::Missing && name.kind.is_refused_by(newest);
    let finding = subject.finding(&rules::ARCHITECTURE_UNSUPPORTED, message, fix);
    subject.by_release(finding).severity(severity(is_certain))
}
