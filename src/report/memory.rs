//! What the lanes take of memory, for a person: a block for each GPU and for the memory of the host,
//! with a bar for each lane, and which lanes fit.

mod amounts;
mod bar;
mod block;
mod drawn;
mod lanes;

use self::amounts::Range;
pub(super) use self::drawn::{Drawn, drawn, uses};
use super::text::{Cleaner, cut_columns_end, listed};
use super::{LaneReport, Report, Telling};
use crate::amount::size;
use crate::facts::memory::{HostDevice, SizeSource};
use crate::plan::engine::Share;
use crate::plan::engine::memory::{Device, Part, Use};

/// One memory, and what lies in it.
struct Bank<'a> {
    place: Place<'a>,
    /// What is said of it beside its name.
    about: Vec<String>,
    /// How large it is; absent: not known.
    bytes: Option<u64>,
    /// In the plan's order.
    stays: Vec<Stay<'a>>,
}

/// A lane that takes a part of a memory.
struct Stay<'a> {
    lane: &'a LaneReport,
    parts: Vec<&'a Part>,
}

impl Stay<'_> {
    /// What its engine takes of a device of so many bytes, whatever it needs; absent: it takes what it
    /// needs, or that is not known.
    fn claim(&self, bytes: Option<u64>) -> Option<(Share, u64)> {
        let is_of_gpu = self.parts.iter().any(|part| part.device != Device::Host);
        let claim = self.lane.memory.as_ref()?.claim.filter(|_| is_of_gpu)?;
        Some((claim.share, claim.share.of(bytes?)))
    }

    /// What it takes of a memory of so many bytes, without what the system takes away when it needs it.
    fn takes(&self, bytes: Option<u64>) -> Range {
        let needs = Range::sum(self.parts.iter().copied().filter(|part| !part.mapped));
        match self.claim(bytes) {
            Some((_, claimed)) => {
                let low = needs.low.max(claimed);
                Range { low, high: Some(needs.high.map_or(low, |high| high.max(claimed))) }
            }
            None => needs,
        }
    }
}

