//! The lines of a text that a finding points at, made fit to be printed, with the carets where
//! they belong.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;

use super::text::Cleaner;
use crate::report::redact::unseen::push_escaped;
use crate::report::redact::{MASK, merged};
use crate::source_map::{SourceId, SourceMap, Span};

/// Lines of one file that are further apart than this are shown apart.
const WIDEST_GAP: usize = 200;

/// How many lines a line is read with, for what those in front of it say of it.
const LONGEST_LIST: usize = 40;

/// Something to point at.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    /// Where. Only what is on its first line is marked.
    pub(super) span: Span,
    /// What to say there; clean.
    pub(super) label: Option<String>,
    /// Whether it is what the finding is about.
    pub(super) is_primary: bool,
    /// Whether what is marked is masked.
    pub(super) is_hidden: bool,
}

/// Neighbouring lines of one file. What is between the lines that are pointed at is left blank;
/// it is folded away when it is rendered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// The file's name; clean.
    pub(super) path: String,
    /// The number of the first line.
    pub(super) line: usize,
    /// The lines; clean.
    pub(super) text: String,
    /// What is marked in [`Excerpt::text`], in order.
    pub(super) marks: Vec<(Range<usize>, Option<String>, bool)>,
    /// How a renderer that knows only this excerpt says where it begins, and what is true; absent
    /// where they agree.
    pub(super) corrected: Option<(String, String)>,
}

/// A line with something on it.
struct Line<'a> {
    text: &'a str,
    /// With the bytes of [`Line::text`] that are marked.
    marks: Vec<(Range<usize>, &'a Mark)>,
}

/// Where the secrets of the lines are that were shown: a file of one long line is looked through once, and
/// not for each finding.
#[derive(Debug, Default)]
pub(super) struct LineSecrets(RefCell<HashMap<(SourceId, usize), Secrets>>);

/// The bytes of a line that are secret.
type Secrets = Rc<Vec<Range<usize>>>;

impl LineSecrets {
    /// Of the line of a text with that number.
    fn of(&self, text: Text<'_>, number: usize, line: &str) -> Secrets {
        let key = (text.source, number);
        if let Some(known) = self.0.borrow().get(&key) {
            return Rc::clone(known);
        }
        let own = text.cleaner.redactor().secrets_in(line);
        let before = told_before(text.whole, number, text.cleaner);
        let found = Rc::new(merged(own.into_iter().chain(before).collect()));
        self.0.borrow_mut().insert(key, Rc::clone(&found));
        found
    }
}

/// A text out of which lines are shown, and how.
#[derive(Clone, Copy)]
struct Text<'a> {
    source: SourceId,
    whole: &'a str,
    cleaner: Cleaner<'a>,
    width: usize,
    secrets: &'a LineSecrets,
}

/// The excerpts that show all of `marks`: what the finding is about first, then by file and line.
pub(super) fn excerpts(
    marks: &[Mark],
    sources: &SourceMap,
    secrets: &LineSecrets,
    cleaner: Cleaner<'_>,
    width: usize,
) -> Vec<Excerpt> {
    let mut files: Vec<(SourceId, BTreeMap<usize, Line<'_>>)> = Vec::new();
    for mark in marks {
        let source = mark.span.source;
        let (number, text, range) = marked_line(sources.text(source), mark.span);
        let position = files.iter().position(|(file, _)| *file == source).unwrap_or(files.len());
        if position == files.len() {
            files.push((source, BTreeMap::new()));
        }
        if let Some((_, lines)) = files.get_mut(position) {
            let line = lines.entry(number).or_insert(Line { text, marks: Vec::new() });
            line.marks.push((range, mark));
        }
    }
    let mut excerpts = Vec::new();
    for (source, lines) in files {
        let path = cleaner.line(&sources.name(source).display().to_string());
        let text = Text { source, whole: sources.text(source), cleaner, width, secrets };
        let mut current: Option<Builder<'_>> = None;
        for (number, line) in lines {
            let builder = match current.take() {
                Some(builder) if number - builder.last <= WIDEST_GAP => builder,
                done => {
                    excerpts.extend(done.map(Builder::finish));
                    Builder::new(path.clone(), number, text)
                }
            };
            current = Some(builder.add(number, line));
        }
        excerpts.extend(current.map(Builder::finish));
    }
    let is_primary = |excerpt: &Excerpt| excerpt.marks.iter().any(|(_, _, primary)| *primary);
    excerpts.sort_by_key(|excerpt| !is_primary(excerpt));
    excerpts
}

struct Builder<'a> {
    excerpt: Excerpt,
    last: usize,
    text: Text<'a>,
    /// Line, column as shown, column as it is; of the mark that the header names.
    header: Option<(bool, usize, usize, usize)>,
}

