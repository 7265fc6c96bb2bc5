//! What `llama-server` refuses about values, beyond what the table of its flags tells.

mod rules;

use self::rules::{RULES, Rule};
use super::{FLAGS, pattern};
use crate::plan::engine::arguments::values::{integer_at_start, number_at_start};
use crate::plan::engine::arguments::{Arguments, Arity, Setting};
use crate::plan::engine::flag_table::{Known, Takes};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::release_table::{Standing, numbers};
use crate::plan::engine::words::{Variable, Word};
use crate::plan::engine::{Complaint, Refusal};
use crate::source_map::{Place, Spanned};

/// The build since which `-fa` takes a word (common/arg.cpp); it is off by default in older ones.
const FLASH_ATTENTION_BY_WORD: u32 = 6325;

/// The build since which `--lora-scaled` takes `FILE:SCALE` in one word.
const SCALE_BEHIND_COLON: u32 = 7448;

/// Words that turn a flag off.
const OFF: [&str; 4] = ["off", "disabled", "false", "0"];

/// The types of a V cache that are quantised.
const QUANTISED: [&str; 6] = ["q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"];

/// Adds what is refused about the values of `arguments` to its complaints.
pub(super) fn judge(arguments: &mut Arguments, reading: &mut Reading<'_>) {
    let release = reading.release();
    let build = release.as_deref().and_then(|release| release.first().copied());
    for complaint in &mut arguments.complaints {
        if let Some(told) = without_word(&complaint.value, build) {
            complaint.value = told;
        }
    }
    let refused = arguments.given().iter().flat_map(|given| {
        let takes_text = |name: &str| takes_text(name, release.as_deref());
        let values = given.values.iter().filter(|word| word.unknown.is_none());
        let mut refused: Vec<Spanned<Complaint>> = values
            .filter_map(|word| {
                let of = RULES.iter().filter(|rule| rule.flag == given.name);
                let mut of = of.filter(|rule| !rule.reads_layers() || takes_text(rule.flag));
                let complaint = of.find_map(|rule| rule.refuses(&given.written, word, build))?;
                Some(Spanned::new(complaint, word.place.clone()))
            })
            .collect();
        refused.extend(in_two_words(&given.name, &given.written, &given.values));
        refused
    });
    let refused: Vec<_> = refused.collect();
    arguments.complaints.extend(refused);
    flash_attention(arguments, reading, build);
    outputs(arguments, reading, build);
    cut_in_tensors(arguments, reading, build);
    pattern::judge(arguments, reading, build.is_none() || is_asked(build));
}

/// What is refused about the value of a variable that stands for a flag.
pub(super) fn of_variable(name: &str, word: &Word, build: Option<u32>) -> Option<Complaint> {
    let mut rules = RULES.iter().filter(|rule| rule.variable == name);
    rules.find_map(|rule| rule.refuses(name, word, build))
}

/// The number that a setting begins with, as one of its own; absent: it has none, or one below 0.
pub(super) fn number(setting: Option<Setting>) -> Option<Setting> {
    let Setting { word, by } = setting?;
    if word.unknown.is_some() {
        return Some(Setting { word, by });
    }
    let digits = integer_at_start(&word.text)?.trim_start_matches('+').to_owned();
    let is_whole = !digits.starts_with('-');
    is_whole.then_some(Setting { word: Word { text: digits, ..word }, by })
}

/// The keys that `--override-kv` says.
pub(super) fn override_keys(arguments: &Arguments) -> Vec<String> {
    let words = arguments.all("--override-kv").flat_map(|given| &given.values);
    let known = words.filter(|word| word.unknown.is_none());
    let parts = known.flat_map(|word| word.text.split(','));
    parts.filter_map(|part| Some(part.split_once('=')?.0.trim().to_owned())).collect()
}

/// The words with `--lora-scaled FILE SCALE`, as builds before 7448 read it, in one; and where that
/// was done. Of a build that is known nothing is joined: it takes what its table says.
pub(super) fn joined_scales(words: &[Word], release: Option<&[u32]>) -> (Vec<Word>, Option<Place>) {
    let known = FLAGS.known("--lora-scaled", release);
    if known.standing == Standing::Here {
        return (words.to_vec(), None);
    }
    let mut joined: Vec<Word> = Vec::with_capacity(words.len());
    let mut place = None;
    let is_number = |word: &Word| word.unknown.is_none() && word.text.parse::<f64>().is_ok();
    let mut rest = words.iter().peekable();
    while let Some(word) = rest.next() {
        joined.push(word.clone());
        if !matches!(word.text.as_str(), "--lora-scaled" | "--lora_scaled") {
            continue;
        }
        let Some(file) = rest.next() else { break };
        let scale = rest.next_if(|next| super::scaled(&file.text).is_none() && is_number(next));
        let text = scale.map(|scale| format!("{}:{}", file.text, scale.text));
        place = place.or(scale.map(|scale| scale.place.clone()));
        joined.push(Word { text: text.unwrap_or_else(|| file.text.clone()), ..file.clone() });
    }
    (joined, place)
}

