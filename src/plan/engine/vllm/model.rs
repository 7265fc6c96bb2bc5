//! Which of its words vLLM serves (entrypoints/cli/serve.py, entrypoints/openai/api_server.py,
//! utils/argparse_utils.py `parse_args`).

use crate::plan::engine::arguments::{Arguments, Setting};
use crate::plan::engine::launch::Launch;
use crate::plan::engine::reading::Reading;
use crate::plan::engine::words::Word;
use crate::plan::engine::{Complaint, Refusal, StrayWord};

/// The first release in which `vllm serve` puts the first `--model` in the place of the positional
/// (0.11.1 utils/__init__.py `parse_args`, not 0.11.0).
const MOVED_SINCE: [u32; 3] = [0, 11, 1];

/// The first release that was read in which `vllm serve` refused `--model` (0.8.4 utils.py `parse_args`,
/// not 0.8.0).
const FLAG_REFUSED_SINCE: [u32; 3] = [0, 8, 4];

/// The first release whose module takes a positional, and does nothing with it (0.10.0
/// entrypoints/openai/cli_args.py `make_arg_parser`, not 0.9.2).
const IGNORED_SINCE: [u32; 3] = [0, 10, 0];

/// The first release that was read in which `vllm serve` wants the model in front of everything where a
/// name is given to it (0.17.1 utils/argparse_utils.py `parse_args`, not 0.16.0).
const FIRST_SINCE: [u32; 3] = [0, 17, 1];

/// The model that is served; what is wrong with how it is named is noted.
pub(super) fn named(
    launch: &Launch<'_>,
    arguments: &Arguments,
    reading: &mut Reading<'_>,
) -> Option<Setting> {
    // Words of such forms are never a model, also where vLLM takes them for one.
    let (stray, names): (Vec<Word>, Vec<Word>) = arguments
        .positionals
        .iter()
        .cloned()
        .partition(|word| word.unknown.is_none() && StrayWord::of(&word.text).is_some());
    reading.no_more(&stray);
    if launch.program.last().is_some_and(|word| word.is("serve")) {
        wants_it_first(launch, arguments, reading);
        behind_serve(arguments, &names, reading)
    } else {
        of_module(arguments, &names, reading)
    }
}

fn behind_serve(
    arguments: &Arguments,
    names: &[Word],
    reading: &mut Reading<'_>,
) -> Option<Setting> {
    let given: Vec<_> = arguments.all("--model").collect();
    let is_moved = reading.invocation.is_since(MOVED_SINCE);
    if let (Some(first), true) = (given.first(), is_moved) {
        let word = first.values.last()?.clone();
        for name in names {
            twice(&word, name, reading);
        }
        return Some(Setting { word, by: first.written.clone() });
    }
    if let Some(flag) = given.first().filter(|_| reading.invocation.is_since(FLAG_REFUSED_SINCE)) {
        let model = flag.values.last().map_or("", |word| word.text.as_str());
        let complaint = Complaint::Refused(Refusal {
            why: "`vllm serve` of that release takes no `--model`, and exits".to_owned(),
            fix: format!("write the model behind `serve`, without the flag: `{model}`"),
            is_certain: true,
        });
        reading.complain(complaint, &flag.place);
    }
    let (first, more) = split(names);
    reading.no_more(more);
    first.map(positional).or_else(|| arguments.last("--model"))
}

/// Complains of a positional beside `--model`.
fn twice(model: &Word, name: &Word, reading: &mut Reading<'_>) {
    let is_name = name.text == model.text || name.text.contains('/');
    if !is_name {
        reading.no_more(std::slice::from_ref(name));
        return;
    }
    let (model, word) = (&model.text, &name.text);
    let complaint = Complaint::Refused(Refusal {
        why: format!(
            "the command names the model twice, `{model}` by `--model` and `{word}` by its place: \
             vLLM takes one of them, and exits because of the other"
        ),
        fix: format!("remove `--model {model}` or `{word}` from the command"),
        is_certain: true,
    });
    reading.complain(complaint, &name.place);
}

fn of_module(arguments: &Arguments, names: &[Word], reading: &mut Reading<'_>) -> Option<Setting> {
    let by_flag = arguments.last("--model");
    let is_ignored = reading.invocation.is_since(IGNORED_SINCE);
    let (first, more) = split(names);
    reading.no_more(more);
    let Some(first) = first else { return by_flag };
    if by_flag.is_some() {
        if !is_ignored {
            reading.no_more(std::slice::from_ref(first));
        }
        return by_flag;
    }
    let then = if is_ignored {
        "ignores it, and would serve a small default model of its own choice"
    } else {
        "refuses it, and exits"
    };
    let name = &first.text;
    let complaint = Complaint::Refused(Refusal {
        why: format!(
            "`{name}` stands where a model has to be behind `vllm serve`, but this image starts the \
             module `api_server`, which {then}"
        ),
        fix: format!("write `--model {name}`"),
        is_certain: true,
    });
    reading.complain(complaint, &first.place);
    Some(positional(first))
}

/// Complains of a model that is not the first word, where vLLM wants it there: because of a name that
/// is given to it.
fn wants_it_first(launch: &Launch<'_>, arguments: &Arguments, reading: &mut Reading<'_>) {
    let starts_with_flag = launch.arguments.first().is_some_and(|word| word.text.starts_with('-'));
    let is_named = arguments.any(&["--model", "--config"]) || arguments.positionals.is_empty();
    let Some(given) = arguments.all("--served-model-name").next() else { return };
    let is_known = reading.invocation.version.is_some();
    if starts_with_flag && !is_named && is_known && reading.invocation.is_since(FIRST_SINCE) {
        let complaint = Complaint::Refused(Refusal {
            why:
                "with `--served-model-name`, vLLM wants the model in front of all flags, and exits"
                    .to_owned(),
            fix: "put the model first in the command".to_owned(),
            is_certain: true,
        });
        reading.complain(complaint, &given.place);
    }
}

fn split(names: &[Word]) -> (Option<&Word>, &[Word]) {
    names.split_first().map_or((None, names), |(first, more)| (Some(first), more))
}

fn positional(word: &Word) -> Setting {
    Setting { word: word.clone(), by: "MODEL".to_owned() }
}
