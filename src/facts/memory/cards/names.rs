//! How much memory cards have that go by a name: NVIDIA's product pages and data sheets, by the names
//! that its driver has for them. Where one name is that of several, the largest.

/// What the driver puts before the names.
const BRANDS: [&str; 4] = ["NVIDIA ", "GeForce ", "Tesla ", "Quadro "];

/// Names without their brands, and GiB.
const SIZES: [(&str, u64); 68] = [
    ("A10", 24),
    ("A10G", 24),
    ("A16", 16),
    ("A2", 16),
    ("A30", 24),
    ("A40", 48),
    ("B200", 192),
    ("GTX 1070", 8),
    ("GTX 1070 Ti", 8),
    ("GTX 1080", 8),
    ("GTX 1080 Ti", 11),
    ("GTX 1660", 6),
    ("GTX 1660 SUPER", 6),
    ("GTX 1660 Ti", 6),
    ("H100 NVL", 94),
    ("H100 PCIe", 80),
    ("H200", 141),
    ("H200 NVL", 141),
    ("L4", 24),
    ("L40", 48),
    ("L40S", 48),
    ("P4", 8),
    ("P40", 24),
    ("RTX 2000 Ada Generation", 16),
    ("RTX 2060", 12),
    ("RTX 2060 SUPER", 8),
    ("RTX 2070", 8),
    ("RTX 2070 SUPER", 8),
    ("RTX 2080", 8),
    ("RTX 2080 SUPER", 8),
    ("RTX 2080 Ti", 11),
    ("RTX 3050", 8),
    ("RTX 3060", 12),
    ("RTX 3060 Ti", 8),
    ("RTX 3070", 8),
    ("RTX 3070 Ti", 8),
    ("RTX 3080", 12),
    ("RTX 3080 Ti", 12),
    ("RTX 3090", 24),
    ("RTX 3090 Ti", 24),
    ("RTX 4000 Ada Generation", 20),
    ("RTX 4000 SFF Ada Generation", 20),
    ("RTX 4060", 8),
    ("RTX 4060 Ti", 16),
    ("RTX 4070", 12),
    ("RTX 4070 SUPER", 12),
    ("RTX 4070 Ti", 12),
    ("RTX 4070 Ti SUPER", 16),
    ("RTX 4080", 16),
    ("RTX 4080 SUPER", 16),
    ("RTX 4090", 24),
    ("RTX 4090 D", 24),
    ("RTX 4500 Ada Generation", 24),
    ("RTX 5000 Ada Generation", 32),
    ("RTX 5060", 8),
    ("RTX 5060 Ti", 16),
    ("RTX 5070", 12),
    ("RTX 5070 Ti", 16),
    ("RTX 5080", 16),
    ("RTX 5090", 32),
    ("RTX 6000 Ada Generation", 48),
    ("RTX A2000", 12),
    ("RTX A4000", 16),
    ("RTX A4500", 20),
    ("RTX A5000", 24),
    ("RTX A6000", 48),
    ("T4", 16),
    ("TITAN RTX", 24),
];

/// Bytes of a card of that name; absent: it is not in the table.
pub(super) fn memory(name: &str) -> Option<u64> {
    let mut bare = name.trim();
    for brand in BRANDS {
        bare = bare.strip_prefix(brand).unwrap_or(bare);
    }
    let known = SIZES.iter().find(|(known, _)| *known == bare).map(|(_, size)| *size);
    known.or_else(|| said(bare)).map(|size| size << 30)
}

/// What a name says itself: `A100-SXM4-80GB`, `H100 80GB HBM3`.
fn said(name: &str) -> Option<u64> {
    let mut sizes = name.split([' ', '-']).filter_map(|word| word.strip_suffix("GB")?.parse().ok());
    sizes.next().filter(|size| (1..=1024).contains(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_card_is_known_by_its_name() {
        for (name, expected) in [
            ("NVIDIA GeForce RTX 4090", Some(24)),
            ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
            ("GeForce RTX 3060", Some(12)),
            ("Tesla T4", Some(16)),
            ("NVIDIA L4", Some(24)),
            ("NVIDIA A100-SXM4-80GB", Some(80)),
            ("NVIDIA H100 80GB HBM3", Some(80)),
            ("NVIDIA GeForce GTX 1060 6GB", Some(6)),
            ("NVIDIA GB10", None),
            ("NVIDIA 0GB", None),
            ("", None),
        ] {
            assert_eq!(memory(name).map(|bytes| bytes >> 30), expected, "{name}");
        }
    }

    #[test]
    fn the_names_are_in_order_and_each_is_there_once() {
        assert!(SIZES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
