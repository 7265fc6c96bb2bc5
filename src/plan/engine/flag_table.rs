//! The flags of an engine by release: how many values each takes, and which.

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::OnceLock;

use crate::plan::engine::arguments::Arity;
use crate::plan::engine::release_table::{ReleaseTable, Standing, between, numbers};
use crate::plan::engine::variables::Elsewhere;
use crate::report::redact::KnownFlag;

/// A table as `tests/setup` makes it: a line of `releases`, then one line for each form of a flag, with
/// its spellings, how many values it takes, what they are, and a mark for each release.
#[derive(Debug)]
pub(super) struct FlagTable {
    releases: ReleaseTable,
    text: &'static str,
    read: OnceLock<Read>,
}

/// A table, taken apart once.
#[derive(Debug)]
struct Read {
    forms: Vec<Form>,
    /// The indices of the forms with a spelling.
    spelled: HashMap<&'static str, Vec<usize>>,
    /// The numbers of the releases, the oldest first.
    releases: Vec<Vec<u32>>,
}

/// A flag as some releases have it.
#[derive(Debug)]
pub(super) struct Form {
    /// All spellings; the first is the name by which it is asked for.
    pub(super) spellings: Vec<&'static str>,
    /// How many values it takes.
    pub(super) arity: Arity,
    /// Whether a list of values must not be empty.
    pub(super) is_filled: bool,
    /// What its values are.
    pub(super) takes: Takes,
    /// The interval that a number has to be in.
    pub(super) bounds: Bounds,
    /// Whether nothing and `None` are taken for no value.
    pub(super) optional: bool,
    marks: &'static str,
}

/// The ends of an interval.
pub(super) type Bounds = (Bound<f64>, Bound<f64>);

/// What the values of a flag are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Takes {
    /// Any text.
    Text,
    /// Any text, which must not be shown.
    Secret,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A number with a unit behind it (`32k`).
    Human {
        /// Whether `auto` is taken as well.
        auto: bool,
    },
    /// A whole number with a unit behind it (`32k`, `32Ki`).
    HumanIec,
    /// JSON.
    Json,
    /// A JSON object, in which numbers may have units.
    Object,
    /// Any text; what is in braces has to be JSON.
    JsonOrText,
    /// A word for yes or no.
    Boolean,
    /// One of these words.
    Choice(Vec<&'static str>),
}

/// What a table says of a flag in one release.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// How it is read: as that release does, else as the one that is nearest and has it; absent: no
    /// release has it.
    pub(super) form: Option<&'a Form>,
    /// Whether the release has it in that form. [`Standing::Unknown`]: the release is not known, or it
    /// is between two that differ.
    pub(super) standing: Standing,
}

impl FlagTable {
    /// The table that is written so.
    pub(super) const fn new(text: &'static str) -> Self {
        Self { releases: ReleaseTable::new(text), text, read: OnceLock::new() }
    }

