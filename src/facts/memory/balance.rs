//! What lanes take of the cards that they share, against what the cards have. Pure.

use std::collections::BTreeSet;

use crate::facts::memory::{Fits, HostDevice, LaneMemory, SizeSource};
use crate::facts::{LaneFacts, ProjectFacts};
use crate::plan::engine::memory::{Device, Part, Use};
use crate::plan::engine::{Filled, Share};

/// The least that a process takes of a card of NVIDIA beside its buffers: its context.
pub const CONTEXT: u64 = 300 << 20;

/// What is left free of a card where a share of it is proposed, in millionths.
const MARGIN: u64 = 30_000;

/// Shares that are proposed have two digits behind the point.
const HUNDREDTH: u64 = 10_000;

/// Cards, and the lanes that take a part of them and of no others.
#[derive(Debug)]
pub struct Balance<'a> {
    /// The cards: one, or several over which a lane is spread.
    pub cards: Vec<&'a HostDevice>,
    /// Who takes a part, in the order of the lanes; each service once.
    pub takers: Vec<Taker<'a>>,
}

/// A lane that takes a part of cards.
#[derive(Debug, Clone)]
pub struct Taker<'a> {
    /// The lane.
    pub lane: &'a LaneFacts,
    /// What takes memory there.
    pub parts: Vec<Part>,
    /// How many containers its service has.
    pub copies: u64,
    /// What its engine takes there, whatever it needs, and whether it fills it.
    pub claim: Option<Claimed>,
    /// Whether what it takes cannot be elsewhere.
    pub is_firm: bool,
}

/// A share of cards that an engine takes for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// Of each card.
    pub share: Share,
    /// Bytes.
    pub bytes: u64,
    /// Whether it is filled as soon as the engine starts.
    pub is_filled: bool,
}

/// How certain it is that something does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Short {
    /// It may not: only the most that it can take is too much.
    Possibly,
    /// It does not, if all is as it seems.
    Likely,
    /// It does not.
    Certainly,
}

impl<'a> Balance<'a> {
    /// Every card on which lanes are, and every set of cards over which one is spread.
    #[must_use]
    pub fn all(
        project: &ProjectFacts<'_>,
        lanes: &'a [LaneFacts],
        devices: &'a [HostDevice],
    ) -> Vec<Self> {
        let mut sets: Vec<BTreeSet<&str>> =
            devices.iter().map(|device| BTreeSet::from([device.key.as_str()])).collect();
        let spread = lanes.iter().filter_map(|lane| lane.memory.as_ref());
        for memory in spread.filter(|memory| memory.among.len() > 1) {
            let set = memory.among.iter().map(String::as_str).collect();
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        let balances = sets.into_iter().filter_map(|set| Self::of(&set, project, lanes, devices));
        balances.filter(|balance| !balance.takers.is_empty()).collect()
    }

    fn of(
        set: &BTreeSet<&str>,
        project: &ProjectFacts<'_>,
        lanes: &'a [LaneFacts],
        devices: &'a [HostDevice],
    ) -> Option<Self> {
        let cards: Vec<&HostDevice> =
            devices.iter().filter(|device| set.contains(device.key.as_str())).collect();
        if cards.len() != set.len() {
            return None;
        }
        let active = lanes.iter().filter(|lane| lane.lane.skipped.is_none());
        let all: Vec<Taker<'_>> =
            active.filter_map(|lane| Taker::of(lane, &cards, project)).collect();
        let mut takers: Vec<Taker<'_>> = Vec::new();
        for taker in &all {
            if all.iter().any(|other| is_over(taker, other, project)) {
                continue;
            }
            // Several lanes can be one process, or take turns in one.
            match takers.iter_mut().find(|known| known.service() == taker.service()) {
                Some(known) if known.least() < taker.least() => *known = taker.clone(),
                Some(_) => {}
                None => takers.push(taker.clone()),
            }
        }
        Some(Self { cards, takers })
    }

    /// What a lane takes of them; absent: nothing, or another lane of its service counts.
    #[must_use]
    pub fn taker(&self, lane: &LaneFacts) -> Option<&Taker<'a>> {
        self.takers.iter().find(|taker| taker.lane.lane.name == lane.lane.name)
    }

