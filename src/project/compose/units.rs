//! Sizes and durations as Compose reads and prints them (docker/go-units `size.go`,
//! xhit/go-str2duration v2, Go `time.Duration`).

/// `1.5g`, `64 MiB`, `1024`: bytes, in powers of 1024.
pub(super) fn bytes(text: &str) -> Option<i64> {
    let last = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')?;
    let (number, suffix) = if text.get(last..=last)? == " " {
        (text.get(..last)?, text.get(last + 1..)?)
    } else {
        text.split_at(last + 1)
    };
    let number: f64 = number.parse().ok()?;
    let suffix = suffix.to_lowercase();
    let exponent = match suffix.trim_end_matches('b').trim_end_matches('i') {
        "" if matches!(suffix.as_str(), "" | "b") => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    let valid = suffix.len() <= 1 || suffix.get(1..).is_some_and(|unit| matches!(unit, "b" | "ib"));
    let size = number * 1024_f64.powi(exponent);
    if !valid || !(0.0..9.0e18).contains(&size) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked against the range above")]
    Some(size as i64)
}

/// `1m30s`, `1.5h`, `2d`: nanoseconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let number: f64 = number.parse().ok()?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        total += number
            * match unit {
                "ns" => 1.0,
                "us" | "µs" | "μs" => 1e3,
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 60e9,
                "h" => 3600e9,
                "d" => 24.0 * 3600e9,
                "w" => 7.0 * 24.0 * 3600e9,
                _ => return None,
            };
        rest = next;
    }
    if !(0.0..9.0e18).contains(&total) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked against the range above")]
    let total = total.round() as i64;
    Some(if negative { -total } else { total })
}

/// A duration as Go prints it: `1m30s`, `1h0m0s`, `1.5s`, `250ms`.
pub(super) fn print_duration(nanoseconds: i64) -> String {
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    if total < 1_000_000_000 {
        let (divisor, unit) = match total {
            0..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "µs"),
            _ => (1_000_000, "ms"),
        };
        return format!("{sign}{}{unit}", with_fraction(total, divisor));
    }
    let seconds = total / 1_000_000_000;
    let last = with_fraction(total % 60_000_000_000, 1_000_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    if hours > 0 {
        format!("{sign}{hours}h{minutes}m{last}s")
    } else if minutes > 0 {
        format!("{sign}{minutes}m{last}s")
    } else {
        format!("{sign}{last}s")
    }
}

fn with_fraction(value: u64, divisor: u64) -> String {
    let width = divisor.to_string().len() - 1;
    let fraction = format!("{:0width$}", value % divisor);
    let fraction = fraction.trim_end_matches('0');
    let whole = value / divisor;
    if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_in_docker() {
        for (text, expected) in [
            ("1024", Some(1024)),
            ("64m", Some(64 << 20)),
            ("1.5g", Some(3 << 29)),
            ("16gb", Some(16 << 30)),
            ("1 GiB", Some(1 << 30)),
            ("10b", Some(10)),
            ("x", None),
            ("1x", None),
            ("-1", None),
            ("1gx", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_are_printed_as_in_go() {
        for (text, expected) in [
            ("90s", "1m30s"),
            ("1h", "1h0m0s"),
            ("1.5s", "1.5s"),
            ("250ms", "250ms"),
            ("1500us", "1.5ms"),
            ("2d", "48h0m0s"),
            ("0", "0s"),
            ("1m30s", "1m30s"),
        ] {
            assert_eq!(duration(text).map(print_duration).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "10", "s", "1x", "1s2"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