    /// The newest release that was read.
    pub(super) fn newest(&self) -> &'static str {
        self.releases.newest()
    }

    /// Whether the table speaks of that release.
    pub(super) fn covers(&self, release: &[u32]) -> bool {
        between(&self.read().releases, release).is_some()
    }

    /// Whether that release is older than every one that was read.
    pub(super) fn precedes(&self, release: &[u32]) -> bool {
        !self.covers(release) && !self.releases.is_older_than(release)
    }

    /// Every form of every flag.
    pub(super) fn forms(&self) -> &[Form] {
        &self.read().forms
    }

    /// What is known of the flag with that spelling in `release`; absent: the release is not known.
    pub(super) fn known(&self, spelling: &str, release: Option<&[u32]>) -> Known<'_> {
        let forms = || self.spelled(spelling);
        let of = |index: usize| forms().find(|form| form.is_in(index));
        let last = forms().max_by_key(|form| form.marks.rfind('+'));
        match release.and_then(|release| between(&self.read().releases, release)) {
            None if release.is_some_and(|release| self.precedes(release)) => {
                let first = forms().min_by_key(|form| form.marks.find('+'));
                Known { form: first, standing: Standing::Unknown }
            }
            None => Known { form: last, standing: Standing::Unknown },
            Some((below, above)) => match (of(below), of(above)) {
                (Some(form), Some(other)) if form.reads_as(other) => {
                    Known { form: Some(form), standing: Standing::Here }
                }
                (None, None) => Known { form: last, standing: Standing::Missing },
                (form, other) => Known { form: other.or(form), standing: Standing::Unknown },
            },
        }
    }

    /// Whether any release has the flag.
    pub(super) fn has(&self, spelling: &str) -> bool {
        self.spelled(spelling).next().is_some()
    }

    /// Whether `release` has the flag; one that is not known is taken for the newest.
    pub(super) fn is_in(&self, spelling: &str, release: Option<&[u32]>) -> bool {
        let releases = &self.read().releases;
        let around = release.and_then(|release| between(releases, release));
        let newest = releases.len().saturating_sub(1);
        let (below, above) = around.unwrap_or((newest, newest));
        self.spelled(spelling).any(|form| form.is_in(below) || form.is_in(above))
    }

    /// The forms that `release` has, or one before it.
    pub(super) fn forms_until(&self, release: &[u32]) -> impl Iterator<Item = &Form> {
        let releases = &self.read().releases;
        let count = releases.partition_point(|it| it.as_slice() <= release);
        self.forms().iter().filter(move |form| (0..count).any(|index| form.is_in(index)))
    }

    /// Whether the newest release that was read has the flag.
    pub(super) fn is_in_newest(&self, spelling: &str) -> bool {
        self.is_in(spelling, None)
    }

    /// The forms that `release` has; of one that is not known, those of the newest.
    pub(super) fn forms_of(&self, release: Option<&[u32]>) -> impl Iterator<Item = &Form> {
        let releases = &self.read().releases;
        let newest = releases.len().saturating_sub(1);
        let around = release.and_then(|release| between(releases, release));
        let (below, above) = around.unwrap_or((newest, newest));
        self.forms().iter().filter(move |form| form.is_in(below) || form.is_in(above))
    }

    /// The release nearest to `release` that has the flag; of one that is not known, the last.
    pub(super) fn elsewhere(&self, spelling: &str, release: Option<&[u32]>) -> Option<Elsewhere> {
        let mut earlier = None;
        for (index, name) in self.releases.releases().enumerate() {
            if !self.spelled(spelling).any(|form| form.is_in(index)) {
                continue;
            }
            let numbers = numbers(name);
            if release.is_some_and(|release| release < numbers.as_slice()) {
                return Some(earlier.unwrap_or(Elsewhere::Later(name)));
            }
            earlier = Some(Elsewhere::Earlier(name));
        }
        earlier
    }

    /// Every form that a release has of the flag with that spelling.
    pub(super) fn spelled(&self, spelling: &str) -> impl Iterator<Item = &Form> {
        let read = self.read();
        let indices = read.spelled.get(spelling).into_iter().flatten();
        indices.filter_map(|index| read.forms.get(*index))
    }

    fn read(&self) -> &Read {
        self.read.get_or_init(|| {
            let lines = self.text.lines().filter(|line| !line.starts_with('#'));
            let forms: Vec<Form> = lines.skip(1).filter_map(Form::read).collect();
            let mut spelled: HashMap<&str, Vec<usize>> = HashMap::new();
            for (index, form) in forms.iter().enumerate() {
                for spelling in &form.spellings {
                    spelled.entry(spelling).or_default().push(index);
                }
            }
            Read { forms, spelled, releases: self.releases.releases().map(numbers).collect() }
        })
    }

    /// Every spelling of the flags that take secrets, found in the text of the table.
    pub(super) fn secret_flags(&self) -> impl Iterator<Item = &'static str> {
        let text = self.text;
        let lines = text.match_indices(" secret").filter_map(move |(at, _)| {
            let (_, line) = text.get(..at)?.rsplit_once('\n')?;
            line.split(' ').next().filter(|spellings| spellings.starts_with('-'))
        });
        lines.flat_map(|spellings| spellings.split(','))
    }

    /// Every spelling of every flag, and whether what it takes is a secret.
    pub(super) fn known_flags(&self) -> impl Iterator<Item = KnownFlag> {
        self.forms().iter().flat_map(|form| {
            form.spellings.iter().map(|spelling| KnownFlag {
                spelling,
                is_secret: form.takes == Takes::Secret,
                is_list: form.arity == Arity::Many,
            })
        })
    }
}