/// That `--lora-scaled` has its number in a word of its own, and the build is not known.
pub(super) fn scale_apart() -> Complaint {
    Complaint::Refused(Refusal {
        why: format!(
            "`--lora-scaled` takes file and scale as one word since build {SCALE_BEHIND_COLON}, \
             which exits over the second"
        ),
        fix: "write `--lora-scaled FILE:SCALE`".to_owned(),
        is_certain: false,
    })
}

impl Rule {
    /// Whether the rule is about a value that older builds take for a number, and the table says so.
    fn reads_layers(&self) -> bool {
        self.flag.starts_with("--gpu-layers")
    }

    /// What is refused about a value by that build; absent: it is not known.
    fn refuses(&self, by: &str, word: &Word, build: Option<u32>) -> Option<Complaint> {
        let is_certain = match build {
            None => self.since == 0 && self.until == u32::MAX,
            Some(build) if build < self.since || build > self.until => return None,
            Some(build) => numbers(FLAGS.newest()).first().is_some_and(|newest| build <= *newest),
        };
        let is_refused = word.unknown.is_none() && !(self.fits)(&word.text);
        let applies = self.until == u32::MAX || build.is_some();
        (is_refused && applies).then(|| Complaint::BadValue {
            by: by.to_owned(),
            value: word.text.clone(),
            expected: self.expected.to_owned(),
            is_certain,
        })
    }
}

/// Whether the table says of a flag that it takes text.
fn takes_text(name: &str, release: Option<&[u32]>) -> bool {
    let Known { form, .. } = FLAGS.known(name, release);
    form.is_some_and(|form| form.takes == Takes::Text)
}

/// What is refused about values that stand in two words.
fn in_two_words(name: &str, by: &str, values: &[Word]) -> Option<Spanned<Complaint>> {
    let [first, second] = values else { return None };
    let bad = |word: &Word, expected: &str| {
        let (by, value, expected) = (by.to_owned(), word.text.clone(), expected.to_owned());
        let complaint = Complaint::BadValue { by, value, expected, is_certain: true };
        Some(Spanned::new(complaint, word.place.clone()))
    };
    let is_known = |word: &Word| word.unknown.is_none();
    match name {
        "--control-vector-layer-range" => {
            let is_bad = |word: &&Word| is_known(word) && integer_at_start(&word.text).is_none();
            [first, second].into_iter().find(is_bad).and_then(|word| bad(word, "two whole numbers"))
        }
        "--lora-scaled" | "--control-vector-scaled"
            if is_known(second) && number_at_start(&second.text).is_none() =>
        {
            bad(second, "a number behind the file")
        }
        _ => None,
    }
}

/// What is said of a flag that is written as the switch that it was in older builds.
fn without_word(complaint: &Complaint, build: Option<u32>) -> Option<Complaint> {
    let (flag, next) = if let Complaint::SwallowedFlag { flag, next, .. } = complaint {
        (flag, Some(next))
    } else if let Complaint::NoValue { flag } = complaint {
        (flag, None)
    } else {
        return None;
    };
    let form = FLAGS.known(flag, None).form?;
    let was_switch = |form: &&crate::plan::engine::flag_table::Form| form.arity == Arity::Switch;
    let mut older = FLAGS.forms().iter().filter(|older| older.name() == form.name());
    older.find(was_switch)?;
    let Takes::Choice(words) = &form.takes else { return None };
    let words = words.get(..3).unwrap_or(words).join("`, `");
    let name = form.name();
    let taken = match next {
        Some(next) => format!("newer builds of llama.cpp take `{next}` for its value and exit"),
        None => "newer builds of llama.cpp exit without it".to_owned(),
    };
    let since = if name == "--flash-attn" { FLASH_ATTENTION_BY_WORD } else { 6393 };
    Some(Complaint::Refused(Refusal {
        why: format!("`{name}` takes `{words}` since build {since}, and {taken}"),
        fix: format!("write `{flag} on`, or pin the image to a build before {since}"),
        is_certain: build.is_some_and(|build| build >= since),
    }))
}

