//! Flags of vLLM that need another one.

use crate::plan::engine::arguments::Arguments;
use crate::plan::engine::reading::Reading;
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