/// Where a memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    /// The memory of the host.
    Host,
    /// The part of it that the container of a lane is limited to.
    Limit(&'a str),
    /// The GPU of that index or UUID.
    Gpu(&'a str),
    /// The GPU that a lane numbers so; which one of the host that is cannot be told.
    Numbered(&'a str, u32),
    /// The GPUs of a lane together.
    Gpus(&'a str),
}

impl<'a> Place<'a> {
    /// Where a lane means with `device`.
    fn of(lane: &'a LaneReport, device: Device) -> Self {
        let keys = lane.memory.as_ref().map_or(&[][..], |memory| &memory.devices);
        let key = |index: u32| {
            let index = usize::try_from(index).ok()?;
            keys.get(index)?.as_deref()
        };
        let is_limited = lane.memory.as_ref().and_then(|it| it.host).is_some_and(|it| it.is_limit);
        match device {
            Device::Host if is_limited => Self::Limit(&lane.name),
            Device::Host => Self::Host,
            Device::Gpu(index) => key(index).map_or(Self::Numbered(&lane.name, index), Self::Gpu),
            Device::Gpus => Self::Gpus(&lane.name),
        }
    }

    /// What a person calls it.
    fn name(self, cleaner: Cleaner<'_>) -> String {
        match self {
            Self::Host => "host".to_owned(),
            Self::Limit(lane) => format!("container of `{}`", cleaner.line(lane)),
            // A UUID says what it is.
            Self::Gpu(key) if key.starts_with("GPU") => cleaner.line(key),
            Self::Gpu(key) => format!("GPU {}", cleaner.line(key)),
            Self::Numbered(lane, index) => format!("GPU {index} of `{}`", cleaner.line(lane)),
            Self::Gpus(lane) => format!("the GPUs of `{}`", cleaner.line(lane)),
        }
    }
}

impl<'a> Bank<'a> {
    /// One that is known by what a lane takes of it.
    fn at(place: Place<'a>, lane: &LaneReport) -> Self {
        let host = lane.memory.as_ref().and_then(|memory| memory.host);
        let host = host.filter(|_| matches!(place, Place::Host | Place::Limit(_)));
        let swap = host.and_then(|host| host.swap).filter(|swap| *swap > 0);
        let swap = swap.map(|swap| format!("{} of swap", size(swap)));
        let about = host.iter().map(|host| size(host.memory)).chain(swap).collect();
        let bytes = host.map(|host| host.all().unwrap_or(host.memory));
        Self { place, about, bytes, stays: Vec::new() }
    }

    fn add(&mut self, lane: &'a LaneReport, part: &'a Part) {
        match self.stays.last_mut().filter(|stay| stay.lane.name == lane.name) {
            Some(stay) => stay.parts.push(part),
            None => self.stays.push(Stay { lane, parts: vec![part] }),
        }
    }

    /// What all lanes together take.
    fn taken(&self) -> Range {
        let nothing = Range { low: 0, high: Some(0) };
        self.stays.iter().fold(nothing, |sum, stay| sum.plus(stay.takes(self.bytes)))
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.stays.iter().flat_map(|stay| stay.parts.iter().copied())
    }
}

/// The blocks and the table of the lanes, with a line break at its end.
pub(super) fn human(report: &Report, telling: Telling<'_>) -> String {
    let lanes = lanes::human(&report.lanes, telling.cleaner(), telling.layout);
    format!("{}{lanes}", bars(report, telling))
}

/// A block for each memory, and what the columns of the bars mean, with an empty line behind each.
pub(super) fn bars(report: &Report, telling: Telling<'_>) -> String {
    let (cleaner, layout) = (telling.cleaner(), telling.layout);
    let banks = banks(report);
    let mut out = String::new();
    for bank in &banks {
        out.push_str(&block::human(bank, cleaner, layout));
        out.push('\n');
    }
    let mut uses: Vec<Use> = parts(&banks).map(|part| part.use_for).collect();
    uses.sort_unstable();
    uses.dedup();
    if !uses.is_empty() {
        let has_perhaps = parts(&banks).any(|part| !part.exact);
        let claims = |bank: &Bank<'_>| bank.stays.iter().any(|it| it.claim(bank.bytes).is_some());
        let has_claims = banks.iter().any(claims);
        let legend = bar::legend(&uses, has_perhaps, has_claims, layout);
        out.push_str(&format!("{legend}\n\n"));
    }
    out
}

/// A row for each lane in each memory: the memory, the lane, its parts, their sum, and what all lanes
/// leave.
pub(super) fn rows(report: &Report, cleaner: Cleaner<'_>) -> Vec<[String; 5]> {
    let of_bank = |bank: &Bank<'_>| {
        let (title, left) = (block::title(bank, cleaner), block::left(bank).unwrap_or_default());
        let row = |stay: &Stay<'_>| {
            let row = block::row(stay, bank, cleaner);
            [title.clone(), row.name, row.parts.join(", "), row.sum, left.clone()]
        };
        let rows: Vec<[String; 5]> = bank.stays.iter().map(row).collect();
        let nobody =
            || vec![[title.clone(), String::new(), String::new(), String::new(), left.clone()]];
        if rows.is_empty() { nobody() } else { rows }
    };
    banks(report).iter().flat_map(of_bank).collect()
}

/// What stands in a bar.
fn parts<'a>(banks: &'a [Bank<'_>]) -> impl Iterator<Item = &'a Part> {
    banks.iter().flat_map(Bank::parts).filter(|part| !part.mapped)
}

/// A line for each GPU whose memory is known: for a report that is about more than memory.
pub(super) fn brief(report: &Report, telling: Telling<'_>) -> String {
    let (cleaner, width) = (telling.cleaner(), telling.layout.width);
    let line = |bank: &Bank<'_>| {
        let bytes = bank.bytes.filter(|_| matches!(bank.place, Place::Gpu(_)))?;
        let lanes: Vec<String> =
            bank.stays.iter().map(|stay| format!("`{}`", cleaner.line(&stay.lane.name))).collect();
        let taken = bank.taken();
        let of = if lanes.is_empty() { "nobody".to_owned() } else { listed(&lanes) };
        let said = format!(
            "{}: {} of {} taken, by {of}",
            bank.place.name(cleaner),
            taken.shown(),
            size(bytes)
        );
        Some(format!("{}\n", cut_columns_end(&said, width)))
    };
    banks(report).iter().filter_map(line).collect()
}

/// Every memory in which a lane takes something, GPUs first, and every GPU whose memory is known.
fn banks(report: &Report) -> Vec<Bank<'_>> {
    let mut banks: Vec<Bank<'_>> = report.devices.iter().map(of_device).collect();
    for lane in &report.lanes {
        for part in lane.memory.iter().flat_map(|memory| &memory.parts) {
            let place = Place::of(lane, part.device);
            let at = banks.iter().position(|bank| bank.place == place).unwrap_or(banks.len());
            if at == banks.len() {
                banks.push(Bank::at(place, lane));
            }
            if let Some(bank) = banks.get_mut(at) {
                bank.add(lane, part);
            }
        }
    }
    // The sort is stable.
    banks.sort_by_key(|bank| matches!(bank.place, Place::Host | Place::Limit(_)));
    banks
}

fn of_device(device: &HostDevice) -> Bank<'_> {
    let source = match device.source {
        SizeSource::Declared => "declared",
        SizeSource::Sysfs => "as its driver says",
        SizeSource::Name => "by its name",
    };
    let told = format!("{} ({source})", size(device.memory));
    let reserved = Some(device.reserved).filter(|reserved| *reserved > 0);
    let reserved = reserved.map(|reserved| format!("{} of it reserved", size(reserved)));
    Bank {
        place: Place::Gpu(&device.key),
        about: device.name.iter().cloned().chain([told]).chain(reserved).collect(),
        bytes: Some(device.room()),
        stays: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