    /// Bytes that lanes can take.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.cards.iter().fold(0, |sum: u64, card| sum.saturating_add(card.room()))
    }

    /// Whether all of them fit together; absent: they do, or that is not known.
    #[must_use]
    pub fn short(&self) -> Option<Short> {
        let all = self.takers.iter();
        let certain = all.clone().fold(0, |sum: u64, it| sum.saturating_add(it.certain()));
        let least = all.clone().fold(0, |sum: u64, it| sum.saturating_add(it.least()));
        let mut all = all;
        let most = all.try_fold(0_u64, |sum, it| Some(sum.saturating_add(it.most()?)));
        self.judge(certain, least, most, self.room())
    }

    /// Whether one of them fits alone, into its share where it has one.
    #[must_use]
    pub fn short_alone(&self, taker: &Taker<'_>) -> Option<Short> {
        let share = taker.claim.map(|claim| claim.bytes);
        let room = share.map_or(self.room(), |share| share.min(self.room()));
        let copies = if share.is_some() { 1 } else { taker.copies };
        let times = |bytes: u64| bytes.saturating_mul(copies);
        let certain = if taker.is_firm { times(sum(&taker.parts, is_certain)) } else { 0 };
        let most = if share.is_some() { taker.high() } else { taker.most() };
        self.judge(certain, times(sum(&taker.parts, |_| true)), most, room)
    }

    fn judge(&self, certain: u64, least: u64, most: Option<u64>, room: u64) -> Option<Short> {
        let is_known = self.cards.iter().all(|card| card.source != SizeSource::Name);
        if room < certain {
            return Some(if is_known { Short::Certainly } else { Short::Likely });
        }
        if room < least {
            return Some(Short::Likely);
        }
        most.filter(|most| room < *most).map(|_| Short::Possibly)
    }

    /// What the others leave for `taker`, as far as it is known how much they take.
    #[must_use]
    pub fn left_for(&self, taker: &Taker<'_>) -> u64 {
        let others = self.takers.iter().filter(|other| other.service() != taker.service());
        let taken = others.fold(0, |sum: u64, other| {
            sum.saturating_add(other.most().unwrap_or_else(|| other.least()))
        });
        self.room().saturating_sub(taken)
    }

    /// The share that the others leave to `taker` of the only card, where what it needs fits into it; absent:
    /// none does, it takes no more now, or all fit together.
    #[must_use]
    pub fn smaller_share(&self, taker: &Taker<'_>) -> Option<Share> {
        self.short()?;
        let claim = taker.claim.filter(|_| taker.copies == 1)?;
        let [card] = self.cards.as_slice() else { return None };
        let left = Share::part(self.left_for(taker), card.memory).0.saturating_sub(MARGIN);
        let left = Share(left / HUNDREDTH * HUNDREDTH);
        let fits = taker.high().is_some_and(|needed| needed <= left.of(card.memory));
        Some(left).filter(|left| fits && *left < claim.share)
    }

    /// The share into which what `taker` needs of the only card fits, where the card has as much and nobody
    /// else takes a part of it; absent: none does, or it takes as much now.
    #[must_use]
    pub fn larger_share(&self, taker: &Taker<'_>) -> Option<Share> {
        let claim = taker.claim.filter(|_| self.takers.len() == 1)?;
        let [card] = self.cards.as_slice() else { return None };
        let needed = Share::part(taker.high()?, card.memory).0.div_ceil(HUNDREDTH);
        let needed = Share(needed.saturating_mul(HUNDREDTH));
        Some(needed).filter(|it| claim.share < *it && it.0 <= Share::WHOLE.0 - MARGIN)
    }

    /// Whether a lane fits beside the others.
    #[must_use]
    pub fn fits(&self, taker: &Taker<'_>) -> Fits {
        match self.short_alone(taker).max(self.short()) {
            Some(Short::Certainly) => Fits::No,
            Some(Short::Likely | Short::Possibly) => Fits::Unknown,
            None if taker.high().is_some() => Fits::Yes,
            None => Fits::Unknown,
        }
    }
}

