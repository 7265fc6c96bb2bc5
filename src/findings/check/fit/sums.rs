//! Sums of memory as people read them: their parts, in GiB.

use crate::plan::engine::memory::{Part, Use};

/// Parts that are told as one.
const GROUPS: [(&str, &[Use]); 6] = [
    ("weights", &[Use::Weights]),
    ("cache", &[Use::Cache, Use::State]),
    ("buffers", &[Use::Output, Use::Compute]),
    ("projector", &[Use::Projector]),
    ("draft", &[Use::Draft]),
    ("adapters", &[Use::Adapter]),
];

/// `weights 4.3 + cache 16.0 + buffers 0.1-0.2 GiB`.
pub(super) fn of(parts: &[Part]) -> String {
    let groups = GROUPS.iter().filter_map(|(name, uses)| {
        let own = || parts.iter().filter(|part| uses.contains(&part.use_for));
        own().next()?;
        let low = own().fold(0, |sum: u64, part| sum.saturating_add(part.low));
        let high = own().try_fold(0_u64, |sum, part| Some(sum.saturating_add(part.high?)));
        Some(format!("{name} {}", between(low, high)))
    });
    let groups: Vec<String> = groups.collect();
    format!("{} GiB", groups.join(" + "))
}

/// `0.1-0.2`, `4.3`, `4.3 or more`.
fn between(low: u64, high: Option<u64>) -> String {
    let least = gib(low);
    match high.map(gib) {
        Some(most) if most == least => least,
        Some(most) => format!("{least}-{most}"),
        None => format!("{least} or more"),
    }
}

/// GiB, with a digit behind the point, or two of what is small.
pub(super) fn gib(bytes: u64) -> String {
    let hundredths = (u128::from(bytes) * 100 + (1 << 29)) >> 30;
    if hundredths < 10 {
        return format!("0.{hundredths:02}");
    }
    let tenths = (u128::from(bytes) * 10 + (1 << 29)) >> 30;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::engine::memory::Device;

    const MIB: u64 = 1 << 20;

    #[test]
    fn parts_are_told_as_a_sum() {
        let gpu = Device::Gpu(0);
        let parts = [
            Part::exact(Use::Weights, gpu, 4403 * MIB),
            Part::exact(Use::Cache, gpu, 16384 * MIB),
            Part::between(Use::Compute, gpu, 100 * MIB, Some(258 * MIB)),
            Part::exact(Use::Output, gpu, 2 * MIB),
            Part::between(Use::Draft, gpu, 1024 * MIB, None),
        ];
        let expected = "weights 4.3 + cache 16.0 + buffers 0.1-0.3 + draft 1.0 or more GiB";
        assert_eq!(of(&parts), expected);
    }

    #[test]
    fn gibibytes_have_a_digit_behind_the_point() {
        assert_eq!([0, 10 * MIB, 60 * MIB, 1024 * MIB].map(gib), ["0.00", "0.01", "0.06", "1.0"]);
    }
}