impl<'a> Builder<'a> {
    fn new(path: String, line: usize, text: Text<'a>) -> Self {
        let excerpt =
            Excerpt { path, line, text: String::new(), marks: Vec::new(), corrected: None };
        Self { excerpt, last: line, text, header: None }
    }

    fn add(mut self, number: usize, mut line: Line<'_>) -> Self {
        // A single line between two that are shown is shown as well, not folded.
        if number == self.last + 2 {
            let between = nth_line(self.text.whole, self.last + 1);
            let secrets = self.text.secrets.of(self.text, self.last + 1, between);
            let shown = show(between, &[], &secrets, self.text.cleaner, self.text.width);
            self.excerpt.text.push('\n');
            self.excerpt.text.push_str(&shown.0);
            self.last += 1;
        }
        self.excerpt.text.extend(std::iter::repeat_n('\n', number - self.last));
        self.last = number;
        line.marks.sort_by_key(|(range, mark)| (!mark.is_primary, range.start));
        let ranges: Vec<_> = line.marks.iter().map(|(range, _)| range.clone()).collect();
        let hidden = line.marks.iter().filter(|(_, mark)| mark.is_hidden);
        let hidden = hidden.map(|(range, _)| range.clone());
        let secrets = self.text.secrets.of(self.text, number, line.text);
        let secrets = merged(hidden.chain(secrets.iter().cloned()).collect());
        let (text, shown) = show(line.text, &ranges, &secrets, self.text.cleaner, self.text.width);
        let start = self.excerpt.text.len();
        for ((range, mark), shown) in line.marks.into_iter().zip(shown) {
            let is_named =
                self.header.is_none_or(|(is_primary, ..)| mark.is_primary && !is_primary);
            if is_named {
                self.header = Some((
                    mark.is_primary,
                    number,
                    column(&text, shown.start),
                    column(line.text, range.start),
                ));
            }
            let shown = start + shown.start..start + shown.end;
            self.excerpt.marks.push((shown, mark.label.clone(), mark.is_primary));
        }
        self.excerpt.text.push_str(&text);
        self
    }

    fn finish(mut self) -> Excerpt {
        if let Some((_, line, shown, actual)) = self.header
            && shown != actual
        {
            let path = &self.excerpt.path;
            self.excerpt.corrected =
                Some((format!("{path}:{line}:{shown}"), format!("{path}:{line}:{actual}")));
        }
        self.excerpt
    }
}

fn column(text: &str, byte: usize) -> usize {
    text.get(..byte).map_or(0, |before| before.chars().count()) + 1
}

/// The number and text of the line that `span` begins on, and what of it is inside the span.
fn marked_line(text: &str, span: Span) -> (usize, &str, Range<usize>) {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let before = text.get(..start).unwrap_or("");
    let after = text.get(start..).unwrap_or("");
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = after.find('\n').map_or(text.len(), |newline| start + newline);
    let line = text.get(line_start..line_end).unwrap_or("");
    let line = line.strip_suffix('\r').unwrap_or(line);
    let start = (start - line_start).min(line.len());
    let end = line.floor_char_boundary(span.end.saturating_sub(line_start).min(line.len()));
    (before.matches('\n').count() + 1, line, start..end.max(start))
}

fn nth_line(text: &str, number: usize) -> &str {
    text.lines().nth(number.saturating_sub(1)).unwrap_or("")
}