impl<'a> Taker<'a> {
    fn of(lane: &'a LaneFacts, cards: &[&HostDevice], project: &ProjectFacts<'_>) -> Option<Self> {
        let memory = lane.memory.as_ref()?;
        let invocation = lane.lane.invocation.as_ref()?;
        let is_there = |part: &&Part| is_within(part.device, memory, cards);
        let parts: Vec<Part> = memory.parts.iter().filter(is_there).copied().collect();
        let copies = project.copies(lane.lane.services.first()?);
        if parts.is_empty() || copies == 0 {
            return None;
        }
        let keeps_text = parts.iter().any(|part| part.use_for == Use::Cache && part.low > 0);
        let share = invocation.spread.share.as_ref();
        let is_filled = keeps_text && share.is_some_and(|share| share.filled == Filled::ByText);
        let claim = memory.claim.map(|claim| Claimed {
            share: claim.share,
            bytes: used(&parts, memory, cards).map(|card| claim.share.of(card.memory)).sum(),
            is_filled,
        });
        let claim = claim.filter(|claim| claim.bytes > 0);
        Some(Self { lane, parts, copies, claim, is_firm: memory.is_firm })
    }

    /// The service that starts it.
    #[must_use]
    pub fn service(&self) -> &'a str {
        self.lane.lane.services.first().map_or("", String::as_str)
    }

    /// Bytes that it takes for certain, or none where they can be elsewhere.
    #[must_use]
    pub fn certain(&self) -> u64 {
        let needed = if self.is_firm { sum(&self.parts, is_certain) } else { 0 };
        needed.max(self.filled()).saturating_mul(self.copies)
    }

    /// Bytes that it takes at least.
    #[must_use]
    pub fn least(&self) -> u64 {
        sum(&self.parts, |_| true).max(self.filled()).saturating_mul(self.copies)
    }

    /// Bytes that it takes at most; absent: not known, or it takes what there is.
    #[must_use]
    pub fn most(&self) -> Option<u64> {
        let most = match self.claim {
            Some(claim) => claim.bytes,
            None => self.high()?,
        };
        Some(most.saturating_add(CONTEXT).saturating_mul(self.copies))
    }

    fn filled(&self) -> u64 {
        self.claim.filter(|claim| claim.is_filled).map_or(0, |claim| claim.bytes)
    }

    /// Bytes that its parts take at least, in one container.
    #[must_use]
    pub fn needed(&self) -> u64 {
        sum(&self.parts, |_| true)
    }

    /// What its parts take at most, in one container; absent: not known, or it makes what it keeps fit.
    #[must_use]
    pub fn high(&self) -> Option<u64> {
        let is_fixed = |part: &&Part| {
            !is_certain(part)
                || part.high.is_some_and(|high| high - part.low.min(high) <= high / 10)
        };
        if self.claim.is_none() && !self.parts.iter().all(|part| is_fixed(&part)) {
            return None;
        }
        self.parts.iter().try_fold(0_u64, |sum, part| Some(sum.saturating_add(part.high?)))
    }
}

/// Whether the lower bound of a part is one, whatever the engine does.
fn is_certain(part: &Part) -> bool {
    matches!(part.use_for, Use::Weights | Use::Cache | Use::State)
}

fn sum(parts: &[Part], counts: impl Fn(&Part) -> bool) -> u64 {
    let counted = parts.iter().filter(|part| counts(part));
    counted.fold(0, |sum, part| sum.saturating_add(part.low))
}

/// Whether all that lies on `device` lies on these cards.
fn is_within(device: Device, memory: &LaneMemory, cards: &[&HostDevice]) -> bool {
    let has = |key: &str| cards.iter().any(|card| card.key == key);
    match device {
        Device::Host => false,
        Device::Gpu(number) => match memory.key(number) {
            Some(key) => has(key),
            None => !memory.among.is_empty() && memory.among.iter().all(|key| has(key)),
        },
        Device::Gpus => !memory.among.is_empty() && memory.among.iter().all(|key| has(key)),
    }
}

/// Those of the cards on which parts lie that can be told apart.
fn used<'c>(
    parts: &[Part],
    memory: &LaneMemory,
    cards: &[&'c HostDevice],
) -> impl Iterator<Item = &'c HostDevice> {
    let keys: BTreeSet<&str> = parts
        .iter()
        .filter_map(|part| match part.device {
            Device::Gpu(number) => memory.key(number),
            Device::Host | Device::Gpus => None,
        })
        .collect();
    let used: Vec<&HostDevice> =
        cards.iter().copied().filter(|card| keys.contains(card.key.as_str())).collect();
    used.into_iter()
}

/// Whether one has ended before the other starts.
fn is_over(taker: &Taker<'_>, other: &Taker<'_>, project: &ProjectFacts<'_>) -> bool {
    let other = project.project.service(other.service());
    other.is_some_and(|other| other.edge_to_end_of(taker.service()).is_some())
}
