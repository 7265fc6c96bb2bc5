//! The rules about how engines are started, with what `preflight explain` says about each.

use crate::exit_code::ExitCode;
use crate::findings::Rule;

pub(super) static NO_MODEL_NAMED: Rule =
    Rule::error("no-model-named", ExitCode::Lane, include_str!("rules/no-model-named.md"));

pub(super) static LANE_PATH_AMBIGUOUS: Rule = Rule::error(
    "lane-path-ambiguous",
    ExitCode::Lane,
    include_str!("rules/lane-path-ambiguous.md"),
);

pub(super) static LANE_PATH_DIFFERS: Rule =
    Rule::error("lane-path-differs", ExitCode::Lane, include_str!("rules/lane-path-differs.md"));

pub(super) static LANE_WITHOUT_PATH: Rule =
    Rule::error("lane-without-path", ExitCode::Lane, include_str!("rules/lane-without-path.md"));

pub(super) static SOURCE_NAMES_NO_FILE: Rule = Rule::error(
    "source-names-no-file",
    ExitCode::Lane,
    include_str!("rules/source-names-no-file.md"),
);

pub(super) static LANE_SERVICE_UNKNOWN: Rule = Rule::error(
    "lane-service-unknown",
    ExitCode::Lane,
    include_str!("rules/lane-service-unknown.md"),
);

pub(super) static COMMAND_CUT_BY_SHELL_WORDS: Rule = Rule::error(
    "command-cut-by-shell-words",
    ExitCode::Lane,
    include_str!("rules/command-cut-by-shell-words.md"),
);

pub(super) static FLAG_UNKNOWN_TO_ENGINE: Rule = Rule::error(
    "flag-unknown-to-engine",
    ExitCode::Lane,
    include_str!("rules/flag-unknown-to-engine.md"),
);

pub(super) static COMMAND_LINE_REFUSED: Rule = Rule::error(
    "command-line-refused",
    ExitCode::Lane,
    include_str!("rules/command-line-refused.md"),
);

pub(super) static STARTS_NO_SERVER: Rule =
    Rule::error("starts-no-server", ExitCode::Lane, include_str!("rules/starts-no-server.md"));

pub(super) static IMAGE_MISSPELT: Rule =
    Rule::error("image-misspelt", ExitCode::Lane, include_str!("rules/image-misspelt.md"));

pub(super) static VARIABLE_CONSUMED_BY_COMPOSE: Rule = Rule::warning(
    "variable-consumed-by-compose",
    ExitCode::Lane,
    include_str!("rules/variable-consumed-by-compose.md"),
);

pub(super) static VARIABLE_UNKNOWN_TO_ENGINE: Rule = Rule::warning(
    "variable-unknown-to-engine",
    ExitCode::Lane,
    include_str!("rules/variable-unknown-to-engine.md"),
);

pub(super) static QUOTES_IN_VARIABLE: Rule =
    Rule::error("quotes-in-variable", ExitCode::Lane, include_str!("rules/quotes-in-variable.md"));