/// The secrets of the line of `whole` with that number that only the lines in front of it tell: it
/// may be an item of a list that a flag begins.
fn told_before(whole: &str, number: usize, cleaner: Cleaner<'_>) -> Vec<Range<usize>> {
    let first = number.saturating_sub(LONGEST_LIST);
    let lines: Vec<&str> = whole.lines().skip(first).take(number - first).collect();
    let text = lines.join("\n");
    let start = text.len() - lines.last().map_or(0, |line| line.len());
    let secrets = cleaner.redactor().secrets_in(&text).into_iter();
    let secrets = secrets.filter(|secret| secret.end > start);
    secrets.map(|secret| secret.start.saturating_sub(start)..secret.end - start).collect()
}

/// The part of `line` that fits into `width`, clean and without its secrets, and where `ranges` are in
/// it.
fn show(
    line: &str,
    ranges: &[Range<usize>],
    secrets: &[Range<usize>],
    cleaner: Cleaner<'_>,
    width: usize,
) -> (String, Vec<Range<usize>>) {
    let window = window(line, ranges.first().map_or(0, |range| range.start), width);
    let mut shown = String::new();
    // From offsets in `line` to offsets in `shown`, ascending.
    let mut offsets: Vec<(usize, usize)> = Vec::new();
    if window.start > 0 {
        offsets.push((0, 0));
        shown.push_str("...");
    }
    let mut masked_until = 0;
    for (at, character) in line.char_indices() {
        if at < window.start {
            continue;
        }
        if at >= window.end {
            break;
        }
        offsets.push((at, shown.len()));
        if at < masked_until {
            continue;
        }
        let secret = secrets.partition_point(|secret| secret.end <= at);
        match secrets.get(secret).filter(|secret| secret.start <= at) {
            Some(secret) => {
                masked_until = secret.end;
                shown.push_str(MASK);
            }
            None if character == '\t' || !cleaner.hides(character) => shown.push(character),
            None => push_escaped(&mut shown, character),
        }
    }
    offsets.push((window.end, shown.len()));
    if window.end < line.len() {
        shown.push_str("...");
    }
    let place = |offset: usize| {
        let next = offsets.partition_point(|(at, _)| *at < offset);
        offsets.get(next).or(offsets.last()).map_or(0, |(_, shown)| *shown)
    };
    let ranges = ranges
        .iter()
        .map(|range| {
            // A mark on a part of a secret is a mark on all of what stands for it.
            let within = |at: usize| secrets.iter().find(|one| one.start < at && at < one.end);
            let start = within(range.start).map_or(range.start, |secret| secret.start);
            let end = within(range.end).map_or(range.end, |secret| secret.end);
            let start = place(start.max(window.start));
            start..place(end).max(start)
        })
        .collect();
    (shown, ranges)
}

