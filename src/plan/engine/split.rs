//! What has to be divisible by the number of devices over which the layers of a model are split, and which
//! models cannot be put on the stages of a pipeline.

use crate::plan::engine::release_table::ReleaseTable;

/// The rules of one engine.
#[derive(Debug)]
pub struct SplitRules {
    /// The flag that says the number.
    pub flag: &'static str,
    /// The models of which it is known how the rest of a layer is split; of the others only the
    /// attention heads have to be divisible.
    pub families: &'static [Family],
    /// How layers are put on stages; absent: there are none, or that is not known.
    pub stages: Option<Stages>,
}

/// What an engine knows of the stages of a pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Stages {
    /// The flag that says how many there are.
    pub flag: &'static str,
    /// The models that some releases cannot put on several; a release that has not got the mark cannot.
    pub whole: ReleaseTable,
}

/// Models whose layers are split alike: attention heads are divided, and so is the width of what follows.
#[derive(Debug)]
pub struct Family {
    /// Their classes, as `architectures` of a configuration names them.
    pub architectures: &'static [&'static str],
    /// Whether each layer has experts, whose width is divided, in place of one feed-forward part.
    pub experts: bool,
    /// Whether heads of keys and values are repeated where there are more devices; otherwise they have to be
    /// divided.
    pub repeats: bool,
    /// Whether the padded vocabulary has to be divided.
    pub vocabulary: bool,
    /// What each device has to have whole of quantised weights.
    pub pieces: WholePieces,
    /// The first release of which this is known.
    pub since: [u32; 3],
}

/// Pieces of quantised weights that each device has to have whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WholePieces {
    /// That is not known of any.
    None,
    /// Blocks, since a release.
    Blocks([u32; 3]),
    /// Groups and blocks.
    All,
}

impl Family {
    /// Heads of keys and values are divided or repeated, the vocabulary is divided, and so are groups and
    /// blocks, in all releases.
    pub(super) const PLAIN: Self = Self {
        architectures: &[],
        experts: false,
        repeats: true,
        vocabulary: true,
        pieces: WholePieces::All,
        since: [0, 0, 0],
    };
}

impl SplitRules {
    /// Those of an engine of which it is known that heads have to be divisible, and no more.
    pub(super) const fn of_heads(flag: &'static str) -> Self {
        Self { flag, families: &[], stages: None }
    }

    /// How a model of this class is split; absent: not known.
    #[must_use]
    pub fn family(&self, architecture: &str) -> Option<&'static Family> {
        self.families.iter().find(|family| family.architectures.contains(&architecture))
    }
}
