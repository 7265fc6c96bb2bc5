//! Which of its words vLLM serves (entrypoints/cli/serve.py, entrypoints/openai/api_server.py,
//! utils/argparse_utils.py `parse_args`).

use crate::plan::engine::arguments::{Arguments, Setting};
use crate::plan::engine::launch::Launch;
use crate::plan::engine::reading::Reading;
use crate::plan::engine::words::Word;
use crate::plan::engine::{Complaint, Named, Refusal, StrayWord};
use crate::source_map::Place;

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

/// The first release that was read in which `REPOSITORY:QUANTISATION` is a model (0.12.0
/// transformers_utils/utils.py `is_remote_gguf`, not 0.11.2).
const QUANTISATION_SINCE: [u32; 3] = [0, 12, 0];

/// The first release that was read in which that is left to a plugin (0.24.0, not 0.20.2).
const QUANTISATION_APART: [u32; 3] = [0, 24, 0];

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
        behind_serve(launch, arguments, &names, reading)
    } else {
        of_module(arguments, &names, reading)
    }
}

fn behind_serve(
    launch: &Launch<'_>,
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
    // That release looks for this very word, before it reads the file of `--config`.
    let flag = launch.arguments.iter().find(|word| word.is("--model"));
    if let Some(flag) = flag.filter(|_| reading.invocation.is_since(FLAG_REFUSED_SINCE)) {
        let model = given.first().and_then(|given| given.values.last());
        let model = model.map_or("", |word| word.text.as_str());
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

/// Complains of `REPOSITORY:WORD`, where the release makes no quantisation of the word: the hub's library
/// takes no `:` in the name of a repository (huggingface_hub utils/_validators.py `validate_repo_id`).
pub(super) fn colon(place: &Place, reading: &mut Reading<'_>) {
    let invocation = &reading.invocation;
    let model = invocation.model().map(|model| &model.named);
    let Some(Named::Repository { id, file: Some(word), .. }) = model else { return };
    // The names of all quantisations have a digit.
    let is_one = word.contains(|letter: char| letter.is_ascii_digit());
    let is_read = is_one && invocation.is_since(QUANTISATION_SINCE);
    if is_read || invocation.version.is_none() || invocation.is_since(QUANTISATION_APART) {
        return;
    }
    let fix = if is_one {
        "give the path of the file in GGUF".to_owned()
    } else {
        format!("write `{id}`, and the revision behind `--revision`")
    };
    let complaint = Complaint::Refused(Refusal {
        why: format!(
            "`{id}:{word}` is no name of a repository: it has no `:`, and vLLM of that release makes \
             nothing else of it, and exits"
        ),
        fix,
        is_certain: true,
    });
    reading.complain(complaint, place);
}

fn split(names: &[Word]) -> (Option<&Word>, &[Word]) {
    names.split_first().map_or((None, names), |(first, more)| (Some(first), more))
}

fn positional(word: &Word) -> Setting {
    Setting { word: word.clone(), by: "MODEL".to_owned() }
}
