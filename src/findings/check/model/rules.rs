//! What can be wrong with the files of a model: identity, severity, exit code and explanation.

use super::{configuration, reach, router};
use crate::exit_code::ExitCode;
use crate::findings::Rule;

/// Every rule of this family, in the order of the documentation.
pub(super) static ALL: &[&Rule] = &[
    &FILES_MISSING,
    &FILE_TRUNCATED,
    &FILE_TOO_LONG,
    &FILE_CORRUPT,
    &LFS_POINTER,
    &NOT_A_MODEL,
    &PARTIAL_DOWNLOAD,
    &SPARSE_FILE,
    &ZEROS_IN_DATA,
    &GGUF_INVALID,
    &GGUF_SPLIT_INCOMPLETE,
    &SAFETENSORS_INVALID,
    &SHARD_MISSING,
    &INDEX_MISMATCH,
    &CONFIG_MISSING,
    &CONFIG_INVALID,
    &TOKENIZER_MISSING,
    &TOKENIZER_UNSUPPORTED,
    &PROCESSOR_MISSING,
    &ARCHITECTURE_UNSUPPORTED,
    &ADAPTER_REFUSED,
    &CHAT_TEMPLATE_BROKEN,
    &FILES_DO_NOT_FIT,
    &WEIGHTS_DO_NOT_FIT_CONFIG,
    &UNREADABLE,
    &UNSAFE_PICKLE,
    &NOT_LOOKED_AT,
    &TAKEN_ON_TRUST,
    &configuration::QUANTIZATION_CONFLICT,
    &configuration::DTYPE_DIFFERS,
    &configuration::CONTEXT_TOO_LONG,
    &configuration::CONTEXT_NOT_LIMITED,
    &BATCH_TOO_SMALL,
    &ENDPOINT_NOT_SERVED,
    &configuration::REMOTE_CODE,
    &configuration::DUPLICATE_WEIGHTS,
    &configuration::OTHER_LAYOUT,
    &configuration::CHAT_TEMPLATE_MISSING,
    &configuration::GGUF_IN_VLLM,
    &reach::UNREADABLE_BY_USER,
    &reach::SYMLINK_LEAVES_MOUNT,
    &reach::NAME_DIFFERS,
    &router::MODELS_SHARE_FOLDER,
];

pub(in crate::findings::check) static FILES_MISSING: Rule =
    Rule::error("files-missing", ExitCode::Incomplete, include_str!("rules/files-missing.md"));

pub(super) static BATCH_TOO_SMALL: Rule =
    Rule::error("batch-too-small", ExitCode::Memory, include_str!("rules/batch-too-small.md"));

pub(super) static FILE_TRUNCATED: Rule =
    Rule::error("file-truncated", ExitCode::Corrupt, include_str!("rules/file-truncated.md"));

pub(super) static FILE_TOO_LONG: Rule =
    Rule::error("file-too-long", ExitCode::Corrupt, include_str!("rules/file-too-long.md"));

pub(in crate::findings::check) static FILE_CORRUPT: Rule =
    Rule::error("file-corrupt", ExitCode::Corrupt, include_str!("rules/file-corrupt.md"));

pub(super) static LFS_POINTER: Rule =
    Rule::error("lfs-pointer", ExitCode::Incomplete, include_str!("rules/lfs-pointer.md"));

pub(super) static NOT_A_MODEL: Rule =
    Rule::error("not-a-model", ExitCode::Corrupt, include_str!("rules/not-a-model.md"));

pub(super) static PARTIAL_DOWNLOAD: Rule = Rule::warning(
    "partial-download",
    ExitCode::Incomplete,
    include_str!("rules/partial-download.md"),
);

pub(super) static SPARSE_FILE: Rule =
    Rule::warning("sparse-file", ExitCode::Corrupt, include_str!("rules/sparse-file.md"));

