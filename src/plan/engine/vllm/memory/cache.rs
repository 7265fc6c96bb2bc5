//! What the cache of keys and values needs for one request (vLLM 0.10.2 to 0.33.0,
//! v1/kv_cache_interface.py, v1/core/kv_cache_utils.py, and kv_cache_planning.py of 0.31.0 and newer).

use std::ops::Range;

use super::layers::{Kept, Layer, Placed};

/// How much is counted, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counting {
    /// Tokens of the request.
    pub(super) tokens: u64,
    /// Tokens of a block.
    pub(super) block: u64,
    /// Bits of one number of a key or a value.
    pub(super) bits: u64,
    /// Bytes of the one vector of a token, where they do not follow from its numbers.
    pub(super) latent: Option<u64>,
    /// Tokens that are computed and whose blocks are not given back yet.
    pub(super) in_flight: u64,
    /// Over how many ranks heads are divided.
    pub(super) ranks: u64,
    /// How layers of several kinds are put together.
    pub(super) sum: Sum,
    /// How states are kept beside keys and values.
    pub(super) states: States,
}

/// How states of one size are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct States {
    /// Bits of a number of the convolution, and of what is carried on.
    pub(super) bits: [u64; 2],
    /// A block whose keys and values are smaller than a state grows by so many tokens.
    pub(super) unit: u64,
    /// How many there are of each.
    pub(super) copies: Copies,
}

/// How many states a layer keeps of one request (`mamba_cache_mode`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Copies {
    /// So many.
    Some(u64),
    /// One for each block of tokens.
    #[default]
    EachBlock,
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

impl Need {
    /// The smaller, or the larger, of each of its numbers.
    pub(super) fn with(self, other: Self, pick: fn(u64, u64) -> u64) -> Self {
        let Self { bytes, block } = other;
        Self { bytes: pick(self.bytes, bytes), block: pick(self.block, block) }
    }
}

impl Counting {
    /// What those of `layers` that are in `stage` need.
    pub(super) fn need(&self, layers: &[Placed], stage: &Range<u64>) -> Need {
        let pages = self.pages(layers);
        let own = layers.iter().filter(|placed| stage.contains(&placed.at));
        let alone = own.fold(Need { bytes: 0, block: 0 }, |sum, placed| {
            let page = pages.page(&placed.layer);
            let bytes = page.saturating_mul(pages.counting.blocks(placed.layer.kept));
            let block = sum.block.saturating_add(page);
            Need { bytes: sum.bytes.saturating_add(bytes), block }
        });
        match self.sum {
            Sum::Layers => alone,
            Sum::FirstGroup | Sum::Groups => pages.grouped(layers, stage).unwrap_or(alone),
            Sum::Least => alone.with(pages.grouped(layers, stage).unwrap_or(alone), u64::min),
        }
    }

    /// Blocks are made so long that keys and values take no less than a state
    /// (0.28.0 platforms/interface.py `_align_hybrid_block_size`, up to 0.18.1
    /// model_executor/models/config.py `HybridAttentionMambaModelConfig`).
    fn pages(&self, layers: &[Placed]) -> Pages {
        let all = || layers.iter().map(|placed| &placed.layer);
        let state = all().filter_map(|layer| self.state(layer)).max().unwrap_or_default();
        let token = all().find_map(|layer| self.token(layer)).filter(|token| *token > 0);
        let Some(token) = token.filter(|_| state > 0) else {
            return Pages { counting: *self, state };
        };
        let unit = self.states.unit.max(1);
        let tokens = state.div_ceil(token.saturating_mul(unit)).saturating_mul(unit);
        let block = self.block.max(tokens);
        Pages { counting: Self { block, ..*self }, state: block.saturating_mul(token) }
    }

    /// Bytes of a state; absent: the layer has none.
    fn state(&self, layer: &Layer) -> Option<u64> {
        match layer.kept {
            Kept::State(state) => Some(state.bytes(self.ranks, self.states.bits)),
            Kept::All | Kept::Latent | Kept::Index | Kept::Window(_) | Kept::Chunk(_) => None,
        }
    }

    /// Bytes of one token; absent: the layer has a state.
    fn token(&self, layer: &Layer) -> Option<u64> {
        let heads = match layer.kept {
            Kept::State(_) => return None,
            Kept::Index => return Some(layer.width),
            Kept::Latent if self.latent.is_some() => return self.latent,
            Kept::Latent => 1,
            Kept::All | Kept::Window(_) | Kept::Chunk(_) => {
                (layer.heads / self.ranks.max(1)).max(1)
            }
        };
        Some(heads.saturating_mul(layer.width).saturating_mul(self.bits) / 8)
    }

    /// Blocks that one layer needs.
    fn blocks(&self, kept: Kept) -> u64 {
        let whole = self.tokens.div_ceil(self.block.max(1));
        let within = |tokens: u64| {
            tokens.saturating_add(self.in_flight).min(self.tokens).div_ceil(self.block.max(1))
        };
        match kept {
            Kept::All | Kept::Latent | Kept::Index => whole,
            // It may begin in the middle of a block.
            Kept::Window(window) if self.sum == Sum::Least => within(window.saturating_sub(1)),
            Kept::Window(window) => within(window.saturating_sub(1)).saturating_add(1),
            Kept::Chunk(chunk) => within(chunk),
            Kept::State(_) => match self.states.copies {
                Copies::Some(copies) => copies,
                Copies::EachBlock => whole,
            },
        }
    }
}

