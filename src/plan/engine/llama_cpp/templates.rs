//! The template that makes prompts of conversations, as the command line says it.

use crate::plan::engine::arguments::Arguments;
use crate::plan::engine::reading::Reading;
use crate::plan::engine::{Part, TemplateReader, Templates};

/// The build since which the server reads templates as Jinja when nothing is said (common/common.h, commit
/// e509411cf).
const JINJA_BY_DEFAULT: u32 = 7170;

/// The templates of build 11669 that are asked for by name (src/llama-chat.cpp), but for `chatml`, which is
/// known as a name in either case.
const NAMES: [&str; 53] = [
    "bailing",
    "bailing-think",
    "bailing2",
    "chatglm3",
    "chatglm4",
    "command-r",
    "deepseek",
    "deepseek-ocr",
    "deepseek2",
    "deepseek3",
    "exaone-moe",
    "exaone3",
    "exaone4",
    "falcon3",
    "gemma",
    "gigachat",
    "glmedge",
    "gpt-oss",
    "granite",
    "granite-4.0",
    "granite-4.1",
    "grok-2",
    "hunyuan-dense",
    "hunyuan-moe",
    "hunyuan-vl",
    "kimi-k2",
    "llama2",
    "llama2-sys",
    "llama2-sys-bos",
    "llama2-sys-strip",
    "llama3",
    "llama4",
    "megrez",
    "minicpm",
    "mistral-v1",
    "mistral-v3",
    "mistral-v3-tekken",
    "mistral-v7",
    "mistral-v7-tekken",
    "monarch",
    "openchat",
    "orion",
    "pangu-embedded",
    "phi3",
    "phi4",
    "rwkv-world",
    "seed_oss",
    "smolvlm",
    "solar-open",
    "vicuna",
    "vicuna-orca",
    "yandex",
    "zephyr",
];

/// The template that the command gives in place of the model's: of a text and a file the last one counts,
/// and of variables the file.
pub(super) fn read(arguments: &Arguments, reading: &mut Reading<'_>) {
    const FLAGS: [&str; 2] = ["--chat-template", "--chat-template-file"];
    let of = |flag: &str, variable: &str| reading.setting(arguments, &[flag], &[variable]);
    let text = of(FLAGS[0], "LLAMA_ARG_CHAT_TEMPLATE");
    let file = of(FLAGS[1], "LLAMA_ARG_CHAT_TEMPLATE_FILE");
    let is_text = match arguments.last_of(&FLAGS) {
        Some(last) => last == FLAGS[0],
        None => file.is_none(),
    };
    let text = reading.text(text.filter(|_| is_text)).filter(|text| !text.value.is_empty());
    reading.path(Part::ChatTemplate, file);
    let build = reading.release().and_then(|release| release.first().copied());
    let says = reading.environment.get("LLAMA_ARG_JINJA").map(|word| word.text.to_lowercase());
    let is_jinja = match arguments.last_of(&["--jinja", "--no-jinja"]) {
        Some(last) => last == "--jinja",
        None => match says.as_deref() {
            Some("off" | "0" | "false" | "disabled") => false,
            Some(_) => true,
            None => build.is_none_or(|build| JINJA_BY_DEFAULT <= build),
        },
    };
    reading.invocation.templates = Templates {
        reader: Some(TemplateReader::LlamaCpp),
        given: text,
        taken_for_text: if is_jinja { &NAMES } else { &[] },
        ..Templates::default()
    };
}
