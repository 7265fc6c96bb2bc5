//! What a plain scalar means, by the rules of go-yaml v3 `resolve.go`, and how Go prints numbers.

use super::tree::Kind;

/// The decimal exponent from which Go prints a float with an exponent.
const EXPONENT_FROM: i32 = 6;

/// The value of an unquoted, untagged scalar.
pub(super) fn resolve(text: &str) -> Kind {
    let Some(first) = text.bytes().next() else { return Kind::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => {
            named(text).unwrap_or_else(|| Kind::String(text.to_owned()))
        }
        b'.' => named(text)
            .or_else(|| plain_float(text))
            .unwrap_or_else(|| Kind::String(text.to_owned())),
        b'+' | b'-' | b'0'..=b'9' => {
            named(text).or_else(|| number(text)).unwrap_or_else(|| Kind::String(text.to_owned()))
        }
        _ => Kind::String(text.to_owned()),
    }
}

fn named(text: &str) -> Option<Kind> {
    Some(match text {
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        "~" | "null" | "Null" | "NULL" => Kind::Null,
        ".nan" | ".NaN" | ".NAN" => Kind::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Kind::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Kind::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn number(text: &str) -> Option<Kind> {
    if let Some(time) = timestamp(text) {
        return Some(Kind::Time(time));
    }
    let plain: String = text.chars().filter(|&c| c != '_').collect();
    if let Some(value) = integer(&plain) {
        return Some(Kind::Int(value));
    }
    plain_float(&plain)
}

/// Go's `strconv.ParseInt(s, 0, 64)`, then `ParseUint`: the prefixes `0x`, `0o`, `0b` and `0`.
fn integer(plain: &str) -> Option<i128> {
    let (negative, unsigned) = match plain.as_bytes().first()? {
        b'-' => (true, plain.get(1..)?),
        b'+' => (false, plain.get(1..)?),
        _ => (false, plain),
    };
    let lower = unsigned.to_ascii_lowercase();
    let (digits, radix) = if let Some(digits) = lower.strip_prefix("0x") {
        (digits, 16)
    } else if let Some(digits) = lower.strip_prefix("0b") {
        (digits, 2)
    } else if let Some(digits) = lower.strip_prefix("0o") {
        (digits, 8)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (lower.get(1..)?, 8)
    } else {
        (lower.as_str(), 10)
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let value = if negative { -magnitude } else { magnitude };
    let signed = plain.starts_with(['+', '-']);
    let in_range = value >= i128::from(i64::MIN)
        && (value <= i128::from(i64::MAX) || (!signed && value <= i128::from(u64::MAX)));
    in_range.then_some(value)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn plain_float(text: &str) -> Option<Kind> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (unsigned.get(..at)?, Some(unsigned.get(at + 1..)?)),
        None => (unsigned, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) =
        mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let mantissa_valid = digits(whole)
        && fraction.is_none_or(digits)
        && (!whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty()));
    let exponent_valid = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    if !mantissa_valid || !exponent_valid {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(Kind::Float(value))
}

/// A scalar that go-yaml takes for a date (`2024-1-2`, with `T`, `t` or a space and a time), as Go
/// prints it.
fn timestamp(text: &str) -> Option<String> {
    let (year, rest) = text.split_once('-')?;
    if year.len() != 4 || !year.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (month, rest) = rest.split_once('-')?;
    let day_length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (day, time) = rest.split_at(day_length);
    let (month, day) = (small(month)?, small(day)?);
    let leap = year.parse::<u32>().is_ok_and(|y| (y % 4 == 0 && y % 100 != 0) || y % 400 == 0);
    let longest = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=longest).contains(&day) {
        return None;
    }
    let clock = match time.chars().next() {
        None => "00:00:00Z".to_owned(),
        Some('T' | 't') => clock(&time[1..], true)?,
        Some(' ') => clock(&time[1..], false)?,
        Some(_) => return None,
    };
    Some(format!("{year}-{month:02}-{day:02}T{clock}"))
}

fn small(text: &str) -> Option<u32> {
    ((1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn clock(text: &str, zoned: bool) -> Option<String> {
    let end = text.find(['Z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(end);
    let zone_valid = match (zoned, zone) {
        (true, "Z") | (false, "") => true,
        (true, zone) => {
            zone.len() == 6 && {
                let (hours, minutes) = zone.get(1..)?.split_once(':')?;
                small(hours)? <= 24 && small(minutes)? <= 60
            }
        }
        (false, _) => false,
    };
    let mut parts = clock.split(':');
    let (hours, minutes) = (small(parts.next()?)?, small(parts.next()?)?);
    let (whole, fraction) = parts.next().map(|part| part.split_once('.').unwrap_or((part, "0")))?;
    let seconds = small(whole)?;
    let valid = zone_valid
        && parts.next().is_none()
        && hours < 24
        && minutes < 60
        && seconds < 60
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b.is_ascii_digit());
    let fraction = fraction.get(..fraction.len().min(9))?.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let zone = if matches!(zone, "" | "+00:00" | "-00:00") { "Z" } else { zone };
    valid.then(|| format!("{hours:02}:{minutes:02}:{seconds:02}{point}{fraction}{zone}"))
}

/// A float as Go's `fmt.Sprint` prints it: the shortest digits, with an exponent below 10^-4 and
/// from 10^6 on (strconv's `g` at the shortest precision).
pub(super) fn go_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..EXPONENT_FROM).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &Kind) {
        assert_eq!(&resolve(text), expected, "{text}");
    }

    #[test]
    fn plain_scalars_mean_what_go_yaml_says() {
        check("010", &Kind::Int(8));
        check("0o10", &Kind::Int(8));
        check("0x1F", &Kind::Int(31));
        check("0b11", &Kind::Int(3));
        check("-0b11", &Kind::Int(-3));
        check("1_000", &Kind::Int(1000));
        check("+5", &Kind::Int(5));
        check("08", &Kind::Float(8.0));
        check("18446744073709551615", &Kind::Int(i128::from(u64::MAX)));
        check("18446744073709551616", &Kind::Float(18_446_744_073_709_551_616.0));
        check("1.10", &Kind::Float(1.1));
        check(".5", &Kind::Float(0.5));
        check("5.", &Kind::Float(5.0));
        check("yes", &Kind::String("yes".to_owned()));
        check("True", &Kind::Bool(true));
        check("tRUE", &Kind::String("tRUE".to_owned()));
        check("~", &Kind::Null);
        check("", &Kind::Null);
        check("1:30", &Kind::String("1:30".to_owned()));
        check("2024-01-01", &Kind::Time("2024-01-01T00:00:00Z".to_owned()));
        check("2024-02-30", &Kind::String("2024-02-30".to_owned()));
        check("2024-01-01T10:00:00Z", &Kind::Time("2024-01-01T10:00:00Z".to_owned()));
        check("2024-01-01 10:00:00.5", &Kind::Time("2024-01-01T10:00:00.5Z".to_owned()));
        let offset = Kind::Time("2024-01-02T10:00:00+02:00".to_owned());
        check("2024-1-2t10:00:00.0+02:00", &offset);
        check("-", &Kind::String("-".to_owned()));
        check("1e3x", &Kind::String("1e3x".to_owned()));
        check("<<", &Kind::String("<<".to_owned()));
    }

    #[test]
    fn floats_print_as_in_go() {
        for (value, expected) in [
            (1.1, "1.1"),
            (3.0, "3"),
            (1e6, "1e+06"),
            (100_000.0, "100000"),
            (0.000_001, "1e-06"),
            (0.0001, "0.0001"),
            (123_456_789.5, "1.234567895e+08"),
            (f64::INFINITY, "+Inf"),
            (-0.5, "-0.5"),
            (1e100, "1e+100"),
        ] {
            assert_eq!(go_float(value), expected);
        }
    }
}
