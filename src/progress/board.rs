//! Where every lane stands: the sums behind all renderings.

use std::time::Duration;

use indexmap::IndexMap;
use tokio::time::Instant;

use super::Event;

/// The lanes, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) lanes: IndexMap<String, Lane>,
}

/// One lane's fetch.
#[derive(Debug)]
pub(super) struct Lane {
    /// Files to bring.
    pub(super) files: usize,
    /// Bytes to bring.
    pub(super) bytes: u64,
    /// Files that are in their place.
    pub(super) finished: usize,
    /// Bytes that are here; never goes back.
    pub(super) received: u64,
    /// Bytes that were counted and have to come again before any more are.
    owed: u64,
    began: Instant,
    /// When the lane was last told about, and how many bytes it had then.
    told: (Instant, u64),
}

impl Board {
    /// Takes an event into account; the lane that it is about.
    pub(super) fn apply(&mut self, event: &Event) -> &mut Lane {
        let (Event::Started { lane, .. }
        | Event::Received { lane, .. }
        | Event::Again { lane, .. }
        | Event::Finished { lane, .. }) = event;
        let lane = self.lanes.entry(lane.clone()).or_insert_with(Lane::new);
        match event {
            Event::Started { files, bytes, .. } => {
                lane.files += files;
                lane.bytes += bytes;
            }
            Event::Received { bytes, .. } => {
                let paid = lane.owed.min(*bytes);
                lane.owed -= paid;
                lane.received = (lane.received + bytes - paid).min(lane.bytes);
            }
            Event::Again { bytes, .. } => lane.owed += bytes,
            Event::Finished { .. } => lane.finished += 1,
        }
        lane
    }
}

impl Lane {
    fn new() -> Self {
        let now = Instant::now();
        Self { files: 0, bytes: 0, finished: 0, received: 0, owed: 0, began: now, told: (now, 0) }
    }

    /// Whether all of its files are in their place.
    pub(super) fn is_done(&self) -> bool {
        self.finished >= self.files
    }

    /// Hundredths of its bytes, rounded down.
    pub(super) fn percent(&self) -> u64 {
        percent(self.received, self.bytes)
    }

    /// The percentage when it was last told about.
    pub(super) fn percent_told(&self) -> u64 {
        percent(self.told.1, self.bytes)
    }

    /// How long ago it was last told about.
    pub(super) fn untold(&self) -> Duration {
        self.told.0.elapsed()
    }

    /// Since it began.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Notes that it is told about now; bytes per second since the last time.
    pub(super) fn tell(&mut self) -> u64 {
        let (then, before) = self.told;
        self.told = (Instant::now(), self.received);
        per_second(self.received - before, then.elapsed())
    }

    /// How long the rest takes at the pace of all that came so far; absent before anything came.
    pub(super) fn remaining(&self) -> Option<Duration> {
        let rate = per_second(self.received, self.elapsed());
        (rate > 0).then(|| Duration::from_secs((self.bytes - self.received).div_ceil(rate)))
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    u128::from(part)
        .saturating_mul(100)
        .checked_div(u128::from(whole))
        .map_or(100, |percent| u64::try_from(percent).unwrap_or(100))
}

fn per_second(bytes: u64, time: Duration) -> u64 {
    let milliseconds = time.as_millis().max(1);
    u64::try_from(u128::from(bytes) * 1000 / milliseconds).unwrap_or(u64::MAX)
}

/// `1.5 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while tenths >= 10_240 {
        let Some(next) = units.next() else { break };
        unit = Some(next);
        tenths /= 1024;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, unit.unwrap_or(&"KiB"))
}

/// `1:02:03` or `2:03`.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_for_people() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_572_864, "1.5 MiB"),
            (1024 * 1024 * 1024 - 1, "1023.9 MiB"),
            (u64::MAX, "16383.9 PiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
        assert_eq!(clock(Duration::from_secs(59)), "0:59");
        assert_eq!(clock(Duration::from_secs(3723)), "1:02:03");
    }

    #[test]
    fn bytes_never_go_back() {
        let mut board = Board::default();
        let lane = || "l".to_owned();
        let mut shown = Vec::new();
        for event in [
            Event::Started { lane: lane(), files: 1, bytes: 100 },
            Event::Received { lane: lane(), bytes: 100 },
            Event::Again { lane: lane(), bytes: 100, reason: String::new() },
            Event::Received { lane: lane(), bytes: 60 },
            Event::Received { lane: lane(), bytes: 60 },
        ] {
            shown.push(board.apply(&event).received);
        }
        assert_eq!(shown, [0, 100, 100, 100, 100]);
    }
}
