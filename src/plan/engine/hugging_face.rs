//! What the servers of Hugging Face share: clap reads their flags, and each flag has a variable of the
//! same name in capitals (TEI 0d124dc router/src/main.rs, TGI db931fc launcher/src/main.rs; clap 4.6.9,
//! of which was asked what it refuses).

use crate::plan::engine::arguments::{Arguments, Arity, Given, Grammar, Setting};
use crate::plan::engine::flag_table::{FlagTable, Form, Takes};
use crate::plan::engine::launch::Launch;
use crate::plan::engine::reading::Reading;
use crate::plan::engine::release_table::Standing;
use crate::plan::engine::vllm::known;
use crate::plan::engine::words::{Variable, Word};
use crate::plan::engine::{Complaint, Part, Refusal};
use crate::source_map::{Place, Spanned};

/// Flags that are read from the command line alone.
const WITHOUT_VARIABLE: [&str; 3] = ["--env", "--help", "--version"];

/// Flags that may be given again.
const LISTS: [&str; 2] = ["--cors-allow-origin", "--cuda-graphs"];

/// Flags that take a port.
const PORTS: [&str; 2] = ["--port", "--prometheus-port"];

/// Flags of which one alone may be given, by itself or by its variable.
const EITHER: [(&str, &str); 2] =
    [("--hf-token", "--hf-api-token"), ("--default-prompt-name", "--default-prompt")];

/// Reads the words of `launch` and the variables of its process, and complains of what is refused.
pub(super) fn arguments(
    grammar: &Grammar,
    launch: &Launch<'_>,
    reading: &mut Reading<'_>,
) -> Arguments {
    let release = reading.release();
    let table = grammar.table;
    let words = table.map_or_else(|| launch.arguments.clone(), |it| apart(it, &launch.arguments));
    let mut arguments = Arguments::parse(grammar, &words, release.as_deref());
    reading.took(&mut arguments);
    reading.no_more(&arguments.positionals);
    for complaint in repeated(&arguments).into_iter().chain(no_numbers(table, &arguments)) {
        reading.complain(complaint.value, &complaint.place);
    }
    if let Some(table) = table {
        variables(table, release.as_deref(), &arguments, reading);
        either(table, release.as_deref(), &arguments, reading);
    }
    arguments
}

/// The words with a short flag and the value that is written to it (`-p80`) as two.
fn apart(table: &FlagTable, words: &[Word]) -> Vec<Word> {
    let takes_value = |flag: &str| {
        let mut forms = table.forms().iter();
        forms.any(|form| form.arity == Arity::One && form.spellings.contains(&flag))
    };
    let split = |word: &Word| {
        let (flag, value) = word.text.split_at_checked(2)?;
        let is_short = !flag.starts_with("--") && !value.is_empty() && takes_value(flag);
        let value = value.strip_prefix('=').unwrap_or(value);
        let of = |text: &str| Word { text: text.to_owned(), ..word.clone() };
        is_short.then(|| vec![of(flag), of(value)])
    };
    words.iter().flat_map(|word| split(word).unwrap_or_else(|| vec![word.clone()])).collect()
}

/// That a flag stands there twice.
fn repeated(arguments: &Arguments) -> Vec<Spanned<Complaint>> {
    let given = arguments.given();
    let again = |(index, flag): (usize, &Given)| {
        let before = given.iter().take(index).any(|other| other.name == flag.name);
        let is_list = LISTS.contains(&flag.name.as_str());
        (before && !is_list).then(|| {
            let name = &flag.written;
            let refusal = Refusal {
                why: format!("`{name}` is given more than once, which is refused"),
                fix: format!("leave the `{name}` that is meant, and remove the others"),
                is_certain: true,
            };
            Spanned::new(Complaint::Refused(refusal), flag.place.clone())
        })
    };
    given.iter().enumerate().filter_map(again).collect()
}

/// What Rust does not take for a whole number, and others do: a sign, blanks, `_`.
fn no_numbers(table: Option<&FlagTable>, arguments: &Arguments) -> Vec<Spanned<Complaint>> {
    let is_integer = |name: &str| {
        let mut forms = table.into_iter().flat_map(FlagTable::forms);
        forms.any(|form| form.takes == Takes::Integer && form.name() == name)
    };
    let given = arguments.given().iter().filter(|given| is_integer(&given.name));
    let values = given.flat_map(|given| given.values.iter().map(move |word| (given, word)));
    let signed = values.filter(|(given, word)| {
        let is_plain = is_number_of(&given.name, &word.text);
        let is_told = word.text.trim().replace('_', "").parse::<f64>().is_err();
        !is_plain && word.unknown.is_none() && !is_told
    });
    let told = signed.map(|(given, word)| {
        let (by, value) = (given.written.clone(), word.text.clone());
        Spanned::new(Complaint::NotANumber { by, value }, word.place.clone())
    });
    told.collect()
}

