//! Identity, severity, exit code and explanation of what a configuration can get wrong.

use crate::exit_code::ExitCode;
use crate::findings::Rule;

pub(in crate::findings::check::model) static QUANTIZATION_CONFLICT: Rule = Rule::error(
    "quantization-conflict",
    ExitCode::Lane,
    include_str!("../rules/quantization-conflict.md"),
);

pub(in crate::findings::check::model) static DTYPE_DIFFERS: Rule =
    Rule::warning("dtype-differs", ExitCode::Lane, include_str!("../rules/dtype-differs.md"));

pub(in crate::findings::check::model) static CONTEXT_TOO_LONG: Rule =
    Rule::error("context-too-long", ExitCode::Memory, include_str!("../rules/context-too-long.md"));

pub(in crate::findings::check::model) static CONTEXT_NOT_LIMITED: Rule = Rule::warning(
    "context-not-limited",
    ExitCode::Memory,
    include_str!("../rules/context-not-limited.md"),
);

pub(in crate::findings::check::model) static REMOTE_CODE: Rule = Rule::error(
    "remote-code-required",
    ExitCode::Lane,
    include_str!("../rules/remote-code-required.md"),
);

pub(in crate::findings::check::model) static DUPLICATE_WEIGHTS: Rule = Rule::note(
    "duplicate-weights",
    ExitCode::Incomplete,
    include_str!("../rules/duplicate-weights.md"),
);

pub(in crate::findings::check::model) static OTHER_LAYOUT: Rule = Rule::warning(
    "other-layout-taken",
    ExitCode::Incomplete,
    include_str!("../rules/other-layout-taken.md"),
);

pub(in crate::findings::check::model) static CHAT_TEMPLATE_MISSING: Rule = Rule::warning(
    "chat-template-missing",
    ExitCode::Incomplete,
    include_str!("../rules/chat-template-missing.md"),
);

pub(in crate::findings::check::model) static GGUF_IN_VLLM: Rule =
    Rule::warning("gguf-in-vllm", ExitCode::Lane, include_str!("../rules/gguf-in-vllm.md"));