/// What of `line` is shown when it has more than `width` characters: a third before `focus`.
fn window(line: &str, focus: usize, width: usize) -> Range<usize> {
    if line.chars().nth(width).is_none() {
        return 0..line.len();
    }
    let before = line.get(..focus).unwrap_or("");
    let start = match (width / 3).checked_sub(1) {
        Some(count) => before.char_indices().rev().nth(count).map_or(0, |(at, _)| at),
        None => before.len(),
    };
    let rest = line.get(start..).unwrap_or("");
    let end = rest.char_indices().nth(width).map_or(line.len(), |(at, _)| start + at);
    start..end
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::report::redact::Redactor;
    use crate::report::redact::unseen::is_unprintable;

    /// Marks what stands between `[` and `]` of `line`, and writes the marks back into what is
    /// shown.
    fn check(line: &str, width: usize, expected: &str) {
        let start = line.find('[').unwrap();
        let end = line.find(']').unwrap() - 1;
        let line = line.replacen('[', "", 1).replacen(']', "", 1);
        let redactor = Redactor::new(["sekrit"]);
        let mark = start..end;
        let secrets = redactor.secrets_in(&line);
        let (mut shown, ranges) =
            show(&line, std::slice::from_ref(&mark), &secrets, Cleaner::new(&redactor), width);
        shown.insert(ranges[0].end, ']');
        shown.insert(ranges[0].start, '[');
        assert_eq!(shown, expected);
    }

    #[test]
    fn marks_follow_what_is_escaped_masked_or_cut() {
        for (line, width, expected) in [
            ("image: [vllm]", 80, "image: [vllm]"),
            ("\u{202e}a: [b\u{7}c] d", 80, "\\u{202e}a: [b\\u{7}c] d"),
            ("k: sekrit [abc] sekrit", 80, "k: *** [abc] ***"),
            ("k: [a sekrit b]", 80, "k: [a *** b]"),
            ("k: se[kri]t", 80, "k: [***]"),
            ("0123456789[ab]0123456789", 12, "...6789[ab]012345..."),
            ("[abcdefghijklmnop]", 6, "[abcdef]..."),
            ("a: []", 80, "a: []"),
        ] {
            check(line, width, expected);
        }
    }

    #[test]
    fn what_is_hidden_is_masked_and_still_marked() {
        let redactor = Redactor::new(["sekrit"]);
        let line = "HF_HOME: /private sekrit";
        let (marked, around) = (9..17, 5..24);
        for (hidden, expected, at) in [
            (vec![marked.clone()], "HF_HOME: *** ***", 9..12),
            (vec![marked.clone(), around], "HF_HO***", 5..8),
        ] {
            let secrets = merged([hidden, redactor.secrets_in(line)].concat());
            let (shown, ranges) =
                show(line, std::slice::from_ref(&marked), &secrets, Cleaner::new(&redactor), 80);
            assert_eq!((shown.as_str(), &ranges[0]), (expected, &at));
        }
    }

    fn excerpts_of(text: &str, spans: &[Range<usize>]) -> Vec<Excerpt> {
        let mut sources = SourceMap::default();
        let source = sources.add(Path::new("c.yaml"), text.to_owned());
        let marks: Vec<_> = spans
            .iter()
            .enumerate()
            .map(|(index, span)| Mark {
                span: Span { source, start: span.start, end: span.end },
                label: None,
                is_primary: index == 0,
                is_hidden: false,
            })
            .collect();
        let redactor = Redactor::default();
        let cleaner = Cleaner::new(&redactor);
        excerpts(&marks, &sources, &LineSecrets::default(), cleaner, 80)
    }

    #[test]
    fn only_the_lines_that_are_pointed_at_are_kept() {
        let found = excerpts_of("one\ntwo\nthree\nfour\nfive\nsix\n", &[19..23, 0..3, 8..13]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].line, found[0].text.as_str()), (1, "one\ntwo\nthree\nfour\nfive"));
        let found = excerpts_of("one\ntwo\nthree\nfour\nfive\nsix\n", &[19..23, 0..3]);
        assert_eq!((found[0].line, found[0].text.as_str()), (1, "one\n\n\n\nfive"));
    }

    #[test]
    fn lines_that_are_far_apart_are_shown_apart() {
        let text = format!("one\n{}last", "\n".repeat(1000));
        let found = excerpts_of(&text, &[0..3, text.len() - 4..text.len()]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].line, found[1].text.as_str()), (1002, "last"));
    }

    #[test]
    fn the_column_is_the_one_of_the_file() {
        let found = excerpts_of("\u{7}key: value", &[6..11, 0..1]);
        let (shown, actual) = found[0].corrected.clone().unwrap();
        assert_eq!((shown.as_str(), actual.as_str()), ("c.yaml:1:11", "c.yaml:1:7"));
    }

    proptest! {
        #[test]
        fn marks_lie_on_character_borders_of_what_is_shown(
            text in "(?s).{0,60}", start in 0..90_usize, length in 0..90_usize, width in 1..40_usize,
            is_hidden: bool
        ) {
            let mut sources = SourceMap::default();
            let source = sources.add(Path::new("x"), text);
            let span = Span { source, start, end: start + length };
            let mark = Mark { span, label: None, is_primary: true, is_hidden };
            let redactor = Redactor::new(["aaaa"]);
            let (seen, cleaner) = (LineSecrets::default(), Cleaner::new(&redactor));
            for excerpt in excerpts(&[mark], &sources, &seen, cleaner, width) {
                let (range, ..) = excerpt.marks[0].clone();
                prop_assert!(excerpt.text.get(range).is_some());
                prop_assert!(!excerpt.text.contains(|c| c != '\t' && is_unprintable(c)));
            }
        }
    }
}