impl Form {
    /// The form that a line of the table is; absent: the line is none.
    fn read(line: &'static str) -> Option<Self> {
        let mut words = line.split(' ');
        let spellings = words.next()?.split(',').collect();
        let takes = words.next()?;
        let arity = match takes {
            "switch" => Arity::Switch,
            "one" => Arity::One,
            "two" => Arity::Two,
            "many" | "some" => Arity::Many,
            "maybe" => Arity::Optional,
            _ => return None,
        };
        let value = words.next()?;
        let (value, optional) = match value.strip_suffix('?') {
            Some(value) => (value, true),
            None => (value, false),
        };
        let (value, bounds) = interval(value).unwrap_or((value, UNBOUNDED));
        let is_filled = takes == "some";
        let takes = match value {
            "-" | "text" => Takes::Text,
            "secret" => Takes::Secret,
            "integer" => Takes::Integer,
            "number" => Takes::Number,
            "human" => Takes::Human { auto: false },
            "human-iec" => Takes::HumanIec,
            "human-or-auto" => Takes::Human { auto: true },
            "json" => Takes::Json,
            "object" => Takes::Object,
            "json-or-text" => Takes::JsonOrText,
            "boolean" => Takes::Boolean,
            words => Takes::Choice(words.split('|').collect()),
        };
        Some(Self { spellings, arity, is_filled, takes, bounds, optional, marks: words.next()? })
    }

    /// The name by which it is asked for.
    pub(super) fn name(&self) -> &'static str {
        self.spellings.first().copied().unwrap_or_default()
    }

    /// Whether another form takes the same, be it under more names.
    fn reads_as(&self, other: &Self) -> bool {
        let same = (self.arity, &self.takes, self.bounds, self.optional);
        same == (other.arity, &other.takes, other.bounds, other.optional)
    }

    /// Whether the release with that index has it.
    fn is_in(&self, release: usize) -> bool {
        self.marks.as_bytes().get(release) == Some(&b'+')
    }
}

const UNBOUNDED: Bounds = (Bound::Unbounded, Bound::Unbounded);

