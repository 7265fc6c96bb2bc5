//! Amounts with a unit, as people write and read them.

use std::num::NonZeroU64;
use std::time::Duration;

/// Bytes a second: `500k`, `10M`, `1G` in powers of 1024, as `curl --limit-rate` and `wget
/// --limit-rate` mean them.
pub(crate) fn rate(text: &str) -> Result<NonZeroU64, String> {
    let units = [('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30), ('t', 1 << 40)];
    let rate = scaled(text.trim_end_matches(['b', 'B']), &units, 1).and_then(NonZeroU64::new);
    rate.ok_or_else(|| "expected bytes a second, for example `500k`, `10M` or `1G`".to_owned())
}

/// A time: `90`, `90s`, `30m`, `2h`, `1d`; seconds without a unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86400)];
    let seconds = scaled(text, &units, 1).filter(|seconds| *seconds > 0);
    let duration = seconds.map(Duration::from_secs);
    duration.ok_or_else(|| "expected a time, for example `90s`, `30m` or `2h`".to_owned())
}

/// A number of bytes as people say it: `512 B`, `4.6 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths of the unit, so that no float rounds; 1023.96 KiB is 1.0 MiB.
    let mut unit: u128 = 1024;
    let mut name = 0;
    let tenths = |unit: u128| (u128::from(bytes) * 10 + unit / 2) / unit;
    while tenths(unit) >= 10 * 1024 && name + 1 < UNITS.len() {
        unit *= 1024;
        name += 1;
    }
    let tenths = tenths(unit);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS.get(name).unwrap_or(&"EiB"))
}

/// How many there are of a thing with a regular plural: `1 file`, `3 files`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// `1:02:03` or `2:03`.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

fn scaled(text: &str, units: &[(char, u64)], default: u64) -> Option<u64> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let mut rest = text.strip_prefix(digits)?.chars().map(|unit| unit.to_ascii_lowercase());
    let unit = match (rest.next(), rest.next()) {
        (None, _) => default,
        (Some(unit), None) => units.iter().find(|(name, _)| *name == unit)?.1,
        (Some(_), Some(_)) => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_in_powers_of_1024() {
        for (text, expected) in [
            ("1", Some(1)),
            ("500k", Some(512_000)),
            ("10M", Some(10 << 20)),
            ("10MB", Some(10 << 20)),
            ("1G", Some(1 << 30)),
            ("0", None),
            ("", None),
            ("M", None),
            ("-1", None),
            ("10 M", None),
            ("10Mk", None),
            ("99999999999999T", None),
        ] {
            assert_eq!(rate(text).ok().map(NonZeroU64::get), expected, "{text}");
        }
    }

    #[test]
    fn times_are_in_seconds_without_a_unit() {
        for (text, expected) in
            [("90", Some(90)), ("90s", Some(90)), ("2h", Some(7200)), ("0", None), ("1w", None)]
        {
            assert_eq!(duration(text).ok().map(|time| time.as_secs()), expected, "{text}");
        }
    }

    #[test]
    fn sizes_are_rounded_to_a_tenth_of_a_unit_that_is_not_exceeded() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (4_920_733_696, "4.6 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn times_are_told_as_a_clock_shows_them() {
        assert_eq!(clock(Duration::from_secs(59)), "0:59");
        assert_eq!(clock(Duration::from_secs(3723)), "1:02:03");
    }
}
