//! Sentences in which code stands between backticks.

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Whether it stood between backticks.
    pub(super) is_code: bool,
    /// Without them.
    pub(super) text: String,
}

/// The pieces of `sentence`, of which none is empty. Backticks without a partner stay.
pub(super) fn pieces(sentence: &str) -> Vec<Piece> {
    let is_paired = sentence.matches('`').count().is_multiple_of(2);
    if !is_paired {
        return vec![Piece { is_code: false, text: sentence.to_owned() }];
    }
    let piece =
        |(index, text): (usize, &str)| Piece { is_code: index % 2 == 1, text: text.to_owned() };
    sentence.split('`').enumerate().map(piece).filter(|piece| !piece.text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code() {
        let check = |sentence: &str, expected: &[(bool, &str)]| {
            let found = pieces(sentence);
            let found: Vec<_> = found.iter().map(|it| (it.is_code, it.text.as_str())).collect();
            assert_eq!(found, expected, "{sentence}");
        };
        check("set `A` and `B`", &[(false, "set "), (true, "A"), (false, " and "), (true, "B")]);
        check("a ` alone", &[(false, "a ` alone")]);
        check("", &[]);
    }
}
