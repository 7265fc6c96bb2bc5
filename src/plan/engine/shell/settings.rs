//! What the commands of a script do to its variables.

use crate::plan::engine::shell::Course;
use crate::plan::engine::words::{Environment, Variable, Word};

/// Does what a command does that has no words but assignments; with `course` saying whether it runs.
pub(in crate::plan::engine) fn assign(
    environment: &mut Environment<'_>,
    assigned: Vec<(String, Word)>,
    course: Course,
) {
    for (name, value) in assigned {
        let value = settled(environment, &name, value, course);
        environment.assign(name, value);
    }
}

/// Does what the words of a command do: `export`, `declare -x`, `unset`, `set -a`.
pub(in crate::plan::engine) fn run(
    environment: &mut Environment<'_>,
    words: &[Word],
    course: Course,
) {
    let Some((program, operands)) = words.split_first() else { return };
    let has = |flag: char| {
        operands.iter().any(|word| word.text.starts_with('-') && word.text.contains(flag))
    };
    match program.text.as_str() {
        "export" if has('n') => {}
        "export" => export(environment, operands, course),
        "declare" | "typeset" | "readonly" | "local" if has('x') => {
            export(environment, operands, course);
        }
        "declare" | "typeset" | "readonly" | "local" => {
            let assigned = operands.iter().filter_map(named).collect();
            assign(environment, assigned, course);
        }
        "unset" if course == Course::Certain => {
            operands.iter().for_each(|word| environment.unset(&word.text));
        }
        "set" => match operands {
            [on] if on.is("-a") => environment.export_all(true),
            [off] if off.is("+a") => environment.export_all(false),
            [on, what] if on.is("-o") && what.is("allexport") => environment.export_all(true),
            _ => {}
        },
        _ => {}
    }
}

/// The variables of which a command makes a function's own.
pub(in crate::plan::engine) fn locals(words: &[Word]) -> impl Iterator<Item = &str> {
    let makes = ["local", "declare", "typeset"];
    let operands = match words.split_first() {
        Some((program, operands)) if makes.iter().any(|it| program.is(it)) => operands,
        _ => &[],
    };
    let names = operands.iter().filter(|word| !word.text.starts_with('-'));
    names.map(|word| word.text.split('=').next().unwrap_or(&word.text))
}

/// Gives variables to the programs that are started: `NAME=value`, or `NAME` alone.
fn export(environment: &mut Environment<'_>, operands: &[Word], course: Course) {
    for word in operands {
        match named(word) {
            Some((name, value)) => {
                let value = settled(environment, &name, value, course);
                environment.set(name, value);
            }
            None => environment.export(&word.text),
        }
    }
}

/// The name and the value of `NAME=value`.
fn named(word: &Word) -> Option<(String, Word)> {
    let (name, value) = word.text.split_once('=')?;
    let is_flag = name.starts_with('-');
    (!is_flag).then(|| (name.to_owned(), Word { text: value.to_owned(), ..word.clone() }))
}

/// The value that a variable has behind an assignment: one that may not be reached leaves it unknown,
/// unless it changes nothing.
fn settled(environment: &Environment<'_>, name: &str, value: Word, course: Course) -> Word {
    let is_same = match environment.in_shell(name) {
        Variable::Set(before) => before.text == value.text && before.unknown == value.unknown,
        Variable::Removed | Variable::Unmentioned => false,
    };
    if course == Course::Certain || is_same {
        return value;
    }
    let why = format!("the script sets `{name}` in more than one way");
    Word { unknown: Some(why), ..value }
}