/// The sizes of the blocks of the layers of a model.
struct Pages {
    counting: Counting,
    /// Bytes of one state, with what it is filled up to.
    state: u64,
}

impl Pages {
    /// Bytes of one block of one layer.
    fn page(&self, layer: &Layer) -> u64 {
        let token = self.counting.token(layer);
        token.map_or(self.state, |token| token.saturating_mul(self.counting.block))
    }

    /// In groups; absent: there is one kind of layers alone, or their blocks are not of one size.
    fn grouped(&self, layers: &[Placed], stage: &Range<u64>) -> Option<Need> {
        let mut kinds: Vec<(Layer, Vec<u64>)> = Vec::new();
        for Placed { at, layer } in layers {
            match kinds.iter_mut().find(|(kind, _)| kind == layer) {
                Some((_, places)) => places.push(*at),
                None => kinds.push((*layer, vec![*at])),
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
                if self.counting.sum == Sum::Groups || blocks == 0 {
                    blocks = blocks.saturating_add(self.counting.blocks(layer.kept));
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
        latent: None,
        in_flight: 16_384,
        ranks: 1,
        sum: Sum::Groups,
        states: States { bits: [16, 32], unit: 16, copies: Copies::Some(1) },
    };

    fn layer(kept: Kept) -> Layer {
        Layer { kept, heads: 8, width: 256 }
    }

    fn placed(layers: impl IntoIterator<Item = Layer>) -> Vec<Placed> {
        (0..).zip(layers).map(|(at, layer)| Placed { at, layer }).collect()
    }

    fn page(counting: &Counting, layer: Layer) -> u64 {
        counting.need(&placed([layer]), &(0..1)).block
    }

    #[test]
    fn pages_and_blocks_are_as_vllm_counts_them() {
        // 0.33.0, `FullAttentionSpec` and `MLAAttentionSpec`.
        let one = placed([layer(Kept::All)]);
        assert_eq!(COUNTING.need(&one, &(0..1)), Need { bytes: 134_217_728, block: 65_536 });
        let latent = Layer { kept: Kept::Latent, heads: 1, width: 576 };
        let counting = Counting { block: 64, ranks: 8, ..COUNTING };
        assert_eq!(page(&counting, latent), 73_728);
        assert_eq!(page(&Counting { bits: 8, ..counting }, latent), 36_864);
        assert_eq!(page(&Counting { latent: Some(656), ..counting }, latent), 64 * 656);
        let index = Layer { kept: Kept::Index, heads: 1, width: 132 };
        assert_eq!(page(&Counting { latent: Some(656), ..counting }, index), 64 * 132);
        assert_eq!(page(&counting, layer(Kept::All)), 64 * 256 * 2);
        // More ranks than heads: each has one.
        assert_eq!(page(&Counting { ranks: 32, ..counting }, layer(Kept::All)), 64 * 256 * 2);
        // `SlidingWindowSpec`, with two batches of 8192 in flight.
        assert_eq!(COUNTING.blocks(Kept::Window(1024)), 1089);
        assert_eq!(COUNTING.blocks(Kept::Chunk(8192)), (8192 + 16_384) / 16);
    }

    #[test]
    fn layers_of_several_kinds_take_blocks_in_groups() {
        let layers = |full: usize, windowed: usize| {
            let full = std::iter::repeat_n(layer(Kept::All), full);
            placed(full.chain(std::iter::repeat_n(layer(Kept::Window(1024)), windowed)))
        };
        let page = 65_536;
        let check = |full, windowed, size: u64, blocks: u64| {
            let layers = layers(full, windowed);
            let need = COUNTING.need(&layers, &(0..100));
            let expected = Need { bytes: page * size * blocks, block: page * size };
            assert_eq!(need, expected, "{full} and {windowed}");
        };
        check(5, 25, 5, 2048 + 5 * 1089);
        check(12, 13, 13, 2048 + 1089);
        check(2, 3, 2, 2048 + 2 * 1089);
        let mixed = layers(1, 1);
        let least = Counting { sum: Sum::Least, ..COUNTING }.need(&mixed, &(0..2)).bytes;
        assert_eq!(least, page * 2048);
        let first = Counting { sum: Sum::FirstGroup, ..COUNTING }.need(&mixed, &(0..2)).bytes;
        assert_eq!(first, page * 2048);
        let alone = Counting { sum: Sum::Layers, ..COUNTING }.need(&mixed, &(0..2)).bytes;
        assert_eq!(alone, page * (2048 + 1089));
    }

    #[test]
    fn a_stage_of_a_pipeline_needs_what_its_own_layers_keep() {
        let kinds = [Kept::All, Kept::Window(64), Kept::Window(64), Kept::Window(64)];
        let layers = placed(kinds.into_iter().cycle().take(8).map(layer));
        let need = COUNTING.need(&layers, &(0..4));
        // Four groups of two layers, one of which is on each stage.
        assert_eq!(need.block, 65_536);
        let windowed = (63_u64 + 16_384).div_ceil(16) + 1;
        assert_eq!(need.bytes, 65_536 * (2048 + 3 * windowed));
    }
}
