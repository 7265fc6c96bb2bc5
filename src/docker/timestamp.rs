//! The engine's way to write instants: RFC 3339, as Go's `time.RFC3339Nano` prints it.

use std::time::{Duration, SystemTime};

/// Reads `2026-11-23T07:16:29.123456789Z` or with an offset; absent for anything else and for
/// instants before 1970 (Go's zero time stands for "never").
pub(super) fn parse(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once('T')?;
    let mut date = date.splitn(3, '-');
    let (year, month, day) =
        (number(date.next()?, 4)?, number(date.next()?, 2)?, number(date.next()?, 2)?);
    let (clock, zone) = time.split_at(time.find(['Z', '+', '-'])?);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut clock = clock.splitn(3, ':');
    let (hour, minute, second) =
        (number(clock.next()?, 2)?, number(clock.next()?, 2)?, number(clock.next()?, 2)?);
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    let days = days_since_1970(year, month, day);
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?;
    let since = Duration::new(u64::try_from(seconds).ok()?, nanoseconds(fraction)?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}

/// Exactly `digits` digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let valid = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| text.parse().ok())?
}

/// The digits behind the point; those behind the ninth do not count.
fn nanoseconds(fraction: &str) -> Option<u32> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<9}").get(..9)?.parse().ok()
}

/// Seconds that `Z`, `+02:00` or `-05:30` is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("Z", "") => return Some(0),
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    Some(sign * (number(hours, 2)? * 3_600 + number(minutes, 2)? * 60))
}

/// Days of the proleptic Gregorian calendar, in a year that begins in March so that the leap day
/// is the last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_the_engine_prints_them() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some((0, 0))),
            ("2000-02-29T12:00:00Z", Some((951_825_600, 0))),
            ("2026-11-23T07:16:29.123456789Z", Some((1_795_418_189, 123_456_789))),
            ("2026-11-23T08:16:29.5+01:00", Some((1_795_418_189, 500_000_000))),
            ("2026-11-23T01:46:29-05:30", Some((1_795_418_189, 0))),
            ("2026-11-23T07:16:29.1234567891Z", Some((1_795_418_189, 123_456_789))),
            ("0001-01-01T00:00:00Z", None),
            ("2026-13-23T07:16:29Z", None),
            ("2026-11-23T07:16:29", None),
            ("2026-11-23T07:16:29.Z", None),
            ("2026-11-23T07:16:29+1:00", None),
            ("2026-11-23 07:16:29Z", None),
            ("2026-11-23T07:16:2éZ", None),
            ("T", None),
            ("", None),
        ] {
            let expected = expected.map(|(seconds, nanoseconds)| {
                SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds)
            });
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