/// That fewer tokens are taken at once than there are slots, of which each gives out one (#23861;
/// `llama_context::output_reserve`).
fn outputs(arguments: &mut Arguments, reading: &Reading<'_>, build: Option<u32>) {
    const SINCE: u32 = 9460;
    const UNSAID: u64 = 4;
    let setting = |flag: &str, variable: &str| reading.setting(arguments, &[flag], &[variable]);
    let size = |setting: Option<Setting>| {
        let setting = number(setting)?;
        let number: u64 = setting.text()?.trim().parse().ok()?;
        Some((number, setting))
    };
    let Some((batch, said)) = size(setting("--batch-size", "LLAMA_ARG_BATCH")) else { return };
    let slots = match setting("--parallel", "LLAMA_ARG_N_PARALLEL") {
        None => UNSAID,
        Some(told) if integer_at_start(&told.word.text) == Some("-1") => UNSAID,
        told => match size(told) {
            Some((slots, _)) => slots,
            None => return,
        },
    };
    if batch < 2 || slots <= batch || build.is_some_and(|build| build < SINCE) {
        return;
    }
    let refusal = Refusal {
        why: format!(
            "`{} {batch}` takes fewer tokens at once than the {slots} slots give out, and \
             llama-server ends as it starts",
            said.by
        ),
        fix: format!("write `--batch-size 2048`, or at least {slots}"),
        is_certain: is_asked(build),
    };
    arguments.complaints.push(Spanned::new(Complaint::Refused(refusal), said.word.place));
}

/// That tensors are to be cut between devices, and flash attention is off, or nothing but the processor is
/// there (#19378).
fn cut_in_tensors(arguments: &mut Arguments, reading: &Reading<'_>, build: Option<u32>) {
    const SINCE: u32 = 8738;
    let setting = |flag: &str, variable: &str| reading.setting(arguments, &[flag], &[variable]);
    let Some(mode) = setting("--split-mode", "LLAMA_ARG_SPLIT_MODE") else { return };
    let is_older = build.is_some_and(|build| build < SINCE);
    if mode.text() != Some("tensor") || is_older {
        return;
    }
    let flash = setting("--flash-attn", "LLAMA_ARG_FLASH_ATTN");
    let devices = setting("--device", "LLAMA_ARG_DEVICE");
    let (lacks, fix) = if flash.as_ref().and_then(Setting::text).is_some_and(|it| OFF.contains(&it))
    {
        ("flash attention, which is turned off", "write `-fa on`, or `--split-mode layer`")
    } else if devices.as_ref().and_then(Setting::text) == Some("none") {
        ("a device, and there is to be none", "write `--split-mode none`")
    } else {
        return;
    };
    let refusal = Refusal {
        why: format!("`{} tensor` needs {lacks}: llama.cpp exits", mode.by),
        fix: fix.to_owned(),
        is_certain: is_asked(build),
    };
    arguments.complaints.push(Spanned::new(Complaint::Refused(refusal), mode.word.place));
}

/// Whether what builds refuse is known of this one.
fn is_asked(build: Option<u32>) -> bool {
    let newest = numbers(FLAGS.newest()).first().copied();
    build.is_some_and(|build| newest.is_some_and(|newest| build <= newest))
}

/// That the V cache is quantised and flash attention is off.
fn flash_attention(arguments: &mut Arguments, reading: &Reading<'_>, build: Option<u32>) {
    let setting = |flag: &str, variable: &str| {
        arguments.last(flag).or_else(|| reading.variable(variable)).filter(|it| it.text().is_some())
    };
    let Some(cache) = setting("--cache-type-v", "LLAMA_ARG_CACHE_TYPE_V") else { return };
    if !QUANTISED.contains(&cache.word.text.as_str()) {
        return;
    }
    let told = setting("--flash-attn", "LLAMA_ARG_FLASH_ATTN");
    let is_by_word = build.is_none_or(|build| build >= FLASH_ATTENTION_BY_WORD);
    let is_set = arguments.any(&["--flash-attn"])
        || !matches!(reading.environment.variable("LLAMA_ARG_FLASH_ATTN"), Variable::Unmentioned);
    let (why, fix) = match told {
        Some(told) if is_by_word && OFF.contains(&told.word.text.as_str()) => {
            (format!("`{} {}` turns it off", told.by, told.word.text), "write `-fa on`")
        }
        _ if !is_by_word && !is_set => ("it is off without `-fa`".to_owned(), "add `-fa`"),
        _ => return,
    };
    let (by, value) = (&cache.by, &cache.word.text);
    let refusal = Refusal {
        why: format!(
            "a quantised V cache (`{by} {value}`) needs flash attention, and {why}: llama.cpp exits"
        ),
        fix: format!("{fix}, or take the type `f16` for the V cache"),
        is_certain: true,
    };
    let place = cache.word.place.clone();
    arguments.complaints.push(Spanned::new(Complaint::Refused(refusal), place));
}
