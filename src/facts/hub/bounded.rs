//! Lists in documents of strangers, which end where a limit is.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

/// A list of at most `MOST` elements. A longer one is an error as soon as it is too long, whatever
/// follows: a few bytes of a document can be a hundred times as many in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bounded<T, const MOST: usize>(pub(super) Vec<T>);

struct Elements<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Bounded<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Elements::<T, MOST>(PhantomData)).map(Self)
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Elements<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            if elements.len() == MOST {
                return Err(A::Error::custom(format_args!("it lists more than {MOST}")));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_at_its_limit_whatever_follows() {
        let read = |text: &str| serde_json::from_str::<Bounded<u8, 3>>(text);
        assert_eq!(read("[1, 2, 3]").unwrap().0, [1, 2, 3]);
        let error = read("[1, 2, 3, 4, nonsense").unwrap_err().to_string();
        assert!(error.starts_with("it lists more than 3"), "{error}");
        assert!(read("{}").unwrap_err().to_string().contains("a list of at most 3"));
    }
}