/// Whether Rust takes it for the whole number that the flag takes.
fn is_number_of(flag: &str, text: &str) -> bool {
    if PORTS.contains(&flag) { text.parse::<u16>().is_ok() } else { text.parse::<u64>().is_ok() }
}

/// Holds the variables of flags that are not given against what the flags take.
fn variables(
    table: &FlagTable,
    release: Option<&[u32]>,
    arguments: &Arguments,
    reading: &mut Reading<'_>,
) {
    let flags = table.forms_of(release).map(Form::name);
    let flags: Vec<&str> = flags.filter(|flag| !WITHOUT_VARIABLE.contains(flag)).collect();
    for flag in flags {
        let name = variable_of(flag);
        let Variable::Set(word) = reading.environment.variable(&name) else { continue };
        let known = table.known(flag, release);
        let Some(form) = known.form.filter(|_| word.unknown.is_none() && !arguments.any(&[flag]))
        else {
            continue;
        };
        let Some((expected, is_grammar)) = wanted(form, &word.text) else { continue };
        let is_certain = is_grammar || known.standing == Standing::Here;
        let (by, value) = (name, word.text);
        reading.complain(Complaint::BadValue { by, value, expected, is_certain }, &word.place);
    }
}

/// What a flag wants in the place of `text`, and whether every release does; absent: it takes that.
fn wanted(form: &Form, text: &str) -> Option<(String, bool)> {
    let listed = |words: &[&str]| format!("one of `{}`", words.join("`, `"));
    match &form.takes {
        _ if form.arity == Arity::Switch => {
            let words = ["true", "false"];
            (!words.contains(&text)).then(|| (listed(&words), true))
        }
        Takes::Choice(words) => (!words.contains(&text)).then(|| (listed(words), text.is_empty())),
        Takes::Integer if is_number_of(form.name(), text) => None,
        Takes::Integer if PORTS.contains(&form.name()) => Some(("a port".to_owned(), true)),
        Takes::Integer => Some(("a whole number".to_owned(), true)),
        Takes::Number => text.parse::<f64>().is_err().then(|| ("a number".to_owned(), true)),
        Takes::Text
        | Takes::Secret
        | Takes::Human { .. }
        | Takes::HumanIec
        | Takes::Json
        | Takes::Object
        | Takes::JsonOrText
        | Takes::Boolean => None,
    }
}

/// Complains of two flags that exclude each other.
fn either(
    table: &FlagTable,
    release: Option<&[u32]>,
    arguments: &Arguments,
    reading: &mut Reading<'_>,
) {
    for (one, other) in EITHER {
        let is_there = |flag| table.known(flag, release).standing != Standing::Missing;
        let (Some(first), Some(second)) =
            (place_of(one, arguments, reading), place_of(other, arguments, reading))
        else {
            continue;
        };
        let (by, place) = second;
        if is_there(one) && is_there(other) {
            let refusal = Refusal {
                why: format!("`{by}` beside `{}` is refused", first.0),
                fix: format!("remove `{by}`"),
                is_certain: table.known(one, release).standing == Standing::Here,
            };
            reading.complain(Complaint::Refused(refusal), &place);
        }
    }
}

/// What gives a flag its value, and where; absent: nothing does.
fn place_of(flag: &str, arguments: &Arguments, reading: &Reading<'_>) -> Option<(String, Place)> {
    if let Some(given) = arguments.all(flag).next_back() {
        return Some((given.written.clone(), given.place.clone()));
    }
    let name = variable_of(flag);
    match reading.environment.variable(&name) {
        Variable::Set(word) => Some((name, word.place)),
        Variable::Removed | Variable::Unmentioned => None,
    }
}

/// The variable that stands for a flag.
fn variable_of(flag: &str) -> String {
    flag.trim_start_matches('-').replace('-', "_").to_ascii_uppercase()
}

/// The flag, else its variable; absent as well where what the variable says is refused.
pub(super) fn setting(arguments: &Arguments, reading: &Reading<'_>, flag: &str) -> Option<Setting> {
    let variable = variable_of(flag);
    let complaints = &reading.invocation.complaints;
    let is_refused = complaints.iter().any(
        |complaint| matches!(&complaint.value, Complaint::BadValue { by, .. } if *by == variable),
    );
    if is_refused { None } else { reading.setting(arguments, &[flag], &[&variable]) }
}

/// The model, the address and the type of numbers.
pub(super) fn read(arguments: &Arguments, reading: &mut Reading<'_>) {
    let revision = setting(arguments, reading, "--revision").and_then(|setting| known(&setting));
    let model = setting(arguments, reading, "--model-id");
    reading.path_or_repository(Part::Model, model, revision.as_deref());
    reading.port(setting(arguments, reading, "--port"));
    let host = setting(arguments, reading, "--hostname");
    reading.invocation.host = reading.text(host);
    let dtype = setting(arguments, reading, "--dtype");
    reading.invocation.dtype = reading.text(dtype);
}