/// A kind of number and the interval behind it, as mathematics writes it: `integer[1,)`.
fn interval(value: &str) -> Option<(&str, Bounds)> {
    let start = value.find(['[', '('])?;
    let (kind, interval) = value.split_at(start);
    let (low, high) = interval.get(1..interval.len().checked_sub(1)?)?.split_once(',')?;
    let end = |text: &str, is_closed: bool| match text.parse::<f64>() {
        Ok(number) if is_closed => Bound::Included(number),
        Ok(number) => Bound::Excluded(number),
        Err(_) => Bound::Unbounded,
    };
    Some((kind, (end(low, interval.starts_with('[')), end(high, interval.ends_with(']')))))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::plan::engine::arguments::{Arguments, Grammar};
    use crate::plan::engine::words::Word;
    use crate::plan::engine::{Complaint, Engine};
    use crate::source_map::Place;

    static TABLE: FlagTable = FlagTable::new(
        "# How it was made.\n\
         releases 0.6.6 0.8.5 0.12.0\n\
         --model one text +++\n\
         --max-model-len one integer +++\n\
         --max-num-seqs one integer? +++\n\
         --dtype one auto|half +++\n\
         --hf-overrides one json -++\n\
         --chunked one boolean +--\n\
         --chunked switch - -++\n\
         --level one text +--\n\
         --level one object -++\n\
         --swap-space one number ++-\n\
         --new switch - --+\n\
         --api-key,-k many secret +++\n\
         --fraction one number(0,1] +++\n\
         --threads one integer[1,)? +++\n\
         --budget one human[1,) +++\n\
         --window one human-or-auto -++\n\
         --compile one object +++\n\
         --loader one json-or-text +++\n\
         --token maybe secret +++\n\
         --parallel,-tp one integer +++\n\
         --pipeline,-pp one integer +++\n\
         --prefill,-pcp one integer +++\n\
         --cache,-pc one integer --+\n\
         --method,-q one text +++\n\
         --nodes,-n one integer --+\n",
    );

    static GRAMMAR: Grammar =
        Grammar { abbreviations: true, underscores: true, ..Grammar::plain_table(&TABLE) };

    /// What is said of a command line, and the words that are left over.
    fn said(release: Option<&[u32]>, line: &str) -> Vec<String> {
        let words = line.split_whitespace().map(|word| Word::known(word, &Place::nowhere()));
        let words: Vec<_> = words.collect();
        let arguments = Arguments::parse(&GRAMMAR, &words, release);
        let complaints = arguments.complaints.iter().map(|complaint| {
            if let Complaint::UnknownFlag(it) = &complaint.value {
                let certain = if it.is_certain { "no" } else { "perhaps no" };
                return format!("{certain} {} {:?}", it.flag, it.elsewhere);
            }
            if let Complaint::BadValue { by, expected, is_certain, .. } = &complaint.value {
                return format!("{by} takes {expected} {is_certain}");
            }
            format!("{:?}", complaint.value)
        });
        complaints.chain(arguments.positionals.iter().map(|word| word.text.clone())).collect()
    }

    fn check(release: Option<&[u32]>, line: &str, expected: &[&str]) {
        assert_eq!(said(release, line), expected, "{line} in {release:?}");
    }

    #[test]
    fn a_flag_is_read_as_the_release_has_it() {
        check(Some(&[0, 6, 6]), "--chunked false /m", &["/m"]);
        check(Some(&[0, 8, 5]), "--chunked false /m", &["false", "/m"]);
        check(None, "--chunked /m", &["/m"]);
        check(
            Some(&[0, 8, 5]),
            "--chunked=false",
            &["SwitchValue { flag: \"--chunked\", value: \"false\" }"],
        );
        check(Some(&[0, 8, 5]), "-k a b --dtype half --max-num-seqs None", &[]);
    }

    #[test]
    fn what_any_release_takes_is_no_error_where_the_release_is_not_known() {
        check(None, "--chunked false /m", &["/m"]);
        check(None, "--chunked=false /m", &["/m"]);
        check(None, "--level 3", &["--level takes a JSON object false"]);
        check(Some(&[0, 12, 0]), "--level 3", &["--level takes a JSON object true"]);
        check(None, "--compile 3", &["--compile takes a JSON object true"]);
        check(None, "--new false /m", &["false", "/m"]);
    }

    #[test]
    fn a_word_that_begins_with_what_is_not_known_is_a_value() {
        let unknown = Some("`$NAME` is not in the service's environment".to_owned());
        let word = Word { unknown, ..Word::known("-0.svc:5000", &Place::nowhere()) };
        let words = [Word::known("--model", &Place::nowhere()), word];
        let arguments = Arguments::parse(&GRAMMAR, &words, None);
        assert!(arguments.complaints.is_empty(), "{:?}", arguments.complaints);
    }

    #[test]
    fn a_flag_of_no_release_is_an_error_only_where_the_release_is_known() {
        let none = |certain: &str| format!("{certain} --no-such None");
        check(Some(&[0, 12, 0]), "--no-such 1 /m", &[&none("no"), "/m"]);
        check(None, "--no-such 1", &[&none("perhaps no")]);
        check(Some(&[0, 99, 0]), "--no-such 1", &[&none("perhaps no")]);
        // A flag of something else is refused by every release.
        check(None, "--shm-size 1g", &["no --shm-size None"]);
    }

    #[test]
    fn a_flag_of_another_release_is_told_with_it() {
        let gone = "--swap-space Some(Earlier(\"0.8.5\"))";
        let of = |release: Option<&[u32]>, line: &str| said(release, line).join("; ");
        assert!(of(Some(&[0, 12, 0]), "--swap-space 4").starts_with(&format!("no {gone}")));
        assert!(of(None, "--swap-space 4").starts_with(&format!("perhaps no {gone}")));
        assert!(of(Some(&[0, 8, 5]), "--new").starts_with("no --new Some(Later(\"0.12.0\"))"));
        // Between two that differ it may be there.
        check(Some(&[0, 9, 0]), "--new", &[]);
        check(Some(&[0, 9, 0]), "--swap-space 4", &[]);
        check(None, "--new", &[]);
    }

    #[test]
    fn a_flag_may_be_cut_short_as_long_as_it_is_one() {
        check(None, "--max-model 5", &[]);
        check(None, "--max_model 5", &[]);
        let complaints = said(Some(&[0, 12, 0]), "--max 5");
        assert_eq!(complaints.len(), 1, "{complaints:?}");
    }

    #[test]
    fn a_flag_of_one_dash_may_be_cut_short_as_well() {
        for line in ["-t 2", "-tp=2", "-pcp 2", "-q awq", "-q=awq", "-qawq", "-n2"] {
            check(Some(&[0, 12, 0]), line, &[]);
        }
        let unknown = |flag: &str| format!("no {flag} None");
        for (release, line, flag) in [
            ([0, 12, 0], "-p 2", "-p"),
            ([0, 12, 0], "-tp2", "-tp2"),
            ([0, 12, 0], "-t=2", "-t=2"),
            ([0, 8, 5], "-pc=2", "-pc=2"),
            ([0, 12, 0], "-x", "-x"),
            ([0, 8, 5], "-n2", "-n2"),
        ] {
            check(Some(&release), line, &[&unknown(flag)]);
        }
        // What a later release calls so is the beginning of another one in this.
        check(Some(&[0, 8, 5]), "-pc 2", &[]);
        check(Some(&[0, 12, 0]), "-nodes", &["NotANumber { by: \"-n\", value: \"odes\" }"]);
    }

    #[test]
    fn the_flags_that_take_secrets_are_found_in_the_text_as_in_the_forms() {
        for table in [Some(&TABLE)].into_iter().chain(Engine::ALL.map(table)).flatten() {
            let known = table.known_flags().filter(|flag| flag.is_secret);
            let known: HashSet<_> = known.map(|flag| flag.spelling).collect();
            assert_eq!(table.secret_flags().collect::<HashSet<_>>(), known);
        }
        assert_eq!(TABLE.secret_flags().collect::<Vec<_>>(), ["--api-key", "-k", "--token"]);
    }

    fn table(engine: Engine) -> Option<&'static FlagTable> {
        engine.profile().grammar?.table
    }

    #[test]
    fn a_value_is_what_the_flag_takes() {
        let release = Some(&[0, 12, 0][..]);
        check(release, "--dtype fp16", &["--dtype takes one of `auto`, `half` true"]);
        check(None, "--dtype fp16", &["--dtype takes one of `auto`, `half` false"]);
        check(release, "--hf-overrides {a:1}", &["--hf-overrides takes JSON true"]);
        check(release, "--hf-overrides {\"a\":1}", &[]);
        check(
            release,
            "--max-model-len 8x",
            &["NotANumber { by: \"--max-model-len\", value: \"8x\" }"],
        );
    }

    #[test]
    fn a_number_is_in_the_interval_of_its_flag() {
        let release = Some(&[0, 12, 0][..]);
        for line in
            ["--fraction 1", "--fraction 0.01", "--threads 1", "--threads None", "--budget 8k"]
        {
            check(release, line, &[]);
        }
        let fraction = "--fraction takes a number above 0 and at most 1 true";
        check(release, "--fraction 90", &[fraction]);
        check(release, "--fraction 0", &[fraction]);
        check(None, "--fraction 0", &["--fraction takes a number above 0 and at most 1 false"]);
        check(release, "--threads 0", &["--threads takes a whole number of at least 1 true"]);
        check(release, "--budget 0", &["--budget takes a whole number of at least 1 true"]);
    }

    #[test]
    fn json_is_asked_for_where_it_is_read() {
        let release = Some(&[0, 12, 0][..]);
        let lines =
            ["--compile {\"a\":80m}", "--loader tensors", "--loader {\"a\":1}", "--window auto"];
        for line in lines {
            check(release, line, &[]);
        }
        check(release, "--compile 3", &["--compile takes a JSON object true"]);
        check(release, "--loader {a:1}", &["--loader takes JSON true"]);
        check(release, "--budget auto", &["NotANumber { by: \"--budget\", value: \"auto\" }"]);
        check(release, "--token t /m", &["/m"]);
        check(release, "--token --new", &[]);
    }
}
