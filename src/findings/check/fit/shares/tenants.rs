//! Who takes how much of which GPU.

use std::collections::BTreeMap;

use crate::facts::model::huggingface::{Folder, FolderKind};
use crate::facts::model::{ModelFacts, Shape};
use crate::facts::{LaneFacts, ProjectFacts};
use crate::findings::check::fit::Started;
use crate::plan::engine::{Filled, Part, TakenShare};
use crate::project::gpus::{Gpu, Handed};
use crate::source_map::Place;

/// Of these kinds are models that give out text (vLLM 0.12.0 config/model.py, `_SUFFIX_TO_DEFAULTS`).
const OF_TEXT: [&str; 4] = ["ForCausalLM", "ForConditionalGeneration", "ChatModel", "LMHeadModel"];

/// A lane that takes a part of a GPU for itself.
pub(super) struct Tenant<'a> {
    pub(super) started: Started<'a>,
    pub(super) share: &'a TakenShare,
    pub(super) kind: Kind,
    /// How many containers its service has.
    pub(super) copies: u64,
    gpus: Vec<Gpu>,
}

/// What it does with its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It fills it at its start.
    Fills,
    /// It fills it if its model gives out text, which is not known.
    MayFill,
    /// It has to be free at its start, and is not filled.
    Asks,
    /// The same, and a part of it is filled.
    Partly,
}

impl<'a> Tenant<'a> {
    /// A lane that takes a part of GPUs that can be told; absent: it does not, or none of its
    /// containers is started.
    pub(super) fn of(
        started: Started<'a>,
        facts: &ProjectFacts<'_>,
        lanes: &[LaneFacts],
    ) -> Option<Self> {
        let share = started.invocation.spread.share.as_ref()?;
        let gpus = started.invocation.takes(&started.gpus(facts));
        let copies = facts.copies(&started.service.name.value);
        let own = lanes.iter().find(|facts| facts.lane.name == started.lane.name);
        let kind = match share.filled {
            Filled::Partly => Kind::Partly,
            Filled::Never => Kind::Asks,
            Filled::ByText => match own.and_then(gives_text) {
                Some(true) => Kind::Fills,
                Some(false) => Kind::Asks,
                None => Kind::MayFill,
            },
        };
        let is_there = !gpus.is_empty() && copies > 0;
        is_there.then_some(Self { started, share, kind, copies, gpus })
    }

    pub(super) fn name(&self) -> &'a str {
        &self.started.lane.name
    }

    fn service(&self) -> &'a str {
        &self.started.service.name.value
    }

    /// What all of its containers take, in millionths.
    pub(super) fn whole(&self) -> u64 {
        self.share.share.0.saturating_mul(self.copies)
    }

    /// What says how much it takes, else its service.
    pub(super) fn place(&self) -> &Place {
        self.share.said.as_ref().map_or(&self.started.service.name.place, |said| &said.place)
    }

    /// What to say there.
    pub(super) fn told(&self) -> String {
        let share = self.share.share.shown();
        match self.share.said {
            Some(_) => format!("`{}` takes {share}", self.name()),
            None => {
                let engine = self.started.invocation.engine.name();
                format!("`{}` takes {share}, which is {engine}'s own choice", self.name())
            }
        }
    }
}

/// Those that share a GPU and are there at the same time, by GPU. What is only likely to be the same
/// GPU counts as one where it need not be proved.
pub(super) fn by_gpu<'t, 'a>(
    tenants: &'t [Tenant<'a>],
    is_proved: bool,
) -> BTreeMap<Gpu, Vec<&'t Tenant<'a>>> {
    let mut by_gpu: BTreeMap<Gpu, Vec<&Tenant<'_>>> = BTreeMap::new();
    for tenant in tenants {
        for gpu in &tenant.gpus {
            let gpu = if is_proved { gpu.clone() } else { likely(gpu) };
            let there = by_gpu.entry(gpu).or_default();
            // Several lanes can be one process.
            let is_same = |known: &&Tenant<'_>| known.service() == tenant.service();
            if !there.iter().any(is_same) {
                there.push(tenant);
            }
        }
    }
    for there in by_gpu.values_mut() {
        let all = there.clone();
        there.retain(|tenant| !all.iter().any(|other| is_over(tenant, other)));
    }
    by_gpu
}

/// The GPU that it is where a process numbers GPUs as the driver does.
fn likely(gpu: &Gpu) -> Gpu {
    match gpu {
        Gpu::Numbered { number, of: Handed::All } => Gpu::Index(*number),
        Gpu::Numbered { number, of: Handed::These(gpus) } => {
            let at = usize::try_from(*number).ok();
            at.and_then(|at| gpus.get(at)).unwrap_or(gpu).clone()
        }
        Gpu::Index(_) | Gpu::Named(_) => gpu.clone(),
    }
}

/// Whether `tenant` has ended before `other` starts.
fn is_over(tenant: &Tenant<'_>, other: &Tenant<'_>) -> bool {
    let name = &tenant.started.service.name.value;
    other.started.service.edge_to_end_of(name).is_some()
}

/// Whether a lane's model gives out text; absent: not known.
fn gives_text(facts: &LaneFacts) -> Option<bool> {
    let folders = facts.artifacts.iter().filter(|it| it.artifact.part == Part::Model);
    let folder = folders.filter_map(|it| match &it.model {
        ModelFacts::Seen(model) => match &model.shape {
            Shape::Folder(folder) => Some(folder),
            Shape::File | Shape::Split(_) | Shape::Directory | Shape::Text(_) => None,
        },
        ModelFacts::Absent | ModelFacts::Denied(_) | ModelFacts::Unknown(_) => None,
    });
    folder.filter_map(|folder| is_of_text(folder)).next()
}

fn is_of_text(folder: &Folder) -> Option<bool> {
    match folder.kind {
        FolderKind::SentenceTransformers => Some(false),
        FolderKind::Adapter => None,
        FolderKind::Mistral => Some(true),
        FolderKind::Model => {
            let class = folder.config.as_ref()?.architectures.first()?;
            Some(OF_TEXT.iter().any(|end| class.ends_with(end)))
        }
    }
}
