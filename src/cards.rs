//! The GPUs of a host as somebody declares them: how many, and how much memory each has.

use std::collections::BTreeMap;
use std::str::FromStr;

use thiserror::Error;

/// One GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Bytes of its memory.
    pub memory: u64,
    /// What it is called; absent: not said.
    pub name: Option<String>,
    /// Bytes of its memory that something else has.
    pub reserved: u64,
}

/// The GPUs of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cards {
    /// In the order of their indices.
    Listed(Vec<Card>),
    /// By their UUIDs.
    Named(BTreeMap<String, Card>),
}

/// Why a declaration of GPUs cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CardsError {
    /// It is no amount of memory.
    #[error("`{}` is no amount of a GPU's memory: write it like `24GB`", .0.escape_debug())]
    Memory(String),
    /// It is no number of GPUs.
    #[error("`{}` is no number of GPUs: write `2x24GB`, or one amount for each: `24GB,80GB`", .0.escape_debug())]
    Count(String),
    /// More is reserved than there is.
    #[error("a GPU of {memory} bytes cannot have {reserved} bytes reserved")]
    Reserved {
        /// Bytes of the GPU.
        memory: u64,
        /// Bytes.
        reserved: u64,
    },
}

/// More GPUs than any host has.
const MOST: u64 = 64;

/// The largest amount that is believed of one GPU: 16 TiB.
const LARGEST: u64 = 16 << 40;

impl Card {
    /// A GPU of which nothing but its memory is known.
    #[must_use]
    pub fn of(memory: u64) -> Self {
        Self { memory, name: None, reserved: 0 }
    }

    /// With this much of it in somebody else's hands.
    ///
    /// # Errors
    /// When that is more than it has.
    pub fn reserving(self, reserved: u64) -> Result<Self, CardsError> {
        if self.memory <= reserved {
            return Err(CardsError::Reserved { memory: self.memory, reserved });
        }
        Ok(Self { reserved, ..self })
    }
}

impl Cards {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.each().count()
    }

    /// Each of them, by its index or its UUID.
    #[must_use]
    pub fn by_key(&self) -> Vec<(String, &Card)> {
        match self {
            Self::Listed(cards) => {
                cards.iter().enumerate().map(|(index, card)| (index.to_string(), card)).collect()
            }
            Self::Named(cards) => cards.iter().map(|(uuid, card)| (uuid.clone(), card)).collect(),
        }
    }

    /// Each of them.
    pub fn each(&self) -> impl Iterator<Item = &Card> {
        let (listed, named) = match self {
            Self::Listed(cards) => (Some(cards), None),
            Self::Named(cards) => (None, Some(cards)),
        };
        listed.into_iter().flatten().chain(named.into_iter().flat_map(BTreeMap::values))
    }

    /// Whether they are all of one kind, as far as is said.
    #[must_use]
    pub fn are_alike(&self) -> bool {
        let mut each = self.each().map(|card| (card.memory, &card.name));
        let first = each.next();
        each.all(|card| Some(card) == first)
    }
}

impl FromStr for Cards {
    type Err = CardsError;

    /// `2x24GB`, `24GB`, `24GB,80GB`.
    fn from_str(text: &str) -> Result<Self, CardsError> {
        let mut cards = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (count, amount) = part.split_once(['x', 'X', '*']).unwrap_or(("1", part));
            let count = count.trim().parse().ok().filter(|count| (1..=MOST).contains(count));
            let count = count.ok_or_else(|| CardsError::Count(part.to_owned()))?;
            let card = Card::of(memory(amount)?);
            cards.extend((0..count).map(|_| card.clone()));
        }
        Ok(Self::Listed(cards))
    }
}

/// An amount of a GPU's memory in bytes: `24GB`, `24 GiB`, `24g`, `24564MiB`. Both spellings are powers
/// of 1024, in which the memory of cards is sold.
///
/// # Errors
/// When it is none.
pub fn memory(text: &str) -> Result<u64, CardsError> {
    let wrong = || CardsError::Memory(text.to_owned());
    let trimmed = text.trim();
    let end = trimmed.find(|it: char| it.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, unit) = trimmed.split_at(end);
    let unit = unit.to_ascii_lowercase();
    let shift = match unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(&unit) {
        "m" => 20_u32,
        "g" => 30,
        "t" => 40,
        _ => return Err(wrong()),
    };
    let (whole, part) = number.trim().split_once('.').unwrap_or((number.trim(), "0"));
    let is_plain = |digits: &str| !digits.is_empty() && digits.len() <= 9;
    let digits = |text: &str| text.parse::<u64>().ok().filter(|_| is_plain(text));
    let (whole, fraction) = digits(whole).zip(digits(part)).ok_or_else(wrong)?;
    let scale = part.bytes().fold(1_u64, |scale, _| scale * 10);
    let fraction = (u128::from(fraction) << shift) / u128::from(scale);
    let bytes = (u128::from(whole) << shift) + fraction;
    u64::try_from(bytes).ok().filter(|bytes| (1..=LARGEST).contains(bytes)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_in_powers_of_1024() {
        for (text, expected) in [
            ("24GB", Some(24 << 30)),
            ("24 GiB", Some(24 << 30)),
            ("24g", Some(24 << 30)),
            ("24564MiB", Some(24_564 << 20)),
            ("1.5TB", Some(3 << 39)),
            ("23.5GB", Some(47 << 29)),
            ("24", None),
            ("GB", None),
            ("0GB", None),
            ("-1GB", None),
            ("24KB", None),
            ("24GBs", None),
            ("1e3GB", None),
            ("99999TB", None),
            ("1.GB", None),
        ] {
            assert_eq!(memory(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn cards_are_counted_or_listed() {
        let of = |text: &str| -> Option<Vec<u64>> {
            let cards: Cards = text.parse().ok()?;
            Some(cards.each().map(|card| card.memory >> 30).collect())
        };
        assert_eq!(of("2x24GB"), Some(vec![24, 24]));
        assert_eq!(of("24GB"), Some(vec![24]));
        assert_eq!(of("24GB, 2 x 80GB"), Some(vec![24, 80, 80]));
        for wrong in ["", "x24GB", "0x24GB", "2x", "65x24GB", "2x24GB,", "two"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn cards_are_alike_that_have_the_same_name_and_memory() {
        let alike = |text: &str| text.parse::<Cards>().unwrap().are_alike();
        assert!(alike("4x24GB") && alike("24GB") && !alike("24GB,80GB"));
        assert_eq!(
            Card::of(24 << 30).reserving(24 << 30),
            Err(CardsError::Reserved { memory: 24 << 30, reserved: 24 << 30 })
        );
    }
}
