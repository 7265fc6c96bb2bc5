//! How long a run and its stages took.

use std::num::NonZero;
use std::time::{Duration, Instant, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;
use time::format_description::well_known::iso8601::{Config, TimePrecision};

/// When a run began, and how long each of its stages took. The default began in 1970 and took no
/// time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// By the wall clock.
    pub began: SystemTime,
    /// In order.
    pub stages: Vec<(&'static str, Duration)>,
}

/// Measures the stages of a run, one after the other.
#[derive(Debug)]
pub struct Stopwatch {
    timing: Timing,
    lap: Instant,
}

/// RFC 3339 with three digits behind the second, however many of them are zero.
const MILLISECONDS: Iso8601<
    {
        Config::DEFAULT
            .set_time_precision(TimePrecision::Second { decimal_digits: NonZero::new(3) })
            .encode()
    },
> = Iso8601;

impl Default for Timing {
    fn default() -> Self {
        Self { began: SystemTime::UNIX_EPOCH, stages: Vec::new() }
    }
}

impl Timing {
    /// Of all stages.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.stages.iter().map(|(_, duration)| *duration).sum()
    }

    /// When the run began, as RFC 3339 in UTC.
    #[must_use]
    pub fn started(&self) -> String {
        rfc_3339(self.began)
    }

    /// When its last stage ended, as RFC 3339 in UTC.
    #[must_use]
    pub fn ended(&self) -> String {
        rfc_3339(self.began + self.total())
    }
}

impl Stopwatch {
    /// Begins the first stage.
    #[must_use]
    pub fn start() -> Self {
        let timing = Timing { began: SystemTime::now(), stages: Vec::new() };
        Self { timing, lap: Instant::now() }
    }

    /// Ends the stage that runs, which is called `name`, and begins the next.
    pub fn lap(&mut self, name: &'static str) {
        let now = Instant::now();
        self.timing.stages.push((name, now - self.lap));
        self.lap = now;
    }

    /// What was measured.
    #[must_use]
    pub fn stop(self) -> Timing {
        self.timing
    }
}

/// `2026-11-25T20:36:13.123Z`, by RFC 3339; an instant before 1970, or after the year 9999, is 1970.
#[must_use]
pub fn rfc_3339(instant: SystemTime) -> String {
    let since = instant.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let instant = time::Duration::try_from(since)
        .ok()
        .and_then(|since| OffsetDateTime::UNIX_EPOCH.checked_add(since))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    instant.format(&MILLISECONDS).expect("the year has four digits and the offset is that of UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: u64, expected: &str) {
        assert_eq!(rfc_3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), expected);
    }

    #[test]
    fn instants_are_written_as_programs_read_them() {
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_400, "2000-02-29T00:00:00.000Z");
        check(1_795_638_973, "2026-11-25T20:36:13.000Z");
        check(4_107_542_399, "2100-02-28T23:59:59.000Z");
        check(4_107_542_400, "2100-03-01T00:00:00.000Z");
        check(253_402_300_799, "9999-12-31T23:59:59.000Z");
        check(253_402_300_800, "1970-01-01T00:00:00.000Z");
        check(1 << 62, "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn the_total_is_that_of_the_stages() {
        let mut watch = Stopwatch::start();
        watch.lap("one");
        watch.lap("two");
        let timing = watch.stop();
        assert_eq!(timing.stages.len(), 2);
        assert_eq!(timing.total(), timing.stages[0].1 + timing.stages[1].1);
    }
}
