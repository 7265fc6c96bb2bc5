//! Flags of vLLM that need another one.

use crate::plan::engine::arguments::Arguments;
use crate::plan::engine::reading::Reading;
use crate::plan::engine::words::Word;
use crate::plan::engine::{Complaint, Refusal};

/// A flag that is refused without another.
struct Demand {
    flag: &'static str,
    needs: &'static str,
    /// The first release that was seen to refuse it.
    since: [u32; 3],
}

/// Of adapters, v1/worker/lora_model_runner_mixin.py says so when the first is loaded, before anything is
/// served (0.8.5:59, 0.12.0:68, 0.33.0:91); of the others, `validate_parsed_serve_args` of
/// entrypoints/openai/cli_args.py (0.6.6, 0.8.5, 0.11.0, 0.12.0:292) and of entrypoints/common/cli_args.py
/// (0.33.0).
const DEMANDS: [Demand; 4] = [
    Demand { flag: "--enable-auto-tool-choice", needs: "--tool-call-parser", since: [0, 6, 6] },
    Demand { flag: "--enable-reasoning", needs: "--reasoning-parser", since: [0, 8, 4] },
    Demand { flag: "--enable-log-outputs", needs: "--enable-log-requests", since: [0, 11, 0] },
    Demand { flag: "--lora-modules", needs: "--enable-lora", since: [0, 8, 4] },
];

/// Notes the flags that lack the one that they need.
pub(super) fn refused(arguments: &Arguments, reading: &mut Reading<'_>) {
    for Demand { flag, needs, since } in DEMANDS {
        let is_given = arguments.is_on(flag);
        let has_it = arguments.is_on(needs);
        let Some(given) = arguments.all(flag).next_back().filter(|_| is_given && !has_it) else {
            continue;
        };
        if !reading.invocation.is_since(since) {
            continue;
        }
        let complaint = Complaint::Refused(Refusal {
            why: format!("`{flag}` is given without `{needs}`, and vLLM exits"),
            fix: format!("add `{needs}` to the command, or remove `{flag}`"),
            is_certain: true,
        });
        reading.complain(complaint, &given.place);
    }
}

/// Complains of a chat template that is neither a text nor a file: what has no braces in it is the path
/// of a file (0.12.0 entrypoints/chat_utils.py `validate_chat_template`). Only a bare name in the
/// project's own image is judged: below its working directory there are folders of examples, and of the
/// names `template_*` newer releases have files of their own.
pub(super) fn template(is_stock: bool, arguments: &Arguments, reading: &mut Reading<'_>) {
    let Some(setting) = arguments.last("--chat-template").filter(|_| is_stock) else { return };
    let Some(name) = setting.text().filter(|text| !text.is_empty()) else { return };
    let may_be_there = name.contains(['{', '}', '\n', '/']) || name.starts_with("template_");
    if may_be_there || reading.is_mounted(name) != Some(false) {
        return;
    }
    let complaint = Complaint::Refused(Refusal {
        why: format!(
            "`--chat-template {name}` is the name of a file for vLLM, which is not there, so it exits"
        ),
        fix: "write the path of the file inside the container, which a mount has to reach"
            .to_owned(),
        is_certain: true,
    });
    reading.complain(complaint, &setting.word.place);
}

/// Complains of a file that is joined to its flag: vLLM looks for the word `--config` alone, and takes no
/// notice of such a file (0.6.6 utils.py `parse_args`, 0.12.0 and 0.33.0 utils/argparse_utils.py).
pub(super) fn config(arguments: &Arguments, words: &[Word], reading: &mut Reading<'_>) {
    let Some(setting) = arguments.last("--config") else { return };
    if words.iter().any(|word| word.text == "--config") {
        return;
    }
    let file = &setting.word.text;
    let complaint = Complaint::Refused(Refusal {
        why: format!(
            "vLLM does not read the file of `--config={file}`: it looks for `--config` alone"
        ),
        fix: format!("write the flag and its value as two words: `--config {file}`"),
        is_certain: reading.invocation.version.is_some(),
    });
    reading.complain(complaint, &setting.word.place);
}
