//! Models that `llama-server` takes from a list: its own (build 11669 common/arg.cpp), and the file of
//! `--models-preset`.

use super::{GRAMMAR, hub, open_all};
use crate::plan::engine::Part;
use crate::plan::engine::arguments::{Arguments, Setting};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::words::Word;
use crate::project::Text;
use crate::source_map::Place;

/// A model that a switch stands for.
struct BuiltIn {
    flag: &'static str,
    repository: &'static str,
    /// The file in it; absent: the server's own choice.
    file: Option<&'static str>,
    /// Repository and file of the small model that it is served with.
    draft: Option<(&'static str, &'static str)>,
    port: u16,
}

const CODER_DRAFT: (&str, &str) =
    ("ggml-org/Qwen2.5-Coder-0.5B-Q8_0-GGUF", "qwen2.5-coder-0.5b-q8_0.gguf");

/// Each was started with a cache that holds exactly these files, and answered at that port.
const BUILT_IN: [BuiltIn; 11] = [
    of("--embd-gemma-default", "ggml-org/embeddinggemma-300M-qat-q4_0-GGUF", 8011)
        .file("embeddinggemma-300M-qat-Q4_0.gguf"),
    of("--fim-qwen-1.5b-default", "ggml-org/Qwen2.5-Coder-1.5B-Q8_0-GGUF", 8012)
        .file("qwen2.5-coder-1.5b-q8_0.gguf"),
    of("--fim-qwen-3b-default", "ggml-org/Qwen2.5-Coder-3B-Q8_0-GGUF", 8012)
        .file("qwen2.5-coder-3b-q8_0.gguf"),
    of("--fim-qwen-7b-default", "ggml-org/Qwen2.5-Coder-7B-Q8_0-GGUF", 8012)
        .file("qwen2.5-coder-7b-q8_0.gguf"),
    of("--fim-qwen-7b-spec", "ggml-org/Qwen2.5-Coder-7B-Q8_0-GGUF", 8012)
        .file("qwen2.5-coder-7b-q8_0.gguf")
        .draft(CODER_DRAFT),
    of("--fim-qwen-14b-spec", "ggml-org/Qwen2.5-Coder-14B-Q8_0-GGUF", 8012)
        .file("qwen2.5-coder-14b-q8_0.gguf")
        .draft(CODER_DRAFT),
    of("--fim-qwen-30b-default", "ggml-org/Qwen3-Coder-30B-A3B-Instruct-Q8_0-GGUF", 8012)
        .file("qwen3-coder-30b-a3b-instruct-q8_0.gguf"),
    of("--gpt-oss-20b-default", "ggml-org/gpt-oss-20b-GGUF", 8013).file("gpt-oss-20b-mxfp4.gguf"),
    of("--gpt-oss-120b-default", "ggml-org/gpt-oss-120b-GGUF", 8013),
    of("--vision-gemma-4b-default", "ggml-org/gemma-3-4b-it-qat-GGUF", 8014),
    of("--vision-gemma-12b-default", "ggml-org/gemma-3-12b-it-qat-GGUF", 8014),
];

const fn of(flag: &'static str, repository: &'static str, port: u16) -> BuiltIn {
    BuiltIn { flag, repository, file: None, draft: None, port }
}

impl BuiltIn {
    const fn file(self, file: &'static str) -> Self {
        Self { file: Some(file), ..self }
    }

    const fn draft(self, draft: (&'static str, &'static str)) -> Self {
        Self { draft: Some(draft), ..self }
    }
}

/// The models that a preset file may name.
const MOST_SECTIONS: usize = 256;

/// Opens the model that a switch stands for.
pub(super) fn built_in(arguments: &Arguments, reading: &mut Reading<'_>) {
    let Some(BuiltIn { flag, repository, file, draft, port }) =
        BUILT_IN.iter().rfind(|built_in| arguments.is_on(built_in.flag))
    else {
        return;
    };
    let place = arguments.all(flag).next_back().map(|given| given.place.clone());
    let setting = |id: &str| {
        let word = Word::known(id, &place.clone().unwrap_or_default());
        Some(Setting { word, by: (*flag).to_owned() })
    };
    hub(Part::Model, setting(repository), file.map(str::to_owned), reading);
    if let Some((draft, file)) = *draft {
        hub(Part::Draft, setting(draft), Some(file.to_owned()), reading);
    }
    reading.invocation.port = *port;
}

/// Opens what the sections of the file of `--models-preset` name: each is a command line of its own,
/// with `key = value` for `--key value`.
pub(super) fn file(arguments: &Arguments, reading: &mut Reading<'_>) {
    let preset = reading.setting(arguments, &["--models-preset"], &["LLAMA_ARG_MODELS_PRESET"]);
    let Some(file) = reading.folder(preset) else { return };
    reading.invocation.config = Some(file.clone());
    let Some(text) = reading.seen(&file.value) else {
        reading.unread(format!("the file `{}` was not seen", file.value), &file.place);
        return;
    };
    let sections = sections(text, &file.place);
    if sections.len() > MOST_SECTIONS {
        let message = format!("the file `{}` has more than {MOST_SECTIONS} models", file.value);
        reading.unread(message, &file.place);
        return;
    }
    for words in sections {
        let arguments = Arguments::parse(&GRAMMAR, &words, reading.release().as_deref());
        open_all(&arguments, reading);
    }
}

/// The sections of an INI file as command lines; what stands before the first, or in the one of all
/// models (`*`), names none. Their words are at their lines, else at `place`.
fn sections(file: &Text, place: &Place) -> Vec<Vec<Word>> {
    let mut sections: Vec<Vec<Word>> = Vec::new();
    let mut names_one = false;
    for (index, line) in file.text.lines().map(str::trim).enumerate() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            names_one = name.trim() != "*" && sections.len() <= MOST_SECTIONS;
            if names_one {
                sections.push(Vec::new());
            }
        } else if let (Some((key, value)), true) = (line.split_once('='), names_one)
            && !line.starts_with([';', '#'])
            && let Some(section) = sections.last_mut()
        {
            let key = key.trim().trim_start_matches('-');
            let dashes = if key.chars().count() < 4 && !key.contains('-') { "-" } else { "--" };
            let place = file.line(index).unwrap_or(place);
            section.push(Word::known(format!("{dashes}{key}"), place));
            section.push(Word::known(value.trim(), place));
        }
    }
    sections
}
