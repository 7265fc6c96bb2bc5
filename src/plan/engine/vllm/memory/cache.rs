//! What the cache of keys and values needs for one request (vLLM 0.10.2 to 0.33.0,
//! v1/kv_cache_interface.py, v1/core/kv_cache_utils.py, and kv_cache_planning.py of 0.31.0 and newer).

use std::ops::Range;

use super::layers::{Kept, Layer};

/// How much is counted, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counting {
    /// Tokens of the request.
    pub(super) tokens: u64,
    /// Tokens of a block.
    pub(super) block: u64,
    /// Bits of one number of a key or a value.
    pub(super) bits: u64,
    /// Tokens that are computed and whose blocks are not given back yet.
    pub(super) in_flight: u64,
    /// Over how many ranks heads are divided.
    pub(super) ranks: u64,
    /// How layers of several kinds are put together.
    pub(super) sum: Sum,
}

/// How the layers of a model are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sum {
    /// Whatever a release does, it is no less than this.
    Least,
    /// Each layer alone (until 0.13.0).
    Layers,
    /// In groups of one size, of which only the blocks of the first are counted (0.14.1 to 0.18.1).
    FirstGroup,
    /// In groups of one size, which take blocks of one pool (0.19.1 and newer).
    Groups,
}

/// What the layers of one rank need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    /// Bytes of all blocks of one request.
    pub(super) bytes: u64,
    /// Bytes of one block of the pool.
    pub(super) block: u64,
}

impl Counting {
    /// What those of `layers` that are in `stage` need.
    pub(super) fn need(&self, layers: &[Option<Layer>], stage: Range<usize>) -> Need {
        let own = layers.get(stage.clone()).unwrap_or_default().iter().flatten();
        let alone = own.fold(Need { bytes: 0, block: 0 }, |sum, layer| {
            let page = self.page(layer);
            let bytes = page.saturating_mul(self.blocks(layer.kept));
            let block = sum.block.saturating_add(page);
            Need { bytes: sum.bytes.saturating_add(bytes), block }
        });
        match self.sum {
            Sum::Layers => alone,
            Sum::FirstGroup | Sum::Groups => self.grouped(layers, &stage).unwrap_or(alone),
            Sum::Least => {
                let first = self.grouped(layers, &stage).unwrap_or(alone);
                Need { bytes: alone.bytes.min(first.bytes), block: alone.block.min(first.block) }
            }
        }
    }

    /// Bytes of one block of one layer.
    fn page(&self, layer: &Layer) -> u64 {
        let heads = match layer.kept {
            Kept::Latent => 1,
            Kept::All | Kept::Window(_) | Kept::Chunk(_) => {
                (layer.heads / self.ranks.max(1)).max(1)
            }
        };
        let numbers = self.block.saturating_mul(heads).saturating_mul(layer.width);
        numbers.saturating_mul(self.bits) / 8
    }

    /// Blocks that one layer needs.
    fn blocks(&self, kept: Kept) -> u64 {
        let whole = self.tokens.div_ceil(self.block.max(1));
        let within = |tokens: u64| {
            tokens.saturating_add(self.in_flight).min(self.tokens).div_ceil(self.block.max(1))
        };
        match kept {
            Kept::All | Kept::Latent => whole,
            // It may begin in the middle of a block.
            Kept::Window(window) if self.sum == Sum::Least => within(window.saturating_sub(1)),
            Kept::Window(window) => within(window.saturating_sub(1)).saturating_add(1),
            Kept::Chunk(chunk) => within(chunk),
        }
    }

