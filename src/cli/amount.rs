//! Amounts with a unit, as other command lines take them.

use std::num::NonZeroU64;
use std::time::Duration;

/// Bytes a second: `500k`, `10M`, `1G` in powers of 1024, as `curl --limit-rate` and `wget
/// --limit-rate` mean them.
pub(super) fn rate(text: &str) -> Result<NonZeroU64, String> {
    let units = [('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30), ('t', 1 << 40)];
    let rate = scaled(text.trim_end_matches(['b', 'B']), &units, 1).and_then(NonZeroU64::new);
    rate.ok_or_else(|| "expected bytes a second, for example `500k`, `10M` or `1G`".to_owned())
}

/// A time: `90`, `90s`, `30m`, `2h`, `1d`; seconds without a unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86400)];
    let seconds = scaled(text, &units, 1).filter(|seconds| *seconds > 0);
    let duration = seconds.map(Duration::from_secs);
    duration.ok_or_else(|| "expected a time, for example `90s`, `30m` or `2h`".to_owned())
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
}
