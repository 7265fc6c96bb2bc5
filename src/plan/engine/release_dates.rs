//! When releases were published: what an image cannot be that is older.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A table as `tests/setup/release-dates` makes it: a line for each release that was read, the oldest
/// first, with the seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseDates {
    text: &'static str,
}

/// How long before a release its source may have looked like it.
const PREPARED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl ReleaseDates {
    /// The table that is written so.
    pub(super) const fn new(text: &'static str) -> Self {
        Self { text }
    }

    /// The newest release of the table of which an image that is no younger than `made` can have
    /// anything, be it built from the project's source of that day; absent: it may be any, or the image
    /// is older than every release, as those are whose builds can be repeated (1970).
    #[must_use]
    pub fn newest_before(self, made: SystemTime) -> Option<&'static str> {
        let is_later = |(_, published): &(&str, SystemTime)| {
            published.checked_sub(PREPARED).is_some_and(|prepared| made < prepared)
        };
        // What the release behind it brings was not begun before it was published.
        let at = self.releases().position(|release| is_later(&release)).filter(|at| *at > 0)?;
        self.releases().nth(at).map(|(release, _)| release)
    }

    fn releases(self) -> impl Iterator<Item = (&'static str, SystemTime)> {
        self.text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let mut words = line.split(' ');
            let (release, seconds) = (words.next()?, words.next()?.parse().ok()?);
            Some((release, UNIX_EPOCH + Duration::from_secs(seconds)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::engine::Engine;
    use crate::plan::engine::release_table::numbers;

    #[test]
    fn an_image_is_none_of_the_releases_that_were_begun_after_it_was_made() {
        let day = |day: u64| UNIX_EPOCH + Duration::from_secs(day * 24 * 60 * 60);
        let dates = ReleaseDates::new("# how\n0.1.0 8640000 x\n0.2.0 17280000 x\n0.3.0 25920000 x");
        for (made, expected) in [
            (0, None),
            (60, None),
            (100, Some("0.2.0")),
            (169, Some("0.2.0")),
            (171, Some("0.3.0")),
            (271, None),
        ] {
            assert_eq!(dates.newest_before(day(made)), expected, "day {made}");
        }
    }

    #[test]
    fn the_dates_of_an_engine_are_in_the_order_of_its_releases() {
        let dates = Engine::ALL.into_iter().filter_map(|engine| engine.releases().dates);
        let dates: Vec<_> = dates.map(|dates| dates.releases().collect::<Vec<_>>()).collect();
        assert_eq!(dates.len(), 2);
        for releases in dates {
            assert!(releases.len() > 20);
            assert!(releases.is_sorted_by_key(|(_, published)| *published));
            assert!(releases.is_sorted_by_key(|(release, _)| numbers(release)));
        }
    }
}
