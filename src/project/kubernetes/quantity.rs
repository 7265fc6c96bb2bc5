//! Amounts as Kubernetes writes them: `16Gi`, `500M`, `1e9`, `1.5Gi` (kubernetes 1.34
//! apimachinery/pkg/api/resource/suffix.go).

/// Bytes, or pieces, rounded up; absent: it is no amount.
#[must_use]
pub(super) fn amount(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (digits, suffix) = text.split_at_checked(end)?;
    let (numerator, denominator) = factor(suffix)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    let number: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let value = number.checked_mul(numerator)?.div_ceil(scale.checked_mul(denominator)?);
    u64::try_from(value).ok()
}

/// What a suffix multiplies with, and divides by.
fn factor(suffix: &str) -> Option<(u128, u128)> {
    Some(match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        exponent => {
            let digits = exponent.strip_prefix(['e', 'E'])?;
            (10_u128.checked_pow(digits.trim_start_matches('+').parse().ok()?)?, 1)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_kubernetes_reads_them() {
        for (text, expected) in [
            ("16Gi", Some(16 << 30)),
            ("1.5Gi", Some(3 << 29)),
            ("500M", Some(500_000_000)),
            ("1e9", Some(1_000_000_000)),
            ("2E3", Some(2000)),
            ("128974848", Some(128_974_848)),
            ("100m", Some(1)),
            ("1", Some(1)),
            ("0", Some(0)),
            (".5Ki", Some(512)),
            ("", None),
            ("Gi", None),
            ("1gb", None),
            ("-1Gi", None),
            ("99999999999999999999Pi", None),
        ] {
            assert_eq!(amount(text), expected, "{text}");
        }
    }
}
