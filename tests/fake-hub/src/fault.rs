//! What goes wrong, where, and how often: `KIND[=ARGUMENT][*TIMES]:TARGET`.

use std::fmt;
use std::str::FromStr;

/// Something that goes wrong.
///
/// Parsed from `KIND[=ARGUMENT][*TIMES]:TARGET`, where the target is `owner/repo/path`,
/// `owner/repo` (every request about it) or `all`:
///
/// | kind | what happens | times if not said |
/// |---|---|---|
/// | `corrupt` | one byte in the middle of the file is another | always |
/// | `cut=N` | the connection ends after N bytes of a body | 1 |
/// | `stall=N` | silence after N bytes of a body, until released | 1 |
/// | `slow=N` | at most about N bytes a second | always |
/// | `status=S` | the hub answers S | 1 |
/// | `cdn-status=S` | the CDN answers S | 1 |
/// | `expired` | the CDN answers 403 | 1 |
/// | `rate-limit=T` | 429 with `RateLimit` and `Retry-After` of T seconds | 1 |
/// | `rate-limit` | 429 without them | 1 |
/// | `retry-date=T` | 429 with `Retry-After` as a date, T seconds from now | 1 |
/// | `gated` | 401 without a token | always |
/// | `denied` | gated, and the token's owner has not been let in: 403 | always |
/// | `ignore-range` | 200 and the whole body for a ranged request | always |
/// | `ranges-only` | the CDN answers 400 where no range is asked for, as for files above 50 GB | always |
/// | `wrong-size` | the size in listings and headers is one too large | always |
/// | `gzip` | small files come compressed, unless the request wants them as they are | always |
/// | `other-content` | the CDN serves other bytes of the same size, under another `ETag` | 1 |
/// | `expires=N` | an address at the CDN is good for N requests, then 403 | always |
/// | `crowded=N` | the CDN answers 403 while it sends N bodies already | always |
/// | `few=R` | the hub says that R more requests are allowed, for one second | always |
/// | `absolute` | small files, and renamed repositories, are redirected by an absolute URL with status 308 | always |
/// | `gone` | a file that is listed is not found | always |
/// | `no-lfs` | the listing has of large files what git has of them: the pointer's id and size | always |
/// | `no-oid` | the listing has no ids | always |
/// | `no-content-range` | 206 without `Content-Range` | always |
/// | `no-content-range=N` | the same, N bytes short of what was asked for | always |
/// | `zipped` | answers of the API, and small files, are compressed, whatever the request wants | always |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub(crate) kind: Kind,
    pub(crate) target: String,
    /// How often it still strikes; absent: always.
    pub(crate) left: Option<u32>,
}

/// The kinds, each with its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Corrupt,
    Cut(u64),
    Stall(u64),
    Slow(u64),
    Status(u16),
    CdnStatus(u16),
    RateLimit(Option<u64>),
    Gated,
    Denied,
    IgnoreRange,
    RangesOnly,
    WrongSize,
    Absolute,
    Gzip,
    OtherContent,
    Expires(u64),
    Crowded(u64),
    Few(u64),
    RetryDate(u64),
    Gone,
    NoLfs,
    NoOid,
    NoContentRange(u64),
    Zipped,
}

/// Why a text is not a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultError(String);

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a fault: expected KIND[=ARGUMENT][*TIMES]:TARGET", self.0)
    }
}

impl std::error::Error for FaultError {}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        parse(text).ok_or_else(|| FaultError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Fault> {
    let (what, target) = text.split_once(':')?;
    let (what, times) = match what.split_once('*') {
        Some((what, times)) => (what, Some(times.parse().ok()?)),
        None => (what, None),
    };
    let (name, argument) = match what.split_once('=') {
        Some((name, argument)) => (name, Some(argument.parse::<u64>().ok()?)),
        None => (what, None),
    };
    let kind = Kind::named(name, argument)?;
    let left = times.or_else(|| kind.strikes_once().then_some(1));
    Some(Fault { kind, target: target.trim_matches('/').to_owned(), left })
}

impl Kind {
    fn named(name: &str, argument: Option<u64>) -> Option<Self> {
        let status = || argument.and_then(|status| u16::try_from(status).ok());
        Some(match (name, argument) {
            ("corrupt", None) => Self::Corrupt,
            ("cut", Some(at)) => Self::Cut(at),
            ("stall", Some(at)) => Self::Stall(at),
            ("slow", Some(rate)) if rate > 0 => Self::Slow(rate),
            ("status", Some(_)) => Self::Status(status()?),
            ("cdn-status", Some(_)) => Self::CdnStatus(status()?),
            ("expired", None) => Self::CdnStatus(403),
            ("rate-limit", seconds) => Self::RateLimit(seconds),
            ("gated", None) => Self::Gated,
            ("denied", None) => Self::Denied,
            ("ignore-range", None) => Self::IgnoreRange,
            ("ranges-only", None) => Self::RangesOnly,
            ("wrong-size", None) => Self::WrongSize,
            ("absolute", None) => Self::Absolute,
            ("gzip", None) => Self::Gzip,
            ("other-content", None) => Self::OtherContent,
            ("expires", Some(requests)) => Self::Expires(requests),
            ("crowded", Some(bodies)) => Self::Crowded(bodies),
            ("few", Some(left)) => Self::Few(left),
            ("retry-date", Some(seconds)) => Self::RetryDate(seconds),
            ("gone", None) => Self::Gone,
            ("no-lfs", None) => Self::NoLfs,
            ("no-oid", None) => Self::NoOid,
            ("no-content-range", short) => Self::NoContentRange(short.unwrap_or(0)),
            ("zipped", None) => Self::Zipped,
            _ => return None,
        })
    }

    fn strikes_once(self) -> bool {
        matches!(
            self,
            Self::Cut(_)
                | Self::Stall(_)
                | Self::Status(_)
                | Self::CdnStatus(_)
                | Self::RateLimit(_)
                | Self::RetryDate(_)
                | Self::OtherContent
        )
    }
}

impl Fault {
    /// Whether a request about `repository`, and `path` in it, is concerned.
    pub(crate) fn concerns(&self, repository: &str, path: Option<&str>) -> bool {
        if self.target == "all" || self.target == repository {
            return true;
        }
        path.is_some_and(|path| self.target == format!("{repository}/{path}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_what_where_and_how_often() {
        for (text, kind, target, left) in [
            ("corrupt:a/b/c.gguf", Kind::Corrupt, "a/b/c.gguf", None),
            ("corrupt*1:a/b/c", Kind::Corrupt, "a/b/c", Some(1)),
            ("cut=100:a/b", Kind::Cut(100), "a/b", Some(1)),
            ("status=503*4:all", Kind::Status(503), "all", Some(4)),
            ("expired:a/b/c", Kind::CdnStatus(403), "a/b/c", Some(1)),
            ("rate-limit=3:a/b", Kind::RateLimit(Some(3)), "a/b", Some(1)),
        ] {
            let expected = Fault { kind, target: target.to_owned(), left };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in
            ["corrupt", "melt:a/b", "cut:a/b", "status=x:a/b", "status=70000:a/b", "slow=0:a"]
        {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