    /// In groups; absent: there is one kind of layers alone, or their blocks are not of one size.
    fn grouped(&self, layers: &[Option<Layer>], stage: &Range<usize>) -> Option<Need> {
        let mut kinds: Vec<(Layer, Vec<usize>)> = Vec::new();
        for (place, layer) in layers.iter().enumerate() {
            let Some(layer) = layer else { continue };
            match kinds.iter_mut().find(|(kind, _)| kind == layer) {
                Some((_, places)) => places.push(place),
                None => kinds.push((*layer, vec![place])),
            }
        }
        let page = self.page(&kinds.first()?.0);
        let are_alike = kinds.iter().all(|(layer, _)| self.page(layer) == page);
        if kinds.len() < 2 || !are_alike {
            return None;
        }
        let counts = || kinds.iter().map(|(_, places)| places.len());
        let (fewest, most) = (counts().min()?, counts().max()?);
        // Not many more of one kind than of another: the smaller groups are filled up.
        let size = if most * 2 < fewest * 3 { most } else { fewest };
        let (mut blocks, mut widest) = (0_u64, 0_usize);
        for (layer, places) in &kinds {
            let groups = places.len().div_ceil(size);
            for group in 0..groups {
                let own = places.iter().skip(group).step_by(groups);
                widest = widest.max(own.filter(|place| stage.contains(place)).count());
                if self.sum == Sum::Groups || blocks == 0 {
                    blocks = blocks.saturating_add(self.blocks(layer.kept));
                }
            }
        }
        let block = page.saturating_mul(u64::try_from(widest).ok()?);
        Some(Need { bytes: block.saturating_mul(blocks), block })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTING: Counting = Counting {
        tokens: 32_768,
        block: 16,
        bits: 16,
        in_flight: 16_384,
        ranks: 1,
        sum: Sum::Groups,
    };

    fn layer(kept: Kept) -> Layer {
        Layer { kept, heads: 8, width: 256 }
    }

    #[test]
    fn pages_and_blocks_are_as_vllm_counts_them() {
        // 0.33.0, `FullAttentionSpec` and `MLAAttentionSpec`.
        assert_eq!(COUNTING.page(&layer(Kept::All)), 65_536);
        let one = [Some(layer(Kept::All))];
        assert_eq!(COUNTING.need(&one, 0..1), Need { bytes: 134_217_728, block: 65_536 });
        let latent = Layer { kept: Kept::Latent, heads: 1, width: 576 };
        let counting = Counting { block: 64, ranks: 8, ..COUNTING };
        assert_eq!(counting.page(&latent), 73_728);
        assert_eq!(Counting { bits: 8, ..counting }.page(&latent), 36_864);
        assert_eq!(counting.page(&layer(Kept::All)), 64 * 256 * 2);
        // More ranks than heads: each has one.
        assert_eq!(Counting { ranks: 32, ..counting }.page(&layer(Kept::All)), 64 * 256 * 2);
        // `SlidingWindowSpec`, with two batches of 8192 in flight.
        assert_eq!(COUNTING.blocks(Kept::Window(1024)), 1089);
        assert_eq!(COUNTING.blocks(Kept::Chunk(8192)), (8192 + 16_384) / 16);
    }

    #[test]
    fn layers_of_several_kinds_take_blocks_in_groups() {
        let layers = |full: usize, windowed: usize| {
            let full = std::iter::repeat_n(Some(layer(Kept::All)), full);
            full.chain(std::iter::repeat_n(Some(layer(Kept::Window(1024))), windowed))
                .collect::<Vec<_>>()
        };
        let page = 65_536;
        let check = |full, windowed, size: u64, blocks: u64| {
            let layers = layers(full, windowed);
            let need = COUNTING.need(&layers, 0..layers.len());
            let expected = Need { bytes: page * size * blocks, block: page * size };
            assert_eq!(need, expected, "{full} and {windowed}");
        };
        check(5, 25, 5, 2048 + 5 * 1089);
        check(12, 13, 13, 2048 + 1089);
        check(2, 3, 2, 2048 + 2 * 1089);
        let mixed = layers(1, 1);
        let least = Counting { sum: Sum::Least, ..COUNTING }.need(&mixed, 0..2).bytes;
        assert_eq!(least, page * 2048);
        let first = Counting { sum: Sum::FirstGroup, ..COUNTING }.need(&mixed, 0..2).bytes;
        assert_eq!(first, page * 2048);
        let alone = Counting { sum: Sum::Layers, ..COUNTING }.need(&mixed, 0..2).bytes;
        assert_eq!(alone, page * (2048 + 1089));
    }

    #[test]
    fn a_stage_of_a_pipeline_needs_what_its_own_layers_keep() {
        let kinds = [Kept::All, Kept::Window(64), Kept::Window(64), Kept::Window(64)];
        let layers: Vec<_> = kinds.into_iter().cycle().take(8).map(|it| Some(layer(it))).collect();
        let need = COUNTING.need(&layers, 0..4);
        // Four groups of two layers, one of which is on each stage.
        assert_eq!(need.block, 65_536);
        let windowed = (63_u64 + 16_384).div_ceil(16) + 1;
        assert_eq!(need.bytes, 65_536 * (2048 + 3 * windowed));
    }
}
