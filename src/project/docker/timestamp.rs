//! Docker's way to write instants: RFC 3339, as Go's `time.RFC3339Nano` prints it.

use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Reads `2026-11-23T07:16:29.123456789Z` or with an offset; absent for anything else and for
/// instants before 1970 (Go's zero time stands for "never").
pub(super) fn parse(text: &str) -> Option<SystemTime> {
    let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    (instant >= OffsetDateTime::UNIX_EPOCH).then(|| instant.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn instants_are_read_as_docker_prints_them() {
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