pub(super) static ZEROS_IN_DATA: Rule =
    Rule::warning("zeros-in-data", ExitCode::Corrupt, include_str!("rules/zeros-in-data.md"));

pub(super) static GGUF_INVALID: Rule =
    Rule::error("gguf-invalid", ExitCode::Corrupt, include_str!("rules/gguf-invalid.md"));

pub(super) static GGUF_SPLIT_INCOMPLETE: Rule = Rule::error(
    "gguf-split-incomplete",
    ExitCode::Incomplete,
    include_str!("rules/gguf-split-incomplete.md"),
);

pub(super) static SAFETENSORS_INVALID: Rule = Rule::error(
    "safetensors-invalid",
    ExitCode::Corrupt,
    include_str!("rules/safetensors-invalid.md"),
);

pub(super) static SHARD_MISSING: Rule =
    Rule::error("shard-missing", ExitCode::Incomplete, include_str!("rules/shard-missing.md"));

pub(super) static INDEX_MISMATCH: Rule =
    Rule::error("index-mismatch", ExitCode::Corrupt, include_str!("rules/index-mismatch.md"));

pub(super) static CONFIG_MISSING: Rule =
    Rule::error("config-missing", ExitCode::Incomplete, include_str!("rules/config-missing.md"));

pub(super) static CONFIG_INVALID: Rule =
    Rule::error("config-invalid", ExitCode::Corrupt, include_str!("rules/config-invalid.md"));

pub(super) static TOKENIZER_MISSING: Rule = Rule::error(
    "tokenizer-missing",
    ExitCode::Incomplete,
    include_str!("rules/tokenizer-missing.md"),
);

pub(super) static TOKENIZER_UNSUPPORTED: Rule = Rule::error(
    "tokenizer-unsupported",
    ExitCode::Lane,
    include_str!("rules/tokenizer-unsupported.md"),
);

pub(super) static PROCESSOR_MISSING: Rule = Rule::warning(
    "processor-missing",
    ExitCode::Incomplete,
    include_str!("rules/processor-missing.md"),
);

pub(super) static ARCHITECTURE_UNSUPPORTED: Rule = Rule::warning(
    "architecture-unsupported",
    ExitCode::Corrupt,
    include_str!("rules/architecture-unsupported.md"),
);

pub(super) static ADAPTER_REFUSED: Rule =
    Rule::error("adapter-refused", ExitCode::Lane, include_str!("rules/adapter-refused.md"));

pub(super) static CHAT_TEMPLATE_BROKEN: Rule = Rule::error(
    "chat-template-broken",
    ExitCode::Corrupt,
    include_str!("rules/chat-template-broken.md"),
);

pub(super) static FILES_DO_NOT_FIT: Rule =
    Rule::error("files-do-not-fit", ExitCode::Corrupt, include_str!("rules/files-do-not-fit.md"));

pub(super) static WEIGHTS_DO_NOT_FIT_CONFIG: Rule = Rule::error(
    "weights-do-not-fit-config",
    ExitCode::Corrupt,
    include_str!("rules/weights-do-not-fit-config.md"),
);

pub(super) static UNREADABLE: Rule =
    Rule::error("unreadable", ExitCode::Mount, include_str!("rules/unreadable.md"));

pub(super) static UNSAFE_PICKLE: Rule =
    Rule::warning("unsafe-pickle", ExitCode::Corrupt, include_str!("rules/unsafe-pickle.md"));

pub(super) static NOT_LOOKED_AT: Rule =
    Rule::note("not-looked-at", ExitCode::Unjudged, include_str!("rules/not-looked-at.md"));

pub(super) static TAKEN_ON_TRUST: Rule =
    Rule::note("taken-on-trust", ExitCode::Ready, include_str!("rules/taken-on-trust.md"));

pub(super) static ENDPOINT_NOT_SERVED: Rule = Rule::warning(
    "endpoint-not-served",
    ExitCode::Lane,
    include_str!("rules/endpoint-not-served.md"),
);
