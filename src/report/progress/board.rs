//! Where every lane stands: the sums behind all renderings.

use std::collections::VecDeque;
use std::time::Duration;

use indexmap::IndexMap;
use tokio::time::Instant;

use crate::progress::Event;

/// The lanes, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) lanes: IndexMap<String, Lane>,
}

/// What is done for a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Its files are brought.
    Fetch,
    /// Its files are hashed.
    Hash,
}

/// One lane's fetch, or the hashing of its files.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) work: Work,
    /// Files to bring or to hash.
    pub(super) files: usize,
    /// Bytes to bring or to hash.
    pub(super) bytes: u64,
    /// Files that are in their place.
    pub(super) finished: usize,
    /// Bytes that are here or hashed; never goes back.
    pub(super) done: u64,
    /// Of these, the ones that an earlier run has left.
    pub(super) resumed: u64,
    /// Bytes that are proven; never goes back, never more than there are.
    pub(super) verified: u64,
    /// Bytes that were counted and have to come again before any more are.
    owed: u64,
    began: Instant,
    /// When the lane was last told about, and how many bytes had moved by then.
    told: (Instant, u64),
    /// The percentage that was last told.
    percent_told: u64,
    /// When so many bytes had moved, of the last moments; the oldest first.
    samples: VecDeque<(Instant, u64)>,
}

/// How far back the pace of now goes.
const MOMENTS: Duration = Duration::from_secs(15);

/// How often the pace is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);

impl Board {
    /// Takes an event into account; the lane that it is about.
    pub(super) fn apply(&mut self, event: &Event) -> &mut Lane {
        let lane = self.lanes.entry(event.lane().to_owned()).or_insert_with(Lane::new);
        match event {
            Event::Started { files, bytes, .. } => lane.begin(Work::Fetch, *files, *bytes),
            Event::Hashing { files, bytes, .. } => lane.begin(Work::Hash, *files, *bytes),
            Event::Received { bytes, .. } => {
                let paid = lane.owed.min(*bytes);
                lane.owed -= paid;
                lane.done = lane.done.saturating_add(bytes - paid).min(lane.bytes);
            }
            Event::Resumed { bytes, .. } => {
                let left = lane.bytes.saturating_sub(lane.done);
                lane.resumed += left.min(*bytes);
                lane.done += left.min(*bytes);
            }
            Event::Verified { bytes, .. } => {
                lane.verified = lane.verified.saturating_add(*bytes).min(lane.bytes);
                if lane.work == Work::Hash {
                    lane.done = lane.verified;
                }
            }
            Event::Again { bytes, .. } => lane.owed = lane.owed.saturating_add(*bytes),
            Event::Waiting { .. } => {}
            Event::Finished { .. } => lane.finished += 1,
        }
        lane.sample();
        lane
    }
}

impl Lane {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            work: Work::Fetch,
            files: 0,
            bytes: 0,
            finished: 0,
            done: 0,
            resumed: 0,
            verified: 0,
            owed: 0,
            began: now,
            told: (now, 0),
            percent_told: 0,
            samples: VecDeque::from([(now, 0)]),
        }
    }

    /// More of the same work adds to it; other work begins at nothing.
    fn begin(&mut self, work: Work, files: usize, bytes: u64) {
        if self.work != work {
            *self = Self { work, ..Self::new() };
        }
        self.files += files;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Whether all of its files are in their place.
    pub(super) fn is_done(&self) -> bool {
        self.finished >= self.files
    }

    /// Hundredths of its bytes, rounded down.
    pub(super) fn percent(&self) -> u64 {
        percent(self.done, self.bytes)
    }

    /// The percentage when it was last told about.
    pub(super) fn percent_told(&self) -> u64 {
        self.percent_told
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
        self.told = (Instant::now(), self.moved());
        self.percent_told = self.percent();
        per_second(self.moved() - before, then.elapsed())
    }

    /// How long the rest takes at the pace of the last moments, or of all that came so far if nothing
    /// moves now; absent before anything came.
    pub(super) fn remaining(&self) -> Option<Duration> {
        let all = || per_second(self.moved(), self.elapsed());
        let rate = Some(self.pace()).filter(|rate| *rate > 0).unwrap_or_else(all);
        (rate > 0).then(|| Duration::from_secs((self.bytes - self.done).div_ceil(rate)))
    }

    /// Bytes per second over the last moments.
    pub(super) fn pace(&self) -> u64 {
        let oldest = self.samples.iter().find(|(at, _)| at.elapsed() <= MOMENTS);
        let last = self.samples.back();
        oldest.or(last).map_or(0, |(at, moved)| per_second(self.moved() - moved, at.elapsed()))
    }

    /// Remembers how much has moved by now, unless it did a moment ago.
    fn sample(&mut self) {
        if self.samples.back().is_some_and(|(at, _)| at.elapsed() < SAMPLE_EVERY) {
            return;
        }
        let moved = self.moved();
        self.samples.push_back((Instant::now(), moved));
        while self.samples.front().is_some_and(|(at, _)| at.elapsed() > MOMENTS) {
            self.samples.pop_front();
        }
    }

    /// Bytes that this run has moved.
    fn moved(&self) -> u64 {
        self.done - self.resumed
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

#[cfg(test)]
mod tests {
    use super::*;

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
            shown.push(board.apply(&event).done);
        }
        assert_eq!(shown, [0, 100, 100, 100, 100]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_earlier_run_has_left_is_done_and_makes_nothing_faster() {
        let mut board = Board::default();
        let lane = || "l".to_owned();
        board.apply(&Event::Started { lane: lane(), files: 1, bytes: 100 });
        board.apply(&Event::Resumed { lane: lane(), bytes: 60 });
        tokio::time::advance(Duration::from_secs(10)).await;
        let state = board.apply(&Event::Received { lane: lane(), bytes: 20 });
        assert_eq!((state.percent(), state.remaining()), (80, Some(Duration::from_secs(10))));
        assert_eq!(state.tell(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn small_files_that_came_slowly_make_no_hours_of_the_weights() {
        let mut board = Board::default();
        let lane = || "l".to_owned();
        board.apply(&Event::Started { lane: lane(), files: 5, bytes: 10_000 });
        for _ in 0..20 {
            tokio::time::advance(Duration::from_secs(1)).await;
            board.apply(&Event::Received { lane: lane(), bytes: 1 });
        }
        for _ in 0..16 {
            tokio::time::advance(Duration::from_secs(1)).await;
            board.apply(&Event::Received { lane: lane(), bytes: 100 });
        }
        let state = &board.lanes["l"];
        assert_eq!((state.pace(), state.remaining()), (100, Some(Duration::from_secs(84))));
    }

    #[test]
    fn hashing_begins_at_nothing_and_moves_by_what_is_proven() {
        let mut board = Board::default();
        let lane = || "l".to_owned();
        board.apply(&Event::Started { lane: lane(), files: 1, bytes: 10 });
        board.apply(&Event::Received { lane: lane(), bytes: 10 });
        board.apply(&Event::Finished { lane: lane(), path: "a".to_owned() });
        let state = board.apply(&Event::Hashing { lane: lane(), files: 2, bytes: 40 });
        assert_eq!((state.percent(), state.is_done()), (0, false));
        assert_eq!(board.apply(&Event::Verified { lane: lane(), bytes: 20 }).percent(), 50);
    }
}
