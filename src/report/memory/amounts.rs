//! Amounts of memory between two bounds, as people read them.

use crate::amount::size;
use crate::plan::engine::memory::Part;

/// Bytes between two bounds; the upper is absent where it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) low: u64,
    pub(super) high: Option<u64>,
}

impl Range {
    /// Of all these parts together.
    pub(super) fn sum<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Self {
        let nothing = Self { low: 0, high: Some(0) };
        let of_part = |part: &Part| Self { low: part.low, high: part.high };
        parts.into_iter().fold(nothing, |sum, part| sum.plus(of_part(part)))
    }

    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            low: self.low.saturating_add(other.low),
            high: self.high.zip(other.high).map(|(one, other)| one.saturating_add(other)),
        }
    }

    /// What of `bytes` it leaves; absent: more than all of it is taken.
    pub(super) fn left_of(self, bytes: u64) -> Option<Self> {
        let most = bytes.checked_sub(self.low)?;
        let least = self.high.map_or(0, |high| bytes.saturating_sub(high));
        Some(Self { low: least, high: Some(most) })
    }

    /// `16.4 GiB`, `16.4-16.6 GiB`, `800.0 MiB-1.2 GiB`, `16.4 GiB or more`.
    pub(super) fn shown(self) -> String {
        let low = size(self.low);
        let Some(high) = self.high.map(size) else { return format!("{low} or more") };
        if low == high {
            return low;
        }
        match (low.split_once(' '), high.split_once(' ')) {
            (Some((number, unit)), Some((_, same))) if unit == same => format!("{number}-{high}"),
            _ if self.low == 0 => format!("0-{high}"),
            _ => format!("{low}-{high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::engine::memory::{Device, Use};

    #[test]
    fn bounds_of_one_unit_name_it_once() {
        let check = |low, high, expected: &str| {
            assert_eq!(Range { low, high }.shown(), expected);
        };
        check(3 << 29, Some(3 << 29), "1.5 GiB");
        check(3 << 29, Some(2 << 30), "1.5-2.0 GiB");
        check(800 << 20, Some(2 << 30), "800.0 MiB-2.0 GiB");
        check(3 << 29, None, "1.5 GiB or more");
        check(0, Some(2 << 30), "0-2.0 GiB");
        check((3 << 29) + 1, Some((3 << 29) + 2), "1.5 GiB");
    }

    #[test]
    fn what_is_left_is_between_two_bounds_as_well() {
        let parts = [
            Part::exact(Use::Weights, Device::Host, 10),
            Part::between(Use::Compute, Device::Host, 2, Some(5)),
        ];
        let sum = Range::sum(&parts);
        assert_eq!(sum, Range { low: 12, high: Some(15) });
        assert_eq!(sum.left_of(14), Some(Range { low: 0, high: Some(2) }));
        assert_eq!(sum.left_of(20), Some(Range { low: 5, high: Some(8) }));
        assert_eq!(sum.left_of(11), None);
        assert_eq!(Range { low: 1, high: None }.left_of(3), Some(Range { low: 0, high: Some(2) }));
    }
}
