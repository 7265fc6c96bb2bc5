//! The lines in which two texts differ, with those around them, as a unified diff has them.
//!
//! The lines that both have are found by Myers' algorithm ("An O(ND) Difference Algorithm and Its
//! Variations", 1986), which is fast where little has changed.

use std::ops::Range;

use super::Sign;

/// How many lines are shown before and behind a change.
const AROUND: usize = 3;

/// What a diff says behind a last line that is not ended.
const OPEN: &str = "\\ No newline at end of file";

/// Lines that give way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    before: Range<usize>,
    after: Range<usize>,
}

/// The hunks, one line after the other, without their signs.
pub(super) fn of(before: &str, after: &str) -> Vec<(Sign, String)> {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let mut out = Vec::new();
    for hunk in grouped(changes(&old, &new)) {
        put(&mut out, &hunk, &old, &new);
    }
    out
}

/// Changes that are so near to each other that they are shown as one.
fn grouped(changes: Vec<Change>) -> Vec<Vec<Change>> {
    let mut hunks: Vec<Vec<Change>> = Vec::new();
    for change in changes {
        let last = hunks.last_mut();
        match last.filter(|hunk| {
            hunk.last().is_some_and(|last| change.before.start <= last.before.end + 2 * AROUND)
        }) {
            Some(hunk) => hunk.push(change),
            None => hunks.push(vec![change]),
        }
    }
    hunks
}

fn put(out: &mut Vec<(Sign, String)>, hunk: &[Change], old: &[&str], new: &[&str]) {
    let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { return };
    let start = first.before.start.saturating_sub(AROUND);
    let end = (last.before.end + AROUND).min(old.len());
    let new_start = first.after.start - (first.before.start - start);
    let new_end = last.after.end + (end - last.before.end);
    let head = format!("@@ -{} +{} @@", span(start..end), span(new_start..new_end));
    out.push((Sign::Head, head));
    let mut at = start;
    let mut lines = |sign: Sign, lines: Option<&[&str]>| {
        for line in lines.into_iter().flatten() {
            out.push((sign, line.strip_suffix('\n').unwrap_or(line).to_owned()));
            if !line.ends_with('\n') {
                out.push((Sign::Head, OPEN.to_owned()));
            }
        }
    };
    for change in hunk {
        lines(Sign::Same, old.get(at..change.before.start));
        lines(Sign::Gone, old.get(change.before.clone()));
        lines(Sign::New, new.get(change.after.clone()));
        at = change.before.end;
    }
    lines(Sign::Same, old.get(at..end));
}

/// `first,count`, as a hunk has it: an empty one stands behind the line before.
fn span(range: Range<usize>) -> String {
    let first = if range.is_empty() { range.start } else { range.start + 1 };
    match range.len() {
        1 => first.to_string(),
        count => format!("{first},{count}"),
    }
}

fn changes(old: &[&str], new: &[&str]) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let (mut x, mut y) = (0, 0);
    let ends = [(old.len(), new.len())];
    for (i, j) in common(old, new).into_iter().chain(ends) {
        if x < i || y < j {
            changes.push(Change { before: x..i, after: y..j });
        }
        (x, y) = (i + 1, j + 1);
    }
    changes
}

/// The pairs of lines that stay, in order.
fn common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let head = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let (old_rest, new_rest) = (old.get(head..).unwrap_or(&[]), new.get(head..).unwrap_or(&[]));
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev());
    let tail = tail.take_while(|(one, other)| one == other).count();
    let (n, m) = (old_rest.len() - tail, new_rest.len() - tail);
    let middle = walk(old_rest.get(..n).unwrap_or(&[]), new_rest.get(..m).unwrap_or(&[]));
    let mut pairs: Vec<(usize, usize)> = (0..head).map(|at| (at, at)).collect();
    pairs.extend(middle.into_iter().map(|(x, y)| (head + x, head + y)));
    pairs.extend((0..tail).map(|at| (head + n + at, head + m + at)));
    pairs
}

/// The furthest that is reached on each diagonal, from the lowest on, after so many changes.
struct Front {
    changes: usize,
    reached: Vec<usize>,
}

impl Front {
    /// How far diagonal `plus - minus` is reached; nothing that far away has been.
    fn at(&self, plus: usize, minus: usize) -> Option<usize> {
        self.reached.get((self.changes + plus).checked_sub(minus)?).copied()
    }
}

/// The pairs of lines that stay between two texts that begin and end differently. A diagonal is that of
/// all places with so many more lines of `old` than of `new` behind them; they are told by two numbers,
/// neither of which is negative.
fn walk(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let mut fronts: Vec<Front> = Vec::new();
    for changes in 0..=old.len() + new.len() {
        let mut reached = vec![0; 2 * changes + 1];
        let mut is_done = false;
        for (plus, minus) in diagonals(changes) {
            let mut x = entered(fronts.last(), plus, minus).unwrap_or(0);
            while let Some(y) = (x + minus).checked_sub(plus)
                && old.get(x).is_some_and(|line| new.get(y) == Some(line))
            {
                x += 1;
            }
            if let Some(slot) = reached.get_mut(changes + plus - minus) {
                *slot = x;
            }
            is_done |= x >= old.len() && x + minus >= new.len() + plus;
        }
        fronts.push(Front { changes, reached });
        if is_done {
            break;
        }
    }
    back(&fronts, old.len(), new.len())
}

/// The diagonals that can be reached with so many changes.
fn diagonals(changes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..=changes).map(move |steps| {
        let (plus, minus) = (2 * steps, changes);
        let common = plus.min(minus);
        (plus - common, minus - common)
    })
}

/// Where a diagonal is entered, by taking a line away or by putting one in; absent: at the beginning.
fn entered(last: Option<&Front>, plus: usize, minus: usize) -> Option<usize> {
    let last = last?;
    let taken = if plus > 0 { last.at(plus - 1, minus) } else { last.at(plus, minus + 1) };
    let put = if minus > 0 { last.at(plus, minus - 1) } else { last.at(plus + 1, minus) };
    taken.map(|x| x + 1).max(put)
}

fn back(fronts: &[Front], mut x: usize, mut y: usize) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for index in (0..fronts.len()).rev() {
        let last = index.checked_sub(1).and_then(|before| fronts.get(before));
        let common = x.min(y);
        let (plus, minus) = (x - common, y - common);
        let start = entered(last, plus, minus).unwrap_or(0);
        while x > start && y > 0 {
            (x, y) = (x - 1, y - 1);
            pairs.push((x, y));
        }
        let Some(last) = last else { break };
        let taken = if plus > 0 { last.at(plus - 1, minus) } else { last.at(plus, minus + 1) };
        if taken.is_some_and(|before| before + 1 == x) { x -= 1 } else { y = y.saturating_sub(1) }
    }
    pairs.reverse();
    pairs
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
