//! The lines in which two texts differ, with those around them, as a unified diff has them.

use similar::{ChangeTag, TextDiff};

use super::Sign;

/// How many lines are shown before and behind a change.
const AROUND: usize = 3;

/// What a diff says behind a last line that is not ended.
const OPEN: &str = "\\ No newline at end of file";

/// The hunks, one line after the other, without their signs.
pub(super) fn of(before: &str, after: &str) -> Vec<(Sign, String)> {
    // Not the lines of the library, to which a carriage return alone ends one.
    let lines = |text| -> Vec<&str> { str::split_inclusive(text, '\n').collect() };
    let (old, new) = (lines(before), lines(after));
    let diff = TextDiff::configure().newline_terminated(true).diff_slices(&old, &new);
    let mut out = Vec::new();
    for hunk in diff.unified_diff().context_radius(AROUND).iter_hunks() {
        out.push((Sign::Head, hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let sign = match change.tag() {
                ChangeTag::Equal => Sign::Same,
                ChangeTag::Delete => Sign::Gone,
                ChangeTag::Insert => Sign::New,
            };
            let line = change.value();
            out.push((sign, line.strip_suffix('\n').unwrap_or(line).to_owned()));
            if !line.ends_with('\n') {
                out.push((Sign::Head, OPEN.to_owned()));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The text that a diff makes of another, by what it says alone.
    fn patched(before: &str, hunks: &[(Sign, String)]) -> String {
        let lines: Vec<&str> = before.split_inclusive('\n').collect();
        let (mut out, mut at) = (Vec::new(), 0);
        for (index, (sign, line)) in hunks.iter().enumerate() {
            let is_open = hunks.get(index + 1).is_some_and(|(_, next)| next == OPEN);
            let ended = if is_open { line.clone() } else { format!("{line}\n") };
            match sign {
                Sign::Head if line == OPEN => {}
                Sign::Head => {
                    let first = line.split(['-', ',', ' ']).nth(2).unwrap();
                    let is_empty = line.split(' ').nth(1).unwrap().ends_with(",0");
                    let first: usize = first.parse().unwrap();
                    let start = if is_empty { first } else { first - 1 };
                    out.extend(lines[at..start].iter().map(|line| (*line).to_owned()));
                    at = start;
                }
                Sign::Same | Sign::Gone => {
                    assert_eq!(lines[at], ended);
                    if *sign == Sign::Same {
                        out.push(ended);
                    }
                    at += 1;
                }
                Sign::New => out.push(ended),
            }
        }
        out.extend(lines[at..].iter().map(|line| (*line).to_owned()));
        out.concat()
    }

    fn shown(before: &str, after: &str) -> String {
        let line = |(sign, line): (Sign, String)| match sign {
            Sign::Head => format!("{line}\n"),
            Sign::Same => format!(" {line}\n"),
            Sign::Gone => format!("-{line}\n"),
            Sign::New => format!("+{line}\n"),
        };
        of(before, after).into_iter().map(line).collect()
    }

    #[test]
    fn a_line_more_is_shown_with_those_around_it() {
        assert_eq!(
            shown("a\nb\nc\nd\ne\n", "a\nb\nx\nc\nd\ne\n"),
            "@@ -1,5 +1,6 @@\n a\n b\n+x\n c\n d\n e\n"
        );
        assert_eq!(
            shown("a", "a\nb"),
            "@@ -1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n\\ No newline at end of file\n"
        );
        assert_eq!(shown("", "a\n"), "@@ -0,0 +1 @@\n+a\n");
        assert_eq!(shown("a\n", "a\n"), "");
    }

    #[test]
    fn changes_that_are_far_apart_are_shown_apart() {
        let lines: Vec<String> = (0..5000).map(|line| format!("{line}\n")).collect();
        let before = lines.concat();
        let after = before.replace("\n10\n", "\n10\nx\n").replace("\n4000\n", "\n4000\ny\n");
        let hunks = of(&before, &after);
        assert_eq!(hunks.iter().filter(|(sign, _)| *sign == Sign::Head).count(), 2);
        assert_eq!(hunks.iter().filter(|(sign, _)| *sign == Sign::New).count(), 2);
        assert_eq!(hunks.iter().filter(|(sign, _)| *sign == Sign::Gone).count(), 0);
    }

    proptest! {
        #[test]
        fn a_diff_makes_the_one_text_of_the_other(before in "[ab\n]{0,12}", after in "[ab\n]{0,12}") {
            prop_assert_eq!(patched(&before, &of(&before, &after)), after);
        }
    }
}
